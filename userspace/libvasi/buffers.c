// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pools of buffers, and who owns each buffer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libvasi/internal.h"

#define TO(owner)	(1u << VASI_OWNER_##owner)

/* Where a buffer may go from each state; free_buffer and errors lead to USER */
static const unsigned int allowed_moves[VASI_OWNERS] = {
	[VASI_OWNER_USER]	= TO(POSTING) | TO(DOWNLOAD) | TO(DIRTY_MAP),
	[VASI_OWNER_POSTING]	= TO(PLATFORM),
	[VASI_OWNER_PLATFORM]	= TO(FILLED) | TO(USER) | TO(POSTING),
	[VASI_OWNER_FILLED]	= TO(USER) | TO(PLATFORM),
	[VASI_OWNER_DOWNLOAD]	= TO(USER),
	[VASI_OWNER_DIRTY_MAP]	= TO(USER),
};

/*
 * Hand a buffer from one owner to another: the only place where that happens.
 * Returns -EBUSY if @from does not own it.
 */
int vasi_buf_move(struct vasi_buf *buf, enum vasi_owner from, enum vasi_owner to)
{
	if (buf->owner != from || !(allowed_moves[from] & 1u << to))
		return -EBUSY;
	buf->owner = to;
	return 0;
}

/* A buffer, or NULL for numbers that name none */
struct vasi_buf *vasi_buf_get(const struct vasi_session *s, uint16_t pool,
			      uint32_t index)
{
	if (pool >= s->pool_count || index >= s->pools[pool].count)
		return NULL;
	return &s->pools[pool].bufs[index];
}

/* Pool and index of a buffer of @s */
void vasi_buf_place(const struct vasi_session *s, const struct vasi_buf *buf,
		    uint16_t *pool, uint32_t *index)
{
	for (uint16_t i = 0; i < s->pool_count; i++) {
		const struct vasi_pool *p = &s->pools[i];

		if (buf >= p->bufs && buf < p->bufs + p->count) {
			*pool = i;
			*index = (uint32_t)(buf - p->bufs);
			return;
		}
	}
}

/* Drop what a FILLED buffer holds on to */
void vasi_buf_release(struct vasi_session *s, struct vasi_buf *buf)
{
	if (buf->window)
		s->dev->ops->window_put(buf->window);
	buf->window = NULL;
}

/**
 * vasi_pool_setup() - make a pool of buffers
 * @s:		session
 * @bytes:	of each buffer: a multiple of 4 KiB, 8 KiB to 8 MiB
 * @count:	how many, 1 to 2^20
 * @fetch_bytes: indirect data that an operation in one of them may have, where they
 *		have to be fetched; 0 for buffers that are not posted
 *
 * Return: the pool's number; -EINVAL; -ENOSPC: too many pools or buffers; -ENOMEM:
 * the pane is used up, or no memory; -ENODEV.
 */
int vasi_pool_setup(struct vasi_session *s, uint32_t bytes, uint32_t count,
		    uint32_t fetch_bytes)
{
	struct vasi_device *dev = s->dev;
	struct vasi_pool *pool;
	int ret;

	if (bytes < VASI_MIN_BUFFER || bytes > VASI_MAX_BUFFER ||
	    bytes % VASI_BUFFER_ALIGN)
		return vasi_device_fail(dev, -EINVAL,
					"buffers of %u bytes: allowed are multiples of %u from %u to %u",
					bytes, VASI_BUFFER_ALIGN, VASI_MIN_BUFFER,
					VASI_MAX_BUFFER);
	if (!count || count > VASI_MAX_BUFFERS)
		return vasi_device_fail(dev, -EINVAL, "%u buffers: allowed are 1 to %u",
					count, VASI_MAX_BUFFERS);
	if (s->pool_count == VASI_MAX_POOLS)
		return vasi_device_fail(dev, -ENOSPC, "%u pools: limit of a session",
					VASI_MAX_POOLS);
	pool = &s->pools[s->pool_count];
	pool->bufs = calloc(count, sizeof(*pool->bufs));
	if (!pool->bufs)
		return -ENOMEM;
	pool->bytes = bytes;
	pool->count = count;
	ret = dev->ops->pool_setup(s, (uint16_t)s->pool_count, fetch_bytes);
	if (ret) {
		free(pool->bufs);
		memset(pool, 0, sizeof(*pool));
		return ret;
	}
	return (int)s->pool_count++;
}

