// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The user-mode driver: requests to the platform and their answers, and what
 * the platform asks.
 *
 * Every request waits in one list until the platform has room for it, and then
 * in its session's list for its answer.  Answers name a session by TOP; where
 * LoPAR has them repeat the request instead, by BOTTOM.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libvasi/user.h"

/* The session field of an indirect list's correlator: no session has it */
#define SLOT_CORRELATOR		((uint64_t)VASI_MAX_SESSIONS << (64 - VASI_SESSION_BITS))

/*
 * Requests
 */

static struct user_request *request_new(struct vasi_session *s, struct vasi_msg *msg,
					uint64_t token)
{
	struct user_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->session = s;
	request->format = msg->format;
	request->token = token;
	vasi_msg_encode(&request->entry, msg);
	return request;
}

/* Queue a request, behind all others */
static void request_queue(struct user_request *request)
{
	struct user_device *user = to_user(request->session->dev);

	request->sequence = ++user->sequence;
	if (user->waiting)
		user->waiting_tail->next = request;
	else
		user->waiting = request;
	user->waiting_tail = request;
}

/* Queue a request that needs no more than this */
static int submit(struct vasi_session *s, struct vasi_msg *msg, uint64_t token)
{
	struct user_request *request = request_new(s, msg, token);

	if (!request)
		return -ENOMEM;
	request_queue(request);
	return 0;
}

static void request_free(struct user_request *request)
{
	if (request->slot)
		request->slot->busy = false;
	free(request);
}

/* The first waiting request goes to its session's list */
static struct user_request *request_send(struct user_device *user)
{
	struct user_request *request = user->waiting;
	struct user_session *s = to_user_session(request->session);

	user->waiting = request->next;
	request->next = NULL;
	if (s->requests)
		s->requests_tail->next = request;
	else
		s->requests = request;
	s->requests_tail = request;
	user->outstanding++;
	return request;
}

/* Answers that wait go into the empty batch */
static void take_responses(struct user_device *user)
{
	uint32_t taken = min(user->response_count, (uint32_t)VIO_MAX_CRQ);

	if (!taken)
		return;
	memcpy(user->batch, user->responses, taken * sizeof(*user->batch));
	user->response_count -= taken;
	memmove(user->responses, user->responses + taken,
		user->response_count * sizeof(*user->batch));
	user->batch_count = taken;
}

/*
 * Make the next packet unless there is one that could not be sent.  Answers of
 * ours go first: they wait for nothing.  Returns the number of entries.
 */
unsigned int user_fill_batch(struct user_device *user)
{
	if (user->batch_count)
		return user->batch_count;
	take_responses(user);
	while (user->batch_count < VIO_MAX_CRQ && user->waiting &&
	       user->outstanding < user->limit)
		user->batch[user->batch_count++] = request_send(user)->entry;
	return user->batch_count;
}

/* Take a request out of its session's list */
static void request_take(struct user_device *user, struct vasi_session *session,
			 struct user_request *request)
{
	struct user_session *s = to_user_session(session);
	struct user_request **at = &s->requests, *before = NULL;

	while (*at != request) {
		before = *at;
		at = &before->next;
	}
	*at = request->next;
	if (s->requests_tail == request)
		s->requests_tail = before;
	user->outstanding--;
}

/* Drop everything that refers to a session */
void user_session_forget(struct vasi_session *s)
{
	struct user_device *user = to_user(s->dev);
	struct user_request **at = &user->waiting, *request;

	while ((request = to_user_session(s)->requests)) {
		request_take(user, s, request);
		request_free(request);
	}
	user->waiting_tail = NULL;
	while ((request = *at)) {
		if (request->session == s) {
			*at = request->next;
			request_free(request);
		} else {
			user->waiting_tail = request;
			at = &request->next;
		}
	}
	while (vasi_take_posting(s))
		;
}

void user_requests_free(struct user_device *user)
{
	struct user_request *request;

	/* Sessions are gone, and with them what they sent or wait to send */
	while ((request = user->waiting)) {
		user->waiting = request->next;
		free(request);
	}
	free(user->responses);
}

