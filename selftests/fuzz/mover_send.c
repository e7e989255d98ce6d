// SPDX-License-Identifier: GPL-2.0-or-later
/* What a peer sends: what is right where it is now, but for what the input changes. */
#include <endian.h>
#include "mover_peer.h"
#include "phyp/internal.h"

#define MOST_STREAM	(192u << 10)

/* ---- What the peer sends ---- */

struct far_end *peer_connect(struct fuzz *f)
{
	struct far_end *end = f->h->net.count < MOST_CONNECTIONS / 2 ?
			      net_connect(&f->h->net) : NULL;

	if (end)
		end->takes = SIZE_MAX;
	return end;
}

/* One of the stream's peer, which is let in */
struct far_end *peer_let_in(struct fuzz *f)
{
	struct far_end *end = peer_connect(f);

	if (end)
		net_answer(end, 0);
	return end;
}

/* A piece of the input says what is not right: one field, or none */
static void spoil(struct fuzz *f, struct frame *frame, uint8_t how)
{
	switch (how & 7) {
	case 1:
		frame->session = fuzz_u16(&f->in);
		break;
	case 2:
		frame->offset = fuzz_u64(&f->in);
		break;
	case 3:
		frame->argument = fuzz_u64(&f->in);
		break;
	case 4:
		frame->offset += (int8_t)fuzz_u8(&f->in);
		break;
	case 5:
		frame->argument += (int8_t)fuzz_u8(&f->in);
		break;
	}
}

static void put(struct fuzz *f, struct far_end *end, const struct frame *frame,
		const void *bytes, uint32_t count)
{
	struct wire_header raw;

	(void)f;
	wire_encode(&raw, frame);
	if (net_bytes(end, &raw, sizeof(raw)))
		net_bytes(end, bytes, count);
}

/* The mover goes by the first one that it does not refuse */
static void note_hello(struct fuzz *f, struct far_end *end, const struct wire_hello *body)
{
	struct hello hello;

	if (wire_hello_decode(&hello, body, (char[WIRE_ERROR_BYTES]) { 0 }) ||
	    hello.stream_id != HOST_STREAM ||
	    hello.encrypted != f->h->params.config.encrypt_data)
		return;
	/* Which of two comes first, nobody knows */
	f->opaque |= f->hello_sent;
	f->hello = hello;
	f->hello_sent = true;
	peer_far(end)->control = true;
}

void peer_hello(struct fuzz *f, struct far_end *end, uint8_t how)
{
	struct frame frame = { .type = WIRE_HELLO, .length = sizeof(struct wire_hello) };
	struct wire_hello body;
	struct hello hello = {
		.major = WIRE_MAJOR,
		.minor = WIRE_MINOR,
		.encrypted = f->h->params.config.encrypt_data != ((how & 7) == 6),
		.features = WIRE_FEATURE_REKEY,
		.stream_id = HOST_STREAM + ((how & 7) == 5),
		.sessions = (uint16_t)(1 + (how >> 3 & 3)),
		.connections = (uint16_t)(1 + (how >> 5 & 3)),
		.max_frame = how & 0x80 ? 4096 : 1 << 20,
	};
	uint8_t where;

	wire_hello_encode(&body, &hello);
	if ((how & 7) == 7) {
		where = fuzz_u8(&f->in) % sizeof(body);
		((uint8_t *)&body)[where] ^= fuzz_u8(&f->in);
	}
	note_hello(f, end, &body);
	put(f, end, &frame, &body, sizeof(body));
}

/* The mover goes by the first one that holds together */
static void note_accept(struct fuzz *f, const struct far_end *end,
			const struct wire_accept *body, uint32_t length)
{
	struct hello agreed;

	/* What it answers was not even read; or it is where none belongs */
	f->opaque |= !f->hello_sent || end->number;
	if (f->agreed.sessions ||
	    wire_accept_decode(&agreed, body, &f->hello, (char[WIRE_ERROR_BYTES]) { 0 }) ||
	    length != sizeof(*body) + agreed.connections * WIRE_TOKEN_BYTES)
		return;
	f->agreed = agreed;
	for (unsigned int i = 0; i < MOST_SESSIONS; i++)
		f->side[i].limit = agreed.credit;
}

