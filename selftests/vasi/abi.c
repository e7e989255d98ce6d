// SPDX-License-Identifier: GPL-2.0
/*
 * The ABI of /dev/vasiN: layouts, numbers, and what is refused before anything is
 * done about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

/* More than any structure of the ABI, and less than a page */
#define ROOM	512

/*
 * Layouts: the same on every architecture
 */

TEST(sizes)
{
	EXPECT_EQ(56, sizeof(struct vasi_info));
	EXPECT_EQ(40, sizeof(struct vasi_open_stream));
	EXPECT_EQ(32, sizeof(struct vasi_stream));
	EXPECT_EQ(48, sizeof(struct vasi_pool_setup));
	EXPECT_EQ(64, sizeof(struct vasi_io_request));
	EXPECT_EQ(64, sizeof(struct vasi_io_event));
	EXPECT_EQ(16, sizeof(struct vasi_vector));
	EXPECT_EQ(32, sizeof(struct vasi_donate));
	EXPECT_EQ(16, sizeof(struct vasi_crq));
	EXPECT_EQ(24, sizeof(struct vasi_op_specifier));
	EXPECT_EQ(32, sizeof(struct vasi_dirty_map_specifier));
}

TEST(offsets)
{
	EXPECT_EQ(8, offsetof(struct vasi_info, features));
	EXPECT_EQ(16, offsetof(struct vasi_info, state));
	EXPECT_EQ(48, offsetof(struct vasi_info, source_features));
	EXPECT_EQ(55, offsetof(struct vasi_info, reserved1));
	EXPECT_EQ(8, offsetof(struct vasi_open_stream, stream_id));
	EXPECT_EQ(20, offsetof(struct vasi_open_stream, fd));
	EXPECT_EQ(36, offsetof(struct vasi_open_stream, reserved));
	EXPECT_EQ(8, offsetof(struct vasi_stream, stream_id));
	EXPECT_EQ(24, offsetof(struct vasi_stream, rc));
	EXPECT_EQ(20, offsetof(struct vasi_pool_setup, pool));
	EXPECT_EQ(32, offsetof(struct vasi_pool_setup, mmap_offset));
	EXPECT_EQ(16, offsetof(struct vasi_io_request, token));
	EXPECT_EQ(24, offsetof(struct vasi_io_request, u));
	EXPECT_EQ(32, offsetof(struct vasi_io_request, u.complete.residual));
	EXPECT_EQ(16, offsetof(struct vasi_io_event, token));
	EXPECT_EQ(24, offsetof(struct vasi_io_event, u));
	EXPECT_EQ(56, offsetof(struct vasi_io_event, u.operation.fetched));
	EXPECT_EQ(8, offsetof(struct vasi_donate, budget_ns));
	EXPECT_EQ(24, offsetof(struct vasi_donate, rc));
}

TEST(numbers)
{
	/* Of powerpc, which has the direction in three bits */
	if (_IOC_NONE != 1)
		SKIP(return, "numbers differ on this architecture");
	EXPECT_EQ(0xC038BB00U, (unsigned int)VASI_IOC_GET_INFO);
	EXPECT_EQ(0xC028BB01U, (unsigned int)VASI_IOC_OPEN_STREAM);
	EXPECT_EQ(0xC020BB02U, (unsigned int)VASI_IOC_STREAM_STATE);
	EXPECT_EQ(0xC020BB03U, (unsigned int)VASI_IOC_STREAM_CANCEL);
	EXPECT_EQ(0xC030BB10U, (unsigned int)VASI_IOC_SETUP_POOL);
	EXPECT_EQ(0x8010BB11U, (unsigned int)VASI_IOC_SUBMIT);
	EXPECT_EQ(0x8010BB12U, (unsigned int)VASI_IOC_FETCH);
	EXPECT_EQ(0xC020BB13U, (unsigned int)VASI_IOC_DONATE);
}

/*
 * An adapter
 */

FIXTURE(adapter)
{
	int dev;
};

FIXTURE_SETUP(adapter)
{
	self->dev = -1;
	if (!vt_have('A'))
		SKIP(return, "no adapter");
	self->dev = vt_open('A');
	ASSERT_LE(0, self->dev);
}

FIXTURE_TEARDOWN(adapter)
{
	close(self->dev);
}

TEST_F(adapter, needs_cap_sys_admin)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	char path[64];
	int fd;

	ASSERT_EQ(0, vt_path('A', path, sizeof(path)));
	ASSERT_EQ(0, syscall(SYS_capget, &header, data));
	data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	ASSERT_EQ(0, syscall(SYS_capset, &header, data));
	fd = open(path, O_RDWR);
	ASSERT_EQ(-1, fd);
	ASSERT_EQ(EPERM, errno);
}

