// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of how the kernel driver's notifications are read.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <linux/vasi.h>
#include <linux/vasi_crq.h>

#include "common/driver_nl.h"
#include "common/util.h"

#define FAMILY	0x1f
#define STREAM	0x1122334455667788ULL

static struct nl_msg *message(uint8_t command)
{
	struct nl_msg *msg = nlmsg_alloc();

	assert_non_null(msg);
	assert_non_null(genlmsg_put(msg, 0, 0, FAMILY, 0, 0, command, VASI_FAMILY_VERSION));
	return msg;
}

static void put_adapter(struct nl_msg *msg)
{
	assert_int_equal(nla_put_string(msg, VASI_A_ADAPTER, "vasi3"), 0);
	assert_int_equal(nla_put_u32(msg, VASI_A_UNIT_ADDRESS, 0x30000002), 0);
}

static void put_session(struct nl_msg *msg)
{
	put_adapter(msg);
	assert_int_equal(nla_put_u64(msg, VASI_A_STREAM_ID, STREAM), 0);
	assert_int_equal(nla_put_u32(msg, VASI_A_SERVICE, VASI_SERVICE_TARGET_MOVER), 0);
	assert_int_equal(nla_put_u32(msg, VASI_A_TOP, 0x401), 0);
}

static void expect(struct nl_msg *msg, struct driver_event *event, const char *expected)
{
	char text[DRIVER_NL_TEXT_BYTES];

	assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), event), 0);
	assert_string_equal(event->adapter, "vasi3");
	assert_int_equal(event->unit_address, 0x30000002);
	driver_nl_text(event, text, sizeof(text));
	assert_string_equal(text, expected);
	nlmsg_free(msg);
}

static void test_adapter(void **state)
{
	const uint8_t commands[] = { VASI_CMD_ADAPTER_GET, VASI_CMD_ADAPTER_NTF };
	struct driver_event event;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		struct nl_msg *msg = message(commands[i]);

		put_adapter(msg);
		nla_put_u32(msg, VASI_A_ADAPTER_STATE, VASI_ADAPTER_NEGOTIATING);
		nla_put_u32(msg, VASI_A_RESETS, 12);
		expect(msg, &event, "adapter is negotiating, unit 0x30000002, 12 resets");
		assert_int_equal(event.command, commands[i]);
		assert_int_equal(event.adapter_state, VASI_ADAPTER_NEGOTIATING);
		assert_int_equal(event.resets, 12);
		assert_string_equal(driver_nl_command(event.command), "adapter");
	}
}

static void test_reset(void **state)
{
	struct nl_msg *msg = message(VASI_CMD_RESET_NTF);
	struct driver_event event;

	(void)state;
	put_adapter(msg);
	nla_put_u32(msg, VASI_A_RESETS, 3);
	nla_put_u32(msg, VASI_A_RESET_REASON, VASI_RESET_PARTNER_FAILED);
	expect(msg, &event, "reset 3: the platform's end failed");
	assert_int_equal(event.reset_reason, VASI_RESET_PARTNER_FAILED);
}

static void test_session(void **state)
{
	struct nl_msg *msg = message(VASI_CMD_SESSION_OPEN_NTF);
	struct driver_event event;

	(void)state;
	put_session(msg);
	expect(msg, &event, "stream 0x1122334455667788 opened, session 0x00000401 (target mover)");
	assert_int_equal(event.stream_id, STREAM);
	assert_int_equal(event.top, 0x401);
	msg = message(VASI_CMD_SESSION_CLOSE_NTF);
	put_session(msg);
	expect(msg, &event, "stream 0x1122334455667788 closed, session 0x00000401 (target mover)");
}

static void test_state(void **state)
{
	struct nl_msg *msg = message(VASI_CMD_ABORT_NTF);
	struct driver_event event;

	(void)state;
	put_session(msg);
	nla_put_u32(msg, VASI_A_STREAM_STATE, VASI_STATE_ABORTED);
	nla_put_u32(msg, VASI_A_REASON, 0x01000007);
	expect(msg, &event,
	       "stream 0x1122334455667788 is Aborted, reason 0x01000007, session 0x00000401 (target mover)");
	assert_int_equal(event.stream_state, VASI_STATE_ABORTED);
	assert_int_equal(event.reason, 0x01000007);
	assert_string_equal(driver_nl_command(event.command), "abort");
}

/* Numbers that are not known yet have names all the same */
static void test_unknown_numbers(void **state)
{
	struct nl_msg *msg = message(VASI_CMD_STATE_NTF);
	struct driver_event event;
	char text[DRIVER_NL_TEXT_BYTES];

	(void)state;
	put_session(msg);
	nla_put_u32(msg, VASI_A_STREAM_STATE, UINT32_MAX);
	nla_put_u32(msg, VASI_A_REASON, 0);
	assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), &event), 0);
	event.service = UINT32_MAX;
	driver_nl_text(&event, text, sizeof(text));
	assert_true(strlen(text) < DRIVER_NL_TEXT_BYTES - 1);
	nlmsg_free(msg);
	assert_string_equal(driver_nl_adapter_state(99), "unknown");
	assert_string_equal(driver_nl_reset_reason(99), "unknown");
	assert_string_equal(driver_nl_command(99), "unknown");
	assert_string_equal(driver_nl_command(0), "unknown");
}