void peer_accept(struct fuzz *f, struct far_end *end, uint8_t how)
{
	struct frame frame = { .type = WIRE_ACCEPT };
	struct {
		struct wire_accept accept;
		uint8_t tokens[WIRE_MAX_CONNECTIONS][WIRE_TOKEN_BYTES];
	} body = { .tokens = { { 0 } } };
	struct hello accept = {
		.major = WIRE_MAJOR,
		.minor = WIRE_MINOR,
		.features = how & 0x40 ? f->hello.features : 0,
		.stream_id = HOST_STREAM,
		.sessions = (uint16_t)(1 + (how >> 3 & 3) % max(f->hello.sessions, 1)),
		.connections = (uint16_t)(1 + (how >> 5 & 3) % max(f->hello.connections, 1)),
		.max_frame = how & 0x80 ? 1000 : 1 << 20,
		.charge = 4096,
		.credit = 64 << 10,
	};
	uint8_t where;

	wire_accept_encode(&body.accept, &accept);
	for (unsigned int i = 0; i < WIRE_MAX_CONNECTIONS; i++) {
		memset(body.tokens[i], (int)i + 1, WIRE_TOKEN_BYTES);
		memset(f->tokens[i], (int)i + 1, WIRE_TOKEN_BYTES);
	}
	frame.length = (uint32_t)(sizeof(body.accept) +
				  (accept.connections + ((how & 7) == 6)) * WIRE_TOKEN_BYTES);
	if ((how & 7) == 7) {
		where = fuzz_u8(&f->in) % sizeof(body.accept);
		((uint8_t *)&body)[where] ^= fuzz_u8(&f->in);
	}
	note_accept(f, end, &body.accept, frame.length);
	put(f, end, &frame, &body, frame.length);
}

void peer_attach(struct fuzz *f, struct far_end *end, unsigned int index,
			uint8_t how)
{
	struct frame frame = {
		.type = WIRE_ATTACH, .length = WIRE_TOKEN_BYTES, .argument = index,
	};
	uint8_t token[WIRE_TOKEN_BYTES];

	memcpy(token, f->tokens[index % WIRE_MAX_CONNECTIONS], sizeof(token));
	spoil(f, &frame, how);
	if ((how & 7) == 7)
		token[fuzz_u8(&f->in) % sizeof(token)] ^= 1;
	if (!peer_far(end)->control) {
		peer_far(end)->data = true;
		peer_far(end)->index = index;
	}
	put(f, end, &frame, token, sizeof(token));
}

/* What belongs to a record of this type where the target's stream is now */
static uint32_t right(struct fuzz *f, uint8_t type, uint64_t *arg, uint32_t *count)
{
	const struct phyp_target *tgt = &f->h->stream->target;
	uint64_t pages = f->h->params.bytes / f->h->params.granule;

	switch (type) {
	case PHYP_REC_PAGES:
		*arg %= pages;
		*count = 1;
		return f->h->params.granule;
	case PHYP_REC_ZERO:
	case PHYP_REC_DEMAND:
		*arg %= pages;
		*count = 1 + *count % (uint32_t)(pages - *arg);
		return 0;
	case PHYP_REC_BITMAP:
		*arg = 0;
		*count = 1;
		return sizeof(uint64_t);
	case PHYP_REC_STATE:
		*arg = 0;
		*count = 64;
		return 64;
	case PHYP_REC_HANDOVER:
		*arg = f->source ? 0 : tgt->bitmap_pages;
		/* fall through */
	case PHYP_REC_END:
	case PHYP_REC_PASS:
		*count = f->agreed.sessions;
		return 0;
	}
	return *count % 64;
}

