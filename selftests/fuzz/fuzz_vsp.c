// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A platform that sends what it likes, against libvasi with its user-mode
 * driver: anything may happen to the device, nothing to the mover.
 */
#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../unit/fake_platform.h"
#include "fuzz.h"
#include "libvasi/vasi.h"

#define PANE_BYTES	(1u << 20)
#define TAG		0x1234
#define STREAM		0x1122334455667788ULL
#define BOTTOM		0xb0770001u
#define WINDOW_BYTES	65536u
#define BUFFERS		8u
#define MAX_STEPS	128

struct fuzz {
	struct fuzz_input in;
	struct fake_platform p;
	struct io_uring ring;
	struct vasi_device *dev;
	struct vasi_session *s;
	uint32_t top;
	int window;
	bool lost;
};

static void answer_event(struct fuzz *f, const struct vasi_event *ev)
{
	struct iovec iov[8];
	int n;

	if (ev->type == VASI_EV_LOST)
		f->lost = true;
	if (ev->type != VASI_EV_OPERATION || ev->session != f->s)
		return;
	fuzz_check(ev->index < BUFFERS);
	n = vasi_operation_iov(f->s, ev->pool, ev->index, iov, 8);
	/* What a mover would send must be there */
	for (int i = 0; i < n && i < 8; i++) {
		const volatile uint8_t *at = iov[i].iov_base;

		(void)at[0];
		(void)at[iov[i].iov_len - 1];
	}
	vasi_respond(f->s, ev->pool, ev->index, VASI_SUCCESS, 0, true);
}

static void reap(struct fuzz *f)
{
	struct vasi_event ev;

	while (vasi_reap(f->dev, &ev, 1) > 0)
		answer_event(f, &ev);
	vasi_device_flush(f->dev);
	io_uring_submit(&f->ring);
	/* Nothing may be queued so long that the platform's sends fail */
	while (vio_recv(f->p.fd, VIO_CLIENT, VIO_CHANNEL_CRQ, f->p.msg) == 0)
		;
}

static void entry(struct fuzz *f, uint8_t what)
{
	struct vasi_crq entry = { .header = VASI_CRQ_COMMAND };

	if (what & 0x10) {
		fuzz_fill(&f->in, &entry, sizeof(entry));
	} else {
		entry.format = fuzz_u8(&f->in);
		entry.byte2 = fuzz_u8(&f->in) % 0x1A;
		entry.handle = htobe32(what & 0x20 ? BOTTOM : f->top);
		entry.data = what & 0x40 ? fuzz_u64(&f->in) :
			*(__be64 *)vasi_buffer(f->s, 0, fuzz_u8(&f->in) % BUFFERS);
	}
	vio_send_crq(f->p.fd, &entry, 1);
}

/* What lies in a buffer changes while the driver has it */
static void buffer(struct fuzz *f)
{
	uint8_t *at = vasi_buffer(f->s, 0, fuzz_u8(&f->in) % BUFFERS);
	struct vasi_op op = {
		.top = f->top, .bottom = BOTTOM, .correlator = fuzz_u8(&f->in),
		.op_code = VASI_OP_WRITE,
	};
	struct vasi_seg_builder b;
	uint8_t how = fuzz_u8(&f->in);

	memcpy(&op.buffer_correlator, at, sizeof(op.buffer_correlator));
	op.buffer_correlator = be64toh(op.buffer_correlator);
	if (how & 1) {
		fuzz_fill(&f->in, at + fuzz_u8(&f->in), how >> 2);
		return;
	}
	if (vasi_op_begin(&b, at, 8192, &op))
		return;
	for (; how; how >>= 2) {
		if (how & 1)
			vasi_op_add_indirect(&b, fuzz_u16(&f->in) + 1u,
					     fuzz_u16(&f->in) * 2u);
		else
			vasi_seg_add_immediate(&b, fuzz_u8(&f->in) + 1u);
	}
	vasi_seg_end(&b, at);
}

