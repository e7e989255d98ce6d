// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The source mover: connects, takes the platform's operations and sends them
 * from where they lie, as far as credit and the bandwidth limit allow, and
 * decides when to suspend.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "device.h"
#include "mover.h"
#include "vasi_codec.h"

/* Reverse data comes in small frames: buffers that hold one each */
#define REVERSE_BUFFER_BYTES	(WIRE_MAX_REVERSE + 4096)
#define REVERSE_BUFFERS		8
/* Buffers for operations where these are immediate, and where they are not */
#define IMMEDIATE_BYTES		(256 << 10)
#define INDIRECT_BYTES		(16 << 10)
/* Most indirect data of one operation, where they have to be fetched */
#define FETCH_BYTES		(1 << 20)
#define FRAME_BYTES		BATCH_BYTES
/* Operations that a session has under way at least; it starts with them */
#define LEAST_OPS		2
/*
 * With fewer of them waiting to be sent, buffers that the platform gets back are
 * worth calling it at once; with more its donors come round in time.
 */
#define QUEUED_OPS		4
/* What may queue here beyond a round trip: the longer, the older the data */
#define QUEUE_NS		(30 * NSEC_PER_MSEC)
#define ADAPT_NS		(30 * NSEC_PER_MSEC)
#define PROGRESS_NS		(50 * NSEC_PER_MSEC)
#define PROGRESS_SOON_NS	(10 * NSEC_PER_MSEC)
#define PROGRESS_IDLE_NS	(2 * NSEC_PER_MSEC)

/* ---- connecting ---- */

static void connect_link(struct move *m, enum link_kind kind, unsigned int index)
{
	struct link *link;
	struct conn *conn;
	int err;

	conn = conn_connect(m->worker, &m->params.address, m->identity, &link_handler,
			    NULL, &err);
	if (!conn) {
		move_lost(m, WIRE_CODE_LOST, "connect to %s: %s", m->status.peer,
			  strerror(-err));
		return;
	}
	link = link_new(m, conn, kind);
	if (!link) {
		conn_set_handler(conn, &stray_handler, NULL);
		conn_close(conn);
		move_lost(m, WIRE_CODE_RESOURCES, "out of memory");
		return;
	}
	if (kind != LINK_DATA)
		return;
	link->index = index;
	link->batch = calloc(1, sizeof(*link->batch));
	m->data[index] = link;
	if (!link->batch)
		move_lost(m, WIRE_CODE_RESOURCES, "out of memory");
}

/* The total, before any cycle is donated (LoPAR, "Progress") */
static void ask_progress(struct move *m, uint64_t now)
{
	if (m->progress_asked)
		return;
	if (vasi_progress(m->sessions[0].vasi, TOKEN_PROGRESS))
		return;
	m->progress_asked = true;
	m->next_progress_ns = now + PROGRESS_NS;
}

static void first_opened(struct move *m)
{
	uint64_t now = now_ns();

	command_done(m->starting, NULL);
	m->starting = NULL;
	ask_progress(m, now);
	move_set_phase(m, PHASE_CONNECTING);
	m->connect_deadline_ns = now + m->config->peer_timeout_s * NSEC_PER_SEC;
	connect_link(m, LINK_CONTROL, 0);
}

static int set_up_session(struct move *m, struct session *s)
{
	const struct config *config = m->config;
	uint32_t bytes = config->op_buffer_bytes;
	int ret;

	if (!bytes)
		bytes = m->device->indirect ? INDIRECT_BYTES : IMMEDIATE_BYTES;
	ret = opqueue_init(&s->out, s->vasi, bytes, config->op_buffers,
			   device_fetches(m->device) ? FETCH_BYTES : 0);
	if (ret)
		return ret;
	s->out.want = min(config->op_buffers, (uint32_t)LEAST_OPS);
	s->out_ready = true;
	ret = intake_init(&s->in, s->vasi, REVERSE_BUFFER_BYTES, REVERSE_BUFFERS,
			  config->indirect_download);
	if (ret)
		return ret;
	s->in_ready = true;
	credit_init(&s->credit, m->agreed.charge, m->agreed.credit);
	m->status.buffer_bytes += (uint64_t)bytes * config->op_buffers +
				  REVERSE_BUFFER_BYTES * REVERSE_BUFFERS;
	return 0;
}

