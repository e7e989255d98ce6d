// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a target makes of downloads: their forms, the hand-over, pages on demand,
 * and streams that a hostile source might send.
 */
#include <asm/byteorder.h>
#include "two_systems.h"

#define NO_LIMIT	200000u
#define PAGES		70		/* not a multiple of 64 */

/* Stream bytes, as a test puts them together */
struct bytes {
	uint8_t data[300 * KIB];
	uint32_t n;
};

static void put(struct bytes *b, const void *data, uint32_t n)
{
	assert_true(b->n + n <= sizeof(b->data));
	if (data)
		memcpy(b->data + b->n, data, n);
	else
		memset(b->data + b->n, 0x5A, n);
	b->n += n;
}

static void put_record(struct bytes *b, uint8_t type, uint8_t flags,
		       uint64_t arg, uint32_t count, const void *payload,
		       uint32_t length)
{
	struct phyp_record r;

	phyp_record_encode(&r, type, flags, length, arg, count);
	put(b, &r, sizeof(r));
	put(b, payload, length);
}

static struct phyp_start start_of(struct ts *ts, unsigned int session,
				  unsigned int sessions, uint32_t incarnation)
{
	return (struct phyp_start) {
		.magic = __cpu_to_be64(PHYP_START_MAGIC),
		.major = __cpu_to_be16(PHYP_STREAM_MAJOR),
		.minor = __cpu_to_be16(PHYP_STREAM_MINOR),
		.granule = __cpu_to_be32(ts->params.granule),
		.bytes = __cpu_to_be64(ts->params.bytes),
		.stream_id = __cpu_to_be64(TS_STREAM_ID),
		.incarnation = __cpu_to_be32(incarnation),
		.session = __cpu_to_be16(session),
		.sessions = __cpu_to_be16(sessions),
	};
}

static void put_start(struct bytes *b, struct ts *ts, unsigned int session,
		      unsigned int sessions, uint32_t incarnation)
{
	struct phyp_start start = start_of(ts, session, sessions, incarnation);

	put_record(b, PHYP_REC_START, 0, 0, sessions, &start, sizeof(start));
}

static void put_state(struct bytes *b)
{
	static const uint8_t state[TS_CPU_STATE];

	put_record(b, PHYP_REC_STATE, 0, 0, TS_CPU_STATE, state, TS_CPU_STATE);
}

static struct ts *fresh(unsigned int sessions)
{
	struct ts *ts = ts_create(&(struct ts_params) {
		.seed = 11,
		.sessions = sessions,
		.bytes = PAGES * 4096,
	});

	/* Nothing of the source is used here */
	memset(ts->src.cpu, 0, TS_CPU_STATE);
	ts->src.running = false;
	ts_open(ts);
	return ts;
}

static enum vasi_status feed(struct ts *ts, unsigned int session,
			     const struct bytes *b)
{
	enum vasi_status status = VASI_SUCCESS;
	uint32_t at, n;

	for (at = 0; at < b->n && !status; at += n) {
		n = b->n - at < TS_DOWNLOAD_MAX ? b->n - at : TS_DOWNLOAD_MAX;
		status = ts_download_raw(&ts->tgt, session, b->data + at, n);
	}
	return status;
}

/* ---- Downloads ---- */

static void download_specifier_follows_correlator(void **unused)
{
	struct ts *ts = fresh(1);
	struct bytes b = { .n = 0 };

	(void)unused;
	put_start(&b, ts, 0, 1, 1);
	assert_int_equal(feed(ts, 0, &b), VASI_SUCCESS);
	assert_int_equal(ts->tgt.last.format, VASI_FMT_DOWNLOAD |
			 VASI_FMT_RESPONSE);
	assert_int_equal(ts->tgt.last.handle, ts->tgt.session[0].top);
	assert_int_equal(ts->tgt.last.data, 0xD000);
	ts_destroy(ts);
}

