// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a mover is held to: its frames to the protocol and to its credit, its buffers to
 * one owner, its memory to a bound, and what its platform gets to what was sent.
 */
#include <sanitizer/allocator_interface.h>
#include "mover_peer.h"

/* A fuzzer's input is short: what it makes a mover keep must be little */
#define MOST_MEMORY	(48u << 20)

static const bool is_record[256] = {
	[PHYP_REC_START] = true, [PHYP_REC_PAGES] = true, [PHYP_REC_ZERO] = true,
	[PHYP_REC_PASS] = true, [PHYP_REC_BITMAP] = true, [PHYP_REC_STATE] = true,
	[PHYP_REC_HANDOVER] = true, [PHYP_REC_END] = true, [PHYP_REC_DEMAND] = true,
};

struct far *peer_far(struct far_end *end)
{
	if (!end->data)
		end->data = calloc(1, sizeof(struct far));
	fuzz_check(end->data);
	return end->data;
}

struct far_end *peer_control(const struct fuzz *f)
{
	struct far_end *end;

	TAILQ_FOREACH(end, &f->h->net.ends, entry)
		if (peer_far(end)->control)
			return end;
	return NULL;
}

struct far_end *peer_end(const struct fuzz *f, unsigned int n)
{
	struct far_end *end;

	if (!f->h->net.count)
		return NULL;
	n %= f->h->net.count;
	TAILQ_FOREACH(end, &f->h->net.ends, entry)
		if (!n--)
			break;
	return end;
}

/* As mover-protocol.rst has it, "Order and connections" */
static bool uses(const struct fuzz *f, unsigned int s, unsigned int c)
{
	unsigned int sessions = f->agreed.sessions, connections = f->agreed.connections;

	return connections >= sessions ? c % sessions == s : s % connections == c;
}

static unsigned int ways(const struct fuzz *f, unsigned int s)
{
	unsigned int n = 0;

	for (unsigned int c = 0; c < f->agreed.connections; c++)
		n += uses(f, s, c);
	return n;
}

struct far_end *peer_way(const struct fuzz *f, unsigned int s, unsigned int n)
{
	struct far_end *end, *found = NULL;

	TAILQ_FOREACH(end, &f->h->net.ends, entry) {
		if (!peer_far(end)->data || !uses(f, s, peer_far(end)->index))
			continue;
		found = end;
		if (!n--)
			break;
	}
	return found;
}

/* ---- What the mover sends ---- */

static enum vasi_status known_record(void *ctx, struct phyp_parser *p)
{
	(void)ctx;
	return is_record[p->type] ? VASI_SUCCESS : VASI_INVALID_DOWNLOAD_DATA;
}

static enum vasi_status any_payload(void *ctx, struct phyp_parser *p,
				    const uint8_t *data, uint32_t length)
{
	(void)ctx;
	(void)p;
	(void)data;
	(void)length;
	return VASI_SUCCESS;
}

static enum vasi_status any_end(void *ctx, struct phyp_parser *p)
{
	(void)ctx;
	(void)p;
	return VASI_SUCCESS;
}

static const struct phyp_parser_ops parser_ops = {
	.begin = known_record, .payload = any_payload, .end = any_end,
};

/* Bytes of a session's stream: they are the platform's, and none is left out */
static void stream_bytes(struct side *side, const uint8_t *bytes, uint32_t count)
{
	if (!side->odd)
		fuzz_check(!phyp_parse(&side->parser, bytes, count, &parser_ops, NULL));
}

static void begin_data(struct fuzz *f, const struct far *far, const struct frame *frame)
{
	struct side *side = &f->side[frame->session];
	uint64_t cost = credit_cost(f->agreed.charge, frame->length);

	fuzz_check(uses(f, frame->session, far->index));
	fuzz_check(cost <= side->limit - side->charged);
	side->charged += cost;
	side->odd = ways(f, frame->session) > 1;
	fuzz_check(side->odd || frame->offset == side->end);
	side->end = max(side->end, frame->offset + frame->length);
}

static void begin_reverse(struct fuzz *f, const struct frame *frame)
{
	struct side *side = &f->side[frame->session];

	fuzz_check(frame->offset == side->end);
	side->end += frame->length;
}

