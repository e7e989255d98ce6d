// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connections of a VASI device: who connects, what comes in.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/device.h"

#define HELLO_LIMIT_USEC	5000000
#define ACCEPT_PAUSE_USEC	100000
#define MESSAGES_PER_EVENT	64
#define CHANNEL_NEW		0	/* HELLO was not answered yet */

/**
 * struct channel - a connection
 * @device:	of which device
 * @fd:		socket
 * @source:	its event source
 * @hello_timer: how long HELLO may take; NULL after it
 * @minor:	version that both ends know
 * @kind:	enum vio_channel, or CHANNEL_NEW
 * @error:	not 0: to be closed; a positive errno
 * @tell:	tell the client why
 * @reason:	why
 */
struct channel {
	TAILQ_ENTRY(channel) link;
	struct device *device;
	int fd;
	sd_event_source *source;
	sd_event_source *hello_timer;
	unsigned int kind;
	uint16_t minor;
	int error;
	bool tell;
	char reason[DEVICE_REASON_BYTES];
};

int link_crq_fd(const struct device *device)
{
	return device->crq->fd;
}

/**
 * link_want_output() - the queue waits for room in the socket, or no longer
 * @device:	with a client
 * @want:	which
 */
void link_want_output(struct device *device, bool want)
{
	if (device->blocked == want)
		return;
	device->blocked = want;
	sd_event_source_set_io_events(device->crq->source,
				      EPOLLIN | (want ? EPOLLOUT : 0));
}

