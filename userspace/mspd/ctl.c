// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket (Documentation/management.rst, "mspd"), and the records of
 * moves behind it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "mover.h"
#include "vasi_codec.h"
#include "wire.h"

/* ---- records ---- */

static struct move_record *find(struct mover *mover, uint64_t stream_id)
{
	struct move_record *rec;

	/* The latest first: a stream may have been parked and started again */
	TAILQ_FOREACH_REVERSE(rec, &mover->records, record_list, link) {
		if (rec->stream_id == stream_id)
			return rec;
	}
	return NULL;
}

static void put_record(struct move_record *rec)
{
	if (--rec->refs)
		return;
	pthread_mutex_destroy(&rec->lock);
	free(rec);
}

static struct move_status status_of(struct move_record *rec)
{
	struct move_status status;

	pthread_mutex_lock(&rec->lock);
	status = rec->status;
	pthread_mutex_unlock(&rec->lock);
	return status;
}

static json_t *bounds_json(const struct move_status *st)
{
	json_t *bounds = json_object();

	for (enum move_bound b = BOUND_CREDIT; b < BOUNDS; b++)
		json_object_set_new(bounds, move_bound_name(b),
				    rpc_json_u64(st->bound_ns[b]));
	return bounds;
}

/* Of the data connections */
static const char *encryption_name(const struct move_status *st)
{
	if (!st->connections)
		return "not known";
	switch (st->cipher) {
	case CONN_TLS:
		return "tls";
	case CONN_KERNEL:
		return "kernel";
	default:
		return "none";
	}
}

static json_t *status_json(const struct move_status *st)
{
	return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:s, s:o,"
			 " s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:s, s:s, s:s, s:s}",
			 "stream_id", rpc_json_stream_id(st->stream_id),
			 "role", st->role == VASI_SERVICE_SOURCE_MOVER ? "source" : "target",
			 "phase", move_phase_name(st->phase),
			 "state", vasi_state_name((uint16_t)st->state),
			 "bytes_transmitted", rpc_json_u64(st->transmitted),
			 "bytes_remaining", rpc_json_u64(st->remaining),
			 "bytes_total", rpc_json_u64(st->total),
			 "rate", rpc_json_u64(st->rate),
			 "dirty_rate", rpc_json_u64(st->dirty_rate),
			 "pass", (int)st->pass,
			 "limited_by", move_bound_name(st->bound),
			 "limited_ns", bounds_json(st),
			 "limit", rpc_json_u64(st->limit),
			 "sessions", (int)st->sessions,
			 "connections", (int)st->connections,
			 "rtt_us", (int)min(st->rtt_us, (uint32_t)INT32_MAX),
			 "started_ns", rpc_json_u64(st->started_ns),
			 "ended_ns", rpc_json_u64(st->ended_ns),
			 "buffer_bytes", rpc_json_u64(st->buffer_bytes),
			 "peer", st->peer,
			 "peer_identity", st->peer_identity,
			 "encryption", encryption_name(st),
			 "error", st->error);
}

/* ---- wait ---- */

static void end_wait(struct wait *wait)
{
	TAILQ_REMOVE(&wait->mover->waits, wait, link);
	if (wait->timer) {
		sd_event_source_set_enabled(wait->timer, SD_EVENT_OFF);
		sd_event_source_unref(wait->timer);
	}
	put_record(wait->record);
	free(wait);
}

/* Phases only go on: a later one, or the end, will do */
static bool reached(struct move_record *rec, int phase, struct move_status *st)
{
	*st = status_of(rec);
	if (move_phase_ended(st->phase))
		return rec->closed;
	return phase < PHASES && (int)st->phase >= phase;
}

static void check_waits(struct mover *mover)
{
	struct wait *wait, *next;
	struct move_status st;

	for (wait = TAILQ_FIRST(&mover->waits); wait; wait = next) {
		next = TAILQ_NEXT(wait, link);
		if (rpc_request_gone(wait->request)) {
			rpc_reply(wait->request, NULL);
			end_wait(wait);
			continue;
		}
		if (!reached(wait->record, wait->phase, &st))
			continue;
		rpc_reply(wait->request, status_json(&st));
		end_wait(wait);
	}
}

static int wait_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct wait *wait = data;
	struct move_status st = status_of(wait->record);

	(void)source;
	(void)usec;
	rpc_fail(wait->request, RPC_FAILED, "not reached in time: the move is %s",
		 move_phase_name(st.phase));
	end_wait(wait);
	return 0;
}

