// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line of migrlpar, taken apart and checked.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "hmc/order.h"

#define MAX_DETAIL		5
#define MAX_DOWNTIME_MS		3600000
#define MAX_SUSPEND_S		3600

enum {
	ASYNC = 256, ID, LIMIT, DOWNTIME, SUSPEND, SUSPEND_TIMEOUT, ALL_PAGES, FILE_NAME,
	ALL, IP, NODETAILS, FORCE, REDUNDANT_VIOS, REDUNDANT_MSPS, MPIO, VLANBRIDGE,
	NPIVVAL, VSI, UUID, PROTECT_STORAGE, AFFINITY, USE_CURR_DATA, JSON, QUIET,
};

/**
 * struct rule - what an option is for
 * @option:	as getopt_long() returns it
 * @name:	as the user types it
 * @operations:	that it is for
 */
struct rule {
	int option;
	const char *name;
	const char *operations;
};

static const struct rule rules[] = {
	{ 'o', "-o", "vmsre" },
	{ 'r', "-r", "e" },
	{ 'm', "-m", "vmsre" },
	{ 't', "-t", "vmr" },
	{ 'p', "-p", "vmsre" },
	{ ID, "--id", "vmsre" },
	{ ALL, "--all", "vmsre" },
	{ IP, "--ip", "vmsr" },
	{ 'u', "-u", "vmsr" },
	{ 'n', "-n", "vm" },
	{ 'f', "-f", "vme" },
	{ 'i', "-i", "vme" },
	{ 'w', "-w", "vm" },
	{ 'd', "-d", "vmsre" },
	{ 'v', "-v", "vmsre" },
	{ NODETAILS, "--nodetails", "vmsre" },
	{ FORCE, "--force", "vmr" },
	{ REDUNDANT_VIOS, "--redundantvios", "vm" },
	{ REDUNDANT_MSPS, "--redundantmsps", "vm" },
	{ MPIO, "--mpio", "vm" },
	{ VLANBRIDGE, "--vlanbridge", "vm" },
	{ NPIVVAL, "--npivval", "vm" },
	{ VSI, "--vsi", "vm" },
	{ UUID, "--uuid", "vm" },
	{ PROTECT_STORAGE, "--protectstorage", "vm" },
	{ AFFINITY, "--affinity", "vm" },
	{ USE_CURR_DATA, "--usecurrdata", "vmr" },
	{ ASYNC, "--async", "m" },
	{ LIMIT, "--limit", "vm" },
	{ DOWNTIME, "--downtime", "vm" },
	{ SUSPEND, "--suspend", "vm" },
	{ SUSPEND_TIMEOUT, "--suspend-timeout", "m" },
	{ ALL_PAGES, "--all-pages", "vm" },
	{ JSON, "--json", "vm" },
	{ QUIET, "--quiet", "m" },
	{ FILE_NAME, "--console", "vmsre" },
};

static bool is_given(const struct order *order, int option)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].option == option)
			return order->given & (1ULL << i);
	return false;
}

static void mark_given(struct order *order, int option)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].option == option)
			order->given |= 1ULL << i;
}

/* ---- One option ---- */

static int parse_operation(const struct command *command, const char *text,
			   struct order *order)
{
	if (!strcmp(text, "set"))
		order->operation = 'e';
	else if (strlen(text) == 1 && strchr("vmsr", *text))
		order->operation = *text;
	else
		return usage_error(command,
				   "-o is \"%.64s\"; it must be v (validate), m (migrate), s (stop), r (recover) or set.",
				   text);
	return EXIT_DONE;
}

static int parse_level(const struct command *command, const char *text, struct order *order)
{
	static const char *const levels[] = { "sys", "lpar", NULL };
	const char *level;

	if (order_word(command, "-r", text, levels, &level))
		return EXIT_USAGE;
	order->level = level == levels[0] ? LEVEL_SYS : LEVEL_LPAR;
	return EXIT_DONE;
}

static int parse_small(const struct command *command, const char *option,
		       unsigned long least, unsigned long most, int *value)
{
	unsigned long number;
	int status = order_number(command, option, optarg, least, most, &number);

	*value = (int)number;
	return status;
}

/* What the storage is protected from, nothing here does */
static int parse_protect(const struct command *command)
{
	int value;
	int status = parse_small(command, "--protectstorage", 1, 2, &value);

	if (status || value == 2)
		return status;
	return usage_error(command,
			   "--protectstorage is 1, but nothing keeps the source's Virtual I/O Servers from the storage afterwards. Use 2, or leave it out.");
}

static int parse_profile(const struct command *command, struct move_options *options)
{
	options->profile = optarg;
	if (name_is_valid(optarg))
		return EXIT_DONE;
	return usage_error(command,
			   "-n is \"%.64s\"; it must be the name of a profile: 1 to 31 printable ASCII characters without \"/\", \",\" and quotes.",
			   optarg);
}

