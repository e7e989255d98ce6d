// SPDX-License-Identifier: GPL-2.0-or-later
/* The hcalls of a VSP: which check comes first, and what each does. */
#include "one_vsp.h"

#define ID	0x1122334455667788ULL
#define OTHER	0x99AABBCCDDEEFF00ULL
#define TOP	0x7070BEEF
#define MEMORY	(1u << 20)
#define FIRST	VSP_UNIT		/* LIOBN of the first pane */
#define SECOND	(VSP_UNIT + 1)

static struct vsp *one_session(enum phyp_role role, uint32_t *bottom)
{
	struct vsp *vsp = vsp_create(NULL);

	vsp_stream(vsp, 0, ID, role, MEMORY, 4096);
	vsp_send(&vsp->dev[0], "80 01 00 %02x 00000000 0000 0000 00 07 0c 01", role);
	*bottom = vsp_open(&vsp->dev[0], role, TOP, ID);
	return vsp;
}

static int64_t donate(struct vsp_dev *dev, uint64_t pair)
{
	return vsp_hcall(dev, VASI_H_DONOR_OPERATION, pair, 0, 0);
}

static int64_t cancel(struct vsp_dev *dev, uint64_t id)
{
	return vsp_hcall(dev, VASI_H_SIGNAL, id, VASI_SIGNAL_CANCEL, 0x01000001);
}

static enum vasi_state state(struct vsp_dev *dev)
{
	const uint64_t arg[8] = { ID };
	uint64_t ret[4] = { 0, 1, 1, 1 };

	assert_int_equal(phyp_hcall(dev->vdev, VASI_H_STATE, arg, ret),
			 VASI_RC_SUCCESS);
	assert_true(!ret[1] && !ret[2] && !ret[3]);
	return ret[0];
}

static void suspend(struct vsp *vsp, uint32_t bottom)
{
	vsp_send(&vsp->dev[0], "80 08 00 00 %08x 00000000 0003 0000", bottom);
	assert_int_equal(vsp_skip_to(&vsp->dev[0], 0x88).byte2, 0);
	assert_int_equal(state(&vsp->dev[0]), VASI_STATE_SUSPENDING);
	phyp_lpar_suspended(vsp->part[0].lpar);
	assert_int_equal(state(&vsp->dev[0]), VASI_STATE_SUSPENDED);
	vsp_drop(&vsp->dev[0]);
}

/* ---- H_DONOR_OPERATION ---- */

static void donor_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* On an aborted stream: the pair is looked at first */
	cancel(dev, ID);
	assert_int_equal(donate(dev, 0), VASI_RC_PARAMETER);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom + 1)),
			 VASI_RC_PARAMETER);
	assert_int_equal(donate(dev, vsp_pair(TOP + 1, bottom)),
			 VASI_RC_PARAMETER);
	assert_int_equal(donate(dev, vsp_pair(bottom, TOP)), VASI_RC_PARAMETER);
	assert_int_equal(donate(&vsp->dev[1], vsp_pair(TOP, bottom)),
			 VASI_RC_PARAMETER);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)), VASI_RC_ABORTED);
	vsp_destroy(vsp);
}

static void donor_aborted_stream(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	vsp_send(dev, "80 06 00 00 %08x 80 000010 00000000", bottom);
	assert_int_equal(cancel(dev, ID), VASI_RC_SUCCESS);
	vsp_drop(dev);
	/* What was queued is flushed */
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)), VASI_RC_ABORTED);
	vsp_expect(dev, "80 86 00 00 %08x 0000000000000000", TOP);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)), VASI_RC_ABORTED);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

/* A clock that moves a microsecond whenever it is read: a millisecond of work */
static void donor_work_is_bounded(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	unsigned int i, done = 0;
	int64_t rc;

	(void)unused;
	vsp_drop(dev);
	for (i = 0; i < 4000; i++)
		vsp_send(dev, "80 06 00 00 %08x 80 000010 00000000", bottom);
	for (i = 0; done < 4000; i++) {
		uint64_t before = vsp->now_ns;

		rc = donate(dev, vsp_pair(TOP, bottom));
		assert_in_range(vsp->now_ns - before, 1, 1100000);
		assert_in_range(dev->end, 1, 1100);
		done += dev->end;
		/* Who has done the last of them says so in the same call */
		assert_int_equal(rc, done < 4000 ? VASI_RC_IN_PROGRESS :
						   VASI_RC_LONG_BUSY_10_MSEC);
		vsp_drop(dev);
	}
	assert_in_range(i, 4, 8);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)),
			 VASI_RC_LONG_BUSY_10_MSEC);
	vsp_destroy(vsp);
}

