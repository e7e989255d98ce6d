// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The load of a partition from its dirty curve, and the passes of a move.
 *
 * A page that is written with probability r dt in every dt is dirty t seconds after it was
 * sent with probability 1 - exp(-r t).  The curve of a measurement is the sum of that over
 * all pages; of two sets of pages, hot and cold, it has three unknowns.
 */
#include <math.h>
#include <string.h>

#include "common/util.h"
#include "hmc/predict_model.h"

/* Sizes of the hot set that are tried, and shares of the writes that hit it */
#define FIT_SIZES	48
#define FIT_SHARES	21
#define FIT_STEPS	24
/* A record's header, and the frame's, are that share of what they carry */
#define OVERHEAD	0.003
/* How often a mover asks what is left, and the least time for all of the memory */
#define SAMPLE_S	0.01
#define IDLE_S		0.002
/* In the first pass that is often enough */
#define MAX_SAMPLES	2000
/* A move that never ends is not waited for */
#define MAX_STEPS	4000000
#define MOST_SAMPLES	50000

/* ---- The load ---- */

/* Different pages of @pages that are hit in @seconds */
static double hit(double pages, double rate, double seconds)
{
	return pages > 0 ? -pages * expm1(-rate * seconds / pages) : 0;
}

/**
 * model_unique() - different pages that are written in a time
 * @load:	of a partition
 * @seconds:	the time
 */
double model_unique(const struct model_load *load, double seconds)
{
	return hit(load->hot_pages, load->hot_rate, seconds) +
	       hit(load->pages - load->hot_pages, load->cold_rate, seconds);
}

/**
 * struct fit - a fit under way
 * @seconds:	points of the curve
 * @pages:	likewise
 * @count:	of them
 */
struct fit {
	double seconds[MODEL_POINTS + 1];
	double pages[MODEL_POINTS + 1];
	unsigned int count;
};

/* The mean of all intervals says more of so long a time than the first one does */
static void prepare_fit(struct fit *fit, const struct model_curve *curve)
{
	double sum = 0;

	fit->count = curve->points;
	for (unsigned int i = 0; i < curve->points; i++) {
		sum += curve->dirtied[i];
		fit->seconds[i] = curve->seconds[i];
		fit->pages[i] = curve->unique[i];
	}
	fit->seconds[0] = curve->seconds[curve->points - 1] / curve->points;
	fit->pages[0] = sum / curve->points;
}

/* The root of the mean square of the relative errors */
static double misfit(const struct fit *fit, const struct model_load *load)
{
	double sum = 0;

	for (unsigned int i = 0; i < fit->count; i++) {
		double error = (model_unique(load, fit->seconds[i]) - fit->pages[i]) /
			       fmax(fit->pages[i], 1);

		sum += error * error;
	}
	return sqrt(sum / fit->count);
}

static double try_rate(const struct fit *fit, struct model_load *load, double share,
		       double rate)
{
	load->hot_rate = rate * share;
	load->cold_rate = rate * (1 - share);
	return misfit(fit, load);
}

/* The best rate for a size and a share, by halving: too high is seen at the first point */
static double best_rate(const struct fit *fit, struct model_load *load, double share)
{
	double low = fit->pages[0] / fit->seconds[0] / 2;
	double high = low * 16;

	for (unsigned int i = 0; i < FIT_STEPS; i++) {
		double third = (high - low) / 3;

		if (try_rate(fit, load, share, low + third) <
		    try_rate(fit, load, share, high - third))
			high -= third;
		else
			low += third;
	}
	return (low + high) / 2;
}

static void try_size(const struct fit *fit, struct model_load *best, double hot_pages)
{
	struct model_load try = *best;

	try.hot_pages = hot_pages;
	for (unsigned int i = 0; i < FIT_SHARES; i++) {
		double share = (double)i / (FIT_SHARES - 1);
		double rate = best_rate(fit, &try, share);

		try.misfit = try_rate(fit, &try, share, rate);
		if (try.misfit < best->misfit)
			*best = try;
	}
}

/* Where the hot pages are: where more was written than everywhere */
static void place_hot(struct model_load *load, const struct model_curve *curve)
{
	double interval = curve->seconds[curve->points - 1] / curve->points;
	double cold = hit(load->pages - load->hot_pages, load->cold_rate, interval);
	double sum = 0;

	load->cells = curve->cells ? curve->cells : 1;
	for (unsigned int i = 0; i < load->cells; i++) {
		load->hot[i] = curve->cells ? fmax(curve->heat[i] - cold / load->cells, 0) : 1;
		sum += load->hot[i];
	}
	for (unsigned int i = 0; i < load->cells; i++)
		load->hot[i] = sum > 0 ? load->hot[i] / sum : 1.0 / load->cells;
}

