// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a partition: made, activated, suspended and resumed as the
 * platform asks, moved away, removed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/home_synthetic.h"
#include "phyp/phypd/inactive.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/partition.h"
#include "phyp/phypd/stream.h"

/**
 * partition_wake() - let the loop look at a partition soon
 * @p:		partition
 *
 * Context: any thread; does not sleep.
 */
void partition_wake(struct partition *p)
{
	if (!atomic_exchange(&p->woken, true))
		system_wake(p->system);
}

/* ---- Names and states ---- */

/**
 * partition_find() - find a partition by name
 * @system:	where
 * @name:	its name
 *
 * Return: the partition, perhaps one that is being made or removed, or NULL.
 */
struct partition *partition_find(struct system *system, const char *name)
{
	struct partition *p;

	TAILQ_FOREACH(p, &system->partitions, link)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/**
 * partition_moving() - is the partition in a stream that is not final?
 * @p:		partition
 */
bool partition_moving(const struct partition *p)
{
	return p->stream && !stream_is_final(p->stream);
}

/**
 * partition_finished() - has its program ended?
 * @p:		partition
 */
bool partition_finished(struct partition *p)
{
	struct home_stats stats;

	if (!p->home || !p->home->ops->stats || p->state == PARTITION_NOT_ACTIVATED ||
	    p->state == PARTITION_SHELL)
		return false;
	p->home->ops->stats(p->home, &stats);
	return stats.finished;
}

/**
 * partition_state_name() - the state, as Documentation/management.rst names it
 * @p:		partition
 */
const char *partition_state_name(struct partition *p)
{
	switch (p->state) {
	case PARTITION_MAKING:
		return "Making";
	case PARTITION_NOT_ACTIVATED:
		return inactive_migrating(p) ? "Migrating - Not Activated" : "Not Activated";
	case PARTITION_STARTING:
		return "Starting";
	case PARTITION_SUSPENDED:
		return "Suspended";
	case PARTITION_MOVED:
		return "Moved";
	case PARTITION_SHELL:
		return "Shell";
	case PARTITION_LEAVING:
		return "Leaving";
	case PARTITION_HIBERNATING:
		return "Hibernating";
	case PARTITION_HIBERNATED:
		if (p->damaged)
			return "Damaged";
		return partition_moving(p) ? "Migrating - Hibernated" : "Hibernated";
	case PARTITION_WAKING:
		return "Waking";
	case PARTITION_RUNNING:
	default:
		break;
	}
	if (partition_moving(p))
		return "Migrating - Running";
	return partition_finished(p) ? "Finished" : "Running";
}

/**
 * partition_description() - what another system would make the same partition from
 * @p:		partition
 *
 * Return: a new object, or NULL.
 */
json_t *partition_description(const struct partition *p)
{
	json_t *description = json_deep_copy(p->description);

	if (!description)
		return NULL;
	json_object_del(description, "suspended");
	json_object_set_new(description, "lpar_id", json_integer(p->lpar_id));
	json_object_set_new(description, "granule", json_integer(p->granule));
	if (p->config)
		json_object_set(description, "config", p->config);
	if (json_array_size(p->history))
		json_object_set(description, "history", p->history);
	if (p->guest)
		return description;
	if (!json_object_get(description, "program"))
		json_object_set_new(description, "program",
				    json_pack("{s:i, s:i}", "seed", 0, "steps", 0));
	if (!json_object_get(description, "content"))
		json_object_set_new(description, "content",
				    json_pack("{s:s}", "type", "zero"));
	return description;
}

static bool lpar_id_used(const struct system *system, uint32_t id)
{
	const struct partition *p;

	TAILQ_FOREACH(p, &system->partitions, link)
		if (p->lpar_id == id)
			return true;
	return inventory_has_id(system->params.inventory, id);
}

static uint32_t free_lpar_id(const struct system *system)
{
	uint32_t id = 1;

	while (lpar_id_used(system, id))
		id++;
	return id;
}

/* ---- Making ---- */

struct make_job {
	struct job job;
	struct partition *p;
	struct content content;
	bool shell;
	int ret;
	char error[MEMORY_ERROR_BYTES];
};

static void unlink_partition(struct partition *p)
{
	struct system *system = p->system;

	TAILQ_REMOVE(&system->partitions, p, link);
	system->partition_count--;
	system->memory_used -= p->charged;
	free(p->damaged);
	free(p->wake_error);
	json_decref(p->description);
	json_decref(p->config);
	json_decref(p->history);
	json_decref(p->guest);
	free(p);
}

static void make_work(struct job *job)
{
	struct make_job *make = container_of(job, struct make_job, job);
	struct memory *memory = &make->p->memory;
	uint64_t bytes = memory->bytes;

	/* What a guest has not written yet shall cost nothing: missing pages are holes */
	if (make->p->system->params.overcommit || make->p->guest)
		make->ret = memory_promise(memory, bytes, make->error);
	else
		make->ret = memory_reserve(memory, bytes, job, make->error);
	if (make->ret)
		return;
	make->ret = content_fill(memory, &make->content, job, make->error);
	if (make->ret)
		memory_release(memory);
}

/**
 * partition_make_home() - make what executes a partition, or keeps it suspended
 * @p:		partition with its memory
 * @shell:	a state is to be loaded
 *
 * Return: 0; -EINPROGRESS: home_ready() of its client follows; or a negative errno.
 */
int partition_make_home(struct partition *p, bool shell)
{
	if (p->imaged)
		return home_image_create(NULL, 0, &hibernate_image_ops,
					 &partition_home_client, p, &p->home);
	if (!p->guest)
		return home_synthetic_create(&p->program, &p->memory, p->granule,
					     &partition_home_client, p, &p->home);
	return guest_create(p->system, p->name, p->guest, &p->memory, shell,
			    &partition_home_client, p, &p->home);
}

static int put_in_place(struct partition *p, const struct make_job *make)
{
	int ret;

	p->lpar = phyp_lpar_create(p->system->phyp, p->memory.base,
				   p->memory.bytes, p->granule, &partition_lpar_ops, p);
	if (!p->lpar)
		return -ENOMEM;
	ret = partition_make_home(p, make->shell);
	if (ret && ret != -EINPROGRESS)
		goto err_destroy_lpar;
	if (make->content.type != CONTENT_ZERO)
		phyp_lpar_mark(p->lpar, 0, p->memory.bytes);
	return ret;

err_destroy_lpar:
	phyp_lpar_destroy(p->lpar);
	p->lpar = NULL;
	return ret;
}

/**
 * partition_made() - the partition, or the shell, is there
 * @p:		partition that is being made
 * @shell:	which of the two
 */
void partition_made(struct partition *p, bool shell)
{
	struct rpc_request *req = p->make_request;

	p->state = shell ? PARTITION_SHELL : PARTITION_NOT_ACTIVATED;
	p->make_request = NULL;
	log_info("partition %s: %" PRIu64 " bytes, %s", p->name, p->memory.bytes,
		 partition_state_name(p));
	rpc_reply(req, json_pack("{s:s, s:i}", "name", p->name, "lpar_id",
				 (int)p->lpar_id));
	partition_changed(p);
}

/**
 * partition_make_failed() - it will not be there
 * @p:		partition that is being made; the caller frees what it has
 * @ret:	negative errno
 * @why:	in words
 */
void partition_make_failed(struct partition *p, int ret, const char *why)
{
	rpc_fail(p->make_request, ret == -ENOMEM ? RPC_NOT_ENOUGH : RPC_FAILED,
		 "partition %s: %s", p->name,
		 ret == -ECANCELED ? "the system is going down" : why);
	p->make_request = NULL;
	partition_waits_end(p, RPC_NOT_FOUND, "could not be made");
}

static void make_done(struct job *job)
{
	struct make_job *make = container_of(job, struct make_job, job);
	struct partition *p = make->p;
	bool reserved = !make->ret;

	p->jobs--;
	if (!make->ret) {
		make->ret = put_in_place(p, make);
		if (make->ret)
			strcpy(make->error, strerror(-make->ret));
	}
	if (make->content.fd >= 0)
		close(make->content.fd);
	if (!make->ret) {
		partition_made(p, make->shell);
	} else if (make->ret != -EINPROGRESS) {
		partition_make_failed(p, make->ret, make->error);
		if (reserved)
			memory_release(&p->memory);
		unlink_partition(p);
	}
	free(make);
}

static bool may_make(struct system *system, const struct partition_params *params,
		     struct rpc_request *req)
{
	uint64_t used = system->memory_used;
	uint64_t total = system->params.memory;

