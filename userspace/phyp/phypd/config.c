// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The config of a partition: its tables, its defaults, and what they do not say.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "phyp/phypd/config.h"

#define ETH	1u
#define SCSI	2u
#define FC	4u
#define VNIC	8u

#define MAX_MIB		(1 << 30)
#define MAX_PROCS	4096
#define MAX_IO_SLOTS	64
#define MAX_ADDL_VLANS	20
#define MAX_SLOTS	65535

static const char *const environments[] = { "aixlinux", "os400", "vioserver", NULL };
static const char *const rmc_states[] = { "active", "inactive", "none", NULL };
static const char *const conditions[] = { "ok", "crashed", "failed", NULL };
static const char *const proc_modes[] = { "shared", "ded", NULL };
static const char *const boot_modes[] = { "norm", "dd", "ds", "of", "sms", NULL };
static const char *const adapter_types[] = { "eth", "scsi", "fc", "vnic", NULL };
static const char *const sharing_modes[] = {
	"cap", "uncap", "keep_idle_procs", "share_idle_procs", "share_idle_procs_active",
	"share_idle_procs_always", NULL
};

static const struct rpc_param io_slot_fields[] = {
	{ "drc_index", RPC_STRING, true, .min = 1, .max = 16 },
	{ "required", .type = RPC_BOOLEAN },
	{ }
};

static const struct rpc_param io_slot = { "", RPC_OBJECT, .fields = io_slot_fields };

static const struct rpc_param profile_fields[] = {
	{ "name", RPC_STRING, true, .min = 1, .max = 31 },
	{ "min_mem", RPC_INTEGER, true, .min = 1, .max = MAX_MIB },
	{ "desired_mem", RPC_INTEGER, true, .min = 1, .max = MAX_MIB },
	{ "max_mem", RPC_INTEGER, true, .min = 1, .max = MAX_MIB },
	{ "proc_mode", RPC_STRING, true, .one_of = proc_modes },
	{ "min_procs", RPC_INTEGER, true, .min = 1, .max = MAX_PROCS },
	{ "desired_procs", RPC_INTEGER, true, .min = 1, .max = MAX_PROCS },
	{ "max_procs", RPC_INTEGER, true, .min = 1, .max = MAX_PROCS },
	{ "min_proc_units", RPC_NUMBER, .min = 0, .max = MAX_PROCS },
	{ "desired_proc_units", RPC_NUMBER, .min = 0, .max = MAX_PROCS },
	{ "max_proc_units", RPC_NUMBER, .min = 0, .max = MAX_PROCS },
	{ "sharing_mode", RPC_STRING, .one_of = sharing_modes },
	{ "uncap_weight", RPC_INTEGER, .min = 0, .max = 255 },
	{ "shared_proc_pool_id", RPC_INTEGER, .min = 0, .max = 63 },
	{ "lpar_proc_compat_mode", RPC_STRING, .min = 1, .max = 31 },
	{ "max_virtual_slots", RPC_INTEGER, .min = 3, .max = MAX_SLOTS },
	{ "io_slots", RPC_ARRAY, .min = 0, .max = MAX_IO_SLOTS, .element = &io_slot },
	{ "lhea_logical_ports", RPC_INTEGER, .min = 0, .max = 255 },
	{ "min_num_huge_pages", RPC_INTEGER, .min = 0, .max = MAX_MIB },
	{ "desired_num_huge_pages", RPC_INTEGER, .min = 0, .max = MAX_MIB },
	{ "bsr_arrays", RPC_INTEGER, .min = 0, .max = 256 },
	{ "redundant_err_path_reporting", .type = RPC_BOOLEAN },
	{ "work_group_id", RPC_INTEGER, .min = 0, .max = 32 },
	{ "auto_start", .type = RPC_BOOLEAN },
	{ "boot_mode", RPC_STRING, .one_of = boot_modes },
	{ }
};

