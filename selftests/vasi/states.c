// SPDX-License-Identifier: GPL-2.0
/*
 * Signals and states, pass-through messages, progress, donated cycles, dirty map.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define KIB		4096
#define BUFFERS		8
#define ABORT_REASON	(VASI_ABORT_SOURCE_VSP << VASI_REASON_ENTITY_SHIFT | 0x1234)
#define NO_STREAM	0xDEADDEADDEADDEADULL

/*
 * With vasi-phypd
 */

FIXTURE(states)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
};

FIXTURE_SETUP(states)
{
	int i;

	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('A') || !vt_have_control())
		SKIP(return, "no adapter with a platform");
	ASSERT_EQ(0, vt_stream_open(&self->s, &self->dev, 'A', VASI_SERVICE_SOURCE_MOVER,
				    KIB));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	for (i = 0; i < BUFFERS; i++) {
		ASSERT_EQ(1, vt_add(self->s.fd, 0, i));
	}
}

FIXTURE_TEARDOWN(states)
{
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->s.id));
	close(self->dev);
}

static uint32_t state_of(int dev, uint64_t id, int64_t *rc)
{
	struct vasi_stream stream = { .size = sizeof(stream), .stream_id = id };

	if (vt_stream(dev, VASI_IOC_STREAM_STATE, &stream))
		return ~0U;
	*rc = stream.rc;
	return stream.state;
}

/* Donate and answer operations until an event of @type comes */
static int serve_until(FIXTURE_DATA(states) *self, uint16_t type,
		       struct vasi_io_event *event)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	int64_t rc;
	int err, got;

	do {
		err = vt_donate(self->s.fd, 0, &rc);
		if (err < 0)
			return err;
		while ((got = vt_fetch(self->s.fd, event, 1)) == 1) {
			if (event->type == type)
				return 0;
			if (event->type != VASI_EVT_OPERATION)
				continue;
			err = vt_complete(self->s.fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD,
					  event->pool, event->index, event->generation,
					  VASI_SUCCESS);
			if (err < 0)
				return err;
		}
	} while (got >= 0 && vt_now_ms() < deadline);
	return got < 0 ? got : -ETIME;
}

TEST_F(states, state_of_a_stream)
{
	int64_t rc;

	EXPECT_EQ(VASI_STATE_ENABLED, state_of(self->dev, self->s.id, &rc));
	EXPECT_EQ(VASI_RC_SUCCESS, rc);
	state_of(self->dev, NO_STREAM, &rc);
	EXPECT_EQ(VASI_RC_PARAMETER, rc);
}

TEST_F(states, progress)
{
	struct vasi_io_event event;

	/* Asked before any cycle is donated, it is the total */
	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, 3));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(3, event.token);
	EXPECT_EQ(VASI_SUCCESS, event.status);
	EXPECT_LE(KIB * 1024ULL, event.u.bytes_left);
	EXPECT_GT(KIB * 1024ULL + (1 << 20), event.u.bytes_left);
}

TEST_F(states, abort)
{
	struct vasi_io_event event;
	int64_t rc;
	int seen = 0;

	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_ABORT, ABORT_REASON, 21));
	while (seen != 3) {
		ASSERT_EQ(0, vt_next(self->s.fd, &event));
		if (event.type == VASI_EVT_STATE) {
			EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
			EXPECT_EQ(ABORT_REASON, event.u.state.reason);
			seen |= 1;
		} else if (event.type == VASI_EVT_SIGNALLED) {
			EXPECT_EQ(21, event.token);
			EXPECT_EQ(VASI_SUCCESS, event.status);
			seen |= 2;
		}
	}
	EXPECT_EQ(VASI_STATE_ABORTED, state_of(self->dev, self->s.id, &rc));
	EXPECT_EQ(0, vt_donate_until(self->s.fd, VASI_RC_ABORTED));
	/* Any signal but Abort is an invalid transition now */
	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_SUSPEND, 0, 22));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_SIGNALLED, &event));
	EXPECT_EQ(VASI_INVALID_STATE_TRANSITION, event.status);
	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_ABORT, 0, 23));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_SIGNALLED, &event));
	EXPECT_EQ(VASI_SUCCESS, event.status);
}

TEST_F(states, cancel_message)
{
	struct vasi_io_event event;

	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_CANCEL, ABORT_REASON, 0));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_STATE, &event));
	EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
}

