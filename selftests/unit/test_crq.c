// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the platform answers, byte for byte, and which check comes first where a
 * request is wrong in two ways.  Requests and answers stand in hexadecimal as
 * LoPAR draws them: header, format, status, byte 3; handle; bytes 8-15.
 */
#include <endian.h>
#include "one_vsp.h"

#define ID	0x1122334455667788ULL
#define OTHER	0x99AABBCCDDEEFF00ULL
#define TOP	0x7070BEEF
#define BAD	0x0BAD0BAD		/* a BOTTOM that is not open */
#define MEMORY	(1u << 20)
#define LIST	0x8000			/* where indirect lists lie */
#define OUTSIDE	VSP_PANE_BYTES

/* A session of a stream of @role on the first device */
static struct vsp *one_session(enum phyp_role role, uint32_t *bottom)
{
	struct vsp *vsp = vsp_create(NULL);

	vsp_stream(vsp, 0, ID, role, MEMORY, 4096);
	*bottom = vsp_open(&vsp->dev[0], role, TOP, ID);
	return vsp;
}

static void negotiate(struct vsp_dev *dev, uint8_t service)
{
	vsp_send(dev, "80 01 00 %02x 00000000 0000 4456 00 ff ff ff", service);
	vsp_skip_to(dev, 0x81);
}

static void cancel(struct vsp_dev *dev, uint64_t id)
{
	assert_int_equal(vsp_hcall(dev, VASI_H_SIGNAL, id, VASI_SIGNAL_CANCEL,
				   0x01000000), VASI_RC_SUCCESS);
	vsp_drop(dev);
}

static uint8_t status_of(struct vsp_dev *dev)
{
	return vsp_next(dev).byte2;
}

/* ---- The queue ---- */

static void crq_answers_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int i;

	(void)unused;
	for (i = 0; i < 50; i++) {
		vsp_put64(dev, 0, i);
		vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
		vsp_send(dev, "80 13 01 00 %08x %016x", bottom, i);
		vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", bottom);
	}
	for (i = 0; i < 50; i++) {
		vsp_expect(dev, "80 84 00 00 %08x 000000 0001 001000", TOP);
		vsp_expect(dev, "80 93 00 00 %08x %016x", TOP, i);
		vsp_expect(dev, "80 85 00 00 %08x %016x", TOP, i);
	}
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void initialisation_handshake(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "c0 01 0000 00000000 0000000000000000");
	vsp_expect(dev, "c0 02 0000 00000000 0000000000000000");
	vsp_send(dev, "c0 02 0000 00000000 0000000000000000");
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void bad_header_is_ignored(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int header;

	(void)unused;
	vsp_send(dev, "c0 03 0000 00000000 0000000000000000");
	for (header = 0; header < 0x100; header++)
		if (header != VASI_CRQ_COMMAND && header != VASI_CRQ_INIT)
			vsp_send(dev, "%02x 02 0001 00000001 %016llx", header, ID);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void deregistering_forgets_everything(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	uint32_t bottom, again;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_TARGET, MEMORY, 4096);
	negotiate(dev, TARGET);
	bottom = vsp_open(dev, TARGET, TOP, ID);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_send(dev, "80 06 00 00 %08x 80 000010 00001000", bottom);
	vsp_drop(dev);
	assert_int_equal(vsp_hcall(dev, VASI_H_FREE_CRQ, 0, 0, 0), 0);
	vsp_expect_none(dev);

	vsp_send(dev, "80 10 00 00 %08x 0000000000000000", bottom);
	vsp_expect(dev, "80 90 0d 00 %08x 0000000000000000", bottom);
	/* What was negotiated, too */
	vsp_send(dev, "80 20 00 00 %08x 80 001000 00000000", bottom);
	assert_int_equal(status_of(dev), VASI_INVALID_FORMAT);
	again = vsp_open(dev, TARGET, TOP, ID);
	assert_int_not_equal(again, bottom);
	vsp_send(dev, "80 02 00 02 %08x %016llx", TOP, ID);
	assert_int_equal(status_of(dev), VASI_TOO_MANY_OPENS);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", again);
	assert_int_equal(status_of(dev), VASI_INVALID_BUFFER_LENGTH);
	/* The download went with its session */
	assert_int_not_equal(vsp_hcall(dev, VASI_H_DONOR_OPERATION,
				       vsp_pair(TOP, again), 0, 0),
			     VASI_RC_IN_PROGRESS);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* ---- Formats and reserved fields ---- */

static bool accepted(unsigned int format)
{
	static const uint8_t formats[] = {
		0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x87, 0x08, 0x10, 0x11,
		0x92, 0x13, 0x20,
	};

	return memchr(formats, format, sizeof(formats));
}

static void every_unused_format_refused(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int format, refused = 0;

	(void)unused;
	negotiate(dev, SOURCE);
	for (format = 0; format < 0x100; format++) {
		if (accepted(format))
			continue;
		vsp_send(dev, "80 %02x 00 ab 01020304 05060708090a0b0c", format);
		vsp_expect(dev, "80 %02x 10 ab 01020304 05060708090a0b0c",
			   format | 0x80);
		refused++;
	}
	assert_int_equal(refused, 243);
	vsp_destroy(vsp);
}

static void invalid_format_is_echoed(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* Before reserved fields, before BOTTOM; and that is all it does */
	vsp_send(dev, "80 14 ff ff %08x ffffffffffffffff", bottom);
	vsp_expect(dev, "80 94 10 ff %08x ffffffffffffffff", bottom);
	vsp_send(dev, "80 ff 00 00 00000000 0000000000000000");
	vsp_expect(dev, "80 ff 10 00 00000000 0000000000000000");
	vsp_send(dev, "80 10 00 00 %08x 0000000000000000", bottom);
	vsp_expect(dev, "80 90 00 00 %08x 0000000000000000", TOP);
	vsp_destroy(vsp);
}

static void operation_request_refused(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 07 00 00 00000000 0123456789abcdef");
	vsp_expect(dev, "80 87 10 00 00000000 0123456789abcdef");
	vsp_send(dev, "80 07 11 22 33333333 0123456789abcdef");
	vsp_expect(dev, "80 87 10 22 33333333 0123456789abcdef");
	vsp_send(dev, "80 09 00 00 33333333 0000000000030000");
	vsp_expect(dev, "80 89 10 00 33333333 0000000000030000");
	vsp_send(dev, "80 12 01 00 33333333 0123456789abcdef");
	vsp_expect(dev, "80 92 10 00 33333333 0123456789abcdef");
	vsp_destroy(vsp);
}

static void stray_response_refused(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	static const uint8_t formats[] = {
		0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x88, 0x89, 0x90, 0x91, 0x93,
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(formats); i++) {
		vsp_send(dev, "80 %02x 00 77 %08x 0102030405060708", formats[i],
			 bottom);
		vsp_expect(dev, "80 %02x 10 77 %08x 0102030405060708",
			   formats[i], bottom);
	}
	vsp_destroy(vsp);
}

/* Reserved bytes: bit n is byte n */
static const struct {
	uint8_t format;
	uint16_t request;
	uint16_t response;
} reserved[] = {
	{ 0x01, 0x0004, 0x13F0 },
	{ 0x02, 0x0004, 0x0000 },
	{ 0x03, 0xFF0C, 0xFF08 },
	{ 0x04, 0x000C, 0x0008 },
	{ 0x05, 0x1F0C, 0x0008 },
	{ 0x06, 0x000C, 0x0008 },
	{ 0x08, 0xC00C, 0xC008 },
	{ 0x10, 0xFF0C, 0x0008 },
	{ 0x11, 0x0004, 0x0000 },
	{ 0x20, 0x000C, 0x0008 },
};

static void assert_reserved_zero(const struct vasi_crq *entry, uint16_t mask)
{
	const uint8_t *byte = (const uint8_t *)entry;
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (mask & 1u << i && byte[i])
			fail_msg("%s: byte %u is %#x",
				 vasi_format_name(entry->format), i, byte[i]);
}

static void reserved_fields_checked(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	struct vasi_crq entry, got;
	unsigned int i, n;

	(void)unused;
	negotiate(dev, SOURCE);
	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		for (n = 2; n < 16; n++) {
			if (!(reserved[i].request & 1u << n))
				continue;
			memset(&entry, 0, sizeof(entry));
			entry.header = VASI_CRQ_COMMAND;
			entry.format = reserved[i].format;
			/* Wrong as well; but this comes later */
			entry.handle = htobe32(BAD);
			((uint8_t *)&entry)[n] = 1;
			phyp_crq(dev->vdev, &entry);
			got = vsp_next(dev);
			assert_int_equal(got.format, entry.format | 0x80);
			assert_int_equal(got.byte2, VASI_UNKNOWN_RESERVED);
			assert_reserved_zero(&got, reserved[i].response);
			vsp_expect_none(dev);
		}
	}
	/* Stands alone: the data of a Progress response is a number of bytes */
	vsp_send(dev, "80 10 00 00 %08x 0000000000000001", BAD);
	vsp_expect(dev, "80 90 11 00 %08x 0000000000000000", BAD);
	vsp_send(dev, "80 11 01 07 %08x 0123456789abcdef", BAD);
	vsp_expect(dev, "80 91 11 00 %08x 0123456789abcdef", BAD);
	vsp_send(dev, "80 02 01 01 %08x %016llx", TOP, ID);
	vsp_expect(dev, "80 82 11 01 00000000 %016llx", ID);
	vsp_destroy(vsp);
}

