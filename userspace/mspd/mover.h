/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon: its devices, workers, donors and moves, as the main thread sees
 * them.
 */
#ifndef _MOVER_H
#define _MOVER_H

#include <systemd/sd-event.h>
#include "device.h"
#include "move.h"
#include "probe.h"

/* Moves that have ended and are still shown */
#define MOVER_HISTORY	64

TAILQ_HEAD(record_list, move_record);

/**
 * struct wait - a "wait" request that is not answered yet
 * @phase:	what it waits for; PHASES = the end
 * @timer:	its time-out, or NULL
 */
struct wait {
	TAILQ_ENTRY(wait) link;
	struct mover *mover;
	struct rpc_request *request;
	struct move_record *record;
	int phase;
	sd_event_source *timer;
};

/**
 * struct mover - mspd; everything belongs to the main thread but @mailbox
 * @kernel_tls:	the kernel encrypts
 * @identity:	the latest that was loaded
 * @running:	moves that have not ended
 * @probes:	likewise
 * @next_probe:	which worker has the next one
 * @stopping:	SIGTERM has come
 */
struct mover {
	struct config config;
	bool kernel_tls;
	struct identity *identity;
	sd_event *event;
	struct mailbox mailbox;
	struct rpc_server *server;
	struct worker *workers;
	unsigned int nworkers;
	struct donor_pool *donors;
	struct device *devices;
	struct record_list records;
	TAILQ_HEAD(, wait) waits;
	unsigned int running;
	LIST_HEAD(, probe) probes;
	unsigned int next_probe;
	bool stopping;
};

/* keygen.c */
int keygen(const struct config *config);
/* privileges.c */
int privileges_drop(const struct config *config);
int privileges_own(const struct config *config, int fd);
/* ctl.c */
int ctl_open(struct mover *mover);
void ctl_close(struct mover *mover);
void ctl_shutdown_moves(struct mover *mover);
void ctl_check_stopped(struct mover *mover);

#endif /* _MOVER_H */
