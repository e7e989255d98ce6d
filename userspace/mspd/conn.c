// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/log.h"
#include "common/util.h"
#include "conn.h"

/*
 * What the kernel may hold that is not on the wire yet: a page that is asked
 * for waits behind no more than this.
 */
#define NOTSENT_BYTES	(256 << 10)
#define BACKLOG		16

struct conn {
	struct worker *worker;
	const struct conn_handler *handler;
	void *data;
	int fd;
	bool connecting;
	bool sending;
	bool receiving;
	bool end_wanted;
	bool closing;
	struct ring_op connect_op;
	struct ring_op send_op;
	struct ring_op recv_op;
	struct mail closed_mail;
	struct conn_address address;
	struct msghdr send_msg;
	struct msghdr recv_msg;
	char name[CONN_NAME_BYTES + 8];
};

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

/**
 * conn_resolve() - what an address means
 * @text: "host:port", "[host]:port" or, without a port, "host"
 * @with_port: a port is expected
 * @address: result
 * @why: on error, a text
 *
 * Context: may block in the resolver for names that are not numeric.
 * Return: 0 or -EINVAL.
 */
int conn_resolve(const char *text, bool with_port, struct conn_address *address,
		 const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	struct addrinfo *found;
	char host[256];
	size_t length = strlen(text);
	char *end;
	long port;
	int ret;

	if (with_port) {
		if (!colon || !colon[1]) {
			*why = "no port (host:port)";
			return -EINVAL;
		}
		port = strtol(colon + 1, &end, 10);
		if (*end || port < 1 || port > 65535) {
			*why = "the port is not one of 1 to 65535";
			return -EINVAL;
		}
		hints.ai_flags = AI_NUMERICSERV;
		length = (size_t)(colon - text);
	}
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (!length || length >= sizeof(host)) {
		*why = "no host name, or one that is too long";
		return -EINVAL;
	}
	memcpy(host, text, length);
	host[length] = '\0';
	ret = getaddrinfo(host, with_port ? colon + 1 : NULL, &hints, &found);
	if (ret) {
		*why = gai_strerror(ret);
		return -EINVAL;
	}
	memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
	address->length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/**
 * conn_format() - an address as text
 * @address: the address
 * @text: result, without the port
 * @port: result, host byte order
 */
void conn_format(const struct conn_address *address, char text[CONN_NAME_BYTES],
		 uint16_t *port)
{
	const struct sockaddr_in6 *in6 = (const void *)&address->storage;
	const struct sockaddr_in *in = (const void *)&address->storage;

	snprintf(text, CONN_NAME_BYTES, "?");
	*port = 0;
	if (address->storage.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, CONN_NAME_BYTES);
		*port = ntohs(in->sin_port);
	} else if (address->storage.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, CONN_NAME_BYTES);
		*port = ntohs(in6->sin6_port);
	}
}

static void set_options(int fd)
{
	int lowat = NOTSENT_BYTES;
	int on = 1;

	/* Both only help; a kernel without them still moves */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

static void closed_run(struct mail *mail)
{
	struct conn *conn = container_of(mail, struct conn, closed_mail);

	conn->handler->closed(conn);
	free(conn);
}

/* Closing ends when nothing is under way; told from the mailbox, so that no
 * caller loses the connection under its feet.
 */
static void finish_close(struct conn *conn)
{
	if (!conn->closing || conn->connecting || conn->sending || conn->receiving)
		return;
	if (conn->fd < 0)
		return;
	close(conn->fd);
	conn->fd = -1;
	mailbox_post(&conn->worker->mailbox, &conn->closed_mail);
}

static void connect_complete(struct ring_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, connect_op);

	conn->connecting = false;
	if (!conn->closing)
		conn->handler->connected(conn, res);
	finish_close(conn);
}

static void submit_send(struct conn *conn)
{
	struct io_uring_sqe *sqe = worker_sqe(conn->worker, &conn->send_op);

	io_uring_prep_sendmsg(sqe, conn->fd, &conn->send_msg,
			      MSG_NOSIGNAL | MSG_WAITALL);
}

/* Drop what was sent from the list; true when nothing is left of it */
static bool advance(struct msghdr *msg, size_t bytes)
{
	while (msg->msg_iovlen) {
		struct iovec *iov = msg->msg_iov;

		if (bytes < iov->iov_len) {
			iov->iov_base = (char *)iov->iov_base + bytes;
			iov->iov_len -= bytes;
			return false;
		}
		bytes -= iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	return true;
}

static void send_complete(struct ring_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, send_op);

	if (res == -EINTR || res == -EAGAIN) {
		if (!conn->closing) {
			submit_send(conn);
			return;
		}
	} else if (res > 0 && !advance(&conn->send_msg, (size_t)res)) {
		if (!conn->closing) {
			submit_send(conn);
			return;
		}
		res = -ECANCELED;
	}
	conn->sending = false;
	/* Told also while closing: who sent has to know when memory is free */
	conn->handler->sent(conn, res < 0 ? res : 0);
	if (conn->end_wanted && !conn->sending && !conn->closing)
		shutdown(conn->fd, SHUT_WR);
	finish_close(conn);
}

