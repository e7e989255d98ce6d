// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VASI device: what libphyp sends and reads goes out through here.
 */
#include <errno.h>
#include <endian.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/device.h"
#include "phyp/phypd/partition.h"

#define DMA_LIMIT_NS	NSEC_PER_SEC

/**
 * device_fail() - a link can no longer be used
 * @device:	whose
 * @error:	positive errno; the first one stays
 * @fmt:	why, for the client and the log
 */
void device_fail(struct device *device, int error, const char *fmt, ...)
{
	va_list args;

	if (device->error)
		return;
	device->error = error;
	va_start(args, fmt);
	vsnprintf(device->reason, sizeof(device->reason), fmt, args);
	va_end(args);
}

static bool usable(const struct device *device)
{
	return device->crq && !device->error;
}

/* ---- The queue to the client ---- */

static struct outgoing *queued(struct device *device, unsigned int index)
{
	return &device->queue[(device->queue_head + index) %
			      device->queue_size];
}

static void unqueue(struct device *device, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct outgoing *out = queued(device, i);

		if (out->fd >= 0)
			close(out->fd);
		device->crq_queued -= out->type == VIO_CRQ;
	}
	device->queue_head = (device->queue_head + count) % device->queue_size;
	device->queue_used -= count;
}

static int send_entries(struct device *device, unsigned int *count)
{
	struct vasi_crq entries[VIO_MAX_CRQ];
	unsigned int n = 0;

	while (n < VIO_MAX_CRQ && n < device->queue_used &&
	       queued(device, n)->type == VIO_CRQ) {
		entries[n] = queued(device, n)->entry;
		n++;
	}
	*count = n;
	return vio_send_crq(link_crq_fd(device), entries, n);
}

static int send_first(struct device *device, unsigned int *count)
{
	const struct outgoing *out = queued(device, 0);
	int fd = link_crq_fd(device);

	*count = 1;
	switch (out->type) {
	case VIO_CRQ:
		return send_entries(device, count);
	case VIO_WINDOW:
		return vio_send_window(fd, out->id, out->value, out->fd);
	case VIO_MAP:
		return vio_send_map(fd, out->id, out->ioba, out->length,
				    out->value);
	case VIO_EVENT:
		return vio_send_event(fd, out->id);
	default:
		return vio_send_unwindow(fd, out->id);
	}
}

/**
 * device_flush() - send what is queued
 * @device:	of the queue; what the socket does not take stays, in order
 */
void device_flush(struct device *device)
{
	unsigned int count;
	int ret = 0;

	if (!usable(device))
		return;
	while (device->queue_used) {
		ret = send_first(device, &count);
		if (ret)
			break;
		unqueue(device, count);
	}
	if (ret && ret != -EAGAIN)
		device_fail(device, -ret, "the link is lost");
	else
		link_want_output(device, ret == -EAGAIN);
}

static int enqueue(struct device *device, const struct outgoing *out)
{
	bool entry = out->type == VIO_CRQ;
	unsigned int others = device->queue_used - device->crq_queued;

	if (!usable(device))
		return -ENOTCONN;
	if (entry ? device->crq_queued >= device->crq_limit :
		    others >= DEVICE_OTHER_MESSAGES)
		device_flush(device);
	if (!usable(device))
		return -ENOTCONN;
	others = device->queue_used - device->crq_queued;
	if (entry ? device->crq_queued >= device->crq_limit :
		    others >= DEVICE_OTHER_MESSAGES) {
		device_fail(device, ENOBUFS, "more than %u %s wait for the client",
			    entry ? device->crq_limit : DEVICE_OTHER_MESSAGES,
			    entry ? "CRQ entries" : "messages");
		return -ENOBUFS;
	}
	*queued(device, device->queue_used++) = *out;
	device->crq_queued += entry;
	return 0;
}

/**
 * device_queue_forget() - drop entries that the client no longer wants
 * @device:	after RESET; windows and their maps stay true
 */
void device_queue_forget(struct device *device)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < device->queue_used; i++)
		if (queued(device, i)->type != VIO_CRQ)
			*queued(device, kept++) = *queued(device, i);
	device->queue_used = kept;
	device->crq_queued = 0;
}

/**
 * device_queue_exit() - free the queue with all that is in it
 * @device:	without a client
 */
void device_queue_exit(struct device *device)
{
	if (device->queue)
		unqueue(device, device->queue_used);
	free(device->queue);
	device->queue = NULL;
	device->queue_size = 0;
	device->queue_head = 0;
}

/* ---- DMA by messages, where no memory was passed ---- */

static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	uint64_t now = now_ns();
	int ret;

	if (now >= deadline_ns)
		return false;
	ret = poll(&pfd, 1, (int)((deadline_ns - now) / NSEC_PER_MSEC) + 1);
	return ret > 0 || (ret < 0 && errno == EINTR);
}

