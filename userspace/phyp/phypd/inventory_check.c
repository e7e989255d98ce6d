// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The description of a managed system: its tables, its defaults, and what they do not
 * say.  What a console's validation is to find is allowed here; what means nothing, or
 * names what is not there, is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "phyp/phypd/config.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/system.h"

#define SCSI	1u
#define FC	2u
#define VNIC	4u

#define MAX_SLOTS	65535
#define MAX_MIB		(1 << 30)
#define MAX_MIGRATIONS	4096

static const char *const power_sources[] = { "utility", "battery", NULL };
static const char *const system_states[] = {
	"Operating", "Initializing", "Standby", "Power Off", "Power Off In Progress", "Error",
	"No Connection", NULL
};
static const char *const capability_words[] = {
	"active_lpar_mobility", "inactive_lpar_mobility", "lpar_suspend", "lpar_uuid",
	"lpar_proc_compat_mode", NULL
};
static const char *const switch_modes[] = { "VEB", "VEPA", NULL };
static const char *const vios_states[] = { "Running", "Not Activated", "Error", NULL };
static const char *const rmc_states[] = { "active", "inactive", "none", NULL };
static const char *const sea_states[] = { "available", "failed", NULL };
static const char *const policies[] = {
	"no_reserve", "single_path", "PR_exclusive", "PR_shared", NULL
};
static const char *const lun_types[] = { "lun", "lv", "file", NULL };
static const char *const server_types[] = { "scsi", "fc", "vnic", NULL };

#define NAME_FIELD	{ "name", RPC_STRING, true, .min = 1, .max = 31 }

static const struct rpc_param vlan = { "", RPC_INTEGER, .min = 1, .max = 4094 };
static const struct rpc_param word = { "", RPC_STRING, .min = 1, .max = 63 };
static const struct rpc_param capability = { "", RPC_STRING, .one_of = capability_words };

static const struct rpc_param sea_fields[] = {
	NAME_FIELD,
	{ "vswitch", RPC_STRING, true, .min = 1, .max = 31 },
	{ "port_vlan_id", RPC_INTEGER, true, .min = 1, .max = 4094 },
	{ "addl_vlan_ids", RPC_ARRAY, .min = 0, .max = 320, .element = &vlan },
	{ "state", RPC_STRING, .one_of = sea_states },
	{ }
};

static const struct member_default sea_defaults[] = {
	{ "addl_vlan_ids", "[]" },
	{ "state", "\"available\"" },
	{ }
};

static const struct rpc_param login_fields[] = {
	{ "wwpn", RPC_STRING, true, .min = 16, .max = 16 },
	{ "luns", RPC_ARRAY, .min = 0, .max = 256, .element = &word },
	{ }
};

static const struct member_default login_defaults[] = { { "luns", "[]" }, { } };
static const struct rpc_param login = { "", RPC_OBJECT, .fields = login_fields };

static const struct rpc_param fc_port_fields[] = {
	NAME_FIELD,
	{ "wwpn", RPC_STRING, true, .min = 16, .max = 16 },
	{ "npiv", .type = RPC_BOOLEAN },
	{ "max_xfer_size", RPC_INTEGER, .min = 4096, .max = 1 << 30 },
	{ "max_ports", RPC_INTEGER, .min = 0, .max = 65535 },
	{ "logins", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_LOGINS, .element = &login },
	{ }
};

static const struct member_default fc_port_defaults[] = {
	{ "npiv", "true" },
	{ "max_xfer_size", "1048576" },
	{ "max_ports", "64" },
	{ "logins", "[]" },
	{ }
};

static const struct rpc_param sriov_port_fields[] = {
	NAME_FIELD,
	{ "max_ports", RPC_INTEGER, .min = 0, .max = 65535 },
	{ }
};

static const struct member_default sriov_port_defaults[] = { { "max_ports", "20" }, { } };

