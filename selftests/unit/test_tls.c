// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TLS between two ends in memory, and what the kernel is given of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/util.h"
#include "mspd/handshake.h"
#include "mspd/ktls.h"
#include "mspd/mover.h"
#include "mspd/record.h"
#include "mspd/tls.h"

#define SUITES	"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
#define MIB	(1u << 20)

struct end {
	char directory[32];
	struct identity *identity;
	struct buffer in;
	struct buffer out;
	struct handshake *handshake;
	struct tls *tls;
};

struct pair {
	struct end source;
	struct end target;
};

/* keygen() prints the identity: not into the results */
static void make_key(const char *directory)
{
	struct config config = {
		.tls_dir = (char *)directory, .name = (char *)"test", .days = 1,
	};
	int out = dup(STDOUT_FILENO);
	int null = open("/dev/null", O_WRONLY);

	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	assert_int_equal(keygen(&config), 0);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(null);
}

static void load(struct end *end)
{
	const struct identity_params params = {
		.directory = end->directory, .ciphersuites = SUITES,
	};
	char error[IDENTITY_ERROR_BYTES] = "";

	identity_put(end->identity);
	end->identity = NULL;
	if (identity_load(&params, &end->identity, error))
		fail_msg("%s", error);
}

static void write_peer(const struct end *end, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/peers", end->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%s # the other\n", name);
	fclose(file);
}

static void begin_end(struct end *end, bool server)
{
	handshake_free(end->handshake);
	end->handshake = handshake_new(end->identity, server, &end->in, &end->out);
	assert_non_null(end->handshake);
}

static void begin(struct pair *p)
{
	begin_end(&p->source, false);
	begin_end(&p->target, true);
}

static void begin_records(struct end *end)
{
	end->tls = tls_new(handshake_agreement(end->handshake), &end->in, &end->out);
	assert_non_null(end->tls);
}

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->source.directory, "/tmp/tls-s.XXXXXX");
	strcpy(p->target.directory, "/tmp/tls-t.XXXXXX");
	assert_non_null(mkdtemp(p->source.directory));
	assert_non_null(mkdtemp(p->target.directory));
	assert_false(buffer_init(&p->source.in) || buffer_init(&p->source.out) ||
		     buffer_init(&p->target.in) || buffer_init(&p->target.out));
	make_key(p->source.directory);
	make_key(p->target.directory);
	load(&p->source);
	load(&p->target);
	write_peer(&p->source, p->target.identity->name);
	write_peer(&p->target, p->source.identity->name);
	load(&p->source);
	load(&p->target);
	begin(p);
	*state = p;
	return 0;
}

