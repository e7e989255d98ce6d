// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Listening unix sockets with a place in the file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/unixsock.h"

#define LISTEN_BACKLOG	128

static int fill_address(struct sockaddr_un *address, const char *path)
{
	size_t length = strlen(path);

	if (!length)
		return -EINVAL;
	if (length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	return 0;
}

/**
 * unix_connect() - connect to a unix socket
 * @path:	where it is
 * @type:	SOCK_STREAM or SOCK_SEQPACKET
 *
 * Context: does not block: a full backlog is -EAGAIN.
 * Return: a non-blocking, close-on-exec socket or a negative errno.
 */
int unix_connect(const char *path, int type)
{
	struct sockaddr_un address;
	int fd, ret;

	ret = fill_address(&address, path);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* The directory of @path, locked: whoever replaces a stale socket holds it */
static int lock_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory;
	int fd, ret;

	if (!slash)
		directory = strdup(".");
	else
		directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 ? -errno : fd;
	free(directory);
	if (fd < 0)
		return ret;
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/*
 * Remove a socket that nobody listens on.  Anything else stays: a file that is
 * no socket, a live socket, one that cannot be asked.
 */
static int remove_stale(const char *path, int type)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = unix_connect(path, type);
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address,
			   mode_t mode, struct unix_listener *listener)
{
	struct stat st;
	int ret;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -errno;
	/* Until listen() nobody can connect, whatever the umask left open */
	if (chmod(address->sun_path, mode) || lstat(address->sun_path, &st) ||
	    listen(fd, LISTEN_BACKLOG)) {
		ret = -errno;
		unlink(address->sun_path);
		return ret;
	}
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	return 0;
}

/**
 * unix_listen() - listen on a unix socket
 * @path:	where it is to be
 * @type:	SOCK_STREAM or SOCK_SEQPACKET
 * @mode:	permissions of the file
 * @listener:	set on success
 *
 * A socket file that nobody listens on any more is replaced; a live one is
 * not, nor a file of another kind.  A lock on the directory keeps two starting
 * daemons from taking each other's fresh socket for a stale one.
 *
 * Context: may sleep for that lock.
 * Return: 0, -EADDRINUSE for a live socket, -EEXIST for another file, or
 * another negative errno.
 */
int unix_listen(const char *path, int type, mode_t mode,
		struct unix_listener *listener)
{
	struct sockaddr_un address;
	int directory, fd, ret;

	listener->fd = -1;
	listener->path = NULL;
	ret = fill_address(&address, path);
	if (ret)
		return ret;
	directory = lock_directory(path);
	if (directory < 0)
		return directory;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		ret = -errno;
		goto unlock_directory;
	}
	listener->path = strdup(path);
	if (!listener->path) {
		ret = -ENOMEM;
		goto close_socket;
	}
	ret = remove_stale(path, type);
	if (!ret)
		ret = bind_and_listen(fd, &address, mode, listener);
	if (ret)
		goto free_path;
	listener->fd = fd;
	close(directory);
	return 0;

free_path:
	free(listener->path);
	listener->path = NULL;
close_socket:
	close(fd);
unlock_directory:
	close(directory);
	return ret;
}

/**
 * unix_unlisten() - stop listening and remove the socket's file
 * @listener:	one that unix_listen() set; also one where it failed
 *
 * The file is removed only if it is still the one that was made.
 */
void unix_unlisten(struct unix_listener *listener)
{
	struct stat st;
	int directory;

	if (listener->fd < 0)
		return;
	directory = lock_directory(listener->path);
	if (!lstat(listener->path, &st) && st.st_dev == listener->dev &&
	    st.st_ino == listener->ino)
		unlink(listener->path);
	close(listener->fd);
	if (directory >= 0)
		close(directory);
	free(listener->path);
	listener->path = NULL;
	listener->fd = -1;
}

/**
 * unix_send_fd() - send bytes, and perhaps a descriptor with them
 * @socket:	unix socket
 * @data:	the bytes
 * @length:	how many, at least 1
 * @fd:		descriptor to pass, or -1; stays the caller's
 *
 * Context: does not wait.
 * Return: bytes sent, or a negative errno.
 */
ssize_t unix_send_fd(int socket, const void *data, size_t length, int fd)
{
	struct iovec iov = { (void *)data, length };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	ssize_t sent;

	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	do {
		sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}
