// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mspctl: the command of a mover's control socket.
 * See Documentation/management.rst.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "common/bytes.h"
#include "common/notice.h"
#include "common/rpc.h"
#include "common/show.h"
#include "common/util.h"

#define EXIT_USAGE	2
#define PREFIX		"mspctl: "
#define DEFAULT_SOCKET	"/run/mspd.sock"
#define NO_TIMEOUT	(-1)
#define MAX_CERTIFICATE	16384
/* How often the progress bar is drawn */
#define BAR_MS		100
#define BAR_WIDTH	30

static const char usage_text[] =
"Usage: mspctl [-S SOCKET] [--json] COMMAND ...\n"
"Direct a mover (mspd).\n"
"\n"
"  info                      the mover and its devices\n"
"  identity                  its identity, to be told to other movers\n"
"  check FILE                would the owner of a certificate be trusted?\n"
"  start ID target --peer-id IDENTITY [OPTION]\n"
"                            receive stream ID from the mover of that identity;\n"
"                            prints where it listens\n"
"  start ID source --peer-id IDENTITY --peer HOST:PORT [OPTION]\n"
"                            send stream ID there\n"
"  list                      moves: running ones, and the last that ended\n"
"  status ID                 one of them\n"
"  wait ID [--phase PHASE] [--timeout SEC] [--progress]\n"
"                            until it has ended, or is in a phase\n"
"  limit ID BYTES            bandwidth in bytes a second (K, M, G: powers of\n"
"                            1000); 0 = none\n"
"  suspend ID                suspend the partition now\n"
"  stop ID                   abort; refused once the partition is suspended\n"
"\n"
"Options of start:\n"
"      --listen ADDRESS      target: where to listen\n"
"      --device PATH         VASI device (default: the one with the fewest moves)\n"
"      --sessions N, --connections N\n"
"      --limit BYTES         source: bandwidth in bytes a second\n"
"      --downtime MS         source: how long the partition may be stopped (300)\n"
"      --passes N            source: suspend after so many passes (10)\n"
"      --suspend-after SEC   source: suspend after so many seconds (120)\n"
"      --manual              source: suspend only when told to\n"
"\n"
"  -S, --socket SOCKET       control socket (default: $MSPD_SOCKET, or\n"
"                            " DEFAULT_SOCKET ")\n"
"  -j, --json                print the answer as JSON\n"
"  -h, --help, --version\n"
"Exit status: 0, 1 the call failed or (wait) the move did not complete, 2 wrong\n"
"usage.\n";

/**
 * struct invocation - what was asked for
 * @socket:	of the mover
 * @json:	print JSON
 * @progress:	wait: draw a bar
 * @params:	of the call
 * @argc:	words that are no options: the command, and its arguments
 * @argv:	these
 */
struct invocation {
	const char *socket;
	bool json;
	bool progress;
	json_t *params;
	int argc;
	char **argv;
};

__attribute__((format(printf, 1, 2)))
static int usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vnotice(PREFIX, fmt, ap);
	va_end(ap);
	fputs("Try 'mspctl --help'.\n", stderr);
	return EXIT_USAGE;
}

static int call(const struct invocation *inv, const char *method, json_t *params,
		json_t **result)
{
	struct rpc_error err = { 0 };

	*result = NULL;
	if (!rpc_client_call(inv->socket, method, params, NO_TIMEOUT, result, &err)) {
		show_clean(*result);
		return EXIT_SUCCESS;
	}
	if (err.code)
		notice(PREFIX, "%s: %s (error %d)", method, err.text, err.code);
	else
		notice(PREFIX, "%s", err.text);
	return EXIT_FAILURE;
}

/* ---- printing ---- */

static double mb(const json_t *object, const char *name)
{
	return (double)show_number(object, name) / 1e6;
}

