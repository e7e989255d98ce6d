// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sockets for the notifications of the kernel driver.
 *
 * One socket takes notifications, another one makes requests, so that neither is taken
 * for the other.  The first is also told when families come and go: the driver's does
 * with its module.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <linux/genetlink.h>

#include "common/driver_nl.h"

#define MESSAGE_BYTES	16384

/**
 * struct driver_nl - the way to the driver
 * @requests:	socket for requests
 * @notices:	socket for notifications
 * @ops:	who is told
 * @data:	for these
 * @family:	of the driver; 0 = it is not there
 * @buffer:	takes a datagram
 */
struct driver_nl {
	struct nl_sock *requests;
	struct nl_sock *notices;
	const struct driver_nl_ops *ops;
	void *data;
	int family;
	char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
};

static int errno_of(int nl_error)
{
	switch (-nl_error) {
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_INTR:
		return -EINTR;
	case NLE_OPNOTSUPP:
	case NLE_PROTO_MISMATCH:
	case NLE_AF_NOSUPPORT:
		return -EOPNOTSUPP;
	}
	return -EIO;
}

static int make_socket(struct nl_sock **result)
{
	struct nl_sock *sock = nl_socket_alloc();
	int ret;

	if (!sock)
		return -ENOMEM;
	ret = genl_connect(sock);
	if (ret) {
		nl_socket_free(sock);
		return errno_of(ret);
	}
	*result = sock;
	return 0;
}

/* Families that come and go, which the controller of generic netlink tells */
static int watch_families(struct driver_nl *nl)
{
	int group = genl_ctrl_resolve_grp(nl->requests, "nlctrl", "notify");

	if (group < 0)
		return errno_of(group);
	group = nl_socket_add_membership(nl->notices, group);
	return group ? errno_of(group) : 0;
}

/* Find the driver's family; 0 also when there is none */
static int join(struct driver_nl *nl)
{
	int family, group, ret;

	family = genl_ctrl_resolve(nl->requests, VASI_FAMILY_NAME);
	if (family < 0)
		return family == -NLE_OBJ_NOTFOUND ? 0 : errno_of(family);
	group = genl_ctrl_resolve_grp(nl->requests, VASI_FAMILY_NAME, VASI_MCGRP_EVENTS);
	if (group < 0)
		return group == -NLE_OBJ_NOTFOUND ? 0 : errno_of(group);
	ret = nl_socket_add_membership(nl->notices, group);
	if (ret)
		return errno_of(ret);
	nl->family = family;
	return 0;
}

/**
 * driver_nl_open() - have notifications of the driver told
 * @ops:	who is told
 * @data:	for these
 * @nl:		set on success
 *
 * The driver need not be there yet: see driver_nl_there().
 *
 * Return: 0 or a negative errno.
 */
int driver_nl_open(const struct driver_nl_ops *ops, void *data, struct driver_nl **nl)
{
	struct driver_nl *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->ops = ops;
	new->data = data;
	ret = make_socket(&new->requests);
	if (ret)
		goto free_nl;
	ret = make_socket(&new->notices);
	if (ret)
		goto free_requests;
	/* First this: it may come between the two */
	ret = watch_families(new);
	if (!ret)
		ret = join(new);
	if (ret)
		goto free_notices;
	*nl = new;
	return 0;

free_notices:
	nl_socket_free(new->notices);
free_requests:
	nl_socket_free(new->requests);
free_nl:
	free(new);
	return ret;
}

/**
 * driver_nl_close() - the opposite
 * @nl:		or NULL
 */
void driver_nl_close(struct driver_nl *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->notices);
	nl_socket_free(nl->requests);
	free(nl);
}

/**
 * driver_nl_fd() - what to poll for input before driver_nl_receive()
 * @nl:		way
 */
int driver_nl_fd(const struct driver_nl *nl)
{
	return nl_socket_get_fd(nl->notices);
}

/**
 * driver_nl_there() - whether the driver is loaded
 * @nl:		way
 */
bool driver_nl_there(const struct driver_nl *nl)
{
	return nl->family;
}

/* A family came or went: the name is not looked at, but the result */
static int families_changed(struct driver_nl *nl)
{
	const int before = nl->family;
	int ret;

	nl->family = 0;
	ret = join(nl);
	if (ret)
		return ret;
	/* A new number: another module, though nobody saw the first one go */
	if (before && nl->family != before)
		nl->ops->driver(nl->data, false);
	if (nl->family && nl->family != before)
		nl->ops->driver(nl->data, true);
	return 0;
}

static int take_message(struct driver_nl *nl, const struct nlmsghdr *header)
{
	struct driver_event event;

	if (header->nlmsg_type == GENL_ID_CTRL)
		return families_changed(nl);
	if (header->nlmsg_type == nl->family && !driver_nl_parse(header, &event))
		nl->ops->event(nl->data, &event);
	return 0;
}

/* One datagram from the kernel; -EAGAIN: there is none */
static ssize_t receive(struct driver_nl *nl)
{
	struct sockaddr_nl from = { .nl_pid = UINT32_MAX };
	struct iovec iov = { .iov_base = nl->buffer, .iov_len = sizeof(nl->buffer) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1,
	};
	ssize_t bytes;

	do {
		bytes = recvmsg(driver_nl_fd(nl), &msg, MSG_DONTWAIT);
		if (bytes < 0 && errno != EINTR)
			return -errno;
	/* Any process can send to this socket: only the kernel counts */
	} while (bytes < 0 || from.nl_pid || msg.msg_flags & MSG_TRUNC);
	return bytes;
}

/**
 * driver_nl_receive() - take what has arrived; never waits
 * @nl:		way
 *
 * Return: 0; -ENOBUFS: notifications were lost, more may be there; another negative
 * errno: the socket is of no use any more.
 */
int driver_nl_receive(struct driver_nl *nl)
{
	const struct nlmsghdr *header;
	ssize_t bytes;
	int left, ret;

	while ((bytes = receive(nl)) >= 0) {
		left = (int)bytes;
		for (header = (void *)nl->buffer; nlmsg_ok(header, left);
		     header = nlmsg_next((struct nlmsghdr *)header, &left)) {
			ret = take_message(nl, header);
			if (ret)
				return ret;
		}
	}
	return bytes == -EAGAIN ? 0 : (int)bytes;
}

static int dumped(struct nl_msg *msg, void *arg)
{
	struct driver_nl *nl = arg;
	struct driver_event event;

	if (!driver_nl_parse(nlmsg_hdr(msg), &event))
		nl->ops->event(nl->data, &event);
	return NL_OK;
}

/**
 * driver_nl_dump() - have every adapter told as an event VASI_CMD_ADAPTER_GET
 * @nl:		way to a driver that is there
 *
 * Context: waits for the kernel's answer.
 * Return: 0 or a negative errno.
 */
int driver_nl_dump(struct driver_nl *nl)
{
	int ret;

	ret = nl_socket_modify_cb(nl->requests, NL_CB_VALID, NL_CB_CUSTOM, dumped, nl);
	if (!ret)
		ret = genl_send_simple(nl->requests, nl->family, VASI_CMD_ADAPTER_GET,
				       VASI_FAMILY_VERSION, NLM_F_DUMP);
	if (ret < 0)
		return errno_of(ret);
	ret = nl_recvmsgs_default(nl->requests);
	/* Later requests have answers of their own */
	nl_socket_modify_cb(nl->requests, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return ret < 0 ? errno_of(ret) : 0;
}
