// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whose turn is it?
 *
 * In the order given; but one for which there is no room does not hold up others that
 * need something else.  A job that has begun may not be counted yet by systems and
 * movers, so it is counted here until they do: rather twice for a moment than not at all.
 */
#include "hmc/schedule.h"

static size_t count_state(const struct turn *turns, size_t count, enum job_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += turns[i].state == state;
	return found;
}

static bool has_place(const struct turn *turns, size_t count, const struct load *load,
		      enum job_kind kind)
{
	uint32_t starting = 0;

	if (load->free[kind] == NO_LIMIT)
		return true;
	for (size_t i = 0; i < count; i++)
		starting += turns[i].state == JOB_STARTING && turns[i].kind == kind;
	return starting < load->free[kind];
}

static uint32_t used_of(const struct turn *turns, size_t count, const struct load *load,
			enum end end, size_t mover)
{
	uint32_t used = load->movers[mover].used;

	for (size_t i = 0; i < count; i++)
		used += turns[i].state == JOB_STARTING && turns[i].mover[end] == (int)mover;
	return used;
}

/* The one with the largest share of its operations free */
static bool choose_mover(const struct turn *turns, size_t count, const struct load *load,
			 enum end end, int *mover)
{
	uint64_t best_free = 0, best_most = 1;
	bool usable = false;

	*mover = NO_MOVER;
	for (size_t i = 0; i < load->nmovers; i++) {
		uint64_t most = load->movers[i].most;
		uint64_t used = used_of(turns, count, load, end, i);

		usable |= most;
		if (used >= most || (most - used) * best_most <= best_free * most)
			continue;
		best_free = most - used;
		best_most = most;
		*mover = (int)i;
	}
	/* Without any, validation says what is wrong with each of them */
	return *mover != NO_MOVER || !usable;
}

static bool may_begin(const struct turn *turns, size_t count, const struct load loads[ENDS],
		      enum job_kind kind, int mover[ENDS])
{
	mover[END_SOURCE] = NO_MOVER;
	mover[END_TARGET] = NO_MOVER;
	if (kind == JOB_OTHER)
		return true;
	for (enum end end = END_SOURCE; end < ENDS; end++) {
		if (!has_place(turns, count, &loads[end], kind))
			return false;
		if (kind == JOB_ACTIVE &&
		    !choose_mover(turns, count, &loads[end], end, &mover[end]))
			return false;
	}
	return true;
}

/**
 * schedule_next() - whose turn is it?
 * @turns:	all partitions, in their order; the next one becomes JOB_STARTING
 * @count:	how many
 * @loads:	how busy both ends are; what is JOB_MOVING is counted there
 * @now:	now_ns()
 * @next:	set to its place in @turns
 *
 * Return: true if there is one.
 */
bool schedule_next(struct turn *turns, size_t count, const struct load loads[ENDS],
		   uint64_t now, size_t *next)
{
	size_t begun = count_state(turns, count, JOB_STARTING) +
		       count_state(turns, count, JOB_MOVING);

	if (begun >= SCHEDULE_WORKERS)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (turns[i].state != JOB_WAITING || turns[i].again_ns > now ||
		    !may_begin(turns, count, loads, turns[i].kind, turns[i].mover))
			continue;
		turns[i].state = JOB_STARTING;
		*next = i;
		return true;
	}
	return false;
}
