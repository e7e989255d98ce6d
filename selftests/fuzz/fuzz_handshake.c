// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handshakes of TLS with bytes changed, left out and made up on their way, with peers
 * that are trusted and ones that are not; and behind them records of a peer that has
 * the key and puts into them what it likes.
 *
 * What has to hold: a handshake ends well only with a peer that is trusted, under its
 * own name, and with the same secrets on both sides; what comes out of records is their
 * data, from the beginning on and without gap, up to the end or an error; and that is
 * for good.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "common/util.h"
#include "fuzz.h"
#include "mspd/handshake.h"
#include "mspd/mover.h"
#include "mspd/record.h"
#include "mspd/tls.h"

#define MAX_STEPS	64
#define MOST_PLAIN	(128u << 10)
#define SEGMENTS	8u

enum { SOURCE, TARGET, STRANGER, MOVERS };

/* Made once: keys cost more than all else here */
static struct identity *movers[MOVERS];

struct end {
	struct buffer in;
	struct buffer out;
	struct handshake *handshake;
	int result;
};

/**
 * struct fuzz - a run
 * @from, @to:	who sends, and who receives
 * @key:	of the sender, who makes its records itself
 * @tls:	of the receiver
 * @touched:	what is on its way is not what was sent any more
 * @plain:	what was sent, in the end
 * @sent, @got:	bytes of it
 * @wrong:	a record that a receiver has to refuse was sent, after @sent bytes
 * @ended:	likewise the end
 */
struct fuzz {
	struct fuzz_input in;
	struct end from;
	struct end to;
	struct record_key key;
	struct tls *tls;
	bool touched;
	bool wrong;
	bool ended;
	bool failed;
	uint8_t *plain;
	uint8_t *received;
	size_t sent;
	size_t got;
};

/* ---- What happens on the way ---- */

static void carry(struct end *from, struct end *to, size_t most)
{
	size_t bytes = min(buffer_used(&from->out), min(buffer_room(&to->in), most));

	memcpy(to->in.data + to->in.tail, from->out.data + from->out.head, bytes);
	to->in.tail += bytes;
	buffer_drop(&from->out, bytes);
}

static void add(struct fuzz *f, struct end *to, size_t bytes)
{
	const uint8_t *data;

	bytes = fuzz_bytes(&f->in, min(bytes, buffer_room(&to->in)), &data);
	if (!bytes)
		return;
	memcpy(to->in.data + to->in.tail, data, bytes);
	to->in.tail += bytes;
	f->touched = true;
}

/* One byte is another, some are left out, or come twice */
static void touch(struct fuzz *f, struct end *from, uint8_t how)
{
	struct buffer *b = &from->out;
	size_t used = buffer_used(b), at = fuzz_u16(&f->in), bytes = fuzz_u8(&f->in);
	uint8_t *data = b->data + b->head;

	if (!used)
		return;
	at %= used;
	bytes = min(bytes, used - at);
	f->touched = true;
	switch (how % 3) {
	case 0:
		data[at] ^= bytes ? (uint8_t)bytes : 1;
		break;
	case 1:
		memmove(data + at, data + at + bytes, used - at - bytes);
		b->tail -= bytes;
		break;
	default:
		bytes = min(bytes, buffer_room(b));
		memmove(data + at + bytes, data + at, used - at);
		b->tail += bytes;
		break;
	}
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

/* ---- Handshakes ---- */

static void begin_handshake(struct end *end, struct identity *identity, bool server)
{
	end->handshake = handshake_new(identity, server, &end->in, &end->out);
	fuzz_check(end->handshake);
	end->result = -EAGAIN;
}

static void go_on(struct end *end)
{
	if (end->result == -EAGAIN)
		end->result = handshake_step(end->handshake);
	fuzz_check(end->result == 0 || end->result == -EAGAIN || end->result == -EPROTO);
	if (end->result == -EPROTO)
		fuzz_check(handshake_error(end->handshake)[0]);
}

/* As conn.c does it: no more than is wanted */
static void pass_on(struct end *from, struct end *to)
{
	if (to->result == -EAGAIN)
		carry(from, to, handshake_wanted(to->handshake));
}

static void handshake_round(struct fuzz *f, uint8_t what)
{
	struct end *from = what & 0x80 ? &f->from : &f->to;
	struct end *to = what & 0x80 ? &f->to : &f->from;

	switch (what & 7) {
	case 0:
		touch(f, from, what >> 4);
		break;
	case 1:
		if (to->result == -EAGAIN)
			add(f, to, fuzz_u8(&f->in));
		break;
	default:
		break;
	}
	go_on(from);
	pass_on(from, to);
	go_on(to);
}

static bool ended_well(const struct end *end, const struct identity *peer)
{
	if (end->result)
		return false;
	fuzz_check(!strcmp(handshake_peer(end->handshake), peer->name));
	return true;
}

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a->bytes && a->bytes == b->bytes && !memcmp(a->data, b->data, a->bytes);
}

