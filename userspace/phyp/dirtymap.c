// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Dirty Map extension: a mover's own view of which pages were written.
 * See Documentation/dirty-map.rst.
 */
#include <string.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

/* Pages one answer looks at: bounds the work in the CRQ's context */
#define MAX_PAGES	(1u << 20)
#define WORD_BITS	64
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

void phyp_dirty_map_detach(struct phyp_stream *stream)
{
	struct phyp_session *s;

	TAILQ_FOREACH(s, &stream->sessions, link)
		phyp_dirty_map_close(s);
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
	if (req->pages > MAX_PAGES >> req->shift)
		req->pages = MAX_PAGES >> req->shift;
	return req->pages;
}

/* Set the answer's bits for the pages of one word; returns how many are new */
static uint64_t note_word(const struct map_request *req, uint8_t *bits,
			  uint64_t index, uint64_t word)
{
	uint64_t fresh = 0;

	for (; word; word &= word - 1) {
		uint64_t page = index * WORD_BITS + __builtin_ctzll(word);
		uint64_t n = (page >> req->shift) - req->first;
		uint8_t bit = 1u << (n % 8);

		fresh += !(bits[n / 8] & bit);
		bits[n / 8] |= bit;
	}
	return fresh;
}

/* Set a bit for every dirty page of the range; returns how many bits are set */
static uint64_t collect(struct phyp_bitmap *view, const struct phyp_pages *pages,
			const struct map_request *req, uint8_t *bits)
{
	uint64_t from = req->first << req->shift;
	uint64_t to = (req->first + req->pages) << req->shift;
	uint64_t dirty = 0;

	if (to > pages->count)
		to = pages->count;
	while ((from = phyp_bitmap_next(view, from, to)) < to) {
		uint64_t index = from / WORD_BITS;
		uint64_t end = (index + 1) * WORD_BITS;
		uint64_t mask = UINT64_MAX << (from % WORD_BITS);

		if (end > to)
			mask &= UINT64_MAX >> (end - to);
		dirty += note_word(req, bits, index, req->clear ?
				   phyp_bitmap_take_word(view, index, mask) :
				   phyp_bitmap_word(view, index) & mask);
		from = end;
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

static enum vasi_status answer_request(struct phyp_session *s, uint64_t *data)
{
	enum vasi_status status = VASI_INVALID_BUFFER_LENGTH;
	uint32_t length, ioba;
	struct phyp_dma dma;
	__be64 correlator;

	if (vasi_desc_parse(*data, &length, &ioba) ||
	    length < sizeof(correlator) ||
	    !phyp_dma_valid(s->vdev, ioba, length) ||
	    phyp_dma_get(s->vdev, ioba, length, &dma))
		return VASI_INVALID_BUFFER_DESCRIPTOR;
	memcpy(&correlator, dma.data, sizeof(correlator));
	*data = __be64_to_cpu(correlator);
	if (length > BITMAP_OFFSET)
		status = fill(s, dma.data, length);
	if (phyp_dma_put(&dma, !status))
		status = VASI_HARDWARE;
	return status;
}

void phyp_dirty_map(struct phyp_session *s, const struct vasi_msg *msg)
{
	uint64_t data = msg->data;
	enum vasi_status status = answer_request(s, &data);

	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = VASI_FMT_DIRTY_MAP | VASI_FMT_RESPONSE,
		.status = status,
		.handle = s->top,
		.data = data,
	});
}
