// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Storage and network of a partition that migrates: server adapters on the target's
 * Virtual I/O Servers, and no more of them on the source's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hmc/adapters.h"

/* ---- On the target, before it moves ---- */

static const json_t *adapter_in(const json_t *config, int64_t slot)
{
	json_t *adapter;
	size_t i;

	json_array_foreach(json_object_get(config, "virtual_adapters"), i, adapter)
		if (number_of(adapter, "slot_num") == slot)
			return adapter;
	return NULL;
}

static void copy_member(json_t *to, const json_t *from, const char *name)
{
	json_t *value = json_object_get(from, name);

	if (value)
		json_object_set(to, name, value);
}

/* A virtual Ethernet adapter needs a switch only, which is there */
static bool is_hosted(const json_t *mapping)
{
	return strcmp(text_of(mapping, "adapter_type"), "eth");
}

static json_t *server_adapter(const struct plan *plan, const json_t *mapping)
{
	json_t *adapter = json_pack("{s:s, s:s, s:I, s:I}",
				    "adapter_type", text_of(mapping, "adapter_type"),
				    "remote_lpar_name", text_of(plan->partition, "name"),
				    "remote_lpar_id", (json_int_t)plan->target_lpar_id,
				    "remote_slot_num",
				    (json_int_t)number_of(mapping, "slot_num"));

	if (number_of(mapping, "vios_slot"))
		json_object_set_new(adapter, "slot_num",
				    json_integer(number_of(mapping, "vios_slot")));
	copy_member(adapter, mapping, "backing_devices");
	copy_member(adapter, mapping, "fc_port");
	copy_member(adapter, mapping, "sriov_port");
	return adapter;
}

static int attach(const struct plan *plan, json_t *mapping)
{
	const char *vios = text_of(mapping, "vios_name");
	struct rpc_error err;
	json_t *answer = NULL;
	char what[128];
	int ret;

	ret = system_call(plan->target, "vios.attach",
			  json_pack("{s:s, s:s, s:o}", "vios", vios, "stream_id", plan->id,
				    "adapter", server_adapter(plan, mapping)),
			  &answer, &err);
	if (ret) {
		snprintf(what, sizeof(what),
			 "make a server adapter on %.31s for the one in slot %d", vios,
			 (int)number_of(mapping, "slot_num"));
		call_message(plan->target, what, &err);
		return ret;
	}
	json_object_set(mapping, "vios_slot", json_object_get(answer, "slot_num"));
	json_decref(answer);
	return 0;
}

/* The partition's side of a mapping */
static void map_adapter(json_t *adapter, const json_t *mapping)
{
	if (!is_hosted(mapping)) {
		copy_member(adapter, mapping, "vswitch");
		return;
	}
	json_object_set(adapter, "remote_lpar_name", json_object_get(mapping, "vios_name"));
	json_object_set(adapter, "remote_lpar_id", json_object_get(mapping, "vios_id"));
	json_object_set(adapter, "remote_slot_num", json_object_get(mapping, "vios_slot"));
}

static json_t *mapped_adapters(const struct plan *plan)
{
	const json_t *config = json_object_get(plan->description, "config");
	json_t *adapters = json_deep_copy(json_object_get(config, "virtual_adapters"));
	json_t *wanted = json_pack("{s:o}", "virtual_adapters",
				   adapters ? adapters : json_array());
	json_t *mapping, *adapter;
	size_t i;

	json_array_foreach(plan->mappings, i, mapping) {
		adapter = (json_t *)adapter_in(wanted, number_of(mapping, "slot_num"));
		if (adapter)
			map_adapter(adapter, mapping);
	}
	return wanted;
}

/**
 * adapters_attach() - host the virtual adapters of an arriving partition
 * @plan:	with mappings, whose slots are filled in; the partition is on the target,
 *		as a shell or as one that is arriving
 *
 * The partition's own adapters are made to name those that host them there.
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int adapters_attach(struct plan *plan)
{
	struct rpc_error err;
	json_t *mapping;
	size_t i;
	int ret;

	if (!json_array_size(plan->mappings))
		return 0;
	json_array_foreach(plan->mappings, i, mapping) {
		ret = is_hosted(mapping) ? attach(plan, mapping) : 0;
		if (ret)
			return ret;
	}
	ret = system_call(plan->target, "partition.configure",
			  json_pack("{s:s, s:o}", "name", text_of(plan->partition, "name"),
				    "config", mapped_adapters(plan)), NULL, &err);
	if (ret)
		call_message(plan->target, "configure the virtual adapters", &err);
	return ret;
}

/* ---- Away with them ---- */

/* This one only: since it was seen, other commands may have filled its slot anew */
static int detach(const struct managed_system *system, const char *vios, json_t *adapter)
{
	int64_t slot = number_of(adapter, "slot_num");
	struct rpc_error err;
	char what[80];

	if (!system_call(system, "vios.detach",
			 json_pack("{s:s, s:I, s:O}", "vios", vios, "slot_num",
				   (json_int_t)slot, "adapter", adapter), NULL, &err) ||
	    err.code == RPC_NOT_FOUND)
		return 0;
	snprintf(what, sizeof(what), "remove the server adapter in slot %d of %.31s",
		 (int)slot, vios);
	call_message(system, what, &err);
	return -EIO;
}

