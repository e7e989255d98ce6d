// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * migrlpar: validate, migrate, stop and recover.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/mapping.h"
#include "hmc/migrlpar.h"
#include "hmc/partitions.h"
#include "hmc/remote.h"
#include "hmc/several.h"

static void tell_watcher(const struct move_options *options, enum watch_event event,
			 const struct plan *plan)
{
	if (options->watcher)
		options->watcher->see(options->watcher->data, event, plan, NULL);
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
	if (!status)
		tell_watcher(&order->options, WATCH_MOVING, plan);
	if (status || !plan->active || order->options.async)
		return status;
	return move_watch(console, plan, &order->options);
}

/* Within the time of -w */
static int validate_in_time(struct console *console, struct plan *plan,
			    const struct partition_key *key, const struct move_options *options)
{
	int status;

	console_set_deadline(console, options->deadline_ns);
	status = validate(plan, key, options);
	console_set_deadline(console, 0);
	if (!options->deadline_ns || now_ns() <= options->deadline_ns)
		return status;
	message("LPM0204",
		"Validation took longer than the %.3g min of -w; nothing was changed. Allow more time.",
		(double)options->wait_ms / 60000);
	return EXIT_FAILED;
}

/* Validate a partition, and with -o m migrate it */
static int migrate_one(struct console *console, struct managed_system *source,
		       struct managed_system *target, const struct partition_key *key,
		       const struct order *order)
{
	struct plan plan = { .source = source, .target = target };
	int status;

	status = validate_in_time(console, &plan, key, &order->options);
	if (!status)
		tell_watcher(&order->options, WATCH_VALID, &plan);
	if (!status && order->operation == 'v' && !order->json)
		mapping_print(&plan);
	if (plan.prediction)
		tell_watcher(&order->options, WATCH_PREDICTED, &plan);
	if (!status && order->operation == 'm')
		status = migrate(console, &plan, order);
	plan_release(&plan);
	return status;
}

/**
 * migrlpar_do() - what one partition is done with
 * @console:	the console
 * @source:	where it is
 * @target:	where it is to be, or NULL
 * @key:	which partition
 * @order:	what, and how
 *
 * Return: EXIT_DONE or EXIT_FAILED; the user has been told.
 */
int migrlpar_do(struct console *console, struct managed_system *source,
		struct managed_system *target, const struct partition_key *key,
		const struct order *order)
{
	switch (order->operation) {
	case 's':
		return stop_move(console, source, key);
	case 'r':
		return recover_move(console, source, target, key, &order->options);
	case 'e':
		return set_partition(source, key, order);
	default:
		return migrate_one(console, source, target, key, order);
	}
}

/* One after the other; one that fails does not keep the others from it */
static int do_each(struct console *console, struct managed_system *source,
		   struct managed_system *target, const struct order *order)
{
	json_t *partitions, *partition;
	int status = EXIT_DONE;
	size_t i;

	if (select_partitions(source, order, &partitions))
		return EXIT_FAILED;
	json_array_foreach(partitions, i, partition) {
		const char *name = text_of(partition, "name");
		struct partition_key key = {
			.name = *name ? name : NULL,
			.id = (uint32_t)number_of(partition, "lpar_id"),
		};

		if (migrlpar_do(console, source, target, &key, order))
			status = EXIT_FAILED;
	}
	if (!json_array_size(partitions))
		printf("No partition of system %s is meant by --all.\n", source->name);
	json_decref(partitions);
	return status;
}

/* How far it is, when there is only one */
static void see_one(void *data, enum watch_event event, const struct plan *plan,
		    const json_t *status)
{
	struct progress *progress = data;

	if (event != WATCH_STATUS)
		return;
	progress_set(progress, 0, text_of(plan->partition, "name"), PROGRESS_ACTIVE, status);
	progress_draw(progress);
}

/* One that is named alone is migrated by this process, and waits for nobody */
static int do_alone(struct console *console, struct managed_system *source,
		    struct managed_system *target, const struct order *order)
{
	struct watcher watcher = { .see = see_one };
	struct order watched = *order;
	struct progress *progress = NULL;
	int status;

	if (!order->quiet && strchr("mr", order->operation) &&
	    !progress_open(1, order->options.verbose, &progress)) {
		watcher.data = progress;
		watched.options.watcher = &watcher;
	}
	status = migrlpar_do(console, source, target, &order->keys[0], &watched);
	progress_close(progress);
	return status;
}

static struct managed_system *find_system(struct console *console, const char *option,
					  const char *name)
{
	struct managed_system *system = console_find(console, name);

	if (!system)
		console_no_system(console, option, name);
	return system;
}

/* One of the other console, where there is one */
static struct managed_system *find_target(struct console *console, const struct order *order)
{
	struct managed_system *target;

	if (!order->host)
		return find_system(console, "-t", order->target_name);
	target = console_find_remote(console, order->target_name);
	if (!target)
		message("LPM0004",
			"-t names the system \"%.64s\", which the console %s does not have for this user. List those it has with lssyscfg -r sys -F name there.",
			order->target_name, order->host);
	return target;
}

