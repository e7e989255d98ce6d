// SPDX-License-Identifier: GPL-2.0
/* Pools of buffers: their limits, their mapping, and what is done with its pages. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "uring_lib.h"
#include "vasi_test.h"

#define BUFFERS		4
#define MAX_POOLS	63

#ifndef IORING_CQE_F_NOTIF
#define IORING_CQE_F_NOTIF	(1U << 3)
#endif

FIXTURE(pools)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
	struct vasi_info info;
	struct vasi_pool_setup mapped;
	void *maps[2];
};

FIXTURE_SETUP(pools)
{
	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('A') || !vt_have_control())
		SKIP(return, "no adapter with a platform");
	ASSERT_EQ(0, vt_stream_open(&self->s, &self->dev, 'A', VASI_SERVICE_SOURCE_MOVER,
				    1024));
	ASSERT_EQ(0, vt_info(self->dev, &self->info));
}

FIXTURE_TEARDOWN(pools)
{
	int i;

	/* A mapping keeps its session's file open */
	for (i = 0; i < ARRAY_SIZE(self->maps); i++)
		if (self->maps[i])
			munmap(self->maps[i], self->mapped.mmap_bytes);
	vt_pool_unmap(&self->pool);
	if (self->s.fd >= 0)
		close(self->s.fd);
	EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->s.id));
	close(self->dev);
}

static int set_up(int fd, struct vasi_pool_setup *setup, uint32_t bytes, uint32_t count,
		  uint32_t fetch_bytes)
{
	*setup = (struct vasi_pool_setup){
		.size = sizeof(*setup), .buffer_bytes = bytes, .count = count,
		.fetch_bytes = fetch_bytes,
	};
	return ioctl(fd, VASI_IOC_SETUP_POOL, setup) ? -errno : 0;
}

static void *map(int fd, const struct vasi_pool_setup *setup, int prot, int flags)
{
	return mmap(NULL, setup->mmap_bytes, prot, flags, fd, setup->mmap_offset);
}

/* A mapping that is undone when the test is over */
static void *map_kept(FIXTURE_DATA(pools) *self, const struct vasi_pool_setup *setup,
		      int prot)
{
	void *at = map(self->s.fd, setup, prot, MAP_SHARED);

	self->mapped = *setup;
	if (at != MAP_FAILED)
		self->maps[self->maps[0] ? 1 : 0] = at;
	return at;
}

TEST_F(pools, sizes)
{
	struct vasi_pool_setup setup;
	int fd = self->s.fd;

	EXPECT_EQ(-EINVAL, set_up(fd, &setup, 0, 1, 0));
	EXPECT_EQ(-EINVAL, set_up(fd, &setup, 4096, 1, 0));
	EXPECT_EQ(-EINVAL, set_up(fd, &setup, 8192 + 1, 1, 0));
	EXPECT_EQ(-EINVAL, set_up(fd, &setup, 65536 + 512, 1, 0));
	EXPECT_EQ(-EINVAL, set_up(fd, &setup, self->info.max_buffer_bytes + 4096, 1, 0));
	EXPECT_EQ(-EINVAL, set_up(fd, &setup, 0xFFFFF000, 1, 0));
	EXPECT_EQ(-EINVAL, set_up(fd, &setup, 65536, 0, 0));
	ASSERT_EQ(0, set_up(fd, &setup, 8192, 1, 0));
	EXPECT_EQ(0, setup.pool);
	EXPECT_LE(8192, setup.stride);
	EXPECT_EQ(0, setup.stride % sysconf(_SC_PAGESIZE));
	EXPECT_EQ(setup.stride, setup.mmap_bytes);
	/* None, where the platform takes indirect downloads */
	EXPECT_LT(setup.data_offset, 4096);
	ASSERT_EQ(0, set_up(fd, &setup, 12288, 3, 0));
	EXPECT_EQ(1, setup.pool);
	EXPECT_EQ(3ULL * setup.stride, setup.mmap_bytes);
}

TEST_F(pools, largest)
{
	struct vasi_pool_setup setup;
	unsigned char *at;

	ASSERT_EQ(0, set_up(self->s.fd, &setup, self->info.max_buffer_bytes, 1, 0));
	at = map_kept(self, &setup, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, at);
	at[setup.mmap_bytes - 1] = 1;
}

