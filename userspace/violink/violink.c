// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The VIO link: framing and validation of its messages, and sending and
 * receiving them with file descriptors.  See Documentation/vio-link.rst.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include "common/unixsock.h"
#include "common/util.h"
#include "violink/violink.h"

#define VIO_MAX_FDS	8	/* room to receive, and close, what should not be there */
#define VIO_MAX_PARTS	4

/**
 * struct vio_rule - what a message of one type must look like
 * @name:	for messages
 * @from:	who may send it: bit (1 << enum vio_end)
 * @channel:	where it belongs: bit (1 << enum vio_channel); bit 0: before HELLO
 *		was answered
 * @low:	least bytes of body
 * @high:	most bytes of body
 * @fd:		descriptors: 0 none, 1 one, 2 none or one
 * @check:	checks the body; NULL = lengths are all
 */
struct vio_rule {
	const char *name;
	uint8_t from;
	uint8_t channel;
	uint8_t fd;
	uint32_t low;
	uint32_t high;
	const char *(*check)(const struct vio_header *header, const void *body,
			     size_t bytes, bool has_fd);
};

enum {
	CLIENT	= 1 << VIO_CLIENT,
	SERVER	= 1 << VIO_SERVER,
	START	= 1,
	CRQ	= 1 << VIO_CHANNEL_CRQ,
	HCALL	= 1 << VIO_CHANNEL_HCALL,
};

static bool all_zero(const uint8_t *bytes, size_t count)
{
	while (count) {
		if (bytes[--count])
			return false;
	}
	return true;
}

static const char *check_hello(const struct vio_header *header, const void *body,
			       size_t bytes, bool has_fd)
{
	const struct vio_hello *hello = body;
	unsigned int channel = be16toh(hello->channel);

	(void)header;
	(void)bytes;
	if (be64toh(hello->magic) != VIO_MAGIC)
		return "HELLO: wrong magic";
	if (be16toh(hello->major) != VIO_MAJOR)
		return "HELLO: major version is not 1";
	if (hello->reserved || hello->reserved2)
		return "HELLO: reserved field is not zero";
	if (channel == VIO_CHANNEL_CRQ) {
		if (!hello->crq_entries)
			return "HELLO: no CRQ entries";
		if (!all_zero(hello->token, sizeof(hello->token)))
			return "HELLO: token on a CRQ channel";
		return NULL;
	}
	if (channel != VIO_CHANNEL_HCALL)
		return "HELLO: unknown channel";
	if (hello->crq_entries)
		return "HELLO: CRQ entries on an hcall channel";
	return has_fd ? "HELLO: descriptor on an hcall channel" : NULL;
}

static const char *check_welcome(const struct vio_header *header, const void *body,
				 size_t bytes, bool has_fd)
{
	const struct vio_welcome *welcome = body;

	(void)header;
	(void)bytes;
	(void)has_fd;
	if (be64toh(welcome->magic) != VIO_MAGIC)
		return "WELCOME: wrong magic";
	if (be16toh(welcome->major) != VIO_MAJOR)
		return "WELCOME: major version is not 1";
	if (welcome->reserved)
		return "WELCOME: reserved field is not zero";
	if (be64toh(welcome->pane1_bytes) > VIO_MAX_PANE ||
	    be64toh(welcome->pane2_bytes) > VIO_MAX_PANE + 4096)
		return "WELCOME: pane larger than 4 GiB";
	return NULL;
}

static const char *check_crq(const struct vio_header *header, const void *body,
			     size_t bytes, bool has_fd)
{
	unsigned int count = be16toh(header->count);

	(void)body;
	(void)has_fd;
	if (!count || count > VIO_MAX_CRQ)
		return "CRQ: count is not 1 to 64";
	if (bytes != count * sizeof(struct vasi_crq))
		return "CRQ: length does not match count";
	return NULL;
}

