/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * Virtual Asynchronous Services Interface (VASI): the layouts that LoPAR 2.9
 * defines for its Command/Response Queue (CRQ) entries and data buffers.
 *
 * "LoPAR" below is the Linux on Power Architecture Reference, revision 2.9,
 * chapter "Virtualized Input/Output", section "Virtual Asynchronous Services
 * Interface (VASI)".  All multi-byte fields are big-endian; bit 0 is the most
 * significant bit.  A reserved field is sent as zero, and checked to be zero
 * on receipt unless the comment beside it says otherwise.
 */
#ifndef _UAPI_LINUX_VASI_CRQ_H
#define _UAPI_LINUX_VASI_CRQ_H

#include <linux/types.h>

/* Byte 0 of every CRQ entry (LoPAR, "CRQ Format and Registration") */
enum vasi_crq_header {
	VASI_CRQ_FREE			= 0x00,
	VASI_CRQ_COMMAND		= 0x80,
	VASI_CRQ_INIT			= 0xC0,
	VASI_CRQ_EVENT			= 0xFF
};

/* Byte 1 of an entry with header VASI_CRQ_INIT */
enum vasi_init_format {
	VASI_INIT_INITIALIZE		= 0x01,
	VASI_INIT_COMPLETE		= 0x02
};

/* Byte 1 of an entry with header VASI_CRQ_EVENT */
enum vasi_event_format {
	VASI_EVENT_PARTNER_FAILED	= 0x01,
	VASI_EVENT_PARTNER_DEREGISTERED	= 0x02,
	VASI_EVENT_PARTNER_TERMINATED	= 0x04,
	VASI_EVENT_PARTNER_SUSPENDED	= 0x06
};

/* Set in byte 1 of an answer (and of the echo of what is not understood) */
#define VASI_FMT_RESPONSE		0x80

/* Byte 1 with header VASI_CRQ_COMMAND (LoPAR, "VASI CRQ Message Definition") */
enum vasi_format {
	VASI_FMT_CAPABILITIES		= 0x01,
	VASI_FMT_OPEN			= 0x02,
	VASI_FMT_CLOSE			= 0x03,
	VASI_FMT_ADD_BUFFER		= 0x04,
	VASI_FMT_FREE_BUFFER		= 0x05,
	VASI_FMT_DOWNLOAD		= 0x06,
	VASI_FMT_OPERATION		= 0x07,
	VASI_FMT_SIGNAL			= 0x08,
	VASI_FMT_STATE			= 0x09,
	VASI_FMT_PROGRESS		= 0x10,
	VASI_FMT_ADD_BUFFER_INDIRECT	= 0x11,
	VASI_FMT_MESSAGE_UPLOAD		= 0x12,
	VASI_FMT_MESSAGE_DOWNLOAD	= 0x13,
	/* From the range LoPAR reserves: this project's Dirty Map extension */
	VASI_FMT_DIRTY_MAP		= 0x20
};

/* Byte 2 of a response (LoPAR, "VASI CRQ Status Values") */
enum vasi_status {
	VASI_SUCCESS			= 0x00,
	VASI_HARDWARE			= 0x01,
	VASI_INVALID_STREAM_ID		= 0x02,
	VASI_STREAM_ABORTED		= 0x03,
	VASI_INVALID_BUFFER_DESCRIPTOR	= 0x04,
	VASI_INVALID_BUFFER_LENGTH	= 0x05,
	VASI_EMPTY			= 0x06,
	VASI_INVALID_DOWNLOAD_SPECIFIER	= 0x07,
	VASI_INVALID_DOWNLOAD_DATA	= 0x08,
	VASI_INVALID_BUFFER_CORRELATOR	= 0x09,
	VASI_INVALID_OPERATION_SPECIFIER = 0x0A,
	VASI_INVALID_SERVICE		= 0x0B,
	VASI_TOO_MANY_OPENS		= 0x0C,
	VASI_INVALID_BOTTOM		= 0x0D,
	VASI_INVALID_TOP		= 0x0E,
	VASI_END_OF_FILE		= 0x0F,
	VASI_INVALID_FORMAT		= 0x10,
	VASI_UNKNOWN_RESERVED		= 0x11,
	VASI_INVALID_STATE_TRANSITION	= 0x12,
	VASI_RACE_LOST			= 0x13,
	VASI_INVALID_SIGNAL		= 0x14,
	VASI_INVALID_INDIRECT_DESCRIPTOR = 0x15,
	VASI_INVALID_INDIRECT_LENGTH	= 0x16,
	VASI_INVALID_CONTROL		= 0x17,
	VASI_INVALID_SUB_CONTROL	= 0x18
};

