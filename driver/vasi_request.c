// SPDX-License-Identifier: GPL-2.0
/*
 * Requests from user space: VASI_IOC_SUBMIT.
 */
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "vasi.h"

/* Requests that are copied, then worked on, at a time */
#define VASI_SUBMIT_BATCH	16

/* Are the members that an op does not have zero?  @used: bytes of u that it has */
static bool vasi_request_clean(const struct vasi_io_request *req, u16 flags, size_t used)
{
	return !(req->flags & ~flags) && !req->reserved &&
	       !memchr_inv((const u8 *)&req->u + used, 0, sizeof(req->u) - used);
}

/* Neither buffer nor pool */
static bool vasi_request_bare(const struct vasi_io_request *req)
{
	return !req->pool && !req->index && !req->generation;
}

static int vasi_do_respond(struct vasi_buf *buf, const struct vasi_io_request *req)
{
	u32 status = req->u.complete.status;

	if (buf->state != VASI_BUF_USER)
		return -EBUSY;
	if (buf->generation != req->generation)
		return -ESTALE;
	vasi_buf_move(buf, VASI_BUF_RESPONDING);
	buf->status = status;
	buf->residual = req->u.complete.residual;
	buf->add_next = req->flags & VASI_COMPLETE_ADD;
	buf->add_alone = false;
	buf->item.event.token = req->token;
	/* LoPAR: an operation says whether its success is to be answered */
	if (status != VASI_SUCCESS || buf->op_code & VASI_OP_RESPOND_ALWAYS) {
		buf->item.msg.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE;
		vasi_queue_item(&buf->item);
	} else if (buf->add_next) {
		vasi_buf_add(buf);
	} else {
		vasi_buf_move(buf, VASI_BUF_FREE);
	}
	return 0;
}

static int vasi_do_add(struct vasi_buf *buf, const struct vasi_io_request *req)
{
	if (buf->state == VASI_BUF_RESPONDING && !buf->add_next) {
		buf->add_next = true;
		buf->item.event.token = req->token;
		return 0;
	}
	if (buf->state != VASI_BUF_FREE)
		return -EBUSY;
	buf->add_alone = false;
	buf->item.event = (struct vasi_io_event){ .token = req->token };
	vasi_buf_add(buf);
	return 0;
}

static int vasi_do_complete(struct vasi_session *s, const struct vasi_io_request *req)
{
	struct vasi_buf *buf = vasi_buf_get(s, req->pool, req->index);

	if (!vasi_request_clean(req, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD,
				sizeof(req->u.complete)) ||
	    !req->flags || req->u.complete.reserved ||
	    req->u.complete.status > U8_MAX ||
	    req->u.complete.residual > VASI_RESIDUAL_MAX || !buf)
		return -EINVAL;
	/* LoPAR: the residual goes with End Of File */
	if (req->u.complete.residual && req->u.complete.status != VASI_END_OF_FILE)
		return -EINVAL;
	if (req->flags & VASI_COMPLETE_RESPOND)
		return vasi_do_respond(buf, req);
	if (req->u.complete.status || req->u.complete.residual || req->generation)
		return -EINVAL;
	return vasi_do_add(buf, req);
}

/* The usual form: where the data are is said in memory that only the kernel writes */
static u64 vasi_download_indirect(struct vasi_buf *buf, u32 offset, u32 bytes)
{
	u32 index = vasi_buf_index(buf);
	u8 *spec = buf->pool->specs + index * VASI_SPEC_STRIDE;
	struct vasi_seg_builder builder;
	u32 length;

	vasi_download_begin(&builder, spec, VASI_SPEC_BYTES, vasi_buf_rename(buf));
	vasi_download_add_indirect(&builder, bytes, buf->dma + offset);
	length = vasi_seg_end(&builder, spec);
	return vasi_desc_make(length, buf->pool->specs_dma + index * VASI_SPEC_STRIDE);
}

/* For a platform that takes nothing else: the specifier lies around the data */
static u64 vasi_download_immediate(struct vasi_buf *buf, u32 offset, u32 bytes)
{
	void *spec = buf->data + offset - VASI_DOWNLOAD_HEAD;
	struct vasi_seg_builder builder;
	u32 length;

	vasi_download_begin(&builder, spec,
			    VASI_DOWNLOAD_HEAD + bytes + VASI_TERMINATOR_BYTES,
			    vasi_buf_rename(buf));
	vasi_seg_add_immediate(&builder, bytes);
	length = vasi_seg_end(&builder, spec);
	return vasi_desc_make(length, buf->dma + offset - VASI_DOWNLOAD_HEAD);
}

