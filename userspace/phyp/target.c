// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a target makes of the stream: pages into memory, the hand-over once every
 * session has delivered it, missing pages on demand.  The rules are numbered on
 * Documentation/platform-stream.rst ("The target's rules").
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

#define DEMAND_AROUND		64	/* pages of 4 KiB */
#define DEMAND_AROUND_SHIFT	12

static struct phyp_pages *pages_of(const struct phyp_stream *stream)
{
	return &stream->params.lpar->pages;
}

static bool resumed(const struct phyp_stream *stream)
{
	return stream->state == VASI_STATE_RESUMED;
}

/* From here on pages are missing, or final */
static bool handed_over(const struct phyp_stream *stream)
{
	return stream->target.handover != PHYP_HANDOVER_AWAITED;
}

static enum vasi_status refuse(const struct phyp_session *s,
			       const struct phyp_parser *p, const char *what)
{
	phyp_log(s->stream->phyp, LOG_ERR,
		 "stream %016llx: refused a record of type %u: %s (arg %llu, count %u, length %u)",
		 (unsigned long long)s->stream->params.id, p->type, what,
		 (unsigned long long)p->arg, p->count, p->length);
	return VASI_INVALID_DOWNLOAD_DATA;
}

/* ---- Statistics of demanded pages ---- */

/* Buckets of a histogram: eight per power of two, in microseconds */
static unsigned int bucket_of(uint32_t us)
{
	unsigned int msb;

	if (us < 8)
		return us;
	msb = 31 - __builtin_clz(us);
	return (msb - 2) * 8 + ((us >> (msb - 3)) & 7);
}

static uint32_t bucket_value(unsigned int bucket)
{
	if (bucket < 8)
		return bucket;
	return (8u + bucket % 8) << (bucket / 8 - 1);
}

static void note_demand(struct phyp_stream *stream, uint64_t page)
{
	struct phyp_target *tgt = &stream->target;
	unsigned int i;

	for (i = 0; i < PHYP_WAITING; i++) {
		if (tgt->waiting[i].since_ns)
			continue;
		tgt->waiting[i].page = page;
		tgt->waiting[i].since_ns = stream->phyp->ops->now_ns(stream->phyp->ctx);
		return;
	}
}

static void note_arrival(struct phyp_stream *stream, uint64_t page)
{
	struct phyp_target *tgt = &stream->target;
	unsigned int i;
	uint64_t us;

	for (i = 0; i < PHYP_WAITING; i++) {
		if (!tgt->waiting[i].since_ns || tgt->waiting[i].page != page)
			continue;
		us = (stream->phyp->ops->now_ns(stream->phyp->ctx) -
		      tgt->waiting[i].since_ns) / 1000;
		if (us > UINT32_MAX)
			us = UINT32_MAX;
		tgt->waiting[i].since_ns = 0;
		tgt->latency[bucket_of(us)]++;
		if (us > tgt->latency_max_us)
			tgt->latency_max_us = us;
		return;
	}
}

void phyp_target_latency(const struct phyp_stream *stream, uint32_t us[3])
{
	const struct phyp_target *tgt = &stream->target;
	uint64_t total = 0, seen = 0;
	unsigned int i;

	us[0] = 0;
	us[1] = 0;
	us[2] = tgt->latency_max_us;
	for (i = 0; i < PHYP_LATENCY_BUCKETS; i++)
		total += tgt->latency[i];
	for (i = 0; i < PHYP_LATENCY_BUCKETS; i++) {
		if (!tgt->latency[i])
			continue;
		if (seen * 2 < total)
			us[0] = bucket_value(i);
		if (seen * 100 < total * 99)
			us[1] = bucket_value(i);
		seen += tgt->latency[i];
	}
}

/* ---- Everything received ---- */

