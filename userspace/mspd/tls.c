// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "common/util.h"
#include "tls.h"

/* What one receive or send of the socket carries at most */
#define BUFFER_BYTES	(256u << 10)
/* What a record has beside its plain bytes, and more than that */
#define RECORD_EXTRA	512u
/* OpenSSL's reasons from here on are alerts that the peer has sent */
#define ALERT_REASONS	1000

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

/**
 * struct tls - TLS of one connection
 * @ssl:	OpenSSL's
 * @identity:	own; held
 * @server:	the peer has connected
 * @in:		what was received
 * @out:	what is to be sent
 * @wanted:	bytes that OpenSSL waits for
 * @ended:	the peer has said that it sends no more
 * @rekey:	records that a key protects; 0 = keys are not renewed
 * @records:	with the present key
 * @peer:	its identity, once the handshake has ended
 * @secrets:	of the traffic, by side, if the kernel is to have them
 * @gather:	plain bytes of a record whose segments are short
 * @error:	why not
 */
struct tls {
	SSL *ssl;
	struct identity *identity;
	bool server;
	struct buffer in;
	struct buffer out;
	size_t wanted;
	bool ended;
	uint32_t rekey;
	uint32_t records;
	char peer[IDENTITY_BYTES];
	struct tls_secret secrets[TLS_SIDES];
	uint8_t *gather;
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
 * tls_take_secret() - remember the traffic secrets, for the kernel
 * @ssl: of a struct tls
 * @line: as in a key log: label, client random, secret in hexadecimal digits
 */
void tls_take_secret(const SSL *ssl, const char *line)
{
	static const char *const labels[TLS_SIDES] = {
		[TLS_CLIENT] = "CLIENT_TRAFFIC_SECRET_0 ",
		[TLS_SERVER] = "SERVER_TRAFFIC_SECRET_0 ",
	};
	struct tls *tls = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');

	for (int side = 0; hex && side < TLS_SIDES; side++) {
		struct tls_secret *secret = &tls->secrets[side];

		if (strncmp(line, labels[side], strlen(labels[side])))
			continue;
		if (!OPENSSL_hexstr2buf_ex(secret->data, sizeof(secret->data),
					   &secret->bytes, hex + 1, '\0'))
			secret->bytes = 0;
	}
}

/**
 * tls_secrets() - the traffic secrets by enum tls_side
 * @tls: after its handshake; only of an identity with @kernel
 */
const struct tls_secret *tls_secrets(const struct tls *tls)
{
	return tls->secrets;
}

/**
 * tls_suite() - which suite was agreed on
 * @tls: after its handshake
 *
 * Return: its number (RFC 8446, appendix B.4).
 */
uint16_t tls_suite(const struct tls *tls)
{
	return SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(tls->ssl));
}

/* ---- life ---- */

