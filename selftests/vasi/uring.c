// SPDX-License-Identifier: GPL-2.0
/*
 * io_uring commands: fetches that wait, that are cancelled, and that nobody waits for
 * any more.  Before 6.7 commands cannot be cancelled; there a fetch never waits.
 */
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "uring_lib.h"
#include "vasi_test.h"

#define BUFFERS		4
/* Long enough for what should not happen to happen */
#define QUIET_MS	300

FIXTURE(commands)
{
	int dev;
	bool waits;
	struct vt_session s;
	struct vt_pool pool;
	struct uring ring;
};

FIXTURE_SETUP(commands)
{
	struct vasi_info info;

	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_open(&self->s, &self->dev, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_info(self->dev, &info));
	self->waits = info.features & VASI_FEATURE_FETCH_WAITS;
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	ASSERT_EQ(0, uring_open(&self->ring, 16));
}

FIXTURE_TEARDOWN(commands)
{
	uring_close(&self->ring);
	vt_pool_unmap(&self->pool);
	if (self->s.fd >= 0)
		close(self->s.fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

static int fetch(struct uring *ring, int fd, struct vasi_io_event *events, uint32_t count,
		 uint64_t user_data)
{
	struct vasi_vector vector = {
		.entries = (uintptr_t)events, .count = count, .entry_bytes = sizeof(*events),
	};

	return uring_command(ring, fd, VASI_IOC_FETCH, &vector, user_data);
}

static int message(const struct vt_session *s, uint64_t data)
{
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .format = VASI_FMT_MESSAGE_UPLOAD,
		.byte2 = VASI_CONTROL_PASS_THROUGH,
		.handle = htobe32(s->open.top), .data = htobe64(data),
	};

	return vt_script_send(&entry);
}

TEST_F(commands, submit)
{
	struct vasi_io_request requests[2] = {
		{ .op = VASI_REQ_PROGRESS, .token = 1 },
		{ .op = VASI_REQ_PROGRESS, .token = 2 },
	};
	struct vasi_vector vector = {
		.entries = (uintptr_t)requests, .count = 2,
		.entry_bytes = sizeof(requests[0]),
	};
	struct vasi_io_event event;
	struct io_uring_cqe cqe;

	ASSERT_EQ(0, uring_command(&self->ring, self->s.fd, VASI_IOC_SUBMIT, &vector, 3));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(3, cqe.user_data);
	EXPECT_EQ(2, cqe.res);
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(1, event.token);
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(2, event.token);
	/* Errors are the ioctl's */
	requests[0].op = 0;
	ASSERT_EQ(0, uring_command(&self->ring, self->s.fd, VASI_IOC_SUBMIT, &vector, 4));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-EINVAL, cqe.res);
	vector.entry_bytes = 8;
	ASSERT_EQ(0, uring_command(&self->ring, self->s.fd, VASI_IOC_SUBMIT, &vector, 5));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-EINVAL, cqe.res);
}

TEST_F(commands, unknown_commands)
{
	struct vasi_vector vector = { 0 };
	struct io_uring_cqe cqe;

	ASSERT_EQ(0, uring_command(&self->ring, self->s.fd, 99, &vector, 1));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_TRUE(cqe.res == -ENOTTY || cqe.res == -EOPNOTSUPP || cqe.res == -EINVAL);
	ASSERT_EQ(0, uring_command(&self->ring, self->s.fd, VASI_IOC_DONATE, &vector, 1));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_TRUE(cqe.res == -ENOTTY || cqe.res == -EOPNOTSUPP || cqe.res == -EINVAL);
}

TEST_F(commands, fetch_what_is_there)
{
	struct vasi_io_event events[4];
	struct io_uring_cqe cqe;

	ASSERT_EQ(0, message(&self->s, 5));
	ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, events, 4, 1));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	ASSERT_EQ(1, cqe.res);
	EXPECT_EQ(VASI_EVT_MESSAGE, events[0].type);
	EXPECT_EQ(5, events[0].u.message);
}

