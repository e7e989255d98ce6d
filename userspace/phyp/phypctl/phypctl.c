// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phypctl: the command of a managed system's management socket.
 * See Documentation/management.rst.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/notice.h"
#include "common/rpc.h"
#include "common/show.h"
#include "common/util.h"
#include "phyp/phypctl/phypctl.h"

#define EXIT_USAGE		2
#define DEFAULT_SOCKET		"/run/vasi-phypd/socket"
#define NO_TIMEOUT		(-1)
#define RECOVER_TIMEOUT_MS	30000

static const char usage_text[] =
"Usage: phypctl [-S SOCKET] [--json] COMMAND ...\n"
"Manage a managed system (vasi-phypd).\n"
"\n"
"  info                     the system and its devices\n"
"  create FILE|-            make a partition from a JSON description\n"
"  reserve FILE|-           reserve a shell for an arriving partition\n"
"  activate NAME            let it execute\n"
"  shutdown NAME            stop it\n"
"  suspend NAME             to a file; its memory is free\n"
"  resume NAME              from there, where it was\n"
"  remove NAME [ID]         remove it; ID: of the migration that it is in\n"
"  list, show NAME          partitions\n"
"  wait NAME [STATE [SEC]]  wait until it is finished, or in a state\n"
"  config NAME              what moves as its profile\n"
"  configure NAME FILE|-    change that (RFC 7396)\n"
"  history NAME             its moves\n"
"  depart NAME ID SYSTEM    it begins to migrate without executing\n"
"  stay NAME ID             it does not\n"
"  arrived NAME ID          it has, where it was created with \"arriving\"\n"
"  inventory                what the system has\n"
"  vios-attach FILE|-       make a server adapter from a JSON description\n"
"  vios-detach VIOS SLOT    remove it\n"
"  vios-settle ID           those made for a stream stay\n"
"  vios-msp VIOS yes|no     it is a mover service partition\n"
"  digest NAME              SHA-256 over its memory and processors\n"
"  compare NAME FILE        count the pages that differ from a file\n"
"  stream-create FILE|-     create a stream from a JSON description\n"
"  stream-list, stream-show ID\n"
"  stream-cancel ID         abort it\n"
"  stream-end ID            forget one that is Completed or Aborted\n"
"  verdict ID               on the target: what the ownership record says; writes\n"
"                           \"never\" if there is none\n"
"  recover ID --target SOCKET [--restarted]\n"
"                           on the source: ask the target's record, and act on it;\n"
"                           --restarted: a target that was restarted and no longer\n"
"                           knows the stream\n"
"  event DEVICE CODE        fault injection: a transport event for its client\n"
"  call METHOD [JSON]       any method\n"
"\n"
"  -S, --socket SOCKET      management socket (default: $PHYPD_SOCKET, or\n"
"                           " DEFAULT_SOCKET ")\n"
"  --json                   print the answer as JSON\n"
"  -h, --help, --version\n"
"Exit status: 0, 1 the call failed, 2 wrong usage or an unusable description.\n";

struct command {
	const char *name;
	const char *method;
	int least;			/* words after the command */
	int most;
	json_t *(*params)(const struct invocation *inv);
	void (*print)(const json_t *result);
	int (*run)(const struct command *command, const struct invocation *inv);
};

static int usage(const char *why, const char *what)
{
	notice(PREFIX, "%s%s%.64s", why, what ? ": " : "", what ? what : "");
	fputs("Try 'phypctl --help'.\n", stderr);
	return EXIT_USAGE;
}

/* ---- Printing ---- */

static double mib(const json_t *object, const char *name)
{
	return (double)show_number(object, name) / (1 << 20);
}

static double percent(const json_t *object, const char *part, const char *whole)
{
	long long all = show_number(object, whole);

	return all ? 100.0 * (double)show_number(object, part) / (double)all :
	       100.0;
}

