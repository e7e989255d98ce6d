/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which partitions a command of migrlpar is about.
 */
#ifndef _HMC_PARTITIONS_H
#define _HMC_PARTITIONS_H

#include "hmc/order.h"

int select_partitions(const struct managed_system *source, const struct order *order,
		      json_t **partitions);

#endif /* _HMC_PARTITIONS_H */
