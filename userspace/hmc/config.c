// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console file: which systems there are, and where they are reached.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/rpc_internal.h"
#include "common/unixsock.h"
#include "hmc/console.h"
#include "hmc/remote.h"
#include "hmc/session.h"

#define NAME_PARAM	{ "name", RPC_STRING, true, .min = 1, .max = NAME_BYTES - 1 }
#define SOCKET_PARAM	{ "socket", RPC_STRING, true, .min = 1, .max = (int64_t)UNIX_PATH_BYTES }

static const struct rpc_param file_fields[] = {
	{ "systems", RPC_ARRAY, true, .min = 1, .max = CONSOLE_SYSTEMS },
	{ "users", RPC_ARRAY, .max = CONSOLE_USERS },
	{ "audit", RPC_STRING, .min = 1, .max = PATH_MAX - 1 },
	{ }
};

static const struct rpc_param system_fields[] = {
	NAME_PARAM,
	SOCKET_PARAM,
	{ "msps", RPC_ARRAY, .min = 0, .max = CONSOLE_MSPS },
	{ }
};

static const struct rpc_param msp_fields[] = {
	NAME_PARAM,
	SOCKET_PARAM,
	{ "lpar_id", RPC_INTEGER, true, .min = 1, .max = 65535 },
	{ "device", RPC_STRING, true, .min = 1, .max = NAME_BYTES - 1 },
	{ "address", RPC_STRING, true, .min = 1, .max = INET6_ADDRSTRLEN },
	{ }
};

static int refuse(const char *path, const char *where, const char *why)
{
	message("LPM0002",
		"The console file %.256s cannot be used: %s%s. See console(5) for what it must hold.",
		path, where, why);
	return -EINVAL;
}

static int check_object(const char *path, const char *where, const json_t *object,
			const struct rpc_param *fields)
{
	struct rpc_error err;

	if (!json_is_object(object))
		return refuse(path, where, "must be an object");
	if (rpc_check_table(where, object, fields, &err))
		return refuse(path, "", err.text);
	return 0;
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 ||
	       inet_pton(AF_INET6, text, &address) == 1;
}

static int read_msp(const char *path, const char *where, const json_t *object,
		    struct managed_system *system)
{
	struct msp *msp = &system->msps[system->nmsps];

	if (check_object(path, where, object, msp_fields))
		return -EINVAL;
	msp->name = text_of(object, "name");
	msp->socket = text_of(object, "socket");
	msp->device = text_of(object, "device");
	msp->address = text_of(object, "address");
	msp->lpar_id = (uint32_t)number_of(object, "lpar_id");
	if (!name_is_valid(msp->name))
		return refuse(path, where,
			      "name must be printable ASCII without \"/\", \",\" and quotes");
	if (!is_address(msp->address))
		return refuse(path, where, "address must be an IPv4 or IPv6 address");
	for (size_t i = 0; i < system->nmsps; i++)
		if (!strcmp(system->msps[i].name, msp->name))
			return refuse(path, where, "name is that of an earlier MSP");
	system->nmsps++;
	return 0;
}

static struct managed_system *find_named(struct console *console, const char *name)
{
	for (size_t i = 0; i < console->nsystems; i++)
		if (!strcmp(console->systems[i].name, name))
			return &console->systems[i];
	return NULL;
}

static int read_system(const char *path, const char *where, const json_t *object,
		       struct console *console)
{
	struct managed_system *system = &console->systems[console->nsystems];
	char inner[64];
	size_t i;
	json_t *msp;

	if (check_object(path, where, object, system_fields))
		return -EINVAL;
	system->name = text_of(object, "name");
	system->socket = text_of(object, "socket");
	if (!name_is_valid(system->name))
		return refuse(path, where,
			      "name must be printable ASCII without \"/\", \",\" and quotes");
	if (find_named(console, system->name))
		return refuse(path, where, "name is that of an earlier system");
	json_array_foreach(json_object_get(object, "msps"), i, msp) {
		snprintf(inner, sizeof(inner), "%smsps[%zu].", where, i);
		if (read_msp(path, inner, msp, system))
			return -EINVAL;
	}
	console->nsystems++;
	return 0;
}

