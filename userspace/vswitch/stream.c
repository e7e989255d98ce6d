// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames out of a stream of bytes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "vswitch/stream.h"
#include "vswitch/table.h"

/**
 * stream_room() - where the next bytes may go
 * @s:		the stream; frames that were taken from it are overwritten
 * @room:	set: how many; never 0 after stream_next() returned 0
 */
uint8_t *stream_room(struct stream *s, size_t *room)
{
	s->end -= s->at;
	memmove(s->data, s->data + s->at, s->end);
	s->at = 0;
	*room = sizeof(s->data) - s->end;
	return s->data + s->end;
}

/**
 * stream_came() - bytes are there
 * @s:		the stream
 * @bytes:	how many, at most what stream_room() said
 */
void stream_came(struct stream *s, size_t bytes)
{
	s->end += bytes;
}

/**
 * stream_next() - take a frame
 * @s:		the stream
 * @frame:	set to the frame, which stays until stream_room() is called
 * @bytes:	set to its length, also if that is wrong
 *
 * Return: 1; 0: the next one is not whole yet; -EBADMSG: its length is wrong, and nobody
 * knows where another one begins.
 */
int stream_next(struct stream *s, const uint8_t **frame, uint32_t *bytes)
{
	size_t left = s->end - s->at;

	if (left < STREAM_LENGTH_BYTES)
		return 0;
	memcpy(bytes, s->data + s->at, STREAM_LENGTH_BYTES);
	*bytes = ntohl(*bytes);
	if (*bytes < VSWITCH_MIN_FRAME || *bytes > STREAM_MAX_FRAME)
		return -EBADMSG;
	if (left - STREAM_LENGTH_BYTES < *bytes)
		return 0;
	*frame = s->data + s->at + STREAM_LENGTH_BYTES;
	s->at += STREAM_LENGTH_BYTES + *bytes;
	return 1;
}
