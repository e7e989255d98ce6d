/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A move: one stream, as one mover sees it.
 *
 * Everything in struct move belongs to the worker of its device.  What other
 * threads may see of it is in struct move_record, under its lock.
 *
 *   move.c	phases, sessions, events of the platform, the end
 *   link.c	connections to the peer, and the frames both sides know
 *   source.c	the source mover
 *   target.c	the target mover
 */
#ifndef _MOVE_H
#define _MOVE_H

#include <jansson.h>
#include <sys/queue.h>
#include "common/rpc.h"
#include "config.h"
#include "conn.h"
#include "credit.h"
#include "donor.h"
#include "frames.h"
#include "intake.h"
#include "limit.h"
#include "opqueue.h"
#include "policy.h"
#include "wire.h"
#include "worker.h"

struct device;
struct move;
struct mover;

enum move_phase {
	PHASE_STARTING,		/* the first session is being opened */
	PHASE_CONNECTING,	/* source: until all connections are attached */
	PHASE_LISTENING,	/* target: likewise */
	PHASE_MOVING,
	PHASE_SUSPENDING,
	PHASE_SUSPENDED,
	PHASE_RESUMED,
	/* The move has ended: */
	PHASE_COMPLETED,
	PHASE_ABORTED,
	PHASE_PARKED,
	PHASE_FAILED,
	PHASES,
};

/* What kept a source mover from sending more */
enum move_bound {
	BOUND_NONE,
	BOUND_CREDIT,
	BOUND_LINK,
	BOUND_SOURCE,
	BOUND_TARGET,
	BOUND_LIMIT,
	BOUNDS,
};

#define MOVE_ERROR_BYTES	384

/**
 * struct move_status - what is told about a move; sizes in bytes, times in ns
 * @stream_id:	of the stream
 * @role:	source or target mover
 * @phase:	enum move_phase
 * @state:	what the platform said last
 * @transmitted: stream bytes the target's platform has taken
 * @remaining:	what the platform says is left
 * @total:	what it said at the beginning
 * @rate:	bytes a second
 * @dirty_rate:	bytes a second that the partition dirties (source)
 * @pass:	passes that have ended (source)
 * @bound:	what limits the move
 * @limit:	bandwidth limit; 0 = none
 * @sessions, @connections: in use
 * @rtt_us:	round trip to the peer
 * @started_ns, @ended_ns: when; 0 = not yet
 * @buffer_bytes: memory of its buffers
 * @bound_ns:	how long each bound held
 * @cipher:	who encrypts the data connections, once they are there
 * @peer:	address of the other mover
 * @peer_identity: who it has to be
 * @error:	why it ended, unless it completed
 */
struct move_status {
	uint64_t stream_id;
	enum vasi_service role;
	enum move_phase phase;
	enum vasi_state state;
	uint64_t transmitted;
	uint64_t remaining;
	uint64_t total;
	uint64_t rate;
	uint64_t dirty_rate;
	uint32_t pass;
	enum move_bound bound;
	uint64_t limit;
	unsigned int sessions;
	unsigned int connections;
	uint32_t rtt_us;
	uint64_t started_ns;
	uint64_t ended_ns;
	uint64_t buffer_bytes;
	uint64_t bound_ns[BOUNDS];
	enum conn_cipher cipher;
	char peer[CONN_NAME_BYTES + 8];
	char peer_identity[IDENTITY_BYTES];
	char error[MOVE_ERROR_BYTES];
};

/**
 * struct move_record - a move as the main thread keeps it, also after its end
 * @link:	of the mover's records; main thread
 * @refs:	commands under way, and the list; main thread
 * @closed:	the worker has let go of it; main thread
 * @device:	of the move
 * @stream_id:	of the move; never changes
 * @lock:	protects @status and @told
 * @status:	the latest
 * @told:	@changed is posted
 * @changed:	to the main thread: the phase changed
 * @gone:	to the main thread, last: the worker has let go
 * @move:	the move, NULL once it is freed; worker's thread
 */
