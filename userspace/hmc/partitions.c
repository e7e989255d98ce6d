// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which partitions a command of migrlpar is about: those that it names, or all that it
 * can be meant for.
 */
#include <errno.h>
#include <string.h>

#include "common/util.h"
#include "hmc/described.h"
#include "hmc/partitions.h"

/* A mover, by the console file */
static bool is_mover(const struct managed_system *system, const json_t *partition)
{
	for (size_t i = 0; i < system->nmsps; i++)
		if (!strcmp(system->msps[i].name, text_of(partition, "name")))
			return true;
	return false;
}

static bool in_migration(const json_t *partition)
{
	return !strcmp(text_of(partition, "role"), "source") ||
	       *text_of(partition, "departing");
}

/* May it be meant when all are to migrate? */
static bool may_migrate(const struct managed_system *system, const json_t *partition)
{
	static const char *const states[] = {
		"Running", "Finished", "Hibernated", "Not Activated"
	};
	const json_t *config = json_object_get(partition, "config");
	bool good = false;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		good |= !strcmp(text_of(partition, "state"), states[i]);
	return good && !is_mover(system, partition) && !in_migration(partition) &&
	       !*text_of(partition, "arriving") &&
	       strcmp(text_of(config, "lpar_env"), "vioserver") &&
	       !flag_of(config, "service_partition") && !flag_of(config, "migration_disabled");
}

static bool is_meant(const struct managed_system *system, const struct order *order,
		     const json_t *partition)
{
	if (strchr("vm", order->operation))
		return may_migrate(system, partition);
	return in_migration(partition);
}

static const json_t *find(const json_t *list, const struct partition_key *key)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(list, "partitions"), i, entry)
		if (key->name ? !strcmp(text_of(entry, "name"), key->name) :
				number_of(entry, "lpar_id") == key->id)
			return entry;
	return NULL;
}

/* One that is not there is kept by what it was called: who looks for it tells */
static json_t *named(const json_t *list, const struct partition_key *key)
{
	const json_t *entry = find(list, key);

	return json_pack("{s:s*, s:I, s:s}", "name", entry ? text_of(entry, "name") : key->name,
			 "lpar_id", entry ? (json_int_t)number_of(entry, "lpar_id") :
					    (json_int_t)key->id,
			 "state", text_of(entry, "state"));
}

static int add_all(const struct managed_system *system, const struct order *order,
		   const json_t *list, json_t *chosen)
{
	json_t *entry;
	size_t i;
	int ret = 0;

	json_array_foreach(json_object_get(list, "partitions"), i, entry) {
		struct partition_key key = { .name = text_of(entry, "name") };

		/* What has no usable name, a system has made up */
		if (is_meant(system, order, entry) && name_is_valid(key.name) &&
		    json_array_size(chosen) < ORDER_PARTITIONS)
			ret |= json_array_append_new(chosen, named(list, &key));
	}
	return ret;
}

/**
 * select_partitions() - which partitions a command is about
 * @source:	where they are
 * @order:	names them, or wants all
 * @partitions:	array of {name, lpar_id, state}, in the order given; the caller's
 *
 * Of one that is named and not there, the array has what it was called.
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int select_partitions(const struct managed_system *source, const struct order *order,
		      json_t **partitions)
{
	json_t *list = NULL;
	int ret;

	*partitions = NULL;
	ret = described_partitions(source, &list);
	if (ret)
		return ret;
	*partitions = json_array();
	if (order->all)
		ret = add_all(source, order, list, *partitions);
	for (size_t i = 0; i < order->nkeys; i++)
		ret |= json_array_append_new(*partitions, named(list, &order->keys[i]));
	json_decref(list);
	return ret ? -ENOMEM : 0;
}
