/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partitions of a system's description that have left it, or may have: files in the
 * state directory, which outlive vasi-phypd.  What has one is not made when it starts.
 */
#ifndef _PHYPD_LEFT_H
#define _PHYPD_LEFT_H

#include "phyp/phypd/system.h"

int left_note(const struct system *system, const char *name);
void left_forget(const struct system *system, const char *name);
bool left_is_noted(const struct system *system, const char *name);

#endif /* _PHYPD_LEFT_H */