TEST_F(pools, fetch_bytes)
{
	struct vasi_pool_setup setup;

	if (!(self->info.features & VASI_FEATURE_INDIRECT)) {
		EXPECT_EQ(-EINVAL, set_up(self->s.fd, &setup, 65536, 1, 65536));
		return;
	}
	EXPECT_EQ(-EINVAL, set_up(self->s.fd, &setup, 65536, 1, 1));
	EXPECT_EQ(-EINVAL, set_up(self->s.fd, &setup, 65536, 1, 0xFFFFF000));
	ASSERT_EQ(0, set_up(self->s.fd, &setup, 65536, 2, 131072));
	EXPECT_LE(65536 + 131072, setup.stride);
}

TEST_F(pools, most_pools)
{
	struct vasi_pool_setup setup;
	int i;

	for (i = 0; i < MAX_POOLS; i++) {
		ASSERT_EQ(0, set_up(self->s.fd, &setup, 8192, 1, 0));
		ASSERT_EQ(i, setup.pool);
	}
	EXPECT_EQ(-ENOSPC, set_up(self->s.fd, &setup, 8192, 1, 0));
}

TEST_F(pools, most_buffers)
{
	struct vasi_pool_setup setup;

	EXPECT_EQ(-ENOSPC, set_up(self->s.fd, &setup, 8192, self->info.max_buffers + 1, 0));
	EXPECT_EQ(-ENOSPC, set_up(self->s.fd, &setup, 8192, 0xFFFFFFFF, 0));
	ASSERT_EQ(0, set_up(self->s.fd, &setup, 8192, 16, 0));
	EXPECT_EQ(-ENOSPC, set_up(self->s.fd, &setup, 8192, self->info.max_buffers - 15, 0));
	/* The number of the one that failed is not lost */
	ASSERT_EQ(0, set_up(self->s.fd, &setup, 8192, 16, 0));
	EXPECT_EQ(1, setup.pool);
}

/* More than there is in the DMA window, or in the machine: an error, and no harm */
TEST_F(pools, memory_runs_out)
{
	struct vasi_pool_setup setup;
	int err, count = 0;

	do {
		err = set_up(self->s.fd, &setup, self->info.max_buffer_bytes, 32, 0);
	} while (!err && ++count < MAX_POOLS);
	EXPECT_TRUE(err == -ENOMEM || err == -ENOSPC);
	close(self->s.fd);
	self->s.fd = -1;
	/* What was had is given back: another session finds it again */
	ASSERT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->s.id));
	ASSERT_EQ(0, vt_session_open(&self->s, self->dev, vt_ask_number("source 1024"),
				     VASI_SERVICE_SOURCE_MOVER));
	EXPECT_EQ(0, set_up(self->s.fd, &setup, 65536, 16, 0));
}

