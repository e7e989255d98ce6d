// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of the VIO link's messages.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/unixsock.h"
#include "common/util.h"
#include "violink/violink.h"

#define FUZZ_MESSAGES	200000

/* htobe16() and its kin are no constants */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BE16(value)	(value)
#define BE32(value)	(value)
#define BE64(value)	(value)
#else
#define BE16(value)	__builtin_bswap16(value)
#define BE32(value)	__builtin_bswap32(value)
#define BE64(value)	__builtin_bswap64(value)
#endif

struct fixture {
	int client;
	int server;
	struct vio_message *msg;
	uint8_t data[VIO_MAX_BODY + 64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int bytes = VIO_SOCKET_BYTES, fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	f->client = fds[0];
	f->server = fds[1];
	setsockopt(f->client, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(f->server, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	f->msg = malloc(sizeof(*f->msg));
	vio_message_init(f->msg);
	for (size_t i = 0; i < sizeof(f->data); i++)
		f->data[i] = (uint8_t)(i * 7);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vio_message_clear(f->msg);
	close(f->client);
	close(f->server);
	free(f->msg);
	free(f);
	return 0;
}

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static int memory(uint64_t bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void expect(struct fixture *f, int fd, enum vio_end from, enum vio_channel channel,
		   enum vio_type type, uint32_t tag, uint32_t length, bool has_fd)
{
	assert_int_equal(vio_recv(fd, from, channel, f->msg), 0);
	assert_int_equal(f->msg->type, type);
	assert_int_equal(f->msg->tag, tag);
	assert_int_equal(f->msg->length, length);
	assert_int_equal(f->msg->fd >= 0, has_fd);
}

static void test_client_messages(void **state)
{
	const uint64_t args[] = { 1, 2, 3 };
	const uint8_t token[VIO_TOKEN_BYTES] = "0123456789abcdef";
	struct vasi_crq entries[VIO_MAX_CRQ] = { { .header = VASI_CRQ_COMMAND } };
	const struct vio_hello *hello;
	const struct vio_hcall *hcall;
	struct fixture *f = *state;
	int fd = memory(4096, 0);

	assert_int_equal(vio_send_hello_crq(f->client, 64, fd), 0);
	expect(f, f->server, VIO_CLIENT, 0, VIO_HELLO, 0, 40, true);
	hello = (const void *)f->msg->body;
	assert_int_equal(be32toh(hello->crq_entries), 64);
	assert_int_equal(vio_send_hello_crq(f->client, 64, -1), 0);
	expect(f, f->server, VIO_CLIENT, 0, VIO_HELLO, 0, 40, false);
	assert_int_equal(vio_send_hello_hcall(f->client, token), 0);
	expect(f, f->server, VIO_CLIENT, 0, VIO_HELLO, 0, 40, false);
	assert_memory_equal(hello->token, token, VIO_TOKEN_BYTES);
	assert_int_equal(vio_send_hcall(f->client, 9, VASI_H_STATE, args, 3), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_HCALL, VIO_HCALL, 9, 72, false);
	hcall = (const void *)f->msg->body;
	assert_int_equal(be64toh(hcall->number), VASI_H_STATE);
	assert_int_equal(be64toh(hcall->arg[2]), 3);
	assert_int_equal(be64toh(hcall->arg[3]), 0);
	assert_int_equal(vio_send_hcall(f->client, 9, VASI_H_STATE, args, 9), -EMSGSIZE);
	assert_int_equal(vio_send_crq(f->client, entries, VIO_MAX_CRQ), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_CRQ, 0, 1024, false);
	assert_int_equal(f->msg->count, VIO_MAX_CRQ);
	assert_int_equal(vio_send_crq(f->client, entries, 0), -EMSGSIZE);
	assert_int_equal(vio_send_crq(f->client, entries, VIO_MAX_CRQ + 1), -EMSGSIZE);
	assert_int_equal(vio_send_dma_data(f->client, 5, 0, f->data, VIO_MAX_DMA), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_DMA_DATA, 5,
	       8 + VIO_MAX_DMA, false);
	assert_memory_equal(f->msg->body + 8, f->data, VIO_MAX_DMA);
	assert_int_equal(vio_send_dma_data(f->client, 5, EFAULT, f->data, 100), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_DMA_DATA, 5, 8, false);
	assert_int_equal(vio_send_dma_done(f->client, 6, EFAULT), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_DMA_DONE, 6, 8, false);
	assert_int_equal(vio_send_memory(f->client, 8192, fd), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_MEMORY, 0, 16, true);
	assert_int_equal(be64toh(((const struct vio_memory *)f->msg->body)->bytes), 8192);
	assert_int_equal(vio_send_table(f->client, 17, fd), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_TABLE, 0, 16, true);
	assert_int_equal(be32toh(((const struct vio_table *)f->msg->body)->pages), 17);
	assert_int_equal(vio_send_reset(f->client), 0);
	expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_RESET, 0, 0, false);
	assert_int_equal(vio_recv(f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, f->msg), -EAGAIN);
	close(fd);
}

static void test_server_messages(void **state)
{
	const uint64_t rets[] = { 4, 5 };
	struct vio_welcome welcome = { .pane1_bytes = htobe64(4096) };
	const struct vio_hret *hret;
	const struct vio_map *map;
	struct fixture *f = *state;
	int fd = memory(4096, 0);

	assert_int_equal(vio_send_welcome(f->server, &welcome), 0);
	expect(f, f->client, VIO_SERVER, 0, VIO_WELCOME, 0, 64, false);
	assert_int_equal(vio_send_refused(f->server, ENODEV, "no device %d", 7), 0);
	expect(f, f->client, VIO_SERVER, 0, VIO_REFUSED, 0, 4 + 11, false);
	assert_memory_equal(f->msg->body + 4, "no device 7", 11);
	assert_int_equal(vio_send_refused(f->server, ENODEV, "%1000d", 7), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_REFUSED, 0,
	       4 + VIO_MAX_REASON, false);
	assert_int_equal(vio_send_hret(f->server, 3, VASI_RC_PARAMETER, rets, 2), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_HCALL, VIO_HRET, 3, 40, false);
	hret = (const void *)f->msg->body;
	assert_true((int64_t)be64toh(hret->rc) == VASI_RC_PARAMETER);
	assert_int_equal(be64toh(hret->ret[1]), 5);
	assert_int_equal(vio_send_dma_read(f->server, 4, 1, 4096, VIO_MAX_DMA), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_DMA_READ, 4, 16, false);
	assert_int_equal(vio_send_dma_write(f->server, 5, 1, 4096, f->data, VIO_MAX_DMA), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_DMA_WRITE, 5,
	       16 + VIO_MAX_DMA, false);
	assert_memory_equal(f->msg->body + 16, f->data, VIO_MAX_DMA);
	assert_int_equal(vio_send_window(f->server, 1, 4096, fd), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_WINDOW, 0, 16, true);
	assert_int_equal(vio_send_map(f->server, 1, 0, 4096, 8192), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_MAP, 0, 32, false);
	map = (const void *)f->msg->body;
	assert_int_equal(be64toh(map->offset), 8192);
	assert_int_equal(vio_send_unwindow(f->server, 1), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_UNWINDOW, 0, 8, false);
	assert_int_equal(vio_send_event(f->server, VASI_EVENT_PARTNER_FAILED), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_EVENT, 0, 8, false);
	close(fd);
}

/* The largest message that the protocol has passes a socket of default size */
static void test_largest_message(void **state)
{
	struct fixture *f = *state;
	struct iovec iov = { f->data, VIO_MAX_BODY };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(vio_send(fds[0], VIO_DMA_DATA, 0, 0, &iov, 1, -1), 0);
	/* It fits, although no message type is as long */
	assert_int_equal(vio_recv(fds[1], VIO_CLIENT, VIO_CHANNEL_CRQ, f->msg), -EPROTO);
	assert_non_null(strstr(f->msg->error, "wrong length"));
	iov.iov_len++;
	assert_int_equal(vio_send(fds[0], VIO_DMA_DATA, 0, 0, &iov, 1, -1), -EMSGSIZE);
	close(fds[0]);
	close(fds[1]);
}

static void test_full_socket(void **state)
{
	struct fixture *f = *state;
	unsigned int sent = 0;
	int ret;

	while (!(ret = vio_send_dma_data(f->client, sent, 0, f->data, VIO_MAX_DMA)))
		assert_true(++sent < 1000);
	assert_int_equal(ret, -EAGAIN);
	assert_true(sent >= 2);
	for (unsigned int i = 0; i < sent; i++)
		expect(f, f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_DMA_DATA, i,
		       8 + VIO_MAX_DMA, false);
	assert_int_equal(vio_send_reset(f->client), 0);
}

static void test_other_end_gone(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vio_send_reset(f->client), 0);
	close(f->client);
	assert_int_equal(vio_recv(f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, f->msg), 0);
	assert_int_equal(vio_recv(f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, f->msg),
			 -ECONNRESET);
	assert_int_equal(vio_send_event(f->server, 1), -EPIPE);
	f->client = dup(f->server);
}

/* Send bytes as they are, with descriptors */
static void send_raw(int fd, const void *bytes, size_t length, const int *fds,
		     unsigned int count)
{
	char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)bytes, length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (count) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, 0), length);
}

