/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapping files, where it can be done with huge pages.
 */
#ifndef _MAP_H
#define _MAP_H

#include <stdint.h>

/* What a huge page maps on x86-64, arm64 and Power (radix) */
#define MAP_HUGE_BYTES	(2ULL << 20)

void *map_shared(int fd, uint64_t bytes, int prot);
void map_collapse(void *base, uint64_t bytes);

#endif /* _MAP_H */
