// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of the VASI message codec.  The byte arrays are written from the
 * tables and figures of LoPAR 2.9, not with the encoder.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vasi_codec.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define CRQ_BYTES		16
#define FUZZ_ENTRIES		1000000
#define FUZZ_BUFFERS		200000

/*
 * @map has a character for each byte of the entry: 'h' header, 'f' format,
 * 'x' field, 'r' reserved and checked, 'i' reserved and not checked.
 */
struct sample {
	const char	*name;
	const char	*map;
	__u8		bytes[CRQ_BYTES];
	struct vasi_msg	msg;
};

static const struct sample samples[] = {
	{
		"Capabilities request", "hfrxiiiiiixxixxx",
		{ 0x80, 0x01, 0, 0x01, 0, 0, 0, 0,
		  0, 0, 0x44, 0x56, 0, 0x47, 0x0C, 0x04 },
		{ .format = 0x01, .service = 1,
		  .caps = { .dirty_map = 0x4456, .features = 0x47,
			    .operations = 0x0C, .opens = 4 } },
	}, {
		"Capabilities response", "hfxxiiiiiixxixxx",
		{ 0x80, 0x81, 0, 0x02, 0, 0, 0, 0,
		  0, 0, 0x56, 0x4D, 0, 0x03, 0x08, 0x01 },
		{ .format = 0x81, .service = 2,
		  .caps = { .dirty_map = 0x564D, .features = 0x03,
			    .operations = 0x08, .opens = 1 } },
	}, {
		"Capabilities response", "hfxxiiiiiixxixxx",
		{ 0x80, 0x81, 0x01, 0x02, 0, 0, 0, 0,
		  0, 0, 0, 0, 0, 0x03, 0x08, 0x01 },
		{ .format = 0x81, .status = 1, .service = 2,
		  .caps = { .features = 3, .operations = 8, .opens = 1 } },
	}, {
		"Open request", "hfrxxxxxxxxxxxxx",
		{ 0x80, 0x02, 0, 0x02, 0x11, 0x22, 0x33, 0x44,
		  1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x02, .service = 2, .handle = 0x11223344,
		  .data = 0x0102030405060708 },
	}, {
		"Open response", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x82, 0, 0x01, 0xFE, 0xDC, 0xBA, 0x98,
		  0xF1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x82, .service = 1, .handle = 0xFEDCBA98,
		  .data = 0xF102030405060708 },
	}, {
		"Open response", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x82, 0x0C, 0x01, 0x11, 0x22, 0x33, 0x44,
		  1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x82, .status = 0x0C, .service = 1,
		  .handle = 0x11223344, .data = 0x0102030405060708 },
	}, {
		"Close request", "hfrrxxxxrrrrrrrr",
		{ 0x80, 0x03, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0 },
		{ .format = 0x03, .handle = 0xA0B0C0D0 },
	}, {
		"Close response", "hfxrxxxxrrrrrrrr",
		{ 0x80, 0x83, 0, 0, 0x11, 0x22, 0x33, 0x44 },
		{ .format = 0x83, .handle = 0x11223344 },
	}, {
		"Close response", "hfxixxxxiiiiiiii",
		{ 0x80, 0x83, 0x0D, 0, 0xA0, 0xB0, 0xC0, 0xD0 },
		{ .format = 0x83, .status = 0x0D, .handle = 0xA0B0C0D0 },
	}, {
		"Add Buffer request", "hfrrxxxxxxxxxxxx",
		{ 0x80, 0x04, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0x80, 0x01, 0x00, 0x00, 0x12, 0x34, 0x50, 0x00 },
		{ .format = 0x04, .handle = 0xA0B0C0D0,
		  .data = 0x8001000012345000 },
	}, {
		"Add Buffer response", "hfxrxxxxrrrxxxxx",
		{ 0x80, 0x84, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  0, 0, 0, 0x12, 0x34, 0x01, 0x02, 0x03 },
		{ .format = 0x84, .handle = 0x11223344,
		  .free_buffers = 0x1234, .length = 0x010203 },
	}, {
		"Add Buffer response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0x84, 0x04, 0, 0x11, 0x22, 0x33, 0x44,
		  0x81, 0x01, 0x00, 0x00, 0x12, 0x34, 0x50, 0x00 },
		{ .format = 0x84, .status = 4, .handle = 0x11223344,
		  .data = 0x8101000012345000 },
	}, {
		"Free Buffer request", "hfrrxxxxrrrrrxxx",
		{ 0x80, 0x05, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0, 0, 0, 0, 0, 0xFE, 0xDC, 0xBA },
		{ .format = 0x05, .handle = 0xA0B0C0D0, .length = 0xFEDCBA },
	}, {
		"Free Buffer response", "hfxrxxxxxxxxxxxx",
		{ 0x80, 0x85, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x85, .handle = 0x11223344,
		  .data = 0x0908070605040302 },
	}, {
		"Free Buffer response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0x85, 0x06, 0, 0x11, 0x22, 0x33, 0x44,
		  0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF },
		{ .format = 0x85, .status = 6, .handle = 0x11223344,
		  .data = 0xFFFFFFFFFFFFFFFF },
	}, {
		"Download request", "hfrrxxxxxxxxxxxx",
		{ 0x80, 0x06, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0x80, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0, 0x00 },
		{ .format = 0x06, .handle = 0xA0B0C0D0,
		  .data = 0x80FFFFFFFFFFF000 },
	}, {
		"Download response", "hfxrxxxxxxxxxxxx",
		{ 0x80, 0x86, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x86, .handle = 0x11223344,
		  .data = 0x0908070605040302 },
	}, {
		"Download response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0x86, 0x07, 0, 0x11, 0x22, 0x33, 0x44,
		  9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x86, .status = 7, .handle = 0x11223344,
		  .data = 0x0908070605040302 },
	}, {
		"Operation request", "hfrrrrrrxxxxxxxx",
		{ 0x80, 0x07, 0, 0, 0, 0, 0, 0, 9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x07, .data = 0x0908070605040302 },
	}, {
		"Operation response", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x87, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x87, .data = 0x0102030405060708 },
	}, {
		"Operation response", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x87, 0x0F, 0x01, 0x23, 0x45, 0x67, 0x89,
		  1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x87, .status = 0x0F, .residual = 0x0123456789,
		  .data = 0x0102030405060708 },
	}, {
		"Signal request", "hfrrxxxxxxxxxxrr",
		{ 0x80, 0x08, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0x05, 0x00, 0x12, 0x34, 0x00, 0x02, 0, 0 },
		{ .format = 0x08, .handle = 0xA0B0C0D0, .reason = 0x05001234,
		  .code = 2 },
	}, {
		"Signal response", "hfxrxxxxxxxxxxrr",
		{ 0x80, 0x88, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  0x04, 0xA0, 0x12, 0x34, 0x00, 0x06, 0, 0 },
		{ .format = 0x88, .handle = 0x11223344, .reason = 0x04A01234,
		  .code = 6 },
	}, {
		"Signal response", "hfxixxxxxxxxxxii",
		{ 0x80, 0x88, 0x14, 0, 0x11, 0x22, 0x33, 0x44,
		  0, 0, 0, 0, 0xFF, 0xFE, 0, 0 },
		{ .format = 0x88, .status = 0x14, .handle = 0x11223344,
		  .code = 0xFFFE },
	}, {
		"State request", "hfrrxxxxxxxxxxrr",
		{ 0x80, 0x09, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  0x01, 0x02, 0x03, 0x04, 0x00, 0x05, 0, 0 },
		{ .format = 0x09, .handle = 0x11223344, .reason = 0x01020304,
		  .code = 5 },
	}, {
		"Progress request", "hfrrxxxxrrrrrrrr",
		{ 0x80, 0x10, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0 },
		{ .format = 0x10, .handle = 0xA0B0C0D0 },
	}, {
		"Progress response", "hfxrxxxxxxxxxxxx",
		{ 0x80, 0x90, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  0, 0, 0x01, 0x00, 0, 0, 0, 0 },
		{ .format = 0x90, .handle = 0x11223344, .data = 1ULL << 40 },
	}, {
		"Progress response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0x90, 0x0B, 0, 0x11, 0x22, 0x33, 0x44 },
		{ .format = 0x90, .status = 0x0B, .handle = 0x11223344 },
	}, {
		"Add Buffer Indirect request", "hfrxxxxxxxxxxxxx",
		{ 0x80, 0x11, 0, 0xFF, 0xA0, 0xB0, 0xC0, 0xD0,
		  0x80, 0x00, 0x08, 0x00, 0x12, 0x34, 0x50, 0x00 },
		{ .format = 0x11, .count = 255, .handle = 0xA0B0C0D0,
		  .data = 0x8000080012345000 },
	}, {
		"Add Buffer Indirect response", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x91, 0, 0x7F, 0x11, 0x22, 0x33, 0x44,
		  9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x91, .count = 127, .handle = 0x11223344,
		  .data = 0x0908070605040302 },
	}, {
		"Add Buffer Indirect response", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x91, 0x16, 0x03, 0x11, 0x22, 0x33, 0x44,
		  9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x91, .status = 0x16, .count = 3,
		  .handle = 0x11223344, .data = 0x0908070605040302 },
	}, {
		"Message Upload", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x12, 0x01, 0x5A, 0x11, 0x22, 0x33, 0x44,
		  0xFF, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x12, .control = 1, .sub_control = 0x5A,
		  .handle = 0x11223344, .data = 0xFF08070605040302 },
	}, {
		"Message Upload response", "hfxrxxxxxxxxxxxx",
		{ 0x80, 0x92, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0xFF, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x92, .handle = 0xA0B0C0D0,
		  .data = 0xFF08070605040302 },
	}, {
		"Message Upload response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0x92, 0x0E, 0, 0x11, 0x22, 0x33, 0x44,
		  0xFF, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0x92, .status = 0x0E, .handle = 0x11223344,
		  .data = 0xFF08070605040302 },
	}, {
		"Message Download", "hfxxxxxxxxxxxxxx",
		{ 0x80, 0x13, 0x01, 0xA5, 0xA0, 0xB0, 0xC0, 0xD0,
		  1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x13, .control = 1, .sub_control = 0xA5,
		  .handle = 0xA0B0C0D0, .data = 0x0102030405060708 },
	}, {
		"Message Download response", "hfxrxxxxxxxxxxxx",
		{ 0x80, 0x93, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x93, .handle = 0x11223344,
		  .data = 0x0102030405060708 },
	}, {
		"Message Download response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0x93, 0x17, 0, 0x11, 0x22, 0x33, 0x44,
		  1, 2, 3, 4, 5, 6, 7, 8 },
		{ .format = 0x93, .status = 0x17, .handle = 0x11223344,
		  .data = 0x0102030405060708 },
	}, {
		"Dirty Map request", "hfrrxxxxxxxxxxxx",
		{ 0x80, 0x20, 0, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0x80, 0x10, 0x00, 0x28, 0x00, 0x00, 0x10, 0x00 },
		{ .format = 0x20, .handle = 0xA0B0C0D0,
		  .data = 0x8010002800001000 },
	}, {
		"Dirty Map response", "hfxrxxxxxxxxxxxx",
		{ 0x80, 0xA0, 0, 0, 0x11, 0x22, 0x33, 0x44,
		  9, 8, 7, 6, 5, 4, 3, 2 },
		{ .format = 0xA0, .handle = 0x11223344,
		  .data = 0x0908070605040302 },
	}, {
		/* What a platform without Dirty Map echoes */
		"Dirty Map response", "hfxixxxxxxxxxxxx",
		{ 0x80, 0xA0, 0x10, 0, 0xA0, 0xB0, 0xC0, 0xD0,
		  0x80, 0x10, 0x00, 0x28, 0x00, 0x00, 0x10, 0x00 },
		{ .format = 0xA0, .status = 0x10, .handle = 0xA0B0C0D0,
		  .data = 0x8010002800001000 },
	},
};

