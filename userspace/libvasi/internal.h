/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of libvasi share: devices, sessions, pools and buffers as
 * every transport sees them.
 */
#ifndef _VASI_INTERNAL_H
#define _VASI_INTERNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libvasi/transport.h"
#include "libvasi/vasi.h"
#include "vasi_codec.h"

/* Widths of the fields of a correlator and a TOP; see user_buffers.c, session.c */
#define VASI_SESSION_BITS	10
#define VASI_POOL_BITS		6
#define VASI_INDEX_BITS		20
#define VASI_GENERATION_BITS	28
/* The highest session number is kept for correlators that name no session */
#define VASI_MAX_SESSIONS	((1u << VASI_SESSION_BITS) - 1)
#define VASI_MAX_POOLS		(1u << VASI_POOL_BITS)
#define VASI_MAX_BUFFERS	(1u << VASI_INDEX_BITS)
#define VASI_GENERATION_MASK	((1u << VASI_GENERATION_BITS) - 1)

#define VASI_MIN_BUFFER		8192u
#define VASI_MAX_BUFFER		(8u << 20)
#define VASI_BUFFER_ALIGN	4096u
#define VASI_MAX_PANE		(0x100000000ULL - 4096)

#define VASI_DIRTY_BITS_OFFSET	(VASI_CORRELATOR_BYTES + \
				 sizeof(struct vasi_dirty_map_specifier))

/* Who owns a buffer */
enum vasi_owner {
	VASI_OWNER_USER,	/* the caller */
	VASI_OWNER_POSTING,	/* posted, the platform has not been told yet */
	VASI_OWNER_PLATFORM,	/* posted */
	VASI_OWNER_FILLED,	/* in an operation that the caller has not answered */
	VASI_OWNER_DOWNLOAD,	/* being downloaded */
	VASI_OWNER_DIRTY_MAP,	/* being filled with a dirty map */
	VASI_OWNERS,
};

struct vasi_window;

/**
 * struct vasi_buf - one buffer
 * @owner:	who owns it; changed by vasi_buf_move() only
 * @op_code:	FILLED: of the operation
 * @generation:	transport: tells what a buffer is used for now from what it was
 *		used for before
 * @segments:	FILLED: segments of the operation
 * @next:	POSTING: the next one in the session's list
 * @window:	FILLED: the window its indirect segments lie in, or NULL; a
 *		reference
 * @op_correlator: FILLED: transport: of the operation, as it was on arrival
 * @bytes:	FILLED: of stream data; DIRTY_MAP: pages asked for
 * @fetched:	FILLED: transport: of indirect data
 */
struct vasi_buf {
	enum vasi_owner owner;
	uint8_t op_code;
	uint32_t generation;
	uint32_t segments;
	struct vasi_buf *next;
	struct vasi_window *window;
	uint64_t op_correlator;
	uint64_t bytes;
	uint64_t fetched;
};

/**
 * struct vasi_pool - buffers of one size
 * @base:	the first one
 * @stride:	from one to the next
 * @bytes:	of each
 * @count:	how many
 * @data_offset: of the data of a download
 * @room:	for them
 * @number:	transport: the kernel's number for it
 * @place:	transport: I/O address of the first one, or where in a buffer fetched
 *		data lie
 * @reserved:	transport: bytes that it takes, all in all
 * @posted:	one was posted once: counts as a pool of the platform
 * @bufs:	the buffers
 */
struct vasi_pool {
	uint8_t *base;
	uint32_t stride;
	uint32_t bytes;
	uint32_t count;
	uint32_t data_offset;
	uint32_t room;
	uint16_t number;
	uint64_t place;
	uint64_t reserved;
	bool posted;
	struct vasi_buf *bufs;
};

enum vasi_session_state {
	VASI_SESSION_OPENING,
	VASI_SESSION_OPEN,
	VASI_SESSION_CLOSING,
	VASI_SESSION_CLOSED,	/* or never opened: only vasi_session_free() is left */
};

