// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The target mover: listens, receives the stream straight into download
 * buffers, hands them to the platform in order, grants credit as they come
 * back, and sends what the platform asks of the source.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "common/log.h"
#include "common/util.h"
#include "device.h"
#include "mover.h"
#include "vasi_codec.h"

/* Buffers for what the platform asks of the source: paging requests */
#define REVERSE_OP_BYTES	(8 << 10)
#define REVERSE_OPS		8
#define REVERSE_IOV		64
#define MAX_FRAME		(1 << 20)
#define PROGRESS_NS		(200 * NSEC_PER_MSEC)
/* Credit that is worth its memory, in round trips at the present rate */
#define USEFUL_ROUND_TRIPS	4
/*
 * Connections that may be there of which it is not known who they are: those of a peer
 * at most, and some of strangers.  The peer's own that have not said what they are for.
 */
#define MAX_STRANGERS		(2 * (WIRE_MAX_CONNECTIONS + 1))
#define MAX_PENDING		(2 * (WIRE_MAX_CONNECTIONS + 1))

/* ---- listening ---- */

/* Whoever waits longest makes room: the peer is sooner done than who only waits */
static void limit_strangers(struct move *m)
{
	struct link *link, *oldest = NULL;
	unsigned int count = 0;

	TAILQ_FOREACH(link, &m->links, entry) {
		if (!link_is_stranger(link))
			continue;
		oldest = oldest ? oldest : link;
		count++;
	}
	if (count >= MAX_STRANGERS)
		link_close(oldest);
}

static void accepted(struct listener *listener, struct conn *conn)
{
	struct move *m = listener_data(listener);
	struct link *link;

	limit_strangers(m);
	link = link_new(m, conn, LINK_PENDING);
	if (!link) {
		conn_set_handler(conn, &stray_handler, NULL);
		conn_close(conn);
		return;
	}
	conn_accept(conn, m->identity);
}

/**
 * target_may_connect() - may the peer have one more connection?
 * @m: the move
 */
bool target_may_connect(const struct move *m)
{
	const struct link *link;
	unsigned int pending = 0;

	TAILQ_FOREACH(link, &m->links, entry)
		pending += link->kind == LINK_PENDING && link->secured;
	return pending < MAX_PENDING;
}

static void listener_gone(struct listener *listener)
{
	struct move *m = listener_data(listener);

	m->listening = false;
}

static const struct listener_handler listener_handler = {
	.accepted = accepted,
	.closed = listener_gone,
};

static void answer_start(struct move *m)
{
	struct conn_address address;
	char host[CONN_NAME_BYTES];
	uint16_t port;

	listener_address(m->listener, &address);
	conn_format(&address, host, &port);
	command_done(m->starting, json_pack("{s:s, s:i}", "address", host,
					    "port", (int)port));
	m->starting = NULL;
}

static void listen_for_peer(struct move *m)
{
	const struct config *config = m->config;
	int err;

	m->listener = listener_open(m->worker, &m->params.address,
				    config->tcp_port_low, config->tcp_port_high,
				    &listener_handler, m, &err);
	if (!m->listener) {
		move_lost(m, WIRE_CODE_LOST, "listen on ports %u to %u: %s",
			  config->tcp_port_low, config->tcp_port_high,
			  strerror(-err));
		return;
	}
	m->listening = true;
	answer_start(m);
	move_set_phase(m, PHASE_LISTENING);
}

/* ---- agreement ---- */

static uint32_t buffers_per_session(const struct move *m)
{
	uint64_t buffers = m->config->pool_min / m->config->buffer_bytes;

	return (uint32_t)max(buffers / m->wanted_sessions, (uint64_t)2);
}

