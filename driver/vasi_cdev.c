// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/vasiN: file operations of an adapter.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "vasi.h"

/* The first versions' sizes, whatever comes behind: shorter structures cannot be meant */
#define VASI_INFO_LEAST		offsetofend(struct vasi_info, reserved1)
#define VASI_OPEN_LEAST		offsetofend(struct vasi_open_stream, reserved)
#define VASI_STREAM_LEAST	offsetofend(struct vasi_stream, rc)

static int vasi_cdev_open(struct inode *inode, struct file *file)
{
	struct vasi_adapter *a = container_of(inode->i_cdev, struct vasi_adapter, cdev);

	/* What comes out of it is another partition's memory */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	get_device(&a->dev);
	file->private_data = a;
	return nonseekable_open(inode, file);
}

static int vasi_cdev_release(struct inode *inode, struct file *file)
{
	vasi_adapter_put(file->private_data);
	return 0;
}

static __poll_t vasi_cdev_poll(struct file *file, poll_table *wait)
{
	struct vasi_adapter *a = file->private_data;

	poll_wait(file, &a->wait, wait);
	switch (READ_ONCE(a->state)) {
	case VASI_ADAPTER_READY:
		return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;
	case VASI_ADAPTER_DEAD:
		return EPOLLHUP | EPOLLERR;
	default:
		return 0;
	}
}

