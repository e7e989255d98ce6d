// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of what commands take from their user and show of an answer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/bytes.h"
#include "common/notice.h"
#include "common/show.h"
#include "common/util.h"

static void test_text_that_may_be_an_argument(void **state)
{
	static const char *const good[] = { "", "web1", "a b;c $(x)", "%s%n", "\xc3\xa4\xe2\x82\xac",
					    "\xc2\xa0" };
	char why[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(text_problem(good[i], 10, why, sizeof(why)), 0);
}

static void refused(const char *text, const char *reason)
{
	char why[128] = "";

	assert_int_equal(text_problem(text, 10, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, reason));
}

static void test_text_that_may_not(void **state)
{
	(void)state;
	refused("12345678901", "11 bytes; at most 10");
	refused("a\nb", "0x0a) at byte 1");
	refused("\x1b[31m", "0x1b) at byte 0");
	refused("ab\x7f", "0x7f) at byte 2");
	refused("a\xc2\x9b" "31m", "at byte 1");
	refused("\xff\xfe", "UTF-8");
	refused("\xc3", "UTF-8");
	refused("\xc0\x80", "UTF-8");
	refused("\xed\xa0\x80", "UTF-8");
}

static void test_numbers_of_bytes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;		/* -1: refused */
	} cases[] = {
		{ "0", 0 }, { "1", 1 }, { "0007", 7 }, { "5K", 5000 }, { "400M", 400000000 },
		{ "2G", 2000000000 }, { "9223372036854775807", INT64_MAX },
		{ "9223372036854775807K", -1 }, { "9223372036854775808", -1 },
		{ "99999999999999999999999", -1 }, { "9223372037G", -1 }, { "", -1 },
		{ "K", -1 }, { "-1", -1 }, { "+1", -1 }, { " 1", -1 }, { "1 ", -1 },
		{ "1k", -1 }, { "1T", -1 }, { "1KK", -1 }, { "0x10", -1 }, { "1.5", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t bytes = -1;
		int ret = parse_bytes(cases[i].text, &bytes);

		assert_int_equal(ret, cases[i].bytes < 0 ? -EINVAL : 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

/* What notice() writes to standard error */
static void capture(char *text, size_t size, const char *quoted)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t length;

	assert_non_null(file);
	assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
	notice("test: ", "it is \"%s\"", quoted);
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(file);
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	fclose(file);
}

static void test_a_notice_is_one_clean_line(void **state)
{
	char text[4096], flood[4000];

	(void)state;
	capture(text, sizeof(text), "a\n\x1b[31m\xff");
	assert_string_equal(text, "test: it is \"a??[31m?\"\n");
	memset(flood, 'x', sizeof(flood) - 1);
	flood[sizeof(flood) - 1] = '\0';
	capture(text, sizeof(text), flood);
	assert_true(strlen(text) < 2100);
	assert_string_equal(text + strlen(text) - 5, "x...\n");
}

static void test_answers_are_cleaned(void **state)
{
	json_t *answer = json_loads("{\"a\": \"x\\u001b[31m\", \"b\": [\"\\u009b\", 1, {\"c\":"
				    " \"\\n\"}], \"\\u0007\": 1, \"d\": \"\\u00e4\"}", 0, NULL);
	json_t *clean = json_loads("{\"a\": \"x?[31m\", \"b\": [\"??\", 1, {\"c\": \"?\"}],"
				   " \"d\": \"\\u00e4\"}", 0, NULL);

	(void)state;
	assert_non_null(answer);
	assert_non_null(clean);
	show_clean(answer);
	assert_true(json_equal(answer, clean));
	json_decref(clean);
	json_decref(answer);
	/* Neither is one of these taken apart */
	show_clean(NULL);
	answer = json_string("x");
	show_clean(answer);
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_that_may_be_an_argument),
		cmocka_unit_test(test_text_that_may_not),
		cmocka_unit_test(test_numbers_of_bytes),
		cmocka_unit_test(test_a_notice_is_one_clean_line),
		cmocka_unit_test(test_answers_are_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
