// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Members of a profile from attributes.  What their values may be the platform knows, and
 * tells when it gets them; here they only become numbers and the like.
 */
#include <stdlib.h>
#include <string.h>

#include "hmc/change.h"

enum kind { TEXT, NUMBER, UNITS, FLAG, GROUP };

static const struct {
	const char *name;
	enum kind kind;
} members[] = {
	{ "min_mem", NUMBER },
	{ "desired_mem", NUMBER },
	{ "max_mem", NUMBER },
	{ "min_num_huge_pages", NUMBER },
	{ "desired_num_huge_pages", NUMBER },
	{ "proc_mode", TEXT },
	{ "min_proc_units", UNITS },
	{ "desired_proc_units", UNITS },
	{ "max_proc_units", UNITS },
	{ "min_procs", NUMBER },
	{ "desired_procs", NUMBER },
	{ "max_procs", NUMBER },
	{ "sharing_mode", TEXT },
	{ "uncap_weight", NUMBER },
	{ "shared_proc_pool_id", NUMBER },
	{ "max_virtual_slots", NUMBER },
	{ "boot_mode", TEXT },
	{ "auto_start", FLAG },
	{ "work_group_id", GROUP },
	{ "redundant_err_path_reporting", FLAG },
	{ "bsr_arrays", NUMBER },
	{ "lpar_proc_compat_mode", TEXT },
	{ }
};

/**
 * value_number() - a whole number
 * @command:	for the message
 * @name:	of the attribute
 * @text:	what was given
 * @value:	set
 *
 * Return: an exit status; the user has been told.
 */
int value_number(const struct command *command, const char *name, const char *text,
		 json_int_t *value)
{
	char *end;

	*value = strtoll(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && strlen(text) <= 10)
		return EXIT_DONE;
	return usage_error(command, "%s is \"%.64s\"; it must be a number.", name, text);
}

int value_flag(const struct command *command, const char *name, const char *text,
	       json_t **value)
{
	*value = NULL;
	if (strcmp(text, "0") && strcmp(text, "1"))
		return usage_error(command, "%s is \"%.64s\"; it must be 0 or 1.", name, text);
	*value = json_boolean(*text == '1');
	return EXIT_DONE;
}

static int value_units(const struct command *command, const char *name, const char *text,
		       json_t **value)
{
	bool digits = *text >= '0' && *text <= '9' && !text[strspn(text, "0123456789.")];
	char *end;
	double number = strtod(text, &end);

	if (!digits || *end || strlen(text) > 10)
		return usage_error(command,
				   "%s is \"%.64s\"; it must be a number of processors, as 0.5.",
				   name, text);
	*value = json_real(number);
	return EXIT_DONE;
}

static int value_of(const struct command *command, enum kind kind, const char *name,
		    const char *text, json_t **value)
{
	json_int_t number;

	*value = NULL;
	switch (kind) {
	case TEXT:
		*value = json_string(text);
		return EXIT_DONE;
	case UNITS:
		return value_units(command, name, text, value);
	case FLAG:
		return value_flag(command, name, text, value);
	case GROUP:
		if (!strcmp(text, "none"))
			text = "0";
		break;
	case NUMBER:
		break;
	}
	if (value_number(command, name, text, &number))
		return EXIT_USAGE;
	*value = json_integer(number);
	return EXIT_DONE;
}

/* A processor mode has members that the other one does not have */
static void drop_units(json_t *profile)
{
	static const char *const of_shared[] = {
		"min_proc_units", "desired_proc_units", "max_proc_units", "uncap_weight",
		"shared_proc_pool_id", NULL
	};

	if (!strcmp(text_of(profile, "proc_mode"), "ded"))
		for (const char *const *name = of_shared; *name; name++)
			json_object_del(profile, *name);
}

/**
 * profile_set() - set what a record has of a profile
 * @command:	for messages
 * @profile:	changed
 * @attributes:	the record; others of its attributes are left alone
 *
 * Return: an exit status; the user has been told.
 */
int profile_set(const struct command *command, json_t *profile, const json_t *attributes)
{
	json_t *value;

	if (json_object_get(attributes, "proc_mode")) {
		json_object_set(profile, "proc_mode", json_object_get(attributes, "proc_mode"));
		drop_units(profile);
	}
	for (size_t i = 0; members[i].name; i++) {
		if (!json_object_get(attributes, members[i].name))
			continue;
		if (value_of(command, members[i].kind, members[i].name,
			     text_of(attributes, members[i].name), &value))
			return EXIT_USAGE;
		json_object_set_new(profile, members[i].name, value);
	}
	return EXIT_DONE;
}
