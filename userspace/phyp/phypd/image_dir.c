// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The directory of a system's images.  A name appears in it only for what is whole and
 * on disk; that it is gone is on disk, too, before anybody acts on it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phyp/phypd/image_dir.h"

#define DIRECTORY	"suspended"
#define NEW		".new-"
#define USED		".used-"
#define IMAGE		".image"
#define NOTE		".note"
#define FILE_BYTES	160		/* 31 bytes as %XX, with both ends */
#define LINE_BYTES	256

struct image_dir {
	int fd;
};

/* ---- Names ---- */

/* No two names are alike afterwards, none is hidden, and none leads elsewhere */
static void encode(char *to, const char *name)
{
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;

		if (isalnum(byte) || byte == '-' || byte == '_')
			*to++ = (char)byte;
		else
			to += sprintf(to, "%%%02X", byte);
	}
	*to = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Only what encode() has made */
static bool decode(char name[IMAGE_NAME_BYTES], const char *from, size_t length)
{
	char again[FILE_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < length; i++) {
		int byte = (unsigned char)from[i];

		if (byte == '%' && i + 2 < length && hex_digit(from[i + 1]) >= 0 &&
		    hex_digit(from[i + 2]) >= 0) {
			byte = hex_digit(from[i + 1]) << 4 | hex_digit(from[i + 2]);
			i += 2;
		}
		if (n >= IMAGE_NAME_BYTES - 1 || !byte)
			return false;
		name[n++] = (char)byte;
	}
	name[n] = '\0';
	encode(again, name);
	return n && strlen(again) == length && !memcmp(again, from, length);
}

static void file_name(char file[FILE_BYTES], const char *before, const char *name,
		      const char *after)
{
	size_t n = strlen(before);

	memcpy(file, before, n);
	encode(file + n, name);
	strcat(file, after);
}

/* ---- The directory ---- */

static int sync_dir(const struct image_dir *dir)
{
	return fsync(dir->fd) ? -errno : 0;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static DIR *open_list(const struct image_dir *dir)
{
	int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list && fd >= 0)
		close(fd);
	return list;
}

/* What a crash left: nobody counts on the first, and the second has been used */
static int remove_leftovers(const struct image_dir *dir)
{
	DIR *list = open_list(dir);
	struct dirent *entry;

	if (!list)
		return -errno;
	while ((entry = readdir(list)))
		if (begins(entry->d_name, NEW) || begins(entry->d_name, USED))
			unlinkat(dir->fd, entry->d_name, 0);
	closedir(list);
	return sync_dir(dir);
}

/**
 * image_dir_open() - open the directory of a system's images
 * @state_dir:	the system's, and nobody else uses it
 * @dir:	on success
 *
 * Return: 0 or a negative errno.
 */
