/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a source mover signals Suspend.  Pure: samples go in, a decision comes
 * out.
 *
 * The partition is stopped when what is left would take no longer than the
 * downtime limit at the rate that was measured; but never before the first
 * pass, that is, before as much as the partition had at the beginning has been
 * dealt with once.  A partition that dirties faster than the link carries is
 * stopped after the pass limit or the time-out.
 */
#ifndef _POLICY_H
#define _POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_DOWNTIME_MS	300
#define POLICY_PASS_LIMIT	10
#define POLICY_TIMEOUT_S	120

/**
 * struct policy_params - what the user wants
 * @manual:	never decide
 * @downtime_ms: how long the residual transfer may take
 * @pass_limit:	passes after which it is not waited any longer; 0 = none
 * @timeout_s:	seconds after which it is not waited any longer; 0 = none
 */
struct policy_params {
	bool manual;
	uint32_t downtime_ms;
	uint32_t pass_limit;
	uint32_t timeout_s;
};

/**
 * struct policy_sample - what was measured
 * @now_ns:	time
 * @sent:	bytes of stream the target has taken, cumulative
 * @left:	bytes still to be taken: Progress, and what is under way
 */
struct policy_sample {
	uint64_t now_ns;
	uint64_t sent;
	uint64_t left;
};

enum policy_reason {
	POLICY_WAIT,		/* go on copying */
	POLICY_DOWNTIME,	/* what is left fits the downtime limit */
	POLICY_PASSES,		/* pass limit */
	POLICY_TIMEOUT,		/* time-out */
};

/**
 * struct policy - state of the decision for one move
 * @params:	what the user wants
 * @begun:	the first sample has been seen
 * @start_ns:	time of the first sample
 * @last:	the last sample
 * @pass:	passes that have ended
 * @pass_goal:	bytes to deal with in this pass: what was left when it began
 * @pass_done:	bytes dealt with in this pass
 * @rate:	bytes a second that the target takes, smoothed
 * @dirty_rate:	bytes a second that the partition dirties, smoothed
 */
struct policy {
	struct policy_params params;
	bool begun;
	uint64_t start_ns;
	struct policy_sample last;
	uint32_t pass;
	uint64_t pass_goal;
	uint64_t pass_done;
	double rate;
	double dirty_rate;
};

void policy_init(struct policy *policy, const struct policy_params *params);
enum policy_reason policy_sample(struct policy *policy,
				 const struct policy_sample *sample);
const char *policy_reason_text(enum policy_reason reason);

#endif /* _POLICY_H */
