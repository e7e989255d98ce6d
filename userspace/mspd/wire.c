// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames: encoding and validation.  What a peer sends is believed only after
 * it has passed through here.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "wire.h"

#define C	WIRE_CONTROL
#define D	WIRE_DATA_CONNECTION
#define P	WIRE_PROBE_CONNECTION
#define S	WIRE_FROM_SOURCE
#define T	WIRE_FROM_TARGET

/* Which fields of the header a type uses */
#define F_SESSION	1
#define F_OFFSET	2
#define F_ARGUMENT	4

struct frame_rule {
	const char *name;
	uint8_t place;
	uint8_t fields;
	uint32_t min;
	uint32_t max;
};

/* DATA is bounded by what was agreed, not by the table */
static const struct frame_rule rules[WIRE_TYPES] = {
	[WIRE_HELLO]	   = { "HELLO", C | S, 0, sizeof(struct wire_hello),
			       sizeof(struct wire_hello) },
	[WIRE_ACCEPT]	   = { "ACCEPT", C | T, 0,
			       sizeof(struct wire_accept) + WIRE_TOKEN_BYTES,
			       sizeof(struct wire_accept) +
			       WIRE_MAX_CONNECTIONS * WIRE_TOKEN_BYTES },
	[WIRE_REFUSE]	   = { "REFUSE", C | D | P | S | T, F_ARGUMENT, 0, WIRE_MAX_TEXT },
	[WIRE_ATTACH]	   = { "ATTACH", D | S, F_ARGUMENT, WIRE_TOKEN_BYTES,
			       WIRE_TOKEN_BYTES },
	[WIRE_ATTACHED]	   = { "ATTACHED", D | T, 0, 0, 0 },
	[WIRE_DATA]	   = { "DATA", D | S, F_SESSION | F_OFFSET, 1, UINT32_MAX },
	[WIRE_ACK]	   = { "ACK", C | T, F_SESSION | F_OFFSET | F_ARGUMENT, 0, 0 },
	[WIRE_REVERSE]	   = { "REVERSE", C | T, F_SESSION | F_OFFSET, 1,
			       WIRE_MAX_REVERSE },
	[WIRE_REVERSE_ACK] = { "REVERSE_ACK", C | S, F_SESSION | F_OFFSET, 0, 0 },
	[WIRE_MESSAGE]	   = { "MESSAGE", C | S | T, F_SESSION, 8, 8 },
	[WIRE_STATE]	   = { "STATE", C | S | T, F_ARGUMENT, 0, 0 },
	[WIRE_PING]	   = { "PING", C | P | S | T, F_ARGUMENT, 0, 0 },
	[WIRE_PONG]	   = { "PONG", C | P | S | T, F_ARGUMENT, 0, 0 },
	[WIRE_BYE]	   = { "BYE", C | S | T, F_ARGUMENT, 0, WIRE_MAX_TEXT },
	[WIRE_PROBE]	   = { "PROBE", P | S, 0, sizeof(struct wire_probe),
			       sizeof(struct wire_probe) },
	[WIRE_PROBING]	   = { "PROBING", P | T, F_ARGUMENT, 0, 0 },
	[WIRE_LOAD]	   = { "LOAD", P | S, F_OFFSET, 1, WIRE_MAX_LOAD },
	[WIRE_LOADED]	   = { "LOADED", P | T, F_OFFSET, 0, 0 },
};

#undef C
#undef D
#undef P
#undef S
#undef T

