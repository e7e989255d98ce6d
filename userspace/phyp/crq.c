// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages from a VSP: decoding, the checks in LoPAR's order, and the answers.
 * Implements LoPAR 2.9, "VASI CRQ Message Definition".  Documentation/phyp.rst
 * lists what was chosen where the reference leaves it open.
 */
#include <string.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

void phyp_send(struct phyp_vdev *vdev, const struct vasi_msg *msg)
{
	struct vasi_crq entry;

	vasi_msg_encode(&entry, msg);
	vdev->ops->crq_send(vdev->ctx, &entry);
}

/* A format that is not for us comes back as it is, reserved bytes too */
static void echo(struct phyp_vdev *vdev, const struct vasi_crq *entry)
{
	struct vasi_crq answer;

	vasi_msg_reject(&answer, entry, VASI_INVALID_FORMAT);
	vdev->ops->crq_send(vdev->ctx, &answer);
}

/*
 * The request as a response: what the format's response has is kept, the rest is
 * zero.  Kept as well is nothing that would have been replaced before any check,
 * or that could be taken for a result.
 */
static void refuse(struct phyp_vdev *vdev, const struct vasi_crq *entry,
		   enum vasi_status status)
{
	struct vasi_crq answer;
	struct vasi_msg msg;

	vasi_msg_reject(&answer, entry, status);
	vasi_msg_decode(&msg, &answer);
	msg.count = 0;
	memset(&msg.caps, 0, sizeof(msg.caps));
	if (entry->format == VASI_FMT_OPEN)
		msg.handle = 0;
	if (entry->format == VASI_FMT_FREE_BUFFER ||
	    entry->format == VASI_FMT_PROGRESS)
		msg.data = 0;
	phyp_send(vdev, &msg);
}

/* An answer that names the session by its TOP */
static void answer(const struct phyp_session *s, const struct vasi_msg *request,
		   enum vasi_status status, uint64_t data)
{
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = request->format | VASI_FMT_RESPONSE,
		.status = status,
		.handle = s->top,
		.data = data,
	});
}

/* ---- Capabilities ---- */

static uint16_t dirty_map_answer(const struct phyp_vdev *vdev, uint16_t asked)
{
	if (vdev->params.dirty_map_echo)
		return asked;
	if (vdev->params.dirty_map && asked == VASI_DIRTY_MAP_REQUEST)
		return VASI_DIRTY_MAP_OFFER;
	return 0;
}

static struct vasi_caps supported(const struct phyp_vdev *vdev,
				  const struct vasi_caps *asked)
{
	struct vasi_caps caps = {
		.features = VASI_CAP_ADD_BUFFER_INDIRECT |
			    VASI_CAP_DOWNLOAD_IMMEDIATE |
			    VASI_CAP_DOWNLOAD_INDIRECT,
		.operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE,
		.opens = vdev->params.opens,
	};

	if (vdev->params.opens > 1)
		caps.features |= VASI_CAP_MULTIPLE_OPENS;
	if (vdev->params.indirect)
		caps.operations |= VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	caps.features &= asked->features;
	caps.operations &= asked->operations;
	caps.dirty_map = dirty_map_answer(vdev, asked->dirty_map);
	if (caps.opens > asked->opens)
		caps.opens = asked->opens;
	/* Who does not know several opens has one */
	if (!(caps.features & VASI_CAP_MULTIPLE_OPENS) && caps.opens > 1)
		caps.opens = 1;
	return caps;
}

static void do_capabilities(struct phyp_vdev *vdev, const struct vasi_msg *msg)
{
	struct vasi_caps caps = { 0 };

	/*
	 * A service that is not offered has no capabilities; there is no status
	 * for it
	 */
	if (msg->service == VASI_SERVICE_SOURCE_MOVER ||
	    msg->service == VASI_SERVICE_TARGET_MOVER) {
		caps = supported(vdev, &msg->caps);
		vdev->caps[msg->service] = caps;
	}
	phyp_send(vdev, &(struct vasi_msg) {
		.format = VASI_FMT_CAPABILITIES | VASI_FMT_RESPONSE,
		.service = msg->service,
		.caps = caps,
	});
}

/* ---- Open and Close ---- */

static void do_open(struct phyp_vdev *vdev, const struct vasi_msg *msg)
{
	struct phyp_stream *stream = NULL;
	struct phyp_session *s = NULL;
	enum vasi_status status;

	status = phyp_stream_check_open(vdev, msg->data, msg->service, &stream);
	if (!status)
		status = phyp_session_open(vdev, stream, msg->service,
					   msg->handle, &s);
	phyp_send(vdev, &(struct vasi_msg) {
		.format = VASI_FMT_OPEN | VASI_FMT_RESPONSE,
		.status = status,
		.service = msg->service,
		.handle = s ? s->bottom : 0,
		.data = msg->data,
	});
}

