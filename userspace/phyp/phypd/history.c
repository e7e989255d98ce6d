// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The moves that a partition has made: written by the platform that knows how one ended.
 */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/history.h"

static const char *const types[] = { "active", "inactive", "suspended", NULL };
static const char *const results[] = { "completed", "aborted", NULL };

static const struct rpc_param entry_fields[] = {
	{ "stream_id", RPC_STREAM_ID, .required = true },
	{ "type", RPC_STRING, true, .one_of = types },
	{ "from", RPC_STRING, true, .min = 0, .max = 255 },
	{ "to", RPC_STRING, true, .min = 0, .max = 255 },
	{ "result", RPC_STRING, true, .one_of = results },
	{ "started", RPC_INTEGER, .required = true },
	{ "ended", RPC_INTEGER, .required = true },
	{ "reason", .type = RPC_INTEGER },
	{ "bytes", .type = RPC_INTEGER },
	{ "blackout_ms", .type = RPC_INTEGER },
	{ "total_ms", .type = RPC_INTEGER },
	{ "by", RPC_STRING, .min = 1, .max = 63 },
	{ }
};

const struct rpc_param history_entry = { "", RPC_OBJECT, .fields = entry_fields };

/* The oldest go first */
static void trim(json_t *history)
{
	while (json_array_size(history) > HISTORY_MAX_MOVES ||
	       json_dumpb(history, NULL, 0, JSON_COMPACT) > HISTORY_MAX_BYTES)
		json_array_remove(history, 0);
}

/* Takes @entry, which may be NULL */
static void add(struct partition *p, json_t *entry)
{
	if (!p->history)
		p->history = json_array();
	if (json_array_append_new(p->history, entry))
		log_error("partition %s: its history misses a move: out of memory", p->name);
	else
		trim(p->history);
}

/**
 * history_add_stream() - a stream has ended
 * @s:		Completed or Aborted; its partition is here
 *
 * The target tells of what arrived, the source of what did not leave.
 */
void history_add_stream(const struct managed_stream *s)
{
	const char *own = s->system->params.name;
	bool source = s->role == PHYP_SOURCE;
	struct phyp_stream_stats stats;
	json_t *entry;
	bool completed;

	phyp_stream_stats(s->phyp, &stats);
	completed = stats.state == VASI_STATE_COMPLETED;
	if (source == completed)
		return;
	entry = json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o}",
			  "stream_id", rpc_json_stream_id(s->id),
			  "type", s->hibernated ? "suspended" : "active",
			  "from", source ? own : s->peer,
			  "to", source ? s->peer : own,
			  "result", source ? "aborted" : "completed",
			  "started", rpc_json_u64(s->created),
			  "ended", rpc_json_u64((uint64_t)time(NULL)),
			  "bytes", rpc_json_u64(stats.bytes));
	if (entry && source)
		json_object_set_new(entry, "reason", rpc_json_u64(stats.reason));
	add(s->partition, entry);
}

/**
 * history_add_inactive() - an inactive migration has ended
 * @p:		partition that is in it
 * @completed:	it has arrived here; otherwise it stays here
 */
void history_add_inactive(struct partition *p, bool completed)
{
	const char *own = p->system->params.name;

	add(p, json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o}",
			 "stream_id", rpc_json_stream_id(p->inactive.stream_id),
			 "type", "inactive",
			 "from", completed ? p->inactive.peer : own,
			 "to", completed ? own : p->inactive.peer,
			 "result", completed ? "completed" : "aborted",
			 "started", rpc_json_u64(p->inactive_since),
			 "ended", rpc_json_u64((uint64_t)time(NULL))));
}

/**
 * history_note() - what others know of a move
 * @p:		partition
 * @stream_id:	of the move
 * @facts:	bytes, blackout_ms, total_ms, by, as far as they are known
 *
 * Return: 0, or -ENOENT.
 */
int history_note(struct partition *p, uint64_t stream_id, const json_t *facts)
{
	static const char *const names[] = { "bytes", "blackout_ms", "total_ms", "by" };
	size_t i = json_array_size(p->history);

	while (i--) {
		json_t *entry = json_array_get(p->history, i);

		if (rpc_get_stream_id(entry, "stream_id") != stream_id)
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			if (rpc_has(facts, names[j]))
				json_object_set(entry, names[j],
						json_object_get(facts, names[j]));
		trim(p->history);
		return 0;
	}
	return -ENOENT;
}
