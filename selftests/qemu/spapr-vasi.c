// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spapr-vasi: a VASI device for QEMU's pseries machine.
 *
 * The device is the wire between a guest's driver and vasi-phypd: the guest's
 * CRQ, its hcalls and its DMA go over a VIO link (Documentation/vio-link.rst).
 * Documentation/qemu.rst tells how it is used and built.
 *
 * As a plug-in it is loaded into a distribution's own qemu-system-ppc64 (plugin.c).
 * In QEMU's tree (without SPAPR_VASI_PLUGIN) it is a device like any other.
 *
 * Locking: everything here belongs to QEMU's big lock (BQL).  The one place
 * where a thread waits is wait_for_answer(), and it gives the lock up for that.
 * Nothing else blocks: what the link does not take is queued, what the guest's
 * queue does not take is queued, and both queues have an end.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "cpu.h"
#include "exec/cpu-common.h"
#include "exec/memory.h"
#include "hw/boards.h"
#include "hw/ppc/spapr.h"
#include "hw/ppc/spapr_vio.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "qom/object.h"
#include "sysemu/runstate.h"
#include "sysemu/tcg.h"
#include <libfdt.h>
#include <poll.h>
#include <sys/mman.h>
#include <linux/vasi_crq.h>

#include "spapr-vasi.h"
#include "violink/violink.h"

#define TYPE_SPAPR_VASI		"spapr-vasi"
OBJECT_DECLARE_SIMPLE_TYPE(SpaprVasi, SPAPR_VASI)

/* Bytes of the first pane.  QEMU has it in the class, so all devices agree */
#define PANE1_BYTES		0x10000000u
/* VIO's LIOBN is the unit address; bit 31 is PCI's, so another bit it is */
#define PANE2_LIOBN(reg)	((reg) ^ 0x40000000u)
/* Most that H_COPY_RDMA copies: LoPAR's least, and the platform's most */
#define COPY_BYTES		(128u << 10)

/* Longest time that an hcall keeps its processor */
#define HCALL_LIMIT_MS		20
/* A late answer is kept for whoever asks again, so long */
#define LATE_ANSWER_MS		1000
#define MAX_CHANNELS		64
/* Longest wait for the platform when QEMU starts */
#define HELLO_LIMIT_MS		5000
/* Back-off of the reconnection, and of tries on a queue that is full */
#define RECONNECT_LEAST_MS	50
#define RECONNECT_MOST_MS	2000
#define POKE_LEAST_MS		1
#define POKE_MOST_MS		64
/* Messages taken from the link before others get the lock */
#define MESSAGES_PER_EVENT	64
/* Entries that wait for the guest, that wait for a reset to be over, and
 * packets that wait for the link: beyond it, whoever sends is told
 */
#define MAX_FOR_GUEST		16384
#define MAX_HELD		1024
#define MAX_PACKETS		64
#define MAX_OPENING		256
#define MAX_WINDOWS		64
/* What is announced as the queue's size before the guest has said it */
#define DEFAULT_ENTRIES		4096

enum link_state {
	LINK_DOWN,	/* no connection; a timer tries again */
	LINK_HELLO,	/* connected, WELCOME is awaited */
	LINK_RESETTING,	/* the platform has not confirmed a RESET yet */
	LINK_UP,
};

/**
 * struct vasi_channel - an hcall channel
 * @fd:		socket
 * @kind:	0 until WELCOME has come, then VIO_CHANNEL_HCALL
 * @waiting:	somebody waits here, and frees the channel if it is gone
 * @gone:	the link has ended
 * @busy:	an answer is awaited, or @done
 * @done:	the answer is there
 * @done_ms:	since when
 * @tag:	of the call
 * @number:	of the hcall
 * @arg:	its arguments
 * @rc:		the answer
 * @ret:	the answer
 */
struct vasi_channel {
	QLIST_ENTRY(vasi_channel) next;
	int fd;
	unsigned int kind;
	bool waiting;
	bool gone;
	bool busy;
	bool done;
	int64_t done_ms;
	uint32_t tag;
	uint64_t number;
	uint64_t arg[8];
	int64_t rc;
	uint64_t ret[4];
};

/**
 * struct vasi_packet - a message that the link had no room for
 * @type:	enum vio_type
 * @tag:	tag
 * @count:	CRQ: entries
 * @fd:		to pass, or -1; somebody else's
 * @length:	bytes of @body
 * @body:	body
 */
struct vasi_packet {
	enum vio_type type;
	uint32_t tag;
	uint16_t count;
	int fd;
	size_t length;
	uint8_t body[];
};

/**
 * struct SpaprVasi - the device
 * @vdev:	QEMU's part: unit address, CRQ, first pane
 * @path:	property: the platform's socket
 * @loc_code:	property: location code
 * @enable_busy: property: how often H_ENABLE_CRQ is to be repeated
 * @unit:	what the platform said it is, as it came
 * @liobn2:	LIOBN of the second pane
 * @pane2_bytes: its size
 * @state:	of the link
 * @fd:		CRQ channel, or -1
 * @reconnect:	timer
 * @reconnect_ms: back-off
 * @channels:	hcall channels
 * @barrier:	the one that confirms resets
 * @barrier_again: a reset came while another was awaited
 * @reset_queued: RESET is among @packets
 * @tag:	of the last call
 * @packets:	struct vasi_packet that wait for the link
 * @blocked:	the socket was full; wait until it is writable
 * @held:	entries of the guest that wait for the end of a reset
 * @trouble:	why the link has ended
 * @for_guest:	entries that wait for room in the guest's queue
 * @poke:	timer: try again
 * @poke_ms:	back-off
 * @registered:	the guest has a queue, as far as we have heard
 * @freeing:	H_FREE_CRQ was called and is to be called again
 * @suspended:	a suspend event came; H_ENABLE_CRQ has not
 * @stopped:	and the guest has it: nothing follows it
 * @busy_left:	times that H_ENABLE_CRQ is still busy
 * @opening:	Open requests without an answer
 * @pairs:	TOP/BOTTOM pairs of sessions, as keys
 * @windows:	descriptors of the second pane's windows by id
 * @ram_fd:	the guest's RAM, if it can be passed; QEMU's
 * @ram_bytes:	its size
 * @table_fd:	memory of @table
 * @table:	translation of the first pane's pages for the platform, or NULL
 * @notifier:	keeps it up to date
 * @msg:	the last message received
 * @data:	for DMA
 */
