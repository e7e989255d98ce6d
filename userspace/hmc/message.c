// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages to the user.
 */
#include <ctype.h>
#include <getopt.h>
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
 * unknown_option() - tell the user of an option that getopt_long() did not take
 * @command:	which command
 * @argv:	of it; optind is behind the option
 *
 * Return: EXIT_USAGE.
 */
int unknown_option(const struct command *command, char **argv)
{
	return usage_error(command,
			   "The option \"%.64s\" is unknown, or its value is missing.",
			   argv[optind - 1]);
}

/**
 * unexpected_argument() - tell the user of an argument that is none of the command's
 * @command:	which command
 * @argument:	as it was typed
 *
 * Return: EXIT_USAGE.
 */
int unexpected_argument(const struct command *command, const char *argument)
{
	return usage_error(command, "The argument \"%.64s\" is not expected.", argument);
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