static enum vasi_status decode_bytes(struct vasi_msg *msg, const __u8 *bytes)
{
	struct vasi_crq entry;

	memcpy(&entry, bytes, sizeof(entry));
	memset(msg, 0xA5, sizeof(*msg));
	return vasi_msg_decode(msg, &entry);
}

static void assert_msg_equal(const struct vasi_msg *a, const struct vasi_msg *b)
{
	assert_int_equal(a->format, b->format);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->service, b->service);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->control, b->control);
	assert_int_equal(a->sub_control, b->sub_control);
	assert_int_equal(a->code, b->code);
	assert_int_equal(a->free_buffers, b->free_buffers);
	assert_int_equal(a->handle, b->handle);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->data, b->data);
	assert_int_equal(a->residual, b->residual);
	assert_int_equal(a->caps.dirty_map, b->caps.dirty_map);
	assert_int_equal(a->caps.features, b->caps.features);
	assert_int_equal(a->caps.operations, b->caps.operations);
	assert_int_equal(a->caps.opens, b->caps.opens);
}

/* The sample whose layout an entry has, or NULL */
static const struct sample *find_sample(__u8 format, bool success)
{
	const struct sample *s;

	for (s = samples; s < samples + ARRAY_SIZE(samples); s++)
		if (s->msg.format == format &&
		    (!(format & 0x80) || format == 0x87 ||
		     (s->msg.status == 0) == success))
			return s;
	return NULL;
}

