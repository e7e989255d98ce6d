// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lpmtop: what is known of the migrations that it shows.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/lpmtop_model.h"
#include "hmc/progress.h"

/* A system may say anything; what is shown steers no terminal */
__attribute__((format(printf, 3, 4)))
static void set_text(char *text, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, size, fmt, ap);
	va_end(ap);
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

static int64_t amount(const json_t *object, const char *name)
{
	return max(number_of(object, name), (int64_t)0);
}

/* ---- Samples and passes ---- */

static void add_sample(struct top_samples *samples, const struct top_sample *sample)
{
	samples->ring[(samples->first + samples->count) % TOP_SAMPLES] = *sample;
	if (samples->count < TOP_SAMPLES)
		samples->count++;
	else
		samples->first = (samples->first + 1) % TOP_SAMPLES;
}

/**
 * top_sample_at() - one of the latest samples
 * @samples:	all of them
 * @index:	0 = the oldest
 */
const struct top_sample *top_sample_at(const struct top_samples *samples, size_t index)
{
	return &samples->ring[(samples->first + index) % TOP_SAMPLES];
}

static struct top_pass *begin_pass(struct top_move *move, uint64_t now)
{
	struct top_pass *pass;

	if (move->npasses == TOP_PASSES) {
		memmove(move->passes, move->passes + 1, sizeof(*pass) * (TOP_PASSES - 1));
		move->npasses--;
	}
	pass = &move->passes[move->npasses];
	*pass = (struct top_pass) {
		.number = move->pass, .began_ns = now, .before = move->sent,
	};
	/* What was sent since the last look belongs to the pass before, or to this one */
	if (move->npasses)
		pass->before = pass[-1].before + pass[-1].sent;
	else if (!move->pass)
		pass->before = 0;
	move->npasses++;
	return pass;
}

static void follow_pass(struct top_move *move, const struct top_sample *sample)
{
	struct top_pass *pass = move->npasses ? &move->passes[move->npasses - 1] : NULL;
	uint64_t now = sample->at_ns;

	if (!pass || pass->number != move->pass)
		pass = begin_pass(move, now);
	pass->ended_ns = now;
	pass->sent = max(move->sent - pass->before, (int64_t)0);
	pass->left = move->left;
	pass->dirty_rate = sample->dirty_rate;
}

/* ---- Migrations ---- */

/**
 * top_find() - a migration by its stream
 * @top:	all
 * @id:		of the stream
 *
 * Return: the migration, or NULL.
 */
struct top_move *top_find(const struct top *top, const char *id)
{
	for (size_t i = 0; i < top->nmoves; i++)
		if (!strcmp(top->moves[i]->id, id))
			return top->moves[i];
	return NULL;
}

static struct top_move *add_move(struct top *top, const char id[RPC_STREAM_ID_BYTES])
{
	struct top_move *move;

	if (top->nmoves == TOP_MOVES)
		return NULL;
	move = calloc(1, sizeof(*move));
	if (!move)
		return NULL;
	memcpy(move->id, id, sizeof(move->id));
	top->moves[top->nmoves++] = move;
	return move;
}

/* What a mover says after its end is how it was then */
static bool has_ended(const struct top_move *move)
{
	static const char *const phases[] = { "completed", "aborted", "parked", "failed" };

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
		if (!strcmp(move->phase, phases[i]))
			return true;
	return false;
}

static void take_status(struct top_move *move, const json_t *status, uint64_t now)
{
	struct top_sample sample = { .at_ns = now };

	set_text(move->phase, sizeof(move->phase), "%s", text_of(status, "phase"));
	move->sent = amount(status, "bytes_transmitted");
	move->left = amount(status, "bytes_remaining");
	move->total = amount(status, "bytes_total");
	move->limit = amount(status, "limit");
	move->pass = amount(status, "pass");
	move->percent = progress_percent(status);
	move->left_s = progress_left_s(status);
	if (!has_ended(move)) {
		sample.rate = amount(status, "rate");
		sample.dirty_rate = amount(status, "dirty_rate");
		follow_pass(move, &sample);
	}
	move->rate = sample.rate;
	move->dirty_rate = sample.dirty_rate;
	add_sample(&move->samples, &sample);
}

/**
 * top_see() - something was heard of a migration
 * @top:	all
 * @seen:	what
 * @now:	now_ns()
 *
 * Return: the migration; NULL if there are too many.
 */
