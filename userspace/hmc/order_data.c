// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes of migrlpar's -i and -f: which there are, and what their values look
 * like.  Whether what they name exists, validation finds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/util.h"
#include "hmc/attributes.h"
#include "hmc/order.h"

#define MAX_PARTS	8

/* What a value, or each item of a list, is */
enum kind {
	KIND_ANY,
	KIND_NAME,
	KIND_LPAR_ID,
	KIND_POOL_ID,
	KIND_ADDRESS,
	KIND_LIMIT,
	KIND_ONE,
	KIND_FC,
	KIND_SCSI,
	KIND_VSWITCH,
	KIND_MSPS,
	KIND_MSP,
};

/**
 * struct attribute - an attribute of -i
 * @kind:	of its value
 * @single:	it can only be meant for one partition
 * @name:	its name
 */
struct attribute {
	enum kind kind;
	bool single;
	const char *name;
};

static const struct attribute move_attributes[] = {
	{ KIND_FC, true, "virtual_fc_mappings" },
	{ KIND_SCSI, true, "virtual_scsi_mappings" },
	{ KIND_VSWITCH, false, "vswitch_mappings" },
	{ KIND_NAME, false, "source_msp_name" },
	{ KIND_LPAR_ID, false, "source_msp_id" },
	{ KIND_ADDRESS, false, "source_msp_ipaddr" },
	{ KIND_NAME, false, "dest_msp_name" },
	{ KIND_LPAR_ID, false, "dest_msp_id" },
	{ KIND_ADDRESS, false, "dest_msp_ipaddr" },
	{ KIND_MSP, false, "source_msps" },
	{ KIND_MSP, false, "dest_msps" },
	{ KIND_MSPS, false, "redundant_msps" },
	{ KIND_LPAR_ID, true, "dest_lpar_id" },
	{ KIND_POOL_ID, false, "shared_proc_pool_id" },
	{ }
};

/*
 * Of movers, as vioslpm0 has them; here they are set where a mover is configured.
 * Known, so that they can be refused with what to do instead.
 */
#define MOVER_ATTRIBUTES			\
	{ KIND_ANY, false, "cfg_msp_lpm_ops" },	\
	{ KIND_ANY, false, "concurrency_lvl" },	\
	{ KIND_ANY, false, "max_vasi_ops" },	\
	{ KIND_ANY, false, "tcp_port_low" },	\
	{ KIND_ANY, false, "tcp_port_high" },	\
	{ KIND_ANY, false, "lpm_msnap_succ" },	\
	{ KIND_ANY, false, "auto_tunnel" }

static const struct attribute sys_attributes[] = {
	MOVER_ATTRIBUTES,
	{ }
};

static const struct attribute lpar_attributes[] = {
	MOVER_ATTRIBUTES,
	{ KIND_LIMIT, false, "limit" },
	{ KIND_ONE, false, "suspend" },
	{ }
};

static const struct attribute *attributes_of(const struct order *order)
{
	if (order->operation != 'e')
		return move_attributes;
	return order->level == LEVEL_SYS ? sys_attributes : lpar_attributes;
}

/* ---- Values ---- */

static bool is_number(const char *text, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && number >= least && number <= most;
}

/* Into its parts between "/"; 0: there are more than @most */
static size_t split(char *item, char **parts, size_t most)
{
	size_t count = 0;
	char *part;

	while ((part = strsep(&item, "/"))) {
		if (count == most)
			return 0;
		parts[count++] = part;
	}
	return count;
}

/* slot/vios-name/vios-id[/[vios-slot][/fc-port]]; the VIOS by its name or its id */
static bool is_mapping(char *item, size_t most)
{
	char *parts[MAX_PARTS];
	size_t count = split(item, parts, most);

	return count >= 3 && is_number(parts[0], 0, 65535) &&
	       (*parts[1] || *parts[2]) && (!*parts[1] || name_is_valid(parts[1])) &&
	       (!*parts[2] || is_number(parts[2], 1, 65535)) &&
	       (count < 4 || !*parts[3] || is_number(parts[3], 0, 65535)) &&
	       (count < 5 || name_is_valid(parts[4]));
}

/* slot/vswitch on the target */
static bool is_vswitch(char *item)
{
	char *parts[MAX_PARTS];

	return split(item, parts, 2) == 2 && is_number(parts[0], 0, 65535) &&
	       name_is_valid(parts[1]);
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 ||
	       inet_pton(AF_INET6, text, &address) == 1;
}

/* name/id/address of an MSP, of which name or id must be there */
static bool is_msp(char *const parts[3])
{
	return (*parts[0] || *parts[1]) && (!*parts[0] || name_is_valid(parts[0])) &&
	       (!*parts[1] || is_number(parts[1], 1, 65535)) &&
	       (!*parts[2] || is_address(parts[2]));
}

static bool is_one_msp(char *item)
{
	char *parts[MAX_PARTS];

	return split(item, parts, 3) == 3 && is_msp(parts);
}

/* group/src-name/src-id/src-ip/dst-name/dst-id/dst-ip */
static bool is_pair_of_msps(char *item)
{
	char *parts[MAX_PARTS];

	return split(item, parts, 7) == 7 && is_number(parts[0], 0, 65535) &&
	       is_msp(&parts[1]) && is_msp(&parts[4]);
}

