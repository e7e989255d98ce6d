// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records that are listed: their members are strings, as the HMC writes them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hmc/output.h"

void set_text(json_t *record, const char *name, const char *value)
{
	json_object_set_new(record, name, json_string(value));
}

void set_number(json_t *record, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	set_text(record, name, text);
}

void set_flag(json_t *record, const char *name, bool value)
{
	set_text(record, name, value ? "1" : "0");
}

/**
 * set_units() - set a number of processors
 * @record:	the record
 * @name:	of the attribute
 * @value:	hundredths count; there is at least one decimal: 2.0, 0.5, 1.25
 */
void set_units(json_t *record, const char *name, double value)
{
	char text[32];
	size_t length;

	snprintf(text, sizeof(text), "%.2f", value);
	length = strlen(text);
	if (text[length - 1] == '0')
		text[length - 1] = '\0';
	set_text(record, name, text);
}

/**
 * set_time() - set a moment, in this machine's time
 * @record:	the record
 * @name:	of the attribute
 * @seconds:	since 1970; 0: it is not set
 */
void set_time(json_t *record, const char *name, int64_t seconds)
{
	const time_t when = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (seconds && localtime_r(&when, &tm) &&
	    strftime(text, sizeof(text), "%m/%d/%Y %H:%M:%S", &tm))
		set_text(record, name, text);
}

static void print_item(FILE *file, const json_t *item)
{
	if (json_is_string(item))
		fputs(json_string_value(item), file);
	else if (json_is_integer(item))
		fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(item));
}

/**
 * set_list() - set a value of several
 * @record:	the record
 * @name:	of the attribute
 * @array:	strings and numbers, which are joined by commas
 * @nothing:	what the HMC has for none of them
 */
void set_list(json_t *record, const char *name, const json_t *array, const char *nothing)
{
	char *text = NULL;
	size_t length, i;
	json_t *item;
	FILE *file;

	if (!json_array_size(array)) {
		set_text(record, name, nothing);
		return;
	}
	file = open_memstream(&text, &length);
	if (!file)
		return;
	json_array_foreach(array, i, item) {
		if (i)
			fputc(',', file);
		print_item(file, item);
	}
	if (!fclose(file))
		set_text(record, name, text);
	free(text);
}

/**
 * set_member() - set what an answer has under a name
 * @record:	the record
 * @name:	of the attribute
 * @source:	the answer
 * @member:	of it; without it nothing is set
 */
void set_member(json_t *record, const char *name, const json_t *source, const char *member)
{
	const json_t *value = json_object_get(source, member);

	if (json_is_string(value))
		set_text(record, name, json_string_value(value));
	else if (json_is_integer(value))
		set_number(record, name, json_integer_value(value));
	else if (json_is_real(value))
		set_units(record, name, json_real_value(value));
	else if (json_is_boolean(value))
		set_flag(record, name, json_is_true(value));
	else if (json_is_array(value))
		set_list(record, name, value, "");
}

/**
 * set_members() - set what an answer has under the attributes' own names
 * @record:	the record
 * @source:	the answer
 * @names:	NULL behind the last
 */
void set_members(json_t *record, const json_t *source, const char *const *names)
{
	for (; *names; names++)
		set_member(record, *names, source, *names);
}