int image_dir_open(const char *state_dir, struct image_dir **dir)
{
	int parent = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct image_dir *new = NULL;
	int ret = -ENOMEM;

	if (parent < 0)
		return -errno;
	if (mkdirat(parent, DIRECTORY, 0700) ? errno != EEXIST : fsync(parent)) {
		ret = -errno;
		goto out;
	}
	new = calloc(1, sizeof(*new));
	if (!new)
		goto out;
	new->fd = openat(parent, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	ret = new->fd < 0 ? -errno : remove_leftovers(new);
	if (!ret) {
		*dir = new;
		goto out;
	}
	if (new->fd >= 0)
		close(new->fd);
	free(new);
out:
	close(parent);
	return ret;
}

/**
 * image_dir_close() - let go of it
 * @dir:	may be NULL
 */
void image_dir_close(struct image_dir *dir)
{
	if (!dir)
		return;
	close(dir->fd);
	free(dir);
}

/* The partition whose image, or lone note, this file is */
static bool is_named(const struct image_dir *dir, const char *file,
		     char name[IMAGE_NAME_BYTES])
{
	size_t length = strlen(file), end;

	end = strlen(IMAGE);
	if (length > end && !strcmp(file + length - end, IMAGE))
		return decode(name, file, length - end);
	end = strlen(NOTE);
	if (length <= end || strcmp(file + length - end, NOTE) ||
	    !decode(name, file, length - end))
		return false;
	return !image_dir_has((struct image_dir *)dir, name);
}

static int collect_names(const struct image_dir *dir, DIR *list,
			 char (**names)[IMAGE_NAME_BYTES], size_t *count)
{
	char (*more)[IMAGE_NAME_BYTES];
	char name[IMAGE_NAME_BYTES];
	struct dirent *entry;

	while ((entry = readdir(list))) {
		if (!is_named(dir, entry->d_name, name))
			continue;
		more = reallocarray(*names, *count + 1, sizeof(**names));
		if (!more)
			return -ENOMEM;
		*names = more;
		memcpy(more[(*count)++], name, sizeof(name));
	}
	return 0;
}

/**
 * image_dir_list() - tell the name of each partition that has an image or a note
 * @dir:	images
 * @found:	told once of each
 * @ctx:	for @found
 *
 * Return: 0 or a negative errno.
 */
int image_dir_list(struct image_dir *dir,
		   void (*found)(void *ctx, const char *name), void *ctx)
{
	char (*names)[IMAGE_NAME_BYTES] = NULL;
	DIR *list = open_list(dir);
	size_t n = 0;
	int ret;

	if (!list)
		return -errno;
	/* Who is told may remove files, and readdir() would tell of them all the same */
	ret = collect_names(dir, list, &names, &n);
	closedir(list);
	for (size_t i = 0; !ret && i < n; i++)
		found(ctx, names[i]);
	free(names);
	return ret;
}

/* ---- Images ---- */

/**
 * image_dir_create() - an empty file for a partition's image, not under its name yet
 * @dir:	images
 * @name:	of the partition
 * @fd:		on success
 *
 * Return: 0 or a negative errno.
 */
int image_dir_create(struct image_dir *dir, const char *name, int *fd)
{
	char file[FILE_BYTES];

	file_name(file, NEW, name, IMAGE);
	unlinkat(dir->fd, file, 0);
	*fd = openat(dir->fd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd < 0 ? -errno : 0;
}

/**
 * image_dir_forget_new() - the file of image_dir_create() is not wanted
 * @dir:	images
 * @name:	of the partition
 */
void image_dir_forget_new(struct image_dir *dir, const char *name)
{
	char file[FILE_BYTES];

	file_name(file, NEW, name, IMAGE);
	unlinkat(dir->fd, file, 0);
}

/**
 * image_dir_keep() - the image is whole: it gets its name
 * @dir:	images
 * @name:	of the partition
 * @fd:		of image_dir_create(); stays the caller's
 *
 * Return: 0: it is on disk under its name; -EEXIST: there is one already; another
 * negative errno.  On failure it does not have the name.
 */
int image_dir_keep(struct image_dir *dir, const char *name, int fd)
{
	char from[FILE_BYTES], to[FILE_BYTES];
	int ret = fsync(fd) ? -errno : 0;

	file_name(from, NEW, name, IMAGE);
	file_name(to, "", name, IMAGE);
	/* link() refuses an existing name, which rename() would replace */
	if (!ret && linkat(dir->fd, from, dir->fd, to, 0))
		ret = -errno;
	unlinkat(dir->fd, from, 0);
	if (ret)
		return ret;
	ret = sync_dir(dir);
	if (ret)
		unlinkat(dir->fd, to, 0);
	return ret;
}

/**
 * image_dir_use() - what the image holds is about to execute: it is none any more
 * @dir:	images
 * @name:	of the partition
 *
 * Return: 0, or a negative errno: then it is still one.
 */
int image_dir_use(struct image_dir *dir, const char *name)
{
	char from[FILE_BYTES], to[FILE_BYTES];
	int ret;

	file_name(from, "", name, IMAGE);
	file_name(to, USED, name, IMAGE);
	if (renameat(dir->fd, from, dir->fd, to))
		return -errno;
	ret = sync_dir(dir);
	if (ret)
		renameat(dir->fd, to, dir->fd, from);
	return ret;
}

/**
 * image_dir_unuse() - it has not executed after all
 * @dir:	images
 * @name:	of the partition
 *
 * Return: 0 or a negative errno.
 */
int image_dir_unuse(struct image_dir *dir, const char *name)
{
	char from[FILE_BYTES], to[FILE_BYTES];

	file_name(from, USED, name, IMAGE);
	file_name(to, "", name, IMAGE);
	return renameat(dir->fd, from, dir->fd, to) ? -errno : sync_dir(dir);
}

/**
 * image_dir_forget_used() - free the disk of one that was used
 * @dir:	images
 * @name:	of the partition
 */
void image_dir_forget_used(struct image_dir *dir, const char *name)
{
	char file[FILE_BYTES];

	file_name(file, USED, name, IMAGE);
	unlinkat(dir->fd, file, 0);
}

static int remove_file(struct image_dir *dir, const char *name, const char *end)
{
	char file[FILE_BYTES];

	file_name(file, "", name, end);
	if (unlinkat(dir->fd, file, 0) && errno != ENOENT)
		return -errno;
	return sync_dir(dir);
}

/**
 * image_dir_remove() - remove a partition's image, if it has one
 * @dir:	images
 * @name:	of the partition
 *
 * Return: 0 or a negative errno.
 */
int image_dir_remove(struct image_dir *dir, const char *name)
{
	return remove_file(dir, name, IMAGE);
}

/**
 * image_dir_image() - open a partition's image
 * @dir:	images
 * @name:	of the partition
 * @fd:		on success
 *
 * Return: 0; -ENOENT; another negative errno.
 */
int image_dir_image(struct image_dir *dir, const char *name, int *fd)
{
	char file[FILE_BYTES];

	file_name(file, "", name, IMAGE);
	*fd = openat(dir->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return *fd < 0 ? -errno : 0;
}

/**
 * image_dir_has() - is there a file where a partition's image would be?
 * @dir:	images
 * @name:	of the partition
 */
bool image_dir_has(struct image_dir *dir, const char *name)
{
	char file[FILE_BYTES];

	file_name(file, "", name, IMAGE);
	return !faccessat(dir->fd, file, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* ---- Notes ---- */

static int format_note(char line[LINE_BYTES], const struct image_note *note)
{
	char peer[FILE_BYTES];

	encode(peer, note->peer);
	return snprintf(line, LINE_BYTES, "vasi-suspended-note 1 %s stream %016" PRIx64
			" peer =%s end\n", note->type == IMAGE_NOTE_ARRIVING ?
			"arriving" : "departing", note->stream_id, peer);
}

static int write_all(int fd, const char *line, size_t length)
{
	while (length) {
		ssize_t n = write(fd, line, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		line += n;
		length -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/**
 * image_dir_note() - note which stream an image is in, or will be
 * @dir:	images
 * @name:	of the partition; it has no note yet
 * @note:	of a type other than none
 *
 * Return: 0: it is on disk; or a negative errno: there is none.
 */
int image_dir_note(struct image_dir *dir, const char *name, const struct image_note *note)
{
	char new[FILE_BYTES], file[FILE_BYTES], line[LINE_BYTES];
	int length = format_note(line, note);
	int fd, ret;

	file_name(new, NEW, name, NOTE);
	file_name(file, "", name, NOTE);
	unlinkat(dir->fd, new, 0);
	fd = openat(dir->fd, new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	ret = write_all(fd, line, (size_t)length);
	close(fd);
	if (!ret && linkat(dir->fd, new, dir->fd, file, 0))
		ret = -errno;
	unlinkat(dir->fd, new, 0);
	if (ret)
		return ret;
	ret = sync_dir(dir);
	if (ret)
		unlinkat(dir->fd, file, 0);
	return ret;
}

/**
 * image_dir_forget_note() - the image is in no stream any more
 * @dir:	images
 * @name:	of the partition
 *
 * Return: 0 or a negative errno.
 */
int image_dir_forget_note(struct image_dir *dir, const char *name)
{
	return remove_file(dir, name, NOTE);
}

static ssize_t read_line(struct image_dir *dir, const char *file, char line[LINE_BYTES])
{
	int fd = openat(dir->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, line, LINE_BYTES - 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

/* Only what format_note() makes, byte by byte */
static bool parse_note(const char *line, ssize_t length, struct image_note *note)
{
	char again[LINE_BYTES], word[16], peer[FILE_BYTES] = "";

	if (sscanf(line, "vasi-suspended-note 1 %15s stream %16" SCNx64 " peer =%159[^ ]", word,
		   &note->stream_id, peer) < 2)
		return false;
	note->type = strcmp(word, "arriving") ? IMAGE_NOTE_DEPARTING : IMAGE_NOTE_ARRIVING;
	note->peer[0] = '\0';
	if (*peer && !decode(note->peer, peer, strlen(peer)))
		return false;
	return format_note(again, note) == length && !memcmp(again, line, (size_t)length);
}

/**
 * image_dir_read_note() - which stream an image is in
 * @dir:	images
 * @name:	of the partition
 * @note:	of type none when there is no note
 *
 * Return: 0; -EBADMSG for a file that is not exactly a note; another negative errno.
 */
int image_dir_read_note(struct image_dir *dir, const char *name, struct image_note *note)
{
	char file[FILE_BYTES], line[LINE_BYTES] = "";
	ssize_t n;

	*note = (struct image_note) { .type = IMAGE_NOTE_NONE };
	file_name(file, "", name, NOTE);
	n = read_line(dir, file, line);
	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return (int)n;
	return parse_note(line, n, note) ? 0 : -EBADMSG;
}