static const struct member_default profile_defaults[] = {
	{ "lpar_proc_compat_mode", "\"default\"" },
	{ "max_virtual_slots", "64" },
	{ "io_slots", "[]" },
	{ "lhea_logical_ports", "0" },
	{ "min_num_huge_pages", "0" },
	{ "desired_num_huge_pages", "0" },
	{ "bsr_arrays", "0" },
	{ "redundant_err_path_reporting", "false" },
	{ "work_group_id", "0" },
	{ "auto_start", "false" },
	{ "boot_mode", "\"norm\"" },
	{ }
};

static const struct rpc_param vlan = { "", RPC_INTEGER, .min = 1, .max = 4094 };
static const struct rpc_param wwpn = { "", RPC_STRING, .min = 16, .max = 16 };

static const struct rpc_param adapter_fields[] = {
	{ "slot_num", RPC_INTEGER, true, .min = 0, .max = MAX_SLOTS - 1 },
	{ "adapter_type", RPC_STRING, true, .one_of = adapter_types },
	{ "is_required", .type = RPC_BOOLEAN },
	{ "vswitch", RPC_STRING, .min = 1, .max = 31 },
	{ "port_vlan_id", RPC_INTEGER, .min = 0, .max = 4094 },
	{ "addl_vlan_ids", RPC_ARRAY, .min = 0, .max = MAX_ADDL_VLANS, .element = &vlan },
	{ "ieee_virtual_eth", .type = RPC_BOOLEAN },
	{ "mac_addr", RPC_STRING, .min = 12, .max = 12 },
	{ "remote_lpar_name", RPC_STRING, .min = 1, .max = 31 },
	{ "remote_lpar_id", RPC_INTEGER, .min = 0, .max = 65535 },
	{ "remote_slot_num", RPC_INTEGER, .min = 0, .max = MAX_SLOTS },
	{ "wwpns", RPC_ARRAY, .min = 2, .max = 2, .element = &wwpn },
	{ }
};

static const struct member_of_type adapter_members[] = {
	{ "vswitch", ETH, ETH },
	{ "port_vlan_id", ETH | VNIC, ETH },
	{ "addl_vlan_ids", ETH, 0 },
	{ "ieee_virtual_eth", ETH, 0 },
	{ "mac_addr", ETH | VNIC, 0 },
	{ "remote_lpar_name", SCSI | FC | VNIC, SCSI | FC | VNIC },
	{ "remote_lpar_id", SCSI | FC | VNIC, SCSI | FC | VNIC },
	{ "remote_slot_num", SCSI | FC | VNIC, SCSI | FC | VNIC },
	{ "wwpns", FC, FC },
	{ }
};

static const struct member_default adapter_defaults[] = {
	{ "is_required", "false" },
	{ }
};

static const struct member_default eth_defaults[] = {
	{ "addl_vlan_ids", "[]" },
	{ "ieee_virtual_eth", "false" },
	{ }
};

static const struct rpc_param profile = { "", RPC_OBJECT, .fields = profile_fields };
static const struct rpc_param adapter = { "", RPC_OBJECT, .fields = adapter_fields };

/* Of a whole config; a request's parameter, too */
const struct rpc_param config_fields[] = {
	{ "lpar_env", RPC_STRING, .one_of = environments },
	{ "os", RPC_STRING, .min = 0, .max = 31 },
	{ "os_version", RPC_STRING, .min = 0, .max = 63 },
	{ "uuid", RPC_STRING, .min = 1, .max = 63 },
	{ "rmc_state", RPC_STRING, .one_of = rmc_states },
	{ "rmc_ipaddr", RPC_STRING, .min = 0, .max = 63 },
	{ "refcode", RPC_STRING, .min = 0, .max = 63 },
	{ "condition", RPC_STRING, .one_of = conditions },
	{ "activated", .type = RPC_BOOLEAN },
	{ "service_partition", .type = RPC_BOOLEAN },
	{ "vterm_open", .type = RPC_BOOLEAN },
	{ "migration_disabled", .type = RPC_BOOLEAN },
	{ "max_freeze_ms", RPC_INTEGER, .min = 0, .max = 86400000 },
	{ "time_ref", .type = RPC_BOOLEAN },
	{ "curr_profile", RPC_STRING, true, .min = 1, .max = 31 },
	{ "curr_lpar_proc_compat_mode", RPC_STRING, .min = 1, .max = 31 },
	{ "profiles", RPC_ARRAY, true, .min = 1, .max = CONFIG_MAX_PROFILES,
	  .element = &profile },
	{ "virtual_adapters", RPC_ARRAY, .min = 0, .max = CONFIG_MAX_ADAPTERS,
	  .element = &adapter },
	{ }
};

