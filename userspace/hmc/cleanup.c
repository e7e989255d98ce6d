// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is left of moves that were given up, or have ended.
 *
 * The rule behind all of it: until the source is Suspended a move may be given
 * up, the source first; from then on the target's record decides, and nothing is
 * done without its answer (Documentation/handover.rst).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/adapters.h"
#include "hmc/cleanup.h"
#include "hmc/session.h"
#include "hmc/step.h"

#define END_MS	10000		/* for movers to close their sessions */

static uint64_t deadline_after(unsigned int ms)
{
	return now_ns() + ms * NSEC_PER_MSEC;
}

/**
 * stream_id_params() - parameters of the methods that want a stream's id
 * @id:		of the stream
 */
json_t *stream_id_params(const char *id)
{
	return json_pack("{s:s}", "stream_id", id);
}

/* ---- Pieces ---- */

/**
 * stop_mover() - let a system's mover give a stream up, and wait until it has ended
 * @system:	the system
 * @id:		of the stream
 */
void stop_mover(const struct managed_system *system, const char *id)
{
	const struct msp *msp = find_mover(system, id, NULL);
	struct rpc_error err;

	if (!msp)
		return;
	/* Either may be refused: it has just ended, or is about to */
	msp_call(msp, "stop", stream_id_params(id), NULL, &err);
	msp_call(msp, "wait", json_pack("{s:s, s:s, s:i}", "stream_id", id, "phase",
					"ended", "timeout_ms", 8000), NULL, &err);
}

/**
 * end_stream() - forget a stream that is final
 * @system:	the system
 * @id:		of the stream
 * @wait:	until movers have closed their sessions; else nothing is said
 *
 * Return: 0, also if there is none, or a negative errno.
 */
int end_stream(const struct managed_system *system, const char *id, bool wait)
{
	uint64_t deadline = deadline_after(wait ? END_MS : 0);
	struct rpc_error err;

	while (system_call(system, "stream.end", stream_id_params(id), NULL, &err)) {
		if (err.code == RPC_NOT_FOUND)
			return 0;
		if (err.code != RPC_STATE || now_ns() >= deadline) {
			if (wait)
				call_message(system, "forget the stream", &err);
			return err.code ? -EAGAIN : -EIO;
		}
		sleep_ms(10);
	}
	return 0;
}

/**
 * remove_if() - remove a partition if it is in a state; in any other it is left alone
 * @system:	the system
 * @name:	of the partition
 * @state:	the platform's word
 * @id:		a shell that was reserved for another stream is left alone, too; "" = none is
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int remove_if(const struct managed_system *system, const char *name, const char *state,
	      const char *id)
{
	json_t *params = json_pack("{s:s}", "name", name);
	struct rpc_error err;
	json_t *partition = NULL;
	const char *mark;
	int ret;

	ret = system_call(system, "partition.show", json_incref(params), &partition, &err);
	mark = text_of(partition, "reserved_for");
	if (!ret && !strcmp(text_of(partition, "state"), state) &&
	    !strcmp(text_of(partition, "role"), "none") &&
	    (!*mark || !*id || !strcmp(mark, id))) {
		if (*mark)
			json_object_set_new(params, "stream_id", json_string(mark));
		ret = system_call(system, "partition.remove", json_incref(params), NULL, &err);
	}
	if (ret && err.code == RPC_NOT_FOUND)
		ret = 0;
	if (ret)
		call_message(system, "remove the partition", &err);
	json_decref(partition);
	json_decref(params);
	return ret;
}

/* Bring one side's stream to Aborted.  0: it is, or there is none */
static int abort_stream(const struct managed_system *system, const char *id)
{
	struct rpc_error err;
	json_t *stream;
	int ret;

	ret = show_stream(system, id, &stream, &err);
	if (!ret && stream && !stream_is_final(stream) && !stream_is_committing(stream)) {
		stop_mover(system, id);
		system_call(system, "stream.cancel", stream_id_params(id), NULL, &err);
		json_decref(stream);
		ret = show_stream(system, id, &stream, &err);
	}
	if (ret) {
		call_message(system, "show the stream", &err);
		return ret;
	}
	if (stream && !stream_is(stream, "Aborted"))
		ret = -EBUSY;
	json_decref(stream);
	return ret;
}

