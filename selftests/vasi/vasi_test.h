/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the VASI driver share: the adapters of this machine, the
 * control channel to who plays the platform, sessions, pools, and requests.
 *
 * The environment says what there is (Documentation/kselftests.rst):
 *
 *	VASI_UNIT_A, VASI_UNIT_B	unit addresses of the adapters of two
 *					managed systems
 *	VASI_UNIT_S			of the adapter whose platform is a script
 *	VASI_CONTROL			character device of the control channel
 *
 * A test that needs one of them is skipped where it is not set.
 */
#ifndef VASI_TEST_H
#define VASI_TEST_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/vasi.h>
#include <linux/vasi_crq.h>

/* Longest wait for what is bound to come */
#define VT_PATIENCE_MS		20000

#define VT_BUFFER_BYTES		65536

/* What an answer of the control channel takes */
#define VT_ANSWER		4096

/**
 * struct vt_session - an open session
 * @fd:		of the session
 * @dev:	of its adapter
 * @id:		its stream
 * @open:	as the kernel filled it
 */
struct vt_session {
	int			fd;
	int			dev;
	uint64_t		id;
	struct vasi_open_stream	open;
};

/**
 * struct vt_pool - a pool of a session, mapped
 * @setup:	as the kernel filled it
 * @map:	the mapping
 */
struct vt_pool {
	struct vasi_pool_setup	setup;
	unsigned char		*map;
};

long vt_now_ms(void);
void vt_pause(void);

/* Adapters */
bool vt_have(char role);
int vt_open(char role);
int vt_open_nowait(char role);
int vt_path(char role, char *path, size_t size);
int vt_vio_name(char role, char *name, size_t size);
int vt_info(int dev, struct vasi_info *info);
int vt_wait_state(int dev, uint32_t state);
int vt_wait_resets(int dev, uint32_t least);

/* The control channel */
bool vt_have_control(void);
int vt_ask(char *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
uint64_t vt_ask_number(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Sessions and pools */
int vt_session_open(struct vt_session *s, int dev, uint64_t id, uint32_t service);
int vt_session_close(struct vt_session *s);
int vt_stream_open(struct vt_session *s, int *dev, char role, uint32_t service,
		   uint32_t kib);
int vt_script_open(struct vt_session *s, int *dev, uint32_t service);
int vt_pool_setup(struct vt_session *s, struct vt_pool *pool, uint32_t bytes,
		  uint32_t count);
void vt_pool_unmap(struct vt_pool *pool);
unsigned char *vt_buffer(const struct vt_pool *pool, uint32_t index);

/* Requests and events */
int vt_submit(int fd, const struct vasi_io_request *requests, uint32_t count);
int vt_fetch(int fd, struct vasi_io_event *events, uint32_t count);
int vt_poll(int fd, short events, int timeout_ms);
int vt_next(int fd, struct vasi_io_event *event);
int vt_next_of(int fd, uint16_t type, struct vasi_io_event *event);
int vt_complete(int fd, uint16_t flags, uint16_t pool, uint32_t index,
		uint32_t generation, uint32_t status);
int vt_add(int fd, uint16_t pool, uint32_t index);
int vt_download(int fd, const struct vt_pool *pool, uint32_t index,
		const void *data, uint32_t bytes, uint64_t token);
int vt_simple(int fd, uint16_t op, uint64_t token);
int vt_signal(int fd, uint32_t code, uint32_t reason, uint64_t token);
int vt_donate(int fd, uint64_t budget_ns, int64_t *rc);
int vt_donate_until(int fd, int64_t wanted);
int vt_stream(int dev, unsigned long command, struct vasi_stream *stream);

/* An operation's bytes */
int64_t vt_payload(const struct vt_pool *pool, const struct vasi_io_event *event,
		   void *data, uint32_t room);

/* A platform that does as the test says */
int vt_script_reset(void);
int vt_script_send(const struct vasi_crq *entry);
int vt_script_wait(uint8_t format, struct vasi_crq *entry);
int vt_script_count(uint8_t format);
int vt_script_read(uint32_t ioba, void *data, uint32_t bytes);
int vt_script_write(uint32_t ioba, const void *data, uint32_t bytes);
int vt_script_operation(const struct vt_session *s, uint64_t descriptor,
			uint64_t correlator, uint8_t op_code, const void *data,
			uint32_t bytes);

/* Both ends of a stream's move */

/**
 * struct vt_move - a partition that this program moves from A to B
 * @id:		the stream
 * @source:	at system A
 * @target:	at system B
 * @from:	buffers in which operations come, at A
 * @back:	the same, at B: pages that the target asks for
 * @out:	buffers for downloads, at B
 * @in:		the same, at A
 * @operations:	that A's platform has sent
 * @bytes:	in them
 * @suspend_after: operations before Suspend is signalled
 * @source_state: as A's platform told
 * @target_state: as B's platform told
 */
struct vt_move {
	uint64_t		id;
	struct vt_session	source;
	struct vt_session	target;
	struct vt_pool		from;
	struct vt_pool		back;
	struct vt_pool		out;
	struct vt_pool		in;
	uint64_t		operations;
	uint64_t		bytes;
	uint64_t		suspend_after;
	uint32_t		source_state;
	uint32_t		target_state;
};

int vt_move_open(struct vt_move *m, int a, int b, uint64_t kib);
int vt_move_run(struct vt_move *m);
void vt_move_close(struct vt_move *m);

/* Adapter and driver, through sysfs and modules */
int vt_write_file(const char *path, const char *text);
int vt_bind(char role, bool bind);

#endif /* VASI_TEST_H */
