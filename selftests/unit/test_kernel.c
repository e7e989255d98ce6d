// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of libvasi's transport for the kernel driver's device.  The test has the
 * driver's part: the system calls that libvasi makes are its own functions, and the
 * SQEs that libvasi prepares are looked at instead of being submitted.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/log.h"
#include "libvasi/kernel.h"

#define PANE_BYTES	(4u << 20)
#define TAG		0x1234
#define STREAM		0x1122334455667788ULL
#define ADAPTER_FD	100
#define SESSION_FD	200
#define TOP		0x00401u
#define BOTTOM		0xb0770001u
#define BUFFER_BYTES	8192u
#define FETCH_BYTES	4096u
#define DATA_OFFSET	12u
#define MAX_REQUESTS	256
#define MAX_SQES	16
#define FUZZ_ROUNDS	2000

/* The driver */
static struct {
	struct vasi_info info;
	int info_ret;
	unsigned int not_ready;		/* as often GET_INFO says WAITING; UINT32_MAX: always */
	uint32_t closed[16];
	unsigned int close_count;
	uint32_t pools;
	int setup_ret;
	struct vasi_pool_setup setup;	/* the last one, as answered */
	void (*spoil)(struct vasi_pool_setup *setup);
	bool no_map;
	unsigned int mapped;
	struct vasi_io_request requests[MAX_REQUESTS];
	unsigned int request_count;
	unsigned int submits;
	int submit_ret;			/* < 0: of every submit; > 0: most it takes */
	unsigned int fetch_ends;
	struct vasi_donate donate;
	int donate_ret;
	struct vasi_stream stream;
	unsigned long stream_request;
} driver;

int kernel_sys_open(const char *path)
{
	return strcmp(path, "/dev/vasi0") ? -ENOENT : ADAPTER_FD;
}

int kernel_sys_dup(int fd)
{
	return fd + 1;
}

void kernel_sys_close(int fd)
{
	assert_true(driver.close_count < ARRAY_SIZE(driver.closed));
	driver.closed[driver.close_count++] = (uint32_t)fd;
}

bool kernel_sys_wait(int fd, uint64_t ns)
{
	assert_true(fd >= ADAPTER_FD && ns && ns <= 5 * NSEC_PER_SEC);
	return driver.not_ready != UINT32_MAX;
}

static int get_info(struct vasi_info *info)
{
	assert_int_equal(info->size, sizeof(*info));
	assert_int_equal(info->flags, 0);
	*info = driver.info;
	if (driver.not_ready) {
		driver.not_ready -= driver.not_ready != UINT32_MAX;
		info->state = VASI_ADAPTER_WAITING;
	}
	return driver.info_ret;
}

static int setup_pool(struct vasi_pool_setup *setup)
{
	if (driver.setup_ret)
		return driver.setup_ret;
	assert_int_equal(setup->size, sizeof(*setup));
	assert_int_equal(setup->flags, 0);
	setup->pool = driver.pools++;
	setup->stride = setup->buffer_bytes + setup->fetch_bytes;
	setup->data_offset = DATA_OFFSET;
	setup->mmap_offset = (uint64_t)setup->pool << 40;
	setup->mmap_bytes = (uint64_t)setup->stride * setup->count;
	if (driver.spoil)
		driver.spoil(setup);
	driver.setup = *setup;
	return 0;
}

static int submit(const struct vasi_vector *vector)
{
	const struct vasi_io_request *requests = (const void *)(uintptr_t)vector->entries;
	uint32_t count = vector->count;

	driver.submits++;
	assert_int_equal(vector->entry_bytes, sizeof(*requests));
	if (driver.submit_ret < 0)
		return driver.submit_ret;
	if (driver.submit_ret)
		count = min(count, (uint32_t)driver.submit_ret);
	assert_true(driver.request_count + count <= MAX_REQUESTS);
	memcpy(driver.requests + driver.request_count, requests,
	       count * sizeof(*requests));
	driver.request_count += count;
	return (int)count;
}

int kernel_sys_ioctl(int fd, unsigned long request, void *arg)
{
	const struct vasi_vector *vector = arg;

	switch (request) {
	case VASI_IOC_GET_INFO:
		return get_info(arg);
	case VASI_IOC_SETUP_POOL:
		assert_in_range(fd, SESSION_FD, SESSION_FD + 10);
		return setup_pool(arg);
	case VASI_IOC_SUBMIT:
		assert_in_range(fd, SESSION_FD, SESSION_FD + 10);
		return submit(vector);
	case VASI_IOC_FETCH:
		assert_int_equal(vector->count, 0);
		assert_true(vector->entry_bytes >= 64);
		driver.fetch_ends++;
		return 0;
	case VASI_IOC_DONATE:
		assert_int_equal(fd, SESSION_FD);
		driver.donate.budget_ns = ((struct vasi_donate *)arg)->budget_ns;
		memcpy(arg, &driver.donate, sizeof(driver.donate));
		return driver.donate_ret;
	case VASI_IOC_STREAM_STATE:
	case VASI_IOC_STREAM_CANCEL:
		assert_int_equal(fd, ADAPTER_FD + 1);
		driver.stream_request = request;
		driver.stream.stream_id = ((struct vasi_stream *)arg)->stream_id;
		driver.stream.reason = ((struct vasi_stream *)arg)->reason;
		memcpy(arg, &driver.stream, sizeof(driver.stream));
		return driver.donate_ret;
	}
	fail_msg("ioctl 0x%lx", request);
	return -ENOTTY;
}

void *kernel_sys_map(int fd, uint64_t offset, uint64_t bytes)
{
	assert_in_range(fd, SESSION_FD, SESSION_FD + 10);
	assert_int_equal(offset, driver.setup.mmap_offset);
	assert_int_equal(bytes, driver.setup.mmap_bytes);
	if (driver.no_map) {
		errno = ENOMEM;
		return NULL;
	}
	driver.mapped++;
	return calloc(1, bytes);
}

void kernel_sys_unmap(void *base, uint64_t bytes)
{
	assert_true(bytes);
	driver.mapped--;
	free(base);
}

/*
 * Fixtures
 */

struct fixture {
	struct io_uring ring;
	struct vasi_device *dev;
	struct vasi_session *s;
	struct io_uring_sqe sqes[MAX_SQES];
	unsigned int sqe_count;
	struct vasi_event ev;
};

static const struct vasi_device_params params = {
	.pane_bytes = PANE_BYTES, .dirty_map = true,
};

/* Take the SQEs that were prepared; nothing is submitted */
static void take_sqes(struct fixture *f)
{
	struct io_uring_sq *sq = &f->ring.sq;

	while (sq->sqe_head != sq->sqe_tail) {
		assert_true(f->sqe_count < MAX_SQES);
		f->sqes[f->sqe_count++] = sq->sqes[sq->sqe_head++ & *sq->kring_mask];
	}
	sq->sqe_head = *sq->khead;
	sq->sqe_tail = sq->sqe_head;
}

