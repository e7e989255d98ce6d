// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The user-mode driver: I/O on a VIO link in the caller's ring.
 *
 * The ring only polls the link; messages are received and sent by plain
 * non-blocking calls, since one packet carries up to 64 entries.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "libvasi/user.h"

/* Low bits of user_data: which SQE it was */
enum {
	USER_SQE_READ = 1,
	USER_SQE_WRITE,
	USER_SQE_CANCEL,
};

#define TAG_SHIFT	48
/* Stop receiving when so many events wait to be reaped; vasi_reap() goes on */
#define EVENTS_ENOUGH	1024u

/* The link is useless now: let the platform know */
static void end_link(struct user_device *user)
{
	shutdown(user->fd, SHUT_RDWR);
}

/* What prepares the SQE clears its user_data: the caller sets it after that */
static struct io_uring_sqe *get_sqe(struct user_device *user)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(user->ring);

	if (!sqe) {
		io_uring_submit(user->ring);
		sqe = io_uring_get_sqe(user->ring);
	}
	if (sqe)
		user->in_flight++;
	return sqe;
}

static uint64_t user_data(const struct user_device *user, unsigned int kind)
{
	return (uint64_t)user->tag << TAG_SHIFT | kind;
}

static int arm_read(struct user_device *user)
{
	struct io_uring_sqe *sqe = get_sqe(user);

	if (!sqe)
		return -EAGAIN;
	io_uring_prep_poll_multishot(sqe, user->fd, POLLIN);
	io_uring_sqe_set_data64(sqe, user_data(user, USER_SQE_READ));
	user->polling = true;
	return 0;
}

static void arm_write(struct user_device *user)
{
	struct io_uring_sqe *sqe;

	if (user->want_write || !user->ring)
		return;
	sqe = get_sqe(user);
	if (!sqe) {
		vasi_device_lost(&user->dev, "no SQE to wait for the link");
		return;
	}
	io_uring_prep_poll_add(sqe, user->fd, POLLOUT);
	io_uring_sqe_set_data64(sqe, user_data(user, USER_SQE_WRITE));
	user->want_write = true;
}

static void cancel(struct user_device *user, unsigned int kind)
{
	struct io_uring_sqe *sqe = get_sqe(user);

	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, user_data(user, kind), 0);
	io_uring_sqe_set_data64(sqe, user_data(user, USER_SQE_CANCEL));
}

static int user_attach(struct vasi_device *dev, struct io_uring *ring, uint16_t tag)
{
	struct user_device *user = to_user(dev);
	int ret;

	if (user->ring || user->in_flight)
		return vasi_device_fail(dev, -EBUSY, "the device is attached to a ring");
	user->ring = ring;
	user->tag = tag;
	ret = arm_read(user);
	if (ret)
		user->ring = NULL;
	return ret;
}

static void user_detach(struct vasi_device *dev)
{
	struct user_device *user = to_user(dev);

	if (!user->ring)
		return;
	if (user->polling)
		cancel(user, USER_SQE_READ);
	if (user->want_write)
		cancel(user, USER_SQE_WRITE);
	io_uring_submit(user->ring);
	user->ring = NULL;
}

static bool user_busy(const struct vasi_device *dev)
{
	return to_user(dev)->in_flight;
}

/* Whether [ioba, +length) lies in the first pane */
static bool in_pane(const struct user_device *user, const struct vio_dma *dma)
{
	return be32toh(dma->pane) == 1 &&
	       (uint64_t)be32toh(dma->ioba) + be32toh(dma->length) <=
	       user->pane.bytes;
}

static int serve_dma_read(struct user_device *user)
{
	const struct vio_dma *dma = (const void *)user->msg->body;

	if (!in_pane(user, dma))
		return vio_send_dma_data(user->fd, user->msg->tag, EFAULT, NULL, 0);
	return vio_send_dma_data(user->fd, user->msg->tag, 0,
				 user->pane.base + be32toh(dma->ioba),
				 be32toh(dma->length));
}

static int serve_dma_write(struct user_device *user)
{
	const struct vio_dma *dma = (const void *)user->msg->body;

	if (!in_pane(user, dma))
		return vio_send_dma_done(user->fd, user->msg->tag, EFAULT);
	memcpy(user->pane.base + be32toh(dma->ioba), dma + 1, be32toh(dma->length));
	return vio_send_dma_done(user->fd, user->msg->tag, 0);
}

/* Answer the DMA request in user->msg, now or when the link takes it */
static void serve_dma(struct user_device *user)
{
	int ret;

	ret = user->msg->type == VIO_DMA_READ ? serve_dma_read(user) :
						serve_dma_write(user);
	user->unanswered = ret == -EAGAIN;
	if (user->unanswered)
		arm_write(user);
	else if (ret)
		vasi_device_lost(&user->dev, "link: %s", strerror(-ret));
}

static void handle_crq(struct user_device *user)
{
	const struct vasi_crq *entries = (const void *)user->msg->body;

	for (unsigned int i = 0; i < user->msg->count && !user->dev.lost; i++)
		user_entry(user, &entries[i]);
}

static void handle_window(struct user_device *user)
{
	const struct vio_window *window = (const void *)user->msg->body;
	int fd = user->msg->fd;

	user->msg->fd = -1;
	user_window_add(user, be32toh(window->id), be64toh(window->bytes), fd);
}