/**
 * undo_target() - remove what a move made on its target
 * @plan:	target, id, partition; with reserved also a shell without a stream.  The
 *		source will hand nothing over any more
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int undo_target(struct plan *plan)
{
	const char *name = text_of(plan->partition, "name");
	int ret;

	ret = abort_stream(plan->target, plan->id);
	if (ret == -EBUSY)
		message("LPM0207",
			"Stream %s has been taken over on system %s although its source gave it up. Look at both with phypctl stream-show.",
			plan->id, plan->target->name);
	if (!ret)
		ret = adapters_detach_marked(plan->target, plan->id, name);
	if (ret >= 0)
		ret = end_stream(plan->target, plan->id, true);
	if (!ret && plan->reserved)
		ret = remove_if(plan->target, name, "Shell", plan->id);
	return ret;
}

/**
 * undo() - give a move up that is not committed
 * @plan:	source and target (NULL: none is known), id, partition; with reserved
 *		also a shell without a stream is removed
 *
 * Return: 0; -EBUSY if it is too late, and nothing was changed; another negative
 * errno if something is left, and the user has been told what.
 */
int undo(struct plan *plan)
{
	int ret;

	ret = abort_stream(plan->source, plan->id);
	if (ret)
		return ret;
	step_undo(plan);
	end_agent(plan);
	if (plan->target) {
		ret = undo_target(plan);
		if (ret)
			return ret == -EBUSY ? -EIO : ret;
	}
	return end_stream(plan->source, plan->id, true);
}

/* -ENOENT: somebody else has cleaned up; -EAGAIN: not yet */
static int wait_completed(const struct plan *plan, bool wait)
{
	uint64_t deadline = deadline_after(wait ? END_MS : 0);
	struct rpc_error err;
	json_t *stream;
	bool completed, open;
	int ret;

	do {
		ret = show_stream(plan->source, plan->id, &stream, &err);
		if (ret)
			return ret;
		if (!stream)
			return -ENOENT;
		completed = stream_is(stream, "Completed");
		open = number_of(stream, "sessions");
		json_decref(stream);
		if (open && wait)
			sleep_ms(10);
	} while (open && now_ns() < deadline);
	return completed && !open ? 0 : -EAGAIN;
}

/* What hosted it goes before it does: it tells what is still to be removed */
static int remove_source(struct plan *plan)
{
	json_t *name = json_pack("{s:s}", "name", text_of(plan->partition, "name"));
	json_t *partition = NULL;
	struct rpc_error err;
	int ret;

	ret = system_call(plan->source, "partition.show", name, &partition, &err);
	if (ret)
		return err.code == RPC_NOT_FOUND ? 0 : ret;
	if (!strcmp(text_of(partition, "state"), "Moved")) {
		step_begin(plan, STEP_UNCONFIGURE);
		ret = adapters_detach_departed(plan->source, partition);
		if (!ret) {
			step_begin(plan, STEP_REMOVE);
			ret = remove_if(plan->source, text_of(partition, "name"), "Moved", "");
		}
	}
	json_decref(partition);
	return ret;
}

/* For its history, which the target's platform has begun: what only the source knows */
static void note_move(const struct plan *plan)
{
	struct rpc_error err;
	json_t *stream, *note;
	int64_t suspended, resumed;

	if (show_stream(plan->source, plan->id, &stream, &err) || !stream)
		return;
	note = json_pack("{s:s, s:s, s:s, s:I, s:I}",
			 "name", text_of(plan->partition, "name"), "stream_id", plan->id,
			 "by", session_user(),
			 "bytes", (json_int_t)number_of(stream, "bytes"),
			 "total_ms", (json_int_t)((number_of(stream, "completed_ns") -
						   number_of(stream, "created_ns")) /
						  (int64_t)NSEC_PER_MSEC));
	suspended = number_of(stream, "suspended_ns");
	resumed = number_of(stream, "resumed_ns");
	/* One that is suspended before and afterwards has no Resumed */
	if (resumed > suspended)
		json_object_set_new(note, "blackout_ms",
				    json_integer((resumed - suspended) /
						 (int64_t)NSEC_PER_MSEC));
	/* It may have moved on already: then this is lost, and nothing else */
	system_call(plan->target, "partition.note", note, NULL, &err);
	json_decref(stream);
}

