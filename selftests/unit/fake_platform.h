/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A platform of a few lines for tests of libvasi: it does the handshake in a
 * thread, since opening a device blocks; after that the test itself plays the
 * platform, step by step, on the other end of the link.
 */
#ifndef _FAKE_PLATFORM_H
#define _FAKE_PLATFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/unixsock.h"
#include "vasi_codec.h"
#include "violink/violink.h"

/**
 * struct fake_platform - a platform
 * @directory:	where the socket is
 * @path:	of the socket
 * @listener:	the socket
 * @fd:		CRQ channel, non-blocking
 * @hcall_fd:	last hcall channel
 * @pane:	first pane, mapped
 * @pane_bytes:	its size
 * @welcome:	what WELCOME says; big-endian
 * @caps:	by service (source, target): the Capabilities answer
 * @caps_status: its status
 * @asked:	what the client asked for
 * @initialise:	start with Initialize instead of answering it
 * @script:	NULL, or what to do instead of the handshake after HELLO
 * @msg:	last message received
 * @entries:	entries received and not yet looked at
 * @entry_count: how many
 * @packets:	CRQ packets received
 * @thread:	runs the handshake
 */
struct fake_platform {
	char directory[32];
	char path[64];
	struct unix_listener listener;
	int fd;
	int hcall_fd;
	uint8_t *pane;
	uint64_t pane_bytes;
	struct vio_welcome welcome;
	struct vasi_caps caps[2];
	uint8_t caps_status;
	struct vasi_caps asked;
	bool initialise;
	void (*script)(struct fake_platform *p);
	struct vio_message *msg;
	struct vasi_crq entries[4096];
	unsigned int entry_count;
	unsigned int packets;
	pthread_t thread;
};

void fake_start(struct fake_platform *p);
void fake_stop(struct fake_platform *p);
/* Serve one handshake in a thread; fake_join() waits for its end */
void fake_serve(struct fake_platform *p);
void fake_join(struct fake_platform *p);
/* Blocking, with a time-out that fails the test */
void fake_accept_hcall(struct fake_platform *p);
void fake_receive(struct fake_platform *p, int fd, enum vio_channel channel);
/* The next message that the client sent, which must be this format */
void fake_expect(struct fake_platform *p, uint8_t format, struct vasi_msg *msg);
/* Receive what is there; returns how many entries wait */
unsigned int fake_pending(struct fake_platform *p);
void fake_send(struct fake_platform *p, const struct vasi_msg *msg);
void fake_send_entry(struct fake_platform *p, const struct vasi_crq *entry);

#endif /* _FAKE_PLATFORM_H */
