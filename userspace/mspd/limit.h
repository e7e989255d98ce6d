/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bandwidth limit: a token bucket that may go into debt by one frame.  Pure:
 * the caller says what time it is.
 */
#ifndef _LIMIT_H
#define _LIMIT_H

#include <stdint.h>

/**
 * struct limit - bandwidth limit of one move
 * @rate:	bytes a second; 0 = none
 * @tokens:	bytes that may be sent now; negative: debt
 * @last_ns:	when @tokens was right
 */
struct limit {
	uint64_t rate;
	int64_t tokens;
	uint64_t last_ns;
};

void limit_set(struct limit *limit, uint64_t rate, uint64_t now_ns);
uint64_t limit_wait_ns(struct limit *limit, uint64_t now_ns);
void limit_take(struct limit *limit, uint64_t bytes);
uint64_t limit_frame(const struct limit *limit);

#endif /* _LIMIT_H */
