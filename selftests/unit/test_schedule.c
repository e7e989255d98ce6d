// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose turn it is, and what is shown of many migrations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/util.h"
#include "hmc/progress.h"
#include "hmc/schedule.h"

#define MANY	40

static struct load idle(uint32_t active, uint32_t inactive, size_t movers)
{
	struct load load = { .free = { active, inactive }, .nmovers = movers };

	for (size_t i = 0; i < movers; i++)
		load.movers[i].most = 8;
	return load;
}

static void fill(struct turn *turns, size_t count, enum job_kind kind)
{
	for (size_t i = 0; i < count; i++)
		turns[i] = (struct turn) { .kind = kind, .mover = { NO_MOVER, NO_MOVER } };
}

static size_t begin_all(struct turn *turns, size_t count, const struct load loads[ENDS])
{
	size_t begun = 0, next;

	while (schedule_next(turns, count, loads, 1000, &next))
		begun++;
	return begun;
}

/* In order, and no more than systems and movers have room for */
static void test_limits(void **state)
{
	struct load loads[ENDS] = { idle(16, NO_LIMIT, 2), idle(16, NO_LIMIT, 2) };
	unsigned int uses[ENDS][2] = { 0 };
	struct turn turns[MANY];

	(void)state;
	fill(turns, MANY, JOB_ACTIVE);
	assert_int_equal(begin_all(turns, MANY, loads), 16);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(turns[i].state, i < 16 ? JOB_STARTING : JOB_WAITING);
		for (enum end end = END_SOURCE; end < ENDS && i < 16; end++)
			uses[end][turns[i].mover[end]]++;
	}
	/* Both movers share */
	for (enum end end = END_SOURCE; end < ENDS; end++) {
		assert_int_equal(uses[end][0], 8);
		assert_int_equal(uses[end][1], 8);
	}
	/* Either end's limits count, and what others have there */
	loads[END_TARGET].free[JOB_ACTIVE] = 3;
	fill(turns, MANY, JOB_ACTIVE);
	assert_int_equal(begin_all(turns, MANY, loads), 3);
	loads[END_TARGET] = idle(16, NO_LIMIT, 2);
	loads[END_SOURCE].movers[0].used = 8;
	loads[END_SOURCE].movers[1].used = 6;
	fill(turns, MANY, JOB_ACTIVE);
	assert_int_equal(begin_all(turns, MANY, loads), 2);
	assert_int_equal(turns[0].mover[END_SOURCE], 1);
	/* What moves is in the answers, and not counted again */
	turns[0].state = JOB_MOVING;
	turns[1].state = JOB_MOVING;
	loads[END_SOURCE].movers[1].used = 8;
	assert_int_equal(begin_all(turns, MANY, loads), 0);
}

/* The mover with the larger share of its operations free */
static void test_shares(void **state)
{
	struct load loads[ENDS] = { idle(16, NO_LIMIT, 3), idle(16, NO_LIMIT, 1) };
	struct turn turns[4];
	size_t next;

	(void)state;
	loads[END_SOURCE].movers[0] = (struct mover_load) { .most = 2, .used = 1 };
	loads[END_SOURCE].movers[1] = (struct mover_load) { .most = 8, .used = 3 };
	loads[END_SOURCE].movers[2] = (struct mover_load) { .most = 0, .used = 0 };
	fill(turns, 4, JOB_ACTIVE);
	assert_true(schedule_next(turns, 4, loads, 0, &next));
	assert_int_equal(turns[0].mover[END_SOURCE], 1);
	assert_true(schedule_next(turns, 4, loads, 0, &next));
	/* 4 of 8 are free as 1 of 2 is: the first */
	assert_int_equal(turns[1].mover[END_SOURCE], 0);
	assert_true(schedule_next(turns, 4, loads, 0, &next));
	assert_int_equal(turns[2].mover[END_SOURCE], 1);
	assert_int_equal(turns[2].mover[END_TARGET], 0);
	/* One that does not answer is no mover; without any, validation is to say so */
	loads[END_SOURCE] = idle(16, NO_LIMIT, 1);
	loads[END_SOURCE].movers[0].most = 0;
	assert_true(schedule_next(turns, 4, loads, 0, &next));
	assert_int_equal(turns[3].mover[END_SOURCE], NO_MOVER);
}

/* A kind that has no room holds up no other */
static void test_kinds(void **state)
{
	struct load loads[ENDS] = { idle(0, 2, 1), idle(4, 4, 1) };
	struct turn turns[6];
	size_t next;

	(void)state;
	fill(turns, 6, JOB_ACTIVE);
	turns[2].kind = JOB_INACTIVE;
	turns[3].kind = JOB_INACTIVE;
	turns[4].kind = JOB_INACTIVE;
	turns[5].kind = JOB_OTHER;
	assert_true(schedule_next(turns, 6, loads, 0, &next));
	assert_int_equal(next, 2);
	assert_true(schedule_next(turns, 6, loads, 0, &next));
	assert_int_equal(next, 3);
	/* Both that may are begun; what needs no place is */
	assert_true(schedule_next(turns, 6, loads, 0, &next));
	assert_int_equal(next, 5);
	assert_false(schedule_next(turns, 6, loads, 0, &next));
	/* As soon as there is room, the first one is next */
	loads[END_SOURCE].free[JOB_ACTIVE] = 1;
	assert_true(schedule_next(turns, 6, loads, 0, &next));
	assert_int_equal(next, 0);
	assert_false(schedule_next(turns, 6, loads, 0, &next));
}