enum adapter_action {
	ADAPTER_DETACH,
	ADAPTER_COUNT,
	ADAPTER_SETTLE,
};

/**
 * struct adapter_match - which server adapters are meant
 * @id:		marked with this stream; "" = with any; NULL = those without a mark
 * @partition:	their client's name; NULL = any
 * @lpar_id:	and its id; 0 = any
 * @action:	what is done with them
 */
struct adapter_match {
	const char *id;
	const char *partition;
	int64_t lpar_id;
	enum adapter_action action;
};

static bool matches(const json_t *adapter, const struct adapter_match *match)
{
	const char *id = text_of(adapter, "stream_id");

	if (match->id ? (!*id || (*match->id && strcmp(id, match->id))) : *id)
		return false;
	if (match->partition && strcmp(text_of(adapter, "remote_lpar_name"), match->partition))
		return false;
	return !match->lpar_id || number_of(adapter, "remote_lpar_id") == match->lpar_id;
}

static int act(const struct managed_system *system, const json_t *vios, json_t *adapter,
	       enum adapter_action action)
{
	switch (action) {
	case ADAPTER_DETACH:
		return detach(system, text_of(vios, "name"), adapter);
	case ADAPTER_SETTLE:
		return adapters_settle(system, text_of(adapter, "stream_id"));
	case ADAPTER_COUNT:
	default:
		return 0;
	}
}

static int match_vios(const struct managed_system *system, const json_t *vios,
		      const struct adapter_match *match)
{
	json_t *adapter;
	int count = 0;
	size_t i;
	int ret;

	json_array_foreach(json_object_get(vios, "adapters"), i, adapter) {
		if (!matches(adapter, match))
			continue;
		ret = act(system, vios, adapter, match->action);
		if (ret)
			return ret;
		count++;
	}
	return count;
}

/* How many, or a negative errno */
static int match_system(const struct managed_system *system,
			const struct adapter_match *match)
{
	struct rpc_error err;
	json_t *inventory = NULL, *vios;
	int count = 0;
	size_t i;
	int ret;

	ret = system_call(system, "system.inventory", NULL, &inventory, &err);
	if (ret) {
		call_message(system, "tell what it has", &err);
		return ret;
	}
	json_array_foreach(json_object_get(inventory, "vioses"), i, vios) {
		ret = match_vios(system, vios, match);
		if (ret < 0)
			break;
		count += ret;
	}
	json_decref(inventory);
	return ret < 0 ? ret : count;
}

/**
 * adapters_detach_marked() - remove what was made for a partition that does not arrive
 * @system:	the target
 * @id:		of the migration; "" = any
 * @partition:	its name
 *
 * Return: how many, or a negative errno; the user has been told.
 */
int adapters_detach_marked(const struct managed_system *system, const char *id,
			   const char *partition)
{
	const struct adapter_match match = { .id = id, .partition = partition };

	return match_system(system, &match);
}

/**
 * adapters_count_marked() - how many there are for a partition that has not arrived
 * @system:	the target
 * @partition:	its name
 *
 * Return: how many, or a negative errno; the user has been told.
 */
int adapters_count_marked(const struct managed_system *system, const char *partition)
{
	const struct adapter_match match = { .id = "", .partition = partition,
					     .action = ADAPTER_COUNT };

	return match_system(system, &match);
}

/**
 * adapters_keep() - what hosts a partition is its, also if its arrival was not cleaned up
 * @system:	where it is, and not about to arrive
 * @partition:	as partition.show tells
 *
 * Only what bears no mark goes when it departs.
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int adapters_keep(const struct managed_system *system, const json_t *partition)
{
	const struct adapter_match match = {
		.id = "",
		.partition = text_of(partition, "name"),
		.lpar_id = number_of(partition, "lpar_id"),
		.action = ADAPTER_SETTLE,
	};
	int count = match_system(system, &match);

	return count < 0 ? count : 0;
}

/**
 * adapters_detach_departed() - remove what hosted a partition that has left
 * @system:	the source
 * @partition:	as partition.show tells, or told, there
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int adapters_detach_departed(const struct managed_system *system,
			     const json_t *partition)
{
	const struct adapter_match match = {
		.partition = text_of(partition, "name"),
		.lpar_id = number_of(partition, "lpar_id"),
	};

	int count = match_system(system, &match);

	return count < 0 ? count : 0;
}

/**
 * adapters_settle() - what was made for a partition is its, now that it has arrived
 * @system:	the target
 * @id:		of the migration
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int adapters_settle(const struct managed_system *system, const char *id)
{
	struct rpc_error err;
	int ret;

	ret = system_call(system, "vios.settle", json_pack("{s:s}", "stream_id", id), NULL, &err);
	if (!ret || err.code == RPC_NOT_FOUND)
		return 0;
	call_message(system, "keep the server adapters", &err);
	return ret;
}