static void handle_wait(struct rpc_request *req, const json_t *params, void *data)
{
	struct mover *mover = data;
	uint64_t id = rpc_get_stream_id(params, "stream_id");
	const char *phase = rpc_get_string(params, "phase", "ended");
	struct move_record *rec = find(mover, id);
	struct move_status st;
	struct wait *wait;
	uint64_t usec;

	if (!rec) {
		rpc_fail(req, RPC_NOT_FOUND, "no move of stream %016" PRIx64, id);
		return;
	}
	if (reached(rec, move_phase_parse(phase), &st)) {
		rpc_reply(req, status_json(&st));
		return;
	}
	wait = calloc(1, sizeof(*wait));
	if (!wait) {
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		return;
	}
	*wait = (struct wait) {
		.mover = mover, .request = req, .record = rec,
		.phase = move_phase_parse(phase),
	};
	rec->refs++;
	TAILQ_INSERT_TAIL(&mover->waits, wait, link);
	if (!rpc_has(params, "timeout_ms"))
		return;
	usec = rpc_get_u64(params, "timeout_ms", 0) * 1000;
	if (sd_event_add_time_relative(mover->event, &wait->timer, CLOCK_MONOTONIC,
				       usec, 1000, wait_timeout, wait) < 0) {
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		end_wait(wait);
	}
}

/* ---- the life of a record ---- */

static void trim_history(struct mover *mover)
{
	struct move_record *rec, *next;
	unsigned int ended = 0;

	TAILQ_FOREACH(rec, &mover->records, link)
		ended += rec->closed;
	for (rec = TAILQ_FIRST(&mover->records); rec && ended > MOVER_HISTORY;
	     rec = next) {
		next = TAILQ_NEXT(rec, link);
		if (!rec->closed)
			continue;
		TAILQ_REMOVE(&mover->records, rec, link);
		put_record(rec);
		ended--;
	}
}

static void record_changed(struct mail *mail)
{
	struct move_record *rec = container_of(mail, struct move_record, changed);

	pthread_mutex_lock(&rec->lock);
	rec->told = false;
	pthread_mutex_unlock(&rec->lock);
	check_waits(rec->mover);
}

static void record_gone(struct mail *mail)
{
	struct move_record *rec = container_of(mail, struct move_record, gone);
	struct mover *mover = rec->mover;

	rec->closed = true;
	mover->running--;
	check_waits(mover);
	trim_history(mover);
	ctl_check_stopped(mover);
}

static struct move_record *new_record(struct mover *mover, struct device *d,
				      const struct move_params *params)
{
	struct move_record *rec = calloc(1, sizeof(*rec));

	if (!rec)
		return NULL;
	pthread_mutex_init(&rec->lock, NULL);
	rec->mover = mover;
	rec->device = d;
	rec->stream_id = params->stream_id;
	rec->refs = 1;
	rec->changed.run = record_changed;
	rec->gone.run = record_gone;
	rec->status = (struct move_status) {
		.stream_id = params->stream_id,
		.role = params->role,
		.phase = PHASE_STARTING,
		.started_ns = now_ns(),
		.limit = params->limit,
	};
	memcpy(rec->status.peer_identity, params->peer_identity, IDENTITY_BYTES);
	TAILQ_INSERT_TAIL(&mover->records, rec, link);
	mover->running++;
	return rec;
}

/* ---- commands ---- */

static void command_answer(struct mail *mail)
{
	struct command *cmd = container_of(mail, struct command, mail);

	if (cmd->request && cmd->code)
		rpc_fail(cmd->request, cmd->code, "%s", cmd->text);
	else if (cmd->request)
		rpc_reply(cmd->request, cmd->result);
	put_record(cmd->record);
	identity_put(cmd->identity);
	free(cmd);
}

static void command_run(struct mail *mail)
{
	struct command *cmd = container_of(mail, struct command, mail);

	cmd->execute(cmd);
}

/**
 * command_done() - a command has succeeded; the worker's thread
 * @cmd: is gone afterwards
 * @result: of it, or NULL; taken over
 */
void command_done(struct command *cmd, json_t *result)
{
	cmd->result = result;
	cmd->mail.run = command_answer;
	mailbox_post(&cmd->record->mover->mailbox, &cmd->mail);
}

/**
 * command_fail() - a command has failed; the worker's thread
 * @cmd: is gone afterwards
 * @code: enum rpc_code
 * @fmt: why
 */
