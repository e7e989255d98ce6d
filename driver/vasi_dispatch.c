// SPDX-License-Identifier: GPL-2.0
/*
 * Messages from the platform.  They are not trusted: a correlator is looked up and
 * compared, an answer has to belong to something that was asked, and what makes no sense
 * resets the adapter rather than being guessed at.
 *
 * Answers name a session by TOP.  Where LoPAR has the platform repeat the request instead,
 * because it did not get far enough to know better, they name it by BOTTOM.
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>

#include "vasi.h"
#include "vasi_trace.h"

/* Statuses that are decided before BOTTOM is replaced by TOP in the answer */
static bool vasi_repeats_request(u8 status)
{
	return status == VASI_INVALID_BOTTOM || status == VASI_INVALID_FORMAT ||
	       status == VASI_UNKNOWN_RESERVED;
}

static struct vasi_slot *vasi_first_slot(struct vasi_session *s, u8 format)
{
	struct vasi_slot *slot;

	list_for_each_entry(slot, &s->slots, node) {
		if (slot->format == format)
			return slot;
	}
	return NULL;
}

static struct vasi_session *vasi_answer_session(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	u8 format = msg->format & ~VASI_FMT_RESPONSE;
	struct vasi_session *s;

	if (vasi_repeats_request(msg->status)) {
		s = vasi_session_by_bottom(a, msg->handle);
		if (s && vasi_first_slot(s, format))
			return s;
	}
	return vasi_session_by_top(a, msg->handle);
}

/*
 * The message that an answer belongs to: the one it names by correlator or descriptor, if
 * it carried one.  Only an Add Buffer that succeeded names nothing: it is the first one.
 */
static struct vasi_slot *vasi_answer_slot(struct vasi_session *s, const struct vasi_msg *msg)
{
	u8 format = msg->format & ~VASI_FMT_RESPONSE;
	struct vasi_slot *slot;

	list_for_each_entry(slot, &s->slots, node) {
		if (slot->format == format && slot->desc &&
		    (slot->correlator == msg->data || slot->desc == msg->data))
			return slot;
	}
	slot = vasi_first_slot(s, format);
	if (slot && slot->desc && !(format == VASI_FMT_ADD_BUFFER && msg->status == VASI_SUCCESS))
		return NULL;
	return slot;
}

/*
 * Has the buffer of an Add Buffer not moved on meanwhile?  It may wait to be added again,
 * still under its old name: then it is in the queue.
 */
static bool vasi_add_stands(const struct vasi_add_ref *ref)
{
	return ref->buf->generation == ref->generation && ref->buf->state == VASI_BUF_ADDING &&
	       list_empty(&ref->buf->item.node);
}

static void vasi_added(const struct vasi_add_ref *ref)
{
	/* An operation may have been faster than the answer */
	if (vasi_add_stands(ref))
		vasi_buf_move(ref->buf, VASI_BUF_PLATFORM);
}

static void vasi_add_refused(const struct vasi_add_ref *ref, u8 status)
{
	if (vasi_add_stands(ref))
		vasi_buf_tell(ref->buf, VASI_EVT_ADDED, status);
}

static void vasi_answer_add(struct vasi_session *s, struct vasi_slot *slot,
			    const struct vasi_msg *msg)
{
	if (msg->status == VASI_SUCCESS)
		vasi_added(&slot->add);
	else
		vasi_add_refused(&slot->add, msg->status);
}

/* Whether an error means that no buffer of a list was looked at */
static bool vasi_nothing_added(u8 status)
{
	return vasi_repeats_request(status) || status == VASI_INVALID_INDIRECT_DESCRIPTOR ||
	       status == VASI_INVALID_INDIRECT_LENGTH;
}

/*
 * The platform took fewer than it was given: no error.  The rest is added one by one, which
 * tells what is wrong with it if something is.
 */
static void vasi_add_rest(struct vasi_session *s, struct vasi_list *list, u32 from)
{
	u32 i;

	for (i = from; i < list->count; i++) {
		struct vasi_buf *buf = list->refs[i].buf;

		if (!vasi_add_stands(&list->refs[i]) || s->state != VASI_SESSION_OPEN)
			continue;
		buf->add_alone = true;
		vasi_buf_add(buf);
	}
}

/*
 * LoPAR leaves open whether the count is set with an error, so which buffers the platform
 * has is not known then: they stay ADDING, which takes an operation as well, and one
 * event tells user space to abort the stream.
 */
