// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation: may this partition migrate to that system, as far as is known now?
 * Everything that stands against it is told in one run; nothing is changed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/notice.h"
#include "common/util.h"
#include "hmc/console.h"
#include "hmc/described.h"
#include "hmc/mapping.h"
#include "hmc/movers.h"
#include "hmc/validate.h"

/* ---- For checks ---- */

/**
 * passed() - something is as it should be
 * @v:		the validation
 * @fmt:	what
 */
void passed(const struct validation *v, const char *fmt, ...)
{
	va_list ap;

	if (!v->verbose)
		return;
	va_start(ap, fmt);
	vprint_line(stdout, "passed: ", fmt, ap);
	va_end(ap);
}

/**
 * note() - what a check looks at, for the details of what it finds
 * @v:		the validation
 * @level:	1 to 5, of -d
 * @fmt:	what
 */
void note(struct validation *v, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	findings_note(&v->findings, level, fmt, ap);
	va_end(ap);
}

static enum severity severity_of(const struct validation *v)
{
	return v->check ? v->check->severity[v->kind] : SEVERITY_ERROR;
}

/* The first detail is which rule it is */
static void note_check(struct validation *v)
{
	if (v->check)
		note(v, 1, "check %s: %s", v->check->name, v->check->meaning);
}

/**
 * found() - something stands against the migration
 * @v:		the validation
 * @code:	one of the check's
 * @fmt:	what was found, what was expected, what to do
 */
void found(struct validation *v, const char *code, const char *fmt, ...)
{
	va_list ap;

	note_check(v);
	va_start(ap, fmt);
	findings_add(&v->findings, code, severity_of(v), fmt, ap);
	va_end(ap);
}

/**
 * found_as() - the same, where an option decides how severe it is
 * @v:		the validation
 * @severity:	how severe
 * @code:	one of the check's
 * @fmt:	what was found, what was expected, what to do
 */
void found_as(struct validation *v, enum severity severity, const char *code,
	      const char *fmt, ...)
{
	va_list ap;

	note_check(v);
	va_start(ap, fmt);
	findings_add(&v->findings, code, severity, fmt, ap);
	va_end(ap);
}

/**
 * found_call() - a system's call failed
 * @v:		the validation
 * @system:	the system
 * @what:	was to be done
 * @err:	why it failed
 */
void found_call(struct validation *v, const struct managed_system *system,
		const char *what, const struct rpc_error *err)
{
	char text[CALL_TEXT_BYTES];
	const char *code = call_text(system, what, err, text);

	if (code)
		found(v, code, "%s", text);
	else
		v->findings.errors++;	/* the time is over, and that is told by whoever set it */
}

/**
 * found_msp_call() - a mover's call failed
 * @v:		the validation
 * @system:	its system
 * @msp:	the mover
 * @what:	was to be done
 * @err:	why it failed
 */
void found_msp_call(struct validation *v, const struct managed_system *system,
		    const struct msp *msp, const char *what, const struct rpc_error *err)
{
	char text[CALL_TEXT_BYTES];
	const char *code = msp_text(system, msp, what, err, text);

	if (code)
		found(v, code, "%s", text);
	else
		v->findings.errors++;
}

/* Is it one of the codes of the check that is under way? */
static bool is_of_check(const struct validation *v, const char *code)
{
	for (size_t i = 0; i < CHECK_CODES && v->check->codes[i]; i++)
		if (!strcmp(v->check->codes[i], code))
			return true;
	return false;
}

/**
 * check_problems() - report what stood against mappings, of the check's codes
 * @v:		the validation
 */
void check_problems(struct validation *v)
{
	json_t *problem, *detail;
	size_t i, j;

	json_array_foreach(v->problems, i, problem) {
		const char *code = text_of(problem, "code");

		if (!is_of_check(v, code))
			continue;
		json_array_foreach(json_object_get(problem, "details"), j, detail)
			note(v, 3, "%s", json_string_value(detail));
		found(v, code, "%s", text_of(problem, "text"));
	}
}

/**
 * each_client() - look at each of the partition's virtual adapters of a type
 * @v:		the validation
 * @type:	of the adapters
 * @check:	called with the server adapter on the source, or NULL, and its VIOS
 */
void each_client(struct validation *v, const char *type,
		 void (*check)(struct validation *v, const json_t *adapter,
			       const json_t *server, const json_t *vios))
{
	const json_t *server, *vios;
	json_t *adapter;
	size_t i;

	if (!v->source.inventory)
		return;
	json_array_foreach(json_object_get(v->config, "virtual_adapters"), i, adapter) {
		if (strcmp(text_of(adapter, "adapter_type"), type))
			continue;
		server = find_server(v->source.inventory, partition_name(v), adapter, &vios);
		check(v, adapter, server, vios);
	}
}

