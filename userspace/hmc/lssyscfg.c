// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lssyscfg: managed systems, their partitions and profiles.
 */
#include <string.h>

#include "common/util.h"
#include "hmc/described.h"
#include "hmc/query.h"

static const char *const config_sys_fields[] = { "name", "state", NULL };

static int add_system(struct query *query, const struct managed_system *system)
{
	struct rpc_error err;
	bool answers = !system_call(system, "system.info", NULL, NULL, &err);
	json_t *record;

	if (!answers && call_forbidden(&err)) {
		call_message(system, "describe itself", &err);
		return EXIT_FAILED;
	}
	record = query_record(query);
	set_text(record, "name", system->name);
	set_text(record, "state", answers ? "Operating" : "No Connection");
	return EXIT_DONE;
}

static int config_sys(struct query *query)
{
	int status = EXIT_DONE;

	if (query->system)
		return add_system(query, query->system);
	for (size_t i = 0; i < query->console.nsystems && !status; i++)
		status = add_system(query, &query->console.systems[i]);
	return status;
}

static const char *const config_lpar_fields[] = {
	"name", "lpar_id", "lpar_env", "state", "msp", "rmc_state", "curr_profile", "uuid",
	"mem", "platform_state", NULL
};

/* Mover service partitions, which the console file names */
static int config_msps(struct query *query)
{
	const struct managed_system *system = query->system;
	json_t *record;
	int answers;

	for (size_t i = 0; i < system->nmsps; i++) {
		const struct msp *msp = &system->msps[i];

		if (!query_selects_partition(query, msp->name, msp->lpar_id))
			continue;
		answers = mover_answers(system, msp);
		if (answers < 0)
			return EXIT_FAILED;
		record = query_record(query);
		set_text(record, "name", msp->name);
		set_number(record, "lpar_id", msp->lpar_id);
		set_text(record, "lpar_env", "vioserver");
		set_text(record, "state", answers ? "Running" : "Not Available");
		set_text(record, "msp", "1");
		set_text(record, "rmc_state", "none");
	}
	return EXIT_DONE;
}

/* The agent of a guest stands in for RMC; it is not asked, only what is known is told */
static const char *rmc_state(const json_t *partition)
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

static int config_lpar(struct query *query)
{
	json_t *list = config_msps(query) ? NULL :
		       query_ask(query, "partition.list", "list its partitions");
	json_t *partition, *record;
	size_t i;

	if (!list)
		return EXIT_FAILED;
	json_array_foreach(json_object_get(list, "partitions"), i, partition) {
		if (!query_selects_partition(query, text_of(partition, "name"), number_of(partition, "lpar_id")))
			continue;
		record = query_record(query);
		set_text(record, "name", text_of(partition, "name"));
		set_number(record, "lpar_id", number_of(partition, "lpar_id"));
		set_text(record, "lpar_env", "aixlinux");
		set_text(record, "state", lpar_state(partition));
		set_text(record, "rmc_state", rmc_state(partition));
		set_number(record, "mem", number_of(partition, "memory") >> 20);
		set_text(record, "platform_state", text_of(partition, "state"));
	}
	json_decref(list);
	return EXIT_DONE;
}

static const struct resource resources[] = {
	{ "sys", NULL, NULL, "m", NULL, { config_sys_fields, NULL }, config_sys },
	{ "lpar", NULL, NULL, "M", filters_of_partitions, { config_lpar_fields, NULL }, config_lpar },
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
"       lssyscfg -r lpar -m SYSTEM [OPTION]...\n"
"List managed systems, or the partitions of one.\n"
"  -r sys            managed systems\n"
"  -r lpar           partitions\n"
"  -m SYSTEM         managed system\n"
"  --filter FILTER   with -r lpar: lpar_names=NAME,... or lpar_ids=ID,...\n"
LIST_OPTIONS,
	.run = run_lssyscfg,
};
