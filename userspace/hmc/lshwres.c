// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lshwres: memory and processors of a managed system, and the rest of its resources
 * (listvio.c).
 */
#include <string.h>

#include "hmc/described.h"
#include "hmc/lshwres.h"

/**
 * holdings_get() - ask the system of -m for what it and its partitions have
 * @query:	the query
 * @holdings:	filled in; to be released after success
 *
 * Return: 0 or EXIT_FAILED; the user has been told.
 */
int holdings_get(struct query *query, struct holdings *holdings)
{
	*holdings = (struct holdings) { 0 };
	if (!described_system(query->system, &holdings->inventory) &&
	    !described_partitions(query->system, &holdings->partitions))
		return EXIT_DONE;
	holdings_release(holdings);
	return EXIT_FAILED;
}

void holdings_release(struct holdings *holdings)
{
	json_decref(holdings->partitions);
	json_decref(holdings->inventory);
	*holdings = (struct holdings) { 0 };
}

/* ---- Memory ---- */

static const char *const mem_sys_fields[] = {
	"configurable_sys_mem", "curr_avail_sys_mem", "mem_region_size", NULL
};

static int list_mem_sys(struct query *query)
{
	json_t *info = query_ask(query, "system.info", "describe itself");
	json_t *record;

	if (!info)
		return EXIT_FAILED;
	record = query_record(query);
	set_number(record, "configurable_sys_mem", number_of(info, "memory_total") >> 20);
	set_number(record, "curr_avail_sys_mem", number_of(info, "memory_free") >> 20);
	set_number(record, "mem_region_size", number_of(info, "memory_region_size") >> 20);
	json_decref(info);
	return EXIT_DONE;
}

static const char *const mem_lpar_fields[] = {
	"lpar_name", "lpar_id", "curr_min_mem", "curr_mem", "curr_max_mem", "run_mem",
	"curr_min_num_huge_pages", "curr_num_huge_pages", NULL
};

static void add_mem(struct query *query, const json_t *partition)
{
	const json_t *profile = current_profile(config_of(partition));
	json_t *record = query_partition_record(query, partition);
	int64_t mem = number_of(partition, "memory") >> 20;

	set_member(record, "curr_min_mem", profile, "min_mem");
	set_number(record, "curr_mem", mem);
	set_member(record, "curr_max_mem", profile, "max_mem");
	set_number(record, "run_mem", is_active(partition) ? mem : 0);
	set_member(record, "curr_min_num_huge_pages", profile, "min_num_huge_pages");
	set_member(record, "curr_num_huge_pages", profile, "desired_num_huge_pages");
}

static int list_mem_lpar(struct query *query)
{
	return query_partitions(query, add_mem);
}

/* ---- Processors ---- */

static const char *const proc_sys_fields[] = {
	"configurable_sys_proc_units", "curr_avail_sys_proc_units", NULL
};

/* A system without a description tells nothing of its processors */
static int list_proc_sys(struct query *query)
{
	struct holdings holdings;
	json_t *record, *partition;
	double units;
	size_t i;

	if (holdings_get(query, &holdings))
		return EXIT_FAILED;
	if (holdings.inventory) {
		units = json_number_value(json_object_get(holdings.inventory,
							  "configurable_sys_proc_units"));
		record = query_record(query);
		set_units(record, "configurable_sys_proc_units", units);
		json_array_foreach(json_object_get(holdings.partitions, "partitions"), i,
				   partition)
			units -= processors_of(partition);
		set_units(record, "curr_avail_sys_proc_units", units > 0 ? units : 0);
	}
	holdings_release(&holdings);
	return EXIT_DONE;
}

static const char *const proc_lpar_fields[] = {
	"lpar_name", "lpar_id", "curr_shared_proc_pool_id", "curr_proc_mode",
	"curr_min_proc_units", "curr_proc_units", "curr_max_proc_units", "curr_min_procs",
	"curr_procs", "curr_max_procs", "curr_sharing_mode", "curr_uncap_weight",
	"run_proc_units", "run_procs", NULL
};