static void do_close(struct phyp_session *s, const struct vasi_msg *msg)
{
	struct phyp_vdev *vdev = s->vdev;
	uint32_t top = s->top;

	/*
	 * Everything that was asked before comes first, without waiting for
	 * cycles that nobody may donate any more
	 */
	phyp_downloads_run(s, UINT64_MAX);
	phyp_session_close(s);
	phyp_send(vdev, &(struct vasi_msg) {
		.format = msg->format | VASI_FMT_RESPONSE,
		.handle = top,
	});
}

/* ---- Buffers ---- */

static void do_add_buffer(struct phyp_session *s, const struct vasi_msg *msg)
{
	uint64_t correlator = msg->data;
	enum vasi_status status;
	uint16_t free_buffers;
	uint32_t length;

	status = phyp_buffer_add(s, msg->data, &correlator, &free_buffers,
				 &length);
	if (status) {
		answer(s, msg, status, correlator);
		return;
	}
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = msg->format | VASI_FMT_RESPONSE,
		.handle = s->top,
		.free_buffers = free_buffers,
		.length = length,
	});
}

static void do_free_buffer(struct phyp_session *s, const struct vasi_msg *msg)
{
	uint64_t correlator = 0;
	enum vasi_status status;

	status = phyp_buffer_free(s, msg->length, &correlator);
	answer(s, msg, status, correlator);
}

static enum vasi_status add_listed(struct phyp_session *s, const uint8_t *list,
				   unsigned int count, unsigned int *processed)
{
	enum vasi_status status;
	uint16_t free_buffers;
	uint64_t correlator;
	__be64 descriptor;
	uint32_t length;

	for (*processed = 0; *processed < count; (*processed)++) {
		memcpy(&descriptor, list + *processed * sizeof(descriptor),
		       sizeof(descriptor));
		status = phyp_buffer_add(s, __be64_to_cpu(descriptor),
					 &correlator, &free_buffers, &length);
		if (status)
			return status;
	}
	return VASI_SUCCESS;
}

/* Step by step as LoPAR has it; *data becomes the correlator once it was read */
static enum vasi_status add_indirect(struct phyp_session *s,
				     const struct vasi_msg *msg, uint64_t *data,
				     unsigned int *processed)
{
	uint32_t list_bytes = VASI_INDIRECT_BYTES(msg->count);
	enum vasi_status status;
	uint32_t length, ioba;
	struct phyp_dma dma;
	__be64 correlator;

	/* An empty list is too short, not in the wrong place */
	if (vasi_desc_parse(msg->data, &length, &ioba) ||
	    !phyp_dma_valid(s->vdev, ioba, length ? length : 1))
		return VASI_INVALID_INDIRECT_DESCRIPTOR;
	if (length < sizeof(correlator))
		return VASI_INVALID_INDIRECT_LENGTH;
	/* Where it has to be copied, copy no more than there is to read */
	if (phyp_dma_get(s->vdev, ioba, length < list_bytes ? length : list_bytes,
			 &dma))
		return VASI_INVALID_INDIRECT_DESCRIPTOR;
	memcpy(&correlator, dma.data, sizeof(correlator));
	*data = __be64_to_cpu(correlator);
	if (length < list_bytes)
		status = VASI_INVALID_INDIRECT_LENGTH;
	else
		status = add_listed(s, (uint8_t *)dma.data + sizeof(correlator),
				    msg->count, processed);
	phyp_dma_put(&dma, false);
	return status;
}

static void do_add_buffer_indirect(struct phyp_session *s,
				   const struct vasi_msg *msg)
{
	unsigned int processed = 0;
	uint64_t data = msg->data;
	enum vasi_status status = add_indirect(s, msg, &data, &processed);

	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = msg->format | VASI_FMT_RESPONSE,
		.status = status,
		.count = processed,
		.handle = s->top,
		.data = data,
	});
}

/* ---- The rest ---- */

static void do_download(struct phyp_session *s, const struct vasi_msg *msg)
{
	uint64_t data = msg->data;
	enum vasi_status status = phyp_download_queue(s, msg->data, &data);

	/* Otherwise the answer comes when it was processed */
	if (!status)
		return;
	answer(s, msg, status, data);
	phyp_download_failed(s, status);
}

static void do_signal(struct phyp_session *s, const struct vasi_msg *msg)
{
	phyp_send(s->vdev, &(struct vasi_msg) {
		.format = msg->format | VASI_FMT_RESPONSE,
		.status = phyp_stream_signal(s->stream, msg->code, msg->reason),
		.handle = s->top,
		.reason = msg->reason,
		.code = msg->code,
	});
}

static void do_progress(struct phyp_session *s, const struct vasi_msg *msg)
{
	(void)msg;
	s->progress_due++;
	/* A partition whose writes nobody has looked for yet would seem to make none */
	if (!phyp_stream_look(s->stream))
		phyp_stream_progress(s->stream);
}

