/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent in a partition: lines on a terminal, and what they make it do.
 */
#ifndef _AGENT_H
#define _AGENT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ID_DIGITS	16
#define LINE_BYTES	128	/* of a command */
#define TEXT_BYTES	200	/* of a reason in an answer */
#define ANSWER_BYTES	256
#define QUEUE_BYTES	4096	/* of answers that nobody read yet */
#define HOOKS_MAX	256
#define POSTS_MAX	4	/* that wait for the same migration */

/* ---- job.c: a process, what it printed last, and how it ended ---- */

/**
 * struct job - a child process
 * @pid:	0 = none
 * @pidfd:	readable when it has ended
 * @out:	its standard output and error, or -1
 * @limit_ns:	when it is killed, or 0
 * @expired:	it was
 * @line:	what it printed last, printable
 * @length:	of the line that is being read
 * @begin:	the next character begins a line
 */
struct job {
	pid_t pid;
	int pidfd;
	int out;
	uint64_t limit_ns;
	bool expired;
	char line[TEXT_BYTES];
	size_t length;
	bool begin;
};

/* Runs in the child, which exits with what it returns */
typedef int (*job_function)(void *data);

int job_start(struct job *job, job_function function, void *data, uint64_t limit_ns);
bool job_running(const struct job *job);
void job_read(struct job *job);
bool job_ended(struct job *job, int *status);
void job_expire(struct job *job, uint64_t now);
void job_reason(const struct job *job, int status, char *text, size_t size);

/* ---- terminal.c: lines in, lines out ---- */

/**
 * struct terminal - where the platform's commands come from
 * @fd:		raw, never waits
 * @line:	a command, so far
 * @length:	of it
 * @long_line:	it is too long: what is left of it is dropped
 * @queue:	answers that were not written yet
 * @queued:	bytes of them
 */
struct terminal {
	int fd;
	char line[LINE_BYTES];
	size_t length;
	bool long_line;
	char queue[QUEUE_BYTES];
	size_t queued;
};

typedef void (*line_function)(void *data, const char *line);

int terminal_open(struct terminal *terminal, const char *path);
short terminal_events(const struct terminal *terminal);
int terminal_read(struct terminal *terminal, line_function take, void *data);
int terminal_write(struct terminal *terminal);
void terminal_answer(struct terminal *terminal, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- phases.c: check, pre, post ---- */

/**
 * struct settings - of the command line
 * @hooks:	directory of executables that "check" runs
 * @drmgr:	path, or NULL: there is none
 * @drmgr_asked: it was named, and not only looked for
 * @mobility:	file of the kernel
 * @limit_ns:	for each process of "check"
 */
struct settings {
	const char *hooks;
	const char *drmgr;
	bool drmgr_asked;
	const char *mobility;
	uint64_t limit_ns;
};

/**
 * struct check - the check that is under way
 * @job:	the process that runs now
 * @id:		as it was told
 * @names:	paths of all of them
 * @count:	of them
 * @next:	the one that comes
 * @drmgr:	the last of them is drmgr
 */
struct check {
	struct job job;
	char id[ID_DIGITS + 1];
	char *names[HOOKS_MAX + 1];
	size_t count;
	size_t next;
	bool drmgr;
};

enum move_state {
	MOVE_NONE,
	MOVE_STARTING,		/* it may yet fail at once */
	MOVE_RUNNING,
	MOVE_ENDED,
};

/**
 * struct move - the migration that the kernel was, or is, told about
 * @state:	of it
 * @job:	the process that tells it, until it is over
 * @id:		of the stream
 * @drmgr:	the process is drmgr
 * @settled_ns:	when "pre" is answered, if nothing failed
 * @good:	it ended well
 * @reason:	why not
 * @posts:	how often "post" was asked and not answered yet
 */
struct move {
	enum move_state state;
	struct job job;
	char id[ID_DIGITS + 1];
	bool drmgr;
	uint64_t settled_ns;
	bool good;
	char reason[TEXT_BYTES + 32];
	unsigned int posts;
};

struct agent {
	struct settings settings;
	struct terminal terminal;
	struct check check;
	struct move move;
};

void agent_line(void *data, const char *line);
void agent_progress(struct agent *agent);
uint64_t agent_next_ns(const struct agent *agent);

#endif /* _AGENT_H */
