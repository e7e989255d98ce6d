/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For "make sparse" only: glibc's <endian.h> does not know the __be types, so
 * that every conversion would be a warning.  The same functions, with types.
 */
#ifndef _SPARSE_ENDIAN_H
#define _SPARSE_ENDIAN_H

#include <linux/types.h>

#define __sparse_force __attribute__((force))

#define SPARSE_CONVERSION(bits)						\
static inline __u##bits be##bits##toh(__be##bits value)			\
{									\
	return __builtin_bswap##bits((__sparse_force __u##bits)value);	\
}									\
									\
static inline __be##bits htobe##bits(__u##bits value)			\
{									\
	return (__sparse_force __be##bits)__builtin_bswap##bits(value);	\
}

SPARSE_CONVERSION(16)
SPARSE_CONVERSION(32)
SPARSE_CONVERSION(64)

#endif /* _SPARSE_ENDIAN_H */
