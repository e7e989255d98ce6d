/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What commands say to their user on standard error, and the check of what the
 * user says to them.
 */
#ifndef _COMMON_NOTICE_H
#define _COMMON_NOTICE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TEXT_MAX_BYTES	4096		/* of an argument or a setting */

void notice(const char *prefix, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void vprint_line(FILE *file, const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
void vnotice(const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
bool has_control(const char *text);
int text_problem(const char *text, size_t most, char *why, size_t size);
int argument_check(const char *prefix, int number, const char *text);
void option_refused(const char *prefix, int result, const char *word);
int arguments_check(const char *prefix, int argc, char *const *argv);

#endif /* _COMMON_NOTICE_H */
