// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the loopback carries without a mover: the reference of the benchmark.
 *
 * One process sends a region of memory once, one process receives it into one
 * buffer per connection and looks at nothing.  Both have one io_uring, the
 * simplest loop that keeps every connection busy, and no other work.  The
 * region is a memfd, as a partition's memory is; its page tables are filled
 * before the clock starts, its contents are far larger than any cache.
 *
 * Prints one JSON object: bytes, seconds from the first send until the last
 * byte was received, megabytes (10^6) per second, and CPU seconds of both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS	64
#define MAX_CHUNK	(64u << 20)
/* As the mover has it */
#define NOTSENT_BYTES	(256 << 10)

struct options {
	uint64_t bytes;
	unsigned int connections;
	unsigned int chunk;
	int socket_buffer;
	const char *content;
};

/* What one side reports to the parent */
struct result {
	uint64_t bytes;
	uint64_t ns;		/* sender: first send; receiver: last byte */
	double cpu_s;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return use.ru_utime.tv_sec + use.ru_stime.tv_sec +
	       (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* The region */

static int fill_random(uint8_t *region, uint64_t bytes)
{
	uint64_t x[2];
	uint64_t pos;

	if (getrandom(x, sizeof(x), 0) != sizeof(x))
		return -EIO;
	/* xorshift128+: incompressible, and faster than the system's source */
	for (pos = 0; pos + 8 <= bytes; pos += 8) {
		uint64_t a = x[0], b = x[1], sum = a + b;

		x[0] = b;
		a ^= a << 23;
		x[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
		memcpy(region + pos, &sum, 8);
	}
	return 0;
}

/* A file shorter than the region is repeated, as for a partition's memory */
static int fill_from_file(uint8_t *region, uint64_t bytes, const char *path)
{
	uint64_t pos = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (pos < bytes) {
		ssize_t n = read(fd, region + pos, bytes - pos);

		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		if (!n)
			break;
		pos += n;
	}
	close(fd);
	if (!pos)
		return -ENODATA;
	while (pos < bytes) {
		uint64_t more = pos < bytes - pos ? pos : bytes - pos;

		memcpy(region + pos, region, more);
		pos += more;
	}
	return 0;
}

static uint8_t *make_region(const struct options *opt)
{
	uint8_t *region;
	int fd, err;

	fd = memfd_create("raw_loopback", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, opt->bytes) < 0) {
		perror("memfd");
		return NULL;
	}
	region = mmap(NULL, opt->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (region == MAP_FAILED) {
		perror("mmap");
		return NULL;
	}
	if (!strcmp(opt->content, "zero")) {
		/* Pages of zeros of their own, not the one that all share */
		memset(region, 0, opt->bytes);
		err = 0;
	} else if (!strcmp(opt->content, "random")) {
		err = fill_random(region, opt->bytes);
	} else {
		err = fill_from_file(region, opt->bytes, opt->content);
	}
	if (err) {
		fprintf(stderr, "content %s: %s\n", opt->content, strerror(-err));
		return NULL;
	}
	return region;
}

/* Connections, made before the clock starts */

static int set_options(int fd, const struct options *opt)
{
	int lowat = NOTSENT_BYTES;
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat,
		       sizeof(lowat)) < 0)
		return -errno;
	if (!opt->socket_buffer)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &opt->socket_buffer,
		       sizeof(opt->socket_buffer)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opt->socket_buffer,
		       sizeof(opt->socket_buffer)) < 0)
		return -errno;
	return 0;
}