static void do_message_download(struct phyp_session *s,
				const struct vasi_msg *msg)
{
	if (msg->control != VASI_CONTROL_PASS_THROUGH) {
		answer(s, msg, VASI_INVALID_CONTROL, msg->data);
		return;
	}
	if (msg->sub_control) {
		answer(s, msg, VASI_INVALID_SUB_CONTROL, msg->data);
		return;
	}
	answer(s, msg, VASI_SUCCESS, msg->data);
	phyp_stream_message(s->stream, msg->data);
}

static bool dirty_map_agreed(const struct phyp_vdev *vdev)
{
	if (vdev->params.dirty_map_echo)
		return false;
	return vdev->caps[VASI_SERVICE_SOURCE_MOVER].dirty_map ==
		       VASI_DIRTY_MAP_OFFER ||
	       vdev->caps[VASI_SERVICE_TARGET_MOVER].dirty_map ==
		       VASI_DIRTY_MAP_OFFER;
}

/* Messages that name a session by its BOTTOM */
static void do_on_session(struct phyp_vdev *vdev, const struct vasi_crq *entry,
			  const struct vasi_msg *msg)
{
	struct phyp_session *s = phyp_session_find(vdev, msg->handle);

	if (!s) {
		refuse(vdev, entry, VASI_INVALID_BOTTOM);
		return;
	}
	switch (msg->format) {
	case VASI_FMT_CLOSE:
		return do_close(s, msg);
	case VASI_FMT_ADD_BUFFER:
		return do_add_buffer(s, msg);
	case VASI_FMT_FREE_BUFFER:
		return do_free_buffer(s, msg);
	case VASI_FMT_DOWNLOAD:
		return do_download(s, msg);
	case VASI_FMT_SIGNAL:
		return do_signal(s, msg);
	case VASI_FMT_PROGRESS:
		return do_progress(s, msg);
	case VASI_FMT_ADD_BUFFER_INDIRECT:
		return do_add_buffer_indirect(s, msg);
	case VASI_FMT_MESSAGE_DOWNLOAD:
		return do_message_download(s, msg);
	case VASI_FMT_DIRTY_MAP:
		return phyp_dirty_map(s, msg);
	}
}

/* Is it what a VSP may send?  LoPAR checks this before anything else. */
static bool expected(const struct phyp_vdev *vdev, uint8_t format)
{
	switch (format) {
	case VASI_FMT_CAPABILITIES:
	case VASI_FMT_OPEN:
	case VASI_FMT_CLOSE:
	case VASI_FMT_ADD_BUFFER:
	case VASI_FMT_FREE_BUFFER:
	case VASI_FMT_DOWNLOAD:
	case VASI_FMT_OPERATION | VASI_FMT_RESPONSE:
	case VASI_FMT_SIGNAL:
	case VASI_FMT_PROGRESS:
	case VASI_FMT_ADD_BUFFER_INDIRECT:
	case VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE:
	case VASI_FMT_MESSAGE_DOWNLOAD:
		return true;
	case VASI_FMT_DIRTY_MAP:
		return dirty_map_agreed(vdev);
	default:
		/* What only the platform sends, and answers nobody asked for */
		return false;
	}
}

static void do_command(struct phyp_vdev *vdev, const struct vasi_crq *entry)
{
	struct vasi_msg msg;
	enum vasi_status status;

	if (!expected(vdev, entry->format))
		return echo(vdev, entry);
	status = vasi_msg_decode(&msg, entry);
	if (status) {
		/* A response that cannot be read gets no answer of its own */
		if (!(entry->format & VASI_FMT_RESPONSE))
			refuse(vdev, entry, status);
		return;
	}
	switch (msg.format) {
	case VASI_FMT_CAPABILITIES:
		return do_capabilities(vdev, &msg);
	case VASI_FMT_OPEN:
		return do_open(vdev, &msg);
	case VASI_FMT_OPERATION | VASI_FMT_RESPONSE:
		return phyp_op_responded(vdev, msg.data, msg.status,
					 msg.residual);
	case VASI_FMT_MESSAGE_UPLOAD | VASI_FMT_RESPONSE:
		return;
	default:
		return do_on_session(vdev, entry, &msg);
	}
}

/**
 * phyp_crq - one entry from the VSP
 * @vdev:	the device
 * @entry:	the entry; may be in shared memory
 *
 * Answers go out through crq_send before this returns, except those of
 * downloads, which wait for donated cycles.  LoPAR, "VASI CRQ Message
 * Definition".
 */
void phyp_crq(struct phyp_vdev *vdev, const struct vasi_crq *entry)
{
	struct vasi_crq copy = *entry;
	struct vasi_crq init = {
		.header = VASI_CRQ_INIT,
		.format = VASI_INIT_COMPLETE,
	};

	switch (copy.header) {
	case VASI_CRQ_COMMAND:
		do_command(vdev, &copy);
		break;
	case VASI_CRQ_INIT:
		if (copy.format == VASI_INIT_INITIALIZE)
			vdev->ops->crq_send(vdev->ctx, &init);
		break;
	default:
		break;
	}
}
