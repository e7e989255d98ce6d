/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The user-mode driver: what its files share.
 */
#ifndef _VASI_USER_H
#define _VASI_USER_H

#include "common/util.h"
#include "libvasi/internal.h"
#include "violink/violink.h"

/* Answers we say we can queue: the socket and the events hold them */
#define USER_CRQ_ENTRIES	65536u
/* Operation and message answers that may wait for the link */
#define USER_MAX_RESPONSES	65536u
#define USER_MAX_WINDOWS	256u
#define USER_MAX_MAPS		65536u
#define USER_OPEN_NS		(5 * NSEC_PER_SEC)

/* Memory for Add Buffer Indirect at the pane's start: full lists of 255 */
#define USER_SLOTS		32u
#define USER_SLOT_BYTES		2048u
static_assert((1 + VASI_INDIRECT_MAX) * 8 == USER_SLOT_BYTES, "indirect list");
/* Fewer posts than this are sent one by one */
#define USER_INDIRECT_LEAST	4u

/* Bytes kept at a download buffer's end for the specifier of the indirect form */
#define USER_DOWNLOAD_TAIL	24u
#define USER_DOWNLOAD_HEAD	(VASI_DOWNLOAD_DATA_OFFSET + VASI_SEG_IMMEDIATE_BYTES)

/**
 * struct vasi_post_ref - a buffer that an Add Buffer named
 * @buf:	the buffer
 * @generation:	of its correlator then: tells whether it has moved on since
 */
struct vasi_post_ref {
	struct vasi_buf *buf;
	uint32_t generation;
};

/**
 * struct user_slot - an indirect memory buffer
 * @busy:	an Add Buffer Indirect with it was not answered yet
 * @count:	buffers named
 * @refs:	which
 */
struct user_slot {
	bool busy;
	unsigned int count;
	struct vasi_post_ref refs[VASI_INDIRECT_MAX];
};

/**
 * struct user_request - a message that will be answered
 * @next:	in the waiting list, then in the session's list
 * @session:	whose
 * @entry:	the message
 * @format:	enum vasi_format
 * @sequence:	order of sending
 * @token:	the caller's
 * @correlator:	of the buffer it names, or 0
 * @desc:	descriptor it carries, or 0
 * @post:	Add Buffer: the buffer
 * @slot:	Add Buffer Indirect: its list
 */
struct user_request {
	struct user_request *next;
	struct vasi_session *session;
	struct vasi_crq entry;
	uint8_t format;
	uint64_t sequence;
	uint64_t token;
	uint64_t correlator;
	uint64_t desc;
	struct vasi_post_ref post;
	struct user_slot *slot;
};

/**
 * struct vasi_window - memory of a partition, mapped to be read
 * @next:	in the device's list
 * @id:		the platform's name for it
 * @base:	mapped here
 * @bytes:	size
 * @refs:	buffers with operations that point into it
 * @gone:	taken back: unmapped when @refs is 0
 */
struct vasi_window {
	struct vasi_window *next;
	uint32_t id;
	uint8_t *base;
	uint64_t bytes;
	unsigned int refs;
	bool gone;
};

/**
 * struct user_map - what a range of the second pane means
 * @ioba:	first I/O address
 * @bytes:	how long
 * @window:	what it shows
 * @offset:	from there
 */
struct user_map {
	uint32_t ioba;
	uint32_t bytes;
	struct vasi_window *window;
	uint64_t offset;
};

/**
 * struct vasi_extent - a free piece of the first pane
 * @next:	the next one, at a higher offset
 * @offset:	where
 * @bytes:	how much
 */
struct vasi_extent {
	struct vasi_extent *next;
	uint64_t offset;
	uint64_t bytes;
};

/**
 * struct vasi_pane - the first pane: memory of all buffers
 * @fd:		memfd
 * @base:	mapped here
 * @bytes:	size
 * @free:	free pieces, by offset
 */
struct vasi_pane {
	int fd;
	uint8_t *base;
	uint64_t bytes;
	struct vasi_extent *free;
};

/**
 * struct user_session - a session
 * @s:		the common part
 * @requests:	requests that were sent, in order
 * @requests_tail: the last one
 */
struct user_session {
	struct vasi_session s;
	struct user_request *requests;
	struct user_request *requests_tail;
};

/**
 * struct user_device - a device behind a VIO link
 * @dev:	the common part
 * @pane:	first pane
 * @path:	of the link's socket
 * @fd:		CRQ channel
 * @token:	for hcall channels
 * @ring:	the caller's ring while attached
 * @tag:	of our SQEs
 * @in_flight:	SQEs that have not completed
 * @polling:	one of them is the multishot poll for input
 * @want_write:	another is the poll for output
 * @limit:	requests that may be outstanding: half the CRQ
 * @outstanding: requests that were not answered
 * @sequence:	of the last request
 * @waiting:	requests that were not sent, in order
 * @waiting_tail: the last one
 * @responses:	answers of ours that were not sent, in order
 * @response_count: how many
 * @response_room: room in @responses
 * @batch:	entries of the packet to be sent next
 * @batch_count: how many
 * @msg:	last message received
 * @unanswered:	it is a DMA request whose answer did not fit the link
 * @windows:	list
 * @window_count: its length without those that are gone
 * @maps:	by @ioba, not overlapping
 * @map_count:	how many
 * @map_room:	room in @maps
 * @slots:	indirect memory buffers; at the pane's start
 */
