// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptions of a system: what is one, and what is none, by the member that is wrong;
 * and server adapters that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/util.h"
#include "phyp/phypd/config.h"
#include "phyp/phypd/inventory.h"

#define STREAM	0xAAu

static const char system_text[] =
"{'type_model': '9009-42A', 'serial_num': '78A10F1', 'generation': 9,"
" 'firmware_level': 'FW950.30', 'capabilities': ['active_lpar_mobility'],"
" 'configurable_sys_proc_units': 20.5, 'lpar_proc_compat_modes': ['default'],"
" 'memory': 1024, 'mem_region_size': 16,"
" 'shared_proc_pools': [{'shared_proc_pool_id': 0, 'name': 'DefaultPool'},"
"  {'shared_proc_pool_id': 1, 'name': 'two'}],"
" 'virtual_switches': [{'name': 'ETHERNET0'}, {'name': 'ETHERNET1', 'mode': 'VEPA'}],"
" 'vioses': ["
"  {'name': 'vios1', 'lpar_id': 1, 'version': '3.1', 'max_virtual_slots': 16,"
"   'seas': [{'name': 'ent8', 'vswitch': 'ETHERNET0', 'port_vlan_id': 1,"
"     'addl_vlan_ids': [2, 3]}],"
"   'fc_ports': [{'name': 'fcs0', 'wwpn': '10000090fa1b2c01', 'max_ports': 2,"
"      'logins': [{'wwpn': 'c0507608a1b20010', 'luns': ['A', 'B']}]},"
"     {'name': 'fcs1', 'wwpn': '10000090fa1b2c02'}],"
"   'sriov_ports': [{'name': 'ent0-p0', 'max_ports': 1}, {'name': 'ent0-p1'}],"
"   'luns': [{'name': 'hdisk1', 'udid': 'A', 'size': 10},"
"     {'name': 'hdisk2', 'udid': 'B', 'size': 10, 'type': 'lv'}],"
"   'adapters': [{'slot_num': 11, 'adapter_type': 'scsi', 'remote_lpar_name': 'p',"
"      'remote_lpar_id': 5, 'remote_slot_num': 4, 'backing_devices': ['hdisk1']},"
"     {'slot_num': 12, 'adapter_type': 'fc', 'remote_lpar_name': 'p',"
"      'remote_lpar_id': 5, 'remote_slot_num': 5, 'fc_port': 'fcs0',"
"      'stream_id': '0x00000000000000bb'}]},"
"  {'name': 'vios2', 'lpar_id': 2, 'version': '3.1'}],"
" 'partitions': [{'name': 'p', 'lpar_id': 5, 'memory': 65536, 'activate': true,"
"   'config': {'curr_profile': 'one', 'profiles': [{'name': 'one', 'min_mem': 1,"
"      'desired_mem': 1, 'max_mem': 2, 'proc_mode': 'shared', 'min_procs': 1,"
"      'desired_procs': 1, 'max_procs': 2, 'min_proc_units': 0.1,"
"      'desired_proc_units': 0.5, 'max_proc_units': 1}],"
"    'virtual_adapters': [{'slot_num': 4, 'adapter_type': 'scsi',"
"      'remote_lpar_name': 'vios1', 'remote_lpar_id': 1, 'remote_slot_num': 11},"
"     {'slot_num': 5, 'adapter_type': 'fc', 'remote_lpar_name': 'vios1',"
"      'remote_lpar_id': 1, 'remote_slot_num': 12,"
"      'wwpns': ['c0507608a1b20010', 'c0507608a1b20011']},"
"     {'slot_num': 6, 'adapter_type': 'eth', 'vswitch': 'ETHERNET0',"
"      'port_vlan_id': 1}]}},"
"  {'name': 'q', 'memory': 65536}]}";

/* JSON, but with ' in place of the other quotes */
static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *value;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, JSON_DECODE_ANY, &error);
	if (!value)
		fail_msg("%s at %d of %s", error.text, error.position, copy);
	free(copy);
	return value;
}

/* "vioses.0.name" */
static json_t *step_to(json_t *value, const char *name)
{
	if (json_is_array(value))
		return json_array_get(value, (size_t)atoi(name));
	return json_object_get(value, name);
}