/* Those of an HMC that say how strictly something is to be validated */
static int parse_strictness(const struct command *command, int option,
			    struct move_options *options)
{
	static const char *const npivval[] = { "port", "portdisk", NULL };
	int ignored;

	switch (option) {
	case REDUNDANT_VIOS:
		return parse_small(command, "--redundantvios", 0, 2, &options->redundant_vios);
	case REDUNDANT_MSPS:
		return parse_small(command, "--redundantmsps", 0, 2, &options->redundant_msps);
	case MPIO:
		return parse_small(command, "--mpio", 1, 2, &options->mpio);
	case VLANBRIDGE:
		return parse_small(command, "--vlanbridge", 1, 2, &options->vlanbridge);
	case NPIVVAL:
		return order_word(command, "--npivval", optarg, npivval, &options->npivval);
	/* There are no such interfaces here, and an UUID stays what it is */
	case VSI:
		return parse_small(command, "--vsi", 1, 2, &ignored);
	case UUID:
		return parse_small(command, "--uuid", 1, 2, &ignored);
	case PROTECT_STORAGE:
		return parse_protect(command);
	case AFFINITY:
		return usage_error(command,
				   "--affinity asks for affinity scores, which systems here do not have. Leave it out.");
	default:
		return EXIT_DONE;
	}
}

/* Those that are this project's own */
static int parse_pace(const struct command *command, int option,
		      struct move_options *options)
{
	static const char *const who[] = { "partition", "platform", NULL };
	unsigned long number = 0;
	int status = EXIT_DONE;

	switch (option) {
	case ASYNC:
		options->async = true;
		break;
	case LIMIT:
		return order_limit(command, optarg, &options->limit);
	case DOWNTIME:
		status = order_number(command, "--downtime", optarg, 0, MAX_DOWNTIME_MS, &number);
		options->downtime_ms = (int64_t)number;
		break;
	case SUSPEND:
		return order_word(command, "--suspend", optarg, who, &options->suspend);
	case SUSPEND_TIMEOUT:
		status = order_number(command, "--suspend-timeout", optarg, 1, MAX_SUSPEND_S,
				      &number);
		options->suspend_ms = (int64_t)number * 1000;
		break;
	case ALL_PAGES:
		options->all_pages = true;
		break;
	default:
		return parse_strictness(command, option, options);
	}
	return status;
}

/* Who and where */
static int parse_place(const struct command *command, int option, struct order *order)
{
	switch (option) {
	case 'r':
		return parse_level(command, optarg, order);
	case 'm':
		order->source_name = optarg;
		break;
	case 't':
		order->target_name = optarg;
		break;
	case 'p':
		return order_names(command, optarg, order);
	case ID:
		return order_ids(command, optarg, order);
	case ALL:
		order->all = true;
		break;
	case IP:
		order->host = optarg;
		return order_host(command, optarg);
	case 'u':
		order->user = optarg;
		return order_user(command, optarg);
	case FILE_NAME:
		order->file = optarg;
		break;
	default:
		return parse_pace(command, option, &order->options);
	}
	return EXIT_DONE;
}

static int parse_option(const struct command *command, int option, char **argv,
			struct order *order)
{
	struct move_options *options = &order->options;

	switch (option) {
	case '?':
		return unknown_option(command, argv);
	case 'o':
		return parse_operation(command, optarg, order);
	case 'n':
		return parse_profile(command, options);
	case 'f':
		order->data_file = optarg;
		break;
	case 'i':
		order->data_text = optarg;
		break;
	case 'w':
		return order_minutes(command, optarg, &options->wait_ms);
	case 'd':
		if (parse_small(command, "-d", 0, MAX_DETAIL, &options->detail))
			return EXIT_USAGE;
		options->verbose |= options->detail > 1;
		break;
	case 'v':
		options->verbose = true;
		break;
	case NODETAILS:
		options->nodetails = true;
		break;
	case FORCE:
		options->force = true;
		break;
	case JSON:
		order->json = true;
		break;
	case QUIET:
		order->quiet = true;
		break;
	default:
		return parse_place(command, option, order);
	}
	return EXIT_DONE;
}

/* ---- All of them together ---- */

/* "-o v and -o m", for "vm" */
static const char *format_operations(const char *operations, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (const char *c = operations; *c; c++)
		used += (size_t)snprintf(text + used, size - used, "%s-o %.*s%s",
					 c == operations ? "" : c[1] ? ", " : " and ",
					 *c == 'e' ? 0 : 1, c, *c == 'e' ? "set" : "");
	return text;
}

