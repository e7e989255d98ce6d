/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migrations of partitions that do not execute: both ends are marked, and nothing moves
 * but what the console carries.
 */
#ifndef _PHYPD_INACTIVE_H
#define _PHYPD_INACTIVE_H

#include "phyp/phypd/partition.h"

bool inactive_migrating(const struct partition *p);
unsigned int inactive_count(const struct system *system);
unsigned int inactive_max(const struct system *system);
/* Are there as many as may be?  Then @req is answered */
bool inactive_is_full(const struct system *system, struct rpc_request *req);

/* May it be removed?  If not, @req is answered */
bool inactive_may_remove(struct partition *p, uint64_t stream_id,
			 struct rpc_request *req);

/* Each answers @req */
void inactive_depart(struct partition *p, uint64_t stream_id, const char *peer,
		     struct rpc_request *req);
void inactive_stay(struct partition *p, uint64_t stream_id, struct rpc_request *req);
void inactive_arrived(struct partition *p, uint64_t stream_id, struct rpc_request *req);

#endif /* _PHYPD_INACTIVE_H */
