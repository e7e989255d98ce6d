// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include "common/util.h"
#include "record.h"

/* On the wire all protected records are data of TLS 1.2 (section 5.2) */
#define WIRE_VERSION	0x0303

static int set_key(struct record_key *key)
{
	struct secret_keys keys;
	EVP_CIPHER *cipher = NULL;
	int ret;

	ret = secret_keys(key->suite, &key->secret, &keys);
	if (ret)
		goto cleanse;
	cipher = EVP_CIPHER_fetch(NULL, key->suite->cipher, NULL);
	if (!cipher ||
	    !EVP_CipherInit_ex2(key->ctx, cipher, keys.key, keys.iv, key->seal, NULL))
		ret = -EIO;
	memcpy(key->iv, keys.iv, sizeof(key->iv));
	key->sequence = 0;
cleanse:
	EVP_CIPHER_free(cipher);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return ret;
}

/**
 * record_key_init() - begin a direction
 * @key: result; record_key_exit() it also on error
 * @suite: that was agreed on
 * @secret: of the direction
 * @seal: records are to be made, not opened
 *
 * Return: 0; -EINVAL: there is no secret; -ENOMEM; -EIO.
 */
int record_key_init(struct record_key *key, const struct suite *suite,
		    const struct secret *secret, bool seal)
{
	*key = (struct record_key) { .suite = suite, .seal = seal, .secret = *secret };
	key->ctx = EVP_CIPHER_CTX_new();
	if (!key->ctx)
		return -ENOMEM;
	return set_key(key);
}

/**
 * record_key_renew() - go on with the key that follows (section 4.6.3)
 * @key: the direction's
 *
 * Return: 0 or -EIO.
 */
int record_key_renew(struct record_key *key)
{
	int ret = secret_next(key->suite, &key->secret);

	return ret ? ret : set_key(key);
}

/**
 * record_key_exit() - forget a key
 * @key: the direction's, or zeroed
 */
void record_key_exit(struct record_key *key)
{
	EVP_CIPHER_CTX_free(key->ctx);
	OPENSSL_cleanse(key, sizeof(*key));
}

/* Section 5.3: the sequence number, exclusive-ored into the end of the IV */
static void make_nonce(struct record_key *key, unsigned char nonce[SECRET_IV_BYTES])
{
	uint64_t sequence = htobe64(key->sequence++);
	const unsigned char *bytes = (const unsigned char *)&sequence;

	memcpy(nonce, key->iv, SECRET_IV_BYTES);
	for (size_t i = 0; i < sizeof(sequence); i++)
		nonce[SECRET_IV_BYTES - sizeof(sequence) + i] ^= bytes[i];
}

static int begin(struct record_key *key, const unsigned char nonce[SECRET_IV_BYTES],
		 const uint8_t header[RECORD_HEADER_BYTES])
{
	int unused;

	if (!EVP_CipherInit_ex2(key->ctx, NULL, NULL, nonce, key->seal, NULL) ||
	    !EVP_CipherUpdate(key->ctx, NULL, &unused, header, RECORD_HEADER_BYTES))
		return -EIO;
	return 0;
}

static int update(struct record_key *key, uint8_t *out, const void *in, size_t bytes)
{
	int done;

	return EVP_CipherUpdate(key->ctx, out, &done, in, (int)bytes) &&
	       done == (int)bytes ? 0 : -EIO;
}

/**
 * record_seal() - make a record
 * @key: of the sending direction
 * @type: of its content
 * @iov: where the content lies
 * @at: where in the first segment it begins
 * @bytes: of it, at most RECORD_PLAIN_BYTES; the segments have as many
 * @out: result: @bytes + RECORD_EXTRA_BYTES
 *
 * Return: bytes of the record, or -EIO.
 */
ssize_t record_seal(struct record_key *key, enum record_type type,
		    const struct iovec *iov, size_t at, size_t bytes, uint8_t *out)
{
	size_t length = bytes + 1 + RECORD_TAG_BYTES;
	uint8_t *to = out + RECORD_HEADER_BYTES;
	unsigned char nonce[SECRET_IV_BYTES];
	uint8_t inner = (uint8_t)type;
	int unused;

	out[0] = RECORD_DATA;
	out[1] = WIRE_VERSION >> 8;
	out[2] = WIRE_VERSION & 0xff;
	out[3] = (uint8_t)(length >> 8);
	out[4] = (uint8_t)length;
	make_nonce(key, nonce);
	if (begin(key, nonce, out))
		return -EIO;
	for (size_t left = bytes; left; iov++, at = 0) {
		size_t step = min(iov->iov_len - at, left);

		if (update(key, to, (const char *)iov->iov_base + at, step))
			return -EIO;
		to += step;
		left -= step;
	}
	if (update(key, to, &inner, 1) || !EVP_CipherFinal_ex(key->ctx, to + 1, &unused) ||
	    !EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG_BYTES, to + 1))
		return -EIO;
	return (ssize_t)(RECORD_HEADER_BYTES + length);
}

