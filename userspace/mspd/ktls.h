/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel TLS: the kernel encrypts what is sent on a socket and decrypts what is
 * received (Documentation/security.rst, "Kernel TLS").
 */
#ifndef _KTLS_H
#define _KTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include "tls.h"

/* Room for the control message that comes with what was received */
#define KTLS_CONTROL_BYTES	CMSG_SPACE(sizeof(unsigned char))
#define KTLS_MAX_KEY		32
#define KTLS_IV_BYTES		12

/**
 * struct ktls_keys - what protects one direction
 * @key_bytes:	of @key
 * @key:	of the suite
 * @iv:		from which each record's nonce is made
 */
struct ktls_keys {
	size_t key_bytes;
	unsigned char key[KTLS_MAX_KEY];
	unsigned char iv[KTLS_IV_BYTES];
};

int ktls_derive(uint16_t suite, const struct tls_secret *secret,
		struct ktls_keys *keys);
int ktls_enable(int fd, const struct tls *tls);
bool ktls_available(void);
int ktls_check(const struct msghdr *msg, int bytes, char why[TLS_ERROR_BYTES]);
void ktls_end(int fd);

#endif /* _KTLS_H */
