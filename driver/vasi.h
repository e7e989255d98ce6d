/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the VASI driver share.
 *
 *	vasi_main.c	module, device numbers
 *	vasi_vio.c	vio driver, hypervisor calls (pseries only)
 *	vasi_adapter.c	life of an adapter: handshake, reset, interrupt
 *	vasi_ring.c	Command/Response Queue, consumer's side
 *	vasi_queue.c	messages to the platform
 *	vasi_dispatch.c	messages from the platform
 *	vasi_session.c	life of a session
 *	vasi_pool.c	pools and buffers: who owns which
 *	vasi_request.c	VASI_IOC_SUBMIT
 *	vasi_fetch.c	VASI_IOC_FETCH
 *	vasi_cdev.c	/dev/vasiN: file operations of an adapter
 *	vasi_file.c	file operations of a session
 *	vasi_netlink.c	notifications
 *	vasi_debugfs.c	what an administrator may want to see
 *	vasi_codec.c	layouts of messages and buffers
 *
 * Locking is described in Documentation/driver.rst.  In short:
 *
 *	adapter->ring_lock	mutex: the ring, and registering it
 *	adapter->lock		spinlock: everything else that changes while an adapter
 *				works: its state, sessions, buffers, queues, events
 *
 * ring_lock comes before lock.  Neither is held while user memory is accessed or
 * pages are allocated.
 *
 * "LoPAR" is the Linux on Power Architecture Reference, revision 2.9, section
 * "Virtual Asynchronous Services Interface (VASI)".
 */
#ifndef _VASI_DRIVER_H
#define _VASI_DRIVER_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/vasi.h>
#include <linux/vasi_crq.h>
#include <linux/vasi_netlink.h>

#include "vasi_codec.h"

struct io_uring_cmd;
struct vasi_adapter;
struct vasi_buf;
struct vasi_pool;
struct vasi_session;

/*
 * A correlator is what the platform names a buffer by: session index, pool,
 * index and generation.  A TOP is an adapter's number, a generation and a session
 * index.
 */
#define VASI_ADAPTER_SHIFT	24
#define VASI_SESSION_BITS	10
#define VASI_EPOCH_MASK		(BIT(VASI_ADAPTER_SHIFT - VASI_SESSION_BITS) - 1)
#define VASI_POOL_BITS		6
#define VASI_INDEX_BITS		20
#define VASI_GENERATION_BITS	28
#define VASI_GENERATION_MASK	(BIT(VASI_GENERATION_BITS) - 1)
/* The highest session index is kept for correlators that name no session */
#define VASI_MAX_SESSIONS	(BIT(VASI_SESSION_BITS) - 1)
#define VASI_MAX_POOLS		(BIT(VASI_POOL_BITS) - 1)
#define VASI_MAX_BUFFERS	4096
#define VASI_MIN_BUFFER_BYTES	8192
#define VASI_BUFFER_ALIGN	4096

/* Requests without a buffer, and events nobody asked for, of one session */
#define VASI_SESSION_ITEMS	64
/* Of these, kept for State requests and for uploads, which nobody asked for */
#define VASI_STATE_ITEMS	8
#define VASI_UPLOAD_ITEMS	16
/* Answers of ours that wait for room in the platform's queue */
#define VASI_MAX_ANSWERS	256
/* Add Buffer Indirect: lists, each of VASI_INDIRECT_MAX descriptors */
#define VASI_LISTS		16
#define VASI_LIST_BYTES		VASI_INDIRECT_BYTES(VASI_INDIRECT_MAX)
/* Bytes of a download's specifier: correlator, one segment, terminator */
#define VASI_SPEC_BYTES		(VASI_DOWNLOAD_DATA_OFFSET + VASI_SEG_INDIRECT_BYTES + \
				 VASI_TERMINATOR_BYTES)
#define VASI_SPEC_STRIDE	32
/* Bytes before the data of an immediate download: correlator, the segment's header */
#define VASI_DOWNLOAD_HEAD	(VASI_DOWNLOAD_DATA_OFFSET + VASI_SEG_IMMEDIATE_BYTES)
/* Segments of an operation, and of these in the second pane */
#define VASI_MAX_SEGMENTS	16384
#define VASI_MAX_PIECES		1024
/* Slots that are kept for Close, and for the Abort of a mover that died */
#define VASI_CONTROL_SLOTS	16