static void append(struct side *side, const void *bytes, uint32_t count, uint8_t fill)
{
	if (side->count + count > MOST_STREAM)
		return;
	side->stream = realloc(side->stream, side->count + count + 1);
	fuzz_check(side->stream);
	if (bytes)
		memcpy(side->stream + side->count, bytes, count);
	else
		memset(side->stream + side->count, fill, count);
	side->count += count;
}

void peer_start_stream(struct fuzz *f, struct side *side, unsigned int session)
{
	struct phyp_start start = {
		.magic = htobe64(PHYP_START_MAGIC),
		.major = htobe16(PHYP_STREAM_MAJOR),
		.granule = htobe32(f->h->params.granule),
		.bytes = htobe64(f->h->params.bytes),
		.stream_id = htobe64(HOST_STREAM),
		.incarnation = htobe32(1),
		.session = htobe16((uint16_t)session),
		.sessions = htobe16(f->agreed.sessions),
	};
	struct phyp_record record;

	phyp_record_encode(&record, PHYP_REC_START, 0, sizeof(start), 0,
			   f->agreed.sessions);
	append(side, &record, sizeof(record), 0);
	append(side, &start, sizeof(start), 0);
}

/* More for the platform, records as a rule */
void peer_more_stream(struct fuzz *f, unsigned int session)
{
	static const uint8_t types[] = {
		PHYP_REC_PAGES, PHYP_REC_ZERO, PHYP_REC_PASS, PHYP_REC_BITMAP,
		PHYP_REC_STATE, PHYP_REC_HANDOVER, PHYP_REC_END, PHYP_REC_SKIPPABLE,
	};
	struct side *side = &f->side[session];
	uint8_t how = fuzz_u8(&f->in);
	uint8_t type = f->source ? PHYP_REC_DEMAND : types[how & 7];
	uint64_t arg = fuzz_u8(&f->in);
	uint32_t count = fuzz_u8(&f->in), length;
	struct phyp_record record;
	const uint8_t *data;

	if (!f->source && !side->count)
		peer_start_stream(f, side, session);
	if (how & 0x80) {
		length = (uint32_t)fuzz_bytes(&f->in, arg, &data);
		append(side, length ? data : NULL, length, 0);
		return;
	}
	length = right(f, type, &arg, &count);
	phyp_record_encode(&record, type, how >> 6 & 1, length, arg, count);
	append(side, &record, sizeof(record), 0);
	append(side, NULL, length, how & 8 ? 0xFF : 0);
}

/* All that makes a target's platform run the partition, with some pages missing */
void peer_hand_over(struct fuzz *f)
{
	uint64_t pages = f->h->params.bytes / f->h->params.granule;
	uint64_t missing = fuzz_u64(&f->in) & ((1ULL << pages) - 1);
	__be64 word = htobe64(missing);
	uint8_t state[64] = { 0 };
	struct phyp_record record;

	if (f->source)
		return;
	for (unsigned int s = 0; s < f->agreed.sessions; s++) {
		struct side *side = &f->side[s];

		if (!side->count)
			peer_start_stream(f, side, s);
		if (!s && missing) {
			phyp_record_encode(&record, PHYP_REC_BITMAP, 0, sizeof(word), 0, 1);
			append(side, &record, sizeof(record), 0);
			append(side, &word, sizeof(word), 0);
		}
		if (!s) {
			phyp_record_encode(&record, PHYP_REC_STATE, 0, sizeof(state), 0,
					   sizeof(state));
			append(side, &record, sizeof(record), 0);
			append(side, state, sizeof(state), 0);
		}
		phyp_record_encode(&record, PHYP_REC_HANDOVER, 0, 0,
				   (uint64_t)__builtin_popcountll(missing),
				   f->agreed.sessions);
		append(side, &record, sizeof(record), 0);
	}
}

