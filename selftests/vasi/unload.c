// SPDX-License-Identifier: GPL-2.0
/*
 * The driver and its adapters go away under open files: unbind and module unload.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "uring_lib.h"
#include "vasi_test.h"

#define BUFFERS		4
#define RELOADS		5

static int unload(void)
{
	return syscall(SYS_delete_module, "vasi", O_NONBLOCK) ? -errno : 0;
}

/* The file of the module, for it to be loaded again */
static int load(void)
{
	const char *path = getenv("VASI_MODULE");
	int fd, err = 0;

	if (!path)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, "", 0))
		err = -errno;
	close(fd);
	return err;
}

/* A module that was just used may need a moment to be let go of */
static int unload_soon(void)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	int err;

	while ((err = unload()) == -EAGAIN || err == -EBUSY) {
		if (vt_now_ms() > deadline)
			break;
		vt_pause();
	}
	return err;
}

FIXTURE(module)
{
	int dev;
	bool loaded;
};

FIXTURE_SETUP(module)
{
	self->dev = -1;
	self->loaded = true;
	if (!vt_have('S') || !vt_have_control() || !getenv("VASI_MODULE"))
		SKIP(return, "no adapter with a scripted platform, or no module's file");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(module)
{
	close(self->dev);
	if (!self->loaded)
		EXPECT_EQ(0, load());
	EXPECT_EQ(0, vt_script_reset());
}

TEST_F(module, busy_while_open)
{
	struct vt_session s;
	struct vt_pool pool;

	EXPECT_EQ(-EAGAIN, unload());
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&s, &pool, VT_BUFFER_BYTES, BUFFERS));
	close(self->dev);
	self->dev = -1;
	EXPECT_EQ(-EAGAIN, unload());
	close(s.fd);
	/* The mapping alone keeps it */
	EXPECT_EQ(-EAGAIN, unload());
	vt_pool_unmap(&pool);
	ASSERT_EQ(0, unload_soon());
	self->loaded = false;
	ASSERT_EQ(0, load());
	self->loaded = true;
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
}

TEST_F_TIMEOUT(module, again_and_again, 120)
{
	struct vt_session s;
	int i;

	for (i = 0; i < RELOADS; i++) {
		/* With all that a handshake leaves behind, or in the middle of one */
		if (i % 2) {
			ASSERT_EQ(0, vt_session_open(&s, self->dev, 1,
						     VASI_SERVICE_SOURCE_MOVER));
			close(s.fd);
		}
		close(self->dev);
		self->dev = -1;
		ASSERT_EQ(0, unload_soon());
		self->loaded = false;
		ASSERT_EQ(0, load());
		self->loaded = true;
		self->dev = i % 2 ? vt_open('S') : vt_open_nowait('S');
		ASSERT_LE(0, self->dev);
		if (i % 2 == 0)
			ASSERT_EQ(0, vt_wait_state(self->dev, VASI_ADAPTER_READY));
	}
}

/* A killed mover with a fetch and buffers under way does not keep the module */
TEST_F(module, after_a_killed_mover)
{
	struct vasi_io_event event;
	struct vasi_vector vector = {
		.entries = (uintptr_t)&event, .count = 1, .entry_bytes = sizeof(event),
	};
	struct vt_session s;
	struct vt_pool pool;
	struct uring ring;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER) ||
		    vt_pool_setup(&s, &pool, VT_BUFFER_BYTES, BUFFERS) ||
		    vt_add(s.fd, 0, 0) != 1 || uring_open(&ring, 4) ||
		    uring_command(&ring, s.fd, VASI_IOC_FETCH, &vector, 1))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	close(self->dev);
	self->dev = -1;
	ASSERT_EQ(0, unload_soon());
	self->loaded = false;
	ASSERT_EQ(0, load());
	self->loaded = true;
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
}

/*
 * One adapter is taken from the driver
 */

FIXTURE(unbind)
{
	int dev;
	bool bound;
	struct vt_session s;
	struct vt_pool pool;
};

FIXTURE_SETUP(unbind)
{
	self->dev = -1;
	self->s.fd = -1;
	self->bound = true;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_open(&self->s, &self->dev, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
}

FIXTURE_TEARDOWN(unbind)
{
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	close(self->dev);
	if (!self->bound)
		EXPECT_EQ(0, vt_bind('S', true));
	EXPECT_EQ(0, vt_script_reset());
}

static void is_gone(struct __test_metadata *_metadata, FIXTURE_DATA(unbind) *self)
{
	struct vasi_pool_setup setup = {
		.size = sizeof(setup), .buffer_bytes = 65536, .count = 1,
	};
	struct vasi_io_event event;
	struct vasi_info info;
	struct vt_session s;
	int64_t rc;
	int err;

	EXPECT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLHUP);
	do {
		err = vt_fetch(self->s.fd, &event, 1);
	} while (err > 0);
	EXPECT_EQ(-ENODEV, err);
	EXPECT_EQ(-ENODEV, vt_add(self->s.fd, 0, 0));
	EXPECT_EQ(-ENODEV, vt_simple(self->s.fd, VASI_REQ_CLOSE, 0));
	EXPECT_EQ(-ENODEV, vt_donate(self->s.fd, 0, &rc));
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_SETUP_POOL, &setup));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-ENODEV, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	err = vt_info(self->dev, &info);
	EXPECT_TRUE(err == -ENODEV || (!err && info.state == VASI_ADAPTER_DEAD));
}