/**
 * model_fit() - what load makes such a curve?
 * @load:	filled in
 * @curve:	what was measured, at least one point
 */
void model_fit(struct model_load *load, const struct model_curve *curve)
{
	struct fit fit;

	*load = (struct model_load) {
		.granule = curve->granule,
		.pages = curve->pages,
		.filled = curve->filled,
		.misfit = INFINITY,
	};
	prepare_fit(&fit, curve);
	if (fit.pages[fit.count - 1] <= 0) {
		load->misfit = 0;
	} else {
		double least = fmax(fit.pages[0] / 2, 1);

		for (unsigned int i = 0; i < FIT_SIZES; i++)
			try_size(&fit, load, least * pow(load->pages / least,
							 (double)i / (FIT_SIZES - 1)));
	}
	place_hot(load, curve);
}

/**
 * model_scale() - the same partition, with more or less to do
 * @load:	changed
 * @factor:	of its rates
 */
void model_scale(struct model_load *load, double factor)
{
	load->hot_rate *= factor;
	load->cold_rate *= factor;
}

/* ---- The move ---- */

enum set {
	HOT,
	COLD,
	SETS,
};

/**
 * struct slice - a part of the address space on its way
 * @pages:	of each set
 * @dirty:	of these, at
 * @at:		that time
 */
struct slice {
	double pages[SETS];
	double dirty[SETS];
	double at;
};

/**
 * struct run - a move under way
 * @now:	seconds since the first byte
 * @slice:	of the memory
 * @count:	of them
 * @next:	the one that is sent next
 * @rate:	writes a second to one page, by set
 * @swept:	pages sent since the address space was begun last
 * @begun:	when that was
 * @idle:	there was nothing to send in all of it
 * @sampled:	when the mover asked last, @sent bytes ago
 * @pass_goal: @pass_done: @passes: as the mover's policy has them
 */
struct run {
	const struct model_load *load;
	const struct model_move *move;
	struct model_result *result;
	double now;
	struct slice slice[MODEL_CELLS];
	unsigned int count;
	unsigned int next;
	double rate[SETS];
	double swept;
	double begun;
	bool idle;
	double sampled;
	double sent;
	double pass_goal;
	double pass_done;
	unsigned int passes;
};

static double page_bytes(const struct run *run)
{
	return run->load->granule * (1 + OVERHEAD);
}

static void age(struct run *run, struct slice *s)
{
	for (unsigned int i = 0; i < SETS; i++)
		s->dirty[i] = s->pages[i] - (s->pages[i] - s->dirty[i]) *
			      exp(-run->rate[i] * (run->now - s->at));
	s->at = run->now;
}

static double left(struct run *run)
{
	double pages = 0;

	for (unsigned int i = 0; i < run->count; i++) {
		age(run, &run->slice[i]);
		pages += run->slice[i].dirty[HOT] + run->slice[i].dirty[COLD];
	}
	return pages * page_bytes(run);
}

/* Pages lie where they are hot, as far as there is room, and the rest everywhere */
static void lay_out(struct run *run)
{
	const struct model_load *load = run->load;
	double room = load->pages / load->cells;
	double filled = fmin(load->filled / load->pages, 1);
	double over = load->hot_pages;

	run->count = load->cells;
	for (unsigned int i = 0; i < run->count; i++) {
		run->slice[i].pages[HOT] = fmin(load->hot_pages * load->hot[i], room);
		over -= run->slice[i].pages[HOT];
	}
	for (unsigned int i = 0; i < run->count; i++) {
		struct slice *s = &run->slice[i];
		double free = load->pages - (load->hot_pages - over);

		if (over > 0 && free > 0)
			s->pages[HOT] += over * (room - s->pages[HOT]) / free;
		s->pages[COLD] = room - s->pages[HOT];
		for (unsigned int j = 0; j < SETS; j++)
			s->dirty[j] = s->pages[j] * filled;
	}
	run->rate[HOT] = load->hot_pages > 0 ? load->hot_rate / load->hot_pages : 0;
	run->rate[COLD] = load->pages > load->hot_pages ?
			  load->cold_rate / (load->pages - load->hot_pages) : 0;
}

