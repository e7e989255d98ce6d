/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn is it?  Of several partitions that are to migrate, the next one that there
 * is room for, and by which movers.  Pure: what systems and movers say is given.
 */
#ifndef _HMC_SCHEDULE_H
#define _HMC_SCHEDULE_H

#include "hmc/console.h"

enum job_kind {
	JOB_ACTIVE,		/* needs a stream and an operation of a mover on both sides */
	JOB_INACTIVE,		/* needs neither, but is counted, too */
	JOB_OTHER,		/* not known, or nothing is counted */
};

enum job_state {
	JOB_WAITING,
	JOB_STARTING,		/* begun, and perhaps not counted by anybody yet */
	JOB_MOVING,		/* systems and movers count it */
	JOB_DONE,
	JOB_FAILED,
};

enum end { END_SOURCE, END_TARGET, ENDS };

#define NO_MOVER	(-1)
#define NO_LIMIT	UINT32_MAX

/**
 * struct mover_load - how busy a mover is
 * @most:	operations that it can have, 0 = it cannot be used
 * @used:	that it has
 */
struct mover_load {
	uint32_t most;
	uint32_t used;
};

/**
 * struct load - how busy one end is
 * @free:	migrations that can be added, by enum job_kind; NO_LIMIT: any number
 * @none:	it supports none of that kind: to wait is no use, and validation says so
 * @movers:	of the system, in its order
 * @nmovers:	how many
 */
struct load {
	uint32_t free[JOB_OTHER];
	bool none[JOB_OTHER];
	struct mover_load movers[CONSOLE_MSPS];
	size_t nmovers;
};

/**
 * struct turn - a partition in the queue
 * @kind:	what it needs
 * @state:	how far it is
 * @again_ns:	not before this, of now_ns(): it was refused a moment ago
 * @mover:	the mover of each end that was chosen for it, or NO_MOVER
 */
struct turn {
	enum job_kind kind;
	enum job_state state;
	uint64_t again_ns;
	int mover[ENDS];
};

/* Partitions that are begun at the same time, whatever the systems allow */
#define SCHEDULE_WORKERS	64

bool schedule_next(struct turn *turns, size_t count, const struct load loads[ENDS],
		   uint64_t now, size_t *next);

/* load.c: what systems and movers say */
int load_sample(const struct managed_system *system, enum end end, const json_t *data,
		struct load *load, struct rpc_error *err);

#endif /* _HMC_SCHEDULE_H */
