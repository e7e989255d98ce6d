// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * JSON-RPC 2.0 server over a unix stream socket.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rpc.h"
#include "common/rpc_internal.h"
#include "common/unixsock.h"
#include "common/util.h"

/**
 * struct rpc_server - a listening socket and its clients
 * @event:	loop it runs on
 * @listener:	the socket
 * @accept_source: its event source
 * @spare_fd:	given up for a moment to turn a client away when descriptors are
 *		used up: an unaccepted client would wake the loop for ever
 * @methods:	table of methods
 * @data:	for the handlers
 * @clients:	list of all clients
 * @client_count: length of that list
 */
struct rpc_server {
	sd_event *event;
	struct unix_listener listener;
	sd_event_source *accept_source;
	int spare_fd;
	const struct rpc_method *methods;
	void *data;
	struct rpc_client *clients;
	unsigned int client_count;
};

/**
 * struct rpc_client - a connection
 * @server:	owner
 * @next:	in the server's list
 * @fd:		socket
 * @source:	its event source
 * @requests:	list of those that a handler has not ended
 * @pending:	length of that list
 * @users:	functions that still use it: it must not be freed now
 * @dead:	closed; freed by the last user
 * @eof:	it sends no more; it lives until it has all its answers
 * @out:	bytes of answers that did not fit the socket
 * @out_used:	how many
 * @in_used:	bytes in @in
 * @in:		an incomplete line
 */
struct rpc_client {
	struct rpc_server *server;
	struct rpc_client *next;
	int fd;
	sd_event_source *source;
	struct rpc_request *requests;
	unsigned int pending;
	unsigned int users;
	bool dead;
	bool eof;
	char *out;
	size_t out_used;
	size_t in_used;
	char in[RPC_MAX_LINE + 1];
};

/**
 * struct rpc_request - a request that a handler has not ended
 * @client:	who asked; NULL once it has gone
 * @next:	in the client's list
 * @id:		to be repeated in the answer; NULL for a notification
 * @done:	of a request that no client made: takes what it is ended with
 * @ctx:	for @done
 */
struct rpc_request {
	struct rpc_client *client;
	struct rpc_request *next;
	json_t *id;
	rpc_done_fn done;
	void *ctx;
};

static void client_unlink(struct rpc_client *client)
{
	struct rpc_client **at = &client->server->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->server->client_count--;
}

static void client_free(struct rpc_client *client)
{
	free(client->out);
	free(client);
}

/* Close the connection; its requests live on with their handlers */
static void client_drop(struct rpc_client *client)
{
	struct rpc_request *req;

	if (client->dead)
		return;
	client->dead = true;
	for (req = client->requests; req; req = req->next)
		req->client = NULL;
	client->requests = NULL;
	client_unlink(client);
	sd_event_source_disable_unref(client->source);
	close(client->fd);
	if (!client->users)
		client_free(client);
}

static void client_get(struct rpc_client *client)
{
	client->users++;
}

/* The last user says what to wait for; a client that is done is dropped */
static void client_put(struct rpc_client *client)
{
	uint32_t events = 0;

	if (--client->users)
		return;
	if (client->dead) {
		client_free(client);
		return;
	}
	if (client->eof && !client->pending && !client->out_used) {
		client_drop(client);
		return;
	}
	if (!client->eof)
		events |= EPOLLIN;
	if (client->out_used)
		events |= EPOLLOUT;
	sd_event_source_set_io_events(client->source, events);
}

static void client_write(struct rpc_client *client)
{
	ssize_t sent;

	while (client->out_used) {
		sent = send(client->fd, client->out, client->out_used,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0) {
			client_drop(client);
			return;
		}
		client->out_used -= (size_t)sent;
		memmove(client->out, client->out + sent, client->out_used);
	}
	free(client->out);
	client->out = NULL;
}

/* Queue an answer and write what the socket takes */
static void client_send(struct rpc_client *client, const char *text, size_t bytes)
{
	char *out;

	if (client->out_used + bytes + 1 > RPC_MAX_OUTPUT) {
		log_warning("rpc: client dropped: it left %zu bytes of answers unread, limit %u",
			    client->out_used, RPC_MAX_OUTPUT);
		client_drop(client);
		return;
	}
	out = realloc(client->out, client->out_used + bytes + 1);
	if (!out) {
		log_error("rpc: client dropped: no memory for an answer of %zu bytes", bytes);
		client_drop(client);
		return;
	}
	memcpy(out + client->out_used, text, bytes);
	out[client->out_used + bytes] = '\n';
	client->out = out;
	client->out_used += bytes + 1;
	client_write(client);
}

