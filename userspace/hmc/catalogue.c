// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hmc messages, hmc checks: the catalogues, for people and for tests.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/console.h"
#include "hmc/messages.h"
#include "hmc/output.h"
#include "hmc/validate.h"

static const char *const message_fields[] = { "code", "severity", "meaning", NULL };
static const char *const check_fields[] = {
	"name", "active", "inactive", "suspended", "codes", "meaning", NULL
};

static json_t *all_messages(void)
{
	json_t *records = json_array();

	for (const struct message_kind *kind = message_kinds; kind->code; kind++)
		json_array_append_new(records,
				      json_pack("{s:s, s:s, s:s}", "code", kind->code, "severity",
						severity_name(kind->severity), "meaning",
						kind->meaning));
	return records;
}

static json_t *check_record(const struct check *check)
{
	char codes[CHECK_CODES * 10] = "";

	for (size_t i = 0; i < CHECK_CODES && check->codes[i]; i++) {
		size_t length = strlen(codes);

		snprintf(codes + length, sizeof(codes) - length, "%s%s", i ? "," : "",
			 check->codes[i]);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", check->name, "active",
			 severity_name(check->severity[KIND_ACTIVE]), "inactive",
			 severity_name(check->severity[KIND_INACTIVE]), "suspended",
			 severity_name(check->severity[KIND_SUSPENDED]), "codes", codes,
			 "meaning", check->meaning);
}

static json_t *all_checks(void)
{
	json_t *records = json_array();

	for (size_t i = 0; check_tables[i]; i++)
		for (const struct check *check = check_tables[i]; check->name; check++)
			json_array_append_new(records, check_record(check));
	return records;
}

static int print(const struct command *command, int argc, char **argv,
		 const char *const *fields, json_t *(*all)(void))
{
	const struct attributes known = { .fields = fields };
	const struct listing listing = {
		.json = argc == 2 && !strcmp(argv[1], "--json"),
	};
	json_t *records;

	if (argc > 1 && !listing.json)
		return unexpected_argument(command, argv[1]);
	records = all();
	listing_print(&listing, &known, records);
	json_decref(records);
	return EXIT_DONE;
}

static int run_messages(const struct command *command, int argc, char **argv)
{
	return print(command, argc, argv, message_fields, all_messages);
}

static int run_checks(const struct command *command, int argc, char **argv)
{
	return print(command, argc, argv, check_fields, all_checks);
}

const struct command command_messages = {
	.name = "messages",
	.usage =
"Usage: hmc messages [--json]\n"
"List the codes of all messages of the console's commands.\n"
"  --json            as an array of objects\n"
"  --help, --version\n"
"Exit status: 0, 2 wrong usage.\n",
	.run = run_messages,
};

const struct command command_checks = {
	.name = "checks",
	.usage =
"Usage: hmc checks [--json]\n"
"List what validation checks, and as what: error, warning, or - (not at all).\n"
"  --json            as an array of objects\n"
"  --help, --version\n"
"Exit status: 0, 2 wrong usage.\n",
	.run = run_checks,
};