void command_fail(struct command *cmd, int code, const char *fmt, ...)
{
	va_list ap;

	cmd->code = code;
	va_start(ap, fmt);
	vsnprintf(cmd->text, sizeof(cmd->text), fmt, ap);
	va_end(ap);
	cmd->mail.run = command_answer;
	mailbox_post(&cmd->record->mover->mailbox, &cmd->mail);
}

static struct command *new_command(struct rpc_request *req, struct move_record *rec,
				   void (*execute)(struct command *))
{
	struct command *cmd = calloc(1, sizeof(*cmd));

	if (!cmd)
		return NULL;
	cmd->mail.run = command_run;
	cmd->execute = execute;
	cmd->request = req;
	cmd->record = rec;
	rec->refs++;
	return cmd;
}

static void post_command(struct command *cmd)
{
	mailbox_post(&cmd->record->device->worker->mailbox, &cmd->mail);
}

static void forward(struct mover *mover, struct rpc_request *req,
		    const json_t *params, void (*execute)(struct command *))
{
	uint64_t id = rpc_get_stream_id(params, "stream_id");
	struct move_record *rec = find(mover, id);
	struct command *cmd;

	if (!rec) {
		rpc_fail(req, RPC_NOT_FOUND, "no move of stream %016" PRIx64, id);
		return;
	}
	if (rec->closed) {
		rpc_fail(req, RPC_STATE, "the move of stream %016" PRIx64 " has ended: %s",
			 id, move_phase_name(status_of(rec).phase));
		return;
	}
	cmd = new_command(req, rec, execute);
	if (!cmd) {
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		return;
	}
	cmd->rate = rpc_get_u64(params, "bytes_per_second", 0);
	post_command(cmd);
}

static void handle_limit(struct rpc_request *req, const json_t *params, void *data)
{
	forward(data, req, params, move_limit);
}

static void handle_suspend(struct rpc_request *req, const json_t *params, void *data)
{
	forward(data, req, params, move_suspend);
}

static void handle_stop(struct rpc_request *req, const json_t *params, void *data)
{
	forward(data, req, params, move_stop);
}

/* ---- start ---- */

static const struct rpc_param suspend_params[] = {
	{ .name = "downtime_ms", .type = RPC_INTEGER, .max = 3600000 },
	{ .name = "pass_limit", .type = RPC_INTEGER, .max = 1000000 },
	{ .name = "timeout_s", .type = RPC_INTEGER, .max = 1000000 },
	{ }
};

static int parse_suspend(struct rpc_request *req, const json_t *params,
			 struct policy_params *policy)
{
	const json_t *suspend = json_object_get(params, "suspend");

	*policy = (struct policy_params) {
		.downtime_ms = POLICY_DOWNTIME_MS,
		.pass_limit = POLICY_PASS_LIMIT,
		.timeout_s = POLICY_TIMEOUT_S,
	};
	if (!suspend)
		return 0;
	if (json_is_string(suspend) && !strcmp(json_string_value(suspend), "manual")) {
		policy->manual = true;
		return 0;
	}
	if (!json_is_object(suspend)) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "suspend: \"manual\" or an object with downtime_ms, pass_limit, timeout_s expected");
		return -EINVAL;
	}
	if (rpc_check(req, "suspend.", suspend, suspend_params))
		return -EINVAL;
	policy->downtime_ms = (uint32_t)rpc_get_u64(suspend, "downtime_ms",
						    POLICY_DOWNTIME_MS);
	policy->pass_limit = (uint32_t)rpc_get_u64(suspend, "pass_limit",
						   POLICY_PASS_LIMIT);
	policy->timeout_s = (uint32_t)rpc_get_u64(suspend, "timeout_s",
						  POLICY_TIMEOUT_S);
	return 0;
}

static int parse_address(struct rpc_request *req, const json_t *params,
			 struct mover *mover, struct move_params *p)
{
	bool source = p->role == VASI_SERVICE_SOURCE_MOVER;
	const char *name = source ? "peer" : "listen";
	const char *other = source ? "listen" : "peer";
	const char *text = rpc_get_string(params, name, source ? NULL :
					  mover->config.listen);
	const char *why;

