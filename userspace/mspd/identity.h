/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who this mover is, and which others it trusts (Documentation/security.rst).
 *
 * Immutable once loaded, and counted: moves keep the one they began with when
 * another is loaded.
 */
#ifndef _IDENTITY_H
#define _IDENTITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <openssl/ssl.h>

/* "SHA256:" and 64 hexadecimal digits, with the NUL */
#define IDENTITY_BYTES		72
#define IDENTITY_ERROR_BYTES	256
/* A certificate as PEM, as check_peer takes it: fits a request */
#define IDENTITY_MAX_PEM	16384
#define IDENTITY_MAX_PEERS	4096

/**
 * struct identity_params - where from, and how
 * @directory:	tls_dir
 * @ciphersuites: of TLS 1.3, as OpenSSL names them
 * @kernel:	have the kernel encrypt, where it can
 */
struct identity_params {
	const char *directory;
	const char *ciphersuites;
	bool kernel;
};

/**
 * struct identity - a mover's credentials
 * @refs:	who holds it
 * @kernel:	have the kernel encrypt
 * @name:	own identity
 * @pem:	own certificate, and those between it and the root
 * @peers:	identities that are trusted, sorted
 * @npeers:	how many
 * @authorities: there are any
 * @ctx:	OpenSSL's, for both roles
 * @bio:	how OpenSSL reaches a connection's buffers (handshake.c)
 */
struct identity {
	atomic_uint refs;
	bool kernel;
	char name[IDENTITY_BYTES];
	char *pem;
	char (*peers)[IDENTITY_BYTES];
	size_t npeers;
	bool authorities;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
};

int identity_load(const struct identity_params *params, struct identity **identity,
		  char error[IDENTITY_ERROR_BYTES]);
struct identity *identity_get(struct identity *identity);
void identity_put(struct identity *identity);
int identity_of(const X509 *cert, char name[IDENTITY_BYTES]);
bool identity_is_name(const char *text);
int identity_check(struct identity *identity, const char *pem,
		   char name[IDENTITY_BYTES], char error[IDENTITY_ERROR_BYTES]);

#endif /* _IDENTITY_H */
