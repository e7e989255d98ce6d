// SPDX-License-Identifier: GPL-2.0
/*
 * Data paths against the platform model: this program is both movers of a partition,
 * at two adapters of one machine, and the platforms compare what arrived.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define KIB		2048
#define BUFFERS		8

FIXTURE(source)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
};

FIXTURE_SETUP(source)
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

FIXTURE_TEARDOWN(source)
{
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->s.id));
	close(self->dev);
}

/* Donate until an operation comes */
static int next_operation(int fd, struct vasi_io_event *event)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	int64_t rc;
	int err;

	while (vt_now_ms() < deadline) {
		err = vt_donate(fd, 0, &rc);
		if (err < 0)
			return err;
		err = vt_fetch(fd, event, 1);
		if (err < 0 || (err && event->type == VASI_EVT_OPERATION))
			return err < 0 ? err : 0;
	}
	return -ETIME;
}

/* The stream's bytes are a platform's own: magic, version, stream id lie where they must */
TEST_F(source, starts_with_the_platforms_header)
{
	static unsigned char data[2 * VT_BUFFER_BYTES];
	struct vasi_io_event event;
	int64_t bytes;
	uint64_t id;

	ASSERT_EQ(0, next_operation(self->s.fd, &event));
	EXPECT_EQ(0, event.u.operation.sequence);
	bytes = vt_payload(&self->pool, &event, data, sizeof(data));
	ASSERT_EQ(event.u.operation.bytes, bytes);
	ASSERT_LE(72, bytes);
	EXPECT_EQ(0, memcmp(data + 24, "PHYPSTRM", 8));
	memcpy(&id, data + 48, sizeof(id));
	EXPECT_EQ(self->s.id, be64toh(id));
}

TEST_F(source, specifier_is_as_the_event_says)
{
	struct vasi_op_specifier *specifier;
	struct vasi_io_event event;
	int i;

	for (i = 0; i < 3 * BUFFERS; i++) {
		ASSERT_EQ(0, next_operation(self->s.fd, &event));
		EXPECT_EQ(i, event.u.operation.sequence);
		specifier = (void *)(vt_buffer(&self->pool, event.index) +
				     VASI_CORRELATOR_BYTES);
		EXPECT_EQ(self->s.open.top, be32toh(specifier->top));
		EXPECT_EQ(self->s.open.bottom, be32toh(specifier->bottom));
		EXPECT_EQ(event.u.operation.op_code, specifier->op_code);
		EXPECT_EQ(event.u.operation.correlator, be64toh(specifier->correlator));
		ASSERT_EQ(1, vt_complete(self->s.fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD,
					 event.pool, event.index, event.generation,
					 VASI_SUCCESS));
	}
}

/* A mover that gives nothing back gets no more than it has buffers */
TEST_F(source, stops_without_buffers)
{
	struct vasi_io_event event;
	int i;

	for (i = 0; i < BUFFERS; i++) {
		ASSERT_EQ(0, next_operation(self->s.fd, &event));
	}
	EXPECT_EQ(0, vt_donate_until(self->s.fd, VASI_RC_LONG_BUSY_1_MSEC));
	EXPECT_EQ(0, vt_fetch(self->s.fd, &event, 1));
	ASSERT_EQ(1, vt_add(self->s.fd, 0, 0) == -EBUSY);
	ASSERT_EQ(1, vt_complete(self->s.fd, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD, 0,
				 event.index, event.generation, VASI_SUCCESS));
	ASSERT_EQ(0, next_operation(self->s.fd, &event));
}

TEST_F(source, several_events_in_one_fetch)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	struct vasi_io_event events[BUFFERS];
	uint64_t sequence = 0;
	int64_t rc;
	int i, got = 0;

	/* Whether they all arrive before the fetch depends on the machine: try again */
	while (got < 2) {
		ASSERT_GT(deadline, vt_now_ms());
		for (i = 0; i < BUFFERS; i++) {
			ASSERT_LE(0, vt_donate(self->s.fd, 0, &rc));
		}
		got = vt_fetch(self->s.fd, events, BUFFERS);
		ASSERT_LE(0, got);
		for (i = 0; i < got; i++) {
			ASSERT_EQ(VASI_EVT_OPERATION, events[i].type);
			ASSERT_EQ(sequence++, events[i].u.operation.sequence);
			ASSERT_EQ(1, vt_complete(self->s.fd,
						 VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD, 0,
						 events[i].index, events[i].generation,
						 VASI_SUCCESS));
		}
	}
}

