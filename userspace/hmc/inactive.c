// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration of a partition that is not activated: no movers and no stream.
 *
 * Both ends are marked with the migration's id, so that neither can be activated.  The
 * partition is the target's from the moment at which the source's platform has removed
 * it.  Whoever gives the migration up takes the mark off the source first: then it is
 * not removed any more, whoever else is still at it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hmc/adapters.h"
#include "hmc/cleanup.h"
#include "hmc/move.h"
#include "hmc/session.h"
#include "hmc/step.h"

static json_t *mark_params(const struct plan *plan)
{
	return json_pack("{s:s, s:s}", "name", text_of(plan->partition, "name"),
			 "stream_id", plan->id);
}

static json_t *show(const struct managed_system *system, const struct plan *plan,
		    struct rpc_error *err)
{
	json_t *partition = NULL;

	system_call(system, "partition.show",
		    json_pack("{s:s}", "name", text_of(plan->partition, "name")),
		    &partition, err);
	return partition;
}

/* ---- Back ---- */

/* Remove what was defined on the target, if it is of this migration */
static int remove_arriving(const struct plan *plan)
{
	struct rpc_error err = { 0 };
	json_t *partition;
	int ret;

	ret = adapters_detach_marked(plan->target, plan->id, text_of(plan->partition, "name"));
	if (ret < 0)
		return ret;
	ret = 0;
	partition = show(plan->target, plan, &err);
	if (!partition && err.code == RPC_NOT_FOUND)
		return 0;
	if (!partition) {
		call_message(plan->target, "show the partition", &err);
		return -EIO;
	}
	if (!strcmp(text_of(partition, "arriving"), plan->id) &&
	    system_call(plan->target, "partition.remove", mark_params(plan), NULL, &err) &&
	    err.code != RPC_NOT_FOUND) {
		call_message(plan->target, "remove what was made there", &err);
		ret = -EIO;
	}
	json_decref(partition);
	return ret;
}

/*
 * Is what the source has the partition that was to migrate?  Its history says that it
 * stayed; one that was made anew under its name does not know of that.
 */
static bool has_stayed(const struct plan *plan)
{
	struct rpc_error err;
	json_t *history = NULL, *move;
	bool stayed = false;
	size_t i;

	system_call(plan->source, "partition.history",
		    json_pack("{s:s}", "name", text_of(plan->partition, "name")), &history, &err);
	json_array_foreach(json_object_get(history, "moves"), i, move)
		stayed |= !strcmp(text_of(move, "stream_id"), plan->id);
	json_decref(history);
	return stayed;
}

static void message_another(const struct plan *plan)
{
	const char *name = text_of(plan->partition, "name");

	message("LPM0207",
		"Partition %s of system %s is not the one that migrates to system %s in stream %s, but another of that name: nothing was changed. Remove it (rmsyscfg -r lpar -m %s -n %s), and run migrlpar -o r again.",
		name, plan->source->name, plan->target->name, plan->id, plan->source->name,
		name);
}

/* 0: the partition is the source's; -ENOENT: it is not there any more */
static int give_up(struct plan *plan)
{
	struct rpc_error err;

	step_undo(plan);
	if (system_call(plan->source, "partition.stay", mark_params(plan), NULL, &err) &&
	    err.code != RPC_STATE) {
		if (err.code == RPC_NOT_FOUND)
			return -ENOENT;
		call_message(plan->source, "keep the partition", &err);
		return -EIO;
	}
	return remove_arriving(plan);
}

/* ---- Forward ---- */

/* For its history; without it nothing else is lost */
static void note_who(const struct plan *plan)
{
	struct rpc_error err;
	json_t *note = mark_params(plan);

	json_object_set_new(note, "by", json_string(session_user()));
	system_call(plan->target, "partition.note", note, NULL, &err);
}