/* Give all pools of a session back */
void vasi_pools_free(struct vasi_session *s)
{
	while (s->pool_count) {
		struct vasi_pool *pool = &s->pools[--s->pool_count];

		for (uint32_t i = 0; i < pool->count; i++)
			vasi_buf_release(s, &pool->bufs[i]);
		s->dev->ops->pool_free(s, (uint16_t)s->pool_count);
		free(pool->bufs);
		memset(pool, 0, sizeof(*pool));
	}
}

/**
 * vasi_buffer() - a buffer's memory
 * @s:		session
 * @pool:	pool
 * @index:	buffer
 *
 * Return: its first byte, where its correlator is; NULL if there is none such.
 */
void *vasi_buffer(const struct vasi_session *s, uint16_t pool, uint32_t index)
{
	if (!vasi_buf_get(s, pool, index))
		return NULL;
	return s->pools[pool].base + (uint64_t)index * s->pools[pool].stride;
}

/* Whether the platform has room for the pool: it counts different sizes */
static int claim_pool(struct vasi_session *s, struct vasi_pool *pool)
{
	unsigned int sizes = 0;

	if (pool->posted)
		return 0;
	for (unsigned int i = 0; i < s->pool_count; i++) {
		const struct vasi_pool *other = &s->pools[i];
		bool counted = false;

		if (!other->posted)
			continue;
		if (other->bytes == pool->bytes) {
			pool->posted = true;
			return 0;
		}
		for (unsigned int j = 0; j < i; j++)
			counted |= s->pools[j].posted && s->pools[j].bytes == other->bytes;
		sizes += !counted;
	}
	if (sizes >= s->dev->info.buffer_pools)
		return vasi_device_fail(s->dev, -ENOSPC,
					"%u buffer sizes posted: limit of the platform",
					sizes);
	pool->posted = true;
	return 0;
}

/* Append a buffer that the caller or the platform has to those to be posted */
int vasi_post_buf(struct vasi_session *s, uint16_t pool, struct vasi_buf *buf)
{
	int ret;

	if (buf->owner != VASI_OWNER_USER && buf->owner != VASI_OWNER_PLATFORM)
		return -EBUSY;
	ret = claim_pool(s, &s->pools[pool]);
	if (ret)
		return ret;
	ret = vasi_buf_move(buf, buf->owner, VASI_OWNER_POSTING);
	if (ret)
		return ret;
	buf->next = NULL;
	if (s->posting)
		s->posting_tail->next = buf;
	else
		s->posting = buf;
	s->posting_tail = buf;
	s->posting_count++;
	return 0;
}

/* Take the first buffer to be posted; it becomes the platform's */
struct vasi_buf *vasi_take_posting(struct vasi_session *s)
{
	struct vasi_buf *buf = s->posting;

	if (!buf)
		return NULL;
	s->posting = buf->next;
	s->posting_count--;
	buf->next = NULL;
	vasi_buf_move(buf, VASI_OWNER_POSTING, VASI_OWNER_PLATFORM);
	return buf;
}

static int check_open(const struct vasi_session *s)
{
	if (s->dev->lost)
		return -ENODEV;
	return s->state == VASI_SESSION_OPEN ? 0 : -ENOTCONN;
}

/**
 * vasi_post() - post a buffer for operations
 * @s:		an open session
 * @pool:	pool
 * @index:	buffer, the caller's
 *
 * Sent with the next vasi_device_flush(), together with others.  A refusal
 * arrives as VASI_EV_ADDED.
 *
 * Return: 0; -EINVAL: no such buffer; -EBUSY: not the caller's; -ENOSPC: more
 * buffer sizes than the platform has pools; -ENOTCONN; -ENODEV.
 */
int vasi_post(struct vasi_session *s, uint16_t pool, uint32_t index)
{
	struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	int ret = check_open(s);

	if (ret)
		return ret;
	if (!buf)
		return -EINVAL;
	if (buf->owner != VASI_OWNER_USER)
		return -EBUSY;
	return vasi_post_buf(s, pool, buf);
}

/**
 * vasi_free_buffer() - take a posted buffer back
 * @s:		an open session
 * @pool:	of any buffer of this pool's size
 * @token:	for VASI_EV_FREED, which names the buffer, or has status Empty
 *
 * Return: 0, -EINVAL, -ENOTCONN, -ENODEV, -ENOMEM.
 */
int vasi_free_buffer(struct vasi_session *s, uint16_t pool, uint64_t token)
{
	int ret = check_open(s);

	if (ret)
		return ret;
	if (pool >= s->pool_count)
		return -EINVAL;
	ret = s->dev->ops->post(s);
	if (ret)
		return ret;
	return s->dev->ops->free_buffer(s, pool, token);
}

