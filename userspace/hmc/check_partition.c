// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of the partition itself.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/validate.h"

#define MOST_LPAR_ID	65535

static void check_name(struct validation *v)
{
	const char *name = partition_name(v);
	const char *target = v->target.system->name;
	struct rpc_error err;
	json_t *other = NULL;
	int ret;

	if (named_in(json_object_get(v->target.inventory, "vioses"), name)) {
		found(v, "LPM0103",
		      "System %s has a Virtual I/O Server %s; the name must be unused there. Choose another target, or rename one of them.",
		      target, name);
		return;
	}
	ret = system_call(v->target.system, "partition.show",
			  json_pack("{s:s}", "name", name), &other, &err);
	if (!ret)
		found(v, "LPM0103",
		      "System %s has a partition %s already (%s); the name must be unused there. Remove it, or, if a migration left it, run migrlpar -o r.",
		      target, name, text_of(other, "state"));
	else if (err.code != RPC_NOT_FOUND)
		found_call(v, v->target.system, "look for the partition's name", &err);
	else
		passed(v, "the name is unused on system %s", target);
	json_decref(other);
}

static bool id_is_used(struct validation *v, unsigned long id)
{
	return numbered_in(neighbours(v), "lpar_id", (int64_t)id) ||
	       numbered_in(json_object_get(v->target.inventory, "vioses"), "lpar_id",
			   (int64_t)id);
}

static void check_dest_id(struct validation *v)
{
	const char *value;
	unsigned long id;
	char *end;

	if (!attribute(v, "dest_lpar_id", &value))
		return;
	id = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || !id || id > MOST_LPAR_ID)
		found(v, "LPM0314",
		      "dest_lpar_id is \"%.64s\"; it must be a number from 1 to %d. Correct it.",
		      value, MOST_LPAR_ID);
	else if (id_is_used(v, id))
		found(v, "LPM0314",
		      "System %s has a partition with the id %lu of dest_lpar_id; it must be free there. Choose another one.",
		      v->target.system->name, id);
	else
		passed(v, "the id %lu is unused on system %s", id, v->target.system->name);
}

static void check_activated(struct validation *v)
{
	if (flag_of(v->config, "activated"))
		passed(v, "partition %s was activated before", partition_name(v));
	else
		found(v, "LPM0312",
		      "Partition %s was never activated; one that is Not Activated must have been, once. Activate it and shut it down.",
		      partition_name(v));
}

static void check_condition(struct validation *v)
{
	const char *condition = text_of(v->config, "condition");

	if (!*condition || !strcmp(condition, "ok"))
		passed(v, "partition %s has not crashed or failed", partition_name(v));
	else
		found(v, "LPM0313",
		      "Partition %s is %s (reference code \"%.32s\"); it must be in order. Restart it.",
		      partition_name(v), condition, text_of(v->config, "refcode"));
}

static void check_type(struct validation *v)
{
	if (!strcmp(text_of(v->config, "lpar_env"), "vioserver"))
		found(v, "LPM0315",
		      "Partition %s is a Virtual I/O Server; those cannot migrate. Choose another partition.",
		      partition_name(v));
	else if (flag_of(v->config, "service_partition"))
		found(v, "LPM0315",
		      "Partition %s is the management partition of system %s; it cannot migrate. Choose another partition, or give that role to another one.",
		      partition_name(v), v->source.system->name);
	else
		passed(v, "partition %s is no VIOS and no management partition",
		       partition_name(v));
}

static void check_disabled(struct validation *v)
{
	if (flag_of(v->config, "migration_disabled"))
		found(v, "LPM0316",
		      "Migration of partition %s is disabled; it must be enabled. Run chsyscfg -r lpar -m %s -i name=%s,migration_disabled=0.",
		      partition_name(v), v->source.system->name, partition_name(v));
	else
		passed(v, "migration of partition %s is not disabled", partition_name(v));
}

static void check_os(struct validation *v)
{
	const char *version = text_of(v->config, "os_version");

	if (strcmp(text_of(v->config, "os"), "AIX")) {
		passed(v, "partition %s runs no AIX", partition_name(v));
		return;
	}
	note(v, 5, "version %s, at least 6.1", version);
	if (version_at_least(version, "6.1"))
		passed(v, "partition %s runs AIX %s", partition_name(v), version);
	else
		found(v, "LPM0306",
		      "Partition %s runs AIX %s; it must be 6.1 or later. Update it.",
		      partition_name(v), version);
}

