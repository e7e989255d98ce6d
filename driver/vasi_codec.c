// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The VASI message codec: CRQ messages, buffer descriptors, operation and
 * download specifiers (LoPAR 2.9, section "Virtual Asynchronous Services
 * Interface (VASI)").  This file is compiled unchanged in the kernel and in
 * user space.
 */
#include <linux/types.h>
#include <asm/byteorder.h>
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/stddef.h>
#include <linux/string.h>
#else
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define barrier() __asm__ __volatile__("" : : : "memory")
#endif

#include "vasi_codec.h"

#define CHECK_BYTES(type, bytes) \
	static_assert(sizeof(type) == (bytes), #type " is not " #bytes " bytes")
#define CHECK_PLACE(type, member, byte) \
	static_assert(offsetof(type, member) == (byte), \
		      #type "." #member " is not at byte " #byte)

CHECK_BYTES(struct vasi_crq_pool, 8);
CHECK_BYTES(struct vasi_crq_free_buffer, 8);
CHECK_BYTES(struct vasi_crq_signal, 8);
CHECK_BYTES(struct vasi_crq_caps, 8);
CHECK_BYTES(struct vasi_crq, 16);
CHECK_PLACE(struct vasi_crq, handle, 4);
CHECK_PLACE(struct vasi_crq, data, 8);
CHECK_PLACE(struct vasi_crq, pool.pool_length, 13);
CHECK_PLACE(struct vasi_crq, free_buffer.length, 13);
CHECK_PLACE(struct vasi_crq, signal.code, 12);
CHECK_PLACE(struct vasi_crq, caps.dirty_map, 10);
CHECK_PLACE(struct vasi_crq, caps.features, 13);
CHECK_PLACE(struct vasi_crq, caps.opens, 15);
CHECK_BYTES(struct vasi_descriptor, 8);
CHECK_BYTES(struct vasi_indirect_buffer, 8);
CHECK_BYTES(struct vasi_op_specifier, 24);
CHECK_PLACE(struct vasi_op_specifier, offset, 9);
CHECK_PLACE(struct vasi_op_specifier, correlator, 16);
CHECK_BYTES(struct vasi_dirty_map_specifier, 32);
CHECK_PLACE(struct vasi_dirty_map_specifier, dirty, 24);

#define VASI_OFFSET_MAX		0xFFFFFFFFFFFFFFULL	/* 56 bits */

static void read_once(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	/* @from may change: the compiler must not go back to it for @to */
	barrier();
}

static __u32 get_be24(const __u8 *p)
{
	return (__u32)p[0] << 16 | (__u32)p[1] << 8 | p[2];
}

static void put_be24(__u8 *p, __u32 value)
{
	p[0] = value >> 16 & 0xFF;
	p[1] = value >> 8 & 0xFF;
	p[2] = value & 0xFF;
}

static __u32 get_be32(const __u8 *p)
{
	return (__u32)p[0] << 24 | get_be24(p + 1);
}

static void put_be32(__u8 *p, __u32 value)
{
	p[0] = value >> 24 & 0xFF;
	put_be24(p + 1, value);
}

static __u64 get_be56(const __u8 *p)
{
	return (__u64)get_be24(p) << 32 | get_be32(p + 3);
}

static void put_be56(__u8 *p, __u64 value)
{
	put_be24(p, (value >> 32) & 0xFFFFFF);
	put_be32(p + 3, value & 0xFFFFFFFF);
}

/*
 * Messages
 */

/* What a format carries; a byte that no field covers is reserved */
enum field {
	FIELD_SERVICE	= 1 << 0,	/* byte 3 */
	FIELD_COUNT	= 1 << 1,	/* byte 3 */
	FIELD_CONTROL	= 1 << 2,	/* bytes 2-3 */
	FIELD_HANDLE	= 1 << 3,	/* bytes 4-7 */
	FIELD_RESIDUAL	= 1 << 4,	/* bytes 3-7 */
	FIELD_CAPS	= 1 << 5,	/* bytes 4-15 */
	FIELD_DATA	= 1 << 6,	/* bytes 8-15 */
	FIELD_LENGTH	= 1 << 7,	/* bytes 13-15 */
	FIELD_SIGNAL	= 1 << 8,	/* bytes 8-13 */
	FIELD_POOL	= 1 << 9,	/* bytes 11-15 with Success, else 8-15 */
};

struct layout {
	const char *request_name;
	const char *response_name;
	unsigned int request;		/* enum field; 0: no such message */
	unsigned int response;
};

/* LoPAR, "Reliable CRQ Entry Format Byte Definitions" and the figures */
static const struct layout layouts[] = {
	[VASI_FMT_CAPABILITIES] = {
		"Capabilities request", "Capabilities response",
		FIELD_SERVICE | FIELD_CAPS, FIELD_SERVICE | FIELD_CAPS,
	},
	[VASI_FMT_OPEN] = {
		"Open request", "Open response",
		FIELD_SERVICE | FIELD_HANDLE | FIELD_DATA,
		FIELD_SERVICE | FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_CLOSE] = {
		"Close request", "Close response",
		FIELD_HANDLE, FIELD_HANDLE,
	},
	[VASI_FMT_ADD_BUFFER] = {
		"Add Buffer request", "Add Buffer response",
		FIELD_HANDLE | FIELD_DATA, FIELD_HANDLE | FIELD_POOL,
	},
	[VASI_FMT_FREE_BUFFER] = {
		"Free Buffer request", "Free Buffer response",
		FIELD_HANDLE | FIELD_LENGTH, FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_DOWNLOAD] = {
		"Download request", "Download response",
		FIELD_HANDLE | FIELD_DATA, FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_OPERATION] = {
		"Operation request", "Operation response",
		FIELD_DATA, FIELD_RESIDUAL | FIELD_DATA,
	},
	[VASI_FMT_SIGNAL] = {
		"Signal request", "Signal response",
		FIELD_HANDLE | FIELD_SIGNAL, FIELD_HANDLE | FIELD_SIGNAL,
	},
	[VASI_FMT_STATE] = {
		"State request", NULL,
		FIELD_HANDLE | FIELD_SIGNAL, 0,
	},
	[VASI_FMT_PROGRESS] = {
		"Progress request", "Progress response",
		FIELD_HANDLE, FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_ADD_BUFFER_INDIRECT] = {
		"Add Buffer Indirect request", "Add Buffer Indirect response",
		FIELD_COUNT | FIELD_HANDLE | FIELD_DATA,
		FIELD_COUNT | FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_MESSAGE_UPLOAD] = {
		"Message Upload", "Message Upload response",
		FIELD_CONTROL | FIELD_HANDLE | FIELD_DATA,
		FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_MESSAGE_DOWNLOAD] = {
		"Message Download", "Message Download response",
		FIELD_CONTROL | FIELD_HANDLE | FIELD_DATA,
		FIELD_HANDLE | FIELD_DATA,
	},
	[VASI_FMT_DIRTY_MAP] = {
		"Dirty Map request", "Dirty Map response",
		FIELD_HANDLE | FIELD_DATA, FIELD_HANDLE | FIELD_DATA,
	},
};

static const struct layout *find_layout(__u8 format)
{
	__u8 index = format & ~VASI_FMT_RESPONSE;

	return index < ARRAY_SIZE(layouts) ? &layouts[index] : NULL;
}

static unsigned int find_fields(__u8 format)
{
	const struct layout *layout = find_layout(format);

	if (!layout)
		return 0;
	return format & VASI_FMT_RESPONSE ? layout->response : layout->request;
}

static void encode_head(struct vasi_crq *entry, const struct vasi_msg *msg,
			unsigned int fields)
{
	__u64 residual;

	if (fields & FIELD_CONTROL) {
		entry->byte2 = msg->control;
		entry->byte3 = msg->sub_control;
	}
	if (fields & FIELD_SERVICE)
		entry->byte3 = msg->service;
	if (fields & FIELD_COUNT)
		entry->byte3 = msg->count;
	if (fields & FIELD_HANDLE)
		entry->handle = __cpu_to_be32(msg->handle);
	if (fields & FIELD_RESIDUAL) {
		residual = msg->residual;
		if (residual > VASI_RESIDUAL_MAX)
			residual = VASI_RESIDUAL_MAX;
		entry->byte3 = residual >> 32;
		entry->handle = __cpu_to_be32(residual & 0xFFFFFFFF);
	}
}

static void encode_pool(struct vasi_crq *entry, const struct vasi_msg *msg)
{
	/* Without Success the answer repeats the descriptor or correlator */
	if (msg->status != VASI_SUCCESS) {
		entry->data = __cpu_to_be64(msg->data);
		return;
	}
	entry->pool.free_buffers[0] = msg->free_buffers >> 8;
	entry->pool.free_buffers[1] = msg->free_buffers & 0xFF;
	put_be24(entry->pool.pool_length, msg->length);
}

static void encode_tail(struct vasi_crq *entry, const struct vasi_msg *msg,
			unsigned int fields)
{
	if (fields & FIELD_DATA)
		entry->data = __cpu_to_be64(msg->data);
	if (fields & FIELD_LENGTH)
		put_be24(entry->free_buffer.length, msg->length);
	if (fields & FIELD_POOL)
		encode_pool(entry, msg);
	if (fields & FIELD_SIGNAL) {
		entry->signal.reason = __cpu_to_be32(msg->reason);
		entry->signal.code = __cpu_to_be16(msg->code);
	}
	if (fields & FIELD_CAPS) {
		entry->caps.dirty_map = __cpu_to_be16(msg->caps.dirty_map);
		entry->caps.features = msg->caps.features;
		entry->caps.operations = msg->caps.operations;
		entry->caps.opens = msg->caps.opens;
	}
}

/**
 * vasi_msg_encode() - Lay a message out as a CRQ entry.
 * @entry: The entry; written whole, big-endian, all reserved bytes zero.
 *         Memory of the caller's own: the queue's valid byte is not stored
 *         last.
 * @msg: The message, in host byte order.
 *
 * A residual of more than VASI_RESIDUAL_MAX bytes becomes VASI_RESIDUAL_MAX;
 * of a length only the low 24 bits fit.  Of a format that LoPAR does not
 * define, only the format and, in a response, the status are laid out.
 *
 * See LoPAR, "VASI CRQ Message Definition".
 *
 * Context: Any.
 */
void vasi_msg_encode(struct vasi_crq *entry, const struct vasi_msg *msg)
{
	unsigned int fields = find_fields(msg->format);

	memset(entry, 0, sizeof(*entry));
	entry->header = VASI_CRQ_COMMAND;
	entry->format = msg->format;
	if (msg->format & VASI_FMT_RESPONSE)
		entry->byte2 = msg->status;
	encode_head(entry, msg, fields);
	encode_tail(entry, msg, fields);
}

/* Returns the reserved bytes, or-ed together */
static __u32 decode_head(struct vasi_msg *msg, const struct vasi_crq *entry,
			 unsigned int fields)
{
	__u32 reserved = 0;

	if (fields & FIELD_CONTROL) {
		msg->control = entry->byte2;
		msg->sub_control = entry->byte3;
	} else if (!(msg->format & VASI_FMT_RESPONSE)) {
		reserved |= entry->byte2;
	}

	if (fields & FIELD_RESIDUAL) {
		msg->residual = (__u64)entry->byte3 << 32 |
				__be32_to_cpu(entry->handle);
		return reserved;
	}

	if (fields & FIELD_SERVICE)
		msg->service = entry->byte3;
	else if (fields & FIELD_COUNT)
		msg->count = entry->byte3;
	else if (!(fields & FIELD_CONTROL))
		reserved |= entry->byte3;

	if (fields & FIELD_HANDLE)
		msg->handle = __be32_to_cpu(entry->handle);
	else if (!(fields & FIELD_CAPS))
		reserved |= __be32_to_cpu(entry->handle);
	return reserved;
}

static __u32 decode_pool(struct vasi_msg *msg, const struct vasi_crq *entry)
{
	if (msg->status != VASI_SUCCESS) {
		msg->data = __be64_to_cpu(entry->data);
		return 0;
	}
	msg->free_buffers = entry->pool.free_buffers[0] << 8 |
			    entry->pool.free_buffers[1];
	msg->length = get_be24(entry->pool.pool_length);
	return get_be24(entry->pool.reserved);
}

/* Returns the reserved bytes, or-ed together */
static __u32 decode_tail(struct vasi_msg *msg, const struct vasi_crq *entry,
			 unsigned int fields)
{
	const __u8 *free_reserved = entry->free_buffer.reserved;

	if (fields & FIELD_DATA) {
		msg->data = __be64_to_cpu(entry->data);
		return 0;
	}
	if (fields & FIELD_LENGTH) {
		msg->length = get_be24(entry->free_buffer.length);
		return get_be32(free_reserved) | free_reserved[4];
	}
	if (fields & FIELD_POOL)
		return decode_pool(msg, entry);
	if (fields & FIELD_SIGNAL) {
		msg->reason = __be32_to_cpu(entry->signal.reason);
		msg->code = __be16_to_cpu(entry->signal.code);
		return __be16_to_cpu(entry->signal.reserved);
	}
	if (fields & FIELD_CAPS) {
		msg->caps.dirty_map = __be16_to_cpu(entry->caps.dirty_map);
		msg->caps.features = entry->caps.features;
		msg->caps.operations = entry->caps.operations;
		msg->caps.opens = entry->caps.opens;
		return 0;
	}
	return entry->data != 0;
}

/**
 * vasi_msg_decode() - Read and check a CRQ entry with a VASI message.
 * @msg: The message, in host byte order.  Unless the entry is refused, every
 *       member that the format does not have is zero; if it is refused, only
 *       the format and, in a response, the status are to be used.
 * @entry: The entry; may be in shared memory, every byte is read once.
 *
 * Checks the header, the format and the reserved bytes; not the values, which
 * only the receiver can judge.  Requests and responses both decode; which of
 * them a receiver accepts from its partner is its own decision.
 *
 * The reserved bytes of a capability string are not checked (LoPAR, "VASI
 * Request/Response Pairs", R1-6), nor are those of a response without
 * Success, which repeats bytes of the request.
 *
 * A receiver answers a refused request with vasi_msg_reject().  A response
 * that is refused gets no answer from a VSP, or two ends that do not
 * understand each other would never stop.
 *
 * Context: Any.
 * Return: VASI_SUCCESS; VASI_INVALID_FORMAT if the header is not
 * VASI_CRQ_COMMAND or the format is not defined; VASI_UNKNOWN_RESERVED if a
 * reserved byte is not zero.
 */
enum vasi_status vasi_msg_decode(struct vasi_msg *msg,
				 const struct vasi_crq *entry)
{
	struct vasi_crq copy;
	unsigned int fields;
	__u32 reserved;

	read_once(&copy, entry, sizeof(copy));
	memset(msg, 0, sizeof(*msg));
	msg->format = copy.format;
	if (copy.format & VASI_FMT_RESPONSE)
		msg->status = copy.byte2;

	fields = find_fields(copy.format);
	if (copy.header != VASI_CRQ_COMMAND || !fields)
		return VASI_INVALID_FORMAT;

	reserved = decode_head(msg, &copy, fields);
	reserved |= decode_tail(msg, &copy, fields);
	if (reserved && msg->status == VASI_SUCCESS)
		return VASI_UNKNOWN_RESERVED;
	return VASI_SUCCESS;
}

/**
 * vasi_msg_reject() - Answer an entry that is not understood.
 * @answer: The answer; may be @entry.
 * @entry: What was received; every byte is read once.
 * @status: Why it is refused.
 *
 * The answer is the entry with the response bit set in its format and its
 * status byte replaced; everything else stays, reserved bytes too (LoPAR,
 * "VASI Request/Response Pairs", R1-4).
 *
 * Context: Any.
 */
void vasi_msg_reject(struct vasi_crq *answer, const struct vasi_crq *entry,
		     enum vasi_status status)
{
	struct vasi_crq copy;

	read_once(&copy, entry, sizeof(copy));
	copy.header = VASI_CRQ_COMMAND;
	copy.format |= VASI_FMT_RESPONSE;
	copy.byte2 = status;
	*answer = copy;
}

/*
 * Names
 */

static const char *find_name(const char *const *names, size_t count,
			     unsigned int value)
{
	return value < count && names[value] ? names[value] : "unknown";
}

/**
 * vasi_format_name() - Name a message format.
 * @format: enum vasi_format, perhaps with VASI_FMT_RESPONSE.
 *
 * Context: Any.
 * Return: A constant string; "unknown" for a format that is not defined.
 */
const char *vasi_format_name(__u8 format)
{
	const struct layout *layout = find_layout(format);
	const char *name = NULL;

	if (layout && format & VASI_FMT_RESPONSE)
		name = layout->response_name;
	else if (layout)
		name = layout->request_name;
	return name ? name : "unknown";
}

/**
 * vasi_status_name() - Name the status of a response.
 * @status: enum vasi_status.
 *
 * Context: Any.
 * Return: A constant string; "unknown" for a status that is not defined.
 */
const char *vasi_status_name(__u8 status)
{
	static const char *const names[] = {
		[VASI_SUCCESS] = "Success",
		[VASI_HARDWARE] = "Hardware",
		[VASI_INVALID_STREAM_ID] = "Invalid Stream ID",
		[VASI_STREAM_ABORTED] = "Stream ID Aborted",
		[VASI_INVALID_BUFFER_DESCRIPTOR] = "Invalid Buffer Descriptor",
		[VASI_INVALID_BUFFER_LENGTH] = "Invalid Buffer Length",
		[VASI_EMPTY] = "Empty",
		[VASI_INVALID_DOWNLOAD_SPECIFIER] =
			"Invalid Download Request Specifier",
		[VASI_INVALID_DOWNLOAD_DATA] = "Invalid Download Data",
		[VASI_INVALID_BUFFER_CORRELATOR] = "Invalid Buffer Correlator",
		[VASI_INVALID_OPERATION_SPECIFIER] =
			"Invalid Operation Request Specifier",
		[VASI_INVALID_SERVICE] = "Invalid Service Specifier",
		[VASI_TOO_MANY_OPENS] = "Too Many Opens",
		[VASI_INVALID_BOTTOM] = "Invalid BOTTOM",
		[VASI_INVALID_TOP] = "Invalid TOP",
		[VASI_END_OF_FILE] = "End Of File",
		[VASI_INVALID_FORMAT] = "Invalid Format",
		[VASI_UNKNOWN_RESERVED] = "Unknown Reserved Value",
		[VASI_INVALID_STATE_TRANSITION] = "Invalid State Transition",
		[VASI_RACE_LOST] = "Race Lost",
		[VASI_INVALID_SIGNAL] = "Invalid Signal Code",
		[VASI_INVALID_INDIRECT_DESCRIPTOR] =
			"Invalid Indirect Buffer Descriptor",
		[VASI_INVALID_INDIRECT_LENGTH] =
			"Invalid Indirect Buffer Length",
		[VASI_INVALID_CONTROL] = "Invalid Control Code",
		[VASI_INVALID_SUB_CONTROL] = "Invalid Sub-control Code",
	};

	return find_name(names, ARRAY_SIZE(names), status);
}

/**
 * vasi_state_name() - Name a state of a partition migration's stream.
 * @state: enum vasi_state.
 *
 * Context: Any.
 * Return: A constant string; "unknown" for a state that is not defined.
 */
const char *vasi_state_name(__u16 state)
{
	static const char *const names[] = {
		[VASI_STATE_INVALID] = "Invalid",
		[VASI_STATE_ENABLED] = "Enabled",
		[VASI_STATE_ABORTED] = "Aborted",
		[VASI_STATE_SUSPENDING] = "Suspending",
		[VASI_STATE_SUSPENDED] = "Suspended",
		[VASI_STATE_RESUMED] = "Resumed",
		[VASI_STATE_COMPLETED] = "Completed",
		[VASI_STATE_FAILOVER] = "Failover",
	};

	return find_name(names, ARRAY_SIZE(names), state);
}

/**
 * vasi_signal_name() - Name a signal code.
 * @code: enum vasi_signal_code.
 *
 * Context: Any.
 * Return: A constant string; "unknown" for a code that is not defined.
 */
const char *vasi_signal_name(__u16 code)
{
	static const char *const names[] = {
		[VASI_SIGNAL_CANCEL] = "Cancel",
		[VASI_SIGNAL_ABORT] = "Abort",
		[VASI_SIGNAL_SUSPEND] = "Suspend",
		[VASI_SIGNAL_COMPLETE] = "Complete",
		[VASI_SIGNAL_ENABLE] = "Enable",
		[VASI_SIGNAL_FAILOVER] = "Failover",
	};

	return find_name(names, ARRAY_SIZE(names), code);
}

/**
 * vasi_service_name() - Name the service an open is for.
 * @service: enum vasi_service.
 *
 * Context: Any.
 * Return: A constant string; "unknown" for a service that is not defined.
 */
const char *vasi_service_name(__u8 service)
{
	static const char *const names[] = {
		[VASI_SERVICE_SOURCE_MOVER] = "source mover",
		[VASI_SERVICE_TARGET_MOVER] = "target mover",
		[VASI_SERVICE_PAGER] = "pager",
	};

	return find_name(names, ARRAY_SIZE(names), service);
}

/*
 * Buffer descriptors
 */

/**
 * vasi_desc_make() - Make a buffer descriptor.
 * @length: Bytes of the buffer, at most VASI_MAX_LENGTH.
 * @ioba: I/O address of the buffer in the first pane.
 *
 * Context: Any.
 * Return: The descriptor as a number in host byte order, as in &struct
 * vasi_msg.data; 0, which every receiver refuses, if @length does not fit.
 */
__u64 vasi_desc_make(__u32 length, __u32 ioba)
{
	if (length > VASI_MAX_LENGTH)
		return 0;
	return (__u64)VASI_DESC_VALID << 56 | (__u64)length << 32 | ioba;
}

/**
 * vasi_desc_parse() - Read and check a buffer descriptor.
 * @desc: The descriptor in host byte order, as in &struct vasi_msg.data.
 * @length: Bytes of the buffer; written only on success.  May be zero.
 * @ioba: I/O address of the buffer; written only on success.
 *
 * Whether the address translates and the length fits a pool, the caller
 * checks.
 *
 * Context: Any.
 * Return: 0, or -EINVAL if the valid bit is not set or another control bit is.
 */
int vasi_desc_parse(__u64 desc, __u32 *length, __u32 *ioba)
{
	if (desc >> 56 != VASI_DESC_VALID)
		return -EINVAL;
	*length = (desc >> 32) & VASI_MAX_LENGTH;
	*ioba = desc & 0xFFFFFFFF;
	return 0;
}

/*
 * Operation and download specifiers: reading
 */

static __u32 iter_left(const struct vasi_seg_iter *it)
{
	return it->end - it->pos;
}

/* Ends the walk: what is called on @it after this fails */
static int iter_stop(struct vasi_seg_iter *it, int ret)
{
	it->end = it->pos;
	return ret;
}

static int take_immediate(struct vasi_seg_iter *it, struct vasi_segment *seg,
			  __u32 length)
{
	/* Four zero bytes: a segment without data cannot be told from the end */
	if (!length)
		return iter_stop(it, 0);
	if (length > iter_left(it) - VASI_SEG_IMMEDIATE_BYTES)
		return iter_stop(it, -EINVAL);
	seg->length = length;
	seg->data = it->pos + VASI_SEG_IMMEDIATE_BYTES;
	it->pos += VASI_SEG_IMMEDIATE_BYTES + length;
	return 1;
}

static int take_indirect(struct vasi_seg_iter *it, struct vasi_segment *seg,
			 __u32 length)
{
	__u8 ioba[4];

	if (iter_left(it) < VASI_SEG_INDIRECT_BYTES)
		return iter_stop(it, -EINVAL);
	read_once(ioba, it->pos + 4, sizeof(ioba));
	seg->kind = VASI_SEG_INDIRECT;
	seg->length = length;
	seg->ioba = get_be32(ioba);
	it->pos += VASI_SEG_INDIRECT_BYTES;
	return 1;
}

static int take_skip(struct vasi_seg_iter *it, struct vasi_segment *seg,
		     __u32 bytes)
{
	if (bytes > VASI_SEG_SKIP_MAX)
		return iter_stop(it, -EINVAL);
	seg->kind = VASI_SEG_SKIP;
	seg->length = bytes;
	it->pos += VASI_SEG_SKIP_BYTES;
	return 1;
}

static int take_offset(struct vasi_seg_iter *it, struct vasi_segment *seg,
		       __u32 high)
{
	__u8 low[4];

	if (iter_left(it) < VASI_SEG_OFFSET_BYTES)
		return iter_stop(it, -EINVAL);
	read_once(low, it->pos + 4, sizeof(low));
	seg->kind = VASI_SEG_OFFSET;
	seg->offset = (__u64)high << 32 | get_be32(low);
	it->pos += VASI_SEG_OFFSET_BYTES;
	return 1;
}

/**
 * vasi_op_parse() - Read and check the fixed part of an operation's buffer.
 * @buf: The data buffer; may be shared memory, every byte is read once.
 * @length: Bytes of the buffer.
 * @op: The fixed part, in host byte order.  Zero if the buffer is too short;
 *      otherwise always filled, because an answer that refuses the operation
 *      needs its correlator.
 * @it: Ready for vasi_op_next(), on which it fails unless this succeeds.
 *
 * Whether the correlators and handles are known, and the operation is of a
 * form that was negotiated, the caller checks.  In a sequential operation the
 * offset means nothing.
 *
 * See LoPAR, "VASI Operation Request Specifier".
 *
 * Context: Any.
 * Return: VASI_SUCCESS; VASI_INVALID_OPERATION_SPECIFIER if the buffer cannot
 * hold the fixed part and a terminator, the format bits are not zero, or the
 * modifier is reserved.
 */
enum vasi_status vasi_op_parse(const void *buf, __u32 length,
			       struct vasi_op *op, struct vasi_seg_iter *it)
{
	struct vasi_op_specifier spec;
	const __u8 *bytes = buf;
	__be64 correlator;

	memset(op, 0, sizeof(*op));
	it->pos = bytes;
	it->end = bytes;
	if (length < VASI_OP_DATA_OFFSET + VASI_TERMINATOR_BYTES)
		return VASI_INVALID_OPERATION_SPECIFIER;

	read_once(&correlator, bytes, sizeof(correlator));
	read_once(&spec, bytes + VASI_CORRELATOR_BYTES, sizeof(spec));
	op->buffer_correlator = __be64_to_cpu(correlator);
	op->top = __be32_to_cpu(spec.top);
	op->bottom = __be32_to_cpu(spec.bottom);
	op->op_code = spec.op_code;
	op->offset = get_be56(spec.offset);
	op->correlator = __be64_to_cpu(spec.correlator);

	if (op->op_code & VASI_OP_FORMAT_MASK)
		return VASI_INVALID_OPERATION_SPECIFIER;
	if ((op->op_code & VASI_OP_MODIFIER_MASK) > VASI_OP_MODIFIER_TAKEOVER)
		return VASI_INVALID_OPERATION_SPECIFIER;

	it->pos = bytes + VASI_OP_DATA_OFFSET;
	it->end = bytes + length;
	return VASI_SUCCESS;
}

/**
 * vasi_op_next() - Read and check the next segment of an operation.
 * @it: From vasi_op_parse().
 * @seg: The segment; all zero unless 1 is returned.
 *
 * Every byte of a segment's header is read once; immediate data is not read.
 * After the end or an error the iterator is spent: further calls fail.
 *
 * Context: Any.
 * Return: 1 with a segment; 0 at the terminator; -EINVAL if a reserved control
 * bit is set, more than VASI_SEG_SKIP_MAX bytes are skipped, or the segment
 * runs past the buffer's end, the terminator missing.
 */
int vasi_op_next(struct vasi_seg_iter *it, struct vasi_segment *seg)
{
	__u8 head[4];
	__u32 value;

	memset(seg, 0, sizeof(*seg));
	if (iter_left(it) < sizeof(head))
		return iter_stop(it, -EINVAL);
	read_once(head, it->pos, sizeof(head));
	value = get_be24(head + 1);

	switch (head[0]) {
	case VASI_SEG_IMMEDIATE:
		return take_immediate(it, seg, value);
	case VASI_SEG_SKIP:
		return take_skip(it, seg, value);
	case VASI_SEG_INDIRECT:
		return take_indirect(it, seg, value);
	case VASI_SEG_OFFSET:
		return take_offset(it, seg, value);
	default:
		return iter_stop(it, -EINVAL);
	}
}

/**
 * vasi_download_parse() - Start to read a download's buffer.
 * @buf: The data buffer; may be shared memory.
 * @length: Bytes of the buffer.
 * @it: Ready for vasi_download_next(), on which it fails if the buffer cannot
 *      hold a correlator and a terminator.
 *
 * See LoPAR, "VASI Download Request Specifier".
 *
 * Context: Any.
 */
void vasi_download_parse(const void *buf, __u32 length,
			 struct vasi_seg_iter *it)
{
	const __u8 *bytes = buf;

	it->pos = bytes;
	it->end = bytes;
	if (length < VASI_DOWNLOAD_DATA_OFFSET + VASI_TERMINATOR_BYTES)
		return;
	it->pos = bytes + VASI_DOWNLOAD_DATA_OFFSET;
	it->end = bytes + length;
}

/**
 * vasi_download_next() - Read and check the next segment of a download.
 * @it: From vasi_download_parse().
 * @seg: The segment, VASI_SEG_IMMEDIATE or VASI_SEG_INDIRECT; all zero unless
 *       1 is returned.
 *
 * Every byte of a segment's header is read once; immediate data is not read.
 * After the end or an error the iterator is spent: further calls fail.
 *
 * Context: Any.
 * Return: 1 with a segment; 0 at the terminator; -EINVAL (the platform answers
 * VASI_INVALID_DOWNLOAD_SPECIFIER) if a reserved control bit is set or the
 * segment runs past the buffer's end, the terminator missing.
 */
int vasi_download_next(struct vasi_seg_iter *it, struct vasi_segment *seg)
{
	__u8 head[4];
	__u32 value;

	memset(seg, 0, sizeof(*seg));
	if (iter_left(it) < sizeof(head))
		return iter_stop(it, -EINVAL);
	read_once(head, it->pos, sizeof(head));
	value = get_be24(head + 1);

	if (head[0] == VASI_SEG_IMMEDIATE)
		return take_immediate(it, seg, value);
	if (head[0] == VASI_DSEG_INDIRECT)
		return take_indirect(it, seg, value);
	return iter_stop(it, -EINVAL);
}

/*
 * Operation and download specifiers: building
 */

static int builder_start(struct vasi_seg_builder *b, __u8 *buf, __u32 length,
			 __u32 fixed)
{
	/* A builder that was refused has no room, and ends with no bytes */
	b->pos = buf;
	b->end = buf;
	if (length < fixed + VASI_TERMINATOR_BYTES)
		return -ENOSPC;
	b->pos = buf + fixed;
	b->end = buf + length;
	return 0;
}

static int add_eight(struct vasi_seg_builder *b, __u8 control, __u64 value)
{
	if (vasi_seg_room(b) < 8)
		return -ENOSPC;
	b->pos[0] = control;
	put_be56(b->pos + 1, value);
	b->pos += 8;
	return 0;
}

static int add_indirect(struct vasi_seg_builder *b, __u32 length, __u32 ioba)
{
	if (!length || length > VASI_MAX_LENGTH)
		return -EINVAL;
	return add_eight(b, VASI_SEG_INDIRECT, (__u64)length << 32 | ioba);
}

/**
 * vasi_op_begin() - Start to fill a buffer for an operation.
 * @b: The builder.  Unless this succeeds it has no room, and vasi_seg_end()
 *     on it returns 0.
 * @buf: The data buffer.
 * @length: Bytes of the buffer.
 * @op: The fixed part; the buffer's correlator is written from it too.
 *
 * Context: Any.
 * Return: 0; -ENOSPC if the fixed part and a terminator do not fit; -EINVAL if
 * the op code has reserved bits or the offset more than 56.
 */
int vasi_op_begin(struct vasi_seg_builder *b, void *buf, __u32 length,
		  const struct vasi_op *op)
{
	struct vasi_op_specifier spec = {
		.top = __cpu_to_be32(op->top),
		.bottom = __cpu_to_be32(op->bottom),
		.op_code = op->op_code,
		.correlator = __cpu_to_be64(op->correlator),
	};
	__be64 correlator = __cpu_to_be64(op->buffer_correlator);
	__u8 *bytes = buf;
	int ret;

	ret = builder_start(b, bytes, length, VASI_OP_DATA_OFFSET);
	if (ret)
		return ret;
	if (op->op_code & VASI_OP_FORMAT_MASK ||
	    (op->op_code & VASI_OP_MODIFIER_MASK) > VASI_OP_MODIFIER_TAKEOVER ||
	    op->offset > VASI_OFFSET_MAX) {
		b->pos = bytes;
		b->end = bytes;
		return -EINVAL;
	}

	put_be56(spec.offset, op->offset);
	memcpy(bytes, &correlator, sizeof(correlator));
	memcpy(bytes + VASI_CORRELATOR_BYTES, &spec, sizeof(spec));
	return 0;
}

/**
 * vasi_download_begin() - Start to fill a buffer for a download.
 * @b: The builder.  Unless this succeeds it has no room, and vasi_seg_end()
 *     on it returns 0.
 * @buf: The data buffer.
 * @length: Bytes of the buffer.
 * @buffer_correlator: Comes back in the Download response.
 *
 * Context: Any.
 * Return: 0, or -ENOSPC if the correlator and a terminator do not fit.
 */
int vasi_download_begin(struct vasi_seg_builder *b, void *buf, __u32 length,
			__u64 buffer_correlator)
{
	__be64 correlator = __cpu_to_be64(buffer_correlator);
	int ret;

	ret = builder_start(b, buf, length, VASI_DOWNLOAD_DATA_OFFSET);
	if (ret)
		return ret;
	memcpy(buf, &correlator, sizeof(correlator));
	return 0;
}

/**
 * vasi_seg_room() - Tell how much fits into a buffer yet.
 * @b: The builder.
 *
 * Context: Any.
 * Return: Bytes left for segments, their headers included; the terminator's
 * are already subtracted.
 */
__u32 vasi_seg_room(const struct vasi_seg_builder *b)
{
	__u32 left = b->end - b->pos;

	return left > VASI_TERMINATOR_BYTES ? left - VASI_TERMINATOR_BYTES : 0;
}

/**
 * vasi_seg_add_immediate() - Append a segment whose data follows it.
 * @b: The builder, of an operation or a download.
 * @length: Bytes of data, 1 to VASI_MAX_LENGTH.
 *
 * Context: Any.
 * Return: Where the caller writes @length bytes, all of them: they hold what
 * was in the buffer before.  NULL if they do not fit.  It may be unaligned.
 */
void *vasi_seg_add_immediate(struct vasi_seg_builder *b, __u32 length)
{
	__u32 room = vasi_seg_room(b);
	void *data;

	if (!length || length > VASI_MAX_LENGTH)
		return NULL;
	if (room < VASI_SEG_IMMEDIATE_BYTES + length)
		return NULL;
	b->pos[0] = VASI_SEG_IMMEDIATE;
	put_be24(b->pos + 1, length);
	data = b->pos + VASI_SEG_IMMEDIATE_BYTES;
	b->pos += VASI_SEG_IMMEDIATE_BYTES + length;
	return data;
}

/**
 * vasi_op_add_indirect() - Append a segment whose data lies elsewhere.
 * @b: The builder of an operation.
 * @length: Bytes of data, 1 to VASI_MAX_LENGTH.
 * @ioba: I/O address of the data in the second pane.
 *
 * Context: Any.
 * Return: 0; -EINVAL if the length is out of range; -ENOSPC.
 */
int vasi_op_add_indirect(struct vasi_seg_builder *b, __u32 length, __u32 ioba)
{
	return add_indirect(b, length, ioba);
}

/**
 * vasi_op_add_skip() - Append a segment that skips bytes of the file.
 * @b: The builder of an operation.
 * @bytes: How many, at most VASI_SEG_SKIP_MAX.
 *
 * Context: Any.
 * Return: 0; -EINVAL if @bytes is out of range; -ENOSPC.
 */
int vasi_op_add_skip(struct vasi_seg_builder *b, __u32 bytes)
{
	if (bytes > VASI_SEG_SKIP_MAX)
		return -EINVAL;
	if (vasi_seg_room(b) < VASI_SEG_SKIP_BYTES)
		return -ENOSPC;
	b->pos[0] = VASI_SEG_SKIP;
	put_be24(b->pos + 1, bytes);
	b->pos += VASI_SEG_SKIP_BYTES;
	return 0;
}

/**
 * vasi_op_add_offset() - Append the start of a conjoined indexed operation.
 * @b: The builder of an operation.
 * @offset: File offset in 512-byte blocks, 56 bits.
 *
 * Context: Any.
 * Return: 0; -EINVAL if the offset does not fit; -ENOSPC.
 */
int vasi_op_add_offset(struct vasi_seg_builder *b, __u64 offset)
{
	if (offset > VASI_OFFSET_MAX)
		return -EINVAL;
	return add_eight(b, VASI_SEG_OFFSET, offset);
}

/**
 * vasi_download_add_indirect() - Append a segment whose data lies elsewhere.
 * @b: The builder of a download.
 * @length: Bytes of data, 1 to VASI_MAX_LENGTH.
 * @ioba: I/O address of the data in the first pane.
 *
 * Context: Any.
 * Return: 0; -EINVAL if the length is out of range; -ENOSPC.
 */
int vasi_download_add_indirect(struct vasi_seg_builder *b, __u32 length,
			       __u32 ioba)
{
	return add_indirect(b, length, ioba);
}

/**
 * vasi_seg_end() - Write the terminator.
 * @b: The builder; it has no room afterwards.
 * @buf: The data buffer that the builder was started with.
 *
 * Context: Any.
 * Return: Bytes of the buffer used: correlator, fixed part, segments and
 * terminator.  0 if the builder could not be started.
 */
__u32 vasi_seg_end(struct vasi_seg_builder *b, const void *buf)
{
	if (b->end - b->pos >= VASI_TERMINATOR_BYTES) {
		memset(b->pos, 0, VASI_TERMINATOR_BYTES);
		b->pos += VASI_TERMINATOR_BYTES;
	}
	b->end = b->pos;
	return b->pos - (const __u8 *)buf;
}
