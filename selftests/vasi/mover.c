// SPDX-License-Identifier: GPL-2.0
/*
 * Both movers of a stream in one program, in the simplest way there is: one
 * thread, which donates to either side and passes on what comes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vasi_test.h"

#define MOVE_BUFFERS	16
/* Of a download: what an operation's buffer, and what is fetched beside it, holds */
#define MOVE_OUT_BYTES	(3 * VT_BUFFER_BYTES)
#define MOVE_DONATE_NS	500000
/* Of the whole move */
#define MOVE_PATIENCE_MS	60000

/* Tokens: a download's is its buffer */
#define TOKEN_SIGNAL	0x51674e41
#define TOKEN_MESSAGE	0x4d455353

/* One direction: operations of @from become downloads of @to */
struct way {
	struct vt_session	*from;
	struct vt_session	*to;
	struct vt_pool		*ops;
	struct vt_pool		*downloads;
	struct vasi_io_event	waiting[MOVE_BUFFERS];
	unsigned int		waiting_count;
	bool			busy[MOVE_BUFFERS];
};

static int add_all(struct vt_session *s, struct vt_pool *pool)
{
	struct vasi_io_request requests[MOVE_BUFFERS] = { 0 };
	unsigned int i;
	int taken;

	for (i = 0; i < MOVE_BUFFERS; i++) {
		requests[i].op = VASI_REQ_COMPLETE;
		requests[i].flags = VASI_COMPLETE_ADD;
		requests[i].pool = pool->setup.pool;
		requests[i].index = i;
	}
	for (i = 0; i < MOVE_BUFFERS; i += taken) {
		taken = vt_submit(s->fd, requests + i, MOVE_BUFFERS - i);
		if (taken == -EAGAIN)
			taken = 0;
		if (taken < 0)
			return taken;
	}
	return 0;
}

static int open_side(struct vt_session *s, int dev, uint64_t id, uint32_t service,
		     struct vt_pool *ops, struct vt_pool *downloads)
{
	int err = vt_session_open(s, dev, id, service);

	if (err)
		return err;
	err = vt_pool_setup(s, ops, VT_BUFFER_BYTES, MOVE_BUFFERS);
	if (!err)
		err = vt_pool_setup(s, downloads, MOVE_OUT_BYTES, MOVE_BUFFERS);
	return err ? err : add_all(s, ops);
}

/**
 * vt_move_open() - make a partition and its stream, and open both ends
 * @m:		the move
 * @a:		adapter of system A, the source
 * @b:		adapter of system B
 * @kib:	memory of the partition
 */
int vt_move_open(struct vt_move *m, int a, int b, uint64_t kib)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->source.fd = -1;
	m->target.fd = -1;
	m->suspend_after = 8;
	m->id = vt_ask_number("move %llu", (unsigned long long)kib);
	if (!m->id)
		return -EREMOTEIO;
	err = open_side(&m->source, a, m->id, VASI_SERVICE_SOURCE_MOVER, &m->from, &m->in);
	if (err)
		return err;
	return open_side(&m->target, b, m->id, VASI_SERVICE_TARGET_MOVER, &m->back, &m->out);
}

/* Download what waits, as far as there are buffers */
static int pass_operations(struct way *way)
{
	struct vasi_io_event *event = &way->waiting[0];
	static unsigned char data[MOVE_OUT_BYTES];
	int64_t bytes;
	unsigned int i;
	int taken;

	while (way->waiting_count) {
		for (i = 0; i < MOVE_BUFFERS && way->busy[i]; i++)
			;
		if (i == MOVE_BUFFERS)
			return 0;
		bytes = vt_payload(way->ops, event, data,
				   MOVE_OUT_BYTES - way->downloads->setup.data_offset - 64);
		if (bytes < 0)
			return bytes;
		if ((uint64_t)bytes != event->u.operation.bytes)
			return -EBADMSG;
		if (bytes) {
			taken = vt_download(way->to->fd, way->downloads, i, data, bytes, i);
			if (taken == -EAGAIN)
				return 0;
			if (taken < 0)
				return taken;
			way->busy[i] = true;
		}
		taken = vt_complete(way->from->fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD,
				    event->pool, event->index, event->generation,
				    VASI_SUCCESS);
		if (taken < 0)
			return taken;
		memmove(event, event + 1, --way->waiting_count * sizeof(*event));
	}
	return 0;
}

