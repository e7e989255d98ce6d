// SPDX-License-Identifier: GPL-2.0
/*
 * Who owns a buffer: every change that is allowed, and every one that is not.
 *
 * The platform is a script, so that a buffer stays in a state for as long as it takes
 * to try everything on it.
 */
#include <endian.h>
#include <errno.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define BUFFERS		4
#define OP_RESPOND	(VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS)

FIXTURE(buffers)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
	uint64_t correlators;
};

FIXTURE_SETUP(buffers)
{
	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_open(&self->s, &self->dev, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
}

FIXTURE_TEARDOWN(buffers)
{
	vt_pool_unmap(&self->pool);
	if (self->s.fd >= 0)
		close(self->s.fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

/* Have buffer @index added; returns its descriptor as a number */
static uint64_t added(FIXTURE_DATA(buffers) *self, uint32_t index)
{
	struct vasi_crq entry;

	if (vt_add(self->s.fd, 0, index) != 1 ||
	    vt_script_wait(VASI_FMT_ADD_BUFFER, &entry))
		return 0;
	return be64toh(entry.data);
}

/* Have an operation in buffer @index, fetched */
static int operation(FIXTURE_DATA(buffers) *self, uint32_t index, uint8_t op_code,
		     struct vasi_io_event *event)
{
	uint64_t descriptor = added(self, index);
	int err;

	if (!descriptor)
		return -EIO;
	err = vt_script_operation(&self->s, descriptor, ++self->correlators, op_code,
				  "some data", 9);
	return err ? err : vt_next_of(self->s.fd, VASI_EVT_OPERATION, event);
}

static int dirty_map(int fd, uint32_t index)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_DIRTY_MAP, .index = index, .u.dirty_map.pages = 64,
	};

	return vt_submit(fd, &request, 1);
}

static int respond(int fd, uint32_t index, uint32_t generation, uint32_t status)
{
	return vt_complete(fd, VASI_COMPLETE_RESPOND, 0, index, generation, status);
}

/* Nothing that needs a free buffer works on this one */
static void everything_is_busy(struct __test_metadata *_metadata,
			       FIXTURE_DATA(buffers) *self, uint32_t index)
{
	struct vasi_io_request download = {
		.op = VASI_REQ_DOWNLOAD, .index = index,
		.u.download.offset = self->pool.setup.data_offset,
		.u.download.bytes = 1,
	};
	int fd = self->s.fd;

	EXPECT_EQ(-EBUSY, vt_add(fd, 0, index));
	EXPECT_EQ(-EBUSY, vt_submit(fd, &download, 1));
	EXPECT_EQ(-EBUSY, dirty_map(fd, index));
}

TEST_F(buffers, descriptor)
{
	uint64_t descriptor = added(self, 2);
	uint64_t correlator;

	ASSERT_NE(0, descriptor);
	EXPECT_EQ(VASI_DESC_VALID, descriptor >> 56);
	EXPECT_EQ(VT_BUFFER_BYTES, descriptor >> 32 & VASI_MAX_LENGTH);
	/* What the platform reads there is what this program sees */
	ASSERT_EQ(0, vt_script_read(descriptor, &correlator, sizeof(correlator)));
	EXPECT_EQ(0, memcmp(&correlator, vt_buffer(&self->pool, 2), sizeof(correlator)));
	EXPECT_NE(0, correlator);
}

TEST_F(buffers, free)
{
	int fd = self->s.fd;

	/* It has no operation */
	EXPECT_EQ(-EBUSY, respond(fd, 0, 0, VASI_SUCCESS));
	EXPECT_EQ(-EBUSY, vt_complete(fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD, 0, 0, 0,
				      VASI_SUCCESS));
	/* Nothing to do is no request */
	EXPECT_EQ(-EINVAL, vt_complete(fd, 0, 0, 0, 0, 0));
	/* No such buffer */
	EXPECT_EQ(-EINVAL, vt_add(fd, 0, BUFFERS));
	EXPECT_EQ(-EINVAL, vt_add(fd, 1, 0));
	EXPECT_EQ(-EINVAL, vt_add(fd, 0xFFFF, 0));
	EXPECT_EQ(-EINVAL, vt_add(fd, 0, 0xFFFFFFFF));
	EXPECT_EQ(0, vt_script_count(VASI_FMT_ADD_BUFFER));
	ASSERT_NE(0, added(self, 0));
}

TEST_F(buffers, platform)
{
	ASSERT_NE(0, added(self, 0));
	everything_is_busy(_metadata, self, 0);
	EXPECT_EQ(-EBUSY, respond(self->s.fd, 0, 0, VASI_SUCCESS));
	/* The others are not concerned */
	ASSERT_NE(0, added(self, 1));
}

TEST_F(buffers, operation)
{
	struct vasi_io_event event;

	ASSERT_EQ(0, operation(self, 0, OP_RESPOND, &event));
	EXPECT_EQ(0, event.pool);
	EXPECT_EQ(0, event.index);
	EXPECT_EQ(0, event.u.operation.sequence);
	EXPECT_EQ(self->correlators, event.u.operation.correlator);
	EXPECT_EQ(9, event.u.operation.bytes);
	EXPECT_EQ(1, event.u.operation.segments);
	EXPECT_EQ(OP_RESPOND, event.u.operation.op_code);
	EXPECT_EQ(0, event.u.operation.fetched);
	everything_is_busy(_metadata, self, 0);
	ASSERT_EQ(0, operation(self, 1, OP_RESPOND, &event));
	EXPECT_EQ(1, event.index);
	EXPECT_EQ(1, event.u.operation.sequence);
}

/* A buffer with an operation nobody has fetched yet: neither is it anybody's */
TEST_F(buffers, operation_not_fetched)
{
	uint64_t descriptor = added(self, 0);

	ASSERT_NE(0, descriptor);
	ASSERT_EQ(0, vt_script_operation(&self->s, descriptor, 1, OP_RESPOND, "x", 1));
	ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
	everything_is_busy(_metadata, self, 0);
	EXPECT_EQ(-EBUSY, respond(self->s.fd, 0, 0, VASI_SUCCESS));
}

TEST_F(buffers, generations)
{
	struct vasi_io_event first, second;
	int fd = self->s.fd;

	ASSERT_EQ(0, operation(self, 0, OP_RESPOND, &first));
	EXPECT_EQ(-ESTALE, respond(fd, 0, first.generation + 1, VASI_SUCCESS));
	EXPECT_EQ(-ESTALE, respond(fd, 0, first.generation - 1, VASI_SUCCESS));
	EXPECT_EQ(-ESTALE, respond(fd, 0, ~first.generation, VASI_SUCCESS));
	ASSERT_EQ(1, respond(fd, 0, first.generation, VASI_SUCCESS));
	/* Answered once is answered */
	EXPECT_EQ(-EBUSY, respond(fd, 0, first.generation, VASI_SUCCESS));
	ASSERT_EQ(0, operation(self, 0, OP_RESPOND, &second));
	EXPECT_NE(first.generation, second.generation);
	EXPECT_EQ(-ESTALE, respond(fd, 0, first.generation, VASI_SUCCESS));
	ASSERT_EQ(1, respond(fd, 0, second.generation, VASI_SUCCESS));
}

TEST_F(buffers, answer_and_add)
{
	struct vasi_io_event event;
	struct vasi_crq answer, add;

	ASSERT_EQ(0, operation(self, 0, OP_RESPOND, &event));
	ASSERT_EQ(1, vt_complete(self->s.fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD, 0, 0,
				 event.generation, VASI_SUCCESS));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &add));
	EXPECT_EQ(VASI_SUCCESS, answer.byte2);
	EXPECT_EQ(htobe64(self->correlators), answer.data);
	everything_is_busy(_metadata, self, 0);
	/* And once more, through the descriptor that it was added with now */
	ASSERT_EQ(0, vt_script_operation(&self->s, be64toh(add.data), 4711, OP_RESPOND, "", 0));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_OPERATION, &event));
	EXPECT_EQ(4711, event.u.operation.correlator);
}

