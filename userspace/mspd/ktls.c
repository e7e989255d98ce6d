// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/tls.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include "common/util.h"
#include "ktls.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

/* RFC 8446, section 5.1 and appendix B.2 */
#define RECORD_ALERT		21
#define RECORD_DATA		23
#define ALERT_WARNING		1
#define ALERT_CLOSE_NOTIFY	0

/* Suites of TLS 1.3: RFC 8446, appendix B.4 */
static const struct suite {
	uint16_t number;
	const char *digest;
	size_t key_bytes;
} suites[] = {
	{ 0x1301, "SHA256", 16 },	/* AES-128-GCM */
	{ 0x1302, "SHA384", 32 },	/* AES-256-GCM */
	{ 0x1303, "SHA256", 32 },	/* ChaCha20-Poly1305 */
};

/* What setsockopt() takes, by suite */
union crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes128;
	struct tls12_crypto_info_aes_gcm_256 aes256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

static const struct suite *find_suite(uint16_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
		if (suites[i].number == number)
			return &suites[i];
	}
	return NULL;
}

/* HKDF-Expand-Label of RFC 8446, section 7.1, with an empty context */
static int expand(const struct suite *suite, const struct tls_secret *secret,
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
 * ktls_derive() - key and IV from a traffic secret (RFC 8446, section 7.3)
 * @suite: number of the suite
 * @secret: of one side
 * @keys: result; to be cleared by the caller
 *
 * Return: 0; -EOPNOTSUPP: another suite, or no secret; -EIO.
 */
int ktls_derive(uint16_t suite, const struct tls_secret *secret,
		struct ktls_keys *keys)
{
	const struct suite *s = find_suite(suite);
	int ret;

	if (!s || !secret->bytes)
		return -EOPNOTSUPP;
	keys->key_bytes = s->key_bytes;
	ret = expand(s, secret, "key", keys->key, s->key_bytes);
	if (ret)
		return ret;
	return expand(s, secret, "iv", keys->iv, sizeof(keys->iv));
}

/* GCM: the first four bytes of the IV are what the kernel calls the salt */
static socklen_t fill_info(union crypto_info *info, uint16_t suite,
			   const struct ktls_keys *keys)
{
	memset(info, 0, sizeof(*info));
	info->info.version = TLS_1_3_VERSION;
	switch (suite) {
	case 0x1301:
		info->info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(info->aes128.salt, keys->iv, sizeof(info->aes128.salt));
		memcpy(info->aes128.iv, keys->iv + sizeof(info->aes128.salt),
		       sizeof(info->aes128.iv));
		memcpy(info->aes128.key, keys->key, sizeof(info->aes128.key));
		return sizeof(info->aes128);
	case 0x1302:
		info->info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(info->aes256.salt, keys->iv, sizeof(info->aes256.salt));
		memcpy(info->aes256.iv, keys->iv + sizeof(info->aes256.salt),
		       sizeof(info->aes256.iv));
		memcpy(info->aes256.key, keys->key, sizeof(info->aes256.key));
		return sizeof(info->aes256);
	default:
		info->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(info->chacha20.iv, keys->iv, sizeof(info->chacha20.iv));
		memcpy(info->chacha20.key, keys->key, sizeof(info->chacha20.key));
		return sizeof(info->chacha20);
	}
}

static int set_direction(int fd, int direction, uint16_t suite,
			 const struct tls_secret *secret)
{
	struct ktls_keys keys;
	union crypto_info info;
	socklen_t bytes;
	int ret;

	ret = ktls_derive(suite, secret, &keys);
	if (ret)
		goto cleanse;
	bytes = fill_info(&info, suite, &keys);
	if (setsockopt(fd, SOL_TLS, direction, &info, bytes))
		ret = -errno;
cleanse:
	OPENSSL_cleanse(&keys, sizeof(keys));
	OPENSSL_cleanse(&info, sizeof(info));
	return ret;
}

static int set_both(int fd, uint16_t suite, const struct tls_secret *send,
		    const struct tls_secret *receive)
{
	int ret;

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		return -errno;
	ret = set_direction(fd, TLS_TX, suite, send);
	if (ret)
		return ret;
	return set_direction(fd, TLS_RX, suite, receive);
}

/**
 * ktls_enable() - hand a connection to the kernel
 * @fd: its socket; nothing of the peer's was read beyond the handshake
 * @tls: its handshake has ended, and no record followed
 *
 * Return: 0, or negative errno; the socket is of no use then.
 */
int ktls_enable(int fd, const struct tls *tls)
{
	const struct tls_secret *secrets = tls_secrets(tls);
	enum tls_side own = tls_is_server(tls) ? TLS_SERVER : TLS_CLIENT;
	enum tls_side peer = tls_is_server(tls) ? TLS_CLIENT : TLS_SERVER;

	return set_both(fd, tls_suite(tls), &secrets[own], &secrets[peer]);
}

/* Only a connected socket can be asked */
static int connected_socket(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t bytes = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (listener < 0 || fd < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &bytes) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	close(listener);
	return fd;
}

/**
 * ktls_available() - does this kernel have TLS 1.3 for both directions and all suites?
 *
 * Context: blocks shortly; connects to itself over loopback.
 */
bool ktls_available(void)
{
	const struct tls_secret secret = { .bytes = 32 };
	bool available = true;

	for (size_t i = 0; i < ARRAY_SIZE(suites) && available; i++) {
		int fd = connected_socket();

		available = fd >= 0 && !set_both(fd, suites[i].number, &secret, &secret);
		close(fd);
	}
	return available;
}

static int record_type(const struct msghdr *msg)
{
	const struct cmsghdr *cmsg;

	/* CMSG_NXTHDR() takes no const */
	for (cmsg = CMSG_FIRSTHDR(msg); cmsg;
	     cmsg = CMSG_NXTHDR((struct msghdr *)msg, (struct cmsghdr *)cmsg)) {
		if (cmsg->cmsg_level == SOL_TLS && cmsg->cmsg_type == TLS_GET_RECORD_TYPE)
			return *CMSG_DATA(cmsg);
	}
	return RECORD_DATA;
}

/**
 * ktls_check() - what a receive has brought
 * @msg: as it was received into, with KTLS_CONTROL_BYTES of control
 * @bytes: that were received
 * @why: result, on error
 *
 * Return: @bytes if they are data; 0: the peer sends no more; -EPROTO.
 */
int ktls_check(const struct msghdr *msg, int bytes, char why[TLS_ERROR_BYTES])
{
	const unsigned char *body = msg->msg_iov->iov_base;
	int type = record_type(msg);

	if (type == RECORD_DATA)
		return bytes;
	if (type != RECORD_ALERT || bytes < 2 || msg->msg_iov->iov_len < 2) {
		snprintf(why, TLS_ERROR_BYTES,
			 "TLS: a record of type %d, which kernel TLS cannot take", type);
		return -EPROTO;
	}
	if (body[1] == ALERT_CLOSE_NOTIFY)
		return 0;
	snprintf(why, TLS_ERROR_BYTES, "TLS: the peer refuses: %s",
		 SSL_alert_desc_string_long(body[1]));
	return -EPROTO;
}

/**
 * ktls_end() - tell the peer that nothing more comes
 * @fd: a socket that the kernel encrypts; all was sent
 *
 * Context: does not block; where the socket takes nothing now, the peer is not told.
 */
void ktls_end(int fd)
{
	unsigned char alert[] = { ALERT_WARNING, ALERT_CLOSE_NOTIFY };
	struct iovec iov = { alert, sizeof(alert) };
	_Alignas(struct cmsghdr) char control[KTLS_CONTROL_BYTES] = { };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = RECORD_ALERT;
	if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}
