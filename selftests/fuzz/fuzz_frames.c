// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The movers' frames, the order of a session's bytes and its credit.
 */
#include <errno.h>
#include "fuzz.h"
#include "mspd/credit.h"
#include "mspd/order.h"
#include "mspd/wire.h"

#define MAX_FRAME	(1u << 20)
#define FRAMES		16u

static void frame(struct fuzz_input *in)
{
	static const unsigned int places[] = {
		WIRE_CONTROL | WIRE_FROM_SOURCE, WIRE_CONTROL | WIRE_FROM_TARGET,
		WIRE_DATA_CONNECTION | WIRE_FROM_SOURCE,
		WIRE_DATA_CONNECTION | WIRE_FROM_TARGET,
		WIRE_PROBE_CONNECTION | WIRE_FROM_SOURCE,
		WIRE_PROBE_CONNECTION | WIRE_FROM_TARGET,
	};
	uint8_t where = fuzz_u8(in);
	struct wire_limits limits = {
		/* The first four as the corpus has them */
		.place = places[where & 8 ? 4 + (where & 1) : where & 3],
		.sessions = where & 4 ? 4 : 0,
		.max_frame = MAX_FRAME,
	};
	char error[WIRE_ERROR_BYTES] = "";
	struct wire_header raw, again;
	struct frame f;

	fuzz_fill(in, &raw, sizeof(raw));
	fuzz_check(wire_type_name(raw.type));
	if (wire_decode(&f, &raw, &limits, error)) {
		fuzz_check(error[0] && memchr(error, 0, sizeof(error)));
		return;
	}
	fuzz_check(f.length <= MAX_FRAME && f.session < WIRE_MAX_SESSIONS);
	fuzz_check(f.offset + f.length >= f.offset);
	wire_encode(&again, &f);
	fuzz_check(!memcmp(&raw, &again, sizeof(raw)));
}

static void hello(struct fuzz_input *in)
{
	char error[WIRE_ERROR_BYTES] = "";
	struct hello h, wished = { .major = WIRE_MAJOR };
	struct wire_accept accept;
	struct wire_hello body;

	fuzz_fill(in, &body, sizeof(body));
	/* A magic that is right most of the time */
	if (fuzz_u8(in) & 0xF)
		wire_hello_encode(&body, &(struct hello) {
			.major = WIRE_MAJOR, .minor = fuzz_u16(in),
			.features = fuzz_u64(in), .stream_id = fuzz_u64(in),
			.sessions = fuzz_u16(in), .connections = fuzz_u16(in),
			.max_frame = fuzz_u32(in),
		});
	if (wire_hello_decode(&h, &body, error)) {
		fuzz_check(error[0] && memchr(error, 0, sizeof(error)));
	} else {
		fuzz_check(h.sessions && h.connections && h.max_frame);
		wished = h;
	}
	error[0] = '\0';
	fuzz_fill(in, &accept, sizeof(accept));
	if (fuzz_u8(in) & 0xF)
		wire_accept_encode(&accept, &(struct hello) {
			.major = WIRE_MAJOR, .minor = fuzz_u16(in),
			.stream_id = wished.stream_id, .sessions = fuzz_u16(in),
			.connections = fuzz_u16(in), .max_frame = fuzz_u32(in),
			.charge = fuzz_u32(in), .credit = fuzz_u64(in),
		});
	if (wire_accept_decode(&h, &accept, &wished, error)) {
		fuzz_check(error[0] && memchr(error, 0, sizeof(error)));
		return;
	}
	fuzz_check(h.sessions <= wished.sessions && h.sessions <= WIRE_MAX_SESSIONS);
	fuzz_check(h.connections <= wished.connections &&
		   h.connections <= WIRE_MAX_CONNECTIONS);
	fuzz_check(h.charge && h.credit <= WIRE_MAX_CREDIT);
	fuzz_check(h.max_frame && h.max_frame <= WIRE_MAX_FRAME);
	fuzz_check(credit_cost(h.charge, h.max_frame) <= h.credit);
}

static void probe(struct fuzz_input *in)
{
	char error[WIRE_ERROR_BYTES] = "";
	struct wire_probe body, again;
	struct probe_hello p;

	fuzz_fill(in, &body, sizeof(body));
	if (fuzz_u8(in) & 0xF)
		wire_probe_encode(&body, &(struct probe_hello) {
			.major = WIRE_MAJOR, .minor = WIRE_MINOR, .encrypted = fuzz_u8(in) & 1,
			.connections = fuzz_u8(in) % 20, .index = fuzz_u8(in) % 20,
		});
	if (wire_probe_decode(&p, &body, error)) {
		fuzz_check(error[0] && memchr(error, 0, sizeof(error)));
		return;
	}
	fuzz_check(p.connections && p.connections <= WIRE_MAX_CONNECTIONS &&
		   p.index < p.connections);
	wire_probe_encode(&again, &p);
	fuzz_check(p.minor > WIRE_MINOR || !memcmp(&body, &again, sizeof(body)));
}

/* Bytes 0 to 255 arrive in frames; what comes out has no gap and nothing twice */
static void order(struct fuzz_input *in)
{
	struct { uint64_t offset; uint32_t length; int64_t frame; } known[256];
	uint32_t token, count = 0, out = 0;
	struct order o;

	fuzz_check(!order_init(&o, FRAMES));
	while (in->left && count < 256) {
		uint8_t what = fuzz_u8(in);
		uint64_t base = what & 0x40 ? UINT64_MAX - 1024 : 0;
		uint32_t which = fuzz_u8(in);

		if (what & 0x80) {
			known[count].offset = base + which;
			known[count].length = what % 32 + 1;
			known[count].frame = order_begin(&o, known[count].offset,
							 known[count].length, count);
			fuzz_check(known[count].frame < o.count);
			count++;
		} else if (count && known[which % count].frame >= 0) {
			order_complete(&o, (uint32_t)known[which % count].frame);
			known[which % count].frame = -1;
		} else if (what == 1) {
			fuzz_check(!order_grow(&o, FRAMES + which % FRAMES));
		}
		while (order_pop(&o, &token)) {
			fuzz_check(token < count && known[token].offset == out);
			out += known[token].length;
		}
		fuzz_check(o.next == out && order_end(&o) >= out);
	}
	order_exit(&o);
}

static void credit(struct fuzz_input *in)
{
	struct credit c;

	credit_init(&c, fuzz_u32(in) | 1, fuzz_u64(in));
	while (in->left) {
		uint64_t room = credit_room(&c), limit = c.limit;
		uint32_t length = fuzz_u32(in);

		if (length & 1) {
			fuzz_check(!!credit_take(&c, length) == (length > room));
			fuzz_check(c.charged <= c.limit);
			continue;
		}
		limit = fuzz_u64(in);
		fuzz_check(!!credit_grant(&c, limit) == (limit < c.limit));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	switch (fuzz_u8(&in) & 3) {
	case 0:
		frame(&in);
		break;
	case 1:
		/* What is left of most inputs: the corpus knows HELLO only */
		hello(&in);
		probe(&in);
		break;
	case 2:
		order(&in);
		break;
	default:
		credit(&in);
		break;
	}
	return 0;
}