static void capability_string_not_checked(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 01 00 01 ffffffff ffff ffff ff ff ff ff");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 47 0c 04");
	vsp_destroy(vsp);
}

static void reserved_fields_sent_as_zero(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	struct vasi_crq entry, got;
	unsigned int i, round;

	(void)unused;
	negotiate(dev, TARGET);
	/* Good BOTTOM and bad, every other byte that may be set is */
	for (round = 0; round < 2; round++) {
		for (i = sizeof(reserved) / sizeof(reserved[0]); i-- > 0;) {
			unsigned int n;

			memset(&entry, 0xFF, sizeof(entry));
			entry.header = VASI_CRQ_COMMAND;
			entry.format = reserved[i].format;
			entry.handle = htobe32(round ? BAD : bottom);
			for (n = 2; n < 16; n++)
				if (reserved[i].request & 1u << n)
					((uint8_t *)&entry)[n] = 0;
			phyp_crq(dev->vdev, &entry);
			got = vsp_skip_to(dev, entry.format | 0x80);
			assert_reserved_zero(&got, reserved[i].response);
			vsp_drop(dev);
		}
	}
	vsp_destroy(vsp);
}

/* ---- Capabilities ---- */

static void capabilities_answer(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 01 00 01 00000000 0000 0000 00 47 0c 02");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 47 0c 02");
	vsp_send(dev, "80 01 00 02 00000000 0000 0000 00 07 08 01");
	vsp_expect(dev, "80 81 00 02 00000000 0000 0000 00 07 08 01");
	vsp_send(dev, "80 01 00 02 00000000 0000 0000 00 00 00 00");
	vsp_expect(dev, "80 81 00 02 00000000 0000 0000 00 00 00 00");
	vsp_destroy(vsp);
}

static void capabilities_unsupported_bits_cleared(void **unused)
{
	struct phyp_vdev_params params = vsp_params;
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int bit;

	(void)unused;
	for (bit = 1; bit < 0x100; bit <<= 1) {
		vsp_send(dev, "80 01 00 01 00000000 0000 0000 00 %02x 00 01", bit);
		vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 %02x 00 01",
			   bit & 0x47);
		vsp_send(dev, "80 01 00 01 00000000 0000 0000 00 00 %02x 01", bit);
		vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 00 %02x 01",
			   bit & 0x0C);
	}
	vsp_destroy(vsp);

	params.indirect = false;
	params.opens = 1;
	vsp = vsp_create(&params);
	dev = &vsp->dev[0];
	vsp_send(dev, "80 01 00 01 00000000 0000 0000 00 ff ff ff");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 07 08 01");
	vsp_destroy(vsp);
}

static void capabilities_lower_opens(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int asked;

	(void)unused;
	for (asked = 0; asked < 0x100; asked++) {
		unsigned int granted = asked < 4 ? asked : 4;

		vsp_send(dev, "80 01 00 01 00000000 0000 0000 00 40 00 %02x",
			 asked);
		vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 40 00 %02x",
			   granted);
	}
	/* Without multiple opens there is one */
	vsp_send(dev, "80 01 00 01 00000000 0000 0000 00 00 00 ff");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 00 00 01");
	vsp_destroy(vsp);
}

static void capabilities_per_service(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	static const uint8_t others[] = { 0, 3, 4, 0x80, 0xFF };
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(others); i++) {
		vsp_send(dev, "80 01 00 %02x 00000000 0000 4456 00 ff ff ff",
			 others[i]);
		vsp_expect(dev, "80 81 00 %02x 00000000 0000 0000 00 00 00 00",
			   others[i]);
	}
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	vsp_stream(vsp, 0, OTHER, PHYP_TARGET, MEMORY, 4096);
	negotiate(dev, SOURCE);
	vsp_open(dev, SOURCE, 1, ID);
	vsp_open(dev, SOURCE, 2, ID);
	vsp_open(dev, TARGET, 3, OTHER);
	vsp_send(dev, "80 02 00 02 00000004 %016llx", OTHER);
	vsp_expect(dev, "80 82 0c 02 00000000 %016llx", OTHER);
	vsp_destroy(vsp);
}

