// SPDX-License-Identifier: GPL-2.0
/*
 * The vio driver: what an adapter is in the device tree, its interrupt, and its hypervisor
 * calls (LoPAR, "VASI" and "CRQ").
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/slab.h>

#include <asm/hvcall.h>
#include <asm/vio.h>

#include "vasi.h"

/* Not among the kernel's numbers */
#define VASI_H_DONOR		0x29C

/* What cooperative memory overcommitment is to set aside: two pools of 64 MiB */
#define VASI_DESIRED_DMA	(128UL << 20)
/* Largest queue that is believed in */
#define VASI_MAX_CRQ_BYTES	1048576
/* How long a call may be busy before it is given up */
#define VASI_BUSY_TRIES		1000

/**
 * struct vasi_vio - an adapter's vio device
 * @vdev:	device
 * @adapter:	adapter
 * @first_liobn: LIOBN of the first pane
 * @second_liobn: LIOBN of the second pane, or 0
 */
struct vasi_vio {
	struct vio_dev *vdev;
	struct vasi_adapter *adapter;
	u32 first_liobn;
	u32 second_liobn;
};

static struct vasi_vio *to_vio(const struct vasi_adapter *a)
{
	return a->hv_data;
}

/* Waits as long as the hypervisor says it is busy.  Return: whether to call again. */
static bool vasi_busy(long rc, unsigned int *tries)
{
	if (rc != H_BUSY && rc != H_IN_PROGRESS && !H_IS_LONG_BUSY(rc))
		return false;
	if (++*tries > VASI_BUSY_TRIES)
		return false;
	msleep(H_IS_LONG_BUSY(rc) ? min(get_longbusy_msecs(rc), 1000u) : 1);
	return true;
}

/* A call about the queue, until it is done; those that have no arguments ignore them */
static long vasi_h_crq(struct vasi_adapter *a, unsigned long call)
{
	unsigned int tries = 0;
	long rc;

	do {
		rc = plpar_hcall_norets(call, a->unit_address, a->ring.dma, a->crq_bytes);
	} while (vasi_busy(rc, &tries));
	return rc;
}

static long vasi_h_free_crq(struct vasi_adapter *a)
{
	return vasi_h_crq(a, H_FREE_CRQ);
}

static long vasi_h_register_crq(struct vasi_adapter *a)
{
	long rc = vasi_h_crq(a, H_REG_CRQ);

	/* The queue of a kernel that was here before, and started this one by kexec */
	if (rc == H_RESOURCE && !vasi_h_free_crq(a))
		rc = vasi_h_crq(a, H_REG_CRQ);
	return rc;
}

static long vasi_h_enable_crq(struct vasi_adapter *a)
{
	return vasi_h_crq(a, H_ENABLE_CRQ);
}

static long vasi_h_send_crq(struct vasi_adapter *a, const struct vasi_crq *entry)
{
	__be64 halves[2];

	BUILD_BUG_ON(sizeof(halves) != sizeof(*entry));
	memcpy(halves, entry, sizeof(halves));
	return plpar_hcall_norets(H_SEND_CRQ, a->unit_address, be64_to_cpu(halves[0]),
				  be64_to_cpu(halves[1]));
}

static void vasi_h_irq_enable(struct vasi_adapter *a, bool on)
{
	struct vio_dev *vdev = to_vio(a)->vdev;

	if (on)
		vio_enable_interrupts(vdev);
	else
		vio_disable_interrupts(vdev);
}

static long vasi_h_donate(struct vasi_adapter *a, u64 pair)
{
	return plpar_hcall_norets(VASI_H_DONOR, pair);
}

static long vasi_h_signal(struct vasi_adapter *a, u64 stream_id, u64 code, u64 reason)
{
	return plpar_hcall_norets(H_VASI_SIGNAL, stream_id, code, reason);
}

static long vasi_h_state(struct vasi_adapter *a, u64 stream_id, u64 *state)
{
	unsigned long ret[PLPAR_HCALL_BUFSIZE] = { 0 };
	long rc;

	rc = plpar_hcall(H_VASI_STATE, ret, stream_id);
	*state = rc ? 0 : ret[0];
	return rc;
}

static long vasi_h_copy(struct vasi_adapter *a, u32 length, u32 from, u32 to)
{
	struct vasi_vio *vio = to_vio(a);

	if (!vio->second_liobn)
		return H_PARAMETER;
	return plpar_hcall_norets(H_COPY_RDMA, length, vio->second_liobn, from,
				  vio->first_liobn, to);
}

static const struct vasi_hv_ops vasi_vio_hv_ops = {
	.register_crq	= vasi_h_register_crq,
	.free_crq	= vasi_h_free_crq,
	.enable_crq	= vasi_h_enable_crq,
	.send_crq	= vasi_h_send_crq,
	.irq_enable	= vasi_h_irq_enable,
	.donate		= vasi_h_donate,
	.signal		= vasi_h_signal,
	.state		= vasi_h_state,
	.copy		= vasi_h_copy,
};

