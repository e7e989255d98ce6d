// SPDX-License-Identifier: GPL-2.0
/*
 * Generic netlink: notifications, and a list of adapters.  Specified in
 * Documentation/netlink/specs/vasi.yaml.
 */
#include <linux/module.h>
#include <net/genetlink.h>

#include "vasi.h"

enum vasi_mcgrp {
	VASI_MCGRP_INDEX_EVENTS,
};

static struct genl_family vasi_family;

/* A notification to be filled in.  Who is not listened to says nothing: NULL. */
static struct sk_buff *vasi_ntf_new(enum vasi_cmd cmd, void **header)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&vasi_family, &init_net, VASI_MCGRP_INDEX_EVENTS))
		return NULL;
	skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	*header = genlmsg_put(skb, 0, 0, &vasi_family, 0, cmd);
	if (*header)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static void vasi_ntf_send(struct sk_buff *skb, void *header, bool incomplete)
{
	if (incomplete) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast(&vasi_family, skb, 0, VASI_MCGRP_INDEX_EVENTS, GFP_KERNEL);
}

static int vasi_put_name(struct sk_buff *skb, const struct vasi_adapter *a)
{
	if (nla_put_string(skb, VASI_A_ADAPTER, dev_name(&a->dev)) ||
	    nla_put_u32(skb, VASI_A_UNIT_ADDRESS, a->unit_address))
		return -EMSGSIZE;
	return 0;
}

static int vasi_put_adapter(struct sk_buff *skb, struct vasi_adapter *a)
{
	u32 state, resets;

	spin_lock(&a->lock);
	state = a->state;
	resets = a->resets;
	spin_unlock(&a->lock);
	if (vasi_put_name(skb, a) || nla_put_u32(skb, VASI_A_ADAPTER_STATE, state) ||
	    nla_put_u32(skb, VASI_A_RESETS, resets))
		return -EMSGSIZE;
	return 0;
}

static int vasi_put_session(struct sk_buff *skb, const struct vasi_session *s)
{
	if (vasi_put_name(skb, s->adapter) ||
	    nla_put_u64_64bit(skb, VASI_A_STREAM_ID, s->stream_id, VASI_A_PAD) ||
	    nla_put_u32(skb, VASI_A_SERVICE, s->service) ||
	    nla_put_u32(skb, VASI_A_TOP, s->top))
		return -EMSGSIZE;
	return 0;
}

/**
 * vasi_notify_adapter() - an adapter is in a new state
 * @a:		adapter
 *
 * Context: sleeps; no lock of the adapter but ring_lock.
 */
void vasi_notify_adapter(struct vasi_adapter *a)
{
	struct sk_buff *skb;
	void *header;

	skb = vasi_ntf_new(VASI_CMD_ADAPTER_NTF, &header);
	if (skb)
		vasi_ntf_send(skb, header, vasi_put_adapter(skb, a));
}

/**
 * vasi_notify_reset() - an adapter was reset
 * @a:		adapter
 * @reason:	why
 *
 * Context: sleeps.
 */
void vasi_notify_reset(struct vasi_adapter *a, enum vasi_reset_reason reason)
{
	struct sk_buff *skb;
	void *header;

	skb = vasi_ntf_new(VASI_CMD_RESET_NTF, &header);
	if (skb)
		vasi_ntf_send(skb, header,
			      vasi_put_name(skb, a) ||
			      nla_put_u32(skb, VASI_A_RESETS, READ_ONCE(a->resets)) ||
			      nla_put_u32(skb, VASI_A_RESET_REASON, reason));
}

/**
 * vasi_notify_session() - a session was opened or closed
 * @s:		session
 * @cmd:	VASI_CMD_SESSION_OPEN_NTF or VASI_CMD_SESSION_CLOSE_NTF
 *
 * Context: sleeps.
 */
void vasi_notify_session(struct vasi_session *s, enum vasi_cmd cmd)
{
	struct sk_buff *skb;
	void *header;

	skb = vasi_ntf_new(cmd, &header);
	if (skb)
		vasi_ntf_send(skb, header, vasi_put_session(skb, s));
}

/**
 * vasi_notify_state() - a session's stream is in a new state
 * @s:		session
 * @state:	enum vasi_state
 * @reason:	of an abort or failover
 *
 * Context: sleeps.
 */
void vasi_notify_state(struct vasi_session *s, u32 state, u32 reason)
{
	enum vasi_cmd cmd = state == VASI_STATE_ABORTED ? VASI_CMD_ABORT_NTF : VASI_CMD_STATE_NTF;
	struct sk_buff *skb;
	void *header;

	skb = vasi_ntf_new(cmd, &header);
	if (skb)
		vasi_ntf_send(skb, header,
			      vasi_put_session(skb, s) ||
			      nla_put_u32(skb, VASI_A_STREAM_STATE, state) ||
			      nla_put_u32(skb, VASI_A_REASON, reason));
}

/**
 * struct vasi_dump - where a dump is
 * @skb:	message being filled
 * @cb:		its callback; args[0] counts adapters that were told
 * @index:	adapter being looked at
 */
struct vasi_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	long index;
};

static int vasi_dump_one(struct device *dev, void *data)
{
	struct vasi_adapter *a = to_vasi_adapter(dev);
	struct vasi_dump *dump = data;
	void *header;

	if (dump->index++ < dump->cb->args[0])
		return 0;
	header = genlmsg_put(dump->skb, NETLINK_CB(dump->cb->skb).portid,
			     dump->cb->nlh->nlmsg_seq, &vasi_family, NLM_F_MULTI,
			     VASI_CMD_ADAPTER_GET);
	if (!header)
		return -EMSGSIZE;
	if (vasi_put_adapter(dump->skb, a)) {
		genlmsg_cancel(dump->skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, header);
	dump->cb->args[0]++;
	return 0;
}

static int vasi_adapter_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vasi_dump dump = { .skb = skb, .cb = cb };

	/* What does not fit comes with the next message */
	class_for_each_device(&vasi_class, NULL, &dump, vasi_dump_one);
	return skb->len;
}

static const struct genl_small_ops vasi_ops[] = {
	{
		.cmd	= VASI_CMD_ADAPTER_GET,
		.dumpit	= vasi_adapter_dump,
	},
};

static const struct genl_multicast_group vasi_groups[] = {
	[VASI_MCGRP_INDEX_EVENTS] = { .name = VASI_MCGRP_EVENTS },
};

static struct genl_family vasi_family __ro_after_init = {
	.name		= VASI_FAMILY_NAME,
	.version	= VASI_FAMILY_VERSION,
	.maxattr	= VASI_A_MAX,
	.module		= THIS_MODULE,
	.small_ops	= vasi_ops,
	.n_small_ops	= ARRAY_SIZE(vasi_ops),
	.resv_start_op	= VASI_CMD_MAX + 1,
	.mcgrps		= vasi_groups,
	.n_mcgrps	= ARRAY_SIZE(vasi_groups),
};

int __init vasi_netlink_register(void)
{
	return genl_register_family(&vasi_family);
}

void vasi_netlink_unregister(void)
{
	genl_unregister_family(&vasi_family);
}