static void test_not_known(void **state)
{
	const uint8_t commands[] = { 0, VASI_CMD_MAX + 1, UINT8_MAX };
	struct driver_event event;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		struct nl_msg *msg = message(commands[i]);

		put_adapter(msg);
		assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), &event), -ENOMSG);
		nlmsg_free(msg);
	}
}

/* Attributes of a later driver are left alone */
static void test_more_attributes(void **state)
{
	struct nl_msg *msg = message(VASI_CMD_SESSION_OPEN_NTF);
	struct driver_event event;

	(void)state;
	put_session(msg);
	nla_put_u32(msg, VASI_A_MAX + 5, 1);
	expect(msg, &event, "stream 0x1122334455667788 opened, session 0x00000401 (target mover)");
}

/* Every command without one of its attributes, and with one of another size */
static void test_spoilt(void **state)
{
	static const uint8_t sizes[] = { 0, 1, 3 };
	struct driver_event event;

	(void)state;
	for (unsigned int missing = 0; missing < 5; missing++) {
		struct nl_msg *msg = message(VASI_CMD_SESSION_OPEN_NTF);

		if (missing != 0)
			nla_put_string(msg, VASI_A_ADAPTER, "vasi3");
		if (missing != 1)
			nla_put_u32(msg, VASI_A_UNIT_ADDRESS, 1);
		if (missing != 2)
			nla_put_u64(msg, VASI_A_STREAM_ID, 1);
		if (missing != 3)
			nla_put_u32(msg, VASI_A_SERVICE, 1);
		if (missing != 4)
			nla_put_u32(msg, VASI_A_TOP, 1);
		assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), &event), -EBADMSG);
		nlmsg_free(msg);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct nl_msg *msg = message(VASI_CMD_SESSION_OPEN_NTF);

		nla_put_string(msg, VASI_A_ADAPTER, "vasi3");
		nla_put_u32(msg, VASI_A_UNIT_ADDRESS, 1);
		nla_put_u32(msg, VASI_A_SERVICE, 1);
		nla_put_u32(msg, VASI_A_TOP, 1);
		nla_put(msg, VASI_A_STREAM_ID, sizes[i], "1234567");
		assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), &event), -EBADMSG);
		nlmsg_free(msg);
	}
}

static void test_long_name(void **state)
{
	char name[DRIVER_NL_NAME_BYTES + 20];
	struct nl_msg *msg = message(VASI_CMD_SESSION_OPEN_NTF);
	struct driver_event event;

	(void)state;
	memset(name, 'x', sizeof(name));
	nla_put(msg, VASI_A_ADAPTER, sizeof(name), name);
	nla_put_u32(msg, VASI_A_UNIT_ADDRESS, 1);
	nla_put_u64(msg, VASI_A_STREAM_ID, 1);
	nla_put_u32(msg, VASI_A_SERVICE, 1);
	nla_put_u32(msg, VASI_A_TOP, 1);
	assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), &event), -EBADMSG);
	nlmsg_free(msg);
	/* As long as may be */
	name[DRIVER_NL_NAME_BYTES - 1] = '\0';
	msg = message(VASI_CMD_SESSION_OPEN_NTF);
	nla_put_string(msg, VASI_A_ADAPTER, name);
	nla_put_u32(msg, VASI_A_UNIT_ADDRESS, 1);
	nla_put_u64(msg, VASI_A_STREAM_ID, 1);
	nla_put_u32(msg, VASI_A_SERVICE, 1);
	nla_put_u32(msg, VASI_A_TOP, 1);
	assert_int_equal(driver_nl_parse(nlmsg_hdr(msg), &event), 0);
	assert_string_equal(event.adapter, name);
	nlmsg_free(msg);
}

static void test_cut(void **state)
{
	struct nl_msg *msg = message(VASI_CMD_SESSION_OPEN_NTF);
	struct nlmsghdr *header = nlmsg_hdr(msg);
	struct driver_event event;
	uint32_t whole;

	(void)state;
	put_session(msg);
	whole = header->nlmsg_len;
	for (uint32_t bytes = NLMSG_HDRLEN; bytes < whole; bytes++) {
		/* A copy of that size, so that a reader beyond its end is noticed */
		struct nlmsghdr *copy = malloc(bytes);

		memcpy(copy, header, bytes);
		copy->nlmsg_len = bytes;
		assert_int_not_equal(driver_nl_parse(copy, &event), 0);
		free(copy);
	}
	nlmsg_free(msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adapter),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_unknown_numbers),
		cmocka_unit_test(test_not_known),
		cmocka_unit_test(test_more_attributes),
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("driver_nl", tests, NULL, NULL);
}
