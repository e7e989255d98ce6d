// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recovery of migrations that were interrupted: on or back, as the target's record
 * says (Documentation/handover.rst), or for a partition that is not activated, the
 * source.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hmc/adapters.h"
#include "hmc/cleanup.h"
#include "hmc/move.h"

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
	else if (system_call(plan->target, "stream.verdict", stream_id_params(plan->id), &verdict, &err))
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
	const char *peer = text_of(of, "peer");

	/* One of another console may have the name of one here */
	if (only)
		return strcmp(only->name, peer) ? NULL : only;
	return console_find_peer(console, peer);
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
	return ret ? ret : remove_if(plan->target, text_of(plan->partition, "name"), "Shell",
				     plan->id);
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
	else if (system_call(plan.target, "stream.verdict", stream_id_params(id), &verdict, &err))
		call_message(plan.target, "tell what its record says; nothing was changed", &err);
	else
		status = settle_departed(&plan, verdict);
	json_decref(verdict);
	plan_release(&plan);
	return status;
}

/*
 * Could the target be asked?  One that was restarted does not know the stream any more,
 * and has nothing left of it; one that was not asked may have.
 */
static bool target_was_asked(struct console *console, const struct plan *plan,
			     struct managed_system *only,
			     const struct managed_system *silent, const json_t *stream)
{
	const char *peer = text_of(stream, "peer");

	if (plan->target || (!silent && (!*peer || find_peer(console, only, stream))))
		return true;
	message("LPM0210",
		"The target of stream %s is system %s, which %s: nothing was changed. Repeat this when it can be asked, without another -t, and with --ip if it is another console's.",
		plan->id, *peer ? peer : silent->name,
		silent ? "does not answer" : "was not asked");
	return false;
}

static int recover_completed(struct plan *plan)
{
	const char *name = text_of(plan->partition, "name");

	if (finish(plan, true)) {
		message("LPM0209",
			"Partition %s has migrated, but not everything could be cleaned up. Run migrlpar -o r again.",
			name);
		return EXIT_FAILED;
	}
	printf("Partition %s is on %s%s.\n", name, plan->target ? "system " : "the target",
	       plan->target ? plan->target->name : "");
	return EXIT_DONE;
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
	plan.verbose = options->verbose;
	plan.suspended = !strcmp(text_of(stream, "type"), "suspended");
	if (plan.suspended && !plan.target)
		plan.target = find_peer(console, only, stream);
	if (stream_is(stream, "Completed")) {
		status = target_was_asked(console, &plan, only, silent, stream) ?
			 recover_completed(&plan) : EXIT_FAILED;
	} else if (number_of(stream, "sessions") && !stream_is(stream, "Aborted")) {
		message("HSCL05DF",
			"Partition %s is migrating (%s) and its movers are at work: there is nothing to recover. Wait for its end, or stop it with migrlpar -o s.",
			name, text_of(stream, "state"));
		status = EXIT_FAILED;
	} else if (stream_is_committing(stream)) {
		status = recover_suspended(console, &plan, silent, options);
	} else {
		status = silent || target_was_asked(console, &plan, only, silent, stream) ?
			 recover_early(&plan, silent) : EXIT_FAILED;
	}
	plan_release(&plan);
	return status;
}

/* Of what an arriving partition had: its stream, if there is one, and its adapters */
static int remove_shell(struct plan *plan, const json_t *stream)
{
	const char *name = text_of(plan->partition, "name");
	int ret;

	if (stream) {
		plan->reserved = true;
		return undo(plan);
	}
	ret = adapters_detach_marked(plan->target, "", name);
	return ret < 0 ? ret : remove_if(plan->target, name, "Shell", plan->id);
}

