// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The management methods of what a system and its partitions have
 * (Documentation/managed-system.rst).
 */
#include <errno.h>
#include <inttypes.h>

#include "phyp/phypd/history.h"
#include "phyp/phypd/inactive.h"
#include "phyp/phypd/inventory.h"

#define NAME_PARAM	{ "name", RPC_STRING, true, .min = 1, .max = PARTITION_NAME_BYTES - 1 }
#define VIOS_PARAM	{ "vios", RPC_STRING, true, .min = 1, .max = PARTITION_NAME_BYTES - 1 }
#define STREAM_PARAM	{ "stream_id", RPC_STREAM_ID, .required = true }

const struct rpc_param mgmt_attach_params[] = {
	VIOS_PARAM,
	{ "stream_id", .type = RPC_STREAM_ID },
	{ "adapter", RPC_OBJECT, true, .fields = server_adapter_fields },
	{ }
};

const struct rpc_param mgmt_detach_params[] = {
	VIOS_PARAM,
	{ "slot_num", RPC_INTEGER, true, .min = 0, .max = 65535 },
	{ "adapter", .type = RPC_OBJECT },
	{ }
};

const struct rpc_param mgmt_change_params[] = {
	NAME_PARAM,
	{ "msp", RPC_BOOLEAN, .required = true },
	{ }
};

/* The patch may have null, and is checked with what it changes */
const struct rpc_param mgmt_configure_params[] = {
	NAME_PARAM,
	{ "config", RPC_OBJECT, .required = true },
	{ }
};

const struct rpc_param mgmt_note_params[] = {
	NAME_PARAM,
	STREAM_PARAM,
	{ "bytes", .type = RPC_INTEGER },
	{ "blackout_ms", .type = RPC_INTEGER },
	{ "total_ms", .type = RPC_INTEGER },
	{ "by", RPC_STRING, .min = 1, .max = 63 },
	{ }
};

const struct rpc_param mgmt_depart_params[] = {
	NAME_PARAM,
	STREAM_PARAM,
	{ "peer", RPC_STRING, true, .min = 1, .max = IMAGE_NAME_BYTES - 1 },
	{ }
};

const struct rpc_param mgmt_inactive_params[] = {
	NAME_PARAM,
	STREAM_PARAM,
	{ }
};

/* ---- The system and its VIOSes ---- */

void mgmt_system_inventory(struct rpc_request *req, const json_t *params, void *data)
{
	const struct system *system = data;
	json_t *answer;

	(void)params;
	if (!system->params.inventory) {
		rpc_reply(req, json_pack("{s:b}", "described", 0));
		return;
	}
	answer = json_copy(system->params.inventory->system);
	json_object_set_new(answer, "described", json_true());
	rpc_reply(req, answer);
}

static bool described(struct rpc_request *req, const struct system *system)
{
	if (!system->params.inventory)
		rpc_fail(req, RPC_NOT_FOUND, "system %s has no description, and with that no VIOS",
			 system->params.name);
	return system->params.inventory;
}

void mgmt_vios_attach(struct rpc_request *req, const json_t *params, void *data)
{
	struct system *system = data;
	struct rpc_error err = { 0 };
	uint32_t slot;

	if (!described(req, system))
		return;
	if (vios_attach(system->params.inventory, rpc_get_string(params, "vios", ""),
			rpc_get_stream_id(params, "stream_id"),
			json_object_get(params, "adapter"), &slot, &err))
		rpc_fail(req, err.code, "%s", err.text);
	else
		rpc_reply(req, json_pack("{s:i}", "slot_num", (int)slot));
}

void mgmt_vios_detach(struct rpc_request *req, const json_t *params, void *data)
{
	struct system *system = data;
	struct rpc_error err = { 0 };

	if (!described(req, system))
		return;
	if (vios_detach(system->params.inventory, rpc_get_string(params, "vios", ""),
			(uint32_t)rpc_get_u64(params, "slot_num", 0),
			json_object_get(params, "adapter"), &err))
		rpc_fail(req, err.code, "%s", err.text);
	else
		rpc_reply(req, NULL);
}

void mgmt_vios_settle(struct rpc_request *req, const json_t *params, void *data)
{
	struct system *system = data;

	if (!described(req, system))
		return;
	vios_settle(system->params.inventory, rpc_get_stream_id(params, "stream_id"));
	rpc_reply(req, NULL);
}

void mgmt_vios_change(struct rpc_request *req, const json_t *params, void *data)
{
	struct system *system = data;
	struct rpc_error err = { 0 };

	if (!described(req, system))
		return;
	if (vios_change(system->params.inventory, rpc_get_string(params, "name", ""),
			rpc_get_bool(params, "msp", false), &err))
		rpc_fail(req, err.code, "%s", err.text);
	else
		rpc_reply(req, NULL);
}

/* ---- A partition ---- */

void mgmt_partition_config(struct rpc_request *req, const json_t *params, void *data)
{
	const struct partition *p = mgmt_find_partition(req, params, data);

	if (!p)
		return;
	if (p->config)
		rpc_reply(req, json_deep_copy(p->config));
	else
		rpc_fail(req, RPC_NOT_FOUND, "partition %s has no config", p->name);
}

void mgmt_partition_configure(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);
	struct rpc_error err = { 0 };
	json_t *merged;

	if (!p)
		return;
	/* The other side has its description already */
	if (p->inactive.type == IMAGE_NOTE_DEPARTING || partition_moving(p)) {
		rpc_fail(req, RPC_STATE, "partition %s is %s: it cannot be changed", p->name,
			 partition_state_name(p));
		return;
	}
	merged = config_merged("config.", p->config, json_object_get(params, "config"), &err);
	if (!merged) {
		rpc_fail(req, RPC_INVALID_PARAMS, "%s", err.text);
		return;
	}
	json_decref(p->config);
	p->config = merged;
	rpc_reply(req, NULL);
}

void mgmt_partition_history(struct rpc_request *req, const json_t *params, void *data)
{
	const struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		rpc_reply(req, json_pack("{s:o}", "moves", p->history ?
					 json_deep_copy(p->history) : json_array()));
}

void mgmt_partition_note(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);
	uint64_t id = rpc_get_stream_id(params, "stream_id");
	struct rpc_error err = { 0 };

	if (!p)
		return;
	if (members_clean("", params, &err))
		rpc_fail(req, RPC_INVALID_PARAMS, "%s", err.text);
	else if (history_note(p, id, params))
		rpc_fail(req, RPC_NOT_FOUND,
			 "the history of partition %s has no stream %016" PRIx64, p->name, id);
	else
		rpc_reply(req, NULL);
}

void mgmt_partition_depart(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		inactive_depart(p, rpc_get_stream_id(params, "stream_id"),
				rpc_get_string(params, "peer", ""), req);
}

void mgmt_partition_stay(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		inactive_stay(p, rpc_get_stream_id(params, "stream_id"), req);
}

void mgmt_partition_arrived(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		inactive_arrived(p, rpc_get_stream_id(params, "stream_id"), req);
}
