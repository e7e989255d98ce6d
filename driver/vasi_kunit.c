// SPDX-License-Identifier: GPL-2.0
/*
 * Unit tests: codec, ring, handshake, sessions and buffers, with a platform of our own
 * behind struct vasi_hv_ops.
 *
 * The platform answers what it is sent from a work item, as the interrupt's thread would
 * find it in the ring.  A test takes an answer away (struct fake, mute), changes it, or
 * puts entries into the ring itself.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "vasi.h"

#define FAKE_STREAM		0x1122334455667788ULL
#define FAKE_BOTTOM		0x00b00001
#define FAKE_BUFFERS		8
#define FAKE_SENT		64

/**
 * struct fake - a platform
 * @a:		adapter
 * @dev:	its device
 * @work:	brings answers
 * @lock:	spinlock: the ring's producer side
 * @tail:	next entry of the ring to write
 * @rc:		what H_SEND_CRQ returns; 0 = Success
 * @free_rc:	what H_FREE_CRQ returns
 * @mute:	format that is not answered, or 0
 * @open_status: of Open responses
 * @caps:	that are offered
 * @echo:	Capabilities are echoed
 * @sent:	the last messages, oldest first
 * @sent_count:	how many
 * @registered:	H_REG_CRQ calls
 */
struct fake {
	struct vasi_adapter *a;
	struct device *dev;
	struct work_struct work;
	spinlock_t lock;		/* tail, and what is written there */
	u32 tail;
	long rc;
	long free_rc;
	u8 mute;
	u8 open_status;
	struct vasi_caps caps;
	bool echo;
	struct vasi_crq sent[FAKE_SENT];
	u32 sent_count;
	u32 registered;
};

static struct fake *to_fake(struct vasi_adapter *a)
{
	return a->hv_data;
}

/* Into the ring, the header last, as a platform does */
static void fake_put(struct fake *f, const struct vasi_crq *entry)
{
	struct vasi_crq *to;

	spin_lock(&f->lock);
	to = &f->a->ring.entries[f->tail];
	f->tail = (f->tail + 1) % f->a->ring.count;
	memcpy((u8 *)to + 1, (const u8 *)entry + 1, sizeof(*entry) - 1);
	dma_wmb();
	WRITE_ONCE(to->header, entry->header);
	spin_unlock(&f->lock);
}

static void fake_put_msg(struct fake *f, const struct vasi_msg *msg)
{
	struct vasi_crq entry;

	vasi_msg_encode(&entry, msg);
	fake_put(f, &entry);
}

static void fake_work(struct work_struct *work)
{
	struct fake *f = container_of(work, struct fake, work);

	vasi_adapter_interrupt(f->a);
}

/* What a platform that does everything says to a request */
static bool fake_answer(struct fake *f, const struct vasi_crq *entry, struct vasi_msg *answer)
{
	struct vasi_msg msg;

	if (vasi_msg_decode(&msg, entry) != VASI_SUCCESS || msg.format & VASI_FMT_RESPONSE ||
	    msg.format == f->mute)
		return false;
	*answer = msg;
	answer->format |= VASI_FMT_RESPONSE;
	answer->handle = f->a->sessions[0] ? f->a->sessions[0]->top : 0;
	switch (msg.format) {
	case VASI_FMT_CAPABILITIES:
		answer->handle = 0;
		if (!f->echo)
			answer->caps = f->caps;
		break;
	case VASI_FMT_OPEN:
		answer->status = f->open_status;
		answer->handle = f->open_status ? 0 : FAKE_BOTTOM;
		break;
	case VASI_FMT_PROGRESS:
		answer->data = 4711;
		break;
	case VASI_FMT_ADD_BUFFER:
		answer->length = FAKE_BUFFERS;
		answer->data = 0;
		break;
	}
	return true;
}

static long fake_send_crq(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	struct fake *f = to_fake(a);
	struct vasi_crq complete = { .header = VASI_CRQ_INIT, .format = VASI_INIT_COMPLETE };
	struct vasi_msg answer;

	if (f->rc)
		return f->rc;
	if (f->sent_count < FAKE_SENT)
		f->sent[f->sent_count++] = *entry;
	if (entry->header == VASI_CRQ_INIT && entry->format == VASI_INIT_INITIALIZE)
		fake_put(f, &complete);
	else if (entry->header == VASI_CRQ_COMMAND && fake_answer(f, entry, &answer))
		fake_put_msg(f, &answer);
	schedule_work(&f->work);
	return VASI_RC_SUCCESS;
}

static long fake_register_crq(struct vasi_adapter *a)
{
	struct fake *f = to_fake(a);

	f->registered++;
	f->tail = 0;
	return VASI_RC_SUCCESS;
}