TEST_F(pools, zeroed)
{
	size_t i;

	/* Twice: the second session gets the first one's pages, most likely */
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	for (i = 0; i < self->pool.setup.mmap_bytes; i++) {
		ASSERT_EQ(0, self->pool.map[i]);
	}
	memset(self->pool.map, 0xA5, self->pool.setup.mmap_bytes);
	vt_pool_unmap(&self->pool);
	ASSERT_EQ(0, vt_session_close(&self->s));
	ASSERT_EQ(0, vt_session_open(&self->s, self->dev, self->s.id,
				     VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	for (i = 0; i < self->pool.setup.mmap_bytes; i++) {
		ASSERT_EQ(0, self->pool.map[i]);
	}
}

TEST_F(pools, mmap_rules)
{
	long page = sysconf(_SC_PAGESIZE);
	struct vasi_pool_setup setup;
	int fd = self->s.fd;
	void *at;

	ASSERT_EQ(0, set_up(fd, &setup, VT_BUFFER_BYTES, BUFFERS, 0));
	/* Not this pool */
	at = mmap(NULL, setup.mmap_bytes, PROT_READ, MAP_SHARED, fd, setup.mmap_offset + page);
	EXPECT_EQ(MAP_FAILED, at);
	EXPECT_EQ(EINVAL, errno);
	at = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 1ULL << 62);
	EXPECT_EQ(MAP_FAILED, at);
	/* More than there is */
	at = mmap(NULL, setup.mmap_bytes + page, PROT_READ, MAP_SHARED, fd, setup.mmap_offset);
	EXPECT_EQ(MAP_FAILED, at);
	EXPECT_EQ(EINVAL, errno);
	/* Pages that would not be the platform's */
	at = map(fd, &setup, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT_EQ(MAP_FAILED, at);
	EXPECT_EQ(EINVAL, errno);
	/* Data is not code */
	at = map(fd, &setup, PROT_READ | PROT_EXEC, MAP_SHARED);
	EXPECT_EQ(MAP_FAILED, at);
	EXPECT_TRUE(errno == EACCES || errno == EPERM || errno == EINVAL);
	at = map(fd, &setup, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(-1, mprotect(at, setup.mmap_bytes, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, mprotect(at, setup.mmap_bytes, PROT_READ));
	EXPECT_EQ(0, munmap(at, setup.mmap_bytes));
}

TEST_F(pools, no_growing)
{
	struct vasi_pool_setup setup;
	void *at, *grown;

	ASSERT_EQ(0, set_up(self->s.fd, &setup, VT_BUFFER_BYTES, 1, 0));
	at = map_kept(self, &setup, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, at);
	grown = mremap(at, setup.mmap_bytes, 2 * setup.mmap_bytes, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, grown);
}

TEST_F(pools, two_mappings_are_one_memory)
{
	struct vasi_pool_setup setup;
	unsigned char *one, *other;

	ASSERT_EQ(0, set_up(self->s.fd, &setup, VT_BUFFER_BYTES, BUFFERS, 0));
	one = map_kept(self, &setup, PROT_READ | PROT_WRITE);
	other = map_kept(self, &setup, PROT_READ);
	ASSERT_NE(MAP_FAILED, one);
	ASSERT_NE(MAP_FAILED, other);
	one[setup.stride + 5] = 0x3C;
	EXPECT_EQ(0x3C, other[setup.stride + 5]);
}

static sigjmp_buf faulted;

static void on_fault(int number)
{
	siglongjmp(faulted, number);
}

/* A child may have the mapping or not, but never a copy of it */
TEST_F(pools, fork)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, 1));
	self->pool.map[100] = 1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		signal(SIGSEGV, on_fault);
		if (!sigsetjmp(faulted, 1))
			self->pool.map[100]++;
		else
			_exit(2);
		_exit(1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status) == 2 ? 1 : 2, self->pool.map[100]);
}

TEST_F(pools, mapping_outlives_the_session)
{
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	memset(self->pool.map, 0x77, self->pool.setup.mmap_bytes);
	ASSERT_EQ(0, vt_session_close(&self->s));
	close(self->dev);
	self->dev = -1;
	EXPECT_EQ(0x77, self->pool.map[0]);
	self->pool.map[self->pool.setup.mmap_bytes - 1] = 0x78;
	EXPECT_EQ(0x78, self->pool.map[self->pool.setup.mmap_bytes - 1]);
	vt_pool_unmap(&self->pool);
}

/* Tables of pages that are not there yet are filled whether touched or read */
TEST_F(pools, map_before_use_by_kernel)
{
	struct vasi_pool_setup setup;
	unsigned char *at;
	int pipes[2];

	ASSERT_EQ(0, set_up(self->s.fd, &setup, VT_BUFFER_BYTES, 1, 0));
	at = map_kept(self, &setup, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, at);
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(4096, write(pipes[1], at, 4096));
	ASSERT_EQ(4096, read(pipes[0], at + 4096, 4096));
	EXPECT_EQ(0, memcmp(at, at + 4096, 4096));
}

