// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of libvasi with its user-mode driver, against a scripted platform.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/util.h"
#include "fake_platform.h"
#include "libvasi/vasi.h"

#define PANE_BYTES	(4u << 20)
#define TAG		0x1234
#define STREAM		0x1122334455667788ULL
#define BOTTOM		0xb0770001u
#define WINDOW_BYTES	(1u << 20)
/* I/O address of the first buffer: lists for Add Buffer Indirect lie before it */
#define FIRST_IOBA	65536u
#define FUZZ_ROUNDS	150
#define FUZZ_MESSAGES	200

struct fixture {
	struct fake_platform p;
	struct io_uring ring;
	struct vasi_device *dev;
	struct vasi_session *s;
	struct vasi_msg msg;
	struct vasi_event ev;
	uint32_t top;
};

static const struct vasi_device_params default_params = {
	.pane_bytes = PANE_BYTES, .dirty_map = true,
};

/*
 * Fixtures
 */

static int open_device(struct fixture *f, const struct vasi_device_params *params)
{
	int ret;

	fake_serve(&f->p);
	ret = vasi_device_open(f->p.path, params, &f->dev);
	fake_join(&f->p);
	return ret;
}

static int setup_bare(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	/* Failures are expected here, and their texts are checked */
	log_init("test_libvasi", LOG_LEVEL_ERROR);
	fake_start(&f->p);
	assert_int_equal(io_uring_queue_init(64, &f->ring, 0), 0);
	*state = f;
	return 0;
}

static void wait_cqe(struct fixture *f)
{
	struct __kernel_timespec timeout = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;

	assert_int_equal(io_uring_wait_cqe_timeout(&f->ring, &cqe, &timeout), 0);
	assert_int_equal(cqe->user_data >> 48, TAG);
	assert_int_equal(vasi_device_cqe(f->dev, cqe), 0);
	io_uring_cqe_seen(&f->ring, cqe);
}

static void close_device(struct fixture *f)
{
	vasi_device_detach(f->dev);
	while (vasi_device_busy(f->dev))
		wait_cqe(f);
	vasi_device_close(f->dev);
	f->dev = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->dev)
		close_device(f);
	io_uring_queue_exit(&f->ring);
	fake_stop(&f->p);
	free(f);
	return 0;
}

static int setup_device(void **state)
{
	struct fixture *f;

	setup_bare(state);
	f = *state;
	f->p.caps[0].dirty_map = VASI_DIRTY_MAP_OFFER;
	f->p.caps[1].dirty_map = VASI_DIRTY_MAP_OFFER;
	assert_int_equal(open_device(f, &default_params), 0);
	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), 0);
	io_uring_submit(&f->ring);
	return 0;
}

/* The next event, whatever the ring needs for it */
static void next_event(struct fixture *f, enum vasi_event_type type)
{
	while (!vasi_reap(f->dev, &f->ev, 1)) {
		io_uring_submit(&f->ring);
		wait_cqe(f);
	}
	if (f->ev.type == VASI_EV_LOST && type != VASI_EV_LOST)
		fail_msg("lost: %s", vasi_device_error(f->dev));
	assert_int_equal(f->ev.type, type);
}

static void no_event(struct fixture *f)
{
	assert_int_equal(vasi_reap(f->dev, &f->ev, 1), 0);
}

static void flush(struct fixture *f)
{
	assert_int_equal(vasi_device_flush(f->dev), 0);
	io_uring_submit(&f->ring);
}

/* What the device sent next */
static void expect(struct fixture *f, uint8_t format)
{
	flush(f);
	fake_expect(&f->p, format, &f->msg);
}

static void expect_nothing(struct fixture *f)
{
	flush(f);
	assert_int_equal(fake_pending(&f->p), 0);
}

/* Answer f->msg; data stay as they were asked unless the caller changed them */
static void answer(struct fixture *f, uint8_t status, uint32_t handle)
{
	f->msg.format |= VASI_FMT_RESPONSE;
	f->msg.status = status;
	f->msg.handle = handle;
	fake_send(&f->p, &f->msg);
}

static struct vasi_session *open_session(struct fixture *f, uint64_t stream, uint32_t bottom)
{
	struct vasi_session *s;

	assert_int_equal(vasi_session_open(f->dev, stream, VASI_SERVICE_SOURCE_MOVER, 5, &s),
			 0);
	expect(f, VASI_FMT_OPEN);
	assert_true(f->msg.data == stream);
	f->top = f->msg.handle;
	answer(f, VASI_SUCCESS, bottom);
	next_event(f, VASI_EV_OPENED);
	assert_int_equal(f->ev.status, VASI_SUCCESS);
	assert_int_equal(f->ev.token, 5);
	assert_ptr_equal(f->ev.session, s);
	return s;
}

static int setup_session(void **state)
{
	struct fixture *f;

	setup_device(state);
	f = *state;
	f->s = open_session(f, STREAM, BOTTOM);
	return 0;
}

static void expect_lost(struct fixture *f, const char *part)
{
	next_event(f, VASI_EV_LOST);
	if (!strstr(vasi_device_error(f->dev), part))
		fail_msg("\"%s\" is not in \"%s\"", part, vasi_device_error(f->dev));
	no_event(f);
	assert_int_equal(vasi_device_flush(f->dev), -ENODEV);
}

/* Where a descriptor points, on the platform's side */
static uint8_t *pane_at(struct fixture *f, uint64_t desc, uint32_t *length)
{
	uint32_t ioba;

	assert_int_equal(vasi_desc_parse(desc, length, &ioba), 0);
	assert_true((uint64_t)ioba + *length <= f->p.pane_bytes);
	return f->p.pane + ioba;
}

static uint64_t correlator_at(const uint8_t *buffer)
{
	__be64 raw;

	memcpy(&raw, buffer, sizeof(raw));
	return be64toh(raw);
}

/*
 * Opening a device
 */

static void test_open(void **state)
{
	const struct vasi_device_info *info;
	struct fixture *f = *state;

	assert_int_equal(open_device(f, &default_params), 0);
	info = vasi_device_info(f->dev);
	assert_int_equal(info->unit_address, 0x30000001);
	assert_int_equal(info->crq_entries, 256);
	assert_int_equal(info->buffer_pools, 2);
	assert_int_equal(info->streams, 8);
	assert_int_equal(info->features, VASI_CAP_MULTIPLE_OPENS | VASI_CAP_ADD_BUFFER_INDIRECT |
			 VASI_CAP_DOWNLOAD_IMMEDIATE | VASI_CAP_DOWNLOAD_INDIRECT);
	assert_int_equal(info->operations, VASI_CAP_OP_WRITE_SEQ_IMMEDIATE |
			 VASI_CAP_OP_WRITE_SEQ_INDIRECT);
	assert_int_equal(info->opens, 16);
	assert_int_equal(f->p.asked.opens, 255);
	assert_int_equal(f->p.asked.dirty_map, VASI_DIRTY_MAP_REQUEST);
	assert_string_equal(vasi_device_error(f->dev), "no error");
}

static void test_open_platform_starts(void **state)
{
	struct fixture *f = *state;

	f->p.initialise = true;
	assert_int_equal(open_device(f, &default_params), 0);
}

static void test_capabilities(void **state)
{
	static const struct {
		struct vasi_caps source, target;
		struct vasi_device_params params;
		bool no_pane2;
		struct vasi_device_info info;
		uint8_t asked_operations;
	} cases[] = {
		/* Nothing but what must be */
		{ { .features = 2, .operations = 8 }, { .features = 2, .operations = 8 },
		  { PANE_BYTES, false, false }, false,
		  { .features = 2, .operations = 8, .opens = 1 }, 0x0c },
		/* An offer of opens without the capability */
		{ { .features = 2, .operations = 8, .opens = 9 },
		  { .features = 2, .operations = 8, .opens = 9 },
		  { PANE_BYTES, false, false }, false,
		  { .features = 2, .operations = 8, .opens = 1 }, 0x0c },
		/* The lower of both services */
		{ { .features = 0x43, .operations = 8, .opens = 9 },
		  { .features = 0x42, .operations = 0x0c, .opens = 4 },
		  { PANE_BYTES, false, false }, false,
		  { .features = 0x42, .operations = 8, .opens = 4 }, 0x0c },
		/* More than was asked for does not count */
		{ { .features = 0xff, .operations = 0xff, .opens = 255,
		    .dirty_map = VASI_DIRTY_MAP_OFFER },
		  { .features = 0xff, .operations = 0xff, .opens = 255 },
		  { PANE_BYTES, false, true }, false,
		  { .features = 0x47, .operations = 8, .opens = 255 }, 0x08 },
		{ { .features = 0xff, .operations = 0xff, .opens = 2 },
		  { .features = 0xff, .operations = 0xff, .opens = 2 },
		  { PANE_BYTES, false, false }, true,
		  { .features = 0x47, .operations = 8, .opens = 2 }, 0x08 },
		/* Dirty Map: offered, an echo of the request, and nothing */
		{ { .features = 2, .operations = 8, .dirty_map = VASI_DIRTY_MAP_OFFER },
		  { .features = 2, .operations = 8 }, { PANE_BYTES, true, false }, false,
		  { .features = 2, .operations = 8, .opens = 1, .dirty_map = true }, 0x0c },
		{ { .features = 2, .operations = 8, .dirty_map = VASI_DIRTY_MAP_REQUEST },
		  { .features = 2, .operations = 8, .dirty_map = VASI_DIRTY_MAP_REQUEST },
		  { PANE_BYTES, true, false }, false,
		  { .features = 2, .operations = 8, .opens = 1 }, 0x0c },
		{ { .features = 2, .operations = 8 }, { .features = 2, .operations = 8 },
		  { PANE_BYTES, true, false }, false,
		  { .features = 2, .operations = 8, .opens = 1 }, 0x0c },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct vasi_device_info *info;
		struct fixture *f;

		setup_bare(state);
		f = *state;
		f->p.caps[0] = cases[i].source;
		f->p.caps[1] = cases[i].target;
		if (cases[i].no_pane2)
			f->p.welcome.pane2_bytes = 0;
		assert_int_equal(open_device(f, &cases[i].params), 0);
		info = vasi_device_info(f->dev);
		assert_int_equal(f->p.asked.operations, cases[i].asked_operations);
		assert_int_equal(info->features, cases[i].info.features);
		assert_int_equal(info->operations, cases[i].info.operations);
		assert_int_equal(info->opens, cases[i].info.opens);
		assert_int_equal(info->dirty_map, cases[i].info.dirty_map);
		teardown(state);
	}
}

static void script_close(struct fake_platform *p)
{
	shutdown(p->fd, SHUT_RDWR);
}

static void script_refuse(struct fake_platform *p)
{
	vio_send_refused(p->fd, EBUSY, "taken by %s", "another");
}

static void script_garbage(struct fake_platform *p)
{
	send(p->fd, "garbage", 7, 0);
}