static void dirty_map_offered(void **unused)
{
	struct phyp_vdev_params params = vsp_params;
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 01 00 01 00000000 0000 4456 00 00 00 01");
	vsp_expect(dev, "80 81 00 01 00000000 0000 564d 00 00 00 01");
	vsp_send(dev, "80 01 00 01 00000000 0000 564d 00 00 00 01");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 00 00 01");
	vsp_send(dev, "80 01 00 01 00000000 0000 4457 00 00 00 01");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 00 00 01");
	vsp_destroy(vsp);

	params.dirty_map = false;
	vsp = vsp_create(&params);
	dev = &vsp->dev[0];
	vsp_send(dev, "80 01 00 01 00000000 0000 4456 00 00 00 01");
	vsp_expect(dev, "80 81 00 01 00000000 0000 0000 00 00 00 01");
	vsp_send(dev, "80 20 00 00 %08x 80 001000 00000000", BAD);
	vsp_expect(dev, "80 a0 10 00 %08x 80 001000 00000000", BAD);
	vsp_destroy(vsp);
}

/* A platform that copies bytes it does not know offers nothing by that */
static void dirty_map_echoed(void **unused)
{
	struct phyp_vdev_params params = vsp_params;
	static const uint16_t asked[] = { 0x4456, 0x564D, 0xFFFF };
	struct vsp_dev *dev;
	struct vsp *vsp;
	unsigned int i;

	(void)unused;
	params.dirty_map_echo = true;
	vsp = vsp_create(&params);
	dev = &vsp->dev[0];
	for (i = 0; i < 3; i++) {
		vsp_send(dev, "80 01 00 01 00000000 0000 %04x 00 00 00 01",
			 asked[i]);
		vsp_expect(dev, "80 81 00 01 00000000 0000 %04x 00 00 00 01",
			   asked[i]);
		vsp_send(dev, "80 20 00 00 %08x 80 001000 00000000", BAD);
		vsp_expect(dev, "80 a0 10 00 %08x 80 001000 00000000", BAD);
	}
	vsp_destroy(vsp);
}

static void dirty_map_before_negotiation(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 20 ff ff %08x 80 001000 00000000", bottom);
	vsp_expect(dev, "80 a0 10 ff %08x 80 001000 00000000", bottom);
	negotiate(dev, SOURCE);
	vsp_send(dev, "80 20 ff ff %08x 80 001000 00000000", bottom);
	vsp_expect(dev, "80 a0 11 00 %08x 80 001000 00000000", bottom);
	vsp_send(dev, "80 20 00 00 %08x 80 001000 00000000", BAD);
	vsp_expect(dev, "80 a0 0d 00 %08x 80 001000 00000000", BAD);
	vsp_destroy(vsp);
}

/* ---- Open ---- */

static void open_response_fields(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	struct vasi_crq entry;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_TARGET, MEMORY, 4096);
	vsp_send(dev, "80 02 00 02 %08x %016llx", TOP, ID);
	entry = vsp_next(dev);
	assert_int_not_equal(entry.handle, 0);
	entry.handle = 0;
	assert_memory_equal(&entry, ((uint8_t[]) { 0x80, 0x82, 0, 2, 0, 0, 0, 0,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 }), 16);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void open_invalid_stream(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	vsp_send(&vsp->dev[0], "80 02 00 01 %08x %016llx", TOP, OTHER);
	vsp_expect(&vsp->dev[0], "80 82 02 01 00000000 %016llx", OTHER);
	vsp_send(&vsp->dev[0], "80 02 00 01 %08x 0000000000000000", TOP);
	vsp_expect(&vsp->dev[0], "80 82 02 01 00000000 0000000000000000");
	/* Valid, but for the other device's VSP only */
	vsp_send(&vsp->dev[1], "80 02 00 01 %08x %016llx", TOP, ID);
	vsp_expect(&vsp->dev[1], "80 82 02 01 00000000 %016llx", ID);
	vsp_destroy(vsp);
}

static void open_invalid_service(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int service;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	for (service = 0; service < 0x100; service++) {
		if (service == SOURCE)
			continue;
		vsp_send(dev, "80 02 00 %02x %08x %016llx", service, TOP, ID);
		vsp_expect(dev, "80 82 0b %02x 00000000 %016llx", service, ID);
	}
	vsp_destroy(vsp);
}

static void open_aborted_stream(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	cancel(dev, ID);
	vsp_send(dev, "80 02 00 01 %08x %016llx", TOP, ID);
	vsp_expect(dev, "80 82 03 01 00000000 %016llx", ID);
	vsp_destroy(vsp);
}

static void open_too_many(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	uint32_t bottom = 0;
	unsigned int i;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	negotiate(dev, SOURCE);
	for (i = 0; i < 4; i++)
		bottom = vsp_open(dev, SOURCE, TOP + i, ID);
	vsp_send(dev, "80 02 00 01 %08x %016llx", TOP, ID);
	vsp_expect(dev, "80 82 0c 01 00000000 %016llx", ID);
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom);
	vsp_drop(dev);
	vsp_open(dev, SOURCE, TOP, ID);
	vsp_destroy(vsp);
}

static void open_bottoms_are_unique(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	uint32_t bottom[2000], resident;
	unsigned int i, j;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_TARGET, MEMORY, 4096);
	negotiate(dev, TARGET);
	resident = vsp_open(dev, TARGET, 1, ID);
	for (i = 0; i < 2000; i++) {
		bottom[i] = vsp_open(dev, TARGET, TOP, ID);
		assert_int_not_equal(bottom[i], 0);
		assert_int_not_equal(bottom[i], resident);
		vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom[i]);
		vsp_expect(dev, "80 83 00 00 %08x 0000000000000000", TOP);
		for (j = 0; j < i; j++)
			assert_int_not_equal(bottom[i], bottom[j]);
	}
	/* None of them names what has taken its place */
	vsp_open(dev, TARGET, TOP, ID);
	for (i = 0; i < 2000; i++) {
		vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom[i]);
		vsp_expect(dev, "80 83 0d 00 %08x 0000000000000000", bottom[i]);
	}
	vsp_destroy(vsp);
}

static void open_checks_in_order(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	vsp_open(dev, SOURCE, TOP, ID);
	vsp_send(dev, "80 02 00 09 %08x %016llx", TOP, OTHER);
	assert_int_equal(status_of(dev), VASI_INVALID_STREAM_ID);
	vsp_send(dev, "80 02 00 02 %08x %016llx", TOP, ID);
	assert_int_equal(status_of(dev), VASI_INVALID_SERVICE);
	vsp_send(dev, "80 02 00 01 %08x %016llx", TOP, ID);
	assert_int_equal(status_of(dev), VASI_TOO_MANY_OPENS);
	cancel(dev, ID);
	vsp_send(dev, "80 02 00 02 %08x %016llx", TOP, ID);
	assert_int_equal(status_of(dev), VASI_INVALID_SERVICE);
	vsp_send(dev, "80 02 00 01 %08x %016llx", TOP, ID);
	assert_int_equal(status_of(dev), VASI_STREAM_ABORTED);
	vsp_destroy(vsp);
}

