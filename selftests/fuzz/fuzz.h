/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzzers share: an input as a source of numbers.  An exhausted input
 * gives zeros, so that every prefix of an input is one as well.
 */
#ifndef _FUZZ_H
#define _FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* A property does not hold: stop, so that the fuzzer keeps the input */
#define fuzz_check(condition)						\
	do {								\
		if (!(condition)) {					\
			fprintf(stderr, "%s:%d: not true: %s\n",	\
				__FILE__, __LINE__, #condition);	\
			abort();					\
		}							\
	} while (0)

/**
 * struct fuzz_input - the part of an input that is left
 * @at:		next byte
 * @left:	how many
 */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

/* Take up to @bytes; returns how many, at *@data */
static inline size_t fuzz_bytes(struct fuzz_input *in, size_t bytes,
				const uint8_t **data)
{
	if (bytes > in->left)
		bytes = in->left;
	*data = in->at;
	in->at += bytes;
	in->left -= bytes;
	return bytes;
}

/* Fill @buf; what the input does not have is zero */
static inline void fuzz_fill(struct fuzz_input *in, void *buf, size_t bytes)
{
	const uint8_t *data;
	size_t n = fuzz_bytes(in, bytes, &data);

	if (n)
		memcpy(buf, data, n);
	memset((uint8_t *)buf + n, 0, bytes - n);
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	uint8_t value;

	fuzz_fill(in, &value, sizeof(value));
	return value;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t value;

	fuzz_fill(in, &value, sizeof(value));
	return value;
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t value;

	fuzz_fill(in, &value, sizeof(value));
	return value;
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t value;

	fuzz_fill(in, &value, sizeof(value));
	return value;
}

#endif /* _FUZZ_H */