struct SpaprVasi {
	SpaprVioDevice vdev;
	char *path;
	char *loc_code;
	uint32_t enable_busy;
	struct vio_welcome unit;
	uint32_t liobn2;
	uint64_t pane2_bytes;

	enum link_state state;
	int fd;
	QEMUTimer *reconnect;
	int reconnect_ms;
	QLIST_HEAD(, vasi_channel) channels;
	struct vasi_channel *barrier;
	bool barrier_again;
	bool reset_queued;
	uint32_t tag;
	GQueue *packets;
	bool blocked;
	GArray *held;
	char *trouble;

	GQueue *for_guest;
	QEMUTimer *poke;
	int poke_ms;
	bool registered;
	bool freeing;
	bool suspended;
	bool stopped;
	uint32_t busy_left;

	GArray *opening;
	GHashTable *pairs;
	GHashTable *windows;

	uint64_t ram_bytes;
	int ram_fd;
	int table_fd;
	__be64 *table;
	IOMMUNotifier notifier;

	struct vio_message *msg;
	uint8_t *data;
};

/* Of all devices of this QEMU: why there is to be none, or NULL */
static const char *refused;

static void G_GNUC_PRINTF(3, 4) link_lost(SpaprVasi *s,
					  enum vasi_event_format event,
					  const char *fmt, ...);
static void link_ready(void *opaque);
static void link_writable(void *opaque);
static void link_receive(SpaprVasi *s);
static bool receive_one(SpaprVasi *s);
static void send_barrier(SpaprVasi *s);
static void barrier_ready(void *opaque);

static int64_t now_ms(void)
{
	return qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

static void clear_queue(GQueue *queue)
{
	while (!g_queue_is_empty(queue))
		g_free(g_queue_pop_head(queue));
}

/* ---- The guest's queue ---- */

/* What is behind a suspend event waits for H_ENABLE_CRQ */
static void deliver(SpaprVasi *s)
{
	struct vasi_crq *entry;

	if (!s->vdev.crq.qsize) {
		clear_queue(s->for_guest);
		timer_del(s->poke);
		return;
	}
	/* A machine that is stopped does not change */
	if (!runstate_is_running())
		return;
	while (!s->stopped && (entry = g_queue_peek_head(s->for_guest))) {
		if (spapr_vio_send_crq(&s->vdev, (uint8_t *)entry)) {
			timer_mod(s->poke, now_ms() + s->poke_ms);
			s->poke_ms = MIN(s->poke_ms * 2, POKE_MOST_MS);
			return;
		}
		s->poke_ms = POKE_LEAST_MS;
		if (entry->header == VASI_CRQ_EVENT &&
		    entry->format == VASI_EVENT_PARTNER_SUSPENDED)
			s->stopped = true;
		g_free(g_queue_pop_head(s->for_guest));
	}
}

static void on_poke(void *opaque)
{
	deliver(opaque);
}

static void on_runstate(void *opaque, bool running, RunState state)
{
	if (running)
		deliver(opaque);
}

/* Nothing is lost silently: a guest that takes nothing loses the link */
static void put_for_guest(SpaprVasi *s, const struct vasi_crq *entry)
{
	if (g_queue_get_length(s->for_guest) >= MAX_FOR_GUEST) {
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "the guest has left %u entries in its queue",
			  MAX_FOR_GUEST);
		return;
	}
	g_queue_push_tail(s->for_guest, g_memdup2(entry, sizeof(*entry)));
}

static void put_short(SpaprVasi *s, uint8_t header, uint8_t format)
{
	const struct vasi_crq entry = { .header = header, .format = format };

	if (s->vdev.crq.qsize)
		put_for_guest(s, &entry);
}

/* ---- Sessions, by what passes ---- */

struct opening {
	uint32_t top;
	uint8_t service;
	uint64_t stream;
};

static void note_request(SpaprVasi *s, const struct vasi_crq *entry)
{
	struct opening opening = {
		.top = be32_to_cpu(entry->handle),
		.service = entry->byte3,
		.stream = be64_to_cpu(entry->data),
	};

	if (entry->header == VASI_CRQ_COMMAND &&
	    entry->format == VASI_FMT_OPEN && s->opening->len < MAX_OPENING)
		g_array_append_val(s->opening, opening);
}

static void forget_pair(SpaprVasi *s, uint32_t top)
{
	GHashTableIter iter;
	gpointer key;

	g_hash_table_iter_init(&iter, s->pairs);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		if (*(uint64_t *)key >> 32 == top)
			g_hash_table_iter_remove(&iter);
}

/* The Open response has no TOP: stream and service say whose it is */
static void note_open_response(SpaprVasi *s, const struct vasi_crq *entry)
{
	for (unsigned int i = 0; i < s->opening->len; i++) {
		struct opening *o = &g_array_index(s->opening, struct opening, i);
		uint64_t pair = (uint64_t)o->top << 32 |
				be32_to_cpu(entry->handle);

		if (o->service != entry->byte3 ||
		    o->stream != be64_to_cpu(entry->data))
			continue;
		if (!entry->byte2)
			g_hash_table_add(s->pairs, g_memdup2(&pair, sizeof(pair)));
		g_array_remove_index(s->opening, i);
		return;
	}
}

static void note_response(SpaprVasi *s, const struct vasi_crq *entry)
{
	if (entry->header != VASI_CRQ_COMMAND)
		return;
	if (entry->format == (VASI_FMT_OPEN | VASI_FMT_RESPONSE))
		note_open_response(s, entry);
	else if (entry->format == (VASI_FMT_CLOSE | VASI_FMT_RESPONSE) &&
		 !entry->byte2)
		forget_pair(s, be32_to_cpu(entry->handle));
}

/* ---- Sending on the link ---- */

static void want_output(SpaprVasi *s, bool want)
{
	if (s->blocked == want)
		return;
	s->blocked = want;
	qemu_set_fd_handler(s->fd, link_ready, want ? link_writable : NULL, s);
}

/* 0, -EAGAIN, or an error: then the link is lost */
static int send_now(SpaprVasi *s, const struct vasi_packet *p, const void *body)
{
	struct iovec iov = { (void *)body, p->length };
	int ret = vio_send(s->fd, p->type, p->tag, p->count, &iov, 1, p->fd);

	if (!ret && p->type == VIO_RESET)
		send_barrier(s);
	else if (ret && ret != -EAGAIN)
		link_lost(s, VASI_EVENT_PARTNER_FAILED, "sending: %s",
			  strerror(-ret));
	return ret;
}