/* A second pool, of another length, from which the platform may choose, too */
TEST_F(source, two_pools)
{
	struct vasi_io_event event;
	struct vasi_info info;
	struct vt_pool large;
	int i;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	if (info.buffer_pools < 2)
		SKIP(return, "one pool a session");
	ASSERT_EQ(0, vt_pool_setup(&self->s, &large, 2 * VT_BUFFER_BYTES, BUFFERS));
	for (i = 0; i < BUFFERS; i++) {
		ASSERT_EQ(1, vt_add(self->s.fd, large.setup.pool, i));
	}
	for (i = 0; i < 2 * BUFFERS; i++) {
		ASSERT_EQ(0, next_operation(self->s.fd, &event));
		EXPECT_EQ(i, event.u.operation.sequence);
		EXPECT_LE(event.pool, large.setup.pool);
	}
	vt_pool_unmap(&large);
}

/* Free takes back what was added, one by one, until there is nothing left */
TEST_F(source, buffers_back)
{
	struct vasi_io_request request = { .op = VASI_REQ_FREE };
	struct vasi_io_event event;
	uint32_t seen = 0;
	int i;

	for (i = 0; i < BUFFERS; i++) {
		request.token = i;
		ASSERT_EQ(1, vt_submit(self->s.fd, &request, 1));
		ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_FREED, &event));
		ASSERT_EQ(VASI_SUCCESS, event.status);
		EXPECT_EQ(i, event.token);
		seen |= 1 << event.index;
	}
	EXPECT_EQ((1 << BUFFERS) - 1, seen);
	ASSERT_EQ(1, vt_submit(self->s.fd, &request, 1));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_FREED, &event));
	EXPECT_EQ(VASI_EMPTY, event.status);
	for (i = 0; i < BUFFERS; i++) {
		EXPECT_EQ(1, vt_add(self->s.fd, 0, i));
	}
	ASSERT_EQ(0, next_operation(self->s.fd, &event));
}

/*
 * A target whose stream makes no sense
 */

FIXTURE(target)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
};

FIXTURE_SETUP(target)
{
	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('B') || !vt_have_control())
		SKIP(return, "no adapter with a platform");
	ASSERT_EQ(0, vt_stream_open(&self->s, &self->dev, 'B', VASI_SERVICE_TARGET_MOVER,
				    KIB));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
}

FIXTURE_TEARDOWN(target)
{
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->s.id));
	close(self->dev);
}

TEST_F(target, nonsense_aborts)
{
	struct vasi_io_event event;
	int64_t rc;
	int seen = 0;

	memset(vt_buffer(&self->pool, 0), 0x55, VT_BUFFER_BYTES);
	ASSERT_EQ(1, vt_download(self->s.fd, &self->pool, 0,
				 "this is not what a platform would have sent", 43, 1));
	while (seen != 3) {
		ASSERT_LE(0, vt_donate(self->s.fd, 0, &rc));
		while (vt_fetch(self->s.fd, &event, 1) == 1) {
			if (event.type == VASI_EVT_DOWNLOADED)
				seen |= 1;
			if (event.type == VASI_EVT_STATE) {
				EXPECT_EQ(VASI_STATE_ABORTED, event.u.state.state);
				seen |= 2;
			}
		}
	}
	/* In Aborted, downloads are flushed with Success: that is no progress */
	ASSERT_EQ(1, vt_download(self->s.fd, &self->pool, 1, "more", 4, 2));
	/* The first answer may be a late one, to a call from before the download */
	do {
		ASSERT_LE(0, vt_donate(self->s.fd, 0, &rc));
	} while (vt_fetch(self->s.fd, &event, 1) != 1);
	EXPECT_EQ(VASI_RC_ABORTED, rc);
	EXPECT_EQ(VASI_EVT_DOWNLOADED, event.type);
	EXPECT_EQ(2, event.token);
	EXPECT_EQ(VASI_SUCCESS, event.status);
}

