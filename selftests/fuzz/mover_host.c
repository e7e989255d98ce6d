// SPDX-License-Identifier: GPL-2.0-or-later
/* See mover_host.h. */
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "fuzz.h"
#include "mover_host.h"

#define LAST_TURNS	64

/* ---- Time ---- */

/* Of the run under way, or 0.  now_ns() has no context. */
static uint64_t virtual_ns;

/* In place of the C library's.  All but what runs under the fuzzer has real time. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	if (!virtual_ns || id != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = (time_t)(virtual_ns / NSEC_PER_SEC);
	ts->tv_nsec = (long)(virtual_ns % NSEC_PER_SEC);
	return 0;
}

uint64_t host_tick(void)
{
	return virtual_ns += NSEC_PER_USEC;
}

/* ---- donor.h, without threads ---- */

int donor_device_open(struct donor_pool *pool, struct vasi_device *dev,
		      struct donor_device **device)
{
	struct donor_device *d = calloc(1, sizeof(*d));

	fuzz_check(d);
	d->pool = pool;
	d->handles = calloc(1, sizeof(*d->handles));
	fuzz_check(d->handles && !vasi_donor_open(dev, &d->handles[0]));
	*device = d;
	return 0;
}

void donor_device_close(struct donor_device *device)
{
	if (!device)
		return;
	vasi_donor_close(device->handles[0]);
	free(device->handles);
	free(device);
}

static struct host *host_of_entry(const struct donor_entry *entry)
{
	return container_of(entry->mailbox, struct host, worker.mailbox);
}

void donor_add(struct donor_entry *entry)
{
	fuzz_check(!entry->in_pool);
	entry->in_pool = true;
	TAILQ_INSERT_TAIL(&host_of_entry(entry)->donors, entry, link);
}

void donor_kick(struct donor_entry *entry)
{
	if (entry->in_pool)
		entry->next_ns = 0;
}

void donor_remove(struct donor_entry *entry)
{
	fuzz_check(entry->in_pool && !entry->removing);
	entry->removing = true;
	TAILQ_REMOVE(&host_of_entry(entry)->donors, entry, link);
	mailbox_post(entry->mailbox, &entry->removed);
}

static void donate(struct donor_entry *entry)
{
	struct vasi_donor *handle = entry->device->handles[0];
	int64_t rc;

	if (entry->ask_state) {
		entry->ask_state = false;
		entry->state = vasi_stream_state(handle, entry->stream_id);
		mailbox_post(entry->mailbox, &entry->state_known);
	}
	rc = vasi_donate(handle, entry->session);
	if (rc == VASI_RC_IN_PROGRESS || rc == VASI_RC_BUSY)
		return;
	if (rc >= VASI_RC_LONG_BUSY_1_MSEC && rc <= VASI_RC_LONG_BUSY_100_SEC) {
		entry->next_ns = virtual_ns + NSEC_PER_MSEC;
		return;
	}
	entry->done = true;
	entry->result = rc;
	mailbox_post(entry->mailbox, &entry->stopped);
}

static void donate_all(struct host *h)
{
	struct donor_entry *entry;

	TAILQ_FOREACH(entry, &h->donors, link)
		if (!entry->done && entry->next_ns <= virtual_ns)
			donate(entry);
}

/* ---- What the control socket does ---- */

static void answered(struct command *cmd, int code)
{
	struct host *h = container_of(cmd->record, struct host, record);

	h->commands--;
	cmd->code = code;
	if (cmd->result)
		json_decref(cmd->result);
	identity_put(cmd->identity);
	free(cmd);
}

void command_done(struct command *cmd, json_t *result)
{
	cmd->result = result;
	answered(cmd, 0);
}

void command_fail(struct command *cmd, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd->text, sizeof(cmd->text), fmt, ap);
	va_end(ap);
	fuzz_check(code);
	answered(cmd, code);
}

static struct command *command_new(struct host *h)
{
	struct command *cmd = calloc(1, sizeof(*cmd));

	fuzz_check(cmd);
	cmd->record = &h->record;
	h->commands++;
	return cmd;
}

void host_command(struct host *h, void (*execute)(struct command *cmd), uint64_t rate)
{
	struct command *cmd = command_new(h);
	unsigned int before = h->commands;

	cmd->rate = rate;
	execute(cmd);
	/* Each of these is answered at once */
	fuzz_check(h->commands == before - 1 || !h->commands);
}

