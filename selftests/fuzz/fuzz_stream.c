// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The platform's own stream, in a move between two platforms: what no source
 * wrote arrives at a target and what no target wrote at a source, at any point of
 * a move that is otherwise honest; connections are cut, records cannot be written,
 * the console interferes.
 *
 * What holds depends on who lies (Documentation/handover.rst, "Whom the rule
 * trusts"):
 *
 * - No memory is touched that should not be, nothing leaks, states go their way,
 *   the target runs by its record only.  Always.
 * - At most one system runs the partition, unless every HANDOVER that the target
 *   went by was made up, or a NEVER that a suspended source was told.  Where one
 *   session's bytes are all the source's, its HANDOVER says that the source has
 *   stopped, whatever comes on the others.
 * - Where no byte of the stream and no message was made up, and no fault was
 *   injected into the source's platform, the memory is what the
 *   partition wrote; new connections, and the console's recovery where one side
 *   has aborted, end the move with exactly one system running it.
 */
#include <endian.h>
#include "fuzz.h"
#include "phyp/internal.h"
#include "../unit/two_systems.h"

#define MAX_STEPS	64
#define MAX_PAYLOAD	8192u
#define NO_LIMIT	20000u

/**
 * struct fuzz - a run
 * @liars:	what comes from outside may be made up
 * @clean:	what the target got on this session is what the source sent
 * @clean_handover: the hand-over of this incarnation came on such a session, too
 * @incarnation: which one that is
 */
struct fuzz {
	struct fuzz_input in;
	struct ts *ts;
	unsigned int sessions;
	bool liars;
	bool clean[TS_SESSIONS];
	bool clean_handover;
	uint32_t incarnation;
	uint8_t record[sizeof(struct phyp_record) + MAX_PAYLOAD];
};

/* ---- Who has said that the source is suspended ---- */

static bool is_clean(const struct fuzz *f, const struct phyp_session *s)
{
	for (unsigned int i = 0; i < TS_SESSIONS; i++) {
		const struct ts_session *mine = &f->ts->tgt.session[i];

		if ((mine->open || mine->closing) && mine->top == s->top)
			return f->clean[i];
	}
	return false;
}

static void look_at_handover(struct fuzz *f)
{
	const struct phyp_stream *stream = f->ts->tgt.stream;
	const struct phyp_session *s;

	if (f->incarnation != stream->incarnation)
		f->clean_handover = false;
	f->incarnation = stream->incarnation;
	TAILQ_FOREACH(s, &stream->sessions, link)
		f->clean_handover |= s->target.handed_over && !s->target.stale &&
				     is_clean(f, s);
}

static void resumes(struct ts *ts)
{
	struct fuzz *f = ts->ctx;

	look_at_handover(f);
	ts->twice |= !f->clean_handover;
}

/* ---- What is made up ---- */

static void settle(struct ts_side *side, unsigned int session)
{
	for (unsigned int i = 0; side->session[session].download_busy && i < 100; i++)
		ts_donate(side, session);
}

static void download(struct fuzz *f, struct ts_side *side, unsigned int session,
		     const void *data, uint32_t length)
{
	if (!length || !side->session[session].open)
		return;
	/* Demands that nobody made are no lie about memory */
	if (!side->source) {
		if (!f->liars)
			return;
		f->clean[session] = false;
		f->ts->forged = true;
	}
	settle(side, session);
	ts_download_raw(side, session, data, length);
}

static void raw(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	const uint8_t *data;
	size_t length = fuzz_bytes(&f->in, fuzz_u16(&f->in) % MAX_PAYLOAD, &data);

	download(f, side, session, data, (uint32_t)length);
}

/* What belongs to a record of this type where the stream is now */
static uint32_t right(struct fuzz *f, uint8_t type, uint64_t *arg, uint32_t *count)
{
	const struct phyp_target *tgt = &f->ts->tgt.stream->target;
	uint64_t pages = f->ts->params.bytes / f->ts->params.granule;

	switch (type) {
	case PHYP_REC_PAGES:
		*arg %= pages;
		*count = *arg + 1 < pages ? 1 + *count % 2 : 1;
		return *count * f->ts->params.granule;
	case PHYP_REC_ZERO:
	case PHYP_REC_DEMAND:
		*arg %= pages;
		*count = 1 + *count % (uint32_t)(pages - *arg);
		return 0;
	case PHYP_REC_BITMAP:
		*arg = 0;
		*count = 1;
		return sizeof(uint64_t);
	case PHYP_REC_STATE:
		*arg = tgt->state_here % TS_CPU_STATE;
		*count = TS_CPU_STATE;
		return TS_CPU_STATE - (uint32_t)*arg;
	case PHYP_REC_HANDOVER:
		*arg = tgt->bitmap_pages;
		/* fall through */
	case PHYP_REC_END:
	case PHYP_REC_PASS:
		*count = f->sessions;
		return 0;
	}
	return *count % 64;
}

/* A record that may be right; payload that the input does not have is zero */
static void record(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	static const uint8_t types[] = {
		PHYP_REC_START, PHYP_REC_PAGES, PHYP_REC_ZERO, PHYP_REC_PASS,
		PHYP_REC_BITMAP, PHYP_REC_STATE, PHYP_REC_HANDOVER, PHYP_REC_END,
		PHYP_REC_DEMAND, PHYP_REC_SKIPPABLE, PHYP_REC_SKIPPABLE | 1, 99,
	};
	uint8_t type = types[fuzz_u8(&f->in) % sizeof(types)];
	uint8_t how = fuzz_u8(&f->in);
	uint64_t arg = how & 1 ? fuzz_u64(&f->in) : fuzz_u8(&f->in);
	uint32_t count = how & 2 ? fuzz_u32(&f->in) : fuzz_u8(&f->in);
	uint8_t *at = f->record + sizeof(struct phyp_record);
	uint32_t length, payload;

	if (how & 4)
		length = how & 8 ? fuzz_u32(&f->in) : fuzz_u16(&f->in) % MAX_PAYLOAD;
	else
		length = right(f, type, &arg, &count);
	payload = how & 16 ? fuzz_u16(&f->in) : length;
	if (payload > MAX_PAYLOAD)
		payload = MAX_PAYLOAD;
	phyp_record_encode((struct phyp_record *)f->record, type, how >> 7, length,
			   arg, count);
	fuzz_fill(&f->in, at, how & 32 ? payload : payload % 64);
	if (!(how & 32))
		memset(at + payload % 64, how, payload - payload % 64);
	download(f, side, session, f->record, sizeof(struct phyp_record) + payload);
	/* A page of 64 KiB, and pages of which only a part was sent above */
	if (type != PHYP_REC_PAGES || how & 16 || length > MIB)
		return;
	memset(at, how, MAX_PAYLOAD);
	for (length -= payload; length; length -= payload) {
		payload = length < MAX_PAYLOAD ? length : MAX_PAYLOAD;
		download(f, side, session, at, payload);
	}
}

static void start(struct fuzz *f, unsigned int session)
{
	const struct ts_params *p = &f->ts->params;
	uint32_t incarnation = f->ts->tgt.stream->incarnation;
	uint8_t how = fuzz_u8(&f->in), where;
	uint32_t sessions = f->sessions + (how & 1);
	struct phyp_start start = {
		.magic = htobe64(PHYP_START_MAGIC),
		.major = htobe16(PHYP_STREAM_MAJOR),
		.minor = htobe16(PHYP_STREAM_MINOR),
		.granule = htobe32(p->granule),
		.bytes = htobe64(p->bytes),
		.stream_id = htobe64(TS_STREAM_ID),
		.session = htobe16((uint16_t)session),
		.sessions = htobe16((uint16_t)sessions),
		.taken = htobe32(how & 2 ? incarnation : 0),
	};

	/* Of this incarnation where there is one, of the next, or of the last */
	if (!incarnation || how & 4)
		incarnation++;
	else if (how & 8)
		incarnation--;
	start.incarnation = htobe32(incarnation);
	/* Now and then one byte is another */
	where = how & 16 ? fuzz_u8(&f->in) : UINT8_MAX;
	if (where < sizeof(start))
		((uint8_t *)&start)[where] ^= fuzz_u8(&f->in);
	phyp_record_encode((struct phyp_record *)f->record, PHYP_REC_START, 0,
			   sizeof(start), 0,
			   where == sizeof(start) ? fuzz_u32(&f->in) : sessions);
	memcpy(f->record + sizeof(struct phyp_record), &start, sizeof(start));
	download(f, &f->ts->tgt, session, f->record,
		 sizeof(struct phyp_record) + sizeof(start));
}

static void message(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	uint8_t type = fuzz_u8(&f->in);
	uint32_t incarnation = type & 8 ? fuzz_u32(&f->in) :
			       side->stream->incarnation;
	uint64_t data = type & 0x80 ? fuzz_u64(&f->in) :
			(uint64_t)(type & 7) << 56 | incarnation;

	if (!f->liars || !side->session[session].open)
		return;
	f->ts->forged = true;
	/* The source runs, and the target may have got, or get, the hand-over */
	if (side->source && data >> 56 == PHYP_MSG_NEVER &&
	    ts_state(side) == VASI_STATE_SUSPENDED)
		f->ts->twice = true;
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_DOWNLOAD,
		.control = VASI_CONTROL_PASS_THROUGH,
		.handle = side->session[session].bottom,
		.data = data,
	});
}

