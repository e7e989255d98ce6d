// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ports send to a switch: lengths and frames in pieces of any size, and ports that
 * come and go, over any time.
 */
#include <errno.h>
#include "fuzz.h"
#include "vswitch/stream.h"
#include "vswitch/table.h"

#define PORTS		5u
#define COMMANDS	400

/* Small enough for an input to reach them */
static const struct vswitch_limits limits = {
	.macs = 3, .frames = 4, .mac_bytes = 1000, .bytes = 2000,
	.keep_ns = 100, .grace_ns = 5, .age_ns = 1000,
};

/**
 * struct bench - a switch and its ports
 * @sw:		the table
 * @up:		ports that are there
 * @in:		what came from them
 * @port:	that a frame has just come from
 * @frame:	that one
 * @now:	time
 * @out:	what was sent last
 */
struct bench {
	struct vswitch *sw;
	bool up[PORTS];
	struct stream in[PORTS];
	unsigned int port;
	const uint8_t *frame;
	uint64_t now;
	uint8_t out[STREAM_MAX_FRAME];
};

static void on_send(void *data, unsigned int port, const uint8_t *frame, size_t bytes,
		    enum vswitch_how how)
{
	struct bench *b = data;

	fuzz_check(port < PORTS && b->up[port]);
	fuzz_check(bytes >= VSWITCH_MIN_FRAME && bytes <= STREAM_MAX_FRAME);
	/* What is replayed goes to who has just been heard, what is not to others */
	fuzz_check((how == VSWITCH_REPLAYED) == (port == b->port));
	if (how == VSWITCH_REPLAYED)
		fuzz_check(!memcmp(frame, b->frame + VSWITCH_MAC_BYTES, VSWITCH_MAC_BYTES));
	else
		fuzz_check(frame == b->frame);
	/* All of it is there */
	memcpy(b->out, frame, bytes);
}

static void on_moved(void *data, const uint8_t *mac, unsigned int from, unsigned int to,
		     unsigned int replayed)
{
	struct bench *b = data;

	fuzz_check(!memcmp(mac, b->frame + VSWITCH_MAC_BYTES, VSWITCH_MAC_BYTES));
	fuzz_check(to == b->port && from != to && from <= VSWITCH_NO_PORT);
	fuzz_check(from == VSWITCH_NO_PORT || (from < PORTS && b->up[from]));
	fuzz_check(replayed <= limits.frames);
}

static const struct vswitch_ops ops = { .send = on_send, .moved = on_moved };

static void port_down(struct bench *b, unsigned int port)
{
	vswitch_port_down(b->sw, port);
	b->up[port] = false;
	b->in[port].at = 0;
	b->in[port].end = 0;
}

static void port_up(struct bench *b, unsigned int port)
{
	vswitch_port_up(b->sw, port);
	b->up[port] = true;
}

static void take_frames(struct bench *b, unsigned int port)
{
	uint32_t bytes;
	int ret;

	b->port = port;
	while ((ret = stream_next(&b->in[port], &b->frame, &bytes)) > 0) {
		fuzz_check(bytes >= VSWITCH_MIN_FRAME && bytes <= STREAM_MAX_FRAME);
		fuzz_check(b->frame + bytes <= b->in[port].data + b->in[port].end);
		ret = vswitch_frame(b->sw, port, b->frame, bytes, b->now);
		fuzz_check(!ret || ret == -EINVAL);
	}
	if (ret)
		port_down(b, port);
}

static void came(struct bench *b, unsigned int port, const void *data, size_t bytes)
{
	size_t room;
	uint8_t *to = stream_room(&b->in[port], &room);

	fuzz_check(room);
	if (bytes > room)
		bytes = room;
	memcpy(to, data, bytes);
	stream_came(&b->in[port], bytes);
	take_frames(b, port);
}

/* A whole one between two of a few addresses, of any size */
static void good_frame(struct bench *b, unsigned int port, struct fuzz_input *in)
{
	static uint8_t data[STREAM_LENGTH_BYTES + 2000];
	uint32_t bytes = VSWITCH_MIN_FRAME + fuzz_u8(in) * 7u;
	uint8_t hosts = fuzz_u8(in);

	memset(data, hosts, sizeof(data));
	memset(data, 0, 2);
	data[2] = (uint8_t)(bytes >> 8);
	data[3] = (uint8_t)bytes;
	memset(data + STREAM_LENGTH_BYTES, hosts & 0xf, VSWITCH_MAC_BYTES);
	memset(data + STREAM_LENGTH_BYTES + VSWITCH_MAC_BYTES, hosts >> 4,
	       VSWITCH_MAC_BYTES);
	came(b, port, data, STREAM_LENGTH_BYTES + bytes);
}

static void check_bounds(const struct bench *b)
{
	struct vswitch_counts counts;

	vswitch_counts(b->sw, &counts);
	fuzz_check(counts.macs <= limits.macs * (PORTS + 1));
	fuzz_check(counts.kept_bytes <= limits.bytes);
	fuzz_check(counts.kept <= (uint64_t)limits.frames * counts.macs);
	fuzz_check(!counts.kept == !counts.kept_bytes);
}

static void command(struct bench *b, struct fuzz_input *in)
{
	uint8_t what = fuzz_u8(in);
	unsigned int port = (what >> 3) % PORTS;
	const uint8_t *data;
	size_t bytes;

	if (!b->up[port]) {
		port_up(b, port);
		return;
	}
	switch (what & 7) {
	case 0:
		port_down(b, port);
		break;
	case 1:
		bytes = fuzz_bytes(in, fuzz_u8(in), &data);
		came(b, port, data, bytes);
		break;
	case 2:
		b->now += fuzz_u8(in);
		break;
	case 3:
		b->now += fuzz_u8(in) * 16u;
		vswitch_age(b->sw, b->now);
		break;
	default:
		good_frame(b, port, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct bench *b = malloc(sizeof(*b));

	fuzz_check(b && !vswitch_new(&limits, &ops, b, &b->sw));
	b->now = 0;
	for (unsigned int i = 0; i < PORTS; i++) {
		b->up[i] = false;
		b->in[i].at = 0;
		b->in[i].end = 0;
	}
	for (int i = 0; i < COMMANDS && in.left; i++) {
		command(b, &in);
		check_bounds(b);
	}
	vswitch_free(b->sw);
	free(b);
	return 0;
}
