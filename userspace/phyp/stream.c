// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The life of a stream: creation, states, signals, parking, recovery, and the
 * eight-byte messages between the two platforms.
 *
 * Implements the state model of LoPAR 2.9, "VASI Stream States" and "VASI
 * Signal", for partition migration.  Which side may do what, and why, is on
 * Documentation/handover.rst.
 */
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include "phyp/internal.h"

#define DONATION_NS		1000000ULL	/* of work per H_DONOR_OPERATION */
#define DEFAULT_OP_BYTES	(1u << 20)
#define MIN_OP_BYTES		(4u << 10)
#define MAX_OP_BYTES		(8u << 20)

#define MSG_TYPE_SHIFT		56

static uint64_t now(const struct phyp_stream *stream)
{
	return stream->phyp->ops->now_ns(stream->phyp->ctx);
}

/* ---- States ---- */

static bool source_may_become(const struct phyp_stream *stream, enum vasi_state new)
{
	bool hibernated = stream->params.hibernated;
	enum vasi_state old = stream->state;

	switch (old) {
	case VASI_STATE_ENABLED:
		return new == VASI_STATE_SUSPENDING ||
		       new == VASI_STATE_ABORTED;
	case VASI_STATE_SUSPENDING:
		return new == VASI_STATE_SUSPENDED || new == VASI_STATE_ABORTED;
	case VASI_STATE_SUSPENDED:
		return new == VASI_STATE_ABORTED ||
		       new == (hibernated ? VASI_STATE_COMPLETED : VASI_STATE_RESUMED);
	case VASI_STATE_RESUMED:
		return new == VASI_STATE_COMPLETED;
	default:
		return false;
	}
}

/* LoPAR: a partition that does not execute goes from Enabled to Completed */
static bool target_may_become(const struct phyp_stream *stream, enum vasi_state new)
{
	bool hibernated = stream->params.hibernated;

	switch (stream->state) {
	case VASI_STATE_ENABLED:
		return new == VASI_STATE_ABORTED ||
		       new == (hibernated ? VASI_STATE_COMPLETED : VASI_STATE_RESUMED);
	case VASI_STATE_RESUMED:
		return new == VASI_STATE_COMPLETED;
	default:
		return false;
	}
}

static void stamp(struct phyp_stream *stream)
{
	switch (stream->state) {
	case VASI_STATE_SUSPENDED:
		stream->stats.suspended_ns = now(stream);
		break;
	case VASI_STATE_RESUMED:
		stream->stats.resumed_ns = now(stream);
		break;
	case VASI_STATE_COMPLETED:
	case VASI_STATE_ABORTED:
		stream->stats.completed_ns = now(stream);
		break;
	default:
		break;
	}
}

static void announce(struct phyp_session *s)
{
	struct phyp_stream *stream = s->stream;

	s->announced = true;
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = VASI_FMT_STATE,
		.handle = s->top,
		.reason = stream->reason,
		.code = stream->state,
	});
}

bool phyp_stream_final(const struct phyp_stream *stream)
{
	return stream->state == VASI_STATE_ABORTED ||
	       stream->state == VASI_STATE_COMPLETED;
}

void phyp_stream_set_state(struct phyp_stream *stream, enum vasi_state new,
			   uint32_t reason)
{
	bool source = stream->params.role == PHYP_SOURCE;
	enum vasi_state old = stream->state;

	if (!(source ? source_may_become : target_may_become)(stream, new)) {
		phyp_log(stream->phyp, LOG_ERR,
			 "stream %016llx: refused to go from %s to %s",
			 (unsigned long long)stream->params.id,
			 vasi_state_name(old), vasi_state_name(new));
		return;
	}
	stream->state = new;
	stream->reason = reason;
	stamp(stream);
	phyp_log(stream->phyp, LOG_INFO, "stream %016llx: %s: %s to %s, reason %#x",
		 (unsigned long long)stream->params.id,
		 source ? "source" : "target",
		 vasi_state_name(old), vasi_state_name(new), reason);
	if (stream->phyp->ops->state_changed)
		stream->phyp->ops->state_changed(stream->phyp->ctx, stream, old,
						 new);
}

