// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mover without a network, to measure what carries a device: the same calls of
 * libvasi over the kernel driver's character device or over a VIO link.
 *
 *	driver_bench source DEVICE STREAM BYTES MIB DEPTH TASKS
 *	driver_bench copy DEVICE STREAM BYTES MIB DEPTH TASKS
 *	driver_bench target DEVICE STREAM BYTES MIB DEPTH TASKS SOURCE-DEVICE
 *
 * The first takes MIB of stream data in operations of a source session with buffers
 * of BYTES, looks at nothing and gives the buffers back.  The second copies them, too:
 * it shows what a copy costs.  The third records the stream of the source device, which
 * is not measured, and hands it to the target device in downloads from buffers of BYTES,
 * which are filled before.
 *
 * The platform has DEPTH buffers at a time; with one, nothing can be done together.
 *
 * One thread does everything: hand over what was answered, donate, take what arrived.
 * So the platform finds all buffers when it is given cycles, and the mover what was
 * done with them.
 *
 * Two instructions that do nothing tell the counting plug-in of QEMU
 * (selftests/qemu/count.c) where the measured part begins and ends.  TASKS are other
 * threads whose processor time counts, the driver's interrupts: PID,PID or none.
 *
 * Prints one JSON object.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/util.h"
#include "libvasi/vasi.h"

#define RING_ENTRIES	256
#define TAG		1
#define MIB		(UINT64_C(1) << 20)
#define MAX_MIB		128
#define MAX_DEPTH	64
/* Of what is recorded */
#define RECORD_DEPTH	4
#define MAX_SEGMENTS	64
#define REAP		64
#define WAIT_NS		NSEC_PER_MSEC
/* A stream that gives nothing for as long has come to its end */
#define IDLE_TURNS	5000

/**
 * struct side - a mover's end of a stream
 * @ring:	I/O of the device
 * @dev:	device
 * @donor:	for the same thread
 * @s:		session
 * @pool:	its only pool
 * @count:	buffers of it
 * @opened:	the session is open
 * @failed:	what arrived is not what should have
 * @recording:	where operations' data go, or NULL
 * @room:	bytes there
 * @scratch:	where each operation's data go, or NULL
 * @operations:	that arrived
 * @downloads:	that were answered
 * @bytes:	of operations' data
 * @turns:	of the loop
 * @donations:	calls
 * @donation_ns: time in them
 * @completions: CQEs of the device
 */
struct side {
	struct io_uring ring;
	struct vasi_device *dev;
	struct vasi_donor *donor;
	struct vasi_session *s;
	uint16_t pool;
	uint32_t count;
	bool opened;
	bool failed;
	uint8_t *recording;
	uint64_t room;
	uint8_t *scratch;
	uint64_t operations;
	uint64_t downloads;
	uint64_t bytes;
	uint64_t turns;
	uint64_t donations;
	uint64_t donation_ns;
	uint64_t completions;
};

/**
 * struct usage - what had been used up at a moment
 * @wall_ns:	clock
 * @thread_ns:	processor time of this thread
 * @task_ns:	of the other threads
 */
struct usage {
	uint64_t wall_ns;
	uint64_t thread_ns;
	uint64_t task_ns;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "driver_bench: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static void fail_with(const char *what, int ret)
{
	fail(what, strerror(-ret));
}

/*
 * Figures
 */

static inline void mark(void)
{
#ifdef __PPC64__
	asm volatile("xori 26,26,0" ::: "memory");
#endif
}

static uint64_t task_ns(const char *pid, int digits)
{
	char path[64];
	uint64_t ns;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.*s/schedstat", digits, pid);
	file = fopen(path, "r");
	if (!file)
		fail_with(path, -errno);
	if (fscanf(file, "%" SCNu64, &ns) != 1)
		fail(path, "not a number");
	fclose(file);
	return ns;
}

static uint64_t tasks_ns(const char *tasks)
{
	uint64_t ns = 0;

	if (!strcmp(tasks, "none"))
		return 0;
	for (;; tasks++) {
		int digits = (int)strspn(tasks, "0123456789");

		ns += task_ns(tasks, min(digits, 16));
		tasks += digits;
		if (*tasks != ',')
			return ns;
	}
}

static struct usage usage_now(const char *tasks)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (struct usage) {
		.wall_ns = now_ns(),
		.thread_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec,
		.task_ns = tasks_ns(tasks),
	};
}

static void report(const struct side *side, const struct usage *from, const struct usage *to,
		   uint64_t bytes)
{
	printf("{\"operations\": %" PRIu64 ", \"downloads\": %" PRIu64 ", \"bytes\": %" PRIu64
	       ", \"turns\": %" PRIu64 ", \"donations\": %" PRIu64 ", \"completions\": %" PRIu64
	       ", \"donation_ns\": %" PRIu64 ", \"wall_ns\": %" PRIu64
	       ", \"thread_ns\": %" PRIu64 ", \"task_ns\": %" PRIu64 "}\n",
	       side->operations, side->downloads, bytes, side->turns, side->donations,
	       side->completions, side->donation_ns, to->wall_ns - from->wall_ns,
	       to->thread_ns - from->thread_ns, to->task_ns - from->task_ns);
}

