/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a managed system has (Documentation/managed-system.rst), for those who list it
 * and change it.
 */
#ifndef _HMC_DESCRIBED_H
#define _HMC_DESCRIBED_H

#include "hmc/console.h"
#include "hmc/mapping.h"

int mover_answers(const struct managed_system *system, const struct msp *msp);

int described_system(const struct managed_system *system, json_t **inventory);
int ask_partitions(const struct managed_system *system, json_t **list, struct rpc_error *err);
int described_partitions(const struct managed_system *system, json_t **list);
const json_t *config_of(const json_t *partition);
const json_t *current_profile(const json_t *config);
bool is_shared(const json_t *profile);
double profile_units(const json_t *profile);
double processors_of(const json_t *partition);
bool is_active(const json_t *partition);

#endif /* _HMC_DESCRIBED_H */
