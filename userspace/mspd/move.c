// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/util.h"
#include "device.h"
#include "mover.h"
#include "vasi_codec.h"

#define TICK_NS			(10 * NSEC_PER_MSEC)
#define PUBLISH_NS		(50 * NSEC_PER_MSEC)
#define RATE_NS			(250 * NSEC_PER_MSEC)
/* How long the end waits for the peer, and for the platform */
#define END_PEER_NS		(2 * NSEC_PER_SEC)
/* How long a lost data connection waits for the control connection to say why */
#define DATA_LOST_NS		(500 * NSEC_PER_MSEC)
#define ABORT_NS		(5 * NSEC_PER_SEC)

static const char *const phase_names[PHASES] = {
	[PHASE_STARTING]	= "starting",
	[PHASE_CONNECTING]	= "connecting",
	[PHASE_LISTENING]	= "listening",
	[PHASE_MOVING]		= "moving",
	[PHASE_SUSPENDING]	= "suspending",
	[PHASE_SUSPENDED]	= "suspended",
	[PHASE_RESUMED]		= "resumed",
	[PHASE_COMPLETED]	= "completed",
	[PHASE_ABORTED]		= "aborted",
	[PHASE_PARKED]		= "parked",
	[PHASE_FAILED]		= "failed",
};

static const char *const bound_names[BOUNDS] = {
	[BOUND_NONE]	= "none",
	[BOUND_CREDIT]	= "credit",
	[BOUND_LINK]	= "link",
	[BOUND_SOURCE]	= "source",
	[BOUND_TARGET]	= "target",
	[BOUND_LIMIT]	= "limit",
};

#define P(phase)	(1u << PHASE_##phase)
#define ENDS		(P(COMPLETED) | P(ABORTED) | P(PARKED) | P(FAILED))

/* Which phases may follow; a stream that was parked begins in any of the later ones */
static const unsigned int next_phases[PHASES] = {
	[PHASE_STARTING]   = P(CONNECTING) | P(LISTENING) | ENDS,
	[PHASE_CONNECTING] = P(MOVING) | P(SUSPENDING) | P(SUSPENDED) | P(RESUMED) | ENDS,
	[PHASE_LISTENING]  = P(MOVING) | P(RESUMED) | ENDS,
	[PHASE_MOVING]	   = P(SUSPENDING) | P(SUSPENDED) | P(RESUMED) | ENDS,
	[PHASE_SUSPENDING] = P(SUSPENDED) | P(RESUMED) | ENDS,
	[PHASE_SUSPENDED]  = P(RESUMED) | ENDS,
	[PHASE_RESUMED]	   = ENDS,
};

#undef P
#undef ENDS

/**
 * move_phase_name() - name of a phase, as the control socket has it
 * @phase: enum move_phase
 */
const char *move_phase_name(enum move_phase phase)
{
	return phase_names[phase];
}

/**
 * move_phase_parse() - the opposite
 * @text: a name
 *
 * Return: enum move_phase, PHASES for "ended", or -EINVAL.
 */
int move_phase_parse(const char *text)
{
	if (!strcmp(text, "ended"))
		return PHASES;
	for (int i = 0; i < PHASES; i++) {
		if (!strcmp(text, phase_names[i]))
			return i;
	}
	return -EINVAL;
}

/**
 * move_bound_name() - name of what limits a move
 * @bound: enum move_bound
 */
const char *move_bound_name(enum move_bound bound)
{
	return bound_names[bound];
}

/**
 * move_phase_ended() - is a move in this phase over?
 * @phase: enum move_phase
 */
bool move_phase_ended(enum move_phase phase)
{
	return phase >= PHASE_COMPLETED;
}

static void publish(struct move *m, bool tell)
{
	struct move_record *rec = m->record;
	bool post;

	m->published_ns = now_ns();
	pthread_mutex_lock(&rec->lock);
	rec->status = m->status;
	post = tell && !rec->told;
	if (post)
		rec->told = true;
	pthread_mutex_unlock(&rec->lock);
	if (post)
		mailbox_post(&rec->mover->mailbox, &rec->changed);
}

/**
 * move_set_phase() - the one place where a move's phase changes
 * @m: the move
 * @phase: the new one; one that cannot follow is ignored
 */
