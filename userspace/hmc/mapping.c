// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which server adapters host a partition's virtual adapters on the target.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/mapping.h"
#include "hmc/output.h"

/* ---- The partition's adapters ---- */

static bool needs_host(const json_t *adapter)
{
	const char *type = text_of(adapter, "adapter_type");

	return !strcmp(type, "scsi") || !strcmp(type, "fc") || !strcmp(type, "vnic");
}

/* One that the source does not host as it should has another message */
static bool is_hosted(const struct client *client)
{
	if (!strcmp(client->type, "scsi"))
		return client->udids;
	return client->server || !strcmp(client->type, "vnic");
}

static struct client *collect_clients(const struct mapping_input *input, json_t *requests,
				      size_t *count)
{
	const json_t *adapters = json_object_get(input->config, "virtual_adapters");
	struct client *clients = calloc(json_array_size(adapters) + 1, sizeof(*clients));
	json_t *adapter;
	size_t i;

	*count = 0;
	if (!clients)
		return NULL;
	json_array_foreach(adapters, i, adapter) {
		struct client *client = &clients[*count];

		if (!needs_host(adapter))
			continue;
		client->adapter = adapter;
		client->type = text_of(adapter, "adapter_type");
		client->choice = -1;
		client->server = find_server(input->source, input->partition, adapter,
					     &client->source);
		if (!strcmp(client->type, "scsi"))
			client->udids = whole_luns(client->source, client->server);
		client->source_name = text_of(adapter, "remote_lpar_name");
		client->request = json_incref((json_t *)
			numbered_in(requests, "slot_num", number_of(adapter, "slot_num")));
		client->slot = number_of(client->request, "vios_slot");
		(*count)++;
	}
	return clients;
}

static void release_clients(struct client *clients, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_decref(clients[i].udids);
		json_decref(clients[i].request);
		free(clients[i].candidates);
	}
	free(clients);
}

static void find_all_candidates(const struct mapping_input *input, struct client *clients,
				size_t count, json_t *problems)
{
	for (size_t i = 0; i < count; i++)
		if (is_hosted(&clients[i]))
			candidates_find(input, &clients[i], problems);
}

/* ---- The layout ---- */

/* Has a type of adapters more than one VIOS? */
static bool is_redundant(const struct client *clients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(clients[i].type, clients[j].type) &&
			    strcmp(clients[i].type, "vnic") &&
			    strcmp(clients[i].source_name, clients[j].source_name))
				return true;
	return false;
}

static void layout_lost(const struct mapping_input *input, bool warning, json_t *problems)
{
	add_problem(problems, "LPM0338", NULL, NULL,
		    "Adapters of partition %s that are on different VIOSes of the source %s; a path would be lost. Provide a second VIOS there that can host them%s.",
		    input->partition,
		    input->options->redundant_vios ? "cannot be on different ones of the target" :
						     "are to be on one of the target",
		    warning ? "" : ", or accept it with --redundantvios 2 --mpio 2");
	json_object_set_new(json_array_get(problems, json_array_size(problems) - 1), "warning",
			    json_boolean(warning));
}

/* Not to be redundant: all on one */
static bool assign_one(const struct mapping_input *input, struct client *clients, size_t count,
		       json_t *problems)
{
	if (!assign(clients, count, LAYOUT_ONE)) {
		add_problem(problems, "LPM0338", NULL, NULL,
			    "No single VIOS of the target can host all adapters of partition %s; --redundantvios 0 wants one. Use --redundantvios 2.",
			    input->partition);
		return false;
	}
	if (is_redundant(clients, count))
		layout_lost(input, true, problems);
	return true;
}

static bool assign_layout(const struct mapping_input *input, struct client *clients,
			  size_t count, json_t *problems)
{
	const struct move_options *options = input->options;

	if (options->redundant_vios == 0 && assign_one(input, clients, count, problems))
		return true;
	if (assign(clients, count, LAYOUT_KEEP))
		return true;
	if (!assign(clients, count, LAYOUT_ANY))
		return false;
	if (options->redundant_vios)
		layout_lost(input, options->redundant_vios == 2 &&
			    (options->mpio == 2 || options->force), problems);
	return true;
}

static const char *left_code(const struct client *client)
{
	if (client->request)
		return "LPM0340";
	if (!strcmp(client->type, "fc"))
		return "HSCLA319";
	return strcmp(client->type, "vnic") ? "LPM0337" : "LPM0339";
}

/* Each has candidates, but there is not room for all */
static void report_left(const struct mapping_input *input, const struct client *clients,
			size_t count, json_t *problems)
{
	for (size_t i = 0; i < count; i++) {
		const struct client *client = &clients[i];

		if (!client->count || client->choice >= 0)
			continue;
		add_problem(problems, left_code(client), client->adapter, NULL,
			    "What could host the %s adapter in slot %" PRId64 " of partition %s on the target is taken by its other adapters; each needs a slot, and room on a port. Provide more of them.",
			    adapter_name(client->type),
			    number_of(client->adapter, "slot_num"), input->partition);
	}
}

/* ---- The result ---- */

/* Names that the VIOS has for the LUNs */
static json_t *backing_devices(const struct client *client, const struct candidate *candidate)
{
	json_t *names = json_array(), *udid;
	size_t i;

	json_array_foreach(client->udids, i, udid) {
		const json_t *lun = find_lun(candidate->vios, json_string_value(udid));

		if (lun)
			json_array_append(names, json_object_get(lun, "name"));
	}
	return names;
}

