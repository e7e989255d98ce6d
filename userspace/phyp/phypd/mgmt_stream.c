// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The management methods of streams (Documentation/management.rst).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "phyp/phypd/device.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/left.h"
#include "phyp/phypd/stream.h"
#include "vasi_codec.h"

#define REASON_CANCELLED	((uint32_t)VASI_ABORT_ORCHESTRATOR << \
				 VASI_REASON_ENTITY_SHIFT)
#define MAX_PARK_TIMEOUT_MS	(24 * 3600 * 1000)
#define SUSPEND_MS		30000
#define MAX_SUSPEND_MS		3600000

static const char *const suspenders[] = { "partition", "platform", NULL };
static const char *const roles[] = { "source", "target", NULL };
static const char *const verdicts[] = { "resumed", "never", NULL };

static const struct rpc_param debug_fields[] = {
	{ "skip_resend", .type = RPC_INTEGER },
	{ "no_zero_detection", .type = RPC_BOOLEAN },
	{ "hold_suspend", .type = RPC_BOOLEAN },
	{ "hold_resume", .type = RPC_BOOLEAN },
	{ }
};

const struct rpc_param mgmt_stream_params[] = {
	{ "stream_id", RPC_STREAM_ID, .required = true },
	{ "role", RPC_STRING, true, .one_of = roles },
	{ "partition", RPC_STRING, .required = true },
	{ "device", RPC_STRING, .required = true },
	{ "peer_stream_major", RPC_INTEGER, .min = 0, .max = 65535 },
	{ "peer_stream_minor", RPC_INTEGER, .min = 0, .max = 65535 },
	{ "all_pages_before_resume", .type = RPC_BOOLEAN },
	{ "max_op_bytes", RPC_INTEGER, .min = 4096, .max = 16 << 20 },
	{ "park_timeout_ms", RPC_INTEGER, .min = 0, .max = MAX_PARK_TIMEOUT_MS },
	{ "suspend", RPC_STRING, .one_of = suspenders },
	{ "suspend_timeout_ms", RPC_INTEGER, .min = 1, .max = MAX_SUSPEND_MS },
	{ "peer", RPC_STRING, .min = 1, .max = IMAGE_NAME_BYTES - 1 },
	{ "debug", RPC_OBJECT, .fields = debug_fields },
	{ }
};

const struct rpc_param mgmt_stream_id_params[] = {
	{ "stream_id", RPC_STREAM_ID, .required = true },
	{ }
};

const struct rpc_param mgmt_recover_params[] = {
	{ "stream_id", RPC_STREAM_ID, .required = true },
	{ "verdict", RPC_STRING, true, .one_of = verdicts },
	{ "received", .type = RPC_BOOLEAN },
	{ }
};

static struct managed_stream *find(struct rpc_request *req,
				   const json_t *params, struct system *system)
{
	uint64_t id = rpc_get_stream_id(params, "stream_id");
	struct managed_stream *s = stream_find(system, id);

	if (!s)
		rpc_fail(req, RPC_NOT_FOUND, "no stream %016" PRIx64, id);
	return s;
}

static bool check_version(struct rpc_request *req, const json_t *params)
{
	uint64_t major = rpc_get_u64(params, "peer_stream_major",
				     PHYP_STREAM_MAJOR);

	if (major == PHYP_STREAM_MAJOR)
		return true;
	rpc_fail(req, RPC_NOT_COMPATIBLE,
		 "peer_stream_major: the other platform's stream has major version %"
		 PRIu64 ", this one's %u", major, PHYP_STREAM_MAJOR);
	return false;
}