void move_set_phase(struct move *m, enum move_phase phase)
{
	if (phase == m->status.phase ||
	    !(next_phases[m->status.phase] & (1u << phase)))
		return;
	log_info("stream %016" PRIx64 ": %s -> %s", m->params.stream_id,
		 phase_names[m->status.phase], phase_names[phase]);
	m->status.phase = phase;
	publish(m, true);
}

/* The phase that goes with a state of the platform while the move goes on */
static void follow_state(struct move *m)
{
	if (m->attached < m->connections || !m->connections)
		return;
	switch (m->state) {
	case VASI_STATE_SUSPENDING:
		move_set_phase(m, PHASE_SUSPENDING);
		break;
	case VASI_STATE_SUSPENDED:
		move_set_phase(m, PHASE_SUSPENDED);
		break;
	case VASI_STATE_RESUMED:
		move_set_phase(m, PHASE_RESUMED);
		break;
	default:
		move_set_phase(m, PHASE_MOVING);
		break;
	}
}

/* ---- sessions ---- */

static void donor_removed(struct mail *mail)
{
	struct donor_entry *entry = container_of(mail, struct donor_entry, removed);
	struct session *s = container_of(entry, struct session, donor);

	entry->in_pool = false;
	s->move->donors--;
	/* The turn that follows the mailbox looks whether this was the last */
}

static void donor_stopped(struct mail *mail)
{
	struct donor_entry *entry = container_of(mail, struct donor_entry, stopped);
	struct session *s = container_of(entry, struct session, donor);
	struct move *m = s->move;

	log_debug("stream %016" PRIx64 ": session %u: donation ended with %" PRId64,
		  m->params.stream_id, s->index, entry->result);
	/* Everything else is told by State requests, or follows from closing */
	if (entry->result == VASI_RC_HARDWARE && !m->ending)
		move_lost(m, WIRE_CODE_LOST,
			  "the platform's device no longer takes cycles");
}

static void take_state(struct move *m, enum vasi_state state, uint32_t reason);

static void donor_state_known(struct mail *mail)
{
	struct donor_entry *entry = container_of(mail, struct donor_entry,
						 state_known);
	struct session *s = container_of(entry, struct session, donor);
	struct move *m = s->move;

	/* A stream that was parked: its state changed when nobody was listening.
	 * Anything heard since is newer than this answer.
	 */
	if (m->ending || m->state > VASI_STATE_ENABLED ||
	    entry->state <= VASI_STATE_ENABLED ||
	    entry->state > VASI_STATE_COMPLETED)
		return;
	take_state(m, (enum vasi_state)entry->state, 0);
}

/**
 * move_all_open() - have all sessions that were asked for opened?
 * @m: the move
 */
bool move_all_open(const struct move *m)
{
	for (unsigned int i = 0; i < m->nsessions; i++) {
		if (m->sessions[i].state != SESSION_OPEN)
			return false;
	}
	return true;
}

/**
 * move_open_session() - open the next session
 * @m: the move, with less than @max_sessions
 *
 * Return: 0 or negative errno.
 */
int move_open_session(struct move *m)
{
	struct session *s = &m->sessions[m->nsessions];
	int ret;

	*s = (struct session) { .move = m, .index = m->nsessions };
	ret = vasi_session_open(m->device->dev, m->params.stream_id, m->params.role,
				TOKEN_OPEN, &s->vasi);
	if (ret)
		return ret;
	vasi_session_set_data(s->vasi, s);
	s->state = SESSION_OPENING;
	m->nsessions++;
	return 0;
}

/**
 * move_begin() - all sessions and connections are there: post and donate
 * @m: the move
 *
 * Return: 0 or negative errno of libvasi.
 */