static void open_top_used_in_answers(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	static const uint32_t top[] = { 0, 0xFFFFFFFF, 5, 5 };
	uint32_t bottom[4];
	unsigned int i;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	negotiate(dev, SOURCE);
	for (i = 0; i < 4; i++)
		bottom[i] = vsp_open(dev, SOURCE, top[i], ID);
	for (i = 0; i < 4; i++) {
		vsp_send(dev, "80 10 00 00 %08x 0000000000000000", bottom[i]);
		vsp_expect(dev, "80 90 00 00 %08x 0000000000000000", top[i]);
	}
	vsp_hcall(dev, VASI_H_SIGNAL, ID, VASI_SIGNAL_CANCEL, 0x01000002);
	for (i = 0; i < 4; i++)
		vsp_expect(dev, "80 09 00 00 %08x 01000002 0002 0000", top[i]);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* ---- Close ---- */

static void close_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom);
	vsp_expect(dev, "80 83 00 00 %08x 0000000000000000", TOP);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void close_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);

	(void)unused;
	vsp_send(&vsp->dev[0], "80 03 00 00 %08x 0000000000000000", BAD);
	vsp_expect(&vsp->dev[0], "80 83 0d 00 %08x 0000000000000000", BAD);
	vsp_send(&vsp->dev[0], "80 03 00 01 %08x 0000000000000000", BAD);
	vsp_expect(&vsp->dev[0], "80 83 11 00 %08x 0000000000000000", BAD);
	/* Open, but for another caller */
	vsp_send(&vsp->dev[1], "80 03 00 00 %08x 0000000000000000", bottom);
	vsp_expect(&vsp->dev[1], "80 83 0d 00 %08x 0000000000000000", bottom);
	vsp_destroy(vsp);
}

static void close_waits_for_queued_requests(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int i;

	(void)unused;
	for (i = 0; i < 100; i++) {
		vsp_put64(dev, i * 16, 0xC0DE00 + i);
		vsp_send(dev, "80 06 00 00 %08x 80 000010 %08x", bottom, i * 16);
	}
	vsp_expect_none(dev);
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom);
	for (i = 0; i < 100; i++)
		vsp_expect(dev, "80 86 00 00 %08x %016x", TOP, 0xC0DE00 + i);
	vsp_expect(dev, "80 83 00 00 %08x 0000000000000000", TOP);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void close_leaves_other_sessions(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	uint32_t a, b;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	negotiate(dev, SOURCE);
	a = vsp_open(dev, SOURCE, 1, ID);
	b = vsp_open(dev, SOURCE, 2, ID);
	vsp_put64(dev, 0, 77);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", b);
	vsp_send(dev, "80 06 00 00 %08x 80 000010 00002000", b);
	vsp_drop(dev);
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", a);
	vsp_expect(dev, "80 83 00 00 00000001 0000000000000000");
	vsp_expect_none(dev);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", b);
	vsp_expect(dev, "80 85 00 00 00000002 %016x", 77);
	vsp_hcall(dev, VASI_H_DONOR_OPERATION, vsp_pair(2, b), 0, 0);
	vsp_expect(dev, "80 86 00 00 00000002 0000000000000000");
	vsp_destroy(vsp);
}

static void close_forgets_buffers(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom);
	vsp_drop(dev);
	bottom = vsp_open(dev, SOURCE, TOP, ID);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", bottom);
	assert_int_equal(status_of(dev), VASI_INVALID_BUFFER_LENGTH);
	vsp_destroy(vsp);
}

static void nothing_sent_after_close(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];
	struct vsp_part *part;
	uint32_t a, b;

	(void)unused;
	part = vsp_stream(vsp, 0, ID, PHYP_SOURCE, MEMORY, 4096);
	vsp_write(part, 0, 65536);
	negotiate(dev, SOURCE);
	a = vsp_open(dev, SOURCE, 1, ID);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", a);
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", a);
	vsp_expect(dev, "80 84 00 00 00000001 000000 0001 001000");
	vsp_expect(dev, "80 83 00 00 00000001 0000000000000000");
	b = vsp_open(dev, SOURCE, 2, ID);
	assert_int_equal(vsp_hcall(dev, VASI_H_DONOR_OPERATION, vsp_pair(1, a),
				   0, 0), VASI_RC_PARAMETER);
	/* No buffer, no operation; and State requests go to the other alone */
	vsp_hcall(dev, VASI_H_DONOR_OPERATION, vsp_pair(2, b), 0, 0);
	vsp_expect_none(dev);
	vsp_hcall(dev, VASI_H_SIGNAL, ID, VASI_SIGNAL_CANCEL, 0);
	vsp_expect(dev, "80 09 00 00 00000002 00000000 0002 0000");
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* ---- Add Buffer, Free Buffer ---- */

static void add_buffer_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_put64(dev, 0x2000, 0x0123456789ABCDEF);
	vsp_send(dev, "80 04 00 00 %08x 80 012345 00002000", bottom);
	vsp_expect(dev, "80 84 00 00 %08x 000000 0001 012345", TOP);
	vsp_send(dev, "80 04 00 00 %08x 80 012345 00002000", bottom);
	vsp_expect(dev, "80 84 00 00 %08x 000000 0002 012345", TOP);
	/* The buffer is as it was */
	assert_int_equal(vsp_get64(dev, 0x2000), 0x0123456789ABCDEF);
	vsp_destroy(vsp);
}

static void add_buffer_checks_bottom_first(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 04 00 00 %08x 00 000001 ffffffff", BAD);
	vsp_expect(dev, "80 84 0d 00 %08x 00 000001 ffffffff", BAD);
	vsp_destroy(vsp);
}

static void add_buffer_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_put64(dev, 0x1000, 0xABCDEF);
	/* Not valid, outside, and of a bad length */
	vsp_send(dev, "80 04 00 00 %08x 00 000010 fffffff0", bottom);
	vsp_expect(dev, "80 84 04 00 %08x 00 000010 fffffff0", TOP);
	vsp_send(dev, "80 04 00 00 %08x 80 000010 fffffff0", bottom);
	vsp_expect(dev, "80 84 04 00 %08x 80 000010 fffffff0", TOP);
	/* The correlator can be read, the rest cannot: the descriptor is bad */
	vsp_send(dev, "80 04 00 00 %08x 80 001000 %08x", bottom, OUTSIDE - 0x800);
	vsp_expect(dev, "80 84 04 00 %08x 80 001000 %08x", TOP, OUTSIDE - 0x800);
	/* Only the length */
	vsp_send(dev, "80 04 00 00 %08x 80 000010 00001000", bottom);
	vsp_expect(dev, "80 84 05 00 %08x 0000000000abcdef", TOP);
	vsp_destroy(vsp);
}

static void buffer_limit(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int i;

	(void)unused;
	vsp_put64(dev, 0, 0x42);
	for (i = 1; i <= 4096; i++) {
		vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
		vsp_expect(dev, "80 84 00 00 %08x 000000 %04x 001000", TOP, i);
	}
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_expect(dev, "80 84 01 00 %08x %016x", TOP, 0x42);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", bottom);
	vsp_expect(dev, "80 85 00 00 %08x %016x", TOP, 0x42);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_expect(dev, "80 84 00 00 %08x 000000 1000 001000", TOP);
	vsp_destroy(vsp);
}

