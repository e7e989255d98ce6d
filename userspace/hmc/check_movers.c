// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of the movers, and which of them do it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/movers.h"

#define WHY_BYTES	512

/**
 * struct mover - a mover that could be used
 * @msp:	which
 * @code:	why it cannot be used, or NULL: it can
 * @why:	the same in words
 * @load:	how much of what it can do it does, in thousandths
 */
struct mover {
	const struct msp *msp;
	const char *code;
	char why[WHY_BYTES];
	int64_t load;
};

/* The platform's view: does a mover drive this device? */
static const json_t *find_device(const json_t *info, const char *name)
{
	return named_in(json_object_get(info, "devices"), name);
}

/* What its VIOS is, where that is described */
static const char *vios_problem(const struct side *side, const char *name, char *why)
{
	const json_t *vios = named_in(json_object_get(side->inventory, "vioses"), name);

	if (!vios)
		return NULL;
	if (!flag_of(vios, "msp")) {
		snprintf(why, WHY_BYTES,
			 "it is no mover service partition. Make it one: chsyscfg -r lpar -m %s -i name=%s,msp=1.",
			 side->system->name, name);
		return "LPM0342";
	}
	if (!vios_answers(vios)) {
		snprintf(why, WHY_BYTES,
			 "it is %s, its RMC connection %s; it must be Running and active. Start it, or restore its connection.",
			 text_of(vios, "state"), text_of(vios, "rmc_state"));
		return "LPM0341";
	}
	if (!vios_is_new_enough(vios)) {
		snprintf(why, WHY_BYTES, "it has version %s; it must be 1.5.1.1 or later. Update it.",
			 text_of(vios, "version"));
		return "LPM0305";
	}
	return NULL;
}

/* What it and its platform say */
static const char *info_problem(const struct side *side, const struct msp *msp,
				const json_t *info, char *why)
{
	const json_t *device = find_device(side->info, msp->device);

	if (!device) {
		snprintf(why, WHY_BYTES,
			 "system %s has no VASI device %s. Correct the console file.",
			 side->system->name, msp->device);
		return "LPM0111";
	}
	if (!flag_of(device, "connected")) {
		snprintf(why, WHY_BYTES,
			 "it is not connected to its VASI device %s. Look at mspd's log.",
			 msp->device);
		return "LPM0112";
	}
	if (number_of(info, "operations") < number_of(info, "operations_max"))
		return NULL;
	snprintf(why, WHY_BYTES,
		 "it has %" PRId64 " of at most %" PRId64 " operations in progress. Wait until one ends, or raise max_vasi_ops.",
		 number_of(info, "operations"), number_of(info, "operations_max"));
	return "LPM0113";
}

static const char *call_problem(const struct rpc_error *err, char *why)
{
	if (call_forbidden(err)) {
		snprintf(why, WHY_BYTES,
			 "%.300s. Use this command as a member of that group.", err->text);
		return "HSCL350B";
	}
	snprintf(why, WHY_BYTES,
		 "it does not answer: %.300s. Start its mspd, or correct the console file.",
		 err->text);
	return "LPM0110";
}

static void look_at_mover(const struct side *side, struct mover *mover)
{
	struct rpc_error err;
	json_t *info = NULL;

	if (msp_call(mover->msp, "info", NULL, &info, &err)) {
		mover->code = call_problem(&err, mover->why);
		return;
	}
	mover->code = info_problem(side, mover->msp, info, mover->why);
	if (!mover->code)
		mover->code = vios_problem(side, mover->msp->name, mover->why);
	if (number_of(info, "operations_max"))
		mover->load = number_of(info, "operations") * 1000 /
			      number_of(info, "operations_max");
	/* Of several partitions in one command each is told which to take */
	if (mover->msp->preferred)
		mover->load = -1;
	json_decref(info);
}

/* ---- Which are wanted ---- */

/* Does an attribute of -i permit this? */
static bool permits(const struct validation *v, const char *side, const char *what,
		    const char *is)
{
	const char *wanted;
	char name[32];

	snprintf(name, sizeof(name), "%s_msp_%s", side, what);
	return !attribute(v, name, &wanted) || !*wanted || !strcmp(wanted, is);
}

static bool is_wanted(const struct validation *v, const char *side, const struct msp *msp)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", msp->lpar_id);
	return permits(v, side, "name", msp->name) && permits(v, side, "id", id) &&
	       permits(v, side, "ipaddr", msp->address);
}