static int make_connections(const struct options *opt, int *near, int *far)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	unsigned int i;
	int listener;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || set_options(listener, opt) ||
	    bind(listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(listener, MAX_CONNECTIONS) < 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) < 0)
		goto err;
	for (i = 0; i < opt->connections; i++) {
		near[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (near[i] < 0 || set_options(near[i], opt) ||
		    connect(near[i], (struct sockaddr *)&addr, len) < 0)
			goto err;
		far[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (far[i] < 0 || set_options(far[i], opt))
			goto err;
	}
	close(listener);
	return 0;
err:
	perror("connections");
	return -1;
}

static int make_ring(struct io_uring *ring, const int *fds, unsigned int n)
{
	int err;

	err = io_uring_queue_init(2 * MAX_CONNECTIONS, ring,
				  IORING_SETUP_SINGLE_ISSUER |
				  IORING_SETUP_DEFER_TASKRUN);
	if (err == -EINVAL)	/* before Linux 6.1 */
		err = io_uring_queue_init(2 * MAX_CONNECTIONS, ring, 0);
	if (!err)
		err = io_uring_register_files(ring, fds, n);
	if (err)
		fprintf(stderr, "io_uring: %s\n", strerror(-err));
	return err;
}

static int report(int fd, const struct result *result)
{
	return write(fd, result, sizeof(*result)) == sizeof(*result) ? 0 : -1;
}

/* The sender: each connection takes the next chunk when its last one is gone */

struct chunk {
	uint8_t *data;
	unsigned int left;
};

static void queue_send(struct io_uring *ring, struct chunk *chunk,
		       unsigned int conn)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_send(sqe, conn, chunk->data, chunk->left,
			   MSG_WAITALL | MSG_NOSIGNAL);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = conn;
}

static bool next_chunk(const struct options *opt, uint8_t *region,
		       uint64_t *pos, struct chunk *chunk)
{
	uint64_t left = opt->bytes - *pos;

	if (!left)
		return false;
	chunk->data = region + *pos;
	chunk->left = left < opt->chunk ? left : opt->chunk;
	*pos += chunk->left;
	return true;
}

static int run_sender(const struct options *opt, uint8_t *region,
		      const int *fds, int out)
{
	struct chunk chunks[MAX_CONNECTIONS] = { };
	struct io_uring_cqe *cqe;
	struct result result;
	struct io_uring ring;
	unsigned int i, busy = 0;
	uint64_t pos = 0;
	double cpu;
	int err;

	err = make_ring(&ring, fds, opt->connections);
	if (err)
		return err;
	cpu = cpu_seconds();
	result.ns = now_ns();
	for (i = 0; i < opt->connections; i++) {
		if (!next_chunk(opt, region, &pos, &chunks[i]))
			break;
		queue_send(&ring, &chunks[i], i);
		busy++;
	}
	while (busy) {
		err = io_uring_submit_and_wait(&ring, 1);
		if (err < 0)
			goto out_error;
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			i = cqe->user_data;
			err = cqe->res ? cqe->res : -EPIPE;
			io_uring_cqe_seen(&ring, cqe);
			if (err < 0)
				goto out_error;
			chunks[i].data += err;
			chunks[i].left -= err;
			if (chunks[i].left ||
			    next_chunk(opt, region, &pos, &chunks[i]))
				queue_send(&ring, &chunks[i], i);
			else
				busy--;
		}
	}
	result.bytes = pos;
	result.cpu_s = cpu_seconds() - cpu;
	for (i = 0; i < opt->connections; i++)
		shutdown(fds[i], SHUT_WR);
	return report(out, &result);

out_error:
	fprintf(stderr, "send: %s\n", strerror(-err));
	return err;
}

/* The receiver: until every connection has ended */

static void queue_recv(struct io_uring *ring, uint8_t *buffer,
		       unsigned int chunk, unsigned int conn)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_recv(sqe, conn, buffer, chunk, MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = conn;
}

static int run_receiver(const struct options *opt, const int *fds, int out)
{
	unsigned int i, busy = opt->connections;
	size_t size = (size_t)opt->chunk * opt->connections;
	struct result result = { };
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint8_t *buffers;
	double cpu;
	int err;

	buffers = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffers == MAP_FAILED) {
		perror("buffers");
		return -1;
	}
	err = make_ring(&ring, fds, opt->connections);
	if (err)
		return err;
	cpu = cpu_seconds();
	for (i = 0; i < opt->connections; i++)
		queue_recv(&ring, buffers + (size_t)i * opt->chunk, opt->chunk, i);
	while (busy) {
		err = io_uring_submit_and_wait(&ring, 1);
		if (err < 0)
			goto out_error;
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			i = cqe->user_data;
			err = cqe->res;
			io_uring_cqe_seen(&ring, cqe);
			if (err < 0)
				goto out_error;
			if (!err) {
				busy--;
				continue;
			}
			result.bytes += err;
			if (result.bytes == opt->bytes)
				result.ns = now_ns();
			queue_recv(&ring, buffers + (size_t)i * opt->chunk,
				   opt->chunk, i);
		}
	}
	result.cpu_s = cpu_seconds() - cpu;
	return report(out, &result);

