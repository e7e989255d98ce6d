// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ownership records in files: written once, read exactly, and whatever is not
 * a record is an error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/log.h"
#include "phyp/phypd/record.h"

#define ID	0x0123456789abcdefULL

struct env {
	char path[64];
	struct record_dir *dir;
};

static int set_up(void **state)
{
	struct env *env = calloc(1, sizeof(*env));

	assert_non_null(env);
	strcpy(env->path, "/tmp/test_record.XXXXXX");
	assert_non_null(mkdtemp(env->path));
	assert_int_equal(record_dir_open(env->path, &env->dir), 0);
	*state = env;
	return 0;
}

static int tear_down(void **state)
{
	struct env *env = *state;
	DIR *list = opendir(env->path);
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		unlinkat(dirfd(list), entry->d_name, 0);
	closedir(list);
	record_dir_close(env->dir);
	rmdir(env->path);
	free(env);
	return 0;
}

static void put_file(const struct env *env, const char *name, const char *text,
		     size_t bytes)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", env->path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, bytes, file), bytes);
	fclose(file);
}

static size_t get_file(const struct env *env, const char *name, char *text,
		       size_t size)
{
	char path[256];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", env->path, name);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(text, 1, size, file);
	fclose(file);
	return n;
}

static void test_written_once(void **state)
{
	struct env *env = *state;
	enum phyp_verdict verdict = PHYP_VERDICT_NEVER;

	assert_int_equal(record_dir_read(env->dir, ID, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NONE);
	assert_int_equal(record_dir_write(env->dir, ID, PHYP_VERDICT_RESUMED), 0);
	assert_int_equal(record_dir_write(env->dir, ID, PHYP_VERDICT_NEVER),
			 -EEXIST);
	assert_int_equal(record_dir_write(env->dir, ID, PHYP_VERDICT_RESUMED),
			 -EEXIST);
	assert_int_equal(record_dir_read(env->dir, ID, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_RESUMED);
	assert_int_equal(record_dir_read(env->dir, ID + 1, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NONE);
	assert_int_equal(record_dir_write(env->dir, ID + 1, PHYP_VERDICT_NEVER), 0);
	assert_int_equal(record_dir_read(env->dir, ID + 1, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NEVER);
	assert_int_equal(record_dir_write(env->dir, ID + 2, PHYP_VERDICT_NONE),
			 -EINVAL);
}

static void test_survives_the_daemon(void **state)
{
	struct env *env = *state;
	enum phyp_verdict verdict;

	assert_int_equal(record_dir_write(env->dir, ID, PHYP_VERDICT_NEVER), 0);
	put_file(env, ".new-stream-0000000000000001.record", "torn", 4);
	record_dir_close(env->dir);
	assert_int_equal(record_dir_open(env->path, &env->dir), 0);
	assert_int_equal(record_dir_read(env->dir, ID, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NEVER);
	assert_int_equal(record_dir_read(env->dir, 1, &verdict), 0);
	assert_int_equal(verdict, PHYP_VERDICT_NONE);
	assert_int_equal(record_dir_write(env->dir, 1, PHYP_VERDICT_NEVER), 0);
}

static void test_one_system(void **state)
{
	struct env *env = *state;
	struct record_dir *other = NULL;

	assert_int_equal(record_dir_open(env->path, &other), -EBUSY);
	assert_null(other);
}

/* Every shortened record, and every one with one changed byte */
static void test_damage_is_an_error(void **state)
{
	static const char name[] = "stream-0123456789abcdef.record";
	struct env *env = *state;
	enum phyp_verdict verdict;
	char text[256], bad[256];
	size_t bytes;

	assert_int_equal(record_dir_write(env->dir, ID, PHYP_VERDICT_RESUMED), 0);
	bytes = get_file(env, name, text, sizeof(text));
	assert_true(bytes > 40 && bytes < 128);
	for (size_t i = 0; i < bytes; i++) {
		put_file(env, name, text, i);
		assert_int_equal(record_dir_read(env->dir, ID, &verdict),
				 -EBADMSG);
		memcpy(bad, text, bytes);
		bad[i] ^= 1;
		put_file(env, name, bad, bytes);
		assert_int_equal(record_dir_read(env->dir, ID, &verdict),
				 -EBADMSG);
		assert_int_equal(verdict, PHYP_VERDICT_NONE);
	}
	memcpy(bad, text, bytes);
	bad[bytes] = '\n';
	put_file(env, name, bad, bytes + 1);
	assert_int_equal(record_dir_read(env->dir, ID, &verdict), -EBADMSG);
	/* Another stream's record under this name */
	put_file(env, "stream-0000000000000007.record", text, bytes);
	assert_int_equal(record_dir_read(env->dir, 7, &verdict), -EBADMSG);
	/* It is there, so it is not written */
	assert_int_equal(record_dir_write(env->dir, 7, PHYP_VERDICT_NEVER),
			 -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_written_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_survives_the_daemon, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_one_system, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_damage_is_an_error, set_up,
						tear_down),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("record file", tests, NULL, NULL);
}
