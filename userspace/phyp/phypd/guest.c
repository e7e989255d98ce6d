// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU with a guest as the home of a partition: its states, and what the partition
 * asks of it.
 *
 * Whatever goes wrong is noted (guest_break()) and told from the loop (poll()): so no
 * operation of the partition's, or of libphyp's behind it, is interrupted by the end of
 * what it works on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/guest_internal.h"
#include "vasi_codec.h"

#define DEMANDS		64
/* A page that takes longer is worth a line in the log */
#define WATCH_MS	5000

static struct guest *of(struct home *home)
{
	return container_of(home, struct guest, home);
}

/* ---- States ---- */

const char *guest_state_name(enum guest_state state)
{
	static const char *const names[] = {
		[GUEST_OFF] = "off", [GUEST_STARTING] = "starting",
		[GUEST_WAITING] = "waiting", [GUEST_LOADING] = "loading",
		[GUEST_RUNNING] = "running", [GUEST_ASKED] = "asked to stop",
		[GUEST_SAVING] = "saving", [GUEST_HALTED] = "halted",
	};

	return names[state];
}

static bool may_become(enum guest_state old, enum guest_state new)
{
	switch (new) {
	case GUEST_OFF:
		return true;
	case GUEST_STARTING:
		return old == GUEST_OFF;
	case GUEST_WAITING:
		return old == GUEST_STARTING;
	case GUEST_LOADING:
		return old == GUEST_WAITING;
	case GUEST_RUNNING:
		return old == GUEST_STARTING || old == GUEST_HALTED ||
		       old == GUEST_ASKED || old == GUEST_SAVING;
	case GUEST_ASKED:
		return old == GUEST_RUNNING;
	case GUEST_SAVING:
		return old == GUEST_ASKED;
	case GUEST_HALTED:
		return old == GUEST_SAVING || old == GUEST_LOADING;
	}
	return false;
}

/**
 * guest_become() - the one place where a guest's state changes
 * @g:		guest
 * @state:	its next one
 */
void guest_become(struct guest *g, enum guest_state state)
{
	if (!may_become(g->state, state)) {
		guest_break(g, "it cannot become %s while %s", guest_state_name(state),
			    guest_state_name(g->state));
		return;
	}
	log_debug("partition %s: guest %s, then %s", g->name, guest_state_name(g->state),
		  guest_state_name(state));
	g->state = state;
	if (state != GUEST_ASKED)
		g->timer = sd_event_source_disable_unref(g->timer);
}

void guest_break(struct guest *g, const char *fmt, ...)
{
	va_list args;

	/* The first reason is the cause of the others */
	if (g->broken)
		return;
	va_start(args, fmt);
	if (vasprintf(&g->broken, fmt, args) < 0)
		g->broken = NULL;
	va_end(args);
	g->home.client->wake(g->home.ctx);
}

/* Tell who waits for something that it will not come */
static void tell_broken(struct guest *g)
{
	const struct home_client *client = g->home.client;
	enum guest_state state = g->state;
	char *why = g->broken;

	g->broken = NULL;
	guest_end_qemu(g);
	guest_become(g, GUEST_OFF);
	if (state == GUEST_STARTING)
		client->ready(g->home.ctx, why);
	else if (state == GUEST_LOADING)
		client->loaded(g->home.ctx, -EIO);
	if (state != GUEST_STARTING)
		client->ended(g->home.ctx, why);
	/* What was found out meanwhile is that it is off */
	free(g->broken);
	g->broken = NULL;
	free(why);
}

/* ---- Talking to QEMU ---- */

void guest_say(struct guest *g, enum guest_message_type type, uint64_t a, uint64_t b)
{
	const uint64_t value[3] = { a, b, 0 };
	int ret = g->link < 0 ? -EPIPE : guest_link_send(g->link, type, value, -1);

	if (ret && ret != -EPIPE)
		guest_break(g, "QEMU's plug-in does not take messages: %s", strerror(-ret));
}

void guest_command(struct guest *g, const char *command, json_t *arguments, int fd,
		   qmp_done done)
{
	/* Without a connection the end of QEMU is on its way */
	if (!g->qmp)
		json_decref(arguments);
	else if (qmp_call(g->qmp, command, arguments, fd, done))
		guest_break(g, "QEMU does not take commands");
}

static void on_continued(void *ctx, const json_t *result, const char *error)
{
	(void)result;
	if (error)
		guest_break(ctx, "QEMU does not go on: %s", error);
}

static void let_execute(struct guest *g)
{
	guest_command(g, "cont", NULL, -1, on_continued);
}