TEST_F(states, cancel_hcall)
{
	struct vasi_stream stream = {
		.size = sizeof(stream), .stream_id = self->s.id, .reason = ABORT_REASON,
	};
	struct vasi_io_event event;

	ASSERT_EQ(0, vt_stream(self->dev, VASI_IOC_STREAM_CANCEL, &stream));
	EXPECT_EQ(VASI_RC_SUCCESS, stream.rc);
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_STATE, &event));
	EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
	EXPECT_EQ(ABORT_REASON, event.u.state.reason);
	/* Not valid any more; and not for streams that nobody knows */
	stream.rc = 0;
	ASSERT_EQ(0, vt_stream(self->dev, VASI_IOC_STREAM_CANCEL, &stream));
	EXPECT_EQ(VASI_RC_NOOP, stream.rc);
	stream.stream_id = NO_STREAM;
	stream.rc = 0;
	ASSERT_EQ(0, vt_stream(self->dev, VASI_IOC_STREAM_CANCEL, &stream));
	EXPECT_EQ(VASI_RC_PARAMETER, stream.rc);
}

TEST_F(states, cancelled_from_outside)
{
	struct vasi_io_event event;

	ASSERT_EQ(0, vt_ask(NULL, "cancel A %llx", (unsigned long long)self->s.id));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_STATE, &event));
	EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
	EXPECT_EQ(VASI_ABORT_ORCHESTRATOR, event.u.state.reason >> VASI_REASON_ENTITY_SHIFT);
}

TEST_F(states, suspend)
{
	struct vasi_io_event event;

	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_SUSPEND, 0, 1));
	ASSERT_EQ(0, serve_until(self, VASI_EVT_STATE, &event));
	if (event.u.state.state == VASI_STATE_SUSPENDING)
		ASSERT_EQ(0, serve_until(self, VASI_EVT_STATE, &event));
	EXPECT_EQ(VASI_STATE_SUSPENDED, event.u.state.state);
}

TEST_F(states, unknown_signals)
{
	static const uint32_t codes[] = { 0, VASI_SIGNAL_COMPLETE, VASI_SIGNAL_ENABLE, 7 };
	struct vasi_io_event event;
	int i, taken;

	/* The driver may know better, or ask; never does the stream change */
	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		taken = vt_signal(self->s.fd, codes[i], 0, i);
		if (taken == -EINVAL)
			continue;
		ASSERT_EQ(1, taken);
		ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_SIGNALLED, &event));
		EXPECT_EQ(i, event.token);
		EXPECT_EQ(VASI_INVALID_SIGNAL, event.status);
	}
	EXPECT_EQ(-EINVAL, vt_signal(self->s.fd, 0x10000, 0, 0));
	EXPECT_EQ(-EINVAL, vt_signal(self->s.fd, 0x10001, 0, 0));
	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, 0));
	ASSERT_EQ(0, vt_next(self->s.fd, &event));
	EXPECT_EQ(VASI_EVT_PROGRESS, event.type);
}

TEST_F(states, donating_makes_operations)
{
	struct vasi_io_event event;
	int64_t rc;
	int calls;

	calls = vt_donate(self->s.fd, 0, &rc);
	EXPECT_EQ(1, calls);
	ASSERT_EQ(0, serve_until(self, VASI_EVT_OPERATION, &event));
	EXPECT_LT(0, event.u.operation.bytes);
	EXPECT_EQ(VASI_OP_WRITE, event.u.operation.op_code & (VASI_OP_WRITE | VASI_OP_INDEXED));
}

TEST_F(states, donating_with_a_budget)
{
	struct vasi_io_event event;
	long started;
	int64_t rc;
	int calls;

	/* Buffers run out, and nobody gives any back: LongBusy ends it at once */
	started = vt_now_ms();
	calls = vt_donate(self->s.fd, 10000000000ULL, &rc);
	EXPECT_LE(1, calls);
	EXPECT_TRUE(rc >= VASI_RC_LONG_BUSY_1_MSEC && rc <= VASI_RC_LONG_BUSY_100_SEC);
	EXPECT_GT(10000, vt_now_ms() - started);
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_OPERATION, &event));
}

TEST_F(states, donating_after_close)
{
	struct vasi_io_event event;
	int64_t rc;

	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_CLOSE, 0));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_CLOSED, &event));
	EXPECT_EQ(-ENOTCONN, vt_donate(self->s.fd, 0, &rc));
}

