/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a switch knows: which address is behind which port, and the frames that an
 * address may have missed.  Pure: the caller has the ports and says what time it is.
 */
#ifndef _VSWITCH_TABLE_H
#define _VSWITCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSWITCH_PORTS		64
/* In place of a port: it has gone, and the address was not heard since */
#define VSWITCH_NO_PORT		VSWITCH_PORTS

#define VSWITCH_MAC_BYTES	6
/* Two addresses and a type */
#define VSWITCH_MIN_FRAME	14

/**
 * enum vswitch_how - why a port gets a frame
 * @VSWITCH_DIRECTED:	it is where the frame's destination was heard
 * @VSWITCH_FLOODED:	every port gets it
 * @VSWITCH_REPLAYED:	the destination may have missed it before it came here
 */
enum vswitch_how {
	VSWITCH_DIRECTED,
	VSWITCH_FLOODED,
	VSWITCH_REPLAYED,
};

/**
 * struct vswitch_limits - bounds of a table
 * @macs:	addresses behind one port, and of those without a port
 * @frames:	kept for one address
 * @mac_bytes:	kept for one address
 * @bytes:	kept for all of them
 * @keep_ns:	a frame is of no use after that: it has been sent again
 * @grace_ns:	whoever is heard may not yet have seen what was sent that shortly before
 * @age_ns:	an address that is not heard for as long is forgotten
 */
struct vswitch_limits {
	unsigned int macs;
	unsigned int frames;
	size_t mac_bytes;
	size_t bytes;
	uint64_t keep_ns;
	uint64_t grace_ns;
	uint64_t age_ns;
};

extern const struct vswitch_limits vswitch_default_limits;

/**
 * struct vswitch_counts - of a table
 * @macs:	addresses that are known
 * @kept:	frames that are kept
 * @kept_bytes:	what they take
 * @not_kept:	frames that there was no room for
 * @expired:	frames that were kept to no purpose
 */
struct vswitch_counts {
	unsigned int macs;
	uint64_t kept;
	size_t kept_bytes;
	uint64_t not_kept;
	uint64_t expired;
};

/**
 * struct vswitch_ops - what the owner of the ports does
 * @send:	put a frame on a port; never calls back
 * @moved:	an address was heard on another port than before (VSWITCH_NO_PORT: that one
 *		has gone), and as many frames were sent there again
 */
struct vswitch_ops {
	void (*send)(void *data, unsigned int port, const uint8_t *frame, size_t bytes,
		     enum vswitch_how how);
	void (*moved)(void *data, const uint8_t *mac, unsigned int from, unsigned int to,
		      unsigned int replayed);
};

struct vswitch;

int vswitch_new(const struct vswitch_limits *limits, const struct vswitch_ops *ops,
		void *data, struct vswitch **vswitch);
struct vswitch *vswitch_free(struct vswitch *sw);
void vswitch_port_up(struct vswitch *sw, unsigned int port);
void vswitch_port_down(struct vswitch *sw, unsigned int port);
int vswitch_frame(struct vswitch *sw, unsigned int port, const uint8_t *frame,
		  size_t bytes, uint64_t now_ns);
void vswitch_age(struct vswitch *sw, uint64_t now_ns);
void vswitch_counts(const struct vswitch *sw, struct vswitch_counts *counts);

#endif /* _VSWITCH_TABLE_H */
