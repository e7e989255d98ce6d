// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a source sends, in what order, on which session.
 *
 * A session of the incarnation goes through: START; pages of its own chunks,
 * pass after pass; once the partition is suspended the bitmap and the processor
 * state (the first session) and HANDOVER (every one); then final pages, any of
 * them; then END.  See Documentation/platform-stream.rst for the records and
 * for why a page has one session before the hand-over.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

#define CHUNK_BYTES		(1u << 20)
/*
 * A demanded page waits behind what its session has queued: keep that to what movers
 * take in so much more time than an operation without data takes
 */
#define FINAL_QUEUED_NS		5000000ULL
#define FINAL_TRIP_MOST_NS	1000000000ULL
#define FINAL_QUEUED_MOST	(8u << 20)
#define FINAL_QUEUED_LEAST	(32u << 10)
#define FINAL_OP_BYTES		(256u << 10)
#define RATE_SAMPLE_NS		20000000ULL
/* A look follows a pass of so many bytes at once, and others after so long */
#define LOOK_BYTES		(1u << 20)
#define LOOK_NS			20000000ULL
/* Payload of one BITMAP or STATE record */
#define PIECE_BYTES		4096

/* Records lie in buffers at any address */
struct packed_word {
	__be64 bits;
} __attribute__((packed));

/* An operation being put together */
struct op_build {
	struct phyp_stream *stream;
	struct phyp_session *s;
	struct phyp_buffer *b;
	struct phyp_pages *pages;
	struct vasi_seg_builder seg;
	bool indirect;
	uint64_t max_bytes;
};

enum fill {
	FILL_MORE,		/* something was added; there may be more */
	FILL_NONE,		/* nothing to send on this session now */
	FILL_FULL,		/* there is more, but not in this operation */
};

static uint64_t pages_per_chunk(const struct phyp_pages *pages)
{
	return CHUNK_BYTES >> pages->shift;
}

static struct phyp_pages *pages_of(const struct phyp_stream *stream)
{
	return &stream->params.lpar->pages;
}

/* ---- Putting records into an operation ---- */

static bool has_room(const struct op_build *op, uint32_t bytes)
{
	return vasi_seg_room(&op->seg) >= bytes + VASI_SEG_IMMEDIATE_BYTES &&
	       op->b->bytes + bytes <= op->max_bytes;
}

/* A record with its payload, all immediate; the payload's address, or NULL */
static void *add_record(struct op_build *op, uint8_t type, uint8_t flags,
			uint32_t length, uint64_t arg, uint32_t count)
{
	uint32_t bytes = sizeof(struct phyp_record) + length;
	struct phyp_record *r;

	if (!has_room(op, bytes))
		return NULL;
	r = vasi_seg_add_immediate(&op->seg, bytes);
	if (!r)
		return NULL;
	phyp_record_encode(r, type, flags, length, arg, count);
	op->b->bytes += bytes;
	return r + 1;
}

static bool remember_run(struct phyp_buffer *b, uint64_t first, uint32_t count)
{
	struct phyp_run *last = b->nruns ? &b->runs[b->nruns - 1] : NULL;

	if (last && last->first + last->count == first) {
		last->count += count;
		return true;
	}
	if (b->nruns == PHYP_OP_RUNS)
		return false;
	b->runs[b->nruns++] = (struct phyp_run) { first, count };
	return true;
}

static bool can_remember(const struct phyp_buffer *b)
{
	return b->nruns < PHYP_OP_RUNS;
}

/* How many of @count pages fit as one PAGES record in immediate form */
static uint64_t fit_immediate(const struct op_build *op, uint64_t count)
{
	uint64_t room = vasi_seg_room(&op->seg);
	uint64_t fixed = VASI_SEG_IMMEDIATE_BYTES + sizeof(struct phyp_record);
	uint64_t n;

	if (op->max_bytes - op->b->bytes < room)
		room = op->max_bytes - op->b->bytes;
	if (room < fixed)
		return 0;
	n = (room - fixed) >> op->pages->shift;
	return n < count ? n : count;
}

/* As much of the session's unfinished page as fits */
static enum fill fill_rest(struct op_build *op)
{
	struct phyp_source_session *ss = &op->s->source;
	uint64_t room = vasi_seg_room(&op->seg);
	uint64_t n = ss->rest_bytes;
	void *data;