/* The one SQE that there is, with this opcode */
static struct io_uring_sqe one_sqe(struct fixture *f, uint8_t opcode)
{
	take_sqes(f);
	assert_int_equal(f->sqe_count, 1);
	assert_int_equal(f->sqes[0].opcode, opcode);
	assert_int_equal(f->sqes[0].user_data >> 48, TAG);
	f->sqe_count = 0;
	return f->sqes[0];
}

static void no_sqe(struct fixture *f)
{
	take_sqes(f);
	assert_int_equal(f->sqe_count, 0);
}

static struct vasi_vector vector_of(const struct io_uring_sqe *sqe)
{
	struct vasi_vector vector;

	memcpy(&vector, (const uint8_t *)sqe + offsetof(struct io_uring_sqe, cmd),
	       sizeof(vector));
	return vector;
}

static void complete(struct fixture *f, const struct io_uring_sqe *sqe, int res)
{
	/* With a CQE's flexible array member, this is not an object but room for one */
	uint64_t room[2] = { 0 };
	struct io_uring_cqe *cqe = (void *)room;

	cqe->user_data = sqe->user_data;
	cqe->res = res;
	assert_int_equal(vasi_device_cqe(f->dev, cqe), 0);
}

static struct io_uring_sqe command(struct fixture *f, int fd, uint32_t request)
{
	struct io_uring_sqe sqe = one_sqe(f, IORING_OP_URING_CMD);

	assert_int_equal(sqe.fd, fd);
	assert_int_equal(sqe.cmd_op, request);
	return sqe;
}

/* The fetch that is in the ring brings these events */
static void fetch(struct fixture *f, const struct io_uring_sqe *sqe,
		  const struct vasi_io_event *events, unsigned int count)
{
	struct vasi_vector vector = vector_of(sqe);

	assert_int_equal(vector.entry_bytes, sizeof(*events));
	assert_true(count <= vector.count);
	memcpy((void *)(uintptr_t)vector.entries, events, count * sizeof(*events));
	complete(f, sqe, (int)count);
}

static void next_event(struct fixture *f, enum vasi_event_type type)
{
	assert_int_equal(vasi_reap(f->dev, &f->ev, 1), 1);
	assert_int_equal(f->ev.type, type);
}

static void no_event(struct fixture *f)
{
	assert_int_equal(vasi_reap(f->dev, &f->ev, 1), 0);
}

/* One event in a fetch of its own */
static void bring(struct fixture *f, const struct vasi_io_event *event)
{
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	fetch(f, &sqe, event, 1);
}

static void expect_lost(struct fixture *f, const char *text)
{
	next_event(f, VASI_EV_LOST);
	if (!strstr(vasi_device_error(f->dev), text))
		fail_msg("'%s' instead of '%s'", vasi_device_error(f->dev), text);
}

/* Ask for an open; returns its SQE */
static struct io_uring_sqe ask_open(struct fixture *f)
{
	assert_int_equal(vasi_session_open(f->dev, STREAM, VASI_SERVICE_SOURCE_MOVER, 7,
					   &f->s), 0);
	no_sqe(f);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	return command(f, ADAPTER_FD, VASI_IOC_OPEN_STREAM);
}

static void answer_open(struct fixture *f, const struct io_uring_sqe *sqe, int res,
			uint32_t status, int fd)
{
	struct vasi_vector vector = vector_of(sqe);
	struct vasi_open_stream *open = (void *)(uintptr_t)vector.entries;

	assert_int_equal(vector.count, 1);
	assert_int_equal(vector.entry_bytes, sizeof(*open));
	assert_int_equal(open->size, sizeof(*open));
	assert_int_equal(open->flags, 0);
	assert_int_equal(open->reserved, 0);
	assert_int_equal(open->stream_id, STREAM);
	assert_int_equal(open->service, VASI_SERVICE_SOURCE_MOVER);
	open->status = status;
	open->fd = fd;
	open->top = TOP;
	open->bottom = BOTTOM;
	complete(f, sqe, res);
}

static void open_session(struct fixture *f)
{
	struct io_uring_sqe sqe = ask_open(f);

	answer_open(f, &sqe, 0, VASI_SUCCESS, SESSION_FD);
	next_event(f, VASI_EV_OPENED);
	assert_int_equal(f->ev.status, VASI_SUCCESS);
	assert_int_equal(f->ev.token, 7);
	assert_ptr_equal(f->ev.session, f->s);
}

static int setup_bare(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test_kernel", LOG_LEVEL_ERROR);
	memset(&driver, 0, sizeof(driver));
	driver.info = (struct vasi_info) {
		.size = sizeof(driver.info),
		.features = VASI_FEATURE_FETCH_WAITS | VASI_FEATURE_DIRTY_MAP |
			    VASI_FEATURE_INDIRECT,
		.state = VASI_ADAPTER_READY,
		.unit_address = 0x30000002,
		.crq_bytes = 4096, .buffer_pools = 4, .streams = 8,
		.max_buffer_bytes = 4 << 20, .max_buffers = 4096,
		.source_features = VASI_CAP_MULTIPLE_OPENS | VASI_CAP_DOWNLOAD_INDIRECT |
				   VASI_CAP_ENHANCED_PROGRESS,
		.source_operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE |
				     VASI_CAP_OP_WRITE_SEQ_INDIRECT,
		.source_opens = 8,
		.target_features = VASI_CAP_MULTIPLE_OPENS | VASI_CAP_DOWNLOAD_INDIRECT,
		.target_operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE |
				     VASI_CAP_OP_WRITE_SEQ_INDIRECT,
		.target_opens = 4,
	};
	assert_int_equal(io_uring_queue_init(64, &f->ring, 0), 0);
	*state = f;
	return 0;
}

static int open_device(struct fixture *f)
{
	const struct vasi_transport *ops = &vasi_kernel_transport;

	return ops->open("/dev/vasi0", &params, &f->dev);
}

static int setup_device(void **state)
{
	struct fixture *f;

	setup_bare(state);
	f = *state;
	assert_int_equal(open_device(f), 0);
	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), 0);
	no_sqe(f);
	return 0;
}

/* A session with pool 0 of four buffers */
static int setup_session(void **state)
{
	struct fixture *f;

	setup_device(state);
	f = *state;
	open_session(f);
	assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES, 4, FETCH_BYTES), 0);
	return 0;
}

