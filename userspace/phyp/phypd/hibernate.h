/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Suspended partitions (Documentation/suspended-partitions.rst): a partition becomes an
 * image, and an image a partition; and what both have to do with streams.
 */
#ifndef _PHYPD_HIBERNATE_H
#define _PHYPD_HIBERNATE_H

#include "phyp/phypd/home_image.h"
#include "phyp/phypd/partition.h"

/* Each answers @req, now or later */
void hibernate_suspend(struct partition *p, struct rpc_request *req);
void hibernate_resume(struct partition *p, struct rpc_request *req);
/* The target's record is known, and there is no stream any more */
void hibernate_settle(struct partition *p, enum phyp_verdict verdict,
		      struct rpc_request *req);

/* A stream begins with it as the source: @then is called when its image is in memory */
void hibernate_depart(struct partition *p, const struct image_note *note,
		      const json_t *params, struct rpc_request *req,
		      void (*then)(struct rpc_request *req, const json_t *params,
				   void *data));
struct partition *hibernate_departed(struct system *system, uint64_t stream_id);

/* From partition.c and partition_home.c */
extern const struct home_image_ops hibernate_image_ops;
bool hibernate_is_image(const struct partition *p);
void hibernate_stopped(struct partition *p, const char *error);
void hibernate_homed(struct partition *p, const char *error);
void hibernate_loaded(struct partition *p, int error);
void hibernate_failed(struct partition *p, const char *why);
void hibernate_look(struct partition *p);
int hibernate_discard(struct partition *p);

/* hibernate_find.c: at the start of the system */
int hibernate_find(struct system *system);

#endif /* _PHYPD_HIBERNATE_H */
