// SPDX-License-Identifier: GPL-2.0
/*
 * File operations of a session.
 */
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "vasi.h"

/* As in vasi_cdev.c */
#define VASI_POOL_LEAST		offsetofend(struct vasi_pool_setup, mmap_bytes)
#define VASI_DONATE_LEAST	offsetofend(struct vasi_donate, rc)
#define VASI_ENTRY_LEAST	64

static int vasi_file_release(struct inode *inode, struct file *file)
{
	vasi_session_release(file->private_data);
	return 0;
}

static int vasi_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	return vasi_pool_mmap(file->private_data, vma);
}

static __poll_t vasi_file_poll(struct file *file, poll_table *wait)
{
	struct vasi_session *s = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &s->wait, wait);
	spin_lock(&s->adapter->lock);
	if (!list_empty(&s->events))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (s->state == VASI_SESSION_OPEN &&
	    s->free_count > VASI_STATE_ITEMS + VASI_UPLOAD_ITEMS)
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (s->state == VASI_SESSION_CLOSED)
		mask |= EPOLLHUP;
	if (s->state == VASI_SESSION_LOST)
		mask |= EPOLLHUP | EPOLLERR;
	spin_unlock(&s->adapter->lock);
	return mask;
}

static long vasi_ioc_setup_pool(struct vasi_session *s, void __user *arg)
{
	struct vasi_pool_setup setup;
	u32 size;
	int ret;

	ret = vasi_copy_in(&setup, sizeof(setup), VASI_POOL_LEAST, arg, &size);
	if (ret)
		return ret;
	if (setup.flags)
		return -EINVAL;
	ret = vasi_pool_setup(s, &setup);
	if (ret)
		return ret;
	/* A pool whose place user space does not learn stays until the session ends */
	return vasi_copy_out(arg, &setup, sizeof(setup), size);
}

/**
 * vasi_read_vector() - the vector in a command's 16 bytes
 * @cmd:	command
 * @vector:	takes a copy: user space can write the original
 */
void vasi_read_vector(struct io_uring_cmd *cmd, struct vasi_vector *vector)
{
	const struct vasi_vector *from = vasi_compat_cmd_payload(cmd);

	vector->entries = READ_ONCE(from->entries);
	vector->count = READ_ONCE(from->count);
	vector->entry_bytes = READ_ONCE(from->entry_bytes);
}

/* Return: 0, -EINVAL: entries are too small, -E2BIG: too large */
static int vasi_check_vector(const struct vasi_vector *vector)
{
	if (vector->entry_bytes < VASI_ENTRY_LEAST || vector->count > INT_MAX)
		return -EINVAL;
	return vector->entry_bytes > PAGE_SIZE ? -E2BIG : 0;
}

static long vasi_ioc_vector(struct vasi_session *s, void __user *arg,
			    int (*fn)(struct vasi_session *s, const struct vasi_vector *vector))
{
	struct vasi_vector vector;
	int ret;

	if (copy_from_user(&vector, arg, sizeof(vector)))
		return -EFAULT;
	ret = vasi_check_vector(&vector);
	return ret ? ret : fn(s, &vector);
}

/* Does the platform want more calls? */
static bool vasi_donate_more(long rc, u64 deadline_ns)
{
	return rc == VASI_RC_IN_PROGRESS && ktime_get_ns() < deadline_ns &&
	       !signal_pending(current);
}

/* H_DONOR_OPERATION (LoPAR, "VASI Hypervisor Calls") */
static void vasi_donate(struct vasi_session *s, struct vasi_donate *donate)
{
	u64 pair = (u64)s->top << 32 | s->bottom;
	u64 deadline = ktime_get_ns() + min_t(u64, donate->budget_ns, NSEC_PER_SEC);

	donate->calls = 0;
	do {
		donate->rc = s->adapter->hv->donate(s->adapter, pair);
		donate->calls++;
		cond_resched();
	} while (vasi_donate_more(donate->rc, deadline));
}

static long vasi_ioc_donate(struct vasi_session *s, void __user *arg)
{
	struct vasi_donate donate;
	u32 size;
	int ret;

	ret = vasi_copy_in(&donate, sizeof(donate), VASI_DONATE_LEAST, arg, &size);
	if (ret)
		return ret;
	if (donate.flags || donate.reserved)
		return -EINVAL;
	ret = vasi_session_check(s);
	/* The platform may need cycles before it answers a Close */
	if (ret && READ_ONCE(s->state) != VASI_SESSION_CLOSING)
		return ret;
	vasi_donate(s, &donate);
	return vasi_copy_out(arg, &donate, sizeof(donate), size);
}

static long vasi_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vasi_session *s = file->private_data;

	switch (cmd) {
	case VASI_IOC_SETUP_POOL:
		return vasi_ioc_setup_pool(s, (void __user *)arg);
	case VASI_IOC_SUBMIT:
		return vasi_ioc_vector(s, (void __user *)arg, vasi_submit);
	case VASI_IOC_FETCH:
		return vasi_ioc_vector(s, (void __user *)arg, vasi_fetch);
	case VASI_IOC_DONATE:
		return vasi_ioc_donate(s, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static int vasi_file_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct vasi_session *s = cmd->file->private_data;
	struct vasi_vector vector;
	int ret;

	if (vasi_compat_is_cancel(issue_flags)) {
		vasi_fetch_cancel(s, cmd, issue_flags);
		return 0;
	}
	vasi_read_vector(cmd, &vector);
	ret = vasi_check_vector(&vector);
	if (ret)
		return ret;
	switch (cmd->cmd_op) {
	case VASI_IOC_SUBMIT:
		ret = vasi_submit(s, &vector);
		/* io_uring would take -EAGAIN for a wish to be called from a worker */
		return ret == -EAGAIN ? -ENOBUFS : ret;
	case VASI_IOC_FETCH:
		return vasi_fetch_command(s, cmd, &vector, issue_flags);
	default:
		return -EOPNOTSUPP;
	}
}

const struct file_operations vasi_session_fops = {
	.owner		= THIS_MODULE,
	.release	= vasi_file_release,
	.mmap		= vasi_file_mmap,
	.poll		= vasi_file_poll,
	.unlocked_ioctl	= vasi_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.uring_cmd	= vasi_file_uring_cmd,
};