static void close_device(struct fixture *f)
{
	struct kernel_device *kernel = to_kernel(f->dev);

	vasi_device_detach(f->dev);
	/* What was in flight comes back, whatever it was */
	for (uint32_t i = 0; i < kernel->channel_count; i++) {
		while (kernel->channels[i] && kernel->channels[i]->in_flight) {
			struct io_uring_sqe sqe = { 0 };
			bool fetching = kernel->channels[i]->fetching;
			bool opening = kernel->channels[i]->opening;

			sqe.user_data = (uint64_t)TAG << 48 | i << 8 |
					(opening ? 1 : fetching ? 2 : 5);
			complete(f, &sqe, -ECANCELED);
		}
	}
	assert_false(vasi_device_busy(f->dev));
	vasi_device_close(f->dev);
	f->dev = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->dev)
		close_device(f);
	assert_int_equal(driver.mapped, 0);
	io_uring_queue_exit(&f->ring);
	free(f);
	return 0;
}

static void post(struct fixture *f, uint32_t index)
{
	assert_int_equal(vasi_post(f->s, 0, index), 0);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	driver.request_count = 0;
}

/* Write an operation with @bytes of immediate data into a buffer */
static void write_op(struct fixture *f, uint32_t index, uint32_t bytes)
{
	const struct vasi_op op = {
		.top = TOP, .bottom = BOTTOM, .op_code = VASI_OP_WRITE,
	};
	void *buffer = vasi_buffer(f->s, 0, index);
	struct vasi_seg_builder b;

	assert_int_equal(vasi_op_begin(&b, buffer, BUFFER_BYTES, &op), 0);
	memset(vasi_seg_add_immediate(&b, bytes), 0x5a, bytes);
	vasi_seg_end(&b, buffer);
}

static const struct vasi_io_event an_operation = {
	.type = VASI_EVT_OPERATION, .generation = 0x1234567,
	.u.operation = { .bytes = 100, .op_code = VASI_OP_WRITE, .segments = 1 },
};

/*
 * Opening a device
 */

static void test_open(void **state)
{
	struct fixture *f = *state;
	const struct vasi_device_info *info;

	driver.not_ready = 3;
	assert_int_equal(open_device(f), 0);
	info = vasi_device_info(f->dev);
	assert_int_equal(info->unit_address, 0x30000002);
	assert_int_equal(info->crq_entries, 256);
	assert_int_equal(info->buffer_pools, 4);
	assert_int_equal(info->streams, 8);
	assert_int_equal(info->features, VASI_CAP_MULTIPLE_OPENS | VASI_CAP_DOWNLOAD_INDIRECT);
	assert_int_equal(info->operations, VASI_CAP_OP_WRITE_SEQ_IMMEDIATE |
			 VASI_CAP_OP_WRITE_SEQ_INDIRECT);
	assert_int_equal(info->opens, 4);
	assert_true(info->dirty_map);
	vasi_device_close(f->dev);
	f->dev = NULL;
	assert_int_equal(driver.close_count, 1);
	assert_int_equal(driver.closed[0], ADAPTER_FD);
}

static void test_open_less(void **state)
{
	struct fixture *f = *state;
	const struct vasi_device_info *info;

	driver.info.features = 0;
	driver.info.target_features = 0;
	assert_int_equal(open_device(f), 0);
	info = vasi_device_info(f->dev);
	assert_int_equal(info->operations, VASI_CAP_OP_WRITE_SEQ_IMMEDIATE);
	assert_int_equal(info->opens, 1);
	assert_false(info->dirty_map);
}

static void test_open_fd(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vasi_device_open_fd(50, "/dev/vasi0", &params, &f->dev), 0);
	assert_int_equal(to_kernel(f->dev)->fd, 51);
}

static void test_open_fails(void **state)
{
	struct fixture *f = *state;

	log_set_level(LOG_LEVEL_ERROR - 1);
	assert_int_equal(vasi_kernel_transport.open("/dev/vasi9", &params, &f->dev), -ENOENT);
	driver.info_ret = -ENOTTY;
	assert_int_equal(open_device(f), -ENOTTY);
	driver.info_ret = 0;
	driver.not_ready = UINT32_MAX;
	assert_int_equal(open_device(f), -ETIMEDOUT);
	driver.not_ready = 0;
	driver.info.state = VASI_ADAPTER_DEAD;
	assert_int_equal(open_device(f), -ENODEV);
	assert_int_equal(driver.close_count, 3);
}

/*
 * Opening and closing sessions
 */

static void test_session(void **state)
{
	const struct vasi_io_event closed = { .type = VASI_EVT_CLOSED, .token = 8 };
	struct fixture *f = *state;

	open_session(f);
	assert_int_equal(vasi_session_close(f->s, 8), 0);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	assert_int_equal(driver.request_count, 1);
	assert_int_equal(driver.requests[0].op, VASI_REQ_CLOSE);
	assert_int_equal(driver.requests[0].token, 8);
	bring(f, &closed);
	next_event(f, VASI_EV_CLOSED);
	assert_int_equal(f->ev.token, 8);
	/* Nothing is fetched any more, and the file is closed with the session */
	no_sqe(f);
	assert_false(vasi_device_busy(f->dev));
	assert_int_equal(driver.close_count, 0);
	vasi_session_free(f->s);
	assert_int_equal(driver.close_count, 1);
	assert_int_equal(driver.closed[0], SESSION_FD);
}

static void refused_open(struct fixture *f, int res, uint32_t status, uint8_t expected)
{
	struct io_uring_sqe sqe = ask_open(f);

	answer_open(f, &sqe, res, status, -1);
	next_event(f, VASI_EV_OPENED);
	assert_int_equal(f->ev.status, expected);
	no_sqe(f);
	vasi_session_free(f->s);
}

static void test_session_refused(void **state)
{
	struct fixture *f = *state;

	refused_open(f, -EREMOTEIO, VASI_TOO_MANY_OPENS, VASI_TOO_MANY_OPENS);
	refused_open(f, -EREMOTEIO, VASI_INVALID_STREAM_ID, VASI_INVALID_STREAM_ID);
	refused_open(f, -ENOSPC, 0, VASI_TOO_MANY_OPENS);
	refused_open(f, -ETIMEDOUT, 0, VASI_HARDWARE);
	refused_open(f, -EREMOTEIO, VASI_SUCCESS, VASI_HARDWARE);
	refused_open(f, -EREMOTEIO, 256, VASI_HARDWARE);
	no_event(f);
	/* And one that works still does */
	open_session(f);
}

static void lost_open(void **state, int res, uint32_t status, int fd, const char *text)
{
	struct fixture *f = *state;
	struct io_uring_sqe sqe = ask_open(f);

	answer_open(f, &sqe, res, status, fd);
	expect_lost(f, text);
	no_sqe(f);
	assert_int_equal(vasi_device_flush(f->dev), -ENODEV);
}