	if (partition_find(system, params->name))
		rpc_fail(req, RPC_EXISTS,
			 "partition %s exists already, or is just being removed",
			 params->name);
	else if (inventory_has_name(system->params.inventory, params->name))
		rpc_fail(req, RPC_EXISTS, "a VIOS is %s already", params->name);
	else if (params->lpar_id && lpar_id_used(system, params->lpar_id))
		rpc_fail(req, RPC_EXISTS, "lpar_id %u is in use",
			 params->lpar_id);
	else if (system->partition_count >= SYSTEM_MAX_PARTITIONS)
		rpc_fail(req, RPC_NOT_ENOUGH, "the system has %u partitions already",
			 system->partition_count);
	else if (params->bytes > total - used)
		rpc_fail(req, RPC_NOT_ENOUGH,
			 "partition %s: memory: %" PRIu64 " bytes are asked for, %"
			 PRIu64 " of %" PRIu64 " are free", params->name,
			 params->bytes, total - used, total);
	else
		return !params->arriving || !inactive_is_full(system, req);
	return false;
}

static void set_config(struct partition *p, const struct partition_params *params)
{
	p->config = json_incref(params->config);
	p->history = json_incref(params->history);
	if (!params->arriving)
		return;
	p->inactive.type = IMAGE_NOTE_ARRIVING;
	p->inactive.stream_id = params->arriving;
	strncpy(p->inactive.peer, params->peer, sizeof(p->inactive.peer) - 1);
	p->inactive_since = (uint64_t)time(NULL);
}

/**
 * partition_make() - make a partition, or a shell for an arriving one
 * @system:	where
 * @params:	what it is to be like
 * @req:	answered when the memory is reserved, or promised, and filled
 */
void partition_make(struct system *system,
		    const struct partition_params *params,
		    struct rpc_request *req)
{
	struct make_job *make = NULL;
	struct partition *p = NULL;