static void test_samples_decode(void **state)
{
	const struct sample *s;
	struct vasi_msg msg;

	(void)state;
	for (s = samples; s < samples + ARRAY_SIZE(samples); s++) {
		assert_int_equal(decode_bytes(&msg, s->bytes), VASI_SUCCESS);
		assert_msg_equal(&msg, &s->msg);
	}
}

static void test_samples_encode(void **state)
{
	const struct sample *s;
	struct vasi_crq entry;

	(void)state;
	for (s = samples; s < samples + ARRAY_SIZE(samples); s++) {
		memset(&entry, 0xA5, sizeof(entry));
		vasi_msg_encode(&entry, &s->msg);
		assert_memory_equal(&entry, s->bytes, CRQ_BYTES);
	}
}

/* A member that the format does not have must not reach the entry */
static void test_encode_ignores_foreign(void **state)
{
	const struct sample *s;
	struct vasi_crq entry;
	struct vasi_msg msg;
	const __u8 *bytes = (const __u8 *)&entry;
	int i;

	(void)state;
	for (s = samples; s < samples + ARRAY_SIZE(samples); s++) {
		memset(&msg, 0xFF, sizeof(msg));
		msg.format = s->msg.format;
		msg.status = s->msg.status;
		vasi_msg_encode(&entry, &msg);
		for (i = 0; i < CRQ_BYTES; i++)
			if (s->map[i] == 'r' || s->map[i] == 'i')
				assert_int_equal(bytes[i], 0);
	}
}

/* Turns each bit of a sample over, and checks what its map says of the bit */
static void flip_bit(const struct sample *s, int bit)
{
	__u8 bytes[CRQ_BYTES];
	struct vasi_crq back;
	struct vasi_msg msg;
	enum vasi_status status;

	memcpy(bytes, s->bytes, sizeof(bytes));
	bytes[bit / 8] ^= 0x80 >> bit % 8;
	status = decode_bytes(&msg, bytes);

	switch (s->map[bit / 8]) {
	case 'h':
		assert_int_equal(status, VASI_INVALID_FORMAT);
		break;
	case 'r':
		assert_int_equal(status, VASI_UNKNOWN_RESERVED);
		assert_int_equal(msg.format, s->msg.format);
		assert_int_equal(msg.status, s->msg.status);
		break;
	case 'i':
		assert_int_equal(status, VASI_SUCCESS);
		assert_msg_equal(&msg, &s->msg);
		break;
	case 'x':
		assert_int_equal(status, VASI_SUCCESS);
		vasi_msg_encode(&back, &msg);
		assert_memory_equal(&back, bytes, CRQ_BYTES);
		break;
	}
}

/* The status of a response decides how the rest reads: see the next test */
static bool is_status(const struct sample *s, int bit)
{
	return bit / 8 == 2 && s->msg.format & VASI_FMT_RESPONSE;
}

static void test_every_bit(void **state)
{
	const struct sample *s;
	int bit;

	(void)state;
	for (s = samples; s < samples + ARRAY_SIZE(samples); s++)
		for (bit = 0; bit < CRQ_BYTES * 8; bit++)
			if (!is_status(s, bit))
				flip_bit(s, bit);
}

static void test_every_status(void **state)
{
	const struct sample *s;
	__u8 bytes[CRQ_BYTES];
	struct vasi_crq back;
	struct vasi_msg msg;
	int status;

	(void)state;
	for (s = samples; s < samples + ARRAY_SIZE(samples); s++) {
		if (!(s->msg.format & VASI_FMT_RESPONSE) || s->msg.status)
			continue;
		memcpy(bytes, s->bytes, sizeof(bytes));
		for (status = 0; status < 256; status++) {
			bytes[2] = status;
			assert_int_equal(decode_bytes(&msg, bytes),
					 VASI_SUCCESS);
			assert_int_equal(msg.status, status);
			vasi_msg_encode(&back, &msg);
			assert_memory_equal(&back, bytes, CRQ_BYTES);
		}
	}
}

