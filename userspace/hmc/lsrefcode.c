// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lsrefcode: reference codes of partitions, as their panels show them.
 *
 * A platform knows the latest of each only, and nothing of when it was shown.
 */
#include <string.h>

#include "hmc/described.h"
#include "hmc/query.h"

static const char *const partition_fields[] = {
	"lpar_name", "lpar_id", "time_stamp", "refcode", NULL
};

static void add_code(struct query *query, const json_t *partition)
{
	json_t *record = query_partition_record(query, partition);

	set_text(record, "refcode", text_of(config_of(partition), "refcode"));
}

static int list_partitions(struct query *query)
{
	return query_partitions(query, add_code);
}

static const char *const system_fields[] = { "refcode_num", "time_stamp", "refcode", NULL };

/* A platform has no service processor that would show any */
static int list_system(struct query *query)
{
	json_t *info;

	if (query->side && strcmp(query->side, "p") && strcmp(query->side, "s"))
		return usage_error(query->command, "-s is \"%.64s\"; it must be p or s.",
				   query->side);
	info = query_ask(query, "system.info", "describe itself");
	json_decref(info);
	return info ? EXIT_DONE : EXIT_FAILED;
}

static const struct resource resources[] = {
	{ "lpar", NULL, NULL, "Mn", filters_of_partitions, { partition_fields, NULL },
	  list_partitions },
	{ "sys", NULL, NULL, "Mns", NULL, { system_fields, NULL }, list_system },
	{ }
};

static int run_lsrefcode(const struct command *command, int argc, char **argv)
{
	return query_run(command, argc, argv, resources);
}

const struct command command_lsrefcode = {
	.name = "lsrefcode",
	.usage =
"Usage: lsrefcode -r lpar -m SYSTEM [OPTION]...\n"
"       lsrefcode -r sys -m SYSTEM [-s {p|s}] [OPTION]...\n"
"List reference codes.\n"
"  -r lpar           of partitions\n"
"  -r sys            of the system; there are none here\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  -s SIDE           p or s: the primary or secondary service processor\n"
"  -n NUMBER         the latest so many of each (default: 1); only that one is known\n"
"  --filter FILTER   with -r lpar: lpar_names=NAME,... lpar_ids=ID,...\n"
LIST_OPTIONS,
	.run = run_lsrefcode,
};
