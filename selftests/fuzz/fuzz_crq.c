// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtual server partition that sends what it likes: entries, hcalls and data
 * buffers, against a platform with streams of both roles on two devices.
 */
#include <endian.h>
#include "fuzz.h"
#include "phyp/record.h"
#include "../unit/one_vsp.h"

#define STREAMS		3u
#define PARTITION	(128u << 10)
#define MAX_STEPS	256
#define MAX_HANDLES	16
#define TOP		7u

struct fuzz {
	struct fuzz_input in;
	struct vsp *vsp;
	uint32_t handle[MAX_HANDLES];	/* BOTTOMs that the platform named */
	unsigned int handles;
};

static uint64_t stream_id(uint8_t n)
{
	return n % (STREAMS + 1) + 1;
}

static uint32_t bottom(struct fuzz *f)
{
	uint8_t n = fuzz_u8(&f->in);

	return f->handles && n < 0xF0 ? f->handle[n % f->handles] : n;
}

/* Remember the sessions, forget the rest */
static void take_answers(struct fuzz *f, struct vsp_dev *dev)
{
	for (unsigned int i = dev->first; i < dev->end; i++) {
		const struct vasi_crq *entry = &dev->entry[i];

		fuzz_check(entry->header != VASI_CRQ_FREE);
		if (entry->format == (VASI_FMT_OPEN | VASI_FMT_RESPONSE) &&
		    entry->byte2 == VASI_SUCCESS)
			f->handle[f->handles++ % MAX_HANDLES] = be32toh(entry->handle);
		if (f->handles > MAX_HANDLES)
			f->handles = MAX_HANDLES;
	}
	vsp_drop(dev);
}

static uint64_t descriptor(struct fuzz *f)
{
	uint8_t n = fuzz_u8(&f->in);

	if (n & 0x80)
		return fuzz_u64(&f->in);
	return vasi_desc_make((n & 7) * 4096 + (n & 8 ? fuzz_u16(&f->in) : 8192),
			      (n >> 4) * 65536u);
}

/* A message whose fields are often right */
static void message(struct fuzz *f, struct vsp_dev *dev)
{
	static const uint8_t formats[] = {
		VASI_FMT_OPEN, VASI_FMT_OPEN, VASI_FMT_CLOSE, VASI_FMT_ADD_BUFFER,
		VASI_FMT_ADD_BUFFER, VASI_FMT_FREE_BUFFER, VASI_FMT_DOWNLOAD,
		VASI_FMT_SIGNAL, VASI_FMT_PROGRESS, VASI_FMT_ADD_BUFFER_INDIRECT,
		VASI_FMT_MESSAGE_DOWNLOAD, VASI_FMT_CAPABILITIES, VASI_FMT_DIRTY_MAP,
		VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE, VASI_FMT_STATE,
	};
	struct vasi_msg msg = { .format = formats[fuzz_u8(&f->in) % 16] };
	struct vasi_crq entry;

	msg.handle = bottom(f);
	switch (msg.format) {
	case VASI_FMT_OPEN:
		msg.handle = TOP;
		msg.service = fuzz_u8(&f->in) % 4;
		msg.data = stream_id(fuzz_u8(&f->in));
		break;
	case VASI_FMT_SIGNAL:
		msg.code = fuzz_u8(&f->in) % 8;
		msg.reason = fuzz_u32(&f->in);
		break;
	case VASI_FMT_CAPABILITIES:
		msg.service = 1 + fuzz_u8(&f->in) % 2;
		msg.caps = (struct vasi_caps) {
			.features = UINT8_MAX,
			.operations = (uint8_t)~fuzz_u8(&f->in),
			.opens = (uint8_t)(1 + fuzz_u8(&f->in) % 4),
			.dirty_map = VASI_DIRTY_MAP_REQUEST,
		};
		break;
	case VASI_FMT_FREE_BUFFER:
		msg.length = (fuzz_u8(&f->in) & 15) * 4096;
		break;
	case VASI_FMT_MESSAGE_DOWNLOAD:
		msg.control = fuzz_u8(&f->in) % 3;
		msg.data = fuzz_u64(&f->in);
		break;
	case VASI_FMT_OPERATION | VASI_FMT_RESPONSE:
		msg.status = fuzz_u8(&f->in) % 0x1A;
		msg.data = fuzz_u8(&f->in);
		break;
	default:
		msg.data = descriptor(f);
		msg.count = fuzz_u8(&f->in);
		break;
	}
	vasi_msg_encode(&entry, &msg);
	phyp_crq(dev->vdev, &entry);
}

