// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lpar-agent: takes part in the migration of the partition that it runs in.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "common/log.h"
#include "common/util.h"

#define EXIT_USAGE	2
#define LIMIT_MAX_S	3600

static const char usage_text[] =
"Usage: lpar-agent [OPTION]... TERMINAL\n"
"Take part in the migration of this partition, as the platform says on TERMINAL.\n"
"\n"
"  -H, --hooks DIR          executables that may refuse (default: /etc/lpar-agent.d)\n"
"  -d, --drmgr PATH         what migrates, or none (default: /usr/sbin/drmgr, where it is)\n"
"  -m, --mobility FILE      of the kernel (default: /sys/kernel/mobility/migration)\n"
"  -t, --time-limit SECONDS for each program of a check (default: 30)\n"
"  -h, --help, --version\n"
"Exit status: 0 told to end, 1 the terminal cannot be used, 2 wrong usage.\n";

/* What is quoted does not reach a terminal as it is */
static int usage(const char *why, const char *what)
{
	char quoted[64];

	snprintf(quoted, sizeof(quoted), "%s", what ? what : "");
	for (char *c = quoted; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	fprintf(stderr, "lpar-agent: %s%s%s\n", why, what ? ": " : "", quoted);
	fputs("Try 'lpar-agent --help'.\n", stderr);
	return EXIT_USAGE;
}

static int parse_limit(const char *text, uint64_t *limit_ns)
{
	unsigned long seconds;
	char *end;

	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (errno || *end || end == text || text[0] == '-' || !seconds || seconds > LIMIT_MAX_S)
		return usage("not a number of seconds, 1 to 3600", text);
	*limit_ns = seconds * NSEC_PER_SEC;
	return 0;
}

static void set_drmgr(struct settings *settings, const char *path)
{
	settings->drmgr = strcmp(path, "none") ? path : NULL;
	settings->drmgr_asked = true;
}

static int parse(struct settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{ "hooks", required_argument, NULL, 'H' },
		{ "drmgr", required_argument, NULL, 'd' },
		{ "mobility", required_argument, NULL, 'm' },
		{ "time-limit", required_argument, NULL, 't' },
		{ }
	};
	int ret = 0, option;

	opterr = 0;
	while (!ret && (option = getopt_long(argc, argv, "+:H:d:m:t:", options, NULL)) != -1) {
		switch (option) {
		case 'H':
			settings->hooks = optarg;
			break;
		case 'd':
			set_drmgr(settings, optarg);
			break;
		case 'm':
			settings->mobility = optarg;
			break;
		case 't':
			ret = parse_limit(optarg, &settings->limit_ns);
			break;
		case ':':
			return usage("an option needs a value", argv[optind - 1]);
		default:
			return usage("no such option", argv[optind - 1]);
		}
	}
	if (!ret && optind != argc - 1)
		ret = usage(optind == argc ? "no terminal" : "more than one terminal", NULL);
	return ret;
}

/* ---- Waiting ---- */

/* Readable when it is told to end; -1 with errno */
static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static size_t add_job(struct pollfd *fds, size_t count, const struct job *job)
{
	if (!job_running(job))
		return count;
	fds[count++] = (struct pollfd){ .fd = job->pidfd, .events = POLLIN };
	fds[count++] = (struct pollfd){ .fd = job->out, .events = POLLIN };
	return count;
}

enum { AT_TERMINAL, AT_SIGNALS, AT_JOBS, AT_END = AT_JOBS + 4 };

static int wait_for(struct agent *agent, int end, struct pollfd *fds)
{
	uint64_t next = agent_next_ns(agent), now = now_ns(), left = next > now ? next - now : 0;
	struct timespec timeout = { (time_t)(left / NSEC_PER_SEC), (long)(left % NSEC_PER_SEC) };
	size_t count = AT_JOBS;

	fds[AT_TERMINAL] = (struct pollfd){ .fd = agent->terminal.fd,
					    .events = terminal_events(&agent->terminal) };
	fds[AT_SIGNALS] = (struct pollfd){ .fd = end, .events = POLLIN };
	count = add_job(fds, count, &agent->check.job);
	count = add_job(fds, count, &agent->move.job);
	return ppoll(fds, count, next ? &timeout : NULL, NULL) < 0 ? -errno : 0;
}

static int serve(struct agent *agent, int end)
{
	struct pollfd fds[AT_END];
	int ret;

	do {
		ret = wait_for(agent, end, fds);
		if (ret)
			return ret;
		if (fds[AT_TERMINAL].revents & (POLLIN | POLLHUP | POLLERR))
			ret = terminal_read(&agent->terminal, agent_line, agent);
		agent_progress(agent);
		if (!ret)
			ret = terminal_write(&agent->terminal);
	} while (!ret && !fds[AT_SIGNALS].revents);
	return ret;
}

static bool wants(int argc, char **argv, const char *option, const char *brief)
{
	return argc > 1 && (!strcmp(argv[1], option) || (brief && !strcmp(argv[1], brief)));
}

static int run(struct agent *agent, const char *path)
{
	int end = signals();
	int ret;

	if (end < 0) {
		log_error("signals: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	ret = terminal_open(&agent->terminal, path);
	if (ret)
		goto out;
	log_info("listens on %.200s", path);
	ret = serve(agent, end);
	close(agent->terminal.fd);
out:
	if (ret)
		log_error("%.200s: %s", path, strerror(-ret));
	close(end);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct agent agent = {
		.settings = {
			.hooks = "/etc/lpar-agent.d",
			.drmgr = "/usr/sbin/drmgr",
			.mobility = "/sys/kernel/mobility/migration",
			.limit_ns = 30 * NSEC_PER_SEC,
		},
	};
	int ret;

	if (wants(argc, argv, "--help", "-h")) {
		fputs(usage_text, stdout);
		return EXIT_SUCCESS;
	}
	if (wants(argc, argv, "--version", NULL)) {
		puts("lpar-agent " VASI_VERSION);
		return EXIT_SUCCESS;
	}
	ret = parse(&agent.settings, argc, argv);
	if (ret)
		return ret;
	log_init("lpar-agent", LOG_LEVEL_INFO);
	return run(&agent, argv[argc - 1]);
}