static void print_partitions(const json_t *result)
{
	const json_t *p;
	size_t i;

	printf("%-20s %5s %-20s %12s %8s %7s %12s\n", "NAME", "ID", "STATE",
	       "MEMORY MiB", "GRANULE", "STEPS", "DIRTY MiB/s");
	json_array_foreach(json_object_get(result, "partitions"), i, p)
		printf("%-20s %5lld %-20s %12.1f %8lld %6.1f%% %12.1f\n",
		       show_text(p, "name"), show_number(p, "lpar_id"),
		       show_text(p, "state"), mib(p, "memory"),
		       show_number(p, "granule"),
		       percent(p, "steps", "steps_total"),
		       mib(p, "dirty_rate"));
}

static void print_streams(const json_t *result)
{
	const json_t *s;
	size_t i;

	printf("%-16s %-6s %-20s %-10s %-6s %4s %6s %12s %12s %-8s\n", "STREAM",
	       "ROLE", "PARTITION", "STATE", "PARKED", "SESS", "PASSES",
	       "MOVED MiB", "LEFT MiB", "RECORD");
	json_array_foreach(json_object_get(result, "streams"), i, s)
		printf("%-16s %-6s %-20s %-10s %-6s %4lld %6lld %12.1f %12.1f %-8s\n",
		       show_text(s, "stream_id"), show_text(s, "role"),
		       show_text(s, "partition"), show_text(s, "state"),
		       json_is_true(json_object_get(s, "parked")) ? "yes" : "no",
		       show_number(s, "sessions"), show_number(s, "passes"),
		       mib(s, "bytes"), mib(s, "bytes_left"),
		       show_text(s, "record"));
}

static void print_moves(const json_t *result)
{
	const json_t *m;
	size_t i;

	printf("%-16s %-9s %-20s %-20s %-9s %12s\n", "STREAM", "TYPE", "FROM", "TO",
	       "RESULT", "SECONDS");
	json_array_foreach(json_object_get(result, "moves"), i, m)
		printf("%-16s %-9s %-20s %-20s %-9s %12lld\n",
		       show_text(m, "stream_id"), show_text(m, "type"),
		       show_text(m, "from"), show_text(m, "to"), show_text(m, "result"),
		       show_number(m, "ended") - show_number(m, "started"));
}

static void print_digest(const json_t *result)
{
	puts(show_text(result, "digest"));
}

static void print_differing(const json_t *result)
{
	printf("%lld\n", show_number(result, "differing"));
}

static void print_state(const json_t *result)
{
	puts(show_text(result, "state"));
}

static void print_result(const struct command *command,
			 const struct invocation *inv, const json_t *result)
{
	if (inv->json || !command->print)
		show_json(result);
	else if (json_object_size(result))
		command->print(result);
}

/* ---- Calls ---- */

static int call(const char *socket, const char *method, json_t *params,
		int timeout_ms, json_t **result)
{
	struct rpc_error err = { 0 };

	*result = NULL;
	if (!rpc_client_call(socket, method, params, timeout_ms, result, &err)) {
		show_clean(*result);
		return EXIT_SUCCESS;
	}
	if (err.code)
		notice(PREFIX, "%.64s: %s (error %d)", method, err.text, err.code);
	else
		notice(PREFIX, "%s", err.text);
	return EXIT_FAILURE;
}

static int run_method(const struct command *command,
		      const struct invocation *inv)
{
	const char *method = command->method ? command->method : inv->argv[0];
	json_t *params = command->params ? command->params(inv) : json_object();
	json_t *result;
	int status;

	if (!params)
		return EXIT_USAGE;
	status = call(inv->socket, method, params, NO_TIMEOUT, &result);
	if (!status)
		print_result(command, inv, result);
	json_decref(result);
	return status;
}

/*
 * A system that never was the target would write "never" just as well, and the
 * partition might then run twice: so the system has to know the stream.
 */