/* Service specifier: the role an open is for */
enum vasi_service {
	VASI_SERVICE_SOURCE_MOVER	= 1,
	VASI_SERVICE_TARGET_MOVER	= 2,
	VASI_SERVICE_PAGER		= 3
};

/* Stream states of a partition migration; H_VASI_STATE and the State request */
enum vasi_state {
	VASI_STATE_INVALID		= 0,
	VASI_STATE_ENABLED		= 1,
	VASI_STATE_ABORTED		= 2,
	VASI_STATE_SUSPENDING		= 3,
	VASI_STATE_SUSPENDED		= 4,
	VASI_STATE_RESUMED		= 5,
	VASI_STATE_COMPLETED		= 6,
	VASI_STATE_FAILOVER		= 7	/* never returned by H_VASI_STATE */
};

/* Stream states of the pager service (cooperative memory overcommitment) */
enum vasi_pager_state {
	VASI_PAGER_INVALID		= 0,
	VASI_PAGER_DISABLED		= 1,
	VASI_PAGER_SUSPENDED		= 2,
	VASI_PAGER_ENABLED		= 3,
	VASI_PAGER_STOPPED		= 4,
	VASI_PAGER_COMPLETED		= 5
};

/* Signal request and, for Cancel, H_VASI_SIGNAL */
enum vasi_signal_code {
	VASI_SIGNAL_CANCEL		= 1,	/* message and hcall */
	VASI_SIGNAL_ABORT		= 2,
	VASI_SIGNAL_SUSPEND		= 3,
	VASI_SIGNAL_COMPLETE		= 4,	/* paging only */
	VASI_SIGNAL_ENABLE		= 5,	/* paging only */
	VASI_SIGNAL_FAILOVER		= 6	/* migration only */
};

/* Byte 0 of an abort reason: who caused it.  Bytes 1-3 are detail. */
enum vasi_abort_entity {
	VASI_ABORT_ORCHESTRATOR		= 1,
	VASI_ABORT_SOURCE_VSP		= 2,
	VASI_ABORT_FIRMWARE		= 3,
	VASI_ABORT_PLATFORM		= 4,
	VASI_ABORT_TARGET_VSP		= 5,
	VASI_ABORT_PARTITION		= 6
};

/* Byte 0 of a failover reason: a coding of its own */
enum vasi_failover_entity {
	VASI_FAILOVER_ORCHESTRATOR	= 1,
	VASI_FAILOVER_SOURCE_VSP	= 2,
	VASI_FAILOVER_FIRMWARE		= 3,
	VASI_FAILOVER_TARGET_VSP	= 4
};

#define VASI_REASON_ENTITY_SHIFT	24
#define VASI_FAILOVER_DIRECTION_TO	0x00400000
#define VASI_FAILOVER_DIRECTION_FROM	0x00800000
#define VASI_FAILOVER_DIRECTION_MASK	0x00C00000
#define VASI_FAILOVER_NON_FATAL		0x00200000

/* Message control: byte 2 of a Message Upload or Download request */
#define VASI_CONTROL_PASS_THROUGH	0x01

/**
 * struct vasi_crq_pool - bytes 8-15 of an Add Buffer response with Success
 * @reserved:		zero
 * @free_buffers:	free buffers in the pool, big-endian
 * @pool_length:	bytes of each buffer of the pool, big-endian
 */
struct vasi_crq_pool {
	__u8	reserved[3];
	__u8	free_buffers[2];
	__u8	pool_length[3];
} __attribute__((packed));

/**
 * struct vasi_crq_free_buffer - bytes 8-15 of a Free Buffer request
 * @reserved:	zero
 * @length:	bytes of the buffer wanted back, big-endian
 */
struct vasi_crq_free_buffer {
	__u8	reserved[5];
	__u8	length[3];
} __attribute__((packed));

/**
 * struct vasi_crq_signal - bytes 8-15 of Signal messages and State requests
 * @reason:	who caused it, and detail
 * @code:	enum vasi_signal_code, or the new enum vasi_state
 * @reserved:	zero
 */
struct vasi_crq_signal {
	__be32	reason;
	__be16	code;
	__be16	reserved;
} __attribute__((packed));

/**
 * struct vasi_crq_caps - bytes 8-15 of Capabilities messages
 * @reserved8:	sent as zero, not checked
 * @dirty_map:	VASI_DIRTY_MAP_REQUEST or VASI_DIRTY_MAP_OFFER, or zero; this
 *		project's extension in bytes that LoPAR reserves
 * @reserved12:	sent as zero, not checked
 * @features:	VASI_CAP_* of byte 13
 * @operations:	VASI_CAP_OP_* of byte 14
 * @opens:	opens per stream, 1-255
 *
 * The capability string starts in the entry's bytes 4-7, which are reserved
 * like @reserved8.
 */
