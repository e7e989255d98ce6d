// SPDX-License-Identifier: GPL-2.0-or-later
/* The model of a prediction, against cases that can be worked out by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/util.h"
#include "hmc/predict_model.h"

#define PAGE		4096.0
#define PAGES		65536.0		/* 256 MiB */
#define BYTES		(PAGES * PAGE)
#define LINK		100e6

static const struct model_move usual = {
	.bandwidth = LINK,
	.round_trip = 0.001,
	.downtime = 0.3,
	.pass_limit = 10,
	.timeout = 120,
};

static void assert_near(double value, double expected, double share)
{
	if (fabs(value - expected) > share * fabs(expected))
		fail_msg("%g is not within %g %% of %g", value, share * 100, expected);
}

/* A partition of which nothing is known but its size */
static struct model_load idle(void)
{
	return (struct model_load) {
		.granule = PAGE, .pages = PAGES, .filled = PAGES, .cells = 64,
	};
}

static struct model_load uniform(double bytes_per_second)
{
	struct model_load load = idle();

	load.cold_rate = bytes_per_second / PAGE;
	return load;
}

/* A hot set in the first cells, and nothing besides */
static struct model_load hot(double pages, double bytes_per_second)
{
	struct model_load load = idle();
	unsigned int cells = (unsigned int)ceil(pages / (PAGES / 64));

	load.hot_pages = pages;
	load.hot_rate = bytes_per_second / PAGE;
	for (unsigned int i = 0; i < cells; i++)
		load.hot[i] = 1.0 / cells;
	return load;
}

/* What partition.dirty would tell of a load */
static struct model_curve measured(const struct model_load *load, unsigned int points,
				   double interval)
{
	struct model_curve curve = {
		.granule = load->granule, .pages = load->pages, .filled = load->filled,
		.points = points,
	};

	for (unsigned int i = 0; i < points; i++) {
		curve.seconds[i] = interval * (i + 1);
		curve.dirtied[i] = model_unique(load, interval);
		curve.unique[i] = model_unique(load, curve.seconds[i]);
	}
	return curve;
}

/* ---- The move ---- */

static void test_idle_takes_one_pass(void **state)
{
	struct model_load load = idle();
	struct model_result r;

	(void)state;
	model_run(&load, &usual, &r);
	assert_int_equal(r.end, MODEL_FITS);
	assert_int_equal(r.passes, 1);
	assert_near(r.bytes, BYTES, 0.01);
	assert_near(r.total, BYTES / LINK, 0.03);
	assert_true(r.blackout < 0.01);
}

static void test_pages_never_written_are_not_sent(void **state)
{
	struct model_load load = idle();
	struct model_result r;

	(void)state;
	load.filled = PAGES / 8;
	model_run(&load, &usual, &r);
	assert_near(r.bytes, BYTES / 8, 0.02);
	assert_near(r.total, BYTES / 8 / LINK, 0.05);
}

static void test_empty_partition(void **state)
{
	struct model_load load = idle();
	struct model_result r;

	(void)state;
	load.filled = 0;
	model_run(&load, &usual, &r);
	assert_int_equal(r.end, MODEL_FITS);
	assert_true(r.total < 0.1);
	assert_true(r.bytes < PAGE);
}

/*
 * A slow constant rate over much memory: in a pass of T seconds the pages that are
 * written behind the cursor are dirty at its end, on average half of all.
 */
static void test_constant_rate_leaves_half_a_pass(void **state)
{
	struct model_load load = uniform(10e6);
	struct model_move move = usual;
	struct model_result r;
	double pass;

	(void)state;
	move.pass_limit = 1;
	move.downtime = 0;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_PASSES);
	pass = BYTES / LINK;
	assert_near(r.left, 10e6 * pass / 2, 0.1);
}

/* After it stopped: what was written since it was sent last */
static void test_all_pages_go_before_it_resumes(void **state)
{
	struct model_load load = uniform(10e6);
	struct model_move move = usual;
	struct model_result r;

	(void)state;
	move.all_pages = true;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_FITS);
	assert_near(r.blackout, r.left / LINK + 2 * move.round_trip, 0.01);
	assert_true(r.blackout <= 0.31);
}

/* A set that is written over and over is never more than itself */
static void test_hot_set_saturates(void **state)
{
	struct model_load load = hot(2048, 1000e6);
	struct model_move move = usual;
	struct model_result r;

	(void)state;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_FITS);
	assert_true(r.left <= 2048 * PAGE * 1.01);
	assert_true(r.left >= 2048 * PAGE * 0.5);
	/* 8 MiB take 84 ms: with less downtime than that it cannot converge */
	move.downtime = 0.02;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_PASSES);
	assert_int_equal(r.passes, 10);
}

static void test_faster_than_the_link_does_not_converge(void **state)
{
	struct model_load load = uniform(400e6);
	struct model_result r;

	(void)state;
	model_run(&load, &usual, &r);
	assert_int_equal(r.end, MODEL_PASSES);
	assert_int_equal(r.passes, 10);
	assert_true(r.left > BYTES / 4);
}

