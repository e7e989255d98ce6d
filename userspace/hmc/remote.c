// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another console's systems.  ssh(1) carries the requests: who the user is there,
 * and whether both trust each other, is its business and not ours.
 */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/console.h"
#include "hmc/remote.h"
#include "hmc/ssh.h"

#define HELLO_TIMEOUT_MS	30000
/* What the way there and back may take, beside the call */
#define RELAY_MARGIN_MS		10000

/**
 * struct remote - a console that is reached over SSH
 * @next:	of the same console
 * @hello:	what its relay said of itself; systems borrow their strings from it
 * @ssh:	the connection; a child makes one of its own
 */
struct remote {
	struct remote *next;
	json_t *hello;
	struct ssh ssh;
};

static const struct rpc_param msp_fields[] = {
	{ "name", RPC_STRING, true, .min = 1, .max = NAME_BYTES - 1 },
	{ "lpar_id", RPC_INTEGER, true, .min = 1, .max = 65535 },
	{ "device", RPC_STRING, true, .min = 1, .max = NAME_BYTES - 1 },
	{ "address", RPC_STRING, true, .min = 1, .max = 46 },
	{ }
};

static const struct rpc_param system_fields[] = {
	{ "name", RPC_STRING, true, .min = 1, .max = NAME_BYTES - 1 },
	{ "msps", RPC_ARRAY, true, .max = CONSOLE_MSPS },
	{ }
};

/* A later version may tell more */
static bool object_fits(const json_t *object, const struct rpc_param *fields)
{
	json_t *known = json_object();
	struct rpc_error err;
	bool fits = known && json_is_object(object);

	for (const struct rpc_param *f = fields; fits && f->name; f++)
		if (json_object_get(object, f->name))
			json_object_set(known, f->name, json_object_get(object, f->name));
	fits = fits && !rpc_check_table("", known, fields, &err) &&
	       name_is_valid(text_of(object, "name"));
	json_decref(known);
	return fits;
}

static bool word_is_safe(const char *text, size_t size, const char *others)
{
	size_t length = strnlen(text, size);

	if (!length || length == size || *text == '-')
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(others, *text))
			return false;
	return true;
}

/* The last line that says something */
static const char *last_line(char *text)
{
	char *line;

	for (;;) {
		size_t length = strcspn(text, "\r\n");

		line = text + length + strspn(text + length, "\r\n");
		text[length] = '\0';
		if (!*line)
			return text;
		text = line;
	}
}

