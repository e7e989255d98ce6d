// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chsysstate: activate partitions, shut them down, suspend and resume them.
 */
#include <inttypes.h>
#include <string.h>

#include "hmc/change.h"
#include "hmc/described.h"

/**
 * struct action - what can be done to a partition's state
 * @name:	for -o
 * @method:	of the platform
 * @from:	its states for a partition of which this can be done
 * @must_be:	the same, in the HMC's words
 * @what:	for messages
 */
struct action {
	const char *name;
	const char *method;
	const char *from[4];
	const char *must_be;
	const char *what;
};

/* A platform cannot ask an operating system to end: both ways to shut down are one */
static const struct action actions[] = {
	{ "on", "partition.activate", { "Not Activated" }, "Not Activated",
	  "activate the partition" },
	{ "shutdown", "partition.shutdown", { "Running", "Finished" }, "Running",
	  "shut the partition down" },
	{ "osshutdown", "partition.shutdown", { "Running", "Finished" }, "Running",
	  "shut the partition down" },
	{ "suspend", "partition.suspend", { "Running", "Finished" }, "Running",
	  "suspend the partition" },
	{ "resume", "partition.resume", { "Hibernated", "Damaged" }, "Suspended",
	  "resume the partition" },
	{ }
};

static const struct action *find_action(const char *name)
{
	for (const struct action *action = actions; action->name; action++)
		if (!strcmp(action->name, name))
			return action;
	return NULL;
}

static bool permits(const struct action *action, const json_t *partition)
{
	if (*text_of(partition, "departing") || *text_of(partition, "arriving"))
		return false;
	for (const char *const *state = action->from; *state; state++)
		if (!strcmp(text_of(partition, "state"), *state))
			return true;
	return false;
}

static int refuse_state(const struct change *change, const struct action *action,
			const json_t *partition)
{
	const char *name = text_of(partition, "name"), *system = change->system->name;

	if (*text_of(partition, "departing") || *text_of(partition, "arriving"))
		message("HSCL05DF",
			"Partition %s on system %s is in a migration (%s); it must be in none to %s. Wait until it has ended, or run migrlpar -o r.",
			name, system, text_of(partition, "state"), action->what);
	else
		message("HSCL05DF",
			"Partition %s on system %s is %s (%s); it must be %s to %s. Look at its state with lssyscfg -r lpar -m %s.",
			name, system, lpar_state(partition), text_of(partition, "state"),
			action->must_be, action->what, system);
	return EXIT_FAILED;
}

/* ---- Activation with a profile ---- */

/* A partition here has the memory that it was made with */
static int check_memory(const struct change *change, const json_t *partition,
			const json_t *profile)
{
	int64_t has = number_of(partition, "memory") >> 20;
	int64_t wants = number_of(profile, "desired_mem");

	if (has == wants)
		return EXIT_DONE;
	message("LPM0406",
		"Partition %s on system %s was made with %" PRId64 " MiB, and its profile %s wants %" PRId64 "; they must be the same. Change desired_mem with chsyscfg -r prof, or make it anew.",
		text_of(partition, "name"), change->system->name, has,
		text_of(profile, "name"), wants);
	return EXIT_FAILED;
}

static int set_profile(const struct change *change, const json_t *partition, const char *name)
{
	return change_call(change, "partition.configure",
			   json_pack("{s:s, s:{s:s}}", "name", text_of(partition, "name"),
				     "config", "curr_profile", name),
			   "change the partition's profile");
}

/* @chosen: it has another one now than @partition says */
static int choose_profile(const struct change *change, const json_t *partition, bool *chosen)
{
	const json_t *config = config_of(partition);
	const json_t *profile;
	int status;

	if (!config && !change->profile)
		return EXIT_DONE;
	profile = change->profile ? named_in(json_object_get(config, "profiles"),
					     change->profile) : current_profile(config);
	if (!profile) {
		message("LPM0404",
			"Partition %s on system %s has no profile \"%.64s\". List those it has with lssyscfg -r prof -m %s.",
			text_of(partition, "name"), change->system->name,
			change->profile ? change->profile : "", change->system->name);
		return EXIT_FAILED;
	}
	if (check_memory(change, partition, profile))
		return EXIT_FAILED;
	if (!strcmp(text_of(profile, "name"), text_of(config, "curr_profile")))
		return EXIT_DONE;
	status = set_profile(change, partition, text_of(profile, "name"));
	*chosen = !status;
	return status;
}

