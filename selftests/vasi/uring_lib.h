/* SPDX-License-Identifier: GPL-2.0 */
/* As little of io_uring as the tests need, without a library. */
#ifndef VASI_TEST_URING_H
#define VASI_TEST_URING_H

#include <stddef.h>
#include <stdint.h>

#include <linux/io_uring.h>

/**
 * struct uring - a ring
 * @fd:		of the ring
 * @entries:	of the submission queue
 * @sq_mask, @cq_mask: indices into the queues
 * @pending:	entries that were taken and not submitted yet
 */
struct uring {
	int			fd;
	unsigned int		entries;
	unsigned int		sq_mask;
	unsigned int		cq_mask;
	unsigned int		pending;
	unsigned int		*sq_tail;
	unsigned int		*sq_array;
	unsigned int		*cq_head;
	unsigned int		*cq_tail;
	struct io_uring_sqe	*sqes;
	struct io_uring_cqe	*cqes;
	void			*rings;
	size_t			rings_bytes;
};

int uring_open(struct uring *ring, unsigned int entries);
void uring_close(struct uring *ring);
struct io_uring_sqe *uring_sqe(struct uring *ring, uint8_t opcode, int fd,
			       uint64_t user_data);
int uring_submit(struct uring *ring);
int uring_wait(struct uring *ring, struct io_uring_cqe *cqe, int timeout_ms);
int uring_register_buffer(struct uring *ring, void *base, size_t bytes);

/* A command of the driver whose argument is 16 bytes in the entry itself */
int uring_command(struct uring *ring, int fd, uint32_t cmd, const void *arg,
		  uint64_t user_data);
int uring_cancel(struct uring *ring, uint64_t user_data, uint64_t own);

#endif /* VASI_TEST_URING_H */
