// SPDX-License-Identifier: GPL-2.0-or-later
/* See one_vsp.h. */
#include <ctype.h>
#include <endian.h>
#include <sys/mman.h>
#include "one_vsp.h"

#define STEP_NS		1000

const struct phyp_vdev_params vsp_params = {
	.unit_address = VSP_UNIT,
	.crq_bytes = 4096,
	.buffer_pools = 4,
	.streams = 4,
	.opens = 4,
	.indirect = true,
	.dirty_map = true,
};

static void *anonymous(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

/* ---- What the platform calls ---- */

static uint64_t now_ns(void *ctx)
{
	struct vsp *vsp = ctx;

	return vsp->now_ns += vsp->step_ns;
}

static int record_read(void *ctx, uint64_t id, enum phyp_verdict *verdict)
{
	struct vsp *vsp = ctx;

	(void)id;
	*verdict = vsp->verdict;
	return 0;
}

static int record_write(void *ctx, uint64_t id, enum phyp_verdict verdict)
{
	struct vsp *vsp = ctx;

	(void)id;
	if (vsp->write_error)
		return vsp->write_error;
	vsp->verdict = verdict;
	return 0;
}

static const struct phyp_host_ops host_ops = {
	.now_ns = now_ns,
	.record_read = record_read,
	.record_write = record_write,
};

static int crq_send(void *ctx, const struct vasi_crq *entry)
{
	struct vsp_dev *dev = ctx;

	assert_true(dev->end < VSP_ENTRIES);
	dev->entry[dev->end++] = *entry;
	return 0;
}

static bool inside(uint32_t ioba, uint32_t length)
{
	return length <= VSP_PANE_BYTES && ioba <= VSP_PANE_BYTES - length;
}

static void *dma_map(void *ctx, uint32_t ioba, uint32_t length)
{
	struct vsp_dev *dev = ctx;

	return !dev->copy && inside(ioba, length) ? dev->pane + ioba : NULL;
}

static int dma_read(void *ctx, uint32_t ioba, void *buf, uint32_t length)
{
	struct vsp_dev *dev = ctx;

	if (!inside(ioba, length))
		return -EFAULT;
	memcpy(buf, dev->pane + ioba, length);
	return 0;
}

static int dma_write(void *ctx, uint32_t ioba, const void *buf, uint32_t length)
{
	struct vsp_dev *dev = ctx;

	if (!inside(ioba, length))
		return -EFAULT;
	memcpy(dev->pane + ioba, buf, length);
	return 0;
}

static int window_open(void *ctx, uint32_t id, struct phyp_lpar *lpar)
{
	struct vsp_dev *dev = ctx;

	(void)id;
	assert_non_null(lpar);
	dev->shown++;
	return 0;
}

static int window_map(void *ctx, uint32_t id, uint32_t ioba, uint32_t length,
		      uint64_t offset)
{
	(void)ctx;
	(void)id;
	(void)ioba;
	(void)length;
	(void)offset;
	return 0;
}

static void window_close(void *ctx, uint32_t id)
{
	(void)ctx;
	(void)id;
}

static const struct phyp_vdev_ops vdev_ops = {
	.crq_send = crq_send,
	.dma_map = dma_map,
	.dma_read = dma_read,
	.dma_write = dma_write,
	.window_open = window_open,
	.window_map = window_map,
	.window_close = window_close,
};

static void home_suspend(void *ctx)
{
	struct vsp_part *part = ctx;

	part->running = false;
}

static void home_resume(void *ctx)
{
	struct vsp_part *part = ctx;

	part->running = true;
}

static long home_save_state(void *ctx, void *buf, size_t size)
{
	(void)ctx;
	assert_true(size >= 64);
	memset(buf, 0x5A, 64);
	return 64;
}

static int home_load_state(void *ctx, const void *buf, size_t size)
{
	(void)ctx;
	(void)buf;
	return size == 64 ? 0 : -EINVAL;
}

static const struct phyp_lpar_ops lpar_ops = {
	.suspend = home_suspend,
	.resume = home_resume,
	.save_state = home_save_state,
	.load_state = home_load_state,
};

/* ---- The platform ---- */

struct vsp *vsp_create(const struct phyp_vdev_params *params)
{
	struct phyp_vdev_params p = params ? *params : vsp_params;
	struct vsp *vsp = calloc(1, sizeof(*vsp));
	unsigned int i;

	assert_non_null(vsp);
	vsp->step_ns = STEP_NS;
	vsp->phyp = phyp_create(&host_ops, vsp);
	assert_non_null(vsp->phyp);
	for (i = 0; i < VSP_DEVICES; i++, p.unit_address += 0x10) {
		struct vsp_dev *dev = &vsp->dev[i];

		dev->vsp = vsp;
		dev->pane = anonymous(VSP_PANE_BYTES);
		dev->vdev = phyp_vdev_create(vsp->phyp, &p, &vdev_ops, dev);
		assert_non_null(dev->vdev);
	}
	return vsp;
}

void vsp_destroy(struct vsp *vsp)
{
	unsigned int i;

	phyp_destroy(vsp->phyp);
	for (i = 0; i < VSP_DEVICES; i++)
		munmap(vsp->dev[i].pane, VSP_PANE_BYTES);
	for (i = 0; i < vsp->parts; i++)
		munmap(vsp->part[i].memory, vsp->part[i].bytes);
	free(vsp);
}

struct vsp_part *vsp_stream(struct vsp *vsp, unsigned int dev, uint64_t id,
			    enum phyp_role role, uint64_t bytes,
			    uint32_t granule)
{
	struct vsp_part *part = &vsp->part[vsp->parts++];
	struct phyp_stream_params params = {
		.id = id,
		.role = role,
		.vdev = vsp->dev[dev].vdev,
	};

	assert_true(vsp->parts <= VSP_PARTITIONS);
	part->bytes = bytes;
	part->memory = anonymous(bytes);
	part->running = role == PHYP_SOURCE;
	part->lpar = phyp_lpar_create(vsp->phyp, part->memory, bytes, granule,
				      &lpar_ops, part);
	assert_non_null(part->lpar);
	params.lpar = part->lpar;
	assert_int_equal(phyp_stream_create(vsp->phyp, &params, &part->stream),
			 0);
	return part;
}

void vsp_write(struct vsp_part *part, uint64_t offset, uint64_t length)
{
	memset(part->memory + offset, 0xA5, length);
	phyp_lpar_mark(part->lpar, offset, length);
}

/* ---- Entries ---- */

static void from_hex(struct vasi_crq *entry, const char *format, va_list args)
{
	uint8_t *byte = (uint8_t *)entry;
	char text[128];
	unsigned int n = 0;
	const char *c;

	vsnprintf(text, sizeof(text), format, args);
	memset(entry, 0, sizeof(*entry));
	for (c = text; *c; c++) {
		if (isspace((unsigned char)*c))
			continue;
		assert_true(isxdigit((unsigned char)*c) && n < 32);
		byte[n / 2] = byte[n / 2] << 4 |
			      (isdigit((unsigned char)*c) ? *c - '0' :
			       (tolower((unsigned char)*c) - 'a' + 10));
		n++;
	}
	if (n != 32)
		fail_msg("%u digits: %s", n, text);
}

void vsp_send(struct vsp_dev *dev, const char *format, ...)
{
	struct vasi_crq entry;
	va_list args;

	va_start(args, format);
	from_hex(&entry, format, args);
	va_end(args);
	phyp_crq(dev->vdev, &entry);
}

void vsp_expect(struct vsp_dev *dev, const char *format, ...)
{
	struct vasi_crq expected, got = vsp_next(dev);
	va_list args;

	va_start(args, format);
	from_hex(&expected, format, args);
	va_end(args);
	assert_memory_equal(&got, &expected, sizeof(got));
}

void vsp_expect_none(const struct vsp_dev *dev)
{
	if (dev->first != dev->end)
		fail_msg("%s, status %#x", vasi_format_name(dev->entry[dev->first].format),
			 dev->entry[dev->first].byte2);
}

struct vasi_crq vsp_next(struct vsp_dev *dev)
{
	struct vasi_crq entry;

	assert_true(dev->first < dev->end);
	entry = dev->entry[dev->first++];
	if (dev->first == dev->end)
		vsp_drop(dev);
	return entry;
}

struct vasi_crq vsp_skip_to(struct vsp_dev *dev, uint8_t format)
{
	struct vasi_crq entry;

	do
		entry = vsp_next(dev);
	while (entry.format != format);
	return entry;
}

void vsp_drop(struct vsp_dev *dev)
{
	dev->first = 0;
	dev->end = 0;
}

uint32_t vsp_open(struct vsp_dev *dev, uint8_t service, uint32_t top, uint64_t id)
{
	struct vasi_crq entry;

	vsp_send(dev, "80 02 00 %02x %08x %016llx", service, top,
		 (unsigned long long)id);
	entry = vsp_skip_to(dev, VASI_FMT_OPEN | VASI_FMT_RESPONSE);
	assert_int_equal(entry.byte2, VASI_SUCCESS);
	return be32toh(entry.handle);
}

int64_t vsp_hcall(struct vsp_dev *dev, uint64_t number, uint64_t a0, uint64_t a1,
		  uint64_t a2)
{
	const uint64_t arg[8] = { a0, a1, a2 };
	uint64_t ret[4];

	return phyp_hcall(dev->vdev, number, arg, ret);
}

void vsp_put64(struct vsp_dev *dev, uint32_t ioba, uint64_t value)
{
	value = htobe64(value);
	memcpy(dev->pane + ioba, &value, sizeof(value));
}

uint64_t vsp_get64(const struct vsp_dev *dev, uint32_t ioba)
{
	uint64_t value;

	memcpy(&value, dev->pane + ioba, sizeof(value));
	return htobe64(value);
}
