// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a source puts into operations, how it counts, and whole moves of every
 * form: sessions, granules, sizes of buffers, immediate and indirect.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include "two_systems.h"

#define NO_LIMIT	200000u

static struct ts *small_move(uint32_t buffer)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 7,
		.bytes = 256 * KIB,
		.buffer = buffer,
	});

	ts_write(ts, &ts->src, 3 * 4096 + 5, 100, false);
	ts_write(ts, &ts->src, 40 * 4096, 4096, true);
	return ts;
}

/* The first operation, as it lies in the first buffer of session 0 */
static const uint8_t *first_operation(struct ts *ts)
{
	ts_open(ts);
	ts_donate(&ts->src, 0);
	assert_true(ts->forward[0].nops >= 1);
	return ts->src.pane + ts->forward[0].ops[0].buffer *
	       ts->params.buffer;
}

static uint64_t be(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static void operation_keeps_buffer_correlator(void **unused)
{
	struct ts *ts = small_move(64 * KIB);
	const uint8_t *op = first_operation(ts);

	(void)unused;
	assert_int_equal(be(op, 8), 0xC0FFEE0000000000ULL);
	ts_destroy(ts);
}

static void operation_specifier_follows_correlator(void **unused)
{
	struct ts *ts = small_move(64 * KIB);
	const uint8_t *op = first_operation(ts);

	(void)unused;
	assert_int_equal(be(op + 8, 4), ts->src.session[0].top);
	assert_int_equal(be(op + 12, 4), ts->src.session[0].bottom);
	ts_destroy(ts);
}

static void operation_specifier_layout(void **unused)
{
	struct ts *ts = small_move(64 * KIB);
	const uint8_t *op = first_operation(ts);
	const uint8_t *at = op + 32;

	(void)unused;
	assert_int_equal(op[16], 0xA0);		/* write, sequential, respond */
	assert_int_equal(be(op + 17, 7), 0);
	assert_int_equal(be(op + 24, 8), ts->forward[0].ops[0].correlator);
	/* START is the first record */
	assert_int_equal(at[0], 0x00);
	assert_int_equal(be(at + 1, 3), 24 + 48);
	assert_int_equal(at[4], PHYP_REC_START);
	assert_int_equal(be(at + 4 + 24, 8), PHYP_START_MAGIC);
	/* Segments, then four zero bytes */
	while (be(at, 4)) {
		assert_int_equal(at[0], 0x00);
		at += 4 + be(at + 1, 3);
		assert_true(at < op + ts->params.buffer);
	}
	ts_destroy(ts);
}

static uint64_t progress(struct ts_side *side)
{
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_PROGRESS,
		.handle = side->session[0].bottom,
	});
	assert_int_equal(side->last.format, VASI_FMT_PROGRESS |
			 VASI_FMT_RESPONSE);
	assert_int_equal(side->last.status, VASI_SUCCESS);
	return side->last.data;
}

static void progress_total_before_first_donation(void **unused)
{
	struct ts *ts = small_move(64 * KIB);

	(void)unused;
	ts_open(ts);
	assert_int_equal(progress(&ts->src), 2 * 4096);
	ts_destroy(ts);
}

static void progress_counts_dirty_bytes(void **unused)
{
	struct ts *ts = small_move(64 * KIB);

	(void)unused;
	ts_open(ts);
	ts_donate(&ts->src, 0);
	assert_int_equal(progress(&ts->src), 0);
	ts_write(ts, &ts->src, 3 * 4096 + 4090, 10, false);
	assert_int_equal(progress(&ts->src), 2 * 4096);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	assert_int_equal(progress(&ts->src), 0);
	ts_destroy(ts);
}

/* ---- Whole moves ---- */

static void whole_move(const struct ts_params *params)
{
	struct ts *ts = ts_create(params);
	struct phyp_stream_stats stats;

	ts_populate(ts, 20);
	ts->home_writes = 60;
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_stats(&ts->tgt, &stats);
	assert_true(stats.received);
	assert_int_equal(stats.bytes_left, 0);
	if (!params->no_zero)
		assert_true(stats.zero_pages > 0);
	ts_destroy(ts);
}

static void moves_of_every_form(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 64; i++)
		whole_move(&(struct ts_params) {
			.seed = 100 + i,
			.sessions = 1 + i % 4,
			.granule = i & 4 ? 65536 : 4096,
			.bytes = 3 * MIB + 64 * KIB,
			.buffer = i & 8 ? 4 * KIB + 200 : 100 * KIB,
			.indirect = i & 16,
			.all_pages = i & 32,
			.copy_dma = i % 7 == 0,
			.no_zero = i % 5 == 0,
		});
}