/* Queue an answer of ours */
static int response_queue(struct user_device *user, const struct vasi_crq *entry)
{
	if (user->response_count == user->response_room) {
		uint32_t room = user->response_room ? user->response_room * 2 : 256;
		struct vasi_crq *responses;

		if (room > USER_MAX_RESPONSES)
			return -ENOBUFS;
		responses = reallocarray(user->responses, room, sizeof(*responses));
		if (!responses)
			return -ENOMEM;
		user->responses = responses;
		user->response_room = room;
	}
	user->responses[user->response_count++] = *entry;
	return 0;
}

static void respond_entry(struct user_device *user, const struct vasi_crq *entry)
{
	int ret = response_queue(user, entry);

	if (ret)
		vasi_device_lost(&user->dev, "%u answers wait for the link: %s",
				 user->response_count, strerror(-ret));
}

static int respond_operation(struct user_device *user, uint64_t correlator,
			     enum vasi_status status, uint64_t residual)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_OPERATION | VASI_FMT_RESPONSE,
		.status = (uint8_t)status,
		.residual = residual,
		.data = correlator,
	};
	struct vasi_crq entry;

	vasi_msg_encode(&entry, &msg);
	return response_queue(user, &entry);
}

int user_respond(struct vasi_session *s, uint16_t pool, uint32_t index,
		 enum vasi_status status, uint64_t residual, bool post)
{
	const struct vasi_buf *buf = vasi_buf_get(s, pool, index);
	int ret;

	(void)post;		/* posting is a message of its own */
	if (status == VASI_SUCCESS && !(buf->op_code & VASI_OP_RESPOND_ALWAYS))
		return 0;
	ret = respond_operation(to_user(s->dev), buf->op_correlator, status, residual);
	if (ret == -ENOBUFS)
		vasi_device_lost(s->dev, "%u answers wait for the link: limit",
				 to_user(s->dev)->response_count);
	return ret;
}

int user_session_open(struct vasi_session *s, uint64_t token)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_OPEN, .service = (uint8_t)s->service,
		.handle = s->top, .data = s->stream_id,
	};

	return submit(s, &msg, token);
}

int user_session_close(struct vasi_session *s, uint64_t token)
{
	struct vasi_msg msg = { .format = VASI_FMT_CLOSE, .handle = s->bottom };
	int ret = user_post(s);

	return ret ? ret : submit(s, &msg, token);
}

int user_free_buffer(struct vasi_session *s, uint16_t pool, uint64_t token)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_FREE_BUFFER, .handle = s->bottom,
		.length = s->pools[pool].bytes,
	};

	return submit(s, &msg, token);
}

/* A request that names a buffer by a descriptor */
int user_submit_buffer(struct vasi_session *s, uint8_t format, uint32_t ioba,
		       uint32_t bytes, uint64_t correlator, uint64_t token)
{
	struct vasi_msg msg = {
		.format = format, .handle = s->bottom,
		.data = vasi_desc_make(bytes, ioba),
	};
	struct user_request *request = request_new(s, &msg, token);

	if (!request)
		return -ENOMEM;
	request->desc = msg.data;
	request->correlator = correlator;
	request_queue(request);
	return 0;
}

int user_signal(struct vasi_session *s, enum vasi_signal_code code,
		uint32_t reason, uint64_t token)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_SIGNAL, .handle = s->bottom,
		.code = (uint16_t)code, .reason = reason,
	};

	return submit(s, &msg, token);
}

int user_progress(struct vasi_session *s, uint64_t token)
{
	struct vasi_msg msg = { .format = VASI_FMT_PROGRESS, .handle = s->bottom };

	return submit(s, &msg, token);
}

int user_message(struct vasi_session *s, uint64_t data, uint64_t token)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_MESSAGE_DOWNLOAD, .handle = s->bottom,
		.control = VASI_CONTROL_PASS_THROUGH, .data = data,
	};

	return submit(s, &msg, token);
}

/*
 * Posting
 */

/* Write a new correlator into a buffer that is to be the platform's */
static uint64_t prepare_post(struct vasi_session *s, struct vasi_buf *buf,
			     struct vasi_post_ref *ref, uint64_t *desc)
{
	uint32_t index = 0;
	uint64_t correlator;
	uint16_t pool = 0;
	__be64 raw;