/* All sessions are open: buffers, and the data connections */
static void sessions_ready(struct move *m)
{
	int ret;

	for (unsigned int i = 0; i < m->nsessions; i++) {
		ret = set_up_session(m, &m->sessions[i]);
		if (ret) {
			move_lost(m, WIRE_CODE_RESOURCES,
				  "session %u: buffers: %s (pane_bytes is %" PRIu64 ")",
				  i, strerror(-ret), m->config->pane_bytes);
			return;
		}
	}
	m->connections = m->agreed.connections;
	for (unsigned int c = 0; c < m->connections && !m->ending; c++)
		connect_link(m, LINK_DATA, c);
}

/**
 * source_opened() - a session is open
 * @m: the move
 * @s: the session
 */
void source_opened(struct move *m, struct session *s)
{
	if (!m->agreed.sessions) {
		if (!s->index)
			first_opened(m);
		return;
	}
	if (m->nsessions == m->agreed.sessions && move_all_open(m))
		sessions_ready(m);
}

static void send_hello(struct link *link)
{
	struct move *m = link->move;
	const struct frame frame = {
		.type = WIRE_HELLO, .length = sizeof(struct wire_hello),
	};
	struct wire_hello body;

	m->hello = (struct hello) {
		.major = WIRE_MAJOR,
		.minor = WIRE_MINOR,
		.encrypted = m->config->encrypt_data,
		.features = move_features(link),
		.stream_id = m->params.stream_id,
		.sessions = (uint16_t)m->max_sessions,
		.connections = (uint16_t)(m->params.connections ? :
					  m->config->connections),
		.max_frame = FRAME_BYTES,
	};
	wire_hello_encode(&body, &m->hello);
	link_send(link, &frame, &body);
}

static void send_attach(struct link *link)
{
	const struct frame frame = {
		.type = WIRE_ATTACH, .length = WIRE_TOKEN_BYTES,
		.argument = link->index,
	};

	link_send(link, &frame, link->move->tokens[link->index]);
}

/**
 * source_connected() - a connection to the peer is there
 * @link: it
 */
void source_connected(struct link *link)
{
	if (link->kind == LINK_CONTROL) {
		link_set_control(link->move, link);
		send_hello(link);
	} else {
		send_attach(link);
	}
}

static bool accepted(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;
	struct wire_accept body;
	char error[WIRE_ERROR_BYTES];
	int ret;

	if (m->agreed.sessions) {
		move_broken(m, "peer %s sent ACCEPT again",
			    m->status.peer);
		return true;
	}
	memcpy(&body, link->body, sizeof(body));
	ret = wire_accept_decode(&m->agreed, &body, &m->hello, error);
	if (!ret && frame->length != sizeof(body) +
	    m->agreed.connections * WIRE_TOKEN_BYTES) {
		snprintf(error, sizeof(error), "ACCEPT: length is %" PRIu32
			 " with %u connections", frame->length, m->agreed.connections);
		ret = -EBADMSG;
	}
	if (ret) {
		m->agreed.sessions = 0;
		move_broken(m, "peer %s: %s", m->status.peer, error);
		return true;
	}
	memcpy(m->tokens, link->body + sizeof(body),
	       m->agreed.connections * WIRE_TOKEN_BYTES);
	link->reader.limits.sessions = m->agreed.sessions;
	link_send_early(m);
	while (m->nsessions < m->agreed.sessions) {
		ret = move_open_session(m);
		if (ret) {
			move_lost(m, WIRE_CODE_LOST, "open: %s", strerror(-ret));
			return true;
		}
	}
	if (move_all_open(m))
		sessions_ready(m);
	return true;
}

static void send_suspend(struct move *m)
{
	m->suspend_sent = true;
	move_signal(m, VASI_SIGNAL_SUSPEND, 0, TOKEN_SUSPEND);
}

static void suspend(struct move *m, enum policy_reason reason)
{
	if (reason == POLICY_WAIT || m->suspend_sent ||
	    m->state != VASI_STATE_ENABLED)
		return;
	log_info("stream %016" PRIx64 ": suspend in pass %u: %s; %" PRIu64
		 " bytes left, %.0f bytes/s, dirtied at %.0f bytes/s",
		 m->params.stream_id, m->policy.pass, policy_reason_text(reason),
		 m->policy.last.left, m->policy.rate, m->policy.dirty_rate);
	send_suspend(m);
}

/* Everything is there, and the total is known: let the platform begin */
static void begin_if_ready(struct move *m)
{
	struct policy_sample sample = { .now_ns = now_ns(), .left = m->status.total };
	int ret;

	if (!m->total_known || !m->connections || m->attached < m->connections)
		return;
	m->connect_deadline_ns = 0;
	ret = move_begin(m);
	if (ret) {
		move_lost(m, WIRE_CODE_LOST, "begin: %s", strerror(-ret));
		return;
	}
	suspend(m, policy_sample(&m->policy, &sample));
}