static const char *check_dma(const struct vio_header *header, const void *body,
			     size_t bytes, bool has_fd)
{
	const struct vio_dma *dma = body;
	uint32_t pane = be32toh(dma->pane);
	uint32_t length = be32toh(dma->length);

	(void)has_fd;
	if (pane != 1 && pane != 2)
		return "DMA: pane is not 1 or 2";
	if (!length || length > VIO_MAX_DMA)
		return "DMA: length is not 1 to 65504";
	if (dma->reserved)
		return "DMA: reserved field is not zero";
	if ((uint64_t)be32toh(dma->ioba) + length > 1ULL << 32)
		return "DMA: range exceeds 4 GiB";
	if (header->type == VIO_DMA_WRITE && bytes != sizeof(*dma) + length)
		return "DMA_WRITE: data does not match length";
	return NULL;
}

static const char *check_status(const struct vio_header *header, const void *body,
				size_t bytes, bool has_fd)
{
	const struct vio_status *status = body;

	(void)has_fd;
	if (status->reserved)
		return "reserved field is not zero";
	if (header->type == VIO_DMA_DATA && status->value && bytes != sizeof(*status))
		return "DMA_DATA: data beside an error";
	if (header->type == VIO_EVENT && be32toh(status->value) > UINT8_MAX)
		return "EVENT: code beyond 255";
	return NULL;
}

static const char *check_window(const struct vio_header *header, const void *body,
				size_t bytes, bool has_fd)
{
	const struct vio_window *window = body;

	(void)header;
	(void)bytes;
	(void)has_fd;
	if (window->reserved)
		return "WINDOW: reserved field is not zero";
	if (!window->bytes)
		return "WINDOW: no bytes";
	return NULL;
}

static const char *check_map(const struct vio_header *header, const void *body,
			     size_t bytes, bool has_fd)
{
	const struct vio_map *map = body;
	uint32_t length = be32toh(map->length);

	(void)header;
	(void)bytes;
	(void)has_fd;
	if (map->reserved || map->reserved2)
		return "MAP: reserved field is not zero";
	if (!length)
		return "MAP: no bytes";
	if ((uint64_t)be32toh(map->ioba) + length > 1ULL << 32)
		return "MAP: range exceeds 4 GiB";
	return NULL;
}

static const char *check_memory(const struct vio_header *header, const void *body,
				size_t bytes, bool has_fd)
{
	const struct vio_memory *memory = body;

	(void)header;
	(void)bytes;
	(void)has_fd;
	if (memory->reserved)
		return "MEMORY: reserved field is not zero";
	if (!memory->bytes || be64toh(memory->bytes) > VIO_MAX_MEMORY)
		return "MEMORY: bytes are not 1 to 16 TiB";
	return NULL;
}

static const char *check_table(const struct vio_header *header, const void *body,
			       size_t bytes, bool has_fd)
{
	const struct vio_table *table = body;

	(void)header;
	(void)bytes;
	(void)has_fd;
	if (table->reserved || table->reserved2)
		return "TABLE: reserved field is not zero";
	if (!table->pages || be32toh(table->pages) > VIO_MAX_PAGES)
		return "TABLE: pages are not 1 to 1048576";
	return NULL;
}

#define EXACTLY(bytes)	.low = (bytes), .high = (bytes)

