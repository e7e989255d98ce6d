/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a managed system has (Documentation/managed-system.rst), for those who list it.
 */
#ifndef _HMC_DESCRIBED_H
#define _HMC_DESCRIBED_H

#include "hmc/console.h"

int mover_answers(const struct managed_system *system, const struct msp *msp);

#endif /* _HMC_DESCRIBED_H */
