// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/util.h"
#include "policy.h"

/* Time over which rates are smoothed */
#define SMOOTH_NS	(500 * NSEC_PER_MSEC)

/**
 * policy_init() - start a decision
 * @policy: the decision
 * @params: what the user wants
 */
void policy_init(struct policy *policy, const struct policy_params *params)
{
	*policy = (struct policy) { .params = *params };
}

static void smooth(double *value, double sample, uint64_t elapsed, bool first)
{
	double weight = (double)elapsed / (double)(SMOOTH_NS + elapsed);

	if (first)
		*value = sample;
	else
		*value += (sample - *value) * weight;
}

/*
 * How much was dealt with since the last sample, at least: what was taken by
 * the target, or, because zero pages travel as almost nothing, what is left
 * less than before.
 */
static uint64_t dealt_with(const struct policy_sample *last,
			   const struct policy_sample *now)
{
	uint64_t sent = now->sent - last->sent;
	uint64_t less = last->left > now->left ? last->left - now->left : 0;

	return max(sent, less);
}

static void measure(struct policy *policy, const struct policy_sample *now)
{
	const struct policy_sample *last = &policy->last;
	uint64_t elapsed = now->now_ns - last->now_ns;
	uint64_t done = dealt_with(last, now);
	uint64_t dirtied = now->left + done - min(last->left, now->left + done);
	double seconds = (double)elapsed / (double)NSEC_PER_SEC;
	bool first = last->now_ns == policy->start_ns;

	smooth(&policy->rate, (double)done / seconds, elapsed, first);
	smooth(&policy->dirty_rate, (double)dirtied / seconds, elapsed, first);
	policy->pass_done += done;
	if (policy->pass_done >= policy->pass_goal || !now->left) {
		policy->pass++;
		policy->pass_goal = now->left;
		policy->pass_done = 0;
	}
}

static bool fits_downtime(const struct policy *policy, uint64_t left)
{
	return (double)left * 1000.0 <= policy->rate * policy->params.downtime_ms;
}

/**
 * policy_sample() - take a sample and decide
 * @policy: the decision
 * @sample: times and @sample->sent never go back; the first one is taken before
 *	anything was sent, its @left is the partition's total
 *
 * Return: POLICY_WAIT, or why to signal Suspend now.
 */
enum policy_reason policy_sample(struct policy *policy,
				 const struct policy_sample *sample)
{
	const struct policy_params *params = &policy->params;

	if (!policy->begun) {
		policy->begun = true;
		policy->start_ns = sample->now_ns;
		policy->pass_goal = sample->left;
		policy->last = *sample;
		/* A partition without any content has nothing to copy first */
		if (sample->left || params->manual)
			return POLICY_WAIT;
		policy->pass = 1;
		return POLICY_DOWNTIME;
	}
	if (sample->now_ns <= policy->last.now_ns)
		return POLICY_WAIT;
	measure(policy, sample);
	policy->last = *sample;
	if (params->manual || !policy->pass)
		return POLICY_WAIT;
	if (!sample->left || fits_downtime(policy, sample->left))
		return POLICY_DOWNTIME;
	if (params->pass_limit && policy->pass >= params->pass_limit)
		return POLICY_PASSES;
	if (params->timeout_s && sample->now_ns - policy->start_ns >=
	    params->timeout_s * NSEC_PER_SEC)
		return POLICY_TIMEOUT;
	return POLICY_WAIT;
}

/**
 * policy_reason_text() - a decision in words, for the log
 * @reason: the decision
 */
const char *policy_reason_text(enum policy_reason reason)
{
	switch (reason) {
	case POLICY_DOWNTIME:
		return "what is left fits the downtime limit";
	case POLICY_PASSES:
		return "pass limit reached";
	case POLICY_TIMEOUT:
		return "time-out reached";
	case POLICY_WAIT:
		break;
	}
	return "not yet";
}
