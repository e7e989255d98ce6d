// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtual adapters of partitions as the HMC writes them in profiles (listprof.c), read.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "hmc/attributes.h"
#include "hmc/change.h"
#include "hmc/mapping.h"

#define MAX_FIELDS	10

/**
 * struct reading - an adapter that is being read
 * @change:	for messages, and for what the system has
 * @attribute:	it stands in
 * @text:	the whole of it
 * @fields:	what is between its slashes
 * @count:	how many
 */
struct reading {
	const struct change *change;
	const char *attribute;
	const char *text;
	char *fields[MAX_FIELDS];
	size_t count;
};

static int refuse(const struct reading *r, const char *why)
{
	return usage_error(r->change->command, "%s has \"%.128s\": %s", r->attribute, r->text,
			   why);
}

static const char *field(const struct reading *r, size_t index)
{
	return index < r->count ? r->fields[index] : "";
}

static bool is_number(const char *text)
{
	return *text && strlen(text) <= 5 && !text[strspn(text, "0123456789")];
}

static bool is_flag(const char *text)
{
	return !*text || !strcmp(text, "0") || !strcmp(text, "1");
}

static json_t *numbers(const char *list)
{
	json_t *array = json_array();
	char *copy = strdup(list), *rest = copy, *word;

	while ((word = strsep(&rest, ",")))
		if (*word)
			json_array_append_new(array,
					      json_integer(is_number(word) ? atoi(word) : -1));
	free(copy);
	return array;
}

static int read_eth(struct reading *r, json_t *adapter)
{
	if (r->count < 6 || !is_flag(field(r, 1)) || !is_number(field(r, 2)) ||
	    !is_flag(field(r, 5)))
		return refuse(r, "it must be slot/ieee/vlan/more-vlans/trunk/required/switch/mac");
	if (strcmp(field(r, 4), "0") && *field(r, 4))
		return refuse(r, "only a Virtual I/O Server has a trunk adapter");
	json_object_set_new(adapter, "ieee_virtual_eth", json_boolean(*field(r, 1) == '1'));
	json_object_set_new(adapter, "port_vlan_id", json_integer(atoi(field(r, 2))));
	json_object_set_new(adapter, "addl_vlan_ids", numbers(field(r, 3)));
	json_object_set_new(adapter, "is_required", json_boolean(*field(r, 5) == '1'));
	json_object_set_new(adapter, "vswitch",
			    json_string(*field(r, 6) ? field(r, 6) : "ETHERNET0"));
	if (*field(r, 7))
		json_object_set_new(adapter, "mac_addr", json_string(field(r, 7)));
	return EXIT_DONE;
}

/* slot/client/id/name/slot: either id or name will do */
static int read_remote(struct reading *r, json_t *adapter)
{
	const json_t *vioses = json_object_get(r->change->inventory, "vioses");
	const json_t *vios;

	if (strcmp(field(r, 1), "client"))
		return refuse(r, "only client adapters can be made");
	if (!is_number(field(r, 4)))
		return refuse(r, "the server's slot must be a number");
	vios = *field(r, 3) ? named_in(vioses, field(r, 3)) :
		numbered_in(vioses, "lpar_id", atoi(field(r, 2)));
	if (!vios || (*field(r, 2) && number_of(vios, "lpar_id") != atoi(field(r, 2))))
		return refuse(r, "the system has no such Virtual I/O Server. List them with lssyscfg -r lpar");
	json_object_set(adapter, "remote_lpar_name", json_object_get(vios, "name"));
	json_object_set(adapter, "remote_lpar_id", json_object_get(vios, "lpar_id"));
	json_object_set_new(adapter, "remote_slot_num", json_integer(atoi(field(r, 4))));
	return EXIT_DONE;
}

static int read_scsi(struct reading *r, json_t *adapter)
{
	if (r->count != 6 || !is_flag(field(r, 5)))
		return refuse(r, "it must be slot/client/server-id/server-name/server-slot/required");
	json_object_set_new(adapter, "is_required", json_boolean(*field(r, 5) == '1'));
	return read_remote(r, adapter);
}

