// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/**
 * parse_bytes() - a number of bytes, for rates
 * @text:	a decimal number, perhaps with K, M or G: powers of 1000
 * @bytes:	set on success
 *
 * Return: 0 or -EINVAL.
 */
int parse_bytes(const char *text, int64_t *bytes)
{
	static const char units[] = "KMG";
	unsigned long long number;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return -EINVAL;
		for (; unit >= units; unit--) {
			if (number > INT64_MAX / 1000)
				return -EINVAL;
			number *= 1000;
		}
	}
	if (number > INT64_MAX)
		return -EINVAL;
	*bytes = (int64_t)number;
	return 0;
}
