/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lpmtop: a view of all migrations.
 */
#ifndef _HMC_LPMTOP_H
#define _HMC_LPMTOP_H

#include "hmc/lpmtop_model.h"
#include "hmc/worker.h"

/* What the keys mean now */
enum view_mode {
	VIEW_LIST,
	VIEW_CONFIRM,		/* stop it? */
	VIEW_LIMIT,		/* how much? */
	VIEW_HELP,
};

/**
 * struct view - what the user looks at
 * @mode:	what keys mean
 * @selected:	stream of the migration that is selected, "" = none
 * @first:	the first one that is shown
 * @input:	what was typed
 * @said:	what came of the last key
 */
struct view {
	enum view_mode mode;
	char selected[RPC_STREAM_ID_BYTES];
	size_t first;
	char input[24];
	char said[192];
};

/* lpmtop_fetch.c: what systems and movers say */
struct fetcher;

int fetcher_start(struct console *console, const char *only, unsigned int interval_ms,
		  struct fetcher **fetcher);
void fetcher_once(struct console *console, const char *only, struct top *top);
struct top *fetcher_lock(struct fetcher *fetcher);
void fetcher_unlock(struct fetcher *fetcher);
void fetcher_select(struct fetcher *fetcher, const char *id);

/* lpmtop_draw.c: the terminal */
int draw_open(void);
void draw_close(void);
void draw_all(const struct top *top, struct view *view);
int draw_key(unsigned int wait_ms);

#endif /* _HMC_LPMTOP_H */
