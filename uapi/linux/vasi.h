/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Virtual Asynchronous Services Interface (VASI): the character device.
 *
 * /dev/vasiN is an adapter; it takes CAP_SYS_ADMIN to open it, because what
 * comes out of it is another partition's memory.  VASI_IOC_OPEN_STREAM makes a
 * session of it: one open of one stream, with a file descriptor of its own.
 * A session has pools of buffers, which are mapped with mmap().
 *
 *	ioctls of the adapter	VASI_IOC_GET_INFO, _OPEN_STREAM, _STREAM_STATE,
 *				_STREAM_CANCEL
 *	ioctls of a session	VASI_IOC_SETUP_POOL, _SUBMIT, _FETCH, _DONATE
 *	io_uring commands	_OPEN_STREAM, _SUBMIT, _FETCH: IORING_OP_URING_CMD
 *				with the ioctl's number as cmd_op
 *
 * A session takes requests (VASI_IOC_SUBMIT) and gives events (VASI_IOC_FETCH),
 * both in vectors.  No request waits for its answer: the answer is an event that
 * carries the request's token.  poll() of a session tells EPOLLIN when there are
 * events, EPOLLHUP when the session is over.
 *
 * Numbers are in host byte order here; what lies in a buffer is big-endian
 * (<linux/vasi_crq.h>).  A structure starts with its size; the kernel takes a
 * shorter one as if zeros followed and a longer one if only zeros follow what it
 * knows, else -E2BIG.  Reserved fields and unknown flags are refused (-EINVAL).
 *
 * "LoPAR" is the Linux on Power Architecture Reference, revision 2.9, section
 * "Virtual Asynchronous Services Interface (VASI)".
 */
#ifndef _UAPI_LINUX_VASI_H
#define _UAPI_LINUX_VASI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Not registered with the kernel's list of ioctl numbers */
#define VASI_IOC_MAGIC			0xBB

/**
 * enum vasi_adapter_state - what an adapter is up to
 * @VASI_ADAPTER_DOWN: registering its queue, or waiting until it may try again
 * @VASI_ADAPTER_WAITING: queue registered, no handshake with the platform yet
 * @VASI_ADAPTER_NEGOTIATING: capabilities are being exchanged
 * @VASI_ADAPTER_READY: streams can be opened
 * @VASI_ADAPTER_DEAD: removed; for good
 */
enum vasi_adapter_state {
	VASI_ADAPTER_DOWN		= 0,
	VASI_ADAPTER_WAITING		= 1,
	VASI_ADAPTER_NEGOTIATING	= 2,
	VASI_ADAPTER_READY		= 3,
	VASI_ADAPTER_DEAD		= 4
};

/* struct vasi_info, features */
/* VASI_IOC_FETCH stays pending in io_uring; otherwise it answers 0, and poll() helps */
#define VASI_FEATURE_FETCH_WAITS	(1ULL << 0)
/* Indirect operations are fetched (struct vasi_pool_setup, fetch_bytes) */
#define VASI_FEATURE_INDIRECT		(1ULL << 1)
/* The platform offers the Dirty Map extension */
#define VASI_FEATURE_DIRTY_MAP		(1ULL << 2)

/**
 * struct vasi_info - an adapter (VASI_IOC_GET_INFO)
 * @size:	bytes of this structure, in and out
 * @flags:	zero
 * @features:	VASI_FEATURE_*
 * @state:	enum vasi_adapter_state
 * @unit_address: of the adapter, in hypervisor calls
 * @crq_bytes:	size of the Command/Response Queue
 * @buffer_pools: pools of a session that may be added to the platform's
 * @streams:	streams that the platform serves at the same time
 * @resets:	how often the queue was registered anew
 * @max_buffer_bytes: largest buffer of a pool
 * @max_buffers: most buffers of a session
 * @source_features: VASI_CAP_* agreed on for source movers; zero until READY
 * @source_operations: VASI_CAP_OP_*, likewise
 * @source_opens: sessions per stream, likewise
 * @reserved0:	zero
 * @target_features: for target movers
 * @target_operations: likewise
 * @target_opens: likewise
 * @reserved1:	zero
 */