/* What is dirty in the next slice, or as much of it as goes until @end */
static void send_slice(struct run *run, double end)
{
	struct slice *s = &run->slice[run->next];
	double pages, seconds, part;

	run->idle = false;
	age(run, s);
	pages = s->dirty[HOT] + s->dirty[COLD];
	seconds = pages * page_bytes(run) / run->move->bandwidth;
	part = run->now + seconds > end ? fmax(end - run->now, 0) / seconds : 1;
	for (unsigned int i = 0; i < SETS; i++)
		s->dirty[i] *= 1 - part;
	/* On average so long ago, when all of it is sent */
	s->at += seconds * part / 2;
	run->now += seconds * part;
	run->sent += pages * part * page_bytes(run);
	run->swept += pages * part;
	if (part < 1)
		return;
	run->next = (run->next + 1) % run->count;
	if (run->next)
		return;
	run->idle = run->swept < 1;
	run->now = fmax(run->now, run->begun + IDLE_S);
	run->begun = run->now;
	run->swept = 0;
}

/* As much as is dirty is under way, but for what there is room */
static double under_way(const struct run *run, double rest)
{
	return fmin(run->move->queued, rest);
}

/*
 * As userspace/mspd/policy.c decides.  A pass has to do with what is under way, too: the
 * platform hands it out before it is taken, and its pages are dirty again by then.
 */
static enum model_end sample(struct run *run)
{
	const struct model_move *move = run->move;
	double rest = left(run);

	run->pass_done += run->sent;
	run->sent = 0;
	run->sampled = run->now;
	if (run->pass_done >= run->pass_goal || rest < page_bytes(run)) {
		run->passes++;
		run->pass_goal = rest + under_way(run, rest);
		run->pass_done = 0;
	}
	if (!run->passes)
		return MODEL_NEVER;
	if (rest <= move->bandwidth * move->downtime || rest < page_bytes(run))
		return MODEL_FITS;
	if (move->pass_limit && run->passes >= move->pass_limit)
		return MODEL_PASSES;
	if (move->timeout > 0 && run->now >= move->timeout)
		return MODEL_TIMEOUT;
	return MODEL_NEVER;
}

static enum model_end copy(struct run *run)
{
	enum model_end end = MODEL_NEVER;
	unsigned int samples = 0;
	double interval;

	run->pass_goal = left(run);
	interval = fmax(SAMPLE_S, run->pass_goal / run->move->bandwidth / MAX_SAMPLES);
	for (unsigned int i = 0; i < MAX_STEPS && end == MODEL_NEVER; i++) {
		double before = run->sent;

		send_slice(run, INFINITY);
		run->result->bytes += run->sent - before;
		if (run->now - run->sampled < interval && !run->idle)
			continue;
		end = sample(run);
		if (++samples == MOST_SAMPLES)
			break;
	}
	return end;
}

/* It was told to stop, and goes on writing until it has */
static void suspend(struct run *run)
{
	double end = run->now + run->move->suspend + run->move->round_trip / 2;

	for (unsigned int i = 0; i < MAX_STEPS && run->now < end; i++) {
		double before = run->sent;

		send_slice(run, end);
		run->result->bytes += run->sent - before;
	}
}

/* The bitmap has a word for every 64 pages of which one is left */
static double bitmap_bytes(const struct run *run, double rest)
{
	double pages = rest / page_bytes(run);
	double words = run->load->pages / 64;

	return 8 * (words > 0 ? -words * expm1(-pages / words) : 0);
}

static void hand_over(struct run *run)
{
	const struct model_move *move = run->move;
	struct model_result *r = run->result;
	double rest = left(run);
	double first = rest;

	/* What is under way already goes before the bitmap and the state */
	if (!move->all_pages)
		first = under_way(run, rest) + bitmap_bytes(run, rest);
	r->left = rest;
	r->bytes += rest;
	r->blackout = move->handover + first / move->bandwidth + 2 * move->round_trip;
	r->total = move->start + run->now + move->handover + rest / move->bandwidth +
		   3 * move->round_trip;
}

/**
 * model_run() - how would a move go?
 * @load:	of the partition
 * @move:	how
 * @result:	filled in; with MODEL_NEVER nothing else of it counts
 */
void model_run(const struct model_load *load, const struct model_move *move,
	       struct model_result *result)
{
	struct run run = { .load = load, .move = move, .result = result };

	*result = (struct model_result) { .end = MODEL_NEVER };
	if (!(move->bandwidth > 0) || !(load->pages > 0) || !load->cells)
		return;
	lay_out(&run);
	result->end = copy(&run);
	if (result->end == MODEL_NEVER)
		return;
	result->passes = run.passes;
	suspend(&run);
	hand_over(&run);
}