int move_begin(struct move *m)
{
	struct session *s;
	int ret;

	/* Buffers first, on every session, then cycles: the first cycle fixes
	 * the set of sessions.
	 */
	for (unsigned int i = 0; i < m->nsessions; i++) {
		ret = opqueue_post(&m->sessions[i].out);
		if (ret)
			return ret;
	}
	ret = vasi_device_flush(m->device->dev);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < m->nsessions; i++) {
		s = &m->sessions[i];
		s->donor = (struct donor_entry) {
			.device = m->device->donors,
			.session = s->vasi,
			.stream_id = m->params.stream_id,
			.mailbox = &m->worker->mailbox,
			.removed.run = donor_removed,
			.stopped.run = donor_stopped,
			.state_known.run = donor_state_known,
			.ask_state = !i,
		};
		m->donors++;
		donor_add(&s->donor);
	}
	m->rate_since_ns = now_ns();
	m->begun_ns = m->rate_since_ns;
	m->bound_since_ns = m->rate_since_ns;
	m->status.sessions = m->nsessions;
	m->status.connections = m->connections;
	follow_state(m);
	return 0;
}

/**
 * move_kick() - have the donors look at the sessions that need it
 * @m: the move; what it submitted is with the platform
 */
void move_kick(struct move *m)
{
	for (unsigned int i = 0; i < m->nsessions; i++) {
		struct session *s = &m->sessions[i];

		if (s->kick)
			donor_kick(&s->donor);
		s->kick = false;
	}
}

/* ---- signals ---- */

/**
 * move_signal() - signal the platform
 * @m: the move, with an open session
 * @code: enum vasi_signal_code
 * @reason: as LoPAR lays it out
 * @token: enum move_token
 */
void move_signal(struct move *m, enum vasi_signal_code code, uint32_t reason,
		 uint64_t token)
{
	struct session *s = &m->sessions[0];
	int ret;

	if (!m->nsessions || s->state != SESSION_OPEN)
		return;
	ret = vasi_signal(s->vasi, code, reason, token);
	if (ret)
		move_lost(m, WIRE_CODE_LOST, "signal %s: %s", vasi_signal_name(code),
			  strerror(-ret));
	for (unsigned int i = 0; i < m->nsessions; i++)
		m->sessions[i].kick = true;
}

/**
 * move_reason() - abort reason that names this mover
 * @m: the move
 */
uint32_t move_reason(const struct move *m)
{
	return (uint32_t)(move_is_source(m) ? VASI_ABORT_SOURCE_VSP :
			  VASI_ABORT_TARGET_VSP) << VASI_REASON_ENTITY_SHIFT;
}

static void set_error(struct move *m, const char *fmt, va_list ap)
{
	if (m->status.error[0])
		return;			/* the first one is the cause */
	vsnprintf(m->status.error, sizeof(m->status.error), fmt, ap);
}

/**
 * move_abort() - have the platform abort; the move ends when it has
 * @m: the move
 * @reason: abort reason
 * @fmt: why, for the user
 */
void move_abort(struct move *m, uint32_t reason, const char *fmt, ...)
{
	va_list ap;

	if (m->ending || m->abort_sent)
		return;
	va_start(ap, fmt);
	set_error(m, fmt, ap);
	va_end(ap);
	if (!m->nsessions || m->sessions[0].state != SESSION_OPEN) {
		move_lost(m, WIRE_CODE_ABORTED, "%s", "");
		return;
	}
	m->abort_sent = true;
	m->abort_deadline_ns = now_ns() + ABORT_NS;
	move_signal(m, VASI_SIGNAL_ABORT, reason, TOKEN_ABORT);
}

/* ---- the end ---- */

/* What the platform's state makes of a move that loses its sessions */
static enum move_phase outcome_by_state(const struct move *m)
{
	switch (m->state) {
	case VASI_STATE_ABORTED:
		return PHASE_ABORTED;
	case VASI_STATE_COMPLETED:
		return PHASE_COMPLETED;
	case VASI_STATE_SUSPENDED:
	case VASI_STATE_RESUMED:
	case VASI_STATE_FAILOVER:
		return PHASE_PARKED;
	default:
		if (m->status.phase < PHASE_MOVING)
			return PHASE_FAILED;
		return move_is_source(m) ? PHASE_ABORTED : PHASE_PARKED;
	}
}

static void close_sessions(struct move *m)
{
	for (unsigned int i = 0; i < m->nsessions; i++) {
		struct session *s = &m->sessions[i];

		if (m->device->lost) {
			s->state = SESSION_CLOSED;
		} else if (s->state == SESSION_OPEN) {
			s->state = SESSION_CLOSING;
			if (vasi_session_close(s->vasi, TOKEN_CLOSE))
				s->state = SESSION_CLOSED;
		}
	}
}