static long fake_success(struct vasi_adapter *a)
{
	return VASI_RC_SUCCESS;
}

static long fake_free_crq(struct vasi_adapter *a)
{
	return to_fake(a)->free_rc;
}

static void fake_irq_enable(struct vasi_adapter *a, bool on)
{
}

static const struct vasi_hv_ops fake_ops = {
	.register_crq	= fake_register_crq,
	.free_crq	= fake_free_crq,
	.enable_crq	= fake_success,
	.send_crq	= fake_send_crq,
	.irq_enable	= fake_irq_enable,
};

/* Work that brings entries may make more of it */
static void fake_settle(struct fake *f)
{
	u32 i;

	for (i = 0; i < 16; i++)
		flush_work(&f->work);
	flush_delayed_work(&f->a->reset_work);
	for (i = 0; i < 16; i++)
		flush_work(&f->work);
}

static void fake_interrupt(struct fake *f)
{
	vasi_adapter_interrupt(f->a);
	fake_settle(f);
}

static struct vasi_msg fake_last(struct fake *f, struct kunit *test)
{
	struct vasi_msg msg = { 0 };

	KUNIT_ASSERT_GT(test, f->sent_count, 0U);
	vasi_msg_decode(&msg, &f->sent[f->sent_count - 1]);
	return msg;
}

static void fake_stop(struct fake *f)
{
	cancel_work_sync(&f->work);
	vasi_adapter_stop(f->a);
	cancel_work_sync(&f->work);
	vasi_adapter_put(f->a);
}

static struct fake *fake_new(struct kunit *test, struct device *dev)
{
	struct fake *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->dev = dev;
	spin_lock_init(&f->lock);
	INIT_WORK(&f->work, fake_work);
	f->caps = (struct vasi_caps) {
		.dirty_map = VASI_DIRTY_MAP_OFFER,
		.features = VASI_CAP_MULTIPLE_OPENS | VASI_CAP_ADD_BUFFER_INDIRECT |
			    VASI_CAP_DOWNLOAD_IMMEDIATE | VASI_CAP_DOWNLOAD_INDIRECT,
		.operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE,
		.opens = 4,
	};
	f->a = vasi_adapter_alloc(f->dev, &fake_ops, f, 4096);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->a));
	return f;
}

static int vasi_test_init(struct kunit *test)
{
	struct device *dev = root_device_register("vasi-kunit");

	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	dev->dma_mask = &dev->coherent_dma_mask;
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32)), 0);
	test->priv = fake_new(test, dev);
	return 0;
}

static void vasi_test_exit(struct kunit *test)
{
	struct fake *f = test->priv;

	root_device_unregister(f->dev);
}

static void fake_start(struct fake *f, struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, vasi_adapter_start(f->a), 0);
	fake_settle(f);
}

/* An open session with a pool */
static struct vasi_session *fake_session(struct fake *f, struct kunit *test)
{
	struct vasi_pool_setup setup = { .buffer_bytes = 8192, .count = FAKE_BUFFERS };
	struct vasi_session *s;
	u8 status;

	fake_start(f, test);
	s = vasi_session_open(f->a, FAKE_STREAM, VASI_SERVICE_SOURCE_MOVER, &status);
	KUNIT_ASSERT_FALSE(test, IS_ERR(s));
	KUNIT_ASSERT_EQ(test, vasi_pool_setup(s, &setup), 0);
	KUNIT_EXPECT_EQ(test, setup.pool, 0U);
	KUNIT_EXPECT_EQ(test, setup.stride % PAGE_SIZE, 0UL);
	return s;
}

static int fake_request(struct vasi_session *s, const struct vasi_io_request *req)
{
	int ret;

	spin_lock(&s->adapter->lock);
	ret = vasi_request(s, req);
	vasi_queue_run(s->adapter);
	spin_unlock(&s->adapter->lock);
	return ret;
}

static int fake_add(struct vasi_session *s, u32 index)
{
	return fake_request(s, &(struct vasi_io_request) {
		.op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = index,
	});
}

/* Fill a buffer as a platform does, and say so */
static void fake_operation(struct fake *f, struct vasi_buf *buf, u64 correlator, u32 top,
			   u8 op_code)
{
	struct vasi_session *s = buf->pool->session;
	struct vasi_op op = {
		.buffer_correlator = vasi_buf_correlator(buf),
		.top = top,
		.bottom = s->bottom,
		.op_code = op_code,
		.correlator = 0xabcd,
	};
	struct vasi_seg_builder b;

	vasi_op_begin(&b, buf->data, buf->pool->buffer_bytes, &op);
	memset(vasi_seg_add_immediate(&b, 100), 0x5a, 100);
	vasi_seg_end(&b, buf->data);
	fake_put_msg(f, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION, .data = correlator,
	});
	fake_interrupt(f);
}