/**
 * struct vasi_hv_ops - the hypervisor calls of an adapter
 * @register_crq: H_REG_CRQ; may sleep
 * @free_crq:	H_FREE_CRQ, until it is done; may sleep
 * @enable_crq:	H_ENABLE_CRQ, until it is done; may sleep
 * @send_crq:	H_SEND_CRQ; any context
 * @irq_enable:	H_VIO_SIGNAL on or off; any context
 * @donate:	H_DONOR_OPERATION; the caller's context
 * @signal:	H_VASI_SIGNAL
 * @state:	H_VASI_STATE
 * @copy:	H_COPY_RDMA from the second pane into the first
 *
 * All return what the hypervisor returned.  A table, so that the unit tests can
 * have a platform of their own.
 */
struct vasi_hv_ops {
	long (*register_crq)(struct vasi_adapter *a);
	long (*free_crq)(struct vasi_adapter *a);
	long (*enable_crq)(struct vasi_adapter *a);
	long (*send_crq)(struct vasi_adapter *a, const struct vasi_crq *entry);
	void (*irq_enable)(struct vasi_adapter *a, bool on);
	long (*donate)(struct vasi_adapter *a, u64 pair);
	long (*signal)(struct vasi_adapter *a, u64 stream_id, u64 code, u64 reason);
	long (*state)(struct vasi_adapter *a, u64 stream_id, u64 *state);
	long (*copy)(struct vasi_adapter *a, u32 length, u32 from, u32 to);
};

/**
 * struct vasi_ring - the Command/Response Queue, as its consumer sees it
 * @entries:	DMA memory
 * @dma:	its I/O address
 * @count:	entries
 * @next:	the next to look at
 */
struct vasi_ring {
	struct vasi_crq *entries;
	dma_addr_t dma;
	u32 count;
	u32 next;
};

/**
 * struct vasi_item - a request on its way: waiting, sent, answered
 * @node:	in the adapter's queue, then in the session's events
 * @session:	whose
 * @msg:	what to send; of a buffer, filled in when its turn comes
 * @event:	what user space gets when it is done
 */
struct vasi_item {
	struct list_head node;
	struct vasi_session *session;
	struct vasi_msg msg;
	struct vasi_io_event event;
};

/**
 * enum vasi_buf_state - who owns a buffer; see vasi_pool.c
 * @VASI_BUF_FREE: user space
 * @VASI_BUF_ADDING: an Add Buffer waits to be sent or for its answer
 * @VASI_BUF_PLATFORM: the platform
 * @VASI_BUF_FILLED: an operation came in it; user space has not fetched it
 * @VASI_BUF_USER: user space, which has to answer the operation
 * @VASI_BUF_RESPONDING: that answer waits to be sent
 * @VASI_BUF_BUSY: a Download or Dirty Map waits to be sent or for its answer
 * @VASI_BUF_ANSWERED: that answer waits to be fetched
 * @VASI_BUF_STATES: how many there are
 */
enum vasi_buf_state {
	VASI_BUF_FREE,
	VASI_BUF_ADDING,
	VASI_BUF_PLATFORM,
	VASI_BUF_FILLED,
	VASI_BUF_USER,
	VASI_BUF_RESPONDING,
	VASI_BUF_BUSY,
	VASI_BUF_ANSWERED,
	VASI_BUF_STATES
};

/**
 * struct vasi_piece - data in the second pane
 * @ioba:	I/O address
 * @length:	bytes
 */
struct vasi_piece {
	u32 ioba;
	u32 length;
};

/**
 * struct vasi_buf - a buffer
 * @item:	what is being asked or told about it; it has one such thing at a time
 * @state:	owner; changed by vasi_buf_move() only
 * @pool:	where it is
 * @generation:	of the last correlator that was written into it
 * @add_next:	RESPONDING: add it again when the answer is sent
 * @add_alone:	ADDING: not in a list, which the platform did not finish
 * @op_code:	FILLED, USER: of the operation
 * @status:	RESPONDING: of the answer
 * @residual:	RESPONDING: likewise
 * @piece_count: FILLED: pieces of its indirect data
 * @op_correlator: FILLED, USER, RESPONDING: of the operation
 * @page:	first of its pages, a compound one
 * @data:	its memory
 * @dma:	its I/O address
 */
