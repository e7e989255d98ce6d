// SPDX-License-Identifier: GPL-2.0
/*
 * Messages to the platform.
 *
 * A request is a struct vasi_item.  It waits in the adapter's queue until the
 * platform's queue has room and there is a slot, which notes what was sent until it
 * is answered.  There are half as many slots as the ring has entries, so answers
 * always find room beside what the platform sends of its own accord.  Answers of ours
 * to the platform need no slot and go first.
 *
 * Nothing is allocated here once an adapter works: items are part of buffers and
 * sessions.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "vasi.h"
#include "vasi_trace.h"

#define VASI_RETRY_JIFFIES	max(HZ / 100, 1)

/**
 * vasi_queue_alloc() - allocate slots and lists
 * @a:		adapter with a ring
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vasi_queue_alloc(struct vasi_adapter *a)
{
	u32 i;

	a->slot_count = a->ring.count / 2;
	a->slots = kvcalloc(a->slot_count, sizeof(*a->slots), GFP_KERNEL);
	if (!a->slots)
		return -ENOMEM;
	a->lists = kvcalloc(VASI_LISTS, sizeof(*a->lists), GFP_KERNEL);
	if (!a->lists)
		goto free_slots;
	a->lists_mem = dma_alloc_coherent(a->dma_dev, VASI_LISTS * VASI_LIST_BYTES,
					  &a->lists_dma, GFP_KERNEL);
	if (!a->lists_mem)
		goto free_lists;
	for (i = 0; i < a->slot_count; i++)
		list_add_tail(&a->slots[i].node, &a->free_slots);
	for (i = 0; i < VASI_LISTS; i++) {
		a->lists[i].entries = a->lists_mem + i * VASI_LIST_BYTES;
		a->lists[i].dma = a->lists_dma + i * VASI_LIST_BYTES;
		list_add_tail(&a->lists[i].node, &a->free_lists);
	}
	return 0;

free_lists:
	kvfree(a->lists);
	a->lists = NULL;
free_slots:
	kvfree(a->slots);
	a->slots = NULL;
	return -ENOMEM;
}

/**
 * vasi_queue_free() - free slots and lists
 * @a:		adapter whose ring is not registered
 */
void vasi_queue_free(struct vasi_adapter *a)
{
	if (a->lists_mem)
		dma_free_coherent(a->dma_dev, VASI_LISTS * VASI_LIST_BYTES, a->lists_mem,
				  a->lists_dma);
	kvfree(a->lists);
	kvfree(a->slots);
}

/* Some are kept, so that sessions can be ended whatever others do */
static struct vasi_slot *vasi_slot_get(struct vasi_adapter *a, const struct vasi_item *item)
{
	struct vasi_slot *slot;

	if (a->slot_count - a->slots_used <= VASI_CONTROL_SLOTS &&
	    item->msg.format != VASI_FMT_CLOSE && item != &item->session->abort)
		return NULL;
	slot = list_first_entry_or_null(&a->free_slots, struct vasi_slot, node);
	if (!slot)
		return NULL;
	list_del(&slot->node);
	a->slots_used++;
	slot->desc = 0;
	slot->correlator = 0;
	return slot;
}

/**
 * vasi_slot_free() - a message was answered, or will never be
 * @a:		adapter
 * @slot:	not in a list; what it refers to is the caller's
 *
 * Context: adapter->lock.
 */
void vasi_slot_free(struct vasi_adapter *a, struct vasi_slot *slot)
{
	if (slot->format == VASI_FMT_ADD_BUFFER_INDIRECT)
		list_add(&slot->list->node, &a->free_lists);
	list_add(&slot->node, &a->free_slots);
	a->slots_used--;
}

/**
 * vasi_send_now() - send a message without waiting for a turn
 * @a:		adapter
 * @entry:	message
 *
 * A full queue is no error but a reason to wait; one that is closed, or a call that
 * fails, is a reason to register the ring anew.
 *
 * Context: adapter->lock.
 * Return: 0, -EAGAIN: the platform's queue is full, -ECONNRESET: a reset is due.
 */
