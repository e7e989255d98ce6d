// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The movers' frames: what is encoded is decoded, and nothing else is accepted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/util.h"
#include "mspd/wire.h"

#define STREAM	0xC0DE000000000001ULL

static const struct wire_limits from_source = {
	.place = WIRE_CONTROL | WIRE_FROM_SOURCE, .sessions = 4, .max_frame = 1 << 20,
};
static const struct wire_limits from_target = {
	.place = WIRE_CONTROL | WIRE_FROM_TARGET, .sessions = 4, .max_frame = 1 << 20,
};
static const struct wire_limits data_source = {
	.place = WIRE_DATA_CONNECTION | WIRE_FROM_SOURCE, .sessions = 4,
	.max_frame = 1 << 20,
};
static const struct wire_limits data_target = {
	.place = WIRE_DATA_CONNECTION | WIRE_FROM_TARGET, .sessions = 4,
	.max_frame = 1 << 20,
};

static const struct wire_limits probe_source = {
	.place = WIRE_PROBE_CONNECTION | WIRE_FROM_SOURCE,
};
static const struct wire_limits probe_target = {
	.place = WIRE_PROBE_CONNECTION | WIRE_FROM_TARGET,
};

static int decode(const struct frame *in, const struct wire_limits *limits, char *error)
{
	struct wire_header header;
	struct frame out;
	int ret;

	wire_encode(&header, in);
	error[0] = '\0';
	ret = wire_decode(&out, &header, limits, error);
	if (ret) {
		assert_true(strlen(error) > 0);
		return ret;
	}
	assert_int_equal(out.type, in->type);
	assert_int_equal(out.session, in->session);
	assert_int_equal(out.length, in->length);
	assert_true(out.offset == in->offset);
	assert_true(out.argument == in->argument);
	return 0;
}

/* One good frame of each type, and where it belongs */
static const struct {
	struct frame frame;
	const struct wire_limits *good[4];
} samples[] = {
	{ { .type = WIRE_HELLO, .length = 64 }, { &from_source } },
	{ { .type = WIRE_ACCEPT, .length = 64 + 32 }, { &from_target } },
	{ { .type = WIRE_REFUSE, .length = 12, .argument = 3 },
	  { &from_target, &data_source } },
	{ { .type = WIRE_ATTACH, .length = 16, .argument = 2 }, { &data_source } },
	{ { .type = WIRE_ATTACHED }, { &data_target } },
	{ { .type = WIRE_DATA, .session = 3, .length = 1 << 20, .offset = 77 },
	  { &data_source } },
	{ { .type = WIRE_ACK, .session = 1, .offset = 5, .argument = 9 },
	  { &from_target } },
	{ { .type = WIRE_REVERSE, .session = 1, .length = 24, .offset = 48 },
	  { &from_target } },
	{ { .type = WIRE_REVERSE_ACK, .session = 1, .offset = 48 }, { &from_source } },
	{ { .type = WIRE_MESSAGE, .session = 2, .length = 8 },
	  { &from_source, &from_target } },
	{ { .type = WIRE_STATE, .argument = 2ULL << 32 | 0x04000000 },
	  { &from_source, &from_target } },
	{ { .type = WIRE_PING, .argument = WIRE_PING_STOPPED | 5 },
	  { &from_source, &from_target, &probe_source, &probe_target } },
	{ { .type = WIRE_PONG, .argument = 5 },
	  { &from_source, &from_target, &probe_source, &probe_target } },
	{ { .type = WIRE_BYE, .length = 512, .argument = 6 },
	  { &from_source, &from_target } },
	{ { .type = WIRE_PROBE, .length = 32 }, { &probe_source } },
	{ { .type = WIRE_PROBING, .argument = 1 << 30 }, { &probe_target } },
	{ { .type = WIRE_LOAD, .length = 1 << 18, .offset = 1 << 18 }, { &probe_source } },
	{ { .type = WIRE_LOADED, .offset = 1 << 18 }, { &probe_target } },
};

