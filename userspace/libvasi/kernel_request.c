// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The transport for the kernel's device: pools and requests.
 *
 * The kernel keeps the owner of every buffer, too, and refuses what does not agree
 * with it: a request that it refuses means that the two disagree, and ends the
 * device.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvasi/kernel.h"

/*
 * Pools
 */

/* Whether what the kernel says about a new pool holds together */
static bool setup_fits(const struct vasi_pool_setup *setup)
{
	return setup->pool < VASI_MAX_POOLS &&
	       setup->stride >= (uint64_t)setup->buffer_bytes + setup->fetch_bytes &&
	       setup->mmap_bytes == (uint64_t)setup->stride * setup->count &&
	       setup->data_offset < setup->buffer_bytes - VASI_TERMINATOR_BYTES;
}

static int setup_failed(struct vasi_session *s, int ret, const struct vasi_pool *pool)
{
	if (ret == -ECONNRESET || ret == -ENODEV) {
		kernel_lost(to_kernel(s->dev), ret, "pool");
		return -ENODEV;
	}
	return vasi_device_fail(s->dev, ret, "no room for %u buffers of %u bytes: %s",
				pool->count, pool->bytes, strerror(-ret));
}

int kernel_pool_setup(struct vasi_session *s, uint16_t pool, uint32_t fetch_bytes)
{
	const bool fetches = s->dev->info.operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	struct kernel_session *ks = to_kernel_session(s);
	struct kernel_device *kernel = to_kernel(s->dev);
	struct vasi_pool *p = &s->pools[pool];
	struct vasi_pool_setup setup = {
		.size = sizeof(setup),
		.buffer_bytes = p->bytes,
		.count = p->count,
		.fetch_bytes = fetches ? fetch_bytes : 0,
	};
	int ret;

	p->reserved = ((uint64_t)p->bytes + setup.fetch_bytes) * p->count;
	if (p->reserved > kernel->pane_bytes - kernel->pool_bytes)
		return vasi_device_fail(s->dev, -ENOMEM,
					"no room for %u buffers of %u bytes in a pane of %llu",
					p->count, p->bytes,
					(unsigned long long)kernel->pane_bytes);
	ret = kernel_sys_ioctl(ks->channel->fd, VASI_IOC_SETUP_POOL, &setup);
	if (ret < 0)
		return setup_failed(s, ret, p);
	if (!setup_fits(&setup) || ks->pool_numbers[setup.pool]) {
		kernel_lost(kernel, -EPROTO, "pool");
		return -ENODEV;
	}
	p->base = kernel_sys_map(ks->channel->fd, setup.mmap_offset, setup.mmap_bytes);
	if (!p->base)
		return setup_failed(s, -errno, p);
	ks->pool_numbers[setup.pool] = (uint8_t)(pool + 1);
	p->number = (uint16_t)setup.pool;
	p->stride = setup.stride;
	p->place = setup.stride - setup.fetch_bytes;
	p->data_offset = setup.data_offset;
	/* What ends the specifier of an immediate download lies behind the data */
	p->room = p->bytes - setup.data_offset - VASI_TERMINATOR_BYTES;
	kernel->pool_bytes += p->reserved;
	return 0;
}

/* The kernel keeps the memory for as long as the platform may use it */
void kernel_pool_free(struct vasi_session *s, uint16_t pool)
{
	struct vasi_pool *p = &s->pools[pool];

	to_kernel_session(s)->pool_numbers[p->number] = 0;
	kernel_sys_unmap(p->base, (uint64_t)p->stride * p->count);
	to_kernel(s->dev)->pool_bytes -= p->reserved;
}

/*
 * Requests
 */

/* A request behind all others, zeroed but for its @op and @token; NULL: no memory */
static struct vasi_io_request *request_new(struct vasi_session *s, enum vasi_io_op op,
					   uint64_t token)
{
	struct kernel_session *ks = to_kernel_session(s);
	struct vasi_io_request *request, *requests;
	uint32_t room = ks->room ? ks->room * 2 : KERNEL_FIRST_REQUESTS;

	if (ks->first + ks->count == ks->room && ks->first) {
		memmove(ks->requests, ks->requests + ks->first,
			ks->count * sizeof(*ks->requests));
		ks->first = 0;
	}
	if (ks->count == ks->room) {
		if (room > KERNEL_MAX_REQUESTS)
			return NULL;
		requests = reallocarray(ks->requests, room, sizeof(*requests));
		if (!requests)
			return NULL;
		ks->requests = requests;
		ks->room = room;
	}
	request = &ks->requests[ks->first + ks->count++];
	*request = (struct vasi_io_request) { .op = (uint16_t)op, .token = token };
	return request;
}

static struct vasi_io_request *buffer_request(struct vasi_session *s, enum vasi_io_op op,
					      uint16_t pool, uint32_t index,
					      uint64_t token)
{
	struct vasi_io_request *request = request_new(s, op, token);

	if (request) {
		request->pool = s->pools[pool].number;
		request->index = index;
	}
	return request;
}

/* Those that are behind a refused one would only be refused, too */
static void drop_requests(struct kernel_session *ks)
{
	ks->first = 0;
	ks->count = 0;
}

