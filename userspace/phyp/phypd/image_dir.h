/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory of a system's images, and the notes beside them
 * (Documentation/suspended-partitions.rst).
 */
#ifndef _PHYPD_IMAGE_DIR_H
#define _PHYPD_IMAGE_DIR_H

#include <stdbool.h>
#include <stdint.h>

#define IMAGE_NAME_BYTES	32	/* of a partition or a system */

struct image_dir;

enum image_note_type {
	IMAGE_NOTE_NONE,
	IMAGE_NOTE_DEPARTING,
	IMAGE_NOTE_ARRIVING,
};

/**
 * struct image_note - which stream an image is in
 * @type:	which way
 * @stream_id:	of the stream
 * @peer:	the other system's name, or ""
 */
struct image_note {
	enum image_note_type type;
	uint64_t stream_id;
	char peer[IMAGE_NAME_BYTES];
};

int image_dir_open(const char *state_dir, struct image_dir **dir);
void image_dir_close(struct image_dir *dir);
int image_dir_list(struct image_dir *dir,
		   void (*found)(void *ctx, const char *name), void *ctx);

/* All of these sync; they are for jobs.  0 or a negative errno */
int image_dir_create(struct image_dir *dir, const char *name, int *fd);
int image_dir_keep(struct image_dir *dir, const char *name, int fd);
void image_dir_forget_new(struct image_dir *dir, const char *name);
int image_dir_use(struct image_dir *dir, const char *name);
int image_dir_unuse(struct image_dir *dir, const char *name);
void image_dir_forget_used(struct image_dir *dir, const char *name);
int image_dir_remove(struct image_dir *dir, const char *name);
int image_dir_note(struct image_dir *dir, const char *name, const struct image_note *note);
int image_dir_forget_note(struct image_dir *dir, const char *name);

/* These do not */
int image_dir_image(struct image_dir *dir, const char *name, int *fd);
bool image_dir_has(struct image_dir *dir, const char *name);
int image_dir_read_note(struct image_dir *dir, const char *name, struct image_note *note);

#endif /* _PHYPD_IMAGE_DIR_H */
