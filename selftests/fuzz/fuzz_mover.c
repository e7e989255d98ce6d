// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A mover's peer that has been let in, or has not, and sends what it likes: frames,
 * right ones and wrong ones, in any order, on connections that come, stall and go;
 * while the user commands and the platform does what it does.
 *
 * What has to hold: no memory is touched that should not be, nothing leaks, memory
 * is bounded; a buffer that a connection receives into or sends from is the
 * mover's, and no other connection's; the platform gets the bytes that were sent,
 * in order; what the mover sends keeps to the protocol, and to the credit it was
 * given; and a move whose peer is silent or gone ends, and says why.
 */
#include <sanitizer/allocator_interface.h>
#include "mover_peer.h"
#include "phyp/internal.h"

#define MAX_STEPS	256
#define PEER_TIMEOUT_S	2
/* The peer's silence, the platform's abort, the end: none takes longer */
#define END_NS		(20 * NSEC_PER_SEC)
/* How long the platform may still do nothing */
#define STALL_NS	(8 * NSEC_PER_SEC)

/* ---- What a peer that means well does next ---- */

static bool proceed_target(struct fuzz *f, uint8_t how)
{
	struct far_end *end;

	if (!f->hello_sent || !f->agreed.sessions) {
		end = f->hello_sent ? NULL : peer_let_in(f);
		if (end)
			peer_hello(f, end, how & 0xF8);
		return end;
	}
	if (f->attached < f->agreed.connections) {
		end = peer_let_in(f);
		if (end)
			peer_attach(f, end, f->attached++, 0);
		return end;
	}
	for (unsigned int s = 0; s < f->agreed.sessions; s++) {
		struct side *side = &f->side[s];

		if (!side->count)
			peer_start_stream(f, side, s);
		end = peer_way(f, s, how & 3);
		if (end && side->next < side->count)
			peer_piece(f, end, s, 0);
	}
	return true;
}

static bool proceed_source(struct fuzz *f, uint8_t how)
{
	struct far_end *end;
	bool did = false;

	TAILQ_FOREACH(end, &f->h->net.ends, entry) {
		struct far *known = peer_far(end);

		did |= end->asked;
		if (end->asked)
			end->takes = SIZE_MAX;
		net_answer(end, 0);
		known->control |= !end->number;
		if (known->data && !known->answered) {
			peer_attached(f, end);
			did = true;
		}
	}
	end = peer_control(f);
	if (did || !end)
		return did;
	if (f->hello_sent && !f->agreed.sessions) {
		peer_accept(f, end, how & 0xF8);
		return true;
	}
	for (unsigned int s = 0; s < f->agreed.sessions; s++)
		peer_ack(f, end, s, how & 0x38);
	return true;
}

static void proceed(struct fuzz *f, uint8_t how)
{
	if (f->source)
		proceed_source(f, how);
	else
		proceed_target(f, how);
}

/* ---- Steps ---- */

/* Also with a peer that is trusted, and not this stream's */
static void handshake(struct fuzz *f, struct far_end *end, uint8_t how)
{
	static const int results[] = { 0, 0, -EPROTO, -ECONNREFUSED };

	f->h->net.peer[0] = how & 4 ? 'B' : 'A';
	net_answer(end, results[how & 3]);
	f->h->net.peer[0] = 'A';
}

static void connections(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in);
	struct far_end *end = peer_end(f, what >> 4);

	if ((what & 7) == 0) {
		for (unsigned int i = 0; !f->source && i <= what >> 4; i++)
			(what & 8 ? peer_connect : peer_let_in)(f);
		return;
	}
	if (!end)
		return;
	switch (what & 7) {
	case 1:
		end->ended = true;
		break;
	case 2:
		end->lost = true;
		break;
	case 3:
		handshake(f, end, fuzz_u8(&f->in));
		break;
	case 4:
		end->takes = 0;
		break;
	case 5:
		end->takes = fuzz_u16(&f->in);
		break;
	case 6:
		end->takes = SIZE_MAX;
		break;
	default:
		end->piece = what & 8 ? SIZE_MAX : 1 + fuzz_u8(&f->in);
		break;
	}
}

