// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation: may this partition migrate to that system, as far as is known now?
 * Everything that stands against it is told in one run; nothing is changed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/console.h"

/**
 * struct validation - a validation under way
 * @plan:	what is filled in
 * @findings:	how many stand against it
 * @options:	what the user wants; NULL: nothing
 * @verbose:	tell also what is as it should be
 */
struct validation {
	struct plan *plan;
	unsigned int findings;
	const struct move_options *options;
	bool verbose;
};

__attribute__((format(printf, 2, 3)))
static void passed(const struct validation *v, const char *fmt, ...)
{
	va_list ap;

	if (!v->verbose)
		return;
	fputs("passed: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

#define found(v, code, ...)			\
	do {					\
		message(code, __VA_ARGS__);	\
		(v)->findings++;		\
	} while (0)

static void check_system(struct validation *v, const struct managed_system *system,
			 json_t **info)
{
	struct rpc_error err;

	if (system_call(system, "system.info", NULL, info, &err)) {
		call_message(system, "describe itself", &err);
		v->findings++;
	} else {
		passed(v, "system %s answers", system->name);
	}
}

static void check_state(struct validation *v, const struct partition_key *key)
{
	struct plan *plan = v->plan;
	struct rpc_error err;
	const char *state;

	if (find_partition(plan->source, key, &plan->partition)) {
		v->findings++;
		return;
	}
	state = text_of(plan->partition, "state");
	plan->suspended = !strcmp(state, "Hibernated");
	plan->active = plan->suspended || !strcmp(state, "Running") ||
		       !strcmp(state, "Finished");
	if (*text_of(plan->partition, "departing")) {
		found(v, "HSCL05DF",
		      "Partition %s on system %s was in a migration that was interrupted. Run migrlpar -o r -m %s -p %s first.",
		      text_of(plan->partition, "name"), plan->source->name,
		      plan->source->name, text_of(plan->partition, "name"));
		return;
	}
	if (!plan->active && strcmp(state, "Not Activated")) {
		found(v, "HSCL05DF",
		      "Partition %s on system %s is %s (%s); it must be Running, Suspended or Not Activated. lslparmigr -r lpar shows whether it migrates.",
		      text_of(plan->partition, "name"), plan->source->name,
		      lpar_state(plan->partition), state);
		return;
	}
	passed(v, "partition %s is %s", text_of(plan->partition, "name"), state);
	if (system_call(plan->source, "partition.describe",
			json_pack("{s:s}", "name", text_of(plan->partition, "name")),
			&plan->description, &err)) {
		call_message(plan->source, "describe the partition", &err);
		v->findings++;
	}
}

static void check_name(struct validation *v)
{
	const char *name = text_of(v->plan->partition, "name");
	struct rpc_error err;
	json_t *other = NULL;
	int ret;

	ret = system_call(v->plan->target, "partition.show",
			  json_pack("{s:s}", "name", name), &other, &err);
	if (!ret) {
		found(v, "LPM0103",
		      "System %s has a partition %s already (%s); the name must be unused there. Remove it, or, if a migration left it, run migrlpar -o r.",
		      v->plan->target->name, name, text_of(other, "state"));
	} else if (err.code != RPC_NOT_FOUND) {
		call_message(v->plan->target, "look for the partition's name", &err);
		v->findings++;
	} else {
		passed(v, "the name is unused on system %s", v->plan->target->name);
	}
	json_decref(other);
}

/* A suspended partition has none, and needs it on the source too while it moves */
static void check_own_memory(struct validation *v, int64_t needed)
{
	const struct plan *plan = v->plan;
	int64_t free_bytes = number_of(plan->source_info, "memory_free");

	if (needed > free_bytes)
		found(v, "LPM0104",
		      "System %s has %" PRId64 " MiB of memory free; a suspended partition needs it while it migrates, %" PRId64 " MiB. Free memory there.",
		      plan->source->name, free_bytes >> 20, needed >> 20);
	else
		passed(v, "%" PRId64 " MiB are free on system %s", free_bytes >> 20,
		       plan->source->name);
}

static void check_memory(struct validation *v)
{
	const struct plan *plan = v->plan;
	int64_t needed = number_of(plan->partition, "memory");
	int64_t free_bytes = number_of(plan->target_info, "memory_free");
	int64_t source_lmb = number_of(plan->source_info, "memory_region_size");
	int64_t target_lmb = number_of(plan->target_info, "memory_region_size");

	if (needed > free_bytes)
		found(v, "LPM0104",
		      "System %s has %" PRId64 " MiB of memory free; the partition needs %" PRId64 " MiB. Free memory there.",
		      plan->target->name, free_bytes >> 20, needed >> 20);
	else
		passed(v, "%" PRId64 " MiB are free on system %s", free_bytes >> 20,
		       plan->target->name);
	if (plan->suspended)
		check_own_memory(v, needed);
	if (source_lmb != target_lmb)
		found(v, "LPM0105",
		      "The memory region size is %" PRId64 " MiB on system %s and %" PRId64 " MiB on system %s; it must be equal. Change it on one of them.",
		      source_lmb >> 20, plan->source->name, target_lmb >> 20,
		      plan->target->name);
	else
		passed(v, "the memory region size is %" PRId64 " MiB on both", source_lmb >> 20);
}

static void check_granule(struct validation *v)
{
	const json_t *granules = json_object_get(v->plan->target_info, "granules");
	int64_t needed = number_of(v->plan->partition, "granule");
	json_t *granule;
	size_t i;

	json_array_foreach(granules, i, granule) {
		if (json_integer_value(granule) != needed)
			continue;
		passed(v, "pages of %" PRId64 " bytes are supported on system %s", needed,
		       v->plan->target->name);
		return;
	}
	found(v, "LPM0106",
	      "The partition has pages of %" PRId64 " bytes, which system %s does not support. Choose another target.",
	      needed, v->plan->target->name);
}

static void check_version(struct validation *v)
{
	int64_t source = number_of(v->plan->source_info, "stream_major");
	int64_t target = number_of(v->plan->target_info, "stream_major");

	if (source != target)
		found(v, "LPM0107",
		      "System %s speaks version %" PRId64 " of the platform's stream, system %s version %" PRId64 "; they must be equal. Update the older one.",
		      v->plan->source->name, source, v->plan->target->name, target);
	else
		passed(v, "both speak version %" PRId64 " of the platform's stream", source);
}

static void check_slots(struct validation *v, const struct managed_system *system,
			const json_t *info)
{
	int64_t used = number_of(info, "streams");
	int64_t most = number_of(info, "streams_max");

	if (used >= most)
		found(v, "LPM0108",
		      "System %s has %" PRId64 " of at most %" PRId64 " migrations in progress; one must be free. Wait until one ends.",
		      system->name, used, most);
	else
		passed(v, "system %s has %" PRId64 " of %" PRId64 " migrations in progress",
		       system->name, used, most);
}

/* The platform's view: does a mover drive this device? */
static const json_t *find_device(const json_t *info, const char *name)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(info, "devices"), i, device)
		if (!strcmp(text_of(device, "name"), name))
			return device;
	return NULL;
}

