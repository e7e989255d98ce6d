// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values of migrlpar's options.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "hmc/order.h"

#define MAX_WAIT_MINUTES	(7 * 24 * 60)
#define MAX_HOST		255
#define MAX_USER		32

#define DIGITS		"0123456789"
#define LETTERS		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

int order_number(const struct command *command, const char *option, const char *text,
		 unsigned long least, unsigned long most, unsigned long *value)
{
	char *end;

	*value = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && *value >= least && *value <= most)
		return EXIT_DONE;
	return usage_error(command, "%s is \"%.64s\"; it must be a number from %lu to %lu.",
			   option, text, least, most);
}

int order_limit(const struct command *command, const char *text, int64_t *limit)
{
	if (!parse_bytes(text, limit))
		return EXIT_DONE;
	return usage_error(command,
			   "--limit is \"%.64s\"; it must be a number of bytes a second, with K, M or G for powers of 1000; 0 = no limit.",
			   text);
}

/* Minutes; a fraction will do */
int order_minutes(const struct command *command, const char *text, uint64_t *ms)
{
	char *end;
	double minutes = strtod(text, &end);

	if (*text < '0' || *text > '9' || *end ||
	    !(minutes >= 0.001 && minutes <= MAX_WAIT_MINUTES))
		return usage_error(command,
				   "-w is \"%.64s\"; it must be a number of minutes, 0.001 to %d.",
				   text, MAX_WAIT_MINUTES);
	*ms = (uint64_t)(minutes * 60000);
	return EXIT_DONE;
}

/* One of at most three words */
int order_word(const struct command *command, const char *option, const char *text,
	       const char *const *words, const char **value)
{
	for (size_t i = 0; words[i]; i++)
		if (!strcmp(text, words[i])) {
			*value = words[i];
			return EXIT_DONE;
		}
	return usage_error(command, "%s is \"%.64s\"; it must be %s or %s.", option, text,
			   words[0], words[1]);
}

/* A name or an address; nothing that could be an option of a command */
int order_host(const struct command *command, const char *text)
{
	size_t length = strlen(text);

	if (length && length <= MAX_HOST && *text != '-' && *text != '.' &&
	    strspn(text, LETTERS DIGITS ".-_:%") == length)
		return EXIT_DONE;
	return usage_error(command,
			   "--ip is \"%.64s\"; it must be the name or the address of a console, at most %d characters.",
			   text, MAX_HOST);
}

int order_user(const struct command *command, const char *text)
{
	size_t length = strlen(text);

	if (length && length <= MAX_USER && *text != '-' &&
	    strspn(text, LETTERS DIGITS "._-") == length)
		return EXIT_DONE;
	return usage_error(command,
			   "-u is \"%.64s\"; it must be the name of a user: 1 to %d letters, digits, \".\", \"_\" and \"-\".",
			   text, MAX_USER);
}

/* Room for one more in a list of @text's; an option that is repeated replaces it */
static int make_keys(const char *text, struct order *order)
{
	size_t most = 1;

	for (const char *c = text; *c; c++)
		most += *c == ',';
	free(order->keys);
	free(order->names);
	order->nkeys = 0;
	order->list = most > 1;
	order->names = strdup(text);
	order->keys = calloc(most < ORDER_PARTITIONS ? most : ORDER_PARTITIONS,
			     sizeof(*order->keys));
	return order->keys && order->names ? EXIT_DONE : EXIT_FAILED;
}

static bool is_repeated(const struct order *order, const struct partition_key *key)
{
	for (size_t i = 0; i < order->nkeys; i++)
		if (key->name ? !strcmp(order->keys[i].name, key->name) :
				order->keys[i].id == key->id)
			return true;
	return false;
}

static int add_key(const struct command *command, const char *option, const char *text,
		   const struct partition_key *key, struct order *order)
{
	if (is_repeated(order, key))
		return usage_error(command, "%s names \"%.31s\" twice; once is enough.", option,
				   text);
	if (order->nkeys == ORDER_PARTITIONS)
		return usage_error(command, "%s names more than %d partitions. Use --all, or several commands.",
				   option, ORDER_PARTITIONS);
	order->keys[order->nkeys++] = *key;
	return EXIT_DONE;
}

int order_names(const struct command *command, const char *text, struct order *order)
{
	char *rest, *name;
	int status = make_keys(text, order);

	rest = order->names;
	while (!status && (name = strsep(&rest, ","))) {
		struct partition_key key = { .name = name };

		if (!name_is_valid(name))
			return usage_error(command,
					   "-p is \"%.64s\"; it must be names of partitions, separated by \",\": each 1 to 31 printable ASCII characters without \"/\", \",\" and quotes.",
					   text);
		status = add_key(command, "-p", name, &key, order);
	}
	return status;
}

int order_ids(const struct command *command, const char *text, struct order *order)
{
	int status = make_keys(text, order);
	char *rest, *id;

	rest = order->names;
	while (!status && (id = strsep(&rest, ","))) {
		struct partition_key key = { };
		unsigned long number;

		status = order_number(command, "--id", id, 1, 65535, &number);
		key.id = (uint32_t)number;
		if (!status)
			status = add_key(command, "--id", id, &key, order);
	}
	return status;
}
