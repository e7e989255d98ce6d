// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Donors of the user-mode driver: an hcall channel each, used by one thread.
 *
 * A donor shares nothing with its device: a call needs no lock, and goes on
 * when the device is lost until its own channel is.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "libvasi/user.h"

/* The platform answers within 10 ms; after this it is not alive */
#define USER_HCALL_NS	(5 * NSEC_PER_SEC)

/**
 * struct user_donor - an hcall channel
 * @donor:	the common part
 * @fd:		channel, or -1: it failed, for good
 * @tag:	of the last hcall
 * @msg:	last answer
 */
struct user_donor {
	struct vasi_donor donor;
	int fd;
	uint32_t tag;
	struct vio_message *msg;
};

static int hello(struct user_donor *d, struct vasi_device *dev)
{
	int ret;

	ret = vio_send_hello_hcall(d->fd, to_user(dev)->token);
	if (ret)
		return vasi_device_fail(dev, ret, "hcall channel: %s", strerror(-ret));
	ret = user_wait_message(d->fd, 0, d->msg, now_ns() + USER_OPEN_NS);
	if (ret)
		return vasi_device_fail(dev, ret, "hcall channel: %s",
					ret == -EPROTO ? d->msg->error : strerror(-ret));
	if (d->msg->type == VIO_REFUSED)
		return user_refused(dev, d->msg);
	if (d->msg->type != VIO_WELCOME)
		return vasi_device_fail(dev, -EPROTO, "hcall channel: %s instead of WELCOME",
					vio_type_name(d->msg->type));
	return 0;
}

int user_donor_open(struct vasi_device *dev, struct vasi_donor **donor)
{
	struct user_donor *d = calloc(1, sizeof(*d));
	int ret = -ENOMEM;

	if (!d)
		return -ENOMEM;
	d->donor.ops = &vasi_user_transport;
	d->msg = malloc(sizeof(*d->msg));
	if (!d->msg)
		goto free_donor;
	vio_message_init(d->msg);
	d->fd = vio_connect(to_user(dev)->path);
	if (d->fd < 0) {
		ret = vasi_device_fail(dev, d->fd, "hcall channel %s: %s",
				       to_user(dev)->path, strerror(-d->fd));
		goto free_message;
	}
	ret = hello(d, dev);
	if (ret)
		goto close_channel;
	*donor = &d->donor;
	return 0;

close_channel:
	close(d->fd);
free_message:
	free(d->msg);
free_donor:
	free(d);
	return ret;
}

void user_donor_close(struct vasi_donor *donor)
{
	struct user_donor *d = container_of(donor, struct user_donor, donor);

	if (d->fd >= 0)
		close(d->fd);
	free(d->msg);
	free(d);
}

static int64_t donor_failed(struct user_donor *d, const char *reason)
{
	log_warning("libvasi: hcall channel lost: %s", reason);
	/* An answer that comes late must not be taken for that of another hcall */
	close(d->fd);
	d->fd = -1;
	return VASI_RC_HARDWARE;
}

/*
 * Make an hcall; blocks until it returns.  Any failure of the channel is
 * VASI_RC_HARDWARE, now and from then on.
 */
static int64_t hcall(struct vasi_donor *donor, uint64_t number, const uint64_t *args,
		     unsigned int count, uint64_t *result)
{
	struct user_donor *d = container_of(donor, struct user_donor, donor);
	const struct vio_hret *hret = (const void *)d->msg->body;
	int ret;

	if (d->fd < 0)
		return VASI_RC_HARDWARE;
	ret = vio_send_hcall(d->fd, ++d->tag, number, args, count);
	if (ret)
		return donor_failed(d, strerror(-ret));
	ret = user_wait_message(d->fd, VIO_CHANNEL_HCALL, d->msg,
				now_ns() + USER_HCALL_NS);
	if (ret)
		return donor_failed(d, ret == -EPROTO ? d->msg->error : strerror(-ret));
	if (d->msg->type != VIO_HRET)
		return donor_failed(d, vio_type_name(d->msg->type));
	if (d->msg->tag != d->tag)
		return donor_failed(d, "answer to another hcall");
	if (result)
		*result = be64toh(hret->ret[0]);
	return (int64_t)be64toh(hret->rc);
}

int64_t user_donate(struct vasi_donor *donor, const struct vasi_session *s)
{
	/* LoPAR names the argument TOP/BOTTOM: TOP is the high half */
	uint64_t arg = (uint64_t)s->top << 32 | s->bottom;

	return hcall(donor, VASI_H_DONOR_OPERATION, &arg, 1, NULL);
}

int64_t user_stream_state(struct vasi_donor *donor, uint64_t stream_id,
			  uint64_t *state)
{
	return hcall(donor, VASI_H_STATE, &stream_id, 1, state);
}

int64_t user_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
			   uint32_t reason)
{
	uint64_t args[] = { stream_id, VASI_SIGNAL_CANCEL, reason };

	return hcall(donor, VASI_H_SIGNAL, args, ARRAY_SIZE(args), NULL);
}
