// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a guest is described, and whether that can be.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/unixsock.h"
#include "common/util.h"
#include "phyp/phypd/guest.h"
#include "phyp/phypd/guest_process.h"
#include "phyp/phypd/system.h"

static const char *const disk_formats[] = { "raw", "qcow2", NULL };
static const char *const devices[] = { "spapr-vlan", "virtio-net-pci", NULL };

static const struct rpc_param disk_fields[] = {
	{ "path", RPC_STRING, .required = true },
	{ "format", RPC_STRING, .one_of = disk_formats },
	{ }
};

static const struct rpc_param network_fields[] = {
	{ "switch", RPC_STRING, true, .min = 1, .max = UNIX_PATH_BYTES },
	{ "mac", RPC_STRING, true, .min = 17, .max = 17 },
	{ "device", RPC_STRING, .one_of = devices },
	{ }
};

const struct rpc_param guest_fields[] = {
	{ "kernel", .type = RPC_STRING },
	{ "initrd", .type = RPC_STRING },
	{ "append", .type = RPC_STRING },
	{ "processors", RPC_INTEGER, .min = 1, .max = GUEST_MAX_PROCESSORS },
	{ "disk", RPC_OBJECT, .fields = disk_fields },
	{ "network", RPC_ARRAY, .min = 0, .max = GUEST_MAX_NETWORKS },
	{ "console", RPC_STRING, .min = 1, .max = UNIX_PATH_BYTES },
	{ "agent", .type = RPC_BOOLEAN },
	{ "arguments", RPC_ARRAY, .min = 0, .max = GUEST_MAX_ARGUMENTS },
	{ }
};

static bool check_path(struct rpc_request *req, const char *what, const char *path)
{
	if (path[0] != '/')
		rpc_fail(req, RPC_INVALID_PARAMS, "%s: %s is no absolute path", what, path);
	else if (access(path, R_OK))
		rpc_fail(req, RPC_FAILED, "%s: %s: %s", what, path, strerror(errno));
	else
		return true;
	return false;
}

static bool check_files(struct rpc_request *req, const json_t *guest)
{
	static const char *const names[] = { "kernel", "initrd" };
	const json_t *disk = json_object_get(guest, "disk");
	size_t i;

	if (!disk && !rpc_has(guest, "kernel")) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "guest: neither kernel nor disk: there is nothing to boot");
		return false;
	}
	if (rpc_has(guest, "initrd") && !rpc_has(guest, "kernel")) {
		rpc_fail(req, RPC_INVALID_PARAMS, "guest.initrd: without guest.kernel");
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		const char *path = rpc_get_string(guest, names[i], "");
		char what[32] = "guest.";

		if (*path && !check_path(req, strcat(what, names[i]), path))
			return false;
	}
	return !disk || check_path(req, "guest.disk.path", rpc_get_string(disk, "path", ""));
}

static bool mac_is_valid(const char *mac)
{
	for (int i = 0; i < 17; i++)
		if (i % 3 == 2 ? mac[i] != ':' : !strchr("0123456789abcdefABCDEF", mac[i]))
			return false;
	/* One of a group is nobody's */
	return strchr("02468aceACE", mac[1]);
}

static bool check_absolute(struct rpc_request *req, const char *what, const char *path)
{
	if (!*path || path[0] == '/')
		return true;
	rpc_fail(req, RPC_INVALID_PARAMS, "%s: %s is no absolute path", what, path);
	return false;
}

static bool check_networks(struct rpc_request *req, const json_t *guest)
{
	const json_t *network;
	size_t i;

	json_array_foreach(json_object_get(guest, "network"), i, network) {
		if (rpc_check(req, "guest.network", network, network_fields))
			return false;
		if (!check_absolute(req, "guest.network.switch",
				    rpc_get_string(network, "switch", "")))
			return false;
		if (!mac_is_valid(rpc_get_string(network, "mac", ""))) {
			rpc_fail(req, RPC_INVALID_PARAMS,
				 "guest.network: %s is no MAC address of a station",
				 rpc_get_string(network, "mac", ""));
			return false;
		}
	}
	return true;
}

static bool check_arguments(struct rpc_request *req, const json_t *guest)
{
	const json_t *word;
	size_t i;

	json_array_foreach(json_object_get(guest, "arguments"), i, word) {
		if (json_is_string(word) && strlen(json_string_value(word)) <= RPC_MAX_STRING)
			continue;
		rpc_fail(req, RPC_INVALID_PARAMS, "guest.arguments: element %zu is no string",
			 i);
		return false;
	}
	return true;
}

/**
 * guest_check() - can there be such a guest here?
 * @req:	answered if not
 * @system:	where
 * @guest:	checked against guest_fields already
 */
bool guest_check(struct rpc_request *req, const struct system *system,
		 const json_t *guest)
{
	if (!system->params.qemu_plugin) {
		rpc_fail(req, RPC_STATE,
			 "guest: this system was started without --qemu-plugin, so it has no guests");
		return false;
	}
	return check_files(req, guest) && check_networks(req, guest) &&
	       check_absolute(req, "guest.console", rpc_get_string(guest, "console", "")) &&
	       check_arguments(req, guest);
}

static bool check_socket(struct rpc_request *req, const char *what, const char *path)
{
	if (!access(path, W_OK))
		return true;
	rpc_fail(req, RPC_FAILED, "%s: %s: %s", what, path, strerror(errno));
	return false;
}

/**
 * guest_check_sockets() - is what its QEMU connects to there by now?
 * @req:	answered if not
 * @guest:	checked by guest_check() already
 */
bool guest_check_sockets(struct rpc_request *req, const json_t *guest)
{
	const json_t *network;
	size_t i;

	json_array_foreach(json_object_get(guest, "network"), i, network)
		if (!check_socket(req, "guest.network.switch",
				  rpc_get_string(network, "switch", "")))
			return false;
	return !rpc_has(guest, "console") ||
	       check_socket(req, "guest.console", rpc_get_string(guest, "console", ""));
}
