// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who runs a command, whether that user may, and the record of it.
 */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "hmc/session.h"

#define FROM_BYTES	80

static struct {
	const char *command;
	char *line;
	char user[64];
	char from[FROM_BYTES];
	struct console_user rights;
	json_t *root;		/* holds the resources */
	int audit;
	bool opened;
	bool began;
	bool refused;
} session = {
	.command = "", .user = "?", .from = "local", .audit = -1,
	.rights = { .role = ROLE_SUPERADMIN },
};

/* By the real user: who is let in is decided before this program runs */
static void find_user(void)
{
	const struct passwd *user = getpwuid(getuid());

	if (user)
		snprintf(session.user, sizeof(session.user), "%s", user->pw_name);
	else
		snprintf(session.user, sizeof(session.user), "#%u", getuid());
}

/* "address port ..." as sshd has it; whoever is here otherwise can say anything */
static void find_origin(void)
{
	const char *text = getenv("SSH_CONNECTION");
	size_t used = 0;

	if (!text)
		return;
	for (int spaces = 0; *text && used < FROM_BYTES - 1; text++) {
		if (*text == ' ' && spaces++)
			break;
		if (*text == ' ')
			session.from[used++] = ':';
		else if (isalnum((unsigned char)*text) || strchr(".:%", *text))
			session.from[used++] = *text;
		else
			session.from[used++] = '?';
	}
	session.from[used] = '\0';
}

/**
 * session_begin() - a command is to be run
 * @command:	its name
 * @argc:	of the command
 * @argv:	of the command
 */
void session_begin(const char *command, int argc, char **argv)
{
	session.command = command;
	session.line = audit_quote(argc, argv);
	find_user();
	find_origin();
}

static const char *words(void)
{
	return session.line ? session.line : session.command;
}

static int not_recorded(int ret)
{
	message("LPM0504",
		"The audit file %.256s cannot be written: %s; what is not recorded is not done. Make it, for the console's users to write.",
		text_of(session.root, "audit"), strerror(-ret));
	session.refused = true;
	return -EACCES;
}

static int open_audit(const json_t *root)
{
	const char *path = text_of(root, "audit");

	if (!*path || session.audit >= 0)
		return 0;
	session.audit = audit_open(path);
	return session.audit < 0 ? session.audit : 0;
}

static int record(const char *what)
{
	return audit_write(session.audit,
			   "user=%s uid=%u from=%s pid=%d role=%s %s command=%s",
			   session.user, getuid(), session.from, (int)getpid(),
			   role_name(session.rights.role), what, words());
}

static int refuse(const char *why)
{
	session.refused = true;
	session.began = true;
	record("refused");
	message("HSCL350B", "User %s is not authorised for %s: %s.", session.user,
		session.command, why);
	return -EACCES;
}

static int refuse_role(void)
{
	if (session.rights.role == ROLE_NONE)
		return refuse("the console file names no such user. Ask whoever administers this console");
	return refuse("its task role is hmcviewer, which may only list. A user with the task role hmcoperator may");
}

/* Systems that are not the user's are put aside */
static int hide_systems(struct console *console)
{
	size_t left = 0;

	console->hidden = calloc(console->nsystems + 1, sizeof(*console->hidden));
	if (!console->hidden)
		return -ENOMEM;
	for (size_t i = 0; i < console->nsystems; i++) {
		if (session_may_see(console->systems[i].name))
			console->systems[left++] = console->systems[i];
		else
			console->hidden[console->nhidden++] = console->systems[i];
	}
	console->nsystems = left;
	return 0;
}

/**
 * session_open() - the console file was read: may this user go on?
 * @console:	the console; systems that are not the user's are hidden
 * @path:	of a file that the user chose, NULL = none
 *
 * Return: 0, or a negative errno; the user has been told, and it was recorded.
 */