static void never_written_pages_do_not_travel(void **unused)
{
	struct ts *ts = small_move(64 * KIB);
	struct phyp_stream_stats stats;

	(void)unused;
	ts->no_home = true;
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_stats(&ts->src, &stats);
	assert_int_equal(stats.pages, 1);
	assert_int_equal(stats.zero_pages, 1);
	assert_true(stats.bytes < 2 * 4096);
	ts_destroy(ts);
}

/* Pages of [@at, +@bytes) that were ever touched */
static uint64_t touched(uint8_t *at, uint64_t bytes)
{
	const uint64_t step = 256 * MIB;
	unsigned char *vector = malloc(step / 4096);
	uint64_t count = 0;
	uint64_t i, n;

	assert_non_null(vector);
	for (; bytes; at += n, bytes -= n) {
		n = bytes < step ? bytes : step;
		assert_int_equal(mincore(at, n, vector), 0);
		for (i = 0; i < n / 4096; i++)
			count += vector[i] & 1;
	}
	free(vector);
	return count;
}

struct work {
	unsigned int actions;
	long faults;
	struct phyp_stream_stats stats;
};

/* A move of @bytes of which four pages were written, one of them the last */
static struct work move_nearly_empty(uint64_t bytes)
{
	struct work work = { };
	struct rusage before, after;
	uint64_t last = bytes - 4096;
	struct ts *ts;

	getrusage(RUSAGE_SELF, &before);
	ts = ts_create(&(struct ts_params) {
		.seed = 11,
		.sessions = 2,
		.bytes = bytes,
		.indirect = true,
		.sparse = true,
	});
	ts->no_home = true;
	ts_write(ts, &ts->src, 0, 4096, false);
	ts_write(ts, &ts->src, 1 * MIB, 8192, false);
	ts_write(ts, &ts->src, last, 4096, false);
	ts_open(ts);
	work.actions = ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	getrusage(RUSAGE_SELF, &after);
	work.faults = after.ru_minflt - before.ru_minflt;

	ts_assert_moved(ts);
	assert_memory_equal(ts->tgt.memory, ts->truth, 4096);
	assert_memory_equal(ts->tgt.memory + MIB, ts->truth + MIB, 8192);
	assert_memory_equal(ts->tgt.memory + last, ts->truth + last, 4096);
	assert_int_equal(touched(ts->src.memory, bytes), 4);
	assert_int_equal(touched(ts->tgt.memory, bytes), 4);
	ts_stats(&ts->src, &work.stats);
	assert_int_equal(work.stats.pages, 4);
	assert_int_equal(work.stats.zero_pages, 0);
	ts_destroy(ts);
	return work;
}

/*
 * As much work for 256 GiB as for 1 GiB: the same actions, the same bytes, none
 * of the memory looked at, and of the sets of pages (8 MiB each) only what lies
 * above.  Faults count every page that is touched for the first time.
 */
static void never_written_memory_costs_nothing(void **unused)
{
	struct work small, large;

	(void)unused;
	/* What is allocated once is not to be counted */
	move_nearly_empty(1024 * (uint64_t)MIB);
	small = move_nearly_empty(1024 * (uint64_t)MIB);
	large = move_nearly_empty(256 * 1024 * (uint64_t)MIB);
	assert_int_equal(small.actions, large.actions);
	assert_int_equal(small.stats.bytes, large.stats.bytes);
	assert_int_equal(small.stats.passes, large.stats.passes);
	assert_in_range(large.faults, 1, small.faults + 200);
}

static void zero_pages_travel_as_runs(void **unused)
{
	struct phyp_stream_stats stats;
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 1,
		.bytes = 1 * MIB,
	});

	(void)unused;
	ts->no_home = true;
	ts_write(ts, &ts->src, 0, 1 * MIB, true);
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_stats(&ts->src, &stats);
	assert_int_equal(stats.pages, 0);
	assert_int_equal(stats.zero_pages, 256);
	assert_true(stats.bytes < 1 * KIB);
	ts_destroy(ts);
}

static void all_pages_before_resume(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 5,
		.sessions = 2,
		.bytes = 2 * MIB,
		.buffer = 20 * KIB,
		.all_pages = true,
	});
	struct phyp_stream_stats stats;

	(void)unused;
	ts_populate(ts, 50);
	ts_open(ts);
	while (ts_state(&ts->tgt) != VASI_STATE_RESUMED)
		assert_true(ts_run(ts, VASI_STATE_COMPLETED, 1));
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.bytes_left, 0);
	assert_int_equal(ts_pages_different(ts), 0);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Such a page goes alone: what movers have queued is bounded by it */
