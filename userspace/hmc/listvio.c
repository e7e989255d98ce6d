// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lshwres -r virtualio: virtual adapters of partitions and of Virtual I/O Servers, slots,
 * virtual switches, and what bridges them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hmc/described.h"
#include "hmc/lshwres.h"

#define FIRST_OWN_SLOT	2	/* below are those of consoles */

const char *const filters_of_adapters[] = { "lpar_names", "lpar_ids", "slots", NULL };

/**
 * struct owner - a partition or a Virtual I/O Server
 * @entry:	of partition.list or the inventory
 * @adapters:	its virtual adapters
 * @slots:	max_virtual_slots
 * @server:	it is a Virtual I/O Server
 */
struct owner {
	const json_t *entry;
	const json_t *adapters;
	int64_t slots;
	bool server;
};

typedef void (*add_owner)(struct query *query, const struct holdings *holdings,
			  const struct owner *owner);

static void add_wanted(struct query *query, const struct holdings *holdings,
		       const struct owner *owner, add_owner add)
{
	if (query_selects_partition(query, text_of(owner->entry, "name"),
				    number_of(owner->entry, "lpar_id")))
		add(query, holdings, owner);
}

/* Servers first, as in lssyscfg -r lpar */
static int each_owner(struct query *query, add_owner add)
{
	struct holdings holdings;
	json_t *entry;
	size_t i;

	if (holdings_get(query, &holdings))
		return EXIT_FAILED;
	json_array_foreach(json_object_get(holdings.inventory, "vioses"), i, entry)
		add_wanted(query, &holdings, &(struct owner) {
			.entry = entry, .adapters = json_object_get(entry, "adapters"),
			.slots = number_of(entry, "max_virtual_slots"), .server = true }, add);
	json_array_foreach(json_object_get(holdings.partitions, "partitions"), i, entry) {
		const json_t *config = config_of(entry);

		if (config)
			add_wanted(query, &holdings, &(struct owner) {
				.entry = entry,
				.adapters = json_object_get(config, "virtual_adapters"),
				.slots = number_of(current_profile(config),
						   "max_virtual_slots") }, add);
	}
	holdings_release(&holdings);
	return EXIT_DONE;
}

static bool runs(const struct owner *owner)
{
	if (owner->server)
		return !strcmp(text_of(owner->entry, "state"), "Running");
	return is_active(owner->entry);
}

/* ---- Adapters ---- */

const char *const eth_fields[] = {
	"lpar_name", "lpar_id", "slot_num", "state", "is_required", "is_trunk",
	"ieee_virtual_eth", "port_vlan_id", "vswitch", "addl_vlan_ids", "mac_addr", NULL
};

const char *const scsi_fields[] = {
	"lpar_name", "lpar_id", "slot_num", "state", "is_required", "adapter_type",
	"remote_lpar_id", "remote_lpar_name", "remote_slot_num", "backing_devices",
	"stream_id", NULL
};

const char *const fc_fields[] = {
	"lpar_name", "lpar_id", "slot_num", "state", "is_required", "adapter_type",
	"remote_lpar_id", "remote_lpar_name", "remote_slot_num", "wwpns", "fc_port",
	"stream_id", NULL
};

const char *const vnic_fields[] = {
	"lpar_name", "lpar_id", "slot_num", "state", "is_required", "adapter_type",
	"port_vlan_id", "mac_addr", "remote_lpar_id", "remote_lpar_name", "remote_slot_num",
	"sriov_port", "stream_id", NULL
};

static const char *const adapter_members[] = {
	"slot_num", "is_required", "ieee_virtual_eth", "port_vlan_id", "vswitch",
	"addl_vlan_ids", "mac_addr", "remote_lpar_id", "remote_lpar_name", "remote_slot_num",
	"backing_devices", "wwpns", "fc_port", "sriov_port", "stream_id", NULL
};

static void add_adapter(struct query *query, const struct owner *owner, const json_t *adapter,
			bool eth)
{
	json_t *record = query_partition_record(query, owner->entry);

	set_members(record, adapter, adapter_members);
	set_flag(record, "state", runs(owner));
	if (!json_object_get(record, "is_required"))
		set_flag(record, "is_required", false);
	if (eth)
		set_flag(record, "is_trunk", false);
	else
		set_text(record, "adapter_type", owner->server ? "server" : "client");
}

static void add_adapters(struct query *query, const struct owner *owner, const char *type)
{
	json_t *adapter;
	size_t i;

	json_array_foreach(owner->adapters, i, adapter)
		if (!strcmp(text_of(adapter, "adapter_type"), type) &&
		    query_selects_number(query, "slots", number_of(adapter, "slot_num")))
			add_adapter(query, owner, adapter, !strcmp(type, "eth"));
}

static void add_of_type(struct query *query, const struct holdings *holdings,
			const struct owner *owner)
{
	(void)holdings;
	add_adapters(query, owner, query->subtype);
}

/* --rsubtype says which */
int list_adapters(struct query *query)
{
	return each_owner(query, add_of_type);
}

/* ---- Slots ---- */

