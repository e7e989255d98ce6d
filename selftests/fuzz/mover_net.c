// SPDX-License-Identifier: GPL-2.0-or-later
/* See mover_net.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include "common/util.h"
#include "fuzz.h"
#include "mover_net.h"

/* What a connection receives in one turn at most, in pieces */
#define MOST_PIECES	64
/* Memory that what was sent to the mover may take at any time */
#define MOST_WAITING	(256u << 10)

struct conn {
	struct far_end *end;
	struct worker *worker;
	const struct conn_handler *handler;
	void *data;
	bool connecting;		/* or the handshake of one that was accepted */
	int answer;			/* how it ended, once it has: 0 or negative errno */
	bool answered;
	bool secured;			/* or failed, and the owner knows */
	bool failed;
	enum conn_cipher cipher;
	bool receiving;
	bool sending;
	bool end_wanted;
	bool closing;
	bool gone;			/* the handler will be told, and nothing else */
	struct iovec *recv_iov;
	unsigned int recv_count;
	struct iovec *send_iov;
	unsigned int send_count;
	struct mail closed_mail;
	char name[32];
	char peer[IDENTITY_BYTES];
};

struct listener {
	struct net *net;
	struct worker *worker;
	const struct listener_handler *handler;
	void *data;
	bool closing;
	struct mail closed_mail;
};

/* ---- The far end ---- */

void net_init(struct net *net)
{
	TAILQ_INIT(&net->ends);
	net->listener = NULL;
	net->count = 0;
	net->opened = 0;
}

void net_exit(struct net *net)
{
	fuzz_check(!net->listener && TAILQ_EMPTY(&net->ends) && !net->count);
}

static struct far_end *end_new(struct net *net)
{
	struct far_end *end = calloc(1, sizeof(*end));

	fuzz_check(end);
	end->net = net;
	end->number = net->opened++;
	end->piece = SIZE_MAX;
	TAILQ_INSERT_TAIL(&net->ends, end, entry);
	net->count++;
	return end;
}

static void end_free(struct far_end *end)
{
	TAILQ_REMOVE(&end->net->ends, end, entry);
	end->net->count--;
	free(end->bytes);
	free(end->data);
	free(end);
}

static struct conn *conn_new(struct worker *w, struct far_end *end)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	fuzz_check(conn);
	conn->worker = w;
	conn->end = end;
	end->conn = conn;
	snprintf(conn->name, sizeof(conn->name), "peer:%u", end->number);
	return conn;
}

struct far_end *net_connect(struct net *net)
{
	struct listener *l = net->listener;
	struct far_end *end;

	if (!l || l->closing)
		return NULL;
	end = end_new(net);
	l->handler->accepted(l, conn_new(l->worker, end));
	return end;
}

void net_answer(struct far_end *end, int err)
{
	if (!end->asked)
		return;
	end->asked = false;
	end->conn->answer = err;
	end->conn->answered = true;
	snprintf(end->conn->peer, sizeof(end->conn->peer), "%s", end->net->peer);
}

/* What was received goes, and the rest may double */
static void make_room(struct far_end *end, size_t count)
{
	uint8_t *bytes;

	end->room = (end->count + count) * 2;
	bytes = malloc(end->room);
	fuzz_check(bytes);
	if (end->count)
		memcpy(bytes, end->bytes + end->first, end->count);
	free(end->bytes);
	end->bytes = bytes;
	end->first = 0;
}

bool net_bytes(struct far_end *end, const void *bytes, size_t count)
{
	if (end->ended || end->count + count > MOST_WAITING)
		return false;
	if (end->first + end->count + count > end->room)
		make_room(end, count);
	if (count)
		memcpy(end->bytes + end->first + end->count, bytes, count);
	end->count += count;
	return true;
}

/* ---- What is under way ---- */

static void closed_run(struct mail *mail)
{
	struct conn *conn = container_of(mail, struct conn, closed_mail);

	conn->handler->closed(conn);
	end_free(conn->end);
	free(conn);
}

static void finish_close(struct conn *conn)
{
	if (!conn->closing || conn->gone || conn->connecting || conn->sending ||
	    conn->receiving)
		return;
	conn->gone = true;
	mailbox_post(&conn->worker->mailbox, &conn->closed_mail);
}