/* ---- What is done ---- */

static int act(const struct change *change, const struct action *action,
	       const json_t *partition)
{
	return change_call(change, action->method,
			   json_pack("{s:s}", "name", text_of(partition, "name")),
			   action->what);
}

static int change_partition(const struct change *change, const struct action *action,
			    const json_t *partition)
{
	int status = EXIT_DONE;
	bool chosen = false;

	if (!permits(action, partition))
		return refuse_state(change, action, partition);
	if (!strcmp(action->name, "on"))
		status = choose_profile(change, partition, &chosen);
	if (!status)
		status = act(change, action, partition);
	if (status && chosen)
		set_profile(change, partition, text_of(config_of(partition), "curr_profile"));
	if (!status && change->restart)
		status = act(change, find_action("on"), partition);
	return status;
}

static int change_subject(const struct change *change, const struct action *action,
			  const json_t *key)
{
	struct subject subject;
	int status;

	status = subject_find(change, json_string_value(key), json_integer_value(key), &subject);
	if (!status)
		status = subject.vios ? refuse_vios(change, subject.vios) :
			 change_partition(change, action, subject.partition);
	subject_release(&subject);
	return status;
}

/* One that is refused keeps the others from nothing */
static int change_all(struct change *change, const struct action *action, const json_t *keys)
{
	int status = change_open(change);
	bool opened = !status;
	json_t *key;
	size_t i;

	if (opened)
		json_array_foreach(keys, i, key)
			if (change_subject(change, action, key))
				status = EXIT_FAILED;
	change_close(change);
	return status;
}

static int check(const struct change *change, const struct action **action)
{
	const struct command *command = change->command;

	if (strcmp(change->resource, "lpar"))
		return usage_error(command, "-r is \"%.64s\"; it must be lpar.",
				   change->resource);
	*action = change->operation ? find_action(change->operation) : NULL;
	if (!change->operation)
		return usage_error(command, "-o is missing: what is to be done.");
	if (!*action)
		return usage_error(command,
				   "-o is \"%.64s\"; it must be on, shutdown, osshutdown, suspend or resume.",
				   change->operation);
	if (change->profile && strcmp(change->operation, "on"))
		return usage_error(command, "-f is only for -o on.");
	if (change->restart && strcmp((*action)->method, "partition.shutdown"))
		return usage_error(command, "--restart is only for -o shutdown and osshutdown.");
	return EXIT_DONE;
}

static int run_chsysstate(const struct command *command, int argc, char **argv)
{
	struct change change = { .command = command, .console.fd = -1 };
	int status = change_parse(&change, argc, argv, "+r:m:o:n:f:");
	const struct action *action = NULL;
	json_t *keys = NULL;

	if (!status)
		status = check(&change, &action);
	if (!status)
		status = change_keys(&change, &keys);
	if (!status)
		status = change_all(&change, action, keys);
	json_decref(keys);
	return status;
}

const struct command command_chsysstate = {
	.name = "chsysstate",
	.usage =
"Usage: chsysstate -r lpar -m SYSTEM -o on {-n NAMES|--id IDS} [-f PROFILE] [OPTION]...\n"
"       chsysstate -r lpar -m SYSTEM -o {shutdown|osshutdown} {-n NAMES|--id IDS}\n"
"                  [--immed] [--restart] [OPTION]...\n"
"       chsysstate -r lpar -m SYSTEM -o {suspend|resume} {-n NAMES|--id IDS} [OPTION]...\n"
"Change the state of partitions.\n"
"  -r lpar           partitions\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  -o on             activate them\n"
"  -o shutdown, -o osshutdown   shut them down, both at once\n"
"  -o suspend        their memory and state are written to files, and the memory is free\n"
"  -o resume         they go on where they were\n"
"  -n NAMES          partitions, separated by commas\n"
"  --id IDS          partitions, by their ids\n"
"  -f PROFILE        with -o on: the profile, instead of the current one\n"
"  --immed           shut down at once, as it is done anyway\n"
"  --restart         activate them again after they were shut down\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_chsysstate,
};
