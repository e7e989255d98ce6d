// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commands that list: lslparmigr, lssyscfg, lshwres.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/console.h"

#define MAX_FILTER	256		/* names or ids in a filter */

/**
 * struct query - the command line of a list command
 * @command:	which command
 * @resource:	-r
 * @level:	--level
 * @system_name: -m
 * @target_name: -t
 * @file:	--console
 * @filter:	--filter, modified while it is taken apart
 * @names: @nnames: partitions it names
 * @ids: @nids:	partitions it names by id
 * @listing:	-F, --header
 * @console:	open while the command works
 * @system:	of -m, or NULL
 * @target:	of -t, or NULL
 * @records:	what is to be printed
 */
struct query {
	const struct command *command;
	const char *resource;
	const char *level;
	const char *system_name;
	const char *target_name;
	const char *file;
	char *filter;
	const char *names[MAX_FILTER];
	size_t nnames;
	uint32_t ids[MAX_FILTER];
	size_t nids;
	struct listing listing;
	struct console console;
	struct managed_system *system;
	struct managed_system *target;
	json_t *records;
};

/**
 * struct resource - what a command lists
 * @name:	for -r
 * @needs_system: -m must be given
 * @filters:	--filter may be given
 * @fields:	that there are, in the order of output
 * @collect:	adds records
 */
struct resource {
	const char *name;
	bool needs_system;
	bool filters;
	const char *const *fields;
	int (*collect)(struct query *query);
};

/* ---- Records ---- */

static void set_text(json_t *record, const char *name, const char *value)
{
	json_object_set_new(record, name, json_string(value));
}

static void set_number(json_t *record, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	set_text(record, name, text);
}

static json_t *new_record(struct query *query)
{
	json_t *record = json_object();

	json_array_append_new(query->records, record);
	return record;
}

static bool selected(const struct query *query, const char *name, int64_t id)
{
	if (!query->filter)
		return true;
	for (size_t i = 0; i < query->nnames; i++)
		if (!strcmp(query->names[i], name))
			return true;
	for (size_t i = 0; i < query->nids; i++)
		if (query->ids[i] == id)
			return true;
	return false;
}

/* One answer of the system of -m; NULL: the user has been told */
static json_t *ask(struct query *query, const char *method, const char *what)
{
	struct rpc_error err;
	json_t *answer = NULL;

	if (system_call(query->system, method, NULL, &answer, &err))
		call_message(query->system, what, &err);
	return answer;
}

/* ---- lslparmigr ---- */

static const char *const migration_sys_fields[] = {
	"active_lpar_mobility_capable", "inactive_lpar_mobility_capable",
	"num_active_migrations_supported", "num_active_migrations_in_progress", NULL
};

/* 1 or 0; -EACCES: the user may not know, and has been told */
static int mover_answers(const struct managed_system *system, const struct msp *msp)
{
	struct rpc_error err;

	if (!msp_call(msp, "info", NULL, NULL, &err))
		return 1;
	if (!call_forbidden(&err))
		return 0;
	msp_message(system, msp, "describe itself", &err);
	return -EACCES;
}

static int migration_sys(struct query *query)
{
	struct managed_system *system = query->system;
	int active = 0;
	json_t *info, *record;

	for (size_t i = 0; i < system->nmsps && !active; i++)
		active = mover_answers(system, &system->msps[i]);
	info = active < 0 ? NULL : ask(query, "system.info", "describe itself");
	if (!info)
		return EXIT_FAILED;
	record = new_record(query);
	set_text(record, "active_lpar_mobility_capable", active ? "1" : "0");
	set_text(record, "inactive_lpar_mobility_capable", "1");
	set_number(record, "num_active_migrations_supported", number_of(info, "streams_max"));
	set_number(record, "num_active_migrations_in_progress", number_of(info, "streams"));
	json_decref(info);
	return EXIT_DONE;
}

static const char *const migration_lpar_fields[] = {
	"name", "lpar_id", "migration_state", "migration_type", "source_sys_name",
	"dest_sys_name", "dest_lpar_id", "source_msp_name", "source_msp_id",
	"dest_msp_name", "dest_msp_id", "bytes_transmitted", "bytes_remaining",
	"stream_id", "stream_state", NULL
};