struct top_move *top_see(struct top *top, const struct top_seen *seen, uint64_t now)
{
	char id[RPC_STREAM_ID_BYTES];
	struct top_move *move;

	set_text(id, sizeof(id), "%s", text_of(seen->stream, "stream_id"));
	move = top_find(top, id);
	if (!move)
		move = add_move(top, id);
	if (!move)
		return NULL;
	set_text(move->partition, sizeof(move->partition), "%s",
		 text_of(seen->stream, "partition"));
	set_text(move->source, sizeof(move->source), "%s", seen->system);
	set_text(move->target, sizeof(move->target), "%s", text_of(seen->stream, "peer"));
	set_text(move->state, sizeof(move->state), "%s", text_of(seen->stream, "state"));
	set_text(move->source_msp, sizeof(move->source_msp), "%s", seen->source_msp);
	set_text(move->target_msp, sizeof(move->target_msp), "%s", seen->target_msp);
	move->seen_ns = now;
	move->gone = false;
	if (seen->status)
		take_status(move, seen->status, now);
	else
		move->phase[0] = '\0';
	return move;
}

/**
 * top_missed() - a system has told of all migrations that it knows
 * @top:	all
 * @system:	which
 * @since:	it did not tell of those that were seen before this; they are gone
 */
void top_missed(struct top *top, const char *system, uint64_t since)
{
	for (size_t i = 0; i < top->nmoves; i++) {
		struct top_move *move = top->moves[i];

		if (!strcmp(move->source, system) && move->seen_ns < since && !move->gone) {
			move->gone = true;
			move->rate = 0;
			move->dirty_rate = 0;
			move->left_s = 0;
		}
	}
}

/**
 * top_forget() - show those that are gone no longer
 * @top:	all
 * @now:	now_ns()
 */
void top_forget(struct top *top, uint64_t now)
{
	size_t left = 0;

	for (size_t i = 0; i < top->nmoves; i++) {
		struct top_move *move = top->moves[i];

		if (move->gone && now > move->seen_ns + TOP_KEEP_S * NSEC_PER_SEC)
			free(move);
		else
			top->moves[left++] = move;
	}
	top->nmoves = left;
}

void top_release(struct top *top)
{
	for (size_t i = 0; i < top->nmoves; i++)
		free(top->moves[i]);
	top->nmoves = 0;
}

/* ---- Graphs ---- */

/**
 * top_nice() - the end of a scale: 1, 2 or 5 and zeros
 * @value:	fits on it
 */
int64_t top_nice(int64_t value)
{
	static const int64_t steps[] = { 1, 2, 5 };
	int64_t ten = 1;

	for (;;) {
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
			if (value <= ten * steps[i])
				return ten * steps[i];
		if (ten > INT64_MAX / 100)
			return INT64_MAX;
		ten *= 10;
	}
}

static int64_t value_of(const struct top_sample *sample, bool dirty)
{
	return dirty ? sample->dirty_rate : sample->rate;
}

/**
 * top_graph() - a graph over time, the latest sample at the right
 * @samples:	what is drawn
 * @dirty:	the rate of writing, not of sending
 * @columns:	of the graph
 * @rows:	of it
 * @heights:	set to how many rows are filled in each column; what is not 0 fills one
 *
 * Return: what its highest row stands for.
 */
int64_t top_graph(const struct top_samples *samples, bool dirty, size_t columns,
		  unsigned int rows, unsigned int *heights)
{
	size_t shown = min(samples->count, columns);
	size_t first = samples->count - shown;
	int64_t most = 0, scale;

	for (size_t i = 0; i < shown; i++)
		most = max(most, value_of(top_sample_at(samples, first + i), dirty));
	scale = top_nice(most);
	memset(heights, 0, columns * sizeof(*heights));
	for (size_t i = 0; i < shown; i++) {
		int64_t value = value_of(top_sample_at(samples, first + i), dirty);
		double height = (double)value * rows / (double)scale;

		heights[columns - shown + i] = (unsigned int)(height + 0.5);
		if (value > 0 && !heights[columns - shown + i])
			heights[columns - shown + i] = 1;
	}
	return scale;
}

/* ---- Heat ---- */

/**
 * top_heat_level() - how hot a cell is
 * @value:	pages that were written in it
 * @most:	in the hottest one
 * @levels:	how many there are, at least 2
 *
 * By powers of two, so that what is warm is seen beside what is hot.
 *
 * Return: 0: nothing was written, to @levels - 1.
 */