/* The next event, as a fetch would take it */
static struct vasi_io_event fake_event(struct vasi_session *s)
{
	struct vasi_io_event event = { 0 };
	struct vasi_item *item;

	spin_lock(&s->adapter->lock);
	item = list_first_entry_or_null(&s->events, struct vasi_item, node);
	if (item) {
		event = item->event;
		vasi_item_fetched(item);
	}
	spin_unlock(&s->adapter->lock);
	return event;
}

/* An operation is faster than the answer to the Add Buffer that it came in */
static void late_answer_changes_nothing(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_buf *buf = &s->pools[0]->bufs[0];
	struct vasi_io_request again = {
		.op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_RESPOND | VASI_COMPLETE_ADD,
	};
	u64 desc;

	f->mute = VASI_FMT_ADD_BUFFER;
	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	desc = fake_last(f, test).data;
	fake_operation(f, buf, vasi_buf_correlator(buf), s->top, VASI_OP_WRITE);
	again.generation = fake_event(s).generation;
	KUNIT_ASSERT_EQ(test, (int)buf->state, VASI_BUF_USER);
	/* It waits to be added again when the answers to the first time come */
	f->rc = VASI_RC_DROPPED;
	KUNIT_ASSERT_EQ(test, fake_request(s, &again), 0);
	KUNIT_ASSERT_EQ(test, (int)buf->state, VASI_BUF_ADDING);
	fake_put_msg(f, &(struct vasi_msg) {
		.format = VASI_FMT_ADD_BUFFER | VASI_FMT_RESPONSE, .handle = s->top,
		.status = VASI_INVALID_BUFFER_LENGTH, .data = desc,
	});
	vasi_adapter_interrupt(f->a);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_ADDING);
	KUNIT_EXPECT_TRUE(test, list_empty(&s->events));
	f->rc = 0;
	f->mute = 0;
	flush_delayed_work(&f->a->retry_work);
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_PLATFORM);
	vasi_session_release(s);
	fake_stop(f);
}

/* What user space writes over a correlator harms nobody else */
static void operation_names_a_strangers_buffer(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_buf *buf = &s->pools[0]->bufs[0];

	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	fake_settle(f);
	f->sent_count = 0;
	/* The platform filled some other buffer, which held this one's correlator */
	fake_put_msg(f, &(struct vasi_msg) {
		.format = VASI_FMT_OPERATION, .data = vasi_buf_correlator(buf),
	});
	fake_interrupt(f);
	KUNIT_ASSERT_EQ(test, f->sent_count, 1U);
	KUNIT_EXPECT_EQ(test, f->sent[0].byte2, VASI_INVALID_BUFFER_CORRELATOR);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_PLATFORM);
	vasi_session_release(s);
	fake_stop(f);
}

static void free_of_an_unknown_buffer(struct kunit *test)
{
	struct vasi_io_request req = { .op = VASI_REQ_FREE, .token = 3 };
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_buf *buf = &s->pools[0]->bufs[0];
	struct vasi_io_event event;
	u64 correlators[2];
	u32 i;

	f->mute = VASI_FMT_FREE_BUFFER;
	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	fake_settle(f);
	correlators[0] = 12345;
	correlators[1] = vasi_buf_correlator(buf);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, fake_request(s, &req), 0);
		fake_put_msg(f, &(struct vasi_msg) {
			.format = VASI_FMT_FREE_BUFFER | VASI_FMT_RESPONSE,
			.handle = s->top, .data = correlators[i],
		});
		fake_interrupt(f);
		event = fake_event(s);
		KUNIT_EXPECT_EQ(test, event.type, VASI_EVT_FREED);
		KUNIT_EXPECT_EQ(test, event.status, i ? VASI_SUCCESS : VASI_HARDWARE);
		KUNIT_EXPECT_EQ(test, (int)buf->state, i ? VASI_BUF_FREE : VASI_BUF_PLATFORM);
	}
	KUNIT_EXPECT_EQ(test, f->a->resets, 0U);
	vasi_session_release(s);
	fake_stop(f);
}

/* Until the queue is freed the platform may write: nothing is unmapped before */
static void nothing_is_given_up_before_the_queue(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);

	f->free_rc = VASI_RC_HARDWARE;
	vasi_adapter_reset(f->a, VASI_RESET_PROTOCOL);
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, (int)s->state, VASI_SESSION_LOST);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_DOWN);
	KUNIT_EXPECT_NOT_NULL(test, s->pools[0]->specs);
	f->free_rc = 0;
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_READY);
	KUNIT_EXPECT_NULL(test, s->pools[0]->specs);
	vasi_session_release(s);
	fake_stop(f);
}

