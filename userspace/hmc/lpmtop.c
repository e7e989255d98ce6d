// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lpmtop: all migrations of a console's systems on a terminal, or once for a script.
 */
#include <errno.h>
#include <getopt.h>
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/notice.h"
#include "common/show.h"
#include "common/util.h"
#include "hmc/lpmtop.h"
#include "hmc/session.h"

#define INTERVAL_MS	500
#define KEY_MS		100

/**
 * struct lpmtop - the program
 * @only:	name of the only system to look at, or NULL
 * @file:	--console
 * @interval_ms: between two looks
 * @once:	look once, and print
 * @json:	as JSON
 * @console:	for what keys do
 * @watched:	the same, for who listens
 * @fetcher:	who listens
 * @view:	what the user looks at
 * @order:	what a key does
 * @worker:	who does it, or none
 */
struct lpmtop {
	const char *only;
	const char *file;
	unsigned int interval_ms;
	bool once;
	bool json;
	struct console console;
	struct console watched;
	struct fetcher *fetcher;
	struct view view;
	struct order order;
	struct worker worker;
};

/* ---- What keys do ---- */

__attribute__((format(printf, 2, 3)))
static void say(struct lpmtop *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->view.said, sizeof(t->view.said), fmt, ap);
	va_end(ap);
}

/* One that does what migrlpar does; what it says is shown when it has ended */
static void begin(struct lpmtop *t, const struct top_move *move, char operation)
{
	struct work work = {
		.console = &t->console, .key.name = move->partition, .order = &t->order,
		.source = console_find(&t->console, move->source),
	};

	if (t->worker.pid) {
		say(t, "One after the other: the last key is not done yet.");
		return;
	}
	if (!work.source) {
		say(t, "System %s is not in the console file.", move->source);
		return;
	}
	t->order.operation = operation;
	if (worker_start(&t->worker, &work)) {
		say(t, "There is no process for it.");
		return;
	}
	session_note("%s system=%s partition=%s", operation == 's' ? "stop" : "limit",
		     move->source, move->partition);
	say(t, "%s ...", operation == 's' ? "stopping" : "changing the limit");
}

static void take_said(void *data, char *line)
{
	struct lpmtop *t = data;

	/* The first line says why */
	if (!strncmp(t->view.said, "stopping", 8) || !strncmp(t->view.said, "changing", 8))
		say(t, "%s", line);
}

static void take_nothing(void *data, char *line)
{
	(void)data;
	(void)line;
}

static void follow(struct lpmtop *t)
{
	if (!t->worker.pid)
		return;
	feed_read(&t->worker.told, take_said, t);
	feed_read(&t->worker.said, take_nothing, t);
	feed_read(&t->worker.events, take_nothing, t);
	if (!worker_ended(&t->worker))
		return;
	if (worker_status(&t->worker) == EXIT_DONE)
		say(t, "%s", t->order.operation == 's' ? "stopped" : "the limit is changed");
}

static void set_limit(struct lpmtop *t, const struct top_move *move)
{
	int64_t bytes;

	t->view.mode = VIEW_LIST;
	if (parse_bytes(t->view.input, &bytes)) {
		say(t, "\"%s\" is no number of bytes a second, with K, M or G.", t->view.input);
		return;
	}
	json_decref(t->order.options.data);
	t->order.options.data = json_pack("{s:s}", "limit", t->view.input);
	begin(t, move, 'e');
}

static void key_in_limit(struct lpmtop *t, const struct top_move *move, int key)
{
	size_t length = strlen(t->view.input);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		set_limit(t, move);
	} else if (key == 27) {
		t->view.mode = VIEW_LIST;
	} else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
		if (length)
			t->view.input[length - 1] = '\0';
	} else if (key > 0 && key < 128 && strchr("0123456789KMG", key) &&
		   length + 1 < sizeof(t->view.input)) {
		t->view.input[length] = (char)key;
		t->view.input[length + 1] = '\0';
	}
}

/* Both change something, which a viewer must not */
static void ask(struct lpmtop *t, const struct top_move *move, enum view_mode mode)
{
	if (!move || move->gone) {
		say(t, "There is no migration to do that with.");
	} else if (!session_may_change()) {
		say(t, "User %s may only look; a user with the task role hmcoperator may do that.",
		    session_user());
	} else {
		t->view.mode = mode;
		t->view.input[0] = '\0';
	}
}

