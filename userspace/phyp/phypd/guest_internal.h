/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's own structures.
 *
 * guest.c	  states; what the partition asks
 * guest_start.c  QEMU and its connections come and go
 * guest_dirty.c  what the guest wrote
 * guest_state.c  device state is saved and loaded
 */
#ifndef _PHYPD_GUEST_INTERNAL_H
#define _PHYPD_GUEST_INTERNAL_H

#include "guestlink/guestlink.h"
#include "phyp/phypd/agent.h"
#include "phyp/phypd/guest.h"
#include "phyp/phypd/guest_process.h"
#include "phyp/phypd/pager.h"
#include "phyp/phypd/qmp.h"
#include "phyp/phypd/system.h"

enum guest_state {
	GUEST_OFF,		/* there is no QEMU */
	GUEST_STARTING,		/* QEMU, its plug-in and a target's pager get ready */
	GUEST_WAITING,		/* a target waits for a state to load */
	GUEST_LOADING,		/* it is being loaded */
	GUEST_RUNNING,		/* processors execute */
	GUEST_ASKED,		/* so they do, but it, or QEMU, was asked to stop */
	GUEST_SAVING,		/* none executes; the state is being saved */
	GUEST_HALTED,		/* none executes; saved, or loaded */
};

/**
 * struct guest_transfer - device state on its way from or to QEMU
 * @fd:		our end, or -1
 * @source:	of its events
 * @bytes:	the state
 * @size:	of it
 * @room:	saving: allocated
 * @at:		loading: written
 * @eof:	saving: QEMU has closed its end
 * @complete:	QEMU says that it is done
 * @settled:	saving: it may go on, too
 * @failed:	saving: why that is given up, as soon as it may go on
 */
struct guest_transfer {
	int fd;
	sd_event_source *source;
	uint8_t *bytes;
	size_t size;
	size_t room;
	size_t at;
	bool eof;
	bool complete;
	bool settled;
	const char *failed;
};

/**
 * struct guest - QEMU as the home of a partition
 * @home:	see home.h
 * @system:	where
 * @name:	of the partition
 * @json:	how it is made
 * @memory:	the partition's
 * @shell:	it was made for a partition that arrives
 * @state:	see there; changed by guest_become() only
 * @process:	QEMU, or NULL
 * @qmp:	to it
 * @qmp_ready:	it answers
 * @link:	guest link, or -1
 * @link_source: of its input
 * @dirty:	bitmap that the plug-in fills, or NULL
 * @base:	address of the memory in QEMU
 * @agent:	in the guest
 * @pager:	serves pages that are missing, or NULL
 * @scans:	asked for and not answered
 * @looking:	the partition waits for a look
 * @streams_set: GUEST_STREAM messages that are not answered
 * @stream:	that the guest was told of last; 0 = none
 * @resume:	go on as soon as it can
 * @off_due:	the partition has to hear that it is off
 * @broken:	why it is of no use any more; found out within an operation
 * @transfer:	of the device state
 * @timer:	QEMU has to be ready, or a partition that was asked to suspend itself,
 *		until then
 * @watch:	looks whether a page that is waited for has come
 * @watched:	its offset
 */
struct guest {
	struct home home;
	struct system *system;
	const char *name;
	const json_t *json;
	const struct memory *memory;
	bool shell;
	enum guest_state state;
	struct guest_process *process;
	struct qmp *qmp;
	bool qmp_ready;
	int link;
	sd_event_source *link_source;
	uint64_t *dirty;
	uint64_t base;
	struct agent *agent;
	struct pager *pager;
	unsigned int scans;
	bool looking;
	unsigned int streams_set;
	uint64_t stream;
	bool resume;
	bool off_due;
	char *broken;
	struct guest_transfer transfer;
	sd_event_source *timer;
	sd_event_source *watch;
	uint64_t watched;
};

/* guest.c */
void guest_become(struct guest *g, enum guest_state state);
const char *guest_state_name(enum guest_state state);
/* It is of no use any more; the partition hears of it through the loop */
void guest_break(struct guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What guest_start.c waited for is there */
void guest_started(struct guest *g);
/* From guest_state.c */
void guest_saved(struct guest *g);
void guest_settled(struct guest *g);
void guest_not_saved(struct guest *g, const char *why);
void guest_loaded(struct guest *g);
/* From guest_start.c: a message other than HELLO and PAGER_SET */
void guest_message(struct guest *g, enum guest_message_type type,
		   const uint64_t value[3]);
void guest_say(struct guest *g, enum guest_message_type type, uint64_t a, uint64_t b);
void guest_command(struct guest *g, const char *command, json_t *arguments, int fd,
		   qmp_done done);

/* guest_start.c */
int guest_start_qemu(struct guest *g, bool incoming);
void guest_end_qemu(struct guest *g);

/* guest_dirty.c */
int guest_dirty_map(struct guest *g, int fd);
void guest_dirty_unmap(struct guest *g);
/* Tell the partition of what is in the bitmap, and take it out */
void guest_dirty_take(struct guest *g);
/* Every page that the memory's file has */
void guest_dirty_all(struct guest *g);
/* No page of the file is there any more */
int guest_punch(struct guest *g, uint64_t offset, uint64_t bytes);

/* guest_state.c */
void guest_save_begin(struct guest *g);
void guest_load_begin(struct guest *g);
void guest_transfer_end(struct guest *g);
void guest_migration_event(struct guest *g, const char *status);

#endif /* _PHYPD_GUEST_INTERNAL_H */
