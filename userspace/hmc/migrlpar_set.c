// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * migrlpar -o set: what can be changed of movers and of moves while they are at work.
 */
#include <string.h>

#include "common/bytes.h"
#include "common/util.h"
#include "hmc/migrlpar.h"

/* What vioslpm0 has, and where a mover of ours has it */
static const struct {
	const char *attribute;
	const char *key;
} settings[] = {
	{ "cfg_msp_lpm_ops", "max_vasi_ops" },
	{ "concurrency_lvl", "concurrency_lvl" },
	{ "max_vasi_ops", "max_vasi_ops" },
	{ "tcp_port_low", "tcp_port_low" },
	{ "tcp_port_high", "tcp_port_high" },
	{ "lpm_msnap_succ", NULL },
	{ "auto_tunnel", NULL },
};

/* Those of movers are in their configuration, or they have no such thing */
static int refuse_settings(const json_t *data)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (!json_object_get(data, settings[i].attribute))
			continue;
		if (settings[i].key)
			message("LPM0241",
				"%s cannot be changed while a mover is at work. Set %s in the configuration of its mspd, and restart that; see mspd(8).",
				settings[i].attribute, settings[i].key);
		else
			message("LPM0241",
				"%s is nothing that movers here have. Leave it out.",
				settings[i].attribute);
		status = EXIT_FAILED;
	}
	return status;
}

static int tell_mover(const struct managed_system *system, const struct msp *msp,
		      const char *method, json_t *params)
{
	struct rpc_error err;

	if (!msp_call(msp, method, params, NULL, &err))
		return EXIT_DONE;
	msp_message(system, msp, !strcmp(method, "limit") ? "change the bandwidth" :
		    "suspend the partition", &err);
	return EXIT_FAILED;
}

/* A partition that migrates from this system */
static int set_move(const struct managed_system *system, const char *name, const char *id,
		    const json_t *data)
{
	const char *limit = json_string_value(json_object_get(data, "limit"));
	const struct msp *msp = find_mover(system, id, NULL);
	int status = EXIT_DONE;
	int64_t bytes;

	if (!msp) {
		message("LPM0242",
			"No mover of system %s moves partition %s now, or it does not answer. lslparmigr -r lpar shows how far it is.",
			system->name, name);
		return EXIT_FAILED;
	}
	if (limit && !parse_bytes(limit, &bytes))
		status = tell_mover(system, msp, "limit",
				    json_pack("{s:s, s:I}", "stream_id", id, "bytes_per_second",
					      (json_int_t)bytes));
	if (!status && json_object_get(data, "suspend"))
		status = tell_mover(system, msp, "suspend", json_pack("{s:s}", "stream_id", id));
	return status;
}

/**
 * set_partition() - change how a partition's migration goes on
 * @system:	its source
 * @key:	which partition
 * @order:	-o set -r lpar
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int set_partition(const struct managed_system *system, const struct partition_key *key,
		  const struct order *order)
{
	json_t *partition, *list = NULL, *stream;
	struct rpc_error err;
	int status = EXIT_FAILED;
	const char *name;

	if (find_partition(system, key, &partition))
		return EXIT_FAILED;
	name = text_of(partition, "name");
	if (system_call(system, "stream.list", NULL, &list, &err)) {
		call_message(system, "list its streams", &err);
		goto free_partition;
	}
	stream = find_stream(list, "source", name, NULL);
	if (stream)
		status = set_move(system, name, text_of(stream, "stream_id"),
				  order->options.data);
	else
		message("HSCL05DF",
			"Partition %s on system %s is %s: it does not migrate, so there is nothing to set.",
			name, system->name, lpar_state(partition));
	json_decref(list);
free_partition:
	json_decref(partition);
	return status;
}

/**
 * set_check() - refuse what can only be set elsewhere
 * @order:	-o set
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int set_check(const struct order *order)
{
	return refuse_settings(order->options.data);
}
