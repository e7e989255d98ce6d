// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sets of pages, and what is known of a partition's pages.
 *
 * Who adds and who takes race on purpose: a processor of the partition writes
 * a page and then adds it; the owner takes it and then reads the page.  Both sides
 * change level 0 with a sequentially consistent read-modify-write, so that
 * either the taker's later reads see the write, or the add comes after the take
 * and is found the next time.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "common/util.h"
#include "phyp/pages.h"

#define WORD_BITS	64
#define TOP_WORDS	16	/* a level this small needs none above it */

static uint64_t words_for(uint64_t bits)
{
	return (bits + WORD_BITS - 1) / WORD_BITS;
}

static uint64_t *map_level(uint64_t words)
{
	void *p = mmap(NULL, words * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/**
 * phyp_bitmap_init - an empty set
 * @bm:		the set
 * @bits:	pages of its domain, at least one
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int phyp_bitmap_init(struct phyp_bitmap *bm, uint64_t bits)
{
	uint64_t n = bits;

	memset(bm, 0, sizeof(*bm));
	if (!bits)
		return -EINVAL;
	bm->bits = bits;
	do {
		n = words_for(n);
		if (bm->levels == ARRAY_SIZE(bm->level))
			goto err_exit;
		bm->level[bm->levels] = map_level(n);
		if (!bm->level[bm->levels])
			goto err_exit;
		bm->words[bm->levels++] = n;
	} while (n > TOP_WORDS);
	return 0;

err_exit:
	phyp_bitmap_exit(bm);
	return -ENOMEM;
}

void phyp_bitmap_exit(struct phyp_bitmap *bm)
{
	unsigned int i;

	for (i = 0; i < bm->levels; i++)
		munmap(bm->level[i], bm->words[i] * sizeof(uint64_t));
	memset(bm, 0, sizeof(*bm));
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static uint64_t mask_from(uint64_t bit, uint64_t count)
{
	uint64_t mask = count >= WORD_BITS ? UINT64_MAX : (1ULL << count) - 1;

	return mask << (bit % WORD_BITS);
}

/* Bits of the word that holds @first which belong to [first, +count) */
static uint64_t span(uint64_t first, uint64_t count)
{
	uint64_t room = WORD_BITS - first % WORD_BITS;

	return count < room ? count : room;
}

/* The words above @word of level 0 say that it is not empty */
static void summarise(struct phyp_bitmap *bm, uint64_t word)
{
	unsigned int l;

	for (l = 1; l < bm->levels; l++) {
		uint64_t bit = 1ULL << (word % WORD_BITS);

		word /= WORD_BITS;
		if (load(&bm->level[l][word]) & bit)
			continue;
		__atomic_fetch_or(&bm->level[l][word], bit, __ATOMIC_SEQ_CST);
	}
}

/*
 * A word of level 0 has become empty: so may those above it.  Somebody may add
 * to it right now, and have seen the summary still set; hence the second look.
 */
static void unsummarise(struct phyp_bitmap *bm, uint64_t word)
{
	unsigned int l;

	for (l = 1; l < bm->levels; l++) {
		uint64_t *above = &bm->level[l][word / WORD_BITS];
		uint64_t bit = 1ULL << (word % WORD_BITS);

		if (load(&bm->level[l - 1][word]))
			return;
		__atomic_fetch_and(above, ~bit, __ATOMIC_SEQ_CST);
		if (load(&bm->level[l - 1][word])) {
			__atomic_fetch_or(above, bit, __ATOMIC_SEQ_CST);
			return;
		}
		word /= WORD_BITS;
	}
}

/**
 * phyp_bitmap_add - add pages [@first, +@count)
 * @bm:		the set
 * @first:	within the domain
 * @count:	likewise
 *
 * Any thread.  A full barrier even where nothing changes: a caller that looked
 * first and skipped the write could have its own store to the page still in the
 * store buffer while the taker clears the bit and reads the old contents.
 *
 * Return: how many pages were not in the set.
 */
uint64_t phyp_bitmap_add(struct phyp_bitmap *bm, uint64_t first, uint64_t count)
{
	uint64_t fresh = 0;

	while (count) {
		uint64_t word = first / WORD_BITS;
		uint64_t n = span(first, count);
		uint64_t mask = mask_from(first, n);
		uint64_t old = __atomic_fetch_or(&bm->level[0][word], mask,
						 __ATOMIC_SEQ_CST);

		fresh += __builtin_popcountll(mask & ~old);
		if (mask & ~old)
			summarise(bm, word);
		first += n;
		count -= n;
	}
	if (fresh)
		__atomic_fetch_add(&bm->set, fresh, __ATOMIC_RELAXED);
	return fresh;
}

/* Returns those of @mask that were set */
static uint64_t remove_mask(struct phyp_bitmap *bm, uint64_t word, uint64_t mask)
{
	uint64_t old = __atomic_fetch_and(&bm->level[0][word], ~mask,
					  __ATOMIC_SEQ_CST);

	if (old && !(old & ~mask))
		unsummarise(bm, word);
	return old & mask;
}

static uint64_t remove_found(struct phyp_bitmap *bm, uint64_t first,
			     uint64_t end)
{
	uint64_t gone = 0;

	while ((first = phyp_bitmap_next(bm, first, end)) < end) {
		uint64_t n = span(first, end - first);

		gone += __builtin_popcountll(remove_mask(bm, first / WORD_BITS,
							 mask_from(first, n)));
		first += n;
	}
	return gone;
}

uint64_t phyp_bitmap_remove(struct phyp_bitmap *bm, uint64_t first,
			    uint64_t count)
{
	uint64_t n = count ? span(first, count) : 0;
	uint64_t gone;

	/*
	 * Look for pages to remove: an empty set is not even read, let alone
	 * written, word for word.  Within one word that is more than it saves.
	 */
	if (n < count)
		gone = remove_found(bm, first, first + count);
	else
		gone = __builtin_popcountll(remove_mask(bm, first / WORD_BITS,
							mask_from(first, n)));
	if (gone)
		__atomic_fetch_sub(&bm->set, gone, __ATOMIC_RELAXED);
	return gone;
}

uint64_t phyp_bitmap_take_word(struct phyp_bitmap *bm, uint64_t index,
			       uint64_t mask)
{
	uint64_t taken = remove_mask(bm, index, mask);

	if (taken)
		__atomic_fetch_sub(&bm->set, __builtin_popcountll(taken),
				   __ATOMIC_RELAXED);
	return taken;
}

bool phyp_bitmap_test(const struct phyp_bitmap *bm, uint64_t bit)
{
	return bit < bm->bits && load(&bm->level[0][bit / WORD_BITS]) &
	       1ULL << (bit % WORD_BITS);
}

uint64_t phyp_bitmap_count(const struct phyp_bitmap *bm)
{
	int64_t set = __atomic_load_n(&bm->set, __ATOMIC_RELAXED);

	/* A page may be taken before the thread that added it has counted it */
	return set > 0 ? set : 0;
}

uint64_t phyp_bitmap_word(const struct phyp_bitmap *bm, uint64_t index)
{
	return index < bm->words[0] ? load(&bm->level[0][index]) : 0;
}

/* First bit of level @l at or after @from, or UINT64_MAX */
static uint64_t next_at(const struct phyp_bitmap *bm, unsigned int l,
			uint64_t from)
{
	uint64_t word = from / WORD_BITS;
	uint64_t bits;

	while (word < bm->words[l]) {
		bits = load(&bm->level[l][word]) & UINT64_MAX << (from % WORD_BITS);
		if (bits)
			return word * WORD_BITS + __builtin_ctzll(bits);
		/* The level above knows which word is the next to look at */
		word = l + 1 < bm->levels ? next_at(bm, l + 1, word + 1) : word + 1;
		if (word == UINT64_MAX)
			break;
		from = word * WORD_BITS;
	}
	return UINT64_MAX;
}

uint64_t phyp_bitmap_next(const struct phyp_bitmap *bm, uint64_t from,
			  uint64_t to)
{
	uint64_t bit = from < to ? next_at(bm, 0, from) : to;

	return bit < to ? bit : to;
}

/* Length of the run of set bits in @bits from @bit on, within the word */
static uint64_t run_in_word(uint64_t bits, uint64_t bit)
{
	uint64_t clear = ~(bits >> (bit % WORD_BITS));
	uint64_t n = clear ? (uint64_t)__builtin_ctzll(clear) : WORD_BITS;
	uint64_t room = WORD_BITS - bit % WORD_BITS;

	return n < room ? n : room;
}

uint64_t phyp_bitmap_take(struct phyp_bitmap *bm, uint64_t from, uint64_t to,
			  uint64_t max, uint64_t *first)
{
	uint64_t bit = phyp_bitmap_next(bm, from, to);
	uint64_t taken = 0;

	if (max > to - bit)
		max = to - bit;
	*first = bit;
	while (taken < max) {
		uint64_t word = (bit + taken) / WORD_BITS;
		uint64_t n = run_in_word(phyp_bitmap_word(bm, word), bit + taken);

		if (n > max - taken)
			n = max - taken;
		if (!n)
			break;
		/* Only the owner removes: what was set still is */
		remove_mask(bm, word, mask_from(bit + taken, n));
		taken += n;
		if ((bit + taken) % WORD_BITS)
			break;
	}
	if (taken)
		__atomic_fetch_sub(&bm->set, taken, __ATOMIC_RELAXED);
	return taken;
}

/* Nobody may add meanwhile */
void phyp_bitmap_clear(struct phyp_bitmap *bm)
{
	unsigned int i;

	for (i = 0; i < bm->levels; i++)
		madvise(bm->level[i], bm->words[i] * sizeof(uint64_t),
			MADV_DONTNEED);
	__atomic_store_n(&bm->set, 0, __ATOMIC_RELAXED);
}

void phyp_bitmap_merge(struct phyp_bitmap *bm, const struct phyp_bitmap *from)
{
	uint64_t bit = 0;

	while ((bit = phyp_bitmap_next(from, bit, from->bits)) < from->bits) {
		uint64_t word = phyp_bitmap_word(from, bit / WORD_BITS);
		uint64_t n = run_in_word(word, bit);

		phyp_bitmap_add(bm, bit, n);
		bit += n;
	}
}

/* ---- A partition's pages ---- */

/**
 * phyp_pages_init - a partition whose pages were never written
 * @p:		to be filled in
 * @base:	the memory, zeroed, aligned to 4096 bytes
 * @bytes:	its size, a multiple of @granule
 * @granule:	4096 or 65536
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int phyp_pages_init(struct phyp_pages *p, void *base, uint64_t bytes,
		    uint32_t granule)
{
	int ret;

	memset(p, 0, sizeof(*p));
	if (!base || (uintptr_t)base % 4096 || !bytes || bytes % 4096 ||
	    (granule != 4096 && granule != 65536) || bytes % granule)
		return -EINVAL;
	p->base = base;
	p->bytes = bytes;
	p->shift = __builtin_ctz(granule);
	p->count = bytes >> p->shift;

	ret = phyp_bitmap_init(&p->written, p->count);
	if (!ret)
		ret = phyp_bitmap_init(&p->dirty, p->count);
	if (!ret)
		ret = phyp_bitmap_init(&p->missing, p->count);
	if (!ret)
		ret = phyp_bitmap_init(&p->since_resume, p->count);
	if (ret)
		phyp_pages_exit(p);
	return ret;
}

void phyp_pages_exit(struct phyp_pages *p)
{
	int i;

	phyp_bitmap_exit(&p->written);
	phyp_bitmap_exit(&p->dirty);
	phyp_bitmap_exit(&p->missing);
	phyp_bitmap_exit(&p->since_resume);
	for (i = 0; i < PHYP_MAX_VIEWS; i++)
		phyp_bitmap_exit(&p->view[i]);
	memset(p, 0, sizeof(*p));
}

static bool flag(const bool *f)
{
	return __atomic_load_n(f, __ATOMIC_SEQ_CST);
}

/**
 * phyp_pages_mark - bytes [@offset, +@length) were written
 * @p:		the partition's pages
 * @offset:	into the memory
 * @length:	bytes; what lies beyond the memory is ignored
 *
 * Any thread, after the write.
 */
void phyp_pages_mark(struct phyp_pages *p, uint64_t offset, uint64_t length)
{
	uint64_t first, count;
	int i;

	if (!length || offset >= p->bytes)
		return;
	if (length > p->bytes - offset)
		length = p->bytes - offset;
	first = offset >> p->shift;
	count = ((offset + length - 1) >> p->shift) - first + 1;

	/*
	 * Not to be skipped where the pages are in already: whoever sets a flag
	 * below and then copies @written must find either this add's barrier
	 * behind it, and with that the write, or be seen here.
	 */
	phyp_bitmap_add(&p->written, first, count);
	if (flag(&p->tracking))
		phyp_bitmap_add(&p->dirty, first, count);
	if (flag(&p->counting))
		phyp_bitmap_add(&p->since_resume, first, count);
	for (i = 0; i < PHYP_MAX_VIEWS; i++)
		if (flag(&p->view_used[i]))
			phyp_bitmap_add(&p->view[i], first, count);
}

void phyp_pages_track(struct phyp_pages *p)
{
	/* From here on writes are seen; then those before */
	__atomic_store_n(&p->tracking, true, __ATOMIC_SEQ_CST);
	phyp_bitmap_merge(&p->dirty, &p->written);
}

void phyp_pages_untrack(struct phyp_pages *p)
{
	__atomic_store_n(&p->tracking, false, __ATOMIC_SEQ_CST);
	/*
	 * A processor may be between its look and its add: leave no bit behind
	 * that matters; tracking anew starts from every page ever written
	 */
	phyp_bitmap_remove(&p->dirty, 0, p->count);
}

void phyp_pages_count_from_here(struct phyp_pages *p)
{
	phyp_bitmap_remove(&p->since_resume, 0, p->count);
	__atomic_store_n(&p->counting, true, __ATOMIC_SEQ_CST);
}

/**
 * phyp_page_is_zero - are all bytes of a page zero?
 * @page:	aligned to 8 bytes; may change meanwhile
 * @bytes:	multiple of 64
 */
bool phyp_page_is_zero(const void *page, uint32_t bytes)
{
	const uint64_t *w = page;
	uint32_t n = bytes / sizeof(*w);
	uint32_t i;

	/*
	 * Most pages that are not zero show it at once; one look after the
	 * other, since each costs a cache miss.
	 */
	if (w[0] || w[n / 2] || w[n - 1])
		return false;
	for (i = 0; i < n; i += 8) {
		uint64_t any = w[i] | w[i + 1] | w[i + 2] | w[i + 3] |
			       w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7];

		if (any)
			return false;
	}
	return true;
}

int phyp_pages_view_open_empty(struct phyp_pages *p)
{
	int i, ret;

	for (i = 0; i < PHYP_MAX_VIEWS; i++)
		if (!p->view_used[i])
			break;
	if (i == PHYP_MAX_VIEWS)
		return -ENOSPC;
	/* A set that was used stays mapped: a processor may still be adding */
	if (!p->view[i].bits) {
		ret = phyp_bitmap_init(&p->view[i], p->count);
		if (ret)
			return ret;
	}
	phyp_bitmap_remove(&p->view[i], 0, p->count);
	__atomic_store_n(&p->view_used[i], true, __ATOMIC_SEQ_CST);
	return i;
}

int phyp_pages_view_open(struct phyp_pages *p)
{
	int i = phyp_pages_view_open_empty(p);

	if (i >= 0)
		phyp_bitmap_merge(&p->view[i], &p->written);
	return i;
}

void phyp_pages_view_close(struct phyp_pages *p, int view)
{
	__atomic_store_n(&p->view_used[view], false, __ATOMIC_SEQ_CST);
}
