// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is said to the agent in a guest.
 *
 * Its terminal is a line of text each way.  Whatever the guest sends is read, also
 * what nobody asked for: a guest waits for a terminal that is not read.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "phyp/phypd/agent.h"

#define LINE_BYTES	512
#define QUESTIONS	16	/* that are not answered yet */

/**
 * struct question - what the agent was told, and who wants the answer
 * @agent:	whom
 * @req:	who wants it
 * @head:	what the answer begins with
 * @timer:	when it is too late
 * @timeout_ms:	how long that is
 */
struct question {
	TAILQ_ENTRY(question) link;
	struct agent *agent;
	struct rpc_request *req;
	char head[40];
	sd_event_source *timer;
	uint64_t timeout_ms;
};

/**
 * struct agent - the agent in a guest
 * @event:	loop
 * @fd:		socket to its terminal
 * @source:	of its input
 * @name:	of the partition
 * @questions:	without an answer
 * @count:	of them
 * @line:	what came of a line
 * @used:	bytes of it
 * @skipping:	the line is too long
 * @heard:	how it took what was said last
 */
struct agent {
	sd_event *event;
	int fd;
	sd_event_source *source;
	const char *name;
	TAILQ_HEAD(, question) questions;
	unsigned int count;
	char line[LINE_BYTES];
	size_t used;
	bool skipping;
	enum { NOT_ASKED, ANSWERED, SILENT } heard;
};

static void end_question(struct question *q)
{
	TAILQ_REMOVE(&q->agent->questions, q, link);
	q->agent->count--;
	sd_event_source_disable_unref(q->timer);
	free(q);
}

static void make_printable(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

static void take_line(struct agent *a, char *line)
{
	struct question *q;

	make_printable(line);
	TAILQ_FOREACH(q, &a->questions, link) {
		size_t length = strlen(q->head);
		const char *answer = line + length;

		if (strncmp(line, q->head, length))
			continue;
		a->heard = ANSWERED;
		if (!strcmp(answer, "ok"))
			rpc_reply(q->req, NULL);
		else
			rpc_fail(q->req, RPC_FAILED, "partition %s: its agent answers \"%s\"",
				 a->name, line);
		end_question(q);
		return;
	}
}

static void take_byte(struct agent *a, char byte)
{
	if (byte == '\n' || byte == '\r') {
		a->line[a->used] = '\0';
		if (a->used && !a->skipping)
			take_line(a, a->line);
		a->used = 0;
		a->skipping = false;
	} else if (a->used < LINE_BYTES - 1) {
		a->line[a->used++] = byte;
	} else {
		a->skipping = true;
	}
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct agent *a = data;
	char bytes[LINE_BYTES];
	ssize_t got;

	(void)revents;
	got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	for (ssize_t i = 0; i < got; i++)
		take_byte(a, bytes[i]);
	return 0;
}

/**
 * agent_new() - talk to an agent
 * @event:	loop
 * @fd:		stream socket; closed by agent_free()
 * @name:	of the partition; outlives it
 * @agent:	on success
 *
 * Return: 0 or a negative errno; @fd is closed then, too.
 */
int agent_new(sd_event *event, int fd, const char *name, struct agent **agent)
{
	struct agent *new = calloc(1, sizeof(*new));
	int ret = -ENOMEM;

	if (!new)
		goto err_close;
	new->event = event;
	new->fd = fd;
	new->name = name;
	TAILQ_INIT(&new->questions);
	ret = sd_event_add_io(event, &new->source, fd, EPOLLIN, on_input, new);
	if (ret < 0)
		goto err_free;
	*agent = new;
	return 0;

err_free:
	free(new);
err_close:
	close(fd);
	return ret;
}

/**
 * agent_free() - end it; who waits for an answer is told
 * @a:		may be NULL
 *
 * Return: NULL.
 */
struct agent *agent_free(struct agent *a)
{
	struct question *q;

	if (!a)
		return NULL;
	while ((q = TAILQ_FIRST(&a->questions))) {
		rpc_fail(q->req, RPC_FAILED, "partition %s: it ended before its agent answered",
			 a->name);
		end_question(q);
	}
	sd_event_source_disable_unref(a->source);
	close(a->fd);
	free(a);
	return NULL;
}

const char *agent_state_name(const struct agent *a)
{
	static const char *const names[] = {
		[NOT_ASKED] = "not asked", [ANSWERED] = "answers", [SILENT] = "silent",
	};

	return names[a->heard];
}

/**
 * agent_suspended() - the partition has done what "pre" asks for
 * @a:		agent
 *
 * The answer would come where the partition goes on.
 */
void agent_suspended(struct agent *a)
{
	struct question *q, *next;

	for (q = TAILQ_FIRST(&a->questions); q; q = next) {
		next = TAILQ_NEXT(q, link);
		if (strncmp(q->head, "pre ", 4))
			continue;
		rpc_reply(q->req, NULL);
		end_question(q);
	}
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct question *q = data;

	(void)source;
	(void)usec;
	q->agent->heard = SILENT;
	rpc_fail(q->req, RPC_FAILED, "partition %s: its agent has not answered within %"
		 PRIu64 " ms: is lpar-agent running?", q->agent->name, q->timeout_ms);
	end_question(q);
	return 0;
}

/**
 * agent_tell() - say something to the agent
 * @a:		agent
 * @phase:	"check", "pre" or "post"
 * @stream_id:	of what
 * @timeout_ms:	for the answer, not 0
 * @req:	answered with what it answers
 */
void agent_tell(struct agent *a, const char *phase, uint64_t stream_id,
		uint64_t timeout_ms, struct rpc_request *req)
{
	struct question *q = NULL;
	char line[48];
	ssize_t sent;
	int length;

	if (a->count < QUESTIONS)
		q = calloc(1, sizeof(*q));
	if (!q) {
		rpc_fail(req, RPC_NOT_ENOUGH, "partition %s: its agent has %u questions to answer",
			 a->name, a->count);
		return;
	}
	q->agent = a;
	q->req = req;
	q->timeout_ms = timeout_ms;
	length = snprintf(line, sizeof(line), "%s %016" PRIx64 "\n", phase, stream_id);
	snprintf(q->head, sizeof(q->head), "%s %016" PRIx64 " ", phase, stream_id);
	sent = send(a->fd, line, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent != length ||
	    sd_event_add_time_relative(a->event, &q->timer, CLOCK_MONOTONIC,
				       timeout_ms * 1000, 0, on_timeout, q) < 0) {
		rpc_fail(req, RPC_FAILED, "partition %s: its agent cannot be reached", a->name);
		free(q);
		return;
	}
	TAILQ_INSERT_TAIL(&a->questions, q, link);
	a->count++;
}
