// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A partition becomes an image, and an image a partition.
 *
 * What touches the disk or much memory is a step: a job, and what follows it in the loop.
 * A partition has one at a time (@jobs), and is asked for nothing else meanwhile.  The
 * order of steps is what Documentation/suspended-partitions.rst promises.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/image.h"
#include "phyp/phypd/stream.h"

/**
 * struct step - a job for one partition
 * @job:	see there
 * @p:		whose
 * @work:	in a thread; 0 or a negative errno
 * @done:	in the loop; @ret is set
 * @state:	of processors and devices, where the step has to do with it
 * @state_bytes: of it
 * @description: of the partition, to be written
 * @memory:	that is set aside for it
 * @note:	to be written, if it has a type
 * @forget_note: the image is in no stream any more
 * @ret:	what came of it
 * @error:	in words
 */
struct step {
	struct job job;
	struct partition *p;
	int (*work)(struct step *step);
	void (*done)(struct step *step);
	void *state;
	size_t state_bytes;
	json_t *description;
	struct memory memory;
	struct image_note note;
	bool forget_note;
	int ret;
	char error[MEMORY_ERROR_BYTES];
};

static void step_free(struct step *step)
{
	if (step->state)
		explicit_bzero(step->state, step->state_bytes);
	free(step->state);
	json_decref(step->description);
	free(step);
}

static void step_work(struct job *job)
{
	struct step *step = container_of(job, struct step, job);

	step->ret = step->work(step);
	if (step->ret && !step->error[0])
		snprintf(step->error, sizeof(step->error), "%s",
			 step->ret == -ECANCELED ? "the system is going down" :
			 strerror(-step->ret));
}

static void step_done(struct job *job)
{
	struct step *step = container_of(job, struct step, job);
	struct partition *p = step->p;

	p->jobs--;
	step->done(step);
	step_free(step);
	partition_wake(p);
}

static struct step *step_new(struct partition *p, int (*work)(struct step *step),
			     void (*done)(struct step *step))
{
	struct step *step = calloc(1, sizeof(*step));

	if (!step)
		return NULL;
	step->p = p;
	step->work = work;
	step->done = done;
	step->job.work = step_work;
	step->job.done = step_done;
	return step;
}

/* @step may be NULL.  It is gone if it could not be started */
static int step_start(struct step *step)
{
	int ret = step ? job_start(&step->p->system->jobs, &step->job) : -ENOMEM;

	if (!ret)
		step->p->jobs++;
	else if (step)
		step_free(step);
	return ret;
}

static struct image_dir *images(const struct partition *p)
{
	return p->system->images;
}

static void answer(struct partition *p, const char *error, int code)
{
	struct rpc_request *req = p->image_request;

	p->image_request = NULL;
	if (!req)
		return;
	if (error)
		rpc_fail(req, code, "partition %s: %s", p->name, error);
	else
		rpc_reply(req, NULL);
}

/**
 * hibernate_is_image() - has it an image, or is it just getting or losing one?
 * @p:		partition
 */
bool hibernate_is_image(const struct partition *p)
{
	return p->state == PARTITION_HIBERNATED || p->state == PARTITION_HIBERNATING ||
	       p->state == PARTITION_WAKING;
}

/* ---- Memory goes back ---- */

static int give_back_work(struct step *step)
{
	memory_release(&step->p->memory);
	return step->forget_note ? image_dir_forget_note(images(step->p), step->p->name) : 0;
}

static void given_back(struct partition *p)
{
	p->system->memory_used -= p->charged;
	p->charged = 0;
	p->state = PARTITION_HIBERNATED;
	log_info("partition %s: suspended, its memory is free", p->name);
	answer(p, p->wake_error, RPC_FAILED);
	free(p->wake_error);
	p->wake_error = NULL;
	partition_changed(p);
}

