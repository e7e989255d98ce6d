// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The queue of events that the caller reaps.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "libvasi/internal.h"

#define EVENTS_FIRST_SIZE	256u

static struct vasi_event *event_at(const struct vasi_event_queue *queue, uint32_t at)
{
	return &queue->events[at & (queue->size - 1)];
}

static int grow(struct vasi_event_queue *queue)
{
	uint32_t size = queue->size ? queue->size * 2 : EVENTS_FIRST_SIZE;
	uint32_t count = queue->tail - queue->head;
	struct vasi_event *events;

	events = calloc(size, sizeof(*events));
	if (!events)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		events[i] = *event_at(queue, queue->head + i);
	free(queue->events);
	queue->events = events;
	queue->size = size;
	queue->head = 0;
	queue->tail = count;
	return 0;
}

/*
 * Queue an event; the caller fills in the rest.  NULL when there is no memory:
 * the device is lost then, since an event must not be dropped silently.
 */
struct vasi_event *vasi_event_add(struct vasi_device *dev, enum vasi_event_type type,
				  struct vasi_session *s, uint8_t status,
				  uint64_t token)
{
	struct vasi_event_queue *queue = &dev->events;
	struct vasi_event *event;

	if (queue->tail - queue->head == queue->size && grow(queue)) {
		vasi_device_lost(dev, "no memory for %u events", queue->size * 2);
		return NULL;
	}
	event = event_at(queue, queue->tail++);
	memset(event, 0, sizeof(*event));
	event->type = type;
	event->session = s;
	event->status = status;
	event->token = token;
	return event;
}

/* How many events wait to be reaped */
uint32_t vasi_events_waiting(const struct vasi_device *dev)
{
	return dev->events.tail - dev->events.head;
}

void vasi_events_free(struct vasi_device *dev)
{
	free(dev->events.events);
	memset(&dev->events, 0, sizeof(dev->events));
}

/**
 * vasi_reap() - take events
 * @dev:	device
 * @events:	takes them
 * @max:	room in @events
 *
 * VASI_EV_LOST comes after every other event, once.
 *
 * Return: how many were stored; 0 = there are none.
 */
int vasi_reap(struct vasi_device *dev, struct vasi_event *events, int max)
{
	struct vasi_event_queue *queue = &dev->events;
	int count = 0;

	if (max > 0 && queue->head == queue->tail && !dev->lost)
		dev->ops->receive(dev);
	while (count < max && queue->head != queue->tail)
		events[count++] = *event_at(queue, queue->head++);
	if (count < max && dev->lost && !dev->lost_told) {
		dev->lost_told = true;
		events[count] = (struct vasi_event){ .type = VASI_EV_LOST };
		count++;
	}
	return count;
}