static bool shake(struct fuzz *f, uint8_t how)
{
	/* Two that trust each other; a client or a server that nobody trusts */
	struct identity *client = movers[how & 1 ? STRANGER : SOURCE];
	struct identity *server = movers[how & 2 ? STRANGER : TARGET];
	const struct agreement *one, *other;
	bool client_well, server_well;

	begin_handshake(&f->from, client, false);
	begin_handshake(&f->to, server, true);
	for (unsigned int i = 0; f->in.left && i < MAX_STEPS; i++)
		handshake_round(f, fuzz_u8(&f->in));
	for (unsigned int i = 0; !f->touched && i < MAX_STEPS; i++)
		handshake_round(f, (uint8_t)(i << 7 | 7));
	client_well = ended_well(&f->from, server);
	server_well = ended_well(&f->to, client);
	fuzz_check(!server_well || !(how & 3));
	fuzz_check(!client_well || !(how & 2));
	fuzz_check(f->touched || (how & 3) || (client_well && server_well));
	if (!client_well || !server_well)
		return false;
	one = handshake_agreement(f->from.handshake);
	other = handshake_agreement(f->to.handshake);
	fuzz_check(one->suite == other->suite);
	fuzz_check(same_secret(&one->send, &other->receive) &&
		   same_secret(&one->receive, &other->send));
	return true;
}

/* ---- Records ---- */

static unsigned int cut(struct fuzz *f, uint8_t *data, size_t bytes, struct iovec *iov)
{
	unsigned int n = 0;
	size_t step;

	for (; bytes && n < SEGMENTS; n++) {
		step = n + 1 < SEGMENTS ? min((size_t)fuzz_u8(&f->in) * 64, bytes) : bytes;
		iov[n] = (struct iovec) { data, step };
		data += step;
		bytes -= step;
	}
	return n;
}

static void fill(uint8_t *data, size_t at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)((at + i) * 2654435761u >> 13);
}

static bool is_key_update(const uint8_t *content, size_t bytes)
{
	static const uint8_t start[] = { 24, 0, 0, 1 };

	return bytes == 5 && !memcmp(content, start, sizeof(start)) && content[4] <= 1;
}

/* What a receiver is to make of a record */
static void note_record(struct fuzz *f, uint8_t type, const uint8_t *content, size_t bytes)
{
	/* With its padding it is no longer than without (RFC 8446, section 5.4) */
	if (bytes > RECORD_PLAIN_BYTES) {
		f->wrong = true;
		return;
	}
	/* The type is what is before the padding */
	while (!type && bytes)
		type = content[--bytes];
	if (type == RECORD_DATA) {
		memcpy(f->plain + f->sent, content, bytes);
		f->sent += bytes;
	} else if (type == RECORD_ALERT && bytes == 2 && content[1] == ALERT_CLOSE_NOTIFY) {
		f->ended = true;
	} else if (type == RECORD_HANDSHAKE && is_key_update(content, bytes)) {
		fuzz_check(!record_key_renew(&f->key));
	} else {
		f->wrong = true;
	}
}

/* A record of any type, padded or not, with any content */
static void forge(struct fuzz *f)
{
	static const uint8_t types[] = { RECORD_DATA, RECORD_HANDSHAKE, RECORD_ALERT, 0 };
	uint8_t content[RECORD_PLAIN_BYTES + 255] = { 0 };
	uint8_t how = fuzz_u8(&f->in);
	uint8_t type = types[how & 3];
	size_t bytes = how & 4 ? fuzz_u16(&f->in) % (RECORD_PLAIN_BYTES + 1) : fuzz_u8(&f->in);
	size_t padding = how & 8 ? fuzz_u8(&f->in) : 0;
	struct iovec iov = { content, bytes };
	struct buffer *out = &f->from.out;
	ssize_t made;

	if (buffer_room(out) < sizeof(content) + RECORD_EXTRA_BYTES || f->sent + sizeof(content) > MOST_PLAIN)
		return;
	fill(content, f->sent, bytes);
	fuzz_fill(&f->in, content, min(bytes, (size_t)8));
	if (padding) {		/* zeros follow the type, the last is the record's own */
		content[bytes] = type;
		type = 0;
		iov.iov_len = min(bytes + padding, sizeof(content));
	}
	made = record_seal(&f->key, type, &iov, 0, iov.iov_len, out->data + out->tail);
	fuzz_check(made > 0);
	out->tail += (size_t)made;
	if (!f->wrong && !f->ended)
		note_record(f, type, content, iov.iov_len);
}

