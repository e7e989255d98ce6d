// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The platform of a mover under the fuzzer: libphyp with one stream, and in place of
 * the VIO link a transport of libvasi that hands messages from one to the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "mover_host.h"

/* What a platform and its mover may have under way between them */
#define MOST_PACKETS	65536u
#define CPU_STATE	64

/* ---- What the platform calls ---- */

static uint64_t platform_now(void *ctx)
{
	(void)ctx;
	return host_tick();
}

static int record_read(void *ctx, uint64_t id, enum phyp_verdict *verdict)
{
	struct host *h = ctx;

	(void)id;
	*verdict = h->verdict;
	return 0;
}

static int record_write(void *ctx, uint64_t id, enum phyp_verdict verdict)
{
	struct host *h = ctx;

	(void)id;
	if (h->verdict)
		return -EEXIST;
	h->verdict = verdict;
	return 0;
}

static const struct phyp_host_ops host_ops = {
	.now_ns = platform_now,
	.record_read = record_read,
	.record_write = record_write,
};

static void home_suspend(void *ctx)
{
	struct host *h = ctx;

	h->stopping = true;
}

static void home_resume(void *ctx)
{
	struct host *h = ctx;

	h->running = true;
	h->stopping = false;
}

static long home_save_state(void *ctx, void *buf, size_t size)
{
	(void)ctx;
	fuzz_check(size >= CPU_STATE);
	memset(buf, 0x5A, CPU_STATE);
	return CPU_STATE;
}

static int home_load_state(void *ctx, const void *buf, size_t size)
{
	(void)ctx;
	(void)buf;
	return size == CPU_STATE ? 0 : -EINVAL;
}

static void home_pages_arrived(void *ctx, uint64_t first, uint64_t count)
{
	(void)ctx;
	(void)first;
	(void)count;
}

static const struct phyp_lpar_ops lpar_ops = {
	.suspend = home_suspend,
	.resume = home_resume,
	.save_state = home_save_state,
	.load_state = home_load_state,
	.pages_arrived = home_pages_arrived,
};

/* ---- The link, from the platform ---- */

enum packet_kind { PACKET_ENTRY, PACKET_WINDOW, PACKET_MAP, PACKET_UNWINDOW };

struct packet {
	STAILQ_ENTRY(packet) link;
	enum packet_kind kind;
	struct vasi_crq entry;
	uint32_t id;
	uint32_t ioba;
	uint32_t length;
	uint64_t offset;
};

static int push(struct host *h, const struct packet *packet)
{
	struct packet *copy = malloc(sizeof(*copy));

	fuzz_check(copy && h->packets < MOST_PACKETS);
	*copy = *packet;
	STAILQ_INSERT_TAIL(&h->to_mover, copy, link);
	h->packets++;
	return 0;
}

static bool pop(struct host *h, struct packet *packet)
{
	struct packet *first = STAILQ_FIRST(&h->to_mover);

	if (!first)
		return false;
	STAILQ_REMOVE_HEAD(&h->to_mover, link);
	h->packets--;
	*packet = *first;
	free(first);
	return true;
}

static int crq_send(void *ctx, const struct vasi_crq *entry)
{
	return push(ctx, &(struct packet) { .kind = PACKET_ENTRY, .entry = *entry });
}

static void *dma_map(void *ctx, uint32_t ioba, uint32_t length)
{
	struct host *h = ctx;
	const struct vasi_pane *pane;

	if (!h->user)
		return NULL;
	pane = &h->user->pane;
	if (length > pane->bytes || ioba > pane->bytes - length)
		return NULL;
	return pane->base + ioba;
}

static int window_open(void *ctx, uint32_t id, struct phyp_lpar *lpar)
{
	(void)lpar;
	return push(ctx, &(struct packet) { .kind = PACKET_WINDOW, .id = id });
}

static int window_map(void *ctx, uint32_t id, uint32_t ioba, uint32_t length,
		      uint64_t offset)
{
	return push(ctx, &(struct packet) {
		.kind = PACKET_MAP, .id = id, .ioba = ioba, .length = length,
		.offset = offset,
	});
}

static void window_close(void *ctx, uint32_t id)
{
	push(ctx, &(struct packet) { .kind = PACKET_UNWINDOW, .id = id });
}

static const struct phyp_vdev_ops vdev_ops = {
	.crq_send = crq_send,
	.dma_map = dma_map,
	.window_open = window_open,
	.window_map = window_map,
	.window_close = window_close,
};

/* ---- The link, from the mover: a transport of libvasi ---- */

/* A path is all that a transport is told */
static struct host *host_of_path;

static struct host *host_of(const struct vasi_device *dev)
{
	(void)dev;
	return host_of_path;
}