	if (room <= VASI_SEG_IMMEDIATE_BYTES || op->b->bytes >= op->max_bytes)
		return FILL_FULL;
	room -= VASI_SEG_IMMEDIATE_BYTES;
	if (n > room)
		n = room;
	if (n > op->max_bytes - op->b->bytes)
		n = op->max_bytes - op->b->bytes;
	data = vasi_seg_add_immediate(&op->seg, n);
	if (!data)
		return FILL_FULL;
	memcpy(data, op->pages->base + ss->rest_offset, n);
	/* Were the session lost now, the page would have to go again */
	remember_run(op->b, ss->rest_offset >> op->pages->shift, 1);
	op->b->bytes += n;
	ss->rest_offset += n;
	ss->rest_bytes -= n;
	return FILL_MORE;
}

/* A page that is larger than a whole buffer goes in pieces */
static uint64_t begin_page(struct op_build *op, uint8_t flags, uint64_t page)
{
	struct phyp_source_session *ss = &op->s->source;
	uint32_t bytes = phyp_granule(op->pages);
	struct phyp_record *r;

	if (op->b->bytes)
		return 0;
	r = vasi_seg_add_immediate(&op->seg, sizeof(*r));
	if (!r)
		return 0;
	phyp_record_encode(r, PHYP_REC_PAGES, flags, bytes, page, 1);
	op->b->bytes += sizeof(*r);
	ss->rest_offset = page << op->pages->shift;
	ss->rest_bytes = bytes;
	fill_rest(op);
	return 1;
}

static uint64_t add_pages_immediate(struct op_build *op, uint8_t flags,
				    uint64_t first, uint64_t count)
{
	uint64_t n = fit_immediate(op, count);
	void *data;

	if (!n)
		return begin_page(op, flags, first);
	data = add_record(op, PHYP_REC_PAGES, flags, n << op->pages->shift,
			  first, n);
	if (!data)
		return 0;
	memcpy(data, phyp_page(op->pages, first), n << op->pages->shift);
	return n;
}

/* How many of @count pages fit as one PAGES record in indirect form */
static uint64_t fit_indirect(const struct op_build *op, uint64_t count)
{
	uint64_t room;
	uint64_t n;

	/* A lone page may have been larger than the limit */
	if (op->b->bytes >= op->max_bytes)
		return 0;
	room = op->max_bytes - op->b->bytes;
	if (room < sizeof(struct phyp_record) ||
	    vasi_seg_room(&op->seg) < VASI_SEG_IMMEDIATE_BYTES +
				      sizeof(struct phyp_record) +
				      VASI_SEG_INDIRECT_BYTES)
		return 0;
	n = (room - sizeof(struct phyp_record)) >> op->pages->shift;
	/* A lone page larger than the rest of the limit still has to go */
	if (!n && !op->b->bytes)
		n = 1;
	return n < count ? n : count;
}

static uint64_t add_pages_indirect(struct op_build *op, uint8_t flags,
				   uint64_t first, uint64_t count)
{
	uint64_t n = fit_indirect(op, count);
	uint32_t length = n << op->pages->shift;
	struct phyp_record *r;
	uint32_t ioba;
	int slot;

	if (!n)
		return 0;
	slot = phyp_pane_map(op->stream, op->s->vdev, first << op->pages->shift,
			     &length, &ioba);
	if (slot < 0 || (op->b->slot >= 0 && op->b->slot != slot))
		return 0;
	n = length >> op->pages->shift;

	/* Not add_record(): the payload is elsewhere */
	r = vasi_seg_add_immediate(&op->seg, sizeof(*r));
	if (!r)
		return 0;
	phyp_record_encode(r, PHYP_REC_PAGES, flags, length, first, n);
	if (vasi_op_add_indirect(&op->seg, length, ioba))
		return 0;
	if (op->b->slot < 0) {
		phyp_pane_get(op->s->vdev, slot);
		op->b->slot = slot;
	}
	op->b->bytes += sizeof(*r) + length;
	return n;
}

static uint64_t add_pages(struct op_build *op, uint8_t flags, uint64_t first,
			  uint64_t count)
{
	uint64_t n;

	if (op->indirect)
		n = add_pages_indirect(op, flags, first, count);
	else
		n = add_pages_immediate(op, flags, first, count);
	op->stream->stats.pages += n;
	return n;
}

