/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several partitions in one command.
 */
#ifndef _HMC_SEVERAL_H
#define _HMC_SEVERAL_H

#include "hmc/progress.h"
#include "hmc/schedule.h"
#include "hmc/worker.h"

/**
 * struct job - one of the partitions
 * @name:	of it, or what it was called
 * @key:	for who looks for it
 * @worker:	who is at it; NULL = nobody
 * @held:	messages that are told once it is clear that it does not come back to the
 *		queue, array of strings
 * @warnings:	what is told of it now are warnings
 * @moving:	it has begun to migrate
 * @tries:	how often it was begun
 * @begun_ns:	when it was, the last time
 * @ended_ns:	when that was over
 */
struct job {
	char name[NAME_BYTES];
	struct partition_key key;
	struct worker *worker;
	json_t *held;
	bool warnings;
	bool moving;
	unsigned int tries;
	uint64_t begun_ns;
	uint64_t ended_ns;
};

/**
 * struct several - a command for several partitions
 * @console:	the console
 * @source:	where they are
 * @target:	where they are to be
 * @order:	how
 * @jobs:	all of them
 * @turns:	where they are in the queue
 * @count:	how many
 * @progress:	what is shown, or NULL
 * @began_ns:	when the command began
 * @sampled_ns:	when systems were asked how busy they are
 * @changed:	something has ended since then
 * @silent:	a system did not answer
 * @none:	a system supports no migration of that kind
 */
struct several {
	struct console *console;
	struct managed_system *source;
	struct managed_system *target;
	const struct order *order;
	struct job *jobs;
	struct turn *turns;
	size_t count;
	struct progress *progress;
	uint64_t began_ns;
	uint64_t sampled_ns;
	bool changed;
	bool silent;
	bool none[JOB_OTHER];
};

int migrate_several(struct console *console, struct managed_system *source,
		    struct managed_system *target, const struct order *order);

/* several_tell.c: what the user hears of it */
void tell_event(struct several *s, size_t index, json_t *event);
void tell_said(struct several *s, size_t index, const char *line);
void tell_message(struct several *s, size_t index, const char *line);
bool tell_heading(const char *line, bool warnings);
size_t tell_code_length(const char *line);
void tell_state(struct several *s, size_t index);
void tell_summary(struct several *s);

#endif /* _HMC_SEVERAL_H */
