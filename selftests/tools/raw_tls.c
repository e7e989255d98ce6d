// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the loopback carries through OpenSSL without a mover: the reference of
 * the benchmark for encrypted moves.
 *
 * See raw.c.  TLS 1.3, SSL_write() and SSL_read() on blocking sockets, one
 * thread for each connection on each side, records of 16 KiB.  Handshakes are
 * over before the clock starts.  The key is made here, for this run.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "raw.h"

#define KEY_SECONDS	3600
/*
 * Several records in one read() and one write(): without it there is a call for
 * each, two for reading, and the peer is woken as often
 */
#define CALL_BYTES	(128 << 10)

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

/* One process; what the threads share */
struct side {
	const struct raw_options *opt;
	SSL_CTX *ctx;
	bool receiver;
	uint8_t *memory;	/* the region, or a buffer for each thread */
	pthread_barrier_t connected;
	atomic_uint_fast64_t bytes;	/* handed out, or received */
	atomic_uint_fast64_t last_ns;
	atomic_bool failed;
};

struct worker {
	struct side *side;
	unsigned int number;
	int fd;
	pthread_t thread;
};

static int tls_error(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	fprintf(stderr, "%s: %s\n", what, reason ? reason : strerror(errno));
	return -EIO;
}

/* The key */

static X509 *sign_oneself(EVP_PKEY *key)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) &&
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), 0) &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), KEY_SECONDS) &&
	    X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256()))
		return cert;
	X509_free(cert);
	return NULL;
}

static void *prepare(const struct raw_options *opt)
{
	static struct identity identity;

	(void)opt;
	/* A peer that ends early is an error of a write, not a signal */
	signal(SIGPIPE, SIG_IGN);
	identity.key = EVP_EC_gen("P-256");
	if (identity.key)
		identity.cert = sign_oneself(identity.key);
	if (!identity.cert) {
		tls_error("key");
		return NULL;
	}
	return &identity;
}

static SSL_CTX *make_context(const struct raw_options *opt,
			     const struct identity *identity, bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() :
				   TLS_client_method());

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, opt->suite) ||
	    !SSL_CTX_set_num_tickets(ctx, 0))
		goto err;
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, CALL_BYTES);
	if (server && (!SSL_CTX_use_certificate(ctx, identity->cert) ||
		       !SSL_CTX_use_PrivateKey(ctx, identity->key)))
		goto err;
	return ctx;

err:
	tls_error(opt->suite);
	SSL_CTX_free(ctx);
	return NULL;
}

/* The threads */

/* The next chunk of the region; whoever has sent one takes the next */
static uint64_t take_chunk(struct side *side, uint8_t **chunk)
{
	uint64_t pos = atomic_fetch_add(&side->bytes, side->opt->chunk);
	uint64_t left = pos < side->opt->bytes ? side->opt->bytes - pos : 0;

	*chunk = side->memory + pos;
	return left < side->opt->chunk ? left : side->opt->chunk;
}

/* Records gather before the socket */
static BIO *add_buffer(SSL *ssl)
{
	BIO *buffer = BIO_new(BIO_f_buffer());
	BIO *socket = SSL_get_wbio(ssl);

	if (!buffer || BIO_set_write_buffer_size(buffer, CALL_BYTES) <= 0) {
		BIO_free(buffer);
		return NULL;
	}
	BIO_up_ref(socket);
	SSL_set0_wbio(ssl, BIO_push(buffer, socket));
	return buffer;
}

static int send_chunks(struct side *side, SSL *ssl)
{
	BIO *buffer = add_buffer(ssl);
	uint64_t length;
	uint8_t *chunk;
	size_t done;

	if (!buffer)
		return tls_error("buffer");
	while ((length = take_chunk(side, &chunk))) {
		if (SSL_write_ex(ssl, chunk, length, &done) <= 0)
			return tls_error("send");
	}
	SSL_shutdown(ssl);
	return BIO_flush(buffer) > 0 ? 0 : tls_error("send");
}

