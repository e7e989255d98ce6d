/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What begins a migration.
 */
#ifndef _HMC_MOVE_H
#define _HMC_MOVE_H

#include "hmc/console.h"

/* profile.c: the partition on the target, first of all */
int shell_reserve(struct plan *plan, const struct move_options *options);
int partition_holds(const struct plan *plan);
int partition_create(struct plan *plan, const struct move_options *options);

/* inactive.c: a partition that is not activated */
int move_inactive(struct plan *plan, const struct move_options *options);
int recover_inactive(struct console *console, struct managed_system *source,
		     struct managed_system *only, const json_t *partition);
int recover_arrived(struct console *console, struct managed_system *source,
		    struct managed_system *only, const char *name);

#endif /* _HMC_MOVE_H */