static void script_no_welcome(struct fake_platform *p)
{
	vio_send_event(p->fd, 1);
}

static void script_small_queue(struct fake_platform *p)
{
	p->welcome.crq_bytes = 0;
	vio_send_welcome(p->fd, &p->welcome);
}

static void script_small_pane(struct fake_platform *p)
{
	p->welcome.pane1_bytes = htobe64(4096);
	vio_send_welcome(p->fd, &p->welcome);
}

static void send_header(struct fake_platform *p, uint8_t header, uint8_t format)
{
	const struct vasi_crq entry = { .header = header, .format = format };

	fake_send_entry(p, &entry);
}

static void script_event(struct fake_platform *p)
{
	vio_send_welcome(p->fd, &p->welcome);
	send_header(p, VASI_CRQ_EVENT, VASI_EVENT_PARTNER_FAILED);
}

static void script_odd_init(struct fake_platform *p)
{
	vio_send_welcome(p->fd, &p->welcome);
	send_header(p, VASI_CRQ_INIT, 7);
}

static void script_two_inits(struct fake_platform *p)
{
	vio_send_welcome(p->fd, &p->welcome);
	send_header(p, VASI_CRQ_INIT, VASI_INIT_COMPLETE);
	send_header(p, VASI_CRQ_INIT, VASI_INIT_COMPLETE);
}

static void script_early_caps(struct fake_platform *p)
{
	const struct vasi_msg caps = { .format = 0x81, .service = 1 };

	vio_send_welcome(p->fd, &p->welcome);
	fake_send(p, &caps);
}

static void script_wrong_service(struct fake_platform *p)
{
	const struct vasi_msg caps = { .format = 0x81, .service = 3 };

	vio_send_welcome(p->fd, &p->welcome);
	send_header(p, VASI_CRQ_INIT, VASI_INIT_COMPLETE);
	fake_send(p, &caps);
}

static void script_caps_twice(struct fake_platform *p)
{
	const struct vasi_msg caps = { .format = 0x81, .service = 1 };

	vio_send_welcome(p->fd, &p->welcome);
	send_header(p, VASI_CRQ_INIT, VASI_INIT_COMPLETE);
	fake_send(p, &caps);
	fake_send(p, &caps);
}

static void script_caps_fail(struct fake_platform *p)
{
	const struct vasi_msg caps = { .format = 0x81, .service = 1, .status = VASI_HARDWARE };

	vio_send_welcome(p->fd, &p->welcome);
	send_header(p, VASI_CRQ_INIT, VASI_INIT_COMPLETE);
	fake_send(p, &caps);
}

static void script_window(struct fake_platform *p)
{
	vio_send_welcome(p->fd, &p->welcome);
	vio_send_map(p->fd, 1, 0, 4096, 0);
}

static void test_open_failures(void **state)
{
	static const struct {
		void (*script)(struct fake_platform *p);
		int ret;
	} cases[] = {
		{ script_close, -ECONNRESET }, { script_refuse, -EBUSY },
		{ script_garbage, -EPROTO }, { script_no_welcome, -EPROTO },
		{ script_small_queue, -EPROTO }, { script_small_pane, -EPROTO },
		{ script_event, -ECONNRESET }, { script_odd_init, -EPROTO },
		{ script_two_inits, -EPROTO }, { script_early_caps, -EPROTO },
		{ script_wrong_service, -EPROTO }, { script_caps_twice, -EPROTO },
		{ script_caps_fail, -EIO }, { script_window, -EPROTO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f;

		setup_bare(state);
		f = *state;
		f->p.script = cases[i].script;
		log_set_level((enum log_level)-1);
		assert_int_equal(open_device(f, &default_params), cases[i].ret);
		assert_null(f->dev);
		teardown(state);
	}
}

static void test_open_parameters(void **state)
{
	static const uint64_t sizes[] = { 0, 4095, 4097, 1ULL << 32, UINT64_MAX };
	struct fixture *f = *state;

	log_set_level((enum log_level)-1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct vasi_device_params params = { .pane_bytes = sizes[i] };

		assert_int_equal(vasi_device_open(f->p.path, &params, &f->dev), -EINVAL);
	}
	assert_int_equal(vasi_device_open("/nonexistent", &default_params, &f->dev), -ENOENT);
	assert_null(f->dev);
}

/*
 * Sessions
 */

static void test_open_close(void **state)
{
	struct fixture *f = *state;
	struct vasi_session *s = open_session(f, STREAM, BOTTOM);
	int data;

	assert_null(vasi_session_data(s));
	vasi_session_set_data(s, &data);
	assert_ptr_equal(vasi_session_data(s), &data);
	assert_int_equal(vasi_session_close(s, 9), 0);
	assert_int_equal(vasi_session_close(s, 9), -ENOTCONN);
	assert_int_equal(vasi_progress(s, 1), -ENOTCONN);
	expect(f, VASI_FMT_CLOSE);
	assert_int_equal(f->msg.handle, BOTTOM);
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_CLOSED);
	assert_int_equal(f->ev.token, 9);
	vasi_session_free(s);
	/* The TOP of a session that is gone names nothing any more */
	fake_send(&f->p, &(struct vasi_msg){ .format = VASI_FMT_STATE, .handle = f->top });
	s = open_session(f, STREAM, BOTTOM);
	no_event(f);
}

static void test_open_refused(void **state)
{
	struct fixture *f = *state;
	struct vasi_session *s;

	assert_int_equal(vasi_session_open(f->dev, STREAM, VASI_SERVICE_TARGET_MOVER, 5, &s),
			 0);
	assert_int_equal(vasi_post(s, 0, 0), -ENOTCONN);
	expect(f, VASI_FMT_OPEN);
	assert_int_equal(f->msg.service, 2);
	answer(f, VASI_INVALID_SERVICE, f->msg.handle);
	next_event(f, VASI_EV_OPENED);
	assert_int_equal(f->ev.status, VASI_INVALID_SERVICE);
	assert_int_equal(vasi_session_close(s, 1), -ENOTCONN);
	vasi_session_free(s);
}

/* Opens of one stream and service are answered in order */
static void test_open_order(void **state)
{
	struct vasi_session *s[3];
	struct fixture *f = *state;
	struct vasi_msg open[3];

	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(vasi_session_open(f->dev, i == 1 ? STREAM + 1 : STREAM,
						   VASI_SERVICE_SOURCE_MOVER, i, &s[i]), 0);
		expect(f, VASI_FMT_OPEN);
		open[i] = f->msg;
	}
	f->msg = open[0];
	answer(f, VASI_SUCCESS, BOTTOM);
	f->msg = open[0];
	answer(f, VASI_TOO_MANY_OPENS, 0);
	f->msg = open[1];
	answer(f, VASI_SUCCESS, BOTTOM + 1);
	next_event(f, VASI_EV_OPENED);
	assert_ptr_equal(f->ev.session, s[0]);
	next_event(f, VASI_EV_OPENED);
	assert_ptr_equal(f->ev.session, s[2]);
	assert_int_equal(f->ev.status, VASI_TOO_MANY_OPENS);
	next_event(f, VASI_EV_OPENED);
	assert_ptr_equal(f->ev.session, s[1]);
	vasi_session_free(s[2]);
}

static void test_bottom_twice(void **state)
{
	struct vasi_session *s;
	struct fixture *f = *state;

	vasi_session_open(f->dev, STREAM, VASI_SERVICE_SOURCE_MOVER, 1, &s);
	expect(f, VASI_FMT_OPEN);
	answer(f, VASI_SUCCESS, BOTTOM);
	expect_lost(f, "to two sessions");
}

static void test_session_free_early(void **state)
{
	struct fixture *f = *state;

	log_set_level((enum log_level)-1);
	/* Refused: the platform may still write into its buffers */
	vasi_session_free(f->s);
	assert_int_equal(vasi_progress(f->s, 1), 0);
}

/*
 * Pools
 */

static void test_pools(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer;

	assert_int_equal(vasi_pool_setup(f->s, 4096, 1, 0), -EINVAL);
	assert_int_equal(vasi_pool_setup(f->s, 8193, 1, 0), -EINVAL);
	assert_int_equal(vasi_pool_setup(f->s, (8 << 20) + 4096, 1, 0), -EINVAL);
	assert_int_equal(vasi_pool_setup(f->s, 8192, 0, 0), -EINVAL);
	assert_int_equal(vasi_pool_setup(f->s, 8192, UINT32_MAX, 0), -EINVAL);
	assert_int_equal(vasi_pool_setup(f->s, 8 << 20, 1 << 20, 0), -ENOMEM);
	assert_non_null(strstr(vasi_device_error(f->dev), "pane"));
	/* All of what was asked for at open is there */
	assert_int_equal(vasi_pool_setup(f->s, 1 << 20, 4, 0), 0);
	assert_int_equal(vasi_pool_setup(f->s, 8192, 1, 0), -ENOMEM);
	buffer = vasi_buffer(f->s, 0, 3);
	assert_non_null(buffer);
	assert_ptr_equal(buffer, (uint8_t *)vasi_buffer(f->s, 0, 0) + (3 << 20));
	assert_null(vasi_buffer(f->s, 0, 4));
	assert_null(vasi_buffer(f->s, 1, 0));
	assert_null(vasi_download_data(f->s, 1, 0));
	assert_int_equal(vasi_download_room(f->s, 1), 0);
}

static void close_session(struct fixture *f, struct vasi_session *s, uint32_t top)
{
	assert_int_equal(vasi_session_close(s, 0), 0);
	expect(f, VASI_FMT_CLOSE);
	answer(f, VASI_SUCCESS, top);
	next_event(f, VASI_EV_CLOSED);
	vasi_session_free(s);
}

/* Nobody sees what an earlier owner left in a buffer; freed ranges join */
static void test_pool_zeroed(void **state)
{
	struct fixture *f = *state;
	uint32_t tops[3];
	struct vasi_session *s[3];
	uint8_t *buffer;

	for (unsigned int i = 0; i < 3; i++) {
		s[i] = open_session(f, STREAM + 1 + i, BOTTOM + 1 + i);
		tops[i] = f->top;
		assert_int_equal(vasi_pool_setup(s[i], 1 << 20, 1, 0), 0);
		memset(vasi_buffer(s[i], 0, 0), 0xaa, 1 << 20);
	}
	close_session(f, s[0], tops[0]);
	close_session(f, s[2], tops[2]);
	close_session(f, s[1], tops[1]);
	assert_int_equal(vasi_pool_setup(f->s, 1 << 20, 4, 0), 0);
	buffer = vasi_buffer(f->s, 0, 0);
	for (unsigned int i = 0; i < 4 << 20; i++)
		assert_int_equal(buffer[i], 0);
}

