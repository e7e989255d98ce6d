/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic secrets of TLS 1.3 and the keys that follow from them (RFC 8446,
 * section 7).  Pure.
 */
#ifndef _SECRET_H
#define _SECRET_H

#include <stddef.h>
#include <stdint.h>

/* A secret has the length of the suite's hash: at most SHA-384's */
#define SECRET_MAX_BYTES	48
#define SECRET_MAX_KEY		32
#define SECRET_IV_BYTES		12

/* Numbers of suites (RFC 8446, appendix B.4) */
#define SUITE_AES_128_GCM	0x1301
#define SUITE_AES_256_GCM	0x1302
#define SUITE_CHACHA20_POLY1305	0x1303

/**
 * struct suite - what a suite of TLS 1.3 stands for
 * @number:	on the wire
 * @cipher:	OpenSSL's name of the AEAD
 * @digest:	of the hash
 * @key_bytes:	of the AEAD's key
 */
struct suite {
	uint16_t number;
	const char *cipher;
	const char *digest;
	size_t key_bytes;
};

/**
 * struct secret - the traffic secret of one direction
 * @bytes:	of it; 0 = not known
 * @data:	the secret
 */
struct secret {
	size_t bytes;
	unsigned char data[SECRET_MAX_BYTES];
};

/**
 * struct secret_keys - what protects records
 * @key:	of the AEAD
 * @iv:		from which each record's nonce is made
 */
struct secret_keys {
	unsigned char key[SECRET_MAX_KEY];
	unsigned char iv[SECRET_IV_BYTES];
};

/**
 * struct agreement - what a handshake has come to
 * @suite:	for both directions
 * @send:	secret of what is sent
 * @receive:	of what is received
 */
struct agreement {
	const struct suite *suite;
	struct secret send;
	struct secret receive;
};

const struct suite *suite_find(uint16_t number);
const struct suite *suite_at(size_t index);
int secret_keys(const struct suite *suite, const struct secret *secret,
		struct secret_keys *keys);
int secret_next(const struct suite *suite, struct secret *secret);

#endif /* _SECRET_H */