static void codec_operation(struct kunit *test)
{
	u8 *buf = kunit_kzalloc(test, 4096, GFP_KERNEL);
	struct vasi_op op = {
		.buffer_correlator = 1, .top = 2, .bottom = 3,
		.op_code = VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS, .correlator = 4,
	}, back;
	struct vasi_seg_builder b;
	struct vasi_segment seg;
	struct vasi_seg_iter it;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_EQ(test, vasi_op_begin(&b, buf, 4096, &op), 0);
	KUNIT_ASSERT_NOT_NULL(test, vasi_seg_add_immediate(&b, 9));
	KUNIT_ASSERT_EQ(test, vasi_op_add_indirect(&b, 4096, 0x1000), 0);
	vasi_seg_end(&b, buf);
	/* Big-endian whatever the machine is */
	KUNIT_EXPECT_EQ(test, buf[7], 1);
	KUNIT_EXPECT_EQ(test, buf[11], 2);
	KUNIT_EXPECT_EQ(test, buf[15], 3);
	KUNIT_EXPECT_EQ(test, buf[31], 4);
	KUNIT_ASSERT_EQ(test, (int)vasi_op_parse(buf, 4096, &back, &it), VASI_SUCCESS);
	KUNIT_EXPECT_EQ(test, back.correlator, 4ULL);
	KUNIT_ASSERT_EQ(test, vasi_op_next(&it, &seg), 1);
	KUNIT_EXPECT_EQ(test, seg.length, 9U);
	KUNIT_ASSERT_EQ(test, vasi_op_next(&it, &seg), 1);
	KUNIT_EXPECT_EQ(test, seg.ioba, 0x1000U);
	KUNIT_EXPECT_EQ(test, vasi_op_next(&it, &seg), 0);
	/* A segment that says it is longer than the buffer */
	buf[VASI_OP_DATA_OFFSET + 1] = 0xff;
	vasi_op_parse(buf, 4096, &back, &it);
	KUNIT_EXPECT_LT(test, vasi_op_next(&it, &seg), 0);
}

static void codec_messages(struct kunit *test)
{
	struct vasi_msg msg = { .format = VASI_FMT_SIGNAL, .handle = 5, .code = 3, .reason = 7 };
	struct vasi_msg back;
	struct vasi_crq entry;

	vasi_msg_encode(&entry, &msg);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(entry.handle), 5U);
	KUNIT_ASSERT_EQ(test, (int)vasi_msg_decode(&back, &entry), VASI_SUCCESS);
	KUNIT_EXPECT_EQ(test, memcmp(&msg, &back, sizeof(msg)), 0);
	entry.byte3 = 1;
	KUNIT_EXPECT_EQ(test, (int)vasi_msg_decode(&back, &entry), VASI_UNKNOWN_RESERVED);
	entry.format = 0x7f;
	KUNIT_EXPECT_EQ(test, (int)vasi_msg_decode(&back, &entry), VASI_INVALID_FORMAT);
}

static void ring_wraps(struct kunit *test)
{
	struct vasi_crq entries[4] = { 0 }, entry;
	struct vasi_ring ring = { .entries = entries, .count = 4 };
	u32 i;

	KUNIT_EXPECT_FALSE(test, vasi_ring_next(&ring, &entry));
	for (i = 0; i < 10; i++) {
		entries[i % 4].format = i;
		entries[i % 4].header = VASI_CRQ_COMMAND;
		KUNIT_ASSERT_TRUE(test, vasi_ring_next(&ring, &entry));
		KUNIT_EXPECT_EQ(test, entry.format, (u8)i);
		KUNIT_EXPECT_EQ(test, entries[i % 4].header, VASI_CRQ_FREE);
		KUNIT_EXPECT_FALSE(test, vasi_ring_next(&ring, &entry));
	}
	vasi_ring_clear(&ring);
	KUNIT_EXPECT_EQ(test, ring.next, 0U);
}

static void handshake_agrees(struct kunit *test)
{
	struct fake *f = test->priv;
	const struct vasi_caps *caps;

	fake_start(f, test);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_READY);
	caps = vasi_adapter_caps(f->a, VASI_SERVICE_TARGET_MOVER);
	KUNIT_EXPECT_EQ(test, caps->opens, 4);
	KUNIT_EXPECT_EQ(test, caps->dirty_map, VASI_DIRTY_MAP_OFFER);
	/* Initialize, then one request for each service */
	KUNIT_EXPECT_EQ(test, f->sent_count, 3U);
	KUNIT_EXPECT_EQ(test, vasi_adapter_caps(f->a, VASI_SERVICE_PAGER)->opens, 0);
	fake_stop(f);
}