static void donor_return_values(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	uint64_t step_ns;
	unsigned int i;

	(void)unused;
	/* Nothing can be sent without a buffer */
	vsp_write(&vsp->part[0], 0, MEMORY);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)),
			 VASI_RC_LONG_BUSY_1_MSEC);
	/* One buffer is filled; then it waits for the next one */
	vsp_send(dev, "80 04 00 00 %08x 80 008000 00000000", bottom);
	vsp_drop(dev);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)),
			 VASI_RC_LONG_BUSY_1_MSEC);
	assert_int_equal(dev->end, 1);
	/* Of several the first takes all the time there is */
	for (i = 0; i < 2; i++)
		vsp_send(dev, "80 04 00 00 %08x 80 008000 00000000", bottom);
	vsp_drop(dev);
	step_ns = vsp->step_ns;
	vsp->step_ns = 2000000;
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)),
			 VASI_RC_IN_PROGRESS);
	assert_int_equal(dev->end, 1);
	vsp->step_ns = step_ns;
	suspend(vsp, bottom);
	assert_int_equal(phyp_stream_recover(vsp->part[0].stream,
					     PHYP_VERDICT_RESUMED, true), 0);
	assert_int_equal(donate(dev, vsp_pair(TOP, bottom)), VASI_RC_SUCCESS);
	vsp_destroy(vsp);

	vsp = one_session(PHYP_TARGET, &bottom);
	assert_int_equal(donate(&vsp->dev[0], vsp_pair(TOP, bottom)),
			 VASI_RC_LONG_BUSY_10_MSEC);
	vsp_destroy(vsp);
}

/* ---- H_VASI_SIGNAL ---- */

static void vasi_signal_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];
	static const uint64_t codes[] = {
		0, 2, 3, 4, 5, 6, 7, 0xFFFF, 0x10001, 0x100000001, UINT64_MAX,
	};
	unsigned int i;

	(void)unused;
	assert_int_equal(vsp_hcall(dev, VASI_H_SIGNAL, OTHER, 9, 0),
			 VASI_RC_PARAMETER);
	assert_int_equal(vsp_hcall(dev, VASI_H_SIGNAL, 0, 1, 0),
			 VASI_RC_PARAMETER);
	assert_int_equal(cancel(&vsp->dev[1], ID), VASI_RC_PARAMETER);
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(vsp_hcall(dev, VASI_H_SIGNAL, ID, codes[i], 0),
				 VASI_RC_P2);
	assert_int_equal(state(dev), VASI_STATE_ENABLED);
	/* Where no signal fits any more, too */
	cancel(dev, ID);
	assert_int_equal(vsp_hcall(dev, VASI_H_SIGNAL, ID, 2, 0), VASI_RC_P2);
	vsp_destroy(vsp);
}

static void vasi_signal_cancels(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_TARGET, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* Nobody acts on a verdict that could not be written */
	vsp->write_error = -EIO;
	assert_int_equal(cancel(dev, ID), VASI_RC_HARDWARE);
	assert_int_equal(state(dev), VASI_STATE_ENABLED);
	vsp->write_error = 0;
	vsp_drop(dev);
	assert_int_equal(cancel(dev, ID), VASI_RC_SUCCESS);
	assert_int_equal(state(dev), VASI_STATE_ABORTED);
	assert_int_equal(vsp->verdict, PHYP_VERDICT_NEVER);
	vsp_skip_to(dev, VASI_FMT_MESSAGE_UPLOAD);
	vsp_expect(dev, "80 09 00 00 %08x 01000001 0002 0000", TOP);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

static void vasi_signal_noop(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	suspend(vsp, bottom);
	assert_int_equal(cancel(dev, ID), VASI_RC_NOOP);
	assert_int_equal(state(dev), VASI_STATE_SUSPENDED);
	assert_int_equal(phyp_stream_recover(vsp->part[0].stream,
					     PHYP_VERDICT_NEVER, false), 0);
	assert_int_equal(cancel(dev, ID), VASI_RC_NOOP);
	vsp_destroy(vsp);
}

/* ---- H_VASI_STATE ---- */

static void vasi_state_checks_in_order(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);

	(void)unused;
	assert_int_equal(vsp_hcall(&vsp->dev[0], VASI_H_STATE, OTHER, 0, 0),
			 VASI_RC_PARAMETER);
	assert_int_equal(vsp_hcall(&vsp->dev[0], VASI_H_STATE, 0, 0, 0),
			 VASI_RC_PARAMETER);
	assert_int_equal(vsp_hcall(&vsp->dev[1], VASI_H_STATE, ID, 0, 0),
			 VASI_RC_PARAMETER);
	vsp_destroy(vsp);
}