static const struct rpc_param lun_fields[] = {
	NAME_FIELD,
	{ "udid", RPC_STRING, true, .min = 1, .max = 63 },
	{ "size", RPC_INTEGER, true, .min = 1, .max = INT64_MAX },
	{ "reserve_policy", RPC_STRING, .one_of = policies },
	{ "type", RPC_STRING, .one_of = lun_types },
	{ }
};

static const struct member_default lun_defaults[] = {
	{ "reserve_policy", "\"no_reserve\"" },
	{ "type", "\"lun\"" },
	{ }
};

static const struct rpc_param device_name = { "", RPC_STRING, .min = 1, .max = 31 };

/* Also of vios.attach, without "stream_id" and the slot it can find itself */
#define SERVER_FIELDS								\
	{ "adapter_type", RPC_STRING, true, .one_of = server_types },		\
	{ "remote_lpar_name", RPC_STRING, true, .min = 1, .max = 31 },		\
	{ "remote_lpar_id", RPC_INTEGER, true, .min = 0, .max = 65535 },	\
	{ "remote_slot_num", RPC_INTEGER, true, .min = 0, .max = MAX_SLOTS },	\
	{ "backing_devices", RPC_ARRAY, .min = 0, .max = 256, .element = &device_name }, \
	{ "fc_port", RPC_STRING, .min = 1, .max = 31 },				\
	{ "sriov_port", RPC_STRING, .min = 1, .max = 31 }

static const struct rpc_param described_adapter_fields[] = {
	{ "slot_num", RPC_INTEGER, true, .min = INVENTORY_FIRST_SLOT, .max = MAX_SLOTS - 1 },
	{ "stream_id", .type = RPC_STREAM_ID },
	SERVER_FIELDS,
	{ }
};

const struct rpc_param server_adapter_fields[] = {
	{ "slot_num", RPC_INTEGER, .min = INVENTORY_FIRST_SLOT, .max = MAX_SLOTS - 1 },
	SERVER_FIELDS,
	{ }
};

static const struct member_of_type server_members[] = {
	{ "backing_devices", SCSI, 0 },
	{ "fc_port", FC, 0 },
	{ "sriov_port", VNIC, 0 },
	{ }
};

static const struct member_default scsi_defaults[] = { { "backing_devices", "[]" }, { } };

static const struct rpc_param sea = { "", RPC_OBJECT, .fields = sea_fields };
static const struct rpc_param fc_port = { "", RPC_OBJECT, .fields = fc_port_fields };
static const struct rpc_param sriov_port = { "", RPC_OBJECT, .fields = sriov_port_fields };
static const struct rpc_param lun = { "", RPC_OBJECT, .fields = lun_fields };
static const struct rpc_param adapter = {
	"", RPC_OBJECT, .fields = described_adapter_fields
};

static const struct rpc_param vios_fields[] = {
	NAME_FIELD,
	{ "lpar_id", RPC_INTEGER, true, .min = 1, .max = 65535 },
	{ "version", RPC_STRING, true, .min = 1, .max = 31 },
	{ "state", RPC_STRING, .one_of = vios_states },
	{ "msp", .type = RPC_BOOLEAN },
	{ "rmc_state", RPC_STRING, .one_of = rmc_states },
	{ "max_virtual_slots", RPC_INTEGER, .min = INVENTORY_FIRST_SLOT, .max = MAX_SLOTS },
	{ "seas", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_SEAS, .element = &sea },
	{ "fc_ports", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_PORTS, .element = &fc_port },
	{ "sriov_ports", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_PORTS,
	  .element = &sriov_port },
	{ "luns", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_LUNS, .element = &lun },
	{ "adapters", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_ADAPTERS,
	  .element = &adapter },
	{ }
};

