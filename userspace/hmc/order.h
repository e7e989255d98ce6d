/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of migrlpar, taken apart.
 */
#ifndef _HMC_ORDER_H
#define _HMC_ORDER_H

#include "hmc/console.h"

#define ORDER_PARTITIONS	1024		/* in one command */

/* What -r names */
enum order_level {
	LEVEL_NONE,
	LEVEL_SYS,
	LEVEL_LPAR,
};

/**
 * struct order - the command line of migrlpar
 * @operation:	v, m, s, r, or e for set
 * @level:	-r
 * @source_name: -m
 * @target_name: -t
 * @host:	--ip, the console that has the target; NULL = this one
 * @user:	-u, there
 * @file:	--console
 * @data_text:	-i
 * @data_file:	-f
 * @keys:	partitions that are named
 * @nkeys:	how many; 0: @all, or none is meant
 * @all:	all partitions of the source
 * @list:	they were given as a list, though perhaps of one
 * @json:	tell what happens as lines of JSON
 * @quiet:	no bars, and no summary
 * @options:	how
 * @given:	which options were given, a bit for each row of the table of them
 * @names:	where @keys have their names
 */
struct order {
	char operation;
	enum order_level level;
	const char *source_name;
	const char *target_name;
	const char *host;
	const char *user;
	const char *file;
	const char *data_text;
	const char *data_file;
	struct partition_key *keys;
	size_t nkeys;
	bool all;
	bool list;
	bool json;
	bool quiet;
	struct move_options options;
	uint64_t given;
	char *names;
};

int order_parse(const struct command *command, int argc, char **argv, struct order *order);
void order_release(struct order *order);

/* order_value.c: values of options; each returns EXIT_DONE or EXIT_USAGE */
int order_number(const struct command *command, const char *option, const char *text,
		 unsigned long least, unsigned long most, unsigned long *value);
int order_limit(const struct command *command, const char *text, int64_t *limit);
int order_minutes(const struct command *command, const char *text, uint64_t *ms);
int order_word(const struct command *command, const char *option, const char *text,
	       const char *const *words, const char **value);
int order_host(const struct command *command, const char *text);
int order_user(const struct command *command, const char *text);
int order_names(const struct command *command, const char *text, struct order *order);
int order_ids(const struct command *command, const char *text, struct order *order);

/* order_data.c: attributes of -i and -f */
int order_data(const struct command *command, struct order *order);

#endif /* _HMC_ORDER_H */