/* LoPAR: State requests come after all other work of the transition */
void phyp_stream_announce(struct phyp_stream *stream)
{
	struct phyp_session *s;

	TAILQ_FOREACH(s, &stream->sessions, link)
		announce(s);
}

/* The partition is in no stream any more; its home may drop it */
static struct phyp_lpar *detach_lpar(struct phyp_stream *stream)
{
	struct phyp_lpar *lpar = stream->params.lpar;

	if (!lpar)
		return NULL;
	if (stream->params.role == PHYP_SOURCE)
		phyp_pages_untrack(&lpar->pages);
	phyp_dirty_map_detach(stream);
	lpar->stream = NULL;
	stream->params.lpar = NULL;
	phyp_stream_progress(stream);
	return lpar;
}

/* ---- Aborting ---- */

static int abort_source(struct phyp_stream *stream, uint32_t reason)
{
	switch (stream->state) {
	case VASI_STATE_ABORTED:
		return 0;
	case VASI_STATE_ENABLED:
	case VASI_STATE_SUSPENDING:
		phyp_stream_never(stream, reason);
		return 0;
	default:
		return -EPERM;
	}
}

static int abort_target(struct phyp_stream *stream, uint32_t reason)
{
	struct phyp_lpar *lpar;
	int verdict;

	if (stream->state == VASI_STATE_ABORTED)
		return 0;
	if (stream->state != VASI_STATE_ENABLED || stream->received)
		return -EPERM;

	verdict = phyp_owner_commit(stream->phyp, stream->params.id,
				    PHYP_VERDICT_NEVER);
	/* Without a record nobody acts; the next donated cycles try again */
	stream->abort_pending = verdict < 0;
	stream->abort_reason = reason;
	if (verdict != PHYP_VERDICT_NEVER)
		return verdict < 0 ? verdict : -EPERM;

	phyp_stream_tell(stream, PHYP_MSG_NEVER);
	lpar = detach_lpar(stream);
	if (lpar && lpar->ops->aborted)
		lpar->ops->aborted(lpar->ctx);
	phyp_stream_set_state(stream, VASI_STATE_ABORTED, reason);
	phyp_stream_announce(stream);
	return 0;
}

/**
 * phyp_stream_never - a source lets its partition run again, and aborts
 * @stream:	in Enabled, Suspending, or, when the target's record is known to
 *		say ``never``, Suspended
 * @reason:	abort reason
 */
void phyp_stream_never(struct phyp_stream *stream, uint32_t reason)
{
	bool stopped = stream->state != VASI_STATE_ENABLED;
	struct phyp_lpar *lpar = detach_lpar(stream);

	phyp_stream_set_state(stream, VASI_STATE_ABORTED, reason);
	if (stopped && lpar)
		lpar->ops->resume(lpar->ctx);
	phyp_stream_announce(stream);
}

int phyp_stream_abort_reason(struct phyp_stream *stream, uint32_t reason)
{
	if (stream->params.role == PHYP_SOURCE)
		return abort_source(stream, reason);
	return abort_target(stream, reason);
}

void phyp_stream_abort(struct phyp_stream *stream, enum vasi_abort_entity who,
		       uint32_t detail)
{
	uint32_t reason = (uint32_t)who << VASI_REASON_ENTITY_SHIFT |
			  (detail & 0xFFFFFF);
	int ret = phyp_stream_abort_reason(stream, reason);

	if (ret)
		phyp_log(stream->phyp, LOG_WARNING,
			 "stream %016llx: not aborted (reason %#x) in state %s: error %d",
			 (unsigned long long)stream->params.id, reason,
			 vasi_state_name(stream->state), -ret);
}

/**
 * phyp_stream_cancel - abort by the orchestrator
 * @stream:	the stream
 * @reason:	abort reason; its entity byte is the caller's business
 *
 * Return: 0, -EPERM once Suspended (source) or Resumed (target), or the error
 * that kept the ownership record from being written.
 */
