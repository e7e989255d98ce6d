// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The codec: whatever decodes is encoded to something that means the same, and
 * no segment of a data buffer lies outside of it.
 */
#include "fuzz.h"
#include "vasi_codec.h"

#define BUILD_BYTES	512

static void entry(struct fuzz_input *in)
{
	struct vasi_crq raw, once, twice, answer;
	struct vasi_msg msg, again;

	fuzz_fill(in, &raw, sizeof(raw));
	fuzz_check(vasi_format_name(raw.format) && vasi_status_name(raw.byte2) &&
		   vasi_service_name(raw.byte3));
	vasi_msg_reject(&answer, &raw, VASI_INVALID_FORMAT);
	fuzz_check(answer.format & VASI_FMT_RESPONSE);
	if (vasi_msg_decode(&msg, &raw) != VASI_SUCCESS)
		return;
	fuzz_check(vasi_state_name(msg.code) && vasi_signal_name(msg.code));
	vasi_msg_encode(&once, &msg);
	fuzz_check(vasi_msg_decode(&again, &once) == VASI_SUCCESS);
	vasi_msg_encode(&twice, &again);
	fuzz_check(!memcmp(&once, &twice, sizeof(once)));
}

static void check_inside(const struct vasi_segment *seg, const uint8_t *buf,
			 size_t size)
{
	if (seg->kind != VASI_SEG_IMMEDIATE)
		return;
	fuzz_check(seg->data >= buf && seg->data <= buf + size);
	fuzz_check(seg->length <= (size_t)(buf + size - seg->data));
}

/* A copy of its own size, so that one byte too far is noticed */
static void specifier(struct fuzz_input *in, bool download)
{
	size_t size = in->left;
	uint8_t *buf = malloc(size ? size : 1);
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	struct vasi_op op;
	int ret = 0;

	fuzz_check(buf);
	fuzz_fill(in, buf, size);
	if (download)
		vasi_download_parse(buf, (uint32_t)size, &it);
	else if (vasi_op_parse(buf, (uint32_t)size, &op, &it) != VASI_SUCCESS)
		goto out;
	do {
		ret = download ? vasi_download_next(&it, &seg) :
				 vasi_op_next(&it, &seg);
		if (ret > 0)
			check_inside(&seg, buf, size);
	} while (ret > 0);
	fuzz_check((download ? vasi_download_next(&it, &seg) :
			       vasi_op_next(&it, &seg)) < 0);
out:
	free(buf);
}

static int add(struct fuzz_input *in, struct vasi_seg_builder *b, bool download,
	       unsigned int kind)
{
	uint32_t length = kind ? fuzz_u32(in) : fuzz_u16(in);
	void *data;

	switch (kind) {
	case 0:
		data = vasi_seg_add_immediate(b, length);
		if (!data)
			return -1;
		fuzz_fill(in, data, length);
		return 0;
	case 1:
		return download ? vasi_download_add_indirect(b, length, fuzz_u32(in)) :
				  vasi_op_add_indirect(b, length, fuzz_u32(in));
	case 2:
		return download ? -1 : vasi_op_add_skip(b, length);
	default:
		return download ? -1 : vasi_op_add_offset(b, fuzz_u64(in));
	}
}

/* What was built is read again, segment for segment */
static void build(struct fuzz_input *in, bool download)
{
	uint32_t size = fuzz_u16(in) % BUILD_BYTES, used;
	uint8_t *buf = malloc(size ? size : 1);
	struct vasi_op op = { .op_code = fuzz_u8(in), .offset = fuzz_u64(in) };
	unsigned int added = 0, found = 0;
	struct vasi_seg_builder b;
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	int ret;

	fuzz_check(buf);
	memset(buf, 0xEE, size);
	ret = download ? vasi_download_begin(&b, buf, size, 1) :
			 vasi_op_begin(&b, buf, size, &op);
	while (in->left) {
		uint32_t room = vasi_seg_room(&b);

		fuzz_check(room <= size);
		if (!add(in, &b, download, fuzz_u8(in) & 3))
			added++;
		fuzz_check(vasi_seg_room(&b) <= room);
	}
	used = vasi_seg_end(&b, buf);
	fuzz_check(ret ? !used : used <= size);
	if (ret)
		goto out;
	if (download)
		vasi_download_parse(buf, used, &it);
	else
		fuzz_check(vasi_op_parse(buf, used, &op, &it) == VASI_SUCCESS);
	while ((ret = download ? vasi_download_next(&it, &seg) :
				 vasi_op_next(&it, &seg)) > 0)
		found++;
	fuzz_check(!ret && found == added);
out:
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint8_t what = fuzz_u8(&in);

	switch (what % 3) {
	case 0:
		do
			entry(&in);
		while (in.left);
		break;
	case 1:
		specifier(&in, what & 0x80);
		break;
	default:
		build(&in, what & 0x80);
		break;
	}
	return 0;
}