static void give_back_done(struct step *step)
{
	struct partition *p = step->p;

	if (step->ret)
		log_error("partition %s: its note: %s; it stays in stream %016" PRIx64
			  " until that is settled", p->name, step->error,
			  p->note.stream_id);
	else if (step->forget_note)
		p->note = (struct image_note) { .type = IMAGE_NOTE_NONE };
	given_back(p);
}

/*
 * Its image is on disk, and nothing needs its memory any more.  A note that is there has
 * been heeded.
 */
static void give_back(struct partition *p)
{
	struct step *step = step_new(p, give_back_work, give_back_done);

	partition_take_home(p);
	p->imaged = false;
	p->state = PARTITION_HIBERNATING;
	if (step)
		step->forget_note = p->note.type != IMAGE_NOTE_NONE;
	if (!step_start(step))
		return;
	/* Without a job: a note stays, which costs a recovery */
	memory_release(&p->memory);
	given_back(p);
}

/* ---- Suspend ---- */

static bool next_written(const void *ctx, uint64_t *offset, uint64_t *length)
{
	return phyp_lpar_written(ctx, offset, length);
}

static int write_image(struct step *step)
{
	struct partition *p = step->p;
	const struct image_content content = {
		.memory = &p->memory,
		.granule = p->granule,
		.description = step->description,
		.state = step->state,
		.state_bytes = step->state_bytes,
		.written = next_written,
		.ctx = p->lpar,
	};
	int fd, ret = image_dir_create(images(p), p->name, &fd);

	if (ret)
		return ret;
	ret = image_write(fd, &content, &step->job, step->error);
	if (!ret)
		ret = image_dir_keep(images(p), p->name, fd);
	else
		image_dir_forget_new(images(p), p->name);
	close(fd);
	return ret;
}

/* It goes on where it was */
static void not_suspended(struct partition *p, const char *error)
{
	log_error("partition %s: not suspended: %s", p->name, error);
	p->state = PARTITION_RUNNING;
	p->executions++;
	p->home->ops->resume(p->home);
	answer(p, error, RPC_FAILED);
	partition_changed(p);
}

static void suspend_done(struct step *step)
{
	if (step->ret)
		not_suspended(step->p, step->error);
	else
		give_back(step->p);
}

static long save_state(struct partition *p, struct step *step)
{
	long bytes;

	step->state = malloc(PHYP_MAX_CPU_STATE);
	if (!step->state)
		return -ENOMEM;
	bytes = p->home->ops->save(p->home, step->state, PHYP_MAX_CPU_STATE);
	step->state_bytes = bytes > 0 ? (size_t)bytes : 0;
	return bytes > 0 ? 0 : bytes ? bytes : -ENODATA;
}

/**
 * hibernate_stopped() - no processor executes, as hibernate_suspend() asked
 * @p:		partition
 * @error:	it does: it could not be stopped; or NULL
 */
void hibernate_stopped(struct partition *p, const char *error)
{
	struct step *step;
	long ret;

	if (error) {
		answer(p, error, RPC_FAILED);
		partition_changed(p);
		return;
	}
	p->state = PARTITION_HIBERNATING;
	/* What was written before the home began to tell */
	partition_depart(p);
	step = step_new(p, write_image, suspend_done);
	if (step)
		step->description = partition_description(p);
	ret = step && step->description ? save_state(p, step) : -ENOMEM;
	if (!ret) {
		ret = step_start(step);
		step = NULL;
	}
	if (step)
		step_free(step);
	if (ret)
		not_suspended(p, strerror((int)-ret));
}

/**
 * hibernate_suspend() - make an image of a partition, and give its memory back
 * @p:		partition that executes, or has finished
 * @req:	answered when its memory is free
 */
