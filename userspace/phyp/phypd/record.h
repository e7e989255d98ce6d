/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership records in files (Documentation/handover.rst): one a stream, written
 * once, synced before anybody acts on it.
 */
#ifndef _PHYPD_RECORD_H
#define _PHYPD_RECORD_H

#include "phyp/phyp.h"

struct record_dir;

int record_dir_open(const char *path, struct record_dir **dir);
void record_dir_close(struct record_dir *dir);
int record_dir_read(struct record_dir *dir, uint64_t stream_id,
		    enum phyp_verdict *verdict);
int record_dir_write(struct record_dir *dir, uint64_t stream_id,
		     enum phyp_verdict verdict);

#endif /* _PHYPD_RECORD_H */
