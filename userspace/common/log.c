// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Logging to standard error.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"

#define LOG_LINE_BYTES	1024

static const char *log_program = "vasi";
static atomic_int log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR]	= "error",
	[LOG_LEVEL_WARNING]	= "warning",
	[LOG_LEVEL_INFO]	= "info",
	[LOG_LEVEL_DEBUG]	= "debug",
};

/**
 * log_init() - name the program and choose what is logged
 * @program:	stands in every line; kept, not copied
 * @level:	the least urgent level that is written
 *
 * Context: before threads are started.
 */
void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_set_level(level);
}

/**
 * log_set_level() - choose what is logged
 * @level:	the least urgent level that is written
 */
void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_threshold, (int)level, memory_order_relaxed);
}

/**
 * log_parse_level() - read a level's name
 * @text:	error, warning, info or debug
 * @level:	set on success
 *
 * Return: 0, or -EINVAL.
 */
int log_parse_level(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (!strcmp(text, level_names[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Text from outside may stand in a message: it must not forge lines or escapes */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

/**
 * log_write() - write one line
 * @level:	how urgent it is
 * @fmt:	as for printf, without newline; longer lines are cut at 1 KiB
 *
 * Context: any thread; may block on standard error.  Keeps errno.
 */
void log_write(enum log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	char line[LOG_LINE_BYTES];
	struct timespec ts;
	size_t used;
	struct tm tm;
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_threshold, memory_order_relaxed))
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	used = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	used += (size_t)snprintf(line + used, sizeof(line) - used,
				 ".%03ld %.64s[%d]: %s: ", ts.tv_nsec / 1000000,
				 log_program, (int)getpid(), level_names[level]);
	va_start(ap, fmt);
	vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	va_end(ap);
	make_printable(line + used);
	strcat(line, "\n");
	/* One write a line, so that lines of several threads do not mix */
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		line[0] = '\0';		/* nowhere left to complain */
	errno = saved_errno;
}
