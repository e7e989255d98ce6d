// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of what the target has to have for the shell partition.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/described.h"
#include "hmc/validate.h"

/* ---- Memory ---- */

/* A suspended partition has none, and needs it on the source too while it moves */
static void check_own_memory(struct validation *v, int64_t needed)
{
	int64_t free_bytes = number_of(v->source.info, "memory_free");
	const char *name = v->source.system->name;

	if (needed > free_bytes)
		found(v, "LPM0104",
		      "System %s has %" PRId64 " MiB of memory free; a suspended partition needs it while it migrates, %" PRId64 " MiB. Free memory there.",
		      name, free_bytes >> 20, needed >> 20);
	else
		passed(v, "%" PRId64 " MiB are free on system %s", free_bytes >> 20, name);
}

static void check_memory(struct validation *v)
{
	int64_t needed = number_of(v->plan->partition, "memory");
	int64_t free_bytes = number_of(v->target.info, "memory_free");
	const char *name = v->target.system->name;

	note(v, 5, "system %s: %" PRId64 " bytes free, %" PRId64 " needed", name, free_bytes,
	     needed);
	if (needed > free_bytes)
		found(v, "LPM0104",
		      "System %s has %" PRId64 " MiB of memory free; the partition needs %" PRId64 " MiB. Free memory there.",
		      name, free_bytes >> 20, needed >> 20);
	else
		passed(v, "%" PRId64 " MiB are free on system %s", free_bytes >> 20, name);
	if (v->plan->suspended)
		check_own_memory(v, needed);
}

static void check_region_size(struct validation *v)
{
	int64_t source = number_of(v->source.info, "memory_region_size");
	int64_t target = number_of(v->target.info, "memory_region_size");

	if (source != target)
		found(v, "LPM0105",
		      "The memory region size is %" PRId64 " MiB on system %s and %" PRId64 " MiB on system %s; it must be equal. Change it on one of them.",
		      source >> 20, v->source.system->name, target >> 20,
		      v->target.system->name);
	else
		passed(v, "the memory region size is %" PRId64 " MiB on both", source >> 20);
}

static void check_granule(struct validation *v)
{
	const json_t *granules = json_object_get(v->target.info, "granules");
	int64_t needed = number_of(v->plan->partition, "granule");
	json_t *granule;
	size_t i;

	json_array_foreach(granules, i, granule) {
		note(v, 5, "supported: %lld bytes", (long long)json_integer_value(granule));
		if (json_integer_value(granule) != needed)
			continue;
		passed(v, "pages of %" PRId64 " bytes are supported on system %s", needed,
		       v->target.system->name);
		return;
	}
	found(v, "LPM0106",
	      "The partition has pages of %" PRId64 " bytes, which system %s does not support. Choose another target.",
	      needed, v->target.system->name);
}

/* ---- Processors ---- */

static double used_units(struct validation *v)
{
	double used = 0;
	json_t *partition;
	size_t i;

	json_array_foreach(neighbours(v), i, partition) {
		double units = processors_of(partition);

		if (units > 0)
			note(v, 5, "partition %s of the target: %.2f",
			     text_of(partition, "name"), units);
		used += units;
	}
	return used;
}

static void check_processors(struct validation *v)
{
	double all = json_number_value(json_object_get(v->target.inventory,
						       "configurable_sys_proc_units"));
	double needed = profile_units(v->profile);
	double available;

	if (!v->target.inventory)
		return;
	available = all - used_units(v);
	/* Fractions of processors are in hundredths */
	if (needed > available + 0.001)
		found(v, "LPM0310",
		      "System %s has %.2f of %.2f processing units available; partition %s needs %.2f. Free some there, or give it less.",
		      v->target.system->name, available, all, partition_name(v), needed);
	else
		passed(v, "%.2f processing units are available on system %s", available,
		       v->target.system->name);
}

static bool has_pool(const struct validation *v, int64_t pool)
{
	const json_t *pools = json_object_get(v->target.inventory, "shared_proc_pools");

	/* Every system has the default pool */
	return !pool || numbered_in(pools, "shared_proc_pool_id", pool);
}

