// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/log.h"
#include "common/util.h"
#include "conn.h"

#define BACKLOG		16

struct listener {
	struct worker *worker;
	const struct listener_handler *handler;
	void *data;
	int fd;
	bool accepting;
	bool closing;
	struct ring_op accept_op;
	struct mail closed_mail;
	struct timer retry;
};

static void listener_finish_close(struct listener *l)
{
	if (!l->closing || l->accepting || l->fd < 0)
		return;
	close(l->fd);
	l->fd = -1;
	mailbox_post(&l->worker->mailbox, &l->closed_mail);
}

static void listener_closed_run(struct mail *mail)
{
	struct listener *l = container_of(mail, struct listener, closed_mail);

	l->handler->closed(l);
	free(l);
}

static void submit_accept(struct listener *l)
{
	struct io_uring_sqe *sqe = worker_sqe(l->worker, &l->accept_op);

	l->accepting = true;
	io_uring_prep_accept(sqe, l->fd, NULL, NULL, SOCK_CLOEXEC);
}

static void accept_retry(struct timer *timer)
{
	submit_accept(container_of(timer, struct listener, retry));
}

static void accept_one(struct listener *l, int fd)
{
	struct conn_address address = { .length = sizeof(address.storage) };
	struct conn *conn;

	if (getpeername(fd, (struct sockaddr *)&address.storage, &address.length)) {
		close(fd);
		return;
	}
	conn = conn_adopt(l->worker, fd, &address);
	if (conn)
		l->handler->accepted(l, conn);
}

static void accept_complete(struct ring_op *op, int res)
{
	struct listener *l = container_of(op, struct listener, accept_op);

	l->accepting = false;
	if (l->closing) {
		if (res >= 0)
			close(res);
		listener_finish_close(l);
		return;
	}
	if (res >= 0) {
		accept_one(l, res);
		if (!l->closing)
			submit_accept(l);
		return;
	}
	/* Out of descriptors, or a peer that went away: not at once again */
	log_warning("accept: %s", strerror(-res));
	timer_set(l->worker, &l->retry, now_ns() + 100 * NSEC_PER_MSEC);
}

static void set_port(struct conn_address *address, uint16_t port)
{
	if (address->storage.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
}

static int bind_in_range(int fd, const struct conn_address *address,
			 uint16_t low, uint16_t high)
{
	struct conn_address try = *address;

	for (unsigned int port = low; port <= high; port++) {
		set_port(&try, (uint16_t)port);
		if (!bind(fd, (struct sockaddr *)&try.storage, try.length) &&
		    !listen(fd, BACKLOG))
			return 0;
		if (errno != EADDRINUSE)
			return -errno;
	}
	return -EADDRINUSE;
}

/**
 * listener_open() - listen on a port of a range
 * @w: the worker; its own thread
 * @address: where; its port is ignored
 * @port_low: first port, 0 = any
 * @port_high: last port
 * @handler: told of every peer
 * @data: the owner's
 * @err: on error, negative errno; -EADDRINUSE: every port is taken
 *
 * Return: the listener, or NULL.
 */
struct listener *listener_open(struct worker *w, const struct conn_address *address,
			       uint16_t port_low, uint16_t port_high,
			       const struct listener_handler *handler, void *data,
			       int *err)
{
	struct listener *l = calloc(1, sizeof(*l));
	int on = 1;

	if (!l) {
		*err = -ENOMEM;
		return NULL;
	}
	l->worker = w;
	l->handler = handler;
	l->data = data;
	l->accept_op.complete = accept_complete;
	l->closed_mail.run = listener_closed_run;
	l->retry.expire = accept_retry;
	l->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		*err = -errno;
		goto err_free;
	}
	setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	*err = bind_in_range(l->fd, address, port_low, port_low ? port_high : 0);
	if (*err)
		goto err_close;
	submit_accept(l);
	return l;

err_close:
	close(l->fd);
err_free:
	free(l);
	return NULL;
}

/**
 * listener_address() - where it listens, with the port
 * @listener: the listener
 * @address: result
 */
void listener_address(const struct listener *listener, struct conn_address *address)
{
	address->length = sizeof(address->storage);
	if (getsockname(listener->fd, (struct sockaddr *)&address->storage,
			&address->length))
		*address = (struct conn_address) { };
}

/**
 * listener_close() - listen no more; the handler is told when it is done
 * @listener: the listener; once
 */
void listener_close(struct listener *listener)
{
	if (listener->closing)
		return;
	listener->closing = true;
	timer_clear(&listener->retry);
	if (listener->accepting)
		worker_cancel_fd(listener->worker, listener->fd);
	listener_finish_close(listener);
}

/**
 * listener_data() - the owner's data
 * @listener: the listener
 */
void *listener_data(const struct listener *listener)
{
	return listener->data;
}
