// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lshmc and lshmcusr: what the console itself is, and who its users are.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/console.h"
#include "hmc/output.h"
#include "hmc/session.h"

/* As an HMC prints it: clients take it apart line by line */
static void print_version(void)
{
	char *end;
	long version = strtol(VASI_VERSION, &end, 10);
	long release = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	printf("\"version= Version: %ld\n Release: %ld\n Service Pack: 0\n"
	       "HMC Build level lpm-%s\n\",\"base_version=V%ldR%ld\n\"\n",
	       version, release, VASI_VERSION, version, release);
}

static int run_lshmc(const struct command *command, int argc, char **argv)
{
	struct console console;
	int status = EXIT_DONE;

	if (argc != 2 || strcmp(argv[1], "-V"))
		return usage_error(command, "-V must be given, and nothing else.");
	if (console_open(NULL, &console))
		status = EXIT_USAGE;
	else
		print_version();
	console_close(&console);
	return status;
}

const struct command command_lshmc = {
	.name = "lshmc",
	.usage =
"Usage: lshmc -V\n"
"List the version of the console, as an HMC lists its own.\n"
"  -V                version\n"
"  --help, --version\n"
"Exit status: 0, 1 not authorised, 2 wrong usage or console file.\n",
	.run = run_lshmc,
};

static const char *const user_fields[] = {
	"name", "taskrole", "resources", "description", NULL
};

/* As lists have it: all values are texts */
static json_t *user_record(const json_t *user)
{
	const json_t *resources = json_object_get(user, "resources");
	json_t *record = json_object(), *name;
	char text[CONSOLE_SYSTEMS * NAME_BYTES] = "";
	size_t i;

	json_object_set_new(record, "name", json_string(text_of(user, "name")));
	json_object_set_new(record, "taskrole", json_string(text_of(user, "taskrole")));
	json_array_foreach(resources, i, name) {
		strcat(text, i ? "," : "");
		strcat(text, json_string_value(name));
	}
	json_object_set_new(record, "resources", json_string(resources ? text : "ALL:"));
	if (*text_of(user, "description"))
		json_object_set_new(record, "description",
				    json_string(text_of(user, "description")));
	return record;
}

/* names=A,B of --filter; NULL: everybody */
static bool is_wanted(const char *names, const char *name)
{
	size_t length = strlen(name);

	if (!names)
		return true;
	for (names += strlen("names="); *names; names += strspn(names, ",")) {
		size_t word = strcspn(names, ",");

		if (word == length && !strncmp(names, name, length))
			return true;
		names += word;
	}
	return false;
}

static const struct attributes user_attributes = { .fields = user_fields };

static int list_users(const struct listing *listing, const char *filter)
{
	struct console console;
	json_t *records, *user;
	int status = EXIT_USAGE;
	size_t i;

	if (console_open(NULL, &console))
		goto close_console;
	records = json_array();
	json_array_foreach(json_object_get(console.root, "users"), i, user)
		if (is_wanted(filter, text_of(user, "name")))
			json_array_append_new(records, user_record(user));
	listing_print(listing, &user_attributes, records);
	json_decref(records);
	status = EXIT_DONE;
close_console:
	console_close(&console);
	return status;
}

static int run_lshmcusr(const struct command *command, int argc, char **argv)
{
	static const struct option options[] = {
		{ "filter", required_argument, NULL, 'f' },
		{ "header", no_argument, NULL, 'h' },
		{ }
	};
	struct listing listing = { 0 };
	const char *filter = NULL;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+F:t:", options, NULL)) != -1) {
		switch (option) {
		case 'F':
			listing.fields = optarg;
			listing.values = true;
			break;
		case 't':
			if (!strcmp(optarg, "user"))
				break;
			return usage_error(command, "-t is \"%.64s\"; it must be user.", optarg);
		case 'f':
			filter = optarg;
			break;
		case 'h':
			listing.header = true;
			break;
		default:
			return unknown_option(command, argv);
		}
	}
	if (optind < argc)
		return unexpected_argument(command, argv[optind]);
	if (filter && strncmp(filter, "names=", 6))
		return usage_error(command, "--filter is \"%.64s\"; it must be names=USER,...",
				   filter);
	if (listing_check(command, &listing, &user_attributes))
		return EXIT_USAGE;
	return list_users(&listing, filter);
}

const struct command command_lshmcusr = {
	.name = "lshmcusr",
	.usage =
"Usage: lshmcusr [-t user] [-F FIELDS [--header]] [--filter names=USER,...]\n"
"List the users of the console and their task roles.\n"
"  -t user           users; there is nothing else to list\n"
"  -F FIELDS         values only, of these attributes\n"
"  --header          with -F: a first line of the names\n"
"  --filter FILTER   names=USER,... only these\n"
"  --help, --version\n"
"Exit status: 0, 1 not authorised, 2 wrong usage or console file.\n",
	.run = run_lshmcusr,
};
