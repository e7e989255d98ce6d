// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Donors of the transport for the kernel's device: calls by the donating thread, so
 * that its priority and its control group count.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "libvasi/kernel.h"

/**
 * struct kernel_donor - a thread's way to the adapter
 * @donor:	the common part
 * @fd:		adapter's; a descriptor of its own, so that it needs no device
 */
struct kernel_donor {
	struct vasi_donor donor;
	int fd;
};

int kernel_donor_open(struct vasi_device *dev, struct vasi_donor **donor)
{
	struct kernel_donor *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	d->donor.ops = &vasi_kernel_transport;
	d->fd = kernel_sys_dup(to_kernel(dev)->fd);
	if (d->fd < 0) {
		ret = vasi_device_fail(dev, d->fd, "donor: %s", strerror(-d->fd));
		free(d);
		return ret;
	}
	*donor = &d->donor;
	return 0;
}

void kernel_donor_close(struct vasi_donor *donor)
{
	struct kernel_donor *d = container_of(donor, struct kernel_donor, donor);

	kernel_sys_close(d->fd);
	free(d);
}

int64_t kernel_donate(struct vasi_donor *donor, const struct vasi_session *s)
{
	struct vasi_donate donate = {
		.size = sizeof(donate), .budget_ns = KERNEL_DONATE_NS,
	};
	int ret;

	(void)donor;
	ret = kernel_sys_ioctl(to_kernel_session(s)->channel->fd, VASI_IOC_DONATE, &donate);
	return ret < 0 ? VASI_RC_HARDWARE : donate.rc;
}

static int64_t stream_call(struct vasi_donor *donor, unsigned long request,
			   struct vasi_stream *stream)
{
	struct kernel_donor *d = container_of(donor, struct kernel_donor, donor);
	int ret;

	stream->size = sizeof(*stream);
	ret = kernel_sys_ioctl(d->fd, request, stream);
	return ret < 0 ? VASI_RC_HARDWARE : stream->rc;
}

int64_t kernel_stream_state(struct vasi_donor *donor, uint64_t stream_id,
			    uint64_t *state)
{
	struct vasi_stream stream = { .stream_id = stream_id };
	int64_t rc = stream_call(donor, VASI_IOC_STREAM_STATE, &stream);

	*state = stream.state;
	return rc;
}

int64_t kernel_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
			     uint32_t reason)
{
	struct vasi_stream stream = { .stream_id = stream_id, .reason = reason };

	return stream_call(donor, VASI_IOC_STREAM_CANCEL, &stream);
}
