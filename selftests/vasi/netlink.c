// SPDX-License-Identifier: GPL-2.0
/* Generic netlink: the list of adapters, and every notification with its attributes. */
#include <endian.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vasi_netlink.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define ROOM		16384
#define ABORT_REASON	(VASI_ABORT_SOURCE_VSP << VASI_REASON_ENTITY_SHIFT | 0x77)

#ifndef SOL_NETLINK
#define SOL_NETLINK	270
#endif

/* One message of the family, taken apart */
struct message {
	uint8_t		cmd;
	uint32_t	seen;		/* bit n: attribute n is there */
	char		adapter[64];
	uint64_t	value[VASI_A_MAX + 1];
};

struct request {
	struct nlmsghdr		header;
	struct genlmsghdr	genl;
	char			room[64];
};

static int send_request(int fd, uint16_t type, uint16_t flags, uint8_t cmd, const char *name)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct request request = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags,
		},
		.genl = { .cmd = cmd, .version = 1 },
	};
	struct nlattr *attr = (void *)request.room;

	if (name) {
		attr->nla_type = CTRL_ATTR_FAMILY_NAME;
		attr->nla_len = NLA_HDRLEN + strlen(name) + 1;
		strcpy(request.room + NLA_HDRLEN, name);
		request.header.nlmsg_len += NLA_ALIGN(attr->nla_len);
	}
	return sendto(fd, &request, request.header.nlmsg_len, 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0 ? -errno : 0;
}

/* The next attribute, or NULL; @at and @left move on */
static struct nlattr *next_attr(char **at, int *left)
{
	struct nlattr *attr = (void *)*at;
	int bytes;

	if (*left < NLA_HDRLEN || attr->nla_len < NLA_HDRLEN || attr->nla_len > *left)
		return NULL;
	bytes = NLA_ALIGN(attr->nla_len);
	*at += bytes;
	*left -= bytes;
	return attr;
}

static void *data_of(struct nlattr *attr)
{
	return (char *)attr + NLA_HDRLEN;
}

/* Id of the multicast group in the family's nest of groups, or 0 */
static uint32_t find_group(struct nlattr *groups, const char *wanted)
{
	char *at = data_of(groups);
	int left = groups->nla_len - NLA_HDRLEN;
	struct nlattr *group, *attr;

	while ((group = next_attr(&at, &left))) {
		char *in = data_of(group);
		int rest = group->nla_len - NLA_HDRLEN;
		const char *name = "";
		uint32_t id = 0;

		while ((attr = next_attr(&in, &rest))) {
			if (attr->nla_type == CTRL_ATTR_MCAST_GRP_NAME)
				name = data_of(attr);
			else if (attr->nla_type == CTRL_ATTR_MCAST_GRP_ID)
				memcpy(&id, data_of(attr), sizeof(id));
		}
		if (!strcmp(name, wanted))
			return id;
	}
	return 0;
}