int phyp_stream_cancel(struct phyp_stream *stream, uint32_t reason)
{
	if (stream->state == VASI_STATE_COMPLETED)
		return -EPERM;
	return phyp_stream_abort_reason(stream, reason);
}

/* ---- Signals (LoPAR, "VASI Signal") ---- */

static enum vasi_status signal_suspend(struct phyp_stream *stream)
{
	struct phyp_lpar *lpar = stream->params.lpar;

	if (stream->params.role != PHYP_SOURCE ||
	    stream->state != VASI_STATE_ENABLED)
		return VASI_INVALID_STATE_TRANSITION;
	phyp_stream_set_state(stream, VASI_STATE_SUSPENDING, 0);
	lpar->ops->suspend(lpar->ctx);
	phyp_stream_announce(stream);
	return VASI_SUCCESS;
}

static enum vasi_status signal_abort(struct phyp_stream *stream, uint32_t reason)
{
	int ret = stream->state == VASI_STATE_COMPLETED ?
		  -EPERM : phyp_stream_abort_reason(stream, reason);

	if (!ret)
		return VASI_SUCCESS;
	return ret == -EPERM ? VASI_INVALID_STATE_TRANSITION : VASI_HARDWARE;
}

enum vasi_status phyp_stream_signal(struct phyp_stream *stream, uint16_t code,
				    uint32_t reason)
{
	switch (code) {
	case VASI_SIGNAL_CANCEL:
	case VASI_SIGNAL_SUSPEND:
		if (stream->state == VASI_STATE_ABORTED)
			return VASI_INVALID_STATE_TRANSITION;
		if (code == VASI_SIGNAL_SUSPEND)
			return signal_suspend(stream);
		return signal_abort(stream, reason);
	case VASI_SIGNAL_ABORT:
		return signal_abort(stream, reason);
	default:
		/* Paging's signals; and Failover, which is not offered */
		return VASI_INVALID_SIGNAL;
	}
}

/* ---- Messages between the platforms ---- */

/*
 * The session that a message goes on.  On a target one that the source has
 * started, if there is any: the others may be left from movers that are gone.
 */
static struct phyp_session *speaker(struct phyp_stream *stream)
{
	bool target = stream->params.role == PHYP_TARGET;
	struct phyp_session *s, *found = NULL;

	TAILQ_FOREACH(s, &stream->sessions, link) {
		if (s->failed || s->closing || (target && s->target.stale))
			continue;
		if (!target || s->target.started)
			return s;
		if (!found)
			found = s;
	}
	return found;
}

void phyp_stream_tell(struct phyp_stream *stream, uint8_t type)
{
	struct phyp_session *s = speaker(stream);

	if (!s)
		return;
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_UPLOAD,
		.control = VASI_CONTROL_PASS_THROUGH,
		.handle = s->top,
		.data = (uint64_t)type << MSG_TYPE_SHIFT | stream->incarnation,
	});
}

static void source_resumed(struct phyp_stream *stream)
{
	if (stream->state != VASI_STATE_SUSPENDED || stream->params.hibernated)
		return;
	phyp_stream_set_state(stream, VASI_STATE_RESUMED, 0);
	phyp_stream_announce(stream);
}

/* Is the partition the target's, and all of it there? */
static bool may_complete(const struct phyp_stream *stream)
{
	if (!stream->params.hibernated)
		return stream->state == VASI_STATE_RESUMED;
	return stream->state == (stream->params.role == PHYP_SOURCE ?
				 VASI_STATE_SUSPENDED : VASI_STATE_ENABLED);
}

/**
 * phyp_stream_complete - nothing is left to be done for the partition here
 * @stream:	in Resumed, or what is before Completed for a suspended partition; in
 *		another state nothing happens
 */
