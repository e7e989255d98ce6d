// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of the systems and of the VIOSes that take part.
 */
#include <inttypes.h>
#include <string.h>

#include "common/util.h"
#include "hmc/validate.h"

#define LEAST_GENERATION	6

/* Both sides, in the order of messages */
static void each_side(struct validation *v,
		      void (*check)(struct validation *v, const struct side *side))
{
	if (v->source.info)
		check(v, &v->source);
	if (v->target.info)
		check(v, &v->target);
}

/* The same, of those that are described */
static void each_described(struct validation *v,
			   void (*check)(struct validation *v, const struct side *side))
{
	if (v->source.inventory)
		check(v, &v->source);
	if (v->target.inventory)
		check(v, &v->target);
}

static void has_capability(struct validation *v, const struct side *side, const char *name)
{
	const json_t *capabilities = json_object_get(side->inventory, "capabilities");

	note(v, 5, "system %s: %zu capabilities, %s wanted", side->system->name,
	     json_array_size(capabilities), name);
	if (has_text(capabilities, name))
		passed(v, "system %s has the capability %s", side->system->name, name);
	else
		found(v, "LPM0301",
		      "System %s lacks the capability %s; this migration needs it on both systems. Choose another system, or enable it there.",
		      side->system->name, name);
}

static void check_one_capability(struct validation *v, const struct side *side)
{
	has_capability(v, side, v->kind == KIND_INACTIVE ? "inactive_lpar_mobility" :
							   "active_lpar_mobility");
	if (v->kind == KIND_SUSPENDED)
		has_capability(v, side, "lpar_suspend");
}

static void check_capabilities(struct validation *v)
{
	each_described(v, check_one_capability);
}

static void check_one_state(struct validation *v, const struct side *side)
{
	const char *state = text_of(side->inventory, "state");

	if (!strcmp(state, "Operating"))
		passed(v, "system %s is Operating", side->system->name);
	else
		found(v, "LPM0302",
		      "System %s is %s; it must be Operating. Wait until it is, or power it on.",
		      side->system->name, state);
}

static void check_system_state(struct validation *v)
{
	each_described(v, check_one_state);
}

static void check_one_generation(struct validation *v, const struct side *side)
{
	int64_t generation = number_of(side->inventory, "generation");

	note(v, 5, "system %s: generation %" PRId64 ", at least %d", side->system->name,
	     generation, LEAST_GENERATION);
	if (generation >= LEAST_GENERATION)
		passed(v, "system %s is of generation POWER%" PRId64, side->system->name,
		       generation);
	else
		found(v, "LPM0303",
		      "System %s is of generation POWER%" PRId64 "; it must be POWER%d or later. Choose another system.",
		      side->system->name, generation, LEAST_GENERATION);
}

static void check_generation(struct validation *v)
{
	each_described(v, check_one_generation);
}

static void check_one_edition(struct validation *v, const struct side *side)
{
	if (flag_of(side->inventory, "mobility_edition"))
		passed(v, "the edition of system %s permits mobility", side->system->name);
	else
		found(v, "LPM0304",
		      "The edition that is installed on system %s does not permit mobility; one that does is needed on both. Install it, or enter its activation code.",
		      side->system->name);
}

static void check_edition(struct validation *v)
{
	each_described(v, check_one_edition);
}

static void check_one_power(struct validation *v, const struct side *side)
{
	const char *power = text_of(side->inventory, "power_source");

	note(v, 5, "system %s: power source %s", side->system->name, power);
	if (strcmp(power, "battery"))
		passed(v, "system %s is not on battery power", side->system->name);
	else
		found(v, "LPM0307",
		      "System %s runs on battery power; both must have utility power, as one might end amid the migration. Restore its power.",
		      side->system->name);
}

static void check_power(struct validation *v)
{
	each_described(v, check_one_power);
}

static void check_version(struct validation *v)
{
	int64_t source = number_of(v->source.info, "stream_major");
	int64_t target = number_of(v->target.info, "stream_major");

	if (source != target)
		found(v, "LPM0107",
		      "System %s speaks version %" PRId64 " of the platform's stream, system %s version %" PRId64 "; they must be equal. Update the older one.",
		      v->source.system->name, source, v->target.system->name, target);
	else
		passed(v, "both speak version %" PRId64 " of the platform's stream", source);
}

/* @kind: of migrations, a word with a blank behind it, or "" */
static void check_count(struct validation *v, const struct side *side, const char *code,
			const char *kind, int64_t used, int64_t most)
{
	note(v, 5, "system %s: %" PRId64 " of %" PRId64, side->system->name, used, most);
	if (used >= most)
		found(v, code,
		      "System %s has %" PRId64 " of at most %" PRId64 " %smigrations in progress; one must be free. %s",
		      side->system->name, used, most, kind,
		      most ? "Wait until one ends." : "It supports none; choose another system.");
	else
		passed(v, "system %s has %" PRId64 " of %" PRId64 " %smigrations in progress",
		       side->system->name, used, most, kind);
}

