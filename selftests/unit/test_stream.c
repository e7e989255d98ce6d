// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a stream: states, signals, State requests, parking at every step,
 * the ownership record, and whole moves in random order.
 */
#include "two_systems.h"

#define REASON(entity, detail)	((uint32_t)(entity) << 24 | (detail))
#define NO_LIMIT		200000u

#ifdef __SANITIZE_ADDRESS__	/* some twenty times slower */
#define RANDOM_MOVES		60
#define CUTS			7
#else
#define RANDOM_MOVES		200
#define CUTS			1
#endif

static struct ts *simple_move(unsigned int sessions)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 42,
		.sessions = sessions,
		.bytes = 2 * MIB + 256 * KIB,
		.buffer = 64 * KIB,
	});

	ts_populate(ts, 10);
	ts->home_writes = 40;
	return ts;
}

/* Act until the source has left Enabled for @state, and no further */
static void run_to(struct ts *ts, struct ts_side *side, enum vasi_state state)
{
	unsigned int n;

	for (n = 0; ts_state(side) != state; n++) {
		assert_true(n < NO_LIMIT);
		ts_run(ts, VASI_STATE_COMPLETED, 1);
	}
}

/* ---- States and signals ---- */

static void stream_starts_enabled(void **unused)
{
	struct ts *ts = simple_move(1);
	uint64_t r4;

	(void)unused;
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ENABLED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	assert_int_equal(ts_hcall(&ts->src, VASI_H_STATE, TS_STREAM_ID, 0, 0,
				  &r4), VASI_RC_SUCCESS);
	assert_int_equal(r4, VASI_STATE_ENABLED);
	assert_true(ts->src.running);
	assert_false(ts->tgt.running);
	ts_destroy(ts);
}

static void suspend_signal_begins_suspending(void **unused)
{
	struct ts *ts = simple_move(1);

	(void)unused;
	ts_open(ts);
	assert_int_equal(ts_signal(&ts->tgt, 0, VASI_SIGNAL_SUSPEND, 0),
			 VASI_INVALID_STATE_TRANSITION);
	assert_int_equal(ts_signal(&ts->src, 0, VASI_SIGNAL_SUSPEND, 0),
			 VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDING);
	assert_true(ts->src.asked_to_suspend);
	assert_true(ts->src.running);
	assert_int_equal(ts_signal(&ts->src, 0, VASI_SIGNAL_SUSPEND, 0),
			 VASI_INVALID_STATE_TRANSITION);
	ts->suspend_signalled = true;
	ts_act(ts, TS_SUSPEND, 0);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	ts_destroy(ts);
}

/* What each signal is answered with in each state a side can be in */
static const struct {
	bool source;
	enum vasi_state state;
	enum vasi_status suspend, cancel, abort;
} matrix[] = {
	{ true, VASI_STATE_ENABLED, 0, 0, 0 },
	{ true, VASI_STATE_SUSPENDING, 0x12, 0, 0 },
	{ true, VASI_STATE_SUSPENDED, 0x12, 0x12, 0x12 },
	{ true, VASI_STATE_RESUMED, 0x12, 0x12, 0x12 },
	{ true, VASI_STATE_COMPLETED, 0x12, 0x12, 0x12 },
	{ true, VASI_STATE_ABORTED, 0x12, 0x12, 0 },
	{ false, VASI_STATE_ENABLED, 0x12, 0, 0 },
	{ false, VASI_STATE_RESUMED, 0x12, 0x12, 0x12 },
	{ false, VASI_STATE_COMPLETED, 0x12, 0x12, 0x12 },
	{ false, VASI_STATE_ABORTED, 0x12, 0x12, 0 },
};

static struct ts *in_state(bool source, enum vasi_state state,
			   struct ts_side **side)
{
	struct ts *ts = simple_move(2);

	*side = source ? &ts->src : &ts->tgt;
	ts_open(ts);
	if (state == VASI_STATE_ABORTED)
		assert_int_equal(ts_signal(*side, 0, VASI_SIGNAL_ABORT, 0),
				 VASI_SUCCESS);
	else
		run_to(ts, *side, state);
	return ts;
}

static void one_signal(unsigned int row, uint16_t code, enum vasi_status want)
{
	struct ts_side *side;
	struct ts *ts = in_state(matrix[row].source, matrix[row].state, &side);
	uint64_t r4;

	assert_int_equal(ts_signal(side, 0, code, REASON(2, 7)), want);
	ts_check_invariants(ts);
	if (code == VASI_SIGNAL_SUSPEND && !want)
		assert_int_equal(ts_state(side), VASI_STATE_SUSPENDING);
	else if (!want)
		assert_int_equal(ts_state(side), VASI_STATE_ABORTED);
	else
		assert_int_equal(ts_state(side), matrix[row].state);
	assert_int_equal(ts_hcall(side, VASI_H_STATE, TS_STREAM_ID, 0, 0, &r4),
			 VASI_RC_SUCCESS);
	assert_int_equal(r4, ts_state(side));
	ts_destroy(ts);
}

static void signal_state_matrix(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
		one_signal(i, VASI_SIGNAL_SUSPEND, matrix[i].suspend);
		one_signal(i, VASI_SIGNAL_CANCEL, matrix[i].cancel);
		one_signal(i, VASI_SIGNAL_ABORT, matrix[i].abort);
	}
}

