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
#include <unistd.h>

#include "common/util.h"
#include "phyp/phypd/job.h"
#include "phyp/phypd/memory.h"

#define PIECE_BYTES	(16ULL << 20)
#define MAX_THREADS	4

struct hashing {
	const struct memory *memory;
	const struct job *job;
	uint8_t (*pieces)[DIGEST_BYTES];
	uint64_t count;
	_Atomic uint64_t next;
	_Atomic int error;
};

static int hash_piece(struct hashing *h, uint64_t index)
{
	uint64_t at = index * PIECE_BYTES;
	uint64_t length = min(PIECE_BYTES, h->memory->bytes - at);

	if (h->job && job_cancelled(h->job))
		return -ECANCELED;
	if (!EVP_Digest((uint8_t *)h->memory->base + at, length,
			h->pieces[index], NULL, EVP_sha256(), NULL))
		return -EIO;
	return 0;
}

static void *hash_pieces(void *arg)
{
	struct hashing *h = arg;
	uint64_t index;

	while ((index = atomic_fetch_add(&h->next, 1)) < h->count) {
		int ret = hash_piece(h, index);

		if (ret) {
			atomic_store(&h->error, ret);
			break;
		}
	}
	return NULL;
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
	hash_all(&h);
	ret = h.error;
	if (!ret)
		ret = hash_tree(&h, state, state_bytes, digest);
	free(h.pieces);
	return ret;
}