static void print_moves(const json_t *result)
{
	const json_t *m;
	size_t i;

	printf("%-16s %-6s %-10s %-10s %12s %12s %9s %9s %4s %-7s %s\n", "STREAM", "ROLE",
	       "PHASE", "STATE", "MOVED MB", "LEFT MB", "MB/s", "DIRTY", "PASS",
	       "LIMITED", "ERROR");
	json_array_foreach(json_object_get(result, "moves"), i, m)
		printf("%-16s %-6s %-10s %-10s %12.1f %12.1f %9.1f %9.1f %4lld %-7s %s\n",
		       show_text(m, "stream_id"), show_text(m, "role"), show_text(m, "phase"),
		       show_text(m, "state"), mb(m, "bytes_transmitted"),
		       mb(m, "bytes_remaining"), mb(m, "rate"), mb(m, "dirty_rate"),
		       show_number(m, "pass"), show_text(m, "limited_by"),
		       show_text(m, "error"));
}

static void print_start(const json_t *result)
{
	if (json_object_get(result, "port"))
		printf("%s:%lld\n", show_text(result, "address"),
		       show_number(result, "port"));
}

static void print_nothing(const json_t *result)
{
	(void)result;
}

/* ---- wait ---- */

static void draw_bar(const json_t *st)
{
	double total = mb(st, "bytes_total");
	double left = mb(st, "bytes_remaining");
	double share = total > 0 ? 1 - min(left / total, 1.0) : 1;
	int filled = (int)(share * BAR_WIDTH);
	char bar[BAR_WIDTH + 1];

	memset(bar, '#', (size_t)filled);
	memset(bar + filled, '.', (size_t)(BAR_WIDTH - filled));
	bar[BAR_WIDTH] = '\0';
	printf("\r[%s] %3.0f%% %-10s pass %lld  %.0f MB moved  %.0f MB left  %.0f MB/s  dirty %.0f MB/s\033[K",
	       bar, share * 100, show_text(st, "phase"), show_number(st, "pass"),
	       mb(st, "bytes_transmitted"), left, mb(st, "rate"),
	       mb(st, "dirty_rate"));
	fflush(stdout);
}

static bool has_ended(const json_t *st)
{
	static const char *const ends[] = { "completed", "aborted", "parked", "failed" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (!strcmp(show_text(st, "phase"), ends[i]))
			return true;
	}
	return false;
}

/* Draws while the move goes on; who waits is asked for the result afterwards */
static int show_progress(const struct invocation *inv)
{
	const struct timespec pause = { .tv_nsec = BAR_MS * NSEC_PER_MSEC };
	const char *phase = show_text(inv->params, "phase");
	json_t *params;
	json_t *st;
	bool end;
	int ret;

	do {
		params = json_pack("{s:O}", "stream_id",
				   json_object_get(inv->params, "stream_id"));
		ret = call(inv, "status", params, &st);
		if (ret)
			break;
		draw_bar(st);
		end = has_ended(st) || !strcmp(show_text(st, "phase"), phase);
		json_decref(st);
		if (!end)
			nanosleep(&pause, NULL);
	} while (!end);
	putchar('\n');
	return ret;
}

static int run_wait(const struct invocation *inv)
{
	const char *phase = show_text(inv->params, "phase");
	bool ended = !*phase || !strcmp(phase, "ended");
	json_t *st;
	int ret;

	if (inv->progress && isatty(STDOUT_FILENO)) {
		ret = show_progress(inv);
		if (ret)
			return ret;
	}
	ret = call(inv, "wait", json_incref(inv->params), &st);
	if (ret)
		return ret;
	if (inv->json)
		show_json(st);
	else
		show_object(st);
	if (has_ended(st) && strcmp(show_text(st, "phase"), ended ? "completed" : phase)) {
		notice(PREFIX, "the move is %s: %s", show_text(st, "phase"),
		       show_text(st, "error"));
		ret = EXIT_FAILURE;
	}
	json_decref(st);
	return ret;
}

/* ---- commands ---- */

static void print_identity(const json_t *result)
{
	puts(show_text(result, "identity"));
}

static int run_identity(const struct invocation *inv)
{
	json_t *result;
	int ret;

	ret = call(inv, "info", NULL, &result);
	if (!ret && inv->json)
		show_json(json_object_get(result, "identity"));
	else if (!ret)
		print_identity(result);
	json_decref(result);
	return ret;
}

