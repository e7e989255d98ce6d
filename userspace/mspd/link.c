// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections to the peer, and the frames that both sides know: MESSAGE, STATE,
 * PING, PONG, BYE, REFUSE.
 */
#include <endian.h>
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

#define PING_INTERVAL_NS	(200 * NSEC_PER_MSEC)
/* The weight of a new sample in the round-trip time: one eighth */
#define RTT_SHIFT		3
/* Each takes memory until the platform answers it */
#define MAX_MESSAGES		1024
/* What is read of a connection that was refused, and how long, before it is closed */
#define MAX_DISCARDED		(64u << 10)
#define DISCARD_NS		NSEC_PER_SEC
/* Strangers that a move's log tells of */
#define MAX_LOGGED		100

static int begin(struct reader *reader, const struct frame *frame);
static bool done(struct reader *reader, const struct frame *frame);

static const struct reader_ops reader_ops = { .begin = begin, .done = done };

/**
 * link_new() - take a connection into a move
 * @m: the move
 * @conn: the connection; its handler is set by who made it
 * @kind: what it is for, as far as that is known
 *
 * Return: the link, or NULL.
 */
struct link *link_new(struct move *m, struct conn *conn, enum link_kind kind)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->move = m;
	link->conn = conn;
	link->kind = kind;
	link->opened_ns = now_ns();
	reader_init(&link->reader, conn, &reader_ops);
	writer_init(&link->writer, conn);
	conn_set_handler(conn, &link_handler, link);
	TAILQ_INSERT_TAIL(&m->links, link, entry);
	return link;
}

/**
 * link_start() - receive what the peer sends
 * @link: connected
 */
void link_start(struct link *link)
{
	struct wire_limits *limits = &link->reader.limits;

	limits->place = move_is_source(link->move) ? WIRE_FROM_TARGET :
						     WIRE_FROM_SOURCE;
	if (link->kind != LINK_DATA)
		limits->place |= WIRE_CONTROL;
	if (link->kind != LINK_CONTROL)
		limits->place |= WIRE_DATA_CONNECTION;
	reader_start(&link->reader);
}

/**
 * link_close() - close a connection at once
 * @link: the link; is freed later
 */
void link_close(struct link *link)
{
	if (link->closing)
		return;
	link->closing = true;
	conn_close(link->conn);
}

/**
 * link_send() - queue a frame with a small body, or none
 * @link: the link
 * @frame: the frame
 * @body: @frame->length bytes
 *
 * Return: 0, or -ENOBUFS: the move has been ended, for the peer takes nothing.
 */
int link_send(struct link *link, const struct frame *frame, const void *body)
{
	if (link->closing || link->end_after)
		return 0;
	if (!writer_frame(&link->writer, frame, body))
		return 0;
	move_lost(link->move, WIRE_CODE_LOST,
		  "peer %s does not take what is sent on the control connection",
		  conn_name(link->conn));
	return -ENOBUFS;
}

/**
 * link_is_stranger() - is it not known who is there, or known that it must not be?
 * @link: the link
 */
bool link_is_stranger(const struct link *link)
{
	return link->kind == LINK_PENDING && (!link->secured || link->end_after) &&
	       !link->closing;
}

/* Whoever can connect could else fill the log */
static void log_refusal(const struct link *link, const char *why)
{
	struct move *m = link->move;

	if (++m->refusals > MAX_LOGGED)
		return;
	log_warning("stream %016" PRIx64 ": peer %s refused: %s%s", m->params.stream_id,
		    conn_name(link->conn), why,
		    m->refusals == MAX_LOGGED ? " (no more are told of)" : "");
}

/* What still comes is read, or the peer would lose the reason to a reset */
static void only_discard(struct link *link)
{
	link->end_after = true;
	link->refused_ns = now_ns();
}

/**
 * link_refuse() - say why not, then close this connection only
 * @link: the link
 * @code: enum wire_code
 * @text: why
 */
void link_refuse(struct link *link, enum wire_code code, const char *text)
{
	const struct frame frame = {
		.type = WIRE_REFUSE,
		.length = (uint32_t)min(strlen(text), (size_t)WIRE_MAX_TEXT),
		.argument = code,
	};

	log_refusal(link, text);
	link_send(link, &frame, text);
	only_discard(link);
	writer_flush(&link->writer);
	conn_end_sending(link->conn);
}

