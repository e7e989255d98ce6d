/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that a move of mspd needs but its peer, in one thread and with a clock that
 * the fuzzer sets: the worker's loop, donors, the main thread, and a platform.
 *
 * Real: mspd's move.c, link.c, source.c, target.c, device.c and what they use;
 * libvasi but for the link; libphyp with one stream.  In place of the VIO link
 * messages are handed from one to the other; in place of threads and io_uring
 * host_turn() does in order what they do; connections are mover_net.h's.
 */
#ifndef _MOVER_HOST_H
#define _MOVER_HOST_H

#include "libvasi/user.h"
#include "mover_net.h"
#include "mspd/device.h"
#include "mspd/mover.h"
#include "phyp/phyp.h"

#define HOST_STREAM	0x4D4F5645ULL

/**
 * struct host_params - what the system is like
 * @config:	of mspd
 * @role:	of the mover
 * @bytes:	of the partition's memory
 * @granule:	4096 or 65536
 * @opens:	sessions that the platform really opens
 * @indirect:	the platform offers indirect operations
 * @dirty_map:	and the extension, without which there is one session only
 */
struct host_params {
	struct config config;
	enum vasi_service role;
	uint64_t bytes;
	uint32_t granule;
	unsigned int opens;
	bool indirect;
	bool dirty_map;
};

struct packet;
STAILQ_HEAD(packets, packet);

/**
 * struct host - one system with its mover
 * @worker:	of the move
 * @mover:	of which only the mailbox and the device are used
 * @identity:	the mover's; only counted
 * @record:	of the move
 * @gone:	the move has ended, nothing of it is left
 * @commands:	not answered
 * @to_mover:	what the platform has sent
 * @stalled:	it looks at nothing that the mover sends
 * @donors:	sessions that are donated to
 * @download:	sees every download before the platform has it
 * @memory:	the partition's, also at @memory_fd
 * @running, @stopping: the partition
 */
struct host {
	struct host_params params;
	struct worker worker;
	struct mover mover;
	struct device device;
	struct identity identity;
	struct donor_pool *pool;
	struct move_record record;
	bool gone;
	bool device_gone;
	unsigned int commands;
	struct net net;
	struct phyp *phyp;
	struct phyp_vdev *vdev;
	struct phyp_lpar *lpar;
	struct phyp_stream *stream;
	enum phyp_verdict verdict;
	struct user_device *user;
	struct packets to_mover;
	unsigned int packets;
	bool stalled;
	TAILQ_HEAD(, donor_entry) donors;
	void (*download)(struct host *h, const struct vasi_session *s, uint64_t data);
	uint8_t *memory;
	int memory_fd;
	bool running;
	bool stopping;
	void *ctx;			/* the fuzzer's */
};

struct host *host_new(const struct host_params *params);
void host_start(struct host *h, const struct move_params *params);
/* One turn of the worker's loop, @ns after the last */
void host_turn(struct host *h, uint64_t ns);
/* A command of the control socket, but for start */
void host_command(struct host *h, void (*execute)(struct command *cmd), uint64_t rate);
/* The link to the platform breaks */
void host_lose_device(struct host *h);
/* The move is gone; let go of all else */
void host_free(struct host *h);

/* mover_platform.c, for mover_host.c; and the clock, for it */
void platform_create(struct host *h);
void platform_destroy(struct host *h);
uint64_t host_tick(void);

static inline struct move *host_move(const struct host *h)
{
	return h->record.move;
}

#endif /* _MOVER_HOST_H */
