// SPDX-License-Identifier: GPL-2.0
/*
 * Pools and buffers: where buffers change hands.
 *
 * A buffer is memory that three parties can write: user space, which has it mapped,
 * the platform, which has it in its DMA window, and the kernel.  So nothing that lies
 * in a buffer says whose it is.  That is said by buf->state alone, which changes under
 * adapter->lock:
 *
 *	           SUBMIT complete|add          answer
 *	    +--> FREE ----------------> ADDING -------> PLATFORM
 *	    |     ^ |                     |  \            |
 *	    |     | | SUBMIT download,    |   \ Operation | Operation
 *	    |     | |   dirty map         |    \          |
 *	    |     | +-----> BUSY          |     +-----> FILLED
 *	    |     |           |           |               |
 *	    |     |           | answer    | refused       | FETCH
 *	    |     | FETCH     v           v               v
 *	    |     +------- ANSWERED <-----+             USER
 *	    |                                             |
 *	    |                                             | SUBMIT complete|respond
 *	    |   no add                                    v
 *	    +--------------------------------------- RESPONDING ---> ADDING, with add
 *
 * and from PLATFORM to FREE, when a Free Buffer is answered.
 *
 * What the kernel takes from a buffer:
 *
 * - The correlator, which the platform returns in an Operation.  It is an index and a
 *   generation, looked up and compared with the state (vasi_buf_find()); a new
 *   generation is written each time the buffer is handed over, so an old one names
 *   nothing.  User space can overwrite it with that of a buffer which another session
 *   has added.  That one's specifier was cleared when it was handed over: as long as it
 *   is, the platform has not filled that buffer (vasi_buf_untouched()), and it stays the
 *   platform's.
 * - An operation's specifier, copied and checked by the codec when the Operation
 *   arrives.  The operation's correlator is kept, for its answer, and the places in the
 *   second pane that it names: neither is read again.
 * - The answer of a Dirty Map, copied, and checked against what was asked.
 *
 * A download's specifier holds I/O addresses, so it does not lie in the buffer but in
 * memory that user space never sees (pool->specs).  Where the platform takes only
 * immediate downloads, the segment's header lies before the data: whoever changes it
 * under way gets a download refused, and an indirect segment refused by the platform.
 *
 * Lifetime.  The I/O addresses of a pool are given up when the platform can no longer
 * use them: after the answer to Close or after H_FREE_CRQ (vasi_pools_unmap()).  The
 * pages are counted: a mapping, a pin or a socket's queue may hold them longer than the
 * session, and they go back to the system when the last one lets go.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "compat.h"
#include "vasi.h"
#include "vasi_trace.h"

/* mmap() offsets: the pool's number above this bit */
#define VASI_MMAP_POOL_SHIFT	40

static const char * const vasi_buf_state_names[] = {
	[VASI_BUF_FREE]		= "free",
	[VASI_BUF_ADDING]	= "adding",
	[VASI_BUF_PLATFORM]	= "platform",
	[VASI_BUF_FILLED]	= "filled",
	[VASI_BUF_USER]		= "user",
	[VASI_BUF_RESPONDING]	= "responding",
	[VASI_BUF_BUSY]		= "busy",
	[VASI_BUF_ANSWERED]	= "answered",
};

const char *vasi_buf_state_name(enum vasi_buf_state state)
{
	return state < VASI_BUF_STATES ? vasi_buf_state_names[state] : "?";
}

/* A buffer, and what is fetched behind it, is one piece of memory and of I/O addresses */
#define VASI_MAX_STRIDE		((u64)PAGE_SIZE << VASI_COMPAT_MAX_ORDER)

/**
 * vasi_max_buffer_bytes() - the largest buffer
 *
 * Return: bytes, a multiple of 4096 that fits a descriptor.
 */
u32 vasi_max_buffer_bytes(void)
{
	return min_t(u64, VASI_MAX_STRIDE, VASI_MAX_LENGTH & ~(VASI_BUFFER_ALIGN - 1));
}

