// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "common/util.h"
#include "record.h"
#include "tls.h"

/* What one receive or send of the socket carries at most */
#define BUFFER_BYTES	(256u << 10)
/* OpenSSL's reasons from here on are alerts that the peer has sent */
#define ALERT_REASONS	1000
/* RFC 8446, sections 6 and 4.6.3 */
#define ALERT_WARNING		1
#define ALERT_CLOSE_NOTIFY	0
#define KEY_UPDATE		24
#define KEY_UPDATE_BYTES	5

/**
 * struct buffer - ciphertext on its way
 * @data:	BUFFER_BYTES
 * @head:	first byte that is not used yet
 * @tail:	after the last one
 */
struct buffer {
	uint8_t *data;
	size_t head;
	size_t tail;
};

/* Whose traffic secret */
enum side {
	CLIENT,
	SERVER,
	SIDES,
};

/**
 * struct tls - TLS of one connection
 * @ssl:	OpenSSL's, during the handshake
 * @identity:	own; held
 * @server:	the peer has connected
 * @in:		what was received
 * @out:	what is to be sent
 * @wanted:	bytes that OpenSSL waits for
 * @suite:	that was agreed on
 * @secrets:	of the traffic, by side
 * @send, @receive: what protects records
 * @ended:	the peer has said that it sends no more
 * @rekey:	records that a key protects; 0 = keys are not renewed
 * @answer:	the peer wants our key renewed
 * @spill:	plain bytes for which there was no room
 * @spilled:	how many
 * @taken:	how many of them were taken
 * @peer:	its identity, once the handshake has ended
 * @error:	why not
 */
struct tls {
	SSL *ssl;
	struct identity *identity;
	bool server;
	struct buffer in;
	struct buffer out;
	size_t wanted;
	const struct suite *suite;
	struct secret secrets[SIDES];
	struct record_key send;
	struct record_key receive;
	bool ended;
	uint32_t rekey;
	bool answer;
	uint8_t *spill;
	size_t spilled;
	size_t taken;
	char peer[IDENTITY_BYTES];
	char error[TLS_ERROR_BYTES];
};

/* ---- OpenSSL's way to the buffers ---- */

