/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shell of a console's user: a line taken apart, and what runs it
 * (Documentation/console-access.rst).
 */
#ifndef _HMC_HMCSH_H
#define _HMC_HMCSH_H

#include <stddef.h>

#include "hmc/console.h"

#define SHELL_LINE_BYTES	65536
#define SHELL_WORDS		1024		/* of a line, in all its commands */
#define SHELL_COMMANDS		64		/* of a line */
#define SHELL_STATUS_MARK	'\001'		/* stands for $? in a word */
#define SHELL_WHY_BYTES		256

/**
 * enum shell_joint - when a command of a line is run
 * @SHELL_ALWAYS: after the one before it
 * @SHELL_AND:	if that one succeeded
 * @SHELL_OR:	if it failed
 */
enum shell_joint {
	SHELL_ALWAYS,
	SHELL_AND,
	SHELL_OR,
};

/**
 * struct shell_command - a command of a line
 * @joint:	when it is run
 * @words:	its words; in @line.words
 * @nwords:	how many, at least one
 */
struct shell_command {
	enum shell_joint joint;
	char **words;
	size_t nwords;
};

/**
 * struct shell_line - a line, taken apart
 * @commands:	of it
 * @ncommands:	how many, may be 0
 * @words:	of all commands
 * @text:	the words' text
 */
struct shell_line {
	struct shell_command commands[SHELL_COMMANDS];
	size_t ncommands;
	char *words[SHELL_WORDS];
	char *text;
};

int shell_parse(const char *text, size_t length, struct shell_line *line,
		char why[SHELL_WHY_BYTES]);
void shell_release(struct shell_line *line);
char *shell_expand(const char *word, int status);

int hmcsh_main(const struct command *const *commands, size_t ncommands, int argc, char **argv);

#endif /* _HMC_HMCSH_H */
