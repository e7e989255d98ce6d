/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes: how much does the way between two movers carry, and how long does it take
 * there and back?  Over connections as a move has them, with data that goes nowhere; no
 * device and no session has to do with it (Documentation/mover-protocol.rst).
 *
 *   probe.c	a probe: what the control socket asks for, its connections, its end
 *   probe_link.c  one connection of it
 */
#ifndef _PROBE_H
#define _PROBE_H

#include <sys/queue.h>
#include "common/rpc.h"
#include "conn.h"
#include "frames.h"

#define PROBE_SAMPLES	48
#define PROBE_PINGS	5

struct mover;
struct probe;

/**
 * struct probe_link - one connection of a probe
 * @probe:	of it
 * @conn:	the connection
 * @reader: @writer: of its frames
 * @index:	which, of a source
 * @ready:	both sides have agreed
 * @refused:	what comes is only read
 * @closing:	conn_close() was called
 * @loading:	source: it is to send what it can
 * @in_load:	a LOAD is being sent
 * @offset:	bytes of LOADs sent, or taken
 * @loaded:	source: bytes that the target has taken
 * @header:	of the LOAD, @iov with its body
 * @body:	of small frames
 */
struct probe_link {
	TAILQ_ENTRY(probe_link) entry;
	struct probe *probe;
	struct conn *conn;
	struct reader reader;
	struct writer writer;
	unsigned int index;
	bool ready;
	bool refused;
	bool closing;
	bool loading;
	bool in_load;
	uint64_t offset;
	uint64_t loaded;
	struct wire_header header;
	struct iovec iov[2];
	uint8_t body[WIRE_MAX_TEXT + 1];
};

/**
 * struct probe - a probe, of either side.  Belongs to a worker, but @link and @mover
 * @mail:	to the worker: begin
 * @stop:	to the worker: mspd ends
 * @answer:	to the main thread: answer @request
 * @gone:	to the main thread, last
 * @request:	NULL: answered
 * @worker:	it belongs to
 * @identity:	own; held
 * @encrypted:	as data connections of a move are
 * @source:	it sends
 * @address:	of the peer, or where to listen
 * @ports:	to listen on, 0 = any
 * @peer:	who the peer has to be
 * @connections: of a source
 * @duration_ns: of the load
 * @listener:	of a target
 * @timer:	of the next sample, or of the end
 * @deadline_ns: when both sides must have agreed, and a target's source have gone;
 *		0: it is to end
 * @links:	connections
 * @count:	of them
 * @ready:	of them, so far
 * @begun:	of a source: the load goes on
 * @answered:	@answer was posted
 * @ended:	it ends
 * @stopping:	main thread: @stop is under way
 * @is_gone:	main thread: the worker has let go
 * @pings:	that were answered
 * @ping_ns:	when the last was sent
 * @rtt_ns:	the shortest way there and back
 * @begun_ns:	when the load began
 * @samples:	that were taken of
 * @at_ns: @loaded: bytes taken by then
 * @encryption:	of the connections, by name
 * @code: @text: @result: for the answer
 * @scratch:	where LOADs come from and go
 */
struct probe {
	LIST_ENTRY(probe) link;
	struct mover *mover;
	struct mail mail;
	struct mail stop;
	struct mail answer;
	struct mail gone;
	struct rpc_request *request;
	struct worker *worker;
	struct identity *identity;
	bool encrypted;
	bool source;
	struct conn_address address;
	uint16_t ports[2];
	char peer[IDENTITY_BYTES];
	unsigned int connections;
	uint64_t duration_ns;
	struct listener *listener;
	struct timer timer;
	uint64_t deadline_ns;
	TAILQ_HEAD(, probe_link) links;
	unsigned int count;
	unsigned int ready;
	bool begun;
	bool answered;
	bool ended;
	bool stopping;
	bool is_gone;
	unsigned int pings;
	uint64_t ping_ns;
	uint64_t rtt_ns;
	uint64_t begun_ns;
	unsigned int samples;
	uint64_t at_ns[PROBE_SAMPLES];
	uint64_t loaded[PROBE_SAMPLES];
	const char *encryption;
	int code;
	char text[384];
	json_t *result;
	uint8_t scratch[WIRE_MAX_LOAD];
};

/* For ctl.c */
extern const struct rpc_param probe_params[];
void probe_request(struct rpc_request *req, const json_t *params, void *data);
void probes_stop(struct mover *mover);

/* probe.c, for probe_link.c */
void probe_fail(struct probe *p, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void probe_link_ready(struct probe_link *link);
void probe_pong(struct probe *p);
void probe_link_ended(struct probe *p);

/* probe_link.c */
struct probe_link *probe_link_new(struct probe *p, struct conn *conn);
extern const struct conn_handler probe_link_handler;
void probe_link_close(struct probe_link *link);
void probe_link_ping(struct probe_link *link);
void probe_link_load(struct probe_link *link);

#endif /* _PROBE_H */
