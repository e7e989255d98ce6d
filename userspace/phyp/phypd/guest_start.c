// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's QEMU and its connections come and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/guest_internal.h"

#define MESSAGES_PER_EVENT	64
/* It takes a second; where much else is done at the same time some more */
#define READY_MS		60000u

/* ---- It gets ready ---- */

/* QEMU need not have the right to open it */
static void ask_pager(struct guest *g)
{
	static const uint64_t nothing[3];
	const char *path = g->system->params.userfaultfd;
	int device = open(path, O_RDWR | O_CLOEXEC);

	if (device < 0) {
		guest_break(g, "%s: %s: pages that are missing could not be fetched", path,
			    strerror(errno));
		return;
	}
	if (guest_link_send(g->link, GUEST_PAGER, nothing, device))
		guest_break(g, "QEMU's plug-in does not take messages");
	close(device);
}

static void look_whether_ready(struct guest *g)
{
	if (g->state != GUEST_STARTING || !g->qmp_ready || !g->dirty)
		return;
	if (!g->shell) {
		guest_started(g);
		return;
	}
	if (g->pager) {
		guest_started(g);
		return;
	}
	/* The machine's reset has written; the guest that arrives has not */
	if (guest_punch(g, 0, g->memory->bytes))
		guest_break(g, "its memory cannot be emptied: %s", strerror(errno));
	else
		ask_pager(g);
}

static bool pager_present(void *ctx, uint64_t offset)
{
	const struct guest *g = ctx;

	return g->home.client->present(g->home.ctx, offset);
}

static void pager_wake(void *ctx)
{
	const struct guest *g = ctx;

	g->home.client->wake(g->home.ctx);
}

static void take_pager(struct guest *g, int error, int fd)
{
	static const struct pager_ops ops = {
		.present = pager_present,
		.wake	 = pager_wake,
	};
	int ret;

	if (g->pager || fd < 0 || error) {
		if (fd >= 0)
			close(fd);
		guest_break(g, "QEMU cannot register a userfaultfd over its memory: %s",
			    error ? strerror(error) : "no descriptor came");
		return;
	}
	ret = pager_start(fd, g->base, g->memory->bytes, &ops, g, &g->pager);
	if (ret)
		guest_break(g, "no pager: %s", strerror(-ret));
	else
		look_whether_ready(g);
}

static void take_hello(struct guest *g, const uint64_t value[3], int fd)
{
	uint64_t expected = (uint64_t)GUEST_LINK_MAGIC << 32 | GUEST_LINK_VERSION;
	int ret;

	if (value[0] != expected || g->dirty) {
		guest_break(g, "its plug-in speaks another version of the guest link (%#" PRIx64
			    ", not %#" PRIx64 ")", value[0], expected);
	} else if (value[1] != g->memory->bytes) {
		guest_break(g, "QEMU has %" PRIu64 " bytes of RAM, the partition %" PRIu64
			    ": do \"arguments\" change it?", value[1], g->memory->bytes);
	} else {
		g->base = value[2];
		ret = guest_dirty_map(g, fd);
		if (ret)
			guest_break(g, "the bitmap of its plug-in: %s", strerror(-ret));
		else
			look_whether_ready(g);
	}
	if (fd >= 0)
		close(fd);
}

static void take_message(struct guest *g, enum guest_message_type type,
			 const uint64_t value[3], int fd)
{
	if (type == GUEST_HELLO) {
		take_hello(g, value, fd);
	} else if (type == GUEST_PAGER_SET) {
		take_pager(g, (int)value[0], fd);
	} else {
		if (fd >= 0)
			close(fd);
		guest_message(g, type, value);
	}
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct guest *g = data;
	enum guest_message_type type;
	uint64_t value[3];
	int passed, ret;

	(void)revents;
	for (unsigned int i = 0; i < MESSAGES_PER_EVENT && !g->broken; i++) {
		ret = guest_link_receive(fd, &type, value, &passed);
		if (ret == -EAGAIN)
			return 0;
		if (ret) {
			sd_event_source_set_enabled(source, SD_EVENT_OFF);
			/* When QEMU has ended, that is what is to be told */
			if (ret != -EPIPE && ret != -ECONNRESET)
				guest_break(g, "a wrong message from QEMU's plug-in");
			return 0;
		}
		take_message(g, type, value, passed);
	}
	return 0;
}

/* ---- QMP ---- */

static void on_capabilities(void *ctx, const json_t *result, const char *error)
{
	struct guest *g = ctx;

	(void)result;
	if (error) {
		guest_break(g, "QEMU cannot move a guest without its memory: %s", error);
		return;
	}
	g->qmp_ready = true;
	look_whether_ready(g);
}

static void on_qmp_event(void *ctx, const char *name, const json_t *data)
{
	struct guest *g = ctx;

	if (!strcmp(name, "MIGRATION"))
		guest_migration_event(g, rpc_get_string(data, "status", ""));
	else if (!strcmp(name, "GUEST_PANICKED"))
		guest_break(g, "the guest's kernel panicked");
	else if (!strcmp(name, "SHUTDOWN"))
		guest_break(g, "the guest was shut down (%s)",
			    rpc_get_string(data, "reason", "no reason"));
}

static void on_qmp_lost(void *ctx, const char *why)
{
	struct guest *g = ctx;

	/* Without a reason: the end of the process has one, and comes next */
	g->qmp = qmp_free(g->qmp);
	if (why)
		guest_break(g, "QEMU: %s", why);
}