static uint64_t add_zeros(struct op_build *op, uint8_t flags, uint64_t first,
			  uint64_t count)
{
	if (!add_record(op, PHYP_REC_ZERO, flags, 0, first, count))
		return 0;
	op->stream->stats.zero_pages += count;
	return count;
}

/* Pages from @first that are alike, zero or not; *zero says which */
static uint64_t alike(const struct op_build *op, uint64_t first, uint64_t count,
		      bool *zero)
{
	uint32_t bytes = phyp_granule(op->pages);
	uint64_t n;

	*zero = false;
	if (op->stream->params.no_zero_detection)
		return count;
	*zero = phyp_page_is_zero(phyp_page(op->pages, first), bytes);
	for (n = 1; n < count; n++)
		if (phyp_page_is_zero(phyp_page(op->pages, first + n), bytes) !=
		    *zero)
			break;
	return n;
}

/* ---- Fault injection ---- */

/*
 * The page that is not to be sent again, once it was chosen, never is: were it
 * sent after all when it is dirtied once more, the injected fault would heal.
 */
static bool skip_page(struct phyp_stream *stream, uint64_t page)
{
	struct phyp_source *src = &stream->source;

	if (!stream->params.skip_resend)
		return false;
	if (src->skip_page == UINT64_MAX &&
	    phyp_bitmap_test(&src->sent_once, page) &&
	    ++src->resent_seen == stream->params.skip_resend) {
		src->skip_page = page;
		phyp_log(stream->phyp, LOG_WARNING,
			 "stream %016llx: fault injection: page %llu is not sent again",
			 (unsigned long long)stream->params.id,
			 (unsigned long long)page);
	}
	return src->skip_page == page;
}

static uint64_t cut_at_skipped(struct phyp_stream *stream, uint64_t first,
			       uint64_t count)
{
	uint64_t n;

	if (!stream->params.skip_resend)
		return count;
	for (n = 0; n < count; n++)
		if (skip_page(stream, first + n))
			break;
	return n;
}

/* ---- Sending runs of pages ---- */

static void account_sent(struct phyp_stream *stream, uint64_t first,
			 uint64_t count)
{
	uint64_t fresh = phyp_bitmap_add(&stream->source.sent_once, first, count);

	stream->stats.resent += count - fresh;
}

/*
 * Send the run [first, +count), which was taken from the dirty set, as far as it
 * fits.  What does not is dirty again.
 */
static uint64_t send_run(struct op_build *op, uint8_t flags, uint64_t first,
			 uint64_t count)
{
	uint64_t sent = 0;

	while (sent < count && can_remember(op->b)) {
		uint64_t at = first + sent;
		uint64_t left = cut_at_skipped(op->stream, at, count - sent);
		uint64_t n;
		bool zero;

		if (!left) {
			sent++;
			continue;
		}
		left = alike(op, at, left, &zero);
		n = zero ? add_zeros(op, flags, at, left) :
			   add_pages(op, flags, at, left);
		if (!n)
			break;
		remember_run(op->b, at, n);
		account_sent(op->stream, at, n);
		sent += n;
	}
	if (sent < count)
		phyp_bitmap_add(&op->pages->dirty, first + sent, count - sent);
	return sent;
}

/* End of the chunk that holds @page, within the memory */
static uint64_t chunk_end(const struct phyp_pages *pages, uint64_t page)
{
	uint64_t end = (page | (pages_per_chunk(pages) - 1)) + 1;

	return end < pages->count ? end : pages->count;
}

/* First dirty page at or after @from in a chunk of session @index, or count */
static uint64_t next_own(const struct phyp_pages *pages, uint64_t from,
			 unsigned int index, unsigned int members)
{
	uint64_t per_chunk = pages_per_chunk(pages);

	while (from < pages->count) {
		uint64_t chunk;

		from = phyp_bitmap_next(&pages->dirty, from, pages->count);
		if (from >= pages->count)
			break;
		chunk = from / per_chunk;
		if (chunk % members == index)
			return from;
		chunk += (index + members - chunk % members) % members;
		from = chunk * per_chunk;
	}
	return pages->count;
}

/*
 * What the next pass is made of: at once after a pass worth the name.  After a small one
 * not that soon: a partition that only waits to be suspended would be sent its few
 * busiest pages a thousand times a second.
 */