/**
 * vasi_downloads_indirect() - does the platform take downloads in the indirect form?
 * @s:		session
 *
 * If not, what describes a download lies around its data, in the buffer.
 */
bool vasi_downloads_indirect(const struct vasi_session *s)
{
	return vasi_adapter_caps(s->adapter, s->service)->features & VASI_CAP_DOWNLOAD_INDIRECT;
}

/* From which states a buffer may go where */
static const u16 vasi_buf_from[] = {
	[VASI_BUF_FREE]		= BIT(VASI_BUF_ANSWERED) | BIT(VASI_BUF_RESPONDING) |
				  BIT(VASI_BUF_PLATFORM) | BIT(VASI_BUF_ADDING),
	[VASI_BUF_ADDING]	= BIT(VASI_BUF_FREE) | BIT(VASI_BUF_RESPONDING) |
				  BIT(VASI_BUF_ADDING),
	[VASI_BUF_PLATFORM]	= BIT(VASI_BUF_ADDING),
	[VASI_BUF_FILLED]	= BIT(VASI_BUF_ADDING) | BIT(VASI_BUF_PLATFORM),
	[VASI_BUF_USER]		= BIT(VASI_BUF_FILLED),
	[VASI_BUF_RESPONDING]	= BIT(VASI_BUF_USER) | BIT(VASI_BUF_FILLED),
	[VASI_BUF_BUSY]		= BIT(VASI_BUF_FREE),
	[VASI_BUF_ANSWERED]	= BIT(VASI_BUF_BUSY) | BIT(VASI_BUF_ADDING),
};

/**
 * vasi_buf_move() - give a buffer to another owner
 * @buf:	buffer
 * @state:	where it goes; the caller has checked that it may
 *
 * Context: adapter->lock.
 */
void vasi_buf_move(struct vasi_buf *buf, enum vasi_buf_state state)
{
	lockdep_assert_held(&buf->pool->session->adapter->lock);
	WARN_ON_ONCE(!(vasi_buf_from[state] & BIT(buf->state)));
	trace_vasi_buf(buf, state);
	buf->state = state;
}

/**
 * vasi_buf_get() - a buffer by its place
 * @s:		session
 * @pool:	pool, from user space
 * @index:	in the pool, likewise
 *
 * Return: the buffer, or NULL.
 */
struct vasi_buf *vasi_buf_get(const struct vasi_session *s, u32 pool, u32 index)
{
	struct vasi_pool *p;

	if (pool >= READ_ONCE(s->pool_count))
		return NULL;
	/* Pairs with publishing a pool */
	smp_rmb();
	p = s->pools[pool];
	return index < p->count ? &p->bufs[index] : NULL;
}

/**
 * vasi_buf_index() - a buffer's index in its pool
 * @buf:	buffer
 */
u32 vasi_buf_index(const struct vasi_buf *buf)
{
	return buf - buf->pool->bufs;
}

/**
 * vasi_buf_correlator() - what a buffer is called now
 * @buf:	buffer
 */
u64 vasi_buf_correlator(const struct vasi_buf *buf)
{
	u64 correlator = buf->pool->session->index;

	correlator = correlator << VASI_POOL_BITS | buf->pool->number;
	correlator = correlator << VASI_INDEX_BITS | vasi_buf_index(buf);
	return correlator << VASI_GENERATION_BITS | buf->generation;
}

/**
 * vasi_buf_find() - the buffer that a correlator names
 * @a:		adapter
 * @correlator:	from the platform
 *
 * Context: adapter->lock.
 * Return: the buffer, whatever its state, or NULL: none has that name now.
 */
struct vasi_buf *vasi_buf_find(struct vasi_adapter *a, u64 correlator)
{
	u32 generation = correlator & VASI_GENERATION_MASK;
	u64 place = correlator >> VASI_GENERATION_BITS;
	u32 index = place & (BIT(VASI_INDEX_BITS) - 1);
	u32 pool = place >> VASI_INDEX_BITS & (BIT(VASI_POOL_BITS) - 1);
	u32 number = place >> (VASI_INDEX_BITS + VASI_POOL_BITS);
	struct vasi_buf *buf;