static void report_movers(struct validation *v, const struct side *side, const char *name,
			  const struct mover *movers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		found(v, movers[i].code, "Mover %s of system %s cannot be used: %s",
		      movers[i].msp->name, side->system->name, movers[i].why);
	if (!side->system->nmsps)
		found(v, "LPM0109",
		      "The console file names no mover service partition of system %s; a running partition needs one on each side. Add it, or shut the partition down first.",
		      side->system->name);
	else if (!count)
		found(v, "LPM0343",
		      "System %s has no mover with the %s_msp_name, %s_msp_id and %s_msp_ipaddr of -i; they must be those of one mover of the console file. List them with lslparmigr -r msp -m %s.",
		      side->system->name, name, name, name, side->system->name);
}

/* The least loaded of those that can be used, so that several share the load */
static const struct msp *choose_mover(struct validation *v, const struct side *side,
				      const char *name)
{
	const struct managed_system *system = side->system;
	const struct mover *best = NULL;
	const struct msp *msp = NULL;
	struct mover *movers;
	size_t count = 0;

	movers = calloc(CONSOLE_MSPS, sizeof(*movers));
	if (!movers)
		return NULL;
	for (size_t i = 0; i < system->nmsps; i++) {
		struct mover *mover = &movers[count];

		if (!is_wanted(v, name, &system->msps[i]))
			continue;
		count++;
		mover->msp = &system->msps[i];
		look_at_mover(side, mover);
		note(v, 5, "mover %s of system %s: load %" PRId64 "/1000%s%s",
		     mover->msp->name, system->name, mover->load,
		     mover->code ? ", cannot be used: " : "", mover->why);
		if (!mover->code && (!best || mover->load < best->load))
			best = mover;
	}
	if (best) {
		msp = best->msp;
		passed(v, "mover %s of system %s is ready", msp->name, system->name);
	} else {
		report_movers(v, side, name, movers, count);
	}
	free(movers);
	return msp;
}

/**
 * choose_movers() - choose a mover on each side that answers
 * @v:		the validation; its plan gets them, or it finds why there is none
 */
void choose_movers(struct validation *v)
{
	if (v->source.info)
		v->plan->source_msp = choose_mover(v, &v->source, "source");
	if (v->target.info)
		v->plan->target_msp = choose_mover(v, &v->target, "dest");
}

/* ---- Do they go together? ---- */

/* Does @msp trust the mover that has @peer's answer to "info"? */
static void check_trusts(struct validation *v, const struct managed_system *system,
			 const struct msp *msp, const json_t *peer, const char *peer_name)
{
	struct rpc_error err;

	if (!msp_call(msp, "check_peer",
		      json_pack("{s:s}", "certificate", text_of(peer, "certificate")), NULL,
		      &err))
		passed(v, "mover %s of system %s trusts the mover of system %s", msp->name,
		       system->name, peer_name);
	else if (err.code == RPC_NOT_AUTHORISED)
		found(v, "LPM0116",
		      "Mover %s of system %s does not trust the mover of system %s: %.300s. Correct what it says; mspd(8) tells how movers are introduced to each other.",
		      msp->name, system->name, peer_name, err.text);
	else
		found_msp_call(v, system, msp, "check its peer", &err);
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

	if (!plan->source_msp || !plan->target_msp)
		return;
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

static void check_redundant(struct validation *v)
{
	if (v->options->redundant_msps == 1)
		found(v, "LPM0344",
		      "--redundantmsps 1 wants a second pair of movers for this migration; that is not supported yet. Use 0, or 2.");
	else if (v->options->redundant_msps == 2)
		found_as(v, SEVERITY_WARNING, "LPM0345",
			 "--redundantmsps 2 wants a second pair of movers if there can be one; that is not supported yet. One pair is used.");
}

#define RUNNING	{ SEVERITY_ERROR, SEVERITY_NONE, SEVERITY_ERROR }

const struct check mover_checks[] = {
	{ "redundant-msps", RUNNING, NEEDS_NOTHING, { "LPM0344", "LPM0345" },
	  "no second pair of movers is asked for", check_redundant },
	{ "mover", RUNNING, NEEDS_NOTHING,
	  { "LPM0109", "LPM0110", "LPM0111", "LPM0112", "LPM0113", "LPM0305", "LPM0341",
	    "LPM0342", "LPM0343", "HSCL350B" },
	  "a mover on both sides answers, is connected, has an operation free, and is an MSP",
	  choose_movers },
	{ "peers", RUNNING, NEEDS_NOTHING, { "LPM0116", "LPM0117", "LPM0114" },
	  "the movers trust each other, and both encrypt data or neither does", check_peers },
	{ }
};
