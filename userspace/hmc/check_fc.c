// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of storage by virtual Fibre Channel (NPIV).
 */
#include <inttypes.h>
#include <string.h>

#include "common/util.h"
#include "hmc/validate.h"

/* The port that hosts it on the source; NULL: there is none */
static const json_t *port_of(const json_t *server, const json_t *vios)
{
	return named_in(json_object_get(vios, "fc_ports"), text_of(server, "fc_port"));
}

static void check_server(struct validation *v, const json_t *adapter, const json_t *server,
			 const json_t *vios)
{
	const json_t *port = port_of(server, vios);

	if (port)
		passed(v, "the Fibre Channel adapter in slot %" PRId64 " is mapped to %s of VIOS %s",
		       number_of(adapter, "slot_num"), text_of(port, "name"),
		       text_of(vios, "name"));
	else
		found(v, "LPM0333",
		      "The Fibre Channel adapter in slot %" PRId64 " of partition %s has no server adapter in slot %" PRId64 " of VIOS %s that is mapped to a port; each needs one. Create and map it (vfcmap), or remove the client adapter.",
		      number_of(adapter, "slot_num"), partition_name(v),
		      number_of(adapter, "remote_slot_num"),
		      text_of(adapter, "remote_lpar_name"));
}

static void check_servers(struct validation *v)
{
	each_client(v, "fc", check_server);
}

static void check_disk(struct validation *v, const json_t *adapter, const json_t *server,
		       const json_t *vios)
{
	const json_t *port = port_of(server, vios);
	size_t luns = 0, i;
	json_t *wwpn;

	if (!port)
		return;
	json_array_foreach(json_object_get(adapter, "wwpns"), i, wwpn) {
		const json_t *login = find_login(port, json_string_value(wwpn));
		size_t seen = json_array_size(json_object_get(login, "luns"));

		note(v, 5, "WWPN %s through %s of VIOS %s: %zu LUNs", json_string_value(wwpn),
		     text_of(port, "name"), text_of(vios, "name"), seen);
		luns += seen;
	}
	if (luns)
		passed(v, "the Fibre Channel adapter in slot %" PRId64 " has a LUN",
		       number_of(adapter, "slot_num"));
	else
		found(v, "HSCLA27C",
		      "The physical device location of the Fibre Channel adapter in slot %" PRId64 " of partition %s could not be had on VIOS %s: it has no disk; it must have at least one LUN. Map one to its WWPNs, or remove the adapter.",
		      number_of(adapter, "slot_num"), partition_name(v), text_of(vios, "name"));
}

static void check_disks(struct validation *v)
{
	each_client(v, "fc", check_disk);
}

#define ALL	{ SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }

const struct check fc_checks[] = {
	{ "fc-server", ALL, NEEDS_CONFIG, { "LPM0333" },
	  "every virtual Fibre Channel adapter is mapped to a server adapter", check_servers },
	{ "fc-disk", ALL, NEEDS_CONFIG, { "HSCLA27C" },
	  "it has at least one LUN", check_disks },
	{ "fc-host", ALL, NEEDS_CONFIG, { "HSCLA319" },
	  "a port of the target can host it", check_problems },
	{ "fc-zoning", ALL, NEEDS_CONFIG, { "LPM0334" },
	  "both of its WWPNs are zoned on the target", check_problems },
	{ "fc-transfer-size", ALL, NEEDS_CONFIG, { "LPM0335" },
	  "max_xfer_size of the target's port is at least the source's", check_problems },
	{ "fc-same-disks", ALL, NEEDS_CONFIG, { "LPM0336" },
	  "with --npivval portdisk: it would see the same LUNs", check_problems },
	{ }
};