	if (number >= VASI_MAX_SESSIONS || !a->sessions[number])
		return NULL;
	buf = vasi_buf_get(a->sessions[number], pool, index);
	return buf && buf->generation == generation ? buf : NULL;
}

/**
 * vasi_buf_rename() - give a buffer a new name before the platform gets it
 * @buf:	buffer
 *
 * Context: adapter->lock.
 * Return: the correlator, to be written where the platform looks for it.
 */
u64 vasi_buf_rename(struct vasi_buf *buf)
{
	struct vasi_adapter *a = buf->pool->session->adapter;

	/* One count for all: a session in the place of another has names of its own */
	a->generation = (a->generation + 1) & VASI_GENERATION_MASK;
	buf->generation = a->generation;
	return vasi_buf_correlator(buf);
}

/**
 * vasi_buf_is_platforms() - may the platform have this buffer in a pool?
 * @buf:	buffer
 *
 * While an Add Buffer is under way it may: an operation may be faster than the answer.
 *
 * Context: adapter->lock.
 */
bool vasi_buf_is_platforms(const struct vasi_buf *buf)
{
	return buf->state == VASI_BUF_PLATFORM ||
	       (buf->state == VASI_BUF_ADDING && list_empty(&buf->item.node));
}

/**
 * vasi_buf_untouched() - has the platform written nothing into a buffer yet?
 * @buf:	buffer that is the platform's
 *
 * What it is half way through writing is not seen as that: only who may open the device
 * can name the buffer at just that moment.
 *
 * Context: adapter->lock.
 */
bool vasi_buf_untouched(const struct vasi_buf *buf)
{
	struct vasi_op_specifier spec;

	dma_sync_single_for_cpu(buf->pool->session->adapter->dma_dev, buf->dma,
				buf->pool->buffer_bytes, DMA_BIDIRECTIONAL);
	memcpy(&spec, buf->data + VASI_CORRELATOR_BYTES, sizeof(spec));
	return !memchr_inv(&spec, 0, sizeof(spec));
}

/**
 * vasi_buf_mark() - rename a buffer that is to take an operation
 * @buf:	buffer that is ADDING
 *
 * Writes the correlator into it, and zeros where an operation's specifier will lie: what
 * an earlier operation left there must not be taken for a new one.
 *
 * Context: adapter->lock.
 * Return: the correlator.
 */
u64 vasi_buf_mark(struct vasi_buf *buf)
{
	u64 correlator = vasi_buf_rename(buf);
	__be64 raw = cpu_to_be64(correlator);

	memcpy(buf->data, &raw, sizeof(raw));
	memset(buf->data + sizeof(raw), 0, sizeof(struct vasi_op_specifier));
	vasi_buf_sync(buf);
	return correlator;
}

/**
 * vasi_buf_sync() - what was written into a buffer is for the platform to see
 * @buf:	buffer
 */
void vasi_buf_sync(struct vasi_buf *buf)
{
	dma_sync_single_for_device(buf->pool->session->adapter->dma_dev, buf->dma,
				   buf->pool->buffer_bytes, DMA_BIDIRECTIONAL);
}

/**
 * vasi_buf_add() - have a buffer added to the platform's pool
 * @buf:	FREE or RESPONDING
 *
 * Context: adapter->lock.  vasi_queue_run() is the caller's.
 */
void vasi_buf_add(struct vasi_buf *buf)
{
	vasi_buf_move(buf, VASI_BUF_ADDING);
	buf->item.msg = (struct vasi_msg){ .format = VASI_FMT_ADD_BUFFER };
	vasi_queue_item(&buf->item);
}