static void look_again(struct phyp_stream *stream, uint64_t pages)
{
	struct phyp_source *src = &stream->source;
	uint64_t now = stream->phyp->ops->now_ns(stream->phyp->ctx);

	if (pages << pages_of(stream)->shift < LOOK_BYTES &&
	    now - src->looked_ns < LOOK_NS)
		return;
	src->looked_ns = now;
	phyp_stream_look(stream);
}

static enum fill end_pass(struct op_build *op)
{
	struct phyp_source_session *ss = &op->s->source;

	if (!ss->pass_pages) {
		ss->cursor = 0;
		look_again(op->stream, 0);
		return FILL_NONE;
	}
	if (!add_record(op, PHYP_REC_PASS, 0, 0, ss->pass,
			op->stream->source.members))
		return FILL_FULL;
	look_again(op->stream, ss->pass_pages);
	ss->cursor = 0;
	ss->pass++;
	ss->pass_pages = 0;
	return FILL_MORE;
}

static enum fill fill_own_pages(struct op_build *op)
{
	struct phyp_source_session *ss = &op->s->source;
	struct phyp_pages *pages = op->pages;
	uint64_t first, count, sent;

	ss->cursor = next_own(pages, ss->cursor, ss->index,
			      op->stream->source.members);
	if (ss->cursor >= pages->count)
		return end_pass(op);

	count = phyp_bitmap_take(&pages->dirty, ss->cursor,
				 chunk_end(pages, ss->cursor),
				 pages_per_chunk(pages), &first);
	if (!count)
		return FILL_NONE;
	sent = send_run(op, 0, first, count);
	ss->cursor = first + sent;
	ss->pass_pages += sent;
	return sent == count ? FILL_MORE : FILL_FULL;
}

/* ---- The hand-over ---- */

/* Processor state is taken once: nothing executes any more */
static bool save_state(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;
	struct phyp_lpar *lpar = stream->params.lpar;
	uint8_t *state;
	long bytes;

	if (src->state)
		return true;
	state = malloc(PHYP_MAX_CPU_STATE);
	if (!state)
		return false;
	bytes = lpar->ops->save_state(lpar->ctx, state, PHYP_MAX_CPU_STATE);
	if (bytes <= 0 || bytes > PHYP_MAX_CPU_STATE) {
		phyp_log(stream->phyp, LOG_ERR,
			 "stream %016llx: processor state not saved: %ld",
			 (unsigned long long)stream->params.id, bytes);
		free(state);
		return false;
	}
	/* Give back what is not used; shrinking cannot lose the contents */
	src->state = realloc(state, bytes);
	if (!src->state)
		src->state = state;
	src->state_bytes = bytes;
	return true;
}

static void freeze_bitmap(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;
	struct phyp_pages *pages = pages_of(stream);

	if (src->skip_page != UINT64_MAX)
		phyp_bitmap_remove(&pages->dirty, src->skip_page, 1);
	src->bitmap_pages = phyp_bitmap_count(&pages->dirty);
	src->bitmap_next = 0;
	src->frozen = true;
}

/* Payload bytes that one BITMAP or STATE record may have in this operation */
static uint32_t piece_room(const struct op_build *op)
{
	uint32_t fixed = VASI_SEG_IMMEDIATE_BYTES + sizeof(struct phyp_record);
	uint64_t room = vasi_seg_room(&op->seg);

	if (op->max_bytes - op->b->bytes < room)
		room = op->max_bytes - op->b->bytes;
	if (room <= fixed)
		return 0;
	return room - fixed < PIECE_BYTES ? room - fixed : PIECE_BYTES;
}

static enum fill fill_bitmap(struct op_build *op)
{
	struct phyp_source *src = &op->stream->source;
	struct phyp_pages *pages = op->pages;
	uint64_t first, word, words, i;
	struct packed_word *out;

	first = phyp_bitmap_next(&pages->dirty, src->bitmap_next, pages->count);
	if (first >= pages->count) {
		src->bitmap_sent = true;
		return FILL_MORE;
	}
	word = first / 64;
	words = (pages->count + 63) / 64 - word;
	if (words > piece_room(op) / sizeof(*out))
		words = piece_room(op) / sizeof(*out);
	for (i = 0; i < words; i++)
		if (!phyp_bitmap_word(&pages->dirty, word + i))
			break;
	if (!i)
		return FILL_FULL;
	out = add_record(op, PHYP_REC_BITMAP, 0, i * sizeof(*out), word * 64, i);
	if (!out)
		return FILL_FULL;
	for (words = i, i = 0; i < words; i++)
		out[i].bits = __cpu_to_be64(phyp_bitmap_word(&pages->dirty,
							     word + i));
	src->bitmap_next = (word + words) * 64;
	return FILL_MORE;
}

