// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is asked of a partition's memory while nobody writes it: its digest, and
 * how much of it differs from a file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/partition.h"
#include "phyp/phypd/stream.h"

struct memory_job {
	struct job job;
	struct partition *p;
	struct rpc_request *req;
	uint64_t executions;
	int fd;				/* to compare with; -1: digest */
	void *state;
	long state_bytes;
	uint8_t digest[DIGEST_BYTES];
	uint64_t differing;
	int ret;
	char error[MEMORY_ERROR_BYTES];
};

static void memory_work(struct job *job)
{
	struct memory_job *m = container_of(job, struct memory_job, job);
	const struct memory *memory = &m->p->memory;

	if (m->fd >= 0) {
		m->ret = content_compare(memory, m->p->granule, m->fd, job,
					 &m->differing, m->error);
		return;
	}
	m->ret = memory_digest(memory, m->state, (size_t)m->state_bytes, job,
			       m->digest);
	if (m->ret)
		strcpy(m->error, strerror(-m->ret));
}

static json_t *digest_json(const uint8_t digest[DIGEST_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * DIGEST_BYTES + 1];

	for (unsigned int i = 0; i < DIGEST_BYTES; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	text[2 * DIGEST_BYTES] = '\0';
	return json_pack("{s:s}", "digest", text);
}

static void memory_done(struct job *job)
{
	struct memory_job *m = container_of(job, struct memory_job, job);
	struct partition *p = m->p;

	p->jobs--;
	if (m->ret)
		rpc_fail(m->req, RPC_FAILED, "partition %s: %s", p->name,
			 m->ret == -ECANCELED ? "the system is going down" :
			 m->error);
	else if (m->executions != p->executions)
		rpc_fail(m->req, RPC_STATE, "partition %s began to execute meanwhile",
			 p->name);
	else if (m->fd >= 0)
		rpc_reply(m->req, json_pack("{s:o}", "differing",
					    rpc_json_u64(m->differing)));
	else
		rpc_reply(m->req, digest_json(m->digest));
	if (m->fd >= 0)
		close(m->fd);
	free(m->state);
	free(m);
	/* Somebody may have waited for the memory */
	if (p->drop)
		partition_wake(p);
}

static bool executing(const struct partition *p)
{
	/* A guest that is still being saved goes on as soon as that is over */
	return p->state == PARTITION_STARTING ||
	       (p->guest && p->state == PARTITION_RUNNING) ||
	       (p->home && p->home->ops->executing(p->home));
}

/* Is all of the memory here, and does nobody write it? */
static bool is_still(struct partition *p, struct rpc_request *req)
{
	const char *why = NULL;

	if (p->state == PARTITION_MAKING || p->state == PARTITION_LEAVING ||
	    p->drop)
		why = "its memory is being worked on";
	else if (p->imaged || hibernate_is_image(p))
		why = "it is suspended, its image has its memory";
	else if (p->state == PARTITION_MOVED)
		why = "it has moved, this memory is no longer its own";
	else if (executing(p) || p->stopping != STOP_NONE)
		why = "it is executing";
	else if (p->stream && stream_is_arriving(p->stream) &&
		 !phyp_stream_is_held(p->stream->phyp))
		why = "pages of it have not arrived yet";
	if (why)
		rpc_fail(req, RPC_STATE, "partition %s is %s: %s", p->name,
			 partition_state_name(p), why);
	return !why;
}

static void start_memory_job(struct partition *p, int fd,
			     struct rpc_request *req)
{
	struct memory_job *m = calloc(1, sizeof(*m));

	if (!m)
		goto err_fail;
	m->p = p;
	m->req = req;
	m->executions = p->executions;
	m->fd = fd;
	m->job.work = memory_work;
	m->job.done = memory_done;
	m->state = malloc(PHYP_MAX_CPU_STATE);
	if (!m->state)
		goto err_free;
	/* What a guest saves differs each time: its digest is of the memory */
	if (!p->guest)
		m->state_bytes = p->home->ops->save(p->home, m->state,
						    PHYP_MAX_CPU_STATE);
	if (m->state_bytes < 0 || job_start(&p->system->jobs, &m->job))
		goto err_free_state;
	p->jobs++;
	return;

err_free_state:
	free(m->state);
err_free:
	free(m);
err_fail:
	if (fd >= 0)
		close(fd);
	rpc_fail(req, RPC_NOT_ENOUGH, "no memory or thread for it; %u jobs are running",
		 p->system->jobs.count);
}

/**
 * partition_digest() - SHA-256 over memory and processor state
 * @p:		partition that does not execute
 * @req:	answered when it is computed
 */
void partition_digest(struct partition *p, struct rpc_request *req)
{
	if (is_still(p, req))
		start_memory_job(p, -1, req);
}

/**
 * partition_compare() - count pages that differ from a file
 * @p:		partition that does not execute
 * @path:	the file
 * @req:	answered when it is known
 */
void partition_compare(struct partition *p, const char *path,
		       struct rpc_request *req)
{
	char error[MEMORY_ERROR_BYTES];
	int fd;

	if (!is_still(p, req))
		return;
	if (content_open(path, 0, &fd, error)) {
		rpc_fail(req, RPC_FAILED, "%s", error);
		return;
	}
	start_memory_job(p, fd, req);
}
