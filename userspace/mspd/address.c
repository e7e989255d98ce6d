// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses of movers, from text and back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conn.h"

/* Of names, IPv4 addresses, and IPv6 addresses with their scope */
#define HOST_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%"

/**
 * conn_host() - the name or address of a host, as far as can be told without asking
 * @text: "host" or "[host]"; need not end there
 * @length: of it
 * @host: result
 * @why: on error, a text
 *
 * Return: 0 or -EINVAL.
 */
int conn_host(const char *text, size_t length, char host[CONN_HOST_BYTES], const char **why)
{
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (!length || length >= CONN_HOST_BYTES) {
		*why = "no name of a host, or more than 255 bytes";
		return -EINVAL;
	}
	memcpy(host, text, length);
	host[length] = '\0';
	/* The resolver would ask others for whatever it is given */
	if (host[0] == '-' || host[strspn(host, HOST_CHARACTERS)]) {
		*why = "neither an address nor the name of a host";
		return -EINVAL;
	}
	return 0;
}

/**
 * conn_resolve() - what an address means
 * @text: "host:port", "[host]:port" or, without a port, "host"
 * @with_port: a port is expected
 * @address: result
 * @why: on error, a text
 *
 * Context: may block in the resolver for names that are not numeric.
 * Return: 0 or -EINVAL.
 */
int conn_resolve(const char *text, bool with_port, struct conn_address *address,
		 const char **why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	struct addrinfo *found;
	char host[CONN_HOST_BYTES];
	size_t length = strlen(text);
	char *end;
	long port;
	int ret;

	if (with_port) {
		if (!colon || !colon[1]) {
			*why = "no port (host:port)";
			return -EINVAL;
		}
		port = strtol(colon + 1, &end, 10);
		if (*end || port < 1 || port > 65535) {
			*why = "the port is not one of 1 to 65535";
			return -EINVAL;
		}
		hints.ai_flags = AI_NUMERICSERV;
		length = (size_t)(colon - text);
	}
	if (conn_host(text, length, host, why))
		return -EINVAL;
	ret = getaddrinfo(host, with_port ? colon + 1 : NULL, &hints, &found);
	if (ret) {
		*why = gai_strerror(ret);
		return -EINVAL;
	}
	memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
	address->length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/**
 * conn_format() - an address as text
 * @address: the address
 * @text: result, without the port
 * @port: result, host byte order
 */
void conn_format(const struct conn_address *address, char text[CONN_NAME_BYTES],
		 uint16_t *port)
{
	const struct sockaddr_in6 *in6 = (const void *)&address->storage;
	const struct sockaddr_in *in = (const void *)&address->storage;

	snprintf(text, CONN_NAME_BYTES, "?");
	*port = 0;
	if (address->storage.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, text, CONN_NAME_BYTES);
		*port = ntohs(in->sin_port);
	} else if (address->storage.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, CONN_NAME_BYTES);
		*port = ntohs(in6->sin6_port);
	}
}