/**
 * finish_target() - what a move that completed has left on its target
 * @plan:	target and id
 * @wait:	wait for movers to close their sessions
 *
 * Return: 0, or a negative errno: something is left.
 */
int finish_target(const struct plan *plan, bool wait)
{
	int ret = adapters_settle(plan->target, plan->id);

	return ret ? ret : end_stream(plan->target, plan->id, wait);
}

/**
 * finish() - clean up after a move that completed
 * @plan:	source and target (NULL: none is known), id, partition
 * @wait:	wait for movers to close their sessions
 *
 * The source's stream goes last: as long as it is there, any command can go on.
 *
 * Return: 0, or a negative errno: something is left.
 */
int finish(struct plan *plan, bool wait)
{
	int ret;

	ret = wait_completed(plan, wait);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	if (plan->target) {
		step_begin(plan, STEP_SETTLE);
		note_move(plan);
		ret = adapters_settle(plan->target, plan->id);
	}
	if (!ret)
		ret = remove_source(plan);
	if (!ret && plan->target)
		ret = end_stream(plan->target, plan->id, wait);
	return ret ? ret : end_stream(plan->source, plan->id, wait);
}

/* ---- Moves that are found ---- */

/* As find_target(), among some systems */
static struct managed_system *find_among(struct managed_system *systems, size_t count,
					 const struct managed_system *source,
					 const struct managed_system *only, const char *id,
					 const struct managed_system **silent)
{
	struct rpc_error err;
	json_t *stream;
	bool target;

	for (size_t i = 0; i < count; i++) {
		struct managed_system *system = &systems[i];

		if (system == source || (only && system != only))
			continue;
		if (show_stream(system, id, &stream, &err)) {
			*silent = system;
			continue;
		}
		target = !strcmp(text_of(stream, "role"), "target");
		json_decref(stream);
		if (target)
			return system;
	}
	return NULL;
}

/**
 * find_target() - the system that knows a stream as its target
 * @console:	the console
 * @source:	is not it
 * @only:	no other is asked; NULL = all
 * @id:		of the stream
 * @silent:	set to a system that did not answer, and may be the one
 *
 * Also one that the user does not see: half of a move must not be forgotten.
 *
 * Return: the system, or NULL.
 */
struct managed_system *find_target(struct console *console,
				   const struct managed_system *source,
				   const struct managed_system *only,
				   const char *id,
				   const struct managed_system **silent)
{
	struct managed_system *target = find_among(console->systems, console->nsystems, source,
						   only, id, silent);

	return target ? target : find_among(console->hidden, console->nhidden, source, only,
					    id, silent);
}

/**
 * plan_for() - a plan of a migration that another command began
 * @plan:	filled in
 * @source:	the system that the partition was on
 * @target:	the other one, or NULL: not known
 * @id:		of the stream
 * @partition:	its name
 */
void plan_for(struct plan *plan, struct managed_system *source,
	      struct managed_system *target, const char *id,
	      const char *partition)
{
	*plan = (struct plan) { .source = source, .target = target };
	snprintf(plan->id, sizeof(plan->id), "%s", id);
	plan->partition = json_pack("{s:s}", "name", partition);
}

/**
 * list_streams() - all streams of a system
 * @system:	the system
 *
 * Return: the answer of stream.list, the caller's, or NULL: the user has been told.
 */
json_t *list_streams(const struct managed_system *system)
{
	struct rpc_error err;
	json_t *list = NULL;

	if (system_call(system, "stream.list", NULL, &list, &err))
		call_message(system, "list its streams", &err);
	return list;
}

/**
 * settle() - clean up after moves from a system that completed meanwhile
 * @console:	the console
 * @system:	the source
 *
 * What cannot be done now is left to the next who asks; nothing is said.
 */
void settle(struct console *console, struct managed_system *system)
{
	const struct managed_system *silent;
	struct managed_system *target;
	struct rpc_error err;
	json_t *list = NULL, *stream;
	struct plan plan;
	size_t i;

	if (console_lock(console, false))
		return;
	if (system_call(system, "stream.list", NULL, &list, &err))
		goto unlock;
	json_array_foreach(json_object_get(list, "streams"), i, stream) {
		if (strcmp(text_of(stream, "role"), "source") ||
		    !stream_is(stream, "Completed"))
			continue;
		silent = NULL;
		target = find_target(console, system, NULL, text_of(stream, "stream_id"),
				     &silent);
		/* Left to a command, or a user, that reaches both ends */
		if (!target && silent)
			continue;
		plan_for(&plan, system, target, text_of(stream, "stream_id"),
			 text_of(stream, "partition"));
		finish(&plan, false);
		plan_release(&plan);
	}
	json_decref(list);
unlock:
	console_unlock(console);
}

