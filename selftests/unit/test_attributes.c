// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of attributes as -i and -f have them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/util.h"
#include "hmc/attributes.h"

static const char *const known[] = { "name", "lpar_id", "msp", "a1", "virtual_fc_mappings",
				     "virtual_scsi_mappings", NULL };

static void is(const char *text, const char *name, const char *value, size_t pairs)
{
	char why[ATTRIBUTES_WHY] = "";
	json_t *attributes;

	if (attributes_parse(text, known, &attributes, why))
		fail_msg("%s: %s", text, why);
	assert_int_equal(json_object_size(attributes), pairs);
	assert_string_equal(json_string_value(json_object_get(attributes, name)), value);
	json_decref(attributes);
}

static void test_pairs(void **state)
{
	(void)state;
	is("name=web1", "name", "web1", 1);
	is("lpar_id=3,msp=1", "msp", "1", 2);
	is("lpar_id=3, msp=1", "msp", "1", 2);
	is("name=", "name", "", 1);
	is("name=,msp=0", "name", "", 2);
	is("name=a=b,msp=1", "name", "a=b", 2);
	is("name=a b", "name", "a b", 1);
	is("name=c:\\d,msp=1", "name", "c:\\d", 2);
	is("virtual_fc_mappings=4//1/14/fcs0", "virtual_fc_mappings", "4//1/14/fcs0", 1);
}

static void test_quotes(void **state)
{
	const char *list = "4/vios1/1,5/vios2/2";
	const char *inner = "\"5/client/2/v/8/c0,c1/1\",\"6/client/3/w/9/c2,c3/1\"";

	(void)state;
	is("\"virtual_scsi_mappings=4/vios1/1,5/vios2/2\"", "virtual_scsi_mappings", list, 1);
	is("\"virtual_scsi_mappings=4/vios1/1,5/vios2/2\",msp=1", "virtual_scsi_mappings", list,
	   2);
	is("msp=1,\"virtual_scsi_mappings=4/vios1/1,5/vios2/2\" ,name=x",
	   "virtual_scsi_mappings", list, 3);
	is("virtual_scsi_mappings=\"4/vios1/1,5/vios2/2\",msp=1", "virtual_scsi_mappings", list,
	   2);
	/* As it is when a shell has not taken the backslashes away */
	is("\\\"virtual_scsi_mappings=4/vios1/1,5/vios2/2\\\",msp=1", "virtual_scsi_mappings",
	   list, 2);
	is("\"virtual_fc_mappings=\"\"5/client/2/v/8/c0,c1/1\"\",\"\"6/client/3/w/9/c2,c3/1\"\"\"",
	   "virtual_fc_mappings", inner, 1);
	is("\"virtual_fc_mappings=\\\"5/client/2/v/8/c0,c1/1\\\",\\\"6/client/3/w/9/c2,c3/1\\\"\"",
	   "virtual_fc_mappings", inner, 1);
	is("\\\"virtual_fc_mappings=\\\"\\\"5/client/2/v/8/c0,c1/1\\\"\\\",\\\"\\\"6/client/3/w/9/c2,c3/1\\\"\\\"\\\"",
	   "virtual_fc_mappings", inner, 1);
	is("\"name=say \"\"hello\"\"\",msp=1", "name", "say \"hello\"", 2);
	is("name=\"\",msp=1", "name", "", 2);
}

static void refused(const char *text, const char *reason)
{
	char why[ATTRIBUTES_WHY] = "";
	json_t *attributes;

	assert_int_equal(attributes_parse(text, known, &attributes, why), -EINVAL);
	assert_null(attributes);
	if (!strstr(why, reason))
		fail_msg("%.80s: \"%s\", not \"%s\"", text, why, reason);
}

static void test_refused(void **state)
{
	(void)state;
	refused("", "no attribute");
	refused("  ", "no attribute");
	refused("name", "pair 1 is not attribute=value");
	refused("name=x,msp", "pair 2 is not");
	refused("name=x,,msp=1", "pair 2 is not");
	refused("name=x,", "last comma");
	refused("name=x, ", "last comma");
	refused("=x", "pair 1 is not");
	refused("na me=x", "pair 1 is not");
	refused("io_slots+=3//1", "pair 1 is not");
	refused("color=red", "\"color\" is unknown");
	refused("name=x,name=y", "\"name\" is given twice");
	refused("\"name=x", "not closed");
	refused("name=\"x", "not closed");
	refused("name=\"x\\", "not closed");
	refused("\\\"name=x\"", "not closed");
	refused("name=a\"b\"", "within a pair");
	refused("\"name=a\"b\"", "within a pair");
	refused("name=a\nmsp=1", "0x0a");
	refused("name=\xff", "UTF-8");
}

/* Every beginning of this is an answer, and none reads behind its end */
static void test_beginnings(void **state)
{
	const char *whole = "name=\"a,b\",\\\"msp=\\\"\\\"1\\\"\\\",2\\\",\"a1=\"\"x\"\",\\\"y\"";
	char why[ATTRIBUTES_WHY];
	json_t *attributes;

	(void)state;
	for (size_t i = 0; i <= strlen(whole); i++) {
		char *text = strndup(whole, i);
		int error = attributes_parse(text, known, &attributes, why);

		assert_true(error == 0 || error == -EINVAL);
		json_decref(attributes);
		free(text);
	}
}

static void test_bounds(void **state)
{
	char *text = malloc(ATTRIBUTES_BYTES + 2);

	(void)state;
	memset(text, 'x', ATTRIBUTES_BYTES + 1);
	text[ATTRIBUTES_BYTES + 1] = '\0';
	memcpy(text, "name=", 5);
	refused(text, "at most 32768");
	text[ATTRIBUTES_BYTES] = '\0';
	is(text, "name", text + 5, 1);
	free(text);
}

static int read_back(const char *content, size_t length, json_t **records, char *why)
{
	char path[] = "/tmp/attributes.XXXXXX";
	int fd = mkstemp(path), error;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, length), (ssize_t)length);
	close(fd);
	error = attributes_read(path, known, records, why);
	unlink(path);
	return error;
}

static void test_file(void **state)
{
	static const char content[] = "name=a,msp=1\r\n\n\"name=b,c\"\n  \nname=d";
	char why[ATTRIBUTES_WHY];
	json_t *records;

	(void)state;
	assert_int_equal(read_back(content, sizeof(content) - 1, &records, why), 0);
	assert_int_equal(json_array_size(records), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *name = json_object_get(json_array_get(records, i), "name");
		static const char *const names[] = { "a", "b,c", "d" };

		assert_string_equal(json_string_value(name), names[i]);
	}
	json_decref(records);
}

static void test_file_refused(void **state)
{
	static const struct {
		const char *content;
		size_t length;
		const char *reason;
	} cases[] = {
		{ "", 0, "no record" },
		{ "\n \n", 3, "no record" },
		{ "name=a\n\nroot:x:0\n", 17, "line 3: pair 1 is not" },
		{ "name=a\0b\n", 9, "byte 0" },
	};
	char why[ATTRIBUTES_WHY];
	json_t *records;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_back(cases[i].content, cases[i].length, &records, why),
				 -EINVAL);
		assert_null(records);
		assert_non_null(strstr(why, cases[i].reason));
		assert_null(strstr(why, "root"));
	}
	assert_int_equal(attributes_read("/nonexistent", known, &records, why), -EINVAL);
	assert_non_null(strstr(why, "No such file"));
	assert_int_equal(attributes_read("/dev/zero", known, &records, why), -EINVAL);
	assert_non_null(strstr(why, "no regular file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_beginnings),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
