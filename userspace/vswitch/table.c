// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a switch knows.  See Documentation/vswitch.rst.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/util.h"
#include "vswitch/table.h"

/* A power of two; an address is found among few, however many there are */
#define BUCKETS		1024
#define GROUP_BIT	0x01

const struct vswitch_limits vswitch_default_limits = {
	.macs = 64,
	.frames = 256,
	.mac_bytes = 1 << 20,
	.bytes = 16 << 20,
	.keep_ns = 10 * NSEC_PER_SEC,
	.grace_ns = 100 * NSEC_PER_MSEC,
	.age_ns = 300 * NSEC_PER_SEC,
};

/**
 * struct kept - a frame that its destination may have missed
 * @of_mac:	in the order in which they were sent
 * @of_all:	likewise, of all destinations: all are kept equally long
 * @mac:	its destination
 * @when:	it was sent
 * @bytes:	of @frame
 */
struct kept {
	TAILQ_ENTRY(kept) of_mac;
	TAILQ_ENTRY(kept) of_all;
	struct mac *mac;
	uint64_t when;
	size_t bytes;
	uint8_t frame[];
};

TAILQ_HEAD(kept_list, kept);

/**
 * struct mac - an address
 * @in_bucket:	others of the same hash
 * @of_port:	in the order in which they were last heard
 * @address:	itself
 * @port:	where it was heard, or VSWITCH_NO_PORT
 * @heard:	when it was last
 * @kept:	frames that it may have missed
 * @kept_count:	length of that list
 * @kept_bytes:	what they take
 */
struct mac {
	LIST_ENTRY(mac) in_bucket;
	TAILQ_ENTRY(mac) of_port;
	uint8_t address[VSWITCH_MAC_BYTES];
	unsigned int port;
	uint64_t heard;
	struct kept_list kept;
	unsigned int kept_count;
	size_t kept_bytes;
};

LIST_HEAD(mac_bucket, mac);
TAILQ_HEAD(mac_list, mac);

/**
 * struct place - a port, or where addresses are whose port has gone
 * @up:		somebody is there
 * @macs:	addresses, the one heard longest ago first
 * @count:	length of that list
 */
struct place {
	bool up;
	struct mac_list macs;
	unsigned int count;
};

struct vswitch {
	struct vswitch_limits limits;
	const struct vswitch_ops *ops;
	void *data;
	struct place places[VSWITCH_PORTS + 1];
	struct mac_bucket buckets[BUCKETS];
	struct kept_list kept;
	struct vswitch_counts counts;
};

/* ---- Kept frames ---- */

/* What a frame of so many bytes takes */
static size_t cost(size_t bytes)
{
	return sizeof(struct kept) + bytes;
}

static void forget_frame(struct vswitch *sw, struct kept *kept)
{
	struct mac *mac = kept->mac;

	TAILQ_REMOVE(&mac->kept, kept, of_mac);
	mac->kept_count--;
	mac->kept_bytes -= cost(kept->bytes);
	TAILQ_REMOVE(&sw->kept, kept, of_all);
	sw->counts.kept--;
	sw->counts.kept_bytes -= cost(kept->bytes);
	free(kept);
}

static void expire_frames(struct vswitch *sw, uint64_t now_ns)
{
	struct kept *kept;

	while ((kept = TAILQ_FIRST(&sw->kept)) &&
	       now_ns - kept->when > sw->limits.keep_ns) {
		forget_frame(sw, kept);
		sw->counts.expired++;
	}
}

static bool mac_has_room(const struct vswitch *sw, const struct mac *mac, size_t bytes)
{
	return mac->kept_count < sw->limits.frames &&
	       mac->kept_bytes + cost(bytes) <= sw->limits.mac_bytes;
}

/*
 * A frame from before its destination was last heard has most likely arrived.  Later
 * ones stay, rather than this one: a TCP sender starts again with the first that was lost.
 */
static bool make_room(struct vswitch *sw, struct mac *mac, size_t bytes)
{
	struct kept *kept;

	while (!mac_has_room(sw, mac, bytes)) {
		kept = TAILQ_FIRST(&mac->kept);
		if (!kept || kept->when > mac->heard)
			return false;
		forget_frame(sw, kept);
	}
	return sw->counts.kept_bytes + cost(bytes) <= sw->limits.bytes;
}

