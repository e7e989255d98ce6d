/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a managed system has, as its description says (Documentation/managed-system.rst):
 * kept as the JSON that system.inventory tells, and changed there.
 */
#ifndef _PHYPD_INVENTORY_H
#define _PHYPD_INVENTORY_H

#include "phyp/phypd/member.h"

#define INVENTORY_MAX_FILE		(8u << 20)
/* What system.inventory tells; leaves room for the rest of an answer */
#define INVENTORY_MAX_BYTES		(RPC_MAX_ANSWER - 65536)
#define INVENTORY_MAX_PARTITIONS	256
#define INVENTORY_MAX_VIOSES		16
#define INVENTORY_MAX_ADAPTERS		256
#define INVENTORY_MAX_SEAS		64
#define INVENTORY_MAX_PORTS		32
#define INVENTORY_MAX_LOGINS		256
#define INVENTORY_MAX_LUNS		1024
#define INVENTORY_FIRST_SLOT		11

/**
 * struct inventory - what a managed system has
 * @system:	all of its description but "partitions", with the defaults filled in
 * @partitions:	these, as partition.create takes them, with "activate"
 */
struct inventory {
	json_t *system;
	json_t *partitions;
};

int inventory_load(const char *path, struct inventory **inventory, struct rpc_error *err);
int inventory_new(const json_t *description, struct inventory **inventory,
		  struct rpc_error *err);
struct inventory *inventory_free(struct inventory *inventory);

/* These take NULL for a system without a description */
uint64_t inventory_number(const struct inventory *inventory, const char *name,
			  uint64_t fallback);
json_t *inventory_vios(const struct inventory *inventory, const char *name);
/* Has a VIOS this name, or this id? */
bool inventory_has_name(const struct inventory *inventory, const char *name);
bool inventory_has_id(const struct inventory *inventory, uint32_t lpar_id);

/* inventory_check.c: fills in defaults, too */
int inventory_check(json_t *description, struct rpc_error *err);
extern const struct rpc_param server_adapter_fields[];
int server_adapter_check(const char *where, const json_t *vios, json_t *adapter,
			 struct rpc_error *err);

/* vios.c: 0, or -EINVAL with code and text of @err */
int vios_attach(struct inventory *inventory, const char *name, uint64_t stream_id,
		const json_t *adapter, uint32_t *slot, struct rpc_error *err);
int vios_detach(struct inventory *inventory, const char *name, uint32_t slot,
		const json_t *only, struct rpc_error *err);
int vios_change(struct inventory *inventory, const char *name, bool msp,
		struct rpc_error *err);
void vios_settle(struct inventory *inventory, uint64_t stream_id);

#endif /* _PHYPD_INVENTORY_H */