static void refuse(struct channel *c, int error, const char *reason)
{
	if (c->error)
		return;
	c->error = error;
	c->tell = true;
	snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

static void lost(struct channel *c, int error)
{
	if (!c->error)
		c->error = error;
}

/* ---- HELLO ---- */

static int map_pane(struct device *device, int fd, const char **why)
{
	void *base;
	int ret;

	*why = "first pane: not a memfd sealed against shrinking and growing";
	ret = vio_check_pane(fd, &device->pane_bytes);
	if (ret)
		return ret;
	*why = "first pane: it cannot be mapped";
	base = mmap(NULL, device->pane_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	madvise(base, device->pane_bytes, MADV_DONTDUMP);
	device->pane = base;
	return 0;
}

static int make_queue(struct device *device, uint32_t crq_entries)
{
	device->crq_limit = min(crq_entries, DEVICE_CRQ_ENTRIES);
	device->queue_size = device->crq_limit + DEVICE_OTHER_MESSAGES;
	device->queue = calloc(device->queue_size, sizeof(*device->queue));
	return device->queue ? 0 : -ENOMEM;
}

static int welcome(struct channel *c)
{
	const struct device *device = c->device;
	struct vio_welcome w = {
		.magic = htobe64(VIO_MAGIC),
		.major = htobe16(VIO_MAJOR),
		.minor = htobe16(VIO_MINOR),
		.unit_address = htobe32(device->params.unit_address),
		.crq_bytes = htobe32(device->params.crq_bytes),
		.buffer_pools = htobe32(device->params.buffer_pools),
		.streams = htobe32(device->params.streams),
		.pane1_bytes = htobe64(device->pane_bytes),
		.pane2_bytes = htobe64(device->params.indirect ? 1ULL << 32 : 0),
	};

	memcpy(w.token, device->token, sizeof(w.token));
	return vio_send_welcome(c->fd, &w);
}

static void unmap_pane(struct device *device)
{
	if (device->pane)
		munmap(device->pane, device->pane_bytes);
	device->pane = NULL;
	device->pane_bytes = 0;
}

static void hello_crq(struct channel *c, struct vio_message *msg)
{
	const struct vio_hello *hello = (const struct vio_hello *)msg->body;
	struct device *device = c->device;
	const char *why = "out of memory";
	int ret;

	if (device->crq) {
		refuse(c, EBUSY, "the device has a client already");
		return;
	}
	if (getrandom(device->token, sizeof(device->token), 0) !=
	    sizeof(device->token)) {
		refuse(c, EIO, "no random numbers");
		return;
	}
	device->pane_bytes = VIO_MAX_PANE;
	ret = msg->fd >= 0 ? map_pane(device, msg->fd, &why) : 0;
	if (!ret)
		ret = make_queue(device, be32toh(hello->crq_entries));
	if (ret) {
		unmap_pane(device);
		refuse(c, -ret, why);
		return;
	}
	c->kind = VIO_CHANNEL_CRQ;
	c->minor = min(be16toh(hello->minor), (uint16_t)VIO_MINOR);
	device->crq = c;
	device->blocked = false;
	device->error = 0;
	log_info("device %s: a client connected", device->name);
	ret = welcome(c);
	if (ret)
		device_fail(device, -ret, "WELCOME could not be sent");
}

/* Takes the same time wherever the first difference is */
static bool same_token(const uint8_t *a, const uint8_t *b)
{
	uint8_t difference = 0;

	for (unsigned int i = 0; i < VIO_TOKEN_BYTES; i++)
		difference |= a[i] ^ b[i];
	return !difference;
}

static void hello_hcall(struct channel *c, const struct vio_message *msg)
{
	const struct vio_hello *hello = (const struct vio_hello *)msg->body;
	int ret;

	if (!c->device->crq || !same_token(hello->token, c->device->token)) {
		refuse(c, EACCES, "hcall channel: the token is of no CRQ channel here");
		return;
	}
	c->kind = VIO_CHANNEL_HCALL;
	ret = welcome(c);
	if (ret)
		lost(c, -ret);
}

static void handle_hello(struct channel *c, struct vio_message *msg)
{
	const struct vio_hello *hello = (const struct vio_hello *)msg->body;

	if (be16toh(hello->channel) == VIO_CHANNEL_CRQ)
		hello_crq(c, msg);
	else
		hello_hcall(c, msg);
	vio_message_clear(msg);
	c->hello_timer = sd_event_source_disable_unref(c->hello_timer);
}

/* ---- The CRQ channel ---- */

/**
 * link_reset() - close the sessions, and begin with an empty queue
 * @device:	with a client
 */
void link_reset(struct device *device)
{
	device->reset_pending = false;
	device_queue_forget(device);
	phyp_vdev_reset(device->vdev);
	/* What closing the sessions still said is not for the new CRQ either */
	device_queue_forget(device);
}

/* What came in while somebody waited for a DMA answer, in its order */
static void work_off_backlog(struct device *device)
{
	if (device->working)
		return;
	device->working = true;
	while (!device->error && (device->reset_pending ||
				  device->backlog_used)) {
		struct vasi_crq entry = device->backlog[0];

		if (device->reset_pending) {
			link_reset(device);
			continue;
		}
		device->backlog_used--;
		memmove(device->backlog, device->backlog + 1,
			device->backlog_used * sizeof(entry));
		phyp_crq(device->vdev, &entry);
	}
	device->working = false;
}

static void handle_entries(struct device *device, const struct vio_message *msg)
{
	const struct vasi_crq *entries = (const struct vasi_crq *)msg->body;

	device->working = true;
	for (unsigned int i = 0; i < msg->count; i++) {
		if (device->error || device->reset_pending)
			break;
		phyp_crq(device->vdev, &entries[i]);
	}
	device->working = false;
	work_off_backlog(device);
}

static void handle_memory(struct channel *c, const struct vio_message *msg)
{
	const struct vio_memory *memory = (const struct vio_memory *)msg->body;
	const struct vio_table *table = (const struct vio_table *)msg->body;
	struct device *device = c->device;
	int ret;

	if (!c->minor) {
		device_fail(device, EPROTO, "%s is of minor version 1",
			    vio_type_name(msg->type));
		return;
	}
	if (msg->type == VIO_MEMORY)
		ret = translate_memory(device, msg->fd, be64toh(memory->bytes));
	else
		ret = translate_table(device, msg->fd, be32toh(table->pages));
	if (ret)
		device_fail(device, -ret, "%s: not what it should be, or not now: %s",
			    vio_type_name(msg->type), strerror(-ret));
}

static void handle_crq(struct channel *c, const struct vio_message *msg)
{
	struct device *device = c->device;

	switch (msg->type) {
	case VIO_CRQ:
		handle_entries(device, msg);
		break;
	case VIO_RESET:
		link_reset(device);
		break;
	case VIO_MEMORY:
	case VIO_TABLE:
		handle_memory(c, msg);
		break;
	default:
		device_fail(device, EPROTO, "%s was not asked for",
			    vio_type_name(msg->type));
		break;
	}
}

/* ---- hcall channels ---- */

static void receive(struct channel *c);

static void handle_hcall(struct channel *c, const struct vio_message *msg)
{
	const struct vio_hcall *hcall = (const struct vio_hcall *)msg->body;
	uint64_t number = be64toh(hcall->number);
	struct device *device = c->device;
	uint64_t arg[8], ret[4] = { 0 };
	uint32_t tag = msg->tag;
	int64_t rc;
	int err;

	for (unsigned int i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = be64toh(hcall->arg[i]);
	/*
	 * A processor's hcall sees what was put on the CRQ before it: cycles
	 * donated for a download must not come ahead of the download
	 */
	receive(device->crq);
	if (device->error)
		return;
	rc = phyp_hcall(device->vdev, number, arg, ret);
	work_off_backlog(device);
	/* What the call caused comes before its return, as on a real CRQ */
	device_flush(device);
	err = vio_send_hret(c->fd, tag, rc, ret, ARRAY_SIZE(ret));
	if (err)
		lost(c, -err);
}

/* ---- Connections ---- */

static bool is_crq(const struct channel *c)
{
	return c->device->crq == c;
}

static void handle_message(struct channel *c, struct vio_message *msg)
{
	if (c->kind == CHANNEL_NEW)
		handle_hello(c, msg);
	else if (c->kind == VIO_CHANNEL_CRQ)
		handle_crq(c, msg);
	else
		handle_hcall(c, msg);
}

static void handle_failure(struct channel *c, int ret, const char *text)
{
	if (is_crq(c))
		device_fail(c->device, -ret, "%s",
			    ret == -EPROTO ? text : "the client has gone");
	else if (ret == -EPROTO)
		refuse(c, EPROTO, text);
	else
		lost(c, -ret);
}

static void receive(struct channel *c)
{
	struct device *device = c->device;
	struct vio_message *msg = &device->msg;

	for (unsigned int i = 0; i < MESSAGES_PER_EVENT; i++) {
		int ret;

		if (c->error || (c->kind != CHANNEL_NEW && device->error))
			break;
		ret = vio_recv(c->fd, VIO_CLIENT, c->kind, msg);
		if (ret == -EAGAIN)
			break;
		if (ret) {
			handle_failure(c, ret, msg->error);
			break;
		}
		handle_message(c, msg);
	}
}

static int on_channel(sd_event_source *source, int fd, uint32_t revents,
		      void *data)
{
	struct channel *c = data;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT && is_crq(c))
		device_flush(c->device);
	receive(c);
	return 0;
}

static int on_hello_limit(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	refuse(data, ETIMEDOUT, "no HELLO within 5 s");
	return 0;
}

static void close_channel(struct channel *c)
{
	struct device *device = c->device;

	if (c->tell)
		vio_send_refused(c->fd, c->error, "%s", c->reason);
	sd_event_source_disable_unref(c->hello_timer);
	sd_event_source_disable_unref(c->source);
	close(c->fd);
	TAILQ_REMOVE(&device->channels, c, link);
	device->channel_count--;
	free(c);
}

static int add_channel(struct device *device, int fd)
{
	sd_event *event = device->system->event;
	struct channel *c;
	int ret;

	if (device->channel_count >= DEVICE_MAX_CHANNELS) {
		vio_send_refused(fd, EMFILE, "the device has %u connections already",
				 device->channel_count);
		return -EMFILE;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->device = device;
	c->fd = fd;
	ret = sd_event_add_io(event, &c->source, fd, EPOLLIN, on_channel, c);
	if (ret < 0)
		goto err_free;
	ret = sd_event_add_time_relative(event, &c->hello_timer, CLOCK_MONOTONIC,
					 HELLO_LIMIT_USEC, 0, on_hello_limit, c);
	if (ret < 0)
		goto err_source;
	TAILQ_INSERT_TAIL(&device->channels, c, link);
	device->channel_count++;
	return 0;

err_source:
	sd_event_source_disable_unref(c->source);
err_free:
	free(c);
	return ret;
}

static int on_accept_pause(sd_event_source *source, uint64_t usec, void *data)
{
	struct device *device = data;

	(void)source;
	(void)usec;
	sd_event_source_set_enabled(device->accept_source, SD_EVENT_ON);
	return 0;
}

/* No descriptor is left: a listening socket would wake the loop for ever */
static void pause_accepting(struct device *device)
{
	sd_event_source_disable_unref(device->accept_timer);
	device->accept_timer = NULL;
	if (sd_event_add_time_relative(device->system->event,
				       &device->accept_timer, CLOCK_MONOTONIC,
				       ACCEPT_PAUSE_USEC, 0, on_accept_pause,
				       device) < 0)
		return;
	sd_event_source_set_enabled(device->accept_source, SD_EVENT_OFF);
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents,
		     void *data)
{
	struct device *device = data;
	int new = vio_accept(fd);

	(void)source;
	(void)revents;
	if (new == -EMFILE || new == -ENFILE || new == -ENOMEM ||
	    new == -ENOBUFS)
		pause_accepting(device);
	if (new >= 0 && add_channel(device, new))
		close(new);
	return 0;
}

static void end_link(struct device *device)
{
	struct channel *crq = device->crq, *c, *next;

	log_info("device %s: the link ended: %s", device->name, device->reason);
	phyp_vdev_reset(device->vdev);
	device->backlog_used = 0;
	device->reset_pending = false;
	device_queue_exit(device);
	unmap_pane(device);
	translate_exit(device);
	device->crq = NULL;
	for (c = TAILQ_FIRST(&device->channels); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->kind == CHANNEL_NEW)
			continue;
		if (c == crq)
			refuse(c, device->error, device->reason);
		close_channel(c);
	}
	memset(device->token, 0, sizeof(device->token));
}

/**
 * device_settle() - send what is queued and end what is to be ended
 * @device:	after an event, outside libphyp
 */
void device_settle(struct device *device)
{
	struct channel *c, *next;

	device_flush(device);
	if (device->crq && device->error)
		end_link(device);
	device->error = 0;
	for (c = TAILQ_FIRST(&device->channels); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!c->error)
			continue;
		if (c->tell)
			log_info("device %s: a connection was refused: %s",
				 device->name, c->reason);
		close_channel(c);
	}
}

/**
 * link_listen() - offer the device
 * @device:	complete, but for this
 *
 * Return: 0 or a negative errno.
 */
int link_listen(struct device *device)
{
	int ret;

	ret = vio_listen(device->path, device->system->params.socket_mode,
			 &device->listener);
	if (ret)
		return ret;
	ret = sd_event_add_io(device->system->event, &device->accept_source,
			      device->listener.fd, EPOLLIN, on_accept, device);
	if (ret < 0) {
		unix_unlisten(&device->listener);
		return ret;
	}
	return 0;
}

/**
 * link_unlisten() - end the offer, and connections without HELLO
 * @device:	without a client
 */
void link_unlisten(struct device *device)
{
	struct channel *c;

	while ((c = TAILQ_FIRST(&device->channels)))
		close_channel(c);
	sd_event_source_disable_unref(device->accept_timer);
	sd_event_source_disable_unref(device->accept_source);
	unix_unlisten(&device->listener);
}