static void check_rmc(struct validation *v)
{
	const char *state = text_of(v->config, "rmc_state");

	if (!strcmp(state, "active"))
		passed(v, "partition %s has an RMC connection", partition_name(v));
	else
		found(v, "LPM0325",
		      "The RMC connection of partition %s is %s; a running partition needs an active one. Look at its network, and restart RMC there (rmcctrl).",
		      partition_name(v), *state ? state : "not known");
}

/* ---- What of its profile stays behind ---- */

static void check_physical_io(struct validation *v)
{
	json_t *slot;
	size_t i, count = 0;

	json_array_foreach(json_object_get(v->profile, "io_slots"), i, slot) {
		note(v, 5, "I/O slot %s: %srequired", text_of(slot, "drc_index"),
		     flag_of(slot, "required") ? "" : "not ");
		count += flag_of(slot, "required");
	}
	if (count)
		found(v, "LPM0317",
		      "Partition %s requires %zu physical I/O slots; they cannot move with it. Remove them from its profile, or make them desired.",
		      partition_name(v), count);
	else
		passed(v, "partition %s requires no physical I/O", partition_name(v));
}

/* A number of the profile that has to be 0 */
static void check_zero(struct validation *v, const char *code, const char *member,
		       const char *what)
{
	int64_t number = number_of(v->profile, member);

	note(v, 5, "%s of profile %s: %" PRId64, member, text_of(v->profile, "name"), number);
	if (number)
		found(v, code,
		      "Partition %s has %" PRId64 " %s; they belong to its system, and it must have none. Remove them from its profile.",
		      partition_name(v), number, what);
	else
		passed(v, "partition %s has no %s", partition_name(v), what);
}

static void check_lhea(struct validation *v)
{
	check_zero(v, "LPM0318", "lhea_logical_ports",
		   "ports of logical host Ethernet adapters");
}

static void check_huge_pages(struct validation *v)
{
	const char *least = "min_num_huge_pages";

	check_zero(v, "LPM0319", number_of(v->profile, least) ? least :
		   "desired_num_huge_pages", "huge pages");
}

static void check_bsr(struct validation *v)
{
	check_zero(v, "LPM0320", "bsr_arrays", "arrays of barrier synchronisation registers");
}

static void check_error_path(struct validation *v)
{
	if (flag_of(v->profile, "redundant_err_path_reporting"))
		found(v, "LPM0321",
		      "Partition %s reports errors of redundant paths; such a partition is bound to its system. Switch it off in its profile.",
		      partition_name(v));
	else
		passed(v, "partition %s does not report errors of redundant paths",
		       partition_name(v));
}

static void check_workload_group(struct validation *v)
{
	int64_t group = number_of(v->profile, "work_group_id");

	if (group)
		found(v, "LPM0322",
		      "Partition %s is in the workload group %" PRId64 "; it must be in none, as groups are of one system. Remove it from the group.",
		      partition_name(v), group);
	else
		passed(v, "partition %s is in no workload group", partition_name(v));
}

static void check_terminal(struct validation *v)
{
	if (flag_of(v->config, "vterm_open"))
		found(v, "LPM0323",
		      "Partition %s has an open virtual terminal; it will be closed when the partition migrates. Open it again on system %s.",
		      partition_name(v), v->target.system->name);
	else
		passed(v, "partition %s has no open virtual terminal", partition_name(v));
}

/* The profile that is written is the one of -n, or else the current one */
static void check_profile(struct validation *v)
{
	const char *name = v->options->profile;
	const char *current = text_of(v->profile, "name");
	int64_t memory = number_of(v->plan->partition, "memory") >> 20;
	int64_t desired = number_of(v->profile, "desired_mem");

	note(v, 5, "memory %" PRId64 " MiB, in profile %s %" PRId64 " MiB", memory, current,
	     desired);
	if (name && strcmp(name, current) &&
	    named_in(json_object_get(v->config, "profiles"), name))
		found(v, "LPM0324",
		      "Partition %s has a profile %s, which is not its current one; it will be overwritten with the partition's current state. Give a new name with -n to keep it.",
		      partition_name(v), name);
	else if (!name && memory != desired)
		found(v, "LPM0324",
		      "Profile %s of partition %s has %" PRId64 " MiB of memory, and the partition %" PRId64 " MiB; the profile will be overwritten with its current state. Give a new name with -n to keep it.",
		      current, partition_name(v), desired, memory);
	else
		passed(v, "no profile is overwritten with something else");
}

