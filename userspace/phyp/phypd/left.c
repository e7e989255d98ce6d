// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Partitions of a description that have left.
 *
 * vasi-phypd makes the partitions of its description each time it starts.  One that has
 * migrated away meanwhile runs elsewhere, and must not be made again; nor one whose
 * migration was under way when vasi-phypd ended, as it is not known here how that went
 * on.  So it is noted before a migration begins, and forgotten when the partition stays,
 * or has come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/left.h"
#include "phyp/phypd/partition.h"

#define PREFIX		"left-"
#define FILE_BYTES	(sizeof(PREFIX) + PARTITION_NAME_BYTES)

static bool is_described(const struct system *system, const char *name)
{
	return system->params.inventory &&
	       member_named(system->params.inventory->partitions, name);
}

static int open_dir(const struct system *system)
{
	int fd = open(system->params.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void file_of(char file[FILE_BYTES], const char *name)
{
	snprintf(file, FILE_BYTES, PREFIX "%s", name);
}

/**
 * left_note() - a partition may leave from now on
 * @system:	where it is
 * @name:	of the partition
 *
 * Context: sleeps for an fsync(), if the partition is of the description.
 * Return: 0 or a negative errno: it must not migrate.
 */
int left_note(const struct system *system, const char *name)
{
	char file[FILE_BYTES];
	int dir, fd, ret = 0;

	if (!is_described(system, name))
		return 0;
	dir = open_dir(system);
	if (dir < 0)
		return dir;
	file_of(file, name);
	fd = openat(dir, file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* It is empty: that it is there is all it says */
	if (fd < 0 || fsync(dir))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	close(dir);
	return ret;
}

/**
 * left_forget() - a partition has not left, or has come back
 * @system:	where it is
 * @name:	of the partition
 *
 * If that fails it is not made at the next start, which is safe.
 */
void left_forget(const struct system *system, const char *name)
{
	char file[FILE_BYTES];
	int dir;

	if (!is_described(system, name))
		return;
	file_of(file, name);
	dir = open_dir(system);
	if (dir < 0 || (unlinkat(dir, file, 0) && errno != ENOENT))
		log_warning("partition %s: the note that it has left is not removed: %s", name,
			    strerror(dir < 0 ? -dir : errno));
	if (dir >= 0)
		close(dir);
}

/**
 * left_is_noted() - has a partition left, as far as is known?
 * @system:	where it was
 * @name:	of the partition
 *
 * Return: also true if that cannot be read.
 */
bool left_is_noted(const struct system *system, const char *name)
{
	char file[FILE_BYTES];
	bool noted = true;
	int dir = open_dir(system);

	if (dir < 0)
		return true;
	file_of(file, name);
	if (faccessat(dir, file, F_OK, AT_SYMLINK_NOFOLLOW))
		noted = errno != ENOENT;
	close(dir);
	return noted;
}
