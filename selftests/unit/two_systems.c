// SPDX-License-Identifier: GPL-2.0-or-later
/* See two_systems.h. */
#include <sys/mman.h>
#include "two_systems.h"

#define OP_CODE		(VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS)
#define CORRELATOR_TAG	0xC0FFEE0000000000ULL
#define STEP_NS		2000

uint64_t ts_random(struct ts *ts, uint64_t below)
{
	uint64_t x = ts->rng += 0x9E3779B97F4A7C15ULL;

	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
	x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
	x ^= x >> 31;
	return below ? x % below : x;
}

/* ---- What the platform calls ---- */

static uint64_t now_ns(void *ctx)
{
	struct ts_side *side = ctx;

	return side->ts->clock_ns += STEP_NS;
}

static int record_read(void *ctx, uint64_t id, enum phyp_verdict *verdict)
{
	struct ts_side *side = ctx;

	side->record.reads++;
	if (side->record.read_error)
		return side->record.read_error;
	*verdict = side->record.id == id ? side->record.verdict :
					   PHYP_VERDICT_NONE;
	return 0;
}

static int record_write(void *ctx, uint64_t id, enum phyp_verdict verdict)
{
	struct ts_side *side = ctx;

	assert_false(side->source);
	if (side->record.write_error)
		return side->record.write_error;
	if (side->record.id == id && side->record.verdict)
		return -EEXIST;
	side->record.id = id;
	side->record.verdict = verdict;
	side->record.writes++;
	return side->record.write_lost ? -EIO : 0;
}

static void state_changed(void *ctx, struct phyp_stream *stream,
			  enum vasi_state old, enum vasi_state new)
{
	struct ts_side *side = ctx;

	(void)stream;
	(void)old;
	assert_true(side->nchanges < 16);
	side->changes[side->nchanges++] = new;
	if (side->ts->verbose)
		printf("  %s: %s\n", side->name, vasi_state_name(new));
}

static void log_line(void *ctx, int priority, const char *text)
{
	struct ts_side *side = ctx;

	(void)priority;
	if (side->ts->verbose)
		printf("  %s: %s\n", side->name, text);
}

static const struct phyp_host_ops host_ops = {
	.now_ns = now_ns,
	.record_read = record_read,
	.record_write = record_write,
	.state_changed = state_changed,
	.log = log_line,
};

static int crq_send(void *ctx, const struct vasi_crq *entry)
{
	struct ts_side *side = ctx;

	if (side->nqueue == side->queue_room) {
		side->queue_room = side->queue_room ? side->queue_room * 2 : 64;
		side->queue = realloc(side->queue, side->queue_room *
				      sizeof(*side->queue));
		assert_non_null(side->queue);
	}
	side->queue[side->nqueue++] = *entry;
	return 0;
}

static void *dma_map(void *ctx, uint32_t ioba, uint32_t length)
{
	struct ts_side *side = ctx;

	if (side->ts->params.copy_dma || length > TS_PANE_BYTES ||
	    ioba > TS_PANE_BYTES - length)
		return NULL;
	return side->pane + ioba;
}

static int dma_read(void *ctx, uint32_t ioba, void *buf, uint32_t length)
{
	struct ts_side *side = ctx;

	if (length > TS_PANE_BYTES || ioba > TS_PANE_BYTES - length)
		return -EFAULT;
	memcpy(buf, side->pane + ioba, length);
	return 0;
}

static int dma_write(void *ctx, uint32_t ioba, const void *buf, uint32_t length)
{
	struct ts_side *side = ctx;

	if (length > TS_PANE_BYTES || ioba > TS_PANE_BYTES - length)
		return -EFAULT;
	memcpy(side->pane + ioba, buf, length);
	return 0;
}

static int window_open(void *ctx, uint32_t id, struct phyp_lpar *lpar)
{
	struct ts_side *side = ctx;

	(void)id;
	assert_ptr_equal(lpar, side->lpar);
	return 0;
}

static int window_map(void *ctx, uint32_t id, uint32_t ioba, uint32_t length,
		      uint64_t offset)
{
	struct ts_side *side = ctx;
	unsigned int i;

	(void)id;
	for (i = 0; i < side->nwindow; i++)
		if (side->window[i].ioba == ioba)
			break;
	assert_true(i < 256);
	if (i == side->nwindow)
		side->nwindow++;
	side->window[i].ioba = ioba;
	side->window[i].length = length;
	side->window[i].offset = offset;
	return 0;
}

static void window_close(void *ctx, uint32_t id)
{
	struct ts_side *side = ctx;

	(void)id;
	side->nwindow = 0;
}

static const struct phyp_vdev_ops vdev_ops = {
	.crq_send = crq_send,
	.dma_map = dma_map,
	.dma_read = dma_read,
	.dma_write = dma_write,
	.window_open = window_open,
	.window_map = window_map,
	.window_close = window_close,
};

static void home_suspend(void *ctx)
{
	struct ts_side *side = ctx;

	assert_true(side->source);
	side->asked_to_suspend = true;
}

/* Is memory what the partition wrote? */
static bool faithful(const struct ts *ts)
{
	return !ts->params.skip_resend && !ts->forged;
}

