// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions, from Open to the last reference.
 *
 *	            answer: refused, or no answer came
 *	OPENING ---------------------------------------------> CLOSED
 *	   |  \                                                  ^
 *	   |   +--> ABANDONED --- answer: it is open --+         |
 *	   | answer                                    v  answer |
 *	   +------> OPEN ----------- Close -------> CLOSING -----+
 *
 *	any of these but CLOSED --- reset of the adapter ---> LOST
 */
#include <linux/slab.h>

#include "vasi.h"
#include "vasi_trace.h"

/* The platform answers an Open within milliseconds, a Close after what it has queued */
#define VASI_OPEN_TIMEOUT	(10 * HZ)
#define VASI_CLOSE_TIMEOUT	(60 * HZ)

static const char * const vasi_session_state_names[] = {
	[VASI_SESSION_OPENING]	 = "opening",
	[VASI_SESSION_ABANDONED] = "abandoned",
	[VASI_SESSION_OPEN]	 = "open",
	[VASI_SESSION_CLOSING]	 = "closing",
	[VASI_SESSION_CLOSED]	 = "closed",
	[VASI_SESSION_LOST]	 = "lost",
};

const char *vasi_session_state_name(enum vasi_session_state state)
{
	return state < ARRAY_SIZE(vasi_session_state_names) ? vasi_session_state_names[state] :
	       "?";
}

static void vasi_session_move(struct vasi_session *s, enum vasi_session_state state)
{
	lockdep_assert_held(&s->adapter->lock);
	trace_vasi_session(s, state);
	s->state = state;
	vasi_session_wake(s);
}

/**
 * vasi_session_error() - why a session takes no requests
 * @s:		session
 *
 * Context: adapter->lock.
 * Return: 0: it is open; -ENOTCONN, -ECONNRESET, or -ENODEV: the adapter is gone.
 */
int vasi_session_error(const struct vasi_session *s)
{
	switch (s->state) {
	case VASI_SESSION_OPEN:
		return 0;
	case VASI_SESSION_LOST:
		return s->adapter->state == VASI_ADAPTER_DEAD ? -ENODEV : -ECONNRESET;
	default:
		return -ENOTCONN;
	}
}

/**
 * vasi_session_check() - vasi_session_error() for those without the lock
 * @s:		session
 *
 * Return: as there; it may change at once.
 */
int vasi_session_check(struct vasi_session *s)
{
	int ret;

	spin_lock(&s->adapter->lock);
	ret = vasi_session_error(s);
	spin_unlock(&s->adapter->lock);
	return ret;
}

static void vasi_session_free(struct kref *ref)
{
	struct vasi_session *s = container_of(ref, struct vasi_session, ref);

	vasi_pools_free(s);
	vasi_adapter_put(s->adapter);
	kvfree(s);
}

/**
 * vasi_session_put() - drop a reference
 * @s:		session
 *
 * Context: may free, not under adapter->lock.
 */
void vasi_session_put(struct vasi_session *s)
{
	kref_put(&s->ref, vasi_session_free);
}

static void vasi_item_init(struct vasi_item *item, struct vasi_session *s)
{
	item->session = s;
	INIT_LIST_HEAD(&item->node);
}

static struct vasi_session *vasi_session_new(struct vasi_adapter *a, u64 stream_id, u32 service)
{
	struct vasi_session *s;
	u32 i;

	s = kvzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return NULL;
	kref_init(&s->ref);
	get_device(&a->dev);
	s->adapter = a;
	s->stream_id = stream_id;
	s->service = service;
	s->state = VASI_SESSION_OPENING;
	INIT_LIST_HEAD(&s->slots);
	INIT_LIST_HEAD(&s->events);
	INIT_LIST_HEAD(&s->free_items);
	mutex_init(&s->fetch_lock);
	mutex_init(&s->setup_lock);
	mutex_init(&s->copy_lock);
	init_waitqueue_head(&s->wait);
	vasi_item_init(&s->control, s);
	vasi_item_init(&s->abort, s);
	for (i = 0; i < VASI_SESSION_ITEMS; i++) {
		vasi_item_init(&s->items[i], s);
		list_add_tail(&s->items[i].node, &s->free_items);
	}
	s->free_count = VASI_SESSION_ITEMS;
	return s;
}

