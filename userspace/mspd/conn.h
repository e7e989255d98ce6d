/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections between movers.  This is the only part that knows TCP, and the
 * only one that knows whether the bytes are encrypted, and by whom.
 *
 *   conn.c	a connection: its handshake, plain bytes in and out
 *   listener.c	waits for them
 *   address.c	addresses and text
 *   handshake.c	of TLS, without I/O
 *   tls.c	records behind it, without I/O; ktls.c the kernel's
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
#include "identity.h"
#include "worker.h"

/* Segments of one send or receive */
#define CONN_MAX_IOV	512
#define CONN_HOST_BYTES	256	/* of a name or an address */
#define CONN_NAME_BYTES	64

struct conn;
struct listener;

/* Who encrypts */
enum conn_cipher {
	CONN_PLAIN,		/* nobody */
	CONN_TLS,		/* this process */
	CONN_KERNEL,
};

/**
 * struct conn_handler - what the owner of a connection is told
 * @secured:	the connection of conn_connect() or conn_accept() is there and the peer
 *		trusted (0), or not: -EPROTO, conn_error() says why; it can then only be
 *		received on, until the peer closes, or closed; or another negative errno
 * @received:	bytes that were received; 0 = the peer has ended its sending;
 *		-EPROTO: conn_error() says why; or another negative errno
 * @sent:	all of a conn_send() is with the kernel (0), or negative errno: the
 *		memory it named is the caller's again
 * @closed:	after conn_close(): the last call; the connection is freed
 */
struct conn_handler {
	void (*secured)(struct conn *conn, int err);
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

int conn_host(const char *text, size_t length, char host[CONN_HOST_BYTES], const char **why);
int conn_resolve(const char *text, bool with_port, struct conn_address *address,
		 const char **why);
void conn_format(const struct conn_address *address, char text[CONN_NAME_BYTES],
		 uint16_t *port);

struct conn *conn_connect(struct worker *w, const struct conn_address *address,
			  struct identity *identity,
			  const struct conn_handler *handler, void *data, int *err);
struct conn *conn_adopt(struct worker *w, int fd, const struct conn_address *address);
void conn_accept(struct conn *conn, struct identity *identity);
void conn_recv(struct conn *conn, struct iovec *iov, unsigned int count);
void conn_send(struct conn *conn, struct iovec *iov, unsigned int count);
bool conn_sending(const struct conn *conn);
int conn_end_tls(struct conn *conn);
void conn_allow_rekey(struct conn *conn);
void conn_end_sending(struct conn *conn);
void conn_close(struct conn *conn);
void *conn_data(const struct conn *conn);
void conn_set_handler(struct conn *conn, const struct conn_handler *handler,
		      void *data);
const char *conn_name(const struct conn *conn);
const char *conn_peer(const struct conn *conn);
const char *conn_error(const struct conn *conn, int err);
enum conn_cipher conn_cipher(const struct conn *conn);

/**
 * struct listener_handler - what the owner of a listener is told
 * @accepted:	a peer has connected; the connection is the owner's, who sets a handler
 *		and calls conn_accept()
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