	vasi_buf_place(s, buf, &pool, &index);
	correlator = user_buf_mark(s, pool, index);
	raw = htobe64(correlator);
	memcpy(vasi_buffer(s, pool, index), &raw, sizeof(raw));
	*desc = vasi_desc_make(s->pools[pool].bytes, user_buf_ioba(s, pool, index));
	ref->buf = buf;
	ref->generation = buf->generation;
	return correlator;
}

static int post_one(struct vasi_session *s, struct vasi_buf *buf)
{
	struct vasi_msg msg = { .format = VASI_FMT_ADD_BUFFER, .handle = s->bottom };
	struct user_request *request;
	struct vasi_post_ref ref;
	uint64_t correlator, desc;

	correlator = prepare_post(s, buf, &ref, &desc);
	msg.data = desc;
	request = request_new(s, &msg, 0);
	if (!request)
		return -ENOMEM;
	request->post = ref;
	request->correlator = correlator;
	request->desc = msg.data;
	request_queue(request);
	return 0;
}

static struct user_slot *free_slot(struct user_device *user)
{
	for (unsigned int i = 0; i < USER_SLOTS; i++) {
		if (!user->slots[i].busy)
			return &user->slots[i];
	}
	return NULL;
}

/* Fill an indirect memory buffer from the session's list */
static void fill_slot(struct vasi_session *s, struct user_slot *slot,
		      struct vasi_indirect_buffer *list, uint64_t correlator)
{
	uint8_t *descs = (uint8_t *)(list + 1);

	list->correlator = htobe64(correlator);
	slot->busy = true;
	slot->count = 0;
	while (slot->count < VASI_INDIRECT_MAX && s->posting) {
		struct vasi_buf *buf = vasi_take_posting(s);
		__be64 raw;
		uint64_t desc;

		prepare_post(s, buf, &slot->refs[slot->count], &desc);
		raw = htobe64(desc);
		memcpy(descs + slot->count * sizeof(raw), &raw, sizeof(raw));
		slot->count++;
	}
}

static int post_indirect(struct vasi_session *s, struct user_slot *slot)
{
	struct user_device *user = to_user(s->dev);
	uint32_t number = (uint32_t)(slot - user->slots);
	uint32_t ioba = number * USER_SLOT_BYTES;
	struct vasi_msg msg = {
		.format = VASI_FMT_ADD_BUFFER_INDIRECT, .handle = s->bottom,
	};
	struct user_request *request;
	uint64_t correlator;

	correlator = SLOT_CORRELATOR | (uint64_t)number << 32 |
		     vasi_next_generation(s->dev);
	fill_slot(s, slot, (void *)(user->pane.base + ioba), correlator);
	msg.count = (uint8_t)slot->count;
	msg.data = vasi_desc_make((slot->count + 1) * (uint32_t)sizeof(__be64), ioba);
	request = request_new(s, &msg, 0);
	if (!request) {
		slot->busy = false;
		return -ENOMEM;
	}
	request->slot = slot;
	request->correlator = correlator;
	request->desc = msg.data;
	request_queue(request);
	return 0;
}

/* Queue Add Buffers for what was posted; several in one where it is possible */
int user_post(struct vasi_session *s)
{
	struct user_device *user = to_user(s->dev);
	struct user_slot *slot;
	int ret = 0;

	while (!ret && s->posting_count) {
		slot = NULL;
		if (s->posting_count >= USER_INDIRECT_LEAST &&
		    s->dev->info.features & VASI_CAP_ADD_BUFFER_INDIRECT)
			slot = free_slot(user);
		if (slot)
			ret = post_indirect(s, slot);
		else
			ret = post_one(s, vasi_take_posting(s));
	}
	return ret;
}

/*
 * Answers
 */

/* Statuses that are decided before BOTTOM is replaced by TOP in the answer */
static bool repeats_request(uint8_t status)
{
	return status == VASI_INVALID_BOTTOM || status == VASI_INVALID_FORMAT ||
	       status == VASI_UNKNOWN_RESERVED;
}

static struct user_request *first_request(const struct vasi_session *s, uint8_t format)
{
	struct user_request *request;

	for (request = to_user_session(s)->requests; request; request = request->next) {
		if (request->format == format)
			return request;
	}
	return NULL;
}

