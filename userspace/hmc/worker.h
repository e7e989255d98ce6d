/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that validates and migrates one of several partitions.
 */
#ifndef _HMC_WORKER_H
#define _HMC_WORKER_H

#include <sys/types.h>

#include "hmc/feed.h"
#include "hmc/migrlpar.h"

/**
 * struct worker - such a process
 * @pid:	of it, 0 = none
 * @said:	its standard output
 * @told:	its standard error: messages
 * @events:	objects of JSON: {event, ...}
 */
struct worker {
	pid_t pid;
	struct feed said;
	struct feed told;
	struct feed events;
};

/**
 * struct work - what it does
 * @console:	the console
 * @source:	where the partition is
 * @target:	where it is to be
 * @key:	which partition
 * @order:	how
 */
struct work {
	struct console *console;
	struct managed_system *source;
	struct managed_system *target;
	struct partition_key key;
	const struct order *order;
};

int worker_start(struct worker *worker, const struct work *work);
bool worker_ended(const struct worker *worker);
int worker_status(struct worker *worker);

#endif /* _HMC_WORKER_H */