static void test_pool_sizes(void **state)
{
	struct fixture *f = *state;

	/* The platform has two: pools of one size share, downloads do not count */
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(vasi_pool_setup(f->s, 8192 + i * 4096, 2, 0), i);
	assert_int_equal(vasi_pool_setup(f->s, 8192, 2, 0), 3);
	assert_int_equal(vasi_post(f->s, 0, 0), 0);
	assert_int_equal(vasi_post(f->s, 1, 0), 0);
	assert_int_equal(vasi_post(f->s, 2, 0), -ENOSPC);
	assert_int_equal(vasi_post(f->s, 3, 0), 0);
	assert_int_equal(vasi_post(f->s, 0, 1), 0);
	assert_int_equal(vasi_download(f->s, 2, 0, 1, false, 0), 0);
}

/*
 * Posting
 */

/* The buffer that the Add Buffer in f->msg names */
static uint8_t *posted(struct fixture *f, uint32_t bytes)
{
	uint32_t length;
	uint8_t *buffer = pane_at(f, f->msg.data, &length);

	assert_int_equal(length, bytes);
	assert_int_equal(f->msg.handle, BOTTOM);
	return buffer;
}

static void answer_add(struct fixture *f)
{
	f->msg.length = 8192;
	f->msg.free_buffers = 1;
	answer(f, VASI_SUCCESS, f->top);
}

/* Post a buffer and take it as the platform */
static uint8_t *post_one(struct fixture *f, uint16_t pool, uint32_t index, uint32_t bytes)
{
	uint8_t *buffer;

	assert_int_equal(vasi_post(f->s, pool, index), 0);
	expect(f, VASI_FMT_ADD_BUFFER);
	buffer = posted(f, bytes);
	answer_add(f);
	return buffer;
}

static void test_post_few(void **state)
{
	struct fixture *f = *state;
	uint64_t seen[3];

	vasi_pool_setup(f->s, 8192, 3, 0);
	assert_int_equal(vasi_post(f->s, 0, 3), -EINVAL);
	assert_int_equal(vasi_post(f->s, 1, 0), -EINVAL);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(vasi_post(f->s, 0, i), 0);
	assert_int_equal(vasi_post(f->s, 0, 0), -EBUSY);
	assert_int_equal(fake_pending(&f->p), 0);
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t *buffer;

		expect(f, VASI_FMT_ADD_BUFFER);
		buffer = posted(f, 8192);
		seen[i] = correlator_at(buffer);
		/* The same memory on both sides */
		assert_true(correlator_at(vasi_buffer(f->s, 0, i)) == seen[i]);
		answer_add(f);
	}
	assert_true(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
	no_event(f);
	assert_int_equal(vasi_post(f->s, 0, 0), -EBUSY);
}

static unsigned int check_indirect(struct fixture *f, uint32_t bytes)
{
	uint32_t length;
	uint8_t *list;

	expect(f, VASI_FMT_ADD_BUFFER_INDIRECT);
	list = pane_at(f, f->msg.data, &length);
	assert_int_equal(length, VASI_INDIRECT_BYTES(f->msg.count));
	for (unsigned int i = 0; i < f->msg.count; i++) {
		uint32_t size;
		uint8_t *buffer = pane_at(f, correlator_at(list + 8 * (i + 1)), &size);

		assert_int_equal(size, bytes);
		assert_true(correlator_at(buffer) != 0);
	}
	return f->msg.count;
}

static void test_post_many(void **state)
{
	struct fixture *f = *state;

	vasi_pool_setup(f->s, 8192, 300, 0);
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(vasi_post(f->s, 0, i), 0);
	assert_int_equal(check_indirect(f, 8192), 255);
	answer(f, VASI_SUCCESS, f->top);
	assert_int_equal(check_indirect(f, 8192), 45);
	answer(f, VASI_SUCCESS, f->top);
	expect_nothing(f);
	no_event(f);
}

static int setup_no_indirect(void **state)
{
	struct fixture *f;

	setup_bare(state);
	f = *state;
	f->p.caps[0].features = VASI_CAP_DOWNLOAD_IMMEDIATE;
	open_device(f, &default_params);
	vasi_device_attach(f->dev, &f->ring, TAG);
	io_uring_submit(&f->ring);
	f->s = open_session(f, STREAM, BOTTOM);
	return 0;
}

static void test_post_many_singly(void **state)
{
	struct fixture *f = *state;
	unsigned int packets;

	vasi_pool_setup(f->s, 8192, 101, 0);
	for (uint32_t i = 0; i < 100; i++)
		vasi_post(f->s, 0, i);
	packets = f->p.packets;
	flush(f);
	assert_int_equal(fake_pending(&f->p), 100);
	assert_int_equal(f->p.packets - packets, 2);
	for (uint32_t i = 0; i < 100; i++)
		expect(f, VASI_FMT_ADD_BUFFER);
	/* Nor is the indirect form of downloads used where it is not offered */
	assert_int_equal(vasi_download(f->s, 0, 100, 1, true, 0), -EOPNOTSUPP);
}

/* At most half the queue is outstanding; the rest waits, in order */
static void test_flow_bound(void **state)
{
	struct fixture *f = *state;
	unsigned int total = 0;

	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(vasi_message(f->s, i, i), 0);
	flush(f);
	assert_int_equal(fake_pending(&f->p), 128);
	while (total < 1000) {
		unsigned int waiting = fake_pending(&f->p);

		assert_true(waiting <= 128);
		for (unsigned int i = 0; i < waiting; i++) {
			expect(f, VASI_FMT_MESSAGE_DOWNLOAD);
			assert_int_equal(f->msg.data, total++);
			answer(f, VASI_SUCCESS, f->top);
			next_event(f, VASI_EV_MESSAGED);
			assert_int_equal(f->ev.token, f->msg.data);
		}
		flush(f);
	}
	expect_nothing(f);
}

/* All indirect lists in use: the others go one by one, and nothing is lost */
static void test_post_slots(void **state)
{
	struct fixture *f = *state;
	unsigned int lists = 0, singles = 0;
	struct vasi_msg answers[300];

	vasi_pool_setup(f->s, 8192, 400, 0);
	for (uint32_t i = 0; i < 400; i++) {
		vasi_post(f->s, 0, i);
		if (i % 8 == 7)
			flush(f);
	}
	while (fake_pending(&f->p)) {
		struct vasi_crq entry = f->p.entries[0];

		if (entry.format == VASI_FMT_ADD_BUFFER_INDIRECT) {
			assert_int_equal(check_indirect(f, 8192), 8);
			lists++;
		} else {
			expect(f, VASI_FMT_ADD_BUFFER);
			singles++;
		}
		answers[lists + singles - 1] = f->msg;
	}
	assert_int_equal(lists, 32);
	/* 128 requests may be outstanding, the others wait */
	assert_int_equal(singles, 96);
	for (unsigned int i = 0; i < lists + singles; i++) {
		f->msg = answers[i];
		f->msg.data = 0;
		f->msg.count = 8;
		if (f->msg.format == VASI_FMT_ADD_BUFFER_INDIRECT)
			f->msg.data = answers[i].data;
		answer(f, VASI_SUCCESS, f->top);
	}
	no_event(f);
	flush(f);
	assert_int_equal(fake_pending(&f->p), 400 - 32 * 8 - 96);
}

static void test_add_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t correlator;

	vasi_pool_setup(f->s, 8192, 3, 0);
	for (uint32_t i = 0; i < 3; i++)
		vasi_post(f->s, 0, i);
	flush(f);
	fake_pending(&f->p);
	/* By correlator, by descriptor, and with BOTTOM where TOP would be */
	expect(f, VASI_FMT_ADD_BUFFER);
	correlator = correlator_at(posted(f, 8192));
	f->msg.data = correlator;
	answer(f, VASI_INVALID_BUFFER_LENGTH, f->top);
	next_event(f, VASI_EV_ADDED);
	assert_int_equal(f->ev.status, VASI_INVALID_BUFFER_LENGTH);
	assert_int_equal(f->ev.index, 0);
	expect(f, VASI_FMT_ADD_BUFFER);
	answer(f, VASI_INVALID_BUFFER_DESCRIPTOR, f->top);
	next_event(f, VASI_EV_ADDED);
	assert_int_equal(f->ev.index, 1);
	expect(f, VASI_FMT_ADD_BUFFER);
	answer(f, VASI_INVALID_BOTTOM, f->msg.handle);
	next_event(f, VASI_EV_ADDED);
	assert_int_equal(f->ev.index, 2);
	assert_int_equal(f->ev.status, VASI_INVALID_BOTTOM);
	/* They are the caller's again */
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(vasi_post(f->s, 0, i), 0);
}

static void post_list(struct fixture *f, uint32_t count)
{
	vasi_pool_setup(f->s, 8192, count, 0);
	for (uint32_t i = 0; i < count; i++)
		vasi_post(f->s, 0, i);
	assert_int_equal(check_indirect(f, 8192), count);
}

/* Fewer than asked is no error: the rest is posted again, one by one */
static void test_indirect_partly(void **state)
{
	struct fixture *f = *state;

	post_list(f, 6);
	f->msg.count = 4;
	answer(f, VASI_SUCCESS, f->top);
	no_event(f);
	expect(f, VASI_FMT_ADD_BUFFER);
	assert_int_equal(posted(f, 8192) - f->p.pane, FIRST_IOBA + 4 * 8192);
	answer_add(f);
	expect(f, VASI_FMT_ADD_BUFFER);
	answer_add(f);
	expect_nothing(f);
	no_event(f);
}

/* Refused before any buffer was looked at: all of them come back */
static void test_indirect_refused(void **state)
{
	static const struct {
		uint8_t status;
		bool repeats;		/* BOTTOM stands where TOP would */
	} cases[] = {
		{ VASI_INVALID_INDIRECT_DESCRIPTOR, false },
		{ VASI_INVALID_INDIRECT_LENGTH, false },
		{ VASI_INVALID_FORMAT, true }, { VASI_INVALID_BOTTOM, true },
		{ VASI_UNKNOWN_RESERVED, true },
	};
	struct fixture *f = *state;

	post_list(f, 6);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		answer(f, cases[i].status, cases[i].repeats ? BOTTOM : f->top);
		for (uint32_t j = 0; j < 6; j++) {
			next_event(f, VASI_EV_ADDED);
			assert_int_equal(f->ev.index, j);
			assert_int_equal(f->ev.status, cases[i].status);
			assert_int_equal(vasi_post(f->s, 0, j), 0);
		}
		check_indirect(f, 8192);
	}
	/* With another status it must be a TOP */
	answer(f, VASI_INVALID_INDIRECT_LENGTH, BOTTOM);
	expect_lost(f, "was not asked");
}

/* One buffer of the list is bad: which ones were taken is not known */
static void test_indirect_bad_buffer(void **state)
{
	struct fixture *f = *state;

	post_list(f, 6);
	f->msg.count = 2;
	answer(f, VASI_INVALID_BUFFER_LENGTH, f->top);
	next_event(f, VASI_EV_ADDED);
	assert_int_equal(f->ev.index, 2);
	no_event(f);
	assert_int_equal(vasi_post(f->s, 0, 1), -EBUSY);
	assert_int_equal(vasi_post(f->s, 0, 3), -EBUSY);
}

