// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * System calls of the transport for the kernel's device, one function each, so that
 * a test can stand in for the driver.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libvasi/kernel.h"

int kernel_sys_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int kernel_sys_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

void kernel_sys_close(int fd)
{
	close(fd);
}

int kernel_sys_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do
		ret = ioctl(fd, request, arg);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

void *kernel_sys_map(int fd, uint64_t offset, uint64_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  (off_t)offset);

	if (base == MAP_FAILED)
		return NULL;
	/* Contents of partitions do not belong in a core dump */
	madvise(base, bytes, MADV_DONTDUMP);
	return base;
}

void kernel_sys_unmap(void *base, uint64_t bytes)
{
	munmap(base, bytes);
}

bool kernel_sys_wait(int fd, uint64_t ns)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, (int)(ns / NSEC_PER_MSEC) + 1) != 0;
}