/* Success is said only where the operation asks for it; errors always are */
TEST_F(buffers, answers_on_the_wire)
{
	struct vasi_io_event event;
	struct vasi_crq answer;
	struct vasi_io_request eof = {
		.op = VASI_REQ_COMPLETE,
		.flags = VASI_COMPLETE_RESPOND,
		.u.complete.status = VASI_END_OF_FILE,
		.u.complete.residual = 0x123456789AULL,
	};
	int fd = self->s.fd;

	ASSERT_EQ(0, operation(self, 0, VASI_OP_WRITE, &event));
	ASSERT_EQ(1, respond(fd, 0, event.generation, VASI_SUCCESS));
	/* The next answer overtakes none: the one before was not sent */
	ASSERT_EQ(0, operation(self, 1, VASI_OP_WRITE, &event));
	ASSERT_EQ(1, respond(fd, 1, event.generation, VASI_HARDWARE));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(VASI_HARDWARE, answer.byte2);
	EXPECT_EQ(htobe64(self->correlators), answer.data);
	EXPECT_EQ(0, answer.byte3);
	EXPECT_EQ(0, answer.handle);
	/* Five bytes of residual */
	ASSERT_EQ(0, operation(self, 2, VASI_OP_WRITE, &event));
	eof.index = 2;
	eof.generation = event.generation;
	ASSERT_EQ(1, vt_submit(fd, &eof, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(VASI_END_OF_FILE, answer.byte2);
	EXPECT_EQ(0x12, answer.byte3);
	EXPECT_EQ(htobe32(0x3456789A), answer.handle);
}

TEST_F(buffers, statuses_refused)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_RESPOND,
	};
	struct vasi_io_event event;
	int fd = self->s.fd;

	ASSERT_EQ(0, operation(self, 0, OP_RESPOND, &event));
	EXPECT_EQ(-EINVAL, respond(fd, 0, event.generation, 256));
	EXPECT_EQ(-EINVAL, respond(fd, 0, event.generation, 0xFFFFFFFF));
	/* A residual is End Of File's, and has 40 bits */
	request.generation = event.generation;
	request.u.complete.residual = 1;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	request.u.complete.reserved = 1;
	request.u.complete.residual = 0;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	/* A status without an answer to give */
	EXPECT_EQ(-EINVAL, vt_complete(fd, VASI_COMPLETE_ADD, 0, 1, 0, VASI_HARDWARE));
	EXPECT_EQ(0, vt_script_count(VASI_FMT_OPERATION | VASI_FMT_RESPONSE));
	ASSERT_EQ(1, respond(fd, 0, event.generation, VASI_SUCCESS));
}

