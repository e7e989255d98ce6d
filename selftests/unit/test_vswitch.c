// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The switch's table: who is where, and what they may have missed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/util.h"
#include "vswitch/table.h"

#define FRAME_BYTES	64
#define MOST_SENT	4096

/* Small enough to be reached */
static const struct vswitch_limits limits = {
	.macs = 4,
	.frames = 5,
	.mac_bytes = 4096,
	.bytes = 6000,
	.keep_ns = 1000,
	.grace_ns = 10,
	.age_ns = 10000,
};

struct sent {
	unsigned int port;
	enum vswitch_how how;
	uint32_t tag;
	size_t bytes;
};

/**
 * struct bench - a table, what it sent and when
 * @sw:		the table
 * @now:	time
 * @sent:	frames, in order
 * @count:	of them
 * @moves:	how often moved() was called, and with what last
 */
struct bench {
	struct vswitch *sw;
	uint64_t now;
	struct sent sent[MOST_SENT];
	unsigned int count;
	unsigned int moves;
	unsigned int from;
	unsigned int to;
	unsigned int replayed;
	uint8_t mac[VSWITCH_MAC_BYTES];
};

static void on_send(void *data, unsigned int port, const uint8_t *frame, size_t bytes,
		    enum vswitch_how how)
{
	struct bench *b = data;
	struct sent *sent = &b->sent[b->count++];

	assert_true(b->count <= MOST_SENT);
	assert_true(port < VSWITCH_PORTS);
	*sent = (struct sent) { .port = port, .how = how, .bytes = bytes };
	if (bytes >= VSWITCH_MIN_FRAME + sizeof(sent->tag))
		memcpy(&sent->tag, frame + VSWITCH_MIN_FRAME, sizeof(sent->tag));
}

static void on_moved(void *data, const uint8_t *mac, unsigned int from, unsigned int to,
		     unsigned int replayed)
{
	struct bench *b = data;

	b->moves++;
	b->from = from;
	b->to = to;
	b->replayed = replayed;
	memcpy(b->mac, mac, sizeof(b->mac));
}

static const struct vswitch_ops ops = { .send = on_send, .moved = on_moved };

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->now = 1000000;
	assert_int_equal(vswitch_new(&limits, &ops, b, &b->sw), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	assert_null(vswitch_free(b->sw));
	free(b);
	return 0;
}

static void make_mac(uint8_t *mac, uint32_t number)
{
	mac[0] = 0x52;
	mac[1] = 0x54;
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (uint8_t)(number >> (24 - 8 * i));
}

#define EVERYBODY	UINT32_MAX

/* A frame from one address to another, with a tag to know it by */
static int put_bytes(struct bench *b, unsigned int port, uint32_t from, uint32_t to,
		     uint32_t tag, size_t bytes)
{
	uint8_t *frame = calloc(1, max(bytes, (size_t)VSWITCH_MIN_FRAME));
	int ret;

	assert_non_null(frame);
	if (to == EVERYBODY)
		memset(frame, 0xff, VSWITCH_MAC_BYTES);
	else
		make_mac(frame, to);
	make_mac(frame + VSWITCH_MAC_BYTES, from);
	if (bytes >= VSWITCH_MIN_FRAME + sizeof(tag))
		memcpy(frame + VSWITCH_MIN_FRAME, &tag, sizeof(tag));
	ret = vswitch_frame(b->sw, port, frame, bytes, b->now);
	free(frame);
	return ret;
}

static void put(struct bench *b, unsigned int port, uint32_t from, uint32_t to, uint32_t tag)
{
	b->count = 0;
	assert_int_equal(put_bytes(b, port, from, to, tag, FRAME_BYTES), 0);
}

static void up(struct bench *b, unsigned int ports)
{
	for (unsigned int i = 0; i < ports; i++)
		vswitch_port_up(b->sw, i);
}

static void check_sent(const struct bench *b, unsigned int at, unsigned int port,
		       enum vswitch_how how, uint32_t tag)
{
	assert_true(at < b->count);
	assert_int_equal(b->sent[at].port, port);
	assert_int_equal(b->sent[at].how, how);
	assert_int_equal(b->sent[at].tag, tag);
	assert_int_equal(b->sent[at].bytes, FRAME_BYTES);
}

static struct vswitch_counts counts_of(const struct bench *b)
{
	struct vswitch_counts counts;

	vswitch_counts(b->sw, &counts);
	return counts;
}