static void check_pool(struct validation *v)
{
	int64_t pool = number_of(v->profile, "shared_proc_pool_id");
	const char *value, *whose = "the profile's";
	char *end = "";

	if (!v->target.inventory || !strcmp(text_of(v->profile, "proc_mode"), "ded"))
		return;
	if (attribute(v, "shared_proc_pool_id", &value)) {
		pool = *value < '0' || *value > '9' ? -1 : strtol(value, &end, 10);
		whose = "that of -i";
	}
	if (!*end && has_pool(v, pool))
		passed(v, "system %s has the shared processor pool %" PRId64,
		       v->target.system->name, pool);
	else
		found(v, "LPM0311",
		      "System %s has no shared processor pool with the id %" PRId64 " (%s); the partition needs it there. Name another one with -i shared_proc_pool_id=ID.",
		      v->target.system->name, pool, whose);
}

/* ---- Processor compatibility modes ---- */

static void check_mode_of(struct validation *v, const char *mode, const char *whose)
{
	const json_t *modes = json_object_get(v->target.inventory, "lpar_proc_compat_modes");
	json_t *supported;
	size_t i;

	json_array_foreach(modes, i, supported)
		note(v, 5, "supported: %s", json_string_value(supported));
	if (!*mode || !strcmp(mode, "default") || has_text(modes, mode))
		passed(v, "system %s supports the %s processor mode %s",
		       v->target.system->name, whose, mode);
	else
		found(v, "LPM0309",
		      "The %s processor compatibility mode of partition %s is %s, which system %s does not support; it must. Change its mode and restart it, or choose another target.",
		      whose, partition_name(v), mode, v->target.system->name);
}

/* One that is activated on the target gets the mode of its profile there */
static void check_modes(struct validation *v)
{
	const char *current = text_of(v->config, "curr_lpar_proc_compat_mode");
	const char *preferred = text_of(v->profile, "lpar_proc_compat_mode");

	if (!v->target.inventory)
		return;
	if (v->kind != KIND_INACTIVE)
		check_mode_of(v, current, "current");
	if (v->kind == KIND_INACTIVE || strcmp(current, preferred))
		check_mode_of(v, preferred, "preferred");
}

/* ---- Guests ---- */

/* Is there on the target what it is made of? */
static void check_guest(struct validation *v)
{
	const struct plan *plan = v->plan;
	struct rpc_error err;
	json_t *params;

	if (!json_object_get(plan->description, "guest"))
		return;
	if (!flag_of(plan->target_info, "guests")) {
		found(v, "LPM0118",
		      "Partition %s is a guest, and system %s has no guests. Choose another target, or start its vasi-phypd with --qemu-plugin.",
		      partition_name(v), plan->target->name);
		return;
	}
	/* What it was given is checked here; config and history, elsewhere */
	params = json_copy(plan->description);
	json_object_del(params, "config");
	json_object_del(params, "history");
	if (!system_call(plan->target, "partition.check", params, NULL, &err))
		passed(v, "system %s has what the guest is made of", plan->target->name);
	else if (err.code == RPC_FAILED || err.code == RPC_STATE)
		found(v, "LPM0119",
		      "System %s lacks what partition %s is made of: %.300s. It must be there under the same name; see Documentation/guest-partition.rst.",
		      plan->target->name, partition_name(v), err.text);
	else
		found_call(v, plan->target, "check whether the guest could be there", &err);
}

#define ALL	{ SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }

const struct check resource_checks[] = {
	{ "memory", ALL, NEEDS_PARTITION, { "LPM0104" },
	  "memory is available", check_memory },
	{ "region-size", ALL, NEEDS_SYSTEMS, { "LPM0105" },
	  "memory region sizes are equal", check_region_size },
	{ "page-size", ALL, NEEDS_PARTITION, { "LPM0106" },
	  "the target supports the partition's page size", check_granule },
	{ "processors", ALL, NEEDS_CONFIG, { "LPM0310", "LPM0102" },
	  "processors are available on the target", check_processors },
	{ "processor-pool", ALL, NEEDS_CONFIG, { "LPM0311" },
	  "the target has the shared processor pool", check_pool },
	{ "compat-mode", ALL, NEEDS_CONFIG, { "LPM0309" },
	  "the target supports the processor compatibility mode", check_modes },
	{ "guest", ALL, NEEDS_PARTITION, { "LPM0118", "LPM0119", "LPM0102" },
	  "the target has guests, and what this one is made of", check_guest },
	{ }
};
