// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A TCP relay that hands every byte on a given time after it came, in both
 * directions: a long link, for machines whose kernel has no netem.
 *
 * What is under way lies in a ring per connection and direction.  A link of
 * some rate holds rate x delay bytes; the ring holds twice that, so that a
 * stream at that rate is never held up by it, and a receiver that stops
 * reading stops the sender.
 *
 * Prints "listening ADDRESS PORT" once it does, and runs until it is killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS	64
#define MAX_RING	(UINT64_C(256) << 20)
#define MIN_RING	(256u << 10)
#define MARKS		2048
/* Bytes that came within this time share the due time of the last of them */
#define MARK_NS		50000
#define NEVER		UINT64_MAX

/* Bytes up to position @end are due at @due_ns */
struct mark {
	uint64_t end;
	uint64_t first_ns;
	uint64_t due_ns;
};

/* One direction */
struct flow {
	uint8_t *ring;
	uint64_t in;		/* bytes that came */
	uint64_t out;		/* bytes handed on */
	uint64_t marks_in;
	uint64_t marks_out;
	struct mark marks[MARKS];
	bool ended;		/* the sender has ended */
	bool done;		/* and the receiver knows */
	bool blocked;		/* the receiver's socket is full */
};

struct end {
	struct connection *conn;
	int fd;
	uint32_t events;
	bool unwatched;		/* nothing more will happen on it */
	struct flow flow;	/* what comes from here */
};

struct connection {
	struct end end[2];
	bool broken;
	struct connection *next;
};

struct relay {
	int listener;
	int epoll;
	struct sockaddr_in to;
	uint64_t delay_ns;
	size_t ring_bytes;
	unsigned int connections;
	struct connection *first;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* A flow */

static bool flow_has_room(const struct flow *flow, size_t size)
{
	return !flow->ended && flow->in - flow->out < size &&
	       flow->marks_in - flow->marks_out < MARKS;
}

/* The pieces of ring positions [from, from + length) */
static unsigned int pieces(struct flow *flow, size_t size, uint64_t from,
			   size_t length, struct iovec iov[2])
{
	size_t start = from % size;
	size_t first = length < size - start ? length : size - start;

	iov[0] = (struct iovec){ flow->ring + start, first };
	iov[1] = (struct iovec){ flow->ring, length - first };
	return length > first ? 2 : 1;
}

static void mark_arrival(struct flow *flow, uint64_t now, uint64_t delay)
{
	struct mark *mark = &flow->marks[(flow->marks_in - 1) % MARKS];

	if (flow->marks_in == flow->marks_out ||
	    now - mark->first_ns > MARK_NS) {
		mark = &flow->marks[flow->marks_in++ % MARKS];
		mark->first_ns = now;
	}
	mark->end = flow->in;
	mark->due_ns = now + delay;
}

/* Take what there is; 0 or negative errno */
static int flow_fill(struct relay *relay, struct end *from)
{
	struct flow *flow = &from->flow;
	size_t size = relay->ring_bytes;
	struct iovec iov[2];

	while (flow_has_room(flow, size)) {
		unsigned int n = pieces(flow, size, flow->in,
					size - (flow->in - flow->out), iov);
		ssize_t got = readv(from->fd, iov, n);

		if (got < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (!got)
			flow->ended = true;
		flow->in += got;
		/* The end of the stream takes as long to arrive as its bytes */
		mark_arrival(flow, now_ns(), relay->delay_ns);
	}
	return 0;
}

/* Hand on what is due; 0 or negative errno */
static int flow_drain(struct relay *relay, struct flow *flow, int to)
{
	uint64_t now = now_ns();

	flow->blocked = false;
	while (flow->marks_out < flow->marks_in) {
		struct mark *mark = &flow->marks[flow->marks_out % MARKS];
		struct msghdr msg = { };
		struct iovec iov[2];
		ssize_t sent;

		if (mark->due_ns > now)
			return 0;
		if (mark->end == flow->out) {
			flow->marks_out++;
			continue;
		}
		msg.msg_iov = iov;
		msg.msg_iovlen = pieces(flow, relay->ring_bytes, flow->out,
					mark->end - flow->out, iov);
		sent = sendmsg(to, &msg, MSG_NOSIGNAL);
		if (sent < 0) {
			flow->blocked = errno == EAGAIN;
			return flow->blocked ? 0 : -errno;
		}
		flow->out += sent;
	}
	if (flow->ended && !flow->done) {
		flow->done = true;
		shutdown(to, SHUT_WR);
	}
	return 0;
}

/* When there is something to hand on next */
static uint64_t flow_due(const struct flow *flow)
{
	if (flow->blocked || flow->marks_out == flow->marks_in)
		return NEVER;
	return flow->marks[flow->marks_out % MARKS].due_ns;
}

/* A connection */

static int want(struct relay *relay, struct end *end, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = end };

	if (end->unwatched || events == end->events)
		return 0;
	end->events = events;
	return epoll_ctl(relay->epoll, EPOLL_CTL_MOD, end->fd, &ev) < 0 ?
	       -errno : 0;
}

/* Move what can be moved and say what is waited for */
static int serve(struct relay *relay, struct connection *conn)
{
	int i, err;

	for (i = 0; i < 2; i++) {
		err = flow_fill(relay, &conn->end[i]);
		if (!err)
			err = flow_drain(relay, &conn->end[i].flow,
					 conn->end[!i].fd);
		if (err)
			return err;
	}
	for (i = 0; i < 2; i++) {
		uint32_t events = 0;

		if (flow_has_room(&conn->end[i].flow, relay->ring_bytes))
			events |= EPOLLIN;
		if (conn->end[!i].flow.blocked)
			events |= EPOLLOUT;
		err = want(relay, &conn->end[i], events);
		if (err)
			return err;
	}
	return 0;
}

static void free_connection(struct relay *relay, struct connection *conn)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (conn->end[i].fd >= 0)
			close(conn->end[i].fd);
		if (conn->end[i].flow.ring)
			munmap(conn->end[i].flow.ring, relay->ring_bytes);
	}
	free(conn);
}