/**
 * link_set_control() - this one is the control connection
 * @m: the move
 * @link: the link
 */
void link_set_control(struct move *m, struct link *link)
{
	link->kind = LINK_CONTROL;
	m->control = link;
	m->last_heard_ns = now_ns();
	snprintf(m->status.peer, sizeof(m->status.peer), "%s", conn_name(link->conn));
}

static void send_message(struct move *m, unsigned int session, uint64_t data)
{
	const struct frame frame = {
		.type = WIRE_MESSAGE, .session = (uint16_t)session, .length = 8,
	};
	uint64_t body = htobe64(data);

	link_send(m->control, &frame, &body);
}

/**
 * link_send_early() - send what the platform said before the peer was there
 * @m: the move; the peer knows session 0
 */
void link_send_early(struct move *m)
{
	unsigned int count = m->nearly;

	m->nearly = 0;
	for (unsigned int i = 0; i < count; i++)
		send_message(m, 0, m->early[i]);
}

/**
 * link_message() - pass eight bytes of the platform through to the peer's
 * @m: the move
 * @session: its index
 * @data: the bytes, as a number
 */
void link_message(struct move *m, unsigned int session, uint64_t data)
{
	if (m->bye_said)
		return;
	if (m->control && m->agreed.sessions) {
		send_message(m, session, data);
		return;
	}
	if (m->nearly < MAX_EARLY_MESSAGES)
		m->early[m->nearly++] = data;
	else
		log_warning("stream %016" PRIx64 ": the platform sends messages, and no peer is there",
			    m->params.stream_id);
}

/**
 * link_state() - tell the peer what our platform says
 * @m: the move
 */
void link_state(struct move *m)
{
	const struct frame frame = {
		.type = WIRE_STATE,
		.argument = (uint64_t)m->state << 32 | m->status_reason,
	};

	if (m->control && m->agreed.sessions)
		link_send(m->control, &frame, NULL);
}

/**
 * link_bye() - the last frame; the control connection ends after it
 * @m: the move
 * @code: enum wire_code
 * @text: why, or empty
 */
void link_bye(struct move *m, enum wire_code code, const char *text)
{
	const struct frame frame = {
		.type = m->agreed.sessions ? WIRE_BYE : WIRE_REFUSE,
		.length = (uint32_t)min(strlen(text), (size_t)WIRE_MAX_TEXT),
		.argument = code,
	};

	if (!m->control || m->control->closing)
		return;
	writer_frame(&m->control->writer, &frame, text);
	writer_flush(&m->control->writer);
}

static void send_ping(struct move *m, uint64_t now)
{
	struct frame frame = { .type = WIRE_PING, .argument = now & ~WIRE_PING_STOPPED };
	bool mark = move_is_source(m) ? source_wants_credit(m, now) : m->target_busy;

	if (mark)
		frame.argument |= WIRE_PING_STOPPED;
	if (link_send(m->control, &frame, NULL))
		return;
	m->ping_ns = now;
	m->next_ping_ns = now + PING_INTERVAL_NS;
}

/**
 * link_tick() - deadlines of the connections, and PING
 * @m: the move
 * @now: time
 */
void link_tick(struct move *m, uint64_t now)
{
	uint64_t timeout = m->config->peer_timeout_s * NSEC_PER_SEC;
	struct link *link;

	TAILQ_FOREACH(link, &m->links, entry) {
		if ((link->kind == LINK_PENDING && now - link->opened_ns > timeout) ||
		    (link->end_after && now - link->refused_ns > DISCARD_NS))
			link_close(link);
	}
	if (m->connect_deadline_ns && now > m->connect_deadline_ns) {
		move_lost(m, WIRE_CODE_LOST, "peer %s: no agreement within %u s (peer_timeout)",
			  m->status.peer, m->config->peer_timeout_s);
		return;
	}
	if (!m->control || !m->agreed.sessions)
		return;
	if (now - m->last_heard_ns > timeout) {
		move_lost(m, WIRE_CODE_LOST, "peer %s is silent for %u s (peer_timeout)",
			  m->status.peer, m->config->peer_timeout_s);
		return;
	}
	if (!m->ping_ns && now >= m->next_ping_ns)
		send_ping(m, now);
}

/* ---- frames ---- */

