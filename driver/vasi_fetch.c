// SPDX-License-Identifier: GPL-2.0
/*
 * Events to user space: VASI_IOC_FETCH.
 *
 * A session's events are the items that are done, in order.  A fetch takes some,
 * copies them out, and only then gives them up: what could not be copied goes back to
 * the head of the list.
 *
 * An io_uring command that finds no event waits, one a session.  Whoever takes it out of
 * session->fetch_cmd, under adapter->lock, completes it: an event (in the task that
 * asked, since user memory is written), a fetch of nothing, or a cancellation.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "vasi.h"

/* Items that are taken at a time */
#define VASI_FETCH_BATCH	16

/**
 * struct vasi_fetch_pdu - what a waiting command remembers
 * @session:	whose events; the command's file holds it
 * @vector:	room for them
 */
struct vasi_fetch_pdu {
	struct vasi_session *session;
	struct vasi_vector vector;
};

static struct vasi_fetch_pdu *vasi_fetch_pdu(struct io_uring_cmd *cmd)
{
	BUILD_BUG_ON(sizeof(struct vasi_fetch_pdu) > sizeof(cmd->pdu));
	return (struct vasi_fetch_pdu *)cmd->pdu;
}

/**
 * vasi_item_get() - an item for a request without a buffer
 * @s:		session
 * @keep:	as many are kept for more important things
 *
 * Context: adapter->lock.
 * Return: an item without message and event, or NULL.
 */
struct vasi_item *vasi_item_get(struct vasi_session *s, u32 keep)
{
	struct vasi_item *item;

	if (s->free_count <= keep)
		return NULL;
	item = list_first_entry(&s->free_items, struct vasi_item, node);
	list_del_init(&item->node);
	s->free_count--;
	memset(&item->msg, 0, sizeof(item->msg));
	memset(&item->event, 0, sizeof(item->event));
	return item;
}

static void vasi_item_put(struct vasi_item *item)
{
	struct vasi_session *s = item->session;

	list_add(&item->node, &s->free_items);
	s->free_count++;
	/* EPOLLOUT: there is room for a request again */
	if (s->free_count == VASI_STATE_ITEMS + VASI_UPLOAD_ITEMS + 1)
		wake_up_all(&s->wait);
}

/**
 * vasi_item_done() - an item's event can be fetched
 * @item:	with its event filled in
 *
 * Context: adapter->lock.
 */
void vasi_item_done(struct vasi_item *item)
{
	list_add_tail(&item->node, &item->session->events);
	vasi_session_wake(item->session);
}

/**
 * vasi_item_fetched() - user space has an item's event
 * @item:	it is free now, and so is a buffer that it is part of, or user space's
 *
 * Context: adapter->lock.
 */
void vasi_item_fetched(struct vasi_item *item)
{
	struct vasi_session *s = item->session;

	list_del_init(&item->node);
	if (item == &s->control || item == &s->abort)
		return;
	switch (item->event.type) {
	case VASI_EVT_OPERATION:
		vasi_buf_move(item_to_buf(item), VASI_BUF_USER);
		break;
	case VASI_EVT_ADDED:
	case VASI_EVT_DOWNLOADED:
	case VASI_EVT_DIRTY_MAP:
		vasi_buf_move(item_to_buf(item), VASI_BUF_FREE);
		break;
	default:
		if (item == s->last_state)
			s->last_state = NULL;
		vasi_item_put(item);
	}
}

/* Why there are no events: 0 = not yet */
static int vasi_fetch_error(const struct vasi_session *s)
{
	int ret = vasi_session_error(s);

	return s->state == VASI_SESSION_CLOSING ? 0 : ret;
}

static int vasi_fetch_take(struct vasi_session *s, struct list_head *taken, u32 most)
{
	struct vasi_item *item, *next;
	u32 count = 0;
	int ret = 0;

	spin_lock(&s->adapter->lock);
	list_for_each_entry_safe(item, next, &s->events, node) {
		if (count == most)
			break;
		/* What is being copied must not change any more */
		if (item == s->last_state)
			s->last_state = NULL;
		list_move_tail(&item->node, taken);
		count++;
	}
	if (!count)
		ret = vasi_fetch_error(s);
	spin_unlock(&s->adapter->lock);
	return ret ? ret : count;
}

/*
 * The indirect data of an operation.  When they cannot be had, it is the platform that
 * has to know: user space never sees the operation.
 */
