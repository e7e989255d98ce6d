// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of the JSON-RPC server and client, and of listening unix sockets.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/rpc.h"
#include "common/unixsock.h"
#include "common/util.h"

#define TEST_TIMEOUT_US	(10 * 1000000ULL)
#define MAX_KEPT	80

struct fixture {
	char directory[32];
	char path[64];
	sd_event *event;
	struct rpc_server *server;
	struct rpc_request *kept[MAX_KEPT];
	unsigned int kept_count;
	unsigned int calls;
};

static void handle_echo(struct rpc_request *req, const json_t *params, void *data)
{
	struct fixture *f = data;

	f->calls++;
	rpc_reply(req, json_pack("{s:O}", "params", params));
}

static void handle_keep(struct rpc_request *req, const json_t *params, void *data)
{
	struct fixture *f = data;

	(void)params;
	assert_true(f->kept_count < MAX_KEPT);
	f->kept[f->kept_count++] = req;
}

static void handle_fail(struct rpc_request *req, const json_t *params, void *data)
{
	(void)params;
	(void)data;
	rpc_fail(req, RPC_STATE, "not while %s", "moving");
}

static void handle_big(struct rpc_request *req, const json_t *params, void *data)
{
	size_t bytes = rpc_get_u64(params, "bytes", 0);
	char *text = malloc(bytes + 1);

	(void)data;
	memset(text, 'x', bytes);
	text[bytes] = '\0';
	rpc_reply(req, json_string(text));
	free(text);
}

static const char *const roles[] = { "source", "target", NULL };
static const struct rpc_param inner_params[] = {
	{ .name = "hot", .type = RPC_NUMBER, .max = 1 },
	{ }
};
static const struct rpc_param echo_params[] = {
	{ .name = "name", .type = RPC_STRING, .required = true, .min = 1, .max = 8 },
	{ .name = "count", .type = RPC_INTEGER, .min = 2, .max = 5 },
	{ .name = "stream_id", .type = RPC_STREAM_ID },
	{ .name = "role", .type = RPC_STRING, .one_of = roles },
	{ .name = "on", .type = RPC_BOOLEAN },
	{ .name = "program", .type = RPC_OBJECT, .fields = inner_params },
	{ .name = "list", .type = RPC_ARRAY, .min = 1, .max = 2 },
	{ .name = "any", .type = RPC_ANY },
	{ }
};
static const struct rpc_param big_params[] = {
	{ .name = "bytes", .type = RPC_INTEGER, .required = true },
	{ }
};
static const struct rpc_method methods[] = {
	{ "echo", handle_echo, echo_params },
	{ "keep", handle_keep, NULL },
	{ "fail", handle_fail, NULL },
	{ "big", handle_big, big_params },
	{ }
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test_rpc", LOG_LEVEL_ERROR);
	strcpy(f->directory, "/tmp/test_rpc.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
	assert_true(sd_event_new(&f->event) >= 0);
	assert_int_equal(rpc_server_new(f->event, f->path, RPC_DEFAULT_MODE, methods, f,
					&f->server), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->server = rpc_server_free(f->server);
	/* Answers after the server's end are dropped */
	for (unsigned int i = 0; i < f->kept_count; i++) {
		assert_true(rpc_request_gone(f->kept[i]));
		rpc_reply(f->kept[i], NULL);
	}
	sd_event_unref(f->event);
	/* Fails unless the socket's file was removed */
	assert_int_equal(rmdir(f->directory), 0);
	free(f);
	return 0;
}

static int client(struct fixture *f)
{
	int fd = unix_connect(f->path, SOCK_STREAM);

	assert_true(fd >= 0);
	return fd;
}

static bool readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) > 0;
}

/* Run the server until there is something to read on @fd */
static void run_until_readable(struct fixture *f, int fd)
{
	while (!readable(fd))
		assert_true(sd_event_run(f->event, TEST_TIMEOUT_US) > 0);
}

/* Run the server until it has nothing to do */
static void run_idle(struct fixture *f)
{
	while (sd_event_run(f->event, 0) > 0)
		;
}

