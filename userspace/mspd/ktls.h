/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel TLS: the kernel encrypts what is sent on a socket and decrypts what is
 * received (Documentation/security.rst, "Who does what").
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

int ktls_enable(int fd, const struct agreement *agreement);
bool ktls_available(void);
int ktls_check(const struct msghdr *msg, int bytes, char why[TLS_ERROR_BYTES]);
const char *ktls_error(int err);
void ktls_end(int fd);

#endif /* _KTLS_H */
