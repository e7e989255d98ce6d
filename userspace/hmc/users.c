// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console's users: what the console file says of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/session.h"

#define USER_BYTES	33

static const char *const role_names[] = {
	[ROLE_NONE]		= "none",
	[ROLE_VIEWER]		= "hmcviewer",
	[ROLE_OPERATOR]		= "hmcoperator",
	[ROLE_SUPERADMIN]	= "hmcsuperadmin",
};

static const char *const granted[] = { "hmcviewer", "hmcoperator", "hmcsuperadmin", NULL };

static const struct rpc_param user_fields[] = {
	{ "name", RPC_STRING, true, .min = 1, .max = USER_BYTES - 1 },
	{ "taskrole", RPC_STRING, true, .one_of = granted },
	{ "resources", RPC_ARRAY, .min = 1, .max = CONSOLE_SYSTEMS },
	{ "description", RPC_STRING, .min = 0, .max = 255 },
	{ }
};

static int check_user(const json_t *user, size_t number, const json_t *users, char *why,
		      size_t size)
{
	struct rpc_error err;
	char where[32];
	json_t *name;
	size_t i;

	snprintf(where, sizeof(where), "users[%zu].", number);
	if (!json_is_object(user)) {
		snprintf(why, size, "%smust be an object", where);
		return -EINVAL;
	}
	if (rpc_check_table(where, user, user_fields, &err)) {
		snprintf(why, size, "%s", err.text);
		return -EINVAL;
	}
	json_array_foreach(json_object_get(user, "resources"), i, name) {
		if (!json_is_string(name) || !name_is_valid(json_string_value(name))) {
			snprintf(why, size, "%sresources must be names of systems", where);
			return -EINVAL;
		}
	}
	for (i = 0; i < number; i++) {
		if (strcmp(text_of(json_array_get(users, i), "name"), text_of(user, "name")))
			continue;
		snprintf(why, size, "%sname is that of an earlier user", where);
		return -EINVAL;
	}
	return 0;
}

/**
 * users_check() - is this a list of users?
 * @users:	of the console file
 * @why:	set to the reason if not
 * @size:	of @why
 *
 * Return: 0 or -EINVAL.
 */
int users_check(const json_t *users, char *why, size_t size)
{
	json_t *user;
	size_t i;

	json_array_foreach(users, i, user)
		if (check_user(user, i, users, why, size))
			return -EINVAL;
	return 0;
}

static enum task_role parse_role(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(role_names); i++)
		if (!strcmp(role_names[i], name))
			return (enum task_role)i;
	return ROLE_NONE;
}

/**
 * users_find() - what a user may do
 * @root:	the console file
 * @name:	of the user, NULL = has none
 * @root_user:	the superuser: whatever the file says
 */
struct console_user users_find(const json_t *root, const char *name, bool root_user)
{
	const json_t *users = json_object_get(root, "users");
	json_t *user;
	size_t i;

	/* Without users, the sockets' permissions decide */
	if (!users || root_user)
		return (struct console_user) { .role = ROLE_SUPERADMIN };
	json_array_foreach(users, i, user)
		if (name && !strcmp(text_of(user, "name"), name))
			return (struct console_user) {
				.role = parse_role(text_of(user, "taskrole")),
				.resources = json_object_get(user, "resources"),
			};
	return (struct console_user) { .role = ROLE_NONE };
}

/**
 * role_name() - the HMC's word for it
 * @role:	the role
 */
const char *role_name(enum task_role role)
{
	return role_names[role];
}

/**
 * role_may() - may a user with this role use a command at all?
 * @role:	the role
 * @command:	its name
 *
 * By the HMC's names of commands, those that only list begin with "ls"; diagrmc lists,
 * too.  hmcrelay looks at each request, lpmtop at each key, and mkauthkeys is about the
 * user's own keys.
 */
bool role_may(enum task_role role, const char *command)
{
	static const char *const of_viewers[] = {
		"diagrmc", "hmcrelay", "lpmtop", "mkauthkeys",
	};

	if (role != ROLE_VIEWER)
		return role != ROLE_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(of_viewers); i++)
		if (!strcmp(of_viewers[i], command))
			return true;
	return !strncmp(command, "ls", 2);
}
