// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Parameters of JSON-RPC methods: the check against a table, and access.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/rpc.h"
#include "common/rpc_internal.h"
#include "common/util.h"

static const char *const type_names[] = {
	[RPC_STRING]	= "a string",
	[RPC_INTEGER]	= "an integer",
	[RPC_NUMBER]	= "a number",
	[RPC_BOOLEAN]	= "true or false",
	[RPC_OBJECT]	= "an object",
	[RPC_ARRAY]	= "an array",
	[RPC_STREAM_ID]	= "a string of 16 hexadecimal digits",
	[RPC_ANY]	= "a value",
};

static bool type_matches(enum rpc_type type, const json_t *value)
{
	switch (type) {
	case RPC_STRING:
	case RPC_STREAM_ID:
		return json_is_string(value);
	case RPC_INTEGER:
		return json_is_integer(value);
	case RPC_NUMBER:
		return json_is_number(value);
	case RPC_BOOLEAN:
		return json_is_boolean(value);
	case RPC_OBJECT:
		return json_is_object(value);
	case RPC_ARRAY:
		return json_is_array(value);
	case RPC_ANY:
		return true;
	}
	return false;
}

static const struct rpc_param *find_param(const struct rpc_param *table,
					  const char *name)
{
	for (; table && table->name; table++) {
		if (!strcmp(table->name, name))
			return table;
	}
	return NULL;
}

/* The bounds of @param, with the defaults of its type filled in */
static void param_bounds(const struct rpc_param *param, int64_t *low,
			 int64_t *high)
{
	*low = param->min;
	*high = param->max;
	if (*low || *high)
		return;
	switch (param->type) {
	case RPC_STRING:
		*low = 1;
		*high = RPC_MAX_STRING;
		break;
	default:
		*high = INT64_MAX;
	}
}

static int check_length(const char *where, const struct rpc_param *param,
			size_t length, const char *unit, struct rpc_error *err)
{
	int64_t low, high;

	param_bounds(param, &low, &high);
	if ((int64_t)length >= low && (int64_t)length <= high)
		return 0;
	snprintf(err->text, sizeof(err->text), "%s%s has %zu %s; allowed: %" PRId64
		 " to %" PRId64, where, param->name, length, unit, low, high);
	return -EINVAL;
}

static int check_string(const char *where, const struct rpc_param *param,
			const json_t *value, struct rpc_error *err)
{
	const char *text = json_string_value(value);
	size_t used;
	int ret;

	ret = check_length(where, param, json_string_length(value), "bytes", err);
	if (ret || !param->one_of)
		return ret;
	for (const char *const *choice = param->one_of; *choice; choice++) {
		if (!strcmp(*choice, text))
			return 0;
	}
	used = (size_t)snprintf(err->text, sizeof(err->text),
				"%s%s is \"%.64s\"; allowed:", where, param->name, text);
	for (const char *const *choice = param->one_of;
	     *choice && used < sizeof(err->text); choice++)
		used += (size_t)snprintf(err->text + used, sizeof(err->text) - used,
					 " \"%s\"", *choice);
	return -EINVAL;
}

static int check_number(const char *where, const struct rpc_param *param,
			const json_t *value, struct rpc_error *err)
{
	int64_t low, high;
	double real;

	param_bounds(param, &low, &high);
	if (json_is_integer(value)) {
		json_int_t integer = json_integer_value(value);

		if (integer >= low && integer <= high)
			return 0;
		snprintf(err->text, sizeof(err->text),
			 "%s%s is %" JSON_INTEGER_FORMAT "; allowed: %" PRId64
			 " to %" PRId64, where, param->name, integer, low, high);
		return -EINVAL;
	}
	real = json_real_value(value);
	if (real >= (double)low && real <= (double)high)
		return 0;
	snprintf(err->text, sizeof(err->text), "%s%s is %g; allowed: %" PRId64
		 " to %" PRId64, where, param->name, real, low, high);
	return -EINVAL;
}

static int check_stream_id(const char *where, const struct rpc_param *param,
			   const json_t *value, struct rpc_error *err)
{
	uint64_t id;

	if (!rpc_parse_stream_id(json_string_value(value), &id))
		return 0;
	snprintf(err->text, sizeof(err->text),
		 "%s%s is \"%.64s\"; it must be 16 hexadecimal digits", where,
		 param->name, json_string_value(value));
	return -EINVAL;
}

static int check_value(const char *where, const struct rpc_param *param,
		       const json_t *value, struct rpc_error *err);

static int check_array(const char *where, const struct rpc_param *param,
		       const json_t *value, struct rpc_error *err)
{
	size_t count = json_array_size(value);
	char inner[128];
	int ret;

	ret = check_length(where, param, count, "elements", err);
	for (size_t i = 0; param->element && !ret && i < count; i++) {
		snprintf(inner, sizeof(inner), "%s%s[%zu]", where, param->name, i);
		ret = check_value(inner, param->element, json_array_get(value, i), err);
	}
	return ret;
}

