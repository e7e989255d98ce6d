/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What carries a device: the ops table between the common part of libvasi,
 * which owns sessions, pools, ownership and events, and a transport, which
 * exchanges messages with the platform.
 *
 * user.c is the user-mode driver: it speaks CRQ messages over a VIO link and
 * polls the link in the caller's ring.  kernel.c is for the kernel driver's
 * character device: requests are its ioctls, what arrives comes by io_uring.
 * How the platform gets at a buffer, by I/O address and correlator or by pool and
 * index, is the transport's business.
 *
 * Every function is called on the thread that owns the device, except those of a
 * donor.  Return values are 0 or a negative errno unless said otherwise; text for
 * the user goes to vasi_device_fail() or vasi_device_lost().
 */
#ifndef _VASI_TRANSPORT_H
#define _VASI_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <liburing.h>
#include <linux/vasi_crq.h>

struct vasi_device;
struct vasi_device_params;
struct vasi_donor;
struct vasi_segment;
struct vasi_session;
struct vasi_window;

/**
 * struct vasi_dirty_ask - what vasi_dirty_map() asks for
 * @first_page:	first page, in pages of @granule
 * @pages:	how many
 * @granule:	4096, 65536, or 0
 * @clear:	clear them in this session's view
 */
struct vasi_dirty_ask {
	uint64_t first_page;
	uint32_t pages;
	uint32_t granule;
	bool clear;
};

/**
 * struct vasi_transport - the ops of a transport
 * @name:	for messages
 * @session_bytes: of its session, which starts with struct vasi_session
 * @open:	connect and exchange capabilities; may block; sets @dev, whose info
 *		is filled in, or frees everything and logs why
 * @close:	disconnect and free
 * @attach:	start I/O in @ring
 * @detach:	cancel it
 * @busy:	SQEs of the device have not completed
 * @cqe:	a CQE with the device's tag
 * @receive:	take in what arrived and did not fit the events yet
 * @flush:	send what was submitted
 * @session_open: ask for an open; the answer calls vasi_session_opened()
 * @session_close: ask for a close; the answer calls vasi_session_closed()
 * @session_forget: nothing of the session is outstanding any more, or it is freed:
 *		drop what was submitted
 * @session_free: NULL, or free what the transport has of it, pools excepted
 * @pool_setup:	memory for a pool whose bytes and count are set: fills in base,
 *		stride, data_offset and room.  An operation in one of its buffers
 *		may have @fetch_bytes of indirect data.
 * @pool_free:	the opposite
 * @post:	post the session's POSTING buffers; at a flush, or before another
 *		request of the session
 * @free_buffer: take back a posted buffer of the pool
 * @respond:	answer the operation of a FILLED buffer and, with @post, give the
 *		buffer to the platform again.  1: it did; 0: the buffer is the
 *		caller's now.
 * @download:	@bytes are in place in a DOWNLOAD buffer
 * @signal:	Signal
 * @progress:	Progress
 * @message:	Message Download
 * @dirty_map:	Dirty Map, into a DIRTY_MAP buffer
 * @indirect_data: where the data of an indirect segment of an operation are, which
 *		follow @before bytes of such data, or NULL; @window gets what
 *		holds them, without a reference, or NULL
 * @window_get:	a buffer refers to it
 * @window_put:	it no longer does
 * @donor_open: open a way for another thread, which all that follows is for
 * @donor_close: close it
 * @donate:	H_DONOR_OPERATION, perhaps several times; an hcall return value
 * @stream_state: H_VASI_STATE; likewise, and @state on VASI_RC_SUCCESS
 * @stream_cancel: H_VASI_SIGNAL with Cancel; likewise
 */
struct vasi_transport {
	const char *name;
	size_t session_bytes;

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
	void (*session_free)(struct vasi_session *s);
	int (*pool_setup)(struct vasi_session *s, uint16_t pool, uint32_t fetch_bytes);
	void (*pool_free)(struct vasi_session *s, uint16_t pool);
	int (*post)(struct vasi_session *s);
	int (*free_buffer)(struct vasi_session *s, uint16_t pool, uint64_t token);
	int (*respond)(struct vasi_session *s, uint16_t pool, uint32_t index,
		       enum vasi_status status, uint64_t residual, bool post);
	int (*download)(struct vasi_session *s, uint16_t pool, uint32_t index,
			uint32_t bytes, bool indirect, uint64_t token);
	int (*signal)(struct vasi_session *s, enum vasi_signal_code code,
		      uint32_t reason, uint64_t token);
	int (*progress)(struct vasi_session *s, uint64_t token);
	int (*message)(struct vasi_session *s, uint64_t data, uint64_t token);
	int (*dirty_map)(struct vasi_session *s, uint16_t pool, uint32_t index,
			 const struct vasi_dirty_ask *ask, uint64_t token);

	const void *(*indirect_data)(struct vasi_session *s, uint16_t pool,
				     uint32_t index, const struct vasi_segment *seg,
				     uint64_t before, struct vasi_window **window);
	void (*window_get)(struct vasi_window *window);
	void (*window_put)(struct vasi_window *window);

	int (*donor_open)(struct vasi_device *dev, struct vasi_donor **donor);
	void (*donor_close)(struct vasi_donor *donor);
	int64_t (*donate)(struct vasi_donor *donor, const struct vasi_session *s);
	int64_t (*stream_state)(struct vasi_donor *donor, uint64_t stream_id,
				uint64_t *state);
	int64_t (*stream_cancel)(struct vasi_donor *donor, uint64_t stream_id,
				 uint32_t reason);
};

extern const struct vasi_transport vasi_user_transport;
extern const struct vasi_transport vasi_kernel_transport;

/* The start of every transport's donor */
struct vasi_donor {
	const struct vasi_transport *ops;
};

#endif /* _VASI_TRANSPORT_H */