void hibernate_suspend(struct partition *p, struct rpc_request *req)
{
	if (partition_busy(p, req))
		return;
	if (p->state != PARTITION_RUNNING) {
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Running", p->name,
			 partition_state_name(p));
		return;
	}
	if (p->guest && !p->home->ops->executing(p->home)) {
		rpc_fail(req, RPC_STATE, "partition %s has not gone on yet since it was suspended",
			 p->name);
		return;
	}
	if (image_dir_has(images(p), p->name)) {
		rpc_fail(req, RPC_EXISTS,
			 "partition %s: there is a file in place of its image already; remove it from the state directory",
			 p->name);
		return;
	}
	p->image_request = req;
	p->stopping = STOP_HIBERNATE;
	p->home->ops->suspend(p->home, HOME_SUSPEND_PLATFORM, 0);
}

/* ---- An image is read ---- */

static void mark_read(void *ctx, uint64_t offset, uint64_t length)
{
	phyp_lpar_mark(ctx, offset, length);
}

static int read_image(struct step *step)
{
	struct partition *p = step->p;
	struct image_target target = {
		.memory = &p->memory, .mark = mark_read, .ctx = p->lpar,
	};
	struct image_info info;
	int fd, ret = image_dir_image(images(p), p->name, &fd);

	if (ret) {
		snprintf(step->error, sizeof(step->error), "its image: %s", strerror(-ret));
		return ret;
	}
	ret = image_look(fd, &info, step->error);
	if (ret)
		goto out;
	json_decref(info.description);
	step->state = malloc(info.state_bytes);
	step->state_bytes = info.state_bytes;
	target.state = step->state;
	ret = step->state ? image_read(fd, &target, &step->job, step->error) : -ENOMEM;
out:
	close(fd);
	return ret;
}

/* What is wrong with it is told until it is read well */
static void note_damage(struct partition *p, const struct step *step)
{
	free(p->damaged);
	p->damaged = step->ret == -EBADMSG ? strdup(step->error) : NULL;
	if (p->damaged)
		log_error("partition %s: %s", p->name, p->damaged);
}

/* Why its image cannot be read now; answers @req */
static bool cannot_read(struct partition *p, struct rpc_request *req)
{
	uint64_t left = p->system->params.memory - p->system->memory_used;

	if (partition_busy(p, req))
		return true;
	if (p->note.type != IMAGE_NOTE_NONE)
		rpc_fail(req, RPC_STATE,
			 "partition %s is in stream %016" PRIx64 ", and the target's record says whose it is: recover it first",
			 p->name, p->note.stream_id);
	else if (!p->memory.bytes)
		rpc_fail(req, RPC_FAILED, "partition %s: %s", p->name, p->damaged);
	else if (p->memory.bytes > left)
		rpc_fail(req, RPC_NOT_ENOUGH,
			 "partition %s: memory: %" PRIu64 " bytes are needed, %" PRIu64 " are free",
			 p->name, p->memory.bytes, left);
	else
		return false;
	return true;
}

static void charge(struct partition *p)
{
	p->charged = p->memory.bytes;
	p->system->memory_used += p->charged;
}

static int make_lpar(struct partition *p)
{
	p->lpar = phyp_lpar_create(p->system->phyp, p->memory.base, p->memory.bytes,
				   p->granule, &partition_lpar_ops, p);
	return p->lpar ? 0 : -ENOMEM;
}

/* ---- Resume ---- */

/**
 * hibernate_failed() - it will not execute: its image stays
 * @p:		partition that is being resumed
 * @why:	in words
 *
 * Its home may be in the middle of telling: the rest is hibernate_look()'s.
 */
void hibernate_failed(struct partition *p, const char *why)
{
	if (p->wake_error)
		return;
	p->wake_error = strdup(why);
	log_error("partition %s: not resumed: %s", p->name, why);
	partition_wake(p);
}

static int forget_used_work(struct step *step)
{
	image_dir_forget_used(images(step->p), step->p->name);
	return 0;
}

/* Until then it is busy, and whoever asked for it could do nothing with it */
static void forgotten(struct step *step)
{
	answer(step->p, NULL, 0);
}