static void every_type_where_it_belongs(void **state)
{
	const struct wire_limits *all[] = {
		&from_source, &from_target, &data_source, &data_target,
		&probe_source, &probe_target,
	};
	char error[WIRE_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(all); j++) {
			bool good = false;

			for (unsigned int k = 0; k < 4; k++)
				good |= all[j] == samples[i].good[k];
			/* REFUSE belongs everywhere */
			good |= samples[i].frame.type == WIRE_REFUSE;
			assert_int_equal(!decode(&samples[i].frame, all[j], error), good);
		}
	}
}

static void layout_is_big_endian(void **state)
{
	static const uint8_t expected[24] = {
		6, 0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06,
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
		0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
	};
	const struct frame frame = {
		.type = WIRE_DATA, .session = 0x0102, .length = 0x03040506,
		.offset = 0x1112131415161718ULL, .argument = 0x2122232425262728ULL,
	};
	struct wire_header header;

	(void)state;
	wire_encode(&header, &frame);
	assert_memory_equal(&header, expected, sizeof(expected));
}

/* Every field that a type does not use must be zero */
static void unused_fields(void **state)
{
	char error[WIRE_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct wire_limits *limits = samples[i].good[0];
		struct frame f = samples[i].frame;
		struct wire_header header;
		struct frame out;

		wire_encode(&header, &f);
		header.flags = 1;
		assert_int_not_equal(wire_decode(&out, &header, limits, error), 0);
		if (!f.session && f.type != WIRE_MESSAGE) {
			f.session = 1;
			assert_int_not_equal(decode(&f, limits, error), 0);
			f.session = 0;
		}
		if (!f.offset) {
			f.offset = 1;
			assert_int_not_equal(decode(&f, limits, error), 0);
			f.offset = 0;
		}
		if (!f.argument) {
			f.argument = 1;
			assert_int_not_equal(decode(&f, limits, error), 0);
		}
	}
}

static void lengths(void **state)
{
	static const struct {
		uint8_t type;
		const struct wire_limits *limits;
		uint32_t min;
		uint32_t max;
	} cases[] = {
		{ WIRE_HELLO, &from_source, 64, 64 },
		{ WIRE_ACCEPT, &from_target, 80, 64 + 16 * WIRE_MAX_CONNECTIONS },
		{ WIRE_REFUSE, &from_source, 0, 512 },
		{ WIRE_ATTACH, &data_source, 16, 16 },
		{ WIRE_ATTACHED, &data_target, 0, 0 },
		{ WIRE_DATA, &data_source, 1, 1 << 20 },
		{ WIRE_ACK, &from_target, 0, 0 },
		{ WIRE_REVERSE, &from_target, 1, WIRE_MAX_REVERSE },
		{ WIRE_MESSAGE, &from_target, 8, 8 },
		{ WIRE_PING, &from_target, 0, 0 },
		{ WIRE_BYE, &from_target, 0, 512 },
	};
	char error[WIRE_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct frame f = { .type = cases[i].type, .length = cases[i].min };

		assert_int_equal(decode(&f, cases[i].limits, error), 0);
		f.length = cases[i].max;
		assert_int_equal(decode(&f, cases[i].limits, error), 0);
		f.length = cases[i].max + 1;
		assert_int_not_equal(decode(&f, cases[i].limits, error), 0);
		assert_non_null(strstr(error, "length"));
		f.length = UINT32_MAX;
		assert_int_not_equal(decode(&f, cases[i].limits, error), 0);
		if (cases[i].min) {
			f.length = cases[i].min - 1;
			assert_int_not_equal(decode(&f, cases[i].limits, error), 0);
		}
	}
}

static void sessions_and_offsets(void **state)
{
	struct frame f = { .type = WIRE_DATA, .session = 4, .length = 1 };
	struct wire_limits none = data_source;
	char error[WIRE_ERROR_BYTES];

	(void)state;
	assert_int_not_equal(decode(&f, &data_source, error), 0);
	assert_non_null(strstr(error, "session is 4"));
	f.session = 0;
	none.sessions = 0;
	assert_int_not_equal(decode(&f, &none, error), 0);
	f.offset = UINT64_MAX;
	assert_int_not_equal(decode(&f, &data_source, error), 0);
	f.offset = UINT64_MAX - 1;
	assert_int_equal(decode(&f, &data_source, error), 0);
}

