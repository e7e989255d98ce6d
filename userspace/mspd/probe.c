// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "mover.h"

#define DURATION_MS	200
#define MAX_DURATION_MS	2000
/* To connect and agree, and of a target until its source has come and gone */
#define PATIENCE_NS	(5 * NSEC_PER_SEC)
/* How often it is looked for the first bytes when the time is over */
#define LATE_NS		(5 * NSEC_PER_MSEC)
/* At the same time, of both roles */
#define MAX_PROBES	8
/* Connections of a target: of the peer, and of strangers */
#define MAX_LINKS	(2 * WIRE_MAX_CONNECTIONS)
/* The first samples are of a connection that only gets going */
#define WARM_UP		(PROBE_SAMPLES / 5)
/* Parts of the time of which a rate is told each */
#define PARTS		8

static const char *const roles[] = { "source", "target", NULL };

const struct rpc_param probe_params[] = {
	{ .name = "role", .type = RPC_STRING, .required = true, .one_of = roles },
	{ .name = "peer_identity", .type = RPC_STRING, .required = true },
	{ .name = "peer", .type = RPC_STRING },
	{ .name = "listen", .type = RPC_STRING },
	{ .name = "connections", .type = RPC_INTEGER, .min = 1, .max = WIRE_MAX_CONNECTIONS },
	{ .name = "ms", .type = RPC_INTEGER, .min = 10, .max = MAX_DURATION_MS },
	{ }
};

/* ---- the end; the worker's thread but where it says otherwise ---- */

static void answer_run(struct mail *mail)
{
	struct probe *p = container_of(mail, struct probe, answer);

	if (p->code)
		rpc_fail(p->request, p->code, "%s", p->text);
	else
		rpc_reply(p->request, p->result);
	p->request = NULL;
}

/* Main thread */
static void forget(struct probe *p)
{
	struct mover *mover = p->mover;

	LIST_REMOVE(p, link);
	identity_put(p->identity);
	free(p);
	ctl_check_stopped(mover);
}

/* Main thread; a mail that was posted keeps it */
static void gone_run(struct mail *mail)
{
	struct probe *p = container_of(mail, struct probe, gone);

	p->is_gone = true;
	if (!p->stopping)
		forget(p);
}

/* Main thread */
static void stopped_run(struct mail *mail)
{
	struct probe *p = container_of(mail, struct probe, stop);

	p->stopping = false;
	if (p->is_gone)
		forget(p);
}

static void answer(struct probe *p)
{
	if (p->answered)
		return;
	p->answered = true;
	mailbox_post(&p->mover->mailbox, &p->answer);
}

static void finish(struct probe *p)
{
	if (!p->ended || p->listener || p->count)
		return;
	timer_clear(&p->timer);
	mailbox_post(&p->mover->mailbox, &p->gone);
}

/* Once, and from the timer only: who calls probe_fail() may still use its link */
static void end(struct probe *p)
{
	struct probe_link *link;

	p->ended = true;
	if (p->listener)
		listener_close(p->listener);
	TAILQ_FOREACH(link, &p->links, entry)
		probe_link_close(link);
	finish(p);
}

static void end_soon(struct probe *p)
{
	if (p->ended)
		return;
	p->deadline_ns = 0;
	timer_set(p->worker, &p->timer, now_ns());
}

/**
 * probe_fail() - a probe has no result
 * @p: the probe
 * @code: enum rpc_code
 * @fmt: why
 */
void probe_fail(struct probe *p, int code, const char *fmt, ...)
{
	va_list ap;

	if (!p->answered) {
		p->code = code;
		va_start(ap, fmt);
		vsnprintf(p->text, sizeof(p->text), fmt, ap);
		va_end(ap);
		answer(p);
	}
	end_soon(p);
}

/**
 * probe_link_ended() - a connection is gone
 * @p: its probe
 */
void probe_link_ended(struct probe *p)
{
	/* A target whose source has come and gone has done what it is for */
	if (p->ended)
		finish(p);
	else if (!p->source && p->ready && !p->count)
		end_soon(p);
}

/* ---- the measurement ---- */

static uint64_t taken(const struct probe *p)
{
	const struct probe_link *link;
	uint64_t bytes = 0;

	TAILQ_FOREACH(link, &p->links, entry)
		bytes += link->loaded;
	return bytes;
}

static double rate_between(const struct probe *p, unsigned int from, unsigned int to)
{
	uint64_t ns = p->at_ns[to] - p->at_ns[from];

	return ns ? (double)(p->loaded[to] - p->loaded[from]) * NSEC_PER_SEC / (double)ns : 0;
}

static json_t *rates_json(const struct probe *p, unsigned int first, unsigned int last)
{
	json_t *rates = json_array();

	for (unsigned int i = 0; i < PARTS; i++) {
		unsigned int from = first + (last - first) * i / PARTS;
		unsigned int to = first + (last - first) * (i + 1) / PARTS;

		if (to > from)
			json_array_append_new(rates, rpc_json_u64((uint64_t)
								  rate_between(p, from, to)));
	}
	return rates;
}