static void test_unknown_formats(void **state)
{
	__u8 bytes[CRQ_BYTES] = { 0x80, 0, 0 };
	struct vasi_msg msg;
	int format;
	bool known;

	(void)state;
	for (format = 0; format < 256; format++) {
		bytes[1] = format;
		known = find_sample(format, true);
		assert_int_equal(decode_bytes(&msg, bytes), known ?
				 VASI_SUCCESS : VASI_INVALID_FORMAT);
		assert_int_equal(msg.format, format);
	}
	/* There is no State response */
	assert_null(find_sample(0x89, true));

	/* The format is judged before the reserved bytes */
	bytes[1] = 0x0A;
	memset(bytes + 2, 0xFF, CRQ_BYTES - 2);
	assert_int_equal(decode_bytes(&msg, bytes), VASI_INVALID_FORMAT);
	assert_int_equal(msg.status, 0);
	bytes[1] = 0x89;
	bytes[2] = 0x10;
	assert_int_equal(decode_bytes(&msg, bytes), VASI_INVALID_FORMAT);
	assert_int_equal(msg.status, VASI_INVALID_FORMAT);
}

static void test_headers(void **state)
{
	__u8 bytes[CRQ_BYTES];
	struct vasi_msg msg;
	int header;

	(void)state;
	memcpy(bytes, samples[0].bytes, sizeof(bytes));
	for (header = 0; header < 256; header++) {
		bytes[0] = header;
		assert_int_equal(decode_bytes(&msg, bytes), header == 0x80 ?
				 VASI_SUCCESS : VASI_INVALID_FORMAT);
	}
}

static void test_encode_unknown(void **state)
{
	static const __u8 request[CRQ_BYTES] = { 0x80, 0x0A };
	static const __u8 response[CRQ_BYTES] = { 0x80, 0x89, 0x10 };
	struct vasi_msg msg;
	struct vasi_crq entry;

	(void)state;
	memset(&msg, 0xFF, sizeof(msg));
	msg.format = 0x0A;
	vasi_msg_encode(&entry, &msg);
	assert_memory_equal(&entry, request, CRQ_BYTES);
	msg.format = 0x89;
	msg.status = VASI_INVALID_FORMAT;
	vasi_msg_encode(&entry, &msg);
	assert_memory_equal(&entry, response, CRQ_BYTES);
	msg.format = 0xFF;
	vasi_msg_encode(&entry, &msg);
	assert_int_equal(entry.data, 0);
}

/* All of the string's reserved bits at once, and what is read beside them */
static void test_capability_reserved(void **state)
{
	static const __u8 bytes[CRQ_BYTES] = {
		0x80, 0x01, 0, 0x01, 0xFF, 0xFF, 0xFF, 0xFF,
		0xFF, 0xFF, 0x00, 0x00, 0xFF, 0x80, 0x01, 0xFF,
	};
	struct vasi_msg msg;

	(void)state;
	assert_int_equal(decode_bytes(&msg, bytes), VASI_SUCCESS);
	assert_int_equal(msg.handle, 0);
	assert_int_equal(msg.data, 0);
	assert_int_equal(msg.caps.dirty_map, 0);
	assert_int_equal(msg.caps.features, VASI_CAP_FAILOVER);
	assert_int_equal(msg.caps.operations, VASI_CAP_OP_WRITE_IDX_INDIRECT);
	assert_int_equal(msg.caps.opens, 255);
}

static void test_residual_limits(void **state)
{
	static const __u8 all_ones[5] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
	static const __u64 fits[] = {
		0, 1, 0xFFFFFFFF, 0x100000000, VASI_RESIDUAL_MAX - 1,
		VASI_RESIDUAL_MAX,
	};
	static const __u64 too_much[] = {
		VASI_RESIDUAL_MAX, VASI_RESIDUAL_MAX + 1, 1ULL << 63, ~0ULL,
	};
	struct vasi_msg msg = { .format = 0x87, .status = VASI_END_OF_FILE };
	struct vasi_msg back;
	struct vasi_crq entry;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(fits); i++) {
		msg.residual = fits[i];
		vasi_msg_encode(&entry, &msg);
		assert_int_equal(vasi_msg_decode(&back, &entry), VASI_SUCCESS);
		assert_int_equal(back.residual, fits[i]);
	}
	for (i = 0; i < ARRAY_SIZE(too_much); i++) {
		msg.residual = too_much[i];
		vasi_msg_encode(&entry, &msg);
		assert_memory_equal((__u8 *)&entry + 3, all_ones, 5);
	}
}

static void test_reject(void **state)
{
	static const __u8 in[CRQ_BYTES] = {
		0x80, 0x0A, 0x77, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	};
	static const __u8 out[CRQ_BYTES] = {
		0x80, 0x8A, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	};
	struct vasi_crq entry, answer;
	struct vasi_msg msg;

	(void)state;
	memcpy(&entry, in, sizeof(entry));
	vasi_msg_reject(&answer, &entry, VASI_INVALID_FORMAT);
	assert_memory_equal(&answer, out, CRQ_BYTES);
	assert_memory_equal(&entry, in, CRQ_BYTES);

	/* In place, of a response, and of an entry already given back */
	vasi_msg_reject(&entry, &entry, VASI_INVALID_FORMAT);
	assert_memory_equal(&entry, out, CRQ_BYTES);
	entry.byte2 = 0;
	entry.header = VASI_CRQ_FREE;
	vasi_msg_reject(&entry, &entry, VASI_INVALID_FORMAT);
	assert_memory_equal(&entry, out, CRQ_BYTES);

	/* What is answered to reserved bits is understood by the asker */
	memcpy(&entry, in, sizeof(entry));
	entry.format = VASI_FMT_CLOSE;
	vasi_msg_reject(&answer, &entry, VASI_UNKNOWN_RESERVED);
	assert_int_equal(vasi_msg_decode(&msg, &answer), VASI_SUCCESS);
	assert_int_equal(msg.format, VASI_FMT_CLOSE | VASI_FMT_RESPONSE);
	assert_int_equal(msg.status, VASI_UNKNOWN_RESERVED);
}