/* ---- What fails ---- */

static void close_side(struct ts_side *side, bool reset)
{
	if (reset)
		ts_reset_side(side);
	else
		ts_close_side(side);
	ts_drop_pipes(side->ts);
}

/* New connections: both movers open every session again */
static void open_again(struct fuzz *f, bool reset)
{
	close_side(&f->ts->src, reset);
	close_side(&f->ts->tgt, reset);
	ts_open(f->ts);
	for (unsigned int i = 0; i < f->sessions; i++)
		f->clean[i] = true;
}

/* One mover opens its session again, the other one goes on with its own */
static void mix_up(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	if (!f->liars)
		return;
	close_side(side, false);
	ts_open_side(side, session);
	if (side->session[session].open)
		ts_post_buffers(side, session);
	memset(f->clean, 0, sizeof(f->clean));
	f->ts->forged = true;
}

static void connections(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	uint8_t how = fuzz_u8(&f->in);

	switch (how & 3) {
	case 0:
		close_side(side, how & 4);
		break;
	case 1:
		open_again(f, how & 4);
		break;
	case 2:		/* this session lags behind the others, or does no more */
		f->ts->forward[session].held = how & 4;
		break;
	default:
		mix_up(f, side, session);
		break;
	}
}

static void faults(struct fuzz *f)
{
	uint8_t how = fuzz_u8(&f->in);
	struct ts_record *record = &f->ts->tgt.record;

	record->read_error = how & 1 ? -EIO : 0;
	record->write_error = how & 2 ? -ENOSPC : 0;
	record->write_lost = how & 4;
	f->ts->src.save_error = how & 8 ? -EIO : 0;
	f->ts->tgt.load_error = how & 16 ? -EINVAL : 0;
}

