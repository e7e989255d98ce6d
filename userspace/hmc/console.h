/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The management console: what its commands share (Documentation/console.rst).
 *
 * The console keeps no state of its own.  What it knows of a move it reads from
 * the platforms and movers each time, so that any command can go on where
 * another one ended, or was killed.
 */
#ifndef _HMC_CONSOLE_H
#define _HMC_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "common/rpc.h"

#define CONSOLE_FILE		"/etc/lpm/console.json"
#define CONSOLE_FILE_BYTES	(1U << 20)
#define CONSOLE_SYSTEMS		64
#define CONSOLE_USERS		1024
#define CONSOLE_MSPS		16		/* of a system */
#define NAME_BYTES		32		/* of a system, an MSP or a partition */
#define CALL_TIMEOUT_MS		10000
#define CALL_TEXT_BYTES		1024		/* what is told of one that failed */
#define MAKE_TIMEOUT_MS		600000		/* memory is set aside and zeroed */

enum exit_code {
	EXIT_DONE	= 0,
	EXIT_FAILED	= 1,
	EXIT_USAGE	= 2,	/* wrong usage, or an unusable console file */
};

struct remote;

/**
 * struct msp - a mover service partition
 * @name:	of the partition
 * @lpar_id:	of the partition
 * @socket:	control socket of its mspd
 * @device:	its VASI device, as the system's vasi-phypd names it
 * @address:	where other MSPs reach it: an IPv4 or IPv6 address
 * @remote:	the console through which it is reached, NULL = this one
 * @system:	with @remote: name of its system there
 * @preferred:	to be chosen if it can be used
 * @deadline_ns: calls are answered by then, of now_ns(); 0 = never
 */
struct msp {
	const char *name;
	const char *socket;
	const char *device;
	const char *address;
	struct remote *remote;
	const char *system;
	uint32_t lpar_id;
	bool preferred;
	uint64_t deadline_ns;
};

/**
 * struct managed_system - a system that the console knows
 * @name:	its name in commands
 * @socket:	management socket of its vasi-phypd
 * @msps:	its movers
 * @nmsps:	how many, may be 0
 * @remote:	the console through which it is reached, NULL = this one
 * @deadline_ns: calls are answered by then, of now_ns(); 0 = never
 */
struct managed_system {
	const char *name;
	const char *socket;
	struct msp msps[CONSOLE_MSPS];
	size_t nmsps;
	struct remote *remote;
	uint64_t deadline_ns;
};

/**
 * struct console - the console file
 * @systems:	in the file's order
 * @nsystems:	how many
 * @hidden:	those of the file that are not the user's: nobody names or lists them, but
 *		what is left of a move from one of @systems is tidied up there, too
 * @nhidden:	how many
 * @remotes:	other consoles whose systems are among them (hmc/remote.h)
 * @root:	the file as JSON; holds the strings
 * @fd:		the file; its lock keeps two commands from cleaning up at once
 */
struct console {
	struct managed_system *systems;
	size_t nsystems;
	struct managed_system *hidden;
	size_t nhidden;
	struct remote *remotes;
	json_t *root;
	int fd;
};

/**
 * struct command - one of the console's commands
 * @name:	what the user types
 * @usage:	for --help
 * @run:	argv[0] is the name; the console is still to be opened
 */
