// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Messages of the guest link. */
#include <asm/byteorder.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/unixsock.h"
#include "guestlink/guestlink.h"

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/**
 * guest_link_send() - send a message
 * @socket:	SOCK_SEQPACKET
 * @type:	what it says
 * @value:	its three values; NULL = zeros
 * @fd:		descriptor to pass, or -1; stays the caller's
 *
 * Context: does not wait.
 * Return: 0; -EAGAIN when the socket is full; another negative errno.
 */
int guest_link_send(int socket, enum guest_message_type type, const uint64_t value[3],
		    int fd)
{
	struct guest_message message = { .type = __cpu_to_be32(type) };
	ssize_t sent;

	for (unsigned int i = 0; value && i < 3; i++)
		message.value[i] = __cpu_to_be64(value[i]);
	sent = unix_send_fd(socket, &message, sizeof(message), fd);
	if (sent < 0)
		return (int)sent;
	return sent == (ssize_t)sizeof(message) ? 0 : -EIO;
}

/* Takes what has been passed: number of descriptors, of which the first stays open */
static unsigned int take_fds(struct msghdr *header, int *fd)
{
	unsigned int total = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg;
	     cmsg = CMSG_NXTHDR(header, cmsg)) {
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int each;

			memcpy(&each, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (!total++)
				*fd = each;
			else
				close(each);
		}
	}
	return total;
}

/**
 * guest_link_receive() - receive a message
 * @socket:	SOCK_SEQPACKET
 * @type:	what it says; not checked further
 * @value:	its values
 * @fd:		the descriptor that came with it, the caller's now, or -1
 *
 * Context: does not wait.
 * Return: 0; -EAGAIN when there is none; -EPIPE at the other end's end; -EPROTO for
 * what is no message; another negative errno.
 */
int guest_link_receive(int socket, enum guest_message_type *type, uint64_t value[3],
		       int *fd)
{
	struct guest_message message;
	struct iovec iov = { &message, sizeof(message) };
	union control control;
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	*fd = -1;
	do {
		got = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (!got)
		return -EPIPE;
	/* Alignment leaves room for a second one */
	if (take_fds(&header, fd) > 1 || got != (ssize_t)sizeof(message) || message.reserved ||
	    header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		goto err_close;
	*type = (enum guest_message_type)__be32_to_cpu(message.type);
	for (unsigned int i = 0; i < 3; i++)
		value[i] = __be64_to_cpu(message.value[i]);
	return 0;

err_close:
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -EPROTO;
}