void phyp_stream_complete(struct phyp_stream *stream)
{
	struct phyp_lpar *lpar;

	if (!may_complete(stream))
		return;
	if (stream->params.role == PHYP_SOURCE)
		phyp_stream_tell(stream, PHYP_MSG_COMPLETED);
	lpar = detach_lpar(stream);
	phyp_stream_set_state(stream, VASI_STATE_COMPLETED, 0);
	if (lpar && lpar->ops->completed)
		lpar->ops->completed(lpar->ctx);
	phyp_stream_announce(stream);
}

static void source_message(struct phyp_stream *stream, uint8_t type,
			   uint32_t incarnation)
{
	uint32_t reason = (uint32_t)VASI_ABORT_TARGET_VSP <<
			  VASI_REASON_ENTITY_SHIFT;

	/*
	 * Whose partition it is only the system may say that has what was taken.
	 * Until Suspended nobody is asked, and anybody's NEVER will do.
	 */
	if (incarnation < stream->source.taken &&
	    (stream->state == VASI_STATE_SUSPENDED ||
	     stream->state == VASI_STATE_RESUMED)) {
		phyp_log(stream->phyp, LOG_WARNING,
			 "stream %016llx: a message of incarnation %u is not from who has taken incarnation %u: ignored",
			 (unsigned long long)stream->params.id, incarnation,
			 stream->source.taken);
		return;
	}
	switch (type) {
	case PHYP_MSG_RESUMED:
		source_resumed(stream);
		break;
	case PHYP_MSG_RECEIVED:
		source_resumed(stream);
		phyp_stream_complete(stream);
		break;
	case PHYP_MSG_NEVER:
		if (stream->state == VASI_STATE_SUSPENDED)
			phyp_stream_never(stream, reason);
		else
			abort_source(stream, reason);
		break;
	}
}

void phyp_stream_message(struct phyp_stream *stream, uint64_t data)
{
	uint8_t type = data >> MSG_TYPE_SHIFT;

	if ((data >> 32) & 0xFFFFFF || phyp_stream_final(stream))
		return;
	if (stream->params.role == PHYP_SOURCE)
		source_message(stream, type, (uint32_t)data);
	else if (type == PHYP_MSG_COMPLETED && stream->received)
		phyp_stream_complete(stream);
}

/* ---- Sessions come and go ---- */

enum vasi_status phyp_stream_check_open(struct phyp_vdev *vdev, uint64_t id,
					uint8_t service,
					struct phyp_stream **stream)
{
	struct phyp_stream *found = phyp_stream_find(vdev->phyp, id);
	unsigned int opens;

	if (!found || found->params.vdev != vdev)
		return VASI_INVALID_STREAM_ID;
	if (service != (uint8_t)found->params.role)
		return VASI_INVALID_SERVICE;
	if (found->state == VASI_STATE_ABORTED)
		return VASI_STREAM_ABORTED;
	opens = vdev->caps[service].opens;
	if (found->nsessions >= (opens ? opens : 1))
		return VASI_TOO_MANY_OPENS;
	*stream = found;
	return VASI_SUCCESS;
}

/* Passes that every session has completed */
static uint64_t passes(const struct phyp_stream *stream)
{
	bool source = stream->params.role == PHYP_SOURCE;
	struct phyp_session *s;
	uint64_t least = UINT64_MAX;

	TAILQ_FOREACH(s, &stream->sessions, link) {
		uint64_t pass = source ? s->source.pass : s->target.pass;

		if (source && !s->source.member)
			continue;
		if (pass < least)
			least = pass;
	}
	return least == UINT64_MAX ? 0 : least;
}

void phyp_stream_opened(struct phyp_session *s)
{
	s->stream->ever_opened = true;
}

void phyp_stream_closing(struct phyp_session *s)
{
	uint64_t done = passes(s->stream);

	/* They outlive the sessions that count them */
	if (done > s->stream->stats.passes)
		s->stream->stats.passes = done;
	if (s->stream->params.role == PHYP_SOURCE)
		phyp_source_closing(s);
	else
		phyp_target_closing(s);
}