static const char *migration_state(const json_t *stream)
{
	bool source = !strcmp(text_of(stream, "role"), "source");

	if (stream_is(stream, "Aborted") || flag_of(stream, "parked"))
		return "Migration Failed";
	/* The target has it whole: there it is a partition like any other */
	if (stream_is(stream, "Completed") && !source)
		return "Not Migrating";
	if (stream_is(stream, "Enabled") && !number_of(stream, "sessions"))
		return "Migration Starting";
	return "Migration In Progress";
}

/* The system at the other end of a stream, and what it says of it */
static struct managed_system *other_end(struct query *query, const json_t *stream,
					json_t **other)
{
	const char *role = strcmp(text_of(stream, "role"), "source") ? "source" : "target";
	struct console *console = &query->console;
	struct rpc_error err;

	for (size_t i = 0; i < console->nsystems; i++) {
		if (&console->systems[i] == query->system ||
		    show_stream(&console->systems[i], text_of(stream, "stream_id"),
				other, &err) || !*other)
			continue;
		if (!strcmp(text_of(*other, "role"), role))
			return &console->systems[i];
		json_decref(*other);
		*other = NULL;
	}
	return NULL;
}

static void set_mover(json_t *record, const char *side,
		      const struct managed_system *system, const char *id,
		      json_t **status)
{
	const struct msp *msp = system ? find_mover(system, id, status) : NULL;
	char name[32];

	if (!msp)
		return;
	snprintf(name, sizeof(name), "%s_msp_name", side);
	set_text(record, name, msp->name);
	snprintf(name, sizeof(name), "%s_msp_id", side);
	set_number(record, name, msp->lpar_id);
}

static void set_lpar_id(json_t *record, const struct managed_system *system,
			const char *partition)
{
	struct rpc_error err;
	json_t *show = NULL;

	if (!system || system_call(system, "partition.show",
				   json_pack("{s:s}", "name", partition), &show, &err))
		return;
	set_number(record, "dest_lpar_id", number_of(show, "lpar_id"));
	json_decref(show);
}

/* The source's mover knows best; without it, its platform */
static void set_bytes(json_t *record, const json_t *status, const json_t *stream)
{
	if (status) {
		set_number(record, "bytes_transmitted", number_of(status, "bytes_transmitted"));
		set_number(record, "bytes_remaining", number_of(status, "bytes_remaining"));
	} else if (stream) {
		set_number(record, "bytes_transmitted", number_of(stream, "bytes"));
		set_number(record, "bytes_remaining", number_of(stream, "bytes_left"));
	}
}

static void set_migration(struct query *query, json_t *record, const json_t *stream)
{
	bool source = !strcmp(text_of(stream, "role"), "source");
	const char *id = text_of(stream, "stream_id");
	json_t *other = NULL, *status = NULL;
	struct managed_system *peer = other_end(query, stream, &other);
	struct managed_system *from = source ? query->system : peer;
	struct managed_system *to = source ? peer : query->system;

	set_text(record, "migration_state", migration_state(stream));
	set_text(record, "migration_type", text_of(stream, "type"));
	if (from)
		set_text(record, "source_sys_name", from->name);
	if (to)
		set_text(record, "dest_sys_name", to->name);
	set_lpar_id(record, to, text_of(stream, "partition"));
	set_mover(record, "source", from, id, &status);
	set_mover(record, "dest", to, id, NULL);
	set_bytes(record, status, source ? stream : other);
	set_text(record, "stream_id", id);
	set_text(record, "stream_state", text_of(stream, "state"));
	json_decref(status);
	json_decref(other);
}

/* Its system was restarted, and has not heard yet what became of it */
static void set_interrupted(const struct query *query, json_t *record,
			    const json_t *partition)
{
	set_text(record, "migration_state", "Migration Failed");
	set_text(record, "migration_type", "suspended");
	set_text(record, "source_sys_name", query->system->name);
	if (*text_of(partition, "peer"))
		set_text(record, "dest_sys_name", text_of(partition, "peer"));
	set_text(record, "stream_id", text_of(partition, "departing"));
}