out_error:
	fprintf(stderr, "recv: %s\n", strerror(-err));
	return err;
}

/* The parent */

static void print_results(const struct options *opt, const struct result *sent,
			  const struct result *got)
{
	double seconds = (got->ns - sent->ns) / 1e9;

	printf("{\"bytes\": %" PRIu64 ", \"connections\": %u, \"chunk\": %u, "
	       "\"seconds\": %.6f, \"mb_per_s\": %.1f, "
	       "\"sender_cpu_s\": %.3f, \"receiver_cpu_s\": %.3f}\n",
	       opt->bytes, opt->connections, opt->chunk, seconds,
	       opt->bytes / seconds / 1e6, sent->cpu_s, got->cpu_s);
}

static void close_all(const int *fds, unsigned int n)
{
	while (n--)
		close(fds[n]);
}

static int run(const struct options *opt)
{
	int near[MAX_CONNECTIONS], far[MAX_CONNECTIONS];
	struct result sent = { }, got = { };
	int sender[2], receiver[2], status, bad = 0;
	pid_t pid[2];
	uint8_t *region;

	region = make_region(opt);
	if (!region || make_connections(opt, near, far))
		return 1;
	if (pipe2(sender, O_CLOEXEC) < 0 || pipe2(receiver, O_CLOEXEC) < 0) {
		perror("pipe");
		return 1;
	}
	pid[0] = fork();
	if (!pid[0]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_all(near, opt->connections);
		_exit(run_receiver(opt, far, receiver[1]) ? 1 : 0);
	}
	pid[1] = pid[0] < 0 ? -1 : fork();
	if (!pid[1]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_all(far, opt->connections);
		/* fork() leaves shared mappings to be faulted in again */
		if (madvise(region, opt->bytes, MADV_POPULATE_READ) < 0)
			perror("populate");
		_exit(run_sender(opt, region, near, sender[1]) ? 1 : 0);
	}
	close_all(near, opt->connections);
	close_all(far, opt->connections);
	close(sender[1]);
	close(receiver[1]);
	if (pid[0] < 0 || pid[1] < 0) {
		perror("fork");
		return 1;
	}
	bad |= read(sender[0], &sent, sizeof(sent)) != sizeof(sent);
	bad |= read(receiver[0], &got, sizeof(got)) != sizeof(got);
	bad |= waitpid(pid[0], &status, 0) < 0 || status;
	bad |= waitpid(pid[1], &status, 0) < 0 || status;
	if (bad || sent.bytes != opt->bytes || got.bytes != opt->bytes) {
		fprintf(stderr, "%" PRIu64 " bytes sent, %" PRIu64 " received of %"
			PRIu64 "\n", sent.bytes, got.bytes, opt->bytes);
		return 1;
	}
	print_results(opt, &sent, &got);
	return 0;
}

static void usage(FILE *out)
{
	fputs("usage: raw_loopback [--bytes N] [--connections N] [--chunk N]\n"
	      "                    [--socket-buffer N] [--content random|zero|FILE]\n",
	      out);
}

/* A whole number within [min, max], or exit */
static uint64_t number(const char *name, const char *text, uint64_t min,
		       uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value < min ||
	    value > max) {
		fprintf(stderr, "%s %s: not within %" PRIu64 " to %" PRIu64 "\n",
			name, text, min, max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "bytes", required_argument, NULL, 'b' },
		{ "connections", required_argument, NULL, 'c' },
		{ "chunk", required_argument, NULL, 'k' },
		{ "socket-buffer", required_argument, NULL, 's' },
		{ "content", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct options opt = {
		.bytes = 1 << 30,
		.connections = 1,
		.chunk = 256 << 10,
		.content = "random",
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			opt.bytes = number("--bytes", optarg, 8, UINT64_C(1) << 40);
			break;
		case 'c':
			opt.connections = number("--connections", optarg, 1,
						 MAX_CONNECTIONS);
			break;
		case 'k':
			opt.chunk = number("--chunk", optarg, 1, MAX_CHUNK);
			break;
		case 's':
			opt.socket_buffer = number("--socket-buffer", optarg, 0,
						   1 << 30);
			break;
		case 'f':
			opt.content = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	return run(&opt);
}
