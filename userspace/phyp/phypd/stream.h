/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of a managed system: libphyp's, with the names they are known by.
 */
#ifndef _PHYPD_STREAM_H
#define _PHYPD_STREAM_H

#include "phyp/phypd/partition.h"

/**
 * struct managed_stream - a stream, until it is ended
 * @system:	where
 * @phyp:	the platform's
 * @id:		stream id
 * @role:	this side
 * @hibernated:	its partition is suspended
 * @peer:	name of the other system, or ""
 * @created:	seconds since 1970
 * @partition:	the partition, while it is on this system
 * @partition_name: its name, for good
 * @device:	whose movers may open it
 * @park_timeout_ns: parked for so long it is cancelled, where that is possible;
 *		0 = never
 * @parked_since: 0 = it is not parked
 */
struct managed_stream {
	TAILQ_ENTRY(managed_stream) link;
	struct system *system;
	struct phyp_stream *phyp;
	uint64_t id;
	enum phyp_role role;
	bool hibernated;
	char peer[PARTITION_NAME_BYTES];
	uint64_t created;
	struct partition *partition;
	char partition_name[PARTITION_NAME_BYTES];
	struct device *device;
	uint64_t park_timeout_ns;
	uint64_t parked_since;
};

struct managed_stream *stream_find(struct system *system, uint64_t id);
uint64_t stream_id(const struct managed_stream *s);
const char *stream_role_name(const struct managed_stream *s);
bool stream_is_final(const struct managed_stream *s);
/* A target that has not received everything? */
bool stream_is_arriving(const struct managed_stream *s);
/* Its partition is being removed */
void stream_forget_partition(struct managed_stream *s);
json_t *stream_json(const struct managed_stream *s);
json_t *stream_state_json(const struct managed_stream *s);
/* Streams of the system, or of a device, that are not final */
unsigned int streams_active(const struct system *system,
			    const struct device *device);
/* How many may be active on the system */
unsigned int streams_max(const struct system *system);
int stream_make(struct system *system, struct partition *p,
		struct device *device, const struct phyp_stream_params *params,
		uint64_t park_timeout_ms, struct managed_stream **stream);
int stream_end(struct managed_stream *s);
/* Did the target of a stream that is or was here receive everything? */
bool stream_was_received(struct system *system, uint64_t id);
void streams_destroy(struct system *system);

/* For struct phyp_host_ops */
void streams_state_changed(void *ctx, struct phyp_stream *stream,
			   enum vasi_state old, enum vasi_state new);

#endif /* _PHYPD_STREAM_H */