struct vasi_crq_caps {
	__be16	reserved8;
	__be16	dirty_map;
	__u8	reserved12;
	__u8	features;
	__u8	operations;
	__u8	opens;
} __attribute__((packed));

/**
 * struct vasi_crq - an entry of a Command/Response Queue
 * @header:	enum vasi_crq_header
 * @format:	by @header: enum vasi_format, perhaps with VASI_FMT_RESPONSE,
 *		or enum vasi_init_format, or enum vasi_event_format
 * @byte2:	responses: enum vasi_status; Message Upload and Download
 *		requests: control; otherwise reserved
 * @byte3:	service, count or sub-control; Operation response: the high
 *		byte of the residual; otherwise reserved
 * @handle:	TOP or BOTTOM; Operation response: the low four bytes of the
 *		residual; otherwise reserved
 * @data:	stream id, buffer descriptor, correlator, bytes left or
 *		message data
 * @pool:	Add Buffer response with Success
 * @free_buffer: Free Buffer request
 * @signal:	Signal request and response, State request
 * @caps:	Capabilities request and response
 *
 * What each format carries: LoPAR, "VASI Request/Response Pairs".
 */
__extension__ struct vasi_crq {
	__u8	header;
	__u8	format;
	__u8	byte2;
	__u8	byte3;
	__be32	handle;
	union {
		__be64				data;
		struct vasi_crq_pool		pool;
		struct vasi_crq_free_buffer	free_buffer;
		struct vasi_crq_signal		signal;
		struct vasi_crq_caps		caps;
	};
} __attribute__((packed));

/* Capability string, byte 13 */
#define VASI_CAP_FAILOVER		0x80
#define VASI_CAP_MULTIPLE_OPENS		0x40
#define VASI_CAP_BUFFER_SCHEME_2	0x20
#define VASI_CAP_ENHANCED_SUSPEND	0x10
#define VASI_CAP_ENHANCED_PROGRESS	0x08
#define VASI_CAP_ADD_BUFFER_INDIRECT	0x04
#define VASI_CAP_DOWNLOAD_IMMEDIATE	0x02
#define VASI_CAP_DOWNLOAD_INDIRECT	0x01

/* Capability string, byte 14 */
#define VASI_CAP_OP_READ_SEQ_IMMEDIATE	0x80
#define VASI_CAP_OP_READ_SEQ_INDIRECT	0x40
#define VASI_CAP_OP_READ_IDX_IMMEDIATE	0x20
#define VASI_CAP_OP_READ_IDX_INDIRECT	0x10
#define VASI_CAP_OP_WRITE_SEQ_IMMEDIATE	0x08
#define VASI_CAP_OP_WRITE_SEQ_INDIRECT	0x04
#define VASI_CAP_OP_WRITE_IDX_IMMEDIATE	0x02
#define VASI_CAP_OP_WRITE_IDX_INDIRECT	0x01

/* Capability string, bytes 10-11: Dirty Map asked for, and offered */
#define VASI_DIRTY_MAP_REQUEST		0x4456	/* "DV" */
#define VASI_DIRTY_MAP_OFFER		0x564D	/* "VM" */

/**
 * struct vasi_descriptor - names a buffer, as for the logical LAN
 * @control:	VASI_DESC_VALID
 * @length:	bytes of the buffer, big-endian
 * @ioba:	I/O address in the first pane of the DMA window
 */
struct vasi_descriptor {
	__u8	control;
	__u8	length[3];
	__be32	ioba;
} __attribute__((packed));

#define VASI_DESC_VALID			0x80
/* The greatest buffer or segment length: 24 bits */
#define VASI_MAX_LENGTH			0xFFFFFF

/**
 * struct vasi_indirect_buffer - start of an Add Buffer Indirect memory buffer
 * @correlator:	comes back in the Add Buffer Indirect response
 *
 * As many struct vasi_descriptor as the message counts follow, at most
 * VASI_INDIRECT_MAX.
 */
struct vasi_indirect_buffer {
	__be64	correlator;
} __attribute__((packed));

#define VASI_INDIRECT_MAX		255
/* The bytes that an indirect memory buffer with count descriptors must have */
#define VASI_INDIRECT_BYTES(count)	(((count) + 1) * 8)

/**
 * struct vasi_op_specifier - Operation request specifier, fixed part
 * @top:	session, as the VSP names it
 * @bottom:	session, as the platform names it
 * @op_code:	VASI_OP_* bits
 * @offset:	indexed operations: file offset in 512-byte blocks, big-endian
 * @correlator:	of the operation; goes into the Operation response
 *
 * It lies behind the buffer correlator; segments follow it, ended by four
 * zero bytes.
 */