/* The request that an answer with these last eight bytes belongs to */
static struct user_request *match_request(const struct vasi_session *s,
					  const struct vasi_msg *msg)
{
	uint8_t format = msg->format & (uint8_t)~VASI_FMT_RESPONSE;
	struct user_request *request;

	for (request = to_user_session(s)->requests; request; request = request->next) {
		if (request->format == format && request->desc &&
		    (request->correlator == msg->data || request->desc == msg->data))
			return request;
	}
	request = first_request(s, format);
	/* An Add Buffer that succeeded names nothing; the others must */
	if (request && request->desc && format != VASI_FMT_ADD_BUFFER &&
	    msg->status == VASI_SUCCESS)
		return NULL;
	return request;
}

static struct vasi_session *answer_session(struct user_device *user,
					   const struct vasi_msg *msg)
{
	uint8_t format = msg->format & (uint8_t)~VASI_FMT_RESPONSE;
	struct vasi_session *s;

	if (repeats_request(msg->status)) {
		s = vasi_session_by_bottom(&user->dev, msg->handle);
		if (s && first_request(s, format))
			return s;
	}
	return vasi_session_by_top(&user->dev, msg->handle);
}

/* A buffer that the platform refused is the caller's again, unless it moved on */
static void post_refused(struct vasi_session *s, const struct vasi_post_ref *ref,
			 uint8_t status)
{
	struct vasi_event *event;
	uint32_t index = 0;
	uint16_t pool = 0;

	if (ref->buf->generation != ref->generation ||
	    vasi_buf_move(ref->buf, VASI_OWNER_PLATFORM, VASI_OWNER_USER))
		return;
	vasi_buf_place(s, ref->buf, &pool, &index);
	event = vasi_event_add(s->dev, VASI_EV_ADDED, s, status, 0);
	if (!event)
		return;
	event->pool = pool;
	event->index = index;
}

static void answer_add(struct vasi_session *s, struct user_request *request,
		       const struct vasi_msg *msg)
{
	if (msg->status != VASI_SUCCESS)
		post_refused(s, &request->post, msg->status);
}

/*
 * The platform took fewer than it was given: no error.  The rest is posted one
 * by one, which tells what is wrong with them if something is.
 */
static void post_rest(struct vasi_session *s, const struct user_slot *slot,
		      unsigned int from)
{
	for (unsigned int i = from; i < slot->count && !s->dev->lost; i++) {
		const struct vasi_post_ref *ref = &slot->refs[i];

		if (ref->buf->generation != ref->generation ||
		    ref->buf->owner != VASI_OWNER_PLATFORM)
			continue;
		if (s->state != VASI_SESSION_OPEN)
			vasi_buf_move(ref->buf, VASI_OWNER_PLATFORM, VASI_OWNER_USER);
		else if (post_one(s, ref->buf))
			vasi_device_lost(s->dev, "cannot post buffers: no memory");
	}
}

/* Whether an error means that no buffer of the list was looked at */
static bool nothing_added(uint8_t status)
{
	return repeats_request(status) || status == VASI_INVALID_INDIRECT_DESCRIPTOR ||
	       status == VASI_INVALID_INDIRECT_LENGTH;
}

static void answer_add_indirect(struct vasi_session *s, struct user_request *request,
				const struct vasi_msg *msg)
{
	const struct user_slot *slot = request->slot;

	if (msg->status == VASI_SUCCESS && msg->count > slot->count) {
		vasi_device_lost(s->dev, "Add Buffer Indirect: %u of %u buffers added",
				 msg->count, slot->count);
	} else if (msg->status == VASI_SUCCESS) {
		post_rest(s, slot, msg->count);
	} else if (nothing_added(msg->status)) {
		for (unsigned int i = 0; i < slot->count; i++)
			post_refused(s, &slot->refs[i], msg->status);
	} else {
		/*
		 * LoPAR leaves open whether the count is set now, so which
		 * buffers the platform has is not known: they stay its own
		 * until the close, and one event tells the caller to abort.
		 */
		post_refused(s, &slot->refs[min((unsigned int)msg->count,
						slot->count - 1)], msg->status);
	}
}