static void ask_scan(struct guest *g)
{
	g->scans++;
	guest_say(g, GUEST_SCAN, 0, 0);
}

/* Not before the guest would be told the right state of its stream, and all is saved */
static void go_on(struct guest *g)
{
	if (!g->resume || g->streams_set ||
	    (g->state != GUEST_HALTED && g->state != GUEST_STARTING))
		return;
	g->resume = false;
	guest_become(g, GUEST_RUNNING);
	let_execute(g);
}

/* ---- What comes ---- */

void guest_started(struct guest *g)
{
	if (g->shell) {
		guest_become(g, GUEST_WAITING);
	} else {
		g->resume = true;
		go_on(g);
	}
	g->home.client->ready(g->home.ctx, NULL);
}

/* No processor executes: as was asked, or what was asked has been taken back */
static void on_halt(struct guest *g)
{
	if (g->state == GUEST_ASKED) {
		guest_become(g, GUEST_SAVING);
		guest_save_begin(g);
	} else if (g->state == GUEST_RUNNING) {
		let_execute(g);
	}
}

static void on_stop(void *ctx, const json_t *result, const char *error)
{
	struct guest *g = ctx;

	(void)result;
	if (error)
		guest_break(g, "QEMU does not stop: %s", error);
	else
		on_halt(g);
}

/* What "pre" asked for has been done; a partition that is suspended cannot say so */
static void on_suspended(struct guest *g)
{
	if (g->agent)
		agent_suspended(g->agent);
	on_halt(g);
}

/* The last look, at what was written until now and by saving */
void guest_saved(struct guest *g)
{
	ask_scan(g);
}

void guest_not_saved(struct guest *g, const char *why)
{
	bool taken_back = g->resume;

	guest_transfer_end(g);
	g->resume = false;
	guest_become(g, GUEST_RUNNING);
	let_execute(g);
	if (!taken_back)
		g->home.client->not_stopped(g->home.ctx, why);
}

void guest_loaded(struct guest *g)
{
	guest_become(g, GUEST_HALTED);
	g->home.client->loaded(g->home.ctx, 0);
}

static bool is_saved(const struct guest *g)
{
	return g->state == GUEST_SAVING && g->transfer.eof && g->transfer.settled;
}

void guest_settled(struct guest *g)
{
	if (g->scans || !is_saved(g))
		return;
	guest_become(g, GUEST_HALTED);
	if (g->resume)
		go_on(g);
	else
		g->home.client->stopped(g->home.ctx);
}

static void on_scanned(struct guest *g)
{
	if (!g->scans) {
		guest_break(g, "an answer of QEMU's plug-in to no question");
		return;
	}
	g->scans--;
	guest_dirty_take(g);
	if (g->looking) {
		g->looking = false;
		g->home.client->looked(g->home.ctx);
	}
	guest_settled(g);
}

void guest_message(struct guest *g, enum guest_message_type type,
		   const uint64_t value[3])
{
	switch (type) {
	case GUEST_SCANNED:
		on_scanned(g);
		break;
	case GUEST_STREAM_SET:
		if (g->streams_set)
			g->streams_set--;
		go_on(g);
		break;
	case GUEST_SUSPENDED:
		on_suspended(g);
		break;
	case GUEST_SIGNAL:
		/* Of one that has just ended it is no news */
		if (value[0] == g->stream && g->stream)
			g->home.client->cancelled(g->home.ctx, (uint32_t)value[1]);
		break;
	default:
		guest_break(g, "QEMU's plug-in sends a message of type %d", (int)type);
	}
}

/* ---- What the partition asks ---- */

static void home_destroy(struct home *home)
{
	struct guest *g = of(home);

	guest_end_qemu(g);
	free(g->broken);
	free(g);
}

static int home_start(struct home *home)
{
	struct guest *g = of(home);
	int ret;

	guest_become(g, GUEST_STARTING);
	g->shell = false;
	/* A machine that is switched on finds its memory empty */
	ret = guest_punch(g, 0, g->memory->bytes);
	if (!ret)
		ret = guest_start_qemu(g, false);
	if (ret)
		guest_become(g, GUEST_OFF);
	return ret ? ret : -EINPROGRESS;
}

static void home_resume(struct home *home)
{
	struct guest *g = of(home);

	switch (g->state) {
	case GUEST_HALTED:
		g->resume = true;
		go_on(g);
		break;
	case GUEST_SAVING:
		g->resume = true;	/* as soon as it is saved */
		break;
	case GUEST_ASKED:
		guest_become(g, GUEST_RUNNING);
		break;
	case GUEST_RUNNING:
		break;
	default:
		guest_break(g, "it cannot go on: its QEMU is %s",
			    guest_state_name(g->state));
	}
}