TEST_F(unbind, open_session)
{
	struct vt_session s;
	size_t i;

	memset(self->pool.map, 0x11, self->pool.setup.mmap_bytes);
	ASSERT_EQ(1, vt_add(self->s.fd, 0, 1));
	ASSERT_EQ(0, vt_bind('S', false));
	self->bound = false;
	is_gone(_metadata, self);
	/* What was mapped can be read and written as ever */
	for (i = 16; i < VT_BUFFER_BYTES; i++) {
		ASSERT_EQ(0x11, self->pool.map[i]);
	}
	self->pool.map[0] = 1;
	/* A new adapter while the old one's files are open */
	ASSERT_EQ(0, vt_bind('S', true));
	self->bound = true;
	close(self->dev);
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, vt_session_close(&s));
	EXPECT_EQ(-ENODEV, vt_add(self->s.fd, 0, 0));
}

TEST_F(unbind, waiting_fetch)
{
	struct vasi_io_event event;
	struct vasi_vector vector = {
		.entries = (uintptr_t)&event, .count = 1, .entry_bytes = sizeof(event),
	};
	struct io_uring_cqe cqe;
	struct vasi_info info;
	struct uring ring;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	if (!(info.features & VASI_FEATURE_FETCH_WAITS))
		SKIP(return, "fetches do not wait with this kernel");
	ASSERT_EQ(0, uring_open(&ring, 4));
	ASSERT_EQ(0, uring_command(&ring, self->s.fd, VASI_IOC_FETCH, &vector, 1));
	ASSERT_EQ(0, vt_bind('S', false));
	self->bound = false;
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(-ENODEV, cqe.res);
	is_gone(_metadata, self);
	uring_close(&ring);
}

TEST_F(unbind, waiting_open)
{
	struct vasi_crq entry;
	struct vt_session s;
	int status;
	pid_t pid;

	ASSERT_EQ(0, vt_ask(NULL, "script manual %02x", VASI_FMT_OPEN));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(vt_session_open(&s, self->dev, 2, VASI_SERVICE_SOURCE_MOVER) != -ENODEV);
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_OPEN, &entry));
	ASSERT_EQ(0, vt_bind('S', false));
	self->bound = false;
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	is_gone(_metadata, self);
}

TEST_F(unbind, operation_not_answered)
{
	struct vasi_io_event event;
	struct vasi_crq add;

	ASSERT_EQ(1, vt_add(self->s.fd, 0, 0));
	ASSERT_EQ(0, vt_script_wait(VASI_FMT_ADD_BUFFER, &add));
	ASSERT_EQ(0, vt_script_operation(&self->s, be64toh(add.data), 1,
					 VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS, "x", 1));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_OPERATION, &event));
	ASSERT_EQ(0, vt_bind('S', false));
	self->bound = false;
	EXPECT_EQ(-ENODEV, vt_complete(self->s.fd, VASI_COMPLETE_RESPOND, 0, 0,
				       event.generation, VASI_SUCCESS));
	is_gone(_metadata, self);
}

/* Of two adapters, the other does not notice */
TEST_F(unbind, the_other_goes_on)
{
	struct vasi_info before, after;
	struct vt_session s;
	uint64_t id;
	int other;

	if (!vt_have('A'))
		SKIP(return, "one adapter only");
	other = vt_open('A');
	ASSERT_LE(0, other);
	ASSERT_EQ(0, vt_info(other, &before));
	id = vt_ask_number("source 1024");
	ASSERT_NE(0, id);
	ASSERT_EQ(0, vt_session_open(&s, other, id, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_bind('S', false));
	self->bound = false;
	ASSERT_EQ(0, vt_info(other, &after));
	EXPECT_EQ(before.resets, after.resets);
	EXPECT_EQ(VASI_ADAPTER_READY, after.state);
	EXPECT_EQ(0, vt_session_close(&s));
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)id));
	close(other);
}

TEST_F_TIMEOUT(unbind, again_and_again, 120)
{
	int i;

	for (i = 0; i < RELOADS; i++) {
		ASSERT_EQ(0, vt_bind('S', false));
		self->bound = false;
		ASSERT_EQ(0, vt_bind('S', true));
		self->bound = true;
	}
	close(self->dev);
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
}

TEST_HARNESS_MAIN
