// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's management protocol.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/unixsock.h"
#include "phyp/phypd/qmp.h"

/* An answer beyond it is none that was asked for */
#define LINE_BYTES	(1u << 20)

/**
 * struct qmp_command - one that is not answered yet
 * @done:	takes the answer; may be NULL
 */
struct qmp_command {
	STAILQ_ENTRY(qmp_command) link;
	qmp_done done;
};

/**
 * struct qmp - a connection
 * @fd:		socket
 * @source:	of its input
 * @ops:	see there
 * @ctx:	of @ops and of the commands' @done
 * @commands:	in the order of their answers
 * @line:	what came of a line
 * @used:	bytes of it
 * @freed:	where who is on the stack learns that it is gone
 */
struct qmp {
	int fd;
	sd_event_source *source;
	const struct qmp_ops *ops;
	void *ctx;
	STAILQ_HEAD(, qmp_command) commands;
	char *line;
	size_t used;
	bool *freed;
};

static const char *error_of(const json_t *message)
{
	const json_t *error = json_object_get(message, "error");
	const char *text = json_string_value(json_object_get(error, "desc"));

	if (!error)
		return NULL;
	return text ? text : "an error without a description";
}

static void take_answer(struct qmp *q, const json_t *message)
{
	struct qmp_command *command = STAILQ_FIRST(&q->commands);
	qmp_done done;

	if (!command)
		return;
	STAILQ_REMOVE_HEAD(&q->commands, link);
	done = command->done;
	free(command);
	if (done)
		done(q->ctx, json_object_get(message, "return"), error_of(message));
}

/* The greeting says nothing that matters here */
static void take_message(struct qmp *q, const json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	if (event)
		q->ops->event(q->ctx, event, json_object_get(message, "data"));
	else if (!json_object_get(message, "QMP"))
		take_answer(q, message);
}

/* False when the connection is gone, or is no connection to QEMU */
static bool take_lines(struct qmp *q)
{
	size_t from = 0;
	bool freed = false;
	char *end;

	q->freed = &freed;
	while ((end = memchr(q->line + from, '\n', q->used - from))) {
		size_t length = (size_t)(end - q->line) - from;
		json_t *message = json_loadb(q->line + from, length, 0, NULL);

		from += length + 1;
		if (!json_is_object(message)) {
			json_decref(message);
			q->freed = NULL;
			q->ops->lost(q->ctx, "it does not speak QMP");
			return false;
		}
		take_message(q, message);
		json_decref(message);
		if (freed)
			return false;
	}
	q->freed = NULL;
	q->used -= from;
	memmove(q->line, q->line + from, q->used);
	return true;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct qmp *q = data;
	ssize_t got;

	(void)source;
	(void)revents;
	got = recv(fd, q->line + q->used, LINE_BYTES - q->used, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		q->ops->lost(q->ctx, NULL);
		return 0;
	}
	q->used += (size_t)got;
	if (take_lines(q) && q->used == LINE_BYTES)
		q->ops->lost(q->ctx, "its answer is too long");
	return 0;
}

/**
 * qmp_new() - speak QMP on a socket
 * @event:	loop
 * @fd:		stream socket to QEMU; closed by qmp_free()
 * @ops:	see struct qmp_ops
 * @ctx:	for @ops, and for what qmp_call() is given
 * @qmp:	on success; commands may be called at once
 *
 * Return: 0 or a negative errno; @fd is closed then, too.
 */
int qmp_new(sd_event *event, int fd, const struct qmp_ops *ops, void *ctx,
	    struct qmp **qmp)
{
	struct qmp *new = calloc(1, sizeof(*new));
	int ret = -ENOMEM;

	if (!new)
		goto err_close;
	new->fd = fd;
	new->ops = ops;
	new->ctx = ctx;
	STAILQ_INIT(&new->commands);
	new->line = malloc(LINE_BYTES);
	if (!new->line)
		goto err_free;
	ret = sd_event_add_io(event, &new->source, fd, EPOLLIN, on_input, new);
	if (ret < 0)
		goto err_free;
	ret = qmp_call(new, "qmp_capabilities", NULL, -1, NULL);
	if (ret)
		goto err_free;
	*qmp = new;
	return 0;

err_free:
	qmp_free(new);
	return ret;
err_close:
	close(fd);
	return ret;
}

/**
 * qmp_free() - end a connection
 * @q:		may be NULL; no command is answered any more
 *
 * Return: NULL.
 */
struct qmp *qmp_free(struct qmp *q)
{
	struct qmp_command *command;

	if (!q)
		return NULL;
	if (q->freed)
		*q->freed = true;
	while ((command = STAILQ_FIRST(&q->commands))) {
		STAILQ_REMOVE_HEAD(&q->commands, link);
		free(command);
	}
	sd_event_source_disable_unref(q->source);
	close(q->fd);
	free(q->line);
	free(q);
	return NULL;
}

/**
 * qmp_call() - send a command
 * @q:		connection
 * @command:	its name
 * @arguments:	an object, or NULL; the reference is taken
 * @fd:		descriptor to pass, or -1; stays the caller's
 * @done:	called with the answer, or NULL
 *
 * Context: does not wait; QEMU's end takes far more than the few commands here.
 * Return: 0 or a negative errno: the connection is of no use any more.
 */
int qmp_call(struct qmp *q, const char *command, json_t *arguments, int fd,
	     qmp_done done)
{
	struct qmp_command *new = calloc(1, sizeof(*new));
	json_t *message;
	char *text = NULL;
	int ret = -ENOMEM;
	ssize_t sent;

	message = arguments ? json_pack("{s:s, s:o}", "execute", command, "arguments",
					arguments) :
			      json_pack("{s:s}", "execute", command);
	if (message)
		text = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (!new || !text)
		goto out_free;
	sent = unix_send_fd(q->fd, text, strlen(text), fd);
	ret = sent < 0 ? (int)sent : -EAGAIN;
	if (sent != (ssize_t)strlen(text))
		goto out_free;
	ret = 0;
	new->done = done;
	STAILQ_INSERT_TAIL(&q->commands, new, link);
	new = NULL;
out_free:
	free(text);
	free(new);
	return ret;
}