/* A socket; the family and its group; -errno */
static int family(uint16_t *type, uint32_t *group)
{
	struct timeval patience = { .tv_sec = VT_PATIENCE_MS / 1000 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	char room[ROOM], *at = room + NLMSG_LENGTH(GENL_HDRLEN);
	struct nlmsghdr *header = (void *)room;
	struct nlattr *attr;
	int left;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*type = 0;
	*group = 0;
	if (send_request(fd, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, VASI_FAMILY_NAME) ||
	    recv(fd, room, sizeof(room), 0) < NLMSG_LENGTH(GENL_HDRLEN) ||
	    header->nlmsg_type == NLMSG_ERROR) {
		close(fd);
		return -ENOENT;
	}
	left = header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	while ((attr = next_attr(&at, &left))) {
		if ((attr->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_FAMILY_ID)
			memcpy(type, data_of(attr), sizeof(*type));
		else if ((attr->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_MCAST_GROUPS)
			*group = find_group(attr, VASI_MCGRP_EVENTS);
	}
	return fd;
}

static void take_apart(struct nlmsghdr *header, struct message *m)
{
	struct genlmsghdr *genl = NLMSG_DATA(header);
	char *at = (char *)genl + GENL_HDRLEN;
	int left = header->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	struct nlattr *attr;
	uint32_t word;
	int type;

	memset(m, 0, sizeof(*m));
	m->cmd = genl->cmd;
	while ((attr = next_attr(&at, &left))) {
		type = attr->nla_type & NLA_TYPE_MASK;
		if (type > VASI_A_MAX || type == VASI_A_PAD)
			continue;
		m->seen |= 1 << type;
		if (type == VASI_A_ADAPTER) {
			snprintf(m->adapter, sizeof(m->adapter), "%s", (char *)data_of(attr));
		} else if (attr->nla_len == NLA_HDRLEN + sizeof(word)) {
			memcpy(&word, data_of(attr), sizeof(word));
			m->value[type] = word;
		} else if (attr->nla_len == NLA_HDRLEN + sizeof(uint64_t)) {
			memcpy(&m->value[type], data_of(attr), sizeof(uint64_t));
		}
	}
}

#define HAS(...)	has_all((uint8_t[]){ __VA_ARGS__, 0 })

static uint32_t has_all(const uint8_t *attrs)
{
	uint32_t bits = 0;

	for (; *attrs; attrs++)
		bits |= 1 << *attrs;
	return bits;
}

static const uint8_t adapter_attrs[] = {
	VASI_A_ADAPTER, VASI_A_UNIT_ADDRESS, VASI_A_ADAPTER_STATE, VASI_A_RESETS, 0
};

FIXTURE(netlink)
{
	int dev;
	int fd;
	uint16_t type;
	uint32_t group;
	struct vasi_info info;
};

FIXTURE_SETUP(netlink)
{
	self->dev = -1;
	self->fd = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	ASSERT_EQ(0, vt_info(self->dev, &self->info));
	self->fd = family(&self->type, &self->group);
	ASSERT_LE(0, self->fd);
	ASSERT_NE(0, self->type);
	ASSERT_NE(0, self->group);
}

FIXTURE_TEARDOWN(netlink)
{
	close(self->fd);
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

static int join(FIXTURE_DATA(netlink) *self)
{
	return setsockopt(self->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &self->group,
			  sizeof(self->group)) ? -errno : 0;
}

/* The next notification of the scripted adapter that is @cmd */
static int notified(FIXTURE_DATA(netlink) *self, uint8_t cmd, struct message *m)
{
	char room[ROOM];
	struct nlmsghdr *header = (void *)room;
	ssize_t bytes;

	do {
		bytes = recv(self->fd, room, sizeof(room), 0);
		if (bytes < 0)
			return -errno;
		if (bytes < NLMSG_LENGTH(GENL_HDRLEN) || header->nlmsg_type != self->type)
			return -EBADMSG;
		take_apart(header, m);
	} while (m->cmd != cmd || m->value[VASI_A_UNIT_ADDRESS] != self->info.unit_address);
	return 0;
}

TEST_F(netlink, adapter_get)
{
	char room[ROOM], path[64];
	struct nlmsghdr *header;
	struct message m;
	bool found = false, done = false;
	int bytes, count = 0;

	ASSERT_EQ(0, vt_path('S', path, sizeof(path)));
	ASSERT_EQ(0, send_request(self->fd, self->type, NLM_F_DUMP, VASI_CMD_ADAPTER_GET, NULL));
	while (!done) {
		bytes = recv(self->fd, room, sizeof(room), 0);
		ASSERT_LT(0, bytes);
		for (header = (void *)room; NLMSG_OK(header, bytes) && !done;
		     header = NLMSG_NEXT(header, bytes)) {
			ASSERT_NE(NLMSG_ERROR, header->nlmsg_type);
			if (header->nlmsg_type == NLMSG_DONE) {
				done = true;
				break;
			}
			take_apart(header, &m);
			EXPECT_EQ(has_all(adapter_attrs), m.seen);
			count++;
			if (m.value[VASI_A_UNIT_ADDRESS] != self->info.unit_address)
				continue;
			found = true;
			EXPECT_STREQ(path + strlen("/dev/"), m.adapter);
			EXPECT_EQ(VASI_ADAPTER_READY, m.value[VASI_A_ADAPTER_STATE]);
			EXPECT_EQ(self->info.resets, m.value[VASI_A_RESETS]);
		}
	}
	EXPECT_TRUE(found);
	EXPECT_EQ(vt_have('A') + vt_have('B') + vt_have('S'), count);
}

TEST_F(netlink, unknown_command)
{
	char room[ROOM];
	struct nlmsghdr *header = (void *)room;

	ASSERT_EQ(0, send_request(self->fd, self->type, 0, 99, NULL));
	ASSERT_LT(0, recv(self->fd, room, sizeof(room), 0));
	EXPECT_EQ(NLMSG_ERROR, header->nlmsg_type);
	EXPECT_EQ(-EOPNOTSUPP, ((struct nlmsgerr *)NLMSG_DATA(header))->error);
}

#define SESSION_ATTRS	VASI_A_ADAPTER, VASI_A_UNIT_ADDRESS, VASI_A_STREAM_ID, \
			VASI_A_SERVICE, VASI_A_TOP

TEST_F(netlink, session)
{
	struct vt_session s;
	struct message m;

	ASSERT_EQ(0, join(self));
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 0x1122334455667788ULL,
				     VASI_SERVICE_TARGET_MOVER));
	ASSERT_EQ(0, notified(self, VASI_CMD_SESSION_OPEN_NTF, &m));
	EXPECT_EQ(HAS(SESSION_ATTRS), m.seen);
	EXPECT_EQ(0x1122334455667788ULL, m.value[VASI_A_STREAM_ID]);
	EXPECT_EQ(VASI_SERVICE_TARGET_MOVER, m.value[VASI_A_SERVICE]);
	EXPECT_EQ(s.open.top, m.value[VASI_A_TOP]);
	ASSERT_EQ(0, vt_session_close(&s));
	ASSERT_EQ(0, notified(self, VASI_CMD_SESSION_CLOSE_NTF, &m));
	EXPECT_EQ(HAS(SESSION_ATTRS), m.seen);
	EXPECT_EQ(0x1122334455667788ULL, m.value[VASI_A_STREAM_ID]);
	EXPECT_EQ(s.open.top, m.value[VASI_A_TOP]);
}

TEST_F(netlink, state_and_abort)
{
	struct vasi_crq entry = { .header = VASI_CRQ_COMMAND, .format = VASI_FMT_STATE };
	struct vt_session s;
	struct message m;

	ASSERT_EQ(0, vt_session_open(&s, self->dev, 5, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, join(self));
	entry.handle = htobe32(s.open.top);
	entry.signal.code = htobe16(VASI_STATE_SUSPENDED);
	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(0, notified(self, VASI_CMD_STATE_NTF, &m));
	EXPECT_EQ(HAS(SESSION_ATTRS, VASI_A_STREAM_STATE, VASI_A_REASON), m.seen);
	EXPECT_EQ(VASI_STATE_SUSPENDED, m.value[VASI_A_STREAM_STATE]);
	EXPECT_EQ(5, m.value[VASI_A_STREAM_ID]);
	entry.signal.code = htobe16(VASI_STATE_ABORTED);
	entry.signal.reason = htobe32(ABORT_REASON);
	ASSERT_EQ(0, vt_script_send(&entry));
	ASSERT_EQ(0, notified(self, VASI_CMD_ABORT_NTF, &m));
	EXPECT_EQ(HAS(SESSION_ATTRS, VASI_A_STREAM_STATE, VASI_A_REASON), m.seen);
	EXPECT_EQ(VASI_STATE_ABORTED, m.value[VASI_A_STREAM_STATE]);
	EXPECT_EQ(ABORT_REASON, m.value[VASI_A_REASON]);
	EXPECT_EQ(s.open.top, m.value[VASI_A_TOP]);
	close(s.fd);
}

FIXTURE(netlink_reset)
{
	FIXTURE_DATA(netlink) n;
};

FIXTURE_VARIANT(netlink_reset)
{
	uint8_t event;
	uint32_t reason;
};

FIXTURE_VARIANT_ADD(netlink_reset, failed) {
	.event = VASI_EVENT_PARTNER_FAILED, .reason = VASI_RESET_PARTNER_FAILED,
};

FIXTURE_VARIANT_ADD(netlink_reset, deregistered) {
	.event = VASI_EVENT_PARTNER_DEREGISTERED, .reason = VASI_RESET_PARTNER_DEREGISTERED,
};

FIXTURE_VARIANT_ADD(netlink_reset, terminated) {
	.event = VASI_EVENT_PARTNER_TERMINATED, .reason = VASI_RESET_PARTNER_TERMINATED,
};

FIXTURE_VARIANT_ADD(netlink_reset, suspended) {
	.event = VASI_EVENT_PARTNER_SUSPENDED, .reason = VASI_RESET_PARTNER_SUSPENDED,
};

FIXTURE_SETUP(netlink_reset)
{
	netlink_setup(_metadata, &self->n, NULL);
}

FIXTURE_TEARDOWN(netlink_reset)
{
	netlink_teardown(_metadata, &self->n, NULL);
}

TEST_F(netlink_reset, reason)
{
	struct message m;

	ASSERT_EQ(0, join(&self->n));
	ASSERT_EQ(0, vt_ask(NULL, "script event %02x", variant->event));
	ASSERT_EQ(0, notified(&self->n, VASI_CMD_RESET_NTF, &m));
	EXPECT_EQ(HAS(VASI_A_ADAPTER, VASI_A_UNIT_ADDRESS, VASI_A_RESETS, VASI_A_RESET_REASON),
		  m.seen);
	EXPECT_EQ(variant->reason, m.value[VASI_A_RESET_REASON]);
	EXPECT_EQ(self->n.info.resets + 1, m.value[VASI_A_RESETS]);
	/* Its states, up to being ready again */
	do {
		ASSERT_EQ(0, notified(&self->n, VASI_CMD_ADAPTER_NTF, &m));
		EXPECT_EQ(has_all(adapter_attrs), m.seen);
	} while (m.value[VASI_A_ADAPTER_STATE] != VASI_ADAPTER_READY);
}

TEST_HARNESS_MAIN