static bool attached(struct link *link)
{
	struct move *m = link->move;

	if (link->attached) {
		move_broken(m, "peer %s sent ATTACHED again",
			    m->status.peer);
		return true;
	}
	if (!link_data_cipher(link))
		return false;
	link->attached = true;
	m->attached++;
	begin_if_ready(m);
	return true;
}

/* ---- sending ---- */

static bool has_work(const struct session *s)
{
	return s->out.cut < s->out.tail;
}

/* One more frame of a session; 0 when there is none, or no credit for it */
static int add_frame(struct move *m, struct batch *b, struct session *s,
		     unsigned int *niov, uint64_t most)
{
	struct iovec *iov = &b->iov[*niov];
	struct frame frame = { .type = WIRE_DATA, .session = (uint16_t)s->index };
	uint64_t bytes;
	int count;

	most = min(most, min(credit_room(&s->credit), (uint64_t)m->agreed.max_frame));
	if (!most)
		return 0;
	count = opqueue_cut(&s->out, most, iov + 1, CONN_MAX_IOV - *niov - 1, &bytes,
			    &b->span[b->frames]);
	if (count < 0)
		return count;
	if (!bytes)
		return 0;
	frame.length = (uint32_t)bytes;
	frame.offset = s->out.cut_end - bytes;
	credit_take(&s->credit, frame.length);
	limit_take(&m->limit, bytes);
	wire_encode(&b->headers[b->frames], &frame);
	iov[0] = (struct iovec) { &b->headers[b->frames], sizeof(b->headers[0]) };
	b->session[b->frames++] = s;
	*niov += (unsigned int)count + 1;
	return (int)bytes;
}

/* Frames of the sessions of a connection in turn, until the batch is full */
static int fill(struct link *link, unsigned int *niov)
{
	struct move *m = link->move;
	struct batch *b = link->batch;
	uint64_t bytes = 0;
	unsigned int idle = 0;
	int ret;

	*niov = 0;
	while (idle < m->nsessions && bytes < BATCH_BYTES && b->frames < BATCH_FRAMES &&
	       *niov + 2 <= CONN_MAX_IOV && !limit_wait_ns(&m->limit, now_ns())) {
		struct session *s = &m->sessions[link->next_session];

		link->next_session = (link->next_session + 1) % m->nsessions;
		idle++;
		if (!move_uses(m, s->index, link->index) || !has_work(s))
			continue;
		ret = add_frame(m, b, s, niov, min(BATCH_BYTES - bytes,
						   limit_frame(&m->limit)));
		if (ret < 0)
			return ret;
		if (ret)
			idle = 0;
		bytes += (uint64_t)ret;
	}
	return 0;
}

/* Send what may be sent on this connection; returns whether there was any */
static bool pump(struct link *link)
{
	struct move *m = link->move;
	unsigned int niov;
	int ret;

	if (!link->attached || link->send_failed || link->closing ||
	    conn_sending(link->conn))
		return false;
	link->batch->frames = 0;
	ret = fill(link, &niov);
	if (niov) {
		link->batch->active = true;
		conn_send(link->conn, link->batch->iov, niov);
	}
	if (ret < 0)
		move_abort(m, move_reason(m), "the platform's operation: %s",
			   strerror(-ret));
	return niov > 0;
}

/**
 * source_batch_sent() - the kernel has let go of a batch
 * @link: its connection
 * @err: 0, or negative errno
 */
void source_batch_sent(struct link *link, int err)
{
	struct batch *b = link->batch;

	b->active = false;
	for (unsigned int i = 0; i < b->frames; i++)
		opqueue_sent(&b->session[i]->out, &b->span[i]);
	b->frames = 0;
	/* The receiving side of the connection, and the control connection, tell */
	if (err && !link->closing && !link->move->data_lost_ns)
		link->move->data_lost_ns = now_ns();
	if (err)
		link->send_failed = true;
}

/* ---- receiving ---- */

/**
 * source_begin() - reverse data begins to arrive
 * @link: the control connection
 * @frame: REVERSE
 *
 * Return: as reader_ops.begin.
 */
int source_begin(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;
	struct session *s = &m->sessions[frame->session];
	int ret;

	if (!s->in_ready) {
		move_broken(m, "REVERSE before the sessions are attached");
		return -ECANCELED;
	}
	if (frame->offset != order_end(&s->in.order)) {
		move_broken(m, "REVERSE: session %u: offset is %" PRIu64
			    ", expected %" PRIu64, s->index, frame->offset,
			    order_end(&s->in.order));
		return -ECANCELED;
	}
	ret = intake_begin(&s->in, frame->offset, frame->length, link->reader.iov,
			   READER_MAX_IOV, &link->frame);
	/* There is no credit in this direction: the connection waits */
	if (ret == -ENOBUFS)
		return -EAGAIN;
	if (ret < 0) {
		move_broken(m, "REVERSE: session %u: %s", s->index,
			    strerror(-ret));
		return -ECANCELED;
	}
	link->session = s;
	return ret;
}

