// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The suspended partitions that a system finds when it starts: which are its own, which
 * another's, and which nobody can tell (Documentation/suspended-partitions.rst has the
 * table).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "phyp/phypd/hibernate.h"
#include "phyp/phypd/image.h"
#include "phyp/phypd/memory.h"

static void list_damaged(struct partition *p, const char *fmt, const char *what)
{
	char text[MEMORY_ERROR_BYTES + 64];

	if (p->damaged)
		return;
	snprintf(text, sizeof(text), fmt, what);
	p->damaged = strdup(text);
	log_error("partition %s: suspended, but %s", p->name, text);
}

/* What its image says of itself */
static void describe(struct partition *p)
{
	char error[MEMORY_ERROR_BYTES] = "";
	struct image_info info = { .description = NULL };
	uint32_t granule;
	uint64_t bytes;
	int fd, ret;

	/* Until it is known better: everybody divides by it */
	p->granule = 4096;
	ret = image_dir_image(p->system->images, p->name, &fd);
	if (ret) {
		list_damaged(p, "its image cannot be opened: %s", strerror(-ret));
		return;
	}
	ret = image_look(fd, &info, error);
	close(fd);
	if (ret) {
		list_damaged(p, "%s", error);
		return;
	}
	granule = info.granule;
	bytes = info.memory;
	ret = mgmt_partition_parse(info.description, p);
	json_decref(info.description);
	if (!ret && p->granule == granule && p->memory.bytes == bytes)
		return;
	p->granule = 4096;
	p->memory.bytes = 0;
	list_damaged(p, "%s", "the image is damaged: it is not of this partition");
}

static void list(struct system *system, const char *name, const struct image_note *note)
{
	struct partition *p;

	if (system->partition_count >= SYSTEM_MAX_PARTITIONS ||
	    !(p = partition_new(system, name))) {
		log_error("partition %s: suspended, but there is no room for it", name);
		return;
	}
	p->note = *note;
	describe(p);
	if (p->description) {
		uint32_t id = (uint32_t)json_integer_value(json_object_get(p->description,
									   "lpar_id"));

		partition_set_id(p, id);
	}
	if (!p->damaged)
		log_info("partition %s: suspended, %" PRIu64 " bytes of memory", name,
			 p->memory.bytes);
}

/* A departing one without an image: it was the target's, and let go */
static void find_departing(struct system *system, const char *name,
			   const struct image_note *note)
{
	if (image_dir_has(system->images, name)) {
		list(system, name, note);
		log_warning("partition %s: in stream %016" PRIx64 ": whose it is the target's record says",
			    name, note->stream_id);
	} else if (image_dir_forget_note(system->images, name)) {
		log_warning("partition %s: the note of what has moved cannot be removed", name);
	}
}

/* It did not become this system's, and never will */
static void drop_arriving(struct system *system, const char *name,
			  const struct image_note *note)
{
	int ret = image_dir_remove(system->images, name);

	if (!ret)
		ret = image_dir_forget_note(system->images, name);
	log_info("partition %s: had not arrived in stream %016" PRIx64 ": %s", name,
		 note->stream_id, ret ? strerror(-ret) : "removed");
	if (ret)
		list(system, name, note);
}

static void take_arriving(struct system *system, const char *name,
			  const struct image_note *note)
{
	static const struct image_note none;

	/* Without an image: describe() says so */
	if (image_dir_has(system->images, name) &&
	    !image_dir_forget_note(system->images, name))
		note = &none;
	list(system, name, note);
}

/* This system is the target: its record decides, and now there is one */
static void find_arriving(struct system *system, const char *name,
			  const struct image_note *note)
{
	enum phyp_verdict verdict = PHYP_VERDICT_NONE;
	int ret = phyp_verdict(system->phyp, note->stream_id, &verdict);

	if (ret) {
		log_error("partition %s: arriving in stream %016" PRIx64 ": its record: %s; nothing is decided",
			  name, note->stream_id, strerror(-ret));
		list(system, name, note);
	} else if (verdict == PHYP_VERDICT_RESUMED) {
		take_arriving(system, name, note);
	} else {
		drop_arriving(system, name, note);
	}
}

static void find_one(void *ctx, const char *name)
{
	struct system *system = ctx;
	struct image_note note;
	int ret = image_dir_read_note(system->images, name, &note);

	if (ret) {
		struct partition *p;

		/* Which stream, if any, nobody knows: it is in one, of the id 0 */
		note = (struct image_note) { .type = IMAGE_NOTE_DEPARTING };
		list(system, name, &note);
		p = partition_find(system, name);
		if (p)
			list_damaged(p, "its note is damaged: %s", strerror(-ret));
	} else if (note.type == IMAGE_NOTE_DEPARTING) {
		find_departing(system, name, &note);
	} else if (note.type == IMAGE_NOTE_ARRIVING) {
		find_arriving(system, name, &note);
	} else {
		list(system, name, &note);
	}
}

/**
 * hibernate_find() - list the suspended partitions that this system has
 * @system:	with its records, images and platform
 *
 * Return: 0 or a negative errno.
 */
int hibernate_find(struct system *system)
{
	return image_dir_list(system->images, find_one, system);
}