static void vasi_answer_add_list(struct vasi_session *s, struct vasi_slot *slot,
				 const struct vasi_msg *msg)
{
	struct vasi_list *list = slot->list;
	u32 i;

	if (msg->status == VASI_SUCCESS && msg->count > list->count) {
		vasi_adapter_reset_locked(s->adapter, VASI_RESET_PROTOCOL);
	} else if (msg->status == VASI_SUCCESS) {
		for (i = 0; i < msg->count; i++)
			vasi_added(&list->refs[i]);
		vasi_add_rest(s, list, msg->count);
	} else if (vasi_nothing_added(msg->status)) {
		for (i = 0; i < list->count; i++)
			vasi_add_refused(&list->refs[i], msg->status);
	} else {
		vasi_add_refused(&list->refs[min_t(u32, msg->count, list->count - 1)],
				 msg->status);
	}
}

static void vasi_answer_plain(struct vasi_slot *slot, enum vasi_io_event_type type, u8 status)
{
	slot->item->event.type = type;
	slot->item->event.status = status;
	vasi_item_done(slot->item);
}

/*
 * The correlator comes from the buffer, which user space can write: one that names none of
 * the session's is this session's trouble.  The buffer that came back is not known then.
 */
static void vasi_answer_free(struct vasi_session *s, struct vasi_slot *slot,
			     const struct vasi_msg *msg)
{
	struct vasi_io_event *event = &slot->item->event;
	u8 status = msg->status;
	struct vasi_buf *buf;

	if (status == VASI_SUCCESS) {
		buf = vasi_buf_find(s->adapter, msg->data);
		if (buf && buf->pool->session == s && vasi_buf_is_platforms(buf)) {
			vasi_buf_move(buf, VASI_BUF_FREE);
			event->pool = buf->pool->number;
			event->index = vasi_buf_index(buf);
		} else {
			status = VASI_HARDWARE;
		}
	}
	vasi_answer_plain(slot, VASI_EVT_FREED, status);
}

static void vasi_answer_download(struct vasi_session *s, struct vasi_slot *slot,
				 const struct vasi_msg *msg)
{
	vasi_buf_tell(item_to_buf(slot->item), VASI_EVT_DOWNLOADED, msg->status);
}

/* The caller walks as many bits as the answer says: no more than were asked for */
static bool vasi_read_dirty_map(const struct vasi_buf *buf, struct vasi_io_event *event)
{
	struct vasi_dirty_map_specifier spec;
	u32 asked = event->u.dirty_map.pages;

	dma_sync_single_for_cpu(buf->pool->session->adapter->dma_dev, buf->dma,
				buf->pool->buffer_bytes, DMA_BIDIRECTIONAL);
	memcpy(&spec, buf->data + VASI_CORRELATOR_BYTES, sizeof(spec));
	event->u.dirty_map.first_page = be64_to_cpu(spec.first_page);
	event->u.dirty_map.dirty = be64_to_cpu(spec.dirty);
	event->u.dirty_map.pages = be32_to_cpu(spec.pages);
	event->u.dirty_map.granule = be32_to_cpu(spec.granule);
	return event->u.dirty_map.pages <= asked &&
	       event->u.dirty_map.dirty <= event->u.dirty_map.pages;
}

static void vasi_answer_dirty_map(struct vasi_session *s, struct vasi_slot *slot,
				  const struct vasi_msg *msg)
{
	struct vasi_buf *buf = item_to_buf(slot->item);
	u8 status = msg->status;

	/* User space may have written over it, too: no reason to reset the adapter */
	if (status == VASI_SUCCESS && !vasi_read_dirty_map(buf, &slot->item->event))
		status = VASI_HARDWARE;
	if (status != VASI_SUCCESS)
		memset(&slot->item->event.u, 0, sizeof(slot->item->event.u));
	vasi_buf_tell(buf, VASI_EVT_DIRTY_MAP, status);
}

static void vasi_answer_signal(struct vasi_session *s, struct vasi_slot *slot,
			       const struct vasi_msg *msg)
{
	vasi_answer_plain(slot, VASI_EVT_SIGNALLED, msg->status);
}

static void vasi_answer_progress(struct vasi_session *s, struct vasi_slot *slot,
				 const struct vasi_msg *msg)
{
	if (msg->status == VASI_SUCCESS)
		slot->item->event.u.bytes_left = msg->data;
	vasi_answer_plain(slot, VASI_EVT_PROGRESS, msg->status);
}

static void vasi_answer_message(struct vasi_session *s, struct vasi_slot *slot,
				const struct vasi_msg *msg)
{
	vasi_answer_plain(slot, VASI_EVT_MESSAGED, msg->status);
}

static void vasi_answer_close(struct vasi_session *s, struct vasi_slot *slot,
			      const struct vasi_msg *msg)
{
	vasi_answer_plain(slot, VASI_EVT_CLOSED, msg->status);
}

