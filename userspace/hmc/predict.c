// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A prediction: measure, ask the model, ask it again with everything as wrong as it may
 * be, and say how sure that is (Documentation/prediction.rst).
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/predict.h"
#include "mspd/policy.h"

/* Bytes between the platforms: operations of each session, and this time of the rate */
#define QUEUED_BYTES	(1 << 20)
#define QUEUED_S	0.045
/* Before the first byte; without an agent, and with one that is asked */
#define START_S		0.01
#define STOP_S		0.002
#define AGENT_STOP_S	0.2
/* State of a synthetic partition, and of a guest */
#define HANDOVER_S	0.002
#define GUEST_HANDOVER_S 0.1
/* What no measurement is better than */
#define LEAST_LOAD_ERROR 0.05
#define LEAST_LINK_ERROR 0.1
#define LIMIT_ERROR	0.02
#define MOST_ERROR	0.8
/* While it is not known what platforms can, they are taken to keep up with the link */
#define UNKNOWN_ERROR	0.25
/* Probes until they agree */
#define MAX_PROBES	3
#define STEADY		0.2
/* What a machine does to probes, it does to moves: never to their advantage */
#define NOISE_TOTAL	0.25
#define NOISE_BLACKOUT_S 0.15
/* A limit that is so much of what the link carries is kept */
#define LIMIT_SHARE	0.8
/* Of times, beside the errors of what was measured */
#define TOTAL_ERROR	0.03
#define TOTAL_SLACK_S	0.05
#define BLACKOUT_ERROR	0.5
#define BLACKOUT_SLACK_S 0.015
/* Half of an interval, as a share of what is expected: as honest as a word can be */
#define HIGH_SHARE	0.15
#define MEDIUM_SHARE	0.4

static double mean(const double *value, unsigned int count)
{
	double sum = 0;

	for (unsigned int i = 0; i < count; i++)
		sum += value[i];
	return count ? sum / count : 0;
}

/* The standard deviation, as a share of the mean */
static double deviation(const double *value, unsigned int count)
{
	double average = mean(value, count), sum = 0;

	if (count < 2 || average <= 0)
		return count < 2 ? MOST_ERROR : 0;
	for (unsigned int i = 0; i < count; i++)
		sum += (value[i] - average) * (value[i] - average);
	return sqrt(sum / (count - 1)) / average;
}

/* Twice the standard error of a mean, as a share of it */
static double spread(const double *value, unsigned int count)
{
	return 2 * deviation(value, count) / sqrt(fmax(count, 1));
}

/* A load that changed while it was looked at will change again */
static double trend(const double *value, unsigned int count)
{
	double early = mean(value, count / 2);
	double late = mean(value + count / 2, count - count / 2);

	return early + late > 0 ? fabs(late - early) / (early + late) : 0;
}

static int measure_load(struct prediction *p, const struct plan *plan, struct rpc_error *err)
{
	struct model_curve curve;
	double error;
	int ret;

	ret = predict_curve(plan, &curve, err);
	if (ret)
		return ret;
	model_fit(&p->load, &curve);
	p->dirty_rate = mean(curve.dirtied, curve.points) * curve.points * curve.granule /
			curve.seconds[curve.points - 1];
	error = spread(curve.dirtied, curve.points) + trend(curve.dirtied, curve.points) +
		p->load.misfit;
	p->load_error = fmin(fmax(error, LEAST_LOAD_ERROR), MOST_ERROR);
	return 0;
}

/* Rates of all parts of all probes */
struct parts {
	double rate[MODEL_POINTS];
	unsigned int count;
};

/*
 * An earlier move that was slower shows what the platforms can.  One that was faster than
 * the probe was just now: something between the two, and less sure.
 */
static void set_bandwidth(struct prediction *p, double earlier)
{
	double faster = fmin(earlier / p->link, 1 + MOST_ERROR);

	p->move.bandwidth = p->link;
	if (earlier <= 0) {
		p->link_error += UNKNOWN_ERROR;
	} else if (faster < 1) {
		p->move.bandwidth = earlier;
	} else {
		p->move.bandwidth *= sqrt(faster);
		p->link_error = fmax(p->link_error, faster - 1);
	}
	p->link_error = fmin(p->link_error, MOST_ERROR);
}

/* One probe; the best so far counts, for what disturbs makes each of them slower */
static int probe(struct prediction *p, const struct plan *plan, struct parts *all,
		 struct rpc_error *err)
{
	unsigned int first = all->count;
	json_t *answer, *part;
	double link;
	size_t i;
	int ret;

