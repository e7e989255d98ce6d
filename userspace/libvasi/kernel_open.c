// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The transport for the kernel's device: opening an adapter.  The driver exchanges
 * capabilities on its own; here they are only asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "libvasi/kernel.h"

static const char *state_text(uint32_t state)
{
	switch (state) {
	case VASI_ADAPTER_DOWN:
		return "its queue is not registered";
	case VASI_ADAPTER_WAITING:
		return "the platform has not answered";
	case VASI_ADAPTER_NEGOTIATING:
		return "the platform has not answered what it can do";
	case VASI_ADAPTER_DEAD:
		return "it is dead";
	}
	return "its state is unknown";
}

static int get_info(struct kernel_device *kernel, struct vasi_info *info)
{
	int ret;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	ret = kernel_sys_ioctl(kernel->fd, VASI_IOC_GET_INFO, info);
	if (ret < 0)
		return vasi_device_fail(&kernel->dev, ret, "not an adapter of vasi: %s",
					strerror(-ret));
	return 0;
}

/* An adapter that is ready may be reset before it is asked: ask until it says so */
static int wait_ready(struct kernel_device *kernel, struct vasi_info *info)
{
	const uint64_t deadline = now_ns() + KERNEL_OPEN_NS;
	uint64_t now;
	int ret;

	for (;;) {
		ret = get_info(kernel, info);
		if (ret || info->state == VASI_ADAPTER_READY)
			return ret;
		if (info->state == VASI_ADAPTER_DEAD)
			return vasi_device_fail(&kernel->dev, -ENODEV, "the adapter is dead");
		now = now_ns();
		if (now >= deadline || !kernel_sys_wait(kernel->fd, deadline - now))
			return vasi_device_fail(&kernel->dev, -ETIMEDOUT,
						"the adapter is not ready: %s",
						state_text(info->state));
	}
}

/* What holds for both services */
static void take_info(struct kernel_device *kernel, const struct vasi_info *from,
		      const struct vasi_device_params *params)
{
	struct vasi_device_info *info = &kernel->dev.info;

	info->unit_address = from->unit_address;
	info->crq_entries = from->crq_bytes / (uint32_t)sizeof(struct vasi_crq);
	info->buffer_pools = from->buffer_pools;
	info->streams = from->streams;
	info->features = from->source_features & from->target_features;
	info->operations = from->source_operations & from->target_operations;
	info->opens = min(from->source_opens, from->target_opens);
	if (!(info->features & VASI_CAP_MULTIPLE_OPENS) || !info->opens)
		info->opens = 1;
	if (!(from->features & VASI_FEATURE_INDIRECT))
		info->operations &= (uint8_t)~VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	info->dirty_map = params->dirty_map && from->features & VASI_FEATURE_DIRTY_MAP;
	kernel->features = from->features;
}

static struct kernel_device *kernel_new(int fd, const char *path,
					const struct vasi_device_params *params)
{
	struct kernel_device *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return NULL;
	kernel->dev.ops = &vasi_kernel_transport;
	kernel->fd = fd;
	kernel->pane_bytes = params->pane_bytes;
	kernel->path = strdup(path);
	if (!kernel->path) {
		free(kernel);
		return NULL;
	}
	return kernel;
}

/* Takes @fd over */
static int open_taken(int fd, const char *path, const struct vasi_device_params *params,
		      struct vasi_device **dev)
{
	struct kernel_device *kernel = kernel_new(fd, path, params);
	struct vasi_info info;
	int ret;

	if (!kernel) {
		kernel_sys_close(fd);
		return -ENOMEM;
	}
	ret = wait_ready(kernel, &info);
	if (ret) {
		log_error("libvasi: %s: %s", path, vasi_device_error(&kernel->dev));
		kernel_close(&kernel->dev);
		return ret;
	}
	take_info(kernel, &info, params);
	*dev = &kernel->dev;
	return 0;
}

int kernel_open(const char *path, const struct vasi_device_params *params,
		struct vasi_device **dev)
{
	int fd = kernel_sys_open(path);

	if (fd < 0) {
		log_error("libvasi: %s: %s", path, strerror(-fd));
		return fd;
	}
	return open_taken(fd, path, params, dev);
}

int kernel_open_fd(int fd, const char *path, const struct vasi_device_params *params,
		   struct vasi_device **dev)
{
	int copy = kernel_sys_dup(fd);

	if (copy < 0) {
		log_error("libvasi: %s: %s", path, strerror(-copy));
		return copy;
	}
	return open_taken(copy, path, params, dev);
}

void kernel_close(struct vasi_device *dev)
{
	struct kernel_device *kernel = to_kernel(dev);

	/* Sessions are gone, and what was in flight has completed: so are channels */
	free(kernel->channels);
	kernel_sys_close(kernel->fd);
	free(kernel->path);
	free(kernel);
}