/* The rule above all others */
static void home_resume(void *ctx)
{
	struct ts_side *side = ctx;
	struct ts *ts = side->ts;

	if (side->source) {
		assert_false(ts->tgt.running && !ts->twice);
		side->asked_to_suspend = false;
	} else {
		if (ts->resumes)
			ts->resumes(ts);
		assert_false(ts->src.running && !ts->twice);
		assert_int_equal(side->record.verdict, PHYP_VERDICT_RESUMED);
		assert_true(side->loaded);
		if (!ts->forged)
			assert_memory_equal(side->cpu, ts->src.cpu, TS_CPU_STATE);
	}
	side->owns = !side->source;
	side->running = !ts->params.hibernated;
	side->resumes++;
}

static long home_save_state(void *ctx, void *buf, size_t size)
{
	struct ts_side *side = ctx;

	assert_true(size >= TS_CPU_STATE);
	assert_false(side->running);
	if (side->save_error)
		return side->save_error;
	memcpy(buf, side->cpu, TS_CPU_STATE);
	return TS_CPU_STATE;
}

static int home_load_state(void *ctx, const void *buf, size_t size)
{
	struct ts_side *side = ctx;

	if (side->load_error)
		return side->load_error;
	if (size != TS_CPU_STATE)
		return -EINVAL;
	memcpy(side->cpu, buf, size);
	side->loaded = true;
	return 0;
}

static void home_pages_arrived(void *ctx, uint64_t first, uint64_t count)
{
	struct ts_side *side = ctx;
	uint32_t granule = side->ts->params.granule;
	uint64_t i;

	for (i = first; i < first + count; i++) {
		assert_true(phyp_lpar_present(side->lpar, i * granule));
		if (!faithful(side->ts))
			continue;
		assert_int_equal(memcmp(side->memory + i * granule,
					side->ts->truth + i * granule, granule),
				 0);
	}
}

static void home_aborted(void *ctx)
{
	struct ts_side *side = ctx;

	assert_false(side->running);
	side->aborted = true;
}

static void home_completed(void *ctx)
{
	struct ts_side *side = ctx;

	assert_int_equal(side->running, !side->source && !side->ts->params.hibernated);
	side->completed = true;
}

static const struct phyp_lpar_ops lpar_ops = {
	.suspend = home_suspend,
	.resume = home_resume,
	.save_state = home_save_state,
	.load_state = home_load_state,
	.pages_arrived = home_pages_arrived,
	.aborted = home_aborted,
	.completed = home_completed,
};

static bool home_look(void *ctx)
{
	((struct ts_side *)ctx)->looks++;
	return true;
}

static void home_pages_missing(void *ctx, uint64_t first, uint64_t count)
{
	struct ts_side *side = ctx;
	uint64_t i;

	for (i = first; i < first + count; i++)
		assert_false(phyp_lpar_present(side->lpar,
					       i * side->ts->params.granule));
	assert_false(side->loaded);
	side->pages_missing += count;
}

static const struct phyp_lpar_ops looking_ops = {
	.suspend = home_suspend,
	.resume = home_resume,
	.save_state = home_save_state,
	.load_state = home_load_state,
	.look = home_look,
	.pages_missing = home_pages_missing,
	.pages_arrived = home_pages_arrived,
	.aborted = home_aborted,
	.completed = home_completed,
};

/* ---- The VSP of each side ---- */

static struct ts_side *other(struct ts_side *side)
{
	return side->source ? &side->ts->tgt : &side->ts->src;
}

/* The pipe that @side's operations on a session feed */
static struct ts_pipe *pipe_out(struct ts_side *side, unsigned int session)
{
	return side->source ? &side->ts->forward[session] :
			      &side->ts->reverse[session];
}

static struct ts_pipe *pipe_in(struct ts_side *side, unsigned int session)
{
	return pipe_out(other(side), session);
}

static uint8_t service(const struct ts_side *side)
{
	return side->source ? VASI_SERVICE_SOURCE_MOVER :
			      VASI_SERVICE_TARGET_MOVER;
}

static uint32_t buffer_ioba(const struct ts_side *side, unsigned int session,
			    unsigned int buffer)
{
	return (session * TS_BUFFERS + buffer) * side->ts->params.buffer;
}

/* A descriptor's buffer, then the data of an indirect segment */
static uint32_t download_ioba(unsigned int session)
{
	return TS_DOWNLOADS + session * 3 * TS_DOWNLOAD_MAX;
}

static uint64_t buffer_correlator(unsigned int session, unsigned int buffer)
{
	return CORRELATOR_TAG | session << 8 | buffer;
}

static unsigned int session_by_top(const struct ts_side *side, uint32_t top)
{
	unsigned int i;

	for (i = 0; i < TS_SESSIONS; i++)
		if (side->session[i].top == top &&
		    (side->session[i].open || side->session[i].closing))
			return i;
	fail_msg("%s: no session has TOP %#x", side->name, top);
	return 0;
}