struct vasi_info {
	__u32	size;
	__u32	flags;
	__u64	features;
	__u32	state;
	__u32	unit_address;
	__u32	crq_bytes;
	__u32	buffer_pools;
	__u32	streams;
	__u32	resets;
	__u32	max_buffer_bytes;
	__u32	max_buffers;
	__u8	source_features;
	__u8	source_operations;
	__u8	source_opens;
	__u8	reserved0;
	__u8	target_features;
	__u8	target_operations;
	__u8	target_opens;
	__u8	reserved1;
};

/**
 * struct vasi_open_stream - open a stream (VASI_IOC_OPEN_STREAM)
 * @size:	bytes of this structure
 * @flags:	zero
 * @stream_id:	the stream
 * @service:	enum vasi_service
 * @fd:		out: the session, close-on-exec
 * @status:	out: enum vasi_status of the platform's answer; valid if the
 *		return value is 0 or -EREMOTEIO
 * @top:	out: the session as this side names it
 * @bottom:	out: the session as the platform names it
 * @reserved:	zero
 *
 * Waits, killably, for the adapter to be ready and for the platform's answer.
 * @fd is the last thing that is made: an error leaves none.
 *
 * Errors: -EREMOTEIO: refused, see @status; -ETIMEDOUT: no answer; -ENODEV;
 * -ECONNRESET: the queue was reset meanwhile; -ENOSPC: 1023 sessions;
 * -EMFILE; -ENOMEM; -EINTR.
 *
 * LoPAR, "VASI CRQ Message Definition": Open.
 */
struct vasi_open_stream {
	__u32	size;
	__u32	flags;
	__u64	stream_id;
	__u32	service;
	__s32	fd;
	__u32	status;
	__u32	top;
	__u32	bottom;
	__u32	reserved;
};

/**
 * struct vasi_stream - a stream without a session
 * @size:	bytes of this structure
 * @flags:	zero
 * @stream_id:	the stream
 * @reason:	VASI_IOC_STREAM_CANCEL: abort reason; otherwise zero
 * @state:	VASI_IOC_STREAM_STATE, out: enum vasi_state
 * @rc:		out: what the hcall returned
 *
 * H_VASI_STATE and H_VASI_SIGNAL (Cancel).  The return value is 0 whatever @rc
 * is: a stream that the platform does not know is an answer, too.
 */
struct vasi_stream {
	__u32	size;
	__u32	flags;
	__u64	stream_id;
	__u32	reason;
	__u32	state;
	__s64	rc;
};

/**
 * struct vasi_pool_setup - give a session a pool of buffers (VASI_IOC_SETUP_POOL)
 * @size:	bytes of this structure
 * @flags:	zero
 * @buffer_bytes: of each buffer: a multiple of 4096 from 8192 to max_buffer_bytes
 * @count:	buffers, at least 1
 * @fetch_bytes: in and out: zero, or where VASI_FEATURE_INDIRECT: data of one
 *		indirect operation that a buffer can take beyond itself; a multiple
 *		of 4096, made one of the page size
 * @pool:	out: number of the pool in its session
 * @stride:	out: bytes from one buffer to the next in the mapping
 * @data_offset: out: where the data of a VASI_REQ_DOWNLOAD starts at the earliest
 * @mmap_offset: out: offset for mmap()
 * @mmap_bytes:	out: size of the mapping: @count * @stride
 *
 * Buffers are zeroed and belong to the caller (struct vasi_io_request).  The mapping
 * is shared and may be read and written; it stays valid after the session has
 * ended, but nothing is exchanged with the platform through it any more.  Its
 * pages can be sent with MSG_ZEROCOPY, and registered as io_uring buffers (from Linux 6.5
 * on: earlier ones register no memory of a file).
 *
 * Errors: -EINVAL; -ENOSPC: the session has 63 pools, or would have more buffers
 * than max_buffers; -ENOMEM: no memory, or no room in the DMA window;
 * -ECONNRESET; -ENODEV.
 */