static void check_received(struct phyp_stream *stream)
{
	struct phyp_target *tgt = &stream->target;

	if (stream->received || !resumed(stream) || !tgt->sessions ||
	    tgt->ends < tgt->sessions)
		return;
	if (phyp_bitmap_count(&pages_of(stream)->missing)) {
		phyp_log(stream->phyp, LOG_ERR,
			 "stream %016llx: the source has sent all, but %llu pages are missing",
			 (unsigned long long)stream->params.id,
			 (unsigned long long)phyp_bitmap_count(&pages_of(stream)->missing));
		return;
	}
	stream->received = true;
	__atomic_store_n(&pages_of(stream)->any_missing, false, __ATOMIC_SEQ_CST);
	phyp_stream_tell(stream, PHYP_MSG_RECEIVED);
}

/* ---- Pages ---- */

/* Rules 2 and 3: is this copy of the page still wanted? */
static bool wanted(const struct phyp_stream *stream, uint64_t page)
{
	if (handed_over(stream))
		return phyp_bitmap_test(&pages_of(stream)->missing, page);
	return !phyp_bitmap_test(&stream->target.final, page);
}

/* Pages [first, +count) are whole; they were wanted */
static void arrived(struct phyp_stream *stream, uint64_t first, uint64_t count,
		    bool final)
{
	struct phyp_pages *pages = pages_of(stream);
	uint64_t i;

	if (final)
		phyp_bitmap_add(&stream->target.final, first, count);
	if (!handed_over(stream))
		return;
	/* The contents are written before the bits say that they may be read */
	phyp_bitmap_remove(&pages->missing, first, count);
	for (i = 0; i < count; i++)
		note_arrival(stream, first + i);
	stream->params.lpar->ops->pages_arrived(stream->params.lpar->ctx, first,
						count);
}

/*
 * A part of a page whose contents cannot change any more, kept until whole: a
 * session that lags must not write over half of it (rule 4)
 */
static enum vasi_status stage(struct phyp_session *s, uint64_t page,
			      uint32_t at, const uint8_t *data, uint32_t n)
{
	struct phyp_stream *stream = s->stream;
	uint32_t granule = phyp_granule(pages_of(stream));

	if (!s->target.staging) {
		s->target.staging = malloc(granule);
		if (!s->target.staging)
			return VASI_HARDWARE;
	}
	memcpy(s->target.staging + at, data, n);
	if (at + n < granule || !wanted(stream, page))
		return VASI_SUCCESS;
	memcpy(phyp_page(pages_of(stream), page), s->target.staging, granule);
	phyp_bitmap_add(&pages_of(stream)->written, page, 1);
	arrived(stream, page, 1, true);
	return VASI_SUCCESS;
}

static enum vasi_status take_part(struct phyp_session *s, struct phyp_parser *p,
				  uint64_t page, uint32_t at,
				  const uint8_t *data, uint32_t n)
{
	struct phyp_pages *pages = pages_of(s->stream);
	bool final = p->flags & PHYP_REC_FINAL;

	if (!wanted(s->stream, page))
		return VASI_SUCCESS;
	if (final && n < phyp_granule(pages))
		return stage(s, page, at, data, n);
	memcpy((uint8_t *)phyp_page(pages, page) + at, data, n);
	phyp_bitmap_add(&pages->written, page, 1);
	if (final)
		arrived(s->stream, page, 1, true);
	return VASI_SUCCESS;
}

/* Whole pages before anything is final: no bit has to be looked at */
static uint32_t take_plain_run(struct phyp_session *s, struct phyp_parser *p,
			       uint64_t page, const uint8_t *data, uint32_t n)
{
	struct phyp_pages *pages = pages_of(s->stream);

	n &= ~(phyp_granule(pages) - 1);
	if (!n || p->flags & PHYP_REC_FINAL || handed_over(s->stream) ||
	    phyp_bitmap_count(&s->stream->target.final))
		return 0;
	memcpy(phyp_page(pages, page), data, n);
	phyp_bitmap_add(&pages->written, page, n >> pages->shift);
	return n;
}