static void link_writable(void *opaque)
{
	SpaprVasi *s = opaque;
	struct vasi_packet *p;

	/* Losing the link empties the queue */
	while ((p = g_queue_peek_head(s->packets))) {
		if (send_now(s, p, p->body))
			return;
		if (p == g_queue_peek_head(s->packets))
			g_free(g_queue_pop_head(s->packets));
	}
	if (s->state != LINK_DOWN)
		want_output(s, false);
}

/*
 * Send in order; what the socket does not take now is queued.  0, or -ENOBUFS:
 * the queue is full.
 */
static int put_packet(SpaprVasi *s, enum vio_type type, uint32_t tag,
		      uint16_t count, const void *body, size_t length, int fd)
{
	struct vasi_packet *p, packet = {
		.type = type, .tag = tag, .count = count, .fd = fd,
		.length = length,
	};

	if (g_queue_is_empty(s->packets) && send_now(s, &packet, body) != -EAGAIN)
		return 0;
	if (g_queue_get_length(s->packets) >= MAX_PACKETS)
		return -ENOBUFS;
	p = g_malloc(sizeof(*p) + length);
	*p = packet;
	if (length)
		memcpy(p->body, body, length);
	g_queue_push_tail(s->packets, p);
	want_output(s, true);
	return 0;
}

static int put_entry(SpaprVasi *s, const struct vasi_crq *entry)
{
	return put_packet(s, VIO_CRQ, 0, 1, entry, sizeof(*entry), -1);
}

/* The guest's H_SEND_CRQ */
static int do_crq(SpaprVioDevice *dev, uint8_t *crq)
{
	SpaprVasi *s = SPAPR_VASI(dev);
	struct vasi_crq entry;
	int ret;

	memcpy(&entry, crq, sizeof(entry));
	deliver(s);
	if (!(entry.header & 0x80) || entry.header == VASI_CRQ_EVENT)
		return H_PARAMETER;
	if (!dev->crq.qsize || s->freeing || s->suspended ||
	    s->state < LINK_RESETTING)
		return H_CLOSED;
	if (s->state == LINK_RESETTING) {
		if (s->held->len >= MAX_HELD)
			return H_DROPPED;
		g_array_append_val(s->held, entry);
	} else {
		ret = put_entry(s, &entry);
		if (ret)
			return H_DROPPED;
		if (s->state == LINK_DOWN)
			return H_CLOSED;
	}
	note_request(s, &entry);
	return H_SUCCESS;
}

/* ---- hcall channels ---- */

static void channel_free(struct vasi_channel *c)
{
	close(c->fd);
	g_free(c);
}

static void channel_end(struct vasi_channel *c)
{
	if (c->gone)
		return;
	QLIST_REMOVE(c, next);
	c->gone = true;
	if (!c->waiting)
		channel_free(c);
}

static struct vasi_channel *channel_open(SpaprVasi *s)
{
	struct vasi_channel *c, *each;
	unsigned int count = 0;
	int fd;

	QLIST_FOREACH(each, &s->channels, next)
		count++;
	if (count >= MAX_CHANNELS)
		return NULL;
	fd = vio_connect(s->path);
	if (fd < 0)
		return NULL;
	if (vio_send_hello_hcall(fd, s->unit.token)) {
		close(fd);
		return NULL;
	}
	c = g_new0(struct vasi_channel, 1);
	c->fd = fd;
	QLIST_INSERT_HEAD(&s->channels, c, next);
	return c;
}

/* Takes what has come; false: the channel has ended */
static bool channel_receive(SpaprVasi *s, struct vasi_channel *c)
{
	const struct vio_hret *hret = (const struct vio_hret *)s->msg->body;
	int ret;

	while (!c->gone && !c->done) {
		ret = vio_recv(c->fd, VIO_SERVER, c->kind, s->msg);
		if (ret == -EAGAIN)
			return true;
		if (ret || s->msg->type == VIO_REFUSED) {
			channel_end(c);
			return false;
		}
		if (s->msg->type == VIO_WELCOME) {
			c->kind = VIO_CHANNEL_HCALL;
			continue;
		}
		if (!c->busy || s->msg->tag != c->tag)
			continue;
		c->rc = (int64_t)be64_to_cpu(hret->rc);
		for (unsigned int i = 0; i < ARRAY_SIZE(c->ret); i++)
			c->ret[i] = be64_to_cpu(hret->ret[i]);
		c->done = true;
		c->done_ms = now_ms();
	}
	return !c->gone;
}

static void channel_is_idle(struct vasi_channel *c)
{
	c->busy = false;
	c->done = false;
}

static bool channel_send(SpaprVasi *s, struct vasi_channel *c, uint64_t number,
			 const uint64_t arg[8])
{
	c->tag = ++s->tag;
	c->number = number;
	memcpy(c->arg, arg, sizeof(c->arg));
	c->busy = true;
	c->done = false;
	if (!vio_send_hcall(c->fd, c->tag, number, arg, ARRAY_SIZE(c->arg)))
		return true;
	channel_end(c);
	return false;
}

/*
 * The channel for a call: the one where the same call has waited before and was
 * late, or one that is free.  Only a caller that knows of the first answer may
 * be given it, so it does not stay for long.
 */
static struct vasi_channel *channel_for(SpaprVasi *s, uint64_t number,
					const uint64_t arg[8])
{
	struct vasi_channel *c, *next, *idle = NULL;

	QLIST_FOREACH_SAFE(c, &s->channels, next, next) {
		if (c->waiting || !channel_receive(s, c))
			continue;
		if (c->done && now_ms() - c->done_ms > LATE_ANSWER_MS)
			channel_is_idle(c);
		if (c->busy && c->number == number &&
		    !memcmp(c->arg, arg, sizeof(c->arg)))
			return c;
		if (!c->busy)
			idle = c;
	}
	if (!idle)
		idle = channel_open(s);
	return idle && channel_send(s, idle, number, arg) ? idle : NULL;
}

/*
 * The processor gives up the lock here.  Whatever the link brings meanwhile,
 * DMA requests above all, is served by this thread or the main loop.
 */
static void wait_for_answer(SpaprVasi *s, struct vasi_channel *c)
{
	int64_t limit = now_ms() + HCALL_LIMIT_MS;

	c->waiting = true;
	while (channel_receive(s, c) && !c->done) {
		struct pollfd fds[] = {
			{ .fd = c->fd, .events = POLLIN },
			{ .fd = s->fd, .events = POLLIN },
		};
		int64_t left = limit - now_ms();

		if (left <= 0)
			break;
		qemu_mutex_unlock_iothread();
		poll(fds, ARRAY_SIZE(fds), left);
		qemu_mutex_lock_iothread();
		/* What the call caused comes before its return */
		link_receive(s);
	}
	link_receive(s);
	c->waiting = false;
}

