// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvcheck [PORT [RATE [SEED]]]: writes to the key-value server (memcached) at a port of
 * this machine (11211), over one TCP connection, RATE times a second (100; 0: as fast as
 * it can), and reads back, after each write, a key of which a write was acknowledged.
 *
 * About once a second it says "kv: COUNT ok", COUNT acknowledged writes so far.  On
 * SIGTERM it reads back every key and says "kv: end COUNT ok".  The first thing that is
 * wrong ends it, with a line that begins with "FAIL: kv:".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "inside.h"

#define KEYS		1024
#define VALUE_BYTES	4096
#define LINE_BYTES	128
#define START_S		60

struct kv {
	FILE *server;		/* what it says */
	int fd;			/* what it is told */
	uint64_t seed;
	uint64_t random;
	uint64_t count;		/* of acknowledged writes */
	uint32_t generation[KEYS];
};

static volatile sig_atomic_t told_to_end;

static void end(int number)
{
	(void)number;
	told_to_end = 1;
}

__attribute__((noreturn))
static void fail(const char *what, unsigned int key, const char *said)
{
	say("FAIL: kv: %s key %u: %.80s", what, key, said);
	exit(EXIT_FAILURE);
}

/* What the key's value is to be, hexadecimal; its length differs, too */
static size_t make_value(const struct kv *kv, unsigned int key, char *value)
{
	uint64_t x = mix(kv->seed ^ (uint64_t)kv->generation[key] << 32 ^ key);
	size_t words = 1 + x % (VALUE_BYTES / 16);

	for (size_t i = 0; i < words; i++, x = mix(x + 1))
		sprintf(value + 16 * i, "%016llx", (unsigned long long)x);
	return 16 * words;
}

static void tell(const struct kv *kv, unsigned int key, const char *text, size_t length)
{
	ssize_t put;

	for (; length; text += put, length -= (size_t)put) {
		put = write(kv->fd, text, length);
		if (put < 0)
			fail("telling", key, strerror(errno));
	}
}

/* A line without its end */
static void hear(struct kv *kv, unsigned int key, char *line)
{
	if (!fgets(line, LINE_BYTES, kv->server))
		fail("hearing", key, ferror(kv->server) ? strerror(errno) : "closed");
	line[strcspn(line, "\r\n")] = '\0';
}

static void set(struct kv *kv, unsigned int key)
{
	char text[VALUE_BYTES + 1 + LINE_BYTES], value[VALUE_BYTES + 1], line[LINE_BYTES];
	size_t length;

	kv->generation[key]++;
	length = make_value(kv, key, value);
	length = (size_t)sprintf(text, "set k%u 0 0 %zu\r\n%s\r\n", key, length, value);
	tell(kv, key, text, length);
	hear(kv, key, line);
	if (strcmp(line, "STORED"))
		fail("set", key, line);
	kv->count++;
}

static void get(struct kv *kv, unsigned int key)
{
	char wanted[VALUE_BYTES + 1], got[VALUE_BYTES + 3], line[LINE_BYTES], head[64];
	size_t length = make_value(kv, key, wanted);

	tell(kv, key, line, (size_t)sprintf(line, "get k%u\r\n", key));
	hear(kv, key, line);
	sprintf(head, "VALUE k%u 0 %zu", key, length);
	if (strcmp(line, head))
		fail("get", key, line);
	if (fread(got, 1, length + 2, kv->server) != length + 2)
		fail("hearing", key, "closed");
	if (memcmp(got, wanted, length))
		fail("get", key, "another value");
	hear(kv, key, line);
	if (strcmp(line, "END"))
		fail("get", key, line);
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int64_t until = now_ns(CLOCK_MONOTONIC) + START_S * NSEC_PER_SEC;
	int fd, one = 1;

	/* The server may not have started yet */
	do {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address))) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return fd;
		}
		close(fd);
		sleep_until(now_ns(CLOCK_MONOTONIC) + NSEC_PER_SEC / 10);
	} while (now_ns(CLOCK_MONOTONIC) < until && !told_to_end);
	return -1;
}

static void work(struct kv *kv, uint64_t rate)
{
	int64_t due = now_ns(CLOCK_MONOTONIC), told = due, now;
	int64_t interval = rate ? (int64_t)(NSEC_PER_SEC / rate) : 0;
	unsigned int key;

	while (!told_to_end) {
		kv->random = mix(kv->random + 1);
		set(kv, (unsigned int)(kv->random % KEYS));
		key = (unsigned int)(kv->random >> 32) % KEYS;
		if (kv->generation[key])
			get(kv, key);
		now = now_ns(CLOCK_MONOTONIC);
		if (now - told >= NSEC_PER_SEC) {
			say("kv: %llu ok", (unsigned long long)kv->count);
			told = now;
		}
		due = due + interval > now ? due + interval : now;
		if (interval)
			sleep_until(due);
	}
}

int main(int argc, char **argv)
{
	uint16_t port = (uint16_t)argument(argc, argv, 1, 11211);
	uint64_t rate = argument(argc, argv, 2, 100);
	static struct kv kv;
	/* A call that waits goes on */
	struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESTART };

	kv.seed = argument(argc, argv, 3, 1);
	kv.random = kv.seed;
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	kv.fd = connect_to(port);
	kv.server = kv.fd < 0 ? NULL : fdopen(kv.fd, "r");
	if (!kv.server) {
		say("FAIL: kv: no server at port %u", port);
		return EXIT_FAILURE;
	}
	work(&kv, rate);
	for (unsigned int key = 0; key < KEYS; key++)
		if (kv.generation[key])
			get(&kv, key);
	say("kv: end %llu ok", (unsigned long long)kv.count);
	return EXIT_SUCCESS;
}
