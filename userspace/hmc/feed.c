// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines that come through a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hmc/feed.h"

/**
 * feed_open() - make a pipe
 * @feed:	its reading end
 * @writer:	its writing end; the caller's
 *
 * Return: 0 or a negative errno.
 */
int feed_open(struct feed *feed, int *writer)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	feed->fd = ends[0];
	feed->used = 0;
	*writer = ends[1];
	return 0;
}

void feed_close(struct feed *feed)
{
	if (feed->fd >= 0)
		close(feed->fd);
	feed->fd = -1;
}

static void take_lines(struct feed *feed, bool all, void (*take)(void *data, char *line),
		       void *data)
{
	char *line = feed->text, *end;

	feed->text[feed->used] = '\0';
	while ((end = memchr(line, '\n', feed->used - (size_t)(line - feed->text)))) {
		*end = '\0';
		take(data, line);
		line = end + 1;
	}
	feed->used -= (size_t)(line - feed->text);
	memmove(feed->text, line, feed->used + 1);
	if (feed->used && (all || feed->used == FEED_BYTES)) {
		take(data, feed->text);
		feed->used = 0;
	}
}

/**
 * feed_read() - take what has come, and close it at its end
 * @feed:	the pipe
 * @take:	called with each line, without its newline
 * @data:	for @take
 */
void feed_read(struct feed *feed, void (*take)(void *data, char *line), void *data)
{
	ssize_t got;

	if (feed->fd < 0)
		return;
	for (;;) {
		got = read(feed->fd, feed->text + feed->used, FEED_BYTES - feed->used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		feed->used += (size_t)got;
		take_lines(feed, false, take, data);
	}
	if (got < 0 && errno == EAGAIN)
		return;
	take_lines(feed, true, take, data);
	feed_close(feed);
}