const char *partition_name(const struct validation *v)
{
	return text_of(v->plan->partition, "name");
}

/**
 * attribute() - an attribute of -i
 * @v:		the validation
 * @name:	its name
 * @value:	set to its value
 *
 * Return: was it given?
 */
bool attribute(const struct validation *v, const char *name, const char **value)
{
	*value = json_string_value(json_object_get(v->options->data, name));
	return *value;
}

/**
 * neighbours() - the partitions of the target
 * @v:		the validation
 *
 * Return: array of partition.show, with their configs where the target is described;
 * NULL: it did not tell.
 */
const json_t *neighbours(struct validation *v)
{
	struct rpc_error err;

	if (!v->neighbours && ask_partitions(v->target.system, &v->neighbours, &err))
		found_call(v, v->target.system, "list its partitions", &err);
	return json_object_get(v->neighbours, "partitions");
}

/* ---- What is known ---- */

static void look_at_side(struct validation *v, struct side *side, json_t **info)
{
	struct rpc_error err;

	if (!*info && system_call(side->system, "system.info", NULL, info, &err)) {
		found_call(v, side->system, "describe itself", &err);
		return;
	}
	side->info = *info;
	if (system_call(side->system, "system.inventory", NULL, &side->inventory, &err)) {
		found_call(v, side->system, "tell what it has", &err);
		return;
	}
	if (!flag_of(side->inventory, "described")) {
		json_decref(side->inventory);
		side->inventory = NULL;
	}
	passed(v, "system %s answers", side->system->name);
}

/* Both systems answer */
static void check_systems(struct validation *v)
{
	look_at_side(v, &v->source, &v->plan->source_info);
	look_at_side(v, &v->target, &v->plan->target_info);
}

static void describe_partition(struct validation *v)
{
	struct plan *plan = v->plan;
	struct rpc_error err;

	if (system_call(plan->source, "partition.describe",
			json_pack("{s:s}", "name", partition_name(v)), &plan->description,
			&err)) {
		found_call(v, plan->source, "describe the partition", &err);
		return;
	}
	v->config = json_object_get(plan->description, "config");
	v->profile = current_profile(v->config);
}

static void look_at_state(struct validation *v)
{
	struct plan *plan = v->plan;
	const char *state = text_of(plan->partition, "state");

	plan->suspended = !strcmp(state, "Hibernated");
	plan->active = plan->suspended || !strcmp(state, "Running") ||
		       !strcmp(state, "Finished");
	v->kind = plan->suspended ? KIND_SUSPENDED : plan->active ? KIND_ACTIVE : KIND_INACTIVE;
	if (*text_of(plan->partition, "departing")) {
		found(v, "HSCL05DF",
		      "Partition %s on system %s was in a migration that was interrupted. Run migrlpar -o r -m %s -p %s first.",
		      partition_name(v), plan->source->name, plan->source->name,
		      partition_name(v));
		return;
	}
	if (!plan->active && strcmp(state, "Not Activated")) {
		found(v, "HSCL05DF",
		      "Partition %s on system %s is %s (%s); it must be Running, Suspended or Not Activated. lslparmigr -r lpar shows whether it migrates.",
		      partition_name(v), plan->source->name, lpar_state(plan->partition), state);
		return;
	}
	passed(v, "partition %s is %s", partition_name(v), state);
	describe_partition(v);
}

/* The partition exists, and its state permits it */
static void check_state(struct validation *v)
{
	struct plan *plan = v->plan;
	struct rpc_error err;
	int ret;

	if (!v->source.info)
		return;
	ret = look_for_partition(plan->source, v->key, &plan->partition, &err);
	if (!ret) {
		look_at_state(v);
	} else if (ret != -ENOENT) {
		found_call(v, plan->source, "list its partitions", &err);
	} else if (v->key->name) {
		found(v, "HSCL8012",
		      "System %s has no partition named %s. List them with lssyscfg -r lpar -m %s.",
		      plan->source->name, v->key->name, plan->source->name);
	} else {
		found(v, "HSCL8012",
		      "System %s has no partition with id %u. List them with lssyscfg -r lpar -m %s.",
		      plan->source->name, v->key->id, plan->source->name);
	}
}