static enum fill fill_state(struct op_build *op)
{
	struct phyp_source *src = &op->stream->source;
	uint32_t n = src->state_bytes - src->state_sent;
	void *out;

	if (n > piece_room(op))
		n = piece_room(op);
	if (!n)
		return FILL_FULL;
	out = add_record(op, PHYP_REC_STATE, 0, n, src->state_sent,
			 src->state_bytes);
	if (!out)
		return FILL_FULL;
	memcpy(out, src->state + src->state_sent, n);
	src->state_sent += n;
	return FILL_MORE;
}

static enum fill fill_handover(struct op_build *op)
{
	struct phyp_source *src = &op->stream->source;
	struct phyp_source_session *ss = &op->s->source;

	if (!src->frozen) {
		if (!save_state(op->stream)) {
			src->broken = true;
			return FILL_NONE;
		}
		freeze_bitmap(op->stream);
	}
	if (!ss->index && !src->bitmap_sent)
		return fill_bitmap(op);
	if (!ss->index && src->state_sent < src->state_bytes)
		return fill_state(op);
	if (!add_record(op, PHYP_REC_HANDOVER, 0, 0, src->bitmap_pages,
			src->members))
		return FILL_FULL;
	ss->handed_over = true;
	return FILL_MORE;
}

/* ---- After the hand-over ---- */

/* What somebody waits for comes before what somebody may want next */
static struct phyp_demands *next_demands(struct phyp_source *src)
{
	return phyp_demands_empty(&src->demands) ? &src->around : &src->demands;
}

static enum fill fill_demanded(struct op_build *op)
{
	struct phyp_source *src = &op->stream->source;
	struct phyp_demands *demands = next_demands(src);
	struct phyp_run run;
	uint64_t first, count, sent;

	for (; phyp_demands_pop(demands, &run); demands = next_demands(src)) {
		/* However long the run: no more is looked at than may fit */
		count = phyp_bitmap_take(&op->pages->dirty, run.first,
					 run.first + run.count,
					 pages_per_chunk(op->pages), &first);
		if (!count)
			continue;	/* it is on its way already */
		op->stream->stats.demanded += count;
		sent = send_run(op, PHYP_REC_FINAL, first, count);
		src->final_pages += sent;
		/* The rest of the run: what did not fit, or lies behind a gap */
		run.count -= first + sent - run.first;
		if (run.count)
			phyp_demands_push(demands, first + sent, run.count);
		return sent == count ? FILL_MORE : FILL_FULL;
	}
	return FILL_NONE;
}

static enum fill fill_final_pages(struct op_build *op)
{
	struct phyp_source *src = &op->stream->source;
	struct phyp_pages *pages = op->pages;
	uint64_t first, count, sent;

	count = phyp_bitmap_take(&pages->dirty, src->cursor, pages->count,
				 pages_per_chunk(pages), &first);
	if (!count) {
		if (!src->cursor)
			return FILL_NONE;
		src->cursor = 0;	/* what did not fit lies behind */
		return FILL_MORE;
	}
	sent = send_run(op, PHYP_REC_FINAL, first, count);
	src->cursor = first + sent;
	src->final_pages += sent;
	return sent == count ? FILL_MORE : FILL_FULL;
}

static enum fill fill_end(struct op_build *op)
{
	struct phyp_source *src = &op->stream->source;

	if (op->s->source.ended || phyp_bitmap_count(&op->pages->dirty))
		return FILL_NONE;
	if (!add_record(op, PHYP_REC_END, 0, 0, src->final_pages, src->members))
		return FILL_FULL;
	op->s->source.ended = true;
	return FILL_NONE;
}

static enum fill fill_final(struct op_build *op)
{
	enum fill fill;

	/* Final pages leave the set that the bitmap is made of */
	if (!op->stream->source.bitmap_sent)
		return FILL_NONE;
	fill = fill_demanded(op);
	if (fill == FILL_NONE)
		fill = fill_final_pages(op);
	if (fill == FILL_NONE)
		fill = fill_end(op);
	return fill;
}

