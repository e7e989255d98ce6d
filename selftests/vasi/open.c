// SPDX-License-Identifier: GPL-2.0
/* Sessions: how they are opened, refused, limited and closed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "uring_lib.h"
#include "vasi_test.h"

#define MANY_OPENS	50
/* A stream that no platform knows */
#define NO_STREAM	0xDEADDEADDEADDEADULL

/*
 * With vasi-phypd
 */

FIXTURE(open)
{
	int dev;
	uint64_t id;
};

FIXTURE_SETUP(open)
{
	self->dev = -1;
	if (!vt_have('A') || !vt_have_control())
		SKIP(return, "no adapter with a platform");
	self->dev = vt_open('A');
	ASSERT_LE(0, self->dev);
	self->id = vt_ask_number("source 1024");
	ASSERT_NE(0, self->id);
}

FIXTURE_TEARDOWN(open)
{
	close(self->dev);
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->id));
}

TEST_F(open, info)
{
	struct vasi_info info;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	EXPECT_EQ(0, info.crq_bytes % 4096);
	EXPECT_LE(4096, info.crq_bytes);
	EXPECT_LE(1, info.buffer_pools);
	EXPECT_LE(1, info.streams);
	EXPECT_LE(65536, info.max_buffer_bytes);
	EXPECT_LE(info.max_buffer_bytes, VASI_MAX_LENGTH + 1);
	EXPECT_LE(1, info.max_buffers);
	/* Both movers need sequential writes, and downloads in both forms */
	EXPECT_NE(0, info.source_operations & VASI_CAP_OP_WRITE_SEQ_IMMEDIATE);
	EXPECT_NE(0, info.target_operations & VASI_CAP_OP_WRITE_SEQ_IMMEDIATE);
	EXPECT_EQ(VASI_CAP_DOWNLOAD_IMMEDIATE | VASI_CAP_DOWNLOAD_INDIRECT,
		  info.target_features & (VASI_CAP_DOWNLOAD_IMMEDIATE |
					  VASI_CAP_DOWNLOAD_INDIRECT));
	EXPECT_LE(1, info.source_opens);
	EXPECT_LE(1, info.target_opens);
	/* What LoPAR lays out nowhere is not asked for */
	EXPECT_EQ(0, info.source_features & (VASI_CAP_BUFFER_SCHEME_2 |
					     VASI_CAP_ENHANCED_SUSPEND |
					     VASI_CAP_ENHANCED_PROGRESS));
	/* Indirect operations only if they are fetched */
	EXPECT_EQ(!!(info.features & VASI_FEATURE_INDIRECT),
		  !!(info.source_operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT));
}

TEST_F(open, opens_and_closes)
{
	struct vt_session s;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, self->id, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(VASI_SUCCESS, s.open.status);
	EXPECT_NE(0, s.open.bottom);
	EXPECT_EQ(0, vt_poll(s.fd, POLLIN, 0));
	EXPECT_EQ(0, vt_session_close(&s));
}

TEST_F(open, closed_session_takes_nothing)
{
	struct vasi_io_event event;
	struct vt_session s;
	int64_t rc;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, self->id, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(1, vt_simple(s.fd, VASI_REQ_CLOSE, 77));
	EXPECT_EQ(-ENOTCONN, vt_simple(s.fd, VASI_REQ_PROGRESS, 0));
	ASSERT_EQ(0, vt_next_of(s.fd, VASI_EVT_CLOSED, &event));
	EXPECT_EQ(77, event.token);
	EXPECT_EQ(VASI_SUCCESS, event.status);
	EXPECT_EQ(POLLHUP, vt_poll(s.fd, POLLIN, VT_PATIENCE_MS) & POLLHUP);
	EXPECT_EQ(-ENOTCONN, vt_fetch(s.fd, &event, 1));
	EXPECT_EQ(-ENOTCONN, vt_simple(s.fd, VASI_REQ_PROGRESS, 0));
	EXPECT_EQ(-ENOTCONN, vt_simple(s.fd, VASI_REQ_CLOSE, 0));
	EXPECT_EQ(-ENOTCONN, vt_donate(s.fd, 0, &rc));
	close(s.fd);
}

