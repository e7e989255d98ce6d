/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libphyp's own structures.  Who owns what:
 *
 *   phyp -- vdevs -- sessions (by BOTTOM) -- buffers, pools, downloads
 *        \- lpars -- pages
 *        \- streams -- sessions (the same), source or target engine
 *
 * crq.c	decode, ordered checks, answers
 * session.c	sessions, pools, outstanding operations, queued downloads
 * hcall.c	hcalls
 * stream.c	life of a stream: states, signals, parking, messages
 * source.c	what a source sends; target.c: what a target makes of it
 * owner.c	the ownership record
 * demand.c	pages that processors wait for
 * pane.c	slots of the second pane
 * record.c	the platform's own stream
 * pages.c	which pages are written, dirty, missing
 * dirtymap.c	the Dirty Map extension
 */
#ifndef _PHYP_INTERNAL_H
#define _PHYP_INTERNAL_H

#include <errno.h>
#include <sys/queue.h>
#include "phyp/phyp.h"
#include "phyp/pages.h"
#include "phyp/record.h"
#include "vasi_codec.h"

#define PHYP_MAX_BUFFERS	4096	/* known buffers of one session */
#define PHYP_MAX_POOLS		8
#define PHYP_MAX_SESSIONS	4096	/* of one device */
#define PHYP_MIN_BUFFER		256	/* shortest buffer that can carry anything */
#define PHYP_MAX_DOWNLOADS	4096	/* queued downloads of one session */
#define PHYP_MAX_DOWNLOAD_BYTES	(16u << 20)	/* data that one download carries */
#define PHYP_OP_RUNS		128	/* page runs one operation may carry */

struct phyp {
	const struct phyp_host_ops *ops;
	void *ctx;
	TAILQ_HEAD(, phyp_vdev) vdevs;
	TAILQ_HEAD(, phyp_lpar) lpars;
	TAILQ_HEAD(, phyp_stream) streams;
};

