/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ciphertext of a connection on its way between its socket and who makes or
 * takes it apart.
 */
#ifndef _BUFFER_H
#define _BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What one receive or send of the socket carries at most */
#define BUFFER_BYTES	(256u << 10)

/**
 * struct buffer - bytes in a row
 * @data:	BUFFER_BYTES
 * @head:	first byte that is not used yet
 * @tail:	after the last one
 */
struct buffer {
	uint8_t *data;
	size_t head;
	size_t tail;
};

static inline int buffer_init(struct buffer *b)
{
	*b = (struct buffer) { .data = malloc(BUFFER_BYTES) };
	return b->data ? 0 : -1;
}

static inline void buffer_exit(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer) { };
}

static inline size_t buffer_used(const struct buffer *b)
{
	return b->tail - b->head;
}

static inline size_t buffer_room(const struct buffer *b)
{
	return BUFFER_BYTES - b->tail;
}

/* Drop bytes from the front */
static inline void buffer_drop(struct buffer *b, size_t bytes)
{
	b->head += bytes;
	if (b->head < b->tail)
		return;
	b->head = 0;
	b->tail = 0;
}

/* Make room at the end */
static inline void buffer_compact(struct buffer *b)
{
	if (!b->head)
		return;
	memmove(b->data, b->data + b->head, buffer_used(b));
	b->tail -= b->head;
	b->head = 0;
}

#endif /* _BUFFER_H */
