// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the agent does in each phase of a migration.
 *
 * check: hooks, one after the other, then "drmgr -p check".
 * pre:   the id is given to the kernel (drmgr does that, too).  The write returns when the
 *	  migration is over, so that a process has to wait there.
 * post:  waits for that process.  drmgr has no such phase: its hooks for it run when the
 *	  write has returned.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"
#include "common/log.h"
#include "common/util.h"

/* A kernel that does not know how, or is not asked by a platform, says so at once */
#define SETTLE_NS	(300 * NSEC_PER_MSEC)

/* ---- Processes ---- */

struct command {
	const char *path;
	char *const *argv;
};

static int run_command(void *data)
{
	const struct command *command = data;

	execv(command->path, command->argv);
	printf("%s\n", strerror(errno));
	fflush(stdout);
	return EXIT_FAILURE;
}

/* drmgr takes the id with or without 0x */
static int start_drmgr(struct job *job, const char *path, const char *phase, const char *id,
		       uint64_t limit_ns)
{
	char *const argv[] = { (char *)path, "-m", "-c", "pmig", "-p", (char *)phase, "-s",
			 (char *)id, NULL };
	struct command command = { path, argv };

	return job_start(job, run_command, &command, limit_ns);
}

static int start_hook(struct job *job, const char *path, const char *id, uint64_t limit_ns)
{
	char *const argv[] = { (char *)path, "check", (char *)id, NULL };
	struct command command = { path, argv };

	return job_start(job, run_command, &command, limit_ns);
}

struct telling {
	const char *file;
	const char *id;
};

/* Returns when the partition has moved, or will not */
static int tell_kernel(void *data)
{
	const struct telling *telling = data;
	int fd = open(telling->file, O_WRONLY | O_CLOEXEC);
	int length;
	char text[32];

	/* The kernel takes decimal, too */
	length = snprintf(text, sizeof(text), "0x%s\n", telling->id);
	if (fd >= 0 && write(fd, text, (size_t)length) == length)
		return EXIT_SUCCESS;
	printf("%s: %s\n", telling->file, strerror(errno));
	fflush(stdout);
	return EXIT_FAILURE;
}

static bool has_drmgr(const struct settings *settings)
{
	return settings->drmgr &&
	       (settings->drmgr_asked || !access(settings->drmgr, X_OK));
}

