// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * diagrmc: has a partition a connection to the console?  Clients of an HMC ask before
 * they migrate one.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "hmc/console.h"

/**
 * struct question - the command line
 * @system_name: -m
 * @partition:	-p
 * @ip:		--ip
 */
struct question {
	const char *system_name;
	const char *partition;
	const char *ip;
};

static int parse(const struct command *command, int argc, char **argv,
		 struct question *question)
{
	static const struct option options[] = {
		{ "ip", required_argument, NULL, 'i' },
		{ "autocorrect", no_argument, NULL, 'a' },
		{ }
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+m:p:", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			question->system_name = optarg;
			break;
		case 'p':
			question->partition = optarg;
			break;
		case 'i':
			question->ip = optarg;
			break;
		case 'a':
			break;
		default:
			return unknown_option(command, argv);
		}
	}
	if (optind < argc)
		return unexpected_argument(command, argv[optind]);
	if (!question->system_name || !question->partition)
		return usage_error(command, "-m and -p must be given: a system and its partition.");
	if (!name_is_valid(question->partition))
		return usage_error(command, "-p is \"%.64s\"; it must be the name of a partition.",
				   question->partition);
	return EXIT_DONE;
}

/* By its description, or its agent; at that address, if one is known */
static bool is_connected(const json_t *partition, const json_t *config, const char *ip)
{
	const char *address = text_of(config, "rmc_ipaddr");

	if (!strcmp(text_of(json_object_get(partition, "guest"), "agent"), "answers"))
		return true;
	return !strcmp(text_of(config, "rmc_state"), "active") &&
	       (!ip || !*address || !strcmp(ip, address));
}

static int answer(const struct managed_system *system, const struct question *question)
{
	const struct partition_key key = { .name = question->partition };
	json_t *partition, *config = NULL;
	struct rpc_error err;
	bool connected;

	if (find_partition(system, &key, &partition))
		return EXIT_FAILED;
	/* Of one that is not described nothing is known but its agent */
	if (system_call(system, "partition.config", json_pack("{s:s}", "name", key.name),
			&config, &err) && !err.code) {
		call_message(system, "tell of the partition", &err);
		json_decref(partition);
		return EXIT_FAILED;
	}
	connected = is_connected(partition, config, question->ip);
	printf("%s %s.\n", question->ip ? question->ip : key.name,
	       connected ? "has RMC connection" : "does not have RMC connection");
	json_decref(config);
	json_decref(partition);
	return connected ? EXIT_DONE : EXIT_FAILED;
}

static int run_diagrmc(const struct command *command, int argc, char **argv)
{
	struct question question = { 0 };
	const struct managed_system *system;
	struct console console;
	int status = parse(command, argc, argv, &question);

	if (status)
		return status;
	if (console_open(NULL, &console)) {
		console_close(&console);
		return EXIT_USAGE;
	}
	system = console_find(&console, question.system_name);
	if (!system)
		console_no_system(&console, "-m", question.system_name);
	status = system ? answer(system, &question) : EXIT_FAILED;
	console_close(&console);
	return status;
}

const struct command command_diagrmc = {
	.name = "diagrmc",
	.usage =
"Usage: diagrmc -m SYSTEM -p NAME [--ip HOST] [--autocorrect]\n"
"Tell whether a partition has a connection to the console (RMC).\n"
"  -m SYSTEM         managed system\n"
"  -p NAME           partition\n"
"  --ip HOST         at this address\n"
"  --autocorrect     is taken; there is nothing here that could be corrected\n"
"  --help, --version\n"
"Exit status: 0 it has, 1 it has not or cannot be asked, 2 wrong usage or console file.\n",
	.run = run_diagrmc,
};
