// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Partitions that take part in their migration: what their agent is asked and told
 * (Documentation/guest-partition.rst).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "hmc/console.h"
#include "linux/vasi_crq.h"

/* More than what the agent gives one program of the partition's */
#define CHECK_MS	40000
/* The kernel looks once a second whether all of it is there, and tidies up then */
#define HEAR_MS		30000
/* The same, for one that did not move */
#define ABORTED_MS	5000
/* vasi-phypd's own details; others are the guest's */
#define NOT_SUSPENDED	0x10001
#define ENDED		0x10002

/**
 * has_agent() - is there somebody in the partition to talk to, while it executes?
 * @plan:	with a description
 */
bool has_agent(const struct plan *plan)
{
	const json_t *guest = json_object_get(plan->description, "guest");

	return guest && !json_is_false(json_object_get(guest, "agent"));
}

/**
 * takes_part() - does the partition suspend itself?
 * @plan:	with a description
 * @options:	what the user wants
 */
bool takes_part(const struct plan *plan, const struct move_options *options)
{
	return has_agent(plan) && !plan->suspended &&
	       (!options->suspend || !strcmp(options->suspend, "partition"));
}

/**
 * choose_id() - an id for a stream
 * @id:		set
 *
 * Return: 0 or a negative errno.
 */
int choose_id(char id[RPC_STREAM_ID_BYTES])
{
	uint64_t number = 0;

	while (!number)
		if (getrandom(&number, sizeof(number), 0) != sizeof(number) && errno != EINTR)
			return -errno;
	rpc_format_stream_id(number, id);
	return 0;
}

/**
 * tell_agent() - say something to the partition's agent
 * @system:	where it runs
 * @plan:	its name, and the stream
 * @phase:	"check", "pre" or "post"
 * @timeout_ms:	for the answer
 * @err:	why it failed, or what the agent answered
 *
 * Return: 0 or a negative errno.
 */
int tell_agent(const struct managed_system *system, const struct plan *plan,
	       const char *phase, unsigned int timeout_ms, struct rpc_error *err)
{
	return system_call(system, "partition.tell",
			   json_pack("{s:s, s:s, s:s, s:i}",
				     "name", text_of(plan->partition, "name"),
				     "phase", phase, "stream_id", plan->id,
				     "timeout_ms", (int)timeout_ms), NULL, err);
}

/**
 * ask_partition() - may it move, as far as the partition is concerned?
 * @plan:	gets the id of a stream, which is only asked about
 * @err:	why not: RPC_FAILED with its words, or it could not be asked
 *
 * Return: 0, or a negative errno.
 */
int ask_partition(struct plan *plan, struct rpc_error *err)
{
	int ret = choose_id(plan->id);

	if (!ret)
		return tell_agent(plan->source, plan, "check", CHECK_MS, err);
	*err = (struct rpc_error) { .error = ret };
	snprintf(err->text, sizeof(err->text), "no random numbers: %s", strerror(-ret));
	return ret;
}

/**
 * end_agent() - wait until the partition has noticed that it does not move
 * @plan:	source, id and name; the source's stream is Aborted, or gone
 *
 * Its kernel looks once a second; until then it could not be told of another move.  One
 * that did not take part says so at once, and one that never answered is not asked.
 */
void end_agent(const struct plan *plan)
{
	struct rpc_error err;
	json_t *partition = NULL;

	if (system_call(plan->source, "partition.show",
			json_pack("{s:s}", "name", text_of(plan->partition, "name")),
			&partition, &err))
		return;
	if (!strcmp(text_of(json_object_get(partition, "guest"), "agent"), "answers"))
		tell_agent(plan->source, plan, "post", ABORTED_MS, &err);
	json_decref(partition);
}

static const char *what_it_did(uint32_t detail)
{
	switch (detail) {
	case NOT_SUSPENDED:
		return "did not suspend itself in time, or could not be saved";
	case ENDED:
		return "ended";
	default:
		return "cancelled";
	}
}

/**
 * message_partition() - tell the user if a migration was ended by the partition
 * @plan:	the migration
 * @stream:	of the source, Aborted
 *
 * One that was told to suspend itself tells what came of it, and is over with it.
 */
void message_partition(struct plan *plan, const json_t *stream)
{
	uint32_t reason = (uint32_t)number_of(stream, "reason");
	uint32_t detail = reason & ((1U << VASI_REASON_ENTITY_SHIFT) - 1);
	bool was_it = reason >> VASI_REASON_ENTITY_SHIFT == VASI_ABORT_PARTITION;
	struct rpc_error err = { .text = "" };
	bool answer = plan->told && tell_agent(plan->source, plan, "post", ABORTED_MS, &err);

	if (was_it)
		message("LPM0212",
			"It was the partition that ended the migration: it %s (detail %#x)%s%s. It is on system %s; look at its own log.",
			what_it_did(detail), detail, answer ? "; " : "",
			answer ? err.text : "", plan->source->name);
}

/**
 * hear_partition() - let the partition tell what came of its migration
 * @plan:	the partition is on the target
 *
 * It is there, whatever it says: that is a warning.
 */
void hear_partition(const struct plan *plan)
{
	struct rpc_error err;

	if (tell_agent(plan->target, plan, "post", HEAR_MS, &err))
		message("LPM0213",
			"Warning: partition %s is on system %s, but not all is well in it: %s. Look at its own log.",
			text_of(plan->partition, "name"), plan->target->name, err.text);
}