static void measured(struct probe *p)
{
	unsigned int last = p->samples - 1;
	unsigned int first = min((unsigned int)WARM_UP, last / 2);

	/* All that came was of the beginning */
	if (p->loaded[first] == p->loaded[last])
		first = 0;
	p->result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:s}",
			      "bytes", rpc_json_u64(p->loaded[last]),
			      "ns", rpc_json_u64(p->at_ns[last] - p->begun_ns),
			      "bytes_per_second",
			      rpc_json_u64((uint64_t)rate_between(p, first, last)),
			      "rates", rates_json(p, first, last),
			      "rtt_us", rpc_json_u64(max(p->rtt_ns / NSEC_PER_USEC, (uint64_t)1)),
			      "connections", (int)p->connections,
			      "encryption", p->encryption);
	if (!p->result) {
		p->code = RPC_NOT_ENOUGH;
		snprintf(p->text, sizeof(p->text), "out of memory");
	}
	answer(p);
	end(p);
}

static void sample(struct probe *p)
{
	uint64_t now = now_ns();

	p->at_ns[p->samples] = now;
	p->loaded[p->samples++] = taken(p);
	if (p->samples < PROBE_SAMPLES && now - p->begun_ns < p->duration_ns) {
		timer_set(p->worker, &p->timer, p->begun_ns + p->duration_ns * p->samples /
						(PROBE_SAMPLES - 1));
	} else if (!p->loaded[p->samples - 1] && now - p->begun_ns < PATIENCE_NS) {
		/* Slow, or without a processor: nothing would be no answer, one sample no rate */
		p->samples = max(p->samples - 1, 1U);
		timer_set(p->worker, &p->timer, now + LATE_NS);
	} else {
		measured(p);
	}
}

static void load(struct probe *p)
{
	struct probe_link *link;

	p->begun = true;
	p->begun_ns = now_ns();
	TAILQ_FOREACH(link, &p->links, entry)
		probe_link_load(link);
	sample(p);
}

/**
 * probe_pong() - the peer has answered a PING
 * @p: of a source
 */
void probe_pong(struct probe *p)
{
	uint64_t ns = now_ns() - p->ping_ns;

	/* One that has failed may still have connections, for a moment */
	if (!p->source || !p->ping_ns || p->begun || p->answered)
		return;
	p->rtt_ns = p->rtt_ns ? min(p->rtt_ns, ns) : ns;
	p->ping_ns = 0;
	if (++p->pings < PROBE_PINGS)
		probe_link_ping(TAILQ_FIRST(&p->links));
	else
		load(p);
}

/**
 * probe_link_ready() - both sides of a connection have agreed
 * @link: the connection
 */
void probe_link_ready(struct probe_link *link)
{
	static const char *const names[] = {
		[CONN_PLAIN] = "none", [CONN_TLS] = "tls", [CONN_KERNEL] = "kernel",
	};
	struct probe *p = link->probe;

	p->encryption = names[conn_cipher(link->conn)];
	p->ready++;
	if (p->source && p->ready == p->connections)
		probe_link_ping(link);
}

/* ---- the beginning ---- */

static void on_timer(struct timer *timer)
{
	struct probe *p = container_of(timer, struct probe, timer);

	if (p->ended)
		return;
	if (p->begun && p->deadline_ns) {
		sample(p);
		return;
	}
	if (p->deadline_ns && p->source)
		probe_fail(p, RPC_FAILED, "no agreement with the peer within %d s",
			   (int)(PATIENCE_NS / NSEC_PER_SEC));
	end(p);
}

static void connect_all(struct probe *p)
{
	int err = -ENOMEM;

	for (unsigned int i = 0; i < p->connections; i++) {
		struct conn *conn = conn_connect(p->worker, &p->address, p->identity,
						 &probe_link_handler, NULL, &err);
		struct probe_link *link = conn ? probe_link_new(p, conn) : NULL;

		if (!link) {
			if (conn) {
				conn_set_handler(conn, &stray_handler, NULL);
				conn_close(conn);
			}
			probe_fail(p, RPC_FAILED, "connect: %s", strerror(-err));
			return;
		}
		link->index = i;
	}
}

static void accepted(struct listener *listener, struct conn *conn)
{
	struct probe *p = listener_data(listener);
	struct probe_link *link = p->count < MAX_LINKS ? probe_link_new(p, conn) : NULL;

	if (!link) {
		conn_set_handler(conn, &stray_handler, NULL);
		conn_close(conn);
		return;
	}
	conn_accept(conn, p->identity);
}

static void listener_gone(struct listener *listener)
{
	struct probe *p = listener_data(listener);

	p->listener = NULL;
	finish(p);
}

static const struct listener_handler listener_handler = {
	.accepted = accepted,
	.closed = listener_gone,
};

