// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A partition between the platform and its home: what libphyp asks goes to the home,
 * what the home says goes to libphyp and to whoever waits for it.
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/partition.h"
#include "phyp/phypd/stream.h"

/*
 * Why a stream aborts: detail, and a whole reason.  A guest's own details are small
 * numbers: Linux has its errno there.
 */
#define SUSPEND_FAILED	0x10001u
#define REASON_ENDED	((uint32_t)VASI_ABORT_PARTITION << VASI_REASON_ENTITY_SHIFT | 0x10002u)

/* ---- The platform's way to the home ---- */

static void lpar_suspend(void *ctx)
{
	struct partition *p = ctx;

	p->stopping = STOP_SUSPEND;
	p->home->ops->suspend(p->home, p->suspend_how, p->suspend_ms);
}

static void lpar_resume(void *ctx)
{
	struct partition *p = ctx;

	p->stopping = STOP_NONE;
	if (p->imaged) {
		/* It is this system's, and executes when somebody wants it to */
		p->state = PARTITION_HIBERNATED;
		partition_wake(p);
		return;
	}
	p->state = PARTITION_RUNNING;
	p->executions++;
	p->home->ops->resume(p->home);
	/* The platform is in the middle of something: look at the waits later */
	partition_wake(p);
}

static long lpar_save_state(void *ctx, void *buf, size_t size)
{
	struct partition *p = ctx;

	return p->home->ops->save(p->home, buf, size);
}

static int lpar_load_state(void *ctx, const void *buf, size_t size)
{
	struct partition *p = ctx;
	int ret = p->home->ops->load(p->home, buf, size);

	if (ret && ret != -EINPROGRESS)
		log_error("partition %s: the arriving processor state is not of this partition: %s",
			  p->name, strerror(-ret));
	return ret;
}

static bool lpar_look(void *ctx)
{
	struct partition *p = ctx;

	if (!p->home->ops->look)
		return false;
	p->home->ops->look(p->home);
	return true;
}

static void lpar_pages_missing(void *ctx, uint64_t first, uint64_t count)
{
	struct partition *p = ctx;

	if (p->home->ops->pages_missing)
		p->home->ops->pages_missing(p->home, first, count);
}

static void lpar_pages_arrived(void *ctx, uint64_t first, uint64_t count)
{
	struct partition *p = ctx;

	p->home->ops->pages_arrived(p->home, first, count);
}

/* In the middle of libphyp's work: what it may still look at goes later */
static void lpar_aborted(void *ctx)
{
	struct partition *p = ctx;

	p->drop = true;
	partition_wake(p);
}

static void lpar_completed(void *ctx)
{
	struct partition *p = ctx;

	if (p->state == PARTITION_SUSPENDED ||
	    (p->imaged && p->stream && p->stream->role == PHYP_SOURCE))
		p->state = PARTITION_MOVED;
	else if (p->home->ops->all_here)
		p->home->ops->all_here(p->home);
	partition_wake(p);
}

const struct phyp_lpar_ops partition_lpar_ops = {
	.suspend	= lpar_suspend,
	.resume		= lpar_resume,
	.save_state	= lpar_save_state,
	.load_state	= lpar_load_state,
	.look		= lpar_look,
	.pages_missing	= lpar_pages_missing,
	.pages_arrived	= lpar_pages_arrived,
	.aborted	= lpar_aborted,
	.completed	= lpar_completed,
};

/* ---- What the home says ---- */

/**
 * partition_started() - it executes, as partition_activate() asked, or does not
 * @p:		partition in Starting
 * @error:	why not, or NULL
 */
void partition_started(struct partition *p, const char *error)
{
	struct rpc_request *req = p->start_request;

	p->start_request = NULL;
	if (error) {
		p->state = PARTITION_NOT_ACTIVATED;
		log_error("partition %s: not activated: %s", p->name, error);
		rpc_fail(req, RPC_FAILED, "partition %s: %s", p->name, error);
	} else {
		p->state = PARTITION_RUNNING;
		if (p->config)
			json_object_set_new(p->config, "activated", json_true());
		log_info("partition %s: activated", p->name);
		rpc_reply(req, NULL);
	}
	partition_changed(p);
}

static void home_ready(void *ctx, const char *error)
{
	struct partition *p = ctx;

	if (p->state == PARTITION_WAKING) {
		hibernate_homed(p, error);
	} else if (p->start_request) {
		partition_started(p, error);
	} else if (p->make_request && !error) {
		partition_made(p, true);
	} else if (p->make_request) {
		partition_make_failed(p, -EIO, error);
		p->drop = true;
		partition_wake(p);
	}
}