static enum fill fill_start(struct op_build *op)
{
	struct phyp_stream *stream = op->stream;
	struct phyp_start *start;

	start = add_record(op, PHYP_REC_START, 0, sizeof(*start), 0,
			   stream->source.members);
	if (!start)
		return FILL_FULL;
	*start = (struct phyp_start) {
		.magic = __cpu_to_be64(PHYP_START_MAGIC),
		.major = __cpu_to_be16(PHYP_STREAM_MAJOR),
		.minor = __cpu_to_be16(PHYP_STREAM_MINOR),
		.granule = __cpu_to_be32(phyp_granule(op->pages)),
		.bytes = __cpu_to_be64(op->pages->bytes),
		.stream_id = __cpu_to_be64(stream->params.id),
		.incarnation = __cpu_to_be32(stream->incarnation),
		.session = __cpu_to_be16(op->s->source.index),
		.sessions = __cpu_to_be16(stream->source.members),
		.taken = __cpu_to_be32(stream->source.taken),
		.flags = __cpu_to_be32(stream->params.hibernated ?
				       PHYP_START_HIBERNATED : 0),
	};
	op->s->source.started = true;
	return FILL_MORE;
}

/* Must every dirty page go before the hand-over, and does one remain? */
static bool pages_first(const struct op_build *op)
{
	return op->stream->params.all_pages_before_resume &&
	       !op->stream->source.frozen &&
	       phyp_bitmap_count(&op->pages->dirty);
}

static enum fill fill_one(struct op_build *op)
{
	const struct phyp_source_session *ss = &op->s->source;

	if (!ss->started)
		return fill_start(op);
	if (ss->rest_bytes)
		return fill_rest(op);
	switch (op->stream->state) {
	case VASI_STATE_ENABLED:
	case VASI_STATE_SUSPENDING:
		return fill_own_pages(op);
	case VASI_STATE_SUSPENDED:
	case VASI_STATE_RESUMED:
		if (ss->handed_over)
			return fill_final(op);
		if (pages_first(op))
			return fill_own_pages(op);
		return fill_handover(op);
	default:
		return FILL_NONE;
	}
}

/* ---- Building and sending one operation ---- */

static uint64_t final_queued_bytes(const struct phyp_source *src)
{
	uint64_t ns = src->rate ? src->trip_bytes * 1000000 / src->rate * 1000 : 0;
	uint64_t bytes;

	ns = FINAL_QUEUED_NS + (src->trip_ns > ns ? src->trip_ns - ns : 0);
	bytes = src->rate * (ns / 1000) / 1000000 / src->members;
	if (bytes > FINAL_QUEUED_MOST)
		return FINAL_QUEUED_MOST;
	return bytes > FINAL_QUEUED_LEAST ? bytes : FINAL_QUEUED_LEAST;
}

static uint32_t final_op_bytes(const struct phyp_source *src)
{
	uint64_t bytes = final_queued_bytes(src);

	return bytes < FINAL_OP_BYTES ? (uint32_t)bytes : FINAL_OP_BYTES;
}

static bool worth_trying(const struct phyp_session *s)
{
	if (!s->source.member || s->failed || s->closing)
		return false;
	return !s->source.handed_over ||
	       s->queued_bytes < final_queued_bytes(&s->stream->source);
}

/* Time in which there was nothing to take says nothing of movers */
static void note_sending(struct phyp_stream *stream, struct phyp_buffer *b)
{
	struct phyp_source *src = &stream->source;
	struct phyp_session *s;
	uint64_t queued = 0;

	TAILQ_FOREACH(s, &stream->sessions, link)
		queued += s->queued_bytes;
	b->sent_ns = stream->phyp->ops->now_ns(stream->phyp->ctx);
	b->alone = !queued;
	if (queued)
		return;
	src->rate_since_ns += b->sent_ns - src->answered_ns;
	src->answered_ns = b->sent_ns;
}

