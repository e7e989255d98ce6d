/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mail between threads: whoever owns a mailbox runs what others post to it.
 * An eventfd says that there is something.  This is the only way in which
 * threads of mspd call each other.
 */
#ifndef _MAILBOX_H
#define _MAILBOX_H

#include <pthread.h>
#include <sys/queue.h>

/**
 * struct mail - something to be run by another thread; embedded in what it is about
 * @link:	of the mailbox, while posted
 * @run:	called by the mailbox's owner; may free what the mail is part of
 */
struct mail {
	STAILQ_ENTRY(mail) link;
	void (*run)(struct mail *mail);
};

STAILQ_HEAD(mail_list, mail);

struct mailbox {
	pthread_mutex_t lock;	/* protects @list */
	struct mail_list list;
	int fd;
};

int mailbox_init(struct mailbox *box);
void mailbox_exit(struct mailbox *box);
void mailbox_post(struct mailbox *box, struct mail *mail);
void mailbox_run(struct mailbox *box);

#endif /* _MAILBOX_H */