	ret = predict_link(plan, &answer, err);
	if (ret)
		return ret;
	json_array_foreach(json_object_get(answer, "rates"), i, part)
		if (all->count < MODEL_POINTS)
			all->rate[all->count++] = (double)json_integer_value(part);
	link = (double)number_of(answer, "bytes_per_second");
	if (link > p->link) {
		p->link = link;
		p->link_error = spread(all->rate + first, all->count - first) +
				LEAST_LINK_ERROR;
	}
	if (!p->rtt_us || number_of(answer, "rtt_us") < p->rtt_us)
		p->rtt_us = number_of(answer, "rtt_us");
	p->move.queued = (double)number_of(answer, "connections") * QUEUED_BYTES;
	json_decref(answer);
	return 0;
}

/* Again while it is not clear: where it is unsteady, or does not reach the limit */
static int probe_all(struct prediction *p, const struct plan *plan,
		     const struct move_options *options, struct rpc_error *err)
{
	struct parts all = { };

	for (unsigned int i = 0; i < MAX_PROBES; i++) {
		int ret = probe(p, plan, &all, err);

		if (ret)
			return ret;
		p->noise = fmin(deviation(all.rate, all.count), MOST_ERROR);
		if (p->noise < STEADY && (options->limit <= 0 ||
					  (double)options->limit < p->link * LIMIT_SHARE))
			break;
	}
	return 0;
}

static int measure_link(struct prediction *p, const struct plan *plan,
			const struct move_options *options, struct rpc_error *err)
{
	int ret = probe_all(p, plan, options, err);

	if (!ret && !(p->link > 0)) {
		snprintf(err->text, sizeof(err->text),
			 "nothing went from one mover to the other");
		ret = -EIO;
	}
	if (ret)
		return ret;
	set_bandwidth(p, predict_platforms(plan));
	if (options->limit > 0 && (double)options->limit < p->move.bandwidth) {
		p->limited = true;
		/* Near what the link carries, it is not always kept */
		if ((double)options->limit < p->move.bandwidth * LIMIT_SHARE)
			p->link_error = LIMIT_ERROR;
		p->move.bandwidth = (double)options->limit;
	}
	p->move.queued += p->move.bandwidth * QUEUED_S;
	p->move.round_trip = (double)p->rtt_us / 1e6;
	return 0;
}

/* What the console asks the mover for, and the rest as the mover has it */
static void set_move(struct prediction *p, const struct plan *plan,
		     const struct move_options *options)
{
	bool guest = json_object_get(plan->description, "guest");
	double least = 0, most = 0;

	p->move.downtime = options->downtime_ms >= 0 ? (double)options->downtime_ms / 1000 :
			   POLICY_DOWNTIME_MS / 1000.0;
	p->move.pass_limit = POLICY_PASS_LIMIT;
	p->move.timeout = POLICY_TIMEOUT_S;
	p->move.all_pages = options->all_pages;
	p->move.suspend = guest && takes_part(plan, options) ? AGENT_STOP_S : STOP_S;
	p->move.start = START_S;
	p->move.handover = guest ? GUEST_HANDOVER_S : HANDOVER_S;
	/* Of a guest that has moved it is known how long its state takes, at most */
	if (guest && predict_history(plan, &least, &most))
		p->move.handover = least / 1000;
	p->max_freeze_ms = number_of(json_object_get(plan->description, "config"),
				     "max_freeze_ms");
	p->downtime_ms = options->downtime_ms;
}

static void widen(double bounds[BOUNDS_OF_IT], double value)
{
	bounds[LEAST] = fmin(bounds[LEAST], value);
	bounds[MOST] = fmax(bounds[MOST], value);
}

static double around(double error, int step)
{
	return step < 0 ? 1 / (1 + error) : step > 0 ? 1 + error : 1;
}

/* The model again, with everything as wrong as it may be */
static void bound(struct prediction *p)
{
	p->total[LEAST] = p->expected.total;
	p->total[MOST] = p->expected.total;
	p->blackout[LEAST] = p->expected.blackout;
	p->blackout[MOST] = p->expected.blackout;
	p->sure = true;
	for (int i = -1; i <= 1; i++) {
		for (int j = -1; j <= 1; j++) {
			struct model_load load = p->load;
			struct model_move move = p->move;
			struct model_result r;

			model_scale(&load, around(p->load_error, i));
			move.bandwidth *= around(p->link_error, j);
			model_run(&load, &move, &r);
			p->sure &= r.end == p->expected.end;
			widen(p->total, r.total);
			widen(p->blackout, r.blackout);
		}
	}
	p->total[LEAST] = fmax(p->total[LEAST] * (1 - TOTAL_ERROR) - TOTAL_SLACK_S, 0);
	p->total[MOST] = p->total[MOST] * (1 + TOTAL_ERROR + p->noise * NOISE_TOTAL) +
			 TOTAL_SLACK_S;
	p->blackout[LEAST] = fmax(p->blackout[LEAST] * (1 - BLACKOUT_ERROR) -
				  BLACKOUT_SLACK_S, 0);
	p->blackout[MOST] = p->blackout[MOST] * (1 + BLACKOUT_ERROR) + BLACKOUT_SLACK_S +
			    p->noise * NOISE_BLACKOUT_S;
}