static void pages_beyond_an_operations_limit(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 6,
		.granule = 64 * KIB,
		.bytes = 4 * MIB,
		.max_op = 4 * KIB,
		.indirect = true,
	});
	struct phyp_stream_stats stats;

	(void)unused;
	ts->no_home = true;
	ts_populate(ts, 100);
	ts_open(ts);
	ts->forward[0].held = true;
	ts_run(ts, VASI_STATE_COMPLETED, 500);
	ts_stats(&ts->src, &stats);
	assert_in_range(stats.bytes, 64 * KIB, TS_BUFFERS * (65 * KIB));
	ts->forward[0].held = false;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Everything that the source sends at once, answered 10 ms later; bytes of it */
static uint64_t round_trip(struct ts *ts)
{
	struct phyp_stream_stats before, after;
	unsigned int i;

	ts_stats(&ts->src, &before);
	for (i = 0; i < 2 * TS_BUFFERS; i++)
		ts_act(ts, TS_DONATE_SRC, 0);
	for (i = 0; i < 40; i++) {
		ts_act(ts, TS_GATHER, 0);
		ts_act(ts, TS_DOWNLOAD, 0);
		ts_act(ts, TS_DONATE_TGT, 0);
	}
	ts->clock_ns += 10000000;
	while (ts_act(ts, TS_ANSWER, 0))
		;
	ts_stats(&ts->src, &after);
	return after.bytes - before.bytes;
}

/* What is queued after the hand-over is enough for what movers took before it */
static void far_target_is_sent_as_much_as_before(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 7,
		.bytes = 16 * MIB,
		.buffer = 64 * KIB,
	});
	unsigned int i;

	(void)unused;
	ts_populate(ts, 100);
	ts_open(ts);
	for (i = 0; i < 10; i++)
		assert_true(round_trip(ts) > 5 * 60 * KIB);
	/* It is signalled, then it has suspended */
	assert_true(ts_act(ts, TS_SUSPEND, 0) && ts_act(ts, TS_SUSPEND, 0));
	assert_int_equal(ts_state(&ts->src), VASI_STATE_SUSPENDED);
	for (i = 0; i < 10; i++)
		assert_true(round_trip(ts) > 5 * 60 * KIB);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* One session stands still for a pass: its pages are old when they arrive */
static void session_held_for_a_pass(void **unused)
{
	unsigned int held, n;

	(void)unused;
	for (held = 0; held < 3; held++) {
		struct ts *ts = ts_create(&(struct ts_params) {
			.seed = 50 + held,
			.sessions = 3,
			.bytes = 4 * MIB,
			.buffer = 16 * KIB,
		});

		ts_populate(ts, 20);
		ts->home_writes = 300;
		ts_open(ts);
		ts->forward[held].held = true;
		ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
		/* Without it nothing is handed over */
		assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
		ts->forward[held].held = false;
		for (n = 0; ts_state(&ts->tgt) != VASI_STATE_RESUMED; n++)
			assert_true(ts_run(ts, VASI_STATE_COMPLETED, 1));
		ts->forward[(held + 1) % 3].held = true;
		ts_run(ts, VASI_STATE_COMPLETED, 500);
		ts->forward[(held + 1) % 3].held = false;
		ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
		ts_assert_moved(ts);
		ts_destroy(ts);
	}
}

/* Carry all that session 0 has, without donating a cycle to the source */
static void carry(struct ts *ts)
{
	bool moved = true;

	while (moved) {
		moved = ts_act(ts, TS_GATHER, 0);
		moved |= ts_act(ts, TS_DOWNLOAD, 0);
		moved |= ts_act(ts, TS_DONATE_TGT, 0);
		moved |= ts_act(ts, TS_ANSWER, 0);
	}
}

