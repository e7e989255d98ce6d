/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON-RPC 2.0 over a unix stream socket, one JSON text a line: the server of
 * the daemons and the client of their commands.  The rules that callers see are
 * in Documentation/management.rst.
 *
 * A server is a table of methods on an sd_event loop:
 *
 *	static const struct rpc_param limit_params[] = {
 *		{ "stream_id", RPC_STREAM_ID, true },
 *		{ "bytes_per_second", RPC_INTEGER, true, .max = INT64_MAX },
 *		{ }
 *	};
 *	static const struct rpc_method methods[] = {
 *		{ "info", handle_info, NULL },
 *		{ "limit", handle_limit, limit_params },
 *		{ }
 *	};
 *
 *	static void handle_limit(struct rpc_request *req, const json_t *params,
 *				 void *data)
 *	{
 *		struct mover *mover = data;
 *		uint64_t id = rpc_get_stream_id(params, "stream_id");
 *
 *		if (!find(mover, id)) {
 *			rpc_fail(req, RPC_NOT_FOUND, "no stream %016" PRIx64, id);
 *			return;
 *		}
 *		...
 *		rpc_reply(req, NULL);
 *	}
 *
 *	ret = rpc_server_new(event, path, 0660, methods, mover, &server);
 *
 * Parameters are checked against the table before the handler runs: unknown
 * ones, missing ones, wrong types and values out of range are refused with a
 * message that names the parameter.  A handler therefore reads them without
 * further checks of type.
 *
 * A handler owns its request and ends it exactly once, with rpc_reply() or
 * rpc_fail(): before it returns, or at any later time (even after the client
 * has gone or the server was freed: the answer is then dropped).
 *
 * Locking: everything of a server belongs to the thread that runs its sd_event.
 */
#ifndef _RPC_H
#define _RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <jansson.h>
#include <systemd/sd-event.h>

#define RPC_MAX_LINE		65536		/* bytes of a request, without newline */
#define RPC_MAX_DEPTH		32		/* nested arrays and objects */
#define RPC_MAX_CLIENTS		64
#define RPC_MAX_PENDING		64		/* unanswered requests of a client */
#define RPC_MAX_OUTPUT		(2U << 20)	/* unread bytes of answers of a client */
#define RPC_MAX_STRING		4095		/* bytes of a string parameter */
#define RPC_MAX_ANSWER		(1U << 20)	/* bytes of an answer */
#define RPC_DEFAULT_MODE	0660

enum rpc_code {
	RPC_PARSE_ERROR		= -32700,
	RPC_INVALID_REQUEST	= -32600,
	RPC_METHOD_NOT_FOUND	= -32601,
	RPC_INVALID_PARAMS	= -32602,
	RPC_INTERNAL		= -32603,
	/* Documentation/management.rst */
	RPC_NOT_FOUND		= 1,	/* no such partition, stream or device */
	RPC_EXISTS		= 2,
	RPC_STATE		= 3,	/* not possible in this state */
	RPC_NOT_ENOUGH		= 4,	/* memory, slots, devices, sessions */
	RPC_NOT_AUTHORISED	= 5,
	RPC_NOT_COMPATIBLE	= 6,	/* version, page size, granule */
	RPC_FAILED		= 7,	/* the message says what */
};

enum rpc_type {
	RPC_STRING,	/* min, max: bytes */
	RPC_INTEGER,	/* min, max: value */
	RPC_NUMBER,	/* min, max: value; an integer or a real */
	RPC_BOOLEAN,
	RPC_OBJECT,	/* checked against fields, if there are any */
	RPC_ARRAY,	/* min, max: elements, each checked against element, if there is one */
	RPC_STREAM_ID,	/* a string of 16 hexadecimal digits, perhaps after "0x" */
	RPC_ANY,	/* the handler checks it, for example by rpc_check() */
};

/**
 * struct rpc_param - a parameter of a method, or a member of an object
 * @name:	its name; a table ends with an entry without a name
 * @type:	what it must be
 * @required:	it must be there
 * @min:	lower bound, by type
 * @max:	upper bound; with @min and @max both zero: 0 to INT64_MAX for numbers,
 *		1 to RPC_MAX_STRING bytes for strings, any length for arrays
 * @one_of:	strings: NULL, or the values that are allowed, ended by NULL
 * @fields:	objects: NULL (anything), or the table of its members
 * @element:	arrays: NULL (anything), or what each element must be; its name is ""
 */
struct rpc_param {
	const char *name;
	enum rpc_type type;
	bool required;
	int64_t min;
	int64_t max;
	const char *const *one_of;
	const struct rpc_param *fields;
	const struct rpc_param *element;
};

struct rpc_server;
struct rpc_request;

/**
 * struct rpc_method - a method of a server
 * @name:	its name; a table ends with an entry without a name
 * @handler:	called with the checked parameters (an object, empty if there were
 *		none; valid until it returns unless it takes a reference) and the
 *		server's data
 * @params:	table of its parameters; NULL = none are allowed
 */
struct rpc_method {
	const char *name;
	void (*handler)(struct rpc_request *req, const json_t *params, void *data);
	const struct rpc_param *params;
};

int rpc_server_new(sd_event *event, const char *path, mode_t mode,
		   const struct rpc_method *methods, void *data,
		   struct rpc_server **server);
struct rpc_server *rpc_server_free(struct rpc_server *server);

void rpc_reply(struct rpc_request *req, json_t *result);
void rpc_fail(struct rpc_request *req, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool rpc_request_gone(const struct rpc_request *req);
struct rpc_error;

/* A request of the daemon's own: what it is ended with goes to @done */
typedef void (*rpc_done_fn)(void *ctx, const json_t *result, const struct rpc_error *err);
struct rpc_request *rpc_request_own(rpc_done_fn done, void *ctx);

/* Without a request: 0, or -EINVAL and @err has the text */
int rpc_check_table(const char *where, const json_t *object,
		    const struct rpc_param *table, struct rpc_error *err);
int rpc_check(struct rpc_request *req, const char *where, const json_t *object,
	      const struct rpc_param *table);

/* Parameters of a checked object; the fallback is for one that is not there */
bool rpc_has(const json_t *params, const char *name);
const char *rpc_get_string(const json_t *params, const char *name,
			   const char *fallback);
uint64_t rpc_get_u64(const json_t *params, const char *name, uint64_t fallback);
double rpc_get_number(const json_t *params, const char *name, double fallback);
bool rpc_get_bool(const json_t *params, const char *name, bool fallback);
uint64_t rpc_get_stream_id(const json_t *params, const char *name);

/* Stream ids as text: 16 hexadecimal digits */
#define RPC_STREAM_ID_BYTES	17
int rpc_parse_stream_id(const char *text, uint64_t *id);
char *rpc_format_stream_id(uint64_t id, char text[RPC_STREAM_ID_BYTES]);
json_t *rpc_json_stream_id(uint64_t id);

/* A u64 in an answer: JSON integers end at INT64_MAX, and so does this */
json_t *rpc_json_u64(uint64_t value);

/**
 * struct rpc_error - why a call failed
 * @code:	the server's error code, or 0: the call itself failed
 * @error:	negative errno of the call itself
 * @text:	what happened, for the user
 */
struct rpc_error {
	int code;
	int error;
	char text[512];
};

int rpc_client_call(const char *path, const char *method, json_t *params,
		    int timeout_ms, json_t **result, struct rpc_error *err);
int rpc_client_call_fd(int fd, const char *method, json_t *params, int timeout_ms,
		       json_t **result, struct rpc_error *err);

#endif /* _RPC_H */
