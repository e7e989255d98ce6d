// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of another console that manages one of the systems (--ip).  That it can be
 * reached, and trusts this one, was found before: otherwise nothing is known of its
 * systems.
 */
#include "common/util.h"
#include "hmc/remote.h"
#include "hmc/validate.h"

/* What a migration needs of it, as its relay says what it can */
static const char *const needed[] = { "lpar_uuid", "inventory" };

static void check_console(struct validation *v, const struct remote *remote)
{
	if (!remote)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		note(v, 5, "console %s: %s wanted", remote_host(remote), needed[i]);
		if (remote_can(remote, needed[i]))
			passed(v, "the console %s has the capability %s", remote_host(remote),
			       needed[i]);
		else
			found(v, "HSCLA335",
			      "The destination console %s lacks the capability %s; a migration between two consoles needs it on both. Update it.",
			      remote_host(remote), needed[i]);
	}
}

static void check_consoles(struct validation *v)
{
	check_console(v, v->source.system->remote);
	check_console(v, v->target.system->remote);
}

const struct check console_checks[] = {
	{ "console", { SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }, NEEDS_NOTHING,
	  { "HSCLA335" }, "the console that manages the target can do what is needed",
	  check_consoles },
	{ }
};
