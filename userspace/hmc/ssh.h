/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of ssh(1): a command on another machine.
 */
#ifndef _HMC_SSH_H
#define _HMC_SSH_H

#include <stddef.h>
#include <sys/types.h>

#define SSH_HOST_BYTES		256
#define SSH_USER_BYTES		64
#define SSH_SAYS_BYTES		4096
#define SSH_FAILED		255	/* exit status of ssh(1) itself */

/**
 * struct ssh - a process of ssh(1)
 * @host:	where it goes
 * @user:	who we are there
 * @owner:	the process that started it
 * @pid:	of it, 0 = there is none
 * @fd:		its standard input and output, non-blocking
 * @says:	its standard error
 */
struct ssh {
	char host[SSH_HOST_BYTES];
	char user[SSH_USER_BYTES];
	pid_t owner;
	pid_t pid;
	int fd;
	int says;
};

int ssh_start(struct ssh *ssh, const char *command);
int ssh_stop(struct ssh *ssh, char *text, size_t size);

#endif /* _HMC_SSH_H */