static void take_packet(struct host *h, const struct packet *packet)
{
	struct user_device *user = h->user;

	switch (packet->kind) {
	case PACKET_ENTRY:
		user_entry(user, &packet->entry);
		break;
	case PACKET_WINDOW:
		user_window_add(user, packet->id, h->params.bytes, dup(h->memory_fd));
		break;
	case PACKET_MAP:
		user_map_add(user, packet->id, packet->ioba, packet->length,
			     packet->offset);
		break;
	case PACKET_UNWINDOW:
		user_window_remove(user, packet->id);
		break;
	}
}

static void link_receive(struct vasi_device *dev)
{
	struct host *h = host_of(dev);
	struct packet packet;

	while (!dev->lost && pop(h, &packet))
		take_packet(h, &packet);
}

static void see_download(struct host *h, const struct vasi_crq *entry)
{
	const struct vasi_session *s;

	if (entry->header != VASI_CRQ_COMMAND || entry->format != VASI_FMT_DOWNLOAD ||
	    !h->download)
		return;
	s = vasi_session_by_bottom(&h->user->dev, __builtin_bswap32(entry->handle));
	fuzz_check(s);
	h->download(h, s, __builtin_bswap64(entry->data));
}

static int link_flush(struct vasi_device *dev)
{
	struct host *h = host_of(dev);
	struct user_device *user = h->user;

	while (!dev->lost && !h->stalled && user_fill_batch(user)) {
		for (unsigned int i = 0; i < user->batch_count; i++) {
			see_download(h, &user->batch[i]);
			phyp_crq(h->vdev, &user->batch[i]);
		}
		user->batch_count = 0;
	}
	return dev->lost ? -ENODEV : 0;
}

/* What the handshake of a VIO link comes to */
static struct vasi_caps exchange(struct host *h, uint8_t service, uint8_t operations)
{
	struct packet packet;
	struct vasi_crq entry;
	struct vasi_msg msg = {
		.format = VASI_FMT_CAPABILITIES,
		.service = service,
		.caps = {
			.features = VASI_CAP_MULTIPLE_OPENS |
				    VASI_CAP_ADD_BUFFER_INDIRECT |
				    VASI_CAP_DOWNLOAD_IMMEDIATE |
				    VASI_CAP_DOWNLOAD_INDIRECT,
			.operations = operations,
			.opens = UINT8_MAX,
			.dirty_map = VASI_DIRTY_MAP_REQUEST,
		},
	};

	vasi_msg_encode(&entry, &msg);
	phyp_crq(h->vdev, &entry);
	fuzz_check(pop(h, &packet) && packet.kind == PACKET_ENTRY);
	fuzz_check(vasi_msg_decode(&msg, &packet.entry) == VASI_SUCCESS && !msg.status);
	return msg.caps;
}

static void agree(struct host *h, const struct vasi_device_params *params)
{
	struct vasi_device_info *info = &h->user->dev.info;
	uint8_t operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE;
	struct vasi_caps caps;

	if (!params->no_indirect_operations)
		operations |= VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	exchange(h, VASI_SERVICE_SOURCE_MOVER, operations);
	caps = exchange(h, VASI_SERVICE_TARGET_MOVER, operations);
	*info = (struct vasi_device_info) {
		.unit_address = 1, .crq_entries = 4096, .buffer_pools = 4, .streams = 4,
		.features = caps.features, .operations = caps.operations,
		/* Others may have some of them: then an open is refused */
		.opens = 8,
		.dirty_map = h->params.dirty_map,
	};
	h->user->limit = info->crq_entries / 2;
}

static int link_open(const char *path, const struct vasi_device_params *params,
		     struct vasi_device **dev)
{
	struct host *h = host_of_path;
	struct user_device *user = calloc(1, sizeof(*user));
	uint64_t slots = USER_SLOTS * USER_SLOT_BYTES, offset;

	(void)path;
	fuzz_check(user && !h->user);
	h->user = user;
	user->dev.ops = &vasi_user_transport;
	user->fd = -1;
	fuzz_check(!vasi_pane_create(&user->pane, params->pane_bytes + slots));
	fuzz_check(!vasi_pane_alloc(&user->pane, slots, &offset) && !offset);
	agree(h, params);
	*dev = &user->dev;
	return 0;
}

static void link_close_device(struct vasi_device *dev)
{
	struct host *h = host_of(dev);
	struct packet packet;

	phyp_vdev_reset(h->vdev);
	while (pop(h, &packet))
		;
	user_requests_free(h->user);
	user_windows_free(h->user);
	vasi_pane_destroy(&h->user->pane);
	free(h->user);
	h->user = NULL;
}

static int link_attach(struct vasi_device *dev, struct io_uring *ring, uint16_t tag)
{
	(void)dev;
	(void)ring;
	(void)tag;
	return 0;
}

static void link_detach(struct vasi_device *dev)
{
	(void)dev;
}

static bool link_busy(const struct vasi_device *dev)
{
	(void)dev;
	return false;
}

static int link_cqe(struct vasi_device *dev, const struct io_uring_cqe *cqe)
{
	(void)dev;
	(void)cqe;
	return -EINVAL;
}

