// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lpmtop: the terminal.
 */
#include <inttypes.h>
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/lpmtop.h"

#define GRAPH_ROWS	6		/* at most */
#define TABLE_COLUMNS	44		/* of passes */
#define LEAST_DETAIL	9		/* rows; with less there is only the list */
#define LEAST_HEAT	10		/* columns */
#define HEAT_LEVELS	6

enum colour { COLOUR_PLAIN, COLOUR_GOOD, COLOUR_BAD, COLOUR_HEAT };

/* From nothing to the hottest */
static const char heat_marks[HEAT_LEVELS + 1] = " .:+*#";
static const short heat_colours[HEAT_LEVELS] = {
	COLOR_WHITE, COLOR_BLUE, COLOR_CYAN, COLOR_GREEN, COLOR_YELLOW, COLOR_RED,
};

/* ---- Open and close ---- */

/**
 * draw_open() - take the terminal
 *
 * Return: 0; -1: it is none that can be drawn on.
 */
int draw_open(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !newterm(NULL, stdout, stdin))
		return -1;
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	/* A lone escape is a key, too, and not waited for long */
	set_escdelay(50);
	curs_set(0);
	if (!has_colors())
		return 0;
	start_color();
	use_default_colors();
	init_pair(COLOUR_GOOD, COLOR_GREEN, -1);
	init_pair(COLOUR_BAD, COLOR_RED, -1);
	for (short i = 0; i < HEAT_LEVELS; i++)
		init_pair(COLOUR_HEAT + i, heat_colours[i], -1);
	return 0;
}

void draw_close(void)
{
	endwin();
}

/**
 * draw_key() - wait for a key
 * @wait_ms:	so long
 *
 * Return: the key as ncurses has it, or ERR.
 */
int draw_key(unsigned int wait_ms)
{
	timeout((int)wait_ms);
	return getch();
}

/* ---- Pieces ---- */