/* By format without VASI_FMT_RESPONSE.  Open has no TOP and is apart. */
static void (* const vasi_answers[])(struct vasi_session *s, struct vasi_slot *slot,
				     const struct vasi_msg *msg) = {
	[VASI_FMT_CLOSE]		= vasi_answer_close,
	[VASI_FMT_ADD_BUFFER]		= vasi_answer_add,
	[VASI_FMT_FREE_BUFFER]		= vasi_answer_free,
	[VASI_FMT_DOWNLOAD]		= vasi_answer_download,
	[VASI_FMT_SIGNAL]		= vasi_answer_signal,
	[VASI_FMT_PROGRESS]		= vasi_answer_progress,
	[VASI_FMT_ADD_BUFFER_INDIRECT]	= vasi_answer_add_list,
	[VASI_FMT_MESSAGE_DOWNLOAD]	= vasi_answer_message,
	[VASI_FMT_DIRTY_MAP]		= vasi_answer_dirty_map,
};

/* An answer that nobody waits for: perhaps given twice.  It changes nothing. */
static void vasi_stray(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	a->stats.stray++;
	dev_warn_ratelimited(&a->dev, "%s for 0x%08x was not asked for\n",
			     vasi_format_name(msg->format), msg->handle);
}

static struct vasi_slot *vasi_find_open(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	struct vasi_slot *slot;

	list_for_each_entry(slot, &a->opens, node) {
		const struct vasi_session *s = slot->item->session;

		if (s->stream_id == msg->data && s->service == msg->service)
			return slot;
	}
	return NULL;
}

/* LoPAR: the Open response has no TOP; it is found by stream id and service */
static void vasi_handle_opened(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	struct vasi_session *s = NULL, *over = NULL;
	struct vasi_slot *slot;

	spin_lock(&a->lock);
	slot = vasi_find_open(a, msg);
	if (!slot) {
		vasi_stray(a, msg);
	} else if (msg->status == VASI_SUCCESS && vasi_session_by_bottom(a, msg->handle)) {
		/* Two sessions of one name cannot be told apart */
		vasi_adapter_reset_locked(a, VASI_RESET_PROTOCOL);
	} else {
		s = slot->item->session;
		list_del(&slot->node);
		vasi_slot_free(a, slot);
		vasi_session_opened(s, msg->status, msg->handle);
		if (s->state == VASI_SESSION_CLOSED)
			over = s;
		vasi_queue_run(a);
	}
	spin_unlock(&a->lock);
	if (over)
		vasi_session_closed(over);
}

/* Does the platform not know the session any more? */
static bool vasi_close_worked(u8 status)
{
	return status == VASI_SUCCESS || status == VASI_INVALID_BOTTOM;
}

static void vasi_handle_answer(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	u8 format = msg->format & ~VASI_FMT_RESPONSE;
	struct vasi_session *s, *over = NULL;
	struct vasi_slot *slot = NULL;

	spin_lock(&a->lock);
	s = vasi_answer_session(a, msg);
	if (s && format < ARRAY_SIZE(vasi_answers) && vasi_answers[format])
		slot = vasi_answer_slot(s, msg);
	if (!slot) {
		vasi_stray(a, msg);
		goto unlock;
	}
	list_del(&slot->node);
	vasi_answers[format](s, slot, msg);
	vasi_slot_free(a, slot);
	if (format == VASI_FMT_CLOSE && vasi_close_worked(msg->status)) {
		vasi_session_over(s);
		over = s;
	} else if (format == VASI_FMT_CLOSE) {
		/* The platform may still use the buffers: only a reset takes them away */
		vasi_adapter_reset_locked(a, VASI_RESET_PROTOCOL);
	}
	vasi_queue_run(a);
unlock:
	spin_unlock(&a->lock);
	if (!over)
		return;
	vasi_notify_session(over, VASI_CMD_SESSION_CLOSE_NTF);
	vasi_session_closed(over);
}

/* Answer an operation that user space does not get to see */
static void vasi_refuse_operation(struct vasi_adapter *a, u64 correlator, enum vasi_status status)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = status,
		.data = correlator,
	};
	struct vasi_crq entry;

	a->stats.refused++;
	vasi_msg_encode(&entry, &msg);
	vasi_queue_answer(a, &entry);
}

/* LoPAR, "VASI CRQ Message Definition": Operation */
static void vasi_handle_operation(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	enum vasi_status status;
	struct vasi_buf *buf;

	spin_lock(&a->lock);
	buf = vasi_buf_find(a, msg->data);
	if (!buf || !vasi_buf_is_platforms(buf) || vasi_buf_untouched(buf)) {
		/* Where the operation's own correlator is, is not known either */
		vasi_refuse_operation(a, msg->data, VASI_INVALID_BUFFER_CORRELATOR);
		goto run;
	}
	status = vasi_buf_check_operation(buf, msg->data);
	vasi_buf_move(buf, VASI_BUF_FILLED);
	if (status != VASI_SUCCESS) {
		a->stats.refused++;
		buf->status = status;
		buf->residual = 0;
		buf->add_next = true;
		buf->item.msg.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE;
		vasi_buf_move(buf, VASI_BUF_RESPONDING);
		vasi_queue_item(&buf->item);
		goto run;
	}
	a->stats.operations++;
	vasi_item_done(&buf->item);
run:
	vasi_queue_run(a);
	spin_unlock(&a->lock);
}