static void signal_codes_of_other_services(void **unused)
{
	static const uint16_t codes[] = { 0, 4, 5, 7, 0x100, 0xFFFF };
	struct ts *ts = simple_move(1);
	unsigned int i;

	(void)unused;
	ts_open(ts);
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_int_equal(ts_signal(&ts->src, 0, codes[i], 0),
				 VASI_INVALID_SIGNAL);
		assert_int_equal(ts_signal(&ts->tgt, 0, codes[i], 0),
				 VASI_INVALID_SIGNAL);
	}
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ENABLED);
	ts_destroy(ts);
}

static void aborted_refuses_signals(void **unused)
{
	struct ts_side *side;
	struct ts *ts = in_state(true, VASI_STATE_ABORTED, &side);

	(void)unused;
	assert_int_equal(ts_signal(side, 1, VASI_SIGNAL_SUSPEND, 0),
			 VASI_INVALID_STATE_TRANSITION);
	assert_int_equal(ts_signal(side, 1, VASI_SIGNAL_CANCEL, 0),
			 VASI_INVALID_STATE_TRANSITION);
	assert_int_equal(ts_signal(side, 1, VASI_SIGNAL_ABORT, 0), VASI_SUCCESS);
	assert_true(ts->src.running);
	assert_int_equal(ts->src.resumes, 0);
	ts_destroy(ts);
}

static void aborted_flushes_downloads(void **unused)
{
	struct ts_side *side;
	struct ts *ts = in_state(false, VASI_STATE_ABORTED, &side);
	uint8_t garbage[1000];

	(void)unused;
	memset(garbage, 0xA5, sizeof(garbage));
	assert_int_equal(ts_download_raw(side, 0, garbage, sizeof(garbage)),
			 VASI_SUCCESS);
	assert_int_equal(ts_download_raw(side, 1, garbage, sizeof(garbage)),
			 VASI_SUCCESS);
	assert_true(ts->tgt.aborted);
	assert_int_equal(ts_donate(side, 0), VASI_RC_ABORTED);
	ts_destroy(ts);
}

static void final_state_stays_readable(void **unused)
{
	struct ts *ts = simple_move(1);
	uint64_t r4;

	(void)unused;
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	assert_int_equal(phyp_stream_end(ts->src.stream), -EBUSY);
	ts_close(ts);
	assert_int_equal(ts_hcall(&ts->src, VASI_H_STATE, TS_STREAM_ID, 0, 0,
				  &r4), VASI_RC_SUCCESS);
	assert_int_equal(r4, VASI_STATE_COMPLETED);
	assert_int_equal(phyp_stream_end(ts->src.stream), 0);
	assert_int_equal(ts_hcall(&ts->src, VASI_H_STATE, TS_STREAM_ID, 0, 0,
				  &r4), VASI_RC_PARAMETER);
	ts_destroy(ts);
}

static void cancel_refused_when_suspended(void **unused)
{
	struct ts_side *side;
	struct ts *ts = in_state(true, VASI_STATE_SUSPENDED, &side);

	(void)unused;
	assert_int_equal(phyp_stream_cancel(side->stream, REASON(1, 0)), -EPERM);
	assert_int_equal(ts_hcall(side, VASI_H_SIGNAL, TS_STREAM_ID,
				  VASI_SIGNAL_CANCEL, 0, NULL), VASI_RC_NOOP);
	assert_int_equal(ts_state(side), VASI_STATE_SUSPENDED);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

static void abort_reason_names_entity(void **unused)
{
	struct phyp_stream_stats stats;
	struct ts *ts = simple_move(2);
	uint8_t garbage[64] = { 0xFF };

	(void)unused;
	ts_open(ts);
	assert_int_equal(ts_download_raw(&ts->tgt, 0, garbage, sizeof(garbage)),
			 VASI_INVALID_DOWNLOAD_DATA);
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.reason, REASON(VASI_ABORT_PLATFORM,
					      VASI_INVALID_DOWNLOAD_DATA));
	/* The source loses its mover */
	ts->tgt.nmessages = 0;
	ts_run(ts, VASI_STATE_COMPLETED, 5);
	ts_close_side(&ts->src);
	ts_stats(&ts->src, &stats);
	assert_int_equal(stats.state, VASI_STATE_ABORTED);
	assert_int_equal(stats.reason >> 24, VASI_ABORT_SOURCE_VSP);
	ts_destroy(ts);
}

static void signal_reason_recorded(void **unused)
{
	struct phyp_stream_stats stats;
	struct ts *ts = simple_move(2);
	uint32_t reason = REASON(VASI_ABORT_TARGET_VSP, 0xABCDEF);

	(void)unused;
	ts_open(ts);
	assert_int_equal(ts_signal(&ts->tgt, 1, VASI_SIGNAL_ABORT, reason), 0);
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.reason, reason);
	assert_int_equal(ts->tgt.session[0].last_reason, reason);
	assert_int_equal(ts->tgt.session[1].last_reason, reason);
	ts_destroy(ts);
}

static void stream_id_same_on_both_sides(void **unused)
{
	struct ts *ts = simple_move(1);

	(void)unused;
	assert_ptr_equal(phyp_stream_find(ts->src.phyp, TS_STREAM_ID),
			 ts->src.stream);
	assert_ptr_equal(phyp_stream_find(ts->tgt.phyp, TS_STREAM_ID),
			 ts->tgt.stream);
	ts_open(ts);
	ts_act(ts, TS_DONATE_SRC, 0);
	assert_true(ts_act(ts, TS_GATHER, 0));
	/* START names another stream */
	ts->forward[0].bytes[24 + 24] ^= 1;
	while (!ts->forward[0].error) {
		assert_true(ts_act(ts, TS_DOWNLOAD, 0));
		ts_act(ts, TS_DONATE_TGT, 0);
	}
	assert_int_equal(ts->forward[0].error, VASI_INVALID_DOWNLOAD_DATA);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	ts_destroy(ts);
}