static void keep_frame(struct vswitch *sw, struct mac *mac, const uint8_t *frame,
		       size_t bytes, uint64_t now_ns)
{
	struct kept *kept = NULL;

	expire_frames(sw, now_ns);
	if (make_room(sw, mac, bytes))
		kept = malloc(sizeof(*kept) + bytes);
	if (!kept) {
		sw->counts.not_kept++;
		return;
	}
	kept->mac = mac;
	kept->when = now_ns;
	kept->bytes = bytes;
	memcpy(kept->frame, frame, bytes);
	TAILQ_INSERT_TAIL(&mac->kept, kept, of_mac);
	mac->kept_count++;
	mac->kept_bytes += cost(bytes);
	TAILQ_INSERT_TAIL(&sw->kept, kept, of_all);
	sw->counts.kept++;
	sw->counts.kept_bytes += cost(bytes);
}

/* Its destination was heard where it was before: older ones have arrived */
static void arrived(struct vswitch *sw, struct mac *mac, uint64_t now_ns)
{
	struct kept *kept;

	while ((kept = TAILQ_FIRST(&mac->kept)) &&
	       now_ns - kept->when > sw->limits.grace_ns)
		forget_frame(sw, kept);
}

static unsigned int replay(struct vswitch *sw, struct mac *mac)
{
	unsigned int count = 0;
	struct kept *kept;

	while ((kept = TAILQ_FIRST(&mac->kept))) {
		sw->ops->send(sw->data, mac->port, kept->frame, kept->bytes,
			      VSWITCH_REPLAYED);
		forget_frame(sw, kept);
		count++;
	}
	return count;
}

/* ---- Addresses ---- */

static struct mac_bucket *bucket_of(struct vswitch *sw, const uint8_t *address)
{
	uint32_t hash = 0;

	for (int i = 0; i < VSWITCH_MAC_BYTES; i++)
		hash = hash * 31 + address[i];
	return &sw->buckets[(hash ^ hash >> 10) & (BUCKETS - 1)];
}

static struct mac *find(struct vswitch *sw, const uint8_t *address)
{
	struct mac *mac;

	LIST_FOREACH(mac, bucket_of(sw, address), in_bucket)
		if (!memcmp(mac->address, address, VSWITCH_MAC_BYTES))
			return mac;
	return NULL;
}

static void leave_place(struct vswitch *sw, struct mac *mac)
{
	struct place *place = &sw->places[mac->port];

	TAILQ_REMOVE(&place->macs, mac, of_port);
	place->count--;
}

static void forget_mac(struct vswitch *sw, struct mac *mac)
{
	struct kept *kept;

	while ((kept = TAILQ_FIRST(&mac->kept)))
		forget_frame(sw, kept);
	leave_place(sw, mac);
	LIST_REMOVE(mac, in_bucket);
	sw->counts.macs--;
	free(mac);
}

/* It is the youngest there; where there are too many, the oldest has to go */
static void enter_place(struct vswitch *sw, struct mac *mac, unsigned int port)
{
	struct place *place = &sw->places[port];

	if (place->count >= sw->limits.macs)
		forget_mac(sw, TAILQ_FIRST(&place->macs));
	mac->port = port;
	TAILQ_INSERT_TAIL(&place->macs, mac, of_port);
	place->count++;
}

static void learn_new(struct vswitch *sw, unsigned int port, const uint8_t *address,
		      uint64_t now_ns)
{
	struct mac *mac = calloc(1, sizeof(*mac));

	/* One that is not known is flooded to */
	if (!mac)
		return;
	TAILQ_INIT(&mac->kept);
	memcpy(mac->address, address, VSWITCH_MAC_BYTES);
	mac->heard = now_ns;
	enter_place(sw, mac, port);
	LIST_INSERT_HEAD(bucket_of(sw, address), mac, in_bucket);
	sw->counts.macs++;
}

static void learn(struct vswitch *sw, unsigned int port, const uint8_t *address,
		  uint64_t now_ns)
{
	struct mac *mac = find(sw, address);
	unsigned int from;

	if (!mac) {
		learn_new(sw, port, address, now_ns);
		return;
	}
	from = mac->port;
	mac->heard = now_ns;
	leave_place(sw, mac);
	enter_place(sw, mac, port);
	if (from == port) {
		arrived(sw, mac, now_ns);
		return;
	}
	expire_frames(sw, now_ns);
	sw->ops->moved(sw->data, mac->address, from, port, replay(sw, mac));
}

/* ---- Frames ---- */

static void flood(struct vswitch *sw, unsigned int port, const uint8_t *frame, size_t bytes)
{
	for (unsigned int i = 0; i < VSWITCH_PORTS; i++)
		if (i != port && sw->places[i].up)
			sw->ops->send(sw->data, i, frame, bytes, VSWITCH_FLOODED);
}