/* Give the target @spec as a download of its own; its answer's status */
static enum vasi_status download_spec(struct ts *ts, const void *spec,
				      uint32_t length)
{
	uint8_t *at = ts->tgt.pane + TS_DOWNLOADS;

	memset(at, 0xCC, 8);
	memcpy(at + 8, spec, length);
	ts->tgt.session[0].download_busy = true;
	ts->tgt.session[0].download_bytes = 0;
	ts_send(&ts->tgt, &(struct vasi_msg) {
		.format = VASI_FMT_DOWNLOAD,
		.handle = ts->tgt.session[0].bottom,
		.data = vasi_desc_make(length + 8, TS_DOWNLOADS),
	});
	while (ts->tgt.session[0].download_busy)
		ts_donate(&ts->tgt, 0);
	return ts->tgt.last.status;
}

static uint32_t segment(uint8_t *at, uint8_t control, const struct bytes *b,
			uint32_t from, uint32_t n)
{
	__be32 head = __cpu_to_be32((uint32_t)control << 24 | n);

	memcpy(at, &head, 4);
	memcpy(at + 4, b->data + from, n);
	return 4 + n;
}

static uint32_t indirect(struct ts *ts, uint8_t *at, const struct bytes *b,
			 uint32_t from, uint32_t n)
{
	__be32 half[2] = {
		__cpu_to_be32(0x80u << 24 | n),
		__cpu_to_be32(TS_DOWNLOADS + MIB),
	};

	memcpy(at, half, 8);
	memcpy(ts->tgt.pane + TS_DOWNLOADS + MIB, b->data + from, n);
	return 8;
}

enum form { IMMEDIATE, INDIRECT, MIXED };

static void download_form(enum form form)
{
	struct ts *ts = fresh(1);
	uint8_t spec[16 * KIB] = { 0 };
	struct phyp_stream_stats stats;
	struct bytes b = { .n = 0 };
	uint32_t n = 0, cut = 0;

	put_start(&b, ts, 0, 1, 1);
	put_record(&b, PHYP_REC_PAGES, 0, 2, 1, NULL, 4096);
	if (form != INDIRECT) {
		cut = form == MIXED ? 1234 : b.n;
		n += segment(spec, 0, &b, 0, cut);
	}
	if (form != IMMEDIATE)
		n += indirect(ts, spec + n, &b, cut, b.n - cut);
	assert_int_equal(download_spec(ts, spec, n + 4), VASI_SUCCESS);
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.pages, 1);
	assert_int_equal(stats.bytes, b.n);
	assert_int_equal(ts->tgt.memory[2 * 4096 + 4095], 0x5A);
	ts_destroy(ts);
}

static void download_immediate(void **unused)
{
	(void)unused;
	download_form(IMMEDIATE);
}

static void download_indirect(void **unused)
{
	(void)unused;
	download_form(INDIRECT);
}

static void download_mixed_segments(void **unused)
{
	(void)unused;
	download_form(MIXED);
}

static void download_success(void **unused)
{
	struct ts *ts = fresh(1);
	struct bytes b = { .n = 0 };
	uint32_t i;

	(void)unused;
	put_start(&b, ts, 0, 1, 1);
	put_record(&b, PHYP_REC_ZERO, 0, 0, PAGES, NULL, 0);
	put_record(&b, PHYP_REC_PASS, 0, 0, 1, NULL, 0);
	/* Movers may cut it anywhere */
	for (i = 0; i < b.n; i++)
		assert_int_equal(ts_download_raw(&ts->tgt, 0, b.data + i, 1),
				 VASI_SUCCESS);
	ts_destroy(ts);
}

static void download_invalid_data(void **unused)
{
	struct ts *ts = fresh(1);
	struct bytes b = { .n = 0 };

	(void)unused;
	put_record(&b, PHYP_REC_ZERO, 0, 0, 1, NULL, 0);
	assert_int_equal(feed(ts, 0, &b), VASI_INVALID_DOWNLOAD_DATA);
	assert_int_equal(ts->tgt.last.data, 0xD000);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	ts_destroy(ts);
}

