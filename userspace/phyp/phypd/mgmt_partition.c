// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The management methods of partitions (Documentation/management.rst).
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/util.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/history.h"
#include "phyp/phypd/inactive.h"
#include "phyp/phypd/partition.h"

#define DEFAULT_GRANULE		4096
#define GUEST_GRANULE		4096u
#define DEFAULT_WRITE_BYTES	64
#define DEFAULT_HOT		0.1
#define DEFAULT_HOT_SHARE	0.9
#define TELL_MS			10000
#define MAX_LIST_BYTES		(RPC_MAX_ANSWER - 4096)
#define MAX_TIMEOUT_MS		(24 * 3600 * 1000)
#define NAME_PARAM		{ "name", RPC_STRING, true, .min = 1, \
				  .max = PARTITION_NAME_BYTES - 1 }

static const char *const phases[] = { "check", "pre", "post", NULL };
static const char *const content_types[] = { "zero", "seed", "file", NULL };
static const char *const wait_states[] = {
	"finished", "running", "suspended", "moved", "not activated", "shell",
	"migrating - running", "hibernated", "migrating - hibernated",
	"migrating - not activated", NULL
};

static const struct rpc_param content_fields[] = {
	{ "type", RPC_STRING, true, .one_of = content_types },
	{ "seed", .type = RPC_INTEGER },
	{ "path", .type = RPC_STRING },
	{ "offset", .type = RPC_INTEGER },
	{ }
};

static const struct rpc_param program_fields[] = {
	{ "seed", RPC_INTEGER, .required = true },
	{ "steps", RPC_INTEGER, .required = true },
	{ "processors", RPC_INTEGER, .min = 1, .max = SYNTHETIC_MAX_PROCESSORS },
	{ "rate", .type = RPC_INTEGER },
	{ "hot", RPC_NUMBER, .min = 0, .max = 1 },
	{ "hot_share", RPC_NUMBER, .min = 0, .max = 1 },
	{ "write_bytes", RPC_INTEGER, .min = 8, .max = 65536 },
	{ }
};

#define COMMON_PARAMS							\
	NAME_PARAM,							\
	{ "lpar_id", RPC_INTEGER, .min = 1, .max = 65535 },		\
	{ "memory", RPC_INTEGER, true, .min = 65536, .max = INT64_MAX },\
	{ "granule", RPC_INTEGER, .min = 4096, .max = 65536 },		\
	{ "config", RPC_OBJECT, .fields = config_fields },		\
	{ "history", RPC_ARRAY, .min = 0, .max = HISTORY_MAX_MOVES,	\
	  .element = &history_entry }

const struct rpc_param mgmt_create_params[] = {
	COMMON_PARAMS,
	{ "arriving", .type = RPC_STREAM_ID },
	{ "peer", RPC_STRING, .min = 1, .max = IMAGE_NAME_BYTES - 1 },
	{ "content", RPC_OBJECT, .fields = content_fields },
	{ "program", RPC_OBJECT, .fields = program_fields },
	{ "guest", RPC_OBJECT, .fields = guest_fields },
	{ }
};

const struct rpc_param mgmt_reserve_params[] = {
	COMMON_PARAMS,
	{ "stream_id", .type = RPC_STREAM_ID },
	{ "suspended", .type = RPC_BOOLEAN },
	{ "content", RPC_OBJECT, .fields = content_fields },
	{ "program", RPC_OBJECT, .fields = program_fields },
	{ "guest", RPC_OBJECT, .fields = guest_fields },
	{ }
};

const struct rpc_param mgmt_name_params[] = {
	NAME_PARAM,
	{ }
};

const struct rpc_param mgmt_list_params[] = {
	{ "config", .type = RPC_BOOLEAN },
	{ "offset", .type = RPC_INTEGER },
	{ "count", RPC_INTEGER, .min = 1, .max = SYSTEM_MAX_PARTITIONS },
	{ }
};

const struct rpc_param mgmt_remove_params[] = {
	NAME_PARAM,
	{ "stream_id", .type = RPC_STREAM_ID },
	{ }
};

const struct rpc_param mgmt_wait_params[] = {
	NAME_PARAM,
	{ "state", RPC_STRING, .one_of = wait_states },
	{ "timeout_ms", RPC_INTEGER, .min = 0, .max = MAX_TIMEOUT_MS },
	{ }
};

const struct rpc_param mgmt_compare_params[] = {
	NAME_PARAM,
	{ "file", RPC_STRING, .required = true },
	{ }
};

const struct rpc_param mgmt_tell_params[] = {
	NAME_PARAM,
	{ "phase", RPC_STRING, true, .one_of = phases },
	{ "stream_id", RPC_STREAM_ID, .required = true },
	{ "timeout_ms", RPC_INTEGER, .min = 1, .max = MAX_TIMEOUT_MS },
	{ }
};

