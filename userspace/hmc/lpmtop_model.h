/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lpmtop: what is known of the migrations that it shows.  Pure: it is told what systems
 * and movers say, and what time it is.
 */
#ifndef _HMC_LPMTOP_MODEL_H
#define _HMC_LPMTOP_MODEL_H

#include "hmc/console.h"

#define TOP_MOVES	256
#define TOP_SAMPLES	240
#define TOP_PASSES	32
#define TOP_CELLS	4096
#define TOP_COLUMNS	512		/* the widest graph */
#define TOP_KEEP_S	10		/* one that is gone is shown that long */

/**
 * struct top_sample - how a migration was at a moment
 * @at_ns:	when
 * @rate:	bytes a second that were sent
 * @dirty_rate:	bytes a second that the partition wrote
 */
struct top_sample {
	uint64_t at_ns;
	int64_t rate;
	int64_t dirty_rate;
};

/**
 * struct top_samples - the latest of them
 * @ring:	these
 * @first:	the oldest
 * @count:	how many
 */
struct top_samples {
	struct top_sample ring[TOP_SAMPLES];
	size_t first;
	size_t count;
};

/**
 * struct top_pass - a pass over the memory
 * @number:	counted from 0
 * @began_ns:	when it was seen first
 * @ended_ns:	when it was seen last
 * @sent:	bytes in it
 * @before:	bytes that were sent when it began
 * @left:	bytes that were left when it was seen last
 * @dirty_rate:	when it was seen last
 */
struct top_pass {
	int64_t number;
	uint64_t began_ns;
	uint64_t ended_ns;
	int64_t sent;
	int64_t before;
	int64_t left;
	int64_t dirty_rate;
};

/**
 * struct top_move - a migration
 * @id:		of the stream
 * @partition:	its name
 * @source: @target: the systems
 * @source_msp: @target_msp: the movers, "" = not known
 * @state:	of the source's stream
 * @phase:	of the source's mover, "" = none is at it
 * @sent: @left: @total: bytes
 * @rate: @dirty_rate: bytes a second
 * @limit:	bytes a second, 0 = none
 * @pass:	which
 * @percent:	how much has been sent
 * @left_s:	seconds until it has been copied, 0 = not known
 * @samples:	what it was like
 * @passes:	the latest of them
 * @npasses:	how many there are
 * @seen_ns:	when its system told of it last
 * @gone:	its system does not know it any more
 */
struct top_move {
	char id[RPC_STREAM_ID_BYTES];
	char partition[NAME_BYTES];
	char source[NAME_BYTES];
	char target[NAME_BYTES];
	char source_msp[NAME_BYTES];
	char target_msp[NAME_BYTES];
	char state[24];
	char phase[24];
	int64_t sent;
	int64_t left;
	int64_t total;
	int64_t rate;
	int64_t dirty_rate;
	int64_t limit;
	int64_t pass;
	int percent;
	int64_t left_s;
	struct top_samples samples;
	struct top_pass passes[TOP_PASSES];
	size_t npasses;
	uint64_t seen_ns;
	bool gone;
};

/**
 * struct top_system - a system
 * @name:	of it
 * @why:	it does not answer; "": it does
 */
struct top_system {
	char name[NAME_BYTES];
	char why[128];
};

/**
 * struct top_heat - where a partition writes
 * @id:		of its stream
 * @cells:	of its memory, how many
 * @cell:	pages that were written in each, in the latest interval
 * @most:	in one of them
 * @why:	it is not known; "": it is
 */
struct top_heat {
	char id[RPC_STREAM_ID_BYTES];
	size_t cells;
	uint32_t cell[TOP_CELLS];
	uint32_t most;
	char why[128];
};

/**
 * struct top - all that is shown
 * @moves:	migrations, the oldest first
 * @nmoves:	how many
 * @systems:	where they begin
 * @nsystems:	how many
 * @heat:	of the one that is selected
 */
struct top {
	struct top_move *moves[TOP_MOVES];
	size_t nmoves;
	struct top_system systems[CONSOLE_SYSTEMS];
	size_t nsystems;
	struct top_heat heat;
};

/**
 * struct top_seen - what was heard of a migration
 * @system:	its source
 * @stream:	as stream.list has it there
 * @status:	of the source's mover, or NULL
 * @source_msp: @target_msp: names of the movers, or ""
 */
struct top_seen {
	const char *system;
	const json_t *stream;
	const json_t *status;
	const char *source_msp;
	const char *target_msp;
};

struct top_move *top_see(struct top *top, const struct top_seen *seen, uint64_t now);
void top_missed(struct top *top, const char *system, uint64_t since);
void top_forget(struct top *top, uint64_t now);
struct top_move *top_find(const struct top *top, const char *id);
void top_release(struct top *top);

const struct top_sample *top_sample_at(const struct top_samples *samples, size_t index);
int64_t top_nice(int64_t value);
int64_t top_graph(const struct top_samples *samples, bool dirty, size_t columns,
		  unsigned int rows, unsigned int *heights);
unsigned int top_heat_level(uint32_t value, uint32_t most, unsigned int levels);
size_t top_shrink(const uint32_t *cells, size_t count, uint32_t *shrunk, size_t most);
void top_take_heat(struct top_heat *heat, const char *id, const json_t *answer,
		   const char *why);
json_t *top_json(const struct top *top);

#endif /* _HMC_LPMTOP_MODEL_H */