struct command {
	const char *name;
	const char *usage;
	int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_migrlpar;
extern const struct command command_lslparmigr;
extern const struct command command_lssyscfg;
extern const struct command command_lshwres;
extern const struct command command_lsrefcode;
extern const struct command command_chsyscfg;
extern const struct command command_chsysstate;
extern const struct command command_mksyscfg;
extern const struct command command_rmsyscfg;
extern const struct command command_chlparstate;
extern const struct command command_messages;
extern const struct command command_checks;
extern const struct command command_diagrmc;
extern const struct command command_hmcrelay;
extern const struct command command_lshmc;
extern const struct command command_lshmcusr;
extern const struct command command_mkauthkeys;

/* Messages: a code, then what was found, what was expected, what to do */
void message(const char *code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int usage_error(const struct command *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int unknown_option(const struct command *command, char **argv);
int unexpected_argument(const struct command *command, const char *argument);
bool name_is_valid(const char *name);

/* The console file */
int console_open(const char *path, struct console *console);
int console_reopen(struct console *console);
void console_close(struct console *console);
json_t *console_peek(const char *path);
struct managed_system *console_find(struct console *console, const char *name);
struct managed_system *console_find_peer(struct console *console, const char *name);
void console_no_system(const struct console *console, const char *option, const char *name);
void console_set_deadline(struct console *console, uint64_t deadline_ns);
int console_lock(struct console *console, bool wait);
void console_unlock(struct console *console);

/* Calls.  Each returns 0 or a negative errno with @err filled in */
int system_call(const struct managed_system *system, const char *method,
		json_t *params, json_t **result, struct rpc_error *err);
int msp_call(const struct msp *msp, const char *method, json_t *params,
	     json_t **result, struct rpc_error *err);
void msp_message(const struct managed_system *system, const struct msp *msp,
		 const char *what, const struct rpc_error *err);
void call_message(const struct managed_system *system, const char *what,
		  const struct rpc_error *err);
void place_message(const struct managed_system *system, const struct msp *msp,
		   const char *what, const struct rpc_error *err);
bool call_forbidden(const struct rpc_error *err);
const char *call_text(const struct managed_system *system, const char *what,
		      const struct rpc_error *err, char text[CALL_TEXT_BYTES]);
const char *msp_text(const struct managed_system *system, const struct msp *msp,
		     const char *what, const struct rpc_error *err,
		     char text[CALL_TEXT_BYTES]);

/* Members of answers; "" and 0 when they are not there */
const char *text_of(const json_t *object, const char *name);
int64_t number_of(const json_t *object, const char *name);
bool flag_of(const json_t *object, const char *name);

/**
 * struct partition_key - which partition a command is about
 * @name:	its name, or NULL
 * @id:		its id, if there is no name
 */
struct partition_key {
	const char *name;
	uint32_t id;
};

int look_for_partition(const struct managed_system *system, const struct partition_key *key,
		       json_t **partition, struct rpc_error *err);
int find_partition(const struct managed_system *system,
		   const struct partition_key *key, json_t **partition);
bool partition_is_shown(const struct managed_system *system, const char *name);
int show_stream(const struct managed_system *system, const char *id,
		json_t **stream, struct rpc_error *err);
json_t *find_stream(const json_t *streams, const char *role,
		    const char *partition, const char *id);
bool stream_is(const json_t *stream, const char *state);
bool stream_is_final(const json_t *stream);
bool stream_is_committing(const json_t *stream);
const struct msp *find_mover(const struct managed_system *system,
			     const char *id, json_t **status);
const char *lpar_state(const json_t *partition);

/**
 * struct plan - a migration, as validation found it
 * @source: @target: the systems
 * @source_msp: @target_msp: the movers; NULL for an inactive one
 * @source_info: @target_info: system.info of both
 * @partition:	partition.show on the source
 * @description: partition.describe; its config is what the target is to get
 * @mappings:	array of what hosts each virtual adapter on the target, as
 *		Documentation/console.rst has it; NULL without a config
 * @prediction:	how it is expected to go, as predict_json() tells; NULL = not known
 * @active:	the partition runs, or is suspended: it needs movers
 * @suspended:	it is suspended, and stays so
 * @id:		the stream, once it has one
 * @reserved:	the shell, or the partition, on the target is ours
 * @target_lpar_id: its id there
 * @verbose:	tell each step
 * @step:	the last that began (step.h), 0 = none
 * @told:	its agent was told that it moves
 */
struct plan {
	struct managed_system *source;
	struct managed_system *target;
	const struct msp *source_msp;
	const struct msp *target_msp;
	json_t *source_info;
	json_t *target_info;
	json_t *partition;
	json_t *description;
	json_t *mappings;
	json_t *prediction;
	bool active;
	bool suspended;
	char id[RPC_STREAM_ID_BYTES];
	bool reserved;
	int64_t target_lpar_id;
	bool verbose;
	unsigned int step;
	bool told;
};

struct watcher;

/**
 * struct move_options - how a migration is to be done
 * @verbose:	say what is found and done
 * @async:	return as soon as it moves
 * @wait_ms:	how long it may take; 0 = any time
 * @deadline_ns: when that is over, of now_ns()
 * @limit:	bytes a second that it may send, -1 = not given
 * @downtime_ms: how long the partition may stand still, -1 = not given
 * @suspend:	who suspends it, "partition" or "platform"; NULL = not given
 * @suspend_ms:	how long a partition may take for that, 0 = not given
 * @all_pages:	the target has all of it before it goes on there
 * @detail:	-d, 0 to 5
 * @nodetails:	only codes and what was found
 * @force:	warnings that --force may override are no errors
 * @redundant_vios: --redundantvios, 0 to 2
 * @redundant_msps: --redundantmsps, 0 to 2
 * @mpio:	1 = the layout must be kept, 2 = it may be lost with a warning
 * @vlanbridge:	1 = every VLAN must be bridged, 2 = that is a warning
 * @npivval:	"port" or "portdisk"; NULL = port
 * @profile:	-n, the profile on the target; NULL = the current one
 * @predict:	measure how it would go
 * @data:	attributes of -i or -f, an object of strings; NULL = none
 * @watcher:	who wants to know how it goes on (progress.h); NULL = nobody
 */
struct move_options {
	bool verbose;
	bool async;
	uint64_t wait_ms;
	uint64_t deadline_ns;
	int64_t limit;
	int64_t downtime_ms;
	const char *suspend;
	int64_t suspend_ms;
	bool all_pages;
	int detail;
	bool nodetails;
	bool force;
	int redundant_vios;
	int redundant_msps;
	int mpio;
	int vlanbridge;
	const char *npivval;
	const char *profile;
	bool predict;
	json_t *data;
	const struct watcher *watcher;
};

int validate(struct plan *plan, const struct partition_key *key,
	     const struct move_options *options);
int plan_movers(struct plan *plan);
void plan_release(struct plan *plan);
int move_start(struct plan *plan, const struct move_options *options);
int move_start_movers(struct plan *plan, const struct move_options *options);
int move_watch(struct console *console, struct plan *plan,
	       const struct move_options *options);

/* Partitions that take part, by an agent in them */
bool has_agent(const struct plan *plan);
bool takes_part(const struct plan *plan, const struct move_options *options);
int tell_agent(const struct managed_system *system, const struct plan *plan,
	       const char *phase, unsigned int timeout_ms, struct rpc_error *err);
int choose_id(char id[RPC_STREAM_ID_BYTES]);
int ask_partition(struct plan *plan, struct rpc_error *err);
void end_agent(const struct plan *plan);
void message_partition(struct plan *plan, const json_t *stream);
void hear_partition(const struct plan *plan);

/* What a move was like */
void report_move(const struct plan *plan, const json_t *source);

/* What is left of moves that ended */
int undo(struct plan *plan);
int finish(struct plan *plan, bool wait);
void settle(struct console *console, struct managed_system *system);
int stop_move(struct console *console, struct managed_system *source,
	      const struct partition_key *key);
int recover_move(struct console *console, struct managed_system *source,
		 struct managed_system *target, const struct partition_key *key,
		 const struct move_options *options);
int clean_failed(struct console *console, struct managed_system *source,
		 const char *partition);

void sleep_ms(unsigned int ms);

#endif /* _HMC_CONSOLE_H */
