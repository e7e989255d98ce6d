/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef _COMMON_NODUMP_H
#define _COMMON_NODUMP_H

void forbid_core_dumps(void);

#endif /* _COMMON_NODUMP_H */
