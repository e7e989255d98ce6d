// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How far migrations are: bars that are drawn over each other on a terminal, a line now
 * and then elsewhere, if it is wanted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/progress.h"

#define LINE_S		2		/* between two lines of one partition */
#define DEFAULT_ROWS	24
#define DEFAULT_COLUMNS	80

/**
 * struct entry - one migration
 * @name:	of the partition
 * @status:	what its mover said last, or NULL
 * @told_ns:	when a line was written
 */
struct entry {
	char name[NAME_BYTES];
	json_t *status;
	uint64_t told_ns;
};

/**
 * struct progress - all of them
 * @terminal:	bars are drawn, on standard error
 * @lines:	lines are written, on standard output
 * @drawn:	lines that are on the screen now
 * @count:	how many
 * @states:	of each
 * @entries:	the rest of each
 */
struct progress {
	bool terminal;
	bool lines;
	size_t drawn;
	size_t count;
	enum progress_state *states;
	struct entry *entries;
};

/**
 * progress_open() - begin to show how far migrations are
 * @count:	how many
 * @lines:	write lines where there is no terminal
 * @progress:	set; the caller's
 *
 * Return: 0 or -ENOMEM.
 */
int progress_open(size_t count, bool lines, struct progress **progress)
{
	struct progress *p = calloc(1, sizeof(*p));

	*progress = p;
	if (!p)
		return -ENOMEM;
	p->terminal = isatty(STDERR_FILENO);
	p->lines = lines && !p->terminal;
	p->states = calloc(count + 1, sizeof(*p->states));
	p->entries = calloc(count + 1, sizeof(*p->entries));
	if (p->states && p->entries) {
		p->count = count;
		return 0;
	}
	progress_close(p);
	*progress = NULL;
	return -ENOMEM;
}

static void write_line(struct progress *p, size_t index)
{
	struct entry *entry = &p->entries[index];
	char line[PROGRESS_COLUMNS + 1];

	if (entry->told_ns && now_ns() < entry->told_ns + LINE_S * NSEC_PER_SEC)
		return;
	entry->told_ns = now_ns();
	progress_format(line, DEFAULT_COLUMNS, p->count > 1 ? entry->name : NULL,
			entry->status);
	printf("%s\n", line);
}

/**
 * progress_set() - tell how far one is
 * @progress:	all of them; NULL: nobody wants to know
 * @index:	which
 * @name:	of the partition
 * @state:	how far it is
 * @status:	what its mover says; NULL: what it said last
 */
void progress_set(struct progress *progress, size_t index, const char *name,
		  enum progress_state state, const json_t *status)
{
	struct entry *entry;

	if (!progress)
		return;
	entry = &progress->entries[index];
	progress->states[index] = state;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	if (!status)
		return;
	json_decref(entry->status);
	entry->status = json_incref((json_t *)status);
	if (progress->lines)
		write_line(progress, index);
}

static void get_size(size_t *rows, size_t *columns)
{
	struct winsize size = { };

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	*rows = size.ws_row ? size.ws_row : DEFAULT_ROWS;
	/* In the last column some terminals wrap at once */
	*columns = (size.ws_col ? size.ws_col : DEFAULT_COLUMNS) - 1;
	*columns = min(*columns, (size_t)PROGRESS_COLUMNS);
}

/* Every line is drawn over what was there, and what is left below is erased */
static void go_back(struct progress *p)
{
	fputc('\r', stderr);
	if (p->drawn > 1)
		fprintf(stderr, "\033[%zuA", p->drawn - 1);
	p->drawn = 0;
}

static void put_line(struct progress *p, const char *line)
{
	fprintf(stderr, "%s%s\033[K", p->drawn ? "\r\n" : "", line);
	p->drawn++;
}

static void draw_many(struct progress *p, size_t rows, size_t columns)
{
	size_t chosen[PROGRESS_COLUMNS];
	char line[PROGRESS_COLUMNS + 1];
	size_t room = min(rows > 2 ? rows - 2 : 0, ARRAY_SIZE(chosen));
	size_t shown = progress_choose(p->states, p->count, room, chosen);

	for (size_t i = 0; i < shown; i++) {
		struct entry *entry = &p->entries[chosen[i]];

		progress_format(line, columns, entry->name, entry->status);
		put_line(p, line);
	}
	progress_count(line, columns, p->states, p->count);
	put_line(p, line);
}

/**
 * progress_draw() - show how far they are now
 * @progress:	all of them; NULL: nobody wants to know
 */
void progress_draw(struct progress *progress)
{
	char line[PROGRESS_COLUMNS + 1];
	size_t rows, columns;

	if (!progress || !progress->terminal)
		return;
	get_size(&rows, &columns);
	go_back(progress);
	if (progress->count > 1) {
		draw_many(progress, rows, columns);
	} else {
		progress_format(line, columns, NULL, progress->entries[0].status);
		put_line(progress, line);
	}
	fputs("\033[J", stderr);
	fflush(stderr);
}

/**
 * progress_clear() - make room for a message
 * @progress:	all of them, or NULL; drawn again by progress_draw()
 */
void progress_clear(struct progress *progress)
{
	if (!progress || !progress->drawn)
		return;
	go_back(progress);
	fputs("\033[J", stderr);
	fflush(stderr);
}

/**
 * progress_close() - show no more; what was drawn last stays
 * @progress:	all of them, or NULL
 */
void progress_close(struct progress *progress)
{
	if (!progress)
		return;
	if (progress->drawn)
		fputc('\n', stderr);
	for (size_t i = 0; i < progress->count; i++)
		json_decref(progress->entries[i].status);
	free(progress->entries);
	free(progress->states);
	free(progress);
}