/* ---- State requests ---- */

static void state_request_fields(void **unused)
{
	struct ts *ts = simple_move(1);
	struct vasi_crq entry;
	struct vasi_msg msg;

	(void)unused;
	ts_open(ts);
	vasi_msg_encode(&entry, &(struct vasi_msg) {
		.format = VASI_FMT_SIGNAL,
		.handle = ts->src.session[0].bottom,
		.code = VASI_SIGNAL_ABORT,
		.reason = REASON(2, 3),
	});
	phyp_crq(ts->src.vdev, &entry);
	assert_int_equal(ts->src.nqueue, 2);
	assert_int_equal(ts->tgt.nqueue, 0);
	entry = ts->src.queue[ts->src.queue[0].format != VASI_FMT_STATE];
	assert_int_equal(entry.header, VASI_CRQ_COMMAND);
	assert_int_equal(entry.byte2 | entry.byte3, 0);
	assert_int_equal(entry.signal.reserved, 0);
	assert_int_equal(vasi_msg_decode(&msg, &entry), VASI_SUCCESS);
	assert_int_equal(msg.format, VASI_FMT_STATE);
	assert_int_equal(msg.handle, ts->src.session[0].top);
	assert_int_equal(msg.code, VASI_STATE_ABORTED);
	assert_int_equal(msg.reason, REASON(2, 3));
	ts_destroy(ts);
}

static void state_request_to_every_session(void **unused)
{
	struct ts *ts = simple_move(4);
	unsigned int i;

	(void)unused;
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	for (i = 0; i < 4; i++) {
		/* Suspending, Suspended, Resumed, Completed */
		assert_int_equal(ts->src.session[i].states, 4);
		assert_int_equal(ts->tgt.session[i].states, 2);
		assert_int_equal(ts->src.session[i].last_state,
				 VASI_STATE_COMPLETED);
		assert_int_equal(ts->tgt.session[i].last_state,
				 VASI_STATE_COMPLETED);
	}
	ts_destroy(ts);
}

/* Whatever else a transition sends, State requests are behind it */
static void state_request_comes_last(void **unused)
{
	struct ts *ts = simple_move(1);
	struct vasi_crq entry;
	bool told = false;
	unsigned int i, n;

	(void)unused;
	ts_open(ts);
	vasi_msg_encode(&entry, &(struct vasi_msg) {
		.format = VASI_FMT_SIGNAL,
		.handle = ts->tgt.session[0].bottom,
		.code = VASI_SIGNAL_ABORT,
	});
	phyp_crq(ts->tgt.vdev, &entry);
	/* NEVER to the source, then the State request; the answer anywhere */
	n = ts->tgt.nqueue;
	assert_int_equal(n, 3);
	for (i = 0; i < n; i++) {
		if (ts->tgt.queue[i].format == VASI_FMT_MESSAGE_UPLOAD)
			told = true;
		if (ts->tgt.queue[i].format == VASI_FMT_STATE)
			assert_true(told);
	}
	assert_true(told);
	assert_true(ts->tgt.aborted);
	ts_destroy(ts);
}

/* Two movers' devices on one platform: each hears of its own stream only */
static void state_request_on_opening_crq(void **unused)
{
	struct ts *a = simple_move(2), *b = simple_move(2);

	(void)unused;
	ts_open(a);
	ts_open(b);
	assert_int_equal(ts_signal(&a->src, 1, VASI_SIGNAL_ABORT, 0), 0);
	assert_int_equal(a->src.session[0].states, 1);
	assert_int_equal(a->src.session[1].states, 1);
	assert_int_equal(a->tgt.session[0].states, 0);
	assert_int_equal(b->src.session[0].states, 0);
	ts_destroy(a);
	ts_destroy(b);
}

static void failover_never_in_vasi_state(void **unused)
{
	struct ts *ts = simple_move(1);
	uint64_t r4;

	(void)unused;
	ts_open(ts);
	do {
		ts_hcall(&ts->src, VASI_H_STATE, TS_STREAM_ID, 0, 0, &r4);
		assert_int_not_equal(r4, VASI_STATE_FAILOVER);
		ts_hcall(&ts->tgt, VASI_H_STATE, TS_STREAM_ID, 0, 0, &r4);
		assert_int_not_equal(r4, VASI_STATE_FAILOVER);
	} while (ts_run(ts, VASI_STATE_COMPLETED, 1));
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Failover is not among the capabilities offered: its signal is invalid */
static void failover_is_not_offered(void **unused)
{
	struct ts *ts = simple_move(1);

	(void)unused;
	ts_open(ts);
	assert_int_equal(ts_signal(&ts->src, 0, VASI_SIGNAL_FAILOVER,
				   REASON(VASI_FAILOVER_TARGET_VSP, 0)),
			 VASI_INVALID_SIGNAL);
	assert_int_equal(ts->src.session[0].states, 0);
	ts_destroy(ts);
}

static void completed_source_first(void **unused)
{
	struct ts *ts = simple_move(3);

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_COMPLETED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* ---- Errors ---- */

static void operation_error_ends_session(void **unused)
{
	struct ts *ts = simple_move(2);
	struct ts_pipe *p = &ts->forward[0];

	(void)unused;
	ts_open(ts);
	while (!p->nops)
		ts_act(ts, TS_DONATE_SRC, 0);
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = VASI_STREAM_ABORTED,
		.data = p->ops[0].correlator,
	});
	ts_check_invariants(ts);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
	assert_true(ts->src.running);
	ts_destroy(ts);
}

