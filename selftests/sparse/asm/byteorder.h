/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For "make sparse" only: the installed <asm/byteorder.h> has lost its __force
 * casts, so that every conversion would be a warning.  The same functions.
 */
#ifndef _SPARSE_BYTEORDER_H
#define _SPARSE_BYTEORDER_H

#include <endian.h>

#define __be16_to_cpu(value) be16toh(value)
#define __be32_to_cpu(value) be32toh(value)
#define __be64_to_cpu(value) be64toh(value)
#define __cpu_to_be16(value) htobe16(value)
#define __cpu_to_be32(value) htobe32(value)
#define __cpu_to_be64(value) htobe64(value)

#endif /* _SPARSE_BYTEORDER_H */