unsigned int top_heat_level(uint32_t value, uint32_t most, unsigned int levels)
{
	unsigned int below = 0;

	if (!value)
		return 0;
	while (value < most) {
		most /= 2;
		below++;
	}
	return below + 1 >= levels ? 1 : levels - 1 - below;
}

/**
 * top_shrink() - fewer cells of the same memory
 * @cells:	these
 * @count:	how many
 * @shrunk:	set to the hottest of each few
 * @most:	cells that there may be then, at least 1
 *
 * Return: how many there are.
 */
size_t top_shrink(const uint32_t *cells, size_t count, uint32_t *shrunk, size_t most)
{
	size_t each = count / most + (count % most != 0);
	size_t used = 0;

	for (size_t i = 0; i < count; i += each, used++) {
		shrunk[used] = 0;
		for (size_t j = i; j < i + each && j < count; j++)
			shrunk[used] = max(shrunk[used], cells[j]);
	}
	return used;
}

/**
 * top_take_heat() - where a partition writes was measured, or could not be
 * @heat:	set
 * @id:		of its stream
 * @answer:	of partition.dirty, or NULL
 * @why:	then: why not
 */
void top_take_heat(struct top_heat *heat, const char *id, const json_t *answer,
		   const char *why)
{
	const json_t *cells = json_object_get(answer, "cells");
	json_t *cell;
	size_t i;

	*heat = (struct top_heat) { };
	set_text(heat->id, sizeof(heat->id), "%s", id);
	if (!json_is_array(cells)) {
		set_text(heat->why, sizeof(heat->why), "%s", answer ? "no cells" : why);
		return;
	}
	json_array_foreach(cells, i, cell) {
		if (heat->cells == TOP_CELLS)
			break;
		heat->cell[heat->cells] =
			(uint32_t)min(max(json_integer_value(cell), 0LL), (long long)UINT32_MAX);
		heat->most = max(heat->most, heat->cell[heat->cells]);
		heat->cells++;
	}
}

/* ---- As JSON ---- */

static json_t *pass_json(const struct top_pass *pass)
{
	uint64_t ms = (pass->ended_ns - pass->began_ns) / NSEC_PER_MSEC;

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "pass", (json_int_t)pass->number,
			 "ms", (json_int_t)ms, "bytes", (json_int_t)pass->sent,
			 "bytes_remaining", (json_int_t)pass->left,
			 "dirty_rate", (json_int_t)pass->dirty_rate);
}

static json_t *passes_json(const struct top_move *move)
{
	json_t *passes = json_array();

	for (size_t i = 0; i < move->npasses; i++)
		json_array_append_new(passes, pass_json(&move->passes[i]));
	return passes;
}

static json_t *move_json(const struct top_move *move)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			 "name", move->partition, "stream_id", move->id,
			 "source_sys_name", move->source, "dest_sys_name", move->target,
			 "source_msp_name", move->source_msp, "dest_msp_name", move->target_msp,
			 "state", move->state, "phase", move->phase, "gone", (int)move->gone,
			 "percent", move->percent,
			 "bytes_transmitted", (json_int_t)move->sent,
			 "bytes_remaining", (json_int_t)move->left,
			 "bytes_total", (json_int_t)move->total,
			 "rate", (json_int_t)move->rate,
			 "dirty_rate", (json_int_t)move->dirty_rate,
			 "limit", (json_int_t)move->limit, "pass", (json_int_t)move->pass,
			 "left_s", (json_int_t)move->left_s, "passes", passes_json(move));
}

static json_t *system_json(const struct top_system *system)
{
	return json_pack("{s:s, s:b, s:s}", "name", system->name, "answers", !*system->why,
			 "problem", system->why);
}

/**
 * top_json() - all of it, for scripts
 * @top:	all
 */
json_t *top_json(const struct top *top)
{
	json_t *systems = json_array(), *moves = json_array();

	for (size_t i = 0; i < top->nsystems; i++)
		json_array_append_new(systems, system_json(&top->systems[i]));
	for (size_t i = 0; i < top->nmoves; i++)
		json_array_append_new(moves, move_json(top->moves[i]));
	return json_pack("{s:o, s:o}", "systems", systems, "moves", moves);
}