static bool check_partition(struct rpc_request *req, struct partition *p,
			    const char *name, enum phyp_role role, uint64_t id)
{
	bool fits;

	if (!p || p->drop || p->state == PARTITION_LEAVING) {
		rpc_fail(req, RPC_NOT_FOUND, "no partition %s", name);
		return false;
	}
	fits = role == PHYP_TARGET ? p->state == PARTITION_SHELL :
	       (p->state == PARTITION_RUNNING && p->stopping == STOP_NONE) ||
	       p->state == PARTITION_HIBERNATED;
	if (partition_moving(p))
		rpc_fail(req, RPC_STATE, "partition %s is in stream %016" PRIx64
			 " already", name, stream_id(p->stream));
	else if (!fits)
		rpc_fail(req, RPC_STATE, "partition %s is %s: a %s must be %s",
			 name, partition_state_name(p),
			 role == PHYP_TARGET ? "target" : "source",
			 role == PHYP_TARGET ? "a Shell" :
			 "Running, Finished or Hibernated");
	else if (role == PHYP_TARGET && p->reserved_for && p->reserved_for != id)
		rpc_fail(req, RPC_STATE, "partition %s is reserved for stream %016" PRIx64, name,
			 p->reserved_for);
	else if (p->jobs)
		rpc_fail(req, RPC_STATE, "partition %s: its memory is being worked on",
			 name);
	else if (p->guest && role == PHYP_SOURCE && p->state == PARTITION_RUNNING &&
		 !p->home->ops->executing(p->home))
		rpc_fail(req, RPC_STATE, "partition %s has not gone on yet since it was suspended",
			 name);
	else
		return true;
	return false;
}

static bool get_debug(struct rpc_request *req, const json_t *params,
		      const struct system *system,
		      struct phyp_stream_params *p)
{
	const json_t *debug = json_object_get(params, "debug");

	if (!debug)
		return true;
	if (!system->params.fault_injection) {
		rpc_fail(req, RPC_NOT_AUTHORISED,
			 "debug: this system was not started with --fault-injection");
		return false;
	}
	p->skip_resend = rpc_get_u64(debug, "skip_resend", 0);
	p->no_zero_detection = rpc_get_bool(debug, "no_zero_detection", false);
	p->hold_resume = rpc_get_bool(debug, "hold_resume", false);
	return true;
}

static bool check_suspend(struct rpc_request *req, const json_t *params,
			  struct partition *p)
{
	bool agent = p->guest && rpc_get_bool(p->guest, "agent", true);
	const char *who = rpc_get_string(params, "suspend",
					 agent ? "partition" : "platform");
	bool itself = !strcmp(who, "partition");

	if (itself && p->guest && !agent) {
		rpc_fail(req, RPC_STATE,
			 "suspend: partition %s has no agent that could be told; only \"platform\" can stop it",
			 p->name);
		return false;
	}
	p->suspend_how = itself ? HOME_SUSPEND_PARTITION : HOME_SUSPEND_PLATFORM;
	p->suspend_ms = rpc_get_u64(params, "suspend_timeout_ms", SUSPEND_MS);
	return true;
}

static void explain(struct rpc_request *req, int ret,
		    const struct phyp_stream_params *p, struct partition *part,
		    const struct device *device)
{
	switch (ret) {
	case -EEXIST:
		rpc_fail(req, RPC_EXISTS, "stream %016" PRIx64
			 " exists, or has an ownership record: a stream id is used once",
			 p->id);
		break;
	case -EBUSY:
		rpc_fail(req, RPC_STATE, "partition %s is in another stream",
			 part->name);
		break;
	case -ENOSPC:
		rpc_fail(req, RPC_NOT_ENOUGH,
			 "device %s: no stream slot: %u of %u are in use",
			 device->name, streams_active(part->system, device),
			 device->params.streams);
		break;
	case -EINVAL:
		rpc_fail(req, RPC_INVALID_PARAMS, "stream_id: %016" PRIx64
			 " is not allowed", p->id);
		break;
	default:
		rpc_fail(req, ret == -ENOMEM ? RPC_NOT_ENOUGH : RPC_FAILED,
			 "stream %016" PRIx64 ": %s", p->id, strerror(-ret));
		break;
	}
}

/* Of all devices together; without a description each has its own limit only */
static bool check_migrations(struct rpc_request *req, const struct system *system)
{
	unsigned int count = streams_active(system, NULL);

	if (!system->params.inventory || count < streams_max(system))
		return true;
	rpc_fail(req, RPC_NOT_ENOUGH,
		 "system %s: %u active migrations are in progress, %u are supported",
		 system->params.name, count, streams_max(system));
	return false;
}

