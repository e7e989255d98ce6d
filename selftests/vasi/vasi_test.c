// SPDX-License-Identifier: GPL-2.0
/* What the tests of the VASI driver share. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "vasi_test.h"

/* Where sysfs has the driver */
#define DRIVER_DIR	"/sys/bus/vio/drivers/vasi"

long vt_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A short while, between two looks at what nothing announces */
void vt_pause(void)
{
	struct timespec while_ = { .tv_nsec = 2000000 };

	nanosleep(&while_, NULL);
}

/*
 * Adapters
 */

static bool unit_address(char role, uint32_t *unit)
{
	char name[] = "VASI_UNIT_?";
	const char *value;

	name[sizeof(name) - 2] = role;
	value = getenv(name);
	if (!value)
		return false;
	*unit = strtoul(value, NULL, 16);
	return true;
}

/* Is there an adapter of this role: 'A', 'B' or 'S'? */
bool vt_have(char role)
{
	uint32_t unit;

	return unit_address(role, &unit);
}

static int open_unit(uint32_t unit, char *path, size_t size)
{
	struct vasi_info info;
	glob_t found;
	int fd = -ENOENT;
	size_t i;

	if (glob("/dev/vasi[0-9]*", 0, NULL, &found))
		return -ENOENT;
	for (i = 0; i < found.gl_pathc; i++) {
		fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			fd = -errno;
			continue;
		}
		if (!vt_info(fd, &info) && info.unit_address == unit)
			break;
		close(fd);
		fd = -ENOENT;
	}
	if (i < found.gl_pathc)
		snprintf(path, size, "%s", found.gl_pathv[i]);
	globfree(&found);
	return fd;
}

/* Path of an adapter's device, which may have been made a moment ago */
int vt_path(char role, char *path, size_t size)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	uint32_t unit;
	int fd;

	if (!unit_address(role, &unit))
		return -ENODEV;
	while ((fd = open_unit(unit, path, size)) < 0) {
		if (vt_now_ms() > deadline)
			return fd;
		vt_pause();
	}
	close(fd);
	return 0;
}

/* Name of its device on the vio bus */
int vt_vio_name(char role, char *name, size_t size)
{
	uint32_t unit;

	if (!unit_address(role, &unit))
		return -ENODEV;
	snprintf(name, size, "%x", unit);
	return 0;
}

/* The adapter, whatever it is up to */
int vt_open_nowait(char role)
{
	char path[64];
	int err = vt_path(role, path, sizeof(path));
	int fd;

	if (err)
		return err;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The adapter, once it is ready */
int vt_open(char role)
{
	int fd = vt_open_nowait(role);
	int err;

	if (fd < 0)
		return fd;
	err = vt_wait_state(fd, VASI_ADAPTER_READY);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int vt_info(int dev, struct vasi_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return ioctl(dev, VASI_IOC_GET_INFO, info) ? -errno : 0;
}

int vt_wait_state(int dev, uint32_t state)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	struct vasi_info info;
	int err;

	while (!(err = vt_info(dev, &info)) && info.state != state) {
		if (vt_now_ms() > deadline)
			return -ETIME;
		vt_pause();
	}
	return err;
}

/* Until the adapter has been reset @least times, and is ready again */
int vt_wait_resets(int dev, uint32_t least)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	struct vasi_info info;
	int err;

	while (!(err = vt_info(dev, &info)) &&
	       (info.resets < least || info.state != VASI_ADAPTER_READY)) {
		if (vt_now_ms() > deadline)
			return -ETIME;
		vt_pause();
	}
	return err;
}

/*
 * Sessions and pools
 */

/* 0, or -errno; with -EREMOTEIO @s->open.status says why */
int vt_session_open(struct vt_session *s, int dev, uint64_t id, uint32_t service)
{
	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->dev = dev;
	s->id = id;
	s->open.size = sizeof(s->open);
	s->open.stream_id = id;
	s->open.service = service;
	s->open.fd = -1;
	if (ioctl(dev, VASI_IOC_OPEN_STREAM, &s->open))
		return -errno;
	s->fd = s->open.fd;
	return 0;
}

/*
 * The adapter of @role, once it is ready, and a session of a stream that its vasi-phypd
 * makes for this, with a partition of @kib
 */