static void test_open_reset(void **state)
{
	lost_open(state, -ECONNRESET, 0, -1, "the adapter was reset");
}

static void test_open_gone(void **state)
{
	lost_open(state, -ENODEV, 0, -1, "the adapter is gone");
}

static void test_open_without_fd(void **state)
{
	lost_open(state, 0, VASI_SUCCESS, -1, "open: ");
}

static void test_open_with_status(void **state)
{
	lost_open(state, 0, VASI_HARDWARE, SESSION_FD, "open: ");
}

static void test_open_twice_bottom(void **state)
{
	struct fixture *f = *state;

	open_session(f);
	one_sqe(f, IORING_OP_URING_CMD);
	lost_open(state, 0, VASI_SUCCESS, SESSION_FD + 1, "BOTTOM");
}

/* The platform answers an open when nobody waits for it any more */
static void test_open_late(void **state)
{
	struct fixture *f = *state;
	struct io_uring_sqe sqe = ask_open(f);

	vasi_device_detach(f->dev);
	no_sqe(f);
	assert_true(vasi_device_busy(f->dev));
	answer_open(f, &sqe, 0, VASI_SUCCESS, SESSION_FD);
	/* The cancellation of it completes, too */
	sqe.user_data = (sqe.user_data & ~0xffULL) | 5;
	complete(f, &sqe, -EALREADY);
	assert_false(vasi_device_busy(f->dev));
	no_event(f);
	vasi_device_close(f->dev);
	f->dev = NULL;
	assert_int_equal(driver.closed[0], SESSION_FD);
}

/*
 * Pools
 */

static void test_pool(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(driver.setup.fetch_bytes, FETCH_BYTES);
	assert_ptr_equal((uint8_t *)vasi_buffer(f->s, 0, 1),
			 (uint8_t *)vasi_buffer(f->s, 0, 0) + BUFFER_BYTES + FETCH_BYTES);
	assert_ptr_equal((uint8_t *)vasi_download_data(f->s, 0, 1),
			 (uint8_t *)vasi_buffer(f->s, 0, 1) + DATA_OFFSET);
	assert_int_equal(vasi_download_room(f->s, 0), BUFFER_BYTES - DATA_OFFSET - 4);
	assert_null(vasi_buffer(f->s, 0, 4));
	assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES * 2, 1, 0), 1);
	assert_int_equal(driver.setup.fetch_bytes, 0);
	assert_int_equal(driver.mapped, 2);
}

static void test_pool_fails(void **state)
{
	struct fixture *f = *state;

	driver.setup_ret = -ENOMEM;
	assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES, 1, 0), -ENOMEM);
	driver.setup_ret = 0;
	driver.no_map = true;
	assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES, 1, 0), -ENOMEM);
	driver.no_map = false;
	/* The kernel's number of the next one is another than ours */
	assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES, 1, 0), 1);
	assert_int_equal(vasi_post(f->s, 1, 0), 0);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	assert_int_equal(driver.requests[0].pool, 2);
	/* All that the pane may take */
	assert_int_equal(vasi_pool_setup(f->s, 1 << 20, 4, 0), -ENOMEM);
	assert_int_equal(vasi_pool_setup(f->s, 1 << 20, 3, 0), 2);
	no_event(f);
	driver.setup_ret = -ECONNRESET;
	assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES, 1, 0), -ENODEV);
	expect_lost(f, "the adapter was reset");
}

static void spoil_stride(struct vasi_pool_setup *setup)
{
	setup->stride--;
}

static void spoil_bytes(struct vasi_pool_setup *setup)
{
	setup->mmap_bytes--;
}

static void spoil_data_offset(struct vasi_pool_setup *setup)
{
	setup->data_offset = setup->buffer_bytes - 4;
}

static void spoil_number(struct vasi_pool_setup *setup)
{
	setup->pool = 0;
}

static void spoil_high_number(struct vasi_pool_setup *setup)
{
	setup->pool = 64;
}

static void test_pool_spoilt(void **state)
{
	static void (*const spoil[])(struct vasi_pool_setup *setup) = {
		spoil_stride, spoil_bytes, spoil_data_offset, spoil_number,
		spoil_high_number,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(spoil); i++) {
		struct fixture *f = *state;

		driver.spoil = spoil[i];
		assert_int_equal(vasi_pool_setup(f->s, BUFFER_BYTES, 1, 0), -ENODEV);
		driver.spoil = NULL;
		expect_lost(f, "pool: ");
		teardown(state);
		setup_session(state);
	}
}

/*
 * Requests
 */

static void test_requests(void **state)
{
	struct fixture *f = *state;
	const struct vasi_io_request *r = driver.requests;

	assert_int_equal(vasi_post(f->s, 0, 1), 0);
	assert_int_equal(vasi_post(f->s, 0, 0), 0);
	assert_int_equal(vasi_download(f->s, 0, 2, 50, true, 21), 0);
	assert_int_equal(vasi_dirty_map(f->s, 0, 3, 16, 100, 4096, true, 22), 0);
	assert_int_equal(vasi_signal(f->s, VASI_SIGNAL_ABORT, 0x02000001, 23), 0);
	assert_int_equal(vasi_progress(f->s, 24), 0);
	assert_int_equal(vasi_message(f->s, 0x1020304050607080ULL, 25), 0);
	assert_int_equal(vasi_free_buffer(f->s, 0, 26), 0);
	assert_int_equal(driver.submits, 0);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	/* All in one call, in order */
	assert_int_equal(driver.submits, 1);
	assert_int_equal(driver.request_count, 8);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(r[i].reserved, 0);
		assert_int_equal(r[i].generation, 0);
	}
	assert_int_equal(r[0].op, VASI_REQ_COMPLETE);
	assert_int_equal(r[0].flags, VASI_COMPLETE_ADD);
	assert_int_equal(r[0].index, 1);
	assert_int_equal(r[1].op, VASI_REQ_COMPLETE);
	assert_int_equal(r[1].index, 0);
	assert_int_equal(r[2].op, VASI_REQ_DOWNLOAD);
	assert_int_equal(r[2].index, 2);
	assert_int_equal(r[2].token, 21);
	assert_int_equal(r[2].u.download.offset, DATA_OFFSET);
	assert_int_equal(r[2].u.download.bytes, 50);
	assert_int_equal(r[3].op, VASI_REQ_DIRTY_MAP);
	assert_int_equal(r[3].flags, VASI_DIRTY_CLEAR);
	assert_int_equal(r[3].index, 3);
	assert_int_equal(r[3].token, 22);
	assert_int_equal(r[3].u.dirty_map.first_page, 16);
	assert_int_equal(r[3].u.dirty_map.pages, 100);
	assert_int_equal(r[3].u.dirty_map.granule, 4096);
	assert_int_equal(r[4].op, VASI_REQ_SIGNAL);
	assert_int_equal(r[4].token, 23);
	assert_int_equal(r[4].u.signal.code, VASI_SIGNAL_ABORT);
	assert_int_equal(r[4].u.signal.reason, 0x02000001);
	assert_int_equal(r[5].op, VASI_REQ_PROGRESS);
	assert_int_equal(r[5].token, 24);
	assert_int_equal(r[6].op, VASI_REQ_MESSAGE);
	assert_int_equal(r[6].token, 25);
	assert_int_equal(r[6].u.message, 0x1020304050607080ULL);
	assert_int_equal(r[7].op, VASI_REQ_FREE);
	assert_int_equal(r[7].token, 26);
	/* None of these buffers is the caller's now */
	assert_int_equal(vasi_post(f->s, 0, 1), -EBUSY);
	assert_int_equal(vasi_post(f->s, 0, 2), -EBUSY);
	assert_int_equal(vasi_post(f->s, 0, 3), -EBUSY);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	assert_int_equal(driver.submits, 1);
}

