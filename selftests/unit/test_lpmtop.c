// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What lpmtop knows of migrations, and how it makes graphs and a map of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/util.h"
#include "hmc/lpmtop_model.h"

#define SECOND	NSEC_PER_SEC

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct top));
	return !*state;
}

static int tear_down(void **state)
{
	top_release(*state);
	free(*state);
	return 0;
}

/* One look at a migration */
static struct top_move *see(struct top *top, const char *id, int64_t pass, int64_t sent,
			    int64_t left, uint64_t now)
{
	json_t *stream = json_pack("{s:s, s:s, s:s, s:s}", "stream_id", id, "partition", "web1",
				   "peer", "beta", "state", "Enabled");
	json_t *status = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "phase", "moving",
				   "bytes_transmitted", (json_int_t)sent,
				   "bytes_remaining", (json_int_t)left,
				   "bytes_total", (json_int_t)(sent + left),
				   "rate", (json_int_t)100, "dirty_rate", (json_int_t)20,
				   "pass", (json_int_t)pass);
	const struct top_seen seen = {
		.system = "alpha", .stream = stream, .status = status,
		.source_msp = "vios1", .target_msp = "vios2",
	};
	struct top_move *move = top_see(top, &seen, now);

	json_decref(stream);
	json_decref(status);
	return move;
}

static void test_move(void **state)
{
	struct top *top = *state;
	struct top_move *move = see(top, "a", 0, 750, 250, SECOND);

	assert_non_null(move);
	assert_ptr_equal(top_find(top, "a"), move);
	assert_null(top_find(top, "b"));
	assert_string_equal(move->partition, "web1");
	assert_string_equal(move->source, "alpha");
	assert_string_equal(move->target, "beta");
	assert_string_equal(move->phase, "moving");
	assert_string_equal(move->target_msp, "vios2");
	assert_int_equal(move->percent, 75);
	assert_int_equal(move->left_s, 4);
	assert_int_equal(move->samples.count, 1);
	/* The same one again */
	assert_ptr_equal(see(top, "a", 0, 800, 200, 2 * SECOND), move);
	assert_int_equal(top->nmoves, 1);
	assert_int_equal(move->samples.count, 2);
}

static void test_gone(void **state)
{
	struct top *top = *state;

	see(top, "a", 0, 1, 1, SECOND);
	see(top, "b", 0, 1, 1, 2 * SECOND);
	/* Another system's word says nothing about them */
	top_missed(top, "beta", 3 * SECOND);
	assert_false(top->moves[0]->gone);
	top_missed(top, "alpha", 2 * SECOND);
	assert_true(top->moves[0]->gone);
	assert_int_equal(top->moves[0]->rate, 0);
	assert_false(top->moves[1]->gone);
	top_forget(top, (TOP_KEEP_S + 1) * SECOND);
	assert_int_equal(top->nmoves, 2);
	top_forget(top, (TOP_KEEP_S + 1) * SECOND + 1);
	assert_int_equal(top->nmoves, 1);
	assert_string_equal(top->moves[0]->id, "b");
}

static void test_many(void **state)
{
	struct top *top = *state;
	char id[RPC_STREAM_ID_BYTES];

	for (unsigned int i = 0; i < TOP_MOVES + 5; i++) {
		snprintf(id, sizeof(id), "%u", i);
		see(top, id, 0, 1, 1, 1);
	}
	assert_int_equal(top->nmoves, TOP_MOVES);
}

/* Whatever a system says, and it steers no terminal */
static void test_nonsense(void **state)
{
	struct top *top = *state;
	json_t *stream = json_pack("{s:s, s:s, s:i, s:[]}", "stream_id", "\033[2J", "partition",
				   "a very long name, longer than any that there may be\n",
				   "peer", 7, "state");
	json_t *status = json_pack("{s:I, s:s, s:I}", "bytes_remaining", (json_int_t)INT64_MIN,
				   "rate", "fast", "dirty_rate", (json_int_t)-5);
	const struct top_seen seen = {
		.system = "alpha", .stream = stream, .status = status,
		.source_msp = "", .target_msp = "",
	};
	struct top_move *move = top_see(top, &seen, 1);
	json_t *json;

	assert_non_null(move);
	assert_null(strchr(move->id, '\033'));
	assert_ptr_equal(top_see(top, &seen, 2), move);
	assert_int_equal(strlen(move->partition), NAME_BYTES - 1);
	assert_int_equal(move->left, 0);
	assert_int_equal(move->rate, 0);
	assert_int_equal(move->dirty_rate, 0);
	json = top_json(top);
	assert_non_null(json);
	json_decref(json);
	json_decref(stream);
	json_decref(status);
}

static void test_passes(void **state)
{
	struct top *top = *state;
	struct top_move *move;

	see(top, "a", 0, 100, 900, 1 * SECOND);
	see(top, "a", 0, 600, 400, 3 * SECOND);
	move = see(top, "a", 1, 1100, 200, 4 * SECOND);
	assert_int_equal(move->npasses, 2);
	assert_int_equal(move->passes[0].sent, 600);
	assert_int_equal(move->passes[0].left, 400);
	assert_int_equal(move->passes[0].ended_ns - move->passes[0].began_ns, 2 * SECOND);
	assert_int_equal(move->passes[1].number, 1);
	assert_int_equal(move->passes[1].sent, 500);
	/* The latest are kept */
	for (int pass = 2; pass < TOP_PASSES + 10; pass++)
		move = see(top, "a", pass, 1100 + pass, 10, (uint64_t)(pass + 5) * SECOND);
	assert_int_equal(move->npasses, TOP_PASSES);
	assert_int_equal(move->passes[TOP_PASSES - 1].number, TOP_PASSES + 9);
	assert_int_equal(move->passes[0].number, 10);
}

