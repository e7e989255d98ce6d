// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The record of who did what: a line in the system's log, and one in a file if the
 * console file names one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/session.h"

#define AUDIT_LINE_BYTES	8192
#define AUDIT_COMMAND_BYTES	4096

/**
 * audit_open() - open the file that lines are added to
 * @path:	it must be there: who makes it decides who may read it
 *
 * Return: a file descriptor or a negative errno.
 */
int audit_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -EINVAL;
}

/**
 * audit_write() - add a line
 * @fd:		of audit_open(), negative = only to the system's log
 * @fmt:	without time and newline; printable
 *
 * Return: 0 or a negative errno: it is not in the file.
 */
int audit_write(int fd, const char *fmt, ...)
{
	char line[AUDIT_LINE_BYTES];
	struct timespec now;
	struct tm tm;
	size_t used;
	va_list ap;
	int ret;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	used += (size_t)snprintf(line + used, sizeof(line) - used, ".%03ldZ ",
				 now.tv_nsec / 1000000);
	va_start(ap, fmt);
	vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	va_end(ap);
	openlog("hmc", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_NOTICE, "%s", line + used);
	closelog();
	strcat(line, "\n");
	/* One write a line, so that lines of several commands do not mix */
	errno = ENOSPC;
	if (fd < 0 || write(fd, line, strlen(line)) == (ssize_t)strlen(line))
		return 0;
	ret = -errno;
	syslog(LOG_AUTHPRIV | LOG_ERR, "the audit file cannot be written: %s", strerror(-ret));
	return ret;
}

/* Bytes that a word is made of as they are: no quotes are needed */
static bool is_plain(const char *word)
{
	if (!*word)
		return false;
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && !strchr("-_./,:=@%+", *word))
			return false;
	return true;
}

/* A word in quotes: what is not printable is shown as \xNN; at most @length of its bytes */
static size_t quote(char *to, const char *word, size_t length)
{
	char *out = to;

	if (is_plain(word) && strlen(word) <= length)
		return (size_t)(stpcpy(to, word) - to);
	*out++ = '\'';
	for (; *word && length; word++, length--) {
		if (*word == '\'' || *word == '\\')
			*out++ = '\\';
		if (isprint((unsigned char)*word))
			*out++ = *word;
		else
			out += sprintf(out, "\\x%02x", (unsigned char)*word);
	}
	*out++ = '\'';
	*out = '\0';
	return (size_t)(out - to);
}

/* Options of which getopt_long() takes any beginning that is theirs alone */
static const struct {
	const char *name;
	size_t least;
} secrets[] = {
	{ "--passwd", sizeof("--p") - 1 },
	{ "--localpasswd", sizeof("--lo") - 1 },
};

/* Is this an option whose value has to stay unknown?  The length of its name, or 0 */
static size_t secret_length(const char *word)
{
	size_t length = strcspn(word, "= \t\n'\"\\");

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (length >= secrets[i].least && length <= strlen(secrets[i].name) &&
		    !strncmp(word, secrets[i].name, length))
			return length;
	return 0;
}

/* What is recorded of a word */
static const char *shown(char **argv, int i)
{
	size_t length = i ? secret_length(argv[i - 1]) : 0;

	if (length && !argv[i - 1][length])
		return "***";
	length = secret_length(argv[i]);
	return length && argv[i][length] == '=' ? "--passwd=***" : argv[i];
}

/**
 * audit_quote_line() - a line that is no command line, for a line of the record
 * @line:	what was typed; nothing of it behind an option that names a password
 *
 * Return: as audit_quote().
 */
char *audit_quote_line(const char *line)
{
	const char *end = line;
	char *known, *quoted;

	while ((end = strstr(end, "--")) && !secret_length(end))
		end += 2;
	known = end ? strndup(line, (size_t)(end - line) + secret_length(end)) : strdup(line);
	if (!known)
		return NULL;
	quoted = audit_quote(end ? 2 : 1, (char *[]){ known, (char *)"***", NULL });
	free(known);
	return quoted;
}

/**
 * audit_quote() - a command line, for a line of the record
 * @argc:	how many words
 * @argv:	the words; passwords are left out
 *
 * Return: the caller's, or NULL; longer ones are cut at 4 KiB.
 */
char *audit_quote(int argc, char **argv)
{
	/* A byte of a word takes four at most; quotes, a space and "..." are beside it */
	char *text = malloc(AUDIT_COMMAND_BYTES + 8);
	size_t used = 0, room;
	const char *word;

	if (!text)
		return NULL;
	text[0] = '\0';
	for (int i = 0; i < argc; i++) {
		word = shown(argv, i);
		if (used + 4 > AUDIT_COMMAND_BYTES)
			break;
		if (i)
			text[used++] = ' ';
		room = (AUDIT_COMMAND_BYTES - used) / 4;
		used += quote(text + used, word, room);
		if (strlen(word) > room) {
			memcpy(text + used, "...", sizeof("..."));
			break;
		}
	}
	return text;
}