static void test_indirect_too_many(void **state)
{
	struct fixture *f = *state;

	post_list(f, 6);
	f->msg.count = 7;
	answer(f, VASI_SUCCESS, f->top);
	expect_lost(f, "7 of 6 buffers");
}

static void test_free_buffer(void **state)
{
	struct fixture *f = *state;
	uint64_t correlator;

	vasi_pool_setup(f->s, 8192, 2, 0);
	correlator = correlator_at(post_one(f, 0, 1, 8192));
	assert_int_equal(vasi_free_buffer(f->s, 1, 7), -EINVAL);
	assert_int_equal(vasi_free_buffer(f->s, 0, 7), 0);
	expect(f, VASI_FMT_FREE_BUFFER);
	assert_int_equal(f->msg.length, 8192);
	f->msg.data = correlator;
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_FREED);
	assert_int_equal(f->ev.index, 1);
	assert_int_equal(f->ev.token, 7);
	vasi_free_buffer(f->s, 0, 8);
	expect(f, VASI_FMT_FREE_BUFFER);
	f->msg.data = 0;
	answer(f, VASI_EMPTY, f->top);
	next_event(f, VASI_EV_FREED);
	assert_int_equal(f->ev.status, VASI_EMPTY);
	assert_int_equal(f->ev.token, 8);
	/* The same buffer cannot come back twice */
	vasi_free_buffer(f->s, 0, 9);
	expect(f, VASI_FMT_FREE_BUFFER);
	f->msg.data = correlator;
	answer(f, VASI_SUCCESS, f->top);
	expect_lost(f, "Free Buffer");
}

/*
 * Operations
 */

static void begin_op(struct fixture *f, struct vasi_seg_builder *b, uint8_t *buffer,
		     uint8_t op_code)
{
	const struct vasi_op op = {
		.buffer_correlator = correlator_at(buffer), .top = f->top,
		.bottom = BOTTOM, .op_code = op_code, .correlator = 0xc0ffee,
	};

	assert_int_equal(vasi_op_begin(b, buffer, 8192, &op), 0);
}

static void send_op(struct fixture *f, uint64_t correlator)
{
	fake_send(&f->p, &(struct vasi_msg){ .format = VASI_FMT_OPERATION,
					     .data = correlator });
}

static void expect_response(struct fixture *f, uint8_t status, uint64_t correlator)
{
	expect(f, VASI_FMT_OPERATION | VASI_FMT_RESPONSE);
	assert_int_equal(f->msg.status, status);
	assert_true(f->msg.data == correlator);
}

/* An operation with this text as its data */
static void send_text(struct fixture *f, uint8_t *buffer, const char *text,
		      uint8_t op_code)
{
	struct vasi_seg_builder b;

	begin_op(f, &b, buffer, op_code);
	memcpy(vasi_seg_add_immediate(&b, 4), text, 4);
	memcpy(vasi_seg_add_immediate(&b, (uint32_t)strlen(text) - 4), text + 4,
	       strlen(text) - 4);
	vasi_seg_end(&b, buffer);
	send_op(f, correlator_at(buffer));
}

static void test_operation(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[4];
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 2, 0);
	buffer = post_one(f, 0, 1, 8192);
	assert_int_equal(vasi_operation_iov(f->s, 0, 1, iov, 4), -EBUSY);
	assert_int_equal(vasi_respond(f->s, 0, 1, VASI_SUCCESS, 0, false), -EBUSY);
	send_text(f, buffer, "partition", VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS);
	next_event(f, VASI_EV_OPERATION);
	assert_ptr_equal(f->ev.session, f->s);
	assert_int_equal(f->ev.pool, 0);
	assert_int_equal(f->ev.index, 1);
	assert_int_equal(f->ev.bytes, 9);
	assert_int_equal(f->ev.segments, 2);
	assert_int_equal(f->ev.op_code, VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS);
	assert_int_equal(vasi_operation_iov(f->s, 0, 1, iov, 1), -ENOSPC);
	assert_int_equal(vasi_operation_iov(f->s, 0, 1, iov, 4), 2);
	assert_memory_equal(iov[0].iov_base, "part", 4);
	assert_int_equal(iov[1].iov_len, 5);
	assert_memory_equal(iov[1].iov_base, "ition", 5);
	assert_int_equal(vasi_post(f->s, 0, 1), -EBUSY);
	assert_int_equal(vasi_download(f->s, 0, 1, 1, false, 0), -EBUSY);
	/* The answer is about the operation as it arrived */
	memset(buffer + 24, 0xff, 8);
	assert_int_equal(vasi_respond(f->s, 0, 1, VASI_SUCCESS, 0, true), 0);
	expect_response(f, VASI_SUCCESS, 0xc0ffee);
	expect(f, VASI_FMT_ADD_BUFFER);
	answer_add(f);
	/* Success is not told where the platform does not want it, errors are */
	send_text(f, buffer, "partition", VASI_OP_WRITE);
	next_event(f, VASI_EV_OPERATION);
	assert_int_equal(vasi_respond(f->s, 0, 1, VASI_SUCCESS, 0, false), 0);
	expect_nothing(f);
	post_one(f, 0, 1, 8192);
	send_text(f, buffer, "partition", VASI_OP_WRITE | VASI_OP_MODIFIER_TAKEOVER);
	next_event(f, VASI_EV_OPERATION);
	assert_int_equal(vasi_respond(f->s, 0, 1, VASI_END_OF_FILE, 0x123456789a, false), 0);
	expect_response(f, VASI_END_OF_FILE, 0xc0ffee);
	assert_true(f->msg.residual == 0x123456789a);
}

/* The platform changes a buffer that is not its own any more */
static void test_operation_changed(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[4];
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 1, 0);
	buffer = post_one(f, 0, 0, 8192);
	send_text(f, buffer, "partition", VASI_OP_WRITE);
	next_event(f, VASI_EV_OPERATION);
	buffer[VASI_OP_DATA_OFFSET + 3] = 5;
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), -EBADMSG);
	memset(buffer + VASI_OP_DATA_OFFSET, 0, 4);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), -EBADMSG);
	memset(buffer + VASI_OP_DATA_OFFSET, 0xff, 8);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), -EBADMSG);
	buffer[16] = 0xff;
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), -EBADMSG);
}

/* Specifiers that are wrong: answered, and the buffer is posted again */
static void test_operation_refused(void **state)
{
	static const struct {
		unsigned int byte;
		uint8_t value;
		uint8_t status;
	} cases[] = {
		{ 0, 0xff, VASI_INVALID_BUFFER_CORRELATOR },
		{ 7, 0xff, VASI_INVALID_BUFFER_CORRELATOR },
		{ 8, 0xff, VASI_INVALID_TOP },
		{ 11, 0xff, VASI_INVALID_TOP },
		{ 15, 0xff, VASI_INVALID_TOP },
		{ 16, 0, VASI_INVALID_OPERATION_SPECIFIER },		/* read */
		{ 16, VASI_OP_WRITE | VASI_OP_INDEXED, VASI_INVALID_OPERATION_SPECIFIER },
		{ 16, VASI_OP_WRITE | 0x08, VASI_INVALID_OPERATION_SPECIFIER },
		{ 16, VASI_OP_WRITE | 0x02, VASI_INVALID_OPERATION_SPECIFIER },
		{ 32, VASI_SEG_SKIP, VASI_INVALID_OPERATION_SPECIFIER },
		{ 32, VASI_SEG_INDIRECT, VASI_INVALID_OPERATION_SPECIFIER },
		{ 32, VASI_SEG_OFFSET, VASI_INVALID_OPERATION_SPECIFIER },
		{ 32, 0x01, VASI_INVALID_OPERATION_SPECIFIER },
		{ 33, 0xff, VASI_INVALID_OPERATION_SPECIFIER },
	};
	struct fixture *f = *state;
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 1, 0);
	buffer = post_one(f, 0, 0, 8192);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vasi_seg_builder b;
		uint64_t correlator;

		correlator = correlator_at(buffer);
		begin_op(f, &b, buffer, VASI_OP_WRITE);
		memset(vasi_seg_add_immediate(&b, 8000), 0x11, 8000);
		vasi_seg_end(&b, buffer);
		buffer[cases[i].byte] = cases[i].value;
		send_op(f, correlator);
		no_event(f);
		expect_response(f, cases[i].status, 0xc0ffee);
		expect(f, VASI_FMT_ADD_BUFFER);
		answer_add(f);
	}
	no_event(f);
}

static void test_forged_correlators(void **state)
{
	struct fixture *f = *state;
	uint64_t first, second;
	unsigned int seed = 2;
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 2, 0);
	buffer = post_one(f, 0, 0, 8192);
	first = correlator_at(buffer);
	/* A bit more or less is another correlator */
	for (unsigned int bit = 0; bit < 64; bit++) {
		send_op(f, first ^ 1ULL << bit);
		no_event(f);
		expect_response(f, VASI_INVALID_BUFFER_CORRELATOR, first ^ 1ULL << bit);
	}
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t forged = (uint64_t)rand_r(&seed) << 32 ^ (uint64_t)rand_r(&seed) << 7;

		send_op(f, forged);
		no_event(f);
		expect_response(f, VASI_INVALID_BUFFER_CORRELATOR, forged);
	}
	/* The right one, twice: the second time the buffer is not the platform's */
	send_text(f, buffer, "partition", VASI_OP_WRITE);
	send_op(f, first);
	next_event(f, VASI_EV_OPERATION);
	expect_response(f, VASI_INVALID_BUFFER_CORRELATOR, first);
	vasi_respond(f->s, 0, 0, VASI_SUCCESS, 0, false);
	send_op(f, first);
	expect_nothing(f);
	no_event(f);
	expect_response(f, VASI_INVALID_BUFFER_CORRELATOR, first);
	/* One from before the buffer was posted again */
	post_one(f, 0, 0, 8192);
	second = correlator_at(buffer);
	assert_true(first != second);
	send_op(f, first);
	no_event(f);
	expect_response(f, VASI_INVALID_BUFFER_CORRELATOR, first);
	/* One of a buffer that is being downloaded */
	vasi_download(f->s, 0, 1, 1, false, 0);
	expect(f, VASI_FMT_DOWNLOAD);
	send_op(f, correlator_at(vasi_buffer(f->s, 0, 1)));
	no_event(f);
	expect(f, VASI_FMT_OPERATION | VASI_FMT_RESPONSE);
	assert_int_equal(f->msg.status, VASI_INVALID_BUFFER_CORRELATOR);
}