static int check_value(const char *where, const struct rpc_param *param,
		       const json_t *value, struct rpc_error *err)
{
	char inner[128];

	if (!type_matches(param->type, value)) {
		snprintf(err->text, sizeof(err->text), "%s%s must be %s", where,
			 param->name, type_names[param->type]);
		return -EINVAL;
	}
	switch (param->type) {
	case RPC_STRING:
		return check_string(where, param, value, err);
	case RPC_STREAM_ID:
		return check_stream_id(where, param, value, err);
	case RPC_INTEGER:
	case RPC_NUMBER:
		return check_number(where, param, value, err);
	case RPC_ARRAY:
		return check_array(where, param, value, err);
	case RPC_OBJECT:
		if (!param->fields)
			return 0;
		snprintf(inner, sizeof(inner), "%s%s.", where, param->name);
		return rpc_check_table(inner, value, param->fields, err);
	case RPC_BOOLEAN:
	case RPC_ANY:
		return 0;
	}
	return -EINVAL;
}

/*
 * Check the members of @object; @where stands before a name in messages: ""
 * or the object's own name and a dot.  Returns 0, or -EINVAL with err->text.
 */
int rpc_check_table(const char *where, const json_t *object,
		    const struct rpc_param *table, struct rpc_error *err)
{
	const char *name;
	json_t *value;
	int ret;

	/* Jansson's iterator takes no const, and changes nothing */
	json_object_foreach((json_t *)object, name, value) {
		const struct rpc_param *param = find_param(table, name);

		if (!param) {
			snprintf(err->text, sizeof(err->text),
				 "unknown parameter %s%.64s", where, name);
			return -EINVAL;
		}
		ret = check_value(where, param, value, err);
		if (ret)
			return ret;
	}
	for (; table && table->name; table++) {
		if (table->required && !json_object_get(object, table->name)) {
			snprintf(err->text, sizeof(err->text),
				 "parameter %s%s is missing", where, table->name);
			return -EINVAL;
		}
	}
	return 0;
}

/**
 * rpc_has() - whether a parameter was given
 * @params:	checked parameters
 * @name:	its name
 */
bool rpc_has(const json_t *params, const char *name)
{
	return json_object_get(params, name);
}

/**
 * rpc_get_string() - a string parameter
 * @params:	checked parameters
 * @name:	its name
 * @fallback:	for one that was not given
 *
 * Return: the string, valid as long as @params, or @fallback.
 */
const char *rpc_get_string(const json_t *params, const char *name,
			   const char *fallback)
{
	const json_t *value = json_object_get(params, name);

	return json_is_string(value) ? json_string_value(value) : fallback;
}

/**
 * rpc_get_u64() - an integer parameter that cannot be negative
 * @params:	checked parameters
 * @name:	its name
 * @fallback:	for one that was not given
 *
 * Return: the value, or @fallback.
 */
uint64_t rpc_get_u64(const json_t *params, const char *name, uint64_t fallback)
{
	const json_t *value = json_object_get(params, name);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value) : fallback;
}

/**
 * rpc_get_number() - a parameter that is an integer or a real
 * @params:	checked parameters
 * @name:	its name
 * @fallback:	for one that was not given
 *
 * Return: the value, or @fallback.
 */
double rpc_get_number(const json_t *params, const char *name, double fallback)
{
	const json_t *value = json_object_get(params, name);

	return json_is_number(value) ? json_number_value(value) : fallback;
}

/**
 * rpc_get_bool() - a boolean parameter
 * @params:	checked parameters
 * @name:	its name
 * @fallback:	for one that was not given
 *
 * Return: the value, or @fallback.
 */
bool rpc_get_bool(const json_t *params, const char *name, bool fallback)
{
	const json_t *value = json_object_get(params, name);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/**
 * rpc_get_stream_id() - a stream id parameter
 * @params:	checked parameters
 * @name:	its name
 *
 * Return: the stream id, or 0 (never a valid one) if it was not given.
 */
uint64_t rpc_get_stream_id(const json_t *params, const char *name)
{
	const char *text = rpc_get_string(params, name, "");
	uint64_t id;

	return rpc_parse_stream_id(text, &id) ? 0 : id;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/**
 * rpc_parse_stream_id() - read a stream id
 * @text:	16 hexadecimal digits, "0x" in front allowed
 * @id:		set on success
 *
 * Return: 0, or -EINVAL.
 */
int rpc_parse_stream_id(const char *text, uint64_t *id)
{
	uint64_t value = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (strlen(text) != RPC_STREAM_ID_BYTES - 1)
		return -EINVAL;
	for (; *text; text++) {
		int digit = hex_digit(*text);

		if (digit < 0)
			return -EINVAL;
		value = value << 4 | (unsigned int)digit;
	}
	*id = value;
	return 0;
}

/**
 * rpc_format_stream_id() - write a stream id as 16 hexadecimal digits
 * @id:		the stream id
 * @text:	takes the digits and the final zero
 *
 * Return: @text.
 */
char *rpc_format_stream_id(uint64_t id, char text[RPC_STREAM_ID_BYTES])
{
	snprintf(text, RPC_STREAM_ID_BYTES, "%016" PRIx64, id);
	return text;
}

/**
 * rpc_json_stream_id() - a stream id for an answer
 * @id:		the stream id
 *
 * Return: a new JSON string, or NULL.
 */
json_t *rpc_json_stream_id(uint64_t id)
{
	char text[RPC_STREAM_ID_BYTES];

	return json_string(rpc_format_stream_id(id, text));
}

/**
 * rpc_json_u64() - a number for an answer
 * @value:	beyond INT64_MAX it is cut to that
 *
 * Return: a new JSON integer, or NULL.
 */
json_t *rpc_json_u64(uint64_t value)
{
	return json_integer((json_int_t)min(value, (uint64_t)INT64_MAX));
}
