/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between the kernels that the driver is built for, 6.1 and later.
 */
#ifndef _VASI_COMPAT_H
#define _VASI_COMPAT_H

#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

/* 6.6: the payload of a command is asked for, not a member */
static inline const void *vasi_compat_cmd_payload(struct io_uring_cmd *cmd)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
	return io_uring_sqe_cmd(cmd->sqe);
#else
	return cmd->cmd;
#endif
}

/*
 * 6.7: commands can be cancelled.  Before that, one that waits would keep the file and
 * the ring of a killed program for ever.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define VASI_COMPAT_CANCEL	1

static inline bool vasi_compat_is_cancel(unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_CANCEL;
}

static inline void vasi_compat_mark_cancelable(struct io_uring_cmd *cmd,
					       unsigned int issue_flags)
{
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
}
#else
#define VASI_COMPAT_CANCEL	0

static inline bool vasi_compat_is_cancel(unsigned int issue_flags)
{
	return false;
}

static inline void vasi_compat_mark_cancelable(struct io_uring_cmd *cmd,
					       unsigned int issue_flags)
{
}
#endif

/* 6.3: vm_flags are changed by functions */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* 6.4: device classes can be constant and have no owner */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define VASI_COMPAT_CLASS_OWNER	.owner = THIS_MODULE,
#else
#define VASI_COMPAT_CLASS_OWNER
#endif

/* 6.8: orders up to and including the maximum; before, it was the first too large */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define VASI_COMPAT_MAX_ORDER	MAX_PAGE_ORDER
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define VASI_COMPAT_MAX_ORDER	MAX_ORDER
#else
#define VASI_COMPAT_MAX_ORDER	(MAX_ORDER - 1)
#endif

#endif /* _VASI_COMPAT_H */
