// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the mover relies on when the kernel does TLS on its connections.
 *
 * Pairs of TCP connections on the loopback get TLS 1.3 with AES-256-GCM and keys
 * of our own, then carry data and other records through io_uring as the mover's
 * connections do: sendmsg that goes on where a short one ended, and recvmsg with
 * room for the record's type.  The output is TAP.  A kernel without TLS skips it.
 *
 * Where a record has to be damaged, or to come in pieces, a plain socket reads it
 * as it is on the wire and another one hands it to a receiver with the same key.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/util.h"

#ifndef SOL_TLS
#define SOL_TLS			282
#endif
#ifndef TCP_ULP
#define TCP_ULP			31
#endif

#define RECORD_ALERT		21
#define RECORD_HANDSHAKE	22
#define RECORD_DATA		23
#define RECORD_HEADER		5
#define RECORD_TAG		16
/* For a record's type; nothing else comes */
#define CONTROL_BYTES		CMSG_SPACE(sizeof(uint8_t))
/* No operation takes as long unless it never ends */
#define WAIT_S			40
#define SEGMENTS		128
#define SEGMENT_BYTES		(32u << 10)
#define BULK_BYTES		((size_t)SEGMENTS * SEGMENT_BYTES)

static const uint8_t close_notify[] = { 1, 0 };

/**
 * struct op - a message that is sent or received
 * @res:	the completion's result, once @done
 * @done:	it has completed
 * @msg:	what io_uring is given
 * @iov:	segments of it
 * @control:	the record's type
 */
struct op {
	int res;
	bool done;
	struct msghdr msg;
	struct iovec iov[SEGMENTS];
	union {
		char bytes[CONTROL_BYTES];
		struct cmsghdr align;
	} control;
};

/**
 * struct fixture - what a test has
 * @ring:	one for all tests
 * @under_way:	operations that have not completed
 * @send, @recv, @record: those of a test; they outlive one that fails
 * @key:	a new one
 * @out:	BULK_BYTES of random
 * @in:		as many for what is received
 * @near:	a connection's end, which sends
 * @far:	its other end, which receives
 * @tap:	another connection, to see records as they are on the wire
 */
struct fixture {
	struct io_uring ring;
	unsigned int under_way;
	struct op send, recv, record;
	struct tls12_crypto_info_aes_gcm_256 key;
	uint8_t *out;
	uint8_t *in;
	int near, far;
	int tap[2];
};