static int unuse_work(struct step *step)
{
	return image_dir_unuse(images(step->p), step->p->name);
}

static void unuse_done(struct step *step)
{
	if (step->ret)
		log_error("partition %s: its image stays under the name of a used one: %s",
			  step->p->name, step->error);
}

static int use_work(struct step *step)
{
	return image_dir_use(images(step->p), step->p->name);
}

static void use_done(struct step *step)
{
	struct partition *p = step->p;

	/* Its home has ended meanwhile, and has not executed */
	if (p->wake_error) {
		if (!step->ret && step_start(step_new(p, unuse_work, unuse_done)))
			unuse_work(step);
		return;
	}
	if (step->ret) {
		hibernate_failed(p, step->error);
		return;
	}
	p->state = PARTITION_RUNNING;
	p->executions++;
	p->sample_ns = now_ns();
	p->sample_steps = 0;
	p->home->ops->resume(p->home);
	if (p->home->ops->all_here)
		p->home->ops->all_here(p->home);
	log_info("partition %s: resumed", p->name);
	partition_changed(p);
	/* If it is not removed now, it is at the next start */
	if (step_start(step_new(p, forget_used_work, forgotten)))
		answer(p, NULL, 0);
}

/**
 * hibernate_loaded() - its home has taken over the state, or could not
 * @p:		partition that is being resumed
 * @error:	0 or negative errno
 */
void hibernate_loaded(struct partition *p, int error)
{
	int ret = error;

	if (!ret && !p->wake_error)
		ret = step_start(step_new(p, use_work, use_done));
	if (error)
		hibernate_failed(p, "its home does not take over its state");
	else if (ret)
		hibernate_failed(p, strerror(-ret));
}

static void wake_read_done(struct step *step)
{
	struct partition *p = step->p;
	int ret;

	note_damage(p, step);
	if (p->wake_error)
		return;
	if (step->ret) {
		hibernate_failed(p, step->error);
		return;
	}
	ret = p->home->ops->load(p->home, step->state, step->state_bytes);
	if (ret != -EINPROGRESS)
		hibernate_loaded(p, ret);
}

/**
 * hibernate_homed() - its home is there, or will not be
 * @p:		partition that is being resumed
 * @error:	why not, or NULL
 */
void hibernate_homed(struct partition *p, const char *error)
{
	int ret;

	if (error) {
		hibernate_failed(p, error);
		return;
	}
	ret = step_start(step_new(p, read_image, wake_read_done));
	if (ret)
		hibernate_failed(p, strerror(-ret));
}

/* The partition's own is looked at meanwhile */
static int reserve_work(struct step *step)
{
	struct memory *memory = &step->memory;
	uint64_t bytes = step->p->memory.bytes;

	/* As in partition_make() */
	if (step->p->system->params.overcommit || step->p->guest)
		return memory_promise(memory, bytes, step->error);
	return memory_reserve(memory, bytes, &step->job, step->error);
}

static void reserve_done(struct step *step)
{
	struct partition *p = step->p;
	int ret = step->ret;

	if (ret) {
		hibernate_failed(p, step->error);
		return;
	}
	p->memory = step->memory;
	ret = make_lpar(p);
	if (!ret)
		ret = partition_make_home(p, true);
	if (ret != -EINPROGRESS)
		hibernate_homed(p, ret ? strerror(-ret) : NULL);
}

/**
 * hibernate_resume() - let a suspended partition execute again
 * @p:		partition
 * @req:	answered when it does
 */
void hibernate_resume(struct partition *p, struct rpc_request *req)
{
	struct step *step;
	int ret;

	if (p->state != PARTITION_HIBERNATED) {
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Hibernated", p->name,
			 partition_state_name(p));
		return;
	}
	if (cannot_read(p, req) || (p->guest && !guest_check(req, p->system, p->guest)))
		return;
	step = step_new(p, reserve_work, reserve_done);
	if (step)
		step->memory.fd = -1;
	ret = step_start(step);
	if (ret) {
		rpc_fail(req, RPC_NOT_ENOUGH, "partition %s: %s", p->name, strerror(-ret));
		return;
	}
	charge(p);
	p->image_request = req;
	p->state = PARTITION_WAKING;
	partition_changed(p);
}

