// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "mover.h"

static int begin(struct reader *reader, const struct frame *frame);
static bool done(struct reader *reader, const struct frame *frame);

static const struct reader_ops reader_ops = { .begin = begin, .done = done };

/**
 * probe_link_new() - take a connection into a probe
 * @p: the probe
 * @conn: the connection
 *
 * Return: the link, or NULL.
 */
struct probe_link *probe_link_new(struct probe *p, struct conn *conn)
{
	struct probe_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->probe = p;
	link->conn = conn;
	reader_init(&link->reader, conn, &reader_ops);
	link->reader.limits.place = WIRE_PROBE_CONNECTION |
				    (p->source ? WIRE_FROM_TARGET : WIRE_FROM_SOURCE);
	writer_init(&link->writer, conn);
	conn_set_handler(conn, &probe_link_handler, link);
	TAILQ_INSERT_TAIL(&p->links, link, entry);
	p->count++;
	return link;
}

/**
 * probe_link_close() - close a connection at once
 * @link: the link; is freed later
 */
void probe_link_close(struct probe_link *link)
{
	if (link->closing)
		return;
	link->closing = true;
	conn_close(link->conn);
}

static void say(struct probe_link *link, const struct frame *frame, const void *body)
{
	if (link->closing || link->refused)
		return;
	if (writer_frame(&link->writer, frame, body)) {
		probe_link_close(link);
		return;
	}
	/* Its turn comes when the LOAD is sent */
	if (!link->in_load)
		writer_flush(&link->writer);
}

/* ---- what a source sends ---- */

static void say_probe(struct probe_link *link)
{
	const struct frame frame = { .type = WIRE_PROBE, .length = sizeof(struct wire_probe) };
	struct wire_probe body;

	wire_probe_encode(&body, &(struct probe_hello) {
		.major = WIRE_MAJOR,
		.minor = WIRE_MINOR,
		.encrypted = link->probe->encrypted,
		.connections = (uint16_t)link->probe->connections,
		.index = (uint16_t)link->index,
	});
	say(link, &frame, &body);
}

/**
 * probe_link_ping() - ask the peer for an answer
 * @link: the link
 */
void probe_link_ping(struct probe_link *link)
{
	const struct frame frame = { .type = WIRE_PING, .argument = now_ns() >> 1 };

	link->probe->ping_ns = now_ns();
	say(link, &frame, NULL);
}

static void send_load(struct probe_link *link)
{
	const struct frame frame = {
		.type = WIRE_LOAD, .length = WIRE_MAX_LOAD, .offset = link->offset,
	};

	if (!link->loading || link->closing || conn_sending(link->conn) ||
	    link->offset + WIRE_MAX_LOAD > WIRE_MAX_PROBE)
		return;
	wire_encode(&link->header, &frame);
	link->iov[0] = (struct iovec) { &link->header, sizeof(link->header) };
	link->iov[1] = (struct iovec) { link->probe->scratch, WIRE_MAX_LOAD };
	link->offset += WIRE_MAX_LOAD;
	link->in_load = true;
	conn_send(link->conn, link->iov, 2);
}

/**
 * probe_link_load() - send what the connection takes, from now on
 * @link: the link
 */
void probe_link_load(struct probe_link *link)
{
	link->loading = true;
	send_load(link);
}

/* ---- refusals ---- */

/* What still comes is read, or the peer would lose the reason to a reset */
static void discard(struct probe_link *link)
{
	link->reader.iov[0] = (struct iovec) { link->body, sizeof(link->body) };
	conn_recv(link->conn, link->reader.iov, 1);
}

static void refuse(struct probe_link *link, enum wire_code code, const char *text)
{
	const struct frame frame = {
		.type = WIRE_REFUSE, .argument = code,
		.length = (uint32_t)min(strlen(text), (size_t)WIRE_MAX_TEXT),
	};

	log_warning("probe: peer %s refused: %s", conn_name(link->conn), text);
	say(link, &frame, text);
	link->refused = true;
	conn_end_sending(link->conn);
}

