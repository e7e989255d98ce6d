// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vasi-vswitch: an Ethernet switch for guests that move.  See Documentation/vswitch.rst.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/nodump.h"
#include "common/notice.h"
#include "common/unixsock.h"
#include "vswitch/ports.h"

#define EXIT_USAGE	2
#define PREFIX		"vasi-vswitch: "
#define DEFAULT_MODE	0660

static const char usage_text[] =
"Usage: vasi-vswitch --socket PATH [options]\n"
"An Ethernet switch for guests that move from one QEMU to another.\n"
"\n"
"  --socket PATH         where ports connect\n"
"  --socket-mode MODE    its permissions, octal (default: 0660)\n"
"  --statistics          print what every port did when the switch ends\n"
"  --log-level LEVEL     error, warning, info or debug (default: info)\n"
"  --help, --version\n";

struct options {
	const char *socket;
	mode_t mode;
	bool statistics;
};

enum {
	OPT_SOCKET = 256, OPT_SOCKET_MODE, OPT_STATISTICS, OPT_LOG_LEVEL, OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "socket-mode", required_argument, NULL, OPT_SOCKET_MODE },
	{ "statistics", no_argument, NULL, OPT_STATISTICS },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ }
};

__attribute__((format(printf, 1, 2), noreturn))
static void usage_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vnotice(PREFIX, fmt, args);
	va_end(args);
	fputs("Try 'vasi-vswitch --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static void parse_socket(struct options *o, const char *path)
{
	size_t length = strlen(path);

	if (!length || length > UNIX_PATH_BYTES)
		usage_error("--socket \"%.64s\" has %zu bytes; allowed are 1 to %zu", path,
			    length, UNIX_PATH_BYTES);
	o->socket = path;
}

static void parse_mode(struct options *o, const char *text)
{
	unsigned long mode;
	char *end;

	errno = 0;
	mode = strtoul(text, &end, 8);
	if (errno || end == text || *end || *text == '-' || mode > 0777)
		usage_error("--socket-mode %.64s: not an octal number up to 0777", text);
	o->mode = (mode_t)mode;
}

static void parse_option(struct options *o, int option, const char *arg, const char *word)
{
	enum log_level level;

	switch (option) {
	case OPT_SOCKET:
		parse_socket(o, arg);
		break;
	case OPT_SOCKET_MODE:
		parse_mode(o, arg);
		break;
	case OPT_STATISTICS:
		o->statistics = true;
		break;
	case OPT_LOG_LEVEL:
		if (log_parse_level(arg, &level))
			usage_error("--log-level %.64s: not error, warning, info or debug",
				    arg);
		log_set_level(level);
		break;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(EXIT_SUCCESS);
	case OPT_VERSION:
		puts("vasi-vswitch " VASI_VERSION);
		exit(EXIT_SUCCESS);
	default:
		option_refused(PREFIX, option, word);
		fputs("Try 'vasi-vswitch --help'.\n", stderr);
		exit(EXIT_USAGE);
	}
}

static void parse_options(struct options *o, int argc, char **argv)
{
	int option;

	if (arguments_check(PREFIX, argc, argv))
		exit(EXIT_USAGE);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		parse_option(o, option, optarg, argv[optind - 1]);
	if (optind < argc)
		usage_error("unexpected argument %.64s", argv[optind]);
	if (!o->socket)
		usage_error("--socket is missing");
}

static int on_print(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct ports **ports = data;

	(void)source;
	(void)info;
	ports_print(*ports, stdout);
	return 0;
}

static int add_signals(sd_event *event, struct ports **ports)
{
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	ret = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(event, NULL, SIGUSR1, on_print, ports);
	return ret;
}

static int serve(sd_event *event, const struct options *o, struct ports **ports)
{
	int ret = ports_new(event, o->socket, o->mode, ports);

	if (ret) {
		log_error("socket %s: %s", o->socket, strerror(-ret));
		return ret;
	}
	log_info("ready at %s", o->socket);
	ret = sd_event_loop(event);
	if (ret < 0)
		log_error("event loop: %s", strerror(-ret));
	if (o->statistics)
		ports_print(*ports, stdout);
	ports_free(*ports);
	return ret;
}

static int run(const struct options *o)
{
	struct ports *ports = NULL;
	sd_event *event = NULL;
	int ret = sd_event_new(&event);

	if (ret >= 0)
		ret = add_signals(event, &ports);
	if (ret < 0)
		log_error("event loop: %s", strerror(-ret));
	else
		ret = serve(event, o, &ports);
	sd_event_unref(event);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options = { .mode = DEFAULT_MODE };

	log_init("vasi-vswitch", LOG_LEVEL_INFO);
	parse_options(&options, argc, argv);
	forbid_core_dumps();
	return run(&options);
}
