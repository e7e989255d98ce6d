// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include "common/util.h"
#include "credit.h"
#include "intake.h"

#define NONE	ORDER_NONE

/**
 * intake_init() - set up the download buffers of a session
 * @in: the intake, zeroed
 * @session: an open session
 * @buffer_bytes: bytes of each buffer
 * @count: how many
 * @indirect: download in indirect form
 *
 * Return: 0 or negative errno.
 */
int intake_init(struct intake *in, struct vasi_session *session,
		uint32_t buffer_bytes, uint32_t count, bool indirect)
{
	int ret;

	in->session = session;
	in->indirect = indirect;
	in->buffer_bytes = buffer_bytes;
	in->free = NONE;
	in->down_first = NONE;
	in->down_last = NONE;
	ret = order_init(&in->order, count);
	if (ret)
		return ret;
	ret = intake_grow(in, count);
	if (ret)
		return ret;
	in->told_limit = in->limit;
	return 0;
}

/**
 * intake_exit() - free an intake; its buffers end with the session
 * @in: the intake, initialised or zeroed
 */
void intake_exit(struct intake *in)
{
	order_exit(&in->order);
	free(in->buffers);
	*in = (struct intake) { };
}

/**
 * intake_grow() - add buffers, and with them credit
 * @in: the intake
 * @count: how many more
 *
 * Return: 0 or negative errno; the intake is as it was then.
 */
int intake_grow(struct intake *in, uint32_t count)
{
	struct inbuf *buffers;
	int pool, ret;

	if (in->pools == INTAKE_MAX_POOLS)
		return -ENOSPC;
	ret = order_grow(&in->order, in->count + count);
	if (ret)
		return ret;
	buffers = reallocarray(in->buffers, in->count + count, sizeof(*buffers));
	if (!buffers)
		return -ENOMEM;
	in->buffers = buffers;
	pool = vasi_pool_setup(in->session, in->buffer_bytes, count, 0);
	if (pool < 0)
		return pool;
	in->charge = vasi_download_room(in->session, (uint16_t)pool);
	for (uint32_t i = 0; i < count; i++) {
		buffers[in->count + i] = (struct inbuf) {
			.pool = (uint16_t)pool, .index = i, .next = in->free,
		};
		in->free = in->count + i;
	}
	in->pools++;
	in->count += count;
	in->nfree += count;
	in->limit += (uint64_t)count * in->charge;
	return 0;
}

static uint32_t buffers_for(const struct intake *in, uint32_t length)
{
	return (uint32_t)(credit_cost(in->charge, length) / in->charge);
}

/* Take buffers for a frame; the caller has seen that there are enough */
static uint32_t take_buffers(struct intake *in, uint32_t length, struct iovec *iov,
			     unsigned int *used)
{
	uint32_t first = in->free;
	uint32_t last = NONE;

	*used = 0;
	while (length) {
		struct inbuf *buf = &in->buffers[in->free];

		last = in->free;
		in->free = buf->next;
		in->nfree--;
		buf->state = INBUF_ARRIVING;
		buf->bytes = min(length, in->charge);
		iov[*used].iov_base = vasi_download_data(in->session, buf->pool,
							 buf->index);
		iov[*used].iov_len = buf->bytes;
		(*used)++;
		length -= buf->bytes;
	}
	in->buffers[last].next = NONE;
	return first;
}

/**
 * intake_begin() - a frame begins to arrive
 * @in: the intake
 * @offset: position of its first byte
 * @length: bytes, not zero
 * @iov: result: where to receive it
 * @max_iov: entries of @iov
 * @frame: result: for intake_complete()
 *
 * Return: entries of @iov in use; -ENOBUFS: beyond the credit that was granted;
 * -EEXIST: some of its bytes came before; -EMSGSIZE: it needs too many buffers.
 */
int intake_begin(struct intake *in, uint64_t offset, uint32_t length,
		 struct iovec *iov, unsigned int max_iov, uint32_t *frame)
{
	uint64_t cost = credit_cost(in->charge, length);
	uint32_t need = buffers_for(in, length);
	unsigned int used;
	int64_t number;

	if (need > max_iov)
		return -EMSGSIZE;
	if (cost > in->limit - in->charged || need > in->nfree)
		return -ENOBUFS;
	number = order_begin(&in->order, offset, length, in->free);
	if (number < 0)
		return (int)number;
	take_buffers(in, length, iov, &used);
	in->charged += cost;
	*frame = (uint32_t)number;
	return (int)used;
}

static int download_frame(struct intake *in, uint32_t buffer)
{
	int ret;

	while (buffer != NONE) {
		struct inbuf *buf = &in->buffers[buffer];
		uint32_t next = buf->next;

		ret = vasi_download(in->session, buf->pool, buf->index, buf->bytes,
				    in->indirect, buffer);
		if (ret)
			return ret;
		buf->state = INBUF_DOWNLOAD;
		buf->next = NONE;
		if (in->down_last == NONE)
			in->down_first = buffer;
		else
			in->buffers[in->down_last].next = buffer;
		in->down_last = buffer;
		in->downloading++;
		buffer = next;
	}
	return 0;
}

/**
 * intake_complete() - all of a frame is here: download what is in order
 * @in: the intake
 * @frame: as intake_begin() said
 *
 * Return: 0 or negative errno of vasi_download().
 */
int intake_complete(struct intake *in, uint32_t frame)
{
	uint32_t buffer;
	int ret;

	order_complete(&in->order, frame);
	while (order_pop(&in->order, &buffer)) {
		ret = download_frame(in, buffer);
		if (ret)
			return ret;
	}
	return 0;
}

/* Buffers that are done, from the oldest on, are free and make credit */
static void release_done(struct intake *in)
{
	while (in->down_first != NONE) {
		uint32_t buffer = in->down_first;
		struct inbuf *buf = &in->buffers[buffer];

		if (buf->state != INBUF_DONE)
			break;
		in->down_first = buf->next;
		if (buf->next == NONE)
			in->down_last = NONE;
		in->taken += buf->bytes;
		in->limit += in->charge;
		buf->state = INBUF_FREE;
		buf->next = in->free;
		in->free = buffer;
		in->nfree++;
	}
}

/**
 * intake_downloaded() - the platform has answered a download
 * @in: the intake
 * @event: VASI_EV_DOWNLOADED of this session with VASI_SUCCESS
 *
 * Return: 0, or -EBADMSG: no such buffer is being downloaded.
 */
int intake_downloaded(struct intake *in, const struct vasi_event *event)
{
	struct inbuf *buf;

	if (event->token >= in->count)
		return -EBADMSG;
	buf = &in->buffers[event->token];
	if (buf->state != INBUF_DOWNLOAD || buf->pool != event->pool ||
	    buf->index != event->index)
		return -EBADMSG;
	buf->state = INBUF_DONE;
	in->downloading--;
	release_done(in);
	return 0;
}

/**
 * intake_ack_due() - should the peer be told what was taken?
 * @in: the intake
 *
 * When an eighth of the credit was taken, or nothing else is outstanding.
 */
bool intake_ack_due(const struct intake *in)
{
	uint64_t eighth = (uint64_t)in->count * in->charge / 8;

	if (in->limit == in->told_limit && in->taken == in->told_taken)
		return false;
	return in->limit - in->told_limit >= eighth || in->nfree == in->count ||
	       !in->downloading;
}
