// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The nine steps of a migration, as they are told.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/step.h"

#define STEPS	STEP_REMOVE

/* What is done; %1$s is the source, %2$s the target */
static const char *const texts[] = {
	[STEP_PROFILE]		= "the profile is copied to system %2$s",
	[STEP_VIRTUAL_IO]	= "storage and network are configured on system %2$s",
	[STEP_MOVERS]		= "the movers of systems %1$s and %2$s begin",
	[STEP_COPY]		= "memory is copied to system %2$s",
	[STEP_ACTIVATE]		= "the partition goes on on system %2$s",
	[STEP_REST]		= "the pages that are left on system %1$s follow",
	[STEP_SETTLE]		= "storage and network of system %2$s are its own",
	[STEP_UNCONFIGURE]	= "storage and network are removed from system %1$s",
	[STEP_REMOVE]		= "the partition is removed from system %1$s",
};

/**
 * step_begin() - tell that a step begins
 * @plan:	verbose: told
 * @step:	which
 */
void step_begin(struct plan *plan, enum move_step step)
{
	plan->step = step;
	if (!plan->verbose)
		return;
	printf("step %u of %u: ", step, STEPS);
	printf(texts[step], plan->source->name,
	       plan->target ? plan->target->name : "(unknown)");
	putchar('\n');
}

/**
 * step_reach() - tell of steps that follow each other without the console's doing
 * @plan:	where it was
 * @step:	which was reached; those before it have been, too
 */
void step_reach(struct plan *plan, enum move_step step)
{
	while (plan->step < step)
		step_begin(plan, plan->step + 1);
}

/**
 * step_undo() - tell that what was begun is undone
 * @plan:	verbose: told
 */
void step_undo(const struct plan *plan)
{
	if (plan->verbose && plan->step)
		printf("step %u failed, or was stopped: what was done is undone\n", plan->step);
}

/**
 * step_follow() - tell which step the movers have reached
 * @plan:	the migration
 * @status:	of the source's mover
 */
void step_follow(struct plan *plan, const json_t *status)
{
	static const struct {
		const char *phase;
		enum move_step step;
	} phases[] = {
		{ "moving", STEP_COPY },
		{ "suspending", STEP_ACTIVATE },
		{ "suspended", STEP_ACTIVATE },
		{ "resumed", STEP_REST },
		{ "completed", STEP_REST },
	};

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++)
		if (!strcmp(text_of(status, "phase"), phases[i].phase))
			step_reach(plan, phases[i].step);
}
