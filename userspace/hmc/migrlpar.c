// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * migrlpar: validate, migrate, stop and recover.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/util.h"
#include "hmc/console.h"

#define MAX_WAIT_MINUTES	(7 * 24 * 60)
#define MAX_DETAIL		5
#define MAX_DOWNTIME_MS		3600000
#define MAX_SUSPEND_S		3600

/**
 * struct order - the command line of migrlpar
 * @operation:	v, m, s or r
 * @source_name: -m
 * @target_name: -t
 * @file:	--console
 * @key:	which partition
 * @options:	how
 */
struct order {
	char operation;
	const char *source_name;
	const char *target_name;
	const char *file;
	struct partition_key key;
	struct move_options options;
};

static int parse_number(const struct command *command, const char *option,
			const char *text, unsigned long least, unsigned long most,
			unsigned long *value)
{
	char *end;

	*value = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && *value >= least && *value <= most)
		return EXIT_DONE;
	return usage_error(command, "%s is \"%.64s\"; it must be a number from %lu to %lu.",
			   option, text, least, most);
}

static int parse_limit(const struct command *command, const char *text, int64_t *limit)
{
	if (!parse_bytes(text, limit))
		return EXIT_DONE;
	return usage_error(command,
			   "--limit is \"%.64s\"; it must be a number of bytes a second, with K, M or G for powers of 1000; 0 = no limit.",
			   text);
}

/* Minutes; a fraction will do */
static int parse_minutes(const struct command *command, const char *text, uint64_t *ms)
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

static int parse_name(const struct command *command, const char *text, const char **name)
{
	if (name_is_valid(text)) {
		*name = text;
		return EXIT_DONE;
	}
	return usage_error(command,
			   "-p is \"%.64s\"; it must be the name of one partition: 1 to 31 printable ASCII characters without \"/\", \",\" and quotes.",
			   text);
}

static int parse_suspend(const struct command *command, const char *text, const char **who)
{
	*who = text;
	if (!strcmp(text, "partition") || !strcmp(text, "platform"))
		return EXIT_DONE;
	return usage_error(command,
			   "--suspend is \"%.64s\"; it must be partition (it suspends itself) or platform (it is stopped from outside).",
			   text);
}

static int parse_operation(const struct command *command, const char *text,
			   struct order *order)
{
	if (strlen(text) != 1 || !strchr("vmsr", *text))
		return usage_error(command,
				   "-o is \"%.64s\"; it must be v (validate), m (migrate), s (stop) or r (recover).",
				   text);
	order->operation = *text;
	return EXIT_DONE;
}

enum { ASYNC = 256, ID, LIMIT, DOWNTIME, SUSPEND, SUSPEND_TIMEOUT, ALL_PAGES, FILE_NAME };

static int parse_option(const struct command *command, int option, char **argv,
			struct order *order)
{
	unsigned long number;
	int status = EXIT_DONE;

	switch (option) {
	case 'o':
		return parse_operation(command, optarg, order);
	case 'm':
		order->source_name = optarg;
		break;
	case 't':
		order->target_name = optarg;
		break;
	case 'p':
		return parse_name(command, optarg, &order->key.name);
	case ID:
		status = parse_number(command, "--id", optarg, 1, 65535, &number);
		order->key.id = (uint32_t)number;
		break;
	case 'w':
		return parse_minutes(command, optarg, &order->options.wait_ms);
	case 'd':
		status = parse_number(command, "-d", optarg, 0, MAX_DETAIL, &number);
		order->options.verbose |= number > 1;
		break;
	case 'v':
		order->options.verbose = true;
		break;
	case ASYNC:
		order->options.async = true;
		break;
	case LIMIT:
		return parse_limit(command, optarg, &order->options.limit);
	case DOWNTIME:
		status = parse_number(command, "--downtime", optarg, 0, MAX_DOWNTIME_MS, &number);
		order->options.downtime_ms = (int64_t)number;
		break;
	case SUSPEND:
		return parse_suspend(command, optarg, &order->options.suspend);
	case SUSPEND_TIMEOUT:
		status = parse_number(command, "--suspend-timeout", optarg, 1, MAX_SUSPEND_S,
				      &number);
		order->options.suspend_ms = (int64_t)number * 1000;
		break;
	case ALL_PAGES:
		order->options.all_pages = true;
		break;
	case FILE_NAME:
		order->file = optarg;
		break;
	default:
		status = usage_error(command,
				     "The option \"%.64s\" is unknown, or its value is missing.",
				     argv[optind - 1]);
	}
	return status;
}

