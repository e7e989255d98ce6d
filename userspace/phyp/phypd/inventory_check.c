// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The description of a managed system: what its tables do not say.  What a console's
 * validation is to find is allowed here; what means nothing, or names what is not there,
 * is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "phyp/phypd/config.h"
#include "phyp/phypd/inventory_tables.h"
#include "phyp/phypd/system.h"

/**
 * struct unique - what the objects of an array may not share
 * @array:	its name
 * @member:	of its objects; NULL: the elements themselves
 */
struct unique {
	const char *array;
	const char *member;
};

static int check_uniques(const char *where, const json_t *object,
			 const struct unique *table, size_t count, struct rpc_error *err)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < count; i++)
		ret = members_unique(where, object, table[i].array, table[i].member, err);
	return ret;
}

/* ---- A server adapter ---- */

static int check_backing(const char *where, const json_t *server, const json_t *adapter,
			 struct rpc_error *err)
{
	const json_t *luns = json_object_get(server, "luns");
	const json_t *name;
	size_t i;

	json_array_foreach(json_object_get(adapter, "backing_devices"), i, name) {
		if (member_named(luns, json_string_value(name)))
			continue;
		member_fail(err, "%sbacking_devices[%zu]: %s has no LUN \"%s\"", where, i,
			    rpc_get_string(server, "name", ""), json_string_value(name));
		err->code = RPC_NOT_FOUND;
		return -EINVAL;
	}
	return members_unique(where, adapter, "backing_devices", NULL, err);
}

static int check_port(const char *where, const json_t *server, const json_t *adapter,
		      const char *ports, const char *member, struct rpc_error *err)
{
	const char *name = rpc_get_string(adapter, member, NULL);

	if (!name || member_named(json_object_get(server, ports), name))
		return 0;
	member_fail(err, "%s%s: %s has no port \"%s\"", where, member,
		    rpc_get_string(server, "name", ""), name);
	err->code = RPC_NOT_FOUND;
	return -EINVAL;
}

static int check_slot(const char *where, const json_t *server, const json_t *adapter,
		      struct rpc_error *err)
{
	uint64_t slots = rpc_get_u64(server, "max_virtual_slots", 0);
	uint64_t slot = rpc_get_u64(adapter, "slot_num", 0);

	if (slot < slots)
		return 0;
	return member_fail(err, "%sslot_num is %" PRIu64 "; allowed: %u to %" PRIu64
			   ", as max_virtual_slots of %s says", where, slot,
			   INVENTORY_FIRST_SLOT, slots - 1,
			   rpc_get_string(server, "name", ""));
}

/**
 * server_adapter_check() - can a VIOS have such an adapter?
 * @where:	stands before names in messages
 * @server:	the VIOS, with its defaults
 * @adapter:	checked against its table; its defaults are filled in
 * @err:	code and text
 *
 * Whether slot and port are free is not looked at.
 *
 * Return: 0 or -EINVAL.
 */
int server_adapter_check(const char *where, const json_t *server, json_t *adapter,
			 struct rpc_error *err)
{
	const char *type = rpc_get_string(adapter, "adapter_type", "");
	unsigned int bit = !strcmp(type, "scsi") ? SERVER_SCSI :
			   !strcmp(type, "fc") ? SERVER_FC : SERVER_VNIC;
	int ret;

	ret = members_of_type(where, adapter, server_members, bit, type, err);
	if (!ret)
		ret = check_slot(where, server, adapter, err);
	if (!ret && bit == SERVER_SCSI)
		ret = members_default(adapter, scsi_defaults, err);
	if (!ret)
		ret = check_backing(where, server, adapter, err);
	if (!ret)
		ret = check_port(where, server, adapter, "fc_ports", "fc_port", err);
	if (!ret)
		ret = check_port(where, server, adapter, "sriov_ports", "sriov_port", err);
	return ret;
}

/* ---- A VIOS ---- */

