// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * checker [SIZE [RATE [SEED]]]: writes to SIZE bytes of memory, RATE bytes a second
 * (0: as fast as it can), and finds what is not as it was written.
 *
 * Every 8 bytes of a page depend on the seed, on where they are, and on how often the
 * page was written: a page that is lost, stale, of another place, or torn is seen.  A page is
 * read completely before it is written again.  Half of the pages come in an order that
 * meets each of them, the others at random from a sixteenth, which stays hot.
 *
 * About once a second it says "check COUNT ok", COUNT pages so far, or "check COUNT bad
 * N"; the first bad ones have lines that begin with "FAIL: check:".  On SIGTERM it reads
 * everything once more and says "check end COUNT ok".  The exit status is 1 if anything
 * was bad.
 */
#include <stdbool.h>
#include <sys/mman.h>

#include "inside.h"

#define PAGE_BYTES	4096
#define WORDS		(PAGE_BYTES / sizeof(uint64_t))
#define STRIDE		0x9e3779b97f4a7c15ULL
#define HOT_PART	16
#define TOLD_MAX	20
/* Pages between two looks at the clock */
#define BATCH		16

struct checker {
	uint64_t (*memory)[WORDS];
	uint32_t *generation;
	uint64_t pages;
	uint64_t seed;
	uint64_t random;
	uint64_t order;
	uint64_t step;
	uint64_t checked;
	uint64_t bad;
};

static volatile sig_atomic_t told_to_end;

static void end(int number)
{
	(void)number;
	told_to_end = 1;
}

static uint64_t first_word(const struct checker *c, uint64_t page)
{
	return mix(c->seed ^ mix(page) ^ (uint64_t)c->generation[page] << 32);
}

static void write_page(struct checker *c, uint64_t page)
{
	uint64_t word = first_word(c, page);

	for (size_t i = 0; i < WORDS; i++, word += STRIDE)
		c->memory[page][i] = word;
}

static void tell(struct checker *c, uint64_t page, size_t i, uint64_t wanted)
{
	if (c->bad++ < TOLD_MAX)
		say("FAIL: check: CORRUPT at page %llu (%p), word %zu: %016llx, not %016llx, generation %u",
		    (unsigned long long)page, (void *)&c->memory[page][i], i,
		    (unsigned long long)c->memory[page][i], (unsigned long long)wanted,
		    c->generation[page]);
}

static void read_page(struct checker *c, uint64_t page)
{
	uint64_t word = first_word(c, page);

	for (size_t i = 0; i < WORDS; i++, word += STRIDE)
		if (c->memory[page][i] != word) {
			tell(c, page, i, word);
			break;
		}
	c->checked++;
}

/* Every other one in the order of a generator whose period is a power of 2 */
static uint64_t next_page(struct checker *c)
{
	uint64_t mask = 1, hot = c->pages / HOT_PART + 1;

	c->random = mix(c->random + STRIDE);
	if (++c->step & 1)
		return c->random % hot;
	while (mask < c->pages)
		mask <<= 1;
	do
		c->order = c->order * 5 + 3;
	while ((c->order & (mask - 1)) >= c->pages);
	return c->order & (mask - 1);
}

static void summary(const struct checker *c, const char *what)
{
	if (c->bad)
		say("check %s%llu bad %llu", what, (unsigned long long)c->checked,
		    (unsigned long long)c->bad);
	else
		say("check %s%llu ok", what, (unsigned long long)c->checked);
}

static void work(struct checker *c, uint64_t rate)
{
	int64_t due = now_ns(CLOCK_MONOTONIC), told = due, now;
	int64_t interval = rate ? (int64_t)(BATCH * PAGE_BYTES * NSEC_PER_SEC / rate) : 0;

	while (!told_to_end) {
		for (int i = 0; i < BATCH; i++) {
			uint64_t page = next_page(c);

			read_page(c, page);
			c->generation[page]++;
			write_page(c, page);
		}
		now = now_ns(CLOCK_MONOTONIC);
		if (now - told >= NSEC_PER_SEC) {
			summary(c, "");
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
	uint64_t size = argument(argc, argv, 1, 16 << 20);
	uint64_t rate = argument(argc, argv, 2, 0);
	struct checker c = { .seed = argument(argc, argv, 3, 1), .pages = size / PAGE_BYTES };
	struct sigaction action = { .sa_handler = end };

	sigaction(SIGTERM, &action, NULL);
	c.memory = mmap(NULL, c.pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	c.generation = calloc(c.pages, sizeof(*c.generation));
	if (!c.pages || c.memory == MAP_FAILED || !c.generation) {
		say("FAIL: check: no memory");
		return 2;
	}
	for (uint64_t page = 0; page < c.pages; page++)
		write_page(&c, page);
	say("check filled %llu pages at %p", (unsigned long long)c.pages, (void *)c.memory);
	work(&c, rate);
	for (uint64_t page = 0; page < c.pages; page++)
		read_page(&c, page);
	summary(&c, "end ");
	free(c.generation);
	return c.bad ? 1 : 0;
}