/* Send one operation on @s if it has something to say; false if it has not */
static bool send_op(struct phyp_stream *stream, struct phyp_session *s)
{
	struct op_build op = {
		.stream = stream,
		.s = s,
		.pages = pages_of(stream),
		.indirect = s->vdev->caps[PHYP_SOURCE].operations &
			    VASI_CAP_OP_WRITE_SEQ_INDIRECT,
		.max_bytes = stream->params.max_op_bytes,
	};
	struct phyp_dma dma;

	if (!worth_trying(s))
		return false;
	if (s->source.handed_over && op.max_bytes > final_op_bytes(&stream->source))
		op.max_bytes = final_op_bytes(&stream->source);
	op.b = phyp_op_begin(s, &dma, &op.seg);
	if (!op.b)
		return false;
	while (fill_one(&op) == FILL_MORE)
		;
	if (!op.b->bytes) {
		phyp_op_drop(s, op.b, &dma);
		return false;
	}
	stream->stats.bytes += op.b->bytes;
	note_sending(stream, op.b);
	phyp_op_send(s, op.b, &dma, &op.seg);
	return true;
}

/* ---- Donated cycles ---- */

/* Fix the set of sessions, and which chunks each has */
static void begin_incarnation(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;
	struct phyp_session *s;

	src->members = 0;
	TAILQ_FOREACH(s, &stream->sessions, link) {
		s->source = (struct phyp_source_session) {
			.index = src->members++,
			.member = true,
			.pass = stream->stats.passes,
		};
	}
	stream->incarnation++;
	src->trip_ns = 0;
	src->begun = true;
}

static struct phyp_session *least_queued(struct phyp_stream *stream)
{
	struct phyp_session *s, *least = NULL;

	TAILQ_FOREACH(s, &stream->sessions, link)
		if (worth_trying(s) && s->source.handed_over &&
		    (!least || s->queued_bytes < least->queued_bytes))
			least = s;
	return least;
}

/* A demanded page goes at once, on the session with the least queued */
static bool serve_demands(struct phyp_stream *stream)
{
	bool progress = false;

	while (!phyp_demands_empty(next_demands(&stream->source))) {
		struct phyp_session *s = least_queued(stream);

		if (!s || !send_op(stream, s))
			break;
		progress = true;
	}
	return progress;
}

bool phyp_source_work(struct phyp_stream *stream, uint64_t deadline_ns)
{
	struct phyp_source *src = &stream->source;
	struct phyp_session *s;
	bool round = true;

	if (!stream->nsessions || src->broken)
		return false;
	if (!src->begun)
		begin_incarnation(stream);

	while (round) {
		round = serve_demands(stream);
		TAILQ_FOREACH(s, &stream->sessions, link)
			round |= send_op(stream, s);
		if (stream->phyp->ops->now_ns(stream->phyp->ctx) >= deadline_ns)
			break;
	}
	return round;
}

/* ---- What comes back ---- */

/* A page of which a part was sent and even taken, but not all of it */
static void requeue_rest(struct phyp_session *s)
{
	struct phyp_pages *pages = pages_of(s->stream);

	if (s->source.rest_bytes)
		phyp_bitmap_add(&pages->dirty,
				s->source.rest_offset >> pages->shift, 1);
	s->source.rest_bytes = 0;
}

static void requeue(struct phyp_stream *stream, const struct phyp_buffer *b)
{
	struct phyp_pages *pages = pages_of(stream);
	unsigned int i;

	for (i = 0; i < b->nruns; i++)
		phyp_bitmap_add(&pages->dirty, b->runs[i].first,
				b->runs[i].count);
}

/* Of operations that wait behind nothing: how long does one take at least? */
static void measure_trip(struct phyp_source *src, const struct phyp_buffer *b, uint64_t ns)
{
	if (!b->alone || (src->trip_ns && ns >= src->trip_ns))
		return;
	src->trip_ns = ns < FINAL_TRIP_MOST_NS ? ns : FINAL_TRIP_MOST_NS;
	src->trip_bytes = b->bytes;
}

/*
 * After the hand-over movers take no more than what is queued allows: a rate that fell
 * with that would let less be queued, and so on to the end
 */
static void measure(struct phyp_stream *stream, const struct phyp_buffer *b)
{
	struct phyp_source *src = &stream->source;
	uint64_t now = stream->phyp->ops->now_ns(stream->phyp->ctx);
	uint64_t elapsed = now - src->rate_since_ns;
	uint64_t rate;

	measure_trip(src, b, now - b->sent_ns);
	src->answered_ns = now;
	src->rate_bytes += b->bytes;
	if (elapsed < RATE_SAMPLE_NS)
		return;
	rate = src->rate_bytes * 1000000ULL / (elapsed / 1000);
	if (!src->frozen || rate > src->rate)
		src->rate = (src->rate + rate) / 2;
	src->rate_since_ns = now;
	src->rate_bytes = 0;
}