static const struct qmp_ops qmp_ops = {
	.event	= on_qmp_event,
	.lost	= on_qmp_lost,
};

static void set_migration(struct guest *g)
{
	guest_command(g, "migrate-set-parameters",
		      json_pack("{s:I}", "max-bandwidth", (json_int_t)1 << 33), -1, NULL);
	guest_command(g, "migrate-set-capabilities",
		      json_pack("{s:[{s:s, s:b}, {s:s, s:b}]}", "capabilities",
				"capability", "x-ignore-shared", "state", 1,
				"capability", "events", "state", 1),
		      -1, on_capabilities);
}

/* ---- The process ---- */

static void on_process_end(void *ctx, const char *why)
{
	guest_break(ctx, "%s", why);
}

/* Our ends, by the number of QEMU's */
static int make_pairs(int ours[GUEST_FD_END], int theirs[GUEST_FD_END])
{
	for (int i = GUEST_FD_LINK; i < GUEST_FD_END; i++) {
		int type = i == GUEST_FD_LINK ? SOCK_SEQPACKET : SOCK_STREAM;
		int fd[2];

		if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd))
			return -errno;
		ours[i] = fd[0];
		theirs[i] = fd[1];
	}
	return 0;
}

static void close_all(int fd[GUEST_FD_END])
{
	for (int i = GUEST_FD_LINK; i < GUEST_FD_END; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int spawn(struct guest *g, bool incoming, const int theirs[GUEST_FD_END])
{
	char error[GUEST_ERROR_BYTES], *directory = NULL;
	struct guest_config config = {
		.name = g->name,
		.qemu = g->system->params.qemu,
		.plugin = g->system->params.qemu_plugin,
		.guest = g->json,
		.memory = g->memory,
		.incoming = incoming,
	};
	int ret = -ENOMEM;

	if (asprintf(&directory, "%s/guests", g->system->params.state_dir) < 0)
		return ret;
	config.directory = directory;
	ret = mkdir(directory, 0700) && errno != EEXIST ? -errno : 0;
	if (ret)
		snprintf(error, sizeof(error), "%s: %s", directory, strerror(-ret));
	else
		ret = guest_process_start(g->system->event, &config, theirs,
					  on_process_end, g, &g->process, error);
	if (ret)
		log_error("partition %s: %s", g->name, error);
	free(directory);
	return ret;
}

/* Each is closed by whoever it is given to, whatever comes of it */
static int connect_all(struct guest *g, int ours[GUEST_FD_END])
{
	int ret;

	g->link = ours[GUEST_FD_LINK];
	ours[GUEST_FD_LINK] = -1;
	ret = sd_event_add_io(g->system->event, &g->link_source, g->link, EPOLLIN, on_link,
			      g);
	if (ret < 0)
		return ret;
	ret = qmp_new(g->system->event, ours[GUEST_FD_QMP], &qmp_ops, g, &g->qmp);
	ours[GUEST_FD_QMP] = -1;
	if (ret)
		return ret;
	ret = agent_new(g->system->event, ours[GUEST_FD_AGENT], g->name, &g->agent);
	ours[GUEST_FD_AGENT] = -1;
	return ret;
}

static int on_not_ready(sd_event_source *source, uint64_t usec, void *data)
{
	struct guest *g = data;

	(void)source;
	(void)usec;
	guest_break(g, "QEMU, process %d, has not got ready within %u s",
		    (int)guest_process_pid(g->process), READY_MS / 1000);
	return 0;
}

/**
 * guest_start_qemu() - start a guest's QEMU
 * @g:		guest in GUEST_STARTING; guest_started() follows, or it breaks
 * @incoming:	it waits for a state to load
 *
 * Return: 0 or a negative errno.
 */
int guest_start_qemu(struct guest *g, bool incoming)
{
	int ours[GUEST_FD_END] = { -1, -1, -1, -1, -1, -1, -1 };
	int theirs[GUEST_FD_END] = { -1, -1, -1, -1, -1, -1, -1 };
	int ret;

	theirs[GUEST_FD_MEMORY] = g->memory->fd;
	ret = make_pairs(ours, theirs);
	if (!ret)
		ret = spawn(g, incoming, theirs);
	if (!ret)
		ret = connect_all(g, ours);
	if (!ret)
		ret = sd_event_add_time_relative(g->system->event, &g->timer, CLOCK_MONOTONIC,
						 READY_MS * 1000ULL, 0, on_not_ready, g);
	close_all(ours);
	close_all(theirs);
	if (ret < 0) {
		guest_end_qemu(g);
		return ret;
	}
	set_migration(g);
	return 0;
}

/**
 * guest_end_qemu() - end it, however it is
 * @g:		guest; has no QEMU afterwards
 */
void guest_end_qemu(struct guest *g)
{
	g->timer = sd_event_source_disable_unref(g->timer);
	g->watch = sd_event_source_disable_unref(g->watch);
	guest_transfer_end(g);
	g->process = guest_process_end(g->process);
	g->qmp = qmp_free(g->qmp);
	g->qmp_ready = false;
	g->link_source = sd_event_source_disable_unref(g->link_source);
	if (g->link >= 0)
		close(g->link);
	g->link = -1;
	g->agent = agent_free(g->agent);
	g->pager = pager_end(g->pager);
	guest_dirty_unmap(g);
	g->scans = 0;
	g->streams_set = 0;
	g->resume = false;
}
