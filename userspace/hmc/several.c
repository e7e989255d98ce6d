// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several partitions in one command: a process for each that has its turn, and a queue
 * for the others.
 *
 * Systems and movers are asked how busy they are each time, so that what other commands
 * have begun counts, too.  Two commands may still begin at the same moment: who is one
 * too many is refused by the platform or the mover, and comes back to the queue.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/partitions.h"
#include "hmc/several.h"

#define LOOK_MS		100		/* between two looks at how busy systems are */
#define DRAW_MS		100
#define AGAIN_MS	50		/* after a refusal; longer each time */
#define MOST_AGAIN_MS	1600
#define FEEDS		3

/* Codes of what is over when another migration has ended */
static bool is_passing(const char *text)
{
	static const char *const codes[] = {
		"LPM0108 ", "LPM0113 ", "LPM0243 ", "LPM0308 "
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!strncmp(text, codes[i], strlen(codes[i])))
			return true;
	return false;
}

/* ---- What workers say ---- */

/* For the lines of one worker */
struct listener {
	struct several *several;
	size_t index;
};

static void tell_held(struct several *s, size_t index)
{
	struct job *job = &s->jobs[index];
	json_t *line;
	size_t i;

	json_array_foreach(job->held, i, line)
		tell_message(s, index, json_string_value(line));
	json_array_clear(job->held);
}

static void take_message(void *data, char *line)
{
	struct listener *to = data;
	struct job *job = &to->several->jobs[to->index];

	if (job->moving)
		tell_message(to->several, to->index, line);
	else
		json_array_append_new(job->held, json_string(line));
}

static void take_said(void *data, char *line)
{
	struct listener *to = data;

	tell_said(to->several, to->index, line);
}

static void take_event(void *data, char *line)
{
	struct listener *to = data;
	struct several *s = to->several;
	struct job *job = &s->jobs[to->index];
	json_t *event = json_loads(line, 0, NULL);

	if (!strcmp(text_of(event, "event"), "moving")) {
		job->moving = true;
		s->turns[to->index].state = JOB_MOVING;
		tell_held(s, to->index);
	}
	if (event)
		tell_event(s, to->index, event);
}

/* ---- Begin and end ---- */

static void fail(struct several *s, size_t index)
{
	s->turns[index].state = JOB_FAILED;
	s->jobs[index].ended_ns = now_ns();
	if (!s->jobs[index].begun_ns)
		s->jobs[index].begun_ns = s->jobs[index].ended_ns;
	tell_state(s, index);
}

/* Which movers it is to have; the worker has this when it is forked */
static void prefer(struct managed_system *system, int mover)
{
	for (size_t i = 0; i < system->nmsps; i++)
		system->msps[i].preferred = mover == (int)i;
}

static void begin_job(struct several *s, size_t index)
{
	struct job *job = &s->jobs[index];
	struct work work = {
		.console = s->console, .source = s->source, .target = s->target,
		.key = job->key, .order = s->order,
	};

	prefer(s->source, s->turns[index].mover[END_SOURCE]);
	prefer(s->target, s->turns[index].mover[END_TARGET]);
	job->begun_ns = now_ns();
	job->tries++;
	job->worker = calloc(1, sizeof(*job->worker));
	if (job->worker && !worker_start(job->worker, &work)) {
		tell_state(s, index);
		return;
	}
	free(job->worker);
	job->worker = NULL;
	message("LPM0244", "%s cannot be migrated: there is no memory or process for it. Name fewer partitions.",
		job->name);
	fail(s, index);
}

/* Nothing stood against it but that others were there; warnings do not count */
static bool comes_back(const struct several *s, size_t index)
{
	const struct job *job = &s->jobs[index];
	enum job_kind kind = s->turns[index].kind;
	bool warnings = false, passing = false;
	json_t *line;
	size_t i;

	if (job->moving || s->order->operation != 'm' || (kind < JOB_OTHER && s->none[kind]))
		return false;
	json_array_foreach(job->held, i, line) {
		const char *text = json_string_value(line);

		warnings = tell_heading(text, warnings);
		if (warnings || !tell_code_length(text))
			continue;
		if (!is_passing(text))
			return false;
		passing = true;
	}
	return passing;
}

