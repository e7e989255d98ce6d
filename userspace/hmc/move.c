// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A migration: begun, watched, and brought to its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/adapters.h"
#include "hmc/cleanup.h"
#include "hmc/console.h"
#include "hmc/move.h"
#include "hmc/progress.h"
#include "hmc/step.h"

#define LOOK_MS		250		/* between two looks at how far it is */
#define MOVING_MS	8000		/* for the movers to find each other */
#define TELL_MS		10000		/* for the partition to tell its kernel */
#define SETTLE_MS	15000		/* for the platforms to agree */

/* ---- What is made on both sides ---- */

static json_t *stream_params(const struct plan *plan, bool source)
{
	const json_t *peer = source ? plan->target_info : plan->source_info;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}",
				    "stream_id", plan->id,
				    "role", source ? "source" : "target",
				    "peer", source ? plan->target->name :
						     plan->source->name,
				    "partition", text_of(plan->partition, "name"),
				    "device", source ? plan->source_msp->device :
						       plan->target_msp->device,
				    "peer_stream_major",
				    (json_int_t)number_of(peer, "stream_major"),
				    "peer_stream_minor",
				    (json_int_t)number_of(peer, "stream_minor"));
}

static int make_stream(const struct plan *plan, bool source,
		       const struct move_options *options)
{
	const struct managed_system *system = source ? plan->source : plan->target;
	json_t *params = stream_params(plan, source);
	struct rpc_error err;
	int ret;

	if (options->all_pages)
		json_object_set_new(params, "all_pages_before_resume", json_true());
	if (source && options->suspend)
		json_object_set_new(params, "suspend", json_string(options->suspend));
	if (source && options->suspend_ms)
		json_object_set_new(params, "suspend_timeout_ms",
				    json_integer(options->suspend_ms));
	ret = system_call(system, "stream.create", params, NULL, &err);
	if (ret)
		place_message(system, NULL, "create the stream", &err);
	return ret;
}

/* ---- Movers ---- */

static bool mover_has_device(const struct msp *msp, const char *path)
{
	json_t *info = NULL, *device;
	struct rpc_error err;
	bool found = false;
	size_t i;

	if (msp_call(msp, "info", NULL, &info, &err))
		return false;
	json_array_foreach(json_object_get(info, "devices"), i, device)
		found |= !strcmp(text_of(device, "path"), path);
	json_decref(info);
	return found;
}

/* Where the mover knows the device by the platform's path, it is told which */
static void set_device(json_t *params, const struct msp *msp, const json_t *info)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(info, "devices"), i, device) {
		const char *path = text_of(device, "path");

		if (!strcmp(text_of(device, "name"), msp->device) &&
		    mover_has_device(msp, path))
			json_object_set_new(params, "device", json_string(path));
	}
}

/* Who a mover is, for the other to know its peer by */
static json_t *mover_identity(const struct managed_system *system, const struct msp *msp)
{
	json_t *identity, *info = NULL;
	struct rpc_error err;

	if (msp_call(msp, "info", NULL, &info, &err)) {
		msp_message(system, msp, "tell its identity", &err);
		return NULL;
	}
	identity = json_incref(json_object_get(info, "identity"));
	json_decref(info);
	return identity ? identity : json_string("");
}

static int start_target(const struct plan *plan, json_t *source_identity, int64_t *port)
{
	json_t *params = json_pack("{s:s, s:s, s:s, s:O}", "stream_id", plan->id,
				   "role", "target", "listen", plan->target_msp->address,
				   "peer_identity", source_identity);
	struct rpc_error err;
	json_t *answer = NULL;
	int ret;

	set_device(params, plan->target_msp, plan->target_info);
	ret = msp_call(plan->target_msp, "start", params, &answer, &err);
	if (ret)
		place_message(plan->target, plan->target_msp, "start as the target", &err);
	*port = number_of(answer, "port");
	json_decref(answer);
	return ret;
}

/* What the user wants of how it goes */
static void set_pace(json_t *params, const struct move_options *options)
{
	if (options->limit >= 0)
		json_object_set_new(params, "limit", json_integer(options->limit));
	if (options->downtime_ms >= 0)
		json_object_set_new(params, "suspend",
				    json_pack("{s:I}", "downtime_ms",
					      (json_int_t)options->downtime_ms));
}

static int start_source(const struct plan *plan, json_t *target_identity, int64_t port,
			const struct move_options *options)
{
	const char *address = plan->target_msp->address;
	bool brackets = strchr(address, ':');
	struct rpc_error err;
	json_t *params;
	char peer[80];
	int ret;

	snprintf(peer, sizeof(peer), "%s%s%s:%" PRId64, brackets ? "[" : "", address,
		 brackets ? "]" : "", port);
	params = json_pack("{s:s, s:s, s:s, s:O}", "stream_id", plan->id, "role", "source",
			   "peer", peer, "peer_identity", target_identity);
	set_device(params, plan->source_msp, plan->source_info);
	set_pace(params, options);
	ret = msp_call(plan->source_msp, "start", params, NULL, &err);
	if (ret)
		place_message(plan->source, plan->source_msp, "start as the source", &err);
	return ret;
}