/**
 * vasi_buf_tell() - what was asked about a buffer is done
 * @buf:	the platform has let go of it
 * @type:	event; its token is set
 * @status:	of the answer
 *
 * Context: adapter->lock.
 */
void vasi_buf_tell(struct vasi_buf *buf, enum vasi_io_event_type type, u8 status)
{
	vasi_buf_move(buf, VASI_BUF_ANSWERED);
	/* An operation that was in it before has left its event there */
	if (type == VASI_EVT_ADDED) {
		buf->item.event.generation = 0;
		memset(&buf->item.event.u, 0, sizeof(buf->item.event.u));
	}
	buf->item.event.type = type;
	buf->item.event.status = status;
	buf->item.event.pool = buf->pool->number;
	buf->item.event.index = vasi_buf_index(buf);
	vasi_item_done(&buf->item);
}

/**
 * struct vasi_op_sum - what the segments of an operation add up to
 * @bytes:	of data
 * @indirect:	of these, in the second pane
 * @segments:	how many
 */
struct vasi_op_sum {
	u64 bytes;
	u64 indirect;
	u32 segments;
};

/* Note a place in the second pane.  Return: 0, -EBADMSG: not agreed on, or too many. */
static int vasi_note_piece(struct vasi_buf *buf, const struct vasi_segment *seg)
{
	struct vasi_piece *piece;

	if (!buf->pool->pieces || buf->piece_count == VASI_MAX_PIECES)
		return -EBADMSG;
	piece = buf->pool->pieces + vasi_buf_index(buf) * VASI_MAX_PIECES + buf->piece_count++;
	piece->ioba = seg->ioba;
	piece->length = seg->length;
	return 0;
}

/* Return: 0, or -EBADMSG: the segments are not those of a sequential write */
static int vasi_op_sum(struct vasi_buf *buf, struct vasi_seg_iter *it, struct vasi_op_sum *sum)
{
	struct vasi_segment seg;
	int ret;

	memset(sum, 0, sizeof(*sum));
	buf->piece_count = 0;
	while ((ret = vasi_op_next(it, &seg)) > 0) {
		if (seg.kind == VASI_SEG_INDIRECT) {
			sum->indirect += seg.length;
			if (vasi_note_piece(buf, &seg))
				return -EBADMSG;
		} else if (seg.kind != VASI_SEG_IMMEDIATE) {
			return -EBADMSG;
		}
		/* This is under a lock */
		if (!seg.length || ++sum->segments > VASI_MAX_SEGMENTS)
			return -EBADMSG;
		sum->bytes += seg.length;
	}
	return ret ? -EBADMSG : 0;
}

/**
 * vasi_buf_check_operation() - does a buffer hold what an Operation says?
 * @buf:	buffer that the platform had
 * @correlator:	that the Operation named
 *
 * On success the buffer's event is filled in but for its sequence.  The operation's
 * correlator is noted in any case: it goes into the answer.
 *
 * LoPAR, "VASI Operation Request Specifier".
 *
 * Context: adapter->lock.
 * Return: VASI_SUCCESS, or the status to answer with.
 */
enum vasi_status vasi_buf_check_operation(struct vasi_buf *buf, u64 correlator)
{
	struct vasi_session *s = buf->pool->session;
	struct vasi_io_event *event = &buf->item.event;
	struct vasi_op_sum sum;
	struct vasi_seg_iter it;
	enum vasi_status status;
	struct vasi_op op;

