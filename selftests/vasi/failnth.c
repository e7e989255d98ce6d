// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation fails once: the first of a call, then the second, until the call
 * makes no more of them.  Each time the call fails in a way that the ABI knows, or
 * succeeds, and the next one works.  Needs a kernel with CONFIG_FAULT_INJECTION and
 * CONFIG_FAILSLAB; leaks are for kmemleak to find.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define BUFFERS		4
/* More allocations than any of these calls makes */
#define MOST		2000

FIXTURE(failnth)
{
	int dev;
	int nth;
	struct vt_session s;
	struct vt_pool pool;
};

FIXTURE_SETUP(failnth)
{
	char path[64];

	self->dev = -1;
	self->s.fd = -1;
	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	self->nth = open(path, O_RDWR);
	if (self->nth < 0)
		SKIP(return, "no fault injection in this kernel");
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	/* Of pages as well as of slabs, with whatever flags; quietly */
	vt_write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	vt_write_file("/sys/kernel/debug/failslab/verbose", "0");
	vt_write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	vt_write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	vt_write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	vt_write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	vt_write_file("/sys/kernel/debug/fail_usercopy/verbose", "0");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, vt_session_open(&self->s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
}

FIXTURE_TEARDOWN(failnth)
{
	close(self->nth);
	vt_pool_unmap(&self->pool);
	close(self->s.fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

/* The nth allocation from now on fails */
static int arm(FIXTURE_DATA(failnth) *self, int nth)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%d", nth);

	return pwrite(self->nth, text, bytes, 0) == bytes ? 0 : -errno;
}

/* Has it failed?  And none fails any more. */
static bool happened(FIXTURE_DATA(failnth) *self)
{
	char text[16] = "";

	if (pread(self->nth, text, sizeof(text) - 1, 0) <= 0)
		return false;
	arm(self, 0);
	return atoi(text) == 0;
}

TEST_F_TIMEOUT(failnth, adapter, 300)
{
	char path[64];
	int nth, fd, err;

	ASSERT_EQ(0, vt_path('S', path, sizeof(path)));
	for (nth = 1; nth < MOST; nth++) {
		ASSERT_EQ(0, arm(self, nth));
		fd = open(path, O_RDWR | O_CLOEXEC);
		err = errno;
		if (!happened(self))
			break;
		if (fd >= 0) {
			close(fd);
		} else {
			/* The path's copy may fail, too */
			ASSERT_TRUE(err == ENOMEM || err == ENFILE || err == EFAULT);
		}
	}
	ASSERT_GT(MOST, nth);
	EXPECT_LT(1, nth);
	ASSERT_LE(0, fd);
	close(fd);
}

TEST_F_TIMEOUT(failnth, open, 300)
{
	struct vt_session s;
	bool failed;
	int nth, err;

	for (nth = 1; nth < MOST; nth++) {
		ASSERT_EQ(0, arm(self, nth));
		err = vt_session_open(&s, self->dev, 2, VASI_SERVICE_SOURCE_MOVER);
		failed = happened(self);
		if (!err) {
			ASSERT_EQ(0, vt_session_close(&s));
		} else {
			ASSERT_TRUE(err == -ENOMEM || err == -ENFILE || err == -EFAULT);
		}
		if (!failed)
			break;
	}
	ASSERT_GT(MOST, nth);
	EXPECT_LT(1, nth);
	ASSERT_EQ(0, err);
	/* As many were closed as were opened */
	EXPECT_EQ(vt_script_count(VASI_FMT_OPEN) - 1, vt_script_count(VASI_FMT_CLOSE));
}

TEST_F_TIMEOUT(failnth, pool, 300)
{
	struct vasi_pool_setup setup;
	uint32_t next = 1, perhaps = 0;
	bool failed;
	int nth, err;

	for (nth = 1; nth < MOST; nth++) {
		setup = (struct vasi_pool_setup){
			.size = sizeof(setup), .buffer_bytes = 16384, .count = 2,
		};
		ASSERT_EQ(0, arm(self, nth));
		err = ioctl(self->s.fd, VASI_IOC_SETUP_POOL, &setup) ? -errno : 0;
		failed = happened(self);
		if (!err) {
			ASSERT_LE(next, setup.pool);
			ASSERT_GE(next + perhaps, setup.pool);
			next = setup.pool + 1;
			perhaps = 0;
		} else {
			ASSERT_TRUE(err == -ENOMEM || err == -EFAULT);
			/* There is a pool whose number did not arrive, or there is none */
			perhaps += err == -EFAULT;
		}
		if (!failed)
			break;
	}
	ASSERT_GT(MOST, nth);
	EXPECT_LT(1, nth);
	ASSERT_EQ(0, err);
}

TEST_F_TIMEOUT(failnth, mapping, 300)
{
	size_t bytes = self->pool.setup.mmap_bytes;
	bool failed;
	void *at;
	int nth, err;

	for (nth = 1; nth < MOST; nth++) {
		ASSERT_EQ(0, arm(self, nth));
		at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, self->s.fd,
			  self->pool.setup.mmap_offset);
		err = errno;
		failed = happened(self);
		if (at != MAP_FAILED) {
			/* All of it, or nothing */
			memset(at, nth, bytes);
			munmap(at, bytes);
		} else {
			ASSERT_EQ(ENOMEM, err);
		}
		if (!failed)
			break;
	}
	ASSERT_GT(MOST, nth);
	ASSERT_NE(MAP_FAILED, at);
}

TEST_F_TIMEOUT(failnth, download, 300)
{
	struct vasi_io_event event;
	bool failed;
	int nth, taken;

	for (nth = 1; nth < MOST; nth++) {
		ASSERT_EQ(0, arm(self, nth));
		taken = vt_download(self->s.fd, &self->pool, 0, "abc", 3, nth);
		failed = happened(self);
		if (taken == 1) {
			ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_DOWNLOADED, &event));
			ASSERT_EQ(nth, event.token);
			ASSERT_EQ(VASI_SUCCESS, event.status);
		} else {
			ASSERT_TRUE(taken == -ENOMEM || taken == -EFAULT || taken == -EAGAIN);
		}
		if (!failed)
			break;
	}
	ASSERT_GT(MOST, nth);
	ASSERT_EQ(1, taken);
}

