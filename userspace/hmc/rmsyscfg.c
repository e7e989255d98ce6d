// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rmsyscfg: remove a partition.
 */
#include <string.h>

#include "hmc/change.h"

/* Not one whose memory is in a file, either: that is the partition */
static int remove_partition(const struct change *change, const json_t *partition)
{
	if (strcmp(text_of(partition, "state"), "Not Activated")) {
		message("HSCL05DF",
			"Partition %s on system %s is %s; it must be Not Activated to be removed. Shut it down with chsysstate -r lpar -o shutdown; resume it first (-o resume) if it is Suspended.",
			text_of(partition, "name"), change->system->name, lpar_state(partition));
		return EXIT_FAILED;
	}
	return change_call(change, "partition.remove",
			   json_pack("{s:s}", "name", text_of(partition, "name")),
			   "remove the partition");
}

static int remove_subject(struct change *change, const json_t *key)
{
	struct subject subject = { 0 };
	int status = change_open(change);

	if (!status)
		status = subject_find(change, json_string_value(key), json_integer_value(key),
				      &subject);
	if (!status)
		status = subject.vios ? refuse_vios(change, subject.vios) :
			 remove_partition(change, subject.partition);
	subject_release(&subject);
	change_close(change);
	return status;
}

static int run_rmsyscfg(const struct command *command, int argc, char **argv)
{
	struct change change = { .command = command, .console.fd = -1 };
	int status = change_parse(&change, argc, argv, "+r:m:n:");
	json_t *keys = NULL;

	if (!status && strcmp(change.resource, "lpar"))
		status = usage_error(command, "-r is \"%.64s\"; it must be lpar.",
				     change.resource);
	if (!status)
		status = change_keys(&change, &keys);
	if (!status && json_array_size(keys) > 1)
		status = usage_error(command, "More than one partition is named.");
	if (!status)
		status = remove_subject(&change, json_array_get(keys, 0));
	json_decref(keys);
	return status;
}

const struct command command_rmsyscfg = {
	.name = "rmsyscfg",
	.usage =
"Usage: rmsyscfg -r lpar -m SYSTEM {-n NAME|--id ID} [OPTION]...\n"
"Remove a partition.\n"
"  -r lpar           a partition, which must be Not Activated\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  -n NAME           partition\n"
"  --id ID           partition, by its id\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_rmsyscfg,
};
