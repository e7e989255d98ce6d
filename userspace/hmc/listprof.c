// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lssyscfg -r prof: profiles, with their adapters as the HMC writes them:
 *
 * virtual_scsi_adapters	slot/client/remote-id/remote-name/remote-slot/required
 * virtual_eth_adapters		slot/ieee/port-vlan/vlans/trunk/required/vswitch/mac/
 *				allowed-os-macs/qos
 * virtual_fc_adapters		slot/client/remote-id/remote-name/remote-slot/wwpns/required
 * vnic_adapters		slot:mode:failover:port-vlan:priority:allowed-vlans:mac:
 *				allowed-os-macs:required:sriov/name/id/////
 *
 * One with a comma in it stands in double quotes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/described.h"
#include "hmc/listprof.h"

const char *const profile_fields[] = {
	"name", "lpar_name", "lpar_id", "lpar_env", "min_mem", "desired_mem", "max_mem",
	"min_num_huge_pages", "desired_num_huge_pages", "proc_mode", "min_proc_units",
	"desired_proc_units", "max_proc_units", "min_procs", "desired_procs", "max_procs",
	"sharing_mode", "uncap_weight", "shared_proc_pool_id", "shared_proc_pool_name",
	"io_slots", "max_virtual_slots", "virtual_scsi_adapters", "virtual_eth_adapters",
	"virtual_fc_adapters", "vnic_adapters", "boot_mode", "auto_start", "work_group_id",
	"redundant_err_path_reporting", "bsr_arrays", "lhea_logical_ports",
	"lpar_proc_compat_mode", NULL
};

/* Under their own names; those of processors follow */
static const char *const members[] = {
	"name", "min_mem", "desired_mem", "max_mem", "min_num_huge_pages",
	"desired_num_huge_pages", "proc_mode", "min_procs", "desired_procs", "max_procs",
	"sharing_mode", "uncap_weight", "shared_proc_pool_id", "max_virtual_slots", "boot_mode",
	"auto_start", "redundant_err_path_reporting", "bsr_arrays", "lpar_proc_compat_mode",
	NULL
};

static const char *const unit_members[] = {
	"min_proc_units", "desired_proc_units", "max_proc_units", NULL
};

/**
 * set_work_group() - set work_group_id, which is none and not 0 for none
 * @record:	the record
 * @profile:	the profile, or NULL
 */
void set_work_group(json_t *record, const json_t *profile)
{
	if (!json_object_get(profile, "work_group_id"))
		return;
	if (number_of(profile, "work_group_id"))
		set_number(record, "work_group_id", number_of(profile, "work_group_id"));
	else
		set_text(record, "work_group_id", "none");
}

static void print_vlans(FILE *file, const json_t *vlans)
{
	json_t *vlan;
	size_t i;

	json_array_foreach(vlans, i, vlan)
		fprintf(file, "%s%" JSON_INTEGER_FORMAT, i ? "," : "", json_integer_value(vlan));
}

static void print_eth(FILE *file, const json_t *adapter)
{
	fprintf(file, "%d/%" PRId64 "/", flag_of(adapter, "ieee_virtual_eth"),
		number_of(adapter, "port_vlan_id"));
	print_vlans(file, json_object_get(adapter, "addl_vlan_ids"));
	fprintf(file, "/0/%d/%s/%s/all/none", flag_of(adapter, "is_required"),
		text_of(adapter, "vswitch"), text_of(adapter, "mac_addr"));
}

static void print_remote(FILE *file, const json_t *adapter)
{
	fprintf(file, "client/%" PRId64 "/%s/%" PRId64 "/", number_of(adapter, "remote_lpar_id"),
		text_of(adapter, "remote_lpar_name"), number_of(adapter, "remote_slot_num"));
}

static void print_scsi(FILE *file, const json_t *adapter)
{
	print_remote(file, adapter);
	fprintf(file, "%d", flag_of(adapter, "is_required"));
}

static void print_fc(FILE *file, const json_t *adapter)
{
	json_t *wwpn;
	size_t i;

	print_remote(file, adapter);
	json_array_foreach(json_object_get(adapter, "wwpns"), i, wwpn)
		fprintf(file, "%s%s", i ? "," : "", json_string_value(wwpn));
	fprintf(file, "/%d", flag_of(adapter, "is_required"));
}

/* What of its backing device the model does not have stays empty */
static void print_vnic(FILE *file, const json_t *adapter)
{
	fprintf(file, "ded:1:%" PRId64 ":0:all:%s:all:%d:sriov/%s/%" PRId64 "/////",
		number_of(adapter, "port_vlan_id"), text_of(adapter, "mac_addr"),
		flag_of(adapter, "is_required"), text_of(adapter, "remote_lpar_name"),
		number_of(adapter, "remote_lpar_id"));
}