static void opened(struct ts_side *side, const struct vasi_msg *msg)
{
	unsigned int i;

	assert_int_equal(msg->service, service(side));
	for (i = 0; i < TS_SESSIONS; i++) {
		struct ts_session *s = &side->session[i];

		if (!s->opening)
			continue;
		s->opening = false;
		s->open = !msg->status;
		s->bottom = msg->handle;
		return;
	}
	fail_msg("an Open response that nobody awaits");
}

static void closed(struct ts_side *side, const struct vasi_msg *msg)
{
	unsigned int i = session_by_top(side, msg->handle);

	assert_int_equal(msg->status, VASI_SUCCESS);
	memset(&side->session[i], 0, sizeof(side->session[i]));
}

static void operation(struct ts_side *side, const struct vasi_msg *msg)
{
	unsigned int session = msg->data >> 8 & 0xFF;
	unsigned int buffer = msg->data & 0xFF;
	struct ts_session *s = &side->session[session];
	uint32_t ioba = buffer_ioba(side, session, buffer);
	struct ts_pipe *p = pipe_out(side, session);
	struct vasi_seg_iter it;
	struct vasi_op op;

	assert_int_equal(msg->data, buffer_correlator(session, buffer));
	assert_true(s->open || s->closing);
	assert_true(s->posted[buffer]);
	s->posted[buffer] = false;
	assert_int_equal(vasi_op_parse(side->pane + ioba,
				       side->ts->params.buffer, &op, &it),
			 VASI_SUCCESS);
	assert_int_equal(op.buffer_correlator, msg->data);
	assert_int_equal(op.top, s->top);
	assert_int_equal(op.bottom, s->bottom);
	assert_int_equal(op.op_code, OP_CODE);
	assert_int_equal(op.offset, 0);
	assert_true(p->nops < TS_BUFFERS);
	p->ops[p->nops++] = (struct ts_op) {
		.correlator = op.correlator,
		.buffer = buffer,
	};
}

static void downloaded(struct ts_side *side, const struct vasi_msg *msg)
{
	unsigned int i;

	for (i = 0; i < TS_SESSIONS; i++) {
		struct ts_session *s = &side->session[i];
		struct ts_pipe *p = pipe_in(side, i);

		if (!s->download_busy || s->top != msg->handle)
			continue;
		s->download_busy = false;
		if (msg->status)
			p->error = msg->status;
		else
			p->answered += s->download_bytes;
		side->last = *msg;
		side->nlast++;
		return;
	}
	/* Answered after its session was closed: nobody waits any more */
}

static void uploaded(struct ts_side *side, const struct vasi_msg *msg)
{
	unsigned int i = session_by_top(side, msg->handle);

	assert_int_equal(msg->control, VASI_CONTROL_PASS_THROUGH);
	assert_true(side->nmessages < 64);
	side->message[side->nmessages++] = (struct ts_message) {
		.session = i,
		.data = msg->data,
	};
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE,
		.handle = side->session[i].bottom,
		.data = msg->data,
	});
}

static void state_request(struct ts_side *side, const struct vasi_msg *msg)
{
	struct ts_session *s = &side->session[session_by_top(side, msg->handle)];

	s->states++;
	s->last_state = msg->code;
	s->last_reason = msg->reason;
}

static void take_entry(struct ts_side *side, const struct vasi_crq *entry)
{
	struct vasi_msg msg;

	assert_int_equal(entry->header, VASI_CRQ_COMMAND);
	assert_int_equal(vasi_msg_decode(&msg, entry), VASI_SUCCESS);
	switch (msg.format) {
	case VASI_FMT_OPEN | VASI_FMT_RESPONSE:
		opened(side, &msg);
		break;
	case VASI_FMT_CLOSE | VASI_FMT_RESPONSE:
		closed(side, &msg);
		return;
	case VASI_FMT_OPERATION:
		operation(side, &msg);
		return;
	case VASI_FMT_DOWNLOAD | VASI_FMT_RESPONSE:
		downloaded(side, &msg);
		return;
	case VASI_FMT_MESSAGE_UPLOAD:
		uploaded(side, &msg);
		return;
	case VASI_FMT_STATE:
		state_request(side, &msg);
		return;
	}
	side->last = msg;
	side->nlast++;
}

void ts_drain(struct ts_side *side)
{
	unsigned int i;

	/* The queue may grow, and move, while it is worked through */
	for (i = 0; i < side->nqueue; i++) {
		struct vasi_crq entry = side->queue[i];

		take_entry(side, &entry);
	}
	side->nqueue = 0;
}

static void send_only(struct ts_side *side, const struct vasi_msg *msg)
{
	struct vasi_crq entry;

	vasi_msg_encode(&entry, msg);
	phyp_crq(side->vdev, &entry);
}

void ts_send(struct ts_side *side, const struct vasi_msg *msg)
{
	send_only(side, msg);
	/* An answer to what a queued entry brought is taken by that queue's walk */
	if (msg->format != (VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE))
		ts_drain(side);
}