/* ---- It moves away ---- */

/**
 * struct departure - a stream.create that waits for the image
 * @step:	reads it; first
 * @params:	of stream.create
 * @req:	its request
 * @then:	goes on with both
 */
struct departure {
	struct step step;
	json_t *params;
	struct rpc_request *req;
	void (*then)(struct rpc_request *req, const json_t *params, void *data);
};

static int depart_work(struct step *step)
{
	int ret = read_image(step);

	if (ret)
		return ret;
	ret = image_dir_note(images(step->p), step->p->name, &step->note);
	if (ret)
		snprintf(step->error, sizeof(step->error), "its note: %s", strerror(-ret));
	return ret;
}

static void depart_done(struct step *step)
{
	struct departure *d = container_of(step, struct departure, step);
	struct partition *p = step->p;
	int ret = step->ret;

	note_damage(p, step);
	if (!ret) {
		p->note = step->note;
		ret = home_image_create(step->state, step->state_bytes, &hibernate_image_ops,
					&partition_home_client, p, &p->home);
		p->imaged = !ret;
	}
	p->state = PARTITION_HIBERNATED;
	if (ret) {
		rpc_fail(d->req, RPC_FAILED, "partition %s: %s", p->name,
			 step->ret ? step->error : strerror(-ret));
	} else {
		step->state = NULL;
		d->then(d->req, d->params, p->system);
	}
	json_decref(d->params);
	/* Without a stream hibernate_look() gives all of it back */
}

/**
 * hibernate_depart() - a stream is to be created with it as the source
 * @p:		partition in Hibernated
 * @note:	of the stream
 * @params:	of stream.create
 * @req:	answered on failure
 * @then:	called with these and the system when its image is in memory, the note is on
 *		disk, and the partition has what a stream needs
 */
void hibernate_depart(struct partition *p, const struct image_note *note,
		      const json_t *params, struct rpc_request *req,
		      void (*then)(struct rpc_request *req, const json_t *params,
				   void *data))
{
	char error[MEMORY_ERROR_BYTES] = "out of memory";
	struct departure *d;
	int ret = -ENOMEM;

	if (cannot_read(p, req))
		return;
	d = calloc(1, sizeof(*d));
	if (!d)
		goto err_fail;
	d->step = (struct step) {
		.job.work = step_work, .job.done = step_done, .p = p, .note = *note,
		.work = depart_work, .done = depart_done,
	};
	d->params = json_deep_copy(params);
	d->req = req;
	d->then = then;
	/* It costs what was written */
	if (!d->params || memory_promise(&p->memory, p->memory.bytes, error))
		goto err_free;
	ret = make_lpar(p);
	if (!ret)
		ret = job_start(&p->system->jobs, &d->step.job);
	if (ret)
		goto err_release;
	p->jobs++;
	charge(p);
	p->state = PARTITION_HIBERNATING;
	return;

err_release:
	snprintf(error, sizeof(error), "%s", strerror(-ret));
	phyp_lpar_destroy(p->lpar);
	p->lpar = NULL;
	memory_release(&p->memory);
err_free:
	json_decref(d->params);
	free(d);
err_fail:
	rpc_fail(req, RPC_NOT_ENOUGH, "partition %s: %s", p->name, error);
}

/**
 * hibernate_departed() - the partition that was in a stream which is not there any more
 * @system:	where
 * @stream_id:	of the stream
 *
 * Return: the partition, or NULL.
 */
struct partition *hibernate_departed(struct system *system, uint64_t stream_id)
{
	struct partition *p;

