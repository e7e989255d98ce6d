// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When to suspend: a partition, a platform and a link in a few lines, run
 * against the policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/util.h"
#include "mspd/policy.h"

#define MB	1000000ULL
#define STEP_NS	(50 * NSEC_PER_MSEC)

/**
 * struct world - a partition that moves
 * @left:	bytes that are dirty
 * @total:	bytes of the partition
 * @link:	bytes a second of the link
 * @zero_share:	share of the bytes that are zero pages, which cost nothing to send
 * @dirty:	bytes a second that are dirtied
 * @sent:	bytes sent
 * @now_ns:	time
 */
struct world {
	double left;
	double total;
	double link;
	double zero_share;
	double dirty;
	double sent;
	uint64_t now_ns;
};

static const struct policy_params defaults = {
	.downtime_ms = 300, .pass_limit = 10, .timeout_s = 120,
};

static void step(struct world *w)
{
	double seconds = (double)STEP_NS / (double)NSEC_PER_SEC;
	double can = w->link * seconds / (1 - w->zero_share);
	double done = min(can, w->left);

	w->left -= done;
	w->sent += done * (1 - w->zero_share);
	w->left = min(w->left + w->dirty * seconds, w->total);
	w->now_ns += STEP_NS;
}

static enum policy_reason sample(struct policy *p, const struct world *w)
{
	const struct policy_sample s = {
		.now_ns = w->now_ns, .sent = (uint64_t)w->sent,
		.left = (uint64_t)w->left,
	};

	return policy_sample(p, &s);
}

/* Until it decides; what was sent then is in @w */
static enum policy_reason run(struct policy *p, struct world *w, double seconds)
{
	uint64_t end = w->now_ns + (uint64_t)(seconds * (double)NSEC_PER_SEC);
	enum policy_reason reason = sample(p, w);

	while (!reason && w->now_ns < end) {
		step(w);
		reason = sample(p, w);
	}
	return reason;
}

static void converging(void **state)
{
	struct world w = { .left = 1000 * MB, .total = 1000 * MB, .link = 500 * MB,
			   .dirty = 50 * MB, .now_ns = 1 };
	struct policy p;

	(void)state;
	policy_init(&p, &defaults);
	assert_int_equal(run(&p, &w, 60), POLICY_DOWNTIME);
	assert_true(w.sent >= 999 * MB);
	assert_true(w.left <= 0.3 * w.link * 1.05);
	assert_true(w.now_ns < 4 * NSEC_PER_SEC);
	assert_true(p.pass >= 1);
	assert_true(p.rate > 450 * MB && p.rate < 550 * MB);
}

/* A small partition would fit the limit at once, but the first pass comes first */
static void first_pass_comes_first(void **state)
{
	struct world w = { .left = 100 * MB, .total = 100 * MB, .link = 1000 * MB,
			   .now_ns = 1 };
	struct policy p;

	(void)state;
	policy_init(&p, &defaults);
	assert_int_equal(run(&p, &w, 10), POLICY_DOWNTIME);
	assert_true(w.sent >= 100 * MB);
}

static void empty_partition(void **state)
{
	struct world w = { .now_ns = 1, .link = MB };
	struct policy p;

	(void)state;
	policy_init(&p, &defaults);
	assert_int_equal(sample(&p, &w), POLICY_DOWNTIME);
}

static void zero_pages(void **state)
{
	struct world w = { .left = 1000 * MB, .total = 1000 * MB, .link = 10 * MB,
			   .zero_share = 0.99, .now_ns = 1 };
	struct policy p;

	(void)state;
	policy_init(&p, &defaults);
	assert_int_equal(run(&p, &w, 60), POLICY_DOWNTIME);
	assert_true(w.left < 301 * MB);
	assert_true(w.now_ns < 2 * NSEC_PER_SEC);
}

static void never_converging_pass_limit(void **state)
{
	struct policy_params params = defaults;
	struct world w = { .left = 100 * MB, .total = 100 * MB, .link = 50 * MB,
			   .dirty = 200 * MB, .now_ns = 1 };
	struct policy p;

	(void)state;
	params.pass_limit = 4;
	policy_init(&p, &params);
	assert_int_equal(run(&p, &w, 1000), POLICY_PASSES);
	assert_int_equal(p.pass, 4);
	/* Four times the partition at 50 MB/s */
	assert_true(w.now_ns > 7 * NSEC_PER_SEC && w.now_ns < 9 * NSEC_PER_SEC);
	assert_true(p.dirty_rate > 40 * MB);
}