/* ---- Partitions that take part ---- */

/* The same that the partition is asked before it moves; it may answer otherwise then */
static void check_agent(struct validation *v)
{
	struct plan *plan = v->plan;
	struct rpc_error err;

	if (!json_object_get(plan->description, "guest"))
		return;
	if (!has_agent(plan)) {
		if (v->options->suspend && !strcmp(v->options->suspend, "partition"))
			found(v, "LPM0120",
			      "Partition %s has no agent that could be told to suspend it. Use --suspend platform.",
			      partition_name(v));
		return;
	}
	if (!takes_part(plan, v->options))
		passed(v, "partition %s is stopped from outside and not asked",
		       partition_name(v));
	else if (!ask_partition(plan, &err))
		passed(v, "partition %s agrees", partition_name(v));
	else if (err.code == RPC_FAILED)
		found(v, "LPM0121",
		      "It is the partition that does not agree to migrate: %s. Correct that in the partition, or move it without asking with --suspend platform.",
		      err.text);
	else
		found_call(v, plan->source, "ask the partition", &err);
}

#define E		SEVERITY_ERROR
#define W		SEVERITY_WARNING
#define ALL		{ E, E, E }
#define LESS_INACTIVE	{ E, W, E }
#define RUNNING		{ E, SEVERITY_NONE, E }

const struct check partition_checks[] = {
	{ "name", ALL, NEEDS_PARTITION, { "LPM0103", "LPM0102" },
	  "its name is unused on the target", check_name },
	{ "dest-id", ALL, NEEDS_PARTITION, { "LPM0314", "LPM0102" },
	  "the id that was asked for is unused on the target", check_dest_id },
	{ "activated", { SEVERITY_NONE, E, SEVERITY_NONE }, NEEDS_CONFIG, { "LPM0312" },
	  "it was activated at least once", check_activated },
	{ "condition", ALL, NEEDS_CONFIG, { "LPM0313" },
	  "it has not crashed or failed", check_condition },
	{ "type", ALL, NEEDS_CONFIG, { "LPM0315" },
	  "it is no VIOS, and not the management partition", check_type },
	{ "disabled", ALL, NEEDS_CONFIG, { "LPM0316" },
	  "its migration is not disabled", check_disabled },
	{ "os-version", ALL, NEEDS_CONFIG, { "LPM0306" },
	  "AIX is 6.1 or later", check_os },
	{ "partition-rmc", { E, SEVERITY_NONE, SEVERITY_NONE }, NEEDS_CONFIG, { "LPM0325" },
	  "it has an RMC connection", check_rmc },
	{ "physical-io", LESS_INACTIVE, NEEDS_CONFIG, { "LPM0317" },
	  "no physical I/O is required", check_physical_io },
	{ "lhea", LESS_INACTIVE, NEEDS_CONFIG, { "LPM0318" },
	  "it has no logical host Ethernet adapter", check_lhea },
	{ "huge-pages", RUNNING, NEEDS_CONFIG, { "LPM0319" },
	  "it has no huge pages", check_huge_pages },
	{ "bsr", RUNNING, NEEDS_CONFIG, { "LPM0320" },
	  "it has no barrier synchronisation registers", check_bsr },
	{ "error-path", LESS_INACTIVE, NEEDS_CONFIG, { "LPM0321" },
	  "it does not report errors of redundant paths", check_error_path },
	{ "workload-group", LESS_INACTIVE, NEEDS_CONFIG, { "LPM0322" },
	  "it is in no workload group", check_workload_group },
	{ "terminal", { W, W, W }, NEEDS_CONFIG, { "LPM0323" },
	  "no virtual terminal is open", check_terminal },
	{ "profile", { W, W, W }, NEEDS_CONFIG, { "LPM0324" },
	  "no profile is overwritten with something else", check_profile },
	{ "agent", { E, SEVERITY_NONE, SEVERITY_NONE }, NEEDS_PARTITION,
	  { "LPM0120", "LPM0121", "LPM0102" },
	  "its agent answers, and the partition agrees", check_agent },
	{ }
};