void mgmt_stream_create(struct rpc_request *req, const json_t *params,
			void *data)
{
	struct system *system = data;
	const char *name = rpc_get_string(params, "partition", "");
	const char *device_name = rpc_get_string(params, "device", "");
	struct partition *p = partition_find(system, name);
	struct device *device = device_find(system, device_name);
	struct image_note note = { .type = IMAGE_NOTE_DEPARTING };
	struct managed_stream *s;
	struct phyp_stream_params new = {
		.id = rpc_get_stream_id(params, "stream_id"),
		.role = !strcmp(rpc_get_string(params, "role", ""), "source") ?
			PHYP_SOURCE : PHYP_TARGET,
		.all_pages_before_resume =
			rpc_get_bool(params, "all_pages_before_resume", false),
		.max_op_bytes = (uint32_t)rpc_get_u64(params, "max_op_bytes", 0),
	};
	int ret;

	if (!device) {
		rpc_fail(req, RPC_NOT_FOUND, "no device %s", device_name);
		return;
	}
	if (stream_find(system, new.id)) {
		rpc_fail(req, RPC_EXISTS, "stream %016" PRIx64 " exists already",
			 new.id);
		return;
	}
	if (system->stream_count >= SYSTEM_MAX_STREAMS) {
		rpc_fail(req, RPC_NOT_ENOUGH, "%u streams were not ended",
			 system->stream_count);
		return;
	}
	if (!check_version(req, params) || !check_migrations(req, system) ||
	    !get_debug(req, params, system, &new) ||
	    !check_partition(req, p, name, new.role, new.id))
		return;
	if (!check_suspend(req, params, p))
		return;
	/* One that is suspended is in memory first; then this is called again */
	if (p->state == PARTITION_HIBERNATED && !p->imaged) {
		note.stream_id = new.id;
		strncpy(note.peer, rpc_get_string(params, "peer", ""), sizeof(note.peer) - 1);
		hibernate_depart(p, &note, params, req, mgmt_stream_create);
		return;
	}
	new.hibernated = p->imaged;
	if (p->imaged && new.role == PHYP_TARGET)
		strncpy(p->note.peer, rpc_get_string(params, "peer", ""),
			sizeof(p->note.peer) - 1);
	new.lpar = p->lpar;
	new.vdev = device->vdev;
	ret = new.role == PHYP_SOURCE ? left_note(system, p->name) : 0;
	if (!ret)
		ret = stream_make(system, p, device, &new,
				  rpc_get_u64(params, "park_timeout_ms", 0), &s);
	if (ret) {
		if (new.role == PHYP_SOURCE)
			left_forget(system, p->name);
		explain(req, ret, &new, p, device);
		return;
	}
	strncpy(s->peer, rpc_get_string(params, "peer", ""), sizeof(s->peer) - 1);
	partition_stream(p, new.id, VASI_STATE_ENABLED);
	if (new.role == PHYP_SOURCE)
		partition_depart(p);
	p->hold_suspend = rpc_get_bool(json_object_get(params, "debug"),
				       "hold_suspend", false);
	log_info("stream %016" PRIx64 ": created, %s of partition %s, device %s",
		 new.id, stream_role_name(s), p->name, device->name);
	rpc_reply(req, stream_state_json(s));
	partition_changed(p);
}

void mgmt_stream_show(struct rpc_request *req, const json_t *params,
		      void *data)
{
	struct managed_stream *s = find(req, params, data);

	if (s)
		rpc_reply(req, stream_json(s));
}

void mgmt_stream_list(struct rpc_request *req, const json_t *params,
		      void *data)
{
	struct system *system = data;
	json_t *list = json_array();
	struct managed_stream *s;

	(void)params;
	TAILQ_FOREACH(s, &system->streams, link)
		json_array_append_new(list, stream_json(s));
	rpc_reply(req, json_pack("{s:o}", "streams", list));
}

