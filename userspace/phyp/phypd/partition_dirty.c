// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much a partition writes, measured for a while: partition.dirty
 * (Documentation/management.rst).  It has a view of its own, so that a stream neither
 * notices it nor is needed for it.
 *
 * A guest marks what it wrote when it is asked to look.  A stream's source asks after
 * each pass: then that is waited for, and nothing is asked beside it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/util.h"
#include "phyp/phypd/partition.h"
#include "phyp/phypd/stream.h"

#define INTERVAL_MS	50
#define SAMPLES		8
#define MAX_SAMPLES	64
#define MAX_INTERVAL_MS	10000
#define MAX_CELLS	4096
/* All of a measurement */
#define MAX_MS		60000
/* Of one partition at the same time: movers need views, too */
#define MAX_MEASURES	2
/* For a guest to look */
#define LOOK_MS		5000

/**
 * struct dirty_sample - what was written until then
 * @ns:		since the beginning
 * @dirtied:	pages since the sample before
 * @unique:	different pages since the beginning
 */
struct dirty_sample {
	uint64_t ns;
	uint64_t dirtied;
	uint64_t unique;
};

/**
 * struct dirty_measure - a measurement
 * @p:		of what
 * @req:	answered in the end
 * @watch:	NULL: not yet, the guest looks
 * @timer:	of the next sample, or until when a look has to be over
 * @looking:	a sample waits for a look
 * @interval_ms: between samples
 * @begun_ns:	when
 * @samples:	that were taken, of @wanted
 * @sample:	these
 * @cells:	how many, 0 = none
 * @cell:	pages written in the last interval, by cell
 */
struct dirty_measure {
	LIST_ENTRY(dirty_measure) link;
	struct partition *p;
	struct rpc_request *req;
	struct phyp_watch *watch;
	sd_event_source *timer;
	bool looking;
	uint64_t interval_ms;
	uint64_t begun_ns;
	unsigned int samples;
	unsigned int wanted;
	struct dirty_sample sample[MAX_SAMPLES];
	unsigned int cells;
	uint32_t cell[];
};

const struct rpc_param mgmt_dirty_params[] = {
	{ "name", RPC_STRING, true, .min = 1, .max = PARTITION_NAME_BYTES - 1 },
	{ "interval_ms", RPC_INTEGER, .min = 1, .max = MAX_INTERVAL_MS },
	{ "samples", RPC_INTEGER, .min = 1, .max = MAX_SAMPLES },
	{ "cells", RPC_INTEGER, .min = 1, .max = MAX_CELLS },
	{ }
};

static int on_timer(sd_event_source *source, uint64_t usec, void *data);

static void destroy(struct dirty_measure *m)
{
	LIST_REMOVE(m, link);
	if (m->watch)
		phyp_watch_end(m->watch);
	sd_event_source_disable_unref(m->timer);
	free(m);
}

static void fail(struct dirty_measure *m, int code, const char *why)
{
	rpc_fail(m->req, code, "partition %s: %s", m->p->name, why);
	destroy(m);
}

static json_t *cells_json(const uint32_t *cell, unsigned int count)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(list, json_integer(cell[i]));
	return list;
}

static json_t *samples_json(const struct dirty_measure *m)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < m->samples; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "ns",
						      rpc_json_u64(m->sample[i].ns), "dirtied",
						      rpc_json_u64(m->sample[i].dirtied), "unique",
						      rpc_json_u64(m->sample[i].unique)));
	return list;
}

static void add_cells(const struct dirty_measure *m, json_t *answer)
{
	struct phyp_lpar *lpar = m->p->lpar;
	uint32_t *left = calloc(m->cells, sizeof(*left));

	json_object_set_new(answer, "cell_pages",
			    rpc_json_u64(phyp_watch_cell_pages(lpar, m->cells)));
	json_object_set_new(answer, "cells", cells_json(m->cell, m->cells));
	if (left && phyp_lpar_left(lpar, left, m->cells))
		json_object_set_new(answer, "left", cells_json(left, m->cells));
	free(left);
}

static void answer(struct dirty_measure *m)
{
	struct partition *p = m->p;
	uint64_t filled;
	uint64_t written = phyp_lpar_written_pages(p->lpar, &filled);
	json_t *result = json_pack("{s:s, s:i, s:o, s:o, s:o, s:b, s:o}",
				   "name", p->name,
				   "granule", (int)p->granule,
				   "pages", rpc_json_u64(p->memory.bytes / p->granule),
				   "written", rpc_json_u64(written),
				   "filled", rpc_json_u64(filled),
				   "moving", (int)partition_moving(p),
				   "samples", samples_json(m));

	if (result && m->cells)
		add_cells(m, result);
	rpc_reply(m->req, result);
	destroy(m);
}

/* The next call of on_timer(), @ns after the beginning; of a time that is over, at once */
static void set_timer(struct dirty_measure *m, uint64_t at_ns)
{
	int ret;

	m->timer = sd_event_source_disable_unref(m->timer);
	ret = sd_event_add_time(m->p->system->event, &m->timer, CLOCK_MONOTONIC,
				at_ns / 1000, 1, on_timer, m);
	if (ret < 0)
		fail(m, RPC_NOT_ENOUGH, "out of memory");
}