static void handshake_echo_offers_no_dirty_map(struct kunit *test)
{
	struct fake *f = test->priv;

	f->echo = true;
	fake_start(f, test);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_READY);
	KUNIT_EXPECT_EQ(test, vasi_adapter_caps(f->a, VASI_SERVICE_SOURCE_MOVER)->dirty_map, 0);
	fake_stop(f);
}

static void handshake_takes_no_more_than_asked(struct kunit *test)
{
	struct fake *f = test->priv;
	const struct vasi_caps *caps;

	f->caps.features = 0xff;
	f->caps.operations = 0xff;
	f->caps.opens = 0;
	fake_start(f, test);
	caps = vasi_adapter_caps(f->a, VASI_SERVICE_SOURCE_MOVER);
	KUNIT_EXPECT_EQ(test, caps->features & VASI_CAP_FAILOVER, 0);
	KUNIT_EXPECT_EQ(test, caps->operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT, 0);
	KUNIT_EXPECT_EQ(test, caps->opens, 0);
	fake_stop(f);
}

/* Both ends may start the handshake at the same time */
static void handshake_crosses(struct kunit *test)
{
	struct vasi_crq init = { .header = VASI_CRQ_INIT, .format = VASI_INIT_INITIALIZE };
	struct fake *f = test->priv;

	f->mute = VASI_FMT_CAPABILITIES;
	fake_start(f, test);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_NEGOTIATING);
	fake_put(f, &init);
	fake_interrupt(f);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_NEGOTIATING);
	KUNIT_EXPECT_EQ(test, f->sent[f->sent_count - 1].header, VASI_CRQ_INIT);
	KUNIT_EXPECT_EQ(test, f->sent[f->sent_count - 1].format, VASI_INIT_COMPLETE);
	KUNIT_EXPECT_EQ(test, f->a->resets, 0U);
	fake_stop(f);
}

static void reset_by_event(struct kunit *test)
{
	static const struct {
		u8 event;
		enum vasi_reset_reason reason;
	} events[] = {
		{ VASI_EVENT_PARTNER_FAILED, VASI_RESET_PARTNER_FAILED },
		{ VASI_EVENT_PARTNER_DEREGISTERED, VASI_RESET_PARTNER_DEREGISTERED },
		{ VASI_EVENT_PARTNER_TERMINATED, VASI_RESET_PARTNER_TERMINATED },
		{ VASI_EVENT_PARTNER_SUSPENDED, VASI_RESET_PARTNER_SUSPENDED },
	};
	struct vasi_crq entry = { .header = VASI_CRQ_EVENT };
	struct fake *f = test->priv;
	u32 i;

	fake_start(f, test);
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		entry.format = events[i].event;
		fake_put(f, &entry);
		fake_interrupt(f);
		KUNIT_EXPECT_EQ(test, f->a->resets, i + 1);
		KUNIT_EXPECT_EQ(test, (int)f->a->reset_reason, (int)events[i].reason);
		KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_READY);
	}
	KUNIT_EXPECT_EQ(test, f->registered, 5U);
	fake_stop(f);
}

static void session_opens_and_closes(struct kunit *test)
{
	struct vasi_io_request close = { .op = VASI_REQ_CLOSE, .token = 77 };
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_io_event event;
	u32 top = s->top;

	KUNIT_EXPECT_EQ(test, s->bottom, FAKE_BOTTOM);
	KUNIT_EXPECT_PTR_EQ(test, vasi_session_by_top(f->a, top), s);
	KUNIT_EXPECT_NULL(test, vasi_session_by_top(f->a, top + BIT(VASI_SESSION_BITS)));
	KUNIT_ASSERT_EQ(test, fake_request(s, &close), 0);
	KUNIT_EXPECT_EQ(test, fake_request(s, &close), -ENOTCONN);
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, (int)s->state, VASI_SESSION_CLOSED);
	KUNIT_EXPECT_NULL(test, vasi_session_by_top(f->a, top));
	event = fake_event(s);
	KUNIT_EXPECT_EQ(test, event.type, VASI_EVT_CLOSED);
	KUNIT_EXPECT_EQ(test, event.token, 77ULL);
	KUNIT_EXPECT_EQ(test, f->a->slots_used, 0U);
	vasi_session_release(s);
	fake_stop(f);
}

/* H_DONOR_OPERATION names a session by TOP and BOTTOM, and no adapter */
static void sessions_of_two_adapters_have_two_names(struct kunit *test)
{
	struct fake *one = test->priv, *two = fake_new(test, one->dev);
	struct vasi_session *s = fake_session(one, test), *t = fake_session(two, test);

	KUNIT_EXPECT_EQ(test, s->bottom, t->bottom);
	KUNIT_EXPECT_NE(test, s->top, t->top);
	vasi_session_release(t);
	vasi_session_release(s);
	fake_stop(two);
	fake_stop(one);
}