/* Does a third system still know a target's stream as its source's? */
static bool is_fed_elsewhere(struct console *console, const struct managed_system *source,
			     const json_t *stream)
{
	const struct managed_system *peer = console_find(console, text_of(stream, "peer"));
	struct rpc_error err;
	json_t *other;
	bool fed;

	if (!peer || peer == source)
		return false;
	if (show_stream(peer, text_of(stream, "stream_id"), &other, &err))
		return true;
	fed = other && !stream_is(other, "Aborted");
	json_decref(other);
	return fed;
}

/* May what is there be taken for a shell that nobody feeds? */
static bool is_abandoned(struct console *console, const struct managed_system *source,
			 const struct managed_system *target, const char *name,
			 const json_t *stream)
{
	struct rpc_error err = { 0 };
	json_t *partition = NULL;
	bool abandoned;

	if (number_of(stream, "sessions") || is_fed_elsewhere(console, source, stream))
		return false;
	if (system_call(target, "partition.show", json_pack("{s:s}", "name", name),
			&partition, &err))
		return err.code == RPC_NOT_FOUND;
	abandoned = !strcmp(text_of(partition, "state"), "Shell");
	json_decref(partition);
	return abandoned;
}

/* How much of @name there is on the target: a shell, or adapters for one */
static int count_left(const struct managed_system *target, const char *name)
{
	struct rpc_error err;
	int shell = !system_call(target, "partition.show",
				 json_pack("{s:s}", "name", name), NULL, &err);

	return shell + adapters_count_marked(target, name);
}

/* A console that died early left a shell, which no source feeds */
static bool recover_shell(struct console *console, struct managed_system *source,
			  struct managed_system *target, const char *name)
{
	json_t *list = list_streams(target);
	json_t *stream = find_stream(list, "target", name, NULL);
	struct plan plan;
	bool done = false;

	if (!list || !is_abandoned(console, source, target, name, stream) ||
	    count_left(target, name) <= 0)
		goto free_list;
	plan_for(&plan, source, target, stream ? text_of(stream, "stream_id") : "", name);
	done = !remove_shell(&plan, stream);
	plan_release(&plan);
	if (done)
		printf("Partition %s is on system %s; an unused shell was removed from system %s.\n",
		       name, source->name, target->name);
free_list:
	json_decref(list);
	return done;
}

static bool is_inactive_end(const json_t *partition)
{
	return *text_of(partition, "departing") &&
	       !strcmp(text_of(partition, "state"), "Migrating - Not Activated");
}

/* It is on the source, and in no stream there */
static int recover_without_stream(struct console *console, struct managed_system *source,
				  struct managed_system *target, const json_t *partition)
{
	const char *name = text_of(partition, "name");
	int status;

	if (is_inactive_end(partition))
		return recover_inactive(console, source, target, partition);
	if (*text_of(partition, "departing"))
		return recover_departed(console, source, target, partition);
	if (target && recover_shell(console, source, target, name))
		return EXIT_DONE;
	status = recover_arrived(console, source, target, name);
	if (status != -ENOENT)
		return status;
	message("HSCL05DF",
		"Partition %s on system %s is %s and in no migration: there is nothing to recover%s",
		name, source->name, lpar_state(partition), target ? "." :
		". If a shell is left on a target, name that with -t.");
	return EXIT_FAILED;
}

/* Under the lock */
static int recover_locked(struct console *console, struct managed_system *source,
			  struct managed_system *target, const struct partition_key *key,
			  const struct move_options *options)
{
	json_t *partition, *list, *stream;
	int status = EXIT_FAILED;

	if (key->name && !partition_is_shown(source, key->name)) {
		status = recover_arrived(console, source, target, key->name);
		if (status != -ENOENT)
			return status;
	}
	if (find_partition(source, key, &partition))
		return EXIT_FAILED;
	list = list_streams(source);
	stream = find_stream(list, "source", text_of(partition, "name"), NULL);
	if (stream)
		status = recover_stream(console, source, target, stream, options);
	else if (list)
		status = recover_without_stream(console, source, target, partition);
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