static void answer_free(struct vasi_session *s, struct user_request *request,
			const struct vasi_msg *msg)
{
	struct vasi_session *owner;
	struct vasi_event *event;
	uint32_t index = 0;
	uint16_t pool = 0;

	if (msg->status == VASI_SUCCESS &&
	    (user_buf_find(s->dev, msg->data, &owner, &pool, &index) || owner != s ||
	     vasi_buf_move(vasi_buf_get(s, pool, index), VASI_OWNER_PLATFORM,
			   VASI_OWNER_USER))) {
		vasi_device_lost(s->dev, "Free Buffer: correlator 0x%016llx is not of a posted buffer",
				 (unsigned long long)msg->data);
		return;
	}
	event = vasi_event_add(s->dev, VASI_EV_FREED, s, msg->status, request->token);
	if (!event)
		return;
	event->pool = pool;
	event->index = index;
}

/* Give the buffer of a request back to the caller, with an event that says so */
static struct vasi_event *give_back(struct vasi_session *s,
				    const struct user_request *request,
				    enum vasi_event_type type, enum vasi_owner from,
				    uint8_t status)
{
	struct vasi_session *owner;
	struct vasi_event *event;
	uint32_t index = 0;
	uint16_t pool = 0;

	/* Our own correlator: it can only be right */
	user_buf_find(s->dev, request->correlator, &owner, &pool, &index);
	vasi_buf_move(vasi_buf_get(s, pool, index), from, VASI_OWNER_USER);
	event = vasi_event_add(s->dev, type, s, status, request->token);
	if (event) {
		event->pool = pool;
		event->index = index;
	}
	return event;
}

static void answer_download(struct vasi_session *s, struct user_request *request,
			    const struct vasi_msg *msg)
{
	give_back(s, request, VASI_EV_DOWNLOADED, VASI_OWNER_DOWNLOAD, msg->status);
}

static void answer_dirty_map(struct vasi_session *s, struct user_request *request,
			     const struct vasi_msg *msg)
{
	struct vasi_dirty_map_specifier spec;
	struct vasi_event *event;
	uint64_t asked, dirty;
	uint32_t pages;

	event = give_back(s, request, VASI_EV_DIRTY_MAP, VASI_OWNER_DIRTY_MAP,
			  msg->status);
	if (!event || msg->status != VASI_SUCCESS)
		return;
	memcpy(&spec, (uint8_t *)vasi_buffer(s, event->pool, event->index) +
	       VASI_CORRELATOR_BYTES, sizeof(spec));
	asked = vasi_buf_get(s, event->pool, event->index)->bytes;
	pages = be32toh(spec.pages);
	dirty = be64toh(spec.dirty);
	/* The caller walks that many bits, also when the device is lost meanwhile */
	if (pages > asked || dirty > pages) {
		vasi_device_lost(s->dev, "Dirty Map: answer for %u pages, %llu of them dirty, %llu were asked for",
				 pages, (unsigned long long)dirty,
				 (unsigned long long)asked);
		return;
	}
	event->dirty_map.first_page = be64toh(spec.first_page);
	event->dirty_map.pages = pages;
	event->dirty_map.granule = be32toh(spec.granule);
	event->dirty_map.dirty = dirty;
}

static void answer_close(struct vasi_session *s, struct user_request *request,
			 const struct vasi_msg *msg)
{
	vasi_session_closed(s, msg->status, request->token);
}

static void answer_signal(struct vasi_session *s, struct user_request *request,
			  const struct vasi_msg *msg)
{
	vasi_event_add(s->dev, VASI_EV_SIGNALLED, s, msg->status, request->token);
}

static void answer_progress(struct vasi_session *s, struct user_request *request,
			    const struct vasi_msg *msg)
{
	struct vasi_event *event;

	event = vasi_event_add(s->dev, VASI_EV_PROGRESS, s, msg->status, request->token);
	if (event && msg->status == VASI_SUCCESS)
		event->bytes = msg->data;
}

static void answer_message(struct vasi_session *s, struct user_request *request,
			   const struct vasi_msg *msg)
{
	vasi_event_add(s->dev, VASI_EV_MESSAGED, s, msg->status, request->token);
}

