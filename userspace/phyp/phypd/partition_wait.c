// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is told of a partition, and requests that wait for one of its states.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/util.h"
#include "phyp/phypd/inactive.h"
#include "phyp/phypd/partition.h"
#include "phyp/phypd/stream.h"

#define SAMPLE_NS	(200 * NSEC_PER_MSEC)

/**
 * struct partition_wait - a request that waits
 * @p:		for this partition
 * @req:	to be answered
 * @state:	the state, in lower case
 * @timeout_ms:	0 = none
 * @timer:	when it gives up
 */
struct partition_wait {
	TAILQ_ENTRY(partition_wait) link;
	struct partition *p;
	struct rpc_request *req;
	char state[24];
	uint64_t timeout_ms;
	sd_event_source *timer;
};

/* Bytes per second that became dirty since the last look some time ago */
static void measure_rate(struct partition *p, uint64_t steps)
{
	uint64_t now = now_ns();
	uint64_t elapsed = now - p->sample_ns;

	if (elapsed < SAMPLE_NS)
		return;
	if (steps >= p->sample_steps)
		p->dirty_rate = (uint64_t)((double)(steps - p->sample_steps) *
					   p->granule * NSEC_PER_SEC /
					   (double)elapsed);
	p->sample_ns = now;
	p->sample_steps = steps;
}

/* Which way it goes, and where the other end is */
static void set_migration(json_t *json, const struct image_note *note)
{
	json_object_set_new(json, note->type == IMAGE_NOTE_ARRIVING ? "arriving" : "departing",
			    rpc_json_stream_id(note->stream_id));
	json_object_set_new(json, "peer", json_string(note->peer));
}

/**
 * partition_json() - what partition.show tells
 * @p:		partition
 *
 * Return: a new object.
 */
json_t *partition_json(struct partition *p)
{
	struct home_stats stats = { 0 };
	uint64_t written = 0;
	json_t *json;

	if (p->home && p->home->ops->stats) {
		p->home->ops->stats(p->home, &stats);
		measure_rate(p, stats.steps);
	}
	if (p->lpar)
		written = phyp_lpar_written_since_resume(p->lpar);
	json = json_pack("{s:s, s:i, s:s, s:o, s:i, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", p->name,
		"lpar_id", (int)p->lpar_id,
		"state", partition_state_name(p),
		"memory", rpc_json_u64(p->memory.bytes),
		"granule", (int)p->granule,
		"role", partition_moving(p) ? stream_role_name(p->stream) : "none",
		"finished", (int)partition_finished(p),
		"steps", rpc_json_u64(stats.steps),
		"steps_here", rpc_json_u64(stats.steps_here),
		"steps_total", rpc_json_u64(p->program.steps),
		"dirty_rate", rpc_json_u64(p->state == PARTITION_RUNNING ?
					   p->dirty_rate : 0),
		"written_since_resume", rpc_json_u64(written),
		"pages", rpc_json_u64(p->memory.bytes / p->granule),
		"first_step_ns", rpc_json_u64(stats.first_step_ns),
		"last_step_ns", rpc_json_u64(stats.last_step_ns));
	if (json && p->damaged)
		json_object_set_new(json, "problem", json_string(p->damaged));
	if (json && p->note.type != IMAGE_NOTE_NONE)
		set_migration(json, &p->note);
	if (json && p->state == PARTITION_SHELL && p->reserved_for)
		json_object_set_new(json, "reserved_for", rpc_json_stream_id(p->reserved_for));
	if (json && inactive_migrating(p))
		set_migration(json, &p->inactive);
	if (json && p->home && p->home->ops->describe)
		p->home->ops->describe(p->home, json);
	return json;
}

static void end_wait(struct partition_wait *wait)
{
	TAILQ_REMOVE(&wait->p->waits, wait, link);
	sd_event_source_disable_unref(wait->timer);
	free(wait);
}

static bool reached(struct partition *p, const char *state)
{
	if (!strcmp(state, "finished"))
		return partition_finished(p) && p->state == PARTITION_RUNNING;
	return !strcasecmp(state, partition_state_name(p));
}

/* A partition that is gone from here will not finish here */
static bool hopeless(const struct partition *p, const char *state)
{
	return p->state == PARTITION_MOVED && strcmp(state, "moved");
}

static bool settle(struct partition *p, const char *state,
		   struct rpc_request *req)
{
	if (reached(p, state))
		rpc_reply(req, partition_json(p));
	else if (hopeless(p, state))
		rpc_fail(req, RPC_STATE, "partition %s has moved to another system",
			 p->name);
	else
		return false;
	return true;
}

/**
 * partition_changed() - answer the requests whose state is reached
 * @p:		partition
 */
void partition_changed(struct partition *p)
{
	struct partition_wait *wait, *next;

	for (wait = TAILQ_FIRST(&p->waits); wait; wait = next) {
		next = TAILQ_NEXT(wait, link);
		if (rpc_request_gone(wait->req))
			rpc_reply(wait->req, NULL);
		else if (!settle(p, wait->state, wait->req))
			continue;
		end_wait(wait);
	}
}

/**
 * partition_waits_end() - nothing will be reached any more
 * @p:		partition
 * @code:	enum rpc_code
 * @why:	completes "partition NAME: ..."
 */
void partition_waits_end(struct partition *p, int code, const char *why)
{
	struct partition_wait *wait;

	while ((wait = TAILQ_FIRST(&p->waits))) {
		rpc_fail(wait->req, code, "partition %s: %s", p->name, why);
		end_wait(wait);
	}
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct partition_wait *wait = data;

	(void)source;
	(void)usec;
	rpc_fail(wait->req, RPC_FAILED,
		 "partition %s is %s, not %s, after %" PRIu64 " ms",
		 wait->p->name, partition_state_name(wait->p), wait->state,
		 wait->timeout_ms);
	end_wait(wait);
	return 0;
}

/**
 * partition_wait() - wait for a state
 * @p:		partition
 * @state:	its name, in lower case
 * @timeout_ms:	0 = wait for ever
 * @req:	answered when it is reached, or cannot be any more
 */
void partition_wait(struct partition *p, const char *state,
		    uint64_t timeout_ms, struct rpc_request *req)
{
	struct partition_wait *wait;

	if (settle(p, state, req))
		return;
	/* Nothing may change for long: those who gave up make room */
	partition_changed(p);
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		goto err_fail;
	wait->p = p;
	wait->req = req;
	wait->timeout_ms = timeout_ms;
	strncpy(wait->state, state, sizeof(wait->state) - 1);
	if (timeout_ms &&
	    sd_event_add_time_relative(p->system->event, &wait->timer,
				       CLOCK_MONOTONIC, timeout_ms * 1000, 0,
				       on_timeout, wait) < 0)
		goto err_free;
	TAILQ_INSERT_TAIL(&p->waits, wait, link);
	return;

err_free:
	free(wait);
err_fail:
	rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
}