/* What all others build on */
static const struct check first_checks[] = {
	{ "system", { SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }, NEEDS_NOTHING,
	  { "LPM0101", "LPM0102", "HSCL350B", "HSCLA318", "HSCLA335" },
	  "both systems answer", check_systems },
	{ "state", { SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }, NEEDS_NOTHING,
	  { "HSCL8012", "HSCL05DF", "LPM0102" },
	  "the partition exists, and its state permits it", check_state },
	{ }
};

/* ---- All checks ---- */

const struct check *const check_tables[] = {
	first_checks, console_checks, system_checks, partition_checks, resource_checks,
	network_checks, storage_checks, fc_checks, mapping_checks, mover_checks,
	prediction_checks, NULL
};

static bool known_enough(const struct validation *v, enum check_needs needs)
{
	switch (needs) {
	case NEEDS_CONFIG:
		return v->config && v->profile && v->source.info && v->target.info;
	case NEEDS_PARTITION:
		return v->plan->partition && v->source.info && v->target.info;
	case NEEDS_SYSTEMS:
		return v->source.info && v->target.info;
	default:
		return true;
	}
}

static bool out_of_time(const struct validation *v)
{
	return v->source.system->deadline_ns && now_ns() > v->source.system->deadline_ns;
}

static void run_table(struct validation *v, const struct check *check)
{
	for (; check->name && !out_of_time(v); check++) {
		v->check = check;
		if (check->severity[v->kind] && known_enough(v, check->needs))
			check->run(v);
		findings_forget_notes(&v->findings);
	}
	v->check = NULL;
}

/**
 * validation_begin() - prepare a validation
 * @v:		to be ended with validation_end()
 * @plan:	source and target are set; the rest is filled in
 * @key:	which partition
 * @options:	what the user wants
 */
void validation_begin(struct validation *v, struct plan *plan, const struct partition_key *key,
		      const struct move_options *options)
{
	*v = (struct validation) {
		.plan = plan, .key = key, .options = options,
		.source.system = plan->source, .target.system = plan->target,
		.problems = json_array(), .verbose = options->verbose,
	};
	findings_init(&v->findings);
}

/**
 * validation_look() - look at the systems and the partition, and choose mappings
 * @v:		the validation
 */
void validation_look(struct validation *v)
{
	run_table(v, first_checks);
	if (!v->config || !v->target.inventory)
		return;
	v->mapping = (struct mapping_input) {
		.partition = partition_name(v), .config = v->config,
		.source = v->source.inventory, .target = v->target.inventory,
		.options = v->options,
	};
	v->plan->mappings = mapping_choose(&v->mapping, v->problems);
}

/**
 * validation_run() - make all checks
 * @v:		the validation; what stands against it is in its findings
 */
void validation_run(struct validation *v)
{
	validation_look(v);
	for (size_t i = 1; check_tables[i]; i++)
		run_table(v, check_tables[i]);
}

void validation_end(struct validation *v)
{
	json_decref(v->source.inventory);
	json_decref(v->target.inventory);
	json_decref(v->neighbours);
	json_decref(v->problems);
	findings_release(&v->findings);
}

/**
 * validate() - may the partition migrate?
 * @plan:	source and target are set; the rest is filled in
 * @key:	which partition
 * @options:	what the user wants
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told why.
 */
int validate(struct plan *plan, const struct partition_key *key,
	     const struct move_options *options)
{
	struct validation v;
	int status;

	validation_begin(&v, plan, key, options);
	validation_run(&v);
	findings_print(&v.findings, options->detail, options->nodetails);
	status = v.findings.errors || out_of_time(&v) ? EXIT_FAILED : EXIT_DONE;
	validation_end(&v);
	return status;
}

/**
 * plan_movers() - choose movers for a migration that is to go on
 * @plan:	source and target are set
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told why.
 */
int plan_movers(struct plan *plan)
{
	const struct move_options options = { .redundant_vios = 2 };
	struct validation v;
	int status;

	validation_begin(&v, plan, NULL, &options);
	check_systems(&v);
	if (!v.findings.errors)
		choose_movers(&v);
	findings_print(&v.findings, 0, false);
	status = v.findings.errors ? EXIT_FAILED : EXIT_DONE;
	validation_end(&v);
	return status;
}

/**
 * plan_release() - forget what validation found
 * @plan:	may be used again
 */
void plan_release(struct plan *plan)
{
	json_decref(plan->source_info);
	json_decref(plan->target_info);
	json_decref(plan->partition);
	json_decref(plan->description);
	json_decref(plan->mappings);
	json_decref(plan->prediction);
	*plan = (struct plan) { };
}