static int set_up_session(struct move *m, struct session *s)
{
	const struct config *config = m->config;
	uint32_t buffers = buffers_per_session(m);
	int ret;

	ret = opqueue_init(&s->out, s->vasi, REVERSE_OP_BYTES, REVERSE_OPS,
			   device_fetches(m->device) ? REVERSE_OP_BYTES : 0);
	if (ret)
		return ret;
	s->out_ready = true;
	ret = intake_init(&s->in, s->vasi, config->buffer_bytes, buffers,
			  config->indirect_download);
	if (ret)
		return ret;
	s->in_ready = true;
	m->status.buffer_bytes += REVERSE_OP_BYTES * REVERSE_OPS +
				  (uint64_t)config->buffer_bytes * buffers;
	return 0;
}

/*
 * The longest frame: whole buffers, few enough that several frames are under
 * way at the same time.
 */
static uint32_t longest_frame(const struct move *m)
{
	const struct intake *in = &m->sessions[0].in;
	uint32_t buffers = max(in->count / 4, 1U);

	buffers = min(buffers, max(MAX_FRAME / in->charge, 1U));
	buffers = min(buffers, (uint32_t)READER_MAX_IOV);
	return min(buffers * in->charge, min(m->hello.max_frame, WIRE_MAX_FRAME));
}

static int make_tokens(struct move *m, unsigned int count)
{
	size_t bytes = count * sizeof(m->tokens[0]);

	return getrandom(m->tokens, bytes, 0) == (ssize_t)bytes ? 0 : -EIO;
}

static void send_accept(struct move *m)
{
	const struct intake *in = &m->sessions[0].in;
	struct frame frame = { .type = WIRE_ACCEPT };
	uint8_t body[sizeof(struct wire_accept) + sizeof(m->tokens)];
	struct wire_accept accept;

	m->connections = min((unsigned int)m->hello.connections,
			     m->params.connections ? : m->config->connections);
	m->agreed = (struct hello) {
		.major = WIRE_MAJOR,
		.minor = min(m->hello.minor, (uint16_t)WIRE_MINOR),
		.features = m->hello.features & move_features(m->control),
		.stream_id = m->params.stream_id,
		.sessions = (uint16_t)m->nsessions,
		.connections = (uint16_t)m->connections,
		.max_frame = longest_frame(m),
		.charge = in->charge,
		.credit = in->limit,
	};
	if (make_tokens(m, m->connections)) {
		move_lost(m, WIRE_CODE_RESOURCES, "no random numbers");
		return;
	}
	wire_accept_encode(&accept, &m->agreed);
	memcpy(body, &accept, sizeof(accept));
	memcpy(body + sizeof(accept), m->tokens, m->connections * WIRE_TOKEN_BYTES);
	frame.length = (uint32_t)(sizeof(accept) + m->connections * WIRE_TOKEN_BYTES);
	m->control->reader.limits.sessions = m->nsessions;
	link_send(m->control, &frame, body);
	link_send_early(m);
}

static void sessions_ready(struct move *m)
{
	int ret;

	if (!m->control || m->control->closing)
		return;
	for (unsigned int i = 0; i < m->nsessions; i++) {
		ret = set_up_session(m, &m->sessions[i]);
		if (ret) {
			move_lost(m, WIRE_CODE_RESOURCES,
				  "session %u: buffers: %s (pane_bytes is %" PRIu64 ")",
				  i, strerror(-ret), m->config->pane_bytes);
			return;
		}
	}
	send_accept(m);
}

/**
 * target_opened() - a session is open
 * @m: the move
 * @s: the session
 */
void target_opened(struct move *m, struct session *s)
{
	if (!m->wanted_sessions) {
		if (!s->index)
			listen_for_peer(m);
		return;
	}
	if (m->nsessions == m->wanted_sessions && move_all_open(m))
		sessions_ready(m);
}

/**
 * target_open_failed() - the platform has no more opens: do with fewer
 * @m: the move
 * @s: the session that was refused; not the first one
 *
 * Opens are answered in order, so all that follow are refused too.
 */
