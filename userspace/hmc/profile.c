// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The partition on the target before it arrives: its profile, and what it is made of.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/move.h"

#define MAKE_WAIT_MS	15000		/* for one of that name to be gone */

static const char *partition_name(const struct plan *plan)
{
	return text_of(plan->partition, "name");
}

/* ---- Its profile ---- */

static json_t *find_profile(const json_t *profiles, const char *name, size_t *index)
{
	for (*index = 0; *index < json_array_size(profiles); ++*index)
		if (!strcmp(text_of(json_array_get(profiles, *index), "name"), name))
			return json_array_get(profiles, *index);
	return NULL;
}

/* -n: what it has now gets that name there; without it the current profile keeps its own */
static void name_profile(json_t *config, const char *name)
{
	json_t *profiles = json_object_get(config, "profiles");
	json_t *current, *copy;
	size_t index;

	current = find_profile(profiles, text_of(config, "curr_profile"), &index);
	if (!current || !strcmp(text_of(current, "name"), name))
		return;
	copy = json_deep_copy(current);
	json_object_set_new(copy, "name", json_string(name));
	if (find_profile(profiles, name, &index))
		json_array_set_new(profiles, index, copy);
	else
		json_array_append_new(profiles, copy);
	json_object_set_new(config, "curr_profile", json_string(name));
}

static json_t *make_params(const struct plan *plan, const struct move_options *options)
{
	json_t *params = json_deep_copy(plan->description);
	json_t *config = json_object_get(params, "config");
	const char *id = text_of(options->data, "dest_lpar_id");

	if (config && options->profile)
		name_profile(config, options->profile);
	if (*id)
		json_object_set_new(params, "lpar_id", json_integer(atoi(id)));
	return params;
}

/* ---- The partition ---- */

/**
 * partition_holds() - is the partition still the one that was validated?
 * @plan:	described; the source's platform lets nobody change it from now on
 *
 * What was changed since then would be lost: the target is made from the description.
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int partition_holds(const struct plan *plan)
{
	struct rpc_error err;
	json_t *now = NULL;
	int ret;

	ret = system_call(plan->source, "partition.describe",
			  json_pack("{s:s}", "name", partition_name(plan)), &now, &err);
	if (ret) {
		call_message(plan->source, "describe the partition", &err);
	} else if (!json_equal(now, plan->description)) {
		message("LPM0214",
			"Partition %s of system %s was changed while it was validated; it must stay as it is until it migrates. Repeat the command.",
			partition_name(plan), plan->source->name);
		ret = -ESTALE;
	}
	json_decref(now);
	return ret;
}

/* Has the target as many inactive migrations as it supports?  Then there will be place again */
static bool is_full(const struct plan *plan)
{
	struct rpc_error err;
	json_t *info = NULL;
	bool full;

	system_call(plan->target, "system.info", NULL, &info, &err);
	full = json_object_get(info, "inactive_migrations_max") &&
	       number_of(info, "inactive_migrations") >=
	       number_of(info, "inactive_migrations_max");
	json_decref(info);
	return full;
}

static void make_message(const struct plan *plan, const char *what, const struct rpc_error *err)
{
	if (!plan->active && err->code == RPC_NOT_ENOUGH && is_full(plan))
		place_message(plan->target, NULL, what, err);
	else
		call_message(plan->target, what, err);
}

/*
 * The partition keeps its id where that is free, unless the user chose one.
 * @params is consumed.
 */
static int make_there(struct plan *plan, const char *method, const char *what,
		      json_t *params, bool any_id)
{
	uint64_t deadline = now_ns() + MAKE_WAIT_MS * NSEC_PER_MSEC;
	struct rpc_error err;
	json_t *answer = NULL;
	int ret;

	ret = system_call(plan->target, method, json_incref(params), &answer, &err);
	while (ret && err.code == RPC_EXISTS) {
		/* The first time because of the id, perhaps */
		if (!any_id || json_object_del(params, "lpar_id")) {
			/* One that is just being removed is not shown, but its name is taken */
			if (partition_is_shown(plan->target, partition_name(plan)) ||
			    now_ns() > deadline)
				break;
			sleep_ms(10);
		}
		ret = system_call(plan->target, method, json_incref(params), &answer, &err);
	}
	json_decref(params);
	if (ret)
		make_message(plan, what, &err);
	/* Without an answer it may have been made */
	plan->reserved = !ret || !err.code;
	plan->target_lpar_id = number_of(answer, "lpar_id");
	json_decref(answer);
	return ret;
}

static bool any_id(const struct move_options *options)
{
	return !*text_of(options->data, "dest_lpar_id");
}

/**
 * shell_reserve() - reserve the shell of a partition that will arrive
 * @plan:	target_lpar_id is set
 * @options:	a profile's name and an id, perhaps
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int shell_reserve(struct plan *plan, const struct move_options *options)
{
	json_t *params = make_params(plan, options);

	json_object_set_new(params, "stream_id", json_string(plan->id));
	if (plan->suspended)
		json_object_set_new(params, "suspended", json_true());
	return make_there(plan, "partition.reserve", "reserve the shell partition", params,
			  any_id(options));
}

/**
 * partition_create() - define a partition that arrives without movers
 * @plan:	with the migration's id; target_lpar_id is set
 * @options:	a profile's name and an id, perhaps
 *
 * It cannot be activated until it has arrived.
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int partition_create(struct plan *plan, const struct move_options *options)
{
	json_t *params = make_params(plan, options);

	json_object_set_new(params, "arriving", json_string(plan->id));
	json_object_set_new(params, "peer", json_string(plan->source->name));
	return make_there(plan, "partition.create", "create the partition", params,
			  any_id(options));
}
