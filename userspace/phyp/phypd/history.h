/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The moves that a partition has made (Documentation/managed-system.rst).
 */
#ifndef _PHYPD_HISTORY_H
#define _PHYPD_HISTORY_H

#include "phyp/phypd/stream.h"

#define HISTORY_MAX_MOVES	64
/* With a config it has to fit a request (RPC_MAX_LINE) that makes a partition */
#define HISTORY_MAX_BYTES	24576

extern const struct rpc_param history_entry;

/* A stream has become Completed or Aborted; its partition is here */
void history_add_stream(const struct managed_stream *s);
/* An inactive migration ends here; @completed: with the partition */
void history_add_inactive(struct partition *p, bool completed);
int history_note(struct partition *p, uint64_t stream_id, const json_t *facts);

#endif /* _PHYPD_HISTORY_H */
