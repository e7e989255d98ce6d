// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "common/notice.h"
#include "common/show.h"
#include "common/util.h"

#define CLEAN_BYTES	1024

/* A string of an answer as it may reach a terminal; NULL: as it is, or no string */
static json_t *clean_string(const json_t *string)
{
	const char *text = json_string_value(string);
	char clean[CLEAN_BYTES];
	size_t i;

	if (!text || !has_control(text))
		return NULL;
	for (i = 0; i < sizeof(clean) - 1 && text[i]; i++)
		clean[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	clean[i] = '\0';
	return json_string(clean);
}

/**
 * show_clean() - take out of an answer what would steer a terminal
 * @value: any; changed, if it is an object or an array.  It is as deep as an answer
 *	may be, at most
 *
 * Whoever answered: what a command prints of it are lines of text.
 */
void show_clean(json_t *value)
{
	json_t *member, *clean;
	const char *name;
	void *next;
	size_t i;

	json_array_foreach(value, i, member) {
		show_clean(member);
		clean = clean_string(member);
		if (clean)
			json_array_set_new(value, i, clean);
	}
	json_object_foreach_safe(value, next, name, member) {
		if (has_control(name)) {
			json_object_del(value, name);
			continue;
		}
		show_clean(member);
		clean = clean_string(member);
		if (clean)
			json_object_set_new(value, name, clean);
	}
}

/**
 * show_json() - print a value as JSON, for scripts
 * @value: any
 */
void show_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
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