static int keep_for_later(struct device *device, const struct vio_message *msg)
{
	if (device->backlog_used + msg->count > DEVICE_CRQ_ENTRIES) {
		device_fail(device, ENOBUFS, "more than %u entries while a DMA answer is awaited",
			    DEVICE_CRQ_ENTRIES);
		return -ENOBUFS;
	}
	memcpy(&device->backlog[device->backlog_used], msg->body,
	       msg->count * sizeof(struct vasi_crq));
	device->backlog_used += msg->count;
	return 0;
}

/* Serves the channel until the answer is there; 0 or negative errno */
static int await_answer(struct device *device, enum vio_type type,
			uint64_t deadline_ns)
{
	struct vio_message *msg = &device->dma_msg;
	int fd = link_crq_fd(device);
	int ret;

	for (;;) {
		ret = vio_recv(fd, VIO_CLIENT, VIO_CHANNEL_CRQ, msg);
		if (ret == -EAGAIN && wait_for(fd, POLLIN, deadline_ns))
			continue;
		if (ret == -EPROTO) {
			device_fail(device, EPROTO, "%s", msg->error);
			return ret;
		}
		if (ret) {
			device_fail(device, ret == -EAGAIN ? ETIMEDOUT : -ret,
				    ret == -EAGAIN ? "DMA: no answer within 1 s" :
				    "the link is lost");
			return ret;
		}
		if (msg->type == type && msg->tag == device->dma_tag)
			return 0;
		if (msg->type == VIO_CRQ) {
			ret = keep_for_later(device, msg);
			if (ret)
				return ret;
			continue;
		}
		if (msg->type == VIO_RESET) {
			device->backlog_used = 0;
			device->reset_pending = true;
			continue;
		}
		device_fail(device, EPROTO, "%s with tag %u is not awaited",
			    vio_type_name(msg->type), msg->tag);
		return -EPROTO;
	}
}

static int ask(struct device *device, uint32_t ioba, const void *data,
	       uint32_t length, uint64_t deadline_ns)
{
	int fd = link_crq_fd(device);
	int ret;

	device->dma_tag++;
	for (;;) {
		if (data)
			ret = vio_send_dma_write(fd, device->dma_tag, 1, ioba,
						 data, length);
		else
			ret = vio_send_dma_read(fd, device->dma_tag, 1, ioba,
						length);
		if (ret != -EAGAIN)
			break;
		if (!wait_for(fd, POLLOUT, deadline_ns)) {
			ret = -ETIMEDOUT;
			break;
		}
	}
	if (ret)
		device_fail(device, -ret, "DMA: the request could not be sent");
	return ret;
}

static int dma_read(void *ctx, uint32_t ioba, void *buf, uint32_t length)
{
	struct device *device = ctx;
	uint64_t deadline = now_ns() + DMA_LIMIT_NS;
	const struct vio_status *status;
	uint32_t done = 0;

	while (done < length) {
		uint32_t piece = min(length - done, (uint32_t)VIO_MAX_DMA);

		if (!usable(device) || device->reset_pending ||
		    ask(device, ioba + done, NULL, piece, deadline) ||
		    await_answer(device, VIO_DMA_DATA, deadline))
			return -EFAULT;
		status = (const struct vio_status *)device->dma_msg.body;
		if (status->value)
			return -EFAULT;
		if (device->dma_msg.length != sizeof(*status) + piece) {
			device_fail(device, EPROTO, "DMA_DATA: not the %u bytes that were asked for",
				    piece);
			return -EFAULT;
		}
		memcpy((uint8_t *)buf + done, status + 1, piece);
		done += piece;
	}
	return 0;
}

static int dma_write(void *ctx, uint32_t ioba, const void *buf,
		     uint32_t length)
{
	struct device *device = ctx;
	uint64_t deadline = now_ns() + DMA_LIMIT_NS;
	const struct vio_status *status;
	uint32_t done = 0;

	while (done < length) {
		uint32_t piece = min(length - done, (uint32_t)VIO_MAX_DMA);

		if (!usable(device) || device->reset_pending ||
		    ask(device, ioba + done, (const uint8_t *)buf + done, piece,
			deadline) ||
		    await_answer(device, VIO_DMA_DONE, deadline))
			return -EFAULT;
		status = (const struct vio_status *)device->dma_msg.body;
		if (status->value)
			return -EFAULT;
		done += piece;
	}
	return 0;
}

/* ---- What libphyp calls ---- */

static int crq_send(void *ctx, const struct vasi_crq *entry)
{
	struct outgoing out = { .type = VIO_CRQ, .fd = -1, .entry = *entry };

	return enqueue(ctx, &out);
}

static void *dma_map(void *ctx, uint32_t ioba, uint32_t length)
{
	struct device *device = ctx;

	if (device->table)
		return translate_map(device, ioba, length);
	if (!device->pane || (uint64_t)ioba + length > device->pane_bytes)
		return NULL;
	return device->pane + ioba;
}

/* By what the client has passed.  With a mapped pane dma_map() has the last word */
static int pane_read(void *ctx, uint32_t ioba, void *buf, uint32_t length)
{
	struct device *device = ctx;

	if (device->pane)
		return -EFAULT;
	return device->table ? translate_read(device, ioba, buf, length) :
	       dma_read(device, ioba, buf, length);
}