static void download_malformed_segments(void **unused)
{
	static const uint8_t specs[][12] = {
		{ 0x00, 0, 0, 200, 1, 2, 3, 4 },	/* beyond the buffer */
		{ 0x40, 0, 0, 4, 0, 0, 0, 0 },		/* a skip */
		{ 0xC0, 0, 0, 0, 0, 0, 0, 0 },		/* an offset */
		{ 0x01, 0, 0, 4, 0, 0, 0, 0 },		/* reserved bits */
		{ 0x80, 0, 0, 4, 0, 0, 0x10 },		/* cut short */
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct ts *ts = fresh(1);

		assert_int_equal(download_spec(ts, specs[i], i == 4 ? 6 : 12),
				 VASI_INVALID_DOWNLOAD_SPECIFIER);
		assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
		ts_destroy(ts);
	}
}

static void progress_counts_missing_bytes(void **unused)
{
	struct phyp_stream_stats stats;
	struct ts *ts = fresh(1);
	struct bytes b = { .n = 0 };

	(void)unused;
	put_start(&b, ts, 0, 1, 1);
	put_record(&b, PHYP_REC_PAGES, 0, 0, 3, NULL, 3 * 4096);
	assert_int_equal(feed(ts, 0, &b), VASI_SUCCESS);
	ts_send(&ts->tgt, &(struct vasi_msg) {
		.format = VASI_FMT_PROGRESS,
		.handle = ts->tgt.session[0].bottom,
	});
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(ts->tgt.last.data, (PAGES - 3) * 4096);
	assert_int_equal(stats.bytes_left, (PAGES - 3) * 4096);
	ts_destroy(ts);
}

/* ---- The hand-over ---- */

static void put_word(struct bytes *b, uint64_t arg, uint64_t word)
{
	__be64 be = __cpu_to_be64(word);

	put_record(b, PHYP_REC_BITMAP, 0, arg, 1, &be, sizeof(be));
}

/* Pages 0 and 65 are to come; session 1 lags */
static struct ts *handed_over(void)
{
	struct ts *ts = fresh(2);
	struct bytes a = { .n = 0 }, b = { .n = 0 };

	put_start(&a, ts, 0, 2, 1);
	put_word(&a, 0, 1);
	put_word(&a, 64, 2);
	put_state(&a);
	put_record(&a, PHYP_REC_HANDOVER, 0, 2, 2, NULL, 0);
	put_start(&b, ts, 1, 2, 1);
	assert_int_equal(feed(ts, 1, &b), VASI_SUCCESS);
	assert_int_equal(feed(ts, 0, &a), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	return ts;
}

static enum vasi_status hand_over_1(struct ts *ts)
{
	struct bytes b = { .n = 0 };

	put_record(&b, PHYP_REC_HANDOVER, 0, 2, 2, NULL, 0);
	return feed(ts, 1, &b);
}

static void resumed_when_bitmap_is_here(void **unused)
{
	struct ts *ts = handed_over();
	struct phyp_stream_stats stats;

	(void)unused;
	assert_int_equal(ts->tgt.record.writes, 0);
	assert_int_equal(hand_over_1(ts), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	assert_true(ts->tgt.running);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_RESUMED);
	assert_false(phyp_lpar_present(ts->tgt.lpar, 0));
	assert_true(phyp_lpar_present(ts->tgt.lpar, 4096));
	assert_false(phyp_lpar_present(ts->tgt.lpar, 65 * 4096));
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.bytes_left, 2 * 4096);
	ts_destroy(ts);
}

static void page(struct ts *ts, unsigned int session, uint8_t flags,
		 uint64_t number, uint8_t value, uint32_t from, uint32_t to)
{
	static struct bytes b;

	b.n = 0;
	put_record(&b, PHYP_REC_PAGES, flags, number, 1, NULL, 4096);
	memset(b.data + 24, value, 4096);
	assert_int_equal(ts_download_raw(&ts->tgt, session, b.data + from,
					 to - from), VASI_SUCCESS);
}

