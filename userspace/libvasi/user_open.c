// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The user-mode driver: connecting, and the handshake up to the capabilities.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "libvasi/user.h"

/* Services that are exchanged, in this order */
static const uint8_t services[] = {
	VASI_SERVICE_SOURCE_MOVER,
	VASI_SERVICE_TARGET_MOVER,
};

/**
 * struct handshake - what is known so far
 * @user:	device
 * @deadline:	of all of it, by now_ns()
 * @offer:	the capabilities that are asked for
 * @initialised: the platform answered Initialize
 * @answered:	by service: it answered Capabilities
 * @caps:	by service: what it answered
 */
struct handshake {
	struct user_device *user;
	uint64_t deadline;
	struct vasi_caps offer;
	bool initialised;
	bool answered[ARRAY_SIZE(services)];
	struct vasi_caps caps[ARRAY_SIZE(services)];
};

/* Wait for a message from the platform; -ETIMEDOUT, or as vio_recv() */
int user_wait_message(int fd, enum vio_channel channel, struct vio_message *msg,
		      uint64_t deadline)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t now;
	int ret;

	for (;;) {
		ret = vio_recv(fd, VIO_SERVER, channel, msg);
		if (ret != -EAGAIN)
			return ret;
		now = now_ns();
		if (now >= deadline)
			return -ETIMEDOUT;
		ret = poll(&pollfd, 1, (int)((deadline - now) / NSEC_PER_MSEC) + 1);
		if (ret < 0 && errno != EINTR)
			return -errno;
	}
}