TEST_F(commands, fetch_waits)
{
	struct vasi_io_event events[4];
	struct io_uring_cqe cqe;

	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, events, 4, 1));
	if (!self->waits) {
		/* It says that there is nothing, and poll() says when there is */
		ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
		ASSERT_EQ(0, cqe.res);
		ASSERT_EQ(0, message(&self->s, 5));
		ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
		ASSERT_EQ(0, fetch(&self->ring, self->s.fd, events, 4, 2));
		ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	} else {
		EXPECT_EQ(-ETIME, uring_wait(&self->ring, &cqe, QUIET_MS));
		ASSERT_EQ(0, message(&self->s, 5));
		ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	}
	ASSERT_EQ(1, cqe.res);
	EXPECT_EQ(VASI_EVT_MESSAGE, events[0].type);
	EXPECT_EQ(5, events[0].u.message);
}

/* io_uring's own poll, which is what is used where fetches do not wait */
TEST_F(commands, poll)
{
	struct io_uring_sqe *sqe = uring_sqe(&self->ring, IORING_OP_POLL_ADD, self->s.fd, 1);
	struct io_uring_cqe cqe;

	sqe->poll32_events = POLLIN;
	ASSERT_EQ(0, uring_submit(&self->ring));
	EXPECT_EQ(-ETIME, uring_wait(&self->ring, &cqe, QUIET_MS));
	ASSERT_EQ(0, message(&self->s, 5));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_NE(0, cqe.res & POLLIN);
}

TEST_F(commands, one_fetch_at_a_time)
{
	struct vasi_io_event first, second;
	struct io_uring_cqe cqe;

	if (!self->waits)
		SKIP(return, "fetches do not wait with this kernel");
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &first, 1, 1));
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &second, 1, 2));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(2, cqe.user_data);
	EXPECT_EQ(-EBUSY, cqe.res);
	ASSERT_EQ(0, message(&self->s, 6));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(1, cqe.user_data);
	EXPECT_EQ(1, cqe.res);
	EXPECT_EQ(6, first.u.message);
}

TEST_F(commands, ended_by_an_empty_fetch)
{
	struct vasi_io_event event;
	struct io_uring_cqe cqe;

	if (!self->waits)
		SKIP(return, "fetches do not wait with this kernel");
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &event, 1, 1));
	EXPECT_EQ(-ETIME, uring_wait(&self->ring, &cqe, QUIET_MS));
	EXPECT_EQ(0, vt_fetch(self->s.fd, NULL, 0));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(1, cqe.user_data);
	EXPECT_EQ(0, cqe.res);
	/* And again, through the ring */
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &event, 1, 2));
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, NULL, 0, 3));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(0, cqe.res);
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(0, cqe.res);
}

/*
 * io_uring cancels commands of a ring or a task that goes away, and (up to now) none that
 * is named.  Whichever it does, no event is lost to a fetch that nobody waits for.
 */
TEST_F(commands, cancelled)
{
	struct vasi_io_event event;
	struct io_uring_cqe cqe;
	bool found;

	if (!self->waits)
		SKIP(return, "fetches do not wait with this kernel");
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &event, 1, 1));
	EXPECT_EQ(-ETIME, uring_wait(&self->ring, &cqe, QUIET_MS));
	ASSERT_EQ(0, uring_cancel(&self->ring, 1, 2));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	found = cqe.user_data == 1 || !cqe.res;
	if (!found) {
		EXPECT_TRUE(cqe.res == -ENOENT || cqe.res == -EALREADY);
		EXPECT_EQ(0, vt_fetch(self->s.fd, NULL, 0));
	}
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	if (!found) {
		EXPECT_EQ(1, cqe.user_data);
		EXPECT_EQ(0, cqe.res);
	}
	ASSERT_EQ(0, message(&self->s, 7));
	ASSERT_EQ(0, vt_next(self->s.fd, &event));
	EXPECT_EQ(7, event.u.message);
}