/* What follows once the source has removed it.  The target's mark goes last */
static int arrive(struct plan *plan)
{
	struct rpc_error err;
	int ret;

	step_begin(plan, STEP_UNCONFIGURE);
	ret = adapters_detach_departed(plan->source, plan->partition);
	if (ret)
		return ret;
	step_begin(plan, STEP_SETTLE);
	ret = adapters_settle(plan->target, plan->id);
	if (ret)
		return ret;
	if (system_call(plan->target, "partition.arrived", mark_params(plan), NULL, &err)) {
		call_message(plan->target, "let the partition arrive", &err);
		return -EIO;
	}
	note_who(plan);
	return 0;
}

static int define_there(struct plan *plan, const struct move_options *options)
{
	struct rpc_error err;
	json_t *params = mark_params(plan);
	int ret;

	json_object_set_new(params, "peer", json_string(plan->target->name));
	ret = system_call(plan->source, "partition.depart", params, NULL, &err);
	if (ret) {
		place_message(plan->source, NULL, "let the partition migrate", &err);
		return ret;
	}
	ret = adapters_keep(plan->source, plan->partition);
	if (!ret)
		ret = partition_holds(plan);
	if (ret)
		return ret;
	step_begin(plan, STEP_PROFILE);
	ret = partition_create(plan, options);
	if (ret)
		return ret;
	step_begin(plan, STEP_VIRTUAL_IO);
	return adapters_attach(plan);
}

/* 0: it is the target's; -EAGAIN: nobody knows; another errno: it is the source's */
static int remove_here(struct plan *plan)
{
	struct rpc_error err;
	json_t *partition;
	bool kept;

	step_begin(plan, STEP_REMOVE);
	if (!system_call(plan->source, "partition.remove", mark_params(plan), NULL, &err))
		return 0;
	call_message(plan->source, "remove the partition", &err);
	if (err.code)
		return err.code == RPC_NOT_FOUND ? 0 : -EIO;
	/* The answer is missing, and perhaps no more than that */
	partition = show(plan->source, plan, &err);
	if (!partition)
		return err.code == RPC_NOT_FOUND ? 0 : -EAGAIN;
	kept = !strcmp(text_of(partition, "departing"), plan->id) || has_stayed(plan);
	json_decref(partition);
	return kept ? -EIO : -EAGAIN;
}

static void message_not_known(const struct plan *plan)
{
	message("LPM0205",
		"System %s does not tell whether it has removed partition %s, which is defined on system %s too; neither can be activated. When it answers, run migrlpar -o r -m %s -t %s -p %s.",
		plan->source->name, text_of(plan->partition, "name"), plan->target->name,
		plan->source->name, plan->target->name, text_of(plan->partition, "name"));
}

static void message_left(const struct plan *plan)
{
	message("LPM0205",
		"What had been begun could not be undone altogether, or not be ended. Run migrlpar -o r -m %s -t %s -p %s.",
		plan->source->name, plan->target->name, text_of(plan->partition, "name"));
}

/**
 * move_inactive() - migrate a partition that is not activated
 * @plan:	as validation left it
 * @options:	how
 *
 * The target sets its memory aside when it makes it.
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int move_inactive(struct plan *plan, const struct move_options *options)
{
	int ret;

	ret = choose_id(plan->id);
	if (ret)
		return ret;
	ret = define_there(plan, options);
	if (!ret) {
		ret = remove_here(plan);
		if (ret == -EAGAIN) {
			message_not_known(plan);
			return ret;
		}
	}
	if (ret) {
		if (give_up(plan))
			message_left(plan);
		return ret;
	}
	ret = arrive(plan);
	if (ret)
		message_left(plan);
	return ret;
}

/* ---- Recovery ---- */

static int recovered_forward(struct plan *plan)
{
	if (arrive(plan)) {
		message_left(plan);
		return EXIT_FAILED;
	}
	printf("System %s has removed partition %s: it is defined on system %s now.\n",
	       plan->source->name, text_of(plan->partition, "name"), plan->target->name);
	return EXIT_DONE;
}

