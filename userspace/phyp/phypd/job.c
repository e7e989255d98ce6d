// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Long work in threads of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "phyp/phypd/job.h"

static void *job_main(void *arg)
{
	struct job *job = arg;
	int event_fd = job->jobs->event_fd;
	uint64_t one = 1;

	job->work(job);
	/* From here on the loop may free the job */
	atomic_store(&job->ended, true);
	while (write(event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

/* Collects what has ended, or with @all waits for the end of everything */
static void collect(struct jobs *jobs, bool all)
{
	struct job *job, *next;

	for (job = LIST_FIRST(&jobs->running); job; job = next) {
		next = LIST_NEXT(job, link);
		if (!all && !atomic_load(&job->ended))
			continue;
		pthread_join(job->thread, NULL);
		LIST_REMOVE(job, link);
		jobs->count--;
		job->done(job);
	}
}

static int on_event(sd_event_source *source, int fd, uint32_t revents,
		    void *data)
{
	uint64_t count;

	(void)source;
	(void)revents;
	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	collect(data, false);
	return 0;
}

/**
 * jobs_init() - prepare for jobs
 * @jobs:	filled in
 * @event:	loop that @done functions run in
 *
 * Return: 0 or a negative errno.
 */
int jobs_init(struct jobs *jobs, sd_event *event)
{
	int ret;

	LIST_INIT(&jobs->running);
	jobs->count = 0;
	jobs->cancelled = false;
	jobs->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (jobs->event_fd < 0)
		return -errno;
	ret = sd_event_add_io(event, &jobs->source, jobs->event_fd, EPOLLIN,
			      on_event, jobs);
	if (ret < 0) {
		close(jobs->event_fd);
		return ret;
	}
	return 0;
}

/**
 * jobs_exit() - cancel all jobs and wait for their end
 * @jobs:	unusable afterwards
 */
void jobs_exit(struct jobs *jobs)
{
	atomic_store(&jobs->cancelled, true);
	/* A job's end may start another one, which then ends at once */
	while (!LIST_EMPTY(&jobs->running))
		collect(jobs, true);
	sd_event_source_disable_unref(jobs->source);
	close(jobs->event_fd);
}

/**
 * job_start() - begin a job
 * @jobs:	jobs of the system
 * @job:	with @work and @done set; stays in place until @done ran
 *
 * Return: 0; -EAGAIN when JOBS_MAX are running, or no thread is left.
 */
int job_start(struct jobs *jobs, struct job *job)
{
	int ret;

	if (jobs->count >= JOBS_MAX)
		return -EAGAIN;
	job->jobs = jobs;
	atomic_store(&job->ended, false);
	ret = pthread_create(&job->thread, NULL, job_main, job);
	if (ret)
		return -ret;
	LIST_INSERT_HEAD(&jobs->running, job, link);
	jobs->count++;
	return 0;
}

/**
 * job_cancelled() - is the system going down?
 * @job:	a running job
 *
 * Context: any thread.
 */
bool job_cancelled(const struct job *job)
{
	return atomic_load_explicit(&job->jobs->cancelled,
				    memory_order_relaxed);
}
