// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Records of the platform's own stream: encoding, and the incremental parser.
 */
#include <string.h>
#include <asm/byteorder.h>
#include "phyp/record.h"

/**
 * phyp_record_encode - fill in a record header
 * @r:		header to fill, every byte of it
 * @type:	enum phyp_record_type
 * @flags:	PHYP_REC_FINAL or 0
 * @length:	payload bytes that follow
 * @arg:	by type
 * @count:	by type
 */
void phyp_record_encode(struct phyp_record *r, uint8_t type, uint8_t flags,
			uint32_t length, uint64_t arg, uint32_t count)
{
	*r = (struct phyp_record) {
		.type = type,
		.flags = flags,
		.length = __cpu_to_be32(length),
		.arg = __cpu_to_be64(arg),
		.count = __cpu_to_be32(count),
	};
}

static uint32_t take_header(struct phyp_parser *p, const uint8_t *data,
			    uint32_t length)
{
	uint32_t want = sizeof(p->raw) - p->raw_bytes;
	uint32_t n = length < want ? length : want;

	memcpy((uint8_t *)&p->raw + p->raw_bytes, data, n);
	p->raw_bytes += n;
	return n;
}

static enum vasi_status begin_record(struct phyp_parser *p,
				     const struct phyp_parser_ops *ops, void *ctx)
{
	if (p->raw.reserved || p->raw.reserved2 ||
	    p->raw.flags & ~PHYP_REC_FINAL)
		return VASI_INVALID_DOWNLOAD_DATA;

	p->type = p->raw.type;
	p->flags = p->raw.flags;
	p->arg = __be64_to_cpu(p->raw.arg);
	p->count = __be32_to_cpu(p->raw.count);
	p->length = __be32_to_cpu(p->raw.length);
	p->done = 0;
	p->small_bytes = 0;
	return ops->begin(ctx, p);
}

/**
 * phyp_parse - take the next bytes of a session
 * @p:		where the session is
 * @data:	the bytes; may change while they are read (the VSP's memory)
 * @length:	how many
 * @ops:	the receiver
 * @ctx:	passed to @ops
 *
 * Return: VASI_SUCCESS, or what the first callback to refuse returned; the
 * parser must not be used after that.
 */
enum vasi_status phyp_parse(struct phyp_parser *p, const void *data,
			    uint32_t length, const struct phyp_parser_ops *ops,
			    void *ctx)
{
	const uint8_t *pos = data;
	const uint8_t *end = pos + length;
	enum vasi_status status;

	while (pos < end) {
		if (p->raw_bytes < sizeof(p->raw)) {
			pos += take_header(p, pos, end - pos);
			if (p->raw_bytes < sizeof(p->raw))
				break;
			status = begin_record(p, ops, ctx);
			if (status)
				return status;
		}
		if (p->done < p->length) {
			uint32_t n = p->length - p->done;

			if (n > end - pos)
				n = end - pos;
			if (!n)
				break;
			status = ops->payload(ctx, p, pos, n);
			if (status)
				return status;
			p->done += n;
			pos += n;
		}
		if (p->done == p->length) {
			p->raw_bytes = 0;
			status = ops->end(ctx, p);
			if (status)
				return status;
		}
	}
	return VASI_SUCCESS;
}
