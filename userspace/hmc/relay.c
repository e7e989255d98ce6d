// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hmcrelay: the other end of remote.c.  Another console's requests to the systems and
 * movers of this one, a JSON-RPC text a line on standard input and output.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rpc_internal.h"
#include "common/util.h"
#include "hmc/console.h"
#include "hmc/remote.h"
#include "hmc/session.h"

/* What a console needs of systems and movers, and nothing that shows memory */
static const char *const system_looks[] = {
	"system.info", "system.inventory", "partition.list", "partition.show",
	"partition.describe", "partition.config", "partition.history", "partition.check",
	"partition.dirty", "stream.list", "stream.show", NULL
};

static const char *const system_changes[] = {
	"partition.create", "partition.reserve", "partition.activate", "partition.shutdown",
	"partition.suspend", "partition.resume", "partition.remove", "partition.tell",
	"partition.configure", "partition.note", "partition.depart", "partition.stay",
	"partition.arrived", "stream.create", "stream.cancel", "stream.verdict",
	"stream.recover", "stream.end", "vios.attach", "vios.detach", "vios.settle",
	"vios.change", NULL
};

static const char *const mover_looks[] = {
	"info", "status", "list", "wait", "check_peer", NULL
};

static const char *const mover_changes[] = {
	"start", "limit", "suspend", "stop", "probe", NULL
};

static const struct rpc_param hello_params[] = {
	{ "version", RPC_INTEGER, true, .min = 1, .max = INT32_MAX },
	{ }
};

static const struct rpc_param call_params[] = {
	{ "system", RPC_STRING, true, .min = 1, .max = NAME_BYTES - 1 },
	{ "msp", RPC_STRING, .min = 1, .max = NAME_BYTES - 1 },
	{ "method", RPC_STRING, true, .min = 1, .max = 63 },
	{ "params", RPC_OBJECT, .required = true },
	{ "timeout_ms", RPC_INTEGER, true, .min = 1, .max = MAKE_TIMEOUT_MS },
	{ }
};

static json_t *describe_msps(const struct managed_system *system)
{
	json_t *msps = json_array();

	for (size_t i = 0; i < system->nmsps; i++)
		json_array_append_new(msps, json_pack("{s:s,s:i,s:s,s:s}",
						      "name", system->msps[i].name,
						      "lpar_id", (int)system->msps[i].lpar_id,
						      "device", system->msps[i].device,
						      "address", system->msps[i].address));
	return msps;
}

static json_t *say_hello(const struct console *console)
{
	const struct managed_system *end = console->systems + console->nsystems;
	json_t *systems = json_array();

	for (const struct managed_system *s = console->systems; s < end; s++)
		json_array_append_new(systems, json_pack("{s:s,s:o}", "name", s->name,
							 "msps", describe_msps(s)));
	return json_pack("{s:i,s:s,s:b,s:[s,s],s:o}", "version", REMOTE_VERSION,
			 "program", "hmc " VASI_VERSION, "may_change", session_may_change(),
			 "capabilities", "lpar_uuid", "inventory", "systems", systems);
}

static const struct msp *find_msp(const struct managed_system *system, const char *name)
{
	for (size_t i = 0; i < system->nmsps; i++)
		if (!strcmp(system->msps[i].name, name))
			return &system->msps[i];
	return NULL;
}

/* The call itself failed, or may not be made: as rpc_client_call() would tell it */
static json_t *failed(int code, int error, const char *fmt, const char *what)
{
	char text[512];

	snprintf(text, sizeof(text), fmt, what);
	return json_pack("{s:{s:i,s:i,s:s}}", "error", "code", code, "error", error,
			 "text", text);
}

