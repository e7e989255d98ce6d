// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pages that processors wait for: a bounded ring of runs. */
#include "phyp/internal.h"

static_assert((PHYP_DEMAND_RING & (PHYP_DEMAND_RING - 1)) == 0,
	      "indices wrap by masking");

bool phyp_demands_empty(const struct phyp_demands *d)
{
	return d->head == d->tail;
}

bool phyp_demands_push(struct phyp_demands *d, uint64_t first, uint32_t count)
{
	if (d->head - d->tail == PHYP_DEMAND_RING)
		return false;
	d->run[d->head++ & (PHYP_DEMAND_RING - 1)] = (struct phyp_run) {
		.first = first,
		.count = count,
	};
	return true;
}

bool phyp_demands_pop(struct phyp_demands *d, struct phyp_run *run)
{
	if (phyp_demands_empty(d))
		return false;
	*run = d->run[d->tail++ & (PHYP_DEMAND_RING - 1)];
	return true;
}
