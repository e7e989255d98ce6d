// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU as the home of one of vasi-phypd's partitions: its end of the guest link.
 *
 * Documentation/guest-partition.rst is about all of it, guestlink.h about the messages.
 *
 *	dirty.c		which pages were written
 *	suspend.c	the partition's part in its move
 *	processors.c	what QEMU's processors lack for that
 *	pager.c		faults on pages that are not there
 *
 * Nothing here waits for the other end.  Without its platform a partition must not go
 * on, so a link that is closed, or broken in any other way, ends QEMU.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "cpu.h"
#include "exec/cpu-common.h"
#include "exec/memory.h"
#include "hw/boards.h"
#include "hw/ppc/spapr.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"
#include "sysemu/tcg.h"
#include <linux/vasi_crq.h>

#include "pager.h"
#include "partition.h"

/* Messages taken from the link before others get their turn */
#define MESSAGES_PER_EVENT	16

/* ---- Sending, and the end ---- */

/*
 * At once: what QEMU does at its end is for a machine that is switched off, and waits
 * for processors, which may wait for a page that nobody will bring any more.
 */
static void end(void *opaque)
{
	_exit(EXIT_FAILURE);
}

/**
 * partition_fail() - end QEMU as soon as its main loop runs, and say why
 * @p:		partition
 * @fmt:	why
 */
void partition_fail(struct partition *p, const char *fmt, ...)
{
	g_autofree char *why = NULL;
	va_list args;

	if (p->ended)
		return;
	p->ended = true;
	va_start(args, fmt);
	why = g_strdup_vprintf(fmt, args);
	va_end(args);
	error_report("guest link: %s: the partition ends", why);
	qemu_set_fd_handler(p->link, NULL, NULL, NULL);
	qemu_bh_schedule(p->end);
}

/**
 * partition_tell() - send a message
 * @p:		partition
 * @type:	what it says
 * @first:	value
 * @second:	value
 * @third:	value
 * @fd:		to pass, or -1; stays the caller's
 *
 * There is room in the link for all that can be on the way, if it is read.
 */
void partition_tell(struct partition *p, enum guest_message_type type, uint64_t first,
		    uint64_t second, uint64_t third, int fd)
{
	const uint64_t value[] = { first, second, third };
	int ret;

	if (p->ended)
		return;
	ret = guest_link_send(p->link, type, value, fd);
	if (ret == -EAGAIN)
		partition_fail(p, "what QEMU says is not read");
	else if (ret)
		partition_fail(p, "sending: %s", strerror(-ret));
}

/* ---- Requests ---- */

static void take_scan(struct partition *p)
{
	int64_t began = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
	uint64_t added = dirty_log_scan(p);

	partition_tell(p, GUEST_SCANNED, added,
		       qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - began, 0, -1);
}

static void take_stream(struct partition *p, uint64_t stream, uint64_t state)
{
	/* 0 has no state; Failover is not a state of H_VASI_STATE's */
	if (stream ? !state || state > VASI_STATE_COMPLETED : state) {
		partition_fail(p, "state %" PRIu64 " for stream %016" PRIx64, state, stream);
		return;
	}
	p->stream = stream;
	p->state = state;
	partition_tell(p, GUEST_STREAM_SET, stream, state, 0, -1);
}

/*
 * The descriptor stays open here, too: with its last one every fault would be resolved
 * as if the missing pages were empty ones.
 */
static void take_pager(struct partition *p, int device)
{
	int fd = pager_register(device, p->ram_start, p->ram_bytes);

	partition_tell(p, GUEST_PAGER_SET, fd < 0 ? -fd : 0, 0, 0, fd);
	if (fd < 0)
		return;
	if (p->pager >= 0)
		close(p->pager);
	p->pager = fd;
}