static bool is_about_trust(const char *text)
{
	static const char *const signs[] = {
		"Permission denied", "Host key verification failed", "host key",
		"HOST IDENTIFICATION", "Too many authentication failures",
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (strstr(text, signs[i]))
			return true;
	return false;
}

/* Why there is no relay at the other end */
static void tell_no_relay(const struct remote *remote, int status, char *text,
			  const struct rpc_error *err)
{
	bool trust = is_about_trust(text);
	const char *line = last_line(text), *host = remote->ssh.host;

	/* It was we who ended it */
	if (err->error == -ETIMEDOUT)
		message("HSCLA318", "The command sent to the destination console %s failed: %s.",
			remote->ssh.host, err->text);
	else if (status == SSH_FAILED && trust)
		message("HSCL3653",
			"SSH trust between this console and %s is missing for user %s there: %s. Add this user's key there with mkauthkeys -a, and that console's host key to ~/.ssh/known_hosts here; mkauthkeys --test --ip %s -u %s tries it.",
			host, remote->ssh.user, line, host, remote->ssh.user);
	else if (status == SSH_FAILED)
		message("LPM0506", "Console %s cannot be reached over SSH: %s.", remote->ssh.host,
			*line ? line : err->text);
	else if (status == 127)
		message("HSCLA335",
			"The destination console %s lacks the capability relay: it has no %s. Update it.",
			remote->ssh.host, REMOTE_RELAY);
	else
		message("HSCLA318", "The command sent to the destination console %s failed: %s.",
			remote->ssh.host, *line ? line : err->text);
}

static int connect_relay(struct remote *remote, int timeout_ms, struct rpc_error *err,
			 bool tell)
{
	char text[SSH_SAYS_BYTES];
	json_t *hello = NULL;
	int ret, status;

	*err = (struct rpc_error) { 0 };
	ret = ssh_start(&remote->ssh, REMOTE_RELAY);
	if (ret) {
		snprintf(err->text, sizeof(err->text), "ssh cannot be started: %s", strerror(-ret));
		err->error = ret;
		return ret;
	}
	ret = rpc_client_call_fd(remote->ssh.fd, "hello",
				 json_pack("{s:i}", "version", REMOTE_VERSION), timeout_ms,
				 &hello, err);
	if (!ret && number_of(hello, "version") < REMOTE_VERSION) {
		json_decref(hello);
		ssh_stop(&remote->ssh, NULL, 0);
		if (tell)
			message("HSCLA335",
				"The destination console %s lacks the capability relay version %d. Update it.",
				remote->ssh.host, REMOTE_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!ret) {
		/* Systems that were added borrow from the first */
		if (remote->hello)
			json_decref(hello);
		else
			remote->hello = hello;
		return 0;
	}
	status = ssh_stop(&remote->ssh, text, sizeof(text));
	if (tell)
		tell_no_relay(remote, status, text, err);
	else if (text[0])
		snprintf(err->text, sizeof(err->text), "console %.64s: %.400s", remote->ssh.host,
			 last_line(text));
	return ret;
}

/* The answer is {result} or {error: {code, error, text}} of the call there */
static int take_outcome(json_t *outcome, json_t **result, struct rpc_error *err)
{
	const json_t *error = json_object_get(outcome, "error");

	if (!error) {
		if (result)
			*result = json_incref(json_object_get(outcome, "result"));
		return 0;
	}
	err->code = (int)number_of(error, "code");
	err->error = (int)number_of(error, "error");
	if (err->error >= 0 || err->error < -4095)
		err->error = -EREMOTEIO;
	snprintf(err->text, sizeof(err->text), "%s", text_of(error, "text"));
	return err->error;
}

/**
 * remote_call() - call a method of a system or mover of another console
 * @remote:	the other console
 * @system:	the system's name
 * @msp:	the mover's, or NULL: the system's platform
 * @method:	its name
 * @params:	taken over; NULL = none
 * @timeout_ms:	for the call
 * @result:	NULL, or the caller's
 * @err:	why it failed
 *
 * Return: 0 or a negative errno.
 */
int remote_call(struct remote *remote, const char *system, const char *msp,
		const char *method, json_t *params, int timeout_ms, json_t **result,
		struct rpc_error *err)
{
	json_t *outcome = NULL, *request;
	int ret;

	*err = (struct rpc_error) { 0 };
	request = json_pack("{s:s,s:s,s:i,s:o}", "system", system, "method", method,
			    "timeout_ms", timeout_ms, "params", params ? params : json_object());
	if (!request) {
		snprintf(err->text, sizeof(err->text), "the request cannot be built");
		err->error = -EINVAL;
		return -EINVAL;
	}
	if (msp)
		json_object_set_new(request, "msp", json_string(msp));
	/* Two processes on one connection would take each other's answers */
	if (remote->ssh.pid && remote->ssh.owner != getpid())
		ssh_stop(&remote->ssh, NULL, 0);
	if (!remote->ssh.pid) {
		ret = connect_relay(remote, HELLO_TIMEOUT_MS, err, false);
		if (ret) {
			json_decref(request);
			return ret;
		}
	}
	ret = rpc_client_call_fd(remote->ssh.fd, "call", request, timeout_ms + RELAY_MARGIN_MS,
				 &outcome, err);
	/* An answer that is late must not be taken for the next one's */
	if (ret && !err->code)
		ssh_stop(&remote->ssh, NULL, 0);
	if (!ret)
		ret = take_outcome(outcome, result, err);
	json_decref(outcome);
	return ret;
}

/* The systems of the relay's hello, behind those that the console has */
static int add_systems(struct console *console, struct remote *remote)
{
	const json_t *systems = json_object_get(remote->hello, "systems");
	size_t count = json_array_size(systems), i, j;
	struct managed_system *all;
	json_t *entry, *mover;

	if (!count || count > CONSOLE_SYSTEMS)
		return -EBADMSG;
	all = realloc(console->systems, (console->nsystems + count) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	console->systems = all;
	json_array_foreach(systems, i, entry) {
		struct managed_system *system = &all[console->nsystems];

		if (!object_fits(entry, system_fields))
			return -EBADMSG;
		*system = (struct managed_system) {
			.name = text_of(entry, "name"), .remote = remote,
		};
		json_array_foreach(json_object_get(entry, "msps"), j, mover) {
			if (!object_fits(mover, msp_fields))
				return -EBADMSG;
			system->msps[system->nmsps++] = (struct msp) {
				.name = text_of(mover, "name"),
				.device = text_of(mover, "device"),
				.address = text_of(mover, "address"),
				.lpar_id = (uint32_t)number_of(mover, "lpar_id"),
				.remote = remote, .system = system->name,
			};
		}
		console->nsystems++;
	}
	return 0;
}

static struct remote *new_remote(const char *ip, const char *user)
{
	const struct passwd *self = user ? NULL : getpwuid(getuid());
	struct remote *remote;

	if (self)
		user = self->pw_name;
	if (!word_is_safe(ip, SSH_HOST_BYTES, ".:-_%")) {
		message("LPM0001",
			"--ip is \"%.64s\"; it must be the name or address of the other console.",
			ip);
		return NULL;
	}
	if (!user || !word_is_safe(user, SSH_USER_BYTES, "._-")) {
		message("LPM0001",
			"-u is \"%.64s\"; it must be the name of a user of the other console.",
			user ? user : "");
		return NULL;
	}
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return NULL;
	snprintf(remote->ssh.host, sizeof(remote->ssh.host), "%s", ip);
	snprintf(remote->ssh.user, sizeof(remote->ssh.user), "%s", user);
	return remote;
}

static void free_remote(struct remote *remote)
{
	ssh_stop(&remote->ssh, NULL, 0);
	json_decref(remote->hello);
	free(remote);
}

/**
 * console_add_remote() - know another console's systems, too
 * @console:	open; its systems may be moved in memory
 * @ip:		where the other console is: --ip
 * @user:	who we are there: -u; NULL = as here
 *
 * Calls to those systems and their movers go through the other console.
 *
 * Return: 0, or a negative errno; the user has been told.
 */
int console_add_remote(struct console *console, const char *ip, const char *user)
{
	struct remote *remote = new_remote(ip, user);
	struct rpc_error err;
	int ret;

	if (!remote)
		return -EINVAL;
	ret = connect_relay(remote, HELLO_TIMEOUT_MS, &err, true);
	if (ret) {
		free_remote(remote);
		return ret;
	}
	remote->next = console->remotes;
	console->remotes = remote;
	ret = add_systems(console, remote);
	if (ret)
		message("HSCLA318",
			"The command sent to the destination console %s failed: it names no systems for user %s, or not as expected.",
			remote->ssh.host, remote->ssh.user);
	return ret;
}

/**
 * console_find_remote() - find a system of another console
 * @console:	after console_add_remote()
 * @name:	its name
 *
 * A system here may have the same name.
 *
 * Return: the system, or NULL.
 */
struct managed_system *console_find_remote(struct console *console, const char *name)
{
	for (size_t i = 0; i < console->nsystems; i++)
		if (console->systems[i].remote && !strcmp(console->systems[i].name, name))
			return &console->systems[i];
	return NULL;
}

/**
 * console_check_remotes() - may the user change something on the other consoles?
 * @console:	after console_add_remote()
 *
 * Each change is checked there anyway; this tells before anything was begun.
 *
 * Return: 0 or -EACCES; the user has been told.
 */
int console_check_remotes(const struct console *console)
{
	for (const struct remote *r = console->remotes; r; r = r->next) {
		if (flag_of(r->hello, "may_change"))
			continue;
		message("HSCLA318",
			"The command sent to the destination console %s failed: HSCL350B User %s is not authorised there: its task role is hmcviewer, which may only list. Use one with the task role hmcoperator.",
			r->ssh.host, r->ssh.user);
		return -EACCES;
	}
	return 0;
}

/**
 * console_drop_remotes() - end the connections to other consoles
 * @console:	its remote systems are not used any more
 */
void console_drop_remotes(struct console *console)
{
	struct remote *remote;

	while (console->remotes) {
		remote = console->remotes;
		console->remotes = remote->next;
		free_remote(remote);
	}
}

/**
 * remote_host() - where a console is
 * @remote:	the console
 */
const char *remote_host(const struct remote *remote)
{
	return remote->ssh.host;
}

/**
 * remote_can() - does another console have a capability?
 * @remote:	the console
 * @capability:	its name
 */
bool remote_can(const struct remote *remote, const char *capability)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(remote->hello, "capabilities"), i, entry)
		if (json_is_string(entry) && !strcmp(json_string_value(entry), capability))
			return true;
	return false;
}

/**
 * remote_needs() - as remote_can(), and the user is told if it has not
 * @remote:	the console, NULL = this one, which has all of them
 * @capability:	its name
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int remote_needs(const struct remote *remote, const char *capability)
{
	if (!remote || remote_can(remote, capability))
		return 0;
	message("HSCLA335", "The destination console %s lacks the capability %s. Update it.",
		remote->ssh.host, capability);
	return -EOPNOTSUPP;
}

/**
 * remote_test() - can another console be used without a password?
 * @ip:		where it is
 * @user:	who we are there; NULL = as here
 *
 * Return: 0, or a negative errno; the user has been told.
 */
int remote_test(const char *ip, const char *user)
{
	struct remote *remote = new_remote(ip, user);
	struct rpc_error err;
	int ret;

	if (!remote)
		return -EINVAL;
	ret = connect_relay(remote, HELLO_TIMEOUT_MS, &err, true);
	free_remote(remote);
	return ret;
}
