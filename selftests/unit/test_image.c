// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images of suspended partitions: written and read, and whatever is wrong with one is
 * found; the directory that they are in, and its notes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "common/util.h"
#include "phyp/phypd/image.h"
#include "phyp/phypd/image_dir.h"

#define BYTES		(1u << 20)
#define STATE_BYTES	300
#define PAGE		4096

/* Pages that were written; of the second range one page in the middle is zero */
static const struct {
	uint64_t first, count;
} ranges[] = { { 1, 2 }, { 8, 5 }, { 255, 1 } };

#define ZERO_PAGE	10
#define RUNS		4
#define PAGES		7

struct env {
	struct memory memory;
	json_t *description;
	uint8_t state[STATE_BYTES];
	int fd;
	off_t size;
	struct memory into;
	uint8_t into_state[STATE_BYTES];
	uint64_t marked;
	char error[MEMORY_ERROR_BYTES];
};

static bool next_range(const void *ctx, uint64_t *offset, uint64_t *length)
{
	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (ranges[i].first * PAGE < *offset)
			continue;
		*offset = ranges[i].first * PAGE;
		*length = ranges[i].count * PAGE;
		return true;
	}
	return false;
}

static void mark(void *ctx, uint64_t offset, uint64_t length)
{
	struct env *env = ctx;

	assert_int_equal(offset % PAGE, 0);
	env->marked += length / PAGE;
}

static void write_one(struct env *env)
{
	const struct image_content content = {
		.memory = &env->memory, .granule = PAGE, .description = env->description,
		.state = env->state, .state_bytes = sizeof(env->state),
		.written = next_range,
	};

	assert_int_equal(ftruncate(env->fd, 0), 0);
	assert_int_equal(image_write(env->fd, &content, NULL, env->error), 0);
	env->size = lseek(env->fd, 0, SEEK_END);
}

static int read_one(struct env *env)
{
	const struct image_target target = {
		.memory = &env->into, .state = env->into_state, .mark = mark, .ctx = env,
	};

	env->marked = 0;
	env->error[0] = '\0';
	return image_read(env->fd, &target, NULL, env->error);
}