int vt_stream_open(struct vt_session *s, int *dev, char role, uint32_t service, uint32_t kib)
{
	uint64_t id;

	*dev = vt_open(role);
	if (*dev < 0)
		return *dev;
	id = vt_ask_number("%s %u", service == VASI_SERVICE_SOURCE_MOVER ? "source" : "target",
			   kib);
	return id ? vt_session_open(s, *dev, id, service) : -EREMOTEIO;
}

/* The adapter whose platform is a script, as at its start, and a session of stream 1 */
int vt_script_open(struct vt_session *s, int *dev, uint32_t service)
{
	int err = vt_script_reset();

	if (err)
		return err;
	*dev = vt_open('S');
	return *dev < 0 ? *dev : vt_session_open(s, *dev, 1, service);
}

/* In order: a Close, its answer, and the file */
int vt_session_close(struct vt_session *s)
{
	struct vasi_io_event event;
	int err = vt_simple(s->fd, VASI_REQ_CLOSE, 0);

	if (err == 1)
		err = vt_next_of(s->fd, VASI_EVT_CLOSED, &event);
	close(s->fd);
	s->fd = -1;
	return err;
}

int vt_pool_setup(struct vt_session *s, struct vt_pool *pool, uint32_t bytes,
		  uint32_t count)
{
	struct vasi_info info;
	int err = vt_info(s->dev, &info);

	if (err)
		return err;
	memset(pool, 0, sizeof(*pool));
	pool->setup.size = sizeof(pool->setup);
	pool->setup.buffer_bytes = bytes;
	pool->setup.count = count;
	if (info.features & VASI_FEATURE_INDIRECT)
		pool->setup.fetch_bytes = bytes;
	if (ioctl(s->fd, VASI_IOC_SETUP_POOL, &pool->setup))
		return -errno;
	pool->map = mmap(NULL, pool->setup.mmap_bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED, s->fd, pool->setup.mmap_offset);
	return pool->map == MAP_FAILED ? -errno : 0;
}

/* A mapping keeps its session's file open */
void vt_pool_unmap(struct vt_pool *pool)
{
	if (pool->map && pool->map != MAP_FAILED)
		munmap(pool->map, pool->setup.mmap_bytes);
	pool->map = NULL;
}

unsigned char *vt_buffer(const struct vt_pool *pool, uint32_t index)
{
	return pool->map + (size_t)index * pool->setup.stride;
}

/*
 * Requests and events
 */

/* How many were taken, or -errno */
int vt_submit(int fd, const struct vasi_io_request *requests, uint32_t count)
{
	struct vasi_vector vector = {
		.entries = (uintptr_t)requests,
		.count = count,
		.entry_bytes = sizeof(*requests),
	};
	int taken = ioctl(fd, VASI_IOC_SUBMIT, &vector);

	return taken < 0 ? -errno : taken;
}

int vt_fetch(int fd, struct vasi_io_event *events, uint32_t count)
{
	struct vasi_vector vector = {
		.entries = (uintptr_t)events,
		.count = count,
		.entry_bytes = sizeof(*events),
	};
	int stored = ioctl(fd, VASI_IOC_FETCH, &vector);

	return stored < 0 ? -errno : stored;
}

/* What poll() tells of @events, hang-up and error; 0: nothing in time */
int vt_poll(int fd, short events, int timeout_ms)
{
	struct pollfd poller = { .fd = fd, .events = events };
	int ready;

	do {
		ready = poll(&poller, 1, timeout_ms);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return -errno;
	return ready ? poller.revents : 0;
}

/* Wait for an event; -errno of the fetch, -ETIME */
int vt_next(int fd, struct vasi_io_event *event)
{
	int ready, got;

	do {
		ready = vt_poll(fd, POLLIN, VT_PATIENCE_MS);
		if (ready <= 0)
			return ready ? ready : -ETIME;
		got = vt_fetch(fd, event, 1);
	} while (!got);
	return got < 0 ? got : 0;
}

/* Wait for an event of a type; others are dropped, State requests for one */
int vt_next_of(int fd, uint16_t type, struct vasi_io_event *event)
{
	int err;

	do {
		err = vt_next(fd, event);
	} while (!err && event->type != type);
	return err;
}

int vt_complete(int fd, uint16_t flags, uint16_t pool, uint32_t index,
		uint32_t generation, uint32_t status)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_COMPLETE,
		.flags = flags,
		.pool = pool,
		.index = index,
		.generation = generation,
		.u.complete.status = status,
	};

	return vt_submit(fd, &request, 1);
}

int vt_add(int fd, uint16_t pool, uint32_t index)
{
	return vt_complete(fd, VASI_COMPLETE_ADD, pool, index, 0, 0);
}