static void select_by(struct lpmtop *t, const struct top *top, int step)
{
	int place = 0;

	for (size_t i = 0; i < top->nmoves; i++)
		if (!strcmp(top->moves[i]->id, t->view.selected))
			place = (int)i;
	place = max(min(place + step, (int)top->nmoves - 1), 0);
	if (top->nmoves)
		memcpy(t->view.selected, top->moves[place]->id, sizeof(t->view.selected));
}

/* It is forgotten; what was asked of it is not to be answered for another one */
static void select_another(struct lpmtop *t, const struct top *top)
{
	if (t->view.mode != VIEW_HELP)
		t->view.mode = VIEW_LIST;
	select_by(t, top, 0);
}

static bool key_in_list(struct lpmtop *t, const struct top *top, const struct top_move *move,
			int key)
{
	t->view.said[0] = '\0';
	switch (key) {
	case 'q':
		return false;
	case KEY_UP:
	case 'k':
		select_by(t, top, -1);
		break;
	case KEY_DOWN:
	case 'j':
		select_by(t, top, 1);
		break;
	case 's':
		ask(t, move, VIEW_CONFIRM);
		break;
	case 'l':
		ask(t, move, VIEW_LIMIT);
		break;
	case 'h':
	case '?':
		t->view.mode = VIEW_HELP;
		break;
	default:
		break;
	}
	return true;
}

/* false: that was the last one */
static bool take_key(struct lpmtop *t, const struct top *top, int key)
{
	const struct top_move *move = top_find(top, t->view.selected);

	if (key == KEY_RESIZE)
		return true;
	switch (t->view.mode) {
	case VIEW_LIST:
		return key_in_list(t, top, move, key);
	case VIEW_CONFIRM:
		t->view.mode = VIEW_LIST;
		if (key == 'y' && move)
			begin(t, move, 's');
		return true;
	case VIEW_LIMIT:
		if (move)
			key_in_limit(t, move, key);
		else
			t->view.mode = VIEW_LIST;
		return true;
	default:
		t->view.mode = VIEW_LIST;
		return true;
	}
}

/* ---- Views ---- */

static int view(struct lpmtop *t)
{
	bool more = true;
	struct top *top;
	int key = ERR;

	if (fetcher_start(&t->watched, t->only, t->interval_ms, &t->fetcher)) {
		message("LPM0250", "There is no memory or thread to listen to systems with.");
		return EXIT_FAILED;
	}
	if (draw_open()) {
		message("LPM0251",
			"lpmtop draws on a terminal, and this is none that it knows (TERM). Use one, or --once or --json.");
		return EXIT_FAILED;
	}
	while (more) {
		top = fetcher_lock(t->fetcher);
		if (key != ERR)
			more = take_key(t, top, key);
		if (!top_find(top, t->view.selected))
			select_another(t, top);
		fetcher_select(t->fetcher, t->view.selected);
		draw_all(top, &t->view);
		fetcher_unlock(t->fetcher);
		key = draw_key(KEY_MS);
		follow(t);
	}
	draw_close();
	return EXIT_DONE;
}

static void print_text(const struct top *top)
{
	for (size_t i = 0; i < top->nsystems; i++)
		if (*top->systems[i].why)
			printf("system %s does not answer: %s\n", top->systems[i].name,
			       top->systems[i].why);
	for (size_t i = 0; i < top->nmoves; i++) {
		const struct top_move *move = top->moves[i];

		printf("%s: %s > %s, %s, %d %%, %.1f MB/s, written %.1f MB/s, pass %lld, movers %s > %s\n",
		       move->partition, move->source, move->target,
		       *move->phase ? move->phase : move->state, move->percent,
		       (double)move->rate / 1e6, (double)move->dirty_rate / 1e6,
		       (long long)move->pass, *move->source_msp ? move->source_msp : "-",
		       *move->target_msp ? move->target_msp : "-");
	}
	if (!top->nmoves)
		puts("No partition migrates.");
}