static int set_up(struct tls *tls)
{
	BIO *bio;

	tls->in.data = malloc(BUFFER_BYTES);
	tls->out.data = malloc(BUFFER_BYTES);
	tls->gather = malloc(TLS_RECORD_BYTES);
	tls->ssl = SSL_new(tls->identity->ctx);
	bio = BIO_new(tls->identity->bio);
	if (!bio)
		return -ENOMEM;
	if (!tls->in.data || !tls->out.data || !tls->gather || !tls->ssl) {
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
	OPENSSL_clear_free(tls->gather, tls->gather ? TLS_RECORD_BYTES : 0);
	OPENSSL_cleanse(tls->secrets, sizeof(tls->secrets));
	free(tls);
}

/* ---- errors ---- */

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

/* What a call of OpenSSL that did not succeed means */
static int outcome(struct tls *tls, int ret)
{
	switch (SSL_get_error(tls->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		tls->ended = true;
		return 0;
	default:
		return broken(tls);
	}
}

/**
 * tls_error() - why a call has failed, for messages
 * @tls: the object
 */
const char *tls_error(const struct tls *tls)
{
	return tls->error;
}

/* ---- the handshake ---- */

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
	X509 *cert;
	int ret;

	ERR_clear_error();
	ret = SSL_do_handshake(tls->ssl);
	if (ret != 1) {
		ret = outcome(tls, ret);
		if (ret)
			return ret;
		snprintf(tls->error, sizeof(tls->error), "TLS: the peer has ended it");
		return -EPROTO;
	}
	cert = SSL_get0_peer_certificate(tls->ssl);
	if (!cert || identity_of(cert, tls->peer))
		return broken(tls);
	return 0;
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
 * tls_is_server() - has the peer connected?
 * @tls: the object
 */
bool tls_is_server(const struct tls *tls)
{
	return tls->server;
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

/* ---- plain bytes ---- */

/**
 * tls_read() - take plain bytes out
 * @tls: after its handshake
 * @iov: where to
 * @count: segments
 *
 * Return: bytes, as many as fit or have come; 0: the peer sends no more; -EAGAIN: receive
 * more; -EPROTO.
 */
ssize_t tls_read(struct tls *tls, const struct iovec *iov, unsigned int count)
{
	ssize_t total = 0;
	size_t at = 0;
	size_t got;
	int ret;

	ERR_clear_error();
	while (count && !tls->ended) {
		if (at == iov->iov_len) {
			iov++;
			count--;
			at = 0;
			continue;
		}
		ret = SSL_read_ex(tls->ssl, (char *)iov->iov_base + at, iov->iov_len - at,
				  &got);
		if (!ret) {
			ret = outcome(tls, ret);
			return total ? total : ret;
		}
		at += got;
		total += (ssize_t)got;
	}
	return total;
}

/* The next record's plain bytes: where they lie, or together where they lie scattered */
static const void *next_record(struct tls *tls, const struct iovec *iov,
			       unsigned int count, size_t at, size_t *bytes)
{
	size_t got = 0;

	if (iov->iov_len - at >= TLS_RECORD_BYTES || count == 1) {
		*bytes = min(iov->iov_len - at, (size_t)TLS_RECORD_BYTES);
		return (const char *)iov->iov_base + at;
	}
	for (; count && got < TLS_RECORD_BYTES; iov++, count--, at = 0) {
		size_t step = min(iov->iov_len - at, TLS_RECORD_BYTES - got);

		memcpy(tls->gather + got, (const char *)iov->iov_base + at, step);
		got += step;
	}
	*bytes = got;
	return tls->gather;
}

static void renew_key(struct tls *tls)
{
	if (!tls->rekey || ++tls->records < tls->rekey)
		return;
	tls->records = 0;
	SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
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
 * tls_write() - put plain bytes in
 * @tls: after its handshake
 * @iov: them
 * @count: segments
 *
 * Return: bytes that were taken, 0 if there is no room before something was sent;
 * -EPROTO.
 */
ssize_t tls_write(struct tls *tls, const struct iovec *iov, unsigned int count)
{
	ssize_t total = 0;
	const void *from;
	size_t bytes, put, at = 0;
	int ret;

	ERR_clear_error();
	step_over(&iov, &count, &at, 0);
	while (count && BUFFER_BYTES - tls->out.tail >= TLS_RECORD_BYTES + RECORD_EXTRA) {
		from = next_record(tls, iov, count, at, &bytes);
		ret = SSL_write_ex(tls->ssl, from, bytes, &put);
		if (!ret) {
			ret = outcome(tls, ret);
			return ret == -EAGAIN ? total : ret ? ret : -EPROTO;
		}
		total += (ssize_t)put;
		step_over(&iov, &count, &at, put);
		renew_key(tls);
	}
	return total;
}

/**
 * tls_end() - tell the peer that nothing more comes; pending afterwards
 * @tls: after its handshake
 */
void tls_end(struct tls *tls)
{
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
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
	return tls->in.head < tls->in.tail || SSL_pending(tls->ssl);
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
