// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lssyscfg: managed systems, their partitions and profiles.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/described.h"
#include "hmc/listprof.h"
#include "hmc/query.h"

/* ---- Systems ---- */

static const char *const system_fields[] = {
	"name", "type_model", "serial_num", "state", "active_lpar_mobility_capable",
	"inactive_lpar_mobility_capable", "lpar_suspend_capable", "lpar_uuid_capable",
	"lpar_proc_compat_mode_capable", "lpar_proc_compat_modes", NULL
};

static const char *const system_more_fields[] = {
	"capabilities", "mobility_edition", "generation", "firmware_level", "power_source", NULL
};

static const char *const system_members[] = {
	"type_model", "serial_num", "lpar_proc_compat_modes", "mobility_edition", "generation",
	"firmware_level", "power_source", NULL
};

/* A capability x is the attribute x_capable, and one of the list */
static void set_capabilities(json_t *record, const json_t *capabilities)
{
	static const char *const names[] = {
		"active_lpar_mobility", "inactive_lpar_mobility", "lpar_suspend", "lpar_uuid",
		"lpar_proc_compat_mode",
	};
	json_t *list = json_array();
	char field[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool capable = has_text(capabilities, names[i]);

		snprintf(field, sizeof(field), "%s_capable", names[i]);
		set_flag(record, field, capable);
		if (capable)
			json_array_append_new(list, json_string(field));
	}
	set_list(record, "capabilities", list, "none");
	json_decref(list);
}

static void describe_system(json_t *record, const json_t *inventory)
{
	set_text(record, "state", text_of(inventory, "state"));
	set_members(record, inventory, system_members);
	set_capabilities(record, json_object_get(inventory, "capabilities"));
}

static int add_system(struct query *query, const struct managed_system *system)
{
	struct rpc_error err;
	json_t *inventory = NULL, *record;
	bool answers = !system_call(system, "system.inventory", NULL, &inventory, &err);

	if (!answers && (err.code || call_forbidden(&err))) {
		call_message(system, "describe itself", &err);
		return EXIT_FAILED;
	}
	record = query_record(query);
	set_text(record, "name", system->name);
	set_text(record, "state", answers ? "Operating" : "No Connection");
	if (flag_of(inventory, "described"))
		describe_system(record, inventory);
	json_decref(inventory);
	return EXIT_DONE;
}

static int list_systems(struct query *query)
{
	int status = EXIT_DONE;

	if (query->system)
		return add_system(query, query->system);
	for (size_t i = 0; i < query->console.nsystems && !status; i++)
		status = add_system(query, &query->console.systems[i]);
	return status;
}

/* ---- Partitions ---- */

static const char *const partition_fields[] = {
	"name", "lpar_id", "lpar_env", "state", "os_version", "default_profile", "curr_profile",
	"work_group_id", "auto_start", "boot_mode", "redundant_err_path_reporting", "time_ref",
	"rmc_state", "rmc_ipaddr", "desired_lpar_proc_compat_mode",
	"curr_lpar_proc_compat_mode", "migration_disabled", "msp", "uuid", NULL
};

static const char *const partition_more_fields[] = {
	"mem", "platform_state", "refcode", "condition", "activated", "service_partition",
	"vterm_open", "max_freeze_ms", NULL
};

/* Of the config, under their own names */
static const char *const config_members[] = {
	"lpar_env", "curr_profile", "time_ref", "rmc_state", "rmc_ipaddr",
	"curr_lpar_proc_compat_mode", "migration_disabled", "uuid", "refcode", "condition",
	"activated", "service_partition", "vterm_open", "max_freeze_ms", NULL
};

/* Of its profile */
static const char *const profile_members[] = {
	"work_group_id", "auto_start", "boot_mode", "redundant_err_path_reporting", NULL
};

static void set_version(json_t *record, const char *os, const char *version)
{
	char text[160];

	if (!*os)
		return;
	snprintf(text, sizeof(text), "%s%s%s", os, *version ? " " : "", version);
	set_text(record, "os_version", text);
}

static void add_vios(struct query *query, const json_t *vios)
{
	json_t *record;

	if (!query_selects_partition(query, text_of(vios, "name"), number_of(vios, "lpar_id")))
		return;
	record = query_record(query);
	set_text(record, "name", text_of(vios, "name"));
	set_number(record, "lpar_id", number_of(vios, "lpar_id"));
	set_text(record, "lpar_env", "vioserver");
	set_text(record, "state", text_of(vios, "state"));
	set_version(record, "VIOS", text_of(vios, "version"));
	set_text(record, "rmc_state", text_of(vios, "rmc_state"));
	set_flag(record, "msp", flag_of(vios, "msp"));
}