TEST_F(open, unknown_stream)
{
	struct vt_session s;

	ASSERT_EQ(-EREMOTEIO, vt_session_open(&s, self->dev, NO_STREAM,
					      VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(VASI_INVALID_STREAM_ID, s.open.status);
}

TEST_F(open, wrong_service)
{
	static const uint32_t services[] = {
		0, VASI_SERVICE_TARGET_MOVER, VASI_SERVICE_PAGER, 255,
	};
	struct vt_session s;
	int i;

	for (i = 0; i < ARRAY_SIZE(services); i++) {
		ASSERT_EQ(-EREMOTEIO, vt_session_open(&s, self->dev, self->id, services[i]));
		EXPECT_EQ(VASI_INVALID_SERVICE, s.open.status);
	}
}

TEST_F(open, refused_leaves_nothing)
{
	int lowest = dup(self->dev);
	char answer[VT_ANSWER];
	struct vt_session s;
	int i;

	ASSERT_LE(0, lowest);
	close(lowest);
	for (i = 0; i < MANY_OPENS; i++) {
		ASSERT_EQ(-EREMOTEIO, vt_session_open(&s, self->dev, NO_STREAM,
						      VASI_SERVICE_SOURCE_MOVER));
	}
	EXPECT_EQ(lowest, dup(self->dev));
	ASSERT_EQ(0, vt_ask(answer, "sessions A %llx", (unsigned long long)self->id));
	EXPECT_STREQ("0", answer);
}

TEST_F(open, too_many_opens)
{
	struct vasi_info info;
	struct vt_session *s;
	struct vt_session more;
	int i;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	s = calloc(info.source_opens, sizeof(*s));
	ASSERT_NE(NULL, s);
	for (i = 0; i < info.source_opens; i++) {
		ASSERT_EQ(0, vt_session_open(&s[i], self->dev, self->id,
					     VASI_SERVICE_SOURCE_MOVER));
		if (i)
			EXPECT_NE(s[i].open.top, s[i - 1].open.top);
	}
	ASSERT_EQ(-EREMOTEIO, vt_session_open(&more, self->dev, self->id,
					      VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(VASI_TOO_MANY_OPENS, more.open.status);
	/* One less, and there is room again */
	ASSERT_EQ(0, vt_session_close(&s[0]));
	ASSERT_EQ(0, vt_session_open(&s[0], self->dev, self->id, VASI_SERVICE_SOURCE_MOVER));
	for (i = 0; i < info.source_opens; i++)
		close(s[i].fd);
	free(s);
}

/* No file can be made for the session, so there must be no session */
TEST_F(open, no_room_for_the_file)
{
	struct vasi_info info;
	struct rlimit limit;
	struct vt_session s;
	int i, lowest;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	lowest = dup(self->dev);
	ASSERT_LE(0, lowest);
	close(lowest);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = lowest;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 2 * info.source_opens; i++) {
		ASSERT_EQ(-EMFILE, vt_session_open(&s, self->dev, self->id,
						   VASI_SERVICE_SOURCE_MOVER));
	}
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(0, vt_session_open(&s, self->dev, self->id, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(lowest, s.fd);
	ASSERT_EQ(0, vt_session_close(&s));
}

TEST_F_TIMEOUT(open, many_times, 120)
{
	struct vt_session s;
	int i;

	for (i = 0; i < MANY_OPENS; i++) {
		ASSERT_EQ(0, vt_session_open(&s, self->dev, self->id,
					     VASI_SERVICE_SOURCE_MOVER));
		if (i % 2) {
			ASSERT_EQ(0, vt_session_close(&s));
			continue;
		}
		/* A file that is just closed aborts the stream: it needs a new one */
		ASSERT_EQ(0, close(s.fd));
		ASSERT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->id));
		self->id = vt_ask_number("source 1024");
		ASSERT_NE(0, self->id);
	}
}

TEST_F(open, the_adapter_may_be_closed_first)
{
	struct vasi_io_event event;
	struct vt_session s;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, self->id, VASI_SERVICE_SOURCE_MOVER));
	close(self->dev);
	self->dev = -1;
	ASSERT_EQ(1, vt_simple(s.fd, VASI_REQ_PROGRESS, 5));
	ASSERT_EQ(0, vt_next_of(s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(5, event.token);
	EXPECT_EQ(0, vt_session_close(&s));
}

/* Closing the file aborts the stream, as a dead mover's has to end */
TEST_F(open, closed_file_aborts)
{
	struct vt_session s;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, self->id, VASI_SERVICE_SOURCE_MOVER));
	close(s.fd);
	EXPECT_EQ(0, vt_ask(NULL, "until A %llx Aborted", (unsigned long long)self->id));
}

TEST_F(open, killed_owner)
{
	struct vt_session s;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (vt_session_open(&s, self->dev, self->id, VASI_SERVICE_SOURCE_MOVER))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, vt_ask(NULL, "until A %llx Aborted", (unsigned long long)self->id));
}

