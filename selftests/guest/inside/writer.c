// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * writer SIZE [RATE]: writes SIZE bytes of memory over and over, page after page, RATE
 * bytes a second (0: as fast as it can).
 *
 * Unlike checker it looks at nothing, so it writes as much as the machine can.  Every
 * write changes the page.  Four times a second it says "write BYTES UPTIME", both from
 * the start on, once all of the memory has been written.
 */
#include <sys/mman.h>

#include "inside.h"

#define PAGE_BYTES	4096
#define WORDS		(PAGE_BYTES / sizeof(uint64_t))
/* Pages between two looks at the clock */
#define BATCH		16

static void write_page(uint64_t *page, uint64_t value)
{
	for (size_t i = 0; i < WORDS; i++)
		page[i] = value + i;
	/* The compiler is not to see that nobody reads it */
	__asm__ volatile("" : : "r"(page) : "memory");
}

static void work(uint64_t (*memory)[WORDS], uint64_t pages, uint64_t rate)
{
	int64_t interval = rate ? (int64_t)(BATCH * PAGE_BYTES * NSEC_PER_SEC / rate) : 0;
	int64_t due = now_ns(CLOCK_MONOTONIC), told = due, now;
	uint64_t written = 0;

	for (;;) {
		for (int i = 0; i < BATCH; i++, written++)
			write_page(memory[written % pages], ~written);
		now = now_ns(CLOCK_MONOTONIC);
		if (now - told >= NSEC_PER_SEC / 4) {
			say("write %llu %lld.%06lld",
			    (unsigned long long)written * PAGE_BYTES, now / NSEC_PER_SEC,
			    now % NSEC_PER_SEC / 1000);
			told = now;
		}
		/* What was missed is not made up for */
		due = due + interval > now ? due + interval : now;
		if (interval)
			sleep_until(due);
	}
}

int main(int argc, char **argv)
{
	uint64_t pages = argument(argc, argv, 1, 0) / PAGE_BYTES;
	uint64_t rate = argument(argc, argv, 2, 0);
	uint64_t (*memory)[WORDS];

	if (!pages) {
		say("FAIL: writer: no size");
		return 2;
	}
	end_when_told();
	memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		say("FAIL: writer: no memory");
		return 2;
	}
	for (uint64_t page = 0; page < pages; page++)
		write_page(memory[page], page + 1);
	work(memory, pages, rate);
	return 0;
}
