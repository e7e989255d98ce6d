/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Credit of one session, as its sender counts it.  Pure accounting.
 *
 * A frame is charged in whole download buffers (@charge bytes of stream each),
 * because a buffer holds bytes of one frame only.  The charged position never
 * passes the limit that the target has granted, and limits never shrink.
 */
#ifndef _CREDIT_H
#define _CREDIT_H

#include <stdint.h>

/**
 * struct credit - of one session
 * @charge:	stream bytes that one download buffer holds
 * @limit:	charged position that must not be passed
 * @charged:	charged position
 */
struct credit {
	uint32_t charge;
	uint64_t limit;
	uint64_t charged;
};

void credit_init(struct credit *credit, uint32_t charge, uint64_t limit);
uint64_t credit_cost(uint32_t charge, uint32_t length);
uint64_t credit_room(const struct credit *credit);
int credit_take(struct credit *credit, uint32_t length);
int credit_grant(struct credit *credit, uint64_t limit);

#endif /* _CREDIT_H */
