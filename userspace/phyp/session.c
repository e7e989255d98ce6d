// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions: their pools of buffers, the operations that are out, and the
 * downloads that wait for donated cycles.  Implements LoPAR 2.9, "VASI Add
 * Buffer", "Free Buffer", "Download" and "Operation".
 *
 * A BOTTOM is generation << 12 | index, never zero: a session that is gone is
 * not found by the handle it had.  An operation's correlator is BOTTOM << 32 |
 * generation << 12 | index of the buffer, since its response names no session.
 */
#include <stdlib.h>
#include <string.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

#define INDEX_BITS	12
#define INDEX_MASK	((1u << INDEX_BITS) - 1)
#define GENERATION_MASK	0xFFFFFu

static_assert(PHYP_MAX_SESSIONS <= 1u << INDEX_BITS, "index of a BOTTOM");
static_assert(PHYP_MAX_BUFFERS == 1u << INDEX_BITS, "index of a buffer");

struct phyp_session *phyp_session_find(struct phyp_vdev *vdev, uint32_t bottom)
{
	unsigned int index = bottom & INDEX_MASK;
	struct phyp_session *s;

	if (index >= vdev->max_sessions)
		return NULL;
	s = vdev->sessions[index];
	return s && s->bottom == bottom ? s : NULL;
}

static int free_index(const struct phyp_vdev *vdev)
{
	unsigned int i;

	for (i = 0; i < vdev->max_sessions; i++)
		if (!vdev->sessions[i])
			return i;
	return -ENOSPC;
}

static uint32_t next_bottom(struct phyp_vdev *vdev, unsigned int index)
{
	vdev->generation = (vdev->generation + 1) & GENERATION_MASK;
	if (!vdev->generation)
		vdev->generation = 1;
	return vdev->generation << INDEX_BITS | index;
}

enum vasi_status phyp_session_open(struct phyp_vdev *vdev,
				   struct phyp_stream *stream,
				   enum vasi_service service, uint32_t top,
				   struct phyp_session **session)
{
	int index = free_index(vdev);
	struct phyp_session *s;
	unsigned int i;

	if (index < 0)
		return VASI_TOO_MANY_OPENS;
	s = calloc(1, sizeof(*s));
	if (!s)
		return VASI_HARDWARE;
	s->vdev = vdev;
	s->stream = stream;
	s->service = service;
	s->top = top;
	s->bottom = next_bottom(vdev, index);
	s->view = -1;
	TAILQ_INIT(&s->spare);
	STAILQ_INIT(&s->downloads);
	for (i = 0; i < PHYP_MAX_POOLS; i++)
		TAILQ_INIT(&s->pools[i].buffers);

	vdev->sessions[index] = s;
	TAILQ_INSERT_TAIL(&stream->sessions, s, link);
	stream->nsessions++;
	phyp_stream_opened(s);
	*session = s;
	return VASI_SUCCESS;
}

void phyp_session_close(struct phyp_session *s)
{
	struct phyp_stream *stream = s->stream;
	struct phyp_download *d;
	unsigned int i;

	s->closing = true;
	phyp_stream_closing(s);
	phyp_dirty_map_close(s);

	s->vdev->sessions[s->bottom & INDEX_MASK] = NULL;
	TAILQ_REMOVE(&stream->sessions, s, link);
	stream->nsessions--;
	while ((d = STAILQ_FIRST(&s->downloads))) {
		STAILQ_REMOVE_HEAD(&s->downloads, link);
		free(d);
	}
	for (i = 0; i < s->nknown; i++)
		free(s->buffers[i]);
	free(s);
	phyp_stream_closed(stream);
}

/* ---- DMA ---- */

int phyp_dma_get(struct phyp_vdev *vdev, uint32_t ioba, uint32_t length,
		 struct phyp_dma *dma)
{
	int ret;

	*dma = (struct phyp_dma) {
		.vdev = vdev,
		.ioba = ioba,
		.length = length,
	};
	dma->data = vdev->ops->dma_map(vdev->ctx, ioba, length);
	if (dma->data)
		return 0;
	if (!vdev->ops->dma_read)
		return -EFAULT;

	dma->data = malloc(length);
	if (!dma->data)
		return -ENOMEM;
	dma->copy = true;
	ret = vdev->ops->dma_read(vdev->ctx, ioba, dma->data, length);
	if (ret)
		free(dma->data);
	return ret;
}

