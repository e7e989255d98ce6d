// SPDX-License-Identifier: GPL-2.0
/* As little of io_uring as the tests need, without a library. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uring_lib.h"

/* What a driver's command has in an entry of ordinary size */
#define COMMAND_BYTES	16

static int map_rings(struct uring *ring, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	char *base;

	ring->rings_bytes = sq > cq ? sq : cq;
	base = mmap(NULL, ring->rings_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	if (base == MAP_FAILED)
		return -errno;
	ring->rings = base;
	ring->sq_tail = (unsigned int *)(base + p->sq_off.tail);
	ring->sq_array = (unsigned int *)(base + p->sq_off.array);
	ring->sq_mask = *(unsigned int *)(base + p->sq_off.ring_mask);
	ring->cq_head = (unsigned int *)(base + p->cq_off.head);
	ring->cq_tail = (unsigned int *)(base + p->cq_off.tail);
	ring->cq_mask = *(unsigned int *)(base + p->cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(base + p->cq_off.cqes);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			  ring->fd, IORING_OFF_SQES);
	if (ring->sqes == MAP_FAILED) {
		munmap(ring->rings, ring->rings_bytes);
		return -errno;
	}
	return 0;
}

int uring_open(struct uring *ring, unsigned int entries)
{
	struct io_uring_params p = { 0 };
	int err;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(__NR_io_uring_setup, entries, &p);
	if (ring->fd < 0)
		return -errno;
	ring->entries = p.sq_entries;
	err = p.features & IORING_FEAT_SINGLE_MMAP ? map_rings(ring, &p) : -ENOSYS;
	if (err)
		close(ring->fd);
	return err;
}

void uring_close(struct uring *ring)
{
	munmap(ring->sqes, ring->entries * sizeof(*ring->sqes));
	munmap(ring->rings, ring->rings_bytes);
	close(ring->fd);
}

/* The caller never has more entries than the queue takes */
struct io_uring_sqe *uring_sqe(struct uring *ring, uint8_t opcode, int fd,
			       uint64_t user_data)
{
	unsigned int tail = *ring->sq_tail + ring->pending;
	unsigned int index = tail & ring->sq_mask;
	struct io_uring_sqe *sqe = &ring->sqes[index];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->user_data = user_data;
	ring->sq_array[index] = index;
	ring->pending++;
	return sqe;
}

int uring_submit(struct uring *ring)
{
	unsigned int count = ring->pending;
	int done;

	__atomic_store_n(ring->sq_tail, *ring->sq_tail + count, __ATOMIC_RELEASE);
	ring->pending = 0;
	done = syscall(__NR_io_uring_enter, ring->fd, count, 0, 0, NULL, 0);
	if (done < 0)
		return -errno;
	return (unsigned int)done == count ? 0 : -EAGAIN;
}

/* The next completion; -ETIME: none in time */
int uring_wait(struct uring *ring, struct io_uring_cqe *cqe, int timeout_ms)
{
	struct pollfd poller = { .fd = ring->fd, .events = POLLIN };
	unsigned int head = *ring->cq_head;
	int ready;

	while (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE)) {
		ready = poll(&poller, 1, timeout_ms);
		if (ready <= 0)
			return ready ? -errno : -ETIME;
		/* Have deferred work done */
		syscall(__NR_io_uring_enter, ring->fd, 0, 0, IORING_ENTER_GETEVENTS,
			NULL, 0);
	}
	*cqe = ring->cqes[head & ring->cq_mask];
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return 0;
}

int uring_register_buffer(struct uring *ring, void *base, size_t bytes)
{
	struct iovec iov = { .iov_base = base, .iov_len = bytes };

	if (syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &iov, 1))
		return -errno;
	return 0;
}

int uring_command(struct uring *ring, int fd, uint32_t cmd, const void *arg,
		  uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_sqe(ring, IORING_OP_URING_CMD, fd, user_data);

	sqe->cmd_op = cmd;
	memcpy(sqe->cmd, arg, COMMAND_BYTES);
	return uring_submit(ring);
}

int uring_cancel(struct uring *ring, uint64_t user_data, uint64_t own)
{
	struct io_uring_sqe *sqe = uring_sqe(ring, IORING_OP_ASYNC_CANCEL, -1, own);

	sqe->addr = user_data;
	return uring_submit(ring);
}