/**
 * struct vasi_session - one open of a stream
 * @dev:	device
 * @index:	in the device's table
 * @state:	where it is
 * @top:	our name for it; never changes
 * @bottom:	the platform's name; set before VASI_EV_OPENED
 * @service:	role
 * @stream_id:	stream
 * @data:	the caller's
 * @pool_count:	pools
 * @pools:	the pools
 * @posting:	buffers in state POSTING, in order
 * @posting_tail: the last one
 * @posting_count: how many
 */
struct vasi_session {
	struct vasi_device *dev;
	uint32_t index;
	enum vasi_session_state state;
	uint32_t top;
	uint32_t bottom;
	enum vasi_service service;
	uint64_t stream_id;
	void *data;
	unsigned int pool_count;
	struct vasi_pool pools[VASI_MAX_POOLS];
	struct vasi_buf *posting;
	struct vasi_buf *posting_tail;
	unsigned int posting_count;
};

/**
 * struct vasi_event_queue - events that were not reaped yet
 * @events:	ring of @size
 * @head:	next to reap; counts up for ever
 * @tail:	next to fill; likewise
 * @size:	a power of two, or 0
 */
struct vasi_event_queue {
	struct vasi_event *events;
	uint32_t head;
	uint32_t tail;
	uint32_t size;
};

/**
 * struct vasi_device - a device; transports embed it
 * @ops:	transport
 * @info:	what the platform offers
 * @lost:	it is gone; @error says why
 * @lost_told:	VASI_EV_LOST was reaped
 * @generation:	last one used, for correlators and TOPs
 * @sessions:	by index
 * @session_limit: indexes from here on were never used
 * @events:	queue
 * @error:	text of the last failure
 */
struct vasi_device {
	const struct vasi_transport *ops;
	struct vasi_device_info info;
	bool lost;
	bool lost_told;
	uint32_t generation;
	struct vasi_session *sessions[VASI_MAX_SESSIONS];
	uint32_t session_limit;
	struct vasi_event_queue events;
	char error[512];
};

/* vasi.c */
int vasi_device_fail(struct vasi_device *dev, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void vasi_device_lost(struct vasi_device *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
uint32_t vasi_next_generation(struct vasi_device *dev);

/* events.c */
struct vasi_event *vasi_event_add(struct vasi_device *dev, enum vasi_event_type type,
				  struct vasi_session *s, uint8_t status,
				  uint64_t token);
uint32_t vasi_events_waiting(const struct vasi_device *dev);
void vasi_events_free(struct vasi_device *dev);

/* session.c */
struct vasi_session *vasi_session_by_top(const struct vasi_device *dev, uint32_t top);
struct vasi_session *vasi_session_by_bottom(const struct vasi_device *dev,
					    uint32_t bottom);
void vasi_session_opened(struct vasi_session *s, uint8_t status, uint32_t bottom,
			 uint64_t token);
void vasi_session_closed(struct vasi_session *s, uint8_t status, uint64_t token);
void vasi_session_destroy(struct vasi_session *s);

/* buffers.c */
int vasi_buf_move(struct vasi_buf *buf, enum vasi_owner from, enum vasi_owner to);
struct vasi_buf *vasi_buf_get(const struct vasi_session *s, uint16_t pool,
			      uint32_t index);
void vasi_buf_place(const struct vasi_session *s, const struct vasi_buf *buf,
		    uint16_t *pool, uint32_t *index);
void vasi_buf_release(struct vasi_session *s, struct vasi_buf *buf);
int vasi_post_buf(struct vasi_session *s, uint16_t pool, struct vasi_buf *buf);
struct vasi_buf *vasi_take_posting(struct vasi_session *s);
void vasi_pools_free(struct vasi_session *s);

/* operation.c */
enum vasi_status vasi_operation_arrived(struct vasi_session *s, uint16_t pool,
					uint32_t index, uint64_t correlator,
					uint64_t *op_correlator);

#endif /* _VASI_INTERNAL_H */
