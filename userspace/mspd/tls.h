/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS of one connection, without I/O of its own: ciphertext that was received is
 * put in, ciphertext to be sent is taken out, by who owns the socket (conn.c).
 *
 * OpenSSL does the handshake.  What follows it is protected by record.c, or by
 * the kernel (ktls.c), with the secrets that were agreed on: partitions' memory
 * is then sealed from where it lies, and opened to where it belongs.  See
 * Documentation/security.rst.
 */
#ifndef _TLS_H
#define _TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "identity.h"
#include "secret.h"

#define TLS_ERROR_BYTES		256
/* A key protects so many records, then comes another */
#define TLS_REKEY_RECORDS	(1u << 22)

struct tls;

struct tls *tls_new(struct identity *identity, bool server);
void tls_free(struct tls *tls);
int tls_handshake(struct tls *tls);
int tls_begin_records(struct tls *tls);
ssize_t tls_read(struct tls *tls, const struct iovec *iov, unsigned int count);
ssize_t tls_write(struct tls *tls, const struct iovec *iov, unsigned int count);
void tls_end(struct tls *tls);

/* Ciphertext */
size_t tls_wanted(const struct tls *tls);
void *tls_space(struct tls *tls, size_t *bytes);
void tls_received(struct tls *tls, size_t bytes);
const void *tls_pending(const struct tls *tls, size_t *bytes);
void tls_sent(struct tls *tls, size_t bytes);
bool tls_has_input(const struct tls *tls);

void tls_allow_rekey(struct tls *tls, uint32_t records);
const char *tls_peer(const struct tls *tls);
const char *tls_error(const struct tls *tls);
const struct suite *tls_suite(const struct tls *tls);
const struct secret *tls_secret(const struct tls *tls, bool sending);
int tls_control(int type, const uint8_t *content, size_t bytes,
		char why[TLS_ERROR_BYTES]);

/* For identity.c */
BIO_METHOD *tls_bio_method(void);
void tls_take_secret(const SSL *ssl, const char *line);

#endif /* _TLS_H */