/* One that is being given up is not there any more */
static bool is_going(const struct partition *p)
{
	return p->drop || p->state == PARTITION_LEAVING;
}

/* The partition a method is about; answers the request if there is none */
static struct partition *find(struct rpc_request *req, const json_t *params,
			      struct system *system)
{
	const char *name = rpc_get_string(params, "name", "");
	struct partition *p = partition_find(system, name);

	if (!p || is_going(p)) {
		rpc_fail(req, RPC_NOT_FOUND, "no partition %s", name);
		return NULL;
	}
	return p;
}

/**
 * mgmt_find_partition() - the partition that a method is about, when it has been made
 * @req:	answered if there is none
 * @params:	"name" says which
 * @system:	where
 */
struct partition *mgmt_find_partition(struct rpc_request *req, const json_t *params,
				      struct system *system)
{
	struct partition *p = find(req, params, system);

	if (p && p->state == PARTITION_MAKING) {
		rpc_fail(req, RPC_STATE, "partition %s is still being made",
			 p->name);
		return NULL;
	}
	return p;
}

static bool name_is_clean(const char *name)
{
	for (; *name; name++)
		if (!isprint((unsigned char)*name) || *name == '/')
			return false;
	return true;
}

static bool check_common(struct rpc_request *req,
			 const struct partition_params *p)
{
	if (!name_is_clean(p->name))
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "name: only printable ASCII characters without \"/\"");
	else if (p->granule != 4096 && p->granule != 65536)
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "granule: %u is neither 4096 nor 65536", p->granule);
	else if (p->bytes % p->granule)
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "memory: %" PRIu64 " is no multiple of the granule %u",
			 p->bytes, p->granule);
	else
		return true;
	return false;
}

static bool check_program(struct rpc_request *req,
			  const struct partition_params *p)
{
	const struct program *program = &p->program;
	uint64_t least = (uint64_t)program->processors *
			 SYNTHETIC_CHUNK_PAGES * p->granule;

	if (program->write_bytes % 8 || program->write_bytes > p->granule)
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "program.write_bytes: %u is no multiple of 8 up to the granule %u",
			 program->write_bytes, p->granule);
	else if (p->bytes < least)
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "memory: %u processors with this granule need at least %"
			 PRIu64 " bytes", program->processors, least);
	else
		return true;
	return false;
}

static uint64_t share(const json_t *object, const char *name, double fallback)
{
	return (uint64_t)(rpc_get_number(object, name, fallback) *
			  (double)SYNTHETIC_SHARE_ONE);
}

/* Without a program the partition finishes at once */
static void get_program(const json_t *object, struct program *program)
{
	*program = (struct program) {
		.seed = rpc_get_u64(object, "seed", 0),
		.steps = rpc_get_u64(object, "steps", 0),
		.rate = rpc_get_u64(object, "rate", 0),
		.processors = (uint32_t)rpc_get_u64(object, "processors", 1),
		.write_bytes = (uint32_t)rpc_get_u64(object, "write_bytes",
						     DEFAULT_WRITE_BYTES),
		.hot = share(object, "hot", DEFAULT_HOT),
		.hot_share = share(object, "hot_share", DEFAULT_HOT_SHARE),
	};
}

static bool get_file_content(struct rpc_request *req, const json_t *object,
			     struct content *content)
{
	char error[MEMORY_ERROR_BYTES];

	if (!rpc_has(object, "path")) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "content.path: missing, content.type is \"file\"");
		return false;
	}
	content->type = CONTENT_FILE;
	content->offset = rpc_get_u64(object, "offset", 0);
	if (content_open(rpc_get_string(object, "path", ""), content->offset,
			 &content->fd, error)) {
		rpc_fail(req, RPC_FAILED, "content.path: %s", error);
		return false;
	}
	return true;
}

static bool get_content(struct rpc_request *req, const json_t *object,
			struct content *content)
{
	const char *type = rpc_get_string(object, "type", "zero");

	*content = (struct content) { .type = CONTENT_ZERO, .fd = -1 };
	if (!strcmp(type, "file"))
		return get_file_content(req, object, content);
	if (!strcmp(type, "zero"))
		return true;
	if (!rpc_has(object, "seed")) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "content.seed: missing, content.type is \"seed\"");
		return false;
	}
	content->type = CONTENT_SEED;
	content->seed = rpc_get_u64(object, "seed", 0);
	return true;
}

