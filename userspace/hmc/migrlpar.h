/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What migrlpar does with its partitions.
 */
#ifndef _HMC_MIGRLPAR_H
#define _HMC_MIGRLPAR_H

#include "hmc/order.h"

int migrlpar_do(struct console *console, struct managed_system *source,
		struct managed_system *target, const struct partition_key *key,
		const struct order *order);

/* migrlpar_set.c */
int set_check(const struct order *order);
int set_partition(const struct managed_system *system, const struct partition_key *key,
		  const struct order *order);

#endif /* _HMC_MIGRLPAR_H */