#define expect(condition) \
	do { \
		if (!(condition)) { \
			printf("# line %d: not so: %s\n", __LINE__, #condition); \
			return false; \
		} \
	} while (0)

#define expect_result(got, wanted) \
	do { \
		long __got = (got), __wanted = (wanted); \
		if (__got != __wanted) { \
			printf("# line %d: %s is %ld, not %ld\n", __LINE__, #got, \
			       __got, __wanted); \
			return false; \
		} \
	} while (0)

static void must(bool true_, const char *what)
{
	if (true_)
		return;
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Connections and keys */

static void make_pair(int *near, int *far)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr *where = (struct sockaddr *)&address;
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	must(listener >= 0 && !bind(listener, where, length) && !listen(listener, 1) &&
	     !getsockname(listener, where, &length), "listen");
	*near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(*near >= 0 && !connect(*near, where, length), "connect");
	*far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(*far >= 0, "accept");
	close(listener);
	setsockopt(*near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(*far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void new_key(struct tls12_crypto_info_aes_gcm_256 *key)
{
	memset(key, 0, sizeof(*key));
	key->info.version = TLS_1_3_VERSION;
	key->info.cipher_type = TLS_CIPHER_AES_GCM_256;
	must(getrandom(key->key, sizeof(key->key), 0) == sizeof(key->key) &&
	     getrandom(key->iv, sizeof(key->iv), 0) == sizeof(key->iv) &&
	     getrandom(key->salt, sizeof(key->salt), 0) == sizeof(key->salt),
	     "getrandom");
}

/* 0 or negative errno */
static int use_tls(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ? -errno : 0;
}

static int use_key(int fd, int direction,
		   const struct tls12_crypto_info_aes_gcm_256 *key)
{
	return setsockopt(fd, SOL_TLS, direction, key, sizeof(*key)) ? -errno : 0;
}

static bool start_tls(int fd, int direction,
		      const struct tls12_crypto_info_aes_gcm_256 *key)
{
	expect_result(use_tls(fd), 0);
	expect_result(use_key(fd, direction, key), 0);
	return true;
}

/* The near end sends to the far end */
static bool one_way(struct fixture *f)
{
	return start_tls(f->near, TLS_TX, &f->key) && start_tls(f->far, TLS_RX, &f->key);
}

static void small_buffers(struct fixture *f)
{
	int bytes = 64 << 10;

	setsockopt(f->near, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(f->far, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* Operations */

static void prepare(struct op *op, const void *data, size_t bytes)
{
	op->res = 0;
	op->done = false;
	op->iov[0] = (struct iovec) { .iov_base = (void *)data, .iov_len = bytes };
	op->msg = (struct msghdr) { .msg_iov = op->iov, .msg_iovlen = 1 };
}

static void add_control(struct op *op)
{
	op->msg.msg_control = op->control.bytes;
	op->msg.msg_controllen = sizeof(op->control.bytes);
}

static void set_type(struct op *op, uint8_t type)
{
	struct cmsghdr *cmsg;

	add_control(op);
	cmsg = CMSG_FIRSTHDR(&op->msg);
	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(sizeof(type));
	*CMSG_DATA(cmsg) = type;
}

/* Type of the record that was received; -1: the kernel did not say */
static int type_of(struct op *op)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&op->msg);

	if (!cmsg || cmsg->cmsg_level != SOL_TLS ||
	    cmsg->cmsg_type != TLS_GET_RECORD_TYPE)
		return -1;
	return *CMSG_DATA(cmsg);
}

static struct io_uring_sqe *new_sqe(struct fixture *f, struct op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);

	must(sqe, "ring");
	f->under_way++;
	if (op)
		op->done = false;
	sqe->user_data = (uint64_t)(uintptr_t)op;
	return sqe;
}

static void begin_send(struct fixture *f, int fd, struct op *op, int flags)
{
	io_uring_prep_sendmsg(new_sqe(f, op), fd, &op->msg, MSG_NOSIGNAL | flags);
	io_uring_submit(&f->ring);
}

static void begin_receive(struct fixture *f, int fd, struct op *op)
{
	io_uring_prep_recvmsg(new_sqe(f, op), fd, &op->msg, 0);
	io_uring_submit(&f->ring);
}

static void cancel(struct fixture *f, int fd)
{
	io_uring_prep_cancel_fd(new_sqe(f, NULL), fd, IORING_ASYNC_CANCEL_ALL);
	io_uring_submit(&f->ring);
}

static void take(struct fixture *f)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&f->ring, &cqe)) {
		struct op *op = (struct op *)(uintptr_t)cqe->user_data;

		if (op) {
			op->res = cqe->res;
			op->done = true;
		}
		io_uring_cqe_seen(&f->ring, cqe);
		f->under_way--;
	}
}

static void wait_for_one(struct fixture *f)
{
	struct __kernel_timespec limit = { .tv_sec = WAIT_S };
	struct io_uring_cqe *cqe;

	errno = ETIME;
	must(io_uring_submit_and_wait_timeout(&f->ring, &cqe, 1, &limit, NULL) >= 0,
	     "an operation");
	take(f);
}

/* Result of an operation, once it has ended */
static int result(struct fixture *f, struct op *op)
{
	take(f);
	while (!op->done)
		wait_for_one(f);
	return op->res;
}

/* Whatever could complete by now has */
static bool waits(struct fixture *f, struct op *op)
{
	io_uring_submit_and_get_events(&f->ring);
	take(f);
	return !op->done;
}

static int send_record(struct fixture *f, int fd, int type, const void *data,
		       size_t bytes)
{
	struct op *op = &f->record;

	prepare(op, data, bytes);
	if (type != RECORD_DATA)
		set_type(op, (uint8_t)type);
	begin_send(f, fd, op, 0);
	return result(f, op);
}

/* What is received goes through @recv */
static int receive(struct fixture *f, int fd, void *data, size_t bytes)
{
	prepare(&f->recv, data, bytes);
	add_control(&f->recv);
	begin_receive(f, fd, &f->recv);
	return result(f, &f->recv);
}

/* A message of many segments, sent as the mover does: again until nothing is left */

static void prepare_bulk(struct op *op, uint8_t *data)
{
	prepare(op, data, 0);
	op->msg.msg_iovlen = SEGMENTS;
	for (unsigned int i = 0; i < SEGMENTS; i++)
		op->iov[i] = (struct iovec) {
			.iov_base = data + (size_t)i * SEGMENT_BYTES,
			.iov_len = SEGMENT_BYTES,
		};
}

/* Drop what was sent from the list; true: nothing is left */
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

/* Go on with a send that was short; a negative result stays.  True: all is sent */
static bool go_on(struct fixture *f, int fd, struct op *send)
{
	take(f);
	if (!send->done || send->res < 0 || !send->msg.msg_iovlen)
		return send->done && send->res >= 0;
	if (advance(&send->msg, (size_t)send->res))
		return true;
	begin_send(f, fd, send, 0);
	return false;
}

/* All of @out from one end to the other; @type of its records, -1: no TLS */
static bool carry(struct fixture *f, int from, int to, int type)
{
	unsigned int receives = 0;
	uint64_t start = now_ns();
	size_t got = 0;

	memset(f->in, 0, BULK_BYTES);
	prepare_bulk(&f->send, f->out);
	begin_send(f, from, &f->send, 0);
	while (got < BULK_BYTES) {
		expect(receive(f, to, f->in + got, BULK_BYTES - got) > 0);
		expect_result(type_of(&f->recv), type);
		got += (size_t)f->recv.res;
		receives++;
		go_on(f, from, &f->send);
		expect(f->send.res >= 0);
	}
	expect(result(f, &f->send) > 0 && go_on(f, from, &f->send));
	expect(!memcmp(f->in, f->out, BULK_BYTES));
	printf("# %zu bytes in %u receives, %.1f MB/s\n", BULK_BYTES, receives,
	       (double)BULK_BYTES * 1e3 / (double)(now_ns() - start));
	return true;
}

static bool plain(struct fixture *f)
{
	return carry(f, f->near, f->far, -1);
}

static bool both_ways(struct fixture *f)
{
	struct tls12_crypto_info_aes_gcm_256 back;

	new_key(&back);
	expect(one_way(f));
	expect_result(use_key(f->far, TLS_TX, &back), 0);
	expect_result(use_key(f->near, TLS_RX, &back), 0);
	return carry(f, f->near, f->far, RECORD_DATA) &&
	       carry(f, f->far, f->near, RECORD_DATA);
}

static bool with_small_buffers(struct fixture *f)
{
	small_buffers(f);
	return one_way(f) && carry(f, f->near, f->far, RECORD_DATA);
}

static bool send_wait_all(struct fixture *f)
{
	uint8_t data[64];

	/* No kernel has it yet; if one does, then as on a plain socket */
	expect(one_way(f));
	prepare(&f->send, "wait", 4);
	begin_send(f, f->near, &f->send, MSG_WAITALL);
	if (result(f, &f->send) == -EOPNOTSUPP) {
		printf("# MSG_WAITALL is not supported\n");
		expect_result(send_record(f, f->near, RECORD_DATA, "wait", 4), 4);
	} else {
		expect_result(f->send.res, 4);
	}
	expect_result(receive(f, f->far, data, sizeof(data)), 4);
	expect(!memcmp(data, "wait", 4));
	return true;
}

static bool sent_before_shutdown(struct fixture *f)
{
	size_t got = 0;
	bool ended = false;

	small_buffers(f);
	expect(one_way(f));
	prepare_bulk(&f->send, f->out);
	begin_send(f, f->near, &f->send, 0);
	/* Slowly, so that much is still on its way when the send ends */
	while (receive(f, f->far, f->in + got, min(BULK_BYTES - got, (size_t)4096)) > 0) {
		got += (size_t)f->recv.res;
		if (!ended && go_on(f, f->near, &f->send)) {
			ended = true;
			expect(!shutdown(f->near, SHUT_WR));
			printf("# %zu bytes were on their way\n", BULK_BYTES - got);
		}
		expect(f->send.res >= 0);
	}
	expect_result(f->recv.res, 0);
	expect(ended);
	expect_result((long)got, BULK_BYTES);
	expect(!memcmp(f->in, f->out, BULK_BYTES));
	return true;
}

/* Records that are not data */

static bool alert_comes_alone(struct fixture *f)
{
	char data[64];

	expect(one_way(f));
	expect_result(send_record(f, f->near, RECORD_DATA, "data", 4), 4);
	expect_result(send_record(f, f->near, RECORD_ALERT, close_notify, 2), 2);
	expect_result(receive(f, f->far, data, sizeof(data)), 4);
	expect_result(type_of(&f->recv), RECORD_DATA);
	expect_result(receive(f, f->far, data, sizeof(data)), 2);
	expect_result(type_of(&f->recv), RECORD_ALERT);
	expect(!memcmp(data, close_notify, 2));
	return true;
}

static bool alert_wakes(struct fixture *f)
{
	char data[64];

	expect(one_way(f));
	prepare(&f->recv, data, sizeof(data));
	add_control(&f->recv);
	begin_receive(f, f->far, &f->recv);
	expect(waits(f, &f->recv));
	expect_result(send_record(f, f->near, RECORD_ALERT, close_notify, 2), 2);
	expect_result(result(f, &f->recv), 2);
	expect_result(type_of(&f->recv), RECORD_ALERT);
	return true;
}

static bool alert_without_room(struct fixture *f)
{
	char data[64];

	expect(one_way(f));
	expect_result(send_record(f, f->near, RECORD_ALERT, close_notify, 2), 2);
	prepare(&f->recv, data, sizeof(data));
	begin_receive(f, f->far, &f->recv);
	expect_result(result(f, &f->recv), -EIO);
	return true;
}

static bool handshake_message(struct fixture *f)
{
	/* Like the start of a NewSessionTicket */
	static const uint8_t message[] = { 4, 0, 0, 1, 0 };
	uint8_t data[64];

	expect(one_way(f));
	expect_result(send_record(f, f->near, RECORD_HANDSHAKE, message, 5), 5);
	expect_result(send_record(f, f->near, RECORD_DATA, "data", 4), 4);
	expect_result(receive(f, f->far, data, sizeof(data)), 5);
	expect_result(type_of(&f->recv), RECORD_HANDSHAKE);
	expect(!memcmp(data, message, 5));
	expect_result(receive(f, f->far, data, sizeof(data)), 4);
	expect_result(type_of(&f->recv), RECORD_DATA);
	return true;
}

/* Where the kernel takes over */

static bool later_record(struct fixture *f)
{
	char data[64];

	f->key.rec_seq[7] = 3;
	expect(one_way(f));
	expect_result(send_record(f, f->near, RECORD_DATA, "data", 4), 4);
	expect_result(receive(f, f->far, data, sizeof(data)), 4);
	expect(!memcmp(data, "data", 4));
	return true;
}

static bool record_before_key(struct fixture *f)
{
	char data[64];

	expect(start_tls(f->near, TLS_TX, &f->key));
	expect_result(send_record(f, f->near, RECORD_DATA, "early", 5), 5);
	expect_result(recv(f->far, data, 1, MSG_PEEK), 1);
	expect(start_tls(f->far, TLS_RX, &f->key));
	expect_result(receive(f, f->far, data, sizeof(data)), 5);
	expect(!memcmp(data, "early", 5));
	return true;
}

static bool half_closed(struct fixture *f)
{
	char byte;

	expect(!shutdown(f->near, SHUT_WR));
	expect_result(recv(f->far, &byte, 1, MSG_PEEK), 0);
	expect_result(use_tls(f->far), -ENOTCONN);
	expect_result(use_tls(f->near), -ENOTCONN);
	return true;
}

/* Records by hand */

/* @bytes of @out as a record on the wire: its length, or negative */
static int on_the_wire(struct fixture *f, size_t bytes, uint8_t *wire, size_t room)
{
	ssize_t more;
	int got = 0;

	if (!start_tls(f->tap[0], TLS_TX, &f->key) ||
	    send_record(f, f->tap[0], RECORD_DATA, f->out, bytes) != (int)bytes ||
	    shutdown(f->tap[0], SHUT_WR))
		return -1;
	while ((more = read(f->tap[1], wire + got, room - (size_t)got)) > 0)
		got += (int)more;
	return more ? -1 : got;
}

/* Result of a receive after these bytes, and no more, have come */
static int hand_over(struct fixture *f, const void *wire, size_t bytes)
{
	if (!start_tls(f->far, TLS_RX, &f->key) ||
	    write(f->near, wire, bytes) != (ssize_t)bytes || shutdown(f->near, SHUT_WR))
		return -ENOEXEC;
	return receive(f, f->far, f->in, BULK_BYTES);
}

static bool not_in_clear(struct fixture *f)
{
	uint8_t wire[128];

	expect_result(on_the_wire(f, 64, wire, sizeof(wire)),
		      RECORD_HEADER + 64 + 1 + RECORD_TAG);
	expect(wire[0] == RECORD_DATA && wire[1] == 3 && wire[2] == 3);
	for (unsigned int i = 0; i <= 56; i++)
		expect(!memmem(wire, sizeof(wire), f->out + i, 8));
	return true;
}

static bool in_pieces(struct fixture *f)
{
	static const int cuts[] = { 1, RECORD_HEADER, RECORD_HEADER + 1, 2000 };
	uint8_t wire[4096 + 64];
	int n = on_the_wire(f, 4096, wire, sizeof(wire));
	int at = 0;

	expect(n > 4096);
	expect(start_tls(f->far, TLS_RX, &f->key));
	prepare(&f->recv, f->in, 4096);
	add_control(&f->recv);
	begin_receive(f, f->far, &f->recv);
	for (unsigned int i = 0; i < ARRAY_SIZE(cuts); i++) {
		expect_result(write(f->near, wire + at, (size_t)(cuts[i] - at)),
			      cuts[i] - at);
		at = cuts[i];
		expect(waits(f, &f->recv));
	}
	expect_result(write(f->near, wire + at, (size_t)(n - at)), n - at);
	expect_result(result(f, &f->recv), 4096);
	expect(!memcmp(f->in, f->out, 4096));
	return true;
}

static bool damaged(struct fixture *f)
{
	uint8_t wire[128];
	int n = on_the_wire(f, 64, wire, sizeof(wire));

	expect(n > 64);
	wire[n - 1] ^= 1;
	expect_result(hand_over(f, wire, (size_t)n), -EBADMSG);
	return true;
}

static bool twice(struct fixture *f)
{
	uint8_t wire[256];
	int n = on_the_wire(f, 64, wire, 128);

	expect(n > 64 && n <= 128);
	memcpy(wire + n, wire, (size_t)n);
	/* The first is good, the same once more is not the next */
	expect_result(hand_over(f, wire, 2 * (size_t)n), 64);
	expect_result(receive(f, f->far, f->in, BULK_BYTES), -EBADMSG);
	return true;
}

static bool no_record(struct fixture *f)
{
	expect_result(hand_over(f, "a frame that is not encrypted", 29), -EMSGSIZE);
	return true;
}

static bool ends_within(struct fixture *f)
{
	uint8_t wire[128];

	expect(on_the_wire(f, 64, wire, sizeof(wire)) > 64);
	/* Not to be told from an orderly end: who receives has to know the length */
	expect_result(hand_over(f, wire, 20), 0);
	return true;
}

static bool end_without_alert(struct fixture *f)
{
	expect(one_way(f));
	expect(!shutdown(f->near, SHUT_WR));
	expect_result(receive(f, f->far, f->in, BULK_BYTES), 0);
	expect_result(type_of(&f->recv), -1);
	return true;
}

/* Giving up */

static bool receive_cancelled(struct fixture *f)
{
	expect(one_way(f));
	prepare(&f->recv, f->in, BULK_BYTES);
	add_control(&f->recv);
	begin_receive(f, f->far, &f->recv);
	expect(waits(f, &f->recv));
	cancel(f, f->far);
	expect_result(result(f, &f->recv), -ECANCELED);
	return true;
}

static bool send_cancelled(struct fixture *f)
{
	/* Until the socket takes no more */
	small_buffers(f);
	expect(one_way(f));
	do {
		prepare_bulk(&f->send, f->out);
		begin_send(f, f->near, &f->send, 0);
		if (waits(f, &f->send))
			break;
		expect(f->send.res > 0);
	} while (true);
	cancel(f, f->near);
	expect_result(result(f, &f->send), -ECANCELED);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(struct fixture *f);
} tests[] = {
	{ "a plain connection, for comparison", plain },
	{ "data both ways", both_ways },
	{ "data through small socket buffers", with_small_buffers },
	{ "nothing on the wire is in clear", not_in_clear },
	{ "a send with MSG_WAITALL is refused or done, not both", send_wait_all },
	{ "what was sent before shutdown() arrives", sent_before_shutdown },
	{ "an alert comes alone, with its type", alert_comes_alone },
	{ "an alert ends a receive that waits", alert_wakes },
	{ "an alert without room for its type is EIO", alert_without_room },
	{ "a handshake message comes with its type", handshake_message },
	{ "the first record may have any number", later_record },
	{ "a record may be there before the key is", record_before_key },
	{ "no TLS on a connection that is half closed", half_closed },
	{ "a record in pieces", in_pieces },
	{ "a damaged record is EBADMSG", damaged },
	{ "a record once more is EBADMSG", twice },
	{ "what is no record is EMSGSIZE", no_record },
	{ "a connection that ends within a record ends", ends_within },
	{ "a connection that ends without alert ends", end_without_alert },
	{ "a receive that waits can be cancelled", receive_cancelled },
	{ "a send that waits can be cancelled", send_cancelled },
};

static bool run_test(struct fixture *f, bool (*run)(struct fixture *f))
{
	int *fds[] = { &f->near, &f->far, &f->tap[0], &f->tap[1] };
	bool good;

	make_pair(&f->near, &f->far);
	make_pair(&f->tap[0], &f->tap[1]);
	new_key(&f->key);
	good = run(f);
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		shutdown(*fds[i], SHUT_RDWR);
	while (f->under_way)
		wait_for_one(f);
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		close(*fds[i]);
	return good;
}

static void set_up(struct fixture *f)
{
	int err;

	/* As the mover's ring is */
	err = io_uring_queue_init(16, &f->ring, IORING_SETUP_SINGLE_ISSUER |
				  IORING_SETUP_DEFER_TASKRUN);
	if (err == -EINVAL)
		err = io_uring_queue_init(16, &f->ring, 0);
	errno = -err;
	must(!err, "io_uring");
	f->out = malloc(BULK_BYTES);
	f->in = malloc(BULK_BYTES);
	must(f->out && f->in, "memory");
	for (size_t at = 0; at < BULK_BYTES; at += 4096)
		must(getrandom(f->out + at, 4096, 0) == 4096, "getrandom");
}

int main(void)
{
	struct fixture f = { };
	int err, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	make_pair(&f.near, &f.far);
	err = use_tls(f.near);
	close(f.near);
	close(f.far);
	if (err) {
		printf("1..0 # SKIP no kernel TLS: %s\n", strerror(-err));
		return 0;
	}
	set_up(&f);
	printf("1..%zu\n", ARRAY_SIZE(tests));
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		bool good = run_test(&f, tests[i].run);

		bad |= !good;
		printf("%sok %u - %s\n", good ? "" : "not ", i + 1, tests[i].name);
	}
	io_uring_queue_exit(&f.ring);
	free(f.out);
	free(f.in);
	return bad;
}
