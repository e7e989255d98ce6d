// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The home of a partition that is suspended, while it moves.  On the source it has the
 * state that the image had; on the target what arrives becomes an image.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "phyp/phypd/home_image.h"

/**
 * struct home_image - the home of a suspended partition
 * @home:	see home.h
 * @ops:	see struct home_image_ops
 * @state:	of the partition, or NULL: it is to arrive
 * @bytes:	of it
 * @stop_due:	the partition has to hear that nothing executes
 */
struct home_image {
	struct home home;
	const struct home_image_ops *ops;
	void *state;
	size_t bytes;
	bool stop_due;
};

static struct home_image *of(struct home *home)
{
	return container_of(home, struct home_image, home);
}

static void home_destroy(struct home *home)
{
	struct home_image *image = of(home);

	if (image->state)
		explicit_bzero(image->state, image->bytes);
	free(image->state);
	free(image);
}

static int home_start(struct home *home)
{
	(void)home;
	return -EPERM;
}

/* Whose it is now the partition's state says */
static void home_resume(struct home *home)
{
	(void)home;
}

static void home_stop(struct home *home)
{
	of(home)->stop_due = true;
	home->client->wake(home->ctx);
}

static void home_suspend(struct home *home, enum home_suspend how, uint64_t timeout_ms)
{
	(void)how;
	(void)timeout_ms;
	home_stop(home);
}

static bool home_executing(struct home *home)
{
	(void)home;
	return false;
}

static void home_poll(struct home *home)
{
	struct home_image *image = of(home);

	if (!image->stop_due)
		return;
	image->stop_due = false;
	home->client->stopped(home->ctx);
}

static long home_save(struct home *home, void *buf, size_t size)
{
	const struct home_image *image = of(home);

	if (!image->state)
		return -EBUSY;
	if (image->bytes > size)
		return -ENOSPC;
	memcpy(buf, image->state, image->bytes);
	return (long)image->bytes;
}

static int home_load(struct home *home, const void *buf, size_t size)
{
	struct home_image *image = of(home);
	void *state;
	int ret;

	if (image->state || !size)
		return -EINVAL;
	state = malloc(size);
	if (!state)
		return -ENOMEM;
	memcpy(state, buf, size);
	ret = image->ops->keep(home->ctx, state, size);
	if (!ret)
		return -EINPROGRESS;
	explicit_bzero(state, size);
	free(state);
	return ret;
}

static void home_pages_arrived(struct home *home, uint64_t first, uint64_t count)
{
	(void)home;
	(void)first;
	(void)count;
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
};

/**
 * home_image_create() - the home of a suspended partition
 * @state:	of the partition, the home's on success; or NULL: it is to arrive
 * @bytes:	of it
 * @image_ops:	see there
 * @client:	the partition
 * @ctx:	for @client and @image_ops
 * @home:	the new home
 *
 * Return: 0 or -ENOMEM.
 */
int home_image_create(void *state, size_t bytes, const struct home_image_ops *image_ops,
		      const struct home_client *client, void *ctx, struct home **home)
{
	struct home_image *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->home = (struct home) { &ops, client, ctx };
	new->ops = image_ops;
	new->state = state;
	new->bytes = bytes;
	*home = &new->home;
	return 0;
}