/* Until both movers have found each other */
static int wait_moving(const struct plan *plan)
{
	struct rpc_error err;
	json_t *status = NULL;
	const char *phase;
	int ret;

	ret = msp_call(plan->source_msp, "wait",
		       json_pack("{s:s, s:s, s:i}", "stream_id", plan->id, "phase", "moving",
				 "timeout_ms", MOVING_MS), &status, &err);
	if (ret) {
		msp_message(plan->source, plan->source_msp, "begin to move", &err);
		return ret;
	}
	phase = text_of(status, "phase");
	if (!strcmp(phase, "failed") || !strcmp(phase, "aborted")) {
		message("LPM0201", "The movers could not begin: %s.", text_of(status, "error"));
		ret = -EIO;
	}
	json_decref(status);
	return ret;
}

/**
 * move_start_movers() - let both movers begin, the target first
 * @plan:	streams are there, or parked
 * @options:	how
 *
 * Return: 0 or a negative errno; the user has been told.
 */
int move_start_movers(struct plan *plan, const struct move_options *options)
{
	json_t *source = mover_identity(plan->source, plan->source_msp);
	json_t *target = mover_identity(plan->target, plan->target_msp);
	int64_t port;
	int ret = -EIO;

	if (source && target)
		ret = start_target(plan, source, &port);
	if (!ret)
		ret = start_source(plan, target, port, options);
	json_decref(source);
	json_decref(target);
	return ret ? ret : wait_moving(plan);
}

/* ---- Begin ---- */

/* From now on it may suspend itself */
static int tell_partition(struct plan *plan)
{
	struct rpc_error err;

	plan->told = true;
	if (!tell_agent(plan->source, plan, "pre", TELL_MS, &err))
		return 0;
	message("LPM0211",
		"It was the partition that did not begin to migrate: %s. The migration is given up; the partition runs on system %s.",
		err.text, plan->source->name);
	return -EIO;
}

static int begin_active(struct plan *plan, const struct move_options *options)
{
	int ret;

	ret = choose_id(plan->id);
	if (ret)
		return ret;
	ret = adapters_keep(plan->source, plan->partition);
	if (ret)
		return ret;
	step_begin(plan, STEP_PROFILE);
	ret = shell_reserve(plan, options);
	if (ret)
		return ret;
	step_begin(plan, STEP_VIRTUAL_IO);
	ret = adapters_attach(plan);
	if (ret)
		return ret;
	step_begin(plan, STEP_MOVERS);
	ret = make_stream(plan, false, options);
	if (!ret)
		ret = make_stream(plan, true, options);
	if (!ret)
		ret = partition_holds(plan);
	if (!ret)
		ret = move_start_movers(plan, options);
	if (!ret && takes_part(plan, options))
		ret = tell_partition(plan);
	return ret;
}

/**
 * move_start() - begin a migration that was validated
 * @plan:	as validation left it
 * @options:	how
 *
 * What it made is removed again if it fails.  An inactive migration is then
 * also at its end.
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int move_start(struct plan *plan, const struct move_options *options)
{
	plan->verbose = options->verbose;
	if (!plan->active) {
		if (move_inactive(plan, options))
			return EXIT_FAILED;
		if (options->verbose)
			printf("partition %s is now defined on system %s\n",
			       text_of(plan->partition, "name"), plan->target->name);
		return EXIT_DONE;
	}
	if (!begin_active(plan, options)) {
		if (options->verbose)
			printf("partition %s moves as stream %s\n", text_of(plan->partition, "name"),
			       plan->id);
		return EXIT_DONE;
	}
	if (undo(plan))
		message("LPM0205",
			"What had been begun could not be undone altogether. Run migrlpar -o r -m %s -p %s.",
			plan->source->name, text_of(plan->partition, "name"));
	return EXIT_FAILED;
}

/* ---- Watch ---- */

static bool mover_ended(const json_t *status)
{
	const char *phase = text_of(status, "phase");

	return !strcmp(phase, "completed") || !strcmp(phase, "aborted") ||
	       !strcmp(phase, "parked") || !strcmp(phase, "failed");
}

/* It has taken too long */
static void stop_late(struct plan *plan, uint64_t wait_ms)
{
	struct rpc_error err;

	if (msp_call(plan->source_msp, "stop",
		     json_pack("{s:s}", "stream_id", plan->id), NULL, &err)) {
		message("LPM0204",
			"The migration takes longer than the %.3g min of -w, but could not be stopped: %s. It goes on.",
			(double)wait_ms / 60000, err.text);
		return;
	}
	message("LPM0204",
		"The migration took longer than the %.3g min of -w and was stopped. Allow more time, or have less memory dirtied.",
		(double)wait_ms / 60000);
}

