// SPDX-License-Identifier: GPL-2.0
/*
 * Resets: transport events in every state of a session, a platform that goes away and
 * comes back, and answers of before that come after.
 */
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define BUFFERS		4

/* What a session is doing when the adapter is reset */
enum doing {
	NOTHING,
	BUFFERS_POSTED,
	OPERATION_NOT_FETCHED,
	OPERATION_NOT_ANSWERED,
	DOWNLOADING,
	CLOSING,
};

FIXTURE(reset)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
	uint32_t resets;
};

FIXTURE_VARIANT(reset)
{
	uint8_t event;
};

FIXTURE_VARIANT_ADD(reset, failed) { .event = VASI_EVENT_PARTNER_FAILED, };
FIXTURE_VARIANT_ADD(reset, deregistered) { .event = VASI_EVENT_PARTNER_DEREGISTERED, };
FIXTURE_VARIANT_ADD(reset, terminated) { .event = VASI_EVENT_PARTNER_TERMINATED, };
FIXTURE_VARIANT_ADD(reset, suspended) { .event = VASI_EVENT_PARTNER_SUSPENDED, };

FIXTURE_SETUP(reset)
{
	struct vasi_info info;

	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_open(&self->s, &self->dev, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	self->resets = info.resets;
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
}

FIXTURE_TEARDOWN(reset)
{
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

static int begin(FIXTURE_DATA(reset) *self, enum doing doing)
{
	struct vasi_io_event event;
	struct vasi_crq entry;
	int i, err = 0;

	switch (doing) {
	case NOTHING:
		return 0;
	case BUFFERS_POSTED:
	case OPERATION_NOT_FETCHED:
	case OPERATION_NOT_ANSWERED:
		for (i = 0; i < BUFFERS; i++)
			if (vt_add(self->s.fd, 0, i) != 1)
				return -EIO;
		err = vt_script_wait(VASI_FMT_ADD_BUFFER, &entry);
		if (err || doing == BUFFERS_POSTED)
			return err;
		err = vt_script_operation(&self->s, be64toh(entry.data), 1,
					  VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS, "x", 1);
		if (err || doing == OPERATION_NOT_FETCHED)
			return err;
		return vt_next_of(self->s.fd, VASI_EVT_OPERATION, &event);
	case DOWNLOADING:
		err = vt_ask(NULL, "script manual %02x", VASI_FMT_DOWNLOAD);
		if (!err && vt_download(self->s.fd, &self->pool, 0, "abc", 3, 1) != 1)
			err = -EIO;
		return err ? err : vt_script_wait(VASI_FMT_DOWNLOAD, &entry);
	case CLOSING:
		err = vt_ask(NULL, "script manual %02x", VASI_FMT_CLOSE);
		if (!err && vt_simple(self->s.fd, VASI_REQ_CLOSE, 1) != 1)
			err = -EIO;
		return err ? err : vt_script_wait(VASI_FMT_CLOSE, &entry);
	}
	return -EINVAL;
}

/* The session is over, and says so; what it held is of no use any more */
static void is_lost(struct __test_metadata *_metadata, FIXTURE_DATA(reset) *self)
{
	struct vasi_io_event event;
	int64_t rc;
	int err;

	ASSERT_NE(0, vt_poll(self->s.fd, 0, VT_PATIENCE_MS) & POLLHUP);
	/* What had arrived comes first */
	while (!(err = vt_next(self->s.fd, &event)))
		;
	EXPECT_EQ(-ECONNRESET, err);
	EXPECT_EQ(-ECONNRESET, vt_add(self->s.fd, 0, 0));
	EXPECT_EQ(-ECONNRESET, vt_download(self->s.fd, &self->pool, 0, "", 1, 0));
	EXPECT_EQ(-ECONNRESET, vt_simple(self->s.fd, VASI_REQ_CLOSE, 0));
	EXPECT_EQ(-ECONNRESET, vt_donate(self->s.fd, 0, &rc));
	/* The memory is still the program's */
	self->pool.map[self->pool.setup.mmap_bytes - 1] = 1;
}

static void works_again(struct __test_metadata *_metadata, FIXTURE_DATA(reset) *self)
{
	struct vt_session s;
	struct vasi_crq entry;
	struct vt_pool pool;

	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	ASSERT_EQ(0, vt_script_reset());
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 2, VASI_SERVICE_TARGET_MOVER));
	EXPECT_NE(self->s.open.top, s.open.top);
	ASSERT_EQ(0, vt_pool_setup(&s, &pool, VT_BUFFER_BYTES, 1));
	ASSERT_EQ(1, vt_add(s.fd, 0, 0));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &entry));
	EXPECT_EQ(htobe32(s.open.bottom), entry.handle);
	vt_pool_unmap(&pool);
	EXPECT_EQ(0, vt_session_close(&s));
}

