// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/util.h"
#include "opqueue.h"

/**
 * opqueue_init() - set up the buffers of a session; none is posted yet
 * @q: the queue, zeroed
 * @session: an open session
 * @buffer_bytes: bytes of a buffer
 * @buffers: how many
 * @fetch_bytes: indirect data of an operation, where they have to be fetched
 *
 * Return: 0 or negative errno (of vasi_pool_setup(), or -ENOMEM).
 */
int opqueue_init(struct opqueue *q, struct vasi_session *session,
		 uint32_t buffer_bytes, uint32_t buffers, uint32_t fetch_bytes)
{
	int pool;

	q->session = session;
	q->buffers = buffers;
	q->want = buffers;
	q->ops = calloc(buffers, sizeof(*q->ops));
	q->idle = calloc(buffers, sizeof(*q->idle));
	if (!q->ops || !q->idle)
		return -ENOMEM;
	pool = vasi_pool_setup(session, buffer_bytes, buffers, fetch_bytes);
	if (pool < 0)
		return pool;
	q->pool = (uint16_t)pool;
	while (q->nidle < buffers) {
		q->idle[q->nidle] = buffers - 1 - q->nidle;
		q->nidle++;
	}
	return 0;
}

/**
 * opqueue_exit() - free a queue; its buffers end with the session
 * @q: the queue, initialised or zeroed
 */
void opqueue_exit(struct opqueue *q)
{
	free(q->ops);
	free(q->idle);
	free(q->iov);
	*q = (struct opqueue) { };
}

/* Buffers that the platform has, or will get back */
static uint32_t busy(const struct opqueue *q)
{
	return q->buffers - q->nidle;
}

/**
 * opqueue_post() - give the platform the buffers that it should have
 * @q: the queue
 *
 * Return: 0 or negative errno of vasi_post().
 */
int opqueue_post(struct opqueue *q)
{
	int ret;

	while (q->nidle && busy(q) < q->want) {
		ret = vasi_post(q->session, q->pool, q->idle[q->nidle - 1]);
		if (ret)
			return ret;
		q->nidle--;
		q->posted++;
	}
	return 0;
}

/**
 * opqueue_add() - the platform filled a buffer
 * @q: the queue
 * @event: VASI_EV_OPERATION
 *
 * Return: 0; -EBADMSG: it is not a sequential write into a buffer of this
 * queue; -ENOMEM.
 */
int opqueue_add(struct opqueue *q, const struct vasi_event *event)
{
	struct op *op = &q->ops[q->tail % q->buffers];
	unsigned int segments = max(event->segments, 1U);
	struct iovec *iov;

	if (event->pool != q->pool || event->index >= q->buffers || !q->posted ||
	    q->tail - q->head >= q->buffers)
		return -EBADMSG;
	if (!(event->op_code & VASI_OP_WRITE) || (event->op_code & VASI_OP_INDEXED))
		return -EBADMSG;
	if (segments > q->max_iov) {
		iov = reallocarray(q->iov, segments, sizeof(*iov));
		if (!iov)
			return -ENOMEM;
		q->iov = iov;
		q->max_iov = segments;
	}
	q->posted--;
	q->queued_end += event->bytes;
	*op = (struct op) {
		.index = event->index,
		.segments = segments,
		.bytes = event->bytes,
		.end = q->queued_end,
	};
	q->tail++;
	return 0;
}

static int look_up(struct opqueue *q, const struct op *op)
{
	uint64_t bytes = 0;
	int count;

	count = vasi_operation_iov(q->session, q->pool, op->index, q->iov,
				   (int)q->max_iov);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		bytes += q->iov[i].iov_len;
	if (bytes != op->bytes)
		return -EBADMSG;
	q->niov = (unsigned int)count;
	q->pos = 0;
	return 0;
}

/* Cut from one operation; it is wholly cut when pos reaches niov */
static uint64_t cut_op(struct opqueue *q, uint64_t most, struct iovec *iov,
		       unsigned int *used, unsigned int max_iov)
{
	uint64_t bytes = 0;

	while (q->pos < q->niov && bytes < most && *used < max_iov) {
		struct iovec *from = &q->iov[q->pos];
		size_t length = min((uint64_t)from->iov_len, most - bytes);

		if (length) {
			iov[*used] = (struct iovec) { from->iov_base, length };
			(*used)++;
		}
		from->iov_base = (char *)from->iov_base + length;
		from->iov_len -= length;
		bytes += length;
		if (!from->iov_len)
			q->pos++;
	}
	return bytes;
}

/**
 * opqueue_cut() - cut the next piece off the stream
 * @q: the queue
 * @most: bytes at most
 * @iov: result: where the bytes lie
 * @max_iov: entries of it
 * @bytes: result: how many bytes; 0 = there are none
 * @span: result, if there are any: give it back to opqueue_sent() once the
 *	kernel has let go of the memory
 *
 * Return: entries of @iov in use, or -EBADMSG: an operation does not hold
 * together.
 */
int opqueue_cut(struct opqueue *q, uint64_t most, struct iovec *iov,
		unsigned int max_iov, uint64_t *bytes, struct op_span *span)
{
	unsigned int used = 0;
	uint64_t got;
	int ret;

	*bytes = 0;
	while (q->cut < q->tail && *bytes < most && used < max_iov) {
		struct op *op = &q->ops[q->cut % q->buffers];

		if (!q->niov && op->bytes) {
			ret = look_up(q, op);
			if (ret)
				return ret;
		}
		got = cut_op(q, most - *bytes, iov, &used, max_iov);
		if (got) {
			if (!*bytes)
				span->first = q->cut;
			span->last = q->cut;
			op->sending++;
			*bytes += got;
		}
		if (q->pos < q->niov)
			break;
		q->niov = 0;
		q->pos = 0;
		q->cut++;
	}
	q->cut_end += *bytes;
	return (int)used;
}

/**
 * opqueue_sent() - the kernel has let go of a piece
 * @q: the queue
 * @span: as opqueue_cut() said
 */
void opqueue_sent(struct opqueue *q, const struct op_span *span)
{
	/* Those in between may have been empty: they count no sends */
	for (uint64_t n = span->first; n <= span->last; n++) {
		struct op *op = &q->ops[n % q->buffers];

		if (op->bytes)
			op->sending--;
	}
}

/**
 * opqueue_ack() - the peer has taken the stream up to an offset
 * @q: the queue
 * @offset: cumulative
 *
 * Return: 0, or -EINVAL: it goes back, or beyond what was sent.
 */
int opqueue_ack(struct opqueue *q, uint64_t offset)
{
	if (offset < q->acked || offset > q->cut_end)
		return -EINVAL;
	q->acked = offset;
	return 0;
}

/**
 * opqueue_answer() - answer the operations that are done with
 * @q: the queue
 *
 * Their buffers are posted again, as far as the platform should have them.
 *
 * Return: how many, or negative errno of vasi_respond().
 */
int opqueue_answer(struct opqueue *q)
{
	int count = 0;
	bool again;
	int ret;

	while (q->head < q->cut) {
		struct op *op = &q->ops[q->head % q->buffers];

		if (op->end > q->acked || op->sending)
			break;
		again = busy(q) <= q->want;
		ret = vasi_respond(q->session, q->pool, op->index, VASI_SUCCESS, 0,
				   again);
		if (ret)
			return ret;
		if (again)
			q->posted++;
		else
			q->idle[q->nidle++] = op->index;
		q->head++;
		count++;
	}
	return count;
}