static const struct vio_rule rules[] = {
	[VIO_HELLO]	= { "HELLO", CLIENT, START, 2,
			    EXACTLY(sizeof(struct vio_hello)), check_hello },
	[VIO_WELCOME]	= { "WELCOME", SERVER, START, 0,
			    EXACTLY(sizeof(struct vio_welcome)), check_welcome },
	[VIO_REFUSED]	= { "REFUSED", SERVER, START | CRQ | HCALL, 0,
			    4, 4 + VIO_MAX_REASON, NULL },
	[VIO_CRQ]	= { "CRQ", CLIENT | SERVER, CRQ, 0,
			    sizeof(struct vasi_crq),
			    VIO_MAX_CRQ * sizeof(struct vasi_crq), check_crq },
	[VIO_HCALL]	= { "HCALL", CLIENT, HCALL, 0,
			    EXACTLY(sizeof(struct vio_hcall)), NULL },
	[VIO_HRET]	= { "HRET", SERVER, HCALL, 0,
			    EXACTLY(sizeof(struct vio_hret)), NULL },
	[VIO_DMA_READ]	= { "DMA_READ", SERVER, CRQ, 0,
			    EXACTLY(sizeof(struct vio_dma)), check_dma },
	[VIO_DMA_DATA]	= { "DMA_DATA", CLIENT, CRQ, 0, sizeof(struct vio_status),
			    sizeof(struct vio_status) + VIO_MAX_DMA, check_status },
	[VIO_DMA_WRITE]	= { "DMA_WRITE", SERVER, CRQ, 0, sizeof(struct vio_dma) + 1,
			    sizeof(struct vio_dma) + VIO_MAX_DMA, check_dma },
	[VIO_DMA_DONE]	= { "DMA_DONE", CLIENT, CRQ, 0,
			    EXACTLY(sizeof(struct vio_status)), check_status },
	[VIO_WINDOW]	= { "WINDOW", SERVER, CRQ, 1,
			    EXACTLY(sizeof(struct vio_window)), check_window },
	[VIO_MAP]	= { "MAP", SERVER, CRQ, 0,
			    EXACTLY(sizeof(struct vio_map)), check_map },
	[VIO_UNWINDOW]	= { "UNWINDOW", SERVER, CRQ, 0,
			    EXACTLY(sizeof(struct vio_status)), check_status },
	[VIO_RESET]	= { "RESET", CLIENT, CRQ, 0, EXACTLY(0), NULL },
	[VIO_EVENT]	= { "EVENT", SERVER, CRQ, 0,
			    EXACTLY(sizeof(struct vio_status)), check_status },
	[VIO_MEMORY]	= { "MEMORY", CLIENT, CRQ, 1,
			    EXACTLY(sizeof(struct vio_memory)), check_memory },
	[VIO_TABLE]	= { "TABLE", CLIENT, CRQ, 1,
			    EXACTLY(sizeof(struct vio_table)), check_table },
};

/**
 * vio_type_name() - a message type's name
 * @type:	enum vio_type, or anything else
 *
 * Return: a static string.
 */
const char *vio_type_name(uint8_t type)
{
	if (type < ARRAY_SIZE(rules) && rules[type].name)
		return rules[type].name;
	return "unknown";
}

/**
 * vio_check() - validate a message
 * @header:	its header
 * @body:	its body
 * @bytes:	bytes of @body that arrived
 * @from:	the end that sent it
 * @channel:	the channel it came on; 0 = HELLO has not been answered yet
 * @has_fd:	a descriptor came with it
 * @error:	on failure: what is wrong, a static string
 *
 * Context: any; no I/O.
 * Return: 0, or -EPROTO.
 */
int vio_check(const struct vio_header *header, const void *body, size_t bytes,
	      enum vio_end from, enum vio_channel channel, bool has_fd,
	      const char **error)
{
	const struct vio_rule *rule;

	*error = NULL;
	if (header->type >= ARRAY_SIZE(rules) || !rules[header->type].name) {
		*error = "unknown message type";
		return -EPROTO;
	}
	rule = &rules[header->type];
	if (header->flags || header->reserved)
		*error = "header: reserved field is not zero";
	else if (be32toh(header->length) != bytes)
		*error = "header: length does not match the packet";
	else if (header->count && header->type != VIO_CRQ)
		*error = "header: count in a message that has none";
	else if (!(rule->from & 1 << from))
		*error = "message from the wrong end";
	else if (!(rule->channel & 1 << channel))
		*error = "message does not belong on this channel";
	else if (bytes < rule->low || bytes > rule->high)
		*error = "body has the wrong length";
	else if (has_fd && !rule->fd)
		*error = "unexpected file descriptor";
	else if (!has_fd && rule->fd == 1)
		*error = "file descriptor is missing";
	else if (rule->check)
		*error = rule->check(header, body, bytes, has_fd);
	return *error ? -EPROTO : 0;
}

/**
 * vio_message_init() - make a message fit for vio_recv()
 * @msg:	new memory
 */
void vio_message_init(struct vio_message *msg)
{
	memset(msg, 0, offsetof(struct vio_message, body));
	msg->fd = -1;
}