static void expect_bad(struct fixture *f, const char *part)
{
	assert_int_equal(vio_recv(f->server, VIO_CLIENT, VIO_CHANNEL_CRQ, f->msg), -EPROTO);
	if (!strstr(f->msg->error, part))
		fail_msg("\"%s\" is not in \"%s\"", part, f->msg->error);
	assert_int_equal(f->msg->fd, -1);
}

static void test_descriptors(void **state)
{
	struct vio_header reset = { .type = VIO_RESET };
	struct fixture *f = *state;
	unsigned int before;
	int fds[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = memory(4096, 0);
	before = open_fds();
	send_raw(f->client, &reset, sizeof(reset), fds, 1);
	expect_bad(f, "unexpected file descriptor");
	send_raw(f->client, &reset, sizeof(reset), fds, 2);
	expect_bad(f, "more than one");
	send_raw(f->client, &reset, sizeof(reset), fds, 16);
	expect_bad(f, "more than one");
	send_raw(f->client, f->data, 3, fds, 1);
	expect_bad(f, "shorter than its header");
	send_raw(f->client, f->data, VIO_MAX_BODY + 17, fds, 1);
	expect_bad(f, "longer than 64 KiB");
	/* None of them stays open here */
	assert_int_equal(open_fds(), before);
	/* One that the caller did not take is closed by the next call */
	assert_int_equal(vio_send_window(f->server, 1, 4096, fds[0]), 0);
	expect(f, f->client, VIO_SERVER, VIO_CHANNEL_CRQ, VIO_WINDOW, 0, 16, true);
	assert_int_equal(open_fds(), before + 1);
	assert_int_equal(vio_recv(f->client, VIO_SERVER, VIO_CHANNEL_CRQ, f->msg), -EAGAIN);
	assert_int_equal(open_fds(), before);
	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* A message that is right, and where it belongs */
struct sample {
	enum vio_type type;
	enum vio_end from;
	enum vio_channel channel;
	bool fd;
	uint16_t count;
	size_t bytes;
	union {
		uint8_t body[VIO_MAX_CRQ * 16];
		struct vio_hello hello;
		struct vio_welcome welcome;
		struct vio_dma dma;
		struct vio_window window;
		struct vio_map map;
		struct vio_memory memory;
		struct vio_table table;
	};
};

static const struct sample samples[] = {
	{ VIO_HELLO, VIO_CLIENT, 0, true, 0, 40, { .hello = {
		.magic = BE64(VIO_MAGIC), .major = BE16(1),
		.channel = BE16(1), .crq_entries = BE32(1) } } },
	{ VIO_HELLO, VIO_CLIENT, 0, false, 0, 40, { .hello = {
		.magic = BE64(VIO_MAGIC), .major = BE16(1),
		.channel = BE16(2), .token = "token" } } },
	{ VIO_WELCOME, VIO_SERVER, 0, false, 0, 64, { .welcome = {
		.magic = BE64(VIO_MAGIC), .major = BE16(1) } } },
	{ VIO_REFUSED, VIO_SERVER, 0, false, 0, 4, { .body = { 0 } } },
	{ VIO_REFUSED, VIO_SERVER, 1, false, 0, 4 + 512, { .body = { 0 } } },
	{ VIO_REFUSED, VIO_SERVER, 2, false, 0, 10, { .body = { 0 } } },
	{ VIO_CRQ, VIO_CLIENT, 1, false, 1, 16, { .body = { 0x80 } } },
	{ VIO_CRQ, VIO_SERVER, 1, false, 64, 1024, { .body = { 0x80 } } },
	{ VIO_HCALL, VIO_CLIENT, 2, false, 0, 72, { .body = { 1 } } },
	{ VIO_HRET, VIO_SERVER, 2, false, 0, 40, { .body = { 1 } } },
	{ VIO_DMA_READ, VIO_SERVER, 1, false, 0, 16, { .dma = {
		.pane = BE32(1), .length = BE32(1) } } },
	{ VIO_DMA_DATA, VIO_CLIENT, 1, false, 0, 9, { .body = { 0 } } },
	{ VIO_DMA_WRITE, VIO_SERVER, 1, false, 0, 17, { .dma = {
		.pane = BE32(2), .length = BE32(1) } } },
	{ VIO_DMA_DONE, VIO_CLIENT, 1, false, 0, 8, { .body = { 0 } } },
	{ VIO_WINDOW, VIO_SERVER, 1, true, 0, 16, { .window = {
		.bytes = BE64(4096) } } },
	{ VIO_MAP, VIO_SERVER, 1, false, 0, 32, { .map = {
		.length = BE32(4096) } } },
	{ VIO_UNWINDOW, VIO_SERVER, 1, false, 0, 8, { .body = { 0 } } },
	{ VIO_RESET, VIO_CLIENT, 1, false, 0, 0, { .body = { 0 } } },
	{ VIO_EVENT, VIO_SERVER, 1, false, 0, 8, { .body = { 0, 0, 0, 1 } } },
	{ VIO_MEMORY, VIO_CLIENT, 1, true, 0, 16, { .memory = {
		.bytes = BE64(4096) } } },
	{ VIO_TABLE, VIO_CLIENT, 1, true, 0, 16, { .table = {
		.pages = BE32(VIO_MAX_PAGES) } } },
};

static struct vio_header sample_header(const struct sample *s)
{
	return (struct vio_header){
		.type = (uint8_t)s->type, .count = htobe16(s->count),
		.length = htobe32((uint32_t)s->bytes),
	};
}

static int check(const struct sample *s, const struct vio_header *header)
{
	const char *error;
	int ret = vio_check(header, s->body, s->bytes, s->from, s->channel, s->fd, &error);

	/* A text with every failure, and only then */
	assert_true(!ret == !error);
	return ret;
}

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct sample *s = &samples[i];
		struct vio_header header = sample_header(s);
		struct sample other = *s;

		assert_int_equal(check(s, &header), 0);
		header.tag = 1;
		assert_int_equal(check(s, &header), 0);
		header.flags = 1;
		assert_int_equal(check(s, &header), -EPROTO);
		header = sample_header(s);
		header.reserved = 1;
		assert_int_equal(check(s, &header), -EPROTO);
		header = sample_header(s);
		header.length = htobe32((uint32_t)s->bytes + 1);
		assert_int_equal(check(s, &header), -EPROTO);
		header = sample_header(s);
		header.count = htobe16((uint16_t)(s->count + 1));
		assert_int_equal(check(s, &header), -EPROTO);
		header = sample_header(s);
		/* The descriptor of a HELLO may be left out, WINDOW's not */
		other.fd = !s->fd;
		if (s->type != VIO_HELLO || s->hello.crq_entries == 0)
			assert_int_equal(check(&other, &header), -EPROTO);
		other = *s;
		other.bytes += 600;
		header.length = htobe32((uint32_t)other.bytes);
		if (s->type != VIO_DMA_DATA)
			assert_int_equal(check(&other, &header), -EPROTO);
		if (!s->bytes)
			continue;
		other.bytes = s->type == VIO_REFUSED ? 3 : s->bytes > 9 ? s->bytes - 1 : 7;
		header.length = htobe32((uint32_t)other.bytes);
		if (s->type != VIO_REFUSED || s->bytes < 5)
			assert_int_equal(check(&other, &header), -EPROTO);
	}
}

