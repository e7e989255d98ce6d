/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The synthetic home of a partition: virtual processors that execute a
 * deterministic program over its memory.
 *
 * What a step does depends only on the processor's state and on the memory it
 * reads, so the end of the program is known in advance: a partition that moved
 * ends with the same memory and state as one that did not, or something is
 * wrong with its memory.  Each processor owns a part of the memory, so that the
 * speed of one does not change what another computes.
 *
 * Threads: every processor is a thread; all functions belong to the owner's
 * thread, except those marked "any thread".
 */
#ifndef _PHYPD_SYNTHETIC_H
#define _PHYPD_SYNTHETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "phyp/phypd/home.h"

#define SYNTHETIC_MAX_PROCESSORS	64
#define SYNTHETIC_CHUNK_PAGES		16	/* pages in a row of one processor */

/* Shares are fractions of this */
#define SYNTHETIC_SHARE_ONE		0x100000000ULL

/**
 * struct program - what a partition's processors execute
 * @seed:	of the generators
 * @steps:	of all processors together; the partition has then finished
 * @rate:	bytes per second that become dirty (a granule a step); 0: as fast
 *		as the processors can.  No part of the result.
 * @processors:	virtual processors, 1 to SYNTHETIC_MAX_PROCESSORS
 * @write_bytes: bytes a step writes, a multiple of 8, at most a granule
 * @hot:	share of the memory that is hot, of SYNTHETIC_SHARE_ONE
 * @hot_share:	share of the steps that touch it, of SYNTHETIC_SHARE_ONE
 */
struct program {
	uint64_t seed;
	uint64_t steps;
	uint64_t rate;
	uint32_t processors;
	uint32_t write_bytes;
	uint64_t hot;
	uint64_t hot_share;
};

/**
 * struct synthetic_ops - what the processors need
 * @present:	may the page at this offset be touched?  Any thread.
 * @mark:	these bytes were written.  Any thread.
 * @wake:	there are events to take.  Any thread; must not sleep.
 */
struct synthetic_ops {
	bool (*present)(void *ctx, uint64_t offset);
	void (*mark)(void *ctx, uint64_t offset, uint64_t length);
	void (*wake)(void *ctx);
};

enum synthetic_event {
	SYNTHETIC_STOPPED	= 0x1,	/* as synthetic_stop() asked */
	SYNTHETIC_FINISHED	= 0x2,	/* every step is done */
	SYNTHETIC_DEMANDS	= 0x4,	/* processors wait for pages */
};

struct synthetic;

int synthetic_create(const struct program *program, void *memory,
		     uint64_t bytes, uint32_t granule,
		     const struct synthetic_ops *ops, void *ctx,
		     struct synthetic **home);
void synthetic_destroy(struct synthetic *home);
void synthetic_reset(struct synthetic *home);
void synthetic_start(struct synthetic *home);
void synthetic_stop(struct synthetic *home);
bool synthetic_executing(struct synthetic *home);
unsigned int synthetic_take_events(struct synthetic *home, uint64_t *demands,
				   unsigned int *count);
void synthetic_pages_arrived(struct synthetic *home);
long synthetic_save(struct synthetic *home, void *buf, size_t size);
int synthetic_load(struct synthetic *home, const void *buf, size_t size);
/* Any thread */
void synthetic_stats(struct synthetic *home, struct home_stats *stats);

#endif /* _PHYPD_SYNTHETIC_H */