int vasi_send_now(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	long rc;

	/* What the message names was written before it */
	dma_wmb();
	rc = a->hv->send_crq(a, entry);
	trace_vasi_send(a, entry, rc);
	switch (rc) {
	case VASI_RC_SUCCESS:
		a->stats.sent++;
		return 0;
	case VASI_RC_DROPPED:
	case VASI_RC_BUSY:
	case VASI_RC_LONG_BUSY_1_MSEC ... VASI_RC_LONG_BUSY_100_SEC:
		a->stats.dropped++;
		schedule_delayed_work(&a->retry_work, VASI_RETRY_JIFFIES);
		return -EAGAIN;
	case VASI_RC_CLOSED:
		vasi_adapter_reset_locked(a, VASI_RESET_QUEUE_CLOSED);
		return -ECONNRESET;
	default:
		vasi_adapter_reset_locked(a, VASI_RESET_HARDWARE);
		return -ECONNRESET;
	}
}

static int vasi_send_msg(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	struct vasi_crq entry;

	vasi_msg_encode(&entry, msg);
	return vasi_send_now(a, &entry);
}

/* The answer to an operation; after it, the buffer goes where it was asked to go */
static int vasi_send_response(struct vasi_buf *buf)
{
	struct vasi_session *s = buf->item.session;
	struct vasi_msg msg = {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = buf->status,
		.residual = buf->residual,
		.data = buf->op_correlator,
	};
	int ret;

	ret = vasi_send_msg(s->adapter, &msg);
	if (ret)
		return ret;
	list_del_init(&buf->item.node);
	if (buf->add_next && s->state == VASI_SESSION_OPEN)
		vasi_buf_add(buf);
	else
		vasi_buf_move(buf, VASI_BUF_FREE);
	return 0;
}

/* May this item go into a list behind @first? */
static bool vasi_joins_list(const struct vasi_item *item, const struct vasi_item *first)
{
	return item->session == first->session &&
	       item->msg.format == VASI_FMT_ADD_BUFFER && !item_to_buf(item)->add_alone;
}

/* Move Add Buffers from the head of the queue into a list */
static void vasi_fill_list(struct vasi_adapter *a, struct vasi_list *list, u64 correlator)
{
	struct vasi_item *item;
	struct vasi_buf *buf;

	list->entries[0] = cpu_to_be64(correlator);
	list->count = 0;
	while (list->count < VASI_INDIRECT_MAX) {
		item = list_first_entry_or_null(&a->queue, struct vasi_item, node);
		if (!item || (list->count && !vasi_joins_list(item, &list->refs[0].buf->item)))
			break;
		buf = item_to_buf(item);
		list_del_init(&item->node);
		vasi_buf_mark(buf);
		list->refs[list->count].buf = buf;
		list->refs[list->count].generation = buf->generation;
		list->count++;
		list->entries[list->count] =
			cpu_to_be64(vasi_desc_make(buf->pool->buffer_bytes, buf->dma));
	}
}

/* Put the buffers of a list that could not be sent back to the head of the queue */
static void vasi_unfill_list(struct vasi_adapter *a, struct vasi_list *list)
{
	while (list->count) {
		struct vasi_buf *buf = list->refs[--list->count].buf;

		list_add(&buf->item.node, &a->queue);
	}
}

/* LoPAR, "VASI CRQ Message Definition": Add Buffer Indirect */
static int vasi_send_list(struct vasi_session *s, struct vasi_slot *slot,
			  struct vasi_list *list)
{
	struct vasi_adapter *a = s->adapter;
	u32 number = list - a->lists;
	struct vasi_msg msg = {
		.format = VASI_FMT_ADD_BUFFER_INDIRECT,
		.handle = s->bottom,
	};
	int ret;

