// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hmcsh: the login shell of a console's user.  It runs the console's commands and no
 * other program, and hands them none of its environment.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/hmcsh.h"
#include "hmc/session.h"

#define STATUS_UNKNOWN		127
#define STATUS_SIGNAL		128
#define ENVIRONMENT_MOST	16
#define PROMPT_BYTES		128
#define SELF			"/proc/self/exe"

/**
 * struct shell - one run of the shell
 * @commands:	the console's
 * @ncommands:	how many
 * @file:	--console, or NULL: the default
 * @status:	of the last command
 * @leaving:	exit was typed
 * @prompt:	before each line of a terminal
 * @environment: of commands; @variables of it
 */
struct shell {
	const struct command *const *commands;
	size_t ncommands;
	const char *file;
	int status;
	bool leaving;
	char prompt[PROMPT_BYTES];
	char *environment[ENVIRONMENT_MOST];
	size_t variables;
};

static const struct command hmcsh = {
	.name = "hmcsh",
	.usage =
"Usage: hmcsh [--console FILE] [-c LINE]\n"
"The login shell of a user of the management console: it runs the console's commands,\n"
"and nothing else.\n"
"  -c LINE           run this line; without it, what SSH_ORIGINAL_COMMAND holds, or\n"
"                    else lines of standard input\n"
"  --console FILE    console file of the commands (default: " CONSOLE_FILE ")\n"
"  --help, --version\n"
"Words, quotes, backslashes, ';', '&&', '||' and '$?' are those of a shell; what else a\n"
"shell has is refused, and nothing of the line is run.  Type help for the commands.\n"
"Exit status: that of the last command; 127 there is no such command, 2 refused.\n",
};

/* What a user types who knows an HMC, and will not find here */
static const char *const elsewhere[] = {
	"viosvrcmd", "mkvterm", "rmvterm", "chhmc", "hmcshutdown", "mkhmcusr", "chhmcusr",
	"rmhmcusr", "chhwres", "lpar_netboot", "lspartition", "updhmc", "lsled",
	"bkprofdata", "rstprofdata", "asmmenu", "vtmenu", "lssvcevents", "lshmcldap",
};

static const struct command *find(const struct shell *shell, const char *name)
{
	for (size_t i = 0; i < shell->ncommands; i++)
		if (!strcmp(shell->commands[i]->name, name))
			return shell->commands[i];
	return NULL;
}

static void set(struct shell *shell, const char *name, const char *value)
{
	char *text;

	if (!value || shell->variables == ENVIRONMENT_MOST - 1 ||
	    asprintf(&text, "%s=%s", name, value) < 0)
		return;
	shell->environment[shell->variables++] = text;
}

/* A value from outside, if it is one word of harmless characters */
static const char *harmless(const char *name, const char *others)
{
	const char *value = getenv(name);
	size_t length = value ? strnlen(value, 256) : 0;

	if (!length || length == 256)
		return NULL;
	for (const char *c = value; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(others, *c))
			return NULL;
	return value;
}

/* All that commands get to know of where they are */
static void make_environment(struct shell *shell)
{
	const struct passwd *user = getpwuid(getuid());

	set(shell, "PATH", "/usr/bin:/bin");
	set(shell, "LANG", "C.UTF-8");
	set(shell, SESSION_SHELL, "1");
	set(shell, "LPM_CONSOLE", shell->file);
	set(shell, "TERM", harmless("TERM", "-+._"));
	set(shell, "SSH_CONNECTION", harmless("SSH_CONNECTION", ".:% "));
	if (user) {
		set(shell, "USER", user->pw_name);
		set(shell, "LOGNAME", user->pw_name);
		set(shell, "HOME", user->pw_dir);
	}
}

static void free_environment(struct shell *shell)
{
	while (shell->variables)
		free(shell->environment[--shell->variables]);
}

static void start_command(struct shell *shell, char **words)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTSTP, SIGPIPE };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
	execve(SELF, words, shell->environment);
	message("LPM0505", "%s cannot be run: %s.", words[0], strerror(errno));
	_exit(STATUS_UNKNOWN - 1);
}

static int run_program(struct shell *shell, char **words)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		start_command(shell, words);
	if (pid < 0) {
		message("LPM0505", "%s cannot be run: %s.", words[0], strerror(errno));
		return STATUS_UNKNOWN - 1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_UNKNOWN - 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
}