static int set_up(void **state)
{
	struct env *env = calloc(1, sizeof(*env));

	assert_non_null(env);
	assert_int_equal(memory_promise(&env->memory, BYTES, env->error), 0);
	assert_int_equal(memory_promise(&env->into, BYTES, env->error), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		memset((uint8_t *)env->memory.base + ranges[i].first * PAGE, 0x41 + (int)i,
		       ranges[i].count * PAGE);
	memset((uint8_t *)env->memory.base + ZERO_PAGE * PAGE, 0, PAGE);
	for (size_t i = 0; i < STATE_BYTES; i++)
		env->state[i] = (uint8_t)(i * 7);
	env->description = json_pack("{s:s, s:i}", "name", "web", "memory", BYTES);
	env->fd = memfd_create("image", MFD_CLOEXEC);
	assert_true(env->fd >= 0);
	write_one(env);
	*state = env;
	return 0;
}

static int tear_down(void **state)
{
	struct env *env = *state;

	close(env->fd);
	json_decref(env->description);
	memory_release(&env->memory);
	memory_release(&env->into);
	free(env);
	return 0;
}

static void comes_back(void **state)
{
	struct env *env = *state;
	struct image_info info;

	assert_int_equal(image_look(env->fd, &info, env->error), 0);
	assert_int_equal(info.memory, BYTES);
	assert_int_equal(info.granule, PAGE);
	assert_int_equal(info.state_bytes, STATE_BYTES);
	assert_true(json_equal(info.description, env->description));
	json_decref(info.description);
	assert_int_equal(read_one(env), 0);
	assert_memory_equal(env->memory.base, env->into.base, BYTES);
	assert_memory_equal(env->state, env->into_state, STATE_BYTES);
	/* Neither what was never written nor what is zero is in it */
	assert_int_equal(env->marked, PAGES);
	assert_true(env->size < (off_t)(PAGES + 1) * PAGE);
}

static void assert_damaged(struct env *env)
{
	assert_int_equal(read_one(env), -EBADMSG);
	assert_true(strlen(env->error) > 10);
}

static void flip(struct env *env, off_t at)
{
	uint8_t byte;

	assert_int_equal(pread(env->fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(env->fd, &byte, 1, at), 1);
}

/* Every byte that is not of a page, and many that are */
static void one_byte_differs(void **state)
{
	struct env *env = *state;
	off_t step;

	for (off_t at = 0; at < env->size; at += step) {
		flip(env, at);
		assert_damaged(env);
		flip(env, at);
		step = at < 1024 ? 1 : 61;
	}
	assert_int_equal(read_one(env), 0);
}

/* At each boundary of its parts, and one byte to both sides; and longer */
static void cut_anywhere(void **state)
{
	struct env *env = *state;
	off_t cuts[4 + 2 * RUNS], at = sizeof(struct image_head);
	static const uint64_t counts[RUNS] = { 2, 2, 2, 1 };
	struct image_info info;
	size_t n = 0;

	cuts[n++] = 0;
	cuts[n++] = at;
	at += (off_t)strlen("{\"memory\":1048576,\"name\":\"web\"}");
	cuts[n++] = at;
	at += STATE_BYTES;
	cuts[n++] = at;
	for (size_t i = 0; i < RUNS; i++) {
		at += sizeof(struct image_run);
		cuts[n++] = at;
		at += (off_t)counts[i] * PAGE;
		cuts[n++] = at;
	}
	assert_int_equal(at, env->size);
	for (size_t i = 0; i < n; i++) {
		for (off_t size = cuts[i] - 1; size <= cuts[i] + 1; size++) {
			if (size < 0 || size == env->size)
				continue;
			write_one(env);
			assert_int_equal(ftruncate(env->fd, size), 0);
			assert_int_equal(image_look(env->fd, &info, env->error), -EBADMSG);
			assert_damaged(env);
		}
	}
}

static void digest(const void *a, size_t a_bytes, const void *b, size_t b_bytes,
		   uint8_t out[DIGEST_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
		    EVP_DigestUpdate(ctx, a, a_bytes) && EVP_DigestUpdate(ctx, b, b_bytes) &&
		    EVP_DigestFinal_ex(ctx, out, NULL));
	EVP_MD_CTX_free(ctx);
}

/* A head with the digest that it should have */
static void forge_head(struct env *env, struct image_head *head)
{
	char text[256];
	uint32_t bytes = be32toh(head->description_bytes);

	memset(head->head_digest, 0, DIGEST_BYTES);
	if (bytes < sizeof(text)) {
		assert_int_equal(pread(env->fd, text, bytes, sizeof(*head)), bytes);
		digest(head, sizeof(*head), text, bytes, head->head_digest);
	}
	assert_int_equal(pwrite(env->fd, head, sizeof(*head), 0), sizeof(*head));
}

/* Numbers that anything would be sized by are looked at, whatever the digest says */
static void fields_that_lie(void **state)
{
	struct env *env = *state;
	struct image_info info;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct image_head h;

		write_one(env);
		assert_int_equal(pread(env->fd, &h, sizeof(h), 0), sizeof(h));
		h.magic ^= i == 0;
		h.major ^= i == 1 ? htobe16(3) : 0;
		h.head_bytes ^= i == 2 ? htobe32(8) : 0;
		h.file_bytes ^= i == 3 ? htobe64(1) : 0;
		h.memory = i == 4 ? 0 : h.memory;
		h.memory = i == 5 ? htobe64(BYTES + 1) : h.memory;
		h.memory = i == 6 ? htobe64(UINT64_MAX - 4095) : h.memory;
		h.granule = i == 7 ? 0 : h.granule;
		h.granule = i == 8 ? htobe32(8192) : h.granule;
		h.description_bytes = i == 9 ? 0 : h.description_bytes;
		h.description_bytes = i == 10 ? htobe32(UINT32_MAX) : h.description_bytes;
		h.state_bytes = i == 11 ? 0 : h.state_bytes;
		h.state_bytes = i == 12 ? htobe32(UINT32_MAX) : h.state_bytes;
		h.pages = i == 13 ? htobe64(PAGES + 1) : h.pages;
		h.pages = i == 14 ? htobe64(UINT64_MAX) : h.pages;
		h.runs = i == 15 ? htobe64(RUNS + 1) : h.runs;
		h.runs = i == 16 ? 0 : h.runs;
		h.reserved ^= i == 17;
		h.reserved2[2] ^= i == 18;
		h.minor ^= i == 19 ? htobe16(5) : 0;
		forge_head(env, &h);
		if (i == 19) {
			/* A newer minor is read */
			assert_int_equal(read_one(env), 0);
			continue;
		}
		assert_int_equal(image_look(env->fd, &info, env->error), -EBADMSG);
		assert_damaged(env);
	}
}

/* Runs that overlap, touch, go backwards or beyond, with every digest right */
static void runs_that_lie(void **state)
{
	static const struct {
		unsigned int run;
		uint64_t first, count;
	} lies[] = {
		{ 1, 2, 2 }, { 1, 3, 2 }, { 2, 9, 2 }, { 0, 256, 2 }, { 3, 255, 2 },
		{ 3, UINT64_MAX, 1 }, { 1, 8, UINT64_MAX }, { 1, 8, 0 }, { 3, 0, 1 },
	};
	static const uint64_t counts[RUNS] = { 2, 2, 2, 1 };
	struct env *env = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct image_run run = {
			.first = htobe64(lies[i].first), .count = htobe64(lies[i].count),
		};
		struct image_head h;
		off_t body, at;
		uint8_t *bytes;

		write_one(env);
		assert_int_equal(pread(env->fd, &h, sizeof(h), 0), sizeof(h));
		body = (off_t)(sizeof(h) + be32toh(h.description_bytes));
		at = body + STATE_BYTES;
		for (unsigned int r = 0; r < lies[i].run; r++)
			at += (off_t)(sizeof(run) + counts[r] * PAGE);
		assert_int_equal(pwrite(env->fd, &run, sizeof(run), at), sizeof(run));
		bytes = malloc((size_t)(env->size - body));
		assert_non_null(bytes);
		assert_int_equal(pread(env->fd, bytes, (size_t)(env->size - body), body),
				 env->size - body);
		digest(bytes, (size_t)(env->size - body), "", 0, h.body_digest);
		free(bytes);
		forge_head(env, &h);
		assert_damaged(env);
	}
}