static size_t scatter(struct conn *conn, const uint8_t *bytes, size_t count)
{
	size_t done = 0;

	for (unsigned int i = 0; i < conn->recv_count && done < count; i++) {
		size_t step = min(conn->recv_iov[i].iov_len, count - done);

		memcpy(conn->recv_iov[i].iov_base, bytes + done, step);
		done += step;
	}
	return done;
}

static void received(struct conn *conn, int result)
{
	conn->receiving = false;
	conn->handler->received(conn, result);
}

static void turn_receive(struct conn *conn)
{
	struct far_end *end = conn->end;
	size_t done;

	if (!conn->receiving || conn->connecting)
		return;
	if (end->lost && !end->count) {
		received(conn, -ECONNRESET);
	} else if (end->count) {
		done = scatter(conn, end->bytes + end->first,
			       min(end->count, max(end->piece, (size_t)1)));
		fuzz_check(done);	/* nobody asks for nothing */
		end->first += done;
		end->count -= done;
		received(conn, (int)done);
	} else if (end->ended) {
		received(conn, 0);
	}
}

static void sent(struct conn *conn, int err)
{
	conn->sending = false;
	conn->handler->sent(conn, err);
	if (conn->end_wanted && !conn->sending)
		conn->end->saw_end = true;
}

/* What is taken is read at that moment: the memory is the connection's until then */
static bool take_some(struct conn *conn)
{
	while (conn->send_count && conn->end->takes) {
		struct iovec *iov = conn->send_iov;
		size_t step = min(iov->iov_len, conn->end->takes);

		if (conn->end->net->taken)
			conn->end->net->taken(conn->end, iov->iov_base, step);
		conn->end->takes -= step;
		iov->iov_base = (char *)iov->iov_base + step;
		iov->iov_len -= step;
		if (iov->iov_len)
			return false;
		conn->send_iov++;
		conn->send_count--;
	}
	return !conn->send_count;
}

static void turn_send(struct conn *conn)
{
	if (!conn->sending || conn->connecting)
		return;
	if (conn->end->lost)
		sent(conn, -ECONNRESET);
	else if (take_some(conn))
		sent(conn, 0);
}

static void turn_closing(struct conn *conn)
{
	if (conn->gone)
		return;
	conn->connecting = false;
	conn->receiving = false;
	if (conn->sending)
		sent(conn, -ECANCELED);
	finish_close(conn);
}

static void turn(struct net *net, struct conn *conn)
{
	if (conn->closing) {
		turn_closing(conn);
		return;
	}
	if (conn->connecting && conn->answered) {
		conn->connecting = false;
		conn->secured = true;
		conn->failed = conn->answer;
		conn->cipher = net->kernel ? CONN_KERNEL : CONN_TLS;
		conn->handler->secured(conn, conn->answer);
	}
	if (net->send_first)
		turn_send(conn);
	for (unsigned int i = 0; !conn->closing && conn->receiving && i < MOST_PIECES; i++)
		turn_receive(conn);
	if (!conn->closing && !net->send_first)
		turn_send(conn);
}

/* Connections are freed by the mailbox: none goes while this looks at them */
void net_turn(struct net *net)
{
	struct far_end *end;

	TAILQ_FOREACH(end, &net->ends, entry)
		turn(net, end->conn);
}

static void pieces(struct iovec *iov, unsigned int count, bool receive, void *ctx,
		   void (*check)(void *ctx, const struct iovec *iov, bool receive))
{
	for (unsigned int i = 0; i < count; i++)
		check(ctx, &iov[i], receive);
}

void net_memory(struct net *net, void *ctx,
		void (*check)(void *ctx, const struct iovec *iov, bool receive))
{
	struct far_end *end;

	TAILQ_FOREACH(end, &net->ends, entry) {
		if (end->conn->receiving)
			pieces(end->conn->recv_iov, end->conn->recv_count, true, ctx,
			       check);
		if (end->conn->sending)
			pieces(end->conn->send_iov, end->conn->send_count, false, ctx,
			       check);
	}
}

/* ---- conn.h ---- */

void conn_format(const struct conn_address *address, char text[CONN_NAME_BYTES],
		 uint16_t *port)
{
	const struct sockaddr_in *in = (const void *)&address->storage;

	snprintf(text, CONN_NAME_BYTES, "peer");
	*port = ntohs(in->sin_port);
}

static bool refused(struct net *net, int *err)
{
	if (!net->refuse)
		return false;
	net->refuse--;
	*err = -ENETUNREACH;
	return true;
}