static int execute(struct console *console, const struct order *order)
{
	struct managed_system *source, *target = NULL;

	if (order->host && console_add_remote(console, order->host, order->user))
		return EXIT_FAILED;
	if (order->operation != 'v' && console_check_remotes(console))
		return EXIT_FAILED;
	source = find_system(console, "-m", order->source_name);
	if (order->target_name)
		target = find_target(console, order);
	if (!source || (order->target_name && !target))
		return EXIT_FAILED;
	if (source == target && order->operation != 'r') {
		message("LPM0115",
			"Source and target are both system %s; they must be two. Name another one with -t.",
			source->name);
		return EXIT_FAILED;
	}
	if (order->operation == 'e' && set_check(order))
		return EXIT_FAILED;
	if (order->operation == 'm')
		settle(console, source);
	if (order->nkeys == 1 && !order->list && !order->json)
		return do_alone(console, source, target, order);
	if (strchr("vm", order->operation))
		return migrate_several(console, source, target, order);
	return do_each(console, source, target, order);
}

static int run_migrlpar(const struct command *command, int argc, char **argv)
{
	struct console console = { .fd = -1 };
	struct order order;
	int status;

	status = order_parse(command, argc, argv, &order);
	if (status)
		goto release;
	if (order.options.wait_ms)
		order.options.deadline_ns = now_ns() + order.options.wait_ms * NSEC_PER_MSEC;
	status = console_open(order.file, &console) ? EXIT_USAGE : execute(&console, &order);
	console_close(&console);
release:
	order_release(&order);
	return status;
}

const struct command command_migrlpar = {
	.name = "migrlpar",
	.usage =
"Usage: migrlpar -o {v|m} -m SYSTEM -t SYSTEM {-p NAME,...|--id ID,...|--all} [OPTION]...\n"
"       migrlpar -o {s|r} -m SYSTEM [-t SYSTEM] {-p NAME,...|--id ID,...|--all} [OPTION]...\n"
"       migrlpar -o set -m SYSTEM -r {sys|lpar} [-p NAME,...|--id ID,...|--all] -i ATTRIBUTES\n"
"Migrate partitions from one managed system to another.\n"
"  -o v              validate: could they migrate now?  Nothing is changed\n"
"  -o m              validate, then migrate\n"
"  -o s              stop a migration, before the partition is suspended\n"
"  -o r              recover from a migration that was interrupted\n"
"  -o set            change attributes of movers, or of a migration\n"
"  -r sys, -r lpar   with -o set: whose\n"
"  -m SYSTEM         source system: its name, or tttt-mmm*sssssss\n"
"  -t SYSTEM         target system\n"
"  -p NAME,...       partitions\n"
"  --id ID,...       partitions, by their ids\n"
"  --all             all partitions that may migrate, or do\n"
"  --ip HOST         another console, which manages the target\n"
"  -u USER           the user there\n"
"  -n PROFILE        profile on the target\n"
"  -i ATTRIBUTES     name=value,...: mappings, movers, ids\n"
"  -f FILE           a file that holds them\n"
"  -w MINUTES        how long -o v or -o m may take\n"
"  -d LEVEL          detail, 0 to 5; from 2 on as -v\n"
"  -v                tell also what is as it should be\n"
"  --nodetails       tell less of what is not\n"
"  --force           go on where only a warning is overridden\n"
"  --redundantvios N    as many VIOSes on the target: 0 must not, 1 must, 2 if possible\n"
"  --redundantmsps N    two pairs of movers: 0 must not, 1 must, 2 if possible\n"
"  --mpio N             1: keep multipath I/O as it is, 2: it may be lost\n"
"  --vlanbridge N       1: every VLAN must be bridged, 2: it need not\n"
"  --npivval WHAT       port: its port is zoned, portdisk: and sees the same disks\n"
"  --vsi N              1 or 2: of virtual station interfaces, of which there are none\n"
"  --uuid N             1 or 2: the UUID stays as it is\n"
"  --protectstorage N   2: storage is not protected from the source\n"
"  --affinity           refused: there are no affinity scores\n"
"  --usecurrdata        go by what the systems say now, which is always done\n"
"  --async           with -o m: return as soon as they move\n"
"  --limit BYTES     bandwidth of each in bytes a second (K, M, G: powers of 1000)\n"
"  --downtime MS     suspend it once the rest takes this long (300)\n"
"  --suspend WHO     who suspends it: partition (where it has an agent) or platform\n"
"  --suspend-timeout SECONDS  with -o m: how long the partition may take for it (30)\n"
"  --all-pages       it goes on only when the target has all of its memory\n"
"  --json            tell what happens in lines of JSON\n"
"  --quiet           with -o m: no bars, and no summary\n"
"  --console FILE    console file (default: $LPM_CONSOLE, or " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_migrlpar,
};
