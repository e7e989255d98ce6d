// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of virtual networks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/validate.h"

#define LIST_BYTES	256		/* VLANs that are told of an adapter */

static bool is_type(const json_t *adapter, const char *type)
{
	return !strcmp(text_of(adapter, "adapter_type"), type);
}

static const json_t *adapters(const struct validation *v)
{
	return json_object_get(v->config, "virtual_adapters");
}

static void check_adapter(struct validation *v)
{
	json_t *adapter;
	size_t i;

	json_array_foreach(adapters(v), i, adapter)
		if (is_type(adapter, "eth") || is_type(adapter, "vnic")) {
			passed(v, "partition %s has a virtual network adapter",
			       partition_name(v));
			return;
		}
	found(v, "LPM0326",
	      "Partition %s has no virtual Ethernet and no vNIC adapter; it needs one, to be reached and configured. Add one.",
	      partition_name(v));
}

/* ---- Virtual switches ---- */

static bool has_vswitch(const struct validation *v, const char *name)
{
	return named_in(json_object_get(v->target.inventory, "virtual_switches"), name);
}

static void check_vswitches(struct validation *v)
{
	char room[NAME_BYTES];
	json_t *adapter;
	const char *name;
	size_t i;

	if (!v->target.inventory)
		return;
	json_array_foreach(adapters(v), i, adapter) {
		if (!is_type(adapter, "eth"))
			continue;
		name = mapped_vswitch(&v->mapping, adapter, room);
		note(v, 5, "slot %" PRId64 ": virtual switch %s", number_of(adapter, "slot_num"),
		     name);
		if (has_vswitch(v, name))
			passed(v, "system %s has the virtual switch %s", v->target.system->name,
			       name);
		else
			found(v, "LPM0328",
			      "System %s has no virtual switch %s; the adapter in slot %" PRId64 " of partition %s needs it there. Create it, or name another one with -i vswitch_mappings=%" PRId64 "/VSWITCH.",
			      v->target.system->name, name, number_of(adapter, "slot_num"),
			      partition_name(v), number_of(adapter, "slot_num"));
	}
}

/* ---- VLANs ---- */

static bool carries(const json_t *sea, const char *vswitch, int64_t vlan)
{
	json_t *id;
	size_t i;

	if (strcmp(text_of(sea, "vswitch"), vswitch) || !strcmp(text_of(sea, "state"), "failed"))
		return false;
	if (number_of(sea, "port_vlan_id") == vlan)
		return true;
	json_array_foreach(json_object_get(sea, "addl_vlan_ids"), i, id)
		if (json_integer_value(id) == vlan)
			return true;
	return false;
}

/* By an adapter that is available, of a VIOS that runs */
static bool is_bridged(struct validation *v, const char *vswitch, int64_t vlan)
{
	json_t *vios, *sea;
	size_t i, j;

	json_array_foreach(json_object_get(v->target.inventory, "vioses"), i, vios)
		json_array_foreach(json_object_get(vios, "seas"), j, sea) {
			bool is = !strcmp(text_of(vios, "state"), "Running") &&
				  carries(sea, vswitch, vlan);

			note(v, 5, "VLAN %" PRId64 " of %s: %s of VIOS %s (%s, %s): %s", vlan,
			     vswitch, text_of(sea, "name"), text_of(vios, "name"),
			     text_of(sea, "vswitch"), text_of(sea, "state"),
			     is ? "yes" : "no");
			if (is)
				return true;
		}
	return false;
}

static void add_vlan(char list[LIST_BYTES], int64_t vlan)
{
	size_t length = strlen(list);

	snprintf(list + length, LIST_BYTES - length, "%s%" PRId64, length ? ", " : "", vlan);
}

/* What a VLAN that is not bridged is */
static enum severity bridge_severity(const struct validation *v)
{
	bool overridden = v->options->vlanbridge == 2 || v->options->force;

	return overridden && v->kind != KIND_INACTIVE ? SEVERITY_WARNING : SEVERITY_ERROR;
}

static void check_vlans_of(struct validation *v, const json_t *adapter)
{
	char room[NAME_BYTES], missing[LIST_BYTES] = "";
	const char *vswitch = mapped_vswitch(&v->mapping, adapter, room);
	json_t *id;
	size_t i;

	/* Its switch is another check */
	if (!has_vswitch(v, vswitch))
		return;
	if (!is_bridged(v, vswitch, number_of(adapter, "port_vlan_id")))
		add_vlan(missing, number_of(adapter, "port_vlan_id"));
	json_array_foreach(json_object_get(adapter, "addl_vlan_ids"), i, id)
		if (!is_bridged(v, vswitch, json_integer_value(id)))
			add_vlan(missing, json_integer_value(id));
	if (!*missing)
		passed(v, "system %s bridges all VLANs of the adapter in slot %" PRId64,
		       v->target.system->name, number_of(adapter, "slot_num"));
	else
		found_as(v, bridge_severity(v), "LPM0327",
			 "System %s does not bridge these VLANs of virtual switch %s: %s; the adapter in slot %" PRId64 " of partition %s needs a Shared Ethernet Adapter for each that is available. Configure one%s.",
			 v->target.system->name, vswitch, missing,
			 number_of(adapter, "slot_num"), partition_name(v),
			 v->kind == KIND_INACTIVE ? "" :
						    ", or accept it with --vlanbridge 2");
}

static void check_vlans(struct validation *v)
{
	json_t *adapter;
	size_t i;

	if (!v->target.inventory)
		return;
	json_array_foreach(adapters(v), i, adapter)
		if (is_type(adapter, "eth"))
			check_vlans_of(v, adapter);
}

#define ALL	{ SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }

const struct check network_checks[] = {
	{ "network", ALL, NEEDS_CONFIG, { "LPM0326" },
	  "it has a virtual Ethernet or vNIC adapter", check_adapter },
	{ "vswitch", ALL, NEEDS_CONFIG, { "LPM0328" },
	  "the target has its virtual switches", check_vswitches },
	{ "vlan", ALL, NEEDS_CONFIG, { "LPM0327" },
	  "the target bridges its VLANs", check_vlans },
	{ }
};