int phyp_dma_put(struct phyp_dma *dma, bool write)
{
	int ret = 0;

	if (!dma->copy)
		return 0;
	if (write && !dma->vdev->ops->dma_write)
		ret = -EFAULT;
	else if (write)
		ret = dma->vdev->ops->dma_write(dma->vdev->ctx, dma->ioba,
						dma->data, dma->length);
	free(dma->data);
	return ret;
}

/* One byte of each end: what lies between is the same pane */
bool phyp_dma_valid(struct phyp_vdev *vdev, uint32_t ioba, uint32_t length)
{
	uint8_t byte;

	if (!length || ioba + length - 1 < ioba)
		return false;
	if (vdev->ops->dma_map(vdev->ctx, ioba, length))
		return true;
	return vdev->ops->dma_read &&
	       !vdev->ops->dma_read(vdev->ctx, ioba, &byte, 1) &&
	       !vdev->ops->dma_read(vdev->ctx, ioba + length - 1, &byte, 1);
}

/* ---- Pools ---- */

static struct phyp_pool *pool_of(struct phyp_session *s, uint32_t length)
{
	unsigned int i;

	for (i = 0; i < s->vdev->params.buffer_pools; i++)
		if (s->pools[i].length == length)
			return &s->pools[i];
	return NULL;
}

static int read_correlator(struct phyp_vdev *vdev, uint32_t ioba,
			   uint64_t *correlator)
{
	struct phyp_dma dma;
	__be64 value;
	int ret = phyp_dma_get(vdev, ioba, sizeof(value), &dma);

	if (ret)
		return ret;
	memcpy(&value, dma.data, sizeof(value));
	*correlator = __be64_to_cpu(value);
	return phyp_dma_put(&dma, false);
}

static struct phyp_buffer *new_buffer(struct phyp_session *s)
{
	struct phyp_buffer *b = TAILQ_FIRST(&s->spare);

	if (b) {
		TAILQ_REMOVE(&s->spare, b, link);
		return b;
	}
	if (s->nknown == PHYP_MAX_BUFFERS)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->index = s->nknown;
	b->bottom = s->bottom;
	b->slot = -1;
	s->buffers[s->nknown++] = b;
	return b;
}

/* The VSP has it; only its place in the table stays */
static void forget_buffer(struct phyp_session *s, struct phyp_buffer *b)
{
	b->state = PHYP_BUFFER_UNKNOWN;
	TAILQ_INSERT_HEAD(&s->spare, b, link);
}

static void into_pool(struct phyp_session *s, struct phyp_pool *pool,
		      struct phyp_buffer *b)
{
	b->state = PHYP_BUFFER_POOL;
	TAILQ_INSERT_TAIL(&pool->buffers, b, link);
	pool->count++;
	s->nbuffers++;
}

static void out_of_pool(struct phyp_session *s, struct phyp_pool *pool,
			struct phyp_buffer *b)
{
	TAILQ_REMOVE(&pool->buffers, b, link);
	pool->count--;
	s->nbuffers--;
}

enum vasi_status phyp_buffer_add(struct phyp_session *s, uint64_t descriptor,
				 uint64_t *correlator, uint16_t *free_buffers,
				 uint32_t *length)
{
	struct phyp_pool *pool;
	struct phyp_buffer *b;
	uint32_t ioba;

	if (vasi_desc_parse(descriptor, length, &ioba) ||
	    *length < VASI_CORRELATOR_BYTES ||
	    !phyp_dma_valid(s->vdev, ioba, *length) ||
	    read_correlator(s->vdev, ioba, correlator))
		return VASI_INVALID_BUFFER_DESCRIPTOR;
	if (*length < PHYP_MIN_BUFFER)
		return VASI_INVALID_BUFFER_LENGTH;
	pool = pool_of(s, *length);
	if (!pool)
		pool = pool_of(s, 0);
	if (!pool)
		return VASI_INVALID_BUFFER_LENGTH;
	b = new_buffer(s);
	if (!b)
		return VASI_HARDWARE;

	pool->length = *length;
	b->correlator = *correlator;
	b->length = *length;
	b->ioba = ioba;
	into_pool(s, pool, b);
	*free_buffers = pool->count;
	return VASI_SUCCESS;
}

enum vasi_status phyp_buffer_free(struct phyp_session *s, uint32_t length,
				  uint64_t *correlator)
{
	struct phyp_pool *pool = length ? pool_of(s, length) : NULL;
	struct phyp_buffer *b;

	if (!pool)
		return VASI_INVALID_BUFFER_LENGTH;
	b = TAILQ_FIRST(&pool->buffers);
	if (!b)
		return VASI_EMPTY;
	out_of_pool(s, pool, b);
	forget_buffer(s, b);
	*correlator = b->correlator;
	return VASI_SUCCESS;
}

