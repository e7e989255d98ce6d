// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The second pane: windows of partition memory, and what its I/O addresses mean.
 *
 * A window is mapped whole and only to be read.  It stays mapped while an
 * operation points into it, also after the platform took it back.  Its page
 * tables are filled where the platform's slots show it and given back when a slot
 * shows something else: unmapping a large partition at once would keep the
 * caller's event loop from all else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/map.h"
#include "libvasi/user.h"

static struct vasi_window *find_window(const struct user_device *user, uint32_t id)
{
	struct vasi_window *window;

	for (window = user->windows; window; window = window->next) {
		if (window->id == id && !window->gone)
			return window;
	}
	return NULL;
}

static void window_free(struct vasi_window *window)
{
	munmap(window->base, window->bytes);
	free(window);
}

/* Free the windows that are gone and that nothing points into */
static void sweep(struct user_device *user)
{
	struct vasi_window **at = &user->windows, *window;

	while ((window = *at)) {
		if (window->gone && !window->refs) {
			*at = window->next;
			window_free(window);
		} else {
			at = &window->next;
		}
	}
}

static int window_map(struct vasi_window *window, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	/* Reading beyond the file's end would be fatal, now and later */
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPERM;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size < window->bytes)
		return -ERANGE;
	window->base = map_shared(fd, window->bytes, PROT_READ);
	if (!window->base)
		return -errno;
	/* Contents of partitions do not belong in a core dump */
	madvise(window->base, window->bytes, MADV_DONTDUMP);
	/* Saves the kernel marking every page as used when it is unmapped */
	madvise(window->base, window->bytes, MADV_SEQUENTIAL);
	return 0;
}

/* WINDOW: takes @fd over */
void user_window_add(struct user_device *user, uint32_t id, uint64_t bytes, int fd)
{
	struct vasi_window *window = NULL;
	int ret;

	sweep(user);
	if (find_window(user, id)) {
		vasi_device_lost(&user->dev, "WINDOW: id %u is in use", id);
		goto close_fd;
	}
	if (user->window_count == USER_MAX_WINDOWS) {
		vasi_device_lost(&user->dev, "WINDOW: more than %u windows",
				 USER_MAX_WINDOWS);
		goto close_fd;
	}
	window = calloc(1, sizeof(*window));
	if (!window) {
		vasi_device_lost(&user->dev, "WINDOW: no memory");
		goto close_fd;
	}
	window->id = id;
	window->bytes = bytes;
	ret = window_map(window, fd);
	if (ret) {
		vasi_device_lost(&user->dev, "WINDOW: cannot map %llu bytes: %s",
				 (unsigned long long)bytes, strerror(-ret));
		free(window);
		goto close_fd;
	}
	window->next = user->windows;
	user->windows = window;
	user->window_count++;
close_fd:
	close(fd);
}

static void drop_maps(struct user_device *user, const struct vasi_window *window)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < user->map_count; i++) {
		if (user->maps[i].window != window)
			user->maps[kept++] = user->maps[i];
	}
	user->map_count = kept;
}

/* UNWINDOW */
void user_window_remove(struct user_device *user, uint32_t id)
{
	struct vasi_window *window = find_window(user, id);

	if (!window) {
		vasi_device_lost(&user->dev, "UNWINDOW: no window %u", id);
		return;
	}
	drop_maps(user, window);
	window->gone = true;
	user->window_count--;
	sweep(user);
}

/* The first map that ends behind @ioba */
static uint32_t map_after(const struct user_device *user, uint32_t ioba)
{
	uint32_t low = 0, high = user->map_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct user_map *map = &user->maps[middle];

		if ((uint64_t)map->ioba + map->bytes <= ioba)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow_maps(struct user_device *user)
{
	uint32_t room = user->map_room ? user->map_room * 2 : 64;
	struct user_map *maps;

	maps = reallocarray(user->maps, room, sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	user->maps = maps;
	user->map_room = room;
	return 0;
}

/* The platform maps a range anew only when no operation points into it */
static void forget_pages(const struct user_map *map)
{
	madvise(map->window->base + map->offset, map->bytes, MADV_DONTNEED);
}

/* Put @map in place of what it overlaps */
static int replace_maps(struct user_device *user, const struct user_map *map)
{
	uint32_t first = map_after(user, map->ioba), last = first;
	uint64_t end = (uint64_t)map->ioba + map->bytes;

	while (last < user->map_count && user->maps[last].ioba < end)
		last++;
	if (first == last && user->map_count == user->map_room) {
		if (user->map_count >= USER_MAX_MAPS)
			return -ENOSPC;
		if (grow_maps(user))
			return -ENOMEM;
	}
	for (uint32_t i = first; i < last; i++)
		forget_pages(&user->maps[i]);
	memmove(&user->maps[first + 1], &user->maps[last],
		(user->map_count - last) * sizeof(*map));
	user->map_count += 1 - (last - first);
	user->maps[first] = *map;
	return 0;
}

/* MAP */
void user_map_add(struct user_device *user, uint32_t id, uint32_t ioba,
		  uint32_t bytes, uint64_t offset)
{
	struct user_map map = { .ioba = ioba, .bytes = bytes, .offset = offset };
	int ret;

	map.window = find_window(user, id);
	if (!map.window) {
		vasi_device_lost(&user->dev, "MAP: no window %u", id);
		return;
	}
	if (offset > map.window->bytes || bytes > map.window->bytes - offset) {
		vasi_device_lost(&user->dev, "MAP: %u bytes at %llu exceed window %u of %llu",
				 bytes, (unsigned long long)offset, id,
				 (unsigned long long)map.window->bytes);
		return;
	}
	ret = replace_maps(user, &map);
	if (ret)
		vasi_device_lost(&user->dev, "MAP: %u ranges are mapped: %s",
				 user->map_count, strerror(-ret));
}

/* Memory behind [@ioba, +@bytes), which must lie in one mapped range, or NULL */
static const void *translate(struct user_device *user, uint32_t ioba, uint32_t bytes,
			     struct vasi_window **window)
{
	uint32_t at = map_after(user, ioba);
	const struct user_map *map;
	uint32_t skip;

	if (at == user->map_count)
		return NULL;
	map = &user->maps[at];
	if (map->ioba > ioba)
		return NULL;
	skip = ioba - map->ioba;
	if (bytes > map->bytes - skip)
		return NULL;
	*window = map->window;
	return map->window->base + map->offset + skip;
}

/* Indirect data are read where they are: in the partition's memory */
const void *user_indirect_data(struct vasi_session *s, uint16_t pool, uint32_t index,
			       const struct vasi_segment *seg, uint64_t before,
			       struct vasi_window **window)
{
	(void)pool;
	(void)index;
	(void)before;
	return translate(to_user(s->dev), seg->ioba, seg->length, window);
}

void user_window_get(struct vasi_window *window)
{
	window->refs++;
}

/* A window that is gone is unmapped at the next sweep */
void user_window_put(struct vasi_window *window)
{
	window->refs--;
}

void user_windows_free(struct user_device *user)
{
	struct vasi_window *window;

	while ((window = user->windows)) {
		user->windows = window->next;
		window_free(window);
	}
	free(user->maps);
}
