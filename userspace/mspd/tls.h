/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS of one connection behind its handshake, without I/O of its own: ciphertext
 * that was received is put into a buffer, ciphertext to be sent is taken out of
 * another, by who owns the socket (conn.c).  See Documentation/security.rst.
 */
#ifndef _TLS_H
#define _TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "buffer.h"
#include "secret.h"

#define TLS_ERROR_BYTES		256
/* A key protects so many records, then comes another */
#define TLS_REKEY_RECORDS	(1u << 22)

struct tls;

struct tls *tls_new(const struct agreement *agreement, struct buffer *in,
		    struct buffer *out);
void tls_free(struct tls *tls);
ssize_t tls_read(struct tls *tls, const struct iovec *iov, unsigned int count);
ssize_t tls_write(struct tls *tls, const struct iovec *iov, unsigned int count);
void tls_end(struct tls *tls);
bool tls_has_input(const struct tls *tls);
void tls_allow_rekey(struct tls *tls, uint32_t records);
const char *tls_error(const struct tls *tls);
int tls_control(int type, const uint8_t *content, size_t bytes,
		char why[TLS_ERROR_BYTES]);

#endif /* _TLS_H */