/* A mover service partition that only the console file knows */
static int add_mover(struct query *query, const struct msp *msp)
{
	json_t *record;
	int answers;

	if (!query_selects_partition(query, msp->name, msp->lpar_id))
		return 0;
	answers = mover_answers(query->system, msp);
	if (answers < 0)
		return answers;
	record = query_record(query);
	set_text(record, "name", msp->name);
	set_number(record, "lpar_id", msp->lpar_id);
	set_text(record, "lpar_env", "vioserver");
	set_text(record, "state", answers ? "Running" : "Not Available");
	set_text(record, "msp", "1");
	set_text(record, "rmc_state", "none");
	return 0;
}

static int add_servers(struct query *query, const json_t *inventory)
{
	const json_t *vioses = json_object_get(inventory, "vioses");
	const struct managed_system *system = query->system;
	json_t *vios;
	size_t i;

	json_array_foreach(vioses, i, vios)
		add_vios(query, vios);
	for (i = 0; i < system->nmsps; i++)
		if (!named_in(vioses, system->msps[i].name) &&
		    add_mover(query, &system->msps[i]))
			return EXIT_FAILED;
	return EXIT_DONE;
}

/* The agent of a guest stands in for RMC; it is not asked, only what is known is told */
static const char *agent_state(const json_t *partition)
{
	static const struct {
		const char *agent;
		const char *rmc;
	} states[] = {
		{ "answers", "active" },
		{ "silent", "inactive" },
		{ "not asked", "unknown" },
		{ "not known", "unknown" },
	};
	const char *agent = text_of(json_object_get(partition, "guest"), "agent");

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(agent, states[i].agent))
			return states[i].rmc;
	return "none";
}

static void describe_partition(json_t *record, const json_t *config, const char *agent)
{
	const json_t *profiles = json_object_get(config, "profiles");
	const json_t *profile = current_profile(config);

	set_members(record, config, config_members);
	/* Where there is an agent it is known better */
	if (strcmp(agent, "none"))
		set_text(record, "rmc_state", agent);
	set_version(record, text_of(config, "os"), text_of(config, "os_version"));
	set_member(record, "default_profile", json_array_get(profiles, 0), "name");
	set_members(record, profile, profile_members);
	set_work_group(record, profile);
	set_member(record, "desired_lpar_proc_compat_mode", profile, "lpar_proc_compat_mode");
}

static void add_partition(struct query *query, const json_t *partition)
{
	const json_t *config = config_of(partition);
	json_t *record;

	if (!query_selects_partition(query, text_of(partition, "name"),
				     number_of(partition, "lpar_id")))
		return;
	record = query_record(query);
	set_text(record, "name", text_of(partition, "name"));
	set_number(record, "lpar_id", number_of(partition, "lpar_id"));
	set_text(record, "lpar_env", "aixlinux");
	set_text(record, "state", lpar_state(partition));
	set_text(record, "rmc_state", agent_state(partition));
	set_number(record, "mem", number_of(partition, "memory") >> 20);
	set_text(record, "platform_state", text_of(partition, "state"));
	if (config)
		describe_partition(record, config, agent_state(partition));
}

static int list_partitions(struct query *query)
{
	json_t *inventory, *list = NULL, *partition;
	int status = EXIT_FAILED;
	size_t i;

	if (described_system(query->system, &inventory))
		return EXIT_FAILED;
	if (!add_servers(query, inventory) &&
	    !described_partitions(query->system, &list))
		status = EXIT_DONE;
	json_array_foreach(json_object_get(list, "partitions"), i, partition)
		add_partition(query, partition);
	json_decref(list);
	json_decref(inventory);
	return status;
}

static const char *const filters_of_profiles[] = {
	"lpar_names", "lpar_ids", "profile_names", NULL
};

static const struct resource resources[] = {
	{ "sys", NULL, NULL, "m", NULL, { system_fields, system_more_fields }, list_systems },
	{ "lpar", NULL, NULL, "M", filters_of_partitions,
	  { partition_fields, partition_more_fields }, list_partitions },
	{ "prof", NULL, NULL, "M", filters_of_profiles, { profile_fields, NULL },
	  list_profiles },
	{ }
};

static int run_lssyscfg(const struct command *command, int argc, char **argv)
{
	return query_run(command, argc, argv, resources);
}

const struct command command_lssyscfg = {
	.name = "lssyscfg",
	.usage =
"Usage: lssyscfg -r sys [-m SYSTEM] [OPTION]...\n"
"       lssyscfg -r {lpar|prof} -m SYSTEM [OPTION]...\n"
"List managed systems, or the partitions or profiles of one.\n"
"  -r sys            managed systems\n"
"  -r lpar           partitions\n"
"  -r prof           profiles of partitions\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  --filter FILTER   lpar_names=NAME,... lpar_ids=ID,...; with -r prof also\n"
"                    profile_names=NAME,...\n"
LIST_OPTIONS,
	.run = run_lssyscfg,
};