struct vasi_buf {
	struct vasi_item item;
	enum vasi_buf_state state;
	struct vasi_pool *pool;
	u32 generation;
	bool add_next;
	bool add_alone;
	u8 op_code;
	u8 status;
	u64 residual;
	u32 piece_count;
	u64 op_correlator;
	struct page *page;
	void *data;
	dma_addr_t dma;
};

/**
 * struct vasi_pool - buffers of one size
 * @session:	whose
 * @number:	in the session
 * @buffer_bytes: of each buffer, as the platform knows it
 * @fetch_bytes: behind them, for what the kernel fetches
 * @stride:	of the mapping: both, in whole pages
 * @count:	buffers
 * @bufs:	the buffers
 * @specs:	a download specifier for each, in DMA memory that user space does not
 *		see: it holds I/O addresses
 * @specs_dma:	its I/O address
 * @pieces:	with @fetch_bytes: VASI_MAX_PIECES for each buffer
 */
struct vasi_pool {
	struct vasi_session *session;
	u32 number;
	u32 buffer_bytes;
	u32 fetch_bytes;
	u32 stride;
	u32 count;
	struct vasi_buf *bufs;
	u8 *specs;
	dma_addr_t specs_dma;
	struct vasi_piece *pieces;
};

/**
 * enum vasi_session_state - life of a session
 * @VASI_SESSION_OPENING: an Open waits to be sent or for its answer
 * @VASI_SESSION_ABANDONED: the same, but who asked has gone
 * @VASI_SESSION_OPEN: it is open
 * @VASI_SESSION_CLOSING: a Close waits to be sent or for its answer
 * @VASI_SESSION_CLOSED: it was closed, or did not open
 * @VASI_SESSION_LOST: it ended with a reset
 */
enum vasi_session_state {
	VASI_SESSION_OPENING,
	VASI_SESSION_ABANDONED,
	VASI_SESSION_OPEN,
	VASI_SESSION_CLOSING,
	VASI_SESSION_CLOSED,
	VASI_SESSION_LOST
};

/**
 * struct vasi_session - one open of a stream
 * @ref:	the adapter's table has one while the platform may know it, the file
 *		another
 * @adapter:	where; with a reference
 * @index:	in the adapter's table
 * @top:	our name for it
 * @bottom:	the platform's, once it is open
 * @stream_id:	stream
 * @service:	role
 * @state:	life; changed by vasi_session_move() only
 * @open_status: of the Open's answer
 * @close_by:	CLOSING: when the platform should have answered, in jiffies; 0 = the
 *		Close was not sent yet
 * @sequence:	operations that were fetched
 * @buffer_count: in all pools
 * @pool_count:	pools
 * @pools:	pools; they stay until the session is freed
 * @slots:	requests that were sent, in order
 * @events:	items to be fetched
 * @free_items:	items that are not used
 * @free_count:	how many
 * @items:	all of them
 * @control:	of Open and Close
 * @abort:	of the Abort when a file is closed without a Close
 * @last_state:	State request that was not fetched and can be overwritten, or NULL
 * @fetch_cmd:	FETCH that waits, or NULL
 * @fetch_going: one was taken out and is not completed yet
 * @fetch_end:	it is not to wait again
 * @fetch_lock:	mutex: one FETCH at a time, so that events keep their order
 * @setup_lock:	mutex: one SETUP_POOL at a time
 * @copy_lock:	mutex: H_COPY_RDMA into a buffer, and giving up its I/O address
 * @wait:	woken when there are events and when @state changes
 */
struct vasi_session {
	struct kref ref;
	struct vasi_adapter *adapter;
	u32 index;
	u32 top;
	u32 bottom;
	u64 stream_id;
	u32 service;
	enum vasi_session_state state;
	u8 open_status;
	unsigned long close_by;
	u64 sequence;
	u32 buffer_count;
	u32 pool_count;
	struct vasi_pool *pools[VASI_MAX_POOLS];
	struct list_head slots;
	struct list_head events;
	struct list_head free_items;
	u32 free_count;
	struct vasi_item items[VASI_SESSION_ITEMS];
	struct vasi_item control;
	struct vasi_item abort;
	struct vasi_item *last_state;
	struct io_uring_cmd *fetch_cmd;
	bool fetch_going;
	bool fetch_end;
	struct mutex fetch_lock;	/* one FETCH at a time */
	struct mutex setup_lock;	/* one SETUP_POOL at a time */
	struct mutex copy_lock;		/* I/O addresses stay while one is copied to */
	wait_queue_head_t wait;
};

