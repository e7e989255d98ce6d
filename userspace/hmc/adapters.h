/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server adapters of a partition that migrates.
 *
 * Those that were made for it on the target are marked with its stream's id until it
 * has arrived; nothing else is noted (Documentation/managed-system.rst).
 */
#ifndef _HMC_ADAPTERS_H
#define _HMC_ADAPTERS_H

#include "hmc/console.h"

int adapters_attach(struct plan *plan);
int adapters_detach_marked(const struct managed_system *system, const char *id,
			   const char *partition);
int adapters_count_marked(const struct managed_system *system, const char *partition);
int adapters_detach_departed(const struct managed_system *system,
			     const json_t *partition);
int adapters_keep(const struct managed_system *system, const json_t *partition);
int adapters_settle(const struct managed_system *system, const char *id);

#endif /* _HMC_ADAPTERS_H */