static void first_final_copy_wins(void **unused)
{
	struct ts *ts = handed_over();
	const uint8_t *memory = ts->tgt.memory;

	(void)unused;
	memset(ts->truth, 1, 4096);
	memset(ts->truth + 65 * 4096, 3, 4096);
	page(ts, 0, PHYP_REC_FINAL, 0, 1, 0, 4120);
	/* Session 1 lags: its old copy is dropped */
	page(ts, 1, 0, 0, 2, 0, 4120);
	assert_int_equal(memory[0], 1);
	assert_int_equal(memory[4095], 1);
	assert_int_equal(hand_over_1(ts), VASI_SUCCESS);
	assert_true(phyp_lpar_present(ts->tgt.lpar, 0));
	/* A part of a final page is nowhere to be seen */
	page(ts, 0, PHYP_REC_FINAL, 65, 3, 0, 4000);
	assert_false(phyp_lpar_present(ts->tgt.lpar, 65 * 4096));
	assert_int_equal(memory[65 * 4096], 0);
	page(ts, 0, PHYP_REC_FINAL, 65, 3, 4000, 4120);
	assert_true(phyp_lpar_present(ts->tgt.lpar, 65 * 4096));
	assert_int_equal(memory[65 * 4096], 3);
	page(ts, 1, PHYP_REC_FINAL, 65, 4, 0, 4120);
	assert_int_equal(memory[65 * 4096], 3);
	ts_destroy(ts);
}

