// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is left of moves: given up, ended, or recovered.
 *
 * The rule behind all of it: until the source is Suspended a move may be given
 * up, the source first; from then on the target's record decides, and nothing is
 * done without its answer (Documentation/handover.rst).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/console.h"

#define END_MS	10000		/* for movers to close their sessions */

static uint64_t deadline_after(unsigned int ms)
{
	return now_ns() + ms * NSEC_PER_MSEC;
}

static json_t *id_params(const char *id)
{
	return json_pack("{s:s}", "stream_id", id);
}

/* ---- Pieces ---- */

static void stop_mover(const struct managed_system *system, const char *id)
{
	const struct msp *msp = find_mover(system, id, NULL);
	struct rpc_error err;

	if (!msp)
		return;
	/* Either may be refused: it has just ended, or is about to */
	msp_call(msp, "stop", id_params(id), NULL, &err);
	msp_call(msp, "wait", json_pack("{s:s, s:s, s:i}", "stream_id", id, "phase",
					"ended", "timeout_ms", 8000), NULL, &err);
}

/* Forget a stream that is final, as soon as movers have closed their sessions */
static int end_stream(const struct managed_system *system, const char *id, bool wait)
{
	uint64_t deadline = deadline_after(wait ? END_MS : 0);
	struct rpc_error err;

	while (system_call(system, "stream.end", id_params(id), NULL, &err)) {
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

/* Remove the partition if it is in this state; any other is left alone */
static int remove_if(const struct managed_system *system, const char *name,
		     const char *state)
{
	json_t *params = json_pack("{s:s}", "name", name);
	struct rpc_error err;
	json_t *partition = NULL;
	int ret;

	ret = system_call(system, "partition.show", json_incref(params), &partition, &err);
	if (!ret && !strcmp(text_of(partition, "state"), state) &&
	    !strcmp(text_of(partition, "role"), "none"))
		ret = system_call(system, "partition.remove", json_incref(params), NULL, &err);
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
		system_call(system, "stream.cancel", id_params(id), NULL, &err);
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
	end_agent(plan);
	if (plan->target) {
		/* The source will hand nothing over any more */
		ret = abort_stream(plan->target, plan->id);
		if (ret == -EBUSY)
			message("LPM0207",
				"Stream %s has been taken over on system %s although its source gave it up. Look at both with phypctl stream-show.",
				plan->id, plan->target->name);
		if (!ret)
			ret = end_stream(plan->target, plan->id, true);
		if (!ret && plan->reserved)
			ret = remove_if(plan->target, text_of(plan->partition, "name"), "Shell");
		if (ret)
			return ret == -EBUSY ? -EIO : ret;
	}
	return end_stream(plan->source, plan->id, true);
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
	uint64_t deadline = deadline_after(wait ? END_MS : 0);
	struct rpc_error err;
	json_t *stream;
	bool completed, open;
	int ret;

	do {
		ret = show_stream(plan->source, plan->id, &stream, &err);
		if (ret || !stream)
			return ret;
		completed = stream_is(stream, "Completed");
		open = number_of(stream, "sessions");
		json_decref(stream);
		if (open && wait)
			sleep_ms(10);
	} while (open && now_ns() < deadline);
	if (!completed || open)
		return -EAGAIN;
	ret = remove_if(plan->source, text_of(plan->partition, "name"), "Moved");
	if (!ret && plan->target)
		ret = end_stream(plan->target, plan->id, wait);
	return ret ? ret : end_stream(plan->source, plan->id, wait);
}

/* ---- Moves that are found ---- */

/*
 * The system that knows the stream as its target.  @silent: one did not answer,
 * which may be the one.
 */
static struct managed_system *find_target(struct console *console,
					  const struct managed_system *source,
					  const struct managed_system *only,
					  const char *id,
					  const struct managed_system **silent)
{
	struct rpc_error err;
	json_t *stream;
	bool target;

	for (size_t i = 0; i < console->nsystems; i++) {
		struct managed_system *system = &console->systems[i];

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

static void plan_for(struct plan *plan, struct managed_system *source,
		     struct managed_system *target, const char *id,
		     const char *partition)
{
	*plan = (struct plan) { .source = source, .target = target };
	snprintf(plan->id, sizeof(plan->id), "%s", id);
	plan->partition = json_pack("{s:s}", "name", partition);
}

static json_t *list_streams(const struct managed_system *system)
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
		if (silent && !target)
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
	else if (list)
		message("HSCL05DF",
			"Partition %s on system %s is %s: it does not migrate, so there is nothing to stop.",
			text_of(partition, "name"), source->name, lpar_state(partition));
	json_decref(list);
	json_decref(partition);
	return status;
}

/* ---- Recover ---- */

/* The pages that the target still lacks are on the source: move on */
static int recover_forward(struct console *console, struct plan *plan,
			   const struct move_options *options)
{
	printf("The target's record says resumed: partition %s runs on system %s, and still needs pages of system %s. The movers go on.\n",
	       text_of(plan->partition, "name"), plan->target->name, plan->source->name);
	fflush(stdout);
	if (plan_movers(plan) || move_start_movers(plan, options)) {
		message("LPM0206",
			"The movers could not go on; the pages are safe on system %s. Correct what is named above and run migrlpar -o r again.",
			plan->source->name);
		return EXIT_FAILED;
	}
	console_unlock(console);
	return move_watch(console, plan, options);
}

static const char *doing(const struct plan *plan)
{
	return plan->suspended ? "is suspended" : "runs";
}

/* The target's record decides; it has been read */
static int recover_by(struct console *console, struct plan *plan, const json_t *verdict,
		      const struct move_options *options)
{
	const char *name = text_of(plan->partition, "name");
	bool resumed = !strcmp(text_of(verdict, "verdict"), "resumed");
	/* The record of one that is suspended is written when all of it is there */
	bool received = flag_of(verdict, "received") || plan->suspended;
	struct rpc_error err;
	json_t *params;

	params = json_pack("{s:s, s:s, s:b}", "stream_id", plan->id, "verdict",
			   text_of(verdict, "verdict"), "received", (int)received);
	if (system_call(plan->source, "stream.recover", params, NULL, &err)) {
		call_message(plan->source, "recover the stream", &err);
		return EXIT_FAILED;
	}
	if (resumed && !received)
		return recover_forward(console, plan, options);
	if (resumed ? finish(plan, true) : undo(plan)) {
		message("LPM0205",
			"Partition %s %s on system %s (the target's record says %s), but not everything could be cleaned up. Run migrlpar -o r again.",
			name, doing(plan), resumed ? plan->target->name : plan->source->name,
			text_of(verdict, "verdict"));
		return EXIT_FAILED;
	}
	if (resumed)
		printf("The target's record says resumed: partition %s is on system %s; it was removed from system %s.\n",
		       name, plan->target->name, plan->source->name);
	else
		printf("The target's record says never: partition %s %s on system %s again; its shell was removed from system %s.\n",
		       name, doing(plan), plan->source->name, plan->target->name);
	return EXIT_DONE;
}

static int recover_suspended(struct console *console, struct plan *plan,
			     const struct managed_system *silent,
			     const struct move_options *options)
{
	struct rpc_error err;
	json_t *verdict = NULL;
	int status = EXIT_FAILED;

	if (!plan->target && silent)
		message("LPM0208",
			"System %s does not answer, and the target's record decides where partition %s runs: nothing was changed. Repeat this when it answers.",
			silent->name, text_of(plan->partition, "name"));
	else if (!plan->target)
		message("LPM0210",
			"No system of the console file knows stream %s as its target: nothing was changed. If the target was restarted since, use phypctl recover --restarted.",
			plan->id);
	else if (system_call(plan->target, "stream.verdict", id_params(plan->id), &verdict, &err))
		call_message(plan->target, "tell what its record says; nothing was changed", &err);
	else
		status = recover_by(console, plan, verdict, options);
	json_decref(verdict);
	return status;
}

static int recover_early(struct plan *plan, const struct managed_system *silent)
{
	if (undo(plan)) {
		message("LPM0205",
			"The migration could not be given up altogether. Run migrlpar -o r again.");
		return EXIT_FAILED;
	}
	printf("Partition %s is on system %s; what the migration left was removed.\n",
	       text_of(plan->partition, "name"), plan->source->name);
	if (plan->target || !silent)
		return EXIT_DONE;
	message("LPM0205",
		"System %s did not answer and may still have a shell of the partition. Repeat this when it answers.",
		silent->name);
	return EXIT_FAILED;
}

/*
 * Who the target was, by the name that the source was given: it may have been restarted,
 * and then has only the record.
 */
static struct managed_system *find_peer(struct console *console,
					struct managed_system *only, const json_t *of)
{
	struct managed_system *peer = console_find(console, text_of(of, "peer"));

	return only && peer != only ? NULL : peer;
}

/* What is left on the target of a stream that its source does not know any more */
static int clean_target(const struct plan *plan)
{
	struct rpc_error err;
	json_t *stream;
	int ret = show_stream(plan->target, plan->id, &stream, &err);

	if (ret) {
		call_message(plan->target, "show the stream", &err);
		return ret;
	}
	if (stream) {
		stop_mover(plan->target, plan->id);
		ret = end_stream(plan->target, plan->id, true);
	}
	json_decref(stream);
	return ret ? ret : remove_if(plan->target, text_of(plan->partition, "name"), "Shell");
}

/* The source was restarted: it has the image, and no stream */
static int settle_departed(struct plan *plan, const json_t *verdict)
{
	const char *name = text_of(plan->partition, "name");
	bool resumed = !strcmp(text_of(verdict, "verdict"), "resumed");
	struct rpc_error err;

	if (system_call(plan->source, "stream.recover",
			json_pack("{s:s, s:s}", "stream_id", plan->id, "verdict",
				  text_of(verdict, "verdict")), NULL, &err)) {
		call_message(plan->source, "recover the partition", &err);
		return EXIT_FAILED;
	}
	printf("The target's record says %s: partition %s is suspended on system %s; it was removed from system %s.\n",
	       resumed ? "resumed" : "never", name,
	       resumed ? plan->target->name : plan->source->name,
	       resumed ? plan->source->name : plan->target->name);
	if (!clean_target(plan))
		return EXIT_DONE;
	message("LPM0205",
		"Not everything could be cleaned up on system %s. Run migrlpar -o r again, with -t %s.",
		plan->target->name, plan->target->name);
	return EXIT_FAILED;
}

static int recover_departed(struct console *console, struct managed_system *source,
			    struct managed_system *only, const json_t *partition)
{
	const struct managed_system *silent = NULL;
	const char *id = text_of(partition, "departing");
	struct rpc_error err;
	json_t *verdict = NULL;
	struct plan plan;
	int status = EXIT_FAILED;

	plan_for(&plan, source, find_target(console, source, only, id, &silent), id,
		 text_of(partition, "name"));
	plan.suspended = true;
	if (!plan.target)
		plan.target = find_peer(console, only, partition);
	if (!plan.target)
		message("LPM0210",
			"No system of the console file is known as the target of stream %s: nothing was changed. Use phypctl recover --restarted.",
			id);
	else if (system_call(plan.target, "stream.verdict", id_params(id), &verdict, &err))
		call_message(plan.target, "tell what its record says; nothing was changed", &err);
	else
		status = settle_departed(&plan, verdict);
	json_decref(verdict);
	plan_release(&plan);
	return status;
}

static int recover_stream(struct console *console, struct managed_system *source,
			  struct managed_system *only, const json_t *stream,
			  const struct move_options *options)
{
	const struct managed_system *silent = NULL;
	const char *name = text_of(stream, "partition");
	const char *id = text_of(stream, "stream_id");
	struct plan plan;
	int status;

	plan_for(&plan, source, find_target(console, source, only, id, &silent), id, name);
	plan.reserved = true;
	plan.suspended = !strcmp(text_of(stream, "type"), "suspended");
	if (plan.suspended && !plan.target)
		plan.target = find_peer(console, only, stream);
	if (stream_is(stream, "Completed")) {
		status = finish(&plan, true) ? EXIT_FAILED : EXIT_DONE;
		printf("Partition %s is on %s%s.\n", name, plan.target ? "system " : "the target",
		       plan.target ? plan.target->name : "");
	} else if (number_of(stream, "sessions") && !stream_is(stream, "Aborted")) {
		message("HSCL05DF",
			"Partition %s is migrating (%s) and its movers are at work: there is nothing to recover. Wait for its end, or stop it with migrlpar -o s.",
			name, text_of(stream, "state"));
		status = EXIT_FAILED;
	} else if (stream_is_committing(stream)) {
		status = recover_suspended(console, &plan, silent, options);
	} else {
		status = recover_early(&plan, silent);
	}
	plan_release(&plan);
	return status;
}

/* A console that died early left a shell, which no source feeds */
static bool recover_shell(struct managed_system *source,
			  struct managed_system *target, const char *name)
{
	json_t *list = list_streams(target), *partition = NULL, *stream;
	struct rpc_error err;
	struct plan plan;
	bool done = false;

	stream = find_stream(list, "target", name, NULL);
	if (!list || system_call(target, "partition.show", json_pack("{s:s}", "name", name),
				 &partition, &err) ||
	    strcmp(text_of(partition, "state"), "Shell"))
		goto free_list;
	/* Movers at work: it is fed from a third system */
	if (number_of(stream, "sessions"))
		goto free_list;
	plan_for(&plan, source, target, stream ? text_of(stream, "stream_id") : "", name);
	plan.reserved = true;
	if (stream)
		done = !undo(&plan);
	else
		done = !remove_if(target, name, "Shell");
	plan_release(&plan);
	if (done)
		printf("Partition %s is on system %s; an unused shell was removed from system %s.\n",
		       name, source->name, target->name);
free_list:
	json_decref(partition);
	json_decref(list);
	return done;
}

/* Under the lock */
static int recover_locked(struct console *console, struct managed_system *source,
			  struct managed_system *target, const struct partition_key *key,
			  const struct move_options *options)
{
	json_t *partition, *list, *stream;
	int status = EXIT_FAILED;
	const char *name;

	if (find_partition(source, key, &partition))
		return EXIT_FAILED;
	name = text_of(partition, "name");
	list = list_streams(source);
	stream = find_stream(list, "source", name, NULL);
	if (stream)
		status = recover_stream(console, source, target, stream, options);
	else if (list && *text_of(partition, "departing"))
		status = recover_departed(console, source, target, partition);
	else if (list && target && recover_shell(source, target, name))
		status = EXIT_DONE;
	else if (list)
		message("HSCL05DF",
			"Partition %s on system %s is %s and in no migration: there is nothing to recover%s",
			name, source->name, lpar_state(partition), target ? "." :
			". If a shell is left on a target, name that with -t.");
	json_decref(list);
	json_decref(partition);
	return status;
}

/**
 * recover_move() - bring a migration that was interrupted to an end
 * @console:	the console
 * @source:	where the partition was
 * @target:	only this one may be the target; NULL: any
 * @key:	which partition
 * @options:	if the movers have to go on
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int recover_move(struct console *console, struct managed_system *source,
		 struct managed_system *target, const struct partition_key *key,
		 const struct move_options *options)
{
	int status;

	console_lock(console, true);
	status = recover_locked(console, source, target, key, options);
	console_unlock(console);
	return status;
}
