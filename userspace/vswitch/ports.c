// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ports of a switch.  Nothing here waits for a port: what it does not take in time is
 * dropped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/log.h"
#include "common/unixsock.h"
#include "common/util.h"
#include "vswitch/ports.h"
#include "vswitch/stream.h"
#include "vswitch/table.h"

/* Frames that one call sends */
#define SEND_FRAMES	16
#define TICK_USEC	1000000
/* Lines of one kind a second; who connects is not to fill a disk */
#define LOG_LINES	20

/**
 * enum log_kind - lines that others can cause as often as they like
 * @LOG_PORTS:	connected, closed
 * @LOG_MOVES:	an address is elsewhere
 * @LOG_WRONG:	what should not be
 * @LOG_KINDS:	how many there are
 */
enum log_kind {
	LOG_PORTS,
	LOG_MOVES,
	LOG_WRONG,
	LOG_KINDS,
};

/**
 * struct port_counts - what a port did
 * @in_frames:	that came from it
 * @in_bytes:	of them, without their lengths
 * @out_frames:	that it was sent
 * @out_bytes:	of them
 * @dropped:	that it did not take in time
 * @refused:	from an address that nobody has
 * @moves:	addresses that were heard here and elsewhere before
 * @replayed:	frames that it was sent for that, also in @out_frames
 */
struct port_counts {
	uint64_t in_frames;
	uint64_t in_bytes;
	uint64_t out_frames;
	uint64_t out_bytes;
	uint64_t dropped;
	uint64_t refused;
	uint64_t moves;
	uint64_t replayed;
};

/**
 * struct queued - what is left to be sent of a frame
 * @next:	in the port's list
 * @bytes:	of @data
 * @sent:	of them
 * @data:	length and frame
 */
struct queued {
	STAILQ_ENTRY(queued) next;
	size_t bytes;
	size_t sent;
	uint8_t data[];
};

STAILQ_HEAD(queue, queued);

/**
 * struct port - a connection
 * @ports:	all of them
 * @fd:		socket
 * @source:	its event source
 * @slot:	the table's name for it
 * @number:	everybody else's: used once
 * @pid:	who connected
 * @deaf:	it can be sent nothing more
 * @queue:	what it has not taken yet
 * @queue_bytes: memory of that
 * @counts:	what it did
 * @in:		what came from it
 */
struct port {
	struct ports *ports;
	int fd;
	sd_event_source *source;
	unsigned int slot;
	uint64_t number;
	pid_t pid;
	bool deaf;
	struct queue queue;
	size_t queue_bytes;
	struct port_counts counts;
	struct stream in;
};

/**
 * struct ports - a switch
 * @event:	loop it runs on
 * @listener:	where ports connect
 * @accept_source: its event source
 * @tick_source: once a second
 * @table:	who is where
 * @slots:	ports
 * @closed:	what those did that have gone
 * @closed_count: how many
 * @turned_away: connections that there was no slot for
 * @number:	of the last port
 * @lines:	logged since the last tick, of each kind
 * @unlogged:	lines that were not
 */
struct ports {
	sd_event *event;
	struct unix_listener listener;
	sd_event_source *accept_source;
	sd_event_source *tick_source;
	struct vswitch *table;
	struct port *slots[VSWITCH_PORTS];
	struct port_counts closed;
	uint64_t closed_count;
	uint64_t turned_away;
	uint64_t number;
	unsigned int lines[LOG_KINDS];
	uint64_t unlogged;
};

static bool may_log(struct ports *ports, enum log_kind kind)
{
	if (ports->lines[kind] < LOG_LINES) {
		ports->lines[kind]++;
		return true;
	}
	ports->unlogged++;
	return false;
}

/* ---- Output ---- */

static void want_output(struct port *port)
{
	bool want = !port->deaf && !STAILQ_EMPTY(&port->queue);

	sd_event_source_set_io_events(port->source, EPOLLIN | (want ? EPOLLOUT : 0));
}

static void drop_first(struct port *port)
{
	struct queued *queued = STAILQ_FIRST(&port->queue);

	STAILQ_REMOVE_HEAD(&port->queue, next);
	port->queue_bytes -= sizeof(*queued) + queued->bytes;
	free(queued);
}

static void drop_queue(struct port *port)
{
	while (!STAILQ_EMPTY(&port->queue))
		drop_first(port);
}

/* It takes nothing more; its end comes as an event of its own, if it is one */
static void deafen(struct port *port)
{
	port->deaf = true;
	drop_queue(port);
	want_output(port);
}

