// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The description of a managed system: tables of its members, and their defaults.
 */
#include "phyp/phypd/inventory_tables.h"

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

const struct member_default sea_defaults[] = {
	{ "addl_vlan_ids", "[]" },
	{ "state", "\"available\"" },
	{ }
};

static const struct rpc_param login_fields[] = {
	{ "wwpn", RPC_STRING, true, .min = 16, .max = 16 },
	{ "luns", RPC_ARRAY, .min = 0, .max = 256, .element = &word },
	{ }
};

const struct member_default login_defaults[] = { { "luns", "[]" }, { } };
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

const struct member_default fc_port_defaults[] = {
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

const struct member_default sriov_port_defaults[] = { { "max_ports", "20" }, { } };

static const struct rpc_param lun_fields[] = {
	NAME_FIELD,
	{ "udid", RPC_STRING, true, .min = 1, .max = 63 },
	{ "size", RPC_INTEGER, true, .min = 1, .max = INT64_MAX },
	{ "reserve_policy", RPC_STRING, .one_of = policies },
	{ "type", RPC_STRING, .one_of = lun_types },
	{ }
};

const struct member_default lun_defaults[] = {
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

const struct member_of_type server_members[] = {
	{ "backing_devices", SERVER_SCSI, 0 },
	{ "fc_port", SERVER_FC, 0 },
	{ "sriov_port", SERVER_VNIC, 0 },
	{ }
};

const struct member_default scsi_defaults[] = { { "backing_devices", "[]" }, { } };

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

const struct member_default vios_defaults[] = {
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

const struct member_default switch_defaults[] = { { "mode", "\"VEB\"" }, { } };

static const struct rpc_param pool = { "", RPC_OBJECT, .fields = pool_fields };
static const struct rpc_param vswitch = { "", RPC_OBJECT, .fields = switch_fields };
static const struct rpc_param vios = { "", RPC_OBJECT, .fields = vios_fields };
/* Looked at one by one: a table for them is elsewhere */
static const struct rpc_param partition = { "", .type = RPC_OBJECT };

const struct rpc_param system_fields[] = {
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

const struct member_default system_defaults[] = {
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