int64_t ts_hcall(struct ts_side *side, uint64_t number, uint64_t a0, uint64_t a1,
		 uint64_t a2, uint64_t *r4)
{
	const uint64_t arg[8] = { a0, a1, a2 };
	uint64_t ret[4] = { 0 };
	int64_t rc = phyp_hcall(side->vdev, number, arg, ret);

	ts_drain(side);
	if (r4)
		*r4 = ret[0];
	return rc;
}

int64_t ts_donate(struct ts_side *side, unsigned int session)
{
	const struct ts_session *s = &side->session[session];

	return ts_hcall(side, VASI_H_DONOR_OPERATION,
			(uint64_t)s->top << 32 | s->bottom, 0, 0, NULL);
}

enum vasi_status ts_signal(struct ts_side *side, unsigned int session,
			   uint16_t code, uint32_t reason)
{
	unsigned int before = side->nlast;

	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_SIGNAL,
		.handle = side->session[session].bottom,
		.code = code,
		.reason = reason,
	});
	assert_int_equal(side->nlast, before + 1);
	assert_int_equal(side->last.format, VASI_FMT_SIGNAL | VASI_FMT_RESPONSE);
	return side->last.status;
}

void ts_stats(const struct ts_side *side, struct phyp_stream_stats *stats)
{
	phyp_stream_stats(side->stream, stats);
}

enum vasi_state ts_state(const struct ts_side *side)
{
	const uint64_t arg[8] = { TS_STREAM_ID };
	uint64_t ret[4] = { 0 };

	assert_int_equal(phyp_hcall(side->vdev, VASI_H_STATE, arg, ret),
			 VASI_RC_SUCCESS);
	return ret[0];
}

static void post_buffer(struct ts_side *side, unsigned int session,
			unsigned int i)
{
	__be64 correlator = __builtin_bswap64(buffer_correlator(session, i));
	struct ts_session *s = &side->session[session];
	uint32_t ioba = buffer_ioba(side, session, i);

	assert_false(s->posted[i]);
	memcpy(side->pane + ioba, &correlator, sizeof(correlator));
	s->posted[i] = true;
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_ADD_BUFFER,
		.handle = s->bottom,
		.data = vasi_desc_make(side->ts->params.buffer, ioba),
	});
	assert_int_equal(side->last.format,
			 VASI_FMT_ADD_BUFFER | VASI_FMT_RESPONSE);
	assert_int_equal(side->last.status, VASI_SUCCESS);
}

void ts_post_buffers(struct ts_side *side, unsigned int session)
{
	unsigned int i;

	for (i = 0; i < TS_BUFFERS; i++)
		post_buffer(side, session, i);
}

void ts_open_side(struct ts_side *side, unsigned int session)
{
	struct ts_session *s = &side->session[session];

	memset(s, 0, sizeof(*s));
	s->top = (side->source ? 0x10000 : 0x20000) + ++side->ts->tops;
	s->opening = true;
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_OPEN,
		.service = service(side),
		.handle = s->top,
		.data = TS_STREAM_ID,
	});
	assert_false(s->opening);
}

static void negotiate(struct ts_side *side)
{
	struct vasi_caps caps = {
		.features = VASI_CAP_MULTIPLE_OPENS |
			    VASI_CAP_ADD_BUFFER_INDIRECT |
			    VASI_CAP_DOWNLOAD_IMMEDIATE |
			    VASI_CAP_DOWNLOAD_INDIRECT,
		.operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE,
		.opens = TS_SESSIONS,
	};

	if (side->ts->params.indirect)
		caps.operations |= VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_CAPABILITIES,
		.service = service(side),
		.caps = caps,
	});
	assert_int_equal(side->last.status, VASI_SUCCESS);
	assert_int_equal(side->last.caps.opens, TS_SESSIONS);
	assert_int_equal(side->last.caps.operations &
			 VASI_CAP_OP_WRITE_SEQ_INDIRECT,
			 caps.operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT);
}

void ts_open(struct ts *ts)
{
	unsigned int i;

	negotiate(&ts->src);
	negotiate(&ts->tgt);
	for (i = 0; i < ts->params.sessions; i++) {
		ts_open_side(&ts->tgt, i);
		if (ts->tgt.session[i].open)
			ts_post_buffers(&ts->tgt, i);
		ts_open_side(&ts->src, i);
		if (ts->src.session[i].open)
			ts_post_buffers(&ts->src, i);
	}
}

void ts_drop_pipes(struct ts *ts)
{
	unsigned int i;

	for (i = 0; i < TS_SESSIONS; i++) {
		free(ts->forward[i].bytes);
		free(ts->reverse[i].bytes);
		memset(&ts->forward[i], 0, sizeof(ts->forward[i]));
		memset(&ts->reverse[i], 0, sizeof(ts->reverse[i]));
	}
	ts->src.nmessages = 0;
	ts->tgt.nmessages = 0;
}

void ts_close_side(struct ts_side *side)
{
	unsigned int i, tries;

	for (i = 0; i < TS_SESSIONS; i++) {
		struct ts_session *s = &side->session[i];

		if (!s->open)
			continue;
		s->closing = true;
		ts_send(side, &(struct vasi_msg) {
			.format = VASI_FMT_CLOSE,
			.handle = s->bottom,
		});
		for (tries = 0; s->open && tries < 100; tries++)
			ts_donate(side, i);
		assert_false(s->open);
	}
}