static void session_is_refused(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s;
	u8 status = 0;

	f->open_status = VASI_TOO_MANY_OPENS;
	fake_start(f, test);
	s = vasi_session_open(f->a, FAKE_STREAM, VASI_SERVICE_SOURCE_MOVER, &status);
	KUNIT_EXPECT_EQ(test, PTR_ERR(s), -EREMOTEIO);
	KUNIT_EXPECT_EQ(test, status, VASI_TOO_MANY_OPENS);
	KUNIT_EXPECT_NULL(test, f->a->sessions[0]);
	KUNIT_EXPECT_EQ(test, f->a->slots_used, 0U);
	fake_stop(f);
}

/* Nobody closed it: it is aborted, then closed */
static void session_is_released(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	u32 before = f->sent_count;

	vasi_session_release(s);
	fake_settle(f);
	KUNIT_ASSERT_EQ(test, f->sent_count, before + 2);
	KUNIT_EXPECT_EQ(test, f->sent[before].format, VASI_FMT_SIGNAL);
	KUNIT_EXPECT_EQ(test, be16_to_cpu(f->sent[before].signal.code), VASI_SIGNAL_ABORT);
	KUNIT_EXPECT_EQ(test, be32_to_cpu(f->sent[before].signal.reason),
			(u32)VASI_ABORT_SOURCE_VSP << VASI_REASON_ENTITY_SHIFT);
	KUNIT_EXPECT_EQ(test, f->sent[before + 1].format, VASI_FMT_CLOSE);
	KUNIT_EXPECT_NULL(test, f->a->sessions[0]);
	fake_stop(f);
}

static void session_is_lost(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);

	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	fake_settle(f);
	vasi_adapter_reset(f->a, VASI_RESET_PROTOCOL);
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, (int)s->state, VASI_SESSION_LOST);
	KUNIT_EXPECT_EQ(test, fake_add(s, 1), -ECONNRESET);
	KUNIT_EXPECT_EQ(test, (int)f->a->state, VASI_ADAPTER_READY);
	vasi_session_release(s);
	fake_stop(f);
}

static void buffers_go_alone_and_in_lists(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_pool *pool = s->pools[0];
	u32 before, i;

	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).format, VASI_FMT_ADD_BUFFER);
	KUNIT_EXPECT_EQ(test, (int)pool->bufs[0].state, VASI_BUF_PLATFORM);
	KUNIT_EXPECT_EQ(test, fake_add(s, 0), -EBUSY);
	before = f->sent_count;
	/* The platform's queue is full, then it is not */
	f->rc = VASI_RC_DROPPED;
	for (i = 1; i < FAKE_BUFFERS; i++)
		KUNIT_ASSERT_EQ(test, fake_add(s, i), 0);
	KUNIT_EXPECT_EQ(test, f->sent_count, before);
	KUNIT_EXPECT_EQ(test, (int)pool->bufs[3].state, VASI_BUF_ADDING);
	f->rc = 0;
	flush_delayed_work(&f->a->retry_work);
	fake_settle(f);
	KUNIT_EXPECT_EQ(test, f->sent_count, before + 1);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).format, VASI_FMT_ADD_BUFFER_INDIRECT);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).count, FAKE_BUFFERS - 1);
	for (i = 0; i < FAKE_BUFFERS; i++)
		KUNIT_EXPECT_EQ(test, (int)pool->bufs[i].state, VASI_BUF_PLATFORM);
	vasi_session_release(s);
	fake_stop(f);
}

static void operation_arrives(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_buf *buf = &s->pools[0]->bufs[0];
	struct vasi_io_request respond = {
		.op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_RESPOND,
	};
	struct vasi_io_event event;

	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	fake_settle(f);
	fake_operation(f, buf, vasi_buf_correlator(buf), s->top,
		       VASI_OP_WRITE | VASI_OP_RESPOND_ALWAYS);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_FILLED);
	event = fake_event(s);
	KUNIT_EXPECT_EQ(test, event.type, VASI_EVT_OPERATION);
	KUNIT_EXPECT_EQ(test, event.u.operation.bytes, 100ULL);
	KUNIT_EXPECT_EQ(test, event.u.operation.segments, 1U);
	KUNIT_EXPECT_EQ(test, event.u.operation.sequence, 0ULL);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_USER);
	respond.generation = event.generation + 1;
	KUNIT_EXPECT_EQ(test, fake_request(s, &respond), -ESTALE);
	respond.generation = event.generation;
	KUNIT_EXPECT_EQ(test, fake_request(s, &respond), 0);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_FREE);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).format, VASI_FMT_OPERATION | VASI_FMT_RESPONSE);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).data, 0xabcdULL);
	KUNIT_EXPECT_EQ(test, fake_request(s, &respond), -EBUSY);
	vasi_session_release(s);
	fake_stop(f);
}

