/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames out of a stream of bytes: each has its length before it, four bytes, big-endian.
 */
#ifndef _VSWITCH_STREAM_H
#define _VSWITCH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_LENGTH_BYTES	4u
/* What QEMU takes at most (its NET_BUFSIZE) */
#define STREAM_MAX_FRAME	(4096 + 65536)
/* One frame of any size, and most often many */
#define STREAM_BYTES		(2 * (STREAM_LENGTH_BYTES + STREAM_MAX_FRAME))

/**
 * struct stream - bytes that came and were not taken
 * @at:		where they begin
 * @end:	and end
 * @data:	where they are
 */
struct stream {
	size_t at;
	size_t end;
	uint8_t data[STREAM_BYTES];
};

uint8_t *stream_room(struct stream *s, size_t *room);
void stream_came(struct stream *s, size_t bytes);
int stream_next(struct stream *s, const uint8_t **frame, uint32_t *bytes);

#endif /* _VSWITCH_STREAM_H */
