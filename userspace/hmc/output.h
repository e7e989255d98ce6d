/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the list commands print: records, by the HMC's rules or as JSON.
 */
#ifndef _HMC_OUTPUT_H
#define _HMC_OUTPUT_H

#include <stdbool.h>
#include <jansson.h>

#include "hmc/console.h"

/**
 * struct listing - how a list command prints
 * @fields:	for -F, separated by commas or colons; NULL: all, with their names
 * @values:	-F was given
 * @header:	--header was given
 * @json:	--json was given
 */
struct listing {
	const char *fields;
	bool values;
	bool header;
	bool json;
};

/**
 * struct attributes - what a resource has
 * @fields:	in the order of output, NULL behind the last
 * @more:	likewise; only printed when -F names them.  May be NULL
 */
struct attributes {
	const char *const *fields;
	const char *const *more;
};

int listing_check(const struct command *command, const struct listing *listing,
		  const struct attributes *known);
void listing_print(const struct listing *listing, const struct attributes *known,
		   const json_t *records);

/* Members of a record are strings, as the HMC writes them */
void set_text(json_t *record, const char *name, const char *value);
void set_number(json_t *record, const char *name, int64_t value);
void set_flag(json_t *record, const char *name, bool value);
void set_units(json_t *record, const char *name, double value);
void set_time(json_t *record, const char *name, int64_t seconds);
void set_list(json_t *record, const char *name, const json_t *array, const char *nothing);
void set_member(json_t *record, const char *name, const json_t *source, const char *member);
void set_members(json_t *record, const json_t *source, const char *const *names);

#endif /* _HMC_OUTPUT_H */
