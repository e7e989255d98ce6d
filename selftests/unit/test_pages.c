// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of pages, and what is known of a partition's pages. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "phyp/pages.h"

#define TIB_PAGES	(1ULL << 28)	/* of 4 KiB */

static uint64_t rng;

static uint64_t rnd(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % below;
}

/* ---- One set against a naive one ---- */

struct naive {
	uint8_t *in;
	uint64_t bits;
};

static uint64_t naive_set(struct naive *n, uint64_t first, uint64_t count,
			  uint8_t value)
{
	uint64_t changed = 0;

	for (; count--; first++) {
		changed += n->in[first] != value;
		n->in[first] = value;
	}
	return changed;
}

static uint64_t naive_next(const struct naive *n, uint64_t from, uint64_t to)
{
	while (from < to && !n->in[from])
		from++;
	return from;
}

static uint64_t naive_count(const struct naive *n)
{
	uint64_t i, set = 0;

	for (i = 0; i < n->bits; i++)
		set += n->in[i];
	return set;
}

/* Short ranges mostly, long ones sometimes */
static void some_range(uint64_t bits, uint64_t *first, uint64_t *count)
{
	*first = rnd(bits);
	*count = rnd(4) ? rnd(70) + 1 : rnd(bits) + 1;
	if (*count > bits - *first)
		*count = bits - *first;
}

static void check_same(const struct phyp_bitmap *bm, const struct naive *n)
{
	uint64_t i;

	assert_int_equal(phyp_bitmap_count(bm), naive_count(n));
	for (i = 0; i < n->bits; i++)
		assert_int_equal(phyp_bitmap_test(bm, i), n->in[i]);
	for (i = 0; i < n->bits; i = phyp_bitmap_next(bm, i, n->bits) + 1)
		assert_int_equal(phyp_bitmap_next(bm, i, n->bits),
				 naive_next(n, i, n->bits));
}

static void one_step(struct phyp_bitmap *bm, struct naive *n)
{
	uint64_t first, count, at, got, expected, mask, i;

	some_range(n->bits, &first, &count);
	switch (rnd(5)) {
	case 0:
		assert_int_equal(phyp_bitmap_add(bm, first, count),
				 naive_set(n, first, count, 1));
		break;
	case 1:
		assert_int_equal(phyp_bitmap_remove(bm, first, count),
				 naive_set(n, first, count, 0));
		break;
	case 2:
		assert_int_equal(phyp_bitmap_next(bm, first, first + count),
				 naive_next(n, first, first + count));
		break;
	case 3:
		mask = rnd(UINT64_MAX);
		got = phyp_bitmap_take_word(bm, first / 64, mask);
		for (i = 0, expected = 0; i < 64; i++) {
			at = first / 64 * 64 + i;
			if (at < n->bits && n->in[at] && mask & 1ULL << i) {
				expected |= 1ULL << i;
				n->in[at] = 0;
			}
		}
		assert_int_equal(got, expected);
		break;
	default:
		mask = rnd(100) + 1;
		got = phyp_bitmap_take(bm, first, first + count, mask, &at);
		expected = naive_next(n, first, first + count);
		for (i = 0; i < mask && expected + i < first + count &&
		     n->in[expected + i]; i++)
			n->in[expected + i] = 0;
		assert_int_equal(got, i);
		if (got)
			assert_int_equal(at, expected);
	}
}

static void same_as_naive(void **unused)
{
	static const uint64_t sizes[] = {
		1, 63, 64, 65, 1000, 1024, 1025, 4096 * 3 + 1, 70000,
	};
	struct phyp_bitmap bm, copy;
	struct naive n;
	unsigned int i, step;

	(void)unused;
	rng = 0x20240229;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		n = (struct naive) { calloc(1, sizes[i]), sizes[i] };
		assert_int_equal(phyp_bitmap_init(&bm, sizes[i]), 0);
		for (step = 0; step < 3000; step++)
			one_step(&bm, &n);
		check_same(&bm, &n);

		/* Merging adds; it takes nothing away on either side */
		assert_int_equal(phyp_bitmap_init(&copy, sizes[i]), 0);
		phyp_bitmap_add(&copy, sizes[i] - 1, 1);
		phyp_bitmap_merge(&copy, &bm);
		check_same(&bm, &n);
		n.in[sizes[i] - 1] = 1;
		check_same(&copy, &n);
		phyp_bitmap_clear(&copy);
		naive_set(&n, 0, n.bits, 0);
		check_same(&copy, &n);

		phyp_bitmap_exit(&copy);
		phyp_bitmap_exit(&bm);
		free(n.in);
	}
}