void ts_reset_side(struct ts_side *side)
{
	phyp_vdev_reset(side->vdev);
	side->nqueue = 0;
	memset(side->session, 0, sizeof(side->session));
}

void ts_close(struct ts *ts)
{
	ts_close_side(&ts->src);
	ts_close_side(&ts->tgt);
	ts_drop_pipes(ts);
}

/* ---- The mover ---- */

static void append(struct ts_pipe *p, const void *data, size_t n)
{
	if (p->nbytes + n > p->room) {
		p->room = (p->nbytes + n) * 2;
		p->bytes = realloc(p->bytes, p->room);
		assert_non_null(p->bytes);
	}
	memcpy(p->bytes + p->nbytes, data, n);
	p->nbytes += n;
	p->gathered += n;
}

static const uint8_t *second_pane(const struct ts_side *side, uint32_t ioba,
				  uint32_t length)
{
	unsigned int i;

	for (i = 0; i < side->nwindow; i++) {
		uint32_t at = ioba - side->window[i].ioba;

		if (ioba < side->window[i].ioba ||
		    at >= side->window[i].length)
			continue;
		assert_true(length <= side->window[i].length - at);
		assert_true(side->window[i].offset + at + length <=
			    side->ts->params.bytes);
		return side->memory + side->window[i].offset + at;
	}
	fail_msg("%s: %#x is nowhere in the second pane", side->name, ioba);
	return NULL;
}

/* Take the bytes of the oldest operation that was not gathered yet */
bool ts_gather(struct ts *ts, struct ts_pipe *p, struct ts_side *from,
	       unsigned int session)
{
	struct vasi_seg_iter it;
	struct vasi_segment seg;
	struct vasi_op op;
	unsigned int i;
	int ret;

	for (i = 0; i < p->nops && p->ops[i].gathered; i++)
		;
	if (i == p->nops || p->held)
		return false;
	assert_int_equal(vasi_op_parse(from->pane +
				       buffer_ioba(from, session,
						   p->ops[i].buffer),
				       ts->params.buffer, &op, &it),
			 VASI_SUCCESS);
	while ((ret = vasi_op_next(&it, &seg)) > 0) {
		if (seg.kind == VASI_SEG_IMMEDIATE) {
			append(p, seg.data, seg.length);
		} else {
			assert_int_equal(seg.kind, VASI_SEG_INDIRECT);
			assert_true(ts->params.indirect);
			append(p, second_pane(from, seg.ioba, seg.length),
			       seg.length);
		}
	}
	assert_int_equal(ret, 0);
	p->ops[i].gathered = true;
	p->ops[i].end = p->gathered;
	if (from->source)
		ts->forward_bytes = p->gathered;
	return true;
}

static uint32_t put_indirect(struct vasi_seg_builder *b, struct ts_side *to,
			     unsigned int session, const uint8_t *data,
			     uint32_t n)
{
	uint32_t ioba = download_ioba(session) + 2 * TS_DOWNLOAD_MAX;

	memcpy(to->pane + ioba, data, n);
	assert_int_equal(vasi_download_add_indirect(b, n, ioba), 0);
	return n;
}

static uint32_t put_immediate(struct vasi_seg_builder *b, const uint8_t *data,
			      uint32_t n)
{
	void *at = vasi_seg_add_immediate(b, n);

	assert_non_null(at);
	memcpy(at, data, n);
	return n;
}

/* One download of @n bytes, in one to three segments, immediate or indirect */
static void send_download(struct ts_side *to, unsigned int session,
			  const uint8_t *data, uint32_t n, unsigned int form)
{
	uint32_t ioba = download_ioba(session), at = 0, bytes;
	struct ts_session *s = &to->session[session];
	struct vasi_seg_builder b;

	assert_false(s->download_busy);
	assert_int_equal(vasi_download_begin(&b, to->pane + ioba,
					     2 * TS_DOWNLOAD_MAX,
					     0xD000 + session), 0);
	if (form > 0 && n > 1)
		at += put_immediate(&b, data, n / 2);
	if (form > 1)
		at += put_indirect(&b, to, session, data + at, n - at);
	else
		at += put_immediate(&b, data + at, n - at);
	bytes = vasi_seg_end(&b, to->pane + ioba);
	s->download_busy = true;
	s->download_bytes = n;
	ts_send(to, &(struct vasi_msg) {
		.format = VASI_FMT_DOWNLOAD,
		.handle = s->bottom,
		.data = vasi_desc_make(bytes, ioba),
	});
}

bool ts_download(struct ts *ts, struct ts_pipe *p, struct ts_side *to,
		 unsigned int session, uint32_t bytes)
{
	struct ts_session *s = &to->session[session];

	if (p->held || !p->nbytes || !s->open || s->download_busy || p->error)
		return false;
	if (bytes > p->nbytes)
		bytes = p->nbytes;
	if (bytes > TS_DOWNLOAD_MAX)
		bytes = TS_DOWNLOAD_MAX;
	send_download(to, session, p->bytes, bytes, ts_random(ts, 3));
	p->nbytes -= bytes;
	memmove(p->bytes, p->bytes + bytes, p->nbytes);
	p->downloaded += bytes;
	return true;
}