/* Copies a size-first structure.  Return: 0, -EINVAL: too short, -E2BIG, -EFAULT. */
int vasi_copy_in(void *to, size_t size, size_t least, const void __user *from, u32 *user_size)
{
	if (get_user(*user_size, (const u32 __user *)from))
		return -EFAULT;
	if (*user_size < least)
		return -EINVAL;
	if (*user_size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(to, size, from, *user_size);
}

/* Copies it back, no more than the caller has room for */
int vasi_copy_out(void __user *to, const void *from, size_t size, u32 user_size)
{
	return copy_to_user(to, from, min_t(size_t, size, user_size)) ? -EFAULT : 0;
}

static void vasi_fill_info(struct vasi_adapter *a, struct vasi_info *info)
{
	const struct vasi_caps *source = &a->caps[VASI_SERVICE_SOURCE_MOVER];
	const struct vasi_caps *target = &a->caps[VASI_SERVICE_TARGET_MOVER];

	*info = (struct vasi_info) {
		.size = sizeof(*info),
		.features = VASI_COMPAT_CANCEL ? VASI_FEATURE_FETCH_WAITS : 0,
		.unit_address = a->unit_address,
		.crq_bytes = a->crq_bytes,
		.buffer_pools = a->buffer_pools,
		.streams = a->streams,
		.max_buffer_bytes = vasi_max_buffer_bytes(),
		.max_buffers = VASI_MAX_BUFFERS,
	};
	spin_lock(&a->lock);
	info->state = a->state;
	info->resets = a->resets;
	if (a->state == VASI_ADAPTER_READY) {
		info->source_features = source->features;
		info->source_operations = source->operations;
		info->source_opens = source->opens;
		info->target_features = target->features;
		info->target_operations = target->operations;
		info->target_opens = target->opens;
		if (source->operations & VASI_CAP_OP_WRITE_SEQ_INDIRECT)
			info->features |= VASI_FEATURE_INDIRECT;
		if (source->dirty_map == VASI_DIRTY_MAP_OFFER)
			info->features |= VASI_FEATURE_DIRTY_MAP;
	}
	spin_unlock(&a->lock);
}

static long vasi_ioc_get_info(struct vasi_adapter *a, void __user *arg)
{
	struct vasi_info info;
	u32 size;
	int ret;

	ret = vasi_copy_in(&info, sizeof(info), VASI_INFO_LEAST, arg, &size);
	if (ret)
		return ret;
	if (info.flags)
		return -EINVAL;
	vasi_fill_info(a, &info);
	return vasi_copy_out(arg, &info, sizeof(info), size);
}

/* A file for a session; the session's reference goes into it */
static struct file *vasi_session_file(struct vasi_session *s)
{
	struct file *file;

	file = anon_inode_getfile("[vasi-session]", &vasi_session_fops, s, O_RDWR);
	if (IS_ERR(file))
		vasi_session_release(s);
	else
		nonseekable_open(NULL, file);
	return file;
}

/* Opens a stream for a descriptor that is not installed yet */
static int vasi_open_file(struct vasi_adapter *a, struct vasi_open_stream *open,
			  struct file **file)
{
	struct vasi_session *s;
	u8 status = 0;

	s = vasi_session_open(a, open->stream_id, open->service, &status);
	open->status = status;
	if (IS_ERR(s))
		return PTR_ERR(s);
	open->top = s->top;
	open->bottom = s->bottom;
	*file = vasi_session_file(s);
	return PTR_ERR_OR_ZERO(*file);
}

static long vasi_ioc_open_stream(struct vasi_adapter *a, void __user *arg)
{
	struct vasi_open_stream open;
	struct file *file = NULL;
	int ret, fd;
	u32 size;

	ret = vasi_copy_in(&open, sizeof(open), VASI_OPEN_LEAST, arg, &size);
	if (ret)
		return ret;
	if (open.flags || open.reserved || open.service > U8_MAX)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	ret = vasi_open_file(a, &open, &file);
	if (ret && ret != -EREMOTEIO)
		goto put_fd;
	open.fd = ret ? -1 : fd;
	if (vasi_copy_out(arg, &open, sizeof(open), size)) {
		ret = -EFAULT;
		goto put_file;
	}
	if (ret)
		goto put_fd;
	fd_install(fd, file);
	return 0;

put_file:
	if (file)
		fput(file);
put_fd:
	put_unused_fd(fd);
	return ret;
}

/* H_VASI_STATE and H_VASI_SIGNAL (LoPAR, "VASI Hypervisor Calls") */
static long vasi_ioc_stream(struct vasi_adapter *a, void __user *arg, bool cancel)
{
	struct vasi_stream stream;
	u64 state = 0;
	u32 size;
	int ret;

	ret = vasi_copy_in(&stream, sizeof(stream), VASI_STREAM_LEAST, arg, &size);
	if (ret)
		return ret;
	if (stream.flags || (!cancel && stream.reason))
		return -EINVAL;
	if (READ_ONCE(a->state) == VASI_ADAPTER_DEAD)
		return -ENODEV;
	if (cancel)
		stream.rc = a->hv->signal(a, stream.stream_id, VASI_SIGNAL_CANCEL, stream.reason);
	else
		stream.rc = a->hv->state(a, stream.stream_id, &state);
	stream.state = state <= VASI_STATE_FAILOVER ? state : VASI_STATE_INVALID;
	return vasi_copy_out(arg, &stream, sizeof(stream), size);
}

static long vasi_cdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vasi_adapter *a = file->private_data;

	switch (cmd) {
	case VASI_IOC_GET_INFO:
		return vasi_ioc_get_info(a, (void __user *)arg);
	case VASI_IOC_OPEN_STREAM:
		return vasi_ioc_open_stream(a, (void __user *)arg);
	case VASI_IOC_STREAM_STATE:
		return vasi_ioc_stream(a, (void __user *)arg, false);
	case VASI_IOC_STREAM_CANCEL:
		return vasi_ioc_stream(a, (void __user *)arg, true);
	default:
		return -ENOTTY;
	}
}

static int vasi_cdev_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct vasi_adapter *a = cmd->file->private_data;
	struct vasi_vector vector;

	if (cmd->cmd_op != VASI_IOC_OPEN_STREAM)
		return -EOPNOTSUPP;
	/* It waits for the platform: for a worker of the ring */
	if (issue_flags & IO_URING_F_NONBLOCK)
		return -EAGAIN;
	vasi_read_vector(cmd, &vector);
	if (vector.count != 1)
		return -EINVAL;
	return vasi_ioc_open_stream(a, u64_to_user_ptr(vector.entries));
}

const struct file_operations vasi_adapter_fops = {
	.owner		= THIS_MODULE,
	.open		= vasi_cdev_open,
	.release	= vasi_cdev_release,
	.poll		= vasi_cdev_poll,
	.unlocked_ioctl	= vasi_cdev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.uring_cmd	= vasi_cdev_uring_cmd,
};
