// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lslparmigr: what is known of partition migrations.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hmc/described.h"
#include "hmc/listmigr.h"
#include "hmc/query.h"
#include "hmc/virtualio.h"

/* ---- Systems ---- */

static const char *const system_fields[] = {
	"inactive_lpar_mobility_capable", "num_inactive_migrations_supported",
	"num_inactive_migrations_in_progress", "active_lpar_mobility_capable",
	"num_active_migrations_supported", "num_active_migrations_in_progress", NULL
};

/* A system without a description can whatever its platform can */
static bool has_capability(const json_t *inventory, const char *name)
{
	return !inventory || has_text(json_object_get(inventory, "capabilities"), name);
}

/* 1 or 0; -EACCES: the user has been told */
static int has_mover(const struct managed_system *system)
{
	int answers = 0;

	for (size_t i = 0; i < system->nmsps && !answers; i++)
		answers = mover_answers(system, &system->msps[i]);
	return answers;
}

static void describe_migrations(json_t *record, const json_t *info, const json_t *inventory,
				bool mover)
{
	set_flag(record, "inactive_lpar_mobility_capable",
		 has_capability(inventory, "inactive_lpar_mobility"));
	set_member(record, "num_inactive_migrations_supported", info, "inactive_migrations_max");
	set_member(record, "num_inactive_migrations_in_progress", info, "inactive_migrations");
	set_flag(record, "active_lpar_mobility_capable",
		 mover && has_capability(inventory, "active_lpar_mobility"));
	set_member(record, "num_active_migrations_supported", info, "active_migrations_max");
	set_member(record, "num_active_migrations_in_progress", info, "streams");
}

static int list_system(struct query *query)
{
	int mover = has_mover(query->system);
	json_t *info, *inventory = NULL;

	info = mover < 0 ? NULL : query_ask(query, "system.info", "describe itself");
	if (!info)
		return EXIT_FAILED;
	if (described_system(query->system, &inventory)) {
		json_decref(info);
		return EXIT_FAILED;
	}
	describe_migrations(query_record(query), info, inventory, mover);
	json_decref(inventory);
	json_decref(info);
	return EXIT_DONE;
}

/* ---- Partitions ---- */

static const char *const partition_fields[] = {
	"name", "lpar_id", "migration_state", "migration_type", "source_sys_name",
	"dest_sys_name", "dest_lpar_id", "source_msp_name", "source_msp_id",
	"dest_msp_name", "dest_msp_id", "bytes_transmitted", "bytes_remaining", NULL
};

static const char *const partition_more_fields[] = {
	"stream_id", "stream_state", "phase", "pass", "rate", "dirty_rate", "bytes_total",
	"limit", "limited_by", "encryption", NULL
};

/* Of the source's mover, or of the target's while that one does not answer */
static const char *const mover_members[] = {
	"phase", "pass", "rate", "dirty_rate", "bytes_total", "limit", "limited_by",
	"encryption", NULL
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
	json_t *other = NULL, *status = NULL, *arrives = NULL;
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
	set_mover(record, "dest", to, id, &arrives);
	set_bytes(record, status, source ? stream : other);
	set_members(record, status ? status : arrives, mover_members);
	set_text(record, "stream_id", id);
	set_text(record, "stream_state", text_of(stream, "state"));
	json_decref(arrives);
	json_decref(status);
	json_decref(other);
}

/* Without a stream: it was suspended, and its system restarted since; or inactive */
static void set_without_stream(const struct query *query, json_t *record,
			       const json_t *partition)
{
	bool leaves = *text_of(partition, "departing");
	bool inactive = !strcmp(text_of(partition, "state"), "Migrating - Not Activated");
	const char *here = query->system->name, *peer = text_of(partition, "peer");

	set_text(record, "migration_state",
		 inactive ? "Migration In Progress" : "Migration Failed");
	set_text(record, "migration_type", inactive ? "inactive" : "suspended");
	if (leaves || *peer)
		set_text(record, "source_sys_name", leaves ? here : peer);
	if (!leaves || *peer)
		set_text(record, "dest_sys_name", leaves ? peer : here);
	set_text(record, "stream_id", text_of(partition, leaves ? "departing" : "arriving"));
}

static int list_partitions(struct query *query)
{
	json_t *partitions, *streams, *partition, *record, *stream;
	const char *name;
	size_t i;

	settle(&query->console, query->system);
	partitions = query_ask(query, "partition.list", "list its partitions");
	streams = partitions ? query_ask(query, "stream.list", "list its streams") : NULL;
	if (!streams) {
		json_decref(partitions);
		return EXIT_FAILED;
	}
	json_array_foreach(json_object_get(partitions, "partitions"), i, partition) {
		name = text_of(partition, "name");
		if (!query_selects_partition(query, name, number_of(partition, "lpar_id")))
			continue;
		record = query_record(query);
		set_text(record, "name", name);
		set_number(record, "lpar_id", number_of(partition, "lpar_id"));
		stream = find_stream(streams, NULL, name, NULL);
		if (stream)
			set_migration(query, record, stream);
		else if (*text_of(partition, "departing") || *text_of(partition, "arriving"))
			set_without_stream(query, record, partition);
		else
			set_text(record, "migration_state", "Not Migrating");
	}
	json_decref(streams);
	json_decref(partitions);
	return EXIT_DONE;
}

