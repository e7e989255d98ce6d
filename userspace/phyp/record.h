/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of the platform's own stream (Documentation/platform-stream.rst), and
 * the incremental parser of a session's bytes: movers may cut the stream
 * anywhere.
 */
#ifndef _PHYP_RECORD_H
#define _PHYP_RECORD_H

#include <assert.h>
#include <stdint.h>
#include <linux/vasi_crq.h>

#define PHYP_START_MAGIC	0x504859505354524dULL	/* "PHYPSTRM" */

enum phyp_record_type {
	PHYP_REC_START		= 1,
	PHYP_REC_PAGES		= 2,
	PHYP_REC_ZERO		= 3,
	PHYP_REC_PASS		= 4,
	PHYP_REC_BITMAP		= 5,
	PHYP_REC_STATE		= 6,
	PHYP_REC_HANDOVER	= 7,
	PHYP_REC_END		= 8,
	PHYP_REC_DEMAND		= 16,
	PHYP_REC_SKIPPABLE	= 0x80,
};

#define PHYP_REC_FINAL		0x01

struct phyp_record {
	__u8	type;
	__u8	flags;
	__be16	reserved;
	__be32	length;
	__be64	arg;
	__be32	count;
	__be32	reserved2;
} __attribute__((packed));
static_assert(sizeof(struct phyp_record) == 24, "record header");

struct phyp_start {
	__be64	magic;
	__be16	major;
	__be16	minor;
	__be32	granule;
	__be64	bytes;
	__be64	stream_id;
	__be32	incarnation;
	__be16	session;
	__be16	sessions;
	/* Last incarnation of which the target is known to have taken anything */
	__be32	taken;
	__be32	flags;		/* PHYP_START_* */
} __attribute__((packed));
static_assert(sizeof(struct phyp_start) == 48, "START payload");

#define PHYP_START_HIBERNATED	0x1	/* the partition executes on neither side */

/* Types of the eight-byte messages between platforms */
enum phyp_message_type {
	PHYP_MSG_RESUMED	= 1,
	PHYP_MSG_RECEIVED	= 2,
	PHYP_MSG_COMPLETED	= 3,
	PHYP_MSG_NEVER		= 4,
};

/**
 * struct phyp_parser - where a receiver is in a session's bytes
 * @raw:	header of the current record, as far as it is here
 * @raw_bytes:	how far that is
 * @type:	of the current record; likewise the next
 * @flags:	PHYP_REC_FINAL
 * @arg:	by type
 * @count:	by type
 * @length:	payload bytes of the record
 * @done:	payload bytes that were consumed
 * @small:	payload of a record that is handled only when whole (START), or a
 *		word of a bitmap that is not whole yet
 * @small_bytes: bytes in @small
 */
struct phyp_parser {
	struct phyp_record raw;
	unsigned int raw_bytes;
	uint8_t type;
	uint8_t flags;
	uint64_t arg;
	uint32_t count;
	uint32_t length;
	uint32_t done;
	uint8_t small[64];
	unsigned int small_bytes;
};

/**
 * struct phyp_parser_ops - what a receiver does with records
 * @begin:	a header is complete: check it
 * @payload:	bytes of the payload, in order, never beyond its length
 * @end:	the record is complete
 *
 * Each returns VASI_SUCCESS, or the status that refuses the stream.
 */
struct phyp_parser_ops {
	enum vasi_status (*begin)(void *ctx, struct phyp_parser *p);
	enum vasi_status (*payload)(void *ctx, struct phyp_parser *p,
				    const uint8_t *data, uint32_t length);
	enum vasi_status (*end)(void *ctx, struct phyp_parser *p);
};

enum vasi_status phyp_parse(struct phyp_parser *p, const void *data,
			    uint32_t length, const struct phyp_parser_ops *ops,
			    void *ctx);
void phyp_record_encode(struct phyp_record *r, uint8_t type, uint8_t flags,
			uint32_t length, uint64_t arg, uint32_t count);

#endif /* _PHYP_RECORD_H */
