// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What arrives on a connection behind the handshake: records cut anywhere,
 * changed, renewed keys, ends, and bytes that are no records; taken out into
 * segments of any size.
 */
#include <errno.h>
#include "common/util.h"
#include "fuzz.h"
#include "mspd/record.h"
#include "mspd/tls.h"

#define SEGMENTS	4
#define SEGMENT_BYTES	40000

/* One direction, from source to target; and what has become of it */
static struct {
	struct buffer out;
	struct buffer in;
	struct buffer unused;
	struct tls *source;
	struct tls *target;
	uint64_t put;		/* bytes that were given to the source */
	uint64_t got;		/* bytes that came out of the target */
	bool changed;		/* what is on its way is no longer what was sent */
	bool ended;
	bool failed;
} pair;

static uint8_t memory[SEGMENTS][SEGMENT_BYTES];

static size_t carry(size_t most, uint8_t change, size_t at)
{
	size_t bytes = min(buffer_used(&pair.out), min(buffer_room(&pair.in), most));
	uint8_t *space = pair.in.data + pair.in.tail;

	memcpy(space, pair.out.data + pair.out.head, bytes);
	if (change && bytes) {
		space[at % bytes] ^= change;
		pair.changed = true;
	}
	pair.in.tail += bytes;
	buffer_drop(&pair.out, bytes);
	return bytes;
}

static void begin(uint16_t number)
{
	const struct agreement agreement = {
		.suite = suite_find(number),
		.send = { 32, { 1 } },
		.receive = { 32, { 1 } },
	};

	pair.out.head = pair.out.tail = pair.in.head = pair.in.tail = 0;
	pair.source = tls_new(&agreement, &pair.unused, &pair.out);
	pair.target = tls_new(&agreement, &pair.in, &pair.unused);
	fuzz_check(pair.source && pair.target);
	pair.put = 0;
	pair.got = 0;
	pair.changed = false;
	pair.ended = false;
	pair.failed = false;
}

static void end(void)
{
	tls_free(pair.source);
	tls_free(pair.target);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return buffer_init(&pair.out) || buffer_init(&pair.in) || buffer_init(&pair.unused);
}

static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at ^ at >> 8 ^ at >> 17);
}

static unsigned int segments(struct fuzz_input *in, struct iovec iov[SEGMENTS])
{
	unsigned int count = fuzz_u8(in) % SEGMENTS + 1;

	for (unsigned int i = 0; i < count; i++)
		iov[i] = (struct iovec) { memory[i], fuzz_u16(in) % SEGMENT_BYTES };
	return count;
}

static void put(struct fuzz_input *in)
{
	struct iovec iov[SEGMENTS];
	unsigned int count = segments(in, iov);
	uint64_t at = pair.put;
	ssize_t taken;

	if (pair.ended)
		return;
	for (unsigned int i = 0; i < count; i++) {
		for (size_t j = 0; j < iov[i].iov_len; j++)
			memory[i][j] = byte_at(at++);
	}
	taken = tls_write(pair.source, iov, count);
	fuzz_check(taken >= 0 && (uint64_t)taken <= at - pair.put);
	pair.put += (uint64_t)taken;
}

/* What comes out is what was put in, in order, or an error if it was changed */
static void get(struct fuzz_input *in)
{
	struct iovec iov[SEGMENTS];
	unsigned int count = segments(in, iov);
	size_t room = 0, left;
	ssize_t got;

	for (unsigned int i = 0; i < count; i++)
		room += iov[i].iov_len;
	got = tls_read(pair.target, iov, count);
	if (got == -EPROTO) {
		fuzz_check(pair.changed && *tls_error(pair.target));
		pair.failed = true;
		return;
	}
	fuzz_check(got != 0 || pair.ended || !room);
	if (got <= 0)
		return;
	fuzz_check((size_t)got <= room);
	left = (size_t)got;
	for (unsigned int i = 0; left; i++) {
		for (size_t j = 0; j < iov[i].iov_len && left; j++, left--)
			fuzz_check(memory[i][j] == byte_at(pair.got++));
	}
	fuzz_check(pair.got <= pair.put);
}

static void foreign(struct fuzz_input *in)
{
	const uint8_t *data;
	size_t bytes = fuzz_bytes(in, min((size_t)fuzz_u8(in), buffer_room(&pair.in)), &data);

	if (!bytes)
		return;
	memcpy(pair.in.data + pair.in.tail, data, bytes);
	pair.in.tail += bytes;
	pair.changed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	begin(SUITE_AES_128_GCM + fuzz_u8(&in) % 3);
	while (in.left && !pair.failed) {
		switch (fuzz_u8(&in) % 8) {
		case 0:
		case 1:
			put(&in);
			break;
		case 2:
			carry(fuzz_u32(&in), 0, 0);
			break;
		case 3:
			carry(fuzz_u16(&in), fuzz_u8(&in), fuzz_u16(&in));
			break;
		case 4:
		case 5:
			get(&in);
			break;
		case 6:
			tls_allow_rekey(pair.source, fuzz_u8(&in) & 1);
			break;
		case 7:
			if (fuzz_u8(&in) & 1) {
				tls_end(pair.source);
				pair.ended = true;
			} else {
				foreign(&in);
			}
			break;
		}
	}
	end();
	return 0;
}