void phyp_log(struct phyp *phyp, int priority, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A partition, as the platform sees it */
struct phyp_lpar {
	TAILQ_ENTRY(phyp_lpar) link;
	struct phyp *phyp;
	const struct phyp_lpar_ops *ops;
	void *ctx;
	struct phyp_pages pages;
	struct phyp_stream *stream;	/* the one it moves in, or NULL */
};

#define PHYP_PANE_SLOT_BYTES	(16u << 20)
#define PHYP_PANE_SLOTS		256

/* One slot of the second pane: a piece of a stream's memory at an I/O address */
struct phyp_slot {
	struct phyp_stream *stream;	/* NULL: shows nothing */
	uint64_t offset;		/* into the partition's memory */
	unsigned int users;		/* outstanding operations that name it */
	uint64_t last_use;
};

struct phyp_vdev {
	TAILQ_ENTRY(phyp_vdev) link;
	struct phyp *phyp;
	const struct phyp_vdev_ops *ops;
	void *ctx;
	struct phyp_vdev_params params;
	/* Negotiated per service; index: enum vasi_service */
	struct vasi_caps caps[VASI_SERVICE_TARGET_MOVER + 1];
	/* Sessions by index; a BOTTOM is generation << 12 | index */
	struct phyp_session **sessions;
	unsigned int max_sessions;
	uint32_t generation;
	struct phyp_slot slots[PHYP_PANE_SLOTS];
	uint64_t slot_clock;
	uint32_t next_window;
};

/* A run of pages that an operation carried */
struct phyp_run {
	uint64_t first;
	uint32_t count;
};

/* Who owns a VSP's buffer, as the platform sees it */
enum phyp_buffer_state {
	PHYP_BUFFER_UNKNOWN = 0,	/* entry of the table is free */
	PHYP_BUFFER_POOL,		/* posted, in its pool */
	PHYP_BUFFER_OPERATION,		/* in an operation not answered yet */
};

struct phyp_buffer {
	TAILQ_ENTRY(phyp_buffer) link;	/* of its pool, or of the spare ones */
	enum phyp_buffer_state state;
	uint32_t bottom;		/* of the session */
	uint32_t index;			/* in the session's table */
	uint32_t generation;		/* rises with every operation */
	uint64_t correlator;		/* the VSP's, as read when it was added */
	uint32_t length;
	uint32_t ioba;
	/* PHYP_BUFFER_OPERATION: what it carries */
	int slot;			/* of the second pane, or -1 */
	uint64_t bytes;			/* of the session's stream */
	uint64_t sent_ns;
	bool alone;			/* no other was out, on any session */
	unsigned int nruns;
	struct phyp_run runs[PHYP_OP_RUNS];
};

TAILQ_HEAD(phyp_buffer_list, phyp_buffer);

struct phyp_pool {
	uint32_t length;		/* 0: unassigned */
	unsigned int count;
	struct phyp_buffer_list buffers;
};

struct phyp_download {
	STAILQ_ENTRY(phyp_download) link;
	uint64_t descriptor;
	uint32_t length;
	uint32_t ioba;
};

/* What a source still has to put on a session; see source.c */
struct phyp_source_session {
	unsigned int index;		/* in the incarnation */
	bool member;			/* of the incarnation's set */
	bool started;			/* START was sent */
	bool handed_over;		/* HANDOVER was sent */
	bool ended;			/* END was sent */
	uint64_t cursor;		/* next page to look at in this pass */
	uint64_t pass;			/* passes this session has completed */
	uint64_t pass_pages;		/* pages sent in this pass */
	uint64_t rest_offset;		/* a page that is sent in pieces: what is */
	uint32_t rest_bytes;		/* left of it */
};

/* Where a target is on a session; see target.c */
struct phyp_target_session {
	bool started;
	bool stale;			/* of an older incarnation: drop all */
	bool handed_over;
	bool ended;
	uint64_t pass;
	uint8_t *staging;		/* a final page that is not whole yet */
};

struct phyp_session {
	TAILQ_ENTRY(phyp_session) link;	/* of its stream */
	struct phyp_vdev *vdev;
	struct phyp_stream *stream;
	enum vasi_service service;
	uint32_t top;
	uint32_t bottom;
	int view;			/* of the Dirty Map, or -1 */
	bool failed;			/* an operation or download failed */
	bool closing;
	struct phyp_pool pools[PHYP_MAX_POOLS];
	struct phyp_buffer *buffers[PHYP_MAX_BUFFERS];
	unsigned int nknown;		/* places of @buffers in use, or spare */
	struct phyp_buffer_list spare;	/* known buffers that the VSP has */
	unsigned int nbuffers;		/* in pools */
	unsigned int outstanding;	/* operations not answered */
	uint64_t queued_bytes;		/* in them */
	STAILQ_HEAD(, phyp_download) downloads;
	unsigned int ndownloads;
	bool announced;			/* the VSP knows the stream's state */
	unsigned int progress_due;	/* requests that wait for the home's look */
	struct phyp_parser parser;	/* of the stream that arrives */
	struct phyp_source_session source;
	struct phyp_target_session target;
};

/* ---- crq.c ---- */

/*
 * Encode and send.  When that fails the owner resets the device, later: no
 * session ever vanishes under who sends.
 */
void phyp_send(struct phyp_vdev *vdev, const struct vasi_msg *msg);

/* ---- session.c ---- */

struct phyp_session *phyp_session_find(struct phyp_vdev *vdev, uint32_t bottom);
/*
 * 0 and a session, or an enum vasi_status; links it into the stream and calls
 * phyp_stream_opened()
 */
enum vasi_status phyp_session_open(struct phyp_vdev *vdev,
				   struct phyp_stream *stream,
				   enum vasi_service service, uint32_t top,
				   struct phyp_session **session);
/* Calls phyp_stream_closing(), then forgets buffers, downloads, operations */
void phyp_session_close(struct phyp_session *s);
/* Pool logic of Add Buffer and Free Buffer, checks included */
enum vasi_status phyp_buffer_add(struct phyp_session *s, uint64_t descriptor,
				 uint64_t *correlator, uint16_t *free_buffers,
				 uint32_t *length);
enum vasi_status phyp_buffer_free(struct phyp_session *s, uint32_t length,
				  uint64_t *correlator);
/*
 * A VSP buffer as memory: mapped, or a copy where the device cannot map.
 * With @write the copy is written back by phyp_dma_put().
 */
struct phyp_dma {
	struct phyp_vdev *vdev;
	uint32_t ioba;
	uint32_t length;
	void *data;
	bool copy;
};

/*
 * Begin an operation in a posted buffer: mapped at @dma, ready for @seg to append
 * to.  NULL when none is posted or the buffer cannot be reached.  Then either
 * drop it, and the buffer is posted as before, or send it: the specifier is
 * ended, written, and the Operation request is out.
 */
struct phyp_buffer *phyp_op_begin(struct phyp_session *s, struct phyp_dma *dma,
				  struct vasi_seg_builder *seg);
void phyp_op_drop(struct phyp_session *s, struct phyp_buffer *b,
		  struct phyp_dma *dma);
void phyp_op_send(struct phyp_session *s, struct phyp_buffer *b,
		  struct phyp_dma *dma, struct vasi_seg_builder *seg);
/*
 * An Operation response came; unknown correlators are discarded.  Calls
 * phyp_stream_responded(), then forgets the buffer.
 */
void phyp_op_responded(struct phyp_vdev *vdev, uint64_t correlator,
		       enum vasi_status status, uint64_t residual);
/* *correlator is set as soon as it could be read */
enum vasi_status phyp_download_queue(struct phyp_session *s,
				     uint64_t descriptor, uint64_t *correlator);
/* It was answered with an error: the session's bytes have a hole from here on */
void phyp_download_failed(struct phyp_session *s, enum vasi_status status);
/*
 * Process queued downloads until none is left or now_ns() passes @deadline_ns;
 * answers each.
 */
void phyp_downloads_run(struct phyp_session *s, uint64_t deadline_ns);

int phyp_dma_get(struct phyp_vdev *vdev, uint32_t ioba, uint32_t length,
		 struct phyp_dma *dma);
int phyp_dma_put(struct phyp_dma *dma, bool write);
/* Does [ioba, +length) translate? */
bool phyp_dma_valid(struct phyp_vdev *vdev, uint32_t ioba, uint32_t length);

/* ---- pane.c ---- */

/*
 * I/O address of the second pane for [offset, +*length); *length is cut at the
 * end of a slot.  Returns the slot, or -EBUSY when all are in use.
 */
int phyp_pane_map(struct phyp_stream *stream, struct phyp_vdev *vdev,
		  uint64_t offset, uint32_t *length, uint32_t *ioba);
void phyp_pane_get(struct phyp_vdev *vdev, int slot);
void phyp_pane_put(struct phyp_vdev *vdev, int slot);
void phyp_pane_forget(struct phyp_vdev *vdev, struct phyp_stream *stream);
/* H_COPY_RDMA: memory behind [ioba, +length) of the second pane, or NULL */
void *phyp_pane_translate(struct phyp_vdev *vdev, uint32_t ioba, uint32_t length);

/* ---- dirtymap.c ---- */

/* A Dirty Map request; sends its answer */
void phyp_dirty_map(struct phyp_session *s, const struct vasi_msg *msg);
/* The session's view ends with it */
void phyp_dirty_map_close(struct phyp_session *s);
/* The partition leaves the stream, and with it the views of all sessions */
void phyp_dirty_map_detach(struct phyp_stream *stream);

/* ---- stream.c ---- */

#define PHYP_DEMAND_RING	4096	/* power of two */

/*
 * Runs of pages that processors wait for; when full, a demand is dropped: the
 * page comes anyway, only later
 */
struct phyp_demands {
	struct phyp_run run[PHYP_DEMAND_RING];
	unsigned int head;
	unsigned int tail;
};

/* See source.c */
struct phyp_source {
	bool begun;			/* the set of sessions is fixed */
	bool broken;			/* one of them is gone */
	unsigned int members;		/* sessions of the incarnation */
	/* Last incarnation that was heard of: an operation was answered with Success */
	uint32_t taken;
	uint8_t *state;			/* processor state, once Suspended */
	uint32_t state_bytes;
	uint32_t state_sent;
	bool frozen;			/* the bitmap below is fixed */
	uint64_t bitmap_pages;		/* in the bitmap */
	uint64_t bitmap_next;		/* next page to look at for it */
	bool bitmap_sent;
	uint64_t cursor;		/* next final page */
	uint64_t final_pages;		/* sent */
	struct phyp_bitmap sent_once;
	uint64_t skip_page;		/* fault injection; ~0: none yet */
	uint64_t resent_seen;
	struct phyp_demands demands;	/* pages that somebody waits for */
	struct phyp_demands around;	/* those beside them */
	uint64_t looked_ns;		/* when the home was asked to look */
	uint64_t rate;			/* bytes a second that movers take */
	uint64_t rate_since_ns;		/* when the next sample was begun */
	uint64_t rate_bytes;		/* taken since */
	uint64_t answered_ns;		/* when the last operation was */
	uint64_t trip_ns;		/* least time that an operation took alone */
	uint64_t trip_bytes;		/* and that had so many bytes */
};

#define PHYP_WAITING	64
#define PHYP_LATENCY_BUCKETS	256

/* How far a target is with what the source hands over */
enum phyp_handover {
	PHYP_HANDOVER_AWAITED,		/* not whole yet */
	PHYP_HANDOVER_LOADING,		/* whole; the home takes over the state */
	PHYP_HANDOVER_LOADED,		/* the record may be written */
};

/* See target.c */
struct phyp_target {
	enum phyp_handover handover;
	uint32_t sessions;		/* of the incarnation; 0: not known */
	unsigned int handovers;
	unsigned int ends;
	bool handover_seen;
	uint64_t handover_pages;
	uint64_t bitmap_pages;
	uint8_t *state;
	uint32_t state_bytes;
	uint32_t state_here;
	struct phyp_bitmap final;	/* pages that arrived in final form */
	struct phyp_bitmap residual;	/* the bitmap, as it arrives */
	struct phyp_bitmap demanded;
	struct phyp_demands demands;	/* not yet sent */
	struct {			/* under way, for the statistics */
		uint64_t page;
		uint64_t since_ns;
	} waiting[PHYP_WAITING];
	uint32_t latency[PHYP_LATENCY_BUCKETS];
	uint32_t latency_max_us;
};

struct phyp_stream {
	TAILQ_ENTRY(phyp_stream) link;
	struct phyp *phyp;
	struct phyp_stream_params params;
	enum vasi_state state;
	uint32_t reason;
	TAILQ_HEAD(, phyp_session) sessions;
	unsigned int nsessions;
	bool ever_opened;
	bool received;			/* target: everything is here */
	bool abort_pending;		/* target: the record could not be written */
	uint32_t abort_reason;
	uint32_t incarnation;
	uint32_t window;		/* id of the second pane's window */
	bool window_open;
	struct phyp_stream_stats stats;
	union {
		struct phyp_source source;
		struct phyp_target target;
	};
};

/* The checks of Open that concern the stream: statuses 2, 0x0B, 3, 0x0C */
enum vasi_status phyp_stream_check_open(struct phyp_vdev *vdev, uint64_t id,
					uint8_t service,
					struct phyp_stream **stream);
/* A session was linked in / is about to be unlinked */
void phyp_stream_opened(struct phyp_session *s);
void phyp_stream_closing(struct phyp_session *s);
void phyp_stream_closed(struct phyp_stream *stream);
/* Signal message or H_VASI_SIGNAL; a status.  The caller has checked BOTTOM. */
enum vasi_status phyp_stream_signal(struct phyp_stream *stream, uint16_t code,
				    uint32_t reason);
/* A message passed through from the other platform */
void phyp_stream_message(struct phyp_stream *stream, uint64_t data);
/* Bytes of the session's stream arrived by download; an error aborts the stream */
enum vasi_status phyp_stream_feed(struct phyp_session *s, const void *data,
				  uint32_t length);
/* An operation was answered; b->runs say what it carried */
void phyp_stream_responded(struct phyp_session *s, struct phyp_buffer *b,
			   enum vasi_status status, uint64_t residual);
/* Ask the home what was written; false: it marks by itself, or does not execute */
bool phyp_stream_look(struct phyp_stream *stream);
/* Answer the Progress requests that waited for that */
void phyp_stream_progress(struct phyp_stream *stream);
/* Bounded work; enum vasi_hcall_return for H_DONOR_OPERATION */
int64_t phyp_stream_donate(struct phyp_stream *stream);
uint64_t phyp_stream_bytes_left(const struct phyp_stream *stream);
void phyp_stream_abort(struct phyp_stream *stream, enum vasi_abort_entity who,
		       uint32_t detail);
/* Likewise with a whole reason; 0, or -EPERM where the state forbids it */
int phyp_stream_abort_reason(struct phyp_stream *stream, uint32_t reason);
/* Forget a stream, whatever its state; no session is open */
void phyp_stream_free(struct phyp_stream *stream);
/* Is the stream final (Aborted or Completed)? */
bool phyp_stream_final(const struct phyp_stream *stream);
/*
 * The one place where a stream's state changes.  The caller does what belongs to
 * the transition and then tells the movers with phyp_stream_announce().
 */
void phyp_stream_set_state(struct phyp_stream *stream, enum vasi_state new,
			   uint32_t reason);
/* State requests to every session: the last step of a transition */
void phyp_stream_announce(struct phyp_stream *stream);
/* Send eight bytes to the other platform */
void phyp_stream_tell(struct phyp_stream *stream, uint8_t type);

void phyp_stream_complete(struct phyp_stream *stream);
/* Resume the partition on a source whose stream aborts, and so on */
void phyp_stream_never(struct phyp_stream *stream, uint32_t reason);

/* ---- demand.c ---- */

/* False when the ring is full */
bool phyp_demands_push(struct phyp_demands *d, uint64_t first, uint32_t count);
bool phyp_demands_pop(struct phyp_demands *d, struct phyp_run *run);
bool phyp_demands_empty(const struct phyp_demands *d);

/* ---- source.c ---- */

int phyp_source_init(struct phyp_stream *stream);
void phyp_source_exit(struct phyp_stream *stream);
/* A session is about to close: what its operations carried is dirty again */
void phyp_source_closing(struct phyp_session *s);
/* Every session is gone: the next ones are a new incarnation */
void phyp_source_park(struct phyp_stream *stream);
/* True when the time was over before everything that could be sent was */
bool phyp_source_work(struct phyp_stream *stream, uint64_t deadline_ns);
enum vasi_status phyp_source_feed(struct phyp_session *s, const void *data,
				  uint32_t length);
void phyp_source_responded(struct phyp_session *s, struct phyp_buffer *b,
			   enum vasi_status status);
/* The home has stopped executing */
void phyp_source_suspended(struct phyp_stream *stream);

/* ---- target.c ---- */

int phyp_target_init(struct phyp_stream *stream);
void phyp_target_exit(struct phyp_stream *stream);
void phyp_target_closing(struct phyp_session *s);
enum vasi_status phyp_target_feed(struct phyp_session *s, const void *data,
				  uint32_t length);
void phyp_target_work(struct phyp_stream *stream);
void phyp_target_loaded(struct phyp_stream *stream, int error);
void phyp_target_demand(struct phyp_stream *stream, uint64_t page);
uint64_t phyp_target_bytes_left(const struct phyp_stream *stream);
/* Median, 99th percentile and maximum of the time a demand took */
void phyp_target_latency(const struct phyp_stream *stream, uint32_t us[3]);

/* ---- owner.c ---- */

/*
 * Commit @wanted for a stream, or read what was committed before: the verdict
 * that holds, or a negative errno when it could not be established
 */
int phyp_owner_commit(struct phyp *phyp, uint64_t stream_id,
		      enum phyp_verdict wanted);

#endif /* _PHYP_INTERNAL_H */
