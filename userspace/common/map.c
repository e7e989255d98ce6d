// SPDX-License-Identifier: LGPL-2.1-or-later
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/map.h"

/* Since Linux 6.1; glibc has it later */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* Address space, a multiple of the page size, or NULL */
static uint8_t *reserve(uint64_t bytes)
{
	void *area = mmap(NULL, bytes, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return area == MAP_FAILED ? NULL : area;
}

static void release(uint8_t *from, uint8_t *to)
{
	if (from < to)
		munmap(from, (size_t)(to - from));
}

/**
 * map_shared() - map a file from its start, shared, where huge pages fit
 * @fd:		the file
 * @bytes:	how much of it
 * @prot:	PROT_READ, PROT_WRITE
 *
 * The kernel aligns a mapping of a memfd only where it is set to use huge pages
 * for all of them; without alignment it maps every small page for itself, also
 * those that lie in huge ones.
 *
 * Return: the first byte, aligned to MAP_HUGE_BYTES; or NULL with errno set.
 */
void *map_shared(int fd, uint64_t bytes, int prot)
{
	uint64_t whole = align_up(bytes, (uint64_t)sysconf(_SC_PAGESIZE));
	uint8_t *area = reserve(whole + MAP_HUGE_BYTES);
	uint8_t *base, *end;
	int error;

	if (!area)
		return NULL;
	end = area + whole + MAP_HUGE_BYTES;
	base = (uint8_t *)align_up((uintptr_t)area, MAP_HUGE_BYTES);
	if (mmap(base, bytes, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
		 0) == MAP_FAILED) {
		error = errno;
		release(area, end);
		errno = error;
		return NULL;
	}
	release(area, base);
	release(base + whole, end);
	return base;
}

/**
 * map_collapse() - allocate memory of a mapped memfd in huge pages
 * @base:	as map_shared() returned, or MAP_HUGE_BYTES further on
 * @bytes:	how much; what is less than a huge page at the end stays as it is
 *
 * As far as the system has huge pages: this fails silently, also in part.  It
 * works whatever the system's setting for memfds is, unless that is "deny".
 *
 * Context: takes as long as zeroing the memory, or longer where the kernel has
 * to make room for huge pages first.
 */
void map_collapse(void *base, uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	bytes -= bytes % MAP_HUGE_BYTES;
	/* Where there is nothing at all, there is nothing to collapse */
	for (uint64_t at = 0; at < bytes; at += MAP_HUGE_BYTES)
		if (madvise((uint8_t *)base + at, page, MADV_POPULATE_WRITE))
			return;
	if (bytes)
		madvise(base, bytes, MADV_COLLAPSE);
}