static void forward(struct vswitch *sw, unsigned int port, const uint8_t *frame,
		    size_t bytes, uint64_t now_ns)
{
	struct mac *mac = frame[0] & GROUP_BIT ? NULL : find(sw, frame);

	if (!mac) {
		flood(sw, port, frame, bytes);
		return;
	}
	/* Who is behind the same port has heard it */
	if (mac->port == port)
		return;
	/* It may be at a port where it has not been heard yet */
	if (mac->port == VSWITCH_NO_PORT)
		flood(sw, port, frame, bytes);
	else
		sw->ops->send(sw->data, mac->port, frame, bytes, VSWITCH_DIRECTED);
	keep_frame(sw, mac, frame, bytes, now_ns);
}

/**
 * vswitch_frame() - a frame came in
 * @sw:		the switch
 * @port:	where
 * @frame:	from the destination's address on
 * @bytes:	of it
 * @now_ns:	time, not before that of an earlier call
 *
 * Return: 0, or -EINVAL: it is too short, or comes from an address that nobody has, and
 * was not passed on.
 */
int vswitch_frame(struct vswitch *sw, unsigned int port, const uint8_t *frame,
		  size_t bytes, uint64_t now_ns)
{
	static const uint8_t nobody[VSWITCH_MAC_BYTES];
	const uint8_t *source = frame + VSWITCH_MAC_BYTES;

	if (bytes < VSWITCH_MIN_FRAME)
		return -EINVAL;
	if (source[0] & GROUP_BIT || !memcmp(source, nobody, sizeof(nobody)))
		return -EINVAL;
	learn(sw, port, source, now_ns);
	forward(sw, port, frame, bytes, now_ns);
	return 0;
}

/* ---- Ports ---- */

/**
 * vswitch_port_up() - somebody is at a port that nobody was at
 * @sw:		the switch
 * @port:	below VSWITCH_PORTS
 */
void vswitch_port_up(struct vswitch *sw, unsigned int port)
{
	sw->places[port].up = true;
}

/**
 * vswitch_port_down() - nobody is there any more
 * @sw:		the switch
 * @port:	one that is up
 *
 * Its addresses stay known: what is sent to them is kept until they are heard elsewhere.
 */
void vswitch_port_down(struct vswitch *sw, unsigned int port)
{
	struct mac *mac;

	sw->places[port].up = false;
	while ((mac = TAILQ_FIRST(&sw->places[port].macs))) {
		leave_place(sw, mac);
		enter_place(sw, mac, VSWITCH_NO_PORT);
	}
}

/* ---- All of it ---- */

/**
 * vswitch_age() - forget what is too old; once a second will do
 * @sw:		the switch
 * @now_ns:	time, not before that of an earlier call
 */
void vswitch_age(struct vswitch *sw, uint64_t now_ns)
{
	struct mac *mac, *next;

	expire_frames(sw, now_ns);
	for (unsigned int i = 0; i <= VSWITCH_PORTS; i++) {
		/* Those without a port came there in another order */
		for (mac = TAILQ_FIRST(&sw->places[i].macs); mac; mac = next) {
			next = TAILQ_NEXT(mac, of_port);
			if (now_ns - mac->heard > sw->limits.age_ns)
				forget_mac(sw, mac);
		}
	}
}

/**
 * vswitch_counts() - what a table holds and did
 * @sw:		the switch
 * @counts:	set
 */
void vswitch_counts(const struct vswitch *sw, struct vswitch_counts *counts)
{
	*counts = sw->counts;
}

/**
 * vswitch_new() - a switch that knows nobody and has no ports that are up
 * @limits:	copied
 * @ops:	kept, not copied
 * @data:	for them
 * @vswitch:	set on success
 *
 * Return: 0 or -ENOMEM.
 */
int vswitch_new(const struct vswitch_limits *limits, const struct vswitch_ops *ops,
		void *data, struct vswitch **vswitch)
{
	struct vswitch *sw = calloc(1, sizeof(*sw));

	if (!sw)
		return -ENOMEM;
	sw->limits = *limits;
	sw->ops = ops;
	sw->data = data;
	TAILQ_INIT(&sw->kept);
	for (unsigned int i = 0; i <= VSWITCH_PORTS; i++)
		TAILQ_INIT(&sw->places[i].macs);
	for (unsigned int i = 0; i < BUCKETS; i++)
		LIST_INIT(&sw->buckets[i]);
	*vswitch = sw;
	return 0;
}

/**
 * vswitch_free() - forget everything
 * @sw:		the switch, or NULL
 *
 * Return: NULL.
 */
struct vswitch *vswitch_free(struct vswitch *sw)
{
	struct mac *mac;

	if (!sw)
		return NULL;
	for (unsigned int i = 0; i <= VSWITCH_PORTS; i++)
		while ((mac = TAILQ_FIRST(&sw->places[i].macs)))
			forget_mac(sw, mac);
	free(sw);
	return NULL;
}
