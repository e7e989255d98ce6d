// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How far a migration is, as a line; and which of many are shown.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/progress.h"

#define LEAST_BAR	6
#define MOST_BAR	40
#define NAME_COLUMNS	16

/**
 * progress_left_s() - when will it have been copied, if all goes on like this?
 * @status:	of the source's mover
 *
 * Return: seconds; 0: it never ends so, or has ended.
 */
int64_t progress_left_s(const json_t *status)
{
	int64_t gain = number_of(status, "rate") - number_of(status, "dirty_rate");
	int64_t left = number_of(status, "bytes_remaining");

	if (gain <= 0 || left <= 0 || left > INT64_MAX - gain)
		return 0;
	return (left + gain - 1) / gain;
}

/**
 * progress_percent() - how much of what is to be sent has been sent
 * @status:	of the source's mover
 */
int progress_percent(const json_t *status)
{
	int64_t total = number_of(status, "bytes_total");
	int64_t left = number_of(status, "bytes_remaining");

	if (total <= 0 || left < 0 || left > total)
		return 0;
	return (int)((double)(total - left) * 100.0 / (double)total);
}

static void format_left(char *text, size_t size, int64_t seconds)
{
	*text = '\0';
	if (seconds > 0 && seconds < 600)
		snprintf(text, size, "~%" PRId64 " s", seconds);
	else if (seconds > 0 && seconds < 600000)
		snprintf(text, size, "~%" PRId64 " min", seconds / 60);
}

static double megabytes(const json_t *status, const char *name)
{
	int64_t bytes = number_of(status, name);

	return bytes > 0 ? (double)bytes / 1e6 : 0;
}

/* What a mover says may be anything */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

static void draw_bar(char *bar, size_t width, int percent)
{
	size_t done = (size_t)percent * width / 100;

	memset(bar, '#', done);
	memset(bar + done, ' ', width - done);
	bar[width] = '\0';
}

/**
 * progress_format() - how far a migration is, as a line
 * @line:	gets at most @width characters; has one more
 * @width:	of the terminal, at most PROGRESS_COLUMNS
 * @name:	of the partition; NULL: there is only one
 * @status:	of the source's mover
 */
void progress_format(char *line, size_t width, const char *name, const json_t *status)
{
	char tail[96], left[24], bar[MOST_BAR + 1], text[PROGRESS_COLUMNS * 2];
	size_t used, bar_width;

	format_left(left, sizeof(left), progress_left_s(status));
	snprintf(tail, sizeof(tail),
		 "%3d %% %-10.10s %5.0f MB/s dirty %4.0f pass %2" PRId64 " %-8.8s",
		 progress_percent(status), text_of(status, "phase"), megabytes(status, "rate"),
		 megabytes(status, "dirty_rate"), number_of(status, "pass"), left);
	used = strlen(tail) + 3 + (name ? NAME_COLUMNS + 1 : 0);
	bar_width = width > used + LEAST_BAR ? min(width - used, (size_t)MOST_BAR) : LEAST_BAR;
	draw_bar(bar, bar_width, progress_percent(status));
	if (name)
		snprintf(text, sizeof(text), "%-*.*s [%s] %s", NAME_COLUMNS, NAME_COLUMNS, name,
			 bar, tail);
	else
		snprintf(text, sizeof(text), "[%s] %s", bar, tail);
	make_printable(text);
	snprintf(line, width + 1, "%s", text);
}

/**
 * progress_choose() - which of many migrations are shown
 * @states:	of all
 * @count:	how many
 * @room:	lines for them
 * @chosen:	gets their places, at most @room
 *
 * Those at work, in their order; the others are only counted.
 *
 * Return: how many are shown.
 */
size_t progress_choose(const enum progress_state *states, size_t count, size_t room,
		       size_t *chosen)
{
	size_t found = 0;

	for (size_t i = 0; i < count && found < room; i++)
		if (states[i] == PROGRESS_ACTIVE)
			chosen[found++] = i;
	return found;
}

/**
 * progress_count() - how many there are of each state, as a line
 * @line:	gets at most @width characters; has one more
 * @width:	of the terminal
 * @states:	of all
 * @count:	how many
 */
void progress_count(char *line, size_t width, const enum progress_state *states,
		    size_t count)
{
	size_t counts[PROGRESS_STATES] = { 0 };

	for (size_t i = 0; i < count; i++)
		counts[states[i]]++;
	snprintf(line, width + 1, "%zu at work, %zu waiting, %zu done, %zu failed",
		 counts[PROGRESS_ACTIVE], counts[PROGRESS_WAITING], counts[PROGRESS_DONE],
		 counts[PROGRESS_FAILED]);
}