TEST_F(buffers, refused_buffer_is_free)
{
	struct vasi_crq entry, answer;
	struct vasi_io_event event;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_ADD_BUFFER));
	ASSERT_EQ(1, vt_add(self->s.fd, 0, 3));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &entry));
	everything_is_busy(_metadata, self, 3);
	answer = (struct vasi_crq){
		.header = VASI_CRQ_COMMAND,
		.format = VASI_FMT_ADD_BUFFER | VASI_FMT_RESPONSE,
		.byte2 = VASI_INVALID_BUFFER_LENGTH,
		.handle = htobe32(self->s.open.top),
	};
	ASSERT_EQ(0, vt_script_read(be64toh(entry.data), &answer.data, 8));
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_ADDED, &event));
	EXPECT_EQ(VASI_INVALID_BUFFER_LENGTH, event.status);
	EXPECT_EQ(3, event.index);
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	ASSERT_NE(0, added(self, 3));
}

/* The same, as LoPAR has it where the descriptor was bad or the BOTTOM unknown */
TEST_F(buffers, refused_by_descriptor)
{
	static const uint8_t statuses[] = { VASI_INVALID_BUFFER_DESCRIPTOR, VASI_INVALID_BOTTOM };
	struct vasi_crq entry, answer;
	struct vasi_io_event event;
	int i;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_ADD_BUFFER));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, vt_add(self->s.fd, 0, i));
		ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &entry));
		answer = entry;
		answer.format |= VASI_FMT_RESPONSE;
		answer.byte2 = statuses[i];
		answer.handle = i ? entry.handle : htobe32(self->s.open.top);
		ASSERT_EQ(0, vt_script_send(&answer));
		ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_ADDED, &event));
		EXPECT_EQ(statuses[i], event.status);
		EXPECT_EQ(i, event.index);
	}
}

TEST_F(buffers, freed)
{
	struct vasi_io_request request = { .op = VASI_REQ_FREE, .token = 5 };
	struct vasi_crq entry, answer = {
		.header = VASI_CRQ_COMMAND,
		.format = VASI_FMT_FREE_BUFFER | VASI_FMT_RESPONSE,
		.handle = htobe32(self->s.open.top),
	};
	struct vasi_io_event event;
	uint64_t descriptor;
	int fd = self->s.fd;

	descriptor = added(self, 1);
	ASSERT_NE(0, descriptor);
	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_FREE_BUFFER));
	ASSERT_EQ(1, vt_submit(fd, &request, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_FREE_BUFFER, &entry));
	/* Any buffer of this length */
	EXPECT_EQ(htobe64(VT_BUFFER_BYTES), entry.data);
	EXPECT_EQ(htobe32(self->s.open.bottom), entry.handle);
	ASSERT_EQ(0, vt_script_read(descriptor, &answer.data, 8));
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_next_of(fd, VASI_EVT_FREED, &event));
	EXPECT_EQ(5, event.token);
	EXPECT_EQ(VASI_SUCCESS, event.status);
	EXPECT_EQ(1, event.index);
	EXPECT_EQ(0, event.pool);
	ASSERT_NE(0, added(self, 1));
	/* None left */
	ASSERT_EQ(1, vt_submit(fd, &request, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_FREE_BUFFER, &entry));
	answer.byte2 = VASI_EMPTY;
	answer.data = 0;
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_next_of(fd, VASI_EVT_FREED, &event));
	EXPECT_EQ(VASI_EMPTY, event.status);
	everything_is_busy(_metadata, self, 1);
	/* A pool that is not there */
	request.pool = 9;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
}

