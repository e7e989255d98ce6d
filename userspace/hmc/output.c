// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output by the HMC's rules: a line for each object, attr=value joined by
 * commas, or with -F values only.  With --json the same as an array of objects.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hmc/output.h"

/* The next name of a list; NULL at its end.  HMC clients separate by colons, too */
static const char *next_field(const char **list, size_t *length)
{
	const char *field = *list;

	if (!field)
		return NULL;
	*length = strcspn(field, ",:");
	*list = field[*length] ? field + *length + 1 : NULL;
	return field;
}

/* What stands between values is what stood between the names */
static char separator_of(const char *fields)
{
	const char *first = fields ? strpbrk(fields, ",:") : NULL;

	return first ? *first : ',';
}

static const char *find_field(const char *const *names, const char *name, size_t length)
{
	for (; names && *names; names++)
		if (strlen(*names) == length && !strncmp(*names, name, length))
			return *names;
	return NULL;
}

static const char *known_field(const struct attributes *known, const char *name, size_t length)
{
	const char *field = find_field(known->fields, name, length);

	return field ? field : find_field(known->more, name, length);
}

/**
 * listing_check() - are these fields of what is listed?
 * @command:	for the message
 * @listing:	what the user wants
 * @known:	fields that there are
 *
 * Return: 0 or EXIT_USAGE; the user has been told.
 */
int listing_check(const struct command *command, const struct listing *listing,
		  const struct attributes *known)
{
	const char *list = listing->fields;
	const char *field;
	size_t length;

	if (listing->header && !listing->values)
		return usage_error(command, "--header is given without -F: it is only for -F.");
	if (listing->header && listing->json)
		return usage_error(command,
				   "--header is given with --json, whose objects have the names in them.");
	while ((field = next_field(&list, &length)))
		if (!known_field(known, field, length))
			return usage_error(command,
					   "-F names the attribute \"%.*s\", which is not listed here. The manual page names those that are.",
					   length > 64 ? 64 : (int)length, field);
	return 0;
}

/* With a separator or a quote in it, it is put in quotes, and its quotes doubled */
static void print_value(const char *name, const char *value, char separator)
{
	const char special[] = { ',', '"', separator, '\0' };
	bool quote = strpbrk(value, special);

	if (quote)
		putchar('"');
	if (name)
		printf("%s=", name);
	for (; *value; value++) {
		if (*value == '"')
			putchar('"');
		/* Whatever a system answers, the terminal is not its */
		putchar(isprint((unsigned char)*value) ? *value : '?');
	}
	if (quote)
		putchar('"');
}

/*
 * A record's value; "null", as on the HMC, where it has none, so that scripts find the
 * next one in its place.  Without a record the name itself, for --header.
 */
static void print_field(const char *name, const json_t *record, char separator, bool first)
{
	const char *value = name;

	if (record)
		value = json_object_get(record, name) ? text_of(record, name) : "null";
	if (!first)
		putchar(separator);
	print_value(NULL, value, separator);
}

static void print_values(const char *fields, const struct attributes *known,
			 const json_t *record)
{
	char separator = separator_of(fields);
	bool first = true;
	const char *field;
	size_t length;

	while ((field = next_field(&fields, &length))) {
		print_field(known_field(known, field, length), record, separator, first);
		first = false;
	}
	putchar('\n');
}

static bool any_has(const json_t *records, const char *name)
{
	json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
		if (json_object_get(record, name))
			return true;
	return false;
}

/* -F without names: all that at least one of them has, so that columns are columns */
static void print_all_values(const char *const *fields, const json_t *records,
			     const json_t *record)
{
	bool first = true;

	for (; *fields; fields++) {
		if (!any_has(records, *fields))
			continue;
		print_field(*fields, record, ',', first);
		first = false;
	}
	putchar('\n');
}

/* An attribute that an object does not have is left out */
static void print_attributes(const char *const *fields, const json_t *record)
{
	const char *separator = "";

	for (; *fields; fields++) {
		if (!json_object_get(record, *fields))
			continue;
		fputs(separator, stdout);
		print_value(*fields, text_of(record, *fields), ',');
		separator = ",";
	}
	putchar('\n');
}

static void print_record(const struct listing *listing, const struct attributes *known,
			 const json_t *records, const json_t *record)
{
	if (!listing->values)
		print_attributes(known->fields, record);
	else if (listing->fields)
		print_values(listing->fields, known, record);
	else
		print_all_values(known->fields, records, record);
}

/* What of a record is wanted, in the order in which it is */
static json_t *wanted(const struct listing *listing, const struct attributes *known,
		      const json_t *record)
{
	const char *list = listing->fields, *field;
	json_t *object = json_object();
	size_t length;

	for (const char *const *name = known->fields; !list && *name; name++)
		json_object_set(object, *name, json_object_get(record, *name));
	while ((field = next_field(&list, &length))) {
		field = known_field(known, field, length);
		json_object_set(object, field, json_object_get(record, field));
	}
	return object;
}

static void print_json(const struct listing *listing, const struct attributes *known,
		       const json_t *records)
{
	json_t *array = json_array(), *record;
	size_t i;

	json_array_foreach(records, i, record)
		json_array_append_new(array, wanted(listing, known, record));
	/* No byte of a terminal's is left as it is */
	json_dumpf(array, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(array);
}

/**
 * listing_print() - print objects
 * @listing:	how; checked
 * @known:	fields, in the order of output
 * @records:	array of objects whose members are strings
 */
void listing_print(const struct listing *listing, const struct attributes *known,
		   const json_t *records)
{
	json_t *record;
	size_t i;

	if (listing->json) {
		print_json(listing, known, records);
		return;
	}
	if (!json_array_size(records)) {
		puts("No results were found.");
		return;
	}
	if (listing->header)
		print_record(listing, known, records, NULL);
	json_array_foreach(records, i, record)
		print_record(listing, known, records, record);
}
