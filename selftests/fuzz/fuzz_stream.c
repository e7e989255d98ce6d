// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The platform's own stream: bytes and records that no source wrote arrive at a
 * target, and bytes that no target wrote at a source, in the middle of a move
 * that is otherwise honest.
 */
#include <endian.h>
#include "fuzz.h"
#include "../unit/two_systems.h"

#define MAX_STEPS	64
#define MAX_PAYLOAD	8192u

struct fuzz {
	struct fuzz_input in;
	struct ts *ts;
	unsigned int sessions;
	uint8_t record[sizeof(struct phyp_record) + MAX_PAYLOAD];
};

static void download(struct ts_side *side, unsigned int session, const void *data,
		     uint32_t length)
{
	if (length && side->session[session].open)
		ts_download_raw(side, session, data, length);
	/* Nobody delivers what the sides tell each other but the input */
	side->nmessages = 0;
}

static void raw(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	const uint8_t *data;
	size_t length = fuzz_bytes(&f->in, fuzz_u16(&f->in) % MAX_PAYLOAD, &data);

	download(side, session, data, (uint32_t)length);
}

/* A record that may be right; payload that the input does not have is zero */
static void record(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	static const uint8_t types[] = {
		PHYP_REC_START, PHYP_REC_PAGES, PHYP_REC_ZERO, PHYP_REC_PASS,
		PHYP_REC_BITMAP, PHYP_REC_STATE, PHYP_REC_HANDOVER, PHYP_REC_END,
		PHYP_REC_DEMAND, PHYP_REC_SKIPPABLE, PHYP_REC_SKIPPABLE | 1, 99,
	};
	uint8_t type = types[fuzz_u8(&f->in) % sizeof(types)];
	uint8_t how = fuzz_u8(&f->in);
	uint64_t arg = how & 1 ? fuzz_u64(&f->in) : fuzz_u8(&f->in);
	uint32_t count = how & 2 ? fuzz_u32(&f->in) : fuzz_u8(&f->in);
	uint32_t length = how & 4 ? fuzz_u32(&f->in) : fuzz_u16(&f->in) % MAX_PAYLOAD;
	uint32_t payload = how & 8 ? fuzz_u16(&f->in) : length;
	uint8_t *at = f->record + sizeof(struct phyp_record);

	/* Whole pages, and whole words of a bitmap, which few lengths are */
	if (how & 16)
		payload = length = type == PHYP_REC_PAGES ? count % 2 * 4096 :
						count % 1024 * 8;
	if (payload > MAX_PAYLOAD)
		payload = MAX_PAYLOAD;
	phyp_record_encode((struct phyp_record *)f->record, type, how >> 7, length,
			   arg, count);
	fuzz_fill(&f->in, at, how & 32 ? payload : payload % 64);
	if (!(how & 32))
		memset(at + payload % 64, how, payload - payload % 64);
	download(side, session, f->record, sizeof(struct phyp_record) + payload);
}

static void start(struct fuzz *f, unsigned int session)
{
	const struct ts_params *p = &f->ts->params;
	struct phyp_start start = {
		.magic = htobe64(PHYP_START_MAGIC),
		.major = htobe16(PHYP_STREAM_MAJOR),
		.minor = htobe16(PHYP_STREAM_MINOR),
		.granule = htobe32(p->granule),
		.bytes = htobe64(p->bytes),
		.stream_id = htobe64(TS_STREAM_ID),
		.incarnation = htobe32(1),
		.session = htobe16((uint16_t)session),
		.sessions = htobe16((uint16_t)f->sessions),
	};
	uint8_t where = fuzz_u8(&f->in);

	/* Now and then one byte is another */
	if (where < sizeof(start))
		((uint8_t *)&start)[where] ^= fuzz_u8(&f->in);
	phyp_record_encode((struct phyp_record *)f->record, PHYP_REC_START, 0,
			   sizeof(start), 0, 0);
	memcpy(f->record + sizeof(struct phyp_record), &start, sizeof(start));
	download(&f->ts->tgt, session, f->record,
		 sizeof(struct phyp_record) + sizeof(start));
}

static void message(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	uint8_t type = fuzz_u8(&f->in);
	uint64_t data = type & 0x80 ? fuzz_u64(&f->in) :
			(uint64_t)(type & 7) << 56 | (type & 8 ? fuzz_u32(&f->in) : 0);

	if (!side->session[session].open)
		return;
	ts_send(side, &(struct vasi_msg) {
		.format = VASI_FMT_MESSAGE_DOWNLOAD,
		.control = VASI_CONTROL_PASS_THROUGH,
		.handle = side->session[session].bottom,
		.data = data,
	});
	side->nmessages = 0;
}

static void reopen(struct fuzz *f, struct ts_side *side, unsigned int session)
{
	if (fuzz_u8(&f->in) & 1)
		ts_close_side(side);
	else
		ts_reset_side(side);
	ts_drop_pipes(f->ts);
	ts_open_side(side, session);
	if (side->session[session].open)
		ts_post_buffers(side, session);
}

static void step(struct fuzz *f)
{
	static const enum ts_action honest[] = {
		TS_DONATE_SRC, TS_DONATE_TGT, TS_GATHER, TS_ANSWER,
	};
	uint8_t what = fuzz_u8(&f->in);
	unsigned int session = (what >> 4 & 3) % f->sessions;
	struct ts_side *side = what & 0x80 ? &f->ts->src : &f->ts->tgt;

	switch (what & 15) {
	case 0:
	case 1:
		raw(f, side, session);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
		record(f, side, session);
		break;
	case 7:
	case 8:
		start(f, session);
		break;
	case 9:
		message(f, side, session);
		break;
	case 10:
		if (side->session[session].open)
			ts_signal(side, session, fuzz_u8(&f->in) % 8, 0x01000000);
		break;
	case 11:
		if (f->ts->src.running)
			ts_write(f->ts, &f->ts->src, fuzz_u8(&f->in) % 128 * 1024,
				 1024, what & 0x80);
		break;
	case 12:
		reopen(f, side, session);
		break;
	case 13:
		phyp_lpar_demand(f->ts->tgt.lpar, fuzz_u8(&f->in) * 4096ULL %
				 f->ts->params.bytes);
		ts_drain(&f->ts->tgt);
		break;
	default:
		if (f->ts->src.session[session].open && f->ts->tgt.session[session].open)
			ts_act(f->ts, honest[fuzz_u8(&f->in) % 4], session);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ts_params params = { .seed = 1 };
	uint8_t how;

	fuzz_check(f);
	f->in = (struct fuzz_input) { data, size };
	how = fuzz_u8(&f->in);
	f->sessions = 1 + (how & 1);
	params.sessions = f->sessions;
	params.granule = how & 2 ? 65536 : 4096;
	params.bytes = 128 * KIB + (how & 4 ? 65536 : 0);
	params.buffer = 8 * KIB;
	params.indirect = how & 8;
	params.copy_dma = how & 16;
	params.all_pages = how & 32;
	f->ts = ts_create(&params);
	f->ts->no_home = how & 64;
	ts_open(f->ts);
	for (unsigned int i = 0; f->in.left && i < MAX_STEPS; i++)
		step(f);
	ts_destroy(f->ts);
	free(f);
	return 0;
}
