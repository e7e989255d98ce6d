// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Another console's systems.  ssh(1) carries the requests: who the user is there,
 * and whether both trust each other, is its business and not ours.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/console.h"
#include "hmc/remote.h"

#define SSH_PROGRAM		"/usr/bin/ssh"
#define SSH_CONNECT_S		"10"
#define HELLO_TIMEOUT_MS	30000
/* What the way there and back may take, beside the call */
#define RELAY_MARGIN_MS		10000
#define SSH_SAYS_BYTES		4096
#define SSH_FAILED		255	/* exit status of ssh(1) itself */

/**
 * struct remote - a console that is reached over SSH
 * @next:	of the same console
 * @host:	where it is
 * @user:	who we are there
 * @hello:	what its relay said of itself; systems borrow their strings from it
 * @owner:	the process whose connection it is: a child makes one of its own
 * @pid:	of ssh(1), 0 = there is none
 * @fd:		its standard input and output
 * @says:	its standard error
 */
struct remote {
	struct remote *next;
	char host[REMOTE_HOST_BYTES];
	char user[REMOTE_USER_BYTES];
	json_t *hello;
	pid_t owner;
	pid_t pid;
	int fd;
	int says;
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

/* The child's side of start_ssh() */
static void exec_ssh(const struct remote *remote, int fd, int says)
{
	const char *const argv[] = {
		"ssh", "-T", "-x", "-a", "-oBatchMode=yes", "-oClearAllForwardings=yes",
		"-oConnectTimeout=" SSH_CONNECT_S, "-oServerAliveInterval=15",
		"-oPermitLocalCommand=no", "-oControlMaster=no", "-oControlPath=none",
		"-l", remote->user, "--", remote->host, REMOTE_RELAY, NULL,
	};

	/* It ends with us, also when we are killed */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* Not with what this program may be allowed beyond its user */
	if (setresgid(getgid(), getgid(), getgid()) || setresuid(getuid(), getuid(), getuid()) ||
	    dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(says, STDERR_FILENO) < 0)
		_exit(SSH_FAILED);
	execv(SSH_PROGRAM, (char **)argv);
	dprintf(STDERR_FILENO, "%s cannot be run: %s\n", SSH_PROGRAM, strerror(errno));
	_exit(SSH_FAILED);
}

/* What ssh(1) says, and no more of it than we look at; it never has to wait for us */
static int open_says(void)
{
	int fd = memfd_create("ssh", MFD_CLOEXEC | MFD_ALLOW_SEALING), ret;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, SSH_SAYS_BYTES) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static int start_ssh(struct remote *remote)
{
	int fds[2], says, ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	says = open_says();
	if (says < 0) {
		ret = says;
		goto close_fds;
	}
	/* Our end only: ssh(1) has the other as it wants it */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fflush(NULL);
	remote->pid = fork();
	if (!remote->pid)
		exec_ssh(remote, fds[1], says);
	ret = remote->pid < 0 ? -errno : 0;
	if (ret)
		goto close_says;
	close(fds[1]);
	remote->fd = fds[0];
	remote->says = says;
	remote->owner = getpid();
	return 0;

close_says:
	remote->pid = 0;
	close(says);
close_fds:
	close(fds[0]);
	close(fds[1]);
	return ret;
}

/* Its exit status, or -1 if a signal ended it; @text has what it said */
static int stop_ssh(struct remote *remote, char *text, size_t size)
{
	ssize_t got = 0;
	int status = 0;

	if (!remote->pid)
		return 0;
	close(remote->fd);
	if (remote->owner == getpid()) {
		/* It ends when its input does; one that hangs is ended */
		for (int i = 0; i < 100 && !waitpid(remote->pid, &status, WNOHANG); i++) {
			if (i == 50)
				kill(remote->pid, SIGTERM);
			if (i == 99) {
				kill(remote->pid, SIGKILL);
				waitpid(remote->pid, &status, 0);
			}
			sleep_ms(10);
		}
		if (text)
			got = pread(remote->says, text, size - 1, 0);
	}
	if (text)
		text[got > 0 ? got : 0] = '\0';
	close(remote->says);
	remote->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
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
	const char *line = last_line(text);

	/* It was we who ended it */
	if (err->error == -ETIMEDOUT)
		message("HSCLA318", "The command sent to the destination console %s failed: %s.",
			remote->host, err->text);
	else if (status == SSH_FAILED && trust)
		message("HSCL3653",
			"SSH trust between this console and %s is missing for user %s there: %s. Add this user's key there with mkauthkeys -a, and that console's host key to ~/.ssh/known_hosts here; mkauthkeys --test --ip %s -u %s tries it.",
			remote->host, remote->user, line, remote->host, remote->user);
	else if (status == SSH_FAILED)
		message("LPM0506", "Console %s cannot be reached over SSH: %s.", remote->host,
			*line ? line : err->text);
	else if (status == 127)
		message("HSCLA335",
			"The destination console %s lacks the capability relay: it has no " REMOTE_RELAY ". Update it.",
			remote->host);
	else
		message("HSCLA318", "The command sent to the destination console %s failed: %s.",
			remote->host, *line ? line : err->text);
}

static int connect_relay(struct remote *remote, int timeout_ms, struct rpc_error *err,
			 bool tell)
{
	char text[SSH_SAYS_BYTES];
	json_t *hello = NULL;
	int ret, status;

	*err = (struct rpc_error) { 0 };
	ret = start_ssh(remote);
	if (ret) {
		snprintf(err->text, sizeof(err->text), "ssh cannot be started: %s", strerror(-ret));
		err->error = ret;
		return ret;
	}
	ret = rpc_client_call_fd(remote->fd, "hello",
				 json_pack("{s:i}", "version", REMOTE_VERSION), timeout_ms,
				 &hello, err);
	if (!ret && number_of(hello, "version") < REMOTE_VERSION) {
		json_decref(hello);
		stop_ssh(remote, NULL, 0);
		if (tell)
			message("HSCLA335",
				"The destination console %s lacks the capability relay version %d. Update it.",
				remote->host, REMOTE_VERSION);
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
	status = stop_ssh(remote, text, sizeof(text));
	if (tell)
		tell_no_relay(remote, status, text, err);
	else if (text[0])
		snprintf(err->text, sizeof(err->text), "console %.64s: %.400s", remote->host,
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
	if (remote->pid && remote->owner != getpid())
		stop_ssh(remote, NULL, 0);
	if (!remote->pid) {
		ret = connect_relay(remote, HELLO_TIMEOUT_MS, err, false);
		if (ret) {
			json_decref(request);
			return ret;
		}
	}
	ret = rpc_client_call_fd(remote->fd, "call", request, timeout_ms + RELAY_MARGIN_MS,
				 &outcome, err);
	/* An answer that is late must not be taken for the next one's */
	if (ret && !err->code)
		stop_ssh(remote, NULL, 0);
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
	if (!word_is_safe(ip, REMOTE_HOST_BYTES, ".:-_%")) {
		message("LPM0001",
			"--ip is \"%.64s\"; it must be the name or address of the other console.", ip);
		return NULL;
	}
	if (!user || !word_is_safe(user, REMOTE_USER_BYTES, "._-")) {
		message("LPM0001",
			"-u is \"%.64s\"; it must be the name of a user of the other console.",
			user ? user : "");
		return NULL;
	}
	remote = calloc(1, sizeof(*remote));
	if (!remote)
		return NULL;
	strcpy(remote->host, ip);
	strcpy(remote->user, user);
	return remote;
}

static void free_remote(struct remote *remote)
{
	stop_ssh(remote, NULL, 0);
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
			remote->host, remote->user);
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
			r->host, r->user);
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
	return remote->host;
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
		remote->host, capability);
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