	slot->correlator = (u64)VASI_MAX_SESSIONS << (64 - VASI_SESSION_BITS) | number;
	vasi_fill_list(a, list, slot->correlator);
	slot->desc = vasi_desc_make(VASI_INDIRECT_BYTES(list->count), list->dma);
	msg.count = list->count;
	msg.data = slot->desc;
	ret = vasi_send_msg(a, &msg);
	if (ret) {
		vasi_unfill_list(a, list);
		return ret;
	}
	list_del(&list->node);
	slot->list = list;
	slot->format = VASI_FMT_ADD_BUFFER_INDIRECT;
	return 0;
}

static int vasi_send_add(struct vasi_buf *buf, struct vasi_slot *slot)
{
	struct vasi_session *s = buf->item.session;
	struct vasi_msg msg = { .format = VASI_FMT_ADD_BUFFER, .handle = s->bottom };
	int ret;

	slot->correlator = vasi_buf_mark(buf);
	slot->desc = vasi_desc_make(buf->pool->buffer_bytes, buf->dma);
	msg.data = slot->desc;
	ret = vasi_send_msg(s->adapter, &msg);
	if (ret)
		return ret;
	list_del_init(&buf->item.node);
	slot->add.buf = buf;
	slot->add.generation = buf->generation;
	slot->format = VASI_FMT_ADD_BUFFER;
	return 0;
}

/* Are there two or more at the head that may go together? */
static bool vasi_list_pays(struct vasi_adapter *a, const struct vasi_item *first)
{
	const struct vasi_item *second = list_next_entry(first, node);

	return vasi_adapter_caps(a, first->session->service)->features &
	       VASI_CAP_ADD_BUFFER_INDIRECT &&
	       vasi_joins_list(first, first) &&
	       !list_entry_is_head(second, &a->queue, node) &&
	       vasi_joins_list(second, first) && !list_empty(&a->free_lists);
}

/* Anything else that has an answer */
static int vasi_send_request(struct vasi_item *item, struct vasi_slot *slot)
{
	struct vasi_session *s = item->session;
	int ret;

	if (item->msg.format != VASI_FMT_OPEN)
		item->msg.handle = s->bottom;
	if (item->msg.format == VASI_FMT_DOWNLOAD || item->msg.format == VASI_FMT_DIRTY_MAP) {
		slot->correlator = vasi_buf_correlator(item_to_buf(item));
		slot->desc = item->msg.data;
	}
	ret = vasi_send_msg(s->adapter, &item->msg);
	if (ret)
		return ret;
	list_del_init(&item->node);
	slot->item = item;
	slot->format = item->msg.format;
	if (slot->format == VASI_FMT_CLOSE)
		vasi_session_close_sent(s);
	return 0;
}

/* Send the item at the head of the queue, and what may go with it */
static int vasi_send_item(struct vasi_adapter *a, struct vasi_item *item)
{
	struct vasi_session *s = item->session;
	struct vasi_slot *slot;
	int ret;

	if (item->msg.format == (VASI_FMT_OPERATION | VASI_FMT_RESPONSE))
		return vasi_send_response(item_to_buf(item));
	slot = vasi_slot_get(a, item);
	if (!slot)
		return -EAGAIN;
	if (item->msg.format != VASI_FMT_ADD_BUFFER)
		ret = vasi_send_request(item, slot);
	else if (vasi_list_pays(a, item))
		ret = vasi_send_list(s, slot, list_first_entry(&a->free_lists,
							       struct vasi_list, node));
	else
		ret = vasi_send_add(item_to_buf(item), slot);
	if (ret) {
		slot->format = 0;
		vasi_slot_free(a, slot);
		return ret;
	}
	list_add_tail(&slot->node, slot->format == VASI_FMT_OPEN ? &a->opens : &s->slots);
	return 0;
}

