/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's management protocol, without ever waiting for QEMU: commands go out, their
 * answers come through the loop in the same order.
 */
#ifndef _PHYPD_QMP_H
#define _PHYPD_QMP_H

#include <jansson.h>
#include <systemd/sd-event.h>

struct qmp;

/**
 * struct qmp_ops - what a QEMU tells
 * @event:	an event; @data may be NULL
 * @lost:	the connection is unusable; no command is answered any more.  @why is NULL
 *		when QEMU has closed it, as it does when it ends
 *
 * Both may free the connection.
 */
struct qmp_ops {
	void (*event)(void *ctx, const char *name, const json_t *data);
	void (*lost)(void *ctx, const char *why);
};

/* An answer: @error is NULL, or QEMU's description of what is wrong */
typedef void (*qmp_done)(void *ctx, const json_t *result, const char *error);

int qmp_new(sd_event *event, int fd, const struct qmp_ops *ops, void *ctx,
	    struct qmp **qmp);
struct qmp *qmp_free(struct qmp *qmp);
int qmp_call(struct qmp *qmp, const char *command, json_t *arguments, int fd,
	     qmp_done done);

#endif /* _PHYPD_QMP_H */