static void test_timeout_ends_it(void **state)
{
	struct model_load load = uniform(400e6);
	struct model_move move = usual;
	struct model_result r;

	(void)state;
	move.pass_limit = 0;
	move.timeout = 20;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_TIMEOUT);
	assert_true(r.total > 20 && r.total < 20 + 1.1 * BYTES / LINK);
	/* Nor does it come to an end without any limit, but this does */
	move.timeout = 0;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_NEVER);
}

static void test_no_bandwidth(void **state)
{
	struct model_load load = uniform(1e6);
	struct model_move move = usual;
	struct model_result r;

	(void)state;
	move.bandwidth = 0;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_NEVER);
	move.bandwidth = NAN;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_NEVER);
}

static void test_slow_links_come_to_an_end(void **state)
{
	struct model_load load = uniform(100);
	struct model_move move = usual;
	struct model_result r;

	(void)state;
	load.pages = 1e9;
	load.filled = 1e9;
	move.bandwidth = 1e6;
	move.timeout = 0;
	model_run(&load, &move, &r);
	assert_int_equal(r.end, MODEL_FITS);
	assert_true(r.total > 1e9 * PAGE / 1e6);
}

static void test_more_to_do_takes_longer(void **state)
{
	double before = 0;

	(void)state;
	for (double rate = 0; rate < 90e6; rate += 10e6) {
		struct model_load load = uniform(rate);
		struct model_result r;

		model_run(&load, &usual, &r);
		assert_true(r.total >= before * 0.999);
		before = r.total;
	}
}

/* ---- The load ---- */

static void test_fit_finds_a_uniform_load(void **state)
{
	struct model_load load = uniform(40e6), found;
	struct model_curve curve = measured(&load, 8, 0.05);

	(void)state;
	model_fit(&found, &curve);
	assert_true(found.misfit < 0.02);
	/* Also where nothing was measured */
	for (double t = 0.1; t < 4; t *= 2)
		assert_near(model_unique(&found, t), model_unique(&load, t), 0.25);
}

static void test_fit_finds_a_hot_set(void **state)
{
	struct model_load load = hot(2048, 200e6), found;
	struct model_curve curve = measured(&load, 8, 0.05);

	(void)state;
	model_fit(&found, &curve);
	assert_true(found.misfit < 0.05);
	assert_near(model_unique(&found, 0.4), 2048, 0.05);
	/* A minute later there is not much more */
	assert_true(model_unique(&found, 3) < 2048 * 1.3);
}

static void test_fit_finds_both(void **state)
{
	struct model_load load = hot(1024, 100e6), found;
	struct model_curve curve;

	(void)state;
	load.cold_rate = 20e6 / PAGE;
	curve = measured(&load, 10, 0.05);
	model_fit(&found, &curve);
	assert_true(found.misfit < 0.05);
	assert_near(model_unique(&found, 2), model_unique(&load, 2), 0.25);
}

static void test_fit_of_nothing(void **state)
{
	struct model_load load = idle(), found;
	struct model_curve curve = measured(&load, 8, 0.05);

	(void)state;
	model_fit(&found, &curve);
	assert_true(model_unique(&found, 1000) < 1);
	assert_true(found.misfit <= 0);
}

static void test_heat_places_the_hot_set(void **state)
{
	struct model_load load = hot(2048, 200e6), found;
	struct model_curve curve = measured(&load, 8, 0.05);
	double sum = 0;

	(void)state;
	curve.cells = 64;
	curve.heat[5] = 700;
	curve.heat[6] = 300;
	model_fit(&found, &curve);
	assert_near(found.hot[5], 0.7, 0.05);
	for (unsigned int i = 0; i < found.cells; i++)
		sum += found.hot[i];
	assert_near(sum, 1, 1e-6);
}

/* More pages than a cell has room for lie beside it, and none is lost */
static void test_hot_set_larger_than_its_cell(void **state)
{
	struct model_load load = hot(4096, 1e9);
	struct model_move move = usual;
	struct model_result r;

	(void)state;
	for (unsigned int i = 0; i < load.cells; i++)
		load.hot[i] = i == 7;
	model_run(&load, &move, &r);
	assert_near(r.left, 4096 * PAGE, 0.2);
	assert_true(r.bytes >= BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_takes_one_pass),
		cmocka_unit_test(test_pages_never_written_are_not_sent),
		cmocka_unit_test(test_empty_partition),
		cmocka_unit_test(test_constant_rate_leaves_half_a_pass),
		cmocka_unit_test(test_all_pages_go_before_it_resumes),
		cmocka_unit_test(test_hot_set_saturates),
		cmocka_unit_test(test_faster_than_the_link_does_not_converge),
		cmocka_unit_test(test_timeout_ends_it),
		cmocka_unit_test(test_no_bandwidth),
		cmocka_unit_test(test_slow_links_come_to_an_end),
		cmocka_unit_test(test_more_to_do_takes_longer),
		cmocka_unit_test(test_fit_finds_a_uniform_load),
		cmocka_unit_test(test_fit_finds_a_hot_set),
		cmocka_unit_test(test_fit_finds_both),
		cmocka_unit_test(test_fit_of_nothing),
		cmocka_unit_test(test_heat_places_the_hot_set),
		cmocka_unit_test(test_hot_set_larger_than_its_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
