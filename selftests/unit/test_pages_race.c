// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One add against one take, over and over: either the owner reads what was
 * written before the add, or it finds the page again.  Where test_pages.c lets
 * many writers loose, here the two meet in every round.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "phyp/pages.h"

#ifdef __SANITIZE_THREAD__		/* finds its races without meeting them */
#define ROUNDS		10000
#else
#define ROUNDS		100000
#endif
#define BITS		(1u << 17)	/* three levels */
#define PAGE		70001
#define SPINS		64
#define LINES		16		/* writes that take their time */

struct duel {
	struct phyp_bitmap bm;
	unsigned int lines;		/* of the page that are written and read */
	/* Each in a cache line of its own: the two wait for nothing but the set */
	_Alignas(128) uint32_t begun;	/* round that the owner has begun */
	_Alignas(128) uint32_t added;	/* round that the writer has finished */
	struct {
		_Alignas(128) uint32_t word;
	} page[LINES];			/* what the writer writes */
	_Alignas(128) uint32_t copy;	/* the least that the owner has read of it */
};

static void wait_for(const uint32_t *round, uint32_t value)
{
	unsigned int spins = 0;

	while (__atomic_load_n(round, __ATOMIC_ACQUIRE) != value)
		if (++spins % 4096 == 0)
			sched_yield();
}

/* So that the two meet at another point each time */
static void dawdle(uint64_t *seed)
{
	volatile uint32_t n;

	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	n = (*seed >> 33) % SPINS;
	while (n)
		n--;
}

static void *write_and_add(void *arg)
{
	struct duel *duel = arg;
	uint64_t seed = 1;
	uint32_t round;
	unsigned int i;

	for (round = 1; round <= ROUNDS; round++) {
		wait_for(&duel->begun, round);
		/* With the set's word at hand, the writes are what takes long */
		phyp_bitmap_test(&duel->bm, PAGE);
		dawdle(&seed);
		for (i = 0; i < duel->lines; i++)
			__atomic_store_n(&duel->page[i].word, round,
					 __ATOMIC_RELAXED);
		phyp_bitmap_add(&duel->bm, PAGE, 1);
		__atomic_store_n(&duel->added, round, __ATOMIC_RELEASE);
	}
	return NULL;
}

static bool take_and_read(struct duel *duel)
{
	uint32_t word, least = UINT32_MAX;
	unsigned int i;
	uint64_t first;

	if (!phyp_bitmap_take(&duel->bm, 0, BITS, 1, &first))
		return false;
	/* The last line first: it is the last to be written */
	for (i = duel->lines; i--;) {
		word = __atomic_load_n(&duel->page[i].word, __ATOMIC_RELAXED);
		if (word < least)
			least = word;
	}
	if (first == PAGE)
		duel->copy = least;
	return true;
}

/* Returns how often a write was lost when the set holds @before in each round */
static uint32_t run(uint64_t before, unsigned int lines)
{
	struct duel duel = { .lines = lines };
	uint32_t round, lost = 0;
	uint64_t seed = 2;
	pthread_t writer;

	assert_int_equal(phyp_bitmap_init(&duel.bm, BITS), 0);
	assert_int_equal(duel.bm.levels, 3);
	assert_int_equal(pthread_create(&writer, NULL, write_and_add, &duel), 0);
	for (round = 1; round <= ROUNDS; round++) {
		phyp_bitmap_add(&duel.bm, before, 1);
		__atomic_store_n(&duel.begun, round, __ATOMIC_RELEASE);
		dawdle(&seed);
		take_and_read(&duel);
		wait_for(&duel.added, round);
		while (take_and_read(&duel))
			;
		lost += duel.copy != round;
	}
	pthread_join(writer, NULL);
	assert_int_equal(phyp_bitmap_count(&duel.bm), 0);
	phyp_bitmap_exit(&duel.bm);
	return lost;
}

/* An add that finds its page there is still a barrier behind the write */
static void add_of_a_page_that_is_in(void **unused)
{
	(void)unused;
	assert_int_equal(run(PAGE, LINES), 0);
}

/* The word, and every summary above it, becomes empty while the page is added */
static void add_as_its_word_becomes_empty(void **unused)
{
	(void)unused;
	assert_int_equal(run(PAGE - 1, 1), 0);
}

/* Likewise the summary alone: the page's own word was empty before */
static void add_as_a_summary_becomes_empty(void **unused)
{
	(void)unused;
	assert_int_equal(run(PAGE - 64, 1), 0);
}

/* A page can be taken before who added it has counted it */
static void count_is_never_below_zero(void **unused)
{
	struct duel duel = { .lines = 1 };
	uint32_t round, tries, wrong = 0;
	pthread_t writer;

	(void)unused;
	assert_int_equal(phyp_bitmap_init(&duel.bm, BITS), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_and_add, &duel), 0);
	for (round = 1; round <= ROUNDS; round++) {
		__atomic_store_n(&duel.begun, round, __ATOMIC_RELEASE);
		for (tries = 1; !take_and_read(&duel); tries++)
			if (tries % 4096 == 0)
				sched_yield();
		wrong += phyp_bitmap_count(&duel.bm) > 1;
		wait_for(&duel.added, round);
	}
	pthread_join(writer, NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(phyp_bitmap_count(&duel.bm), 0);
	phyp_bitmap_exit(&duel.bm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_of_a_page_that_is_in),
		cmocka_unit_test(add_as_its_word_becomes_empty),
		cmocka_unit_test(add_as_a_summary_becomes_empty),
		cmocka_unit_test(count_is_never_below_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