static void handle_map(struct user_device *user)
{
	const struct vio_map *map = (const void *)user->msg->body;

	user_map_add(user, be32toh(map->id), be32toh(map->ioba), be32toh(map->length),
		     be64toh(map->offset));
}

static void handle_event(struct user_device *user)
{
	const struct vio_status *event = (const void *)user->msg->body;
	const struct vasi_crq entry = {
		.header = VASI_CRQ_EVENT,
		.format = (uint8_t)be32toh(event->value),
	};

	user_entry(user, &entry);
}

static void handle_unwindow(struct user_device *user)
{
	const struct vio_status *unwindow = (const void *)user->msg->body;

	user_window_remove(user, be32toh(unwindow->value));
}

static void handle_message(struct user_device *user)
{
	switch (user->msg->type) {
	case VIO_CRQ:
		handle_crq(user);
		break;
	case VIO_DMA_READ:
	case VIO_DMA_WRITE:
		serve_dma(user);
		break;
	case VIO_WINDOW:
		handle_window(user);
		break;
	case VIO_MAP:
		handle_map(user);
		break;
	case VIO_UNWINDOW:
		handle_unwindow(user);
		break;
	case VIO_EVENT:
		handle_event(user);
		break;
	case VIO_REFUSED:
		user_refused(&user->dev, user->msg);
		user->dev.lost = true;
		break;
	default:
		vasi_device_lost(&user->dev, "unexpected message %s",
				 vio_type_name(user->msg->type));
	}
}

/* Take in what has arrived, until there is none or enough events wait */
static void user_receive(struct vasi_device *dev)
{
	struct user_device *user = to_user(dev);
	int ret;

	while (!dev->lost && !user->unanswered &&
	       vasi_events_waiting(dev) < EVENTS_ENOUGH) {
		ret = vio_recv(user->fd, VIO_SERVER, VIO_CHANNEL_CRQ, user->msg);
		if (ret == -EAGAIN)
			return;
		if (!ret)
			handle_message(user);
		else if (ret == -EPROTO)
			vasi_device_lost(dev, "bad message from the platform: %s",
					 user->msg->error);
		else if (ret == -ECONNRESET)
			vasi_device_lost(dev, "the platform closed the link");
		else
			vasi_device_lost(dev, "link: %s", strerror(-ret));
	}
	if (dev->lost)
		end_link(user);
}

static int user_flush(struct vasi_device *dev)
{
	struct user_device *user = to_user(dev);
	int ret;

	if (user->unanswered)
		serve_dma(user);
	while (!dev->lost && user_fill_batch(user)) {
		ret = vio_send_crq(user->fd, user->batch, user->batch_count);
		if (ret == -EAGAIN) {
			arm_write(user);
			break;
		}
		/* A reason that the platform gave before it closed says more */
		if (ret == -EPIPE || ret == -ECONNRESET) {
			user_receive(dev);
			vasi_device_lost(dev, "the platform closed the link");
		} else if (ret) {
			vasi_device_lost(dev, "link: %s", strerror(-ret));
		}
		user->batch_count = 0;
	}
	if (!dev->lost)
		return 0;
	end_link(user);
	return -ENODEV;
}

static void read_ready(struct user_device *user, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		user->in_flight--;
		user->polling = false;
		if (user->ring && !user->dev.lost && arm_read(user))
			vasi_device_lost(&user->dev, "no SQE to poll the link");
	}
	if (cqe->res < 0 && cqe->res != -ECANCELED)
		vasi_device_lost(&user->dev, "poll: %s", strerror(-cqe->res));
	user_receive(&user->dev);
}

static void write_ready(struct user_device *user)
{
	user->in_flight--;
	user->want_write = false;
	if (!user->ring)
		return;
	user_flush(&user->dev);
	/* Input had to wait for the answer to a DMA request */
	user_receive(&user->dev);
}

static int user_cqe(struct vasi_device *dev, const struct io_uring_cqe *cqe)
{
	struct user_device *user = to_user(dev);

	if (cqe->user_data >> TAG_SHIFT != user->tag || !user->in_flight)
		return -EINVAL;
	switch (cqe->user_data & 0xff) {
	case USER_SQE_READ:
		read_ready(user, cqe);
		return 0;
	case USER_SQE_WRITE:
		write_ready(user);
		return 0;
	case USER_SQE_CANCEL:
		user->in_flight--;
		return 0;
	}
	return -EINVAL;
}

const struct vasi_transport vasi_user_transport = {
	.name		= "user-mode driver",
	.session_bytes	= sizeof(struct user_session),
	.open		= user_open,
	.close		= user_close,
	.attach		= user_attach,
	.detach		= user_detach,
	.busy		= user_busy,
	.cqe		= user_cqe,
	.receive	= user_receive,
	.flush		= user_flush,
	.session_open	= user_session_open,
	.session_close	= user_session_close,
	.session_forget	= user_session_forget,
	.pool_setup	= user_pool_setup,
	.pool_free	= user_pool_free,
	.post		= user_post,
	.free_buffer	= user_free_buffer,
	.respond	= user_respond,
	.download	= user_download,
	.signal		= user_signal,
	.progress	= user_progress,
	.message	= user_message,
	.dirty_map	= user_dirty_map,
	.indirect_data	= user_indirect_data,
	.window_get	= user_window_get,
	.window_put	= user_window_put,
	.donor_open	= user_donor_open,
	.donor_close	= user_donor_close,
	.donate		= user_donate,
	.stream_state	= user_stream_state,
	.stream_cancel	= user_stream_cancel,
};
