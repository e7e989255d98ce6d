// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A partition that executes on neither side moves: its states, whose it is after any
 * loss, and that both sides have to know (Documentation/suspended-partitions.rst).
 */
#include <asm/byteorder.h>
#include "two_systems.h"

#define NO_LIMIT	200000u

#ifdef __SANITIZE_ADDRESS__	/* some twenty times slower */
#define CUTS		7
#else
#define CUTS		1
#endif

static struct ts *hibernated_move(unsigned int sessions, uint64_t seed)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = seed,
		.sessions = sessions,
		.bytes = 2 * MIB + 64 * KIB,
		.granule = seed & 1 ? 65536 : 4096,
		.buffer = 20 * KIB,
		.max_op = 8 * KIB,
		.hibernated = true,
	});

	ts_populate(ts, seed & 1 ? 30 : 4);
	ts_hibernate(ts);
	return ts;
}

static void run_to(struct ts *ts, struct ts_side *side, enum vasi_state state)
{
	for (unsigned int n = 0; ts_state(side) != state; n++) {
		assert_true(n < NO_LIMIT);
		ts_run(ts, VASI_STATE_COMPLETED, 1);
		ts_check_invariants(ts);
	}
}

static void assert_arrived(struct ts *ts)
{
	assert_int_equal(ts_state(&ts->src), VASI_STATE_COMPLETED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_COMPLETED);
	assert_true(ts->tgt.owns);
	assert_int_equal(ts->tgt.resumes, 1);
	assert_int_equal(ts_pages_different(ts), 0);
	ts_check_invariants(ts);
}

static void assert_changes(const struct ts_side *side, const enum vasi_state *want,
			   unsigned int n)
{
	assert_int_equal(side->nchanges, n);
	assert_memory_equal(side->changes, want, n * sizeof(want[0]));
}

/* Never Resumed; the source is the first to be Completed */
static void states_of_both(void **unused)
{
	static const enum vasi_state source[] = {
		VASI_STATE_SUSPENDING, VASI_STATE_SUSPENDED, VASI_STATE_COMPLETED,
	};
	static const enum vasi_state target[] = { VASI_STATE_COMPLETED };
	struct ts *ts = hibernated_move(3, 2);
	struct phyp_stream_stats stats;

	(void)unused;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_COMPLETED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	ts_stats(&ts->tgt, &stats);
	assert_true(stats.received);
	assert_int_equal(stats.bytes_left, 0);
	/* It has become the target's: nobody may take it away */
	assert_int_equal(ts_signal(&ts->tgt, 0, VASI_SIGNAL_ABORT, 0),
			 VASI_INVALID_STATE_TRANSITION);
	assert_int_equal(phyp_stream_cancel(ts->tgt.stream, 0), -EPERM);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_arrived(ts);
	assert_changes(&ts->src, source, 3);
	assert_changes(&ts->tgt, target, 1);
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.demanded, 0);
	ts_destroy(ts);
}

/* Whatever is lost, and when: one side has it in the end, and both know which */
static bool cut_at(unsigned int sessions, uint64_t seed, unsigned int cut, bool again)
{
	struct ts *ts = hibernated_move(sessions, seed);
	enum phyp_verdict verdict;
	bool cut_short;

	ts_open(ts);
	cut_short = ts_run(ts, VASI_STATE_COMPLETED, cut) == cut;
	ts_close(ts);
	ts_drop_pipes(ts);
	ts_check_invariants(ts);
	if (ts_state(&ts->src) == VASI_STATE_SUSPENDED && again) {
		ts_open(ts);
		ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
		assert_arrived(ts);
	} else {
		assert_int_equal(phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict), 0);
		assert_int_equal(verdict == PHYP_VERDICT_RESUMED, ts->tgt.owns);
		/* Not told that all was received: the record implies it */
		assert_int_equal(phyp_stream_recover(ts->src.stream, verdict, false), 0);
		ts_check_invariants(ts);
		assert_int_equal(ts_state(&ts->src), ts->tgt.owns ?
				 VASI_STATE_COMPLETED : VASI_STATE_ABORTED);
		assert_int_equal(ts_state(&ts->tgt), ts_state(&ts->src));
	}
	ts_destroy(ts);
	return cut_short;
}

static void lost_at_every_step(void **unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int cut = 0;

		while (cut_at(i & 4 ? 3 : 1, i & 1, cut, i & 2))
			cut += CUTS;
		assert_true(cut > 50);
	}
}