/* It is not departing in this migration: was it kept, or is it another one? */
static int recovered_back(struct plan *plan)
{
	if (!has_stayed(plan)) {
		message_another(plan);
		return EXIT_FAILED;
	}
	if (remove_arriving(plan))
		return EXIT_FAILED;
	printf("Partition %s is on system %s; what was made on system %s was removed.\n",
	       text_of(plan->partition, "name"), plan->source->name, plan->target->name);
	return EXIT_DONE;
}

/**
 * recover_inactive() - give up a migration whose partition is still on the source
 * @console:	the console
 * @source:	where it is
 * @only:	no other system can be the target; NULL = any
 * @partition:	as partition.show tells; it is departing
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int recover_inactive(struct console *console, struct managed_system *source,
		     struct managed_system *only, const json_t *partition)
{
	const char *peer = text_of(partition, "peer");
	struct managed_system *target = only ? only : console_find_peer(console, peer);
	int status = EXIT_FAILED;
	struct plan plan;
	int ret;

	if (!target || strcmp(target->name, peer)) {
		message("LPM0210",
			"Partition %s was to migrate to system %s, which %s: nothing was changed. %s.",
			text_of(partition, "name"), peer,
			target ? "-t does not name" : "the console file does not have",
			target ? "Name that one, or none" :
			"Add it, or, if it is another console's, name that with --ip");
		return EXIT_FAILED;
	}
	plan_for(&plan, source, target, text_of(partition, "departing"),
		 text_of(partition, "name"));
	ret = give_up(&plan);
	if (ret == -ENOENT) {
		status = recovered_forward(&plan);
	} else if (ret) {
		message_left(&plan);
	} else {
		printf("System %s had not removed partition %s: it stays there, and what was made on system %s was removed.\n",
		       source->name, text_of(partition, "name"), target->name);
		status = EXIT_DONE;
	}
	plan_release(&plan);
	return status;
}

/* Is there one of that name on @target that comes from @source? */
static json_t *find_arriving(const struct managed_system *source,
			     const struct managed_system *target, const char *name)
{
	struct rpc_error err;
	json_t *partition = NULL;

	if (!system_call(target, "partition.show", json_pack("{s:s}", "name", name),
			 &partition, &err) &&
	    *text_of(partition, "arriving") &&
	    !strcmp(text_of(partition, "state"), "Migrating - Not Activated") &&
	    !strcmp(text_of(partition, "peer"), source->name))
		return partition;
	json_decref(partition);
	return NULL;
}

/**
 * recover_arrived() - end a migration whose partition the source no longer has, or has kept
 * @console:	the console
 * @source:	where it was
 * @only:	no other system can be the target; NULL = any
 * @name:	of the partition
 *
 * Return: EXIT_DONE or EXIT_FAILED: the user has been told; -ENOENT: there is no such
 * migration.
 */
int recover_arrived(struct console *console, struct managed_system *source,
		    struct managed_system *only, const char *name)
{
	struct rpc_error err = { 0 };
	json_t *partition, *kept;
	struct plan plan;
	int status = -ENOENT;

	for (size_t i = 0; i < console->nsystems && status == -ENOENT; i++) {
		struct managed_system *target = &console->systems[i];

		if (target == source || (only && target != only))
			continue;
		partition = find_arriving(source, target, name);
		if (!partition)
			continue;
		plan_for(&plan, source, target, text_of(partition, "arriving"), name);
		kept = show(source, &plan, &err);
		if (!kept && err.code == RPC_NOT_FOUND)
			status = recovered_forward(&plan);
		else if (kept && strcmp(text_of(kept, "departing"), plan.id))
			status = recovered_back(&plan);
		json_decref(kept);
		json_decref(partition);
		plan_release(&plan);
	}
	return status;
}