/* An hcall of the platform; false: no answer yet, it is to be made again */
static bool platform_call(SpaprVasi *s, uint64_t number, const uint64_t arg[8],
			  int64_t *rc, uint64_t ret[4])
{
	struct vasi_channel *c;
	bool done, gone;

	*rc = VASI_RC_PARAMETER;
	if (s->state == LINK_DOWN || s->state == LINK_HELLO)
		return true;
	if (s->state == LINK_RESETTING)
		return false;
	c = channel_for(s, number, arg);
	if (!c)
		return false;
	wait_for_answer(s, c);
	done = c->done;
	gone = c->gone;
	if (done) {
		*rc = c->rc;
		memcpy(ret, c->ret, sizeof(c->ret));
		channel_is_idle(c);
	}
	if (gone)
		channel_free(c);
	/* Of a link that has ended there is nothing to ask again */
	return done || s->state == LINK_DOWN;
}

/* ---- Reset: the platform's confirmation is awaited ---- */

/*
 * RESET has no answer, but hcalls do, and the platform sends all that it has for
 * the CRQ before it answers one.  So an hcall behind a RESET tells the entries
 * for the guest's old queue from those for its new one.
 */
static void send_barrier(SpaprVasi *s)
{
	static const uint64_t none[8];

	s->reset_queued = false;
	if (!s->barrier) {
		s->barrier = channel_open(s);
		if (s->barrier) {
			/* Ours until the link is closed, also when it is gone */
			s->barrier->waiting = true;
			qemu_set_fd_handler(s->barrier->fd, barrier_ready, NULL, s);
		}
	}
	if (!s->barrier || !channel_send(s, s->barrier, VASI_H_FREE_CRQ, none))
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "it takes no hcall for a reset");
}

static void drop_entries(SpaprVasi *s)
{
	GList *each, *next;

	for (each = s->packets->head; each; each = next) {
		struct vasi_packet *p = each->data;

		next = each->next;
		if (p->type != VIO_CRQ)
			continue;
		g_free(p);
		g_queue_delete_link(s->packets, each);
	}
}

static void forget_guest(SpaprVasi *s)
{
	clear_queue(s->for_guest);
	g_array_set_size(s->held, 0);
	g_array_set_size(s->opening, 0);
	g_hash_table_remove_all(s->pairs);
	s->suspended = false;
	s->stopped = false;
}

/* The guest's queue is gone, and with it every session */
static void begin_reset(SpaprVasi *s)
{
	forget_guest(s);
	if (s->state != LINK_UP && s->state != LINK_RESETTING)
		return;
	s->state = LINK_RESETTING;
	drop_entries(s);
	if (s->reset_queued)
		return;
	if (s->barrier && s->barrier->busy) {
		s->barrier_again = true;
		return;
	}
	s->reset_queued = true;
	if (put_packet(s, VIO_RESET, 0, 0, NULL, 0, -1))
		link_lost(s, VASI_EVENT_PARTNER_FAILED, "it takes no RESET");
}

static void end_reset(SpaprVasi *s)
{
	GArray *held = s->held;

	s->state = LINK_UP;
	s->held = g_array_new(false, false, sizeof(struct vasi_crq));
	for (unsigned int i = 0; i < held->len && s->state == LINK_UP; i++) {
		if (put_entry(s, &g_array_index(held, struct vasi_crq, i)))
			link_lost(s, VASI_EVENT_PARTNER_FAILED,
				  "it takes no entries");
	}
	g_array_free(held, true);
}

static void barrier_ready(void *opaque)
{
	SpaprVasi *s = opaque;

	if (!channel_receive(s, s->barrier)) {
		/* It may have said why */
		link_receive(s);
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "it has closed an hcall channel");
		return;
	}
	if (!s->barrier->done)
		return;
	channel_is_idle(s->barrier);
	/* What is there now was sent before */
	while (s->state == LINK_RESETTING && receive_one(s))
		;
	if (s->state != LINK_RESETTING)
		return;
	if (s->barrier_again) {
		s->barrier_again = false;
		begin_reset(s);
	} else {
		end_reset(s);
	}
}

/* ---- Receiving on the link ---- */

static void serve_dma(SpaprVasi *s)
{
	const struct vio_dma *dma = (const struct vio_dma *)s->msg->body;
	uint32_t ioba = be32_to_cpu(dma->ioba);
	uint32_t length = be32_to_cpu(dma->length);
	struct vio_status *status = (struct vio_status *)s->data;
	bool read = s->msg->type == VIO_DMA_READ;
	size_t bytes = sizeof(*status);
	int error = 0;

	/* The second pane is the platform's own */
	if (be32_to_cpu(dma->pane) != 1)
		error = EINVAL;
	else if (read ? spapr_vio_dma_read(&s->vdev, ioba, status + 1, length) :
			spapr_vio_dma_write(&s->vdev, ioba, dma + 1, length))
		error = EFAULT;
	*status = (struct vio_status) { .value = cpu_to_be32(error) };
	if (read && !error)
		bytes += length;
	if (put_packet(s, read ? VIO_DMA_DATA : VIO_DMA_DONE, s->msg->tag, 0,
		       s->data, bytes, -1))
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "it asks, but takes no answers");
}

static void take_entries(SpaprVasi *s)
{
	const struct vasi_crq *entry = (const struct vasi_crq *)s->msg->body;

	/* For a queue that is gone */
	if (s->state == LINK_RESETTING || !s->vdev.crq.qsize)
		return;
	for (unsigned int i = 0; i < s->msg->count && s->state == LINK_UP; i++) {
		note_response(s, &entry[i]);
		put_for_guest(s, &entry[i]);
	}
	deliver(s);
}

static void take_event(SpaprVasi *s)
{
	const struct vio_status *event = (const struct vio_status *)s->msg->body;
	uint32_t code = be32_to_cpu(event->value);

	if (s->state == LINK_RESETTING || !s->vdev.crq.qsize)
		return;
	if (code == VASI_EVENT_PARTNER_SUSPENDED) {
		s->suspended = true;
		s->busy_left = s->enable_busy;
	}
	put_short(s, VASI_CRQ_EVENT, code);
	deliver(s);
}

