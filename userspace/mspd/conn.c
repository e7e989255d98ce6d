// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/log.h"
#include "common/util.h"
#include "conn.h"
#include "handshake.h"
#include "ktls.h"
#include "tls.h"

/*
 * What the kernel may hold that is not on the wire yet: a page that is asked
 * for waits behind no more than this.
 */
#define NOTSENT_BYTES	(256 << 10)

/**
 * struct conn - a connection
 * @fd:		its socket, -1 once it is closed
 * @connecting:	TCP's connect is under way
 * @busy_out, @busy_in: a send or receive of the socket is under way
 * @sending, @receiving: the owner's is
 * @failed:	it has ended badly: what is received goes nowhere
 * @pumping:	received() is being told, and may ask for more
 * @resuming:	@resume_mail is posted
 * @end_wanted:	the peer is to be told that nothing more comes
 * @end_told:	it was
 * @cipher:	who encrypts what the owner sends and receives from now on
 * @handshake:	as long as the owner does not know how it ended
 * @result:	of the handshake, told once @out is sent
 * @send_error:	why what the owner sends could not be encrypted
 * @tls:	while this process encrypts, and until the last of that is sent
 * @in, @out:	ciphertext, with @handshake or @tls
 * @out_bytes:	of @out that the socket was given
 * @user_in, @user_out: the owner's lists; with @in and @out the socket has others
 * @iov_in, @iov_out: these
 * @control:	what comes with a record that the kernel has decrypted
 */
struct conn {
	struct worker *worker;
	const struct conn_handler *handler;
	void *data;
	int fd;
	bool connecting;
	bool busy_out;
	bool busy_in;
	bool sending;
	bool receiving;
	bool failed;
	bool pumping;
	bool resuming;
	bool end_wanted;
	bool end_told;
	bool closing;
	enum conn_cipher cipher;
	struct identity *identity;
	struct handshake *handshake;
	int result;
	int send_error;
	struct tls *tls;
	struct buffer in;
	struct buffer out;
	size_t out_bytes;
	struct ring_op connect_op;
	struct ring_op send_op;
	struct ring_op recv_op;
	struct mail closed_mail;
	struct mail resume_mail;
	struct conn_address address;
	struct msghdr user_out;
	struct msghdr user_in;
	struct msghdr send_msg;
	struct msghdr recv_msg;
	struct iovec iov_out;
	struct iovec iov_in;
	_Alignas(struct cmsghdr) char control[KTLS_CONTROL_BYTES];
	char name[CONN_NAME_BYTES + 8];
	char peer[IDENTITY_BYTES];
	char error[TLS_ERROR_BYTES];
};

