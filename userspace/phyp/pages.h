/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which pages of a partition are written, dirty, missing, or dirty in a mover's
 * view.  A page is one dirty-tracking granule.
 */
#ifndef _PHYP_PAGES_H
#define _PHYP_PAGES_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct phyp_bitmap - a set of pages with summary levels above it
 * @bits:	pages in the set's domain
 * @level:	level 0 has a bit a page, level n+1 a bit for each word of level n
 *		that is not zero; the top level is a few words
 * @words:	words of each level
 * @levels:	how many there are
 * @set:	pages in the set; exact when nobody changes it
 *
 * Any thread may add while one thread (the owner) takes: an add that happens
 * while its page is being taken is either seen now or found the next time,
 * never lost.  Levels are allocated as anonymous mappings, so that a set costs
 * memory only where bits were ever set.
 */
struct phyp_bitmap {
	uint64_t bits;
	uint64_t *level[6];
	uint64_t words[6];
	unsigned int levels;
	uint64_t set;
};

int phyp_bitmap_init(struct phyp_bitmap *bm, uint64_t bits);
void phyp_bitmap_exit(struct phyp_bitmap *bm);
/* Returns how many were not in the set before.  Any thread; full barrier. */
uint64_t phyp_bitmap_add(struct phyp_bitmap *bm, uint64_t first, uint64_t count);
/* Owner only.  Remove; returns how many were in the set */
uint64_t phyp_bitmap_remove(struct phyp_bitmap *bm, uint64_t first,
			    uint64_t count);
bool phyp_bitmap_test(const struct phyp_bitmap *bm, uint64_t bit);
uint64_t phyp_bitmap_count(const struct phyp_bitmap *bm);
/* First page of the set at or after @from and before @to, or @to */
uint64_t phyp_bitmap_next(const struct phyp_bitmap *bm, uint64_t from,
			  uint64_t to);
/*
 * Owner only.  Take the first run in [from, to), at most @max pages: remove it
 * from the set.  Returns its length and *first, or 0.  The removal is a full
 * barrier before whatever the caller then reads of the pages.
 */
uint64_t phyp_bitmap_take(struct phyp_bitmap *bm, uint64_t from, uint64_t to,
			  uint64_t max, uint64_t *first);
/* Owner only.  Take those pages of word @index that are in @mask; which were set */
uint64_t phyp_bitmap_take_word(struct phyp_bitmap *bm, uint64_t index,
			       uint64_t mask);
/* Word @index of level 0 */
uint64_t phyp_bitmap_word(const struct phyp_bitmap *bm, uint64_t index);
void phyp_bitmap_clear(struct phyp_bitmap *bm);
/* Add every page of @from */
void phyp_bitmap_merge(struct phyp_bitmap *bm, const struct phyp_bitmap *from);

#define PHYP_MAX_VIEWS	4

/**
 * struct phyp_pages - a partition's memory and what is known of its pages
 * @base:	the memory
 * @bytes:	its size
 * @shift:	log2 of the granule
 * @count:	pages
 * @written:	pages that were ever written (the others are zero)
 * @dirty:	while @tracking: pages to send (again)
 * @missing:	on a target after Resumed: pages that are not here yet
 * @any_missing: whether @missing has any; a cheap first look
 * @tracking:	a stream wants @dirty kept
 * @since_resume: pages written since phyp_pages_count_from_here()
 * @view:	a mover's own views (Dirty Map), in use where @view_used
 *
 * phyp_pages_mark() sets a bit in every set that is in use.
 */
struct phyp_pages {
	uint8_t *base;
	uint64_t bytes;
	unsigned int shift;
	uint64_t count;
	struct phyp_bitmap written;
	struct phyp_bitmap dirty;
	struct phyp_bitmap missing;
	bool any_missing;
	bool tracking;
	struct phyp_bitmap since_resume;
	bool counting;
	struct phyp_bitmap view[PHYP_MAX_VIEWS];
	bool view_used[PHYP_MAX_VIEWS];
};

int phyp_pages_init(struct phyp_pages *p, void *base, uint64_t bytes,
		    uint32_t granule);
void phyp_pages_exit(struct phyp_pages *p);
/* Pages that [offset, +length) touches were written.  Any thread, after writing. */
void phyp_pages_mark(struct phyp_pages *p, uint64_t offset, uint64_t length);
/* Start tracking: @dirty becomes every page ever written */
void phyp_pages_track(struct phyp_pages *p);
void phyp_pages_untrack(struct phyp_pages *p);
/* Count pages written from now on */
void phyp_pages_count_from_here(struct phyp_pages *p);
/* Are all bytes of the page zero? */
bool phyp_page_is_zero(const void *page, uint32_t bytes);
/* Views: returns its number, or -ENOSPC; a new view has every page ever written */
int phyp_pages_view_open(struct phyp_pages *p);
/* Likewise, but it has only what is written from now on */
int phyp_pages_view_open_empty(struct phyp_pages *p);
void phyp_pages_view_close(struct phyp_pages *p, int view);

static inline void *phyp_page(const struct phyp_pages *p, uint64_t page)
{
	return p->base + (page << p->shift);
}

static inline uint32_t phyp_granule(const struct phyp_pages *p)
{
	return 1u << p->shift;
}

#endif /* _PHYP_PAGES_H */