/* Every message at each end and channel: right in its own places only */
static void test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct sample *s = &samples[i];
		struct vio_header header = sample_header(s);

		for (int from = VIO_CLIENT; from <= VIO_SERVER; from++) {
			for (int channel = 0; channel <= VIO_CHANNEL_HCALL; channel++) {
				struct sample other = *s;
				bool right = (int)s->channel == channel &&
					     (int)s->from == from;

				if (s->type == VIO_CRQ)
					right = channel == VIO_CHANNEL_CRQ;
				if (s->type == VIO_REFUSED)
					right = from == VIO_SERVER;
				other.from = (enum vio_end)from;
				other.channel = (enum vio_channel)channel;
				assert_int_equal(!check(&other, &header), right);
			}
		}
	}
}

static void test_bodies(void **state)
{
	/* sample, byte, value: each makes the message wrong */
	static const struct {
		enum vio_type type;
		uint8_t byte;
		uint8_t value;
	} cases[] = {
		{ VIO_HELLO, 0, 1 }, { VIO_HELLO, 9, 2 }, { VIO_HELLO, 13, 3 },
		{ VIO_HELLO, 13, 0 }, { VIO_HELLO, 14, 1 }, { VIO_HELLO, 15, 1 },
		{ VIO_HELLO, 19, 0 }, { VIO_HELLO, 20, 1 }, { VIO_HELLO, 24, 1 },
		{ VIO_HELLO, 39, 1 },
		{ VIO_WELCOME, 7, 1 }, { VIO_WELCOME, 9, 0 }, { VIO_WELCOME, 28, 1 },
		{ VIO_WELCOME, 32, 1 }, { VIO_WELCOME, 40, 1 },
		{ VIO_DMA_READ, 3, 3 }, { VIO_DMA_READ, 3, 0 }, { VIO_DMA_READ, 11, 0 },
		{ VIO_DMA_READ, 9, 1 }, { VIO_DMA_READ, 12, 1 },
		{ VIO_DMA_WRITE, 11, 2 },
		{ VIO_DMA_DATA, 3, 1 }, { VIO_DMA_DATA, 7, 1 },
		{ VIO_DMA_DONE, 7, 1 },
		{ VIO_WINDOW, 4, 1 }, { VIO_WINDOW, 14, 0 },
		{ VIO_MAP, 12, 1 }, { VIO_MAP, 24, 1 }, { VIO_MAP, 10, 0 },
		{ VIO_UNWINDOW, 4, 1 },
		{ VIO_EVENT, 2, 1 }, { VIO_EVENT, 4, 1 },
		{ VIO_MEMORY, 6, 0 }, { VIO_MEMORY, 1, 1 }, { VIO_MEMORY, 15, 1 },
		{ VIO_TABLE, 1, 0 }, { VIO_TABLE, 3, 1 }, { VIO_TABLE, 7, 1 },
		{ VIO_TABLE, 8, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vio_header header;
		struct sample s;
		size_t at = 0;

		while (samples[at].type != cases[i].type)
			at++;
		s = samples[at];
		header = sample_header(&s);
		s.body[cases[i].byte] = cases[i].value;
		if (check(&s, &header) != -EPROTO)
			fail_msg("%s with byte %u = %u is taken", vio_type_name(header.type),
				 cases[i].byte, cases[i].value);
	}
}

/* Ranges that end exactly at 4 GiB, and one byte later */
static void test_range_ends(void **state)
{
	struct sample s = { VIO_DMA_READ, VIO_SERVER, 1, false, 0, 16, { .dma = {
		.pane = htobe32(1), .ioba = htobe32(UINT32_MAX - 9),
		.length = htobe32(10) } } };
	struct vio_header header = sample_header(&s);

	(void)state;
	assert_int_equal(check(&s, &header), 0);
	s.dma.length = htobe32(11);
	assert_int_equal(check(&s, &header), -EPROTO);
	s = (struct sample){ VIO_MAP, VIO_SERVER, 1, false, 0, 32, { .map = {
		.ioba = htobe32(UINT32_MAX), .length = htobe32(1) } } };
	header = sample_header(&s);
	assert_int_equal(check(&s, &header), 0);
	s.map.length = htobe32(2);
	assert_int_equal(check(&s, &header), -EPROTO);
}

static void test_random(void **state)
{
	struct fixture *f = *state;
	unsigned int seed = 1, good = 0;
	const char *error;

	for (unsigned int i = 0; i < FUZZ_MESSAGES; i++) {
		const struct sample *s = &samples[(unsigned int)rand_r(&seed) %
						  ARRAY_SIZE(samples)];
		struct vio_header header = sample_header(s);
		size_t bytes = s->bytes;

		memcpy(f->data, s->body, bytes);
		for (int changes = rand_r(&seed) % 3; changes; changes--) {
			int at = rand_r(&seed) % (int)(sizeof(header) + bytes + 1);

			if (at < (int)sizeof(header))
				((uint8_t *)&header)[at] = (uint8_t)rand_r(&seed);
			else
				f->data[at - (int)sizeof(header)] = (uint8_t)rand_r(&seed);
		}
		good += !vio_check(&header, f->data, bytes, s->from, s->channel, s->fd,
				   &error);
	}
	assert_true(good > FUZZ_MESSAGES / 4 && good < FUZZ_MESSAGES);
}

static void test_pane(void **state)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	char name[] = "/tmp/test_violink.XXXXXX", path[32];
	uint64_t bytes = 0;
	int fd, other;

	(void)state;
	fd = memory(8192, seals);
	assert_int_equal(vio_check_pane(fd, &bytes), 0);
	assert_int_equal(bytes, 8192);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(vio_check_pane(other, &bytes), -EACCES);
	close(other);
	other = open(path, O_PATH | O_CLOEXEC);
	assert_true(vio_check_pane(other, &bytes) < 0);
	close(other);
	close(fd);
	fd = memory(VIO_MAX_PANE, seals);
	assert_int_equal(vio_check_pane(fd, &bytes), 0);
	close(fd);
	static const struct {
		uint64_t bytes;
		int seals;
		int ret;
	} bad[] = {
		{ 8192, 0, -EPERM }, { 8192, F_SEAL_SHRINK, -EPERM },
		{ 8192, F_SEAL_GROW, -EPERM },
		{ 8192, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, -EPERM },
		{ 0, F_SEAL_SHRINK | F_SEAL_GROW, -EINVAL },
		{ 4097, F_SEAL_SHRINK | F_SEAL_GROW, -EINVAL },
		{ VIO_MAX_PANE + 4096, F_SEAL_SHRINK | F_SEAL_GROW, -EINVAL },
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fd = memory(bad[i].bytes, bad[i].seals);
		assert_int_equal(vio_check_pane(fd, &bytes), bad[i].ret);
		close(fd);
	}
	fd = mkstemp(name);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_true(vio_check_pane(fd, &bytes) < 0);
	unlink(name);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(vio_check_pane(fd, &bytes), -EINVAL);
	close(fd);
	assert_int_equal(vio_check_pane(-1, &bytes), -EBADF);
}