	if (rpc_has(params, other)) {
		rpc_fail(req, RPC_INVALID_PARAMS, "%s: not for a %s mover", other,
			 source ? "source" : "target");
		return -EINVAL;
	}
	if (!source && (rpc_has(params, "limit") || rpc_has(params, "suspend"))) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "limit and suspend are for a source mover");
		return -EINVAL;
	}
	if (!text) {
		rpc_fail(req, RPC_INVALID_PARAMS, "peer: missing (host:port)");
		return -EINVAL;
	}
	if (conn_resolve(text, source, &p->address, &why)) {
		rpc_fail(req, RPC_INVALID_PARAMS, "%s \"%.64s\": %s", name, text, why);
		return -EINVAL;
	}
	return 0;
}

/* Upper-case digits and colons, as other programs print a fingerprint, are no identity */
static int parse_peer(struct rpc_request *req, const json_t *params,
		      struct mover *mover, struct move_params *p)
{
	const char *text = rpc_get_string(params, "peer_identity", "");

	if (!identity_is_name(text)) {
		rpc_fail(req, RPC_INVALID_PARAMS,
			 "peer_identity: \"SHA256:\" and 64 lower-case hexadecimal digits expected, not \"%.80s\"",
			 text);
		return -EINVAL;
	}
	if (!strcmp(text, mover->identity->name)) {
		rpc_fail(req, RPC_INVALID_PARAMS, "peer_identity: is this mover's own");
		return -EINVAL;
	}
	strcpy(p->peer_identity, text);
	return 0;
}

static int parse_start(struct rpc_request *req, const json_t *params,
		       struct mover *mover, struct move_params *p)
{
	*p = (struct move_params) {
		.stream_id = rpc_get_stream_id(params, "stream_id"),
		.role = strcmp(rpc_get_string(params, "role", ""), "source") ?
			VASI_SERVICE_TARGET_MOVER : VASI_SERVICE_SOURCE_MOVER,
		.sessions = (unsigned int)rpc_get_u64(params, "sessions", 0),
		.connections = (unsigned int)rpc_get_u64(params, "connections", 0),
		.limit = rpc_get_u64(params, "limit", 0),
	};
	if (parse_suspend(req, params, &p->policy) || parse_peer(req, params, mover, p))
		return -EINVAL;
	return parse_address(req, params, mover, p);
}

/* The device asked for; without that the one with the fewest moves */
static struct device *choose_device(struct mover *mover, const char *path)
{
	struct device *best = NULL;
	unsigned int least = UINT32_MAX;

	for (unsigned int i = 0; i < mover->config.nvasi; i++) {
		struct device *d = &mover->devices[i];
		struct move_record *rec;
		unsigned int moves = 0;

		if (path && strcmp(path, d->path))
			continue;
		TAILQ_FOREACH(rec, &mover->records, link)
			moves += rec->device == d && !rec->closed;
		if (moves < least)
			best = d;
		least = min(least, moves);
	}
	return best;
}

static int ready_device(struct mover *mover, struct rpc_request *req,
			struct device *d)
{
	char why[256];

	if (d->state == DEVICE_OPEN)
		return 0;
	if (d->state == DEVICE_ENDING) {
		rpc_fail(req, RPC_STATE, "device %s is being closed", d->path);
		return -EBUSY;
	}
	if (!device_open(d, mover->donors, why))
		return 0;
	rpc_fail(req, RPC_FAILED, "%s", why);
	return -ENODEV;
}

static bool may_start(struct mover *mover, struct rpc_request *req,
		      const struct move_params *p)
{
	struct move_record *rec = find(mover, p->stream_id);

	if (mover->stopping) {
		rpc_fail(req, RPC_STATE, "mspd is stopping");
		return false;
	}
	if (!p->stream_id) {
		rpc_fail(req, RPC_INVALID_PARAMS, "stream_id: must not be zero");
		return false;
	}
	if (rec && !rec->closed) {
		rpc_fail(req, RPC_EXISTS, "stream %016" PRIx64 " is moving already",
			 p->stream_id);
		return false;
	}
	if (mover->running >= mover->config.max_vasi_ops) {
		rpc_fail(req, RPC_NOT_ENOUGH, "%u moves are running, the limit is %u (max_vasi_ops)",
			 mover->running, mover->config.max_vasi_ops);
		return false;
	}
	return true;
}

