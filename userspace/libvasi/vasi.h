/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvasi: what a mover needs of a VASI device, whatever carries it.
 *
 * Shape: submit and complete.  A call that asks the platform for something
 * takes the caller's token and returns at once; its completion is an event that
 * carries the token.  A transport does its I/O in the caller's io_uring: hand
 * every CQE whose user_data has the device's tag to vasi_device_cqe(), then
 * reap events until there are none, then vasi_device_flush().  There are no
 * callbacks and no threads in here.
 *
 * Locking: a device, its sessions and pools belong to one thread (the owner of
 * the ring).  Only donors are for other threads: one thread each.
 *
 * Return values are 0 (or a count) or a negative errno unless said otherwise.
 */
#ifndef _VASI_H
#define _VASI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <liburing.h>
#include <linux/vasi_crq.h>

struct vasi_device;
struct vasi_session;
struct vasi_donor;

/**
 * struct vasi_device_params - how to open a device
 * @pane_bytes:	first pane: memory for all buffers of all sessions; multiple of
 *		the page size, at most 4 GiB - 4 KiB.  Memory is used only as
 *		buffers are set up.  With the kernel driver: the most that they take.
 * @dirty_map:	ask for the Dirty Map extension
 * @no_indirect_operations: do not offer indirect operations (14:5); the kernel
 *		driver decides this by itself
 *
 * Opening exchanges capabilities for the source and the target mover service.
 */
struct vasi_device_params {
	uint64_t pane_bytes;
	bool dirty_map;
	bool no_indirect_operations;
};

/**
 * struct vasi_device_info - what the platform offers
 * @unit_address: of the device
 * @crq_entries: messages the CRQ holds
 * @buffer_pools: buffer sizes a session may have
 * @streams:	streams the device serves at the same time
 * @features:	VASI_CAP_* (byte 13) in common
 * @operations:	VASI_CAP_OP_* (byte 14) in common
 * @opens:	sessions per stream, 1 or more
 * @dirty_map:	the platform offers the Dirty Map extension
 */
struct vasi_device_info {
	uint32_t unit_address;
	uint32_t crq_entries;
	uint32_t buffer_pools;
	uint32_t streams;
	uint8_t features;
	uint8_t operations;
	uint8_t opens;
	bool dirty_map;
};

/*
 * Device: opening and closing may block (connect, handshake, 5 s at most).  Why
 * an open failed is logged, since there is no device to ask.
 */
int vasi_device_open(const char *path, const struct vasi_device_params *params,
		     struct vasi_device **dev);
int vasi_device_open_fd(int fd, const char *path, const struct vasi_device_params *params,
			struct vasi_device **dev);
void vasi_device_close(struct vasi_device *dev);
const struct vasi_device_info *vasi_device_info(const struct vasi_device *dev);
/* Why the last call on @dev failed, or why it was lost; never NULL */
const char *vasi_device_error(const struct vasi_device *dev);

/*
 * Attach to the caller's ring.  Every SQE of the device has a user_data with
 * @tag in its top 16 bits.  detach cancels them; their CQEs still arrive and
 * are still to be handed to vasi_device_cqe() before closing.
 */
int vasi_device_attach(struct vasi_device *dev, struct io_uring *ring,
		       uint16_t tag);
void vasi_device_detach(struct vasi_device *dev);
/* True until every SQE of the device has completed after a detach */
bool vasi_device_busy(const struct vasi_device *dev);
int vasi_device_cqe(struct vasi_device *dev, const struct io_uring_cqe *cqe);
/* Send what was submitted; call once an iteration of the event loop */
int vasi_device_flush(struct vasi_device *dev);

