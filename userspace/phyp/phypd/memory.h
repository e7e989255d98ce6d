/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A partition's memory: reserving or promising it, filling it, comparing and
 * hashing it.  Nearly all of this takes long and runs in jobs.
 */
#ifndef _PHYPD_MEMORY_H
#define _PHYPD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES		32
#define MEMORY_ERROR_BYTES	256

struct job;

/**
 * struct memory - memory of a partition
 * @fd:		memfd of mode 0600, or -1; nobody else gets it but read-only
 * @base:	where it is mapped, shared
 * @bytes:	size
 */
struct memory {
	int fd;
	void *base;
	uint64_t bytes;
};

enum content_type {
	CONTENT_ZERO,
	CONTENT_SEED,
	CONTENT_FILE,
};

/**
 * struct content - what a partition's memory starts from
 * @type:	zeroes, a generator's output, or a file
 * @seed:	of the generator
 * @fd:		of the file, or -1
 * @offset:	first byte of the file; the part behind it is repeated
 */
struct content {
	enum content_type type;
	uint64_t seed;
	int fd;
	uint64_t offset;
};

/* memory.c */
int memory_promise(struct memory *memory, uint64_t bytes,
		   char error[MEMORY_ERROR_BYTES]);
int memory_reserve(struct memory *memory, uint64_t bytes,
		   const struct job *job, char error[MEMORY_ERROR_BYTES]);
void memory_release(struct memory *memory);
int memory_read(const struct memory *memory, uint64_t offset, void *buf,
		uint64_t length);
bool memory_is_hole(const struct memory *memory, uint64_t offset,
		    uint64_t length);

/* content.c */
int content_open(const char *path, uint64_t offset, int *fd,
		 char error[MEMORY_ERROR_BYTES]);
int content_fill(const struct memory *memory, const struct content *content,
		 const struct job *job, char error[MEMORY_ERROR_BYTES]);
int content_compare(const struct memory *memory, uint32_t granule, int fd,
		    const struct job *job, uint64_t *differing,
		    char error[MEMORY_ERROR_BYTES]);

/* digest.c */
int memory_digest(const struct memory *memory, const void *state,
		  size_t state_bytes, const struct job *job,
		  uint8_t digest[DIGEST_BYTES]);

#endif /* _PHYPD_MEMORY_H */
