/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VIO link: framing and validation of its messages, and sending and
 * receiving them with file descriptors.  See Documentation/vio-link.rst.
 */
#ifndef _VIOLINK_H
#define _VIOLINK_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/vasi_crq.h>

#define VIO_MAGIC		0x5641534956494f4cULL	/* "VASIVIOL" */
#define VIO_MAJOR		1
#define VIO_MINOR		0
#define VIO_MAX_BODY		65536
#define VIO_MAX_CRQ		64
#define VIO_MAX_DMA		(VIO_MAX_BODY - 32)
#define VIO_TOKEN_BYTES		16

enum vio_type {
	VIO_HELLO = 1,
	VIO_WELCOME,
	VIO_REFUSED,
	VIO_CRQ,
	VIO_HCALL,
	VIO_HRET,
	VIO_DMA_READ,
	VIO_DMA_DATA,
	VIO_DMA_WRITE,
	VIO_DMA_DONE,
	VIO_WINDOW,
	VIO_MAP,
	VIO_UNWINDOW,
	VIO_RESET,
	VIO_EVENT,
};

enum vio_channel {
	VIO_CHANNEL_CRQ = 1,
	VIO_CHANNEL_HCALL = 2,
};

struct vio_header {
	uint8_t		type;
	uint8_t		flags;
	__be16		count;
	__be32		tag;
	__be32		length;
	__be32		reserved;
} __attribute__((packed));
static_assert(sizeof(struct vio_header) == 16, "VIO link header");

struct vio_hello {
	__be64		magic;
	__be16		major;
	__be16		minor;
	__be16		channel;
	__be16		reserved;
	__be32		crq_entries;	/* CRQ channel: answers it can queue */
	__be32		reserved2;
	uint8_t		token[VIO_TOKEN_BYTES];	/* hcall channel */
} __attribute__((packed));
static_assert(sizeof(struct vio_hello) == 40, "HELLO");

struct vio_welcome {
	__be64		magic;
	__be16		major;
	__be16		minor;
	__be32		unit_address;
	__be32		crq_bytes;	/* ibm,crq-size */
	__be32		buffer_pools;	/* ibm,#buffer-pools */
	__be32		streams;	/* ibm,#vasi-streams */
	__be32		reserved;
	__be64		pane1_bytes;	/* size the server accepted */
	__be64		pane2_bytes;	/* 0: no indirect operations */
	uint8_t		token[VIO_TOKEN_BYTES];
} __attribute__((packed));
static_assert(sizeof(struct vio_welcome) == 64, "WELCOME");

struct vio_hcall {
	__be64		number;
	__be64		arg[8];
} __attribute__((packed));
static_assert(sizeof(struct vio_hcall) == 72, "HCALL");

struct vio_hret {
	__be64		rc;
	__be64		ret[4];
} __attribute__((packed));
static_assert(sizeof(struct vio_hret) == 40, "HRET");

struct vio_dma {
	__be32		pane;		/* 1 or 2 */
	__be32		ioba;
	__be32		length;
	__be32		reserved;
} __attribute__((packed));
static_assert(sizeof(struct vio_dma) == 16, "DMA");

struct vio_window {
	__be32		id;
	__be32		reserved;
	__be64		bytes;		/* size of the memory behind it */
} __attribute__((packed));
static_assert(sizeof(struct vio_window) == 16, "WINDOW");

struct vio_map {
	__be32		id;		/* window */
	__be32		ioba;		/* first I/O address, second pane */
	__be32		length;		/* bytes */
	__be32		reserved;
	__be64		offset;		/* into the window */
	__be64		reserved2;
} __attribute__((packed));
static_assert(sizeof(struct vio_map) == 32, "MAP");

#endif /* _VIOLINK_H */
