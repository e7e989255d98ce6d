// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the loopback carries without a mover: the reference of the benchmark.
 *
 * See raw.c.  Both processes have one io_uring, the simplest loop that keeps
 * every connection busy, and no other work.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "raw.h"

static int make_ring(struct io_uring *ring, const int *fds, unsigned int n)
{
	int err;

	err = io_uring_queue_init(2 * RAW_MAX_CONNECTIONS, ring,
				  IORING_SETUP_SINGLE_ISSUER |
				  IORING_SETUP_DEFER_TASKRUN);
	if (err == -EINVAL)	/* before Linux 6.1 */
		err = io_uring_queue_init(2 * RAW_MAX_CONNECTIONS, ring, 0);
	if (!err)
		err = io_uring_register_files(ring, fds, n);
	if (err)
		fprintf(stderr, "io_uring: %s\n", strerror(-err));
	return err;
}

/* The sender: each connection takes the next chunk when its last one is gone */

struct chunk {
	uint8_t *data;
	unsigned int left;
};

static void queue_send(struct io_uring *ring, struct chunk *chunk,
		       unsigned int conn)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_send(sqe, conn, chunk->data, chunk->left,
			   MSG_WAITALL | MSG_NOSIGNAL);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = conn;
}

static bool next_chunk(const struct raw_options *opt, uint8_t *region,
		       uint64_t *pos, struct chunk *chunk)
{
	uint64_t left = opt->bytes - *pos;

	if (!left)
		return false;
	chunk->data = region + *pos;
	chunk->left = left < opt->chunk ? left : opt->chunk;
	*pos += chunk->left;
	return true;
}

static int send_all(const struct raw_options *opt, void *data, uint8_t *region,
		    const int *fds, struct raw_result *result)
{
	struct chunk chunks[RAW_MAX_CONNECTIONS] = { };
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	unsigned int i, busy = 0;
	uint64_t pos = 0;
	double cpu;
	int err;

	(void)data;
	err = make_ring(&ring, fds, opt->connections);
	if (err)
		return err;
	cpu = raw_cpu_seconds();
	result->ns = raw_now_ns();
	for (i = 0; i < opt->connections; i++) {
		if (!next_chunk(opt, region, &pos, &chunks[i]))
			break;
		queue_send(&ring, &chunks[i], i);
		busy++;
	}
	while (busy) {
		err = io_uring_submit_and_wait(&ring, 1);
		if (err < 0)
			goto out_error;
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			i = cqe->user_data;
			err = cqe->res ? cqe->res : -EPIPE;
			io_uring_cqe_seen(&ring, cqe);
			if (err < 0)
				goto out_error;
			chunks[i].data += err;
			chunks[i].left -= err;
			if (chunks[i].left ||
			    next_chunk(opt, region, &pos, &chunks[i]))
				queue_send(&ring, &chunks[i], i);
			else
				busy--;
		}
	}
	result->bytes = pos;
	result->cpu_s = raw_cpu_seconds() - cpu;
	for (i = 0; i < opt->connections; i++)
		shutdown(fds[i], SHUT_WR);
	return 0;

out_error:
	fprintf(stderr, "send: %s\n", strerror(-err));
	return err;
}

/* The receiver: until every connection has ended */

static void queue_recv(struct io_uring *ring, uint8_t *buffer,
		       unsigned int chunk, unsigned int conn)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_recv(sqe, conn, buffer, chunk, MSG_WAITALL);
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = conn;
}

static int receive_all(const struct raw_options *opt, void *data, const int *fds,
		       struct raw_result *result)
{
	unsigned int i, busy = opt->connections;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	uint8_t *buffers = raw_buffers(opt);
	double cpu;
	int err;

	(void)data;
	if (!buffers)
		return -1;
	err = make_ring(&ring, fds, opt->connections);
	if (err)
		return err;
	cpu = raw_cpu_seconds();
	for (i = 0; i < opt->connections; i++)
		queue_recv(&ring, buffers + (size_t)i * opt->chunk, opt->chunk, i);
	while (busy) {
		err = io_uring_submit_and_wait(&ring, 1);
		if (err < 0)
			goto out_error;
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			i = cqe->user_data;
			err = cqe->res;
			io_uring_cqe_seen(&ring, cqe);
			if (err < 0)
				goto out_error;
			if (!err) {
				busy--;
				continue;
			}
			result->bytes += err;
			if (result->bytes == opt->bytes)
				result->ns = raw_now_ns();
			queue_recv(&ring, buffers + (size_t)i * opt->chunk,
				   opt->chunk, i);
		}
	}
	result->cpu_s = raw_cpu_seconds() - cpu;
	return 0;

out_error:
	fprintf(stderr, "recv: %s\n", strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	static const struct raw_transport transport = {
		.name = "raw_loopback",
		.send = send_all,
		.receive = receive_all,
	};

	return raw_main(&transport, argc, argv);
}