/**
 * record_whole() - is there a whole record?
 * @in: what was received
 * @bytes: of it
 *
 * Return: its bytes; 0: more are needed; -EPROTO: it is not a protected record, or longer
 * than any may be.
 */
ssize_t record_whole(const uint8_t *in, size_t bytes)
{
	size_t length;

	if (bytes < RECORD_HEADER_BYTES)
		return 0;
	length = (size_t)in[3] << 8 | in[4];
	if (in[0] != RECORD_DATA || in[1] != WIRE_VERSION >> 8 ||
	    in[2] != (WIRE_VERSION & 0xff) || length < 1 + RECORD_TAG_BYTES ||
	    length > RECORD_MAX_BYTES - RECORD_HEADER_BYTES)
		return -EPROTO;
	length += RECORD_HEADER_BYTES;
	return bytes < length ? 0 : (ssize_t)length;
}

/* Open with a nonce: @bytes of content to the segments and then to @spill, one byte, tag */
static int open_with(struct record_key *key, const unsigned char *nonce,
		     const uint8_t *record, size_t bytes, const struct iovec *iov,
		     unsigned int count, size_t at, uint8_t *spill, uint8_t *last)
{
	const uint8_t *from = record + RECORD_HEADER_BYTES;
	int unused;

	if (begin(key, nonce, record))
		return -EIO;
	for (; bytes && count; iov++, count--, at = 0) {
		size_t step = min(iov->iov_len - at, bytes);

		if (step && update(key, (uint8_t *)iov->iov_base + at, from, step))
			return -EIO;
		from += step;
		bytes -= step;
	}
	if ((bytes && update(key, spill, from, bytes)) ||
	    update(key, last, from + bytes, 1) ||
	    !EVP_CIPHER_CTX_ctrl(key->ctx, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG_BYTES,
				 (void *)(from + bytes + 1)))
		return -EIO;
	return EVP_CipherFinal_ex(key->ctx, last + 1, &unused) ? 0 : -EBADMSG;
}

/* What is in the segments already goes from the spill */
static void keep_rest(uint8_t *spill, size_t content, size_t room)
{
	if (content > room)
		memmove(spill, spill + room, content - room);
}

/**
 * record_open() - take a record apart
 * @key: of the receiving direction
 * @record: a whole one
 * @bytes: of it, as record_whole() said
 * @iov: where its content belongs
 * @count: segments
 * @at: where in the first one
 * @spill: takes what they do not hold; all of it where it is no data
 * @type: result: of the content
 *
 * Until this has succeeded nobody may look at what is in the segments.
 *
 * Return: bytes of the content; -EBADMSG: it was changed on its way; -EPROTO: it has no
 * type; -EIO.
 */
ssize_t record_open(struct record_key *key, const uint8_t *record, size_t bytes,
		    const struct iovec *iov, unsigned int count, size_t at,
		    uint8_t spill[RECORD_MAX_BYTES], uint8_t *type)
{
	size_t content = bytes - RECORD_EXTRA_BYTES;
	unsigned char nonce[SECRET_IV_BYTES];
	uint8_t last[1 + EVP_MAX_BLOCK_LENGTH];
	int ret;

	make_nonce(key, nonce);
	ret = open_with(key, nonce, record, content, iov, count, at, spill, last);
	if (ret)
		return ret;
	*type = last[0];
	if (*type == RECORD_DATA)
		return (ssize_t)content;
	/* Rare: no data, or padded (section 5.4).  Together, and from the end on */
	ret = open_with(key, nonce, record, content, NULL, 0, 0, spill, last);
	if (ret)
		return ret;
	*type = last[0];
	while (!*type && content)
		*type = spill[--content];
	if (!*type)
		return -EPROTO;
	if (*type == RECORD_DATA)
		keep_rest(spill, content, record_room(iov, count, at, content));
	return (ssize_t)content;
}
