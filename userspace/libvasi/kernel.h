/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transport for the kernel driver's character device: what its files share.
 */
#ifndef _VASI_KERNEL_H
#define _VASI_KERNEL_H

#include <linux/vasi.h>

#include "common/util.h"
#include "libvasi/internal.h"

/* Until the adapter is ready, which the platform may take its time for */
#define KERNEL_OPEN_NS		(5 * NSEC_PER_SEC)
/* A donor's call goes on for so long while the platform has something to do */
#define KERNEL_DONATE_NS	(2 * NSEC_PER_MSEC)
/* Events that one fetch may bring */
#define KERNEL_EVENTS		64u
/* Requests of a session that may wait for the platform */
#define KERNEL_MAX_REQUESTS	(1u << 21)
#define KERNEL_FIRST_REQUESTS	64u
/* Sessions, and those that were freed while the kernel still had an SQE of them */
#define KERNEL_MAX_CHANNELS	65536u

struct kernel_device;

/**
 * struct kernel_channel - the I/O of a session
 * @kernel:	device
 * @s:		session; NULL: it was freed
 * @number:	in the device's table; names it in the user_data of SQEs
 * @fd:		session's, or -1
 * @in_flight:	SQEs that have not completed
 * @open_wanted: the open has not been asked for yet
 * @opening:	it is under way
 * @fetching:	a fetch is under way
 * @write_wait:	the session is polled for room for requests
 * @over:	nothing is to be fetched any more
 * @ending:	what is under way was cancelled
 * @token:	of the open
 * @open:	argument and result of the open
 * @events:	take what is fetched
 *
 * It is apart from its session because the kernel may still write here when the
 * session of a device that was lost is freed.
 */
struct kernel_channel {
	struct kernel_device *kernel;
	struct vasi_session *s;
	uint32_t number;
	int fd;
	unsigned int in_flight;
	bool open_wanted;
	bool opening;
	bool fetching;
	bool write_wait;
	bool over;
	bool ending;
	uint64_t token;
	struct vasi_open_stream open;
	struct vasi_io_event events[KERNEL_EVENTS];
};

/**
 * struct kernel_session - a session
 * @s:		the common part
 * @channel:	its I/O
 * @requests:	those that were not taken by the kernel yet, in order
 * @first:	index of the first one
 * @count:	how many, behind it
 * @room:	in @requests
 * @pool_numbers: by the kernel's number of a pool: ours and one, or 0
 */
struct kernel_session {
	struct vasi_session s;
	struct kernel_channel *channel;
	struct vasi_io_request *requests;
	uint32_t first;
	uint32_t count;
	uint32_t room;
	uint8_t pool_numbers[VASI_MAX_POOLS];
};

/**
 * struct kernel_device - an adapter
 * @dev:	the common part
 * @path:	for messages
 * @fd:		adapter's
 * @features:	VASI_FEATURE_*
 * @ring:	the caller's ring while attached
 * @tag:	of our SQEs
 * @in_flight:	SQEs that have not completed
 * @pane_bytes:	that pools may take, all together
 * @pool_bytes:	that they take
 * @channels:	by number; NULL: free
 * @channel_count: length of the table
 */
struct kernel_device {
	struct vasi_device dev;
	char *path;
	int fd;
	uint64_t features;
	struct io_uring *ring;
	uint16_t tag;
	unsigned int in_flight;
	uint64_t pane_bytes;
	uint64_t pool_bytes;
	struct kernel_channel **channels;
	uint32_t channel_count;
};

static inline struct kernel_device *to_kernel(const struct vasi_device *dev)
{
	return container_of(dev, struct kernel_device, dev);
}

static inline struct kernel_session *to_kernel_session(const struct vasi_session *s)
{
	return container_of(s, struct kernel_session, s);
}

/* kernel_sys.c: system calls; a test has its own */
int kernel_sys_open(const char *path);
int kernel_sys_dup(int fd);
void kernel_sys_close(int fd);
/* Returns what the ioctl does, or a negative errno */
int kernel_sys_ioctl(int fd, unsigned long request, void *arg);
/* NULL and errno */
void *kernel_sys_map(int fd, uint64_t offset, uint64_t bytes);
void kernel_sys_unmap(void *base, uint64_t bytes);
/* Wait until an adapter is ready, or dead; false: it is neither after @ns */
bool kernel_sys_wait(int fd, uint64_t ns);

/* kernel_open.c: opening and closing */
int kernel_open(const char *path, const struct vasi_device_params *params,
		struct vasi_device **dev);
int kernel_open_fd(int fd, const char *path, const struct vasi_device_params *params,
		   struct vasi_device **dev);
void kernel_close(struct vasi_device *dev);

/* kernel.c: the ring */
void kernel_lost(struct kernel_device *kernel, int ret, const char *what);
void kernel_wait_room(struct kernel_channel *channel);

/* kernel_request.c: what is asked of the kernel */
int kernel_session_close(struct vasi_session *s, uint64_t token);
void kernel_session_forget(struct vasi_session *s);
int kernel_pool_setup(struct vasi_session *s, uint16_t pool, uint32_t fetch_bytes);
void kernel_pool_free(struct vasi_session *s, uint16_t pool);
int kernel_post(struct vasi_session *s);
int kernel_free_buffer(struct vasi_session *s, uint16_t pool, uint64_t token);
int kernel_respond(struct vasi_session *s, uint16_t pool, uint32_t index,
		   enum vasi_status status, uint64_t residual, bool post);
int kernel_download(struct vasi_session *s, uint16_t pool, uint32_t index,
		    uint32_t bytes, bool indirect, uint64_t token);
int kernel_signal(struct vasi_session *s, enum vasi_signal_code code,
		  uint32_t reason, uint64_t token);
int kernel_progress(struct vasi_session *s, uint64_t token);
int kernel_message(struct vasi_session *s, uint64_t data, uint64_t token);
int kernel_dirty_map(struct vasi_session *s, uint16_t pool, uint32_t index,
		     const struct vasi_dirty_ask *ask, uint64_t token);
void kernel_submit(struct vasi_session *s);

/* kernel_event.c: what the kernel tells */
void kernel_opened(struct kernel_channel *channel, int res);
void kernel_fetched(struct kernel_channel *channel, unsigned int count);
const void *kernel_indirect_data(struct vasi_session *s, uint16_t pool, uint32_t index,
				 const struct vasi_segment *seg, uint64_t before,
				 struct vasi_window **window);

/* kernel_donor.c: calls of other threads */
int kernel_donor_open(struct vasi_device *dev, struct vasi_donor **donor);
void kernel_donor_close(struct vasi_donor *donor);
int64_t kernel_donate(struct vasi_donor *donor, const struct vasi_session *s);
int64_t kernel_stream_state(struct vasi_donor *donor, uint64_t stream_id,
			    uint64_t *state);
int64_t kernel_stream_cancel(struct vasi_donor *donor, uint64_t stream_id,
			     uint32_t reason);

#endif /* _VASI_KERNEL_H */
