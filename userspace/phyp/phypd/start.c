// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The partitions of a system's description are made when it starts, one after the other,
 * as a console would make them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/left.h"
#include "phyp/phypd/partition.h"

/**
 * struct start - how far it is
 * @system:	where
 * @next:	index of the partition that is made now
 * @done:	called at the end
 */
struct start {
	struct system *system;
	size_t next;
	void (*done)(struct system *system, int error);
};

static void make_next(struct start *start);

static void end(struct start *start, int error)
{
	struct system *system = start->system;
	void (*done)(struct system *system, int error) = start->done;

	free(start);
	done(system, error);
}

static const json_t *described(const struct start *start)
{
	return json_array_get(start->system->params.inventory->partitions, start->next);
}

static void failed(struct start *start, const struct rpc_error *err)
{
	log_error("description: partitions[%zu]: %s", start->next, err->text);
	end(start, -EINVAL);
}

static void activated(void *ctx, const json_t *result, const struct rpc_error *err)
{
	struct start *start = ctx;

	(void)result;
	if (err) {
		failed(start, err);
		return;
	}
	start->next++;
	make_next(start);
}

static void made(void *ctx, const json_t *result, const struct rpc_error *err)
{
	struct start *start = ctx;
	struct rpc_request *req;

	if (err) {
		failed(start, err);
		return;
	}
	if (!rpc_get_bool(described(start), "activate", false)) {
		activated(start, result, NULL);
		return;
	}
	req = rpc_request_own(activated, start);
	if (!req)
		end(start, -ENOMEM);
	else
		mgmt_partition_activate(req, described(start), start->system);
}

/* It is there already, as it was suspended; or it may run elsewhere */
static bool is_elsewhere(const struct start *start)
{
	const char *name = rpc_get_string(described(start), "name", "");

	if (partition_find(start->system, name))
		log_info("partition %s: is there, suspended: not made anew", name);
	else if (left_is_noted(start->system, name))
		log_warning("partition %s: has migrated, or was about to: not made anew", name);
	else
		return false;
	return true;
}

static void make_next(struct start *start)
{
	struct rpc_request *req;
	json_t *params;

	while (described(start) && is_elsewhere(start))
		start->next++;
	if (!described(start)) {
		end(start, 0);
		return;
	}
	params = json_copy((json_t *)described(start));
	req = params ? rpc_request_own(made, start) : NULL;
	if (!req) {
		json_decref(params);
		end(start, -ENOMEM);
		return;
	}
	json_object_del(params, "activate");
	mgmt_partition_create(req, params, start->system);
	json_decref(params);
}

/**
 * system_start_partitions() - make the partitions that the description has
 * @system:	before anybody can manage it
 * @done:	called when all are made, or one cannot be
 *
 * Return: 0 or -ENOMEM.
 */
int system_start_partitions(struct system *system,
			    void (*done)(struct system *system, int error))
{
	struct start *start;

	if (!system->params.inventory) {
		done(system, 0);
		return 0;
	}
	start = calloc(1, sizeof(*start));
	if (!start)
		return -ENOMEM;
	start->system = system;
	start->done = done;
	make_next(start);
	return 0;
}
