/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The config of a partition: what moves as its profile (Documentation/managed-system.rst).
 */
#ifndef _PHYPD_CONFIG_H
#define _PHYPD_CONFIG_H

#include "phyp/phypd/member.h"

#define CONFIG_MAX_ADAPTERS	64
#define CONFIG_MAX_PROFILES	16
/* With its history it has to fit a request (RPC_MAX_LINE) that makes a partition */
#define CONFIG_MAX_BYTES	32768

extern const struct rpc_param config_fields[];

json_t *config_checked(const char *where, const json_t *config, struct rpc_error *err);
json_t *config_merged(const char *where, const json_t *config, const json_t *patch,
		      struct rpc_error *err);

#endif /* _PHYPD_CONFIG_H */