static void take_window(SpaprVasi *s)
{
	const struct vio_window *window = (const struct vio_window *)s->msg->body;
	uint32_t id = be32_to_cpu(window->id);

	if (g_hash_table_size(s->windows) >= MAX_WINDOWS ||
	    g_hash_table_contains(s->windows, GUINT_TO_POINTER(id))) {
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "window %u is one too many", id);
		return;
	}
	g_hash_table_insert(s->windows, GUINT_TO_POINTER(id),
			    GINT_TO_POINTER(s->msg->fd));
	s->msg->fd = -1;
}

static void close_window(gpointer fd)
{
	close(GPOINTER_TO_INT(fd));
}

/* H_COPY_RDMA is the platform's work, so what a slot shows now is no news here */
static void take_map(SpaprVasi *s)
{
	const struct vio_map *map = (const struct vio_map *)s->msg->body;
	uint32_t id = be32_to_cpu(map->id);

	if (!g_hash_table_contains(s->windows, GUINT_TO_POINTER(id)))
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "MAP of window %u, which it has not passed", id);
}

static void take_refused(SpaprVasi *s)
{
	uint32_t error;

	memcpy(&error, s->msg->body, sizeof(error));
	link_lost(s, be32_to_cpu(error) == ESHUTDOWN ?
		  VASI_EVENT_PARTNER_DEREGISTERED : VASI_EVENT_PARTNER_FAILED,
		  "%.*s", (int)(s->msg->length - sizeof(error)),
		  (const char *)s->msg->body + sizeof(error));
}

/* The platform translates by itself, where it can */
static void pass_memory(SpaprVasi *s)
{
	const struct vio_memory memory = { .bytes = cpu_to_be64(s->ram_bytes) };
	const struct vio_table table = {
		.pages = cpu_to_be32(PANE1_BYTES / VIO_PAGE_BYTES),
	};

	if (!s->table || !be16_to_cpu(s->unit.minor))
		return;
	put_packet(s, VIO_MEMORY, 0, 0, &memory, sizeof(memory), s->ram_fd);
	if (s->state == LINK_UP)
		put_packet(s, VIO_TABLE, 0, 0, &table, sizeof(table), s->table_fd);
}

static void take_welcome(SpaprVasi *s)
{
	const struct vio_welcome *new = (const struct vio_welcome *)s->msg->body;
	const struct vio_welcome *old = &s->unit;

	if (DEVICE(s)->realized &&
	    (new->crq_bytes != old->crq_bytes ||
	     new->buffer_pools != old->buffer_pools ||
	     new->streams != old->streams ||
	     new->pane2_bytes != old->pane2_bytes)) {
		link_lost(s, VASI_EVENT_PARTNER_FAILED,
			  "it is another device than the guest knows");
		return;
	}
	s->unit = *new;
	s->state = LINK_UP;
	s->reconnect_ms = RECONNECT_LEAST_MS;
	pass_memory(s);
	/* A partner that comes back says so */
	put_short(s, VASI_CRQ_INIT, VASI_INIT_INITIALIZE);
	deliver(s);
}

static void link_message(SpaprVasi *s)
{
	const struct vio_status *status = (const struct vio_status *)s->msg->body;

	switch (s->msg->type) {
	case VIO_WELCOME:
		take_welcome(s);
		break;
	case VIO_REFUSED:
		take_refused(s);
		break;
	case VIO_CRQ:
		take_entries(s);
		break;
	case VIO_DMA_READ:
	case VIO_DMA_WRITE:
		serve_dma(s);
		break;
	case VIO_WINDOW:
		take_window(s);
		break;
	case VIO_MAP:
		take_map(s);
		break;
	case VIO_UNWINDOW:
		g_hash_table_remove(s->windows,
				    GUINT_TO_POINTER(be32_to_cpu(status->value)));
		break;
	case VIO_EVENT:
		take_event(s);
		break;
	}
}

static bool receive_one(SpaprVasi *s)
{
	unsigned int channel = s->state == LINK_HELLO ? 0 : VIO_CHANNEL_CRQ;
	int ret;

	if (s->state == LINK_DOWN)
		return false;
	ret = vio_recv(s->fd, VIO_SERVER, channel, s->msg);
	if (ret == -EAGAIN)
		return false;
	if (ret)
		link_lost(s, VASI_EVENT_PARTNER_FAILED, "%s",
			  ret == -EPROTO ? s->msg->error :
			  ret == -ECONNRESET ? "it has gone" : strerror(-ret));
	else
		link_message(s);
	return s->state != LINK_DOWN;
}

static void link_receive(SpaprVasi *s)
{
	for (unsigned int i = 0; i < MESSAGES_PER_EVENT && receive_one(s); i++)
		;
}

static void link_ready(void *opaque)
{
	link_receive(opaque);
}

/* ---- Connection ---- */

static int link_connect(SpaprVasi *s)
{
	uint32_t entries = s->vdev.crq.qsize / sizeof(struct vasi_crq);
	int ret;

	ret = vio_connect(s->path);
	if (ret < 0)
		return ret;
	s->fd = ret;
	ret = vio_send_hello_crq(s->fd, entries ?: DEFAULT_ENTRIES, -1);
	if (ret) {
		close(s->fd);
		s->fd = -1;
		return ret;
	}
	s->state = LINK_HELLO;
	s->blocked = false;
	qemu_set_fd_handler(s->fd, link_ready, NULL, s);
	return 0;
}

static void try_again(SpaprVasi *s)
{
	timer_mod(s->reconnect, now_ms() + s->reconnect_ms);
	s->reconnect_ms = MIN(s->reconnect_ms * 2, RECONNECT_MOST_MS);
}

static void on_reconnect(void *opaque)
{
	SpaprVasi *s = opaque;

	if (link_connect(s))
		try_again(s);
}

static void link_close(SpaprVasi *s)
{
	struct vasi_channel *c, *next;

	QLIST_FOREACH_SAFE(c, &s->channels, next, next)
		channel_end(c);
	if (s->barrier) {
		qemu_set_fd_handler(s->barrier->fd, NULL, NULL, NULL);
		channel_free(s->barrier);
	}
	s->barrier = NULL;
	s->barrier_again = false;
	s->reset_queued = false;
	qemu_set_fd_handler(s->fd, NULL, NULL, NULL);
	close(s->fd);
	s->fd = -1;
	clear_queue(s->packets);
	g_hash_table_remove_all(s->windows);
	s->state = LINK_DOWN;
}