static void pool_lengths(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int length;

	(void)unused;
	vsp_send(dev, "80 04 00 00 %08x 80 0000ff 00000000", bottom);
	vsp_expect(dev, "80 84 05 00 %08x 0000000000000000", TOP);
	for (length = 256; length < 260; length++) {
		vsp_send(dev, "80 04 00 00 %08x 80 %06x 00000000", bottom, length);
		vsp_expect(dev, "80 84 00 00 %08x 000000 0001 %06x", TOP, length);
	}
	vsp_send(dev, "80 04 00 00 %08x 80 000104 00000000", bottom);
	vsp_expect(dev, "80 84 05 00 %08x 0000000000000000", TOP);
	/* An empty pool is one still */
	vsp_send(dev, "80 05 00 00 %08x 0000000000 000100", bottom);
	vsp_send(dev, "80 04 00 00 %08x 80 000104 00000000", bottom);
	vsp_drop(dev);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 000104", bottom);
	vsp_expect(dev, "80 85 05 00 %08x 0000000000000000", TOP);
	vsp_destroy(vsp);
}

static void free_buffer_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_put64(dev, 0, 0xFEDCBA9876543210);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_drop(dev);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", bottom);
	vsp_expect(dev, "80 85 00 00 %08x fedcba9876543210", TOP);
	vsp_destroy(vsp);
}

static void free_buffer_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001234", BAD);
	vsp_expect(dev, "80 85 0d 00 %08x 0000000000000000", BAD);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001234", bottom);
	vsp_expect(dev, "80 85 05 00 %08x 0000000000000000", TOP);
	/* A length of zero is no unassigned pool */
	vsp_send(dev, "80 05 00 00 %08x 0000000000 000000", bottom);
	vsp_expect(dev, "80 85 05 00 %08x 0000000000000000", TOP);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", bottom);
	vsp_drop(dev);
	vsp_send(dev, "80 05 00 00 %08x 0000000000 001000", bottom);
	vsp_expect(dev, "80 85 06 00 %08x 0000000000000000", TOP);
	vsp_destroy(vsp);
}

/* ---- Add Buffer Indirect ---- */

static void put_list(struct vsp_dev *dev, unsigned int good)
{
	unsigned int i;

	vsp_put64(dev, LIST, 0x11D12EC7);
	for (i = 0; i < good; i++)
		vsp_put64(dev, LIST + 8 + i * 8, vasi_desc_make(4096, i * 64));
}

static void add_buffer_indirect_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	put_list(dev, 255);
	vsp_send(dev, "80 11 00 03 %08x 80 000020 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 00 03 %08x 0000000011d12ec7", TOP);
	/* A count of zero asks for nothing, and gets it */
	vsp_send(dev, "80 11 00 00 %08x 80 000008 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 00 00 %08x 0000000011d12ec7", TOP);
	vsp_send(dev, "80 11 00 ff %08x 80 000800 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 00 ff %08x 0000000011d12ec7", TOP);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_expect(dev, "80 84 00 00 %08x 000000 0103 001000", TOP);
	vsp_destroy(vsp);
}

static void add_buffer_indirect_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* The list's only entry is bad in each of them */
	put_list(dev, 0);
	vsp_put64(dev, LIST + 8, 0);
	vsp_send(dev, "80 11 00 05 %08x 00 000008 ffffffff", BAD);
	vsp_expect(dev, "80 91 0d 00 %08x 00 000008 ffffffff", BAD);
	vsp_send(dev, "80 11 00 05 %08x 00 000008 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 15 00 %08x 00 000008 %08x", TOP, LIST);
	vsp_send(dev, "80 11 00 05 %08x 80 000008 %08x", bottom, OUTSIDE);
	vsp_expect(dev, "80 91 15 00 %08x 80 000008 %08x", TOP, OUTSIDE);
	vsp_send(dev, "80 11 00 01 %08x 80 000008 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 16 00 %08x 0000000011d12ec7", TOP);
	vsp_send(dev, "80 11 00 01 %08x 80 000010 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 04 00 %08x 0000000011d12ec7", TOP);
	vsp_destroy(vsp);
}

static void add_buffer_indirect_outside_first_pane(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 11 00 01 %08x 80 000010 ffffffff", bottom);
	vsp_expect(dev, "80 91 15 00 %08x 80 000010 ffffffff", TOP);
	vsp_send(dev, "80 11 00 01 %08x 80 000010 %08x", bottom, OUTSIDE - 8);
	vsp_expect(dev, "80 91 15 00 %08x 80 000010 %08x", TOP, OUTSIDE - 8);
	vsp_send(dev, "80 11 00 01 %08x 80 000000 %08x", bottom, OUTSIDE);
	vsp_expect(dev, "80 91 15 00 %08x 80 000000 %08x", TOP, OUTSIDE);
	vsp_destroy(vsp);
}

static void add_buffer_indirect_too_short(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int length;

	(void)unused;
	put_list(dev, 4);
	/* No correlator to answer with */
	for (length = 0; length < 8; length++) {
		vsp_send(dev, "80 11 00 00 %08x 80 %06x %08x", bottom, length,
			 LIST);
		vsp_expect(dev, "80 91 16 00 %08x 80 %06x %08x", TOP, length,
			   LIST);
	}
	for (; length < 40; length++) {
		vsp_send(dev, "80 11 00 04 %08x 80 %06x %08x", bottom, length,
			 LIST);
		vsp_expect(dev, "80 91 16 00 %08x 0000000011d12ec7", TOP);
	}
	vsp_send(dev, "80 11 00 04 %08x 80 000028 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 00 04 %08x 0000000011d12ec7", TOP);
	vsp_destroy(vsp);
}

static void add_buffer_indirect_count_on_error(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	put_list(dev, 5);
	vsp_put64(dev, LIST + 8 + 2 * 8, vasi_desc_make(16, 0));
	vsp_send(dev, "80 11 00 05 %08x 80 000030 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 05 02 %08x 0000000011d12ec7", TOP);
	vsp_put64(dev, LIST + 8, 0);
	vsp_send(dev, "80 11 00 05 %08x 80 000030 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 04 00 %08x 0000000011d12ec7", TOP);
	/* The two before the error are there, none behind it is */
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	vsp_expect(dev, "80 84 00 00 %08x 000000 0003 001000", TOP);
	vsp_destroy(vsp);
}

/* ---- Download ---- */

static int64_t donate(struct vsp_dev *dev, uint32_t bottom)
{
	return vsp_hcall(dev, VASI_H_DONOR_OPERATION, vsp_pair(TOP, bottom), 0, 0);
}

static void download_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_put64(dev, 0x40, 0xD0D0CACA);
	vsp_send(dev, "80 06 00 00 %08x 80 00000c 00000040", bottom);
	vsp_expect_none(dev);
	donate(dev, bottom);
	vsp_expect(dev, "80 86 00 00 %08x 00000000d0d0caca", TOP);
	vsp_expect_none(dev);
	assert_int_equal(vsp_get64(dev, 0x40), 0xD0D0CACA);
	vsp_destroy(vsp);
}