TEST_F(buffers, download)
{
	struct vasi_crq entry, answer;
	struct vasi_io_event event;
	unsigned char specifier[256];
	int fd = self->s.fd;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_DOWNLOAD));
	ASSERT_EQ(1, vt_download(fd, &self->pool, 2, "0123456789", 10, 99));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_DOWNLOAD, &entry));
	everything_is_busy(_metadata, self, 2);
	EXPECT_EQ(-EBUSY, respond(fd, 2, 0, VASI_SUCCESS));
	/* Correlator, a segment (immediate, or indirect to the data), four zero bytes */
	EXPECT_EQ(htobe32(self->s.open.bottom), entry.handle);
	ASSERT_EQ(0, vt_script_read(be64toh(entry.data), specifier, 24));
	EXPECT_EQ(0, specifier[9]);
	EXPECT_EQ(0, specifier[10]);
	EXPECT_EQ(10, specifier[11]);
	if (specifier[8] == VASI_DSEG_INDIRECT) {
		uint32_t ioba;

		memcpy(&ioba, specifier + 12, sizeof(ioba));
		EXPECT_EQ(0, memcmp(specifier + 16, "\0\0\0\0", 4));
		ASSERT_EQ(0, vt_script_read(be32toh(ioba), specifier, 10));
		EXPECT_EQ(0, memcmp(specifier, "0123456789", 10));
	} else {
		EXPECT_EQ(0, specifier[8]);
		EXPECT_EQ(0, memcmp(specifier + 12, "0123456789", 10));
	}
	answer = entry;
	answer.format |= VASI_FMT_RESPONSE;
	answer.handle = htobe32(self->s.open.top);
	ASSERT_EQ(0, vt_script_read(be64toh(entry.data), &answer.data, 8));
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_next_of(fd, VASI_EVT_DOWNLOADED, &event));
	EXPECT_EQ(99, event.token);
	EXPECT_EQ(2, event.index);
	EXPECT_EQ(VASI_SUCCESS, event.status);
	ASSERT_EQ(0, vt_ask(NULL, "script auto"));
	ASSERT_NE(0, added(self, 2));
}

TEST_F(buffers, download_refused)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_DOWNLOAD,
		.u.download.offset = self->pool.setup.data_offset,
		.u.download.bytes = 1,
	};
	int fd = self->s.fd;

	request.u.download.bytes = 0;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	request.u.download.bytes = VASI_MAX_LENGTH + 1;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	request.u.download.bytes = 0xFFFFFFFF;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	request.u.download.bytes = VT_BUFFER_BYTES;
	request.u.download.offset = self->pool.setup.stride - 4096;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	request.u.download.offset = 0xFFFFFFFF;
	request.u.download.bytes = 2;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	request.u.download.offset = self->pool.setup.data_offset - 1;
	EXPECT_EQ(-EINVAL, vt_submit(fd, &request, 1));
	EXPECT_EQ(0, vt_script_count(VASI_FMT_DOWNLOAD));
}

/* What was in the vector before the one that is refused has been taken */
TEST_F(buffers, vectors)
{
	struct vasi_io_request requests[3] = {
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = 0 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = 0 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = 1 },
	};

	ASSERT_EQ(1, vt_submit(self->s.fd, requests, 3));
	EXPECT_EQ(-EBUSY, vt_submit(self->s.fd, requests + 1, 2));
	EXPECT_EQ(1, vt_submit(self->s.fd, requests + 2, 1));
}

/* The correlator lies in memory that the program may write: nothing believes it */
TEST_F(buffers, overwritten_correlator)
{
	struct vasi_io_event event;
	struct vasi_crq answer;
	uint64_t descriptor, correlator;

	descriptor = added(self, 0);
	ASSERT_NE(0, descriptor);
	ASSERT_EQ(0, vt_script_read(descriptor, &correlator, sizeof(correlator)));
	memset(vt_buffer(&self->pool, 0), 0xFF, 8);
	/* The platform tells what it read: nonsense.  It gets its answer. */
	ASSERT_EQ(0, vt_script_operation(&self->s, descriptor, 1, OP_RESPOND, "x", 1));
	/* Nobody knows which operation it was, so nothing may come but a refusal */
	memcpy(vt_buffer(&self->pool, 0), &correlator, 8);
	ASSERT_EQ(0, vt_script_operation(&self->s, descriptor, 2, OP_RESPOND, "y", 1));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_OPERATION, &event));
	EXPECT_EQ(0, event.index);
	EXPECT_EQ(2, event.u.operation.correlator);
	ASSERT_EQ(1, respond(self->s.fd, 0, event.generation, VASI_SUCCESS));
	do {
		ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPERATION | VASI_FMT_RESPONSE, &answer));
	} while (answer.data != htobe64(2));
	EXPECT_EQ(VASI_SUCCESS, answer.byte2);
}

TEST_HARNESS_MAIN