struct move_record {
	TAILQ_ENTRY(move_record) link;
	unsigned int refs;
	bool closed;
	struct mover *mover;
	struct device *device;
	uint64_t stream_id;
	pthread_mutex_t lock;
	struct move_status status;
	bool told;
	struct mail changed;
	struct mail gone;
	struct move *move;
};

/**
 * struct move_params - how to start a move
 * @stream_id:	of the stream
 * @role:	source or target mover
 * @address:	source: of the peer; target: where to listen
 * @peer_identity: who the peer has to be
 * @sessions, @connections: wished
 * @limit:	bytes a second, 0 = none
 * @policy:	when to suspend
 */
struct move_params {
	uint64_t stream_id;
	enum vasi_service role;
	struct conn_address address;
	char peer_identity[IDENTITY_BYTES];
	unsigned int sessions;
	unsigned int connections;
	uint64_t limit;
	struct policy_params policy;
};

/**
 * struct command - a request of the control socket on its way to a worker and back
 * @mail:	carries it
 * @execute:	what to do; the worker's thread.  Ends with command_done() or
 *		command_fail(), then or later.
 * @request:	answered by the main thread
 * @record:	the move it is about
 * @params:	start
 * @identity:	start: own; held
 * @rate:	limit
 * @code:	0, or enum rpc_code
 * @text:	of an error
 * @result:	of a success, or NULL
 */
struct command {
	struct mail mail;
	void (*execute)(struct command *cmd);
	struct rpc_request *request;
	struct move_record *record;
	struct move_params params;
	struct identity *identity;
	uint64_t rate;
	int code;
	char text[MOVE_ERROR_BYTES];
	json_t *result;
};

