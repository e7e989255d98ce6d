// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include "common/log.h"
#include "common/nodump.h"

/**
 * forbid_core_dumps() - this process is not to leave its memory anywhere
 *
 * One byte is too little for a file, and is also what tells the kernel not to
 * start a program that takes cores from a pipe (core(5)), which it does for zero.
 * PR_SET_DUMPABLE would give /proc/self/fd to root, and with it the reopening that
 * makes a partition's window read-only.
 */
void forbid_core_dumps(void)
{
	struct rlimit limit = { 1, 1 };

	/* A hard limit that is lower already cannot be raised, and need not be */
	if (setrlimit(RLIMIT_CORE, &limit) && errno != EPERM)
		log_warning("core dumps could not be switched off: %s", strerror(errno));
}