static void operation_is_refused(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_buf *buf = &s->pools[0]->bufs[0];
	u64 correlator;

	/* Not added */
	fake_operation(f, buf, vasi_buf_correlator(buf), s->top, VASI_OP_WRITE);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).status, VASI_INVALID_BUFFER_CORRELATOR);
	KUNIT_ASSERT_EQ(test, fake_add(s, 0), 0);
	fake_settle(f);
	correlator = vasi_buf_correlator(buf);
	/* Of an earlier generation, out of range, of no session */
	fake_operation(f, buf, correlator - 1, s->top, VASI_OP_WRITE);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).status, VASI_INVALID_BUFFER_CORRELATOR);
	fake_operation(f, buf, ~0ULL, s->top, VASI_OP_WRITE);
	KUNIT_EXPECT_EQ(test, fake_last(f, test).status, VASI_INVALID_BUFFER_CORRELATOR);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_PLATFORM);
	/* For another session: refused, and the buffer is the platform's again */
	f->sent_count = 0;
	fake_operation(f, buf, correlator, s->top + 1, VASI_OP_WRITE);
	KUNIT_ASSERT_EQ(test, f->sent_count, 2U);
	KUNIT_EXPECT_EQ(test, f->sent[0].byte2, VASI_INVALID_TOP);
	KUNIT_EXPECT_EQ(test, f->sent[1].format, VASI_FMT_ADD_BUFFER);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_PLATFORM);
	/* A read */
	f->sent_count = 0;
	fake_operation(f, buf, vasi_buf_correlator(buf), s->top, 0);
	KUNIT_EXPECT_EQ(test, f->sent[0].byte2, VASI_INVALID_OPERATION_SPECIFIER);
	KUNIT_EXPECT_EQ(test, fake_event(s).type, 0);
	KUNIT_EXPECT_EQ(test, f->a->resets, 0U);
	vasi_session_release(s);
	fake_stop(f);
}

/* Where the data are is said in memory that user space does not see */
static void download_is_indirect(struct kunit *test)
{
	struct vasi_io_request req = {
		.op = VASI_REQ_DOWNLOAD, .index = 2, .token = 5,
		.u.download = { .offset = 16, .bytes = 1000 },
	};
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_buf *buf = &s->pools[0]->bufs[2];
	struct vasi_seg_iter it;
	struct vasi_segment seg;
	struct vasi_io_event event;
	u32 length, ioba;

	f->mute = VASI_FMT_DOWNLOAD;
	KUNIT_ASSERT_EQ(test, fake_request(s, &req), 0);
	KUNIT_EXPECT_EQ(test, fake_request(s, &req), -EBUSY);
	KUNIT_EXPECT_EQ(test, fake_add(s, 2), -EBUSY);
	KUNIT_ASSERT_EQ(test, vasi_desc_parse(fake_last(f, test).data, &length, &ioba), 0);
	KUNIT_EXPECT_EQ(test, ioba, (u32)s->pools[0]->specs_dma + 2 * VASI_SPEC_STRIDE);
	vasi_download_parse(s->pools[0]->specs + 2 * VASI_SPEC_STRIDE, length, &it);
	KUNIT_ASSERT_EQ(test, vasi_download_next(&it, &seg), 1);
	KUNIT_EXPECT_EQ(test, seg.length, 1000U);
	KUNIT_EXPECT_EQ(test, seg.ioba, (u32)buf->dma + 16);
	KUNIT_EXPECT_EQ(test, vasi_download_next(&it, &seg), 0);
	/* With another buffer's correlator it is nobody's answer */
	fake_put_msg(f, &(struct vasi_msg) {
		.format = VASI_FMT_DOWNLOAD | VASI_FMT_RESPONSE, .handle = s->top, .data = 1,
	});
	fake_interrupt(f);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_BUSY);
	KUNIT_EXPECT_EQ(test, f->a->stats.stray, 1ULL);
	fake_put_msg(f, &(struct vasi_msg) {
		.format = VASI_FMT_DOWNLOAD | VASI_FMT_RESPONSE, .handle = s->top,
		.data = vasi_buf_correlator(buf),
	});
	fake_interrupt(f);
	event = fake_event(s);
	KUNIT_EXPECT_EQ(test, event.type, VASI_EVT_DOWNLOADED);
	KUNIT_EXPECT_EQ(test, event.token, 5ULL);
	KUNIT_EXPECT_EQ(test, (int)buf->state, VASI_BUF_FREE);
	vasi_session_release(s);
	fake_stop(f);
}