/* One that was refused keeps its place, and is not begun at once */
static void test_again(void **state)
{
	struct load loads[ENDS] = { idle(1, NO_LIMIT, 1), idle(1, NO_LIMIT, 1) };
	struct turn turns[2];
	size_t next;

	(void)state;
	fill(turns, 2, JOB_ACTIVE);
	turns[0].again_ns = 500;
	assert_true(schedule_next(turns, 2, loads, 499, &next));
	assert_int_equal(next, 1);
	turns[1].state = JOB_DONE;
	assert_true(schedule_next(turns, 2, loads, 500, &next));
	assert_int_equal(next, 0);
	turns[0].state = JOB_FAILED;
	assert_false(schedule_next(turns, 2, loads, 500, &next));
}

static void test_workers(void **state)
{
	struct turn turns[SCHEDULE_WORKERS + 1];
	struct load loads[ENDS] = { idle(NO_LIMIT, NO_LIMIT, 0), idle(NO_LIMIT, NO_LIMIT, 0) };

	(void)state;
	fill(turns, SCHEDULE_WORKERS + 1, JOB_INACTIVE);
	assert_int_equal(begin_all(turns, SCHEDULE_WORKERS + 1, loads), SCHEDULE_WORKERS);
}

/* ---- What is shown ---- */

static json_t *status_of(int64_t total, int64_t left, int64_t rate, int64_t dirty)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:i}", "phase", "moving",
			 "bytes_total", (json_int_t)total, "bytes_remaining", (json_int_t)left,
			 "rate", (json_int_t)rate, "dirty_rate", (json_int_t)dirty, "pass", 3);
}

static void test_numbers(void **state)
{
	json_t *status = status_of(1000, 250, 100, 50);
	const int64_t never[][4] = {
		{ 1000, 250, 50, 50 }, { 1000, 250, 10, 50 }, { 1000, 0, 100, 0 },
		{ 1000, -5, 100, 0 }, { 1000, INT64_MAX, INT64_MAX, 1 },
	};

	(void)state;
	assert_int_equal(progress_percent(status), 75);
	assert_int_equal(progress_left_s(status), 5);
	json_decref(status);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		status = status_of(never[i][0], never[i][1], never[i][2], never[i][3]);
		assert_int_equal(progress_left_s(status), 0);
		assert_in_range(progress_percent(status), 0, 100);
		json_decref(status);
	}
	assert_int_equal(progress_percent(NULL), 0);
	status = status_of(100, 101, 1, 1);
	assert_int_equal(progress_percent(status), 0);
	json_decref(status);
}

/* It fits any terminal, and holds what it has to */
static void test_line(void **state)
{
	json_t *status = status_of(1000000000, 250000000, 120000000, 20000000);
	char line[PROGRESS_COLUMNS + 1];

	(void)state;
	for (size_t width = 0; width <= PROGRESS_COLUMNS; width++) {
		memset(line, 'x', sizeof(line));
		progress_format(line, width, width % 2 ? "web1" : NULL, status);
		assert_true(strlen(line) <= width);
	}
	progress_format(line, 79, NULL, status);
	assert_non_null(strstr(line, "[####"));
	assert_non_null(strstr(line, " 75 % moving"));
	assert_non_null(strstr(line, "120 MB/s"));
	assert_non_null(strstr(line, "dirty   20"));
	assert_non_null(strstr(line, "pass  3"));
	assert_non_null(strstr(line, "~3 s"));
	json_object_set_new(status, "phase", json_string("\033[31m"));
	progress_format(line, 79, "na\tme", status);
	assert_null(strchr(line, '\033'));
	assert_null(strchr(line, '\t'));
	json_decref(status);
}

static void test_choice(void **state)
{
	enum progress_state states[MANY];
	char line[PROGRESS_COLUMNS + 1];
	size_t chosen[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		states[i] = i < 10 ? PROGRESS_DONE : i < 26 ? PROGRESS_ACTIVE : PROGRESS_WAITING;
	states[5] = PROGRESS_FAILED;
	assert_int_equal(progress_choose(states, MANY, MANY, chosen), 16);
	assert_int_equal(chosen[0], 10);
	assert_int_equal(chosen[15], 25);
	assert_int_equal(progress_choose(states, MANY, 3, chosen), 3);
	assert_int_equal(progress_choose(states, MANY, 0, chosen), 0);
	progress_count(line, 80, states, MANY);
	assert_string_equal(line, "16 at work, 14 waiting, 9 done, 1 failed");
	progress_count(line, 10, states, MANY);
	assert_int_equal(strlen(line), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