static json_t *forward(const struct managed_system *system, const struct msp *msp,
		       const json_t *params)
{
	const char *method = text_of(params, "method");
	json_t *result = NULL;
	struct rpc_error err;

	if (rpc_client_call(msp ? msp->socket : system->socket, method,
			    json_incref(json_object_get(params, "params")),
			    (int)number_of(params, "timeout_ms"), &result, &err))
		return json_pack("{s:{s:i,s:i,s:s}}", "error", "code", err.code,
				 "error", err.error, "text", err.text);
	return json_pack("{s:o}", "result", result);
}

static bool is_one_of(const char *const *methods, const char *name)
{
	for (; *methods; methods++)
		if (!strcmp(*methods, name))
			return true;
	return false;
}

/* Of what it is about only a name of the form that partitions have: no line is forged */
static int note_change(const struct managed_system *system, const struct msp *msp,
		       const json_t *params, const char *what, const json_t *outcome)
{
	const char *name = text_of(json_object_get(params, "params"), "name");
	char error[32] = "";

	if (outcome)
		snprintf(error, sizeof(error), " error=%" PRId64,
			 number_of(json_object_get(outcome, "error"), "error"));
	if (!name_is_valid(name))
		name = "";
	return session_note("%s relay system=%s%s%s method=%s%s%s%s%s", what, system->name,
			    msp ? " msp=" : "", msp ? msp->name : "",
			    text_of(params, "method"), *name ? " name=\"" : "", name,
			    *name ? "\"" : "", error);
}

/*
 * Does a partition name files of the system's machine, or QEMU's arguments?  Whoever may
 * choose those can do there what the platform's daemon can, and that is no operator's.
 */
static bool names_files(const json_t *params)
{
	const json_t *given = json_object_get(params, "params");

	return json_object_get(given, "guest") ||
	       json_object_get(json_object_get(given, "content"), "path");
}

static json_t *refuse_call(const struct managed_system *system, const char *method,
			   const char *why)
{
	session_note("refused relay system=%s method=%s", system->name, method);
	return failed(0, -EACCES, why, method);
}

static json_t *call(struct console *console, const json_t *params)
{
	const struct managed_system *system = console_find(console, text_of(params, "system"));
	const char *method = text_of(params, "method"), *name = text_of(params, "msp");
	bool changes = is_one_of(*name ? mover_changes : system_changes, method);
	const struct msp *msp;
	json_t *outcome;

	if (!changes && !is_one_of(*name ? mover_looks : system_looks, method))
		return failed(RPC_METHOD_NOT_FOUND, -EREMOTEIO,
			      "this console does not forward %.64s", method);
	if (!system)
		return failed(0, -EACCES, "this console has no system %.64s for you",
			      text_of(params, "system"));
	msp = *name ? find_msp(system, name) : NULL;
	if (*name && !msp)
		return failed(RPC_NOT_FOUND, -EREMOTEIO, "that system has no mover %.64s", name);
	if (changes && !session_may_change())
		return refuse_call(system, method, "%.64s is not for the task role hmcviewer");
	if (changes && names_files(params) && !session_may_name_files())
		return refuse_call(system, method,
				   "%.64s with a guest, or with memory from a file, names what is on that console's machine: that is for its task role hmcsuperadmin");
	/* Before it is done: whoever ends us meanwhile cannot keep it from the record */
	if (changes && note_change(system, msp, params, "begin", NULL))
		return failed(0, -EIO, "%.64s cannot be recorded there, and is not done", method);
	outcome = forward(system, msp, params);
	if (changes)
		note_change(system, msp, params, "end", outcome);
	return outcome;
}

static json_t *answer(struct console *console, const json_t *request, struct rpc_error *err)
{
	const char *method = text_of(request, "method");
	json_t *params = json_object_get(request, "params");

	if (!json_is_object(request) || !json_is_object(params)) {
		err->code = RPC_INVALID_REQUEST;
		snprintf(err->text, sizeof(err->text), "not a request with parameters");
	} else if (!strcmp(method, "hello")) {
		if (!rpc_check_table("", params, hello_params, err))
			return say_hello(console);
		err->code = RPC_INVALID_PARAMS;
	} else if (!strcmp(method, "call")) {
		if (!rpc_check_table("", params, call_params, err))
			return call(console, params);
		err->code = RPC_INVALID_PARAMS;
	} else {
		err->code = RPC_METHOD_NOT_FOUND;
		snprintf(err->text, sizeof(err->text), "the methods are hello and call");
	}
	return NULL;
}