/* What arrives while fetching fails is there for the next fetch */
TEST_F_TIMEOUT(failnth, fetch, 300)
{
	struct vasi_io_event event;
	bool failed;
	int nth, got;

	for (nth = 1; nth < MOST; nth++) {
		ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, nth));
		ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
		ASSERT_EQ(0, arm(self, nth));
		got = vt_fetch(self->s.fd, &event, 1);
		failed = happened(self);
		if (got != 1) {
			ASSERT_TRUE(got == -ENOMEM || got == -EFAULT);
			ASSERT_EQ(1, vt_fetch(self->s.fd, &event, 1));
		}
		ASSERT_EQ(VASI_EVT_PROGRESS, event.type);
		ASSERT_EQ(nth, event.token);
		if (!failed)
			break;
	}
	ASSERT_GT(MOST, nth);
}

/* The adapter itself: every allocation of probe */
TEST_F_TIMEOUT(failnth, probe, 600)
{
	bool failed = true;
	int nth, err;

	ASSERT_EQ(0, vt_bind('S', false));
	for (nth = 1; nth < MOST && failed; nth++) {
		ASSERT_EQ(0, arm(self, nth));
		err = vt_bind('S', true);
		failed = happened(self);
		if (!err) {
			ASSERT_EQ(0, vt_bind('S', false));
		} else {
			ASSERT_TRUE(err == -ENOMEM || err == -ENODEV || err == -EFAULT);
		}
	}
	EXPECT_GT(MOST, nth);
	ASSERT_EQ(0, vt_bind('S', true));
	close(self->dev);
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
}

TEST_HARNESS_MAIN