static json_t *make_mapping(const struct client *client, long choice)
{
	const struct candidate *candidate = &client->candidates[choice];
	json_t *mapping;

	mapping = json_pack("{s:I, s:s, s:s, s:I, s:I}", "slot_num",
			    (json_int_t)number_of(client->adapter, "slot_num"), "adapter_type",
			    client->type, "vios_name", text_of(candidate->vios, "name"),
			    "vios_id", (json_int_t)number_of(candidate->vios, "lpar_id"),
			    "vios_slot", (json_int_t)client->slot);
	if (!strcmp(client->type, "scsi"))
		json_object_set_new(mapping, "backing_devices",
				    backing_devices(client, candidate));
	else
		json_object_set(mapping, strcmp(client->type, "fc") ? "sriov_port" : "fc_port",
				json_object_get(candidate->port, "name"));
	return mapping;
}

static void add_ethernet(const struct mapping_input *input, json_t *mappings)
{
	char name[NAME_BYTES];
	json_t *adapter;
	size_t i;

	json_array_foreach(json_object_get(input->config, "virtual_adapters"), i, adapter) {
		json_int_t slot = number_of(adapter, "slot_num");

		if (strcmp(text_of(adapter, "adapter_type"), "eth"))
			continue;
		json_array_append_new(mappings,
				      json_pack("{s:I, s:s, s:s}", "slot_num", slot,
						"adapter_type", "eth", "vswitch",
						mapped_vswitch(input, adapter, name)));
	}
}

/**
 * mapping_choose() - find a host for each virtual adapter
 * @input:	what is known
 * @problems:	array that gets {code, slot_num, text, details}
 *
 * Return: the mappings of those that have one, as Documentation/console.rst has them;
 * the caller's.
 */
json_t *mapping_choose(const struct mapping_input *input, json_t *problems)
{
	json_t *requests = parse_requests(input, problems);
	json_t *mappings = json_array();
	struct client *clients;
	size_t count;

	clients = collect_clients(input, requests, &count);
	json_decref(requests);
	find_all_candidates(input, clients, count, problems);
	if (!assign_layout(input, clients, count, problems) &&
	    assign_what_fits(clients, count))
		report_left(input, clients, count, problems);
	for (size_t i = 0; i < count; i++)
		if (clients[i].choice >= 0)
			json_array_append_new(mappings, make_mapping(&clients[i],
								     clients[i].choice));
	release_clients(clients, count);
	add_ethernet(input, mappings);
	return mappings;
}

/**
 * mapping_possible() - all hosts that each adapter of a type could have
 * @input:	what is known
 * @type:	"scsi" or "fc"
 *
 * Return: array of mappings, several for an adapter; the caller's.
 */
json_t *mapping_possible(const struct mapping_input *input, const char *type)
{
	json_t *requests = json_array(), *problems = json_array();
	json_t *mappings = json_array();
	struct client *clients;
	size_t count;

	clients = collect_clients(input, requests, &count);
	find_all_candidates(input, clients, count, problems);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; !strcmp(clients[i].type, type) && j < clients[i].count; j++)
			json_array_append_new(mappings, make_mapping(&clients[i], (long)j));
	release_clients(clients, count);
	json_decref(requests);
	json_decref(problems);
	return mappings;
}

/* ---- In the HMC's words ---- */

/**
 * mapping_text() - mappings of a type as the HMC has them
 * @mappings:	array of mappings
 * @type:	"scsi": SLOT/VIOS/ID,...; "fc": SLOT/VIOS/ID//PORT,...
 *
 * Return: the text, to be freed; NULL: there are none.
 */
char *mapping_text(const json_t *mappings, const char *type)
{
	json_t *mapping;
	char *text = NULL;
	size_t size, i;
	FILE *stream;

	stream = open_memstream(&text, &size);
	if (!stream)
		return NULL;
	json_array_foreach(mappings, i, mapping) {
		if (strcmp(text_of(mapping, "adapter_type"), type))
			continue;
		fprintf(stream, "%s%" PRId64 "/%s/%" PRId64, ftell(stream) ? "," : "",
			number_of(mapping, "slot_num"), text_of(mapping, "vios_name"),
			number_of(mapping, "vios_id"));
		if (*text_of(mapping, "fc_port"))
			fprintf(stream, "//%s", text_of(mapping, "fc_port"));
	}
	if (fclose(stream) || (text && !*text)) {
		free(text);
		return NULL;
	}
	return text;
}

static const char *const suggested_fields[] = {
	"suggested_virtual_scsi_mappings", "suggested_virtual_fc_mappings", NULL
};

/**
 * mapping_suggested() - a plan's mappings as attributes
 * @plan:	validated
 * @record:	object that gets them, as -i takes them
 *
 * Return: are there any?
 */
bool mapping_suggested(const struct plan *plan, json_t *record)
{
	bool any = false;

	for (size_t i = 0; suggested_fields[i]; i++) {
		char *text = mapping_text(plan->mappings, i ? "fc" : "scsi");

		if (text)
			any = !json_object_set_new(record, suggested_fields[i],
						   json_string(text));
		free(text);
	}
	return any;
}

/**
 * mapping_print() - tell the user what validation suggests
 * @plan:	validated
 */
void mapping_print(const struct plan *plan)
{
	const struct attributes known = { .fields = suggested_fields };
	const struct listing listing = { .fields = NULL };
	json_t *records = json_pack("[{}]");

	if (mapping_suggested(plan, json_array_get(records, 0)))
		listing_print(&listing, &known, records);
	json_decref(records);
}