static int write_all(const char *text, size_t length)
{
	ssize_t done;

	for (; length; text += done, length -= (size_t)done) {
		done = write(STDOUT_FILENO, text, length);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done < 0)
			return -errno;
	}
	return 0;
}

/* Takes @result over; without it, @err is told */
static int reply(const json_t *id, json_t *result, const struct rpc_error *err)
{
	json_t *root;
	char *text;
	int ret;

	if (result)
		root = json_pack("{s:s,s:O?,s:o}", "jsonrpc", "2.0", "id", id, "result", result);
	else
		root = json_pack("{s:s,s:O?,s:{s:i,s:s}}", "jsonrpc", "2.0", "id", id,
				 "error", "code", err->code, "message", err->text);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!text)
		return -ENOMEM;
	ret = write_all(text, strlen(text));
	if (!ret)
		ret = write_all("\n", 1);
	free(text);
	return ret;
}

static int serve_line(struct console *console, const char *line, size_t length)
{
	struct rpc_error err = { 0 };
	json_t *request = NULL, *result = NULL;
	const json_t *id;
	int ret;

	if (!rpc_parse_line(line, length, &request, &err))
		result = answer(console, request, &err);
	id = json_object_get(request, "id");
	ret = reply(json_is_integer(id) || json_is_string(id) ? id : NULL, result, &err);
	json_decref(request);
	return ret;
}

/* Every line of standard input until its end; longer ones than a system takes end it */
static int serve(struct console *console)
{
	char *line = malloc(RPC_MAX_LINE + 1), *newline;
	size_t used = 0, length;
	ssize_t got;
	int ret = 0;

	if (!line)
		return -ENOMEM;
	while (!ret) {
		newline = memchr(line, '\n', used);
		if (newline) {
			length = (size_t)(newline - line);
			ret = serve_line(console, line, length);
			used -= length + 1;
			memmove(line, newline + 1, used);
			continue;
		}
		if (used == RPC_MAX_LINE + 1) {
			struct rpc_error err = { .code = RPC_INVALID_REQUEST };

			snprintf(err.text, sizeof(err.text), "a line longer than %u bytes",
				 RPC_MAX_LINE);
			ret = reply(NULL, NULL, &err) ? -EPIPE : -EMSGSIZE;
			break;
		}
		got = read(STDIN_FILENO, line + used, RPC_MAX_LINE + 1 - used);
		if (got < 0 && errno != EINTR)
			ret = -errno;
		if (!got)
			break;
		if (got > 0)
			used += (size_t)got;
	}
	free(line);
	return ret;
}

static int run_hmcrelay(const struct command *command, int argc, char **argv)
{
	struct console console;
	int status = EXIT_USAGE, ret;

	if (argc > 1)
		return unexpected_argument(command, argv[1]);
	if (console_open(NULL, &console))
		goto close_console;
	ret = serve(&console);
	status = ret ? EXIT_FAILED : EXIT_DONE;
	if (ret)
		message("LPM0508", "The other console's requests cannot be served: %s.",
			strerror(-ret));
close_console:
	console_close(&console);
	return status;
}

const struct command command_hmcrelay = {
	.name = "hmcrelay",
	.usage =
"Usage: hmcrelay\n"
"Forward another console's requests to the systems and movers of this one: JSON-RPC, a\n"
"line each, on standard input and output.  migrlpar of that console starts it.\n"
"  --help, --version\n"
"Exit status: 0, 1 the requests could not be served, 2 wrong usage or console file.\n",
	.run = run_hmcrelay,
};
