// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "donor.h"

/*
 * How often the platform is asked at most whether there is something to do now, all
 * sessions together.  One that it left alone is kicked when there is; asking is for
 * what nobody tells, such as pages that were written.
 */
#define ASK_NS		(250 * NSEC_PER_USEC)

struct donor_thread {
	struct donor_pool *pool;
	unsigned int number;
	pthread_t thread;
};

struct donor_pool {
	pthread_mutex_t lock;	/* protects @entries, their state, and @stop */
	pthread_cond_t work;
	TAILQ_HEAD(, donor_entry) entries;	/* next in turn first */
	unsigned int count;			/* of them */
	bool stop;
	unsigned int nthreads;
	struct donor_thread *threads;
};

/* How long the platform wants to be left alone; 0 for what is not a LongBusy */
static uint64_t long_busy_ns(int64_t rc)
{
	uint64_t ns = NSEC_PER_MSEC;

	if (rc < VASI_RC_LONG_BUSY_1_MSEC || rc > VASI_RC_LONG_BUSY_100_SEC)
		return 0;
	while (rc-- > VASI_RC_LONG_BUSY_1_MSEC)
		ns *= 10;
	return ns;
}

/* The next entry that may be called; *when: time of the first one otherwise */
static struct donor_entry *pick(struct donor_pool *pool, uint64_t now, uint64_t *when)
{
	struct donor_entry *entry;

	*when = UINT64_MAX;
	TAILQ_FOREACH(entry, &pool->entries, link) {
		if (entry->busy || entry->done || entry->removing)
			continue;
		if (entry->next_ns <= now)
			return entry;
		*when = min(*when, entry->next_ns);
	}
	return NULL;
}

/* Called with the lock held */
static void wait_for_work(struct donor_pool *pool, uint64_t when)
{
	struct timespec ts = {
		.tv_sec = (time_t)(when / NSEC_PER_SEC),
		.tv_nsec = (long)(when % NSEC_PER_SEC),
	};

	if (when == UINT64_MAX)
		pthread_cond_wait(&pool->work, &pool->lock);
	else
		pthread_cond_timedwait(&pool->work, &pool->lock, &ts);
}

/* What the result of a call means for the next one; with the lock held */
static void take_result(struct donor_pool *pool, struct donor_entry *entry, int64_t rc)
{
	uint64_t pause = long_busy_ns(rc);

	if (pause)
		pause = max(pause, pool->count * ASK_NS);
	if (rc == VASI_RC_IN_PROGRESS || rc == VASI_RC_BUSY) {
		entry->next_ns = 0;
	} else if (pause) {
		/* Something was submitted during the call: look again at once */
		entry->next_ns = entry->kicked ? 0 : now_ns() + pause;
	} else {
		entry->done = true;
		entry->result = rc;
		if (!entry->removing)
			mailbox_post(entry->mailbox, &entry->stopped);
	}
	entry->kicked = false;
}

/* With the lock held; the entry may be gone afterwards */
static void finish_removal(struct donor_pool *pool, struct donor_entry *entry)
{
	TAILQ_REMOVE(&pool->entries, entry, link);
	pool->count--;
	mailbox_post(entry->mailbox, &entry->removed);
}

/* One call; the lock is dropped around it */
static void serve(struct donor_thread *t, struct donor_entry *entry)
{
	struct donor_pool *pool = t->pool;
	struct vasi_donor *handle = entry->device->handles[t->number];
	bool ask = entry->ask_state;
	int64_t state = 0;
	int64_t rc;

	entry->busy = true;
	entry->kicked = false;
	entry->ask_state = false;
	TAILQ_REMOVE(&pool->entries, entry, link);
	TAILQ_INSERT_TAIL(&pool->entries, entry, link);
	pthread_mutex_unlock(&pool->lock);
	if (ask)
		state = vasi_stream_state(handle, entry->stream_id);
	rc = vasi_donate(handle, entry->session);
	pthread_mutex_lock(&pool->lock);
	entry->busy = false;
	entry->calls++;
	if (ask && !entry->removing) {
		entry->state = state;
		mailbox_post(entry->mailbox, &entry->state_known);
	}
	take_result(pool, entry, rc);
	if (entry->removing)
		finish_removal(pool, entry);
}

static void *donor_main(void *data)
{
	struct donor_thread *t = data;
	struct donor_pool *pool = t->pool;
	struct donor_entry *entry;
	uint64_t when;

	pthread_mutex_lock(&pool->lock);
	while (!pool->stop) {
		entry = pick(pool, now_ns(), &when);
		if (entry)
			serve(t, entry);
		else
			wait_for_work(pool, when);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void stop_threads(struct donor_pool *pool, unsigned int count)
{
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(pool->threads[i].thread, NULL);
}

static void init_sync(struct donor_pool *pool)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&pool->lock, NULL);
}