static void memory_of_another_size(void **state)
{
	struct env *env = *state;

	memory_release(&env->into);
	assert_int_equal(memory_promise(&env->into, BYTES / 2, env->error), 0);
	assert_damaged(env);
}

static void no_room(void **state)
{
	struct env *env = *state;
	const struct image_content content = {
		.memory = &env->memory, .granule = PAGE, .description = env->description,
		.state = env->state, .state_bytes = sizeof(env->state),
		.written = next_range,
	};
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(image_write(fd, &content, NULL, env->error), -ENOSPC);
	assert_non_null(strstr(env->error, "No space left"));
	close(fd);
}

/* ---- The directory ---- */

struct dir_env {
	char path[64];
	struct image_dir *dir;
	unsigned int found;
	char name[IMAGE_NAME_BYTES];
};

static int set_up_dir(void **state)
{
	struct dir_env *env = calloc(1, sizeof(*env));

	assert_non_null(env);
	strcpy(env->path, "/tmp/test_image.XXXXXX");
	assert_non_null(mkdtemp(env->path));
	assert_int_equal(image_dir_open(env->path, &env->dir), 0);
	*state = env;
	return 0;
}

static void path_of(const struct dir_env *env, const char *file, char path[256])
{
	snprintf(path, 256, "%s/suspended/%s", env->path, file);
}

