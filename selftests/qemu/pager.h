/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PARTITION_PAGER_H
#define PARTITION_PAGER_H

#include <stddef.h>

int pager_register(int device, void *start, size_t bytes);

#endif