static bool acknowledged(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;
	struct session *s = &m->sessions[frame->session];
	uint64_t before = s->out.acked;

	if (opqueue_ack(&s->out, frame->offset)) {
		move_broken(m, "ACK: session %u: offset is %" PRIu64
			    ", allowed are %" PRIu64 " to %" PRIu64, s->index,
			    frame->offset, s->out.acked, s->out.cut_end);
		return true;
	}
	if (credit_grant(&s->credit, frame->argument)) {
		move_broken(m, "ACK: session %u: limit %" PRIu64
			    " is less than %" PRIu64 ", granted before", s->index,
			    frame->argument, s->credit.limit);
		return true;
	}
	m->status.transmitted += s->out.acked - before;
	return true;
}

/**
 * source_done() - a frame that only a source mover gets is here
 * @link: the connection
 * @frame: the frame
 *
 * Return: as reader_ops.done.
 */
bool source_done(struct link *link, const struct frame *frame)
{
	switch (frame->type) {
	case WIRE_ACCEPT:
		return accepted(link, frame);
	case WIRE_ATTACHED:
		return attached(link);
	case WIRE_ACK:
		return acknowledged(link, frame);
	case WIRE_REVERSE:
		link_intake_done(link);
		return true;
	default:
		return true;
	}
}

/* ---- turns and ticks ---- */

static uint64_t unacked(const struct move *m)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < m->nsessions; i++)
		bytes += opqueue_unacked(&m->sessions[i].out);
	return bytes;
}

/**
 * source_progress() - the platform has said what is left
 * @m: the move
 * @event: VASI_EV_PROGRESS
 */
void source_progress(struct move *m, const struct vasi_event *event)
{
	struct policy_sample sample = {
		.now_ns = now_ns(),
		.sent = m->status.transmitted,
		.left = event->bytes + unacked(m),
	};

	m->progress_asked = false;
	if (event->status != VASI_SUCCESS) {
		if (!m->total_known)
			move_lost(m, WIRE_CODE_LOST, "progress: %s",
				  vasi_status_name(event->status));
		return;
	}
	m->status.remaining = sample.left;
	if (!m->total_known) {
		m->total_known = true;
		m->status.total = event->bytes;
		begin_if_ready(m);
		return;
	}
	if (!m->policy.begun || m->state > VASI_STATE_SUSPENDING)
		return;
	if (m->state == VASI_STATE_ENABLED)
		suspend(m, policy_sample(&m->policy, &sample));
	m->status.pass = m->policy.pass;
	m->status.dirty_rate = (uint64_t)m->policy.dirty_rate;
}

/* What keeps us from sending more, at this moment */
static enum move_bound bound_now(struct move *m)
{
	bool sending = false;
	bool work = false;
	bool credit = false;

	for (unsigned int c = 0; c < m->connections; c++)
		sending |= m->data[c] && conn_sending(m->data[c]->conn);
	if (sending)
		return BOUND_LINK;
	for (unsigned int i = 0; i < m->nsessions; i++) {
		if (!has_work(&m->sessions[i]))
			continue;
		work = true;
		credit |= credit_room(&m->sessions[i].credit) != 0;
	}
	if (!work)
		return BOUND_SOURCE;
	if (!credit)
		return m->target_busy ? BOUND_TARGET : BOUND_CREDIT;
	return m->limit.rate ? BOUND_LIMIT : BOUND_LINK;
}

static void account_bound(struct move *m)
{
	uint64_t now = now_ns();

	m->status.bound_ns[m->bound] += now - m->bound_since_ns;
	m->bound_since_ns = now;
	m->bound = bound_now(m);
}

/* Was Progress asked for longer ago than this? */
static bool progress_due(const struct move *m, uint64_t now, uint64_t interval_ns)
{
	return now + PROGRESS_NS >= m->next_progress_ns + interval_ns;
}

/*
 * The target has all that the platform has given: a pass may be over, and it is
 * not worth waiting for the next tick to hear that nothing is left.
 */
