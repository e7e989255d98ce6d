// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of storage by virtual SCSI.
 */
#include <inttypes.h>
#include <string.h>

#include "common/util.h"
#include "hmc/validate.h"

static void check_server(struct validation *v, const json_t *adapter, const json_t *server,
			 const json_t *vios)
{
	(void)vios;
	if (server)
		passed(v, "the vSCSI adapter in slot %" PRId64 " has its server adapter on VIOS %s",
		       number_of(adapter, "slot_num"), text_of(adapter, "remote_lpar_name"));
	else
		found(v, "LPM0329",
		      "The vSCSI adapter in slot %" PRId64 " of partition %s has no server adapter in slot %" PRId64 " of VIOS %s; each needs one that names it. Create it, or remove the client adapter.",
		      number_of(adapter, "slot_num"), partition_name(v),
		      number_of(adapter, "remote_slot_num"),
		      text_of(adapter, "remote_lpar_name"));
}

static void check_servers(struct validation *v)
{
	each_client(v, "scsi", check_server);
}

/* The first device that is no whole LUN; NULL: all are */
static const char *not_whole(struct validation *v, const json_t *server, const json_t *vios,
			     const char **type)
{
	const json_t *lun;
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(server, "backing_devices"), i, device) {
		lun = named_in(json_object_get(vios, "luns"), json_string_value(device));
		*type = lun ? text_of(lun, "type") : "not there";
		note(v, 5, "VIOS %s: %s is of type %s", text_of(vios, "name"),
		     json_string_value(device), *type);
		if (strcmp(*type, "lun"))
			return json_string_value(device);
	}
	return NULL;
}

static void check_backing(struct validation *v, const json_t *adapter, const json_t *server,
			  const json_t *vios)
{
	const char *type = "", *device;

	if (!server)
		return;
	device = not_whole(v, server, vios, &type);
	if (device)
		found(v, "LPM0330",
		      "The vSCSI adapter in slot %" PRId64 " of partition %s is backed by %s of VIOS %s, which is of type %s; it must be a whole LUN, which the target can see. Move its data to one.",
		      number_of(adapter, "slot_num"), partition_name(v), device,
		      text_of(vios, "name"), type);
	else if (!json_array_size(json_object_get(server, "backing_devices")))
		found(v, "LPM0330",
		      "The vSCSI adapter in slot %" PRId64 " of partition %s is backed by nothing on VIOS %s; it must be by whole LUNs. Map one, or remove the adapter.",
		      number_of(adapter, "slot_num"), partition_name(v), text_of(vios, "name"));
	else
		passed(v, "whole LUNs back the vSCSI adapter in slot %" PRId64,
		       number_of(adapter, "slot_num"));
}

static void check_backings(struct validation *v)
{
	each_client(v, "scsi", check_backing);
}

/* ---- Reserves, on both sides ---- */

static void check_reserve(struct validation *v, const struct side *side, const json_t *vios,
			  const json_t *devices)
{
	json_t *device;
	size_t i;

	json_array_foreach(devices, i, device) {
		const json_t *lun = named_in(json_object_get(vios, "luns"),
					     json_string_value(device));
		const char *policy = text_of(lun, "reserve_policy");

		if (!lun || strcmp(text_of(lun, "type"), "lun"))
			continue;
		note(v, 5, "%s of VIOS %s: %s", text_of(lun, "name"), text_of(vios, "name"),
		     policy);
		if (!strcmp(policy, "no_reserve"))
			passed(v, "%s of VIOS %s is not reserved", text_of(lun, "name"),
			       text_of(vios, "name"));
		else
			found(v, "LPM0331",
			      "The reserve_policy of %s on VIOS %s of system %s is %s; it must be no_reserve, for VIOSes of both systems use it during the migration. Run chdev -dev %s -attr reserve_policy=no_reserve there.",
			      text_of(lun, "name"), text_of(vios, "name"), side->system->name,
			      policy, text_of(lun, "name"));
	}
}

static void check_source_reserve(struct validation *v, const json_t *adapter,
				 const json_t *server, const json_t *vios)
{
	(void)adapter;
	check_reserve(v, &v->source, vios, json_object_get(server, "backing_devices"));
}

static void check_reserves(struct validation *v)
{
	json_t *mapping;
	size_t i;

	each_client(v, "scsi", check_source_reserve);
	json_array_foreach(v->plan->mappings, i, mapping)
		check_reserve(v, &v->target,
			      named_in(json_object_get(v->target.inventory, "vioses"),
				       text_of(mapping, "vios_name")),
			      json_object_get(mapping, "backing_devices"));
}

#define ALL	{ SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }

const struct check storage_checks[] = {
	{ "scsi-server", ALL, NEEDS_CONFIG, { "LPM0329" },
	  "every vSCSI adapter has a server adapter", check_servers },
	{ "scsi-backing", ALL, NEEDS_CONFIG, { "LPM0330" },
	  "whole LUNs back it, no logical volumes or files", check_backings },
	{ "reserve-policy", ALL, NEEDS_CONFIG, { "LPM0331" },
	  "LUNs are not reserved, on both systems", check_reserves },
	{ "scsi-target", ALL, NEEDS_CONFIG, { "LPM0332" },
	  "a VIOS of the target sees the same LUNs", check_problems },
	{ }
};