static void put(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* One answer; a line is never longer than the buffer here */
static json_t *answer(struct fixture *f, int fd)
{
	char line[4096];
	size_t used = 0;
	json_t *root;

	do {
		assert_true(used < sizeof(line));
		run_until_readable(f, fd);
		if (recv(fd, line + used, 1, 0) <= 0)
			return NULL;
	} while (line[used++] != '\n');
	root = json_loadb(line, used - 1, JSON_DECODE_ANY, NULL);
	assert_non_null(root);
	return root;
}

static json_t *ask(struct fixture *f, int fd, const char *line)
{
	put(fd, line);
	put(fd, "\n");
	return answer(f, fd);
}

static void expect_error(struct fixture *f, int fd, const char *line, int code,
			 const char *part)
{
	json_t *root = ask(f, fd, line);
	json_t *error = json_object_get(root, "error");

	assert_non_null(error);
	assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
	if (!strstr(json_string_value(json_object_get(error, "message")), part))
		fail_msg("\"%s\" is not in \"%s\"", part,
			 json_string_value(json_object_get(error, "message")));
	json_decref(root);
}

#define CALL(method, params) \
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":" params "}"

static void test_answers(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);
	json_t *root;

	root = ask(f, fd, CALL("echo", "{\"name\":\"a\",\"count\":3,\"program\":{\"hot\":0.5},"
			       "\"stream_id\":\"0x00000000000000fF\",\"role\":\"source\","
			       "\"list\":[1],\"on\":true,\"any\":null}"));
	assert_int_equal(json_integer_value(json_object_get(root, "id")), 7);
	assert_string_equal(json_string_value(json_object_get(root, "jsonrpc")), "2.0");
	assert_null(json_object_get(root, "error"));
	json_decref(root);
	root = ask(f, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"text\",\"method\":\"fail\"}");
	assert_string_equal(json_string_value(json_object_get(root, "id")), "text");
	assert_int_equal(json_integer_value(json_object_get(
			 json_object_get(root, "error"), "code")), RPC_STATE);
	json_decref(root);
	close(fd);
}

static void test_bad_requests(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *part;
	} cases[] = {
		{ "{", RPC_PARSE_ERROR, "not JSON" },
		{ "", RPC_PARSE_ERROR, "not JSON" },
		{ "{\"a\":1,\"a\":2}", RPC_PARSE_ERROR, "duplicate" },
		{ "\xff\xfe", RPC_PARSE_ERROR, "not JSON" },
		{ "7", RPC_INVALID_REQUEST, "object" },
		{ "[]", RPC_INVALID_REQUEST, "batch" },
		{ "[" CALL("fail", "{}") "]", RPC_INVALID_REQUEST, "batch" },
		{ "{}", RPC_INVALID_REQUEST, "jsonrpc" },
		{ "{\"jsonrpc\":\"1.0\",\"method\":\"fail\",\"id\":1}", RPC_INVALID_REQUEST,
		  "2.0" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", RPC_INVALID_REQUEST, "method" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"fail\"}", RPC_INVALID_REQUEST,
		  "id" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fail\",\"x\":1}",
		  RPC_INVALID_REQUEST, "unknown member" },
		{ CALL("nothing", "{}"), RPC_METHOD_NOT_FOUND, "nothing" },
		{ CALL("fail", "[]"), RPC_INVALID_PARAMS, "named" },
		{ CALL("fail", "{\"x\":1}"), RPC_INVALID_PARAMS, "unknown parameter x" },
		{ CALL("echo", "{}"), RPC_INVALID_PARAMS, "name is missing" },
		{ CALL("echo", "{\"name\":1}"), RPC_INVALID_PARAMS, "name must be a string" },
		{ CALL("echo", "{\"name\":\"\"}"), RPC_INVALID_PARAMS, "name has 0 bytes" },
		{ CALL("echo", "{\"name\":\"123456789\"}"), RPC_INVALID_PARAMS, "1 to 8" },
		{ CALL("echo", "{\"name\":\"a\",\"count\":6}"), RPC_INVALID_PARAMS,
		  "count is 6; allowed: 2 to 5" },
		{ CALL("echo", "{\"name\":\"a\",\"count\":2.5}"), RPC_INVALID_PARAMS,
		  "count must be an integer" },
		{ CALL("echo", "{\"name\":\"a\",\"count\":99999999999999999999}"),
		  RPC_PARSE_ERROR, "too big" },
		{ CALL("echo", "{\"name\":\"a\",\"stream_id\":\"12\"}"), RPC_INVALID_PARAMS,
		  "16 hexadecimal" },
		{ CALL("echo", "{\"name\":\"a\",\"role\":\"both\"}"), RPC_INVALID_PARAMS,
		  "\"source\" \"target\"" },
		{ CALL("echo", "{\"name\":\"a\",\"on\":1}"), RPC_INVALID_PARAMS, "true or false" },
		{ CALL("echo", "{\"name\":\"a\",\"program\":{\"hot\":1.5}}"),
		  RPC_INVALID_PARAMS, "program.hot is 1.5; allowed: 0 to 1" },
		{ CALL("echo", "{\"name\":\"a\",\"program\":{\"cold\":1}}"),
		  RPC_INVALID_PARAMS, "unknown parameter program.cold" },
		{ CALL("echo", "{\"name\":\"a\",\"list\":[]}"), RPC_INVALID_PARAMS,
		  "0 elements" },
	};
	struct fixture *f = *state;
	int fd = client(f);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(f, fd, cases[i].line, cases[i].code, cases[i].part);
	/* A quotation cut in the middle of a character is an answer all the same */
	expect_error(f, fd, CALL("a" "\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"
				 "\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"
				 "\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4"
				 "\\u00e4\\u00e4\\u00e4", "{}"), RPC_METHOD_NOT_FOUND, "a??");
	assert_int_equal(f->calls, 0);
	close(fd);
}