static int tear_down_dir(void **state)
{
	struct dir_env *env = *state;
	struct dirent *entry;
	char path[256];
	DIR *list;

	image_dir_close(env->dir);
	path_of(env, "", path);
	list = opendir(path);
	while (list && (entry = readdir(list)))
		unlinkat(dirfd(list), entry->d_name, 0);
	closedir(list);
	rmdir(path);
	rmdir(env->path);
	free(env);
	return 0;
}

static void found(void *ctx, const char *name)
{
	struct dir_env *env = ctx;

	env->found++;
	strcpy(env->name, name);
}

static void list(struct dir_env *env, unsigned int want)
{
	env->found = 0;
	assert_int_equal(image_dir_list(env->dir, found, env), 0);
	assert_int_equal(env->found, want);
}

static void put_image(struct dir_env *env, const char *name)
{
	int fd;

	assert_int_equal(image_dir_create(env->dir, name, &fd), 0);
	assert_int_equal(write(fd, name, strlen(name)), strlen(name));
	assert_int_equal(image_dir_keep(env->dir, name, fd), 0);
	close(fd);
}

static void put_file(const struct dir_env *env, const char *file, const char *text)
{
	char path[256];
	FILE *f;

	path_of(env, file, path);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Whatever a partition is called, its file is its own, and none is hidden or elsewhere */
static void names(void **state)
{
	static const char *const all[] = {
		"web", "..", ".", ".new-web", ".used-x", "a b", "%41", "A", "web.image",
		"~!@#$^&*()+=[]{}|\\;:'<>?`-_", "0123456789012345678901234567890",
		"...............................",
	};
	struct dir_env *env = *state;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_false(image_dir_has(env->dir, all[i]));
		put_image(env, all[i]);
		list(env, 1);
		assert_string_equal(env->name, all[i]);
		/* It is there at the next start */
		image_dir_close(env->dir);
		assert_int_equal(image_dir_open(env->path, &env->dir), 0);
		assert_true(image_dir_has(env->dir, all[i]));
		assert_int_equal(image_dir_remove(env->dir, all[i]), 0);
		list(env, 0);
	}
}

static void other_files(void **state)
{
	static const char *const others[] = {
		"web", "a.b.image", "%41.image", "%4.image", "%zz.image", "%00.image",
		".image", "web.imag", "x.note.image",
		"01234567890123456789012345678901.image",
	};
	struct dir_env *env = *state;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		put_file(env, others[i], "text");
	list(env, 0);
	put_file(env, ".new-web.image", "text");
	put_file(env, ".used-web.image", "text");
	image_dir_close(env->dir);
	assert_int_equal(image_dir_open(env->path, &env->dir), 0);
	for (unsigned int i = 0; i < 2; i++) {
		char path[256];

		path_of(env, i ? ".new-web.image" : ".used-web.image", path);
		assert_int_equal(access(path, F_OK), -1);
	}
}

