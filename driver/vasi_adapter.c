// SPDX-License-Identifier: GPL-2.0
/*
 * Adapters: handshake, capabilities, interrupt, reset, end.
 *
 *	        ring registered        Initialize and       both services
 *	                               its answer           answered
 *	DOWN ----------------> WAITING ----------> NEGOTIATING ------------> READY
 *	 ^                        |                     |                      |
 *	 +------------------------+---------------------+----------------------+
 *	   reset: every session is LOST, the ring is freed and registered anew
 *
 *	any state --- removed ---> DEAD
 *
 * Whatever goes wrong between the two sides leads to a reset: there is one way back to a
 * known state, and no other.  Resets that keep failing are tried less and less often.
 */
#include <linux/cdev.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "vasi.h"
#include "vasi_trace.h"

/* The platform answers the handshake within milliseconds */
#define VASI_HANDSHAKE_TIMEOUT	(10 * HZ)
/* Between resets that fail: doubled from one to the other */
#define VASI_BACKOFF_FIRST	(HZ / 10)
#define VASI_BACKOFF_MOST	(30 * HZ)
/* Entries that are worked on before others get the processor */
#define VASI_BUDGET		64

static const char * const vasi_adapter_state_names[] = {
	[VASI_ADAPTER_DOWN]		= "down",
	[VASI_ADAPTER_WAITING]		= "waiting",
	[VASI_ADAPTER_NEGOTIATING]	= "negotiating",
	[VASI_ADAPTER_READY]		= "ready",
	[VASI_ADAPTER_DEAD]		= "dead",
};

static const char * const vasi_reset_reason_names[] = {
	[VASI_RESET_PARTNER_FAILED]		= "partner failed",
	[VASI_RESET_PARTNER_DEREGISTERED]	= "partner deregistered",
	[VASI_RESET_PARTNER_TERMINATED]		= "partner terminated",
	[VASI_RESET_PARTNER_SUSPENDED]		= "partner suspended",
	[VASI_RESET_PARTNER_INITIALIZED]	= "partner initialized",
	[VASI_RESET_QUEUE_CLOSED]		= "queue closed",
	[VASI_RESET_PROTOCOL]			= "protocol error",
	[VASI_RESET_TIMEOUT]			= "no answer to the handshake",
	[VASI_RESET_CLOSE]			= "no answer to a close",
	[VASI_RESET_HARDWARE]			= "hypervisor call failed",
};

const char *vasi_adapter_state_name(enum vasi_adapter_state state)
{
	return state < ARRAY_SIZE(vasi_adapter_state_names) ? vasi_adapter_state_names[state] :
	       "?";
}

const char *vasi_reset_reason_name(enum vasi_reset_reason reason)
{
	if (reason >= ARRAY_SIZE(vasi_reset_reason_names) || !vasi_reset_reason_names[reason])
		return "?";
	return vasi_reset_reason_names[reason];
}

/* From which states an adapter may go where */
static const u8 vasi_adapter_from[] = {
	[VASI_ADAPTER_DOWN]		= BIT(VASI_ADAPTER_DOWN) | BIT(VASI_ADAPTER_WAITING) |
					  BIT(VASI_ADAPTER_NEGOTIATING) |
					  BIT(VASI_ADAPTER_READY),
	[VASI_ADAPTER_WAITING]		= BIT(VASI_ADAPTER_DOWN),
	[VASI_ADAPTER_NEGOTIATING]	= BIT(VASI_ADAPTER_WAITING),
	[VASI_ADAPTER_READY]		= BIT(VASI_ADAPTER_NEGOTIATING),
	[VASI_ADAPTER_DEAD]		= BIT(VASI_ADAPTER_DOWN) | BIT(VASI_ADAPTER_WAITING) |
					  BIT(VASI_ADAPTER_NEGOTIATING) |
					  BIT(VASI_ADAPTER_READY),
};

/* The only place where an adapter's state changes.  Return: whether it did. */
static bool vasi_adapter_move(struct vasi_adapter *a, enum vasi_adapter_state state)
{
	lockdep_assert_held(&a->lock);
	if (!(vasi_adapter_from[state] & BIT(a->state)))
		return false;
	trace_vasi_adapter(a, state);
	a->state = state;
	wake_up_all(&a->wait);
	return true;
}

