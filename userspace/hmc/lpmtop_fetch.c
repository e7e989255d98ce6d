// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lpmtop: what systems and movers say, heard by threads of their own, so that keys are
 * answered while a system is not.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/lpmtop.h"

#define HEAR_MS		2000		/* for all answers of one look */
#define HEAT_MS		200		/* that writing is measured */
#define HEAT_CELLS	1024
#define NO_HEAT_MS	1000		/* until it is tried again */

/**
 * struct fetcher - who listens
 * @console:	the console
 * @only:	name of the only system to look at, or NULL
 * @interval_ms: between two looks
 * @lock:	guards what follows
 * @changed:	something else was selected
 * @top:	what was heard
 * @selected:	stream whose heat is wanted, "" = none
 */
struct fetcher {
	struct console *console;
	const char *only;
	unsigned int interval_ms;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct top top;
	char selected[RPC_STREAM_ID_BYTES];
};

/* ---- One look ---- */

/* What one mover tells of its moves */
static void list_mover(json_t *lists, const struct managed_system *system,
		       const struct msp *msp)
{
	struct rpc_error err;
	json_t *answer = NULL;

	if (msp_call(msp, "list", NULL, &answer, &err))
		return;
	json_array_append_new(lists, json_pack("{s:s, s:s, s:o}", "system", system->name, "msp",
					       msp->name, "answer", answer));
}

/* Moves of all movers: {system, msp, answer} each */
static json_t *list_moves(const struct console *console)
{
	json_t *lists = json_array();

	for (size_t i = 0; i < console->nsystems; i++)
		for (size_t j = 0; j < console->systems[i].nmsps; j++)
			list_mover(lists, &console->systems[i], &console->systems[i].msps[j]);
	return lists;
}

/* The latest status of a stream in one role; @msp: name of the mover that has it */
static const json_t *find_status(const json_t *lists, const char *id, const char *role,
				 const char **msp)
{
	const json_t *best = NULL;
	json_t *list, *move;
	size_t i, j;

	*msp = "";
	json_array_foreach(lists, i, list) {
		const json_t *moves = json_object_get(json_object_get(list, "answer"), "moves");

		json_array_foreach(moves, j, move)
			if (!strcmp(text_of(move, "stream_id"), id) &&
			    !strcmp(text_of(move, "role"), role)) {
				best = move;
				*msp = text_of(list, "msp");
			}
	}
	return best;
}

static bool is_shown(const json_t *stream)
{
	return !strcmp(text_of(stream, "role"), "source") && *text_of(stream, "stream_id");
}

static void take_system(struct top *top, const char *system, const json_t *streams,
			const json_t *lists)
{
	uint64_t now = now_ns();
	json_t *stream;
	size_t i;

	json_array_foreach(json_object_get(streams, "streams"), i, stream) {
		const char *id = text_of(stream, "stream_id");
		struct top_seen seen = { .system = system, .stream = stream };

		if (!is_shown(stream))
			continue;
		seen.status = find_status(lists, id, "source", &seen.source_msp);
		find_status(lists, id, "target", &seen.target_msp);
		top_see(top, &seen, now);
	}
	top_missed(top, system, now);
}

static struct top_system *system_of(struct top *top, const char *name)
{
	struct top_system *system;

	for (size_t i = 0; i < top->nsystems; i++)
		if (!strcmp(top->systems[i].name, name))
			return &top->systems[i];
	/* A console file has no more, so this is one of them */
	if (top->nsystems == CONSOLE_SYSTEMS)
		return &top->systems[CONSOLE_SYSTEMS - 1];
	system = &top->systems[top->nsystems++];
	snprintf(system->name, sizeof(system->name), "%s", name);
	return system;
}

/* All answers are had before anything is changed: @lock is held for a moment only */
static void look(struct console *console, const char *only, struct top *top,
		 pthread_mutex_t *lock)
{
	json_t *lists;

	pthread_mutex_lock(lock);
	console_set_deadline(console, now_ns() + HEAR_MS * NSEC_PER_MSEC);
	pthread_mutex_unlock(lock);
	lists = list_moves(console);
	for (size_t i = 0; i < console->nsystems; i++) {
		const struct managed_system *system = &console->systems[i];
		struct rpc_error err = { };
		json_t *streams = NULL;
		int ret;

		if (only && strcmp(system->name, only))
			continue;
		ret = system_call(system, "stream.list", NULL, &streams, &err);
		pthread_mutex_lock(lock);
		snprintf(system_of(top, system->name)->why, sizeof(top->systems->why), "%.120s",
			 ret ? err.text : "");
		if (!ret)
			take_system(top, system->name, streams, lists);
		pthread_mutex_unlock(lock);
		json_decref(streams);
	}
	pthread_mutex_lock(lock);
	top_forget(top, now_ns());
	pthread_mutex_unlock(lock);
	json_decref(lists);
}

