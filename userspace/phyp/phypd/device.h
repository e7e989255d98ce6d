/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VASI devices, each offered over a VIO link (Documentation/vio-link.rst).
 *
 * device.c	the device: libphyp's way out, the queue of what goes to the
 *		client, DMA by messages
 * link.c	its connections: HELLO, CRQ entries and hcalls that come in
 * translate.c	a first pane whose pages lie anywhere in a client's memory
 *
 * Nothing closes a link in the middle of libphyp's work: who finds it unusable
 * calls device_fail(), and device_settle() acts on that after the event.
 */
#ifndef _PHYPD_DEVICE_H
#define _PHYPD_DEVICE_H

#include "common/unixsock.h"
#include "phyp/phypd/system.h"
#include "violink/violink.h"

#define DEVICE_CRQ_BYTES	65536u
#define DEVICE_CRQ_ENTRIES	(DEVICE_CRQ_BYTES / 16)
#define DEVICE_OTHER_MESSAGES	1024u	/* queued beside CRQ entries */
#define DEVICE_MAX_CHANNELS	80u
#define DEVICE_BUFFER_POOLS	4u
#define DEVICE_FIRST_UNIT	0x30000000u
#define DEVICE_REASON_BYTES	160

/**
 * struct outgoing - a message, or one entry of one, that waits for the client
 * @type:	VIO_CRQ, VIO_WINDOW, VIO_MAP, VIO_UNWINDOW or VIO_EVENT
 * @fd:		WINDOW: descriptor to pass; the queue's own
 * @entry:	CRQ
 * @id:		window; EVENT: code
 * @ioba:	MAP
 * @length:	MAP
 * @value:	WINDOW: bytes; MAP: offset
 */
struct outgoing {
	enum vio_type type;
	int fd;
	union {
		struct vasi_crq entry;
		struct {
			uint32_t id;
			uint32_t ioba;
			uint32_t length;
			uint64_t value;
		};
	};
};

struct channel;

/**
 * struct device - a VASI device and its link
 * @system:	where it is
 * @name:	of the device
 * @path:	of its socket
 * @vdev:	the platform's
 * @listener:	socket
 * @accept_source: its event source
 * @accept_timer: when to accept again, after descriptors were used up
 * @channels:	connections, also those that did not say HELLO yet
 * @channel_count: how many
 * @crq:	the CRQ channel; NULL = no client is connected
 * @token:	that binds hcall channels to it
 * @pane:	first pane, mapped; NULL = DMA by messages
 * @pane_bytes:	size of the first pane
 * @memory:	the client's memory, mapped; NULL = none was passed
 * @memory_bytes: its size
 * @table:	where in it the first pane's pages are; NULL = none was passed
 * @table_pages: entries of @table
 * @crq_limit:	entries that may be queued for this client
 * @queue:	ring of what is queued
 * @queue_size, @queue_head, @queue_used: of the ring
 * @crq_queued:	CRQ entries in it
 * @blocked:	the socket was full; wait for EPOLLOUT
 * @backlog:	entries that arrived while a DMA answer was awaited
 * @backlog_used: how many
 * @reset_pending: a RESET arrived then
 * @working:	backlog is being worked on
 * @dma_tag:	of the last DMA request
 * @dma_msg:	its answer
 * @error:	not 0: the link is to be ended
 * @reason:	why
 */
struct device {
	TAILQ_ENTRY(device) link;
	struct system *system;
	char *name;
	char *path;
	struct phyp_vdev_params params;
	struct phyp_vdev *vdev;
	struct unix_listener listener;
	sd_event_source *accept_source;
	sd_event_source *accept_timer;
	TAILQ_HEAD(, channel) channels;
	unsigned int channel_count;
	struct channel *crq;
	uint8_t token[VIO_TOKEN_BYTES];
	uint8_t *pane;
	uint64_t pane_bytes;
	uint8_t *memory;
	uint64_t memory_bytes;
	const __be64 *table;
	uint32_t table_pages;
	uint32_t crq_limit;
	struct outgoing *queue;
	unsigned int queue_size;
	unsigned int queue_head;
	unsigned int queue_used;
	unsigned int crq_queued;
	bool blocked;
	struct vasi_crq backlog[DEVICE_CRQ_ENTRIES];
	unsigned int backlog_used;
	bool reset_pending;
	bool working;
	uint32_t dma_tag;
	int error;
	char reason[DEVICE_REASON_BYTES];
	struct vio_message dma_msg;
	struct vio_message msg;
};

int device_create(struct system *system, const char *name, const char *path,
		  struct device **device);
void device_destroy(struct device *device);
struct device *device_find(struct system *system, const char *name);
void device_fail(struct device *device, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Send what is queued, as far as the socket takes it */
void device_flush(struct device *device);
/* After RESET: the client forgot what it was sent */
void device_queue_forget(struct device *device);
void device_queue_exit(struct device *device);
int device_event(struct device *device, uint32_t code);

/* link.c */
int link_listen(struct device *device);
void link_unlisten(struct device *device);
/* End what device_fail() or a peer's end said is to be ended */
void device_settle(struct device *device);
/* Socket of the CRQ channel */
int link_crq_fd(const struct device *device);
void link_want_output(struct device *device, bool want);
/* Close the sessions, and begin with an empty queue */
void link_reset(struct device *device);

/* translate.c */
int translate_memory(struct device *device, int fd, uint64_t bytes);
int translate_table(struct device *device, int fd, uint32_t pages);
void translate_exit(struct device *device);
void *translate_map(const struct device *device, uint32_t ioba, uint32_t length);
int translate_read(const struct device *device, uint32_t ioba, void *buf,
		   uint32_t length);
int translate_write(const struct device *device, uint32_t ioba, const void *buf,
		    uint32_t length);

#endif /* _PHYPD_DEVICE_H */
