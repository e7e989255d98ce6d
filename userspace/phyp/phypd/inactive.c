// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migrations of partitions that do not execute.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "phyp/phypd/history.h"
#include "phyp/phypd/inactive.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/left.h"

#define DEFAULT_MAX	16

/**
 * inactive_migrating() - is a partition at either end of an inactive migration?
 * @p:		partition
 */
bool inactive_migrating(const struct partition *p)
{
	return p->inactive.type != IMAGE_NOTE_NONE;
}

/**
 * inactive_count() - count the partitions that are
 * @system:	where
 */
unsigned int inactive_count(const struct system *system)
{
	const struct partition *p;
	unsigned int count = 0;

	TAILQ_FOREACH(p, &system->partitions, link)
		count += inactive_migrating(p);
	return count;
}

/**
 * inactive_max() - how many may be at a time
 * @system:	where
 */
unsigned int inactive_max(const struct system *system)
{
	return (unsigned int)inventory_number(system->params.inventory,
					      "num_inactive_migrations_supported",
					      DEFAULT_MAX);
}

/**
 * inactive_is_full() - are there as many as may be?
 * @system:	where
 * @req:	answered if so
 */
bool inactive_is_full(const struct system *system, struct rpc_request *req)
{
	unsigned int count = inactive_count(system);

	if (count < inactive_max(system))
		return false;
	rpc_fail(req, RPC_NOT_ENOUGH, "%u inactive migrations are in progress, %u are supported",
		 count, inactive_max(system));
	return true;
}

/**
 * inactive_may_remove() - may a partition be removed?
 * @p:		partition
 * @stream_id:	that its removal is part of, or 0: of none
 * @req:	answered if not
 *
 * Of an inactive migration the removal on the source is what decides: it must not
 * happen when that has been given up, nor by somebody who does not know of it.
 */
bool inactive_may_remove(struct partition *p, uint64_t stream_id,
			 struct rpc_request *req)
{
	if (p->inactive.stream_id == stream_id)
		return true;
	if (!inactive_migrating(p))
		rpc_fail(req, RPC_STATE, "partition %s does not migrate in stream %016" PRIx64,
			 p->name, stream_id);
	else
		rpc_fail(req, RPC_STATE, "partition %s migrates in stream %016" PRIx64,
			 p->name, p->inactive.stream_id);
	return false;
}

/**
 * inactive_depart() - a partition begins to migrate
 * @p:		partition in Not Activated
 * @stream_id:	of the migration; asked again for the same one, the answer is the same
 * @peer:	the other system
 * @req:	answered
 */
void inactive_depart(struct partition *p, uint64_t stream_id, const char *peer,
		     struct rpc_request *req)
{
	int ret;

	if (p->inactive.type == IMAGE_NOTE_DEPARTING && p->inactive.stream_id == stream_id) {
		rpc_reply(req, NULL);
		return;
	}
	if (partition_busy(p, req))
		return;
	if (p->state != PARTITION_NOT_ACTIVATED || inactive_migrating(p)) {
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Not Activated", p->name,
			 partition_state_name(p));
		return;
	}
	if (inactive_is_full(p->system, req))
		return;
	ret = left_note(p->system, p->name);
	if (ret) {
		rpc_fail(req, RPC_FAILED, "partition %s: that it leaves is not noted: %s", p->name,
			 strerror(-ret));
		return;
	}
	p->inactive.type = IMAGE_NOTE_DEPARTING;
	p->inactive.stream_id = stream_id;
	strncpy(p->inactive.peer, peer, sizeof(p->inactive.peer) - 1);
	p->inactive_since = (uint64_t)time(NULL);
	log_info("partition %s: migrates to %s without executing, stream %016" PRIx64,
		 p->name, p->inactive.peer, stream_id);
	rpc_reply(req, NULL);
	partition_changed(p);
}

static bool is_in(struct partition *p, uint64_t stream_id, enum image_note_type type,
		  struct rpc_request *req)
{
	if (p->inactive.type == type && p->inactive.stream_id == stream_id)
		return true;
	rpc_fail(req, RPC_STATE, "partition %s is not %s in stream %016" PRIx64, p->name,
		 type == IMAGE_NOTE_DEPARTING ? "departing" : "arriving", stream_id);
	return false;
}

static void end(struct partition *p, bool completed, struct rpc_request *req)
{
	history_add_inactive(p, completed);
	left_forget(p->system, p->name);
	log_info("partition %s: stream %016" PRIx64 ": %s", p->name, p->inactive.stream_id,
		 completed ? "arrived" : "does not migrate");
	p->inactive = (struct image_note) { .type = IMAGE_NOTE_NONE };
	rpc_reply(req, NULL);
	partition_changed(p);
}

/**
 * inactive_stay() - a partition does not migrate
 * @p:		partition that is departing
 * @stream_id:	of the migration
 * @req:	answered
 */
void inactive_stay(struct partition *p, uint64_t stream_id, struct rpc_request *req)
{
	if (is_in(p, stream_id, IMAGE_NOTE_DEPARTING, req))
		end(p, false, req);
}

/**
 * inactive_arrived() - a partition has arrived
 * @p:		partition that was arriving
 * @stream_id:	of the migration
 * @req:	answered
 */
void inactive_arrived(struct partition *p, uint64_t stream_id, struct rpc_request *req)
{
	if (is_in(p, stream_id, IMAGE_NOTE_ARRIVING, req))
		end(p, true, req);
}
