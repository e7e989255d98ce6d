/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The byte order of one session.  Frames of a session travel on several
 * connections and so may begin and end in any order; what comes out of here is
 * in the order of offsets, without gaps.  Pure: it knows positions, not bytes.
 */
#ifndef _ORDER_H
#define _ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_NONE	UINT32_MAX

/**
 * struct order_frame - a frame that has begun to arrive
 * @offset:	position of its first byte
 * @length:	bytes
 * @token:	the caller's
 * @whole:	all of it is here
 * @prev, @next: neighbours by offset, or ORDER_NONE
 */
struct order_frame {
	uint64_t offset;
	uint32_t length;
	uint32_t token;
	bool whole;
	uint32_t prev;
	uint32_t next;
};

/**
 * struct order - frames of one session that are not yet handed on
 * @next:	offset of the next byte to hand on
 * @frames:	table of frames
 * @count:	entries of it
 * @free:	first unused entry
 * @first, @last: frames by offset
 */
struct order {
	uint64_t next;
	struct order_frame *frames;
	uint32_t count;
	uint32_t free;
	uint32_t first;
	uint32_t last;
};

int order_init(struct order *order, uint32_t count);
void order_exit(struct order *order);
int order_grow(struct order *order, uint32_t count);
int64_t order_begin(struct order *order, uint64_t offset, uint32_t length,
		    uint32_t token);
void order_complete(struct order *order, uint32_t frame);
bool order_pop(struct order *order, uint32_t *token);
uint64_t order_end(const struct order *order);

#endif /* _ORDER_H */
