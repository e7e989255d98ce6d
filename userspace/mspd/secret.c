// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include "common/util.h"
#include "secret.h"

static const struct suite suites[] = {
	{ SUITE_AES_128_GCM, "AES-128-GCM", "SHA256", 16 },
	{ SUITE_AES_256_GCM, "AES-256-GCM", "SHA384", 32 },
	{ SUITE_CHACHA20_POLY1305, "ChaCha20-Poly1305", "SHA256", 32 },
};

/**
 * suite_at() - the suites, one by one
 * @index: from 0 on
 *
 * Return: the suite, or NULL: there are no more.
 */
const struct suite *suite_at(size_t index)
{
	return index < ARRAY_SIZE(suites) ? &suites[index] : NULL;
}

/**
 * suite_find() - the suite of a number
 * @number: as on the wire
 *
 * Return: the suite, or NULL.
 */
const struct suite *suite_find(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		if (suites[i].number == number)
			return &suites[i];
	}
	return NULL;
}

/* HKDF-Expand-Label of RFC 8446, section 7.1, with an empty context */
static int expand(const struct suite *suite, const struct secret *secret,
		  const char *label, unsigned char *out, size_t bytes)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)suite->digest, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret->data,
					secret->bytes),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, (char *)"tls13 ", 6),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, (char *)label,
					strlen(label)),
		OSSL_PARAM_END
	};
	int ret = ctx && EVP_KDF_derive(ctx, out, bytes, params) > 0 ? 0 : -EIO;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ret;
}

/**
 * secret_keys() - key and IV that follow from a secret (section 7.3)
 * @suite: that was agreed on
 * @secret: of one direction
 * @keys: result; to be cleared by the caller
 *
 * Return: 0; -EINVAL: there is no secret; -EIO.
 */
int secret_keys(const struct suite *suite, const struct secret *secret,
		struct secret_keys *keys)
{
	int ret;

	if (!secret->bytes)
		return -EINVAL;
	ret = expand(suite, secret, "key", keys->key, suite->key_bytes);
	if (ret)
		return ret;
	return expand(suite, secret, "iv", keys->iv, sizeof(keys->iv));
}

/**
 * secret_next() - the secret after a KeyUpdate (section 7.2)
 * @suite: that was agreed on
 * @secret: is replaced
 *
 * Return: 0 or -EIO.
 */
int secret_next(const struct suite *suite, struct secret *secret)
{
	struct secret next = { .bytes = secret->bytes };
	int ret = expand(suite, secret, "traffic upd", next.data, next.bytes);

	if (!ret)
		*secret = next;
	OPENSSL_cleanse(&next, sizeof(next));
	return ret;
}
