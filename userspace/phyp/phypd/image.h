/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of a suspended partition: what the file holds
 * (Documentation/suspended-partitions.rst).
 */
#ifndef _PHYPD_IMAGE_H
#define _PHYPD_IMAGE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <linux/types.h>

#include "phyp/phypd/memory.h"

#define IMAGE_MAGIC			0x50485950494d4147ULL	/* "PHYPIMAG" */
#define IMAGE_MAJOR			1
#define IMAGE_MINOR			0
#define IMAGE_MAX_DESCRIPTION		(1u << 20)

struct image_head {
	__be64	magic;
	__be16	major;
	__be16	minor;
	__be32	head_bytes;
	__be64	file_bytes;
	__be64	memory;
	__be32	granule;
	__be32	description_bytes;
	__be32	state_bytes;
	__be32	reserved;
	__be64	pages;
	__be64	runs;
	__be64	suspended;
	__be64	reserved2[3];
	__u8	body_digest[DIGEST_BYTES];
	__u8	head_digest[DIGEST_BYTES];
} __attribute__((packed));
static_assert(sizeof(struct image_head) == 160, "head of an image");

struct image_run {
	__be64	first;
	__be64	count;
} __attribute__((packed));
static_assert(sizeof(struct image_run) == 16, "run of pages in an image");

/**
 * struct image_content - what is written
 * @memory:	of the partition; nobody writes it meanwhile
 * @granule:	of its pages
 * @description: as partition.describe tells
 * @state:	of processors and devices
 * @state_bytes: of it
 * @written:	the next bytes that were ever written, as phyp_lpar_written()
 * @ctx:	for @written
 */
struct image_content {
	const struct memory *memory;
	uint32_t granule;
	const json_t *description;
	const void *state;
	size_t state_bytes;
	bool (*written)(const void *ctx, uint64_t *offset, uint64_t *length);
	const void *ctx;
};

/**
 * struct image_info - what the head and the description say
 * @memory:	bytes of the partition's
 * @granule:	of its pages
 * @description: a new reference
 * @state_bytes: of its state
 * @suspended:	seconds since 1970
 */
struct image_info {
	uint64_t memory;
	uint32_t granule;
	json_t *description;
	uint32_t state_bytes;
	uint64_t suspended;
};

/**
 * struct image_target - where it is read to
 * @memory:	zeroed, and as large as the image says
 * @state:	room for its state
 * @mark:	these bytes were filled
 * @ctx:	for @mark
 */
struct image_target {
	const struct memory *memory;
	void *state;
	void (*mark)(void *ctx, uint64_t offset, uint64_t length);
	void *ctx;
};

int image_write(int fd, const struct image_content *content, const struct job *job,
		char error[MEMORY_ERROR_BYTES]);
int image_look(int fd, struct image_info *info, char error[MEMORY_ERROR_BYTES]);
int image_read(int fd, const struct image_target *target, const struct job *job,
	       char error[MEMORY_ERROR_BYTES]);

#endif /* _PHYPD_IMAGE_H */
