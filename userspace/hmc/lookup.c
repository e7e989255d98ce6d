// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Looking things up in what a managed system has (Documentation/managed-system.rst).
 */
#include <stdlib.h>
#include <string.h>

#include "hmc/mapping.h"

#define VERSION_PARTS	4

/**
 * named_in() - the object of an array that has a name
 * @array:	of objects
 * @name:	of the one that is wanted; NULL: none
 */
const json_t *named_in(const json_t *array, const char *name)
{
	json_t *object;
	size_t i;

	json_array_foreach(array, i, object)
		if (name && !strcmp(text_of(object, "name"), name))
			return object;
	return NULL;
}

/**
 * numbered_in() - the object of an array that has a number
 * @array:	of objects
 * @member:	that is the number
 * @number:	of the one that is wanted
 */
const json_t *numbered_in(const json_t *array, const char *member, int64_t number)
{
	json_t *object;
	size_t i;

	json_array_foreach(array, i, object)
		if (json_is_integer(json_object_get(object, member)) &&
		    number_of(object, member) == number)
			return object;
	return NULL;
}

bool has_text(const json_t *array, const char *text)
{
	json_t *member;
	size_t i;

	json_array_foreach(array, i, member)
		if (text && json_is_string(member) && !strcmp(json_string_value(member), text))
			return true;
	return false;
}

/**
 * find_server() - the server adapter of a client adapter
 * @inventory:	of the system; may be NULL
 * @partition:	that has the client adapter
 * @adapter:	the client adapter
 * @vios:	set to the VIOS, NULL if there is none
 *
 * Both have to name each other's slot.
 */
const json_t *find_server(const json_t *inventory, const char *partition,
			  const json_t *adapter, const json_t **vios)
{
	const json_t *server;

	*vios = named_in(json_object_get(inventory, "vioses"),
			 text_of(adapter, "remote_lpar_name"));
	server = numbered_in(json_object_get(*vios, "adapters"), "slot_num",
			     number_of(adapter, "remote_slot_num"));
	if (!server || strcmp(text_of(server, "adapter_type"), text_of(adapter, "adapter_type")) ||
	    strcmp(text_of(server, "remote_lpar_name"), partition) ||
	    number_of(server, "remote_slot_num") != number_of(adapter, "slot_num"))
		return NULL;
	return server;
}

const json_t *find_login(const json_t *port, const char *wwpn)
{
	json_t *login;
	size_t i;

	json_array_foreach(json_object_get(port, "logins"), i, login)
		if (wwpn && !strcmp(text_of(login, "wwpn"), wwpn))
			return login;
	return NULL;
}

/**
 * find_lun() - a whole LUN, as a VIOS sees it
 * @vios:	the VIOS
 * @udid:	of the LUN; NULL: none
 */
const json_t *find_lun(const json_t *vios, const char *udid)
{
	json_t *lun;
	size_t i;

	json_array_foreach(json_object_get(vios, "luns"), i, lun)
		if (udid && !strcmp(text_of(lun, "udid"), udid) &&
		    !strcmp(text_of(lun, "type"), "lun"))
			return lun;
	return NULL;
}

/**
 * whole_luns() - the LUNs that back a vSCSI server adapter
 * @vios:	that has it
 * @server:	the adapter
 *
 * Return: their udids, the caller's; NULL: it has none, or not whole LUNs only.
 */
json_t *whole_luns(const json_t *vios, const json_t *server)
{
	const json_t *luns = json_object_get(vios, "luns");
	json_t *udids = json_array(), *device;
	const json_t *lun;
	size_t i;

	json_array_foreach(json_object_get(server, "backing_devices"), i, device) {
		lun = named_in(luns, json_string_value(device));
		if (!lun || strcmp(text_of(lun, "type"), "lun")) {
			json_decref(udids);
			return NULL;
		}
		json_array_append(udids, json_object_get(lun, "udid"));
	}
	if (json_array_size(udids))
		return udids;
	json_decref(udids);
	return NULL;
}

/**
 * free_slots() - how many server adapters a VIOS may still get
 * @vios:	the VIOS
 */
int64_t free_slots(const json_t *vios)
{
	int64_t slots = number_of(vios, "max_virtual_slots") - FIRST_CLIENT_SLOT;
	json_t *adapter;
	size_t i;

	json_array_foreach(json_object_get(vios, "adapters"), i, adapter)
		slots -= number_of(adapter, "slot_num") >= FIRST_CLIENT_SLOT;
	return slots;
}

/**
 * version_at_least() - compare versions of numbers and dots
 * @version:	of something
 * @least:	that it should have; parts that @version lacks are 0
 */
bool version_at_least(const char *version, const char *least)
{
	for (int i = 0; i < VERSION_PARTS; i++) {
		char *rest, *rest_least;
		unsigned long is = strtoul(version, &rest, 10);
		unsigned long wanted = strtoul(least, &rest_least, 10);

		if (is != wanted)
			return is > wanted;
		version = *rest == '.' ? rest + 1 : "";
		least = *rest_least == '.' ? rest_least + 1 : "";
	}
	return true;
}

/**
 * vios_answers() - does a VIOS run, and can the console reach it?
 * @vios:	of an inventory
 */
bool vios_answers(const json_t *vios)
{
	return !strcmp(text_of(vios, "state"), "Running") &&
	       !strcmp(text_of(vios, "rmc_state"), "active");
}

bool vios_is_new_enough(const json_t *vios)
{
	return version_at_least(text_of(vios, "version"), "1.5.1.1");
}
