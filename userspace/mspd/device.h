/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VASI device of mspd.  The main thread opens and closes it (both may block);
 * between the two it belongs to a worker.
 */
#ifndef _DEVICE_H
#define _DEVICE_H

#include "move.h"

enum device_state {
	DEVICE_CLOSED,
	DEVICE_OPEN,		/* with its worker */
	DEVICE_ENDING,		/* lost, or to be closed; still with its worker */
};

/**
 * struct device - a VASI device
 * @mover:	of it
 * @path:	where
 * @fd:		the kernel driver's device, opened with the privilege that this takes;
 *		-1: the path is opened each time
 * @state:	main thread
 * @worker:	that owns it while it is open
 * @dev:	libvasi's
 * @donors:	handles of the donors
 * @indirect:	indirect operations are offered
 * @info:	what the platform offers
 * @moves:	on it; worker
 * @attached:	worker: to its ring
 * @lost:	worker: VASI_EV_LOST has come, or closing was asked for
 * @detached:	worker: from its ring
 * @told:	worker: the way back to the main thread has begun
 * @why:	worker: why it was lost
 */
struct device {
	struct mover *mover;
	const char *path;
	int fd;
	enum device_state state;
	struct worker *worker;
	const struct config *config;
	struct vasi_device *dev;
	struct vasi_device_info info;
	struct donor_device *donors;
	bool indirect;
	LIST_HEAD(, move) moves;
	struct worker_task task;
	bool attached;
	bool lost;
	bool detached;
	bool told;
	char why[256];
	struct mail attach;
	struct mail close;
	struct mail closed;
	void (*on_closed)(struct device *d);
	struct mailbox *main_mailbox;
};

void device_prepare(struct device *d, const char *path);
int device_open(struct device *d, struct donor_pool *pool, char why[256]);
void device_close(struct device *d);

/* Whether indirect operations may come: a kernel driver agrees on them by itself */
static inline bool device_fetches(const struct device *d)
{
	return d->info.operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT;
}

#endif /* _DEVICE_H */
