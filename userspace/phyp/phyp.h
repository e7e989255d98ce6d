/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libphyp: the platform's side of LoPAR VASI for partition migration, at the
 * level of CRQ entries and hcalls.  It does no I/O: messages go in through
 * phyp_crq() and phyp_hcall(), everything else goes out through the callbacks.
 *
 * Threads: all calls on one struct phyp come from one thread (its owner),
 * except those marked "any thread": they are what virtual processors call.
 * No function sleeps, other than in the caller's own record_write callback.
 */
#ifndef _PHYP_H
#define _PHYP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/vasi_crq.h>

struct phyp;
struct phyp_vdev;
struct phyp_lpar;
struct phyp_stream;

/* The version of the platform's own stream (Documentation/platform-stream.rst) */
#define PHYP_STREAM_MAJOR	1
#define PHYP_STREAM_MINOR	1

/* What the ownership record of a stream says (Documentation/handover.rst) */
enum phyp_verdict {
	PHYP_VERDICT_NONE = 0,
	PHYP_VERDICT_RESUMED,
	PHYP_VERDICT_NEVER,
};

/**
 * struct phyp_host_ops - what the platform needs of the program around it
 * @now_ns:	monotonic time
 * @record_read: read a stream's ownership record; *verdict NONE if there is none;
 *		0 or negative errno
 * @record_write: write it once and sync it; -EEXIST if there is one already
 * @state_changed: a stream changed its state; notification only
 * @log:	one line of text, no payload; priority as in syslog(3)
 */
struct phyp_host_ops {
	uint64_t (*now_ns)(void *ctx);
	int (*record_read)(void *ctx, uint64_t stream_id,
			   enum phyp_verdict *verdict);
	int (*record_write)(void *ctx, uint64_t stream_id,
			    enum phyp_verdict verdict);
	void (*state_changed)(void *ctx, struct phyp_stream *stream,
			      enum vasi_state old, enum vasi_state new);
	void (*log)(void *ctx, int priority, const char *text);
};

/**
 * struct phyp_vdev_ops - a VASI device's way to its virtual server partition
 * @crq_send:	queue an entry; 0, or negative errno when the queue is lost: then
 *		the owner calls phyp_vdev_reset() soon, but not from in here
 * @dma_map:	[ioba, ioba + length) of the first pane as memory, or NULL when it
 *		does not translate or cannot be mapped
 * @dma_read:	copy out of the first pane; 0 or -EFAULT.  Only asked where
 *		dma_map returned NULL.
 * @dma_write:	copy into the first pane; likewise
 * @window_open: make @lpar's memory the second pane's window @id; 0 or errno
 * @window_map:	[ioba, +length) of the second pane shows the window from @offset
 * @window_close: the window is gone
 *
 * @dma_read, @dma_write and the window_* may be NULL: all DMA is mapped, and no
 * indirect operations are offered.
 */
struct phyp_vdev_ops {
	int (*crq_send)(void *ctx, const struct vasi_crq *entry);
	void *(*dma_map)(void *ctx, uint32_t ioba, uint32_t length);
	int (*dma_read)(void *ctx, uint32_t ioba, void *buf, uint32_t length);
	int (*dma_write)(void *ctx, uint32_t ioba, const void *buf,
			 uint32_t length);
	int (*window_open)(void *ctx, uint32_t id, struct phyp_lpar *lpar);
	int (*window_map)(void *ctx, uint32_t id, uint32_t ioba,
			  uint32_t length, uint64_t offset);
	void (*window_close)(void *ctx, uint32_t id);
};

/**
 * struct phyp_lpar_ops - the home of a partition
 * @suspend:	stop executing; the home calls phyp_lpar_suspended() when no
 *		processor runs any more (from the owner's thread, not in here)
 * @resume:	execute (again, or for the first time here); of a hibernated stream: it
 *		is (still, or now) this side's
 * @save_state:	write what is not memory into @buf; returns bytes, or negative
 *		errno; at most PHYP_MAX_CPU_STATE
 * @load_state:	take it over; 0, negative errno, or -EINPROGRESS: then the home calls
 *		phyp_lpar_loaded() (not in here).  @buf is gone after the call.
 * @look:	find out which pages were written, mark them, and call
 *		phyp_lpar_looked() (not in here); may be asked again before that.
 *		false, or NULL: the home marks pages as it writes them
 * @pages_missing: pages whose contents count no more: whoever touches one is to wait
 *		until it arrives; NULL: the home asks phyp_lpar_present() first
 * @pages_arrived: pages that were missing are there: wake who waits for them
 * @aborted:	the stream aborted on this (target) side: drop what arrived
 * @completed:	the partition runs elsewhere for good (source), or all of it is
 *		here (target)
 */
struct phyp_lpar_ops {
	void (*suspend)(void *ctx);
	void (*resume)(void *ctx);
	long (*save_state)(void *ctx, void *buf, size_t size);
	int (*load_state)(void *ctx, const void *buf, size_t size);
	bool (*look)(void *ctx);
	void (*pages_missing)(void *ctx, uint64_t first, uint64_t count);
	void (*pages_arrived)(void *ctx, uint64_t first, uint64_t count);
	void (*aborted)(void *ctx);
	void (*completed)(void *ctx);
};

