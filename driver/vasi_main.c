// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual Asynchronous Services Interface: the module.
 */
#include <linux/cdev.h>
#include <linux/device/class.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/module.h>

#include "compat.h"
#include "vasi.h"

#define VASI_MINORS	256

bool vasi_indirect_operations;
module_param_named(indirect_operations, vasi_indirect_operations, bool, 0444);
MODULE_PARM_DESC(indirect_operations,
		 "Offer indirect operations; the platform must allow H_COPY_RDMA from the second pane");

bool vasi_dirty_map = true;
module_param_named(dirty_map, vasi_dirty_map, bool, 0444);
MODULE_PARM_DESC(dirty_map,
		 "Ask for the Dirty Map extension, in bytes of the capability string that LoPAR reserves");

static dev_t vasi_first;
static DEFINE_IDA(vasi_minors);

struct class vasi_class = {
	.name = "vasi",
	VASI_COMPAT_CLASS_OWNER
};

/**
 * vasi_minor_get() - a number for an adapter
 *
 * Return: the number, or a negative errno.
 */
int vasi_minor_get(void)
{
	return ida_alloc_max(&vasi_minors, VASI_MINORS - 1, GFP_KERNEL);
}

/**
 * vasi_minor_put() - give a number back
 * @minor:	number
 */
void vasi_minor_put(int minor)
{
	ida_free(&vasi_minors, minor);
}

/**
 * vasi_devt() - device number of an adapter
 * @minor:	its number
 */
dev_t vasi_devt(int minor)
{
	return MKDEV(MAJOR(vasi_first), minor);
}

static int __init vasi_init(void)
{
	int ret;

	ret = class_register(&vasi_class);
	if (ret)
		return ret;
	ret = alloc_chrdev_region(&vasi_first, 0, VASI_MINORS, "vasi");
	if (ret)
		goto unregister_class;
	ret = vasi_netlink_register();
	if (ret)
		goto unregister_chrdev;
	vasi_debugfs_init();
	ret = vasi_vio_register();
	if (ret)
		goto exit_debugfs;
	return 0;

exit_debugfs:
	vasi_debugfs_exit();
	vasi_netlink_unregister();
unregister_chrdev:
	unregister_chrdev_region(vasi_first, VASI_MINORS);
unregister_class:
	class_unregister(&vasi_class);
	return ret;
}
module_init(vasi_init);

static void __exit vasi_exit(void)
{
	vasi_vio_unregister();
	vasi_debugfs_exit();
	vasi_netlink_unregister();
	unregister_chrdev_region(vasi_first, VASI_MINORS);
	class_unregister(&vasi_class);
	ida_destroy(&vasi_minors);
}
module_exit(vasi_exit);

MODULE_DESCRIPTION("Virtual Asynchronous Services Interface (VASI) of Power servers");
MODULE_LICENSE("GPL");
