/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far migrations are, for the user: bars on a terminal, lines elsewhere.
 */
#ifndef _HMC_PROGRESS_H
#define _HMC_PROGRESS_H

#include "hmc/console.h"

enum watch_event {
	WATCH_VALID,		/* validation has succeeded */
	WATCH_PREDICTED,	/* the plan has a prediction */
	WATCH_MOVING,		/* it has begun */
	WATCH_STATUS,		/* how far it is */
};

/**
 * struct watcher - who wants to know how a migration goes on
 * @see:	called for each event; @status is the mover's, of WATCH_STATUS
 * @data:	for @see
 */
struct watcher {
	void (*see)(void *data, enum watch_event event, const struct plan *plan,
		    const json_t *status);
	void *data;
};

/* Pure: what is shown */
#define PROGRESS_COLUMNS	256		/* the widest line */

enum progress_state {
	PROGRESS_WAITING,
	PROGRESS_ACTIVE,
	PROGRESS_DONE,
	PROGRESS_FAILED,
	PROGRESS_STATES,
};

int64_t progress_left_s(const json_t *status);
int progress_percent(const json_t *status);
void progress_format(char *line, size_t width, const char *name, const json_t *status);
size_t progress_choose(const enum progress_state *states, size_t count, size_t room,
		       size_t *chosen);
void progress_count(char *line, size_t width, const enum progress_state *states,
		    size_t count);

struct progress;

int progress_open(size_t count, bool lines, struct progress **progress);
void progress_set(struct progress *progress, size_t index, const char *name,
		  enum progress_state state, const json_t *status);
void progress_draw(struct progress *progress);
void progress_clear(struct progress *progress);
void progress_close(struct progress *progress);

#endif /* _HMC_PROGRESS_H */
