/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames that two movers exchange: layouts, encoding and validation
 * (Documentation/mover-protocol.rst).  No I/O, no allocation.
 */
#ifndef _WIRE_H
#define _WIRE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#define WIRE_MAGIC		0x564153494d4f5652ULL	/* "VASIMOVR" */
#define WIRE_MAJOR		2
#define WIRE_MINOR		1	/* 1: probes */
/* Features.  Keys of data connections may be renewed (KeyUpdate) */
#define WIRE_FEATURE_REKEY	1ULL

#define WIRE_TOKEN_BYTES	16
#define WIRE_MAX_TEXT		512
#define WIRE_MAX_REVERSE	4096
#define WIRE_MAX_SESSIONS	64
#define WIRE_MAX_CONNECTIONS	16
/* Bounds of what ACCEPT may name */
#define WIRE_MAX_FRAME		(16u << 20)
#define WIRE_MAX_CREDIT		(1ULL << 40)
/* A probe's: bytes of a LOAD, and of all of them on one connection */
#define WIRE_MAX_LOAD		(256u << 10)
#define WIRE_MAX_PROBE		(1ULL << 30)
/* Argument of PING: the sender's own mark, see mover-protocol.rst, "Credit" */
#define WIRE_PING_STOPPED	(1ULL << 63)

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_ACCEPT,
	WIRE_REFUSE,
	WIRE_ATTACH,
	WIRE_ATTACHED,
	WIRE_DATA,
	WIRE_ACK,
	WIRE_REVERSE,
	WIRE_REVERSE_ACK,
	WIRE_MESSAGE,
	WIRE_STATE,
	WIRE_PING,
	WIRE_PONG,
	WIRE_BYE,
	WIRE_PROBE,
	WIRE_PROBING,
	WIRE_LOAD,
	WIRE_LOADED,
	WIRE_TYPES,
};

/* Argument of REFUSE and BYE */
enum wire_code {
	WIRE_CODE_OK = 0,	/* BYE: the stream is final on this side */
	WIRE_CODE_VERSION,	/* another major version */
	WIRE_CODE_STREAM,	/* another stream id, or no such token */
	WIRE_CODE_BUSY,		/* there is a control connection already */
	WIRE_CODE_PROTOCOL,	/* a frame that breaks the rules */
	WIRE_CODE_RESOURCES,	/* memory, sessions */
	WIRE_CODE_ABORTED,	/* the stream was aborted */
	WIRE_CODE_LOST,		/* a device, a connection or the peer was lost */
	WIRE_CODE_IDENTITY,	/* not the peer that the stream is to be moved with */
	WIRE_CODE_ENCRYPTION,	/* one side encrypts data, the other does not */
};

/* Field "security" of HELLO */
#define WIRE_DATA_ENCRYPTED	1u

/* Where a frame may appear, and who may send it */
enum wire_place {
	WIRE_CONTROL		= 0x01,
	WIRE_DATA_CONNECTION	= 0x02,
	WIRE_PROBE_CONNECTION	= 0x04,
	WIRE_FROM_SOURCE	= 0x10,
	WIRE_FROM_TARGET	= 0x20,
};

struct wire_header {
	uint8_t	type;
	uint8_t	flags;
	__be16	session;
	__be32	length;
	__be64	offset;
	__be64	argument;
} __attribute__((packed));
static_assert(sizeof(struct wire_header) == 24, "frame header");

struct wire_hello {
	__be64	magic;
	__be16	major;
	__be16	minor;
	__be32	security;
	__be64	features;
	__be64	stream_id;
	__be16	sessions;
	__be16	connections;
	__be32	max_frame;
	uint8_t	reserved[24];
} __attribute__((packed));
static_assert(sizeof(struct wire_hello) == 64, "HELLO");