/* A guest has neither; a shell without one needs a program */
static bool check_kind(struct rpc_request *req, const json_t *params,
		       const struct system *system, bool shell)
{
	static const char *const others[] = { "content", "program" };

	if (!rpc_has(params, "guest")) {
		if (!shell || rpc_has(params, "program"))
			return true;
		rpc_fail(req, RPC_INVALID_PARAMS, "neither program nor guest: one is needed");
		return false;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (!rpc_has(params, others[i]))
			continue;
		rpc_fail(req, RPC_INVALID_PARAMS, "%s: not together with guest", others[i]);
		return false;
	}
	if (rpc_get_u64(params, "granule", GUEST_GRANULE) == GUEST_GRANULE)
		return guest_check(req, system, json_object_get(params, "guest"));
	rpc_fail(req, RPC_INVALID_PARAMS, "granule: a guest's is %u", GUEST_GRANULE);
	return false;
}

static struct partition_params get_common(const json_t *params, bool shell)
{
	return (struct partition_params) {
		.name = rpc_get_string(params, "name", ""),
		.lpar_id = (uint32_t)rpc_get_u64(params, "lpar_id", 0),
		.bytes = rpc_get_u64(params, "memory", 0),
		.granule = (uint32_t)rpc_get_u64(params, "granule",
						 DEFAULT_GRANULE),
		.shell = shell,
		.reserved_for = shell ? rpc_get_stream_id(params, "stream_id") : 0,
		.suspended = rpc_get_bool(params, "suspended", false),
		.guest = json_object_get(params, "guest"),
		.content = { .fd = -1 },
		.arriving = rpc_get_stream_id(params, "arriving"),
		.peer = rpc_get_string(params, "peer", ""),
	};
}

static bool check_peer(struct rpc_request *req, const json_t *params)
{
	if (!rpc_has(params, "peer") || rpc_has(params, "arriving"))
		return true;
	rpc_fail(req, RPC_INVALID_PARAMS, "peer: only together with arriving");
	return false;
}

/* What it has besides memory and a program: @config and @history are new references */
static int get_config(const json_t *params, struct partition_params *p,
		      struct rpc_error *err)
{
	const json_t *config = json_object_get(params, "config");

	p->config = NULL;
	p->history = NULL;
	if (members_clean("history", json_object_get(params, "history"), err))
		return -EINVAL;
	if (config) {
		p->config = config_checked("config.", config, err);
		if (!p->config)
			return -EINVAL;
	}
	p->history = json_deep_copy(json_object_get(params, "history"));
	return 0;
}

/* What changes is elsewhere */
static json_t *get_description(const json_t *params)
{
	static const char *const others[] = {
		"config", "history", "arriving", "peer", "stream_id"
	};
	json_t *description = json_deep_copy(params);

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		json_object_del(description, others[i]);
	return description;
}

static void make(struct rpc_request *req, const json_t *params,
		 struct system *system, bool shell)
{
	struct partition_params p = get_common(params, shell);
	struct rpc_error err = { 0 };

	get_program(json_object_get(params, "program"), &p.program);
	/* A shell's memory arrives: its content is only kept, to be told */
	if (!check_kind(req, params, system, shell) || !check_common(req, &p) ||
	    (!p.guest && !check_program(req, &p)) || !check_peer(req, params))
		return;
	if (get_config(params, &p, &err)) {
		rpc_fail(req, RPC_INVALID_PARAMS, "%s", err.text);
		return;
	}
	if (get_content(req, shell ? NULL : json_object_get(params, "content"), &p.content)) {
		p.description = get_description(params);
		partition_make(system, &p, req);
		json_decref(p.description);
	}
	json_decref(p.config);
	json_decref(p.history);
}

void mgmt_partition_create(struct rpc_request *req, const json_t *params,
			   void *data)
{
	make(req, params, data, false);
}

void mgmt_partition_reserve(struct rpc_request *req, const json_t *params,
			    void *data)
{
	make(req, params, data, true);
}

/* Could it arrive here?  Of names and memory system.info and partition.list tell */
void mgmt_partition_check(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition_params p = get_common(params, true);

	struct rpc_error err = { 0 };
	int ret = get_config(params, &p, &err);

	json_decref(p.config);
	json_decref(p.history);
	if (ret) {
		rpc_fail(req, RPC_INVALID_PARAMS, "%s", err.text);
		return;
	}
	get_program(json_object_get(params, "program"), &p.program);
	if (check_kind(req, params, data, true) && check_common(req, &p) &&
	    (p.guest ? guest_check_sockets(req, p.guest) : check_program(req, &p)))
		rpc_reply(req, NULL);
}

void mgmt_partition_activate(struct rpc_request *req, const json_t *params,
			     void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		partition_activate(p, req);
}