/* Until the source's mover has ended, or is gone */
static void watch(struct plan *plan, const struct move_options *options)
{
	bool limited = options->wait_ms;
	bool ended = false;
	struct rpc_error err;
	json_t *status;

	while (!ended) {
		/* Answered when it ends; an error when this time is over */
		msp_call(plan->source_msp, "wait",
			 json_pack("{s:s, s:s, s:i}", "stream_id", plan->id, "phase", "ended",
				   "timeout_ms", LOOK_MS), NULL, &err);
		status = NULL;
		if (msp_call(plan->source_msp, "status",
			     json_pack("{s:s}", "stream_id", plan->id), &status, &err))
			break;
		ended = mover_ended(status);
		step_follow(plan, status);
		if (options->watcher)
			options->watcher->see(options->watcher->data, WATCH_STATUS, plan, status);
		if (ended && *text_of(status, "error"))
			message("LPM0202", "The mover of system %s says: %s.",
				plan->source->name, text_of(status, "error"));
		json_decref(status);
		if (!ended && limited && now_ns() > options->deadline_ns) {
			stop_late(plan, options->wait_ms);
			limited = false;
		}
	}
}

/* ---- The end ---- */

/* Until the source's platform can no longer change by itself */
static void wait_settled(const struct plan *plan)
{
	uint64_t deadline = now_ns() + SETTLE_MS * NSEC_PER_MSEC;
	struct rpc_error err;
	json_t *stream;
	bool settled;

	do {
		if (show_stream(plan->source, plan->id, &stream, &err))
			return;
		settled = !stream || stream_is_final(stream) || flag_of(stream, "parked");
		json_decref(stream);
		if (!settled)
			sleep_ms(10);
	} while (!settled && now_ns() < deadline);
}

/* What it says: an empty object if it does not know the stream, NULL if it says nothing */
static json_t *source_stream(const struct plan *plan)
{
	struct rpc_error err;
	json_t *stream;

	if (show_stream(plan->source, plan->id, &stream, &err)) {
		call_message(plan->source, "show the stream", &err);
		return NULL;
	}
	return stream ? stream : json_object();
}

/*
 * Another command has ended the stream: by its completion, or by a stop?  It may not
 * have known the target, which this one does.
 */
static int conclude_elsewhere(struct plan *plan)
{
	struct rpc_error err = { 0 };
	int ret;

	ret = system_call(plan->source, "partition.show",
			  json_pack("{s:s}", "name", text_of(plan->partition, "name")), NULL,
			  &err);
	if (ret && err.code != RPC_NOT_FOUND) {
		call_message(plan->source, "show the partition", &err);
		return EXIT_FAILED;
	}
	if (ret) {
		finish_target(plan, true);
		return EXIT_DONE;
	}
	undo_target(plan);
	message("LPM0203",
		"The migration of partition %s was ended by another command; it is still on system %s.",
		text_of(plan->partition, "name"), plan->source->name);
	return EXIT_FAILED;
}

static int conclude(struct plan *plan, bool verbose)
{
	json_t *stream = source_stream(plan);
	int status = EXIT_FAILED;

	if (stream && !json_object_size(stream)) {
		status = conclude_elsewhere(plan);
	} else if (stream && stream_is(stream, "Completed")) {
		status = EXIT_DONE;
		if (verbose)
			report_move(plan, stream);
		if (finish(plan, true))
			message("LPM0209",
				"Partition %s has migrated to system %s, but not everything could be cleaned up. lslparmigr -r lpar -m %s does the rest.",
				text_of(plan->partition, "name"), plan->target->name, plan->source->name);
		else if (verbose)
			printf("partition %s is now on system %s\n", text_of(plan->partition, "name"),
			       plan->target->name);
	} else if (stream && stream_is(stream, "Aborted")) {
		message_partition(plan, stream);
		if (!undo(plan))
			message("LPM0203",
				"The migration of partition %s failed: it %s on system %s, and system %s is as before. Correct what is named above, and repeat it.",
				text_of(plan->partition, "name"), plan->suspended ? "is suspended" : "runs",
				plan->source->name, plan->target->name);
	} else {
		message("LPM0206",
			"The migration of partition %s was interrupted (the source's stream is %s): nothing was changed. Run migrlpar -o r -m %s -p %s.",
			text_of(plan->partition, "name"), stream ? text_of(stream, "state") : "not known",
			plan->source->name, text_of(plan->partition, "name"));
	}
	json_decref(stream);
	return status;
}

/**
 * move_watch() - watch a migration to its end, and clean up behind it
 * @console:	the console
 * @plan:	movers are at work
 * @options:	how
 *
 * Return: EXIT_DONE: the partition is on the target; EXIT_FAILED.
 */
int move_watch(struct console *console, struct plan *plan,
	       const struct move_options *options)
{
	int status;

	watch(plan, options);
	/* Without the lock: others have moves to end, too */
	wait_settled(plan);
	console_lock(console, true);
	status = conclude(plan, options->verbose);
	console_unlock(console);
	if (!status && plan->told)
		hear_partition(plan);
	return status;
}