/* After Suspended: nothing goes out until the sessions were opened anew */
static void operation_error_after_suspended(void **unused)
{
	struct ts *ts = simple_move(2);
	struct ts_pipe *p = &ts->forward[1];
	unsigned int before;

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_SUSPENDED);
	while (!p->nops)
		assert_true(ts_run(ts, VASI_STATE_COMPLETED, 1));
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = VASI_HARDWARE,
		.data = p->ops[0].correlator,
	});
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	before = ts->forward[0].nops;
	ts_donate(&ts->src, 0);
	assert_int_equal(ts->forward[0].nops, before);
	ts_close(ts);
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

static void bad_download_aborts_stream(void **unused)
{
	struct ts *ts = simple_move(2);
	uint8_t garbage[64] = { 0x7F };

	(void)unused;
	ts_open(ts);
	assert_int_equal(ts_download_raw(&ts->tgt, 1, garbage, sizeof(garbage)),
			 VASI_INVALID_DOWNLOAD_DATA);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	assert_true(ts->tgt.aborted);
	ts_destroy(ts);
}

/* The partition runs here: it is not given up for a bad download */
static void bad_download_after_resumed(void **unused)
{
	struct ts *ts = simple_move(2);
	uint8_t garbage[64] = { 0x7F };

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->tgt, VASI_STATE_RESUMED);
	while (ts->tgt.session[0].download_busy)
		ts_act(ts, TS_DONATE_TGT, 0);
	assert_int_not_equal(ts_download_raw(&ts->tgt, 0, garbage,
					     sizeof(garbage)), VASI_SUCCESS);
	assert_int_not_equal(ts_download_raw(&ts->tgt, 0, garbage,
					     sizeof(garbage)), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	assert_true(ts->tgt.running);
	ts_check_invariants(ts);
	ts_close(ts);
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* ---- Parking ---- */

enum loss {
	LOSE_BOTH,		/* both movers close */
	LOSE_RESET,		/* both devices are reset */
	LOSE_SOURCE_FIRST,
	LOSE_TARGET_FIRST,
	LOSSES,
};

static void lose(struct ts *ts, enum loss loss)
{
	switch (loss) {
	case LOSE_RESET:
		ts_reset_side(&ts->tgt);
		ts_reset_side(&ts->src);
		break;
	case LOSE_TARGET_FIRST:
		ts_close_side(&ts->tgt);
		ts_close_side(&ts->src);
		break;
	default:
		ts_close_side(&ts->src);
		ts_close_side(&ts->tgt);
		break;
	}
	ts_drop_pipes(ts);
	ts_check_invariants(ts);
}

static struct ts *parked_move(unsigned int sessions, uint64_t seed)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = seed,
		.sessions = sessions,
		.bytes = 2 * MIB + 64 * KIB,
		.granule = seed & 1 ? 65536 : 4096,
		.buffer = 20 * KIB,
		.max_op = 8 * KIB,
	});

	ts_populate(ts, seed & 1 ? 30 : 4);
	ts->home_writes = 12;
	return ts;
}

/* The table of Documentation/handover.rst, "Failures and their outcome" */
static void check_parked(struct ts *ts, enum vasi_state src,
			 enum vasi_state tgt, bool began, enum loss loss)
{
	enum vasi_state now = ts_state(&ts->src);

	if ((src == VASI_STATE_ENABLED && began) ||
	    src == VASI_STATE_SUSPENDING) {
		assert_int_equal(now, VASI_STATE_ABORTED);
		assert_true(ts->src.running);
		assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
		return;
	}
	assert_int_equal(now, src);
	/* Close comes after the downloads before it, the last HANDOVER perhaps;
	 * a target that has everything completes by itself */
	if (tgt == VASI_STATE_RESUMED ||
	    (loss != LOSE_RESET && ts->tgt.record.verdict))
		assert_true(ts->tgt.running);
	else
		assert_int_equal(ts_state(&ts->tgt), tgt);
}

/* Cut after @cut actions; false when the move was over before that */
static bool cut_at(unsigned int sessions, uint64_t seed, unsigned int cut,
		   enum loss loss)
{
	struct ts *ts = parked_move(sessions, seed);
	struct phyp_stream_stats stats;
	enum phyp_verdict verdict;
	enum vasi_state src, tgt;
	bool cut_short;

	ts_open(ts);
	cut_short = ts_run(ts, VASI_STATE_COMPLETED, cut) == cut;
	src = ts_state(&ts->src);
	tgt = ts_state(&ts->tgt);
	ts_stats(&ts->src, &stats);
	lose(ts, loss);
	check_parked(ts, src, tgt, stats.incarnation, loss);

	if (ts_state(&ts->src) == VASI_STATE_ABORTED) {
		/* A target that is left over: its verdict ends it */
		assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID,
					      &verdict), 0);
		assert_int_equal(verdict, PHYP_VERDICT_NEVER);
		assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
		assert_true(ts->src.running);
	} else {
		ts_open(ts);
		ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
		ts_assert_moved(ts);
	}
	ts_destroy(ts);
	return cut_short;
}

