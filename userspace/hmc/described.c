// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a managed system has (Documentation/managed-system.rst), for those who list it
 * and change it.
 */
#include <errno.h>
#include <string.h>

#include "hmc/described.h"

/**
 * mover_answers() - is a mover there?
 * @system:	its system
 * @msp:	the mover
 *
 * Return: 1 or 0; -EACCES: the user may not know, and has been told.
 */
int mover_answers(const struct managed_system *system, const struct msp *msp)
{
	struct rpc_error err;

	if (!msp_call(msp, "info", NULL, NULL, &err))
		return 1;
	if (!call_forbidden(&err))
		return 0;
	msp_message(system, msp, "describe itself", &err);
	return -EACCES;
}

/**
 * described_system() - ask a system for its inventory
 * @system:	the system
 * @inventory:	the caller's; NULL if the system has no description
 *
 * Return: 0, or a negative errno; the user has been told.
 */
int described_system(const struct managed_system *system, json_t **inventory)
{
	struct rpc_error err;
	int ret;

	*inventory = NULL;
	ret = system_call(system, "system.inventory", NULL, inventory, &err);
	if (ret) {
		call_message(system, "tell what it has", &err);
		return ret;
	}
	if (!flag_of(*inventory, "described")) {
		json_decref(*inventory);
		*inventory = NULL;
	}
	return 0;
}

/* How many partitions are asked for at once: an answer has to hold them */
#define PARTITIONS_AT_ONCE	16

static int next_partitions(const struct managed_system *system, json_t *partitions,
			   size_t *more, struct rpc_error *err)
{
	json_t *answer = NULL, *page;
	int ret;

	ret = system_call(system, "partition.list",
			  json_pack("{s:b, s:I, s:i}", "config", 1, "offset",
				    (json_int_t)json_array_size(partitions), "count",
				    PARTITIONS_AT_ONCE), &answer, err);
	if (ret)
		return ret;
	page = json_object_get(answer, "partitions");
	*more = json_array_size(page);
	json_array_extend(partitions, page);
	json_decref(answer);
	return 0;
}

/**
 * ask_partitions() - ask a system for its partitions, with their configs
 * @system:	the system
 * @list:	as partition.list answers; the caller's
 * @err:	why it failed
 *
 * Return: 0, or a negative errno.
 */
int ask_partitions(const struct managed_system *system, json_t **list, struct rpc_error *err)
{
	json_t *partitions = json_array();
	size_t more = PARTITIONS_AT_ONCE;
	int ret = 0;

	*list = NULL;
	/* Whatever it answers, there is an end */
	while (!ret && more == PARTITIONS_AT_ONCE && json_array_size(partitions) < 65536)
		ret = next_partitions(system, partitions, &more, err);
	if (ret)
		json_decref(partitions);
	else
		*list = json_pack("{s:o}", "partitions", partitions);
	return ret;
}

/**
 * described_partitions() - the same
 * @system:	the system
 * @list:	as partition.list answers; the caller's
 *
 * Return: 0, or a negative errno; the user has been told.
 */
int described_partitions(const struct managed_system *system, json_t **list)
{
	struct rpc_error err;
	int ret = ask_partitions(system, list, &err);

	if (ret)
		call_message(system, "list its partitions", &err);
	return ret;
}

/**
 * config_of() - a partition's config
 * @partition:	as partition.list tells it
 *
 * Return: the config, a borrowed reference, or NULL.
 */
const json_t *config_of(const json_t *partition)
{
	return json_object_get(partition, "config");
}

/**
 * current_profile() - the profile that a partition was activated with last
 * @config:	of the partition, or NULL
 *
 * Return: the profile, a borrowed reference, or NULL.
 */
const json_t *current_profile(const json_t *config)
{
	return named_in(json_object_get(config, "profiles"), text_of(config, "curr_profile"));
}

bool is_shared(const json_t *profile)
{
	return strcmp(text_of(profile, "proc_mode"), "ded");
}

/**
 * is_active() - does a partition have its processors and memory now?
 * @partition:	as partition.list tells it
 */
bool is_active(const json_t *partition)
{
	static const char *const states[] = {
		"Not Activated", "Moved", "Hibernated", "Damaged", "Migrating - Not Activated",
		NULL
	};

	for (const char *const *state = states; *state; state++)
		if (!strcmp(text_of(partition, "state"), *state))
			return false;
	return true;
}

/**
 * profile_units() - how many processing units a profile wants
 * @profile:	the profile, or NULL
 *
 * Of dedicated processors each is one unit.
 */
double profile_units(const json_t *profile)
{
	const char *member = is_shared(profile) ? "desired_proc_units" : "desired_procs";

	return json_number_value(json_object_get(profile, member));
}

/**
 * processors_of() - how many processing units a partition has now
 * @partition:	as partition.list tells it, with its config
 */
double processors_of(const json_t *partition)
{
	return is_active(partition) ? profile_units(current_profile(config_of(partition))) : 0;
}
