// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Serves the userfaultfd over a guest's memory.
 *
 * A page becomes visible to the guest by UFFDIO_CONTINUE (it is in the file, whole) or
 * UFFDIO_ZEROPAGE (it is a hole and was never written), both of which also wake who
 * waits.  Two threads do that: the one here for pages that are present when they are
 * touched, and the loop for pages that arrive.  Who comes second finds the page mapped.
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/util.h"
#include "phyp/phypd/pager.h"

#define PAGE_BYTES	4096ULL
#define DEMANDS		1024	/* not taken yet; more than processors wait for */
#define EVENTS		32	/* read at a time */

/**
 * struct pager - the faults of one guest
 * @uffd:	of QEMU's mapping
 * @stop_fd:	eventfd: end
 * @base:	address of the memory in QEMU
 * @bytes:	of it
 * @ops:	see there
 * @ctx:	of @ops
 * @thread:	serves
 * @lock:	of the demands
 * @demand:	offsets of pages that somebody waits for
 * @demands:	how many
 * @faults:	so far
 * @missing:	so far
 */
struct pager {
	int uffd;
	int stop_fd;
	uint64_t base;
	uint64_t bytes;
	const struct pager_ops *ops;
	void *ctx;
	pthread_t thread;
	pthread_mutex_t lock;
	uint64_t demand[DEMANDS];
	unsigned int demands;
	_Atomic uint64_t faults;
	_Atomic uint64_t missing;
};

static void wake(const struct pager *p, uint64_t offset)
{
	struct uffdio_range range = { p->base + offset, PAGE_BYTES };

	ioctl(p->uffd, UFFDIO_WAKE, &range);
}

/* The page in front is a hole, is mapped already, or cannot be had now */
static void fill_one(const struct pager *p, uint64_t offset, int error)
{
	struct uffdio_zeropage zero = { .range = { p->base + offset, PAGE_BYTES } };

	if (error == EFAULT && !ioctl(p->uffd, UFFDIO_ZEROPAGE, &zero))
		return;
	/* Who waits looks again: there is no fault, or there is a new one */
	wake(p, offset);
}

/**
 * pager_fill() - let the guest see pages that are present
 * @p:		pager
 * @offset:	of the first
 * @bytes:	of all
 *
 * Context: any thread; wakes who waits for one of them.
 */
void pager_fill(struct pager *p, uint64_t offset, uint64_t bytes)
{
	uint64_t end = offset + bytes;

	while (offset < end) {
		struct uffdio_continue range = {
			.range = { p->base + offset, end - offset },
		};
		int error = ioctl(p->uffd, UFFDIO_CONTINUE, &range) ? errno : 0;

		if (range.mapped > 0) {
			offset += (uint64_t)range.mapped;
			continue;
		}
		/* Mappings change under it: once more */
		if (error == EAGAIN)
			continue;
		fill_one(p, offset, error);
		offset += PAGE_BYTES;
	}
}

/* When there are too many it waits for what arrives anyway, only later */
static void put_demand(struct pager *p, uint64_t offset)
{
	pthread_mutex_lock(&p->lock);
	if (p->demands < DEMANDS)
		p->demand[p->demands++] = offset;
	pthread_mutex_unlock(&p->lock);
	p->ops->wake(p->ctx);
}

static void serve(struct pager *p, const struct uffd_msg *msg)
{
	uint64_t offset = (msg->arg.pagefault.address & ~(PAGE_BYTES - 1)) - p->base;

	if (msg->event != UFFD_EVENT_PAGEFAULT || offset >= p->bytes)
		return;
	p->faults++;
	if (p->ops->present(p->ctx, offset)) {
		pager_fill(p, offset, PAGE_BYTES);
		return;
	}
	p->missing++;
	put_demand(p, offset);
}

static void *serve_all(void *arg)
{
	struct pager *p = arg;
	struct pollfd fds[] = { { p->uffd, POLLIN, 0 }, { p->stop_fd, POLLIN, 0 } };
	struct uffd_msg msgs[EVENTS];

	while (!fds[1].revents) {
		ssize_t got;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		got = read(p->uffd, msgs, sizeof(msgs));
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(msgs[0]); i++)
			serve(p, &msgs[i]);
		/* QEMU is gone */
		if (fds[0].revents & POLLERR || !got)
			break;
	}
	return NULL;
}

/**
 * pager_start() - serve a userfaultfd
 * @uffd:	registered for missing and minor faults, non-blocking; the pager's from
 *		the call on
 * @base:	address of the memory in the process that has it
 * @bytes:	of it
 * @ops:	see struct pager_ops
 * @ctx:	for @ops
 * @pager:	on success
 *
 * Return: 0 or a negative errno.
 */
int pager_start(int uffd, uint64_t base, uint64_t bytes, const struct pager_ops *ops,
		void *ctx, struct pager **pager)
{
	struct pager *new = calloc(1, sizeof(*new));
	int ret = -ENOMEM;

	if (!new)
		goto err_close;
	new->uffd = uffd;
	new->base = base;
	new->bytes = bytes;
	new->ops = ops;
	new->ctx = ctx;
	new->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (new->stop_fd < 0) {
		ret = -errno;
		goto err_free;
	}
	pthread_mutex_init(&new->lock, NULL);
	ret = -pthread_create(&new->thread, NULL, serve_all, new);
	if (ret)
		goto err_close_stop;
	*pager = new;
	return 0;

err_close_stop:
	pthread_mutex_destroy(&new->lock);
	close(new->stop_fd);
err_free:
	free(new);
err_close:
	close(uffd);
	return ret;
}

/**
 * pager_take_demands() - pages that somebody waits for
 * @p:		pager
 * @offsets:	filled in
 * @most:	room there
 *
 * Return: how many there are; they are told once.
 */
unsigned int pager_take_demands(struct pager *p, uint64_t *offsets, unsigned int most)
{
	unsigned int n;

	pthread_mutex_lock(&p->lock);
	n = min(p->demands, most);
	for (unsigned int i = 0; i < n; i++)
		offsets[i] = p->demand[--p->demands];
	pthread_mutex_unlock(&p->lock);
	return n;
}

/**
 * pager_stats() - what it has done
 * @p:		pager
 * @stats:	filled in
 */
void pager_stats(struct pager *p, struct pager_stats *stats)
{
	stats->faults = p->faults;
	stats->missing = p->missing;
}

/**
 * pager_end() - every page is there, or the guest is gone
 * @p:		may be NULL
 *
 * Takes the registration away, which wakes everybody.
 *
 * Return: NULL.
 */
struct pager *pager_end(struct pager *p)
{
	struct uffdio_range all;
	uint64_t one = 1;

	if (!p)
		return NULL;
	all = (struct uffdio_range) { p->base, p->bytes };
	while (write(p->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(p->thread, NULL);
	ioctl(p->uffd, UFFDIO_UNREGISTER, &all);
	close(p->uffd);
	close(p->stop_fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}