void mgmt_partition_wait(struct rpc_request *req, const json_t *params,
			 void *data)
{
	struct partition *p = find(req, params, data);

	if (p)
		partition_wait(p, rpc_get_string(params, "state", "finished"),
			       rpc_get_u64(params, "timeout_ms", 0), req);
}

void mgmt_partition_shutdown(struct rpc_request *req, const json_t *params,
			     void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		partition_shutdown(p, req);
}

void mgmt_partition_suspend(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		hibernate_suspend(p, req);
}

void mgmt_partition_resume(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		hibernate_resume(p, req);
}

static bool is_shell_for(const struct partition *p, uint64_t stream_id)
{
	return p->state == PARTITION_SHELL && stream_id && p->reserved_for == stream_id;
}

void mgmt_partition_remove(struct rpc_request *req, const json_t *params,
			   void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);
	uint64_t id = rpc_get_stream_id(params, "stream_id");

	if (p && (is_shell_for(p, id) || inactive_may_remove(p, id, req)))
		partition_remove(p, req);
}

static json_t *list_json(struct partition *p, bool config)
{
	json_t *json = partition_json(p);

	if (json && config && p->config)
		json_object_set(json, "config", p->config);
	return json;
}

void mgmt_partition_list(struct rpc_request *req, const json_t *params,
			 void *data)
{
	uint64_t offset = rpc_get_u64(params, "offset", 0);
	uint64_t count = rpc_get_u64(params, "count", UINT64_MAX);
	bool config = rpc_get_bool(params, "config", false);
	struct system *system = data;
	json_t *list = json_array();
	struct partition *p;
	size_t bytes;

	TAILQ_FOREACH(p, &system->partitions, link) {
		if (is_going(p))
			continue;
		if (offset)
			offset--;
		else if (count-- > 0)
			json_array_append_new(list, list_json(p, config));
		else
			break;
	}
	bytes = json_dumpb(list, NULL, 0, JSON_COMPACT);
	if (bytes <= MAX_LIST_BYTES) {
		rpc_reply(req, json_pack("{s:o}", "partitions", list));
		return;
	}
	rpc_fail(req, RPC_NOT_ENOUGH,
		 "%zu partitions are %zu bytes of JSON, an answer has %u: ask for some of them with offset and count",
		 json_array_size(list), bytes, MAX_LIST_BYTES);
	json_decref(list);
}

void mgmt_partition_show(struct rpc_request *req, const json_t *params,
			 void *data)
{
	struct partition *p = find(req, params, data);

	if (p)
		rpc_reply(req, partition_json(p));
}

/* What another system would make the same partition from */
void mgmt_partition_describe(struct rpc_request *req, const json_t *params,
			     void *data)
{
	struct partition *p = find(req, params, data);
	json_t *description;

	if (!p)
		return;
	description = p->description ? partition_description(p) : NULL;
	if (description)
		rpc_reply(req, description);
	else if (p->damaged)
		rpc_fail(req, RPC_STATE, "partition %s: %s", p->name, p->damaged);
	else
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
}

/**
 * mgmt_partition_parse() - what a partition is made from, as its image has it
 * @description: as partition.describe tells
 * @p:		its program, guest, memory's size, granule, config, history and description
 *		are set
 *
 * Return: 0 or -EINVAL.
 */
int mgmt_partition_parse(const json_t *description, struct partition *p)
{
	struct partition_params params;
	struct rpc_error err;

	if (rpc_check_table("", description, mgmt_create_params, &err) ||
	    strcmp(rpc_get_string(description, "name", ""), p->name))
		return -EINVAL;
	if (get_config(description, &params, &err))
		return -EINVAL;
	p->config = params.config;
	p->history = params.history;
	get_program(json_object_get(description, "program"), &p->program);
	p->guest = json_incref(json_object_get(description, "guest"));
	p->memory.bytes = rpc_get_u64(description, "memory", 0);
	p->granule = (uint32_t)rpc_get_u64(description, "granule", DEFAULT_GRANULE);
	p->description = get_description(description);
	return p->description ? 0 : -ENOMEM;
}

void mgmt_partition_digest(struct rpc_request *req, const json_t *params,
			   void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		partition_digest(p, req);
}

void mgmt_partition_compare(struct rpc_request *req, const json_t *params,
			    void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		partition_compare(p, rpc_get_string(params, "file", ""), req);
}

void mgmt_partition_tell(struct rpc_request *req, const json_t *params, void *data)
{
	struct partition *p = mgmt_find_partition(req, params, data);

	if (p)
		partition_tell(p, rpc_get_string(params, "phase", ""),
			       rpc_get_stream_id(params, "stream_id"),
			       rpc_get_u64(params, "timeout_ms", TELL_MS), req);
}