/* Where a body goes that has no other place; wire.c bounds its length */
static int into_body(struct link *link, const struct frame *frame)
{
	if (!frame->length)
		return 0;
	link->reader.iov[0] = (struct iovec) { link->body, frame->length };
	return 1;
}

/* While a move ends, what still comes goes nowhere: the same bytes over and over */
static int into_nothing(struct link *link, const struct frame *frame)
{
	uint32_t left = frame->length;
	unsigned int count = 0;

	while (left && count < READER_MAX_IOV) {
		size_t step = min((size_t)left, sizeof(link->body));

		link->reader.iov[count++] = (struct iovec) { link->body, step };
		left -= (uint32_t)step;
	}
	if (!left)
		return (int)count;
	link_close(link);
	return -ECANCELED;
}

static int begin(struct reader *reader, const struct frame *frame)
{
	struct link *link = container_of(reader, struct link, reader);

	if (link->move->ending)
		return into_nothing(link, frame);
	/* What a stranger says must not reach the move: its STATE could abort it */
	if (link->kind == LINK_PENDING && frame->type != WIRE_HELLO &&
	    frame->type != WIRE_ATTACH && frame->type != WIRE_REFUSE) {
		link_refuse(link, WIRE_CODE_PROTOCOL, "HELLO or ATTACH expected");
		return -ECANCELED;
	}
	if (frame->type == WIRE_DATA)
		return target_begin(link, frame);
	if (frame->type == WIRE_REVERSE)
		return source_begin(link, frame);
	return into_body(link, frame);
}

/* Text of the peer: one line of printable characters */
static const char *peer_text(struct link *link, const struct frame *frame)
{
	link->body[frame->length] = '\0';
	for (uint32_t i = 0; i < frame->length; i++) {
		if (link->body[i] < 0x20 || link->body[i] == 0x7f)
			link->body[i] = ' ';
	}
	return (const char *)link->body;
}

static bool refused(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;

	/* A stranger cannot end a target's move by refusing it */
	if (link->kind == LINK_PENDING) {
		log_warning("stream %016" PRIx64 ": peer %s refuses: %s",
			    m->params.stream_id, conn_name(link->conn),
			    peer_text(link, frame));
		link_close(link);
		return false;
	}
	move_lost(m, WIRE_CODE_LOST, "peer %s refused: %s", conn_name(link->conn),
		  peer_text(link, frame));
	link_close(link);
	return false;
}

static bool message(struct link *link, const struct frame *frame)
{
	struct session *s = &link->move->sessions[frame->session];
	uint64_t data;
	int ret;

	if (s->messages == MAX_MESSAGES) {
		move_lost(link->move, WIRE_CODE_RESOURCES,
			  "MESSAGE: session %u: %u wait for the platform: limit",
			  s->index, s->messages);
		return !link->closing;
	}
	memcpy(&data, link->body, sizeof(data));
	ret = vasi_message(s->vasi, be64toh(data), TOKEN_MESSAGE);
	if (ret) {
		move_lost(link->move, WIRE_CODE_LOST, "session %u: message: %s",
			  s->index, strerror(-ret));
		return !link->closing;
	}
	s->messages++;
	s->kick = true;
	return true;
}

static bool peer_state(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;
	uint32_t reason = (uint32_t)frame->argument;
	uint64_t state = frame->argument >> 32;

	log_debug("stream %016" PRIx64 ": peer's platform says %s",
		  m->params.stream_id, vasi_state_name((uint16_t)state));
	m->peer_state = (enum vasi_state)min(state, (uint64_t)VASI_STATE_FAILOVER);
	if (state == VASI_STATE_ABORTED)
		move_abort(m, reason, "the peer's platform aborted the stream (reason 0x%08x)",
			   reason);
	return !link->closing;
}

static void pong(struct move *m, const struct frame *frame)
{
	uint64_t now = now_ns();
	uint32_t us;

	if (!m->ping_ns || (frame->argument & ~WIRE_PING_STOPPED) !=
	    (m->ping_ns & ~WIRE_PING_STOPPED))
		return;
	us = (uint32_t)min((now - m->ping_ns) / NSEC_PER_USEC, (uint64_t)UINT32_MAX);
	m->ping_ns = 0;
	us = max(us, 1U);
	m->least_rtt_us = m->least_rtt_us ? min(m->least_rtt_us, us) : us;
	if (m->status.rtt_us)
		us = m->status.rtt_us + us / (1 << RTT_SHIFT) -
		     m->status.rtt_us / (1 << RTT_SHIFT);
	m->status.rtt_us = max(us, 1U);
}