static void download_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* Data that make no sense, and behind them a segment that does not */
	vsp_put64(dev, 0, 0xABC);
	memcpy(dev->pane + 8, ((uint8_t[]) { 0, 0, 0, 24 }), 4);
	memset(dev->pane + 12, 0xEE, 24);
	memcpy(dev->pane + 36, ((uint8_t[]) { 0x41, 0, 0, 1 }), 4);

	vsp_send(dev, "80 06 00 00 %08x 00 000030 00000000", BAD);
	vsp_expect(dev, "80 86 0d 00 %08x 00 000030 00000000", BAD);
	vsp_send(dev, "80 06 00 00 %08x 80 000030 00000000", bottom);
	vsp_expect_none(dev);
	donate(dev, bottom);
	/* Its answer, then the stream aborts.  A session that failed carries no
	 * message any more. */
	vsp_expect(dev, "80 86 07 00 %08x 0000000000000abc", TOP);
	vsp_expect(dev, "80 09 00 00 %08x 04000007 0002 0000", TOP);
	vsp_destroy(vsp);

	/* The same data without the bad segment */
	vsp = one_session(PHYP_TARGET, &bottom);
	dev = &vsp->dev[0];
	vsp_put64(dev, 0, 0xABC);
	memcpy(dev->pane + 8, ((uint8_t[]) { 0, 0, 0, 24 }), 4);
	memset(dev->pane + 12, 0xEE, 24);
	vsp_send(dev, "80 06 00 00 %08x 80 000030 00000000", bottom);
	donate(dev, bottom);
	vsp_expect(dev, "80 86 08 00 %08x 0000000000000abc", TOP);
	vsp_destroy(vsp);

	/* Not valid; a stream that has a hole is aborted at once */
	vsp = one_session(PHYP_TARGET, &bottom);
	dev = &vsp->dev[0];
	vsp_send(dev, "80 06 00 00 %08x 00 000030 00000000", bottom);
	vsp_expect(dev, "80 86 04 00 %08x 00 000030 00000000", TOP);
	vsp_expect(dev, "80 09 00 00 %08x 04000004 0002 0000", TOP);
	/* Checked on an aborted stream, too; what is good is flushed */
	vsp_send(dev, "80 06 00 00 %08x 80 000030 %08x", bottom, OUTSIDE);
	vsp_expect(dev, "80 86 04 00 %08x 80 000030 %08x", TOP, OUTSIDE);
	vsp_send(dev, "80 06 00 00 %08x 80 000030 00000000", bottom);
	assert_int_equal(donate(dev, bottom), VASI_RC_ABORTED);
	vsp_expect(dev, "80 86 00 00 %08x 0000000000000000", TOP);
	vsp_destroy(vsp);
}

static void download_limit(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int i;

	(void)unused;
	vsp_put64(dev, 0, 0x77);
	for (i = 0; i < 4096; i++)
		vsp_send(dev, "80 06 00 00 %08x 80 000010 00000000", bottom);
	vsp_expect_none(dev);
	vsp_send(dev, "80 06 00 00 %08x 80 000010 00000000", bottom);
	vsp_expect(dev, "80 86 01 00 %08x %016x", TOP, 0x77);
	/* Its bytes are missing in the stream from here on */
	vsp_skip_to(dev, VASI_FMT_STATE);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* A list of few bytes that names the same memory again and again */
static void download_bytes_limit(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int i;

	(void)unused;
	for (i = 0; i < 17; i++)
		memcpy(dev->pane + 8 + i * 8,
		       ((uint8_t[]) { 0x80, 0x0F, 0xFF, 0xFF, 0, 0, 0, 0 }), 8);
	vsp_send(dev, "80 06 00 00 %08x 80 000100 00000000", bottom);
	donate(dev, bottom);
	vsp_expect(dev, "80 86 07 00 %08x 0000000000000000", TOP);
	vsp_destroy(vsp);
}

/* ---- Operation ---- */

/* A source that has sent one operation from the buffer at 0x1000 */
static struct vsp *one_operation(uint32_t *bottom, uint64_t *correlator)
{
	struct vsp *vsp = one_session(PHYP_SOURCE, bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	vsp_write(&vsp->part[0], 0, 3 * 4096);
	vsp_put64(dev, 0x1000, 0xB0B0);
	vsp_send(dev, "80 04 00 00 %08x 80 008000 00001000", *bottom);
	vsp_drop(dev);
	donate(dev, *bottom);
	vsp_expect(dev, "80 07 00 00 00000000 000000000000b0b0");
	vsp_expect_none(dev);
	assert_int_equal(vsp_get64(dev, 0x1000), 0xB0B0);
	assert_int_equal(vsp_get64(dev, 0x1008), vsp_pair(TOP, *bottom));
	*correlator = vsp_get64(dev, 0x1018);
	return vsp;
}

static void operation_response_unknown_discarded(void **unused)
{
	uint64_t correlator, other;
	uint32_t bottom;
	struct vsp *vsp = one_operation(&bottom, &correlator);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int bit;

	(void)unused;
	/* Each of them would abort the stream if it were taken */
	for (bit = 0; bit < 64; bit++) {
		other = correlator ^ 1ULL << bit;
		vsp_send(dev, "80 87 01 00 00000000 %016llx",
			 (unsigned long long)other);
	}
	vsp_send(dev, "80 87 01 00 00000000 0000000000000000");
	vsp_send(dev, "80 87 01 00 00000000 ffffffffffffffff");
	/* Known, but to another device */
	vsp_send(&vsp->dev[1], "80 87 01 00 00000000 %016llx",
		 (unsigned long long)correlator);
	vsp_expect_none(dev);
	vsp_expect_none(&vsp->dev[1]);
	vsp_destroy(vsp);
}

static void operation_response_twice_discarded(void **unused)
{
	uint64_t correlator, second;
	uint32_t bottom;
	struct vsp *vsp = one_operation(&bottom, &correlator);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 87 00 00 00000000 %016llx",
		 (unsigned long long)correlator);
	vsp_send(dev, "80 87 01 00 00000000 %016llx",
		 (unsigned long long)correlator);
	vsp_expect_none(dev);

	/* Nor when the same buffer carries a new operation */
	vsp_write(&vsp->part[0], 0, 4096);
	vsp_send(dev, "80 04 00 00 %08x 80 008000 00001000", bottom);
	vsp_drop(dev);
	donate(dev, bottom);
	vsp_skip_to(dev, VASI_FMT_OPERATION);
	second = vsp_get64(dev, 0x1018);
	assert_int_not_equal(second, correlator);
	vsp_send(dev, "80 87 01 00 00000000 %016llx",
		 (unsigned long long)correlator);
	vsp_expect_none(dev);

	/* Nor after its session */
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom);
	vsp_skip_to(dev, 0x83);
	vsp_send(dev, "80 87 01 00 00000000 %016llx",
		 (unsigned long long)second);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void operation_response_marks_operation(void **unused)
{
	struct phyp_stream_stats stats;
	uint64_t correlator;
	uint32_t bottom;
	struct vsp *vsp = one_operation(&bottom, &correlator);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* With a residual, which only End Of File gives a meaning */
	vsp_send(dev, "80 87 00 ff ffffffff %016llx",
		 (unsigned long long)correlator);
	vsp_expect_none(dev);
	/* Answered: closing the session makes none of its pages dirty again */
	vsp_send(dev, "80 10 00 00 %08x 0000000000000000", bottom);
	vsp_expect(dev, "80 90 00 00 %08x 0000000000000000", TOP);
	vsp_destroy(vsp);

	vsp = one_operation(&bottom, &correlator);
	dev = &vsp->dev[0];
	vsp_send(dev, "80 87 01 00 00000000 %016llx",
		 (unsigned long long)correlator);
	phyp_stream_stats(vsp->part[0].stream, &stats);
	assert_int_equal(stats.state, VASI_STATE_ABORTED);
	vsp_skip_to(dev, VASI_FMT_STATE);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* ---- Signal, Progress, messages ---- */

static void signal_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 08 00 00 %08x 02345678 0002 0000", bottom);
	vsp_expect(dev, "80 12 01 00 %08x 0400000000000000", TOP);
	vsp_expect(dev, "80 09 00 00 %08x 02345678 0002 0000", TOP);
	vsp_expect(dev, "80 88 00 00 %08x 02345678 0002 0000", TOP);
	vsp_send(dev, "80 08 00 00 %08x 89abcdef 0003 0000", bottom);
	vsp_expect(dev, "80 88 12 00 %08x 89abcdef 0003 0000", TOP);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void signal_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 08 00 00 %08x 01020304 0007 0000", BAD);
	vsp_expect(dev, "80 88 0d 00 %08x 01020304 0007 0000", BAD);
	cancel(dev, ID);
	vsp_send(dev, "80 08 00 00 %08x 01020304 0007 0000", bottom);
	vsp_expect(dev, "80 88 14 00 %08x 01020304 0007 0000", TOP);
	vsp_send(dev, "80 08 00 00 %08x 01020304 0001 0000", bottom);
	vsp_expect(dev, "80 88 12 00 %08x 01020304 0001 0000", TOP);
	vsp_destroy(vsp);
}

static void signal_invalid_codes(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int code;

	(void)unused;
	for (code = 0; code < 0x10000; code = code < 7 ? code + 1 : code * 2 + 1) {
		if (code && code <= VASI_SIGNAL_SUSPEND)
			continue;
		vsp_send(dev, "80 08 00 00 %08x 00000000 %04x 0000", bottom, code);
		vsp_expect(dev, "80 88 14 00 %08x 00000000 %04x 0000", TOP, code);
	}
	vsp_destroy(vsp);
}

static void signal_reaches_its_stream_only(void **unused)
{
	struct phyp_stream_stats stats;
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_stream(vsp, 0, OTHER, PHYP_TARGET, MEMORY, 4096);
	vsp_open(dev, TARGET, 2, OTHER);
	vsp_send(dev, "80 08 00 00 %08x 01000000 0001 0000", bottom);
	vsp_expect(dev, "80 09 00 00 %08x 01000000 0002 0000", TOP);
	vsp_expect(dev, "80 88 00 00 %08x 01000000 0001 0000", TOP);
	vsp_expect_none(dev);
	phyp_stream_stats(vsp->part[1].stream, &stats);
	assert_int_equal(stats.state, VASI_STATE_ENABLED);
	vsp_destroy(vsp);
}

static void progress_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_write(&vsp->part[0], 0, 5 * 4096);
	vsp_send(dev, "80 10 00 00 %08x 0000000000000000", bottom);
	vsp_expect(dev, "80 90 00 00 %08x 0000000000005000", TOP);
	vsp_destroy(vsp);
}