static int bio_read(BIO *bio, char *to, size_t bytes, size_t *got)
{
	struct tls *tls = BIO_get_data(bio);
	struct buffer *in = &tls->in;

	BIO_clear_retry_flags(bio);
	*got = min(bytes, in->tail - in->head);
	if (!*got) {
		tls->wanted = bytes;
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(to, in->data + in->head, *got);
	in->head += *got;
	if (in->head == in->tail)
		in->head = in->tail = 0;
	return 1;
}

static int bio_write(BIO *bio, const char *from, size_t bytes, size_t *put)
{
	struct tls *tls = BIO_get_data(bio);
	struct buffer *out = &tls->out;

	BIO_clear_retry_flags(bio);
	*put = min(bytes, BUFFER_BYTES - out->tail);
	if (!*put) {
		BIO_set_retry_write(bio);
		return 0;
	}
	memcpy(out->data + out->tail, from, *put);
	out->tail += *put;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *data)
{
	(void)bio;
	(void)number;
	(void)data;
	return command == BIO_CTRL_FLUSH;
}

/**
 * tls_bio_method() - how OpenSSL reaches the buffers of a struct tls
 *
 * Return: the method, to be freed by the caller, or NULL.
 */
BIO_METHOD *tls_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mover");

	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

/* ---- secrets ---- */

/**
 * tls_take_secret() - remember the traffic secrets
 * @ssl: of a struct tls
 * @line: as in a key log: label, client random, secret in hexadecimal digits
 */
void tls_take_secret(const SSL *ssl, const char *line)
{
	static const char *const labels[SIDES] = {
		[CLIENT] = "CLIENT_TRAFFIC_SECRET_0 ",
		[SERVER] = "SERVER_TRAFFIC_SECRET_0 ",
	};
	struct tls *tls = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');

	for (int side = 0; hex && side < SIDES; side++) {
		struct secret *secret = &tls->secrets[side];

		if (strncmp(line, labels[side], strlen(labels[side])))
			continue;
		if (!OPENSSL_hexstr2buf_ex(secret->data, sizeof(secret->data),
					   &secret->bytes, hex + 1, '\0'))
			secret->bytes = 0;
	}
}

/**
 * tls_secret() - the traffic secret of one direction
 * @tls: after its handshake
 * @sending: of what is sent, not of what is received
 */
const struct secret *tls_secret(const struct tls *tls, bool sending)
{
	return &tls->secrets[tls->server == sending ? SERVER : CLIENT];
}

/**
 * tls_suite() - which suite was agreed on
 * @tls: after its handshake
 */
const struct suite *tls_suite(const struct tls *tls)
{
	return tls->suite;
}

/* ---- life ---- */

static int set_up(struct tls *tls)
{
	BIO *bio;

	tls->in.data = malloc(BUFFER_BYTES);
	tls->out.data = malloc(BUFFER_BYTES);
	tls->spill = malloc(RECORD_MAX_BYTES);
	tls->ssl = SSL_new(tls->identity->ctx);
	bio = BIO_new(tls->identity->bio);
	if (!bio)
		return -ENOMEM;
	if (!tls->in.data || !tls->out.data || !tls->spill || !tls->ssl) {
		BIO_free(bio);
		return -ENOMEM;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	if (tls->server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return 0;
}

/**
 * tls_new() - begin TLS on a connection
 * @identity: own; is held
 * @server: the peer has connected
 *
 * Return: the object, or NULL.
 */
struct tls *tls_new(struct identity *identity, bool server)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->identity = identity_get(identity);
	tls->server = server;
	if (set_up(tls)) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

/**
 * tls_free() - the opposite; secrets are cleared
 * @tls: the object, or NULL
 */
void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	identity_put(tls->identity);
	free(tls->in.data);
	free(tls->out.data);
	OPENSSL_clear_free(tls->spill, tls->spill ? RECORD_MAX_BYTES : 0);
	record_key_exit(&tls->send);
	record_key_exit(&tls->receive);
	OPENSSL_cleanse(tls->secrets, sizeof(tls->secrets));
	free(tls);
}

/* ---- the handshake ---- */

static int broken(struct tls *tls)
{
	long verified = SSL_get_verify_result(tls->ssl);
	unsigned long first = ERR_get_error();
	const char *reason = ERR_reason_error_string(first);

	ERR_clear_error();
	if (!reason)
		reason = "the connection has ended";
	if (ERR_GET_REASON(first) >= ALERT_REASONS)
		snprintf(tls->error, sizeof(tls->error), "TLS: the peer refuses: %s", reason);
	else if (verified != X509_V_OK)
		snprintf(tls->error, sizeof(tls->error), "TLS: certificate of the peer: %s",
			 X509_verify_cert_error_string(verified));
	else
		snprintf(tls->error, sizeof(tls->error), "TLS: %s", reason);
	return -EPROTO;
}

static int fail(struct tls *tls, const char *why)
{
	snprintf(tls->error, sizeof(tls->error), "TLS: %s", why);
	return -EPROTO;
}

/* All that is wanted of OpenSSL is known: peer, suite, secrets */
static int end_handshake(struct tls *tls)
{
	X509 *cert = SSL_get0_peer_certificate(tls->ssl);

	if (!cert || identity_of(cert, tls->peer))
		return broken(tls);
	tls->suite = suite_find(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(tls->ssl)));
	if (!tls->suite || !tls->secrets[CLIENT].bytes || !tls->secrets[SERVER].bytes)
		return fail(tls, "a suite that is not known here");
	SSL_free(tls->ssl);
	tls->ssl = NULL;
	return 0;
}

/**
 * tls_handshake() - go on with the handshake
 * @tls: the object
 *
 * Return: 0: it has ended well, and the peer is trusted; -EAGAIN: send what is
 * pending, or if nothing is, receive tls_wanted() bytes; -EPROTO: tls_error() says
 * why not, and what is pending tells the peer.
 */
int tls_handshake(struct tls *tls)
{
	int ret;

	ERR_clear_error();
	ret = SSL_do_handshake(tls->ssl);
	if (ret == 1)
		return end_handshake(tls);
	switch (SSL_get_error(tls->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	default:
		return broken(tls);
	}
}

/**
 * tls_begin_records() - protect here what follows the handshake
 * @tls: its handshake has ended
 *
 * Return: 0 or -EPROTO.
 */
int tls_begin_records(struct tls *tls)
{
	if (record_key_init(&tls->send, tls->suite, tls_secret(tls, true), true) ||
	    record_key_init(&tls->receive, tls->suite, tls_secret(tls, false), false))
		return fail(tls, "keys could not be made");
	return 0;
}

/**
 * tls_error() - why a call has failed, for messages
 * @tls: the object
 */
const char *tls_error(const struct tls *tls)
{
	return tls->error;
}

/**
 * tls_peer() - the peer's identity
 * @tls: after its handshake
 */
const char *tls_peer(const struct tls *tls)
{
	return tls->peer;
}

/**
 * tls_allow_rekey() - renew the key of what is sent from time to time
 * @tls: the object; the peer can take a KeyUpdate
 * @records: that a key protects
 */
void tls_allow_rekey(struct tls *tls, uint32_t records)
{
	tls->rekey = records;
}

/* ---- receiving ---- */

/**
 * tls_control() - what a record means that is not data
 * @type: of its content
 * @content: of it
 * @bytes: of it
 * @why: on error, what it says
 *
 * Return: 0: the peer sends no more; -EPROTO.
 */
int tls_control(int type, const uint8_t *content, size_t bytes,
		char why[TLS_ERROR_BYTES])
{
	if (type != RECORD_ALERT || bytes != 2) {
		snprintf(why, TLS_ERROR_BYTES, "TLS: an unexpected record of type %d, %zu bytes",
			 type, bytes);
		return -EPROTO;
	}
	if (content[1] == ALERT_CLOSE_NOTIFY)
		return 0;
	snprintf(why, TLS_ERROR_BYTES, "TLS: the peer refuses: %s",
		 SSL_alert_desc_string_long(content[1]));
	return -EPROTO;
}

static bool is_key_update(uint8_t type, const uint8_t *content, size_t bytes)
{
	static const uint8_t start[] = { KEY_UPDATE, 0, 0, 1 };

	return type == RECORD_HANDSHAKE && bytes == KEY_UPDATE_BYTES &&
	       !memcmp(content, start, sizeof(start)) && content[4] <= 1;
}

/* A record without data: -EAGAIN to go on with the next */
static int take_control(struct tls *tls, uint8_t type, size_t bytes)
{
	int ret;

	if (!is_key_update(type, tls->spill, bytes)) {
		ret = tls_control(type, tls->spill, bytes, tls->error);
		tls->ended = !ret;
		return ret;
	}
	tls->answer |= tls->spill[4];
	if (record_key_renew(&tls->receive))
		return fail(tls, "key could not be renewed");
	return -EAGAIN;
}

/* What did not fit the last time */
static size_t take_spilled(struct tls *tls, const struct iovec *iov, size_t at)
{
	size_t step = min(tls->spilled - tls->taken, iov->iov_len - at);

	memcpy((char *)iov->iov_base + at, tls->spill + tls->taken, step);
	tls->taken += step;
	if (tls->taken == tls->spilled) {
		OPENSSL_cleanse(tls->spill, tls->spilled);
		tls->spilled = 0;
		tls->taken = 0;
	}
	return step;
}

static size_t room_of(const struct iovec *iov, unsigned int count, size_t at)
{
	size_t room = 0;

	/* No record has more */
	for (; count && room < RECORD_PLAIN_BYTES; iov++, count--, at = 0)
		room += iov->iov_len - at;
	return room;
}

/* Open the next record: bytes that are in the segments, or why there are none */
static ssize_t open_next(struct tls *tls, const struct iovec *iov, unsigned int count,
			 size_t at)
{
	const uint8_t *record = tls->in.data + tls->in.head;
	ssize_t bytes = record_whole(record, tls->in.tail - tls->in.head);
	size_t room = room_of(iov, count, at);
	ssize_t content;
	uint8_t type;

	if (!bytes)
		return -EAGAIN;
	if (bytes < 0)
		return fail(tls, "this is no protected record");
	content = record_open(&tls->receive, record, (size_t)bytes, iov, count, at,
			      tls->spill, &type);
	if (content < 0)
		return fail(tls, "a record was changed on its way, or is of another key");
	tls->in.head += (size_t)bytes;
	if (type != RECORD_DATA)
		return take_control(tls, type, (size_t)content);
	if ((size_t)content > room) {
		tls->spilled = (size_t)content - room;
		return (ssize_t)room;
	}
	return content;
}

/* Part of a record stays where there is room for the rest of it */
static void compact(struct buffer *in)
{
	if (!in->head)
		return;
	memmove(in->data, in->data + in->head, in->tail - in->head);
	in->tail -= in->head;
	in->head = 0;
}

static void step_over(const struct iovec **iov, unsigned int *count, size_t *at,
		      size_t bytes)
{
	*at += bytes;
	while (*count && *at >= (*iov)->iov_len) {
		*at -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
}

/**
 * tls_read() - take plain bytes out
 * @tls: after tls_begin_records()
 * @iov: where to
 * @count: segments
 *
 * Return: bytes, as many as fit or have come; 0: the peer sends no more; -EAGAIN: receive
 * more; -EPROTO.
 */
ssize_t tls_read(struct tls *tls, const struct iovec *iov, unsigned int count)
{
	ssize_t total = 0;
	ssize_t got;
	size_t at = 0;

	step_over(&iov, &count, &at, 0);
	while (count && !tls->ended) {
		if (tls->spilled)
			got = (ssize_t)take_spilled(tls, iov, at);
		else
			got = open_next(tls, iov, count, at);
		if (got == -EAGAIN && record_whole(tls->in.data + tls->in.head,
						   tls->in.tail - tls->in.head))
			continue;
		if (got == -EAGAIN)
			compact(&tls->in);
		if (got <= 0)
			return total ? total : got;
		total += got;
		step_over(&iov, &count, &at, (size_t)got);
	}
	return total;
}

/* ---- sending ---- */

static bool has_room(const struct tls *tls)
{
	/* For the record, and for a KeyUpdate before it */
	return BUFFER_BYTES - tls->out.tail >=
	       RECORD_PLAIN_BYTES + KEY_UPDATE_BYTES + 2 * RECORD_EXTRA_BYTES;
}

static int seal(struct tls *tls, enum record_type type, const struct iovec *iov, size_t at,
		size_t bytes)
{
	ssize_t put = record_seal(&tls->send, type, iov, at, bytes,
				  tls->out.data + tls->out.tail);

	if (put < 0)
		return fail(tls, "a record could not be made");
	tls->out.tail += (size_t)put;
	return 0;
}

static int renew_key(struct tls *tls)
{
	uint8_t message[KEY_UPDATE_BYTES] = { KEY_UPDATE, 0, 0, 1, 0 };
	const struct iovec iov = { message, sizeof(message) };
	int ret;

	if (!tls->answer && (!tls->rekey || tls->send.sequence < tls->rekey))
		return 0;
	tls->answer = false;
	ret = seal(tls, RECORD_HANDSHAKE, &iov, 0, sizeof(message));
	if (ret)
		return ret;
	return record_key_renew(&tls->send) ? fail(tls, "key could not be renewed") : 0;
}

/**
 * tls_write() - put plain bytes in
 * @tls: after tls_begin_records()
 * @iov: them
 * @count: segments
 *
 * Return: bytes that were taken, 0 if there is no room before something was sent;
 * -EPROTO.
 */
ssize_t tls_write(struct tls *tls, const struct iovec *iov, unsigned int count)
{
	ssize_t total = 0;
	size_t bytes, at = 0;

	step_over(&iov, &count, &at, 0);
	while (count && has_room(tls)) {
		bytes = min(room_of(iov, count, at), (size_t)RECORD_PLAIN_BYTES);
		if (renew_key(tls) || seal(tls, RECORD_DATA, iov, at, bytes))
			return -EPROTO;
		total += (ssize_t)bytes;
		step_over(&iov, &count, &at, bytes);
	}
	return total;
}

/**
 * tls_end() - tell the peer that nothing more comes; pending afterwards
 * @tls: after tls_begin_records(); nothing is pending
 */
void tls_end(struct tls *tls)
{
	uint8_t alert[] = { ALERT_WARNING, ALERT_CLOSE_NOTIFY };
	const struct iovec iov = { alert, sizeof(alert) };

	if (has_room(tls))
		seal(tls, RECORD_ALERT, &iov, 0, sizeof(alert));
}

/* ---- ciphertext ---- */

/**
 * tls_wanted() - how many bytes are to be received
 * @tls: the object, of which a call has said -EAGAIN
 *
 * Return: exactly what the record that is needed lacks; never 0.
 */
size_t tls_wanted(const struct tls *tls)
{
	return min(max(tls->wanted, (size_t)1), (size_t)BUFFER_BYTES);
}

/**
 * tls_space() - where to receive
 * @tls: the object, of which a call has said -EAGAIN
 * @bytes: result: how many
 */
void *tls_space(struct tls *tls, size_t *bytes)
{
	*bytes = BUFFER_BYTES - tls->in.tail;
	return tls->in.data + tls->in.tail;
}

/**
 * tls_received() - ciphertext was received
 * @tls: the object
 * @bytes: how much
 */
void tls_received(struct tls *tls, size_t bytes)
{
	tls->in.tail += bytes;
}

/**
 * tls_has_input() - may tls_read() find something without a receive?
 * @tls: the object
 */
bool tls_has_input(const struct tls *tls)
{
	return tls->in.head < tls->in.tail || tls->spilled;
}

/**
 * tls_pending() - what is to be sent
 * @tls: the object
 * @bytes: result: how much
 */
const void *tls_pending(const struct tls *tls, size_t *bytes)
{
	*bytes = tls->out.tail - tls->out.head;
	return tls->out.data + tls->out.head;
}

/**
 * tls_sent() - it was sent
 * @tls: the object
 * @bytes: how much of it
 */
void tls_sent(struct tls *tls, size_t bytes)
{
	tls->out.head += bytes;
	if (tls->out.head == tls->out.tail)
		tls->out.head = tls->out.tail = 0;
}
