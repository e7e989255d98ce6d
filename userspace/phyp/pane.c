// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The second pane: an I/O address space of 4 GiB in slots of 16 MiB, each showing
 * a piece of some stream's partition.  A slot that an outstanding operation names
 * keeps what it shows.
 */
#include "phyp/internal.h"

/*
 * The slot that shows @offset, or else the free one that was used last: a pass
 * comes round to a piece only after all others, so that keeping many pieces would
 * bring nothing, and the VSP has to map whatever is kept.
 */
static int find_slot(const struct phyp_vdev *vdev,
		     const struct phyp_stream *stream, uint64_t offset)
{
	int i, best = -EBUSY;

	for (i = 0; i < PHYP_PANE_SLOTS; i++) {
		const struct phyp_slot *slot = &vdev->slots[i];

		if (slot->stream == stream && slot->offset == offset)
			return i;
		if (slot->users)
			continue;
		if (best < 0 || slot->last_use > vdev->slots[best].last_use)
			best = i;
	}
	return best;
}

static int open_window(struct phyp_stream *stream, struct phyp_vdev *vdev)
{
	int ret;

	if (stream->window_open)
		return 0;
	stream->window = ++vdev->next_window;
	ret = vdev->ops->window_open(vdev->ctx, stream->window,
				     stream->params.lpar);
	if (!ret)
		stream->window_open = true;
	return ret;
}

static int show(struct phyp_stream *stream, struct phyp_vdev *vdev, int i,
		uint64_t offset)
{
	uint64_t bytes = stream->params.lpar->pages.bytes - offset;
	struct phyp_slot *slot = &vdev->slots[i];
	int ret;

	if (slot->stream == stream && slot->offset == offset)
		return 0;
	if (bytes > PHYP_PANE_SLOT_BYTES)
		bytes = PHYP_PANE_SLOT_BYTES;
	ret = vdev->ops->window_map(vdev->ctx, stream->window,
				    (uint32_t)i * PHYP_PANE_SLOT_BYTES, bytes,
				    offset);
	if (ret) {
		slot->stream = NULL;
		return ret;
	}
	slot->stream = stream;
	slot->offset = offset;
	return 0;
}

int phyp_pane_map(struct phyp_stream *stream, struct phyp_vdev *vdev,
		  uint64_t offset, uint32_t *length, uint32_t *ioba)
{
	uint32_t in_slot = offset % PHYP_PANE_SLOT_BYTES;
	int slot, ret;

	slot = find_slot(vdev, stream, offset - in_slot);
	if (slot < 0)
		return slot;
	ret = open_window(stream, vdev);
	if (!ret)
		ret = show(stream, vdev, slot, offset - in_slot);
	if (ret)
		return ret;
	if (*length > PHYP_PANE_SLOT_BYTES - in_slot)
		*length = PHYP_PANE_SLOT_BYTES - in_slot;
	*ioba = (uint32_t)slot * PHYP_PANE_SLOT_BYTES + in_slot;
	vdev->slots[slot].last_use = ++vdev->slot_clock;
	return slot;
}

void phyp_pane_get(struct phyp_vdev *vdev, int slot)
{
	vdev->slots[slot].users++;
}

void phyp_pane_put(struct phyp_vdev *vdev, int slot)
{
	vdev->slots[slot].users--;
}

void phyp_pane_forget(struct phyp_vdev *vdev, struct phyp_stream *stream)
{
	int i;

	for (i = 0; i < PHYP_PANE_SLOTS; i++)
		if (vdev->slots[i].stream == stream)
			vdev->slots[i] = (struct phyp_slot) { 0 };
	if (stream->window_open)
		vdev->ops->window_close(vdev->ctx, stream->window);
	stream->window_open = false;
}

void *phyp_pane_translate(struct phyp_vdev *vdev, uint32_t ioba, uint32_t length)
{
	const struct phyp_slot *slot = &vdev->slots[ioba / PHYP_PANE_SLOT_BYTES];
	uint32_t in_slot = ioba % PHYP_PANE_SLOT_BYTES;
	const struct phyp_pages *pages;

	if (!slot->stream || !slot->stream->params.lpar ||
	    length > PHYP_PANE_SLOT_BYTES - in_slot)
		return NULL;
	pages = &slot->stream->params.lpar->pages;
	if (slot->offset + in_slot + length > pages->bytes)
		return NULL;
	return pages->base + slot->offset + in_slot;
}
