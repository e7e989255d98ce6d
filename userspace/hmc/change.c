// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commands that change a managed system: what their command lines and records have
 * in common.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hmc/attributes.h"
#include "hmc/change.h"
#include "hmc/described.h"

enum { ID = 256, IMMED, RESTART, FILE_NAME };

static int parse_option(struct change *change, int option, char **argv)
{
	switch (option) {
	case 'r':
		change->resource = optarg;
		break;
	case 'm':
		change->system_name = optarg;
		break;
	case 'o':
		change->operation = optarg;
		break;
	case 'i':
		change->data = optarg;
		break;
	case 'f':
		change->data_file = optarg;
		change->profile = optarg;
		break;
	case 'n':
		change->name_list = optarg;
		break;
	case ID:
		change->id_list = optarg;
		break;
	case IMMED:
		break;
	case RESTART:
		change->restart = true;
		break;
	case FILE_NAME:
		change->file = optarg;
		break;
	default:
		return unknown_option(change->command, argv);
	}
	return EXIT_DONE;
}

/**
 * change_parse() - take a command line apart
 * @change:	with its command
 * @argc: @argv: the command line
 * @options:	letters that the command has, as getopt() wants them; with n it has --id, too,
 *		and with o --immed and --restart
 *
 * Return: an exit status; the user has been told.
 */
int change_parse(struct change *change, int argc, char **argv, const char *options)
{
	static const struct option words[] = {
		{ "console", required_argument, NULL, FILE_NAME },
		{ "id", required_argument, NULL, ID },
		{ "immed", no_argument, NULL, IMMED },
		{ "restart", no_argument, NULL, RESTART },
		{ }
	};
	int option, status = EXIT_DONE;

	opterr = 0;
	while (!status && (option = getopt_long(argc, argv, options, words, NULL)) != -1) {
		if ((option == ID && !strchr(options, 'n')) ||
		    ((option == IMMED || option == RESTART) && !strchr(options, 'o')))
			option = '?';
		status = parse_option(change, option, argv);
	}
	if (!status && optind < argc)
		status = unexpected_argument(change->command, argv[optind]);
	if (!status && !change->resource)
		status = usage_error(change->command, "-r is missing: what is to be changed.");
	if (!status && !change->system_name)
		status = usage_error(change->command, "-m is missing: the name of a system.");
	return status;
}

/**
 * change_open() - open the console file, find the system, and ask what it has
 * @change:	the change; to be closed also after an error
 *
 * Return: an exit status; the user has been told.
 */
int change_open(struct change *change)
{
	if (console_open(change->file, &change->console))
		return EXIT_USAGE;
	change->system = console_find(&change->console, change->system_name);
	if (change->system)
		return described_system(change->system, &change->inventory) ? EXIT_FAILED :
			EXIT_DONE;
	message("LPM0004",
		"-m names the system \"%.64s\", which the console file does not have. List those it has with lssyscfg -r sys -F name.",
		change->system_name);
	return EXIT_FAILED;
}

void change_close(struct change *change)
{
	json_decref(change->inventory);
	console_close(&change->console);
}

/**
 * change_records() - read what -i or -f has
 * @change:	the command line
 * @known:	attributes that there are, NULL behind the last
 * @records:	array of objects of strings; the caller's
 *
 * Return: an exit status; the user has been told.
 */
int change_records(const struct change *change, const char *const *known, json_t **records)
{
	char why[ATTRIBUTES_WHY];
	json_t *record;

	*records = NULL;
	if (!change->data == !change->data_file)
		return usage_error(change->command, "Either -i or -f must be given.");
	if (change->data_file) {
		if (!attributes_read(change->data_file, known, records, why))
			return EXIT_DONE;
		return usage_error(change->command, "The file %.256s of -f cannot be used: %s.",
				   change->data_file, why);
	}
	if (attributes_parse(change->data, known, &record, why))
		return usage_error(change->command, "-i cannot be used: %s.", why);
	*records = json_pack("[o]", record);
	return EXIT_DONE;
}

/* ---- Which partitions ---- */

static int add_key(const struct change *change, json_t *keys, const char *word)
{
	char *end;
	unsigned long id = strtoul(word, &end, 10);

	if (json_array_size(keys) == CHANGE_PARTITIONS)
		return usage_error(change->command, "More than %d partitions are named.",
				   CHANGE_PARTITIONS);
	if (change->name_list && !name_is_valid(word))
		return usage_error(change->command,
				   "-n names the partition \"%.64s\"; a name has 1 to 31 printable ASCII characters without \"/\", \",\" and quotes.",
				   word);
	if (change->id_list && (*word < '0' || *word > '9' || *end || id < 1 || id > 65535))
		return usage_error(change->command,
				   "--id is \"%.64s\"; it must be a number from 1 to 65535.",
				   word);
	json_array_append_new(keys, change->name_list ? json_string(word) :
			      json_integer((json_int_t)id));
	return EXIT_DONE;
}