TEST_F(adapter, unknown_ioctl)
{
	EXPECT_EQ(-1, ioctl(self->dev, _IOWR(VASI_IOC_MAGIC, 0x7F, struct vasi_info), NULL));
	EXPECT_EQ(ENOTTY, errno);
	/* Those of a session are not those of an adapter */
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_FETCH, NULL));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(adapter, no_read_write_mmap)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->dev, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->dev, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->dev, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(adapter, info_plain)
{
	struct vasi_info info;

	ASSERT_EQ(0, vt_info(self->dev, &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(VASI_ADAPTER_READY, info.state);
	EXPECT_EQ(0, info.reserved0);
	EXPECT_EQ(0, info.reserved1);
	EXPECT_EQ(0, info.features & ~(VASI_FEATURE_FETCH_WAITS | VASI_FEATURE_INDIRECT |
				       VASI_FEATURE_DIRTY_MAP));
}

/* No structure has ever been shorter than it is now, so none can be meant */
TEST_F(adapter, info_shorter)
{
	struct vasi_info info = { .size = offsetof(struct vasi_info, crq_bytes) };

	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_GET_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, info.unit_address);
}

TEST_F(adapter, info_longer)
{
	unsigned char room[ROOM] = { 0 };
	struct vasi_info *info = (void *)room;
	size_t i;

	info->size = ROOM;
	ASSERT_EQ(0, ioctl(self->dev, VASI_IOC_GET_INFO, info));
	EXPECT_NE(0, info->unit_address);
	for (i = sizeof(*info); i < ROOM; i++) {
		ASSERT_EQ(0, room[i]);
	}
	info->flags = 0;
	info->size = ROOM;
	room[ROOM - 1] = 1;
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_GET_INFO, info));
	EXPECT_EQ(E2BIG, errno);
}

TEST_F(adapter, info_sizes_refused)
{
	static const unsigned int sizes[] = { 0, 1, 4, 7 };
	struct vasi_info info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(&info, 0, sizeof(info));
		info.size = sizes[i];
		EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_GET_INFO, &info));
		EXPECT_EQ(EINVAL, errno);
	}
	/* Nobody has a structure of more than a page */
	memset(&info, 0, sizeof(info));
	info.size = 0x80000000;
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_GET_INFO, &info));
	EXPECT_EQ(E2BIG, errno);
}

TEST_F(adapter, info_flags)
{
	struct vasi_info info = { .size = sizeof(info), .flags = 1 };

	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_GET_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(adapter, faulting_addresses)
{
	static const unsigned long commands[] = {
		VASI_IOC_GET_INFO, VASI_IOC_OPEN_STREAM, VASI_IOC_STREAM_STATE,
		VASI_IOC_STREAM_CANCEL,
	};
	struct vasi_info *info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(-1, ioctl(self->dev, commands[i], NULL));
		EXPECT_EQ(EFAULT, errno);
	}
	/* Can be read, but not be answered in */
	info = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, info);
	info->size = sizeof(*info);
	ASSERT_EQ(0, mprotect(info, ROOM, PROT_READ));
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_GET_INFO, info));
	EXPECT_EQ(EFAULT, errno);
	munmap(info, ROOM);
}

TEST_F(adapter, open_refused)
{
	struct vasi_open_stream good = {
		.size = sizeof(good), .stream_id = 1,
		.service = VASI_SERVICE_SOURCE_MOVER, .fd = -1,
	};
	struct vasi_open_stream open;

	open = good;
	open.flags = 1;
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_OPEN_STREAM, &open));
	EXPECT_EQ(EINVAL, errno);
	open = good;
	open.flags = 0x80000000;
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_OPEN_STREAM, &open));
	EXPECT_EQ(EINVAL, errno);
	open = good;
	open.reserved = 1;
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_OPEN_STREAM, &open));
	EXPECT_EQ(EINVAL, errno);
	open = good;
	open.service = 256;
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_OPEN_STREAM, &open));
	EXPECT_EQ(EINVAL, errno);
	open = good;
	open.size = offsetof(struct vasi_open_stream, service);
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_OPEN_STREAM, &open));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(adapter, stream_refused)
{
	static const unsigned long commands[] = {
		VASI_IOC_STREAM_STATE, VASI_IOC_STREAM_CANCEL,
	};
	struct vasi_stream stream;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		stream = (struct vasi_stream){ .size = sizeof(stream), .flags = 1 };
		EXPECT_EQ(-1, ioctl(self->dev, commands[i], &stream));
		EXPECT_EQ(EINVAL, errno);
		stream = (struct vasi_stream){ .size = 8 };
		EXPECT_EQ(-1, ioctl(self->dev, commands[i], &stream));
		EXPECT_EQ(EINVAL, errno);
	}
	/* Only a cancel has a reason */
	stream = (struct vasi_stream){ .size = sizeof(stream), .reason = 1 };
	EXPECT_EQ(-1, ioctl(self->dev, VASI_IOC_STREAM_STATE, &stream));
	EXPECT_EQ(EINVAL, errno);
}

