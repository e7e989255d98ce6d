// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What on the target could host a virtual adapter.
 *
 * Whatever is there is taken through one rule after the other.  If a rule leaves
 * nothing, it is that rule's message that the user gets, and with -d what each
 * candidate lacked.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/findings.h"
#include "hmc/mapping.h"

/* What speaks against a VIOS or a LUN there, the worst first */
#define PENALTY_SILENT		4
#define PENALTY_OLD		2
#define PENALTY_RESERVED	1

/**
 * struct rule - what a candidate must have
 * @type:	of adapters
 * @code:	when no candidate has it
 * @holds:	does this one?  If not, @why is set
 * @text:	what is missing, for "no VIOS of the target ..."
 * @todo:	what to do then
 */
struct rule {
	const char *type;
	const char *code;
	bool (*holds)(const struct mapping_input *input, const struct client *client,
		      const struct candidate *candidate, char *why, size_t size);
	const char *text;
	const char *todo;
};

/* ---- Rules ---- */

static bool sees_luns(const struct mapping_input *input, const struct client *client,
		      const struct candidate *candidate, char *why, size_t size)
{
	json_t *udid;
	size_t i;

	(void)input;
	json_array_foreach(client->udids, i, udid) {
		if (find_lun(candidate->vios, json_string_value(udid)))
			continue;
		snprintf(why, size, "it does not see the LUN %.64s", json_string_value(udid));
		return false;
	}
	return true;
}

static bool port_has_room(const struct candidate *candidate, char *why, size_t size)
{
	if (candidate->room > 0)
		return true;
	snprintf(why, size, "all of its %" PRId64 " virtual ports are used",
		 number_of(candidate->port, "max_ports"));
	return false;
}

static bool hosts_npiv(const struct mapping_input *input, const struct client *client,
		       const struct candidate *candidate, char *why, size_t size)
{
	(void)input;
	(void)client;
	if (flag_of(candidate->port, "npiv"))
		return port_has_room(candidate, why, size);
	snprintf(why, size, "it does not support NPIV");
	return false;
}

static bool is_zoned(const struct mapping_input *input, const struct client *client,
		     const struct candidate *candidate, char *why, size_t size)
{
	json_t *wwpn;
	size_t i;

	(void)input;
	json_array_foreach(json_object_get(client->adapter, "wwpns"), i, wwpn) {
		if (find_login(candidate->port, json_string_value(wwpn)))
			continue;
		snprintf(why, size, "the WWPN %.16s sees nothing through it",
			 json_string_value(wwpn));
		return false;
	}
	return true;
}

/* The port that hosts the adapter on the source */
static const json_t *source_port(const struct client *client)
{
	return named_in(json_object_get(client->source, "fc_ports"),
			text_of(client->server, "fc_port"));
}

static bool transfers_enough(const struct mapping_input *input, const struct client *client,
			     const struct candidate *candidate, char *why, size_t size)
{
	int64_t here = number_of(source_port(client), "max_xfer_size");
	int64_t there = number_of(candidate->port, "max_xfer_size");

	(void)input;
	if (there >= here)
		return true;
	snprintf(why, size, "its max_xfer_size is %" PRId64 ", on the source it is %" PRId64,
		 there, here);
	return false;
}

/* What a WWPN sees through one port, it sees through the other */
static bool same_luns(const json_t *here, const json_t *there)
{
	json_t *udid;
	size_t i;

	if (json_array_size(here) != json_array_size(there))
		return false;
	json_array_foreach(here, i, udid)
		if (!has_text(there, json_string_value(udid)))
			return false;
	return true;
}

static bool sees_same_disks(const struct mapping_input *input, const struct client *client,
			    const struct candidate *candidate, char *why, size_t size)
{
	const char *level = input->options->npivval;
	json_t *wwpn;
	size_t i;

	if (!level || strcmp(level, "portdisk"))
		return true;
	json_array_foreach(json_object_get(client->adapter, "wwpns"), i, wwpn) {
		const char *name = json_string_value(wwpn);
		const json_t *here = find_login(source_port(client), name);
		const json_t *there = find_login(candidate->port, name);

		if (same_luns(json_object_get(here, "luns"), json_object_get(there, "luns")))
			continue;
		snprintf(why, size, "the WWPN %.16s sees %zu LUNs through it, on the source %zu%s",
			 name, json_array_size(json_object_get(there, "luns")),
			 json_array_size(json_object_get(here, "luns")),
			 json_array_size(json_object_get(there, "luns")) ==
			 json_array_size(json_object_get(here, "luns")) ? " others" : "");
		return false;
	}
	return true;
}