static void test_names(void **state)
{
	const struct sample *s;
	unsigned int i;

	(void)state;
	for (s = samples; s < samples + ARRAY_SIZE(samples); s++)
		assert_string_equal(vasi_format_name(s->msg.format), s->name);
	for (i = 0; i < 256; i++) {
		if (!find_sample(i, true))
			assert_string_equal(vasi_format_name(i), "unknown");
		assert_int_equal(!strcmp(vasi_status_name(i), "unknown"),
				 i > VASI_INVALID_SUB_CONTROL);
		assert_int_equal(!strcmp(vasi_service_name(i), "unknown"),
				 i < 1 || i > 3);
	}
	for (i = 0; i < 65536; i++) {
		assert_int_equal(!strcmp(vasi_state_name(i), "unknown"), i > 7);
		assert_int_equal(!strcmp(vasi_signal_name(i), "unknown"),
				 i < 1 || i > 6);
	}
	assert_string_equal(vasi_status_name(0x0D), "Invalid BOTTOM");
	assert_string_equal(vasi_status_name(0x16),
			    "Invalid Indirect Buffer Length");
	assert_string_equal(vasi_state_name(5), "Resumed");
	assert_string_equal(vasi_signal_name(3), "Suspend");
	assert_string_equal(vasi_service_name(2), "target mover");
}

static void test_descriptor(void **state)
{
	__u32 length = 77, ioba = 78;
	int control;

	(void)state;
	assert_int_equal(vasi_desc_make(0x123456, 0x89ABCDEF),
			 0x8012345689ABCDEF);
	assert_int_equal(vasi_desc_make(0, 0), 0x8000000000000000);
	assert_int_equal(vasi_desc_make(VASI_MAX_LENGTH, ~0U),
			 0x80FFFFFFFFFFFFFF);
	assert_int_equal(vasi_desc_make(VASI_MAX_LENGTH + 1, 0), 0);
	assert_int_equal(vasi_desc_make(~0U, 0), 0);

	for (control = 0; control < 256; control++) {
		if (control == 0x80)
			continue;
		assert_int_equal(vasi_desc_parse((__u64)control << 56 | 0x1234,
						 &length, &ioba), -EINVAL);
		assert_int_equal(length, 77);
		assert_int_equal(ioba, 78);
	}
	assert_int_equal(vasi_desc_parse(0x80FEDCBA98765432, &length, &ioba),
			 0);
	assert_int_equal(length, 0xFEDCBA);
	assert_int_equal(ioba, 0x98765432);
}

/* A write indexed operation with every kind of segment */
static const __u8 op_bytes[] = {
	9, 8, 7, 6, 5, 4, 3, 2,				/* buffer correlator */
	0x11, 0x22, 0x33, 0x44, 0xA0, 0xB0, 0xC0, 0xD0,	/* TOP, BOTTOM */
	0xE1, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,	/* op code, offset */
	1, 2, 3, 4, 5, 6, 7, 8,				/* correlator */
	0x40, 0x00, 0x01, 0xFF,				/* skip 511 */
	0x00, 0x00, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o',
	0x80, 0x12, 0x34, 0x56, 0x89, 0xAB, 0xCD, 0xEF,	/* indirect */
	0xC0, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF9,	/* offset */
	0x40, 0x00, 0x00, 0x00,				/* skip 0 */
	0x00, 0x00, 0x00, 0x01, '!',
	0x00, 0x00, 0x00, 0x00,
};

static const __u8 download_bytes[] = {
	9, 8, 7, 6, 5, 4, 3, 2,
	0x00, 0x00, 0x00, 0x02, 'h', 'i',
	0x80, 0x00, 0x10, 0x00, 0x12, 0x34, 0x50, 0x00,
	0x00, 0x00, 0x00, 0x00,
};

/* Exactly so many bytes, so that AddressSanitizer sees a read beyond them */
static __u8 *exact_copy(const __u8 *bytes, size_t length)
{
	__u8 *copy = test_malloc(length);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	return copy;
}

static void assert_segment(const struct vasi_segment *seg, __u8 kind,
			   __u32 length, __u32 ioba, __u64 offset)
{
	assert_int_equal(seg->kind, kind);
	assert_int_equal(seg->length, length);
	assert_int_equal(seg->ioba, ioba);
	assert_int_equal(seg->offset, offset);
	if (kind != VASI_SEG_IMMEDIATE)
		assert_null(seg->data);
}

static void test_op_parse(void **state)
{
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	struct vasi_op op;

	(void)state;
	assert_int_equal(vasi_op_parse(op_bytes, sizeof(op_bytes), &op, &it),
			 VASI_SUCCESS);
	assert_int_equal(op.buffer_correlator, 0x0908070605040302);
	assert_int_equal(op.top, 0x11223344);
	assert_int_equal(op.bottom, 0xA0B0C0D0);
	assert_int_equal(op.op_code, VASI_OP_WRITE | VASI_OP_INDEXED |
			 VASI_OP_RESPOND_ALWAYS | VASI_OP_MODIFIER_TAKEOVER);
	assert_int_equal(op.offset, 0x01020304050607);
	assert_int_equal(op.correlator, 0x0102030405060708);

	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_SKIP, 511, 0, 0);
	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_IMMEDIATE, 5, 0, 0);
	assert_memory_equal(seg.data, "hello", 5);
	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_INDIRECT, 0x123456, 0x89ABCDEF, 0);
	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_OFFSET, 0, 0, 0xFFFEFDFCFBFAF9);
	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_SKIP, 0, 0, 0);
	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_IMMEDIATE, 1, 0, 0);
	assert_int_equal(*seg.data, '!');
	assert_int_equal(vasi_op_next(&it, &seg), 0);
	/* Spent */
	assert_int_equal(vasi_op_next(&it, &seg), -EINVAL);
}

