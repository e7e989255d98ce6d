/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What arrives from the peer for one session: frames are received straight into
 * download buffers, handed to the platform in the order of the session's bytes,
 * and acknowledged when the platform has taken them.
 *
 * Who owns a buffer: FREE (nobody), ARRIVING (a connection receives into it, or
 * it waits for bytes before it), DOWNLOAD (the platform), DONE (taken, but one
 * before it is not).
 */
#ifndef _INTAKE_H
#define _INTAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <libvasi/vasi.h>
#include "order.h"

enum inbuf_state {
	INBUF_FREE,
	INBUF_ARRIVING,
	INBUF_DOWNLOAD,
	INBUF_DONE,
};

/**
 * struct inbuf - a download buffer
 * @state:	who owns it
 * @pool:	libvasi's pool
 * @index:	index in the pool
 * @bytes:	of stream in it
 * @next:	next buffer of the free list, of the frame, or in download order
 */
struct inbuf {
	enum inbuf_state state;
	uint16_t pool;
	uint32_t index;
	uint32_t bytes;
	uint32_t next;
};

#define INTAKE_MAX_POOLS	16

/**
 * struct intake - of one session
 * @session:	libvasi's
 * @indirect:	download in indirect form
 * @buffer_bytes: of each buffer
 * @charge:	stream bytes that a buffer holds
 * @buffers:	table
 * @count:	entries
 * @pools:	number of libvasi's pools
 * @free:	first free one
 * @nfree:	how many are free
 * @order:	frames by offset; token = first buffer of the frame
 * @charged:	credit used by frames that have come
 * @limit:	credit granted so far
 * @told_limit:	as the peer knows it
 * @taken:	offset up to which the platform has taken everything
 * @told_taken:	as the peer knows it
 * @down_first, @down_last: buffers handed to the platform, in order
 * @downloading: how many
 */
struct intake {
	struct vasi_session *session;
	bool indirect;
	uint32_t buffer_bytes;
	uint32_t charge;
	struct inbuf *buffers;
	uint32_t count;
	unsigned int pools;
	uint32_t free;
	uint32_t nfree;
	struct order order;
	uint64_t charged;
	uint64_t limit;
	uint64_t told_limit;
	uint64_t taken;
	uint64_t told_taken;
	uint32_t down_first;
	uint32_t down_last;
	uint32_t downloading;
};

int intake_init(struct intake *in, struct vasi_session *session,
		uint32_t buffer_bytes, uint32_t count, bool indirect);
void intake_exit(struct intake *in);
int intake_grow(struct intake *in, uint32_t count);
int intake_begin(struct intake *in, uint64_t offset, uint32_t length,
		 struct iovec *iov, unsigned int max_iov, uint32_t *frame);
int intake_complete(struct intake *in, uint32_t frame);
int intake_downloaded(struct intake *in, const struct vasi_event *event);
bool intake_ack_due(const struct intake *in);

#endif /* _INTAKE_H */