static void unknown_types(void **state)
{
	char error[WIRE_ERROR_BYTES];

	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		struct frame f = { .type = (uint8_t)type };

		if (type >= WIRE_HELLO && type < WIRE_TYPES)
			continue;
		assert_int_not_equal(decode(&f, &from_source, error), 0);
		assert_string_equal(wire_type_name((uint8_t)type), "unknown");
	}
}

static const struct hello hello = {
	.major = WIRE_MAJOR, .minor = WIRE_MINOR, .stream_id = STREAM,
	.sessions = 4, .connections = 2, .max_frame = 1 << 20,
};

static const struct hello answer = {
	.major = WIRE_MAJOR, .minor = WIRE_MINOR, .stream_id = STREAM,
	.sessions = 2, .connections = 2, .max_frame = 1 << 19, .charge = 262128,
	.credit = 16 * 262128,
};

/* By value: the struct has padding */
static bool same(const struct hello *a, const struct hello *b)
{
	return a->major == b->major && a->minor == b->minor &&
	       a->features == b->features && a->stream_id == b->stream_id &&
	       a->sessions == b->sessions && a->connections == b->connections &&
	       a->max_frame == b->max_frame && a->charge == b->charge &&
	       a->credit == b->credit;
}

static void hello_round_trip(void **state)
{
	char error[WIRE_ERROR_BYTES];
	struct wire_hello body;
	struct hello out;

	(void)state;
	wire_hello_encode(&body, &hello);
	assert_memory_equal(&body, "VASIMOVR", 8);
	assert_int_equal(wire_hello_decode(&out, &body, error), 0);
	assert_true(same(&out, &hello));
}

static void try_hello(const struct hello *h, int expected)
{
	char error[WIRE_ERROR_BYTES] = "";
	struct wire_hello body;
	struct hello out;

	wire_hello_encode(&body, h);
	assert_int_equal(wire_hello_decode(&out, &body, error), expected);
	assert_true(!expected || strlen(error));
}

static void hello_values(void **state)
{
	struct hello h = hello;

	(void)state;
	h.major = WIRE_MAJOR + 1;
	try_hello(&h, -EPROTONOSUPPORT);
	h = hello;
	h.minor = WIRE_MINOR + 1;
	h.features = UINT64_MAX;
	try_hello(&h, 0);
	h = hello;
	h.stream_id = 0;
	try_hello(&h, -EBADMSG);
	h = hello;
	h.sessions = 0;
	try_hello(&h, -EBADMSG);
	h.sessions = WIRE_MAX_SESSIONS + 1;
	try_hello(&h, -EBADMSG);
	h = hello;
	h.connections = 0;
	try_hello(&h, -EBADMSG);
	h.connections = WIRE_MAX_CONNECTIONS + 1;
	try_hello(&h, -EBADMSG);
	h = hello;
	h.max_frame = 0;
	try_hello(&h, -EBADMSG);
	h.max_frame = WIRE_MAX_FRAME + 1;
	try_hello(&h, -EBADMSG);
}

/* Any single byte that is changed either breaks it or changes a value we read */
static void hello_reserved(void **state)
{
	char error[WIRE_ERROR_BYTES];
	struct wire_hello body;
	struct hello out;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++) {
		wire_hello_encode(&body, &hello);
		((uint8_t *)&body)[i] ^= 0x40;
		if (!wire_hello_decode(&out, &body, error))
			assert_false(same(&out, &hello));
	}
}

static void try_accept(const struct hello *h, bool good)
{
	char error[WIRE_ERROR_BYTES] = "";
	struct wire_accept body;
	struct hello out;

	wire_accept_encode(&body, h);
	assert_int_equal(!wire_accept_decode(&out, &body, &hello, error), good);
	if (good)
		assert_true(same(&out, h));
	else
		assert_true(strlen(error) > 0);
}

