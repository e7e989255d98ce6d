// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The transport for the kernel's device: events.  The kernel has checked what the
 * platform said, but an event that names no buffer, or one in another state, would
 * still end in memory that is not ours: it ends the device instead.
 */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "libvasi/kernel.h"

static void bad_event(struct vasi_session *s, const struct vasi_io_event *event)
{
	vasi_device_lost(s->dev, "bad event from the kernel: type %u, status %u, pool %u, buffer %u",
			 event->type, event->status, event->pool, event->index);
}

/* Which status the caller sees for an open that the kernel could not do */
static uint8_t open_status(int res)
{
	return res == -ENOSPC ? VASI_TOO_MANY_OPENS : VASI_HARDWARE;
}

/* VASI_IOC_OPEN_STREAM has completed */
void kernel_opened(struct kernel_channel *channel, int res)
{
	const struct vasi_open_stream *open = &channel->open;
	struct vasi_session *s = channel->s;

	if (res == -ECONNRESET || res == -ENODEV) {
		kernel_lost(channel->kernel, res, "open");
	} else if (res == -EREMOTEIO && open->status && open->status <= UINT8_MAX) {
		vasi_session_opened(s, (uint8_t)open->status, 0, channel->token);
	} else if (res < 0) {
		log_warning("libvasi: %s: open stream 0x%016llx: %s",
			    channel->kernel->path,
			    (unsigned long long)s->stream_id, strerror(-res));
		vasi_session_opened(s, open_status(res), 0, channel->token);
	} else if (res || open->fd < 0 || open->status) {
		kernel_lost(channel->kernel, -EPROTO, "open");
	} else {
		s->top = open->top;
		vasi_session_opened(s, VASI_SUCCESS, open->bottom, channel->token);
	}
}

/* The buffer of an event, which must be @from's; NULL: the device is lost */
static struct vasi_buf *take_buffer(struct vasi_session *s,
				    const struct vasi_io_event *event,
				    enum vasi_owner from, enum vasi_owner to,
				    uint16_t *pool)
{
	const struct kernel_session *ks = to_kernel_session(s);
	struct vasi_buf *buf = NULL;

	if (event->pool < VASI_MAX_POOLS && ks->pool_numbers[event->pool]) {
		*pool = (uint16_t)(ks->pool_numbers[event->pool] - 1);
		buf = vasi_buf_get(s, *pool, event->index);
	}
	if (!buf || vasi_buf_move(buf, from, to)) {
		bad_event(s, event);
		return NULL;
	}
	return buf;
}

/* A buffer is the caller's again */
static struct vasi_event *give_back(struct vasi_session *s,
				    const struct vasi_io_event *event,
				    enum vasi_event_type type, enum vasi_owner from)
{
	struct vasi_event *ev;
	uint16_t pool;

	if (!take_buffer(s, event, from, VASI_OWNER_USER, &pool))
		return NULL;
	ev = vasi_event_add(s->dev, type, s, (uint8_t)event->status, event->token);
	if (ev) {
		ev->pool = pool;
		ev->index = event->index;
	}
	return ev;
}

static void operation(struct vasi_session *s, const struct vasi_io_event *event)
{
	uint64_t bytes = event->u.operation.bytes;
	uint64_t fetched = event->u.operation.fetched;
	uint32_t op_code = event->u.operation.op_code;
	const struct vasi_pool *p;
	struct vasi_buf *buf;
	struct vasi_event *ev;
	uint16_t pool;

	buf = take_buffer(s, event, VASI_OWNER_PLATFORM, VASI_OWNER_FILLED, &pool);
	if (!buf)
		return;
	p = &s->pools[pool];
	if (fetched > p->stride - p->place || bytes > p->bytes + fetched ||
	    event->u.operation.segments > p->bytes / VASI_SEG_IMMEDIATE_BYTES ||
	    op_code > UINT8_MAX || !(op_code & VASI_OP_WRITE) ||
	    op_code & VASI_OP_INDEXED) {
		bad_event(s, event);
		return;
	}
	buf->generation = event->generation;
	buf->op_code = (uint8_t)op_code;
	buf->segments = event->u.operation.segments;
	buf->bytes = bytes;
	buf->fetched = fetched;
	ev = vasi_event_add(s->dev, VASI_EV_OPERATION, s, VASI_SUCCESS, 0);
	if (!ev)
		return;
	ev->pool = pool;
	ev->index = event->index;
	ev->bytes = bytes;
	ev->segments = buf->segments;
	ev->op_code = buf->op_code;
}

static void added(struct vasi_session *s, const struct vasi_io_event *event)
{
	/* Only a refusal is told */
	if (!event->status)
		bad_event(s, event);
	else
		give_back(s, event, VASI_EV_ADDED, VASI_OWNER_PLATFORM);
}