/* By format without VASI_FMT_RESPONSE; Open has no TOP and is apart */
static void (*const answers[])(struct vasi_session *s, struct user_request *request,
			       const struct vasi_msg *msg) = {
	[VASI_FMT_CLOSE]		= answer_close,
	[VASI_FMT_ADD_BUFFER]		= answer_add,
	[VASI_FMT_FREE_BUFFER]		= answer_free,
	[VASI_FMT_DOWNLOAD]		= answer_download,
	[VASI_FMT_SIGNAL]		= answer_signal,
	[VASI_FMT_PROGRESS]		= answer_progress,
	[VASI_FMT_ADD_BUFFER_INDIRECT]	= answer_add_indirect,
	[VASI_FMT_MESSAGE_DOWNLOAD]	= answer_message,
	[VASI_FMT_DIRTY_MAP]		= answer_dirty_map,
};

/* The Open of this stream and service that was sent first */
static struct user_request *match_open(const struct user_device *user,
				       const struct vasi_msg *msg)
{
	struct user_request *found = NULL;

	for (uint32_t i = 0; i < user->dev.session_limit; i++) {
		const struct vasi_session *s = user->dev.sessions[i];
		struct user_request *first;

		if (!s || s->state != VASI_SESSION_OPENING ||
		    s->stream_id != msg->data || s->service != msg->service)
			continue;
		first = to_user_session(s)->requests;
		if (first && (!found || first->sequence < found->sequence))
			found = first;
	}
	return found;
}

static void handle_opened(struct user_device *user, const struct vasi_msg *msg)
{
	struct user_request *request = match_open(user, msg);
	struct vasi_session *s;
	uint64_t token;

	if (!request) {
		vasi_device_lost(&user->dev, "Open answer for stream 0x%016llx service %u was not asked",
				 (unsigned long long)msg->data, msg->service);
		return;
	}
	s = request->session;
	token = request->token;
	request_take(user, s, request);
	request_free(request);
	vasi_session_opened(s, msg->status, msg->handle, token);
}

static void handle_answer(struct user_device *user, const struct vasi_msg *msg)
{
	uint8_t format = msg->format & (uint8_t)~VASI_FMT_RESPONSE;
	struct user_request *request = NULL;
	struct vasi_session *s;

	if (format == VASI_FMT_OPEN) {
		handle_opened(user, msg);
		return;
	}
	s = answer_session(user, msg);
	if (s && format < ARRAY_SIZE(answers) && answers[format])
		request = match_request(s, msg);
	if (!request) {
		vasi_device_lost(&user->dev, "%s for handle 0x%08x was not asked",
				 vasi_format_name(msg->format), msg->handle);
		return;
	}
	request_take(user, s, request);
	answers[format](s, request, msg);
	request_free(request);
}

/*
 * What the platform asks
 */

static void refuse_operation(struct user_device *user, uint64_t correlator,
			     enum vasi_status status)
{
	if (respond_operation(user, correlator, status, 0))
		vasi_device_lost(&user->dev, "%u answers wait for the link",
				 user->response_count);
}

/* Find the buffer that an operation names; NULL unless it is posted */
static struct vasi_buf *operation_buffer(struct user_device *user, uint64_t correlator,
					 struct vasi_session **s, uint16_t *pool,
					 uint32_t *index)
{
	struct vasi_buf *buf;

	if (user_buf_find(&user->dev, correlator, s, pool, index))
		return NULL;
	buf = vasi_buf_get(*s, *pool, *index);
	return buf->owner == VASI_OWNER_PLATFORM ? buf : NULL;
}

static void handle_operation(struct user_device *user, const struct vasi_msg *msg)
{
	enum vasi_status status;
	struct vasi_event *event;
	struct vasi_session *s;
	struct vasi_buf *buf;
	uint64_t correlator;
	uint32_t index;
	uint16_t pool;

	buf = operation_buffer(user, msg->data, &s, &pool, &index);
	if (!buf) {
		/* Where the operation's own correlator is, is not known either */
		refuse_operation(user, msg->data, VASI_INVALID_BUFFER_CORRELATOR);
		return;
	}
	if (s->state == VASI_SESSION_CLOSED) {
		refuse_operation(user, msg->data, VASI_INVALID_TOP);
		return;
	}
	status = vasi_operation_arrived(s, pool, index, msg->data, &correlator);
	if (status != VASI_SUCCESS) {
		refuse_operation(user, correlator, status);
		/* The buffer has left the pool: put it back, the caller sees nothing */
		if (s->state == VASI_SESSION_OPEN)
			vasi_post_buf(s, pool, buf);
		return;
	}
	event = vasi_event_add(&user->dev, VASI_EV_OPERATION, s, VASI_SUCCESS, 0);
	if (!event)
		return;
	event->pool = pool;
	event->index = index;
	event->bytes = buf->bytes;
	event->segments = buf->segments;
	event->op_code = buf->op_code;
}

