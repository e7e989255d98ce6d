// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VIO link: packets of any kind, from either end, on every channel, with
 * and without descriptors.  Whatever is refused leaves no descriptor behind.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "fuzz.h"
#include "violink/violink.h"

#define MAX_PACKETS	32

static void send_packet(int fd, const void *data, size_t bytes, const int *fds,
			unsigned int count)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = bytes };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
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
	fuzz_check(sendmsg(fd, &msg, MSG_DONTWAIT) == (ssize_t)bytes);
}

/* Half of the headers say how long the packet really is */
static size_t make_packet(struct fuzz_input *in, uint8_t what, uint8_t *packet)
{
	struct vio_header header;
	size_t body = fuzz_u8(in);
	const uint8_t *data;

	if (what & 0x40)
		body = body << 8 | fuzz_u8(in);
	fuzz_fill(in, &header, sizeof(header));
	if (what & 0x20) {
		header.flags = 0;
		header.reserved = 0;
		header.length = htobe32((uint32_t)body);
	}
	memcpy(packet, &header, sizeof(header));
	packet += sizeof(header);
	if (body > VIO_MAX_BODY)
		body = VIO_MAX_BODY;
	memset(packet, 0, body);
	memcpy(packet, data, fuzz_bytes(in, body, &data));
	return sizeof(header) + body;
}

static void take_packet(int fd, enum vio_end from, enum vio_channel channel,
			struct vio_message *msg)
{
	int ret = vio_recv(fd, from, channel, msg);
	uint64_t bytes;

	fuzz_check(ret <= 0 && ret != -EAGAIN);
	if (ret) {
		fuzz_check(ret != -EPROTO || msg->error);
		fuzz_check(msg->fd < 0);
		return;
	}
	fuzz_check(msg->length <= VIO_MAX_BODY && vio_type_name(msg->type));
	fuzz_check(msg->type != VIO_CRQ ||
		   msg->count * sizeof(struct vasi_crq) == msg->length);
	if (msg->fd >= 0)
		vio_check_pane(msg->fd, &bytes);
}

static void packets(struct fuzz_input *in, struct vio_message *msg, uint8_t *packet,
		    const int fds[2])
{
	int pair[2];

	fuzz_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
			       0, pair));
	for (unsigned int i = 0; in->left && i < MAX_PACKETS; i++) {
		uint8_t what = fuzz_u8(in);
		size_t bytes = make_packet(in, what, packet);

		/* Some packets end in their header */
		if (what & 0x80)
			bytes = bytes % (sizeof(struct vio_header) + 8) + 1;
		send_packet(pair[0], packet, bytes, fds,
			    what & 0x10 ? 1 + (what & 0x08) / 8 : 0);
		take_packet(pair[1], what & 4 ? VIO_CLIENT : VIO_SERVER, what & 3,
			    msg);
	}
	close(pair[0]);
	vio_message_clear(msg);
	close(pair[1]);
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	fuzz_check(fd >= 0);
	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct vio_message *msg = malloc(sizeof(*msg));
	uint8_t *packet = malloc(sizeof(struct vio_header) + VIO_MAX_BODY);
	int before = lowest_free(), fds[2];

	fuzz_check(msg && packet);
	vio_message_init(msg);
	fds[0] = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fuzz_check(fds[0] >= 0 && !ftruncate(fds[0], 65536));
	if (size & 1)
		fcntl(fds[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	fds[1] = open("/dev/null", O_RDWR | O_CLOEXEC);
	packets(&in, msg, packet, fds);
	close(fds[0]);
	close(fds[1]);
	free(packet);
	free(msg);
	fuzz_check(lowest_free() == before);
	return 0;
}