/* The kernel takes some, then none: the rest waits for room, in order */
static void test_no_room(void **state)
{
	struct fixture *f = *state;
	struct io_uring_sqe fetching = one_sqe(f, IORING_OP_URING_CMD), writable;

	(void)fetching;
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(vasi_message(f->s, i, i), 0);
	driver.submit_ret = 30;
	assert_int_equal(vasi_device_flush(f->dev), 0);
	assert_int_equal(driver.request_count, 100);
	assert_int_equal(driver.submits, 4);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(vasi_message(f->s, 100 + i, i), 0);
	driver.submit_ret = -EAGAIN;
	assert_int_equal(vasi_device_flush(f->dev), 0);
	writable = one_sqe(f, IORING_OP_POLL_ADD);
	assert_int_equal(writable.fd, SESSION_FD);
	assert_int_equal(writable.poll32_events, POLLOUT);
	/* Until then nobody asks again */
	assert_int_equal(vasi_message(f->s, 200, 0), 0);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	no_sqe(f);
	assert_int_equal(driver.submits, 5);
	driver.submit_ret = 0;
	complete(f, &writable, POLLOUT);
	assert_int_equal(driver.request_count, 201);
	for (unsigned int i = 0; i < 201; i++)
		assert_int_equal(driver.requests[i].u.message, i);
	no_event(f);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vasi_post(f->s, 0, 2), 0);
	driver.submit_ret = -EBUSY;
	assert_int_equal(vasi_device_flush(f->dev), -ENODEV);
	expect_lost(f, "pool 0, buffer 2: ");
	assert_int_equal(vasi_message(f->s, 1, 1), -ENODEV);
	vasi_session_free(f->s);
}

static void test_submit_reset(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vasi_progress(f->s, 1), 0);
	driver.submit_ret = -ECONNRESET;
	assert_int_equal(vasi_device_flush(f->dev), -ENODEV);
	expect_lost(f, "the adapter was reset");
}

static void test_respond(void **state)
{
	struct fixture *f = *state;
	struct vasi_io_event op = an_operation;
	const struct vasi_io_request *r = driver.requests;

	for (uint32_t i = 0; i < 3; i++) {
		post(f, i);
		op.index = i;
		op.generation = 1000 + i;
		bring(f, &op);
		next_event(f, VASI_EV_OPERATION);
		assert_int_equal(f->ev.index, i);
	}
	assert_int_equal(vasi_respond(f->s, 0, 0, VASI_SUCCESS, 0, true), 0);
	assert_int_equal(vasi_respond(f->s, 0, 1, VASI_SUCCESS, 5, false), 0);
	assert_int_equal(vasi_respond(f->s, 0, 2, VASI_END_OF_FILE, 77, true), 0);
	assert_int_equal(vasi_respond(f->s, 0, 0, VASI_SUCCESS, 0, true), -EBUSY);
	assert_int_equal(vasi_device_flush(f->dev), 0);
	assert_int_equal(driver.request_count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(r[i].op, VASI_REQ_COMPLETE);
		assert_int_equal(r[i].index, i);
		assert_int_equal(r[i].generation, 1000 + i);
	}
	assert_int_equal(r[0].flags, VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD);
	assert_int_equal(r[0].u.complete.status, VASI_SUCCESS);
	assert_int_equal(r[1].flags, VASI_COMPLETE_RESPOND);
	assert_int_equal(r[1].u.complete.residual, 0);
	assert_int_equal(r[2].u.complete.status, VASI_END_OF_FILE);
	assert_int_equal(r[2].u.complete.residual, 77);
	/* 0 and 2 are the platform's, 1 the caller's */
	assert_int_equal(vasi_post(f->s, 0, 0), -EBUSY);
	assert_int_equal(vasi_post(f->s, 0, 1), 0);
	assert_int_equal(vasi_post(f->s, 0, 2), -EBUSY);
}

/* A session that closes: the kernel ends its operations on its own */
static void test_respond_closing(void **state)
{
	struct fixture *f = *state;

	post(f, 0);
	bring(f, &an_operation);
	next_event(f, VASI_EV_OPERATION);
	assert_int_equal(vasi_progress(f->s, 1), 0);
	assert_int_equal(vasi_session_close(f->s, 2), 0);
	assert_int_equal(vasi_respond(f->s, 0, 0, VASI_SUCCESS, 0, true), 0);
	driver.submit_ret = -ENOTCONN;
	assert_int_equal(vasi_device_flush(f->dev), 0);
	driver.submit_ret = 0;
	assert_int_equal(vasi_device_flush(f->dev), 0);
	assert_int_equal(driver.request_count, 0);
	no_event(f);
}

/*
 * Events
 */