static void test_download_parse(void **state)
{
	struct vasi_segment seg;
	struct vasi_seg_iter it;

	(void)state;
	vasi_download_parse(download_bytes, sizeof(download_bytes), &it);
	assert_int_equal(vasi_download_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_IMMEDIATE, 2, 0, 0);
	assert_memory_equal(seg.data, "hi", 2);
	assert_int_equal(vasi_download_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_INDIRECT, 0x1000, 0x12345000, 0);
	assert_int_equal(vasi_download_next(&it, &seg), 0);
	assert_int_equal(vasi_download_next(&it, &seg), -EINVAL);
}

static int walk_op(const __u8 *buf, __u32 length, enum vasi_status *status)
{
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	struct vasi_op op;
	int ret;

	*status = vasi_op_parse(buf, length, &op, &it);
	do {
		ret = vasi_op_next(&it, &seg);
		if (ret == 1 && seg.kind == VASI_SEG_IMMEDIATE) {
			assert_true(seg.data >= buf);
			assert_true(seg.length <= buf + length - seg.data);
		}
	} while (ret == 1);
	return ret;
}

static int walk_download(const __u8 *buf, __u32 length)
{
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	int ret;

	vasi_download_parse(buf, length, &it);
	do {
		ret = vasi_download_next(&it, &seg);
		if (ret == 1 && seg.kind == VASI_SEG_IMMEDIATE) {
			assert_true(seg.data >= buf);
			assert_true(seg.length <= buf + length - seg.data);
		}
	} while (ret == 1);
	return ret;
}

static void test_truncated(void **state)
{
	enum vasi_status status;
	size_t length;
	__u8 *buf;

	(void)state;
	for (length = 0; length <= sizeof(op_bytes); length++) {
		buf = exact_copy(op_bytes, length);
		assert_int_equal(walk_op(buf, length, &status),
				 length < sizeof(op_bytes) ? -EINVAL : 0);
		assert_int_equal(status, length < 36 ?
				 VASI_INVALID_OPERATION_SPECIFIER :
				 VASI_SUCCESS);
		test_free(buf);
	}
	for (length = 0; length <= sizeof(download_bytes); length++) {
		buf = exact_copy(download_bytes, length);
		assert_int_equal(walk_download(buf, length),
				 length < sizeof(download_bytes) ? -EINVAL : 0);
		test_free(buf);
	}
}

static void test_op_code(void **state)
{
	__u8 bytes[sizeof(op_bytes)];
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	struct vasi_op op;
	enum vasi_status status;
	bool valid;
	int code;

	(void)state;
	memcpy(bytes, op_bytes, sizeof(bytes));
	for (code = 0; code < 256; code++) {
		bytes[16] = code;
		valid = !(code & 0x18) && (code & 0x07) <= 1;
		memset(&op, 0xA5, sizeof(op));
		status = vasi_op_parse(bytes, sizeof(bytes), &op, &it);
		assert_int_equal(status, valid ? VASI_SUCCESS :
				 VASI_INVALID_OPERATION_SPECIFIER);
		/* The answer needs the correlator either way */
		assert_int_equal(op.correlator, 0x0102030405060708);
		assert_int_equal(vasi_op_next(&it, &seg), valid ? 1 : -EINVAL);
	}
	memset(&op, 0xA5, sizeof(op));
	vasi_op_parse(bytes, 35, &op, &it);
	assert_int_equal(op.correlator, 0);
}

/* Each control byte, with room for the longest segment and a terminator */
static void test_segment_controls(void **state)
{
	__u8 op[32 + 12] = { 0 }, download[8 + 12] = { 0 };
	enum vasi_status status;
	int control;

	(void)state;
	op[35] = 1;
	download[11] = 1;
	for (control = 0; control < 256; control++) {
		op[32] = control;
		download[8] = control;
		assert_int_equal(walk_op(op, sizeof(op), &status),
				 control & 0x3F ? -EINVAL : 0);
		assert_int_equal(walk_download(download, sizeof(download)),
				 control & 0x7F ? -EINVAL : 0);
	}
}

static void test_segment_limits(void **state)
{
	__u8 op[32 + 12] = { 0 };
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	struct vasi_op fixed;
	enum vasi_status status;

	(void)state;
	/* Only a terminator */
	assert_int_equal(walk_op(op, 36, &status), 0);
	assert_int_equal(walk_download(op, 12), 0);

	op[32] = VASI_SEG_SKIP;
	op[34] = 2;				/* 512 */
	assert_int_equal(walk_op(op, sizeof(op), &status), -EINVAL);
	op[33] = 1;
	op[34] = 0;
	assert_int_equal(walk_op(op, sizeof(op), &status), -EINVAL);

	/* Immediate data up to the last byte leaves no terminator */
	op[32] = 0;
	op[33] = 0;
	op[35] = 8;
	assert_int_equal(walk_op(op, sizeof(op), &status), -EINVAL);
	op[35] = 9;
	assert_int_equal(walk_op(op, sizeof(op), &status), -EINVAL);
	op[33] = 0xFF;
	op[34] = 0xFF;
	op[35] = 0xFF;
	assert_int_equal(walk_op(op, sizeof(op), &status), -EINVAL);

	/* An indirect segment of no bytes is no terminator */
	memset(op + 32, 0, 12);
	op[32] = VASI_SEG_INDIRECT;
	assert_int_equal(vasi_op_parse(op, sizeof(op), &fixed, &it),
			 VASI_SUCCESS);
	assert_int_equal(vasi_op_next(&it, &seg), 1);
	assert_segment(&seg, VASI_SEG_INDIRECT, 0, 0, 0);
	assert_int_equal(vasi_op_next(&it, &seg), 0);
}