struct vasi_op_specifier {
	__be32	top;
	__be32	bottom;
	__u8	op_code;
	__u8	offset[7];
	__be64	correlator;
} __attribute__((packed));

#define VASI_OP_WRITE			0x80
#define VASI_OP_INDEXED			0x40
#define VASI_OP_RESPOND_ALWAYS		0x20
#define VASI_OP_FORMAT_MASK		0x18
#define VASI_OP_MODIFIER_MASK		0x07
#define VASI_OP_MODIFIER_TAKEOVER	0x01

/* Control bits 0-1 of an operation segment; the others are reserved */
#define VASI_SEG_KIND_MASK		0xC0
#define VASI_SEG_IMMEDIATE		0x00
#define VASI_SEG_SKIP			0x40
#define VASI_SEG_INDIRECT		0x80
#define VASI_SEG_OFFSET			0xC0
/* The greatest number of bytes a skip segment skips: within a block */
#define VASI_SEG_SKIP_MAX		511
/* Control bit 0 of a download segment; the others are reserved */
#define VASI_DSEG_INDIRECT		0x80

/* Every data buffer starts with its correlator; the platform never changes it */
#define VASI_CORRELATOR_BYTES		8
#define VASI_TERMINATOR_BYTES		4

/* The residual of an Operation response that stands for "more than fits" */
#define VASI_RESIDUAL_MAX		0xFFFFFFFFFFULL

/**
 * struct vasi_dirty_map_specifier - what a Dirty Map request asks for
 * @first_page:	first page asked for, in pages of @granule bytes
 * @pages:	pages asked for; in the answer: pages covered
 * @granule:	bytes of a page, 4096 or 65536, or 0 for the platform's own; in
 *		the answer: the one that was used
 * @flags:	VASI_DIRTY_MAP_* bits; all others are zero
 * @reserved:	zero
 * @dirty:	zero; in the answer: bits set in the bitmap
 *
 * This project's extension (Documentation/dirty-map.rst).  The buffer that a
 * Dirty Map request names holds its correlator in bytes 0-7 and this specifier
 * in bytes 8-39; the platform writes the answer's fields into it and the
 * bitmap behind it, from byte 40.  The messages are laid out as Download
 * request and response.
 */
struct vasi_dirty_map_specifier {
	__be64	first_page;
	__be32	pages;
	__be32	granule;
	__be32	flags;
	__be32	reserved;
	__be64	dirty;
} __attribute__((packed));

#define VASI_DIRTY_MAP_CLEAR		0x00000001

/* hcalls and their return values (LoPAR, "Hypervisor Call Functions") */
enum vasi_hcall {
	VASI_H_REG_CRQ			= 0x0FC,
	VASI_H_FREE_CRQ			= 0x100,
	VASI_H_VIO_SIGNAL		= 0x104,
	VASI_H_SEND_CRQ			= 0x108,
	VASI_H_COPY_RDMA		= 0x110,
	VASI_H_DONOR_OPERATION		= 0x29C,
	VASI_H_SIGNAL			= 0x2A0,
	VASI_H_STATE			= 0x2A4,
	VASI_H_ENABLE_CRQ		= 0x2B0
};

enum vasi_hcall_return {
	VASI_RC_SUCCESS			= 0,
	VASI_RC_BUSY			= 1,
	VASI_RC_CLOSED			= 2,
	VASI_RC_IN_PROGRESS		= 14,
	VASI_RC_LONG_BUSY_1_MSEC	= 9900,
	VASI_RC_LONG_BUSY_10_MSEC	= 9901,
	VASI_RC_LONG_BUSY_100_MSEC	= 9902,
	VASI_RC_LONG_BUSY_1_SEC		= 9903,
	VASI_RC_LONG_BUSY_10_SEC	= 9904,
	VASI_RC_LONG_BUSY_100_SEC	= 9905,
	VASI_RC_HARDWARE		= -1,
	VASI_RC_FUNCTION		= -2,
	VASI_RC_PARAMETER		= -4,
	VASI_RC_NOT_FOUND		= -7,
	VASI_RC_PERMISSION		= -11,
	VASI_RC_DROPPED			= -12,
	VASI_RC_S_PARM			= -13,
	VASI_RC_D_PARM			= -14,
	VASI_RC_RESOURCE		= -16,
	VASI_RC_ABORTED			= -54,
	VASI_RC_P2			= -55,
	VASI_RC_NOOP			= -63
};

#endif /* _UAPI_LINUX_VASI_CRQ_H */