	status = vasi_op_parse(buf->data, buf->pool->buffer_bytes, &op, &it);
	buf->op_correlator = op.correlator;
	buf->op_code = op.op_code;
	if (status != VASI_SUCCESS)
		return status;
	if (op.buffer_correlator != correlator)
		return VASI_INVALID_BUFFER_CORRELATOR;
	if (op.top != s->top || op.bottom != s->bottom)
		return VASI_INVALID_TOP;
	if (!(op.op_code & VASI_OP_WRITE) || op.op_code & VASI_OP_INDEXED)
		return VASI_INVALID_OPERATION_SPECIFIER;
	if (vasi_op_sum(buf, &it, &sum) || sum.indirect > buf->pool->fetch_bytes)
		return VASI_INVALID_OPERATION_SPECIFIER;
	memset(event, 0, sizeof(*event));
	event->type = VASI_EVT_OPERATION;
	event->pool = buf->pool->number;
	event->index = vasi_buf_index(buf);
	event->generation = buf->generation;
	event->u.operation.correlator = op.correlator;
	event->u.operation.bytes = sum.bytes;
	event->u.operation.op_code = op.op_code;
	event->u.operation.segments = sum.segments;
	event->u.operation.fetched = sum.indirect;
	return VASI_SUCCESS;
}

/* H_COPY_RDMA takes at least this much at a time (LoPAR, "H_COPY_RDMA") */
#define VASI_COPY_BYTES		(128u << 10)

static int vasi_fetch_segment(struct vasi_adapter *a, u32 from, u32 to, u32 length)
{
	while (length) {
		u32 piece = min(length, VASI_COPY_BYTES);
		long rc = a->hv->copy(a, piece, from, to);

		if (rc)
			return -EIO;
		from += piece;
		to += piece;
		length -= piece;
		cond_resched();
	}
	return 0;
}

/**
 * vasi_buf_fetch_indirect() - get the indirect data of an operation
 * @buf:	FILLED, and no longer in a list
 *
 * They come to lie behind the buffer, in order.
 *
 * LoPAR, "H_COPY_RDMA".
 *
 * Context: sleeps; session->copy_lock.
 * Return: 0, -EIO: the platform refused a copy.
 */
int vasi_buf_fetch_indirect(struct vasi_buf *buf)
{
	struct vasi_pool *pool = buf->pool;
	struct vasi_adapter *a = pool->session->adapter;
	const struct vasi_piece *pieces = pool->pieces + vasi_buf_index(buf) * VASI_MAX_PIECES;
	u32 to = buf->dma + pool->stride - pool->fetch_bytes;
	u32 i;
	int ret;

	for (i = 0; i < buf->piece_count; i++) {
		ret = vasi_fetch_segment(a, pieces[i].ioba, to, pieces[i].length);
		if (ret)
			return ret;
		to += pieces[i].length;
	}
	dma_sync_single_for_cpu(a->dma_dev, buf->dma, pool->stride, DMA_BIDIRECTIONAL);
	return 0;
}

static int vasi_buf_alloc(struct vasi_buf *buf, struct device *dev)
{
	u32 bytes = buf->pool->stride;

	buf->page = alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN,
				get_order(bytes));
	if (!buf->page)
		return -ENOMEM;
	buf->data = page_address(buf->page);
	buf->dma = dma_map_page_attrs(dev, buf->page, 0, bytes, DMA_BIDIRECTIONAL,
				      DMA_ATTR_NO_WARN);
	if (dma_mapping_error(dev, buf->dma))
		goto free_page;
	/* A descriptor has 32 bits for it */
	if (buf->dma + bytes - 1 > U32_MAX)
		goto unmap_page;
	return 0;

unmap_page:
	dma_unmap_page(dev, buf->dma, bytes, DMA_BIDIRECTIONAL);
free_page:
	put_page(buf->page);
	buf->page = NULL;
	return -ENOMEM;
}

static void vasi_pool_unmap(struct vasi_pool *pool)
{
	struct device *dev = pool->session->adapter->dma_dev;
	u32 i;

	for (i = 0; i < pool->count && pool->bufs[i].page; i++)
		dma_unmap_page(dev, pool->bufs[i].dma, pool->stride, DMA_BIDIRECTIONAL);
	if (pool->specs)
		dma_free_coherent(dev, pool->count * VASI_SPEC_STRIDE, pool->specs,
				  pool->specs_dma);
	pool->specs = NULL;
}

