// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the user hears of several partitions in one command.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/messages.h"
#include "hmc/several.h"

static double seconds(uint64_t ns)
{
	return (double)ns / (double)NSEC_PER_SEC;
}

static uint64_t waited_ns(const struct several *s, const struct job *job)
{
	return job->begun_ns - s->began_ns;
}

static void print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text)
		printf("%s\n", text);
	free(text);
	json_decref(object);
}

/**
 * tell_event() - a worker tells how far it is
 * @s:		the command
 * @index:	of the partition
 * @event:	taken over
 */
void tell_event(struct several *s, size_t index, json_t *event)
{
	if (!strcmp(text_of(event, "event"), "status"))
		progress_set(s->progress, index, s->jobs[index].name, PROGRESS_ACTIVE, event);
	if (!s->order->json) {
		json_decref(event);
		return;
	}
	json_object_set_new(event, "partition", json_string(s->jobs[index].name));
	print_json(event);
}

/* What it prints on standard output */
void tell_said(struct several *s, size_t index, const char *line)
{
	const char *name = s->jobs[index].name;

	if (s->order->json) {
		print_json(json_pack("{s:s, s:s, s:s}", "event", "said", "partition", name,
				     "text", line));
		return;
	}
	progress_clear(s->progress);
	printf("%s: %s\n", name, line);
}

/**
 * tell_heading() - does validation tell warnings from here on?
 * @line:	perhaps one of its headings
 * @warnings:	it does already
 */
bool tell_heading(const char *line, bool warnings)
{
	if (!strcmp(line, "Warnings:"))
		return true;
	return strcmp(line, "Errors:") ? warnings : false;
}

/**
 * tell_code_length() - how long is the code that a line begins with?
 * @line:	of a worker's standard error
 *
 * Return: its length; 0: it is a heading or a detail.
 */
size_t tell_code_length(const char *line)
{
	size_t length = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	if (length < 7 || line[length] != ' ' ||
	    (strncmp(line, "LPM", 3) && strncmp(line, "HSC", 3)))
		return 0;
	return length;
}

/* A code that may be either is what the heading said */
static bool is_warning(const struct job *job, const char *line, size_t length)
{
	const struct message_kind *kind;
	char code[16];

	snprintf(code, sizeof(code), "%.*s", (int)length, line);
	kind = message_kind(code);
	if (kind && kind->severity != SEVERITY_EITHER)
		return kind->severity == SEVERITY_WARNING;
	return job->warnings;
}

static void tell_json(const struct several *s, const struct job *job, const char *line,
		      size_t length)
{
	if (s->order->json)
		print_json(json_pack("{s:s, s:s, s:s%, s:b, s:s}", "event", "message",
				     "partition", job->name, "code", line, length, "warning",
				     (int)is_warning(job, line, length), "text",
				     line + length + 1));
}

/* A message: the code stays in front, and the name follows it */
void tell_message(struct several *s, size_t index, const char *line)
{
	struct job *job = &s->jobs[index];
	size_t length = tell_code_length(line);
	bool warning;

	job->warnings = tell_heading(line, job->warnings);
	if (!length && *line != ' ')
		return;
	progress_clear(s->progress);
	if (!length) {
		fprintf(stderr, "    %s: %s\n", job->name, line + strspn(line, " "));
		return;
	}
	tell_json(s, job, line, length);
	warning = is_warning(job, line, length) && strncmp(line + length + 1, "Warning", 7);
	fprintf(stderr, "%.*s %s: %s%s\n", (int)length, line, job->name,
		warning ? "Warning: " : "", line + length + 1);
}

static const char *result_of(const struct several *s, size_t index)
{
	if (s->turns[index].state == JOB_FAILED)
		return "failed";
	if (s->order->operation == 'v')
		return "valid";
	return s->order->options.async && s->turns[index].kind == JOB_ACTIVE ? "moving" :
	       "migrated";
}

static json_t *state_event(const struct several *s, size_t index)
{
	const struct job *job = &s->jobs[index];
	json_int_t wait_ms = (json_int_t)(waited_ns(s, job) / NSEC_PER_MSEC);

	switch (s->turns[index].state) {
	case JOB_WAITING:
		return json_pack("{s:s, s:s}", "event", job->tries ? "again" : "waiting",
				 "partition", job->name);
	case JOB_STARTING:
	case JOB_MOVING:
		return json_pack("{s:s, s:s, s:I}", "event", "begun", "partition", job->name,
				 "wait_ms", wait_ms);
	default:
		return json_pack("{s:s, s:s, s:s, s:I, s:I}", "event", "ended",
				 "partition", job->name, "result", result_of(s, index),
				 "wait_ms", wait_ms, "duration_ms",
				 (json_int_t)((job->ended_ns - job->begun_ns) / NSEC_PER_MSEC));
	}
}

