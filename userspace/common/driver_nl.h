/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Notifications of the kernel driver (<linux/vasi_netlink.h>).
 */
#ifndef _COMMON_DRIVER_NL_H
#define _COMMON_DRIVER_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/netlink.h>
#include <linux/types.h>
#include <linux/vasi_netlink.h>

#define DRIVER_NL_NAME_BYTES	32
/* Room for any text of driver_nl_text() */
#define DRIVER_NL_TEXT_BYTES	160

/**
 * struct driver_event - a notification, or an adapter of a dump
 * @command:	enum vasi_cmd
 * @has:	bits by enum vasi_attr: what it carried
 * @adapter:	name of the adapter
 *
 * The others are the attributes of their names; zero if they were not carried.
 */
struct driver_event {
	uint8_t command;
	uint32_t has;
	char adapter[DRIVER_NL_NAME_BYTES];
	uint32_t unit_address;
	uint32_t adapter_state;
	uint32_t resets;
	uint32_t reset_reason;
	uint64_t stream_id;
	uint32_t service;
	uint32_t top;
	uint32_t stream_state;
	uint32_t reason;
};

int driver_nl_parse(const struct nlmsghdr *header, struct driver_event *event);
const char *driver_nl_command(uint8_t command);
const char *driver_nl_adapter_state(uint32_t state);
const char *driver_nl_reset_reason(uint32_t reason);
void driver_nl_text(const struct driver_event *event, char *text, size_t size);

/**
 * struct driver_nl_ops - what is told about the driver
 * @event:	a notification
 * @driver:	the driver came (@there), or went
 */
struct driver_nl_ops {
	void (*event)(void *data, const struct driver_event *event);
	void (*driver)(void *data, bool there);
};

struct driver_nl;

int driver_nl_open(const struct driver_nl_ops *ops, void *data, struct driver_nl **nl);
void driver_nl_close(struct driver_nl *nl);
int driver_nl_fd(const struct driver_nl *nl);
bool driver_nl_there(const struct driver_nl *nl);
int driver_nl_receive(struct driver_nl *nl);
int driver_nl_dump(struct driver_nl *nl);

#endif /* _COMMON_DRIVER_NL_H */