/**
 * vasi_adapter_caps() - what was agreed on for a service
 * @a:		adapter
 * @service:	enum vasi_service
 *
 * Return: the capabilities; none for a service that is not a mover's.
 */
const struct vasi_caps *vasi_adapter_caps(const struct vasi_adapter *a, u32 service)
{
	static const struct vasi_caps none;

	return service < ARRAY_SIZE(a->caps) ? &a->caps[service] : &none;
}

/**
 * vasi_adapter_reset_locked() - have an adapter reset
 * @a:		adapter
 * @reason:	why; the first one stays until it is done
 *
 * Context: adapter->lock.
 */
void vasi_adapter_reset_locked(struct vasi_adapter *a, enum vasi_reset_reason reason)
{
	unsigned long delay = 0;

	if (a->reset_pending || a->going)
		return;
	if (a->failures)
		delay = min_t(unsigned long, VASI_BACKOFF_FIRST << min_t(u32, a->failures, 12),
			      VASI_BACKOFF_MOST);
	/* A platform that says nonsense as soon as it can is not to keep a processor busy */
	else if (reason == VASI_RESET_PROTOCOL)
		delay = VASI_BACKOFF_FIRST;
	a->failures++;
	a->reset_pending = true;
	a->reset_reason = reason;
	schedule_delayed_work(&a->reset_work, delay);
}

/**
 * vasi_adapter_reset() - have an adapter reset
 * @a:		adapter
 * @reason:	why
 *
 * Context: without adapter->lock.
 */
void vasi_adapter_reset(struct vasi_adapter *a, enum vasi_reset_reason reason)
{
	spin_lock(&a->lock);
	vasi_adapter_reset_locked(a, reason);
	spin_unlock(&a->lock);
}

/* A message of the handshake.  It does not wait: nothing else is sent before READY. */
static void vasi_send_init(struct vasi_adapter *a, enum vasi_init_format format)
{
	struct vasi_crq entry = { .header = VASI_CRQ_INIT, .format = format };
	long rc;

	rc = a->hv->send_crq(a, &entry);
	trace_vasi_send(a, &entry, rc);
	/* Without a partner: it starts the handshake when it comes, or is asked again */
	a->alone = rc == VASI_RC_CLOSED;
	mod_delayed_work(system_wq, &a->timeout_work, VASI_HANDSHAKE_TIMEOUT);
}

/* What both services are asked for */
static struct vasi_caps vasi_wanted(void)
{
	struct vasi_caps caps = {
		.dirty_map = vasi_dirty_map ? VASI_DIRTY_MAP_REQUEST : 0,
		.features = VASI_CAP_MULTIPLE_OPENS | VASI_CAP_ADD_BUFFER_INDIRECT |
			    VASI_CAP_DOWNLOAD_IMMEDIATE | VASI_CAP_DOWNLOAD_INDIRECT,
		.operations = VASI_CAP_OP_WRITE_SEQ_IMMEDIATE,
		.opens = U8_MAX,
	};

	if (vasi_indirect_operations)
		caps.operations |= VASI_CAP_OP_WRITE_SEQ_INDIRECT;
	return caps;
}

/* LoPAR, "VASI CRQ Message Definition": Capabilities; one request a service */
static void vasi_ask_capabilities(struct vasi_adapter *a)
{
	struct vasi_msg msg = {
		.format = VASI_FMT_CAPABILITIES,
		.service = a->negotiating,
		.caps = vasi_wanted(),
	};
	struct vasi_crq entry;

	vasi_msg_encode(&entry, &msg);
	if (vasi_send_now(a, &entry))
		vasi_adapter_reset_locked(a, VASI_RESET_HARDWARE);
	else
		mod_delayed_work(system_wq, &a->timeout_work, VASI_HANDSHAKE_TIMEOUT);
}