/**
 * fetcher_once() - look once
 * @console:	the console
 * @only:	name of the only system, or NULL
 * @top:	gets what was heard
 */
void fetcher_once(struct console *console, const char *only, struct top *top)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	look(console, only, top, &lock);
}

static void pause_ms(unsigned int ms)
{
	for (; ms >= 500; ms -= 500)
		sleep_ms(500);
	sleep_ms(ms);
}

static void *look_on(void *data)
{
	struct fetcher *f = data;

	for (;;) {
		look(f->console, f->only, &f->top, &f->lock);
		pause_ms(f->interval_ms);
	}
	return NULL;
}

/* ---- Heat ---- */

/* The migration that is selected: its partition, and where it is */
static bool take_selected(struct fetcher *f, char id[RPC_STREAM_ID_BYTES],
			  char partition[NAME_BYTES], struct managed_system *system)
{
	const struct top_move *move;
	const struct managed_system *found = NULL;

	pthread_mutex_lock(&f->lock);
	while (!*f->selected)
		pthread_cond_wait(&f->changed, &f->lock);
	memcpy(id, f->selected, RPC_STREAM_ID_BYTES);
	move = top_find(&f->top, id);
	if (move && !move->gone) {
		memcpy(partition, move->partition, NAME_BYTES);
		found = console_find(f->console, move->source);
	}
	pthread_mutex_unlock(&f->lock);
	/* The deadline of calls is the other thread's */
	if (found)
		*system = *found;
	return found;
}

static bool measure(struct fetcher *f)
{
	char id[RPC_STREAM_ID_BYTES], partition[NAME_BYTES];
	struct rpc_error err = { .text = "it is not migrating" };
	struct managed_system system;
	json_t *answer = NULL;

	if (take_selected(f, id, partition, &system)) {
		system.deadline_ns = now_ns() + HEAR_MS * NSEC_PER_MSEC;
		system_call(&system, "partition.dirty",
			    json_pack("{s:s, s:i, s:i, s:i}", "name", partition,
				      "interval_ms", HEAT_MS, "samples", 1, "cells", HEAT_CELLS),
			    &answer, &err);
	}
	pthread_mutex_lock(&f->lock);
	top_take_heat(&f->top.heat, id, answer, err.text);
	pthread_mutex_unlock(&f->lock);
	json_decref(answer);
	return answer;
}

static void *measure_on(void *data)
{
	for (;;)
		pause_ms(measure(data) ? HEAT_MS : NO_HEAT_MS);
	return NULL;
}

/* ---- For the one who draws ---- */

/**
 * fetcher_start() - listen from now on, until the process ends
 * @console:	the console; not used otherwise afterwards
 * @only:	name of the only system to look at, or NULL
 * @interval_ms: between two looks
 * @fetcher:	set
 *
 * Return: 0 or a negative errno.
 */
int fetcher_start(struct console *console, const char *only, unsigned int interval_ms,
		  struct fetcher **fetcher)
{
	struct fetcher *f = calloc(1, sizeof(*f));
	pthread_t thread;
	int ret;

	if (!f)
		return -ENOMEM;
	*f = (struct fetcher) {
		.console = console, .only = only, .interval_ms = interval_ms,
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
	};
	*fetcher = f;
	ret = pthread_create(&thread, NULL, look_on, f);
	if (!ret)
		ret = pthread_create(&thread, NULL, measure_on, f);
	return -ret;
}

/**
 * fetcher_lock() - look at what was heard
 * @fetcher:	who listens
 *
 * Return: what was heard, which does not change until fetcher_unlock().
 */
struct top *fetcher_lock(struct fetcher *fetcher)
{
	pthread_mutex_lock(&fetcher->lock);
	return &fetcher->top;
}

void fetcher_unlock(struct fetcher *fetcher)
{
	pthread_mutex_unlock(&fetcher->lock);
}

/**
 * fetcher_select() - whose heat is wanted?
 * @fetcher:	who listens
 * @id:		of its stream, "" = nobody's
 *
 * Under fetcher_lock().
 */
void fetcher_select(struct fetcher *fetcher, const char *id)
{
	if (!strcmp(fetcher->selected, id))
		return;
	snprintf(fetcher->selected, sizeof(fetcher->selected), "%s", id);
	pthread_cond_signal(&fetcher->changed);
}
