/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The QEMU process of a guest: how it is told what to be, started, watched and ended.
 */
#ifndef _PHYPD_GUEST_PROCESS_H
#define _PHYPD_GUEST_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "phyp/phypd/memory.h"

#define GUEST_MAX_PROCESSORS	16
#define GUEST_MAX_NETWORKS	4
#define GUEST_MAX_ARGUMENTS	64
#define GUEST_ERROR_BYTES	512

/* Descriptors that QEMU inherits, by their number there */
enum guest_fd {
	GUEST_FD_MEMORY = 3,
	GUEST_FD_LINK,
	GUEST_FD_QMP,
	GUEST_FD_AGENT,
	GUEST_FD_END,
};

/**
 * struct guest_config - what a guest's QEMU is started with
 * @name:	of the partition
 * @qemu:	program
 * @plugin:	its plug-in
 * @guest:	"guest" of partition.create, checked
 * @memory:	the partition's
 * @incoming:	it waits for a state to load
 * @directory:	for the console's file and for what QEMU says
 */
struct guest_config {
	const char *name;
	const char *qemu;
	const char *plugin;
	const json_t *guest;
	const struct memory *memory;
	bool incoming;
	const char *directory;
};

struct guest_process;

/* It has ended; @why tells how, and what it said last */
typedef void (*guest_ended)(void *ctx, const char *why);

int guest_process_start(sd_event *event, const struct guest_config *config,
			const int fd[GUEST_FD_END], guest_ended ended, void *ctx,
			struct guest_process **process, char error[GUEST_ERROR_BYTES]);
struct guest_process *guest_process_end(struct guest_process *process);
pid_t guest_process_pid(const struct guest_process *process);
char *guest_console_path(const struct guest_config *config);

/* guest_argv.c */
char **guest_argv(const struct guest_config *config);
void guest_argv_free(char **argv);

#endif /* _PHYPD_GUEST_PROCESS_H */
