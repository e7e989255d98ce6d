// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The part of libvasi that is the same for every transport: devices, and the
 * calls that only pass through.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "libvasi/kernel.h"

/* Note why a call failed; returns @ret */
int vasi_device_fail(struct vasi_device *dev, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	/* Why a device was lost stays the last word */
	if (!dev->lost)
		vsnprintf(dev->error, sizeof(dev->error), fmt, ap);
	va_end(ap);
	return ret;
}

/* The device is gone; the first reason counts */
void vasi_device_lost(struct vasi_device *dev, const char *fmt, ...)
{
	va_list ap;

	if (dev->lost)
		return;
	va_start(ap, fmt);
	vsnprintf(dev->error, sizeof(dev->error), fmt, ap);
	va_end(ap);
	dev->lost = true;
}

/* A generation that was not used lately; never zero */
uint32_t vasi_next_generation(struct vasi_device *dev)
{
	dev->generation = (dev->generation + 1) & VASI_GENERATION_MASK;
	if (!dev->generation)
		dev->generation = 1;
	return dev->generation;
}

static int check_params(const struct vasi_device_params *params)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (params->pane_bytes && !(params->pane_bytes % page) &&
	    params->pane_bytes <= VASI_MAX_PANE)
		return 0;
	log_error("libvasi: pane of %llu bytes: allowed are multiples of %llu up to %llu",
		  (unsigned long long)params->pane_bytes, (unsigned long long)page,
		  (unsigned long long)VASI_MAX_PANE);
	return -EINVAL;
}

/* The socket of a VIO link, unless it is the kernel driver's character device */
static const struct vasi_transport *transport_of(const char *path)
{
	struct stat st;

	if (!stat(path, &st) && S_ISCHR(st.st_mode))
		return &vasi_kernel_transport;
	return &vasi_user_transport;
}

/**
 * vasi_device_open() - open a device and exchange capabilities
 * @path:	of the device: the kernel driver's, or the socket of a VIO link
 * @params:	how
 * @dev:	set on success
 *
 * Why it failed is also logged.
 *
 * Context: blocks, 5 s at most.
 * Return: 0, -EINVAL, -ETIMEDOUT, -EPROTO, what the platform refused it with,
 * or another negative errno.
 */
int vasi_device_open(const char *path, const struct vasi_device_params *params,
		     struct vasi_device **dev)
{
	int ret;

	*dev = NULL;
	ret = check_params(params);
	return ret ? ret : transport_of(path)->open(path, params, dev);
}

/**
 * vasi_device_open_fd() - the same with the kernel driver's device, opened before
 * @fd:		its descriptor; it stays the caller's
 * @path:	of the device, for messages
 * @params:	how
 * @dev:	set on success
 *
 * It takes a privilege to open such a device, but none to go on with it.
 *
 * Context: blocks, 5 s at most.
 * Return: as vasi_device_open().
 */
int vasi_device_open_fd(int fd, const char *path, const struct vasi_device_params *params,
			struct vasi_device **dev)
{
	int ret;

	*dev = NULL;
	ret = check_params(params);
	return ret ? ret : kernel_open_fd(fd, path, params, dev);
}

/**
 * vasi_device_close() - close a device with everything that belongs to it
 * @dev:	device that is not attached and not busy, or NULL
 *
 * Sessions that are left are freed.  Donors must be closed before.
 */
void vasi_device_close(struct vasi_device *dev)
{
	if (!dev)
		return;
	for (uint32_t i = 0; i < dev->session_limit; i++) {
		if (dev->sessions[i])
			vasi_session_destroy(dev->sessions[i]);
	}
	vasi_events_free(dev);
	dev->ops->close(dev);
}

/**
 * vasi_device_info() - what the platform offers
 * @dev:	device
 *
 * Return: valid as long as @dev.
 */
const struct vasi_device_info *vasi_device_info(const struct vasi_device *dev)
{
	return &dev->info;
}

/**
 * vasi_device_error() - why the last call failed, or why the device was lost
 * @dev:	device
 *
 * Return: a text, valid until the next call on @dev.
 */
const char *vasi_device_error(const struct vasi_device *dev)
{
	return dev->error[0] ? dev->error : "no error";
}

/**
 * vasi_device_attach() - start I/O in a ring
 * @dev:	device
 * @ring:	the caller's ring
 * @tag:	top 16 bits of the user_data of every SQE
 *
 * Return: 0, -EBUSY: attached already; -EAGAIN: no SQE.
 */
int vasi_device_attach(struct vasi_device *dev, struct io_uring *ring,
		       uint16_t tag)
{
	return dev->ops->attach(dev, ring, tag);
}

/**
 * vasi_device_detach() - cancel the SQEs of a device
 * @dev:	device
 */
void vasi_device_detach(struct vasi_device *dev)
{
	dev->ops->detach(dev);
}

/**
 * vasi_device_busy() - whether CQEs of the device are still to come
 * @dev:	device
 */
bool vasi_device_busy(const struct vasi_device *dev)
{
	return dev->ops->busy(dev);
}

