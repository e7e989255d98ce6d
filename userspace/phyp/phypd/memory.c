// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A partition's memory.  Reserving allocates all of it, now, or fails: what is
 * only promised can show as SIGBUS in the middle of a move.
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

static int create(struct memory *memory, uint64_t bytes)
{
	memory->bytes = bytes;
	memory->base = NULL;
	memory->fd = memfd_create("partition", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory->fd < 0 || fchmod(memory->fd, 0600) ||
	    ftruncate(memory->fd, (off_t)bytes))
		return -errno;
	/* A mover that maps it must not fault; writing and holes stay allowed */
	if (fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return -errno;
	memory->base = map_shared(memory->fd, bytes, PROT_READ | PROT_WRITE);
	if (!memory->base)
		return -errno;
	madvise(memory->base, bytes, MADV_DONTDUMP);
	return 0;
}

/**
 * memory_promise() - memory that is allocated as it is written
 * @memory:	filled in on success, and empty otherwise; reads as zeros
 * @bytes:	a multiple of the page size
 * @error:	says what failed
 *
 * Writing where the system has no memory left is fatal.  So is reading in the
 * end, through the mapping: it allocates too.  Reading the file does not.
 *
 * Return: 0 or a negative errno.
 */
int memory_promise(struct memory *memory, uint64_t bytes,
		   char error[MEMORY_ERROR_BYTES])
{
	int ret = create(memory, bytes);

	if (!ret)
		return 0;
	snprintf(error, MEMORY_ERROR_BYTES, "%" PRIu64 " bytes of memory: %s",
		 bytes, strerror(-ret));
	memory_release(memory);
	return ret;
}

/**
 * memory_reserve() - memory that is there
 * @memory:	filled in on success, and empty otherwise; zeroed
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
	int ret = memory_promise(memory, bytes, error);

	if (ret)
		return ret;
	ret = populate(memory, job, error);
	if (ret)
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

/**
 * memory_read() - read memory without allocating what was never written
 * @memory:	the memory
 * @offset:	where from
 * @buf:	where to
 * @length:	bytes, all within the memory
 *
 * Return: 0 or a negative errno.
 */
int memory_read(const struct memory *memory, uint64_t offset, void *buf,
		uint64_t length)
{
	uint8_t *at = buf;

	while (length) {
		ssize_t n = pread(memory->fd, at, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		offset += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

/**
 * memory_is_hole() - was no byte of a range ever written?
 * @memory:	the memory
 * @offset:	first byte
 * @length:	bytes
 *
 * Return: true if the range reads as zeros and no memory is allocated for it.
 */
bool memory_is_hole(const struct memory *memory, uint64_t offset,
		    uint64_t length)
{
	off_t data = lseek(memory->fd, (off_t)offset, SEEK_DATA);

	return data < 0 ? errno == ENXIO : (uint64_t)data >= offset + length;
}