struct vasi_pool_setup {
	__u32	size;
	__u32	flags;
	__u32	buffer_bytes;
	__u32	count;
	__u32	fetch_bytes;
	__u32	pool;
	__u32	stride;
	__u32	data_offset;
	__u64	mmap_offset;
	__u64	mmap_bytes;
};

/**
 * enum vasi_io_op - what a request asks for
 * @VASI_REQ_COMPLETE: answer the operation of a buffer, or give a buffer to the
 *		platform, or both (u.complete)
 * @VASI_REQ_DOWNLOAD: hand a buffer's data to the platform (u.download)
 * @VASI_REQ_FREE: take a buffer of @pool back from the platform; which, the event
 *		tells
 * @VASI_REQ_SIGNAL: signal the platform (u.signal)
 * @VASI_REQ_PROGRESS: ask how many bytes are left
 * @VASI_REQ_MESSAGE: pass eight bytes through to the platform (u.message)
 * @VASI_REQ_DIRTY_MAP: have a buffer filled with dirty bits (u.dirty_map)
 * @VASI_REQ_CLOSE: end the session; its event is the last one
 */
enum vasi_io_op {
	VASI_REQ_COMPLETE		= 1,
	VASI_REQ_DOWNLOAD		= 2,
	VASI_REQ_FREE			= 3,
	VASI_REQ_SIGNAL			= 4,
	VASI_REQ_PROGRESS		= 5,
	VASI_REQ_MESSAGE		= 6,
	VASI_REQ_DIRTY_MAP		= 7,
	VASI_REQ_CLOSE			= 8
};

/* struct vasi_io_request, flags of VASI_REQ_COMPLETE */
/* The buffer holds an operation: answer it with u.complete.status */
#define VASI_COMPLETE_RESPOND		(1 << 0)
/* Give the buffer to the platform (again) */
#define VASI_COMPLETE_ADD		(1 << 1)
/* Flag of VASI_REQ_DIRTY_MAP: clear the bits that are returned */
#define VASI_DIRTY_CLEAR		(1 << 0)

/**
 * struct vasi_io_request - one request (VASI_IOC_SUBMIT)
 * @op:		enum vasi_io_op
 * @flags:	of the op; the others are zero
 * @pool:	COMPLETE, DOWNLOAD, DIRTY_MAP, FREE: pool
 * @reserved:	zero
 * @index:	COMPLETE, DOWNLOAD, DIRTY_MAP: buffer in the pool
 * @generation:	COMPLETE with RESPOND: as in the event that delivered the operation
 * @token:	comes back in the event
 * @u:		of the op, see there; the rest of it is zero
 * @u.complete.status: enum vasi_status of the answer.  Success is sent only where
 *		the operation asks for it.
 * @u.complete.residual: with VASI_END_OF_FILE: bytes that were not taken
 * @u.download.offset: of the data in the buffer, data_offset of the pool or more
 * @u.download.bytes: of data, 1 to VASI_MAX_LENGTH
 * @u.signal.code: enum vasi_signal_code
 * @u.signal.reason: of an abort, cancel or failover
 * @u.message:	eight bytes, as a number
 * @u.dirty_map.first_page: first page asked for, in pages of @granule bytes
 * @u.dirty_map.pages: pages asked for
 * @u.dirty_map.granule: 4096, 65536, or 0 for the platform's own
 *
 * Who owns a buffer:
 *
 *	free	   the caller; it may be added, downloaded, filled with dirty bits
 *	platform   added.  An operation comes in it, or FREE gives it back.
 *	operation  the caller, with an operation that waits for COMPLETE
 *	busy	   being downloaded or filled; its event makes it free
 *
 * A request on a buffer that is in another of these is refused with -EBUSY, one
 * with an old generation with -ESTALE.  An answer that could not be sent yet keeps its
 * buffer busy for anything but an ADD.
 *
 * A buffer's first bytes are the platform's name for it while the platform has it.  Who
 * writes there can lose it until the session is closed: VASI_EVT_FREED then says
 * VASI_HARDWARE, and an operation in it is refused.
 */