/* A user's abort is refused from Suspended on; before, it is a plain one */
static void aborted_before_suspended(void **unused)
{
	struct ts *ts = hibernated_move(2, 4);

	(void)unused;
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, 1);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ENABLED);
	assert_int_equal(phyp_stream_cancel(ts->src.stream, 0x01000000), 0);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
	assert_int_equal(ts->src.resumes, 0);
	ts_check_invariants(ts);
	ts_destroy(ts);

	ts = hibernated_move(2, 4);
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_SUSPENDED);
	assert_int_equal(phyp_stream_cancel(ts->src.stream, 0x01000000), -EPERM);
	assert_int_equal(phyp_stream_recover(ts->src.stream, PHYP_VERDICT_NEVER, false), 0);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
	assert_int_equal(ts->src.resumes, 1);
	ts_check_invariants(ts);
	ts_destroy(ts);
}

/* Its state cannot be kept: the record says never, and the source has it */
static void not_kept_by_the_target(void **unused)
{
	struct ts *ts = hibernated_move(1, 6);

	(void)unused;
	ts->tgt.load_error = -ENOSPC;
	ts_open(ts);
	run_to(ts, &ts->src, VASI_STATE_ABORTED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	ts_check_invariants(ts);
	ts_destroy(ts);
}

static void record_error_decides_nothing(void **unused)
{
	struct ts *ts = hibernated_move(2, 8);

	(void)unused;
	ts->tgt.record.write_error = -EIO;
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	assert_true(ts->tgt.loaded);
	assert_false(ts->tgt.owns);
	ts->tgt.record.write_error = 0;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	assert_arrived(ts);
	ts_destroy(ts);
}

/* START of one kind at a target of the other */
static void both_have_to_know(void **unused)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct ts *ts = ts_create(&(struct ts_params) {
			.seed = 1, .sessions = 1, .hibernated = i,
		});
		struct {
			struct phyp_record record;
			struct phyp_start start;
		} __attribute__((packed)) first = {
			.start = {
				.magic = __cpu_to_be64(PHYP_START_MAGIC),
				.major = __cpu_to_be16(PHYP_STREAM_MAJOR),
				.granule = __cpu_to_be32(4096),
				.bytes = __cpu_to_be64(ts->params.bytes),
				.stream_id = __cpu_to_be64(TS_STREAM_ID),
				.incarnation = __cpu_to_be32(1),
				.sessions = __cpu_to_be16(1),
				.flags = __cpu_to_be32(i ? 0 : PHYP_START_HIBERNATED),
			},
		};

		(void)unused;
		if (i)
			ts_hibernate(ts);
		phyp_record_encode(&first.record, PHYP_REC_START, 0, sizeof(first.start), 0,
				   1);
		ts_open(ts);
		assert_int_equal(ts_download_raw(&ts->tgt, 0, &first, sizeof(first)),
				 VASI_INVALID_DOWNLOAD_DATA);
		assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
		assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
		ts_destroy(ts);
	}
}

/* A hand-over that leaves pages missing: nobody would wait for them */
static void refuses_missing_pages(void **unused)
{
	struct {
		struct phyp_record start_record;
		struct phyp_start start;
		struct phyp_record bitmap_record;
		__be64 word;
		struct phyp_record state_record;
		uint8_t state[TS_CPU_STATE];
		struct phyp_record handover;
	} __attribute__((packed)) all = { .word = __cpu_to_be64(0x10) };
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 1, .sessions = 1, .hibernated = true,
	});

	(void)unused;
	ts_hibernate(ts);
	ts->forged = true;
	all.start = (struct phyp_start) {
		.magic = __cpu_to_be64(PHYP_START_MAGIC),
		.major = __cpu_to_be16(PHYP_STREAM_MAJOR),
		.granule = __cpu_to_be32(4096),
		.bytes = __cpu_to_be64(ts->params.bytes),
		.stream_id = __cpu_to_be64(TS_STREAM_ID),
		.incarnation = __cpu_to_be32(1),
		.sessions = __cpu_to_be16(1),
		.flags = __cpu_to_be32(PHYP_START_HIBERNATED),
	};
	phyp_record_encode(&all.start_record, PHYP_REC_START, 0, sizeof(all.start), 0, 1);
	phyp_record_encode(&all.bitmap_record, PHYP_REC_BITMAP, 0, 8, 0, 1);
	phyp_record_encode(&all.state_record, PHYP_REC_STATE, 0, TS_CPU_STATE, 0,
			   TS_CPU_STATE);
	phyp_record_encode(&all.handover, PHYP_REC_HANDOVER, 0, 0, 1, 1);
	ts_open(ts);
	assert_int_not_equal(ts_download_raw(&ts->tgt, 0, &all, sizeof(all)), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_false(ts->tgt.loaded);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	ts_destroy(ts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_of_both),
		cmocka_unit_test(lost_at_every_step),
		cmocka_unit_test(aborted_before_suspended),
		cmocka_unit_test(not_kept_by_the_target),
		cmocka_unit_test(record_error_decides_nothing),
		cmocka_unit_test(both_have_to_know),
		cmocka_unit_test(refuses_missing_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
