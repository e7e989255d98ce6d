// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a partition writes, counted: how much a move of it would have to send again, and
 * where in its memory that is.
 */
#include <errno.h>
#include <stdlib.h>
#include "phyp/internal.h"

#define WORD_BITS	64
/* Pages that are looked at to tell how many of all are zero */
#define LOOKED_AT	1024

/**
 * struct phyp_watch - a watch
 * @lpar:	whose
 * @view:	of its views
 * @unique:	pages that were written since the watch began
 */
struct phyp_watch {
	struct phyp_lpar *lpar;
	int view;
	struct phyp_bitmap unique;
};

/**
 * phyp_watch_begin - count the pages that are written from now on
 * @lpar:	the partition
 * @watch:	the new watch
 *
 * Return: 0; -ENOSPC: every view is in use; -ENOMEM.
 */
int phyp_watch_begin(struct phyp_lpar *lpar, struct phyp_watch **watch)
{
	struct phyp_watch *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->lpar = lpar;
	ret = phyp_bitmap_init(&new->unique, lpar->pages.count);
	if (ret)
		goto err_free;
	new->view = phyp_pages_view_open_empty(&lpar->pages);
	if (new->view < 0) {
		ret = new->view;
		goto err_exit_bitmap;
	}
	*watch = new;
	return 0;

err_exit_bitmap:
	phyp_bitmap_exit(&new->unique);
err_free:
	free(new);
	return ret;
}

/**
 * phyp_watch_end - count no more; writes cost nothing for it any more
 * @watch:	the watch
 */
void phyp_watch_end(struct phyp_watch *watch)
{
	phyp_pages_view_close(&watch->lpar->pages, watch->view);
	phyp_bitmap_exit(&watch->unique);
	free(watch);
}

uint64_t phyp_watch_cell_pages(const struct phyp_lpar *lpar, unsigned int count)
{
	return (lpar->pages.count + count - 1) / count;
}

/* The pages of word @index, in the cells that they belong to */
static void count_word(uint32_t *cells, uint64_t cell_pages, uint64_t index, uint64_t word)
{
	for (; word; word &= word - 1)
		cells[(index * WORD_BITS + (uint64_t)__builtin_ctzll(word)) / cell_pages]++;
}

static void add_word(struct phyp_bitmap *bm, uint64_t index, uint64_t word)
{
	while (word) {
		unsigned int first = (unsigned int)__builtin_ctzll(word);
		uint64_t rest = ~(word >> first);
		unsigned int n = rest ? (unsigned int)__builtin_ctzll(rest) : WORD_BITS;

		phyp_bitmap_add(bm, index * WORD_BITS + first, n);
		word = first + n < WORD_BITS ? word & UINT64_MAX << (first + n) : 0;
	}
}

uint64_t phyp_watch_take(struct phyp_watch *watch, uint32_t *cells, unsigned int count)
{
	struct phyp_pages *pages = &watch->lpar->pages;
	struct phyp_bitmap *view = &pages->view[watch->view];
	uint64_t cell_pages = count ? phyp_watch_cell_pages(watch->lpar, count) : 0;
	uint64_t page = 0, taken = 0;

	while ((page = phyp_bitmap_next(view, page, pages->count)) < pages->count) {
		uint64_t index = page / WORD_BITS;
		uint64_t word = phyp_bitmap_take_word(view, index, UINT64_MAX);

		taken += (uint64_t)__builtin_popcountll(word);
		add_word(&watch->unique, index, word);
		if (count)
			count_word(cells, cell_pages, index, word);
		page = (index + 1) * WORD_BITS;
	}
	return taken;
}

uint64_t phyp_watch_unique(const struct phyp_watch *watch)
{
	return phyp_bitmap_count(&watch->unique);
}

/**
 * phyp_lpar_written_pages - how much there is to send of a partition
 * @lpar:	the partition
 * @filled:	about how many of them are not zero
 *
 * Looks at pages that lie evenly in the memory; at none while there are some to come.
 *
 * Return: pages that were ever written.
 */
uint64_t phyp_lpar_written_pages(const struct phyp_lpar *lpar, uint64_t *filled)
{
	const struct phyp_pages *pages = &lpar->pages;
	uint64_t written = phyp_bitmap_count(&pages->written);
	uint64_t parts = pages->count < LOOKED_AT ? pages->count : LOOKED_AT;
	uint64_t looked = 0, full = 0;

	/* Whoever touches a page that is still to come must not find it there */
	if (__atomic_load_n(&pages->any_missing, __ATOMIC_ACQUIRE))
		parts = 0;
	for (uint64_t i = 0; i < parts; i++) {
		uint64_t from = pages->count / parts * i;
		uint64_t to = i + 1 < parts ? pages->count / parts * (i + 1) : pages->count;
		uint64_t page = phyp_bitmap_next(&pages->written, from, to);

		if (page == to)
			continue;
		looked++;
		full += !phyp_page_is_zero(phyp_page(pages, page), phyp_granule(pages));
	}
	*filled = looked ? (uint64_t)((double)written * (double)full / (double)looked) : written;
	return written;
}

/**
 * phyp_lpar_left - where the pages are that a stream is still to send
 * @lpar:	the partition
 * @cells:	counted up
 * @count:	of them
 *
 * Only looks: what is sent next stays what it is.
 *
 * Return: false: the partition is not a source.
 */
bool phyp_lpar_left(const struct phyp_lpar *lpar, uint32_t *cells, unsigned int count)
{
	const struct phyp_pages *pages = &lpar->pages;
	uint64_t cell_pages = phyp_watch_cell_pages(lpar, count);
	uint64_t page = 0;

	if (!lpar->stream || lpar->stream->params.role != PHYP_SOURCE)
		return false;
	while ((page = phyp_bitmap_next(&pages->dirty, page, pages->count)) < pages->count) {
		count_word(cells, cell_pages, page / WORD_BITS,
			   phyp_bitmap_word(&pages->dirty, page / WORD_BITS));
		page = (page / WORD_BITS + 1) * WORD_BITS;
	}
	return true;
}