/* Like send(): the bytes it took, also 0, or a negative errno */
static ssize_t send_some(struct port *port, struct iovec *iov, size_t count)
{
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t sent;

	do {
		sent = sendmsg(port->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	return sent;
}

static void flush(struct port *port)
{
	struct iovec iov[SEND_FRAMES];
	struct queued *queued;
	size_t count = 0;
	ssize_t sent;

	STAILQ_FOREACH(queued, &port->queue, next) {
		iov[count].iov_base = queued->data + queued->sent;
		iov[count].iov_len = queued->bytes - queued->sent;
		if (++count == SEND_FRAMES)
			break;
	}
	sent = send_some(port, iov, count);
	if (sent < 0) {
		deafen(port);
		return;
	}
	while (sent) {
		size_t left;

		queued = STAILQ_FIRST(&port->queue);
		left = queued->bytes - queued->sent;
		if ((size_t)sent < left) {
			queued->sent += (size_t)sent;
			break;
		}
		sent -= (ssize_t)left;
		drop_first(port);
	}
	want_output(port);
}

/* Keep a frame of which @sent bytes have been sent, length included */
static int enqueue(struct port *port, const uint8_t *frame, size_t bytes, size_t sent)
{
	uint32_t length = htonl((uint32_t)bytes);
	struct queued *queued = malloc(sizeof(*queued) + STREAM_LENGTH_BYTES + bytes);

	if (!queued)
		return -ENOMEM;
	memcpy(queued->data, &length, STREAM_LENGTH_BYTES);
	memcpy(queued->data + STREAM_LENGTH_BYTES, frame, bytes);
	queued->bytes = STREAM_LENGTH_BYTES + bytes;
	queued->sent = sent;
	STAILQ_INSERT_TAIL(&port->queue, queued, next);
	port->queue_bytes += sizeof(*queued) + queued->bytes;
	want_output(port);
	return 0;
}

static int send_now(struct port *port, const uint8_t *frame, size_t bytes)
{
	uint32_t length = htonl((uint32_t)bytes);
	struct iovec iov[2] = {
		{ .iov_base = &length, .iov_len = STREAM_LENGTH_BYTES },
		{ .iov_base = (void *)frame, .iov_len = bytes },
	};
	ssize_t sent = send_some(port, iov, ARRAY_SIZE(iov));
	int ret;

	if (sent < 0) {
		deafen(port);
		return (int)sent;
	}
	if ((size_t)sent == STREAM_LENGTH_BYTES + bytes)
		return 0;
	ret = enqueue(port, frame, bytes, (size_t)sent);
	/* It would take the next frame for the rest of this one */
	if (ret && sent)
		shutdown(port->fd, SHUT_RDWR);
	return ret;
}

/* Frames that everybody gets leave room for those that are meant */
static bool has_room(const struct port *port, size_t bytes, enum vswitch_how how)
{
	size_t most = how == VSWITCH_FLOODED ? VSWITCH_FLOOD_BYTES : VSWITCH_QUEUE_BYTES;

	return port->queue_bytes + sizeof(struct queued) + STREAM_LENGTH_BYTES + bytes <= most;
}

static void port_send(void *data, unsigned int slot, const uint8_t *frame, size_t bytes,
		      enum vswitch_how how)
{
	struct ports *ports = data;
	struct port *port = ports->slots[slot];
	int ret;

	if (port->deaf)
		ret = -EPIPE;
	else if (STAILQ_EMPTY(&port->queue))
		ret = send_now(port, frame, bytes);
	else if (has_room(port, bytes, how))
		ret = enqueue(port, frame, bytes, 0);
	else
		ret = -ENOBUFS;
	if (ret) {
		port->counts.dropped++;
		return;
	}
	port->counts.out_frames++;
	port->counts.out_bytes += bytes;
	if (how == VSWITCH_REPLAYED)
		port->counts.replayed++;
}

/* ---- Printing ---- */

static void print_counts(const struct port_counts *c, FILE *file)
{
	fprintf(file, " in_frames %" PRIu64 " in_bytes %" PRIu64 " out_frames %" PRIu64
		" out_bytes %" PRIu64 " dropped %" PRIu64 " refused %" PRIu64
		" moves %" PRIu64 " replayed %" PRIu64 "\n", c->in_frames, c->in_bytes,
		c->out_frames, c->out_bytes, c->dropped, c->refused, c->moves, c->replayed);
}

/**
 * ports_print() - print what every port and the switch did
 * @ports:	the switch
 * @file:	where to; one line a port, names and values in turn
 */
void ports_print(const struct ports *ports, FILE *file)
{
	struct vswitch_counts counts;
	unsigned int up = 0;

	for (unsigned int i = 0; i < VSWITCH_PORTS; i++) {
		const struct port *port = ports->slots[i];

		if (!port)
			continue;
		up++;
		fprintf(file, "port %" PRIu64 " pid %d", port->number, (int)port->pid);
		print_counts(&port->counts, file);
	}
	fprintf(file, "closed %" PRIu64, ports->closed_count);
	print_counts(&ports->closed, file);
	vswitch_counts(ports->table, &counts);
	fprintf(file, "switch ports %u turned_away %" PRIu64 " macs %u kept %" PRIu64
		" kept_bytes %zu not_kept %" PRIu64 " expired %" PRIu64 "\n", up,
		ports->turned_away, counts.macs, counts.kept, counts.kept_bytes,
		counts.not_kept, counts.expired);
	fflush(file);
}

static void port_moved(void *data, const uint8_t *mac, unsigned int from, unsigned int to,
		       unsigned int replayed)
{
	struct ports *ports = data;
	struct port *port = ports->slots[to];
	char name[32] = "one that has gone";

	port->counts.moves++;
	if (!may_log(ports, LOG_MOVES))
		return;
	if (from != VSWITCH_NO_PORT)
		snprintf(name, sizeof(name), "port %" PRIu64, ports->slots[from]->number);
	log_info("%02x:%02x:%02x:%02x:%02x:%02x is at port %" PRIu64
		 ", and was at %s: %u frames replayed", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5], port->number, name, replayed);
}

static const struct vswitch_ops table_ops = { .send = port_send, .moved = port_moved };

/* ---- Input ---- */

static void add_counts(struct port_counts *sum, const struct port_counts *counts)
{
	sum->in_frames += counts->in_frames;
	sum->in_bytes += counts->in_bytes;
	sum->out_frames += counts->out_frames;
	sum->out_bytes += counts->out_bytes;
	sum->dropped += counts->dropped;
	sum->refused += counts->refused;
	sum->moves += counts->moves;
	sum->replayed += counts->replayed;
}

static void port_close(struct port *port, const char *why)
{
	struct ports *ports = port->ports;

	if (may_log(ports, LOG_PORTS))
		log_info("port %" PRIu64 ": %s; %" PRIu64 " frames came from it, %" PRIu64
			 " went there, %" PRIu64 " were dropped", port->number, why,
			 port->counts.in_frames, port->counts.out_frames,
			 port->counts.dropped);
	vswitch_port_down(ports->table, port->slot);
	ports->slots[port->slot] = NULL;
	add_counts(&ports->closed, &port->counts);
	ports->closed_count++;
	drop_queue(port);
	sd_event_source_disable_unref(port->source);
	close(port->fd);
	free(port);
}

/* Pass whole frames on; -EBADMSG if a length cannot be one */
static int take_frames(struct port *port)
{
	uint64_t now = now_ns();
	const uint8_t *frame;
	uint32_t bytes;
	int ret;

	while ((ret = stream_next(&port->in, &frame, &bytes)) > 0) {
		port->counts.in_frames++;
		port->counts.in_bytes += bytes;
		if (vswitch_frame(port->ports->table, port->slot, frame, bytes, now))
			port->counts.refused++;
	}
	if (ret && may_log(port->ports, LOG_WRONG))
		log_warning("port %" PRIu64 ": a frame of %" PRIu32
			    " bytes; allowed are %d to %d", port->number, bytes,
			    VSWITCH_MIN_FRAME, STREAM_MAX_FRAME);
	return ret;
}

static void port_read(struct port *port)
{
	size_t room;
	uint8_t *to = stream_room(&port->in, &room);
	ssize_t got = recv(port->fd, to, room, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		port_close(port, strerror(errno));
		return;
	}
	if (!got) {
		port_close(port, "closed");
		return;
	}
	stream_came(&port->in, (size_t)got);
	if (take_frames(port))
		port_close(port, "ended for a wrong length");
}

static int on_port(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct port *port = data;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT && !STAILQ_EMPTY(&port->queue))
		flush(port);
	/* What it sent before it closed is read first */
	if (revents & EPOLLIN)
		port_read(port);
	else if (revents & (EPOLLHUP | EPOLLERR))
		port_close(port, "closed");
	return 0;
}