static void source_closed(struct phyp_stream *stream)
{
	struct phyp_source *src = &stream->source;

	/*
	 * Nobody has to be asked until Suspended: the partition is here.  After
	 * it only the target's record says whose it is.  A stream that sent
	 * nothing yet may be opened again, unless the partition would stop for
	 * a mover that is gone.
	 */
	if ((src->broken && stream->state == VASI_STATE_ENABLED) ||
	    ((src->broken || !stream->nsessions) &&
	     stream->state == VASI_STATE_SUSPENDING))
		phyp_stream_abort(stream, VASI_ABORT_SOURCE_VSP,
				  VASI_STREAM_ABORTED);
	if (!stream->nsessions)
		phyp_source_park(stream);
}

void phyp_stream_closed(struct phyp_stream *stream)
{
	if (!stream->nsessions && stream->window_open)
		phyp_pane_forget(stream->params.vdev, stream);
	if (phyp_stream_final(stream))
		return;
	if (stream->params.role == PHYP_SOURCE)
		source_closed(stream);
	else if (!stream->nsessions && stream->received)
		phyp_stream_complete(stream);
}

enum vasi_status phyp_stream_feed(struct phyp_session *s, const void *data,
				  uint32_t length)
{
	enum vasi_status status;

	/* LoPAR: downloads to an aborted stream are flushed, with Success */
	if (phyp_stream_final(s->stream))
		return VASI_SUCCESS;
	if (s->stream->params.role == PHYP_SOURCE)
		status = phyp_source_feed(s, data, length);
	else
		status = phyp_target_feed(s, data, length);
	/* Its parser is somewhere inside what it refused */
	if (status)
		s->failed = true;
	return status;
}

void phyp_stream_responded(struct phyp_session *s, struct phyp_buffer *b,
			   enum vasi_status status, uint64_t residual)
{
	(void)residual;
	if (b->slot >= 0) {
		phyp_pane_put(s->vdev, b->slot);
		b->slot = -1;
	}
	if (phyp_stream_final(s->stream))
		return;
	if (s->stream->params.role == PHYP_SOURCE)
		phyp_source_responded(s, b, status);
}

/* ---- Donated cycles (LoPAR, "H_DONOR_OPERATION") ---- */

/* A session that was opened after the stream left Enabled */
static void greet(struct phyp_session *s)
{
	struct phyp_stream *stream = s->stream;

	announce(s);
	/* Connections may have been lost with it; the source cannot go on without */
	if (stream->received && phyp_stream_final(stream))
		phyp_stream_tell(stream, PHYP_MSG_RECEIVED);
}

/* Returns whether there are more */
static bool run_downloads(struct phyp_stream *stream, uint64_t deadline_ns)
{
	struct phyp_session *s;
	bool more = false;

	TAILQ_FOREACH(s, &stream->sessions, link) {
		if (!s->announced && stream->state != VASI_STATE_ENABLED)
			greet(s);
		phyp_downloads_run(s, deadline_ns);
		more |= s->ndownloads;
	}
	return more;
}

int64_t phyp_stream_donate(struct phyp_stream *stream)
{
	uint64_t deadline_ns = now(stream) + DONATION_NS;
	bool more = run_downloads(stream, deadline_ns);

	if (stream->state == VASI_STATE_ABORTED)
		return VASI_RC_ABORTED;
	if (stream->state == VASI_STATE_COMPLETED)
		return VASI_RC_SUCCESS;

	if (stream->params.role == PHYP_SOURCE)
		more |= phyp_source_work(stream, deadline_ns);
	else
		phyp_target_work(stream);
	if (more)
		return VASI_RC_IN_PROGRESS;
	/*
	 * Nothing to do but wait, also after something was done: a call to be told
	 * so would be one for every operation.  A running partition writes without
	 * telling; all else tells the VSP.
	 */
	return stream->params.role == PHYP_SOURCE ? VASI_RC_LONG_BUSY_1_MSEC :
						    VASI_RC_LONG_BUSY_10_MSEC;
}

/* ---- Progress (LoPAR, "VASI Progress") ---- */