/* ---- Movers ---- */

static const char *const mover_fields[] = {
	"source_msp_name", "source_msp_id", "dest_msp_names", "dest_msp_ids",
	"source_msp_ipaddr", "ipaddr_mappings", NULL
};

/**
 * struct movers - those of a system that answer, and may move partitions
 * @all:	pointers to them
 * @count:	how many
 */
struct movers {
	const struct msp *all[CONSOLE_MSPS];
	size_t count;
};

/* One that the inventory knows has to have msp=1 there */
static bool is_mover(const json_t *inventory, const struct msp *msp)
{
	const json_t *vios = named_in(json_object_get(inventory, "vioses"), msp->name);

	return !vios || flag_of(vios, "msp");
}

static int find_movers(const struct managed_system *system, struct movers *movers)
{
	json_t *inventory;
	int answers = 0;

	movers->count = 0;
	if (described_system(system, &inventory))
		return EXIT_FAILED;
	for (size_t i = 0; i < system->nmsps && answers >= 0; i++) {
		if (!is_mover(inventory, &system->msps[i]))
			continue;
		answers = mover_answers(system, &system->msps[i]);
		if (answers > 0)
			movers->all[movers->count++] = &system->msps[i];
	}
	json_decref(inventory);
	return answers < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Of each pair that could work together: address//id/name/address/ */
static void set_targets(json_t *record, const struct msp *source, const struct movers *targets)
{
	json_t *names = json_array(), *ids = json_array(), *mappings = json_array();

	for (size_t i = 0; i < targets->count; i++) {
		const struct msp *target = targets->all[i];

		json_array_append_new(names, json_string(target->name));
		json_array_append_new(ids, json_integer(target->lpar_id));
		json_array_append_new(mappings,
				      json_sprintf("%s//%u/%s/%s/", source->address,
						   target->lpar_id, target->name,
						   target->address));
	}
	set_list(record, "dest_msp_names", names, "");
	set_list(record, "dest_msp_ids", ids, "");
	set_list(record, "ipaddr_mappings", mappings, "");
	json_decref(mappings);
	json_decref(ids);
	json_decref(names);
}

static int list_movers(struct query *query)
{
	struct movers sources, targets;
	json_t *record;

	if (find_movers(query->system, &sources) ||
	    (query->target && find_movers(query->target, &targets)))
		return EXIT_FAILED;
	for (size_t i = 0; i < sources.count; i++) {
		const struct msp *msp = sources.all[i];

		record = query_record(query);
		set_text(record, "source_msp_name", msp->name);
		set_number(record, "source_msp_id", msp->lpar_id);
		if (query->target)
			set_targets(record, msp, &targets);
		set_text(record, "source_msp_ipaddr", msp->address);
	}
	return EXIT_DONE;
}

static const struct resource resources[] = {
	{ "sys", NULL, NULL, "M", NULL, { system_fields, NULL }, list_system },
	{ "lpar", NULL, NULL, "M", filters_of_partitions,
	  { partition_fields, partition_more_fields }, list_partitions },
	{ "msp", NULL, NULL, "Mt", NULL, { mover_fields, NULL }, list_movers },
	{ "virtualio", NULL, NULL, "MT", filters_of_partitions, { virtualio_fields, NULL },
	  list_virtualio },
	{ "procpool", NULL, NULL, "MT", filters_of_partitions, { pool_choice_fields, NULL },
	  list_pool_choices },
	{ "sriov", NULL, NULL, "MT", filters_of_partitions, { sriov_fields, NULL },
	  list_sriov },
	{ "history", NULL, NULL, "M", filters_of_partitions, { history_fields, NULL },
	  list_history },
	{ }
};

static int run_lslparmigr(const struct command *command, int argc, char **argv)
{
	return query_run(command, argc, argv, resources);
}

const struct command command_lslparmigr = {
	.name = "lslparmigr",
	.usage =
"Usage: lslparmigr -r {sys|lpar|history} -m SYSTEM [OPTION]...\n"
"       lslparmigr -r msp -m SYSTEM [-t SYSTEM] [OPTION]...\n"
"       lslparmigr -r {virtualio|procpool|sriov} -m SYSTEM -t SYSTEM [OPTION]...\n"
"List what is known of partition migrations.\n"
"  -r sys            what the system can do\n"
"  -r lpar           each partition's migration\n"
"  -r history        the moves that each partition has made\n"
"  -r msp            mover service partitions\n"
"  -r virtualio      what could host virtual adapters on the target\n"
"  -r procpool       shared processor pools of the target that have room for each\n"
"                    partition\n"
"  -r sriov          SR-IOV logical ports; there are none here\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  -t SYSTEM         the target\n"
"  --filter FILTER   of partitions: lpar_names=NAME,... lpar_ids=ID,...\n"
LIST_OPTIONS,
	.run = run_lslparmigr,
};
