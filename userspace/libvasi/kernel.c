// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The transport for the kernel driver's character device: I/O in the caller's ring.
 *
 * A stream is opened by a command of the ring, which a thread of the kernel carries
 * out, since the platform takes its time.  Every session has one fetch in the ring:
 * it stays there until events arrive or, where the kernel could not take such a
 * command back from a process that is killed (VASI_FEATURE_FETCH_WAITS), stands
 * behind a poll of the session.  Either way a fetch costs no system call of its own.
 *
 * Requests are collected and handed over at a flush, those of a session by one
 * ioctl.  In the ring they would not be handed over before the caller waits, but a
 * donor that is woken after the flush counts on them; and what the kernel says to
 * them is known at once, so that their order cannot be disturbed.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "libvasi/kernel.h"

/* Low bits of user_data: which SQE it was; above them the channel's number */
enum {
	KERNEL_SQE_OPEN = 1,
	KERNEL_SQE_FETCH,
	KERNEL_SQE_READABLE,
	KERNEL_SQE_WRITABLE,
	KERNEL_SQE_CANCEL,
};

#define TAG_SHIFT	48
#define NUMBER_SHIFT	8
/* What a command can carry in an SQE of 64 bytes */
#define COMMAND_BYTES	16

/* A system call on a session failed: the device is lost with it */
void kernel_lost(struct kernel_device *kernel, int ret, const char *what)
{
	if (ret == -ECONNRESET)
		vasi_device_lost(&kernel->dev, "the adapter was reset");
	else if (ret == -ENODEV)
		vasi_device_lost(&kernel->dev, "the adapter is gone");
	else
		vasi_device_lost(&kernel->dev, "%s: %s", what, strerror(-ret));
}

/*
 * Channels
 */

static int channel_number(struct kernel_device *kernel, uint32_t *number)
{
	uint32_t count = kernel->channel_count;
	struct kernel_channel **channels;

	for (*number = 0; *number < count; (*number)++) {
		if (!kernel->channels[*number])
			return 0;
	}
	if (count == KERNEL_MAX_CHANNELS)
		return -ENOSPC;
	channels = reallocarray(kernel->channels, count + 16, sizeof(*channels));
	if (!channels)
		return -ENOMEM;
	memset(channels + count, 0, 16 * sizeof(*channels));
	kernel->channels = channels;
	kernel->channel_count = count + 16;
	return 0;
}

static int channel_new(struct vasi_session *s, struct kernel_channel **result)
{
	struct kernel_device *kernel = to_kernel(s->dev);
	struct kernel_channel *channel;
	uint32_t number;
	int ret;

	ret = channel_number(kernel, &number);
	if (ret)
		return ret;
	channel = calloc(1, sizeof(*channel));
	if (!channel)
		return -ENOMEM;
	channel->kernel = kernel;
	channel->s = s;
	channel->number = number;
	channel->fd = -1;
	kernel->channels[number] = channel;
	*result = channel;
	return 0;
}

static void channel_free(struct kernel_channel *channel)
{
	if (channel->fd >= 0)
		kernel_sys_close(channel->fd);
	channel->kernel->channels[channel->number] = NULL;
	free(channel);
}

/*
 * SQEs
 */

/* Room for @count SQEs in a row */
static bool have_room(struct kernel_device *kernel, unsigned int count)
{
	if (io_uring_sq_space_left(kernel->ring) < count)
		io_uring_submit(kernel->ring);
	return io_uring_sq_space_left(kernel->ring) >= count;
}

static uint64_t user_data(const struct kernel_channel *channel, unsigned int kind)
{
	return (uint64_t)channel->kernel->tag << TAG_SHIFT |
	       (uint64_t)channel->number << NUMBER_SHIFT | kind;
}

/* What prepared the SQE cleared its user_data */
static void sqe_done(struct kernel_channel *channel, struct io_uring_sqe *sqe,
		     unsigned int kind)
{
	io_uring_sqe_set_data64(sqe, user_data(channel, kind));
	channel->in_flight++;
	channel->kernel->in_flight++;
}

static void prep_command(struct io_uring_sqe *sqe, int fd, uint32_t command,
			 const struct vasi_vector *vector)
{
	uint8_t *cmd = (uint8_t *)sqe + offsetof(struct io_uring_sqe, cmd);

	static_assert(sizeof(*vector) == COMMAND_BYTES, "a vector fills a command");
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = command;
	memcpy(cmd, vector, sizeof(*vector));
}

static void no_room(struct kernel_device *kernel)
{
	vasi_device_lost(&kernel->dev, "no SQE");
}

static void start_open(struct kernel_channel *channel)
{
	struct kernel_device *kernel = channel->kernel;
	const struct vasi_vector vector = {
		.entries = (uintptr_t)&channel->open,
		.count = 1,
		.entry_bytes = sizeof(channel->open),
	};
	struct io_uring_sqe *sqe;

	if (!have_room(kernel, 1)) {
		no_room(kernel);
		return;
	}
	sqe = io_uring_get_sqe(kernel->ring);
	prep_command(sqe, kernel->fd, VASI_IOC_OPEN_STREAM, &vector);
	sqe_done(channel, sqe, KERNEL_SQE_OPEN);
	channel->open_wanted = false;
	channel->opening = true;
}