static int print_once(struct lpmtop *t)
{
	struct top *top = calloc(1, sizeof(*top));
	int status = EXIT_DONE;
	json_t *json;

	if (!top)
		return EXIT_FAILED;
	fetcher_once(&t->watched, t->only, top);
	json = t->json ? top_json(top) : NULL;
	if (json)
		show_json(json);
	else
		print_text(top);
	for (size_t i = 0; i < top->nsystems; i++)
		if (*top->systems[i].why)
			status = EXIT_FAILED;
	json_decref(json);
	top_release(top);
	free(top);
	return status;
}

/* ---- The command line ---- */

static const struct command lpmtop = {
	.name = "lpmtop",
	.usage =
"Usage: lpmtop [-m SYSTEM] [OPTION]...\n"
"Show all migrations of a console's systems on a terminal.\n"
"  -m SYSTEM         only those from this system\n"
"  --interval MS     between two looks, 100 to 60000 (500)\n"
"  --once            look once, print it, and end\n"
"  --json            likewise, as JSON\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Keys: up and down select, s stops a migration, l changes its bandwidth limit,\n"
"h helps, q ends.\n"
"Exit status: 0, 1 a system does not answer or there is no terminal, 2 wrong usage\n"
"or console file.\n",
};

enum { INTERVAL = 256, ONCE, JSON, FILE_NAME };

static int parse_option(struct lpmtop *t, int option, char **argv)
{
	unsigned long number;

	switch (option) {
	case 'm':
		t->only = optarg;
		break;
	case INTERVAL:
		if (order_number(&lpmtop, "--interval", optarg, 100, 60000, &number))
			return EXIT_USAGE;
		t->interval_ms = (unsigned int)number;
		break;
	case ONCE:
		t->once = true;
		break;
	case JSON:
		t->once = true;
		t->json = true;
		break;
	case FILE_NAME:
		t->file = optarg;
		break;
	default:
		return unknown_option(&lpmtop, argv);
	}
	return EXIT_DONE;
}

static int parse(struct lpmtop *t, int argc, char **argv)
{
	static const struct option options[] = {
		{ "interval", required_argument, NULL, INTERVAL },
		{ "once", no_argument, NULL, ONCE },
		{ "json", no_argument, NULL, JSON },
		{ "console", required_argument, NULL, FILE_NAME },
		{ }
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+m:", options, NULL)) != -1)
		if (parse_option(t, option, argv))
			return EXIT_USAGE;
	if (optind < argc)
		return unexpected_argument(&lpmtop, argv[optind]);
	return EXIT_DONE;
}

static int run(struct lpmtop *t)
{
	if (console_open(t->file, &t->console) || console_open(t->file, &t->watched))
		return EXIT_USAGE;
	if (t->only && !console_find(&t->watched, t->only)) {
		message("LPM0004",
			"-m names the system \"%.64s\", which the console file does not have. List those it has with lssyscfg -r sys -F name.",
			t->only);
		return EXIT_FAILED;
	}
	/* By whatever it was called, it has one name */
	if (t->only)
		t->only = console_find(&t->watched, t->only)->name;
	return t->once ? print_once(t) : view(t);
}

static bool wants(int argc, char **argv, const char *option)
{
	return argc > 1 && !strcmp(argv[1], option);
}

int main(int argc, char **argv)
{
	static struct lpmtop t = {
		.interval_ms = INTERVAL_MS, .console.fd = -1, .watched.fd = -1,
		.worker = { .said.fd = -1, .told.fd = -1, .events.fd = -1 },
		.order.level = LEVEL_LPAR,
	};
	int status;

	if (wants(argc, argv, "--help")) {
		fputs(lpmtop.usage, stdout);
		return EXIT_DONE;
	}
	if (wants(argc, argv, "--version")) {
		printf("lpmtop %s\n", VASI_VERSION);
		return EXIT_DONE;
	}
	session_begin(lpmtop.name, argc, argv);
	status = parse(&t, argc, argv);
	if (!status)
		status = run(&t);
	status = session_end(status);
	if ((fflush(stdout) || ferror(stdout)) && !status) {
		message("LPM0003", "The output could not be written.");
		status = EXIT_FAILED;
	}
	/* Those who listen may be in a call: they end with the process */
	if (t.fetcher)
		_exit(status);
	console_close(&t.console);
	console_close(&t.watched);
	return status;
}
