// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "common/util.h"
#include "handshake.h"

/* OpenSSL's reasons from here on are alerts that the peer has sent */
#define ALERT_REASONS	1000

/* Whose traffic secret */
enum side {
	CLIENT,
	SERVER,
	SIDES,
};

/**
 * struct handshake - a handshake that goes on, or has ended
 * @ssl:	OpenSSL's
 * @server:	the peer has connected
 * @in:		what was received; the caller's
 * @out:	what is to be sent; the caller's
 * @wanted:	bytes that OpenSSL waits for
 * @secrets:	of the traffic, by side
 * @agreement:	what it has come to
 * @peer:	its identity
 * @error:	why not
 */
struct handshake {
	SSL *ssl;
	bool server;
	struct buffer *in;
	struct buffer *out;
	size_t wanted;
	struct secret secrets[SIDES];
	struct agreement agreement;
	char peer[IDENTITY_BYTES];
	char error[HANDSHAKE_ERROR_BYTES];
};

/* ---- OpenSSL's way to the buffers ---- */

static int bio_read(BIO *bio, char *to, size_t bytes, size_t *got)
{
	struct handshake *h = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*got = min(bytes, buffer_used(h->in));
	if (!*got) {
		h->wanted = bytes;
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(to, h->in->data + h->in->head, *got);
	buffer_drop(h->in, *got);
	return 1;
}

static int bio_write(BIO *bio, const char *from, size_t bytes, size_t *put)
{
	struct handshake *h = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*put = min(bytes, buffer_room(h->out));
	if (!*put) {
		BIO_set_retry_write(bio);
		return 0;
	}
	memcpy(h->out->data + h->out->tail, from, *put);
	h->out->tail += *put;
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
 * handshake_bio_method() - how OpenSSL reaches a connection's buffers
 *
 * Return: the method, to be freed by the caller, or NULL.
 */
BIO_METHOD *handshake_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mover");

	if (!method)
		return NULL;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

/**
 * handshake_take_secret() - remember the traffic secrets
 * @ssl: of a struct handshake
 * @line: as in a key log: label, client random, secret in hexadecimal digits
 */
void handshake_take_secret(const SSL *ssl, const char *line)
{
	static const char *const labels[SIDES] = {
		[CLIENT] = "CLIENT_TRAFFIC_SECRET_0 ",
		[SERVER] = "SERVER_TRAFFIC_SECRET_0 ",
	};
	struct handshake *h = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ');

	for (int side = 0; hex && side < SIDES; side++) {
		struct secret *secret = &h->secrets[side];

		if (strncmp(line, labels[side], strlen(labels[side])))
			continue;
		if (!OPENSSL_hexstr2buf_ex(secret->data, sizeof(secret->data),
					   &secret->bytes, hex + 1, '\0'))
			secret->bytes = 0;
	}
}

/* ---- life ---- */

static int set_up(struct handshake *h, struct identity *identity)
{
	BIO *bio = BIO_new(identity->bio);

	h->ssl = SSL_new(identity->ctx);
	if (!h->ssl || !bio) {
		BIO_free(bio);
		return -ENOMEM;
	}
	BIO_set_data(bio, h);
	BIO_set_init(bio, 1);
	SSL_set_bio(h->ssl, bio, bio);
	SSL_set_app_data(h->ssl, h);
	if (h->server)
		SSL_set_accept_state(h->ssl);
	else
		SSL_set_connect_state(h->ssl);
	return 0;
}

/**
 * handshake_new() - begin TLS on a connection
 * @identity: own; is held by the caller meanwhile
 * @server: the peer has connected
 * @in: where what is received is put
 * @out: from which what is to be sent is taken
 *
 * Return: the handshake, or NULL.
 */
struct handshake *handshake_new(struct identity *identity, bool server,
				struct buffer *in, struct buffer *out)
{
	struct handshake *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->server = server;
	h->in = in;
	h->out = out;
	if (set_up(h, identity)) {
		handshake_free(h);
		return NULL;
	}
	return h;
}

/**
 * handshake_free() - the opposite; secrets are cleared
 * @h: the handshake, or NULL
 */
void handshake_free(struct handshake *h)
{
	if (!h)
		return;
	SSL_free(h->ssl);
	OPENSSL_clear_free(h, sizeof(*h));
}

/* ---- steps ---- */

static int broken(struct handshake *h)
{
	long verified = SSL_get_verify_result(h->ssl);
	unsigned long first = ERR_get_error();
	const char *reason = ERR_reason_error_string(first);

	ERR_clear_error();
	if (!reason)
		reason = "the connection has ended";
	if (ERR_GET_REASON(first) >= ALERT_REASONS)
		snprintf(h->error, sizeof(h->error), "TLS: the peer refuses: %s", reason);
	else if (verified != X509_V_OK)
		snprintf(h->error, sizeof(h->error), "TLS: certificate of the peer: %s",
			 X509_verify_cert_error_string(verified));
	else
		snprintf(h->error, sizeof(h->error), "TLS: %s", reason);
	return -EPROTO;
}

static int finish(struct handshake *h)
{
	X509 *cert = SSL_get0_peer_certificate(h->ssl);
	const SSL_CIPHER *cipher = SSL_get_current_cipher(h->ssl);
	enum side own = h->server ? SERVER : CLIENT;
	enum side peer = h->server ? CLIENT : SERVER;

	if (!cert || !cipher || identity_of(cert, h->peer))
		return broken(h);
	h->agreement = (struct agreement) {
		.suite = suite_find(SSL_CIPHER_get_protocol_id(cipher)),
		.send = h->secrets[own],
		.receive = h->secrets[peer],
	};
	if (h->agreement.suite && h->agreement.send.bytes && h->agreement.receive.bytes)
		return 0;
	snprintf(h->error, sizeof(h->error), "TLS: suite %s is not known here",
		 SSL_CIPHER_get_name(cipher));
	return -EPROTO;
}

/**
 * handshake_step() - go on
 * @h: the handshake
 *
 * Return: 0: it has ended well, and the peer is trusted; send what is pending.
 * -EAGAIN: send what is pending, or if nothing is, receive handshake_wanted() bytes.
 * -EPROTO: handshake_error() says why not; what is pending tells the peer.
 */
int handshake_step(struct handshake *h)
{
	int ret;

	ERR_clear_error();
	ret = SSL_do_handshake(h->ssl);
	if (ret == 1)
		return finish(h);
	switch (SSL_get_error(h->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	default:
		return broken(h);
	}
}

/**
 * handshake_wanted() - how many bytes are to be received
 * @h: the handshake, of which a step has said -EAGAIN
 *
 * Return: what the record that is needed lacks, and no more; never 0.
 */
size_t handshake_wanted(const struct handshake *h)
{
	return min(max(h->wanted, (size_t)1), buffer_room(h->in));
}

/**
 * handshake_agreement() - suite and secrets
 * @h: that has ended well
 */
const struct agreement *handshake_agreement(const struct handshake *h)
{
	return &h->agreement;
}

/**
 * handshake_peer() - the peer's identity
 * @h: that has ended well
 */
const char *handshake_peer(const struct handshake *h)
{
	return h->peer;
}

/**
 * handshake_error() - why it has failed, for messages
 * @h: that has
 */
const char *handshake_error(const struct handshake *h)
{
	return h->error;
}
