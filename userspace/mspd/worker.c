// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event loop: submit and wait, completions, events of the devices, timers,
 * flush.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "worker.h"

#define RING_ENTRIES	512
#define CQE_BATCH	64u
#define TAG_SHIFT	48
/* user_data of operations nobody waits for */
#define IGNORED		0

/**
 * worker_sqe() - an entry of the ring to be filled in
 * @w: the worker; its own thread
 * @op: whose completion is called; NULL: nobody cares
 *
 * io_uring_prep_*() of liburing 2.3 and later leaves user_data alone.
 *
 * Return: the entry, never NULL: a full submission queue is submitted.
 */
struct io_uring_sqe *worker_sqe(struct worker *w, struct ring_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);

	while (!sqe) {
		io_uring_submit(&w->ring);
		sqe = io_uring_get_sqe(&w->ring);
	}
	sqe->user_data = op ? (uint64_t)(uintptr_t)op : IGNORED;
	return sqe;
}

/**
 * worker_cancel_fd() - cancel everything that is under way on a descriptor
 * @w: the worker; its own thread
 * @fd: the descriptor; stays open until all completions are here
 */
void worker_cancel_fd(struct worker *w, int fd)
{
	struct io_uring_sqe *sqe = worker_sqe(w, NULL);

	io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
	/* Now: the descriptor may be closed before the loop submits again */
	io_uring_submit(&w->ring);
}

/**
 * timer_set() - call back at a time; a timer that is set is moved
 * @w: the worker; its own thread
 * @timer: the timer
 * @at_ns: CLOCK_MONOTONIC
 */
void timer_set(struct worker *w, struct timer *timer, uint64_t at_ns)
{
	if (!timer->set)
		LIST_INSERT_HEAD(&w->timers, timer, link);
	timer->set = true;
	timer->at_ns = at_ns;
}

/**
 * timer_clear() - do not call back; harmless when the timer is not set
 * @timer: the timer
 */
void timer_clear(struct timer *timer)
{
	if (timer->set)
		LIST_REMOVE(timer, link);
	timer->set = false;
}

/**
 * worker_add_task() - have something run in every turn
 * @w: the worker; its own thread
 * @task: gets a tag of its own, for its entries of the ring
 */
void worker_add_task(struct worker *w, struct worker_task *task)
{
	task->tag = ++w->next_tag ? w->next_tag : ++w->next_tag;
	LIST_INSERT_HEAD(&w->tasks, task, link);
}

/**
 * worker_remove_task() - the opposite; not from within the task
 * @task: the task
 */
void worker_remove_task(struct worker_task *task)
{
	LIST_REMOVE(task, link);
}

static void wait_for_mail(struct worker *w)
{
	struct io_uring_sqe *sqe = worker_sqe(w, &w->mail_op);

	io_uring_prep_read(sqe, w->mailbox.fd, &w->mail_count,
			   sizeof(w->mail_count), 0);
}

static void mail_arrived(struct ring_op *op, int res)
{
	struct worker *w = container_of(op, struct worker, mail_op);

	(void)res;
	mailbox_run(&w->mailbox);
	if (!w->stop)
		wait_for_mail(w);
}

static void run_timers(struct worker *w)
{
	uint64_t now = now_ns();
	struct timer *timer;
	bool again = true;

	/* A timer may set or clear others: look from the start after each */
	while (again) {
		again = false;
		LIST_FOREACH(timer, &w->timers, link) {
			if (timer->at_ns > now)
				continue;
			timer_clear(timer);
			timer->expire(timer);
			again = true;
			break;
		}
	}
}

static void wait_for_completions(struct worker *w)
{
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	struct timer *timer;
	uint64_t first = UINT64_MAX;
	uint64_t now;
	int ret;

	LIST_FOREACH(timer, &w->timers, link)
		first = min(first, timer->at_ns);
	if (first == UINT64_MAX) {
		ret = io_uring_submit_and_wait(&w->ring, 1);
	} else {
		now = now_ns();
		first = first > now ? first - now : 0;
		ts.tv_sec = (long long)(first / NSEC_PER_SEC);
		ts.tv_nsec = (long long)(first % NSEC_PER_SEC);
		ret = io_uring_submit_and_wait_timeout(&w->ring, &cqe, 1, &ts, NULL);
	}
	if (ret < 0 && ret != -ETIME && ret != -EINTR && ret != -EAGAIN &&
	    ret != -EBUSY)
		log_error("io_uring: %s", strerror(-ret));
}

