// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of the console's shell.  Whatever is taken is words of the line's own
 * characters, and a line that is put together again from them says the same.
 */
#include "fuzz.h"
#include "hmc/hmcsh.h"

static void check_word(const char *word, size_t length)
{
	size_t used = strlen(word);

	fuzz_check(used <= length);
	for (size_t i = 0; i < used; i++) {
		unsigned char c = (unsigned char)word[i];

		fuzz_check(c >= 0x20 || c == '\t' || c == '\n' || c == SHELL_STATUS_MARK);
		fuzz_check(c != 0x7f);
	}
}

/* As words in single quotes, with $? outside of them */
static char *write_word(char *out, const char *word)
{
	*out++ = '\'';
	for (; *word; word++) {
		if (*word == '\'')
			out = stpcpy(out, "'\\''");
		else if (*word == SHELL_STATUS_MARK)
			out = stpcpy(out, "'$?'");
		else
			*out++ = *word;
	}
	*out++ = '\'';
	return out;
}

static char *write_line(const struct shell_line *line, size_t length)
{
	static const char *const joints[] = { ";", "&&", "||" };
	/* A character takes four, a word three more and a command two */
	char *text = malloc(4 * length + 3 * SHELL_WORDS + 2 * SHELL_COMMANDS + 1), *out = text;

	fuzz_check(text);
	for (size_t i = 0; i < line->ncommands; i++) {
		if (i)
			out = stpcpy(out, joints[line->commands[i].joint]);
		for (size_t j = 0; j < line->commands[i].nwords; j++) {
			out = write_word(out, line->commands[i].words[j]);
			*out++ = ' ';
		}
	}
	*out = '\0';
	return text;
}

static void check_again(const struct shell_line *line, size_t length)
{
	char *text = write_line(line, length);
	char why[SHELL_WHY_BYTES];
	struct shell_line again;

	/* Quotes may make it longer than a line may be */
	if (strlen(text) > SHELL_LINE_BYTES)
		goto free_text;
	fuzz_check(!shell_parse(text, strlen(text), &again, why));
	fuzz_check(again.ncommands == line->ncommands);
	for (size_t i = 0; i < line->ncommands; i++) {
		const struct shell_command *a = &line->commands[i], *b = &again.commands[i];

		fuzz_check(a->nwords == b->nwords && (!i || a->joint == b->joint));
		for (size_t j = 0; j < a->nwords; j++)
			fuzz_check(!strcmp(a->words[j], b->words[j]));
	}
	shell_release(&again);
free_text:
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[SHELL_WHY_BYTES] = "";
	struct shell_line line;
	char *word;

	if (shell_parse((const char *)data, size, &line, why)) {
		fuzz_check(why[0] && memchr(why, 0, sizeof(why)));
		return 0;
	}
	fuzz_check(line.ncommands <= SHELL_COMMANDS);
	for (size_t i = 0; i < line.ncommands; i++) {
		fuzz_check(line.commands[i].nwords);
		for (size_t j = 0; j < line.commands[i].nwords; j++) {
			check_word(line.commands[i].words[j], size);
			word = shell_expand(line.commands[i].words[j], (int)size);
			fuzz_check(word && !strchr(word, SHELL_STATUS_MARK));
			free(word);
		}
	}
	check_again(&line, size);
	shell_release(&line);
	return 0;
}
