// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process of the agent's.  It has a process group of its own, so that its time limit
 * ends what it started, too; of its output the last line is kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "common/util.h"

#define READS_MAX	64	/* of a process that prints all the time */

static void child(int out, job_function function, void *data)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(EXIT_FAILURE);
	_exit(function(data));
}

/**
 * job_start() - start a process
 * @job:	none runs in it
 * @function:	what it does; whatever it prints is kept
 * @data:	for @function
 * @limit_ns:	it is killed at this time; 0 = never
 *
 * Return: 0, or a negative error number.
 */
int job_start(struct job *job, job_function function, void *data, uint64_t limit_ns)
{
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*job = (struct job){ .out = ends[0], .pidfd = -1, .limit_ns = limit_ns, .begin = true };
	job->pid = fork();
	if (!job->pid)
		child(ends[1], function, data);
	ret = -errno;
	close(ends[1]);
	if (job->pid < 0)
		goto err_close;
	/* Both do it: neither has to be first */
	setpgid(job->pid, job->pid);
	job->pidfd = pidfd_open(job->pid, 0);
	if (job->pidfd < 0) {
		ret = -errno;
		goto err_kill;
	}
	return 0;

err_kill:
	kill(-job->pid, SIGKILL);
	waitpid(job->pid, NULL, 0);
err_close:
	close(job->out);
	job->pid = 0;
	return ret;
}

bool job_running(const struct job *job)
{
	return job->pid;
}

/* An empty line is none */
static void take(struct job *job, char c)
{
	if (c == '\n' || c == '\r') {
		job->begin = true;
		return;
	}
	if (job->begin)
		job->length = 0;
	job->begin = false;
	if (job->length == sizeof(job->line) - 1)
		return;
	job->line[job->length++] = c >= ' ' && c <= '~' ? c : '?';
	job->line[job->length] = '\0';
}

/**
 * job_read() - take what a process has printed
 * @job:	a process
 */
void job_read(struct job *job)
{
	char block[4096];
	ssize_t got;

	for (int i = 0; i < READS_MAX && job->out >= 0; i++) {
		got = read(job->out, block, sizeof(block));
		if (got < 0)
			return;
		for (ssize_t k = 0; k < got; k++)
			take(job, block[k]);
		if (!got) {
			close(job->out);
			job->out = -1;
		}
	}
}

/**
 * job_ended() - has a process ended?  Then it is forgotten, but for what it printed
 * @job:	a process that runs
 * @status:	set to what waitpid() has
 *
 * What it may have left behind in the background is not waited for.
 */
bool job_ended(struct job *job, int *status)
{
	if (waitpid(job->pid, status, WNOHANG) != job->pid)
		return false;
	job_read(job);
	if (job->out >= 0)
		close(job->out);
	close(job->pidfd);
	job->out = -1;
	job->pidfd = -1;
	job->pid = 0;
	return true;
}

/**
 * job_expire() - kill a process that takes too long, and what it started
 * @job:	a process that runs
 * @now:	time
 */
void job_expire(struct job *job, uint64_t now)
{
	if (!job->limit_ns || now < job->limit_ns)
		return;
	job->limit_ns = 0;
	job->expired = true;
	kill(-job->pid, SIGKILL);
}

/**
 * job_reason() - say why a process failed
 * @job:	that has ended
 * @status:	how
 * @text:	set to its last line, or to what became of it
 * @size:	of @text
 */
void job_reason(const struct job *job, int status, char *text, size_t size)
{
	if (job->expired)
		snprintf(text, size, "did not end in time");
	else if (job->length)
		snprintf(text, size, "%s", job->line);
	else if (WIFSIGNALED(status))
		snprintf(text, size, "ended by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}