int session_open(struct console *console, const char *path)
{
	int ret;

	json_decref(session.root);
	session.root = json_incref(console->root);
	ret = open_audit(console->root);
	if (ret)
		return not_recorded(ret);
	session.opened = true;
	session.rights = users_find(console->root, session.user, !getuid());
	if (path && session_is_restricted())
		return refuse("--console is not for users of this shell; leave it out");
	if (!role_may(session.rights.role, session.command))
		return refuse_role();
	if (hide_systems(console))
		return refuse("there is no memory");
	ret = session.began ? 0 : record("begin");
	session.began = true;
	return ret ? not_recorded(ret) : 0;
}

/**
 * session_note() - record something that a command did
 * @fmt:	as for printf
 *
 * Return: 0 or a negative errno: it is not in the audit file.
 */
int session_note(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return record(text);
}

/* What never came as far as the console: wrong usage, mostly */
static void record_unopened(int status)
{
	json_t *file = console_peek(NULL);
	char what[32];

	session.rights = users_find(file, session.user, !getuid());
	if (*text_of(file, "audit"))
		session.audit = audit_open(text_of(file, "audit"));
	snprintf(what, sizeof(what), "refused status=%d", status);
	record(what);
	json_decref(file);
}

/**
 * session_end() - a command has ended
 * @status:	its exit status
 *
 * Return: the status that is to be the user's.
 */
int session_end(int status)
{
	char what[32];

	if (session.refused)
		status = EXIT_FAILED;
	if (session.opened && !session.refused) {
		snprintf(what, sizeof(what), "end status=%d", status);
		record(what);
	} else if (!session.refused && status) {
		record_unopened(status);
	}
	if (session.audit >= 0)
		close(session.audit);
	session.audit = -1;
	json_decref(session.root);
	session.root = NULL;
	free(session.line);
	session.line = NULL;
	return status;
}

/**
 * session_may_change() - may the user do more than look?
 *
 * For commands that a viewer may use; the others are not run at all.
 */
bool session_may_change(void)
{
	return session.rights.role >= ROLE_OPERATOR;
}

/**
 * session_may_name_files() - may the user say which files and arguments a partition has?
 *
 * The console's own commands take none; hmcrelay may be asked to hand them on.
 */
bool session_may_name_files(void)
{
	return session.rights.role >= ROLE_SUPERADMIN;
}

/**
 * session_may_see() - is a system one of the user's?
 * @system:	its name
 */
bool session_may_see(const char *system)
{
	json_t *name;
	size_t i;

	if (!session.rights.resources)
		return true;
	json_array_foreach(session.rights.resources, i, name)
		if (!strcmp(json_string_value(name), system))
			return true;
	return false;
}

/**
 * session_user() - the name of whoever runs this
 */
const char *session_user(void)
{
	return session.user;
}

/**
 * session_is_restricted() - does the user have no say in where the console file is?
 *
 * In hmcsh; and where the program is installed with a group's rights, which are lent
 * for the systems of the console's file only.
 */
bool session_is_restricted(void)
{
	return getauxval(AT_SECURE) || getenv(SESSION_SHELL);
}

/* Takes @quoted over */
static void record_refused(const char *path, char *quoted, const char *why)
{
	json_t *file = console_peek(path ? path : CONSOLE_FILE);
	int fd = *text_of(file, "audit") ? audit_open(text_of(file, "audit")) : -1;

	find_user();
	find_origin();
	audit_write(fd, "user=%s uid=%u from=%s pid=%d shell refused line=%s why=\"%s\"",
		    session.user, getuid(), session.from, (int)getpid(),
		    quoted ? quoted : "", why);
	free(quoted);
	if (fd >= 0)
		close(fd);
	json_decref(file);
}

/**
 * session_refused() - record a command that the shell did not run
 * @path:	of the console file, NULL = the default
 * @words:	what was typed, ended by NULL
 * @why:	it is refused
 */
void session_refused(const char *path, char **words, const char *why)
{
	int count = 0;

	while (words[count])
		count++;
	record_refused(path, audit_quote(count, words), why);
}

/**
 * session_refused_line() - record a line of which the shell ran nothing
 * @path:	of the console file, NULL = the default
 * @line:	what was typed
 * @why:	it is refused
 */
void session_refused_line(const char *path, const char *line, const char *why)
{
	record_refused(path, audit_quote_line(line), why);
}
