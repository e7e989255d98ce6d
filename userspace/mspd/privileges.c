// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * As little as is needed: another user than root, no capability, no way to get
 * one, no core dump (Documentation/security.rst, "Processes").
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "common/log.h"
#include "mover.h"

static const struct passwd *find_user(const struct config *config)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(config->user);
	if (!user)
		log_error("user %s: %s", config->user,
			  errno ? strerror(errno) : "there is no such user");
	return user;
}

/**
 * privileges_own() - have the user that mspd will run as own a file
 * @config: names it, or does not
 * @fd: the file
 *
 * Return: 0 or -1, with errno.
 */
int privileges_own(const struct config *config, int fd)
{
	const struct passwd *user;

	if (!config->user || geteuid())
		return 0;
	user = find_user(config);
	if (!user) {
		errno = ENOENT;
		return -1;
	}
	return fchown(fd, user->pw_uid, user->pw_gid);
}

static int become(const struct config *config)
{
	const struct passwd *user = find_user(config);

	if (!user)
		return -ENOENT;
	if (initgroups(user->pw_name, user->pw_gid) ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid)) {
		log_error("become user %s: %s", config->user, strerror(errno));
		return -errno;
	}
	return 0;
}

/**
 * privileges_drop() - keep only what is needed
 * @config: the user to run as
 *
 * Context: before threads are started, after what only root can do.
 * Return: 0 or negative errno.
 */
int privileges_drop(const struct config *config)
{
	int ret = 0;

	if (config->user && !geteuid())
		ret = become(config);
	else if (config->user)
		log_info("not started by root: user %s is not used", config->user);
	if (!ret && !geteuid())
		log_warning("runs as root, which it does not need (user)");
	if (!ret && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		log_error("no_new_privs: %s", strerror(errno));
		ret = -errno;
	}
	return ret;
}