/* A fetch is ended while an event comes: the event comes once, one way or the other */
TEST_F_TIMEOUT(commands, ended_while_events_come, 120)
{
	struct vasi_io_event event, fetched;
	struct io_uring_cqe cqe;
	uint64_t i;

	if (!self->waits)
		SKIP(return, "fetches do not wait with this kernel");
	for (i = 0; i < 50; i++) {
		fetched.type = 0;
		ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &fetched, 1, 1));
		ASSERT_EQ(0, message(&self->s, i));
		ASSERT_EQ(0, vt_fetch(self->s.fd, NULL, 0));
		ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
		ASSERT_LE(0, cqe.res);
		if (cqe.res)
			event = fetched;
		else
			ASSERT_EQ(0, vt_next(self->s.fd, &event));
		ASSERT_EQ(VASI_EVT_MESSAGE, event.type);
		ASSERT_EQ(i, event.u.message);
	}
	EXPECT_EQ(0, vt_fetch(self->s.fd, &event, 1));
}

TEST_F(commands, ring_closed_with_a_fetch)
{
	struct vasi_io_event event;
	struct uring ring;

	ASSERT_EQ(0, uring_open(&ring, 4));
	ASSERT_EQ(0, fetch(&ring, self->s.fd, &event, 1, 1));
	uring_close(&ring);
	/* It is cancelled sooner or later, and no event goes where nobody looks */
	ASSERT_EQ(0, message(&self->s, 8));
	if (vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN) {
		ASSERT_EQ(0, vt_next(self->s.fd, &event));
		EXPECT_EQ(8, event.u.message);
	}
	EXPECT_EQ(0, vt_session_close(&self->s));
}

/* The ring keeps the file; the session is closed for all that */
TEST_F(commands, file_closed_with_a_fetch)
{
	struct vasi_io_event event;
	struct io_uring_cqe cqe;

	if (!self->waits)
		SKIP(return, "fetches do not wait with this kernel");
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &event, 1, 1));
	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_CLOSE, 9));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(1, cqe.res);
	EXPECT_EQ(VASI_EVT_CLOSED, event.type);
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &event, 1, 2));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-ENOTCONN, cqe.res);
}

TEST_F(commands, reset_with_a_fetch)
{
	struct vasi_io_event event;
	struct io_uring_cqe cqe;

	if (!self->waits)
		SKIP(return, "fetches do not wait with this kernel");
	ASSERT_EQ(0, fetch(&self->ring, self->s.fd, &event, 1, 1));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", VASI_EVENT_PARTNER_FAILED));
	ASSERT_EQ(0, uring_wait(&self->ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-ECONNRESET, cqe.res);
}

/* A killed mover: fetch waiting, buffers with the platform, an operation, a download */
TEST_F(commands, killed_in_flight)
{
	struct vasi_io_event event;
	struct vasi_crq add, closing;
	int status, i;
	pid_t pid;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_DOWNLOAD));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, vt_add(self->s.fd, 0, i));
	}
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &add));
	ASSERT_EQ(0, vt_script_operation(&self->s, be64toh(add.data), 1,
					 VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS, "x", 1));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_OPERATION, &event));
	ASSERT_EQ(1, vt_download(self->s.fd, &self->pool, 3, "abc", 3, 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct uring ring;

		if (uring_open(&ring, 4) || fetch(&ring, self->s.fd, &event, 1, 1))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	/* The child is the last who has the file */
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	self->s.fd = -1;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_CLOSE, &closing));
	EXPECT_EQ(htobe32(self->s.open.bottom), closing.handle);
	/* Usable as ever */
	ASSERT_EQ(0, vt_session_open(&self->s, self->dev, 2, VASI_SERVICE_SOURCE_MOVER));
}

TEST_HARNESS_MAIN