/* After the close the platform has no buffers of the session */
static void test_operation_after_close(void **state)
{
	struct fixture *f = *state;
	uint64_t correlator;

	vasi_pool_setup(f->s, 8192, 1, 0);
	correlator = correlator_at(post_one(f, 0, 0, 8192));
	vasi_session_close(f->s, 0);
	expect(f, VASI_FMT_CLOSE);
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_CLOSED);
	send_op(f, correlator);
	no_event(f);
	expect_response(f, VASI_INVALID_TOP, correlator);
	vasi_session_free(f->s);
	send_op(f, correlator);
	no_event(f);
	expect_response(f, VASI_INVALID_BUFFER_CORRELATOR, correlator);
}

/*
 * The second pane
 */

static int window_memory(void)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint32_t word;

	assert_int_equal(ftruncate(fd, WINDOW_BYTES), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	for (uint32_t at = 0; at < WINDOW_BYTES; at += 4096) {
		word = at;
		assert_int_equal(pwrite(fd, &word, sizeof(word), at), sizeof(word));
	}
	return fd;
}

static void send_window(struct fixture *f, uint32_t id)
{
	int fd = window_memory(), readonly = vio_open_readonly(fd);

	assert_int_equal(vio_send_window(f->p.fd, id, WINDOW_BYTES, readonly), 0);
	close(readonly);
	close(fd);
}

static void send_indirect(struct fixture *f, uint8_t *buffer, uint32_t ioba,
			  uint32_t length, uint32_t other)
{
	struct vasi_seg_builder b;

	begin_op(f, &b, buffer, VASI_OP_WRITE);
	memcpy(vasi_seg_add_immediate(&b, 4), "head", 4);
	vasi_op_add_indirect(&b, length, ioba);
	if (other)
		vasi_op_add_indirect(&b, 4096, other);
	vasi_seg_end(&b, buffer);
	send_op(f, correlator_at(buffer));
}

static void test_indirect_operation(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[4];
	uint8_t *buffer;
	uint32_t word;

	vasi_pool_setup(f->s, 8192, 1, 0);
	buffer = post_one(f, 0, 0, 8192);
	send_window(f, 3);
	vio_send_map(f->p.fd, 3, 0x80000000, 65536, 8192);
	send_indirect(f, buffer, 0x80001000, 12288, 0x80000000);
	next_event(f, VASI_EV_OPERATION);
	assert_int_equal(f->ev.bytes, 4 + 12288 + 4096);
	assert_int_equal(f->ev.segments, 3);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), 3);
	assert_memory_equal(iov[0].iov_base, "head", 4);
	memcpy(&word, iov[1].iov_base, sizeof(word));
	assert_int_equal(word, 8192 + 4096);
	memcpy(&word, iov[2].iov_base, sizeof(word));
	assert_int_equal(word, 8192);
	/* The window stays as long as the operation is not answered */
	vio_send_unwindow(f->p.fd, 3);
	no_event(f);
	memcpy(&word, iov[1].iov_base, sizeof(word));
	assert_int_equal(word, 8192 + 4096);
	assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 4), -EBADMSG);
	vasi_respond(f->s, 0, 0, VASI_SUCCESS, 0, true);
	expect(f, VASI_FMT_ADD_BUFFER);
	answer_add(f);
	/* Its id may be used anew, its addresses mean nothing */
	send_window(f, 3);
	send_indirect(f, buffer, 0x80001000, 12288, 0);
	no_event(f);
	expect_response(f, VASI_INVALID_OPERATION_SPECIFIER, 0xc0ffee);
}

/* Segments that are not wholly mapped, or in two windows */
static void test_indirect_refused_segments(void **state)
{
	static const struct {
		uint32_t ioba, length, other;
	} cases[] = {
		{ 0x0fff, 1, 0 }, { 0x0fff, 2, 0 }, { 0x1000, 4097, 0 }, { 0x2000, 1, 0 },
		{ 0x4fff, 4098, 0 }, { 0xffffffff, 2, 0 }, { 0, VASI_MAX_LENGTH, 0 },
		{ 0x1000, 4096, 0x10000 }, { 0x5fff, 4096, 0 },
	};
	struct fixture *f = *state;
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 1, 0);
	buffer = post_one(f, 0, 0, 8192);
	send_window(f, 1);
	send_window(f, 2);
	vio_send_map(f->p.fd, 1, 0x1000, 4096, 0);
	vio_send_map(f->p.fd, 1, 0x5000, 4096, 0);
	vio_send_map(f->p.fd, 2, 0x10000, 65536, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		send_indirect(f, buffer, cases[i].ioba, cases[i].length, cases[i].other);
		no_event(f);
		expect_response(f, VASI_INVALID_OPERATION_SPECIFIER, 0xc0ffee);
		expect(f, VASI_FMT_ADD_BUFFER);
		answer_add(f);
	}
	send_indirect(f, buffer, 0x1000, 4096, 0x5000);
	next_event(f, VASI_EV_OPERATION);
}

static void test_remap(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[2];
	unsigned int seed = 3;
	uint32_t word;
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 1, 0);
	buffer = post_one(f, 0, 0, 8192);
	send_window(f, 1);
	/* Slots of 64 KiB, mapped anew at random: the last meaning counts */
	for (unsigned int i = 0; i < 300; i++) {
		uint32_t slot = (uint32_t)rand_r(&seed) % 32 * 65536;
		uint32_t offset = (uint32_t)rand_r(&seed) % 16 * 65536;

		vio_send_map(f->p.fd, 1, slot, 65536, offset);
		send_indirect(f, buffer, slot + 4096, 4096, 0);
		next_event(f, VASI_EV_OPERATION);
		assert_int_equal(vasi_operation_iov(f->s, 0, 0, iov, 2), 2);
		memcpy(&word, iov[1].iov_base, sizeof(word));
		assert_int_equal(word, offset + 4096);
		vasi_respond(f->s, 0, 0, VASI_SUCCESS, 0, true);
		expect(f, VASI_FMT_ADD_BUFFER);
		answer_add(f);
	}
	/* One that covers many replaces them all */
	vio_send_map(f->p.fd, 1, 4096, 1 << 20, 0);
	send_indirect(f, buffer, 0, 4096, 0);
	no_event(f);
	expect_response(f, VASI_INVALID_OPERATION_SPECIFIER, 0xc0ffee);
	expect(f, VASI_FMT_ADD_BUFFER);
	answer_add(f);
	send_indirect(f, buffer, 4096, 1 << 20, 0);
	next_event(f, VASI_EV_OPERATION);
}

/*
 * Downloads
 */

/* Read the download in f->msg; returns its data */
static const uint8_t *read_download(struct fixture *f, uint32_t *bytes, uint64_t *correlator)
{
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	const uint8_t *data;
	uint32_t length;
	uint8_t *buffer;

	expect(f, VASI_FMT_DOWNLOAD);
	buffer = pane_at(f, f->msg.data, &length);
	*correlator = correlator_at(buffer);
	vasi_download_parse(buffer, length, &it);
	assert_int_equal(vasi_download_next(&it, &seg), 1);
	*bytes = seg.length;
	data = seg.kind == VASI_SEG_INDIRECT ? f->p.pane + seg.ioba : seg.data;
	assert_true(data >= f->p.pane && data + seg.length <= f->p.pane + f->p.pane_bytes);
	assert_int_equal(vasi_download_next(&it, &seg), 0);
	return data;
}

static void test_download(void **state)
{
	struct fixture *f = *state;
	uint64_t correlator;
	uint32_t bytes;

	vasi_pool_setup(f->s, 8192, 2, 0);
	assert_true(vasi_download_room(f->s, 0) > 8192 - 64);
	for (int indirect = 0; indirect < 2; indirect++) {
		uint32_t room = vasi_download_room(f->s, 0);
		uint8_t *data = vasi_download_data(f->s, 0, 1);

		memset(data, 0x5a + indirect, room);
		assert_int_equal(vasi_download(f->s, 0, 1, room, indirect, 77), 0);
		assert_int_equal(vasi_download(f->s, 0, 1, room, indirect, 77), -EBUSY);
		data = (uint8_t *)read_download(f, &bytes, &correlator);
		assert_int_equal(bytes, room);
		for (uint32_t i = 0; i < room; i++)
			assert_int_equal(data[i], 0x5a + indirect);
		f->msg.data = correlator;
		answer(f, VASI_SUCCESS, f->top);
		next_event(f, VASI_EV_DOWNLOADED);
		assert_int_equal(f->ev.token, 77);
		assert_int_equal(f->ev.index, 1);
	}
	assert_int_equal(vasi_download(f->s, 0, 0, 0, false, 0), -EINVAL);
	assert_int_equal(vasi_download(f->s, 0, 0, vasi_download_room(f->s, 0) + 1, false, 0),
			 -EINVAL);
	assert_int_equal(vasi_download(f->s, 0, 2, 1, false, 0), -EINVAL);
}

/* Answers in another order, by descriptor, and without either */
static void test_download_answers(void **state)
{
	struct fixture *f = *state;
	uint64_t correlators[4];
	struct vasi_msg asked[4];
	uint32_t bytes;

	vasi_pool_setup(f->s, 8192, 4, 0);
	for (uint32_t i = 0; i < 4; i++) {
		vasi_download(f->s, 0, i, 1 + i, i & 1, i);
		read_download(f, &bytes, &correlators[i]);
		assert_int_equal(bytes, 1 + i);
		asked[i] = f->msg;
	}
	f->msg = asked[2];
	f->msg.data = correlators[2];
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_DOWNLOADED);
	assert_int_equal(f->ev.index, 2);
	f->msg = asked[1];
	answer(f, VASI_INVALID_BUFFER_DESCRIPTOR, f->top);
	next_event(f, VASI_EV_DOWNLOADED);
	assert_int_equal(f->ev.index, 1);
	assert_int_equal(f->ev.status, VASI_INVALID_BUFFER_DESCRIPTOR);
	f->msg = asked[3];
	answer(f, VASI_INVALID_BOTTOM, BOTTOM);
	next_event(f, VASI_EV_DOWNLOADED);
	assert_int_equal(f->ev.index, 3);
	f->msg = asked[0];
	f->msg.data = 0;
	answer(f, VASI_INVALID_DOWNLOAD_SPECIFIER, f->top);
	next_event(f, VASI_EV_DOWNLOADED);
	assert_int_equal(f->ev.index, 0);
	/* A second answer to the same download */
	f->msg = asked[2];
	f->msg.data = correlators[2];
	answer(f, VASI_SUCCESS, f->top);
	expect_lost(f, "Download response");
}