/* Send the members result or error with what every answer has; takes @body */
static void send_answer(struct rpc_client *client, json_t *id, const char *member,
			json_t *body)
{
	json_t *answer = json_object();
	char *text = NULL;

	json_object_set_new(answer, "jsonrpc", json_string("2.0"));
	if (id)
		json_object_set(answer, "id", id);
	else
		json_object_set_new(answer, "id", json_null());
	if (!json_object_set_new(answer, member, body))
		text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	if (text && strlen(text) < RPC_MAX_ANSWER) {
		client_send(client, text, strlen(text));
	} else {
		log_error("rpc: client dropped: an answer cannot be built or exceeds %u bytes",
			  RPC_MAX_ANSWER);
		client_drop(client);
	}
	free(text);
}

/* A text for an answer: JSON is UTF-8, what we quote from outside may not be */
static json_t *json_text(const char *text)
{
	json_t *json = json_string(text);
	char ascii[512];
	size_t i;

	if (json)
		return json;
	for (i = 0; i < sizeof(ascii) - 1 && text[i]; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[i] = '\0';
	return json_string(ascii);
}

static void send_error(struct rpc_client *client, json_t *id, int code,
		       const char *message)
{
	send_answer(client, id, "error",
		    json_pack("{s:i,s:o}", "code", code, "message", json_text(message)));
}

/* End a request: unlink and free it; its client, unless it has gone */
static struct rpc_client *request_end(struct rpc_request *req, json_t **id)
{
	struct rpc_client *client = req->client;
	struct rpc_request **at;

	*id = req->id;
	if (client) {
		at = &client->requests;
		while (*at != req)
			at = &(*at)->next;
		*at = req->next;
		client->pending--;
	}
	free(req);
	return client;
}

/**
 * rpc_request_own() - a request of the daemon itself
 * @done:	called once, by rpc_reply() with a result or by rpc_fail() with an error
 * @ctx:	for @done
 *
 * Return: a request for a handler, or NULL.
 */
struct rpc_request *rpc_request_own(rpc_done_fn done, void *ctx)
{
	struct rpc_request *req = calloc(1, sizeof(*req));

	if (!req)
		return NULL;
	req->done = done;
	req->ctx = ctx;
	return req;
}

/* Is it the daemon's own?  Then it is ended here */
static bool own_end(struct rpc_request *req, const json_t *result, int code,
		    const char *message)
{
	struct rpc_request own = *req;
	struct rpc_error err = { .code = code };

	if (!own.done)
		return false;
	free(req);
	snprintf(err.text, sizeof(err.text), "%s", message);
	own.done(own.ctx, result, code ? &err : NULL);
	return true;
}

/**
 * rpc_reply() - end a request with a result
 * @req:	the request; gone after this
 * @result:	taken over; NULL = an empty object
 */
void rpc_reply(struct rpc_request *req, json_t *result)
{
	struct rpc_client *client;
	json_t *id;

	if (own_end(req, result, 0, "")) {
		json_decref(result);
		return;
	}
	client = request_end(req, &id);
	if (client)
		client_get(client);
	if (client && id)
		send_answer(client, id, "result", result ? result : json_object());
	else
		json_decref(result);
	json_decref(id);
	if (client)
		client_put(client);
}

/**
 * rpc_fail() - end a request with an error
 * @req:	the request; gone after this
 * @code:	enum rpc_code
 * @fmt:	message for the user, as for printf; at most 511 bytes
 */
void rpc_fail(struct rpc_request *req, int code, const char *fmt, ...)
{
	struct rpc_client *client;
	char message[512];
	json_t *id;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (own_end(req, NULL, code, message))
		return;
	client = request_end(req, &id);
	if (client)
		client_get(client);
	if (client && id)
		send_error(client, id, code, message);
	json_decref(id);
	if (client)
		client_put(client);
}

/**
 * rpc_request_gone() - whether nobody waits for an answer any more
 * @req:	the request; it still has to be ended
 */
bool rpc_request_gone(const struct rpc_request *req)
{
	return !req->client && !req->done;
}

/**
 * rpc_check() - check an object that the method's table did not
 * @req:	the request; ended with RPC_INVALID_PARAMS on failure
 * @where:	stands before a member's name in the message, e.g. "suspend."
 * @object:	what to check
 * @table:	its members
 *
 * Return: 0, or -EINVAL: @req is gone.
 */
int rpc_check(struct rpc_request *req, const char *where, const json_t *object,
	      const struct rpc_param *table)
{
	struct rpc_error err;
	int ret;

	ret = rpc_check_table(where, object, table, &err);
	if (ret)
		rpc_fail(req, RPC_INVALID_PARAMS, "%s", err.text);
	return ret;
}

static const struct rpc_method *find_method(const struct rpc_server *server,
					    const char *name)
{
	const struct rpc_method *method;

	for (method = server->methods; method->name; method++) {
		if (!strcmp(method->name, name))
			return method;
	}
	return NULL;
}

/* The text that says what is wrong with the members of a request, or NULL */
static const char *check_request(const json_t *root)
{
	static const char *const known[] = { "jsonrpc", "method", "params", "id" };
	const json_t *id = json_object_get(root, "id");
	const char *version, *name;
	json_t *value;

	json_object_foreach((json_t *)root, name, value) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && strcmp(known[i], name))
			i++;
		if (i == ARRAY_SIZE(known))
			return "unknown member; allowed: jsonrpc, method, params, id";
	}
	version = json_string_value(json_object_get(root, "jsonrpc"));
	if (!version || strcmp(version, "2.0"))
		return "jsonrpc must be \"2.0\"";
	if (!json_is_string(json_object_get(root, "method")))
		return "method must be a string";
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return "id must be a string or a number";
	return NULL;
}