/* LoPAR, "VASI Download Request Specifier" */
static int vasi_do_download(struct vasi_session *s, const struct vasi_io_request *req)
{
	bool indirect = vasi_downloads_indirect(s);
	u32 head = indirect ? 0 : VASI_DOWNLOAD_HEAD;
	u32 tail = indirect ? 0 : VASI_TERMINATOR_BYTES;
	struct vasi_buf *buf = vasi_buf_get(s, req->pool, req->index);
	u32 offset = req->u.download.offset;
	u32 bytes = req->u.download.bytes;

	if (!vasi_request_clean(req, 0, sizeof(req->u.download)) || req->generation || !buf ||
	    !bytes || bytes > VASI_MAX_LENGTH || offset < head ||
	    (u64)offset + bytes + tail > buf->pool->buffer_bytes)
		return -EINVAL;
	if (buf->state != VASI_BUF_FREE)
		return -EBUSY;
	vasi_buf_move(buf, VASI_BUF_BUSY);
	buf->item.event = (struct vasi_io_event){ .token = req->token };
	buf->item.msg = (struct vasi_msg) {
		.format = VASI_FMT_DOWNLOAD,
		.data = indirect ? vasi_download_indirect(buf, offset, bytes) :
				   vasi_download_immediate(buf, offset, bytes),
	};
	vasi_buf_sync(buf);
	s->adapter->stats.downloads++;
	vasi_queue_item(&buf->item);
	return 0;
}

static bool vasi_dirty_map_fits(const struct vasi_io_request *req, const struct vasi_buf *buf)
{
	u32 granule = req->u.dirty_map.granule;
	u64 room = buf->pool->buffer_bytes - VASI_CORRELATOR_BYTES -
		   sizeof(struct vasi_dirty_map_specifier);

	return req->u.dirty_map.pages && req->u.dirty_map.pages <= room * 8 &&
	       (!granule || granule == 4096 || granule == 65536);
}

/* This project's extension: see struct vasi_dirty_map_specifier */
static int vasi_do_dirty_map(struct vasi_session *s, const struct vasi_io_request *req)
{
	struct vasi_buf *buf = vasi_buf_get(s, req->pool, req->index);
	struct vasi_dirty_map_specifier spec = {
		.first_page = cpu_to_be64(req->u.dirty_map.first_page),
		.pages = cpu_to_be32(req->u.dirty_map.pages),
		.granule = cpu_to_be32(req->u.dirty_map.granule),
		.flags = cpu_to_be32(req->flags & VASI_DIRTY_CLEAR ? VASI_DIRTY_MAP_CLEAR : 0),
	};
	__be64 correlator;

	if (!vasi_request_clean(req, VASI_DIRTY_CLEAR, sizeof(req->u.dirty_map)) ||
	    req->generation || !buf || !vasi_dirty_map_fits(req, buf))
		return -EINVAL;
	if (vasi_adapter_caps(s->adapter, s->service)->dirty_map != VASI_DIRTY_MAP_OFFER)
		return -EOPNOTSUPP;
	if (buf->state != VASI_BUF_FREE)
		return -EBUSY;
	vasi_buf_move(buf, VASI_BUF_BUSY);
	correlator = cpu_to_be64(vasi_buf_rename(buf));
	memcpy(buf->data, &correlator, sizeof(correlator));
	memcpy(buf->data + sizeof(correlator), &spec, sizeof(spec));
	vasi_buf_sync(buf);
	buf->item.event = (struct vasi_io_event){ .token = req->token };
	/* The answer must not cover more */
	buf->item.event.u.dirty_map.pages = req->u.dirty_map.pages;
	buf->item.msg = (struct vasi_msg) {
		.format = VASI_FMT_DIRTY_MAP,
		.data = vasi_desc_make(buf->pool->buffer_bytes, buf->dma),
	};
	vasi_queue_item(&buf->item);
	return 0;
}

/* A request that needs no buffer */
static int vasi_do_plain(struct vasi_session *s, const struct vasi_io_request *req,
			 const struct vasi_msg *msg)
{
	struct vasi_item *item = vasi_item_get(s, VASI_STATE_ITEMS + VASI_UPLOAD_ITEMS);

	if (!item)
		return -EAGAIN;
	item->msg = *msg;
	item->event.token = req->token;
	vasi_queue_item(item);
	return 0;
}

static int vasi_do_free(struct vasi_session *s, const struct vasi_io_request *req)
{
	struct vasi_buf *buf = vasi_buf_get(s, req->pool, 0);

	if (!vasi_request_clean(req, 0, 0) || req->index || req->generation || !buf)
		return -EINVAL;
	return vasi_do_plain(s, req, &(struct vasi_msg) {
		.format = VASI_FMT_FREE_BUFFER,
		.length = buf->pool->buffer_bytes,
	});
}

