/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lslparmigr -r virtualio.
 */
#ifndef _HMC_VIRTUALIO_H
#define _HMC_VIRTUALIO_H

#include "hmc/query.h"

extern const char *const virtualio_fields[];

int list_virtualio(struct query *query);

#endif /* _HMC_VIRTUALIO_H */