static struct rpc_request *request_new(struct rpc_client *client, json_t *id)
{
	struct rpc_request *req = calloc(1, sizeof(*req));

	if (!req)
		return NULL;
	req->client = client;
	req->id = json_incref(id);
	req->next = client->requests;
	client->requests = req;
	client->pending++;
	return req;
}

static void call_method(struct rpc_client *client, const struct rpc_method *method,
			json_t *id, json_t *params)
{
	struct rpc_request *req;

	if (client->pending >= RPC_MAX_PENDING) {
		char message[64];

		snprintf(message, sizeof(message), "%u requests wait for answers: limit",
			 client->pending);
		if (id)
			send_error(client, id, RPC_NOT_ENOUGH, message);
		return;
	}
	req = request_new(client, id);
	if (!req) {
		if (id)
			send_error(client, id, RPC_INTERNAL, "no memory");
		return;
	}
	if (params && !json_is_object(params)) {
		rpc_fail(req, RPC_INVALID_PARAMS, "params must be an object: parameters are named");
		return;
	}
	if (params)
		json_incref(params);
	else
		params = json_object();
	if (!rpc_check(req, "", params, method->params))
		method->handler(req, params, client->server->data);
	json_decref(params);
}

static void handle_request(struct rpc_client *client, const json_t *root)
{
	const struct rpc_method *method;
	const char *problem, *name;
	char message[128];
	json_t *id;

	if (json_is_array(root)) {
		send_error(client, NULL, RPC_INVALID_REQUEST,
			   "batch requests are not taken: send one request a line");
		return;
	}
	if (!json_is_object(root)) {
		send_error(client, NULL, RPC_INVALID_REQUEST, "a request is an object");
		return;
	}
	problem = check_request(root);
	if (problem) {
		send_error(client, NULL, RPC_INVALID_REQUEST, problem);
		return;
	}
	id = json_object_get(root, "id");
	name = json_string_value(json_object_get(root, "method"));
	method = find_method(client->server, name);
	if (!method) {
		snprintf(message, sizeof(message), "unknown method %.64s", name);
		if (id)
			send_error(client, id, RPC_METHOD_NOT_FOUND, message);
		return;
	}
	call_method(client, method, id, json_object_get(root, "params"));
}

static void handle_line(struct rpc_client *client, const char *line, size_t length)
{
	struct rpc_error err;
	json_t *root;

	if (rpc_parse_line(line, length, &root, &err)) {
		send_error(client, NULL, err.code, err.text);
		return;
	}
	handle_request(client, root);
	json_decref(root);
}

/* Handle the complete lines in the buffer */
static void client_lines(struct rpc_client *client)
{
	size_t start = 0, bytes;
	char *newline;

	while (!client->dead) {
		bytes = client->in_used - start;
		newline = memchr(client->in + start, '\n', bytes);
		if (!newline)
			break;
		handle_line(client, client->in + start,
			    (size_t)(newline - (client->in + start)));
		start = (size_t)(newline - client->in) + 1;
	}
	client->in_used -= start;
	memmove(client->in, client->in + start, client->in_used);
	if (!client->dead && client->in_used == sizeof(client->in)) {
		log_warning("rpc: client dropped: its request exceeds %u bytes", RPC_MAX_LINE);
		send_error(client, NULL, RPC_INVALID_REQUEST,
			   "request longer than 65536 bytes");
		client_drop(client);
	}
}

