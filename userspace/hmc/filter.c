// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --filter: what of a list is wanted.
 *
 * As on the HMC: "lpar_names=a,b" or "profile_names=x,lpar_ids=3"; a filter with several
 * values stands in double quotes of its own where another one follows, as a pair of -i
 * does.  Without them a word that is no filter is one more value of the one before it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/notice.h"
#include "hmc/attributes.h"
#include "hmc/query.h"

const char *const filters_of_partitions[] = { "lpar_names", "lpar_ids", NULL };

static bool is_filter(const struct resource *resource, const char *name)
{
	for (const char *const *filter = resource->filters; *filter; filter++)
		if (!strcmp(*filter, name))
			return true;
	return false;
}

/* Those that name a partition or a number are checked before anything is asked */
static int check_value(const struct query *query, const char *filter, const char *value)
{
	char *end;
	unsigned long id = strtoul(value, &end, 10);

	if (!strcmp(filter, "lpar_names") && !name_is_valid(value))
		return usage_error(query->command,
				   "--filter names the partition \"%.64s\"; a name has 1 to 31 printable characters.",
				   value);
	if (!strcmp(filter, "lpar_ids") &&
	    (*value < '0' || *value > '9' || *end || id < 1 || id > 65535))
		return usage_error(query->command,
				   "--filter names the partition id \"%.64s\"; an id is a number from 1 to 65535.",
				   value);
	if (!*value)
		return usage_error(query->command, "--filter has %s without a value.", filter);
	return EXIT_DONE;
}

static size_t count_values(const json_t *filters)
{
	const char *name;
	size_t count = 0;
	json_t *values;

	json_object_foreach((json_t *)filters, name, values)
		count += json_array_size(values);
	return count;
}

static int add_values(struct query *query, const char *filter, char *list)
{
	json_t *values = json_object_get(query->filters, filter);
	int status = EXIT_DONE;
	char *value;

	while (!status && (value = strsep(&list, ","))) {
		if (count_values(query->filters) == FILTER_VALUES)
			return usage_error(query->command, "--filter has more than %d values.",
					   FILTER_VALUES);
		status = check_value(query, filter, value);
		if (!status)
			json_array_append_new(values, json_string(value));
	}
	return status;
}

static int no_filter(const struct query *query, const struct resource *resource,
		     const char *text)
{
	char names[160] = "";
	size_t used = 0;

	for (const char *const *filter = resource->filters; *filter; filter++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s=...",
					 used ? ", " : "", *filter);
	return usage_error(query->command, "--filter is \"%.64s\"; there is %s", text, names);
}

/* @filter is the one before, and then the one that it was */
static int add_pair(struct query *query, const struct resource *resource, char *pair,
		    char *filter, size_t size)
{
	char *equals = strchr(pair, '=');

	if (!equals && *filter)
		return add_values(query, filter, pair);
	if (equals)
		*equals++ = '\0';
	if (!equals || !is_filter(resource, pair))
		return no_filter(query, resource, pair);
	if (json_object_get(query->filters, pair))
		return usage_error(query->command, "--filter has %s twice.", pair);
	snprintf(filter, size, "%s", pair);
	json_object_set_new(query->filters, filter, json_array());
	return add_values(query, filter, equals);
}

static int parse_pairs(struct query *query, const struct resource *resource, char *pair)
{
	char why[ATTRIBUTES_WHY] = "", filter[32] = "";
	const char *rest = query->filter;
	int more, status = EXIT_DONE;

	if (text_problem(rest, ATTRIBUTES_BYTES, why, sizeof(why)))
		return usage_error(query->command, "--filter cannot be read: %s.", why);
	while (!status && (more = attributes_next(&rest, pair, why)) > 0)
		status = add_pair(query, resource, pair, filter, sizeof(filter));
	if (!status && more < 0)
		return usage_error(query->command, "--filter cannot be read: %s.", why);
	if (!status && !json_object_size(query->filters))
		return usage_error(query->command, "--filter is empty.");
	return status;
}

/**
 * filters_parse() - take --filter apart
 * @query:	the query
 * @resource:	says which filters there are
 *
 * Return: an exit status; the user has been told.
 */
int filters_parse(struct query *query, const struct resource *resource)
{
	char *pair;
	int status;

	if (!resource->filters)
		return usage_error(query->command, "--filter is not for -r %s.", resource->name);
	pair = malloc(strlen(query->filter) + 1);
	query->filters = json_object();
	status = pair ? parse_pairs(query, resource, pair) : EXIT_FAILED;
	free(pair);
	return status;
}

/**
 * query_selects() - does a filter let this through?
 * @query:	the query
 * @filter:	its name; one that was not given lets everything through
 * @value:	what it looks at
 */
bool query_selects(const struct query *query, const char *filter, const char *value)
{
	json_t *values = json_object_get(query->filters, filter), *wanted;
	size_t i;

	json_array_foreach(values, i, wanted)
		if (!strcmp(json_string_value(wanted), value))
			return true;
	return !values;
}

bool query_selects_number(const struct query *query, const char *filter, int64_t value)
{
	json_t *values = json_object_get(query->filters, filter), *wanted;
	size_t i;

	json_array_foreach(values, i, wanted)
		if (strtoll(json_string_value(wanted), NULL, 10) == value)
			return true;
	return !values;
}

/**
 * query_selects_partition() - is this partition wanted?
 * @query:	the query
 * @name: @id:	of the partition
 */
bool query_selects_partition(const struct query *query, const char *name, int64_t id)
{
	return query_selects(query, "lpar_names", name) &&
	       query_selects_number(query, "lpar_ids", id);
}