static bool backs_vnic(const struct mapping_input *input, const struct client *client,
		       const struct candidate *candidate, char *why, size_t size)
{
	(void)input;
	(void)client;
	return port_has_room(candidate, why, size);
}

static bool has_slot(const struct mapping_input *input, const struct client *client,
		     const struct candidate *candidate, char *why, size_t size)
{
	(void)input;
	(void)client;
	if (candidate->slots > 0)
		return true;
	snprintf(why, size, "all of its virtual slots below %" PRId64 " are used",
		 number_of(candidate->vios, "max_virtual_slots"));
	return false;
}

static bool is_wanted(const struct mapping_input *input, const struct client *client,
		      const struct candidate *candidate, char *why, size_t size)
{
	const json_t *request = client->request;
	int64_t slot = client->slot;

	(void)input;
	*why = '\0';
	if (!request)
		return true;
	if (*text_of(request, "vios_name") &&
	    strcmp(text_of(request, "vios_name"), text_of(candidate->vios, "name")))
		snprintf(why, size, "it has another name");
	else if (number_of(request, "vios_id") &&
		 number_of(request, "vios_id") != number_of(candidate->vios, "lpar_id"))
		snprintf(why, size, "it has another id");
	else if (*text_of(request, "fc_port") &&
		 strcmp(text_of(request, "fc_port"), text_of(candidate->port, "name")))
		snprintf(why, size, "it has another name");
	else if (slot && (slot < FIRST_CLIENT_SLOT ||
			  slot >= number_of(candidate->vios, "max_virtual_slots")))
		snprintf(why, size, "it has no slot %" PRId64 " for client adapters", slot);
	else if (slot && numbered_in(json_object_get(candidate->vios, "adapters"), "slot_num",
				     slot))
		snprintf(why, size, "its slot %" PRId64 " is used", slot);
	return !*why;
}

static const struct rule rules[] = {
	{ NULL, "LPM0340", is_wanted, "is what -i wants",
	  "Name a VIOS of the target, a slot of it that is free and a port that it has, or leave it to the console" },
	{ "scsi", "LPM0332", sees_luns, "sees all of its LUNs",
	  "Make them visible there too (zoning, masking, cfgdev)" },
	{ "fc", "HSCLA319", hosts_npiv, "has a port that supports NPIV and has room for it",
	  "Provide such a port, or remove virtual adapters from one" },
	{ "fc", "LPM0334", is_zoned, "has such a port for which both of its WWPNs are zoned",
	  "Zone both on the target's fabric" },
	{ "fc", "LPM0335", transfers_enough,
	  "has such a port with a max_xfer_size of at least the source's",
	  "Raise max_xfer_size of the physical adapter there" },
	{ "fc", "LPM0336", sees_same_disks, "has such a port that shows it the same LUNs",
	  "Map the same LUNs to both WWPNs, or use --npivval port" },
	{ "vnic", "LPM0339", backs_vnic, "has an SR-IOV port with room for it",
	  "Provide one, or remove virtual adapters from one" },
	{ NULL, "LPM0337", has_slot, "has a free virtual slot for it",
	  "Raise max_virtual_slots, or remove adapters that are not used" },
};

/**
 * adapter_name() - a type of virtual adapter, for people
 * @type:	as a config has it
 */
const char *adapter_name(const char *type)
{
	if (!strcmp(type, "fc"))
		return "virtual Fibre Channel";
	return strcmp(type, "vnic") ? "vSCSI" : "vNIC";
}

/* ---- What is there ---- */

static int penalty(const struct client *client, const json_t *vios)
{
	int sum = 0;
	json_t *udid;
	size_t i;

	if (!vios_answers(vios))
		sum += PENALTY_SILENT;
	if (!vios_is_new_enough(vios))
		sum += PENALTY_OLD;
	json_array_foreach(client->udids, i, udid) {
		const json_t *lun = find_lun(vios, json_string_value(udid));

		if (!lun || strcmp(text_of(lun, "reserve_policy"), "no_reserve"))
			return sum + PENALTY_RESERVED;
	}
	return sum;
}

