/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two platforms (struct phyp), a partition on the source and a shell for it on
 * the target, and between them a mover that exists only in memory: it takes
 * operations, carries their bytes in queues that a test can hold back, cut and
 * drop, and downloads them on the other side.
 *
 * A move advances in single actions, chosen by the test or by a seeded
 * generator.  After every action it is checked that at most one side runs, and
 * that the target runs only by its record.
 *
 * A test that makes up what a platform would say tells so: @forged, and where it
 * makes up the hand-over itself, @twice.
 */
#ifndef _TWO_SYSTEMS_H
#define _TWO_SYSTEMS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "phyp/phyp.h"
#include "phyp/record.h"
#include "vasi_codec.h"

#define TS_SESSIONS	4
#define TS_BUFFERS	6		/* posted per session and side */
#define TS_CPU_STATE	300
#define TS_STREAM_ID	0x1122334455667788ULL
#define TS_PANE_BYTES	(10u << 20)
#define TS_DOWNLOADS	(8u << 20)	/* where download buffers begin */
#define TS_DOWNLOAD_MAX	(64u << 10)	/* data bytes of one download */

#define KIB	1024u
#define MIB	(1024u * KIB)

/**
 * struct ts_params - what a move is like
 * @seed:	of every random choice
 * @sessions:	1 to TS_SESSIONS
 * @granule:	4096 or 65536
 * @bytes:	of the partition's memory
 * @buffer:	bytes of a posted buffer
 * @max_op:	as in struct phyp_stream_params
 * @indirect:	source operations name the second pane
 * @copy_dma:	the devices cannot map buffers
 * @all_pages:	send every page before the hand-over
 * @no_zero:	no zero detection
 * @hibernated:	the partition executes on neither side: ts_populate(), then ts_hibernate()
 * @skip_resend: fault injection
 * @hold_resume: fault injection
 * @looks:	the home is like QEMU: it looks for what was written when it is asked,
 *		and is told which pages are missing
 * @sparse:	memory costs only what is touched, so that there can be much of it;
 *		it cannot be compared as a whole then
 */
struct ts_params {
	uint64_t seed;
	unsigned int sessions;
	uint32_t granule;
	uint64_t bytes;
	uint32_t buffer;
	uint32_t max_op;
	bool indirect;
	bool copy_dma;
	bool all_pages;
	bool no_zero;
	bool hibernated;
	uint64_t skip_resend;
	bool hold_resume;
	bool looks;
	bool sparse;
};

struct ts;

/* A side's view of one session */
struct ts_session {
	bool open;
	bool opening;
	bool closing;
	uint32_t top;
	uint32_t bottom;
	bool posted[TS_BUFFERS];
	bool download_busy;
	uint32_t download_bytes;	/* stream bytes in it */
	unsigned int states;		/* State requests */
	uint16_t last_state;
	uint32_t last_reason;
};

struct ts_op {
	uint64_t correlator;
	unsigned int buffer;
	bool gathered;
	uint64_t end;			/* of its bytes, in the stream */
};

/* Bytes of one session in one direction */
struct ts_pipe {
	struct ts_op ops[TS_BUFFERS];
	unsigned int nops;
	uint8_t *bytes;
	size_t nbytes;
	size_t room;
	uint64_t gathered;
	uint64_t downloaded;
	uint64_t answered;
	bool held;
	enum vasi_status error;		/* of a download */
};

struct ts_message {
	unsigned int session;
	uint64_t data;
};

/* The ownership record, in memory */
struct ts_record {
	uint64_t id;
	enum phyp_verdict verdict;
	int read_error;
	int write_error;
	bool write_lost;		/* written, but the writer hears of an error */
	unsigned int reads;
	unsigned int writes;
};

struct ts_side {
	struct ts *ts;
	bool source;
	const char *name;
	struct phyp *phyp;
	struct phyp_vdev *vdev;
	struct phyp_lpar *lpar;
	struct phyp_stream *stream;
	struct ts_record record;
	uint8_t *memory;
	uint8_t *pane;
	uint8_t cpu[TS_CPU_STATE];
	bool running;
	bool asked_to_suspend;
	bool aborted;
	bool completed;
	bool loaded;
	bool owns;			/* target, with @hibernated */
	int save_error;
	int load_error;
	unsigned int resumes;
	unsigned int looks;		/* asked for, with @looks */
	uint64_t pages_missing;		/* told of, with @looks */
	struct {
		uint32_t ioba, length;
		uint64_t offset;
	} window[256];
	unsigned int nwindow;
	struct vasi_crq *queue;
	unsigned int nqueue;
	unsigned int queue_room;
	struct ts_session session[TS_SESSIONS];
	struct ts_message message[64];	/* uploaded, not yet delivered */
	unsigned int nmessages;
	struct vasi_msg last;		/* last response that nobody here awaits */
	unsigned int nlast;
	enum vasi_state changes[16];
	unsigned int nchanges;
};