enum vasi_status ts_download_raw(struct ts_side *side, unsigned int session,
				 const void *data, uint32_t length)
{
	struct ts_session *s = &side->session[session];
	unsigned int before = side->nlast, tries;

	send_download(side, session, data, length, 0);
	for (tries = 0; s->download_busy && tries < 100; tries++)
		ts_donate(side, session);
	assert_false(s->download_busy);
	assert_true(side->nlast > before);
	return side->last.status;
}

/* Answer the oldest operation when the other platform has taken all of it */
bool ts_answer(struct ts_pipe *p, struct ts_side *from, unsigned int session)
{
	struct ts_op op = p->ops[0];

	if (!p->nops || !op.gathered || op.end > p->answered || p->error)
		return false;
	p->nops--;
	memmove(p->ops, p->ops + 1, p->nops * sizeof(p->ops[0]));
	ts_send(from, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = VASI_SUCCESS,
		.data = op.correlator,
	});
	post_buffer(from, session, op.buffer);
	return true;
}

bool ts_deliver_message(struct ts *ts, struct ts_side *from)
{
	struct ts_message m = from->message[0];
	struct ts_side *to = other(from);

	(void)ts;
	if (!from->nmessages)
		return false;
	from->nmessages--;
	memmove(from->message, from->message + 1,
		from->nmessages * sizeof(from->message[0]));
	if (!to->session[m.session].open)
		return true;
	ts_send(to, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_DOWNLOAD,
		.control = VASI_CONTROL_PASS_THROUGH,
		.handle = to->session[m.session].bottom,
		.data = m.data,
	});
	return true;
}

/* ---- The partition ---- */

static uint64_t page_count(const struct ts *ts)
{
	return ts->params.bytes / ts->params.granule;
}

void ts_write(struct ts *ts, struct ts_side *side, uint64_t offset,
	      uint32_t length, bool zero)
{
	uint32_t i;

	assert_true(side->running);
	if (zero)
		memset(side->memory + offset, 0, length);
	for (i = 0; !zero && i < length; i++)
		side->memory[offset + i] = ts_random(ts, 256);
	memcpy(ts->truth + offset, side->memory + offset, length);
	phyp_lpar_mark(side->lpar, offset, length);
}

/* Write somewhere within one page, or wait for it */
void ts_home_write(struct ts *ts)
{
	struct ts_side *side = ts->tgt.running ? &ts->tgt : &ts->src;
	uint32_t granule = ts->params.granule;
	uint64_t page = ts_random(ts, page_count(ts));
	uint32_t length = 1 + ts_random(ts, 32);
	uint32_t at = ts_random(ts, granule - length);

	if (!side->running)
		return;
	if (!phyp_lpar_present(side->lpar, page * granule)) {
		phyp_lpar_demand(side->lpar, page * granule);
		ts_drain(side);
		return;
	}
	if (faithful(ts))
		assert_int_equal(memcmp(side->memory + page * granule,
					ts->truth + page * granule, granule), 0);
	if (ts_random(ts, 8))
		ts_write(ts, side, page * granule + at, length, false);
	else
		ts_write(ts, side, page * granule, granule, true);
}

void ts_populate(struct ts *ts, unsigned int percent)
{
	uint64_t page;

	for (page = 0; page < page_count(ts); page++) {
		uint64_t offset = page * ts->params.granule;

		if (ts_random(ts, 100) >= percent)
			continue;
		if (ts_random(ts, 4))
			ts_write(ts, &ts->src, offset + ts_random(ts, 4000), 64,
				 false);
		else
			ts_write(ts, &ts->src, offset, 64, true);
	}
}

unsigned int ts_pages_different(struct ts *ts)
{
	uint32_t granule = ts->params.granule;
	unsigned int n = 0;
	uint64_t page;

	for (page = 0; page < page_count(ts); page++)
		n += !!memcmp(ts->tgt.memory + page * granule,
			      ts->truth + page * granule, granule);
	return n;
}

static void assert_completed(struct ts *ts)
{
	assert_int_equal(ts_state(&ts->src), VASI_STATE_COMPLETED);
	assert_int_equal(ts_state(&ts->tgt), VASI_STATE_COMPLETED);
	assert_false(ts->src.running);
	assert_true(ts->tgt.running);
	assert_true(ts->src.completed && ts->tgt.completed);
	assert_int_equal(ts->tgt.resumes, 1);
	assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_RESUMED);
	assert_memory_equal(ts->tgt.cpu, ts->src.cpu, TS_CPU_STATE);
}

void ts_assert_moved(struct ts *ts)
{
	assert_completed(ts);
	if (!ts->params.sparse)
		assert_int_equal(ts_pages_different(ts), 0);
}

/* ---- Acting ---- */

/* Nothing executes; the target's partition is its own by its record only */
static void check_hibernated(const struct ts *ts, enum vasi_state src,
			     enum vasi_state tgt)
{
	bool owns = ts->tgt.owns;

