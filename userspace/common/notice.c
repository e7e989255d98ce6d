// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Lines for the user on standard error.  What they quote may come from anywhere:
 * none of it reaches the terminal as it is.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>

#include "common/notice.h"

#define NOTICE_BYTES	2048

/**
 * vprint_line() - print a line, none of which reaches a terminal as it is
 * @file:	where to
 * @prefix:	stands in front, with its separator
 * @fmt:	as for printf, without newline; what is not printable ASCII is shown as
 *		"?", and what is longer than 2 KiB is cut
 * @ap:		its arguments
 */
void vprint_line(FILE *file, const char *prefix, const char *fmt, va_list ap)
{
	char text[NOTICE_BYTES];

	if (vsnprintf(text, sizeof(text), fmt, ap) >= (int)sizeof(text))
		strcpy(text + sizeof(text) - 4, "...");
	for (char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	fprintf(file, "%s%s\n", prefix, text);
}

/**
 * vnotice() - as notice(), with the arguments in a list
 * @prefix:	stands in front, with its separator
 * @fmt:	as for printf
 * @ap:		its arguments
 */
void vnotice(const char *prefix, const char *fmt, va_list ap)
{
	vprint_line(stderr, prefix, fmt, ap);
}

/**
 * notice() - tell the user something, in one line
 * @prefix:	stands in front, with its separator: "mspctl: "
 * @fmt:	as for printf, without newline; what is not printable ASCII is shown as
 *		"?", and what is longer than 2 KiB is cut
 */
void notice(const char *prefix, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vnotice(prefix, fmt, ap);
	va_end(ap);
}

/* C0, DEL, and C1 in UTF-8: they would steer a terminal, or end a line */
static const char *find_control(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80))
			return text;
	}
	return NULL;
}

/**
 * has_control() - is there anything in a text that would steer a terminal?
 * @text:	UTF-8
 */
bool has_control(const char *text)
{
	return find_control(text);
}

/**
 * text_problem() - may this be an argument or a setting?
 * @text:	UTF-8 without control characters
 * @most:	bytes that are allowed
 * @why:	set to the reason if not; it follows the name of what it is about
 * @size:	of @why
 *
 * Return: 0 or -EINVAL.
 */
int text_problem(const char *text, size_t most, char *why, size_t size)
{
	size_t length = strlen(text);
	const char *control;
	json_t *string;

	if (length > most) {
		snprintf(why, size, "has %zu bytes; at most %zu are allowed", length, most);
		return -EINVAL;
	}
	control = find_control(text);
	if (control) {
		snprintf(why, size, "has a control character (0x%02x) at byte %zu; text is allowed",
			 (unsigned char)*control, (size_t)(control - text));
		return -EINVAL;
	}
	string = json_string(text);
	if (!string) {
		snprintf(why, size, "is not valid UTF-8; text is allowed");
		return -EINVAL;
	}
	json_decref(string);
	return 0;
}

/**
 * argument_check() - refuse an argument that no command has a use for
 * @prefix:	for the message
 * @number:	which argument
 * @text:	the argument
 *
 * After this, it may be quoted in an error message.
 *
 * Return: 0, or -EINVAL: the user has been told.
 */
int argument_check(const char *prefix, int number, const char *text)
{
	char why[128];

	if (!text_problem(text, TEXT_MAX_BYTES, why, sizeof(why)))
		return 0;
	notice(prefix, "argument %d (\"%.40s\") %s", number, text, why);
	return -EINVAL;
}

/**
 * arguments_check() - argument_check() of all arguments
 * @prefix:	for the message
 * @argc:	of main()
 * @argv:	of main()
 *
 * Return: 0, or -EINVAL: the user has been told.
 */
int arguments_check(const char *prefix, int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++)
		if (argument_check(prefix, i, argv[i]))
			return -EINVAL;
	return 0;
}

/**
 * option_refused() - say what is wrong with an option, instead of getopt_long()
 * @prefix:	for the message
 * @result:	of getopt_long() with opterr 0 and ":" in front of its short options
 * @word:	the argument before optind
 */
void option_refused(const char *prefix, int result, const char *word)
{
	if (result == ':')
		notice(prefix, "option \"%.64s\" needs a value", word);
	else
		notice(prefix, "option \"%.64s\" is unknown, or takes no value", word);
}