/* Who maps or sends a page keeps it */
static void vasi_pool_free(struct vasi_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->count && pool->bufs[i].page; i++)
		put_page(pool->bufs[i].page);
	kvfree(pool->pieces);
	kvfree(pool->bufs);
	kfree(pool);
}

static int vasi_pool_fill(struct vasi_pool *pool)
{
	struct vasi_session *s = pool->session;
	struct device *dev = s->adapter->dma_dev;
	int ret;
	u32 i;

	pool->specs = dma_alloc_coherent(dev, pool->count * VASI_SPEC_STRIDE, &pool->specs_dma,
					 GFP_KERNEL_ACCOUNT);
	if (!pool->specs)
		return -ENOMEM;
	if (pool->fetch_bytes) {
		pool->pieces = kvcalloc(pool->count, VASI_MAX_PIECES * sizeof(*pool->pieces),
					GFP_KERNEL_ACCOUNT);
		if (!pool->pieces)
			return -ENOMEM;
	}
	for (i = 0; i < pool->count; i++) {
		struct vasi_buf *buf = &pool->bufs[i];

		buf->pool = pool;
		buf->item.session = s;
		INIT_LIST_HEAD(&buf->item.node);
		ret = vasi_buf_alloc(buf, dev);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

static struct vasi_pool *vasi_pool_new(struct vasi_session *s,
				       const struct vasi_pool_setup *setup)
{
	struct vasi_pool *pool;
	int ret = -ENOMEM;

	pool = kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->session = s;
	pool->number = s->pool_count;
	pool->count = setup->count;
	pool->buffer_bytes = setup->buffer_bytes;
	pool->fetch_bytes = setup->fetch_bytes;
	/* Buffers of different owners never share a page */
	pool->stride = PAGE_ALIGN(setup->buffer_bytes) + PAGE_ALIGN(setup->fetch_bytes);
	if (pool->fetch_bytes)
		pool->fetch_bytes = PAGE_ALIGN(setup->fetch_bytes);
	pool->bufs = kvcalloc(pool->count, sizeof(*pool->bufs), GFP_KERNEL_ACCOUNT);
	if (!pool->bufs)
		goto free_pool;
	ret = vasi_pool_fill(pool);
	if (ret)
		goto unmap_pool;
	return pool;

unmap_pool:
	vasi_pool_unmap(pool);
	vasi_pool_free(pool);
	return ERR_PTR(ret);
free_pool:
	kfree(pool);
	return ERR_PTR(ret);
}

/* From here on requests find it */
static int vasi_pool_publish(struct vasi_pool *pool)
{
	struct vasi_session *s = pool->session;
	int ret;

	spin_lock(&s->adapter->lock);
	ret = vasi_session_error(s);
	if (!ret) {
		s->pools[pool->number] = pool;
		s->buffer_count += pool->count;
		/* Pairs with vasi_buf_get() */
		smp_wmb();
		WRITE_ONCE(s->pool_count, pool->number + 1);
	}
	spin_unlock(&s->adapter->lock);
	return ret;
}

static int vasi_pool_check(const struct vasi_session *s, const struct vasi_pool_setup *setup)
{
	u64 bytes = (u64)PAGE_ALIGN(setup->buffer_bytes) + PAGE_ALIGN((u64)setup->fetch_bytes);

	if (setup->buffer_bytes < VASI_MIN_BUFFER_BYTES ||
	    setup->buffer_bytes > vasi_max_buffer_bytes() ||
	    setup->buffer_bytes % VASI_BUFFER_ALIGN || !setup->count)
		return -EINVAL;
	if (setup->fetch_bytes % VASI_BUFFER_ALIGN || bytes > VASI_MAX_STRIDE ||
	    (setup->fetch_bytes && !vasi_indirect_operations))
		return -EINVAL;
	if (s->pool_count == VASI_MAX_POOLS || setup->count > VASI_MAX_BUFFERS - s->buffer_count)
		return -ENOSPC;
	return 0;
}

/**
 * vasi_pool_setup() - give a session a pool
 * @s:		session
 * @setup:	what is asked for; sizes are checked here; takes the results
 *
 * Context: sleeps.
 * Return: 0, -EINVAL, -ENOSPC, -ENOMEM, or what vasi_session_error() says.
 */
int vasi_pool_setup(struct vasi_session *s, struct vasi_pool_setup *setup)
{
	struct vasi_pool *pool;
	int ret;

	mutex_lock(&s->setup_lock);
	ret = vasi_session_check(s);
	if (!ret)
		ret = vasi_pool_check(s, setup);
	if (ret)
		goto unlock;
	pool = vasi_pool_new(s, setup);
	if (IS_ERR(pool)) {
		ret = PTR_ERR(pool);
		goto unlock;
	}
	ret = vasi_pool_publish(pool);
	if (ret) {
		vasi_pool_unmap(pool);
		vasi_pool_free(pool);
		goto unlock;
	}
	setup->pool = pool->number;
	setup->fetch_bytes = pool->fetch_bytes;
	setup->stride = pool->stride;
	setup->data_offset = vasi_downloads_indirect(s) ? 0 : VASI_DOWNLOAD_HEAD;
	setup->mmap_offset = (u64)pool->number << VASI_MMAP_POOL_SHIFT;
	setup->mmap_bytes = (u64)pool->count * pool->stride;
unlock:
	mutex_unlock(&s->setup_lock);
	return ret;
}

/**
 * vasi_pools_unmap() - the platform can no longer use the pools of a session
 * @s:		session that is CLOSED or LOST, with the ring freed in the latter case
 */
void vasi_pools_unmap(struct vasi_session *s)
{
	u32 i;

	for (i = 0; i < s->pool_count; i++)
		vasi_pool_unmap(s->pools[i]);
}

/**
 * vasi_pools_free() - free the pools of a session
 * @s:		session that nobody refers to any more
 */
void vasi_pools_free(struct vasi_session *s)
{
	while (s->pool_count)
		vasi_pool_free(s->pools[--s->pool_count]);
}

static int vasi_map_buffers(struct vm_area_struct *vma, const struct vasi_pool *pool, u64 offset)
{
	unsigned long address;
	int ret;

	for (address = vma->vm_start; address < vma->vm_end; address += PAGE_SIZE) {
		struct page *page = pool->bufs[div_u64(offset, pool->stride)].page;
		u32 within;

		div_u64_rem(offset, pool->stride, &within);
		ret = vm_insert_page(vma, address, page + (within >> PAGE_SHIFT));
		if (ret)
			return ret;
		offset += PAGE_SIZE;
	}
	return 0;
}

/**
 * vasi_pool_mmap() - map buffers of a pool
 * @s:		session
 * @vma:	where; must be shared, and lie within one pool
 *
 * Pages are inserted here, counted and without VM_PFNMAP, so that they can be pinned.
 *
 * Context: mmap_lock.
 * Return: 0, -EINVAL, -EACCES, -ENOMEM.
 */
int vasi_pool_mmap(struct vasi_session *s, struct vm_area_struct *vma)
{
	u64 start = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 offset = start & (BIT_ULL(VASI_MMAP_POOL_SHIFT) - 1);
	u64 bytes = vma->vm_end - vma->vm_start;
	const struct vasi_buf *first;
	const struct vasi_pool *pool;
	u64 end;

	if (start >> VASI_MMAP_POOL_SHIFT >= VASI_MAX_POOLS)
		return -EINVAL;
	first = vasi_buf_get(s, start >> VASI_MMAP_POOL_SHIFT, 0);
	if (!first)
		return -EINVAL;
	pool = first->pool;
	if (check_add_overflow(offset, bytes, &end) || end > (u64)pool->count * pool->stride)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/* Another partition's memory: neither for core dumps nor for children */
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, VM_MAYEXEC);
	return vasi_map_buffers(vma, pool, offset);
}