void command_done(struct command *cmd, json_t *result);
void command_fail(struct command *cmd, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

enum session_state {
	SESSION_NONE,
	SESSION_OPENING,
	SESSION_OPEN,
	SESSION_CLOSING,
	SESSION_CLOSED,
};

/**
 * struct session - one session of a move
 * @move:	of it
 * @index:	in the move
 * @state:	its life
 * @vasi:	libvasi's
 * @donor:	the donors' view
 * @out:	what the platform wants sent: the stream (source) or reverse data
 * @in:		what arrived for the platform: the stream (target) or reverse data
 * @out_ready:	@out is initialised; likewise @in_ready
 * @credit:	source: for @out
 * @messages:	of the peer that our platform has not answered
 * @kick:	the donors are to look at it in this turn
 */
struct session {
	struct move *move;
	unsigned int index;
	enum session_state state;
	struct vasi_session *vasi;
	struct donor_entry donor;
	struct opqueue out;
	struct intake in;
	bool out_ready;
	bool in_ready;
	struct credit credit;
	unsigned int messages;
	bool kick;
};

enum link_kind {
	LINK_PENDING,		/* target: has not said what it is */
	LINK_CONTROL,
	LINK_DATA,
};

#define BATCH_FRAMES	16
#define BATCH_BYTES	(1u << 20)

/**
 * struct batch - frames that one send of a data connection carries
 * @active:	it is being sent
 * @frames:	how many
 * @headers:	of them
 * @session:	of each
 * @span:	of each
 * @iov:	headers and data
 */
struct batch {
	bool active;
	unsigned int frames;
	struct wire_header headers[BATCH_FRAMES];
	struct session *session[BATCH_FRAMES];
	struct op_span span[BATCH_FRAMES];
	struct iovec iov[CONN_MAX_IOV];
};

/**
 * struct link - a connection to the peer
 * @entry:	of the move
 * @move:	of it
 * @conn:	the connection
 * @kind:	what it is for
 * @index:	data connections: which
 * @secured:	the peer is who it has to be
 * @attached:	data connections: both sides agree
 * @send_failed: data connections of a source: nothing more can be sent
 * @ended:	the peer sends no more
 * @closing:	conn_close() was called
 * @end_after:	it was refused: what comes is only read until the peer closes
 * @refused_ns:	when that was
 * @discarded:	bytes that were read since
 * @reader:	of it
 * @writer:	control frames, and the handshake of data connections
 * @batch:	source, data connections
 * @next_session: source: whose turn it is
 * @body:	of frames that go nowhere else
 * @session, @frame: DATA or REVERSE that is arriving
 * @opened_ns:	when
 */
struct link {
	TAILQ_ENTRY(link) entry;
	struct move *move;
	struct conn *conn;
	enum link_kind kind;
	unsigned int index;
	bool secured;
	bool attached;
	bool send_failed;
	bool ended;
	bool closing;
	bool end_after;
	uint64_t refused_ns;
	uint64_t discarded;
	struct reader reader;
	struct writer writer;
	struct batch *batch;
	unsigned int next_session;
	uint8_t body[WIRE_MAX_BODY];
	struct session *session;
	uint32_t frame;
	uint64_t opened_ns;
};

/* Reverse data with the writer: spans wait here until it is sent */
#define MAX_REVERSE	64

struct reverse {
	struct session *session;
	struct op_span span;
	uint64_t sequence;
};

#define MAX_EARLY_MESSAGES	16

struct move {
	LIST_ENTRY(move) entry;		/* of the device */
	struct move_record *record;
	struct device *device;
	struct worker *worker;
	const struct config *config;
	struct identity *identity;	/* held */
	struct move_params params;
	struct command *starting;	/* not answered yet */
	struct move_status status;
	enum vasi_state state;
	uint32_t status_reason;		/* that came with @state */

	/* The end */
	bool ending;
	bool bye_said;
	enum wire_code end_code;	/* what it says */
	enum move_phase outcome;
	bool outcome_by_state;		/* the platform's state decides */
	uint64_t end_deadline_ns;
	bool abort_sent;
	uint64_t abort_deadline_ns;	/* the platform was asked to abort */
	enum vasi_state peer_state;	/* as the peer's platform said */
	bool peer_done;			/* the peer has said BYE */
	uint64_t peer_done_deadline_ns;

	/* Sessions */
	struct session *sessions;
	unsigned int max_sessions;
	unsigned int nsessions;		/* opened, or being opened */
	unsigned int donors;		/* entries in the pool */

	/* The peer */
	struct hello hello;
	struct hello agreed;
	TAILQ_HEAD(, link) links;
	struct link *control;
	struct link *data[WIRE_MAX_CONNECTIONS];
	unsigned int connections;
	unsigned int attached;
	uint8_t tokens[WIRE_MAX_CONNECTIONS][WIRE_TOKEN_BYTES];
	bool token_used[WIRE_MAX_CONNECTIONS];
	struct listener *listener;
	unsigned int refusals;		/* of strangers, so far */
	bool listening;
	uint64_t data_lost_ns;		/* a data connection ended; 0 = none */
	uint64_t last_heard_ns;
	uint64_t connect_deadline_ns;
	uint64_t ping_ns;		/* when the one under way was sent, or 0 */
	uint64_t next_ping_ns;
	uint32_t least_rtt_us;
	uint64_t early[MAX_EARLY_MESSAGES];
	unsigned int nearly;

	/* Source */
	struct policy policy;
	struct limit limit;
	unsigned int next_link;		/* whose turn it is to send first */
	bool total_known;
	bool progress_asked;
	bool suspend_asked;		/* by command */
	bool suspend_sent;
	uint64_t credit_told_ns;	/* waited for credit until the last PING */
	uint64_t credit_asked_ns;	/* when that was */
	bool target_busy;		/* as its last PING said */
	enum move_bound bound;
	uint64_t bound_since_ns;
	uint64_t op_bytes;		/* of an operation: moving average */
	uint64_t next_progress_ns;
	uint64_t adapt_since_ns;
	uint64_t adapt_bytes;

	/* Target */
	bool credit_stopped;		/* as the source's PING said */
	unsigned int wanted_sessions;	/* agreed on; ACCEPT waits for them */
	struct reverse reverse[MAX_REVERSE];
	unsigned int reverse_head;
	unsigned int reverse_tail;

	/* Rates */
	struct timer timer;
	uint64_t begun_ns;
	uint64_t rate_since_ns;
	uint64_t rate_bytes;
	uint64_t published_ns;
};

/* Tokens of completions that move.c waits for */
enum move_token {
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_SUSPEND,
	TOKEN_ABORT,
	TOKEN_PROGRESS,
	TOKEN_MESSAGE,
};

/* ---- move.c ---- */

const char *move_phase_name(enum move_phase phase);
const char *move_bound_name(enum move_bound bound);
bool move_phase_ended(enum move_phase phase);
int move_phase_parse(const char *text);

void move_start(struct command *cmd);
void move_suspend(struct command *cmd);
void move_limit(struct command *cmd);
void move_stop(struct command *cmd);
void move_shutdown(struct command *cmd);

void move_set_phase(struct move *m, enum move_phase phase);
int move_open_session(struct move *m);
bool move_all_open(const struct move *m);
int move_begin(struct move *m);
void move_signal(struct move *m, enum vasi_signal_code code, uint32_t reason,
		 uint64_t token);
/* End the move: with this outcome, or with the one the platform's state implies */
void move_end(struct move *m, enum move_phase outcome, enum wire_code code,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void move_lost(struct move *m, enum wire_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The peer broke the rules of the protocol */
void move_broken(struct move *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Have the platform abort the stream; the move ends when it has */
void move_abort(struct move *m, uint32_t reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void move_event(struct move *m, const struct vasi_event *event);
void move_device_lost(struct move *m, const char *why);
/* Once in every turn of the event loop, before and after submitting */
void move_turn(struct move *m);
void move_kick(struct move *m);
void move_advance(struct move *m);
uint32_t move_reason(const struct move *m);

/* ---- link.c ---- */

struct link *link_new(struct move *m, struct conn *conn, enum link_kind kind);
extern const struct conn_handler link_handler;
extern const struct conn_handler stray_handler;
void link_start(struct link *link);
void link_close(struct link *link);
void link_resume(struct link *link);
void link_intake_done(struct link *link);
bool link_data_cipher(struct link *link);
int link_send(struct link *link, const struct frame *frame, const void *body);
void link_refuse(struct link *link, enum wire_code code, const char *text);
bool link_is_stranger(const struct link *link);
void link_set_control(struct move *m, struct link *link);
void link_message(struct move *m, unsigned int session, uint64_t data);
void link_send_early(struct move *m);
void link_state(struct move *m);
void link_bye(struct move *m, enum wire_code code, const char *text);
void link_tick(struct move *m, uint64_t now);

/* ---- source.c ---- */

void source_opened(struct move *m, struct session *s);
void source_connected(struct link *link);
int source_begin(struct link *link, const struct frame *frame);
bool source_done(struct link *link, const struct frame *frame);
void source_batch_sent(struct link *link, int err);
void source_progress(struct move *m, const struct vasi_event *event);
void source_turn(struct move *m);
void source_tick(struct move *m, uint64_t now);
bool source_wants_credit(struct move *m, uint64_t now);

/* ---- target.c ---- */

bool target_may_connect(const struct move *m);
void target_opened(struct move *m, struct session *s);
void target_open_failed(struct move *m, struct session *s);
int target_begin(struct link *link, const struct frame *frame);
bool target_done(struct link *link, const struct frame *frame);
void target_turn(struct move *m);
void target_tick(struct move *m, uint64_t now);
void target_progress(struct move *m, const struct vasi_event *event);

/* Does session @s use connection @c? (mover-protocol.rst, "Order and connections") */
static inline bool move_uses(const struct move *m, unsigned int s, unsigned int c)
{
	if (m->connections >= m->nsessions)
		return c % m->nsessions == s;
	return s % m->connections == c;
}

/* What of the protocol's choices this side can: the kernel cannot renew keys */
static inline uint64_t move_features(const struct link *control)
{
	return conn_cipher(control->conn) == CONN_TLS ? WIRE_FEATURE_REKEY : 0;
}

static inline bool move_is_source(const struct move *m)
{
	return m->params.role == VASI_SERVICE_SOURCE_MOVER;
}

#endif /* _MOVE_H */
