// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A platform of a few lines for tests of libvasi.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_platform.h"

#define WAIT_MS	10000

/* cmocka's failures jump, which a thread must not: it stops the program */
static void must(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fake platform: %s\n", what);
	abort();
}

void fake_start(struct fake_platform *p)
{
	memset(p, 0, sizeof(*p));
	p->fd = -1;
	p->hcall_fd = -1;
	strcpy(p->directory, "/tmp/fake_platform.XXXXXX");
	must(mkdtemp(p->directory), "no directory");
	snprintf(p->path, sizeof(p->path), "%s/vasi0", p->directory);
	must(!vio_listen(p->path, 0600, &p->listener), "cannot listen");
	p->msg = malloc(sizeof(*p->msg));
	must(p->msg, "no memory");
	vio_message_init(p->msg);
	p->welcome.unit_address = htobe32(0x30000001);
	p->welcome.crq_bytes = htobe32(4096);
	p->welcome.buffer_pools = htobe32(2);
	p->welcome.streams = htobe32(8);
	p->welcome.pane2_bytes = htobe64(1ULL << 32);
	memcpy(p->welcome.token, "fake platform 16", VIO_TOKEN_BYTES);
	for (int i = 0; i < 2; i++) {
		p->caps[i].features = 0xff;
		p->caps[i].operations = 0xff;
		p->caps[i].opens = 16;
	}
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void fake_stop(struct fake_platform *p)
{
	vio_message_clear(p->msg);
	free(p->msg);
	if (p->pane)
		munmap(p->pane, p->pane_bytes);
	close_fd(&p->fd);
	close_fd(&p->hcall_fd);
	unix_unlisten(&p->listener);
	rmdir(p->directory);
}

static void wait_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	must(poll(&pollfd, 1, WAIT_MS) > 0, "nothing arrives");
}

static int accept_one(struct fake_platform *p)
{
	int fd;

	wait_readable(p->listener.fd);
	fd = vio_accept(p->listener.fd);
	must(fd >= 0, "cannot accept");
	return fd;
}

void fake_receive(struct fake_platform *p, int fd, enum vio_channel channel)
{
	int ret;

	wait_readable(fd);
	ret = vio_recv(fd, VIO_CLIENT, channel, p->msg);
	must(!ret, ret == -EPROTO ? p->msg->error : strerror(-ret));
}

static void take_hello(struct fake_platform *p)
{
	fake_receive(p, p->fd, 0);
	must(p->msg->type == VIO_HELLO && p->msg->fd >= 0, "no HELLO with a pane");
	must(!vio_check_pane(p->msg->fd, &p->pane_bytes), "bad pane");
	p->pane = mmap(NULL, p->pane_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		       p->msg->fd, 0);
	must(p->pane != MAP_FAILED, "cannot map the pane");
	if (!p->welcome.pane1_bytes)
		p->welcome.pane1_bytes = htobe64(p->pane_bytes);
}

void fake_send_entry(struct fake_platform *p, const struct vasi_crq *entry)
{
	must(!vio_send_crq(p->fd, entry, 1), "cannot send");
}

void fake_send(struct fake_platform *p, const struct vasi_msg *msg)
{
	struct vasi_crq entry;

	vasi_msg_encode(&entry, msg);
	fake_send_entry(p, &entry);
}

unsigned int fake_pending(struct fake_platform *p)
{
	while (!vio_recv(p->fd, VIO_CLIENT, VIO_CHANNEL_CRQ, p->msg)) {
		must(p->msg->type == VIO_CRQ, "not a CRQ message");
		must(p->entry_count + p->msg->count <= 4096, "too many entries");
		memcpy(&p->entries[p->entry_count], p->msg->body, p->msg->length);
		p->entry_count += p->msg->count;
		p->packets++;
	}
	return p->entry_count;
}

static struct vasi_crq next_entry(struct fake_platform *p)
{
	struct vasi_crq entry;

	if (!p->entry_count && !fake_pending(p)) {
		wait_readable(p->fd);
		must(fake_pending(p), "the client is gone");
	}
	entry = p->entries[0];
	memmove(p->entries, p->entries + 1, --p->entry_count * sizeof(entry));
	return entry;
}

void fake_expect(struct fake_platform *p, uint8_t format, struct vasi_msg *msg)
{
	struct vasi_crq entry = next_entry(p);

	must(vasi_msg_decode(msg, &entry) == VASI_SUCCESS, "message does not decode");
	if (msg->format != format) {
		fprintf(stderr, "%s instead of %s\n", vasi_format_name(msg->format),
			vasi_format_name(format));
		abort();
	}
}

static void initialise(struct fake_platform *p)
{
	struct vasi_crq init = { .header = VASI_CRQ_INIT, .format = VASI_INIT_COMPLETE };
	struct vasi_crq entry;

	if (p->initialise) {
		init.format = VASI_INIT_INITIALIZE;
		fake_send_entry(p, &init);
	}
	entry = next_entry(p);
	must(entry.header == VASI_CRQ_INIT && entry.format == VASI_INIT_INITIALIZE,
	     "no Initialize");
	if (!p->initialise) {
		fake_send_entry(p, &init);
		return;
	}
	entry = next_entry(p);
	must(entry.header == VASI_CRQ_INIT && entry.format == VASI_INIT_COMPLETE,
	     "no Initialization Complete");
}

static void *handshake(void *data)
{
	struct fake_platform *p = data;
	struct vasi_msg msg;

	close_fd(&p->fd);
	p->fd = accept_one(p);
	take_hello(p);
	if (p->script) {
		p->script(p);
		return NULL;
	}
	must(!vio_send_welcome(p->fd, &p->welcome), "cannot send");
	initialise(p);
	for (uint8_t i = 0; i < 2; i++) {
		fake_expect(p, VASI_FMT_CAPABILITIES, &msg);
		must(msg.service == i + 1, "wrong service");
		p->asked = msg.caps;
		msg.format |= VASI_FMT_RESPONSE;
		msg.status = p->caps_status;
		msg.caps = p->caps[i];
		fake_send(p, &msg);
	}
	return NULL;
}

void fake_serve(struct fake_platform *p)
{
	must(!pthread_create(&p->thread, NULL, handshake, p), "no thread");
}

void fake_join(struct fake_platform *p)
{
	pthread_join(p->thread, NULL);
}

void fake_accept_hcall(struct fake_platform *p)
{
	close_fd(&p->hcall_fd);
	p->hcall_fd = accept_one(p);
	fake_receive(p, p->hcall_fd, 0);
	must(p->msg->type == VIO_HELLO, "no HELLO");
	must(!memcmp(((struct vio_hello *)p->msg->body)->token, p->welcome.token,
		     VIO_TOKEN_BYTES), "wrong token");
}