/* What the attribute is named, and the profile's member */
static const struct {
	const char *field;
	const char *member;
	bool units;
} processor_members[] = {
	{ "curr_shared_proc_pool_id", "shared_proc_pool_id", false },
	{ "curr_proc_mode", "proc_mode", false },
	{ "curr_min_proc_units", "min_proc_units", true },
	{ "curr_proc_units", "desired_proc_units", true },
	{ "curr_max_proc_units", "max_proc_units", true },
	{ "curr_min_procs", "min_procs", false },
	{ "curr_procs", "desired_procs", false },
	{ "curr_max_procs", "max_procs", false },
	{ "curr_sharing_mode", "sharing_mode", false },
	{ "curr_uncap_weight", "uncap_weight", false },
	{ }
};

static void add_proc(struct query *query, const json_t *partition)
{
	const json_t *profile = current_profile(config_of(partition)), *value;
	json_t *record;

	if (!profile)
		return;
	record = query_partition_record(query, partition);
	for (size_t i = 0; processor_members[i].field; i++) {
		value = json_object_get(profile, processor_members[i].member);
		if (processor_members[i].units && value)
			set_units(record, processor_members[i].field, json_number_value(value));
		else
			set_member(record, processor_members[i].field, profile,
				   processor_members[i].member);
	}
	if (is_shared(profile))
		set_units(record, "run_proc_units", processors_of(partition));
	set_number(record, "run_procs",
		   is_active(partition) ? number_of(profile, "desired_procs") : 0);
}

static int list_proc_lpar(struct query *query)
{
	return query_partitions(query, add_proc);
}

/* ---- Shared processor pools ---- */

static const char *const pool_fields[] = {
	"name", "shared_proc_pool_id", "max_pool_proc_units", "lpar_ids", "lpar_names", NULL
};

static void add_pool(struct query *query, const json_t *pool, const json_t *partitions)
{
	json_t *record = query_record(query), *names = json_array(), *ids = json_array();
	int64_t id = number_of(pool, "shared_proc_pool_id");
	const json_t *profile;
	json_t *partition;
	size_t i;

	set_text(record, "name", text_of(pool, "name"));
	set_number(record, "shared_proc_pool_id", id);
	if (json_object_get(pool, "max_pool_proc_units"))
		set_units(record, "max_pool_proc_units",
			  json_number_value(json_object_get(pool, "max_pool_proc_units")));
	json_array_foreach(json_object_get(partitions, "partitions"), i, partition) {
		profile = current_profile(config_of(partition));
		if (!profile || !is_shared(profile) ||
		    number_of(profile, "shared_proc_pool_id") != id)
			continue;
		json_array_append(names, json_object_get(partition, "name"));
		json_array_append(ids, json_object_get(partition, "lpar_id"));
	}
	set_list(record, "lpar_ids", ids, "none");
	set_list(record, "lpar_names", names, "none");
	json_decref(names);
	json_decref(ids);
}

static int list_pools(struct query *query)
{
	struct holdings holdings;
	json_t *pool;
	size_t i;

	if (holdings_get(query, &holdings))
		return EXIT_FAILED;
	json_array_foreach(json_object_get(holdings.inventory, "shared_proc_pools"), i, pool)
		if (query_selects(query, "pool_names", text_of(pool, "name")))
			add_pool(query, pool, holdings.partitions);
	holdings_release(&holdings);
	return EXIT_DONE;
}

static const char *const filters_of_pools[] = { "pool_names", NULL };

/* What clients ask for.  No partition has a physical adapter, or a share of one */
static const char *const sriov_adapter_fields[] = {
	"adapter_id", "slot_id", "config_state", "functional_state", "phys_loc",
	"phys_ports", "logical_ports", "adapter_max_logical_ports", NULL
};

static const char *const sriov_port_fields[] = {
	"adapter_id", "logical_port_id", "phys_port_id", "lpar_name", "lpar_id",
	"location_code", "drc_name", NULL
};

static int list_no_sriov(struct query *query)
{
	struct holdings holdings;

	if (holdings_get(query, &holdings))
		return EXIT_FAILED;
	holdings_release(&holdings);
	return EXIT_DONE;
}