static void remove_files(const char *directory)
{
	static const char *const files[] = { "key.pem", "cert.pem", "peers" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
}

static void release(struct end *end)
{
	handshake_free(end->handshake);
	tls_free(end->tls);
	buffer_exit(&end->in);
	buffer_exit(&end->out);
	identity_put(end->identity);
	remove_files(end->directory);
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	release(&p->source);
	release(&p->target);
	free(p);
	return 0;
}

/* Carry what one end has for the other, at most @most bytes; returns how many */
static size_t carry(struct end *from, struct end *to, size_t most)
{
	size_t bytes = min(buffer_used(&from->out), min(buffer_room(&to->in), most));

	memcpy(to->in.data + to->in.tail, from->out.data + from->out.head, bytes);
	to->in.tail += bytes;
	buffer_drop(&from->out, bytes);
	return bytes;
}

/* No end is given more than it wants, as conn.c does it */
static int shake(struct pair *p, int *target_result)
{
	int source = -EAGAIN, target = -EAGAIN;
	size_t moved;

	do {
		if (source == -EAGAIN)
			source = handshake_step(p->source.handshake);
		moved = carry(&p->source, &p->target, handshake_wanted(p->target.handshake));
		if (target == -EAGAIN)
			target = handshake_step(p->target.handshake);
		moved += carry(&p->target, &p->source, handshake_wanted(p->source.handshake));
	} while (moved);
	*target_result = target;
	return source;
}

static void secure(struct pair *p)
{
	int target;

	assert_int_equal(shake(p, &target), 0);
	assert_int_equal(target, 0);
	assert_int_equal(buffer_used(&p->source.in), 0);
	assert_int_equal(buffer_used(&p->target.in), 0);
	begin_records(&p->source);
	begin_records(&p->target);
}

static void test_peers_know_each_other(void **state)
{
	struct pair *p = *state;

	secure(p);
	assert_string_equal(handshake_peer(p->source.handshake), p->target.identity->name);
	assert_string_equal(handshake_peer(p->target.handshake), p->source.identity->name);
	assert_true(identity_is_name(handshake_peer(p->source.handshake)));
}

static void test_stranger_is_refused(void **state)
{
	struct pair *p = *state;
	int target;

	write_peer(&p->target, p->target.identity->name);
	load(&p->target);
	begin(p);
	/* The client has ended its part before the server has seen its certificate */
	assert_int_equal(shake(p, &target), 0);
	assert_int_equal(target, -EPROTO);
	assert_non_null(strstr(handshake_error(p->target.handshake),
			       "certificate of the peer"));
	begin_records(&p->source);
	assert_int_equal(tls_read(p->source.tls, &(struct iovec){ (char[8]){ 0 }, 8 }, 1),
			 -EPROTO);
	assert_non_null(strstr(tls_error(p->source.tls), "the peer refuses"));
}

static uint8_t byte_at(size_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

/* Cut @bytes into segments of sizes that follow each other in @sizes */
static unsigned int cut(uint8_t *data, size_t bytes, const size_t *sizes, size_t count,
			struct iovec *iov, unsigned int most)
{
	unsigned int n = 0;
	size_t step;

	for (size_t at = 0; at < bytes && n < most; at += step, n++) {
		step = min(sizes[n % count], bytes - at);
		iov[n] = (struct iovec) { data + at, step };
	}
	return n;
}

/* Drop what was taken from a list */
static void advance(struct iovec **iov, unsigned int *count, size_t bytes)
{
	while (*count && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
}

/* Everything arrives, in order, whatever the segments and pieces are */
static void send_through(struct pair *p, size_t bytes, const size_t *out_sizes,
			 size_t nout, const size_t *in_sizes, size_t nin, size_t piece)
{
	uint8_t *out = malloc(bytes), *in = calloc(1, bytes);
	struct iovec *out_iov = calloc(bytes, sizeof(*out_iov));
	struct iovec *in_iov = calloc(bytes, sizeof(*in_iov));
	struct iovec *send = out_iov, *receive = in_iov;
	unsigned int left_out, left_in;
	size_t got = 0;
	ssize_t ret;

	for (size_t i = 0; i < bytes; i++)
		out[i] = byte_at(i);
	left_out = cut(out, bytes, out_sizes, nout, out_iov, (unsigned int)bytes);
	left_in = cut(in, bytes, in_sizes, nin, in_iov, (unsigned int)bytes);
	while (got < bytes) {
		ret = tls_write(p->source.tls, send, left_out);
		assert_true(ret >= 0);
		advance(&send, &left_out, (size_t)ret);
		carry(&p->source, &p->target, piece);
		ret = tls_read(p->target.tls, receive, left_in);
		assert_true(ret > 0 || ret == -EAGAIN);
		if (ret < 0)
			continue;
		advance(&receive, &left_in, (size_t)ret);
		got += (size_t)ret;
	}
	assert_int_equal(left_out, 0);
	assert_memory_equal(out, in, bytes);
	free(out);
	free(in);
	free(out_iov);
	free(in_iov);
}

static void test_bytes_arrive(void **state)
{
	static const size_t frames[] = { 24, 16384 };
	static const size_t pages[] = { 24, 4096, 4096, 4096, 4096, 4096 };
	static const size_t odd[] = { 1, 17, 16383, 3, 16385, 40000 };
	static const size_t large[] = { 1 << 20 };
	static const size_t buffers[] = { 65528, 24 };
	struct pair *p = *state;

	secure(p);
	send_through(p, 3 * MIB, frames, ARRAY_SIZE(frames), large, 1, SIZE_MAX);
	send_through(p, 3 * MIB, pages, ARRAY_SIZE(pages), buffers, ARRAY_SIZE(buffers), 100003);
	send_through(p, MIB, odd, ARRAY_SIZE(odd), odd, ARRAY_SIZE(odd), 977);
	send_through(p, 2 * MIB, large, 1, pages, ARRAY_SIZE(pages), SIZE_MAX);
}

/* Records are full where segments are short: one header more each 16 KiB */
static void test_short_segments_share_records(void **state)
{
	struct pair *p = *state;
	uint8_t data[64 * 256] = { 0 };
	struct iovec iov[64];

	secure(p);
	for (unsigned int i = 0; i < 64; i++)
		iov[i] = (struct iovec) { data + 256 * i, 256 };
	assert_int_equal(tls_write(p->source.tls, iov, 64), sizeof(data));
	assert_int_equal(buffer_used(&p->source.out), sizeof(data) + RECORD_EXTRA_BYTES);
}

static void test_keys_are_renewed(void **state)
{
	static const size_t large[] = { 1 << 20 };
	struct pair *p = *state;

	secure(p);
	tls_allow_rekey(p->source.tls, 3);
	send_through(p, 2 * MIB, large, 1, large, 1, 5000);
	/* A renewed key's records cannot be read with the first: a peer that missed
	 * the renewal fails
	 */
	tls_allow_rekey(p->source.tls, 1);
	assert_int_equal(tls_write(p->source.tls, &(struct iovec){ (char *)"a", 1 }, 1), 1);
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_write(p->source.tls, &(struct iovec){ (char *)"b", 1 }, 1), 1);
	buffer_drop(&p->source.out, 5 + RECORD_EXTRA_BYTES);	/* KeyUpdate */
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_read(p->target.tls, &(struct iovec){ (char[2]){ 0 }, 1 }, 1), 1);
	assert_int_equal(tls_read(p->target.tls, &(struct iovec){ (char[2]){ 0 }, 1 }, 1),
			 -EPROTO);
}

static void test_damage_is_seen(void **state)
{
	struct pair *p = *state;
	char byte;

	secure(p);
	assert_int_equal(tls_write(p->source.tls, &(struct iovec){ (char *)"page", 4 }, 1), 4);
	p->source.out.data[p->source.out.head + 6] ^= 1;
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_read(p->target.tls, &(struct iovec){ &byte, 1 }, 1), -EPROTO);
	assert_non_null(strstr(tls_error(p->target.tls), "TLS: "));
}

