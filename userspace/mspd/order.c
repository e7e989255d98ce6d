// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include "order.h"

/**
 * order_init() - start a session's order at offset 0
 * @order: the order
 * @count: frames that may be under way at the same time
 *
 * Return: 0 or -ENOMEM.
 */
int order_init(struct order *order, uint32_t count)
{
	*order = (struct order) {
		.free = ORDER_NONE, .first = ORDER_NONE, .last = ORDER_NONE,
	};
	return order_grow(order, count);
}

/**
 * order_exit() - free an order
 * @order: the order, initialised or zeroed
 */
void order_exit(struct order *order)
{
	free(order->frames);
	order->frames = NULL;
}

/**
 * order_grow() - allow more frames
 * @order: the order
 * @count: frames that may be under way at the same time; never fewer than before
 *
 * Return: 0 or -ENOMEM; the order is unchanged then.
 */
int order_grow(struct order *order, uint32_t count)
{
	struct order_frame *frames;

	if (count <= order->count)
		return 0;
	frames = reallocarray(order->frames, count, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	order->frames = frames;
	for (uint32_t i = order->count; i < count; i++) {
		frames[i] = (struct order_frame) { .next = order->free };
		order->free = i;
	}
	order->count = count;
	return 0;
}

static void link_after(struct order *order, uint32_t prev, uint32_t frame)
{
	struct order_frame *f = &order->frames[frame];

	f->prev = prev;
	if (prev == ORDER_NONE) {
		f->next = order->first;
		order->first = frame;
	} else {
		f->next = order->frames[prev].next;
		order->frames[prev].next = frame;
	}
	if (f->next == ORDER_NONE)
		order->last = frame;
	else
		order->frames[f->next].prev = frame;
}

/**
 * order_begin() - a frame begins to arrive
 * @order: the order
 * @offset: position of its first byte in the session
 * @length: bytes, not zero; offset + length does not wrap
 * @token: the caller's, comes out of order_pop()
 *
 * Return: the frame's number, -EEXIST when some of its bytes came before, or
 * -ENOSPC when too many frames are under way.
 */
int64_t order_begin(struct order *order, uint64_t offset, uint32_t length,
		    uint32_t token)
{
	uint32_t prev = order->last;
	uint32_t frame = order->free;
	struct order_frame *f;
	uint32_t next;

	if (offset < order->next)
		return -EEXIST;
	/* Frames come nearly in order: look from the end */
	while (prev != ORDER_NONE && order->frames[prev].offset > offset)
		prev = order->frames[prev].prev;
	next = prev == ORDER_NONE ? order->first : order->frames[prev].next;
	if (prev != ORDER_NONE && offset - order->frames[prev].offset <
	    order->frames[prev].length)
		return -EEXIST;
	if (next != ORDER_NONE && order->frames[next].offset - offset < length)
		return -EEXIST;
	if (frame == ORDER_NONE)
		return -ENOSPC;
	f = &order->frames[frame];
	order->free = f->next;
	f->offset = offset;
	f->length = length;
	f->token = token;
	f->whole = false;
	link_after(order, prev, frame);
	return frame;
}

/**
 * order_complete() - all of a frame is here
 * @order: the order
 * @frame: its number
 */
void order_complete(struct order *order, uint32_t frame)
{
	order->frames[frame].whole = true;
}

/**
 * order_pop() - take the next frame in order
 * @order: the order
 * @token: result: the frame's token
 *
 * Return: false when the next one is not (all) here.
 */
bool order_pop(struct order *order, uint32_t *token)
{
	uint32_t frame = order->first;
	struct order_frame *f;

	if (frame == ORDER_NONE)
		return false;
	f = &order->frames[frame];
	if (f->offset != order->next || !f->whole)
		return false;
	order->next += f->length;
	order->first = f->next;
	if (f->next == ORDER_NONE)
		order->last = ORDER_NONE;
	else
		order->frames[f->next].prev = ORDER_NONE;
	*token = f->token;
	f->next = order->free;
	order->free = frame;
	return true;
}

/**
 * order_end() - one past the highest byte of any frame that has begun
 * @order: the order
 */
uint64_t order_end(const struct order *order)
{
	const struct order_frame *f;

	if (order->last == ORDER_NONE)
		return order->next;
	f = &order->frames[order->last];
	return f->offset + f->length;
}
