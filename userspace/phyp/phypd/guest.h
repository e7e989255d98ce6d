/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A partition's home that is QEMU with a guest (Documentation/guest-partition.rst).
 */
#ifndef _PHYPD_GUEST_H
#define _PHYPD_GUEST_H

#include "common/rpc.h"
#include "phyp/phypd/home.h"
#include "phyp/phypd/memory.h"

struct system;

/* guest_params.c: "guest" of partition.create */
extern const struct rpc_param guest_fields[];
bool guest_check(struct rpc_request *req, const struct system *system,
		 const json_t *guest);
bool guest_check_sockets(struct rpc_request *req, const json_t *guest);

int guest_create(struct system *system, const char *name, const json_t *guest,
		 const struct memory *memory, bool shell,
		 const struct home_client *client, void *ctx, struct home **home);
void guest_tell(struct home *home, const char *phase, uint64_t stream_id,
		uint64_t timeout_ms, struct rpc_request *req);

#endif /* _PHYPD_GUEST_H */