/**
 * vio_message_clear() - close the descriptor that a message still holds
 * @msg:	message that was initialised
 */
void vio_message_clear(struct vio_message *msg)
{
	if (msg->fd >= 0)
		close(msg->fd);
	msg->fd = -1;
}

static void set_buffers(int fd)
{
	int bytes = VIO_SOCKET_BYTES;

	/* Cut to the system's limit, which still holds the largest message */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/**
 * vio_listen() - offer a virtual I/O slot
 * @path:	of the socket
 * @mode:	its permissions
 * @listener:	set on success; unix_unlisten() ends it
 *
 * Return: 0, -EADDRINUSE if somebody serves there, or another negative errno.
 */
int vio_listen(const char *path, mode_t mode, struct unix_listener *listener)
{
	return unix_listen(path, SOCK_SEQPACKET, mode, listener);
}

/**
 * vio_accept() - take a connection
 * @listener:	listening socket
 *
 * Return: the socket, -EAGAIN, or another negative errno.
 */
int vio_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return -errno;
	set_buffers(fd);
	return fd;
}

/**
 * vio_connect() - connect to a virtual I/O slot
 * @path:	of the socket
 *
 * Context: does not block; a full backlog is -EAGAIN.
 * Return: the socket, or a negative errno.
 */
int vio_connect(const char *path)
{
	int fd = unix_connect(path, SOCK_SEQPACKET);

	if (fd >= 0)
		set_buffers(fd);
	return fd;
}

static void attach_fd(struct msghdr *msg, void *control, size_t bytes, int fd)
{
	struct cmsghdr *cmsg;

	memset(control, 0, bytes);
	msg->msg_control = control;
	msg->msg_controllen = bytes;
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
}

/**
 * vio_send() - send a message
 * @fd:		socket
 * @type:	enum vio_type
 * @tag:	tag
 * @count:	CRQ: entries; otherwise 0
 * @body:	the body, in at most four parts
 * @parts:	how many
 * @pass_fd:	descriptor to pass, or -1
 *
 * Context: does not block; a message is sent whole or not at all.
 * Return: 0; -EAGAIN: the socket is full, wait for POLLOUT and try again;
 * -EMSGSIZE; -EPIPE or -ECONNRESET: the other end has gone; or another negative
 * errno.
 */
int vio_send(int fd, enum vio_type type, uint32_t tag, uint16_t count,
	     const struct iovec *body, int parts, int pass_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct vio_header header = { .type = (uint8_t)type };
	struct iovec iov[1 + VIO_MAX_PARTS];
	struct msghdr msg = { .msg_iov = iov };
	size_t length = 0;

	if (parts < 0 || parts > VIO_MAX_PARTS)
		return -EMSGSIZE;
	iov[0] = (struct iovec){ &header, sizeof(header) };
	for (int i = 0; i < parts; i++) {
		iov[i + 1] = body[i];
		length += body[i].iov_len;
	}
	if (length > VIO_MAX_BODY)
		return -EMSGSIZE;
	header.count = htobe16(count);
	header.tag = htobe32(tag);
	header.length = htobe32((uint32_t)length);
	msg.msg_iovlen = (size_t)parts + 1;
	if (pass_fd >= 0)
		attach_fd(&msg, control.bytes, sizeof(control.bytes), pass_fd);
	while (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/*
 * Take the first descriptor and close the others.  Returns how many there
 * were, or -1 for control data that is none.
 */
static int take_fds(struct msghdr *msg, int *taken)
{
	struct cmsghdr *cmsg;
	int total = 0;

	*taken = -1;
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t count;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (!total++)
				*taken = fd;
			else
				close(fd);
		}
	}
	return total;
}

static int bad_message(struct vio_message *msg, const char *error)
{
	vio_message_clear(msg);
	msg->error = error;
	return -EPROTO;
}

