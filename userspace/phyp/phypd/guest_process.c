// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The QEMU process of a guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "phyp/phypd/guest_process.h"

/* Most of what it said last that is told on */
#define SAID_BYTES	400
#define EXIT_NOT_STARTED 127

/**
 * struct guest_process - a QEMU
 * @pid:	its id
 * @source:	tells of its end
 * @output:	file with what it says
 * @ended:	see guest_ended; NULL once nobody wants to know
 * @ctx:	for @ended
 * @reaped:	it has ended
 */
struct guest_process {
	pid_t pid;
	sd_event_source *source;
	char *output;
	guest_ended ended;
	void *ctx;
	bool reaped;
};

/* Of the source: as long as the process is watched */
static void free_process(void *data)
{
	struct guest_process *p = data;

	free(p->output);
	free(p);
}

/* The last of what it said, on one line, without what could not be printed */
static void read_last_words(const char *path, char text[SAID_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t from = end > SAID_BYTES - 1 ? end - (SAID_BYTES - 1) : 0;
	ssize_t got = fd < 0 ? 0 : pread(fd, text, SAID_BYTES - 1, from);

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
	while (got > 0 && text[got - 1] == '\n')
		text[--got] = '\0';
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = '|';
		else if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *data)
{
	struct guest_process *p = data;
	char why[GUEST_ERROR_BYTES], said[SAID_BYTES];

	p->reaped = true;
	if (p->ended) {
		read_last_words(p->output, said);
		snprintf(why, sizeof(why), "QEMU, process %d, %s %d%s%s", (int)p->pid,
			 info->si_code == CLD_EXITED ? "ended with status" :
			 "was ended by signal", info->si_status,
			 *said ? ": " : "", said);
		p->ended(p->ctx, why);
	} else {
		/* guest_process_end() has left the last reference to the loop */
		sd_event_source_set_floating(source, false);
	}
	return 0;
}

/* In the child: nothing but what may be done after a fork of a program with threads */
__attribute__((noreturn))
static void become_qemu(char **argv, const int fd[GUEST_FD_END], int null, int output)
{
	int moved[GUEST_FD_END];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Out of the way of the numbers that they are to have */
	for (int i = GUEST_FD_MEMORY; i < GUEST_FD_END; i++)
		moved[i] = fcntl(fd[i], F_DUPFD, GUEST_FD_END);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	for (int i = GUEST_FD_MEMORY; i < GUEST_FD_END; i++)
		dup2(moved[i], i);
	close_range(GUEST_FD_END, ~0U, 0);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(EXIT_NOT_STARTED);
}

static int spawn(const struct guest_process *p, char **argv, const int fd[GUEST_FD_END],
		 pid_t *pid)
{
	sigset_t none, old;
	int output, null;
	int ret = 0;

	output = open(p->output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (output < 0)
		return -errno;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0) {
		ret = -errno;
		goto out_close_output;
	}
	sigemptyset(&none);
	*pid = fork();
	if (!*pid) {
		/* What is blocked here for the loop's sake is QEMU's own business */
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, &old);
		become_qemu(argv, fd, null, output);
	}
	if (*pid < 0)
		ret = -errno;
	close(null);
out_close_output:
	close(output);
	return ret;
}

/**
 * guest_process_start() - start a guest's QEMU
 * @event:	loop
 * @config:	what it is to be
 * @fd:		what it inherits; they stay the caller's
 * @ended:	called when it ends, unless guest_process_end() came before
 * @ctx:	for @ended
 * @process:	on success
 * @error:	says what failed
 *
 * It ends with this program.
 *
 * Return: 0 or a negative errno.
 */
int guest_process_start(sd_event *event, const struct guest_config *config,
			const int fd[GUEST_FD_END], guest_ended ended, void *ctx,
			struct guest_process **process, char error[GUEST_ERROR_BYTES])
{
	struct guest_process *p = calloc(1, sizeof(*p));
	char **argv = guest_argv(config);
	int ret = -ENOMEM;

	if (!p || !argv)
		goto err_free;
	p->ended = ended;
	p->ctx = ctx;
	if (asprintf(&p->output, "%s/%s.qemu", config->directory, config->name) < 0) {
		p->output = NULL;
		goto err_free;
	}
	ret = spawn(p, argv, fd, &p->pid);
	if (ret)
		goto err_free;
	ret = sd_event_add_child(event, &p->source, p->pid, WEXITED, on_end, p);
	if (ret < 0)
		goto err_kill;
	sd_event_source_set_destroy_callback(p->source, free_process);
	guest_argv_free(argv);
	log_info("partition %s: QEMU is process %d", config->name, (int)p->pid);
	*process = p;
	return 0;

err_kill:
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
err_free:
	snprintf(error, GUEST_ERROR_BYTES, "%s could not be started: %s", config->qemu,
		 strerror(-ret));
	guest_argv_free(argv);
	if (p)
		free_process(p);
	return ret;
}

/**
 * guest_process_end() - end a QEMU, however it is
 * @p:		may be NULL, or have ended
 *
 * Context: does not wait; the loop sees it go.
 * Return: NULL.
 */
struct guest_process *guest_process_end(struct guest_process *p)
{
	if (!p)
		return NULL;
	p->ended = NULL;
	if (!p->reaped) {
		sd_event_source_send_child_signal(p->source, SIGKILL, NULL, 0);
		sd_event_source_set_floating(p->source, true);
	}
	sd_event_source_unref(p->source);
	return NULL;
}

pid_t guest_process_pid(const struct guest_process *p)
{
	return p->pid;
}
