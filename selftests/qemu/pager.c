// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on pages that are not there, for another process: vasi-phypd's pager.
 *
 * No QEMU headers here: those that it brings of Linux are older than what is needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "pager.h"

/*
 * It has to see faults of the kernel, too, in system calls that read or write the
 * guest's memory, so UFFD_USER_MODE_ONLY is of no use.
 */
static int new_userfaultfd(int device)
{
	int fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/**
 * pager_register() - a userfaultfd for missing and minor faults
 * @device:	/dev/userfaultfd, opened
 * @start:	of a shared mapping
 * @bytes:	its size
 *
 * Return: descriptor, or a negative errno.
 */
int pager_register(int device, void *start, size_t bytes)
{
	const __u64 features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM;
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register area = {
		.range = { .start = (uintptr_t)start, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
	};
	int fd = new_userfaultfd(device), error;

	if (fd < 0)
		return fd;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &area))
		return fd;
	error = errno;
	close(fd);
	return -error;
}