static void check_one_limit(struct validation *v, const struct side *side)
{
	int64_t used = number_of(side->info, "streams");
	int64_t most = number_of(side->info, "streams_max");

	/* A described system may support fewer than the platform can do */
	if (json_object_get(side->info, "active_migrations_max"))
		most = min(most, number_of(side->info, "active_migrations_max"));
	check_count(v, side, "LPM0108", "", used, most);
}

static void check_active_limit(struct validation *v)
{
	each_side(v, check_one_limit);
}

static void check_one_inactive_limit(struct validation *v, const struct side *side)
{
	int64_t used = number_of(side->info, "inactive_migrations");
	int64_t most = number_of(side->info, "inactive_migrations_max");

	check_count(v, side, "LPM0308", "inactive ", used, most);
}

static void check_inactive_limit(struct validation *v)
{
	each_described(v, check_one_inactive_limit);
}

/* ---- VIOSes that host something for the partition, on either side ---- */

static void one_vios(struct validation *v, const struct side *side, const char *name,
		     json_t *seen,
		     void (*check)(struct validation *v, const struct side *side,
				   const json_t *vios))
{
	const json_t *vios = named_in(json_object_get(side->inventory, "vioses"), name);

	if (!vios || json_object_get(seen, name))
		return;
	json_object_set_new(seen, name, json_true());
	check(v, side, vios);
}

static void each_vios(struct validation *v,
		      void (*check)(struct validation *v, const struct side *side,
				    const json_t *vios))
{
	json_t *seen = json_object(), *entry;
	size_t i;

	json_array_foreach(json_object_get(v->config, "virtual_adapters"), i, entry)
		one_vios(v, &v->source, text_of(entry, "remote_lpar_name"), seen, check);
	json_object_clear(seen);
	json_array_foreach(v->plan->mappings, i, entry)
		one_vios(v, &v->target, text_of(entry, "vios_name"), seen, check);
	json_decref(seen);
}

static void check_vios_version(struct validation *v, const struct side *side,
			       const json_t *vios)
{
	if (vios_is_new_enough(vios))
		passed(v, "VIOS %s of system %s has version %s", text_of(vios, "name"),
		       side->system->name, text_of(vios, "version"));
	else
		found(v, "LPM0305",
		      "VIOS %s of system %s has version %s; it must be 1.5.1.1 or later. Update it.",
		      text_of(vios, "name"), side->system->name, text_of(vios, "version"));
}

static void check_vios_versions(struct validation *v)
{
	each_vios(v, check_vios_version);
}

static void check_vios_answers(struct validation *v, const struct side *side,
			       const json_t *vios)
{
	if (vios_answers(vios))
		passed(v, "VIOS %s of system %s runs, and RMC is active", text_of(vios, "name"),
		       side->system->name);
	else
		found(v, "LPM0341",
		      "VIOS %s of system %s is %s, its RMC connection %s; it must be Running and active, to be configured. Start it, or restore its connection (rmcctrl).",
		      text_of(vios, "name"), side->system->name, text_of(vios, "state"),
		      text_of(vios, "rmc_state"));
}

static void check_vioses_answer(struct validation *v)
{
	each_vios(v, check_vios_answers);
}

#define ALL	{ SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }
#define RUNNING	{ SEVERITY_ERROR, SEVERITY_NONE, SEVERITY_ERROR }

const struct check system_checks[] = {
	{ "capability", ALL, NEEDS_NOTHING, { "LPM0301" },
	  "both systems can do what this migration needs", check_capabilities },
	{ "system-state", ALL, NEEDS_NOTHING, { "LPM0302" },
	  "both systems are Operating", check_system_state },
	{ "generation", ALL, NEEDS_NOTHING, { "LPM0303" },
	  "both systems are POWER6 or later", check_generation },
	{ "edition", ALL, NEEDS_NOTHING, { "LPM0304" },
	  "the edition of both systems permits mobility", check_edition },
	{ "battery", ALL, NEEDS_NOTHING, { "LPM0307" },
	  "no system runs on battery power", check_power },
	{ "stream-version", RUNNING, NEEDS_SYSTEMS, { "LPM0107" },
	  "versions of the platform's stream are equal", check_version },
	{ "migrations", RUNNING, NEEDS_NOTHING, { "LPM0108" },
	  "a migration slot is free on both systems", check_active_limit },
	{ "inactive-migrations", { SEVERITY_NONE, SEVERITY_ERROR, SEVERITY_NONE },
	  NEEDS_NOTHING, { "LPM0308" },
	  "an inactive migration more is supported by both systems", check_inactive_limit },
	{ "vios-version", ALL, NEEDS_CONFIG, { "LPM0305" },
	  "VIOSes that host the partition are 1.5.1.1 or later", check_vios_versions },
	{ "vios", ALL, NEEDS_CONFIG, { "LPM0341" },
	  "VIOSes that host the partition run, and have an RMC connection",
	  check_vioses_answer },
	{ }
};