static int read_systems(const char *path, struct console *console)
{
	const json_t *systems = json_object_get(console->root, "systems");
	char where[32], why[256];
	json_t *system;
	size_t i;

	if (check_object(path, "", console->root, file_fields))
		return -EINVAL;
	if (users_check(json_object_get(console->root, "users"), why, sizeof(why)))
		return refuse(path, "", why);
	console->systems = calloc(json_array_size(systems), sizeof(*console->systems));
	if (!console->systems)
		return -ENOMEM;
	json_array_foreach(systems, i, system) {
		snprintf(where, sizeof(where), "systems[%zu].", i);
		if (read_system(path, where, system, console))
			return -EINVAL;
	}
	return 0;
}

/* The whole file, at most CONSOLE_FILE_BYTES of it */
static char *read_file(const char *path, int fd, size_t *length)
{
	struct stat st;
	ssize_t got = 1;
	char *text;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		refuse(path, "", "it is no regular file");
		return NULL;
	}
	text = malloc(CONSOLE_FILE_BYTES + 1);
	if (!text)
		return NULL;
	for (*length = 0; got > 0 && *length <= CONSOLE_FILE_BYTES; *length += (size_t)got) {
		got = read(fd, text + *length, CONSOLE_FILE_BYTES + 1 - *length);
		if (got < 0)
			break;
	}
	if (got >= 0 && *length <= CONSOLE_FILE_BYTES)
		return text;
	refuse(path, "", got < 0 ? strerror(errno) : "it is longer than 1 MiB");
	free(text);
	return NULL;
}

/* In a process with a group's rights nobody chooses what they are lent for */
static const char *console_path(const char *path)
{
	if (getauxval(AT_SECURE))
		return CONSOLE_FILE;
	if (!path)
		path = getenv("LPM_CONSOLE");
	return path ? path : CONSOLE_FILE;
}

/**
 * console_peek() - what is in the console file, if anything is
 * @path:	NULL: as console_open()
 *
 * For who has to know what it says beside the systems; nothing was checked, and nobody
 * is told.
 *
 * Return: an object that is the caller's, or NULL.
 */
json_t *console_peek(const char *path)
{
	int fd = open(console_path(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	json_t *root = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= CONSOLE_FILE_BYTES)
		root = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	return root;
}

static int read_console(const char *path, struct console *console, const char *chosen)
{
	int ret = read_systems(path, console);

	return ret ? ret : session_open(console, chosen);
}

/**
 * console_open() - read the console file
 * @path:	NULL: $LPM_CONSOLE, or the default
 * @console:	filled in; to be closed also after an error
 *
 * Return: 0, or a negative errno; the user has been told.
 */
int console_open(const char *path, struct console *console)
{
	const char *chosen = path;
	json_error_t error;
	size_t length;
	char why[256];
	char *text;

	*console = (struct console) { .fd = -1 };
	/* A file that is not theirs to choose is not even opened; session_open() refuses */
	path = console_path(session_is_restricted() ? NULL : path);
	/* Not to wait for the writer of a FIFO */
	console->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (console->fd < 0)
		return refuse(path, "", strerror(errno));
	text = read_file(path, console->fd, &length);
	if (!text)
		return -EINVAL;
	console->root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (console->root)
		return read_console(path, console, chosen);
	snprintf(why, sizeof(why), "line %d, column %d: %.160s", error.line,
		 error.column, error.text);
	return refuse(path, "", why);
}

void console_close(struct console *console)
{
	console_drop_remotes(console);
	if (console->fd >= 0)
		close(console->fd);
	free(console->systems);
	free(console->hidden);
	json_decref(console->root);
	*console = (struct console) { .fd = -1 };
}

/* tttt-mmm*sssssss: machine type, model and serial number */
static bool is_serial_form(const char *name)
{
	return strlen(name) == 16 && name[4] == '-' && name[8] == '*';
}

/* Its serial number is only known to the system itself */
static bool has_serial(const struct managed_system *system, const char *name)
{
	json_t *inventory = NULL;
	struct rpc_error err;
	char text[64];

	if (system_call(system, "system.inventory", NULL, &inventory, &err))
		return false;
	snprintf(text, sizeof(text), "%s*%s", text_of(inventory, "type_model"),
		 text_of(inventory, "serial_num"));
	json_decref(inventory);
	return !strcmp(text, name);
}

/**
 * console_reopen() - have the file open for oneself
 * @console:	that of the process one was forked from, whose lock it would share
 *
 * Return: 0 or a negative errno.
 */
int console_reopen(struct console *console)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", console->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	close(console->fd);
	console->fd = fd;
	return 0;
}