/**
 * clean_failed() - forget earlier moves of a partition that failed
 * @console:	the console
 * @source:	the system where the partition is
 * @partition:	its name
 *
 * Return: 0, or a negative errno; the user has been told.
 */
int clean_failed(struct console *console, struct managed_system *source,
		 const char *partition)
{
	const struct managed_system *silent = NULL;
	json_t *list = list_streams(source);
	json_t *stream;
	struct plan plan;
	int ret = list ? 0 : -EIO;
	size_t i;

	json_array_foreach(json_object_get(list, "streams"), i, stream) {
		const char *id = text_of(stream, "stream_id");

		if (ret || strcmp(text_of(stream, "role"), "source") ||
		    strcmp(text_of(stream, "partition"), partition) ||
		    !stream_is(stream, "Aborted"))
			continue;
		plan_for(&plan, source, find_target(console, source, NULL, id, &silent), id,
			 partition);
		ret = undo(&plan);
		plan_release(&plan);
	}
	json_decref(list);
	return ret;
}

/* ---- Stop ---- */

static int refuse_stop(const char *name, const json_t *stream)
{
	message("HSCL05DF",
		"The migration of partition %s cannot be stopped: the source's stream is %s, and from Suspended on the target may run the partition. Wait for its end, or, if it was interrupted, run migrlpar -o r.",
		name, text_of(stream, "state"));
	return EXIT_FAILED;
}

static int stop_stream(struct console *console, struct managed_system *source,
		       const char *name, const json_t *stream)
{
	const char *peer = text_of(stream, "peer");
	const struct managed_system *silent = NULL;
	struct managed_system *target;
	struct rpc_error err;
	struct plan plan;
	json_t *now;
	int ret;

	if (stream_is_committing(stream))
		return refuse_stop(name, stream);
	target = find_target(console, source, NULL, text_of(stream, "stream_id"), &silent);
	plan_for(&plan, source, target, text_of(stream, "stream_id"), name);
	ret = undo(&plan);
	if (ret == -EBUSY && !show_stream(source, plan.id, &now, &err)) {
		refuse_stop(name, now);
		json_decref(now);
	} else if (!ret && silent && !target) {
		message("LPM0205",
			"The migration was stopped on system %s; system %s did not answer and may still have its part. When it does, run migrlpar -o r.",
			source->name, silent->name);
	} else if (!ret && !target && *peer && !console_find(console, peer)) {
		message("LPM0205",
			"The migration was stopped on system %s; system %s could not be asked and may still have its part. Where it can be, run migrlpar -o r -t %s, with --ip if it is another console's.",
			source->name, peer, peer);
	}
	plan_release(&plan);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

/**
 * stop_move() - stop a partition's migration
 * @console:	the console
 * @source:	where the partition is
 * @key:	which partition
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int stop_move(struct console *console, struct managed_system *source,
	      const struct partition_key *key)
{
	json_t *partition, *list, *stream;
	int status = EXIT_FAILED;

	if (find_partition(source, key, &partition))
		return EXIT_FAILED;
	list = list_streams(source);
	stream = find_stream(list, "source", text_of(partition, "name"), NULL);
	if (stream && !stream_is(stream, "Aborted"))
		status = stop_stream(console, source, text_of(partition, "name"), stream);
	else if (list && *text_of(partition, "departing"))
		message("HSCL05DF",
			"The migration of partition %s to system %s cannot be stopped: it is %s on system %s, and no mover is at work. Wait for its end, or, if it was interrupted, run migrlpar -o r.",
			text_of(partition, "name"), text_of(partition, "peer"),
			lpar_state(partition), source->name);
	else if (list)
		message("HSCL05DF",
			"Partition %s on system %s is %s: it does not migrate, so there is nothing to stop.",
			text_of(partition, "name"), source->name, lpar_state(partition));
	json_decref(list);
	json_decref(partition);
	return status;
}