/* Addresses 1 at port 0 and 2 at port 1; port 2 is up, too */
static void two_hosts(struct bench *b)
{
	up(b, 3);
	put(b, 0, 1, EVERYBODY, 0);
	put(b, 1, 2, EVERYBODY, 0);
	b->now += 100;
}

/* ---- Learning ---- */

static void unknown_is_flooded(void **state)
{
	struct bench *b = *state;

	up(b, 4);
	vswitch_port_down(b->sw, 2);
	put(b, 1, 1, 99, 7);
	assert_int_equal(b->count, 2);
	check_sent(b, 0, 0, VSWITCH_FLOODED, 7);
	check_sent(b, 1, 3, VSWITCH_FLOODED, 7);
	assert_int_equal(counts_of(b).kept, 0);
}

static void learned_is_directed(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 0, 1, 2, 7);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 1, VSWITCH_DIRECTED, 7);
	put(b, 1, 2, 1, 8);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 0, VSWITCH_DIRECTED, 8);
	assert_int_equal(b->moves, 0);
	assert_int_equal(counts_of(b).macs, 2);
}

static void same_port_is_silent(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 0, 3, EVERYBODY, 0);
	put(b, 0, 3, 1, 7);
	assert_int_equal(b->count, 0);
	assert_int_equal(counts_of(b).kept, 0);
}

static void groups_are_flooded(void **state)
{
	uint8_t frame[FRAME_BYTES] = { 0x01, 0x00, 0x5e, 0, 0, 1 };
	struct bench *b = *state;

	two_hosts(b);
	b->count = 0;
	make_mac(frame + VSWITCH_MAC_BYTES, 1);
	assert_int_equal(vswitch_frame(b->sw, 0, frame, sizeof(frame), b->now), 0);
	assert_int_equal(b->count, 2);
	assert_int_equal(b->sent[0].how, VSWITCH_FLOODED);
	assert_int_equal(counts_of(b).kept, 0);
}

static void nobody_is_refused(void **state)
{
	uint8_t frame[FRAME_BYTES] = { 0x52, 0x54, 0, 0, 0, 1 };
	struct bench *b = *state;

	up(b, 2);
	/* Zero, a group, everybody */
	assert_int_equal(vswitch_frame(b->sw, 0, frame, sizeof(frame), b->now), -EINVAL);
	frame[VSWITCH_MAC_BYTES] = 0x33;
	assert_int_equal(vswitch_frame(b->sw, 0, frame, sizeof(frame), b->now), -EINVAL);
	memset(frame + VSWITCH_MAC_BYTES, 0xff, VSWITCH_MAC_BYTES);
	assert_int_equal(vswitch_frame(b->sw, 0, frame, sizeof(frame), b->now), -EINVAL);
	assert_int_equal(b->count, 0);
	assert_int_equal(counts_of(b).macs, 0);
}

static void short_is_refused(void **state)
{
	struct bench *b = *state;

	up(b, 2);
	assert_int_equal(put_bytes(b, 0, 1, 2, 0, 0), -EINVAL);
	assert_int_equal(put_bytes(b, 0, 1, 2, 0, VSWITCH_MIN_FRAME - 1), -EINVAL);
	assert_int_equal(b->count, 0);
	assert_int_equal(put_bytes(b, 0, 1, 2, 0, VSWITCH_MIN_FRAME), 0);
	assert_int_equal(b->count, 1);
	assert_int_equal(b->sent[0].bytes, VSWITCH_MIN_FRAME);
}

/* ---- Moving ---- */

static void replayed_in_order(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	for (uint32_t tag = 1; tag <= 3; tag++) {
		put(b, 1, 2, 1, tag);
		check_sent(b, 0, 0, VSWITCH_DIRECTED, tag);
	}
	assert_int_equal(counts_of(b).kept, 3);
	put(b, 2, 1, EVERYBODY, 9);
	assert_int_equal(b->count, 5);
	for (uint32_t tag = 1; tag <= 3; tag++)
		check_sent(b, tag - 1, 2, VSWITCH_REPLAYED, tag);
	check_sent(b, 3, 0, VSWITCH_FLOODED, 9);
	check_sent(b, 4, 1, VSWITCH_FLOODED, 9);
	assert_int_equal(b->moves, 1);
	assert_int_equal(b->from, 0);
	assert_int_equal(b->to, 2);
	assert_int_equal(b->replayed, 3);
	assert_int_equal(b->mac[5], 1);
	assert_int_equal(counts_of(b).kept, 0);
	assert_int_equal(counts_of(b).kept_bytes, 0);
	/* And it is there from now on */
	put(b, 1, 2, 1, 10);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 2, VSWITCH_DIRECTED, 10);
}