static void test_events(void **state)
{
	const struct vasi_io_event events[] = {
		{ .type = VASI_EVT_OPERATION, .index = 0, .generation = 5,
		  .u.operation = { .bytes = 100, .op_code = VASI_OP_WRITE, .segments = 2 } },
		{ .type = VASI_EVT_ADDED, .index = 1, .status = VASI_INVALID_BUFFER_LENGTH },
		{ .type = VASI_EVT_DOWNLOADED, .index = 2, .token = 31,
		  .status = VASI_STREAM_ABORTED },
		{ .type = VASI_EVT_DIRTY_MAP, .index = 3, .token = 32,
		  .u.dirty_map = { .first_page = 16, .dirty = 3, .pages = 90,
				   .granule = 65536 } },
		{ .type = VASI_EVT_FREED, .token = 33, .status = VASI_EMPTY },
		{ .type = VASI_EVT_SIGNALLED, .token = 34, .status = VASI_RACE_LOST },
		{ .type = VASI_EVT_PROGRESS, .token = 35, .u.bytes_left = 1ULL << 40 },
		{ .type = VASI_EVT_MESSAGED, .token = 36 },
		{ .type = VASI_EVT_MESSAGE, .u.message = 0xabcdef },
		{ .type = VASI_EVT_STATE, .u.state = { VASI_STATE_ABORTED, 0x01000002 } },
	};
	struct fixture *f = *state;
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	vasi_post(f->s, 0, 0);
	vasi_post(f->s, 0, 1);
	vasi_download(f->s, 0, 2, 1, false, 31);
	vasi_dirty_map(f->s, 0, 3, 16, 90, 0, false, 32);
	vasi_device_flush(f->dev);
	fetch(f, &sqe, events, ARRAY_SIZE(events));
	/* The next fetch is in the ring at once */
	command(f, SESSION_FD, VASI_IOC_FETCH);

	next_event(f, VASI_EV_OPERATION);
	assert_ptr_equal(f->ev.session, f->s);
	assert_int_equal(f->ev.bytes, 100);
	assert_int_equal(f->ev.segments, 2);
	assert_int_equal(f->ev.op_code, VASI_OP_WRITE);
	next_event(f, VASI_EV_ADDED);
	assert_int_equal(f->ev.index, 1);
	assert_int_equal(f->ev.status, VASI_INVALID_BUFFER_LENGTH);
	next_event(f, VASI_EV_DOWNLOADED);
	assert_int_equal(f->ev.index, 2);
	assert_int_equal(f->ev.token, 31);
	assert_int_equal(f->ev.status, VASI_STREAM_ABORTED);
	next_event(f, VASI_EV_DIRTY_MAP);
	assert_int_equal(f->ev.index, 3);
	assert_int_equal(f->ev.token, 32);
	assert_int_equal(f->ev.dirty_map.first_page, 16);
	assert_int_equal(f->ev.dirty_map.pages, 90);
	assert_int_equal(f->ev.dirty_map.dirty, 3);
	assert_int_equal(f->ev.dirty_map.granule, 65536);
	next_event(f, VASI_EV_FREED);
	assert_int_equal(f->ev.status, VASI_EMPTY);
	assert_int_equal(f->ev.token, 33);
	next_event(f, VASI_EV_SIGNALLED);
	assert_int_equal(f->ev.status, VASI_RACE_LOST);
	assert_int_equal(f->ev.token, 34);
	next_event(f, VASI_EV_PROGRESS);
	assert_int_equal(f->ev.bytes, 1ULL << 40);
	next_event(f, VASI_EV_MESSAGED);
	assert_int_equal(f->ev.token, 36);
	next_event(f, VASI_EV_MESSAGE);
	assert_int_equal(f->ev.message, 0xabcdef);
	next_event(f, VASI_EV_STATE);
	assert_int_equal(f->ev.state, VASI_STATE_ABORTED);
	assert_int_equal(f->ev.reason, 0x01000002);
	no_event(f);
	/* 1, 2 and 3 are the caller's again */
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(vasi_post(f->s, 0, i), 0);
}

static void test_freed(void **state)
{
	const struct vasi_io_event freed = {
		.type = VASI_EVT_FREED, .index = 2, .token = 9,
	};
	struct fixture *f = *state;

	post(f, 2);
	vasi_free_buffer(f->s, 0, 9);
	bring(f, &freed);
	next_event(f, VASI_EV_FREED);
	assert_int_equal(f->ev.index, 2);
	assert_int_equal(f->ev.token, 9);
	assert_int_equal(vasi_post(f->s, 0, 2), 0);
}

/* Buffer 0 is posted, 1 downloaded, 2 filled with dirty bits, 3 the caller's */
static const struct vasi_io_event bad_events[] = {
	{ .type = 0 },
	{ .type = VASI_EVT_MESSAGE + 1 },
	{ .type = UINT16_MAX },
	{ .type = VASI_EVT_MESSAGED, .status = 256 },
	{ .type = VASI_EVT_STATE, .u.state.state = 0x10000 },
	{ .type = VASI_EVT_CLOSED },
	{ .type = VASI_EVT_ADDED, .index = 0 },
	{ .type = VASI_EVT_ADDED, .index = 1, .status = 1 },
	{ .type = VASI_EVT_ADDED, .index = 4, .status = 1 },
	{ .type = VASI_EVT_DOWNLOADED, .index = 0 },
	{ .type = VASI_EVT_DOWNLOADED, .index = 3 },
	{ .type = VASI_EVT_DOWNLOADED, .index = UINT32_MAX },
	{ .type = VASI_EVT_DOWNLOADED, .index = 1, .pool = 1 },
	{ .type = VASI_EVT_DOWNLOADED, .index = 1, .pool = 64 },
	{ .type = VASI_EVT_DOWNLOADED, .index = 1, .pool = UINT16_MAX },
	{ .type = VASI_EVT_FREED, .index = 1 },
	{ .type = VASI_EVT_FREED, .index = 4 },
	{ .type = VASI_EVT_DIRTY_MAP, .index = 1 },
	{ .type = VASI_EVT_DIRTY_MAP, .index = 2, .u.dirty_map.pages = 91 },
	{ .type = VASI_EVT_DIRTY_MAP, .index = 2,
	  .u.dirty_map = { .pages = 90, .dirty = 91 } },
	{ .type = VASI_EVT_OPERATION, .index = 3,
	  .u.operation = { .op_code = VASI_OP_WRITE } },
	{ .type = VASI_EVT_OPERATION, .index = 4,
	  .u.operation = { .op_code = VASI_OP_WRITE } },
	{ .type = VASI_EVT_OPERATION },
	{ .type = VASI_EVT_OPERATION,
	  .u.operation = { .op_code = VASI_OP_WRITE | VASI_OP_INDEXED } },
	{ .type = VASI_EVT_OPERATION, .u.operation = { .op_code = 0x180 } },
	{ .type = VASI_EVT_OPERATION,
	  .u.operation = { .op_code = VASI_OP_WRITE, .bytes = BUFFER_BYTES + 1 } },
	{ .type = VASI_EVT_OPERATION,
	  .u.operation = { .op_code = VASI_OP_WRITE, .fetched = FETCH_BYTES + 1 } },
	{ .type = VASI_EVT_OPERATION,
	  .u.operation = { .op_code = VASI_OP_WRITE, .segments = UINT32_MAX } },
};

static void ready_for_bad_events(struct fixture *f)
{
	vasi_post(f->s, 0, 0);
	vasi_download(f->s, 0, 1, 1, false, 0);
	vasi_dirty_map(f->s, 0, 2, 0, 90, 0, false, 0);
	vasi_device_flush(f->dev);
}