static bool vasi_fetch_data(struct vasi_item *item)
{
	struct vasi_session *s = item->session;
	int ret = -EIO;

	if (item->event.type != VASI_EVT_OPERATION || !item->event.u.operation.fetched)
		return true;
	mutex_lock(&s->copy_lock);
	if (READ_ONCE(s->state) == VASI_SESSION_OPEN)
		ret = vasi_buf_fetch_indirect(item_to_buf(item));
	mutex_unlock(&s->copy_lock);
	return !ret;
}

static void vasi_fetch_refuse(struct vasi_item *item)
{
	struct vasi_buf *buf = item_to_buf(item);
	struct vasi_adapter *a = item->session->adapter;

	spin_lock(&a->lock);
	list_del_init(&item->node);
	vasi_buf_move(buf, VASI_BUF_RESPONDING);
	buf->status = VASI_HARDWARE;
	buf->residual = 0;
	buf->add_next = true;
	if (item->session->state == VASI_SESSION_OPEN) {
		item->msg.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE;
		vasi_queue_item(item);
		vasi_queue_run(a);
	}
	spin_unlock(&a->lock);
}

static int vasi_fetch_copy(void __user *to, u32 bytes, const struct vasi_io_event *event)
{
	u32 known = min_t(u32, bytes, sizeof(*event));

	if (copy_to_user(to, event, known) || clear_user(to + known, bytes - known))
		return -EFAULT;
	return 0;
}

/* Copies out what was taken; what is left in the list was not copied */
static int vasi_fetch_give(struct vasi_session *s, struct list_head *taken,
			   const struct vasi_vector *vector, u32 *done)
{
	struct vasi_adapter *a = s->adapter;
	struct vasi_item *item, *next;

	list_for_each_entry_safe(item, next, taken, node) {
		void __user *to = u64_to_user_ptr(vector->entries) +
				  (u64)*done * vector->entry_bytes;

		if (!vasi_fetch_data(item)) {
			vasi_fetch_refuse(item);
			continue;
		}
		/* Counted when it is given, so that what is refused leaves no gap */
		if (item->event.type == VASI_EVT_OPERATION)
			item->event.u.operation.sequence = s->sequence;
		if (vasi_fetch_copy(to, vector->entry_bytes, &item->event))
			return -EFAULT;
		spin_lock(&a->lock);
		s->sequence += item->event.type == VASI_EVT_OPERATION;
		vasi_item_fetched(item);
		spin_unlock(&a->lock);
		(*done)++;
	}
	return 0;
}

static void vasi_fetch_in_task(struct io_uring_cmd *cmd, unsigned int issue_flags);

/* Have a command that was taken out of fetch_cmd completed */
static void vasi_fetch_complete(struct io_uring_cmd *cmd)
{
	io_uring_cmd_complete_in_task(cmd, vasi_fetch_in_task);
}

/*
 * Have a command wait until there is something for it.
 * Return: -EIOCBQUEUED, 0: it is not to wait again, or -EBUSY: another one waits.
 */
static int vasi_fetch_wait(struct vasi_session *s, struct io_uring_cmd *cmd)
{
	struct vasi_adapter *a = s->adapter;
	int ret = -EIOCBQUEUED;

	spin_lock(&a->lock);
	if (s->fetch_end) {
		s->fetch_end = false;
		ret = 0;
	} else if (s->fetch_cmd) {
		ret = -EBUSY;
	} else {
		s->fetch_cmd = cmd;
		s->fetch_going = false;
		/* There may be something already */
		if (!list_empty(&s->events) || vasi_fetch_error(s))
			vasi_session_wake(s);
	}
	spin_unlock(&a->lock);
	return ret;
}

/* End the fetch that waits, as with nothing fetched */
static void vasi_fetch_end(struct vasi_session *s)
{
	struct io_uring_cmd *cmd;

	spin_lock(&s->adapter->lock);
	cmd = s->fetch_cmd;
	s->fetch_cmd = NULL;
	if (cmd)
		vasi_fetch_pdu(cmd)->vector.count = 0;
	/* One that is about to look for events again is not to wait, either */
	s->fetch_end = s->fetch_going;
	spin_unlock(&s->adapter->lock);
	if (cmd)
		vasi_fetch_complete(cmd);
}

/**
 * vasi_fetch() - fetch events
 * @s:		session
 * @vector:	room for them, checked
 *
 * Context: sleeps; may access user memory.
 * Return: how many were stored, or -EFAULT, -EINTR, or why there will be no more.
 */
