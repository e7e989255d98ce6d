// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest wrote: a bitmap that QEMU's plug-in fills, and the pages that the
 * memory's file has.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phyp/phypd/guest_internal.h"

#define WORD_PAGES	64

static uint64_t pages_of(const struct guest *g)
{
	return g->memory->bytes / GUEST_PAGE_BYTES;
}

static size_t words_of(const struct guest *g)
{
	return (pages_of(g) + WORD_PAGES - 1) / WORD_PAGES;
}

/**
 * guest_dirty_map() - map the bitmap that QEMU has passed
 * @g:		guest
 * @fd:		its descriptor; stays the caller's
 *
 * Return: 0; -EINVAL when it is not as large as the memory needs, or can shrink;
 * another negative errno.
 */
int guest_dirty_map(struct guest *g, int fd)
{
	size_t bytes = words_of(g) * sizeof(*g->dirty);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st))
		return -EINVAL;
	if ((size_t)st.st_size < bytes || !(fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK))
		return -EINVAL;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	g->dirty = map;
	return 0;
}

void guest_dirty_unmap(struct guest *g)
{
	if (g->dirty)
		munmap(g->dirty, words_of(g) * sizeof(*g->dirty));
	g->dirty = NULL;
}

/* Runs of set bits of one word */
static void mark_word(struct guest *g, uint64_t first, uint64_t bits)
{
	while (bits) {
		unsigned int from = (unsigned int)__builtin_ctzll(bits);
		uint64_t rest = ~(bits >> from);
		unsigned int n = rest ? (unsigned int)__builtin_ctzll(rest) : WORD_PAGES;

		if (n > WORD_PAGES - from)
			n = WORD_PAGES - from;
		g->home.client->mark(g->home.ctx, (first + from) * GUEST_PAGE_BYTES,
				     (uint64_t)n * GUEST_PAGE_BYTES);
		bits = from + n < WORD_PAGES ? bits & UINT64_MAX << (from + n) : 0;
	}
}

void guest_dirty_take(struct guest *g)
{
	for (size_t i = 0; i < words_of(g); i++) {
		uint64_t bits = __atomic_load_n(&g->dirty[i], __ATOMIC_RELAXED);

		if (bits)
			bits = __atomic_exchange_n(&g->dirty[i], 0, __ATOMIC_SEQ_CST);
		mark_word(g, i * WORD_PAGES, bits);
	}
}

void guest_dirty_all(struct guest *g)
{
	off_t at = 0, end = (off_t)g->memory->bytes;

	while (at < end) {
		off_t hole;

		at = lseek(g->memory->fd, at, SEEK_DATA);
		if (at < 0)
			break;
		hole = lseek(g->memory->fd, at, SEEK_HOLE);
		if (hole < 0)
			hole = end;
		g->home.client->mark(g->home.ctx, (uint64_t)at, (uint64_t)(hole - at));
		at = hole;
	}
}

int guest_punch(struct guest *g, uint64_t offset, uint64_t bytes)
{
	if (fallocate(g->memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)offset, (off_t)bytes))
		return -errno;
	return 0;
}
