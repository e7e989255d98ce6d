// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ownership records in files.  A record is a line of text; whatever is not
 * exactly one of the two lines that this file writes is an error, and never
 * "there is no record".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/record.h"

#define RECORD_LINE_BYTES	128
#define RECORD_NAME_BYTES	64
#define TEMP_PREFIX		".new-"

/*
 * @unsynced: a record may be there that is not on disk yet; nobody may hear of it
 */
struct record_dir {
	int fd;
	int lock_fd;
	bool unsynced;
};

static const char *verdict_word(enum phyp_verdict verdict)
{
	return verdict == PHYP_VERDICT_RESUMED ? "resumed" : "never";
}

static int format_line(char *line, uint64_t id, enum phyp_verdict verdict)
{
	return snprintf(line, RECORD_LINE_BYTES,
			"vasi-ownership-record 1 stream %016" PRIx64
			" verdict %s end\n", id, verdict_word(verdict));
}

static void format_name(char *name, const char *prefix, uint64_t id)
{
	snprintf(name, RECORD_NAME_BYTES, "%sstream-%016" PRIx64 ".record",
		 prefix, id);
}

/* What a crash left behind was never a record: nobody acted on it */
static void remove_leftovers(struct record_dir *dir)
{
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!list) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(list)))
		if (!strncmp(entry->d_name, TEMP_PREFIX, strlen(TEMP_PREFIX)))
			unlinkat(dir->fd, entry->d_name, 0);
	closedir(list);
}

/**
 * record_dir_open() - open the directory of a system's records
 * @path:	created when it is missing; its parent must exist
 * @dir:	on success
 *
 * Return: 0; -EBUSY when another system uses it; another negative errno.
 */
int record_dir_open(const char *path, struct record_dir **dir)
{
	struct record_dir *new;
	int ret;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (new->fd < 0) {
		ret = -errno;
		goto err_free;
	}
	new->lock_fd = openat(new->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC |
			      O_NOFOLLOW, 0600);
	if (new->lock_fd < 0) {
		ret = -errno;
		goto err_close_dir;
	}
	if (flock(new->lock_fd, LOCK_EX | LOCK_NB)) {
		ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
		goto err_close_lock;
	}
	remove_leftovers(new);
	/* Who wrote last may have ended between link() and fsync() */
	new->unsynced = true;
	*dir = new;
	return 0;

err_close_lock:
	close(new->lock_fd);
err_close_dir:
	close(new->fd);
err_free:
	free(new);
	return ret;
}

/**
 * record_dir_close() - let go of it
 * @dir:	may be NULL
 */
void record_dir_close(struct record_dir *dir)
{
	if (!dir)
		return;
	close(dir->lock_fd);
	close(dir->fd);
	free(dir);
}

static int sync_dir(struct record_dir *dir)
{
	if (fsync(dir->fd))
		return -errno;
	dir->unsynced = false;
	return 0;
}

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/**
 * record_dir_read() - what the record of a stream says
 * @dir:	records
 * @stream_id:	stream
 * @verdict:	PHYP_VERDICT_NONE when there is no record
 *
 * Return: 0; -EBADMSG for a file that is not exactly a record of this stream;
 * another negative errno when it cannot be read.
 */
int record_dir_read(struct record_dir *dir, uint64_t stream_id,
		    enum phyp_verdict *verdict)
{
	static const enum phyp_verdict all[] = {
		PHYP_VERDICT_RESUMED, PHYP_VERDICT_NEVER,
	};
	char name[RECORD_NAME_BYTES], line[RECORD_LINE_BYTES];
	char found[RECORD_LINE_BYTES];
	ssize_t bytes;
	int fd;

	*verdict = PHYP_VERDICT_NONE;
	format_name(name, "", stream_id);
	fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
		    O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	bytes = read_all(fd, found, sizeof(found));
	close(fd);
	if (bytes < 0)
		return (int)bytes;
	if (dir->unsynced) {
		int ret = sync_dir(dir);

		if (ret)
			return ret;
	}
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int length = format_line(line, stream_id, all[i]);

		if (bytes == length && !memcmp(line, found, (size_t)length)) {
			*verdict = all[i];
			return 0;
		}
	}
	log_error("%s in the state directory is no ownership record of stream %016"
		  PRIx64, name, stream_id);
	return -EBADMSG;
}

static int write_synced(int fd, const char *line, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, line + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/**
 * record_dir_write() - write a stream's record, once
 * @dir:	records
 * @stream_id:	stream
 * @verdict:	PHYP_VERDICT_RESUMED or PHYP_VERDICT_NEVER
 *
 * The record appears whole under its name or not at all, and is on disk when
 * this returns 0.  When syncing the directory fails the record may stay: reading
 * it fails as well, until the directory could be synced.
 *
 * Context: sleeps for two fsync().
 * Return: 0; -EEXIST when there is one already (whatever it says); another
 * negative errno.
 */
int record_dir_write(struct record_dir *dir, uint64_t stream_id,
		     enum phyp_verdict verdict)
{
	char name[RECORD_NAME_BYTES], temp[RECORD_NAME_BYTES];
	char line[RECORD_LINE_BYTES];
	int length, fd, ret;

	if (verdict != PHYP_VERDICT_RESUMED && verdict != PHYP_VERDICT_NEVER)
		return -EINVAL;
	length = format_line(line, stream_id, verdict);
	format_name(name, "", stream_id);
	format_name(temp, TEMP_PREFIX, stream_id);

	unlinkat(dir->fd, temp, 0);
	fd = openat(dir->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
		    O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = write_synced(fd, line, (size_t)length);
	close(fd);
	/* link() refuses an existing name, which rename() would replace */
	if (!ret && linkat(dir->fd, temp, dir->fd, name, 0))
		ret = -errno;
	unlinkat(dir->fd, temp, 0);
	if (ret)
		return ret;
	dir->unsynced = true;
	return sync_dir(dir);
}