static void record_changed(struct mail *mail)
{
	container_of(mail, struct move_record, changed)->told = false;
}

static void record_gone(struct mail *mail)
{
	struct move_record *rec = container_of(mail, struct move_record, gone);

	container_of(rec, struct host, record)->gone = true;
}

/* ---- The worker ---- */

struct net *net_of(struct worker *w)
{
	return &container_of(w, struct host, worker)->net;
}

static void run_timers(struct worker *w)
{
	struct timer *timer;
	bool again = true;

	while (again) {
		again = false;
		LIST_FOREACH(timer, &w->timers, link) {
			if (timer->at_ns > virtual_ns)
				continue;
			timer_clear(timer);
			timer->expire(timer);
			again = true;
			break;
		}
	}
}

static void run_tasks(struct worker *w)
{
	struct worker_task *task, *next;

	for (task = LIST_FIRST(&w->tasks); task; task = next) {
		next = LIST_NEXT(task, link);
		task->reap(task);
	}
	LIST_FOREACH(task, &w->tasks, link)
		task->flush(task);
}

void host_turn(struct host *h, uint64_t ns)
{
	virtual_ns += ns;
	if (h->stopping) {
		h->stopping = false;
		h->running = false;
		phyp_lpar_suspended(h->lpar);
	}
	donate_all(h);
	mailbox_run(&h->worker.mailbox);
	net_turn(&h->net);
	run_timers(&h->worker);
	run_tasks(&h->worker);
	mailbox_run(&h->mover.mailbox);
}

/* ---- Beginning and end ---- */

static void device_closed(struct device *d)
{
	container_of(d, struct host, device)->device_gone = true;
}

static void create_mover(struct host *h)
{
	struct device *d = &h->device;
	char why[256];

	h->worker.started = 0;
	LIST_INIT(&h->worker.timers);
	LIST_INIT(&h->worker.tasks);
	fuzz_check(!mailbox_init(&h->worker.mailbox));
	fuzz_check(!mailbox_init(&h->mover.mailbox));
	d->mover = &h->mover;
	device_prepare(d, "memory");
	d->config = &h->params.config;
	d->worker = &h->worker;
	d->main_mailbox = &h->mover.mailbox;
	d->on_closed = device_closed;
	fuzz_check(!device_open(d, h->pool, why));
	host_turn(h, 0);
}

struct host *host_new(const struct host_params *params)
{
	struct host *h = calloc(1, sizeof(*h));

	fuzz_check(h);
	virtual_ns = NSEC_PER_SEC;
	h->params = *params;
	h->identity.refs = 1;
	TAILQ_INIT(&h->donors);
	net_init(&h->net);
	platform_create(h);
	create_mover(h);
	return h;
}

void host_start(struct host *h, const struct move_params *params)
{
	struct move_record *rec = &h->record;
	struct command *cmd = command_new(h);

	pthread_mutex_init(&rec->lock, NULL);
	rec->mover = &h->mover;
	rec->device = &h->device;
	rec->stream_id = params->stream_id;
	rec->changed.run = record_changed;
	rec->gone.run = record_gone;
	rec->status = (struct move_status) {
		.stream_id = params->stream_id, .role = params->role,
		.phase = PHASE_STARTING, .started_ns = now_ns(),
		.limit = params->limit,
	};
	cmd->params = *params;
	cmd->identity = identity_get(&h->identity);
	move_start(cmd);
}

void host_free(struct host *h)
{
	fuzz_check(h->gone && !host_move(h) && !h->commands && TAILQ_EMPTY(&h->donors));
	fuzz_check(h->identity.refs == 1);
	if (h->device.state == DEVICE_OPEN)
		device_close(&h->device);
	for (unsigned int i = 0; !h->device_gone && i < LAST_TURNS; i++)
		host_turn(h, NSEC_PER_MSEC);
	fuzz_check(h->device_gone && LIST_EMPTY(&h->worker.timers) &&
		   LIST_EMPTY(&h->worker.tasks));
	net_exit(&h->net);
	platform_destroy(h);
	mailbox_exit(&h->worker.mailbox);
	mailbox_exit(&h->mover.mailbox);
	pthread_mutex_destroy(&h->record.lock);
	free(h);
	virtual_ns = 0;
}