static void submit_recv(struct conn *conn)
{
	struct io_uring_sqe *sqe = worker_sqe(conn->worker, &conn->recv_op);

	io_uring_prep_recvmsg(sqe, conn->fd, &conn->recv_msg, 0);
}

static void recv_complete(struct ring_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, recv_op);

	if ((res == -EINTR || res == -EAGAIN) && !conn->closing) {
		submit_recv(conn);
		return;
	}
	conn->receiving = false;
	if (!conn->closing)
		conn->handler->received(conn, res);
	finish_close(conn);
}

static struct conn *conn_new(struct worker *w, int fd,
			     const struct conn_address *address)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	char host[CONN_NAME_BYTES];
	uint16_t port;

	if (!conn)
		return NULL;
	conn->worker = w;
	conn->fd = fd;
	conn->connect_op.complete = connect_complete;
	conn->send_op.complete = send_complete;
	conn->recv_op.complete = recv_complete;
	conn->closed_mail.run = closed_run;
	conn->address = *address;
	conn_format(address, host, &port);
	snprintf(conn->name, sizeof(conn->name), "%s:%u", host, port);
	return conn;
}

/**
 * conn_connect() - open a connection
 * @w: the worker; its own thread
 * @address: of the peer
 * @handler: told when it is there
 * @data: the owner's
 * @err: on error, negative errno
 *
 * Return: the connection, or NULL.
 */
struct conn *conn_connect(struct worker *w, const struct conn_address *address,
			  const struct conn_handler *handler, void *data, int *err)
{
	struct io_uring_sqe *sqe;
	struct conn *conn;
	int fd;

	fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		*err = -errno;
		return NULL;
	}
	set_options(fd);
	conn = conn_new(w, fd, address);
	if (!conn) {
		*err = -ENOMEM;
		close(fd);
		return NULL;
	}
	conn->handler = handler;
	conn->data = data;
	conn->connecting = true;
	sqe = worker_sqe(w, &conn->connect_op);
	io_uring_prep_connect(sqe, fd, (struct sockaddr *)&conn->address.storage,
			      conn->address.length);
	return conn;
}

/**
 * conn_recv() - receive what comes, at most what fits
 * @conn: the connection; nothing is being received on it
 * @iov: where to; it and the memory stay until the handler is told
 * @count: segments, at most CONN_MAX_IOV
 */
void conn_recv(struct conn *conn, struct iovec *iov, unsigned int count)
{
	if (conn->closing || conn->receiving)
		return;
	conn->receiving = true;
	conn->recv_msg = (struct msghdr) { .msg_iov = iov, .msg_iovlen = count };
	submit_recv(conn);
}

/**
 * conn_send() - send all of a list
 * @conn: the connection; nothing is being sent on it
 * @iov: what; used up.  It and the memory stay until the handler is told.
 * @count: segments, at most CONN_MAX_IOV
 */
void conn_send(struct conn *conn, struct iovec *iov, unsigned int count)
{
	conn->sending = true;
	conn->send_msg = (struct msghdr) { .msg_iov = iov, .msg_iovlen = count };
	submit_send(conn);
}

/**
 * conn_sending() - is a send under way?
 * @conn: the connection
 */
bool conn_sending(const struct conn *conn)
{
	return conn->sending;
}

/**
 * conn_end_sending() - tell the peer that nothing more comes, once all is sent
 * @conn: the connection
 */
void conn_end_sending(struct conn *conn)
{
	conn->end_wanted = true;
	if (!conn->sending && !conn->closing)
		shutdown(conn->fd, SHUT_WR);
}

/**
 * conn_close() - close at once; the handler is told when it is done
 * @conn: the connection; once
 */
void conn_close(struct conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	shutdown(conn->fd, SHUT_RDWR);
	if (conn->connecting || conn->sending || conn->receiving)
		worker_cancel_fd(conn->worker, conn->fd);
	finish_close(conn);
}

/**
 * conn_data() - the owner's data
 * @conn: the connection
 */
void *conn_data(const struct conn *conn)
{
	return conn->data;
}

/**
 * conn_set_handler() - give a connection to another owner
 * @conn: the connection; nothing is under way on it
 * @handler: the new owner's
 * @data: the new owner's
 */
void conn_set_handler(struct conn *conn, const struct conn_handler *handler,
		      void *data)
{
	conn->handler = handler;
	conn->data = data;
}

/**
 * conn_name() - address and port of the peer, for messages
 * @conn: the connection
 */
const char *conn_name(const struct conn *conn)
{
	return conn->name;
}

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
	set_options(fd);
	conn = conn_new(l->worker, fd, &address);
	if (!conn) {
		close(fd);
		return;
	}
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
