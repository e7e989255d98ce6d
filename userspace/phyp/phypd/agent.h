/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said to the agent in a guest, and what it answers
 * (Documentation/guest-partition.rst, "The agent").
 */
#ifndef _PHYPD_AGENT_H
#define _PHYPD_AGENT_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "common/rpc.h"

struct agent;

int agent_new(sd_event *event, int fd, const char *name, struct agent **agent);
struct agent *agent_free(struct agent *agent);
/* What was said last was answered, or was not; or nothing was said yet */
const char *agent_state_name(const struct agent *agent);
/* The partition has suspended itself */
void agent_suspended(struct agent *agent);
void agent_tell(struct agent *agent, const char *phase, uint64_t stream_id,
		uint64_t timeout_ms, struct rpc_request *req);

#endif /* _PHYPD_AGENT_H */
