// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Streams of a managed system.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/history.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/left.h"
#include "phyp/phypd/stream.h"
#include "vasi_codec.h"

#define PARK_LOOK_USEC		50000
#define REASON_PARKED		((uint32_t)VASI_ABORT_PLATFORM << \
				 VASI_REASON_ENTITY_SHIFT | 1)

/**
 * stream_find() - find a stream that was not ended
 * @system:	where
 * @id:		its id
 */
struct managed_stream *stream_find(struct system *system, uint64_t id)
{
	struct managed_stream *s;

	TAILQ_FOREACH(s, &system->streams, link)
		if (s->id == id)
			return s;
	return NULL;
}

uint64_t stream_id(const struct managed_stream *s)
{
	return s->id;
}

const char *stream_role_name(const struct managed_stream *s)
{
	return s->role == PHYP_SOURCE ? "source" : "target";
}

static enum vasi_state state_of(const struct managed_stream *s)
{
	struct phyp_stream_stats stats;

	phyp_stream_stats(s->phyp, &stats);
	return stats.state;
}

bool stream_is_final(const struct managed_stream *s)
{
	enum vasi_state state = state_of(s);

	return state == VASI_STATE_ABORTED || state == VASI_STATE_COMPLETED;
}

bool stream_is_arriving(const struct managed_stream *s)
{
	struct phyp_stream_stats stats;

	if (s->role != PHYP_TARGET)
		return false;
	phyp_stream_stats(s->phyp, &stats);
	return stats.state != VASI_STATE_ABORTED &&
	       stats.state != VASI_STATE_COMPLETED && !stats.received;
}

void stream_forget_partition(struct managed_stream *s)
{
	s->partition = NULL;
}

/**
 * streams_active() - count streams that are not final
 * @system:	where
 * @device:	only those of this one; NULL = all
 */
unsigned int streams_active(const struct system *system,
			    const struct device *device)
{
	const struct managed_stream *s;
	unsigned int count = 0;

	TAILQ_FOREACH(s, &system->streams, link)
		if ((!device || s->device == device) && !stream_is_final(s))
			count++;
	return count;
}

/**
 * streams_max() - how many streams may be active at a time
 * @system:	as its description says, or else what its devices serve
 */
unsigned int streams_max(const struct system *system)
{
	return (unsigned int)inventory_number(system->params.inventory,
					      "num_active_migrations_supported",
					      (uint64_t)system->params.streams *
					      system->device_count);
}

/* What the ownership record says; the source has none */
static const char *record_word(const struct managed_stream *s)
{
	enum phyp_verdict verdict;

	if (s->role != PHYP_TARGET)
		return "none";
	if (record_dir_read(s->system->records, s->id, &verdict))
		return "unreadable";
	switch (verdict) {
	case PHYP_VERDICT_RESUMED:
		return "resumed";
	case PHYP_VERDICT_NEVER:
		return "never";
	default:
		return "none";
	}
}

/**
 * stream_json() - what stream.show tells
 * @s:		stream
 *
 * Return: a new object.
 */
json_t *stream_json(const struct managed_stream *s)
{
	struct phyp_stream_stats stats;

	phyp_stream_stats(s->phyp, &stats);
	return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:i, s:i,"
			 " s:o, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:i},"
			 " s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:b, s:s}",
		"stream_id", rpc_json_stream_id(s->id),
		"role", stream_role_name(s),
		"type", s->hibernated ? "suspended" : "active",
		"peer", s->peer,
		"partition", s->partition_name,
		"state", vasi_state_name((__u16)stats.state),
		"reason", rpc_json_u64(stats.reason),
		"parked", (int)stats.parked,
		"sessions", (int)stats.sessions,
		"incarnation", (int)stats.incarnation,
		"passes", rpc_json_u64(stats.passes),
		"bytes", rpc_json_u64(stats.bytes),
		"pages", rpc_json_u64(stats.pages),
		"zero_pages", rpc_json_u64(stats.zero_pages),
		"demanded", rpc_json_u64(stats.demanded),
		"demand_us",
			"p50", (int)stats.demand_us[0],
			"p99", (int)stats.demand_us[1],
			"max", (int)stats.demand_us[2],
		"resent", rpc_json_u64(stats.resent),
		"bytes_left", rpc_json_u64(stats.bytes_left),
		"received", (int)stats.received,
		"suspended_ns", rpc_json_u64(stats.suspended_ns),
		"resumed_ns", rpc_json_u64(stats.resumed_ns),
		"completed_ns", rpc_json_u64(stats.completed_ns),
		"created_ns", rpc_json_u64(stats.created_ns),
		"held", (int)phyp_stream_is_held(s->phyp),
		"record", record_word(s));
}