static void refused(struct vasi_session *s, int ret)
{
	struct kernel_session *ks = to_kernel_session(s);
	const struct vasi_io_request *request = &ks->requests[ks->first];
	char what[80];

	/* The platform ended it while the caller had more to say */
	if (ret == -ENOTCONN && s->state != VASI_SESSION_OPEN) {
		drop_requests(ks);
		return;
	}
	snprintf(what, sizeof(what), "request %u, pool %u, buffer %u", request->op,
		 request->pool, request->index);
	drop_requests(ks);
	kernel_lost(to_kernel(s->dev), ret, what);
}

/* Hand the session's requests to the kernel, as many as it takes */
void kernel_submit(struct vasi_session *s)
{
	struct kernel_session *ks = to_kernel_session(s);
	int ret;

	while (ks->count && !s->dev->lost) {
		struct vasi_vector vector = {
			.entries = (uintptr_t)&ks->requests[ks->first],
			.count = ks->count,
			.entry_bytes = sizeof(struct vasi_io_request),
		};

		ret = kernel_sys_ioctl(ks->channel->fd, VASI_IOC_SUBMIT, &vector);
		if (ret == -EAGAIN || !ret) {
			kernel_wait_room(ks->channel);
			return;
		}
		if (ret < 0 || (uint32_t)ret > ks->count) {
			refused(s, ret < 0 ? ret : -EPROTO);
			return;
		}
		ks->first += (uint32_t)ret;
		ks->count -= (uint32_t)ret;
	}
	if (!ks->count)
		ks->first = 0;
}

int kernel_post(struct vasi_session *s)
{
	uint32_t index = 0;
	uint16_t pool = 0;

	while (s->posting) {
		struct vasi_io_request *request;

		vasi_buf_place(s, s->posting, &pool, &index);
		request = buffer_request(s, VASI_REQ_COMPLETE, pool, index, 0);
		if (!request)
			return -ENOMEM;
		request->flags = VASI_COMPLETE_ADD;
		vasi_take_posting(s);
	}
	return 0;
}

int kernel_session_close(struct vasi_session *s, uint64_t token)
{
	int ret = kernel_post(s);

	if (ret)
		return ret;
	return request_new(s, VASI_REQ_CLOSE, token) ? 0 : -ENOMEM;
}

void kernel_session_forget(struct vasi_session *s)
{
	drop_requests(to_kernel_session(s));
	while (vasi_take_posting(s))
		;
}

int kernel_free_buffer(struct vasi_session *s, uint16_t pool, uint64_t token)
{
	return buffer_request(s, VASI_REQ_FREE, pool, 0, token) ? 0 : -ENOMEM;
}

int kernel_respond(struct vasi_session *s, uint16_t pool, uint32_t index,
		   enum vasi_status status, uint64_t residual, bool post)
{
	struct vasi_io_request *request;

	/* The close ends its operations, too */
	if (s->state != VASI_SESSION_OPEN)
		return 0;
	request = buffer_request(s, VASI_REQ_COMPLETE, pool, index, 0);
	if (!request)
		return -ENOMEM;
	request->flags = VASI_COMPLETE_RESPOND | (post ? VASI_COMPLETE_ADD : 0);
	request->generation = vasi_buf_get(s, pool, index)->generation;
	request->u.complete.status = (uint32_t)status;
	if (status == VASI_END_OF_FILE)
		request->u.complete.residual = residual;
	return post;
}

int kernel_download(struct vasi_session *s, uint16_t pool, uint32_t index,
		    uint32_t bytes, bool indirect, uint64_t token)
{
	struct vasi_io_request *request;

	/* The driver chooses the form: its data are where they are in both */
	(void)indirect;
	request = buffer_request(s, VASI_REQ_DOWNLOAD, pool, index, token);
	if (!request)
		return -ENOMEM;
	request->u.download.offset = s->pools[pool].data_offset;
	request->u.download.bytes = bytes;
	return 0;
}

int kernel_signal(struct vasi_session *s, enum vasi_signal_code code,
		  uint32_t reason, uint64_t token)
{
	struct vasi_io_request *request = request_new(s, VASI_REQ_SIGNAL, token);

	if (!request)
		return -ENOMEM;
	request->u.signal.code = (uint32_t)code;
	request->u.signal.reason = reason;
	return 0;
}

int kernel_progress(struct vasi_session *s, uint64_t token)
{
	return request_new(s, VASI_REQ_PROGRESS, token) ? 0 : -ENOMEM;
}

int kernel_message(struct vasi_session *s, uint64_t data, uint64_t token)
{
	struct vasi_io_request *request = request_new(s, VASI_REQ_MESSAGE, token);

	if (!request)
		return -ENOMEM;
	request->u.message = data;
	return 0;
}

int kernel_dirty_map(struct vasi_session *s, uint16_t pool, uint32_t index,
		     const struct vasi_dirty_ask *ask, uint64_t token)
{
	struct vasi_io_request *request;

	request = buffer_request(s, VASI_REQ_DIRTY_MAP, pool, index, token);
	if (!request)
		return -ENOMEM;
	request->flags = ask->clear ? VASI_DIRTY_CLEAR : 0;
	request->u.dirty_map.first_page = ask->first_page;
	request->u.dirty_map.pages = ask->pages;
	request->u.dirty_map.granule = ask->granule;
	return 0;
}