static void test_depth(void **state)
{
	struct fixture *f = *state;
	char line[RPC_MAX_LINE];
	int fd = client(f);

	memset(line, '[', 33);
	line[33] = '\0';
	expect_error(f, fd, line, RPC_INVALID_REQUEST, "33 levels deep; limit 32");
	memset(line, '[', 60000);
	line[60000] = '\0';
	expect_error(f, fd, line, RPC_INVALID_REQUEST, "60000 levels");
	/* Brackets in strings do not count */
	expect_error(f, fd, "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"",
		     RPC_INVALID_REQUEST, "object");
	close(fd);
}

static void test_line_limit(void **state)
{
	struct fixture *f = *state;
	char line[RPC_MAX_LINE + 2];
	int fd = client(f);
	json_t *root;

	/* Exactly the limit is taken */
	memset(line, ' ', sizeof(line));
	memcpy(line, CALL("fail", "{}"), strlen(CALL("fail", "{}")));
	line[RPC_MAX_LINE] = '\n';
	line[RPC_MAX_LINE + 1] = '\0';
	put(fd, line);
	root = answer(f, fd);
	assert_int_equal(json_integer_value(json_object_get(
			 json_object_get(root, "error"), "code")), RPC_STATE);
	json_decref(root);
	/* One byte more is not, and the client is dropped */
	line[RPC_MAX_LINE] = ' ';
	put(fd, line);
	root = answer(f, fd);
	assert_int_equal(json_integer_value(json_object_get(
			 json_object_get(root, "error"), "code")), RPC_INVALID_REQUEST);
	json_decref(root);
	assert_null(answer(f, fd));
	close(fd);
}

static void test_notification(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	put(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":{\"name\":\"a\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"nothing\"}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n");
	/* The only answer is to the request behind them */
	expect_error(f, fd, CALL("nothing", "{}"), RPC_METHOD_NOT_FOUND, "nothing");
	assert_int_equal(f->calls, 1);
	close(fd);
}

static void test_late_answers(void **state)
{
	struct fixture *f = *state;
	int fd = client(f), other = client(f);
	json_t *root;

	put(fd, CALL("keep", "{}") "\n" CALL("keep", "{}") "\n");
	put(other, CALL("keep", "{}") "\n");
	while (f->kept_count < 3)
		sd_event_run(f->event, TEST_TIMEOUT_US);
	/* A client that goes away meanwhile does no harm */
	close(other);
	run_idle(f);
	rpc_reply(f->kept[2], json_string("nobody reads this"));
	assert_false(rpc_request_gone(f->kept[1]));
	/* A client that only stopped sending still gets its answers */
	shutdown(fd, SHUT_WR);
	run_idle(f);
	rpc_fail(f->kept[1], RPC_FAILED, "first");
	rpc_reply(f->kept[0], NULL);
	f->kept_count = 0;
	root = answer(f, fd);
	assert_non_null(json_object_get(root, "error"));
	json_decref(root);
	root = answer(f, fd);
	assert_non_null(json_object_get(root, "result"));
	json_decref(root);
	assert_null(answer(f, fd));
	close(fd);
}