static enum vasi_status take_pages(struct phyp_session *s, struct phyp_parser *p,
				   const uint8_t *data, uint32_t length)
{
	struct phyp_pages *pages = pages_of(s->stream);
	uint32_t granule = phyp_granule(pages);
	uint64_t offset = p->done;
	enum vasi_status status;

	while (length) {
		uint64_t page = p->arg + (offset >> pages->shift);
		uint32_t at = offset & (granule - 1);
		uint32_t n = granule - at < length ? granule - at : length;
		uint32_t run = at ? 0 : take_plain_run(s, p, page, data, length);

		if (run) {
			n = run;
		} else {
			status = take_part(s, p, page, at, data, n);
			if (status)
				return status;
		}
		offset += n;
		data += n;
		length -= n;
	}
	return VASI_SUCCESS;
}

static void take_zeros(struct phyp_session *s, const struct phyp_parser *p)
{
	struct phyp_stream *stream = s->stream;
	struct phyp_pages *pages = pages_of(stream);
	bool final = p->flags & PHYP_REC_FINAL;
	uint64_t page;

	for (page = p->arg; page < p->arg + p->count; page++) {
		if (!wanted(stream, page))
			continue;
		/* A shell's memory is zero where nothing was written */
		if (phyp_bitmap_test(&pages->written, page))
			memset(phyp_page(pages, page), 0, phyp_granule(pages));
		if (final)
			arrived(stream, page, 1, true);
	}
}

/* ---- The hand-over ---- */

/* Rule 3; and nobody may find what such a page held before */
static void begin_missing(struct phyp_stream *stream)
{
	struct phyp_lpar *lpar = stream->params.lpar;
	struct phyp_pages *pages = &lpar->pages;
	uint64_t from = 0, page, first;

	phyp_bitmap_merge(&pages->missing, &stream->target.residual);
	while ((page = phyp_bitmap_next(&stream->target.final, from,
					pages->count)) < pages->count) {
		phyp_bitmap_remove(&pages->missing, page, 1);
		from = page + 1;
	}
	__atomic_store_n(&pages->any_missing, true, __ATOMIC_SEQ_CST);
	if (!lpar->ops->pages_missing)
		return;
	for (first = 0; (first = phyp_bitmap_next(&pages->missing, first,
						  pages->count)) < pages->count;
	     first = page) {
		page = first + 1;
		while (page < pages->count && phyp_bitmap_test(&pages->missing, page))
			page++;
		lpar->ops->pages_missing(lpar->ctx, first, page - first);
	}
}

static void resume(struct phyp_stream *stream)
{
	struct phyp_lpar *lpar = stream->params.lpar;

	phyp_pages_count_from_here(&lpar->pages);
	phyp_stream_set_state(stream, VASI_STATE_RESUMED, 0);
	lpar->ops->resume(lpar->ctx);
	phyp_stream_tell(stream, PHYP_MSG_RESUMED);
	check_received(stream);
	phyp_stream_announce(stream);
	/* Its sessions may have closed while the home loaded: none is left to close */
	if (stream->received && !stream->nsessions)
		phyp_stream_complete(stream);
}

/*
 * The partition is this system's, and executes nowhere.  The source is the first to be
 * Completed, as LoPAR has it, unless there is nobody to hear from it.
 */
static void own(struct phyp_stream *stream)
{
	stream->received = true;
	stream->params.lpar->ops->resume(stream->params.lpar->ctx);
	phyp_stream_tell(stream, PHYP_MSG_RECEIVED);
	if (!stream->nsessions)
		phyp_stream_closed(stream);
}

/* Nothing runs here before the record says so */
static void commit(struct phyp_stream *stream)
{
	int verdict;

	if (stream->params.hold_resume)
		return;
	verdict = phyp_owner_commit(stream->phyp, stream->params.id,
				    PHYP_VERDICT_RESUMED);
	if (verdict == PHYP_VERDICT_RESUMED && stream->params.hibernated)
		own(stream);
	else if (verdict == PHYP_VERDICT_RESUMED)
		resume(stream);
	else if (verdict == PHYP_VERDICT_NEVER)
		phyp_stream_abort(stream, VASI_ABORT_ORCHESTRATOR, 0);
	/* else: undecided; the next cycles that are donated try again */
}