/* ---- Operations ---- */

static uint64_t op_correlator(const struct phyp_buffer *b)
{
	return (uint64_t)b->bottom << 32 |
	       (b->generation & GENERATION_MASK) << INDEX_BITS | b->index;
}

/* A posted buffer, of the largest kind there is */
static struct phyp_buffer *take_buffer(struct phyp_session *s)
{
	struct phyp_pool *best = NULL;
	struct phyp_buffer *b;
	unsigned int i;

	for (i = 0; i < s->vdev->params.buffer_pools; i++) {
		struct phyp_pool *pool = &s->pools[i];

		if (pool->count && (!best || pool->length > best->length))
			best = pool;
	}
	if (!best)
		return NULL;
	b = TAILQ_FIRST(&best->buffers);
	out_of_pool(s, best, b);
	b->generation++;
	b->slot = -1;
	b->bytes = 0;
	b->nruns = 0;
	return b;
}

static void put_buffer_back(struct phyp_session *s, struct phyp_buffer *b)
{
	struct phyp_pool *pool = pool_of(s, b->length);

	TAILQ_INSERT_HEAD(&pool->buffers, b, link);
	pool->count++;
	s->nbuffers++;
}

struct phyp_buffer *phyp_op_begin(struct phyp_session *s, struct phyp_dma *dma,
				  struct vasi_seg_builder *seg)
{
	struct phyp_buffer *b = take_buffer(s);

	if (!b)
		return NULL;
	if (phyp_dma_get(s->vdev, b->ioba, b->length, dma))
		goto err_put_back;
	if (vasi_op_begin(seg, dma->data, b->length, &(struct vasi_op) {
			.buffer_correlator = b->correlator,
			.top = s->top,
			.bottom = s->bottom,
			.op_code = VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS,
			.correlator = op_correlator(b),
		}))
		goto err_put_dma;
	return b;

err_put_dma:
	phyp_dma_put(dma, false);
err_put_back:
	put_buffer_back(s, b);
	return NULL;
}

void phyp_op_drop(struct phyp_session *s, struct phyp_buffer *b,
		  struct phyp_dma *dma)
{
	phyp_dma_put(dma, false);
	put_buffer_back(s, b);
}

void phyp_op_send(struct phyp_session *s, struct phyp_buffer *b,
		  struct phyp_dma *dma, struct vasi_seg_builder *seg)
{
	vasi_seg_end(seg, dma->data);
	phyp_dma_put(dma, true);
	b->state = PHYP_BUFFER_OPERATION;
	s->outstanding++;
	s->queued_bytes += b->bytes;
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION,
		.data = b->correlator,
	});
}

void phyp_op_responded(struct phyp_vdev *vdev, uint64_t correlator,
		       enum vasi_status status, uint64_t residual)
{
	struct phyp_session *s = phyp_session_find(vdev, correlator >> 32);
	unsigned int index = correlator & INDEX_MASK;
	struct phyp_buffer *b;

	if (!s)
		return;
	b = s->buffers[index];
	if (!b || b->state != PHYP_BUFFER_OPERATION ||
	    op_correlator(b) != correlator)
		return;
	s->outstanding--;
	s->queued_bytes -= b->bytes;
	/* Not a buffer of the platform's any more, whatever comes of it */
	b->state = PHYP_BUFFER_UNKNOWN;
	phyp_stream_responded(s, b, status, residual);
	TAILQ_INSERT_HEAD(&s->spare, b, link);
}

/* ---- Downloads ---- */

enum vasi_status phyp_download_queue(struct phyp_session *s,
				     uint64_t descriptor, uint64_t *correlator)
{
	struct phyp_download *d;
	uint32_t length, ioba;

	if (vasi_desc_parse(descriptor, &length, &ioba) ||
	    length < VASI_CORRELATOR_BYTES + VASI_TERMINATOR_BYTES ||
	    !phyp_dma_valid(s->vdev, ioba, length) ||
	    read_correlator(s->vdev, ioba, correlator))
		return VASI_INVALID_BUFFER_DESCRIPTOR;
	if (s->ndownloads >= PHYP_MAX_DOWNLOADS)
		return VASI_HARDWARE;
	d = malloc(sizeof(*d));
	if (!d)
		return VASI_HARDWARE;
	*d = (struct phyp_download) {
		.descriptor = descriptor,
		.length = length,
		.ioba = ioba,
	};
	STAILQ_INSERT_TAIL(&s->downloads, d, link);
	s->ndownloads++;
	return VASI_SUCCESS;
}