static void received_when_all_ended(void **unused)
{
	struct ts *ts = handed_over();
	struct bytes end = { .n = 0 };
	struct phyp_stream_stats stats;

	(void)unused;
	memset(ts->truth, 1, 4096);
	assert_int_equal(hand_over_1(ts), VASI_SUCCESS);
	page(ts, 1, PHYP_REC_FINAL, 0, 1, 0, 4120);
	page(ts, 0, PHYP_REC_FINAL, 65, 0, 0, 4120);
	put_record(&end, PHYP_REC_END, 0, 2, 2, NULL, 0);
	assert_int_equal(feed(ts, 0, &end), VASI_SUCCESS);
	ts_stats(&ts->tgt, &stats);
	assert_false(stats.received);
	assert_int_equal(feed(ts, 1, &end), VASI_SUCCESS);
	ts_stats(&ts->tgt, &stats);
	assert_true(stats.received);
	/* RESUMED and RECEIVED were told; COMPLETED is the source's to say */
	assert_int_equal(ts->tgt.nmessages, 2);
	assert_int_equal(ts->tgt.message[0].data >> 56, PHYP_MSG_RESUMED);
	assert_int_equal(ts->tgt.message[1].data >> 56, PHYP_MSG_RECEIVED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	ts_destroy(ts);
}

/* The state is being loaded when the hand-over is whole: as long as the home likes */
static struct ts *loading(void)
{
	struct ts *ts = handed_over();

	ts->tgt.load_error = -EINPROGRESS;
	assert_int_equal(hand_over_1(ts), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	assert_int_equal(ts->tgt.record.writes, 0);
	return ts;
}

static void loads_before_it_resumes(void **unused)
{
	struct ts *ts = loading();

	(void)unused;
	/* The home may touch pages that are missing while it loads */
	assert_false(phyp_lpar_present(ts->tgt.lpar, 65 * 4096));
	phyp_lpar_demand(ts->tgt.lpar, 65 * 4096);
	ts_drain(&ts->tgt);
	assert_int_equal(ts->reverse[0].nops + ts->reverse[1].nops, 1);
	memset(ts->truth + 65 * 4096, 3, 4096);
	page(ts, 0, PHYP_REC_FINAL, 65, 3, 0, 4120);
	assert_true(phyp_lpar_present(ts->tgt.lpar, 65 * 4096));
	assert_int_equal(ts->tgt.memory[65 * 4096], 3);

	ts->tgt.loaded = true;
	phyp_lpar_loaded(ts->tgt.lpar, 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_RESUMED);
	assert_int_equal(ts->tgt.resumes, 1);
	phyp_lpar_loaded(ts->tgt.lpar, -EIO);	/* once is enough */
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	ts_destroy(ts);
}

static void aborts_when_not_loaded(void **unused)
{
	struct ts *ts = loading();

	(void)unused;
	phyp_lpar_loaded(ts->tgt.lpar, -EIO);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	assert_int_equal(ts->tgt.resumes, 0);
	assert_true(ts->tgt.aborted);
	ts_destroy(ts);
}

static void cancelled_while_it_loads(void **unused)
{
	struct ts *ts = loading();

	(void)unused;
	assert_int_equal(phyp_stream_cancel(ts->tgt.stream, 0x01000000), 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	phyp_lpar_loaded(ts->tgt.lpar, 0);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	assert_int_equal(ts->tgt.resumes, 0);
	ts_destroy(ts);
}

static void demanded_page_is_asked_for(void **unused)
{
	struct ts *ts = handed_over();
	struct phyp_stream_stats stats;

	(void)unused;
	assert_int_equal(hand_over_1(ts), VASI_SUCCESS);
	phyp_lpar_demand(ts->tgt.lpar, 65 * 4096 + 100);
	phyp_lpar_demand(ts->tgt.lpar, 65 * 4096);	/* already */
	phyp_lpar_demand(ts->tgt.lpar, 4096);		/* is here */
	ts_drain(&ts->tgt);
	assert_int_equal(ts->reverse[0].nops + ts->reverse[1].nops, 1);
	assert_true(ts_gather(ts, &ts->reverse[0], &ts->tgt, 0));
	/* The page first, then those around it */
	assert_int_equal(ts->reverse[0].nbytes, 48);
	assert_int_equal(ts->reverse[0].bytes[0], PHYP_REC_DEMAND);
	assert_int_equal(ts->reverse[0].bytes[15], 65);
	assert_int_equal(ts->reverse[0].bytes[19], 1);
	assert_int_equal(ts->reverse[0].bytes[24], PHYP_REC_DEMAND);
	assert_int_equal(ts->reverse[0].bytes[39], 64);
	assert_int_equal(ts->reverse[0].bytes[43], PAGES - 64);
	ts_stats(&ts->tgt, &stats);
	assert_int_equal(stats.demanded, 1);
	page(ts, 0, PHYP_REC_FINAL, 65, 0, 0, 4120);
	ts_stats(&ts->tgt, &stats);
	assert_true(stats.demand_us[2] > 0);
	ts_destroy(ts);
}

/* ---- Hostile streams ---- */

/* Refused with a status, nothing ran, the record says never */
static void refused(struct bytes *b, unsigned int session, struct ts *ts)
{
	enum vasi_status status = feed(ts, session, b);

	assert_int_not_equal(status, VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
	assert_false(ts->tgt.running);
	assert_int_equal(ts->tgt.resumes, 0);
	/* And what still comes is flushed */
	assert_int_equal(ts_download_raw(&ts->tgt, session, "rest", 4),
			 VASI_SUCCESS);
	ts_destroy(ts);
}

struct bad_record {
	uint8_t type, flags;
	uint64_t arg;
	uint32_t count, length;
};

static void refuses_records(void **unused)
{
	static const struct bad_record bad[] = {
		{ PHYP_REC_PAGES, 0, PAGES, 1, 4096 },
		{ PHYP_REC_PAGES, 0, PAGES - 1, 2, 8192 },
		{ PHYP_REC_PAGES, 0, UINT64_MAX, 1, 4096 },
		{ PHYP_REC_PAGES, 0, 0, 0, 0 },
		{ PHYP_REC_PAGES, 0, 0, 1, 4095 },
		{ PHYP_REC_PAGES, 0, 0, 2, 4096 },
		{ PHYP_REC_PAGES, 0, 0, 0x100001, 4096 },
		{ PHYP_REC_PAGES, 0x02, 0, 1, 4096 },
		{ PHYP_REC_PAGES, PHYP_REC_FINAL, PAGES, 1, 4096 },
		{ PHYP_REC_ZERO, 0, PAGES, 1, 0 },
		{ PHYP_REC_ZERO, 0, 1, PAGES, 0 },
		{ PHYP_REC_ZERO, 0, 1, UINT32_MAX, 0 },
		{ PHYP_REC_ZERO, 0, 0, 1, 4096 },
		{ PHYP_REC_PASS, 0, 0, 2, 0 },
		{ PHYP_REC_PASS, 0, 0, 1, 1 },
		{ PHYP_REC_BITMAP, 0, 1, 1, 8 },
		{ PHYP_REC_BITMAP, 0, 128, 1, 8 },
		{ PHYP_REC_BITMAP, 0, 64, 2, 16 },
		{ PHYP_REC_BITMAP, 0, 0, 1, 7 },
		{ PHYP_REC_BITMAP, 0, 0, 0, 0 },
		{ PHYP_REC_BITMAP, 0, 64, 1, 8 },	/* bits beyond memory */
		{ PHYP_REC_BITMAP, 0, 0, 0x20000001, 8 },
		{ PHYP_REC_STATE, 0, 0, PHYP_MAX_CPU_STATE + 1, 100 },
		{ PHYP_REC_STATE, 0, 0, 100, 101 },
		{ PHYP_REC_STATE, 0, 1, 100, 10 },
		{ PHYP_REC_STATE, 0, UINT64_MAX, 100, 10 },
		{ PHYP_REC_STATE, 0, 0, 0, 0 },
		{ PHYP_REC_HANDOVER, 0, 0, 2, 0 },
		{ PHYP_REC_HANDOVER, 0, 0, 1, 4 },
		{ PHYP_REC_HANDOVER, 0, 0, 1, 0 },	/* without state */
		{ PHYP_REC_END, 0, 0, 1, 0 },		/* before HANDOVER */
		{ PHYP_REC_DEMAND, 0, 0, 1, 0 },
		{ PHYP_REC_START, 0, 0, 1, 48 },	/* a second one */
		{ 0, 0, 0, 0, 0 },
		{ 9, 0, 0, 0, 0 },
		{ 0x7F, 0, 0, 1, 0 },
	};
	static struct bytes b;
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ts *ts = fresh(1);

		b.n = 0;
		put_start(&b, ts, 0, 1, 1);
		put_record(&b, bad[i].type, bad[i].flags, bad[i].arg,
			   bad[i].count, NULL, bad[i].length);
		refused(&b, 0, ts);
	}
}

static void refuses_start(void **unused)
{
	unsigned int i;

	(void)unused;
	for (i = 0; i < 14; i++) {
		struct ts *ts = fresh(1);
		struct phyp_start s = start_of(ts, 0, 1, 1);
		struct bytes b = { .n = 0 };
		uint64_t arg = i == 9;
		uint32_t count = i == 10 ? 2 : 1;
		uint32_t length = i == 11 ? 47 : 48;

		s.magic ^= i == 0;
		s.major ^= i == 1;
		s.granule ^= i == 2;
		s.bytes ^= i == 3;
		s.stream_id ^= i == 4;
		s.flags ^= i == 5 ? __cpu_to_be32(2) : 0;
		if (i == 6)
			s.incarnation = 0;
		if (i == 7)
			s.session = __cpu_to_be16(1);
		if (i == 8)
			s.sessions = 0;
		/* What another target took does not come again */
		if (i == 13)
			s.taken = __cpu_to_be32(1);
		/* Or a record before START */
		if (i == 12)
			put_record(&b, 0x85, 0, 0, 0, NULL, 0);
		put_record(&b, PHYP_REC_START, 0, arg, count, &s, length);
		refused(&b, 0, ts);
	}
}

static void refuses_sessions_that_disagree(void **unused)
{
	struct bytes b = { .n = 0 };
	struct ts *ts = fresh(2);

	(void)unused;
	/* About their number */
	put_start(&b, ts, 0, 2, 1);
	assert_int_equal(feed(ts, 0, &b), VASI_SUCCESS);
	b.n = 0;
	put_start(&b, ts, 1, 3, 1);
	refused(&b, 1, ts);
	/* About the pages of the bitmap */
	ts = handed_over();
	b.n = 0;
	put_record(&b, PHYP_REC_HANDOVER, 0, 3, 2, NULL, 0);
	refused(&b, 1, ts);
	/* HANDOVER twice */
	ts = handed_over();
	b.n = 0;
	put_record(&b, PHYP_REC_HANDOVER, 0, 2, 2, NULL, 0);
	refused(&b, 0, ts);
	/* A bitmap that grows once it was counted */
	ts = handed_over();
	b.n = 0;
	put_word(&b, 0, 4);
	put_record(&b, PHYP_REC_HANDOVER, 0, 2, 2, NULL, 0);
	refused(&b, 1, ts);
}

/* Two sessions begin a state; the second is much shorter */
static void refuses_state_on_two_sessions(void **unused)
{
	struct bytes a = { .n = 0 }, b = { .n = 0 };
	struct ts *ts = fresh(2);

	(void)unused;
	put_start(&a, ts, 0, 2, 1);
	put_record(&a, PHYP_REC_STATE, 0, 0, 60000, NULL, 60000);
	put_start(&b, ts, 1, 2, 1);
	put_record(&b, PHYP_REC_STATE, 0, 0, 10, NULL, 10);
	assert_int_equal(ts_download_raw(&ts->tgt, 0, a.data, 72 + 24),
			 VASI_SUCCESS);
	b.n -= 10;
	assert_int_equal(feed(ts, 1, &b), VASI_SUCCESS);
	memmove(a.data, a.data + 96, 60000);
	a.n = 60000;
	refused(&a, 0, ts);
}

/* Refused, but the record cannot be written: the session takes nothing more */
static void refused_stays_refused(void **unused)
{
	struct bytes b = { .n = 0 };
	struct ts *ts = fresh(1);

	(void)unused;
	ts->tgt.record.write_error = -EIO;
	put_start(&b, ts, 0, 1, 1);
	put_record(&b, PHYP_REC_PAGES, 0, 1ULL << 40, 2, NULL, 8192);
	assert_int_not_equal(feed(ts, 0, &b), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	b.n = 0;
	put(&b, NULL, 8192);
	assert_int_not_equal(feed(ts, 0, &b), VASI_SUCCESS);
	ts->tgt.record.write_error = 0;
	ts_donate(&ts->tgt, 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ABORTED);
	ts_destroy(ts);
}

static void accepts_newer_minor(void **unused)
{
	struct ts *ts = fresh(1);
	struct phyp_start s = start_of(ts, 0, 1, 1);
	struct bytes b = { .n = 0 };

	(void)unused;
	s.minor = __cpu_to_be16(PHYP_STREAM_MINOR + 7);
	put_record(&b, PHYP_REC_START, 0, 0, 1, &s, sizeof(s));
	put_record(&b, 0x85, 0, 12345, 99, NULL, 5000);
	put_word(&b, 0, 0);
	put_state(&b);
	put_record(&b, 0xFF, 0, 0, 0, NULL, 0);
	put_record(&b, PHYP_REC_HANDOVER, 0, 0, 1, NULL, 0);
	put_record(&b, PHYP_REC_END, 0, 0, 1, NULL, 0);
	assert_int_equal(feed(ts, 0, &b), VASI_SUCCESS);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_RESUMED);
	ts_destroy(ts);
}

/* Rule 6: what an older incarnation still delivers is dropped */
static void older_incarnation_is_dropped(void **unused)
{
	struct bytes b = { .n = 0 };
	struct ts *ts = handed_over();

	(void)unused;
	put_start(&b, ts, 1, 2, 2);
	ts_close_side(&ts->tgt);
	ts_drop_pipes(ts);
	ts_open_side(&ts->tgt, 0);
	ts_open_side(&ts->tgt, 1);
	assert_int_equal(feed(ts, 1, &b), VASI_SUCCESS);
	b.n = 0;
	put_start(&b, ts, 0, 2, 1);
	put_record(&b, PHYP_REC_PAGES, 0, 1, 1, NULL, 4096);
	put_record(&b, PHYP_REC_HANDOVER, 0, 99, 77, NULL, 0);
	assert_int_equal(feed(ts, 0, &b), VASI_SUCCESS);
	assert_int_equal(ts->tgt.memory[4096], 0);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_ENABLED);
	ts_destroy(ts);
}

/* Garbage, and good streams with a few bytes changed */
static void random_garbage(void **unused)
{
	static struct bytes good, bad;
	unsigned int i, k, n;

	(void)unused;
	for (i = 0; i < 400; i++) {
		struct ts *ts = fresh(1);

		ts->rng = i * 31337;
		good.n = 0;
		put_start(&good, ts, 0, 1, 1);
		put_record(&good, PHYP_REC_PAGES, 0, 3, 2, NULL, 8192);
		put_record(&good, PHYP_REC_ZERO, 0, 3, 20, NULL, 0);
		put_word(&good, 64, 5);
		put_state(&good);
		put_record(&good, PHYP_REC_PASS, 0, 0, 1, NULL, 0);
		put_record(&good, PHYP_REC_PAGES, PHYP_REC_FINAL, 64, 1, NULL,
			   4096);
		bad = good;
		n = ts_random(ts, 6);
		for (k = 0; k < n; k++)
			bad.data[ts_random(ts, bad.n)] ^=
				1u << ts_random(ts, 8);
		if (i % 4 == 0)
			for (k = 0; k < bad.n; k++)
				bad.data[k] = ts_random(ts, 256);
		feed(ts, 0, &bad);
		feed(ts, 0, &bad);
		/* No HANDOVER was sent: nothing may run */
		assert_false(ts->tgt.running);
		assert_int_not_equal(ts->tgt.record.verdict,
				     PHYP_VERDICT_RESUMED);
		ts_destroy(ts);
	}
}

/* What a source is told by a hostile target's reverse stream */
static void source_refuses_demands(void **unused)
{
	static const struct bad_record bad[] = {
		{ PHYP_REC_DEMAND, 0, PAGES, 1, 0 },
		{ PHYP_REC_DEMAND, 0, 0, PAGES + 1, 0 },
		{ PHYP_REC_DEMAND, 0, 0, 0, 0 },
		{ PHYP_REC_DEMAND, 0, UINT64_MAX, UINT32_MAX, 0 },
		{ PHYP_REC_DEMAND, 0, 0, 1, 8 },
		{ PHYP_REC_PAGES, 0, 0, 1, 4096 },
		{ PHYP_REC_START, 0, 0, 1, 48 },
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bytes b = { .n = 0 };
		struct ts *ts = fresh(1);

		ts->src.running = true;
		put_record(&b, 0x90, 0, 1, 2, NULL, 30);
		put_record(&b, bad[i].type, bad[i].flags, bad[i].arg,
			   bad[i].count, NULL, bad[i].length);
		assert_int_equal(ts_download_raw(&ts->src, 0, b.data, b.n),
				 VASI_INVALID_DOWNLOAD_DATA);
		assert_int_equal(ts_state(&ts->src), VASI_STATE_ABORTED);
		assert_true(ts->src.running);
		ts_destroy(ts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(download_specifier_follows_correlator),
		cmocka_unit_test(download_immediate),
		cmocka_unit_test(download_indirect),
		cmocka_unit_test(download_mixed_segments),
		cmocka_unit_test(download_success),
		cmocka_unit_test(download_invalid_data),
		cmocka_unit_test(download_malformed_segments),
		cmocka_unit_test(progress_counts_missing_bytes),
		cmocka_unit_test(resumed_when_bitmap_is_here),
		cmocka_unit_test(first_final_copy_wins),
		cmocka_unit_test(received_when_all_ended),
		cmocka_unit_test(loads_before_it_resumes),
		cmocka_unit_test(aborts_when_not_loaded),
		cmocka_unit_test(cancelled_while_it_loads),
		cmocka_unit_test(demanded_page_is_asked_for),
		cmocka_unit_test(refuses_records),
		cmocka_unit_test(refuses_start),
		cmocka_unit_test(refuses_sessions_that_disagree),
		cmocka_unit_test(refuses_state_on_two_sessions),
		cmocka_unit_test(refused_stays_refused),
		cmocka_unit_test(accepts_newer_minor),
		cmocka_unit_test(older_incarnation_is_dropped),
		cmocka_unit_test(random_garbage),
		cmocka_unit_test(source_refuses_demands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