static void commands(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in);

	if (f->h->gone)
		return;
	switch (what % 9) {
	case 0:
		host_command(f->h, move_suspend, 0);
		break;
	case 1:
		host_command(f->h, move_limit, fuzz_u16(&f->in) * 64ULL);
		break;
	case 2:
		host_command(f->h, move_stop, 0);
		break;
	case 3:
		host_command(f->h, move_shutdown, 0);
		break;
	case 4:
		host_lose_device(f->h);
		break;
	case 5:
		f->h->net.refuse = what & 0x80 ? 1 : 0;
		f->h->net.no_plain = 1;
		break;
	case 6:
		f->h->net.send_first = !f->h->net.send_first;
		break;
	case 7:
		f->h->stalled = !f->h->stalled;
		break;
	default:
		phyp_stream_cancel(f->h->stream, 0x01000000);
		break;
	}
}

static void partition(struct fuzz *f)
{
	uint64_t offset = fuzz_u8(&f->in) * 4096ULL % f->h->params.bytes;

	if (!f->h->running)
		return;
	if (phyp_lpar_present(f->h->lpar, offset)) {
		f->h->memory[offset + 8] ^= 1;
		phyp_lpar_mark(f->h->lpar, offset, 64);
	} else {
		phyp_lpar_demand(f->h->lpar, offset);
	}
}

static void let_pass(struct fuzz *f)
{
	static const uint64_t ns[] = {
		NSEC_PER_MSEC, 10 * NSEC_PER_MSEC, 50 * NSEC_PER_MSEC,
		300 * NSEC_PER_MSEC,
	};
	uint8_t what = fuzz_u8(&f->in);

	for (unsigned int i = 0; i <= (what >> 2 & 15); i++)
		peer_turn(f, ns[what & 3]);
}

/* A frame of this kind on a connection of its kind, or on any */
static void send_some(struct fuzz *f, uint8_t what)
{
	uint8_t how = fuzz_u8(&f->in);
	unsigned int sessions = f->agreed.sessions ? f->agreed.sessions : 1;
	unsigned int session = (what >> 4 & 3) % sessions;
	struct far_end *end = peer_control(f);

	if (what & 0x40)
		end = peer_end(f, fuzz_u8(&f->in));
	else if ((what & 15) == 5 && !f->source && f->agreed.sessions)
		end = peer_way(f, session, how & 3);
	if (!end)
		return;
	switch (what & 15) {
	case 1:
		peer_hello(f, end, how);
		break;
	case 2:
		peer_accept(f, end, how);
		break;
	case 3:
		peer_attach(f, end, how >> 3 & 3, how);
		break;
	case 4:
		peer_raw(f, end, how);
		break;
	case 5:
		peer_piece(f, end, session, how);
		break;
	case 6:
		peer_ack(f, end, session, how);
		break;
	default:
		peer_small(f, end, session, how);
		break;
	}
}

static void step(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in);
	unsigned int sessions = f->agreed.sessions ? f->agreed.sessions : 1;

	switch (what & 15) {
	case 0:
		proceed(f, fuzz_u8(&f->in));
		break;
	case 8:
	case 9:
		peer_more_stream(f, (what >> 4 & 3) % sessions);
		break;
	case 10:
		peer_hand_over(f);
		break;
	case 11:
		connections(f);
		break;
	case 12:
		commands(f);
		break;
	case 13:
		partition(f);
		break;
	case 14:
	case 15:
		let_pass(f);
		break;
	default:
		send_some(f, what);
		break;
	}
	if (!(what & 0x80))
		peer_turn(f, NSEC_PER_MSEC);
}

/* ---- Beginning and end ---- */