static const json_t *ports_of(const struct client *client, const json_t *vios)
{
	if (!strcmp(client->type, "fc"))
		return json_object_get(vios, "fc_ports");
	if (!strcmp(client->type, "vnic"))
		return json_object_get(vios, "sriov_ports");
	return NULL;
}

static size_t count_all(const struct client *client, const json_t *vioses)
{
	bool needs_port = strcmp(client->type, "scsi");
	size_t count = 0, i;
	json_t *vios;

	json_array_foreach(vioses, i, vios)
		count += needs_port ? json_array_size(ports_of(client, vios)) : 1;
	return count;
}

/* How many server adapters a port may still get */
static int64_t port_room(const struct client *client, const struct candidate *candidate)
{
	const char *member = strcmp(client->type, "fc") ? "sriov_port" : "fc_port";
	const char *name = text_of(candidate->port, "name");
	int64_t room = number_of(candidate->port, "max_ports");
	json_t *adapter;
	size_t i;

	json_array_foreach(json_object_get(candidate->vios, "adapters"), i, adapter)
		room -= !strcmp(text_of(adapter, member), name);
	return room;
}

static void collect_vios(struct client *client, size_t host, const json_t *vios)
{
	struct candidate candidate = {
		.host = host, .vios = vios, .penalty = penalty(client, vios),
		.load = (int64_t)json_array_size(json_object_get(vios, "adapters")),
		.slots = free_slots(vios), .room = 1,
	};
	json_t *port;
	size_t i;

	if (!strcmp(client->type, "scsi"))
		client->candidates[client->count++] = candidate;
	json_array_foreach(ports_of(client, vios), i, port) {
		candidate.port = port;
		candidate.room = port_room(client, &candidate);
		client->candidates[client->count++] = candidate;
	}
}

static void collect_all(struct client *client, const json_t *vioses)
{
	json_t *vios;
	size_t i;

	json_array_foreach(vioses, i, vios)
		collect_vios(client, i, vios);
}

static void add_detail(json_t *details, const struct candidate *candidate, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "VIOS %.31s%s%.31s: %s", text_of(candidate->vios, "name"),
		 candidate->port ? ", port " : "", text_of(candidate->port, "name"), why);
	json_array_append_new(details, json_string(text));
}

/* Those that hold stay, in their order */
static void apply(const struct mapping_input *input, const struct rule *rule,
		  struct client *client, json_t *details)
{
	size_t kept = 0;
	char why[160];

	for (size_t i = 0; i < client->count; i++) {
		if (rule->holds(input, client, &client->candidates[i], why, sizeof(why)))
			client->candidates[kept++] = client->candidates[i];
		else
			add_detail(details, &client->candidates[i], why);
	}
	client->count = kept;
}

/**
 * candidates_find() - what could host an adapter on the target
 * @input:	what is known
 * @client:	the adapter; its candidates are set
 * @problems:	gets the reason if there is none
 *
 * Return: is there one?
 */
bool candidates_find(const struct mapping_input *input, struct client *client,
		     json_t *problems)
{
	const json_t *vioses = json_object_get(input->target, "vioses");
	json_t *details = json_array();

	client->candidates = calloc(count_all(client, vioses) + 1, sizeof(*client->candidates));
	if (client->candidates)
		collect_all(client, vioses);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *rule = &rules[i];

		if (rule->type && strcmp(rule->type, client->type))
			continue;
		/* Without a port there is nothing to ask, but what the port's rule says */
		if (!client->count && !rule->type)
			continue;
		apply(input, rule, client, details);
		if (client->count)
			continue;
		add_problem(problems, rule->code, client->adapter, details,
			    "For the %s adapter in slot %" PRId64 " of partition %s no VIOS of the target %s; one must. %s.",
			    adapter_name(client->type), number_of(client->adapter, "slot_num"),
			    input->partition, rule->text, rule->todo);
		return false;
	}
	json_decref(details);
	return client->count;
}
