/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partitions of a managed system.
 */
#ifndef _PHYPD_PARTITION_H
#define _PHYPD_PARTITION_H

#include "phyp/phypd/config.h"
#include "phyp/phypd/guest.h"
#include "phyp/phypd/home.h"
#include "phyp/phypd/image_dir.h"
#include "phyp/phypd/memory.h"
#include "phyp/phypd/synthetic.h"
#include "phyp/phypd/system.h"

#define PARTITION_NAME_BYTES	32

enum partition_state {
	PARTITION_MAKING,		/* its memory, or a shell's home, is being made */
	PARTITION_NOT_ACTIVATED,
	PARTITION_STARTING,		/* its home begins to execute */
	PARTITION_RUNNING,		/* also when its program has finished */
	PARTITION_SUSPENDED,
	PARTITION_MOVED,
	PARTITION_SHELL,
	PARTITION_LEAVING,		/* its memory is being given back */
	PARTITION_HIBERNATING,		/* an image is written or read; memory goes back */
	PARTITION_HIBERNATED,		/* it is an image, or moves as one */
	PARTITION_WAKING,		/* it is to execute again */
};

/* Why the processors are being stopped */
enum partition_stop {
	STOP_NONE,
	STOP_SUSPEND,			/* the platform asked: they will go on */
	STOP_SHUTDOWN,
	STOP_HIBERNATE,			/* an image is to be made of it */
};

struct partition_wait;

/**
 * struct partition - a partition
 * @system:	where it is
 * @name:	printable
 * @lpar_id:	1 to 65535
 * @granule:	bytes of a page, as dirty tracking sees it
 * @program:	what its processors execute, without a guest
 * @guest:	how its guest is made, or NULL
 * @memory:	its memory
 * @lpar:	as the platform sees it; NULL while making or leaving
 * @home:	what executes it; likewise
 * @state:	of the partition
 * @stopping:	why its processors are being stopped
 * @make_request: who asked for it, while making
 * @start_request: who asked for the activation
 * @stop_request: who asked for the shutdown
 * @remove_request: who asked for the removal
 * @stream:	the last stream it was in, if that was not ended
 * @jobs:	jobs that use the memory; it stays while there are any
 * @charged:	bytes of the system's memory that it has
 * @imaged:	its home is that of a suspended partition
 * @note:	the stream that its image is in, as it is noted on disk
 * @damaged:	what is wrong with its image, or NULL
 * @image_request: who asked for it to be suspended, resumed or settled
 * @wake_error:	why it cannot be resumed
 * @remove_answer: to @remove_request, or NULL
 * @executions:	how often it began to execute
 * @suspend_how: how it is stopped when it is to move
 * @suspend_ms:	how long it may take, where it does so itself
 * @hold_suspend: fault injection: it never says that it has stopped executing
 * @drop:	it is to go as soon as the loop has time
 * @woken:	set by any thread: there are events to take
 * @waits:	requests that wait for a state
 * @measures:	of what it writes, under way (partition_dirty.c)
 * @sample_ns, @sample_steps, @dirty_rate: last measurement of the rate
 * @description: what it was made from, for partition.describe
 * @config:	what moves as its profile, or NULL
 * @history:	of its moves, an array, or NULL
 * @reserved_for: the stream that a shell is for; 0 = any
 * @inactive:	the migration that it is in without executing
 * @inactive_since: when that began, seconds since 1970
 */
struct partition {
	TAILQ_ENTRY(partition) link;
	struct system *system;
	char name[PARTITION_NAME_BYTES];
	uint32_t lpar_id;
	uint32_t granule;
	struct program program;
	json_t *guest;
	struct memory memory;
	struct phyp_lpar *lpar;
	struct home *home;
	enum partition_state state;
	enum partition_stop stopping;
	struct rpc_request *make_request;
	struct rpc_request *start_request;
	struct rpc_request *stop_request;
	struct rpc_request *remove_request;
	struct managed_stream *stream;
	unsigned int jobs;
	uint64_t charged;
	bool imaged;
	struct image_note note;
	char *damaged;
	struct rpc_request *image_request;
	char *wake_error;
	json_t *remove_answer;
	uint64_t executions;
	enum home_suspend suspend_how;
	uint64_t suspend_ms;
	bool hold_suspend;
	bool drop;
	_Atomic bool woken;
	TAILQ_HEAD(, partition_wait) waits;
	LIST_HEAD(, dirty_measure) measures;
	uint64_t sample_ns;
	uint64_t sample_steps;
	uint64_t dirty_rate;
	json_t *description;
	json_t *config;
	json_t *history;
	uint64_t reserved_for;
	struct image_note inactive;
	uint64_t inactive_since;
};

