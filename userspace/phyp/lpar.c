// SPDX-License-Identifier: LGPL-2.1-or-later
/* A partition, as its home sees the platform. */
#include <stdlib.h>
#include "phyp/internal.h"

/**
 * phyp_lpar_create - a partition whose pages were never written
 * @phyp:	platform
 * @memory:	its memory: zeroed, page aligned, lives longer than the partition
 * @bytes:	size, a multiple of @granule
 * @granule:	4096 or 65536: what is tracked and sent as one page
 * @ops:	its home
 * @ctx:	passed to @ops
 *
 * Return: the partition, or NULL: sizes that do not fit, or no memory.
 */
struct phyp_lpar *phyp_lpar_create(struct phyp *phyp, void *memory,
				   uint64_t bytes, uint32_t granule,
				   const struct phyp_lpar_ops *ops, void *ctx)
{
	struct phyp_lpar *lpar = calloc(1, sizeof(*lpar));

	if (!lpar)
		return NULL;
	if (phyp_pages_init(&lpar->pages, memory, bytes, granule)) {
		free(lpar);
		return NULL;
	}
	lpar->phyp = phyp;
	lpar->ops = ops;
	lpar->ctx = ctx;
	TAILQ_INSERT_TAIL(&phyp->lpars, lpar, link);
	return lpar;
}

/**
 * phyp_lpar_destroy - end a partition
 * @lpar:	the partition, not in a stream, or NULL
 */
void phyp_lpar_destroy(struct phyp_lpar *lpar)
{
	if (!lpar)
		return;
	if (lpar->stream)
		lpar->stream->params.lpar = NULL;
	TAILQ_REMOVE(&lpar->phyp->lpars, lpar, link);
	phyp_pages_exit(&lpar->pages);
	free(lpar);
}

void *phyp_lpar_ctx(const struct phyp_lpar *lpar)
{
	return lpar->ctx;
}

void phyp_lpar_mark(struct phyp_lpar *lpar, uint64_t offset, uint64_t length)
{
	phyp_pages_mark(&lpar->pages, offset, length);
}

bool phyp_lpar_present(const struct phyp_lpar *lpar, uint64_t offset)
{
	const struct phyp_pages *pages = &lpar->pages;

	if (!__atomic_load_n(&pages->any_missing, __ATOMIC_ACQUIRE))
		return true;
	return !phyp_bitmap_test(&pages->missing, offset >> pages->shift);
}

bool phyp_lpar_written(const struct phyp_lpar *lpar, uint64_t *offset, uint64_t *length)
{
	const struct phyp_pages *pages = &lpar->pages;
	uint64_t from = *offset >> pages->shift;
	uint64_t first = from < pages->count ?
			 phyp_bitmap_next(&pages->written, from, pages->count) : pages->count;
	uint64_t end = first;

	while (end < pages->count && phyp_bitmap_test(&pages->written, end))
		end++;
	*offset = first << pages->shift;
	*length = (end - first) << pages->shift;
	return end > first;
}

void phyp_lpar_demand(struct phyp_lpar *lpar, uint64_t offset)
{
	if (lpar->stream && lpar->stream->params.role == PHYP_TARGET)
		phyp_target_demand(lpar->stream, offset >> lpar->pages.shift);
}

void phyp_lpar_suspended(struct phyp_lpar *lpar)
{
	if (lpar->stream && lpar->stream->params.role == PHYP_SOURCE)
		phyp_source_suspended(lpar->stream);
}

void phyp_lpar_suspend_failed(struct phyp_lpar *lpar, uint32_t reason)
{
	if (lpar->stream && lpar->stream->state == VASI_STATE_SUSPENDING)
		phyp_stream_abort(lpar->stream, VASI_ABORT_PARTITION, reason);
}

void phyp_lpar_loaded(struct phyp_lpar *lpar, int error)
{
	if (lpar->stream && lpar->stream->params.role == PHYP_TARGET)
		phyp_target_loaded(lpar->stream, error);
}

void phyp_lpar_looked(struct phyp_lpar *lpar)
{
	if (lpar->stream)
		phyp_stream_progress(lpar->stream);
}

int phyp_lpar_cancel(struct phyp_lpar *lpar, uint32_t reason)
{
	if (!lpar->stream || lpar->stream->params.role != PHYP_SOURCE)
		return -EPERM;
	return phyp_stream_abort_reason(lpar->stream, reason);
}

uint64_t phyp_lpar_written_since_resume(const struct phyp_lpar *lpar)
{
	return phyp_bitmap_count(&lpar->pages.since_resume);
}
