/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes as the HMC's -i and -f have them: name=value,name=value.
 */
#ifndef _HMC_ATTRIBUTES_H
#define _HMC_ATTRIBUTES_H

#include <jansson.h>

#define ATTRIBUTES_BYTES	32768		/* of a record */
#define ATTRIBUTES_PAIRS	128		/* in a record */
#define ATTRIBUTES_RECORDS	1024		/* in a file */
#define ATTRIBUTES_FILE_BYTES	(1U << 20)
#define ATTRIBUTES_WHY		256		/* bytes of a reason, with its 0 */

int attributes_parse(const char *text, const char *const *known, json_t **attributes,
		     char why[ATTRIBUTES_WHY]);
int attributes_read(const char *path, const char *const *known, json_t **records,
		    char why[ATTRIBUTES_WHY]);
int attributes_next(const char **text, char *pair, char why[ATTRIBUTES_WHY]);

#endif /* _HMC_ATTRIBUTES_H */