/* The whole list is looked at before any of its data, as LoPAR has it */
static enum vasi_status check_segments(struct phyp_session *s, const void *buf,
				       uint32_t length)
{
	struct vasi_seg_iter it;
	struct vasi_segment seg;
	uint64_t bytes = 0;
	int more;

	vasi_download_parse(buf, length, &it);
	while ((more = vasi_download_next(&it, &seg)) > 0) {
		if (seg.kind == VASI_SEG_INDIRECT && seg.length &&
		    !phyp_dma_valid(s->vdev, seg.ioba, seg.length))
			break;
		/* Indirect segments may all name the same memory */
		bytes += seg.length;
		if (bytes > PHYP_MAX_DOWNLOAD_BYTES)
			break;
	}
	return more ? VASI_INVALID_DOWNLOAD_SPECIFIER : VASI_SUCCESS;
}

static enum vasi_status feed_indirect(struct phyp_session *s,
				      const struct vasi_segment *seg)
{
	enum vasi_status status;
	struct phyp_dma dma;

	if (!seg->length)
		return VASI_SUCCESS;
	if (!phyp_dma_valid(s->vdev, seg->ioba, seg->length) ||
	    phyp_dma_get(s->vdev, seg->ioba, seg->length, &dma))
		return VASI_INVALID_DOWNLOAD_SPECIFIER;
	status = phyp_stream_feed(s, dma.data, seg->length);
	phyp_dma_put(&dma, false);
	return status;
}

/* The VSP may change the list since it was checked: nothing is trusted */
static enum vasi_status feed_segments(struct phyp_session *s, const void *buf,
				      uint32_t length)
{
	enum vasi_status status = check_segments(s, buf, length);
	struct vasi_seg_iter it;
	struct vasi_segment seg;
	uint64_t bytes = 0;
	int more = 0;

	vasi_download_parse(buf, length, &it);
	while (!status && (more = vasi_download_next(&it, &seg)) > 0) {
		bytes += seg.length;
		if (bytes > PHYP_MAX_DOWNLOAD_BYTES)
			return VASI_INVALID_DOWNLOAD_SPECIFIER;
		if (seg.kind == VASI_SEG_INDIRECT)
			status = feed_indirect(s, &seg);
		else
			status = phyp_stream_feed(s, seg.data, seg.length);
	}
	if (!status && more < 0)
		status = VASI_INVALID_DOWNLOAD_SPECIFIER;
	return status;
}

/* The correlator, or the descriptor where the buffer cannot be read */
static uint64_t run_download(struct phyp_session *s,
			     const struct phyp_download *d,
			     enum vasi_status *status)
{
	struct phyp_dma dma;
	__be64 correlator;

	if (phyp_dma_get(s->vdev, d->ioba, d->length, &dma)) {
		*status = VASI_INVALID_BUFFER_DESCRIPTOR;
		return d->descriptor;
	}
	memcpy(&correlator, dma.data, sizeof(correlator));
	if (phyp_stream_final(s->stream))
		*status = VASI_SUCCESS;	/* flushed */
	else if (s->failed)
		*status = VASI_INVALID_DOWNLOAD_DATA;
	else
		*status = feed_segments(s, dma.data, d->length);
	phyp_dma_put(&dma, false);
	return __be64_to_cpu(correlator);
}

void phyp_download_failed(struct phyp_session *s, enum vasi_status status)
{
	/*
	 * LoPAR: unrecoverable; on a target that has resumed the partition stays,
	 * see Documentation/handover.rst
	 */
	s->failed = true;
	if (!phyp_stream_final(s->stream))
		phyp_stream_abort(s->stream, VASI_ABORT_PLATFORM, status);
}

static void answer_download(struct phyp_session *s, enum vasi_status status,
			    uint64_t data)
{
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = VASI_FMT_DOWNLOAD | VASI_FMT_RESPONSE,
		.status = status,
		.handle = s->top,
		.data = data,
	});
}

void phyp_downloads_run(struct phyp_session *s, uint64_t deadline_ns)
{
	struct phyp *phyp = s->vdev->phyp;
	struct phyp_download *d;
	enum vasi_status status;
	uint64_t data;

	while ((d = STAILQ_FIRST(&s->downloads))) {
		STAILQ_REMOVE_HEAD(&s->downloads, link);
		s->ndownloads--;
		data = run_download(s, d, &status);
		free(d);
		answer_download(s, status, data);
		if (status)
			phyp_download_failed(s, status);
		if (phyp->ops->now_ns(phyp->ctx) >= deadline_ns)
			break;
	}
}
