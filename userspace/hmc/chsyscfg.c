// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chsyscfg: change partitions and profiles, as far as mobility needs it.
 */
#include <string.h>

#include "hmc/change.h"
#include "hmc/described.h"

#define PROFILE_ATTRIBUTES						\
	"min_mem", "desired_mem", "max_mem", "min_num_huge_pages",	\
	"desired_num_huge_pages", "proc_mode", "min_proc_units",	\
	"desired_proc_units", "max_proc_units", "min_procs", "desired_procs", "max_procs", \
	"sharing_mode", "uncap_weight", "shared_proc_pool_id", "max_virtual_slots",	\
	"bsr_arrays"

static const char *const partition_attributes[] = {
	"name", "lpar_id", "msp", "time_ref", "migration_disabled", "max_freeze_ms", "boot_mode",
	"auto_start", "work_group_id", "redundant_err_path_reporting", "lpar_proc_compat_mode",
	NULL
};

static const char *const profile_attributes[] = {
	"name", "lpar_name", "lpar_id", PROFILE_ATTRIBUTES, "boot_mode", "auto_start",
	"work_group_id", "redundant_err_path_reporting", "lpar_proc_compat_mode",
	"virtual_eth_adapters", "virtual_scsi_adapters", "virtual_fc_adapters", NULL
};

/* What a record has besides the partition's name and id */
static size_t count_others(const json_t *attributes)
{
	size_t count = json_object_size(attributes);

	count -= json_object_get(attributes, "name") ? 1 : 0;
	return count - (json_object_get(attributes, "lpar_id") ? 1 : 0);
}

static int change_vios(const struct change *change, const json_t *vios,
		       const json_t *attributes)
{
	json_t *msp;

	if (!json_object_get(attributes, "msp") || count_others(attributes) != 1)
		return refuse_vios(change, vios);
	if (value_flag(change->command, "msp", text_of(attributes, "msp"), &msp))
		return EXIT_USAGE;
	return change_call(change, "vios.change",
			   json_pack("{s:s, s:o}", "name", text_of(vios, "name"), "msp", msp),
			   "change the Virtual I/O Server");
}

static int no_config(const struct change *change, const json_t *partition)
{
	message("LPM0402",
		"Partition %s on system %s has no profile, and nothing to change with it: it was made without a config. Make it with mksyscfg.",
		text_of(partition, "name"), change->system->name);
	return EXIT_FAILED;
}

static json_t *profile_named(json_t *config, const char *name)
{
	return (json_t *)named_in(json_object_get(config, "profiles"), name);
}

static int configure(const struct change *change, const json_t *partition, json_t *patch)
{
	return change_call(change, "partition.configure",
			   json_pack("{s:s, s:o}", "name", text_of(partition, "name"), "config",
				     patch), "change the partition");
}

static int set_flags(const struct change *change, json_t *patch, const json_t *attributes)
{
	static const char *const flags[] = { "time_ref", "migration_disabled", NULL };
	json_int_t number;
	json_t *value;

	for (const char *const *name = flags; *name; name++) {
		if (!json_object_get(attributes, *name))
			continue;
		if (value_flag(change->command, *name, text_of(attributes, *name), &value))
			return EXIT_USAGE;
		json_object_set_new(patch, *name, value);
	}
	if (!json_object_get(attributes, "max_freeze_ms"))
		return EXIT_DONE;
	if (value_number(change->command, "max_freeze_ms",
			 text_of(attributes, "max_freeze_ms"), &number))
		return EXIT_USAGE;
	json_object_set_new(patch, "max_freeze_ms", json_integer(number));
	return EXIT_DONE;
}

/* Some are the partition's own here, and some those of its current profile */
static int change_partition(const struct change *change, const json_t *partition,
			    const json_t *attributes)
{
	json_t *config = json_deep_copy(config_of(partition)), *patch;
	int status;

	if (json_object_get(attributes, "msp")) {
		json_decref(config);
		message("LPM0403",
			"Partition %s on system %s is no Virtual I/O Server, and cannot be a mover service partition. List those with lssyscfg -r lpar -F name,lpar_env.",
			text_of(partition, "name"), change->system->name);
		return EXIT_FAILED;
	}
	if (!config)
		return no_config(change, partition);
	patch = json_object();
	status = set_flags(change, patch, attributes);
	if (!status)
		status = profile_set(change->command,
				     profile_named(config, text_of(config, "curr_profile")),
				     attributes);
	json_object_set(patch, "profiles", json_object_get(config, "profiles"));
	if (!status)
		status = configure(change, partition, json_incref(patch));
	json_decref(patch);
	json_decref(config);
	return status;
}

