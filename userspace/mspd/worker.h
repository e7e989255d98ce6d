/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: one thread, one io_uring, one event loop that never blocks but in
 * waiting for completions.  Devices, moves and connections belong to one
 * worker; other threads reach them through its mailbox.
 */
#ifndef _WORKER_H
#define _WORKER_H

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include "mailbox.h"

struct worker;

/**
 * struct ring_op - an operation of the ring under way; embedded in its owner
 * @complete:	called with the result; a new operation may be started from it
 *
 * Its address is the operation's user_data, the top 16 bits of which are zero
 * for user-space addresses; those of devices carry their tag there.
 */
struct ring_op {
	void (*complete)(struct ring_op *op, int res);
};

/**
 * struct timer - calls back once
 * @expire:	called at or after @at_ns; may set the timer again
 * @at_ns:	CLOCK_MONOTONIC
 * @set:	it is waited for
 */
struct timer {
	LIST_ENTRY(timer) link;
	void (*expire)(struct timer *timer);
	uint64_t at_ns;
	bool set;
};

/**
 * struct worker_task - something that runs in every turn of the loop
 * @reap:	takes completions (events of a device) and acts on them
 * @flush:	sends what was submitted in this turn
 */
struct worker_task {
	LIST_ENTRY(worker_task) link;
	void (*cqe)(struct worker_task *task, const struct io_uring_cqe *cqe);
	void (*reap)(struct worker_task *task);
	void (*flush)(struct worker_task *task);
	uint16_t tag;
};

struct worker {
	struct io_uring ring;
	struct mailbox mailbox;
	struct ring_op mail_op;
	uint64_t mail_count;
	LIST_HEAD(, timer) timers;
	LIST_HEAD(, worker_task) tasks;
	uint16_t next_tag;
	bool stop;
	pthread_t thread;
	pthread_mutex_t lock;		/* protects @started, with @ready */
	pthread_cond_t ready;
	int started;			/* 1: not yet; 0 or negative errno */
};

int worker_start(struct worker *w, unsigned int number);
void worker_stop(struct worker *w);

/* For what runs in the worker's thread */
struct io_uring_sqe *worker_sqe(struct worker *w, struct ring_op *op);
void worker_cancel_fd(struct worker *w, int fd);
void timer_set(struct worker *w, struct timer *timer, uint64_t at_ns);
void timer_clear(struct timer *timer);
void worker_add_task(struct worker *w, struct worker_task *task);
void worker_remove_task(struct worker_task *task);

#endif /* _WORKER_H */