/* Why a mover cannot be used; its code, or NULL: it can */
static const char *mover_problem(const struct managed_system *system,
				 const struct msp *msp, const json_t *info,
				 char *why, size_t size)
{
	const json_t *device = find_device(info, msp->device);
	struct rpc_error err;
	json_t *mover = NULL;
	const char *code = NULL;

	if (msp_call(msp, "info", NULL, &mover, &err)) {
		if (call_forbidden(&err)) {
			snprintf(why, size,
				 "%.300s. Use this command as a member of that group.",
				 err.text);
			return "HSCL350B";
		}
		snprintf(why, size,
			 "it does not answer: %.300s. Start its mspd, or correct the console file.",
			 err.text);
		return "LPM0110";
	}
	if (!device) {
		code = "LPM0111";
		snprintf(why, size,
			 "system %s has no VASI device %s. Correct the console file.",
			 system->name, msp->device);
	} else if (!flag_of(device, "connected")) {
		code = "LPM0112";
		snprintf(why, size,
			 "it is not connected to its VASI device %s. Look at mspd's log.",
			 msp->device);
	} else if (number_of(mover, "operations") >= number_of(mover, "operations_max")) {
		code = "LPM0113";
		snprintf(why, size,
			 "it has %" PRId64 " of at most %" PRId64 " operations in progress. Wait until one ends, or raise max_vasi_ops.",
			 number_of(mover, "operations"), number_of(mover, "operations_max"));
	}
	json_decref(mover);
	return code;
}