#define VIRTUALIO(subtype, level, filters, fields, list)		\
	{ "virtualio", subtype, level, "M", filters, { fields, NULL }, list }

static const struct resource resources[] = {
	{ "mem", NULL, "sys", "M", NULL, { mem_sys_fields, NULL }, list_mem_sys },
	{ "mem", NULL, "lpar", "M", filters_of_partitions, { mem_lpar_fields, NULL },
	  list_mem_lpar },
	{ "proc", NULL, "sys", "M", NULL, { proc_sys_fields, NULL }, list_proc_sys },
	{ "proc", NULL, "lpar", "M", filters_of_partitions, { proc_lpar_fields, NULL },
	  list_proc_lpar },
	{ "procpool", NULL, NULL, "M", filters_of_pools, { pool_fields, NULL }, list_pools },
	VIRTUALIO("eth", "lpar", filters_of_adapters, eth_fields, list_adapters),
	VIRTUALIO("scsi", "lpar", filters_of_adapters, scsi_fields, list_adapters),
	VIRTUALIO("fc", "lpar", filters_of_adapters, fc_fields, list_adapters),
	VIRTUALIO("vnic", "lpar", filters_of_adapters, vnic_fields, list_adapters),
	VIRTUALIO("slot", "lpar", filters_of_partitions, slot_lpar_fields, list_slot_lpars),
	VIRTUALIO("slot", "slot", filters_of_adapters, slot_fields, list_slots),
	VIRTUALIO("vswitch", NULL, NULL, vswitch_fields, list_vswitches),
	VIRTUALIO("sea", NULL, filters_of_partitions, sea_fields, list_seas),
	{ "sriov", "adapter", NULL, "M", NULL, { sriov_adapter_fields, NULL }, list_no_sriov },
	{ "sriov", "physport", "eth", "M", NULL, { sriov_port_fields, NULL }, list_no_sriov },
	{ "sriov", "logport", "eth", "M", filters_of_partitions, { sriov_port_fields, NULL },
	  list_no_sriov },
	{ }
};

static int run_lshwres(const struct command *command, int argc, char **argv)
{
	return query_run(command, argc, argv, resources);
}

const struct command command_lshwres = {
	.name = "lshwres",
	.usage =
"Usage: lshwres -r {mem|proc} --level {sys|lpar} -m SYSTEM [OPTION]...\n"
"       lshwres -r procpool -m SYSTEM [OPTION]...\n"
"       lshwres -r virtualio --rsubtype {eth|scsi|fc|vnic|slot} --level lpar -m SYSTEM\n"
"               [OPTION]...\n"
"       lshwres -r virtualio --rsubtype slot --level slot -m SYSTEM [OPTION]...\n"
"       lshwres -r virtualio --rsubtype {vswitch|sea} -m SYSTEM [OPTION]...\n"
"       lshwres -r sriov --rsubtype adapter -m SYSTEM [OPTION]...\n"
"       lshwres -r sriov --rsubtype {logport|physport} --level eth -m SYSTEM [OPTION]...\n"
"List hardware resources of a managed system; memory is in MiB.\n"
"  -r mem            memory\n"
"  -r proc           processors\n"
"  -r procpool       shared processor pools\n"
"  -r virtualio      virtual adapters, switches and slots\n"
"  -r sriov          SR-IOV adapters and their ports, of which there are none\n"
"  --rsubtype TYPE   eth, scsi, fc, vnic: adapters; slot: slots; vswitch: virtual\n"
"                    switches; sea: Shared Ethernet Adapters; of sriov: adapter,\n"
"                    logport, physport\n"
"  --level LEVEL     sys: of the whole system; lpar: of each partition; slot: each slot;\n"
"                    eth: ports\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  --filter FILTER   of partitions: lpar_names=NAME,... lpar_ids=ID,...; of adapters\n"
"                    also slots=N,...; of pools pool_names=NAME,...\n"
LIST_OPTIONS,
	.run = run_lshwres,
};