static void put_back(struct several *s, size_t index)
{
	struct job *job = &s->jobs[index];
	unsigned int ms = AGAIN_MS << min(job->tries, 5U);

	json_array_clear(job->held);
	s->turns[index].state = JOB_WAITING;
	s->turns[index].again_ns = now_ns() + min(ms, (unsigned int)MOST_AGAIN_MS) * NSEC_PER_MSEC;
	tell_state(s, index);
}

static void end_job(struct several *s, size_t index)
{
	struct job *job = &s->jobs[index];
	int status = worker_status(job->worker);

	free(job->worker);
	job->worker = NULL;
	s->changed = true;
	if (status && comes_back(s, index)) {
		put_back(s, index);
		return;
	}
	tell_held(s, index);
	job->ended_ns = now_ns();
	s->turns[index].state = status ? JOB_FAILED : JOB_DONE;
	tell_state(s, index);
}

/* ---- The queue ---- */

static size_t count_state(const struct several *s, enum job_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < s->count; i++)
		found += s->turns[i].state == state;
	return found;
}

static size_t count_begun(const struct several *s)
{
	return count_state(s, JOB_STARTING) + count_state(s, JOB_MOVING);
}

/* Those that have not had their turn do not get it any more */
static void give_up(struct several *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->turns[i].state == JOB_WAITING)
			fail(s, i);
}

/* How busy is everything?  Of a system that does not answer nothing is known */
static bool sample(struct several *s, struct load loads[ENDS])
{
	const json_t *data = s->order->options.data;
	struct rpc_error err;

	if (!load_sample(s->source, END_SOURCE, data, &loads[END_SOURCE], &err)) {
		if (!load_sample(s->target, END_TARGET, data, &loads[END_TARGET], &err))
			return true;
	}
	return false;
}

static bool time_is_over(struct several *s)
{
	const struct move_options *options = &s->order->options;

	if (!options->deadline_ns || now_ns() <= options->deadline_ns)
		return false;
	if (count_state(s, JOB_WAITING)) {
		progress_clear(s->progress);
		message("LPM0245", "%zu partitions had no turn within the %.3g min of -w; they are where they were. Allow more time.",
			count_state(s, JOB_WAITING), (double)options->wait_ms / 60000);
	}
	give_up(s);
	return true;
}

/* Validations change nothing: one after the other, in their order */
static void begin_next(struct several *s)
{
	for (size_t i = 0; i < s->count && !count_begun(s); i++)
		if (s->turns[i].state == JOB_WAITING) {
			s->turns[i].state = JOB_STARTING;
			begin_job(s, i);
		}
}

/* A system does not answer: the next one says so, and if that is no help, it is all over */
static void begin_unknown(struct several *s)
{
	if (count_begun(s))
		return;
	if (s->silent) {
		progress_clear(s->progress);
		message("LPM0247", "%zu partitions were not tried, as a system does not answer; they are where they were. Repeat it when it does.",
			count_state(s, JOB_WAITING));
		give_up(s);
	} else {
		s->silent = true;
		begin_next(s);
	}
}

static void begin_more(struct several *s)
{
	struct load loads[ENDS];
	uint64_t now = now_ns();
	size_t next;

	if (!count_state(s, JOB_WAITING) || time_is_over(s))
		return;
	if (s->order->operation != 'm') {
		begin_next(s);
		return;
	}
	if (!s->changed && now < s->sampled_ns + LOOK_MS * NSEC_PER_MSEC)
		return;
	/* Nobody watches what has begun */
	if (s->order->options.async)
		settle(s->console, s->source);
	s->changed = false;
	s->sampled_ns = now;
	if (!sample(s, loads)) {
		begin_unknown(s);
		return;
	}
	s->silent = false;
	for (size_t kind = 0; kind < JOB_OTHER; kind++)
		s->none[kind] = loads[END_SOURCE].none[kind] || loads[END_TARGET].none[kind];
	while (schedule_next(s->turns, s->count, loads, now, &next))
		begin_job(s, next);
}

static size_t add_feed(struct pollfd *fds, size_t used, const struct feed *feed)
{
	if (feed->fd < 0)
		return used;
	fds[used] = (struct pollfd) { .fd = feed->fd, .events = POLLIN };
	return used + 1;
}