static void listen_for_peer(struct probe *p)
{
	struct conn_address address;
	char host[CONN_NAME_BYTES];
	uint16_t port;
	int err;

	p->listener = listener_open(p->worker, &p->address, p->ports[0], p->ports[1],
				    &listener_handler, p, &err);
	if (!p->listener) {
		probe_fail(p, RPC_FAILED, "listen: %s", strerror(-err));
		return;
	}
	listener_address(p->listener, &address);
	conn_format(&address, host, &port);
	p->result = json_pack("{s:s, s:i}", "address", host, "port", (int)port);
	answer(p);
}

static void begin_run(struct mail *mail)
{
	struct probe *p = container_of(mail, struct probe, mail);

	p->timer.expire = on_timer;
	p->deadline_ns = now_ns() + PATIENCE_NS +
			 (p->source ? 0 : MAX_DURATION_MS * NSEC_PER_MSEC);
	timer_set(p->worker, &p->timer, p->deadline_ns);
	if (p->source)
		connect_all(p);
	else
		listen_for_peer(p);
}

static void stop_run(struct mail *mail)
{
	struct probe *p = container_of(mail, struct probe, stop);

	if (!p->ended)
		probe_fail(p, RPC_STATE, "mspd is stopping");
	p->stop.run = stopped_run;
	mailbox_post(&p->mover->mailbox, &p->stop);
}

/* ---- the main thread ---- */

static bool may_probe(struct mover *mover, struct rpc_request *req)
{
	struct probe *p;
	unsigned int count = 0;

	LIST_FOREACH(p, &mover->probes, link)
		count++;
	if (mover->stopping)
		rpc_fail(req, RPC_STATE, "mspd is stopping");
	else if (mover->running >= mover->config.max_vasi_ops)
		rpc_fail(req, RPC_NOT_ENOUGH,
			 "%u moves are running, the limit is %u (max_vasi_ops)",
			 mover->running, mover->config.max_vasi_ops);
	else if (count >= MAX_PROBES)
		rpc_fail(req, RPC_NOT_ENOUGH, "%u probes are under way", count);
	else
		return true;
	return false;
}

static int parse_address(struct rpc_request *req, const json_t *params, struct probe *p)
{
	const char *name = p->source ? "peer" : "listen";
	const char *other = p->source ? "listen" : "peer";
	const char *text = rpc_get_string(params, name,
					  p->source ? NULL : p->mover->config.listen);
	const char *why = "missing";

	if (rpc_has(params, other) || (!p->source && rpc_has(params, "connections")))
		rpc_fail(req, RPC_INVALID_PARAMS, "%s: not for a %s", rpc_has(params, other) ?
			 other : "connections", p->source ? "source" : "target");
	else if (!text || conn_resolve(text, p->source, &p->address, &why))
		rpc_fail(req, RPC_INVALID_PARAMS, "%s \"%.64s\": %s", name, text ? text : "",
			 why);
	else
		return 0;
	return -EINVAL;
}

static int parse(struct rpc_request *req, const json_t *params, struct probe *p)
{
	const struct config *config = &p->mover->config;
	const char *peer = rpc_get_string(params, "peer_identity", "");

	p->source = !strcmp(rpc_get_string(params, "role", ""), "source");
	p->connections = (unsigned int)rpc_get_u64(params, "connections", config->connections);
	p->duration_ns = rpc_get_u64(params, "ms", DURATION_MS) * NSEC_PER_MSEC;
	p->encrypted = config->encrypt_data;
	p->ports[0] = config->tcp_port_low;
	p->ports[1] = config->tcp_port_high;
	if (!identity_is_name(peer) || !strcmp(peer, p->mover->identity->name)) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "peer_identity: \"SHA256:\" and 64 lower-case hexadecimal digits of another mover expected, not \"%.80s\"",
			 peer);
		return -EINVAL;
	}
	memcpy(p->peer, peer, strlen(peer) + 1);
	return parse_address(req, params, p);
}

/**
 * probe_request() - "probe" of the control socket
 * @req: answered when it listens (target), or has measured (source)
 * @params: as probe_params
 * @data: mover
 *
 * Context: main thread.
 */
void probe_request(struct rpc_request *req, const json_t *params, void *data)
{
	struct mover *mover = data;
	struct probe *p;

	if (!may_probe(mover, req))
		return;
	p = calloc(1, sizeof(*p));
	if (!p) {
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		return;
	}
	p->mover = mover;
	if (parse(req, params, p)) {
		free(p);
		return;
	}
	p->request = req;
	p->worker = &mover->workers[mover->next_probe++ % mover->nworkers];
	p->identity = identity_get(mover->identity);
	p->mail.run = begin_run;
	p->stop.run = stop_run;
	p->answer.run = answer_run;
	p->gone.run = gone_run;
	TAILQ_INIT(&p->links);
	LIST_INSERT_HEAD(&mover->probes, p, link);
	mailbox_post(&p->worker->mailbox, &p->mail);
}

/**
 * probes_stop() - have every probe end
 * @mover: the daemon
 *
 * Context: main thread; once.
 */
void probes_stop(struct mover *mover)
{
	struct probe *p;

	LIST_FOREACH(p, &mover->probes, link) {
		p->stopping = true;
		mailbox_post(&p->worker->mailbox, &p->stop);
	}
}
