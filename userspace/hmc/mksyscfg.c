// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mksyscfg: make a partition, with a profile and virtual adapters.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "hmc/change.h"

static const char *const attributes_known[] = {
	"name", "lpar_id", "profile_name", "lpar_env", "min_mem", "desired_mem", "max_mem",
	"min_num_huge_pages", "desired_num_huge_pages", "proc_mode", "min_proc_units",
	"desired_proc_units", "max_proc_units", "min_procs", "desired_procs", "max_procs",
	"sharing_mode", "uncap_weight", "shared_proc_pool_id", "max_virtual_slots", "bsr_arrays",
	"boot_mode", "auto_start", "work_group_id", "redundant_err_path_reporting",
	"lpar_proc_compat_mode", "virtual_eth_adapters", "virtual_scsi_adapters",
	"virtual_fc_adapters", NULL
};

/* A random one, of version 4 */
static json_t *choose_uuid(void)
{
	uint8_t b[16] = { 0 };

	while (getrandom(b, sizeof(b), 0) != sizeof(b) && errno == EINTR)
		;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	return json_sprintf("%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X",
			    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
			    b[11], b[12], b[13], b[14], b[15]);
}

static int check_names(const struct command *command, const json_t *attributes)
{
	static const char *const needed[] = {
		"name", "profile_name", "lpar_env", "desired_mem", NULL
	};

	for (const char *const *name = needed; *name; name++)
		if (!json_object_get(attributes, *name))
			return usage_error(command, "The attribute %s is missing.", *name);
	if (!name_is_valid(text_of(attributes, "name")))
		return usage_error(command,
				   "name is \"%.64s\"; it must have 1 to 31 printable ASCII characters without \"/\", \",\" and quotes.",
				   text_of(attributes, "name"));
	if (!strcmp(text_of(attributes, "lpar_env"), "vioserver"))
		return usage_error(command,
				   "lpar_env is vioserver: Virtual I/O Servers are in the description of their system.");
	return EXIT_DONE;
}

/* What is not given is no more than is needed */
static void set_defaults(json_t *profile)
{
	static const struct {
		const char *wanted;
		const char *others[2];
	} groups[] = {
		{ "desired_mem", { "min_mem", "max_mem" } },
		{ "desired_procs", { "min_procs", "max_procs" } },
		{ "desired_proc_units", { "min_proc_units", "max_proc_units" } },
		{ }
	};
	json_t *given = json_pack("{s:s, s:i}", "proc_mode", "shared", "desired_procs", 1);

	json_object_update_missing(profile, given);
	json_decref(given);
	if (strcmp(text_of(profile, "proc_mode"), "ded")) {
		given = json_pack("{s:f, s:s}", "desired_proc_units",
				  0.1 * (double)number_of(profile, "desired_procs"),
				  "sharing_mode", "cap");
		json_object_update_missing(profile, given);
		json_decref(given);
	}
	for (size_t i = 0; groups[i].wanted; i++)
		for (size_t n = 0; n < 2; n++)
			if (!json_object_get(profile, groups[i].others[n]))
				json_object_set(profile, groups[i].others[n],
						json_object_get(profile, groups[i].wanted));
}

static int make_config(const struct change *change, const json_t *attributes, json_t **config)
{
	json_t *profile = json_object();
	int status;

	json_object_set(profile, "name", json_object_get(attributes, "profile_name"));
	status = profile_set(change->command, profile, attributes);
	set_defaults(profile);
	*config = json_pack("{s:O, s:O, s:o, s:[O], s:[]}", "lpar_env",
			    json_object_get(attributes, "lpar_env"), "curr_profile",
			    json_object_get(attributes, "profile_name"), "uuid", choose_uuid(),
			    "profiles", profile, "virtual_adapters");
	json_decref(profile);
	return status ? status : adapters_set(change, *config, attributes);
}

static int create(const struct change *change, const json_t *attributes, const json_t *config)
{
	const json_t *profile = json_array_get(json_object_get(config, "profiles"), 0);
	json_int_t id = 0;
	json_t *params;

	if (json_object_get(attributes, "lpar_id") &&
	    value_number(change->command, "lpar_id", text_of(attributes, "lpar_id"), &id))
		return EXIT_USAGE;
	params = json_pack("{s:O, s:I, s:O}", "name", json_object_get(attributes, "name"),
			   "memory", (json_int_t)number_of(profile, "desired_mem") << 20,
			   "config", config);
	if (id)
		json_object_set_new(params, "lpar_id", json_integer(id));
	return change_call(change, "partition.create", params, "make the partition");
}

static int make(const struct change *change, const json_t *attributes)
{
	json_t *config = NULL;
	int status = make_config(change, attributes, &config);

	if (!status)
		status = create(change, attributes, config);
	json_decref(config);
	return status;
}

static int make_all(struct change *change, const json_t *records)
{
	int status = EXIT_DONE;
	json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
		if (!status)
			status = check_names(change->command, record);
	if (!status) {
		status = change_open(change);
		json_array_foreach(records, i, record)
			if (!status)
				status = make(change, record);
		change_close(change);
	}
	return status;
}

static int run_mksyscfg(const struct command *command, int argc, char **argv)
{
	struct change change = { .command = command, .console.fd = -1 };
	int status = change_parse(&change, argc, argv, "+r:m:i:f:");
	json_t *records = NULL;

	if (!status && strcmp(change.resource, "lpar"))
		status = usage_error(command, "-r is \"%.64s\"; it must be lpar.",
				     change.resource);
	if (!status)
		status = change_records(&change, attributes_known, &records);
	if (!status)
		status = make_all(&change, records);
	json_decref(records);
	return status;
}

const struct command command_mksyscfg = {
	.name = "mksyscfg",
	.usage =
"Usage: mksyscfg -r lpar -m SYSTEM {-i ATTRIBUTES|-f FILE} [OPTION]...\n"
"Make partitions.\n"
"  -r lpar           partitions: name, profile_name, lpar_env and desired_mem must be\n"
"                    given\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  -i ATTRIBUTES     attribute=value,...; quotes around a pair whose value has commas\n"
"  -f FILE           a file of such lines, each for a partition\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_mksyscfg,
};
