// SPDX-License-Identifier: GPL-2.0
/*
 * A platform that says what no platform should say.  The driver answers as LoPAR has
 * it, or starts anew; sessions that are not concerned go on, and what they own stays
 * as it is.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define BUFFERS		4
#define OP_RESPOND	(VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS)
#define FILL		0x5A

FIXTURE(hostile)
{
	int dev;
	struct vt_session s;
	struct vt_session other;
	struct vt_pool pool;
	struct vt_pool others;
	uint64_t descriptor;
	uint64_t correlator;
	uint32_t resets;
};

FIXTURE_SETUP(hostile)
{
	struct vasi_info info;
	struct vasi_crq entry;

	self->dev = -1;
	self->s.fd = -1;
	self->other.fd = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, vt_session_open(&self->other, self->dev, 2, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&self->other, &self->others, VT_BUFFER_BYTES, BUFFERS));
	memset(self->others.map, FILL, self->others.setup.mmap_bytes);
	ASSERT_EQ(0, vt_session_open(&self->s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	ASSERT_EQ(1, vt_add(self->s.fd, 0, 0));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &entry));
	self->descriptor = be64toh(entry.data);
	ASSERT_EQ(0, vt_script_read(self->descriptor, &self->correlator, 8));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	self->resets = info.resets;
}

FIXTURE_TEARDOWN(hostile)
{
	vt_pool_unmap(&self->pool);
	vt_pool_unmap(&self->others);
	close(self->s.fd);
	close(self->other.fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

/*
 * Whatever was sent before has been worked on when this has been answered: entries keep
 * their order.  0, or the error that says that there was a reset.
 */
static int round_trip(const struct vt_session *s, uint64_t token)
{
	struct vasi_io_event event;
	int err = vt_simple(s->fd, VASI_REQ_PROGRESS, token);

	if (err == 1)
		err = vt_next(s->fd, &event);
	if (err)
		return err;
	return event.type == VASI_EVT_PROGRESS && event.token == token ? 0 : -EBADMSG;
}

static void memory_untouched(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) *self)
{
	size_t i, wrong = 0;

	for (i = 0; i < self->others.setup.mmap_bytes; i++)
		wrong += self->others.map[i] != FILL;
	EXPECT_EQ(0, wrong);
}

/* The other session's memory and life, whatever became of this one */
static void untouched(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) *self)
{
	struct vt_session s;
	int err = round_trip(&self->other, 0xCAFE);

	memory_untouched(_metadata, self);
	if (!err)
		return;
	/* It chose to start anew: then it has to work anew */
	ASSERT_EQ(-ECONNRESET, err);
	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	ASSERT_EQ(0, vt_script_reset());
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 3, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
}

/* As above, and a reset would be wrong */
static void unharmed(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) *self)
{
	struct vasi_info info;

	ASSERT_EQ(0, round_trip(&self->s, 0xBEEF));
	ASSERT_EQ(0, round_trip(&self->other, 0xCAFE));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	EXPECT_EQ(self->resets, info.resets);
	memory_untouched(_metadata, self);
}

/* Tell of an operation by @correlator; the driver's answer is @status */
static void operation_refused(struct __test_metadata *_metadata, uint64_t correlator,
			      uint8_t status)
{
	struct vasi_crq answer, entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_OPERATION, .data = correlator,
	};

	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(status, answer.byte2);
}

/* Fill the buffer that was added with @body, and tell */
static int filled(FIXTURE_DATA(hostile) *self, const void *body, uint32_t bytes)
{
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_OPERATION,
		.data = self->correlator,
	};
	int err = vt_script_write((uint32_t)self->descriptor + VASI_CORRELATOR_BYTES, body,
				  bytes);

	return err ? err : vt_script_send(&entry);
}

static void specifier(FIXTURE_DATA(hostile) *self, struct vasi_op_specifier *to)
{
	*to = (struct vasi_op_specifier){
		.top = htobe32(self->s.open.top), .bottom = htobe32(self->s.open.bottom),
		.op_code = OP_RESPOND, .correlator = htobe64(0x1122334455667788ULL),
	};
}