static void life_of_an_image(void **state)
{
	struct dir_env *env = *state;
	char path[256];
	struct stat st;
	int fd;

	put_image(env, "web");
	path_of(env, "web.image", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	/* What is there is never replaced */
	assert_int_equal(image_dir_create(env->dir, "web", &fd), 0);
	assert_int_equal(image_dir_keep(env->dir, "web", fd), -EEXIST);
	close(fd);
	assert_int_equal(image_dir_image(env->dir, "web", &fd), 0);
	assert_int_equal(read(fd, path, 3), 3);
	assert_memory_equal(path, "web", 3);
	close(fd);
	assert_int_equal(image_dir_use(env->dir, "web"), 0);
	assert_int_equal(image_dir_image(env->dir, "web", &fd), -ENOENT);
	list(env, 0);
	assert_int_equal(image_dir_unuse(env->dir, "web"), 0);
	list(env, 1);
	assert_int_equal(image_dir_use(env->dir, "web"), 0);
	image_dir_forget_used(env->dir, "web");
	assert_int_equal(image_dir_use(env->dir, "web"), -ENOENT);
}

static void notes(void **state)
{
	static const struct image_note all[] = {
		{ IMAGE_NOTE_DEPARTING, 0x0123456789abcdefULL, "beta" },
		{ IMAGE_NOTE_ARRIVING, 1, "" },
		{ IMAGE_NOTE_DEPARTING, UINT64_MAX, "-" },
		{ IMAGE_NOTE_ARRIVING, UINT64_MAX, "a b.c%d=" },
	};
	struct dir_env *env = *state;
	struct image_note note;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(image_dir_note(env->dir, "x", &all[i]), 0);
		assert_int_equal(image_dir_read_note(env->dir, "x", &note), 0);
		assert_int_equal(note.type, all[i].type);
		assert_true(note.stream_id == all[i].stream_id);
		assert_string_equal(note.peer, all[i].peer);
		/* There is one; and it is listed, with or without an image */
		assert_int_equal(image_dir_note(env->dir, "x", &all[i]), -EEXIST);
		list(env, 1);
		put_image(env, "x");
		list(env, 1);
		assert_int_equal(image_dir_remove(env->dir, "x"), 0);
		assert_int_equal(image_dir_forget_note(env->dir, "x"), 0);
		assert_int_equal(image_dir_read_note(env->dir, "x", &note), 0);
		assert_int_equal(note.type, IMAGE_NOTE_NONE);
		list(env, 0);
	}
}

/* What is not exactly a note is an error, never "there is none" */
static void damaged_notes(void **state)
{
	static const char good[] =
		"vasi-suspended-note 1 departing stream 0123456789abcdef peer =beta end\n";
	static const char *const others[] = {
		"", "\n", "vasi-suspended-note 2 departing stream 0123456789abcdef peer =beta end\n",
		"vasi-suspended-note 1 leaving stream 0123456789abcdef peer =beta end\n",
		"vasi-suspended-note 1 departing stream 0123456789ABCDEF peer =beta end\n",
		"vasi-suspended-note 1 departing stream 0123456789abcdef peer =be.ta end\n",
		"vasi-suspended-note 1 departing stream 0123456789abcdef peer beta end\n",
	};
	struct dir_env *env = *state;
	struct image_note note;
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		put_file(env, "x.note", others[i]);
		assert_int_equal(image_dir_read_note(env->dir, "x", &note), -EBADMSG);
	}
	for (size_t i = 0; i < strlen(good); i++) {
		snprintf(text, sizeof(text), "%.*s", (int)i, good);
		put_file(env, "x.note", text);
		assert_int_equal(image_dir_read_note(env->dir, "x", &note), -EBADMSG);
	}
	put_file(env, "x.note", good);
	assert_int_equal(image_dir_read_note(env->dir, "x", &note), 0);
	snprintf(text, sizeof(text), "%sx", good);
	put_file(env, "x.note", text);
	assert_int_equal(image_dir_read_note(env->dir, "x", &note), -EBADMSG);
}

#define image_test(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define dir_test(f)	cmocka_unit_test_setup_teardown(f, set_up_dir, tear_down_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		image_test(comes_back),
		image_test(one_byte_differs),
		image_test(cut_anywhere),
		image_test(fields_that_lie),
		image_test(runs_that_lie),
		image_test(memory_of_another_size),
		image_test(no_room),
		dir_test(names),
		dir_test(other_files),
		dir_test(life_of_an_image),
		dir_test(notes),
		dir_test(damaged_notes),
	};

	log_init("test_image", LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