static void reset_while(struct __test_metadata *_metadata, FIXTURE_DATA(reset) *self,
			const FIXTURE_VARIANT(reset) *variant, enum doing doing)
{
	ASSERT_EQ(0, begin(self, doing));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", variant->event));
	is_lost(_metadata, self);
	works_again(_metadata, self);
}

TEST_F(reset, idle)
{
	reset_while(_metadata, self, variant, NOTHING);
}

TEST_F(reset, buffers_posted)
{
	reset_while(_metadata, self, variant, BUFFERS_POSTED);
}

TEST_F(reset, operation_not_fetched)
{
	reset_while(_metadata, self, variant, OPERATION_NOT_FETCHED);
}

TEST_F(reset, operation_not_answered)
{
	reset_while(_metadata, self, variant, OPERATION_NOT_ANSWERED);
}

TEST_F(reset, downloading)
{
	reset_while(_metadata, self, variant, DOWNLOADING);
}

TEST_F(reset, closing)
{
	reset_while(_metadata, self, variant, CLOSING);
}

TEST_F(reset, opening)
{
	struct vasi_crq entry;
	struct vt_session s;
	int status;
	pid_t pid;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_OPEN));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(vt_session_open(&s, self->dev, 2, VASI_SERVICE_SOURCE_MOVER) !=
		      -ECONNRESET);
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPEN, &entry));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", variant->event));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	works_again(_metadata, self);
}

/*
 * What came before a reset means nothing after it
 */

FIXTURE(stale)
{
	int dev;
	uint32_t resets;
};

FIXTURE_SETUP(stale)
{
	struct vasi_info info;

	self->dev = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, vt_info(self->dev, &info));
	self->resets = info.resets;
}

FIXTURE_TEARDOWN(stale)
{
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

/* State and Operation requests that name what was */
TEST_F(stale, names)
{
	struct vasi_io_event event;
	struct vt_session old, s;
	struct vt_pool pool;
	struct vasi_crq add, entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_STATE,
		.signal.code = htobe16(VASI_STATE_ABORTED),
	};
	uint64_t correlator;

	ASSERT_EQ(0, vt_session_open(&old, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&old, &pool, VT_BUFFER_BYTES, 1));
	ASSERT_EQ(1, vt_add(old.fd, 0, 0));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &add));
	ASSERT_EQ(0, vt_script_read(be64toh(add.data), &correlator, 8));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", VASI_EVENT_PARTNER_FAILED));
	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	entry.handle = htobe32(old.open.top);
	ASSERT_EQ(0, vt_script_send(&entry));
	entry = (struct vasi_crq){
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_OPERATION, .data = correlator,
	};
	ASSERT_EQ(0, vt_script_send(&entry));
	/* Neither reaches the new session, which goes on */
	ASSERT_EQ(1, vt_simple(s.fd, VASI_REQ_PROGRESS, 1));
	ASSERT_EQ(0, vt_next(s.fd, &event));
	EXPECT_EQ(VASI_EVT_PROGRESS, event.type);
	EXPECT_EQ(-ECONNRESET, vt_next(old.fd, &event));
	vt_pool_unmap(&pool);
	close(old.fd);
	EXPECT_EQ(0, vt_session_close(&s));
}

/* The platform starts the handshake anew */
TEST_F(stale, initialised_again)
{
	struct vasi_crq entry = { .header = VASI_CRQ_INIT, .format = VASI_INIT_INITIALIZE };
	struct vasi_io_event event;
	struct vt_session s;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_script_send(&entry));
	EXPECT_EQ(-ECONNRESET, vt_next(s.fd, &event));
	close(s.fd);
	EXPECT_EQ(0, vt_wait_state(self->dev, VASI_ADAPTER_READY));
}

