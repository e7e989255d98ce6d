// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process of ssh(1), with a socket for its standard input and output.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hmc/console.h"
#include "hmc/ssh.h"

#define SSH_PROGRAM		"/usr/bin/ssh"
#define SSH_CONNECT_S		"10"

/* The child's side of ssh_start() */
static void exec_ssh(const struct ssh *ssh, const char *command, int fd, int says)
{
	const char *const argv[] = {
		"ssh", "-T", "-x", "-a", "-oBatchMode=yes", "-oClearAllForwardings=yes",
		"-oConnectTimeout=" SSH_CONNECT_S, "-oServerAliveInterval=15",
		"-oPermitLocalCommand=no", "-oControlMaster=no", "-oControlPath=none",
		"-l", ssh->user, "--", ssh->host, command, NULL,
	};

	/* Not with what this program may be allowed beyond its user */
	if (setresgid(getgid(), getgid(), getgid()) || setresuid(getuid(), getuid(), getuid()))
		_exit(SSH_FAILED);
	/* It ends with us, also when we are killed; other ids would have unset this */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) ||
	    dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(says, STDERR_FILENO) < 0)
		_exit(SSH_FAILED);
	execv(SSH_PROGRAM, (char **)argv);
	dprintf(STDERR_FILENO, "%s cannot be run: %s\n", SSH_PROGRAM, strerror(errno));
	_exit(SSH_FAILED);
}

/* What ssh(1) says, and no more of it than we look at; it never has to wait for us */
static int open_says(void)
{
	int fd = memfd_create("ssh", MFD_CLOEXEC | MFD_ALLOW_SEALING), ret;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, SSH_SAYS_BYTES) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/**
 * ssh_start() - run a command on another machine
 * @ssh:	host and user; not running
 * @command:	for the login shell there
 *
 * Return: 0 or a negative errno; what becomes of it, ssh_stop() tells.
 */
int ssh_start(struct ssh *ssh, const char *command)
{
	int fds[2], says, ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	says = open_says();
	if (says < 0) {
		ret = says;
		goto close_fds;
	}
	/* Our end only: ssh(1) has the other as it wants it */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fflush(NULL);
	ssh->pid = fork();
	if (!ssh->pid)
		exec_ssh(ssh, command, fds[1], says);
	ret = ssh->pid < 0 ? -errno : 0;
	if (ret)
		goto close_says;
	close(fds[1]);
	ssh->fd = fds[0];
	ssh->says = says;
	ssh->owner = getpid();
	return 0;

close_says:
	ssh->pid = 0;
	close(says);
close_fds:
	close(fds[0]);
	close(fds[1]);
	return ret;
}

/**
 * ssh_stop() - end it, or the use of one that another process has started
 * @ssh:	perhaps running
 * @text:	NULL, or set to what it said on standard error
 * @size:	of @text
 *
 * Return: its exit status, or -1 if a signal ended it.
 */
int ssh_stop(struct ssh *ssh, char *text, size_t size)
{
	ssize_t got = 0;
	int status = 0;

	if (!ssh->pid)
		return 0;
	close(ssh->fd);
	if (ssh->owner == getpid()) {
		/* It ends when its input does; one that hangs is ended */
		for (int i = 0; i < 100 && !waitpid(ssh->pid, &status, WNOHANG); i++) {
			if (i == 50)
				kill(ssh->pid, SIGTERM);
			if (i == 99) {
				kill(ssh->pid, SIGKILL);
				waitpid(ssh->pid, &status, 0);
			}
			sleep_ms(10);
		}
		if (text)
			got = pread(ssh->says, text, size - 1, 0);
	}
	if (text)
		text[got > 0 ? got : 0] = '\0';
	close(ssh->says);
	ssh->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
