/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ports of a switch: connections of QEMU's "-netdev stream" to a unix socket.
 */
#ifndef _VSWITCH_PORTS_H
#define _VSWITCH_PORTS_H

#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* Of a port that does not read: bytes that wait for it, and how far flooding fills that */
#define VSWITCH_QUEUE_BYTES	(2 << 20)
#define VSWITCH_FLOOD_BYTES	(256 << 10)

struct ports;

int ports_new(sd_event *event, const char *path, mode_t mode, struct ports **ports);
struct ports *ports_free(struct ports *ports);
void ports_print(const struct ports *ports, FILE *file);

#endif /* _VSWITCH_PORTS_H */