static void begin_ack(struct fuzz *f, const struct frame *frame)
{
	struct side *side = &f->side[frame->session];

	fuzz_check(frame->offset >= side->taken && frame->offset <= side->most);
	side->taken = frame->offset;
	if (frame->type != WIRE_ACK)
		return;
	fuzz_check(frame->argument >= side->granted);
	fuzz_check(frame->argument - frame->offset <= f->h->params.config.pool_max +
		   f->agreed.credit + side->most);
	side->granted = frame->argument;
}

static void begin_frame(struct fuzz *f, struct far *far)
{
	const struct frame *frame = &far->frame;

	switch (frame->type) {
	case WIRE_DATA:
		begin_data(f, far, frame);
		break;
	case WIRE_REVERSE:
		begin_reverse(f, frame);
		break;
	case WIRE_ACK:
	case WIRE_REVERSE_ACK:
		begin_ack(f, frame);
		break;
	case WIRE_PING:
		f->ping = frame->argument;
		break;
	}
}

static void end_accept(struct fuzz *f, const struct far *far)
{
	struct wire_accept body;
	char error[WIRE_ERROR_BYTES];

	memcpy(&body, far->body, sizeof(body));
	if (f->opaque)
		return;
	fuzz_check(!wire_accept_decode(&f->agreed, &body, &f->hello, error));
	fuzz_check(far->frame.length == sizeof(body) +
		   f->agreed.connections * WIRE_TOKEN_BYTES);
	memcpy(f->tokens, far->body + sizeof(body),
	       f->agreed.connections * WIRE_TOKEN_BYTES);
}

static void end_hello(struct fuzz *f, const struct far *far)
{
	struct wire_hello body;
	char error[WIRE_ERROR_BYTES];

	memcpy(&body, far->body, sizeof(body));
	fuzz_check(!wire_hello_decode(&f->hello, &body, error));
	f->hello_sent = true;
}

static void end_attach(struct fuzz *f, struct far *far)
{
	far->index = (unsigned int)far->frame.argument;
	far->data = true;
	if (f->opaque)
		return;
	fuzz_check(far->index < f->agreed.connections);
	fuzz_check(!memcmp(far->body, f->tokens[far->index], WIRE_TOKEN_BYTES));
}

/* Text for the user is one line */
static void end_text(const struct far *far)
{
	for (uint32_t i = 0; i < far->frame.length; i++)
		fuzz_check(far->body[i] >= 0x20 && far->body[i] != 0x7f);
}

static void end_frame(struct fuzz *f, struct far *far)
{
	far->got = 0;
	switch (far->frame.type) {
	case WIRE_HELLO:
		end_hello(f, far);
		break;
	case WIRE_ACCEPT:
		end_accept(f, far);
		break;
	case WIRE_ATTACH:
		end_attach(f, far);
		break;
	case WIRE_REFUSE:
	case WIRE_BYE:
		end_text(far);
		break;
	}
}

/* The mover's frames are held against what a peer holds them against */
static void header(struct fuzz *f, struct far_end *end, struct far *far)
{
	struct wire_limits limits = {
		.place = (f->source ? WIRE_FROM_SOURCE : WIRE_FROM_TARGET) |
			 (end->number && f->source ? WIRE_DATA_CONNECTION : WIRE_CONTROL),
		.sessions = f->agreed.sessions,
		.max_frame = f->agreed.max_frame,
	};
	char error[WIRE_ERROR_BYTES];

	/* A target's connection is what the peer has said on it, if anything */
	if (!f->source && !far->control)
		limits.place |= WIRE_DATA_CONNECTION;
	if (f->opaque) {
		limits.sessions = WIRE_MAX_SESSIONS;
		limits.max_frame = WIRE_MAX_FRAME;
	}
	if (wire_decode(&far->frame, &far->header, &limits, error)) {
		fprintf(stderr, "%s\n", error);
		fuzz_check(!"the mover keeps to the protocol");
	}
	far->left = far->frame.length;
	if (!f->opaque)
		begin_frame(f, far);
}

static void body(struct fuzz *f, struct far *far, const uint8_t *bytes, uint32_t count)
{
	uint32_t at = far->frame.length - far->left;

	if (far->frame.type == WIRE_DATA || far->frame.type == WIRE_REVERSE) {
		if (!f->opaque)
			stream_bytes(&f->side[far->frame.session], bytes, count);
	} else {
		fuzz_check(at + count <= sizeof(far->body));
		memcpy(far->body + at, bytes, count);
	}
	far->left -= count;
}