static bool ping(struct link *link, const struct frame *frame)
{
	struct frame answer = { .type = WIRE_PONG, .argument = frame->argument };
	struct move *m = link->move;
	bool mark = frame->argument & WIRE_PING_STOPPED;

	if (move_is_source(m))
		m->target_busy = mark;
	else
		m->credit_stopped |= mark;
	return !link_send(link, &answer, NULL);
}

static bool bye(struct link *link, const struct frame *frame)
{
	struct move *m = link->move;

	if (m->ending || m->peer_done)
		return true;
	/* Its platform's state came before; ours has to follow within a time */
	m->peer_done = true;
	m->peer_done_deadline_ns = now_ns() + m->config->peer_timeout_s * NSEC_PER_SEC;
	if (frame->argument != WIRE_CODE_OK && frame->argument != WIRE_CODE_ABORTED)
		move_lost(m, WIRE_CODE_LOST, "peer %s ended the move: %s",
			  m->status.peer, peer_text(link, frame));
	return true;
}

static bool done(struct reader *reader, const struct frame *frame)
{
	struct link *link = container_of(reader, struct link, reader);
	struct move *m = link->move;

	if (link->kind == LINK_CONTROL)
		m->last_heard_ns = now_ns();
	/* While the move ends only the end of the connection matters */
	if (m->ending)
		return !link->closing;
	switch (frame->type) {
	case WIRE_REFUSE:
		return refused(link, frame);
	case WIRE_MESSAGE:
		return message(link, frame);
	case WIRE_STATE:
		return peer_state(link, frame);
	case WIRE_PING:
		return ping(link, frame);
	case WIRE_PONG:
		pong(m, frame);
		return true;
	case WIRE_BYE:
		return bye(link, frame);
	default:
		if (move_is_source(m))
			return source_done(link, frame);
		return target_done(link, frame);
	}
}

/* ---- the connection's handler ---- */

/* The peer broke the rules */
static void broken(struct link *link, const char *why)
{
	struct move *m = link->move;

	if (link->kind == LINK_PENDING) {
		link_refuse(link, WIRE_CODE_PROTOCOL, why);
		return;
	}
	move_broken(m, "peer %s: %s", conn_name(link->conn), why);
	if (link != m->control)
		link_close(link);
}

static void lost(struct link *link, int err)
{
	const char *why = err ? conn_error(link->conn, err) : "closed by the peer";
	struct move *m = link->move;

	link->ended = true;
	/* After BYE the peer's end is no loss.  A data connection may be seen to
	 * end before what the control connection says about it.
	 */
	if (link->kind == LINK_DATA && !m->data_lost_ns && !m->peer_done)
		m->data_lost_ns = now_ns();
	if (link->kind == LINK_CONTROL && !m->peer_done)
		move_lost(m, WIRE_CODE_LOST, "control connection to %s: %s",
			  conn_name(link->conn), why);
	/* Nothing that the control connection will say explains this */
	else if (link->kind == LINK_DATA && err == -EPROTO)
		move_lost(m, WIRE_CODE_LOST, "data connection to %s: %s",
			  conn_name(link->conn), why);
	if (link->kind != LINK_CONTROL || !m->ending)
		link_close(link);
}

static void discard(struct link *link)
{
	link->reader.iov[0] = (struct iovec) { link->body, sizeof(link->body) };
	conn_recv(link->conn, link->reader.iov, 1);
}

static void received(struct conn *conn, int result)
{
	struct link *link = conn_data(conn);
	int ret;

	if (result <= 0) {
		lost(link, result);
		return;
	}
	ret = link->end_after ? 0 : reader_received(&link->reader, (size_t)result);
	if (ret == -EBADMSG)
		broken(link, link->reader.error);
	if (link->closing)
		return;
	link->discarded += link->end_after ? (uint64_t)result : 0;
	if (link->discarded > MAX_DISCARDED)
		link_close(link);
	else if (link->end_after)
		discard(link);
	else if (!ret)
		reader_start(&link->reader);
}

/**
 * link_resume() - go on receiving a frame for which there was no room
 * @link: the link
 */
