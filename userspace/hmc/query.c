// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list commands' command line, and what they have in common.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/described.h"
#include "hmc/query.h"

/**
 * query_record() - add a record
 * @query:	the query
 *
 * Return: the record, which the query owns.
 */
json_t *query_record(struct query *query)
{
	json_t *record = json_object();

	json_array_append_new(query->records, record);
	return record;
}

/**
 * query_partition_record() - add a record that begins with lpar_name and lpar_id
 * @query:	the query
 * @partition:	a partition or a Virtual I/O Server, as its system tells it
 *
 * Return: the record, which the query owns.
 */
json_t *query_partition_record(struct query *query, const json_t *partition)
{
	json_t *record = query_record(query);

	set_text(record, "lpar_name", text_of(partition, "name"));
	set_number(record, "lpar_id", number_of(partition, "lpar_id"));
	return record;
}

/**
 * query_partitions() - go through the partitions of the system of -m
 * @query:	the query
 * @add:	called for each that is wanted, as partition.list tells it with its config
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int query_partitions(struct query *query,
		     void (*add)(struct query *query, const json_t *partition))
{
	json_t *list, *partition;
	size_t i;

	if (described_partitions(query->system, &list))
		return EXIT_FAILED;
	json_array_foreach(json_object_get(list, "partitions"), i, partition)
		if (query_selects_partition(query, text_of(partition, "name"),
					    number_of(partition, "lpar_id")))
			add(query, partition);
	json_decref(list);
	return EXIT_DONE;
}

/**
 * query_ask() - one answer of the system of -m
 * @query:	the query
 * @method:	to be called
 * @what:	for the message: what was to be done
 *
 * Return: the answer, the caller's; NULL: the user has been told.
 */
json_t *query_ask(struct query *query, const char *method, const char *what)
{
	struct rpc_error err;
	json_t *answer = NULL;

	if (system_call(query->system, method, NULL, &answer, &err))
		call_message(query->system, what, &err);
	return answer;
}

static int parse_count(struct query *query, const char *text)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	query->count = (uint32_t)count;
	query->counted = true;
	if (*text >= '0' && *text <= '9' && !*end && count >= 1 && count <= MAX_COUNT)
		return EXIT_DONE;
	return usage_error(query->command, "-n is \"%.64s\"; it must be a number from 1 to %d.",
			   text, MAX_COUNT);
}

enum { HEADER = 256, FILTER, LEVEL, SUBTYPE, JSON, FILE_NAME };

static int parse_option(struct query *query, int option, int argc, char **argv)
{
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
	case 's':
		query->side = optarg;
		break;
	case 'n':
		return parse_count(query, optarg);
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
	case JSON:
		query->listing.json = true;
		break;
	case FILTER:
		query->filter = optarg;
		break;
	case LEVEL:
		query->level = optarg;
		break;
	case SUBTYPE:
		query->subtype = optarg;
		break;
	case FILE_NAME:
		query->file = optarg;
		break;
	default:
		return unknown_option(query->command, argv);
	}
	return EXIT_DONE;
}

static int parse(struct query *query, int argc, char **argv)
{
	static const struct option options[] = {
		{ "header", no_argument, NULL, HEADER },
		{ "filter", required_argument, NULL, FILTER },
		{ "level", required_argument, NULL, LEVEL },
		{ "rsubtype", required_argument, NULL, SUBTYPE },
		{ "json", no_argument, NULL, JSON },
		{ "console", required_argument, NULL, FILE_NAME },
		{ }
	};
	int option, status = EXIT_DONE;

	opterr = 0;
	while (!status &&
	       (option = getopt_long(argc, argv, "+r:m:t:n:s:F::", options, NULL)) != -1)
		status = parse_option(query, option, argc, argv);
	if (!status && optind < argc)
		status = unexpected_argument(query->command, argv[optind]);
	return status;
}

static int find_system(struct query *query, const char *option, const char *name,
		       struct managed_system **system)
{
	if (!name)
		return EXIT_DONE;
	*system = console_find(&query->console, name);
	if (*system)
		return EXIT_DONE;
	console_no_system(&query->console, option, name);
	return EXIT_FAILED;
}

static int check_option(const struct query *query, const struct resource *resource,
			char letter, bool given)
{
	bool taken = strchr(resource->options, letter);

	/* In capitals: it must be given */
	if (strchr(resource->options, letter - 'a' + 'A'))
		return given ? EXIT_DONE :
			usage_error(query->command, "-%c is missing: the name of a system.",
				    letter);
	if (given && !taken)
		return usage_error(query->command, "-%c is not for -r %s.", letter,
				   resource->name);
	return EXIT_DONE;
}

/* Is all there that it needs, and nothing else? */
static int check(struct query *query, const struct resource *resource)
{
	int status = check_option(query, resource, 'm', query->system_name);

	if (!status)
		status = check_option(query, resource, 't', query->target_name);
	if (!status)
		status = check_option(query, resource, 'n', query->counted);
	if (!status)
		status = check_option(query, resource, 's', query->side);
	if (!status && query->filter)
		status = filters_parse(query, resource);
	return status ? status : listing_check(query->command, &query->listing, &resource->known);
}

static int list_resource(struct query *query, const struct resource *resource)
{
	int status = check(query, resource);

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
		listing_print(&query->listing, &resource->known, query->records);
	json_decref(query->records);
	console_close(&query->console);
	return status;
}

static bool same(const char *given, const char *wanted)
{
	return given && wanted ? !strcmp(given, wanted) : given == wanted;
}

static int no_resource(const struct query *query, const char *option, const char *given)
{
	if (!given)
		return usage_error(query->command, "%s is missing: what is to be listed.",
				   option);
	return usage_error(query->command, "%s is \"%.64s\", which is not listed by this command.",
			   option, given);
}

static int list(struct query *query, const struct resource *resources)
{
	bool named = false, typed = false;

	for (; resources->name; resources++) {
		if (!same(query->resource, resources->name))
			continue;
		named = true;
		if (!same(query->subtype, resources->subtype))
			continue;
		typed = true;
		if (same(query->level, resources->level))
			return list_resource(query, resources);
	}
	if (!named)
		return no_resource(query, "-r", query->resource);
	if (!typed)
		return no_resource(query, "--rsubtype", query->subtype);
	return no_resource(query, "--level", query->level);
}

/**
 * query_run() - run a list command
 * @command:	which
 * @argc: @argv:	its command line
 * @resources:	what it lists
 *
 * Return: an exit status.
 */
int query_run(const struct command *command, int argc, char **argv,
	      const struct resource *resources)
{
	struct query query = { .command = command, .count = 1 };
	int status = parse(&query, argc, argv);

	if (!status)
		status = list(&query, resources);
	json_decref(query.filters);
	return status;
}