	assert_false(ts->src.running || ts->tgt.running);
	assert_int_not_equal(src, VASI_STATE_RESUMED);
	assert_int_not_equal(tgt, VASI_STATE_RESUMED);
	assert_int_equal(owns, ts->tgt.record.verdict == PHYP_VERDICT_RESUMED);
	if (src == VASI_STATE_COMPLETED || tgt == VASI_STATE_COMPLETED)
		assert_true(owns);
	if (src != VASI_STATE_COMPLETED && src != VASI_STATE_SUSPENDED)
		assert_false(owns);
	if (tgt == VASI_STATE_ABORTED)
		assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
}

void ts_check_invariants(struct ts *ts)
{
	enum vasi_state src = ts_state(&ts->src), tgt = ts_state(&ts->tgt);

	if (ts->params.hibernated) {
		check_hibernated(ts, src, tgt);
		return;
	}

	assert_false(ts->src.running && ts->tgt.running && !ts->twice);
	if (ts->tgt.running)
		assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_RESUMED);
	if (src == VASI_STATE_RESUMED || src == VASI_STATE_COMPLETED)
		assert_false(ts->src.running);
	if (src == VASI_STATE_ENABLED || src == VASI_STATE_ABORTED)
		assert_true(ts->src.running);
	if (tgt == VASI_STATE_RESUMED || tgt == VASI_STATE_COMPLETED)
		assert_true(ts->tgt.running);
	else
		assert_false(ts->tgt.running);
	if (tgt == VASI_STATE_ABORTED)
		assert_int_equal(ts->tgt.record.verdict, PHYP_VERDICT_NEVER);
}

static bool act_suspend(struct ts *ts)
{
	struct ts_side *src = &ts->src;

	if (src->asked_to_suspend) {
		src->asked_to_suspend = false;
		src->running = false;
		phyp_lpar_suspended(src->lpar);
		ts_drain(src);
		return true;
	}
	if (ts->suspend_signalled || ts->home_writes || !src->session[0].open ||
	    ts_state(src) != VASI_STATE_ENABLED)
		return false;
	ts->suspend_signalled = true;
	assert_int_equal(ts_signal(src, 0, VASI_SIGNAL_SUSPEND, 0),
			 VASI_SUCCESS);
	return true;
}

static bool act_home(struct ts *ts)
{
	if (ts->no_home || (!ts->home_writes && !ts->tgt.running))
		return false;
	if (ts->home_writes)
		ts->home_writes--;
	ts_home_write(ts);
	return ts->home_writes;
}

/* Stream bytes that a side has sent or taken */
static uint64_t bytes_done(const struct ts_side *side)
{
	struct phyp_stream_stats stats;

	ts_stats(side, &stats);
	return stats.bytes;
}

static bool act_donate(struct ts_side *side, unsigned int session)
{
	uint64_t before = bytes_done(side);
	int64_t rc;

	if (!side->session[session].open)
		return false;
	rc = ts_donate(side, session);
	assert_true(rc == VASI_RC_SUCCESS || rc == VASI_RC_IN_PROGRESS ||
		    rc == VASI_RC_ABORTED ||
		    (rc >= VASI_RC_LONG_BUSY_1_MSEC &&
		     rc <= VASI_RC_LONG_BUSY_100_SEC));
	return rc == VASI_RC_IN_PROGRESS || bytes_done(side) != before;
}

static uint32_t some_bytes(struct ts *ts)
{
	return 1 + ts_random(ts, ts_random(ts, 4) ? TS_DOWNLOAD_MAX : 64);
}

static bool act(struct ts *ts, enum ts_action action, unsigned int i)
{
	bool did;

	switch (action) {
	case TS_DONATE_SRC:
		return act_donate(&ts->src, i);
	case TS_DONATE_TGT:
		return act_donate(&ts->tgt, i);
	case TS_GATHER:
		return ts_gather(ts, &ts->forward[i], &ts->src, i);
	case TS_DOWNLOAD:
		return ts_download(ts, &ts->forward[i], &ts->tgt, i,
				   some_bytes(ts));
	case TS_ANSWER:
		did = ts_answer(&ts->forward[i], &ts->src, i);
		did |= ts_answer(&ts->reverse[i], &ts->tgt, i);
		return did;
	case TS_REVERSE:
		did = ts_gather(ts, &ts->reverse[i], &ts->tgt, i);
		did |= ts_download(ts, &ts->reverse[i], &ts->src, i,
				   some_bytes(ts));
		return did;
	case TS_MESSAGE_SRC:
		return ts_deliver_message(ts, &ts->src);
	case TS_MESSAGE_TGT:
		return ts_deliver_message(ts, &ts->tgt);
	case TS_HOME:
		return act_home(ts);
	default:
		return act_suspend(ts);
	}
}

bool ts_act(struct ts *ts, enum ts_action action, unsigned int session)
{
	bool did = act(ts, action, session);

	ts_check_invariants(ts);
	return did;
}

static bool both_in(struct ts *ts, enum vasi_state state)
{
	return ts_state(&ts->src) == state && ts_state(&ts->tgt) == state;
}

