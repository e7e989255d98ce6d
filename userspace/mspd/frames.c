// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include "common/util.h"
#include "frames.h"

static_assert(READER_MAX_IOV + 1 <= CONN_MAX_IOV, "reader's segments");
static_assert(WRITER_IOV <= CONN_MAX_IOV, "writer's segments");

/**
 * reader_init() - make a reader
 * @r: the reader
 * @conn: whose bytes it takes
 * @ops: of the owner
 */
void reader_init(struct reader *r, struct conn *conn, const struct reader_ops *ops)
{
	r->ops = ops;
	r->conn = conn;
	r->got = 0;
	r->in_body = false;
	r->paused = false;
	r->niov = 0;
	r->pos = 0;
}

/**
 * reader_start() - receive; the owner hands results to reader_received()
 * @r: the reader
 *
 * The next header is received with the rest of the body, in one call.
 */
void reader_start(struct reader *r)
{
	struct iovec *next = &r->iov[r->niov];

	if (r->paused)
		return;
	next->iov_base = (char *)&r->header + (r->in_body ? 0 : r->got);
	next->iov_len = sizeof(r->header) - (r->in_body ? 0 : r->got);
	conn_recv(r->conn, &r->iov[r->pos], r->niov - r->pos + 1);
}

/* The kernel's list was consumed by count of bytes only: do the same to ours */
static void advance_body(struct reader *r, size_t bytes)
{
	r->left -= bytes;
	while (bytes) {
		struct iovec *iov = &r->iov[r->pos];
		size_t step = min(bytes, iov->iov_len);

		iov->iov_base = (char *)iov->iov_base + step;
		iov->iov_len -= step;
		bytes -= step;
		if (!iov->iov_len)
			r->pos++;
	}
}

static int finish_frame(struct reader *r)
{
	struct frame frame = r->frame;

	r->in_body = false;
	r->niov = 0;
	r->pos = 0;
	return r->ops->done(r, &frame) ? 0 : -ECANCELED;
}

static int begin_body(struct reader *r)
{
	int ret = r->ops->begin(r, &r->frame);

	if (ret == -EAGAIN) {
		r->paused = true;
		return 0;
	}
	r->paused = false;
	if (ret < 0)
		return -ECANCELED;
	r->got = 0;
	r->niov = (unsigned int)ret;
	r->pos = 0;
	r->left = r->frame.length;
	r->in_body = true;
	return r->left ? 0 : finish_frame(r);
}

/**
 * reader_received() - the connection has received
 * @r: the reader
 * @bytes: how many
 *
 * Return: 0: call reader_start() again; -EBADMSG: @r->error says what is wrong
 * with the peer; -ECANCELED: the owner has ended the connection.
 */
int reader_received(struct reader *r, size_t bytes)
{
	size_t body = 0;
	int ret;

	if (r->in_body) {
		body = min((uint64_t)bytes, r->left);
		advance_body(r, body);
		if (r->left)
			return 0;
		/* The header that follows is in r->header already */
		r->got = 0;
		ret = finish_frame(r);
		if (ret)
			return ret;
	}
	r->got += (unsigned int)(bytes - body);
	if (r->got < sizeof(r->header))
		return 0;
	ret = wire_decode(&r->frame, &r->header, &r->limits, r->error);
	if (ret)
		return ret;
	return begin_body(r);
}

/**
 * reader_resume() - ask again where the body of a frame goes
 * @r: the reader; harmless when it is not paused
 *
 * Return: as reader_received().
 */
int reader_resume(struct reader *r)
{
	int ret;

	if (!r->paused)
		return 0;
	ret = begin_body(r);
	if (!ret)
		reader_start(r);
	return ret;
}

/**
 * writer_init() - make a writer
 * @w: the writer, zeroed
 * @conn: what it sends on; all sends on it are the writer's
 */
void writer_init(struct writer *w, struct conn *conn)
{
	w->conn = conn;
}

/**
 * writer_room() - segments of bodies that a frame may have now
 * @w: the writer
 */
unsigned int writer_room(const struct writer *w)
{
	/* A few frames more always have to fit: answers, the end */
	const unsigned int spare = 32;

	if (w->niov + spare >= WRITER_IOV ||
	    w->used + spare * (sizeof(struct wire_header) + 8) >= WRITER_BYTES)
		return 0;
	return WRITER_IOV - w->niov - spare;
}

static int append(struct writer *w, const void *bytes, size_t length)
{
	struct iovec *last = w->niov ? &w->iov[w->fill][w->niov - 1] : NULL;
	uint8_t *to = w->area[w->fill] + w->used;

	if (!length)
		return 0;
	if (length > WRITER_BYTES - w->used)
		return -ENOBUFS;
	if (last && (uint8_t *)last->iov_base + last->iov_len == to) {
		last->iov_len += length;
	} else {
		if (w->niov == WRITER_IOV)
			return -ENOBUFS;
		w->iov[w->fill][w->niov++] = (struct iovec) { to, length };
	}
	memcpy(to, bytes, length);
	w->used += length;
	return 0;
}

/**
 * writer_frame() - queue a frame with a small body
 * @w: the writer
 * @frame: the frame
 * @body: copied
 *
 * Return: 0, or -ENOBUFS: the peer does not take what was queued before.
 */
int writer_frame(struct writer *w, const struct frame *frame, const void *body)
{
	struct wire_header header;

	if (sizeof(header) + frame->length > WRITER_BYTES - w->used ||
	    w->niov + 2 > WRITER_IOV)
		return -ENOBUFS;
	wire_encode(&header, frame);
	append(w, &header, sizeof(header));
	append(w, body, frame->length);
	w->queued++;
	return 0;
}

/**
 * writer_frame_iov() - queue a frame whose body stays where it is
 * @w: the writer
 * @frame: the frame
 * @iov: the body; the memory stays until @w->sent has reached what @w->queued is
 *	after this call
 * @count: entries, at most writer_room()
 *
 * Return: 0 or -ENOBUFS.
 */
int writer_frame_iov(struct writer *w, const struct frame *frame,
		     const struct iovec *iov, unsigned int count)
{
	struct wire_header header;

	if (sizeof(header) > WRITER_BYTES - w->used ||
	    w->niov + 1 + count > WRITER_IOV)
		return -ENOBUFS;
	wire_encode(&header, frame);
	append(w, &header, sizeof(header));
	memcpy(&w->iov[w->fill][w->niov], iov, count * sizeof(*iov));
	w->niov += count;
	w->queued++;
	return 0;
}

/**
 * writer_flush() - send what is queued, if nothing is being sent
 * @w: the writer
 */
void writer_flush(struct writer *w)
{
	if (!w->conn || !w->niov || conn_sending(w->conn))
		return;
	w->flying = w->queued;
	conn_send(w->conn, w->iov[w->fill], w->niov);
	w->fill = !w->fill;
	w->used = 0;
	w->niov = 0;
}

/**
 * writer_sent() - the connection's send has ended well
 * @w: the writer
 */
void writer_sent(struct writer *w)
{
	w->sent = w->flying;
	writer_flush(w);
}

/**
 * writer_idle() - is nothing queued or being sent?
 * @w: the writer
 */
bool writer_idle(const struct writer *w)
{
	return !w->conn || (!w->niov && !conn_sending(w->conn));
}
