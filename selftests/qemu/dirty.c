// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dirty pages: QEMU's log of what was written, and the bitmap that vasi-phypd reads.
 *
 * The log is kept on with GLOBAL_DIRTY_LIMIT, which only an accelerator with a
 * dirty ring (KVM) ever takes away: QEMU's own migration and "calc-dirty-rate" start
 * and stop flags of their own, and as long as one is set the log goes on.  A migration
 * with x-ignore-shared takes the log of blocks that it saves only, so not of our RAM.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qapi/error.h"
#include "cpu.h"
#include "exec/memory.h"
#include "exec/ram_addr.h"
#include <sys/mman.h>

#include "partition.h"

#define WORD_PAGES	64u
#define WORD_BYTES	(WORD_PAGES * (uint64_t)GUEST_PAGE_BYTES)

static_assert(TARGET_PAGE_SIZE == GUEST_PAGE_BYTES, "one page on both sides");

static bool make_bitmap(struct partition *p, Error **errp)
{
	const size_t bytes = DIV_ROUND_UP(p->ram_bytes, WORD_BYTES) * sizeof(*p->dirty);
	void *dirty;

	p->dirty_fd = memfd_create("partition-dirty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->dirty_fd < 0 || ftruncate(p->dirty_fd, bytes) ||
	    fcntl(p->dirty_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		error_setg_errno(errp, errno, "memory for the bitmap of dirty pages");
		return false;
	}
	dirty = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->dirty_fd, 0);
	if (dirty == MAP_FAILED) {
		error_setg_errno(errp, errno, "mapping the bitmap of dirty pages");
		return false;
	}
	p->dirty = dirty;
	return true;
}

/* What was written until now; from here on it counts as clean */
static DirtyBitmapSnapshot *take_log(struct partition *p)
{
	memory_global_dirty_log_sync();
	return cpu_physical_memory_snapshot_and_clear_dirty(p->ram, 0, p->ram_bytes,
							    DIRTY_MEMORY_MIGRATION);
}

/**
 * dirty_log_start() - log from now on; what was written before is not in it
 * @p:		partition, with its RAM
 * @errp:	error
 *
 * Return: false with @errp.
 */
bool dirty_log_start(struct partition *p, Error **errp)
{
	if (!make_bitmap(p, errp))
		return false;
	memory_global_dirty_log_start(GLOBAL_DIRTY_LIMIT);
	/* QEMU begins with all pages dirty; those not written are not to be sent */
	g_free(take_log(p));
	return true;
}

/* The layout of a snapshot is QEMU's own; most words of it are clean */
static uint64_t word(DirtyBitmapSnapshot *log, ram_addr_t start, unsigned int pages)
{
	uint64_t bits = 0;

	if (!cpu_physical_memory_snapshot_get_dirty(log, start,
						    (ram_addr_t)pages * GUEST_PAGE_BYTES))
		return 0;
	for (unsigned int i = 0; i < pages; i++)
		if (cpu_physical_memory_snapshot_get_dirty(log, start +
							   (ram_addr_t)i * GUEST_PAGE_BYTES,
							   GUEST_PAGE_BYTES))
			bits |= 1ULL << i;
	return bits;
}

/**
 * dirty_log_scan() - put what was written since the last scan into the bitmap
 * @p:		partition
 *
 * A processor marks a page before it writes to it.  One that has marked it before the
 * log was taken may write only afterwards, so the pages are no news for vasi-phypd
 * before every processor has got beyond that.
 *
 * Context: BQL, which others get while processors are waited for.
 * Return: bits that were not set before.
 */
uint64_t dirty_log_scan(struct partition *p)
{
	const ram_addr_t start = memory_region_get_ram_addr(p->ram);
	DirtyBitmapSnapshot *log = take_log(p);
	uint64_t added = 0;

	memory_global_after_dirty_log_sync();
	for (uint64_t at = 0; at < p->ram_bytes; at += WORD_BYTES) {
		uint64_t pages = MIN(WORD_BYTES, p->ram_bytes - at) / GUEST_PAGE_BYTES;
		uint64_t bits = word(log, start + at, pages);

		if (bits)
			added += ctpop64(bits & ~qatomic_fetch_or(&p->dirty[at / WORD_BYTES],
								  bits));
	}
	g_free(log);
	return added;
}