	TAILQ_FOREACH(p, &system->partitions, link)
		if (p->note.type == IMAGE_NOTE_DEPARTING && p->note.stream_id == stream_id &&
		    p->state == PARTITION_HIBERNATED && !p->lpar)
			return p;
	return NULL;
}

static void settled(struct step *step)
{
	struct partition *p = step->p;
	struct rpc_request *req = p->image_request;

	p->image_request = NULL;
	if (!step->ret)
		p->note = (struct image_note) { .type = IMAGE_NOTE_NONE };
	if (!req)
		return;
	if (step->ret)
		rpc_fail(req, RPC_FAILED, "partition %s: its note: %s", p->name, step->error);
	else
		rpc_reply(req, json_pack("{s:s}", "state", "Aborted"));
}

static int settle_work(struct step *step)
{
	return image_dir_forget_note(images(step->p), step->p->name);
}

/**
 * hibernate_settle() - act on the target's record, without a stream
 * @p:		found by hibernate_departed()
 * @verdict:	what the record says
 * @req:	answered as stream.recover
 */
void hibernate_settle(struct partition *p, enum phyp_verdict verdict,
		      struct rpc_request *req)
{
	int ret;

	if (partition_busy(p, req))
		return;
	if (verdict == PHYP_VERDICT_RESUMED) {
		log_info("partition %s: it is the target's of stream %016" PRIx64, p->name,
			 p->note.stream_id);
		partition_leave(p, req, json_pack("{s:s}", "state", "Completed"));
		return;
	}
	ret = step_start(step_new(p, settle_work, settled));
	if (ret)
		rpc_fail(req, RPC_NOT_ENOUGH, "partition %s: %s", p->name, strerror(-ret));
	else
		p->image_request = req;
}

/* ---- It arrives ---- */

static int arrive_work(struct step *step)
{
	int ret = image_dir_note(images(step->p), step->p->name, &step->note);

	return ret ? ret : write_image(step);
}

static void arrive_done(struct step *step)
{
	struct partition *p = step->p;

	if (step->ret)
		log_error("partition %s: what arrived could not be kept: %s", p->name,
			  step->error);
	phyp_lpar_loaded(p->lpar, step->ret);
}

/* The record may be written when all of it is on disk */
static int keep(void *ctx, void *state, size_t bytes)
{
	struct partition *p = ctx;
	struct step *step = step_new(p, arrive_work, arrive_done);
	int ret;

	if (!step)
		return -ENOMEM;
	p->note.type = IMAGE_NOTE_ARRIVING;
	p->note.stream_id = stream_id(p->stream);
	step->note = p->note;
	step->description = partition_description(p);
	step->state = state;
	step->state_bytes = bytes;
	ret = step->description ? job_start(&p->system->jobs, &step->job) : -ENOMEM;
	if (!ret) {
		p->jobs++;
		return 0;
	}
	step->state = NULL;
	step_free(step);
	return ret;
}

const struct home_image_ops hibernate_image_ops = {
	.keep = keep,
};

/* ---- From the loop ---- */

/**
 * hibernate_look() - is it time to give its memory back?
 * @p:		partition
 */
void hibernate_look(struct partition *p)
{
	if (p->jobs || p->stopping != STOP_NONE)
		return;
	if (p->state == PARTITION_WAKING && p->wake_error)
		give_back(p);
	/* The stream is over, and it is this system's; or there never was one */
	else if (p->state == PARTITION_HIBERNATED && (p->lpar || p->charged) &&
		 !partition_moving(p))
		give_back(p);
}

/**
 * hibernate_discard() - remove a partition's image, then its note
 * @p:		partition that is removed
 *
 * Context: a job's.
 * Return: 0 or a negative errno.
 */
int hibernate_discard(struct partition *p)
{
	int ret = image_dir_remove(images(p), p->name);

	return ret ? ret : image_dir_forget_note(images(p), p->name);
}