/* ---- Connections ---- */

static pid_t peer_pid(int fd)
{
	struct ucred cred = { .pid = 0 };
	socklen_t size = sizeof(cred);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	return cred.pid;
}

static int port_new(struct ports *ports, unsigned int slot, int fd)
{
	struct port *port = calloc(1, sizeof(*port));
	int ret;

	if (!port)
		return -ENOMEM;
	port->ports = ports;
	port->fd = fd;
	port->slot = slot;
	port->pid = peer_pid(fd);
	STAILQ_INIT(&port->queue);
	ret = sd_event_add_io(ports->event, &port->source, fd, EPOLLIN, on_port, port);
	if (ret < 0) {
		free(port);
		return ret;
	}
	port->number = ++ports->number;
	ports->slots[slot] = port;
	vswitch_port_up(ports->table, slot);
	if (may_log(ports, LOG_PORTS))
		log_info("port %" PRIu64 ": connected by process %d", port->number,
			 (int)port->pid);
	return 0;
}

static void connected(struct ports *ports, int fd)
{
	unsigned int slot = 0;
	int ret;

	while (slot < VSWITCH_PORTS && ports->slots[slot])
		slot++;
	ret = slot < VSWITCH_PORTS ? port_new(ports, slot, fd) : -EUSERS;
	if (!ret)
		return;
	close(fd);
	ports->turned_away++;
	if (!may_log(ports, LOG_WRONG))
		return;
	if (ret == -EUSERS)
		log_warning("a connection was turned away: there are %d ports",
			    VSWITCH_PORTS);
	else
		log_error("a connection was turned away: %s", strerror(-ret));
}