static void forget(struct side *side)
{
	side->operations = 0;
	side->downloads = 0;
	side->bytes = 0;
	side->turns = 0;
	side->donations = 0;
	side->donation_ns = 0;
	side->completions = 0;
}

/*
 * Events
 */

static void record(struct side *side, const struct vasi_event *event)
{
	struct iovec iov[MAX_SEGMENTS];
	int count = vasi_operation_iov(side->s, event->pool, event->index, iov, MAX_SEGMENTS);

	if (count < 0)
		fail_with("operation", count);
	for (int i = 0; i < count && side->room; i++) {
		size_t bytes = min((uint64_t)iov[i].iov_len, side->room);

		memcpy(side->recording, iov[i].iov_base, bytes);
		side->recording += bytes;
		side->room -= bytes;
	}
}

static void operation(struct side *side, const struct vasi_event *event)
{
	int ret;

	side->operations++;
	side->bytes += event->bytes;
	if (side->scratch) {
		side->recording = side->scratch;
		side->room = event->bytes;
	}
	if (side->recording)
		record(side, event);
	ret = vasi_respond(side->s, event->pool, event->index, VASI_SUCCESS, 0, true);
	if (ret)
		fail_with("response", ret);
}

static void take(struct side *side, const struct vasi_event *event)
{
	switch (event->type) {
	case VASI_EV_OPENED:
		side->opened = true;
		break;
	case VASI_EV_OPERATION:
		operation(side, event);
		break;
	case VASI_EV_DOWNLOADED:
		side->downloads++;
		break;
	case VASI_EV_STATE:
		side->failed |= event->state == VASI_STATE_ABORTED;
		break;
	default:
		side->failed = true;
	}
	side->failed |= event->status != VASI_SUCCESS;
	if (side->failed) {
		fprintf(stderr, "driver_bench: event %d, status %u, state %u, %s\n", event->type,
			event->status, event->state, vasi_device_error(side->dev));
		exit(EXIT_FAILURE);
	}
}

static void take_completions(struct side *side)
{
	struct vasi_event events[REAP];
	struct io_uring_cqe *cqe;
	int count;

	while (!io_uring_peek_cqe(&side->ring, &cqe)) {
		if (vasi_device_cqe(side->dev, cqe))
			fail("completion", vasi_device_error(side->dev));
		io_uring_cqe_seen(&side->ring, cqe);
		side->completions++;
	}
	while ((count = vasi_reap(side->dev, events, REAP)) > 0) {
		for (int i = 0; i < count; i++)
			take(side, &events[i]);
	}
}

static void wait_for_completions(struct side *side, bool patient)
{
	struct __kernel_timespec wait = { .tv_nsec = WAIT_NS };
	struct io_uring_cqe *cqe;
	int ret;

	if (patient)
		ret = io_uring_submit_and_wait_timeout(&side->ring, &cqe, 1, &wait, NULL);
	else
		ret = io_uring_submit_and_get_events(&side->ring);
	if (ret < 0 && ret != -ETIME && ret != -EINTR)
		fail_with("io_uring", ret);
}

static void turn(struct side *side)
{
	int64_t rc = VASI_RC_IN_PROGRESS;
	uint64_t started;
	int ret;

	ret = vasi_device_flush(side->dev);
	if (ret)
		fail("flush", vasi_device_error(side->dev));
	if (side->opened) {
		started = now_ns();
		rc = vasi_donate(side->donor, side->s);
		side->donation_ns += now_ns() - started;
		side->donations++;
		if (rc < 0)
			fail("donation", vasi_device_error(side->dev));
	}
	wait_for_completions(side, !side->opened || rc != VASI_RC_IN_PROGRESS);
	take_completions(side);
	side->turns++;
}

/* Turns until as much has been done, or nothing more is */
static void turn_until(struct side *side, const uint64_t *figure, uint64_t least)
{
	unsigned int idle = 0;

	while (*figure < least) {
		uint64_t before = *figure;

		turn(side);
		idle = *figure == before ? idle + 1 : 0;
		if (idle == IDLE_TURNS)
			fail("stream", "nothing more comes");
	}
}

/*
 * Sessions
 */