/* The guest is told after all that came before; then it is tried again */
static void link_lost(SpaprVasi *s, enum vasi_event_format event,
		      const char *fmt, ...)
{
	g_autofree char *why = NULL;
	bool told = s->state != LINK_HELLO;
	va_list args;

	if (s->state == LINK_DOWN)
		return;
	va_start(args, fmt);
	why = g_strdup_vprintf(fmt, args);
	va_end(args);
	link_close(s);
	/* A try that fails like the one before is no news */
	if (DEVICE(s)->realized && (told || g_strcmp0(s->trouble, why)))
		warn_report("%s: the link ended: %s", DEVICE(s)->id, why);
	g_free(s->trouble);
	s->trouble = g_steal_pointer(&why);
	if (!DEVICE(s)->realized)
		return;
	g_array_set_size(s->held, 0);
	g_array_set_size(s->opening, 0);
	g_hash_table_remove_all(s->pairs);
	s->suspended = false;
	s->stopped = false;
	/* It makes room for what the guest must know */
	if (g_queue_get_length(s->for_guest) >= MAX_FOR_GUEST)
		clear_queue(s->for_guest);
	if (told)
		put_short(s, VASI_CRQ_EVENT, event);
	deliver(s);
	try_again(s);
}

/* QEMU starts: nobody is kept from anything yet */
static bool first_connection(SpaprVasi *s, Error **errp)
{
	int64_t limit = now_ms() + HELLO_LIMIT_MS;
	int ret = link_connect(s);

	if (ret) {
		error_setg(errp, "cannot connect to %s: %s", s->path,
			   strerror(-ret));
		return false;
	}
	while (s->state == LINK_HELLO) {
		struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
		int64_t left = limit - now_ms();

		if (left <= 0) {
			link_close(s);
			error_setg(errp, "%s: no answer within %d s", s->path,
				   HELLO_LIMIT_MS / 1000);
			return false;
		}
		poll(&pfd, 1, left);
		receive_one(s);
	}
	if (s->state == LINK_DOWN)
		error_setg(errp, "%s: %s", s->path, s->trouble);
	return s->state != LINK_DOWN;
}

/* ---- RAM in a memfd: the platform gets offsets, not data ---- */

static bool sealed(int fd)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW;

	return fd >= 0 && (fcntl(fd, F_GET_SEALS) & (needed | F_SEAL_WRITE)) == needed;
}

/* A TCE has changed.  RAM begins at guest address 0, so addresses are offsets */
static void on_tce(IOMMUNotifier *notifier, IOMMUTLBEntry *entry)
{
	SpaprVasi *s = container_of(notifier, SpaprVasi, notifier);
	uint64_t index = entry->iova / VIO_PAGE_BYTES;
	uint64_t value = 0;

	if (index >= PANE1_BYTES / VIO_PAGE_BYTES)
		return;
	if (entry->translated_addr < s->ram_bytes)
		value = (entry->perm & IOMMU_RO ? VIO_PAGE_READ : 0) |
			(entry->perm & IOMMU_WO ? VIO_PAGE_WRITE : 0);
	if (value)
		value |= entry->translated_addr & ~(uint64_t)(VIO_PAGE_BYTES - 1);
	qatomic_set(&s->table[index], cpu_to_be64(value));
}

static void forget_table(SpaprVasi *s)
{
	for (unsigned int i = 0; s->table && i < PANE1_BYTES / VIO_PAGE_BYTES; i++)
		qatomic_set(&s->table[i], 0);
}

/* QEMU clears its TCEs without telling those who watch them */
static void read_table_anew(SpaprVasi *s)
{
	forget_table(s);
	if (s->table)
		memory_region_iommu_replay(&s->vdev.tcet->iommu, &s->notifier);
}

static bool make_table(SpaprVasi *s, Error **errp)
{
	const size_t bytes = PANE1_BYTES / VIO_PAGE_BYTES * sizeof(*s->table);
	void *table;

	s->table_fd = memfd_create("vasi-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->table_fd < 0 || ftruncate(s->table_fd, bytes) ||
	    fcntl(s->table_fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		error_setg_errno(errp, errno, "memory for the translation table");
		return false;
	}
	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->table_fd, 0);
	if (table == MAP_FAILED) {
		error_setg_errno(errp, errno, "mapping the translation table");
		return false;
	}
	s->table = table;
	iommu_notifier_init(&s->notifier, on_tce, IOMMU_NOTIFIER_IOTLB_EVENTS, 0,
			    PANE1_BYTES - 1, 0);
	return !memory_region_register_iommu_notifier(MEMORY_REGION(&s->vdev.tcet->iommu),
						      &s->notifier, errp);
}

/* Other RAM is no error: DMA goes by messages then */
static bool share_memory(SpaprVasi *s, Error **errp)
{
	MemoryRegion *ram = MACHINE(qdev_get_machine())->ram;
	struct stat st;

	s->ram_fd = ram ? memory_region_get_fd(ram) : -1;
	if (!sealed(s->ram_fd) || !qemu_ram_is_shared(ram->ram_block) ||
	    fstat(s->ram_fd, &st) || st.st_size != memory_region_size(ram))
		return true;
	s->ram_bytes = st.st_size;
	return make_table(s, errp);
}

/* ---- The guest's hcalls ---- */

/* Calls @visit for each device of the machine until it returns true */
static void for_each_device(SpaprMachineState *spapr,
			    bool (*visit)(SpaprVasi *s, void *ctx), void *ctx)
{
	BusChild *kid;

	QTAILQ_FOREACH(kid, &spapr->vio_bus->bus.children, sibling) {
		Object *dev = object_dynamic_cast(OBJECT(kid->child),
						  TYPE_SPAPR_VASI);

		if (dev && visit(SPAPR_VASI(dev), ctx))
			return;
	}
}

/**
 * struct call - an hcall that names no unit
 * @number:	of the hcall
 * @arg:	its arguments
 * @rc:		of the last device asked
 * @ret:	its results
 * @late:	a device has not answered yet
 * @known:	TOP/BOTTOM: a device has this session
 */
struct call {
	uint64_t number;
	uint64_t arg[8];
	int64_t rc;
	uint64_t ret[4];
	bool late;
	bool known;
};

/* True: this device's answer counts */
static bool ask(SpaprVasi *s, void *ctx)
{
	struct call *call = ctx;

	if (!platform_call(s, call->number, call->arg, &call->rc, call->ret)) {
		call->late = true;
		return false;
	}
	if (call->rc == VASI_RC_PARAMETER)
		return false;
	call->late = false;
	return true;
}

static bool ask_owner(SpaprVasi *s, void *ctx)
{
	struct call *call = ctx;

	if (!g_hash_table_contains(s->pairs, &call->arg[0]))
		return false;
	call->known = true;
	return ask(s, ctx);
}