/**
 * vio_recv() - receive and validate a message
 * @fd:		socket
 * @from:	the end that sends on it
 * @channel:	the channel it is; 0 = HELLO has not been answered yet
 * @msg:	filled in; a descriptor that an earlier message left is closed
 *
 * Context: does not block.
 * Return: 0; -EAGAIN: none there; -ECONNRESET: the other end has gone;
 * -EPROTO: @msg->error says what is wrong with the message, the link must be
 * ended; or another negative errno.
 */
int vio_recv(int fd, enum vio_end from, enum vio_channel channel,
	     struct vio_message *msg)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VIO_MAX_FDS * sizeof(int))];
	} control;
	struct vio_header header;
	struct iovec iov[] = {
		{ &header, sizeof(header) },
		{ msg->body, sizeof(msg->body) },
	};
	struct msghdr hdr = {
		.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov),
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};
	const char *error;
	ssize_t got;
	int fds;

	vio_message_clear(msg);
	msg->error = NULL;
	do {
		got = recvmsg(fd, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	fds = take_fds(&hdr, &msg->fd);
	if (!got) {
		vio_message_clear(msg);
		return -ECONNRESET;
	}
	if (hdr.msg_flags & MSG_TRUNC)
		return bad_message(msg, "message longer than 64 KiB");
	if (hdr.msg_flags & MSG_CTRUNC || fds > 1)
		return bad_message(msg, "more than one file descriptor");
	if ((size_t)got < sizeof(header))
		return bad_message(msg, "message shorter than its header");
	msg->type = header.type;
	msg->count = be16toh(header.count);
	msg->tag = be32toh(header.tag);
	msg->length = (uint32_t)((size_t)got - sizeof(header));
	if (vio_check(&header, msg->body, msg->length, from, channel, fds == 1, &error))
		return bad_message(msg, error);
	return 0;
}

static int send_body(int fd, enum vio_type type, uint32_t tag, const void *body,
		     size_t bytes, int pass_fd)
{
	struct iovec iov = { (void *)body, bytes };

	return vio_send(fd, type, tag, 0, &iov, 1, pass_fd);
}

/**
 * vio_send_hello_crq() - open the CRQ channel of a device
 * @fd:		socket
 * @crq_entries: answers that the client can queue, at least 1
 * @pane_fd:	memfd of the first pane, or -1: by DMA messages
 *
 * Return: as vio_send().
 */
int vio_send_hello_crq(int fd, uint32_t crq_entries, int pane_fd)
{
	struct vio_hello hello = {
		.magic = htobe64(VIO_MAGIC),
		.major = htobe16(VIO_MAJOR), .minor = htobe16(VIO_MINOR),
		.channel = htobe16(VIO_CHANNEL_CRQ),
		.crq_entries = htobe32(crq_entries),
	};

	return send_body(fd, VIO_HELLO, 0, &hello, sizeof(hello), pane_fd);
}

/**
 * vio_send_hello_hcall() - open an hcall channel
 * @fd:		socket
 * @token:	from the WELCOME of the CRQ channel
 *
 * Return: as vio_send().
 */
int vio_send_hello_hcall(int fd, const uint8_t token[VIO_TOKEN_BYTES])
{
	struct vio_hello hello = {
		.magic = htobe64(VIO_MAGIC),
		.major = htobe16(VIO_MAJOR), .minor = htobe16(VIO_MINOR),
		.channel = htobe16(VIO_CHANNEL_HCALL),
	};

	memcpy(hello.token, token, VIO_TOKEN_BYTES);
	return send_body(fd, VIO_HELLO, 0, &hello, sizeof(hello), -1);
}

/**
 * vio_send_hcall() - make an hcall
 * @fd:		hcall channel
 * @tag:	for the answer
 * @number:	enum vasi_hcall
 * @args:	arguments, at most 8; the others are zero
 * @count:	how many
 *
 * Return: as vio_send().
 */
int vio_send_hcall(int fd, uint32_t tag, uint64_t number, const uint64_t *args,
		   unsigned int count)
{
	struct vio_hcall hcall = { .number = htobe64(number) };

	if (count > ARRAY_SIZE(hcall.arg))
		return -EMSGSIZE;
	for (unsigned int i = 0; i < count; i++)
		hcall.arg[i] = htobe64(args[i]);
	return send_body(fd, VIO_HCALL, tag, &hcall, sizeof(hcall), -1);
}

/**
 * vio_send_dma_data() - answer DMA_READ
 * @fd:		CRQ channel
 * @tag:	of the request
 * @error:	0, or a positive errno: then no data are sent
 * @data:	the data
 * @length:	bytes
 *
 * Return: as vio_send().
 */
int vio_send_dma_data(int fd, uint32_t tag, int error, const void *data,
		      uint32_t length)
{
	struct vio_status status = { .value = htobe32((uint32_t)error) };
	struct iovec body[] = {
		{ &status, sizeof(status) },
		{ (void *)data, length },
	};

	return vio_send(fd, VIO_DMA_DATA, tag, 0, body, error ? 1 : 2, -1);
}

/**
 * vio_send_dma_done() - answer DMA_WRITE
 * @fd:		CRQ channel
 * @tag:	of the request
 * @error:	0, or a positive errno
 *
 * Return: as vio_send().
 */
int vio_send_dma_done(int fd, uint32_t tag, int error)
{
	struct vio_status status = { .value = htobe32((uint32_t)error) };

	return send_body(fd, VIO_DMA_DONE, tag, &status, sizeof(status), -1);
}

/**
 * vio_send_reset() - deregister and register the CRQ
 * @fd:		CRQ channel
 *
 * Return: as vio_send().
 */
int vio_send_reset(int fd)
{
	return vio_send(fd, VIO_RESET, 0, 0, NULL, 0, -1);
}

/**
 * vio_send_memory() - pass the memory that the first pane's pages lie in
 * @fd:		CRQ channel
 * @bytes:	its size
 * @memory_fd:	a memfd, as vio_check_sealed() wants it
 *
 * Only to a server whose minor version is 1 or later.
 *
 * Return: as vio_send().
 */
int vio_send_memory(int fd, uint64_t bytes, int memory_fd)
{
	struct vio_memory memory = { .bytes = htobe64(bytes) };

	return send_body(fd, VIO_MEMORY, 0, &memory, sizeof(memory), memory_fd);
}

/**
 * vio_send_table() - pass the table that says where they lie
 * @fd:		CRQ channel; MEMORY was sent
 * @pages:	entries
 * @table_fd:	a memfd, as vio_check_sealed() wants it
 *
 * Return: as vio_send().
 */
int vio_send_table(int fd, uint32_t pages, int table_fd)
{
	struct vio_table table = { .pages = htobe32(pages) };

	return send_body(fd, VIO_TABLE, 0, &table, sizeof(table), table_fd);
}

/**
 * vio_send_welcome() - accept a HELLO
 * @fd:		socket
 * @welcome:	what the device is, big-endian; magic, version and reserved fields
 *		are filled in here
 *
 * Return: as vio_send().
 */
int vio_send_welcome(int fd, const struct vio_welcome *welcome)
{
	struct vio_welcome body = *welcome;

	body.magic = htobe64(VIO_MAGIC);
	body.major = htobe16(VIO_MAJOR);
	body.minor = htobe16(VIO_MINOR);
	body.reserved = 0;
	return send_body(fd, VIO_WELCOME, 0, &body, sizeof(body), -1);
}

/**
 * vio_send_refused() - say why the link ends; the caller closes it then
 * @fd:		socket
 * @error:	positive errno
 * @fmt:	the reason, as for printf; cut at VIO_MAX_REASON bytes
 *
 * Return: as vio_send().
 */
int vio_send_refused(int fd, int error, const char *fmt, ...)
{
	char text[VIO_MAX_REASON + 1];
	__be32 number = htobe32((uint32_t)error);
	struct iovec body[2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	body[0] = (struct iovec){ &number, sizeof(number) };
	body[1] = (struct iovec){ text, strlen(text) };
	return vio_send(fd, VIO_REFUSED, 0, 0, body, 2, -1);
}

/**
 * vio_send_hret() - return from an hcall
 * @fd:		hcall channel
 * @tag:	of the hcall
 * @rc:		enum vasi_hcall_return
 * @rets:	results R4 and on, at most 4; the others are zero
 * @count:	how many
 *
 * Return: as vio_send().
 */
int vio_send_hret(int fd, uint32_t tag, int64_t rc, const uint64_t *rets,
		  unsigned int count)
{
	struct vio_hret hret = { .rc = htobe64((uint64_t)rc) };

	if (count > ARRAY_SIZE(hret.ret))
		return -EMSGSIZE;
	for (unsigned int i = 0; i < count; i++)
		hret.ret[i] = htobe64(rets[i]);
	return send_body(fd, VIO_HRET, tag, &hret, sizeof(hret), -1);
}

/**
 * vio_send_dma_read() - ask for memory of the client
 * @fd:		CRQ channel
 * @tag:	for the answer
 * @pane:	1 or 2
 * @ioba:	I/O address
 * @length:	bytes, 1 to VIO_MAX_DMA
 *
 * Return: as vio_send().
 */
int vio_send_dma_read(int fd, uint32_t tag, uint32_t pane, uint32_t ioba,
		      uint32_t length)
{
	struct vio_dma dma = {
		.pane = htobe32(pane), .ioba = htobe32(ioba),
		.length = htobe32(length),
	};

	return send_body(fd, VIO_DMA_READ, tag, &dma, sizeof(dma), -1);
}

/**
 * vio_send_dma_write() - write to memory of the client
 * @fd:		CRQ channel
 * @tag:	for the answer
 * @pane:	1 or 2
 * @ioba:	I/O address
 * @data:	the data
 * @length:	bytes, 1 to VIO_MAX_DMA
 *
 * Return: as vio_send().
 */
int vio_send_dma_write(int fd, uint32_t tag, uint32_t pane, uint32_t ioba,
		       const void *data, uint32_t length)
{
	struct vio_dma dma = {
		.pane = htobe32(pane), .ioba = htobe32(ioba),
		.length = htobe32(length),
	};
	struct iovec body[] = {
		{ &dma, sizeof(dma) },
		{ (void *)data, length },
	};

	return vio_send(fd, VIO_DMA_WRITE, tag, 0, body, 2, -1);
}

/**
 * vio_send_window() - pass memory of the partition
 * @fd:		CRQ channel
 * @id:		names the window
 * @bytes:	size of the memory
 * @memory_fd:	from vio_open_readonly()
 *
 * Return: as vio_send().
 */
int vio_send_window(int fd, uint32_t id, uint64_t bytes, int memory_fd)
{
	struct vio_window window = { .id = htobe32(id), .bytes = htobe64(bytes) };

	return send_body(fd, VIO_WINDOW, 0, &window, sizeof(window), memory_fd);
}

/**
 * vio_send_map() - say what an I/O address of the second pane means
 * @fd:		CRQ channel
 * @id:		window
 * @ioba:	first I/O address
 * @length:	bytes
 * @offset:	into the window
 *
 * Return: as vio_send().
 */
int vio_send_map(int fd, uint32_t id, uint32_t ioba, uint32_t length,
		 uint64_t offset)
{
	struct vio_map map = {
		.id = htobe32(id), .ioba = htobe32(ioba),
		.length = htobe32(length), .offset = htobe64(offset),
	};

	return send_body(fd, VIO_MAP, 0, &map, sizeof(map), -1);
}

/**
 * vio_send_unwindow() - take a window back
 * @fd:		CRQ channel
 * @id:		window
 *
 * Return: as vio_send().
 */
int vio_send_unwindow(int fd, uint32_t id)
{
	struct vio_status body = { .value = htobe32(id) };

	return send_body(fd, VIO_UNWINDOW, 0, &body, sizeof(body), -1);
}

/**
 * vio_send_event() - send a transport event
 * @fd:		CRQ channel
 * @code:	enum vasi_event_format
 *
 * Return: as vio_send().
 */
int vio_send_event(int fd, uint32_t code)
{
	struct vio_status body = { .value = htobe32(code) };

	return send_body(fd, VIO_EVENT, 0, &body, sizeof(body), -1);
}

/**
 * vio_send_crq() - send CRQ entries
 * @fd:		CRQ channel
 * @entries:	the entries
 * @count:	1 to VIO_MAX_CRQ
 *
 * Return: as vio_send().
 */
int vio_send_crq(int fd, const struct vasi_crq *entries, unsigned int count)
{
	struct iovec body = { (void *)entries, count * sizeof(*entries) };

	if (!count || count > VIO_MAX_CRQ)
		return -EMSGSIZE;
	return vio_send(fd, VIO_CRQ, 0, (uint16_t)count, &body, 1, -1);
}

/**
 * vio_check_sealed() - check memory that a client passes before mapping it
 * @fd:		descriptor
 * @most:	bytes that it may have
 * @bytes:	set on success: its size
 *
 * A memfd whose size cannot change any more: reading it can then never fault.
 * Only memfds take seals at all; a file in a tmpfs, whose size may be limited,
 * does not.
 *
 * Return: 0; -EPERM: a seal is missing; -EINVAL: not a memfd, or of a wrong
 * size; -EACCES: not open for reading and writing; or another negative errno.
 */
int vio_check_sealed(int fd, uint64_t most, uint64_t *bytes)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW;
	struct statfs fs;
	struct stat st;
	int flags, seals;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fstat(fd, &st) || fstatfs(fd, &fs))
		return -errno;
	/* Not hugetlbfs: a fault there fails when the pool is used up */
	if (!S_ISREG(st.st_mode) || fs.f_type != TMPFS_MAGIC)
		return -EINVAL;
	if ((flags & O_ACCMODE) != O_RDWR || flags & O_PATH)
		return -EACCES;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return -EINVAL;
	if ((seals & needed) != needed || seals & F_SEAL_WRITE)
		return -EPERM;
	/* The size, only now that it is known not to change */
	if (fstat(fd, &st))
		return -errno;
	if (st.st_size <= 0 || st.st_size % sysconf(_SC_PAGESIZE) ||
	    (uint64_t)st.st_size > most)
		return -EINVAL;
	*bytes = (uint64_t)st.st_size;
	return 0;
}

