// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A JSON-RPC call as the commands make it: connect, ask, wait for the answer.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/rpc.h"
#include "common/rpc_internal.h"
#include "common/unixsock.h"
#include "common/util.h"

static int call_failed(struct rpc_error *err, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int call_failed(struct rpc_error *err, int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	err->error = ret;
	return ret;
}

/* Why there is no connection, and what would have been right */
static int connect_failed(struct rpc_error *err, int ret, const char *path)
{
	switch (ret) {
	case -EACCES:
	case -EPERM:
		return call_failed(err, ret,
				   "no permission to use the socket %.200s: it is for its owner and group",
				   path);
	case -ENAMETOOLONG:
		return call_failed(err, ret,
				   "cannot connect to %.64s...: the path has %zu bytes; a socket's has at most %zu",
				   path, strlen(path), UNIX_PATH_BYTES);
	case -EAGAIN:
		return call_failed(err, ret,
				   "cannot connect to %.200s: too many others are waiting", path);
	default:
		return call_failed(err, ret, "cannot connect to %.200s: %s", path,
				   strerror(-ret));
	}
}

/* Wait until @fd is ready; @deadline in ns of now_ns(), 0 = none */
static int wait_ready(int fd, short events, uint64_t deadline, struct rpc_error *err)
{
	struct pollfd pollfd = { .fd = fd, .events = events };
	int timeout = -1, ret;

	do {
		if (deadline) {
			uint64_t now = now_ns();

			timeout = now >= deadline ? 0 :
				  (int)((deadline - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
		}
		ret = poll(&pollfd, 1, timeout);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return call_failed(err, -errno, "poll: %s", strerror(errno));
	if (!ret)
		return call_failed(err, -ETIMEDOUT, "no answer in time");
	return 0;
}

static int send_line(int fd, const char *text, size_t length, uint64_t deadline,
		     struct rpc_error *err)
{
	size_t sent = 0;
	ssize_t ret;

	while (sent < length) {
		ret = send(fd, text + sent, length - sent, MSG_NOSIGNAL);
		if (ret >= 0) {
			sent += (size_t)ret;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return call_failed(err, -errno, "send: %s", strerror(errno));
		ret = wait_ready(fd, POLLOUT, deadline, err);
		if (ret)
			return (int)ret;
	}
	return 0;
}

/* Receive one line into @line; its length without newline, or a negative errno */
static ssize_t receive_line(int fd, char *line, uint64_t deadline,
			    struct rpc_error *err)
{
	size_t used = 0;
	char *newline;
	ssize_t got;
	int ret;

	while (used < RPC_MAX_ANSWER + 1) {
		got = recv(fd, line + used, RPC_MAX_ANSWER + 1 - used, 0);
		if (got > 0) {
			newline = memchr(line + used, '\n', (size_t)got);
			if (newline)
				return newline - line;
			used += (size_t)got;
			continue;
		}
		if (!got)
			return call_failed(err, -ECONNRESET,
					   "the server closed the connection before it answered");
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return call_failed(err, -errno, "receive: %s", strerror(errno));
		ret = wait_ready(fd, POLLIN, deadline, err);
		if (ret)
			return ret;
	}
	return call_failed(err, -EMSGSIZE, "answer longer than %u bytes", RPC_MAX_ANSWER);
}

/* Take the result out of an answer, or the error */
static int take_answer(const json_t *root, json_t **result, struct rpc_error *err)
{
	const json_t *error = json_object_get(root, "error");
	json_t *body = json_object_get(root, "result");

	if (json_is_object(error)) {
		const char *message = json_string_value(json_object_get(error, "message"));

		err->code = (int)json_integer_value(json_object_get(error, "code"));
		return call_failed(err, -EREMOTEIO, "%s", message ? message : "no message");
	}
	if (!body)
		return call_failed(err, -EBADMSG, "the answer has no result");
	if (result)
		*result = json_incref(body);
	return 0;
}

static int exchange(int fd, const char *text, size_t length, uint64_t deadline,
		    json_t **result, struct rpc_error *err)
{
	struct rpc_error parse;
	json_t *root = NULL;
	ssize_t bytes;
	char *line;
	int ret;

	line = malloc(RPC_MAX_ANSWER + 1);
	if (!line)
		return call_failed(err, -ENOMEM, "no memory for the answer");
	ret = send_line(fd, text, length, deadline, err);
	if (ret)
		goto free_line;
	bytes = receive_line(fd, line, deadline, err);
	if (bytes < 0) {
		ret = (int)bytes;
		goto free_line;
	}
	if (rpc_parse_line(line, (size_t)bytes, &root, &parse)) {
		ret = call_failed(err, -EBADMSG, "bad answer: %.200s", parse.text);
		goto free_line;
	}
	ret = take_answer(root, result, err);
	json_decref(root);
free_line:
	free(line);
	return ret;
}

/* The request as a line with newline; NULL if it cannot be built */
static char *build_request(const char *method, json_t *params)
{
	char *text = NULL, *line;
	json_t *root;
	size_t length;

	root = json_pack("{s:s,s:i,s:s,s:O}", "jsonrpc", "2.0", "id", 1,
			 "method", method, "params", params);
	if (!root)
		return NULL;
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (!text)
		return NULL;
	length = strlen(text);
	line = realloc(text, length + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	line[length] = '\n';
	line[length + 1] = '\0';
	return line;
}

/* The request as a line, or NULL with @err filled in; takes @params over */
static char *prepare(const char *method, json_t *params, int timeout_ms, uint64_t *deadline,
		     struct rpc_error *err)
{
	char *line;

	err->code = 0;
	err->error = 0;
	err->text[0] = '\0';
	*deadline = timeout_ms < 0 ? 0 : now_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	if (!params)
		params = json_object();
	line = build_request(method, params);
	json_decref(params);
	if (!line) {
		call_failed(err, -EINVAL,
			    "the request cannot be built: no memory, or text that is not UTF-8");
		return NULL;
	}
	if (strlen(line) <= RPC_MAX_LINE + 1)
		return line;
	call_failed(err, -EMSGSIZE, "request longer than %u bytes", RPC_MAX_LINE);
	free(line);
	return NULL;
}

/**
 * rpc_client_call() - call a method and wait for its answer
 * @path:	the server's socket
 * @method:	its name
 * @params:	an object, taken over (also on failure); NULL = none
 * @timeout_ms:	for all of it; negative = wait for ever
 * @result:	NULL, or set on success to the result, a reference of the caller's
 * @err:	filled in on failure
 *
 * Context: blocks.
 * Return: 0; -EREMOTEIO if the server answered with an error (err->code and
 * err->text are its own); another negative errno if the call itself failed
 * (err->code is 0).
 */
int rpc_client_call(const char *path, const char *method, json_t *params,
		    int timeout_ms, json_t **result, struct rpc_error *err)
{
	uint64_t deadline;
	char *line = prepare(method, params, timeout_ms, &deadline, err);
	int fd, ret;

	if (!line)
		return err->error;
	fd = unix_connect(path, SOCK_STREAM);
	if (fd < 0) {
		ret = connect_failed(err, fd, path);
		goto free_line;
	}
	ret = exchange(fd, line, strlen(line), deadline, result, err);
	close(fd);
free_line:
	free(line);
	return ret;
}

/**
 * rpc_client_call_fd() - as rpc_client_call(), on a connection that there is
 * @fd:		a non-blocking stream socket; not to be used again if the call itself
 *		failed
 * @method:	its name
 * @params:	an object, taken over (also on failure); NULL = none
 * @timeout_ms:	for all of it; negative = wait for ever
 * @result:	NULL, or set on success to the result, a reference of the caller's
 * @err:	filled in on failure
 *
 * Context: blocks.
 * Return: as rpc_client_call().
 */
int rpc_client_call_fd(int fd, const char *method, json_t *params, int timeout_ms,
		       json_t **result, struct rpc_error *err)
{
	uint64_t deadline;
	char *line = prepare(method, params, timeout_ms, &deadline, err);
	int ret;

	if (!line)
		return err->error;
	ret = exchange(fd, line, strlen(line), deadline, result, err);
	free(line);
	return ret;
}
