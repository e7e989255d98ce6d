// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How busy a system and its movers are, whoever has made them so.
 */
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/schedule.h"

static uint32_t left_of(int64_t most, int64_t used)
{
	if (most <= used || used < 0)
		return 0;
	return (uint32_t)min(most - used, (int64_t)UINT16_MAX);
}

static void set_free(struct load *load, enum job_kind kind, int64_t most, int64_t used)
{
	load->none[kind] = !most;
	load->free[kind] = most ? left_of(most, used) : NO_LIMIT;
}

static bool is_connected(const json_t *info, const struct msp *msp)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(info, "devices"), i, device)
		if (!strcmp(text_of(device, "name"), msp->device))
			return flag_of(device, "connected");
	return false;
}

/* Which mover the user wants; an attribute that is not given fits each of them */
static bool is_wanted(const struct msp *msp, enum end end, const json_t *data)
{
	bool source = end == END_SOURCE;
	const char *name = text_of(data, source ? "source_msp_name" : "dest_msp_name");
	const char *id = text_of(data, source ? "source_msp_id" : "dest_msp_id");
	const char *address = text_of(data, source ? "source_msp_ipaddr" : "dest_msp_ipaddr");

	return (!*name || !strcmp(name, msp->name)) &&
	       (!*id || strtoul(id, NULL, 10) == msp->lpar_id) &&
	       (!*address || !strcmp(address, msp->address));
}

static void sample_mover(const struct msp *msp, struct mover_load *load)
{
	struct rpc_error err;
	json_t *info = NULL;

	/* One that does not answer cannot be used */
	if (msp_call(msp, "info", NULL, &info, &err))
		return;
	load->used = left_of(number_of(info, "operations"), 0);
	load->most = left_of(number_of(info, "operations_max"), 0);
	json_decref(info);
}

/**
 * load_sample() - how busy is a system now?
 * @system:	the system
 * @end:	which end it is
 * @data:	attributes of -i, or NULL: movers that the user has not chosen are not used
 * @load:	filled in
 * @err:	why it could not be asked
 *
 * Return: 0 or a negative errno.
 */
int load_sample(const struct managed_system *system, enum end end, const json_t *data,
		struct load *load, struct rpc_error *err)
{
	int64_t active, inactive;
	json_t *info = NULL;
	int ret;

	*load = (struct load) { .nmovers = system->nmsps };
	/* Movers first: what has ended there in between still has its stream */
	for (size_t i = 0; i < system->nmsps; i++)
		if (is_wanted(&system->msps[i], end, data))
			sample_mover(&system->msps[i], &load->movers[i]);
	ret = system_call(system, "system.info", NULL, &info, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < system->nmsps; i++)
		if (!is_connected(info, &system->msps[i]))
			load->movers[i].most = 0;
	active = number_of(info, "streams_max");
	inactive = number_of(info, "inactive_migrations_max");
	if (json_object_get(info, "active_migrations_max"))
		active = min(active, number_of(info, "active_migrations_max"));
	set_free(load, JOB_ACTIVE, active, number_of(info, "streams"));
	load->free[JOB_INACTIVE] = NO_LIMIT;
	if (json_object_get(info, "inactive_migrations_max"))
		set_free(load, JOB_INACTIVE, inactive, number_of(info, "inactive_migrations"));
	json_decref(info);
	return 0;
}