static void heard_is_not_replayed(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 1, 2, 1, 1);
	b->now += limits.grace_ns + 1;
	put(b, 1, 2, 1, 2);
	/* It has seen the first one; the second may still be on its way */
	put(b, 0, 1, 2, 3);
	put(b, 1, 2, 1, 4);
	put(b, 2, 1, EVERYBODY, 5);
	check_sent(b, 0, 2, VSWITCH_REPLAYED, 2);
	check_sent(b, 1, 2, VSWITCH_REPLAYED, 4);
	assert_int_equal(b->replayed, 2);
}

static void waits_without_a_port(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 1, 2, 1, 1);
	vswitch_port_down(b->sw, 0);
	put(b, 1, 2, 1, 2);
	/* It may be there already, and silent */
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 2, VSWITCH_FLOODED, 2);
	put(b, 2, 1, 2, 3);
	assert_int_equal(b->count, 3);
	check_sent(b, 0, 2, VSWITCH_REPLAYED, 1);
	check_sent(b, 1, 2, VSWITCH_REPLAYED, 2);
	check_sent(b, 2, 1, VSWITCH_DIRECTED, 3);
	assert_int_equal(b->from, VSWITCH_NO_PORT);
	assert_int_equal(b->to, 2);
}

static void another_one_at_the_port(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	vswitch_port_down(b->sw, 0);
	vswitch_port_up(b->sw, 0);
	put(b, 1, 2, 1, 1);
	/* Whoever connected there need not be who was */
	assert_int_equal(b->count, 2);
	check_sent(b, 0, 0, VSWITCH_FLOODED, 1);
	check_sent(b, 1, 2, VSWITCH_FLOODED, 1);
	put(b, 0, 1, EVERYBODY, 2);
	check_sent(b, 0, 0, VSWITCH_REPLAYED, 1);
	assert_int_equal(b->from, VSWITCH_NO_PORT);
}

/* It is heard elsewhere, that port closes, and it is where it was, without a word */
static void back_without_a_word(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 2, 1, EVERYBODY, 0);
	put(b, 1, 2, 1, 1);
	check_sent(b, 0, 2, VSWITCH_DIRECTED, 1);
	vswitch_port_down(b->sw, 2);
	put(b, 1, 2, 1, 2);
	check_sent(b, 0, 0, VSWITCH_FLOODED, 2);
	put(b, 0, 1, 2, 3);
	check_sent(b, 0, 0, VSWITCH_REPLAYED, 1);
	check_sent(b, 1, 0, VSWITCH_REPLAYED, 2);
	check_sent(b, 2, 1, VSWITCH_DIRECTED, 3);
}

static void only_the_one_that_moved(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 0, 3, EVERYBODY, 0);
	b->now += 100;
	put(b, 1, 2, 1, 1);
	put(b, 1, 2, 3, 2);
	put(b, 2, 3, EVERYBODY, 3);
	assert_int_equal(b->replayed, 1);
	check_sent(b, 0, 2, VSWITCH_REPLAYED, 2);
	put(b, 1, 2, 1, 4);
	check_sent(b, 0, 0, VSWITCH_DIRECTED, 4);
	assert_int_equal(counts_of(b).kept, 2);
}

static void there_and_back(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	for (unsigned int i = 0; i < 100; i++) {
		put(b, 1, 2, 1, i);
		b->now += 2;
		put(b, i & 1 ? 0 : 2, 1, EVERYBODY, 100);
		assert_int_equal(b->replayed, 1);
		check_sent(b, 0, i & 1 ? 0 : 2, VSWITCH_REPLAYED, i);
	}
	assert_int_equal(b->moves, 100);
}

/* ---- Bounds ---- */

static void old_frames_expire(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 1, 2, 1, 1);
	b->now += limits.keep_ns;
	put(b, 1, 2, 1, 2);
	assert_int_equal(counts_of(b).kept, 2);
	b->now += 1;
	vswitch_age(b->sw, b->now);
	assert_int_equal(counts_of(b).kept, 1);
	assert_int_equal(counts_of(b).expired, 1);
	b->now += limits.keep_ns;
	put(b, 2, 1, EVERYBODY, 3);
	assert_int_equal(b->replayed, 0);
	assert_int_equal(b->count, 2);
	assert_int_equal(counts_of(b).expired, 2);
}