/**
 * stream_state_json() - the answer of methods that tell the new state
 * @s:		stream
 */
json_t *stream_state_json(const struct managed_stream *s)
{
	return json_pack("{s:s}", "state", vasi_state_name((__u16)state_of(s)));
}

/* ---- Streams that stay parked ---- */

static void look_at_parked(struct managed_stream *s, uint64_t now)
{
	struct phyp_stream_stats stats;

	phyp_stream_stats(s->phyp, &stats);
	if (!stats.parked) {
		s->parked_since = 0;
		return;
	}
	if (!s->parked_since)
		s->parked_since = now;
	if (now - s->parked_since < s->park_timeout_ns)
		return;
	/* Refused once the partition may be the other side's: then it stays */
	if (!phyp_stream_cancel(s->phyp, REASON_PARKED))
		log_info("stream %016" PRIx64 ": parked for too long, cancelled",
			 s->id);
	s->parked_since = now;
}

static int on_park_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct system *system = data;
	struct managed_stream *s, *next;
	uint64_t now = now_ns();
	bool more = false;

	(void)usec;
	for (s = TAILQ_FIRST(&system->streams); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->park_timeout_ns || stream_is_final(s))
			continue;
		look_at_parked(s, now);
		more = true;
	}
	if (more) {
		sd_event_source_set_time_relative(source, PARK_LOOK_USEC);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
}

static int start_park_timer(struct system *system)
{
	int ret;

	if (!system->park_timer)
		return sd_event_add_time_relative(system->event,
						  &system->park_timer,
						  CLOCK_MONOTONIC,
						  PARK_LOOK_USEC, 0,
						  on_park_timer, system);
	ret = sd_event_source_set_time_relative(system->park_timer,
						PARK_LOOK_USEC);
	if (ret < 0)
		return ret;
	return sd_event_source_set_enabled(system->park_timer,
					   SD_EVENT_ONESHOT);
}

/* ---- Making and ending ---- */

/**
 * stream_make() - create a stream and enable it
 * @system:	where
 * @p:		partition, in a state that fits the role
 * @device:	whose movers may open it
 * @params:	libphyp's parameters; copied
 * @park_timeout_ms: see struct managed_stream
 * @stream:	on success
 *
 * Return: as phyp_stream_create().
 */
int stream_make(struct system *system, struct partition *p,
		struct device *device, const struct phyp_stream_params *params,
		uint64_t park_timeout_ms, struct managed_stream **stream)
{
	struct managed_stream *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->system = system;
	new->id = params->id;
	new->role = params->role;
	new->hibernated = params->hibernated;
	new->device = device;
	new->created = (uint64_t)time(NULL);
	memcpy(new->partition_name, p->name, sizeof(new->partition_name));
	new->park_timeout_ns = park_timeout_ms * NSEC_PER_MSEC;
	if (new->park_timeout_ns) {
		ret = start_park_timer(system);
		if (ret < 0)
			goto err_free;
	}
	ret = phyp_stream_create(system->phyp, params, &new->phyp);
	if (ret)
		goto err_free;
	if (p->stream)
		stream_forget_partition(p->stream);
	p->stream = new;
	new->partition = p;
	TAILQ_INSERT_TAIL(&system->streams, new, link);
	system->stream_count++;
	*stream = new;
	return 0;

err_free:
	free(new);
	return ret;
}