/* A source gives up; a target waits for another peer */
static void wrong(struct probe_link *link, enum wire_code code, const char *text)
{
	int rpc = code == WIRE_CODE_IDENTITY ? RPC_NOT_AUTHORISED : RPC_FAILED;

	if (!link->probe->source) {
		refuse(link, code, text);
		return;
	}
	probe_fail(link->probe, rpc, "peer %s: %s", conn_name(link->conn), text);
	probe_link_close(link);
}

/* ---- frames ---- */

static int begin(struct reader *reader, const struct frame *frame)
{
	struct probe_link *link = container_of(reader, struct probe_link, reader);
	bool first = frame->type == WIRE_PROBE;

	if (!link->probe->source && link->ready == first && frame->type != WIRE_REFUSE) {
		wrong(link, WIRE_CODE_PROTOCOL, first ? "a second PROBE" : "PROBE expected");
		return -ECANCELED;
	}
	if (!frame->length)
		return 0;
	reader->iov[0] = (struct iovec) {
		frame->type == WIRE_LOAD ? link->probe->scratch : link->body, frame->length,
	};
	return 1;
}

/* What follows is as on a data connection of a move */
static bool agreed(struct probe_link *link)
{
	int ret = link->probe->encrypted ? 0 : conn_end_tls(link->conn);

	if (ret) {
		wrong(link, WIRE_CODE_PROTOCOL, conn_error(link->conn, ret));
		return false;
	}
	link->ready = true;
	probe_link_ready(link);
	return !link->closing;
}

static bool probed(struct probe_link *link)
{
	const struct frame answer = { .type = WIRE_PROBING, .argument = WIRE_MAX_PROBE };
	char error[WIRE_ERROR_BYTES];
	struct wire_probe body;
	struct probe_hello hello;
	int ret;

	memcpy(&body, link->body, sizeof(body));
	ret = wire_probe_decode(&hello, &body, error);
	if (ret) {
		refuse(link, ret == -EPROTONOSUPPORT ? WIRE_CODE_VERSION : WIRE_CODE_PROTOCOL,
		       error);
		return false;
	}
	if (hello.encrypted != link->probe->encrypted) {
		snprintf(error, sizeof(error), "encryption of data is %s there and %s here (encrypt_data): it must be the same",
			 hello.encrypted ? "on" : "off", hello.encrypted ? "off" : "on");
		refuse(link, WIRE_CODE_ENCRYPTION, error);
		return false;
	}
	/* Encrypted still, even where the rest will not be */
	say(link, &answer, NULL);
	return !link->closing && agreed(link);
}

static bool load(struct probe_link *link, const struct frame *frame)
{
	struct frame answer = { .type = WIRE_LOADED };

	if (frame->offset != link->offset || link->offset + frame->length > WIRE_MAX_PROBE) {
		wrong(link, WIRE_CODE_PROTOCOL, "LOAD: not the next offset, or too many bytes");
		return false;
	}
	link->offset += frame->length;
	answer.offset = link->offset;
	say(link, &answer, NULL);
	return !link->closing;
}

static bool loaded(struct probe_link *link, const struct frame *frame)
{
	if (frame->offset < link->loaded || frame->offset > link->offset) {
		wrong(link, WIRE_CODE_PROTOCOL, "LOADED: bytes that were not sent");
		return false;
	}
	link->loaded = frame->offset;
	return true;
}

static bool refused(struct probe_link *link, const struct frame *frame)
{
	link->body[frame->length] = '\0';
	for (uint32_t i = 0; i < frame->length; i++)
		if (link->body[i] < 0x20 || link->body[i] == 0x7f)
			link->body[i] = ' ';
	if (link->probe->source)
		probe_fail(link->probe, frame->argument == WIRE_CODE_IDENTITY ?
			   RPC_NOT_AUTHORISED : RPC_FAILED, "peer %s refuses: %.300s",
			   conn_name(link->conn), (const char *)link->body);
	probe_link_close(link);
	return false;
}

