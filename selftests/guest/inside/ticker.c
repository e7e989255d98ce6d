// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ticker [MS]: says "tick N UPTIME REALTIME" every MS milliseconds (20).
 *
 * N has no gaps.  The times are those of CLOCK_MONOTONIC and CLOCK_REALTIME; the line is
 * due at multiples of MS since the start.  What was missed, because the partition did
 * not run, is not made up for: the times show it.
 */
#include "inside.h"

int main(int argc, char **argv)
{
	int64_t interval = (int64_t)argument(argc, argv, 1, 20) * 1000000;
	int64_t due = now_ns(CLOCK_MONOTONIC), up, real;
	uint64_t number = 0;

	if (interval <= 0) {
		say("FAIL: ticker: no interval");
		return 2;
	}
	end_when_told();
	for (;;) {
		sleep_until(due);
		up = now_ns(CLOCK_MONOTONIC);
		real = now_ns(CLOCK_REALTIME);
		say("tick %llu %lld.%06lld %lld.%06lld", (unsigned long long)number++,
		    up / NSEC_PER_SEC, up % NSEC_PER_SEC / 1000,
		    real / NSEC_PER_SEC, real % NSEC_PER_SEC / 1000);
		up = now_ns(CLOCK_MONOTONIC);
		due += up >= due ? ((up - due) / interval + 1) * interval : interval;
	}
}