static void complete(struct worker *w, const struct io_uring_cqe *cqe)
{
	uint16_t tag = (uint16_t)(cqe->user_data >> TAG_SHIFT);
	struct worker_task *task;
	struct ring_op *op;

	if (!tag) {
		op = (struct ring_op *)(uintptr_t)cqe->user_data;
		if (op)
			op->complete(op, cqe->res);
		return;
	}
	LIST_FOREACH(task, &w->tasks, link) {
		if (task->tag == tag) {
			task->cqe(task, cqe);
			return;
		}
	}
}

/*
 * All that are there.  What the kernel has put off, such as receives that wait for
 * data, it does only when it is asked for completions, and liburing asks only when
 * none are left: sockets that always have data would starve the others.
 */
static void take_completions(struct worker *w)
{
	struct io_uring_cqe *cqes[CQE_BATCH];
	struct io_uring_cqe copy;
	unsigned int left = io_uring_cq_ready(&w->ring);
	unsigned int count = 1;

	while (left && count) {
		count = io_uring_peek_batch_cqe(&w->ring, cqes, min(left, CQE_BATCH));
		for (unsigned int i = 0; i < count; i++) {
			copy = *cqes[i];
			io_uring_cqe_seen(&w->ring, cqes[i]);
			complete(w, &copy);
		}
		left -= count;
	}
}

static void run_tasks(struct worker *w)
{
	struct worker_task *task, *next;

	/* A task may be removed by what another one does: it says so through
	 * the mailbox, never from within a task.
	 */
	for (task = LIST_FIRST(&w->tasks); task; task = next) {
		next = LIST_NEXT(task, link);
		task->reap(task);
	}
	LIST_FOREACH(task, &w->tasks, link)
		task->flush(task);
}

static int make_ring(struct worker *w)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_CQSIZE,
		.cq_entries = 8 * RING_ENTRIES,
	};
	int ret;

	ret = io_uring_queue_init_params(RING_ENTRIES, &w->ring, &params);
	if (ret != -EINVAL)
		return ret;
	/* A kernel before 6.1 */
	params = (struct io_uring_params) {
		.flags = IORING_SETUP_CQSIZE,
		.cq_entries = 8 * RING_ENTRIES,
	};
	return io_uring_queue_init_params(RING_ENTRIES, &w->ring, &params);
}

static void *worker_main(void *data)
{
	struct worker *w = data;
	int ret = make_ring(w);

	pthread_mutex_lock(&w->lock);
	w->started = ret;
	pthread_cond_signal(&w->ready);
	pthread_mutex_unlock(&w->lock);
	if (ret < 0)
		return NULL;
	wait_for_mail(w);
	while (!w->stop) {
		wait_for_completions(w);
		take_completions(w);
		run_timers(w);
		run_tasks(w);
	}
	io_uring_queue_exit(&w->ring);
	return NULL;
}

/**
 * worker_start() - start a worker's thread
 * @w: the worker, zeroed
 * @number: for the thread's name
 *
 * Return: 0 or negative errno.
 */
int worker_start(struct worker *w, unsigned int number)
{
	char name[16];
	int ret;

	LIST_INIT(&w->timers);
	LIST_INIT(&w->tasks);
	w->mail_op.complete = mail_arrived;
	w->started = 1;
	ret = mailbox_init(&w->mailbox);
	if (ret)
		return ret;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->ready, NULL);
	ret = -pthread_create(&w->thread, NULL, worker_main, w);
	if (ret)
		goto err_exit_mailbox;
	snprintf(name, sizeof(name), "mspd-worker%u", number % 100);
	pthread_setname_np(w->thread, name);
	pthread_mutex_lock(&w->lock);
	while (w->started == 1)
		pthread_cond_wait(&w->ready, &w->lock);
	ret = w->started;
	pthread_mutex_unlock(&w->lock);
	if (ret < 0)
		goto err_join_thread;
	return 0;

err_join_thread:
	pthread_join(w->thread, NULL);
err_exit_mailbox:
	pthread_cond_destroy(&w->ready);
	pthread_mutex_destroy(&w->lock);
	mailbox_exit(&w->mailbox);
	return ret;
}

struct stop_mail {
	struct mail mail;
	struct worker *worker;
};

static void run_stop(struct mail *mail)
{
	container_of(mail, struct stop_mail, mail)->worker->stop = true;
}

/**
 * worker_stop() - end a worker that has nothing to do any more; waits for it
 * @w: the worker
 */
void worker_stop(struct worker *w)
{
	struct stop_mail stop = { .mail.run = run_stop, .worker = w };

	mailbox_post(&w->mailbox, &stop.mail);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->ready);
	pthread_mutex_destroy(&w->lock);
	mailbox_exit(&w->mailbox);
}