void link_resume(struct link *link)
{
	if (link->closing)
		return;
	if (reader_resume(&link->reader) == -EBADMSG)
		broken(link, link->reader.error);
}

/**
 * link_intake_done() - a frame of stream data is here whole: download it
 * @link: the connection it came on
 */
void link_intake_done(struct link *link)
{
	struct session *s = link->session;
	int ret = intake_complete(&s->in, link->frame);

	if (ret)
		move_lost(link->move, WIRE_CODE_LOST, "session %u: download: %s",
			  s->index, strerror(-ret));
	s->kick = true;
}

/**
 * link_data_cipher() - a data connection is attached: encrypt what follows, or not
 * @link: the connection
 *
 * Return: false: it has been ended.
 */
bool link_data_cipher(struct link *link)
{
	struct move *m = link->move;
	int ret = 0;

	if (!m->config->encrypt_data)
		ret = conn_end_tls(link->conn);
	else if (m->agreed.features & WIRE_FEATURE_REKEY)
		conn_allow_rekey(link->conn);
	m->status.cipher = conn_cipher(link->conn);
	if (!ret)
		return true;
	move_broken(m, "peer %s: %s", conn_name(link->conn), conn_error(link->conn, ret));
	link_close(link);
	return false;
}

static void sent(struct conn *conn, int err)
{
	struct link *link = conn_data(conn);

	if (link->batch && link->batch->active) {
		source_batch_sent(link, err);
		return;
	}
	if (err) {
		if (!link->closing)
			lost(link, err);
		return;
	}
	if (link->closing)
		return;
	writer_sent(&link->writer);
}

/*
 * There is no peer, or none that is trusted.  TLS has told it why, which is lost if
 * the connection is closed with bytes unread.
 */
static void not_secured(struct link *link, int err)
{
	struct move *m = link->move;
	const char *why = conn_error(link->conn, err);

	if (move_is_source(m)) {
		move_lost(m, WIRE_CODE_LOST, "connect to %s: %s", conn_name(link->conn), why);
		link_close(link);
		return;
	}
	log_refusal(link, why);
	only_discard(link);
	conn_end_sending(link->conn);
	discard(link);
}

/* A source tells it as it tells any end of a move; a target goes on waiting */
static void stranger(struct link *link, const char *why)
{
	struct move *m = link->move;

	if (move_is_source(m)) {
		if (link->kind == LINK_CONTROL)
			link_set_control(m, link);
		link_start(link);
		move_lost(m, WIRE_CODE_IDENTITY, "peer %s: %s", conn_name(link->conn), why);
		return;
	}
	link_refuse(link, WIRE_CODE_IDENTITY, why);
	discard(link);
}

/* Trusted, but is it who the stream is moved with? */
static bool is_the_peer(struct link *link, char *why, size_t bytes)
{
	const char *wanted = link->move->params.peer_identity;
	const char *found = conn_peer(link->conn);

	snprintf(why, bytes, "identity is %s, the peer of this stream is %s", found,
		 wanted);
	return !strcmp(found, wanted);
}

static void secured(struct conn *conn, int err)
{
	struct link *link = conn_data(conn);
	char why[WIRE_ERROR_BYTES * 2];

	if (link->move->ending)
		return;
	if (err) {
		not_secured(link, err);
		return;
	}
	if (!is_the_peer(link, why, sizeof(why))) {
		stranger(link, why);
		return;
	}
	if (move_is_source(link->move)) {
		source_connected(link);
	} else if (!target_may_connect(link->move)) {
		link_close(link);
		return;
	}
	link->secured = true;
	link_start(link);
	writer_flush(&link->writer);
}

static void closed(struct conn *conn)
{
	struct link *link = conn_data(conn);
	struct move *m = link->move;

	TAILQ_REMOVE(&m->links, link, entry);
	if (m->control == link)
		m->control = NULL;
	if (link->kind == LINK_DATA && m->data[link->index] == link)
		m->data[link->index] = NULL;
	free(link->batch);
	free(link);
}

const struct conn_handler link_handler = {
	.secured = secured,
	.received = received,
	.sent = sent,
	.closed = closed,
};

static void stray_closed(struct conn *conn)
{
	(void)conn;
}

/* For a connection that no link could be made for */
const struct conn_handler stray_handler = { .closed = stray_closed };