static int pane_write(void *ctx, uint32_t ioba, const void *buf,
		      uint32_t length)
{
	struct device *device = ctx;

	if (device->pane)
		return -EFAULT;
	return device->table ? translate_write(device, ioba, buf, length) :
	       dma_write(device, ioba, buf, length);
}

static int window_open(void *ctx, uint32_t id, struct phyp_lpar *lpar)
{
	const struct partition *p = phyp_lpar_ctx(lpar);
	struct outgoing out = {
		.type = VIO_WINDOW, .id = id, .value = p->memory.bytes,
	};
	int ret;

	out.fd = vio_open_readonly(p->memory.fd);
	if (out.fd < 0)
		return out.fd;
	ret = enqueue(ctx, &out);
	if (ret)
		close(out.fd);
	return ret;
}

static int window_map(void *ctx, uint32_t id, uint32_t ioba, uint32_t length,
		      uint64_t offset)
{
	struct outgoing out = {
		.type = VIO_MAP, .fd = -1, .id = id, .ioba = ioba,
		.length = length, .value = offset,
	};

	return enqueue(ctx, &out);
}

static void window_close(void *ctx, uint32_t id)
{
	struct outgoing out = { .type = VIO_UNWINDOW, .fd = -1, .id = id };

	/* When the link is gone, so is the window */
	enqueue(ctx, &out);
}

static const struct phyp_vdev_ops vdev_ops = {
	.crq_send	= crq_send,
	.dma_map	= dma_map,
	.dma_read	= pane_read,
	.dma_write	= pane_write,
	.window_open	= window_open,
	.window_map	= window_map,
	.window_close	= window_close,
};

/**
 * device_event() - as if the platform's end of the CRQ had failed
 * @device:	its sessions are closed
 * @code:	enum vasi_event_format
 *
 * Return: 0; -ENOTCONN: nobody is there to be told; -ENOBUFS.
 */
int device_event(struct device *device, uint32_t code)
{
	struct outgoing out = { .type = VIO_EVENT, .fd = -1, .id = code };

	if (!usable(device))
		return -ENOTCONN;
	link_reset(device);
	return enqueue(device, &out);
}

/* ---- Creation ---- */

/**
 * device_find() - find a device by name
 * @system:	where
 * @name:	its name
 */
struct device *device_find(struct system *system, const char *name)
{
	struct device *device;

	TAILQ_FOREACH(device, &system->devices, link)
		if (!strcmp(device->name, name))
			return device;
	return NULL;
}

static void set_params(struct device *device)
{
	const struct system_params *params = &device->system->params;

	device->params = (struct phyp_vdev_params) {
		.unit_address = DEVICE_FIRST_UNIT + device->system->device_count,
		.crq_bytes = DEVICE_CRQ_BYTES,
		.buffer_pools = DEVICE_BUFFER_POOLS,
		.streams = params->streams,
		.opens = params->opens,
		.indirect = params->indirect,
		.dirty_map = params->dirty_map,
		.dirty_map_echo = params->dirty_map_echo,
	};
}

/**
 * device_create() - make a device and offer it
 * @system:	where
 * @name:	of the device
 * @path:	of its socket
 * @device:	on success
 *
 * Return: 0; -EEXIST for a name that is used; -ENOSPC; or the error that kept
 * the socket from being made.
 */
int device_create(struct system *system, const char *name, const char *path,
		  struct device **device)
{
	struct device *new;
	int ret = -ENOMEM;

	if (device_find(system, name))
		return -EEXIST;
	if (system->device_count >= SYSTEM_MAX_DEVICES)
		return -ENOSPC;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->system = system;
	new->name = strdup(name);
	new->path = strdup(path);
	TAILQ_INIT(&new->channels);
	vio_message_init(&new->msg);
	vio_message_init(&new->dma_msg);
	set_params(new);
	if (!new->name || !new->path)
		goto err_free;
	new->vdev = phyp_vdev_create(system->phyp, &new->params, &vdev_ops, new);
	if (!new->vdev)
		goto err_free;
	ret = link_listen(new);
	if (ret)
		goto err_destroy_vdev;
	TAILQ_INSERT_TAIL(&system->devices, new, link);
	system->device_count++;
	*device = new;
	return 0;

err_destroy_vdev:
	phyp_vdev_destroy(new->vdev);
err_free:
	free(new->path);
	free(new->name);
	free(new);
	return ret;
}

/**
 * device_destroy() - end a device and its link
 * @device:	no longer usable; its streams park
 */
void device_destroy(struct device *device)
{
	device_fail(device, ESHUTDOWN, "the system is going down");
	device_settle(device);
	link_unlisten(device);
	phyp_vdev_destroy(device->vdev);
	TAILQ_REMOVE(&device->system->devices, device, link);
	device->system->device_count--;
	free(device->path);
	free(device->name);
	free(device);
}