static bool handover_is_whole(const struct phyp_stream *stream)
{
	const struct phyp_target *tgt = &stream->target;

	/* Nobody would wait for a page that is missing */
	if (tgt->state && tgt->state_here == tgt->state_bytes &&
	    tgt->bitmap_pages == tgt->handover_pages &&
	    !(stream->params.hibernated && tgt->handover_pages))
		return true;
	phyp_log(stream->phyp, LOG_ERR,
		 "stream %016llx: the hand-over is not whole: %u of %u bytes of state, %llu of %llu pages in the bitmap",
		 (unsigned long long)stream->params.id, tgt->state_here,
		 tgt->state_bytes, (unsigned long long)tgt->bitmap_pages,
		 (unsigned long long)tgt->handover_pages);
	return false;
}

/* Rule 1 */
static void take_over(struct phyp_stream *stream)
{
	struct phyp_target *tgt = &stream->target;
	struct phyp_lpar *lpar = stream->params.lpar;
	int ret;

	if (!handover_is_whole(stream)) {
		phyp_stream_abort(stream, VASI_ABORT_PLATFORM,
				  VASI_INVALID_DOWNLOAD_DATA);
		return;
	}
	begin_missing(stream);
	tgt->handover = PHYP_HANDOVER_LOADING;
	ret = lpar->ops->load_state(lpar->ctx, tgt->state, tgt->state_bytes);
	if (ret != -EINPROGRESS)
		phyp_target_loaded(stream, ret);
}

/**
 * phyp_target_loaded - the home has taken over the partition's state, or could not
 * @stream:	target stream
 * @error:	0 or negative errno
 */
void phyp_target_loaded(struct phyp_stream *stream, int error)
{
	if (stream->target.handover != PHYP_HANDOVER_LOADING ||
	    phyp_stream_final(stream))
		return;
	if (error) {
		phyp_log(stream->phyp, LOG_ERR,
			 "stream %016llx: the partition's state could not be loaded: error %d",
			 (unsigned long long)stream->params.id, -error);
		phyp_stream_abort(stream, VASI_ABORT_PLATFORM,
				  VASI_INVALID_DOWNLOAD_DATA);
		return;
	}
	stream->target.handover = PHYP_HANDOVER_LOADED;
	commit(stream);
}

static void try_handover(struct phyp_stream *stream)
{
	const struct phyp_target *tgt = &stream->target;

	if (resumed(stream) || stream->received)
		return;
	if (tgt->handover == PHYP_HANDOVER_LOADED)
		commit(stream);
	else if (!handed_over(stream) && tgt->sessions &&
		 tgt->handovers >= tgt->sessions)
		take_over(stream);
}

static void forget_handover(struct phyp_target *tgt)
{
	tgt->handovers = 0;
	tgt->ends = 0;
	tgt->handover_seen = false;
	tgt->bitmap_pages = 0;
	tgt->state_here = 0;
	phyp_bitmap_clear(&tgt->residual);
}

/* ---- Records ---- */

static enum vasi_status check_start(struct phyp_session *s,
				    struct phyp_parser *p)
{
	if (s->target.started)
		return refuse(s, p, "a second START");
	if (p->length != sizeof(struct phyp_start) || p->arg || !p->count ||
	    p->count > UINT16_MAX)
		return refuse(s, p, "not the layout of START");
	return VASI_SUCCESS;
}

static enum vasi_status check_range(struct phyp_session *s,
				    struct phyp_parser *p)
{
	const struct phyp_pages *pages = pages_of(s->stream);
	uint64_t bytes = p->type == PHYP_REC_PAGES ?
			 (uint64_t)p->count << pages->shift : 0;

	if (!p->count || p->arg >= pages->count ||
	    p->count > pages->count - p->arg)
		return refuse(s, p, "pages beyond the partition's memory");
	if (p->length != bytes)
		return refuse(s, p, "length and number of pages disagree");
	return VASI_SUCCESS;
}