static target_ulong answer(const struct call *call, target_ulong *args)
{
	if (call->late)
		return VASI_RC_LONG_BUSY_10_MSEC;
	if (call->rc == VASI_RC_SUCCESS && call->number == VASI_H_STATE)
		args[0] = call->ret[0];
	return call->rc;
}

/* Whose stream or session it is only the platforms know for sure */
static target_ulong h_vasi(PowerPCCPU *cpu, SpaprMachineState *spapr,
			   target_ulong opcode, target_ulong *args)
{
	struct call call = {
		.number = opcode,
		.arg = { args[0], args[1], args[2] },
		.rc = VASI_RC_PARAMETER,
	};

	if (opcode != VASI_H_SIGNAL)
		memset(&call.arg[1], 0, sizeof(call.arg[1]) * 2);
	if (opcode == VASI_H_DONOR_OPERATION)
		for_each_device(spapr, ask_owner, &call);
	if (!call.known)
		for_each_device(spapr, ask, &call);
	return answer(&call, args);
}

/* The guest's LIOBNs become those that the platform has for the panes */
static bool ask_copy(SpaprVasi *s, void *ctx)
{
	struct call *call = ctx;
	uint32_t unit = be32_to_cpu(s->unit.unit_address);
	struct call inner = *call;
	bool ours = false;

	for (unsigned int i = 1; i <= 3; i += 2) {
		if (call->arg[i] == s->vdev.reg)
			inner.arg[i] = unit;
		else if (call->arg[i] == s->liobn2)
			inner.arg[i] = unit + 1;
		else
			inner.arg[i] = UINT64_MAX;
		ours |= inner.arg[i] != UINT64_MAX;
	}
	if (!ours)
		return false;
	ask(s, &inner);
	call->rc = inner.rc;
	call->late = inner.late;
	return true;
}

static target_ulong h_copy_rdma(PowerPCCPU *cpu, SpaprMachineState *spapr,
				target_ulong opcode, target_ulong *args)
{
	struct call call = {
		.number = VASI_H_COPY_RDMA,
		.arg = { args[0], args[1], args[2], args[3], args[4] },
		.rc = VASI_RC_S_PARM,
	};

	for_each_device(spapr, ask_copy, &call);
	return answer(&call, args);
}

static bool free_crq_is_done(SpaprVasi *s)
{
	int64_t limit = now_ms() + HCALL_LIMIT_MS;

	if (!s->freeing) {
		s->freeing = true;
		begin_reset(s);
	}
	while (s->state == LINK_RESETTING && now_ms() < limit) {
		struct pollfd pfd = {
			.fd = s->barrier ? s->barrier->fd : -1,
			.events = POLLIN,
		};

		qemu_mutex_unlock_iothread();
		poll(&pfd, 1, limit - now_ms() > 0 ? limit - now_ms() : 0);
		qemu_mutex_lock_iothread();
		link_receive(s);
		if (s->barrier)
			barrier_ready(s);
	}
	return s->state != LINK_RESETTING;
}

/* ---- QEMU's own CRQ hcalls, which tell their device nothing ---- */

static void (*qemu_hypercall)(PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu);

static void reg_crq(SpaprVasi *s, PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu)
{
	target_ulong *rc = &cpu->env.gpr[3];

	qemu_hypercall(vhyp, cpu);
	if (*rc != H_SUCCESS)
		return;
	/* "quiesce" of the guest's firmware has freed it without a word */
	if (s->registered)
		begin_reset(s);
	s->registered = true;
	read_table_anew(s);
	if (s->state < LINK_RESETTING)
		*rc = H_CLOSED;
}

static void free_crq(SpaprVasi *s, PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu)
{
	/* After Success the guest's buffers are its own again */
	if ((s->registered || s->freeing) && !free_crq_is_done(s)) {
		cpu->env.gpr[3] = VASI_RC_LONG_BUSY_10_MSEC;
		return;
	}
	s->registered = false;
	s->freeing = false;
	qemu_hypercall(vhyp, cpu);
	/* The link was up again before the queue was gone: what came then was for it */
	forget_guest(s);
}

static void enable_crq(SpaprVasi *s, PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu)
{
	if (s->suspended && s->busy_left) {
		s->busy_left--;
		cpu->env.gpr[3] = s->busy_left & 1 ? VASI_RC_IN_PROGRESS :
				  VASI_RC_LONG_BUSY_10_MSEC;
		return;
	}
	qemu_hypercall(vhyp, cpu);
	s->suspended = false;
	s->stopped = false;
	deliver(s);
}

/* Functions that the machine does not have without this device */
static const char functions[] = "hcall-vasi\0hcall-crq\0hcall-rdma\0hcall-suspend";

static void hypercall(PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu)
{
	SpaprMachineState *spapr = SPAPR_MACHINE(vhyp);
	CPUPPCState *env = &cpu->env;
	SpaprVioDevice *dev;
	Object *ours = NULL;

	if (env->gpr[3] == KVMPPC_H_VOF_CLIENT)
		spapr_vasi_announce(spapr, functions, sizeof(functions));
	if ((env->gpr[3] == H_REG_CRQ || env->gpr[3] == H_FREE_CRQ ||
	     env->gpr[3] == H_ENABLE_CRQ) && !(env->msr & 1ULL << MSR_PR)) {
		dev = spapr_vio_find_by_reg(spapr->vio_bus, env->gpr[4]);
		ours = dev ? object_dynamic_cast(OBJECT(dev), TYPE_SPAPR_VASI) :
			     NULL;
	}
	if (!ours)
		qemu_hypercall(vhyp, cpu);
	else if (env->gpr[3] == H_REG_CRQ)
		reg_crq(SPAPR_VASI(ours), vhyp, cpu);
	else if (env->gpr[3] == H_FREE_CRQ)
		free_crq(SPAPR_VASI(ours), vhyp, cpu);
	else
		enable_crq(SPAPR_VASI(ours), vhyp, cpu);
}

static void take_hypercalls(void)
{
	PPCVirtualHypervisorClass *vhc =
		PPC_VIRTUAL_HYPERVISOR_GET_CLASS(qdev_get_machine());

	if (qemu_hypercall)
		return;
	qemu_hypercall = vhc->hypercall;
	vhc->hypercall = hypercall;
	spapr_register_hypercall(VASI_H_DONOR_OPERATION, h_vasi);
	spapr_register_hypercall(VASI_H_SIGNAL, h_vasi);
	spapr_register_hypercall(VASI_H_STATE, h_vasi);
	spapr_register_hypercall(VASI_H_COPY_RDMA, h_copy_rdma);
}

/* ---- The device ---- */