unsigned int ts_run(struct ts *ts, enum vasi_state state, unsigned int limit)
{
	unsigned int n = 0, idle = 0;

	/* Only what did something counts: a cut after n actions is never idle */
	while (n < limit && idle < 4 && !both_in(ts, state)) {
		unsigned int action, i;

		idle++;
		for (i = 0; i < ts->params.sessions; i++) {
			for (action = 0; action < TS_ACTIONS; action++) {
				if (!ts_act(ts, action, i))
					continue;
				idle = 0;
				if (++n >= limit || both_in(ts, state))
					return n;
			}
		}
	}
	return n;
}

unsigned int ts_run_random(struct ts *ts, enum vasi_state state,
			   unsigned int limit)
{
	unsigned int n;

	for (n = 0; n < limit && !both_in(ts, state); n++)
		ts_act(ts, ts_random(ts, TS_ACTIONS),
		       ts_random(ts, ts->params.sessions));
	return n;
}

/* ---- Beginning and end ---- */

void ts_hibernate(struct ts *ts)
{
	ts->src.running = false;
	ts->home_writes = 0;
}

/* Costs memory only where it is touched */
static void *map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	/* What is touched is to be counted in pages, where it is */
	madvise(at, bytes, MADV_NOHUGEPAGE);
	return at;
}

/* From the heap, where a sanitizer watches its ends, unless it is sparse */
static uint8_t *make_memory(const struct ts_params *params)
{
	uint8_t *memory;

	if (params->sparse)
		return map(params->bytes);
	memory = aligned_alloc(65536, (params->bytes + 65535) & ~65535ULL);
	assert_non_null(memory);
	memset(memory, 0, params->bytes);
	return memory;
}

static void create_side(struct ts *ts, struct ts_side *side, bool source)
{
	struct phyp_vdev_params params = {
		.unit_address = source ? 0x30000001 : 0x30000002,
		.crq_bytes = 65536,
		.buffer_pools = 4,
		.streams = 4,
		.opens = TS_SESSIONS,
		.indirect = true,
	};
	unsigned int i;

	side->ts = ts;
	side->source = source;
	side->name = source ? "source" : "target";
	side->pane = map(TS_PANE_BYTES);
	side->memory = make_memory(&ts->params);
	for (i = 0; source && i < TS_CPU_STATE; i++)
		side->cpu[i] = ts_random(ts, 256);
	side->phyp = phyp_create(&host_ops, side);
	assert_non_null(side->phyp);
	side->vdev = phyp_vdev_create(side->phyp, &params, &vdev_ops, side);
	assert_non_null(side->vdev);
	side->lpar = phyp_lpar_create(side->phyp, side->memory, ts->params.bytes,
				      ts->params.granule,
				      ts->params.looks ? &looking_ops : &lpar_ops,
				      side);
	assert_non_null(side->lpar);
	side->running = source;
}

static void create_stream(struct ts_side *side)
{
	const struct ts_params *p = &side->ts->params;
	struct phyp_stream_params params = {
		.id = TS_STREAM_ID,
		.role = side->source ? PHYP_SOURCE : PHYP_TARGET,
		.lpar = side->lpar,
		.vdev = side->vdev,
		.all_pages_before_resume = p->all_pages,
		.hold_resume = p->hold_resume && !side->source,
		.max_op_bytes = p->max_op,
		.skip_resend = p->skip_resend,
		.no_zero_detection = p->no_zero,
		.hibernated = p->hibernated,
	};

	assert_int_equal(phyp_stream_create(side->phyp, &params, &side->stream),
			 0);
}

struct ts *ts_create(const struct ts_params *params)
{
	struct ts *ts = calloc(1, sizeof(*ts));

	assert_non_null(ts);
	ts->params = *params;
	ts->rng = params->seed;
	ts->clock_ns = 1;
	if (!ts->params.sessions)
		ts->params.sessions = 1;
	if (!ts->params.granule)
		ts->params.granule = 4096;
	if (!ts->params.bytes)
		ts->params.bytes = 256 * KIB;
	if (!ts->params.buffer)
		ts->params.buffer = 64 * KIB;
	assert_true(TS_SESSIONS * TS_BUFFERS * ts->params.buffer <=
		    TS_DOWNLOADS);
	ts->verbose = getenv("TS_VERBOSE");
	ts->truth = map(ts->params.bytes);
	create_side(ts, &ts->src, true);
	create_side(ts, &ts->tgt, false);
	create_stream(&ts->src);
	create_stream(&ts->tgt);
	return ts;
}

static void destroy_side(struct ts_side *side)
{
	phyp_destroy(side->phyp);
	free(side->queue);
	munmap(side->pane, TS_PANE_BYTES);
	if (side->ts->params.sparse)
		munmap(side->memory, side->ts->params.bytes);
	else
		free(side->memory);
}

void ts_destroy(struct ts *ts)
{
	ts_drop_pipes(ts);
	destroy_side(&ts->src);
	destroy_side(&ts->tgt);
	munmap(ts->truth, ts->params.bytes);
	free(ts);
}