/* Nothing is taken that was not asked for, and an echo offers nothing */
static void vasi_agree(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	struct vasi_caps *caps = &a->caps[a->negotiating];
	struct vasi_caps wanted = vasi_wanted();

	memset(caps, 0, sizeof(*caps));
	/* LoPAR: Success or Hardware; the latter means: not this service */
	if (msg->status != VASI_SUCCESS)
		return;
	caps->features = msg->caps.features & wanted.features;
	caps->operations = msg->caps.operations & wanted.operations;
	caps->opens = caps->features & VASI_CAP_MULTIPLE_OPENS ? msg->caps.opens : 1;
	if (wanted.dirty_map && msg->caps.dirty_map == VASI_DIRTY_MAP_OFFER)
		caps->dirty_map = VASI_DIRTY_MAP_OFFER;
}

/**
 * vasi_adapter_capabilities() - Capabilities were answered
 * @a:		adapter
 * @msg:	answer
 *
 * Context: adapter->ring_lock.
 */
void vasi_adapter_capabilities(struct vasi_adapter *a, const struct vasi_msg *msg)
{
	bool ready = false;

	spin_lock(&a->lock);
	if (a->state != VASI_ADAPTER_NEGOTIATING || msg->service != a->negotiating) {
		a->stats.stray++;
	} else {
		vasi_agree(a, msg);
		a->negotiating++;
		if (a->negotiating < ARRAY_SIZE(a->caps)) {
			vasi_ask_capabilities(a);
		} else {
			cancel_delayed_work(&a->timeout_work);
			a->failures = 0;
			ready = vasi_adapter_move(a, VASI_ADAPTER_READY);
			vasi_queue_run(a);
		}
	}
	spin_unlock(&a->lock);
	if (ready)
		vasi_notify_adapter(a);
}

static void vasi_negotiate(struct vasi_adapter *a)
{
	if (!vasi_adapter_move(a, VASI_ADAPTER_NEGOTIATING))
		return;
	a->negotiating = VASI_SERVICE_SOURCE_MOVER;
	vasi_ask_capabilities(a);
}

/*
 * Either end may start the handshake, and both may at once: then each answers the other's
 * Initialize.  A platform that starts it anew has forgotten everything.
 */
static void vasi_handle_init(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	spin_lock(&a->lock);
	if (a->reset_pending)
		goto unlock;
	if (entry->format == VASI_INIT_COMPLETE) {
		vasi_negotiate(a);
	} else if (entry->format == VASI_INIT_INITIALIZE) {
		if (a->state == VASI_ADAPTER_READY) {
			vasi_adapter_reset_locked(a, VASI_RESET_PARTNER_INITIALIZED);
		} else {
			vasi_send_init(a, VASI_INIT_COMPLETE);
			vasi_negotiate(a);
		}
	} else {
		vasi_adapter_reset_locked(a, VASI_RESET_PROTOCOL);
	}
unlock:
	spin_unlock(&a->lock);
}

/* LoPAR, "CRQ Facility", transport events.  Others are for other kinds of adapters. */
static void vasi_handle_event(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	switch (entry->format) {
	case VASI_EVENT_PARTNER_FAILED:
		vasi_adapter_reset(a, VASI_RESET_PARTNER_FAILED);
		break;
	case VASI_EVENT_PARTNER_DEREGISTERED:
		vasi_adapter_reset(a, VASI_RESET_PARTNER_DEREGISTERED);
		break;
	case VASI_EVENT_PARTNER_TERMINATED:
		vasi_adapter_reset(a, VASI_RESET_PARTNER_TERMINATED);
		break;
	case VASI_EVENT_PARTNER_SUSPENDED:
		vasi_adapter_reset(a, VASI_RESET_PARTNER_SUSPENDED);
		break;
	default:
		dev_warn_ratelimited(&a->dev, "unknown transport event 0x%02x\n", entry->format);
	}
}

static void vasi_handle_entry(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	a->stats.received++;
	trace_vasi_received(a, entry, 0);
	switch (entry->header) {
	case VASI_CRQ_COMMAND:
		vasi_dispatch(a, entry);
		break;
	case VASI_CRQ_INIT:
		vasi_handle_init(a, entry);
		break;
	case VASI_CRQ_EVENT:
		vasi_handle_event(a, entry);
		break;
	default:
		vasi_adapter_reset(a, VASI_RESET_PROTOCOL);
	}
}