struct wire_accept {
	__be64	magic;
	__be16	major;
	__be16	minor;
	__be32	max_frame;
	__be64	features;
	__be64	stream_id;
	__be16	sessions;
	__be16	connections;
	__be32	charge;
	__be64	credit;
	uint8_t	reserved[16];
} __attribute__((packed));
static_assert(sizeof(struct wire_accept) == 64, "ACCEPT");

struct wire_probe {
	__be64	magic;
	__be16	major;
	__be16	minor;
	__be32	security;
	__be16	connections;
	__be16	index;
	uint8_t	reserved[12];
} __attribute__((packed));
static_assert(sizeof(struct wire_probe) == 32, "PROBE");

/* The largest body of a control frame other than REVERSE: ACCEPT with its tokens */
#define WIRE_MAX_BODY	(sizeof(struct wire_accept) + \
			 WIRE_MAX_CONNECTIONS * WIRE_TOKEN_BYTES + WIRE_MAX_TEXT)

/**
 * struct frame - a frame's header in host byte order
 * @type:	enum wire_type
 * @session:	index of the session, or 0
 * @length:	bytes of the body
 * @offset:	position in the session's byte stream, or 0
 * @argument:	by type, or 0
 */
struct frame {
	uint8_t type;
	uint16_t session;
	uint32_t length;
	uint64_t offset;
	uint64_t argument;
};

/**
 * struct wire_limits - what the receiver of a frame holds it against
 * @place:	enum wire_place: the kind of connection, and who the sender is
 * @sessions:	sessions of the move; 0 = not agreed yet
 * @max_frame:	bytes of the longest DATA frame that was agreed
 */
struct wire_limits {
	unsigned int place;
	unsigned int sessions;
	uint32_t max_frame;
};

#define WIRE_ERROR_BYTES	160

void wire_encode(struct wire_header *header, const struct frame *frame);
int wire_decode(struct frame *frame, const struct wire_header *header,
		const struct wire_limits *limits, char error[WIRE_ERROR_BYTES]);
const char *wire_type_name(uint8_t type);

/**
 * struct hello - HELLO or ACCEPT in host byte order
 * @major, @minor: version
 * @encrypted:	HELLO: the sender encrypts data connections
 * @features:	offered, or in common
 * @stream_id:	of the stream
 * @sessions:	wished, or agreed
 * @connections: likewise
 * @max_frame:	longest DATA frame that the sender of HELLO sends, or that the
 *		sender of ACCEPT takes
 * @charge:	ACCEPT: stream bytes that one download buffer holds
 * @credit:	ACCEPT: initial credit of each session in bytes
 */
struct hello {
	uint16_t major;
	uint16_t minor;
	bool encrypted;
	uint64_t features;
	uint64_t stream_id;
	uint16_t sessions;
	uint16_t connections;
	uint32_t max_frame;
	uint32_t charge;
	uint64_t credit;
};

void wire_hello_encode(struct wire_hello *body, const struct hello *hello);
int wire_hello_decode(struct hello *hello, const struct wire_hello *body,
		      char error[WIRE_ERROR_BYTES]);
void wire_accept_encode(struct wire_accept *body, const struct hello *hello);
int wire_accept_decode(struct hello *hello, const struct wire_accept *body,
		       const struct hello *wished, char error[WIRE_ERROR_BYTES]);

/**
 * struct probe_hello - PROBE in host byte order
 * @major, @minor: version
 * @encrypted:	the sender encrypts data connections
 * @connections: of the probe
 * @index:	which of them this is
 */
struct probe_hello {
	uint16_t major;
	uint16_t minor;
	bool encrypted;
	uint16_t connections;
	uint16_t index;
};

void wire_probe_encode(struct wire_probe *body, const struct probe_hello *probe);
int wire_probe_decode(struct probe_hello *probe, const struct wire_probe *body,
		      char error[WIRE_ERROR_BYTES]);
bool wire_token_equal(const uint8_t *a, const uint8_t *b);

#endif /* _WIRE_H */