static const struct member_default vios_defaults[] = {
	{ "state", "\"Running\"" },
	{ "msp", "false" },
	{ "rmc_state", "\"active\"" },
	{ "max_virtual_slots", "256" },
	{ "seas", "[]" },
	{ "fc_ports", "[]" },
	{ "sriov_ports", "[]" },
	{ "luns", "[]" },
	{ "adapters", "[]" },
	{ }
};

static const struct rpc_param pool_fields[] = {
	{ "shared_proc_pool_id", RPC_INTEGER, true, .min = 0, .max = 63 },
	NAME_FIELD,
	{ "max_pool_proc_units", RPC_NUMBER, .min = 0, .max = 4096 },
	{ }
};

static const struct rpc_param switch_fields[] = {
	NAME_FIELD,
	{ "mode", RPC_STRING, .one_of = switch_modes },
	{ }
};

static const struct member_default switch_defaults[] = { { "mode", "\"VEB\"" }, { } };

static const struct rpc_param pool = { "", RPC_OBJECT, .fields = pool_fields };
static const struct rpc_param vswitch = { "", RPC_OBJECT, .fields = switch_fields };
static const struct rpc_param vios = { "", RPC_OBJECT, .fields = vios_fields };
/* Looked at one by one: a table for them is elsewhere */
static const struct rpc_param partition = { "", .type = RPC_OBJECT };

static const struct rpc_param system_fields[] = {
	{ "type_model", RPC_STRING, true, .min = 8, .max = 8 },
	{ "serial_num", RPC_STRING, true, .min = 7, .max = 7 },
	{ "generation", RPC_INTEGER, true, .min = 1, .max = 99 },
	{ "firmware_level", RPC_STRING, true, .min = 1, .max = 31 },
	{ "power_source", RPC_STRING, .one_of = power_sources },
	{ "state", RPC_STRING, .one_of = system_states },
	{ "capabilities", RPC_ARRAY, true, .min = 0, .max = 16, .element = &capability },
	{ "mobility_edition", .type = RPC_BOOLEAN },
	{ "memory", RPC_INTEGER, .min = 1, .max = MAX_MIB },
	{ "mem_region_size", RPC_INTEGER, .min = 1, .max = 65536 },
	{ "configurable_sys_proc_units", RPC_NUMBER, true, .min = 0, .max = 4096 },
	{ "lpar_proc_compat_modes", RPC_ARRAY, true, .min = 1, .max = 32, .element = &word },
	{ "num_active_migrations_supported", RPC_INTEGER, .min = 0, .max = MAX_MIGRATIONS },
	{ "num_inactive_migrations_supported", RPC_INTEGER, .min = 0, .max = MAX_MIGRATIONS },
	{ "shared_proc_pools", RPC_ARRAY, .min = 0, .max = 64, .element = &pool },
	{ "virtual_switches", RPC_ARRAY, .min = 0, .max = 16, .element = &vswitch },
	{ "vioses", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_VIOSES, .element = &vios },
	{ "partitions", RPC_ARRAY, .min = 0, .max = INVENTORY_MAX_PARTITIONS,
	  .element = &partition },
	{ }
};

static const struct member_default system_defaults[] = {
	{ "power_source", "\"utility\"" },
	{ "state", "\"Operating\"" },
	{ "mobility_edition", "true" },
	{ "num_active_migrations_supported", "16" },
	{ "num_inactive_migrations_supported", "16" },
	{ "shared_proc_pools", "[{\"shared_proc_pool_id\": 0, \"name\": \"DefaultPool\"}]" },
	{ "virtual_switches", "[{\"name\": \"ETHERNET0\", \"mode\": \"VEB\"}]" },
	{ "vioses", "[]" },
	{ "partitions", "[]" },
	{ }
};

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
	unsigned int bit = !strcmp(type, "scsi") ? SCSI : !strcmp(type, "fc") ? FC : VNIC;
	int ret;

	ret = members_of_type(where, adapter, server_members, bit, type, err);
	if (!ret)
		ret = check_slot(where, server, adapter, err);
	if (!ret && bit == SCSI)
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
