// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/util.h"
#include "limit.h"

/* What may be saved up: 20 ms of the rate, so that timers need not be exact */
#define BURST_DIVISOR	50
#define MIN_FRAME	4096

static int64_t burst(const struct limit *limit)
{
	return (int64_t)max(limit->rate / BURST_DIVISOR, (uint64_t)MIN_FRAME);
}

/**
 * limit_set() - set or change the limit
 * @limit: the limit
 * @rate: bytes a second, at most INT64_MAX; 0 = none
 * @now_ns: time
 */
void limit_set(struct limit *limit, uint64_t rate, uint64_t now_ns)
{
	*limit = (struct limit) { .rate = rate, .last_ns = now_ns };
}

static void refill(struct limit *limit, uint64_t now_ns)
{
	uint64_t elapsed = now_ns - limit->last_ns;
	uint64_t most = (uint64_t)(burst(limit) - limit->tokens);
	unsigned __int128 earned;

	earned = (unsigned __int128)limit->rate * elapsed / NSEC_PER_SEC;
	if (!earned)
		return;		/* keep the time, or slow rates never earn */
	if (earned >= most)
		limit->tokens = burst(limit);
	else
		limit->tokens += (int64_t)earned;
	limit->last_ns = now_ns;
}

/**
 * limit_wait_ns() - how long to wait until something may be sent
 * @limit: the limit
 * @now_ns: time, not before that of an earlier call
 *
 * Return: nanoseconds; 0 = send.
 */
uint64_t limit_wait_ns(struct limit *limit, uint64_t now_ns)
{
	unsigned __int128 wait;

	if (!limit->rate)
		return 0;
	refill(limit, now_ns);
	if (limit->tokens > 0)
		return 0;
	wait = (unsigned __int128)(1 - limit->tokens) * NSEC_PER_SEC / limit->rate;
	return wait > UINT64_MAX / 2 ? UINT64_MAX / 2 : (uint64_t)wait + 1;
}

/**
 * limit_take() - something was sent
 * @limit: the limit
 * @bytes: how much
 */
void limit_take(struct limit *limit, uint64_t bytes)
{
	if (limit->rate)
		limit->tokens -= (int64_t)bytes;
}

/**
 * limit_frame() - the longest frame that keeps the flow even
 * @limit: the limit
 *
 * Return: bytes; UINT64_MAX without a limit.
 */
uint64_t limit_frame(const struct limit *limit)
{
	return limit->rate ? (uint64_t)burst(limit) : UINT64_MAX;
}
