// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a move was like, as both platforms know it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/util.h"
#include "hmc/console.h"

static double ms(int64_t ns)
{
	return (double)ns / (double)NSEC_PER_MSEC;
}

static void report_demands(const json_t *target)
{
	const json_t *waits = json_object_get(target, "demand_us");

	printf("pages that the partition had to wait for on the target: %" PRId64,
	       number_of(target, "demanded"));
	if (number_of(target, "demanded"))
		printf("; half of them for at most %.1f ms, 99 of 100 for %.1f ms, the longest for %.1f ms",
		       (double)number_of(waits, "p50") / 1000,
		       (double)number_of(waits, "p99") / 1000,
		       (double)number_of(waits, "max") / 1000);
	putchar('\n');
}

/**
 * report_move() - tell the user what a move was like
 * @plan:	a migration that is Completed; its streams are still there
 * @source:	stream.show of the source
 *
 * All times are differences of the source's clock.  The source hears of Resumed after
 * the partition goes on: so long it was not executed, at most.
 */
void report_move(const struct plan *plan, const json_t *source)
{
	int64_t created = number_of(source, "created_ns");
	/* One that is suspended before and afterwards has no Resumed */
	int64_t suspended = number_of(source, "resumed_ns") ?
			    number_of(source, "suspended_ns") : 0;
	struct rpc_error err;
	json_t *target;

	printf("memory was sent in %" PRId64 " passes: %" PRId64 " pages (%" PRId64
	       " of them zero, %" PRId64 " again), %" PRId64 " bytes\n",
	       number_of(source, "passes"), number_of(source, "pages"),
	       number_of(source, "zero_pages"), number_of(source, "resent"),
	       number_of(source, "bytes"));
	printf("it took %.0f ms", ms(number_of(source, "completed_ns") - created));
	if (suspended)
		printf("; the partition was not executed for at most %.1f ms of them",
		       ms(number_of(source, "resumed_ns") - suspended));
	putchar('\n');
	if (show_stream(plan->target, plan->id, &target, &err) || !target)
		return;
	if (!plan->suspended)
		report_demands(target);
	json_decref(target);
}
