/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handshake of TLS 1.3, by OpenSSL, without I/O of its own.  It ends with a
 * peer that is trusted, and the secrets of both directions.
 */
#ifndef _HANDSHAKE_H
#define _HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include "buffer.h"
#include "identity.h"
#include "secret.h"

#define HANDSHAKE_ERROR_BYTES	256

struct handshake;

struct handshake *handshake_new(struct identity *identity, bool server,
				struct buffer *in, struct buffer *out);
void handshake_free(struct handshake *h);
int handshake_step(struct handshake *h);
size_t handshake_wanted(const struct handshake *h);
const char *handshake_peer(const struct handshake *h);
const char *handshake_error(const struct handshake *h);
const struct agreement *handshake_agreement(const struct handshake *h);

/* For identity.c */
BIO_METHOD *handshake_bio_method(void);
void handshake_take_secret(const SSL *ssl, const char *line);

#endif /* _HANDSHAKE_H */