/* A place in the table, which gets a reference, and a name */
static int vasi_session_enter(struct vasi_session *s)
{
	struct vasi_adapter *a = s->adapter;
	u32 i;

	for (i = 0; i < VASI_MAX_SESSIONS; i++) {
		if (a->sessions[i])
			continue;
		s->index = i;
		a->epoch = (a->epoch + 1) & VASI_EPOCH_MASK;
		/* H_DONOR_OPERATION names no adapter: those of two must differ */
		s->top = (u32)a->id << VASI_ADAPTER_SHIFT | a->epoch << VASI_SESSION_BITS | i;
		a->sessions[i] = s;
		kref_get(&s->ref);
		return 0;
	}
	return -ENOSPC;
}

static void vasi_session_leave(struct vasi_session *s)
{
	s->adapter->sessions[s->index] = NULL;
}

/* LoPAR, "VASI CRQ Message Definition": Open */
static int vasi_session_ask(struct vasi_session *s)
{
	struct vasi_adapter *a = s->adapter;
	int ret = -ENODEV;

	spin_lock(&a->lock);
	if (a->state == VASI_ADAPTER_DEAD)
		goto unlock;
	ret = -ECONNRESET;
	if (a->state != VASI_ADAPTER_READY || a->reset_pending)
		goto unlock;
	ret = vasi_session_enter(s);
	if (ret)
		goto unlock;
	s->control.msg = (struct vasi_msg) {
		.format = VASI_FMT_OPEN,
		.service = s->service,
		.handle = s->top,
		.data = s->stream_id,
	};
	vasi_queue_item(&s->control);
	vasi_queue_run(a);
unlock:
	spin_unlock(&a->lock);
	return ret;
}

static int vasi_session_await(struct vasi_session *s, u8 *status)
{
	struct vasi_adapter *a = s->adapter;
	long left;
	int ret;

	left = wait_event_killable_timeout(s->wait, READ_ONCE(s->state) != VASI_SESSION_OPENING,
					   VASI_OPEN_TIMEOUT);
	spin_lock(&a->lock);
	*status = s->open_status;
	switch (s->state) {
	case VASI_SESSION_OPENING:
		/* When the answer comes nobody wants it any more */
		vasi_session_move(s, VASI_SESSION_ABANDONED);
		ret = left < 0 ? -EINTR : -ETIMEDOUT;
		break;
	case VASI_SESSION_CLOSED:
		ret = -EREMOTEIO;
		break;
	default:
		ret = vasi_session_error(s);
	}
	spin_unlock(&a->lock);
	return ret;
}