static void read_some(struct fuzz *f)
{
	size_t bytes = min((size_t)fuzz_u16(&f->in), MOST_PLAIN - f->got);
	struct iovec iov[SEGMENTS];
	unsigned int count = cut(f, f->received + f->got, bytes, iov);
	ssize_t got = tls_read(f->tls, iov, count);

	if (!count)
		return;
	fuzz_check(got <= (ssize_t)bytes);
	fuzz_check(!f->failed || got == -EPROTO);
	if (got > 0) {
		fuzz_check((size_t)got <= f->sent - f->got);
		fuzz_check(!memcmp(f->received + f->got, f->plain + f->got, (size_t)got));
		f->got += (size_t)got;
	} else if (got == -EPROTO) {
		fuzz_check(f->touched || f->wrong);
		fuzz_check(tls_error(f->tls)[0]);
		f->failed = true;
	} else if (!got) {
		fuzz_check(f->ended && f->got == f->sent);
	} else {
		fuzz_check(got == -EAGAIN);
	}
}

static void record_step(struct fuzz *f)
{
	uint8_t what = fuzz_u8(&f->in);

	switch (what & 7) {
	case 0:
	case 1:
	case 2:
		forge(f);
		break;
	case 3:
		touch(f, &f->from, what >> 4);
		break;
	case 4:
		add(f, &f->to, what >> 3);
		break;
	default:
		carry(&f->from, &f->to, what & 0x10 ? SIZE_MAX : fuzz_u16(&f->in));
		read_some(f);
		break;
	}
}

/* Nothing was done to what is on its way: all of it arrives */
static void finish(struct fuzz *f)
{
	struct iovec iov;

	while (!f->touched && !f->wrong && f->got < f->sent) {
		iov = (struct iovec) { f->received + f->got, f->sent - f->got };
		carry(&f->from, &f->to, SIZE_MAX);
		ssize_t got = tls_read(f->tls, &iov, 1);

		fuzz_check(got > 0);
		f->got += (size_t)got;
	}
	if (!f->touched && !f->wrong)
		fuzz_check(!memcmp(f->received, f->plain, f->got));
}

static struct agreement some_agreement(uint8_t how)
{
	const struct suite *suite = suite_at(how % 3);
	struct agreement agreement = { .suite = suite };

	agreement.send.bytes = strcmp(suite->digest, "SHA384") ? 32 : 48;
	memset(agreement.send.data, 0x5A, agreement.send.bytes);
	agreement.receive = agreement.send;
	return agreement;
}

static void records(struct fuzz *f, const struct agreement *from,
		    const struct agreement *to)
{
	f->plain = malloc(MOST_PLAIN);
	f->received = malloc(MOST_PLAIN);
	f->tls = tls_new(to, &f->to.in, &f->to.out);
	fuzz_check(f->plain && f->received && f->tls);
	fuzz_check(!record_key_init(&f->key, from->suite, &from->send, true));
	for (unsigned int i = 0; f->in.left && i < MAX_STEPS; i++)
		record_step(f);
	finish(f);
}

/* ---- Beginning and end ---- */

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	fuzz_check(file && fputs(text, file) >= 0 && !fclose(file));
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

static void load(const char *directory, struct identity **identity)
{
	const struct identity_params params = {
		.directory = directory,
		.ciphersuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256",
	};
	char error[IDENTITY_ERROR_BYTES] = "";

	identity_put(*identity);
	if (identity_load(&params, identity, error)) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char directory[MOVERS][32];
	char peers[IDENTITY_BYTES * 2 + 2];

	(void)argc;
	(void)argv;
	for (int i = 0; i < MOVERS; i++) {
		struct config config = {
			.tls_dir = directory[i], .name = (char *)"fuzz", .days = 2,
		};

		strcpy(directory[i], "/tmp/fuzz-tls.XXXXXX");
		fuzz_check(mkdtemp(directory[i]) && !keygen(&config));
		load(directory[i], &movers[i]);
	}
	/* The stranger trusts both, who do not know it */
	snprintf(peers, sizeof(peers), "%s\n%s\n", movers[SOURCE]->name,
		 movers[TARGET]->name);
	for (int i = 0; i < MOVERS; i++) {
		write_file(directory[i], "peers", peers);
		load(directory[i], &movers[i]);
		remove_files(directory[i]);
	}
	return 0;
}

static void end_exit(struct end *end)
{
	handshake_free(end->handshake);
	buffer_exit(&end->in);
	buffer_exit(&end->out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	struct agreement agreement;
	uint8_t how;

	fuzz_check(f);
	f->in = (struct fuzz_input) { data, size };
	fuzz_check(!buffer_init(&f->from.in) && !buffer_init(&f->from.out) &&
		   !buffer_init(&f->to.in) && !buffer_init(&f->to.out));
	how = fuzz_u8(&f->in);
	if (how & 4) {
		agreement = some_agreement(how >> 4);
		records(f, &agreement, &agreement);
	} else if (shake(f, how) && !f->touched) {
		records(f, handshake_agreement(f->from.handshake),
			handshake_agreement(f->to.handshake));
	}
	tls_free(f->tls);
	record_key_exit(&f->key);
	end_exit(&f->from);
	end_exit(&f->to);
	free(f->plain);
	free(f->received);
	free(f);
	return 0;
}
