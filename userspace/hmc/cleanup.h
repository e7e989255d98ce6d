/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that end moves share.
 */
#ifndef _HMC_CLEANUP_H
#define _HMC_CLEANUP_H

#include "hmc/console.h"

json_t *stream_id_params(const char *id);
json_t *list_streams(const struct managed_system *system);
int undo_target(struct plan *plan);
int finish_target(const struct plan *plan, bool wait);
void stop_mover(const struct managed_system *system, const char *id);
int end_stream(const struct managed_system *system, const char *id, bool wait);
int remove_if(const struct managed_system *system, const char *name, const char *state,
	      const char *id);
struct managed_system *find_target(struct console *console,
				   const struct managed_system *source,
				   const struct managed_system *only,
				   const char *id,
				   const struct managed_system **silent);
void plan_for(struct plan *plan, struct managed_system *source,
	      struct managed_system *target, const char *id,
	      const char *partition);

#endif /* _HMC_CLEANUP_H */