static void sweep(unsigned int sessions, uint64_t seed, enum loss loss,
		  unsigned int stride)
{
	unsigned int cut = 0;

	while (cut_at(sessions, seed, cut, loss))
		cut += stride * CUTS;
	assert_true(cut > 50);
}

static void parking_at_every_step(void **unused)
{
	(void)unused;
	sweep(1, 2, LOSE_BOTH, 1);
	sweep(1, 3, LOSE_TARGET_FIRST, 3);
	sweep(2, 4, LOSE_RESET, 1);
	sweep(2, 5, LOSE_BOTH, 3);
	sweep(3, 6, LOSE_TARGET_FIRST, 3);
	sweep(4, 7, LOSE_SOURCE_FIRST, 5);
}

static void tell_source(struct ts *ts, uint8_t type, uint32_t incarnation)
{
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_DOWNLOAD,
		.control = VASI_CONTROL_PASS_THROUGH,
		.handle = ts->src.session[0].bottom,
		.data = (uint64_t)type << 56 | incarnation,
	});
}

/* A system that has not got what was sent does not say whose the partition is */
static void word_of_a_stranger(void **unused)
{
	static const uint8_t types[] = {
		PHYP_MSG_RESUMED, PHYP_MSG_RECEIVED, PHYP_MSG_NEVER,
	};
	struct ts *ts = parked_move(2, 12);
	unsigned int i;

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_SUSPENDED);
	lose(ts, LOSE_BOTH);
	ts_open(ts);
	for (i = 0; i < sizeof(types); i++) {
		tell_source(ts, types[i], 0);
		assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
		assert_false(ts->src.running);
	}
	/* The target itself goes on */
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Lost again and again: every incarnation gets a little further */
static void parking_many_times(void **unused)
{
	struct ts *ts = parked_move(2, 10);
	struct phyp_stream_stats stats;
	unsigned int n;

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_SUSPENDED);
	for (n = 0; n < 60; n++) {
		ts_run_random(ts, VASI_STATE_COMPLETED, 20 + n * 4);
		lose(ts, n % LOSSES);
		ts_open(ts);
	}
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_stats(&ts->src, &stats);
	assert_true(stats.incarnation > 2);
	ts_destroy(ts);
}

/* ---- The ownership record ---- */

static void record_error_decides_nothing(void **unused)
{
	struct ts *ts = simple_move(2);

	(void)unused;
	ts_open(ts);
	ts->tgt.record.write_error = -EIO;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	assert_false(ts->tgt.running);
	ts->tgt.record.write_error = 0;
	ts->tgt.record.read_error = -EIO;
	ts_donate(&ts->tgt, 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	ts->tgt.record.read_error = 0;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Nor is it aborted, until the record can be written */
static void record_error_delays_abort(void **unused)
{
	struct ts *ts = simple_move(2);

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_SUSPENDED);
	ts->tgt.record.write_error = -EIO;
	ts_signal(&ts->tgt, 0, VASI_SIGNAL_ABORT, REASON(5, 1));
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	assert_int_equal(phyp_stream_cancel(ts->tgt.stream, REASON(5, 1)), -EIO);
	ts_run(ts, VASI_STATE_ABORTED, NO_LIMIT);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	ts->tgt.record.write_error = 0;
	ts_run(ts, VASI_STATE_ABORTED, NO_LIMIT);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
	assert_int_equal(ts->tgt.session[1].last_reason, REASON(5, 1));
	ts_destroy(ts);
}

/* It was written although the writer heard of an error: reading tells */
static void record_written_with_error(void **unused)
{
	struct ts *ts = simple_move(1);

	(void)unused;
	ts_open(ts);
	ts->tgt.record.write_lost = true;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	assert_int_equal(ts->tgt.record.writes, 1);
	ts_destroy(ts);
}

/* Recovery asks while the hand-over waits for its record */
static void verdict_races_handover(void **unused)
{
	enum phyp_verdict verdict;
	struct ts *ts = simple_move(2);

	(void)unused;
	ts_open(ts);
	ts->tgt.record.write_error = -EIO;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict),
			 -EIO);
	ts->tgt.record.write_error = 0;
	assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NEVER);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	ts_drain(&ts->tgt);
	assert_int_equal(phyp_stream_recover(ts->src.stream, verdict, false), 0);
	ts_check_invariants(ts);
	assert_true(ts->src.running);
	assert_int_equal(ts->src.resumes, 1);
	ts_destroy(ts);
}

/* Another hand wrote the record between the hand-over's read and write */
static void never_beats_handover(void **unused)
{
	struct ts *ts = simple_move(1);

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_SUSPENDED);
	ts->tgt.record.id = TS_STREAM_ID;
	ts->tgt.record.verdict = PHYP_VERDICT_NEVER;
	ts_run(ts, VASI_STATE_ABORTED, NO_LIMIT);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	/* The NEVER message has told the source */
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
	assert_true(ts->src.running);
	assert_false(ts->tgt.running);
	ts_destroy(ts);
}

