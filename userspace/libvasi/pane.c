// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The first pane: a memfd that is shared with the platform, and a first-fit
 * allocator of its pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libvasi/user.h"

/* Whole pages: buffers of different owners never share one */
static uint64_t page_align(uint64_t bytes)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static struct vasi_extent *extent_new(uint64_t offset, uint64_t bytes)
{
	struct vasi_extent *extent = malloc(sizeof(*extent));

	if (extent)
		*extent = (struct vasi_extent){ .offset = offset, .bytes = bytes };
	return extent;
}

/* Sealed, so that the platform can rely on its size */
static int memfd_sealed(uint64_t bytes)
{
	int fd, ret;

	fd = memfd_create("vasi-pane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/*
 * Make a pane of @bytes, a multiple of the page size; its memory is used only
 * as it is written.  Returns 0 or a negative errno.
 */
int vasi_pane_create(struct vasi_pane *pane, uint64_t bytes)
{
	int ret;

	pane->fd = memfd_sealed(bytes);
	if (pane->fd < 0)
		return pane->fd;
	pane->bytes = bytes;
	pane->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pane->fd, 0);
	if (pane->base == MAP_FAILED) {
		ret = -errno;
		goto close_fd;
	}
	/* Contents of partitions do not belong in a core dump */
	madvise(pane->base, bytes, MADV_DONTDUMP);
	pane->free = extent_new(0, bytes);
	if (!pane->free) {
		ret = -ENOMEM;
		goto unmap;
	}
	return 0;

unmap:
	munmap(pane->base, bytes);
close_fd:
	close(pane->fd);
	pane->fd = -1;
	pane->base = NULL;
	return ret;
}

void vasi_pane_destroy(struct vasi_pane *pane)
{
	struct vasi_extent *extent;

	if (!pane->base)
		return;
	while ((extent = pane->free)) {
		pane->free = extent->next;
		free(extent);
	}
	munmap(pane->base, pane->bytes);
	close(pane->fd);
	pane->base = NULL;
	pane->fd = -1;
}

/* The platform takes only the first @bytes: hand out nothing beyond */
void vasi_pane_limit(struct vasi_pane *pane, uint64_t bytes)
{
	struct vasi_extent *last = pane->free;

	/* Called before a session is open: what is free is one extent at the end */
	if (!last || bytes >= last->offset + last->bytes)
		return;
	last->bytes = bytes > last->offset ? bytes - last->offset : 0;
}

/* Give the pages back to the system: they read as zeros again */
static void clear_range(struct vasi_pane *pane, uint64_t offset, uint64_t bytes)
{
	if (fallocate(pane->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)offset, (off_t)bytes))
		memset(pane->base + offset, 0, bytes);
}

/* Take @bytes, zeroed, whole pages; 0 or -ENOMEM */
int vasi_pane_alloc(struct vasi_pane *pane, uint64_t bytes, uint64_t *offset)
{
	struct vasi_extent **at, *extent;

	bytes = page_align(bytes);
	for (at = &pane->free; (extent = *at); at = &extent->next) {
		if (extent->bytes < bytes)
			continue;
		*offset = extent->offset;
		extent->offset += bytes;
		extent->bytes -= bytes;
		if (!extent->bytes) {
			*at = extent->next;
			free(extent);
		}
		clear_range(pane, *offset, bytes);
		return 0;
	}
	return -ENOMEM;
}

static void merge_next(struct vasi_extent *extent)
{
	struct vasi_extent *next = extent->next;

	if (!next || extent->offset + extent->bytes != next->offset)
		return;
	extent->bytes += next->bytes;
	extent->next = next->next;
	free(next);
}

/* Give a range back; its contents are gone at once */
void vasi_pane_free(struct vasi_pane *pane, uint64_t offset, uint64_t bytes)
{
	struct vasi_extent *extent, *before = NULL, **at = &pane->free;

	bytes = page_align(bytes);
	clear_range(pane, offset, bytes);
	while (*at && (*at)->offset < offset) {
		before = *at;
		at = &before->next;
	}
	if (before && before->offset + before->bytes == offset) {
		before->bytes += bytes;
		merge_next(before);
		return;
	}
	extent = extent_new(offset, bytes);
	if (!extent)
		return;		/* the range is not used again: better than failing here */
	extent->next = *at;
	*at = extent;
	merge_next(extent);
}
