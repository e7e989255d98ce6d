/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which server adapters host a partition's virtual adapters on the target.
 *
 * For each adapter there are candidates: a VIOS of the target, and of Fibre Channel and
 * vNIC a port of it.  Of them one is chosen each, so that slots and ports suffice and
 * adapters that had different VIOSes have different ones again.
 */
#ifndef _HMC_MAPPING_H
#define _HMC_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "hmc/console.h"

#define FIRST_CLIENT_SLOT	11	/* below, slots are not for client adapters */

/**
 * struct mapping_input - what a choice is made from
 * @partition:	its name
 * @config:	of the partition
 * @source: @target: system.inventory; the source's may be NULL
 * @options:	what the user wants
 */
struct mapping_input {
	const char *partition;
	const json_t *config;
	const json_t *source;
	const json_t *target;
	const struct move_options *options;
};

json_t *mapping_choose(const struct mapping_input *input, json_t *problems);
json_t *mapping_possible(const struct mapping_input *input, const char *type);
char *mapping_text(const json_t *mappings, const char *type);
bool mapping_suggested(const struct plan *plan, json_t *record);
void mapping_print(const struct plan *plan);

/* Looking things up in an inventory; NULL: not there */
const json_t *named_in(const json_t *array, const char *name);
const json_t *numbered_in(const json_t *array, const char *member, int64_t number);
const json_t *find_server(const json_t *inventory, const char *partition,
			  const json_t *adapter, const json_t **vios);
const json_t *find_login(const json_t *port, const char *wwpn);
const json_t *find_lun(const json_t *vios, const char *udid);
json_t *whole_luns(const json_t *vios, const json_t *server);
bool has_text(const json_t *array, const char *text);
int64_t free_slots(const json_t *vios);
bool version_at_least(const char *version, const char *least);

/* Of a VIOS: nothing that keeps it from hosting; see check_vios.c */
bool vios_answers(const json_t *vios);
bool vios_is_new_enough(const json_t *vios);

/* ---- For the files of the choice only ---- */

/**
 * struct candidate - what could host an adapter
 * @host:	number of the VIOS in the target's inventory
 * @vios:	that VIOS
 * @port:	its port, or NULL
 * @penalty:	what speaks against it, but does not exclude it
 * @load:	adapters that the VIOS has
 * @slots:	how many more it may have
 * @room:	how many more the port may have
 */
struct candidate {
	size_t host;
	const json_t *vios;
	const json_t *port;
	int penalty;
	int64_t load;
	int64_t slots;
	int64_t room;
};

/**
 * struct client - a virtual adapter that needs a host
 * @adapter:	of the partition
 * @type:	"scsi", "fc" or "vnic"
 * @server:	what hosts it on the source
 * @source:	the VIOS that has it
 * @source_name: its name
 * @udids:	LUNs that it has there
 * @request:	what -i wants, or NULL
 * @slot:	the VIOS's slot that it wants, 0 = any
 * @candidates: @count: what could host it
 * @choice:	which does, or -1
 */
struct client {
	const json_t *adapter;
	const char *type;
	const json_t *server;
	const json_t *source;
	const char *source_name;
	json_t *udids;
	json_t *request;
	int64_t slot;
	struct candidate *candidates;
	size_t count;
	long choice;
};

enum layout { LAYOUT_KEEP, LAYOUT_ANY, LAYOUT_ONE };

const char *adapter_name(const char *type);
bool candidates_find(const struct mapping_input *input, struct client *client,
		     json_t *problems);
bool assign(struct client *clients, size_t count, enum layout layout);
size_t assign_what_fits(struct client *clients, size_t count);
json_t *parse_requests(const struct mapping_input *input, json_t *problems);
void add_problem(json_t *problems, const char *code, const json_t *adapter,
		 json_t *details, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
const char *mapped_vswitch(const struct mapping_input *input, const json_t *adapter,
			   char name[NAME_BYTES]);

#endif /* _HMC_MAPPING_H */
