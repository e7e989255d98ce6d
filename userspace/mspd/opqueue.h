/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a platform wants sent on one session: its filled buffers, in order, as
 * one byte stream.  Pieces of the stream are cut off for sending and point
 * into the buffers (or the partition's memory); a buffer is given back to the
 * platform only when the peer has acknowledged its last byte and the kernel
 * has let go of all of it.
 */
#ifndef _OPQUEUE_H
#define _OPQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <libvasi/vasi.h>

/**
 * struct op - one filled buffer
 * @index:	of the buffer in its pool
 * @segments:	iovecs it needs at most
 * @sending:	sends under way that name its memory
 * @bytes:	of stream data
 * @end:	offset in the session after its last byte
 */
struct op {
	uint32_t index;
	uint32_t segments;
	uint32_t sending;
	uint64_t bytes;
	uint64_t end;
};

/**
 * struct op_span - the operations that a piece was cut from
 * @first:	sequence number of the first one
 * @last:	of the last one
 */
struct op_span {
	uint64_t first;
	uint64_t last;
};

/**
 * struct opqueue - operations of one session
 * @session:	libvasi's
 * @pool:	of the buffers
 * @buffers:	in the pool
 * @want:	buffers that should be with the platform or in the queue
 * @posted:	buffers that are with the platform
 * @idle:	buffers that are nowhere: indices
 * @nidle:	how many
 * @ops:	ring of @buffers entries; entry of sequence number n is n modulo that
 * @head:	sequence number of the oldest operation not answered
 * @cut:	of the first one that is not wholly cut
 * @tail:	of the next one to come
 * @iov:	pieces of operation @cut
 * @max_iov:	entries of it
 * @niov:	entries in use; 0: not looked up yet
 * @pos:	first entry not wholly cut; its iov_base and iov_len say what is left
 * @queued_end:	offset after the last byte in the queue
 * @cut_end:	offset after the last byte that was cut off
 * @acked:	offset up to which the peer has acknowledged
 */
struct opqueue {
	struct vasi_session *session;
	uint16_t pool;
	uint32_t buffers;
	uint32_t want;
	uint32_t posted;
	uint32_t *idle;
	uint32_t nidle;
	struct op *ops;
	uint64_t head;
	uint64_t cut;
	uint64_t tail;
	struct iovec *iov;
	unsigned int max_iov;
	unsigned int niov;
	unsigned int pos;
	uint64_t queued_end;
	uint64_t cut_end;
	uint64_t acked;
};

int opqueue_init(struct opqueue *q, struct vasi_session *session,
		 uint32_t buffer_bytes, uint32_t buffers, uint32_t fetch_bytes);
void opqueue_exit(struct opqueue *q);
int opqueue_post(struct opqueue *q);
int opqueue_add(struct opqueue *q, const struct vasi_event *event);
int opqueue_cut(struct opqueue *q, uint64_t most, struct iovec *iov,
		unsigned int max_iov, uint64_t *bytes, struct op_span *span);
void opqueue_sent(struct opqueue *q, const struct op_span *span);
int opqueue_ack(struct opqueue *q, uint64_t offset);
int opqueue_answer(struct opqueue *q);

/* Bytes that are not cut off yet */
static inline uint64_t opqueue_ready(const struct opqueue *q)
{
	return q->queued_end - q->cut_end;
}

/* Bytes that the peer has not acknowledged */
static inline uint64_t opqueue_unacked(const struct opqueue *q)
{
	return q->queued_end - q->acked;
}

#endif /* _OPQUEUE_H */
