// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Output by the HMC's rules: a line for each object, attr=value joined by
 * commas, or with -F values only.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hmc/console.h"

/* The next name of a list separated by commas; NULL at its end */
static const char *next_field(const char **list, size_t *length)
{
	const char *field = *list;

	if (!field)
		return NULL;
	*length = strcspn(field, ",");
	*list = field[*length] ? field + *length + 1 : NULL;
	return field;
}

static const char *known_field(const char *const *known, const char *name, size_t length)
{
	for (; *known; known++)
		if (strlen(*known) == length && !strncmp(*known, name, length))
			return *known;
	return NULL;
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
		  const char *const *known)
{
	const char *list = listing->fields;
	const char *field;
	size_t length;

	if (listing->header && !listing->values)
		return usage_error(command, "--header is given without -F: it is only for -F.");
	while ((field = next_field(&list, &length)))
		if (!known_field(known, field, length))
			return usage_error(command,
					   "-F names the attribute \"%.*s\", which is not listed here. The manual page names those that are.",
					   length > 64 ? 64 : (int)length, field);
	return 0;
}

/* With a comma or a quote in it, it is put in quotes, and its quotes doubled */
static void print_value(const char *name, const char *value)
{
	bool quote = strpbrk(value, ",\"");

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

static void print_values(const char *fields, const char *const *known,
			 const json_t *record)
{
	const char *separator = "", *field, *name;
	size_t length;

	while ((field = next_field(&fields, &length))) {
		name = known_field(known, field, length);
		fputs(separator, stdout);
		print_value(NULL, record ? text_of(record, name) : name);
		separator = ",";
	}
	putchar('\n');
}

static void print_all_values(const char *const *known, const json_t *record)
{
	for (size_t i = 0; known[i]; i++) {
		if (i)
			putchar(',');
		print_value(NULL, record ? text_of(record, known[i]) : known[i]);
	}
	putchar('\n');
}

/* An attribute that an object does not have is left out */
static void print_attributes(const char *const *known, const json_t *record)
{
	const char *separator = "";

	for (; *known; known++) {
		if (!json_object_get(record, *known))
			continue;
		fputs(separator, stdout);
		print_value(*known, text_of(record, *known));
		separator = ",";
	}
	putchar('\n');
}

static void print_record(const struct listing *listing, const char *const *known,
			 const json_t *record)
{
	if (!listing->values)
		print_attributes(known, record);
	else if (listing->fields)
		print_values(listing->fields, known, record);
	else
		print_all_values(known, record);
}

/**
 * listing_print() - print objects
 * @listing:	how; checked
 * @known:	fields, in the order of output
 * @records:	array of objects whose members are strings
 */
void listing_print(const struct listing *listing, const char *const *known,
		   const json_t *records)
{
	json_t *record;
	size_t i;

	if (!json_array_size(records)) {
		puts("No results were found.");
		return;
	}
	if (listing->header)
		print_record(listing, known, NULL);
	json_array_foreach(records, i, record)
		print_record(listing, known, record);
}