const char *const slot_lpar_fields[] = {
	"lpar_name", "lpar_id", "curr_max_virtual_slots", "next_avail_virtual_slot", NULL
};

static void add_slot_lpar(struct query *query, const struct holdings *holdings,
			  const struct owner *owner)
{
	int64_t slot = owner->server ? FIRST_CLIENT_SLOT : FIRST_OWN_SLOT;
	json_t *record = query_partition_record(query, owner->entry);

	(void)holdings;
	while (slot < owner->slots && numbered_in(owner->adapters, "slot_num", slot))
		slot++;
	set_number(record, "curr_max_virtual_slots", owner->slots);
	if (slot < owner->slots)
		set_number(record, "next_avail_virtual_slot", slot);
	else
		set_text(record, "next_avail_virtual_slot", "none");
}

int list_slot_lpars(struct query *query)
{
	return each_owner(query, add_slot_lpar);
}

const char *const slot_fields[] = {
	"slot_num", "lpar_name", "lpar_id", "config", "drc_name", "is_required", NULL
};

/* U9009.42A.785B0F0-V3-C5 */
static void set_drc_name(json_t *record, const json_t *inventory, const struct owner *owner,
			 int64_t slot)
{
	const char *model = text_of(inventory, "type_model");
	char text[96];

	if (strlen(model) != 8)
		return;
	snprintf(text, sizeof(text), "U%.4s.%.3s.%.7s-V%" PRId64 "-C%" PRId64, model, model + 5,
		 text_of(inventory, "serial_num"), number_of(owner->entry, "lpar_id"), slot);
	set_text(record, "drc_name", text);
}

static void add_slots(struct query *query, const struct holdings *holdings,
		      const struct owner *owner)
{
	json_t *adapter, *record;
	int64_t slot;
	size_t i;

	json_array_foreach(owner->adapters, i, adapter) {
		slot = number_of(adapter, "slot_num");
		if (!query_selects_number(query, "slots", slot))
			continue;
		record = query_partition_record(query, owner->entry);
		set_number(record, "slot_num", slot);
		set_text(record, "config", text_of(adapter, "adapter_type"));
		set_drc_name(record, holdings->inventory, owner, slot);
		set_flag(record, "is_required", flag_of(adapter, "is_required"));
	}
}

int list_slots(struct query *query)
{
	return each_owner(query, add_slots);
}

/* ---- Switches, and what bridges them ---- */

const char *const vswitch_fields[] = { "vswitch", "switch_mode", "vlan_ids", NULL };

static void add_once(json_t *list, const json_t *number)
{
	json_t *other;
	size_t i;

	json_array_foreach(list, i, other)
		if (json_equal(other, number))
			return;
	if (number)
		json_array_append(list, (json_t *)number);
}

/* VLANs of what is on a switch: adapters, or SEAs */
static void add_vlans(json_t *list, const json_t *ports, const char *vswitch)
{
	json_t *port, *vlan;
	size_t i, n;

	json_array_foreach(ports, i, port) {
		if (strcmp(text_of(port, "vswitch"), vswitch))
			continue;
		add_once(list, json_object_get(port, "port_vlan_id"));
		json_array_foreach(json_object_get(port, "addl_vlan_ids"), n, vlan)
			add_once(list, vlan);
	}
}

static void add_vswitch(struct query *query, const struct holdings *holdings,
			const json_t *vswitch)
{
	json_t *record = query_record(query), *vlans = json_array(), *entry;
	const char *name = text_of(vswitch, "name");
	size_t i;

	json_array_foreach(json_object_get(holdings->inventory, "vioses"), i, entry)
		add_vlans(vlans, json_object_get(entry, "seas"), name);
	json_array_foreach(json_object_get(holdings->partitions, "partitions"), i, entry)
		add_vlans(vlans, json_object_get(config_of(entry), "virtual_adapters"), name);
	set_text(record, "vswitch", name);
	set_text(record, "switch_mode", text_of(vswitch, "mode"));
	set_list(record, "vlan_ids", vlans, "none");
	json_decref(vlans);
}

int list_vswitches(struct query *query)
{
	struct holdings holdings;
	json_t *vswitch;
	size_t i;

	if (holdings_get(query, &holdings))
		return EXIT_FAILED;
	json_array_foreach(json_object_get(holdings.inventory, "virtual_switches"), i, vswitch)
		add_vswitch(query, &holdings, vswitch);
	holdings_release(&holdings);
	return EXIT_DONE;
}

const char *const sea_fields[] = {
	"lpar_name", "lpar_id", "name", "state", "vswitch", "port_vlan_id", "addl_vlan_ids", NULL
};

static void add_seas(struct query *query, const struct holdings *holdings,
		     const struct owner *owner)
{
	static const char *const members[] = {
		"name", "state", "vswitch", "port_vlan_id", "addl_vlan_ids", NULL
	};
	json_t *sea;
	size_t i;

	(void)holdings;
	json_array_foreach(json_object_get(owner->entry, "seas"), i, sea)
		set_members(query_partition_record(query, owner->entry), sea, members);
}

int list_seas(struct query *query)
{
	return each_owner(query, add_seas);
}