/* Copy @data into a buffer and hand it to the platform */
int vt_download(int fd, const struct vt_pool *pool, uint32_t index,
		const void *data, uint32_t bytes, uint64_t token)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_DOWNLOAD,
		.pool = pool->setup.pool,
		.index = index,
		.token = token,
		.u.download.offset = pool->setup.data_offset,
		.u.download.bytes = bytes,
	};

	memcpy(vt_buffer(pool, index) + pool->setup.data_offset, data, bytes);
	return vt_submit(fd, &request, 1);
}

/* A request that is nothing but its op and its token */
int vt_simple(int fd, uint16_t op, uint64_t token)
{
	struct vasi_io_request request = { .op = op, .token = token };

	return vt_submit(fd, &request, 1);
}

int vt_signal(int fd, uint32_t code, uint32_t reason, uint64_t token)
{
	struct vasi_io_request request = {
		.op = VASI_REQ_SIGNAL,
		.token = token,
		.u.signal.code = code,
		.u.signal.reason = reason,
	};

	return vt_submit(fd, &request, 1);
}

int vt_donate(int fd, uint64_t budget_ns, int64_t *rc)
{
	struct vasi_donate donate = {
		.size = sizeof(donate),
		.budget_ns = budget_ns,
	};

	if (ioctl(fd, VASI_IOC_DONATE, &donate))
		return -errno;
	*rc = donate.rc;
	return donate.calls;
}

/*
 * A platform that is late, on a busy machine, is one that says LongBusyOrder10mSec; its
 * answer is for whoever asks again.
 */

/* Donate until this comes back: 0, -errno, -ETIME */
int vt_donate_until(int fd, int64_t wanted)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	int64_t rc;
	int calls;

	do {
		calls = vt_donate(fd, 0, &rc);
		if (calls < 0)
			return calls;
		if (rc == wanted)
			return 0;
	} while (vt_now_ms() < deadline);
	return -ETIME;
}

/* VASI_IOC_STREAM_STATE or _CANCEL, until there is an answer */
int vt_stream(int dev, unsigned long command, struct vasi_stream *stream)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;

	do {
		if (ioctl(dev, command, stream))
			return -errno;
		if (stream->rc != VASI_RC_LONG_BUSY_10_MSEC)
			return 0;
		vt_pause();
	} while (vt_now_ms() < deadline);
	return -ETIME;
}

/*
 * An operation's bytes, as the specifier in its buffer lays them out.  Those of
 * indirect segments lie behind the buffer, where the kernel has fetched them to.
 */
int64_t vt_payload(const struct vt_pool *pool, const struct vasi_io_event *event,
		   void *data, uint32_t room)
{
	const unsigned char *buffer = vt_buffer(pool, event->index);
	const unsigned char *fetched = buffer + pool->setup.stride -
				       pool->setup.fetch_bytes;
	const unsigned char *end = buffer + pool->setup.buffer_bytes;
	const unsigned char *at = buffer + VASI_CORRELATOR_BYTES +
				  sizeof(struct vasi_op_specifier);
	uint32_t word, bytes, total = 0;

	for (;;) {
		if (end - at < VASI_TERMINATOR_BYTES)
			return -EBADMSG;
		memcpy(&word, at, sizeof(word));
		word = be32toh(word);
		at += sizeof(word);
		if (!word)
			return total;
		bytes = word & VASI_MAX_LENGTH;
		if (bytes > room - total)
			return -EMSGSIZE;
		switch (word >> 24) {
		case VASI_SEG_IMMEDIATE:
			if (bytes > end - at)
				return -EBADMSG;
			memcpy((char *)data + total, at, bytes);
			at += bytes;
			break;
		case VASI_SEG_INDIRECT:
			at += sizeof(uint32_t);
			if (bytes > buffer + pool->setup.stride - fetched)
				return -EBADMSG;
			memcpy((char *)data + total, fetched, bytes);
			fetched += bytes;
			break;
		default:
			return -EBADMSG;
		}
		total += bytes;
	}
}

/*
 * Adapter and driver
 */

int vt_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Have the driver leave an adapter alone, or take it again */
int vt_bind(char role, bool bind)
{
	char name[32];
	int err = vt_vio_name(role, name, sizeof(name));

	if (err)
		return err;
	return vt_write_file(bind ? DRIVER_DIR "/bind" : DRIVER_DIR "/unbind", name);
}