static enum vasi_status check_bitmap(struct phyp_session *s,
				     struct phyp_parser *p)
{
	uint64_t words = (pages_of(s->stream)->count + 63) / 64;

	if (p->arg % 64 || !p->count || p->arg / 64 >= words ||
	    p->count > words - p->arg / 64)
		return refuse(s, p, "bitmap beyond the partition's memory");
	if (p->length != (uint64_t)p->count * sizeof(uint64_t))
		return refuse(s, p, "length and number of words disagree");
	return VASI_SUCCESS;
}

static enum vasi_status check_state(struct phyp_session *s,
				    struct phyp_parser *p)
{
	struct phyp_target *tgt = &s->stream->target;

	if (!p->count || p->count > PHYP_MAX_CPU_STATE || !p->length ||
	    p->arg > p->count || p->length > p->count - p->arg)
		return refuse(s, p, "processor state beyond its size or the limit");
	if (handed_over(s->stream))
		return VASI_SUCCESS;
	if (p->arg != tgt->state_here || (p->arg && p->count != tgt->state_bytes))
		return refuse(s, p, "processor state out of order");
	if (p->arg)
		return VASI_SUCCESS;
	free(tgt->state);
	tgt->state = malloc(p->count);
	tgt->state_bytes = p->count;
	return tgt->state ? VASI_SUCCESS : VASI_HARDWARE;
}

static enum vasi_status check_marker(struct phyp_session *s,
				     struct phyp_parser *p)
{
	struct phyp_target *tgt = &s->stream->target;

	if (p->length || p->count != tgt->sessions)
		return refuse(s, p, "marker for another number of sessions");
	if (p->type == PHYP_REC_PASS)
		return VASI_SUCCESS;
	if (p->type == PHYP_REC_END)
		return s->target.handed_over && !s->target.ended ?
		       VASI_SUCCESS : refuse(s, p, "END before HANDOVER, or twice");
	if (s->target.handed_over)
		return refuse(s, p, "a second HANDOVER");
	if (tgt->handover_seen && tgt->handover_pages != p->arg)
		return refuse(s, p, "HANDOVER markers disagree");
	return VASI_SUCCESS;
}

static enum vasi_status begin_record(void *ctx, struct phyp_parser *p)
{
	struct phyp_session *s = ctx;

	if (!s->target.started && p->type != PHYP_REC_START)
		return refuse(s, p, "a record before START");
	if (s->target.stale)
		return VASI_SUCCESS;
	switch (p->type) {
	case PHYP_REC_START:
		return check_start(s, p);
	case PHYP_REC_PAGES:
	case PHYP_REC_ZERO:
		return check_range(s, p);
	case PHYP_REC_BITMAP:
		return check_bitmap(s, p);
	case PHYP_REC_STATE:
		return check_state(s, p);
	case PHYP_REC_PASS:
	case PHYP_REC_HANDOVER:
	case PHYP_REC_END:
		return check_marker(s, p);
	default:
		if (p->type & PHYP_REC_SKIPPABLE)
			return VASI_SUCCESS;
		return refuse(s, p, "unknown type");
	}
}

static enum vasi_status take_bitmap_word(struct phyp_session *s,
					 struct phyp_parser *p, uint64_t index,
					 uint64_t word)
{
	struct phyp_target *tgt = &s->stream->target;
	uint64_t first = p->arg + index * 64;

	while (word) {
		uint64_t page = first + __builtin_ctzll(word);

		word &= word - 1;
		if (page >= pages_of(s->stream)->count)
			return refuse(s, p, "a bit beyond the partition's memory");
		tgt->bitmap_pages += phyp_bitmap_add(&tgt->residual, page, 1);
	}
	return VASI_SUCCESS;
}