/* The first that can be used; if there is none, each one's problem is told */
static const struct msp *check_movers(struct validation *v,
				      const struct managed_system *system,
				      const json_t *info)
{
	char why[512];

	for (size_t i = 0; i < system->nmsps; i++) {
		const struct msp *msp = &system->msps[i];

		if (mover_problem(system, msp, info, why, sizeof(why)))
			continue;
		passed(v, "mover %s of system %s is ready", msp->name, system->name);
		return msp;
	}
	for (size_t i = 0; i < system->nmsps; i++) {
		const struct msp *msp = &system->msps[i];
		const char *code = mover_problem(system, msp, info, why, sizeof(why));

		/* It has just become free */
		if (!code)
			return msp;
		found(v, code, "Mover %s of system %s cannot be used: %s", msp->name,
		      system->name, why);
	}
	if (!system->nmsps)
		found(v, "LPM0109",
		      "The console file names no mover service partition of system %s; a running partition needs one on each side. Add it, or shut the partition down first.",
		      system->name);
	return NULL;
}

/* Does @msp trust the mover that has @peer's answer to "info"? */
static void check_trusts(struct validation *v, const struct managed_system *system,
			 const struct msp *msp, const json_t *peer, const char *peer_name)
{
	struct rpc_error err;

	if (!msp_call(msp, "check_peer",
		      json_pack("{s:s}", "certificate", text_of(peer, "certificate")), NULL,
		      &err)) {
		passed(v, "mover %s of system %s trusts the mover of system %s", msp->name,
		       system->name, peer_name);
	} else if (err.code == RPC_NOT_AUTHORISED) {
		found(v, "LPM0116",
		      "Mover %s of system %s does not trust the mover of system %s: %.300s. Correct what it says; mspd(8) tells how movers are introduced to each other.",
		      msp->name, system->name, peer_name, err.text);
	} else {
		msp_message(system, msp, "check its peer", &err);
		v->findings++;
	}
}

static void check_encryption(struct validation *v, const json_t *source,
			     const json_t *target)
{
	bool here = flag_of(source, "encrypt_data");

	if (here != flag_of(target, "encrypt_data"))
		found(v, "LPM0117",
		      "The mover of system %s has encryption of data %s, that of system %s %s; it must be the same. Correct encrypt_data.",
		      v->plan->source->name, here ? "on" : "off", v->plan->target->name,
		      here ? "off" : "on");
	else
		passed(v, "both movers have encryption of data %s", here ? "on" : "off");
}

static void check_peers(struct validation *v)
{
	const struct plan *plan = v->plan;
	json_t *source = NULL, *target = NULL;
	struct rpc_error err;

	/* One that has just gone is found when it is to start */
	if (!msp_call(plan->source_msp, "info", NULL, &source, &err) &&
	    !msp_call(plan->target_msp, "info", NULL, &target, &err)) {
		check_encryption(v, source, target);
		check_trusts(v, plan->source, plan->source_msp, target, plan->target->name);
		check_trusts(v, plan->target, plan->target_msp, source, plan->source->name);
	}
	json_decref(source);
	json_decref(target);
}