static int pass_message(struct vt_session *to, uint64_t message)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_MESSAGE,
		.token = TOKEN_MESSAGE,
		.u.message = message,
	};
	int taken = vt_submit(to->fd, &request, 1);

	return taken < 0 ? taken : 0;
}

/* @own: operations of this session; @other: its downloads */
static int handle(struct vt_move *m, struct way *own, struct way *other,
		  uint32_t *state, const struct vasi_io_event *event)
{
	switch (event->type) {
	case VASI_EVT_OPERATION:
		if (own->waiting_count == MOVE_BUFFERS)
			return -EOVERFLOW;
		own->waiting[own->waiting_count++] = *event;
		if (own->from == &m->source) {
			m->operations++;
			m->bytes += event->u.operation.bytes;
		}
		return 0;
	case VASI_EVT_DOWNLOADED:
		if (event->token >= MOVE_BUFFERS || !other->busy[event->token])
			return -EBADMSG;
		other->busy[event->token] = false;
		return event->status ? -EREMOTEIO : 0;
	case VASI_EVT_STATE:
		*state = event->u.state.state;
		return 0;
	case VASI_EVT_MESSAGE:
		return pass_message(own->to, event->u.message);
	case VASI_EVT_MESSAGED:
	case VASI_EVT_SIGNALLED:
		return event->status ? -EREMOTEIO : 0;
	default:
		return -EPROTO;
	}
}

static int serve(struct vt_move *m, struct way *own, struct way *other, uint32_t *state)
{
	struct vasi_io_event events[8];
	int64_t rc;
	int err, i, got;

	err = vt_donate(own->from->fd, MOVE_DONATE_NS, &rc);
	if (err < 0)
		return err;
	do {
		got = vt_fetch(own->from->fd, events, 8);
		for (i = 0; i < got; i++) {
			err = handle(m, own, other, state, &events[i]);
			if (err)
				return err;
		}
	} while (got == 8);
	return got < 0 ? got : pass_operations(own);
}

static bool final(uint32_t state)
{
	return state == VASI_STATE_COMPLETED || state == VASI_STATE_ABORTED;
}

/* Until both streams are final */
int vt_move_run(struct vt_move *m)
{
	struct way forth = { &m->source, &m->target, &m->from, &m->out };
	struct way back = { &m->target, &m->source, &m->back, &m->in };
	long deadline = vt_now_ms() + MOVE_PATIENCE_MS;
	bool suspended = false;
	int err = 0;

	while (!err && !(final(m->source_state) && final(m->target_state))) {
		if (vt_now_ms() > deadline)
			return -ETIME;
		err = serve(m, &forth, &back, &m->source_state);
		if (!err)
			err = serve(m, &back, &forth, &m->target_state);
		if (!err && !suspended && m->operations >= m->suspend_after) {
			err = vt_signal(m->source.fd, VASI_SIGNAL_SUSPEND, 0, TOKEN_SIGNAL);
			err = err < 0 ? err : 0;
			suspended = true;
		}
	}
	return err;
}

void vt_move_close(struct vt_move *m)
{
	vt_pool_unmap(&m->from);
	vt_pool_unmap(&m->in);
	vt_pool_unmap(&m->back);
	vt_pool_unmap(&m->out);
	if (m->source.fd >= 0)
		close(m->source.fd);
	if (m->target.fd >= 0)
		close(m->target.fd);
	vt_ask(NULL, "end %llx", (unsigned long long)m->id);
}
