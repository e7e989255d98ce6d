// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Server adapters of Virtual I/O Servers: attached for partitions that come, and
 * detached when they have gone.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "phyp/phypd/inventory.h"

static json_t *find(const struct inventory *inventory, const char *name,
		    struct rpc_error *err)
{
	json_t *vios = inventory_vios(inventory, name);

	if (!vios) {
		member_fail(err, "the system has no VIOS \"%.64s\"", name);
		err->code = RPC_NOT_FOUND;
	}
	return vios;
}

static bool same_string(const json_t *one, const json_t *other, const char *name)
{
	return !strcmp(rpc_get_string(one, name, ""), rpc_get_string(other, name, ""));
}

/* The one that the same request was answered with before */
static json_t *attached(const json_t *vios, uint64_t stream_id, const json_t *adapter)
{
	uint64_t slot = rpc_get_u64(adapter, "remote_slot_num", 0);
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(vios, "adapters"), i, other)
		if (rpc_has(other, "stream_id") &&
		    rpc_get_stream_id(other, "stream_id") == stream_id &&
		    rpc_get_u64(other, "remote_slot_num", 0) == slot &&
		    same_string(other, adapter, "remote_lpar_name"))
			return other;
	return NULL;
}

static uint32_t slot_of(const json_t *adapter)
{
	return (uint32_t)rpc_get_u64(adapter, "slot_num", 0);
}

static int not_enough(struct rpc_error *err)
{
	err->code = RPC_NOT_ENOUGH;
	return -EINVAL;
}

/* The slot that was asked for, or the lowest that is free */
static int find_slot(const json_t *vios, json_t *adapter, struct rpc_error *err)
{
	uint64_t slots = rpc_get_u64(vios, "max_virtual_slots", 0);
	const json_t *adapters = json_object_get(vios, "adapters");
	uint64_t slot = INVENTORY_FIRST_SLOT;

	if (rpc_has(adapter, "slot_num")) {
		slot = slot_of(adapter);
		if (!member_numbered(adapters, "slot_num", slot))
			return 0;
		member_fail(err, "adapter.slot_num: slot %" PRIu64 " of %s is used", slot,
			    rpc_get_string(vios, "name", ""));
		err->code = RPC_EXISTS;
		return -EINVAL;
	}
	while (slot < slots && member_numbered(adapters, "slot_num", slot))
		slot++;
	if (slot >= slots || json_array_size(adapters) >= INVENTORY_MAX_ADAPTERS) {
		member_fail(err, "adapter.slot_num: %s has no free slot: %zu adapters, max_virtual_slots is %"
			    PRIu64, rpc_get_string(vios, "name", ""),
			    json_array_size(adapters), slots);
		return not_enough(err);
	}
	return json_object_set_new(adapter, "slot_num", json_integer((json_int_t)slot)) ?
	       member_fail(err, "out of memory") : 0;
}

/* A port hosts a limited number of virtual adapters */
static int check_room(const json_t *vios, const json_t *adapter, const char *ports,
		      const char *member, struct rpc_error *err)
{
	const char *name = rpc_get_string(adapter, member, NULL);
	const json_t *port = name ? member_named(json_object_get(vios, ports), name) : NULL;
	uint64_t most = rpc_get_u64(port, "max_ports", UINT64_MAX);
	const json_t *other;
	uint64_t count = 0;
	size_t i;

	if (!port)
		return 0;
	json_array_foreach(json_object_get(vios, "adapters"), i, other)
		count += same_string(other, adapter, member);
	if (count < most)
		return 0;
	member_fail(err, "adapter.%s: %s of %s hosts %" PRIu64 " virtual adapters already, max_ports is %"
		    PRIu64, member, name, rpc_get_string(vios, "name", ""), count, most);
	return not_enough(err);
}

/* system.inventory must be able to tell it */
static int append(struct inventory *inventory, const json_t *vios, json_t *adapter,
		  struct rpc_error *err)
{
	json_t *adapters = json_object_get(vios, "adapters");

	if (json_array_size(adapters) >= INVENTORY_MAX_ADAPTERS) {
		member_fail(err, "adapter: %s has %u adapters already",
			    rpc_get_string(vios, "name", ""), INVENTORY_MAX_ADAPTERS);
		return not_enough(err);
	}
	if (json_array_append(adapters, adapter))
		return member_fail(err, "out of memory");
	if (json_dumpb(inventory->system, NULL, 0, JSON_COMPACT) <= INVENTORY_MAX_BYTES)
		return 0;
	json_array_remove(adapters, json_array_size(adapters) - 1);
	member_fail(err, "adapter: the system's inventory has %u bytes already",
		    INVENTORY_MAX_BYTES);
	return not_enough(err);
}