static void handle_state(struct user_device *user, const struct vasi_msg *msg)
{
	struct vasi_session *s = vasi_session_by_top(&user->dev, msg->handle);
	struct vasi_event *event;

	/* Informational, and perhaps for a session that was closed meanwhile */
	if (!s)
		return;
	event = vasi_event_add(&user->dev, VASI_EV_STATE, s, VASI_SUCCESS, 0);
	if (!event)
		return;
	event->state = msg->code;
	event->reason = msg->reason;
}

static void handle_upload(struct user_device *user, const struct vasi_msg *msg,
			  const struct vasi_crq *entry)
{
	struct vasi_session *s = vasi_session_by_top(&user->dev, msg->handle);
	struct vasi_msg answer = {
		.format = VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE,
		.status = VASI_SUCCESS,
		.data = msg->data,
	};
	struct vasi_event *event;
	struct vasi_crq raw;

	if (!s || msg->control != VASI_CONTROL_PASS_THROUGH || msg->sub_control) {
		vasi_msg_reject(&raw, entry, !s ? VASI_INVALID_TOP :
				msg->control != VASI_CONTROL_PASS_THROUGH ?
				VASI_INVALID_CONTROL : VASI_INVALID_SUB_CONTROL);
		raw.byte3 = 0;		/* reserved in the answer */
		respond_entry(user, &raw);
		return;
	}
	answer.handle = s->bottom;
	vasi_msg_encode(&raw, &answer);
	respond_entry(user, &raw);
	event = vasi_event_add(&user->dev, VASI_EV_MESSAGE, s, VASI_SUCCESS, 0);
	if (event)
		event->message = msg->data;
}

static void handle_command(struct user_device *user, const struct vasi_crq *entry)
{
	enum vasi_status status;
	struct vasi_crq answer;
	struct vasi_msg msg;

	status = vasi_msg_decode(&msg, entry);
	if (msg.format & VASI_FMT_RESPONSE) {
		if (status == VASI_SUCCESS)
			handle_answer(user, &msg);
		else
			vasi_device_lost(&user->dev, "answer with format 0x%02x: %s",
					 msg.format, vasi_status_name((uint8_t)status));
		return;
	}
	if (status == VASI_SUCCESS && msg.format == VASI_FMT_OPERATION) {
		handle_operation(user, &msg);
	} else if (status == VASI_SUCCESS && msg.format == VASI_FMT_STATE) {
		handle_state(user, &msg);
	} else if (status == VASI_SUCCESS && msg.format == VASI_FMT_MESSAGE_UPLOAD) {
		handle_upload(user, &msg, entry);
	} else {
		/* Not understood, or nothing a platform may ask */
		vasi_msg_reject(&answer, entry, status == VASI_SUCCESS ?
				VASI_INVALID_FORMAT : status);
		respond_entry(user, &answer);
	}
}

static const char *event_text(uint8_t format)
{
	switch (format) {
	case VASI_EVENT_PARTNER_FAILED:
		return "the platform's end failed";
	case VASI_EVENT_PARTNER_DEREGISTERED:
		return "the platform deregistered its queue";
	case VASI_EVENT_PARTNER_TERMINATED:
		return "the platform's end was terminated";
	case VASI_EVENT_PARTNER_SUSPENDED:
		return "the platform suspended the queue";
	}
	return "unknown transport event";
}

/* One entry of the CRQ from the platform */
void user_entry(struct user_device *user, const struct vasi_crq *entry)
{
	switch (entry->header) {
	case VASI_CRQ_COMMAND:
		handle_command(user, entry);
		break;
	case VASI_CRQ_EVENT:
		vasi_device_lost(&user->dev, "%s (transport event 0x%02x)",
				 event_text(entry->format), entry->format);
		break;
	case VASI_CRQ_INIT:
		/* It has forgotten every session */
		vasi_device_lost(&user->dev, "the platform started the handshake again");
		break;
	default:
		vasi_device_lost(&user->dev, "CRQ entry with unknown header 0x%02x",
				 entry->header);
	}
}