int vasi_fetch(struct vasi_session *s, const struct vasi_vector *vector)
{
	LIST_HEAD(taken);
	u32 done = 0;
	int ret = 0;

	if (!vector->count)
		vasi_fetch_end(s);
	if (mutex_lock_interruptible(&s->fetch_lock))
		return -EINTR;
	while (done < vector->count) {
		ret = vasi_fetch_take(s, &taken, min(vector->count - done, VASI_FETCH_BATCH));
		if (ret <= 0)
			break;
		ret = vasi_fetch_give(s, &taken, vector, &done);
		if (ret)
			break;
	}
	if (!list_empty(&taken)) {
		spin_lock(&s->adapter->lock);
		list_splice(&taken, &s->events);
		/* Somebody may have found nothing meanwhile */
		vasi_session_wake(s);
		spin_unlock(&s->adapter->lock);
	}
	mutex_unlock(&s->fetch_lock);
	return done ? done : ret;
}

/* The command that was on its way is completed */
static void vasi_fetch_gone(struct vasi_session *s)
{
	spin_lock(&s->adapter->lock);
	s->fetch_going = false;
	s->fetch_end = false;
	spin_unlock(&s->adapter->lock);
}

/* In the task that asked */
static void vasi_fetch_in_task(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct vasi_fetch_pdu *pdu = vasi_fetch_pdu(cmd);
	struct vasi_session *s = pdu->session;
	int ret;

	if (current->flags & (PF_EXITING | PF_KTHREAD))
		ret = -ECANCELED;
	else if (!pdu->vector.count)
		ret = 0;
	else
		ret = vasi_fetch(s, &pdu->vector);
	/* Another fetch was faster: wait on */
	if (!ret && pdu->vector.count)
		ret = vasi_fetch_wait(s, cmd);
	if (ret == -EIOCBQUEUED)
		return;
	vasi_fetch_gone(s);
	io_uring_cmd_done(cmd, ret, 0, issue_flags);
}

/**
 * vasi_session_wake() - there are events, or the session's state changed
 * @s:		session
 *
 * Context: adapter->lock.
 */
void vasi_session_wake(struct vasi_session *s)
{
	struct io_uring_cmd *cmd = s->fetch_cmd;

	wake_up_all(&s->wait);
	if (!cmd)
		return;
	s->fetch_cmd = NULL;
	s->fetch_going = true;
	vasi_fetch_complete(cmd);
}

/**
 * vasi_fetch_command() - VASI_IOC_FETCH as an io_uring command
 * @s:		session
 * @cmd:	command
 * @vector:	room, checked
 * @issue_flags: of io_uring
 *
 * Context: as io_uring has it; may access user memory.
 * Return: what vasi_fetch() says, -EIOCBQUEUED: it waits, or is completed already.
 */
int vasi_fetch_command(struct vasi_session *s, struct io_uring_cmd *cmd,
		       const struct vasi_vector *vector, unsigned int issue_flags)
{
	struct vasi_fetch_pdu *pdu = vasi_fetch_pdu(cmd);
	int ret;

	ret = vasi_fetch(s, vector);
	if (ret || !vector->count || !VASI_COMPAT_CANCEL)
		return ret;
	pdu->session = s;
	pdu->vector = *vector;
	/* From here on it has to be completed by io_uring_cmd_done() */
	vasi_compat_mark_cancelable(cmd, issue_flags);
	ret = vasi_fetch_wait(s, cmd);
	if (ret != -EIOCBQUEUED)
		io_uring_cmd_done(cmd, ret, 0, issue_flags);
	return -EIOCBQUEUED;
}

/**
 * vasi_fetch_cancel() - a waiting command is cancelled
 * @s:		session
 * @cmd:	command; if it is not waiting any more, it is about to be completed
 * @issue_flags: of io_uring
 */
void vasi_fetch_cancel(struct vasi_session *s, struct io_uring_cmd *cmd,
		       unsigned int issue_flags)
{
	bool mine;

	spin_lock(&s->adapter->lock);
	mine = s->fetch_cmd == cmd;
	if (mine)
		s->fetch_cmd = NULL;
	spin_unlock(&s->adapter->lock);
	if (mine)
		io_uring_cmd_done(cmd, -ECANCELED, 0, issue_flags);
}