static void set_options(int fd)
{
	int lowat = NOTSENT_BYTES;
	int on = 1;

	/* Both only help; a kernel without them still moves */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

/* ---- the end ---- */

/* Nobody encrypts here any more */
static void drop_tls(struct conn *conn)
{
	tls_free(conn->tls);
	conn->tls = NULL;
	buffer_exit(&conn->in);
	buffer_exit(&conn->out);
}

static void closed_run(struct mail *mail)
{
	struct conn *conn = container_of(mail, struct conn, closed_mail);

	conn->handler->closed(conn);
	handshake_free(conn->handshake);
	drop_tls(conn);
	identity_put(conn->identity);
	free(conn);
}

/* Closing ends when nothing is under way; told from the mailbox, so that no
 * caller loses the connection under its feet.
 */
static void finish_close(struct conn *conn)
{
	if (!conn->closing || conn->connecting || conn->busy_out || conn->busy_in ||
	    conn->pumping || conn->resuming)
		return;
	if (conn->fd < 0)
		return;
	close(conn->fd);
	conn->fd = -1;
	mailbox_post(&conn->worker->mailbox, &conn->closed_mail);
}

static void keep_error(struct conn *conn, const char *why)
{
	snprintf(conn->error, sizeof(conn->error), "%s", why);
}

/*
 * What the kernel finds wrong with a record is told to whoever uses the socket next,
 * to receive or to send
 */
static int name_error(struct conn *conn, int res)
{
	const char *why = conn->cipher == CONN_KERNEL ? ktls_error(res) : NULL;

	if (!why)
		return res;
	keep_error(conn, why);
	return -EPROTO;
}

/* Do the owner's bytes go through conn->tls? */
static bool encrypts(const struct conn *conn)
{
	return conn->cipher == CONN_TLS && !conn->failed;
}

/* ---- the socket ---- */

static void submit_send(struct conn *conn)
{
	struct io_uring_sqe *sqe = worker_sqe(conn->worker, &conn->send_op);
	/* Saves submitting the rest again; kernel TLS refuses it (EOPNOTSUPP) */
	unsigned int all = conn->cipher == CONN_KERNEL ? 0 : MSG_WAITALL;

	conn->busy_out = true;
	io_uring_prep_sendmsg(sqe, conn->fd, &conn->send_msg, MSG_NOSIGNAL | all);
}

static void submit_recv(struct conn *conn)
{
	struct io_uring_sqe *sqe = worker_sqe(conn->worker, &conn->recv_op);

	conn->busy_in = true;
	io_uring_prep_recvmsg(sqe, conn->fd, &conn->recv_msg, 0);
}

/* What there is of ciphertext to send; false: nothing */
static bool send_ciphertext(struct conn *conn)
{
	size_t bytes = buffer_used(&conn->out);

	if (!bytes)
		return false;
	if (conn->busy_out)
		return true;
	conn->out_bytes = bytes;
	conn->iov_out = (struct iovec) { conn->out.data + conn->out.head, bytes };
	conn->send_msg = (struct msghdr) {
		.msg_iov = &conn->iov_out, .msg_iovlen = 1,
	};
	submit_send(conn);
	return true;
}

/* Receive ciphertext: in the handshake no more than is needed, for what follows may
 * be for the kernel
 */
static void receive_ciphertext(struct conn *conn)
{
	size_t room = buffer_room(&conn->in);

	if (conn->busy_in)
		return;
	if (conn->handshake)
		room = handshake_wanted(conn->handshake);
	conn->iov_in = (struct iovec) { conn->in.data + conn->in.tail, room };
	conn->recv_msg = (struct msghdr) {
		.msg_iov = &conn->iov_in, .msg_iovlen = 1,
	};
	submit_recv(conn);
}

/* ---- the handshake ---- */

static int encrypt_here(struct conn *conn, const struct agreement *agreement)
{
	conn->tls = tls_new(agreement, &conn->in, &conn->out);
	conn->cipher = CONN_TLS;
	return conn->tls ? 0 : -ENOMEM;
}

/*
 * From here on the kernel encrypts, or tls.c.  The kernel takes no connection that
 * the peer has ended already; what it said before, such as why, is still to be read.
 */
static int choose_cipher(struct conn *conn)
{
	const struct agreement *agreement = handshake_agreement(conn->handshake);
	int ret;

	snprintf(conn->peer, sizeof(conn->peer), "%s", handshake_peer(conn->handshake));
	if (!conn->identity->kernel)
		return encrypt_here(conn, agreement);
	ret = ktls_enable(conn->fd, agreement);
	if (ret == -ENOTCONN)
		return encrypt_here(conn, agreement);
	if (ret) {
		snprintf(conn->error, sizeof(conn->error), "kernel TLS: %s",
			 strerror(-ret));
		return -EPROTO;
	}
	conn->cipher = CONN_KERNEL;
	drop_tls(conn);
	return 0;
}

static void end_handshake(struct conn *conn)
{
	int ret = conn->result ? conn->result : choose_cipher(conn);

	handshake_free(conn->handshake);
	conn->handshake = NULL;
	conn->failed = ret;
	if (ret)
		drop_tls(conn);
	conn->handler->secured(conn, ret);
}

/*
 * In turns: what there is to say is sent before anything is received, so that
 * one step is under way at a time.
 */
static void handshake(struct conn *conn)
{
	if (conn->result == -EAGAIN)
		conn->result = handshake_step(conn->handshake);
	if (conn->result == -EPROTO)
		keep_error(conn, handshake_error(conn->handshake));
	if (send_ciphertext(conn))
		return;
	if (conn->result == -EAGAIN)
		receive_ciphertext(conn);
	else
		end_handshake(conn);
}

static int begin_handshake(struct conn *conn, bool server)
{
	if (buffer_init(&conn->in) || buffer_init(&conn->out))
		return -ENOMEM;
	conn->handshake = handshake_new(conn->identity, server, &conn->in, &conn->out);
	if (!conn->handshake)
		return -ENOMEM;
	conn->result = -EAGAIN;
	handshake(conn);
	return 0;
}

static void handshake_lost(struct conn *conn, int err)
{
	/* What was wrong is more than that the peer is gone now */
	if (conn->result == -EAGAIN && !err)
		keep_error(conn, "TLS: the peer closed the connection in the handshake");
	if (conn->result == -EAGAIN)
		conn->result = err ? err : -EPROTO;
	end_handshake(conn);
}

static void connect_complete(struct ring_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, connect_op);

	conn->connecting = false;
	if (conn->closing) {
		finish_close(conn);
		return;
	}
	if (!res)
		res = begin_handshake(conn, false);
	if (res)
		conn->handler->secured(conn, res);
	finish_close(conn);
}

/* ---- sending ---- */

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