#define PHYP_MAX_CPU_STATE	(64u << 20)

/* The platform */
struct phyp *phyp_create(const struct phyp_host_ops *ops, void *ctx);
void phyp_destroy(struct phyp *phyp);

/**
 * struct phyp_vdev_params - limits of a VASI device
 * @unit_address: of the device
 * @crq_bytes:	ibm,crq-size
 * @buffer_pools: ibm,#buffer-pools: buffer sizes per session (1 to 8)
 * @streams:	ibm,#vasi-streams
 * @opens:	sessions per stream that are offered (1 to 255)
 * @indirect:	offer indirect operations (needs window_*)
 * @dirty_map:	offer the Dirty Map extension
 * @dirty_map_echo: for tests: echo the request instead, as a platform that does
 *		not know the extension
 */
struct phyp_vdev_params {
	uint32_t unit_address;
	uint32_t crq_bytes;
	uint32_t buffer_pools;
	uint32_t streams;
	uint32_t opens;
	bool indirect;
	bool dirty_map;
	bool dirty_map_echo;
};

struct phyp_vdev *phyp_vdev_create(struct phyp *phyp,
				   const struct phyp_vdev_params *params,
				   const struct phyp_vdev_ops *ops, void *ctx);
void phyp_vdev_destroy(struct phyp_vdev *vdev);
/* The VSP's CRQ was deregistered or its link was lost: close every session */
void phyp_vdev_reset(struct phyp_vdev *vdev);
/* One entry from the VSP; answers go out through crq_send */
void phyp_crq(struct phyp_vdev *vdev, const struct vasi_crq *entry);
/* One hcall from the VSP; returns enum vasi_hcall_return, results in @ret */
int64_t phyp_hcall(struct phyp_vdev *vdev, uint64_t number,
		   const uint64_t arg[8], uint64_t ret[4]);

/*
 * Partitions.  @memory is @bytes long, page aligned, zeroed, and lives until
 * phyp_lpar_destroy(); @granule is 4096 or 65536.  All pages count as never
 * written until marked.
 */
struct phyp_lpar *phyp_lpar_create(struct phyp *phyp, void *memory,
				   uint64_t bytes, uint32_t granule,
				   const struct phyp_lpar_ops *ops, void *ctx);
void phyp_lpar_destroy(struct phyp_lpar *lpar);
void *phyp_lpar_ctx(const struct phyp_lpar *lpar);
/* Bytes [@offset, +@length) were written.  Call after writing them.  Any thread. */
void phyp_lpar_mark(struct phyp_lpar *lpar, uint64_t offset, uint64_t length);
/* May the page at @offset be touched?  False while it is missing.  Any thread. */
bool phyp_lpar_present(const struct phyp_lpar *lpar, uint64_t offset);
/*
 * The next bytes that were ever written, at or after *offset: from *offset on *length of
 * them, in whole pages.  False: there are none.  Any thread.
 */
bool phyp_lpar_written(const struct phyp_lpar *lpar, uint64_t *offset, uint64_t *length);
/* A processor waits for the page at @offset: ask the source for it */
void phyp_lpar_demand(struct phyp_lpar *lpar, uint64_t offset);
/* The home has stopped executing, as @suspend asked */
void phyp_lpar_suspended(struct phyp_lpar *lpar);
/* The home could not stop executing: the stream aborts */
void phyp_lpar_suspend_failed(struct phyp_lpar *lpar, uint32_t reason);
/* The home has taken over the state, as @load_state asked: 0 or negative errno */
void phyp_lpar_loaded(struct phyp_lpar *lpar, int error);
/* The home has marked what was written, as @look asked */
void phyp_lpar_looked(struct phyp_lpar *lpar);
/* The partition cancels its stream (H_VASI_SIGNAL); 0, or -EPERM once Suspended */
int phyp_lpar_cancel(struct phyp_lpar *lpar, uint32_t reason);
/* Pages marked at least once since the last reset of this counter; any thread */
uint64_t phyp_lpar_written_since_resume(const struct phyp_lpar *lpar);

/*
 * A watch: which pages are written from now on.  It takes one of the partition's views
 * (Documentation/dirty-map.rst), and neither sees nor changes what a stream will send.
 */
struct phyp_watch;

/* -ENOSPC: every view is in use; -ENOMEM.  Ends before the partition does. */
int phyp_watch_begin(struct phyp_lpar *lpar, struct phyp_watch **watch);
/*
 * Pages written since the last call, or the beginning.  With @count cells of the address
 * space, all of one size, the pages of each are counted in @cells too.
 */
uint64_t phyp_watch_take(struct phyp_watch *watch, uint32_t *cells, unsigned int count);
/* Different pages that phyp_watch_take() has told of since the beginning */
uint64_t phyp_watch_unique(const struct phyp_watch *watch);
void phyp_watch_end(struct phyp_watch *watch);
/* Pages of each of so many cells; the last one may be smaller, or empty */
uint64_t phyp_watch_cell_pages(const struct phyp_lpar *lpar, unsigned int count);
/*
 * Pages ever written, and about how many of them are not zero: of so many a few are
 * looked at
 */
