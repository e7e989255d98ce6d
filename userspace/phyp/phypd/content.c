// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a partition's memory starts from, and how much of it differs from a
 * file.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "phyp/phypd/job.h"
#include "phyp/phypd/memory.h"

#define STEP_BYTES	(4ULL << 20)

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static int file_bytes(int fd, uint64_t *bytes)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		*bytes = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, bytes) ? -errno : 0;
	return -EINVAL;
}

/**
 * content_open() - open a file that memory is to start from or be compared to
 * @path:	a regular file or a block device
 * @offset:	first byte that counts; there must be one
 * @fd:		on success
 * @error:	says what failed
 *
 * Return: 0 or a negative errno.
 */
int content_open(const char *path, uint64_t offset, int *fd,
		 char error[MEMORY_ERROR_BYTES])
{
	const char *problem = NULL;
	uint64_t bytes = 0;
	int ret;

	*fd = -1;
	/* The daemon's directory is not its caller's */
	if (*path != '/') {
		snprintf(error, MEMORY_ERROR_BYTES, "file %.150s: not an absolute path", path);
		return -EINVAL;
	}
	/* O_NONBLOCK: a FIFO must not stop the daemon */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ret = *fd < 0 ? -errno : file_bytes(*fd, &bytes);
	if (ret == -EINVAL)
		problem = "neither a regular file nor a block device";
	else if (ret)
		problem = strerror(-ret);
	else if (offset >= bytes)
		problem = "has no bytes behind the offset";
	if (!problem)
		return 0;

	snprintf(error, MEMORY_ERROR_BYTES, "file %.150s: %s", path, problem);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return ret ? ret : -EINVAL;
}

/* Reads exactly @length bytes at @offset */
static int read_exactly(int fd, void *buf, uint64_t length, uint64_t offset)
{
	uint64_t done = 0;

	while (done < length) {
		ssize_t n = pread(fd, (uint8_t *)buf + done, length - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -ENODATA;
		done += (uint64_t)n;
	}
	return 0;
}

/*
 * The part of the file from @start to @end, repeated: reads what lies at
 * [@at, @at + @length) of that.
 */
static int read_repeated(int fd, uint64_t start, uint64_t end, void *buf,
			 uint64_t length, uint64_t at)
{
	uint64_t period = end - start;

	while (length) {
		uint64_t in = at % period;
		uint64_t piece = min(length, period - in);
		int ret = read_exactly(fd, buf, piece, start + in);

		if (ret)
			return ret;
		buf = (uint8_t *)buf + piece;
		at += piece;
		length -= piece;
	}
	return 0;
}

static void explain(char *error, int ret)
{
	snprintf(error, MEMORY_ERROR_BYTES, "reading the file: %s",
		 ret == -ENODATA ? "it became shorter" : strerror(-ret));
}

static int fill_from_file(const struct memory *memory,
			  const struct content *content,
			  const struct job *job, char *error)
{
	uint64_t bytes = 0;
	int ret = file_bytes(content->fd, &bytes);

	if (!ret && bytes <= content->offset)
		ret = -ENODATA;
	for (uint64_t at = 0; !ret && at < memory->bytes; at += STEP_BYTES) {
		if (job && job_cancelled(job))
			return -ECANCELED;
		ret = read_repeated(content->fd, content->offset, bytes,
				    (uint8_t *)memory->base + at,
				    min(STEP_BYTES, memory->bytes - at), at);
	}
	if (ret)
		explain(error, ret);
	return ret;
}

static int fill_from_seed(const struct memory *memory, uint64_t seed,
			  const struct job *job)
{
	uint64_t *words = memory->base;
	uint64_t start = mix(seed);

	for (uint64_t i = 0; i < memory->bytes / 8; i++) {
		if (i % (STEP_BYTES / 8) == 0 && job && job_cancelled(job))
			return -ECANCELED;
		words[i] = htobe64(mix(start + i));
	}
	return 0;
}

/**
 * content_fill() - give memory its first content
 * @memory:	zeroed
 * @content:	what it starts from
 * @job:	whose cancellation ends this, or NULL
 * @error:	says what failed
 *
 * Context: takes long.
 * Return: 0, -ECANCELED or another negative errno.
 */
int content_fill(const struct memory *memory, const struct content *content,
		 const struct job *job, char error[MEMORY_ERROR_BYTES])
{
	switch (content->type) {
	case CONTENT_FILE:
		return fill_from_file(memory, content, job, error);
	case CONTENT_SEED:
		return fill_from_seed(memory, content->seed, job);
	case CONTENT_ZERO:
	default:
		return 0;
	}
}

/**
 * content_compare() - count the pages that differ from a file
 * @memory:	memory
 * @granule:	bytes of a page; divides the memory
 * @fd:		file, repeated when it is shorter
 * @job:	whose cancellation ends this, or NULL
 * @differing:	pages that differ
 * @error:	says what failed
 *
 * Context: takes long.
 * Return: 0, -ECANCELED or another negative errno.
 */
int content_compare(const struct memory *memory, uint32_t granule, int fd,
		    const struct job *job, uint64_t *differing,
		    char error[MEMORY_ERROR_BYTES])
{
	uint8_t *buf = malloc(2 * STEP_BYTES);
	uint8_t *here = buf + STEP_BYTES;
	uint64_t bytes = 0;
	int ret = buf ? file_bytes(fd, &bytes) : -ENOMEM;

	*differing = 0;
	if (!ret && !bytes)
		ret = -ENODATA;
	for (uint64_t at = 0; !ret && at < memory->bytes; at += STEP_BYTES) {
		uint64_t length = min(STEP_BYTES, memory->bytes - at);

		if (job && job_cancelled(job)) {
			ret = -ECANCELED;
			break;
		}
		ret = read_repeated(fd, 0, bytes, buf, length, at);
		if (!ret)
			ret = memory_read(memory, at, here, length);
		for (uint64_t i = 0; !ret && i < length; i += granule)
			*differing += memcmp(here + i, buf + i, granule) != 0;
	}
	free(buf);
	if (ret)
		explain(error, ret);
	return ret;
}