struct partition *partition_find(struct system *system, const char *name);
const char *partition_state_name(struct partition *p);
bool partition_finished(struct partition *p);
/* In a stream that is not final yet? */
bool partition_moving(const struct partition *p);

/**
 * struct partition_params - what a new partition is like
 * @name:	printable, at most PARTITION_NAME_BYTES - 1 bytes
 * @lpar_id:	0: the lowest that is free
 * @bytes:	of memory
 * @granule:	of dirty tracking
 * @shell:	reserved for an arriving partition
 * @reserved_for: in this stream, or 0: in any
 * @suspended:	which arrives as an image
 * @program:	checked by synthetic_create()
 * @guest:	in place of it, or NULL; a reference is taken
 * @content:	its descriptor belongs to partition_make() from the call on
 * @description: the parameters as they were given; a reference is taken
 * @config:	or NULL; a reference is taken
 * @history:	or NULL; a reference is taken
 * @arriving:	stream id of an inactive migration, or 0
 * @peer:	the system that it comes from then, or ""
 */
struct partition_params {
	const char *name;
	uint32_t lpar_id;
	uint64_t bytes;
	uint32_t granule;
	bool shell;
	uint64_t reserved_for;
	bool suspended;
	struct program program;
	json_t *guest;
	struct content content;
	json_t *description;
	json_t *config;
	json_t *history;
	uint64_t arriving;
	const char *peer;
};

/* Each answers @req, now or later */
void partition_make(struct system *system,
		    const struct partition_params *params,
		    struct rpc_request *req);
void partition_activate(struct partition *p, struct rpc_request *req);
void partition_shutdown(struct partition *p, struct rpc_request *req);
void partition_remove(struct partition *p, struct rpc_request *req);
void partition_digest(struct partition *p, struct rpc_request *req);
void partition_compare(struct partition *p, const char *path,
		       struct rpc_request *req);
void partition_tell(struct partition *p, const char *phase, uint64_t stream_id,
		    uint64_t timeout_ms, struct rpc_request *req);
void partition_wait(struct partition *p, const char *state,
		    uint64_t timeout_ms, struct rpc_request *req);

/* partition_dirty.c */
extern const struct rpc_param mgmt_dirty_params[];
void mgmt_partition_dirty(struct rpc_request *req, const json_t *params, void *data);
/* The home has marked what was written */
void partition_dirty_looked(struct partition *p);
/* Nothing is measured any more; @why completes "partition NAME: " */
void partition_dirty_end(struct partition *p, const char *why);

/* For hibernate.c */
struct partition *partition_new(struct system *system, const char *name);
void partition_set_id(struct partition *p, uint32_t lpar_id);
json_t *partition_description(const struct partition *p);
bool partition_busy(struct partition *p, struct rpc_request *req);
int partition_make_home(struct partition *p, bool shell);
void partition_take_home(struct partition *p);
void partition_leave(struct partition *p, struct rpc_request *req, json_t *answer);

/* mgmt_partition.c */
struct partition *mgmt_find_partition(struct rpc_request *req, const json_t *params,
				      struct system *system);
/* What partition.create takes, from an image */
int mgmt_partition_parse(const json_t *description, struct partition *p);

/* partition_home.c */
extern const struct phyp_lpar_ops partition_lpar_ops;
extern const struct home_client partition_home_client;
void partition_started(struct partition *p, const char *error);
/* For partition_home.c */
void partition_made(struct partition *p, bool shell);
void partition_make_failed(struct partition *p, int ret, const char *why);

/* Any thread: the loop is to take its events */
void partition_wake(struct partition *p);
json_t *partition_json(struct partition *p);
/* Its stream is in another state; @id 0: it is in none any more */
void partition_stream(struct partition *p, uint64_t id, enum vasi_state state);
/* A stream begins with it as the source */
void partition_depart(struct partition *p);
/* Something about it changed: look at the requests that wait */
void partition_changed(struct partition *p);
void partition_waits_end(struct partition *p, int code, const char *why);
/* Take what processors have to tell; called by the loop after system_wake() */
void partitions_take_events(struct system *system);
/* At the end of the program: stop processors / free everything, now */
void partitions_stop(struct system *system);
void partitions_destroy(struct system *system);

#endif /* _PHYPD_PARTITION_H */