/* What was posted before goes before, whatever follows */
static void test_order(void **state)
{
	struct fixture *f = *state;

	vasi_pool_setup(f->s, 8192, 8, 0);
	vasi_post(f->s, 0, 0);
	vasi_download(f->s, 0, 1, 1, false, 0);
	vasi_post(f->s, 0, 2);
	vasi_progress(f->s, 0);
	vasi_post(f->s, 0, 3);
	vasi_session_close(f->s, 0);
	expect(f, VASI_FMT_ADD_BUFFER);
	expect(f, VASI_FMT_DOWNLOAD);
	expect(f, VASI_FMT_ADD_BUFFER);
	expect(f, VASI_FMT_PROGRESS);
	expect(f, VASI_FMT_ADD_BUFFER);
	expect(f, VASI_FMT_CLOSE);
	/* The close ends what was not answered */
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_CLOSED);
	no_event(f);
}

/*
 * The small requests, and what the platform tells
 */

static void test_requests(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vasi_signal(f->s, VASI_SIGNAL_ABORT, 0x05000001, 1), 0);
	expect(f, VASI_FMT_SIGNAL);
	assert_int_equal(f->msg.code, VASI_SIGNAL_ABORT);
	assert_int_equal(f->msg.reason, 0x05000001);
	assert_int_equal(f->msg.handle, BOTTOM);
	answer(f, VASI_INVALID_STATE_TRANSITION, f->top);
	next_event(f, VASI_EV_SIGNALLED);
	assert_int_equal(f->ev.status, VASI_INVALID_STATE_TRANSITION);
	assert_int_equal(f->ev.token, 1);
	assert_int_equal(vasi_progress(f->s, 2), 0);
	expect(f, VASI_FMT_PROGRESS);
	f->msg.data = 123456789012;
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_PROGRESS);
	assert_true(f->ev.bytes == 123456789012 && f->ev.token == 2);
	assert_int_equal(vasi_message(f->s, 0x0102030405060708, 3), 0);
	expect(f, VASI_FMT_MESSAGE_DOWNLOAD);
	assert_int_equal(f->msg.control, VASI_CONTROL_PASS_THROUGH);
	assert_true(f->msg.data == 0x0102030405060708);
	answer(f, VASI_SUCCESS, f->top);
	next_event(f, VASI_EV_MESSAGED);
	assert_int_equal(f->ev.token, 3);
}

static void test_platform_tells(void **state)
{
	struct vasi_msg upload = {
		.format = VASI_FMT_MESSAGE_UPLOAD, .control = 1, .data = 0x1122,
	};
	struct fixture *f = *state;

	fake_send(&f->p, &(struct vasi_msg){ .format = VASI_FMT_STATE, .handle = f->top,
					     .code = VASI_STATE_ABORTED, .reason = 7 });
	next_event(f, VASI_EV_STATE);
	assert_int_equal(f->ev.state, VASI_STATE_ABORTED);
	assert_int_equal(f->ev.reason, 7);
	assert_ptr_equal(f->ev.session, f->s);
	upload.handle = f->top;
	fake_send(&f->p, &upload);
	next_event(f, VASI_EV_MESSAGE);
	assert_int_equal(f->ev.message, 0x1122);
	expect(f, VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE);
	assert_int_equal(f->msg.status, VASI_SUCCESS);
	assert_int_equal(f->msg.handle, BOTTOM);
	assert_int_equal(f->msg.data, 0x1122);
	upload.control = 2;
	fake_send(&f->p, &upload);
	no_event(f);
	expect(f, VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE);
	assert_int_equal(f->msg.status, VASI_INVALID_CONTROL);
	upload.control = 1;
	upload.sub_control = 1;
	fake_send(&f->p, &upload);
	no_event(f);
	expect(f, VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE);
	assert_int_equal(f->msg.status, VASI_INVALID_SUB_CONTROL);
	upload.sub_control = 0;
	upload.handle ^= 0x400;
	fake_send(&f->p, &upload);
	no_event(f);
	expect(f, VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE);
	assert_int_equal(f->msg.status, VASI_INVALID_TOP);
}

/* Requests that no platform makes are answered as LoPAR says */
static void test_unknown_requests(void **state)
{
	static const struct {
		struct vasi_crq entry;
		uint8_t status;
	} cases[] = {
		{ { .header = 0x80, .format = 0x00 }, VASI_INVALID_FORMAT },
		{ { .header = 0x80, .format = 0x01 }, VASI_INVALID_FORMAT },
		{ { .header = 0x80, .format = 0x06 }, VASI_INVALID_FORMAT },
		{ { .header = 0x80, .format = 0x14 }, VASI_INVALID_FORMAT },
		{ { .header = 0x80, .format = 0x7f }, VASI_INVALID_FORMAT },
		{ { .header = 0x80, .format = 0x07, .byte2 = 1 }, VASI_UNKNOWN_RESERVED },
		{ { .header = 0x80, .format = 0x09, .byte3 = 1 }, VASI_UNKNOWN_RESERVED },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vasi_crq entry = cases[i].entry;

		fake_send_entry(&f->p, &entry);
		no_event(f);
		flush(f);
		assert_int_equal(fake_pending(&f->p), 1);
		assert_int_equal(f->p.entries[0].format, entry.format | VASI_FMT_RESPONSE);
		assert_int_equal(f->p.entries[0].byte2, cases[i].status);
		f->p.entry_count = 0;
	}
}

static void answer_dirty_map(struct fixture *f, uint32_t pages, uint64_t dirty)
{
	struct vasi_dirty_map_specifier spec;
	uint32_t length;
	uint8_t *buffer;

	expect(f, VASI_FMT_DIRTY_MAP);
	buffer = pane_at(f, f->msg.data, &length);
	assert_int_equal(length, 8192);
	memcpy(&spec, buffer + 8, sizeof(spec));
	assert_int_equal(be64toh(spec.first_page), 1000);
	assert_int_equal(be32toh(spec.pages), 100);
	assert_int_equal(be32toh(spec.flags), VASI_DIRTY_MAP_CLEAR);
	assert_int_equal(spec.reserved, 0);
	spec.pages = htobe32(pages);
	spec.granule = htobe32(65536);
	spec.dirty = htobe64(dirty);
	memcpy(buffer + 8, &spec, sizeof(spec));
	buffer[8 + sizeof(spec)] = 0x81;
	f->msg.data = correlator_at(buffer);
	answer(f, VASI_SUCCESS, f->top);
}

static void test_dirty_map(void **state)
{
	struct fixture *f = *state;

	vasi_pool_setup(f->s, 8192, 1, 0);
	assert_int_equal(vasi_dirty_map(f->s, 0, 0, 0, 0, 0, false, 0), -EINVAL);
	assert_int_equal(vasi_dirty_map(f->s, 0, 0, 0, 1, 8192, false, 0), -EINVAL);
	assert_int_equal(vasi_dirty_map(f->s, 0, 0, 0, 8192 * 8, 0, false, 0), -EINVAL);
	assert_int_equal(vasi_dirty_map(f->s, 0, 0, 1000, 100, 0, true, 4), 0);
	assert_int_equal(vasi_post(f->s, 0, 0), -EBUSY);
	answer_dirty_map(f, 96, 2);
	next_event(f, VASI_EV_DIRTY_MAP);
	assert_int_equal(f->ev.token, 4);
	assert_int_equal(f->ev.dirty_map.first_page, 1000);
	assert_int_equal(f->ev.dirty_map.pages, 96);
	assert_int_equal(f->ev.dirty_map.granule, 65536);
	assert_int_equal(f->ev.dirty_map.dirty, 2);
	assert_int_equal(vasi_dirty_bits(f->s, 0, 0)[0], 0x81);
	/* Not known at first use: the buffer comes back */
	vasi_dirty_map(f->s, 0, 0, 1000, 100, 0, true, 5);
	expect(f, VASI_FMT_DIRTY_MAP);
	answer(f, VASI_INVALID_FORMAT, BOTTOM);
	next_event(f, VASI_EV_DIRTY_MAP);
	assert_int_equal(f->ev.status, VASI_INVALID_FORMAT);
	/* More pages than were asked for */
	vasi_dirty_map(f->s, 0, 0, 1000, 100, 0, true, 6);
	answer_dirty_map(f, 101, 0);
	next_event(f, VASI_EV_DIRTY_MAP);
	assert_int_equal(f->ev.dirty_map.pages, 0);
	expect_lost(f, "Dirty Map");
}

static void test_dirty_map_echo(void **state)
{
	struct fixture *f = *state;

	f->p.caps[0].dirty_map = VASI_DIRTY_MAP_REQUEST;
	f->p.caps[1].dirty_map = VASI_DIRTY_MAP_REQUEST;
	open_device(f, &default_params);
	vasi_device_attach(f->dev, &f->ring, TAG);
	assert_false(vasi_device_info(f->dev)->dirty_map);
	f->s = open_session(f, STREAM, BOTTOM);
	vasi_pool_setup(f->s, 8192, 1, 0);
	assert_int_equal(vasi_dirty_map(f->s, 0, 0, 0, 1, 0, false, 0), -EOPNOTSUPP);
}

/*
 * DMA messages
 */

static void expect_dma(struct fixture *f, uint8_t type, uint32_t tag, uint32_t status)
{
	const struct vio_status *answer = (const void *)f->p.msg->body;

	no_event(f);
	fake_receive(&f->p, f->p.fd, VIO_CHANNEL_CRQ);
	assert_int_equal(f->p.msg->type, type);
	assert_int_equal(f->p.msg->tag, tag);
	assert_int_equal(be32toh(answer->value), status);
}

static void test_dma(void **state)
{
	struct fixture *f = *state;
	uint32_t ioba = FIRST_IOBA;
	uint8_t *buffer;

	vasi_pool_setup(f->s, 8192, 1, 0);
	buffer = vasi_buffer(f->s, 0, 0);
	memcpy(buffer + 100, "read me", 7);
	vio_send_dma_read(f->p.fd, 1, 1, ioba + 100, 7);
	expect_dma(f, VIO_DMA_DATA, 1, 0);
	assert_int_equal(f->p.msg->length, 8 + 7);
	assert_memory_equal(f->p.msg->body + 8, "read me", 7);
	vio_send_dma_write(f->p.fd, 2, 1, ioba + 200, "written", 7);
	expect_dma(f, VIO_DMA_DONE, 2, 0);
	assert_memory_equal(buffer + 200, "written", 7);
	vio_send_dma_read(f->p.fd, 3, 1, (uint32_t)f->p.pane_bytes - 1, 2);
	expect_dma(f, VIO_DMA_DATA, 3, EFAULT);
	vio_send_dma_read(f->p.fd, 4, 1, (uint32_t)f->p.pane_bytes - VIO_MAX_DMA, VIO_MAX_DMA);
	expect_dma(f, VIO_DMA_DATA, 4, 0);
	vio_send_dma_write(f->p.fd, 5, 1, (uint32_t)f->p.pane_bytes, "x", 1);
	expect_dma(f, VIO_DMA_DONE, 5, EFAULT);
	vio_send_dma_read(f->p.fd, 6, 2, 0, 1);
	expect_dma(f, VIO_DMA_DATA, 6, EFAULT);
	vio_send_dma_write(f->p.fd, 7, 2, 0, "x", 1);
	expect_dma(f, VIO_DMA_DONE, 7, EFAULT);
}

