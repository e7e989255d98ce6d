// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The digest of a partition: SHA-256 over the SHA-256 of each 16 MiB of its
 * memory in address order, then its processors' state.  Hashed by a few threads,
 * each taking the next piece.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "phyp/phypd/job.h"
#include "phyp/phypd/memory.h"

#define PIECE_BYTES	(16ULL << 20)
#define STEP_BYTES	(256ULL << 10)
#define MAX_THREADS	4

struct hashing {
	const struct memory *memory;
	const struct job *job;
	uint8_t (*pieces)[DIGEST_BYTES];
	uint8_t zero_piece[DIGEST_BYTES];
	uint64_t count;
	_Atomic uint64_t next;
	_Atomic int error;
};

/* Read from the file: the mapping would allocate what was never written */
static int hash_range(const struct memory *memory, uint64_t at, uint64_t length,
		      EVP_MD_CTX *ctx, uint8_t *buf)
{
	int ret;

	while (length) {
		uint64_t step = min(STEP_BYTES, length);

		ret = memory_read(memory, at, buf, step);
		if (ret)
			return ret;
		if (!EVP_DigestUpdate(ctx, buf, step))
			return -EIO;
		at += step;
		length -= step;
	}
	return 0;
}

static int hash_piece(struct hashing *h, uint64_t index, EVP_MD_CTX *ctx,
		      uint8_t *buf)
{
	uint64_t at = index * PIECE_BYTES;
	uint64_t length = min(PIECE_BYTES, h->memory->bytes - at);
	int ret;

	if (h->job && job_cancelled(h->job))
		return -ECANCELED;
	/* Most of a large partition may never have been written */
	if (length == PIECE_BYTES && memory_is_hole(h->memory, at, length)) {
		memcpy(h->pieces[index], h->zero_piece, DIGEST_BYTES);
		return 0;
	}
	if (!EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		return -EIO;
	ret = hash_range(h->memory, at, length, ctx, buf);
	if (!ret && !EVP_DigestFinal_ex(ctx, h->pieces[index], NULL))
		ret = -EIO;
	return ret;
}

static void *hash_pieces(void *arg)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *buf = malloc(STEP_BYTES);
	struct hashing *h = arg;
	int ret = ctx && buf ? 0 : -ENOMEM;
	uint64_t index;

	while (!ret && (index = atomic_fetch_add(&h->next, 1)) < h->count)
		ret = hash_piece(h, index, ctx, buf);
	if (ret)
		atomic_store(&h->error, ret);
	EVP_MD_CTX_free(ctx);
	free(buf);
	return NULL;
}

/* What every piece that was never written hashes to */
static int hash_zeros(uint8_t digest[DIGEST_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *zeros = calloc(1, STEP_BYTES);
	bool good = ctx && zeros && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (uint64_t at = 0; good && at < PIECE_BYTES; at += STEP_BYTES)
		good = EVP_DigestUpdate(ctx, zeros, STEP_BYTES);
	good = good && EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	free(zeros);
	return good ? 0 : -ENOMEM;
}

/* This thread takes part, so that it works without any other */
static void hash_all(struct hashing *h)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[MAX_THREADS];
	unsigned int started = 0;

	while (started < MAX_THREADS && (long)started + 1 < processors &&
	       started + 1 < h->count &&
	       !pthread_create(&threads[started], NULL, hash_pieces, h))
		started++;
	hash_pieces(h);
	while (started)
		pthread_join(threads[--started], NULL);
}

static int hash_tree(const struct hashing *h, const void *state,
		     size_t state_bytes, uint8_t digest[DIGEST_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ret = -ENOMEM;

	if (!ctx)
		return ret;
	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	    EVP_DigestUpdate(ctx, h->pieces, h->count * DIGEST_BYTES) &&
	    EVP_DigestUpdate(ctx, state, state_bytes) &&
	    EVP_DigestFinal_ex(ctx, digest, NULL))
		ret = 0;
	EVP_MD_CTX_free(ctx);
	return ret;
}

/**
 * memory_digest() - the digest of a partition
 * @memory:	nobody writes it meanwhile
 * @state:	state of the processors
 * @state_bytes: bytes of it
 * @job:	whose cancellation ends this, or NULL
 * @digest:	filled in on success
 *
 * Context: takes long.
 * Return: 0, -ECANCELED, -ENOMEM or -EIO.
 */
int memory_digest(const struct memory *memory, const void *state,
		  size_t state_bytes, const struct job *job,
		  uint8_t digest[DIGEST_BYTES])
{
	struct hashing h = {
		.memory = memory,
		.job = job,
		.count = (memory->bytes + PIECE_BYTES - 1) / PIECE_BYTES,
	};
	int ret;

	h.pieces = calloc(h.count, sizeof(h.pieces[0]));
	if (!h.pieces)
		return -ENOMEM;
	ret = hash_zeros(h.zero_piece);
	if (ret)
		goto out;
	hash_all(&h);
	ret = h.error;
	if (!ret)
		ret = hash_tree(&h, state, state_bytes, digest);
out:
	free(h.pieces);
	return ret;
}