static int change_lpar(const struct change *change, const json_t *attributes)
{
	struct subject subject;
	int status;

	if (!count_others(attributes))
		return usage_error(change->command, "No attribute is given that could be changed.");
	status = subject_of(change, attributes, "name", &subject);
	if (!status)
		status = subject.vios ? change_vios(change, subject.vios, attributes) :
			 change_partition(change, subject.partition, attributes);
	subject_release(&subject);
	return status;
}

static bool has_adapters(const json_t *attributes)
{
	return json_object_get(attributes, "virtual_eth_adapters") ||
	       json_object_get(attributes, "virtual_scsi_adapters") ||
	       json_object_get(attributes, "virtual_fc_adapters");
}

static int set_profile(const struct change *change, const json_t *partition, json_t *config,
		       const json_t *attributes)
{
	const char *name = text_of(attributes, "name");
	json_t *profile = profile_named(config, name);
	int status;

	if (!profile) {
		message("LPM0404",
			"Partition %s on system %s has no profile \"%.64s\". List those it has with lssyscfg -r prof -m %s.",
			text_of(partition, "name"), change->system->name, name,
			change->system->name);
		return EXIT_FAILED;
	}
	if (has_adapters(attributes) && strcmp(name, text_of(config, "curr_profile"))) {
		message("LPM0405",
			"Profile %s of partition %s is not its current one, %s, which is the one that has adapters here. Change them there.",
			name, text_of(partition, "name"), text_of(config, "curr_profile"));
		return EXIT_FAILED;
	}
	status = profile_set(change->command, profile, attributes);
	return status ? status : adapters_set(change, config, attributes);
}

static int change_profile(const struct change *change, const json_t *partition,
			  const json_t *attributes)
{
	json_t *config = json_deep_copy(config_of(partition));
	int status;

	if (!config)
		return no_config(change, partition);
	status = set_profile(change, partition, config, attributes);
	if (!status)
		status = configure(change, partition,
				   json_pack("{s:O, s:O}", "profiles",
					     json_object_get(config, "profiles"),
					     "virtual_adapters",
					     json_object_get(config, "virtual_adapters")));
	json_decref(config);
	return status;
}

static int change_prof(const struct change *change, const json_t *attributes)
{
	struct subject subject;
	int status;

	if (!json_object_get(attributes, "name"))
		return usage_error(change->command, "name is missing: of the profile.");
	status = subject_of(change, attributes, "lpar_name", &subject);
	if (!status)
		status = subject.vios ? refuse_vios(change, subject.vios) :
			 change_profile(change, subject.partition, attributes);
	subject_release(&subject);
	return status;
}

static int change_each(struct change *change, const json_t *records,
		       int (*one)(const struct change *change, const json_t *attributes))
{
	int status = change_open(change);
	json_t *record;
	size_t i;

	/* What is read and given back changed is not to be changed in between */
	if (!status)
		console_lock(&change->console, true);
	json_array_foreach(records, i, record)
		if (!status)
			status = one(change, record);
	change_close(change);
	return status;
}

static int run_chsyscfg(const struct command *command, int argc, char **argv)
{
	struct change change = { .command = command, .console.fd = -1 };
	int status = change_parse(&change, argc, argv, "+r:m:i:f:");
	json_t *records = NULL;
	bool lpar;

	if (status)
		return status;
	lpar = !strcmp(change.resource, "lpar");
	if (!lpar && strcmp(change.resource, "prof"))
		return usage_error(command, "-r is \"%.64s\"; it must be lpar or prof.",
				   change.resource);
	status = change_records(&change, lpar ? partition_attributes : profile_attributes,
				&records);
	if (!status)
		status = change_each(&change, records, lpar ? change_lpar : change_prof);
	json_decref(records);
	return status;
}

const struct command command_chsyscfg = {
	.name = "chsyscfg",
	.usage =
"Usage: chsyscfg -r {lpar|prof} -m SYSTEM {-i ATTRIBUTES|-f FILE} [OPTION]...\n"
"Change partitions or profiles.\n"
"  -r lpar           partitions and Virtual I/O Servers: name=NAME or lpar_id=ID, and\n"
"                    what is to be changed\n"
"  -r prof           profiles: name=PROFILE, and lpar_name=NAME or lpar_id=ID\n"
"  -m SYSTEM         managed system: its name, or TTTT-MMM*SSSSSSS\n"
"  -i ATTRIBUTES     attribute=value,...; quotes around a pair whose value has commas\n"
"  -f FILE           a file of such lines\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_chsyscfg,
};
