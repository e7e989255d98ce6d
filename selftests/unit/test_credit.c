// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credit, the order of a session's bytes, and the bandwidth limit.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/util.h"
#include "mspd/credit.h"
#include "mspd/limit.h"
#include "mspd/order.h"

#define CHARGE	8176

/* ---- credit ---- */

static void credit_costs(void **state)
{
	(void)state;
	assert_int_equal(credit_cost(CHARGE, 1), CHARGE);
	assert_int_equal(credit_cost(CHARGE, CHARGE), CHARGE);
	assert_int_equal(credit_cost(CHARGE, CHARGE + 1), 2 * CHARGE);
	assert_true(credit_cost(CHARGE, UINT32_MAX) >= UINT32_MAX);
	assert_int_equal(credit_cost(1, 77), 77);
}

static void credit_is_not_exceeded(void **state)
{
	struct credit c;

	(void)state;
	credit_init(&c, CHARGE, 3 * CHARGE);
	assert_int_equal(credit_room(&c), 3 * CHARGE);
	assert_int_equal(credit_take(&c, 1), 0);
	assert_int_equal(credit_room(&c), 2 * CHARGE);
	assert_int_equal(credit_take(&c, 2 * CHARGE + 1), -ENOBUFS);
	assert_int_equal(credit_room(&c), 2 * CHARGE);
	assert_int_equal(credit_take(&c, 2 * CHARGE), 0);
	assert_int_equal(credit_room(&c), 0);
	assert_int_equal(credit_take(&c, 1), -ENOBUFS);
}

static void credit_limits_never_shrink(void **state)
{
	struct credit c;

	(void)state;
	credit_init(&c, CHARGE, CHARGE);
	assert_int_equal(credit_grant(&c, CHARGE), 0);
	assert_int_equal(credit_grant(&c, CHARGE - 1), -EINVAL);
	assert_int_equal(credit_grant(&c, 5 * CHARGE), 0);
	assert_int_equal(credit_room(&c), 5 * CHARGE);
	/* A limit in the middle of a buffer is worth whole buffers only */
	assert_int_equal(credit_grant(&c, 5 * CHARGE + 100), 0);
	assert_int_equal(credit_room(&c), 5 * CHARGE);
}

/* Sender and receiver with a number of buffers: never a frame without a buffer */
static void credit_against_buffers(void **state)
{
	const uint32_t buffers = 16;
	uint32_t held[64];
	unsigned int frames = 0;
	uint32_t used = 0;
	struct credit c;
	uint64_t limit = (uint64_t)buffers * CHARGE;

	(void)state;
	srandom(2);
	credit_init(&c, CHARGE, limit);
	for (int i = 0; i < 100000; i++) {
		uint32_t length = (uint32_t)(random() % (3 * CHARGE)) + 1;

		if (random() & 1 && frames) {
			used -= held[--frames];
			limit += (uint64_t)held[frames] * CHARGE;
			assert_int_equal(credit_grant(&c, limit), 0);
		} else if (frames < ARRAY_SIZE(held) && !credit_take(&c, length)) {
			held[frames] = (length + CHARGE - 1) / CHARGE;
			used += held[frames++];
			assert_true(used <= buffers);
		}
	}
}

/* ---- order ---- */

static void order_in_sequence(void **state)
{
	struct order o;
	uint32_t token;

	(void)state;
	assert_int_equal(order_init(&o, 2), 0);
	for (uint64_t offset = 0; offset < 1000; offset += 10) {
		int64_t frame = order_begin(&o, offset, 10, (uint32_t)offset);

		assert_true(frame >= 0);
		assert_int_equal(order_end(&o), offset + 10);
		assert_false(order_pop(&o, &token));
		order_complete(&o, (uint32_t)frame);
		assert_true(order_pop(&o, &token));
		assert_int_equal(token, offset);
		assert_false(order_pop(&o, &token));
	}
	order_exit(&o);
}

static void order_refuses_overlap(void **state)
{
	struct order o;
	uint32_t token;
	int64_t frame;

	(void)state;
	assert_int_equal(order_init(&o, 8), 0);
	frame = order_begin(&o, 0, 100, 1);
	assert_true(order_begin(&o, 200, 100, 2) >= 0);
	assert_int_equal(order_begin(&o, 0, 1, 0), -EEXIST);
	assert_int_equal(order_begin(&o, 99, 1, 0), -EEXIST);
	assert_int_equal(order_begin(&o, 100, 101, 0), -EEXIST);
	assert_int_equal(order_begin(&o, 199, 2, 0), -EEXIST);
	assert_int_equal(order_begin(&o, 200, 100, 0), -EEXIST);
	assert_int_equal(order_begin(&o, 250, 500, 0), -EEXIST);
	assert_int_equal(order_begin(&o, 299, 1, 0), -EEXIST);
	assert_true(order_begin(&o, 100, 100, 3) >= 0);
	assert_true(order_begin(&o, 300, 1, 4) >= 0);
	order_complete(&o, (uint32_t)frame);
	assert_true(order_pop(&o, &token));
	assert_int_equal(order_begin(&o, 50, 10, 0), -EEXIST);
	order_exit(&o);
}

