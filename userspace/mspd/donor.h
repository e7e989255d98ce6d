/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Donors: threads that give the platform processor cycles (H_DONOR_OPERATION).
 * A fixed number of them serves all sessions of all streams in turn.  A session
 * that is blocked (LongBusy) is called again after the time the platform named,
 * or at once when somebody kicks it because there is something to do.
 */
#ifndef _DONOR_H
#define _DONOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <libvasi/vasi.h>
#include "mailbox.h"

struct donor_pool;

/**
 * struct donor_device - the donors' way to one device: one handle a thread
 * @handles:	by thread
 */
struct donor_device {
	struct donor_pool *pool;
	struct vasi_donor **handles;
};

/**
 * struct donor_entry - a session that is donated to; embedded in it
 * @device:	of the session
 * @session:	libvasi's; is not freed before @removed has run
 * @stream_id:	of the session
 * @mailbox:	of the session's worker
 * @removed:	posted after donor_remove(): no thread touches the session any more
 * @stopped:	posted once when the platform wants no more cycles: @result says why
 * @result:	hcall return value
 * @state:	what H_VASI_STATE said when the entry was added, or negative
 * @in_pool:	between donor_add() and @removed; the worker's
 * @removing_asked: donor_remove() was called; the worker's
 *
 * The rest belongs to the pool, under its lock.
 */
struct donor_entry {
	bool in_pool;
	bool removing_asked;
	TAILQ_ENTRY(donor_entry) link;
	struct donor_device *device;
	struct vasi_session *session;
	uint64_t stream_id;
	struct mailbox *mailbox;
	struct mail removed;
	struct mail stopped;
	struct mail state_known;
	int64_t result;
	int64_t state;
	bool ask_state;
	bool busy;
	bool kicked;
	bool done;
	bool removing;
	uint64_t next_ns;
	uint64_t calls;
};

int donor_pool_new(unsigned int threads, struct donor_pool **pool);
void donor_pool_free(struct donor_pool *pool);
unsigned int donor_pool_threads(const struct donor_pool *pool);

int donor_device_open(struct donor_pool *pool, struct vasi_device *dev,
		      struct donor_device **device);
void donor_device_close(struct donor_device *device);

void donor_add(struct donor_entry *entry);
void donor_kick(struct donor_entry *entry);
void donor_remove(struct donor_entry *entry);

#endif /* _DONOR_H */