void peer_taken(struct far_end *end, const uint8_t *bytes, size_t count)
{
	struct host *h = container_of(end->net, struct host, net);
	struct fuzz *f = h->ctx;
	struct far *far_of = peer_far(end);

	while (count) {
		size_t step = sizeof(far_of->header) - far_of->got;

		step = step ? step : far_of->left;
		step = min(step, count);
		if (far_of->got < sizeof(far_of->header)) {
			memcpy((uint8_t *)&far_of->header + far_of->got, bytes, step);
			far_of->got += (unsigned int)step;
			if (far_of->got == sizeof(far_of->header))
				header(f, end, far_of);
		} else {
			body(f, far_of, bytes, (uint32_t)step);
		}
		if (far_of->got == sizeof(far_of->header) && !far_of->left)
			end_frame(f, far_of);
		bytes += step;
		count -= step;
	}
}

/* ---- What the platform gets ---- */

static void compare(struct side *side, const void *bytes, uint32_t count)
{
	fuzz_check(count <= side->count - side->down);
	fuzz_check(!memcmp(bytes, side->stream + side->down, count));
	side->down += count;
}

void peer_download(struct host *h, const struct vasi_session *s, uint64_t data)
{
	const struct session *session = vasi_session_data(s);
	const uint8_t *base = to_user(s->dev)->pane.base;
	struct fuzz *f = h->ctx;
	struct side *side = &f->side[session->index];
	struct vasi_segment seg;
	struct vasi_seg_iter it;
	uint32_t length, ioba;

	fuzz_check(!vasi_desc_parse(data, &length, &ioba));
	vasi_download_parse(base + ioba, length, &it);
	while (vasi_download_next(&it, &seg) > 0 && !side->unsure && !f->opaque)
		compare(side, seg.kind == VASI_SEG_INDIRECT ? base + seg.ioba : seg.data,
			seg.length);
}

/* ---- Who has which buffer ---- */

static const struct vasi_buf *buffer_at(const struct move *m, uint64_t offset)
{
	for (unsigned int i = 0; i < m->nsessions; i++) {
		const struct vasi_session *s = m->sessions[i].vasi;

		for (unsigned int p = 0; s && p < s->pool_count; p++) {
			const struct vasi_pool *pool = &s->pools[p];

			if (offset >= pool->place &&
			    offset - pool->place < (uint64_t)pool->bytes * pool->count)
				return &pool->bufs[(offset - pool->place) / pool->bytes];
		}
	}
	return NULL;
}

static void check_piece(void *ctx, const struct iovec *iov, bool receive)
{
	struct fuzz *f = ctx;
	const struct vasi_pane *pane = &f->h->user->pane;
	uint64_t offset = (uint64_t)((uint8_t *)iov->iov_base - pane->base);
	const struct vasi_buf *buf;
	uint64_t page;

	if ((uint8_t *)iov->iov_base < pane->base || offset >= pane->bytes ||
	    !iov->iov_len)
		return;
	fuzz_check(iov->iov_len <= pane->bytes - offset);
	buf = buffer_at(host_move(f->h), offset);
	fuzz_check(buf && buf == buffer_at(host_move(f->h), offset + iov->iov_len - 1));
	/* A device that is lost has forgotten, and keeps the memory */
	fuzz_check(f->h->user->dev.lost ||
		   buf->owner == (receive ? VASI_OWNER_USER : VASI_OWNER_FILLED));
	for (page = offset / 4096; page <= (offset + iov->iov_len - 1) / 4096; page++) {
		fuzz_check(page < PAGES && !(f->page[page] & (receive ? 3 : 1)));
		f->page[page] |= receive ? 1 : 2;
	}
}

static void check_buffers(struct fuzz *f)
{
	if (!f->h->user || !host_move(f->h))
		return;
	memset(f->page, 0, sizeof(f->page));
	net_memory(&f->h->net, f, check_piece);
}

void peer_turn(struct fuzz *f, uint64_t ns)
{
	if (f->h->gone)
		return;
	check_buffers(f);
	host_turn(f->h, ns);
	check_buffers(f);
	fuzz_check(f->h->net.count <= MOST_CONNECTIONS);
	fuzz_check(__sanitizer_get_current_allocated_bytes() <= f->memory + MOST_MEMORY);
}