uint64_t phyp_lpar_written_pages(const struct phyp_lpar *lpar, uint64_t *filled);
/* Pages that the stream of a source is still to send, by cell; false: there is none */
bool phyp_lpar_left(const struct phyp_lpar *lpar, uint32_t *cells, unsigned int count);

enum phyp_role {
	PHYP_SOURCE = VASI_SERVICE_SOURCE_MOVER,
	PHYP_TARGET = VASI_SERVICE_TARGET_MOVER,
};

/**
 * struct phyp_stream_params - a stream to be created
 * @id:		stream id, not zero
 * @role:	which side this platform is
 * @lpar:	the partition that moves, or the shell it moves into
 * @vdev:	the device whose VSP is authorised to open the stream in this role
 * @hibernated:	the partition executes on neither side: all pages go before the
 *		hand-over, and there is no Resumed (Documentation/suspended-partitions.rst)
 * @all_pages_before_resume: send every page before the hand-over; with @hibernated always
 * @max_op_bytes: most stream bytes of one operation; 0 = 1 MiB
 * @skip_resend: fault injection: the Nth page dirtied again is not sent; 0 = none
 * @no_zero_detection: send zero pages as any other
 * @hold_resume: fault injection: a target waits for phyp_stream_release() before it
 *		writes its record
 */
struct phyp_stream_params {
	uint64_t id;
	enum phyp_role role;
	struct phyp_lpar *lpar;
	struct phyp_vdev *vdev;
	bool hibernated;
	bool all_pages_before_resume;
	uint32_t max_op_bytes;
	uint64_t skip_resend;
	bool no_zero_detection;
	bool hold_resume;
};

/*
 * Create a stream in state Enabled.  -EEXIST: the id is in use, or has an
 * ownership record (a stream id is used once); -EBUSY: the partition is in
 * another stream; -ENOSPC: the device has no stream left; -EINVAL.
 */
int phyp_stream_create(struct phyp *phyp,
		       const struct phyp_stream_params *params,
		       struct phyp_stream **stream);
/* Forget a stream that is Completed or Aborted (-EBUSY otherwise) */
int phyp_stream_end(struct phyp_stream *stream);
struct phyp_stream *phyp_stream_find(struct phyp *phyp, uint64_t id);

/* Abort by the orchestrator; -EPERM once Suspended (source) or Resumed (target) */
int phyp_stream_cancel(struct phyp_stream *stream, uint32_t reason);
/* Target that holds: is the hand-over whole, and every page here? */
bool phyp_stream_is_held(const struct phyp_stream *stream);
/* Go on from there; -EPERM when it does not hold */
int phyp_stream_release(struct phyp_stream *stream);
/*
 * Target: read the record of @id; write NEVER if there is none.  Works for
 * streams the platform no longer (or does not yet) know.
 */
int phyp_verdict(struct phyp *phyp, uint64_t id, enum phyp_verdict *verdict);
/*
 * Source: act on the target's verdict.  NEVER: the partition runs here again,
 * the stream is Aborted.  RESUMED: the partition is the target's; with @received,
 * and always when it is hibernated, the stream is Completed.  -EPERM in a state where
 * the verdict cannot be.
 */
int phyp_stream_recover(struct phyp_stream *stream, enum phyp_verdict verdict,
			bool received);

/**
 * struct phyp_stream_stats - what a stream has done
 * @id:		stream id
 * @role:	this platform's side
 * @state:	enum vasi_state
 * @reason:	of an abort
 * @parked:	no session is open although the stream is not final
 * @sessions:	open sessions
 * @incarnation: how often sessions were started anew after parking
 * @passes:	completed by every session
 * @bytes:	stream bytes sent (source) or taken (target)
 * @pages:	pages sent or taken with content
 * @zero_pages:	pages sent or taken as zero runs
 * @resent:	pages sent more than once
 * @demanded:	pages demanded after Resumed
 * @demand_us:	time from demand to arrival: median, 99th percentile, maximum
 * @bytes_left:	as Progress reports
 * @received:	target: every page and the end of state are here
 * @created_ns, @suspended_ns, @resumed_ns, @completed_ns: when; 0 = not yet
 */
struct phyp_stream_stats {
	uint64_t id;
	enum phyp_role role;
	enum vasi_state state;
	uint32_t reason;
	bool parked;
	unsigned int sessions;
	unsigned int incarnation;
	uint64_t passes;
	uint64_t bytes;
	uint64_t pages;
	uint64_t zero_pages;
	uint64_t resent;
	uint64_t demanded;
	uint32_t demand_us[3];
	uint64_t bytes_left;
	bool received;
	uint64_t created_ns;
	uint64_t suspended_ns;
	uint64_t resumed_ns;
	uint64_t completed_ns;
};

void phyp_stream_stats(const struct phyp_stream *stream,
		       struct phyp_stream_stats *stats);
struct phyp_lpar *phyp_stream_lpar(const struct phyp_stream *stream);

#endif /* _PHYP_H */