static void vasi_state_follows_stream(void **unused)
{
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	assert_int_equal(state(dev), VASI_STATE_ENABLED);
	suspend(vsp, bottom);
	assert_int_equal(phyp_stream_recover(vsp->part[0].stream,
					     PHYP_VERDICT_RESUMED, false), 0);
	assert_int_equal(state(dev), VASI_STATE_RESUMED);
	assert_int_equal(phyp_stream_recover(vsp->part[0].stream,
					     PHYP_VERDICT_RESUMED, true), 0);
	assert_int_equal(state(dev), VASI_STATE_COMPLETED);
	/* Until the operation is ended from outside */
	vsp_send(dev, "80 03 00 00 %08x 0000000000000000", bottom);
	assert_int_equal(state(dev), VASI_STATE_COMPLETED);
	assert_int_equal(phyp_stream_end(vsp->part[0].stream), 0);
	assert_int_equal(vsp_hcall(dev, VASI_H_STATE, ID, 0, 0),
			 VASI_RC_PARAMETER);
	vsp_destroy(vsp);
}

/* ---- H_COPY_RDMA ---- */

/* A source whose operation names @bytes at *ioba of the second pane */
static struct vsp *one_indirect(uint32_t *ioba, uint32_t *bytes)
{
	struct vasi_seg_iter it;
	struct vasi_segment seg;
	struct vasi_op op;
	uint32_t bottom;
	struct vsp *vsp = one_session(PHYP_SOURCE, &bottom);
	struct vsp_dev *dev = &vsp->dev[0];

	vsp_write(&vsp->part[0], 0, 8 * 4096);
	vsp_send(dev, "80 04 00 00 %08x 80 001000 00000000", bottom);
	donate(dev, vsp_pair(TOP, bottom));
	vsp_skip_to(dev, VASI_FMT_OPERATION);
	assert_int_equal(vasi_op_parse(dev->pane, 4096, &op, &it), VASI_SUCCESS);
	do
		assert_int_equal(vasi_op_next(&it, &seg), 1);
	while (seg.kind != VASI_SEG_INDIRECT);
	assert_int_equal(seg.length, 8 * 4096);
	*ioba = seg.ioba;
	*bytes = seg.length;
	return vsp;
}

static int64_t copy(struct vsp_dev *dev, uint64_t length, uint64_t from_liobn,
		    uint64_t from, uint64_t to_liobn, uint64_t to)
{
	const uint64_t arg[8] = { length, from_liobn, from, to_liobn, to };
	uint64_t ret[4];

	return phyp_hcall(dev->vdev, VASI_H_COPY_RDMA, arg, ret);
}

