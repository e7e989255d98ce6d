/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A prediction of a move: what was measured, and what follows from it
 * (Documentation/prediction.rst).
 */
#ifndef _HMC_PREDICT_H
#define _HMC_PREDICT_H

#include "hmc/console.h"
#include "hmc/predict_model.h"

/* Of an interval */
enum { LEAST, MOST, BOUNDS_OF_IT };

/**
 * struct prediction - how a move is expected to go
 * @rtt_us:	there and back between the movers
 * @link:	bytes a second that the way between them carries
 * @link_error:	how wrong that may be, a share
 * @noise:	how unsteady it was: the standard deviation of its parts, a share
 * @limited:	--limit holds, not the link
 * @dirty_rate:	bytes a second that the partition dirties
 * @load_error:	how wrong that may be, a share
 * @load: @move: what the model was asked
 * @expected:	what it said
 * @total: @blackout: seconds, in which interval they are expected
 * @sure:	whether it converges does not depend on the errors
 * @confidence:	"high", "medium" or "low"
 * @max_freeze_ms: limit of the partition, 0 = none
 * @downtime_ms: limit that was given, -1 = none
 */
struct prediction {
	int64_t rtt_us;
	double link;
	double link_error;
	double noise;
	bool limited;
	double dirty_rate;
	double load_error;
	struct model_load load;
	struct model_move move;
	struct model_result expected;
	double total[BOUNDS_OF_IT];
	double blackout[BOUNDS_OF_IT];
	bool sure;
	const char *confidence;
	int64_t max_freeze_ms;
	int64_t downtime_ms;
};

int predict(const struct plan *plan, const struct move_options *options,
	    struct prediction *prediction, struct rpc_error *err);
void predict_print(const struct prediction *prediction);
json_t *predict_json(const struct prediction *prediction);

/* predict_measure.c */
int predict_curve(const struct plan *plan, struct model_curve *curve, struct rpc_error *err);
int predict_link(const struct plan *plan, json_t **answer, struct rpc_error *err);
double predict_platforms(const struct plan *plan);
bool predict_history(const struct plan *plan, double *least, double *most);

#endif /* _HMC_PREDICT_H */
