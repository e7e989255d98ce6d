/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames on a connection: a reader that takes a connection's bytes apart and
 * receives bodies where their owner wants them, and a writer that queues small
 * frames.
 */
#ifndef _FRAMES_H
#define _FRAMES_H

#include "conn.h"
#include "wire.h"

/* Segments of one frame's body */
#define READER_MAX_IOV		256

struct reader;

/**
 * struct reader_ops - what the owner of a reader is asked and told
 * @begin:	a frame's header is here and valid.  Sets where the body goes:
 *		fills @reader->iov and returns the number of entries (their bytes
 *		add up to the length); 0 where there is no body; -EAGAIN: not now,
 *		reader_resume() goes on; other negative values: the owner has
 *		ended the connection.
 * @done:	all of the frame is here; false: the owner has ended the connection
 */
struct reader_ops {
	int (*begin)(struct reader *reader, const struct frame *frame);
	bool (*done)(struct reader *reader, const struct frame *frame);
};

/**
 * struct reader - takes frames off a connection
 * @ops:	of the owner
 * @limits:	what frames are held against; the owner may change them
 * @conn:	the connection
 * @header:	the frame's header, @got bytes of it are here
 * @frame:	the frame, once the header is whole
 * @left:	bytes of the body to come
 * @in_body:	the header is whole
 * @paused:	@begin said -EAGAIN
 * @iov:	where the body goes (the rest of it from @pos), and the next header
 * @niov:	entries for the body
 * @error:	why reader_received() failed
 */
struct reader {
	const struct reader_ops *ops;
	struct wire_limits limits;
	struct conn *conn;
	struct wire_header header;
	unsigned int got;
	struct frame frame;
	uint64_t left;
	bool in_body;
	bool paused;
	struct iovec iov[READER_MAX_IOV + 1];
	unsigned int niov;
	unsigned int pos;
	char error[WIRE_ERROR_BYTES];
};

void reader_init(struct reader *r, struct conn *conn, const struct reader_ops *ops);
void reader_start(struct reader *r);
int reader_received(struct reader *r, size_t bytes);
int reader_resume(struct reader *r);

#define WRITER_BYTES	16384
#define WRITER_IOV	256

/**
 * struct writer - frames to be sent on a connection
 * @conn:	the connection
 * @area:	headers and small bodies: one half is being sent, the other filled
 * @iov:	likewise
 * @used:	bytes of the half that is being filled
 * @niov:	entries of it
 * @fill:	which half that is
 * @queued:	frames queued so far
 * @flying:	frames that are with the kernel once the current send has ended
 * @sent:	frames that are with the kernel
 */
struct writer {
	struct conn *conn;
	uint8_t area[2][WRITER_BYTES];
	struct iovec iov[2][WRITER_IOV];
	size_t used;
	unsigned int niov;
	unsigned int fill;
	uint64_t queued;
	uint64_t flying;
	uint64_t sent;
};

void writer_init(struct writer *w, struct conn *conn);
unsigned int writer_room(const struct writer *w);
int writer_frame(struct writer *w, const struct frame *frame, const void *body);
int writer_frame_iov(struct writer *w, const struct frame *frame,
		     const struct iovec *iov, unsigned int count);
void writer_flush(struct writer *w);
void writer_sent(struct writer *w);
bool writer_idle(const struct writer *w);

#endif /* _FRAMES_H */