static enum vasi_status take_bitmap(struct phyp_session *s,
				    struct phyp_parser *p, const uint8_t *data,
				    uint32_t length)
{
	uint64_t index = p->done / sizeof(__be64);
	enum vasi_status status;

	while (length) {
		uint32_t want = sizeof(__be64) - p->small_bytes;
		uint32_t n = length < want ? length : want;
		__be64 word;

		memcpy(p->small + p->small_bytes, data, n);
		p->small_bytes += n;
		data += n;
		length -= n;
		if (p->small_bytes < sizeof(word))
			break;
		memcpy(&word, p->small, sizeof(word));
		p->small_bytes = 0;
		status = take_bitmap_word(s, p, index++, __be64_to_cpu(word));
		if (status)
			return status;
	}
	return VASI_SUCCESS;
}

/* Another session may have begun a state of its own since the header was checked */
static enum vasi_status take_state(struct phyp_session *s, struct phyp_parser *p,
				   const uint8_t *data, uint32_t length)
{
	struct phyp_target *tgt = &s->stream->target;

	if (p->count != tgt->state_bytes || p->arg + p->done != tgt->state_here)
		return refuse(s, p, "processor state on two sessions");
	memcpy(tgt->state + tgt->state_here, data, length);
	tgt->state_here += length;
	return VASI_SUCCESS;
}

static enum vasi_status take_payload(void *ctx, struct phyp_parser *p,
				     const uint8_t *data, uint32_t length)
{
	struct phyp_session *s = ctx;

	if (s->target.stale)
		return VASI_SUCCESS;
	switch (p->type) {
	case PHYP_REC_START:
		memcpy(p->small + p->done, data, length);
		return VASI_SUCCESS;
	case PHYP_REC_PAGES:
		return take_pages(s, p, data, length);
	case PHYP_REC_BITMAP:
		return handed_over(s->stream) ? VASI_SUCCESS :
						take_bitmap(s, p, data, length);
	case PHYP_REC_STATE:
		return handed_over(s->stream) ? VASI_SUCCESS :
						take_state(s, p, data, length);
	default:
		return VASI_SUCCESS;
	}
}

/* ---- START ---- */

static const char *start_mismatch(const struct phyp_stream *stream,
				  const struct phyp_start *start)
{
	const struct phyp_pages *pages = pages_of(stream);

	if (__be64_to_cpu(start->magic) != PHYP_START_MAGIC)
		return "magic";
	if (__be16_to_cpu(start->major) != PHYP_STREAM_MAJOR)
		return "major version";
	if (__be32_to_cpu(start->granule) != phyp_granule(pages))
		return "granule";
	if (__be64_to_cpu(start->bytes) != pages->bytes)
		return "memory size";
	if (__be64_to_cpu(start->stream_id) != stream->params.id)
		return "stream id";
	if (__be32_to_cpu(start->flags) & ~PHYP_START_HIBERNATED || !start->incarnation)
		return "flags or incarnation";
	if (__be32_to_cpu(start->flags) !=
	    (stream->params.hibernated ? PHYP_START_HIBERNATED : 0))
		return "whether the partition is hibernated";
	return NULL;
}

/* Processors may have been waiting since before the connection was lost */
static void demand_again(struct phyp_stream *stream)
{
	struct phyp_target *tgt = &stream->target;
	struct phyp_pages *pages = pages_of(stream);
	uint64_t from = 0, page;

	tgt->demands.head = 0;
	tgt->demands.tail = 0;
	while ((page = phyp_bitmap_next(&tgt->demanded, from,
					pages->count)) < pages->count) {
		from = page + 1;
		if (phyp_bitmap_test(&pages->missing, page))
			phyp_demands_push(&tgt->demands, page, 1);
	}
}

/* Rule 6 */
static void begin_incarnation(struct phyp_session *first, uint32_t incarnation,
			      uint32_t sessions)
{
	struct phyp_stream *stream = first->stream;
	struct phyp_session *s;

	stream->incarnation = incarnation;
	stream->target.sessions = sessions;
	TAILQ_FOREACH(s, &stream->sessions, link)
		if (s->target.started)
			s->target.stale = true;
	first->target.started = true;
	forget_handover(&stream->target);
	if (resumed(stream))
		phyp_stream_tell(stream, PHYP_MSG_RESUMED);
	if (stream->received)
		phyp_stream_tell(stream, PHYP_MSG_RECEIVED);
	if (handed_over(stream))
		demand_again(stream);
}

