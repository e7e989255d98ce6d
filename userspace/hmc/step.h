/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nine steps of a migration, as its user knows them.
 */
#ifndef _HMC_STEP_H
#define _HMC_STEP_H

#include "hmc/console.h"

enum move_step {
	STEP_PROFILE = 1,	/* the shell, or the partition, on the target */
	STEP_VIRTUAL_IO,	/* storage and network there */
	STEP_MOVERS,
	STEP_COPY,
	STEP_ACTIVATE,		/* it goes on there */
	STEP_REST,		/* pages that it still lacks */
	STEP_SETTLE,		/* storage and network there are its own */
	STEP_UNCONFIGURE,	/* and on the source no more */
	STEP_REMOVE,		/* the partition on the source */
};

void step_begin(struct plan *plan, enum move_step step);
void step_reach(struct plan *plan, enum move_step step);
void step_undo(const struct plan *plan);
void step_follow(struct plan *plan, const json_t *status);

#endif /* _HMC_STEP_H */