static void first_ones_are_kept(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	for (uint32_t tag = 1; tag <= limits.frames + 3; tag++)
		put(b, 1, 2, 1, tag);
	assert_int_equal(counts_of(b).kept, limits.frames);
	assert_int_equal(counts_of(b).not_kept, 3);
	put(b, 2, 1, EVERYBODY, 99);
	assert_int_equal(b->replayed, limits.frames);
	for (uint32_t tag = 1; tag <= limits.frames; tag++)
		check_sent(b, tag - 1, 2, VSWITCH_REPLAYED, tag);
}

static void arrived_ones_give_way(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	for (uint32_t tag = 1; tag <= limits.frames; tag++)
		put(b, 1, 2, 1, tag);
	/* Within the grace: all are still kept */
	b->now += 1;
	put(b, 0, 1, 2, 50);
	b->now += 1;
	assert_int_equal(counts_of(b).kept, limits.frames + 1);
	put(b, 1, 2, 1, 98);
	put(b, 1, 2, 1, 99);
	assert_int_equal(counts_of(b).not_kept, 0);
	put(b, 2, 1, EVERYBODY, 0);
	assert_int_equal(b->replayed, limits.frames);
	check_sent(b, 0, 2, VSWITCH_REPLAYED, 3);
	check_sent(b, limits.frames - 2, 2, VSWITCH_REPLAYED, 98);
	check_sent(b, limits.frames - 1, 2, VSWITCH_REPLAYED, 99);
}

static void bytes_of_one_are_bounded(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	/* Two would fit what there is for all */
	assert_int_equal(put_bytes(b, 1, 2, 1, 1, 2500), 0);
	assert_int_equal(put_bytes(b, 1, 2, 1, 2, 2500), 0);
	assert_int_equal(counts_of(b).kept, 1);
	assert_int_equal(counts_of(b).not_kept, 1);
	/* A small one still fits; one that never can does no harm */
	put(b, 1, 2, 1, 3);
	assert_int_equal(put_bytes(b, 1, 2, 1, 4, 69632), 0);
	assert_int_equal(b->sent[b->count - 1].bytes, 69632);
	assert_int_equal(counts_of(b).kept, 2);
	assert_true(counts_of(b).kept_bytes <= limits.mac_bytes);
}

static void bytes_of_all_are_bounded(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 0, 3, EVERYBODY, 0);
	b->now += 100;
	assert_int_equal(put_bytes(b, 1, 2, 1, 1, 3500), 0);
	assert_int_equal(put_bytes(b, 1, 2, 3, 2, 3500), 0);
	assert_int_equal(counts_of(b).kept, 1);
	assert_int_equal(counts_of(b).not_kept, 1);
	assert_true(counts_of(b).kept_bytes <= limits.bytes);
	/* There is room again when those are too old */
	b->now += limits.keep_ns + 1;
	assert_int_equal(put_bytes(b, 1, 2, 3, 3, 3500), 0);
	assert_int_equal(counts_of(b).kept, 1);
	assert_int_equal(counts_of(b).expired, 1);
}

static void a_port_forgets_only_its_own(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 1, 2, 1, 7);
	for (uint32_t number = 100; number < 200; number++)
		put(b, 2, number, EVERYBODY, 0);
	assert_int_equal(counts_of(b).macs, 2 + limits.macs);
	put(b, 1, 2, 1, 1);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 0, VSWITCH_DIRECTED, 1);
	/* Of its own the last ones are known */
	put(b, 0, 1, 199, 2);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 2, VSWITCH_DIRECTED, 2);
	put(b, 0, 1, 200 - limits.macs, 3);
	assert_int_equal(b->count, 1);
	put(b, 0, 1, 199 - limits.macs, 4);
	assert_int_equal(b->count, 2);
	assert_int_equal(b->sent[0].how, VSWITCH_FLOODED);
}

static void who_is_heard_stays(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	for (uint32_t number = 100; number < 200; number++) {
		put(b, 2, number, EVERYBODY, 0);
		put(b, 2, 7, EVERYBODY, 0);
	}
	put(b, 0, 1, 7, 1);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 2, VSWITCH_DIRECTED, 1);
}