static const struct vasi_op op_fixed = {
	.buffer_correlator = 0x0908070605040302,
	.top = 0x11223344,
	.bottom = 0xA0B0C0D0,
	.op_code = 0xE1,
	.offset = 0x01020304050607,
	.correlator = 0x0102030405060708,
};

static void test_op_build(void **state)
{
	struct vasi_seg_builder b;
	__u8 *buf = test_malloc(sizeof(op_bytes));
	void *data;

	(void)state;
	memset(buf, 0xA5, sizeof(op_bytes));
	assert_int_equal(vasi_op_begin(&b, buf, sizeof(op_bytes), &op_fixed),
			 0);
	assert_int_equal(vasi_seg_room(&b), sizeof(op_bytes) - 36);
	assert_int_equal(vasi_op_add_skip(&b, 511), 0);
	data = vasi_seg_add_immediate(&b, 5);
	assert_non_null(data);
	memcpy(data, "hello", 5);
	assert_int_equal(vasi_op_add_indirect(&b, 0x123456, 0x89ABCDEF), 0);
	assert_int_equal(vasi_op_add_offset(&b, 0xFFFEFDFCFBFAF9), 0);
	assert_int_equal(vasi_op_add_skip(&b, 0), 0);
	data = vasi_seg_add_immediate(&b, 1);
	assert_non_null(data);
	memcpy(data, "!", 1);
	assert_int_equal(vasi_seg_room(&b), 0);
	assert_int_equal(vasi_seg_end(&b, buf), sizeof(op_bytes));
	assert_memory_equal(buf, op_bytes, sizeof(op_bytes));
	test_free(buf);
}

static void test_download_build(void **state)
{
	struct vasi_seg_builder b;
	__u8 buf[64];
	void *data;

	(void)state;
	memset(buf, 0xA5, sizeof(buf));
	assert_int_equal(vasi_download_begin(&b, buf, sizeof(buf),
					     0x0908070605040302), 0);
	assert_int_equal(vasi_seg_room(&b), sizeof(buf) - 12);
	data = vasi_seg_add_immediate(&b, 2);
	assert_non_null(data);
	memcpy(data, "hi", 2);
	assert_int_equal(vasi_download_add_indirect(&b, 0x1000, 0x12345000),
			 0);
	assert_int_equal(vasi_seg_end(&b, buf), sizeof(download_bytes));
	assert_memory_equal(buf, download_bytes, sizeof(download_bytes));
	/* Nothing behind the terminator was touched */
	assert_int_equal(buf[sizeof(download_bytes)], 0xA5);

	/* Ended: no room, and ending again changes nothing */
	assert_int_equal(vasi_seg_room(&b), 0);
	assert_null(vasi_seg_add_immediate(&b, 1));
	assert_int_equal(vasi_seg_end(&b, buf), sizeof(download_bytes));
	assert_int_equal(buf[sizeof(download_bytes)], 0xA5);
}

static void test_build_refusals(void **state)
{
	struct vasi_op bad = op_fixed;
	struct vasi_seg_builder b;
	__u8 buf[128];
	__u32 length;

	(void)state;
	for (length = 0; length < 36; length++) {
		assert_int_equal(vasi_op_begin(&b, buf, length, &op_fixed),
				 -ENOSPC);
		assert_int_equal(vasi_seg_room(&b), 0);
		assert_int_equal(vasi_seg_end(&b, buf), 0);
	}
	for (length = 0; length < 12; length++) {
		assert_int_equal(vasi_download_begin(&b, buf, length, 1),
				 -ENOSPC);
		assert_int_equal(vasi_seg_end(&b, buf), 0);
	}
	bad.offset = 1ULL << 56;
	assert_int_equal(vasi_op_begin(&b, buf, sizeof(buf), &bad), -EINVAL);
	bad.offset = 0;
	bad.op_code = 0x08;
	assert_int_equal(vasi_op_begin(&b, buf, sizeof(buf), &bad), -EINVAL);
	bad.op_code = 0x02;
	assert_int_equal(vasi_op_begin(&b, buf, sizeof(buf), &bad), -EINVAL);
	assert_int_equal(vasi_seg_end(&b, buf), 0);

	assert_int_equal(vasi_op_begin(&b, buf, sizeof(buf), &op_fixed), 0);
	length = vasi_seg_room(&b);
	assert_null(vasi_seg_add_immediate(&b, 0));
	assert_null(vasi_seg_add_immediate(&b, length));
	assert_null(vasi_seg_add_immediate(&b, VASI_MAX_LENGTH));
	assert_null(vasi_seg_add_immediate(&b, VASI_MAX_LENGTH + 1));
	assert_null(vasi_seg_add_immediate(&b, ~0U));
	assert_int_equal(vasi_op_add_skip(&b, 512), -EINVAL);
	assert_int_equal(vasi_op_add_offset(&b, 1ULL << 56), -EINVAL);
	assert_int_equal(vasi_op_add_indirect(&b, 0, 0), -EINVAL);
	assert_int_equal(vasi_op_add_indirect(&b, VASI_MAX_LENGTH + 1, 0),
			 -EINVAL);
	assert_int_equal(vasi_download_add_indirect(&b, 0, 0), -EINVAL);
	assert_int_equal(vasi_seg_room(&b), length);
	assert_int_equal(vasi_op_add_indirect(&b, VASI_MAX_LENGTH, ~0U), 0);
}

static int add_smallest(struct vasi_seg_builder *b, int kind)
{
	__u8 *data;

	switch (kind) {
	case 0:
		data = vasi_seg_add_immediate(b, 1);
		if (!data)
			return -ENOSPC;
		*data = 0xFF;
		return 0;
	case 1:
		return vasi_op_add_skip(b, 1);
	case 2:
		return vasi_op_add_indirect(b, 1, 2);
	default:
		return vasi_op_add_offset(b, 1);
	}
}