	if (!may_make(system, params, req))
		goto err_close;
	p = calloc(1, sizeof(*p));
	make = calloc(1, sizeof(*make));
	if (!p || !make) {
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		goto err_free;
	}
	strncpy(p->name, params->name, sizeof(p->name) - 1);
	p->system = system;
	p->lpar_id = params->lpar_id ? params->lpar_id : free_lpar_id(system);
	p->granule = params->granule;
	p->program = params->program;
	p->guest = json_incref(params->guest);
	p->memory.fd = -1;
	p->memory.bytes = params->bytes;
	p->imaged = params->suspended;
	p->reserved_for = params->reserved_for;
	p->state = PARTITION_MAKING;
	p->description = json_incref(params->description);
	set_config(p, params);
	TAILQ_INIT(&p->waits);
	make->p = p;
	make->content = params->content;
	make->shell = params->shell;
	p->make_request = req;
	make->job.work = make_work;
	make->job.done = make_done;
	if (job_start(&system->jobs, &make->job)) {
		rpc_fail(req, RPC_NOT_ENOUGH, "%u jobs are running already",
			 system->jobs.count);
		goto err_free;
	}
	p->jobs++;
	TAILQ_INSERT_TAIL(&system->partitions, p, link);
	system->partition_count++;
	p->charged = params->bytes;
	system->memory_used += params->bytes;
	return;

err_free:
	free(make);
	if (p) {
		json_decref(p->description);
		json_decref(p->config);
		json_decref(p->history);
		json_decref(p->guest);
	}
	free(p);
err_close:
	if (params->content.fd >= 0)
		close(params->content.fd);
}

/**
 * partition_new() - a partition that is an image
 * @system:	where
 * @name:	not in use
 *
 * Return: the partition, or NULL.
 */
struct partition *partition_new(struct system *system, const char *name)
{
	struct partition *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	strncpy(p->name, name, sizeof(p->name) - 1);
	p->system = system;
	p->lpar_id = free_lpar_id(system);
	p->memory.fd = -1;
	p->state = PARTITION_HIBERNATED;
	TAILQ_INIT(&p->waits);
	TAILQ_INSERT_TAIL(&system->partitions, p, link);
	system->partition_count++;
	return p;
}

/**
 * partition_set_id() - give a partition the id that it had
 * @p:		partition
 * @lpar_id:	unless another one has it by now
 */
void partition_set_id(struct partition *p, uint32_t lpar_id)
{
	if (lpar_id && !lpar_id_used(p->system, lpar_id))
		p->lpar_id = lpar_id;
}

/* ---- Leaving ---- */

struct leave_job {
	struct job job;
	struct partition *p;
	bool discard;
	int ret;
};

/**
 * partition_take_home() - end what executes a partition, and what the platform knows
 * @p:		partition in no stream that moves
 */
void partition_take_home(struct partition *p)
{
	partition_dirty_end(p, "it is not here any more");
	if (p->home)
		p->home->ops->destroy(p->home);
	p->home = NULL;
	if (p->lpar)
		phyp_lpar_destroy(p->lpar);
	p->lpar = NULL;
}

static void take_out_of_place(struct partition *p)
{
	partition_take_home(p);
	if (p->stream)
		stream_forget_partition(p->stream);
	p->stream = NULL;
}

static void leave_work(struct job *job)
{
	struct leave_job *leave = container_of(job, struct leave_job, job);

	memory_release(&leave->p->memory);
	if (leave->discard)
		leave->ret = hibernate_discard(leave->p);
}

/* Its image could not be removed: it is still one */
static void stay(struct partition *p, int error)
{
	log_error("partition %s: its image cannot be removed: %s", p->name, strerror(error));
	p->system->memory_used -= p->charged;
	p->charged = 0;
	p->imaged = false;
	p->state = PARTITION_HIBERNATED;
	if (p->remove_request)
		rpc_fail(p->remove_request, RPC_FAILED,
			 "partition %s: its image cannot be removed: %s", p->name,
			 strerror(error));
	p->remove_request = NULL;
	json_decref(p->remove_answer);
	p->remove_answer = NULL;
}

static void left(struct partition *p)
{
	log_info("partition %s: removed", p->name);
	if (p->remove_request)
		rpc_reply(p->remove_request, p->remove_answer);
	unlink_partition(p);
}

static void leave_done(struct job *job)
{
	struct leave_job *leave = container_of(job, struct leave_job, job);

	if (leave->ret)
		stay(leave->p, -leave->ret);
	else
		left(leave->p);
	free(leave);
}

/* Gives the memory back in a job, or, when there is none left, at once */
static void leave(struct partition *p)
{
	struct leave_job *leave = calloc(1, sizeof(*leave));
	bool discard = p->imaged || hibernate_is_image(p);
	int ret;

	partition_waits_end(p, RPC_NOT_FOUND, "was removed");
	take_out_of_place(p);
	p->drop = false;
	p->state = PARTITION_LEAVING;
	if (leave) {
		leave->p = p;
		leave->discard = discard;
		leave->job.work = leave_work;
		leave->job.done = leave_done;
		if (!job_start(&p->system->jobs, &leave->job))
			return;
	}
	free(leave);
	memory_release(&p->memory);
	ret = discard ? hibernate_discard(p) : 0;
	if (ret)
		stay(p, -ret);
	else
		left(p);
}

/**
 * partition_leave() - a partition goes away
 * @p:		partition that nobody uses
 * @req:	answered when it is gone, or NULL
 * @answer:	what with; taken over
 */
void partition_leave(struct partition *p, struct rpc_request *req, json_t *answer)
{
	p->remove_request = req;
	p->remove_answer = answer;
	leave(p);
}

/**
 * partition_busy() - is a partition in the middle of something?
 * @p:		partition
 * @req:	answered if so
 */
bool partition_busy(struct partition *p, struct rpc_request *req)
{
	if (partition_moving(p))
		rpc_fail(req, RPC_STATE, "partition %s is in stream %016" PRIx64,
			 p->name, stream_id(p->stream));
	else if (p->jobs)
		rpc_fail(req, RPC_STATE, "partition %s: its memory is being worked on",
			 p->name);
	else if (p->stopping != STOP_NONE)
		rpc_fail(req, RPC_STATE, "partition %s is being stopped", p->name);
	else
		return false;
	return true;
}

/**
 * partition_remove() - remove a partition that does not execute
 * @p:		partition
 * @req:	answered when its memory is free again
 */
void partition_remove(struct partition *p, struct rpc_request *req)
{
	if (partition_busy(p, req))
		return;
	if (p->state == PARTITION_HIBERNATED && p->note.type != IMAGE_NOTE_NONE &&
	    !(p->damaged && p->note.type == IMAGE_NOTE_ARRIVING)) {
		rpc_fail(req, RPC_STATE,
			 "partition %s is in stream %016" PRIx64 ", and the target's record says whose it is: recover it first",
			 p->name, p->note.stream_id);
		return;
	}
	if (p->state == PARTITION_WAKING || p->state == PARTITION_HIBERNATING) {
		rpc_fail(req, RPC_STATE, "partition %s is %s: wait until that is over",
			 p->name, partition_state_name(p));
		return;
	}
	if ((p->state == PARTITION_RUNNING && !partition_finished(p)) ||
	    p->state == PARTITION_STARTING) {
		rpc_fail(req, RPC_STATE, "partition %s is %s: shut it down first",
			 p->name, partition_state_name(p));
		return;
	}
	partition_leave(p, req, NULL);
}

/* ---- Running ---- */

/**
 * partition_activate() - begin to execute the program, from its beginning
 * @p:		partition in Not Activated
 * @req:	answered
 */
void partition_activate(struct partition *p, struct rpc_request *req)
{
	int ret;

	if (partition_busy(p, req))
		return;
	if (p->state != PARTITION_NOT_ACTIVATED || inactive_migrating(p)) {
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Not Activated",
			 p->name, partition_state_name(p));
		return;
	}
	p->state = PARTITION_STARTING;
	p->executions++;
	p->sample_ns = now_ns();
	p->sample_steps = 0;
	p->start_request = req;
	ret = p->home->ops->start(p->home);
	if (ret != -EINPROGRESS)
		partition_started(p, ret ? strerror(-ret) : NULL);
}