/* RESUMED was written but not acted upon, and then every session was lost */
static void verdict_finishes_handover(void **unused)
{
	enum phyp_verdict verdict;
	struct ts *ts = simple_move(1);

	(void)unused;
	ts_open(ts);
	ts->tgt.record.write_error = -EIO;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts->tgt.record.id = TS_STREAM_ID;
	ts->tgt.record.verdict = PHYP_VERDICT_RESUMED;
	lose(ts, LOSE_BOTH);
	assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_RESUMED);
	/* All of it was there, and nobody is left to say so */
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_COMPLETED);
	ts_check_invariants(ts);
	assert_int_equal(phyp_stream_recover(ts->src.stream, verdict, false), 0);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_RESUMED);
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* What recover answers in every state of a source */
static void recover_in_every_state(void **unused)
{
	static const struct {
		enum vasi_state state;
		enum phyp_verdict verdict;
		bool received;
		int ret;
		enum vasi_state then;
	} cases[] = {
		{ VASI_STATE_ENABLED, PHYP_VERDICT_NEVER, false, 0,
		  VASI_STATE_ABORTED },
		{ VASI_STATE_ENABLED, PHYP_VERDICT_RESUMED, true, -EPERM,
		  VASI_STATE_ENABLED },
		{ VASI_STATE_SUSPENDING, PHYP_VERDICT_NEVER, false, 0,
		  VASI_STATE_ABORTED },
		{ VASI_STATE_SUSPENDING, PHYP_VERDICT_RESUMED, false, -EPERM,
		  VASI_STATE_SUSPENDING },
		{ VASI_STATE_SUSPENDED, PHYP_VERDICT_NEVER, false, 0,
		  VASI_STATE_ABORTED },
		{ VASI_STATE_SUSPENDED, PHYP_VERDICT_NONE, false, -EINVAL,
		  VASI_STATE_SUSPENDED },
		{ VASI_STATE_SUSPENDED, PHYP_VERDICT_RESUMED, false, 0,
		  VASI_STATE_RESUMED },
		{ VASI_STATE_SUSPENDED, PHYP_VERDICT_RESUMED, true, 0,
		  VASI_STATE_COMPLETED },
		{ VASI_STATE_RESUMED, PHYP_VERDICT_NEVER, false, -EPERM,
		  VASI_STATE_RESUMED },
		{ VASI_STATE_RESUMED, PHYP_VERDICT_RESUMED, true, 0,
		  VASI_STATE_COMPLETED },
		{ VASI_STATE_COMPLETED, PHYP_VERDICT_NEVER, false, -EPERM,
		  VASI_STATE_COMPLETED },
		{ VASI_STATE_COMPLETED, PHYP_VERDICT_RESUMED, true, 0,
		  VASI_STATE_COMPLETED },
		{ VASI_STATE_ABORTED, PHYP_VERDICT_NEVER, false, 0,
		  VASI_STATE_ABORTED },
		{ VASI_STATE_ABORTED, PHYP_VERDICT_RESUMED, false, -EPERM,
		  VASI_STATE_ABORTED },
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ts_side *side;
		struct ts *ts = in_state(true, cases[i].state, &side);

		assert_int_equal(phyp_stream_recover(side->stream,
						     cases[i].verdict,
						     cases[i].received),
				 cases[i].ret);
		assert_int_equal(ts_state(side), cases[i].then);
		assert_int_equal(side->running,
				 cases[i].then == VASI_STATE_ENABLED ||
				 cases[i].then == VASI_STATE_SUSPENDING ||
				 cases[i].then == VASI_STATE_ABORTED);
		assert_int_equal(phyp_stream_recover(ts->tgt.stream,
						     PHYP_VERDICT_NEVER, false),
				 -EINVAL);
		ts_destroy(ts);
	}
}

static void stream_id_used_once(void **unused)
{
	struct ts *ts = simple_move(1);
	struct phyp_stream_params params = {
		.id = TS_STREAM_ID,
		.role = PHYP_TARGET,
		.vdev = ts->tgt.vdev,
		.lpar = ts->tgt.lpar,
	};
	enum phyp_verdict verdict;
	struct phyp_stream *stream;

	(void)unused;
	assert_int_equal(phyp_stream_create(ts->tgt.phyp, &params, &stream),
			 -EEXIST);
	assert_int_equal(phyp_stream_cancel(ts->tgt.stream, REASON(1, 0)), 0);
	assert_int_equal(phyp_stream_end(ts->tgt.stream), 0);
	assert_int_equal(phyp_stream_create(ts->tgt.phyp, &params, &stream),
			 -EEXIST);
	/* A stream that this platform does not know any more */
	assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NEVER);
	ts->tgt.record.read_error = -EIO;
	params.id++;
	assert_int_equal(phyp_stream_create(ts->tgt.phyp, &params, &stream),
			 -EIO);
	ts->tgt.record.read_error = 0;
	params.id = 0;
	assert_int_equal(phyp_stream_create(ts->tgt.phyp, &params, &stream),
			 -EINVAL);
	/* The source's word does not count */
	assert_int_equal(phyp_verdict(ts->src.phyp, TS_STREAM_ID, &verdict),
			 -EINVAL);
	ts_destroy(ts);
}

static void state_not_saved_leaves_suspended(void **unused)
{
	struct ts *ts = simple_move(2);
	enum phyp_verdict verdict;

	(void)unused;
	ts_open(ts);
	ts->src.save_error = -ENOMEM;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict), 0);
	assert_int_equal(phyp_stream_recover(ts->src.stream, verdict, false), 0);
	assert_true(ts->src.running);
	ts_destroy(ts);
}

static void state_not_loaded_aborts(void **unused)
{
	struct ts *ts = simple_move(2);

	(void)unused;
	ts_open(ts);
	ts->tgt.load_error = -EINVAL;
	ts_run(ts, VASI_STATE_ABORTED, NO_LIMIT);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
	assert_true(ts->src.running);
	ts_destroy(ts);
}

/* ---- Random moves ---- */