/* An operation whose specifier is refused with @status, under its own correlator */
static void specifier_refused(struct __test_metadata *_metadata,
			      FIXTURE_DATA(hostile) *self, const void *body,
			      uint32_t bytes, uint8_t status)
{
	struct vasi_crq answer;

	ASSERT_EQ(0, filled(self, body, bytes));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(status, answer.byte2);
	EXPECT_EQ(htobe64(0x1122334455667788ULL), answer.data);
	EXPECT_EQ(0, answer.byte3);
	EXPECT_EQ(0, answer.handle);
	/* User space never sees it as an operation: its next event is an answer */
	unharmed(_metadata, self);
}

/*
 * Correlators
 */

TEST_F(hostile, correlator_of_nothing)
{
	operation_refused(_metadata, 0, VASI_INVALID_BUFFER_CORRELATOR);
	operation_refused(_metadata, ~0ULL, VASI_INVALID_BUFFER_CORRELATOR);
	operation_refused(_metadata, htobe64(0x4142434445464748ULL),
			  VASI_INVALID_BUFFER_CORRELATOR);
	unharmed(_metadata, self);
}

/* Every bit wrong, one after the other: another buffer, pool, session, generation */
TEST_F_TIMEOUT(hostile, correlator_with_a_wrong_bit, 120)
{
	struct vasi_io_event event;
	int bit;

	for (bit = 0; bit < 64; bit++)
		operation_refused(_metadata, htobe64(be64toh(self->correlator) ^ 1ULL << bit),
				  VASI_INVALID_BUFFER_CORRELATOR);
	EXPECT_EQ(0, vt_fetch(self->s.fd, &event, 1));
	unharmed(_metadata, self);
}

TEST_F(hostile, replayed_operation)
{
	struct vasi_io_event event;
	struct vasi_crq answer;

	ASSERT_EQ(0, vt_script_operation(&self->s, self->descriptor, 1, OP_RESPOND, "abc", 3));
	/* The buffer is not the platform's any more: not before it is fetched, */
	operation_refused(_metadata, self->correlator, VASI_INVALID_BUFFER_CORRELATOR);
	ASSERT_EQ(0, vt_next(self->s.fd, &event));
	EXPECT_EQ(VASI_EVT_OPERATION, event.type);
	EXPECT_EQ(0, memcmp(vt_buffer(&self->pool, 0) + 36, "abc", 3));
	/* not when it is, */
	operation_refused(_metadata, self->correlator, VASI_INVALID_BUFFER_CORRELATOR);
	ASSERT_EQ(1, vt_complete(self->s.fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD, 0, 0,
				 event.generation, VASI_SUCCESS));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(VASI_SUCCESS, answer.byte2);
	/* and not by its old name when it was added again */
	operation_refused(_metadata, self->correlator, VASI_INVALID_BUFFER_CORRELATOR);
	unharmed(_metadata, self);
}

TEST_F(hostile, operation_in_a_download)
{
	struct vasi_crq download;
	uint64_t correlator;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_DOWNLOAD));
	ASSERT_EQ(1, vt_download(self->s.fd, &self->pool, 1, "abc", 3, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_DOWNLOAD, &download));
	ASSERT_EQ(0, vt_script_read(be64toh(download.data), &correlator, 8));
	operation_refused(_metadata, correlator, VASI_INVALID_BUFFER_CORRELATOR);
	unharmed(_metadata, self);
}

/*
 * Specifiers
 */

TEST_F(hostile, unknown_top)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t end;
	} body = { .end = 0 };

	specifier(self, &body.specifier);
	body.specifier.top ^= htobe32(1);
	specifier_refused(_metadata, self, &body, sizeof(body), VASI_INVALID_TOP);
}