static enum vasi_status take_start(struct phyp_session *s,
				   struct phyp_parser *p)
{
	const struct phyp_start *start = (const void *)p->small;
	struct phyp_stream *stream = s->stream;
	uint32_t incarnation = __be32_to_cpu(start->incarnation);
	uint32_t sessions = __be16_to_cpu(start->sessions);
	const char *mismatch = start_mismatch(stream, start);

	if (mismatch) {
		phyp_log(stream->phyp, LOG_ERR,
			 "stream %016llx: START does not match this system: %s",
			 (unsigned long long)stream->params.id, mismatch);
		return VASI_INVALID_DOWNLOAD_DATA;
	}
	if (sessions != p->count || __be16_to_cpu(start->session) >= sessions)
		return refuse(s, p, "session index beyond their number");
	/* Those pages will not come again */
	if (__be32_to_cpu(start->taken) > stream->incarnation)
		return refuse(s, p, "another target, or this one before it was restarted, has taken a part");

	if (incarnation > stream->incarnation)
		begin_incarnation(s, incarnation, sessions);
	else if (incarnation < stream->incarnation)
		s->target.stale = true;
	else if (sessions != stream->target.sessions)
		return refuse(s, p, "sessions disagree about their number");
	s->target.started = true;
	return VASI_SUCCESS;
}

static enum vasi_status end_record(void *ctx, struct phyp_parser *p)
{
	struct phyp_session *s = ctx;
	struct phyp_stream *stream = s->stream;
	struct phyp_target *tgt = &stream->target;

	if (s->target.stale)
		return VASI_SUCCESS;
	switch (p->type) {
	case PHYP_REC_START:
		return take_start(s, p);
	case PHYP_REC_PAGES:
		stream->stats.pages += p->count;
		break;
	case PHYP_REC_ZERO:
		take_zeros(s, p);
		stream->stats.zero_pages += p->count;
		break;
	case PHYP_REC_PASS:
		s->target.pass = p->arg + 1;
		break;
	case PHYP_REC_HANDOVER:
		s->target.handed_over = true;
		tgt->handover_seen = true;
		tgt->handover_pages = p->arg;
		tgt->handovers++;
		try_handover(stream);
		break;
	case PHYP_REC_END:
		s->target.ended = true;
		tgt->ends++;
		check_received(stream);
		break;
	}
	/* The hand-over may have failed, and the stream with it */
	return stream->state == VASI_STATE_ABORTED ? VASI_STREAM_ABORTED :
						     VASI_SUCCESS;
}

enum vasi_status phyp_target_feed(struct phyp_session *s, const void *data,
				  uint32_t length)
{
	static const struct phyp_parser_ops ops = {
		.begin = begin_record,
		.payload = take_payload,
		.end = end_record,
	};

	s->stream->stats.bytes += length;
	return phyp_parse(&s->parser, data, length, &ops, s);
}

/* ---- Demanding pages ---- */

static struct phyp_session *least_queued(struct phyp_stream *stream)
{
	struct phyp_session *s, *least = NULL;

	TAILQ_FOREACH(s, &stream->sessions, link)
		if (!s->failed && !s->closing && !s->target.stale &&
		    s->target.started &&
		    (!least || s->queued_bytes < least->queued_bytes))
			least = s;
	return least;
}

static void fill_demands(struct phyp_stream *stream, struct phyp_buffer *b,
			 struct vasi_seg_builder *seg)
{
	struct phyp_run run;
	struct phyp_record *r;

	while (vasi_seg_room(seg) >= VASI_SEG_IMMEDIATE_BYTES + sizeof(*r)) {
		if (!phyp_demands_pop(&stream->target.demands, &run))
			break;
		r = vasi_seg_add_immediate(seg, sizeof(*r));
		phyp_record_encode(r, PHYP_REC_DEMAND, 0, 0, run.first,
				   run.count);
		b->bytes += sizeof(*r);
	}
}