static void tell_sent(struct conn *conn, int err)
{
	conn->sending = false;
	/* Told also while closing: who sent has to know when memory is free */
	conn->handler->sent(conn, err);
	if (conn->end_wanted && !conn->sending && !conn->closing)
		conn_end_sending(conn);
}

/* Go on from the mailbox: who calls now does not expect to be told now */
static void resume(struct conn *conn)
{
	if (conn->resuming)
		return;
	conn->resuming = true;
	mailbox_post(&conn->worker->mailbox, &conn->resume_mail);
}

/* Encrypt and send what there is room for */
static void pump_out(struct conn *conn)
{
	ssize_t put = tls_write(conn->tls, conn->user_out.msg_iov,
				(unsigned int)conn->user_out.msg_iovlen);

	if (put < 0) {
		keep_error(conn, tls_error(conn->tls));
		conn->send_error = (int)put;
		resume(conn);
		return;
	}
	advance(&conn->user_out, (size_t)put);
	send_ciphertext(conn);
}

/* What there was of ciphertext is with the kernel: is there more? */
static bool ciphertext_goes_on(struct conn *conn)
{
	buffer_drop(&conn->out, conn->out_bytes);
	if (conn->handshake) {
		handshake(conn);
		return true;
	}
	if (send_ciphertext(conn))
		return true;
	if (encrypts(conn) && conn->sending && conn->user_out.msg_iovlen) {
		pump_out(conn);
		return true;
	}
	if (!encrypts(conn))
		drop_tls(conn);
	return false;
}

/* All of what the socket was given is with the kernel (0), or it is lost */
static void socket_sent(struct conn *conn, int err)
{
	if (conn->closing) {
		if (conn->sending)
			tell_sent(conn, err ? err : -ECANCELED);
		return;
	}
	if (conn->handshake && err) {
		handshake_lost(conn, err);
		return;
	}
	if (!err && (conn->handshake || conn->tls) && ciphertext_goes_on(conn))
		return;
	if (conn->sending)
		tell_sent(conn, err);
	else if (!err && conn->end_told)
		shutdown(conn->fd, SHUT_WR);
}

static void send_complete(struct ring_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, send_op);
	bool again = res == -EINTR || res == -EAGAIN ||
		     (res > 0 && !advance(&conn->send_msg, (size_t)res));

	conn->busy_out = false;
	if (again && !conn->closing) {
		submit_send(conn);
		return;
	}
	socket_sent(conn, again ? -ECANCELED : name_error(conn, min(res, 0)));
	finish_close(conn);
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
	conn->user_out = (struct msghdr) { .msg_iov = iov, .msg_iovlen = count };
	if (encrypts(conn)) {
		pump_out(conn);
		return;
	}
	conn->send_msg = conn->user_out;
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
	if (conn->sending || conn->closing || conn->end_told)
		return;
	conn->end_told = true;
	if (encrypts(conn)) {
		tls_end(conn->tls);
		if (send_ciphertext(conn))
			return;
	}
	if (conn->cipher == CONN_KERNEL)
		ktls_end(conn->fd);
	shutdown(conn->fd, SHUT_WR);
}

/* ---- receiving ---- */

static void tell_received(struct conn *conn, int result)
{
	conn->receiving = false;
	conn->handler->received(conn, result);
}

/*
 * Decrypt what is here for as long as the owner asks for more.  Asking from within
 * received() is seen here, and so does not nest.
 */
static void pump_in(struct conn *conn)
{
	ssize_t got;

	conn->pumping = true;
	while (conn->receiving && !conn->closing && encrypts(conn)) {
		got = tls_read(conn->tls, conn->user_in.msg_iov,
			       (unsigned int)conn->user_in.msg_iovlen);
		if (got == -EAGAIN) {
			receive_ciphertext(conn);
			break;
		}
		if (got < 0)
			keep_error(conn, tls_error(conn->tls));
		tell_received(conn, (int)got);
	}
	conn->pumping = false;
}

static void resume_run(struct mail *mail)
{
	struct conn *conn = container_of(mail, struct conn, resume_mail);

	conn->resuming = false;
	if (conn->send_error && conn->sending)
		tell_sent(conn, conn->send_error);
	if (encrypts(conn) && !conn->closing)
		pump_in(conn);
	finish_close(conn);
}

static void socket_received(struct conn *conn, int res)
{
	if (conn->handshake) {
		if (res <= 0) {
			handshake_lost(conn, res);
			return;
		}
		conn->in.tail += (size_t)res;
		handshake(conn);
	} else if (encrypts(conn) && res > 0) {
		conn->in.tail += (size_t)res;
		pump_in(conn);
	} else if (conn->receiving) {
		if (conn->cipher == CONN_KERNEL && res > 0)
			res = ktls_check(&conn->recv_msg, res, conn->error);
		tell_received(conn, name_error(conn, res));
	}
}

