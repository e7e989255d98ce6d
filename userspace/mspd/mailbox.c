// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "mailbox.h"

/**
 * mailbox_init() - make an empty mailbox
 * @box: the mailbox; @box->fd becomes readable when there is mail
 *
 * Return: 0 or negative errno.
 */
int mailbox_init(struct mailbox *box)
{
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	STAILQ_INIT(&box->list);
	return 0;
}

/**
 * mailbox_exit() - free a mailbox nobody posts to any more
 * @box: the mailbox
 */
void mailbox_exit(struct mailbox *box)
{
	pthread_mutex_destroy(&box->lock);
	close(box->fd);
}

/**
 * mailbox_post() - have something run by the mailbox's owner; any thread
 * @box: the mailbox
 * @mail: belongs to the owner until it runs; not posted already
 */
void mailbox_post(struct mailbox *box, struct mail *mail)
{
	uint64_t one = 1;

	pthread_mutex_lock(&box->lock);
	STAILQ_INSERT_TAIL(&box->list, mail, link);
	pthread_mutex_unlock(&box->lock);
	/* Fails only when the counter is full, and then it is readable anyway */
	if (write(box->fd, &one, sizeof(one)) < 0)
		return;
}

/**
 * mailbox_run() - run what was posted; the owner, after reading @box->fd
 * @box: the mailbox
 */
void mailbox_run(struct mailbox *box)
{
	struct mail_list list = STAILQ_HEAD_INITIALIZER(list);
	struct mail *mail;

	pthread_mutex_lock(&box->lock);
	STAILQ_CONCAT(&list, &box->list);
	pthread_mutex_unlock(&box->lock);
	while ((mail = STAILQ_FIRST(&list))) {
		STAILQ_REMOVE_HEAD(&list, link);
		mail->run(mail);
	}
}
