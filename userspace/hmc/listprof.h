/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lssyscfg -r prof: profiles, with their adapters as the HMC writes them.
 */
#ifndef _HMC_LISTPROF_H
#define _HMC_LISTPROF_H

#include "hmc/query.h"

extern const char *const profile_fields[];

int list_profiles(struct query *query);
void set_work_group(json_t *record, const json_t *profile);

#endif /* _HMC_LISTPROF_H */