struct user_device {
	struct vasi_device dev;
	struct vasi_pane pane;
	char *path;
	int fd;
	uint8_t token[VIO_TOKEN_BYTES];
	struct io_uring *ring;
	uint16_t tag;
	unsigned int in_flight;
	bool polling;
	bool want_write;
	uint32_t limit;
	uint32_t outstanding;
	uint64_t sequence;
	struct user_request *waiting;
	struct user_request *waiting_tail;
	struct vasi_crq *responses;
	uint32_t response_count;
	uint32_t response_room;
	struct vasi_crq batch[VIO_MAX_CRQ];
	unsigned int batch_count;
	struct vio_message *msg;
	bool unanswered;
	struct vasi_window *windows;
	unsigned int window_count;
	struct user_map *maps;
	uint32_t map_count;
	uint32_t map_room;
	struct user_slot slots[USER_SLOTS];
};

static inline struct user_device *to_user(const struct vasi_device *dev)
{
	return container_of(dev, struct user_device, dev);
}

static inline struct user_session *to_user_session(const struct vasi_session *s)
{
	return container_of(s, struct user_session, s);
}

/* pane.c: the first pane */
int vasi_pane_create(struct vasi_pane *pane, uint64_t bytes);
void vasi_pane_destroy(struct vasi_pane *pane);
int vasi_pane_alloc(struct vasi_pane *pane, uint64_t bytes, uint64_t *offset);
void vasi_pane_free(struct vasi_pane *pane, uint64_t offset, uint64_t bytes);
void vasi_pane_limit(struct vasi_pane *pane, uint64_t bytes);

/* user_buffers.c: buffers as the platform names them */
uint32_t user_buf_ioba(const struct vasi_session *s, uint16_t pool, uint32_t index);
uint64_t user_buf_mark(struct vasi_session *s, uint16_t pool, uint32_t index);
int user_buf_find(struct vasi_device *dev, uint64_t correlator,
		  struct vasi_session **s, uint16_t *pool, uint32_t *index);
int user_pool_setup(struct vasi_session *s, uint16_t pool, uint32_t fetch_bytes);
void user_pool_free(struct vasi_session *s, uint16_t pool);
int user_download(struct vasi_session *s, uint16_t pool, uint32_t index,
		  uint32_t bytes, bool indirect, uint64_t token);
int user_dirty_map(struct vasi_session *s, uint16_t pool, uint32_t index,
		   const struct vasi_dirty_ask *ask, uint64_t token);

/* user_crq.c: requests and answers */
void user_entry(struct user_device *user, const struct vasi_crq *entry);
unsigned int user_fill_batch(struct user_device *user);
int user_session_open(struct vasi_session *s, uint64_t token);
int user_session_close(struct vasi_session *s, uint64_t token);
void user_session_forget(struct vasi_session *s);
int user_post(struct vasi_session *s);
int user_free_buffer(struct vasi_session *s, uint16_t pool, uint64_t token);
int user_respond(struct vasi_session *s, uint16_t pool, uint32_t index,
		 enum vasi_status status, uint64_t residual, bool post);
int user_submit_buffer(struct vasi_session *s, uint8_t format, uint32_t ioba,
		       uint32_t bytes, uint64_t correlator, uint64_t token);
int user_signal(struct vasi_session *s, enum vasi_signal_code code,
		uint32_t reason, uint64_t token);
int user_progress(struct vasi_session *s, uint64_t token);
int user_message(struct vasi_session *s, uint64_t data, uint64_t token);
void user_requests_free(struct user_device *user);

/* user_window.c: the second pane */
void user_window_add(struct user_device *user, uint32_t id, uint64_t bytes, int fd);
void user_window_remove(struct user_device *user, uint32_t id);
void user_map_add(struct user_device *user, uint32_t id, uint32_t ioba,
		  uint32_t bytes, uint64_t offset);
const void *user_indirect_data(struct vasi_session *s, uint16_t pool, uint32_t index,
			       const struct vasi_segment *seg, uint64_t before,
			       struct vasi_window **window);
void user_window_get(struct vasi_window *window);
void user_window_put(struct vasi_window *window);
void user_windows_free(struct user_device *user);

/* user_open.c: connection and handshake */
int user_open(const char *path, const struct vasi_device_params *params,
	      struct vasi_device **dev);
void user_close(struct vasi_device *dev);
int user_wait_message(int fd, enum vio_channel channel, struct vio_message *msg,
		      uint64_t deadline);
int user_refused(struct vasi_device *dev, const struct vio_message *msg);

/* user_donor.c: hcalls of other threads */
int user_donor_open(struct vasi_device *dev, struct vasi_donor **donor);
void user_donor_close(struct vasi_donor *donor);
int64_t user_donate(struct vasi_donor *donor, const struct vasi_session *s);
int64_t user_stream_state(struct vasi_donor *donor, uint64_t stream_id,
			  uint64_t *state);
int64_t user_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
			   uint32_t reason);

#endif /* _VASI_USER_H */
