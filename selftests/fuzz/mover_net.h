/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conn.h without sockets and TLS: connections of a mover whose other ends a fuzzer
 * holds.  The fuzzer says how the handshake ends, what arrives, in pieces of which
 * length, how much is taken of what is sent, and when a connection is lost.
 *
 * As with the real ones, handlers are called from net_turn() only, what is under
 * way when a connection is closed ends after that, and the connection is freed by
 * the mailbox.  What callers must not do is checked.
 */
#ifndef _MOVER_NET_H
#define _MOVER_NET_H

#include <sys/queue.h>
#include "mspd/conn.h"

/* The other end of a connection */
struct far_end {
	TAILQ_ENTRY(far_end) entry;
	struct net *net;
	struct conn *conn;		/* the mover's end; both go together */
	unsigned int number;		/* since the beginning */
	bool asked;			/* the mover waits for the end of the handshake */
	uint8_t *bytes;			/* to be received by the mover, from @first on */
	size_t first;
	size_t count;
	size_t room;
	size_t piece;			/* most bytes that it receives at once */
	bool ended;			/* after those there are no more */
	bool lost;			/* reset */
	size_t takes;			/* bytes of what the mover sends that are taken */
	bool saw_end;			/* the mover sends no more */
	void *data;			/* the fuzzer's, freed with it */
};

/**
 * struct net - all connections of a worker
 * @ends:	of connections that are not freed
 * @count:	how many
 * @opened:	how many there were
 * @taken:	bytes that the mover sent
 * @peer:	identity of who is there
 * @kernel:	it is the kernel that encrypts
 * @refuse:	number of calls to conn_connect() or listener_open() that fail
 * @no_plain:	number of calls to conn_end_tls() that fail
 * @send_first:	what is sent completes before what is received
 */
struct net {
	TAILQ_HEAD(, far_end) ends;
	struct listener *listener;
	unsigned int count;
	unsigned int opened;
	void (*taken)(struct far_end *end, const uint8_t *bytes, size_t count);
	char peer[IDENTITY_BYTES];
	bool kernel;
	unsigned int refuse;
	unsigned int no_plain;
	bool send_first;
};

void net_init(struct net *net);
void net_exit(struct net *net);
void net_turn(struct net *net);

/* Connect to the mover that listens; NULL if none does */
struct far_end *net_connect(struct net *net);
/*
 * The handshake has ended well (0), or with a negative errno; who is there is the
 * net's @peer at that time
 */
void net_answer(struct far_end *end, int err);
/* False: too much waits already, or nothing can follow */
bool net_bytes(struct far_end *end, const void *bytes, size_t count);

/*
 * Memory that the mover's connections receive into, or send from, right now.  Calls
 * @check with each piece.
 */
void net_memory(struct net *net, void *ctx,
		void (*check)(void *ctx, const struct iovec *iov, bool receive));

/* The net of a worker; the fuzzer's host knows */
struct net *net_of(struct worker *w);

#endif /* _MOVER_NET_H */