static int migration_lpar(struct query *query)
{
	json_t *partitions, *streams, *partition, *record, *stream;
	const char *name;
	size_t i;

	settle(&query->console, query->system);
	partitions = ask(query, "partition.list", "list its partitions");
	streams = partitions ? ask(query, "stream.list", "list its streams") : NULL;
	if (!streams) {
		json_decref(partitions);
		return EXIT_FAILED;
	}
	json_array_foreach(json_object_get(partitions, "partitions"), i, partition) {
		name = text_of(partition, "name");
		if (!selected(query, name, number_of(partition, "lpar_id")))
			continue;
		record = new_record(query);
		set_text(record, "name", name);
		set_number(record, "lpar_id", number_of(partition, "lpar_id"));
		stream = find_stream(streams, NULL, name, NULL);
		if (stream)
			set_migration(query, record, stream);
		else if (*text_of(partition, "departing"))
			set_interrupted(query, record, partition);
		else
			set_text(record, "migration_state", "Not Migrating");
	}
	json_decref(streams);
	json_decref(partitions);
	return EXIT_DONE;
}

static const char *const migration_msp_fields[] = {
	"source_msp_name", "source_msp_id", "dest_msp_names", "dest_msp_ids",
	"source_msp_ipaddr", NULL
};

/* The movers of @system that answer, as lists separated by commas */
static int list_movers(const struct managed_system *system, char *names, char *ids)
{
	const char *comma = "";
	int answers;

	*names = '\0';
	*ids = '\0';
	for (size_t i = 0; i < system->nmsps; i++) {
		answers = mover_answers(system, &system->msps[i]);
		if (answers < 0)
			return answers;
		if (!answers)
			continue;
		names += sprintf(names, "%s%s", comma, system->msps[i].name);
		ids += sprintf(ids, "%s%u", comma, system->msps[i].lpar_id);
		comma = ",";
	}
	return 0;
}

static int migration_msp(struct query *query)
{
	char names[CONSOLE_MSPS * NAME_BYTES], ids[CONSOLE_MSPS * 8];
	json_t *record;
	int answers;

	if (query->target && list_movers(query->target, names, ids))
		return EXIT_FAILED;
	for (size_t i = 0; i < query->system->nmsps; i++) {
		const struct msp *msp = &query->system->msps[i];

		answers = mover_answers(query->system, msp);
		if (answers < 0)
			return EXIT_FAILED;
		if (!answers)
			continue;
		record = new_record(query);
		set_text(record, "source_msp_name", msp->name);
		set_number(record, "source_msp_id", msp->lpar_id);
		if (query->target) {
			set_text(record, "dest_msp_names", names);
			set_text(record, "dest_msp_ids", ids);
		}
		set_text(record, "source_msp_ipaddr", msp->address);
	}
	return EXIT_DONE;
}

static const struct resource migration_resources[] = {
	{ "sys", true, false, migration_sys_fields, migration_sys },
	{ "lpar", true, true, migration_lpar_fields, migration_lpar },
	{ "msp", true, false, migration_msp_fields, migration_msp },
	{ }
};