static int loopback(int pair[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t bytes = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || pair[0] < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &bytes) ||
	    connect(pair[0], (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
	return pair[1] < 0 ? -errno : 0;
}

static void fill(unsigned char *at, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		at[i] = i * 7 + (i >> 8);
}

/* Before 6.5 io_uring refuses to register what is mapped from a file, whatever it is */
static bool no_mapped_files(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major < 6 || (major == 6 && minor < 5);
}

TEST_F(pools, registered_buffer)
{
	unsigned char *copy = malloc(VT_BUFFER_BYTES);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	struct uring ring;
	int pipes[2];
	int err;

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	ASSERT_EQ(0, uring_open(&ring, 4));
	err = uring_register_buffer(&ring, self->pool.map, self->pool.setup.mmap_bytes);
	if (err == -EOPNOTSUPP && no_mapped_files())
		SKIP(return, "io_uring registers no mapped files with this kernel");
	ASSERT_EQ(0, err);
	fill(vt_buffer(&self->pool, 1), 4096);
	ASSERT_EQ(0, pipe(pipes));
	sqe = uring_sqe(&ring, IORING_OP_WRITE_FIXED, pipes[1], 1);
	sqe->addr = (uintptr_t)vt_buffer(&self->pool, 1);
	sqe->len = 4096;
	sqe->off = -1;
	ASSERT_EQ(0, uring_submit(&ring));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	ASSERT_EQ(4096, cqe.res);
	ASSERT_EQ(4096, read(pipes[0], copy, 4096));
	EXPECT_EQ(0, memcmp(copy, vt_buffer(&self->pool, 1), 4096));
	/* It stays pinned beyond the session */
	ASSERT_EQ(0, vt_session_close(&self->s));
	sqe = uring_sqe(&ring, IORING_OP_WRITE_FIXED, pipes[1], 2);
	sqe->addr = (uintptr_t)vt_buffer(&self->pool, 1);
	sqe->len = 4096;
	sqe->off = -1;
	ASSERT_EQ(0, uring_submit(&ring));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	EXPECT_EQ(4096, cqe.res);
	vt_pool_unmap(&self->pool);
	uring_close(&ring);
	free(copy);
}

/* Sent without a copy: the pages are pinned until the notification comes */
TEST_F(pools, zero_copy_send)
{
	unsigned char *copy = malloc(VT_BUFFER_BYTES);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	struct uring ring;
	int pair[2];
	int err;

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, BUFFERS));
	ASSERT_EQ(0, uring_open(&ring, 4));
	err = uring_register_buffer(&ring, self->pool.map, self->pool.setup.mmap_bytes);
	ASSERT_TRUE(!err || (err == -EOPNOTSUPP && no_mapped_files()));
	ASSERT_EQ(0, loopback(pair));
	fill(vt_buffer(&self->pool, 2), 32768);
	sqe = uring_sqe(&ring, IORING_OP_SEND_ZC, pair[0], 1);
	sqe->addr = (uintptr_t)vt_buffer(&self->pool, 2);
	sqe->len = 32768;
	sqe->ioprio = err ? 0 : IORING_RECVSEND_FIXED_BUF;
	sqe->msg_flags = MSG_WAITALL;
	ASSERT_EQ(0, uring_submit(&ring));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	ASSERT_EQ(32768, cqe.res);
	ASSERT_NE(0, cqe.flags & IORING_CQE_F_MORE);
	ASSERT_EQ(32768, recv(pair[1], copy, 32768, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(copy, vt_buffer(&self->pool, 2), 32768));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	EXPECT_NE(0, cqe.flags & IORING_CQE_F_NOTIF);
	uring_close(&ring);
	close(pair[0]);
	close(pair[1]);
	free(copy);
}

/* As above, and everything is gone before the bytes are read */
TEST_F(pools, zero_copy_outlives_all)
{
	unsigned char *copy = malloc(32768), *want = malloc(32768);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	struct uring ring;
	int pair[2];

	ASSERT_NE(NULL, copy);
	ASSERT_NE(NULL, want);
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, 1));
	ASSERT_EQ(0, uring_open(&ring, 4));
	ASSERT_EQ(0, loopback(pair));
	fill(vt_buffer(&self->pool, 0), 32768);
	memcpy(want, vt_buffer(&self->pool, 0), 32768);
	sqe = uring_sqe(&ring, IORING_OP_SEND_ZC, pair[0], 1);
	sqe->addr = (uintptr_t)vt_buffer(&self->pool, 0);
	sqe->len = 32768;
	sqe->msg_flags = MSG_WAITALL;
	ASSERT_EQ(0, uring_submit(&ring));
	ASSERT_EQ(0, uring_wait(&ring, &cqe, VT_PATIENCE_MS));
	ASSERT_EQ(32768, cqe.res);
	ASSERT_EQ(0, vt_session_close(&self->s));
	vt_pool_unmap(&self->pool);
	uring_close(&ring);
	close(pair[0]);
	ASSERT_EQ(32768, recv(pair[1], copy, 32768, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(copy, want, 32768));
	close(pair[1]);
	free(copy);
	free(want);
}

TEST_F(pools, no_pool_after_close)
{
	struct vasi_pool_setup setup;
	struct vasi_io_event event;

	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_CLOSE, 0));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_CLOSED, &event));
	EXPECT_EQ(-ENOTCONN, set_up(self->s.fd, &setup, 65536, 1, 0));
}

TEST_HARNESS_MAIN
