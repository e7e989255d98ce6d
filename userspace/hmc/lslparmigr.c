// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lslparmigr: what is known of partition migrations.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hmc/described.h"
#include "hmc/query.h"
#include "hmc/virtualio.h"

static const char *const migration_sys_fields[] = {
	"active_lpar_mobility_capable", "inactive_lpar_mobility_capable",
	"num_active_migrations_supported", "num_active_migrations_in_progress", NULL
};

static int migration_sys(struct query *query)
{
	struct managed_system *system = query->system;
	int active = 0;
	json_t *info, *record;

	for (size_t i = 0; i < system->nmsps && !active; i++)
		active = mover_answers(system, &system->msps[i]);
	info = active < 0 ? NULL : query_ask(query, "system.info", "describe itself");
	if (!info)
		return EXIT_FAILED;
	record = query_record(query);
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
	"dest_msp_name", "dest_msp_id", "bytes_transmitted", "bytes_remaining", NULL
};

static const char *const migration_lpar_more_fields[] = {
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
		record = query_record(query);
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

static const struct resource resources[] = {
	{ "sys", NULL, NULL, "M", NULL, { migration_sys_fields, NULL }, migration_sys },
	{ "lpar", NULL, NULL, "M", filters_of_partitions,
	  { migration_lpar_fields, migration_lpar_more_fields }, migration_lpar },
	{ "msp", NULL, NULL, "Mt", NULL, { migration_msp_fields, NULL }, migration_msp },
	{ "virtualio", NULL, NULL, "MT", filters_of_partitions, { virtualio_fields, NULL },
	  list_virtualio },
	{ }
};

static int run_lslparmigr(const struct command *command, int argc, char **argv)
{
	return query_run(command, argc, argv, resources);
}

const struct command command_lslparmigr = {
	.name = "lslparmigr",
	.usage =
"Usage: lslparmigr -r {sys|lpar|msp|virtualio} -m SYSTEM [OPTION]...\n"
"List what is known of partition migrations.\n"
"  -r sys            what the system can do\n"
"  -r lpar           each partition's migration\n"
"  -r msp            mover service partitions\n"
"  -r virtualio      what could host virtual adapters on the target\n"
"  -m SYSTEM         managed system\n"
"  -t SYSTEM         with -r msp and -r virtualio: the target\n"
"  --filter FILTER   with -r lpar and -r virtualio: lpar_names=NAME,... or lpar_ids=ID,...\n"
LIST_OPTIONS,
	.run = run_lslparmigr,
};