/**
 * struct vasi_add_ref - a buffer that an Add Buffer named
 * @buf:	the buffer
 * @generation:	of its correlator then: it may have moved on since
 */
struct vasi_add_ref {
	struct vasi_buf *buf;
	u32 generation;
};

/**
 * struct vasi_list - an Add Buffer Indirect's memory buffer
 * @node:	in the adapter's free lists
 * @entries:	DMA memory: a correlator, then descriptors
 * @dma:	its I/O address
 * @count:	descriptors
 * @refs:	the buffers they name
 */
struct vasi_list {
	struct list_head node;
	__be64 *entries;
	dma_addr_t dma;
	u32 count;
	struct vasi_add_ref refs[VASI_INDIRECT_MAX];
};

/**
 * struct vasi_slot - a message that was sent and will be answered
 * @node:	in the session's slots, or in the adapter's free slots
 * @format:	enum vasi_format
 * @desc:	descriptor that it carried, or 0
 * @correlator:	of the buffer behind it, or 0
 * @add:	Add Buffer: the buffer
 * @list:	Add Buffer Indirect: its list
 * @item:	the others: what to tell user space
 */
struct vasi_slot {
	struct list_head node;
	u8 format;
	u64 desc;
	u64 correlator;
	union {
		struct vasi_add_ref add;
		struct vasi_list *list;
		struct vasi_item *item;
	};
};

/**
 * struct vasi_stats - counters for debugfs; under the adapter's lock
 * @sent:	messages to the platform
 * @received:	entries from the platform
 * @dropped:	times that the platform's queue was full
 * @refused:	requests of the platform that were answered with an error
 * @stray:	answers that nobody waited for
 * @operations:	operations that arrived
 * @downloads:	downloads that were asked for
 */
struct vasi_stats {
	u64 sent;
	u64 received;
	u64 dropped;
	u64 refused;
	u64 stray;
	u64 operations;
	u64 downloads;
};

/**
 * struct vasi_adapter - a VASI adapter
 * @dev:	its device; holds the reference count
 * @cdev:	/dev/vasiN
 * @id:		N
 * @hv:		hypervisor calls
 * @hv_data:	what they need
 * @dma_dev:	device that does DMA
 * @unit_address: name in hypervisor calls
 * @buffer_pools: pools of a session that may be added
 * @streams:	streams at the same time
 * @crq_bytes:	size of the ring
 * @ring_lock:	mutex: @ring and its registration
 * @ring:	Command/Response Queue
 * @lock:	spinlock: all that follows
 * @state:	changed by vasi_adapter_move() only
 * @caps:	agreed on, by service
 * @negotiating: service whose capabilities are being asked for
 * @going:	it is being removed: nothing new is begun
 * @alone:	WAITING: there was nobody at the other end
 * @generation:	last one used in a correlator
 * @lost:	sessions that ended with a reset, until the ring is freed
 * @epoch:	TOPs of earlier registrations name nothing
 * @resets:	how often the ring was registered anew
 * @reset_reason: of the reset that is due; the first one counts
 * @reset_pending: one is due
 * @failures:	resets since it was READY last
 * @sessions:	by index
 * @queue:	items that wait to be sent
 * @opens:	slots of Opens, in order: their answers do not name a session
 * @answers:	ring of answers of ours that wait
 * @answer_head, @answer_count: of that ring
 * @slots:	all slots
 * @free_slots:	those that are not used
 * @slot_count:	how many there are
 * @slots_used:	how many are used
 * @lists:	all lists, and the free ones
 * @lists_mem:	their DMA memory
 * @lists_dma:	its I/O address
 * @stats:	counters
 * @reset_work:	registers the ring anew
 * @retry_work:	sends again, after the platform's queue was full
 * @wait:	woken when @state changes
 * @debugfs:	directory
 */
struct vasi_adapter {
	struct device dev;
	struct cdev cdev;
	int id;
	const struct vasi_hv_ops *hv;
	void *hv_data;
	struct device *dma_dev;
	u32 unit_address;
	u32 buffer_pools;
	u32 streams;
	u32 crq_bytes;

	struct mutex ring_lock;		/* the ring, and its registration */
	struct vasi_ring ring;