/* ---- lssyscfg ---- */

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
	record = new_record(query);
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

		if (!selected(query, msp->name, msp->lpar_id))
			continue;
		answers = mover_answers(system, msp);
		if (answers < 0)
			return EXIT_FAILED;
		record = new_record(query);
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
		       ask(query, "partition.list", "list its partitions");
	json_t *partition, *record;
	size_t i;

	if (!list)
		return EXIT_FAILED;
	json_array_foreach(json_object_get(list, "partitions"), i, partition) {
		if (!selected(query, text_of(partition, "name"), number_of(partition, "lpar_id")))
			continue;
		record = new_record(query);
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

static const struct resource config_resources[] = {
	{ "sys", false, false, config_sys_fields, config_sys },
	{ "lpar", true, true, config_lpar_fields, config_lpar },
	{ }
};

/* ---- lshwres ---- */

static const char *const memory_fields[] = {
	"configurable_sys_mem", "curr_avail_sys_mem", "mem_region_size", NULL
};

static int memory_sys(struct query *query)
{
	json_t *info = ask(query, "system.info", "describe itself");
	json_t *record;

	if (!info)
		return EXIT_FAILED;
	record = new_record(query);
	set_number(record, "configurable_sys_mem", number_of(info, "memory_total") >> 20);
	set_number(record, "curr_avail_sys_mem", number_of(info, "memory_free") >> 20);
	set_number(record, "mem_region_size", number_of(info, "memory_region_size") >> 20);
	json_decref(info);
	return EXIT_DONE;
}

static const struct resource hardware_resources[] = {
	{ "mem", true, false, memory_fields, memory_sys },
	{ }
};

/* ---- The command line ---- */

static int add_filter_id(struct query *query, const char *word)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);

	if (*word < '0' || *word > '9' || *end || id < 1 || id > 65535)
		return usage_error(query->command,
				   "--filter names the partition id \"%.64s\"; an id is a number from 1 to 65535.",
				   word);
	query->ids[query->nids++] = (uint32_t)id;
	return EXIT_DONE;
}

/* The HMC wants quotes around a pair whose value is a list: no name holds one */
static void strip_quotes(struct query *query)
{
	size_t length = strlen(query->filter);

	if (length < 2 || query->filter[0] != '"' || query->filter[length - 1] != '"')
		return;
	query->filter[length - 1] = '\0';
	query->filter++;
}

static int parse_filter(struct query *query)
{
	char *list, *word;
	bool names;
	int status;

	strip_quotes(query);
	names = !strncmp(query->filter, "lpar_names=", 11);
	list = strchr(query->filter, '=');
	if (!names && strncmp(query->filter, "lpar_ids=", 9))
		return usage_error(query->command,
				   "--filter is \"%.64s\"; it must be lpar_names=NAME,... or lpar_ids=ID,...",
				   query->filter);
	list++;
	while ((word = strsep(&list, ","))) {
		if (query->nnames + query->nids == MAX_FILTER)
			return usage_error(query->command,
					   "--filter names more than %d partitions.", MAX_FILTER);
		if (names && !name_is_valid(word))
			return usage_error(query->command,
					   "--filter names the partition \"%.64s\"; a name has 1 to 31 printable characters.",
					   word);
		if (names) {
			query->names[query->nnames++] = word;
			continue;
		}
		status = add_filter_id(query, word);
		if (status)
			return status;
	}
	return EXIT_DONE;
}

