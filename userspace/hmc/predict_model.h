/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model behind a prediction (Documentation/prediction.rst): what a partition writes,
 * and how a move of it would go.  Pure: numbers in, numbers out.
 */
#ifndef _HMC_PREDICT_MODEL_H
#define _HMC_PREDICT_MODEL_H

#include <stdbool.h>

#define MODEL_POINTS	64	/* samples of a partition.dirty */
#define MODEL_CELLS	64	/* of its heat map */

/**
 * struct model_curve - what was measured of a partition
 * @granule:	bytes of a page
 * @pages:	of the partition
 * @filled:	that a move sends first
 * @points:	samples
 * @seconds:	of each since the beginning
 * @dirtied:	pages in each one's interval
 * @unique:	different pages since the beginning
 * @cells:	of the heat map, 0 = none
 * @heat:	pages dirtied in the last interval, by cell
 */
struct model_curve {
	double granule;
	double pages;
	double filled;
	unsigned int points;
	double seconds[MODEL_POINTS];
	double dirtied[MODEL_POINTS];
	double unique[MODEL_POINTS];
	unsigned int cells;
	double heat[MODEL_CELLS];
};

/**
 * struct model_load - what a partition writes: two sets of pages, of which every page of
 * a set is as likely to be written as another
 * @granule: @pages: @filled: as struct model_curve
 * @hot_pages:	of the set that is written more
 * @hot_rate:	writes to different pages a second there, as if none hit the same
 * @cold_rate:	likewise to the others
 * @cells:	parts of the address space
 * @hot:	share of the hot pages that is in each
 * @misfit:	how far the measured curve is from this, a share
 */
struct model_load {
	double granule;
	double pages;
	double filled;
	double hot_pages;
	double hot_rate;
	double cold_rate;
	unsigned int cells;
	double hot[MODEL_CELLS];
	double misfit;
};

/**
 * struct model_move - how it would be moved
 * @bandwidth:	bytes a second that the target takes
 * @round_trip:	seconds
 * @downtime:	seconds: suspended once the rest takes no longer (userspace/mspd/policy.c)
 * @pass_limit:	suspended after so many passes, 0 = none
 * @timeout:	seconds after which it is suspended, 0 = none
 * @all_pages:	the rest goes before it is resumed, not after
 * @suspend:	seconds that the partition takes to stop, in which it still writes
 * @queued:	bytes that may be between the platforms
 * @handover:	seconds in which its state is saved and loaded
 * @start:	seconds before the first byte
 */
struct model_move {
	double bandwidth;
	double round_trip;
	double downtime;
	unsigned int pass_limit;
	double timeout;
	bool all_pages;
	double suspend;
	double queued;
	double handover;
	double start;
};

/* Why it would be suspended */
enum model_end {
	MODEL_NEVER,		/* nothing can be sent */
	MODEL_FITS,		/* the rest fits the downtime: it converges */
	MODEL_PASSES,		/* pass limit */
	MODEL_TIMEOUT,
};

/**
 * struct model_result - how it would go
 * @end:	why it is suspended
 * @total:	seconds until all of it is there
 * @blackout:	seconds for which it is not executed
 * @bytes:	sent
 * @left:	of these after it was suspended
 * @passes:	begun before that
 */
struct model_result {
	enum model_end end;
	double total;
	double blackout;
	double bytes;
	double left;
	unsigned int passes;
};

double model_unique(const struct model_load *load, double seconds);
void model_fit(struct model_load *load, const struct model_curve *curve);
void model_scale(struct model_load *load, double factor);
void model_run(const struct model_load *load, const struct model_move *move,
	       struct model_result *result);

#endif /* _HMC_PREDICT_MODEL_H */