TEST_F(states, dirty_map)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_DIRTY_MAP, .token = 8, .u.dirty_map.pages = 256,
		.u.dirty_map.granule = 4096,
	};
	struct vasi_dirty_map_specifier *specifier;
	struct vasi_io_event event;
	struct vasi_info info;
	struct vt_pool pool;
	unsigned int i, bits = 0;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &pool, VT_BUFFER_BYTES, 1));
	request.pool = pool.setup.pool;
	ASSERT_NE(0, info.features & VASI_FEATURE_DIRTY_MAP);
	request.u.dirty_map.granule = 12345;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	request.u.dirty_map.granule = 4096;
	request.flags = 2;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	request.flags = VASI_DIRTY_CLEAR;
	ASSERT_EQ(1, vt_submit(self->s.fd, &request, 1));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_DIRTY_MAP, &event));
	EXPECT_EQ(8, event.token);
	ASSERT_EQ(VASI_SUCCESS, event.status);
	EXPECT_EQ(0, event.u.dirty_map.first_page);
	EXPECT_EQ(4096, event.u.dirty_map.granule);
	ASSERT_LE(event.u.dirty_map.pages, 256);
	specifier = (void *)(vt_buffer(&pool, 0) + VASI_CORRELATOR_BYTES);
	EXPECT_EQ(event.u.dirty_map.dirty, be64toh(specifier->dirty));
	for (i = 0; i < event.u.dirty_map.pages / 8; i++)
		bits += __builtin_popcount(((unsigned char *)(specifier + 1))[i]);
	EXPECT_EQ(event.u.dirty_map.dirty, bits);
	vt_pool_unmap(&pool);
}

TEST_F(states, closed_by_two)
{
	/* A stream may have several sessions: each is told the state */
	struct vasi_io_event event;
	struct vt_session other;
	struct vasi_info info;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	if (info.source_opens < 2)
		SKIP(return, "one session a stream");
	ASSERT_EQ(0, vt_session_open(&other, self->dev, self->s.id,
				     VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_ABORT, ABORT_REASON, 0));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_STATE, &event));
	EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
	ASSERT_EQ(0, vt_next_of(other.fd, VASI_EVT_STATE, &event));
	EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
	EXPECT_EQ(ABORT_REASON, event.u.state.reason);
	EXPECT_EQ(0, vt_session_close(&other));
}

/*
 * With a script
 */

FIXTURE(wire)
{
	int dev;
	struct vt_session s;
};

FIXTURE_SETUP(wire)
{
	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_open(&self->s, &self->dev, VASI_SERVICE_TARGET_MOVER));
}

FIXTURE_TEARDOWN(wire)
{
	if (self->s.fd >= 0)
		close(self->s.fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

TEST_F(wire, signal)
{
	struct vasi_crq entry;

	ASSERT_EQ(1, vt_signal(self->s.fd, VASI_SIGNAL_ABORT, ABORT_REASON, 0));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_SIGNAL, &entry));
	EXPECT_EQ(0, entry.byte2);
	EXPECT_EQ(0, entry.byte3);
	EXPECT_EQ(htobe32(self->s.open.bottom), entry.handle);
	EXPECT_EQ(htobe32(ABORT_REASON), entry.signal.reason);
	EXPECT_EQ(htobe16(VASI_SIGNAL_ABORT), entry.signal.code);
	EXPECT_EQ(0, entry.signal.reserved);
}

TEST_F(wire, every_state_is_told)
{
	static const uint16_t states[] = {
		VASI_STATE_SUSPENDING, VASI_STATE_SUSPENDED, VASI_STATE_RESUMED,
		VASI_STATE_FAILOVER, VASI_STATE_COMPLETED, VASI_STATE_ABORTED,
	};
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_STATE,
		.handle = htobe32(self->s.open.top),
	};
	struct vasi_io_event event;
	int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		entry.signal.code = htobe16(states[i]);
		entry.signal.reason = htobe32(i);
		ASSERT_EQ(0, vt_script_send(&entry));
		ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_STATE, &event));
		EXPECT_EQ(states[i], event.u.state.state);
		EXPECT_EQ(i, event.u.state.reason);
	}
	/* Informational: there is no answer */
	EXPECT_EQ(0, vt_script_count(VASI_FMT_STATE | VASI_FMT_RESPONSE));
}