static void empty_domain_refused(void **unused)
{
	struct phyp_bitmap bm;

	(void)unused;
	assert_int_equal(phyp_bitmap_init(&bm, 0), -EINVAL);
}

/* ---- A set of 1 TiB ---- */

static uint64_t resident(const struct phyp_bitmap *bm)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t bytes = bm->words[0] * sizeof(uint64_t);
	uint64_t pages = (bytes + page - 1) / page, i, n = 0;
	unsigned char *vec = calloc(1, pages);

	assert_int_equal(mincore(bm->level[0], bytes, vec), 0);
	for (i = 0; i < pages; i++)
		n += vec[i] & 1;
	free(vec);
	return n;
}

/* That nothing is in the set is found at the top: 32 MiB below stay untouched */
static void empty_set_is_not_walked(void **unused)
{
	struct phyp_bitmap bm, view;
	uint64_t first;
	unsigned int i;

	(void)unused;
	assert_int_equal(phyp_bitmap_init(&bm, TIB_PAGES), 0);
	assert_int_equal(phyp_bitmap_init(&view, TIB_PAGES), 0);
	for (i = 0; i < bm.levels; i++)
		assert_int_equal(madvise(bm.level[i], bm.words[i] * 8,
					 MADV_NOHUGEPAGE), 0);
	assert_int_equal(resident(&bm), 0);
	assert_int_equal(phyp_bitmap_next(&bm, 0, TIB_PAGES), TIB_PAGES);
	assert_int_equal(phyp_bitmap_take(&bm, 0, TIB_PAGES, 1, &first), 0);
	assert_int_equal(phyp_bitmap_remove(&bm, 0, TIB_PAGES), 0);
	phyp_bitmap_merge(&view, &bm);
	/* The word that a walk starts from is looked at */
	assert_in_range(resident(&bm), 0, 1);

	/* Two pages far apart: two words */
	phyp_bitmap_add(&bm, 12345678, 1);
	phyp_bitmap_add(&bm, TIB_PAGES - 1, 1);
	assert_int_equal(phyp_bitmap_next(&bm, 0, TIB_PAGES), 12345678);
	assert_int_equal(phyp_bitmap_next(&bm, 12345679, TIB_PAGES),
			 TIB_PAGES - 1);
	assert_int_equal(phyp_bitmap_take(&bm, 0, TIB_PAGES, 9, &first), 1);
	assert_int_equal(phyp_bitmap_remove(&bm, 0, TIB_PAGES), 1);
	assert_int_equal(phyp_bitmap_next(&bm, 0, TIB_PAGES), TIB_PAGES);
	assert_in_range(resident(&bm), 0, 5);
	phyp_bitmap_exit(&view);
	phyp_bitmap_exit(&bm);
}

/* ---- Many who add, one who takes ---- */

#define WRITERS		3
#define SHARED_PAGES	5000
#define WRITES		60000u

/* A page's contents are a number that only grows */
struct shared {
	struct phyp_bitmap bm;
	uint64_t page[SHARED_PAGES];
	uint64_t seen[SHARED_PAGES];
	unsigned int writing;
};

struct writer {
	struct shared *shared;
	uint64_t seed;
	pthread_t thread;
};