/**
 * vasi_device_cqe() - take in a CQE that carries the device's tag
 * @dev:	device
 * @cqe:	completion; the caller marks it as seen
 *
 * Return: 0, or -EINVAL for one that is not the device's.
 */
int vasi_device_cqe(struct vasi_device *dev, const struct io_uring_cqe *cqe)
{
	return dev->ops->cqe(dev, cqe);
}

/**
 * vasi_device_flush() - send what was submitted
 * @dev:	device
 *
 * What does not fit the link is sent when there is room.
 *
 * Return: 0, or -ENODEV.
 */
int vasi_device_flush(struct vasi_device *dev)
{
	int ret;

	if (dev->lost)
		return -ENODEV;
	for (uint32_t i = 0; i < dev->session_limit; i++) {
		struct vasi_session *s = dev->sessions[i];

		if (!s || !s->posting_count)
			continue;
		ret = dev->ops->post(s);
		if (ret) {
			vasi_device_lost(dev, "cannot post buffers: %s", strerror(-ret));
			break;
		}
	}
	return dev->ops->flush(dev);
}

/* Whether a request may be sent; what was posted before it goes first */
static int before_request(struct vasi_session *s)
{
	if (s->dev->lost)
		return -ENODEV;
	if (s->state != VASI_SESSION_OPEN)
		return -ENOTCONN;
	return s->dev->ops->post(s);
}

/**
 * vasi_signal() - signal the platform
 * @s:		an open session
 * @code:	signal
 * @reason:	of an abort, cancel or failover
 * @token:	for VASI_EV_SIGNALLED
 *
 * Return: 0, -ENOTCONN, -ENODEV, -ENOMEM.
 */
int vasi_signal(struct vasi_session *s, enum vasi_signal_code code,
		uint32_t reason, uint64_t token)
{
	int ret = before_request(s);

	return ret ? ret : s->dev->ops->signal(s, code, reason, token);
}

/**
 * vasi_progress() - ask how many bytes are left
 * @s:		an open session
 * @token:	for VASI_EV_PROGRESS
 *
 * Return: 0, -ENOTCONN, -ENODEV, -ENOMEM.
 */
int vasi_progress(struct vasi_session *s, uint64_t token)
{
	int ret = before_request(s);

	return ret ? ret : s->dev->ops->progress(s, token);
}

/**
 * vasi_message() - pass eight bytes to the platform (Message Download)
 * @s:		an open session
 * @data:	as a number
 * @token:	for VASI_EV_MESSAGED
 *
 * Return: 0, -ENOTCONN, -ENODEV, -ENOMEM.
 */
int vasi_message(struct vasi_session *s, uint64_t data, uint64_t token)
{
	int ret = before_request(s);

	return ret ? ret : s->dev->ops->message(s, data, token);
}

/**
 * vasi_donor_open() - a way to donate cycles from another thread
 * @dev:	device; only for the time of this call
 * @donor:	set on success
 *
 * Context: blocks, 5 s at most.  On the thread that owns @dev.
 * Return: 0 or a negative errno.
 */
int vasi_donor_open(struct vasi_device *dev, struct vasi_donor **donor)
{
	if (dev->lost)
		return -ENODEV;
	return dev->ops->donor_open(dev, donor);
}

/**
 * vasi_donor_close() - close a donor
 * @donor:	not in a call, or NULL
 */
void vasi_donor_close(struct vasi_donor *donor)
{
	if (donor)
		donor->ops->donor_close(donor);
}

/**
 * vasi_donate() - H_DONOR_OPERATION: give the platform cycles for a stream
 * @donor:	the calling thread's
 * @s:		a session whose VASI_EV_OPENED was reaped; not freed meanwhile
 *
 * Context: blocks for 10 ms as a rule.
 * Return: an hcall return value, VASI_RC_HARDWARE if the device is gone.
 */
int64_t vasi_donate(struct vasi_donor *donor, const struct vasi_session *s)
{
	return donor->ops->donate(donor, s);
}

/**
 * vasi_stream_state() - H_VASI_STATE: a stream's state
 * @donor:	the calling thread's
 * @stream_id:	stream
 *
 * Return: enum vasi_state, or a negative hcall return value.
 */
int64_t vasi_stream_state(struct vasi_donor *donor, uint64_t stream_id)
{
	uint64_t state = 0;
	int64_t rc;

	rc = donor->ops->stream_state(donor, stream_id, &state);
	if (rc)
		return rc < 0 ? rc : VASI_RC_HARDWARE;
	return state <= VASI_STATE_FAILOVER ? (int64_t)state : VASI_RC_HARDWARE;
}

/**
 * vasi_stream_cancel() - H_VASI_SIGNAL with Cancel
 * @donor:	the calling thread's
 * @stream_id:	stream
 * @reason:	abort reason
 *
 * Return: an hcall return value.
 */
int64_t vasi_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
			   uint32_t reason)
{
	return donor->ops->stream_cancel(donor, stream_id, reason);
}