static const struct member_default config_defaults[] = {
	{ "lpar_env", "\"aixlinux\"" },
	{ "os", "\"\"" },
	{ "os_version", "\"\"" },
	{ "rmc_state", "\"none\"" },
	{ "rmc_ipaddr", "\"\"" },
	{ "refcode", "\"\"" },
	{ "condition", "\"ok\"" },
	{ "activated", "false" },
	{ "service_partition", "false" },
	{ "vterm_open", "false" },
	{ "migration_disabled", "false" },
	{ "max_freeze_ms", "0" },
	{ "time_ref", "false" },
	{ "curr_lpar_proc_compat_mode", "\"default\"" },
	{ "virtual_adapters", "[]" },
	{ }
};

static int check_order(const char *where, const json_t *object, const char *low,
		       const char *high, struct rpc_error *err)
{
	double least = rpc_get_number(object, low, 0);
	double most = rpc_get_number(object, high, 0);

	if (!rpc_has(object, low) || !rpc_has(object, high) || least <= most)
		return 0;
	return member_fail(err, "%s%s is %g, more than the %g of %s", where, low, least, most,
			   high);
}

static int check_profile(const char *where, const json_t *config, json_t *object,
			 struct rpc_error *err)
{
	static const char *const orders[][2] = {
		{ "min_mem", "desired_mem" }, { "desired_mem", "max_mem" },
		{ "min_procs", "desired_procs" }, { "desired_procs", "max_procs" },
		{ "min_proc_units", "desired_proc_units" },
		{ "desired_proc_units", "max_proc_units" },
		{ "min_num_huge_pages", "desired_num_huge_pages" },
	};
	static const struct member_of_type units[] = {
		{ "min_proc_units", 1, 1 }, { "desired_proc_units", 1, 1 },
		{ "max_proc_units", 1, 1 }, { "uncap_weight", 1, 0 },
		{ "shared_proc_pool_id", 1, 0 }, { }
	};
	const char *mode = rpc_get_string(object, "proc_mode", "");
	int ret = members_of_type(where, object, units, strcmp(mode, "shared") ? 2 : 1, mode,
				  err);

	(void)config;
	for (size_t i = 0; !ret && i < ARRAY_SIZE(orders); i++)
		ret = check_order(where, object, orders[i][0], orders[i][1], err);
	if (!ret)
		ret = members_default(object, profile_defaults, err);
	return ret ? ret : members_unique(where, object, "io_slots", "drc_index", err);
}

static unsigned int type_bit(const char *type)
{
	unsigned int i = 0;

	while (adapter_types[i] && strcmp(adapter_types[i], type))
		i++;
	return 1u << i;
}

static int check_wwpns(const char *where, const json_t *adapter, struct rpc_error *err)
{
	const json_t *wwpns = json_object_get(adapter, "wwpns");
	const json_t *value;
	size_t i;

	json_array_foreach(wwpns, i, value) {
		const char *text = json_string_value(value);

		if (text[strspn(text, "0123456789abcdefABCDEF")])
			return member_fail(err, "%swwpns[%zu] is \"%.16s\": only hexadecimal digits",
					   where, i, text);
	}
	return members_unique(where, adapter, "wwpns", NULL, err);
}

static int check_adapter(const char *where, const json_t *config, json_t *adapter,
			 struct rpc_error *err)
{
	const char *type = rpc_get_string(adapter, "adapter_type", "");
	unsigned int bit = type_bit(type);
	int ret;

