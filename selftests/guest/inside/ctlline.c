// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctlline TERMINAL SOCKET: a daemon's control socket, reached over a serial line.
 *
 * At the other end of the line is a socket of QEMU's, which serves one client after the
 * other; all that is heard here of them is what they ask.  Each line that comes is a
 * request: it is asked on a connection of its own, and the answer, a line as well, goes
 * back.  A client that has gone before its answer came is noticed when the next one asks.
 * A line "end" is how this program is told to end.  It says "ctlline: ready" when nothing
 * that is sent to the line is lost or echoed any more.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "inside.h"

#define REQUEST_BYTES	65536
#define ANSWER_BYTES	4096

struct line {
	int terminal;
	int service;			/* -1: nothing has been asked */
	struct sockaddr_un address;
	size_t used;
	char request[REQUEST_BYTES];
};

static void fail(const char *what)
{
	say("FAIL: ctlline: %s: %s", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void write_all(int fd, const char *data, size_t length, const char *what)
{
	while (length) {
		ssize_t put = write(fd, data, length);

		if (put > 0) {
			data += put;
			length -= (size_t)put;
		} else if (put < 0 && errno != EINTR) {
			fail(what);
		}
	}
}

static void forget(struct line *line)
{
	if (line->service >= 0)
		close(line->service);
	line->service = -1;
}

static void ask(struct line *line, size_t length)
{
	forget(line);
	line->service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (line->service < 0 || connect(line->service, (struct sockaddr *)&line->address,
					 sizeof(line->address)) < 0)
		fail("connect");
	write_all(line->service, line->request, length, "ask");
}

/* Take whole lines out of what came; false: it was "end" */
static bool take_requests(struct line *line)
{
	static const char end[] = "end\n";
	char *newline;

	while ((newline = memchr(line->request, '\n', line->used))) {
		size_t length = (size_t)(newline + 1 - line->request);

		if (length == strlen(end) && !memcmp(line->request, end, length))
			return false;
		ask(line, length);
		line->used -= length;
		memmove(line->request, newline + 1, line->used);
	}
	return true;
}

static bool hear(struct line *line)
{
	ssize_t got = read(line->terminal, line->request + line->used,
			   REQUEST_BYTES - line->used);

	if (got < 0 && errno == EINTR)
		return true;
	if (!got)
		errno = line->used < REQUEST_BYTES ? EPIPE : EMSGSIZE;
	if (got <= 0)
		fail("a request");
	line->used += (size_t)got;
	return take_requests(line);
}

static void answer(struct line *line)
{
	char data[ANSWER_BYTES];
	ssize_t got = read(line->service, data, sizeof(data));

	if (got > 0)
		write_all(line->terminal, data, (size_t)got, "answer");
	/* There is one answer to one request */
	if (got > 0 ? !!memchr(data, '\n', (size_t)got) : got == 0 || errno != EINTR)
		forget(line);
}

static int open_terminal(const char *path)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios mode;

	if (fd < 0 || tcgetattr(fd, &mode) < 0)
		fail(path);
	cfmakeraw(&mode);
	if (tcsetattr(fd, TCSANOW, &mode) < 0)
		fail(path);
	return fd;
}

int main(int argc, char **argv)
{
	static struct line line = { .service = -1, .address.sun_family = AF_UNIX };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (argc != 3 || strlen(argv[2]) >= sizeof(line.address.sun_path)) {
		say("FAIL: usage: %s TERMINAL SOCKET", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	strcpy(line.address.sun_path, argv[2]);
	line.terminal = open_terminal(argv[1]);
	fds[0].fd = line.terminal;
	say("ctlline: ready");
	for (;;) {
		fds[1].fd = line.service;
		if (poll(fds, 2, -1) < 0)
			continue;
		/* The answer first: a request ends the wait for it */
		if (fds[1].revents)
			answer(&line);
		if (fds[0].revents && !hear(&line))
			return EXIT_SUCCESS;
	}
}