/* Put a record of one byte into the source's output */
static void put_byte(struct pair *p, const char *byte)
{
	assert_int_equal(tls_write(p->source.tls, &(struct iovec){ (char *)byte, 1 }, 1), 1);
}

/* A record that is missing is an error for good, however much came before it */
static void test_missing_record_is_seen(void **state)
{
	const size_t record = 1 + RECORD_EXTRA_BYTES;
	struct pair *p = *state;
	char text[8];
	struct iovec iov = { text, sizeof(text) };

	secure(p);
	put_byte(p, "a");
	put_byte(p, "b");
	put_byte(p, "c");
	carry(&p->source, &p->target, record);
	buffer_drop(&p->source.out, record);
	carry(&p->source, &p->target, record);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), 1);
	assert_int_equal(text[0], 'a');
	assert_int_equal(tls_read(p->target.tls, &iov, 1), -EPROTO);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), -EPROTO);
	put_byte(p, "d");
	carry(&p->source, &p->target, record);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), -EPROTO);
}

/* Nothing is read past an alert */
static void test_alert_after_data(void **state)
{
	uint8_t alert[] = { 2, 80 };		/* internal_error */
	const struct iovec content = { alert, sizeof(alert) };
	struct pair *p = *state;
	struct record_key key;
	char text[8];
	struct iovec iov = { text, sizeof(text) };
	const struct agreement *agreement;

	secure(p);
	agreement = handshake_agreement(p->source.handshake);
	assert_int_equal(record_key_init(&key, agreement->suite, &agreement->send, true), 0);
	put_byte(p, "a");
	key.sequence = 1;
	p->source.out.tail += (size_t)record_seal(&key, RECORD_ALERT, &content, 0,
						  sizeof(alert), p->source.out.data +
						  p->source.out.tail);
	p->source.out.tail += (size_t)record_seal(&key, RECORD_DATA, &content, 0,
						  sizeof(alert), p->source.out.data +
						  p->source.out.tail);
	record_key_exit(&key);
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), 1);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), -EPROTO);
	assert_non_null(strstr(tls_error(p->target.tls), "internal error"));
	assert_int_equal(tls_read(p->target.tls, &iov, 1), -EPROTO);
}

