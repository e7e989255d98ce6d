/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choosing movers.
 */
#ifndef _HMC_MOVERS_H
#define _HMC_MOVERS_H

#include "hmc/validate.h"

void choose_movers(struct validation *v);

#endif /* _HMC_MOVERS_H */
