/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs that run in a partition while it moves have in common.  A line is
 * written at once, so that the lines of several of them do not mix on a console.
 */
#ifndef _INSIDE_H
#define _INSIDE_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC	1000000000LL
#define SAY_BYTES	256

static inline int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static inline void sleep_until(int64_t ns)
{
	struct timespec until = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* A line without its newline, to standard output */
__attribute__((format(printf, 1, 2)))
static inline void say(const char *fmt, ...)
{
	char text[SAY_BYTES];
	size_t done = 0, length;
	ssize_t put;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	strcat(text, "\n");
	length = strlen(text);
	while (done < length) {
		put = write(STDOUT_FILENO, text + done, length - done);
		if (put > 0)
			done += (size_t)put;
		else if (put < 0 && errno != EINTR)
			exit(EXIT_FAILURE);
	}
}

/* Argument number @index, or what is taken without it */
static inline uint64_t argument(int argc, char **argv, int index, uint64_t without)
{
	char *end;
	uint64_t value;

	if (index >= argc)
		return without;
	errno = 0;
	value = strtoull(argv[index], &end, 0);
	if (errno || end == argv[index] || *end) {
		say("FAIL: %s: not a number: %.64s", argv[0], argv[index]);
		exit(2);
	}
	return value;
}

static inline void ended(int number)
{
	(void)number;
	_exit(EXIT_SUCCESS);
}

/* SIGTERM is how all of them are told to end: that is no failure */
static inline void end_when_told(void)
{
	struct sigaction action = { .sa_handler = ended };

	sigaction(SIGTERM, &action, NULL);
}

/* A good mixer of 64 bits: every bit of the result depends on every bit of @x */
static inline uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

#endif /* _INSIDE_H */