static void open_ring(struct side *side)
{
	int ret = io_uring_queue_init(RING_ENTRIES, &side->ring,
				      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	if (ret)
		fail_with("io_uring", ret);
	ret = vasi_device_attach(side->dev, &side->ring, TAG);
	if (ret)
		fail("ring", vasi_device_error(side->dev));
}

static void open_side(struct side *side, const char *path, uint64_t stream_id,
		      enum vasi_service service)
{
	/* Pools, and what the user-mode driver keeps for itself */
	const struct vasi_device_params params = {
		.pane_bytes = 2 * MAX_MIB * MIB,
		.no_indirect_operations = true,
	};
	int ret;

	ret = vasi_device_open(path, &params, &side->dev);
	if (ret)
		fail_with(path, ret);
	open_ring(side);
	ret = vasi_donor_open(side->dev, &side->donor);
	if (!ret)
		ret = vasi_session_open(side->dev, stream_id, service, 0, &side->s);
	if (ret)
		fail(path, vasi_device_error(side->dev));
	for (unsigned int i = 0; i < IDLE_TURNS && !side->opened; i++)
		turn(side);
	if (!side->opened)
		fail(path, "the session does not open");
}

static void set_up_pool(struct side *side, uint32_t bytes, uint32_t count)
{
	int ret = vasi_pool_setup(side->s, bytes, count, 0);

	if (ret < 0)
		fail("pool", vasi_device_error(side->dev));
	side->pool = (uint16_t)ret;
	side->count = count;
	/* Page faults are not what is measured */
	for (uint32_t i = 0; i < count; i++)
		memset(vasi_buffer(side->s, side->pool, i), 0, bytes);
}

static void post_all(struct side *side)
{
	for (uint32_t i = 0; i < side->count; i++) {
		int ret = vasi_post(side->s, side->pool, i);

		if (ret)
			fail_with("buffer", ret);
	}
}

static void measure_source(struct side *side, uint32_t bytes, uint64_t total,
			   uint32_t depth, const char *tasks, bool copies)
{
	struct usage from, to;

	if (copies) {
		/* Operations are no longer than buffers: none is indirect */
		side->scratch = malloc(bytes);
		if (!side->scratch)
			fail_with("memory", -ENOMEM);
	}
	set_up_pool(side, bytes, depth);
	post_all(side);
	turn_until(side, &side->operations, 2 * side->count);
	forget(side);
	from = usage_now(tasks);
	mark();
	turn_until(side, &side->bytes, total);
	mark();
	to = usage_now(tasks);
	report(side, &from, &to, side->bytes);
	free(side->scratch);
}

/*
 * Target
 */

static void record_stream(const char *path, uint64_t stream_id, uint8_t *data, uint64_t bytes)
{
	struct side side = { .recording = data, .room = bytes };

	open_side(&side, path, stream_id, VASI_SERVICE_SOURCE_MOVER);
	set_up_pool(&side, MIB, RECORD_DEPTH);
	post_all(&side);
	turn_until(&side, &side.bytes, bytes);
	/* Closed when this process ends */
}

static void download_all(struct side *side, uint32_t bytes, uint32_t most)
{
	uint32_t begun = 0, idle = 0;

	while (side->downloads < side->count) {
		uint64_t before = side->downloads;

		for (; begun < side->count && begun - side->downloads < most; begun++) {
			int ret = vasi_download(side->s, side->pool, begun, bytes, false, begun);

			if (ret)
				fail_with("download", ret);
		}
		turn(side);
		idle = side->downloads == before ? idle + 1 : 0;
		if (idle == IDLE_TURNS)
			fail("download", "not answered");
	}
}

static void measure_target(struct side *side, uint32_t bytes, uint64_t total,
			   uint32_t depth, const char *tasks, const char *source_path, uint64_t stream_id)
{
	uint32_t room, count = (uint32_t)(total / bytes);
	uint8_t *stream = malloc(total);
	struct usage from, to;

	if (!stream)
		fail_with("memory", -ENOMEM);
	record_stream(source_path, stream_id, stream, total);
	set_up_pool(side, bytes, count);
	room = vasi_download_room(side->s, side->pool);
	for (uint32_t i = 0; i < count; i++)
		memcpy(vasi_download_data(side->s, side->pool, i),
		       stream + (uint64_t)i * room, room);
	free(stream);
	forget(side);
	from = usage_now(tasks);
	mark();
	download_all(side, room, depth);
	mark();
	to = usage_now(tasks);
	report(side, &from, &to, (uint64_t)count * room);
}

static uint64_t number(const char *text, int base, uint64_t low, uint64_t high)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, base);
	if (errno || end == text || *end || value < low || value > high)
		fail(text, "not a number that is allowed");
	return value;
}

int main(int argc, char **argv)
{
	const bool is_target = argc > 1 && !strcmp(argv[1], "target");
	const bool copies = argc > 1 && !strcmp(argv[1], "copy");
	struct side side = { };
	uint64_t stream_id, mib;
	uint32_t bytes, depth;

	if (argc != (is_target ? 9 : 8) ||
	    (!is_target && !copies && strcmp(argv[1], "source")))
		fail("usage", "driver_bench source|copy|target DEVICE STREAM BYTES MIB DEPTH TASKS [SOURCE-DEVICE]");
	log_init("driver_bench", LOG_LEVEL_WARNING);
	stream_id = number(argv[3], 16, 1, UINT64_MAX);
	bytes = (uint32_t)number(argv[4], 10, 8192, 8 * MIB);
	mib = number(argv[5], 10, 1, MAX_MIB);
	depth = (uint32_t)number(argv[6], 10, 1, MAX_DEPTH);
	open_side(&side, argv[2], stream_id,
		  is_target ? VASI_SERVICE_TARGET_MOVER : VASI_SERVICE_SOURCE_MOVER);
	if (is_target)
		measure_target(&side, bytes, mib * MIB, depth, argv[7], argv[8], stream_id);
	else
		measure_source(&side, bytes, mib * MIB, depth, argv[7], copies);
	return EXIT_SUCCESS;
}