/* The last state is never lost, however many come before anybody looks */
TEST_F(wire, many_states_unread)
{
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_STATE,
		.handle = htobe32(self->s.open.top),
	};
	struct vasi_io_event event;
	int i;

	for (i = 0; i < 200; i++) {
		entry.signal.code = htobe16(i % 2 ? VASI_STATE_SUSPENDED : VASI_STATE_SUSPENDING);
		ASSERT_EQ(0, vt_script_send(&entry));
	}
	entry.signal.code = htobe16(VASI_STATE_COMPLETED);
	ASSERT_EQ(0, vt_script_send(&entry));
	do {
		ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_STATE, &event));
	} while (event.u.state.state != VASI_STATE_COMPLETED);
}

TEST_F(wire, message_to_the_platform)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_MESSAGE, .token = 6, .u.message = 0x0102030405060708ULL,
	};
	struct vasi_io_event event;
	struct vasi_crq entry, answer;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_MESSAGE_DOWNLOAD));
	ASSERT_EQ(1, vt_submit(self->s.fd, &request, 1));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_MESSAGE_DOWNLOAD, &entry));
	EXPECT_EQ(VASI_CONTROL_PASS_THROUGH, entry.byte2);
	EXPECT_EQ(0, entry.byte3);
	EXPECT_EQ(htobe64(0x0102030405060708ULL), entry.data);
	answer = entry;
	answer.format |= VASI_FMT_RESPONSE;
	answer.byte2 = VASI_SUCCESS;
	answer.handle = htobe32(self->s.open.top);
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_MESSAGED, &event));
	EXPECT_EQ(6, event.token);
	EXPECT_EQ(VASI_SUCCESS, event.status);
}

TEST_F(wire, message_from_the_platform)
{
	struct vasi_crq answer, entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_MESSAGE_UPLOAD,
		.byte2 = VASI_CONTROL_PASS_THROUGH,
		.handle = htobe32(self->s.open.top),
		.data = htobe64(0x8877665544332211ULL),
	};
	struct vasi_io_event event;

	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_MESSAGE, &event));
	EXPECT_EQ(0x8877665544332211ULL, event.u.message);
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(VASI_SUCCESS, answer.byte2);
	EXPECT_EQ(0, answer.byte3);
	EXPECT_EQ(htobe32(self->s.open.bottom), answer.handle);
	EXPECT_EQ(entry.data, answer.data);
	/* Controls that LoPAR reserves, and a TOP that is nobody's */
	entry.byte2 = 2;
	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(VASI_INVALID_CONTROL, answer.byte2);
	entry.byte2 = VASI_CONTROL_PASS_THROUGH;
	entry.handle = ~entry.handle;
	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE, &answer));
	EXPECT_EQ(VASI_INVALID_TOP, answer.byte2);
}

/* What the hypervisor returns is what DONATE returns, and what ends its loop */
TEST_F(wire, donate_returns)
{
	static const int64_t codes[] = {
		VASI_RC_SUCCESS, VASI_RC_LONG_BUSY_1_MSEC, VASI_RC_LONG_BUSY_100_SEC,
		VASI_RC_PARAMETER, VASI_RC_ABORTED, VASI_RC_HARDWARE,
	};
	char answer[VT_ANSWER];
	int i, calls = 0;
	int64_t rc;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		ASSERT_EQ(0, vt_ask(NULL, "script hcall %x %lld 0", VASI_H_DONOR_OPERATION,
				    (long long)codes[i]));
		/* One call: a platform that is late has said nothing yet */
		do {
			ASSERT_EQ(1, vt_donate(self->s.fd, 1000000000, &rc));
		} while (rc == VASI_RC_LONG_BUSY_10_MSEC);
		EXPECT_EQ(codes[i], rc);
	}
	/* In_Progress is asked again until the budget is spent, and once without one */
	ASSERT_EQ(0, vt_ask(NULL, "script hcall %x %d 0", VASI_H_DONOR_OPERATION,
			    VASI_RC_IN_PROGRESS));
	EXPECT_EQ(0, vt_donate_until(self->s.fd, VASI_RC_IN_PROGRESS));
	for (i = 0; i < 100; i++) {
		calls = vt_donate(self->s.fd, 300000000, &rc);
		ASSERT_LE(1, calls);
		if (rc == VASI_RC_IN_PROGRESS)
			break;
	}
	EXPECT_EQ(VASI_RC_IN_PROGRESS, rc);
	EXPECT_LT(1, calls);
	/* TOP is the high half, BOTTOM the low one */
	ASSERT_EQ(0, vt_ask(answer, "script argument %x", VASI_H_DONOR_OPERATION));
	EXPECT_EQ((uint64_t)self->s.open.top << 32 | self->s.open.bottom,
		  strtoull(answer, NULL, 16));
}

TEST_HARNESS_MAIN