static void test_bad_events(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_events); i++) {
		struct fixture *f = *state;

		ready_for_bad_events(f);
		bring(f, &bad_events[i]);
		/* An event for the caller may come before, but then the end */
		while (vasi_reap(f->dev, &f->ev, 1) && f->ev.type != VASI_EV_LOST)
			;
		if (f->ev.type != VASI_EV_LOST)
			fail_msg("event %u was believed", i);
		assert_non_null(strstr(vasi_device_error(f->dev), "bad event"));
		no_sqe(f);
		teardown(state);
		setup_session(state);
	}
}

static void test_too_many_events(void **state)
{
	struct fixture *f = *state;
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	complete(f, &sqe, (int)vector_of(&sqe).count + 1);
	expect_lost(f, "fetch: ");
}

static void test_event_after_closed(void **state)
{
	const struct vasi_io_event events[] = {
		{ .type = VASI_EVT_CLOSED }, { .type = VASI_EVT_MESSAGED },
	};
	struct fixture *f = *state;
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	vasi_session_close(f->s, 0);
	vasi_device_flush(f->dev);
	fetch(f, &sqe, events, 2);
	next_event(f, VASI_EV_CLOSED);
	expect_lost(f, "bad event");
}

/* Whatever events there are: libvasi holds, and so do its answers */
static void test_any_events(void **state)
{
	uint32_t random = 1;

	for (unsigned int round = 0; round < FUZZ_ROUNDS; round++) {
		struct fixture *f = *state;
		struct vasi_io_event event = { 0 };
		uint8_t *bytes = (uint8_t *)&event;

		for (unsigned int i = 0; i < sizeof(event); i++) {
			random = random * 1103515245 + 12345;
			bytes[i] = (uint8_t)(random >> 16);
			if (random >> 28 < 9)
				bytes[i] &= 3;
			if (random >> 28 < 6)
				bytes[i] = 0;
		}
		event.status &= 0x1ff;
		ready_for_bad_events(f);
		bring(f, &event);
		while (vasi_reap(f->dev, &f->ev, 1) && f->ev.type != VASI_EV_LOST) {
			assert_true(f->ev.index < 4 && !f->ev.pool);
			if (f->ev.type == VASI_EV_DIRTY_MAP)
				assert_true(f->ev.dirty_map.pages <= 90);
		}
		if (!f->dev->lost && round % 16)
			continue;
		teardown(state);
		setup_session(state);
	}
}

/*
 * Operations
 */

static void test_operation(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[4];

	post(f, 0);
	write_op(f, 0, 100);
	bring(f, &an_operation);
	next_event(f, VASI_EV_OPERATION);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), 1);
	assert_int_equal(iov[0].iov_len, 100);
	assert_int_equal(*(uint8_t *)iov[0].iov_base, 0x5a);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 0), -ENOSPC);
	/* What was counted on arrival is not there any more */
	write_op(f, 0, 101);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), -EBADMSG);
	assert_int_equal(vasi_operation_iov(f->s, 0, 1, iov, 4), -EBUSY);
}

/* Indirect segments: their data were fetched, one after the other */
static void test_operation_fetched(void **state)
{
	const struct vasi_op op = {
		.top = TOP, .bottom = BOTTOM, .op_code = VASI_OP_WRITE,
	};
	struct vasi_io_event event = an_operation;
	struct fixture *f = *state;
	uint8_t *buffer = vasi_buffer(f->s, 0, 1);
	struct vasi_seg_builder b;
	struct iovec iov[4];

	post(f, 1);
	vasi_op_begin(&b, buffer, BUFFER_BYTES, &op);
	vasi_op_add_indirect(&b, 1000, 0x80000000);
	vasi_seg_add_immediate(&b, 10);
	vasi_op_add_indirect(&b, 2000, 0x90000000);
	vasi_seg_end(&b, buffer);
	event.index = 1;
	event.u.operation.bytes = 3010;
	event.u.operation.segments = 3;
	event.u.operation.fetched = 3000;
	bring(f, &event);
	next_event(f, VASI_EV_OPERATION);
	assert_int_equal(vasi_operation_iov(f->s, 0, 1, iov, 4), 3);
	assert_ptr_equal(iov[0].iov_base, buffer + BUFFER_BYTES);
	assert_int_equal(iov[0].iov_len, 1000);
	assert_int_equal(iov[1].iov_len, 10);
	assert_ptr_equal(iov[2].iov_base, buffer + BUFFER_BYTES + 1000);
	assert_int_equal(iov[2].iov_len, 2000);
	/* A segment that grew would lie in the next buffer */
	vasi_op_begin(&b, buffer, BUFFER_BYTES, &op);
	vasi_op_add_indirect(&b, 3000, 0x80000000);
	vasi_op_add_indirect(&b, 10, 0x80000000);
	vasi_seg_end(&b, buffer);
	assert_int_equal(vasi_operation_iov(f->s, 0, 1, iov, 4), -EBADMSG);
}

/*
 * Fetching
 */

static void fetch_error(void **state, int res, const char *text)
{
	struct fixture *f = *state;
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	complete(f, &sqe, res);
	expect_lost(f, text);
	no_sqe(f);
	assert_false(vasi_device_busy(f->dev));
}

static void test_fetch_reset(void **state)
{
	fetch_error(state, -ECONNRESET, "the adapter was reset");
}

static void test_fetch_gone(void **state)
{
	fetch_error(state, -ENODEV, "the adapter is gone");
}

static void test_fetch_over(void **state)
{
	fetch_error(state, -ENOTCONN, "fetch: ");
}

static void test_fetch_again(void **state)
{
	struct fixture *f = *state;
	struct io_uring_sqe sqe;

	sqe = command(f, SESSION_FD, VASI_IOC_FETCH);
	complete(f, &sqe, -EAGAIN);
	sqe = command(f, SESSION_FD, VASI_IOC_FETCH);
	complete(f, &sqe, 0);
	command(f, SESSION_FD, VASI_IOC_FETCH);
	no_event(f);
}