static void vasi_drain(struct vasi_adapter *a)
{
	struct vasi_crq entry;
	u32 done = 0;

	/* What comes before a reset was sent to sessions that it ends */
	while (!READ_ONCE(a->reset_pending) && !READ_ONCE(a->going) &&
	       vasi_ring_next(&a->ring, &entry)) {
		vasi_handle_entry(a, &entry);
		if (++done % VASI_BUDGET == 0)
			cond_resched();
	}
}

/**
 * vasi_adapter_interrupt() - work on what the platform sent
 * @a:		adapter whose interrupt is disabled
 *
 * Context: the interrupt's thread; sleeps.
 */
void vasi_adapter_interrupt(struct vasi_adapter *a)
{
	mutex_lock(&a->ring_lock);
	/* Of an earlier registration: what is left of it is not looked at */
	if (a->state == VASI_ADAPTER_DOWN || a->state == VASI_ADAPTER_DEAD)
		goto unlock;
	vasi_drain(a);
	a->hv->irq_enable(a, true);
	/* The interrupt is a pulse: what came before it was enabled made none */
	vasi_drain(a);
unlock:
	mutex_unlock(&a->ring_lock);
}

static void vasi_retry(struct work_struct *work)
{
	struct vasi_adapter *a = container_of(to_delayed_work(work), struct vasi_adapter,
					      retry_work);

	spin_lock(&a->lock);
	vasi_queue_run(a);
	spin_unlock(&a->lock);
}

static void vasi_timeout(struct work_struct *work)
{
	struct vasi_adapter *a = container_of(to_delayed_work(work), struct vasi_adapter,
					      timeout_work);
	bool closing;

	spin_lock(&a->lock);
	switch (a->state) {
	case VASI_ADAPTER_WAITING:
		if (a->alone)
			vasi_send_init(a, VASI_INIT_INITIALIZE);
		else
			vasi_adapter_reset_locked(a, VASI_RESET_TIMEOUT);
		break;
	case VASI_ADAPTER_NEGOTIATING:
		vasi_adapter_reset_locked(a, VASI_RESET_TIMEOUT);
		break;
	case VASI_ADAPTER_READY:
		if (vasi_sessions_overdue(a, &closing))
			vasi_adapter_reset_locked(a, VASI_RESET_CLOSE);
		else if (closing)
			vasi_adapter_watch(a);
		break;
	default:
		break;
	}
	spin_unlock(&a->lock);
}

/**
 * vasi_adapter_watch() - see to it that Closes are answered
 * @a:		adapter with a session that is CLOSING
 *
 * Context: adapter->lock.
 */
void vasi_adapter_watch(struct vasi_adapter *a)
{
	schedule_delayed_work(&a->timeout_work, VASI_HANDSHAKE_TIMEOUT);
}

/* Did H_FREE_CRQ leave nothing registered? */
static bool vasi_freed(long rc)
{
	return rc == VASI_RC_SUCCESS || rc == VASI_RC_CLOSED || rc == VASI_RC_PARAMETER ||
	       rc == VASI_RC_NOT_FOUND;
}

/*
 * Nothing is exchanged any more, sessions end, and what the platform could use is given up,
 * in this order.  Return: 0, or what H_FREE_CRQ returned: then it can use it still.
 */
static long vasi_go_down(struct vasi_adapter *a, enum vasi_adapter_state state, bool suspended)
{
	long rc;

	cancel_delayed_work_sync(&a->timeout_work);
	spin_lock(&a->lock);
	vasi_adapter_move(a, state);
	vasi_sessions_lose(a);
	vasi_queue_clear(a);
	spin_unlock(&a->lock);
	a->hv->irq_enable(a, false);
	/* Suspended, both ends' queues are disabled; mappings stay until they are enabled */
	if (suspended) {
		rc = a->hv->enable_crq(a);
		if (rc)
			dev_warn(&a->dev, "cannot enable the queue again: %ld\n", rc);
	}
	rc = a->hv->free_crq(a);
	if (!vasi_freed(rc)) {
		dev_err(&a->dev, "cannot free the queue: %ld\n", rc);
		return rc;
	}
	vasi_sessions_end(a);
	return 0;
}

