// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Members of a description in JSON.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "phyp/phypd/member.h"

/**
 * member_fail() - say what is wrong
 * @err:	takes the text
 * @fmt:	names the member
 *
 * Return: -EINVAL.
 */
int member_fail(struct rpc_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	err->code = RPC_INVALID_PARAMS;
	return -EINVAL;
}

/**
 * members_default() - add the members that are not there
 * @object:	to be completed
 * @table:	their values
 * @err:	takes the text
 */
int members_default(json_t *object, const struct member_default *table,
		    struct rpc_error *err)
{
	for (; table->name; table++) {
		if (json_object_get(object, table->name))
			continue;
		if (json_object_set_new(object, table->name,
					json_loads(table->json, JSON_DECODE_ANY, NULL)))
			return member_fail(err, "out of memory");
	}
	return 0;
}

/**
 * members_of_type() - has an object the members of its type, and no others?
 * @where:	stands before a name
 * @object:	whose members are of the right kind
 * @table:	which types have which
 * @type:	bit of the object's
 * @type_name:	in words
 * @err:	takes the text
 */
int members_of_type(const char *where, const json_t *object,
		    const struct member_of_type *table, unsigned int type,
		    const char *type_name, struct rpc_error *err)
{
	for (; table->name; table++) {
		bool there = json_object_get(object, table->name);

		if (there && !(table->allowed & type))
			return member_fail(err, "%s%s: a \"%s\" has none", where, table->name,
					   type_name);
		if (!there && table->required & type)
			return member_fail(err, "%s%s is missing: a \"%s\" has one", where,
					   table->name, type_name);
	}
	return 0;
}

/* What two of them may not share, as text */
static const char *key_of(const json_t *value, char text[24])
{
	if (json_is_string(value))
		return json_string_value(value);
	snprintf(text, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return text;
}

/**
 * members_unique() - has each object of an array a value of its own?
 * @where:	stands before the name of the array
 * @object:	that has the array, or does not
 * @array:	its name; of objects, or of strings or numbers
 * @name:	of the member, a string or a number; NULL: the elements themselves
 * @err:	takes the text
 */
int members_unique(const char *where, const json_t *object, const char *array,
		   const char *name, struct rpc_error *err)
{
	json_t *seen = json_object();
	const json_t *element;
	char text[24];
	int ret = 0;
	size_t i;

	json_array_foreach(json_object_get(object, array), i, element) {
		const json_t *value = name ? json_object_get(element, name) : element;
		const char *key = key_of(value, text);

		if (json_object_get(seen, key))
			ret = member_fail(err, "%s%s[%zu]%s%s: %.64s is there twice", where,
					  array, i, name ? "." : "", name ? name : "", key);
		else if (json_object_set_new(seen, key, json_true()))
			ret = member_fail(err, "out of memory");
		if (ret)
			break;
	}
	json_decref(seen);
	return ret;
}

static int text_clean(const char *where, const char *text, struct rpc_error *err)
{
	for (; *text; text++)
		if (!isascii((unsigned char)*text) || !isprint((unsigned char)*text))
			return member_fail(err, "%s: only printable ASCII characters", where);
	return 0;
}

/**
 * members_clean() - are all texts in a value printable?
 * @where:	its name
 * @value:	with at most RPC_MAX_DEPTH levels, and members of known names only
 * @err:	takes the text
 */
int members_clean(const char *where, const json_t *value, struct rpc_error *err)
{
	const json_t *element;
	const char *name;
	char inner[128];
	int ret = 0;
	size_t i;

	if (json_is_string(value))
		return text_clean(where, json_string_value(value), err);
	json_array_foreach(value, i, element) {
		snprintf(inner, sizeof(inner), "%s[%zu]", where, i);
		ret = members_clean(inner, element, err);
		if (ret)
			return ret;
	}
	/* Jansson's iterator takes no const, and changes nothing */
	json_object_foreach((json_t *)value, name, element) {
		snprintf(inner, sizeof(inner), "%s%s%s", where, *where ? "." : "", name);
		ret = members_clean(inner, element, err);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * member_hex() - has a member hexadecimal digits only?
 * @where:	stands before its name
 * @object:	with the member, a string, or without it
 * @name:	of the member
 * @err:	takes the text
 */
int member_hex(const char *where, const json_t *object, const char *name,
	       struct rpc_error *err)
{
	const char *text = rpc_get_string(object, name, "");

	if (text[strspn(text, "0123456789abcdefABCDEF")])
		return member_fail(err, "%s%s is \"%.64s\": only hexadecimal digits", where,
				   name, text);
	return 0;
}

/**
 * members_each() - check each object of an array
 * @where:	stands before the name of the array
 * @object:	that has the array, or does not
 * @array:	its name
 * @context:	for @check
 * @check:	gets what stands before the names of the element's members
 * @err:	takes the text
 */
int members_each(const char *where, const json_t *object, const char *array,
		 const json_t *context,
		 int (*check)(const char *where, const json_t *context, json_t *object,
			      struct rpc_error *err), struct rpc_error *err)
{
	char inner[128];
	json_t *element;
	int ret = 0;
	size_t i;

	json_array_foreach(json_object_get(object, array), i, element) {
		if (snprintf(inner, sizeof(inner), "%s%s[%zu].", where, array, i) >=
		    (int)sizeof(inner))
			return member_fail(err, "%s%s: too deep", where, array);
		ret = check(inner, context, element, err);
		if (ret)
			break;
	}
	return ret;
}

/**
 * member_named() - the object of an array that has a name
 * @array:	of objects
 * @name:	value of its member "name"
 *
 * Return: the object, of which no reference is taken, or NULL.
 */
json_t *member_named(const json_t *array, const char *name)
{
	json_t *element;
	size_t i;

	json_array_foreach(array, i, element)
		if (!strcmp(rpc_get_string(element, "name", ""), name))
			return element;
	return NULL;
}

/**
 * member_numbered() - the object of an array that has a number
 * @array:	of objects
 * @member:	that has it
 * @number:	to look for
 *
 * Return: the object, of which no reference is taken, or NULL.
 */
json_t *member_numbered(const json_t *array, const char *member, uint64_t number)
{
	json_t *element;
	size_t i;

	json_array_foreach(array, i, element)
		if (rpc_get_u64(element, member, UINT64_MAX) == number)
			return element;
	return NULL;
}