static int link_donor_open(struct vasi_device *dev, struct vasi_donor **donor)
{
	(void)dev;
	*donor = malloc(sizeof(**donor));
	fuzz_check(*donor);
	(*donor)->ops = &vasi_user_transport;
	return 0;
}

static void link_donor_close(struct vasi_donor *donor)
{
	free(donor);
}

static int64_t link_hcall(uint64_t number, const uint64_t arg[4], uint64_t ret[4])
{
	struct host *h = host_of_path;

	if (h->user->dev.lost)
		return VASI_RC_HARDWARE;
	return phyp_hcall(h->vdev, number, arg, ret);
}

static int64_t link_donate(struct vasi_donor *donor, const struct vasi_session *s)
{
	const uint64_t arg[4] = { (uint64_t)s->top << 32 | s->bottom };
	uint64_t ret[4];

	(void)donor;
	return link_hcall(VASI_H_DONOR_OPERATION, arg, ret);
}

static int64_t link_stream_state(struct vasi_donor *donor, uint64_t stream_id,
				 uint64_t *state)
{
	const uint64_t arg[4] = { stream_id };
	uint64_t ret[4] = { 0 };
	int64_t rc;

	(void)donor;
	rc = link_hcall(VASI_H_STATE, arg, ret);
	*state = ret[0];
	return rc;
}

static int64_t link_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
				  uint32_t reason)
{
	const uint64_t arg[4] = { stream_id, VASI_SIGNAL_CANCEL, reason };
	uint64_t ret[4];

	(void)donor;
	return link_hcall(VASI_H_SIGNAL, arg, ret);
}

const struct vasi_transport vasi_user_transport = {
	.name		= "link in memory",
	.session_bytes	= sizeof(struct user_session),
	.open		= link_open,
	.close		= link_close_device,
	.attach		= link_attach,
	.detach		= link_detach,
	.busy		= link_busy,
	.cqe		= link_cqe,
	.receive	= link_receive,
	.flush		= link_flush,
	.session_open	= user_session_open,
	.session_close	= user_session_close,
	.session_forget	= user_session_forget,
	.pool_setup	= user_pool_setup,
	.pool_free	= user_pool_free,
	.post		= user_post,
	.free_buffer	= user_free_buffer,
	.respond	= user_respond,
	.download	= user_download,
	.signal		= user_signal,
	.progress	= user_progress,
	.message	= user_message,
	.dirty_map	= user_dirty_map,
	.indirect_data	= user_indirect_data,
	.window_get	= user_window_get,
	.window_put	= user_window_put,
	.donor_open	= link_donor_open,
	.donor_close	= link_donor_close,
	.donate		= link_donate,
	.stream_state	= link_stream_state,
	.stream_cancel	= link_stream_cancel,
};

void host_lose_device(struct host *h)
{
	if (h->user)
		vasi_device_lost(&h->user->dev, "the fuzzer took it");
}

/* ---- Beginning and end ---- */

static void create_memory(struct host *h)
{
	int fd = memfd_create("partition", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fuzz_check(fd >= 0 && !ftruncate(fd, (off_t)h->params.bytes));
	fuzz_check(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	h->memory_fd = fd;
	h->memory = mmap(NULL, h->params.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
	fuzz_check(h->memory != MAP_FAILED);
}

void platform_create(struct host *h)
{
	struct phyp_vdev_params vdev = {
		.unit_address = 1, .crq_bytes = 65536, .buffer_pools = 4, .streams = 4,
		.opens = h->params.opens, .indirect = h->params.indirect,
		.dirty_map = h->params.dirty_map,
	};
	struct phyp_stream_params stream = {
		.id = HOST_STREAM,
		.role = (enum phyp_role)h->params.role,
	};

	fuzz_check(!host_of_path);
	host_of_path = h;
	STAILQ_INIT(&h->to_mover);
	create_memory(h);
	h->phyp = phyp_create(&host_ops, h);
	fuzz_check(h->phyp);
	h->vdev = phyp_vdev_create(h->phyp, &vdev, &vdev_ops, h);
	h->lpar = phyp_lpar_create(h->phyp, h->memory, h->params.bytes,
				   h->params.granule, &lpar_ops, h);
	fuzz_check(h->vdev && h->lpar);
	h->running = stream.role == PHYP_SOURCE;
	if (h->running) {
		memset(h->memory, 0xA5, h->params.bytes / 2);
		phyp_lpar_mark(h->lpar, 0, h->params.bytes * 3 / 4);
	}
	stream.lpar = h->lpar;
	stream.vdev = h->vdev;
	fuzz_check(!phyp_stream_create(h->phyp, &stream, &h->stream));
}

void platform_destroy(struct host *h)
{
	phyp_destroy(h->phyp);
	munmap(h->memory, h->params.bytes);
	close(h->memory_fd);
	host_of_path = NULL;
}