static int on_not_suspended(sd_event_source *source, uint64_t usec, void *data)
{
	struct guest *g = data;

	(void)source;
	(void)usec;
	guest_become(g, GUEST_RUNNING);
	g->home.client->not_stopped(g->home.ctx,
				    "it was asked, and has not suspended itself in time");
	return 0;
}

static void home_suspend(struct home *home, enum home_suspend how, uint64_t timeout_ms)
{
	struct guest *g = of(home);

	guest_become(g, GUEST_ASKED);
	if (how == HOME_SUSPEND_PLATFORM)
		guest_command(g, "stop", NULL, -1, on_stop);
	else if (sd_event_add_time_relative(g->system->event, &g->timer, CLOCK_MONOTONIC,
					    timeout_ms * 1000, 0, on_not_suspended, g) < 0)
		guest_break(g, "no timer");
}

static void home_stop(struct home *home)
{
	struct guest *g = of(home);

	guest_end_qemu(g);
	guest_become(g, GUEST_OFF);
	g->off_due = true;
	g->home.client->wake(g->home.ctx);
}

static bool home_executing(struct home *home)
{
	enum guest_state state = of(home)->state;

	return state == GUEST_RUNNING || state == GUEST_ASKED;
}

/* Nothing is done about it: the page may still come, and the stream be recovered */
static int on_watch(sd_event_source *source, uint64_t usec, void *data)
{
	struct guest *g = data;

	(void)usec;
	if (g->home.client->present(g->home.ctx, g->watched)) {
		g->watch = sd_event_source_disable_unref(g->watch);
		return 0;
	}
	log_warning("partition %s: waits for the page at %#" PRIx64 " for %u s: is its source, or the connection to it, gone?",
		    g->name, g->watched, WATCH_MS / 1000);
	sd_event_source_set_time_relative(source, WATCH_MS * 1000);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static void watch(struct guest *g, uint64_t offset)
{
	if (g->watch)
		return;
	g->watched = offset;
	if (sd_event_add_time_relative(g->system->event, &g->watch, CLOCK_MONOTONIC,
				       WATCH_MS * 1000, 0, on_watch, g) < 0)
		g->watch = NULL;
}

static void take_demands(struct guest *g)
{
	uint64_t offset[DEMANDS];
	unsigned int n;

	while (g->pager && (n = pager_take_demands(g->pager, offset, DEMANDS)))
		for (unsigned int i = 0; i < n; i++) {
			watch(g, offset[i]);
			g->home.client->demand(g->home.ctx, offset[i]);
		}
}

static void home_poll(struct home *home)
{
	struct guest *g = of(home);

	take_demands(g);
	if (g->looking && !home_executing(home)) {
		g->looking = false;
		g->home.client->looked(g->home.ctx);
	}
	if (g->off_due) {
		g->off_due = false;
		g->home.client->stopped(g->home.ctx);
	}
	if (g->broken)
		tell_broken(g);
}

static long home_save(struct home *home, void *buf, size_t size)
{
	const struct guest *g = of(home);

	if (g->state != GUEST_HALTED || !g->transfer.size)
		return -EBUSY;
	if (g->transfer.size > size)
		return -ENOSPC;
	memcpy(buf, g->transfer.bytes, g->transfer.size);
	return (long)g->transfer.size;
}

static int home_load(struct home *home, const void *buf, size_t size)
{
	struct guest *g = of(home);

	if (g->state != GUEST_WAITING)
		return -EBUSY;
	guest_transfer_end(g);
	g->transfer.bytes = malloc(size);
	if (!g->transfer.bytes)
		return -ENOMEM;
	memcpy(g->transfer.bytes, buf, size);
	g->transfer.size = size;
	guest_become(g, GUEST_LOADING);
	guest_load_begin(g);
	return -EINPROGRESS;
}

/* One scan serves everybody who asks while it is under way */
static void home_look(struct home *home)
{
	struct guest *g = of(home);

	g->looking = true;
	if (!home_executing(home))
		g->home.client->wake(g->home.ctx);
	else if (!g->scans)
		ask_scan(g);
}

/*
 * What is written from now on is found by scans.  What the first one finds was written
 * before, and goes again if it was sent already: that is the least that is safe.
 */
static void home_depart(struct home *home)
{
	guest_dirty_all(of(home));
	home_look(home);
}

static void home_pages_missing(struct home *home, uint64_t first, uint64_t count)
{
	struct guest *g = of(home);

	if (guest_punch(g, first * GUEST_PAGE_BYTES, count * GUEST_PAGE_BYTES))
		guest_break(g, "pages that are to come cannot be taken out of its memory");
}

static void home_pages_arrived(struct home *home, uint64_t first, uint64_t count)
{
	struct guest *g = of(home);

	if (g->pager)
		pager_fill(g->pager, first * GUEST_PAGE_BYTES, count * GUEST_PAGE_BYTES);
}

static void home_all_here(struct home *home)
{
	struct guest *g = of(home);
	struct pager_stats stats;

	if (!g->pager)
		return;
	pager_stats(g->pager, &stats);
	log_info("partition %s: all pages are here; %" PRIu64 " faults, %" PRIu64
		 " on missing pages", g->name, stats.faults, stats.missing);
	g->pager = pager_end(g->pager);
}

static void home_stream(struct home *home, uint64_t id, uint16_t state)
{
	struct guest *g = of(home);

	if (g->link < 0 || g->state == GUEST_OFF)
		return;
	g->stream = id;
	g->streams_set++;
	guest_say(g, GUEST_STREAM, id, state);
}

static const char *agent_word(const struct guest *g)
{
	if (!rpc_get_bool(g->json, "agent", true))
		return "none";
	return g->agent ? agent_state_name(g->agent) : "not known";
}

static void home_describe(struct home *home, json_t *object)
{
	const struct guest *g = of(home);
	struct pager_stats stats = { 0 };

	if (g->pager)
		pager_stats(g->pager, &stats);
	json_object_set_new(object, "guest",
			    json_pack("{s:s, s:i, s:o, s:s}", "state",
				      guest_state_name(g->state), "pid",
				      g->process ? (int)guest_process_pid(g->process) : 0,
				      "faults", rpc_json_u64(stats.faults),
				      "agent", agent_word(g)));
}

static const struct home_ops ops = {
	.destroy	= home_destroy,
	.start		= home_start,
	.resume		= home_resume,
	.suspend	= home_suspend,
	.stop		= home_stop,
	.executing	= home_executing,
	.poll		= home_poll,
	.save		= home_save,
	.load		= home_load,
	.look		= home_look,
	.depart		= home_depart,
	.pages_missing	= home_pages_missing,
	.pages_arrived	= home_pages_arrived,
	.all_here	= home_all_here,
	.stream		= home_stream,
	.describe	= home_describe,
};

/**
 * guest_create() - QEMU as the home of a partition
 * @system:	where
 * @name:	of the partition; outlives the home
 * @guest:	"guest" of partition.create, checked; outlives the home
 * @memory:	the partition's, of holes
 * @shell:	start it now, to wait for what arrives
 * @client:	the partition
 * @ctx:	for @client
 * @home:	the new home
 *
 * Return: 0; -EINPROGRESS for a shell, and @client's ready() comes; or a negative
 * errno.
 */
int guest_create(struct system *system, const char *name, const json_t *guest,
		 const struct memory *memory, bool shell,
		 const struct home_client *client, void *ctx, struct home **home)
{
	struct guest *g = calloc(1, sizeof(*g));
	int ret = 0;

	if (!g)
		return -ENOMEM;
	g->home = (struct home) { &ops, client, ctx };
	g->system = system;
	g->name = name;
	g->json = guest;
	g->memory = memory;
	g->shell = shell;
	g->link = -1;
	g->transfer.fd = -1;
	if (shell) {
		guest_become(g, GUEST_STARTING);
		ret = guest_start_qemu(g, true);
		if (ret) {
			free(g);
			return ret;
		}
		ret = -EINPROGRESS;
	}
	*home = &g->home;
	return ret;
}

/**
 * guest_tell() - say something to the agent in a guest
 * @home:	made by guest_create()
 * @phase:	"check", "pre" or "post"
 * @stream_id:	of what
 * @timeout_ms:	for the answer
 * @req:	answered with what it answers
 */
void guest_tell(struct home *home, const char *phase, uint64_t stream_id,
		uint64_t timeout_ms, struct rpc_request *req)
{
	struct guest *g = of(home);

	if (!rpc_get_bool(g->json, "agent", true))
		rpc_fail(req, RPC_STATE, "partition %s has no agent", g->name);
	else if (!g->agent)
		rpc_fail(req, RPC_STATE, "partition %s: its QEMU is %s", g->name,
			 guest_state_name(g->state));
	else
		agent_tell(g->agent, phase, stream_id, timeout_ms, req);
}
