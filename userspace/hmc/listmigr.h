/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lslparmigr: histories, and what a partition could have on a target.
 */
#ifndef _HMC_LISTMIGR_H
#define _HMC_LISTMIGR_H

#include "hmc/query.h"

extern const char *const pool_choice_fields[];
extern const char *const sriov_fields[];
extern const char *const history_fields[];

int list_pool_choices(struct query *query);
int list_sriov(struct query *query);
int list_history(struct query *query);

#endif /* _HMC_LISTMIGR_H */
