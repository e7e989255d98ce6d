// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings that the user wants: attributes of -i.
 *
 * virtual_scsi_mappings=SLOT/VIOS-NAME/VIOS-ID[/VIOS-SLOT],...
 * virtual_fc_mappings=SLOT/VIOS-NAME/VIOS-ID[/[VIOS-SLOT][/FC-PORT]],...
 * vswitch_mappings=SLOT/VSWITCH,...
 *
 * SLOT is the partition's; of VIOS-NAME and VIOS-ID one may be empty.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/findings.h"
#include "hmc/mapping.h"

#define MAX_PARTS	5
#define MAX_SLOT	65535

/**
 * add_problem() - something stands against a mapping
 * @problems:	array that gets it
 * @code:	of its message
 * @adapter:	which virtual adapter it is about, or NULL
 * @details:	array of texts, taken over; or NULL
 * @fmt:	what was found, what was expected, what to do
 */
void add_problem(json_t *problems, const char *code, const json_t *adapter,
		 json_t *details, const char *fmt, ...)
{
	va_list ap;
	json_t *text;

	va_start(ap, fmt);
	text = text_json(fmt, ap);
	va_end(ap);
	json_array_append_new(problems,
			      json_pack("{s:s, s:I, s:o*, s:o}", "code", code, "slot_num",
					(json_int_t)number_of(adapter, "slot_num"),
					"details", details, "text", text));
}

/* A number of decimal digits; 0 = empty, -1 = it is none */
static int64_t parse_number(const char *text)
{
	char *end;
	unsigned long number;

	if (!*text)
		return 0;
	number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || number > MAX_SLOT)
		return -1;
	return (int64_t)number;
}

/* Its parts between "/"; how many, or 0: too many */
static int split(char *word, char *parts[MAX_PARTS])
{
	int count = 0;
	char *part;

	for (int i = 0; i < MAX_PARTS; i++)
		parts[i] = "";
	while ((part = strsep(&word, "/"))) {
		if (count == MAX_PARTS)
			return 0;
		parts[count++] = part;
	}
	return count;
}

/* NULL: it is not well formed */
static json_t *parse_mapping(char *word, bool fc)
{
	char *parts[MAX_PARTS];
	int count = split(word, parts);
	int64_t slot = parse_number(parts[0]);
	int64_t id = parse_number(parts[2]);
	int64_t vios_slot = parse_number(parts[3]);

	if (count < 2 || count > (fc ? 5 : 4) || slot <= 0 || id < 0 || vios_slot < 0 ||
	    (!*parts[1] && !id))
		return NULL;
	return json_pack("{s:I, s:s, s:I, s:I, s:s}", "slot_num", (json_int_t)slot,
			 "vios_name", parts[1], "vios_id", (json_int_t)id, "vios_slot",
			 (json_int_t)vios_slot, "fc_port", parts[4]);
}

static bool has_adapter(const struct mapping_input *input, int64_t slot, const char *type)
{
	const json_t *adapter = numbered_in(json_object_get(input->config, "virtual_adapters"),
					    "slot_num", slot);

	return adapter && !strcmp(text_of(adapter, "adapter_type"), type);
}

static void add_request(const struct mapping_input *input, json_t *requests, json_t *problems,
			const char *name, char *word)
{
	bool fc = strstr(name, "fc");
	char whole[128];
	json_t *request;

	snprintf(whole, sizeof(whole), "%s", word);
	request = parse_mapping(word, fc);
	if (!request) {
		add_problem(problems, "LPM0340", NULL, NULL,
			    "%s has \"%.100s\"; it must be SLOT/VIOS-NAME/VIOS-ID%s. Correct it.",
			    name, whole, fc ? "[/[VIOS-SLOT][/FC-PORT]]" : "[/VIOS-SLOT]");
		return;
	}
	if (!has_adapter(input, number_of(request, "slot_num"), fc ? "fc" : "scsi")) {
		add_problem(problems, "LPM0340", request, NULL,
			    "%s has \"%.100s\", and partition %s has no such adapter in slot %lld; it must name one of the partition's. Correct it.",
			    name, whole, input->partition,
			    (long long)number_of(request, "slot_num"));
		json_decref(request);
		return;
	}
	if (numbered_in(requests, "slot_num", number_of(request, "slot_num"))) {
		add_problem(problems, "LPM0340", request, NULL,
			    "%s has \"%.100s\", and a mapping for slot %lld before it; there must be one for each. Leave one out.",
			    name, whole, (long long)number_of(request, "slot_num"));
		json_decref(request);
		return;
	}
	json_array_append_new(requests, request);
}

static void parse_list(const struct mapping_input *input, json_t *requests, json_t *problems,
		       const char *name)
{
	const char *value = json_string_value(json_object_get(input->options->data, name));
	char *copy = value ? strdup(value) : NULL;
	char *rest = copy, *word;

	while ((word = strsep(&rest, ",")))
		if (*word)
			add_request(input, requests, problems, name, word);
	free(copy);
}

/**
 * parse_requests() - the mappings that the user wants
 * @input:	with the user's attributes
 * @problems:	gets what is wrong with them
 *
 * Return: array of {slot_num, vios_name, vios_id, vios_slot, fc_port}, the caller's.
 */
json_t *parse_requests(const struct mapping_input *input, json_t *problems)
{
	json_t *requests = json_array();

	parse_list(input, requests, problems, "virtual_scsi_mappings");
	parse_list(input, requests, problems, "virtual_fc_mappings");
	return requests;
}

/**
 * mapped_vswitch() - the virtual switch of an Ethernet adapter on the target
 * @input:	with the user's attributes
 * @adapter:	the adapter
 * @name:	room for the name
 *
 * Return: the name: the same as on the source, unless vswitch_mappings has another.
 */
const char *mapped_vswitch(const struct mapping_input *input, const json_t *adapter,
			   char name[NAME_BYTES])
{
	const char *value = json_string_value(json_object_get(input->options->data,
							      "vswitch_mappings"));
	int64_t slot = number_of(adapter, "slot_num");
	char *end;

	while (value && *value) {
		size_t word = strcspn(value, ",");

		if (*value >= '0' && *value <= '9' && strtol(value, &end, 10) == slot &&
		    *end == '/') {
			snprintf(name, NAME_BYTES, "%.*s", (int)(value + word - end - 1), end + 1);
			return name;
		}
		value += word + (value[word] == ',');
	}
	return text_of(adapter, "vswitch");
}