/*
 * A session
 */

FIXTURE(session)
{
	int dev;
	struct vt_session s;
	struct vt_pool pool;
};

FIXTURE_SETUP(session)
{
	self->dev = -1;
	self->s.fd = -1;
	if (!vt_have('A') || !vt_have_control())
		SKIP(return, "no adapter with a platform");
	ASSERT_EQ(0, vt_stream_open(&self->s, &self->dev, 'A', VASI_SERVICE_SOURCE_MOVER,
				    1024));
	ASSERT_EQ(0, vt_pool_setup(&self->s, &self->pool, VT_BUFFER_BYTES, 4));
}

FIXTURE_TEARDOWN(session)
{
	vt_pool_unmap(&self->pool);
	if (self->s.fd >= 0) {
		close(self->s.fd);
		EXPECT_EQ(0, vt_ask(NULL, "end %llx", (unsigned long long)self->s.id));
	}
	close(self->dev);
}

TEST_F(session, unknown_ioctl)
{
	EXPECT_EQ(-1, ioctl(self->s.fd, _IOWR(VASI_IOC_MAGIC, 0x7F, struct vasi_info), NULL));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_GET_INFO, NULL));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(session, close_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->s.fd, F_GETFD));
}

TEST_F(session, names)
{
	EXPECT_EQ(VASI_SUCCESS, self->s.open.status);
	EXPECT_NE(0, self->s.open.bottom);
}

TEST_F(session, pool_refused)
{
	struct vasi_pool_setup good = {
		.size = sizeof(good), .buffer_bytes = 65536, .count = 1,
	};
	struct vasi_pool_setup setup;

	setup = good;
	setup.flags = 1;
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_SETUP_POOL, &setup));
	EXPECT_EQ(EINVAL, errno);
	setup = good;
	setup.size = 12;
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_SETUP_POOL, &setup));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_SETUP_POOL, NULL));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(session, donate_refused)
{
	struct vasi_donate donate;

	donate = (struct vasi_donate){ .size = sizeof(donate), .flags = 1 };
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_DONATE, &donate));
	EXPECT_EQ(EINVAL, errno);
	donate = (struct vasi_donate){ .size = sizeof(donate), .reserved = 1 };
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_DONATE, &donate));
	EXPECT_EQ(EINVAL, errno);
	donate = (struct vasi_donate){ .size = 4 };
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_DONATE, &donate));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->s.fd, VASI_IOC_DONATE, NULL));
	EXPECT_EQ(EFAULT, errno);
}

static int submit_sized(int fd, const void *requests, uint32_t count, uint32_t entry_bytes)
{
	struct vasi_vector vector = {
		.entries = (uintptr_t)requests, .count = count, .entry_bytes = entry_bytes,
	};
	int taken = ioctl(fd, VASI_IOC_SUBMIT, &vector);

	return taken < 0 ? -errno : taken;
}

static int fetch_sized(int fd, void *events, uint32_t count, uint32_t entry_bytes)
{
	struct vasi_vector vector = {
		.entries = (uintptr_t)events, .count = count, .entry_bytes = entry_bytes,
	};
	int stored = ioctl(fd, VASI_IOC_FETCH, &vector);

	return stored < 0 ? -errno : stored;
}

TEST_F(session, entry_bytes)
{
	unsigned char room[2 * 128] = { 0 };
	struct vasi_io_request *one = (void *)room;
	struct vasi_io_request *other = (void *)(room + 128);
	struct vasi_io_event event;

	one->op = VASI_REQ_PROGRESS;
	one->token = 1;
	other->op = VASI_REQ_PROGRESS;
	other->token = 2;
	EXPECT_EQ(-EINVAL, submit_sized(self->s.fd, room, 1, 0));
	EXPECT_EQ(-EINVAL, submit_sized(self->s.fd, room, 1, 63));
	/* Longer ones, as a later kernel's: only zeros may follow */
	ASSERT_EQ(2, submit_sized(self->s.fd, room, 2, 128));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(1, event.token);
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(2, event.token);
	room[127] = 1;
	EXPECT_EQ(-E2BIG, submit_sized(self->s.fd, room, 2, 128));
	room[127] = 0;
	room[255] = 1;
	EXPECT_EQ(1, submit_sized(self->s.fd, room, 2, 128));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
}