/* Put what is demanded into one operation on the session with the least queued */
static bool send_demands(struct phyp_stream *stream)
{
	struct phyp_session *s = least_queued(stream);
	struct vasi_seg_builder seg;
	struct phyp_buffer *b;
	struct phyp_dma dma;

	b = s ? phyp_op_begin(s, &dma, &seg) : NULL;
	if (!b)
		return false;
	fill_demands(stream, b, &seg);
	phyp_op_send(s, b, &dma, &seg);
	return true;
}

void phyp_target_work(struct phyp_stream *stream)
{
	if (stream->abort_pending)
		phyp_stream_abort_reason(stream, stream->abort_reason);
	/* It may be that the record says RESUMED after all */
	if (!phyp_stream_final(stream))
		try_handover(stream);
	while (!phyp_stream_final(stream) &&
	       !phyp_demands_empty(&stream->target.demands)) {
		if (!send_demands(stream))
			break;
	}
}

/*
 * Who touches a page touches those beside it next: a guest's page of 64 KiB alone has
 * sixteen.  They do not keep another page waiting that somebody waits for.
 */
static void demand_around(struct phyp_stream *stream, uint64_t page)
{
	const struct phyp_pages *pages = pages_of(stream);
	uint64_t first = page & ~(uint64_t)(DEMAND_AROUND - 1);
	uint64_t count = pages->count - first;

	if (pages->shift != DEMAND_AROUND_SHIFT)
		return;
	phyp_demands_push(&stream->target.demands, first,
			  count < DEMAND_AROUND ? count : DEMAND_AROUND);
}

/**
 * phyp_target_demand - a processor waits for a page
 * @stream:	target stream
 * @page:	the page
 *
 * Goes out at once rather than with the next donated cycles: somebody waits.
 */
void phyp_target_demand(struct phyp_stream *stream, uint64_t page)
{
	struct phyp_target *tgt = &stream->target;

	if (!handed_over(stream) || page >= pages_of(stream)->count ||
	    !phyp_bitmap_test(&pages_of(stream)->missing, page) ||
	    !phyp_bitmap_add(&tgt->demanded, page, 1))
		return;
	stream->stats.demanded++;
	note_demand(stream, page);
	phyp_demands_push(&tgt->demands, page, 1);
	demand_around(stream, page);
	phyp_target_work(stream);
}

uint64_t phyp_target_bytes_left(const struct phyp_stream *stream)
{
	const struct phyp_pages *pages = pages_of(stream);
	uint64_t here;

	if (stream->received)
		return 0;
	if (handed_over(stream))
		return phyp_bitmap_count(&pages->missing) << pages->shift;
	here = phyp_bitmap_count(&pages->written);
	return (pages->count - here) << pages->shift;
}

/* ---- Beginning and end ---- */

int phyp_target_init(struct phyp_stream *stream)
{
	struct phyp_target *tgt = &stream->target;
	uint64_t pages = pages_of(stream)->count;
	int ret;

	ret = phyp_bitmap_init(&tgt->final, pages);
	if (ret)
		return ret;
	ret = phyp_bitmap_init(&tgt->residual, pages);
	if (ret)
		goto err_exit_final;
	ret = phyp_bitmap_init(&tgt->demanded, pages);
	if (ret)
		goto err_exit_residual;
	return 0;

err_exit_residual:
	phyp_bitmap_exit(&tgt->residual);
err_exit_final:
	phyp_bitmap_exit(&tgt->final);
	return ret;
}

void phyp_target_exit(struct phyp_stream *stream)
{
	struct phyp_target *tgt = &stream->target;

	phyp_bitmap_exit(&tgt->demanded);
	phyp_bitmap_exit(&tgt->residual);
	phyp_bitmap_exit(&tgt->final);
	if (tgt->state)
		explicit_bzero(tgt->state, tgt->state_bytes);
	free(tgt->state);
}

void phyp_target_closing(struct phyp_session *s)
{
	free(s->target.staging);
	s->target.staging = NULL;
}