static int check_target(const char *target, const char *id)
{
	json_t *params = json_pack("{s:s}", "stream_id", id);
	struct rpc_error err = { 0 };
	json_t *result = NULL;
	bool is_target;

	if (rpc_client_call(target, "stream.show", params, RECOVER_TIMEOUT_MS,
			    &result, &err)) {
		notice(PREFIX, "recover: %s; nothing was changed%s", err.text,
		       err.code == RPC_NOT_FOUND ?
		       ". If this is the target, and was restarted since, repeat with --restarted" :
		       "");
		return EXIT_FAILURE;
	}
	is_target = !strcmp(show_text(result, "role"), "target");
	json_decref(result);
	if (is_target)
		return EXIT_SUCCESS;
	notice(PREFIX, "recover: %.256s is the stream's source, not its target; nothing was changed",
	       target);
	return EXIT_FAILURE;
}

/*
 * The target's record decides, so it is asked first; without its answer the
 * source stays as it is.
 */
static int run_recover(const struct command *command,
		       const struct invocation *inv)
{
	const char *id = inv->argv[0];
	json_t *verdict, *result, *params;
	int status;

	if (strcmp(inv->argv[1], "--target"))
		return usage("recover: --target is missing before", inv->argv[1]);
	if (inv->argc > 3 && strcmp(inv->argv[3], "--restarted"))
		return usage("recover: unknown option", inv->argv[3]);
	status = inv->argc > 3 ? EXIT_SUCCESS : check_target(inv->argv[2], id);
	if (status)
		return status;
	status = call(inv->argv[2], "stream.verdict",
		      json_pack("{s:s}", "stream_id", id), RECOVER_TIMEOUT_MS,
		      &verdict);
	if (status) {
		notice(PREFIX, "recover: the target's record could not be read; nothing was changed, the source stays as it is");
		return status;
	}
	params = json_pack("{s:s, s:O, s:O}", "stream_id", id,
			   "verdict", json_object_get(verdict, "verdict"),
			   "received", json_object_get(verdict, "received"));
	if (!params) {
		notice(PREFIX, "recover: the target's answer is no verdict; nothing was changed");
		json_decref(verdict);
		return EXIT_FAILURE;
	}
	status = call(inv->socket, "stream.recover", params, NO_TIMEOUT, &result);
	if (!status && !inv->json)
		printf("the record says %s; the source is ",
		       show_text(verdict, "verdict"));
	if (!status)
		print_result(command, inv, result);
	json_decref(result);
	json_decref(verdict);
	return status;
}

static const struct command commands[] = {
	{ "info", "system.info", 0, 0, NULL, show_object, run_method },
	{ "create", "partition.create", 1, 1, description_params, show_object,
	  run_method },
	{ "reserve", "partition.reserve", 1, 1, description_params,
	  show_object, run_method },
	{ "activate", "partition.activate", 1, 1, name_params, show_object,
	  run_method },
	{ "shutdown", "partition.shutdown", 1, 1, name_params, show_object,
	  run_method },
	{ "suspend", "partition.suspend", 1, 1, name_params, show_object,
	  run_method },
	{ "resume", "partition.resume", 1, 1, name_params, show_object,
	  run_method },
	{ "remove", "partition.remove", 1, 2, remove_params, show_object,
	  run_method },
	{ "list", "partition.list", 0, 0, NULL, print_partitions, run_method },
	{ "show", "partition.show", 1, 1, name_params, show_object,
	  run_method },
	{ "config", "partition.config", 1, 1, name_params, show_object, run_method },
	{ "configure", "partition.configure", 2, 2, configure_params, show_object,
	  run_method },
	{ "history", "partition.history", 1, 1, name_params, print_moves, run_method },
	{ "depart", "partition.depart", 3, 3, depart_params, show_object, run_method },
	{ "stay", "partition.stay", 2, 2, inactive_params, show_object, run_method },
	{ "arrived", "partition.arrived", 2, 2, inactive_params, show_object, run_method },
	{ "inventory", "system.inventory", 0, 0, NULL, show_json, run_method },
	{ "vios-attach", "vios.attach", 1, 1, description_params, show_object, run_method },
	{ "vios-detach", "vios.detach", 2, 2, detach_params, show_object, run_method },
	{ "vios-settle", "vios.settle", 1, 1, stream_id_params, show_object, run_method },
	{ "vios-msp", "vios.change", 2, 2, msp_params, show_object, run_method },
	{ "wait", "partition.wait", 1, 3, wait_params, show_object,
	  run_method },
	{ "digest", "partition.digest", 1, 1, name_params, print_digest,
	  run_method },
	{ "compare", "partition.compare", 2, 2, compare_params,
	  print_differing, run_method },
	{ "stream-create", "stream.create", 1, 1, description_params,
	  print_state, run_method },
	{ "stream-show", "stream.show", 1, 1, stream_id_params, show_object,
	  run_method },
	{ "stream-list", "stream.list", 0, 0, NULL, print_streams, run_method },
	{ "stream-cancel", "stream.cancel", 1, 1, stream_id_params,
	  print_state, run_method },
	{ "stream-end", "stream.end", 1, 1, stream_id_params, show_object,
	  run_method },
	{ "verdict", "stream.verdict", 1, 1, stream_id_params, show_object,
	  run_method },
	{ "recover", "stream.recover", 3, 4, NULL, print_state, run_recover },
	{ "event", "device.event", 2, 2, event_params, show_object, run_method },
	{ "call", NULL, 1, 2, call_params, NULL, run_method },
};