static int check_pace(const struct command *command, const struct order *order)
{
	const struct move_options *options = &order->options;

	if (options->async && order->operation != 'm')
		return usage_error(command, "--async is only for -o m.");
	if ((options->limit >= 0 || options->downtime_ms >= 0) && order->operation != 'm')
		return usage_error(command, "--limit and --downtime are only for -o m.");
	if ((options->suspend_ms || options->all_pages) && order->operation != 'm')
		return usage_error(command, "--suspend-timeout and --all-pages are only for -o m.");
	if (options->suspend && order->operation != 'v' && order->operation != 'm')
		return usage_error(command, "--suspend is only for -o v and -o m.");
	if (options->wait_ms && order->operation != 'v' && order->operation != 'm')
		return usage_error(command, "-w is only for -o v and -o m.");
	if (options->async && options->wait_ms)
		return usage_error(command,
				   "-w and --async are given: with --async nobody watches how long it takes.");
	return EXIT_DONE;
}

static int check_order(const struct command *command, const struct order *order)
{
	bool begins = order->operation == 'v' || order->operation == 'm';

	if (!order->operation)
		return usage_error(command, "-o is missing: v, m, s or r.");
	if (!order->source_name)
		return usage_error(command, "-m is missing: the name of the source system.");
	if (begins && !order->target_name)
		return usage_error(command, "-t is missing: the name of the target system.");
	if (order->operation == 's' && order->target_name)
		return usage_error(command, "-t is not for -o s.");
	if (!order->key.name == !order->key.id)
		return usage_error(command, "Either -p or --id must be given.");
	return check_pace(command, order);
}

static int parse(const struct command *command, int argc, char **argv, struct order *order)
{
	static const struct option options[] = {
		{ "async", no_argument, NULL, ASYNC },
		{ "id", required_argument, NULL, ID },
		{ "limit", required_argument, NULL, LIMIT },
		{ "downtime", required_argument, NULL, DOWNTIME },
		{ "suspend", required_argument, NULL, SUSPEND },
		{ "suspend-timeout", required_argument, NULL, SUSPEND_TIMEOUT },
		{ "all-pages", no_argument, NULL, ALL_PAGES },
		{ "console", required_argument, NULL, FILE_NAME },
		{ }
	};
	int option, status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+o:m:t:p:w:d:v", options, NULL)) != -1) {
		status = parse_option(command, option, argv, order);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage_error(command, "The argument \"%.64s\" is not expected.",
				   argv[optind]);
	return check_order(command, order);
}

static int migrate(struct console *console, struct plan *plan, const struct order *order)
{
	int status;

	console_lock(console, true);
	status = clean_failed(console, plan->source, text_of(plan->partition, "name")) ?
		 EXIT_FAILED : EXIT_DONE;
	console_unlock(console);
	/* Of two commands for one partition the target lets one make the shell */
	if (!status)
		status = move_start(plan, &order->options);
	if (status || !plan->active || order->options.async)
		return status;
	return move_watch(console, plan, &order->options);
}