static void order_is_bounded(void **state)
{
	struct order o;

	(void)state;
	assert_int_equal(order_init(&o, 3), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(order_begin(&o, 1000 - i * 10, 5, i) >= 0);
	assert_int_equal(order_begin(&o, 0, 5, 9), -ENOSPC);
	assert_int_equal(order_grow(&o, 4), 0);
	assert_true(order_begin(&o, 0, 5, 9) >= 0);
	assert_int_equal(order_begin(&o, 500, 5, 9), -ENOSPC);
	order_exit(&o);
}

#define FRAMES	200

/* Frames begin in one random order and end in another: they come out in theirs */
static void order_permutations(void **state)
{
	uint64_t offset[FRAMES + 1];
	uint32_t begin[FRAMES], end[FRAMES];
	int64_t frame[FRAMES];
	struct order o;
	uint32_t token;

	(void)state;
	srandom(3);
	for (int round = 0; round < 300; round++) {
		uint32_t next = 0;

		offset[0] = 0;
		for (uint32_t i = 0; i < FRAMES; i++) {
			offset[i + 1] = offset[i] + 1 + (uint64_t)random() % 100000;
			begin[i] = i;
			end[i] = i;
		}
		for (uint32_t i = FRAMES - 1; i; i--) {
			uint32_t j = (uint32_t)random() % (i + 1);
			uint32_t k = (uint32_t)random() % (i + 1);
			uint32_t swap = begin[i];

			begin[i] = begin[j];
			begin[j] = swap;
			swap = end[i];
			end[i] = end[k];
			end[k] = swap;
		}
		assert_int_equal(order_init(&o, FRAMES), 0);
		for (uint32_t i = 0; i < FRAMES; i++) {
			uint32_t n = begin[i];

			frame[n] = order_begin(&o, offset[n],
					       (uint32_t)(offset[n + 1] - offset[n]), n);
			assert_true(frame[n] >= 0);
		}
		for (uint32_t i = 0; i < FRAMES; i++) {
			order_complete(&o, (uint32_t)frame[end[i]]);
			while (order_pop(&o, &token))
				assert_int_equal(token, next++);
		}
		assert_int_equal(next, FRAMES);
		assert_true(o.next == offset[FRAMES]);
		order_exit(&o);
	}
}

/* ---- limit ---- */

static void limit_none(void **state)
{
	struct limit l;

	(void)state;
	limit_set(&l, 0, 1000);
	limit_take(&l, 1ULL << 40);
	assert_true(!limit_wait_ns(&l, 1000));
	assert_true(limit_frame(&l) == UINT64_MAX);
}

static void limit_holds(void **state)
{
	static const uint64_t rates[] = { 1, 1000, 1000000, 25000000, 10000000000ULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		uint64_t seconds = rates[i] < 100000 ? 100000 : 10;
		uint64_t now = 5 * NSEC_PER_SEC;
		uint64_t end = now + seconds * NSEC_PER_SEC;
		uint64_t sent = 0;
		struct limit l;

		limit_set(&l, rates[i], now);
		while (now < end) {
			uint64_t wait = limit_wait_ns(&l, now);

			if (wait) {
				now += wait;
				continue;
			}
			limit_take(&l, limit_frame(&l));
			sent += limit_frame(&l);
		}
		/* Within a percent, and two frames at the ends */
		assert_true(sent <= rates[i] * seconds * 101 / 100 + 2 * limit_frame(&l));
		assert_true(sent + 2 * limit_frame(&l) >= rates[i] * seconds * 99 / 100);
	}
}

static void limit_does_not_save_up(void **state)
{
	uint64_t now = NSEC_PER_SEC;
	uint64_t sent = 0;
	struct limit l;

	(void)state;
	limit_set(&l, 1000000, now);
	now += 3600 * NSEC_PER_SEC;
	while (!limit_wait_ns(&l, now)) {
		limit_take(&l, 1000);
		sent += 1000;
	}
	assert_true(sent <= 1000000 / 50 + 1000);
}

static void limit_changes(void **state)
{
	uint64_t now = NSEC_PER_SEC;
	struct limit l;

	(void)state;
	limit_set(&l, 1, now);
	limit_take(&l, 1000000);
	assert_true(limit_wait_ns(&l, now) > 1000 * NSEC_PER_SEC);
	limit_set(&l, 0, now);
	assert_true(!limit_wait_ns(&l, now));
	limit_set(&l, INT64_MAX, now);
	assert_true(limit_wait_ns(&l, now) <= 1);
	now += NSEC_PER_SEC;
	assert_true(!limit_wait_ns(&l, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credit_costs),
		cmocka_unit_test(credit_is_not_exceeded),
		cmocka_unit_test(credit_limits_never_shrink),
		cmocka_unit_test(credit_against_buffers),
		cmocka_unit_test(order_in_sequence),
		cmocka_unit_test(order_refuses_overlap),
		cmocka_unit_test(order_is_bounded),
		cmocka_unit_test(order_permutations),
		cmocka_unit_test(limit_none),
		cmocka_unit_test(limit_holds),
		cmocka_unit_test(limit_does_not_save_up),
		cmocka_unit_test(limit_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