	spinlock_t lock;		/* all that follows */
	enum vasi_adapter_state state;
	struct vasi_caps caps[VASI_SERVICE_TARGET_MOVER + 1];
	u32 negotiating;
	bool going;
	bool alone;
	u32 generation;
	struct list_head lost;
	u32 epoch;
	u32 resets;
	enum vasi_reset_reason reset_reason;
	bool reset_pending;
	u32 failures;
	struct vasi_session *sessions[VASI_MAX_SESSIONS];
	struct list_head queue;
	struct list_head opens;
	struct vasi_crq answers[VASI_MAX_ANSWERS];
	u32 answer_head;
	u32 answer_count;
	struct vasi_slot *slots;
	struct list_head free_slots;
	u32 slot_count;
	u32 slots_used;
	struct vasi_list *lists;
	struct list_head free_lists;
	void *lists_mem;
	dma_addr_t lists_dma;
	struct vasi_stats stats;

	struct delayed_work reset_work;
	struct delayed_work retry_work;
	struct delayed_work timeout_work;
	wait_queue_head_t wait;
	struct dentry *debugfs;
};

#define to_vasi_adapter(d)	container_of(d, struct vasi_adapter, dev)
#define item_to_buf(i)		container_of(i, struct vasi_buf, item)

/* vasi_main.c */
extern bool vasi_indirect_operations;
extern bool vasi_dirty_map;
int vasi_minor_get(void);
void vasi_minor_put(int minor);
dev_t vasi_devt(int minor);
extern struct class vasi_class;

/* vasi_vio.c */
#if IS_ENABLED(CONFIG_IBMVIO)
int vasi_vio_register(void);
void vasi_vio_unregister(void);
#else
static inline int vasi_vio_register(void) { return 0; }
static inline void vasi_vio_unregister(void) { }
#endif

/* vasi_adapter.c */
struct vasi_adapter *vasi_adapter_alloc(struct device *parent, const struct vasi_hv_ops *hv,
					void *hv_data, u32 crq_bytes);
int vasi_adapter_start(struct vasi_adapter *a);
void vasi_adapter_quiesce(struct vasi_adapter *a);
void vasi_adapter_shutdown(struct vasi_adapter *a);
void vasi_adapter_stop(struct vasi_adapter *a);
void vasi_adapter_watch(struct vasi_adapter *a);
void vasi_adapter_put(struct vasi_adapter *a);
void vasi_adapter_interrupt(struct vasi_adapter *a);
void vasi_adapter_reset(struct vasi_adapter *a, enum vasi_reset_reason reason);
void vasi_adapter_reset_locked(struct vasi_adapter *a, enum vasi_reset_reason reason);
void vasi_adapter_capabilities(struct vasi_adapter *a, const struct vasi_msg *msg);
const char *vasi_adapter_state_name(enum vasi_adapter_state state);
const char *vasi_reset_reason_name(enum vasi_reset_reason reason);
const struct vasi_caps *vasi_adapter_caps(const struct vasi_adapter *a, u32 service);

/* vasi_ring.c */
int vasi_ring_alloc(struct vasi_ring *ring, struct device *dev, u32 bytes);
void vasi_ring_free(struct vasi_ring *ring, struct device *dev);
void vasi_ring_clear(struct vasi_ring *ring);
bool vasi_ring_next(struct vasi_ring *ring, struct vasi_crq *entry);

/* vasi_queue.c */
int vasi_queue_alloc(struct vasi_adapter *a);
void vasi_queue_free(struct vasi_adapter *a);
int vasi_send_now(struct vasi_adapter *a, const struct vasi_crq *entry);
void vasi_queue_item(struct vasi_item *item);
void vasi_queue_answer(struct vasi_adapter *a, const struct vasi_crq *entry);
void vasi_queue_run(struct vasi_adapter *a);
void vasi_queue_drop(struct vasi_session *s);
void vasi_queue_forget(struct vasi_session *s);
void vasi_queue_clear(struct vasi_adapter *a);
void vasi_slot_free(struct vasi_adapter *a, struct vasi_slot *slot);

/* vasi_dispatch.c */
void vasi_dispatch(struct vasi_adapter *a, const struct vasi_crq *entry);

/* vasi_session.c */
struct vasi_session *vasi_session_open(struct vasi_adapter *a, u64 stream_id, u32 service,
				       u8 *status);