/**
 * tell_state() - a partition is somewhere else in the queue
 * @s:		the command
 * @index:	of the partition
 */
void tell_state(struct several *s, size_t index)
{
	static const enum progress_state shown[] = {
		[JOB_WAITING] = PROGRESS_WAITING,
		[JOB_STARTING] = PROGRESS_ACTIVE,
		[JOB_MOVING] = PROGRESS_ACTIVE,
		[JOB_DONE] = PROGRESS_DONE,
		[JOB_FAILED] = PROGRESS_FAILED,
	};

	progress_set(s->progress, index, s->jobs[index].name, shown[s->turns[index].state], NULL);
	if (s->order->json)
		print_json(state_event(s, index));
}

/* ---- The end ---- */

/* From the least to the most */
struct range {
	uint64_t least;
	uint64_t most;
};

static void add(struct range *range, uint64_t value)
{
	range->least = min(range->least, value);
	range->most = max(range->most, value);
}

/* Of those that had their turn and went well */
static size_t measure(const struct several *s, struct range *wait, struct range *duration)
{
	size_t done = 0;

	*wait = (struct range) { .least = UINT64_MAX };
	*duration = (struct range) { .least = UINT64_MAX };
	for (size_t i = 0; i < s->count; i++) {
		if (s->turns[i].state != JOB_DONE)
			continue;
		add(wait, waited_ns(s, &s->jobs[i]));
		add(duration, s->jobs[i].ended_ns - s->jobs[i].begun_ns);
		done++;
	}
	return done;
}

static json_t *range_json(const struct range *range)
{
	return json_pack("{s:I, s:I}", "least",
			 (json_int_t)(min(range->least, range->most) / NSEC_PER_MSEC),
			 "most", (json_int_t)(range->most / NSEC_PER_MSEC));
}

static json_t *failed_names(const struct several *s)
{
	json_t *names = json_array();

	for (size_t i = 0; i < s->count; i++)
		if (s->turns[i].state == JOB_FAILED)
			json_array_append_new(names, json_string(s->jobs[i].name));
	return names;
}

static void tell_failed(const struct several *s)
{
	char text[1024] = "";
	size_t used = 0, failed = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (s->turns[i].state != JOB_FAILED)
			continue;
		failed++;
		if (used < sizeof(text) - NAME_BYTES - 8)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
						 used ? ", " : "", s->jobs[i].name);
		else if (text[used - 1] != '.')
			used += (size_t)snprintf(text + used, sizeof(text) - used, ", ...");
	}
	if (failed)
		message("LPM0246", "%zu of %zu partitions %s: %s. The messages about each of them say why.",
			failed, s->count,
			s->order->operation == 'v' ? "cannot migrate" : "have not migrated", text);
}

/**
 * tell_summary() - what came of all of them
 * @s:		the command, at its end
 */
void tell_summary(struct several *s)
{
	struct range wait, duration;
	size_t done = measure(s, &wait, &duration);
	uint64_t total = now_ns() - s->began_ns;
	bool moves = s->order->operation == 'm';

	progress_draw(s->progress);
	progress_close(s->progress);
	s->progress = NULL;
	if (s->order->json)
		print_json(json_pack("{s:s, s:I, s:I, s:o, s:I, s:o, s:o}", "event", "summary",
				     "partitions", (json_int_t)s->count, "done",
				     (json_int_t)done, "failed", failed_names(s), "total_ms",
				     (json_int_t)(total / NSEC_PER_MSEC), "wait_ms",
				     range_json(&wait), "duration_ms", range_json(&duration)));
	else if (!s->count)
		printf("No partition of system %s is meant by --all.\n", s->source->name);
	else if (moves && !s->order->quiet && !done)
		printf("none of %zu partitions %s\n", s->count,
		       s->order->options.async ? "moves" : "has migrated");
	else if (moves && !s->order->quiet)
		printf("%zu of %zu partitions %s in %.1f s; each waited for %.1f to %.1f s and took %.1f to %.1f s\n",
		       done, s->count, s->order->options.async ? "move" : "migrated",
		       seconds(total), seconds(wait.least), seconds(wait.most),
		       seconds(duration.least), seconds(duration.most));
	tell_failed(s);
}