/* One event after the other, before the driver is done with the first */
TEST_F(stale, several_events)
{
	static const uint8_t events[] = {
		VASI_EVENT_PARTNER_SUSPENDED, VASI_EVENT_PARTNER_FAILED,
		VASI_EVENT_PARTNER_DEREGISTERED, VASI_EVENT_PARTNER_SUSPENDED,
		VASI_EVENT_PARTNER_TERMINATED,
	};
	struct vasi_info info;
	struct vt_session s;
	int i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		ASSERT_EQ(0, vt_ask(NULL, "script event %02x", events[i]));
	}
	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	/* It may be reset again by what came later */
	while (vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER)) {
		ASSERT_EQ(0, vt_wait_state(self->dev, VASI_ADAPTER_READY));
	}
	EXPECT_EQ(0, vt_session_close(&s));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	EXPECT_GE(self->resets + ARRAY_SIZE(events), info.resets);
}

/* An event nobody knows is no reason to do anything */
TEST_F(stale, unknown_event)
{
	struct vasi_crq entry = { .header = VASI_CRQ_EVENT, .format = 0x55 };
	struct vasi_io_event event;
	struct vt_session s;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(1, vt_simple(s.fd, VASI_REQ_PROGRESS, 1));
	ASSERT_EQ(0, vt_next_of(s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(0, vt_session_close(&s));
}

/* A platform that does not answer the handshake at first */
TEST_F_TIMEOUT(stale, slow_handshake, 120)
{
	struct vt_session s;

	ASSERT_EQ(0, vt_ask(NULL, "script silent 1"));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", VASI_EVENT_PARTNER_FAILED));
	ASSERT_EQ(0, vt_ask(NULL, "script silent 0"));
	ASSERT_EQ(0, vt_wait_resets(self->dev, self->resets + 1));
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
}

/* Who opens while there is no platform waits for it, and can be killed */
TEST_F_TIMEOUT(stale, platform_away, 120)
{
	struct vt_session s;
	int status;
	pid_t pid;

	ASSERT_EQ(0, vt_ask(NULL, "script down"));
	/* The driver has to know: what is opened before is reset, not waiting */
	ASSERT_EQ(0, vt_wait_state(self->dev, VASI_ADAPTER_WAITING));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		alarm(1);
		vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	ASSERT_EQ(0, vt_ask(NULL, "script up"));
	ASSERT_EQ(0, vt_wait_state(self->dev, VASI_ADAPTER_READY));
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
}

/*
 * vasi-phypd is killed, and started again
 */

TEST(platform_killed)
{
	struct vasi_io_event event;
	struct vasi_info before;
	struct vt_session s;
	struct vt_pool pool;
	uint64_t id;
	int dev, i, err;

	if (!vt_have('A') || !vt_have_control())
		SKIP(return, "no adapter with a platform");
	dev = vt_open('A');
	ASSERT_LE(0, dev);
	ASSERT_EQ(0, vt_info(dev, &before));
	id = vt_ask_number("source 1024");
	ASSERT_NE(0, id);
	ASSERT_EQ(0, vt_session_open(&s, dev, id, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&s, &pool, VT_BUFFER_BYTES, BUFFERS));
	for (i = 0; i < BUFFERS; i++) {
		ASSERT_EQ(1, vt_add(s.fd, 0, i));
	}
	ASSERT_EQ(0, vt_ask(NULL, "kill A"));
	while (!(err = vt_next(s.fd, &event)))
		;
	EXPECT_EQ(-ECONNRESET, err);
	vt_pool_unmap(&pool);
	close(s.fd);
	ASSERT_EQ(0, vt_ask(NULL, "start A"));
	ASSERT_EQ(0, vt_wait_resets(dev, before.resets + 1));
	/* It has forgotten all streams; a new one is as good as any */
	ASSERT_EQ(-EREMOTEIO, vt_session_open(&s, dev, id, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(VASI_INVALID_STREAM_ID, s.open.status);
	id = vt_ask_number("source 1024");
	ASSERT_NE(0, id);
	ASSERT_EQ(0, vt_session_open(&s, dev, id, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)id));
	close(dev);
}

TEST_HARNESS_MAIN
