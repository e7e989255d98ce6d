/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel driver tells of the adapters that mspd uses, for the log.
 */
#ifndef _DRIVER_EVENTS_H
#define _DRIVER_EVENTS_H

struct driver_events;
struct mover;

struct driver_events *driver_events_new(struct mover *mover);
void driver_events_free(struct driver_events *events);

#endif /* _DRIVER_EVENTS_H */