static struct ts_params random_params(uint64_t seed)
{
	struct ts dice = { .rng = seed * 7919 };
	struct ts_params p = {
		.seed = seed,
		.sessions = 1 + ts_random(&dice, TS_SESSIONS),
		.granule = ts_random(&dice, 3) ? 4096 : 65536,
		.buffer = 5000 + ts_random(&dice, 100 * KIB),
		.indirect = ts_random(&dice, 2),
		.copy_dma = !ts_random(&dice, 4),
		.all_pages = !ts_random(&dice, 4),
		.no_zero = !ts_random(&dice, 4),
	};

	p.bytes = (uint64_t)p.granule * (1 + ts_random(&dice, 3 * MIB /
						       p.granule));
	p.max_op = ts_random(&dice, 2) ? 0 :
		   4 * KIB + ts_random(&dice, 300 * KIB);
	return p;
}

/* ---- A home that looks ---- */

static void ask_progress(struct ts *ts)
{
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_PROGRESS,
		.handle = ts->src.session[0].bottom,
	});
}

static struct ts *looking_move(unsigned int sessions)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 43,
		.sessions = sessions,
		.bytes = 2 * MIB + 256 * KIB,
		.buffer = 64 * KIB,
		.looks = true,
	});

	ts_populate(ts, 10);
	return ts;
}

static void progress_waits_for_the_look(void **unused)
{
	struct ts *ts = looking_move(2);
	struct phyp_stream_stats stats;
	unsigned int answers;

	(void)unused;
	ts_open(ts);
	answers = ts->src.nlast;
	ask_progress(ts);
	ask_progress(ts);
	assert_int_equal(ts->src.looks, 2);
	assert_int_equal(ts->src.nlast, answers);
	phyp_lpar_mark(ts->src.lpar, 0, ts->params.bytes);
	phyp_lpar_looked(ts->src.lpar);
	ts_drain(&ts->src);
	assert_int_equal(ts->src.nlast, answers + 2);
	assert_int_equal(ts->src.last.format, VASI_FMT_PROGRESS | VASI_FMT_RESPONSE);
	assert_int_equal(ts->src.last.data, ts->params.bytes);
	/* Not for ever: there will be no look once the partition has left */
	ask_progress(ts);
	assert_int_equal(ts->src.nlast, answers + 2);
	assert_int_equal(phyp_stream_cancel(ts->src.stream, REASON(1, 0)), 0);
	ts_drain(&ts->src);
	assert_int_equal(ts->src.nlast, answers + 3);
	assert_int_equal(ts->src.last.data, 0);
	ts_stats(&ts->src, &stats);
	assert_int_equal(stats.state, VASI_STATE_ABORTED);
	ts_destroy(ts);
}

static uint64_t passes_of(struct ts *ts)
{
	struct phyp_stream_stats stats;

	ts_stats(&ts->src, &stats);
	return stats.passes;
}

static void a_pass_ends_with_a_look(void **unused)
{
	struct ts *ts = looking_move(1);
	unsigned int looks;
	uint64_t passes;

	(void)unused;
	/* Nobody suspends it */
	ts->home_writes = NO_LIMIT;
	ts->no_home = true;
	phyp_lpar_mark(ts->src.lpar, 0, ts->params.bytes);
	ts_open(ts);
	while (!passes_of(ts))
		ts_run(ts, VASI_STATE_SUSPENDED, 1);
	looks = ts->src.looks;
	assert_int_equal(looks, 1);
	/* Not after a small one, unless it was some time ago */
	for (passes = 1; passes < 4; passes++) {
		if (passes == 3)
			ts->clock_ns += 20000000;
		phyp_lpar_mark(ts->src.lpar, 0, 1);
		while (passes_of(ts) == passes)
			ts_run(ts, VASI_STATE_SUSPENDED, 1);
		assert_int_equal(ts->src.looks, passes == 3 ? looks + 1 : looks);
	}
	ts_destroy(ts);
}

static void missing_pages_are_told_first(void **unused)
{
	struct ts *ts = looking_move(1);

	(void)unused;
	ts->home_writes = 40;
	ts_open(ts);
	/* Some are dirtied last: they are missing, and home_load_state comes after */
	run_to(ts, &ts->src, VASI_STATE_SUSPENDING);
	ts_write(ts, &ts->src, 5 * 4096, 3 * 4096, false);
	while (ts_state(&ts->src) != VASI_STATE_SUSPENDED)
		assert_true(ts_act(ts, TS_SUSPEND, 0));
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_true(ts->tgt.pages_missing >= 3);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

static void held_until_released(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 44,
		.sessions = 2,
		.bytes = 2 * MIB,
		.buffer = 64 * KIB,
		.all_pages = true,
		.hold_resume = true,
	});
	unsigned int n;

	(void)unused;
	ts_populate(ts, 20);
	ts->home_writes = 40;
	ts_open(ts);
	assert_int_equal(phyp_stream_release(ts->tgt.stream), -EPERM);
	for (n = 0; !phyp_stream_is_held(ts->tgt.stream); n++) {
		assert_true(n < NO_LIMIT);
		ts_run(ts, VASI_STATE_COMPLETED, 1);
	}
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	assert_int_equal(ts->tgt.record.writes, 0);
	assert_int_equal(ts_pages_different(ts), 0);
	assert_int_equal(phyp_stream_release(ts->tgt.stream), 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Nobody could bring anything any more, and nothing is left to be brought */
static void released_when_movers_have_gone(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 45,
		.sessions = 2,
		.bytes = 2 * MIB,
		.all_pages = true,
		.hold_resume = true,
	});
	struct phyp_stream_stats stats;

	(void)unused;
	ts_populate(ts, 20);
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, 2000);
	assert_true(phyp_stream_is_held(ts->tgt.stream));
	ts_close(ts);
	assert_int_equal(phyp_stream_release(ts->tgt.stream), 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_COMPLETED);
	assert_true(ts->tgt.completed);
	ts_stats(&ts->tgt, &stats);
	assert_true(stats.received);
	assert_int_equal(phyp_stream_recover(ts->src.stream, PHYP_VERDICT_RESUMED, true), 0);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

