// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions: the table of them, and their life from open to close.
 *
 * A TOP is a session's index and a generation, so that one of a session that
 * is gone names nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/util.h"
#include "libvasi/internal.h"

#define TOP_INDEX_MASK	((1u << VASI_SESSION_BITS) - 1)

/* The session that a TOP names, or NULL */
struct vasi_session *vasi_session_by_top(const struct vasi_device *dev, uint32_t top)
{
	uint32_t index = top & TOP_INDEX_MASK;
	struct vasi_session *s;

	if (index >= VASI_MAX_SESSIONS)
		return NULL;
	s = dev->sessions[index];
	return s && s->top == top && s->state != VASI_SESSION_CLOSED ? s : NULL;
}

/* The open session that a BOTTOM names, or NULL */
struct vasi_session *vasi_session_by_bottom(const struct vasi_device *dev,
					    uint32_t bottom)
{
	for (uint32_t i = 0; i < dev->session_limit; i++) {
		struct vasi_session *s = dev->sessions[i];

		if (s && s->bottom == bottom && (s->state == VASI_SESSION_OPEN ||
						 s->state == VASI_SESSION_CLOSING))
			return s;
	}
	return NULL;
}

static int free_index(const struct vasi_device *dev, uint32_t *index)
{
	for (uint32_t i = 0; i < VASI_MAX_SESSIONS; i++) {
		if (!dev->sessions[i]) {
			*index = i;
			return 0;
		}
	}
	return -ENOSPC;
}

/**
 * vasi_session_open() - open a stream
 * @dev:	device
 * @stream_id:	stream
 * @service:	role in it
 * @token:	for VASI_EV_OPENED
 * @session:	set on success; to be used after VASI_EV_OPENED with Success
 *
 * LoPAR, "VASI CRQ Message Definition": Open.
 *
 * Return: 0, -ENOSPC (the device has 1023 sessions), -ENOMEM, -ENODEV.
 */
int vasi_session_open(struct vasi_device *dev, uint64_t stream_id,
		      enum vasi_service service, uint64_t token,
		      struct vasi_session **session)
{
	struct vasi_session *s;
	uint32_t index;
	int ret;

	if (dev->lost)
		return -ENODEV;
	if (free_index(dev, &index))
		return vasi_device_fail(dev, -ENOSPC, "%u sessions are open: limit",
					VASI_MAX_SESSIONS);
	s = calloc(1, dev->ops->session_bytes);
	if (!s)
		return -ENOMEM;
	s->dev = dev;
	s->index = index;
	s->stream_id = stream_id;
	s->service = service;
	s->top = vasi_next_generation(dev) << VASI_SESSION_BITS | index;
	dev->sessions[index] = s;
	dev->session_limit = max(dev->session_limit, index + 1);
	ret = dev->ops->session_open(s, token);
	if (ret) {
		vasi_session_destroy(s);
		return ret;
	}
	*session = s;
	return 0;
}

/* The platform answered an Open */
void vasi_session_opened(struct vasi_session *s, uint8_t status, uint32_t bottom,
			 uint64_t token)
{
	if (status == VASI_SUCCESS && vasi_session_by_bottom(s->dev, bottom)) {
		vasi_device_lost(s->dev, "platform gave BOTTOM 0x%08x to two sessions",
				 bottom);
		return;
	}
	s->bottom = bottom;
	s->state = status == VASI_SUCCESS ? VASI_SESSION_OPEN : VASI_SESSION_CLOSED;
	vasi_event_add(s->dev, VASI_EV_OPENED, s, status, token);
}

/**
 * vasi_session_close() - close a session
 * @s:		an open one
 * @token:	for VASI_EV_CLOSED, its last event
 *
 * Return: 0; -ENOTCONN: it is not open; -ENODEV; -ENOMEM.
 */
int vasi_session_close(struct vasi_session *s, uint64_t token)
{
	int ret;

	if (s->dev->lost)
		return -ENODEV;
	if (s->state != VASI_SESSION_OPEN)
		return -ENOTCONN;
	ret = s->dev->ops->session_close(s, token);
	if (!ret)
		s->state = VASI_SESSION_CLOSING;
	return ret;
}

/* The platform answered a Close: nothing of the session is outstanding any more */
void vasi_session_closed(struct vasi_session *s, uint8_t status, uint64_t token)
{
	s->state = VASI_SESSION_CLOSED;
	s->dev->ops->session_forget(s);
	vasi_event_add(s->dev, VASI_EV_CLOSED, s, status, token);
}

/* Free a session, whatever its state */
void vasi_session_destroy(struct vasi_session *s)
{
	s->dev->ops->session_forget(s);
	vasi_pools_free(s);
	if (s->dev->ops->session_free)
		s->dev->ops->session_free(s);
	s->dev->sessions[s->index] = NULL;
	free(s);
}

/**
 * vasi_session_free() - free a session and its pools
 * @s:		one that is closed, did not open, or whose device is lost; or NULL
 */
void vasi_session_free(struct vasi_session *s)
{
	if (!s)
		return;
	if (s->state != VASI_SESSION_CLOSED && !s->dev->lost) {
		/* The platform may still write into its buffers */
		log_error("libvasi: session 0x%08x freed before it was closed: kept until the device is",
			  s->top);
		return;
	}
	vasi_session_destroy(s);
}

/**
 * vasi_session_set_data() - attach something of the caller's to a session
 * @s:		session
 * @data:	what
 */
void vasi_session_set_data(struct vasi_session *s, void *data)
{
	s->data = data;
}

/**
 * vasi_session_data() - what vasi_session_set_data() attached
 * @s:		session
 */
void *vasi_session_data(const struct vasi_session *s)
{
	return s->data;
}
