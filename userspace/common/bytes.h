/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers of bytes as users type them.
 */
#ifndef _COMMON_BYTES_H
#define _COMMON_BYTES_H

#include <stdint.h>

int parse_bytes(const char *text, int64_t *bytes);

#endif /* _COMMON_BYTES_H */