/**
 * partition_shutdown() - stop executing; the memory stays
 * @p:		partition that executes, or has finished
 * @req:	answered when no processor executes any more
 */
void partition_shutdown(struct partition *p, struct rpc_request *req)
{
	if (partition_busy(p, req))
		return;
	if (p->state != PARTITION_RUNNING) {
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Running",
			 p->name, partition_state_name(p));
		return;
	}
	p->stop_request = req;
	p->stopping = STOP_SHUTDOWN;
	p->home->ops->stop(p->home);
}

/**
 * partition_tell() - say something to the agent in the partition
 * @p:		partition that runs
 * @phase:	"check", "pre" or "post"
 * @stream_id:	of what
 * @timeout_ms:	for the answer
 * @req:	answered with what the agent answers
 */
void partition_tell(struct partition *p, const char *phase, uint64_t stream_id,
		    uint64_t timeout_ms, struct rpc_request *req)
{
	if (!p->guest)
		rpc_reply(req, NULL);	/* a synthetic partition agrees to everything */
	else if (p->state != PARTITION_RUNNING)
		rpc_fail(req, RPC_STATE, "partition %s is %s, not Running", p->name,
			 partition_state_name(p));
	else
		guest_tell(p->home, phase, stream_id, timeout_ms, req);
}