static void ask_when_idle(struct move *m)
{
	uint64_t now;

	if (m->state != VASI_STATE_ENABLED || m->suspend_sent || m->progress_asked)
		return;
	for (unsigned int i = 0; i < m->nsessions; i++) {
		if (m->sessions[i].out.head != m->sessions[i].out.tail)
			return;
	}
	now = now_ns();
	if (progress_due(m, now, PROGRESS_IDLE_NS))
		ask_progress(m, now);
}

static void turn_session(struct move *m, struct session *s)
{
	int ret = opqueue_answer(&s->out);

	if (ret >= 0 && s->out.nidle) {
		int posted = opqueue_post(&s->out);

		ret = posted < 0 ? posted : ret;
	}
	if (ret < 0) {
		move_lost(m, WIRE_CODE_LOST, "session %u: answer: %s", s->index,
			  strerror(-ret));
		return;
	}
	if (ret && s->out.tail - s->out.cut < QUEUED_OPS)
		s->kick = true;
	if (s->in.taken != s->in.told_taken && m->control) {
		const struct frame frame = {
			.type = WIRE_REVERSE_ACK, .session = (uint16_t)s->index,
			.offset = s->in.taken,
		};

		if (!link_send(m->control, &frame, NULL))
			s->in.told_taken = s->in.taken;
	}
}

/**
 * source_turn() - once in every turn: answer, post, acknowledge, send
 * @m: the move
 */
void source_turn(struct move *m)
{
	unsigned int first = m->next_link;

	if (!m->donors)
		return;
	if (m->suspend_asked && !m->suspend_sent && m->state == VASI_STATE_ENABLED)
		send_suspend(m);
	for (unsigned int i = 0; i < m->nsessions && !m->ending; i++)
		turn_session(m, &m->sessions[i]);
	/* Who sent last comes last: a limit would else starve the others */
	for (unsigned int i = 0; i < m->connections && !m->ending; i++) {
		unsigned int c = (first + i) % m->connections;

		if (m->data[c] && pump(m->data[c]))
			m->next_link = c + 1;
	}
	if (m->ending)
		return;
	if (m->control)
		link_resume(m->control);
	ask_when_idle(m);
	account_bound(m);
}

/*
 * How many operations the platform may have under way: what a round trip and a
 * short queue hold at the present rate.  More would only be older when it is
 * sent, and keep demanded pages waiting.
 */
static void adapt(struct move *m)
{
	uint64_t ns = m->status.rtt_us * NSEC_PER_USEC + QUEUE_NS;
	uint64_t now = now_ns();
	uint64_t elapsed = now - m->adapt_since_ns;
	uint64_t bytes, ops;

	if (elapsed < ADAPT_NS || !m->op_bytes)
		return;
	/* As much as now goes through in that time, and half as much again, so
	 * that it can become more
	 */
	bytes = (uint64_t)((double)(m->status.transmitted - m->adapt_bytes) *
			   (double)ns * 1.5 / (double)elapsed) / m->nsessions;
	m->adapt_since_ns = now;
	m->adapt_bytes = m->status.transmitted;
	ops = bytes / m->op_bytes + LEAST_OPS;
	for (unsigned int i = 0; i < m->nsessions; i++) {
		struct opqueue *q = &m->sessions[i].out;

		q->want = (uint32_t)min(ops, (uint64_t)q->buffers);
	}
}

/**
 * source_wants_credit() - has want of credit held the move up noticeably?
 * @m: the move
 * @now: time
 *
 * Return: true if it did for an eighth of the time since the last call; less is
 * not worth the target's memory.
 */
bool source_wants_credit(struct move *m, uint64_t now)
{
	uint64_t waited = m->status.bound_ns[BOUND_CREDIT] - m->credit_told_ns;
	uint64_t elapsed = now - m->credit_asked_ns;

	m->credit_told_ns = m->status.bound_ns[BOUND_CREDIT];
	m->credit_asked_ns = now;
	return waited >= elapsed / 8 && waited;
}

static void choose_bound(struct move *m)
{
	enum move_bound most = BOUND_NONE;

	for (enum move_bound b = BOUND_NONE; b < BOUNDS; b++) {
		if (m->status.bound_ns[b] > m->status.bound_ns[most])
			most = b;
	}
	m->status.bound = most;
}

/**
 * source_tick() - every few milliseconds while the move goes on
 * @m: the move
 * @now: time
 */
void source_tick(struct move *m, uint64_t now)
{
	bool soon = m->state == VASI_STATE_ENABLED && !m->suspend_sent &&
		    !m->params.policy.manual &&
		    (double)m->status.remaining * 2 < m->policy.rate;

	adapt(m);
	choose_bound(m);
	if (progress_due(m, now, soon ? PROGRESS_SOON_NS : PROGRESS_NS))
		ask_progress(m, now);
}
