// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's terminal.  What comes may be anything: a line that is too long or is no
 * text is answered with an error.  When nobody takes the answers, no more is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "agent/agent.h"

/*
 * Free in the queue before a line is taken: for its answer, and for those that are due
 * already, of a check, a pre and posts
 */
#define ROOM_BYTES	((POSTS_MAX + 3) * ANSWER_BYTES)

static int set_raw(int fd)
{
	struct termios termios;

	if (tcgetattr(fd, &termios) < 0)
		return -errno;
	cfmakeraw(&termios);
	termios.c_cflag |= CLOCAL | CREAD;
	termios.c_cc[VMIN] = 1;
	termios.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &termios) < 0 ? -errno : 0;
}

/**
 * terminal_open() - open a terminal and make it raw
 * @terminal:	set up
 * @path:	of the device
 *
 * Return: 0, or a negative error number; -ENOTTY if it is no terminal.
 */
int terminal_open(struct terminal *terminal, const char *path)
{
	int ret;

	terminal->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (terminal->fd < 0)
		return -errno;
	ret = set_raw(terminal->fd);
	if (ret)
		close(terminal->fd);
	return ret;
}

static bool has_room(const struct terminal *terminal)
{
	return sizeof(terminal->queue) - terminal->queued >= ROOM_BYTES;
}

/**
 * terminal_events() - what to poll for
 * @terminal:	the terminal
 */
short terminal_events(const struct terminal *terminal)
{
	return (short)((has_room(terminal) ? POLLIN : 0) | (terminal->queued ? POLLOUT : 0));
}

static bool is_text(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			return false;
	return true;
}

static void whole_line(struct terminal *terminal, line_function function, void *data)
{
	size_t length = terminal->length;

	terminal->length = 0;
	if (terminal->long_line) {
		terminal->long_line = false;
		terminal_answer(terminal, "error a line is longer than %d bytes", LINE_BYTES - 1);
		return;
	}
	if (length && terminal->line[length - 1] == '\r')
		length--;
	if (!is_text(terminal->line, length)) {
		terminal_answer(terminal, "error a line is not text");
		return;
	}
	terminal->line[length] = '\0';
	function(data, terminal->line);
}

static void take(struct terminal *terminal, char c, line_function function, void *data)
{
	if (c == '\n')
		whole_line(terminal, function, data);
	else if (terminal->length == sizeof(terminal->line) - 1)
		terminal->long_line = true;
	else
		terminal->line[terminal->length++] = c;
}

/**
 * terminal_read() - take what has come
 * @terminal:	the terminal
 * @function:	called with each line
 * @data:	for @function
 *
 * Return: 0, or a negative error number; -EPIPE if there is nobody at the other end.
 */
int terminal_read(struct terminal *terminal, line_function function, void *data)
{
	char c;
	ssize_t got;

	/* One at a time: what there is no room to answer stays where it is */
	while (has_room(terminal)) {
		got = read(terminal->fd, &c, 1);
		if (!got)
			return -EPIPE;
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		take(terminal, c, function, data);
	}
	return 0;
}

/**
 * terminal_write() - write of the answers what goes
 * @terminal:	the terminal
 *
 * Return: 0, or a negative error number.
 */
int terminal_write(struct terminal *terminal)
{
	ssize_t put;

	if (!terminal->queued)
		return 0;
	put = write(terminal->fd, terminal->queue, terminal->queued);
	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	terminal->queued -= (size_t)put;
	memmove(terminal->queue, terminal->queue + put, terminal->queued);
	return 0;
}

/**
 * terminal_answer() - queue a line
 * @terminal:	the terminal
 * @fmt:	as for printf, without newline; cut to ANSWER_BYTES
 */
void terminal_answer(struct terminal *terminal, const char *fmt, ...)
{
	char text[ANSWER_BYTES];
	size_t length;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	strcat(text, "\n");
	length = strlen(text);
	/* There is room: see ROOM_BYTES */
	if (length > sizeof(terminal->queue) - terminal->queued)
		return;
	memcpy(terminal->queue + terminal->queued, text, length);
	terminal->queued += length;
}