/* A mover answers its oldest operation with an error */
static void answer_error(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	struct ts_pipe *p = side->source ? &f->ts->forward[session] :
					   &f->ts->reverse[session];
	uint8_t status = 1 + fuzz_u8(&f->in) % 0x19;
	struct ts_op op = p->ops[0];

	if (!p->nops || !side->session[session].open)
		return;
	p->nops--;
	memmove(p->ops, p->ops + 1, p->nops * sizeof(p->ops[0]));
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = status,
		.data = op.correlator,
	});
}

/* What the target's system says is what the source is told */
static void recover(struct ts *ts)
{
	enum phyp_verdict verdict = PHYP_VERDICT_NONE;
	struct phyp_stream_stats stats;

	if (phyp_verdict(ts->tgt.phyp, TS_STREAM_ID, &verdict))
		return;
	ts_drain(&ts->tgt);
	ts_stats(&ts->tgt, &stats);
	phyp_stream_recover(ts->src.stream, verdict, stats.received);
	ts_drain(&ts->src);
}

static void console(struct fuzz *f, struct ts_side *side)
{
	switch (fuzz_u8(&f->in) % 3) {
	case 0:
		phyp_stream_cancel(side->stream, 0x01000000);
		break;
	case 1:
		recover(f->ts);
		break;
	default:
		if (f->ts->src.asked_to_suspend)
			phyp_lpar_suspend_failed(f->ts->src.lpar, 1);
		break;
	}
	ts_drain(&f->ts->src);
	ts_drain(&f->ts->tgt);
}

/* ---- Steps ---- */

static void partition(struct fuzz *f, struct ts_side *side)
{
	uint64_t offset = fuzz_u8(&f->in) * (f->ts->params.bytes / 256) & ~1023ULL;

	if (!side->running)
		return;
	if (!phyp_lpar_present(side->lpar, offset)) {
		phyp_lpar_demand(side->lpar, offset);
		ts_drain(side);
	} else {
		ts_write(f->ts, side, offset, 1024, offset & 1024);
	}
}

static void honest(struct fuzz *f, uint8_t what, unsigned int session)
{
	uint8_t n = fuzz_u8(&f->in);

	/* A whole move takes some hundred of them, more where they are any */
	if (what == 12)
		ts_run(f->ts, VASI_STATE_COMPLETED, n * 2u);
	else if (what == 13)
		ts_run_random(f->ts, VASI_STATE_COMPLETED, n * 8u);
	else
		ts_act(f->ts, n % TS_ACTIONS, session);
}

