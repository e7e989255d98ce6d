// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The console's commands in one program: which one is the name it is called by,
 * or its first argument.
 */
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "hmc/console.h"
#include "hmc/hmcsh.h"
#include "hmc/session.h"

static const struct command *const commands[] = {
	&command_migrlpar,
	&command_lslparmigr,
	&command_lssyscfg,
	&command_lshwres,
	&command_lsrefcode,
	&command_chsyscfg,
	&command_chsysstate,
	&command_mksyscfg,
	&command_rmsyscfg,
	&command_chlparstate,
	&command_messages,
	&command_checks,
	&command_diagrmc,
	&command_hmcrelay,
	&command_lshmc,
	&command_lshmcusr,
	&command_mkauthkeys,
};

static const struct command hmc = {
	.name = "hmc",
	.usage = "Usage: hmc COMMAND ARGUMENT...\n"
		 "The commands of the management console; each can also be called by its name.\n"
		 "COMMAND --help describes it.\n"
		 "hmc messages and hmc checks list what they may say, and what validation checks.\n",
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static bool wants(int argc, char **argv, const char *option)
{
	return argc > 1 && !strcmp(argv[1], option);
}

static int run(const struct command *command, int argc, char **argv)
{
	int status;

	if (wants(argc, argv, "--help")) {
		fputs(command->usage, stdout);
		return EXIT_DONE;
	}
	if (wants(argc, argv, "--version")) {
		printf("%s %s\n", command->name, VASI_VERSION);
		return EXIT_DONE;
	}
	if (!command->run)
		return usage_error(command, "A command is missing or unknown.");
	session_begin(command->name, argc, argv);
	status = session_end(command->run(command, argc, argv));
	/* An earlier line may have failed */
	if ((fflush(stdout) || ferror(stdout)) && !status) {
		message("LPM0003", "The output could not be written.");
		status = EXIT_FAILED;
	}
	return status;
}

/* The name it is called by; a login shell's begins with "-" */
static const char *called(int argc, char **argv)
{
	const char *name = argc ? argv[0] : "";
	const char *slash = strrchr(name, '/');

	if (slash)
		return slash + 1;
	return *name == '-' ? name + 1 : name;
}

int main(int argc, char **argv)
{
	const char *name = called(argc, argv);
	const struct command *command = find(name);

	/* What -v tells is of use when it happens, through a pipe too */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(name, "hmcsh"))
		return hmcsh_main(commands, ARRAY_SIZE(commands), argc, argv);
	if (command)
		return run(command, argc, argv);
	if (argc > 1)
		command = find(argv[1]);
	if (command)
		return run(command, argc - 1, argv + 1);
	return run(&hmc, argc, argv);
}