static int vasi_adapter_await(struct vasi_adapter *a)
{
	long left;

	left = wait_event_killable_timeout(a->wait,
					   READ_ONCE(a->state) == VASI_ADAPTER_READY ||
					   READ_ONCE(a->state) == VASI_ADAPTER_DEAD,
					   VASI_OPEN_TIMEOUT);
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/**
 * vasi_session_open() - open a stream
 * @a:		adapter
 * @stream_id:	stream
 * @service:	role
 * @status:	takes the platform's answer
 *
 * Context: sleeps, killably, for the adapter and for the answer.
 * Return: a session with a reference for the caller, or -EINTR, -ETIMEDOUT, -ENODEV,
 * -ECONNRESET, -ENOSPC, -ENOMEM, -EREMOTEIO: refused, see @status.
 */
struct vasi_session *vasi_session_open(struct vasi_adapter *a, u64 stream_id, u32 service,
				       u8 *status)
{
	struct vasi_session *s;
	int ret;

	ret = vasi_adapter_await(a);
	if (ret)
		return ERR_PTR(ret);
	s = vasi_session_new(a, stream_id, service);
	if (!s)
		return ERR_PTR(-ENOMEM);
	ret = vasi_session_ask(s);
	if (ret)
		goto put_session;
	ret = vasi_session_await(s, status);
	if (ret)
		goto put_session;
	vasi_notify_session(s, VASI_CMD_SESSION_OPEN_NTF);
	return s;

put_session:
	vasi_session_put(s);
	return ERR_PTR(ret);
}

static void vasi_session_ask_close(struct vasi_session *s)
{
	vasi_session_move(s, VASI_SESSION_CLOSING);
	s->control.msg = (struct vasi_msg){ .format = VASI_FMT_CLOSE };
	s->control.event.type = VASI_EVT_CLOSED;
	s->close_by = 0;
	vasi_queue_item(&s->control);
}

/**
 * vasi_session_close_sent() - a Close went to the platform
 * @s:		session that is CLOSING
 *
 * Context: adapter->lock.
 */
void vasi_session_close_sent(struct vasi_session *s)
{
	/* 0 is for those that were not sent */
	s->close_by = (jiffies + VASI_CLOSE_TIMEOUT) | 1;
	vasi_adapter_watch(s->adapter);
}

/**
 * vasi_sessions_overdue() - has the platform not answered a Close for too long?
 * @a:		adapter
 * @closing:	set if there are Closes that may still be answered
 *
 * Context: adapter->lock.
 */
bool vasi_sessions_overdue(struct vasi_adapter *a, bool *closing)
{
	u32 i;

	*closing = false;
	for (i = 0; i < VASI_MAX_SESSIONS; i++) {
		const struct vasi_session *s = a->sessions[i];

		if (!s || s->state != VASI_SESSION_CLOSING || !s->close_by)
			continue;
		*closing = true;
		if (time_after(jiffies, s->close_by))
			return true;
	}
	return false;
}

/**
 * vasi_session_opened() - an Open was answered
 * @s:		session that is OPENING or ABANDONED
 * @status:	of the answer
 * @bottom:	with Success: the platform's name of it
 *
 * Context: adapter->lock.  If the session is CLOSED now, the table's reference is the
 * caller's, to be given to vasi_session_closed() without the lock.
 */
void vasi_session_opened(struct vasi_session *s, u8 status, u32 bottom)
{
	s->open_status = status;
	if (status != VASI_SUCCESS) {
		vasi_session_leave(s);
		vasi_session_move(s, VASI_SESSION_CLOSED);
		return;
	}
	s->bottom = bottom;
	if (s->state == VASI_SESSION_ABANDONED)
		vasi_session_ask_close(s);
	else
		vasi_session_move(s, VASI_SESSION_OPEN);
}

/**
 * vasi_session_close() - ask for the end of a session
 * @s:		session
 * @token:	for VASI_EVT_CLOSED
 *
 * LoPAR, "VASI CRQ Message Definition": Close.
 *
 * Context: adapter->lock.  vasi_queue_run() is the caller's.
 * Return: 0, or what vasi_session_error() says.
 */
int vasi_session_close(struct vasi_session *s, u64 token)
{
	int ret = vasi_session_error(s);

	if (ret)
		return ret;
	s->control.event.token = token;
	vasi_session_ask_close(s);
	return 0;
}

/**
 * vasi_session_over() - a Close was answered
 * @s:		session that is CLOSING; its event has been told
 *
 * Context: adapter->lock.  The table's reference is the caller's now, to be given to
 * vasi_session_closed() without the lock.
 */
void vasi_session_over(struct vasi_session *s)
{
	vasi_queue_forget(s);
	vasi_session_leave(s);
	vasi_session_move(s, VASI_SESSION_CLOSED);
}

/**
 * vasi_session_closed() - a session is over: the platform forgot its buffers
 * @s:		session that just became CLOSED, out of the table
 *
 * Context: sleeps; no lock.  Drops the table's reference.
 */
void vasi_session_closed(struct vasi_session *s)
{
	/* A pool that is being set up finds out that it is too late */
	mutex_lock(&s->setup_lock);
	mutex_lock(&s->copy_lock);
	vasi_pools_unmap(s);
	mutex_unlock(&s->copy_lock);
	mutex_unlock(&s->setup_lock);
	vasi_session_put(s);
}

/* A mover that dies takes its stream with it, as far as the platform lets it */
static void vasi_session_abort(struct vasi_session *s)
{
	u32 entity = s->service == VASI_SERVICE_SOURCE_MOVER ? VASI_ABORT_SOURCE_VSP :
							       VASI_ABORT_TARGET_VSP;

	s->abort.msg = (struct vasi_msg) {
		.format = VASI_FMT_SIGNAL,
		.code = VASI_SIGNAL_ABORT,
		.reason = entity << VASI_REASON_ENTITY_SHIFT,
	};
	vasi_queue_item(&s->abort);
}

/**
 * vasi_session_release() - the file of a session is gone
 * @s:		session; the file's reference goes with it
 *
 * A session that was not closed is aborted and closed: nobody is left to say what
 * becomes of its stream.  What it had asked for and was not sent yet nobody wants either.
 *
 * Context: may sleep.
 */
void vasi_session_release(struct vasi_session *s)
{
	struct vasi_adapter *a = s->adapter;

	spin_lock(&a->lock);
	if (s->state == VASI_SESSION_OPEN) {
		vasi_queue_drop(s);
		vasi_session_abort(s);
		vasi_session_ask_close(s);
		vasi_queue_run(a);
	}
	spin_unlock(&a->lock);
	vasi_session_put(s);
}

/**
 * vasi_session_by_top() - the session that a TOP names
 * @a:		adapter
 * @top:	from the platform
 *
 * Context: adapter->lock.
 * Return: the session, or NULL.
 */
struct vasi_session *vasi_session_by_top(struct vasi_adapter *a, u32 top)
{
	u32 index = top & (BIT(VASI_SESSION_BITS) - 1);
	struct vasi_session *s;

	if (index >= VASI_MAX_SESSIONS)
		return NULL;
	s = a->sessions[index];
	return s && s->top == top ? s : NULL;
}

/**
 * vasi_session_by_bottom() - the session that a BOTTOM names
 * @a:		adapter
 * @bottom:	from the platform, which repeats it where it does not know it
 *
 * Context: adapter->lock.
 * Return: the session, or NULL.
 */
struct vasi_session *vasi_session_by_bottom(struct vasi_adapter *a, u32 bottom)
{
	u32 i;

	for (i = 0; i < VASI_MAX_SESSIONS; i++) {
		struct vasi_session *s = a->sessions[i];

		if (s && s->bottom == bottom &&
		    (s->state == VASI_SESSION_OPEN || s->state == VASI_SESSION_CLOSING))
			return s;
	}
	return NULL;
}

/**
 * vasi_sessions_lose() - every session ends with a reset
 * @a:		adapter; its list of lost sessions, by their control items, takes the table's
 *		references
 *
 * Context: adapter->lock.
 */
void vasi_sessions_lose(struct vasi_adapter *a)
{
	u32 i;

	for (i = 0; i < VASI_MAX_SESSIONS; i++) {
		struct vasi_session *s = a->sessions[i];

		if (!s)
			continue;
		vasi_queue_forget(s);
		vasi_session_leave(s);
		list_add_tail(&s->control.node, &a->lost);
		vasi_session_move(s, VASI_SESSION_LOST);
	}
}

/**
 * vasi_sessions_end() - the ring is not registered any more: let go of lost sessions
 * @a:		adapter
 *
 * Context: sleeps; adapter->ring_lock.
 */
void vasi_sessions_end(struct vasi_adapter *a)
{
	struct vasi_item *item, *next;

	list_for_each_entry_safe(item, next, &a->lost, node) {
		list_del_init(&item->node);
		vasi_session_closed(item->session);
	}
}