static void check_active(struct validation *v)
{
	struct plan *plan = v->plan;

	if (plan->source_info && plan->target_info)
		check_version(v);
	if (plan->source_info) {
		check_slots(v, plan->source, plan->source_info);
		plan->source_msp = check_movers(v, plan->source, plan->source_info);
	}
	if (plan->target_info) {
		check_slots(v, plan->target, plan->target_info);
		plan->target_msp = check_movers(v, plan->target, plan->target_info);
	}
	if (plan->source_msp && plan->target_msp)
		check_peers(v);
}

/* Is there on the target what it is made of? */
static void check_guest(struct validation *v)
{
	const struct plan *plan = v->plan;
	struct rpc_error err;

	if (!flag_of(plan->target_info, "guests")) {
		found(v, "LPM0118",
		      "Partition %s is a guest, and system %s has no guests. Choose another target, or start its vasi-phypd with --qemu-plugin.",
		      text_of(plan->partition, "name"), plan->target->name);
	} else if (!system_call(plan->target, "partition.check",
				json_incref(plan->description), NULL, &err)) {
		passed(v, "system %s has what the guest is made of", plan->target->name);
	} else if (err.code == RPC_FAILED || err.code == RPC_STATE) {
		found(v, "LPM0119",
		      "System %s lacks what partition %s is made of: %.300s. It must be there under the same name; see Documentation/guest-partition.rst.",
		      plan->target->name, text_of(plan->partition, "name"), err.text);
	} else {
		call_message(plan->target, "check whether the guest could be there", &err);
		v->findings++;
	}
}

/* The same that the partition is asked before it moves; it may answer otherwise then */
static void check_agent(struct validation *v)
{
	struct plan *plan = v->plan;
	const char *name = text_of(plan->partition, "name");

	if (!has_agent(plan)) {
		if (v->options->suspend && !strcmp(v->options->suspend, "partition"))
			found(v, "LPM0120",
			      "Partition %s has no agent that could be told to suspend it. Use --suspend platform.",
			      name);
		return;
	}
	if (!takes_part(plan, v->options))
		passed(v, "partition %s is stopped from outside and not asked", name);
	else if (ask_partition(plan))
		v->findings++;
	else
		passed(v, "partition %s agrees", name);
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
	struct validation v = { .plan = plan, .options = options, .verbose = options->verbose };

	check_system(&v, plan->source, &plan->source_info);
	check_system(&v, plan->target, &plan->target_info);
	if (plan->source_info)
		check_state(&v, key);
	if (plan->partition && plan->target_info) {
		check_name(&v);
		check_granule(&v);
	}
	if (plan->partition && plan->source_info && plan->target_info)
		check_memory(&v);
	if (plan->target_info && json_object_get(plan->description, "guest"))
		check_guest(&v);
	if (plan->active && !plan->suspended && json_object_get(plan->description, "guest"))
		check_agent(&v);
	if (plan->source->deadline_ns && now_ns() > plan->source->deadline_ns)
		return EXIT_FAILED;
	/* Movers matter for a partition that runs; without one, nobody knows */
	if (plan->active || !plan->partition)
		check_active(&v);
	return v.findings ? EXIT_FAILED : EXIT_DONE;
}

/**
 * plan_movers() - choose movers for a migration that is to go on
 * @plan:	source and target are set
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told why.
 */
int plan_movers(struct plan *plan)
{
	struct validation v = { .plan = plan };

	if (!plan->source_info)
		check_system(&v, plan->source, &plan->source_info);
	if (!plan->target_info)
		check_system(&v, plan->target, &plan->target_info);
	if (v.findings)
		return EXIT_FAILED;
	plan->source_msp = check_movers(&v, plan->source, plan->source_info);
	plan->target_msp = check_movers(&v, plan->target, plan->target_info);
	return v.findings ? EXIT_FAILED : EXIT_DONE;
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
	*plan = (struct plan) { };
}