static void start_fetch(struct kernel_channel *channel)
{
	struct kernel_device *kernel = channel->kernel;
	const bool waits = kernel->features & VASI_FEATURE_FETCH_WAITS;
	const struct vasi_vector vector = {
		.entries = (uintptr_t)channel->events,
		.count = KERNEL_EVENTS,
		.entry_bytes = sizeof(channel->events[0]),
	};
	struct io_uring_sqe *sqe;

	if (!have_room(kernel, waits ? 1 : 2)) {
		no_room(kernel);
		return;
	}
	if (!waits) {
		sqe = io_uring_get_sqe(kernel->ring);
		io_uring_prep_poll_add(sqe, channel->fd, POLLIN);
		sqe->flags |= IOSQE_IO_LINK;
		sqe_done(channel, sqe, KERNEL_SQE_READABLE);
	}
	sqe = io_uring_get_sqe(kernel->ring);
	prep_command(sqe, channel->fd, VASI_IOC_FETCH, &vector);
	sqe_done(channel, sqe, KERNEL_SQE_FETCH);
	channel->fetching = true;
}

/* Fetch again, unless there is nothing to come */
static void fetch_on(struct kernel_channel *channel)
{
	if (channel->kernel->ring && channel->s && channel->fd >= 0 && !channel->over &&
	    !channel->fetching && !channel->kernel->dev.lost)
		start_fetch(channel);
}

/* The kernel took fewer requests than it was given: go on when it has room */
void kernel_wait_room(struct kernel_channel *channel)
{
	struct kernel_device *kernel = channel->kernel;
	struct io_uring_sqe *sqe;

	if (channel->write_wait || !kernel->ring)
		return;
	if (!have_room(kernel, 1)) {
		no_room(kernel);
		return;
	}
	sqe = io_uring_get_sqe(kernel->ring);
	io_uring_prep_poll_add(sqe, channel->fd, POLLOUT);
	sqe_done(channel, sqe, KERNEL_SQE_WRITABLE);
	channel->write_wait = true;
}

static void cancel(struct kernel_channel *channel, unsigned int kind)
{
	struct io_uring_sqe *sqe;

	if (!have_room(channel->kernel, 1))
		return;
	sqe = io_uring_get_sqe(channel->kernel->ring);
	io_uring_prep_cancel64(sqe, user_data(channel, kind), 0);
	sqe_done(channel, sqe, KERNEL_SQE_CANCEL);
}

/* A fetch that waits in the kernel is not cancelled by an SQE, but by one of nothing */
static void end_fetch(struct kernel_channel *channel)
{
	struct vasi_vector nothing = { .entry_bytes = sizeof(channel->events[0]) };

	/* When it says no, the one that waits ends by itself */
	kernel_sys_ioctl(channel->fd, VASI_IOC_FETCH, &nothing);
}

/* Bring back what is in flight */
static void channel_end(struct kernel_channel *channel)
{
	if (channel->ending || !channel->kernel->ring)
		return;
	channel->ending = true;
	if (channel->opening)
		cancel(channel, KERNEL_SQE_OPEN);
	if (channel->write_wait)
		cancel(channel, KERNEL_SQE_WRITABLE);
	if (channel->fetching && channel->kernel->features & VASI_FEATURE_FETCH_WAITS) {
		/* One that is only prepared would wait after this */
		io_uring_submit(channel->kernel->ring);
		end_fetch(channel);
	} else if (channel->fetching) {
		cancel(channel, KERNEL_SQE_READABLE);
	}
}

/*
 * Ops
 */

static int kernel_attach(struct vasi_device *dev, struct io_uring *ring, uint16_t tag)
{
	struct kernel_device *kernel = to_kernel(dev);

	if (kernel->ring || kernel->in_flight)
		return vasi_device_fail(dev, -EBUSY, "the device is attached to a ring");
	kernel->ring = ring;
	kernel->tag = tag;
	for (uint32_t i = 0; i < kernel->channel_count; i++) {
		struct kernel_channel *channel = kernel->channels[i];

		if (!channel)
			continue;
		channel->ending = false;
		fetch_on(channel);
	}
	return 0;
}

static void kernel_detach(struct vasi_device *dev)
{
	struct kernel_device *kernel = to_kernel(dev);

	if (!kernel->ring)
		return;
	for (uint32_t i = 0; i < kernel->channel_count; i++) {
		if (kernel->channels[i])
			channel_end(kernel->channels[i]);
	}
	io_uring_submit(kernel->ring);
	kernel->ring = NULL;
}

static bool kernel_busy(const struct vasi_device *dev)
{
	return to_kernel(dev)->in_flight;
}

