/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unix sockets with a place in the file system, and descriptors that are passed.
 */
#ifndef _UNIXSOCK_H
#define _UNIXSOCK_H

#include <sys/types.h>
#include <sys/un.h>

/* The longest path of a socket, without the byte that ends it */
#define UNIX_PATH_BYTES	(sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/**
 * struct unix_listener - a listening unix socket
 * @fd:		the socket, or -1
 * @dev:	device and
 * @ino:	inode of the file, to remove no file but our own
 * @path:	where it is
 */
struct unix_listener {
	int fd;
	dev_t dev;
	ino_t ino;
	char *path;
};

int unix_listen(const char *path, int type, mode_t mode,
		struct unix_listener *listener);
void unix_unlisten(struct unix_listener *listener);
int unix_connect(const char *path, int type);
ssize_t unix_send_fd(int socket, const void *data, size_t length, int fd);

#endif /* _UNIXSOCK_H */
