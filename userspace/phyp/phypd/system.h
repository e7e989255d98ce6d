/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A managed system: what vasi-phypd is.  One loop thread owns everything here,
 * and libphyp; the threads beside it are virtual processors (synthetic.c) and
 * jobs (job.c), and both speak to the loop through an eventfd only.
 */
#ifndef _PHYPD_SYSTEM_H
#define _PHYPD_SYSTEM_H

#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/rpc.h"
#include "phyp/phyp.h"
#include "phyp/phypd/image_dir.h"
#include "phyp/phypd/job.h"
#include "phyp/phypd/record.h"

#define SYSTEM_MAX_PARTITIONS	1024
#define SYSTEM_MAX_STREAMS	4096	/* final ones included */
#define SYSTEM_MAX_DEVICES	64

struct device;
struct inventory;
struct partition;
struct managed_stream;

/**
 * struct system_params - how a managed system is set up
 * @name:	of the system
 * @socket:	path of the management socket
 * @state_dir:	directory of the ownership records, and of suspended partitions
 * @socket_mode: permissions of all sockets
 * @memory:	bytes that partitions may have together
 * @overcommit:	that memory is promised, not reserved
 * @region_bytes: memory region size (LMB)
 * @streams:	streams that one device serves at a time
 * @opens:	sessions that a stream may have
 * @indirect:	offer indirect operations
 * @dirty_map:	offer the Dirty Map extension
 * @dirty_map_echo: echo a request for it
 * @fault_injection: allow "debug" in stream.create
 * @qemu:	program that runs guests
 * @userfaultfd: device that makes pages that are missing known
 * @qemu_plugin: its plug-in; NULL = there are no guests
 * @inventory:	what else it has; NULL = nothing is known of that
 */
struct system_params {
	const char *name;
	const char *socket;
	const char *state_dir;
	mode_t socket_mode;
	uint64_t memory;
	bool overcommit;
	uint64_t region_bytes;
	uint32_t streams;
	uint32_t opens;
	bool indirect;
	bool dirty_map;
	bool dirty_map_echo;
	bool fault_injection;
	const char *qemu;
	const char *qemu_plugin;
	const char *userfaultfd;
	struct inventory *inventory;
};

/**
 * struct system - a managed system
 * @params:	as given
 * @event:	loop
 * @phyp:	the platform
 * @records:	ownership records
 * @images:	of suspended partitions
 * @jobs:	long work
 * @rpc:	management socket
 * @settle:	sends what is queued to the links after every event
 * @wake_source: processors have something to tell
 * @wake_fd:	its eventfd
 * @park_timer:	looks after parked streams with a time limit; NULL = none has one
 * @memory_used: bytes that partitions have
 * @partitions:	all, also those that are being made or removed
 * @devices:	VASI devices
 * @streams:	until they are ended
 * @whole:	ids of the last streams that were ended with everything received
 * @whole_next:	where the next one goes
 */
struct system {
	struct system_params params;
	sd_event *event;
	struct phyp *phyp;
	struct record_dir *records;
	struct image_dir *images;
	struct jobs jobs;
	struct rpc_server *rpc;
	sd_event_source *settle;
	sd_event_source *wake_source;
	int wake_fd;
	sd_event_source *park_timer;
	uint64_t memory_used;
	unsigned int partition_count;
	unsigned int device_count;
	unsigned int stream_count;
	TAILQ_HEAD(, partition) partitions;
	TAILQ_HEAD(, device) devices;
	TAILQ_HEAD(, managed_stream) streams;
	uint64_t whole[256];
	unsigned int whole_next;
};

int system_create(const struct system_params *params, sd_event *event,
		  struct system **system);
int system_serve(struct system *system);
void system_destroy(struct system *system);
/* start.c: makes what the description has; @done once, 0 or a negative errno */
int system_start_partitions(struct system *system,
			    void (*done)(struct system *system, int error));
/* Any thread: let the loop look at the partitions that have something to tell */
void system_wake(struct system *system);

/* mgmt_*.c: methods, by rpc_method table */
extern const struct rpc_param mgmt_create_params[];
extern const struct rpc_param mgmt_reserve_params[];
extern const struct rpc_param mgmt_name_params[];
extern const struct rpc_param mgmt_list_params[];
extern const struct rpc_param mgmt_remove_params[];
extern const struct rpc_param mgmt_wait_params[];
extern const struct rpc_param mgmt_compare_params[];
extern const struct rpc_param mgmt_tell_params[];
extern const struct rpc_param mgmt_stream_params[];
extern const struct rpc_param mgmt_stream_id_params[];
extern const struct rpc_param mgmt_recover_params[];
extern const struct rpc_param mgmt_attach_params[];
extern const struct rpc_param mgmt_detach_params[];
extern const struct rpc_param mgmt_change_params[];
extern const struct rpc_param mgmt_configure_params[];
extern const struct rpc_param mgmt_note_params[];
extern const struct rpc_param mgmt_depart_params[];
extern const struct rpc_param mgmt_inactive_params[];
extern const struct rpc_method mgmt_methods[];

void mgmt_partition_create(struct rpc_request *req, const json_t *params,
			   void *data);
void mgmt_partition_reserve(struct rpc_request *req, const json_t *params,
			    void *data);
void mgmt_partition_activate(struct rpc_request *req, const json_t *params,
			     void *data);
void mgmt_partition_wait(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_partition_shutdown(struct rpc_request *req, const json_t *params,
			     void *data);
void mgmt_partition_remove(struct rpc_request *req, const json_t *params,
			   void *data);
void mgmt_partition_list(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_partition_show(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_partition_describe(struct rpc_request *req, const json_t *params,
			     void *data);
void mgmt_partition_digest(struct rpc_request *req, const json_t *params,
			   void *data);
void mgmt_partition_compare(struct rpc_request *req, const json_t *params,
			    void *data);
void mgmt_partition_check(struct rpc_request *req, const json_t *params,
			  void *data);
void mgmt_partition_suspend(struct rpc_request *req, const json_t *params,
			    void *data);
void mgmt_partition_resume(struct rpc_request *req, const json_t *params,
			   void *data);
void mgmt_partition_tell(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_stream_create(struct rpc_request *req, const json_t *params,
			void *data);
void mgmt_stream_show(struct rpc_request *req, const json_t *params,
		      void *data);
void mgmt_stream_list(struct rpc_request *req, const json_t *params,
		      void *data);
void mgmt_stream_cancel(struct rpc_request *req, const json_t *params,
			void *data);
void mgmt_stream_release(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_stream_verdict(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_stream_recover(struct rpc_request *req, const json_t *params,
			 void *data);
void mgmt_stream_end(struct rpc_request *req, const json_t *params,
		     void *data);
void mgmt_system_inventory(struct rpc_request *req, const json_t *params, void *data);
void mgmt_vios_attach(struct rpc_request *req, const json_t *params, void *data);
void mgmt_vios_detach(struct rpc_request *req, const json_t *params, void *data);
void mgmt_vios_settle(struct rpc_request *req, const json_t *params, void *data);
void mgmt_vios_change(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_config(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_configure(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_history(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_note(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_depart(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_stay(struct rpc_request *req, const json_t *params, void *data);
void mgmt_partition_arrived(struct rpc_request *req, const json_t *params, void *data);

#endif /* _PHYPD_SYSTEM_H */