static bool failed(int status)
{
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

/* ---- check ---- */

static void check_end(struct agent *agent)
{
	struct check *check = &agent->check;

	for (size_t i = 0; i < check->count; i++)
		free(check->names[i]);
	check->count = 0;
	check->id[0] = '\0';
}

static void check_refuse(struct agent *agent, const char *name, const char *why)
{
	terminal_answer(&agent->terminal, "check %s refused %.60s%s%s", agent->check.id, name,
			*name ? ": " : "", why);
	log_info("check %s: refused: %s%s%s", agent->check.id, name, *name ? ": " : "", why);
	check_end(agent);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What editors leave behind is none */
static bool is_hook(int directory, const char *name)
{
	size_t length = strlen(name);
	struct stat st;

	return name[0] != '.' && name[length - 1] != '~' &&
	       !fstatat(directory, name, &st, 0) && S_ISREG(st.st_mode) &&
	       !faccessat(directory, name, X_OK, 0);
}

static int compare(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

static int read_hooks(struct check *check, const char *path, DIR *directory)
{
	struct dirent *entry;

	while ((entry = readdir(directory))) {
		if (!is_hook(dirfd(directory), entry->d_name))
			continue;
		if (check->count == HOOKS_MAX)
			return -E2BIG;
		if (asprintf(&check->names[check->count], "%s/%s", path, entry->d_name) < 0)
			return -ENOMEM;
		check->count++;
	}
	qsort(check->names, check->count, sizeof(check->names[0]), compare);
	return 0;
}

static int find_hooks(struct check *check, const char *path)
{
	DIR *directory = opendir(path);
	int ret;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	ret = read_hooks(check, path, directory);
	closedir(directory);
	return ret;
}

static int start_next(struct agent *agent)
{
	uint64_t limit_ns = now_ns() + agent->settings.limit_ns;
	struct check *check = &agent->check;
	const char *path = check->names[check->next];

	if (check->drmgr && check->next == check->count - 1)
		return start_drmgr(&check->job, path, "check", check->id, limit_ns);
	return start_hook(&check->job, path, check->id, limit_ns);
}

static void check_advance(struct agent *agent)
{
	struct check *check = &agent->check;
	int ret;

	if (check->next == check->count) {
		terminal_answer(&agent->terminal, "check %s ok", check->id);
		check_end(agent);
		return;
	}
	ret = start_next(agent);
	if (ret)
		check_refuse(agent, name_of(check->names[check->next]), strerror(-ret));
}

static void do_check(struct agent *agent, const char *id)
{
	struct check *check = &agent->check;
	int ret;

	if (check->id[0]) {
		terminal_answer(&agent->terminal, "check %s refused a check is under way", id);
		return;
	}
	memcpy(check->id, id, sizeof(check->id));
	check->next = 0;
	ret = find_hooks(check, agent->settings.hooks);
	check->drmgr = has_drmgr(&agent->settings);
	if (!ret && check->drmgr) {
		check->names[check->count] = strdup(agent->settings.drmgr);
		ret = check->names[check->count] ? 0 : -ENOMEM;
		check->count += !ret;
	}
	if (ret)
		check_refuse(agent, agent->settings.hooks, strerror(-ret));
	else
		check_advance(agent);
}

static void check_progress(struct agent *agent, uint64_t now)
{
	struct check *check = &agent->check;
	char why[TEXT_BYTES];
	int status;

	if (!job_running(&check->job))
		return;
	job_read(&check->job);
	job_expire(&check->job, now);
	if (!job_ended(&check->job, &status))
		return;
	if (failed(status)) {
		job_reason(&check->job, status, why, sizeof(why));
		check_refuse(agent, name_of(check->names[check->next]), why);
		return;
	}
	check->next++;
	check_advance(agent);
}

/* ---- pre ---- */

static void pre_failed(struct agent *agent, const char *id, const char *why)
{
	terminal_answer(&agent->terminal, "pre %s failed %s", id, why);
	log_info("pre %s: failed: %s", id, why);
}

static int start_move(struct agent *agent)
{
	struct telling telling = { agent->settings.mobility, agent->move.id };

	agent->move.drmgr = has_drmgr(&agent->settings);
	if (agent->move.drmgr)
		return start_drmgr(&agent->move.job, agent->settings.drmgr, "pre",
				   agent->move.id, 0);
	return job_start(&agent->move.job, tell_kernel, &telling, 0);
}

static void do_pre(struct agent *agent, const char *id)
{
	struct move *move = &agent->move;
	char why[64];
	int ret;

	if (move->state == MOVE_STARTING || move->state == MOVE_RUNNING) {
		snprintf(why, sizeof(why), "migration %s is under way", move->id);
		pre_failed(agent, id, why);
		return;
	}
	memcpy(move->id, id, sizeof(move->id));
	move->good = false;
	ret = start_move(agent);
	move->state = ret ? MOVE_NONE : MOVE_STARTING;
	move->settled_ns = now_ns() + SETTLE_NS;
	if (ret)
		pre_failed(agent, id, strerror(-ret));
}

/* ---- post ---- */

static void post_answer(struct agent *agent)
{
	struct move *move = &agent->move;

	if (move->good)
		terminal_answer(&agent->terminal, "post %s ok", move->id);
	else
		terminal_answer(&agent->terminal, "post %s failed %s", move->id, move->reason);
}

/* Asked again, the answer is the same: the first may have been lost on the way */
static void do_post(struct agent *agent, const char *id)
{
	struct move *move = &agent->move;

	if (move->state == MOVE_NONE || strcasecmp(move->id, id))
		terminal_answer(&agent->terminal, "post %s failed there was no pre", id);
	else if (move->state == MOVE_ENDED)
		post_answer(agent);
	else if (move->posts == POSTS_MAX)
		terminal_answer(&agent->terminal, "post %s failed it was asked too often", id);
	else
		move->posts++;
}

static void move_ended(struct agent *agent, int status)
{
	struct move *move = &agent->move;
	bool at_once = move->state == MOVE_STARTING;
	char why[TEXT_BYTES];

	move->state = MOVE_ENDED;
	move->good = !failed(status);
	job_reason(&move->job, status, why, sizeof(why));
	snprintf(move->reason, sizeof(move->reason), "%s%s", move->drmgr ? "drmgr: " : "", why);
	log_info("migration %s: %s", move->id, move->good ? "completed" : move->reason);
	if (at_once && move->good)
		terminal_answer(&agent->terminal, "pre %s ok", move->id);
	if (at_once && !move->good) {
		pre_failed(agent, move->id, move->reason);
		/* It is as if it had not been asked for */
		move->state = MOVE_NONE;
	}
	for (; move->posts; move->posts--)
		post_answer(agent);
}

static void move_progress(struct agent *agent, uint64_t now)
{
	struct move *move = &agent->move;
	int status;

	if (!job_running(&move->job))
		return;
	job_read(&move->job);
	if (job_ended(&move->job, &status)) {
		move_ended(agent, status);
	} else if (move->state == MOVE_STARTING && now >= move->settled_ns) {
		move->state = MOVE_RUNNING;
		terminal_answer(&agent->terminal, "pre %s ok", move->id);
		log_info("migration %s: told to the kernel", move->id);
	}
}

/* ---- All ---- */

static bool is_id(const char *text)
{
	size_t length = strlen(text);

	return length == ID_DIGITS && strspn(text, "0123456789abcdefABCDEF") == length;
}

/**
 * agent_line() - do what a line says
 * @data:	the agent
 * @line:	printable
 */
void agent_line(void *data, const char *line)
{
	static const struct {
		const char *name;
		void (*function)(struct agent *agent, const char *id);
	} phases[] = {
		{ "check", do_check }, { "pre", do_pre }, { "post", do_post },
	};
	struct agent *agent = data;
	size_t length = strcspn(line, " ");

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		if (length != strlen(phases[i].name) || memcmp(line, phases[i].name, length))
			continue;
		if (line[length] && is_id(line + length + 1))
			phases[i].function(agent, line + length + 1);
		else
			terminal_answer(&agent->terminal,
					"error %s takes an id of %d hexadecimal digits",
					phases[i].name, ID_DIGITS);
		return;
	}
	terminal_answer(&agent->terminal, "error not check, pre or post: %.64s", line);
}

/**
 * agent_progress() - go on with what is under way
 * @agent:	the agent
 */
void agent_progress(struct agent *agent)
{
	uint64_t now = now_ns();

	check_progress(agent, now);
	move_progress(agent, now);
}

/**
 * agent_next_ns() - when is there something to do, whatever happens?
 * @agent:	the agent
 *
 * Return: the time, or 0: not by itself.
 */
uint64_t agent_next_ns(const struct agent *agent)
{
	uint64_t check = job_running(&agent->check.job) ? agent->check.job.limit_ns : 0;
	uint64_t move = agent->move.state == MOVE_STARTING ? agent->move.settled_ns : 0;

	return check && move ? min(check, move) : check ? check : move;
}
