// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <string.h>
#include "common/show.h"
#include "common/util.h"

/**
 * show_json() - print a value as JSON, for scripts
 * @value: any
 */
void show_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

/**
 * show_value() - print a value for people
 * @value: any; a string goes without quotes
 */
void show_value(const json_t *value)
{
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else if (json_is_array(value) && !json_array_size(value))
		fputs("none", stdout);
	else
		json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
}

/**
 * show_object() - print an object for people, one member a line
 * @object: an object
 */
void show_object(const json_t *object)
{
	const char *name;
	json_t *value;
	int width = 0;

	json_object_foreach((json_t *)object, name, value)
		width = max(width, (int)strlen(name));
	json_object_foreach((json_t *)object, name, value) {
		printf("%-*s  ", width, name);
		show_value(value);
		putchar('\n');
	}
}

/**
 * show_text() - a member that is a string
 * @object: an object
 * @name: of the member
 *
 * Return: the string, which lives as long as the object; "" if there is none.
 */
const char *show_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/**
 * show_number() - a member that is an integer
 * @object: an object
 * @name: of the member
 *
 * Return: the number; 0 if there is none.
 */
long long show_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}