/* What was sent of a page was taken, the rest not: it goes again whole */
static void half_sent_page_goes_again(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 3,
		.granule = 65536,
		.bytes = 512 * KIB,
		.buffer = 8 * KIB,
		.no_zero = true,
	});

	(void)unused;
	ts->no_home = true;
	ts_write(ts, &ts->src, 100 * KIB, 1000, false);
	ts_open(ts);
	ts->suspend_signalled = true;
	assert_int_equal(ts_signal(&ts->src, 0, VASI_SIGNAL_SUSPEND, 0), 0);
	ts_act(ts, TS_SUSPEND, 0);
	while (ts_state(&ts->tgt) != VASI_STATE_RESUMED) {
		ts_act(ts, TS_DONATE_SRC, 0);
		carry(ts);
	}
	assert_int_equal(ts->forward[0].nops, 0);
	ts_close(ts);
	ts_open(ts);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Page of the first record in the @nth operation under way */
static uint64_t page_of(struct ts *ts, unsigned int nth)
{
	const uint8_t *record = ts->src.pane + ts->forward[0].ops[nth].buffer *
				ts->params.buffer + 32 + 4;

	assert_true(nth < ts->forward[0].nops);
	assert_int_equal(record[0], PHYP_REC_PAGES);
	assert_int_equal(record[1], PHYP_REC_FINAL);
	return be(record + 8, 8);
}

/* What is waited for, then what is beside it, then the rest */
static void waiting_before_neighbours(void **unused)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 4,
		.bytes = 2 * MIB,
		.buffer = 8 * KIB,
		.no_zero = true,
	});
	struct phyp_record demand[3];

	(void)unused;
	ts->no_home = true;
	ts_write(ts, &ts->src, 0, 2 * MIB, false);
	ts_open(ts);
	ts->suspend_signalled = true;
	assert_int_equal(ts_signal(&ts->src, 0, VASI_SIGNAL_SUSPEND, 0), 0);
	ts_act(ts, TS_SUSPEND, 0);
	while (ts_state(&ts->tgt) != VASI_STATE_RESUMED) {
		ts_act(ts, TS_DONATE_SRC, 0);
		carry(ts);
	}
	phyp_record_encode(&demand[0], PHYP_REC_DEMAND, 0, 0, 192, 64);
	phyp_record_encode(&demand[1], PHYP_REC_DEMAND, 0, 0, 200, 1);
	phyp_record_encode(&demand[2], PHYP_REC_DEMAND, 0, 0, 400, 1);
	assert_int_equal(ts->forward[0].nops, 0);
	assert_int_equal(ts_download_raw(&ts->src, 0, demand, sizeof(demand)), 0);
	ts_act(ts, TS_DONATE_SRC, 0);
	assert_int_equal(page_of(ts, 0), 200);
	assert_int_equal(page_of(ts, 1), 400);
	assert_int_equal(page_of(ts, 2), 192);
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	ts_assert_moved(ts);
	ts_destroy(ts);
}

/* Fault injection: one page keeps what it was when it was sent first */
static void skip_resend_spoils_one_page(void **unused)
{
	unsigned int nth, i;

	(void)unused;
	for (nth = 1; nth < 12; nth++) {
		struct ts *ts = ts_create(&(struct ts_params) {
			.seed = nth,
			.sessions = 1 + nth % 3,
			.bytes = 2 * MIB,
			.skip_resend = nth,
		});

		ts->no_home = true;
		for (i = 0; i < 40; i++)
			ts_write(ts, &ts->src, i * 12 * 4096, 64, false);
		ts_open(ts);
		ts->home_writes = 1;	/* not yet */
		ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
		for (i = 0; i < 20; i++)
			ts_write(ts, &ts->src, i * 24 * 4096 + 8, 64, false);
		ts->home_writes = 0;
		ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
		assert_int_equal(ts_state(&ts->tgt), VASI_STATE_COMPLETED);
		assert_int_equal(ts_pages_different(ts), 1);
		ts_destroy(ts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operation_keeps_buffer_correlator),
		cmocka_unit_test(operation_specifier_follows_correlator),
		cmocka_unit_test(operation_specifier_layout),
		cmocka_unit_test(progress_total_before_first_donation),
		cmocka_unit_test(progress_counts_dirty_bytes),
		cmocka_unit_test(moves_of_every_form),
		cmocka_unit_test(never_written_pages_do_not_travel),
		cmocka_unit_test(never_written_memory_costs_nothing),
		cmocka_unit_test(zero_pages_travel_as_runs),
		cmocka_unit_test(all_pages_before_resume),
		cmocka_unit_test(pages_beyond_an_operations_limit),
		cmocka_unit_test(far_target_is_sent_as_much_as_before),
		cmocka_unit_test(session_held_for_a_pass),
		cmocka_unit_test(half_sent_page_goes_again),
		cmocka_unit_test(waiting_before_neighbours),
		cmocka_unit_test(skip_resend_spoils_one_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
