// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lslparmigr -r virtualio: what could host the virtual storage adapters of partitions
 * on a target, and what validation would choose.
 */
#include <stdlib.h>
#include <string.h>

#include "hmc/query.h"
#include "hmc/validate.h"
#include "hmc/virtualio.h"

const char *const virtualio_fields[] = {
	"name", "lpar_id", "possible_virtual_scsi_mappings", "suggested_virtual_scsi_mappings",
	"possible_virtual_fc_mappings", "suggested_virtual_fc_mappings", NULL
};

static void set_mappings(json_t *record, const char *name, const json_t *mappings,
			 const char *type)
{
	char *text = mapping_text(mappings, type);

	if (text)
		set_text(record, name, text);
	free(text);
}

static void set_possible(json_t *record, const char *name, const struct mapping_input *input,
			 const char *type)
{
	json_t *mappings = mapping_possible(input, type);

	set_mappings(record, name, mappings, type);
	json_decref(mappings);
}

static void add_partition(struct query *query, const struct validation *v)
{
	json_t *record = query_record(query);

	set_text(record, "name", partition_name(v));
	set_number(record, "lpar_id", number_of(v->plan->partition, "lpar_id"));
	if (!v->plan->mappings)
		return;
	set_possible(record, "possible_virtual_scsi_mappings", &v->mapping, "scsi");
	set_mappings(record, "suggested_virtual_scsi_mappings", v->plan->mappings, "scsi");
	set_possible(record, "possible_virtual_fc_mappings", &v->mapping, "fc");
	set_mappings(record, "suggested_virtual_fc_mappings", v->plan->mappings, "fc");
}

/* What validation looks at, without all that it checks */
static int list_partition(struct query *query, const char *name)
{
	const struct move_options options = { .redundant_vios = 2, .mpio = 1 };
	const struct partition_key key = { .name = name };
	struct plan plan = { .source = query->system, .target = query->target };
	struct validation v;
	int status = EXIT_FAILED;

	validation_begin(&v, &plan, &key, &options);
	validation_look(&v);
	if (plan.partition && v.target.info) {
		add_partition(query, &v);
		status = EXIT_DONE;
	} else {
		findings_print(&v.findings, 0, false);
	}
	validation_end(&v);
	plan_release(&plan);
	return status;
}

/**
 * list_virtualio() - list possible and suggested mappings
 * @query:	the query; adds a record for each partition
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told why.
 */
int list_virtualio(struct query *query)
{
	json_t *list = query_ask(query, "partition.list", "list its partitions");
	int status = list ? EXIT_DONE : EXIT_FAILED;
	json_t *partition;
	const char *name;
	size_t i;

	json_array_foreach(json_object_get(list, "partitions"), i, partition) {
		name = text_of(partition, "name");
		if (!query_selects_partition(query, name, number_of(partition, "lpar_id")))
			continue;
		status = list_partition(query, name);
		if (status)
			break;
	}
	json_decref(list);
	return status;
}