static bool is_item(enum kind kind, char *item)
{
	switch (kind) {
	case KIND_FC:
		return is_mapping(item, 5);
	case KIND_SCSI:
		return is_mapping(item, 4);
	case KIND_VSWITCH:
		return is_vswitch(item);
	case KIND_MSP:
		return is_one_msp(item);
	default:
		return is_pair_of_msps(item);
	}
}

/* Each item of a list */
static bool is_list(enum kind kind, const char *text)
{
	char *copy = strdup(text), *rest = copy, *item;
	bool good = copy;

	while (good && (item = strsep(&rest, ",")))
		good = is_item(kind, item);
	free(copy);
	return good;
}

static bool is_value(enum kind kind, const char *text)
{
	int64_t ignored;

	switch (kind) {
	case KIND_ANY:
		return true;
	case KIND_NAME:
		return name_is_valid(text);
	case KIND_LPAR_ID:
		return is_number(text, 1, 65535);
	case KIND_POOL_ID:
		return is_number(text, 0, 255);
	case KIND_ADDRESS:
		return is_address(text);
	case KIND_LIMIT:
		return !parse_bytes(text, &ignored);
	case KIND_ONE:
		return !strcmp(text, "1");
	case KIND_MSP:
		return !strchr(text, ',') && is_list(kind, text);
	default:
		return is_list(kind, text);
	}
}

static const char *expected(enum kind kind)
{
	static const char *const texts[] = {
		[KIND_ANY] = "anything",
		[KIND_NAME] = "a name",
		[KIND_LPAR_ID] = "a partition's id, 1 to 65535",
		[KIND_POOL_ID] = "the id of a shared processor pool, 0 to 255",
		[KIND_ADDRESS] = "an IPv4 or IPv6 address",
		[KIND_LIMIT] = "bytes a second, with K, M or G for powers of 1000",
		[KIND_ONE] = "1",
		[KIND_FC] = "a list of slot/vios-name/vios-id[/[vios-slot][/fc-port]]",
		[KIND_SCSI] = "a list of slot/vios-name/vios-id[/vios-slot]",
		[KIND_VSWITCH] = "a list of slot/vswitch",
		[KIND_MSPS] = "a list of group/src-name/src-id/src-ip/dst-name/dst-id/dst-ip",
		[KIND_MSP] = "one vios-name/vios-id/address",
	};

	return texts[kind];
}

/* ---- Attributes ---- */

static int check_attribute(const struct command *command, const struct order *order,
			   const struct attribute *attribute)
{
	const json_t *value = json_object_get(order->options.data, attribute->name);
	const char *from = order->data_file ? "-f" : "-i";

	if (!value)
		return EXIT_DONE;
	if (!is_value(attribute->kind, json_string_value(value)))
		return usage_error(command, "%s: %s must be %s.", from, attribute->name,
				   expected(attribute->kind));
	if (attribute->single && (order->all || order->nkeys > 1))
		return usage_error(command,
				   "%s: %s is for one partition, but several are to migrate. Leave it out, or name one.",
				   from, attribute->name);
	return EXIT_DONE;
}

static int read_data(const struct order *order, json_t **data, char *why)
{
	const struct attribute *attributes = attributes_of(order);
	const char *known[ARRAY_SIZE(move_attributes)] = { NULL };
	json_t *records;
	int ret;

	for (size_t i = 0; attributes[i].name; i++)
		known[i] = attributes[i].name;
	if (order->data_text)
		return attributes_parse(order->data_text, known, data, why);
	ret = attributes_read(order->data_file, known, &records, why);
	if (ret)
		return ret;
	*data = json_incref(json_array_get(records, 0));
	if (json_array_size(records) > 1) {
		snprintf(why, ATTRIBUTES_WHY, "it has %zu lines; there must be one",
			 json_array_size(records));
		ret = -EINVAL;
	}
	json_decref(records);
	return ret;
}

/* What clients write in one attribute is what the three others say, if they do not */
static void spread_msp(json_t *data, const char *together, const char *const names[3])
{
	char *copy = strdup(text_of(data, together)), *parts[MAX_PARTS];

	if (copy && split(copy, parts, 3) == 3)
		for (size_t i = 0; i < 3; i++)
			if (*parts[i] && !json_object_get(data, names[i]))
				json_object_set_new(data, names[i], json_string(parts[i]));
	free(copy);
}

static void spread_msps(json_t *data)
{
	static const char *const source[] = {
		"source_msp_name", "source_msp_id", "source_msp_ipaddr"
	};
	static const char *const target[] = {
		"dest_msp_name", "dest_msp_id", "dest_msp_ipaddr"
	};

	spread_msp(data, "source_msps", source);
	spread_msp(data, "dest_msps", target);
}

/**
 * order_data() - read the attributes of -i or -f
 * @command:	migrlpar
 * @order:	the rest is there; gets options.data
 *
 * Return: EXIT_DONE or EXIT_USAGE; the user has been told.
 */
int order_data(const struct command *command, struct order *order)
{
	const struct attribute *attribute = attributes_of(order);
	char why[ATTRIBUTES_WHY];
	int status = EXIT_DONE;

	if (!order->data_text && !order->data_file)
		return EXIT_DONE;
	if (read_data(order, &order->options.data, why))
		return usage_error(command, "%s: %s.", order->data_file ? "-f" : "-i", why);
	for (; !status && attribute->name; attribute++)
		status = check_attribute(command, order, attribute);
	if (!status)
		spread_msps(order->options.data);
	return status;
}
