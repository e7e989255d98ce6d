/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long work (reserving, filling and hashing memory) in threads of its own, so
 * that the loop answers hcalls meanwhile.
 */
#ifndef _PHYPD_JOB_H
#define _PHYPD_JOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#define JOBS_MAX	32

struct job;

/**
 * struct jobs - the jobs of a system, and the way of their results to the loop
 */
struct jobs {
	sd_event_source *source;
	int event_fd;
	unsigned int count;
	_Atomic bool cancelled;
	LIST_HEAD(, job) running;
};

/**
 * struct job - one of them; embedded in its owner's structure
 * @work:	runs in a thread; touches only what the owner gave to the job, and
 *		looks at job_cancelled() now and then
 * @done:	runs in the loop afterwards and frees the owner's structure
 */
struct job {
	void (*work)(struct job *job);
	void (*done)(struct job *job);
	/* Of job.c */
	LIST_ENTRY(job) link;
	struct jobs *jobs;
	pthread_t thread;
	_Atomic bool ended;
};

int jobs_init(struct jobs *jobs, sd_event *event);
void jobs_exit(struct jobs *jobs);
int job_start(struct jobs *jobs, struct job *job);
bool job_cancelled(const struct job *job);

#endif /* _PHYPD_JOB_H */