/* A pair of names that differ in their last digit, as a platform chooses them */
static json_t *choose_wwpns(void)
{
	uint64_t number = 0;

	while (getrandom(&number, sizeof(number), 0) != sizeof(number) && errno == EINTR)
		;
	number &= 0xfffffffffeULL;
	return json_pack("[o, o]", json_sprintf("c05076%010" PRIx64, number),
			 json_sprintf("c05076%010" PRIx64, number + 1));
}

static int read_fc(struct reading *r, json_t *adapter)
{
	char one[17] = "", other[17] = "", more;

	if (r->count != 7 || !is_flag(field(r, 6)))
		return refuse(r, "it must be slot/client/server-id/server-name/server-slot/wwpns/required");
	if (*field(r, 5) &&
	    sscanf(field(r, 5), "%16[0-9a-fA-F],%16[0-9a-fA-F]%c", one, other, &more) != 2)
		return refuse(r, "there must be two WWPNs of 16 hexadecimal digits, or none");
	json_object_set_new(adapter, "wwpns", *one ? json_pack("[s, s]", one, other) :
			    choose_wwpns());
	json_object_set_new(adapter, "is_required", json_boolean(*field(r, 6) == '1'));
	return read_remote(r, adapter);
}

static const struct {
	const char *attribute;
	const char *type;
	int (*read)(struct reading *r, json_t *adapter);
} kinds[] = {
	{ "virtual_eth_adapters", "eth", read_eth },
	{ "virtual_scsi_adapters", "scsi", read_scsi },
	{ "virtual_fc_adapters", "fc", read_fc },
	{ }
};

/* @text is taken apart */
static int add_adapter(const struct change *change, size_t kind, char *text, json_t *adapters)
{
	struct reading r = { .change = change, .attribute = kinds[kind].attribute };
	char *copy = strdup(text), *rest = text;
	json_t *adapter = json_object();
	int status;

	r.text = copy;
	while (rest && r.count < MAX_FIELDS)
		r.fields[r.count++] = strsep(&rest, "/");
	if (rest || !is_number(field(&r, 0)))
		status = refuse(&r, "it must begin with the number of a slot");
	else
		status = kinds[kind].read(&r, adapter);
	json_object_set_new(adapter, "slot_num", json_integer(atoi(field(&r, 0))));
	json_object_set_new(adapter, "adapter_type", json_string(kinds[kind].type));
	if (!status)
		json_array_append(adapters, adapter);
	json_decref(adapter);
	free(copy);
	return status;
}

static int add_adapters(const struct change *change, size_t kind, const char *list,
			json_t *adapters)
{
	char why[ATTRIBUTES_WHY], *text = malloc(strlen(list) + 1);
	int more = 1, status = text ? EXIT_DONE : EXIT_FAILED;

	if (!strcmp(list, "none"))
		list = "";
	while (!status && (more = attributes_next(&list, text, why)) > 0)
		status = add_adapter(change, kind, text, adapters);
	if (!status && more < 0)
		status = usage_error(change->command, "%s cannot be used: %s.",
				     kinds[kind].attribute, why);
	free(text);
	return status;
}

/* Those of a type are replaced together */
static json_t *without(const json_t *adapters, const char *type)
{
	json_t *left = json_array(), *adapter;
	size_t i;

	json_array_foreach(adapters, i, adapter)
		if (strcmp(text_of(adapter, "adapter_type"), type))
			json_array_append(left, adapter);
	return left;
}

/**
 * adapters_set() - set the virtual adapters of the types that a record has
 * @change:	for messages, and for what the system has
 * @config:	of the partition; changed
 * @attributes:	the record
 *
 * Return: an exit status; the user has been told.
 */
int adapters_set(const struct change *change, json_t *config, const json_t *attributes)
{
	json_t *adapters;
	int status = EXIT_DONE;

	for (size_t kind = 0; kinds[kind].attribute && !status; kind++) {
		if (!json_object_get(attributes, kinds[kind].attribute))
			continue;
		adapters = without(json_object_get(config, "virtual_adapters"), kinds[kind].type);
		status = add_adapters(change, kind, text_of(attributes, kinds[kind].attribute),
				      adapters);
		json_object_set_new(config, "virtual_adapters", adapters);
	}
	return status;
}
