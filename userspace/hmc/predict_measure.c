// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a prediction is made from: measurements of platforms and movers, and what
 * they know of earlier moves.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/predict.h"

#define INTERVAL_MS	40
#define SAMPLES		10
#define PROBE_MS	120
/* Moves that say nothing of what the platforms can: shorter, or held up by a limit */
#define LEAST_NS	(200 * (double)NSEC_PER_MSEC)
#define LIMITED_SHARE	0.05

/**
 * predict_curve() - what does the partition write?
 * @plan:	partition is set, and runs
 * @curve:	filled in
 * @err:	why not
 *
 * Return: 0 or a negative errno.
 */
int predict_curve(const struct plan *plan, struct model_curve *curve, struct rpc_error *err)
{
	json_t *answer, *sample, *cell;
	size_t i;
	int ret;

	ret = system_call(plan->source, "partition.dirty",
			  json_pack("{s:s, s:i, s:i, s:i}", "name",
				    text_of(plan->partition, "name"), "interval_ms", INTERVAL_MS,
				    "samples", SAMPLES, "cells", MODEL_CELLS), &answer, err);
	if (ret)
		return ret;
	*curve = (struct model_curve) {
		.granule = (double)number_of(answer, "granule"),
		.pages = (double)number_of(answer, "pages"),
		.filled = (double)number_of(answer, "filled"),
	};
	json_array_foreach(json_object_get(answer, "samples"), i, sample) {
		if (i == MODEL_POINTS)
			break;
		curve->seconds[i] = (double)number_of(sample, "ns") / NSEC_PER_SEC;
		curve->dirtied[i] = (double)number_of(sample, "dirtied");
		curve->unique[i] = (double)number_of(sample, "unique");
		curve->points = (unsigned int)i + 1;
	}
	json_array_foreach(json_object_get(answer, "cells"), i, cell) {
		if (i == MODEL_CELLS)
			break;
		curve->heat[i] = (double)json_integer_value(cell);
		curve->cells = (unsigned int)i + 1;
	}
	json_decref(answer);
	if (curve->points && curve->pages > 0 && curve->granule > 0 &&
	    curve->seconds[curve->points - 1] > 0)
		return 0;
	snprintf(err->text, sizeof(err->text), "an answer without samples");
	return -EBADMSG;
}

static int source_probe(const struct plan *plan, const char *identity, int port,
			json_t **answer, struct rpc_error *err)
{
	bool six = strchr(plan->target_msp->address, ':');
	char peer[512];

	snprintf(peer, sizeof(peer), "%s%s%s:%d", six ? "[" : "", plan->target_msp->address,
		 six ? "]" : "", port);
	return msp_call(plan->source_msp, "probe",
			json_pack("{s:s, s:s, s:s, s:i}", "role", "source", "peer", peer,
				  "peer_identity", identity, "ms", PROBE_MS), answer, err);
}

/**
 * predict_link() - what does the way between the movers carry?
 * @plan:	movers are set
 * @answer:	of the source's probe
 * @err:	why not
 *
 * Return: 0 or a negative errno.
 */
int predict_link(const struct plan *plan, json_t **answer, struct rpc_error *err)
{
	json_t *source = NULL, *target = NULL, *listening = NULL;
	int ret;

	ret = msp_call(plan->source_msp, "info", NULL, &source, err);
	if (!ret)
		ret = msp_call(plan->target_msp, "info", NULL, &target, err);
	if (!ret)
		ret = msp_call(plan->target_msp, "probe",
			       json_pack("{s:s, s:s, s:s}", "role", "target", "listen",
					 plan->target_msp->address, "peer_identity",
					 text_of(source, "identity")), &listening, err);
	if (!ret)
		ret = source_probe(plan, text_of(target, "identity"),
				   (int)number_of(listening, "port"), answer, err);
	json_decref(source);
	json_decref(target);
	json_decref(listening);
	return ret;
}

/* Bytes a second of a move that shows what the platforms can, or 0 */
static double rate_of(const json_t *move, const char *peer)
{
	double ns = (double)(number_of(move, "ended_ns") - number_of(move, "started_ns"));
	double limited = (double)number_of(json_object_get(move, "limited_ns"), "limit");

	if (strcmp(text_of(move, "role"), "source") ||
	    strcmp(text_of(move, "phase"), "completed") ||
	    strcmp(text_of(move, "peer_identity"), peer) ||
	    ns < LEAST_NS || limited > ns * LIMITED_SHARE)
		return 0;
	return (double)number_of(move, "bytes_transmitted") * NSEC_PER_SEC / ns;
}

/**
 * predict_platforms() - what earlier moves between the two movers came to
 * @plan:	movers are set
 *
 * A link may carry more than platforms copy: nothing but a move shows that.
 *
 * Return: bytes a second of the best one without a limit that is still known, or 0.
 */
double predict_platforms(const struct plan *plan)
{
	json_t *info = NULL, *list = NULL, *move;
	struct rpc_error err;
	double best = 0;
	size_t i;

	if (!msp_call(plan->target_msp, "info", NULL, &info, &err) &&
	    !msp_call(plan->source_msp, "list", NULL, &list, &err))
		json_array_foreach(json_object_get(list, "moves"), i, move)
			best = fmax(best, rate_of(move, text_of(info, "identity")));
	json_decref(info);
	json_decref(list);
	return best;
}

/**
 * predict_history() - for how long did earlier moves stop the partition?
 * @plan:	partition is set
 * @least: @most: milliseconds
 *
 * Return: is there one that was noted?
 */
bool predict_history(const struct plan *plan, double *least, double *most)
{
	json_t *history = NULL, *move;
	struct rpc_error err;
	bool any = false;
	size_t i;

	if (system_call(plan->source, "partition.history",
			json_pack("{s:s}", "name", text_of(plan->partition, "name")), &history,
			&err))
		return false;
	json_array_foreach(json_object_get(history, "moves"), i, move) {
		const json_t *blackout = json_object_get(move, "blackout_ms");
		double ms = json_number_value(blackout);

		if (!json_is_number(blackout) || strcmp(text_of(move, "result"), "completed"))
			continue;
		*least = any ? fmin(*least, ms) : ms;
		*most = any ? fmax(*most, ms) : ms;
		any = true;
	}
	json_decref(history);
	return any;
}