	(void)config;
	ret = members_of_type(where, adapter, adapter_members, bit, type, err);
	if (!ret)
		ret = member_hex(where, adapter, "mac_addr", err);
	if (!ret)
		ret = check_wwpns(where, adapter, err);
	if (!ret)
		ret = members_default(adapter, adapter_defaults, err);
	if (ret || bit != ETH)
		return ret;
	if (!rpc_get_u64(adapter, "port_vlan_id", 0))
		return member_fail(err, "%sport_vlan_id is 0; allowed: 1 to 4094", where);
	ret = members_unique(where, adapter, "addl_vlan_ids", NULL, err);
	return ret ? ret : members_default(adapter, eth_defaults, err);
}

static int check_uniques(const char *where, const json_t *config, struct rpc_error *err)
{
	int ret = members_unique(where, config, "profiles", "name", err);

	return ret ? ret : members_unique(where, config, "virtual_adapters", "slot_num", err);
}

static int check_whole(const char *where, json_t *config, struct rpc_error *err)
{
	const char *current = rpc_get_string(config, "curr_profile", "");
	size_t bytes = json_dumpb(config, NULL, 0, JSON_COMPACT);
	char name[64];

	if (!member_named(json_object_get(config, "profiles"), current))
		return member_fail(err, "%scurr_profile: there is no profile \"%s\"", where,
				   current);
	if (bytes > CONFIG_MAX_BYTES)
		return member_fail(err, "%sprofiles, %svirtual_adapters: the config has %zu bytes of JSON; allowed: %u",
				   where, where, bytes, CONFIG_MAX_BYTES);
	/* A name ends with the dot that members follow */
	snprintf(name, sizeof(name), "%s", where);
	if (*name)
		name[strlen(name) - 1] = '\0';
	return members_clean(name, config, err);
}

static int check(const char *where, json_t *config, struct rpc_error *err)
{
	int ret = rpc_check_table(where, config, config_fields, err);

	if (ret) {
		err->code = RPC_INVALID_PARAMS;
		return ret;
	}
	ret = members_each(where, config, "profiles", config, check_profile, err);
	if (!ret)
		ret = members_each(where, config, "virtual_adapters", config, check_adapter, err);
	if (!ret)
		ret = check_uniques(where, config, err);
	if (!ret)
		ret = members_default(config, config_defaults, err);
	return ret ? ret : check_whole(where, config, err);
}

/**
 * config_checked() - a config with its defaults filled in, if it is one
 * @where:	stands before names in messages, "" or with a dot at its end
 * @config:	as it was given, an object
 * @err:	takes the text, which names the member
 *
 * Return: a new object, or NULL.
 */
json_t *config_checked(const char *where, const json_t *config, struct rpc_error *err)
{
	json_t *copy = json_deep_copy(config);

	if (!copy) {
		member_fail(err, "out of memory");
		return NULL;
	}
	if (!check(where, copy, err))
		return copy;
	json_decref(copy);
	return NULL;
}

/* RFC 7396; a request's patch has a bounded depth */
static int merge(json_t *object, const json_t *patch)
{
	const char *name;
	json_t *value;
	int ret = 0;

	/* Jansson's iterator takes no const, and changes nothing */
	json_object_foreach((json_t *)patch, name, value) {
		json_t *old = json_object_get(object, name);

		if (json_is_null(value)) {
			json_object_del(object, name);
			continue;
		}
		if (!json_is_object(value)) {
			ret = json_object_set_new(object, name, json_deep_copy(value));
		} else {
			if (!json_is_object(old))
				ret = json_object_set_new(object, name, json_object());
			if (!ret)
				ret = merge(json_object_get(object, name), value);
		}
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * config_merged() - a config that is changed (RFC 7396), if it is one then
 * @where:	as config_checked()
 * @config:	as it is, or NULL
 * @patch:	what is to be different, an object
 * @err:	takes the text, which names the member
 *
 * Return: a new object, or NULL.
 */
json_t *config_merged(const char *where, const json_t *config, const json_t *patch,
		      struct rpc_error *err)
{
	json_t *copy = config ? json_deep_copy(config) : json_object();

	if (!copy || merge(copy, patch))
		member_fail(err, "out of memory");
	else if (!check(where, copy, err))
		return copy;
	json_decref(copy);
	return NULL;
}
