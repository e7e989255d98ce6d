// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations: the specifiers that the platform writes into posted buffers.
 *
 * They lie in shared memory.  Whatever decides something is read once and kept:
 * the walk that checks an operation on arrival does not vouch for the walk
 * that makes its iovecs, so both check everything.
 */
#include <errno.h>

#include "common/util.h"
#include "libvasi/internal.h"

/**
 * struct op_walk - what walking an operation's segments finds
 * @bytes:	of stream data
 * @segments:	how many
 * @fetched:	of them, in indirect segments
 * @window:	where the indirect ones lie; they all lie in one
 * @iov:	NULL, or takes where the data are
 * @max:	room there
 */
struct op_walk {
	uint64_t bytes;
	uint64_t fetched;
	uint32_t segments;
	struct vasi_window *window;
	struct iovec *iov;
	uint32_t max;
};

/* Where a segment's data are; NULL if it is not one that may be here */
static const void *segment_data(struct vasi_session *s, uint16_t pool, uint32_t index,
				const struct vasi_segment *seg, struct op_walk *walk)
{
	struct vasi_window *window = NULL;
	const void *data;

	if (seg->kind == VASI_SEG_IMMEDIATE)
		return seg->data;
	/* Skip and offset belong to indexed operations, which are not offered */
	if (seg->kind != VASI_SEG_INDIRECT || !seg->length ||
	    !(s->dev->info.operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT))
		return NULL;
	data = s->dev->ops->indirect_data(s, pool, index, seg, walk->fetched, &window);
	if (!data || (walk->window && walk->window != window))
		return NULL;
	walk->window = window;
	walk->fetched += seg->length;
	return data;
}

/* 0, -EBADMSG for segments that do not hold together, -ENOSPC */
static int walk_segments(struct vasi_session *s, uint16_t pool, uint32_t index,
			 struct vasi_seg_iter *it, struct op_walk *walk)
{
	struct vasi_segment seg;
	const void *data;
	int ret;

	while ((ret = vasi_op_next(it, &seg)) > 0) {
		data = segment_data(s, pool, index, &seg, walk);
		if (!data)
			return -EBADMSG;
		if (walk->iov) {
			if (walk->segments == walk->max)
				return -ENOSPC;
			walk->iov[walk->segments].iov_base = (void *)data;
			walk->iov[walk->segments].iov_len = seg.length;
		}
		walk->segments++;
		walk->bytes += seg.length;
	}
	return ret ? -EBADMSG : 0;
}

/*
 * The platform says that it filled a buffer of its own.  On VASI_SUCCESS the
 * buffer is FILLED; otherwise it is the platform's still, and the status is
 * the answer for the operation @op_correlator.
 */
enum vasi_status vasi_operation_arrived(struct vasi_session *s, uint16_t pool,
					uint32_t index, uint64_t correlator,
					uint64_t *op_correlator)
{
	struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	struct op_walk walk = { .bytes = 0 };
	struct vasi_seg_iter it;
	enum vasi_status status;
	struct vasi_op op;

	status = vasi_op_parse(vasi_buffer(s, pool, index), s->pools[pool].bytes,
			       &op, &it);
	*op_correlator = op.correlator;
	if (status != VASI_SUCCESS)
		return status;
	if (op.buffer_correlator != correlator)
		return VASI_INVALID_BUFFER_CORRELATOR;
	if (op.top != s->top || op.bottom != s->bottom)
		return VASI_INVALID_TOP;
	if (!(op.op_code & VASI_OP_WRITE) || op.op_code & VASI_OP_INDEXED)
		return VASI_INVALID_OPERATION_SPECIFIER;
	if (walk_segments(s, pool, index, &it, &walk))
		return VASI_INVALID_OPERATION_SPECIFIER;
	vasi_buf_move(buf, VASI_OWNER_PLATFORM, VASI_OWNER_FILLED);
	buf->op_code = op.op_code;
	buf->op_correlator = op.correlator;
	buf->bytes = walk.bytes;
	buf->segments = walk.segments;
	buf->window = walk.window;
	if (buf->window)
		s->dev->ops->window_get(buf->window);
	return VASI_SUCCESS;
}

/**
 * vasi_operation_iov() - where the data of an operation are
 * @s:		session
 * @pool:	pool
 * @index:	a FILLED buffer
 * @iov:	takes them, in order
 * @max:	room there
 *
 * Return: the number of iovecs; -EBADMSG: the specifier does not hold together,
 * or was changed; -ENOSPC: @max is too small; -EINVAL; -EBUSY: not FILLED.
 */
int vasi_operation_iov(struct vasi_session *s, uint16_t pool, uint32_t index,
		       struct iovec *iov, int max)
{
	struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	struct op_walk walk = { .iov = iov, .max = max > 0 ? (uint32_t)max : 0 };
	struct vasi_seg_iter it;
	struct vasi_op op;
	int ret;

	if (!buf)
		return -EINVAL;
	if (buf->owner != VASI_OWNER_FILLED)
		return -EBUSY;
	if (vasi_op_parse(vasi_buffer(s, pool, index), s->pools[pool].bytes, &op, &it) !=
	    VASI_SUCCESS)
		return -EBADMSG;
	ret = walk_segments(s, pool, index, &it, &walk);
	if (ret)
		return ret;
	if (walk.bytes != buf->bytes || walk.window != buf->window)
		return -EBADMSG;
	return (int)walk.segments;
}

/**
 * vasi_respond() - answer an operation
 * @s:		session
 * @pool:	pool
 * @index:	a FILLED buffer; it becomes the caller's
 * @status:	the answer; Success is sent only if the platform wants it
 * @residual:	End Of File: bytes that were not taken
 * @post:	post the buffer again at once
 *
 * LoPAR, "VASI Operation Request Specifier" and "VASI CRQ Message Definition".
 *
 * Return: 0; -EINVAL; -EBUSY: not FILLED; -ENODEV; -ENOTCONN; -ENOMEM.
 */
int vasi_respond(struct vasi_session *s, uint16_t pool, uint32_t index,
		 enum vasi_status status, uint64_t residual, bool post)
{
	struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	int ret;

	if (!buf)
		return -EINVAL;
	if (s->dev->lost)
		return -ENODEV;
	if (s->state != VASI_SESSION_OPEN && s->state != VASI_SESSION_CLOSING)
		return -ENOTCONN;
	if (buf->owner != VASI_OWNER_FILLED)
		return -EBUSY;
	/* A session that closes takes no more buffers */
	post = post && s->state == VASI_SESSION_OPEN;
	ret = s->dev->ops->respond(s, pool, index, status, residual, post);
	if (ret < 0)
		return ret;
	vasi_buf_release(s, buf);
	vasi_buf_move(buf, VASI_OWNER_FILLED, ret ? VASI_OWNER_PLATFORM : VASI_OWNER_USER);
	return post && !ret ? vasi_post_buf(s, pool, buf) : 0;
}