static void listen_all(struct several *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct listener to = { .several = s, .index = i };
		struct worker *worker = s->jobs[i].worker;

		if (!worker)
			continue;
		/* The event that it moves comes before what is told from then on */
		feed_read(&worker->events, take_event, &to);
		feed_read(&worker->told, take_message, &to);
		feed_read(&worker->said, take_said, &to);
		if (worker_ended(worker))
			end_job(s, i);
	}
}

static void wait_for_workers(struct several *s)
{
	struct pollfd fds[SCHEDULE_WORKERS * FEEDS];
	size_t used = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct worker *worker = s->jobs[i].worker;

		if (!worker || used + FEEDS > ARRAY_SIZE(fds))
			continue;
		used = add_feed(fds, used, &worker->events);
		used = add_feed(fds, used, &worker->told);
		used = add_feed(fds, used, &worker->said);
	}
	poll(fds, used, DRAW_MS);
}

static void run(struct several *s)
{
	for (;;) {
		begin_more(s);
		if (!count_state(s, JOB_WAITING) && !count_begun(s))
			return;
		progress_draw(s->progress);
		wait_for_workers(s);
		listen_all(s);
	}
}

/* ---- Which ones ---- */

static enum job_kind kind_of(const struct order *order, const json_t *partition)
{
	static const char *const active[] = { "Running", "Finished", "Hibernated" };
	const char *state = text_of(partition, "state");

	if (order->operation != 'm')
		return JOB_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(active); i++)
		if (!strcmp(state, active[i]))
			return JOB_ACTIVE;
	return strcmp(state, "Not Activated") ? JOB_OTHER : JOB_INACTIVE;
}

static int make_job(struct several *s, size_t index, const json_t *partition)
{
	struct job *job = &s->jobs[index];
	const char *name = text_of(partition, "name");

	job->key.id = (uint32_t)number_of(partition, "lpar_id");
	if (*name)
		snprintf(job->name, sizeof(job->name), "%s", name);
	else
		snprintf(job->name, sizeof(job->name), "id %u", job->key.id);
	job->key.name = *name ? job->name : NULL;
	job->held = json_array();
	s->turns[index] = (struct turn) {
		.kind = kind_of(s->order, partition),
		.mover = { NO_MOVER, NO_MOVER },
	};
	return job->held ? 0 : -ENOMEM;
}

static int make_jobs(struct several *s, const json_t *partitions)
{
	const struct order *order = s->order;
	json_t *partition;
	size_t i;
	int ret = 0;

	s->jobs = calloc(json_array_size(partitions) + 1, sizeof(*s->jobs));
	s->turns = calloc(json_array_size(partitions) + 1, sizeof(*s->turns));
	if (!s->jobs || !s->turns)
		return -ENOMEM;
	s->count = json_array_size(partitions);
	json_array_foreach(partitions, i, partition)
		ret |= make_job(s, i, partition);
	if (!ret && order->operation == 'm' && !order->json && !order->quiet)
		ret = progress_open(s->count, order->options.verbose, &s->progress);
	for (i = 0; i < s->count && !ret; i++)
		tell_state(s, i);
	return ret ? -ENOMEM : 0;
}

static void release(struct several *s)
{
	progress_close(s->progress);
	for (size_t i = 0; i < s->count; i++)
		json_decref(s->jobs[i].held);
	free(s->jobs);
	free(s->turns);
}

/**
 * migrate_several() - validate several partitions, and with -o m migrate them
 * @console:	the console
 * @source:	where they are
 * @target:	where they are to be
 * @order:	which, and how
 *
 * Return: EXIT_DONE: it went well for all of them; EXIT_FAILED; the user has been told.
 */
int migrate_several(struct console *console, struct managed_system *source,
		    struct managed_system *target, const struct order *order)
{
	struct several s = {
		.console = console, .source = source, .target = target, .order = order,
		.began_ns = now_ns(), .changed = true,
	};
	int status = EXIT_FAILED;
	json_t *partitions;

	if (select_partitions(source, order, &partitions))
		return EXIT_FAILED;
	if (make_jobs(&s, partitions)) {
		message("LPM0244", "There is no memory for %zu partitions. Name fewer of them.",
			json_array_size(partitions));
	} else {
		run(&s);
		tell_summary(&s);
		status = count_state(&s, JOB_FAILED) ? EXIT_FAILED : EXIT_DONE;
	}
	release(&s);
	json_decref(partitions);
	return status;
}
