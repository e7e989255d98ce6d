// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lshwres: hardware resources of a managed system.
 */

#include "hmc/query.h"

static const char *const memory_fields[] = {
	"configurable_sys_mem", "curr_avail_sys_mem", "mem_region_size", NULL
};

static int memory_sys(struct query *query)
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

static const struct resource resources[] = {
	{ "mem", NULL, "sys", "M", NULL, { memory_fields, NULL }, memory_sys },
	{ }
};

static int run_lshwres(const struct command *command, int argc, char **argv)
{
	return query_run(command, argc, argv, resources);
}

const struct command command_lshwres = {
	.name = "lshwres",
	.usage =
"Usage: lshwres -r mem --level sys -m SYSTEM [OPTION]...\n"
"List hardware resources of a managed system, in MiB.\n"
"  -r mem            memory\n"
"  --level sys       of the whole system\n"
"  -m SYSTEM         managed system\n"
LIST_OPTIONS,
	.run = run_lshwres,
};