/* The link is full: answers wait for it, none is lost or comes twice */
static void test_dma_full_link(void **state)
{
	struct fixture *f = *state;
	uint32_t asked = 0, got = 0;

	while (!vio_send_dma_read(f->p.fd, asked, 1, 0, VIO_MAX_DMA)) {
		if (++asked == 100)
			break;
	}
	assert_int_equal(asked, 100);
	no_event(f);
	flush(f);
	while (got < asked) {
		int ret = vio_recv(f->p.fd, VIO_CLIENT, VIO_CHANNEL_CRQ, f->p.msg);

		if (ret == -EAGAIN) {
			io_uring_submit(&f->ring);
			wait_cqe(f);
			continue;
		}
		assert_int_equal(ret, 0);
		assert_int_equal(f->p.msg->type, VIO_DMA_DATA);
		assert_int_equal(f->p.msg->tag, got++);
	}
	no_event(f);
}

/* More requests than the link takes at once */
static void test_crq_full_link(void **state)
{
	struct fixture *f = *state;
	uint8_t filler[60000] = { 0 };
	struct vio_message *msg = f->p.msg;
	int fd = f->p.fd;

	/* Fill the link from the client's side with its own DMA answers */
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(vio_send_dma_read(fd, i, 1, 0, sizeof(filler)), 0);
	no_event(f);
	vasi_progress(f->s, 3);
	flush(f);
	for (;;) {
		int ret = vio_recv(fd, VIO_CLIENT, VIO_CHANNEL_CRQ, msg);

		if (ret == -EAGAIN) {
			io_uring_submit(&f->ring);
			wait_cqe(f);
			flush(f);
			continue;
		}
		assert_int_equal(ret, 0);
		if (msg->type == VIO_CRQ)
			break;
	}
	assert_int_equal(msg->count, 1);
}

/*
 * Losing the device
 */

static void lose_close(struct fixture *f)
{
	shutdown(f->p.fd, SHUT_RDWR);
}

static void lose_refused(struct fixture *f)
{
	vio_send_refused(f->p.fd, ENOBUFS, "%d answers are queued", 65536);
}

static void lose_refused_binary(struct fixture *f)
{
	vio_send_refused(f->p.fd, 0, "\x01\n\xff%s", "text");
}

static void lose_garbage(struct fixture *f)
{
	send(f->p.fd, "garbage that is longer than a header", 36, 0);
}

static void lose_welcome(struct fixture *f)
{
	vio_send_welcome(f->p.fd, &f->p.welcome);
}

static void lose_event(struct fixture *f)
{
	vio_send_event(f->p.fd, VASI_EVENT_PARTNER_DEREGISTERED);
}

static void lose_event_entry(struct fixture *f)
{
	send_header(&f->p, VASI_CRQ_EVENT, VASI_EVENT_PARTNER_FAILED);
}

static void lose_event_unknown(struct fixture *f)
{
	vio_send_event(f->p.fd, 0x77);
}

static void lose_init(struct fixture *f)
{
	send_header(&f->p, VASI_CRQ_INIT, VASI_INIT_INITIALIZE);
}

static void lose_header(struct fixture *f)
{
	send_header(&f->p, 0x55, 0);
}

static void lose_free_entry(struct fixture *f)
{
	send_header(&f->p, VASI_CRQ_FREE, 0);
}

static void lose_hret(struct fixture *f)
{
	vio_send_hret(f->p.fd, 0, 0, NULL, 0);
}

static void lose_map(struct fixture *f)
{
	vio_send_map(f->p.fd, 7, 0, 4096, 0);
}

static void lose_map_range(struct fixture *f)
{
	send_window(f, 1);
	vio_send_map(f->p.fd, 1, 0, 4096, WINDOW_BYTES - 4095);
}

static void lose_map_offset(struct fixture *f)
{
	send_window(f, 1);
	vio_send_map(f->p.fd, 1, 0, 4096, UINT64_MAX - 100);
}

static void lose_unwindow(struct fixture *f)
{
	vio_send_unwindow(f->p.fd, 7);
}

static void lose_window_twice(struct fixture *f)
{
	send_window(f, 1);
	send_window(f, 1);
}

static void lose_window_short(struct fixture *f)
{
	int fd = window_memory();

	vio_send_window(f->p.fd, 1, WINDOW_BYTES + 1, fd);
	close(fd);
}

static void lose_window_socket(struct fixture *f)
{
	vio_send_window(f->p.fd, 1, 4096, f->p.fd);
}

static void lose_window_unsealed(struct fixture *f)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, 4096), 0);
	vio_send_window(f->p.fd, 1, 4096, fd);
	close(fd);
}

static void lose_window_many(struct fixture *f)
{
	int fd = window_memory();

	/* The socket holds some of them at a time */
	for (uint32_t i = 0; i < 257; i++) {
		vio_send_window(f->p.fd, i, 4096, fd);
		if (i < 256)
			no_event(f);
	}
	close(fd);
}

/* Answers without a request, one for each format */
static void lose_answer(struct fixture *f, uint8_t format, uint32_t handle)
{
	fake_send(&f->p, &(struct vasi_msg){ .format = format | VASI_FMT_RESPONSE,
					     .handle = handle });
}

static void lose_reserved_answer(struct fixture *f)
{
	const struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND, .format = 0x83, .byte3 = 1,
	};

	fake_send_entry(&f->p, &entry);
}

static void lose_unknown_answer(struct fixture *f)
{
	send_header(&f->p, VASI_CRQ_COMMAND, 0xff);
}

static void test_lost(void **state)
{
	static const struct {
		void (*lose)(struct fixture *f);
		const char *text;
	} cases[] = {
		{ lose_close, "closed the link" },
		{ lose_refused, "65536 answers are queued" },
		{ lose_refused_binary, "???text" },
		{ lose_garbage, "bad message" },
		{ lose_welcome, "does not belong" },
		{ lose_event, "deregistered" },
		{ lose_event_entry, "failed" },
		{ lose_event_unknown, "0x77" },
		{ lose_init, "handshake again" },
		{ lose_header, "0x55" },
		{ lose_free_entry, "0x00" },
		{ lose_hret, "does not belong" },
		{ lose_map, "no window 7" },
		{ lose_map_range, "exceed window" },
		{ lose_map_offset, "exceed window" },
		{ lose_unwindow, "no window 7" },
		{ lose_window_twice, "in use" },
		{ lose_window_short, "cannot map" },
		{ lose_window_socket, "cannot map" },
		{ lose_window_unsealed, "cannot map" },
		{ lose_window_many, "more than 256" },
		{ lose_reserved_answer, "Unknown Reserved" },
		{ lose_unknown_answer, "Invalid Format" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *f;

		setup_session(state);
		f = *state;
		vasi_pool_setup(f->s, 8192, 2, 0);
		vasi_post(f->s, 0, 0);
		vasi_progress(f->s, 0);
		flush(f);
		cases[i].lose(f);
		expect_lost(f, cases[i].text);
		/* Everything fails, nothing crashes, and the session can be freed */
		assert_int_equal(vasi_post(f->s, 0, 1), -ENODEV);
		assert_int_equal(vasi_progress(f->s, 0), -ENODEV);
		assert_int_equal(vasi_session_close(f->s, 0), -ENODEV);
		assert_int_equal(vasi_session_open(f->dev, 1, 1, 0, &f->s), -ENODEV);
		vasi_session_free(f->s);
		teardown(state);
	}
}

static void test_lost_answers(void **state)
{
	static const uint8_t formats[] = {
		VASI_FMT_CAPABILITIES, VASI_FMT_OPEN, VASI_FMT_CLOSE, VASI_FMT_ADD_BUFFER,
		VASI_FMT_FREE_BUFFER, VASI_FMT_DOWNLOAD, VASI_FMT_OPERATION, VASI_FMT_SIGNAL,
		VASI_FMT_PROGRESS, VASI_FMT_ADD_BUFFER_INDIRECT, VASI_FMT_MESSAGE_UPLOAD,
		VASI_FMT_MESSAGE_DOWNLOAD, VASI_FMT_DIRTY_MAP,
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats) * 2; i++) {
		struct fixture *f;

		setup_session(state);
		f = *state;
		/* For a session that is there, and for one that is not */
		lose_answer(f, formats[i / 2], i & 1 ? f->top : 0xffffffff);
		expect_lost(f, "was not asked");
		teardown(state);
	}
}

/* A platform that went mad: anything may happen to the device, nothing to us */
static void test_lost_random(void **state)
{
	unsigned int seed = 4;

	for (unsigned int round = 0; round < FUZZ_ROUNDS; round++) {
		struct fixture *f;

		setup_session(state);
		f = *state;
		vasi_pool_setup(f->s, 8192, 16, 0);
		for (uint32_t i = 0; i < 8; i++)
			vasi_post(f->s, 0, i);
		vasi_download(f->s, 0, 9, 100, false, 0);
		vasi_download(f->s, 0, 10, 100, true, 0);
		flush(f);
		send_window(f, 0);
		vio_send_map(f->p.fd, 0, 0, 65536, 0);
		for (unsigned int i = 0; i < FUZZ_MESSAGES; i++) {
			struct vasi_crq entry = { .header = VASI_CRQ_COMMAND };
			uint64_t data = correlator_at(vasi_buffer(f->s, 0,
							(uint32_t)rand_r(&seed) % 16));

			for (unsigned int j = 2; j < 16; j++)
				((uint8_t *)&entry)[j] = rand_r(&seed) % 8 ? 0 :
							 (uint8_t)rand_r(&seed);
			entry.format = (uint8_t)(rand_r(&seed) % 0x22 |
						 (rand_r(&seed) % 8 ? 0 : 0x80));
			if (rand_r(&seed) % 2)
				entry.handle = htobe32(rand_r(&seed) % 2 ? f->top : BOTTOM);
			if (rand_r(&seed) % 2)
				entry.data = htobe64(data);
			/* Buffers change under our eyes */
			f->p.pane[FIRST_IOBA + (uint32_t)rand_r(&seed) % (16 * 8192)] =
				(uint8_t)rand_r(&seed);
			if (vio_send_crq(f->p.fd, &entry, 1))
				break;
			while (vasi_reap(f->dev, &f->ev, 1) > 0) {
				struct iovec iov[8];

				if (f->ev.type != VASI_EV_OPERATION)
					continue;
				vasi_operation_iov(f->s, f->ev.pool, f->ev.index, iov, 8);
				vasi_respond(f->s, f->ev.pool, f->ev.index,
					     VASI_SUCCESS, 0, true);
			}
			vasi_device_flush(f->dev);
			fake_pending(&f->p);
			f->p.entry_count = 0;
		}
		teardown(state);
	}
}

/*
 * The ring
 */