static void shut_down(struct partition *p)
{
	p->state = PARTITION_NOT_ACTIVATED;
	log_info("partition %s: shut down", p->name);
	if (p->stop_request)
		rpc_reply(p->stop_request, NULL);
	p->stop_request = NULL;
}

static void home_stopped(void *ctx)
{
	struct partition *p = ctx;
	enum partition_stop why = p->stopping;

	p->stopping = STOP_NONE;
	if (why == STOP_SHUTDOWN)
		shut_down(p);
	if (why == STOP_SUSPEND && !p->hold_suspend) {
		if (!p->imaged)
			p->state = PARTITION_SUSPENDED;
		phyp_lpar_suspended(p->lpar);
	}
	if (why == STOP_HIBERNATE)
		hibernate_stopped(p, NULL);
	partition_changed(p);
}

static void home_not_stopped(void *ctx, const char *error)
{
	struct partition *p = ctx;
	enum partition_stop why = p->stopping;

	log_warning("partition %s: not suspended: %s", p->name, error);
	p->stopping = STOP_NONE;
	if (why == STOP_HIBERNATE)
		hibernate_stopped(p, error);
	else
		phyp_lpar_suspend_failed(p->lpar, SUSPEND_FAILED);
}

static void home_demand(void *ctx, uint64_t offset)
{
	phyp_lpar_demand(((struct partition *)ctx)->lpar, offset);
}

static void home_looked(void *ctx)
{
	struct partition *p = ctx;

	phyp_lpar_looked(p->lpar);
	partition_dirty_looked(p);
}

static void home_loaded(void *ctx, int error)
{
	struct partition *p = ctx;

	if (p->state == PARTITION_WAKING)
		hibernate_loaded(p, error);
	else
		phyp_lpar_loaded(p->lpar, error);
}

/* Whatever the guest says who it is: it is the migrating partition */
static void home_cancelled(void *ctx, uint32_t reason)
{
	struct partition *p = ctx;

	reason = (uint32_t)VASI_ABORT_PARTITION << VASI_REASON_ENTITY_SHIFT |
		 (reason & 0xFFFFFF);

	log_info("partition %s: cancels its migration, reason %#x", p->name, reason);
	if (phyp_lpar_cancel(p->lpar, reason))
		log_warning("partition %s: too late to cancel its migration", p->name);
}

/* A stream whose partition is gone goes as far as it can without it */
static void home_ended(void *ctx, const char *why)
{
	struct partition *p = ctx;
	bool shell = p->state == PARTITION_SHELL;

	log_error("partition %s: %s", p->name, why);
	if (p->stopping == STOP_SHUTDOWN) {
		home_stopped(p);
		return;
	}
	if (p->state == PARTITION_WAKING) {
		hibernate_failed(p, why);
		return;
	}
	/* What its image is made from is here */
	if (p->state == PARTITION_HIBERNATING)
		return;
	if (p->stopping == STOP_HIBERNATE)
		hibernate_stopped(p, why);
	p->stopping = STOP_NONE;
	if (partition_moving(p))
		phyp_stream_cancel(p->stream->phyp, REASON_ENDED);
	partition_wake(p);
	/*
	 * A stream that cannot be cancelled any more says whose the partition is: the
	 * source's may run elsewhere, and must not be activated here.
	 */
	if (partition_moving(p) && (shell || p->state == PARTITION_SUSPENDED))
		return;
	if (!shell && p->state != PARTITION_MOVED)
		p->state = PARTITION_NOT_ACTIVATED;
	p->drop |= shell;
}

static bool home_present(void *ctx, uint64_t offset)
{
	return phyp_lpar_present(((struct partition *)ctx)->lpar, offset);
}

static void home_mark(void *ctx, uint64_t offset, uint64_t length)
{
	phyp_lpar_mark(((struct partition *)ctx)->lpar, offset, length);
}

static void home_wake(void *ctx)
{
	partition_wake(ctx);
}

const struct home_client partition_home_client = {
	.ready		= home_ready,
	.stopped	= home_stopped,
	.not_stopped	= home_not_stopped,
	.demand		= home_demand,
	.looked		= home_looked,
	.loaded		= home_loaded,
	.cancelled	= home_cancelled,
	.ended		= home_ended,
	.present	= home_present,
	.mark		= home_mark,
	.wake		= home_wake,
};
