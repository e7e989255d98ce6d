// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What systems and movers say: calls to them, and things found in the answers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/util.h"
#include "hmc/console.h"
#include "hmc/remote.h"

/* How long a call may take until @deadline_ns, and @most_ms; -ETIME: it is over */
static int time_left(uint64_t deadline_ns, int most_ms, struct rpc_error *err)
{
	uint64_t now = now_ns();

	if (deadline_ns && deadline_ns <= now) {
		/* Whoever set it tells */
		*err = (struct rpc_error) { .error = -ETIME, .text = "the time is over" };
		return -ETIME;
	}
	/* Rounded up: when it is over, the deadline is too */
	if (deadline_ns)
		most_ms = (int)min((deadline_ns - now) / NSEC_PER_MSEC + 1,
				   (uint64_t)most_ms);
	return most_ms;
}

/**
 * system_call() - call a method of a system's platform
 * @system:	the system
 * @method:	its name
 * @params:	taken over
 * @result:	NULL, or the caller's
 * @err:	why it failed
 *
 * Return: 0 or -EIO: whether a socket is missing, or refuses, must not be taken for what
 * callers mean by -ENOENT or -EAGAIN.
 */
int system_call(const struct managed_system *system, const char *method,
		json_t *params, json_t **result, struct rpc_error *err)
{
	/* One that is suspended is read for its stream */
	bool makes = !strncmp(method, "partition.", 10) || !strcmp(method, "stream.create");
	int ms = time_left(system->deadline_ns, makes ? MAKE_TIMEOUT_MS : CALL_TIMEOUT_MS, err);
	int ret;

	if (ms < 0) {
		json_decref(params);
		return -EIO;
	}
	if (system->remote)
		ret = remote_call(system->remote, system->name, NULL, method, params, ms,
				  result, err);
	else
		ret = rpc_client_call(system->socket, method, params, ms, result, err);
	return ret ? -EIO : 0;
}

/**
 * msp_call() - call a method of a mover
 * @msp:	the mover
 * @method:	its name
 * @params:	taken over
 * @result:	NULL, or the caller's
 * @err:	why it failed
 *
 * Return: 0 or -EIO, as system_call().
 */
int msp_call(const struct msp *msp, const char *method, json_t *params,
	     json_t **result, struct rpc_error *err)
{
	int ms = time_left(msp->deadline_ns, CALL_TIMEOUT_MS, err);
	int ret;

	if (ms < 0) {
		json_decref(params);
		return -EIO;
	}
	if (msp->remote)
		ret = remote_call(msp->remote, msp->system, msp->name, method, params, ms,
				  result, err);
	else
		ret = rpc_client_call(msp->socket, method, params, ms, result, err);
	return ret ? -EIO : 0;
}

/**
 * call_forbidden() - was it refused because of who the user is?
 * @err:	why the call failed
 */
bool call_forbidden(const struct rpc_error *err)
{
	return err->error == -EACCES || err->error == -EPERM;
}