static void create(struct fuzz *f, uint8_t rest)
{
	static const uint32_t op_bytes[] = { 0, 8192, 16384, 65536 };
	uint8_t how = fuzz_u8(&f->in), more = fuzz_u8(&f->in);
	struct host_params params = {
		.role = how & 1 ? VASI_SERVICE_SOURCE_MOVER : VASI_SERVICE_TARGET_MOVER,
		.bytes = 128 << 10,
		.granule = how & 2 ? 65536 : 4096,
		.opens = 1 + (how >> 2 & 3),
		.indirect = how & 16,
		.dirty_map = !(how & 32),
		.config = {
			.sessions = 3,
			.connections = 3,
			.buffer_bytes = more & 1 ? 16384 : 8192,
			.op_buffer_bytes = op_bytes[more >> 1 & 3],
			.op_buffers = more & 8 ? 8 : 3,
			.pool_min = more & 16 ? 64 << 10 : 256 << 10,
			.pool_max = 512 << 10,
			.pane_bytes = more & 32 ? 1 << 20 : 3 << 20,
			.indirect_download = how & 64,
			.immediate_operations = how & 128,
			.peer_timeout_s = PEER_TIMEOUT_S,
			.encrypt_data = !(rest & 8),
		},
	};
	struct move_params move = {
		.stream_id = HOST_STREAM + (rest & 16 ? 1 : 0),
		.role = params.role,
		.sessions = more & 64 ? 2 : 0,
		.limit = more & 128 ? 1 << 20 : 0,
		.policy = { .downtime_ms = 300, .pass_limit = 10, .timeout_s = 120 },
		.peer_identity = "A",
	};

	f->h = host_new(&params);
	f->h->ctx = f;
	f->h->download = peer_download;
	f->h->net.taken = peer_taken;
	f->h->net.kernel = rest & 128;
	f->h->net.peer[0] = 'A';
	/* The other side's device, and one that is lost */
	if (rest & 32)
		move.role = 3 - move.role;
	if (rest & 64) {
		host_lose_device(f->h);
		host_turn(f->h, 0);
	}
	f->source = move.role == VASI_SERVICE_SOURCE_MOVER;
	host_start(f->h, &move);
	peer_turn(f, NSEC_PER_MSEC);
}

/* For a peer that has not come, which it does until it is told otherwise */
static bool waits_for_ever(const struct move *m)
{
	return m && m->status.phase == PHASE_LISTENING && !m->control;
}

/* Nothing comes any more, and perhaps the connections end, well or not */
static void finish(struct fuzz *f, uint8_t how)
{
	uint64_t now = now_ns();
	struct far_end *end;

	TAILQ_FOREACH(end, &f->h->net.ends, entry) {
		end->count = 0;
		end->ended = how & 1;
		end->lost = how & 2;
		end->takes = how & 4 ? 0 : SIZE_MAX;
	}
	while (!f->h->gone && now_ns() - now < END_NS) {
		if (waits_for_ever(host_move(f->h)))
			host_command(f->h, move_stop, 0);
		f->h->stalled &= now_ns() - now < STALL_NS;
		peer_turn(f, now_ns() - now < 20 * NSEC_PER_MSEC ? NSEC_PER_MSEC :
		     100 * NSEC_PER_MSEC);
	}
	fuzz_check(f->h->gone);
	/* Whoever looks learns how, and why */
	fuzz_check(move_phase_ended(f->h->record.status.phase));
	fuzz_check(f->h->record.status.phase == PHASE_COMPLETED ||
		   f->h->record.status.error[0]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(getenv("FUZZ_VERBOSE") ? LOG_LEVEL_DEBUG : (enum log_level)-1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	uint8_t how;

	fuzz_check(f);
	f->in = (struct fuzz_input) { data, size };
	f->memory = __sanitizer_get_current_allocated_bytes();
	how = fuzz_u8(&f->in);
	create(f, how);
	for (unsigned int i = 0; f->in.left && !f->h->gone && i < MAX_STEPS; i++)
		step(f);
	finish(f, how);
	host_free(f->h);
	for (unsigned int i = 0; i < MOST_SESSIONS; i++)
		free(f->side[i].stream);
	free(f);
	return 0;
}
