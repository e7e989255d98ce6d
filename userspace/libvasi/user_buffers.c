// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The user-mode driver: how the platform names buffers.  It is told I/O addresses,
 * which are offsets in the first pane, and finds a correlator in every buffer.
 *
 * A correlator is session, pool, index and a generation that changes with every
 * post and download.  It is only ever a claim: what it names is looked up, and
 * the buffer must be in the state, and carry the generation, that the claim
 * implies.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "libvasi/user.h"

#define INDEX_SHIFT	VASI_GENERATION_BITS
#define POOL_SHIFT	(INDEX_SHIFT + VASI_INDEX_BITS)
#define SESSION_SHIFT	(POOL_SHIFT + VASI_POOL_BITS)
static_assert(SESSION_SHIFT + VASI_SESSION_BITS == 64, "a correlator has 64 bits");

/* A buffer's I/O address; it exists */
uint32_t user_buf_ioba(const struct vasi_session *s, uint16_t pool, uint32_t index)
{
	const struct vasi_pool *p = &s->pools[pool];

	return (uint32_t)(p->place + (uint64_t)index * p->stride);
}

/* Give a buffer a new correlator; returns it.  Every earlier one is void. */
uint64_t user_buf_mark(struct vasi_session *s, uint16_t pool, uint32_t index)
{
	struct vasi_buf *buf = &s->pools[pool].bufs[index];

	buf->generation = vasi_next_generation(s->dev);
	return (uint64_t)s->index << SESSION_SHIFT | (uint64_t)pool << POOL_SHIFT |
	       (uint64_t)index << INDEX_SHIFT | buf->generation;
}

/*
 * What a correlator from the platform names.  Returns -ENOENT unless there is
 * such a buffer and it is the one that carries this correlator now.
 */
int user_buf_find(struct vasi_device *dev, uint64_t correlator,
		  struct vasi_session **s, uint16_t *pool, uint32_t *index)
{
	uint32_t session = (uint32_t)(correlator >> SESSION_SHIFT);
	struct vasi_buf *buf;

	if (session >= VASI_MAX_SESSIONS || !dev->sessions[session])
		return -ENOENT;
	*s = dev->sessions[session];
	*pool = (uint16_t)(correlator >> POOL_SHIFT & (VASI_MAX_POOLS - 1));
	*index = (uint32_t)(correlator >> INDEX_SHIFT & (VASI_MAX_BUFFERS - 1));
	buf = vasi_buf_get(*s, *pool, *index);
	if (!buf || buf->generation != (correlator & VASI_GENERATION_MASK))
		return -ENOENT;
	return 0;
}

int user_pool_setup(struct vasi_session *s, uint16_t pool, uint32_t fetch_bytes)
{
	struct vasi_pane *pane = &to_user(s->dev)->pane;
	struct vasi_pool *p = &s->pools[pool];
	int ret;

	(void)fetch_bytes;	/* nothing is fetched: user_indirect_data() */
	p->reserved = (uint64_t)p->bytes * p->count;
	ret = vasi_pane_alloc(pane, p->reserved, &p->place);
	if (ret)
		return vasi_device_fail(s->dev, ret,
					"no room for %u buffers of %u bytes in a pane of %llu",
					p->count, p->bytes,
					(unsigned long long)pane->bytes);
	p->base = pane->base + p->place;
	p->stride = p->bytes;
	p->data_offset = USER_DOWNLOAD_HEAD;
	p->room = p->bytes - USER_DOWNLOAD_HEAD - USER_DOWNLOAD_TAIL;
	return 0;
}

/*
 * Zeroed.  The platform has forgotten it, unless the device is lost: then it may
 * not know yet, and may still be taking what a buffer holds.  Zeros would be taken
 * for contents, so the memory stays as it is until the device is closed.
 */
void user_pool_free(struct vasi_session *s, uint16_t pool)
{
	const struct vasi_pool *p = &s->pools[pool];

	if (!s->dev->lost)
		vasi_pane_free(&to_user(s->dev)->pane, p->place, p->reserved);
}

/*
 * Write the specifier around, or behind, data that are already in place.
 * Indirect: the specifier is at the buffer's end, since the data follow its
 * start.  Returns its offset in the buffer, and its bytes in @used.
 */
static uint32_t build_download(struct vasi_session *s, uint16_t pool, uint32_t index,
			       uint32_t bytes, bool indirect, uint64_t correlator,
			       uint32_t *used)
{
	uint8_t *buffer = vasi_buffer(s, pool, index);
	uint32_t size = s->pools[pool].bytes;
	struct vasi_seg_builder builder;
	uint32_t offset = 0;

	if (indirect) {
		offset = size - USER_DOWNLOAD_TAIL;
		vasi_download_begin(&builder, buffer + offset, USER_DOWNLOAD_TAIL,
				    correlator);
		vasi_download_add_indirect(&builder, bytes,
					   user_buf_ioba(s, pool, index) +
					   USER_DOWNLOAD_HEAD);
	} else {
		vasi_download_begin(&builder, buffer, size, correlator);
		vasi_seg_add_immediate(&builder, bytes);
	}
	*used = vasi_seg_end(&builder, buffer + offset);
	return offset;
}

int user_download(struct vasi_session *s, uint16_t pool, uint32_t index,
		  uint32_t bytes, bool indirect, uint64_t token)
{
	uint32_t offset, used;
	uint64_t correlator;

	if (!(s->dev->info.features & (indirect ? VASI_CAP_DOWNLOAD_INDIRECT :
				       VASI_CAP_DOWNLOAD_IMMEDIATE)))
		return -EOPNOTSUPP;
	correlator = user_buf_mark(s, pool, index);
	offset = build_download(s, pool, index, bytes, indirect, correlator, &used);
	return user_submit_buffer(s, VASI_FMT_DOWNLOAD,
				  user_buf_ioba(s, pool, index) + offset, used,
				  correlator, token);
}

int user_dirty_map(struct vasi_session *s, uint16_t pool, uint32_t index,
		   const struct vasi_dirty_ask *ask, uint64_t token)
{
	const struct vasi_dirty_map_specifier spec = {
		.first_page = htobe64(ask->first_page),
		.pages = htobe32(ask->pages),
		.granule = htobe32(ask->granule),
		.flags = htobe32(ask->clear ? VASI_DIRTY_MAP_CLEAR : 0),
	};
	uint64_t correlator = user_buf_mark(s, pool, index);
	uint8_t *buffer = vasi_buffer(s, pool, index);
	__be64 raw = htobe64(correlator);

	memcpy(buffer, &raw, sizeof(raw));
	memcpy(buffer + VASI_CORRELATOR_BYTES, &spec, sizeof(spec));
	return user_submit_buffer(s, VASI_FMT_DIRTY_MAP, user_buf_ioba(s, pool, index),
				  s->pools[pool].bytes, correlator, token);
}