static int read_certificate(const char *path, char text[MAX_CERTIFICATE + 1])
{
	FILE *file = fopen(path, "re");
	size_t bytes;

	if (!file) {
		notice(PREFIX, "check: %.256s: %s", path, strerror(errno));
		return -EINVAL;
	}
	bytes = fread(text, 1, MAX_CERTIFICATE + 1, file);
	fclose(file);
	if (bytes > MAX_CERTIFICATE || memchr(text, '\0', bytes)) {
		notice(PREFIX, "check: %.256s: not a certificate in PEM form of at most %d bytes",
		       path, MAX_CERTIFICATE);
		return -EINVAL;
	}
	text[bytes] = '\0';
	return 0;
}

static int run_check(const struct invocation *inv)
{
	char text[MAX_CERTIFICATE + 1];
	json_t *result;
	int ret;

	if (read_certificate(inv->argv[1], text))
		return EXIT_FAILURE;
	ret = call(inv, "check_peer", json_pack("{s:s}", "certificate", text), &result);
	if (!ret && inv->json)
		show_json(result);
	else if (!ret)
		print_identity(result);
	json_decref(result);
	return ret;
}

static int run_start(const struct invocation *inv)
{
	const char *role = inv->argc > 2 ? inv->argv[2] : "";
	json_t *result;
	int ret;

	if (strcmp(role, "source") && strcmp(role, "target"))
		return usage("start: source or target expected, not \"%.64s\"", role);
	if (!strcmp(role, "source") && !json_object_get(inv->params, "peer"))
		return usage("start: --peer is missing");
	if (!json_object_get(inv->params, "peer_identity"))
		return usage("start: --peer-id is missing");
	json_object_set_new(inv->params, "role", json_string(role));
	ret = call(inv, "start", json_incref(inv->params), &result);
	if (!ret && inv->json)
		show_json(result);
	else if (!ret)
		print_start(result);
	json_decref(result);
	return ret;
}

static int run_limit(const struct invocation *inv)
{
	json_t *result;
	int64_t bytes;
	int ret;

	if (parse_bytes(inv->argv[2], &bytes))
		return usage("limit: \"%.64s\" is no number of bytes a second, with K, M or G for powers of 1000",
			     inv->argv[2]);
	json_object_set_new(inv->params, "bytes_per_second", json_integer(bytes));
	ret = call(inv, "limit", json_incref(inv->params), &result);
	json_decref(result);
	return ret;
}

struct command {
	const char *name;
	int words;			/* after the command; the first one is the stream */
	void (*print)(const json_t *result);
	int (*run)(const struct invocation *inv);
};

static const struct command commands[] = {
	{ "info", 0, show_object, NULL },
	{ "identity", 0, NULL, run_identity },
	{ "check", 1, NULL, run_check },
	{ "start", 2, NULL, run_start },
	{ "list", 0, print_moves, NULL },
	{ "status", 1, show_object, NULL },
	{ "wait", 1, NULL, run_wait },
	{ "limit", 2, NULL, run_limit },
	{ "suspend", 1, print_nothing, NULL },
	{ "stop", 1, print_nothing, NULL },
};

static int run_command(const struct command *command, const struct invocation *inv)
{
	json_t *result;
	int ret;

	if (command->run)
		return command->run(inv);
	ret = call(inv, command->name, json_incref(inv->params), &result);
	if (!ret && inv->json)
		show_json(result);
	else if (!ret)
		command->print(result);
	json_decref(result);
	return ret;
}

static int find_and_run(const struct invocation *inv)
{
	const struct command *command = NULL;

	if (!inv->argc)
		return usage("no command");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, inv->argv[0]))
			command = &commands[i];
	}
	if (!command)
		return usage("unknown command \"%.64s\"", inv->argv[0]);
	if (inv->argc - 1 != command->words)
		return usage("%s: %d arguments expected, not %d", command->name,
			     command->words, inv->argc - 1);
	if (command->words)
		json_object_set_new(inv->params, "stream_id",
				    json_string(inv->argv[1]));
	return run_command(command, inv);
}

/* ---- options ---- */