static int vasi_do_signal(struct vasi_session *s, const struct vasi_io_request *req)
{
	if (!vasi_request_clean(req, 0, sizeof(req->u.signal)) || !vasi_request_bare(req) ||
	    req->u.signal.code > U16_MAX)
		return -EINVAL;
	return vasi_do_plain(s, req, &(struct vasi_msg) {
		.format = VASI_FMT_SIGNAL,
		.code = req->u.signal.code,
		.reason = req->u.signal.reason,
	});
}

static int vasi_do_progress(struct vasi_session *s, const struct vasi_io_request *req)
{
	if (!vasi_request_clean(req, 0, 0) || !vasi_request_bare(req))
		return -EINVAL;
	return vasi_do_plain(s, req, &(struct vasi_msg){ .format = VASI_FMT_PROGRESS });
}

static int vasi_do_message(struct vasi_session *s, const struct vasi_io_request *req)
{
	if (!vasi_request_clean(req, 0, sizeof(req->u.message)) || !vasi_request_bare(req))
		return -EINVAL;
	return vasi_do_plain(s, req, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_DOWNLOAD,
		.control = VASI_CONTROL_PASS_THROUGH,
		.data = req->u.message,
	});
}

static int vasi_do_close(struct vasi_session *s, const struct vasi_io_request *req)
{
	if (!vasi_request_clean(req, 0, 0) || !vasi_request_bare(req))
		return -EINVAL;
	return vasi_session_close(s, req->token);
}

static int (* const vasi_do[])(struct vasi_session *s, const struct vasi_io_request *req) = {
	[VASI_REQ_COMPLETE]	= vasi_do_complete,
	[VASI_REQ_DOWNLOAD]	= vasi_do_download,
	[VASI_REQ_FREE]		= vasi_do_free,
	[VASI_REQ_SIGNAL]	= vasi_do_signal,
	[VASI_REQ_PROGRESS]	= vasi_do_progress,
	[VASI_REQ_MESSAGE]	= vasi_do_message,
	[VASI_REQ_DIRTY_MAP]	= vasi_do_dirty_map,
	[VASI_REQ_CLOSE]	= vasi_do_close,
};

/**
 * vasi_request() - take one request
 * @s:		session
 * @req:	copy of what user space wrote
 *
 * Context: adapter->lock.  vasi_queue_run() is the caller's.
 * Return: 0, -EINVAL, -EBUSY or -ESTALE: not with this buffer now, -EAGAIN: no room,
 * -EOPNOTSUPP, or what vasi_session_error() says.
 */
int vasi_request(struct vasi_session *s, const struct vasi_io_request *req)
{
	int ret = vasi_session_error(s);

	if (ret)
		return ret;
	if (req->op >= ARRAY_SIZE(vasi_do) || !vasi_do[req->op])
		return -EINVAL;
	return vasi_do[req->op](s, req);
}

/* Return: how many requests were copied; an error only for the first */
static int vasi_submit_copy(struct vasi_io_request *reqs, const struct vasi_vector *vector,
			    u32 from, u32 most)
{
	u32 i;
	int ret;

	for (i = 0; i < most; i++) {
		const void __user *at = u64_to_user_ptr(vector->entries) +
					(u64)(from + i) * vector->entry_bytes;

		ret = copy_struct_from_user(&reqs[i], sizeof(reqs[i]), at, vector->entry_bytes);
		if (ret)
			return i ? i : ret;
	}
	return most;
}

/* Return: how many requests were taken; an error only for the first */
static int vasi_submit_batch(struct vasi_session *s, const struct vasi_io_request *reqs, u32 count)
{
	u32 i;
	int ret = 0;

	spin_lock(&s->adapter->lock);
	for (i = 0; i < count; i++) {
		ret = vasi_request(s, &reqs[i]);
		if (ret)
			break;
	}
	vasi_queue_run(s->adapter);
	spin_unlock(&s->adapter->lock);
	return i ? i : ret;
}

/**
 * vasi_submit() - take requests
 * @s:		session
 * @vector:	requests, checked
 *
 * Context: may sleep; accesses user memory.
 * Return: how many were taken; if none: what is wrong with the first one.
 */
int vasi_submit(struct vasi_session *s, const struct vasi_vector *vector)
{
	struct vasi_io_request reqs[VASI_SUBMIT_BATCH];
	u32 done = 0;
	int ret = 0;

	while (done < vector->count) {
		int copied = vasi_submit_copy(reqs, vector, done,
					      min_t(u32, vector->count - done, ARRAY_SIZE(reqs)));

		ret = copied > 0 ? vasi_submit_batch(s, reqs, copied) : copied;
		if (ret <= 0)
			break;
		done += ret;
		if (ret < copied)
			break;
	}
	return done ? done : ret;
}