enum vasi_event_type {
	VASI_EV_OPENED,		/* completion of vasi_session_open() */
	VASI_EV_CLOSED,		/* completion of vasi_session_close(): a session's last event */
	VASI_EV_ADDED,		/* a posted buffer was refused (only errors are reported) */
	VASI_EV_FREED,		/* completion of vasi_free_buffer() */
	VASI_EV_OPERATION,	/* the platform filled a buffer: the caller owns it now */
	VASI_EV_DOWNLOADED,	/* completion of vasi_download(): the caller owns the buffer */
	VASI_EV_SIGNALLED,	/* completion of vasi_signal() */
	VASI_EV_PROGRESS,	/* completion of vasi_progress() */
	VASI_EV_MESSAGE,	/* Message Upload from the platform (already answered) */
	VASI_EV_MESSAGED,	/* completion of vasi_message() */
	VASI_EV_DIRTY_MAP,	/* completion of vasi_dirty_map() */
	VASI_EV_STATE,		/* State request: the stream's state changed */
	/*
	 * The device is gone, and every session and every buffer with it: its
	 * last event.  vasi_device_error() says why.
	 */
	VASI_EV_LOST,
};

/**
 * struct vasi_event - a completion, or something the platform told
 * @type:	what happened
 * @status:	enum vasi_status of the platform's answer; VASI_SUCCESS for what
 *		is not an answer
 * @session:	which session; NULL for VASI_EV_LOST.  Valid until the caller has
 *		seen VASI_EV_CLOSED and called vasi_session_free()
 * @token:	the caller's token of a completion
 * @pool:	ADDED, FREED, OPERATION, DOWNLOADED: pool of the buffer
 * @index:	likewise: index in the pool
 * @bytes:	OPERATION: bytes of stream data; PROGRESS: bytes left
 * @segments:	OPERATION: number of iovecs vasi_operation_iov() fills at most
 * @op_code:	OPERATION: VASI_OP_* bits
 * @state:	STATE: enum vasi_state
 * @reason:	STATE: reason of an abort or failover
 * @message:	MESSAGE: eight bytes, as a number
 * @dirty:	DIRTY_MAP: the answer
 */
struct vasi_event {
	enum vasi_event_type type;
	uint8_t status;
	struct vasi_session *session;
	uint64_t token;
	uint16_t pool;
	uint32_t index;
	uint64_t bytes;
	uint32_t segments;
	uint8_t op_code;
	uint16_t state;
	uint32_t reason;
	uint64_t message;
	struct {
		uint64_t first_page;
		uint32_t pages;
		uint32_t granule;
		uint64_t dirty;
	} dirty_map;
};

/* Take up to @max events; returns how many */
int vasi_reap(struct vasi_device *dev, struct vasi_event *events, int max);

/* Sessions.  *session is valid on return; it may be used after VASI_EV_OPENED. */
int vasi_session_open(struct vasi_device *dev, uint64_t stream_id,
		      enum vasi_service service, uint64_t token,
		      struct vasi_session **session);
int vasi_session_close(struct vasi_session *s, uint64_t token);
/* After VASI_EV_CLOSED, a failed VASI_EV_OPENED, or VASI_EV_LOST: frees pools too */
void vasi_session_free(struct vasi_session *s);
void vasi_session_set_data(struct vasi_session *s, void *data);
void *vasi_session_data(const struct vasi_session *s);

/*
 * Pools.  A pool is @count buffers of @bytes each (multiple of 4 KiB, 8 KiB to
 * 8 MiB), zeroed, from the first pane.  A session has at most
 * info->buffer_pools pools whose buffers are posted; pools of download buffers
 * are not counted.  @fetch_bytes is for pools whose buffers are posted: where the
 * transport has to fetch indirect data, an operation may have so many of them.
 * Returns the pool's number, or -ENOMEM (pane exhausted), -EINVAL, -ENOSPC (too
 * many pools), -ENODEV.
 */
int vasi_pool_setup(struct vasi_session *s, uint32_t bytes, uint32_t count,
		    uint32_t fetch_bytes);
/* All of a buffer's memory, correlator included */
void *vasi_buffer(const struct vasi_session *s, uint16_t pool, uint32_t index);

/*
 * Who owns a buffer: USER (the caller), PLATFORM (posted), FILLED (in an
 * operation the caller has not answered), DOWNLOAD (being downloaded).  A call
 * on a buffer in another state than it needs returns -EBUSY.
 */

