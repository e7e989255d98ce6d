// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line of the console's shell, taken apart as a POSIX shell would do it: words,
 * quotes, ";", "&&", "||" and "$?".  There is nothing else: what would make a shell
 * read, write or run anything more is refused, and then nothing of the line is run.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "hmc/hmcsh.h"

/**
 * struct parser - where a line has been read to
 * @at:		next character
 * @end:	of the line
 * @out:	where the next character of a word goes
 * @line:	what was read
 * @nwords:	of all commands
 * @joint:	of the command that is to come
 * @pending:	a command must follow "&&" or "||"
 * @open:	a command has begun: the next word is its
 * @why:	why the line is refused
 */
struct parser {
	const char *at;
	const char *end;
	char *out;
	struct shell_line *line;
	size_t nwords;
	enum shell_joint joint;
	bool pending;
	bool open;
	char *why;
};

static int refuse(struct parser *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, SHELL_WHY_BYTES, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool next_is(const struct parser *p, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(p->end - p->at) >= length && !memcmp(p->at, text, length);
}

static void put(struct parser *p, char c)
{
	*p->out++ = c;
}

/* At a "$": of all that it may begin there is only "$?" */
static int parse_dollar(struct parser *p, bool quoted)
{
	char c = p->at + 1 < p->end ? p->at[1] : '\0';

	if (c == '?') {
		put(p, SHELL_STATUS_MARK);
		p->at += 2;
		return 0;
	}
	if (c == '(')
		return refuse(p, "it has \"$(\": no command's output is put into a line here");
	if (isalnum((unsigned char)c) || (c && strchr("_{!@*#$-", c)) ||
	    (!quoted && (c == '\'' || c == '"')))
		return refuse(p, "it has \"$%c\": of variables there is only $? here", c);
	put(p, '$');
	p->at++;
	return 0;
}

static int parse_single_quotes(struct parser *p)
{
	for (p->at++; p->at < p->end; put(p, *p->at++)) {
		if (*p->at == '\'') {
			p->at++;
			return 0;
		}
	}
	return refuse(p, "a single quote is not closed");
}

/* At a backslash */
static int parse_escape(struct parser *p, const char *special)
{
	char c;

	if (p->at + 1 == p->end)
		return refuse(p, "it ends in a backslash");
	c = p->at[1];
	p->at += 2;
	/* A line that goes on */
	if (c == '\n')
		return 0;
	if (special && !strchr(special, c))
		put(p, '\\');
	put(p, c);
	return 0;
}

static int parse_double_quotes(struct parser *p)
{
	int ret = 0;

	p->at++;
	while (!ret && p->at < p->end) {
		switch (*p->at) {
		case '"':
			p->at++;
			return 0;
		case '\\':
			ret = parse_escape(p, "$`\"\\");
			break;
		case '$':
			ret = parse_dollar(p, true);
			break;
		case '`':
			return refuse(p,
				      "it has a backquote: no command's output is put into a line here");
		default:
			put(p, *p->at++);
		}
	}
	return ret ? ret : refuse(p, "a double quote is not closed");
}

/* What a shell would take for more than a character, outside of quotes */
static const char *meaning(char c, bool first)
{
	switch (c) {
	case '`':
		return "no command's output is put into a line here";
	case '|':
		return "there are no pipes here: filter at your end of the connection";
	case '&':
		return "nothing runs in the background here";
	case '<':
	case '>':
		return "there are no files to redirect to or from here";
	case '(':
	case ')':
	case '{':
		return "commands cannot be grouped here, nor words be made from lists";
	case '*':
	case '?':
	case '[':
		return "there are no patterns of file names here";
	case '~':
		return first ? "there are no home directories here" : NULL;
	default:
		return NULL;
	}
}

static bool ends_word(const struct parser *p)
{
	return p->at == p->end || strchr(" \t\n;", *p->at) || next_is(p, "&&") ||
	       next_is(p, "||");
}

static int parse_part(struct parser *p, bool first)
{
	const char *why;

	switch (*p->at) {
	case '\'':
		return parse_single_quotes(p);
	case '"':
		return parse_double_quotes(p);
	case '\\':
		return parse_escape(p, NULL);
	case '$':
		return parse_dollar(p, false);
	}
	why = meaning(*p->at, first);
	if (why)
		return refuse(p, "it has \"%c\": %s; in quotes it is a character", *p->at, why);
	put(p, *p->at++);
	return 0;
}

static int begin_command(struct parser *p)
{
	struct shell_line *line = p->line;

	if (line->ncommands == SHELL_COMMANDS)
		return refuse(p, "it has more than %d commands", SHELL_COMMANDS);
	line->commands[line->ncommands++] = (struct shell_command) {
		.joint = p->joint, .words = &line->words[p->nwords],
	};
	p->open = true;
	p->pending = false;
	p->joint = SHELL_ALWAYS;
	return 0;
}

static int parse_word(struct parser *p)
{
	char *word = p->out;
	int ret;

	/* A line that goes on is no word yet */
	while (next_is(p, "\\\n"))
		p->at += 2;
	if (ends_word(p))
		return 0;
	if (!p->open && begin_command(p))
		return -EINVAL;
	if (p->nwords == SHELL_WORDS)
		return refuse(p, "it has more than %d words", SHELL_WORDS);
	for (bool first = true; !ends_word(p); first = false) {
		ret = parse_part(p, first);
		if (ret)
			return ret;
	}
	put(p, '\0');
	p->line->words[p->nwords++] = word;
	p->line->commands[p->line->ncommands - 1].nwords++;
	return 0;
}

/* At ";", "&&" or "||" */
static int parse_joint(struct parser *p)
{
	bool two = *p->at != ';';

	if (!p->open)
		return refuse(p, "a command is missing before \"%.*s\"", two ? 2 : 1, p->at);
	p->open = false;
	p->pending = two;
	if (two)
		p->joint = *p->at == '&' ? SHELL_AND : SHELL_OR;
	p->at += two ? 2 : 1;
	return 0;
}

static int parse(struct parser *p)
{
	int ret = 0;

	while (!ret && p->at < p->end) {
		if (*p->at == ' ' || *p->at == '\t') {
			p->at++;
		} else if (*p->at == '\n') {
			/* After "&&" the line goes on */
			p->open = false;
			p->at++;
		} else if (*p->at == '#') {
			p->at += strcspn(p->at, "\n");
		} else if (*p->at == ';' || next_is(p, "&&") || next_is(p, "||")) {
			ret = parse_joint(p);
		} else {
			ret = parse_word(p);
		}
	}
	if (!ret && p->pending)
		ret = refuse(p, "a command is missing at its end");
	return ret;
}

/* Text, and no more of it than may be */
static int check_text(struct parser *p, const char *text, size_t length)
{
	json_t *string;

	if (length > SHELL_LINE_BYTES)
		return refuse(p, "it has %zu bytes; at most %d are allowed", length,
			      SHELL_LINE_BYTES);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned char next = i + 1 < length ? (unsigned char)text[i + 1] : 0;

		if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f ||
		    (c == 0xc2 && (next & 0xe0) == 0x80))
			return refuse(p, "it has a control character (0x%02x) at byte %zu", c, i);
	}
	string = json_stringn(text, length);
	if (!string)
		return refuse(p, "it is not valid UTF-8");
	json_decref(string);
	return 0;
}