static void ask(struct fuzz *f, uint8_t what)
{
	uint8_t n = fuzz_u8(&f->in);

	switch (what >> 4) {
	case 0:
		vasi_post(f->s, 0, n % BUFFERS);
		break;
	case 1:
		vasi_download(f->s, 0, n % BUFFERS, 1 + n * 16u, n & 1, n);
		break;
	case 2:
		vasi_free_buffer(f->s, 0, n);
		break;
	case 3:
		vasi_progress(f->s, n);
		break;
	case 4:
		vasi_signal(f->s, n % 8, 0x02000000, n);
		break;
	case 5:
		vasi_message(f->s, n, n);
		break;
	case 6:
		vasi_dirty_map(f->s, 0, n % BUFFERS, n, n * 100u, 4096, n & 1, n);
		break;
	default:
		if (n == 1)
			vasi_session_close(f->s, n);
		break;
	}
	vasi_device_flush(f->dev);
}

static void step(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in), n;

	switch (what & 7) {
	case 0:
	case 1:
	case 2:
		entry(f, what);
		break;
	case 3:
		buffer(f);
		break;
	case 4:
	case 5:
		ask(f, what);
		break;
	case 6:
		n = fuzz_u8(&f->in);
		if (what & 0x80)
			vio_send_window(f->p.fd, n, n & 1 ? WINDOW_BYTES : fuzz_u32(&f->in),
					f->window);
		else
			vio_send_map(f->p.fd, n % 4, fuzz_u16(&f->in) & 0xF000,
				     (n >> 4) * 4096u, (uint64_t)(fuzz_u8(&f->in) >> 4) * 4096);
		break;
	default:
		n = fuzz_u8(&f->in);
		if (n < 16)
			vio_send_event(f->p.fd, n);
		else if (n < 64)
			vio_send_unwindow(f->p.fd, n % 4);
		else
			vio_send_dma_read(f->p.fd, n, 1 + (n & 1), fuzz_u32(&f->in),
					  fuzz_u16(&f->in));
		break;
	}
	reap(f);
}

static void wait_cqe(struct fuzz *f)
{
	struct __kernel_timespec timeout = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;

	fuzz_check(!io_uring_wait_cqe_timeout(&f->ring, &cqe, &timeout));
	fuzz_check(!vasi_device_cqe(f->dev, cqe));
	io_uring_cqe_seen(&f->ring, cqe);
}

static void open_all(struct fuzz *f)
{
	const struct vasi_device_params params = {
		.pane_bytes = PANE_BYTES, .dirty_map = true,
	};
	struct vasi_event ev;
	struct vasi_msg msg;

	fake_start(&f->p);
	f->p.caps[0].dirty_map = VASI_DIRTY_MAP_OFFER;
	f->p.caps[1].dirty_map = VASI_DIRTY_MAP_OFFER;
	fake_serve(&f->p);
	fuzz_check(!vasi_device_open(f->p.path, &params, &f->dev));
	fake_join(&f->p);
	fuzz_check(!vasi_device_attach(f->dev, &f->ring, TAG));
	fuzz_check(!vasi_session_open(f->dev, STREAM, VASI_SERVICE_SOURCE_MOVER, 5,
				      &f->s));
	fuzz_check(!vasi_device_flush(f->dev));
	io_uring_submit(&f->ring);
	fake_expect(&f->p, VASI_FMT_OPEN, &msg);
	f->top = msg.handle;
	msg.format |= VASI_FMT_RESPONSE;
	msg.handle = BOTTOM;
	fake_send(&f->p, &msg);
	while (vasi_reap(f->dev, &ev, 1) <= 0)
		wait_cqe(f);
	fuzz_check(ev.type == VASI_EV_OPENED && !ev.status);
	fuzz_check(vasi_pool_setup(f->s, 8192, BUFFERS, 0) == 0);
	for (uint32_t i = 0; i < BUFFERS / 2; i++)
		fuzz_check(!vasi_post(f->s, 0, i));
	reap(f);
}

static void close_all(struct fuzz *f)
{
	vasi_device_detach(f->dev);
	io_uring_submit(&f->ring);
	while (vasi_device_busy(f->dev))
		wait_cqe(f);
	vasi_device_close(f->dev);
	fake_stop(&f->p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	int memory = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fuzz_check(f && memory >= 0 && !ftruncate(memory, WINDOW_BYTES));
	fuzz_check(!fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK));
	f->in = (struct fuzz_input) { data, size };
	f->window = vio_open_readonly(memory);
	fuzz_check(f->window >= 0 && !io_uring_queue_init(64, &f->ring, 0));
	open_all(f);
	for (unsigned int i = 0; f->in.left && !f->lost && i < MAX_STEPS; i++)
		step(f);
	close_all(f);
	io_uring_queue_exit(&f->ring);
	close(f->window);
	close(memory);
	free(f);
	return 0;
}