static void handle_start(struct rpc_request *req, const json_t *params, void *data)
{
	struct mover *mover = data;
	const char *path = rpc_get_string(params, "device", NULL);
	struct move_params p;
	struct move_record *rec;
	struct command *cmd;
	struct device *d;

	if (parse_start(req, params, mover, &p) || !may_start(mover, req, &p))
		return;
	d = choose_device(mover, path);
	if (!d) {
		rpc_fail(req, RPC_NOT_FOUND, "no device %.256s", path);
		return;
	}
	if (ready_device(mover, req, d))
		return;
	rec = new_record(mover, d, &p);
	cmd = rec ? new_command(req, rec, move_start) : NULL;
	if (!cmd) {
		if (rec) {
			TAILQ_REMOVE(&mover->records, rec, link);
			put_record(rec);
			mover->running--;
		}
		rpc_fail(req, RPC_NOT_ENOUGH, "out of memory");
		return;
	}
	if (p.role == VASI_SERVICE_SOURCE_MOVER)
		snprintf(rec->status.peer, sizeof(rec->status.peer), "%s",
			 rpc_get_string(params, "peer", ""));
	cmd->params = p;
	cmd->identity = identity_get(mover->identity);
	post_command(cmd);
}

/* ---- information ---- */

static void handle_info(struct rpc_request *req, const json_t *params, void *data)
{
	struct mover *mover = data;
	const struct config *c = &mover->config;
	json_t *devices = json_array();
	struct move_record *rec;
	uint64_t buffers = 0;

	(void)params;
	TAILQ_FOREACH(rec, &mover->records, link)
		buffers += status_of(rec).buffer_bytes;
	for (unsigned int i = 0; i < c->nvasi; i++) {
		const struct device *d = &mover->devices[i];

		json_array_append_new(devices,
				      json_pack("{s:s, s:b}", "path", d->path,
						"connected", d->state == DEVICE_OPEN));
	}
	rpc_reply(req, json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:s, s:b, s:o, s:i, s:i, s:i, s:i, s:i, s:o}",
				 "version", VASI_VERSION,
				 "identity", mover->identity->name,
				 "certificate", mover->identity->pem,
				 "encrypt_data", c->encrypt_data,
				 "kernel_tls", mover->identity->kernel,
				 "protocol_major", WIRE_MAJOR,
				 "protocol_minor", WIRE_MINOR,
				 "device", mover->devices[0].path,
				 "connected", mover->devices[0].state == DEVICE_OPEN,
				 "devices", devices,
				 "operations_max", (int)c->max_vasi_ops,
				 "operations", (int)mover->running,
				 "concurrency_lvl", (int)c->concurrency_lvl,
				 "workers", (int)mover->nworkers,
				 "donors", (int)donor_pool_threads(mover->donors),
				 "buffer_bytes_now", rpc_json_u64(buffers)));
}

static void handle_check_peer(struct rpc_request *req, const json_t *params, void *data)
{
	struct mover *mover = data;
	const char *pem = rpc_get_string(params, "certificate", "");
	char name[IDENTITY_BYTES];
	char why[IDENTITY_ERROR_BYTES];

	switch (identity_check(mover->identity, pem, name, why)) {
	case 0:
		rpc_reply(req, json_pack("{s:s}", "identity", name));
		break;
	case -EBADMSG:
		rpc_fail(req, RPC_INVALID_PARAMS, "certificate: %s", why);
		break;
	case -EACCES:
		rpc_fail(req, RPC_NOT_AUTHORISED, "%s is not trusted here: %s", name, why);
		break;
	default:
		rpc_fail(req, RPC_NOT_ENOUGH, "%s", why);
		break;
	}
}

static void handle_status(struct rpc_request *req, const json_t *params, void *data)
{
	uint64_t id = rpc_get_stream_id(params, "stream_id");
	struct move_record *rec = find(data, id);
	struct move_status st;

	if (!rec) {
		rpc_fail(req, RPC_NOT_FOUND, "no move of stream %016" PRIx64, id);
		return;
	}
	st = status_of(rec);
	rpc_reply(req, status_json(&st));
}

static void handle_list(struct rpc_request *req, const json_t *params, void *data)
{
	struct mover *mover = data;
	json_t *moves = json_array();
	struct move_record *rec;
	struct move_status st;

	(void)params;
	TAILQ_FOREACH(rec, &mover->records, link) {
		st = status_of(rec);
		json_array_append_new(moves, status_json(&st));
	}
	rpc_reply(req, json_pack("{s:o}", "moves", moves));
}

/* ---- the table ---- */

static const char *const roles[] = { "source", "target", NULL };
static const char *const phases[] = {
	"starting", "connecting", "listening", "moving", "suspending", "suspended",
	"resumed", "completed", "aborted", "parked", "failed", "ended", NULL
};