static void those_without_a_port_are_bounded(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	for (uint32_t number = 100; number < 200; number++) {
		put(b, 2, number, EVERYBODY, 0);
		vswitch_port_down(b->sw, 2);
		vswitch_port_up(b->sw, 2);
	}
	assert_int_equal(counts_of(b).macs, 2 + limits.macs);
	/* For the last ones frames are kept, for the others not */
	put(b, 0, 1, 199, 1);
	assert_int_equal(counts_of(b).kept, 1);
	put(b, 0, 1, 100, 1);
	assert_int_equal(counts_of(b).kept, 1);
	assert_int_equal(b->count, 2);
}

static void silent_ones_are_forgotten(void **state)
{
	struct bench *b = *state;

	two_hosts(b);
	put(b, 1, 2, 1, 1);
	b->now += limits.age_ns - 100;
	vswitch_age(b->sw, b->now);
	assert_int_equal(counts_of(b).macs, 2);
	b->now += 1;
	put(b, 1, 2, 1, 2);
	check_sent(b, 0, 0, VSWITCH_DIRECTED, 2);
	vswitch_port_down(b->sw, 0);
	b->now += 100;
	vswitch_age(b->sw, b->now);
	assert_int_equal(counts_of(b).macs, 1);
	assert_int_equal(counts_of(b).kept, 0);
	assert_int_equal(counts_of(b).kept_bytes, 0);
	put(b, 1, 2, 1, 3);
	assert_int_equal(b->count, 1);
	check_sent(b, 0, 2, VSWITCH_FLOODED, 3);
}

/* Anything, for a long time: the bounds hold, and nothing goes where it must not */
static void anything(void **state)
{
	struct bench *b = *state;
	bool there[8] = { false };

	srandom(5);
	for (int i = 0; i < 200000; i++) {
		unsigned int port = (unsigned int)random() % ARRAY_SIZE(there);
		struct vswitch_counts counts;

		b->now += (uint64_t)random() % 20;
		if (!there[port]) {
			vswitch_port_up(b->sw, port);
			there[port] = true;
		} else if (!(random() % 50)) {
			vswitch_port_down(b->sw, port);
			there[port] = false;
		} else {
			uint32_t to = (uint32_t)random() % 60;

			b->count = 0;
			put_bytes(b, port, (uint32_t)random() % 60, to ? to : EVERYBODY,
				  (uint32_t)i, 10 + (size_t)random() % 1500);
			for (unsigned int k = 0; k < b->count; k++) {
				assert_true(b->sent[k].port < ARRAY_SIZE(there));
				assert_true(there[b->sent[k].port]);
				assert_true(b->sent[k].how == VSWITCH_REPLAYED ||
					    b->sent[k].port != port);
			}
		}
		if (!(random() % 1000))
			vswitch_age(b->sw, b->now);
		counts = counts_of(b);
		assert_true(counts.kept_bytes <= limits.bytes);
		assert_true(counts.macs <= limits.macs * (ARRAY_SIZE(there) + 1));
		assert_true(counts.kept || !counts.kept_bytes);
	}
	assert_true(b->moves > 1000);
	assert_true(counts_of(b).not_kept > 100);
}

static void defaults_can_hold(void **state)
{
	const struct vswitch_limits *d = &vswitch_default_limits;

	(void)state;
	assert_true(d->mac_bytes <= d->bytes);
	assert_true(d->grace_ns < d->keep_ns && d->keep_ns < d->age_ns);
	/* A TCP sender's window of full frames */
	assert_true((size_t)d->frames * 1600 <= d->mac_bytes);
	assert_null(vswitch_free(NULL));
}

#define TEST(function)	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_is_flooded),
		TEST(learned_is_directed),
		TEST(same_port_is_silent),
		TEST(groups_are_flooded),
		TEST(nobody_is_refused),
		TEST(short_is_refused),
		TEST(replayed_in_order),
		TEST(heard_is_not_replayed),
		TEST(waits_without_a_port),
		TEST(another_one_at_the_port),
		TEST(back_without_a_word),
		TEST(only_the_one_that_moved),
		TEST(there_and_back),
		TEST(old_frames_expire),
		TEST(first_ones_are_kept),
		TEST(arrived_ones_give_way),
		TEST(bytes_of_one_are_bounded),
		TEST(bytes_of_all_are_bounded),
		TEST(a_port_forgets_only_its_own),
		TEST(who_is_heard_stays),
		TEST(those_without_a_port_are_bounded),
		TEST(silent_ones_are_forgotten),
		TEST(anything),
		TEST(defaults_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