/* Within the time of -w */
static int validate_in_time(struct console *console, struct plan *plan,
			    const struct order *order)
{
	const struct move_options *options = &order->options;
	int status;

	console_set_deadline(console, options->deadline_ns);
	status = validate(plan, &order->key, options);
	console_set_deadline(console, 0);
	if (!options->deadline_ns || now_ns() <= options->deadline_ns)
		return status;
	message("LPM0204",
		"Validation took longer than the %.3g min of -w; nothing was changed. Allow more time.",
		(double)options->wait_ms / 60000);
	return EXIT_FAILED;
}

static int begin(struct console *console, struct managed_system *source,
		 struct managed_system *target, const struct order *order)
{
	struct plan plan = { .source = source, .target = target };
	int status;

	if (source == target) {
		message("LPM0115",
			"Source and target are both system %s; they must be two. Name another one with -t.",
			source->name);
		return EXIT_FAILED;
	}
	if (order->operation == 'm')
		settle(console, source);
	status = validate_in_time(console, &plan, order);
	if (!status && order->operation == 'm')
		status = migrate(console, &plan, order);
	plan_release(&plan);
	return status;
}

static struct managed_system *find_system(struct console *console, const char *option,
					  const char *name)
{
	struct managed_system *system = console_find(console, name);

	if (!system)
		message("LPM0004",
			"%s names the system \"%.64s\", which the console file does not have. List those it has with lssyscfg -r sys -F name.",
			option, name);
	return system;
}

static int execute(struct console *console, const struct order *order)
{
	struct managed_system *source = find_system(console, "-m", order->source_name);
	struct managed_system *target = NULL;

	if (order->target_name)
		target = find_system(console, "-t", order->target_name);
	if (!source || (order->target_name && !target))
		return EXIT_FAILED;
	switch (order->operation) {
	case 's':
		return stop_move(console, source, &order->key);
	case 'r':
		return recover_move(console, source, target, &order->key, &order->options);
	default:
		return begin(console, source, target, order);
	}
}

static int run_migrlpar(const struct command *command, int argc, char **argv)
{
	struct order order = { .options = { .limit = -1, .downtime_ms = -1 } };
	struct console console;
	int status;

	status = parse(command, argc, argv, &order);
	if (status)
		return status;
	if (order.options.wait_ms)
		order.options.deadline_ns = now_ns() + order.options.wait_ms * NSEC_PER_MSEC;
	status = console_open(order.file, &console) ? EXIT_USAGE : execute(&console, &order);
	console_close(&console);
	return status;
}

const struct command command_migrlpar = {
	.name = "migrlpar",
	.usage =
"Usage: migrlpar -o {v|m} -m SYSTEM -t SYSTEM {-p NAME|--id ID} [OPTION]...\n"
"       migrlpar -o {s|r} -m SYSTEM [-t SYSTEM] {-p NAME|--id ID} [OPTION]...\n"
"Migrate a partition from one managed system to another.\n"
"  -o v              validate: could it migrate now?  Nothing is changed\n"
"  -o m              validate, then migrate\n"
"  -o s              stop a migration, before the partition is suspended\n"
"  -o r              recover from a migration that was interrupted\n"
"  -m SYSTEM         source system\n"
"  -t SYSTEM         target system\n"
"  -p NAME           partition\n"
"  --id ID           partition, by its id\n"
"  -w MINUTES        how long -o v or -o m may take\n"
"  -d LEVEL          detail, 0 to 5; from 2 on as -v\n"
"  -v                tell also what is as it should be\n"
"  --async           with -o m: return as soon as it moves\n"
"  --limit BYTES     with -o m: bandwidth in bytes a second (K, M, G: powers of 1000)\n"
"  --downtime MS     with -o m: suspend it once the rest takes this long (300)\n"
"  --suspend WHO     who suspends it: partition (where it has an agent) or platform\n"
"  --suspend-timeout SECONDS  with -o m: how long the partition may take for it (30)\n"
"  --all-pages       with -o m: it goes on only when the target has all of its memory\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_migrlpar,
};