/* A session that exists, but is not the buffer's */
TEST_F(hostile, top_of_another_session)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t end;
	} body = { .end = 0 };

	specifier(self, &body.specifier);
	body.specifier.top = htobe32(self->other.open.top);
	body.specifier.bottom = htobe32(self->other.open.bottom);
	specifier_refused(_metadata, self, &body, sizeof(body), VASI_INVALID_TOP);
}

TEST_F(hostile, segment_beyond_the_buffer)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t segment;
	} body;

	specifier(self, &body.specifier);
	body.segment = htobe32(VASI_MAX_LENGTH);
	specifier_refused(_metadata, self, &body, sizeof(body),
			  VASI_INVALID_OPERATION_SPECIFIER);
}

TEST_F(hostile, segment_just_beyond_the_buffer)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t segment;
	} body;

	specifier(self, &body.specifier);
	/* Its data fits; its end does not */
	body.segment = htobe32(VT_BUFFER_BYTES - 8 - sizeof(body));
	specifier_refused(_metadata, self, &body, sizeof(body),
			  VASI_INVALID_OPERATION_SPECIFIER);
}

/* A list that never ends: in 64 KiB of skips and empty segments */
TEST_F(hostile, segments_without_an_end)
{
	struct vasi_op_specifier head;
	unsigned char block[512];
	uint32_t word = htobe32((uint32_t)VASI_SEG_SKIP << 24 | 1);
	uint32_t at;

	for (at = 0; at < sizeof(block); at += sizeof(word))
		memcpy(block + at, &word, sizeof(word));
	for (at = 8 + sizeof(head); at + sizeof(block) <= VT_BUFFER_BYTES; at += sizeof(block)) {
		ASSERT_EQ(0, vt_script_write((uint32_t)self->descriptor + at, block,
					     sizeof(block)));
	}
	ASSERT_EQ(0, vt_script_write((uint32_t)self->descriptor + VT_BUFFER_BYTES -
				     sizeof(block), block, sizeof(block)));
	specifier(self, &head);
	specifier_refused(_metadata, self, &head, sizeof(head),
			  VASI_INVALID_OPERATION_SPECIFIER);
}

TEST_F(hostile, reserved_bits_of_a_segment)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t segment;
		uint32_t data;
		uint32_t end;
	} body = { .end = 0 };

	specifier(self, &body.specifier);
	body.segment = htobe32(0x01000004);
	specifier_refused(_metadata, self, &body, sizeof(body),
			  VASI_INVALID_OPERATION_SPECIFIER);
}

TEST_F(hostile, operation_code)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t end;
	} body = { .end = 0 };

	specifier(self, &body.specifier);
	body.specifier.op_code |= VASI_OP_FORMAT_MASK;
	specifier_refused(_metadata, self, &body, sizeof(body),
			  VASI_INVALID_OPERATION_SPECIFIER);
}

/* Nobody negotiated it: neither is it done, nor does anything else happen */
TEST_F(hostile, indirect_without_being_asked)
{
	struct {
		struct vasi_op_specifier specifier;
		uint32_t segment;
		uint32_t ioba;
		uint32_t end;
	} body = { .end = 0 };
	struct vasi_io_event event;
	struct vasi_crq answer;

	specifier(self, &body.specifier);
	body.segment = htobe32((uint32_t)VASI_SEG_INDIRECT << 24 | VASI_MAX_LENGTH);
	body.ioba = htobe32(0xFFFFF000);
	ASSERT_EQ(0, filled(self, &body, sizeof(body)));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	EXPECT_NE(VASI_SUCCESS, answer.byte2);
	EXPECT_EQ(0, vt_fetch(self->s.fd, &event, 1));
	unharmed(_metadata, self);
}

/*
 * Messages
 */

