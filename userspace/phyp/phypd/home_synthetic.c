// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The synthetic home, as a partition sees it: what its processors tell comes through
 * the loop, see home_poll().
 */
#include <errno.h>
#include <stdlib.h>

#include "common/util.h"
#include "phyp/phypd/home_synthetic.h"

struct home_synthetic {
	struct home home;
	struct synthetic *synthetic;
};

static struct synthetic *of(struct home *home)
{
	return container_of(home, struct home_synthetic, home)->synthetic;
}

/* ---- What the processors need; any thread ---- */

static bool processor_present(void *ctx, uint64_t offset)
{
	const struct home *home = ctx;

	return home->client->present(home->ctx, offset);
}

static void processor_mark(void *ctx, uint64_t offset, uint64_t length)
{
	const struct home *home = ctx;

	home->client->mark(home->ctx, offset, length);
}

static void processor_wake(void *ctx)
{
	const struct home *home = ctx;

	home->client->wake(home->ctx);
}

static const struct synthetic_ops processor_ops = {
	.present = processor_present,
	.mark	 = processor_mark,
	.wake	 = processor_wake,
};

/* ---- What the partition asks ---- */

static void home_destroy(struct home *home)
{
	synthetic_destroy(of(home));
	free(container_of(home, struct home_synthetic, home));
}

static int home_start(struct home *home)
{
	synthetic_reset(of(home));
	synthetic_start(of(home));
	return 0;
}

static void home_resume(struct home *home)
{
	synthetic_start(of(home));
}

static void home_suspend(struct home *home, enum home_suspend how, uint64_t timeout_ms)
{
	(void)how;
	(void)timeout_ms;
	synthetic_stop(of(home));
}

static void home_stop(struct home *home)
{
	synthetic_stop(of(home));
}

static bool home_executing(struct home *home)
{
	return synthetic_executing(of(home));
}

static void home_poll(struct home *home)
{
	uint64_t demands[SYNTHETIC_MAX_PROCESSORS];
	unsigned int count, events;

	events = synthetic_take_events(of(home), demands, &count);
	for (unsigned int i = 0; i < count; i++)
		home->client->demand(home->ctx, demands[i]);
	if (events & SYNTHETIC_STOPPED)
		home->client->stopped(home->ctx);
}

static long home_save(struct home *home, void *buf, size_t size)
{
	return synthetic_save(of(home), buf, size);
}

static int home_load(struct home *home, const void *buf, size_t size)
{
	return synthetic_load(of(home), buf, size);
}

static void home_pages_arrived(struct home *home, uint64_t first, uint64_t count)
{
	(void)first;
	(void)count;
	synthetic_pages_arrived(of(home));
}

static void home_stats(struct home *home, struct home_stats *stats)
{
	synthetic_stats(of(home), stats);
}

static const struct home_ops ops = {
	.destroy	= home_destroy,
	.start		= home_start,
	.resume		= home_resume,
	.suspend	= home_suspend,
	.stop		= home_stop,
	.executing	= home_executing,
	.poll		= home_poll,
	.save		= home_save,
	.load		= home_load,
	.pages_arrived	= home_pages_arrived,
	.stats		= home_stats,
};

/**
 * home_synthetic_create() - processors of a synthetic program; they stand still
 * @program:	copied
 * @memory:	the partition's
 * @granule:	bytes of a page
 * @client:	the partition
 * @ctx:	for @client
 * @home:	the new home
 *
 * Return: as synthetic_create().
 */
int home_synthetic_create(const struct program *program, const struct memory *memory,
			  uint32_t granule, const struct home_client *client, void *ctx,
			  struct home **home)
{
	struct home_synthetic *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->home.ops = &ops;
	new->home.client = client;
	new->home.ctx = ctx;
	ret = synthetic_create(program, memory->base, memory->bytes, granule,
			       &processor_ops, &new->home, &new->synthetic);
	if (ret) {
		free(new);
		return ret;
	}
	*home = &new->home;
	return 0;
}