static void test_ring(void **state)
{
	struct io_uring_cqe foreign = { .user_data = (uint64_t)(TAG + 1) << 48 };
	struct fixture *f = *state;

	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), -EBUSY);
	assert_int_equal(vasi_device_cqe(f->dev, &foreign), -EINVAL);
	foreign.user_data = (uint64_t)TAG << 48 | 99;
	assert_int_equal(vasi_device_cqe(f->dev, &foreign), -EINVAL);
	assert_true(vasi_device_busy(f->dev));
	/* A message makes the ring tell, without anybody asking the socket */
	fake_send(&f->p, &(struct vasi_msg){ .format = VASI_FMT_STATE, .handle = f->top,
					     .code = VASI_STATE_SUSPENDING });
	wait_cqe(f);
	next_event(f, VASI_EV_STATE);
	for (int i = 0; i < 10; i++) {
		fake_send(&f->p, &(struct vasi_msg){ .format = VASI_FMT_STATE,
						     .handle = f->top,
						     .code = VASI_STATE_SUSPENDED });
		wait_cqe(f);
		next_event(f, VASI_EV_STATE);
	}
	vasi_device_detach(f->dev);
	while (vasi_device_busy(f->dev))
		wait_cqe(f);
	/* Detached, it can be attached again */
	assert_int_equal(vasi_device_attach(f->dev, &f->ring, TAG), 0);
	fake_send(&f->p, &(struct vasi_msg){ .format = VASI_FMT_STATE, .handle = f->top,
					     .code = VASI_STATE_RESUMED });
	next_event(f, VASI_EV_STATE);
	assert_int_equal(f->ev.state, VASI_STATE_RESUMED);
}

/* More events than anybody reaps at once: the rest stays in the socket */
static void test_many_events(void **state)
{
	struct fixture *f = *state;
	unsigned int sent = 0, got = 0;

	while (got < 5000) {
		struct vasi_msg msg = { .format = VASI_FMT_STATE, .handle = f->top,
					.code = 1, .reason = sent };
		struct vasi_crq entry;

		vasi_msg_encode(&entry, &msg);
		if (sent < 5000 && !vio_send_crq(f->p.fd, &entry, 1)) {
			sent++;
			continue;
		}
		next_event(f, VASI_EV_STATE);
		assert_int_equal(f->ev.reason, got++);
	}
	no_event(f);
}

/*
 * Donors
 */

struct hcalls {
	struct fixture *f;
	pthread_t thread;
	void (*serve)(struct fixture *f);
};

static void *hcall_thread(void *data)
{
	struct hcalls *h = data;

	fake_accept_hcall(&h->f->p);
	h->serve(h->f);
	return NULL;
}

static void take_hcall(struct fixture *f, uint64_t number, uint64_t *args)
{
	const struct vio_hcall *hcall = (const void *)f->p.msg->body;

	fake_receive(&f->p, f->p.hcall_fd, VIO_CHANNEL_HCALL);
	if (be64toh(hcall->number) != number)
		abort();
	for (int i = 0; i < 3; i++)
		args[i] = be64toh(hcall->arg[i]);
}

static void serve_good(struct fixture *f)
{
	struct fake_platform *p = &f->p;
	uint64_t args[3], state = VASI_STATE_RESUMED, odd = 99;

	vio_send_welcome(p->hcall_fd, &p->welcome);
	take_hcall(f, VASI_H_DONOR_OPERATION, args);
	if (args[0] != ((uint64_t)f->top << 32 | BOTTOM))
		abort();
	vio_send_hret(p->hcall_fd, p->msg->tag, VASI_RC_IN_PROGRESS, NULL, 0);
	take_hcall(f, VASI_H_DONOR_OPERATION, args);
	vio_send_hret(p->hcall_fd, p->msg->tag, VASI_RC_ABORTED, NULL, 0);
	take_hcall(f, VASI_H_STATE, args);
	if (args[0] != STREAM)
		abort();
	vio_send_hret(p->hcall_fd, p->msg->tag, VASI_RC_SUCCESS, &state, 1);
	take_hcall(f, VASI_H_STATE, args);
	vio_send_hret(p->hcall_fd, p->msg->tag, VASI_RC_PARAMETER, &state, 1);
	take_hcall(f, VASI_H_STATE, args);
	vio_send_hret(p->hcall_fd, p->msg->tag, VASI_RC_SUCCESS, &odd, 1);
	take_hcall(f, VASI_H_SIGNAL, args);
	if (args[0] != STREAM || args[1] != VASI_SIGNAL_CANCEL || args[2] != 0x02000000)
		abort();
	vio_send_hret(p->hcall_fd, p->msg->tag, VASI_RC_NOOP, NULL, 0);
}

static void start_hcalls(struct fixture *f, struct hcalls *h, void (*serve)(struct fixture *f))
{
	h->f = f;
	h->serve = serve;
	assert_int_equal(pthread_create(&h->thread, NULL, hcall_thread, h), 0);
}

static void test_donor(void **state)
{
	struct vasi_donor *donor;
	struct fixture *f = *state;
	struct hcalls h;

	start_hcalls(f, &h, serve_good);
	assert_int_equal(vasi_donor_open(f->dev, &donor), 0);
	assert_int_equal(vasi_donate(donor, f->s), VASI_RC_IN_PROGRESS);
	assert_int_equal(vasi_donate(donor, f->s), VASI_RC_ABORTED);
	assert_int_equal(vasi_stream_state(donor, STREAM), VASI_STATE_RESUMED);
	assert_int_equal(vasi_stream_state(donor, STREAM), VASI_RC_PARAMETER);
	assert_int_equal(vasi_stream_state(donor, STREAM), VASI_RC_HARDWARE);
	assert_int_equal(vasi_stream_cancel(donor, STREAM, 0x02000000), VASI_RC_NOOP);
	pthread_join(h.thread, NULL);
	vasi_donor_close(donor);
	vasi_donor_close(NULL);
}

static void serve_refuse(struct fixture *f)
{
	vio_send_refused(f->p.hcall_fd, EACCES, "unknown token");
}

static void serve_death(struct fixture *f)
{
	uint64_t args[3];

	vio_send_welcome(f->p.hcall_fd, &f->p.welcome);
	take_hcall(f, VASI_H_DONOR_OPERATION, args);
	shutdown(f->p.hcall_fd, SHUT_RDWR);
}

static void serve_wrong_tag(struct fixture *f)
{
	uint64_t args[3];

	vio_send_welcome(f->p.hcall_fd, &f->p.welcome);
	take_hcall(f, VASI_H_DONOR_OPERATION, args);
	vio_send_hret(f->p.hcall_fd, f->p.msg->tag + 1, 0, NULL, 0);
}

static void serve_garbage(struct fixture *f)
{
	uint64_t args[3];

	vio_send_welcome(f->p.hcall_fd, &f->p.welcome);
	take_hcall(f, VASI_H_DONOR_OPERATION, args);
	send(f->p.hcall_fd, "garbage", 7, 0);
}

static void serve_refused_call(struct fixture *f)
{
	uint64_t args[3];

	vio_send_welcome(f->p.hcall_fd, &f->p.welcome);
	take_hcall(f, VASI_H_DONOR_OPERATION, args);
	vio_send_refused(f->p.hcall_fd, EPROTO, "no");
}

static void test_donor_failures(void **state)
{
	static void (*const serves[])(struct fixture *f) = {
		serve_death, serve_wrong_tag, serve_garbage, serve_refused_call,
	};
	struct fixture *f = *state;
	struct vasi_donor *donor;
	struct hcalls h;

	log_set_level((enum log_level)-1);
	start_hcalls(f, &h, serve_refuse);
	assert_int_equal(vasi_donor_open(f->dev, &donor), -EACCES);
	assert_non_null(strstr(vasi_device_error(f->dev), "unknown token"));
	pthread_join(h.thread, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(serves); i++) {
		start_hcalls(f, &h, serves[i]);
		assert_int_equal(vasi_donor_open(f->dev, &donor), 0);
		assert_int_equal(vasi_donate(donor, f->s), VASI_RC_HARDWARE);
		pthread_join(h.thread, NULL);
		/* And so it stays */
		assert_int_equal(vasi_donate(donor, f->s), VASI_RC_HARDWARE);
		assert_int_equal(vasi_stream_state(donor, STREAM), VASI_RC_HARDWARE);
		vasi_donor_close(donor);
	}
	no_event(f);
}

#define DEVICE_TEST(test) cmocka_unit_test_setup_teardown(test, setup_device, teardown)
#define SESSION_TEST(test) cmocka_unit_test_setup_teardown(test, setup_session, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, setup_bare, teardown),
		cmocka_unit_test_setup_teardown(test_open_platform_starts, setup_bare, teardown),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_open_failures),
		cmocka_unit_test_setup_teardown(test_open_parameters, setup_bare, teardown),
		DEVICE_TEST(test_open_close),
		DEVICE_TEST(test_open_refused),
		DEVICE_TEST(test_open_order),
		SESSION_TEST(test_bottom_twice),
		SESSION_TEST(test_session_free_early),
		SESSION_TEST(test_pools),
		SESSION_TEST(test_pool_zeroed),
		SESSION_TEST(test_pool_sizes),
		SESSION_TEST(test_post_few),
		SESSION_TEST(test_post_many),
		cmocka_unit_test_setup_teardown(test_post_many_singly, setup_no_indirect,
						teardown),
		SESSION_TEST(test_flow_bound),
		SESSION_TEST(test_post_slots),
		SESSION_TEST(test_add_refused),
		SESSION_TEST(test_indirect_partly),
		SESSION_TEST(test_indirect_refused),
		SESSION_TEST(test_indirect_bad_buffer),
		SESSION_TEST(test_indirect_too_many),
		SESSION_TEST(test_free_buffer),
		SESSION_TEST(test_operation),
		SESSION_TEST(test_operation_changed),
		SESSION_TEST(test_operation_refused),
		SESSION_TEST(test_forged_correlators),
		SESSION_TEST(test_operation_after_close),
		SESSION_TEST(test_indirect_operation),
		SESSION_TEST(test_indirect_refused_segments),
		SESSION_TEST(test_remap),
		SESSION_TEST(test_download),
		SESSION_TEST(test_download_answers),
		SESSION_TEST(test_order),
		SESSION_TEST(test_requests),
		SESSION_TEST(test_platform_tells),
		SESSION_TEST(test_unknown_requests),
		SESSION_TEST(test_dirty_map),
		cmocka_unit_test_setup_teardown(test_dirty_map_echo, setup_bare, teardown),
		SESSION_TEST(test_dma),
		SESSION_TEST(test_dma_full_link),
		SESSION_TEST(test_crq_full_link),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_lost_answers),
		cmocka_unit_test(test_lost_random),
		SESSION_TEST(test_ring),
		SESSION_TEST(test_many_events),
		SESSION_TEST(test_donor),
		SESSION_TEST(test_donor_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