static int check_sea(const char *where, const json_t *system, json_t *object,
		     struct rpc_error *err)
{
	const char *name = rpc_get_string(object, "vswitch", "");
	int ret = members_default(object, sea_defaults, err);

	if (ret)
		return ret;
	if (!member_named(json_object_get(system, "virtual_switches"), name))
		return member_fail(err, "%svswitch: the system has no virtual switch \"%s\"",
				   where, name);
	return members_unique(where, object, "addl_vlan_ids", NULL, err);
}

static int check_login(const char *where, const json_t *port, json_t *object,
		       struct rpc_error *err)
{
	int ret = member_hex(where, object, "wwpn", err);

	(void)port;
	if (!ret)
		ret = members_default(object, login_defaults, err);
	return ret ? ret : members_unique(where, object, "luns", NULL, err);
}

static int check_fc_port(const char *where, const json_t *server, json_t *object,
			 struct rpc_error *err)
{
	int ret = members_default(object, fc_port_defaults, err);

	(void)server;
	if (!ret)
		ret = member_hex(where, object, "wwpn", err);
	if (!ret)
		ret = members_each(where, object, "logins", object, check_login, err);
	return ret ? ret : members_unique(where, object, "logins", "wwpn", err);
}

static int check_sriov_port(const char *where, const json_t *server, json_t *object,
			    struct rpc_error *err)
{
	(void)where;
	(void)server;
	return members_default(object, sriov_port_defaults, err);
}

static int check_lun(const char *where, const json_t *server, json_t *object,
		     struct rpc_error *err)
{
	(void)where;
	(void)server;
	return members_default(object, lun_defaults, err);
}

/* Stream ids look alike everywhere */
static int check_adapter(const char *where, const json_t *server, json_t *object,
			 struct rpc_error *err)
{
	if (rpc_has(object, "stream_id"))
		json_object_set_new(object, "stream_id",
				    rpc_json_stream_id(rpc_get_stream_id(object,
									 "stream_id")));
	return server_adapter_check(where, server, object, err);
}

static int check_vios(const char *where, const json_t *system, json_t *object,
		      struct rpc_error *err)
{
	static const struct unique uniques[] = {
		{ "seas", "name" }, { "fc_ports", "name" }, { "fc_ports", "wwpn" },
		{ "sriov_ports", "name" }, { "luns", "name" }, { "luns", "udid" },
		{ "adapters", "slot_num" },
	};
	int ret = members_default(object, vios_defaults, err);

	if (!ret)
		ret = members_each(where, object, "seas", system, check_sea, err);
	if (!ret)
		ret = members_each(where, object, "fc_ports", object, check_fc_port, err);
	if (!ret)
		ret = members_each(where, object, "sriov_ports", object, check_sriov_port, err);
	if (!ret)
		ret = members_each(where, object, "luns", object, check_lun, err);
	if (!ret)
		ret = check_uniques(where, object, uniques, ARRAY_SIZE(uniques), err);
	return ret ? ret : members_each(where, object, "adapters", object, check_adapter, err);
}

/* ---- A partition ---- */

static int check_activate(const char *where, const json_t *object, struct rpc_error *err)
{
	const json_t *activate = json_object_get(object, "activate");

	if (!activate || json_is_boolean(activate))
		return 0;
	return member_fail(err, "%sactivate must be true or false", where);
}

/* What partition.create takes; its own checks follow when it is made */
static int check_partition(const char *where, const json_t *system, json_t *object,
			   struct rpc_error *err)
{
	const char *name = rpc_get_string(object, "name", "");
	json_t *params;
	int ret = check_activate(where, object, err);