void target_open_failed(struct move *m, struct session *s)
{
	m->wanted_sessions = min(m->wanted_sessions, s->index);
	if (m->nsessions != s->index + 1)
		return;
	while (m->nsessions > m->wanted_sessions) {
		struct session *last = &m->sessions[--m->nsessions];

		vasi_session_free(last->vasi);
		last->vasi = NULL;
	}
	if (move_all_open(m))
		sessions_ready(m);
}

static bool hello(struct link *link)
{
	struct move *m = link->move;
	struct wire_hello body;
	char error[WIRE_ERROR_BYTES];
	struct hello h;
	int ret;

	memcpy(&body, link->body, sizeof(body));
	ret = wire_hello_decode(&h, &body, error);
	if (ret) {
		link_refuse(link, ret == -EPROTONOSUPPORT ? WIRE_CODE_VERSION :
			    WIRE_CODE_PROTOCOL, error);
		return !link->closing;
	}
	if (h.stream_id != m->params.stream_id) {
		snprintf(error, sizeof(error), "HELLO: stream id is %016" PRIx64
			 ", not the one expected here", h.stream_id);
		link_refuse(link, WIRE_CODE_STREAM, error);
		return !link->closing;
	}
	/* Also one that has ended since, after BYE */
	if (m->control || m->wanted_sessions) {
		link_refuse(link, WIRE_CODE_BUSY,
			    "HELLO: the stream has a control connection already");
		return !link->closing;
	}
	if (h.encrypted != m->config->encrypt_data) {
		snprintf(error, sizeof(error), "encryption of data is %s there and %s here (encrypt_data): it must be the same",
			 h.encrypted ? "on" : "off", h.encrypted ? "off" : "on");
		link_refuse(link, WIRE_CODE_ENCRYPTION, error);
		return !link->closing;
	}
	m->hello = h;
	link_set_control(m, link);
	link->reader.limits.place = WIRE_CONTROL | WIRE_FROM_SOURCE;
	m->connect_deadline_ns = now_ns() + m->config->peer_timeout_s * NSEC_PER_SEC;
	m->wanted_sessions = min((unsigned int)h.sessions, m->max_sessions);
	while (m->nsessions < m->wanted_sessions) {
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

static void all_attached(struct move *m)
{
	int ret;

	m->connect_deadline_ns = 0;
	listener_close(m->listener);
	m->listener = NULL;
	ret = move_begin(m);
	if (ret) {
		move_lost(m, WIRE_CODE_LOST, "begin: %s", strerror(-ret));
		return;
	}
}

static bool attach(struct link *link, const struct frame *frame)
{
	const struct frame answer = { .type = WIRE_ATTACHED };
	struct move *m = link->move;
	uint64_t index = frame->argument;

	if (!m->connections || index >= m->connections || m->token_used[index] ||
	    !wire_token_equal(link->body, m->tokens[index])) {
		link_refuse(link, WIRE_CODE_STREAM,
			    "ATTACH: no connection with this index and token is expected");
		return !link->closing;
	}
	m->token_used[index] = true;
	link->kind = LINK_DATA;
	link->index = (unsigned int)index;
	link->attached = true;
	m->data[index] = link;
	link->reader.limits = (struct wire_limits) {
		.place = WIRE_DATA_CONNECTION | WIRE_FROM_SOURCE,
		.sessions = m->nsessions,
		.max_frame = m->agreed.max_frame,
	};
	link_send(link, &answer, NULL);
	writer_flush(&link->writer);
	if (!link_data_cipher(link))
		return false;
	if (++m->attached == m->connections)
		all_attached(m);
	return !link->closing;
}

/* ---- the stream ---- */

/* How many connections a session uses */
static unsigned int ways(const struct move *m, unsigned int session)
{
	unsigned int count = 0;

	for (unsigned int c = 0; c < m->connections; c++)
		count += move_uses(m, session, c);
	return count;
}

static const char *intake_error(int err)
{
	switch (err) {
	case -ENOBUFS:
		return "beyond the credit that was granted";
	case -EEXIST:
		return "some of its bytes came before";
	case -EMSGSIZE:
		return "it needs too many buffers";
	default:
		return strerror(-err);
	}
}

/**
 * target_begin() - a piece of the stream begins to arrive
 * @link: a data connection
 * @frame: DATA
 *
 * Return: as reader_ops.begin.
 */
int target_begin(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;
	struct session *s = &m->sessions[frame->session];
	int ret;

	if (!m->donors || !move_uses(m, s->index, link->index)) {
		move_broken(m, "DATA: session %u is not for connection %u now",
			    s->index, link->index);
		return -ECANCELED;
	}
	/* With one way there is no other that could bring what is left out */
	if (frame->offset != order_end(&s->in.order) && ways(m, s->index) == 1) {
		move_broken(m, "DATA: session %u: offset is %" PRIu64
			    ", expected %" PRIu64, s->index, frame->offset,
			    order_end(&s->in.order));
		return -ECANCELED;
	}
	ret = intake_begin(&s->in, frame->offset, frame->length, link->reader.iov,
			   READER_MAX_IOV, &link->frame);
	if (ret < 0) {
		move_broken(m, "DATA: session %u: offset %" PRIu64
			    ", length %" PRIu32 ": %s", s->index, frame->offset,
			    frame->length, intake_error(ret));
		return -ECANCELED;
	}
	link->session = s;
	return ret;
}

static bool reverse_acknowledged(struct link *link, const struct frame *frame)
{
	struct session *s = &link->move->sessions[frame->session];

	if (opqueue_ack(&s->out, frame->offset))
		move_broken(link->move, "REVERSE_ACK: session %u: offset is %"
			    PRIu64 ", allowed are %" PRIu64 " to %" PRIu64, s->index,
			    frame->offset, s->out.acked, s->out.cut_end);
	return true;
}

/**
 * target_done() - a frame that only a target mover gets is here
 * @link: the connection
 * @frame: the frame
 *
 * Return: as reader_ops.done.
 */
bool target_done(struct link *link, const struct frame *frame)
{
	switch (frame->type) {
	case WIRE_HELLO:
		if (link->kind == LINK_PENDING)
			return hello(link);
		move_broken(link->move, "peer %s sent HELLO again",
			    link->move->status.peer);
		return true;
	case WIRE_ATTACH:
		if (link->kind == LINK_PENDING)
			return attach(link, frame);
		move_broken(link->move, "peer %s sent ATTACH again",
			    link->move->status.peer);
		return !link->closing;
	case WIRE_DATA:
		link_intake_done(link);
		return !link->closing;
	case WIRE_REVERSE_ACK:
		return reverse_acknowledged(link, frame);
	default:
		return !link->closing;
	}
}

/* ---- what the platform asks of the source ---- */

/* Spans whose frames are with the kernel */
static void reap_reverse(struct move *m)
{
	while (m->reverse_head != m->reverse_tail) {
		struct reverse *r = &m->reverse[m->reverse_head % MAX_REVERSE];

		if (r->sequence > m->control->writer.sent)
			break;
		opqueue_sent(&r->session->out, &r->span);
		m->reverse_head++;
	}
}

static int send_reverse(struct move *m, struct session *s)
{
	struct frame frame = { .type = WIRE_REVERSE, .session = (uint16_t)s->index };
	struct iovec iov[REVERSE_IOV];
	struct reverse *r;
	uint64_t bytes;
	int count;

	while (s->out.cut < s->out.tail && m->reverse_tail - m->reverse_head < MAX_REVERSE) {
		unsigned int room = min(writer_room(&m->control->writer),
					(unsigned int)REVERSE_IOV);

		if (!room)
			break;
		r = &m->reverse[m->reverse_tail % MAX_REVERSE];
		count = opqueue_cut(&s->out, WIRE_MAX_REVERSE, iov, room, &bytes,
				    &r->span);
		if (count < 0)
			return count;
		if (!bytes)
			continue;
		frame.length = (uint32_t)bytes;
		frame.offset = s->out.cut_end - bytes;
		writer_frame_iov(&m->control->writer, &frame, iov, (unsigned int)count);
		r->session = s;
		r->sequence = m->control->writer.queued;
		m->reverse_tail++;
	}
	return 0;
}

static void send_ack(struct move *m, struct session *s)
{
	const struct frame frame = {
		.type = WIRE_ACK, .session = (uint16_t)s->index,
		.offset = s->in.taken, .argument = s->in.limit,
	};

	if (!intake_ack_due(&s->in) || link_send(m->control, &frame, NULL))
		return;
	m->status.transmitted += s->in.taken - s->in.told_taken;
	s->in.told_taken = s->in.taken;
	s->in.told_limit = s->in.limit;
}

static void turn_session(struct move *m, struct session *s)
{
	int ret;

	send_ack(m, s);
	if (m->ending)
		return;
	ret = send_reverse(m, s);
	if (ret < 0) {
		move_abort(m, move_reason(m), "the platform's operation: %s",
			   strerror(-ret));
		return;
	}
	ret = opqueue_answer(&s->out);
	if (ret < 0)
		move_lost(m, WIRE_CODE_LOST, "session %u: answer: %s", s->index,
			  strerror(-ret));
	else if (ret)
		s->kick = true;
}

/**
 * target_turn() - once in every turn: acknowledge, ask, answer
 * @m: the move
 */
void target_turn(struct move *m)
{
	if (!m->donors || !m->control || m->control->closing)
		return;
	reap_reverse(m);
	for (unsigned int i = 0; i < m->nsessions && !m->ending; i++)
		turn_session(m, &m->sessions[i]);
}

/*
 * What a session's credit is good for: a move that only credit limits has one
 * round trip's worth under way, so that a few times that is enough for any that
 * something else limits.  The least round trip is the link's; others have waited
 * for a processor, which credit does not help.
 */
static uint64_t useful_credit(const struct move *m)
{
	double bytes = (double)m->status.rate * (double)m->least_rtt_us / 1e6;

	if (!m->status.rate || !m->least_rtt_us)
		return UINT64_MAX;
	return (uint64_t)(USEFUL_ROUND_TRIPS * bytes) / m->nsessions;
}

/*
 * More credit where the source was stopped for want of it, unless the buffers
 * are with our own platform: then more of them would only wait.
 */
static void grow(struct move *m)
{
	const struct config *config = m->config;
	uint64_t useful = useful_credit(m);

	for (unsigned int i = 0; i < m->nsessions; i++) {
		struct intake *in = &m->sessions[i].in;
		uint64_t bytes = (uint64_t)in->count * config->buffer_bytes;

		if (in->downloading >= in->count / 2 || bytes > useful ||
		    bytes * 2 > config->pool_max / m->nsessions)
			continue;
		if (!intake_grow(in, in->count))
			m->status.buffer_bytes += bytes;
	}
}

/**
 * target_progress() - the platform has said what is left
 * @m: the move
 * @event: VASI_EV_PROGRESS
 */
void target_progress(struct move *m, const struct vasi_event *event)
{
	m->progress_asked = false;
	if (event->status != VASI_SUCCESS)
		return;
	m->status.remaining = event->bytes;
	if (!m->total_known)
		m->status.total = event->bytes;
	m->total_known = true;
}

/**
 * target_tick() - every few milliseconds while the move goes on
 * @m: the move
 * @now: time
 */
void target_tick(struct move *m, uint64_t now)
{
	unsigned int busy = 0;

	for (unsigned int i = 0; i < m->nsessions; i++)
		busy += m->sessions[i].in.downloading >= m->sessions[i].in.count / 2;
	m->target_busy = busy * 2 >= m->nsessions;
	if (m->credit_stopped) {
		m->credit_stopped = false;
		grow(m);
	}
	if (m->progress_asked || now < m->next_progress_ns)
		return;
	m->next_progress_ns = now + PROGRESS_NS;
	if (!vasi_progress(m->sessions[0].vasi, TOKEN_PROGRESS))
		m->progress_asked = true;
}