/* An empty record is allowed (RFC 8446, section 5.1), and no end */
static void test_empty_record(void **state)
{
	struct pair *p = *state;
	struct record_key key;
	char text[8];
	struct iovec iov = { text, sizeof(text) };
	const struct agreement *agreement;

	secure(p);
	agreement = handshake_agreement(p->source.handshake);
	assert_int_equal(record_key_init(&key, agreement->suite, &agreement->send, true), 0);
	for (int i = 0; i < 3; i++)
		p->source.out.tail += (size_t)record_seal(&key, RECORD_DATA, &iov, 0, 0,
							  p->source.out.data +
							  p->source.out.tail);
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), -EAGAIN);
	text[0] = 'z';
	p->source.out.tail += (size_t)record_seal(&key, RECORD_DATA, &iov, 0, 1,
						  p->source.out.data + p->source.out.tail);
	record_key_exit(&key);
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_read(p->target.tls, &iov, 1), 1);
	assert_int_equal(text[0], 'z');
}

static void test_end_is_told(void **state)
{
	struct pair *p = *state;
	char text[8] = "";

	secure(p);
	tls_write(p->source.tls, &(struct iovec){ (char *)"last", 4 }, 1);
	tls_end(p->source.tls);
	carry(&p->source, &p->target, SIZE_MAX);
	assert_int_equal(tls_read(p->target.tls, &(struct iovec){ text, 8 }, 1), 4);
	assert_memory_equal(text, "last", 4);
	assert_int_equal(tls_read(p->target.tls, &(struct iovec){ text, 8 }, 1), 0);
}

static void test_check_of_a_certificate(void **state)
{
	struct pair *p = *state;
	char name[IDENTITY_BYTES], error[IDENTITY_ERROR_BYTES];

	assert_int_equal(identity_check(p->source.identity, p->target.identity->pem, name,
					error), 0);
	assert_string_equal(name, p->target.identity->name);
	/* Nobody is his own peer */
	assert_int_equal(identity_check(p->source.identity, p->source.identity->pem, name,
					error), -EACCES);
	assert_int_equal(identity_check(p->source.identity, "", name, error), -EBADMSG);
	assert_int_equal(identity_check(p->source.identity, "-----BEGIN", name, error),
			 -EBADMSG);
}

/* ---- the kernel's part ---- */

/* Both ends have the same secrets, and derive the same keys from them */
static void test_both_ends_have_the_secrets(void **state)
{
	struct pair *p = *state;
	const struct agreement *ours, *theirs;
	struct secret_keys keys[2];

	secure(p);
	ours = handshake_agreement(p->source.handshake);
	theirs = handshake_agreement(p->target.handshake);
	assert_int_equal(ours->suite->number, SUITE_AES_256_GCM);
	assert_ptr_equal(ours->suite, theirs->suite);
	assert_int_equal(ours->send.bytes, 48);
	assert_int_equal(ours->receive.bytes, 48);
	assert_memory_equal(&ours->send, &theirs->receive, sizeof(ours->send));
	assert_memory_equal(&ours->receive, &theirs->send, sizeof(ours->send));
	assert_int_equal(secret_keys(ours->suite, &ours->send, &keys[0]), 0);
	assert_int_equal(secret_keys(ours->suite, &ours->receive, &keys[1]), 0);
	assert_memory_not_equal(keys[0].key, keys[1].key, 32);
	assert_memory_not_equal(keys[0].iv, keys[1].iv, SECRET_IV_BYTES);
}

/* RFC 8448, section 3: the server's traffic keys for application data, and its record */
static const struct secret rfc_secret = { 32, {
	0xa1, 0x1a, 0xf9, 0xf0, 0x55, 0x31, 0xf8, 0x56, 0xad, 0x47, 0x11, 0x6b,
	0x45, 0xa9, 0x50, 0x32, 0x82, 0x04, 0xb4, 0xf4, 0x4b, 0xfb, 0x6b, 0x3a,
	0x4b, 0x4f, 0x1f, 0x3f, 0xcb, 0x63, 0x16, 0x43 } };

static void test_keys_are_those_of_the_rfc(void **state)
{
	static const uint8_t key[] = {
		0x9f, 0x02, 0x28, 0x3b, 0x6c, 0x9c, 0x07, 0xef,
		0xc2, 0x6b, 0xb9, 0xf2, 0xac, 0x92, 0xe3, 0x56 };
	static const uint8_t iv[] = {
		0xcf, 0x78, 0x2b, 0x88, 0xdd, 0x83, 0x54, 0x9a, 0xad, 0xf1, 0xe9, 0x84 };
	const struct suite *suite = suite_find(SUITE_AES_128_GCM);
	const struct secret none = { };
	struct secret_keys keys;

	(void)state;
	assert_non_null(suite);
	assert_null(suite_find(0x1304));
	assert_int_equal(suite->key_bytes, sizeof(key));
	assert_int_equal(secret_keys(suite, &rfc_secret, &keys), 0);
	assert_memory_equal(keys.key, key, sizeof(key));
	assert_memory_equal(keys.iv, iv, sizeof(iv));
	assert_int_equal(secret_keys(suite, &none, &keys), -EINVAL);
}

