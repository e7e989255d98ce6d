// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include "credit.h"

/**
 * credit_init() - start a session's account
 * @credit: the account
 * @charge: stream bytes that one download buffer holds, not zero
 * @limit: initial credit in bytes
 */
void credit_init(struct credit *credit, uint32_t charge, uint64_t limit)
{
	*credit = (struct credit) { .charge = charge, .limit = limit };
}

/**
 * credit_cost() - what a frame costs
 * @charge: stream bytes that one download buffer holds
 * @length: bytes of the frame
 */
uint64_t credit_cost(uint32_t charge, uint32_t length)
{
	return ((uint64_t)length + charge - 1) / charge * charge;
}

/**
 * credit_room() - the longest frame that may be sent now
 * @credit: the account
 *
 * Return: bytes, a multiple of the charge; 0: wait for a grant.
 */
uint64_t credit_room(const struct credit *credit)
{
	return (credit->limit - credit->charged) / credit->charge * credit->charge;
}

/**
 * credit_take() - charge a frame
 * @credit: the account
 * @length: bytes of the frame
 *
 * Return: 0, or -ENOBUFS: the frame is longer than credit_room(); nothing is
 * charged.
 */
int credit_take(struct credit *credit, uint32_t length)
{
	uint64_t cost = credit_cost(credit->charge, length);

	if (cost > credit->limit - credit->charged)
		return -ENOBUFS;
	credit->charged += cost;
	return 0;
}

/**
 * credit_grant() - the target granted a new limit
 * @credit: the account
 * @limit: charged position that must not be passed
 *
 * Return: 0, or -EINVAL: the limit would shrink.
 */
int credit_grant(struct credit *credit, uint64_t limit)
{
	if (limit < credit->limit)
		return -EINVAL;
	credit->limit = limit;
	return 0;
}