static void test_samples(void **state)
{
	struct top *top = *state;
	struct top_move *move = NULL;

	for (int i = 0; i < TOP_SAMPLES + 7; i++)
		move = see(top, "a", 0, i, 1000, (uint64_t)i);
	assert_int_equal(move->samples.count, TOP_SAMPLES);
	assert_int_equal(top_sample_at(&move->samples, 0)->at_ns, 7);
	assert_int_equal(top_sample_at(&move->samples, TOP_SAMPLES - 1)->at_ns, TOP_SAMPLES + 6);
}

static void test_nice(void **state)
{
	const int64_t values[][2] = {
		{ -5, 1 }, { 0, 1 }, { 1, 1 }, { 2, 2 }, { 3, 5 }, { 6, 10 }, { 10, 10 },
		{ 11, 20 }, { 120000000, 200000000 }, { INT64_MAX, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_int_equal(top_nice(values[i][0]), values[i][1]);
}

static void test_graph(void **state)
{
	const int64_t rates[] = { 0, 1, 50, 100 };
	struct top_samples samples = { .first = TOP_SAMPLES - 2 };
	unsigned int heights[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		samples.ring[(samples.first + i) % TOP_SAMPLES] =
			(struct top_sample) { .rate = rates[i], .dirty_rate = 3 };
	samples.count = ARRAY_SIZE(rates);
	/* The latest at the right; what is not nothing is seen */
	assert_int_equal(top_graph(&samples, false, 6, 10, heights), 100);
	assert_int_equal(heights[0] + heights[1] + heights[2], 0);
	assert_int_equal(heights[3], 1);
	assert_int_equal(heights[4], 5);
	assert_int_equal(heights[5], 10);
	/* As many as there is room for */
	assert_int_equal(top_graph(&samples, false, 2, 4, heights), 100);
	assert_int_equal(heights[0], 2);
	assert_int_equal(heights[1], 4);
	assert_int_equal(top_graph(&samples, true, 4, 5, heights), 5);
	assert_int_equal(heights[0], 3);
	samples.count = 0;
	assert_int_equal(top_graph(&samples, true, 4, 5, heights), 1);
	assert_int_equal(heights[3], 0);
}

static void test_heat(void **state)
{
	(void)state;
	assert_int_equal(top_heat_level(0, 100, 6), 0);
	assert_int_equal(top_heat_level(100, 100, 6), 5);
	assert_int_equal(top_heat_level(50, 100, 6), 4);
	assert_int_equal(top_heat_level(49, 100, 6), 3);
	assert_int_equal(top_heat_level(1, 100, 6), 1);
	assert_int_equal(top_heat_level(1, UINT32_MAX, 2), 1);
	assert_int_equal(top_heat_level(7, 7, 2), 1);
	for (uint32_t value = 1; value < 1000; value++) {
		unsigned int level = top_heat_level(value, 1000, 6);

		assert_in_range(level, 1, 5);
		assert_true(level >= top_heat_level(value - 1, 1000, 6));
	}
}

static void test_shrink(void **state)
{
	const uint32_t cells[] = { 1, 9, 0, 0, 5, 2, 7 };
	uint32_t shrunk[ARRAY_SIZE(cells)];

	(void)state;
	assert_int_equal(top_shrink(cells, 7, shrunk, 7), 7);
	assert_memory_equal(cells, shrunk, sizeof(cells));
	assert_int_equal(top_shrink(cells, 7, shrunk, 3), 3);
	assert_int_equal(shrunk[0], 9);
	assert_int_equal(shrunk[1], 5);
	assert_int_equal(shrunk[2], 7);
	assert_int_equal(top_shrink(cells, 7, shrunk, 1), 1);
	assert_int_equal(shrunk[0], 9);
	assert_int_equal(top_shrink(cells, 0, shrunk, 3), 0);
}

static void test_take_heat(void **state)
{
	static struct top_heat heat;
	json_t *answer = json_pack("{s:[i, i, I, s]}", "cells", 3, 12, (json_int_t)-1, "hot");
	json_t *many = json_array();

	(void)state;
	top_take_heat(&heat, "a", answer, "");
	assert_int_equal(heat.cells, 4);
	assert_int_equal(heat.most, 12);
	assert_int_equal(heat.cell[2], 0);
	assert_string_equal(heat.why, "");
	top_take_heat(&heat, "b", NULL, "no \033[31mmap");
	assert_int_equal(heat.cells, 0);
	assert_string_equal(heat.why, "no ?[31mmap");
	for (int i = 0; i < TOP_CELLS + 3; i++)
		json_array_append_new(many, json_integer(i));
	json_object_set_new(answer, "cells", many);
	top_take_heat(&heat, "a", answer, "");
	assert_int_equal(heat.cells, TOP_CELLS);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_move, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_samples, set_up, tear_down),
		cmocka_unit_test(test_nice),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_heat),
		cmocka_unit_test(test_shrink),
		cmocka_unit_test(test_take_heat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
