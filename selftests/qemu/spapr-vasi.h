/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the device shares with the plug-in that it is part of. */
#ifndef SPAPR_VASI_H
#define SPAPR_VASI_H

#include "hw/ppc/spapr.h"

void spapr_vasi_announce(SpaprMachineState *spapr, const char *functions, size_t bytes);
#ifdef SPAPR_VASI_PLUGIN
/* @why_not: why this QEMU is to have no device, or NULL */
void spapr_vasi_register(const char *why_not);
#endif

#endif