static int set_up_end(struct relay *relay, struct connection *conn, int i)
{
	struct end *end = &conn->end[i];
	struct epoll_event ev = { .data.ptr = end };
	int one = 1;

	end->conn = conn;
	end->flow.ring = mmap(NULL, relay->ring_bytes, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (end->flow.ring == MAP_FAILED) {
		end->flow.ring = NULL;
		return -errno;
	}
	if (setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		return -errno;
	return epoll_ctl(relay->epoll, EPOLL_CTL_ADD, end->fd, &ev) < 0 ?
	       -errno : 0;
}

static int connect_on(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		goto err_close;
	/* Only now: the target is near, and its answer is waited for */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		goto err_close;
	return fd;

err_close:
	err = -errno;
	close(fd);
	return err;
}

static void accept_one(struct relay *relay)
{
	struct connection *conn;
	int fd, err;

	fd = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (relay->connections == MAX_CONNECTIONS) {
		fprintf(stderr, "more than %d connections\n", MAX_CONNECTIONS);
		close(fd);
		return;
	}
	conn = calloc(1, sizeof(*conn));
	if (!conn) {
		close(fd);
		return;
	}
	conn->end[0].fd = fd;
	conn->end[1].fd = connect_on(&relay->to);
	err = conn->end[1].fd < 0 ? conn->end[1].fd : 0;
	if (!err)
		err = set_up_end(relay, conn, 0);
	if (!err)
		err = set_up_end(relay, conn, 1);
	if (!err)
		err = serve(relay, conn);
	if (err) {
		fprintf(stderr, "connection: %s\n", strerror(-err));
		free_connection(relay, conn);
		return;
	}
	conn->next = relay->first;
	relay->first = conn;
	relay->connections++;
}

/* Hand on what has become due; forget what has ended; returns the next time */
static uint64_t serve_due(struct relay *relay)
{
	struct connection **link = &relay->first;
	uint64_t next = NEVER;
	struct connection *conn;

	while ((conn = *link)) {
		uint64_t a = flow_due(&conn->end[0].flow);
		uint64_t b = flow_due(&conn->end[1].flow);
		uint64_t due = a < b ? a : b;

		if (!conn->broken && due <= now_ns()) {
			conn->broken = serve(relay, conn);
			continue;
		}
		if (conn->broken ||
		    (conn->end[0].flow.done && conn->end[1].flow.done)) {
			*link = conn->next;
			free_connection(relay, conn);
			relay->connections--;
			continue;
		}
		if (due < next)
			next = due;
		link = &conn->next;
	}
	return next;
}

static void take_event(struct relay *relay, struct end *end, uint32_t events)
{
	/* Told whether asked for or not, and again while bytes are delayed */
	if (events & (EPOLLERR | EPOLLHUP)) {
		epoll_ctl(relay->epoll, EPOLL_CTL_DEL, end->fd, NULL);
		end->unwatched = true;
	}
	if ((events & EPOLLERR) || serve(relay, end->conn))
		end->conn->broken = true;
}

static int run(struct relay *relay)
{
	struct epoll_event events[MAX_CONNECTIONS];

	for (;;) {
		uint64_t next = serve_due(relay), now = now_ns();
		struct timespec wait = { }, *timeout = NULL;
		int i, n;

		if (next != NEVER) {
			if (next > now) {
				wait.tv_sec = (next - now) / 1000000000;
				wait.tv_nsec = (next - now) % 1000000000;
			}
			timeout = &wait;
		}
		n = epoll_pwait2(relay->epoll, events, MAX_CONNECTIONS, timeout,
				 NULL);
		if (n < 0 && errno != EINTR) {
			perror("epoll");
			return 1;
		}
		for (i = 0; i < n; i++) {
			struct end *end = events[i].data.ptr;

			if (!end)
				accept_one(relay);
			else
				take_event(relay, end, events[i].events);
		}
	}
}

static int start_listening(struct relay *relay, const char *address)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	socklen_t len = sizeof(addr);

	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1) {
		fprintf(stderr, "--listen %s: not an IPv4 address\n", address);
		return -1;
	}
	relay->epoll = epoll_create1(EPOLL_CLOEXEC);
	relay->listener = socket(AF_INET,
				 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (relay->epoll < 0 || relay->listener < 0 ||
	    bind(relay->listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(relay->listener, MAX_CONNECTIONS) < 0 ||
	    getsockname(relay->listener, (struct sockaddr *)&addr, &len) < 0 ||
	    epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->listener, &ev) < 0) {
		perror(address);
		return -1;
	}
	printf("listening %s %u\n", address, ntohs(addr.sin_port));
	return fflush(stdout) ? -1 : 0;
}

static int parse_target(const char *text, struct sockaddr_in *to)
{
	char host[INET_ADDRSTRLEN];
	unsigned int port;
	char rest;

	if (sscanf(text, "%15[0-9.]:%5u%c", host, &port, &rest) != 2 || !port ||
	    port > 65535 || inet_pton(AF_INET, host, &to->sin_addr) != 1) {
		fprintf(stderr, "--to %s: not ADDRESS:PORT\n", text);
		return -1;
	}
	to->sin_family = AF_INET;
	to->sin_port = htons(port);
	return 0;
}

/* A whole number within [1, max], or exit */
static uint64_t number(const char *name, const char *text, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || !value || value > max) {
		fprintf(stderr, "%s %s: not within 1 to %" PRIu64 "\n", name,
			text, max);
		exit(2);
	}
	return value;
}