/* One segment of each kind into every length of buffer, until none fits */
static void test_build_exhaustion(void **state)
{
	static const __u32 sizes[] = { 5, 4, 8, 8 };
	struct vasi_seg_builder b;
	enum vasi_status status;
	__u32 length, room, used;
	int kind, fitted, ret;
	__u8 *buf;

	(void)state;
	for (kind = 0; kind < 4; kind++) {
		for (length = 36; length < 100; length++) {
			buf = test_malloc(length);
			assert_int_equal(vasi_op_begin(&b, buf, length,
						       &op_fixed), 0);
			fitted = 0;
			do {
				room = vasi_seg_room(&b);
				ret = add_smallest(&b, kind);
				fitted += !ret;
			} while (!ret);
			assert_int_equal(ret, -ENOSPC);
			assert_true(room < sizes[kind]);
			assert_int_equal(fitted, (length - 36) / sizes[kind]);
			used = vasi_seg_end(&b, buf);
			assert_int_equal(used, 36 + fitted * sizes[kind]);
			assert_int_equal(walk_op(buf, used, &status), 0);
			assert_int_equal(status, VASI_SUCCESS);
			test_free(buf);
		}
	}
}

static __u64 next_random(__u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Random entries, with formats, statuses and zeros likely enough to matter */
static void random_entry(__u8 *bytes, __u64 *seed)
{
	__u64 r = next_random(seed);
	__u64 low = next_random(seed), high = next_random(seed);
	int i;

	memcpy(bytes, &low, 8);
	memcpy(bytes + 8, &high, 8);
	for (i = 2; i < CRQ_BYTES; i++)
		if (next_random(seed) >> 32 & 3)
			bytes[i] = 0;
	if (r & 0xF)
		bytes[0] = 0x80;
	if (r & 0x30)
		bytes[1] &= 0x9F;
	if ((r & 0xC0) == 0xC0)
		bytes[1] &= 0x87;
}

static void test_fuzz_entries(void **state)
{
	__u64 seed = 0x9E3779B97F4A7C15;
	unsigned int decoded = 0, refused = 0;
	__u8 bytes[CRQ_BYTES];
	const struct sample *s;
	struct vasi_crq back;
	struct vasi_msg msg;
	enum vasi_status status;
	int i, n;
	bool bad;

	(void)state;
	for (n = 0; n < FUZZ_ENTRIES; n++) {
		random_entry(bytes, &seed);
		status = decode_bytes(&msg, bytes);
		s = find_sample(bytes[1], !bytes[2]);
		if (bytes[0] != 0x80 || !s) {
			assert_int_equal(status, VASI_INVALID_FORMAT);
			continue;
		}
		bad = false;
		for (i = 0; i < CRQ_BYTES; i++) {
			bad |= s->map[i] == 'r' && bytes[i];
			if (s->map[i] == 'i')
				bytes[i] = 0;
		}
		assert_int_equal(status, bad ? VASI_UNKNOWN_RESERVED :
				 VASI_SUCCESS);
		refused += bad;
		decoded += !bad;
		if (bad)
			continue;
		vasi_msg_encode(&back, &msg);
		assert_memory_equal(&back, bytes, CRQ_BYTES);
	}
	/* The generator reaches both */
	assert_true(decoded > FUZZ_ENTRIES / 20);
	assert_true(refused > FUZZ_ENTRIES / 20);
}

/* Random segment lists: read within bounds, and end (AddressSanitizer) */
static void test_fuzz_buffers(void **state)
{
	static const __u8 controls[] = { 0x00, 0x40, 0x80, 0xC0 };
	__u64 seed = 0xD1B54A32D192ED03;
	unsigned int ended = 0, malformed = 0;
	enum vasi_status status;
	__u32 length, i;
	__u8 *buf;
	int n, ret;

	(void)state;
	for (n = 0; n < FUZZ_BUFFERS; n++) {
		length = next_random(&seed) % 128;
		buf = malloc(length ? length : 1);
		assert_non_null(buf);
		for (i = 0; i < length; i++) {
			__u64 r = next_random(&seed) >> 24;

			if (r & 3)
				buf[i] = 0;
			else if (r & 4)
				buf[i] = controls[r >> 3 & 3];
			else
				buf[i] = r >> 3 & 0x1F;
		}
		if (length > 16)
			buf[16] &= 0xE1;
		ret = walk_op(buf, length, &status);
		assert_true(ret == 0 || ret == -EINVAL);
		assert_true(ret == -EINVAL || status == VASI_SUCCESS);
		ended += !ret;
		malformed += ret && status == VASI_SUCCESS;
		ret = walk_download(buf, length);
		assert_true(ret == 0 || ret == -EINVAL);
		free(buf);
	}
	assert_true(ended > FUZZ_BUFFERS / 20);
	assert_true(malformed > FUZZ_BUFFERS / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_decode),
		cmocka_unit_test(test_samples_encode),
		cmocka_unit_test(test_encode_ignores_foreign),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_every_status),
		cmocka_unit_test(test_unknown_formats),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_encode_unknown),
		cmocka_unit_test(test_capability_reserved),
		cmocka_unit_test(test_residual_limits),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_op_parse),
		cmocka_unit_test(test_download_parse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_op_code),
		cmocka_unit_test(test_segment_controls),
		cmocka_unit_test(test_segment_limits),
		cmocka_unit_test(test_op_build),
		cmocka_unit_test(test_download_build),
		cmocka_unit_test(test_build_refusals),
		cmocka_unit_test(test_build_exhaustion),
		cmocka_unit_test(test_fuzz_entries),
		cmocka_unit_test(test_fuzz_buffers),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