__extension__ struct vasi_io_request {
	__u16	op;
	__u16	flags;
	__u16	pool;
	__u16	reserved;
	__u32	index;
	__u32	generation;
	__u64	token;
	union {
		struct {
			__u32	status;
			__u32	reserved;
			__u64	residual;
		} complete;
		struct {
			__u32	offset;
			__u32	bytes;
		} download;
		struct {
			__u32	code;
			__u32	reason;
		} signal;
		__u64	message;
		struct {
			__u64	first_page;
			__u32	pages;
			__u32	granule;
		} dirty_map;
		__u64	reserved[5];
	} u;
};

/**
 * enum vasi_io_event_type - what an event tells
 * @VASI_EVT_OPERATION: the platform filled a buffer (u.operation)
 * @VASI_EVT_ADDED: a buffer was refused by the platform; it is free.  A buffer
 *		that was added makes no event.
 * @VASI_EVT_DOWNLOADED: completion of VASI_REQ_DOWNLOAD; the buffer is free
 * @VASI_EVT_FREED: completion of VASI_REQ_FREE; with Success the buffer is free
 * @VASI_EVT_SIGNALLED: completion of VASI_REQ_SIGNAL
 * @VASI_EVT_PROGRESS: completion of VASI_REQ_PROGRESS (u.bytes_left)
 * @VASI_EVT_MESSAGED: completion of VASI_REQ_MESSAGE
 * @VASI_EVT_DIRTY_MAP: completion of VASI_REQ_DIRTY_MAP (u.dirty_map); the
 *		buffer is free
 * @VASI_EVT_CLOSED: completion of VASI_REQ_CLOSE; the session's last event
 * @VASI_EVT_STATE: the stream is in a new state (u.state)
 * @VASI_EVT_MESSAGE: eight bytes from the other side (u.message)
 */
enum vasi_io_event_type {
	VASI_EVT_OPERATION		= 1,
	VASI_EVT_ADDED		= 2,
	VASI_EVT_DOWNLOADED		= 3,
	VASI_EVT_FREED		= 4,
	VASI_EVT_SIGNALLED		= 5,
	VASI_EVT_PROGRESS		= 6,
	VASI_EVT_MESSAGED		= 7,
	VASI_EVT_DIRTY_MAP		= 8,
	VASI_EVT_CLOSED		= 9,
	VASI_EVT_STATE		= 10,
	VASI_EVT_MESSAGE		= 11
};

/**
 * struct vasi_io_event - one event (VASI_IOC_FETCH)
 * @type:	enum vasi_io_event_type
 * @status:	completions: enum vasi_status of the platform's answer
 * @pool:	events of a buffer: its pool
 * @index:	likewise: its index
 * @generation:	OPERATION: for the VASI_REQ_COMPLETE
 * @token:	completions: of the request
 * @u:		of the type
 * @u.operation.sequence: counts the operations of a session in the order in which
 *		they arrived: sequential writes are a stream of bytes
 * @u.operation.correlator: the platform's name of the operation
 * @u.operation.bytes: of data, in all segments
 * @u.operation.op_code: VASI_OP_* bits
 * @u.operation.segments: how many
 * @u.operation.fetched: bytes of indirect data that the kernel fetched; they lie
 *		in order from stride - fetch_bytes of the buffer on
 * @u.bytes_left: a best-effort estimate
 * @u.message:	eight bytes, as a number
 * @u.state.state: enum vasi_state
 * @u.state.reason: of an abort or failover
 * @u.dirty_map.first_page: of the answer
 * @u.dirty_map.dirty: bits that are set
 * @u.dirty_map.pages: pages covered; may be fewer than asked for
 * @u.dirty_map.granule: the one that was used
 *
 * An operation's specifier lies in its buffer (struct vasi_op_specifier), a dirty
 * map's bits from byte VASI_CORRELATOR_BYTES + sizeof(struct
 * vasi_dirty_map_specifier) on.
 */