static void set(json_t *root, const char *path, const char *text)
{
	char copy[128], *name, *next, *save = NULL;
	json_t *at = root;

	snprintf(copy, sizeof(copy), "%s", path);
	name = strtok_r(copy, ".", &save);
	while ((next = strtok_r(NULL, ".", &save))) {
		at = step_to(at, name);
		assert_non_null(at);
		name = next;
	}
	if (json_is_object(at))
		assert_int_equal(text ? json_object_set_new(at, name, parse(text)) :
				 json_object_del(at, name), 0);
	else if (!strcmp(name, "+"))
		assert_int_equal(json_array_append_new(at, parse(text)), 0);
	else
		assert_int_equal(json_array_set_new(at, (size_t)atoi(name), parse(text)), 0);
}

static struct inventory *load(const char *path, const char *text)
{
	json_t *description = parse(system_text);
	struct inventory *inventory = NULL;
	struct rpc_error err = { 0 };

	if (path)
		set(description, path, text);
	if (inventory_new(description, &inventory, &err))
		fail_msg("%s = %s: %s", path ? path : "", text ? text : "nothing", err.text);
	json_decref(description);
	return inventory;
}

static void test_defaults(void **state)
{
	struct inventory *inventory = load(NULL, NULL);
	json_t *vios = inventory_vios(inventory, "vios2");
	const json_t *lun, *adapter, *one;

	(void)state;
	assert_null(json_object_get(inventory->system, "partitions"));
	assert_int_equal(json_array_size(inventory->partitions), 2);
	assert_string_equal(rpc_get_string(inventory->system, "state", ""), "Operating");
	assert_true(rpc_get_bool(inventory->system, "mobility_edition", false));
	assert_int_equal(inventory_number(inventory, "num_active_migrations_supported", 0), 16);
	assert_non_null(vios);
	assert_string_equal(rpc_get_string(vios, "state", ""), "Running");
	assert_false(rpc_get_bool(vios, "msp", true));
	assert_int_equal(json_array_size(json_object_get(vios, "adapters")), 0);
	one = inventory_vios(inventory, "vios1");
	lun = json_array_get(json_object_get(one, "luns"), 0);
	assert_string_equal(rpc_get_string(lun, "reserve_policy", ""), "no_reserve");
	adapter = json_array_get(json_object_get(one, "adapters"), 1);
	assert_string_equal(rpc_get_string(adapter, "stream_id", ""), "00000000000000bb");
	assert_true(inventory_has_name(inventory, "vios1"));
	assert_false(inventory_has_name(inventory, "p"));
	assert_true(inventory_has_id(inventory, 2));
	assert_false(inventory_has_id(inventory, 5));
	inventory_free(inventory);
	assert_int_equal(inventory_number(NULL, "memory", 7), 7);
	assert_false(inventory_has_id(NULL, 1));
	assert_null(inventory_vios(NULL, "vios1"));
}