static int parse(struct query *query, int argc, char **argv)
{
	enum { HEADER = 256, FILTER, LEVEL, FILE_NAME };
	static const struct option options[] = {
		{ "header", no_argument, NULL, HEADER },
		{ "filter", required_argument, NULL, FILTER },
		{ "level", required_argument, NULL, LEVEL },
		{ "console", required_argument, NULL, FILE_NAME },
		{ }
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+r:m:t:F::", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			query->resource = optarg;
			break;
		case 'm':
			query->system_name = optarg;
			break;
		case 't':
			query->target_name = optarg;
			break;
		case 'F':
			query->listing.values = true;
			/* Its list may be missing, but need not touch it */
			if (!optarg && optind < argc && argv[optind][0] != '-')
				optarg = argv[optind++];
			query->listing.fields = optarg;
			break;
		case HEADER:
			query->listing.header = true;
			break;
		case FILTER:
			query->filter = optarg;
			break;
		case LEVEL:
			query->level = optarg;
			break;
		case FILE_NAME:
			query->file = optarg;
			break;
		default:
			return usage_error(query->command,
					   "The option \"%.64s\" is unknown, or its value is missing.",
					   argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error(query->command, "The argument \"%.64s\" is not expected.",
				   argv[optind]);
	return query->filter ? parse_filter(query) : EXIT_DONE;
}

static int find_system(struct query *query, const char *option, const char *name,
		       struct managed_system **system)
{
	if (!name)
		return EXIT_DONE;
	*system = console_find(&query->console, name);
	if (*system)
		return EXIT_DONE;
	message("LPM0004",
		"%s names the system \"%.64s\", which the console file does not have. List those it has with lssyscfg -r sys -F name.",
		option, name);
	return EXIT_FAILED;
}

static int list_resource(struct query *query, const struct resource *resource)
{
	int status;

	if (resource->needs_system && !query->system_name)
		return usage_error(query->command, "-m is missing: the name of a system.");
	if (query->filter && !resource->filters)
		return usage_error(query->command, "--filter is not for -r %s.", resource->name);
	status = listing_check(query->command, &query->listing, resource->fields);
	if (status)
		return status;
	if (console_open(query->file, &query->console)) {
		console_close(&query->console);
		return EXIT_USAGE;
	}
	query->records = json_array();
	status = find_system(query, "-m", query->system_name, &query->system);
	if (!status)
		status = find_system(query, "-t", query->target_name, &query->target);
	if (!status)
		status = resource->collect(query);
	if (!status)
		listing_print(&query->listing, resource->fields, query->records);
	json_decref(query->records);
	console_close(&query->console);
	return status;
}

static int list(struct query *query, const struct resource *resources)
{
	if (!query->resource)
		return usage_error(query->command, "-r is missing: what is to be listed.");
	for (; resources->name; resources++)
		if (!strcmp(resources->name, query->resource))
			return list_resource(query, resources);
	return usage_error(query->command, "-r is \"%.64s\", which is not listed by this command.",
			   query->resource);
}

static int run_lslparmigr(const struct command *command, int argc, char **argv)
{
	struct query query = { .command = command };
	int status = parse(&query, argc, argv);

	if (!status && query.level)
		status = usage_error(command, "--level is not for this command.");
	return status ? status : list(&query, migration_resources);
}

static int run_lssyscfg(const struct command *command, int argc, char **argv)
{
	struct query query = { .command = command };
	int status = parse(&query, argc, argv);

	if (!status && (query.level || query.target_name))
		status = usage_error(command, "--level and -t are not for this command.");
	return status ? status : list(&query, config_resources);
}

static int run_lshwres(const struct command *command, int argc, char **argv)
{
	struct query query = { .command = command };
	int status = parse(&query, argc, argv);

	if (!status && query.target_name)
		status = usage_error(command, "-t is not for this command.");
	if (!status && (!query.level || strcmp(query.level, "sys")))
		status = usage_error(command, "--level must be given, and be sys.");
	return status ? status : list(&query, hardware_resources);
}

#define COMMON_OPTIONS							\
"  -F [FIELDS]       values only, in this order; without FIELDS all of them\n"	\
"  --header          with -F: a line of field names first\n"			\
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n" \
"  --help, --version\n"								\
"Exit status: 0, 1 it could not be listed, 2 wrong usage or console file.\n"

const struct command command_lslparmigr = {
	.name = "lslparmigr",
	.usage =
"Usage: lslparmigr -r {sys|lpar|msp} -m SYSTEM [OPTION]...\n"
"List what is known of partition migrations.\n"
"  -r sys            what the system can do\n"
"  -r lpar           each partition's migration\n"
"  -r msp            mover service partitions\n"
"  -m SYSTEM         managed system\n"
"  -t SYSTEM         with -r msp: the target, whose movers are listed too\n"
"  --filter FILTER   with -r lpar: lpar_names=NAME,... or lpar_ids=ID,...\n"
COMMON_OPTIONS,
	.run = run_lslparmigr,
};

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
COMMON_OPTIONS,
	.run = run_lssyscfg,
};

const struct command command_lshwres = {
	.name = "lshwres",
	.usage =
"Usage: lshwres -r mem --level sys -m SYSTEM [OPTION]...\n"
"List hardware resources of a managed system, in MiB.\n"
"  -r mem            memory\n"
"  --level sys       of the whole system\n"
"  -m SYSTEM         managed system\n"
COMMON_OPTIONS,
	.run = run_lshwres,
};