static void *write_pages(void *data)
{
	struct writer *w = data;
	struct shared *sh = w->shared;
	uint64_t x = w->seed;
	unsigned int i;

	for (i = 0; i < WRITES; i++) {
		uint64_t page;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		/* Few pages at a time, so that adds and takes meet */
		page = ((x >> 33) % 100 + i / 1000 * 80) % SHARED_PAGES;
		__atomic_fetch_add(&sh->page[page], 1, __ATOMIC_RELAXED);
		phyp_bitmap_add(&sh->bm, page, 1);
	}
	__atomic_fetch_sub(&sh->writing, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool take_some(struct shared *sh, unsigned int way)
{
	uint64_t first, n, i, bits;

	if (way % 3) {
		n = phyp_bitmap_take(&sh->bm, 0, SHARED_PAGES, 7, &first);
		for (i = first; i < first + n; i++)
			sh->seen[i] = __atomic_load_n(&sh->page[i],
						      __ATOMIC_RELAXED);
		return n;
	}
	first = phyp_bitmap_next(&sh->bm, 0, SHARED_PAGES);
	if (first == SHARED_PAGES)
		return false;
	bits = phyp_bitmap_take_word(&sh->bm, first / 64, UINT64_MAX);
	for (i = 0; i < 64; i++)
		if (bits & 1ULL << i)
			sh->seen[first / 64 * 64 + i] =
				__atomic_load_n(&sh->page[first / 64 * 64 + i],
						__ATOMIC_RELAXED);
	return true;
}

static void nothing_is_lost(void **unused)
{
	struct shared *sh = calloc(1, sizeof(*sh));
	struct writer writer[WRITERS];
	unsigned int i, way = 0;
	bool writing, more;

	(void)unused;
	assert_int_equal(phyp_bitmap_init(&sh->bm, SHARED_PAGES), 0);
	sh->writing = WRITERS;
	for (i = 0; i < WRITERS; i++) {
		writer[i] = (struct writer) { .shared = sh, .seed = i + 1 };
		assert_int_equal(pthread_create(&writer[i].thread, NULL,
						write_pages, &writer[i]), 0);
	}
	/* The last look begins after the last add */
	do {
		writing = __atomic_load_n(&sh->writing, __ATOMIC_SEQ_CST);
		more = take_some(sh, way++);
	} while (writing || more);
	for (i = 0; i < WRITERS; i++)
		pthread_join(writer[i].thread, NULL);
	for (i = 0; i < SHARED_PAGES; i++)
		assert_int_equal(sh->seen[i], sh->page[i]);
	assert_int_equal(phyp_bitmap_count(&sh->bm), 0);
	phyp_bitmap_exit(&sh->bm);
	free(sh);
}

/* ---- A partition's pages ---- */

static void *memory(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void pages_limits(void **unused)
{
	uint8_t *base = memory(1 << 20);
	struct phyp_pages p;

	(void)unused;
	assert_int_equal(phyp_pages_init(&p, NULL, 1 << 20, 4096), -EINVAL);
	assert_int_equal(phyp_pages_init(&p, base, 0, 4096), -EINVAL);
	assert_int_equal(phyp_pages_init(&p, base, 4096 + 512, 4096), -EINVAL);
	assert_int_equal(phyp_pages_init(&p, base, 4096, 65536), -EINVAL);
	assert_int_equal(phyp_pages_init(&p, base, 1 << 20, 8192), -EINVAL);
	assert_int_equal(phyp_pages_init(&p, base + 8, 4096, 4096), -EINVAL);
	assert_int_equal(phyp_pages_init(&p, base, 1 << 20, 65536), 0);
	assert_int_equal(p.count, 16);
	phyp_pages_exit(&p);
	munmap(base, 1 << 20);
}

static void marks_cover_what_was_written(void **unused)
{
	uint8_t *base = memory(1 << 20);
	struct phyp_pages p;

	(void)unused;
	assert_int_equal(phyp_pages_init(&p, base, 1 << 20, 4096), 0);
	phyp_pages_mark(&p, 0, 0);
	phyp_pages_mark(&p, 1 << 20, 10);
	phyp_pages_mark(&p, UINT64_MAX, UINT64_MAX);
	assert_int_equal(phyp_bitmap_count(&p.written), 0);
	phyp_pages_mark(&p, 4095, 2);
	assert_int_equal(phyp_bitmap_count(&p.written), 2);
	/* What lies behind the end is not there */
	phyp_pages_mark(&p, (1 << 20) - 1, UINT64_MAX);
	assert_int_equal(phyp_bitmap_count(&p.written), 3);
	assert_true(phyp_bitmap_test(&p.written, 255));

	/* Dirty is what was ever written, and only while it is tracked */
	assert_int_equal(phyp_bitmap_count(&p.dirty), 0);
	phyp_pages_track(&p);
	assert_int_equal(phyp_bitmap_count(&p.dirty), 3);
	phyp_bitmap_remove(&p.dirty, 0, p.count);
	phyp_pages_mark(&p, 4096, 1);
	assert_int_equal(phyp_bitmap_next(&p.dirty, 0, p.count), 1);
	phyp_pages_untrack(&p);
	phyp_pages_mark(&p, 8192, 1);
	assert_int_equal(phyp_bitmap_count(&p.dirty), 0);

	phyp_pages_count_from_here(&p);
	phyp_pages_mark(&p, 8192, 1);
	phyp_pages_mark(&p, 8192, 1);
	assert_int_equal(phyp_bitmap_count(&p.since_resume), 1);
	phyp_pages_exit(&p);
	munmap(base, 1 << 20);
}

static void views_of_pages(void **unused)
{
	uint8_t *base = memory(1 << 20);
	struct phyp_pages p;
	int i;

	(void)unused;
	assert_int_equal(phyp_pages_init(&p, base, 1 << 20, 4096), 0);
	phyp_pages_mark(&p, 0, 4096);
	for (i = 0; i < PHYP_MAX_VIEWS; i++)
		assert_int_equal(phyp_pages_view_open(&p), i);
	assert_int_equal(phyp_pages_view_open(&p), -ENOSPC);
	phyp_bitmap_remove(&p.view[1], 0, p.count);
	phyp_pages_mark(&p, 4096, 4096);
	assert_int_equal(phyp_bitmap_count(&p.view[0]), 2);
	assert_int_equal(phyp_bitmap_count(&p.view[1]), 1);
	/* What is closed is not kept, and starts anew */
	phyp_pages_view_close(&p, 1);
	phyp_pages_mark(&p, 8192, 4096);
	assert_int_equal(phyp_bitmap_count(&p.view[1]), 1);
	assert_int_equal(phyp_pages_view_open(&p), 1);
	assert_int_equal(phyp_bitmap_count(&p.view[1]), 3);
	phyp_pages_exit(&p);
	munmap(base, 1 << 20);
}

#define TRACKED_ROUNDS	300

struct tracked {
	struct phyp_pages pages;
	unsigned int round;
	unsigned int stop;
};

/* Writes a page it has written before, over and over */
static void *rewrite(void *data)
{
	struct tracked *t = data;
	uint64_t *word = (uint64_t *)t->pages.base;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
		phyp_pages_mark(&t->pages, 0, 8);
		__atomic_fetch_add(&t->round, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Tracking that starts in the middle of writes misses none of them */
static void tracking_misses_no_write(void **unused)
{
	struct tracked t = { 0 };
	uint64_t *word = memory(1 << 20);
	uint64_t seen = 0, first;
	pthread_t thread;
	unsigned int i;

	(void)unused;
	assert_int_equal(phyp_pages_init(&t.pages, word, 1 << 20, 4096), 0);
	assert_int_equal(pthread_create(&thread, NULL, rewrite, &t), 0);
	while (!__atomic_load_n(&t.round, __ATOMIC_ACQUIRE))
		sched_yield();
	for (i = 0; i < TRACKED_ROUNDS; i++) {
		phyp_pages_untrack(&t.pages);
		phyp_pages_track(&t.pages);
		if (phyp_bitmap_take(&t.pages.dirty, 0, 1, 1, &first))
			seen = __atomic_load_n(word, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (phyp_bitmap_take(&t.pages.dirty, 0, 1, 1, &first))
		seen = *word;
	assert_int_equal(seen, *word);
	phyp_pages_exit(&t.pages);
	munmap(word, 1 << 20);
}

static void zero_pages(void **unused)
{
	static const uint32_t sizes[] = { 4096, 65536 };
	uint8_t *page = memory(65536);
	uint32_t at;
	int i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		assert_true(phyp_page_is_zero(page, sizes[i]));
		/* Any byte, and any bit of it */
		for (at = 0; at < sizes[i]; at += sizes[i] / 4096) {
			page[at] = 1u << (at % 8);
			assert_false(phyp_page_is_zero(page, sizes[i]));
			page[at] = 0;
		}
		page[sizes[i] - 1] = 0x80;
		assert_false(phyp_page_is_zero(page, sizes[i]));
		page[sizes[i] - 1] = 0;
	}
	/* What lies behind the page does not matter */
	page[4096] = 1;
	assert_true(phyp_page_is_zero(page, 4096));
	munmap(page, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_naive),
		cmocka_unit_test(empty_domain_refused),
		cmocka_unit_test(empty_set_is_not_walked),
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(pages_limits),
		cmocka_unit_test(marks_cover_what_was_written),
		cmocka_unit_test(views_of_pages),
		cmocka_unit_test(tracking_misses_no_write),
		cmocka_unit_test(zero_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