static void cancelled_by_the_partition(void **unused)
{
	struct ts *ts = simple_move(1);
	struct phyp_stream_stats stats;

	(void)unused;
	ts_open(ts);
	assert_int_equal(phyp_lpar_cancel(ts->tgt.lpar, REASON(6, 1)), -EPERM);
	assert_int_equal(phyp_lpar_cancel(ts->src.lpar, REASON(6, 1)), 0);
	ts_stats(&ts->src, &stats);
	assert_int_equal(stats.state, VASI_STATE_ABORTED);
	assert_int_equal(stats.reason, REASON(6, 1));
	assert_true(ts->src.running);
	ts_destroy(ts);
}

static void random_move(uint64_t seed)
{
	struct ts_params params = random_params(seed);
	struct ts *ts = ts_create(&params);
	unsigned int slow = ts_random(ts, params.sessions);

	ts_populate(ts, ts_random(ts, 30));
	ts->home_writes = ts_random(ts, 200);
	ts_open(ts);
	/* Now and then one session stands still for long */
	if (ts_random(ts, 2)) {
		ts->forward[slow].held = true;
		ts_run_random(ts, VASI_STATE_COMPLETED, ts_random(ts, 2000));
		ts->forward[slow].held = false;
	}
	/* Now and then it is lost once, or twice */
	while (!ts_random(ts, 3)) {
		ts_run_random(ts, VASI_STATE_COMPLETED, ts_random(ts, 1500));
		if (ts_state(&ts->src) == VASI_STATE_ENABLED ||
		    ts_state(&ts->src) == VASI_STATE_SUSPENDING)
			break;
		lose(ts, ts_random(ts, LOSSES));
		ts_open(ts);
	}
	ts_run_random(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

static int no_seed(void **state)
{
	static uint64_t seed;

	*state = &seed;
	return 0;
}

/* TS_SEED=N repeats one of them, TS_VERBOSE=1 shows what the platforms log */
static int tell_seed(void **state)
{
	const uint64_t *seed = *state;

	if (*seed)
		print_error("failed with TS_SEED=%llu\n",
			    (unsigned long long)*seed);
	return 0;
}

static void random_moves(void **state)
{
	const char *one = getenv("TS_SEED");
	uint64_t *seed = *state;

	if (one) {
		random_move(strtoull(one, NULL, 0));
		return;
	}
	for (*seed = 1; *seed <= RANDOM_MOVES; ++*seed)
		random_move(*seed);
	*seed = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_starts_enabled),
		cmocka_unit_test(suspend_signal_begins_suspending),
		cmocka_unit_test(signal_state_matrix),
		cmocka_unit_test(signal_codes_of_other_services),
		cmocka_unit_test(aborted_refuses_signals),
		cmocka_unit_test(aborted_flushes_downloads),
		cmocka_unit_test(final_state_stays_readable),
		cmocka_unit_test(cancel_refused_when_suspended),
		cmocka_unit_test(abort_reason_names_entity),
		cmocka_unit_test(signal_reason_recorded),
		cmocka_unit_test(stream_id_same_on_both_sides),
		cmocka_unit_test(state_request_fields),
		cmocka_unit_test(state_request_to_every_session),
		cmocka_unit_test(state_request_comes_last),
		cmocka_unit_test(state_request_on_opening_crq),
		cmocka_unit_test(failover_never_in_vasi_state),
		cmocka_unit_test(failover_is_not_offered),
		cmocka_unit_test(completed_source_first),
		cmocka_unit_test(operation_error_ends_session),
		cmocka_unit_test(operation_error_after_suspended),
		cmocka_unit_test(bad_download_aborts_stream),
		cmocka_unit_test(bad_download_after_resumed),
		cmocka_unit_test(parking_at_every_step),
		cmocka_unit_test(parking_many_times),
		cmocka_unit_test(word_of_a_stranger),
		cmocka_unit_test(record_error_decides_nothing),
		cmocka_unit_test(record_error_delays_abort),
		cmocka_unit_test(record_written_with_error),
		cmocka_unit_test(verdict_races_handover),
		cmocka_unit_test(never_beats_handover),
		cmocka_unit_test(verdict_finishes_handover),
		cmocka_unit_test(recover_in_every_state),
		cmocka_unit_test(stream_id_used_once),
		cmocka_unit_test(state_not_saved_leaves_suspended),
		cmocka_unit_test(state_not_loaded_aborts),
		cmocka_unit_test(progress_waits_for_the_look),
		cmocka_unit_test(a_pass_ends_with_a_look),
		cmocka_unit_test(missing_pages_are_told_first),
		cmocka_unit_test(held_until_released),
		cmocka_unit_test(released_when_movers_have_gone),
		cmocka_unit_test(cancelled_by_the_partition),
		cmocka_unit_test_setup_teardown(random_moves, no_seed, tell_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