static void test_kept_beyond_server(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	put(fd, CALL("keep", "{}") "\n");
	while (f->kept_count < 1)
		sd_event_run(f->event, TEST_TIMEOUT_US);
	close(fd);
	/* The teardown answers it */
	f->server = rpc_server_free(f->server);
}

static void test_pending_limit(void **state)
{
	struct fixture *f = *state;
	int fd = client(f);

	for (int i = 0; i < RPC_MAX_PENDING; i++)
		put(fd, CALL("keep", "{}") "\n");
	expect_error(f, fd, CALL("keep", "{}"), RPC_NOT_ENOUGH, "64 requests");
	assert_int_equal(f->kept_count, RPC_MAX_PENDING);
	close(fd);
}

/* A client that does not read is dropped, and only that one */
static void test_output_limit(void **state)
{
	struct fixture *f = *state;
	const char *line = CALL("big", "{\"bytes\":900000}") "\n";
	int fd = client(f), other = client(f), asked = 0;
	json_t *root;

	while (send(fd, line, strlen(line), MSG_NOSIGNAL) > 0) {
		assert_true(++asked < 8);
		run_idle(f);
	}
	root = ask(f, other, CALL("echo", "{\"name\":\"a\"}"));
	assert_non_null(json_object_get(root, "result"));
	json_decref(root);
	/* What is left is what the socket held: the connection ends */
	while (recv(fd, (char[65536]){ 0 }, 65536, 0) > 0)
		;
	close(fd);
	close(other);
}

static void test_client_limit(void **state)
{
	struct fixture *f = *state;
	int fds[RPC_MAX_CLIENTS], one;
	json_t *root;

	for (int i = 0; i < RPC_MAX_CLIENTS; i++) {
		fds[i] = client(f);
		run_idle(f);
	}
	one = client(f);
	root = answer(f, one);
	assert_int_equal(json_integer_value(json_object_get(
			 json_object_get(root, "error"), "code")), RPC_NOT_ENOUGH);
	json_decref(root);
	assert_null(answer(f, one));
	close(one);
	/* Room again when one has gone */
	close(fds[0]);
	run_idle(f);
	fds[0] = client(f);
	root = ask(f, fds[0], CALL("echo", "{\"name\":\"a\"}"));
	assert_non_null(json_object_get(root, "result"));
	json_decref(root);
	for (int i = 0; i < RPC_MAX_CLIENTS; i++)
		close(fds[i]);
}

static void test_byte_by_byte(void **state)
{
	const char *line = CALL("echo", "{\"name\":\"a\"}") "\n";
	struct fixture *f = *state;
	int fd = client(f);
	json_t *root;

	for (size_t i = 0; line[i]; i++) {
		assert_int_equal(send(fd, line + i, 1, MSG_NOSIGNAL), 1);
		run_idle(f);
	}
	root = answer(f, fd);
	assert_non_null(json_object_get(root, "result"));
	json_decref(root);
	close(fd);
}