static int usage(FILE *out, int status)
{
	fputs("usage: delay_relay --to ADDRESS:PORT --delay-us N --rate BYTES\n"
	      "                   [--listen ADDRESS]\n", out);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "to", required_argument, NULL, 't' },
		{ "delay-us", required_argument, NULL, 'd' },
		{ "rate", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	const char *address = "127.0.0.1", *target = NULL;
	uint64_t delay_us = 0, rate = 0, bytes;
	struct relay relay = { };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			address = optarg;
			break;
		case 't':
			target = optarg;
			break;
		case 'd':
			delay_us = number("--delay-us", optarg, 10000000);
			break;
		case 'r':
			rate = number("--rate", optarg, UINT64_C(100000000000));
			break;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	if (optind < argc || !target || !delay_us || !rate)
		return usage(stderr, 2);
	if (parse_target(target, &relay.to))
		return 2;
	bytes = 2 * (rate * delay_us / 1000000);
	if (bytes > MAX_RING) {
		fprintf(stderr, "rate x delay: %" PRIu64 " bytes, at most %" PRIu64
			"\n", bytes / 2, MAX_RING / 2);
		return 2;
	}
	relay.ring_bytes = bytes < MIN_RING ? MIN_RING : bytes;
	relay.delay_ns = delay_us * 1000;
	if (start_listening(&relay, address))
		return 1;
	return run(&relay);
}