/* What a console's validation is to find is a description all the same */
static void test_allowed(void **state)
{
	static const struct {
		const char *path, *text;
	} good[] = {
		{ "memory", NULL },
		{ "vioses", "[]" },
		{ "state", "'Power Off'" },
		{ "power_source", "'battery'" },
		{ "capabilities", "[]" },
		{ "vioses.0.adapters.0.backing_devices", "[]" },
		{ "vioses.0.adapters.0.backing_devices", "['hdisk2']" },
		{ "vioses.0.adapters.0.remote_slot_num", "9" },
		{ "vioses.0.adapters.1.fc_port", NULL },
		{ "vioses.0.adapters", "[]" },
		{ "vioses.0.luns.0.reserve_policy", "'single_path'" },
		{ "vioses.0.seas", "[]" },
		{ "vioses.0.seas.0.state", "'failed'" },
		{ "vioses.0.fc_ports.0.logins", "[]" },
		{ "vioses.0.fc_ports.0.npiv", "false" },
		{ "vioses.0.rmc_state", "'none'" },
		{ "partitions.0.config.virtual_adapters", "[]" },
		{ "partitions.0.config.virtual_adapters.0.remote_lpar_name", "'gone'" },
		{ "partitions.0.config.virtual_adapters.2.vswitch", "'ETHERNET9'" },
		{ "partitions.0.config.lpar_env", "'vioserver'" },
		{ "partitions.0.config.condition", "'crashed'" },
		{ "partitions.0.config", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		inventory_free(load(good[i].path, good[i].text));
}

static void test_refused(void **state)
{
	static const struct {
		const char *path, *text, *member;
	} bad[] = {
		{ "colour", "1", "colour" },
		{ "type_model", NULL, "type_model" },
		{ "type_model", "9", "type_model" },
		{ "type_model", "'9009'", "type_model" },
		{ "serial_num", "'12345678'", "serial_num" },
		{ "generation", "0", "generation" },
		{ "generation", "1.5", "generation" },
		{ "firmware_level", "''", "firmware_level" },
		{ "firmware_level", "'FW\\u001b'", "firmware_level" },
		{ "firmware_level", "'FW\\u00e9'", "firmware_level" },
		{ "capabilities", "'active'", "capabilities" },
		{ "capabilities.0", "'flying'", "capabilities[0]" },
		{ "capabilities.+", "'active_lpar_mobility'", "capabilities[1]" },
		{ "capabilities.0", "7", "capabilities[0]" },
		{ "mobility_edition", "1", "mobility_edition" },
		{ "power_source", "'sun'", "power_source" },
		{ "state", "'Dreaming'", "state" },
		{ "memory", "0", "memory" },
		{ "memory", "-1", "memory" },
		{ "mem_region_size", "24", "mem_region_size" },
		{ "configurable_sys_proc_units", "'20'", "configurable_sys_proc_units" },
		{ "lpar_proc_compat_modes", "[]", "lpar_proc_compat_modes" },
		{ "num_active_migrations_supported", "-1", "num_active_migrations_supported" },
		{ "num_inactive_migrations_supported", "99999",
		  "num_inactive_migrations_supported" },
		{ "shared_proc_pools.1.shared_proc_pool_id", "0",
		  "shared_proc_pools[1].shared_proc_pool_id" },
		{ "shared_proc_pools.1.name", "'DefaultPool'", "shared_proc_pools[1].name" },
		{ "shared_proc_pools.0.max_pool_proc_units", "-1",
		  "shared_proc_pools[0].max_pool_proc_units" },
		{ "virtual_switches.1.name", "'ETHERNET0'", "virtual_switches[1].name" },
		{ "virtual_switches.1.mode", "'VLB'", "virtual_switches[1].mode" },
		{ "virtual_switches.0", "'ETHERNET0'", "virtual_switches[0]" },
		{ "vioses.1.name", "'vios1'", "vioses[1].name" },
		{ "vioses.1.lpar_id", "1", "vioses[1].lpar_id" },
		{ "vioses.1.lpar_id", "0", "vioses[1].lpar_id" },
		{ "vioses.1.version", NULL, "vioses[1].version" },
		{ "vioses.1.state", "'Walking'", "vioses[1].state" },
		{ "vioses.1.msp", "'yes'", "vioses[1].msp" },
		{ "vioses.1.rmc_state", "'maybe'", "vioses[1].rmc_state" },
		{ "vioses.1.max_virtual_slots", "10", "vioses[1].max_virtual_slots" },
		{ "vioses.1.hats", "[]", "vioses[1].hats" },
		{ "vioses.0.seas.0.vswitch", "'ETHERNET7'", "vioses[0].seas[0].vswitch" },
		{ "vioses.0.seas.0.port_vlan_id", "4095", "vioses[0].seas[0].port_vlan_id" },
		{ "vioses.0.seas.0.addl_vlan_ids.1", "2", "vioses[0].seas[0].addl_vlan_ids[1]" },
		{ "vioses.0.seas.0.addl_vlan_ids.1", "0", "vioses[0].seas[0].addl_vlan_ids[1]" },
		{ "vioses.0.seas.0.state", "'up'", "vioses[0].seas[0].state" },
		{ "vioses.0.fc_ports.1.name", "'fcs0'", "vioses[0].fc_ports[1].name" },
		{ "vioses.0.fc_ports.1.wwpn", "'10000090fa1b2c01'",
		  "vioses[0].fc_ports[1].wwpn" },
		{ "vioses.0.fc_ports.1.wwpn", "'10000090fa1b2c0x'",
		  "vioses[0].fc_ports[1].wwpn" },
		{ "vioses.0.fc_ports.1.wwpn", "'1000'", "vioses[0].fc_ports[1].wwpn" },
		{ "vioses.0.fc_ports.1.max_xfer_size", "1",
		  "vioses[0].fc_ports[1].max_xfer_size" },
		{ "vioses.0.fc_ports.0.logins.0.wwpn", "'z0507608a1b20010'",
		  "vioses[0].fc_ports[0].logins[0].wwpn" },
		{ "vioses.0.fc_ports.0.logins.+", "{'wwpn': 'c0507608a1b20010'}",
		  "vioses[0].fc_ports[0].logins[1].wwpn" },
		{ "vioses.0.fc_ports.0.logins.0.luns.1", "'A'",
		  "vioses[0].fc_ports[0].logins[0].luns[1]" },
		{ "vioses.0.sriov_ports.1.name", "'ent0-p0'", "vioses[0].sriov_ports[1].name" },
		{ "vioses.0.luns.1.name", "'hdisk1'", "vioses[0].luns[1].name" },
		{ "vioses.0.luns.1.udid", "'A'", "vioses[0].luns[1].udid" },
		{ "vioses.0.luns.1.size", NULL, "vioses[0].luns[1].size" },
		{ "vioses.0.luns.1.type", "'tape'", "vioses[0].luns[1].type" },
		{ "vioses.0.luns.1.reserve_policy", "'all'", "vioses[0].luns[1].reserve_policy" },
		{ "vioses.0.adapters.1.slot_num", "11", "vioses[0].adapters[1].slot_num" },
		{ "vioses.0.adapters.1.slot_num", "16", "vioses[0].adapters[1].slot_num" },
		{ "vioses.0.adapters.1.slot_num", "10", "vioses[0].adapters[1].slot_num" },
		{ "vioses.0.adapters.1.adapter_type", "'eth'",
		  "vioses[0].adapters[1].adapter_type" },
		{ "vioses.0.adapters.1.remote_lpar_name", NULL,
		  "vioses[0].adapters[1].remote_lpar_name" },
		{ "vioses.0.adapters.1.fc_port", "'fcs9'", "vioses[0].adapters[1].fc_port" },
		{ "vioses.0.adapters.0.fc_port", "'fcs0'", "vioses[0].adapters[0].fc_port" },
		{ "vioses.0.adapters.1.stream_id", "'bb'", "vioses[0].adapters[1].stream_id" },
		{ "vioses.0.adapters.0.backing_devices.0", "'hdisk9'",
		  "vioses[0].adapters[0].backing_devices[0]" },
		{ "vioses.0.adapters.0.backing_devices.+", "'hdisk1'",
		  "vioses[0].adapters[0].backing_devices[1]" },
		{ "vioses.0.adapters.0.sriov_port", "'ent0-p0'",
		  "vioses[0].adapters[0].sriov_port" },
		{ "partitions.0", "7", "partitions[0]" },
		{ "partitions.0.activate", "1", "partitions[0].activate" },
		{ "partitions.0.colour", "1", "partitions[0].colour" },
		{ "partitions.0.memory", NULL, "partitions[0].memory" },
		{ "partitions.1.name", "'p'", "partitions[1].name" },
		{ "partitions.1.name", "'vios1'", "partitions[1].name" },
		{ "partitions.1.lpar_id", "5", "partitions[1].lpar_id" },
		{ "partitions.1.lpar_id", "2", "partitions[1].lpar_id" },
		{ "partitions.0.config", "[]", "partitions[0].config" },
		{ "partitions.0.config.colour", "1", "partitions[0].config.colour" },
		{ "partitions.0.config.curr_profile", "'two'",
		  "partitions[0].config.curr_profile" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *description = parse(system_text);
		struct inventory *inventory = NULL;
		struct rpc_error err = { 0 };

		set(description, bad[i].path, bad[i].text);
		if (!inventory_new(description, &inventory, &err))
			fail_msg("%s = %s was taken", bad[i].path,
				 bad[i].text ? bad[i].text : "nothing");
		if (!strstr(err.text, bad[i].member))
			fail_msg("\"%s\" does not name %s", err.text, bad[i].member);
		json_decref(description);
	}
}

static void test_config(void **state)
{
	static const struct {
		const char *path, *text, *member;
	} bad[] = {
		{ "profiles", "[]", "profiles" },
		{ "profiles", NULL, "profiles" },
		{ "profiles.+", "{'name': 'one', 'min_mem': 1, 'desired_mem': 1, 'max_mem': 1,"
		  "'proc_mode': 'ded', 'min_procs': 1, 'desired_procs': 1, 'max_procs': 1}",
		  "profiles[1].name" },
		{ "profiles.0.desired_mem", "3", "profiles[0].desired_mem" },
		{ "profiles.0.min_procs", "2", "profiles[0].min_procs" },
		{ "profiles.0.min_proc_units", "0.75", "profiles[0].min_proc_units" },
		{ "profiles.0.min_proc_units", NULL, "profiles[0].min_proc_units" },
		{ "profiles.0.proc_mode", "'ded'", "profiles[0].min_proc_units" },
		{ "profiles.0.proc_mode", "'some'", "profiles[0].proc_mode" },
		{ "profiles.0.io_slots", "[{'drc_index': '1'}, {'drc_index': '1'}]",
		  "profiles[0].io_slots[1].drc_index" },
		{ "profiles.0.io_slots", "[{'required': true}]",
		  "profiles[0].io_slots[0].drc_index" },
		{ "profiles.0.desired_num_huge_pages", "-1",
		  "profiles[0].desired_num_huge_pages" },
		{ "profiles.0.boot_mode", "'fast'", "profiles[0].boot_mode" },
		{ "virtual_adapters.0.slot_num", "5", "virtual_adapters[1].slot_num" },
		{ "virtual_adapters.0.adapter_type", "'tape'",
		  "virtual_adapters[0].adapter_type" },
		{ "virtual_adapters.0.remote_slot_num", NULL,
		  "virtual_adapters[0].remote_slot_num" },
		{ "virtual_adapters.0.vswitch", "'E'", "virtual_adapters[0].vswitch" },
		{ "virtual_adapters.1.wwpns", "['c0507608a1b20010']",
		  "virtual_adapters[1].wwpns" },
		{ "virtual_adapters.1.wwpns.1", "'c0507608a1b20010'",
		  "virtual_adapters[1].wwpns[1]" },
		{ "virtual_adapters.1.wwpns.1", "'c0507608a1b2001z'",
		  "virtual_adapters[1].wwpns[1]" },
		{ "virtual_adapters.1.wwpns", NULL, "virtual_adapters[1].wwpns" },
		{ "virtual_adapters.2.port_vlan_id", "0", "virtual_adapters[2].port_vlan_id" },
		{ "virtual_adapters.2.port_vlan_id", NULL, "virtual_adapters[2].port_vlan_id" },
		{ "virtual_adapters.2.addl_vlan_ids", "[5, 5]",
		  "virtual_adapters[2].addl_vlan_ids[1]" },
		{ "virtual_adapters.2.mac_addr", "'00:11:22:33'", "virtual_adapters[2].mac_addr" },
		{ "virtual_adapters.2.mac_addr", "'00112233445x'",
		  "virtual_adapters[2].mac_addr" },
		{ "virtual_adapters.2.is_required", "1", "virtual_adapters[2].is_required" },
		{ "rmc_state", "'sometimes'", "rmc_state" },
		{ "condition", "'tired'", "condition" },
		{ "max_freeze_ms", "-1", "max_freeze_ms" },
		{ "refcode", "'\\u0007'", "refcode" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *description = parse(system_text), *config;
		struct rpc_error err = { 0 };

		config = json_object_get(json_array_get(json_object_get(description, "partitions"),
							0), "config");
		set(config, bad[i].path, bad[i].text);
		if (config_checked("config.", config, &err))
			fail_msg("%s = %s was taken", bad[i].path,
				 bad[i].text ? bad[i].text : "nothing");
		if (!strstr(err.text, bad[i].member) || !strstr(err.text, "config."))
			fail_msg("\"%s\" does not name %s", err.text, bad[i].member);
		assert_int_equal(err.code, RPC_INVALID_PARAMS);
		json_decref(description);
	}
}

/* RFC 7396, as far as a config has such members */
static void test_merge(void **state)
{
	json_t *description = parse(system_text), *patch, *merged, *again;
	json_t *config = json_object_get(json_array_get(json_object_get(description,
									"partitions"), 0),
					 "config");
	struct rpc_error err = { 0 };

	(void)state;
	patch = parse("{'refcode': 'B2', 'virtual_adapters': [], 'condition': null}");
	merged = config_merged("", config, patch, &err);
	assert_non_null(merged);
	assert_string_equal(rpc_get_string(merged, "refcode", ""), "B2");
	assert_string_equal(rpc_get_string(merged, "condition", ""), "ok");
	assert_int_equal(json_array_size(json_object_get(merged, "virtual_adapters")), 0);
	/* What was there is as it was */
	assert_null(json_object_get(config, "refcode"));
	assert_int_equal(json_array_size(json_object_get(config, "virtual_adapters")), 3);
	/* A whole one from nothing, and the same once more */
	again = config_merged("", NULL, merged, &err);
	assert_true(json_equal(again, merged));
	json_decref(patch);
	patch = parse("{'profiles': {'name': 'one'}}");
	assert_null(config_merged("", merged, patch, &err));
	assert_non_null(strstr(err.text, "profiles"));
	json_decref(patch);
	json_decref(again);
	json_decref(merged);
	json_decref(description);
}

static uint32_t attach(struct inventory *inventory, uint64_t stream_id, const char *text,
		       int code, const char *member)
{
	json_t *adapter = parse(text);
	struct rpc_error err = { 0 };
	uint32_t slot = 0;
	int ret;

	assert_int_equal(rpc_check_table("", adapter, server_adapter_fields, &err), 0);
	ret = vios_attach(inventory, "vios1", stream_id, adapter, &slot, &err);
	assert_int_equal(ret, code ? -EINVAL : 0);
	assert_int_equal(err.code, code);
	if (member && !strstr(err.text, member))
		fail_msg("\"%s\" does not name %s", err.text, member);
	json_decref(adapter);
	return slot;
}

#define TO	"'remote_lpar_name': 'q', 'remote_lpar_id': 6, 'remote_slot_num': "

static void test_attach(void **state)
{
	static const char on_fcs0[] = "{'adapter_type': 'fc', 'fc_port': 'fcs0', " TO "3}";
	struct inventory *inventory = load(NULL, NULL);
	const json_t *adapters = json_object_get(inventory_vios(inventory, "vios1"), "adapters");
	struct rpc_error err = { 0 };

	(void)state;
	assert_int_equal(attach(inventory, STREAM, on_fcs0, 0, NULL), 13);
	assert_int_equal(attach(inventory, STREAM, on_fcs0, 0, NULL), 13);
	assert_int_equal(json_array_size(adapters), 3);
	/* Two are as many as the port hosts */
	attach(inventory, STREAM + 1, on_fcs0, RPC_NOT_ENOUGH, "fcs0");
	attach(inventory, 0, "{'adapter_type': 'scsi', 'slot_num': 13, " TO "4}", RPC_EXISTS,
	       "slot 13");
	attach(inventory, 0, "{'adapter_type': 'scsi', 'slot_num': 16, " TO "4}",
	       RPC_INVALID_PARAMS, "slot_num");
	attach(inventory, 0, "{'adapter_type': 'scsi', 'backing_devices': ['x'], " TO "4}",
	       RPC_NOT_FOUND, "backing_devices[0]");
	attach(inventory, 0, "{'adapter_type': 'vnic', 'sriov_port': 'x', " TO "4}",
	       RPC_NOT_FOUND, "sriov_port");
	assert_int_equal(attach(inventory, 0, "{'adapter_type': 'scsi', " TO "4}", 0, NULL), 14);
	assert_int_equal(attach(inventory, 0, "{'adapter_type': 'scsi', " TO "4}", 0, NULL), 15);
	attach(inventory, 0, "{'adapter_type': 'scsi', " TO "4}", RPC_NOT_ENOUGH, "no free slot");
	assert_int_equal(json_array_size(adapters), 5);
	vios_settle(inventory, STREAM);
	assert_null(json_object_get(json_array_get(adapters, 2), "stream_id"));
	assert_non_null(json_object_get(json_array_get(adapters, 1), "stream_id"));
	assert_int_equal(vios_detach(inventory, "vios1", 13, NULL, &err), 0);
	assert_int_equal(vios_detach(inventory, "vios1", 13, NULL, &err), -EINVAL);
	assert_int_equal(err.code, RPC_NOT_FOUND);
	assert_int_equal(vios_detach(inventory, "vios9", 13, NULL, &err), -EINVAL);
	assert_int_equal(attach(inventory, STREAM, on_fcs0, 0, NULL), 13);
	assert_int_equal(vios_change(inventory, "vios1", true, &err), 0);
	assert_true(rpc_get_bool(inventory_vios(inventory, "vios1"), "msp", false));
	assert_int_equal(vios_change(inventory, "vios9", true, &err), -EINVAL);
	inventory_free(inventory);
}

/* However many slots there are, what it has can be told */
static void test_bounds(void **state)
{
	struct inventory *inventory = load("vioses.0.max_virtual_slots", "4096");
	const json_t *adapters = json_object_get(inventory_vios(inventory, "vios1"), "adapters");

	(void)state;
	while (json_array_size(adapters) < INVENTORY_MAX_ADAPTERS)
		attach(inventory, 0, "{'adapter_type': 'scsi', " TO "4}", 0, NULL);
	attach(inventory, 0, "{'adapter_type': 'scsi', " TO "4}", RPC_NOT_ENOUGH, "adapters");
	attach(inventory, 0, "{'adapter_type': 'scsi', 'slot_num': 4000, " TO "4}",
	       RPC_NOT_ENOUGH, "adapters");
	assert_int_equal(json_array_size(adapters), INVENTORY_MAX_ADAPTERS);
	inventory_free(inventory);
}

/* 16 VIOSes with all the logins that a table allows are more than an answer */
static void test_too_large(void **state)
{
	json_t *description = parse(system_text);
	json_t *vioses = json_object_get(description, "vioses");
	json_t *logins = json_array(), *ports;
	struct inventory *inventory = NULL;
	struct rpc_error err = { 0 };
	char wwpn[17];

	(void)state;
	for (int i = 0; i < INVENTORY_MAX_LOGINS; i++) {
		snprintf(wwpn, sizeof(wwpn), "%016x", i);
		json_array_append_new(logins, json_pack("{s:s, s:[s]}", "wwpn", wwpn, "luns",
							"01234567890123456789012345678901"));
	}
	ports = json_array();
	for (int i = 0; i < INVENTORY_MAX_PORTS; i++) {
		snprintf(wwpn, sizeof(wwpn), "%016x", i);
		json_array_append_new(ports, json_pack("{s:s, s:s, s:O}", "name", wwpn, "wwpn",
						       wwpn, "logins", logins));
	}
	json_decref(logins);
	for (int i = 10; i < 12; i++)
		json_array_append_new(vioses, json_pack("{s:s, s:i, s:s, s:O}", "name",
							i & 1 ? "odd" : "even", "lpar_id", i,
							"version", "3", "fc_ports", ports));
	json_decref(ports);
	assert_int_equal(inventory_new(description, &inventory, &err), -EINVAL);
	assert_non_null(strstr(err.text, "vioses"));
	json_decref(description);
}

static void load_text(const char *text, size_t length, const char *says)
{
	char path[] = "/tmp/test_inventory.XXXXXX";
	struct inventory *inventory = NULL;
	struct rpc_error err = { 0 };
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
	close(fd);
	assert_int_equal(inventory_load(path, &inventory, &err), -EINVAL);
	if (!strstr(err.text, says))
		fail_msg("\"%s\" does not say %s", err.text, says);
	unlink(path);
}

static void test_files(void **state)
{
	struct inventory *inventory = NULL;
	struct rpc_error err = { 0 };
	char *deep;

	(void)state;
	load_text("", 0, "line 1");
	load_text("{\n\"type_model\": }", 16, "line 2");
	load_text("{\"state\": 1, \"state\": 1}", 24, "duplicate");
	load_text("[]", 2, "not an object");
	load_text("{}", 2, "type_model");
	load_text("{\"a\0b\": 1}", 10, "line 1");
	deep = malloc(1 << 20);
	assert_non_null(deep);
	memset(deep, '[', 1 << 20);
	load_text(deep, 1 << 20, "depth");
	free(deep);
	deep = malloc(INVENTORY_MAX_FILE + 1);
	assert_non_null(deep);
	memset(deep, ' ', INVENTORY_MAX_FILE + 1);
	load_text(deep, INVENTORY_MAX_FILE + 1, "longer");
	free(deep);
	assert_int_equal(inventory_load("/nonexistent/x", &inventory, &err), -EINVAL);
	assert_non_null(strstr(err.text, strerror(ENOENT)));
	assert_int_equal(inventory_load("/", &inventory, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
