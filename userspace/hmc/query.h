/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list commands: a command line, what there is to list, and what it is made from.
 */
#ifndef _HMC_QUERY_H
#define _HMC_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "hmc/console.h"
#include "hmc/output.h"

#define FILTER_VALUES		256		/* of all of a command's filters */
#define MAX_COUNT		100		/* of -n */

struct resource;

/**
 * struct query - the command line of a list command
 * @command:	which command
 * @resource:	-r
 * @subtype:	--rsubtype
 * @level:	--level
 * @system_name: -m
 * @target_name: -t
 * @side:	-s
 * @count:	-n, or 1
 * @counted:	-n was given
 * @file:	--console
 * @filter:	--filter, as it was given
 * @filters:	object: of each filter an array of the values that it lets through
 * @listing:	-F, --header, --json
 * @console:	open while the command works
 * @system:	of -m, or NULL
 * @target:	of -t, or NULL
 * @records:	what is to be printed
 */
struct query {
	const struct command *command;
	const char *resource;
	const char *subtype;
	const char *level;
	const char *system_name;
	const char *target_name;
	const char *side;
	uint32_t count;
	bool counted;
	const char *file;
	const char *filter;
	json_t *filters;
	struct listing listing;
	struct console console;
	struct managed_system *system;
	struct managed_system *target;
	json_t *records;
};

/**
 * struct resource - what a command lists
 * @name:	for -r
 * @subtype:	for --rsubtype; NULL: there is none
 * @level:	for --level; NULL: there is none
 * @options:	of -m, -t, -n and -s those that it takes; those in capitals must be given
 * @filters:	names for --filter, NULL behind the last; NULL: none
 * @known:	its attributes
 * @collect:	adds records; returns an exit status, and has told the user of a failure
 */
struct resource {
	const char *name;
	const char *subtype;
	const char *level;
	const char *options;
	const char *const *filters;
	struct attributes known;
	int (*collect)(struct query *query);
};

int query_run(const struct command *command, int argc, char **argv,
	      const struct resource *resources);
json_t *query_ask(struct query *query, const char *method, const char *what);
json_t *query_record(struct query *query);
json_t *query_partition_record(struct query *query, const json_t *partition);
int query_partitions(struct query *query,
		     void (*add)(struct query *query, const json_t *partition));
bool query_selects(const struct query *query, const char *filter, const char *value);
bool query_selects_number(const struct query *query, const char *filter, int64_t value);
bool query_selects_partition(const struct query *query, const char *name, int64_t id);

int filters_parse(struct query *query, const struct resource *resource);

/* lpar_names and lpar_ids */
extern const char *const filters_of_partitions[];

/* What several of them have in --help */
#define LIST_OPTIONS							\
"  -F [FIELDS]       values only, in this order; without FIELDS all of them\n"	\
"  --header          with -F: a line of field names first\n"			\
"  --json            an array of objects instead\n"				\
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n" \
"  --help, --version\n"								\
"Exit status: 0, 1 it could not be listed, 2 wrong usage or console file.\n"

#endif /* _HMC_QUERY_H */
