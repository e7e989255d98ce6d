/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The VIO link: framing and validation of its messages, and sending and
 * receiving them with file descriptors.  See Documentation/vio-link.rst.
 */
#ifndef _VIOLINK_H
#define _VIOLINK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <linux/vasi_crq.h>

struct unix_listener;

#define VIO_MAGIC		0x5641534956494f4cULL	/* "VASIVIOL" */
#define VIO_MAJOR		1
#define VIO_MINOR		1
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
	/* From minor version 1 */
	VIO_MEMORY,
	VIO_TABLE,
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

struct vio_memory {
	__be64		bytes;		/* of the descriptor's memory */
	__be64		reserved;
} __attribute__((packed));
static_assert(sizeof(struct vio_memory) == 16, "MEMORY");

struct vio_table {
	__be32		pages;		/* of the first pane, from I/O address 0 */
	__be32		reserved;
	__be64		reserved2;
} __attribute__((packed));
static_assert(sizeof(struct vio_table) == 16, "TABLE");

/* Entry of a translation table: offset of a page in the memory, and what is allowed */
#define VIO_PAGE_BYTES		4096u
#define VIO_PAGE_READ		1u	/* the platform may read it */
#define VIO_PAGE_WRITE		2u
#define VIO_PAGE_ACCESS		(VIO_PAGE_READ | VIO_PAGE_WRITE)
#define VIO_MAX_PAGES		(1u << 20)	/* 4 GiB */
#define VIO_MAX_MEMORY		(1ULL << 44)

/* Bodies of DMA_DATA and DMA_DONE (then data), of REFUSED (then text), UNWINDOW, EVENT */
struct vio_status {
	__be32		value;		/* status, errno, window id or event code */
	__be32		reserved;	/* not in REFUSED */
} __attribute__((packed));
static_assert(sizeof(struct vio_status) == 8, "status");

#define VIO_MAX_REASON		512	/* bytes of the text in REFUSED */
#define VIO_MAX_PANE		(0x100000000ULL - 4096)
/* Asked for in SO_SNDBUF and SO_RCVBUF: several of the largest messages */
#define VIO_SOCKET_BYTES	(1 << 20)

/* Which end sent a message */
enum vio_end {
	VIO_CLIENT = 1,
	VIO_SERVER,
};

/**
 * struct vio_message - a received and validated message
 * @type:	enum vio_type
 * @count:	CRQ: entries
 * @tag:	of the asker
 * @length:	bytes of @body
 * @fd:		descriptor that came along, or -1.  Belongs to the caller, who sets
 *		it to -1 when taking it; vio_recv() closes what is left here
 * @error:	why vio_recv() returned -EPROTO
 * @body:	to be read as the struct of its type, big-endian
 *
 * 64 KiB: for a context, not for the stack.
 */
struct vio_message {
	uint8_t		type;
	uint16_t	count;
	uint32_t	tag;
	uint32_t	length;
	int		fd;
	const char	*error;
	_Alignas(16) uint8_t body[VIO_MAX_BODY];
};

void vio_message_init(struct vio_message *msg);
void vio_message_clear(struct vio_message *msg);

/* Sockets; all are close-on-exec and non-blocking */
int vio_listen(const char *path, mode_t mode, struct unix_listener *listener);
int vio_accept(int listener);
int vio_connect(const char *path);

/* Messages */
int vio_send(int fd, enum vio_type type, uint32_t tag, uint16_t count,
	     const struct iovec *body, int parts, int pass_fd);
int vio_recv(int fd, enum vio_end from, enum vio_channel channel,
	     struct vio_message *msg);
int vio_check(const struct vio_header *header, const void *body, size_t bytes,
	      enum vio_end from, enum vio_channel channel, bool has_fd,
	      const char **error);
const char *vio_type_name(uint8_t type);

/* Client */
int vio_send_hello_crq(int fd, uint32_t crq_entries, int pane_fd);
int vio_send_hello_hcall(int fd, const uint8_t token[VIO_TOKEN_BYTES]);
int vio_send_hcall(int fd, uint32_t tag, uint64_t number, const uint64_t *args,
		   unsigned int count);
int vio_send_dma_data(int fd, uint32_t tag, int error, const void *data,
		      uint32_t length);
int vio_send_dma_done(int fd, uint32_t tag, int error);
int vio_send_reset(int fd);
int vio_send_memory(int fd, uint64_t bytes, int memory_fd);
int vio_send_table(int fd, uint32_t pages, int table_fd);

/* Server */
int vio_send_welcome(int fd, const struct vio_welcome *welcome);
int vio_send_refused(int fd, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int vio_send_hret(int fd, uint32_t tag, int64_t rc, const uint64_t *rets,
		  unsigned int count);
int vio_send_dma_read(int fd, uint32_t tag, uint32_t pane, uint32_t ioba,
		      uint32_t length);
int vio_send_dma_write(int fd, uint32_t tag, uint32_t pane, uint32_t ioba,
		       const void *data, uint32_t length);
int vio_send_window(int fd, uint32_t id, uint64_t bytes, int memory_fd);
int vio_send_map(int fd, uint32_t id, uint32_t ioba, uint32_t length,
		 uint64_t offset);
int vio_send_unwindow(int fd, uint32_t id);
int vio_send_event(int fd, uint32_t code);

/* Both */
int vio_send_crq(int fd, const struct vasi_crq *entries, unsigned int count);

/* Memory that is passed */
int vio_check_pane(int fd, uint64_t *bytes);
int vio_check_sealed(int fd, uint64_t most, uint64_t *bytes);
int vio_translate(const __be64 *entry, uint64_t memory_bytes, unsigned int access,
		  uint64_t *offset);
int vio_open_readonly(int memfd);

#endif /* _VIOLINK_H */