/* The last word to the peer; from now on it has a time to say its own */
static void say_bye(struct move *m)
{
	m->bye_said = true;
	m->end_deadline_ns = now_ns() + END_PEER_NS;
	link_bye(m, m->end_code, m->status.error);
}

/*
 * A session's events come in order, those of two sessions do not: one may tell of the
 * final state before another has delivered the platform's last message for the peer.  So
 * the last word is said when all sessions are closed, which is the last that each says.
 */
static void begin_end(struct move *m, enum wire_code code)
{
	struct link *link, *next;

	m->ending = true;
	m->end_code = code;
	m->end_deadline_ns = now_ns() + END_PEER_NS;
	if (!m->agreed.sessions)
		say_bye(m);
	if (m->starting)
		command_fail(m->starting, RPC_FAILED, "%s", m->status.error);
	m->starting = NULL;
	if (m->listener)
		listener_close(m->listener);
	m->listener = NULL;
	for (link = TAILQ_FIRST(&m->links); link; link = next) {
		next = TAILQ_NEXT(link, entry);
		if (link->kind == LINK_PENDING)
			link_close(link);
	}
	close_sessions(m);
}

/**
 * move_end() - end the move
 * @m: the move
 * @outcome: how
 * @code: for the peer
 * @fmt: why; empty for a move that completed
 */
void move_end(struct move *m, enum move_phase outcome, enum wire_code code,
	      const char *fmt, ...)
{
	va_list ap;

	if (m->ending)
		return;
	va_start(ap, fmt);
	set_error(m, fmt, ap);
	va_end(ap);
	m->outcome = outcome;
	begin_end(m, code);
}

/**
 * move_lost() - end a move that cannot go on; the platform's state says what
 * that means
 * @m: the move
 * @code: for the peer
 * @fmt: why
 */
void move_lost(struct move *m, enum wire_code code, const char *fmt, ...)
{
	va_list ap;

	if (m->ending)
		return;
	va_start(ap, fmt);
	set_error(m, fmt, ap);
	va_end(ap);
	m->outcome_by_state = true;
	begin_end(m, code);
}

/**
 * move_broken() - the peer broke the rules of the protocol
 * @m: the move
 * @fmt: how
 *
 * Before either side is Suspended the stream is aborted, for it cannot go on
 * with this peer; after that it is parked.
 */
