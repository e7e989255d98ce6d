/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plug-in as the home of a partition: what its parts share.  All of it belongs
 * to QEMU's big lock (BQL).
 */
#ifndef PARTITION_H
#define PARTITION_H

#include "qemu/notify.h"
#include "cpu.h"
#include "exec/memory.h"

#include "guestlink/guestlink.h"

/**
 * struct partition - the partition of this QEMU
 * @link:	socket of the guest link
 * @machine_done: called when the machine is complete
 * @hello:	says so, when QEMU's main loop runs
 * @end:	ends QEMU
 * @ended:	the link is not used any more
 * @ram:	the machine's RAM, all of it
 * @ram_start:	where QEMU has it
 * @ram_bytes:	its size
 * @dirty:	bitmap, shared with vasi-phypd
 * @dirty_fd:	its memfd until it has been passed, or -1
 * @pager:	the last userfaultfd that was passed, or -1
 * @stream:	stream that the guest may ask for, or 0
 * @state:	its state, enum vasi_state
 * @result:	ibm,suspend-me has not returned: address of its result, or 0
 */
struct partition {
	int link;
	Notifier machine_done;
	QEMUBH *hello;
	QEMUBH *end;
	bool ended;

	MemoryRegion *ram;
	void *ram_start;
	uint64_t ram_bytes;
	uint64_t *dirty;
	int dirty_fd;
	int pager;

	uint64_t stream;
	uint64_t state;
	target_ulong result;
};

/* partition.c */
void partition_install(int link);
void partition_tell(struct partition *p, enum guest_message_type type, uint64_t first,
		    uint64_t second, uint64_t third, int fd);
void partition_fail(struct partition *p, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* dirty.c */
bool dirty_log_start(struct partition *p, Error **errp);
uint64_t dirty_log_scan(struct partition *p);

/* suspend.c */
void suspend_start(struct partition *p);

/* processors.c */
void processors_install(void);
void processors_start(bool announce);

#endif