static void unlink_stream(struct managed_stream *s)
{
	if (s->partition) {
		s->partition->stream = NULL;
		partition_stream(s->partition, 0, VASI_STATE_INVALID);
	}
	TAILQ_REMOVE(&s->system->streams, s, link);
	s->system->stream_count--;
	free(s);
}

/* What the move was like, when it is being forgotten */
static void log_move(const struct managed_stream *s, const struct phyp_stream_stats *stats)
{
	uint64_t taken = stats->completed_ns - stats->created_ns;
	uint64_t still = stats->suspended_ns ? stats->resumed_ns - stats->suspended_ns : 0;

	log_info("stream %016" PRIx64 ": %s of partition %s: %" PRIu64 " passes, %" PRIu64
		 " bytes, %" PRIu64 " pages demanded, %" PRIu64 " ms, of them %" PRIu64
		 " ms from Suspended to Resumed", s->id, stream_role_name(s),
		 s->partition_name, stats->passes, stats->bytes, stats->demanded,
		 taken / (uint64_t)NSEC_PER_MSEC, still / (uint64_t)NSEC_PER_MSEC);
}

/**
 * stream_end() - forget a stream that is final
 * @s:		gone on success
 *
 * Return: 0, or -EBUSY while it is not final or a session is open.
 */
int stream_end(struct managed_stream *s)
{
	struct system *system = s->system;
	struct phyp_stream_stats stats;
	bool completed;
	int ret;

	phyp_stream_stats(s->phyp, &stats);
	completed = stats.state == VASI_STATE_COMPLETED;
	ret = phyp_stream_end(s->phyp);
	if (ret)
		return ret;
	if (completed)
		log_move(s, &stats);
	if (completed && s->role == PHYP_TARGET) {
		system->whole[system->whole_next++] = s->id;
		system->whole_next %= ARRAY_SIZE(system->whole);
	}
	unlink_stream(s);
	return 0;
}

/**
 * stream_was_received() - is everything of a stream's partition here?
 * @system:	the target
 * @id:		stream that is here, or one of the last that were ended
 */
bool stream_was_received(struct system *system, uint64_t id)
{
	struct managed_stream *s = stream_find(system, id);
	struct phyp_stream_stats stats;

	if (s) {
		phyp_stream_stats(s->phyp, &stats);
		return s->role == PHYP_TARGET && stats.received;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(system->whole); i++)
		if (system->whole[i] == id)
			return true;
	return false;
}

/**
 * streams_destroy() - forget all, at the end of the program
 * @system:	its platform is destroyed already
 */
void streams_destroy(struct system *system)
{
	struct managed_stream *s;

	while ((s = TAILQ_FIRST(&system->streams)))
		unlink_stream(s);
	system->park_timer = sd_event_source_disable_unref(system->park_timer);
}

/**
 * streams_state_changed() - libphyp tells that a stream changed its state
 * @ctx:	system
 * @stream:	which one
 * @old:	state before
 * @new:	state now
 *
 * In the middle of libphyp's work: the loop looks at what waits afterwards.
 */
void streams_state_changed(void *ctx, struct phyp_stream *stream,
			   enum vasi_state old, enum vasi_state new)
{
	struct system *system = ctx;
	struct managed_stream *s;

	(void)old;
	TAILQ_FOREACH(s, &system->streams, link) {
		if (s->phyp != stream || !s->partition)
			continue;
		if (new == VASI_STATE_COMPLETED || new == VASI_STATE_ABORTED)
			history_add_stream(s);
		if (new == (s->role == PHYP_SOURCE ? VASI_STATE_ABORTED : VASI_STATE_COMPLETED))
			left_forget(system, s->partition->name);
		partition_stream(s->partition, s->id, new);
		partition_wake(s->partition);
	}
}