static const struct {
	const char *type;
	const char *field;
	char separator;
	void (*print)(FILE *file, const json_t *adapter);
} kinds[] = {
	{ "scsi", "virtual_scsi_adapters", '/', print_scsi },
	{ "eth", "virtual_eth_adapters", '/', print_eth },
	{ "fc", "virtual_fc_adapters", '/', print_fc },
	{ "vnic", "vnic_adapters", ':', print_vnic },
};

static char *adapter_text(size_t kind, const json_t *adapter)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	fprintf(file, "%" PRId64 "%c", number_of(adapter, "slot_num"), kinds[kind].separator);
	kinds[kind].print(file, adapter);
	fclose(file);
	return text;
}

static void add_text(json_t *list, const char *text)
{
	json_array_append_new(list, strchr(text, ',') ? json_sprintf("\"%s\"", text) :
			      json_string(text));
}

/* One with a comma in it stands in quotes of its own, as the HMC does it */
static void set_adapters(json_t *record, const json_t *config)
{
	json_t *list, *adapter;
	size_t i;

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
		list = json_array();
		json_array_foreach(json_object_get(config, "virtual_adapters"), i, adapter) {
			char *text = NULL;

			if (!strcmp(text_of(adapter, "adapter_type"), kinds[kind].type))
				text = adapter_text(kind, adapter);
			if (text)
				add_text(list, text);
			free(text);
		}
		set_list(record, kinds[kind].field, list, "none");
		json_decref(list);
	}
}

static void set_io_slots(json_t *record, const json_t *profile)
{
	json_t *list = json_array(), *slot;
	size_t i;

	json_array_foreach(json_object_get(profile, "io_slots"), i, slot)
		json_array_append_new(list, json_sprintf("%s/none/%d",
							 text_of(slot, "drc_index"),
							 flag_of(slot, "required")));
	set_list(record, "io_slots", list, "none");
	json_decref(list);
}

static void set_processors(json_t *record, const json_t *profile, const json_t *inventory)
{
	const json_t *pools = json_object_get(inventory, "shared_proc_pools");
	const json_t *pool;

	for (const char *const *name = unit_members; *name; name++)
		if (json_object_get(profile, *name))
			set_units(record, *name,
				  json_number_value(json_object_get(profile, *name)));
	pool = numbered_in(pools, "shared_proc_pool_id",
			   number_of(profile, "shared_proc_pool_id"));
	if (json_object_get(profile, "shared_proc_pool_id"))
		set_member(record, "shared_proc_pool_name", pool, "name");
}

static void add_profile(struct query *query, const json_t *partition, const json_t *profile,
			const json_t *inventory)
{
	const json_t *config = config_of(partition);
	json_t *record = query_record(query);

	set_members(record, profile, members);
	set_text(record, "lpar_name", text_of(partition, "name"));
	set_number(record, "lpar_id", number_of(partition, "lpar_id"));
	set_member(record, "lpar_env", config, "lpar_env");
	set_processors(record, profile, inventory);
	set_io_slots(record, profile);
	set_work_group(record, profile);
	if (number_of(profile, "lhea_logical_ports"))
		set_member(record, "lhea_logical_ports", profile, "lhea_logical_ports");
	else
		set_text(record, "lhea_logical_ports", "none");
	/* Adapters are the partition's: those of its current profile */
	if (profile == current_profile(config))
		set_adapters(record, config);
}

static void add_profiles(struct query *query, const json_t *partition, const json_t *inventory)
{
	json_t *profile;
	size_t i;

	if (!query_selects_partition(query, text_of(partition, "name"),
				     number_of(partition, "lpar_id")))
		return;
	json_array_foreach(json_object_get(config_of(partition), "profiles"), i, profile)
		if (query_selects(query, "profile_names", text_of(profile, "name")))
			add_profile(query, partition, profile, inventory);
}

int list_profiles(struct query *query)
{
	json_t *inventory, *list, *partition;
	size_t i;

	if (described_system(query->system, &inventory))
		return EXIT_FAILED;
	if (described_partitions(query->system, &list)) {
		json_decref(inventory);
		return EXIT_FAILED;
	}
	json_array_foreach(json_object_get(list, "partitions"), i, partition)
		add_profiles(query, partition, inventory);
	json_decref(list);
	json_decref(inventory);
	return EXIT_DONE;
}