static void test_socket_file(void **state)
{
	struct fixture *f = *state;
	struct unix_listener listener;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct rpc_server *server;
	struct stat st;
	FILE *file;
	int fd;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* A live socket stays */
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(rpc_server_new(f->event, f->path, 0600, methods, f, &server),
			 -EADDRINUSE);
	assert_true(unix_connect(f->path, SOCK_SEQPACKET) < 0);
	assert_int_equal(unix_listen(f->path, SOCK_SEQPACKET, 0600, &listener),
			 -EADDRINUSE);
	unix_unlisten(&listener);
	fd = client(f);
	close(fd);
	run_idle(f);
	f->server = rpc_server_free(f->server);
	assert_int_equal(stat(f->path, &st), -1);
	/* A file of another kind stays */
	file = fopen(f->path, "w");
	fclose(file);
	assert_int_equal(unix_listen(f->path, SOCK_STREAM, 0600, &listener), -EEXIST);
	unlink(f->path);
	/* A stale socket does not */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, f->path, strlen(f->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(unix_listen(f->path, SOCK_STREAM, 0600, &listener), 0);
	/* A file that took the place of ours is not removed */
	unlink(f->path);
	file = fopen(f->path, "w");
	fclose(file);
	unix_unlisten(&listener);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(unix_listen("/nonexistent/socket", SOCK_STREAM, 0600, &listener),
			 -ENOENT);
	assert_int_equal(unix_listen("", SOCK_STREAM, 0600, &listener), -EINVAL);
}

/* rpc_client_call() blocks: it gets a thread */
struct call {
	const struct fixture *f;
	const char *path;
	const char *method;
	json_t *params;
	int timeout_ms;
	int ret;
	json_t *result;
	struct rpc_error err;
	int done[2];
};

static void *call_thread(void *data)
{
	struct call *call = data;

	call->ret = rpc_client_call(call->path, call->method, call->params,
				    call->timeout_ms, &call->result, &call->err);
	close(call->done[1]);
	return NULL;
}

static void run_call(struct fixture *f, struct call *call)
{
	pthread_t thread;

	call->result = NULL;
	if (!call->path)
		call->path = f->path;
	assert_int_equal(pipe(call->done), 0);
	assert_int_equal(pthread_create(&thread, NULL, call_thread, call), 0);
	/* The end of the call closes the pipe; the server runs meanwhile */
	while (!readable(call->done[0]))
		sd_event_run(f->event, 1000);
	pthread_join(thread, NULL);
	close(call->done[0]);
}

static void test_client_call(void **state)
{
	struct call good = { .method = "echo", .timeout_ms = 10000,
			     .params = json_pack("{s:s}", "name", "x") };
	struct call refused = { .method = "fail", .timeout_ms = -1 };
	struct call late = { .method = "keep", .timeout_ms = 50 };
	struct call absent = { .method = "echo", .timeout_ms = 50, .path = "/nonexistent" };
	struct call large = { .method = "big", .timeout_ms = 10000,
			      .params = json_pack("{s:i}", "bytes", 500000) };
	struct call dropped = { .method = "big", .timeout_ms = 10000,
				.params = json_pack("{s:i}", "bytes", RPC_MAX_ANSWER) };
	struct fixture *f = *state;

	run_call(f, &good);
	assert_int_equal(good.ret, 0);
	assert_string_equal(rpc_get_string(json_object_get(good.result, "params"), "name",
					   ""), "x");
	json_decref(good.result);
	run_call(f, &refused);
	assert_int_equal(refused.ret, -EREMOTEIO);
	assert_int_equal(refused.err.code, RPC_STATE);
	assert_string_equal(refused.err.text, "not while moving");
	run_call(f, &late);
	assert_int_equal(late.ret, -ETIMEDOUT);
	assert_int_equal(late.err.code, 0);
	run_call(f, &absent);
	assert_int_equal(absent.ret, -ENOENT);
	assert_non_null(strstr(absent.err.text, "/nonexistent"));
	run_call(f, &large);
	assert_int_equal(large.ret, 0);
	assert_int_equal(json_string_length(large.result), 500000);
	json_decref(large.result);
	log_set_level(LOG_LEVEL_ERROR);
	run_call(f, &dropped);
	assert_int_equal(dropped.ret, -ECONNRESET);
}

static void test_stream_ids(void **state)
{
	char text[RPC_STREAM_ID_BYTES];
	uint64_t id;
	json_t *json;

	(void)state;
	assert_int_equal(rpc_parse_stream_id("00000000000000fF", &id), 0);
	assert_int_equal(id, 0xff);
	assert_int_equal(rpc_parse_stream_id("0xfedcba9876543210", &id), 0);
	assert_true(id == 0xfedcba9876543210);
	assert_int_equal(rpc_parse_stream_id("", &id), -EINVAL);
	assert_int_equal(rpc_parse_stream_id("0x", &id), -EINVAL);
	assert_int_equal(rpc_parse_stream_id("fedcba987654321", &id), -EINVAL);
	assert_int_equal(rpc_parse_stream_id("fedcba98765432100", &id), -EINVAL);
	assert_int_equal(rpc_parse_stream_id("fedcba987654321g", &id), -EINVAL);
	assert_int_equal(rpc_parse_stream_id("-edcba9876543210", &id), -EINVAL);
	assert_string_equal(rpc_format_stream_id(0xabc, text), "0000000000000abc");
	json = rpc_json_u64(UINT64_MAX);
	assert_true(json_integer_value(json) == INT64_MAX);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notification, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept_beyond_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pending_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_socket_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_call, setup, teardown),
		cmocka_unit_test(test_stream_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