static void progress_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 10 00 00 %08x 0000000000000000", BAD);
	vsp_expect(dev, "80 90 0d 00 %08x 0000000000000000", BAD);
	vsp_destroy(vsp);
}

static void progress_service_of_stream(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp;
	enum phyp_role role;

	(void)unused;
	for (role = PHYP_SOURCE; role <= PHYP_TARGET; role++) {
		vsp = one_session(role, &bottom);
		vsp_send(&vsp->dev[0], "80 10 00 00 %08x 0000000000000000",
			 bottom);
		assert_int_equal(status_of(&vsp->dev[0]), VASI_SUCCESS);
		vsp_destroy(vsp);
	}
}

static void message_download_response_fields(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 13 01 00 %08x 0123456789abcdef", bottom);
	vsp_expect(dev, "80 93 00 00 %08x 0123456789abcdef", TOP);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void message_download_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 13 02 03 %08x 0123456789abcdef", BAD);
	vsp_expect(dev, "80 93 0d 00 %08x 0123456789abcdef", BAD);
	vsp_send(dev, "80 13 02 03 %08x 0123456789abcdef", bottom);
	vsp_expect(dev, "80 93 17 00 %08x 0123456789abcdef", TOP);
	vsp_send(dev, "80 13 01 03 %08x 0123456789abcdef", bottom);
	vsp_expect(dev, "80 93 18 00 %08x 0123456789abcdef", TOP);
	vsp_destroy(vsp);
}

static void message_download_invalid_control(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int n;

	(void)unused;
	for (n = 0; n < 0x100; n++) {
		vsp_send(dev, "80 13 %02x 00 %08x 0000000000000000", n, bottom);
		vsp_expect(dev, "80 93 %02x 00 %08x 0000000000000000",
			   n == 1 ? 0 : VASI_INVALID_CONTROL, TOP);
		vsp_send(dev, "80 13 01 %02x %08x 0000000000000000", n, bottom);
		vsp_expect(dev, "80 93 %02x 00 %08x 0000000000000000",
			   n ? VASI_INVALID_SUB_CONTROL : 0, TOP);
	}
	vsp_destroy(vsp);
}

static void message_upload_sent_to_session(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	uint32_t bottom;

	(void)unused;
	/* A target that will never resume says so, once, on a session of its own */
	vsp_stream(vsp, 0, OTHER, PHYP_TARGET, MEMORY, 4096);
	vsp_stream(vsp, 1, ID, PHYP_TARGET, MEMORY, 4096);
	negotiate(&vsp->dev[1], TARGET);
	vsp_open(&vsp->dev[0], TARGET, 9, OTHER);
	bottom = vsp_open(&vsp->dev[1], TARGET, TOP, ID);
	vsp_open(&vsp->dev[1], TARGET, TOP + 1, ID);
	vsp_hcall(&vsp->dev[1], VASI_H_SIGNAL, ID, VASI_SIGNAL_CANCEL, 0);
	vsp_expect(&vsp->dev[1], "80 12 01 00 %08x 04000000 00000000", TOP);
	vsp_expect(&vsp->dev[1], "80 09 00 00 %08x 00000000 0002 0000", TOP);
	vsp_expect(&vsp->dev[1], "80 09 00 00 %08x 00000000 0002 0000", TOP + 1);
	vsp_expect_none(&vsp->dev[1]);
	vsp_expect_none(&vsp->dev[0]);
	vsp_send(&vsp->dev[1], "80 92 00 00 %08x 0400000000000000", bottom);
	vsp_expect_none(&vsp->dev[1]);
	vsp_destroy(vsp);
}

