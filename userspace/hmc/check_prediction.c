// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation: how would it go?  Only warnings: a prediction forbids nothing.
 */
#include <inttypes.h>

#include "common/util.h"
#include "hmc/predict.h"
#include "hmc/validate.h"

/* What measuring takes; with less left of -w there is no prediction */
#define NEEDED_NS	(2 * NSEC_PER_SEC)

static void freeze(struct validation *v, const struct prediction *p, int64_t limit_ms,
		   const char *whose)
{
	double most = p->blackout[MOST] * 1000;

	found(v, "LPM0601",
	      "Partition %s is expected to stand still for %.0f ms, at most for %.0f ms; %s is %"
	      PRId64 " ms. Migrate it when it writes less, over a faster link, or without --all-pages.",
	      text_of(v->plan->partition, "name"), p->expected.blackout * 1000, most, whose,
	      limit_ms);
}

static void check_course(struct validation *v, const struct prediction *p)
{
	if (p->expected.end != MODEL_FITS)
		found(v, "LPM0602",
		      "Partition %s writes %.1f MB/s and %.1f MB/s can be sent: what is left is not expected to become little enough for a short stop. It will be suspended after %u passes all the same; migrate it when it writes less, or give it more bandwidth.",
		      text_of(v->plan->partition, "name"), p->dirty_rate / 1e6,
		      p->move.bandwidth / 1e6, p->expected.passes);
	/* Who restarts a partition that stands still too long does so at its worst */
	if (p->max_freeze_ms > 0 && p->blackout[MOST] * 1000 > (double)p->max_freeze_ms)
		freeze(v, p, p->max_freeze_ms, "max_freeze_ms of its config");
	if (p->downtime_ms >= 0 && p->expected.blackout * 1000 > (double)p->downtime_ms)
		freeze(v, p, p->downtime_ms, "--downtime");
}

static void check_prediction(struct validation *v)
{
	struct plan *plan = v->plan;
	struct prediction p;
	struct rpc_error err = { };

	if (!v->options->predict || v->findings.errors || !plan->source_msp ||
	    !plan->target_msp)
		return;
	if (plan->source->deadline_ns && now_ns() + NEEDED_NS > plan->source->deadline_ns)
		return;
	if (predict(plan, v->options, &p, &err)) {
		found(v, "LPM0603",
		      "How the migration of partition %s would go is not known: %.300s. That does not keep it from migrating.",
		      text_of(plan->partition, "name"), err.text);
		return;
	}
	if (v->verbose)
		predict_print(&p);
	plan->prediction = predict_json(&p);
	check_course(v, &p);
}

const struct check prediction_checks[] = {
	{ "prediction", { SEVERITY_WARNING, SEVERITY_NONE, SEVERITY_NONE }, NEEDS_PARTITION,
	  { "LPM0601", "LPM0602", "LPM0603" },
	  "it is expected to converge, and to stand still no longer than it may",
	  check_prediction },
	{ }
};