static int do_echo(struct shell *shell, char **words)
{
	bool newline = true;

	(void)shell;
	if (words[1] && !strcmp(words[1], "-n")) {
		newline = false;
		words++;
	}
	for (size_t i = 1; words[i]; i++)
		printf("%s%s", i > 1 ? " " : "", words[i]);
	if (newline)
		putchar('\n');
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

static int do_true(struct shell *shell, char **words)
{
	(void)shell;
	(void)words;
	return EXIT_DONE;
}

static int do_false(struct shell *shell, char **words)
{
	(void)shell;
	(void)words;
	return EXIT_FAILED;
}

static int do_exit(struct shell *shell, char **words)
{
	int status = shell->status;
	char *end;

	if (words[1]) {
		status = (int)strtol(words[1], &end, 10) & 0xff;
		if (*end || end == words[1]) {
			message("LPM0501", "exit takes a number, not \"%.64s\".", words[1]);
			status = EXIT_USAGE;
		}
	}
	shell->leaving = true;
	return status;
}

static int do_help(struct shell *shell, char **words)
{
	(void)words;
	puts("Commands; COMMAND --help describes one:");
	for (size_t i = 0; i < shell->ncommands; i++)
		printf("  %s\n", shell->commands[i]->name);
	puts("and echo, exit, false, help, logout, true, which");
	return fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

/* Scripts look with it for what they might use */
static int do_which(struct shell *shell, char **words)
{
	int status = words[1] ? EXIT_DONE : EXIT_FAILED;

	for (size_t i = 1; words[i]; i++) {
		if (find(shell, words[i]))
			printf("/usr/bin/%s\n", words[i]);
		else
			status = EXIT_FAILED;
	}
	return fflush(stdout) ? EXIT_FAILED : status;
}

/* LANG=C, LC_ALL=C and the like change nothing here; PS1 is what scripts wait for */
static int assign(struct shell *shell, const char *text)
{
	if (!strncmp(text, "PS1=", 4)) {
		if (strlen(text + 4) >= PROMPT_BYTES) {
			message("LPM0501", "The prompt has %zu bytes; at most %d are allowed.",
				strlen(text + 4), PROMPT_BYTES - 1);
			return EXIT_FAILED;
		}
		snprintf(shell->prompt, sizeof(shell->prompt), "%s", text + 4);
		return EXIT_DONE;
	}
	if (!strncmp(text, "LANG=", 5) || !strncmp(text, "LC_", 3) ||
	    !strncmp(text, "TERM=", 5) || !strncmp(text, "COLUMNS=", 8))
		return EXIT_DONE;
	message("LPM0501",
		"\"%.64s\" sets a variable; of those there are only PS1, LANG and LC_... here.",
		text);
	return EXIT_FAILED;
}

static bool is_assignment(const char *word)
{
	if (isdigit((unsigned char)*word) || *word == '=')
		return false;
	while (isalnum((unsigned char)*word) || *word == '_')
		word++;
	return *word == '=';
}

static int do_export(struct shell *shell, char **words)
{
	int status = EXIT_DONE;

	for (size_t i = 1; words[i]; i++)
		status |= is_assignment(words[i]) ? assign(shell, words[i]) : EXIT_FAILED;
	return status;
}

static const struct {
	const char *name;
	int (*run)(struct shell *shell, char **words);
} builtins[] = {
	{ "echo", do_echo }, { "true", do_true }, { ":", do_true }, { "false", do_false },
	{ "exit", do_exit }, { "logout", do_exit }, { "help", do_help },
	{ "which", do_which }, { "export", do_export },
};

static int unknown(struct shell *shell, char **words)
{
	const char *name = words[0];

	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		if (strcmp(elsewhere[i], name))
			continue;
		message("LPM0507",
			"%s is a command of an HMC that this console does not have. Type help for those that it has.",
			name);
		/* Some take a password, by options that are not known here */
		session_refused(shell->file, (char *[]){ words[0], NULL },
				"not a command of this console");
		return STATUS_UNKNOWN;
	}
	message("LPM0502",
		"\"%.64s\" is not a command of this console: command not found. Type help for those that it has.",
		name);
	session_refused(shell->file, words, "not a command");
	return STATUS_UNKNOWN;
}

static int run_words(struct shell *shell, char **words)
{
	while (*words && is_assignment(*words)) {
		int status = assign(shell, *words++);

		if (status || !*words)
			return status;
	}
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++)
		if (!strcmp(builtins[i].name, words[0]))
			return builtins[i].run(shell, words);
	if (find(shell, words[0]))
		return run_program(shell, words);
	return unknown(shell, words);
}

/* The words with $? put in, and NULL behind them */
static char **expand_words(const struct shell_command *command, int status)
{
	char **words = calloc(command->nwords + 1, sizeof(*words));

	for (size_t i = 0; words && i < command->nwords; i++) {
		words[i] = shell_expand(command->words[i], status);
		if (words[i])
			continue;
		while (i)
			free(words[--i]);
		free(words);
		return NULL;
	}
	return words;
}