static const struct rpc_param stream_params[] = {
	{ .name = "stream_id", .type = RPC_STREAM_ID, .required = true },
	{ }
};

static const struct rpc_param start_params[] = {
	{ .name = "stream_id", .type = RPC_STREAM_ID, .required = true },
	{ .name = "role", .type = RPC_STRING, .required = true, .one_of = roles },
	{ .name = "peer_identity", .type = RPC_STRING, .required = true },
	{ .name = "peer", .type = RPC_STRING },
	{ .name = "listen", .type = RPC_STRING },
	{ .name = "device", .type = RPC_STRING },
	{ .name = "sessions", .type = RPC_INTEGER,
	  .min = 1, .max = WIRE_MAX_SESSIONS },
	{ .name = "connections", .type = RPC_INTEGER,
	  .min = 1, .max = WIRE_MAX_CONNECTIONS },
	{ .name = "limit", .type = RPC_INTEGER },
	{ .name = "suspend", .type = RPC_ANY },
	{ }
};

static const struct rpc_param wait_params[] = {
	{ .name = "stream_id", .type = RPC_STREAM_ID, .required = true },
	{ .name = "phase", .type = RPC_STRING, .one_of = phases },
	{ .name = "timeout_ms", .type = RPC_INTEGER, .max = INT32_MAX },
	{ }
};

static const struct rpc_param check_peer_params[] = {
	{ .name = "certificate", .type = RPC_STRING, .required = true,
	  .min = 1, .max = IDENTITY_MAX_PEM },
	{ }
};

static const struct rpc_param limit_params[] = {
	{ .name = "stream_id", .type = RPC_STREAM_ID, .required = true },
	{ .name = "bytes_per_second", .type = RPC_INTEGER, .required = true },
	{ }
};

static const struct rpc_method methods[] = {
	{ "info", handle_info, NULL },
	{ "check_peer", handle_check_peer, check_peer_params },
	{ "start", handle_start, start_params },
	{ "status", handle_status, stream_params },
	{ "list", handle_list, NULL },
	{ "wait", handle_wait, wait_params },
	{ "limit", handle_limit, limit_params },
	{ "suspend", handle_suspend, stream_params },
	{ "probe", probe_request, probe_params },
	{ "stop", handle_stop, stream_params },
	{ }
};

/**
 * ctl_open() - listen on the control socket
 * @mover: the daemon
 *
 * Return: 0 or negative errno.
 */
int ctl_open(struct mover *mover)
{
	TAILQ_INIT(&mover->records);
	TAILQ_INIT(&mover->waits);
	return rpc_server_new(mover->event, mover->config.socket,
			      mover->config.socket_mode, methods, mover,
			      &mover->server);
}

/**
 * ctl_close() - the opposite; no move is running
 * @mover: the daemon
 */
void ctl_close(struct mover *mover)
{
	struct move_record *rec;
	struct wait *wait;

	while ((wait = TAILQ_FIRST(&mover->waits))) {
		rpc_fail(wait->request, RPC_FAILED, "mspd was stopped");
		end_wait(wait);
	}
	while ((rec = TAILQ_FIRST(&mover->records))) {
		TAILQ_REMOVE(&mover->records, rec, link);
		put_record(rec);
	}
	mover->server = rpc_server_free(mover->server);
}

/**
 * ctl_shutdown_moves() - have every running move end
 * @mover: the daemon
 */
void ctl_shutdown_moves(struct mover *mover)
{
	struct move_record *rec;
	struct command *cmd;

	TAILQ_FOREACH(rec, &mover->records, link) {
		if (rec->closed)
			continue;
		cmd = new_command(NULL, rec, move_shutdown);
		if (cmd)
			post_command(cmd);
	}
	probes_stop(mover);
}

/**
 * ctl_check_stopped() - when stopping: go on once all moves and devices are gone
 * @mover: the daemon
 */
void ctl_check_stopped(struct mover *mover)
{
	bool open = false;

	if (!mover->stopping || mover->running || !LIST_EMPTY(&mover->probes))
		return;
	for (unsigned int i = 0; i < mover->config.nvasi; i++) {
		struct device *d = &mover->devices[i];

		if (d->state == DEVICE_OPEN)
			device_close(d);
		open |= d->state != DEVICE_CLOSED;
	}
	if (!open)
		sd_event_exit(mover->event, 0);
}