/* Note a REFUSED; returns its errno, negative */
int user_refused(struct vasi_device *dev, const struct vio_message *msg)
{
	size_t bytes = msg->length - sizeof(__be32);
	char text[VIO_MAX_REASON + 1];
	uint32_t error;

	/* It goes into logs and answers of ours: keep it to what is plain text */
	for (size_t i = 0; i < bytes; i++) {
		uint8_t c = msg->body[sizeof(__be32) + i];

		text[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	text[bytes] = '\0';
	memcpy(&error, msg->body, sizeof(error));
	error = be32toh(error);
	/* It becomes a return value of ours: keep it among those */
	if (!error || error > 4095)
		error = EPROTO;
	return vasi_device_fail(dev, -(int)error, "refused by the platform: %s (%s)",
				text, strerror((int)error));
}

static int wait_link(struct handshake *hs, enum vio_channel channel)
{
	struct user_device *user = hs->user;
	int ret;

	ret = user_wait_message(user->fd, channel, user->msg, hs->deadline);
	if (ret == -EPROTO)
		return vasi_device_fail(&user->dev, ret, "bad message from the platform: %s",
					user->msg->error);
	if (ret == -ECONNRESET)
		return vasi_device_fail(&user->dev, ret, "the platform closed the link");
	if (ret)
		return vasi_device_fail(&user->dev, ret, "handshake: %s", strerror(-ret));
	if (user->msg->type == VIO_REFUSED)
		return user_refused(&user->dev, user->msg);
	return 0;
}

static int take_welcome(struct user_device *user)
{
	const struct vio_welcome *welcome = (const void *)user->msg->body;
	struct vasi_device_info *info = &user->dev.info;
	uint64_t pane = be64toh(welcome->pane1_bytes);

	info->unit_address = be32toh(welcome->unit_address);
	info->crq_entries = be32toh(welcome->crq_bytes) / (uint32_t)sizeof(struct vasi_crq);
	info->buffer_pools = be32toh(welcome->buffer_pools);
	info->streams = be32toh(welcome->streams);
	memcpy(user->token, welcome->token, VIO_TOKEN_BYTES);
	if (info->crq_entries < 4)
		return vasi_device_fail(&user->dev, -EPROTO, "WELCOME: CRQ of %u bytes",
					be32toh(welcome->crq_bytes));
	if (pane < USER_SLOTS * USER_SLOT_BYTES)
		return vasi_device_fail(&user->dev, -EPROTO,
					"WELCOME: the platform takes %llu bytes of the pane",
					(unsigned long long)pane);
	vasi_pane_limit(&user->pane, pane);
	user->limit = info->crq_entries / 2;
	return 0;
}

static int connect_link(struct handshake *hs, const char *path)
{
	struct user_device *user = hs->user;
	int ret;

	user->fd = vio_connect(path);
	if (user->fd < 0)
		return vasi_device_fail(&user->dev, user->fd, "%s: %s", path,
					strerror(-user->fd));
	ret = vio_send_hello_crq(user->fd, USER_CRQ_ENTRIES, user->pane.fd);
	if (ret)
		return vasi_device_fail(&user->dev, ret, "HELLO: %s", strerror(-ret));
	ret = wait_link(hs, 0);
	if (ret)
		return ret;
	if (user->msg->type != VIO_WELCOME)
		return vasi_device_fail(&user->dev, -EPROTO, "%s instead of WELCOME",
					vio_type_name(user->msg->type));
	return take_welcome(user);
}

static void make_offer(struct handshake *hs, const struct vasi_device_params *params)
{
	const struct vio_welcome *welcome = (const void *)hs->user->msg->body;

	hs->offer.features = VASI_CAP_MULTIPLE_OPENS | VASI_CAP_ADD_BUFFER_INDIRECT |
			     VASI_CAP_DOWNLOAD_IMMEDIATE | VASI_CAP_DOWNLOAD_INDIRECT;
	hs->offer.operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE;
	if (!params->no_indirect_operations && welcome->pane2_bytes)
		hs->offer.operations |= VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	hs->offer.opens = UINT8_MAX;
	hs->offer.dirty_map = params->dirty_map ? VASI_DIRTY_MAP_REQUEST : 0;
}

static int send_init(struct handshake *hs, uint8_t format)
{
	const struct vasi_crq init = { .header = VASI_CRQ_INIT, .format = format };
	int ret = vio_send_crq(hs->user->fd, &init, 1);

	return ret ? vasi_device_fail(&hs->user->dev, ret, "Initialize: %s",
				      strerror(-ret)) : 0;
}

static int send_capabilities(struct handshake *hs)
{
	struct vasi_crq entries[ARRAY_SIZE(services)];
	int ret;

	for (unsigned int i = 0; i < ARRAY_SIZE(services); i++) {
		struct vasi_msg msg = {
			.format = VASI_FMT_CAPABILITIES,
			.service = services[i],
			.caps = hs->offer,
		};

		vasi_msg_encode(&entries[i], &msg);
	}
	ret = vio_send_crq(hs->user->fd, entries, ARRAY_SIZE(services));
	return ret ? vasi_device_fail(&hs->user->dev, ret, "Capabilities: %s",
				      strerror(-ret)) : 0;
}

static int take_init(struct handshake *hs, const struct vasi_crq *entry)
{
	int ret = 0;

	if (hs->initialised)
		return vasi_device_fail(&hs->user->dev, -EPROTO,
					"initialised twice by the platform");
	/* Both ends may start: LoPAR leaves it open who does */
	if (entry->format == VASI_INIT_INITIALIZE)
		ret = send_init(hs, VASI_INIT_COMPLETE);
	else if (entry->format != VASI_INIT_COMPLETE)
		return vasi_device_fail(&hs->user->dev, -EPROTO,
					"unknown initialisation format 0x%02x",
					entry->format);
	hs->initialised = true;
	return ret ? ret : send_capabilities(hs);
}

static int take_capabilities(struct handshake *hs, const struct vasi_crq *entry)
{
	struct vasi_device *dev = &hs->user->dev;
	struct vasi_msg msg;

	if (vasi_msg_decode(&msg, entry) != VASI_SUCCESS ||
	    msg.format != (VASI_FMT_CAPABILITIES | VASI_FMT_RESPONSE))
		return vasi_device_fail(dev, -EPROTO,
					"message 0x%02x 0x%02x before Capabilities were exchanged",
					entry->header, entry->format);
	if (msg.status != VASI_SUCCESS)
		return vasi_device_fail(dev, -EIO, "Capabilities: %s",
					vasi_status_name(msg.status));
	for (unsigned int i = 0; i < ARRAY_SIZE(services); i++) {
		if (services[i] != msg.service || hs->answered[i] || !hs->initialised)
			continue;
		hs->answered[i] = true;
		hs->caps[i] = msg.caps;
		return 0;
	}
	return vasi_device_fail(dev, -EPROTO, "Capabilities answer for service %u was not asked",
				msg.service);
}

static int take_entry(struct handshake *hs, const struct vasi_crq *entry)
{
	if (entry->header == VASI_CRQ_INIT)
		return take_init(hs, entry);
	if (entry->header == VASI_CRQ_EVENT)
		return vasi_device_fail(&hs->user->dev, -ECONNRESET,
					"transport event 0x%02x during the handshake",
					entry->format);
	return take_capabilities(hs, entry);
}

/* What both ends have, for both services */
static void agree(struct handshake *hs, struct vasi_device_info *info)
{
	info->features = hs->offer.features;
	info->operations = hs->offer.operations;
	info->opens = hs->offer.opens;
	for (unsigned int i = 0; i < ARRAY_SIZE(services); i++) {
		info->features &= hs->caps[i].features;
		info->operations &= hs->caps[i].operations;
		info->opens = min(info->opens, hs->caps[i].opens);
	}
	if (!(info->features & VASI_CAP_MULTIPLE_OPENS) || !info->opens)
		info->opens = 1;
	/* The first service is the source's; an echo is the request, not an offer */
	info->dirty_map = hs->offer.dirty_map &&
			  hs->caps[0].dirty_map == VASI_DIRTY_MAP_OFFER;
}

static int exchange(struct handshake *hs)
{
	struct user_device *user = hs->user;
	const struct vasi_crq *entries = (const void *)user->msg->body;
	int ret;

	ret = send_init(hs, VASI_INIT_INITIALIZE);
	while (!ret && !(hs->answered[0] && hs->answered[1])) {
		ret = wait_link(hs, VIO_CHANNEL_CRQ);
		if (ret)
			break;
		if (user->msg->type != VIO_CRQ)
			return vasi_device_fail(&user->dev, -EPROTO,
						"%s during the handshake",
						vio_type_name(user->msg->type));
		for (unsigned int i = 0; i < user->msg->count && !ret; i++)
			ret = take_entry(hs, &entries[i]);
	}
	return ret;
}

static struct user_device *user_new(const char *path)
{
	struct user_device *user = calloc(1, sizeof(*user));

	if (!user)
		return NULL;
	user->dev.ops = &vasi_user_transport;
	user->pane.fd = -1;
	user->fd = -1;
	user->path = strdup(path);
	user->msg = malloc(sizeof(*user->msg));
	if (!user->path || !user->msg) {
		free(user->path);
		free(user->msg);
		free(user);
		return NULL;
	}
	vio_message_init(user->msg);
	return user;
}

/* The caller's bytes, and the indirect memory buffers in front of them */
static int make_pane(struct user_device *user, uint64_t bytes)
{
	const uint64_t slots = USER_SLOTS * USER_SLOT_BYTES;
	uint64_t offset;
	int ret;

	ret = vasi_pane_create(&user->pane, min(bytes + slots, VASI_MAX_PANE));
	if (ret)
		return vasi_device_fail(&user->dev, ret, "pane: %s", strerror(-ret));
	/* The allocator is empty: this is the start */
	return vasi_pane_alloc(&user->pane, slots, &offset);
}

int user_open(const char *path, const struct vasi_device_params *params,
	      struct vasi_device **dev)
{
	struct handshake hs = { .deadline = now_ns() + USER_OPEN_NS };
	struct user_device *user;
	int ret;

	user = user_new(path);
	if (!user)
		return -ENOMEM;
	hs.user = user;
	ret = make_pane(user, params->pane_bytes);
	if (ret)
		goto close_device;
	ret = connect_link(&hs, path);
	if (ret)
		goto close_device;
	make_offer(&hs, params);
	ret = exchange(&hs);
	if (ret)
		goto close_device;
	agree(&hs, &user->dev.info);
	*dev = &user->dev;
	return 0;

close_device:
	log_error("libvasi: %s: %s", path, vasi_device_error(&user->dev));
	user_close(&user->dev);
	return ret;
}

void user_close(struct vasi_device *dev)
{
	struct user_device *user = to_user(dev);

	user_requests_free(user);
	user_windows_free(user);
	vasi_pane_destroy(&user->pane);
	vio_message_clear(user->msg);
	if (user->fd >= 0)
		close(user->fd);
	free(user->msg);
	free(user->path);
	free(user);
}
