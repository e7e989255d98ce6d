/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections between movers.  This is the only part that knows TCP, and the
 * place where peers will be authenticated and the bytes encrypted.
 *
 * One receive and one send may be under way at the same time; both complete
 * through the handler, in the worker's thread.  No call blocks.
 */
#ifndef _CONN_H
#define _CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "worker.h"

/* Segments of one send or receive */
#define CONN_MAX_IOV	512
#define CONN_NAME_BYTES	64

struct conn;
struct listener;

/**
 * struct conn_handler - what the owner of a connection is told
 * @connected:	the connection of conn_connect() is there (0), or is not
 * @received:	bytes that were received; 0 = the peer has ended its sending;
 *		or negative errno
 * @sent:	all of a conn_send() is with the kernel (0), or negative errno: the
 *		memory it named is the caller's again
 * @closed:	after conn_close(): the last call; the connection is freed
 */
struct conn_handler {
	void (*connected)(struct conn *conn, int err);
	void (*received)(struct conn *conn, int result);
	void (*sent)(struct conn *conn, int err);
	void (*closed)(struct conn *conn);
};

/**
 * struct conn_address - where a mover listens
 * @storage:	as the socket interface has it
 * @length:	bytes of it
 */
struct conn_address {
	struct sockaddr_storage storage;
	socklen_t length;
};

int conn_resolve(const char *text, bool with_port, struct conn_address *address,
		 const char **why);
void conn_format(const struct conn_address *address, char text[CONN_NAME_BYTES],
		 uint16_t *port);

struct conn *conn_connect(struct worker *w, const struct conn_address *address,
			  const struct conn_handler *handler, void *data, int *err);
void conn_recv(struct conn *conn, struct iovec *iov, unsigned int count);
void conn_send(struct conn *conn, struct iovec *iov, unsigned int count);
bool conn_sending(const struct conn *conn);
void conn_end_sending(struct conn *conn);
void conn_close(struct conn *conn);
void *conn_data(const struct conn *conn);
void conn_set_handler(struct conn *conn, const struct conn_handler *handler,
		      void *data);
const char *conn_name(const struct conn *conn);

/**
 * struct listener_handler - what the owner of a listener is told
 * @accepted:	a peer has connected; the connection is the owner's
 * @closed:	after listener_close(): the last call; the listener is freed
 */
struct listener_handler {
	void (*accepted)(struct listener *listener, struct conn *conn);
	void (*closed)(struct listener *listener);
};

struct listener *listener_open(struct worker *w, const struct conn_address *address,
			       uint16_t port_low, uint16_t port_high,
			       const struct listener_handler *handler, void *data,
			       int *err);
void listener_address(const struct listener *listener, struct conn_address *address);
void listener_close(struct listener *listener);
void *listener_data(const struct listener *listener);

#endif /* _CONN_H */
