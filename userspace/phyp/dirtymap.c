// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Dirty Map extension: a mover's own view of which pages were written.
 * See Documentation/dirty-map.rst.
 */
#include <string.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

/* Bits of one answer: bounds the work in the CRQ's context */
#define MAX_BITS	(1u << 20)
#define BITMAP_OFFSET	(VASI_CORRELATOR_BYTES + \
			 sizeof(struct vasi_dirty_map_specifier))

struct map_request {
	uint64_t first;		/* in units of the asked granule */
	uint32_t pages;
	uint32_t granule;
	unsigned int shift;	/* log2(asked granule / partition's granule) */
	bool clear;
};

void phyp_dirty_map_close(struct phyp_session *s)
{
	if (s->view >= 0 && s->stream->params.lpar)
		phyp_pages_view_close(&s->stream->params.lpar->pages, s->view);
	s->view = -1;
}

static int open_view(struct phyp_session *s, struct phyp_pages *pages)
{
	if (s->view < 0)
		s->view = phyp_pages_view_open(pages);
	return s->view < 0 ? s->view : 0;
}

static bool parse(const struct vasi_dirty_map_specifier *spec,
		  const struct phyp_pages *pages, uint32_t room,
		  struct map_request *req)
{
	uint32_t flags = __be32_to_cpu(spec->flags);
	uint64_t count;

	req->first = __be64_to_cpu(spec->first_page);
	req->pages = __be32_to_cpu(spec->pages);
	req->granule = __be32_to_cpu(spec->granule);
	req->clear = flags & VASI_DIRTY_MAP_CLEAR;
	if (!req->granule)
		req->granule = phyp_granule(pages);
	if ((req->granule != 4096 && req->granule != 65536) ||
	    req->granule < phyp_granule(pages) || spec->reserved ||
	    flags & ~VASI_DIRTY_MAP_CLEAR || spec->dirty)
		return false;
	req->shift = __builtin_ctz(req->granule) - pages->shift;

	count = (pages->count + (1u << req->shift) - 1) >> req->shift;
	if (!req->pages || req->first >= count)
		return false;
	/* A partial answer is no error: the answer says how far it went */
	if (req->pages > count - req->first)
		req->pages = count - req->first;
	if (req->pages > (uint64_t)room * 8)
		req->pages = room * 8;
	if (req->pages > MAX_BITS)
		req->pages = MAX_BITS;
	return req->pages;
}

/* Set a bit for every dirty page of the range; returns how many bits are set */
static uint64_t collect(struct phyp_bitmap *view, const struct phyp_pages *pages,
			const struct map_request *req, uint8_t *bits)
{
	uint64_t from = req->first << req->shift;
	uint64_t to = (req->first + req->pages) << req->shift;
	uint64_t dirty = 0, page;

	if (to > pages->count)
		to = pages->count;
	while ((page = phyp_bitmap_next(view, from, to)) < to) {
		uint64_t n = (page >> req->shift) - req->first;

		if (!(bits[n / 8] & 1u << (n % 8)))
			dirty++;
		bits[n / 8] |= 1u << (n % 8);
		if (req->clear)
			phyp_bitmap_remove(view, page, 1);
		from = page + 1;
	}
	return dirty;
}

static enum vasi_status fill(struct phyp_session *s, uint8_t *buf,
			     uint32_t length)
{
	struct phyp_lpar *lpar = s->stream->params.lpar;
	struct vasi_dirty_map_specifier spec;
	struct map_request req;
	uint32_t bytes;

	if (!lpar)
		return VASI_STREAM_ABORTED;
	memcpy(&spec, buf + VASI_CORRELATOR_BYTES, sizeof(spec));
	if (!parse(&spec, &lpar->pages, length - BITMAP_OFFSET, &req))
		return VASI_INVALID_DOWNLOAD_SPECIFIER;
	if (open_view(s, &lpar->pages))
		return VASI_TOO_MANY_OPENS;

	bytes = (req.pages + 7) / 8;
	memset(buf + BITMAP_OFFSET, 0, bytes);
	spec.dirty = __cpu_to_be64(collect(&lpar->pages.view[s->view],
					   &lpar->pages, &req,
					   buf + BITMAP_OFFSET));
	spec.pages = __cpu_to_be32(req.pages);
	spec.granule = __cpu_to_be32(req.granule);
	memcpy(buf + VASI_CORRELATOR_BYTES, &spec, sizeof(spec));
	return VASI_SUCCESS;
}

void phyp_dirty_map(struct phyp_session *s, const struct vasi_msg *msg)
{
	enum vasi_status status = VASI_INVALID_BUFFER_DESCRIPTOR;
	uint64_t data = msg->data;
	uint32_t length, ioba;
	struct phyp_dma dma;
	__be64 correlator;

	if (!vasi_desc_parse(msg->data, &length, &ioba) &&
	    phyp_dma_valid(s->vdev, ioba, length) && length > BITMAP_OFFSET &&
	    !phyp_dma_get(s->vdev, ioba, length, &dma)) {
		memcpy(&correlator, dma.data, sizeof(correlator));
		data = __be64_to_cpu(correlator);
		status = fill(s, dma.data, length);
		if (phyp_dma_put(&dma, !status))
			status = VASI_HARDWARE;
	}
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = VASI_FMT_DIRTY_MAP | VASI_FMT_RESPONSE,
		.status = status,
		.handle = s->top,
		.data = data,
	});
}