static int run(const char *name, const struct invocation *inv)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, name))
			continue;
		if (inv->argc < command->least)
			return usage("too few arguments", name);
		if (inv->argc > command->most)
			return usage("too many arguments", name);
		return command->run(command, inv);
	}
	return usage("unknown command", name);
}

/* JSON may have lines, and be as long as a request */
static bool is_json(const struct invocation *inv)
{
	return inv->argc == 2 && !strcmp(inv->argv[0], "call");
}

/* Options stand before the command or anywhere behind it; others are its words */
static int parse(struct invocation *inv, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!is_json(inv) && argument_check(PREFIX, i, argv[i]))
			return EXIT_USAGE;
		if (!strcmp(argv[i], "--json")) {
			inv->json = true;
		} else if (!strcmp(argv[i], "-S") ||
			   !strcmp(argv[i], "--socket")) {
			if (++i == argc)
				return usage("a path is missing", argv[i - 1]);
			if (argument_check(PREFIX, i, argv[i]))
				return EXIT_USAGE;
			inv->socket = argv[i];
		} else if (argv[i][0] == '-' && argv[i][1] && !inv->argc) {
			return usage("unknown option", argv[i]);
		} else {
			inv->argv[inv->argc++] = argv[i];
		}
	}
	return EXIT_SUCCESS;
}

static bool wants(int argc, char **argv, const char *option, const char *brief)
{
	return argc > 1 && (!strcmp(argv[1], option) ||
			    (brief && !strcmp(argv[1], brief)));
}

int main(int argc, char **argv)
{
	struct invocation inv = { .socket = getenv("PHYPD_SOCKET") };
	char **words;
	int status;

	if (wants(argc, argv, "--help", "-h")) {
		fputs(usage_text, stdout);
		return EXIT_SUCCESS;
	}
	if (wants(argc, argv, "--version", NULL)) {
		puts("phypctl " VASI_VERSION);
		return EXIT_SUCCESS;
	}
	if (!inv.socket)
		inv.socket = DEFAULT_SOCKET;
	words = calloc((size_t)argc + 1, sizeof(*words));
	if (!words)
		return EXIT_FAILURE;
	inv.argv = words;
	status = parse(&inv, argc, argv);
	if (!status && !inv.argc)
		status = usage("a command is missing", NULL);
	if (!status) {
		inv.argc--;
		inv.argv++;
		status = run(words[0], &inv);
	}
	free(words);
	return status;
}