static void hcall(struct fuzz *f, struct vsp_dev *dev)
{
	static const uint64_t numbers[] = {
		VASI_H_DONOR_OPERATION, VASI_H_DONOR_OPERATION, VASI_H_SIGNAL,
		VASI_H_STATE, VASI_H_COPY_RDMA, VASI_H_REG_CRQ, VASI_H_FREE_CRQ,
		VASI_H_ENABLE_CRQ, VASI_H_VIO_SIGNAL, VASI_H_SEND_CRQ,
	};
	uint8_t what = fuzz_u8(&f->in);
	uint64_t number = what < 0xF0 ? numbers[what % 10] : fuzz_u16(&f->in);
	uint64_t arg[8] = { 0 }, ret[4];

	if (number == VASI_H_DONOR_OPERATION && !(what & 0x80)) {
		arg[0] = vsp_pair(TOP, bottom(f));
	} else if (number == VASI_H_SIGNAL || number == VASI_H_STATE) {
		arg[0] = stream_id(fuzz_u8(&f->in));
		arg[1] = fuzz_u8(&f->in) % 8;
		arg[2] = fuzz_u8(&f->in);
	} else {
		for (unsigned int i = 0; i < 8; i++)
			arg[i] = i & 1 ? fuzz_u32(&f->in) : fuzz_u8(&f->in);
	}
	phyp_hcall(dev->vdev, number, arg, ret);
}

/* A download that begins the stream of a target, and what the input has after it */
static void start(struct fuzz *f, struct vsp_dev *dev, uint32_t ioba)
{
	uint32_t rest = fuzz_u8(&f->in), length;
	struct phyp_start start = {
		.magic = htobe64(PHYP_START_MAGIC),
		.major = htobe16(PHYP_STREAM_MAJOR),
		.granule = htobe32(4096),
		.bytes = htobe64(PARTITION),
		.stream_id = htobe64(stream_id(1)),
		.incarnation = htobe32(1 + fuzz_u8(&f->in)),
		.sessions = htobe16(1),
	};
	struct phyp_record *record = (void *)(dev->pane + ioba + 12);
	uint8_t *at = (void *)(record + 1);

	length = sizeof(*record) + sizeof(start) + rest;
	vsp_put64(dev, ioba + 8, (uint64_t)length << 32);
	phyp_record_encode(record, PHYP_REC_START, 0, sizeof(start), 0, 1);
	memcpy(at, &start, sizeof(start));
	fuzz_fill(&f->in, at + sizeof(start), rest);
	memset(at + sizeof(start) + rest, 0, 4);
}

/* Change the first pane, at one of the places where descriptors point */
static void pane(struct fuzz *f, struct vsp_dev *dev)
{
	uint8_t where = fuzz_u8(&f->in);
	uint32_t length = fuzz_u8(&f->in);
	uint32_t ioba = (where & 7) * 65536u;

	if (where & 0x80) {	/* descriptors, as Add Buffer Indirect has them */
		vsp_put64(dev, ioba + 8 + (where >> 3 & 15) * 8, descriptor(f));
		return;
	}
	vsp_put64(dev, ioba, fuzz_u8(&f->in));
	if (where & 0x20) {
		start(f, dev, ioba);
		return;
	}
	if (where & 0x40) {	/* one immediate segment, and its end */
		vsp_put64(dev, ioba + 8, (uint64_t)length << 32);
		fuzz_fill(&f->in, dev->pane + ioba + 12, length);
		memset(dev->pane + ioba + 12 + length, 0, 4);
		return;
	}
	fuzz_fill(&f->in, dev->pane + ioba + 8, length);
}

static void step(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in);
	struct vsp_dev *dev = &f->vsp->dev[what >> 7];
	unsigned int n = (what >> 3 & 15) % STREAMS;
	struct vsp_part *part = &f->vsp->part[n];
	struct vasi_crq entry;

	switch (what & 7) {
	case 0:
		fuzz_fill(&f->in, &entry, sizeof(entry));
		phyp_crq(dev->vdev, &entry);
		break;
	case 1:
	case 2:
		message(f, dev);
		break;
	case 3:
	case 4:
		hcall(f, dev);
		break;
	case 5:
		pane(f, dev);
		break;
	case 6:
		if (part->running)
			vsp_write(part, fuzz_u8(&f->in) * 512u, 512);
		else if (!(n & 1))	/* the home of a source's partition */
			phyp_lpar_suspended(part->lpar);
		break;
	default:
		if (what & 0x10)
			phyp_vdev_reset(dev->vdev);
		else
			dev->copy = what & 0x20;
		break;
	}
	for (unsigned int i = 0; i < VSP_DEVICES; i++)
		take_answers(f, &f->vsp->dev[i]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	/* What the unit tests' part asserts is a finding, with its stack */
	return setenv("CMOCKA_TEST_ABORT", "1", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .in = { data, size } };
	struct vasi_crq init = { .header = VASI_CRQ_INIT,
				 .format = VASI_INIT_INITIALIZE };

	f.vsp = vsp_create(NULL);
	for (uint8_t i = 0; i < STREAMS; i++)
		vsp_stream(f.vsp, i / 2, stream_id(i),
			   i & 1 ? PHYP_TARGET : PHYP_SOURCE, PARTITION,
			   i / 2 ? 65536 : 4096);
	for (unsigned int i = 0; i < VSP_DEVICES; i++)
		phyp_crq(f.vsp->dev[i].vdev, &init);
	for (uint64_t at = 0; at < PARTITION; at += 8192)
		vsp_write(&f.vsp->part[0], at, 4096);
	for (unsigned int i = 0; f.in.left && i < MAX_STEPS; i++)
		step(&f);
	vsp_destroy(f.vsp);
	return 0;
}