TEST_F(hostile, unknown_formats)
{
	static const uint8_t formats[] = { 0x00, 0x0A, 0x0F, 0x14, 0x1F, 0x21, 0x7F };
	struct vasi_crq answer, entry = {
		.header = VASI_CRQ_COMMAND, .byte2 = 3, .byte3 = 7,
		.handle = htobe32(0x12345678), .data = htobe64(0x1122334455667788ULL),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		entry.format = formats[i];
		ASSERT_EQ(0, vt_script_send(&entry));
		ASSERT_EQ(0, vt_script_wait(formats[i] | VASI_FMT_RESPONSE, &answer));
		EXPECT_EQ(VASI_INVALID_FORMAT, answer.byte2);
		EXPECT_EQ(entry.handle, answer.handle);
		EXPECT_EQ(entry.data, answer.data);
	}
	unharmed(_metadata, self);
}

/* Requests that are a partition's, not a platform's */
TEST_F(hostile, requests_of_the_wrong_side)
{
	static const uint8_t formats[] = {
		VASI_FMT_CAPABILITIES, VASI_FMT_OPEN, VASI_FMT_CLOSE, VASI_FMT_ADD_BUFFER,
		VASI_FMT_FREE_BUFFER, VASI_FMT_DOWNLOAD, VASI_FMT_SIGNAL, VASI_FMT_PROGRESS,
		VASI_FMT_ADD_BUFFER_INDIRECT, VASI_FMT_MESSAGE_DOWNLOAD,
	};
	struct vasi_crq answer, entry = {
		.header = VASI_CRQ_COMMAND, .handle = htobe32(self->s.open.top),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		entry.format = formats[i];
		ASSERT_EQ(0, vt_script_send(&entry));
		ASSERT_EQ(0, vt_script_wait(formats[i] | VASI_FMT_RESPONSE, &answer));
		EXPECT_EQ(VASI_INVALID_FORMAT, answer.byte2);
	}
	unharmed(_metadata, self);
}

/* The platform's own headers, and those of nobody */
TEST_F(hostile, unknown_headers)
{
	static const uint8_t headers[] = { 0x01, 0x7F, 0x81, 0xBF, 0xC1, 0xFE };
	struct vasi_crq entry = { .format = VASI_FMT_STATE };
	int i;

	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		entry.header = headers[i];
		ASSERT_EQ(0, vt_script_send(&entry));
	}
	untouched(_metadata, self);
}

/* Answers to what was not asked, for a session that exists */
TEST_F(hostile, answers_nobody_waits_for)
{
	static const uint8_t formats[] = {
		VASI_FMT_CAPABILITIES, VASI_FMT_OPEN, VASI_FMT_CLOSE, VASI_FMT_ADD_BUFFER,
		VASI_FMT_FREE_BUFFER, VASI_FMT_DOWNLOAD, VASI_FMT_SIGNAL, VASI_FMT_PROGRESS,
		VASI_FMT_ADD_BUFFER_INDIRECT, VASI_FMT_MESSAGE_DOWNLOAD, VASI_FMT_DIRTY_MAP,
	};
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .handle = htobe32(self->s.open.top),
	};
	int i, err;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		entry.format = formats[i] | VASI_FMT_RESPONSE;
		ASSERT_EQ(0, vt_script_send(&entry));
	}
	/* No event may come of them: the next is that of a question */
	err = round_trip(&self->s, 0xABBA);
	EXPECT_TRUE(!err || err == -ECONNRESET);
	untouched(_metadata, self);
}

TEST_F(hostile, answers_for_no_session)
{
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_PROGRESS | VASI_FMT_RESPONSE,
		.handle = htobe32(0xFFFFFFFF),
	};

	ASSERT_EQ(0, vt_script_send(&entry));
	entry.handle = 0;
	ASSERT_EQ(0, vt_script_send(&entry));
	entry.format = VASI_FMT_STATE;
	entry.handle = htobe32(0xFFFFFFFF);
	ASSERT_EQ(0, vt_script_send(&entry));
	untouched(_metadata, self);
}

