/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The synthetic home of a partition, see home.h and synthetic.h.
 */
#ifndef _PHYPD_HOME_SYNTHETIC_H
#define _PHYPD_HOME_SYNTHETIC_H

#include "phyp/phypd/home.h"
#include "phyp/phypd/memory.h"
#include "phyp/phypd/synthetic.h"

int home_synthetic_create(const struct program *program, const struct memory *memory,
			  uint32_t granule, const struct home_client *client, void *ctx,
			  struct home **home);

#endif /* _PHYPD_HOME_SYNTHETIC_H */