/**
 * shell_parse() - take a line apart
 * @text:	the line
 * @length:	its bytes; may be several lines
 * @line:	filled in on success; to be released with shell_release()
 * @why:	why it is refused: it follows "The line"
 *
 * Return: 0, or -EINVAL or -ENOMEM: nothing of it may be run.
 */
int shell_parse(const char *text, size_t length, struct shell_line *line,
		char why[SHELL_WHY_BYTES])
{
	struct parser p = { .at = text, .end = text + length, .line = line, .why = why };
	char *copy;
	int ret;

	line->ncommands = 0;
	line->text = NULL;
	ret = check_text(&p, text, length);
	if (ret)
		return ret;
	/* A word takes no more than it has characters, and its end; strcspn() wants one, too */
	copy = malloc(length + 1);
	line->text = malloc(2 * length + 1);
	if (!copy || !line->text) {
		refuse(&p, "there is no memory for it");
		ret = -ENOMEM;
		goto free_copy;
	}
	memcpy(copy, text, length);
	copy[length] = '\0';
	p.at = copy;
	p.end = copy + length;
	p.out = line->text;
	ret = parse(&p);
free_copy:
	free(copy);
	if (ret)
		shell_release(line);
	return ret;
}

/**
 * shell_release() - give back what shell_parse() made
 * @line:	not used any more
 */
void shell_release(struct shell_line *line)
{
	free(line->text);
	line->text = NULL;
	line->ncommands = 0;
}

/**
 * shell_expand() - put $? into a word
 * @word:	of a line
 * @status:	of the last command
 *
 * Return: a word that is the caller's, or NULL: no memory.
 */
char *shell_expand(const char *word, int status)
{
	char number[8], *text, *out;
	size_t marks = 0;

	for (const char *c = word; *c; c++)
		marks += *c == SHELL_STATUS_MARK;
	snprintf(number, sizeof(number), "%d", status & 0xff);
	text = malloc(strlen(word) + marks * sizeof(number) + 1);
	if (!text)
		return NULL;
	for (out = text; *word; word++) {
		if (*word == SHELL_STATUS_MARK)
			out = stpcpy(out, number);
		else
			*out++ = *word;
	}
	*out = '\0';
	return text;
}