TEST_F(hostile, answered_twice)
{
	struct vasi_crq request, answer;
	struct vasi_io_event event;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_PROGRESS));
	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, 5));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_PROGRESS, &request));
	answer = request;
	answer.format |= VASI_FMT_RESPONSE;
	answer.handle = htobe32(self->s.open.top);
	answer.data = htobe64(123);
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_next(self->s.fd, &event));
	EXPECT_EQ(VASI_EVT_PROGRESS, event.type);
	EXPECT_EQ(5, event.token);
	EXPECT_EQ(123, event.u.bytes_left);
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	ASSERT_EQ(0, vt_script_send(&answer));
	untouched(_metadata, self);
}

TEST_F(hostile, opened_twice)
{
	struct vasi_crq open, answer;
	struct vt_session s;
	pid_t pid;
	int status;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_OPEN));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int err = vt_session_open(&s, self->dev, 77, VASI_SERVICE_SOURCE_MOVER);

		_exit(err ? -err : s.open.bottom != 0x1111);
	}
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPEN, &open));
	answer = open;
	answer.format |= VASI_FMT_RESPONSE;
	answer.handle = htobe32(0x1111);
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	answer.handle = htobe32(0x2222);
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	untouched(_metadata, self);
}

/* A status that LoPAR does not have is passed on, or taken for an error */
TEST_F(hostile, statuses_out_of_range)
{
	static const uint8_t statuses[] = { 0x19, 0x7F, 0xFF };
	struct vasi_crq request, answer;
	struct vasi_io_event event;
	int i;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_PROGRESS));
	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, i));
		ASSERT_EQ(0, vt_script_wait(VASI_FMT_PROGRESS, &request));
		answer = request;
		answer.format |= VASI_FMT_RESPONSE;
		answer.byte2 = statuses[i];
		answer.handle = htobe32(self->s.open.top);
		ASSERT_EQ(0, vt_script_send(&answer));
		ASSERT_EQ(0, vt_next(self->s.fd, &event));
		EXPECT_EQ(VASI_EVT_PROGRESS, event.type);
		EXPECT_NE(VASI_SUCCESS, event.status);
	}
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	unharmed(_metadata, self);
}

/* A download's answer that names another buffer */
TEST_F(hostile, download_of_another_buffer)
{
	struct vasi_crq request, answer;
	struct vasi_io_event event;
	int got;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_DOWNLOAD));
	ASSERT_EQ(1, vt_download(self->s.fd, &self->pool, 1, "abc", 3, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_DOWNLOAD, &request));
	answer = request;
	answer.format |= VASI_FMT_RESPONSE;
	answer.handle = htobe32(self->s.open.top);
	/* The one the platform has */
	answer.data = self->correlator;
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	untouched(_metadata, self);
	/* The buffer that was added is not given away by it */
	got = vt_fetch(self->s.fd, &event, 1);
	EXPECT_FALSE(got == 1 && event.type == VASI_EVT_DOWNLOADED && event.index == 0);
	EXPECT_NE(1, vt_add(self->s.fd, 0, 0));
}

/* A Free Buffer's answer that names a buffer which is not the platform's */
TEST_F(hostile, freed_what_it_has_not)
{
	struct vasi_io_request request = { .op = VASI_REQ_FREE, .token = 3 };
	struct vasi_crq entry, answer;
	struct vasi_io_event event;
	int got;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_FREE_BUFFER));
	ASSERT_EQ(1, vt_submit(self->s.fd, &request, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_FREE_BUFFER, &entry));
	answer = (struct vasi_crq){
		.header = VASI_CRQ_COMMAND,
		.format = VASI_FMT_FREE_BUFFER | VASI_FMT_RESPONSE,
		.handle = htobe32(self->s.open.top), .data = htobe64(0x99),
	};
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	untouched(_metadata, self);
	got = vt_fetch(self->s.fd, &event, 1);
	EXPECT_FALSE(got == 1 && event.type == VASI_EVT_FREED && event.status == VASI_SUCCESS);
}

