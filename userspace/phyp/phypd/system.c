// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A managed system: the platform, and what it is made of.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/device.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/stream.h"

/* What is queued goes out before anything else comes in */
#define SETTLE_PRIORITY		(SD_EVENT_PRIORITY_NORMAL - 10)

static uint64_t host_now_ns(void *ctx)
{
	(void)ctx;
	return now_ns();
}

static int host_record_read(void *ctx, uint64_t id, enum phyp_verdict *verdict)
{
	return record_dir_read(((struct system *)ctx)->records, id, verdict);
}

static int host_record_write(void *ctx, uint64_t id, enum phyp_verdict verdict)
{
	return record_dir_write(((struct system *)ctx)->records, id, verdict);
}

static void host_log(void *ctx, int priority, const char *text)
{
	enum log_level level = LOG_LEVEL_DEBUG;

	(void)ctx;
	if (priority <= LOG_ERR)
		level = LOG_LEVEL_ERROR;
	else if (priority == LOG_WARNING)
		level = LOG_LEVEL_WARNING;
	else if (priority <= LOG_INFO)
		level = LOG_LEVEL_INFO;
	log_write(level, "%s", text);
}

static const struct phyp_host_ops host_ops = {
	.now_ns		= host_now_ns,
	.record_read	= host_record_read,
	.record_write	= host_record_write,
	.state_changed	= streams_state_changed,
	.log		= host_log,
};

static int on_settle(sd_event_source *source, void *data)
{
	struct system *system = data;
	struct device *device;

	(void)source;
	TAILQ_FOREACH(device, &system->devices, link)
		device_settle(device);
	return 0;
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents,
		   void *data)
{
	uint64_t count;

	(void)source;
	(void)revents;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		partitions_take_events(data);
	return 0;
}

/**
 * system_wake() - let the loop look at the partitions
 * @system:	where
 *
 * Context: any thread; does not sleep.
 */
void system_wake(struct system *system)
{
	uint64_t one = 1;

	while (write(system->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static int add_sources(struct system *system)
{
	int ret;

	ret = sd_event_add_post(system->event, &system->settle, on_settle,
				system);
	if (ret < 0)
		return ret;
	ret = sd_event_source_set_priority(system->settle, SETTLE_PRIORITY);
	if (ret < 0)
		return ret;
	return sd_event_add_io(system->event, &system->wake_source,
			       system->wake_fd, EPOLLIN, on_wake, system);
}

/**
 * system_create() - make a managed system without devices
 * @params:	its strings outlive the system
 * @event:	loop
 * @system:	on success
 *
 * Return: 0; -EBUSY when the state directory belongs to a system that runs;
 * another negative errno.
 */
int system_create(const struct system_params *params, sd_event *event,
		  struct system **system)
{
	struct system *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->params = *params;
	new->event = event;
	TAILQ_INIT(&new->partitions);
	TAILQ_INIT(&new->devices);
	TAILQ_INIT(&new->streams);
	ret = record_dir_open(params->state_dir, &new->records);
	if (ret)
		goto err_free;
	ret = image_dir_open(params->state_dir, &new->images);
	if (ret)
		goto err_close_records;
	ret = jobs_init(&new->jobs, event);
	if (ret)
		goto err_close_images;
	new->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new->wake_fd < 0) {
		ret = -errno;
		goto err_exit_jobs;
	}
	ret = add_sources(new);
	if (ret < 0)
		goto err_sources;
	ret = -ENOMEM;
	new->phyp = phyp_create(&host_ops, new);
	if (!new->phyp)
		goto err_sources;
	ret = hibernate_find(new);
	if (ret)
		goto err_destroy_phyp;
	*system = new;
	return 0;

err_destroy_phyp:
	partitions_destroy(new);
	phyp_destroy(new->phyp);
err_sources:
	sd_event_source_disable_unref(new->wake_source);
	sd_event_source_disable_unref(new->settle);
	close(new->wake_fd);
err_exit_jobs:
	jobs_exit(&new->jobs);
err_close_images:
	image_dir_close(new->images);
err_close_records:
	record_dir_close(new->records);
err_free:
	free(new);
	return ret;
}

/**
 * system_serve() - open the management socket
 * @system:	with its devices
 *
 * Return: 0 or a negative errno.
 */
int system_serve(struct system *system)
{
	return rpc_server_new(system->event, system->params.socket,
			      system->params.socket_mode, mgmt_methods, system,
			      &system->rpc);
}

/**
 * system_destroy() - switch a system off
 * @system:	its partitions stop where they are; its ownership records stay
 */
void system_destroy(struct system *system)
{
	struct device *device;

	partitions_stop(system);
	jobs_exit(&system->jobs);
	while ((device = TAILQ_FIRST(&system->devices)))
		device_destroy(device);
	partitions_stop(system);
	system->rpc = rpc_server_free(system->rpc);
	streams_destroy(system);
	partitions_destroy(system);
	phyp_destroy(system->phyp);
	sd_event_source_disable_unref(system->wake_source);
	sd_event_source_disable_unref(system->settle);
	close(system->wake_fd);
	image_dir_close(system->images);
	record_dir_close(system->records);
	free(system);
}
