// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/vasi/vasiN/status: what an administrator may want to see when
 * something does not move.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "vasi.h"

static struct dentry *vasi_debugfs_root;

static u32 vasi_queue_length(const struct vasi_adapter *a)
{
	const struct list_head *node;
	u32 count = 0;

	list_for_each(node, &a->queue)
		count++;
	return count;
}

static void vasi_show_adapter(struct seq_file *m, const struct vasi_adapter *a)
{
	seq_printf(m, "state %s\n", vasi_adapter_state_name(a->state));
	seq_printf(m, "resets %u\n", a->resets);
	if (a->resets)
		seq_printf(m, "last_reset %s\n", vasi_reset_reason_name(a->reset_reason));
	seq_printf(m, "queue_depth %u\n", vasi_queue_length(a));
	seq_printf(m, "answers_waiting %u\n", a->answer_count);
	seq_printf(m, "credits_used %u\n", a->slots_used);
	seq_printf(m, "credits %u\n", a->slot_count);
	seq_printf(m, "sent %llu\n", a->stats.sent);
	seq_printf(m, "received %llu\n", a->stats.received);
	seq_printf(m, "dropped %llu\n", a->stats.dropped);
	seq_printf(m, "refused %llu\n", a->stats.refused);
	seq_printf(m, "stray %llu\n", a->stats.stray);
	seq_printf(m, "operations %llu\n", a->stats.operations);
	seq_printf(m, "downloads %llu\n", a->stats.downloads);
}

static void vasi_count_buffers(const struct vasi_session *s, u32 counts[VASI_BUF_STATES])
{
	u32 pool, index;

	for (pool = 0; pool < s->pool_count; pool++) {
		const struct vasi_pool *p = s->pools[pool];

		for (index = 0; index < p->count; index++)
			counts[p->bufs[index].state]++;
	}
}

static void vasi_show_session(struct seq_file *m, const struct vasi_session *s)
{
	u32 counts[VASI_BUF_STATES] = { 0 };
	u32 state;

	vasi_count_buffers(s, counts);
	seq_printf(m, "session %08x bottom %08x stream %016llx %s %s", s->top, s->bottom,
		   s->stream_id, vasi_service_name(s->service),
		   vasi_session_state_name(s->state));
	for (state = 0; state < VASI_BUF_STATES; state++)
		seq_printf(m, " %s %u", vasi_buf_state_name(state), counts[state]);
	seq_putc(m, '\n');
}

static int vasi_status_show(struct seq_file *m, void *unused)
{
	struct vasi_adapter *a = m->private;
	u32 i;

	spin_lock(&a->lock);
	vasi_show_adapter(m, a);
	for (i = 0; i < VASI_MAX_SESSIONS; i++) {
		if (a->sessions[i])
			vasi_show_session(m, a->sessions[i]);
	}
	spin_unlock(&a->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(vasi_status);

void vasi_debugfs_init(void)
{
	vasi_debugfs_root = debugfs_create_dir("vasi", NULL);
}

void vasi_debugfs_exit(void)
{
	debugfs_remove_recursive(vasi_debugfs_root);
}

void vasi_debugfs_add(struct vasi_adapter *a)
{
	a->debugfs = debugfs_create_dir(dev_name(&a->dev), vasi_debugfs_root);
	debugfs_create_file("status", 0400, a->debugfs, a, &vasi_status_fops);
}

void vasi_debugfs_remove(struct vasi_adapter *a)
{
	debugfs_remove_recursive(a->debugfs);
}