static int receive_chunks(struct side *side, SSL *ssl, uint8_t *buffer)
{
	size_t done;

	while (SSL_read_ex(ssl, buffer, side->opt->chunk, &done) > 0) {
		if (atomic_fetch_add(&side->bytes, done) + done == side->opt->bytes)
			atomic_store(&side->last_ns, raw_now_ns());
	}
	if (SSL_get_error(ssl, 0) != SSL_ERROR_ZERO_RETURN)
		return tls_error("receive");
	return 0;
}

static int handshake(const struct side *side, SSL *ssl, int fd)
{
	if (!ssl || !SSL_set_fd(ssl, fd))
		return tls_error("connection");
	if ((side->receiver ? SSL_accept(ssl) : SSL_connect(ssl)) <= 0)
		return tls_error("handshake");
	return 0;
}

static void *work(void *data)
{
	struct worker *w = data;
	struct side *side = w->side;
	SSL *ssl = SSL_new(side->ctx);
	int err = handshake(side, ssl, w->fd);

	pthread_barrier_wait(&side->connected);
	/* In between the main thread looks at the clock */
	pthread_barrier_wait(&side->connected);
	if (!err && side->receiver)
		err = receive_chunks(side, ssl, side->memory +
				     (size_t)w->number * side->opt->chunk);
	else if (!err)
		err = send_chunks(side, ssl);
	if (err)
		atomic_store(&side->failed, true);
	SSL_free(ssl);
	return NULL;
}

static int start_threads(struct side *side, struct worker *workers, const int *fds)
{
	unsigned int i;
	int err;

	for (i = 0; i < side->opt->connections; i++) {
		workers[i] = (struct worker) {
			.side = side, .number = i, .fd = fds[i],
		};
		err = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (err) {
			/* Those that run wait for all of them; the process ends */
			fprintf(stderr, "thread: %s\n", strerror(err));
			return -err;
		}
	}
	return 0;
}

static int run_side(struct side *side, const int *fds, struct raw_result *result)
{
	unsigned int count = side->opt->connections;
	struct worker workers[RAW_MAX_CONNECTIONS];
	double cpu;
	int err;

	pthread_barrier_init(&side->connected, NULL, count + 1);
	err = start_threads(side, workers, fds);
	if (err)
		return err;
	pthread_barrier_wait(&side->connected);
	cpu = raw_cpu_seconds();
	result->ns = raw_now_ns();
	pthread_barrier_wait(&side->connected);
	for (unsigned int i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	result->cpu_s = raw_cpu_seconds() - cpu;
	SSL_CTX_free(side->ctx);
	return atomic_load(&side->failed) ? -EIO : 0;
}

static int send_all(const struct raw_options *opt, void *data, uint8_t *region,
		    const int *fds, struct raw_result *result)
{
	struct side side = {
		.opt = opt,
		.ctx = make_context(opt, data, false),
		.memory = region,
	};
	int err;

	if (!side.ctx)
		return -EIO;
	err = run_side(&side, fds, result);
	result->bytes = opt->bytes;
	return err;
}

static int receive_all(const struct raw_options *opt, void *data, const int *fds,
		       struct raw_result *result)
{
	struct side side = {
		.opt = opt,
		.ctx = make_context(opt, data, true),
		.receiver = true,
		.memory = raw_buffers(opt),
	};
	int err;

	if (!side.ctx || !side.memory)
		return -EIO;
	err = run_side(&side, fds, result);
	result->bytes = atomic_load(&side.bytes);
	result->ns = atomic_load(&side.last_ns);
	return err;
}

int main(int argc, char **argv)
{
	static const struct raw_transport transport = {
		.name = "raw_tls",
		.suite = "TLS_AES_256_GCM_SHA384",
		.prepare = prepare,
		.send = send_all,
		.receive = receive_all,
	};

	return raw_main(&transport, argc, argv);
}