static const char *confidence(const struct prediction *p)
{
	double half = (p->total[MOST] - p->total[LEAST]) / 2 / fmax(p->expected.total, 0.1);

	if (!p->sure || half > MEDIUM_SHARE)
		return "low";
	return half > HIGH_SHARE ? "medium" : "high";
}

/**
 * predict() - how would a move go?
 * @plan:	partition, description and movers are set; it runs
 * @options:	how it is to move
 * @p:		filled in
 * @err:	why it could not be measured
 *
 * Takes half a second to one: first the partition is watched, then the movers send.
 *
 * Return: 0 or a negative errno.
 */
int predict(const struct plan *plan, const struct move_options *options,
	    struct prediction *p, struct rpc_error *err)
{
	int ret;

	*p = (struct prediction) { .downtime_ms = -1 };
	ret = measure_load(p, plan, err);
	if (!ret)
		ret = measure_link(p, plan, options, err);
	if (ret)
		return ret;
	set_move(p, plan, options);
	model_run(&p->load, &p->move, &p->expected);
	bound(p);
	p->confidence = confidence(p);
	return 0;
}

/* ---- Telling ---- */

static const char *end_text(enum model_end end)
{
	switch (end) {
	case MODEL_FITS:
		return "converges";
	case MODEL_PASSES:
		return "does not converge: suspended after the last pass";
	case MODEL_TIMEOUT:
		return "does not converge: suspended when its time is over";
	default:
		return "never ends";
	}
}

/**
 * predict_print() - tell the user, in four lines
 * @p:		of predict()
 */
void predict_print(const struct prediction *p)
{
	const struct model_result *r = &p->expected;

	printf("predicted total time: %.2f s (%.2f to %.2f s)\n", r->total, p->total[LEAST],
	       p->total[MOST]);
	printf("predicted blackout: %.0f ms (%.0f to %.0f ms)\n", r->blackout * 1000,
	       p->blackout[LEAST] * 1000, p->blackout[MOST] * 1000);
	printf("predicted course: %s; %u passes, %.1f MB; confidence: %s%s\n", end_text(r->end),
	       r->passes, r->bytes / 1e6, p->confidence,
	       p->sure ? "" : ", it is near the edge");
	printf("predicted from: dirty rate %.1f MB/s (within %.0f %%), %.1f MB different in 1 s, bandwidth %.1f MB/s (within %.0f %%%s), round trip %.2f ms\n",
	       p->dirty_rate / 1e6, p->load_error * 100,
	       model_unique(&p->load, 1) * p->load.granule / 1e6,
	       p->move.bandwidth / 1e6, p->link_error * 100, p->limited ? ", --limit" : "",
	       (double)p->rtt_us / 1000);
}

static json_t *interval_json(double value, const double bounds[BOUNDS_OF_IT])
{
	return json_pack("{s:f, s:f, s:f}", "expected", value * 1000, "least",
			 bounds[LEAST] * 1000, "most", bounds[MOST] * 1000);
}

/**
 * predict_json() - the same for programs
 * @p:		of predict()
 *
 * Return: a new object, or NULL.
 */
json_t *predict_json(const struct prediction *p)
{
	const struct model_result *r = &p->expected;

	return json_pack("{s:o, s:o, s:b, s:b, s:s, s:i, s:I, s:I, s:I, s:f, s:I, s:f, s:b, s:I}",
			 "total_ms", interval_json(r->total, p->total),
			 "blackout_ms", interval_json(r->blackout, p->blackout),
			 "converges", r->end == MODEL_FITS,
			 "near_edge", !p->sure,
			 "confidence", p->confidence,
			 "passes", (int)r->passes,
			 "bytes", (json_int_t)r->bytes,
			 "dirtied_1s", (json_int_t)(model_unique(&p->load, 1) * p->load.granule),
			 "dirty_rate", (json_int_t)p->dirty_rate,
			 "dirty_rate_error", p->load_error,
			 "bandwidth", (json_int_t)p->move.bandwidth,
			 "bandwidth_error", p->link_error,
			 "limited", p->limited,
			 "rtt_us", (json_int_t)p->rtt_us);
}