/**
 * change_keys() - take -n or --id apart
 * @change:	the command line
 * @keys:	array of names or numbers, at least one; the caller's
 *
 * Return: an exit status; the user has been told.
 */
int change_keys(const struct change *change, json_t **keys)
{
	int status = EXIT_DONE;
	char *text, *rest, *word;

	*keys = NULL;
	if (!change->name_list == !change->id_list)
		return usage_error(change->command, "Either -n or --id must be given.");
	text = strdup(change->name_list ? change->name_list : change->id_list);
	rest = text;
	*keys = json_array();
	while (!status && (word = strsep(&rest, ",")))
		status = add_key(change, *keys, word);
	free(text);
	if (!status)
		return EXIT_DONE;
	json_decref(*keys);
	*keys = NULL;
	return status;
}

static bool fits(const json_t *entry, const char *name, int64_t id)
{
	return (!name || !strcmp(text_of(entry, "name"), name)) &&
	       (!id || number_of(entry, "lpar_id") == id);
}

static int not_found(const struct change *change, const char *name, int64_t id)
{
	if (name && id)
		message("HSCL8012",
			"System %s has no partition %s with id %" PRId64 ". List them with lssyscfg -r lpar -m %s.",
			change->system->name, name, id, change->system->name);
	else if (name)
		message("HSCL8012",
			"System %s has no partition named %s. List them with lssyscfg -r lpar -m %s.",
			change->system->name, name, change->system->name);
	else
		message("HSCL8012",
			"System %s has no partition with id %" PRId64 ". List them with lssyscfg -r lpar -m %s.",
			change->system->name, id, change->system->name);
	return EXIT_FAILED;
}

/**
 * subject_find() - find a partition or a Virtual I/O Server
 * @change:	says where
 * @name:	its name, NULL = any
 * @id:		its id, 0 = any
 * @subject:	filled in; to be released
 *
 * Return: an exit status; the user has been told.
 */
int subject_find(const struct change *change, const char *name, int64_t id,
		 struct subject *subject)
{
	json_t *list, *entry;
	size_t i;

	*subject = (struct subject) { 0 };
	json_array_foreach(json_object_get(change->inventory, "vioses"), i, entry)
		if (!subject->vios && fits(entry, name, id))
			subject->vios = entry;
	if (subject->vios)
		return EXIT_DONE;
	if (described_partitions(change->system, &list))
		return EXIT_FAILED;
	json_array_foreach(json_object_get(list, "partitions"), i, entry)
		if (!subject->partition && fits(entry, name, id))
			subject->partition = json_incref(entry);
	json_decref(list);
	return subject->partition ? EXIT_DONE : not_found(change, name, id);
}

/**
 * subject_of() - find the partition that a record is about
 * @change:	says where
 * @attributes:	the record, with @name_field, lpar_id or both
 * @name_field:	the attribute that has the partition's name
 * @subject:	filled in; to be released
 *
 * Return: an exit status; the user has been told.
 */
int subject_of(const struct change *change, const json_t *attributes, const char *name_field,
	       struct subject *subject)
{
	bool named = json_object_get(attributes, name_field);
	json_int_t id = 0;

	*subject = (struct subject) { 0 };
	if (json_object_get(attributes, "lpar_id")) {
		if (value_number(change->command, "lpar_id", text_of(attributes, "lpar_id"), &id))
			return EXIT_USAGE;
		if (id < 1 || id > 65535)
			return usage_error(change->command,
					   "lpar_id is %.64s; it must be a number from 1 to 65535.",
					   text_of(attributes, "lpar_id"));
	} else if (!named) {
		return usage_error(change->command,
				   "Neither %s nor lpar_id is given: which partition?", name_field);
	}
	return subject_find(change, named ? text_of(attributes, name_field) : NULL, id, subject);
}

/**
 * refuse_vios() - tell that a Virtual I/O Server is not changed so
 * @change:	says where
 * @vios:	the Virtual I/O Server
 *
 * Return: EXIT_FAILED.
 */
int refuse_vios(const struct change *change, const json_t *vios)
{
	message("LPM0401",
		"%s is a Virtual I/O Server, of which only msp can be changed. The rest is in the description of system %s.",
		text_of(vios, "name"), change->system->name);
	return EXIT_FAILED;
}

void subject_release(struct subject *subject)
{
	json_decref(subject->partition);
	*subject = (struct subject) { 0 };
}

/**
 * change_call() - have the system of -m do something
 * @change:	says where
 * @method:	to be called
 * @params:	taken over
 * @what:	is to be done, for the message
 *
 * Return: an exit status; the user has been told.
 */
int change_call(const struct change *change, const char *method, json_t *params,
		const char *what)
{
	struct rpc_error err;

	if (!system_call(change->system, method, params, NULL, &err))
		return EXIT_DONE;
	if (err.code == RPC_STATE)
		message("HSCL05DF",
			"System %s refused to %s: %s. Look at its state with lssyscfg -r lpar -m %s.",
			change->system->name, what, err.text, change->system->name);
	else
		call_message(change->system, what, &err);
	return EXIT_FAILED;
}