static void message_upload_response_bad_bottom(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 92 00 00 %08x 0000000000000001", BAD);
	vsp_send(dev, "80 92 0e 00 %08x 0000000000000001", BAD);
	vsp_send(dev, "80 92 00 01 %08x 0000000000000001", bottom);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* ---- Devices ---- */

/* The first BOTTOM is the same number on both: each means its own session */
static void devices_are_apart(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	uint32_t a, b;

	(void)unused;
	vsp_stream(vsp, 0, ID, PHYP_SOURCE, 3 * MEMORY, 4096);
	vsp_stream(vsp, 1, OTHER, PHYP_TARGET, MEMORY, 4096);
	vsp_write(&vsp->part[0], 0, 4096);
	a = vsp_open(&vsp->dev[0], SOURCE, 1, ID);
	vsp_send(&vsp->dev[1], "80 10 00 00 %08x 0000000000000000", a);
	vsp_expect(&vsp->dev[1], "80 90 0d 00 %08x 0000000000000000", a);
	b = vsp_open(&vsp->dev[1], TARGET, 2, OTHER);
	assert_int_equal(a, b);
	vsp_send(&vsp->dev[0], "80 10 00 00 %08x 0000000000000000", a);
	vsp_expect(&vsp->dev[0], "80 90 00 00 00000001 0000000000001000");
	vsp_send(&vsp->dev[1], "80 03 00 00 %08x 0000000000000000", b);
	vsp_expect(&vsp->dev[1], "80 83 00 00 00000002 0000000000000000");
	vsp_send(&vsp->dev[0], "80 10 00 00 %08x 0000000000000000", a);
	assert_int_equal(status_of(&vsp->dev[0]), VASI_SUCCESS);
	/* Negotiating on one is not negotiating on the other */
	negotiate(&vsp->dev[1], SOURCE);
	vsp_send(&vsp->dev[0], "80 20 00 00 %08x 80 001000 00000000", a);
	assert_int_equal(status_of(&vsp->dev[0]), VASI_INVALID_FORMAT);
	vsp_destroy(vsp);
}

/* A device whose pane cannot be mapped gives the same bytes */
static void pane_that_cannot_be_mapped(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	dev->copy = true;
	vsp_write(&vsp->part[0], 0, 4096);
	put_list(dev, 2);
	vsp_send(dev, "80 11 00 02 %08x 80 100000 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 15 00 %08x 80 100000 %08x", TOP, LIST);
	vsp_send(dev, "80 11 00 02 %08x 80 000018 %08x", bottom, LIST);
	vsp_expect(dev, "80 91 00 02 %08x 0000000011d12ec7", TOP);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 %08x", bottom, OUTSIDE - 0x800);
	vsp_expect(dev, "80 84 04 00 %08x 80 001000 %08x", TOP, OUTSIDE - 0x800);
	vsp_put64(dev, 0x4000, 0xF00D);
	vsp_send(dev, "80 06 00 00 %08x 80 000010 00004000", bottom);
	donate(dev, bottom);
	vsp_expect(dev, "80 86 00 00 %08x 000000000000f00d", TOP);
	vsp_expect(dev, "80 07 00 00 00000000 0000000000000000");
	assert_int_equal(vsp_get64(dev, 8), vsp_pair(TOP, bottom));
	vsp_send(dev, "80 87 00 00 00000000 %016llx",
		 (unsigned long long)vsp_get64(dev, 24));
	vsp_destroy(vsp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crq_answers_in_order),
		cmocka_unit_test(initialisation_handshake),
		cmocka_unit_test(bad_header_is_ignored),
		cmocka_unit_test(deregistering_forgets_everything),
		cmocka_unit_test(every_unused_format_refused),
		cmocka_unit_test(invalid_format_is_echoed),
		cmocka_unit_test(operation_request_refused),
		cmocka_unit_test(stray_response_refused),
		cmocka_unit_test(reserved_fields_checked),
		cmocka_unit_test(capability_string_not_checked),
		cmocka_unit_test(reserved_fields_sent_as_zero),
		cmocka_unit_test(capabilities_answer),
		cmocka_unit_test(capabilities_unsupported_bits_cleared),
		cmocka_unit_test(capabilities_lower_opens),
		cmocka_unit_test(capabilities_per_service),
		cmocka_unit_test(dirty_map_offered),
		cmocka_unit_test(dirty_map_echoed),
		cmocka_unit_test(dirty_map_before_negotiation),
		cmocka_unit_test(open_response_fields),
		cmocka_unit_test(open_invalid_stream),
		cmocka_unit_test(open_invalid_service),
		cmocka_unit_test(open_aborted_stream),
		cmocka_unit_test(open_too_many),
		cmocka_unit_test(open_bottoms_are_unique),
		cmocka_unit_test(open_checks_in_order),
		cmocka_unit_test(open_top_used_in_answers),
		cmocka_unit_test(close_response_fields),
		cmocka_unit_test(close_checks_in_order),
		cmocka_unit_test(close_waits_for_queued_requests),
		cmocka_unit_test(close_leaves_other_sessions),
		cmocka_unit_test(close_forgets_buffers),
		cmocka_unit_test(nothing_sent_after_close),
		cmocka_unit_test(add_buffer_response_fields),
		cmocka_unit_test(add_buffer_checks_bottom_first),
		cmocka_unit_test(add_buffer_checks_in_order),
		cmocka_unit_test(buffer_limit),
		cmocka_unit_test(pool_lengths),
		cmocka_unit_test(free_buffer_response_fields),
		cmocka_unit_test(free_buffer_checks_in_order),
		cmocka_unit_test(add_buffer_indirect_response_fields),
		cmocka_unit_test(add_buffer_indirect_checks_in_order),
		cmocka_unit_test(add_buffer_indirect_outside_first_pane),
		cmocka_unit_test(add_buffer_indirect_too_short),
		cmocka_unit_test(add_buffer_indirect_count_on_error),
		cmocka_unit_test(download_response_fields),
		cmocka_unit_test(download_checks_in_order),
		cmocka_unit_test(download_limit),
		cmocka_unit_test(download_bytes_limit),
		cmocka_unit_test(operation_response_unknown_discarded),
		cmocka_unit_test(operation_response_twice_discarded),
		cmocka_unit_test(operation_response_marks_operation),
		cmocka_unit_test(signal_response_fields),
		cmocka_unit_test(signal_checks_in_order),
		cmocka_unit_test(signal_invalid_codes),
		cmocka_unit_test(signal_reaches_its_stream_only),
		cmocka_unit_test(progress_response_fields),
		cmocka_unit_test(progress_checks_in_order),
		cmocka_unit_test(progress_service_of_stream),
		cmocka_unit_test(message_download_response_fields),
		cmocka_unit_test(message_download_checks_in_order),
		cmocka_unit_test(message_download_invalid_control),
		cmocka_unit_test(message_upload_sent_to_session),
		cmocka_unit_test(message_upload_response_bad_bottom),
		cmocka_unit_test(devices_are_apart),
		cmocka_unit_test(pane_that_cannot_be_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
