// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the references of the benchmark have in common: see raw.h.
 *
 * One process sends a region of memory once, one process receives it into one
 * buffer per connection and looks at nothing.  The region is a memfd, as a
 * partition's memory is, and in huge pages where that is; its page tables are
 * filled before the clock starts, its contents are far larger than any cache.
 *
 * Prints one JSON object: bytes, seconds from the first send until the last
 * byte was received, megabytes (10^6) per second, and CPU seconds of both.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
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
#include "common/map.h"
#include "raw.h"

#define MAX_CHUNK	(64u << 20)
/* As the mover has it */
#define NOTSENT_BYTES	(256 << 10)

/**
 * raw_now_ns() - CLOCK_MONOTONIC
 */
uint64_t raw_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/**
 * raw_cpu_seconds() - processor time of this process, all threads
 */
double raw_cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return use.ru_utime.tv_sec + use.ru_stime.tv_sec +
	       (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/**
 * raw_buffers() - a buffer of @opt->chunk bytes for each connection
 * @opt: the command line
 *
 * Return: the first one, the others behind it; or NULL.
 */
uint8_t *raw_buffers(const struct raw_options *opt)
{
	uint8_t *buffers = mmap(NULL, (size_t)opt->chunk * opt->connections,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buffers == MAP_FAILED) {
		perror("buffers");
		return NULL;
	}
	return buffers;
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

static uint8_t *make_region(const struct raw_options *opt)
{
	uint8_t *region;
	int fd, err;

	fd = memfd_create("raw", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, opt->bytes) < 0) {
		perror("memfd");
		return NULL;
	}
	region = map_shared(fd, opt->bytes, PROT_READ | PROT_WRITE);
	close(fd);
	if (!region) {
		perror("mmap");
		return NULL;
	}
	map_collapse(region, opt->bytes);
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

static int set_options(int fd, const struct raw_options *opt)
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

static int make_connections(const struct raw_options *opt, int *near, int *far)
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
	    listen(listener, RAW_MAX_CONNECTIONS) < 0 ||
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

/* The parent */

static void print_results(const struct raw_options *opt,
			  const struct raw_result *sent,
			  const struct raw_result *got)
{
	double seconds = (got->ns - sent->ns) / 1e9;

	printf("{\"bytes\": %" PRIu64 ", \"connections\": %u, \"chunk\": %u, ",
	       opt->bytes, opt->connections, opt->chunk);
	if (opt->suite)
		printf("\"ciphersuite\": \"%s\", ", opt->suite);
	printf("\"seconds\": %.6f, \"mb_per_s\": %.1f, "
	       "\"sender_cpu_s\": %.3f, \"receiver_cpu_s\": %.3f}\n",
	       seconds,
	       opt->bytes / seconds / 1e6, sent->cpu_s, got->cpu_s);
}

static void close_all(const int *fds, unsigned int n)
{
	while (n--)
		close(fds[n]);
}

/* What a child does; 0 if the parent knows its figures then */
static int report(int pipe, int err, const struct raw_result *result)
{
	if (err)
		return 1;
	return write(pipe, result, sizeof(*result)) != sizeof(*result);
}

static int run_receiver(const struct raw_transport *t,
			const struct raw_options *opt, void *data, const int *fds,
			int pipe)
{
	struct raw_result result = { };
	int err = t->receive(opt, data, fds, &result);

	return report(pipe, err, &result);
}

static int run_sender(const struct raw_transport *t,
		      const struct raw_options *opt, void *data, uint8_t *region,
		      const int *fds, int pipe)
{
	struct raw_result result = { };
	int err;

	/* fork() leaves shared mappings to be faulted in again */
	if (madvise(region, opt->bytes, MADV_POPULATE_READ) < 0)
		perror("populate");
	err = t->send(opt, data, region, fds, &result);
	return report(pipe, err, &result);
}

static int run(const struct raw_transport *t, const struct raw_options *opt)
{
	int near[RAW_MAX_CONNECTIONS], far[RAW_MAX_CONNECTIONS];
	struct raw_result sent = { }, got = { };
	int sender[2], receiver[2], status, bad = 0;
	void *data = NULL;
	pid_t pid[2];
	uint8_t *region;

	if (t->prepare) {
		data = t->prepare(opt);
		if (!data)
			return 1;
	}
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
		_exit(run_receiver(t, opt, data, far, receiver[1]));
	}
	pid[1] = pid[0] < 0 ? -1 : fork();
	if (!pid[1]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close_all(far, opt->connections);
		_exit(run_sender(t, opt, data, region, near, sender[1]));
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

/* The command line */

static void usage(const struct raw_transport *t, FILE *out)
{
	fprintf(out, "usage: %s [--bytes N] [--connections N] [--chunk N]\n"
		"       [--socket-buffer N] [--content random|zero|FILE]%s\n", t->name,
		t->suite ? " [--ciphersuite NAME]" : "");
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

/**
 * raw_main() - a whole program
 * @transport: what it is to measure
 * @argc: of main()
 * @argv: of main()
 *
 * Return: exit status.
 */
int raw_main(const struct raw_transport *transport, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "bytes", required_argument, NULL, 'b' },
		{ "connections", required_argument, NULL, 'c' },
		{ "chunk", required_argument, NULL, 'k' },
		{ "socket-buffer", required_argument, NULL, 's' },
		{ "content", required_argument, NULL, 'f' },
		{ "ciphersuite", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct raw_options opt = {
		.bytes = 1 << 30,
		.connections = 1,
		.chunk = 256 << 10,
		.content = "random",
		.suite = transport->suite,
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b':
			opt.bytes = number("--bytes", optarg, 8, UINT64_C(1) << 40);
			break;
		case 'c':
			opt.connections = number("--connections", optarg, 1,
						 RAW_MAX_CONNECTIONS);
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
		case 'u':
			if (!transport->suite)
				goto out_usage;
			opt.suite = optarg;
			break;
		case 'h':
			usage(transport, stdout);
			return 0;
		default:
			goto out_usage;
		}
	}
	if (optind < argc)
		goto out_usage;
	return run(transport, &opt);

out_usage:
	usage(transport, stderr);
	return 2;
}
