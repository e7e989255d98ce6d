// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reserving a partition's memory: all of it, now, or an error.  What is only
 * promised would show as SIGBUS in the middle of a move.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/map.h"
#include "common/util.h"
#include "phyp/phypd/job.h"
#include "phyp/phypd/memory.h"

#define STEP_BYTES	(64ULL << 20)
#define KEEP_FREE_BYTES	(64ULL << 20)

/* What the system could still give, or UINT64_MAX where it does not say */
static uint64_t available_bytes(void)
{
	uint64_t kib = UINT64_MAX >> 10;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			break;
	fclose(file);
	return kib << 10;
}

/* In huge pages as far as there are any, in small ones for the rest */
static int allocate(const struct memory *memory, uint64_t at, uint64_t length)
{
	uint8_t *here = (uint8_t *)memory->base + at;

	map_collapse(here, length);
	if (fallocate(memory->fd, 0, (off_t)at, (off_t)length) ||
	    madvise(here, length, MADV_POPULATE_WRITE))
		return -errno;
	return 0;
}

/*
 * Allocated and mapped piece by piece: each piece is checked against what is
 * left, because the kernel would rather kill somebody than fail.
 */
static int populate(const struct memory *memory, const struct job *job,
		    char *error)
{
	for (uint64_t at = 0; at < memory->bytes; at += STEP_BYTES) {
		uint64_t length = min(STEP_BYTES, memory->bytes - at);
		uint64_t available = available_bytes();
		int ret = 0;

		if (job && job_cancelled(job))
			return -ECANCELED;
		if (available < length + KEEP_FREE_BYTES)
			ret = -ENOMEM;
		else
			ret = allocate(memory, at, length);
		if (ret == -EINTR) {
			at -= STEP_BYTES;
			continue;
		}
		if (ret) {
			snprintf(error, MEMORY_ERROR_BYTES,
				 "%" PRIu64 " bytes of memory: only %" PRIu64
				 " could be reserved: %s", memory->bytes, at,
				 strerror(-ret));
			return ret;
		}
	}
	return 0;
}

/**
 * memory_reserve() - reserve and zero a partition's memory
 * @memory:	filled in on success, and empty otherwise
 * @bytes:	a multiple of the page size
 * @job:	whose cancellation ends this, or NULL
 * @error:	says what failed
 *
 * Context: takes long.
 * Return: 0, -ENOMEM, -ECANCELED or another negative errno.
 */
int memory_reserve(struct memory *memory, uint64_t bytes,
		   const struct job *job, char error[MEMORY_ERROR_BYTES])
{
	int ret;

	memory->bytes = bytes;
	memory->base = NULL;
	memory->fd = memfd_create("partition", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0 || fchmod(memory->fd, 0600) ||
	    ftruncate(memory->fd, (off_t)bytes))
		goto err_errno;
	/* A mover that maps it must not fault; writing and holes stay allowed */
	if (fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		goto err_errno;
	memory->base = map_shared(memory->fd, bytes, PROT_READ | PROT_WRITE);
	if (!memory->base)
		goto err_errno;
	madvise(memory->base, bytes, MADV_DONTDUMP);
	ret = populate(memory, job, error);
	if (ret)
		goto err_release;
	return 0;

err_errno:
	ret = -errno;
	snprintf(error, MEMORY_ERROR_BYTES, "%" PRIu64 " bytes of memory: %s",
		 bytes, strerror(-ret));
err_release:
	memory_release(memory);
	return ret;
}

/**
 * memory_release() - give a partition's memory back
 * @memory:	empty afterwards; may have been
 *
 * Context: takes long.
 */
void memory_release(struct memory *memory)
{
	if (memory->base)
		munmap(memory->base, memory->bytes);
	if (memory->fd >= 0)
		close(memory->fd);
	memory->base = NULL;
	memory->fd = -1;
}