static int on_accept(sd_event_source *source, int listener, uint32_t revents, void *data)
{
	struct ports *ports = data;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd >= 0) {
		connected(ports, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_error("a connection has to wait: %s", strerror(errno));
		/* It would wake the loop until descriptors are there: the tick does */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct ports *ports = data;

	vswitch_age(ports->table, now_ns());
	if (ports->unlogged)
		log_info("%" PRIu64 " more lines like these", ports->unlogged);
	ports->unlogged = 0;
	memset(ports->lines, 0, sizeof(ports->lines));
	sd_event_source_set_enabled(ports->accept_source, SD_EVENT_ON);
	sd_event_source_set_time(source, usec + TICK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- All of it ---- */

static int add_tick(struct ports *ports)
{
	uint64_t now;
	int ret = sd_event_now(ports->event, CLOCK_MONOTONIC, &now);

	if (ret < 0)
		return ret;
	return sd_event_add_time(ports->event, &ports->tick_source, CLOCK_MONOTONIC,
				 now + TICK_USEC, 0, on_tick, ports);
}

/**
 * ports_new() - a switch, and the socket where its ports connect
 * @event:	loop to run on; a reference is taken
 * @path:	of the socket
 * @mode:	its permissions
 * @ports:	set on success
 *
 * Return: 0, -EADDRINUSE if somebody listens at @path, or another negative errno.
 */
int ports_new(sd_event *event, const char *path, mode_t mode, struct ports **ports)
{
	struct ports *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->event = sd_event_ref(event);
	new->listener.fd = -1;
	ret = vswitch_new(&vswitch_default_limits, &table_ops, new, &new->table);
	if (!ret)
		ret = unix_listen(path, SOCK_STREAM, mode, &new->listener);
	if (!ret)
		ret = sd_event_add_io(event, &new->accept_source, new->listener.fd,
				      EPOLLIN, on_accept, new);
	if (ret >= 0)
		ret = add_tick(new);
	if (ret < 0) {
		ports_free(new);
		return ret;
	}
	*ports = new;
	return 0;
}

/**
 * ports_free() - end every port, and remove the socket's file
 * @ports:	the switch, or NULL
 *
 * Context: not from an event of it.
 * Return: NULL.
 */
struct ports *ports_free(struct ports *ports)
{
	if (!ports)
		return NULL;
	sd_event_source_disable_unref(ports->accept_source);
	sd_event_source_disable_unref(ports->tick_source);
	unix_unlisten(&ports->listener);
	for (unsigned int i = 0; i < VSWITCH_PORTS; i++)
		if (ports->slots[i])
			port_close(ports->slots[i], "the switch ends");
	vswitch_free(ports->table);
	sd_event_unref(ports->event);
	free(ports);
	return NULL;
}