static int attach(struct inventory *inventory, const json_t *vios, json_t *adapter,
		  struct rpc_error *err)
{
	int ret = find_slot(vios, adapter, err);

	if (!ret)
		ret = server_adapter_check("adapter.", vios, adapter, err);
	if (!ret)
		ret = members_clean("adapter", adapter, err);
	if (!ret)
		ret = check_room(vios, adapter, "fc_ports", "fc_port", err);
	if (!ret)
		ret = check_room(vios, adapter, "sriov_ports", "sriov_port", err);
	return ret ? ret : append(inventory, vios, adapter, err);
}

/**
 * vios_attach() - give a VIOS a server adapter
 * @inventory:	of the system, or NULL
 * @name:	of the VIOS
 * @stream_id:	that it is made for, or 0
 * @adapter:	checked against server_adapter_fields
 * @slot:	on success: where it is
 * @err:	code and text
 *
 * Asked again for the same stream, client and slot there, it answers the same.
 *
 * Return: 0 or -EINVAL.
 */
int vios_attach(struct inventory *inventory, const char *name, uint64_t stream_id,
		const json_t *adapter, uint32_t *slot, struct rpc_error *err)
{
	const json_t *vios = find(inventory, name, err);
	const json_t *before;
	json_t *copy;
	int ret;

	if (!vios)
		return -EINVAL;
	before = stream_id ? attached(vios, stream_id, adapter) : NULL;
	if (before) {
		*slot = slot_of(before);
		return 0;
	}
	copy = json_deep_copy(adapter);
	if (!copy || (stream_id && json_object_set_new(copy, "stream_id",
						       rpc_json_stream_id(stream_id))))
		ret = member_fail(err, "out of memory");
	else
		ret = attach(inventory, vios, copy, err);
	if (!ret)
		*slot = slot_of(copy);
	json_decref(copy);
	return ret;
}

/**
 * vios_detach() - take a server adapter away
 * @inventory:	of the system, or NULL
 * @name:	of the VIOS
 * @slot:	where it is
 * @only:	as it was told; if there is another one by now, that stays.  NULL = any
 * @err:	code and text
 *
 * Return: 0 or -EINVAL.
 */
int vios_detach(struct inventory *inventory, const char *name, uint32_t slot,
		const json_t *only, struct rpc_error *err)
{
	const json_t *vios = find(inventory, name, err);
	json_t *adapters = json_object_get(vios, "adapters");
	const json_t *adapter;
	size_t i;

	if (!vios)
		return -EINVAL;
	json_array_foreach(adapters, i, adapter) {
		if (slot_of(adapter) != slot ||
		    (only && !json_equal((json_t *)adapter, (json_t *)only)))
			continue;
		json_array_remove(adapters, i);
		return 0;
	}
	member_fail(err, "slot_num: %s has no %sadapter in slot %u", name,
		    only ? "such " : "", slot);
	err->code = RPC_NOT_FOUND;
	return -EINVAL;
}

/**
 * vios_change() - let a VIOS be a mover service partition, or not
 * @inventory:	of the system, or NULL
 * @name:	of the VIOS
 * @msp:	which of the two
 * @err:	code and text
 *
 * Return: 0 or -EINVAL.
 */
int vios_change(struct inventory *inventory, const char *name, bool msp,
		struct rpc_error *err)
{
	json_t *vios = find(inventory, name, err);

	if (!vios)
		return -EINVAL;
	if (json_object_set_new(vios, "msp", json_boolean(msp)))
		return member_fail(err, "out of memory");
	return 0;
}

/**
 * vios_settle() - what was made for a stream stays
 * @inventory:	of the system
 * @stream_id:	its server adapters are like any others from now on
 */
void vios_settle(struct inventory *inventory, uint64_t stream_id)
{
	const json_t *vios;
	json_t *adapter;
	size_t i, j;

	json_array_foreach(json_object_get(inventory->system, "vioses"), i, vios)
		json_array_foreach(json_object_get(vios, "adapters"), j, adapter)
			if (rpc_has(adapter, "stream_id") &&
			    rpc_get_stream_id(adapter, "stream_id") == stream_id)
				json_object_del(adapter, "stream_id");
}