static void run_command(struct shell *shell, const struct shell_command *command)
{
	char **words = expand_words(command, shell->status);

	if (!words) {
		message("LPM0505", "There is no memory for a command.");
		shell->status = EXIT_FAILED;
		return;
	}
	shell->status = run_words(shell, words);
	for (size_t i = 0; i < command->nwords; i++)
		free(words[i]);
	free(words);
}

/* By how the command before it ended */
static bool is_due(enum shell_joint joint, int status)
{
	return joint == SHELL_ALWAYS || (joint == SHELL_AND ? !status : status);
}

static void run_line(struct shell *shell, const char *text, size_t length)
{
	struct shell_line *line = malloc(sizeof(*line));
	char why[SHELL_WHY_BYTES];

	if (!line || shell_parse(text, length, line, why)) {
		message("LPM0503", "The line is refused, nothing of it was run: %s.",
			line ? why : "there is no memory for it");
		session_refused_line(shell->file, text, line ? why : "no memory");
		shell->status = EXIT_USAGE;
		free(line);
		return;
	}
	for (size_t i = 0; i < line->ncommands && !shell->leaving; i++) {
		if (is_due(line->commands[i].joint, shell->status))
			run_command(shell, &line->commands[i]);
	}
	shell_release(line);
	free(line);
}

/*
 * A line of standard input, without newline.  What follows it is for the commands:
 * none of it is read.  Returns its length, -1 at the end.
 */
static ssize_t read_line(char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;
	char c;

	for (;;) {
		got = read(STDIN_FILENO, &c, 1);
		if (got < 0 && errno == EINTR)
			return 0;
		if (got <= 0)
			return length ? (ssize_t)min(length, size) : -1;
		if (c == '\n')
			break;
		/* One that is too long is read to its end, and refused */
		if (length < size)
			text[length] = c;
		length++;
	}
	length = min(length, size);
	if (length && text[length - 1] == '\r')
		length--;
	return (ssize_t)length;
}

static void interrupted(int number)
{
	(void)number;
}

static void read_lines(struct shell *shell)
{
	const struct sigaction action = { .sa_handler = interrupted };
	bool terminal = isatty(STDIN_FILENO);
	char *text = malloc(SHELL_LINE_BYTES + 2);
	ssize_t length = 0;

	if (!text)
		return;
	/* Ctrl-C ends a command, or a line, and not the shell */
	if (terminal) {
		sigaction(SIGINT, &action, NULL);
		signal(SIGQUIT, SIG_IGN);
		signal(SIGTSTP, SIG_IGN);
	}
	while (!shell->leaving) {
		if (terminal)
			fputs(shell->prompt, stderr);
		length = read_line(text, SHELL_LINE_BYTES + 1);
		if (length < 0)
			break;
		text[length] = '\0';
		run_line(shell, text, (size_t)length);
	}
	if (terminal && length < 0)
		fputc('\n', stderr);
	free(text);
}

static void make_prompt(struct shell *shell)
{
	const struct passwd *user = getpwuid(getuid());
	char host[HOST_NAME_MAX + 1] = "";

	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	snprintf(shell->prompt, sizeof(shell->prompt), "%.40s@%.60s:~> ",
		 user ? user->pw_name : "?", host);
}

static int parse_arguments(int argc, char **argv, struct shell *shell, const char **line)
{
	static const struct option options[] = {
		{ "console", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ }
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+c:l", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			*line = optarg;
			break;
		case 'l':
			break;
		case 'C':
			shell->file = optarg;
			break;
		case 'h':
			fputs(hmcsh.usage, stdout);
			exit(fflush(stdout) ? EXIT_FAILED : EXIT_DONE);
		case 'V':
			printf("hmcsh %s\n", VASI_VERSION);
			exit(fflush(stdout) ? EXIT_FAILED : EXIT_DONE);
		default:
			return unknown_option(&hmcsh, argv);
		}
	}
	if (optind < argc)
		return unexpected_argument(&hmcsh, argv[optind]);
	return EXIT_DONE;
}

/**
 * hmcsh_main() - be the shell
 * @commands:	that may be run
 * @ncommands:	how many
 * @argc:	of main()
 * @argv:	of main()
 *
 * Return: the exit status.
 */
int hmcsh_main(const struct command *const *commands, size_t ncommands, int argc, char **argv)
{
	struct shell shell = { .commands = commands, .ncommands = ncommands };
	const char *line = NULL;
	int status = parse_arguments(argc, argv, &shell, &line);

	if (status)
		return status;
	/* Nothing but standard input, output and error is a command's */
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	make_environment(&shell);
	make_prompt(&shell);
	if (!line)
		line = getenv("SSH_ORIGINAL_COMMAND");
	if (line)
		run_line(&shell, line, strlen(line));
	else
		read_lines(&shell);
	free_environment(&shell);
	return shell.status;
}
