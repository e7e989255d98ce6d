// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages to the user.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/notice.h"
#include "hmc/console.h"

/* A name in a message may hold anything: notice() lets none of it through as is */
static void print_code(const char *code, const char *fmt, va_list ap)
{
	char prefix[16];

	snprintf(prefix, sizeof(prefix), "%s ", code);
	vnotice(prefix, fmt, ap);
}

/**
 * message() - tell the user what went wrong, on standard error
 * @code:	HSC...: IBM's, with IBM's meaning; LPM...: this project's
 * @fmt:	what was found, what was expected, and what to do
 */
void message(const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_code(code, fmt, ap);
	va_end(ap);
}

/**
 * usage_error() - tell the user that the command line is wrong
 * @command:	which command
 * @fmt:	why
 *
 * Return: EXIT_USAGE.
 */
int usage_error(const struct command *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_code("LPM0001", fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try '%s --help'.\n", command->name);
	return EXIT_USAGE;
}

/**
 * name_is_valid() - may a system, an MSP or a partition have this name?
 * @name:	1 to 31 printable ASCII characters, none of them "/", "," or '"'
 */
bool name_is_valid(const char *name)
{
	size_t length = strnlen(name, NAME_BYTES);

	if (!length || length == NAME_BYTES)
		return false;
	for (; *name; name++)
		if (!isprint((unsigned char)*name) || strchr("/,\"", *name))
			return false;
	return true;
}
