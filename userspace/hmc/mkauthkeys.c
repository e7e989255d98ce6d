// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mkauthkeys: which keys open this console for a user, and whether another console
 * is open for it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "hmc/console.h"
#include "hmc/remote.h"
#include "hmc/session.h"

#define KEYGEN_PROGRAM	"/usr/bin/ssh-keygen"
#define KEY_BYTES	8192
#define FILE_BYTES	(1U << 20)
/* Of a key, whatever else sshd would allow it */
#define KEY_OPTIONS	"restrict,pty"
#define OPTIONS_BYTES	(PATH_MAX + 64)

/**
 * struct keys - the command line
 * @add:	-a: a key
 * @remove:	-r: a key, or the comment at its end
 * @test:	--test
 * @generate:	-g
 * @ip:		--ip
 * @user:	-u
 * @passwd:	--passwd was given
 * @options:	of keys that are added, with a space
 */
struct keys {
	const char *add;
	const char *remove;
	bool test;
	bool generate;
	const char *ip;
	const char *user;
	bool passwd;
	char options[OPTIONS_BYTES];
};

/* "TYPE BASE64 COMMENT", without options in front: they are not the user's to choose */
static bool is_key(const char *text)
{
	static const char *const types[] = {
		"ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-nistp256 ", "ecdsa-sha2-nistp384 ",
		"ecdsa-sha2-nistp521 ", "sk-ssh-ed25519@openssh.com ",
		"sk-ecdsa-sha2-nistp256@openssh.com ",
	};
	const char *body = NULL;
	size_t length;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strncmp(text, types[i], strlen(types[i])))
			body = text + strlen(types[i]);
	if (!body || strlen(text) > KEY_BYTES)
		return false;
	length = strspn(body, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=");
	if (length < 32 || (body[length] && body[length] != ' '))
		return false;
	for (; *body; body++)
		if (!isprint((unsigned char)*body))
			return false;
	return true;
}

/* TYPE and BASE64 of a key: what makes it the same key */
static size_t key_length(const char *key)
{
	size_t length = strcspn(key, " ");

	return key[length] ? length + 1 + strcspn(key + length + 1, " ") : length;
}

/*
 * A user whose login shell is another one is kept in hmcsh by the key's command: a key
 * that is added from there is no way around it.
 */
static int make_options(struct keys *keys)
{
	const struct passwd *user = getpwuid(getuid());
	const char *shell = user && user->pw_shell ? strrchr(user->pw_shell, '/') : NULL;
	char path[PATH_MAX];
	ssize_t length;
	char *slash;

	snprintf(keys->options, sizeof(keys->options), KEY_OPTIONS " ");
	if (!getenv(SESSION_SHELL) || (shell && !strcmp(shell, "/hmcsh")))
		return 0;
	length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	/* The user's shell looks at it once more */
	for (const char *c = path; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("/._-+", *c))
			return -EINVAL;
	snprintf(keys->options, sizeof(keys->options), KEY_OPTIONS ",command=\"%s/hmcsh\" ",
		 path);
	return 0;
}

/* What stands behind a beginning, or NULL */
static const char *behind(const char *line, const char *beginning)
{
	size_t length = strlen(beginning);

	return strncmp(line, beginning, length) ? NULL : line + length;
}

/* The key of a line of authorized_keys, behind our options; NULL: not one of ours */
static const char *key_of(const char *line, const struct keys *keys)
{
	const char *key = behind(line, keys->options);

	if (!key)
		key = behind(line, KEY_OPTIONS " ");
	if (!key)
		key = line;
	return is_key(key) ? key : NULL;
}

/* Is this line what -a or -r is about? */
static bool is_same(const char *line, const struct keys *keys)
{
	const char *key = key_of(line, keys), *comment;
	const char *wanted = keys->add ? keys->add : keys->remove;

	if (!key)
		return false;
	if (is_key(wanted))
		return key_length(key) == key_length(wanted) &&
		       !strncmp(key, wanted, key_length(key));
	comment = key[key_length(key)] ? key + key_length(key) + 1 : "";
	return *wanted && !strcmp(comment, wanted);
}