enum option_kind {
	OPT_TEXT = 256,
	OPT_PEER_ID,
	OPT_NUMBER,
	OPT_BYTES,
	OPT_SUSPEND,
	OPT_MANUAL,
	OPT_SECONDS,
	OPT_PROGRESS,
	OPT_VERSION,
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, 'S' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "peer", required_argument, NULL, OPT_TEXT },
	{ "peer-id", required_argument, NULL, OPT_PEER_ID },
	{ "listen", required_argument, NULL, OPT_TEXT },
	{ "device", required_argument, NULL, OPT_TEXT },
	{ "phase", required_argument, NULL, OPT_TEXT },
	{ "sessions", required_argument, NULL, OPT_NUMBER },
	{ "connections", required_argument, NULL, OPT_NUMBER },
	{ "limit", required_argument, NULL, OPT_BYTES },
	{ "downtime", required_argument, NULL, OPT_SUSPEND },
	{ "passes", required_argument, NULL, OPT_SUSPEND },
	{ "suspend-after", required_argument, NULL, OPT_SUSPEND },
	{ "manual", no_argument, NULL, OPT_MANUAL },
	{ "timeout", required_argument, NULL, OPT_SECONDS },
	{ "progress", no_argument, NULL, OPT_PROGRESS },
	{ }
};

static int set_bytes(json_t *params, const char *name, const char *text)
{
	int64_t number;

	if (parse_bytes(text, &number))
		return usage("--%s: \"%.64s\" is not a number, with K, M or G for powers of 1000",
			     name, text);
	json_object_set_new(params, name, json_integer(number));
	return 0;
}

static int set_suspend(json_t *params, const char *option, const char *text)
{
	const char *name = !strcmp(option, "downtime") ? "downtime_ms" :
			   !strcmp(option, "passes") ? "pass_limit" : "timeout_s";
	json_t *suspend = json_object_get(params, "suspend");

	if (!json_is_object(suspend)) {
		suspend = json_object();
		json_object_set_new(params, "suspend", suspend);
	}
	return set_bytes(suspend, name, text);
}

static int set_timeout(json_t *params, const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds < 1e6))
		return usage("--timeout: \"%.64s\" is no number of seconds below 1000000",
			     text);
	json_object_set_new(params, "timeout_ms",
			    json_integer((json_int_t)(seconds * 1000)));
	return 0;
}

static int set_option(struct invocation *inv, int kind, const char *name, const char *word)
{
	json_t *params = inv->params;

	switch (kind) {
	case 'S':
		inv->socket = optarg;
		return 0;
	case 'j':
		inv->json = true;
		return 0;
	case OPT_TEXT:
		json_object_set_new(params, name, json_string(optarg));
		return 0;
	case OPT_PEER_ID:
		json_object_set_new(params, "peer_identity", json_string(optarg));
		return 0;
	case OPT_NUMBER:
	case OPT_BYTES:
		return set_bytes(params, name, optarg);
	case OPT_SUSPEND:
		return set_suspend(params, name, optarg);
	case OPT_MANUAL:
		json_object_set_new(params, "suspend", json_string("manual"));
		return 0;
	case OPT_SECONDS:
		return set_timeout(params, optarg);
	case OPT_PROGRESS:
		inv->progress = true;
		return 0;
	default:
		option_refused(PREFIX, kind, word);
		fputs("Try 'mspctl --help'.\n", stderr);
		return EXIT_USAGE;
	}
}

static int run(struct invocation *inv, int argc, char **argv)
{
	int index = 0;
	int kind, ret;

	opterr = 0;
	while ((kind = getopt_long(argc, argv, ":S:jh", options, &index)) != -1) {
		if (kind == 'h') {
			fputs(usage_text, stdout);
			return EXIT_SUCCESS;
		}
		if (kind == OPT_VERSION) {
			puts("mspctl " VASI_VERSION);
			return EXIT_SUCCESS;
		}
		ret = set_option(inv, kind, options[index].name, argv[optind - 1]);
		if (ret)
			return ret;
	}
	inv->argc = argc - optind;
	inv->argv = argv + optind;
	return find_and_run(inv);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("MSPD_SOCKET");
	struct invocation inv = {
		.socket = socket ? socket : DEFAULT_SOCKET,
		.params = json_object(),
	};
	int ret = EXIT_USAGE;

	if (!arguments_check(PREFIX, argc, argv))
		ret = run(&inv, argc, argv);
	json_decref(inv.params);
	return ret;
}