void move_broken(struct move *m, const char *fmt, ...)
{
	char text[MOVE_ERROR_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (m->status.phase == PHASE_MOVING && m->state == VASI_STATE_ENABLED &&
	    m->peer_state < VASI_STATE_SUSPENDED)
		move_abort(m, move_reason(m), "%s", text);
	else
		move_lost(m, WIRE_CODE_PROTOCOL, "%s", text);
}

/**
 * move_device_lost() - the device is gone, and every session with it
 * @m: the move
 * @why: what happened
 */
void move_device_lost(struct move *m, const char *why)
{
	move_lost(m, WIRE_CODE_LOST, "device lost: %s", why);
	close_sessions(m);
}

static void free_session(struct session *s)
{
	opqueue_exit(&s->out);
	intake_exit(&s->in);
	if (s->vasi)
		vasi_session_free(s->vasi);
}

/* What is kept of the rate: that of the whole move */
static void average_rate(struct move *m)
{
	uint64_t since = m->begun_ns;

	if (since && m->status.ended_ns > since)
		m->status.rate = (uint64_t)((double)m->status.transmitted *
					    (double)NSEC_PER_SEC /
					    (double)(m->status.ended_ns - since));
}

static void free_move(struct move *m)
{
	struct move_record *rec = m->record;

	timer_clear(&m->timer);
	for (unsigned int i = 0; i < m->nsessions; i++)
		free_session(&m->sessions[i]);
	m->status.ended_ns = now_ns();
	m->status.buffer_bytes = 0;
	m->status.state = m->state;
	if (m->outcome_by_state)
		m->outcome = outcome_by_state(m);
	if (m->outcome == PHASE_COMPLETED) {
		m->status.error[0] = '\0';
		m->status.remaining = 0;
	} else {
		log_warning("stream %016" PRIx64 ": %s", m->params.stream_id,
			    m->status.error);
	}
	average_rate(m);
	move_set_phase(m, m->outcome);
	LIST_REMOVE(m, entry);
	rec->move = NULL;
	mailbox_post(&rec->mover->mailbox, &rec->gone);
	identity_put(m->identity);
	free(m->sessions);
	free(m);
}

static bool sessions_closed(struct move *m)
{
	for (unsigned int i = 0; i < m->nsessions; i++) {
		if (m->sessions[i].state != SESSION_CLOSED)
			return false;
	}
	return true;
}

/*
 * The control connection ends when both sides have said all; the others after
 * it, so that the peer learns why before it sees them go.
 */
static void end_links(struct move *m, uint64_t now)
{
	struct link *control = m->control;
	struct link *link;

	if (control && !control->closing && !control->ended &&
	    now < m->end_deadline_ns) {
		if (writer_idle(&control->writer))
			conn_end_sending(control->conn);
		return;
	}
	TAILQ_FOREACH(link, &m->links, entry)
		link_close(link);
}

/**
 * move_advance() - go on with the end of a move; frees it when all is done
 * @m: the move; called in every turn
 */
void move_advance(struct move *m)
{
	if (!m->ending)
		return;
	if (!m->bye_said && (sessions_closed(m) || now_ns() >= m->end_deadline_ns))
		say_bye(m);
	if (m->bye_said)
		end_links(m, now_ns());
	/* Donors stay until the sessions are closed: closing may need cycles */
	if (!sessions_closed(m))
		return;
	for (unsigned int i = 0; i < m->nsessions; i++) {
		struct donor_entry *entry = &m->sessions[i].donor;

		if (entry->in_pool && !entry->removing_asked) {
			entry->removing_asked = true;
			donor_remove(entry);
		}
	}
	if (m->donors || m->listening || !TAILQ_EMPTY(&m->links))
		return;
	free_move(m);
}

/* ---- what the platform says ---- */

static const char *entity_name(uint32_t reason)
{
	static const char *const names[] = {
		[VASI_ABORT_ORCHESTRATOR] = "the management console",
		[VASI_ABORT_SOURCE_VSP] = "the source mover",
		[VASI_ABORT_FIRMWARE] = "partition firmware",
		[VASI_ABORT_PLATFORM] = "the platform",
		[VASI_ABORT_TARGET_VSP] = "the target mover",
		[VASI_ABORT_PARTITION] = "the partition",
	};
	uint32_t entity = reason >> VASI_REASON_ENTITY_SHIFT;

	if (entity >= ARRAY_SIZE(names) || !names[entity])
		return "an unknown party";
	return names[entity];
}

static bool is_final(enum vasi_state state)
{
	return state == VASI_STATE_ABORTED || state == VASI_STATE_COMPLETED ||
	       state == VASI_STATE_FAILOVER;
}

/* Each session tells of every state, in its own time: did another one tell before? */
static bool is_old(enum vasi_state known, enum vasi_state state)
{
	if (state == known || is_final(known))
		return true;
	return !is_final(state) && state < known;
}

static void take_state(struct move *m, enum vasi_state state, uint32_t reason)
{
	if (is_old(m->state, state))
		return;
	m->state = state;
	m->status.state = state;
	m->status_reason = reason;
	log_info("stream %016" PRIx64 ": platform says %s", m->params.stream_id,
		 vasi_state_name(state));
	if (m->ending)
		return;
	link_state(m);
	switch (state) {
	case VASI_STATE_ABORTED:
		move_end(m, PHASE_ABORTED, WIRE_CODE_ABORTED,
			 "aborted by %s (reason 0x%08x)", entity_name(reason), reason);
		break;
	case VASI_STATE_COMPLETED:
		move_end(m, PHASE_COMPLETED, WIRE_CODE_OK, "%s", "");
		break;
	case VASI_STATE_FAILOVER:
		move_end(m, PHASE_PARKED, WIRE_CODE_LOST,
			 "the platform moved the stream to another pair of movers");
		break;
	default:
		follow_state(m);
		break;
	}
}

static int open_error_code(uint8_t status)
{
	switch (status) {
	case VASI_INVALID_STREAM_ID:
		return RPC_NOT_FOUND;
	case VASI_INVALID_SERVICE:
		return RPC_NOT_AUTHORISED;
	case VASI_STREAM_ABORTED:
		return RPC_STATE;
	case VASI_TOO_MANY_OPENS:
		return RPC_NOT_ENOUGH;
	default:
		return RPC_FAILED;
	}
}

static void open_failed(struct move *m, struct session *s, uint8_t status)
{
	s->state = SESSION_CLOSED;
	if (m->ending)
		return;
	if (!move_is_source(m) && s->index && status == VASI_TOO_MANY_OPENS) {
		target_open_failed(m, s);
		return;
	}
	if (m->starting) {
		command_fail(m->starting, open_error_code(status),
			     "the platform refuses session %u of stream %016" PRIx64
			     " as %s: %s", s->index, m->params.stream_id,
			     vasi_service_name((uint8_t)m->params.role),
			     vasi_status_name(status));
		m->starting = NULL;
	}
	move_lost(m, WIRE_CODE_RESOURCES, "the platform refuses session %u as %s: %s",
		  s->index, vasi_service_name((uint8_t)m->params.role),
		  vasi_status_name(status));
}

static void session_opened(struct move *m, struct session *s, uint8_t status)
{
	if (status != VASI_SUCCESS) {
		open_failed(m, s, status);
		return;
	}
	s->state = SESSION_OPEN;
	if (m->ending) {
		close_sessions(m);
		return;
	}
	if (m->state == VASI_STATE_INVALID)
		m->state = VASI_STATE_ENABLED;
	if (move_is_source(m))
		source_opened(m, s);
	else
		target_opened(m, s);
}

static void operation(struct move *m, struct session *s,
		      const struct vasi_event *event)
{
	int ret;

	if (m->ending || !s->out_ready)
		return;
	ret = opqueue_add(&s->out, event);
	if (ret == -EBADMSG) {
		vasi_respond(s->vasi, event->pool, event->index,
			     VASI_INVALID_OPERATION_SPECIFIER, 0, false);
		move_abort(m, move_reason(m),
			   "session %u: the platform's operation is not a sequential write (op code 0x%02x)",
			   s->index, event->op_code);
	} else if (ret) {
		move_lost(m, WIRE_CODE_RESOURCES, "session %u: operation: %s",
			  s->index, strerror(-ret));
	} else {
		m->op_bytes = m->op_bytes ? m->op_bytes - m->op_bytes / 16 +
					    event->bytes / 16 : event->bytes;
	}
}

static void downloaded(struct move *m, struct session *s,
		       const struct vasi_event *event)
{
	if (m->ending)
		return;
	if (event->status != VASI_SUCCESS) {
		move_abort(m, move_reason(m),
			   "session %u: the platform refused a download at offset %" PRIu64
			   ": %s", s->index, s->in.taken,
			   vasi_status_name(event->status));
		return;
	}
	if (intake_downloaded(&s->in, event))
		move_lost(m, WIRE_CODE_LOST,
			  "session %u: the platform answered a download that is not under way",
			  s->index);
}

static void signalled(struct move *m, const struct vasi_event *event)
{
	if (event->status == VASI_SUCCESS || m->ending)
		return;
	if (event->token == TOKEN_ABORT) {
		/* Too late: the state decides, and who wanted it learns why not */
		log_warning("stream %016" PRIx64 ": abort refused in state %s: %s",
			    m->params.stream_id, vasi_state_name(m->state),
			    vasi_status_name(event->status));
		return;
	}
	log_warning("stream %016" PRIx64 ": suspend refused in state %s: %s",
		    m->params.stream_id, vasi_state_name(m->state),
		    vasi_status_name(event->status));
	m->suspend_sent = false;
}

/**
 * move_event() - something a device has told about a session of the move
 * @m: the move
 * @event: of libvasi; not VASI_EV_LOST
 */
void move_event(struct move *m, const struct vasi_event *event)
{
	struct session *s = vasi_session_data(event->session);

	switch (event->type) {
	case VASI_EV_OPENED:
		session_opened(m, s, event->status);
		break;
	case VASI_EV_CLOSED:
		s->state = SESSION_CLOSED;
		break;
	case VASI_EV_ADDED:
		move_lost(m, WIRE_CODE_LOST, "session %u: the platform refused a buffer: %s",
			  s->index, vasi_status_name(event->status));
		break;
	case VASI_EV_OPERATION:
		operation(m, s, event);
		break;
	case VASI_EV_DOWNLOADED:
		downloaded(m, s, event);
		break;
	case VASI_EV_SIGNALLED:
		signalled(m, event);
		break;
	case VASI_EV_PROGRESS:
		if (m->ending)
			break;
		if (move_is_source(m))
			source_progress(m, event);
		else
			target_progress(m, event);
		break;
	case VASI_EV_MESSAGE:
		link_message(m, s->index, event->message);
		break;
	case VASI_EV_MESSAGED:
		s->messages--;
		if (event->status != VASI_SUCCESS)
			log_warning("stream %016" PRIx64 ": the platform refused a message: %s",
				    m->params.stream_id,
				    vasi_status_name(event->status));
		break;
	case VASI_EV_STATE:
		take_state(m, (enum vasi_state)event->state, event->reason);
		break;
	case VASI_EV_FREED:
	case VASI_EV_DIRTY_MAP:
	case VASI_EV_LOST:
		break;
	}
}

/* ---- turns and ticks ---- */

static void measure_rate(struct move *m, uint64_t now)
{
	uint64_t bytes = m->status.transmitted - m->rate_bytes;
	double rate;

	if (now - m->rate_since_ns < RATE_NS)
		return;
	rate = (double)bytes * (double)NSEC_PER_SEC / (double)(now - m->rate_since_ns);
	m->status.rate = m->status.rate ? (m->status.rate + (uint64_t)rate) / 2 :
					  (uint64_t)rate;
	m->rate_bytes = m->status.transmitted;
	m->rate_since_ns = now;
}

static void check_deadlines(struct move *m, uint64_t now)
{
	if (m->abort_sent && now >= m->abort_deadline_ns)
		move_lost(m, WIRE_CODE_LOST, "the platform did not abort within %llu s",
			  ABORT_NS / NSEC_PER_SEC);
	if (m->peer_done && now >= m->peer_done_deadline_ns)
		move_lost(m, WIRE_CODE_LOST,
			  "the peer ended the move, and this platform did not follow it");
	if (m->data_lost_ns && now >= m->data_lost_ns + DATA_LOST_NS)
		move_lost(m, WIRE_CODE_LOST, "data connection to %s: closed by the peer",
			  m->status.peer);
	link_tick(m, now);
}

static void tick(struct timer *timer)
{
	struct move *m = container_of(timer, struct move, timer);
	uint64_t now = now_ns();

	if (!m->ending)
		check_deadlines(m, now);
	if (!m->ending && m->status.phase >= PHASE_MOVING) {
		if (move_is_source(m))
			source_tick(m, now);
		else
			target_tick(m, now);
		measure_rate(m, now);
	}
	if (now - m->published_ns >= PUBLISH_NS)
		publish(m, false);
	timer_set(m->worker, &m->timer, now + TICK_NS);
}

/**
 * move_turn() - once in every turn of the event loop, before submitting
 * @m: the move
 */
void move_turn(struct move *m)
{
	if (m->ending)
		return;
	if (move_is_source(m))
		source_turn(m);
	else
		target_turn(m);
	/* The peer may have ended, and with it the connection, before this platform */
	if (m->control && !m->control->closing && !m->ending)
		writer_flush(&m->control->writer);
}

/* ---- commands; all in the worker's thread ---- */

static unsigned int most_sessions(const struct move *m)
{
	const struct vasi_device_info *info = &m->device->info;

	/* Other platforms promise no order among opens: one session */
	if (!m->params.sessions && !info->dirty_map)
		return 1;
	if (!(info->features & VASI_CAP_MULTIPLE_OPENS))
		return 1;
	return min(m->params.sessions ? m->params.sessions : m->config->sessions,
		   max((unsigned int)info->opens, 1U));
}

static struct move *move_new(struct command *cmd)
{
	struct move *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->record = cmd->record;
	m->device = cmd->record->device;
	m->worker = m->device->worker;
	m->config = m->device->config;
	m->params = cmd->params;
	m->identity = identity_get(cmd->identity);
	m->max_sessions = most_sessions(m);
	m->sessions = calloc(m->max_sessions, sizeof(*m->sessions));
	if (!m->sessions) {
		identity_put(m->identity);
		free(m);
		return NULL;
	}
	m->starting = cmd;
	m->status = cmd->record->status;
	m->timer.expire = tick;
	TAILQ_INIT(&m->links);
	policy_init(&m->policy, &m->params.policy);
	limit_set(&m->limit, m->params.limit, now_ns());
	m->status.limit = m->params.limit;
	return m;
}

static void start_failed(struct command *cmd, int code, const char *text)
{
	struct move_record *rec = cmd->record;

	pthread_mutex_lock(&rec->lock);
	rec->status.phase = PHASE_FAILED;
	rec->status.ended_ns = now_ns();
	snprintf(rec->status.error, sizeof(rec->status.error), "%s", text);
	pthread_mutex_unlock(&rec->lock);
	command_fail(cmd, code, "%s", text);
	mailbox_post(&rec->mover->mailbox, &rec->gone);
}

/**
 * move_start() - command "start"; answered when the first session is open (and,
 * on a target, the port is known)
 * @cmd: the command
 */
void move_start(struct command *cmd)
{
	struct device *d = cmd->record->device;
	struct move *m;
	int ret;

	if (!d->attached || d->lost) {
		start_failed(cmd, RPC_STATE, "the device was lost; try again");
		return;
	}
	m = move_new(cmd);
	if (!m) {
		start_failed(cmd, RPC_NOT_ENOUGH, "out of memory");
		return;
	}
	cmd->record->move = m;
	LIST_INSERT_HEAD(&d->moves, m, entry);
	timer_set(m->worker, &m->timer, now_ns() + TICK_NS);
	ret = move_open_session(m);
	if (ret)
		move_lost(m, WIRE_CODE_LOST, "open: %s", strerror(-ret));
}

static struct move *command_move(struct command *cmd)
{
	struct move *m = cmd->record->move;

	if (m && !m->ending)
		return m;
	command_fail(cmd, RPC_STATE, "the move has ended");
	return NULL;
}

/**
 * move_suspend() - command "suspend"
 * @cmd: the command
 */
void move_suspend(struct command *cmd)
{
	struct move *m = command_move(cmd);

	if (!m)
		return;
	if (!move_is_source(m)) {
		command_fail(cmd, RPC_STATE, "only a source mover signals Suspend");
		return;
	}
	if (m->status.phase > PHASE_MOVING) {
		command_fail(cmd, RPC_STATE, "the move is %s already",
			     phase_names[m->status.phase]);
		return;
	}
	/* Before it moves, this is remembered until it does */
	m->suspend_asked = true;
	command_done(cmd, NULL);
}

/**
 * move_limit() - command "limit"
 * @cmd: the command
 */
void move_limit(struct command *cmd)
{
	struct move *m = command_move(cmd);

	if (!m)
		return;
	if (!move_is_source(m)) {
		command_fail(cmd, RPC_STATE, "the limit is the source mover's");
		return;
	}
	limit_set(&m->limit, cmd->rate, now_ns());
	m->status.limit = cmd->rate;
	publish(m, false);
	command_done(cmd, NULL);
}

/**
 * move_stop() - command "stop"
 * @cmd: the command
 */
void move_stop(struct command *cmd)
{
	struct move *m = command_move(cmd);

	if (!m)
		return;
	if (m->state == VASI_STATE_SUSPENDED || m->state == VASI_STATE_RESUMED ||
	    m->state == VASI_STATE_COMPLETED) {
		command_fail(cmd, RPC_STATE,
			     "the stream is %s: it cannot be stopped any more",
			     vasi_state_name(m->state));
		return;
	}
	move_abort(m, VASI_ABORT_ORCHESTRATOR << VASI_REASON_ENTITY_SHIFT,
		   "stopped by request");
	command_done(cmd, NULL);
}

/**
 * move_shutdown() - the mover ends: let go of the move
 * @cmd: the command
 */
void move_shutdown(struct command *cmd)
{
	if (cmd->record->move)
		move_lost(cmd->record->move, WIRE_CODE_LOST, "mspd was stopped");
	command_done(cmd, NULL);
}
