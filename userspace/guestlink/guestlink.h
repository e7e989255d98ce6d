/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The guest link: between vasi-phypd and the QEMU that is the home of one of its
 * partitions.  A unix SOCK_SEQPACKET socket pair, one end inherited by QEMU; one
 * struct guest_message each way, big-endian.  See Documentation/guest-partition.rst.
 */
#ifndef _GUESTLINK_H
#define _GUESTLINK_H

#include <assert.h>
#include <stdint.h>
#include <linux/types.h>

#define GUEST_LINK_MAGIC	0x4c504152u	/* "LPAR" */
#define GUEST_LINK_VERSION	1u

/*
 * Dirty bitmap: GUEST_PAGE_BYTES of RAM a bit, in 64-bit words of the machine's own
 * byte order; page n is bit n % 64 of word n / 64.  QEMU adds bits with an atomic OR,
 * vasi-phypd takes whole words with an atomic exchange.
 */
#define GUEST_PAGE_BYTES	4096u

/**
 * enum guest_message_type - what a message says
 * @GUEST_HELLO: QEMU, first of all: value[0] magic << 32 | version, value[1] bytes of
 *	RAM, value[2] address of the RAM in QEMU; descriptor: dirty bitmap
 * @GUEST_SCAN: to QEMU: put what was written since the last scan into the bitmap.
 *	Answered with @GUEST_SCANNED, in order, always
 * @GUEST_SCANNED: QEMU: value[0] bits added, value[1] nanoseconds that it took
 * @GUEST_STREAM: to QEMU: value[0] stream id (0: none), value[1] enum vasi_state: what
 *	the guest's H_VASI_STATE answers from now on.  Answered with @GUEST_STREAM_SET
 * @GUEST_STREAM_SET: QEMU: the same values
 * @GUEST_SUSPENDED: QEMU: the guest called ibm,suspend-me in state Suspending, and no
 *	processor executes any more
 * @GUEST_SIGNAL: QEMU: H_VASI_SIGNAL cancelled the stream: value[0] stream id, value[1]
 *	reason
 * @GUEST_PAGER: to QEMU: register a userfaultfd over the RAM, for missing and for minor
 *	faults; descriptor: /dev/userfaultfd, so that QEMU needs no right to open it.
 *	Answered with @GUEST_PAGER_SET
 * @GUEST_PAGER_SET: QEMU: value[0] 0 or an errno; descriptor if 0: the userfaultfd
 */
enum guest_message_type {
	GUEST_HELLO		= 1,
	GUEST_SCAN		= 2,
	GUEST_SCANNED		= 3,
	GUEST_STREAM		= 4,
	GUEST_STREAM_SET	= 5,
	GUEST_SUSPENDED		= 6,
	GUEST_SIGNAL		= 7,
	GUEST_PAGER		= 8,
	GUEST_PAGER_SET		= 9,
};

/**
 * struct guest_message - a message, whole
 * @type:	enum guest_message_type
 * @reserved:	zero
 * @value:	see there; zero where nothing is said
 */
struct guest_message {
	__be32 type;
	__be32 reserved;
	__be64 value[3];
} __attribute__((packed));

static_assert(sizeof(struct guest_message) == 32, "one size on both sides");

int guest_link_send(int socket, enum guest_message_type type, const uint64_t value[3],
		    int fd);
int guest_link_receive(int socket, enum guest_message_type *type, uint64_t value[3],
		       int *fd);

#endif /* _GUESTLINK_H */