/**
 * vio_check_pane() - check a client's first pane before mapping it
 * @fd:		descriptor from HELLO
 * @bytes:	set on success: its size
 *
 * Return: as vio_check_sealed().
 */
int vio_check_pane(int fd, uint64_t *bytes)
{
	return vio_check_sealed(fd, VIO_MAX_PANE, bytes);
}

/**
 * vio_translate() - what an entry of a translation table says
 * @entry:	the entry, which the client may change at any time: read once
 * @memory_bytes: size of the memory that it points into
 * @access:	VIO_PAGE_READ, VIO_PAGE_WRITE or both: what is to be done
 * @offset:	set on success: where the page begins
 *
 * Context: any.
 * Return: 0; -EFAULT: no page, not one of the memory, or not for this access.
 */
int vio_translate(const __be64 *entry, uint64_t memory_bytes, unsigned int access,
		  uint64_t *offset)
{
	__be64 raw = *(const volatile __be64 *)entry;
	uint64_t value = be64toh(raw);
	uint64_t page = value & ~(uint64_t)(VIO_PAGE_BYTES - 1);

	if ((value & access) != access ||
	    value & (VIO_PAGE_BYTES - 1) & ~VIO_PAGE_ACCESS)
		return -EFAULT;
	if (memory_bytes < VIO_PAGE_BYTES || page > memory_bytes - VIO_PAGE_BYTES)
		return -EFAULT;
	*offset = page;
	return 0;
}

/**
 * vio_open_readonly() - a descriptor of a memfd that only reads
 * @memfd:	memory of a partition
 *
 * Whoever gets the result can reopen it through /proc with the permissions of
 * the file: its mode becomes 0600, so that another user cannot do so for
 * writing.
 *
 * Return: a new close-on-exec descriptor, or a negative errno.
 */
int vio_open_readonly(int memfd)
{
	char path[32];
	int fd;

	if (fchmod(memfd, 0600))
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