static void accept_values(void **state)
{
	struct hello h = answer;

	(void)state;
	try_accept(&h, true);
	h.sessions = 5;
	try_accept(&h, false);
	h = answer;
	h.connections = 3;
	try_accept(&h, false);
	h = answer;
	h.stream_id++;
	try_accept(&h, false);
	h = answer;
	h.major++;
	try_accept(&h, false);
	h = answer;
	h.minor++;
	try_accept(&h, false);
	h = answer;
	h.features = 1;
	try_accept(&h, false);
	h = answer;
	h.charge = 0;
	try_accept(&h, false);
	h.charge = WIRE_MAX_FRAME + 1;
	try_accept(&h, false);
	h = answer;
	h.credit = h.charge - 1;
	try_accept(&h, false);
	h.credit = WIRE_MAX_CREDIT + 1;
	try_accept(&h, false);
	h = answer;
	h.max_frame = 0;
	try_accept(&h, false);
}

static void accept_reserved(void **state)
{
	char error[WIRE_ERROR_BYTES];
	struct wire_accept body;
	struct hello out;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++) {
		wire_accept_encode(&body, &answer);
		((uint8_t *)&body)[i] ^= 0x01;
		if (!wire_accept_decode(&out, &body, &hello, error))
			assert_false(same(&out, &answer));
	}
}

/* Nothing that is random crashes or is believed without being in range */
static void noise(void **state)
{
	char error[WIRE_ERROR_BYTES];
	struct wire_header header;
	struct frame out;

	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		uint8_t *bytes = (uint8_t *)&header;

		for (size_t j = 0; j < sizeof(header); j++)
			bytes[j] = random() & 1 ? (uint8_t)random() : 0;
		bytes[0] %= 16;
		if (wire_decode(&out, &header, &data_source, error))
			continue;
		assert_true(out.length <= 1 << 20);
		assert_true(out.session < 4);
	}
}

static void probes(void **state)
{
	struct probe_hello out, in = {
		.major = WIRE_MAJOR, .minor = WIRE_MINOR, .encrypted = true,
		.connections = 16, .index = 15,
	};
	char error[WIRE_ERROR_BYTES];
	struct wire_probe body;

	(void)state;
	wire_probe_encode(&body, &in);
	assert_int_equal(wire_probe_decode(&out, &body, error), 0);
	assert_true(out.encrypted && out.connections == 16 && out.index == 15);
	body.reserved[11] = 1;
	assert_int_equal(wire_probe_decode(&out, &body, error), -EBADMSG);
	in.index = 16;
	wire_probe_encode(&body, &in);
	assert_int_equal(wire_probe_decode(&out, &body, error), -EBADMSG);
	assert_non_null(strstr(error, "index is 16"));
	in.connections = 17;
	wire_probe_encode(&body, &in);
	assert_int_equal(wire_probe_decode(&out, &body, error), -EBADMSG);
	in.major++;
	wire_probe_encode(&body, &in);
	assert_int_equal(wire_probe_decode(&out, &body, error), -EPROTONOSUPPORT);
}

static void tokens(void **state)
{
	uint8_t a[WIRE_TOKEN_BYTES] = { 1, 2, 3 };
	uint8_t b[WIRE_TOKEN_BYTES];

	(void)state;
	memcpy(b, a, sizeof(a));
	assert_true(wire_token_equal(a, b));
	for (int bit = 0; bit < 8 * WIRE_TOKEN_BYTES; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(wire_token_equal(a, b));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_where_it_belongs),
		cmocka_unit_test(layout_is_big_endian),
		cmocka_unit_test(unused_fields),
		cmocka_unit_test(lengths),
		cmocka_unit_test(sessions_and_offsets),
		cmocka_unit_test(unknown_types),
		cmocka_unit_test(hello_round_trip),
		cmocka_unit_test(hello_values),
		cmocka_unit_test(hello_reserved),
		cmocka_unit_test(accept_values),
		cmocka_unit_test(accept_reserved),
		cmocka_unit_test(noise),
		cmocka_unit_test(probes),
		cmocka_unit_test(tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
