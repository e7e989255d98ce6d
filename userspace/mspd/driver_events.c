// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/vasi.h>
#include "common/driver_nl.h"
#include "common/log.h"
#include "driver_events.h"
#include "mover.h"

/**
 * struct driver_events - the listener
 * @mover:	whose devices count
 * @nl:		way to the driver
 * @source:	its input
 * @names:	by device: the adapter's name, or ""
 */
struct driver_events {
	struct mover *mover;
	struct driver_nl *nl;
	sd_event_source *source;
	char (*names)[DRIVER_NL_NAME_BYTES];
};

/* The driver's name of the device behind @fd; whatever its file is called */
static int adapter_name(int fd, char name[DRIVER_NL_NAME_BYTES])
{
	char path[64], target[PATH_MAX];
	const char *base;
	struct stat st;
	ssize_t length;

	if (fstat(fd, &st))
		return -errno;
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", major(st.st_rdev),
		 minor(st.st_rdev));
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) >= DRIVER_NL_NAME_BYTES)
		return -ENAMETOOLONG;
	snprintf(name, DRIVER_NL_NAME_BYTES, "%s", base);
	return 0;
}

/* Returns how many of the mover's devices are the driver's */
static unsigned int find_names(struct driver_events *events)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < events->mover->config.nvasi; i++) {
		const struct device *d = &events->mover->devices[i];
		int ret;

		if (d->fd < 0)
			continue;
		ret = adapter_name(d->fd, events->names[i]);
		if (ret)
			log_warning("device %s: its events are not logged: %s", d->path,
				    strerror(-ret));
		else
			found++;
	}
	return found;
}

static const struct device *find_device(const struct driver_events *events,
					const char *name)
{
	for (unsigned int i = 0; i < events->mover->config.nvasi; i++) {
		if (!strcmp(events->names[i], name))
			return &events->mover->devices[i];
	}
	return NULL;
}

static enum log_level level_of(const struct driver_event *event)
{
	switch (event->command) {
	case VASI_CMD_RESET_NTF:
	case VASI_CMD_ABORT_NTF:
		return LOG_LEVEL_WARNING;
	case VASI_CMD_ADAPTER_NTF:
		return event->adapter_state == VASI_ADAPTER_DEAD ? LOG_LEVEL_WARNING :
								   LOG_LEVEL_INFO;
	case VASI_CMD_STATE_NTF:
		return LOG_LEVEL_INFO;
	}
	return LOG_LEVEL_DEBUG;
}

static void log_event(void *data, const struct driver_event *event)
{
	const struct device *d = find_device(data, event->adapter);
	char text[DRIVER_NL_TEXT_BYTES];

	if (!d)
		return;
	driver_nl_text(event, text, sizeof(text));
	log_write(level_of(event), "device %s: driver: %s", d->path, text);
}

static void log_driver(void *data, bool there)
{
	(void)data;
	log_warning("the driver was %s", there ? "loaded" : "unloaded");
}

static const struct driver_nl_ops ops = {
	.event = log_event, .driver = log_driver,
};

static int events_ready(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct driver_events *events = data;
	int ret;

	(void)fd;
	(void)revents;
	ret = driver_nl_receive(events->nl);
	if (ret == -ENOBUFS) {
		log_warning("some events of the driver were lost");
	} else if (ret) {
		log_warning("events of the driver: %s: no longer logged", strerror(-ret));
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return 0;
}

static int start(struct driver_events *events)
{
	int ret;

	ret = driver_nl_open(&ops, events, &events->nl);
	if (ret)
		return ret;
	if (!driver_nl_there(events->nl))
		return -ENOENT;
	ret = sd_event_add_io(events->mover->event, &events->source,
			      driver_nl_fd(events->nl), EPOLLIN, events_ready, events);
	return ret < 0 ? ret : 0;
}

/**
 * driver_events_new() - log what the driver tells, from now on
 * @mover: its devices were prepared
 *
 * Without it mspd works as well: whatever is wrong is only a warning.
 *
 * Return: for driver_events_free(); NULL: none of the devices is the driver's, or its
 * events are not to be had.
 */
struct driver_events *driver_events_new(struct mover *mover)
{
	struct driver_events *events = calloc(1, sizeof(*events));
	int ret = -ENOMEM;

	if (!events)
		goto warn;
	events->mover = mover;
	events->names = calloc(mover->config.nvasi, sizeof(*events->names));
	if (!events->names)
		goto free_events;
	ret = 0;
	if (!find_names(events))
		goto free_events;
	ret = start(events);
	if (!ret)
		return events;

free_events:
	driver_events_free(events);
warn:
	if (ret)
		log_warning("events of the driver are not logged: %s", strerror(-ret));
	return NULL;
}

/**
 * driver_events_free() - the opposite
 * @events: or NULL
 */
void driver_events_free(struct driver_events *events)
{
	if (!events)
		return;
	sd_event_source_disable_unref(events->source);
	driver_nl_close(events->nl);
	free(events->names);
	free(events);
}