/*
 * Post a USER buffer for operations (Add Buffer; several are batched into Add
 * Buffer Indirect where the platform has it).  Failure arrives as VASI_EV_ADDED,
 * and the buffer it names is the caller's again.  If one buffer of a batch is
 * bad, LoPAR leaves open which others were taken: they stay PLATFORM until the
 * session is closed, and the caller is to abort the stream.
 */
int vasi_post(struct vasi_session *s, uint16_t pool, uint32_t index);
/* Take one posted buffer of @pool back; VASI_EV_FREED says which */
int vasi_free_buffer(struct vasi_session *s, uint16_t pool, uint64_t token);
/*
 * Where the stream data of a FILLED buffer lies, in order: in the buffer
 * itself or, for indirect segments, in the partition's memory (read only, and
 * changing while the partition runs).  Returns the number of iovecs, or -EBADMSG
 * for a specifier that does not hold together.  Valid until vasi_respond().
 */
int vasi_operation_iov(struct vasi_session *s, uint16_t pool, uint32_t index,
		       struct iovec *iov, int max);
/*
 * Answer the operation of a FILLED buffer; with @post the buffer is posted again,
 * unless the session is being closed.
 */
int vasi_respond(struct vasi_session *s, uint16_t pool, uint32_t index,
		 enum vasi_status status, uint64_t residual, bool post);

/*
 * Download.  The caller puts @bytes of stream data at vasi_download_data() of a
 * USER buffer; vasi_download() hands it to the platform in immediate form, or,
 * with @indirect, by an indirect segment.
 * vasi_download_room() is how many bytes fit.
 */
void *vasi_download_data(const struct vasi_session *s, uint16_t pool, uint32_t index);
uint32_t vasi_download_room(const struct vasi_session *s, uint16_t pool);
int vasi_download(struct vasi_session *s, uint16_t pool, uint32_t index,
		  uint32_t bytes, bool indirect, uint64_t token);

int vasi_signal(struct vasi_session *s, enum vasi_signal_code code,
		uint32_t reason, uint64_t token);
int vasi_progress(struct vasi_session *s, uint64_t token);
/* Pass eight bytes through to the platform (Message Download) */
int vasi_message(struct vasi_session *s, uint64_t data, uint64_t token);
/*
 * Dirty Map: pages [@first_page, +@pages) of @granule bytes, into USER buffer
 * @index of @pool; vasi_dirty_bits() is the bitmap: bit n of byte n/8 (least
 * significant first) is page first_page + n.  Only where info->dirty_map.
 */
int vasi_dirty_map(struct vasi_session *s, uint16_t pool, uint32_t index,
		   uint64_t first_page, uint32_t pages, uint32_t granule,
		   bool clear, uint64_t token);
const uint8_t *vasi_dirty_bits(const struct vasi_session *s, uint16_t pool,
			       uint32_t index);

/*
 * Donors: a thread that gives the platform processor cycles.  A donor belongs to
 * one thread at a time and may block for up to 10 ms a call.  The session must
 * not be freed during the call.
 * vasi_donate() returns an hcall return value: VASI_RC_SUCCESS (the stream is
 * complete), VASI_RC_IN_PROGRESS (call again), VASI_RC_LONG_BUSY_* (nothing to do
 * now), VASI_RC_PARAMETER (unknown session), VASI_RC_ABORTED, or
 * VASI_RC_HARDWARE (the device is gone).
 */
int vasi_donor_open(struct vasi_device *dev, struct vasi_donor **donor);
void vasi_donor_close(struct vasi_donor *donor);
int64_t vasi_donate(struct vasi_donor *donor, const struct vasi_session *s);
/* H_VASI_STATE: enum vasi_state, or a negative hcall return value */
int64_t vasi_stream_state(struct vasi_donor *donor, uint64_t stream_id);
/* H_VASI_SIGNAL: only Cancel; an hcall return value */
int64_t vasi_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
			   uint32_t reason);

#endif /* _VASI_H */