/* Register the ring and say hello.  Return: 0, or what H_REG_CRQ returned. */
static long vasi_come_up(struct vasi_adapter *a)
{
	long rc;

	vasi_ring_clear(&a->ring);
	rc = a->hv->register_crq(a);
	/* Closed: registered, and nobody is at the other end yet */
	if (rc != VASI_RC_SUCCESS && rc != VASI_RC_CLOSED)
		return rc;
	spin_lock(&a->lock);
	a->reset_pending = false;
	vasi_adapter_move(a, VASI_ADAPTER_WAITING);
	vasi_send_init(a, VASI_INIT_INITIALIZE);
	spin_unlock(&a->lock);
	a->hv->irq_enable(a, true);
	vasi_drain(a);
	return 0;
}

/* Down and up again.  Return: 0, or what the call returned that failed. */
static long vasi_restart(struct vasi_adapter *a, enum vasi_reset_reason reason)
{
	long rc;

	rc = vasi_go_down(a, VASI_ADAPTER_DOWN, reason == VASI_RESET_PARTNER_SUSPENDED);
	if (rc)
		return rc;
	spin_lock(&a->lock);
	a->resets++;
	spin_unlock(&a->lock);
	trace_vasi_reset(a, reason);
	dev_info_ratelimited(&a->dev, "reset: %s\n", vasi_reset_reason_name(reason));
	/* Before the adapter can be ready again: listeners want them in order */
	vasi_notify_reset(a, reason);
	rc = vasi_come_up(a);
	if (rc)
		dev_err(&a->dev, "cannot register the queue: %ld\n", rc);
	return rc;
}

static void vasi_reset(struct work_struct *work)
{
	struct vasi_adapter *a = container_of(to_delayed_work(work), struct vasi_adapter,
					      reset_work);
	enum vasi_reset_reason reason = a->reset_reason;

	mutex_lock(&a->ring_lock);
	/* It may have been removed while this waited */
	if (!READ_ONCE(a->going) && vasi_restart(a, reason)) {
		spin_lock(&a->lock);
		a->reset_pending = false;
		vasi_adapter_reset_locked(a, reason);
		spin_unlock(&a->lock);
	}
	mutex_unlock(&a->ring_lock);
}

/**
 * vasi_adapter_quiesce() - begin nothing new
 * @a:		adapter that is going to be removed
 *
 * A platform that never stops talking does not keep the interrupt's thread any more.
 */
void vasi_adapter_quiesce(struct vasi_adapter *a)
{
	spin_lock(&a->lock);
	WRITE_ONCE(a->going, true);
	spin_unlock(&a->lock);
}

/**
 * vasi_adapter_shutdown() - the machine goes down, or another kernel is started
 * @a:		adapter
 *
 * Its memory stays as it is, but the platform lets go of it.
 *
 * Context: sleeps.
 */
void vasi_adapter_shutdown(struct vasi_adapter *a)
{
	vasi_adapter_quiesce(a);
	cancel_delayed_work_sync(&a->reset_work);
	mutex_lock(&a->ring_lock);
	a->hv->irq_enable(a, false);
	a->hv->free_crq(a);
	mutex_unlock(&a->ring_lock);
}

/*
 * The end.  Return: 0, or what H_FREE_CRQ returned: then the platform can still use the ring
 * and the buffers.
 */
static long vasi_adapter_end(struct vasi_adapter *a)
{
	long rc;

	vasi_adapter_quiesce(a);
	cancel_delayed_work_sync(&a->reset_work);
	mutex_lock(&a->ring_lock);
	rc = vasi_go_down(a, VASI_ADAPTER_DEAD, false);
	mutex_unlock(&a->ring_lock);
	/* What was scheduled before it was known that the adapter goes */
	cancel_delayed_work_sync(&a->reset_work);
	cancel_delayed_work_sync(&a->retry_work);
	cancel_delayed_work_sync(&a->timeout_work);
	return rc;
}

static void vasi_adapter_release(struct device *dev)
{
	struct vasi_adapter *a = to_vasi_adapter(dev);

	vasi_minor_put(a->id);
	put_device(a->dma_dev);
	kvfree(a);
}