static void test_readonly(void **state)
{
	int memfd = memory(4096, 0), fd;
	struct stat st;
	char byte = 1;

	(void)state;
	fd = vio_open_readonly(memfd);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(write(fd, &byte, 1), -1);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
			 MAP_FAILED);
	close(fd);
	close(memfd);
	assert_int_equal(vio_open_readonly(-1), -EBADF);
}

static void test_listen(void **state)
{
	char directory[] = "/tmp/test_violink.XXXXXX", path[64];
	struct unix_listener listener;
	struct fixture *f = *state;
	int client, server;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/vasi0", directory);
	assert_int_equal(vio_connect(path), -ENOENT);
	assert_int_equal(vio_listen(path, 0660, &listener), 0);
	assert_int_equal(vio_accept(listener.fd), -EAGAIN);
	client = vio_connect(path);
	assert_true(client >= 0);
	server = vio_accept(listener.fd);
	assert_true(server >= 0);
	assert_int_equal(vio_send_reset(client), 0);
	expect(f, server, VIO_CLIENT, VIO_CHANNEL_CRQ, VIO_RESET, 0, 0, false);
	close(client);
	close(server);
	unix_unlisten(&listener);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_client_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_server_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_end_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_range_ends),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test(test_pane),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test_setup_teardown(test_listen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