/* A pair of keys for one direction */
static void make_keys(uint16_t number, struct record_key *seal, struct record_key *open)
{
	const struct suite *suite = suite_find(number);

	assert_int_equal(record_key_init(seal, suite, &rfc_secret, true), 0);
	assert_int_equal(record_key_init(open, suite, &rfc_secret, false), 0);
}

static const uint16_t numbers[] = {
	SUITE_AES_128_GCM, SUITE_AES_256_GCM, SUITE_CHACHA20_POLY1305
};

/* Every suite; where there is no room for all, the rest is in the spill */
static void test_records_of_every_suite(void **state)
{
	uint8_t record[RECORD_MAX_BYTES], spill[RECORD_MAX_BYTES];
	uint8_t in[1000], out[3][400];
	const struct iovec from[] = { { in, 24 }, { in + 24, 0 }, { in + 24, 976 } };
	const struct iovec to[] = { { out[0], 400 }, { out[1], 400 } };
	uint8_t type;
	ssize_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = byte_at(i);
	for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
		struct record_key seal, open;

		make_keys(numbers[n], &seal, &open);
		for (int again = 0; again < 3; again++) {
			bytes = record_seal(&seal, RECORD_DATA, from, 0, sizeof(in), record);
			assert_int_equal(bytes, sizeof(in) + RECORD_EXTRA_BYTES);
			assert_int_equal(record_whole(record, (size_t)bytes), bytes);
			assert_int_equal(record_whole(record, (size_t)bytes - 1), 0);
			assert_int_equal(record_open(&open, record, (size_t)bytes, to, 2, 100,
						     spill, &type), sizeof(in));
			assert_int_equal(type, RECORD_DATA);
			assert_memory_equal(out[0] + 100, in, 300);
			assert_memory_equal(out[1], in + 300, 400);
			assert_memory_equal(spill, in + 700, 300);
			record_key_renew(&seal);
			record_key_renew(&open);
		}
		record_key_exit(&seal);
		record_key_exit(&open);
	}
}

/* Padding (RFC 8446, section 5.4): zeros after the type */
static void test_padded_records(void **state)
{
	static const uint8_t content[] = {
		'p', 'a', 'g', 'e', RECORD_DATA, 0, 0, 0, 'x', RECORD_ALERT, 0, 0 };
	uint8_t record[RECORD_MAX_BYTES], spill[RECORD_MAX_BYTES], out[2];
	const struct iovec data = { (void *)content, 8 };
	const struct iovec alert = { (void *)(content + 8), 4 };
	const struct iovec nothing = { (void *)(content + 5), 3 };
	const struct iovec to = { out, 2 };
	struct record_key seal, open;
	ssize_t bytes;
	uint8_t type;

	(void)state;
	make_keys(SUITE_AES_128_GCM, &seal, &open);
	bytes = record_seal(&seal, 0, &data, 0, 8, record);
	assert_int_equal(record_open(&open, record, (size_t)bytes, &to, 1, 0, spill, &type), 4);
	assert_int_equal(type, RECORD_DATA);
	assert_memory_equal(out, "pa", 2);
	assert_memory_equal(spill, "ge", 2);
	bytes = record_seal(&seal, 0, &alert, 0, 4, record);
	assert_int_equal(record_open(&open, record, (size_t)bytes, &to, 1, 0, spill, &type), 1);
	assert_int_equal(type, RECORD_ALERT);
	assert_int_equal(spill[0], 'x');
	/* Nothing but padding */
	bytes = record_seal(&seal, 0, &nothing, 0, 3, record);
	assert_int_equal(record_open(&open, record, (size_t)bytes, &to, 1, 0, spill, &type),
			 -EPROTO);
	record_key_exit(&seal);
	record_key_exit(&open);
}