static int vasi_send_answers(struct vasi_adapter *a)
{
	int ret;

	while (a->answer_count) {
		ret = vasi_send_now(a, &a->answers[a->answer_head]);
		if (ret)
			return ret;
		a->answer_head = (a->answer_head + 1) % VASI_MAX_ANSWERS;
		a->answer_count--;
	}
	return 0;
}

/* Is there nothing of its session before an item? */
static bool vasi_is_first(struct vasi_adapter *a, const struct vasi_item *item)
{
	const struct vasi_item *other;

	list_for_each_entry(other, &a->queue, node) {
		if (other->session == item->session)
			return other == item;
	}
	return false;
}

/* Who is first in the queue has to wait for slots; a session that ends does not */
static void vasi_run_control(struct vasi_adapter *a)
{
	struct vasi_item *item, *next;

	list_for_each_entry_safe(item, next, &a->queue, node) {
		bool control = item->msg.format == VASI_FMT_CLOSE ||
			       item == &item->session->abort;

		if (control && vasi_is_first(a, item) && vasi_send_item(a, item))
			return;
	}
}

/**
 * vasi_queue_run() - send what waits
 * @a:		adapter
 *
 * Called whenever something was queued, and when a slot or room may be there again.
 *
 * Context: adapter->lock.
 */
void vasi_queue_run(struct vasi_adapter *a)
{
	struct vasi_item *item;

	if (a->state != VASI_ADAPTER_READY || a->reset_pending || vasi_send_answers(a))
		return;
	while ((item = list_first_entry_or_null(&a->queue, struct vasi_item, node))) {
		if (vasi_send_item(a, item))
			break;
	}
	if (!list_empty(&a->queue) && !a->reset_pending)
		vasi_run_control(a);
}

/**
 * vasi_queue_item() - have an item sent
 * @item:	with session and msg.format; vasi_queue_run() is the caller's
 *
 * Context: adapter->lock.
 */
void vasi_queue_item(struct vasi_item *item)
{
	list_add_tail(&item->node, &item->session->adapter->queue);
}

/**
 * vasi_queue_answer() - answer the platform
 * @a:		adapter
 * @entry:	answer
 *
 * Who asks that much without reading answers is not in order: the adapter is reset.
 *
 * Context: adapter->lock.
 */
void vasi_queue_answer(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	if (a->answer_count == VASI_MAX_ANSWERS) {
		vasi_adapter_reset_locked(a, VASI_RESET_PROTOCOL);
		return;
	}
	a->answers[(a->answer_head + a->answer_count) % VASI_MAX_ANSWERS] = *entry;
	a->answer_count++;
}

/**
 * vasi_queue_drop() - drop what a session asked for and was not sent yet
 * @s:		session whose file is gone
 *
 * Context: adapter->lock.
 */
void vasi_queue_drop(struct vasi_session *s)
{
	struct vasi_item *item, *next;

	list_for_each_entry_safe(item, next, &s->adapter->queue, node) {
		if (item->session == s)
			list_del_init(&item->node);
	}
}

/**
 * vasi_queue_forget() - drop everything of a session
 * @s:		session that is over
 *
 * Context: adapter->lock.
 */
void vasi_queue_forget(struct vasi_session *s)
{
	struct vasi_adapter *a = s->adapter;
	struct vasi_slot *slot, *next_slot;

	vasi_queue_drop(s);
	list_for_each_entry_safe(slot, next_slot, &s->slots, node) {
		list_del(&slot->node);
		vasi_slot_free(a, slot);
	}
	list_for_each_entry_safe(slot, next_slot, &a->opens, node) {
		if (slot->item->session == s) {
			list_del(&slot->node);
			vasi_slot_free(a, slot);
		}
	}
}

/**
 * vasi_queue_clear() - drop answers that wait
 * @a:		adapter that is reset; its sessions are gone
 *
 * Context: adapter->lock.
 */
void vasi_queue_clear(struct vasi_adapter *a)
{
	a->answer_head = 0;
	a->answer_count = 0;
}