static int devnode(SpaprVioDevice *dev, void *fdt, int node)
{
	SpaprVasi *s = SPAPR_VASI(dev);
	/* LIOBN, two cells of I/O address, two of size; QEMU has said that it is two */
	uint32_t windows[] = {
		cpu_to_be32(dev->tcet->liobn), 0, 0, 0, cpu_to_be32(PANE1_BYTES),
		cpu_to_be32(s->liobn2), 0, 0, cpu_to_be32(s->pane2_bytes >> 32),
		cpu_to_be32(s->pane2_bytes),
	};
	const struct {
		const char *name;
		uint32_t value;
	} cells[] = {
		{ "ibm,#buffer-pools", be32_to_cpu(s->unit.buffer_pools) },
		{ "ibm,crq-size", be32_to_cpu(s->unit.crq_bytes) },
		{ "ibm,#vasi-streams", be32_to_cpu(s->unit.streams) },
	};
	int ret;

	ret = fdt_setprop(fdt, node, "ibm,my-dma-window", windows, sizeof(windows));
	for (unsigned int i = 0; !ret && i < ARRAY_SIZE(cells); i++)
		ret = fdt_setprop_cell(fdt, node, cells[i].name, cells[i].value);
	if (!ret)
		ret = fdt_setprop_string(fdt, node, "ibm,loc-code", s->loc_code);
	/* Of /vdevice.  Last: it moves the node */
	if (!ret)
		ret = fdt_setprop_cell(fdt, fdt_parent_offset(fdt, node),
				       "ibm,max-virtual-dma-size", COPY_BYTES);
	return ret;
}

static bool same_liobn(SpaprVasi *other, void *ctx)
{
	SpaprVasi **s = ctx;

	if (other == *s || other->liobn2 != (*s)->vdev.reg)
		return false;
	*s = NULL;
	return true;
}

/* The second pane has no TCEs of the guest's, so QEMU knows nothing of its LIOBN */
static bool liobn_is_free(SpaprVasi *s)
{
	for_each_device(SPAPR_MACHINE(qdev_get_machine()), same_liobn, &s);
	return s && !spapr_tce_find_by_liobn(PANE2_LIOBN(s->vdev.reg));
}

static bool usable(SpaprVasi *s, Error **errp)
{
	if (refused) {
		error_setg(errp, "%s", refused);
		return false;
	}
	if (!s->path) {
		error_setg(errp, "link=PATH is needed: the platform's socket");
		return false;
	}
	/* The hcalls of an accelerated guest do not come by */
	if (!tcg_enabled()) {
		error_setg(errp, "it works with -accel tcg only");
		return false;
	}
	if (!liobn_is_free(s)) {
		error_setg(errp, "reg=%#x: it, or the LIOBN of its second pane is taken",
			   s->vdev.reg);
		return false;
	}
	return true;
}

static void make_queues(SpaprVasi *s)
{
	s->packets = g_queue_new();
	s->for_guest = g_queue_new();
	s->held = g_array_new(false, false, sizeof(struct vasi_crq));
	s->opening = g_array_new(false, false, sizeof(struct opening));
	s->pairs = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	s->windows = g_hash_table_new_full(NULL, NULL, NULL, close_window);
	s->msg = g_new(struct vio_message, 1);
	vio_message_init(s->msg);
	s->data = g_malloc(VIO_MAX_BODY);
	s->reconnect = timer_new_ms(QEMU_CLOCK_REALTIME, on_reconnect, s);
	s->reconnect_ms = RECONNECT_LEAST_MS;
	s->poke = timer_new_ms(QEMU_CLOCK_REALTIME, on_poke, s);
	s->poke_ms = POKE_LEAST_MS;
	qemu_add_vm_change_state_handler(on_runstate, s);
}

static void realize(SpaprVioDevice *dev, Error **errp)
{
	SpaprVasi *s = SPAPR_VASI(dev);

	if (!usable(s, errp))
		return;
	s->fd = -1;
	s->liobn2 = PANE2_LIOBN(dev->reg);
	make_queues(s);
	if (!share_memory(s, errp) || !first_connection(s, errp))
		return;
	s->pane2_bytes = be64_to_cpu(s->unit.pane2_bytes);
	if (!s->loc_code)
		s->loc_code = g_strdup_printf("U9119.MME.0000000-V1-C%u",
					      dev->reg & 0xffffff);
	dev->crq.SendFunc = do_crq;
	take_hypercalls();
}

static void reset(SpaprVioDevice *dev)
{
	SpaprVasi *s = SPAPR_VASI(dev);

	s->registered = false;
	s->freeing = false;
	forget_table(s);
	begin_reset(s);
}

static Property properties[] = {
	DEFINE_SPAPR_PROPERTIES(SpaprVasi, vdev),
	DEFINE_PROP_STRING("link", SpaprVasi, path),
	DEFINE_PROP_STRING("loc-code", SpaprVasi, loc_code),
	DEFINE_PROP_UINT32("enable-busy", SpaprVasi, enable_busy, 0),
	DEFINE_PROP_END_OF_LIST(),
};

/* The other end of the link would have to move, too */
static const VMStateDescription vmstate = {
	.name = TYPE_SPAPR_VASI,
	.unmigratable = 1,
};

static void class_init(ObjectClass *klass, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(klass);
	SpaprVioDeviceClass *k = VIO_SPAPR_DEVICE_CLASS(klass);

	k->realize = realize;
	k->reset = reset;
	k->devnode = devnode;
	k->dt_name = "IBM,VASI";
	k->dt_type = "IBM,VASI-1";
	k->dt_compatible = "IBM,VASI-1";
	k->signal_mask = 1;
	k->rtce_window_size = PANE1_BYTES;
	set_bit(DEVICE_CATEGORY_MISC, dc->categories);
	device_class_set_props(dc, properties);
	dc->desc = "VASI, bridged to vasi-phypd";
	dc->vmsd = &vmstate;
	/* The bus has no hot plug; QEMU 7.2 hangs if asked to */
	dc->hotpluggable = false;
}

static const TypeInfo type_info = {
	.name = TYPE_SPAPR_VASI,
	.parent = TYPE_VIO_SPAPR_DEVICE,
	.instance_size = sizeof(SpaprVasi),
	.class_init = class_init,
};

#ifdef SPAPR_VASI_PLUGIN
void spapr_vasi_register(const char *why_not)
{
	refused = why_not;
	type_register_static(&type_info);
}
#else
static void register_type(void)
{
	type_register_static(&type_info);
}

type_init(register_type);
#endif