/**
 * console_find() - find a system by name
 * @console:	the console
 * @name:	its name, or tttt-mmm*sssssss, for which the systems are asked
 *
 * Return: the system, or NULL.
 */
struct managed_system *console_find(struct console *console, const char *name)
{
	struct managed_system *system = find_named(console, name);

	for (size_t i = 0; !system && is_serial_form(name) && i < console->nsystems; i++)
		if (has_serial(&console->systems[i], name))
			system = &console->systems[i];
	return system;
}

/**
 * console_find_peer() - find the other end of a move by the name that its system has
 * @console:	the console
 * @name:	of the other system
 *
 * Return: the system, also one that the user does not see, or NULL.
 */
struct managed_system *console_find_peer(struct console *console, const char *name)
{
	for (size_t i = 0; i < console->nhidden; i++)
		if (!strcmp(console->hidden[i].name, name))
			return &console->hidden[i];
	return find_named(console, name);
}

/**
 * console_no_system() - tell the user that console_find() found nothing
 * @console:	the console
 * @option:	which names the system
 * @name:	of the system
 */
void console_no_system(const struct console *console, const char *option, const char *name)
{
	json_t *system;
	size_t i;

	json_array_foreach(json_object_get(console->root, "systems"), i, system) {
		if (strcmp(text_of(system, "name"), name))
			continue;
		message("HSCL350B",
			"User %s is not authorised for system %s, which %s names: the resources of that user in the console file do not. Ask whoever administers this console.",
			session_user(), name, option);
		return;
	}
	message("LPM0004",
		"%s names the system \"%.64s\", which the console file does not have. List those it has with lssyscfg -r sys -F name.",
		option, name);
}

static void set_deadlines(struct managed_system *systems, size_t count, uint64_t deadline_ns)
{
	for (struct managed_system *s = systems; s < systems + count; s++) {
		s->deadline_ns = deadline_ns;
		for (size_t i = 0; i < s->nmsps; i++)
			s->msps[i].deadline_ns = deadline_ns;
	}
}

/**
 * console_set_deadline() - limit how long calls may take
 * @console:	the console
 * @deadline_ns: they are answered by then, of now_ns(), or fail; 0 = no limit but
 *		their own
 */
void console_set_deadline(struct console *console, uint64_t deadline_ns)
{
	set_deadlines(console->systems, console->nsystems, deadline_ns);
	set_deadlines(console->hidden, console->nhidden, deadline_ns);
}

/**
 * console_lock() - keep other commands from ending moves at the same time
 * @console:	the console
 * @wait:	wait until they are done
 *
 * Return: 0, or a negative errno.
 */
int console_lock(struct console *console, bool wait)
{
	while (flock(console->fd, LOCK_EX | (wait ? 0 : LOCK_NB)))
		if (errno != EINTR)
			return -errno;
	return 0;
}

void console_unlock(struct console *console)
{
	flock(console->fd, LOCK_UN);
}