static void begin(struct dirty_measure *m)
{
	int ret = phyp_watch_begin(m->p->lpar, &m->watch);

	if (ret) {
		fail(m, RPC_NOT_ENOUGH, ret == -ENOSPC ?
		     "all of its views (Dirty Map) are in use" : "out of memory");
		return;
	}
	m->begun_ns = now_ns();
	set_timer(m, m->begun_ns + m->interval_ms * NSEC_PER_MSEC);
}

static void take(struct dirty_measure *m)
{
	struct dirty_sample *s = &m->sample[m->samples++];
	bool last = m->samples == m->wanted;

	s->ns = now_ns() - m->begun_ns;
	s->dirtied = phyp_watch_take(m->watch, m->cell, last ? m->cells : 0);
	s->unique = phyp_watch_unique(m->watch);
	if (last)
		answer(m);
	else
		set_timer(m, m->begun_ns + (m->samples + 1) * m->interval_ms * NSEC_PER_MSEC);
}

static void looked(struct dirty_measure *m)
{
	m->looking = false;
	if (m->watch)
		take(m);
	else
		begin(m);
}

/* What was written has to be marked first: true, or it is marked as it is written */
static bool look(struct dirty_measure *m)
{
	struct home *home = m->p->home;

	if (!home->ops->look)
		return false;
	m->looking = true;
	set_timer(m, now_ns() + LOOK_MS * NSEC_PER_MSEC);
	return true;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct dirty_measure *m = data;
	struct partition *p = m->p;

	(void)source;
	(void)usec;
	if (p->state != PARTITION_RUNNING || !p->lpar) {
		fail(m, RPC_STATE, "it does not execute here any more");
	} else if (m->looking && !partition_moving(p)) {
		fail(m, RPC_FAILED, "its guest does not tell what it has written");
	} else if (m->looking) {
		/* A pass may take long; what is known of it is an answer, too */
		looked(m);
	} else if (look(m)) {
		if (!partition_moving(p))
			p->home->ops->look(p->home);
	} else {
		take(m);
	}
	return 0;
}

/* A home that looks marks only from now on: everything before has to be marked, too */
static void prepare(struct dirty_measure *m)
{
	struct partition *p = m->p;

	if (partition_moving(p) || !look(m))
		begin(m);
	else if (p->home->ops->depart)
		p->home->ops->depart(p->home);
	else
		p->home->ops->look(p->home);
}

void partition_dirty_looked(struct partition *p)
{
	struct dirty_measure *m, *next;

	for (m = LIST_FIRST(&p->measures); m; m = next) {
		next = LIST_NEXT(m, link);
		if (m->looking)
			looked(m);
	}
}

void partition_dirty_end(struct partition *p, const char *why)
{
	struct dirty_measure *m;

	while ((m = LIST_FIRST(&p->measures)))
		fail(m, RPC_STATE, why);
}

/* A platform that offers no Dirty Map tells nobody, neither movers nor consoles */
static bool may_measure(struct partition *p, const struct dirty_measure *wanted,
			struct rpc_request *req)
{
	const struct dirty_measure *m;
	unsigned int count = 0;

	LIST_FOREACH(m, &p->measures, link)
		count++;
	if (!p->system->params.dirty_map)
		rpc_fail(req, RPC_STATE, "this system offers no Dirty Map");
	else if (p->state != PARTITION_RUNNING || p->stopping != STOP_NONE)
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Running", p->name,
			 partition_state_name(p));
	else if (count == MAX_MEASURES)
		rpc_fail(req, RPC_NOT_ENOUGH, "partition %s: %u measurements are under way",
			 p->name, count);
	else if (wanted->interval_ms * wanted->wanted > MAX_MS)
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "interval_ms, samples: %" PRIu64 " ms together, at most %u are measured",
			 wanted->interval_ms * wanted->wanted, MAX_MS);
	else
		return true;
	return false;
}

/**
 * mgmt_partition_dirty() - partition.dirty
 * @req:	answered when it is measured
 * @params:	as mgmt_dirty_params
 * @data:	system
 */
void mgmt_partition_dirty(struct rpc_request *req, const json_t *params, void *data)
{
	const char *name = rpc_get_string(params, "name", "");
	unsigned int cells = (unsigned int)rpc_get_u64(params, "cells", 0);
	struct partition *p = partition_find(data, name);
	struct dirty_measure *m;

	if (!p || p->drop || p->state == PARTITION_LEAVING) {
		rpc_fail(req, RPC_NOT_FOUND, "no partition %s", name);
		return;
	}
	m = calloc(1, sizeof(*m) + cells * sizeof(m->cell[0]));
	if (!m) {
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		return;
	}
	m->p = p;
	m->req = req;
	m->cells = cells;
	m->interval_ms = rpc_get_u64(params, "interval_ms", INTERVAL_MS);
	m->wanted = (unsigned int)rpc_get_u64(params, "samples", SAMPLES);
	if (!may_measure(p, m, req)) {
		free(m);
		return;
	}
	LIST_INSERT_HEAD(&p->measures, m, link);
	prepare(m);
}
