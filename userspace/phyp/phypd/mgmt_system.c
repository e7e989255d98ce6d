// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The management methods of a system (Documentation/management.rst).
 */
#include <errno.h>
#include <string.h>

#include "phyp/phypd/device.h"
#include "phyp/phypd/inactive.h"
#include "phyp/phypd/partition.h"
#include "phyp/phypd/stream.h"

static json_t *devices_json(const struct system *system)
{
	json_t *list = json_array();
	const struct device *device;

	TAILQ_FOREACH(device, &system->devices, link)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:b}",
						"name", device->name,
						"path", device->path, "connected",
						(int)!!device->crq));
	return list;
}

static void system_info(struct rpc_request *req, const json_t *params,
			void *data)
{
	const struct system *system = data;
	const struct system_params *p = &system->params;

	(void)params;
	rpc_reply(req, json_pack("{s:s, s:s, s:i, s:i, s:[i, i], s:b, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:o}",
				 "name", p->name,
				 "version", VASI_VERSION,
				 "stream_major", PHYP_STREAM_MAJOR,
				 "stream_minor", PHYP_STREAM_MINOR,
				 "granules", 4096, 65536,
				 "guests", (int)!!p->qemu_plugin,
				 "memory_total", rpc_json_u64(p->memory),
				 "memory_free", rpc_json_u64(p->memory - system->memory_used),
				 "memory_region_size", rpc_json_u64(p->region_bytes),
				 "streams_max", (int)p->streams,
				 "streams", (int)streams_active(system, NULL),
				 "active_migrations_max", (int)streams_max(system),
				 "inactive_migrations_max", (int)inactive_max(system),
				 "inactive_migrations", (int)inactive_count(system),
				 "devices", devices_json(system)));
}

static const struct rpc_param event_params[] = {
	{ "device", RPC_STRING, .required = true },
	{ "event", RPC_INTEGER, true, .min = 1, .max = UINT8_MAX },
	{ }
};

static void device_fault(struct rpc_request *req, const json_t *params,
			 void *data)
{
	const char *name = rpc_get_string(params, "device", "");
	struct device *device = device_find(data, name);
	int ret;

	if (!device) {
		rpc_fail(req, RPC_NOT_FOUND, "no device \"%s\"", name);
		return;
	}
	ret = device_event(device, (uint32_t)rpc_get_u64(params, "event", 0));
	if (ret == -ENOTCONN)
		rpc_fail(req, RPC_STATE, "device \"%s\" has no client", name);
	else if (ret)
		rpc_fail(req, RPC_FAILED, "device \"%s\": %s", name,
			 strerror(-ret));
	else
		rpc_reply(req, NULL);
}

const struct rpc_method mgmt_methods[] = {
	{ "system.info", system_info, NULL },
	{ "system.inventory", mgmt_system_inventory, NULL },
	{ "device.event", device_fault, event_params },
	{ "vios.attach", mgmt_vios_attach, mgmt_attach_params },
	{ "vios.detach", mgmt_vios_detach, mgmt_detach_params },
	{ "vios.settle", mgmt_vios_settle, mgmt_stream_id_params },
	{ "vios.change", mgmt_vios_change, mgmt_change_params },
	{ "partition.create", mgmt_partition_create, mgmt_create_params },
	{ "partition.reserve", mgmt_partition_reserve, mgmt_reserve_params },
	{ "partition.check", mgmt_partition_check, mgmt_reserve_params },
	{ "partition.activate", mgmt_partition_activate, mgmt_name_params },
	{ "partition.wait", mgmt_partition_wait, mgmt_wait_params },
	{ "partition.shutdown", mgmt_partition_shutdown, mgmt_name_params },
	{ "partition.suspend", mgmt_partition_suspend, mgmt_name_params },
	{ "partition.resume", mgmt_partition_resume, mgmt_name_params },
	{ "partition.remove", mgmt_partition_remove, mgmt_remove_params },
	{ "partition.list", mgmt_partition_list, mgmt_list_params },
	{ "partition.show", mgmt_partition_show, mgmt_name_params },
	{ "partition.describe", mgmt_partition_describe, mgmt_name_params },
	{ "partition.digest", mgmt_partition_digest, mgmt_name_params },
	{ "partition.dirty", mgmt_partition_dirty, mgmt_dirty_params },
	{ "partition.tell", mgmt_partition_tell, mgmt_tell_params },
	{ "partition.compare", mgmt_partition_compare, mgmt_compare_params },
	{ "partition.config", mgmt_partition_config, mgmt_name_params },
	{ "partition.configure", mgmt_partition_configure, mgmt_configure_params },
	{ "partition.history", mgmt_partition_history, mgmt_name_params },
	{ "partition.note", mgmt_partition_note, mgmt_note_params },
	{ "partition.depart", mgmt_partition_depart, mgmt_depart_params },
	{ "partition.stay", mgmt_partition_stay, mgmt_inactive_params },
	{ "partition.arrived", mgmt_partition_arrived, mgmt_inactive_params },
	{ "stream.create", mgmt_stream_create, mgmt_stream_params },
	{ "stream.show", mgmt_stream_show, mgmt_stream_id_params },
	{ "stream.list", mgmt_stream_list, NULL },
	{ "stream.cancel", mgmt_stream_cancel, mgmt_stream_id_params },
	{ "stream.release", mgmt_stream_release, mgmt_stream_id_params },
	{ "stream.verdict", mgmt_stream_verdict, mgmt_stream_id_params },
	{ "stream.recover", mgmt_stream_recover, mgmt_recover_params },
	{ "stream.end", mgmt_stream_end, mgmt_stream_id_params },
	{ }
};