void vasi_session_opened(struct vasi_session *s, u8 status, u32 bottom);
int vasi_session_close(struct vasi_session *s, u64 token);
void vasi_session_close_sent(struct vasi_session *s);
void vasi_session_over(struct vasi_session *s);
void vasi_session_closed(struct vasi_session *s);
void vasi_session_release(struct vasi_session *s);
void vasi_session_put(struct vasi_session *s);
struct vasi_session *vasi_session_by_top(struct vasi_adapter *a, u32 top);
struct vasi_session *vasi_session_by_bottom(struct vasi_adapter *a, u32 bottom);
int vasi_session_error(const struct vasi_session *s);
int vasi_session_check(struct vasi_session *s);
bool vasi_sessions_overdue(struct vasi_adapter *a, bool *closing);
void vasi_sessions_lose(struct vasi_adapter *a);
void vasi_sessions_end(struct vasi_adapter *a);
const char *vasi_session_state_name(enum vasi_session_state state);

/* vasi_pool.c */
int vasi_pool_setup(struct vasi_session *s, struct vasi_pool_setup *setup);
void vasi_pools_unmap(struct vasi_session *s);
void vasi_pools_free(struct vasi_session *s);
u32 vasi_max_buffer_bytes(void);
bool vasi_downloads_indirect(const struct vasi_session *s);
void vasi_buf_move(struct vasi_buf *buf, enum vasi_buf_state state);
struct vasi_buf *vasi_buf_get(const struct vasi_session *s, u32 pool, u32 index);
struct vasi_buf *vasi_buf_find(struct vasi_adapter *a, u64 correlator);
u64 vasi_buf_rename(struct vasi_buf *buf);
u64 vasi_buf_mark(struct vasi_buf *buf);
void vasi_buf_sync(struct vasi_buf *buf);
u64 vasi_buf_correlator(const struct vasi_buf *buf);
u32 vasi_buf_index(const struct vasi_buf *buf);
void vasi_buf_add(struct vasi_buf *buf);
void vasi_buf_tell(struct vasi_buf *buf, enum vasi_io_event_type type, u8 status);
enum vasi_status vasi_buf_check_operation(struct vasi_buf *buf, u64 correlator);
int vasi_buf_fetch_indirect(struct vasi_buf *buf);
bool vasi_buf_is_platforms(const struct vasi_buf *buf);
bool vasi_buf_untouched(const struct vasi_buf *buf);
const char *vasi_buf_state_name(enum vasi_buf_state state);
struct vm_area_struct;
int vasi_pool_mmap(struct vasi_session *s, struct vm_area_struct *vma);

/* vasi_request.c */
int vasi_request(struct vasi_session *s, const struct vasi_io_request *req);
int vasi_submit(struct vasi_session *s, const struct vasi_vector *vector);

/* vasi_fetch.c */
struct vasi_item *vasi_item_get(struct vasi_session *s, u32 keep);
void vasi_item_done(struct vasi_item *item);
void vasi_item_fetched(struct vasi_item *item);
int vasi_fetch(struct vasi_session *s, const struct vasi_vector *vector);
int vasi_fetch_command(struct vasi_session *s, struct io_uring_cmd *cmd,
		       const struct vasi_vector *vector, unsigned int issue_flags);
void vasi_fetch_cancel(struct vasi_session *s, struct io_uring_cmd *cmd,
		       unsigned int issue_flags);
void vasi_session_wake(struct vasi_session *s);

/* vasi_cdev.c, vasi_file.c */
extern const struct file_operations vasi_adapter_fops;
extern const struct file_operations vasi_session_fops;
int vasi_copy_in(void *to, size_t size, size_t least, const void __user *from, u32 *user_size);
int vasi_copy_out(void __user *to, const void *from, size_t size, u32 user_size);
void vasi_read_vector(struct io_uring_cmd *cmd, struct vasi_vector *vector);

/* vasi_netlink.c */
int vasi_netlink_register(void);
void vasi_netlink_unregister(void);
void vasi_notify_adapter(struct vasi_adapter *a);
void vasi_notify_reset(struct vasi_adapter *a, enum vasi_reset_reason reason);
void vasi_notify_session(struct vasi_session *s, enum vasi_cmd cmd);
void vasi_notify_state(struct vasi_session *s, u32 state, u32 reason);

/* vasi_debugfs.c */
void vasi_debugfs_init(void);
void vasi_debugfs_exit(void);
void vasi_debugfs_add(struct vasi_adapter *a);
void vasi_debugfs_remove(struct vasi_adapter *a);

#endif /* _VASI_DRIVER_H */
