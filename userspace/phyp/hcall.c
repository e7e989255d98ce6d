// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The hcalls of a VSP: LoPAR 2.9, "VASI Hypervisor Calls" and, for the copies,
 * "H_COPY_RDMA".
 */
#include <string.h>
#include <asm/byteorder.h>
#include "phyp/internal.h"

/* ibm,max-virtual-dma-size; LoPAR asks for at least this */
#define MAX_COPY	(128u << 10)

static struct phyp_stream *own_stream(struct phyp_vdev *vdev, uint64_t id)
{
	struct phyp_stream *stream = phyp_stream_find(vdev->phyp, id);

	return stream && stream->params.vdev == vdev ? stream : NULL;
}

/* TOP is the high half of the pair, as in its name */
static int64_t donor_operation(struct phyp_vdev *vdev, uint64_t pair)
{
	struct phyp_session *s = phyp_session_find(vdev, (uint32_t)pair);

	if (!s || s->top != pair >> 32)
		return VASI_RC_PARAMETER;
	return phyp_stream_donate(s->stream);
}

static int64_t vasi_signal(struct phyp_vdev *vdev, uint64_t id, uint64_t code,
			   uint64_t reason)
{
	struct phyp_stream *stream = own_stream(vdev, id);

	if (!stream)
		return VASI_RC_PARAMETER;
	if (code != VASI_SIGNAL_CANCEL)
		return VASI_RC_P2;
	switch (phyp_stream_signal(stream, code, reason)) {
	case VASI_SUCCESS:
		return VASI_RC_SUCCESS;
	case VASI_INVALID_STATE_TRANSITION:
		return VASI_RC_NOOP;
	default:
		return VASI_RC_HARDWARE;
	}
}

static int64_t vasi_state(struct phyp_vdev *vdev, uint64_t id, uint64_t ret[4])
{
	const struct phyp_stream *stream = own_stream(vdev, id);

	if (!stream)
		return VASI_RC_PARAMETER;
	ret[0] = stream->state;
	return VASI_RC_SUCCESS;
}

/*
 * From the second pane, which is the other side's memory, into the first.  The
 * LIOBNs are the unit address (first pane) and the one behind it.
 */
static int64_t copy_rdma(struct phyp_vdev *vdev, const uint64_t arg[8])
{
	uint64_t length = arg[0], from = arg[2], to = arg[4];
	uint64_t first = vdev->params.unit_address;
	struct phyp_dma dma;
	const void *data;
	int64_t rc;

	if (!length || length > MAX_COPY)
		return VASI_RC_PARAMETER;
	if (arg[1] != first && arg[1] != first + 1)
		return VASI_RC_S_PARM;
	if (arg[3] != first && arg[3] != first + 1)
		return VASI_RC_D_PARM;
	if (arg[1] != first + 1 || from > UINT32_MAX)
		return VASI_RC_S_PARM;
	data = phyp_pane_translate(vdev, from, length);
	if (!data)
		return VASI_RC_S_PARM;
	if (arg[3] != first)
		return VASI_RC_PERMISSION;	/* nobody writes into a partition */
	if (to > UINT32_MAX || !phyp_dma_valid(vdev, to, length) ||
	    phyp_dma_get(vdev, to, length, &dma))
		return VASI_RC_D_PARM;
	memcpy(dma.data, data, length);
	rc = phyp_dma_put(&dma, true) ? VASI_RC_HARDWARE : VASI_RC_SUCCESS;
	return rc;
}

static int64_t send_crq(struct phyp_vdev *vdev, uint64_t high, uint64_t low)
{
	__be64 halves[2] = { __cpu_to_be64(high), __cpu_to_be64(low) };
	struct vasi_crq entry;

	memcpy(&entry, halves, sizeof(entry));
	if (!(entry.header & 0x80) || entry.header == VASI_CRQ_EVENT)
		return VASI_RC_PARAMETER;
	phyp_crq(vdev, &entry);
	return VASI_RC_SUCCESS;
}

/**
 * phyp_hcall - one hcall from the VSP
 * @vdev:	the device it names
 * @number:	enum vasi_hcall
 * @arg:	R4 and up, without the unit address where the call has one
 * @ret:	results from R4 on; zeroed
 *
 * Work is bounded: about a millisecond for H_DONOR_OPERATION.
 *
 * Return: enum vasi_hcall_return; VASI_RC_FUNCTION for what is no business of
 * this device.
 */
int64_t phyp_hcall(struct phyp_vdev *vdev, uint64_t number,
		   const uint64_t arg[8], uint64_t ret[4])
{
	memset(ret, 0, 4 * sizeof(ret[0]));
	switch (number) {
	case VASI_H_DONOR_OPERATION:
		return donor_operation(vdev, arg[0]);
	case VASI_H_SIGNAL:
		return vasi_signal(vdev, arg[0], arg[1], arg[2]);
	case VASI_H_STATE:
		return vasi_state(vdev, arg[0], ret);
	case VASI_H_COPY_RDMA:
		return copy_rdma(vdev, arg);
	case VASI_H_SEND_CRQ:
		return send_crq(vdev, arg[0], arg[1]);
	case VASI_H_REG_CRQ:
	case VASI_H_FREE_CRQ:
		phyp_vdev_reset(vdev);
		return VASI_RC_SUCCESS;
	default:
		return VASI_RC_FUNCTION;
	}
}