__attribute__((format(printf, 2, 3)))
static int bad(char error[WIRE_ERROR_BYTES], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, WIRE_ERROR_BYTES, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

/**
 * wire_type_name() - name of a frame type, for messages
 * @type: enum wire_type, or anything
 */
const char *wire_type_name(uint8_t type)
{
	if (type >= WIRE_TYPES || !rules[type].name)
		return "unknown";
	return rules[type].name;
}

/**
 * wire_encode() - write a frame's header
 * @header: result, big-endian
 * @frame: what it says; the caller keeps to the protocol
 */
void wire_encode(struct wire_header *header, const struct frame *frame)
{
	*header = (struct wire_header) {
		.type = frame->type,
		.session = htobe16(frame->session),
		.length = htobe32(frame->length),
		.offset = htobe64(frame->offset),
		.argument = htobe64(frame->argument),
	};
}

static int check_length(const struct frame *frame, const struct frame_rule *rule,
			const struct wire_limits *limits, char *error)
{
	uint32_t most = rule->max;

	if (frame->type == WIRE_DATA)
		most = limits->max_frame;
	if (frame->length < rule->min || frame->length > most)
		return bad(error, "%s: length is %" PRIu32 ", allowed are %" PRIu32
			   " to %" PRIu32, rule->name, frame->length, rule->min, most);
	return 0;
}

static const char *place_name(unsigned int place)
{
	if (place & WIRE_CONTROL)
		return "control";
	return place & WIRE_DATA_CONNECTION ? "data" : "probe";
}

/**
 * wire_decode() - read and validate a frame's header
 * @frame: result, undefined on error
 * @header: 24 bytes from the peer
 * @limits: what they are held against
 * @error: on error a text that names the field, its value and the limit
 *
 * Return: 0, or -EBADMSG.
 */
int wire_decode(struct frame *frame, const struct wire_header *header,
		const struct wire_limits *limits, char error[WIRE_ERROR_BYTES])
{
	const unsigned int kind = WIRE_CONTROL | WIRE_DATA_CONNECTION |
				  WIRE_PROBE_CONNECTION;
	const unsigned int from = WIRE_FROM_SOURCE | WIRE_FROM_TARGET;
	const struct frame_rule *rule;

	*frame = (struct frame) {
		.type = header->type,
		.session = be16toh(header->session),
		.length = be32toh(header->length),
		.offset = be64toh(header->offset),
		.argument = be64toh(header->argument),
	};
	if (frame->type >= WIRE_TYPES || !rules[frame->type].name)
		return bad(error, "frame type is %u, known are 1 to %u",
			   frame->type, WIRE_TYPES - 1);
	rule = &rules[frame->type];
	if (!(rule->place & limits->place & kind))
		return bad(error, "%s does not belong on a %s connection", rule->name,
			   place_name(limits->place));
	if (!(rule->place & limits->place & from))
		return bad(error, "%s is not for a %s mover to send", rule->name,
			   limits->place & WIRE_FROM_SOURCE ? "source" : "target");
	if (header->flags)
		return bad(error, "%s: flags are 0x%02x, must be zero", rule->name,
			   header->flags);
	if (!(rule->fields & F_SESSION) && frame->session)
		return bad(error, "%s: session is %u, must be zero", rule->name,
			   frame->session);
	if ((rule->fields & F_SESSION) && frame->session >= limits->sessions)
		return bad(error, "%s: session is %u, there are %u", rule->name,
			   frame->session, limits->sessions);
	if (!(rule->fields & F_OFFSET) && frame->offset)
		return bad(error, "%s: offset is %" PRIu64 ", must be zero",
			   rule->name, frame->offset);
	if (!(rule->fields & F_ARGUMENT) && frame->argument)
		return bad(error, "%s: argument is %" PRIu64 ", must be zero",
			   rule->name, frame->argument);
	if (frame->offset > UINT64_MAX - frame->length)
		return bad(error, "%s: offset %" PRIu64 " and length %" PRIu32
			   " pass the end of 64 bits", rule->name, frame->offset,
			   frame->length);
	return check_length(frame, rule, limits, error);
}

static int check_magic(const char *what, uint64_t magic, uint16_t major,
		       char *error)
{
	if (magic != WIRE_MAGIC)
		return bad(error, "%s: magic is 0x%016" PRIx64 ", not a mover's", what,
			   magic);
	if (major != WIRE_MAJOR) {
		bad(error, "%s: protocol version %u of the peer, %u here: majors must be equal",
		    what, major, WIRE_MAJOR);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static int check_counts(const char *what, const struct hello *h, char *error)
{
	if (!h->stream_id)
		return bad(error, "%s: stream id is zero", what);
	if (!h->sessions || h->sessions > WIRE_MAX_SESSIONS)
		return bad(error, "%s: sessions is %u, allowed are 1 to %u", what,
			   h->sessions, WIRE_MAX_SESSIONS);
	if (!h->connections || h->connections > WIRE_MAX_CONNECTIONS)
		return bad(error, "%s: connections is %u, allowed are 1 to %u", what,
			   h->connections, WIRE_MAX_CONNECTIONS);
	if (!h->max_frame || h->max_frame > WIRE_MAX_FRAME)
		return bad(error, "%s: frame limit is %" PRIu32
			   " bytes, allowed are 1 to %u", what, h->max_frame,
			   WIRE_MAX_FRAME);
	return 0;
}

/**
 * wire_hello_encode() - write the body of HELLO
 * @body: result, big-endian
 * @hello: what it says
 */
void wire_hello_encode(struct wire_hello *body, const struct hello *hello)
{
	*body = (struct wire_hello) {
		.magic = htobe64(WIRE_MAGIC),
		.major = htobe16(hello->major),
		.minor = htobe16(hello->minor),
		.security = htobe32(hello->encrypted ? WIRE_DATA_ENCRYPTED : 0),
		.features = htobe64(hello->features),
		.stream_id = htobe64(hello->stream_id),
		.sessions = htobe16(hello->sessions),
		.connections = htobe16(hello->connections),
		.max_frame = htobe32(hello->max_frame),
	};
}

/**
 * wire_hello_decode() - read and validate the body of HELLO
 * @hello: result
 * @body: 64 bytes from the peer
 * @error: on error, why
 *
 * A newer minor may use what is reserved here, so that is checked only for
 * minors we know.
 *
 * Return: 0, -EPROTONOSUPPORT for another major version, or -EBADMSG.
 */
int wire_hello_decode(struct hello *hello, const struct wire_hello *body,
		      char error[WIRE_ERROR_BYTES])
{
	int ret;

	*hello = (struct hello) {
		.major = be16toh(body->major),
		.minor = be16toh(body->minor),
		.encrypted = be32toh(body->security) & WIRE_DATA_ENCRYPTED,
		.features = be64toh(body->features),
		.stream_id = be64toh(body->stream_id),
		.sessions = be16toh(body->sessions),
		.connections = be16toh(body->connections),
		.max_frame = be32toh(body->max_frame),
	};
	ret = check_magic("HELLO", be64toh(body->magic), hello->major, error);
	if (ret)
		return ret;
	if (be32toh(body->security) & ~WIRE_DATA_ENCRYPTED)
		return bad(error, "HELLO: security is 0x%08" PRIx32 ", known is 0x%x",
			   be32toh(body->security), WIRE_DATA_ENCRYPTED);
	if (hello->minor <= WIRE_MINOR &&
	    !all_zero(body->reserved, sizeof(body->reserved)))
		return bad(error, "HELLO: a reserved byte is not zero");
	return check_counts("HELLO", hello, error);
}

/**
 * wire_accept_encode() - write the fixed part of the body of ACCEPT
 * @body: result, big-endian; the tokens follow it
 * @hello: what it says
 */
void wire_accept_encode(struct wire_accept *body, const struct hello *hello)
{
	*body = (struct wire_accept) {
		.magic = htobe64(WIRE_MAGIC),
		.major = htobe16(hello->major),
		.minor = htobe16(hello->minor),
		.max_frame = htobe32(hello->max_frame),
		.features = htobe64(hello->features),
		.stream_id = htobe64(hello->stream_id),
		.sessions = htobe16(hello->sessions),
		.connections = htobe16(hello->connections),
		.charge = htobe32(hello->charge),
		.credit = htobe64(hello->credit),
	};
}

/**
 * wire_accept_decode() - read and validate the fixed part of ACCEPT
 * @hello: result
 * @body: 64 bytes from the peer
 * @wished: the HELLO it answers; nothing may exceed it
 * @error: on error, why
 *
 * Return: 0, -EPROTONOSUPPORT for another major version, or -EBADMSG.
 */
int wire_accept_decode(struct hello *hello, const struct wire_accept *body,
		       const struct hello *wished, char error[WIRE_ERROR_BYTES])
{
	int ret;

	*hello = (struct hello) {
		.major = be16toh(body->major),
		.minor = be16toh(body->minor),
		.features = be64toh(body->features),
		.stream_id = be64toh(body->stream_id),
		.sessions = be16toh(body->sessions),
		.connections = be16toh(body->connections),
		.max_frame = be32toh(body->max_frame),
		.charge = be32toh(body->charge),
		.credit = be64toh(body->credit),
	};
	ret = check_magic("ACCEPT", be64toh(body->magic), hello->major, error);
	if (ret)
		return ret;
	ret = check_counts("ACCEPT", hello, error);
	if (ret)
		return ret;
	if (!all_zero(body->reserved, sizeof(body->reserved)))
		return bad(error, "ACCEPT: a reserved byte is not zero");
	if (hello->stream_id != wished->stream_id)
		return bad(error, "ACCEPT: stream id is %016" PRIx64 ", asked for was %016"
			   PRIx64, hello->stream_id, wished->stream_id);
	if (hello->minor > wished->minor)
		return bad(error, "ACCEPT: minor version is %u, offered was %u",
			   hello->minor, wished->minor);
	if (hello->features & ~wished->features)
		return bad(error, "ACCEPT: features 0x%" PRIx64 " were not offered",
			   hello->features & ~wished->features);
	if (hello->sessions > wished->sessions)
		return bad(error, "ACCEPT: sessions is %u, wished were %u",
			   hello->sessions, wished->sessions);
	if (hello->connections > wished->connections)
		return bad(error, "ACCEPT: connections is %u, wished were %u",
			   hello->connections, wished->connections);
	if (!hello->charge || hello->charge > WIRE_MAX_FRAME)
		return bad(error, "ACCEPT: charge is %" PRIu32 ", allowed are 1 to %u",
			   hello->charge, WIRE_MAX_FRAME);
	if (hello->credit < hello->charge || hello->credit > WIRE_MAX_CREDIT)
		return bad(error, "ACCEPT: credit is %" PRIu64 ", allowed are %" PRIu32
			   " to %" PRIu64, hello->credit, hello->charge,
			   (uint64_t)WIRE_MAX_CREDIT);
	return 0;
}

/**
 * wire_probe_encode() - write the body of PROBE
 * @body: result, big-endian
 * @probe: what it says
 */
void wire_probe_encode(struct wire_probe *body, const struct probe_hello *probe)
{
	*body = (struct wire_probe) {
		.magic = htobe64(WIRE_MAGIC),
		.major = htobe16(probe->major),
		.minor = htobe16(probe->minor),
		.security = htobe32(probe->encrypted ? WIRE_DATA_ENCRYPTED : 0),
		.connections = htobe16(probe->connections),
		.index = htobe16(probe->index),
	};
}

/**
 * wire_probe_decode() - read and validate the body of PROBE
 * @probe: result
 * @body: 32 bytes from the peer
 * @error: on error, why
 *
 * Return: 0, -EPROTONOSUPPORT for another major version, or -EBADMSG.
 */
int wire_probe_decode(struct probe_hello *probe, const struct wire_probe *body,
		      char error[WIRE_ERROR_BYTES])
{
	int ret;

	*probe = (struct probe_hello) {
		.major = be16toh(body->major),
		.minor = be16toh(body->minor),
		.encrypted = be32toh(body->security) & WIRE_DATA_ENCRYPTED,
		.connections = be16toh(body->connections),
		.index = be16toh(body->index),
	};
	ret = check_magic("PROBE", be64toh(body->magic), probe->major, error);
	if (ret)
		return ret;
	if (be32toh(body->security) & ~WIRE_DATA_ENCRYPTED)
		return bad(error, "PROBE: security is 0x%08" PRIx32 ", known is 0x%x",
			   be32toh(body->security), WIRE_DATA_ENCRYPTED);
	if (!probe->connections || probe->connections > WIRE_MAX_CONNECTIONS)
		return bad(error, "PROBE: connections is %u, allowed are 1 to %u",
			   probe->connections, WIRE_MAX_CONNECTIONS);
	if (probe->index >= probe->connections)
		return bad(error, "PROBE: index is %u, there are %u", probe->index,
			   probe->connections);
	if (probe->minor <= WIRE_MINOR && !all_zero(body->reserved, sizeof(body->reserved)))
		return bad(error, "PROBE: a reserved byte is not zero");
	return 0;
}

/**
 * wire_token_equal() - compare two tokens in constant time
 * @a: 16 bytes
 * @b: 16 bytes
 */
bool wire_token_equal(const uint8_t *a, const uint8_t *b)
{
	uint8_t difference = 0;

	for (int i = 0; i < WIRE_TOKEN_BYTES; i++)
		difference |= a[i] ^ b[i];
	return !difference;
}