struct conn *conn_connect(struct worker *w, const struct conn_address *address,
			  struct identity *identity,
			  const struct conn_handler *handler, void *data, int *err)
{
	struct net *net = net_of(w);
	struct conn *conn;

	(void)address;
	fuzz_check(identity);
	if (refused(net, err))
		return NULL;
	conn = conn_new(w, end_new(net));
	conn->handler = handler;
	conn->data = data;
	conn->closed_mail.run = closed_run;
	conn->connecting = true;
	conn->end->asked = true;
	return conn;
}

void conn_accept(struct conn *conn, struct identity *identity)
{
	fuzz_check(identity && conn->handler && !conn->closing);
	conn->connecting = true;
	conn->end->asked = true;
}

void conn_recv(struct conn *conn, struct iovec *iov, unsigned int count)
{
	fuzz_check(count && count <= CONN_MAX_IOV);
	fuzz_check(!conn->gone && conn->secured);
	if (conn->closing || conn->receiving)
		return;
	conn->receiving = true;
	conn->recv_iov = iov;
	conn->recv_count = count;
}

void conn_send(struct conn *conn, struct iovec *iov, unsigned int count)
{
	fuzz_check(count && count <= CONN_MAX_IOV);
	fuzz_check(!conn->sending && !conn->closing && conn->secured && !conn->failed);
	fuzz_check(!conn->end->saw_end);
	conn->sending = true;
	conn->send_iov = iov;
	conn->send_count = count;
}

bool conn_sending(const struct conn *conn)
{
	return conn->sending;
}

int conn_end_tls(struct conn *conn)
{
	struct net *net = conn->end->net;

	fuzz_check(conn->secured && !conn->failed);
	if (conn->cipher != CONN_TLS || net->no_plain) {
		net->no_plain -= !!net->no_plain;
		return -EPROTO;
	}
	conn->cipher = CONN_PLAIN;
	return 0;
}

void conn_allow_rekey(struct conn *conn)
{
	fuzz_check(conn->secured && conn->cipher == CONN_TLS);
}

void conn_end_sending(struct conn *conn)
{
	fuzz_check(!conn->gone);
	conn->end_wanted = true;
	if (!conn->sending)
		conn->end->saw_end = true;
}

void conn_close(struct conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	finish_close(conn);
}

void *conn_data(const struct conn *conn)
{
	return conn->data;
}

void conn_set_handler(struct conn *conn, const struct conn_handler *handler,
		      void *data)
{
	conn->handler = handler;
	conn->data = data;
	conn->closed_mail.run = closed_run;
}

const char *conn_name(const struct conn *conn)
{
	return conn->name;
}

const char *conn_peer(const struct conn *conn)
{
	return conn->peer;
}

const char *conn_error(const struct conn *conn, int err)
{
	(void)conn;
	return err == -EPROTO ? "TLS: as the fuzzer has it" : strerror(-err);
}

enum conn_cipher conn_cipher(const struct conn *conn)
{
	return conn->cipher;
}

/* ---- Listeners ---- */

static void listener_closed_run(struct mail *mail)
{
	struct listener *l = container_of(mail, struct listener, closed_mail);

	l->net->listener = NULL;
	l->handler->closed(l);
	free(l);
}

struct listener *listener_open(struct worker *w, const struct conn_address *address,
			       uint16_t port_low, uint16_t port_high,
			       const struct listener_handler *handler, void *data,
			       int *err)
{
	struct net *net = net_of(w);
	struct listener *l;

	(void)address;
	(void)port_low;
	(void)port_high;
	if (refused(net, err))
		return NULL;
	l = calloc(1, sizeof(*l));
	fuzz_check(l && !net->listener);
	l->net = net;
	l->worker = w;
	l->handler = handler;
	l->data = data;
	l->closed_mail.run = listener_closed_run;
	net->listener = l;
	return l;
}

void listener_address(const struct listener *listener, struct conn_address *address)
{
	struct sockaddr_in *in = (void *)&address->storage;

	(void)listener;
	*address = (struct conn_address) { .length = sizeof(*in) };
	in->sin_family = AF_INET;
	in->sin_port = htons(1);
}

void listener_close(struct listener *listener)
{
	if (listener->closing)
		return;
	listener->closing = true;
	mailbox_post(&listener->worker->mailbox, &listener->closed_mail);
}

void *listener_data(const struct listener *listener)
{
	return listener->data;
}