	if (ret)
		return ret;
	params = json_copy(object);
	json_object_del(params, "activate");
	ret = rpc_check_table(where, params, mgmt_create_params, err);
	json_decref(params);
	if (ret)
		return ret;
	if (member_named(json_object_get(system, "vioses"), name))
		return member_fail(err, "%sname: a VIOS is \"%s\" already", where, name);
	if (member_numbered(json_object_get(system, "vioses"), "lpar_id",
			    rpc_get_u64(object, "lpar_id", 0)))
		return member_fail(err, "%slpar_id: a VIOS has %" PRIu64 " already", where,
				   rpc_get_u64(object, "lpar_id", 0));
	return 0;
}

static int check_config(const char *where, const json_t *system, json_t *object,
			struct rpc_error *err)
{
	const json_t *config = json_object_get(object, "config");
	char inner[128];
	json_t *checked;

	(void)system;
	if (!config)
		return 0;
	if (snprintf(inner, sizeof(inner), "%sconfig.", where) >= (int)sizeof(inner))
		return member_fail(err, "out of memory");
	checked = config_checked(inner, config, err);
	json_decref(checked);
	return checked ? 0 : -EINVAL;
}

/* Ids are optional there */
static int check_lpar_ids(const json_t *description, struct rpc_error *err)
{
	json_t *with = json_array();
	json_t *wrapped = json_pack("{s:o}", "partitions", with);
	const json_t *object;
	int ret = 0;
	size_t i;

	json_array_foreach(json_object_get(description, "partitions"), i, object) {
		json_t *id = json_object_get(object, "lpar_id");

		/* What has none has one of its own */
		json_array_append_new(with, json_pack("{s:o}", "lpar_id", id ? json_incref(id) :
						      json_integer(-1 - (json_int_t)i)));
	}
	ret = members_unique("", wrapped, "partitions", "lpar_id", err);
	json_decref(wrapped);
	return ret;
}

static int check_partitions(json_t *description, struct rpc_error *err)
{
	int ret = members_each("", description, "partitions", description, check_partition, err);

	if (!ret)
		ret = members_unique("", description, "partitions", "name", err);
	if (!ret)
		ret = check_lpar_ids(description, err);
	return ret ? ret : members_each("", description, "partitions", description, check_config,
				      err);
}

/* ---- The system ---- */

static int check_switch(const char *where, const json_t *system, json_t *object,
			struct rpc_error *err)
{
	(void)where;
	(void)system;
	return members_default(object, switch_defaults, err);
}

static int check_region(const json_t *description, struct rpc_error *err)
{
	uint64_t size = rpc_get_u64(description, "mem_region_size", 1);

	if (size & (size - 1))
		return member_fail(err, "mem_region_size is %" PRIu64 ", no power of two", size);
	return 0;
}

static int check_system(json_t *description, struct rpc_error *err)
{
	static const struct unique uniques[] = {
		{ "capabilities", NULL }, { "lpar_proc_compat_modes", NULL },
		{ "shared_proc_pools", "shared_proc_pool_id" },
		{ "shared_proc_pools", "name" }, { "virtual_switches", "name" },
		{ "vioses", "name" }, { "vioses", "lpar_id" },
	};
	int ret = check_region(description, err);

	if (!ret)
		ret = members_each("", description, "virtual_switches", description,
				   check_switch, err);
	return ret ? ret : check_uniques("", description, uniques, ARRAY_SIZE(uniques), err);
}

/**
 * inventory_check() - is it the description of a system?
 * @description: its defaults are filled in
 * @err:	its text names the member
 *
 * Return: 0 or -EINVAL.
 */
int inventory_check(json_t *description, struct rpc_error *err)
{
	int ret;

	if (!json_is_object(description))
		return member_fail(err, "not an object");
	ret = rpc_check_table("", description, system_fields, err);
	if (!ret)
		ret = members_default(description, system_defaults, err);
	if (!ret)
		ret = check_system(description, err);
	if (!ret)
		ret = members_each("", description, "vioses", description, check_vios, err);
	if (!ret)
		ret = check_partitions(description, err);
	return ret ? ret : members_clean("", description, err);
}