static bool done(struct reader *reader, const struct frame *frame)
{
	struct probe_link *link = container_of(reader, struct probe_link, reader);
	struct frame pong = { .type = WIRE_PONG, .argument = frame->argument };

	switch (frame->type) {
	case WIRE_PROBE:
		return probed(link);
	case WIRE_PROBING:
		if (!link->ready)
			return agreed(link);
		wrong(link, WIRE_CODE_PROTOCOL, "a second PROBING");
		return false;
	case WIRE_PING:
		say(link, &pong, NULL);
		return !link->closing;
	case WIRE_PONG:
		probe_pong(link->probe);
		return !link->closing;
	case WIRE_LOAD:
		return load(link, frame);
	case WIRE_LOADED:
		return loaded(link, frame);
	default:
		return refused(link, frame);
	}
}

/* ---- the connection's handler ---- */

static void received(struct conn *conn, int result)
{
	struct probe_link *link = conn_data(conn);
	int ret;

	if (link->closing)
		return;
	if (result <= 0) {
		/* Of TLS 1.3 a client learns only here that it is not trusted */
		if (link->probe->source)
			probe_fail(link->probe, result == -EPROTO && !link->ready ?
				   RPC_NOT_AUTHORISED : RPC_FAILED, "peer %s: %s",
				   conn_name(conn), result ? conn_error(conn, result) :
				   "closed by the peer");
		probe_link_close(link);
		return;
	}
	ret = link->refused ? 0 : reader_received(&link->reader, (size_t)result);
	if (ret == -EBADMSG)
		wrong(link, WIRE_CODE_PROTOCOL, link->reader.error);
	if (link->closing)
		return;
	if (link->refused)
		discard(link);
	else if (!ret)
		reader_start(&link->reader);
}

static void sent(struct conn *conn, int err)
{
	struct probe_link *link = conn_data(conn);
	bool load = link->in_load;

	link->in_load = false;
	if (link->closing)
		return;
	if (err) {
		if (link->probe->source)
			probe_fail(link->probe, RPC_FAILED, "peer %s: %s", conn_name(conn),
				   conn_error(conn, err));
		probe_link_close(link);
		return;
	}
	if (load)
		writer_flush(&link->writer);
	else
		writer_sent(&link->writer);
	send_load(link);
}

static bool is_the_peer(struct probe_link *link)
{
	char why[WIRE_ERROR_BYTES * 2];

	if (!strcmp(conn_peer(link->conn), link->probe->peer))
		return true;
	snprintf(why, sizeof(why), "identity is %s, the peer of this probe is %s",
		 conn_peer(link->conn), link->probe->peer);
	wrong(link, WIRE_CODE_IDENTITY, why);
	return false;
}

static void not_secured(struct probe_link *link, int err)
{
	if (link->probe->source) {
		probe_fail(link->probe, err == -EPROTO ? RPC_NOT_AUTHORISED : RPC_FAILED,
			   "connect to %s: %s", conn_name(link->conn),
			   conn_error(link->conn, err));
		probe_link_close(link);
		return;
	}
	log_warning("probe: peer %s refused: %s", conn_name(link->conn),
		    conn_error(link->conn, err));
	link->refused = true;
	conn_end_sending(link->conn);
	discard(link);
}

static void secured(struct conn *conn, int err)
{
	struct probe_link *link = conn_data(conn);

	if (link->closing)
		return;
	if (err) {
		not_secured(link, err);
		return;
	}
	if (!is_the_peer(link)) {
		if (!link->closing)
			discard(link);
		return;
	}
	if (link->probe->source)
		say_probe(link);
	reader_start(&link->reader);
}

static void closed(struct conn *conn)
{
	struct probe_link *link = conn_data(conn);
	struct probe *p = link->probe;

	TAILQ_REMOVE(&p->links, link, entry);
	p->count--;
	free(link);
	probe_link_ended(p);
}

const struct conn_handler probe_link_handler = {
	.secured = secured,
	.received = received,
	.sent = sent,
	.closed = closed,
};