static void never_converging_timeout(void **state)
{
	struct policy_params params = defaults;
	struct world w = { .left = 100 * MB, .total = 100 * MB, .link = 50 * MB,
			   .dirty = 200 * MB, .now_ns = 1 };
	struct policy p;

	(void)state;
	params.pass_limit = 0;
	params.timeout_s = 20;
	policy_init(&p, &params);
	assert_int_equal(run(&p, &w, 1000), POLICY_TIMEOUT);
	assert_true(w.now_ns >= 20 * NSEC_PER_SEC && w.now_ns < 21 * NSEC_PER_SEC);
}

/* A time-out within the first pass waits for its end */
static void timeout_in_first_pass(void **state)
{
	struct policy_params params = defaults;
	struct world w = { .left = 1000 * MB, .total = 1000 * MB, .link = 50 * MB,
			   .dirty = 40 * MB, .now_ns = 1 };
	struct policy p;

	(void)state;
	params.timeout_s = 1;
	policy_init(&p, &params);
	assert_int_equal(run(&p, &w, 1000), POLICY_TIMEOUT);
	assert_true(w.sent >= 999 * MB);
}

static void nothing_for_ever(void **state)
{
	struct policy_params params = { .downtime_ms = 300 };
	struct world w = { .left = 100 * MB, .total = 100 * MB, .link = 50 * MB,
			   .dirty = 200 * MB, .now_ns = 1 };
	struct policy p;

	(void)state;
	policy_init(&p, &params);
	assert_int_equal(run(&p, &w, 3600), POLICY_WAIT);
}

static void manual(void **state)
{
	struct policy_params params = defaults;
	struct world w = { .left = 100 * MB, .total = 100 * MB, .link = 500 * MB,
			   .now_ns = 1 };
	struct policy p;

	(void)state;
	params.manual = true;
	policy_init(&p, &params);
	assert_int_equal(run(&p, &w, 600), POLICY_WAIT);
	w = (struct world) { .now_ns = 1 };
	policy_init(&p, &params);
	assert_int_equal(run(&p, &w, 10), POLICY_WAIT);
}

/* The link stalls: nothing is divided by zero, and nothing is decided */
static void stalled_link(void **state)
{
	struct world w = { .left = 100 * MB, .total = 100 * MB, .now_ns = 1 };
	struct policy p;

	(void)state;
	policy_init(&p, &defaults);
	assert_int_equal(run(&p, &w, 60), POLICY_WAIT);
	assert_int_equal(sample(&p, &w), POLICY_WAIT);
	assert_int_equal(p.pass, 0);
}

static void downtime_limit_counts(void **state)
{
	static const uint32_t limits[] = { 100, 500, 2000 };
	uint64_t before = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct policy_params params = defaults;
		struct world w = { .left = 4000 * MB, .total = 4000 * MB,
				   .link = 100 * MB, .dirty = 90 * MB, .now_ns = 1 };
		struct policy p;

		params.downtime_ms = limits[i];
		params.pass_limit = 0;
		params.timeout_s = 0;
		policy_init(&p, &params);
		assert_int_equal(run(&p, &w, 100000), POLICY_DOWNTIME);
		assert_true(w.left <= p.rate * limits[i] / 1000);
		assert_true(!before || w.now_ns < before);
		before = w.now_ns;
	}
}

static void reasons_have_texts(void **state)
{
	(void)state;
	for (int r = POLICY_WAIT; r <= POLICY_TIMEOUT; r++)
		assert_true(strlen(policy_reason_text((enum policy_reason)r)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converging),
		cmocka_unit_test(first_pass_comes_first),
		cmocka_unit_test(empty_partition),
		cmocka_unit_test(zero_pages),
		cmocka_unit_test(never_converging_pass_limit),
		cmocka_unit_test(never_converging_timeout),
		cmocka_unit_test(timeout_in_first_pass),
		cmocka_unit_test(nothing_for_ever),
		cmocka_unit_test(manual),
		cmocka_unit_test(stalled_link),
		cmocka_unit_test(downtime_limit_counts),
		cmocka_unit_test(reasons_have_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