static void test_what_is_no_record(void **state)
{
	static const struct {
		uint8_t header[RECORD_HEADER_BYTES];
		int expected;
	} cases[] = {
		{ { 23, 3, 3, 0, 17 }, 0 },
		{ { 23, 3, 3, 0, 16 }, -EPROTO },
		{ { 23, 3, 3, 0x40, 0x11 }, 0 },	/* 16384 + 1 + 16 */
		{ { 23, 3, 3, 0x40, 0x12 }, -EPROTO },
		{ { 23, 3, 1, 0, 17 }, -EPROTO },
		{ { 23, 2, 3, 0, 17 }, -EPROTO },
		{ { 20, 3, 3, 0, 17 }, -EPROTO },
		{ { 21, 3, 3, 0, 17 }, -EPROTO },
		{ { 1, 0, 0, 0, 0 }, -EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(record_whole(cases[i].header, 5), cases[i].expected);
		assert_int_equal(record_whole(cases[i].header, 4), 0);
	}
}

/* Every bit of a record is protected; and none is taken twice, or out of turn */
static void test_changed_records(void **state)
{
	uint8_t record[64], spill[RECORD_MAX_BYTES], out[8];
	const struct iovec from = { (char *)"contents", 8 };
	const struct iovec to = { out, 8 };
	struct record_key seal, open;
	ssize_t bytes;
	uint8_t type;

	(void)state;
	for (size_t at = 0; at < 8 + RECORD_EXTRA_BYTES; at++) {
		make_keys(SUITE_AES_256_GCM, &seal, &open);
		bytes = record_seal(&seal, RECORD_DATA, &from, 0, 8, record);
		record[at] ^= (uint8_t)(1 << at % 8);
		assert_int_equal(record_open(&open, record, (size_t)bytes, &to, 1, 0, spill,
					     &type), -EBADMSG);
		record_key_exit(&seal);
		record_key_exit(&open);
	}
	make_keys(SUITE_AES_256_GCM, &seal, &open);
	bytes = record_seal(&seal, RECORD_DATA, &from, 0, 8, record);
	assert_int_equal(record_open(&open, record, (size_t)bytes, &to, 1, 0, spill, &type), 8);
	assert_int_equal(record_open(&open, record, (size_t)bytes, &to, 1, 0, spill, &type),
			 -EBADMSG);
	record_key_exit(&seal);
	record_key_exit(&open);
}

/* What a receive on a socket of the kernel's brings besides data */
static void test_alerts_of_the_kernel(void **state)
{
	static const struct {
		int type;
		uint8_t body[2];
		int bytes;
		int expected;
	} cases[] = {
		{ 23, { 1, 2 }, 2, 2 },
		{ 21, { 1, 0 }, 2, 0 },			/* close_notify */
		{ 21, { 2, 45 }, 2, -EPROTO },
		{ 21, { 2, 45 }, 1, -EPROTO },
		{ 22, { 24, 0 }, 2, -EPROTO },		/* KeyUpdate */
	};
	_Alignas(struct cmsghdr) char control[KTLS_CONTROL_BYTES];
	char why[TLS_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct iovec iov = { (void *)cases[i].body, 2 };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = control, .msg_controllen = sizeof(control),
		};
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		cmsg->cmsg_level = 282;			/* SOL_TLS */
		cmsg->cmsg_type = 2;			/* TLS_GET_RECORD_TYPE */
		cmsg->cmsg_len = CMSG_LEN(1);
		*CMSG_DATA(cmsg) = (unsigned char)cases[i].type;
		*why = '\0';
		assert_int_equal(ktls_check(&msg, cases[i].bytes, why), cases[i].expected);
		assert_int_equal(!*why, cases[i].expected >= 0);
	}
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(test_peers_know_each_other),
		WITH_PAIR(test_stranger_is_refused),
		WITH_PAIR(test_bytes_arrive),
		WITH_PAIR(test_short_segments_share_records),
		WITH_PAIR(test_keys_are_renewed),
		WITH_PAIR(test_damage_is_seen),
		WITH_PAIR(test_missing_record_is_seen),
		WITH_PAIR(test_alert_after_data),
		WITH_PAIR(test_empty_record),
		WITH_PAIR(test_end_is_told),
		WITH_PAIR(test_check_of_a_certificate),
		WITH_PAIR(test_both_ends_have_the_secrets),
		cmocka_unit_test(test_keys_are_those_of_the_rfc),
		cmocka_unit_test(test_records_of_every_suite),
		cmocka_unit_test(test_padded_records),
		cmocka_unit_test(test_what_is_no_record),
		cmocka_unit_test(test_changed_records),
		cmocka_unit_test(test_alerts_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
