/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that change a managed system: what their command lines and records have
 * in common.
 */
#ifndef _HMC_CHANGE_H
#define _HMC_CHANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#include "hmc/console.h"

#define CHANGE_PARTITIONS	64		/* in one command */

/**
 * struct change - the command line of a command that changes
 * @command:	which command
 * @resource:	-r
 * @operation:	-o
 * @system_name: -m
 * @file:	--console
 * @data:	-i
 * @data_file:	-f
 * @profile:	-f of chsysstate
 * @name_list:	-n
 * @id_list:	--id
 * @restart:	--restart
 * @console:	open while the command works
 * @system:	of -m
 * @inventory:	of the system; NULL without a description
 */
struct change {
	const struct command *command;
	const char *resource;
	const char *operation;
	const char *system_name;
	const char *file;
	const char *data;
	const char *data_file;
	const char *profile;
	const char *name_list;
	const char *id_list;
	bool restart;
	struct console console;
	struct managed_system *system;
	json_t *inventory;
};

int change_parse(struct change *change, int argc, char **argv, const char *options);
int change_open(struct change *change);
void change_close(struct change *change);
int change_records(const struct change *change, const char *const *known, json_t **records);
int change_keys(const struct change *change, json_t **keys);

/**
 * struct subject - the partition that is to be changed
 * @vios:	a Virtual I/O Server of the inventory, borrowed; or NULL
 * @partition:	as partition.list tells it, with its config; or NULL
 */
struct subject {
	const json_t *vios;
	json_t *partition;
};

int subject_find(const struct change *change, const char *name, int64_t id,
		 struct subject *subject);
int subject_of(const struct change *change, const json_t *attributes, const char *name_field,
	       struct subject *subject);
int refuse_vios(const struct change *change, const json_t *vios);
void subject_release(struct subject *subject);
int change_call(const struct change *change, const char *method, json_t *params,
		const char *what);

/* profileset.c */
int profile_set(const struct command *command, json_t *profile, const json_t *attributes);
int value_number(const struct command *command, const char *name, const char *text,
		 json_int_t *value);
int value_flag(const struct command *command, const char *name, const char *text,
	       json_t **value);

/* adapterset.c */
int adapters_set(const struct change *change, json_t *config, const json_t *attributes);

#endif /* _HMC_CHANGE_H */