static void fetch_done(struct kernel_channel *channel, int res)
{
	struct kernel_device *kernel = channel->kernel;

	channel->fetching = false;
	if (!channel->s || !kernel->ring || kernel->dev.lost)
		return;
	if (res > (int)KERNEL_EVENTS)
		kernel_lost(kernel, -EPROTO, "fetch");
	else if (res >= 0)
		kernel_fetched(channel, (unsigned int)res);
	else if (res != -EAGAIN && res != -EINTR && res != -ECANCELED)
		kernel_lost(kernel, res, "fetch");
	fetch_on(channel);
}

static void readable(struct kernel_channel *channel, int res)
{
	/* The fetch behind it is cancelled then */
	if (res < 0 && res != -ECANCELED && channel->s)
		kernel_lost(channel->kernel, res, "poll");
}

static void writable(struct kernel_channel *channel)
{
	channel->write_wait = false;
	if (channel->s && !channel->kernel->dev.lost && channel->kernel->ring)
		kernel_submit(channel->s);
}

static void open_done(struct kernel_channel *channel, int res)
{
	struct kernel_device *kernel = channel->kernel;

	channel->opening = false;
	if (!res && channel->open.fd >= 0)
		channel->fd = channel->open.fd;
	/* Nobody waits for it any more: its file is closed with the channel */
	if (!channel->s || !kernel->ring || kernel->dev.lost)
		return;
	kernel_opened(channel, res);
	fetch_on(channel);
}

static int kernel_cqe(struct vasi_device *dev, const struct io_uring_cqe *cqe)
{
	struct kernel_device *kernel = to_kernel(dev);
	uint64_t number = cqe->user_data >> NUMBER_SHIFT &
			  ((1ULL << (TAG_SHIFT - NUMBER_SHIFT)) - 1);
	struct kernel_channel *channel;

	if (cqe->user_data >> TAG_SHIFT != kernel->tag ||
	    number >= kernel->channel_count || !kernel->channels[number] ||
	    !kernel->channels[number]->in_flight)
		return -EINVAL;
	channel = kernel->channels[number];
	channel->in_flight--;
	kernel->in_flight--;
	switch (cqe->user_data & 0xff) {
	case KERNEL_SQE_OPEN:
		open_done(channel, cqe->res);
		break;
	case KERNEL_SQE_FETCH:
		fetch_done(channel, cqe->res);
		break;
	case KERNEL_SQE_READABLE:
		readable(channel, cqe->res);
		break;
	case KERNEL_SQE_WRITABLE:
		writable(channel);
		break;
	}
	if (!channel->s && !channel->in_flight)
		channel_free(channel);
	return 0;
}

static void kernel_receive(struct vasi_device *dev)
{
	(void)dev;	/* events are not held back */
}

static int kernel_flush(struct vasi_device *dev)
{
	struct kernel_device *kernel = to_kernel(dev);

	for (uint32_t i = 0; i < kernel->channel_count && !dev->lost; i++) {
		struct kernel_channel *channel = kernel->channels[i];

		if (!channel || !channel->s)
			continue;
		if (channel->open_wanted && kernel->ring)
			start_open(channel);
		if (!channel->write_wait)
			kernel_submit(channel->s);
	}
	return dev->lost ? -ENODEV : 0;
}

static int kernel_session_open(struct vasi_session *s, uint64_t token)
{
	struct kernel_channel *channel;
	int ret;

	ret = channel_new(s, &channel);
	if (ret)
		return ret;
	channel->token = token;
	channel->open = (struct vasi_open_stream) {
		.size = sizeof(channel->open),
		.stream_id = s->stream_id,
		.service = (uint32_t)s->service,
		.fd = -1,
	};
	channel->open_wanted = true;
	to_kernel_session(s)->channel = channel;
	return 0;
}

static void kernel_session_free(struct vasi_session *s)
{
	struct kernel_session *ks = to_kernel_session(s);
	struct kernel_channel *channel = ks->channel;

	free(ks->requests);
	if (!channel)
		return;
	channel_end(channel);
	channel->s = NULL;
	if (!channel->in_flight)
		channel_free(channel);
}

const struct vasi_transport vasi_kernel_transport = {
	.name		= "kernel driver",
	.session_bytes	= sizeof(struct kernel_session),
	.open		= kernel_open,
	.close		= kernel_close,
	.attach		= kernel_attach,
	.detach		= kernel_detach,
	.busy		= kernel_busy,
	.cqe		= kernel_cqe,
	.receive	= kernel_receive,
	.flush		= kernel_flush,
	.session_open	= kernel_session_open,
	.session_close	= kernel_session_close,
	.session_forget	= kernel_session_forget,
	.session_free	= kernel_session_free,
	.pool_setup	= kernel_pool_setup,
	.pool_free	= kernel_pool_free,
	.post		= kernel_post,
	.free_buffer	= kernel_free_buffer,
	.respond	= kernel_respond,
	.download	= kernel_download,
	.signal		= kernel_signal,
	.progress	= kernel_progress,
	.message	= kernel_message,
	.dirty_map	= kernel_dirty_map,
	.indirect_data	= kernel_indirect_data,
	.donor_open	= kernel_donor_open,
	.donor_close	= kernel_donor_close,
	.donate		= kernel_donate,
	.stream_state	= kernel_stream_state,
	.stream_cancel	= kernel_stream_cancel,
};
