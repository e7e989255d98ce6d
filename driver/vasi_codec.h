/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Encode, decode and validate VASI messages and data buffers.  No I/O, no
 * allocation, no global state: every function is safe in any context and
 * never sleeps.
 *
 * What a function here reads from a CRQ entry or a data buffer it reads once,
 * into memory of its own, before it checks it: the other party may change
 * shared memory at any time.  Immediate data is not copied; struct
 * vasi_segment says where it lies, and whoever looks inside it copies first.
 *
 * "LoPAR" is the Linux on Power Architecture Reference, revision 2.9, section
 * "Virtual Asynchronous Services Interface (VASI)".
 */
#ifndef _VASI_CODEC_H
#define _VASI_CODEC_H

#include <linux/types.h>
#include <linux/vasi_crq.h>

/**
 * struct vasi_caps - the fields of a capability string
 * @dirty_map:	VASI_DIRTY_MAP_REQUEST, VASI_DIRTY_MAP_OFFER or zero
 * @features:	VASI_CAP_* bits
 * @operations:	VASI_CAP_OP_* bits
 * @opens:	opens per stream
 */
struct vasi_caps {
	__u16	dirty_map;
	__u8	features;
	__u8	operations;
	__u8	opens;
};

/**
 * struct vasi_msg - a VASI message in host byte order
 * @format:	enum vasi_format, with VASI_FMT_RESPONSE set in an answer
 * @status:	responses: enum vasi_status
 * @service:	Capabilities and Open: enum vasi_service
 * @count:	Add Buffer Indirect: descriptors named or processed
 * @control:	Message Upload and Download requests: control
 * @sub_control: likewise: sub-control
 * @code:	Signal: enum vasi_signal_code; State: enum vasi_state
 * @free_buffers: Add Buffer response with Success: free buffers in the pool
 * @handle:	TOP or BOTTOM, by format (LoPAR, "VASI Request/Response Pairs")
 * @length:	Free Buffer request and Add Buffer response with Success: bytes
 *		of a buffer, at most VASI_MAX_LENGTH
 * @reason:	Signal and State: reason
 * @data:	bytes 8-15 as one number: stream id, buffer descriptor,
 *		correlator, bytes left or message data.  An Add Buffer response
 *		has it only without Success.
 * @residual:	Operation response: bytes asked for but not transferred, at most
 *		VASI_RESIDUAL_MAX, which stands for "more than fits"
 * @caps:	Capabilities: what is asked for or supported
 *
 * A member that the format does not have is zero after decoding and ignored
 * when encoding.
 *
 * In a response without Success the platform repeats the request as far as it
 * had not replaced it yet.  With VASI_INVALID_BOTTOM, for one, @handle is no
 * TOP but the request's BOTTOM, and @data no correlator but what the request
 * held there.
 */
struct vasi_msg {
	__u8	format;
	__u8	status;
	__u8	service;
	__u8	count;
	__u8	control;
	__u8	sub_control;
	__u16	code;
	__u16	free_buffers;
	__u32	handle;
	__u32	length;
	__u32	reason;
	__u64	data;
	__u64	residual;
	struct vasi_caps caps;
};

void vasi_msg_encode(struct vasi_crq *entry, const struct vasi_msg *msg);
enum vasi_status vasi_msg_decode(struct vasi_msg *msg,
				 const struct vasi_crq *entry);
void vasi_msg_reject(struct vasi_crq *answer, const struct vasi_crq *entry,
		     enum vasi_status status);

const char *vasi_format_name(__u8 format);
const char *vasi_status_name(__u8 status);
const char *vasi_state_name(__u16 state);
const char *vasi_signal_name(__u16 code);
const char *vasi_service_name(__u8 service);

__u64 vasi_desc_make(__u32 length, __u32 ioba);
int vasi_desc_parse(__u64 desc, __u32 *length, __u32 *ioba);

/**
 * struct vasi_segment - one segment of an operation or download specifier
 * @kind:	VASI_SEG_IMMEDIATE, VASI_SEG_SKIP, VASI_SEG_INDIRECT or
 *		VASI_SEG_OFFSET; downloads have the first and the third
 * @length:	bytes of data (immediate, indirect) or to skip
 * @ioba:	indirect: I/O address (operations: second pane; downloads: first)
 * @data:	immediate: the data, inside the buffer
 * @offset:	offset segment: file offset in 512-byte blocks
 *
 * Members that the kind does not have are zero.
 */
struct vasi_segment {
	__u8		kind;
	__u32		length;
	__u32		ioba;
	const __u8	*data;
	__u64		offset;
};

/**
 * struct vasi_seg_iter - walks the segments of one specifier
 * @pos:	next byte to read
 * @end:	one past the last byte that may be read
 */
struct vasi_seg_iter {
	const __u8	*pos;
	const __u8	*end;
};

/**
 * struct vasi_op - the fixed part of an operation request's data buffer
 * @buffer_correlator: of the data buffer
 * @top:	session, as the VSP names it
 * @bottom:	session, as the platform names it
 * @op_code:	VASI_OP_* bits
 * @offset:	indexed operations: file offset in 512-byte blocks, 56 bits
 * @correlator:	of the operation; goes into the Operation response
 */
struct vasi_op {
	__u64	buffer_correlator;
	__u32	top;
	__u32	bottom;
	__u8	op_code;
	__u64	offset;
	__u64	correlator;
};

/* Bytes of a data buffer before the first segment */
#define VASI_OP_DATA_OFFSET		(VASI_CORRELATOR_BYTES + \
					 sizeof(struct vasi_op_specifier))
#define VASI_DOWNLOAD_DATA_OFFSET	VASI_CORRELATOR_BYTES
/* Bytes that a segment's header takes; the data follows an immediate one's */
#define VASI_SEG_IMMEDIATE_BYTES	4
#define VASI_SEG_SKIP_BYTES		4
#define VASI_SEG_INDIRECT_BYTES		8
#define VASI_SEG_OFFSET_BYTES		8

enum vasi_status vasi_op_parse(const void *buf, __u32 length,
			       struct vasi_op *op, struct vasi_seg_iter *it);
int vasi_op_next(struct vasi_seg_iter *it, struct vasi_segment *seg);
void vasi_download_parse(const void *buf, __u32 length,
			 struct vasi_seg_iter *it);
int vasi_download_next(struct vasi_seg_iter *it, struct vasi_segment *seg);

/**
 * struct vasi_seg_builder - appends segments to a data buffer
 * @pos:	next byte to write
 * @end:	one past the last byte of the buffer; four bytes before it stay
 *		free for the terminator
 */
struct vasi_seg_builder {
	__u8	*pos;
	__u8	*end;
};

int vasi_op_begin(struct vasi_seg_builder *b, void *buf, __u32 length,
		  const struct vasi_op *op);
int vasi_download_begin(struct vasi_seg_builder *b, void *buf, __u32 length,
			__u64 buffer_correlator);
__u32 vasi_seg_room(const struct vasi_seg_builder *b);
void *vasi_seg_add_immediate(struct vasi_seg_builder *b, __u32 length);
int vasi_op_add_indirect(struct vasi_seg_builder *b, __u32 length, __u32 ioba);
int vasi_op_add_skip(struct vasi_seg_builder *b, __u32 bytes);
int vasi_op_add_offset(struct vasi_seg_builder *b, __u64 offset);
int vasi_download_add_indirect(struct vasi_seg_builder *b, __u32 length,
			       __u32 ioba);
__u32 vasi_seg_end(struct vasi_seg_builder *b, const void *buf);

#endif /* _VASI_CODEC_H */