void partition_stream(struct partition *p, uint64_t id, enum vasi_state state)
{
	if (p->home && p->home->ops->stream)
		p->home->ops->stream(p->home, id, (uint16_t)state);
}

void partition_depart(struct partition *p)
{
	if (p->home->ops->depart)
		p->home->ops->depart(p->home);
}

static void take_events(struct partition *p)
{
	if (p->home && p->home->ops->poll)
		p->home->ops->poll(p->home);
	partition_changed(p);
	hibernate_look(p);
	if (p->drop && !p->jobs && p->state != PARTITION_LEAVING) {
		log_info("partition %s: the stream aborted, what arrived is dropped",
			 p->name);
		leave(p);
	}
}

/**
 * partitions_take_events() - hear what processors have to tell
 * @system:	where
 */
void partitions_take_events(struct system *system)
{
	struct partition *p, *next;

	for (p = TAILQ_FIRST(&system->partitions); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (atomic_exchange(&p->woken, false))
			take_events(p);
	}
}

/* ---- The end ---- */

static void going_down(struct rpc_request **req)
{
	if (*req)
		rpc_fail(*req, RPC_FAILED, "the system is going down");
	*req = NULL;
}

/**
 * partitions_stop() - the system is going down: no processor executes any more
 * @system:	its links are still there
 */
void partitions_stop(struct system *system)
{
	struct partition *p;

	TAILQ_FOREACH(p, &system->partitions, link) {
		partition_waits_end(p, RPC_FAILED, "the system is going down");
		partition_dirty_end(p, "the system is going down");
		going_down(&p->stop_request);
		going_down(&p->start_request);
		going_down(&p->image_request);
		/* A shell's QEMU gets ready; of a job that is done its end says so */
		if (p->make_request && !p->jobs)
			partition_make_failed(p, -ECANCELED, "");
		p->stopping = STOP_NONE;
		if (p->home)
			p->home->ops->stop(p->home);
	}
}

/**
 * partitions_destroy() - free every partition
 * @system:	no job is left
 */
void partitions_destroy(struct system *system)
{
	struct partition *p;

	while ((p = TAILQ_FIRST(&system->partitions))) {
		take_out_of_place(p);
		memory_release(&p->memory);
		unlink_partition(p);
	}
}