struct ts {
	struct ts_params params;
	struct ts_side src;
	struct ts_side tgt;
	struct ts_pipe forward[TS_SESSIONS];
	struct ts_pipe reverse[TS_SESSIONS];
	uint8_t *truth;			/* memory as its one partition wrote it */
	uint64_t clock_ns;
	uint64_t rng;
	uint32_t tops;
	bool suspend_signalled;
	bool no_home;			/* the home does nothing by itself */
	unsigned int home_writes;	/* left, until Suspend is signalled */
	uint64_t forward_bytes;
	bool verbose;
	bool forged;			/* contents need not be what was written */
	bool twice;			/* both systems may run the partition */
	/* Before the target's partition runs: the last moment to set @twice */
	void (*resumes)(struct ts *ts);
	void *ctx;			/* the test's */
};

struct ts *ts_create(const struct ts_params *params);
void ts_destroy(struct ts *ts);
uint64_t ts_random(struct ts *ts, uint64_t below);

/* Open and close every session; posts the buffers */
void ts_open(struct ts *ts);
void ts_open_side(struct ts_side *side, unsigned int session);
void ts_post_buffers(struct ts_side *side, unsigned int session);
void ts_close(struct ts *ts);
void ts_close_side(struct ts_side *side);
/* The VSP's CRQ is gone */
void ts_reset_side(struct ts_side *side);
void ts_drop_pipes(struct ts *ts);

/* One message; its answer, or the last of them, is in side->last */
void ts_send(struct ts_side *side, const struct vasi_msg *msg);
void ts_drain(struct ts_side *side);
int64_t ts_hcall(struct ts_side *side, uint64_t number, uint64_t a0, uint64_t a1,
		 uint64_t a2, uint64_t *r4);
int64_t ts_donate(struct ts_side *side, unsigned int session);
enum vasi_status ts_signal(struct ts_side *side, unsigned int session,
			   uint16_t code, uint32_t reason);
enum vasi_state ts_state(const struct ts_side *side);
void ts_stats(const struct ts_side *side, struct phyp_stream_stats *stats);

/* Pieces of the mover; each returns whether it did something */
bool ts_gather(struct ts *ts, struct ts_pipe *p, struct ts_side *from,
	       unsigned int session);
bool ts_download(struct ts *ts, struct ts_pipe *p, struct ts_side *to,
		 unsigned int session, uint32_t bytes);
bool ts_answer(struct ts_pipe *p, struct ts_side *from, unsigned int session);
bool ts_deliver_message(struct ts *ts, struct ts_side *from);

/* Download @length bytes as they are: how a hostile stream arrives */
enum vasi_status ts_download_raw(struct ts_side *side, unsigned int session,
				 const void *data, uint32_t length);

/* The partition, wherever it runs, writes; or waits for a page */
void ts_write(struct ts *ts, struct ts_side *side, uint64_t offset,
	      uint32_t length, bool zero);
void ts_home_write(struct ts *ts);
void ts_populate(struct ts *ts, unsigned int percent);
/* It has been suspended before the move */
void ts_hibernate(struct ts *ts);

/* One action by a fixed order; false if nothing in the whole round moved */
enum ts_action {
	TS_DONATE_SRC,
	TS_DONATE_TGT,
	TS_GATHER,
	TS_DOWNLOAD,
	TS_ANSWER,
	TS_REVERSE,
	TS_MESSAGE_SRC,
	TS_MESSAGE_TGT,
	TS_HOME,
	TS_SUSPEND,
	TS_ACTIONS,
};

bool ts_act(struct ts *ts, enum ts_action action, unsigned int session);
/* Act until both sides are in @state or @limit actions are done; how many */
unsigned int ts_run(struct ts *ts, enum vasi_state state, unsigned int limit);
/* Likewise, actions in random order */
unsigned int ts_run_random(struct ts *ts, enum vasi_state state,
			   unsigned int limit);
void ts_check_invariants(struct ts *ts);
/* Both Completed, the partition on the target, its memory as it should be */
void ts_assert_moved(struct ts *ts);
unsigned int ts_pages_different(struct ts *ts);

#endif /* _TWO_SYSTEMS_H */