/* LoPAR, "VASI CRQ Message Definition": State.  It has no answer. */
static void vasi_handle_state(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	struct vasi_session *s;
	struct vasi_item *item;
	bool queued;

	spin_lock(&a->lock);
	s = vasi_session_by_top(a, msg->handle);
	/* Perhaps for a session that was closed meanwhile */
	if (!s) {
		spin_unlock(&a->lock);
		return;
	}
	item = vasi_item_get(s, 0);
	queued = !item;
	/* Who fetches nothing is told the newest state only */
	if (!item)
		item = s->last_state;
	if (item) {
		item->event.type = VASI_EVT_STATE;
		item->event.u.state.state = msg->code;
		item->event.u.state.reason = msg->reason;
		s->last_state = item;
		if (!queued)
			vasi_item_done(item);
	}
	kref_get(&s->ref);
	spin_unlock(&a->lock);
	vasi_notify_state(s, msg->code, msg->reason);
	vasi_session_put(s);
}

static enum vasi_status vasi_check_upload(struct vasi_session *s, const struct vasi_msg *msg)
{
	if (!s)
		return VASI_INVALID_TOP;
	if (msg->control != VASI_CONTROL_PASS_THROUGH)
		return VASI_INVALID_CONTROL;
	if (msg->sub_control)
		return VASI_INVALID_SUB_CONTROL;
	return VASI_SUCCESS;
}

/* LoPAR, "VASI CRQ Message Definition": Message Upload */
static void vasi_handle_upload(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	struct vasi_msg answer = {
		.format = VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE,
		.data = msg->data,
	};
	struct vasi_item *item = NULL;
	struct vasi_session *s;
	struct vasi_crq raw;

	spin_lock(&a->lock);
	s = vasi_session_by_top(a, msg->handle);
	answer.status = vasi_check_upload(s, msg);
	if (answer.status == VASI_SUCCESS) {
		item = vasi_item_get(s, VASI_STATE_ITEMS);
		/* Who fetches nothing gets no more: the other side is to know */
		if (!item)
			answer.status = VASI_HARDWARE;
	}
	if (s)
		answer.handle = s->bottom;
	else
		answer.handle = msg->handle;
	if (answer.status != VASI_SUCCESS)
		a->stats.refused++;
	vasi_msg_encode(&raw, &answer);
	vasi_queue_answer(a, &raw);
	if (item) {
		item->event.type = VASI_EVT_MESSAGE;
		item->event.u.message = msg->data;
		vasi_item_done(item);
	}
	vasi_queue_run(a);
	spin_unlock(&a->lock);
}

/* LoPAR: what is not understood is answered with the same message and a status */
static void vasi_refuse_message(struct vasi_adapter *a, const struct vasi_crq *entry,
				enum vasi_status status)
{
	struct vasi_crq answer;

	vasi_msg_reject(&answer, entry, status);
	spin_lock(&a->lock);
	a->stats.refused++;
	vasi_queue_answer(a, &answer);
	vasi_queue_run(a);
	spin_unlock(&a->lock);
}

/**
 * vasi_dispatch() - act on a message from the platform
 * @a:		adapter
 * @entry:	copy of an entry with header VASI_CRQ_COMMAND
 *
 * Context: may sleep; one at a time (adapter->ring_lock).
 */
void vasi_dispatch(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	enum vasi_status status;
	struct vasi_msg msg;

	status = vasi_msg_decode(&msg, entry);
	if (entry->format & VASI_FMT_RESPONSE) {
		if (status != VASI_SUCCESS)
			vasi_adapter_reset(a, VASI_RESET_PROTOCOL);
		else if (msg.format == (VASI_FMT_CAPABILITIES | VASI_FMT_RESPONSE))
			vasi_adapter_capabilities(a, &msg);
		else if (msg.format == (VASI_FMT_OPEN | VASI_FMT_RESPONSE))
			vasi_handle_opened(a, &msg);
		else
			vasi_handle_answer(a, &msg);
		return;
	}
	if (status == VASI_SUCCESS && msg.format == VASI_FMT_OPERATION)
		vasi_handle_operation(a, &msg);
	else if (status == VASI_SUCCESS && msg.format == VASI_FMT_STATE)
		vasi_handle_state(a, &msg);
	else if (status == VASI_SUCCESS && msg.format == VASI_FMT_MESSAGE_UPLOAD)
		vasi_handle_upload(a, &msg);
	else
		vasi_refuse_message(a, entry, status == VASI_SUCCESS ? VASI_INVALID_FORMAT :
								       status);
}