static void take_message(struct partition *p, enum guest_message_type type,
			 const uint64_t value[3], int fd)
{
	bool bare = !value[0] && !value[1] && !value[2];

	if (type == GUEST_SCAN && bare && fd < 0)
		take_scan(p);
	else if (type == GUEST_STREAM && !value[2] && fd < 0)
		take_stream(p, value[0], value[1]);
	else if (type == GUEST_PAGER && bare && fd >= 0)
		take_pager(p, fd);
	else
		partition_fail(p, "message of type %u is wrong", type);
}

static void link_ready(void *opaque)
{
	struct partition *p = opaque;
	enum guest_message_type type;
	uint64_t value[3];
	int fd, ret;

	for (unsigned int i = 0; i < MESSAGES_PER_EVENT && !p->ended; i++) {
		ret = guest_link_receive(p->link, &type, value, &fd);
		if (ret == -EAGAIN)
			return;
		if (ret == -EPIPE || ret == -ECONNRESET) {
			partition_fail(p, "vasi-phypd has gone");
		} else if (ret) {
			partition_fail(p, "receiving: %s", strerror(-ret));
		} else {
			take_message(p, type, value, fd);
			if (fd >= 0)
				close(fd);
		}
	}
}

/* ---- Start ---- */

/* The machine's memory has to be what vasi-phypd has given it, all of it */
static bool find_ram(struct partition *p, Error **errp)
{
	MachineState *machine = MACHINE(qdev_get_machine());
	struct stat st;
	int fd;

	if (!tcg_enabled()) {
		error_setg(errp, "it works with -accel tcg only");
		return false;
	}
	if (!object_dynamic_cast(OBJECT(machine), TYPE_SPAPR_MACHINE)) {
		error_setg(errp, "the machine is no pseries");
		return false;
	}
	fd = machine->ram && machine->ram->ram_block ?
		memory_region_get_fd(machine->ram) : -1;
	if (fd < 0 || !qemu_ram_is_shared(machine->ram->ram_block)) {
		error_setg(errp, "the machine's memory is not a shared file: memory-backend-file with share=on is needed");
		return false;
	}
	p->ram = machine->ram;
	p->ram_start = memory_region_get_ram_ptr(p->ram);
	p->ram_bytes = memory_region_size(p->ram);
	if (machine->maxram_size != p->ram_bytes || fstat(fd, &st) ||
	    (uint64_t)st.st_size != p->ram_bytes) {
		error_setg(errp, "the file and the machine's memory are not of the same size");
		return false;
	}
	return true;
}

/* After the reset that ends the machine's start, and writes to its memory */
static void say_hello(void *opaque)
{
	struct partition *p = opaque;

	partition_tell(p, GUEST_HELLO, (uint64_t)GUEST_LINK_MAGIC << 32 | GUEST_LINK_VERSION,
		       p->ram_bytes, (uintptr_t)p->ram_start, p->dirty_fd);
	close(p->dirty_fd);
	p->dirty_fd = -1;
	if (!p->ended)
		qemu_set_fd_handler(p->link, link_ready, NULL, p);
}

static void machine_done(Notifier *notifier, void *data)
{
	struct partition *p = container_of(notifier, struct partition, machine_done);
	Error *error = NULL;

	if (!find_ram(p, &error) || !dirty_log_start(p, &error)) {
		error_reportf_err(error, "spapr-vasi: partition=%d: ", p->link);
		exit(EXIT_FAILURE);
	}
	suspend_start(p);
	processors_start(true);
	qemu_bh_schedule(p->hello);
}

/**
 * partition_install() - this QEMU is the home of a partition
 * @link:	socket of the guest link
 */
void partition_install(int link)
{
	struct partition *p = g_new0(struct partition, 1);

	p->link = link;
	p->dirty_fd = -1;
	p->pager = -1;
	/* Nobody that QEMU starts is to hold it open */
	qemu_set_cloexec(link);
	p->hello = qemu_bh_new(say_hello, p);
	p->end = qemu_bh_new(end, p);
	p->machine_done.notify = machine_done;
	qemu_add_machine_init_done_notifier(&p->machine_done);
}