__extension__ struct vasi_io_event {
	__u16	type;
	__u16	status;
	__u16	pool;
	__u16	reserved;
	__u32	index;
	__u32	generation;
	__u64	token;
	union {
		struct {
			__u64	sequence;
			__u64	correlator;
			__u64	bytes;
			__u32	op_code;
			__u32	segments;
			__u64	fetched;
		} operation;
		__u64	bytes_left;
		__u64	message;
		struct {
			__u32	state;
			__u32	reason;
		} state;
		struct {
			__u64	first_page;
			__u64	dirty;
			__u32	pages;
			__u32	granule;
		} dirty_map;
		__u64	reserved[5];
	} u;
};

/**
 * struct vasi_vector - requests to submit, or room for events to fetch
 * @entries:	address of the first struct vasi_io_request or struct vasi_io_event
 * @count:	how many
 * @entry_bytes: bytes of each: sizeof() as the caller knows it, 64 or more
 *
 * VASI_IOC_SUBMIT returns how many requests were taken; that may be fewer than
 * @count when the queue to the platform is full (poll() tells EPOLLOUT when there
 * is room) or when one is refused, which the next call says then.  It is an error
 * only for the first of them.
 *
 * VASI_IOC_FETCH returns how many events were stored.  The ioctl returns 0 if there
 * are none; the io_uring command waits where VASI_FEATURE_FETCH_WAITS.  At most one
 * fetch of a session waits at a time (-EBUSY).  It answers 0 when a fetch with a
 * @count of 0 comes, which is how a caller ends it.
 *
 * Errors: -EINVAL, -E2BIG, -EFAULT, -EAGAIN (as a command: -ENOBUFS): no room for the
 * first request;
 * -ENOTCONN: the session is closed, or closing; -ECONNRESET: it was lost with a
 * reset of the adapter; -ENODEV: the adapter is gone.  FETCH gives what had arrived
 * before it says so.
 *
 * In an SQE, it lies in the command's 16 bytes.  A result above zero counts as a failure
 * for IOSQE_IO_LINK: do not link anything behind it.  For VASI_IOC_OPEN_STREAM as a command
 * @entries is the address of a struct vasi_open_stream, @count is 1 and @entry_bytes
 * its size; it is carried out by a worker of the ring and delays nothing else.
 */
struct vasi_vector {
	__u64	entries;
	__u32	count;
	__u32	entry_bytes;
};

/**
 * struct vasi_donate - give the platform processor cycles (VASI_IOC_DONATE)
 * @size:	bytes of this structure
 * @flags:	zero
 * @budget_ns:	go on while the platform has more to do and less than this has
 *		passed; 0 = one call
 * @calls:	out: calls that were made
 * @reserved:	zero
 * @rc:		out: what the last call returned: Success: the stream is complete;
 *		In_Progress: there is more to do; LongBusy: nothing to do now, come
 *		back later; Parameter: the session is not open any more; Aborted
 *
 * H_DONOR_OPERATION, in the caller's context, so that its priority and its control
 * group count.  Any thread; sessions of one stream in parallel.  The return value is
 * 0 whatever @rc is.
 */
struct vasi_donate {
	__u32	size;
	__u32	flags;
	__u64	budget_ns;
	__u32	calls;
	__u32	reserved;
	__s64	rc;
};

#define VASI_IOC_GET_INFO	_IOWR(VASI_IOC_MAGIC, 0x00, struct vasi_info)
#define VASI_IOC_OPEN_STREAM	_IOWR(VASI_IOC_MAGIC, 0x01, struct vasi_open_stream)
#define VASI_IOC_STREAM_STATE	_IOWR(VASI_IOC_MAGIC, 0x02, struct vasi_stream)
#define VASI_IOC_STREAM_CANCEL	_IOWR(VASI_IOC_MAGIC, 0x03, struct vasi_stream)

#define VASI_IOC_SETUP_POOL	_IOWR(VASI_IOC_MAGIC, 0x10, struct vasi_pool_setup)
#define VASI_IOC_SUBMIT		_IOW(VASI_IOC_MAGIC, 0x11, struct vasi_vector)
#define VASI_IOC_FETCH		_IOW(VASI_IOC_MAGIC, 0x12, struct vasi_vector)
#define VASI_IOC_DONATE		_IOWR(VASI_IOC_MAGIC, 0x13, struct vasi_donate)

#endif /* _UAPI_LINUX_VASI_H */
