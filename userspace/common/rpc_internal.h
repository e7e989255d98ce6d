/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the JSON-RPC code share.
 */
#ifndef _RPC_INTERNAL_H
#define _RPC_INTERNAL_H

#include "common/rpc.h"

int rpc_parse_line(const char *line, size_t length, json_t **root,
		   struct rpc_error *err);

#endif /* _RPC_INTERNAL_H */