/* The user's ~/.ssh; a directory that is somebody else's is not used */
static int open_directory(bool make)
{
	const struct passwd *user = getpwuid(getuid());
	struct stat st;
	int home, fd;

	if (!user)
		return -ENOENT;
	home = open(user->pw_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home < 0)
		return -errno;
	if (make && mkdirat(home, ".ssh", 0700) && errno != EEXIST) {
		fd = -errno;
		goto close_home;
	}
	fd = openat(home, ".ssh", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
	} else if (fstat(fd, &st) || st.st_uid != getuid()) {
		close(fd);
		fd = -EPERM;
	}
close_home:
	close(home);
	return fd;
}

static char *read_keys(int directory)
{
	int fd = openat(directory, "authorized_keys",
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char *text = calloc(1, FILE_BYTES + 1);
	size_t used = 0;
	ssize_t got = 1;

	while (text && fd >= 0 && got > 0 && used < FILE_BYTES) {
		got = read(fd, text + used, FILE_BYTES - used);
		if (got > 0)
			used += (size_t)got;
	}
	if (text && (got < 0 || used == FILE_BYTES || (fd < 0 && errno != ENOENT))) {
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

static bool has_key(const char *text, const struct keys *keys)
{
	char *copy = strdup(text), *rest = copy, *line;
	bool found = false;

	while (!found && (line = strsep(&rest, "\n")))
		found = is_same(line, keys);
	free(copy);
	return found;
}

/* The new file takes the old one's place as a whole */
static int write_keys(int directory, char *old, const struct keys *keys)
{
	FILE *file;
	char *line;
	int fd, ret;

	/* What one that was killed left; or what somebody put there, and is not written to */
	unlinkat(directory, "authorized_keys.new", 0);
	fd = openat(directory, "authorized_keys.new",
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return -errno;
	while ((line = strsep(&old, "\n")))
		if (*line && (keys->add || !is_same(line, keys)))
			fprintf(file, "%s\n", line);
	if (keys->add)
		fprintf(file, "%s%s\n", keys->options, keys->add);
	ret = fflush(file) || ferror(file) || fsync(fd) ? -EIO : 0;
	fclose(file);
	if (!ret && renameat(directory, "authorized_keys.new", directory, "authorized_keys"))
		ret = -errno;
	return ret;
}

/* Return: 0, 1 if there is nothing to be done, or a negative errno */
static int change_file(int directory, const struct keys *keys)
{
	char *old = read_keys(directory);
	int ret = -EIO;

	if (old && has_key(old, keys) == !!keys->add)
		ret = 1;
	else if (old)
		ret = write_keys(directory, old, keys);
	free(old);
	return ret;
}

static int change_keys(struct keys *keys)
{
	int ret = make_options(keys), directory;

	directory = ret ? ret : open_directory(keys->add);
	ret = directory;
	if (directory >= 0) {
		/* Of two at once neither brings back what the other removed */
		while ((ret = flock(directory, LOCK_EX)) && errno == EINTR)
			;
		ret = ret ? -errno : change_file(directory, keys);
		close(directory);
	}
	/* Without a directory there is no key that could be removed */
	if (!ret || (ret == 1 && keys->add))
		return EXIT_DONE;
	if (ret == 1 || (ret == -ENOENT && keys->remove))
		message("LPM0509",
			"User %s has no key \"%.64s\" that was added with mkauthkeys; expected one, or the comment at its end.",
			session_user(), keys->remove);
	else
		message("LPM0509", "The keys of user %s cannot be changed: %s.", session_user(),
			strerror(-ret));
	return EXIT_FAILED;
}

/* ssh-keygen(1) makes the user's key, if there is none */
static int generate(void)
{
	const struct passwd *user = getpwuid(getuid());
	int directory = open_directory(true), status = 0, fd;
	char path[4096], key[KEY_BYTES + 1];
	ssize_t got;
	pid_t pid;

	if (directory < 0 || !user) {
		message("LPM0509", "User %s has no directory for a key: %s.", session_user(),
			strerror(-directory));
		return EXIT_FAILED;
	}
	snprintf(path, sizeof(path), "%s/.ssh/id_ed25519", user->pw_dir);
	if (faccessat(directory, "id_ed25519", F_OK, AT_SYMLINK_NOFOLLOW)) {
		pid = fork();
		if (!pid) {
			/* A group's rights that the program may have are for sockets only */
			if (setresgid(getgid(), getgid(), getgid()))
				_exit(127);
			execl(KEYGEN_PROGRAM, "ssh-keygen", "-q", "-t", "ed25519", "-N", "",
			      "-f", path, NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			status = -1;
	}
	fd = openat(directory, "id_ed25519.pub", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	got = status || fd < 0 ? -1 : read(fd, key, KEY_BYTES);
	if (fd >= 0)
		close(fd);
	close(directory);
	if (got <= 0) {
		message("LPM0509", "The key of user %s cannot be made, or not be read.",
			session_user());
		return EXIT_FAILED;
	}
	key[got] = '\0';
	printf("%s", key);
	return EXIT_DONE;
}

static int exchange(const struct keys *keys)
{
	if (!remote_test(keys->ip, keys->user))
		return EXIT_DONE;
	if (!keys->test)
		message("LPM0510",
			"Keys are not exchanged with a password. Add the key that mkauthkeys -g prints here on the other console, with mkauthkeys -a.");
	return EXIT_FAILED;
}

static int check(const struct command *command, const struct keys *keys)
{
	int actions = !!keys->add + !!keys->remove + keys->test;

	if (keys->generate || keys->passwd)
		actions++;
	if (actions != 1)
		return usage_error(command, "One of -a, -r, -g and --test must be given.");
	if ((keys->test || keys->passwd) && !keys->ip)
		return usage_error(command, "--ip is missing: the other console.");
	if ((keys->add || keys->remove) && keys->ip)
		return usage_error(command,
				   "--ip is not for -a and -r: they are about keys of this console.");
	if (keys->add && !is_key(keys->add))
		return usage_error(command,
				   "-a is \"%.40s\"; it must be a public key in one line: type, base64 and comment.",
				   keys->add);
	return EXIT_DONE;
}

static int parse(const struct command *command, int argc, char **argv, struct keys *keys)
{
	static const struct option options[] = {
		{ "ip", required_argument, NULL, 'i' },
		{ "passwd", required_argument, NULL, 'P' },
		{ "test", no_argument, NULL, 'T' },
		{ }
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "+a:r:gu:", options, NULL)) != -1) {
		switch (option) {
		case 'a':
			keys->add = optarg;
			break;
		case 'r':
			keys->remove = optarg;
			break;
		case 'g':
			keys->generate = true;
			break;
		case 'u':
			keys->user = optarg;
			break;
		case 'i':
			keys->ip = optarg;
			break;
		case 'P':
			keys->passwd = true;
			break;
		case 'T':
			keys->test = true;
			break;
		default:
			return unknown_option(command, argv);
		}
	}
	if (optind < argc)
		return unexpected_argument(command, argv[optind]);
	return check(command, keys);
}

static int run_mkauthkeys(const struct command *command, int argc, char **argv)
{
	struct keys keys = { 0 };
	struct console console;
	int status = parse(command, argc, argv, &keys);

	if (status)
		return status;
	if (console_open(NULL, &console))
		status = EXIT_USAGE;
	else if (keys.add || keys.remove)
		status = change_keys(&keys);
	else if (keys.ip)
		status = exchange(&keys);
	else
		status = generate();
	console_close(&console);
	return status;
}

const struct command command_mkauthkeys = {
	.name = "mkauthkeys",
	.usage =
"Usage: mkauthkeys {-a KEY|-r KEY|-g}\n"
"       mkauthkeys --test --ip HOST [-u USER]\n"
"Change which keys open this console for you, or see whether another one is open.\n"
"  -a KEY            add a public key: its line, in quotes\n"
"  -r KEY            remove a key, named by its line or by the comment at its end\n"
"  -g                make a key for other consoles, if there is none, and print it\n"
"  --test            is the other console open for your key?\n"
"  --ip HOST         the other console\n"
"  -u USER           who you are there (default: as here)\n"
"  --passwd PASSWORD is not taken: keys are exchanged with -g there and -a here\n"
"  --help, --version\n"
"Exit status: 0, 1 refused or failed, 2 wrong usage or console file.\n",
	.run = run_mkauthkeys,
};
