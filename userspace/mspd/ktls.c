// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>
#include <linux/tls.h>
#include <openssl/crypto.h>
#include "ktls.h"
#include "record.h"
#include "secret.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif


/* What setsockopt() takes, by suite */
union crypto_info {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 aes128;
	struct tls12_crypto_info_aes_gcm_256 aes256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

/* GCM: the first four bytes of the IV are what the kernel calls the salt */
static socklen_t fill_info(union crypto_info *info, const struct suite *suite,
			   const struct secret_keys *keys)
{
	memset(info, 0, sizeof(*info));
	info->info.version = TLS_1_3_VERSION;
	switch (suite->number) {
	case SUITE_AES_128_GCM:
		info->info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(info->aes128.salt, keys->iv, sizeof(info->aes128.salt));
		memcpy(info->aes128.iv, keys->iv + sizeof(info->aes128.salt),
		       sizeof(info->aes128.iv));
		memcpy(info->aes128.key, keys->key, sizeof(info->aes128.key));
		return sizeof(info->aes128);
	case SUITE_AES_256_GCM:
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

static int set_direction(int fd, int direction, const struct suite *suite,
			 const struct secret *secret)
{
	struct secret_keys keys;
	union crypto_info info;
	socklen_t bytes;
	int ret;

	ret = secret_keys(suite, secret, &keys);
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

/**
 * ktls_enable() - hand a connection to the kernel
 * @fd: its socket; nothing of the peer's was read beyond the handshake
 * @agreement: what the handshake has come to; no record followed it
 *
 * Return: 0; -ENOTCONN: one side has ended it, and the socket is as it was; or another
 * negative errno, and the socket is of no use.
 */
int ktls_enable(int fd, const struct agreement *agreement)
{
	int ret;

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")))
		return -errno;
	ret = set_direction(fd, TLS_TX, agreement->suite, &agreement->send);
	if (ret)
		return ret;
	return set_direction(fd, TLS_RX, agreement->suite, &agreement->receive);
}

static int listen_here(struct sockaddr_in *address)
{
	socklen_t bytes = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in) {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (fd >= 0 && !bind(fd, (struct sockaddr *)address, bytes) && !listen(fd, 1) &&
	    !getsockname(fd, (struct sockaddr *)address, &bytes))
		return fd;
	close(fd);
	return -1;
}

/* Only a connected socket can be asked */
static bool suite_available(const struct suite *suite, const struct sockaddr_in *address)
{
	const struct agreement try = {
		.suite = suite,
		.send.bytes = SECRET_MAX_BYTES, .receive.bytes = SECRET_MAX_BYTES,
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool available = fd >= 0 &&
			 !connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
			 !ktls_enable(fd, &try);

	close(fd);
	return available;
}

/**
 * ktls_available() - does this kernel have TLS 1.3 for both directions and all suites?
 *
 * Context: blocks shortly; connects to itself over loopback.
 */
bool ktls_available(void)
{
	const struct suite *suite;
	bool available = true;

	for (size_t i = 0; available && (suite = suite_at(i)); i++) {
		struct sockaddr_in address;
		/* Nobody accepts; closed earlier it would reset what waits there */
		int listener = listen_here(&address);

		available = listener >= 0 && suite_available(suite, &address);
		close(listener);
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
	/* The first segment is where small frames go: it holds an alert */
	if (msg->msg_iov->iov_len < (size_t)bytes)
		bytes = 0;
	return tls_control(type, body, (size_t)bytes, why);
}

/**
 * ktls_error() - what an error of the socket says about a record
 * @err: negative errno of a receive
 *
 * Return: a text for messages, or NULL: it is not about records.
 */
const char *ktls_error(int err)
{
	switch (err) {
	case -EBADMSG:
		return "TLS: a record was changed on its way, or is of another key";
	case -EMSGSIZE:
	case -EINVAL:
		return "TLS: this is no protected record";
	default:
		return NULL;
	}
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