void phyp_source_responded(struct phyp_session *s, struct phyp_buffer *b,
			   enum vasi_status status)
{
	struct phyp_stream *stream = s->stream;

	if (!status) {
		stream->source.taken = stream->incarnation;
		measure(stream, b);
		return;
	}
	phyp_log(stream->phyp, LOG_WARNING,
		 "stream %016llx: the mover answered an operation with %s",
		 (unsigned long long)stream->params.id,
		 vasi_status_name(status));
	requeue(stream, b);
	s->failed = true;
	stream->source.broken = true;
	if (stream->state == VASI_STATE_ENABLED ||
	    stream->state == VASI_STATE_SUSPENDING)
		phyp_stream_abort(stream, VASI_ABORT_SOURCE_VSP, status);
}

void phyp_source_closing(struct phyp_session *s)
{
	struct phyp_stream *stream = s->stream;
	unsigned int i;

	for (i = 0; i < PHYP_MAX_BUFFERS; i++) {
		struct phyp_buffer *b = s->buffers[i];

		if (!b || b->state != PHYP_BUFFER_OPERATION)
			continue;
		if (b->slot >= 0)
			phyp_pane_put(s->vdev, b->slot);
		b->slot = -1;
		if (!phyp_stream_final(stream))
			requeue(stream, b);
	}
	if (!phyp_stream_final(stream))
		requeue_rest(s);
	if (s->source.member)
		stream->source.broken = true;
}

void phyp_source_park(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;

	src->begun = false;
	src->broken = false;
	src->frozen = false;
	src->bitmap_sent = false;
	src->state_sent = 0;
	src->cursor = 0;
	src->final_pages = 0;
	src->demands = (struct phyp_demands) { .head = 0 };
	src->around = (struct phyp_demands) { .head = 0 };
}

void phyp_source_suspended(struct phyp_stream *stream)
{
	if (stream->state != VASI_STATE_SUSPENDING)
		return;
	phyp_stream_set_state(stream, VASI_STATE_SUSPENDED, 0);
	phyp_stream_announce(stream);
}

/* ---- The reverse stream ---- */

static enum vasi_status check_demand(void *ctx, struct phyp_parser *p)
{
	const struct phyp_session *s = ctx;
	const struct phyp_pages *pages = pages_of(s->stream);

	if (p->type & PHYP_REC_SKIPPABLE)
		return VASI_SUCCESS;
	if (p->type != PHYP_REC_DEMAND || p->length || !p->count ||
	    p->arg >= pages->count || p->count > pages->count - p->arg)
		return VASI_INVALID_DOWNLOAD_DATA;
	return VASI_SUCCESS;
}

static enum vasi_status skip_payload(void *ctx, struct phyp_parser *p,
				     const uint8_t *data, uint32_t length)
{
	(void)ctx;
	(void)p;
	(void)data;
	(void)length;
	return VASI_SUCCESS;
}

static enum vasi_status take_demand(void *ctx, struct phyp_parser *p)
{
	struct phyp_session *s = ctx;

	struct phyp_source *src = &s->stream->source;

	if (p->type == PHYP_REC_DEMAND)
		phyp_demands_push(p->count == 1 ? &src->demands : &src->around, p->arg,
				  p->count);
	return VASI_SUCCESS;
}

enum vasi_status phyp_source_feed(struct phyp_session *s, const void *data,
				  uint32_t length)
{
	static const struct phyp_parser_ops ops = {
		.begin = check_demand,
		.payload = skip_payload,
		.end = take_demand,
	};

	return phyp_parse(&s->parser, data, length, &ops, s);
}

/* ---- Beginning and end ---- */

int phyp_source_init(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;
	struct phyp_pages *pages = pages_of(stream);
	int ret;

	ret = phyp_bitmap_init(&src->sent_once, pages->count);
	if (ret)
		return ret;
	src->skip_page = UINT64_MAX;
	phyp_pages_track(pages);
	return 0;
}

void phyp_source_exit(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;

	phyp_bitmap_exit(&src->sent_once);
	if (src->state)
		explicit_bzero(src->state, src->state_bytes);
	free(src->state);
}