static void downloaded(struct vasi_session *s, const struct vasi_io_event *event)
{
	give_back(s, event, VASI_EV_DOWNLOADED, VASI_OWNER_DOWNLOAD);
}

static void freed(struct vasi_session *s, const struct vasi_io_event *event)
{
	if (!event->status)
		give_back(s, event, VASI_EV_FREED, VASI_OWNER_PLATFORM);
	else
		vasi_event_add(s->dev, VASI_EV_FREED, s, (uint8_t)event->status,
			       event->token);
}

static void dirty_map(struct vasi_session *s, const struct vasi_io_event *event)
{
	uint32_t pages = event->u.dirty_map.pages;
	struct vasi_event *ev;

	ev = give_back(s, event, VASI_EV_DIRTY_MAP, VASI_OWNER_DIRTY_MAP);
	if (!ev || event->status)
		return;
	/* The caller walks that many bits, also when the device is lost meanwhile */
	if (pages > vasi_buf_get(s, ev->pool, ev->index)->bytes ||
	    event->u.dirty_map.dirty > pages) {
		bad_event(s, event);
		return;
	}
	ev->dirty_map.first_page = event->u.dirty_map.first_page;
	ev->dirty_map.pages = pages;
	ev->dirty_map.granule = event->u.dirty_map.granule;
	ev->dirty_map.dirty = event->u.dirty_map.dirty;
}

static void signalled(struct vasi_session *s, const struct vasi_io_event *event)
{
	vasi_event_add(s->dev, VASI_EV_SIGNALLED, s, (uint8_t)event->status, event->token);
}

static void progress(struct vasi_session *s, const struct vasi_io_event *event)
{
	struct vasi_event *ev;

	ev = vasi_event_add(s->dev, VASI_EV_PROGRESS, s, (uint8_t)event->status,
			    event->token);
	if (ev && !event->status)
		ev->bytes = event->u.bytes_left;
}

static void messaged(struct vasi_session *s, const struct vasi_io_event *event)
{
	vasi_event_add(s->dev, VASI_EV_MESSAGED, s, (uint8_t)event->status, event->token);
}

static void message(struct vasi_session *s, const struct vasi_io_event *event)
{
	struct vasi_event *ev = vasi_event_add(s->dev, VASI_EV_MESSAGE, s, VASI_SUCCESS, 0);

	if (ev)
		ev->message = event->u.message;
}

static void state(struct vasi_session *s, const struct vasi_io_event *event)
{
	struct vasi_event *ev;

	if (event->u.state.state > UINT16_MAX) {
		bad_event(s, event);
		return;
	}
	ev = vasi_event_add(s->dev, VASI_EV_STATE, s, VASI_SUCCESS, 0);
	if (!ev)
		return;
	ev->state = (uint16_t)event->u.state.state;
	ev->reason = event->u.state.reason;
}

static void closed(struct vasi_session *s, const struct vasi_io_event *event)
{
	if (s->state != VASI_SESSION_CLOSING) {
		bad_event(s, event);
		return;
	}
	to_kernel_session(s)->channel->over = true;
	vasi_session_closed(s, (uint8_t)event->status, event->token);
}

static void (*const handlers[])(struct vasi_session *s, const struct vasi_io_event *event) = {
	[VASI_EVT_OPERATION]	= operation,
	[VASI_EVT_ADDED]	= added,
	[VASI_EVT_DOWNLOADED]	= downloaded,
	[VASI_EVT_FREED]	= freed,
	[VASI_EVT_SIGNALLED]	= signalled,
	[VASI_EVT_PROGRESS]	= progress,
	[VASI_EVT_MESSAGED]	= messaged,
	[VASI_EVT_DIRTY_MAP]	= dirty_map,
	[VASI_EVT_CLOSED]	= closed,
	[VASI_EVT_STATE]	= state,
	[VASI_EVT_MESSAGE]	= message,
};

/* The first @count of the channel's events were stored */
void kernel_fetched(struct kernel_channel *channel, unsigned int count)
{
	struct vasi_session *s = channel->s;

	for (unsigned int i = 0; i < count && !s->dev->lost; i++) {
		const struct vasi_io_event *event = &channel->events[i];

		if (channel->over || event->status > UINT8_MAX ||
		    event->type >= ARRAY_SIZE(handlers) || !handlers[event->type])
			bad_event(s, event);
		else
			handlers[event->type](s, event);
	}
}

/* Indirect data were fetched: they lie behind the buffer, one after the other */
const void *kernel_indirect_data(struct vasi_session *s, uint16_t pool, uint32_t index,
				 const struct vasi_segment *seg, uint64_t before,
				 struct vasi_window **window)
{
	const struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	const uint8_t *buffer = vasi_buffer(s, pool, index);

	(void)window;
	if (before > buf->fetched || seg->length > buf->fetched - before)
		return NULL;
	return buffer + s->pools[pool].place + before;
}