/* A stream opened by a command of io_uring */
TEST_F(open, uring)
{
	struct vasi_open_stream open = {
		.size = sizeof(open), .stream_id = self->id,
		.service = VASI_SERVICE_SOURCE_MOVER, .fd = -1,
	};
	struct vasi_vector vector = {
		.entries = (uintptr_t)&open, .count = 1, .entry_bytes = sizeof(open),
	};
	struct io_uring_cqe cqe;
	struct vt_session s;
	struct uring ring;

	ASSERT_EQ(0, uring_open(&ring, 4));
	ASSERT_EQ(0, uring_command(&ring, self->dev, VASI_IOC_OPEN_STREAM, &vector, 9));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(9, cqe.user_data);
	ASSERT_EQ(0, cqe.res);
	ASSERT_LE(0, open.fd);
	s = (struct vt_session){ .fd = open.fd, .dev = self->dev, .open = open };
	EXPECT_EQ(0, vt_session_close(&s));
	/* And one that is refused */
	open.stream_id = NO_STREAM;
	open.fd = -1;
	open.status = 0;
	open.top = 0;
	open.bottom = 0;
	ASSERT_EQ(0, uring_command(&ring, self->dev, VASI_IOC_OPEN_STREAM, &vector, 10));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-EREMOTEIO, cqe.res);
	EXPECT_EQ(VASI_INVALID_STREAM_ID, open.status);
	/* A count that makes no sense */
	vector.count = 2;
	ASSERT_EQ(0, uring_command(&ring, self->dev, VASI_IOC_OPEN_STREAM, &vector, 11));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-EINVAL, cqe.res);
	uring_close(&ring);
}

/*
 * With a script: answers that come late, or never
 */

FIXTURE(late)
{
	int dev;
};

FIXTURE_SETUP(late)
{
	self->dev = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(late)
{
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

static void open_and_exit(int dev, int expected)
{
	struct vt_session s;
	int err = vt_session_open(&s, dev, 1, VASI_SERVICE_SOURCE_MOVER);

	_exit(err == expected ? 0 : 1);
}

/* Who opens is killed while the platform thinks: the late session is closed */
TEST_F(late, killed_opener)
{
	struct vasi_crq open, answer, closing;
	int status;
	pid_t pid;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_OPEN));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		open_and_exit(self->dev, 0);
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPEN, &open));
	EXPECT_EQ(VASI_SERVICE_SOURCE_MOVER, open.byte3);
	EXPECT_EQ(htobe64(1), open.data);
	EXPECT_EQ(0, open.byte2);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	answer = open;
	answer.format |= VASI_FMT_RESPONSE;
	answer.handle = htobe32(0x4711);
	ASSERT_EQ(0, vt_script_send(&answer));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_CLOSE, &closing));
	EXPECT_EQ(htobe32(0x4711), closing.handle);
	EXPECT_EQ(0, closing.data);
}

/* Two opens of one stream: the answers come in order, and each gets its own */
TEST_F(late, two_openers)
{
	struct vasi_crq open[2], answer;
	int status, i;
	pid_t pid[2];

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_OPEN));
	for (i = 0; i < 2; i++) {
		pid[i] = fork();
		ASSERT_LE(0, pid[i]);
		if (!pid[i])
			open_and_exit(self->dev, i ? -EREMOTEIO : 0);
		ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPEN, &open[i]));
	}
	EXPECT_NE(open[0].handle, open[1].handle);
	for (i = 0; i < 2; i++) {
		answer = open[i];
		answer.format |= VASI_FMT_RESPONSE;
		answer.handle = htobe32(i ? 0 : 0x4711);
		answer.byte2 = i ? VASI_TOO_MANY_OPENS : VASI_SUCCESS;
		ASSERT_EQ(0, vt_script_send(&answer));
		ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* An open that waits when the adapter is reset */
TEST_F(late, reset_while_opening)
{
	struct vasi_info info;
	struct vasi_crq open;
	int status;
	pid_t pid;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_OPEN));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		open_and_exit(self->dev, -ECONNRESET);
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPEN, &open));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", VASI_EVENT_PARTNER_FAILED));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, vt_wait_resets(self->dev, info.resets + 1));
}

/* The table of sessions has an end */
TEST_F_TIMEOUT(late, sessions_run_out, 300)
{
	struct rlimit limit;
	struct vt_session s;
	int *fds, count, err;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < 1100)
		SKIP(return, "not enough files allowed");
	fds = calloc(1100, sizeof(*fds));
	ASSERT_NE(NULL, fds);
	for (count = 0; count < 1100; count++) {
		err = vt_session_open(&s, self->dev, count + 1, VASI_SERVICE_SOURCE_MOVER);
		if (err)
			break;
		fds[count] = s.fd;
	}
	EXPECT_EQ(-ENOSPC, err);
	EXPECT_EQ(1023, count);
	while (count--)
		close(fds[count]);
	free(fds);
	/* Closed on the platform's side, too: there is room again */
	do {
		err = vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER);
	} while (err == -ENOSPC);
	ASSERT_EQ(0, err);
	EXPECT_EQ(0, vt_session_close(&s));
}

TEST_HARNESS_MAIN