/**
 * vasi_download_data() - where the data of a download go
 * @s:		session
 * @pool:	pool
 * @index:	buffer
 *
 * Return: room for vasi_download_room() bytes; NULL if there is no such buffer.
 */
void *vasi_download_data(const struct vasi_session *s, uint16_t pool, uint32_t index)
{
	uint8_t *buffer = vasi_buffer(s, pool, index);

	return buffer ? buffer + s->pools[pool].data_offset : NULL;
}

/**
 * vasi_download_room() - how many bytes one download of a pool carries
 * @s:		session
 * @pool:	pool
 *
 * Return: bytes; 0 if there is no such pool.
 */
uint32_t vasi_download_room(const struct vasi_session *s, uint16_t pool)
{
	if (pool >= s->pool_count)
		return 0;
	return s->pools[pool].room;
}

/**
 * vasi_download() - hand stream data to the platform
 * @s:		an open session
 * @pool:	pool
 * @index:	buffer, the caller's, with data at vasi_download_data()
 * @bytes:	of data, 1 to vasi_download_room()
 * @indirect:	by an indirect segment instead of immediate data
 * @token:	for VASI_EV_DOWNLOADED, which gives the buffer back
 *
 * LoPAR, "VASI Download Request Specifier".
 *
 * Return: 0; -EINVAL; -EBUSY: not the caller's; -EOPNOTSUPP: the platform does
 * not take this form; -ENOTCONN; -ENODEV; -ENOMEM.
 */
int vasi_download(struct vasi_session *s, uint16_t pool, uint32_t index,
		  uint32_t bytes, bool indirect, uint64_t token)
{
	struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	int ret = check_open(s);

	if (ret)
		return ret;
	if (!buf || !bytes || bytes > vasi_download_room(s, pool))
		return -EINVAL;
	ret = vasi_buf_move(buf, VASI_OWNER_USER, VASI_OWNER_DOWNLOAD);
	if (ret)
		return ret;
	ret = s->dev->ops->post(s);
	if (!ret)
		ret = s->dev->ops->download(s, pool, index, bytes, indirect, token);
	if (ret)
		vasi_buf_move(buf, VASI_OWNER_DOWNLOAD, VASI_OWNER_USER);
	return ret;
}

/**
 * vasi_dirty_map() - ask which pages were written
 * @s:		an open session
 * @pool:	pool
 * @index:	buffer, the caller's, that takes the bitmap
 * @first_page:	first page, in pages of @granule
 * @pages:	how many; their bits must fit the buffer
 * @granule:	4096, 65536, or 0: the platform's
 * @clear:	clear them in this session's view
 * @token:	for VASI_EV_DIRTY_MAP
 *
 * The Dirty Map extension (Documentation/dirty-map.rst).
 *
 * Return: 0; -EINVAL; -EBUSY; -EOPNOTSUPP: not offered; -ENOTCONN; -ENODEV;
 * -ENOMEM.
 */
int vasi_dirty_map(struct vasi_session *s, uint16_t pool, uint32_t index,
		   uint64_t first_page, uint32_t pages, uint32_t granule,
		   bool clear, uint64_t token)
{
	struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	const struct vasi_dirty_ask ask = {
		.first_page = first_page, .pages = pages, .granule = granule,
		.clear = clear,
	};
	int ret = check_open(s);

	if (ret)
		return ret;
	if (!s->dev->info.dirty_map)
		return -EOPNOTSUPP;
	if (!buf || !pages || (granule && granule != 4096 && granule != 65536) ||
	    ((uint64_t)pages + 7) / 8 > s->pools[pool].bytes - VASI_DIRTY_BITS_OFFSET)
		return -EINVAL;
	ret = vasi_buf_move(buf, VASI_OWNER_USER, VASI_OWNER_DIRTY_MAP);
	if (ret)
		return ret;
	buf->bytes = pages;
	ret = s->dev->ops->dirty_map(s, pool, index, &ask, token);
	if (ret)
		vasi_buf_move(buf, VASI_OWNER_DIRTY_MAP, VASI_OWNER_USER);
	return ret;
}

/**
 * vasi_dirty_bits() - the bitmap of a Dirty Map answer
 * @s:		session
 * @pool:	pool
 * @index:	buffer
 *
 * Return: bit n of byte n / 8, least significant first, is page first_page + n;
 * NULL if there is no such buffer.
 */
const uint8_t *vasi_dirty_bits(const struct vasi_session *s, uint16_t pool,
			       uint32_t index)
{
	const uint8_t *buffer = vasi_buffer(s, pool, index);

	return buffer ? buffer + VASI_DIRTY_BITS_OFFSET : NULL;
}
