// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of how the console's shell takes a line apart.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/util.h"
#include "hmc/hmcsh.h"

/* "word|word;word" with "&" and "|" for joints: what a line is as one text */
static char *flatten(const struct shell_line *line)
{
	static const char *const joints[] = { " ; ", " && ", " || " };
	static char text[4096];
	char *out = text;

	*out = '\0';
	for (size_t i = 0; i < line->ncommands; i++) {
		const struct shell_command *c = &line->commands[i];

		assert_true(c->nwords);
		out = stpcpy(out, i ? joints[c->joint] : "");
		for (size_t j = 0; j < c->nwords; j++)
			out += sprintf(out, "%s[%s]", j ? " " : "", c->words[j]);
	}
	return text;
}

static void check(const char *text, const char *expected)
{
	struct shell_line line;
	char why[SHELL_WHY_BYTES] = "";

	if (shell_parse(text, strlen(text), &line, why))
		fail_msg("%s: %s", text, why);
	assert_string_equal(flatten(&line), expected);
	shell_release(&line);
}

static void refused(const char *text, size_t length, const char *reason)
{
	struct shell_line line;
	char why[SHELL_WHY_BYTES] = "";

	assert_int_equal(shell_parse(text, length, &line, why), -EINVAL);
	if (!strstr(why, reason))
		fail_msg("%.40s: \"%s\" is not in: %s", text, reason, why);
}

static void test_words(void **state)
{
	(void)state;
	check("", "");
	check("  \t ", "");
	check("# all of it", "");
	check("a b\tc", "[a] [b] [c]");
	check("a 'b c' \"d e\" f\\ g", "[a] [b c] [d e] [f g]");
	check("a '' \"\"", "[a] [] []");
	check("'it'\"'\"'s'", "[it's]");
	check("a'b'\"c\"\\d", "[abcd]");
	check("a#b #c", "[a#b]");
	check("a \\\n b", "[a] [b]");
	check("a\\\nb", "[ab]");
	check("\\\n", "");
	check("\xc3\xa4 '\xe2\x82\xac'", "[\xc3\xa4] [\xe2\x82\xac]");
	check("a!b a=b a,b a:b ]}", "[a!b] [a=b] [a,b] [a:b] []}]");
}

static void test_quotes(void **state)
{
	(void)state;
	check("'$(x) `y` \\ \" * ; & | < >'", "[$(x) `y` \\ \" * ; & | < >]");
	check("\"\\$(x) \\` \\\\ \\\" \\x '\"", "[$(x) ` \\ \" \\x ']");
	check("\\$\\(x\\) \\* \\; \\& \\| \\< \\`", "[$(x)] [*] [;] [&] [|] [<] [`]");
	check("\"a\\\nb\"", "[ab]");
	/* As scripts quote attributes of -i */
	check("-i \"vnic_mappings=\\\"3/ded/v1\\\"\"", "[-i] [vnic_mappings=\"3/ded/v1\"]");
	check("-i \"\\\"virtual_fc_mappings=4//1/14/fcs0\\\",dest_lpar_id=5\"",
	      "[-i] [\"virtual_fc_mappings=4//1/14/fcs0\",dest_lpar_id=5]");
	check("--filter 'lpar_names=a b'", "[--filter] [lpar_names=a b]");
	check("PS1=\\[ssh-expect\\]#", "[PS1=[ssh-expect]#]");
}

static void test_joints(void **state)
{
	(void)state;
	check("a; b;c;", "[a] ; [b] ; [c]");
	check("a&&b || c", "[a] && [b] || [c]");
	check("a\nb\n\nc", "[a] ; [b] ; [c]");
	check("a &&\n b", "[a] && [b]");
	check("a;\nb", "[a] ; [b]");
	check("a # b; c\nd", "[a] ; [d]");
	refused(";", 1, "missing before \";\"");
	refused("a;;b", 4, "missing before \";\"");
	refused("&& a", 4, "missing before \"&&\"");
	refused("a && || b", 9, "missing before \"||\"");
	refused("a ||", 4, "missing at its end");
}

static void test_what_there_is_not(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} cases[] = {
		{ "a | b", "pipes" }, { "a & b", "background" }, { "a &", "background" },
		{ "a > b", "redirect" }, { "a 2>&1", "redirect" }, { "a < b", "redirect" },
		{ "a $(b)", "$(" }, { "a \"$(b)\"", "$(" }, { "a `b`", "output" },
		{ "a \"`b`\"", "backquote" }, { "a $b", "variables" }, { "a \"$b\"", "variables" },
		{ "a ${b}", "variables" }, { "a $1", "variables" }, { "a $'b'", "variables" },
		{ "a *", "patterns" }, { "a b?", "patterns" }, { "a [b]", "patterns" },
		{ "(a)", "grouped" }, { "{ a; }", "grouped" }, { "a {b,c}", "grouped" },
		{ "~/a", "home" }, { "a 'b", "single quote" }, { "a \"b", "double quote" },
		{ "a \\", "backslash" }, { "a\x1b[31m", "0x1b" }, { "a\rb", "0x0d" },
		{ "a\x7f", "0x7f" }, { "'a\x01'", "0x01" }, { "a\xc2\x9b", "0xc2" },
		{ "a\xff\xfe", "UTF-8" }, { "a\xc3", "UTF-8" }, { "a\xed\xa0\x80", "UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refused(cases[i].text, strlen(cases[i].text), cases[i].reason);
	refused("a\0b", 3, "0x00");
}

static void test_limits(void **state)
{
	char *text = malloc(SHELL_LINE_BYTES + 2);
	struct shell_line line;
	char why[SHELL_WHY_BYTES];

	(void)state;
	assert_non_null(text);
	memset(text, 'x', SHELL_LINE_BYTES + 1);
	assert_int_equal(shell_parse(text, SHELL_LINE_BYTES, &line, why), 0);
	assert_int_equal(strlen(line.words[0]), SHELL_LINE_BYTES);
	shell_release(&line);
	refused(text, SHELL_LINE_BYTES + 1, "65537 bytes");
	for (size_t i = 1; i < SHELL_LINE_BYTES; i += 2)
		text[i] = ' ';
	assert_int_equal(shell_parse(text, 2 * SHELL_WORDS, &line, why), 0);
	assert_int_equal(line.commands[0].nwords, SHELL_WORDS);
	shell_release(&line);
	refused(text, 2 * SHELL_WORDS + 1, "1024 words");
	for (size_t i = 1; i < SHELL_LINE_BYTES; i += 2)
		text[i] = ';';
	assert_int_equal(shell_parse(text, 2 * SHELL_COMMANDS, &line, why), 0);
	assert_int_equal(line.ncommands, SHELL_COMMANDS);
	shell_release(&line);
	refused(text, 2 * SHELL_COMMANDS + 1, "64 commands");
	free(text);
}

static void test_status(void **state)
{
	static const char text[] = "echo $?\"-$?\"'$?'\\$\\? $";
	struct shell_line line;
	char why[SHELL_WHY_BYTES];
	char *word;

	(void)state;
	assert_int_equal(shell_parse(text, strlen(text), &line, why), 0);
	word = shell_expand(line.commands[0].words[1], 127);
	assert_string_equal(word, "127-127$?$?");
	free(word);
	assert_string_equal(line.commands[0].words[2], "$");
	shell_release(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_joints),
		cmocka_unit_test(test_what_there_is_not),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