/* A kernel whose fetches do not wait: each stands behind a poll */
static void test_fetch_behind_poll(void **state)
{
	const struct vasi_io_event messaged = { .type = VASI_EVT_MESSAGED };
	struct fixture *f = *state;
	struct io_uring_sqe poll, sqe;

	driver.info.features &= ~VASI_FEATURE_FETCH_WAITS;
	assert_int_equal(open_device(f), 0);
	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), 0);
	open_session(f);
	for (unsigned int round = 0; round < 2; round++) {
		take_sqes(f);
		assert_int_equal(f->sqe_count, 2);
		f->sqe_count = 0;
		poll = f->sqes[0];
		sqe = f->sqes[1];
		assert_int_equal(poll.opcode, IORING_OP_POLL_ADD);
		assert_int_equal(poll.fd, SESSION_FD);
		assert_int_equal(poll.poll32_events, POLLIN);
		assert_int_equal(poll.flags, IOSQE_IO_LINK);
		assert_int_equal(sqe.opcode, IORING_OP_URING_CMD);
		assert_int_equal(sqe.cmd_op, VASI_IOC_FETCH);
		assert_int_equal(sqe.flags, 0);
		if (round)
			break;
		complete(f, &poll, POLLIN);
		no_sqe(f);
		fetch(f, &sqe, &messaged, 1);
		next_event(f, VASI_EV_MESSAGED);
	}
	vasi_device_detach(f->dev);
	assert_int_equal(driver.fetch_ends, 0);
	assert_true(vasi_device_busy(f->dev));
	complete(f, &poll, -ECANCELED);
	complete(f, &sqe, -ECANCELED);
	/* And the cancellation */
	poll.user_data = (poll.user_data & ~0xffULL) | 5;
	complete(f, &poll, 0);
	assert_false(vasi_device_busy(f->dev));
	no_event(f);
}

static void test_detach(void **state)
{
	struct fixture *f = *state;
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), -EBUSY);
	vasi_device_detach(f->dev);
	assert_int_equal(driver.fetch_ends, 1);
	assert_true(vasi_device_busy(f->dev));
	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), -EBUSY);
	complete(f, &sqe, 0);
	assert_false(vasi_device_busy(f->dev));
	no_sqe(f);
	/* Attached again, it goes on */
	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), 0);
	sqe = command(f, SESSION_FD, VASI_IOC_FETCH);
	complete(f, &sqe, 0);
	command(f, SESSION_FD, VASI_IOC_FETCH);
}

/* A lost device's session is freed while the kernel may still write its events */
static void test_free_in_flight(void **state)
{
	const struct vasi_io_event messaged = { .type = VASI_EVT_MESSAGED };
	struct fixture *f = *state;
	struct io_uring_sqe sqe = command(f, SESSION_FD, VASI_IOC_FETCH);

	vasi_device_lost(f->dev, "the test says so");
	vasi_session_free(f->s);
	assert_int_equal(driver.fetch_ends, 1);
	assert_int_equal(driver.close_count, 0);
	fetch(f, &sqe, &messaged, 1);
	assert_int_equal(driver.close_count, 1);
	assert_int_equal(driver.closed[0], SESSION_FD);
	expect_lost(f, "the test says so");
	assert_false(vasi_device_busy(f->dev));
}

static void test_strange_cqe(void **state)
{
	struct fixture *f = *state;
	uint64_t room[2] = { 0 };
	struct io_uring_cqe *cqe = (void *)room;

	cqe->user_data = (uint64_t)(TAG + 1) << 48 | 2;
	assert_int_equal(vasi_device_cqe(f->dev, cqe), -EINVAL);
	cqe->user_data = (uint64_t)TAG << 48 | 77 << 8 | 2;
	assert_int_equal(vasi_device_cqe(f->dev, cqe), -EINVAL);
	cqe->user_data = (uint64_t)TAG << 48 | 1 << 8 | 2;
	assert_int_equal(vasi_device_cqe(f->dev, cqe), -EINVAL);
}

/*
 * Donors
 */

static void test_donor(void **state)
{
	struct fixture *f = *state;
	struct vasi_donor *donor;

	assert_int_equal(vasi_donor_open(f->dev, &donor), 0);
	driver.donate.rc = VASI_RC_LONG_BUSY_10_MSEC;
	assert_int_equal(vasi_donate(donor, f->s), VASI_RC_LONG_BUSY_10_MSEC);
	assert_true(driver.donate.budget_ns > 0 &&
		    driver.donate.budget_ns <= 10 * NSEC_PER_MSEC);
	driver.stream.state = VASI_STATE_SUSPENDED;
	assert_int_equal(vasi_stream_state(donor, STREAM), VASI_STATE_SUSPENDED);
	assert_int_equal(driver.stream_request, VASI_IOC_STREAM_STATE);
	assert_int_equal(driver.stream.stream_id, STREAM);
	driver.stream.rc = VASI_RC_NOT_FOUND;
	assert_int_equal(vasi_stream_state(donor, STREAM), VASI_RC_NOT_FOUND);
	assert_int_equal(vasi_stream_cancel(donor, STREAM, 0x01000000), VASI_RC_NOT_FOUND);
	assert_int_equal(driver.stream_request, VASI_IOC_STREAM_CANCEL);
	assert_int_equal(driver.stream.reason, 0x01000000);
	driver.donate_ret = -ENODEV;
	assert_int_equal(vasi_donate(donor, f->s), VASI_RC_HARDWARE);
	assert_int_equal(vasi_stream_state(donor, STREAM), VASI_RC_HARDWARE);
	vasi_donor_close(donor);
}

#define WITH(setup, test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(setup_bare, test_open),
		WITH(setup_bare, test_open_less),
		WITH(setup_bare, test_open_fd),
		WITH(setup_bare, test_open_fails),
		WITH(setup_device, test_session),
		WITH(setup_device, test_session_refused),
		WITH(setup_device, test_open_reset),
		WITH(setup_device, test_open_gone),
		WITH(setup_device, test_open_without_fd),
		WITH(setup_device, test_open_with_status),
		WITH(setup_device, test_open_twice_bottom),
		WITH(setup_device, test_open_late),
		WITH(setup_session, test_pool),
		WITH(setup_session, test_pool_fails),
		WITH(setup_session, test_pool_spoilt),
		WITH(setup_session, test_requests),
		WITH(setup_session, test_no_room),
		WITH(setup_session, test_refused),
		WITH(setup_session, test_submit_reset),
		WITH(setup_session, test_respond),
		WITH(setup_session, test_respond_closing),
		WITH(setup_session, test_events),
		WITH(setup_session, test_freed),
		WITH(setup_session, test_bad_events),
		WITH(setup_session, test_too_many_events),
		WITH(setup_session, test_event_after_closed),
		WITH(setup_session, test_any_events),
		WITH(setup_session, test_operation),
		WITH(setup_session, test_operation_fetched),
		WITH(setup_session, test_fetch_reset),
		WITH(setup_session, test_fetch_gone),
		WITH(setup_session, test_fetch_over),
		WITH(setup_session, test_fetch_again),
		WITH(setup_bare, test_fetch_behind_poll),
		WITH(setup_session, test_detach),
		WITH(setup_session, test_free_in_flight),
		WITH(setup_session, test_strange_cqe),
		WITH(setup_session, test_donor),
	};

	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
