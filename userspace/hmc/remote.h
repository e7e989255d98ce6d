/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another console's systems, as if they were this one's: over ssh(1), to the
 * hmcrelay of the other console (Documentation/console-access.rst).
 */
#ifndef _HMC_REMOTE_H
#define _HMC_REMOTE_H

#include <stdbool.h>
#include <jansson.h>

#include "common/rpc.h"

#define REMOTE_RELAY		"hmcrelay"
#define REMOTE_VERSION		1

struct console;
struct managed_system;
struct remote;

/* The other console's systems are added; pointers to systems from before are stale */
int console_add_remote(struct console *console, const char *ip, const char *user);
struct managed_system *console_find_remote(struct console *console, const char *name);
int console_check_remotes(const struct console *console);
void console_drop_remotes(struct console *console);

const char *remote_host(const struct remote *remote);
bool remote_can(const struct remote *remote, const char *capability);
int remote_needs(const struct remote *remote, const char *capability);
int remote_call(struct remote *remote, const char *system, const char *msp,
		const char *method, json_t *params, int timeout_ms, json_t **result,
		struct rpc_error *err);
int remote_test(const char *ip, const char *user);

#endif /* _HMC_REMOTE_H */
