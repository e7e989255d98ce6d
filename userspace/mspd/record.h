/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of TLS 1.3 (RFC 8446, section 5) of one direction: sealed from
 * wherever the plain bytes lie, opened to wherever they belong, so that a
 * partition's memory is not copied on its way.  The AEAD is OpenSSL's.  No I/O.
 */
#ifndef _RECORD_H
#define _RECORD_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "secret.h"

/* Plain bytes of the longest record */
#define RECORD_PLAIN_BYTES	16384u
#define RECORD_HEADER_BYTES	5u
#define RECORD_TAG_BYTES	16u
/* What sealing adds: header, type of the content, tag */
#define RECORD_EXTRA_BYTES	(RECORD_HEADER_BYTES + 1 + RECORD_TAG_BYTES)
/* The longest that may come, padding included (section 5.4) */
#define RECORD_MAX_BYTES	(RECORD_PLAIN_BYTES + RECORD_EXTRA_BYTES)

/* Alerts (RFC 8446, section 6): their level is of no use any more */
#define ALERT_WARNING		1
#define ALERT_CLOSE_NOTIFY	0

enum record_type {
	RECORD_ALERT		= 21,
	RECORD_HANDSHAKE	= 22,
	RECORD_DATA		= 23,
};

/**
 * struct record_key - what protects one direction's records
 * @ctx:	OpenSSL's, with the key
 * @suite:	that was agreed on
 * @seal:	what is sent, not what is received
 * @secret:	from which the key was made
 * @iv:		likewise
 * @sequence:	records that it has protected
 */
struct record_key {
	EVP_CIPHER_CTX *ctx;
	const struct suite *suite;
	bool seal;
	struct secret secret;
	unsigned char iv[SECRET_IV_BYTES];
	uint64_t sequence;
};

/* Bytes that segments hold from a place in the first one on; @most is enough to know */
static inline size_t record_room(const struct iovec *iov, unsigned int count, size_t at,
				 size_t most)
{
	size_t room = 0;

	for (; count && room < most; iov++, count--, at = 0)
		room += iov->iov_len - at;
	return room;
}

int record_key_init(struct record_key *key, const struct suite *suite,
		    const struct secret *secret, bool seal);
int record_key_renew(struct record_key *key);
void record_key_exit(struct record_key *key);

ssize_t record_seal(struct record_key *key, enum record_type type,
		    const struct iovec *iov, size_t at, size_t bytes, uint8_t *out);
ssize_t record_whole(const uint8_t *in, size_t bytes);
ssize_t record_open(struct record_key *key, const uint8_t *record, size_t bytes,
		    const struct iovec *iov, unsigned int count, size_t at,
		    uint8_t spill[RECORD_MAX_BYTES], uint8_t *type);

#endif /* _RECORD_H */
