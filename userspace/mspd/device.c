// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"
#include "common/util.h"
#include "device.h"

#define EVENT_BATCH	64

static void end_moves(struct device *d)
{
	struct move *m, *next;

	for (m = LIST_FIRST(&d->moves); m; m = next) {
		next = LIST_NEXT(m, entry);
		move_device_lost(m, d->why);
	}
}

static void lose(struct device *d, const char *why)
{
	if (d->lost)
		return;
	d->lost = true;
	snprintf(d->why, sizeof(d->why), "%s", why);
	end_moves(d);
}

static void device_cqe(struct worker_task *task, const struct io_uring_cqe *cqe)
{
	struct device *d = container_of(task, struct device, task);

	/* A failure is told as VASI_EV_LOST too */
	vasi_device_cqe(d->dev, cqe);
}

static void reap_events(struct device *d)
{
	struct vasi_event events[EVENT_BATCH];
	struct session *s;
	int count;

	while ((count = vasi_reap(d->dev, events, EVENT_BATCH)) > 0) {
		for (int i = 0; i < count; i++) {
			if (events[i].type == VASI_EV_LOST) {
				log_error("device %s: %s", d->path,
					  vasi_device_error(d->dev));
				lose(d, vasi_device_error(d->dev));
				continue;
			}
			s = vasi_session_data(events[i].session);
			move_event(s->move, &events[i]);
		}
	}
}

/* When the last move has gone, a lost device goes back to the main thread */
static void finish(struct device *d)
{
	if (!d->lost || d->told || !LIST_EMPTY(&d->moves))
		return;
	if (!d->detached) {
		d->detached = true;
		vasi_device_detach(d->dev);
	}
	if (vasi_device_busy(d->dev))
		return;
	d->told = true;
	mailbox_post(&d->worker->mailbox, &d->closed);
}

static void device_reap(struct worker_task *task)
{
	struct device *d = container_of(task, struct device, task);
	struct move *m, *next;

	if (d->told)
		return;
	if (!d->detached)
		reap_events(d);
	for (m = LIST_FIRST(&d->moves); m; m = next) {
		next = LIST_NEXT(m, entry);
		move_turn(m);
	}
}

static void device_flush(struct worker_task *task)
{
	struct device *d = container_of(task, struct device, task);
	struct move *m, *next;
	int ret;

	if (!d->lost) {
		ret = vasi_device_flush(d->dev);
		if (ret)
			lose(d, vasi_device_error(d->dev));
	}
	/* Kicks come after the messages that they are about */
	for (m = LIST_FIRST(&d->moves); m; m = next) {
		next = LIST_NEXT(m, entry);
		move_kick(m);
		move_advance(m);
	}
	finish(d);
}

static void attach_run(struct mail *mail)
{
	struct device *d = container_of(mail, struct device, attach);
	int ret;

	d->lost = false;
	d->detached = false;
	d->told = false;
	d->attached = true;
	LIST_INIT(&d->moves);
	worker_add_task(d->worker, &d->task);
	ret = vasi_device_attach(d->dev, &d->worker->ring, d->task.tag);
	if (ret)
		lose(d, strerror(-ret));
}

static void close_run(struct mail *mail)
{
	lose(container_of(mail, struct device, close), "closed");
}

static void closed_main(struct mail *mail)
{
	struct device *d = container_of(mail, struct device, closed);

	donor_device_close(d->donors);
	vasi_device_close(d->dev);
	d->donors = NULL;
	d->dev = NULL;
	d->state = DEVICE_CLOSED;
	d->on_closed(d);
}

/* From the mailbox, not from within the task: the task goes away */
static void closed_worker(struct mail *mail)
{
	struct device *d = container_of(mail, struct device, closed);

	worker_remove_task(&d->task);
	d->attached = false;
	d->closed.run = closed_main;
	mailbox_post(d->main_mailbox, &d->closed);
}

/**
 * device_prepare() - do what takes a privilege, so that device_open() needs none
 * @d: the device, zeroed
 * @path: where; stays
 *
 * The kernel driver's device may be opened only with CAP_SYS_ADMIN.
 */
void device_prepare(struct device *d, const char *path)
{
	struct stat st;

	d->path = path;
	d->fd = -1;
	if (stat(path, &st) || !S_ISCHR(st.st_mode))
		return;
	d->fd = open(path, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		log_warning("device %s: %s", path, strerror(errno));
}

/* A descriptor outlives its adapter: then there may be a new one at the same path */
static int open_vasi(struct device *d, const struct vasi_device_params *params)
{
	int ret;

	if (d->fd >= 0) {
		ret = vasi_device_open_fd(d->fd, d->path, params, &d->dev);
		if (ret != -ENODEV)
			return ret;
		close(d->fd);
		d->fd = -1;
	}
	return vasi_device_open(d->path, params, &d->dev);
}

/**
 * device_open() - open a closed device and hand it to its worker
 * @d: the device
 * @pool: the donors
 * @why: on error, a text
 *
 * Context: main thread; may block for up to 5 s.
 * Return: 0 or negative errno.
 */
int device_open(struct device *d, struct donor_pool *pool, char why[256])
{
	const struct vasi_device_params params = {
		.pane_bytes = d->config->pane_bytes,
		.dirty_map = true,
		.no_indirect_operations = d->config->immediate_operations,
	};
	int ret;

	ret = open_vasi(d, &params);
	if (ret) {
		snprintf(why, 256, "device %s: %s", d->path,
			 d->dev ? vasi_device_error(d->dev) : strerror(-ret));
		goto err_close_device;
	}
	ret = donor_device_open(pool, d->dev, &d->donors);
	if (ret) {
		snprintf(why, 256, "device %s: donors: %s", d->path, strerror(-ret));
		goto err_close_device;
	}
	d->info = *vasi_device_info(d->dev);
	d->indirect = !d->config->immediate_operations &&
		      (d->info.operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT);
	d->attach.run = attach_run;
	d->close.run = close_run;
	d->closed.run = closed_worker;
	d->task = (struct worker_task) {
		.cqe = device_cqe, .reap = device_reap, .flush = device_flush,
	};
	d->state = DEVICE_OPEN;
	mailbox_post(&d->worker->mailbox, &d->attach);
	log_info("device %s: unit 0x%08x, %u sessions a stream, operations 0x%02x%s",
		 d->path, d->info.unit_address, d->info.opens, d->info.operations,
		 d->info.dirty_map ? ", dirty map" : "");
	return 0;

err_close_device:
	if (d->dev)
		vasi_device_close(d->dev);
	d->dev = NULL;
	return ret;
}

/**
 * device_close() - have a device closed; @on_closed is called when it is
 * @d: the device, in state DEVICE_OPEN
 *
 * Context: main thread.
 */
void device_close(struct device *d)
{
	d->state = DEVICE_ENDING;
	mailbox_post(&d->worker->mailbox, &d->close);
}