/* A pulse: nothing more until the thread has looked */
static irqreturn_t vasi_vio_irq(int irq, void *data)
{
	struct vasi_vio *vio = data;

	vio_disable_interrupts(vio->vdev);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t vasi_vio_irq_thread(int irq, void *data)
{
	struct vasi_vio *vio = data;

	vasi_adapter_interrupt(vio->adapter);
	return IRQ_HANDLED;
}

/* A property of one cell, within bounds.  Return: 0, -ENODEV: there is none, -EINVAL. */
static int vasi_read_cell(struct vio_dev *vdev, const char *name, u32 least, u32 most, u32 *value)
{
	if (of_property_read_u32(vdev->dev.of_node, name, value)) {
		dev_err(&vdev->dev, "no property %s\n", name);
		return -ENODEV;
	}
	if (*value < least || *value > most) {
		dev_err(&vdev->dev, "property %s: %u is not %u to %u\n", name, *value, least,
			most);
		return -EINVAL;
	}
	return 0;
}

/* Cells of an address or size in ibm,my-dma-window */
static u32 vasi_dma_cells(const struct device_node *node, const char *own, const char *parents)
{
	u32 cells;

	if (!of_property_read_u32(node, own, &cells) ||
	    !of_property_read_u32(node->parent, parents, &cells))
		return min(cells, 2u);
	return 1;
}

/*
 * ibm,my-dma-window has a triple of LIOBN, address and size for each pane.  The vio bus
 * looks at the first one, for DMA; H_COPY_RDMA names both.
 */
static void vasi_read_liobns(struct vasi_vio *vio)
{
	const struct device_node *node = vio->vdev->dev.of_node;
	u32 triple = 1 + vasi_dma_cells(node, "ibm,#dma-address-cells", "#address-cells") +
		     vasi_dma_cells(node, "ibm,#dma-size-cells", "#size-cells");
	int cells = of_property_count_u32_elems(node, "ibm,my-dma-window");

	if (cells < 0 || (u32)cells < 2 * triple)
		return;
	of_property_read_u32_index(node, "ibm,my-dma-window", 0, &vio->first_liobn);
	of_property_read_u32_index(node, "ibm,my-dma-window", triple, &vio->second_liobn);
}

static int vasi_vio_read(struct vasi_adapter *a, struct vio_dev *vdev)
{
	int ret;

	a->unit_address = vdev->unit_address;
	ret = vasi_read_cell(vdev, "ibm,#buffer-pools", 1, U32_MAX, &a->buffer_pools);
	if (ret)
		return ret;
	return vasi_read_cell(vdev, "ibm,#vasi-streams", 1, U32_MAX, &a->streams);
}

static int vasi_vio_probe(struct vio_dev *vdev, const struct vio_device_id *id)
{
	struct vasi_adapter *a;
	struct vasi_vio *vio;
	u32 crq_bytes;
	int ret;

	ret = vasi_read_cell(vdev, "ibm,crq-size", 4096, VASI_MAX_CRQ_BYTES, &crq_bytes);
	if (ret)
		return ret;
	/* Descriptors have 32 bits for an address */
	ret = dma_set_mask_and_coherent(&vdev->dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;
	vio = kzalloc(sizeof(*vio), GFP_KERNEL);
	if (!vio)
		return -ENOMEM;
	vio->vdev = vdev;
	vasi_read_liobns(vio);
	a = vasi_adapter_alloc(&vdev->dev, &vasi_vio_hv_ops, vio, round_down(crq_bytes, 4096));
	if (IS_ERR(a)) {
		ret = PTR_ERR(a);
		goto free_vio;
	}
	vio->adapter = a;
	ret = vasi_vio_read(a, vdev);
	if (ret)
		goto put_adapter;
	dev_set_drvdata(&vdev->dev, vio);
	ret = request_threaded_irq(vdev->irq, vasi_vio_irq, vasi_vio_irq_thread, 0, "vasi", vio);
	if (ret)
		goto put_adapter;
	ret = vasi_adapter_start(a);
	if (ret)
		goto free_irq;
	return 0;

free_irq:
	free_irq(vdev->irq, vio);
put_adapter:
	vasi_adapter_put(a);
free_vio:
	kfree(vio);
	return ret;
}

static void vasi_vio_remove(struct vio_dev *vdev)
{
	struct vasi_vio *vio = dev_get_drvdata(&vdev->dev);

	vasi_adapter_quiesce(vio->adapter);
	vio_disable_interrupts(vdev);
	free_irq(vdev->irq, vio);
	vasi_adapter_stop(vio->adapter);
	vasi_adapter_put(vio->adapter);
	kfree(vio);
}

/* The next kernel is not to find its memory written by the platform */
static void vasi_vio_shutdown(struct vio_dev *vdev)
{
	struct vasi_vio *vio = dev_get_drvdata(&vdev->dev);

	vasi_adapter_shutdown(vio->adapter);
}

static unsigned long vasi_vio_get_desired_dma(struct vio_dev *vdev)
{
	return VASI_DESIRED_DMA;
}

/* After a suspension the queue may hold entries whose interrupt was lost */
static int vasi_vio_resume(struct device *dev)
{
	struct vasi_vio *vio = dev_get_drvdata(dev);

	vasi_adapter_interrupt(vio->adapter);
	return 0;
}

static const struct dev_pm_ops vasi_vio_pm_ops = {
	.resume = vasi_vio_resume,
};

static const struct vio_device_id vasi_vio_ids[] = {
	{ "IBM,VASI-1", "IBM,VASI-1" },
	{ "", "" }
};
MODULE_DEVICE_TABLE(vio, vasi_vio_ids);

static struct vio_driver vasi_vio_driver = {
	.name		= "vasi",
	.id_table	= vasi_vio_ids,
	.probe		= vasi_vio_probe,
	.remove		= vasi_vio_remove,
	.shutdown	= vasi_vio_shutdown,
	.get_desired_dma = vasi_vio_get_desired_dma,
	.pm		= &vasi_vio_pm_ops,
};

int __init vasi_vio_register(void)
{
	return vio_register_driver(&vasi_vio_driver);
}

void vasi_vio_unregister(void)
{
	vio_unregister_driver(&vasi_vio_driver);
}