static void client_read(struct rpc_client *client)
{
	ssize_t got;

	got = recv(client->fd, client->in + client->in_used,
		   sizeof(client->in) - client->in_used, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		client_drop(client);
		return;
	}
	if (!got) {
		client->eof = true;
		return;
	}
	client->in_used += (size_t)got;
	client_lines(client);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct rpc_client *client = data;

	(void)source;
	(void)fd;
	client_get(client);
	if (revents & EPOLLIN && !client->eof)
		client_read(client);
	else if (revents & (EPOLLHUP | EPOLLERR))
		/* Closed both ways, and everything it sent has been read */
		client_drop(client);
	else if (revents & EPOLLOUT)
		client_write(client);
	client_put(client);
	return 0;
}

static int client_new(struct rpc_server *server, int fd)
{
	struct rpc_client *client = calloc(1, sizeof(*client));
	int ret;

	if (!client)
		return -ENOMEM;
	client->server = server;
	client->fd = fd;
	ret = sd_event_add_io(server->event, &client->source, fd, EPOLLIN,
			      on_client, client);
	if (ret < 0) {
		free(client);
		return ret;
	}
	client->next = server->clients;
	server->clients = client;
	server->client_count++;
	return 0;
}

/* Out of descriptors: accept one client with the spare one, and turn it away */
static void turn_away(struct rpc_server *server)
{
	int fd;

	log_warning("rpc: client turned away: no file descriptors left");
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int on_accept(sd_event_source *source, int listener, uint32_t revents,
		     void *data)
{
	static const char refusal[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":4,"
		"\"message\":\"too many clients: limit 64\"}}\n";
	struct rpc_server *server = data;
	int fd, ret;

	(void)source;
	(void)revents;
	static_assert(RPC_MAX_CLIENTS == 64, "the refusal names the limit");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			turn_away(server);
		return 0;
	}
	if (server->client_count >= RPC_MAX_CLIENTS) {
		log_warning("rpc: client refused: %u clients, limit %u",
			    server->client_count, RPC_MAX_CLIENTS);
		/* A client that does not read it sees the connection end */
		(void)!send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL);
		close(fd);
		return 0;
	}
	ret = client_new(server, fd);
	if (ret) {
		log_error("rpc: client refused: %s", strerror(-ret));
		close(fd);
	}
	return 0;
}

/**
 * rpc_server_new() - serve methods on a unix socket
 * @event:	loop to run on; a reference is taken
 * @path:	of the socket
 * @mode:	its permissions, RPC_DEFAULT_MODE unless there is a reason
 * @methods:	table of methods; kept, not copied
 * @data:	for the handlers
 * @server:	set on success
 *
 * A socket file that nobody listens on is replaced, a live one is not.  The
 * reason of a failure is also logged.
 *
 * Return: 0, -EADDRINUSE if somebody serves at @path, or another negative errno.
 */
int rpc_server_new(sd_event *event, const char *path, mode_t mode,
		   const struct rpc_method *methods, void *data,
		   struct rpc_server **server)
{
	struct rpc_server *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->methods = methods;
	new->data = data;
	ret = unix_listen(path, SOCK_STREAM, mode, &new->listener);
	if (ret)
		goto free_server;
	ret = sd_event_add_io(event, &new->accept_source, new->listener.fd,
			      EPOLLIN, on_accept, new);
	if (ret < 0)
		goto unlisten;
	new->event = sd_event_ref(event);
	new->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	*server = new;
	return 0;

unlisten:
	unix_unlisten(&new->listener);
free_server:
	log_error("rpc: cannot listen on %s: %s", path, strerror(-ret));
	free(new);
	return ret;
}

/**
 * rpc_server_free() - stop serving: close every client, remove the socket's file
 * @server:	the server, or NULL
 *
 * Requests that handlers keep stay valid until they end them.
 *
 * Context: not from a handler of this server.
 * Return: NULL.
 */
struct rpc_server *rpc_server_free(struct rpc_server *server)
{
	if (!server)
		return NULL;
	while (server->clients)
		client_drop(server->clients);
	sd_event_source_disable_unref(server->accept_source);
	unix_unlisten(&server->listener);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	sd_event_unref(server->event);
	free(server);
	return NULL;
}