static void check_target(struct fuzz *f)
{
	const struct ts_side *tgt = &f->ts->tgt;
	struct phyp_stream_stats stats;

	ts_stats(&f->ts->src, &stats);
	fuzz_check(stats.bytes_left <= f->ts->params.bytes);
	ts_stats(tgt, &stats);
	fuzz_check(stats.bytes_left <= f->ts->params.bytes);
	fuzz_check(!stats.received || tgt->resumes == 1);
	if (!stats.received)
		return;
	for (uint64_t at = 0; at < f->ts->params.bytes; at += f->ts->params.granule)
		fuzz_check(phyp_lpar_present(tgt->lpar, at));
}

static void step(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in);
	unsigned int session = (what >> 4 & 3) % f->sessions;
	struct ts_side *side = what & 0x80 ? &f->ts->src : &f->ts->tgt;

	switch (what & 15) {
	case 0:
		raw(f, side, session);
		break;
	case 1:
	case 2:
		record(f, side, session);
		break;
	case 3:
		start(f, session);
		break;
	case 4:
		message(f, side, session);
		break;
	case 5:
		if (side->session[session].open)
			ts_signal(side, session, fuzz_u8(&f->in) % 8, 0x01000000);
		break;
	case 6:
	case 7:
		partition(f, side);
		break;
	case 8:
		connections(f, side, session);
		break;
	case 9:
		faults(f);
		break;
	case 10:
		console(f, side);
		break;
	case 11:
		answer_error(f, side, session);
		break;
	default:
		honest(f, what & 15, session);
		break;
	}
	/* Lost like any that a connection carried, before there are too many */
	for (unsigned int i = 0; i < 2; i++, side = i ? &f->ts->src : &f->ts->tgt)
		if (side->nmessages > 16)
			side->nmessages = 0;
	look_at_handover(f);
	ts_check_invariants(f->ts);
	check_target(f);
}

/* ---- Beginning and end ---- */

static bool same_memory(const struct ts *ts, const struct ts_side *side)
{
	return !memcmp(side->memory, ts->truth, ts->params.bytes);
}

/* Nobody has lied: whatever failed, what was agreed on is now brought to its end */
static void finish(struct fuzz *f)
{
	struct ts *ts = f->ts;
	struct ts_side *src = &ts->src, *tgt = &ts->tgt;

	memset(&tgt->record.read_error, 0, 2 * sizeof(int));
	tgt->record.write_lost = false;
	src->save_error = 0;
	tgt->load_error = 0;
	open_again(f, false);
	ts->suspend_signalled = false;
	ts_run(ts, VASI_STATE_COMPLETED, NO_LIMIT);
	if (ts_state(src) != VASI_STATE_ABORTED && ts_state(tgt) != VASI_STATE_ABORTED)
		fuzz_check(ts_state(src) == VASI_STATE_COMPLETED &&
			   ts_state(tgt) == VASI_STATE_COMPLETED);
	else
		recover(ts);
	fuzz_check(src->running != tgt->running);
	fuzz_check(same_memory(ts, src->running ? src : tgt));
}

static void create(struct fuzz *f)
{
	static const uint32_t max_op[] = { 0, 4096, 16384, 65536 };
	static const uint8_t percent[] = { 50, 100, 10, 0 };
	uint8_t how = fuzz_u8(&f->in), more = fuzz_u8(&f->in);
	struct ts_params params = {
		.seed = 1,
		.sessions = 1 + (how & 1),
		.granule = how & 2 ? 65536 : 4096,
		/* Beyond 1 MiB pages belong to the second session */
		.bytes = 128 * KIB + (how & 4 ? how & 2 ? MIB : 64 * KIB : 0),
		.buffer = more & 64 ? 64 * KIB : 8 * KIB,
		.indirect = how & 8,
		.copy_dma = how & 16,
		.all_pages = how & 32,
		.max_op = max_op[more >> 2 & 3],
		.no_zero = more & 1,
		.skip_resend = more & 2 ? 1 : 0,
	};

	f->liars = how & 128;
	f->sessions = params.sessions;
	f->ts = ts_create(&params);
	f->ts->no_home = how & 64;
	/* Suspended at once, or when the input has the signal sent */
	f->ts->suspend_signalled = more & 128;
	f->ts->resumes = resumes;
	f->ts->ctx = f;
	ts_populate(f->ts, percent[more >> 4 & 3]);
	open_again(f, false);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* What the unit tests' part asserts is a finding, with its stack */
	return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));

	fuzz_check(f);
	f->in = (struct fuzz_input) { data, size };
	create(f);
	for (unsigned int i = 0; f->in.left && i < MAX_STEPS; i++)
		step(f);
	/* A source's memory is read, never written */
	fuzz_check(f->ts->tgt.resumes || same_memory(f->ts, &f->ts->src));
	if (!f->ts->forged && !f->ts->params.skip_resend)
		finish(f);
	ts_destroy(f->ts);
	free(f);
	return 0;
}