static void recv_complete(struct ring_op *op, int res)
{
	struct conn *conn = container_of(op, struct conn, recv_op);

	conn->busy_in = false;
	if (!conn->closing) {
		if (res == -EINTR || res == -EAGAIN)
			submit_recv(conn);
		else
			socket_received(conn, res);
	}
	finish_close(conn);
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
	conn->user_in = (struct msghdr) { .msg_iov = iov, .msg_iovlen = count };
	if (encrypts(conn)) {
		if (conn->pumping || conn->resuming)
			return;
		if (!tls_has_input(conn->tls)) {
			receive_ciphertext(conn);
			return;
		}
		resume(conn);
		return;
	}
	conn->recv_msg = conn->user_in;
	if (conn->cipher == CONN_KERNEL) {
		conn->recv_msg.msg_control = conn->control;
		conn->recv_msg.msg_controllen = sizeof(conn->control);
	}
	submit_recv(conn);
}

/* ---- life ---- */

/**
 * conn_adopt() - make a connection of a socket
 * @w: the worker; its own thread
 * @fd: the socket; closed on error
 * @address: of the peer
 *
 * Return: the connection, or NULL.
 */
struct conn *conn_adopt(struct worker *w, int fd, const struct conn_address *address)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	char host[CONN_NAME_BYTES];
	uint16_t port;

	if (!conn) {
		close(fd);
		return NULL;
	}
	set_options(fd);
	conn->worker = w;
	conn->fd = fd;
	conn->connect_op.complete = connect_complete;
	conn->send_op.complete = send_complete;
	conn->recv_op.complete = recv_complete;
	conn->closed_mail.run = closed_run;
	conn->resume_mail.run = resume_run;
	conn->address = *address;
	conn_format(address, host, &port);
	snprintf(conn->name, sizeof(conn->name), "%s:%u", host, port);
	return conn;
}

/**
 * conn_accept() - begin the handshake with a peer that has connected
 * @conn: of conn_adopt(), with a handler
 * @identity: own; is held
 */
void conn_accept(struct conn *conn, struct identity *identity)
{
	int ret;

	conn->identity = identity_get(identity);
	ret = begin_handshake(conn, true);
	if (ret)
		conn->handler->secured(conn, ret);
}

/**
 * conn_connect() - open a connection, and prove to each other who is there
 * @w: the worker; its own thread
 * @address: of the peer
 * @identity: own; is held
 * @handler: told when it is there
 * @data: the owner's
 * @err: on error, negative errno
 *
 * Return: the connection, or NULL.
 */
struct conn *conn_connect(struct worker *w, const struct conn_address *address,
			  struct identity *identity,
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
	conn = conn_adopt(w, fd, address);
	if (!conn) {
		*err = -ENOMEM;
		return NULL;
	}
	conn->handler = handler;
	conn->data = data;
	conn->identity = identity_get(identity);
	conn->connecting = true;
	sqe = worker_sqe(w, &conn->connect_op);
	io_uring_prep_connect(sqe, fd, (struct sockaddr *)&conn->address.storage,
			      conn->address.length);
	return conn;
}

/**
 * conn_end_tls() - what is sent and received from now on is plain
 * @conn: secured, and encrypted by this process; both sides do it at the same
 *	place of the stream
 *
 * What was given to conn_send() before is still encrypted.
 *
 * Return: 0; -EPROTO: the peer has sent encrypted bytes beyond this place.
 */
int conn_end_tls(struct conn *conn)
{
	if (!encrypts(conn) || tls_has_input(conn->tls)) {
		keep_error(conn, "TLS: bytes beyond the end of encryption");
		return -EPROTO;
	}
	conn->cipher = CONN_PLAIN;
	if (!conn->busy_out)
		drop_tls(conn);
	return 0;
}

/**
 * conn_allow_rekey() - renew keys now and then; the peer has said that it can
 * @conn: secured
 */
void conn_allow_rekey(struct conn *conn)
{
	if (encrypts(conn))
		tls_allow_rekey(conn->tls, TLS_REKEY_RECORDS);
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
	if (conn->connecting || conn->busy_out || conn->busy_in)
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

/**
 * conn_peer() - the peer's identity
 * @conn: secured
 */
const char *conn_peer(const struct conn *conn)
{
	return conn->peer;
}

/**
 * conn_error() - what an error of the connection means, for messages
 * @conn: the connection
 * @err: negative errno, as the handler was told
 */
const char *conn_error(const struct conn *conn, int err)
{
	return err == -EPROTO ? conn->error : strerror(-err);
}

/**
 * conn_cipher() - who encrypts
 * @conn: secured
 */
enum conn_cipher conn_cipher(const struct conn *conn)
{
	return conn->cipher;
}