/* More buffers of a list than it had, in the answer to Add Buffer Indirect */
TEST_F(hostile, more_buffers_than_asked)
{
	struct vasi_io_request requests[3] = {
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = 1 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = 2 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = 3 },
	};
	struct vasi_crq entry, answer;
	char answered[VT_ANSWER];

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_ADD_BUFFER_INDIRECT));
	ASSERT_EQ(3, vt_submit(self->s.fd, requests, 3));
	/* The driver may have sent three Add Buffers instead */
	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_PROGRESS, &entry));
	ASSERT_EQ(0, vt_ask(answered, "script count %02x", VASI_FMT_ADD_BUFFER_INDIRECT));
	if (!strtoul(answered, NULL, 16))
		SKIP(return, "no Add Buffer Indirect was sent");
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER_INDIRECT, &entry));
	answer = entry;
	answer.format |= VASI_FMT_RESPONSE;
	answer.handle = htobe32(self->s.open.top);
	answer.byte2 = VASI_SUCCESS;
	answer.byte3 = 0xFF;
	ASSERT_EQ(0, vt_script_read(be64toh(entry.data), &answer.data, 8));
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	untouched(_metadata, self);
}

/* Entries as they come, pseudo-random: a splat or a hang is what would fail */
TEST_F_TIMEOUT(hostile, nonsense, 300)
{
	struct vasi_crq entry;
	unsigned char *bytes = (void *)&entry;
	uint32_t seed = 20090421;
	struct vt_session s;
	long deadline;
	int i, n, err;

	for (i = 0; i < 400; i++) {
		for (n = 0; n < sizeof(entry); n++) {
			seed = seed * 1664525 + 1013904223;
			bytes[n] = seed >> 24;
		}
		/* Most of them such that they get somewhere */
		if (i % 8)
			entry.header = VASI_CRQ_COMMAND;
		if (i % 3 == 0)
			entry.handle = htobe32(self->s.open.top);
		if (i % 3 == 1)
			entry.format &= 0x9F;
		if (entry.header == VASI_CRQ_FREE)
			entry.header = VASI_CRQ_COMMAND;
		ASSERT_EQ(0, vt_script_send(&entry));
	}
	/* The memory of others, and that it works, or works again */
	memory_untouched(_metadata, self);
	ASSERT_EQ(0, vt_script_reset());
	deadline = vt_now_ms() + 3 * VT_PATIENCE_MS;
	while ((err = vt_session_open(&s, self->dev, 4, VASI_SERVICE_SOURCE_MOVER))) {
		ASSERT_GT(deadline, vt_now_ms());
	}
	EXPECT_EQ(0, vt_session_close(&s));
}

/* Capabilities that were not asked for */
TEST_F(hostile, capabilities_beyond_the_request)
{
	struct vasi_info info;
	struct vt_session s;

	ASSERT_EQ(0, vt_ask(NULL, "script capabilities ffffffffffffffffffffffff"));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", VASI_EVENT_PARTNER_FAILED));
	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	EXPECT_EQ(0, info.source_features & (VASI_CAP_ENHANCED_PROGRESS |
					     VASI_CAP_BUFFER_SCHEME_2 |
					     VASI_CAP_ENHANCED_SUSPEND));
	EXPECT_EQ(0, info.source_operations & (VASI_CAP_OP_READ_SEQ_IMMEDIATE |
					       VASI_CAP_OP_READ_IDX_IMMEDIATE |
					       VASI_CAP_OP_WRITE_IDX_IMMEDIATE));
	EXPECT_EQ(0, info.features & VASI_FEATURE_DIRTY_MAP);
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 9, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
}

/* Nothing at all is offered: it has to live with that, too */
TEST_F(hostile, no_capabilities)
{
	struct vasi_info info;

	ASSERT_EQ(0, vt_ask(NULL, "script capabilities 000000000000000000000000"));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", VASI_EVENT_PARTNER_FAILED));
	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	EXPECT_EQ(0, info.source_operations);
	EXPECT_EQ(0, info.target_operations);
	EXPECT_EQ(0, info.features & (VASI_FEATURE_INDIRECT | VASI_FEATURE_DIRTY_MAP));
}

TEST_HARNESS_MAIN