static void copy_rdma_checks_in_order(void **unused)
{
	uint32_t ioba, bytes;
	struct vsp *vsp = one_indirect(&ioba, &bytes);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	/* Each call is wrong in everything that comes later, too */
	assert_int_equal(copy(dev, 0, 1, UINT64_MAX, 1, UINT64_MAX),
			 VASI_RC_PARAMETER);
	assert_int_equal(copy(dev, (128u << 10) + 1, 1, UINT64_MAX, 1, UINT64_MAX),
			 VASI_RC_PARAMETER);
	assert_int_equal(copy(dev, 1, 1, UINT64_MAX, 1, UINT64_MAX),
			 VASI_RC_S_PARM);
	assert_int_equal(copy(dev, 1, SECOND, UINT64_MAX, 1, UINT64_MAX),
			 VASI_RC_D_PARM);
	assert_int_equal(copy(dev, 1, SECOND, UINT64_MAX, SECOND, UINT64_MAX),
			 VASI_RC_S_PARM);
	assert_int_equal(copy(dev, 1, SECOND, ioba + MEMORY, SECOND, UINT64_MAX),
			 VASI_RC_S_PARM);
	assert_int_equal(copy(dev, 2, SECOND, ioba + MEMORY - 1, FIRST, 0),
			 VASI_RC_S_PARM);
	assert_int_equal(copy(dev, 1, SECOND, 255u << 24, FIRST, 0),
			 VASI_RC_S_PARM);
	assert_int_equal(copy(dev, 1, SECOND, ioba, SECOND, UINT64_MAX),
			 VASI_RC_PERMISSION);
	assert_int_equal(copy(dev, 1, SECOND, ioba, FIRST, UINT64_MAX),
			 VASI_RC_D_PARM);
	assert_int_equal(copy(dev, 2, SECOND, ioba, FIRST, VSP_PANE_BYTES - 1),
			 VASI_RC_D_PARM);
	/* Another device's panes are none of this one's */
	assert_int_equal(copy(&vsp->dev[1], 1, SECOND, ioba, FIRST, 0),
			 VASI_RC_S_PARM);
	assert_int_equal(copy(&vsp->dev[1], 1, SECOND + 0x10, ioba, FIRST + 0x10, 0),
			 VASI_RC_S_PARM);
	vsp_destroy(vsp);
}

static void copy_rdma_copies(void **unused)
{
	uint32_t ioba, bytes, i;
	struct vsp *vsp = one_indirect(&ioba, &bytes);
	struct vsp_dev *dev = &vsp->dev[0];
	bool mapped;

	(void)unused;
	for (i = 0; i < bytes; i++)
		vsp->part[0].memory[i] = i * 7 + i / 256;
	for (mapped = false; ; mapped = true) {
		dev->copy = !mapped;
		memset(dev->pane, 0, VSP_PANE_BYTES);
		assert_int_equal(copy(dev, bytes - 5, SECOND, ioba + 5, FIRST,
				      0x1003), VASI_RC_SUCCESS);
		assert_memory_equal(dev->pane + 0x1003, vsp->part[0].memory + 5,
				    bytes - 5);
		assert_int_equal(dev->pane[0x1002], 0);
		assert_int_equal(dev->pane[0x1003 + bytes - 5], 0);
		if (mapped)
			break;
	}
	/* With its sessions the second pane goes */
	phyp_vdev_reset(dev->vdev);
	assert_int_equal(copy(dev, 1, SECOND, ioba, FIRST, 0), VASI_RC_S_PARM);
	vsp_destroy(vsp);
}

/* ---- The queue's own ---- */

static void send_crq_is_a_message(void **unused)
{
	struct vsp *vsp = vsp_create(NULL);
	struct vsp_dev *dev = &vsp->dev[0];

	(void)unused;
	assert_int_equal(vsp_hcall(dev, VASI_H_SEND_CRQ, 0xC001000000000000, 0, 0),
			 VASI_RC_SUCCESS);
	vsp_expect(dev, "c0 02 0000 00000000 0000000000000000");
	assert_int_equal(vsp_hcall(dev, VASI_H_SEND_CRQ, 0x801000000BAD0BAD, 0, 0),
			 VASI_RC_SUCCESS);
	vsp_expect(dev, "80 90 0d 00 0bad0bad 0000000000000000");
	assert_int_equal(vsp_hcall(dev, VASI_H_SEND_CRQ, 0, 0, 0),
			 VASI_RC_PARAMETER);
	assert_int_equal(vsp_hcall(dev, VASI_H_SEND_CRQ, 0xFF01000000000000, 0, 0),
			 VASI_RC_PARAMETER);
	assert_int_equal(vsp_hcall(dev, 0x2AC, 0, 0, 0), VASI_RC_FUNCTION);
	vsp_expect_none(dev);
	vsp_destroy(vsp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(donor_checks_in_order),
		cmocka_unit_test(donor_aborted_stream),
		cmocka_unit_test(donor_work_is_bounded),
		cmocka_unit_test(donor_return_values),
		cmocka_unit_test(vasi_signal_checks_in_order),
		cmocka_unit_test(vasi_signal_cancels),
		cmocka_unit_test(vasi_signal_noop),
		cmocka_unit_test(vasi_state_checks_in_order),
		cmocka_unit_test(vasi_state_follows_stream),
		cmocka_unit_test(copy_rdma_checks_in_order),
		cmocka_unit_test(copy_rdma_copies),
		cmocka_unit_test(send_crq_is_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
