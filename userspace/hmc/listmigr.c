// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lslparmigr: histories, and what a partition could have on a target.
 */
#include <string.h>

#include "hmc/described.h"
#include "hmc/listmigr.h"

/* ---- Histories ---- */

const char *const history_fields[] = {
	"name", "lpar_id", "migration_type", "source_sys_name", "dest_sys_name", "result",
	"start_time", "end_time", "bytes_transmitted", "total_ms", "blackout_ms", "user",
	"stream_id", "reason", NULL
};

/* What it is named here, and in a history */
static const struct {
	const char *field;
	const char *member;
} move_members[] = {
	{ "migration_type", "type" },
	{ "source_sys_name", "from" },
	{ "dest_sys_name", "to" },
	{ "result", "result" },
	{ "bytes_transmitted", "bytes" },
	{ "total_ms", "total_ms" },
	{ "blackout_ms", "blackout_ms" },
	{ "user", "by" },
	{ "stream_id", "stream_id" },
	{ "reason", "reason" },
	{ }
};

static void add_move(struct query *query, const json_t *partition, const json_t *move)
{
	json_t *record = query_record(query);

	set_text(record, "name", text_of(partition, "name"));
	set_number(record, "lpar_id", number_of(partition, "lpar_id"));
	for (size_t i = 0; move_members[i].field; i++)
		set_member(record, move_members[i].field, move, move_members[i].member);
	set_time(record, "start_time", number_of(move, "started"));
	set_time(record, "end_time", number_of(move, "ended"));
}

static int add_moves(struct query *query, const json_t *partition)
{
	json_t *history = NULL, *move;
	struct rpc_error err;
	size_t i;

	if (!system_call(query->system, "partition.history",
			 json_pack("{s:s}", "name", text_of(partition, "name")), &history, &err)) {
		json_array_foreach(json_object_get(history, "moves"), i, move)
			add_move(query, partition, move);
		json_decref(history);
		return EXIT_DONE;
	}
	/* It may have gone since it was listed */
	if (err.code == RPC_NOT_FOUND)
		return EXIT_DONE;
	call_message(query->system, "tell a partition's history", &err);
	return EXIT_FAILED;
}

int list_history(struct query *query)
{
	json_t *list, *partition;
	int status = EXIT_DONE;
	size_t i;

	if (described_partitions(query->system, &list))
		return EXIT_FAILED;
	json_array_foreach(json_object_get(list, "partitions"), i, partition)
		if (!status && query_selects_partition(query, text_of(partition, "name"),
						       number_of(partition, "lpar_id")))
			status = add_moves(query, partition);
	json_decref(list);
	return status;
}

/* ---- Shared processor pools of a target ---- */

const char *const pool_choice_fields[] = {
	"lpar_name", "lpar_id", "shared_proc_pool_ids", "shared_proc_pool_names", NULL
};

/* How much of a pool is still free; one without a limit has room for all */
static bool has_room(const json_t *pool, const json_t *partitions, double wanted)
{
	const json_t *most = json_object_get(pool, "max_pool_proc_units");
	const json_t *profile;
	json_t *partition;
	size_t i;

	json_array_foreach(partitions, i, partition) {
		profile = current_profile(config_of(partition));
		if (profile && is_shared(profile) &&
		    number_of(profile, "shared_proc_pool_id") ==
		    number_of(pool, "shared_proc_pool_id"))
			wanted += processors_of(partition);
	}
	return !most || wanted <= json_number_value(most) + 0.001;
}

/**
 * struct target - where partitions are to go
 * @pools:	its shared processor pools
 * @partitions:	its partitions
 */
struct target {
	const json_t *pools;
	const json_t *partitions;
};

static void add_choice(struct query *query, const json_t *partition, const struct target *target)
{
	const json_t *profile = current_profile(config_of(partition));
	json_t *names, *ids, *record, *pool;
	size_t i;

	if (!profile || !is_shared(profile))
		return;
	names = json_array();
	ids = json_array();
	json_array_foreach(target->pools, i, pool) {
		if (!has_room(pool, target->partitions, profile_units(profile)))
			continue;
		json_array_append(names, json_object_get(pool, "name"));
		json_array_append(ids, json_object_get(pool, "shared_proc_pool_id"));
	}
	record = query_partition_record(query, partition);
	set_list(record, "shared_proc_pool_ids", ids, "none");
	set_list(record, "shared_proc_pool_names", names, "none");
	json_decref(ids);
	json_decref(names);
}

int list_pool_choices(struct query *query)
{
	json_t *inventory = NULL, *there = NULL, *list = NULL, *partition;
	int status = EXIT_FAILED;
	struct target target;
	size_t i;

	if (described_system(query->target, &inventory) ||
	    described_partitions(query->target, &there) ||
	    described_partitions(query->system, &list))
		goto release;
	target = (struct target) {
		.pools = json_object_get(inventory, "shared_proc_pools"),
		.partitions = json_object_get(there, "partitions"),
	};
	json_array_foreach(json_object_get(list, "partitions"), i, partition)
		if (inventory && query_selects_partition(query, text_of(partition, "name"),
							 number_of(partition, "lpar_id")))
			add_choice(query, partition, &target);
	status = EXIT_DONE;
release:
	json_decref(list);
	json_decref(there);
	json_decref(inventory);
	return status;
}

/* ---- SR-IOV ---- */

const char *const sriov_fields[] = { "lpar_name", "lpar_id", NULL };

/* No partition here has a logical port of its own: vNIC adapters are virtual */
int list_sriov(struct query *query)
{
	json_t *list;

	if (described_partitions(query->system, &list))
		return EXIT_FAILED;
	json_decref(list);
	return EXIT_DONE;
}