/*
 * Whole moves
 */

FIXTURE(move)
{
	int a;
	int b;
	struct vt_move m;
};

FIXTURE_VARIANT(move)
{
	uint64_t kib;
	uint64_t suspend_after;
};

FIXTURE_VARIANT_ADD(move, soon)
{
	.kib = 1024, .suspend_after = 1,
};

FIXTURE_VARIANT_ADD(move, later)
{
	.kib = 4096, .suspend_after = 40,
};

FIXTURE_SETUP(move)
{
	self->m.source.fd = -1;
	self->m.target.fd = -1;
	self->m.id = 0;
	if (!vt_have('A') || !vt_have('B') || !vt_have_control())
		SKIP(return, "no two adapters with platforms");
	self->a = vt_open('A');
	ASSERT_LE(0, self->a);
	self->b = vt_open('B');
	ASSERT_LE(0, self->b);
	ASSERT_EQ(0, vt_move_open(&self->m, self->a, self->b, variant->kib));
	self->m.suspend_after = variant->suspend_after;
}

FIXTURE_TEARDOWN(move)
{
	if (self->m.id)
		vt_move_close(&self->m);
	close(self->a);
	close(self->b);
}

TEST_F_TIMEOUT(move, equal, 120)
{
	ASSERT_EQ(0, vt_move_run(&self->m));
	EXPECT_EQ(VASI_STATE_COMPLETED, self->m.source_state);
	EXPECT_EQ(VASI_STATE_COMPLETED, self->m.target_state);
	EXPECT_LE(variant->kib * 1024, self->m.bytes);
	EXPECT_EQ(0, vt_ask(NULL, "equal %llx", (unsigned long long)self->m.id));
}

TEST_F_TIMEOUT(move, aborted_leaves_the_source, 60)
{
	/* After a few operations the target gives up */
	self->m.suspend_after = ~0ULL;
	ASSERT_EQ(1, vt_signal(self->m.target.fd, VASI_SIGNAL_ABORT,
			       VASI_ABORT_TARGET_VSP << VASI_REASON_ENTITY_SHIFT, 0));
	ASSERT_EQ(1, vt_signal(self->m.source.fd, VASI_SIGNAL_ABORT,
			       VASI_ABORT_TARGET_VSP << VASI_REASON_ENTITY_SHIFT, 0));
	ASSERT_EQ(0, vt_move_run(&self->m));
	EXPECT_EQ(VASI_STATE_ABORTED, self->m.source_state);
	EXPECT_EQ(VASI_STATE_ABORTED, self->m.target_state);
	EXPECT_EQ(0, vt_ask(NULL, "runs A %llx", (unsigned long long)self->m.id));
}

/*
 * Two moves at the same time, one each way
 */

TEST(both_ways)
{
	struct vt_move forth, back;
	int a, b;

	if (!vt_have('A') || !vt_have('B') || !vt_have_control())
		SKIP(return, "no two adapters with platforms");
	a = vt_open('A');
	ASSERT_LE(0, a);
	b = vt_open('B');
	ASSERT_LE(0, b);
	ASSERT_EQ(0, vt_move_open(&forth, a, b, 1024));
	ASSERT_EQ(0, vt_ask(NULL, "backwards"));
	ASSERT_EQ(0, vt_move_open(&back, b, a, 1024));
	ASSERT_EQ(0, vt_move_run(&back));
	ASSERT_EQ(0, vt_move_run(&forth));
	EXPECT_EQ(VASI_STATE_COMPLETED, back.target_state);
	EXPECT_EQ(VASI_STATE_COMPLETED, forth.target_state);
	EXPECT_EQ(0, vt_ask(NULL, "equal %llx", (unsigned long long)back.id));
	EXPECT_EQ(0, vt_ask(NULL, "equal %llx", (unsigned long long)forth.id));
	vt_move_close(&back);
	vt_move_close(&forth);
}

TEST_HARNESS_MAIN
