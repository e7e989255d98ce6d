// SPDX-License-Identifier: GPL-2.0
/*
 * The Command/Response Queue, consumer's side (LoPAR, "CRQ Format and
 * Registration").  The platform writes the low half of an entry, then the high
 * half; byte 0 tells that it is there.
 */
#include <linux/dma-mapping.h>

#include "vasi.h"

/**
 * vasi_ring_alloc() - allocate a ring
 * @ring:	ring
 * @dev:	device that does DMA
 * @bytes:	of the ring, a multiple of 4096
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vasi_ring_alloc(struct vasi_ring *ring, struct device *dev, u32 bytes)
{
	ring->entries = dma_alloc_coherent(dev, bytes, &ring->dma, GFP_KERNEL);
	if (!ring->entries)
		return -ENOMEM;
	ring->count = bytes / sizeof(*ring->entries);
	ring->next = 0;
	return 0;
}

/**
 * vasi_ring_free() - free a ring that is not registered
 * @ring:	ring
 * @dev:	device it was allocated for
 */
void vasi_ring_free(struct vasi_ring *ring, struct device *dev)
{
	dma_free_coherent(dev, ring->count * sizeof(*ring->entries), ring->entries,
			  ring->dma);
	ring->entries = NULL;
}

/**
 * vasi_ring_clear() - forget all entries
 * @ring:	ring that is not registered
 */
void vasi_ring_clear(struct vasi_ring *ring)
{
	memset(ring->entries, 0, ring->count * sizeof(*ring->entries));
	ring->next = 0;
}

/**
 * vasi_ring_next() - take the next entry
 * @ring:	ring
 * @entry:	takes a copy: what is checked must not change
 *
 * Context: any; callers take turns.
 * Return: whether there was one.
 */
bool vasi_ring_next(struct vasi_ring *ring, struct vasi_crq *entry)
{
	struct vasi_crq *next = &ring->entries[ring->next];

	if (READ_ONCE(next->header) == VASI_CRQ_FREE)
		return false;
	/* The rest was written before the header */
	dma_rmb();
	*entry = *next;
	/* The platform may write the entry as soon as the header says that it is free */
	dma_mb();
	WRITE_ONCE(next->header, VASI_CRQ_FREE);
	ring->next++;
	if (ring->next == ring->count)
		ring->next = 0;
	return true;
}
