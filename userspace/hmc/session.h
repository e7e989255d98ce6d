/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who runs a command, what that user may do, and the record of it
 * (Documentation/console-access.rst).
 *
 * A process runs one command for one user: that is what the state here is about, and
 * why it belongs to the process.
 */
#ifndef _HMC_SESSION_H
#define _HMC_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "hmc/console.h"

#define SESSION_SHELL	"LPM_SHELL"	/* set by hmcsh: files are the console's choice */

/**
 * enum task_role - what a user may do
 * @ROLE_NONE:	nothing
 * @ROLE_VIEWER: list
 * @ROLE_OPERATOR: whatever the console does
 * @ROLE_SUPERADMIN: likewise, and for other consoles' partitions choose files of this machine
 */
enum task_role {
	ROLE_NONE,
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_SUPERADMIN,
};

/**
 * struct console_user - a user as the console file has it
 * @role:	what may be done
 * @resources:	array of names of systems, borrowed; NULL = all of them
 */
struct console_user {
	enum task_role role;
	const json_t *resources;
};

/* users.c */
int users_check(const json_t *users, char *why, size_t size);
struct console_user users_find(const json_t *root, const char *name, bool root_user);
const char *role_name(enum task_role role);
bool role_may(enum task_role role, const char *command);

/* session.c */
void session_begin(const char *command, int argc, char **argv);
int session_open(struct console *console, const char *path);
int session_note(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
int session_end(int status);
bool session_may_change(void);
bool session_may_name_files(void);
bool session_may_see(const char *system);
const char *session_user(void);
bool session_is_restricted(void);
void session_refused(const char *path, char **words, const char *why);
void session_refused_line(const char *path, const char *line, const char *why);

/* audit.c */
int audit_open(const char *path);
int audit_write(int fd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
char *audit_quote(int argc, char **argv);
char *audit_quote_line(const char *line);

#endif /* _HMC_SESSION_H */