/**
 * vasi_adapter_alloc() - an adapter that does nothing yet
 * @parent:	device that does DMA
 * @hv:		hypervisor calls
 * @hv_data:	for them
 * @crq_bytes:	size of the ring, a multiple of 4096
 *
 * Context: sleeps.
 * Return: an adapter with a reference for the caller, or an ERR_PTR().
 */
struct vasi_adapter *vasi_adapter_alloc(struct device *parent, const struct vasi_hv_ops *hv,
					void *hv_data, u32 crq_bytes)
{
	struct vasi_adapter *a;
	int ret;

	a = kvzalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return ERR_PTR(-ENOMEM);
	a->id = vasi_minor_get();
	if (a->id < 0) {
		ret = a->id;
		kvfree(a);
		return ERR_PTR(ret);
	}
	a->hv = hv;
	a->hv_data = hv_data;
	a->dma_dev = get_device(parent);
	a->crq_bytes = crq_bytes;
	a->state = VASI_ADAPTER_DOWN;
	spin_lock_init(&a->lock);
	mutex_init(&a->ring_lock);
	init_waitqueue_head(&a->wait);
	INIT_LIST_HEAD(&a->queue);
	INIT_LIST_HEAD(&a->opens);
	INIT_LIST_HEAD(&a->lost);
	INIT_LIST_HEAD(&a->free_slots);
	INIT_LIST_HEAD(&a->free_lists);
	INIT_DELAYED_WORK(&a->reset_work, vasi_reset);
	INIT_DELAYED_WORK(&a->retry_work, vasi_retry);
	INIT_DELAYED_WORK(&a->timeout_work, vasi_timeout);
	device_initialize(&a->dev);
	a->dev.class = &vasi_class;
	a->dev.parent = parent;
	a->dev.devt = vasi_devt(a->id);
	a->dev.release = vasi_adapter_release;
	ret = dev_set_name(&a->dev, "vasi%d", a->id);
	if (ret) {
		put_device(&a->dev);
		return ERR_PTR(ret);
	}
	return a;
}

/**
 * vasi_adapter_put() - drop a reference
 * @a:		adapter
 */
void vasi_adapter_put(struct vasi_adapter *a)
{
	put_device(&a->dev);
}

/**
 * vasi_adapter_start() - allocate what an adapter needs, register its ring, show it
 * @a:		adapter; its interrupt may come from now on
 *
 * Context: sleeps.
 * Return: 0, -ENOMEM, -EIO: the ring cannot be registered, or another negative errno.
 */
int vasi_adapter_start(struct vasi_adapter *a)
{
	int ret;

	ret = vasi_ring_alloc(&a->ring, a->dma_dev, a->crq_bytes);
	if (ret)
		return ret;
	ret = vasi_queue_alloc(a);
	if (ret)
		goto free_ring;
	mutex_lock(&a->ring_lock);
	ret = vasi_come_up(a) ? -EIO : 0;
	mutex_unlock(&a->ring_lock);
	if (ret)
		goto free_queue;
	cdev_init(&a->cdev, &vasi_adapter_fops);
	a->cdev.owner = THIS_MODULE;
	ret = cdev_device_add(&a->cdev, &a->dev);
	if (ret)
		goto go_down;
	vasi_debugfs_add(a);
	vasi_notify_adapter(a);
	return 0;

go_down:
	if (vasi_adapter_end(a))
		return ret;
free_queue:
	vasi_queue_free(a);
free_ring:
	vasi_ring_free(&a->ring, a->dma_dev);
	return ret;
}

/**
 * vasi_adapter_stop() - end an adapter
 * @a:		adapter after vasi_adapter_quiesce(), whose interrupt does not come any more
 *
 * Whoever has it open, or a session of it, gets -ENODEV from now on.
 *
 * Context: sleeps.
 */
void vasi_adapter_stop(struct vasi_adapter *a)
{
	long rc;

	vasi_debugfs_remove(a);
	cdev_device_del(&a->cdev, &a->dev);
	rc = vasi_adapter_end(a);
	vasi_notify_adapter(a);
	if (rc) {
		/* Better to lose memory than to have it written by the platform */
		dev_err(&a->dev, "its memory stays allocated\n");
		return;
	}
	vasi_queue_free(a);
	vasi_ring_free(&a->ring, a->dma_dev);
}
