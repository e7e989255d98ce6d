// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chlparstate: suspend a partition to a file, and resume it
 * (Documentation/suspended-partitions.rst).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/console.h"

/**
 * struct change - the command line of chlparstate
 * @operation:	"suspend" or "resume"
 * @system_name: -m
 * @file:	--console
 * @key:	which partition
 * @verbose:	tell what was done
 */
struct change {
	const char *operation;
	const char *system_name;
	const char *file;
	struct partition_key key;
	bool verbose;
};

static int parse_operation(const struct command *command, const char *text,
			   struct change *change)
{
	change->operation = text;
	if (!strcmp(text, "suspend") || !strcmp(text, "resume"))
		return EXIT_DONE;
	return usage_error(command, "-o is \"%.64s\"; it must be suspend or resume.", text);
}

static int parse_name(const struct command *command, const char *text, const char **name)
{
	*name = text;
	if (name_is_valid(text))
		return EXIT_DONE;
	return usage_error(command,
			   "-p is \"%.64s\"; it must be the name of one partition: 1 to 31 printable ASCII characters without \"/\", \",\" and quotes.",
			   text);
}

static int parse_id(const struct command *command, const char *text, uint32_t *id)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*id = (uint32_t)value;
	if (*text >= '0' && *text <= '9' && !*end && value >= 1 && value <= 65535)
		return EXIT_DONE;
	return usage_error(command,
			   "--id is \"%.64s\"; it must be a number from 1 to 65535.", text);
}

static int check(const struct command *command, const struct change *change)
{
	if (!change->operation)
		return usage_error(command, "-o is missing: suspend or resume.");
	if (!change->system_name)
		return usage_error(command, "-m is missing: the name of a system.");
	if (!change->key.name == !change->key.id)
		return usage_error(command, "Either -p or --id must be given.");
	return EXIT_DONE;
}

static int parse(const struct command *command, int argc, char **argv,
		 struct change *change)
{
	enum { ID = 256, FILE_NAME };
	static const struct option options[] = {
		{ "id", required_argument, NULL, ID },
		{ "console", required_argument, NULL, FILE_NAME },
		{ }
	};
	int option, status = EXIT_DONE;

	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, "+o:m:p:v", options, NULL)) != -1) {
		switch (option) {
		case 'o':
			status = parse_operation(command, optarg, change);
			break;
		case 'm':
			change->system_name = optarg;
			break;
		case 'p':
			status = parse_name(command, optarg, &change->key.name);
			break;
		case 'v':
			change->verbose = true;
			break;
		case ID:
			status = parse_id(command, optarg, &change->key.id);
			break;
		case FILE_NAME:
			change->file = optarg;
			break;
		default:
			status = unknown_option(command, argv);
		}
	}
	if (!status && optind < argc)
		status = unexpected_argument(command, argv[optind]);
	return status ? status : check(command, change);
}

static void refuse_state(const struct managed_system *system, const json_t *partition,
			 bool suspend)
{
	if (*text_of(partition, "departing"))
		message("HSCL05DF",
			"Partition %s on system %s was in a migration to system %s that was interrupted, and the record there says whose it is. Run migrlpar -o r -m %s -p %s.",
			text_of(partition, "name"), system->name, text_of(partition, "peer"),
			system->name, text_of(partition, "name"));
	else
		message("HSCL05DF",
			"Partition %s on system %s is %s (%s); it must be %s.",
			text_of(partition, "name"), system->name, lpar_state(partition),
			text_of(partition, "state"), suspend ? "Running" : "Suspended");
}

/* Is it in a state that this can be done in?  One that changes just now is refused there */
static bool may_change(const json_t *partition, bool suspend)
{
	const char *state = text_of(partition, "state");

	if (suspend)
		return !strcmp(state, "Running") || !strcmp(state, "Finished");
	return (!strcmp(state, "Hibernated") || !strcmp(state, "Damaged")) &&
	       !*text_of(partition, "departing");
}

static int change_state(struct managed_system *system, const struct change *change)
{
	bool suspend = !strcmp(change->operation, "suspend");
	struct rpc_error err;
	json_t *partition;
	int status = EXIT_FAILED;

	if (find_partition(system, &change->key, &partition))
		return EXIT_FAILED;
	if (!may_change(partition, suspend)) {
		refuse_state(system, partition, suspend);
	} else if (system_call(system, suspend ? "partition.suspend" : "partition.resume",
			       json_pack("{s:s}", "name", text_of(partition, "name")), NULL,
			       &err)) {
		call_message(system, suspend ? "suspend the partition" :
			     "resume the partition", &err);
	} else {
		status = EXIT_DONE;
		if (change->verbose)
			printf("partition %s is %s on system %s\n", text_of(partition, "name"),
			       suspend ? "suspended" : "resumed", system->name);
	}
	json_decref(partition);
	return status;
}

static int run_chlparstate(const struct command *command, int argc, char **argv)
{
	struct change change = { 0 };
	struct managed_system *system;
	struct console console;
	int status = parse(command, argc, argv, &change);

	if (status)
		return status;
	if (console_open(change.file, &console)) {
		console_close(&console);
		return EXIT_USAGE;
	}
	system = console_find(&console, change.system_name);
	if (system) {
		status = change_state(system, &change);
	} else {
		status = EXIT_FAILED;
		console_no_system(&console, "-m", change.system_name);
	}
	console_close(&console);
	return status;
}

const struct command command_chlparstate = {
	.name = "chlparstate",
	.usage =
"Usage: chlparstate -o {suspend|resume} -m SYSTEM {-p NAME|--id ID} [OPTION]...\n"
"Suspend a partition to a file of its system, or resume it from there.\n"
"  -o suspend        its memory and state are written, and its memory is free\n"
"  -o resume         it goes on where it was\n"
"  -m SYSTEM         managed system\n"
"  -p NAME           partition\n"
"  --id ID           partition, by its id\n"
"  -v                tell what was done\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_chlparstate,
};
