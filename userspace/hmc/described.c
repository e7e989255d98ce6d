// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a managed system has (Documentation/managed-system.rst), for those who list it.
 */
#include <errno.h>

#include "hmc/described.h"

/**
 * mover_answers() - is a mover there?
 * @system:	its system
 * @msp:	the mover
 *
 * Return: 1 or 0; -EACCES: the user may not know, and has been told.
 */
int mover_answers(const struct managed_system *system, const struct msp *msp)
{
	struct rpc_error err;

	if (!msp_call(msp, "info", NULL, NULL, &err))
		return 1;
	if (!call_forbidden(&err))
		return 0;
	msp_message(system, msp, "describe itself", &err);
	return -EACCES;
}
