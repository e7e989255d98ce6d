// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * echod [PORT]: sends back what comes over TCP (port 7), to many at a time.
 *
 * It ends no connection: it says "echo: N closed" when the peer has, and a line that
 * begins with "FAIL: echo:" when one broke.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "inside.h"

#define CONNECTIONS	256
#define BUFFER_BYTES	16384

struct connection {
	unsigned int number;
	size_t start;
	size_t end;
	char buffer[BUFFER_BYTES];
};

struct echo {
	unsigned int accepted;
	nfds_t count;				/* of fds; the first one listens */
	struct pollfd fds[CONNECTIONS + 1];
	struct connection *connections[CONNECTIONS + 1];
};

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		return -1;
	return fd;
}

static void accept_one(struct echo *echo)
{
	int fd = accept4(echo->fds[0].fd, NULL, NULL, SOCK_NONBLOCK), one = 1;
	struct connection *connection;

	if (fd < 0)
		return;
	connection = calloc(1, sizeof(*connection));
	if (!connection) {
		say("FAIL: echo: no memory");
		exit(EXIT_FAILURE);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connection->number = ++echo->accepted;
	echo->connections[echo->count] = connection;
	echo->fds[echo->count++] = (struct pollfd){ .fd = fd };
	say("echo: %u open", connection->number);
}

/* 1: go on; 0: closed by the peer; -1: broken */
static int read_more(int fd, struct connection *c)
{
	ssize_t got;

	if (c->start != c->end)
		return 1;
	got = read(fd, c->buffer, sizeof(c->buffer));
	if (got < 0)
		return errno == EAGAIN ? 1 : -1;
	c->start = 0;
	c->end = (size_t)got;
	return got ? 1 : 0;
}

static int write_more(int fd, struct connection *c)
{
	ssize_t put;

	if (c->start == c->end)
		return 1;
	put = write(fd, c->buffer + c->start, c->end - c->start);
	if (put < 0)
		return errno == EAGAIN ? 1 : -1;
	c->start += (size_t)put;
	return 1;
}

static int serve(struct echo *echo, nfds_t i)
{
	struct connection *c = echo->connections[i];
	int fd = echo->fds[i].fd, ret;

	ret = read_more(fd, c);
	return ret > 0 ? write_more(fd, c) : ret;
}

static void forget(struct echo *echo, nfds_t i, int ret)
{
	struct connection *c = echo->connections[i];

	if (ret)
		say("FAIL: echo: %u: %s", c->number, strerror(errno));
	else
		say("echo: %u closed", c->number);
	close(echo->fds[i].fd);
	free(c);
	echo->fds[i] = echo->fds[--echo->count];
	echo->connections[i] = echo->connections[echo->count];
}

int main(int argc, char **argv)
{
	uint16_t port = (uint16_t)argument(argc, argv, 1, 7);
	struct echo *echo = calloc(1, sizeof(*echo));
	int ret;

	end_when_told();
	signal(SIGPIPE, SIG_IGN);
	if (!echo)
		return EXIT_FAILURE;
	echo->fds[0].fd = listen_on(port);
	if (echo->fds[0].fd < 0) {
		say("FAIL: echo: port %u: %s", port, strerror(errno));
		return EXIT_FAILURE;
	}
	echo->count = 1;
	say("echo: listens on %u", port);
	for (;;) {
		echo->fds[0].events = echo->count <= CONNECTIONS ? POLLIN : 0;
		for (nfds_t i = 1; i < echo->count; i++)
			echo->fds[i].events = echo->connections[i]->start ==
				echo->connections[i]->end ? POLLIN : POLLOUT;
		if (poll(echo->fds, echo->count, -1) < 0)
			continue;
		/* From the end: the last one takes the place of one that goes */
		for (nfds_t i = echo->count - 1; i > 0; i--) {
			if (!echo->fds[i].revents)
				continue;
			ret = serve(echo, i);
			if (ret <= 0)
				forget(echo, i, ret);
		}
		if (echo->fds[0].revents)
			accept_one(echo);
	}
}