bool phyp_stream_look(struct phyp_stream *stream)
{
	struct phyp_lpar *lpar = stream->params.lpar;

	if (stream->params.role != PHYP_SOURCE || !lpar || !lpar->ops->look ||
	    (stream->state != VASI_STATE_ENABLED &&
	     stream->state != VASI_STATE_SUSPENDING))
		return false;
	return lpar->ops->look(lpar->ctx);
}

void phyp_stream_progress(struct phyp_stream *stream)
{
	struct phyp_session *s;

	TAILQ_FOREACH(s, &stream->sessions, link) {
		for (; s->progress_due; s->progress_due--)
			phyp_send(s->vdev, &(struct vasi_msg) {
				.format = VASI_FMT_PROGRESS | VASI_FMT_RESPONSE,
				.status = VASI_SUCCESS,
				.handle = s->top,
				.data = phyp_stream_bytes_left(stream),
			});
	}
}

uint64_t phyp_stream_bytes_left(const struct phyp_stream *stream)
{
	const struct phyp_lpar *lpar = stream->params.lpar;

	if (!lpar)
		return 0;
	if (stream->params.role == PHYP_TARGET)
		return phyp_target_bytes_left(stream);
	return phyp_bitmap_count(&lpar->pages.dirty) << lpar->pages.shift;
}

/* ---- Creation, recovery, end ---- */

struct phyp_stream *phyp_stream_find(struct phyp *phyp, uint64_t id)
{
	struct phyp_stream *stream;

	TAILQ_FOREACH(stream, &phyp->streams, link)
		if (stream->params.id == id)
			return stream;
	return NULL;
}

static unsigned int streams_of(const struct phyp_vdev *vdev)
{
	struct phyp_stream *stream;
	unsigned int n = 0;

	TAILQ_FOREACH(stream, &vdev->phyp->streams, link)
		if (stream->params.vdev == vdev && !phyp_stream_final(stream))
			n++;
	return n;
}

static int check_params(struct phyp *phyp,
			const struct phyp_stream_params *params)
{
	enum phyp_verdict verdict = PHYP_VERDICT_NONE;
	int ret;

	if (!params->id || !params->lpar || !params->vdev ||
	    (params->max_op_bytes && (params->max_op_bytes < MIN_OP_BYTES ||
				      params->max_op_bytes > MAX_OP_BYTES)) ||
	    (params->role != PHYP_SOURCE && params->role != PHYP_TARGET))
		return -EINVAL;
	if (phyp_stream_find(phyp, params->id))
		return -EEXIST;
	if (params->lpar->stream)
		return -EBUSY;
	if (streams_of(params->vdev) >= params->vdev->params.streams)
		return -ENOSPC;
	if (params->role == PHYP_SOURCE)
		return 0;
	ret = phyp->ops->record_read(phyp->ctx, params->id, &verdict);
	if (ret)
		return ret;
	return verdict == PHYP_VERDICT_NONE ? 0 : -EEXIST;
}

/**
 * phyp_stream_create - create a stream in state Enabled
 * @phyp:	platform
 * @params:	copied
 * @stream:	the new stream
 *
 * Return: 0; -EEXIST when the id is in use, or was (a stream id is used once);
 * -EBUSY when the partition is in another stream; -ENOSPC when the device has
 * no stream left; -EINVAL; -ENOMEM; an error reading the ownership record.
 */
int phyp_stream_create(struct phyp *phyp,
		       const struct phyp_stream_params *params,
		       struct phyp_stream **stream)
{
	struct phyp_stream *new;
	int ret = check_params(phyp, params);

	if (ret)
		return ret;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->phyp = phyp;
	new->params = *params;
	if (!new->params.max_op_bytes)
		new->params.max_op_bytes = DEFAULT_OP_BYTES;
	new->params.all_pages_before_resume |= params->hibernated;
	new->state = VASI_STATE_ENABLED;
	new->stats.created_ns = now(new);
	TAILQ_INIT(&new->sessions);

	if (params->role == PHYP_SOURCE)
		ret = phyp_source_init(new);
	else
		ret = phyp_target_init(new);
	if (ret)
		goto err_free_stream;