/* A piece of a session's stream, the next one as a rule */
void peer_piece(struct fuzz *f, struct far_end *end, unsigned int session,
		       uint8_t how)
{
	static const uint8_t zeros[1 << 16];
	struct side *side = &f->side[session];
	struct frame frame = {
		.type = f->source ? WIRE_REVERSE : WIRE_DATA,
		.session = (uint16_t)session,
		.offset = side->next,
	};
	uint32_t most = f->source ? WIRE_MAX_REVERSE : min(f->agreed.max_frame, 65536u);
	uint32_t left = side->count - side->next;
	bool known;

	frame.length = how & 0x80 ? 1 + fuzz_u8(&f->in) * 16u : left;
	frame.length = min(frame.length, most);
	/* Those on other connections may come before what is left out */
	if (how & 0x40)
		frame.offset += fuzz_u8(&f->in) * 8u;
	spoil(f, &frame, how & 0x38 ? 0 : how);
	known = frame.session == session && frame.offset <= side->count &&
		frame.length <= side->count - frame.offset;
	if (frame.session < MOST_SESSIONS) {
		f->side[frame.session].unsure |= !known;
		f->side[frame.session].most = max(f->side[frame.session].most,
						  frame.offset + frame.length);
	}
	put(f, end, &frame, known && frame.length ? side->stream + frame.offset : zeros,
	    frame.length);
	if (known && frame.offset == side->next)
		side->next += frame.length;
	/* Cut small, they take one buffer each */
	if ((how & 0xA0) == 0xA0 && side->next < side->count && f->in.left)
		peer_piece(f, end, session, how);
}

/* A target acknowledges what it got, and lets more come */
void peer_ack(struct fuzz *f, struct far_end *end, unsigned int session,
		     uint8_t how)
{
	struct side *side = &f->side[session];
	struct frame frame = {
		.type = f->source ? WIRE_ACK : WIRE_REVERSE_ACK,
		.session = (uint16_t)session,
		.offset = how & 0x40 ? side->end / 2 : side->end,
		.argument = f->source ? side->limit + (how & 0x38) * 512u : 0,
	};

	spoil(f, &frame, how);
	if (f->source && frame.session < MOST_SESSIONS) {
		side = &f->side[frame.session];
		side->limit = max(side->limit, frame.argument);
	}
	put(f, end, &frame, NULL, 0);
}

/* Frames that both sides send; what the mover has to keep of them adds up */
void peer_small(struct fuzz *f, struct far_end *end, unsigned int session,
		       uint8_t how)
{
	static const uint8_t types[] = {
		WIRE_MESSAGE, WIRE_STATE, WIRE_PING, WIRE_PONG, WIRE_BYE, WIRE_REFUSE,
		WIRE_MESSAGE, WIRE_ATTACHED,
	};
	struct frame frame = { .type = types[how >> 3 & 7] };
	unsigned int times = how & 0x80 ? 1 + fuzz_u8(&f->in) * 16u : 1;
	uint8_t what = fuzz_u8(&f->in);
	uint64_t data = htobe64((uint64_t)(what & 7) << 56 | f->h->stream->incarnation);
	uint8_t text[64];

	memset(text, what, sizeof(text));
	memcpy(text, &data, sizeof(data));
	switch (frame.type) {
	case WIRE_MESSAGE:
		frame.session = (uint16_t)session;
		frame.length = sizeof(data);
		break;
	case WIRE_STATE:
		frame.argument = (uint64_t)(what & 15) << 32 | what;
		break;
	case WIRE_PONG:
		frame.argument = f->ping;
		break;
	case WIRE_BYE:
	case WIRE_REFUSE:
		frame.argument = what & 15;
		frame.length = what & 63;
		break;
	}
	spoil(f, &frame, how);
	while (times--)
		put(f, end, &frame, text, frame.length);
}

void peer_attached(struct fuzz *f, struct far_end *end)
{
	put(f, end, &(struct frame) { .type = WIRE_ATTACHED }, NULL, 0);
	peer_far(end)->answered = true;
}

/* Whatever it is: from here on nobody knows what the mover has made of it */
void peer_raw(struct fuzz *f, struct far_end *end, uint8_t how)
{
	const uint8_t *data;
	size_t length = fuzz_bytes(&f->in, how, &data);

	f->opaque = true;
	net_bytes(end, data, length);
}