/* What a system or mover of another console did not do is that console's failure */
static const char *put(const struct remote *remote, char text[CALL_TEXT_BYTES],
		       const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static const char *put(const struct remote *remote, char text[CALL_TEXT_BYTES],
		       const char *code, const char *fmt, ...)
{
	int length = 0;
	va_list ap;

	if (remote)
		length = snprintf(text, CALL_TEXT_BYTES,
				  "The command sent to the destination console %s failed: %s ",
				  remote_host(remote), code);
	va_start(ap, fmt);
	vsnprintf(text + length, (size_t)(CALL_TEXT_BYTES - length), fmt, ap);
	va_end(ap);
	return remote ? "HSCLA318" : code;
}

static const char *put_forbidden(const struct managed_system *system, const char *whose,
				 const struct rpc_error *err, char text[CALL_TEXT_BYTES])
{
	return put(system->remote, text, "HSCL350B",
		   "You are not authorised for %s%s: %s. Use this command as a member of that group.",
		   whose, system->name, err->text);
}

/* An older relay does not forward what its console does not know */
static bool is_lacking(const struct remote *remote, const struct rpc_error *err)
{
	return remote && err->code == RPC_METHOD_NOT_FOUND;
}

static const char *put_lacking(const struct remote *remote, const struct rpc_error *err,
			       char text[CALL_TEXT_BYTES])
{
	snprintf(text, CALL_TEXT_BYTES,
		 "The destination console %s lacks a capability: %s. Update it, or its systems.",
		 remote_host(remote), err->text);
	return "HSCLA335";
}

/**
 * call_text() - the message about a system's call that failed
 * @system:	the system
 * @what:	was to be done
 * @err:	why it failed
 * @text:	set to what the user is to be told
 *
 * Return: its code; NULL: the time that the user allowed is over.
 */
const char *call_text(const struct managed_system *system, const char *what,
		      const struct rpc_error *err, char text[CALL_TEXT_BYTES])
{
	if (err->error == -ETIME)
		return NULL;
	if (is_lacking(system->remote, err))
		return put_lacking(system->remote, err, text);
	if (call_forbidden(err))
		return put_forbidden(system, "system ", err, text);
	if (err->code)
		return put(system->remote, text, "LPM0102",
			   "System %s refused to %s: %s (error %d).", system->name, what,
			   err->text, err->code);
	return put(system->remote, text, "LPM0101",
		   "System %s does not answer: %s; expected its vasi-phypd there. Start it, or correct the console file.",
		   system->name, err->text);
}

/**
 * call_message() - tell the user of a system's call that failed
 * @system:	the system
 * @what:	was to be done
 * @err:	why it failed
 */
void call_message(const struct managed_system *system, const char *what,
		  const struct rpc_error *err)
{
	char text[CALL_TEXT_BYTES];
	const char *code = call_text(system, what, err, text);

	if (code)
		message(code, "%s", text);
}

/**
 * msp_text() - the message about a mover's call that failed
 * @system:	the mover's system
 * @msp:	the mover
 * @what:	was to be done
 * @err:	why it failed
 * @text:	set to what the user is to be told
 *
 * Return: its code; NULL: the time that the user allowed is over.
 */
const char *msp_text(const struct managed_system *system, const struct msp *msp,
		     const char *what, const struct rpc_error *err,
		     char text[CALL_TEXT_BYTES])
{
	if (err->error == -ETIME)
		return NULL;
	if (is_lacking(msp->remote, err))
		return put_lacking(msp->remote, err, text);
	if (call_forbidden(err))
		return put_forbidden(system, "the movers of system ", err, text);
	if (err->code)
		return put(msp->remote, text, "LPM0114",
			   "Mover %s of system %s refused to %s: %s (error %d).", msp->name,
			   system->name, what, err->text, err->code);
	return put(msp->remote, text, "LPM0110",
		   "Mover %s of system %s does not answer: %s. Start its mspd, or correct the console file.",
		   msp->name, system->name, err->text);
}

/**
 * msp_message() - tell the user of a mover's call that failed
 * @system:	the mover's system
 * @msp:	the mover
 * @what:	was to be done
 * @err:	why it failed
 */
void msp_message(const struct managed_system *system, const struct msp *msp,
		 const char *what, const struct rpc_error *err)
{
	char text[CALL_TEXT_BYTES];
	const char *code = msp_text(system, msp, what, err, text);

	if (code)
		message(code, "%s", text);
}

/**
 * place_message() - tell the user that a migration could not begin somewhere
 * @system:	the system
 * @msp:	its mover, or NULL: it was the system that was called
 * @what:	was to be done
 * @err:	why it failed
 *
 * That there is no place for another one has a code of its own: it is over when one
 * of the others ends, and of several partitions this one waits for that.
 */
void place_message(const struct managed_system *system, const struct msp *msp,
		   const char *what, const struct rpc_error *err)
{
	if (err->code == RPC_NOT_ENOUGH)
		message("LPM0243", "%s%s%s%s has no place to %s: %s. Repeat it when another migration has ended.",
			msp ? "Mover " : "System ", msp ? msp->name : "",
			msp ? " of system " : "", system->name,
			what, err->text);
	else if (msp)
		msp_message(system, msp, what, err);
	else
		call_message(system, what, err);
}

const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool flag_of(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

/* What has no usable name, a system has made up: it is printed, and in the record */
static bool matches(const json_t *partition, const struct partition_key *key)
{
	if (!name_is_valid(text_of(partition, "name")))
		return false;
	if (key->name)
		return !strcmp(text_of(partition, "name"), key->name);
	return number_of(partition, "lpar_id") == key->id;
}

/**
 * look_for_partition() - find a partition of a system, without a word
 * @system:	the system
 * @key:	which
 * @partition:	as partition.show tells; the caller's
 * @err:	why the system could not be asked
 *
 * Return: 0; -ENOENT if there is none; another negative errno if the system
 * could not be asked.
 */
int look_for_partition(const struct managed_system *system, const struct partition_key *key,
		       json_t **partition, struct rpc_error *err)
{
	json_t *list = NULL, *entry;
	size_t i;
	int ret;

	*partition = NULL;
	ret = system_call(system, "partition.list", NULL, &list, err);
	if (ret)
		return ret;
	json_array_foreach(json_object_get(list, "partitions"), i, entry)
		if (!*partition && matches(entry, key))
			*partition = json_incref(entry);
	json_decref(list);
	return *partition ? 0 : -ENOENT;
}

/**
 * find_partition() - find a partition of a system
 * @system:	the system
 * @key:	which
 * @partition:	as partition.show tells; the caller's
 *
 * Return: 0; -ENOENT if there is none; another negative errno if the system
 * could not be asked.  The user has been told.
 */
int find_partition(const struct managed_system *system,
		   const struct partition_key *key, json_t **partition)
{
	struct rpc_error err;
	int ret = look_for_partition(system, key, partition, &err);

	if (ret && ret != -ENOENT)
		call_message(system, "list its partitions", &err);
	else if (ret && key->name)
		message("HSCL8012",
			"System %s has no partition named %s. List them with lssyscfg -r lpar -m %s.",
			system->name, key->name, system->name);
	else if (ret)
		message("HSCL8012",
			"System %s has no partition with id %u. List them with lssyscfg -r lpar -m %s.",
			system->name, key->id, system->name);
	return ret;
}

/**
 * partition_is_shown() - may a system have a partition of that name?
 * @system:	the system
 * @name:	of the partition
 *
 * Return: false only if the system says that it has none.
 */
bool partition_is_shown(const struct managed_system *system, const char *name)
{
	struct rpc_error err = { 0 };

	return !system_call(system, "partition.show", json_pack("{s:s}", "name", name), NULL,
			    &err) ||
	       err.code != RPC_NOT_FOUND;
}

/**
 * show_stream() - what a system says of a stream
 * @system:	the system
 * @id:		of the stream
 * @stream:	as stream.show tells, the caller's; NULL if it does not know it
 * @err:	why it could not be asked
 *
 * Return: 0, or a negative errno if the system could not be asked.
 */
int show_stream(const struct managed_system *system, const char *id,
		json_t **stream, struct rpc_error *err)
{
	int ret;

	*stream = NULL;
	ret = system_call(system, "stream.show", json_pack("{s:s}", "stream_id", id),
			  stream, err);
	return ret && err->code == RPC_NOT_FOUND ? 0 : ret;
}

/**
 * find_stream() - the latest of a system's streams that fits
 * @streams:	answer of stream.list
 * @role:	"source", "target" or NULL: any
 * @partition:	name, or NULL: any
 * @id:		or NULL: any
 *
 * Return: the stream, a borrowed reference, or NULL.
 */
json_t *find_stream(const json_t *streams, const char *role,
		    const char *partition, const char *id)
{
	json_t *stream, *best = NULL;
	size_t i;

	json_array_foreach(json_object_get(streams, "streams"), i, stream) {
		if ((role && strcmp(text_of(stream, "role"), role)) ||
		    (partition && strcmp(text_of(stream, "partition"), partition)) ||
		    (id && strcmp(text_of(stream, "stream_id"), id)))
			continue;
		if (!best || number_of(stream, "created_ns") > number_of(best, "created_ns"))
			best = stream;
	}
	return best;
}

bool stream_is(const json_t *stream, const char *state)
{
	return !strcmp(text_of(stream, "state"), state);
}

bool stream_is_final(const json_t *stream)
{
	return stream_is(stream, "Completed") || stream_is(stream, "Aborted");
}

/* Past the point where the console may give it up: the target's record decides */
bool stream_is_committing(const json_t *stream)
{
	return stream_is(stream, "Suspended") || stream_is(stream, "Resumed") ||
	       stream_is(stream, "Completed");
}

/**
 * find_mover() - which mover of a system knows a stream
 * @system:	the system
 * @id:		of the stream
 * @status:	NULL, or set to the mover's status of it, the caller's
 *
 * Return: the mover, or NULL: none of those that answer.
 */
const struct msp *find_mover(const struct managed_system *system,
			     const char *id, json_t **status)
{
	struct rpc_error err;
	json_t *answer;

	for (size_t i = 0; i < system->nmsps; i++) {
		answer = NULL;
		if (msp_call(&system->msps[i], "status",
			     json_pack("{s:s}", "stream_id", id), &answer, &err))
			continue;
		if (status)
			*status = answer;
		else
			json_decref(answer);
		return &system->msps[i];
	}
	return NULL;
}

/**
 * lpar_state() - a partition's state in the HMC's words
 * @partition:	as partition.show tells
 */
const char *lpar_state(const json_t *partition)
{
	static const struct {
		const char *platform;
		const char *hmc;
	} states[] = {
		{ "Not Activated", "Not Activated" },
		{ "Starting", "Starting" },
		{ "Running", "Running" },
		{ "Finished", "Running" },
		{ "Migrating - Running", "Migrating - Running" },
		{ "Suspended", "Migrating - Running" },
		{ "Shell", "Migrating - Not Activated" },
		{ "Migrating - Not Activated", "Migrating - Not Activated" },
		{ "Hibernating", "Suspending" },
		{ "Hibernated", "Suspended" },
		{ "Migrating - Hibernated", "Migrating - Suspended" },
		{ "Waking", "Resuming" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(text_of(partition, "state"), states[i].platform))
			return states[i].hmc;
	return "Not Available";
}

/**
 * sleep_ms() - let time pass between two looks at what nothing announces
 * @ms:		milliseconds, below 1000
 */
void sleep_ms(unsigned int ms)
{
	const struct timespec ts = { .tv_nsec = (long)(ms * NSEC_PER_MSEC) };

	nanosleep(&ts, NULL);
}
