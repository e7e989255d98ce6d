/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What carries a device: the ops table between the common part of libvasi,
 * which owns sessions, pools, ownership and events, and a transport, which
 * exchanges messages with the platform.
 *
 * user.c is the user-mode driver: it speaks CRQ messages over a VIO link and
 * polls the link in the caller's ring.  A transport for the kernel's character
 * device fits behind the same table: its requests are io_uring commands with
 * the device's tag in their user_data, and cqe() turns their completions into
 * events.
 *
 * Every function is called on the thread that owns the device, except the
 * hcall of a donor.  Return values are 0 or a negative errno; text for the user
 * goes to vasi_device_fail() or vasi_device_lost().
 */
#ifndef _VASI_TRANSPORT_H
#define _VASI_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <liburing.h>
#include <linux/vasi_crq.h>

struct vasi_buf;
struct vasi_device;
struct vasi_device_params;
struct vasi_donor;
struct vasi_request;
struct vasi_session;
struct vasi_window;

/**
 * struct vasi_transport - the ops of a transport
 * @name:	for messages
 * @open:	connect and exchange capabilities; may block; sets @dev, whose pane
 *		and info are filled in, or frees everything and logs why
 * @close:	disconnect and free
 * @attach:	start I/O in @ring
 * @detach:	cancel it
 * @busy:	SQEs of the device have not completed
 * @cqe:	a CQE with the device's tag
 * @receive:	take in what arrived and did not fit the events yet
 * @flush:	send what was submitted
 * @session_open: ask for an open; the answer calls vasi_session_opened()
 * @session_close: ask for a close; the answer calls vasi_session_closed()
 * @session_forget: the session is freed: drop what refers to it
 * @post:	post the session's POSTING buffers; at a flush, or before another
 *		request of the session
 * @free_buffer: take back a posted buffer of @bytes
 * @respond:	answer an operation
 * @download:	[@ioba, +@bytes) of the first pane is a download specifier whose
 *		correlator is @correlator, of that buffer
 * @signal:	Signal
 * @progress:	Progress
 * @message:	Message Download
 * @dirty_map:	[@ioba, +@bytes) is a buffer with a Dirty Map specifier
 * @translate:	memory behind [@ioba, +@bytes) of the second pane, or NULL;
 *		@window gets what holds it, without a reference
 * @window_get:	a buffer refers to it
 * @window_put:	it no longer does
 * @donor_open: open a way for hcalls of another thread
 * @donor_close: close it
 * @donor_hcall: make an hcall; blocks; any one thread; an hcall return value
 */
struct vasi_transport {
	const char *name;

	int (*open)(const char *path, const struct vasi_device_params *params,
		    struct vasi_device **dev);
	void (*close)(struct vasi_device *dev);
	int (*attach)(struct vasi_device *dev, struct io_uring *ring, uint16_t tag);
	void (*detach)(struct vasi_device *dev);
	bool (*busy)(const struct vasi_device *dev);
	int (*cqe)(struct vasi_device *dev, const struct io_uring_cqe *cqe);
	void (*receive)(struct vasi_device *dev);
	int (*flush)(struct vasi_device *dev);

	int (*session_open)(struct vasi_session *s, uint64_t token);
	int (*session_close)(struct vasi_session *s, uint64_t token);
	void (*session_forget)(struct vasi_session *s);
	int (*post)(struct vasi_session *s);
	int (*free_buffer)(struct vasi_session *s, uint32_t bytes, uint64_t token);
	int (*respond)(struct vasi_session *s, uint64_t correlator,
		       enum vasi_status status, uint64_t residual);
	int (*download)(struct vasi_session *s, uint32_t ioba, uint32_t bytes,
			uint64_t correlator, uint64_t token);
	int (*signal)(struct vasi_session *s, enum vasi_signal_code code,
		      uint32_t reason, uint64_t token);
	int (*progress)(struct vasi_session *s, uint64_t token);
	int (*message)(struct vasi_session *s, uint64_t data, uint64_t token);
	int (*dirty_map)(struct vasi_session *s, uint32_t ioba, uint32_t bytes,
			 uint64_t correlator, uint64_t token);

	const void *(*translate)(struct vasi_device *dev, uint32_t ioba,
				 uint32_t bytes, struct vasi_window **window);
	void (*window_get)(struct vasi_window *window);
	void (*window_put)(struct vasi_window *window);

	int (*donor_open)(struct vasi_device *dev, struct vasi_donor **donor);
	void (*donor_close)(struct vasi_donor *donor);
	int64_t (*donor_hcall)(struct vasi_donor *donor, uint64_t number,
			       const uint64_t *args, unsigned int count,
			       uint64_t *result);
};

extern const struct vasi_transport vasi_user_transport;

/* The start of every transport's donor */
struct vasi_donor {
	const struct vasi_transport *ops;
};

#endif /* _VASI_TRANSPORT_H */
