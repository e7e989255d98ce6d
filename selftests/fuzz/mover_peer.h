/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer that fuzz_mover plays: what it knows of the mover and of its own streams,
 * what it sends (mover_send.c), and what it holds the mover to (mover_check.c).
 */
#ifndef _MOVER_PEER_H
#define _MOVER_PEER_H

#include "common/util.h"
#include "fuzz.h"
#include "mover_host.h"
#include "phyp/record.h"

#define MOST_SESSIONS		8u
/*
 * Strangers, and a peer's that have not said what they are for; one that controls, those
 * with a token; and as many that are being closed
 */
#define MOST_CONNECTIONS	(2 * 5 * (WIRE_MAX_CONNECTIONS + 1))
#define PAGES			1024u

/**
 * struct far - what the peer knows of a connection
 * @control:	it is the control connection
 * @data:	a data connection, of this index
 * @header, @got, @frame, @left: the frame that comes from the mover
 * @body:	the start of its body
 */
struct far {
	bool control;
	bool data;
	bool answered;
	unsigned int index;
	struct wire_header header;
	unsigned int got;
	struct frame frame;
	uint32_t left;
	uint8_t body[WIRE_MAX_BODY];
};

/**
 * struct side - one session, as the peer sees it
 * @stream:	what the peer has for the mover's platform
 * @count:	bytes of it
 * @next:	next byte to be sent
 * @most:	where what was sent ends, whatever it was
 * @unsure:	bytes were sent that may be others than these
 * @down:	next byte for the platform
 * @end:	next byte that the mover should send, or what it has sent without gap
 * @odd:	it comes on several connections
 * @charged, @limit: the mover's credit
 * @taken, @granted: as the mover has acknowledged
 * @parser:	of what it sends
 */
struct side {
	uint8_t *stream;
	uint32_t count;
	uint32_t next;
	uint64_t most;
	bool unsure;
	uint32_t down;
	uint64_t end;
	bool odd;
	uint64_t charged;
	uint64_t limit;
	uint64_t taken;
	uint64_t granted;
	struct phyp_parser parser;
};

/**
 * struct fuzz - a run
 * @opaque:	raw bytes were sent: what the mover made of them is not known
 * @hello:	of the source, as the mover got or sent it
 * @agreed:	of the target, likewise; @sessions is zero until then
 * @tokens:	of data connections
 * @attached:	data connections, as far as the peer is concerned
 */
struct fuzz {
	struct fuzz_input in;
	struct host *h;
	bool source;			/* the mover is */
	bool opaque;
	bool hello_sent;
	struct hello hello;
	struct hello agreed;
	uint8_t tokens[WIRE_MAX_CONNECTIONS][WIRE_TOKEN_BYTES];
	unsigned int attached;
	uint64_t ping;
	struct side side[MOST_SESSIONS];
	uint8_t page[PAGES];		/* of the pane: bit 0 received into, 1 sent from */
	size_t memory;			/* allocated before the run */
};

/* ---- mover_check.c ---- */

struct far *peer_far(struct far_end *end);
struct far_end *peer_control(const struct fuzz *f);
/* Any connection; one that a session uses */
struct far_end *peer_end(const struct fuzz *f, unsigned int n);
struct far_end *peer_way(const struct fuzz *f, unsigned int s, unsigned int n);
/* Callbacks of the net and the host: what the mover sends, and hands to the platform */
void peer_taken(struct far_end *end, const uint8_t *bytes, size_t count);
void peer_download(struct host *h, const struct vasi_session *s, uint64_t data);
/* A turn of the worker's loop, and what holds before and after it */
void peer_turn(struct fuzz *f, uint64_t ns);

/* ---- mover_send.c; @how says what is special about it ---- */

struct far_end *peer_connect(struct fuzz *f);
struct far_end *peer_let_in(struct fuzz *f);
void peer_hello(struct fuzz *f, struct far_end *end, uint8_t how);
void peer_accept(struct fuzz *f, struct far_end *end, uint8_t how);
void peer_attach(struct fuzz *f, struct far_end *end, unsigned int index, uint8_t how);
void peer_attached(struct fuzz *f, struct far_end *end);
void peer_start_stream(struct fuzz *f, struct side *side, unsigned int session);
void peer_more_stream(struct fuzz *f, unsigned int session);
void peer_hand_over(struct fuzz *f);
void peer_piece(struct fuzz *f, struct far_end *end, unsigned int session, uint8_t how);
void peer_ack(struct fuzz *f, struct far_end *end, unsigned int session, uint8_t how);
void peer_small(struct fuzz *f, struct far_end *end, unsigned int session, uint8_t how);
void peer_raw(struct fuzz *f, struct far_end *end, uint8_t how);

#endif /* _MOVER_PEER_H */
