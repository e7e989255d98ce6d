/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines that come through a pipe.
 */
#ifndef _HMC_FEED_H
#define _HMC_FEED_H

#include <stdbool.h>
#include <stddef.h>

#define FEED_BYTES	8192		/* of a line; a longer one comes in pieces */

/**
 * struct feed - the reading end of a pipe
 * @fd:		the pipe, or -1
 * @used:	bytes that are no line yet
 * @text:	these
 */
struct feed {
	int fd;
	size_t used;
	char text[FEED_BYTES + 1];
};

int feed_open(struct feed *feed, int *writer);
void feed_read(struct feed *feed, void (*take)(void *data, char *line), void *data);
void feed_close(struct feed *feed);

#endif /* _HMC_FEED_H */
