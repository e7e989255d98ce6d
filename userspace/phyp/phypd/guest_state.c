// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device state of a guest: QEMU's migration without the memory, through a socket into
 * a buffer, and from there into another QEMU.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/util.h"
#include "phyp/phypd/guest_internal.h"

#define FIRST_ROOM	(4u << 20)
#define CHUNK		(256u << 10)
#define FD_NAME		"state"

/**
 * guest_transfer_end() - forget what is on its way, and what was saved
 * @g:		guest
 */
void guest_transfer_end(struct guest *g)
{
	struct guest_transfer *t = &g->transfer;

	t->source = sd_event_source_disable_unref(t->source);
	if (t->fd >= 0)
		close(t->fd);
	if (t->bytes)
		explicit_bzero(t->bytes, t->size);
	free(t->bytes);
	*t = (struct guest_transfer) { .fd = -1 };
}

/* Gives QEMU one end, by a name that a migration's URI can say; ours is t->fd */
static int connect_qemu(struct guest *g, uint32_t events, sd_event_io_handler_t on_io)
{
	int fd[2];
	int ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd))
		return -errno;
	g->transfer.fd = fd[0];
	ret = sd_event_add_io(g->system->event, &g->transfer.source, fd[0], events, on_io,
			      g);
	if (ret >= 0)
		guest_command(g, "getfd", json_pack("{s:s}", "fdname", FD_NAME), fd[1],
			      NULL);
	close(fd[1]);
	return ret < 0 ? ret : 0;
}

/* ---- Saving ---- */

static int make_room(struct guest_transfer *t)
{
	size_t room = t->room ? 2 * t->room : FIRST_ROOM;
	uint8_t *bytes;

	if (t->size + CHUNK <= t->room)
		return 0;
	if (t->room >= PHYP_MAX_CPU_STATE)
		return -EFBIG;
	bytes = malloc(room);
	if (!bytes)
		return -ENOMEM;
	if (t->bytes) {
		memcpy(bytes, t->bytes, t->size);
		explicit_bzero(t->bytes, t->size);
	}
	free(t->bytes);
	t->bytes = bytes;
	t->room = room;
	return 0;
}

static void saved_so_far(struct guest *g)
{
	struct guest_transfer *t = &g->transfer;

	if (!t->eof || !t->complete)
		return;
	t->source = sd_event_source_disable_unref(t->source);
	close(t->fd);
	t->fd = -1;
	guest_saved(g);
}

static void on_status(void *ctx, const json_t *result, const char *error);

static void ask_status(struct guest *g)
{
	guest_command(g, "query-status", NULL, -1, on_status);
}

/* QEMU tells of a migration's end a little before it can go on */
static void on_status(void *ctx, const json_t *result, const char *error)
{
	struct guest *g = ctx;
	struct guest_transfer *t = &g->transfer;

	if (g->state != GUEST_SAVING)
		return;
	if (error) {
		guest_break(g, "QEMU does not tell what it does: %s", error);
	} else if (!strcmp(rpc_get_string(result, "status", ""), "finish-migrate")) {
		ask_status(g);
	} else if (t->failed) {
		guest_not_saved(g, t->failed);
	} else {
		t->settled = true;
		guest_settled(g);
	}
}

/* QEMU finds that nobody reads what it writes */
static void give_up(struct guest *g, const char *why)
{
	struct guest_transfer *t = &g->transfer;

	t->failed = why;
	t->source = sd_event_source_disable_unref(t->source);
	close(t->fd);
	t->fd = -1;
	if (t->settled)
		guest_not_saved(g, why);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct guest *g = data;
	struct guest_transfer *t = &g->transfer;
	int ret = make_room(t);
	ssize_t got;

	(void)revents;
	if (ret) {
		give_up(g, ret == -EFBIG ? "its device state has more than 64 MiB" :
			   "no memory for its device state");
		return 0;
	}
	got = recv(fd, t->bytes + t->size, min(t->room - t->size, (size_t)CHUNK),
		   MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		t->eof = true;
		saved_so_far(g);
		return 0;
	}
	t->size += (size_t)got;
	return 0;
}

static void on_migrate(void *ctx, const json_t *result, const char *error)
{
	struct guest *g = ctx;

	(void)result;
	if (error && g->state == GUEST_SAVING)
		guest_not_saved(g, error);
}

/**
 * guest_save_begin() - save the state of a guest that does not execute
 * @g:		guest in GUEST_SAVING; guest_saved() or guest_not_saved() follows
 */
void guest_save_begin(struct guest *g)
{
	guest_transfer_end(g);
	if (connect_qemu(g, EPOLLIN, on_readable)) {
		guest_break(g, "no socket for its device state");
		return;
	}
	guest_command(g, "migrate", json_pack("{s:s}", "uri", "fd:" FD_NAME), -1,
		      on_migrate);
}

/* ---- Loading ---- */

static int on_writable(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct guest *g = data;
	struct guest_transfer *t = &g->transfer;
	ssize_t sent;

	(void)revents;
	sent = send(fd, t->bytes + t->at, t->size - t->at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (sent < 0) {
		/* QEMU ends when it dislikes what it reads, and says why */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return 0;
	}
	t->at += (size_t)sent;
	if (t->at == t->size) {
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		shutdown(fd, SHUT_WR);
	}
	return 0;
}

static void on_incoming(void *ctx, const json_t *result, const char *error)
{
	(void)result;
	if (error)
		guest_break(ctx, "QEMU does not load its device state: %s", error);
}

/**
 * guest_load_begin() - load a state into a guest that waits for it
 * @g:		guest in GUEST_LOADING, its transfer has the bytes; guest_loaded() follows
 */
void guest_load_begin(struct guest *g)
{
	if (connect_qemu(g, EPOLLOUT, on_writable)) {
		guest_break(g, "no socket for its device state");
		return;
	}
	guest_command(g, "migrate-incoming", json_pack("{s:s}", "uri", "fd:" FD_NAME), -1,
		      on_incoming);
}

/**
 * guest_migration_event() - QEMU tells how far it is
 * @g:		guest
 * @status:	QEMU's word for it
 */
void guest_migration_event(struct guest *g, const char *status)
{
	bool failed = !strcmp(status, "failed") || !strcmp(status, "cancelled");
	bool completed = !strcmp(status, "completed");

	if (g->state == GUEST_SAVING && failed) {
		if (!g->transfer.failed)
			g->transfer.failed = "QEMU could not save its device state";
		ask_status(g);
	} else if (g->state == GUEST_SAVING && completed) {
		g->transfer.complete = true;
		ask_status(g);
		saved_so_far(g);
	} else if (g->state == GUEST_LOADING && failed) {
		guest_break(g, "QEMU could not load its device state");
	} else if (g->state == GUEST_LOADING && completed) {
		guest_transfer_end(g);
		guest_loaded(g);
	}
}
