// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The description of a managed system: loaded, and looked up.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phyp/phypd/inventory.h"

/* All of a file, if it is no longer than it may be */
static char *read_file(const char *path, size_t *length, struct rpc_error *err)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;

	if (!file) {
		member_fail(err, "%s", strerror(errno));
		return NULL;
	}
	text = malloc(INVENTORY_MAX_FILE + 1);
	if (!text) {
		member_fail(err, "out of memory");
		goto out;
	}
	*length = fread(text, 1, INVENTORY_MAX_FILE + 1, file);
	if (!ferror(file) && *length <= INVENTORY_MAX_FILE)
		goto out;
	if (ferror(file))
		member_fail(err, "%s", strerror(errno));
	else
		member_fail(err, "longer than %u bytes", INVENTORY_MAX_FILE);
	free(text);
	text = NULL;
out:
	fclose(file);
	return text;
}

static json_t *parse_file(const char *path, struct rpc_error *err)
{
	json_error_t where;
	json_t *value;
	size_t length;
	char *text;

	text = read_file(path, &length, err);
	if (!text)
		return NULL;
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	free(text);
	if (!value)
		member_fail(err, "line %d, column %d: %.200s", where.line, where.column,
			    where.text);
	return value;
}

/**
 * inventory_load() - read the description of a system
 * @path:	of the file
 * @inventory:	on success
 * @err:	its text says what is wrong, and with which member
 *
 * Return: 0 or -EINVAL.
 */
int inventory_load(const char *path, struct inventory **inventory, struct rpc_error *err)
{
	json_t *description = parse_file(path, err);
	int ret;

	if (!description)
		return -EINVAL;
	ret = inventory_new(description, inventory, err);
	json_decref(description);
	return ret;
}

static int take_apart(struct inventory *inventory, json_t *copy, struct rpc_error *err)
{
	size_t bytes;

	inventory->partitions = json_incref(json_object_get(copy, "partitions"));
	json_object_del(copy, "partitions");
	inventory->system = json_incref(copy);
	bytes = json_dumpb(copy, NULL, 0, JSON_COMPACT);
	if (bytes > INVENTORY_MAX_BYTES)
		return member_fail(err, "vioses: without partitions it is %zu bytes of JSON; allowed: %u",
				   bytes, INVENTORY_MAX_BYTES);
	return 0;
}

/**
 * inventory_new() - a description, if it is one
 * @description: as a file has it
 * @inventory:	on success
 * @err:	its text says what is wrong, and with which member
 *
 * Return: 0 or -EINVAL.
 */
int inventory_new(const json_t *description, struct inventory **inventory,
		  struct rpc_error *err)
{
	struct inventory *new = calloc(1, sizeof(*new));
	json_t *copy = json_deep_copy(description);
	int ret;

	if (!new || !copy) {
		ret = member_fail(err, "out of memory");
		goto out;
	}
	ret = inventory_check(copy, err);
	if (!ret)
		ret = take_apart(new, copy, err);
	if (!ret) {
		*inventory = new;
		new = NULL;
	}
out:
	inventory_free(new);
	json_decref(copy);
	return ret;
}

/**
 * inventory_free() - forget what a system has
 * @inventory:	or NULL
 *
 * Return: NULL.
 */
struct inventory *inventory_free(struct inventory *inventory)
{
	if (!inventory)
		return NULL;
	json_decref(inventory->system);
	json_decref(inventory->partitions);
	free(inventory);
	return NULL;
}

/**
 * inventory_number() - a number of the system
 * @inventory:	or NULL
 * @name:	of the member
 * @fallback:	for one that is not there
 */
uint64_t inventory_number(const struct inventory *inventory, const char *name,
			  uint64_t fallback)
{
	return inventory ? rpc_get_u64(inventory->system, name, fallback) : fallback;
}

static const json_t *vioses(const struct inventory *inventory)
{
	return inventory ? json_object_get(inventory->system, "vioses") : NULL;
}

/**
 * inventory_vios() - a Virtual I/O Server
 * @inventory:	or NULL
 * @name:	its name
 *
 * Return: the VIOS, of which no reference is taken, or NULL.
 */
json_t *inventory_vios(const struct inventory *inventory, const char *name)
{
	return member_named(vioses(inventory), name);
}

bool inventory_has_name(const struct inventory *inventory, const char *name)
{
	return inventory_vios(inventory, name);
}

bool inventory_has_id(const struct inventory *inventory, uint32_t lpar_id)
{
	return member_numbered(vioses(inventory), "lpar_id", lpar_id);
}
