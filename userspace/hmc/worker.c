// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process that validates and migrates one of several partitions, by the same code as
 * one alone.  What it prints and how far it is goes through pipes to the one that has
 * them all.  It ends when that one does: what has begun then goes on without a console,
 * as after the death of any.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/mapping.h"
#include "hmc/progress.h"
#include "hmc/worker.h"

static void write_event(int fd, json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (text)
		dprintf(fd, "%s\n", text);
	free(text);
	json_decref(event);
}

/* Only what is shown: an event has a bounded length */
static json_t *status_event(const json_t *status)
{
	static const char *const numbers[] = {
		"bytes_transmitted", "bytes_remaining", "bytes_total", "rate", "dirty_rate",
		"pass",
	};
	json_t *event = json_pack("{s:s}", "event", "status");
	char phase[32];

	snprintf(phase, sizeof(phase), "%s", text_of(status, "phase"));
	json_object_set_new(event, "phase", json_string(phase));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_object_set_new(event, numbers[i],
				    json_integer(number_of(status, numbers[i])));
	return event;
}

/* As -i takes them: the whole mappings may be longer than an event */
static void write_mappings(int fd, const struct plan *plan)
{
	json_t *event = json_pack("{s:s}", "event", "mappings");

	if (mapping_suggested(plan, event))
		write_event(fd, json_incref(event));
	json_decref(event);
}

static void see(void *data, enum watch_event event, const struct plan *plan,
		const json_t *status)
{
	const char *type = !plan->active ? "inactive" : plan->suspended ? "suspended" : "active";
	const int *events = data;

	if (event == WATCH_STATUS) {
		write_event(*events, status_event(status));
		return;
	}
	if (event == WATCH_PREDICTED) {
		write_event(*events, json_pack("{s:s, s:O}", "event", "prediction",
					       "prediction", plan->prediction));
		return;
	}
	write_event(*events, json_pack("{s:s, s:s, s:s}",
				       "event", event == WATCH_VALID ? "valid" : "moving",
				       "type", type, "stream_id", plan->id));
	if (event == WATCH_VALID)
		write_mappings(*events, plan);
}

/* Standard input is the user's, who talks to the one that has them all */
static int take_pipes(int said, int told)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(said, STDOUT_FILENO) < 0 ||
	    dup2(told, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

__attribute__((noreturn))
static void run(const struct work *work, pid_t parent, const int writers[3])
{
	int events = writers[2];
	const struct watcher watcher = { .see = see, .data = &events };
	struct order order = *work->order;
	int status;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent ||
	    take_pipes(writers[0], writers[1]) || console_reopen(work->console))
		_exit(EXIT_FAILED);
	order.options.watcher = &watcher;
	status = migrlpar_do(work->console, work->source, work->target, &work->key, &order);
	fflush(stdout);
	_exit(status);
}

/* Above the standard ones, which the caller may have closed */
static int raise_fd(int *fd)
{
	int raised = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	close(*fd);
	*fd = raised;
	return raised < 0 ? -errno : 0;
}

static int open_feed(struct feed *feed, int *writer)
{
	int ret = feed_open(feed, writer);

	if (ret)
		return ret;
	ret = raise_fd(writer);
	if (ret)
		feed_close(feed);
	return ret;
}

static int open_feeds(struct worker *worker, int writers[3])
{
	struct feed *feeds[] = { &worker->said, &worker->told, &worker->events };
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(feeds); i++) {
		ret = open_feed(feeds[i], &writers[i]);
		while (ret && i--) {
			feed_close(feeds[i]);
			close(writers[i]);
		}
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * worker_start() - begin with a partition
 * @worker:	filled in
 * @work:	what it does
 *
 * Return: 0 or a negative errno.
 */
int worker_start(struct worker *worker, const struct work *work)
{
	pid_t parent = getpid();
	int writers[3];
	int ret = open_feeds(worker, writers);

	if (ret)
		return ret;
	/* Nothing is to be written twice */
	fflush(stdout);
	worker->pid = fork();
	if (!worker->pid)
		run(work, parent, writers);
	ret = worker->pid < 0 ? -errno : 0;
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++)
		close(writers[i]);
	if (!ret)
		return 0;
	worker->pid = 0;
	feed_close(&worker->said);
	feed_close(&worker->told);
	feed_close(&worker->events);
	return ret;
}

/* It has closed its pipes, and all that was in them has been taken */
bool worker_ended(const struct worker *worker)
{
	return worker->said.fd < 0 && worker->told.fd < 0 && worker->events.fd < 0;
}

/**
 * worker_status() - how it ended
 * @worker:	one that has ended; is none any more
 *
 * Return: EXIT_DONE or EXIT_FAILED.
 */
int worker_status(struct worker *worker)
{
	int status = -1;

	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		;
	worker->pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE ? EXIT_DONE : EXIT_FAILED;
}