static int check_rules(const struct command *command, const struct order *order)
{
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (order->given & (1ULL << i) &&
		    !strchr(rules[i].operations, order->operation))
			return usage_error(command, "%s is only for %s.", rules[i].name,
					   format_operations(rules[i].operations, text,
							     sizeof(text)));
	return EXIT_DONE;
}

static int check_partitions(const struct command *command, const struct order *order)
{
	int ways = is_given(order, 'p') + is_given(order, ID) + order->all;

	if (order->operation == 'e' && order->level == LEVEL_SYS)
		return !ways ? EXIT_DONE :
		       usage_error(command, "-p, --id and --all are not for -r sys.");
	if (ways != 1)
		return usage_error(command, "One of -p, --id and --all must be given, and only one.");
	return EXIT_DONE;
}

static int check_together(const struct command *command, const struct order *order)
{
	const struct move_options *options = &order->options;

	if (options->async && options->wait_ms)
		return usage_error(command,
				   "-w and --async are given: with --async nobody watches how long it takes.");
	if (order->user && !order->host)
		return usage_error(command, "-u is given without --ip: whose user is it?");
	if (order->data_text && order->data_file)
		return usage_error(command, "-i and -f are given; only one of them may be.");
	if (order->operation == 'e' && order->level == LEVEL_NONE)
		return usage_error(command, "-r is missing: -o set is for -r sys or -r lpar.");
	if (order->operation == 'e' && !order->data_text && !order->data_file)
		return usage_error(command, "-i is missing: what is to be set.");
	return EXIT_DONE;
}

static int check_order(const struct command *command, const struct order *order)
{
	bool begins = order->operation && strchr("vm", order->operation);
	int status;

	if (!order->operation)
		return usage_error(command, "-o is missing: v, m, s, r or set.");
	if (!order->source_name)
		return usage_error(command, "-m is missing: the name of the source system.");
	status = check_rules(command, order);
	if (status)
		return status;
	if (begins && !order->target_name)
		return usage_error(command, "-t is missing: the name of the target system.");
	status = check_together(command, order);
	return status ? status : check_partitions(command, order);
}

static const struct option long_options[] = {
	{ "id", required_argument, NULL, ID },
	{ "all", no_argument, NULL, ALL },
	{ "ip", required_argument, NULL, IP },
	{ "nodetails", no_argument, NULL, NODETAILS },
	{ "force", no_argument, NULL, FORCE },
	{ "redundantvios", required_argument, NULL, REDUNDANT_VIOS },
	{ "redundantmsps", required_argument, NULL, REDUNDANT_MSPS },
	{ "mpio", required_argument, NULL, MPIO },
	{ "vlanbridge", required_argument, NULL, VLANBRIDGE },
	{ "npivval", required_argument, NULL, NPIVVAL },
	{ "vsi", required_argument, NULL, VSI },
	{ "uuid", required_argument, NULL, UUID },
	{ "protectstorage", required_argument, NULL, PROTECT_STORAGE },
	{ "affinity", no_argument, NULL, AFFINITY },
	{ "usecurrdata", no_argument, NULL, USE_CURR_DATA },
	{ "async", no_argument, NULL, ASYNC },
	{ "limit", required_argument, NULL, LIMIT },
	{ "downtime", required_argument, NULL, DOWNTIME },
	{ "suspend", required_argument, NULL, SUSPEND },
	{ "suspend-timeout", required_argument, NULL, SUSPEND_TIMEOUT },
	{ "all-pages", no_argument, NULL, ALL_PAGES },
	{ "json", no_argument, NULL, JSON },
	{ "quiet", no_argument, NULL, QUIET },
	{ "console", required_argument, NULL, FILE_NAME },
	{ }
};

/**
 * order_parse() - take the command line apart, and check it
 * @command:	migrlpar
 * @argc: @argv: of the command
 * @order:	filled in; to be released also after an error
 *
 * Return: EXIT_DONE, EXIT_FAILED or EXIT_USAGE; the user has been told.
 */
int order_parse(const struct command *command, int argc, char **argv, struct order *order)
{
	int option, status;

	*order = (struct order) { .options = {
		.limit = -1, .downtime_ms = -1, .redundant_vios = 2, .mpio = 1, .vlanbridge = 1,
	} };
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+o:r:m:t:p:u:n:f:i:w:d:v", long_options,
				     NULL)) != -1) {
		status = parse_option(command, option, argv, order);
		if (status)
			return status;
		mark_given(order, option);
	}
	if (optind < argc)
		return unexpected_argument(command, argv[optind]);
	order->options.predict = order->operation == 'v' || order->options.verbose;
	status = check_order(command, order);
	return status ? status : order_data(command, order);
}

void order_release(struct order *order)
{
	json_decref(order->options.data);
	free(order->keys);
	free(order->names);
	*order = (struct order) { };
}