TEST_F(session, fetched_entries_are_zeroed)
{
	unsigned char room[2 * 128];
	struct vasi_io_event *event = (void *)room;
	size_t i;

	ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, 7));
	ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
	EXPECT_EQ(-EINVAL, fetch_sized(self->s.fd, room, 2, 63));
	memset(room, 0xA5, sizeof(room));
	ASSERT_EQ(1, fetch_sized(self->s.fd, room, 1, 128));
	EXPECT_EQ(VASI_EVT_PROGRESS, event->type);
	EXPECT_EQ(7, event->token);
	for (i = sizeof(*event); i < 128; i++) {
		ASSERT_EQ(0, room[i]);
	}
	for (; i < sizeof(room); i++) {
		ASSERT_EQ(0xA5, room[i]);
	}
}

TEST_F(session, requests_refused)
{
	struct vasi_io_request good = { .op = VASI_REQ_PROGRESS };
	struct vasi_io_request request;
	int op;

	request = good;
	request.op = 0;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	request.op = VASI_REQ_CLOSE + 1;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	request.op = 0xFFFF;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	for (op = VASI_REQ_COMPLETE; op <= VASI_REQ_CLOSE; op++) {
		request = (struct vasi_io_request){ .op = op, .reserved = 1 };
		EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
		request = (struct vasi_io_request){ .op = op, .flags = 0x8000 };
		EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
		request = (struct vasi_io_request){ .op = op };
		request.u.reserved[4] = 1;
		EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	}
	/* Fields that belong to other ops */
	request = good;
	request.pool = 1;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	request = good;
	request.index = 1;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	request = good;
	request.generation = 1;
	EXPECT_EQ(-EINVAL, vt_submit(self->s.fd, &request, 1));
	/* Nothing of it was done */
	EXPECT_EQ(0, vt_poll(self->s.fd, POLLIN, 0) & (POLLIN | POLLHUP));
}

TEST_F(session, nothing_to_submit)
{
	EXPECT_EQ(0, submit_sized(self->s.fd, NULL, 0, 64));
}

/* The first part of a vector is taken before the rest turns out not to be there */
TEST_F(session, submit_fault)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vasi_io_request *request;
	struct vasi_io_event event;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page, page));
	request = (void *)(map + page - sizeof(*request));
	request->op = VASI_REQ_PROGRESS;
	request->token = 11;
	EXPECT_EQ(-EFAULT, vt_submit(self->s.fd, NULL, 1));
	EXPECT_EQ(-EFAULT, vt_submit(self->s.fd, request + 1, 1));
	ASSERT_EQ(1, vt_submit(self->s.fd, request, 2));
	ASSERT_EQ(0, vt_next_of(self->s.fd, VASI_EVT_PROGRESS, &event));
	EXPECT_EQ(11, event.token);
	EXPECT_EQ(0, vt_poll(self->s.fd, POLLIN, 0) & POLLIN);
	munmap(map, page);
}

/* An event for which there was no room is not lost */
TEST_F(session, fetch_fault)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vasi_io_event event, *last;
	uint64_t token;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, munmap(map + page, page));
	last = (void *)(map + page - sizeof(*last));
	for (token = 1; token <= 3; token++) {
		ASSERT_EQ(1, vt_simple(self->s.fd, VASI_REQ_PROGRESS, token));
	}
	ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
	EXPECT_EQ(-EFAULT, vt_fetch(self->s.fd, NULL, 1));
	EXPECT_EQ(-EFAULT, vt_fetch(self->s.fd, last + 1, 1));
	/* Their order is that of the requests */
	for (token = 1; token <= 3; token++) {
		if (token == 2) {
			ASSERT_NE(0, vt_poll(self->s.fd, POLLIN, VT_PATIENCE_MS) & POLLIN);
			ASSERT_EQ(1, vt_fetch(self->s.fd, last, 2));
			event = *last;
		} else {
			ASSERT_EQ(0, vt_next(self->s.fd, &event));
		}
		EXPECT_EQ(VASI_EVT_PROGRESS, event.type);
		EXPECT_EQ(token, event.token);
		EXPECT_EQ(VASI_SUCCESS, event.status);
	}
	munmap(map, page);
}

TEST_HARNESS_MAIN