static void requests_are_checked(struct kunit *test)
{
	static const struct vasi_io_request bad[] = {
		{ .op = 0 },
		{ .op = VASI_REQ_CLOSE + 1 },
		{ .op = VASI_REQ_COMPLETE },
		{ .op = VASI_REQ_COMPLETE, .flags = 4 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .pool = 1 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .index = FAKE_BUFFERS },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .reserved = 1 },
		{ .op = VASI_REQ_COMPLETE, .flags = VASI_COMPLETE_ADD, .u.reserved[4] = 1 },
		{ .op = VASI_REQ_DOWNLOAD },
		{ .op = VASI_REQ_DOWNLOAD, .u.download = { .offset = 8191, .bytes = 2 } },
		{ .op = VASI_REQ_DOWNLOAD, .u.download = { .offset = U32_MAX, .bytes = 2 } },
		{ .op = VASI_REQ_PROGRESS, .index = 1 },
		{ .op = VASI_REQ_SIGNAL, .u.signal = { .code = 0x10000 } },
		{ .op = VASI_REQ_DIRTY_MAP },
		{ .op = VASI_REQ_DIRTY_MAP, .u.dirty_map = { .pages = 1, .granule = 512 } },
		{ .op = VASI_REQ_DIRTY_MAP, .u.dirty_map = { .pages = 8192 * 8 } },
	};
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	u32 before = f->sent_count;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, fake_request(s, &bad[i]), -EINVAL, "request %u", i);
	KUNIT_EXPECT_EQ(test, f->sent_count, before);
	vasi_session_release(s);
	fake_stop(f);
}

/* Who fetches nothing cannot make the kernel hold more and more */
static void events_are_bounded(struct kunit *test)
{
	struct fake *f = test->priv;
	struct vasi_session *s = fake_session(f, test);
	struct vasi_io_event event, last = { 0 };
	u32 i;

	for (i = 0; i < 2 * VASI_SESSION_ITEMS; i++) {
		fake_put_msg(f, &(struct vasi_msg) {
			.format = VASI_FMT_STATE, .handle = s->top, .code = i % 7, .reason = i,
		});
		fake_interrupt(f);
	}
	for (i = 0; (event = fake_event(s)).type; i++)
		last = event;
	KUNIT_EXPECT_EQ(test, i, (u32)VASI_SESSION_ITEMS);
	KUNIT_EXPECT_EQ(test, last.type, VASI_EVT_STATE);
	KUNIT_EXPECT_EQ(test, last.u.state.reason, 2U * VASI_SESSION_ITEMS - 1);
	KUNIT_EXPECT_EQ(test, s->free_count, (u32)VASI_SESSION_ITEMS);
	vasi_session_release(s);
	fake_stop(f);
}

static struct kunit_case vasi_codec_cases[] = {
	KUNIT_CASE(codec_operation),
	KUNIT_CASE(codec_messages),
	KUNIT_CASE(ring_wraps),
	{}
};

static struct kunit_suite vasi_codec_suite = {
	.name = "vasi_codec",
	.test_cases = vasi_codec_cases,
};

static struct kunit_case vasi_adapter_cases[] = {
	KUNIT_CASE(handshake_agrees),
	KUNIT_CASE(handshake_echo_offers_no_dirty_map),
	KUNIT_CASE(handshake_takes_no_more_than_asked),
	KUNIT_CASE(handshake_crosses),
	KUNIT_CASE(reset_by_event),
	KUNIT_CASE(session_opens_and_closes),
	KUNIT_CASE(sessions_of_two_adapters_have_two_names),
	KUNIT_CASE(session_is_refused),
	KUNIT_CASE(session_is_released),
	KUNIT_CASE(session_is_lost),
	KUNIT_CASE(buffers_go_alone_and_in_lists),
	KUNIT_CASE(operation_arrives),
	KUNIT_CASE(operation_is_refused),
	KUNIT_CASE(download_is_indirect),
	KUNIT_CASE(requests_are_checked),
	KUNIT_CASE(events_are_bounded),
	KUNIT_CASE(late_answer_changes_nothing),
	KUNIT_CASE(operation_names_a_strangers_buffer),
	KUNIT_CASE(free_of_an_unknown_buffer),
	KUNIT_CASE(nothing_is_given_up_before_the_queue),
	{}
};

static struct kunit_suite vasi_adapter_suite = {
	.name = "vasi_adapter",
	.init = vasi_test_init,
	.exit = vasi_test_exit,
	.test_cases = vasi_adapter_cases,
};

kunit_test_suites(&vasi_codec_suite, &vasi_adapter_suite);