	params->lpar->stream = new;
	TAILQ_INSERT_TAIL(&phyp->streams, new, link);
	*stream = new;
	return 0;

err_free_stream:
	free(new);
	return ret;
}

bool phyp_stream_is_held(const struct phyp_stream *stream)
{
	return stream->params.role == PHYP_TARGET && stream->params.hold_resume &&
	       stream->state == VASI_STATE_ENABLED && stream->params.lpar &&
	       stream->target.handover == PHYP_HANDOVER_LOADED &&
	       !phyp_bitmap_count(&stream->params.lpar->pages.missing);
}

int phyp_stream_release(struct phyp_stream *stream)
{
	if (!phyp_stream_is_held(stream))
		return -EPERM;
	stream->params.hold_resume = false;
	phyp_target_work(stream);
	return 0;
}

/**
 * phyp_stream_end - forget a stream
 * @stream:	in a final state, no session open; gone on success
 *
 * Return: 0 or -EBUSY.
 */
int phyp_stream_end(struct phyp_stream *stream)
{
	if (!phyp_stream_final(stream) || stream->nsessions)
		return -EBUSY;
	phyp_stream_free(stream);
	return 0;
}

void phyp_stream_free(struct phyp_stream *stream)
{
	detach_lpar(stream);
	TAILQ_REMOVE(&stream->phyp->streams, stream, link);
	if (stream->params.role == PHYP_SOURCE)
		phyp_source_exit(stream);
	else
		phyp_target_exit(stream);
	free(stream);
}

/**
 * phyp_stream_recover - a source acts on the target's record
 * @stream:	source stream
 * @verdict:	what the record says
 * @received:	the target has all of the partition
 *
 * Return: 0; -EINVAL for a target's stream or no verdict; -EPERM when the
 * verdict contradicts the stream's state.
 */
int phyp_stream_recover(struct phyp_stream *stream, enum phyp_verdict verdict,
			bool received)
{
	uint32_t reason = (uint32_t)VASI_ABORT_ORCHESTRATOR <<
			  VASI_REASON_ENTITY_SHIFT;

	if (stream->params.role != PHYP_SOURCE)
		return -EINVAL;

	if (verdict == PHYP_VERDICT_NEVER) {
		if (stream->state == VASI_STATE_SUSPENDED) {
			phyp_stream_never(stream, reason);
			return 0;
		}
		return abort_source(stream, reason);
	}
	if (verdict != PHYP_VERDICT_RESUMED)
		return -EINVAL;
	/* Its record is written when all is there */
	if (stream->params.hibernated) {
		phyp_stream_complete(stream);
		return stream->state == VASI_STATE_COMPLETED ? 0 : -EPERM;
	}
	source_resumed(stream);
	if (stream->state != VASI_STATE_RESUMED &&
	    stream->state != VASI_STATE_COMPLETED)
		return -EPERM;
	if (received)
		phyp_stream_complete(stream);
	return 0;
}

struct phyp_lpar *phyp_stream_lpar(const struct phyp_stream *stream)
{
	return stream->params.lpar;
}

/**
 * phyp_stream_stats - what a stream has done so far
 * @stream:	the stream
 * @stats:	filled in whole
 */
void phyp_stream_stats(const struct phyp_stream *stream,
		       struct phyp_stream_stats *stats)
{
	uint64_t current = passes(stream);

	*stats = stream->stats;
	stats->id = stream->params.id;
	stats->role = stream->params.role;
	stats->state = stream->state;
	stats->reason = stream->reason;
	stats->sessions = stream->nsessions;
	stats->parked = stream->ever_opened && !stream->nsessions &&
			!phyp_stream_final(stream);
	stats->incarnation = stream->incarnation;
	stats->bytes_left = phyp_stream_bytes_left(stream);
	stats->received = stream->received;
	if (current > stats->passes)
		stats->passes = current;
	if (stats->role == PHYP_TARGET)
		phyp_target_latency(stream, stats->demand_us);
}