__attribute__((format(printf, 4, 5)))
static void put(int row, int column, int width, const char *fmt, ...)
{
	char text[TOP_COLUMNS];
	va_list ap;

	if (width <= 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	mvaddnstr(row, column, text, min(width, (int)sizeof(text) - 1));
}

/* Three digits, as far as that goes */
static const char *format_mb(int64_t bytes, char text[16])
{
	double mb = (double)bytes / 1e6;

	snprintf(text, 16, mb < 10 ? "%.2f" : mb < 100 ? "%.1f" : "%.0f", mb);
	return text;
}

static const char *format_eta(int64_t seconds, char text[16])
{
	if (seconds <= 0)
		snprintf(text, 16, "-");
	else if (seconds < 600)
		snprintf(text, 16, "%" PRId64 " s", seconds);
	else
		snprintf(text, 16, "%" PRId64 " min", min(seconds / 60, (int64_t)99999));
	return text;
}

/* The mover's phase says more, as long as there is one */
static const char *state_of(const struct top_move *move)
{
	if (move->gone)
		return "gone";
	return *move->phase ? move->phase : move->state;
}

/* ---- The list ---- */

static void draw_title(const struct top *top, int columns)
{
	int column = 8;

	attron(A_REVERSE);
	mvhline(0, 0, ' ', columns);
	put(0, 0, columns, "lpmtop");
	for (size_t i = 0; i < top->nsystems && column < columns - 24; i++) {
		const struct top_system *system = &top->systems[i];
		char text[64];

		snprintf(text, sizeof(text), "%s%s", system->name,
			 *system->why ? " does not answer" : "");
		if (*system->why)
			attron(COLOR_PAIR(COLOUR_BAD));
		put(0, column, columns - column, "%s", text);
		attroff(COLOR_PAIR(COLOUR_BAD));
		column += (int)strlen(text) + 2;
	}
	put(0, columns - 16, 16, "%4zu migrations", top->nmoves);
	attroff(A_REVERSE);
}

static void draw_move(const struct top_move *move, int row, int columns)
{
	char way[2 * NAME_BYTES + 8], rate[16], dirty[16], eta[16];

	snprintf(way, sizeof(way), "%s > %s", move->source, move->target);
	mvhline(row, 0, ' ', columns);
	put(row, 0, columns, "%-16.16s %-15.15s %-10.10s %3d%% %6s %6s %4" PRId64 " %9s",
	    move->partition, way, state_of(move), move->percent,
	    format_mb(move->rate, rate), format_mb(move->dirty_rate, dirty), move->pass,
	    format_eta(move->left_s, eta));
	if (columns > 100)
		put(row, 80, columns - 80, "%s > %s", *move->source_msp ? move->source_msp : "-",
		    *move->target_msp ? move->target_msp : "-");
}

static size_t place_of(const struct top *top, const char *id)
{
	for (size_t i = 0; i < top->nmoves; i++)
		if (!strcmp(top->moves[i]->id, id))
			return i;
	return 0;
}

static void draw_list(const struct top *top, struct view *view, int rows, int columns)
{
	size_t selected = place_of(top, view->selected);

	attron(A_BOLD);
	put(1, 0, columns, "%-16s %-15s %-10s %4s %6s %6s %4s %9s", "PARTITION", "FROM > TO",
	    "STATE", "", "MB/s", "DIRTY", "PASS", "TIME LEFT");
	if (columns > 100)
		put(1, 80, columns - 80, "MOVERS");
	attroff(A_BOLD);
	if (selected < view->first)
		view->first = selected;
	if (selected >= view->first + (size_t)rows)
		view->first = selected - (size_t)rows + 1;
	for (int i = 0; i < rows && view->first + (size_t)i < top->nmoves; i++) {
		size_t place = view->first + (size_t)i;

		if (place == selected)
			attron(A_REVERSE);
		draw_move(top->moves[place], i + 2, columns);
		attroff(A_REVERSE);
	}
	if (!top->nmoves)
		put(3, 0, columns, "No partition migrates.");
}

/* ---- The one that is selected ---- */

static void draw_graph(const struct top_move *move, bool dirty, int row, int column, int rows,
		       int columns)
{
	unsigned int heights[TOP_COLUMNS];
	char now[16], most[16];
	int64_t scale;

	if (columns < 8 || rows < 2)
		return;
	columns = min(columns, TOP_COLUMNS);
	scale = top_graph(&move->samples, dirty, (size_t)columns, (unsigned int)rows - 1, heights);
	put(row, column, columns, "%s %s MB/s, scale %s MB/s", dirty ? "written" : "sent",
	    format_mb(dirty ? move->dirty_rate : move->rate, now), format_mb(scale, most));
	attron(COLOR_PAIR(dirty ? COLOUR_BAD : COLOUR_GOOD));
	for (int y = 1; y < rows; y++)
		for (int x = 0; x < columns; x++)
			mvaddch(row + y, column + x,
				heights[x] >= (unsigned int)(rows - y) ? '#' : ' ');
	attroff(COLOR_PAIR(dirty ? COLOUR_BAD : COLOUR_GOOD));
}

static void draw_passes(const struct top_move *move, int row, int rows)
{
	size_t shown = min(move->npasses, (size_t)max(rows - 1, 0));

	attron(A_BOLD);
	put(row, 0, TABLE_COLUMNS, "PASS  SECONDS  MB SENT  MB LEFT  WRITTEN");
	attroff(A_BOLD);
	for (size_t i = 0; i < shown; i++) {
		const struct top_pass *pass = &move->passes[move->npasses - shown + i];
		char sent[16], left[16], dirty[16];

		put(row + 1 + (int)i, 0, TABLE_COLUMNS, "%4" PRId64 "  %7.1f  %7s  %7s  %7s",
		    pass->number,
		    (double)(pass->ended_ns - pass->began_ns) / (double)NSEC_PER_SEC,
		    format_mb(pass->sent, sent), format_mb(pass->left, left),
		    format_mb(pass->dirty_rate, dirty));
	}
}

static void draw_heat(const struct top_heat *heat, const char *id, int row, int column,
		      int rows, int columns)
{
	uint32_t cells[TOP_CELLS];
	size_t count;

	if (columns < LEAST_HEAT || rows < 2)
		return;
	attron(A_BOLD);
	put(row, column, columns, "WHERE IT WRITES");
	attroff(A_BOLD);
	if (strcmp(heat->id, id) || *heat->why) {
		put(row + 1, column, columns, "not known%s%s",
		    strcmp(heat->id, id) ? " yet" : ": ", strcmp(heat->id, id) ? "" : heat->why);
		return;
	}
	count = top_shrink(heat->cell, heat->cells, cells,
			   min((size_t)(columns * (rows - 1)), (size_t)TOP_CELLS));
	for (size_t i = 0; i < count; i++) {
		unsigned int level = top_heat_level(cells[i], heat->most, HEAT_LEVELS);

		mvaddch(row + 1 + (int)i / columns, column + (int)i % columns,
			(chtype)heat_marks[level] | COLOR_PAIR(COLOUR_HEAT + level));
	}
}

static void draw_detail(const struct top *top, const struct view *view, int row, int rows,
			int columns)
{
	const struct top_move *move = top_find(top, view->selected);
	int graph = min(GRAPH_ROWS, (rows - 1) / 2), half = columns / 2;
	char limit[16];

	if (!move || rows < LEAST_DETAIL - 1)
		return;
	mvhline(row, 0, '-', columns);
	put(row, 2, columns - 4, " %s: %s > %s, movers %s > %s%s%s%s, stream %s ",
	    move->partition, move->source, move->target,
	    *move->source_msp ? move->source_msp : "-",
	    *move->target_msp ? move->target_msp : "-",
	    move->limit ? ", limit " : "", move->limit ? format_mb(move->limit, limit) : "",
	    move->limit ? " MB/s" : "", move->id);
	draw_graph(move, false, row + 1, 0, graph, half - 1);
	draw_graph(move, true, row + 1, half, graph, columns - half);
	draw_passes(move, row + 1 + graph, rows - 1 - graph);
	draw_heat(&top->heat, move->id, row + 1 + graph, TABLE_COLUMNS + 2, rows - 1 - graph,
		  columns - TABLE_COLUMNS - 2);
}

static void draw_help(int row, int rows, int columns)
{
	static const char *const lines[] = {
		"up, down, k, j   select a migration",
		"s                stop it, as migrlpar -o s does; asked for once more",
		"l                change its bandwidth limit: bytes a second, with K, M or G;",
		"                 0 = none",
		"h, ?             this help; any key ends it",
		"q                quit; migrations go on",
		"",
		"MB/s is what is sent, DIRTY what the partition writes.  The map shows its",
		"memory, from the first byte to the last: # where it writes most.",
	};

	mvhline(row, 0, '-', columns);
	for (int i = 0; i < (int)ARRAY_SIZE(lines) && i < rows - 1; i++)
		put(row + 1 + i, 0, columns, "%s", lines[i]);
}

/* ---- All of it ---- */

static void draw_foot(const struct top *top, const struct view *view, int row, int columns)
{
	const struct top_move *move = top_find(top, view->selected);
	const char *name = move ? move->partition : "";

	mvhline(row, 0, ' ', columns);
	if (view->mode == VIEW_CONFIRM)
		put(row, 0, columns, "Stop the migration of %s? (y/n)", name);
	else if (view->mode == VIEW_LIMIT)
		put(row, 0, columns, "Bandwidth limit of %s in bytes a second (K, M, G; 0 = none): %s_",
		    name, view->input);
	else if (*view->said)
		put(row, 0, columns, "%s", view->said);
	else
		put(row, 0, columns, "up/down select  s stop  l limit  h help  q quit");
}

/**
 * draw_all() - show what is known
 * @top:	this
 * @view:	what the user looks at; gets which migration is shown first
 */
void draw_all(const struct top *top, struct view *view)
{
	int rows, columns, list, detail;

	getmaxyx(stdscr, rows, columns);
	erase();
	columns = min(columns, TOP_COLUMNS - 1);
	if (rows < 4 || columns < 20) {
		put(0, 0, columns, "too small");
		refresh();
		return;
	}
	/* Title, heads and foot */
	list = rows - 3;
	if (list - LEAST_DETAIL >= 2)
		list = max(min((int)top->nmoves, (rows - 3) / 3), 2);
	detail = rows - 3 - list;
	draw_title(top, columns);
	draw_list(top, view, list, columns);
	if (view->mode == VIEW_HELP)
		draw_help(2 + list, detail, columns);
	else
		draw_detail(top, view, 2 + list, detail, columns);
	draw_foot(top, view, rows - 1, columns);
	refresh();
}
