/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults on pages of a guest's memory that are not there, or in no mapping yet
 * (Documentation/guest-partition.rst, "Missing pages").
 */
#ifndef _PHYPD_PAGER_H
#define _PHYPD_PAGER_H

#include <stdbool.h>
#include <stdint.h>

struct pager;

/**
 * struct pager_ops - who knows which pages are there; any thread
 * @present:	may the page at this offset be touched?
 * @wake:	pager_take_demands() has something; must not sleep
 */
struct pager_ops {
	bool (*present)(void *ctx, uint64_t offset);
	void (*wake)(void *ctx);
};

/**
 * struct pager_stats - what a pager has done
 * @faults:	that it was told of
 * @missing:	of these, on pages that had to be demanded
 */
struct pager_stats {
	uint64_t faults;
	uint64_t missing;
};

int pager_start(int uffd, uint64_t base, uint64_t bytes, const struct pager_ops *ops,
		void *ctx, struct pager **pager);
void pager_fill(struct pager *pager, uint64_t offset, uint64_t bytes);
unsigned int pager_take_demands(struct pager *pager, uint64_t *offsets,
				unsigned int most);
void pager_stats(struct pager *pager, struct pager_stats *stats);
struct pager *pager_end(struct pager *pager);

#endif /* _PHYPD_PAGER_H */