static const char *state_word(const struct managed_stream *s)
{
	struct phyp_stream_stats stats;

	phyp_stream_stats(s->phyp, &stats);
	return vasi_state_name((__u16)stats.state);
}

void mgmt_stream_cancel(struct rpc_request *req, const json_t *params,
			void *data)
{
	struct managed_stream *s = find(req, params, data);
	int ret;

	if (!s)
		return;
	ret = phyp_stream_cancel(s->phyp, REASON_CANCELLED);
	if (!ret)
		rpc_reply(req, stream_state_json(s));
	else if (ret == -EPERM)
		rpc_fail(req, RPC_STATE, "stream %016" PRIx64
			 " is %s: it can no longer be cancelled", s->id,
			 state_word(s));
	else
		rpc_fail(req, RPC_FAILED, "stream %016" PRIx64
			 ": the ownership record: %s", s->id, strerror(-ret));
}

void mgmt_stream_release(struct rpc_request *req, const json_t *params,
			 void *data)
{
	struct managed_stream *s = find(req, params, data);

	if (!s)
		return;
	if (phyp_stream_release(s->phyp))
		rpc_fail(req, RPC_STATE, "stream %016" PRIx64
			 " is not held with everything of the partition here", s->id);
	else
		rpc_reply(req, stream_state_json(s));
}

void mgmt_stream_verdict(struct rpc_request *req, const json_t *params,
			 void *data)
{
	struct system *system = data;
	uint64_t id = rpc_get_stream_id(params, "stream_id");
	enum phyp_verdict verdict = PHYP_VERDICT_NONE;
	int ret = -EINVAL;

	if (!hibernate_departed(system, id))
		ret = phyp_verdict(system->phyp, id, &verdict);
	if (ret == -EINVAL)
		rpc_fail(req, RPC_STATE, "stream %016" PRIx64
			 ": this system is its source; the target's record counts",
			 id);
	else if (ret)
		rpc_fail(req, RPC_FAILED, "stream %016" PRIx64
			 ": the ownership record: %s", id, strerror(-ret));
	else
		rpc_reply(req, json_pack("{s:s, s:b}", "verdict",
					 verdict == PHYP_VERDICT_RESUMED ?
					 "resumed" : "never", "received",
					 (int)stream_was_received(system, id)));
}

void mgmt_stream_recover(struct rpc_request *req, const json_t *params,
			 void *data)
{
	struct partition *p = hibernate_departed(data, rpc_get_stream_id(params,
									 "stream_id"));
	enum phyp_verdict verdict = PHYP_VERDICT_RESUMED;
	struct managed_stream *s;
	int ret;

	if (!strcmp(rpc_get_string(params, "verdict", ""), "never"))
		verdict = PHYP_VERDICT_NEVER;
	if (p) {
		hibernate_settle(p, verdict, req);
		return;
	}
	s = find(req, params, data);
	if (!s)
		return;
	ret = phyp_stream_recover(s->phyp, verdict,
				  rpc_get_bool(params, "received", false));
	if (!ret)
		rpc_reply(req, stream_state_json(s));
	else if (ret == -EINVAL)
		rpc_fail(req, RPC_STATE, "stream %016" PRIx64
			 ": this system is its target, only a source is recovered",
			 s->id);
	else if (ret == -EPERM)
		rpc_fail(req, RPC_STATE, "stream %016" PRIx64
			 " is %s: that verdict does not fit", s->id,
			 state_word(s));
	else
		rpc_fail(req, RPC_FAILED, "stream %016" PRIx64 ": %s", s->id,
			 strerror(-ret));
}

void mgmt_stream_end(struct rpc_request *req, const json_t *params, void *data)
{
	struct managed_stream *s = find(req, params, data);

	if (!s)
		return;
	if (stream_end(s))
		rpc_fail(req, RPC_STATE, "stream %016" PRIx64
			 " is %s%s", s->id, state_word(s),
			 stream_is_final(s) ? ", but movers have sessions open" :
			 ", neither Completed nor Aborted");
	else
		rpc_reply(req, NULL);
}