/**
 * donor_pool_new() - start the donor threads
 * @threads: how many, at least one
 * @pool: result
 *
 * Return: 0 or negative errno.
 */
int donor_pool_new(unsigned int threads, struct donor_pool **pool)
{
	struct donor_pool *p = calloc(1, sizeof(*p));
	char name[16];
	unsigned int i;
	int ret;

	if (!p)
		return -ENOMEM;
	p->threads = calloc(threads, sizeof(*p->threads));
	if (!p->threads) {
		free(p);
		return -ENOMEM;
	}
	TAILQ_INIT(&p->entries);
	p->nthreads = threads;
	init_sync(p);
	for (i = 0; i < threads; i++) {
		p->threads[i] = (struct donor_thread) { .pool = p, .number = i };
		ret = -pthread_create(&p->threads[i].thread, NULL, donor_main,
				      &p->threads[i]);
		if (ret)
			goto err_stop_threads;
		snprintf(name, sizeof(name), "mspd-donor%u", i % 1000);
		pthread_setname_np(p->threads[i].thread, name);
	}
	*pool = p;
	return 0;

err_stop_threads:
	stop_threads(p, i);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
	return ret;
}

/**
 * donor_pool_free() - end the donor threads; waits for calls under way
 * @pool: has no entries any more
 */
void donor_pool_free(struct donor_pool *pool)
{
	if (!pool)
		return;
	stop_threads(pool, pool->nthreads);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool->threads);
	free(pool);
}

/**
 * donor_pool_threads() - how many donors there are
 * @pool: the pool
 */
unsigned int donor_pool_threads(const struct donor_pool *pool)
{
	return pool->nthreads;
}

/**
 * donor_device_open() - prepare donating to a device
 * @pool: the pool
 * @dev: the device, not in use by another thread at the moment
 * @device: result
 *
 * Context: may block as vasi_donor_open() does.
 * Return: 0 or negative errno.
 */
int donor_device_open(struct donor_pool *pool, struct vasi_device *dev,
		      struct donor_device **device)
{
	struct donor_device *d = calloc(1, sizeof(*d));
	int ret = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->pool = pool;
	d->handles = calloc(pool->nthreads, sizeof(*d->handles));
	if (!d->handles)
		goto err_close;
	for (unsigned int i = 0; i < pool->nthreads; i++) {
		ret = vasi_donor_open(dev, &d->handles[i]);
		if (ret)
			goto err_close;
	}
	*device = d;
	return 0;

err_close:
	donor_device_close(d);
	return ret;
}

/**
 * donor_device_close() - the opposite
 * @device: no entry uses it any more; NULL is allowed
 */
void donor_device_close(struct donor_device *device)
{
	if (!device)
		return;
	for (unsigned int i = 0; device->handles && i < device->pool->nthreads; i++) {
		if (device->handles[i])
			vasi_donor_close(device->handles[i]);
	}
	free(device->handles);
	free(device);
}

/**
 * donor_add() - donate to a session from now on
 * @entry: its device, session, stream id, mailbox and mails are set; the rest is
 *	zero
 */
void donor_add(struct donor_entry *entry)
{
	struct donor_pool *pool = entry->device->pool;

	entry->in_pool = true;
	pthread_mutex_lock(&pool->lock);
	TAILQ_INSERT_TAIL(&pool->entries, entry, link);
	pool->count++;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

/**
 * donor_kick() - there is something to do: do not wait out a LongBusy
 * @entry: in the pool or not
 */
void donor_kick(struct donor_entry *entry)
{
	struct donor_pool *pool;

	if (!entry->in_pool)
		return;
	pool = entry->device->pool;
	pthread_mutex_lock(&pool->lock);
	entry->kicked = true;
	if (!entry->busy && !entry->done && entry->next_ns) {
		entry->next_ns = 0;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
}

/**
 * donor_remove() - donate no more; @entry->removed is posted when no thread uses
 * the session any more
 * @entry: in the pool; once
 */
void donor_remove(struct donor_entry *entry)
{
	struct donor_pool *pool = entry->device->pool;

	pthread_mutex_lock(&pool->lock);
	entry->removing = true;
	if (!entry->busy)
		finish_removal(pool, entry);
	pthread_mutex_unlock(&pool->lock);
}
