/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a validation found: collected, then told with errors and warnings apart.
 */
#ifndef _HMC_FINDINGS_H
#define _HMC_FINDINGS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "hmc/messages.h"

#define FINDING_BYTES	1536		/* of its text, which is cut there */

/**
 * struct findings - what was found, in the order it was found
 * @list:	array of {code, severity, text, details: [{level, text}]}
 * @notes:	details for what is found next
 * @errors: @warnings: how many
 */
struct findings {
	json_t *list;
	json_t *notes;
	size_t errors;
	size_t warnings;
};

json_t *text_json(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
void findings_init(struct findings *findings);
void findings_release(struct findings *findings);
void findings_add(struct findings *findings, const char *code, enum severity severity,
		  const char *fmt, va_list ap);
void findings_note(struct findings *findings, int level, const char *fmt, va_list ap);
void findings_forget_notes(struct findings *findings);
void findings_print(const struct findings *findings, int detail, bool nodetails);

#endif /* _HMC_FINDINGS_H */
