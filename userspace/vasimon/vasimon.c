// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vasimon: prints what the kernel driver tells of its adapters and sessions.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <jansson.h>

#include "common/driver_nl.h"
#include "common/notice.h"
#include "common/util.h"
#include "vasi_codec.h"

#define EXIT_USAGE	2
#define PREFIX		"vasimon: "

static const char usage_text[] =
"Usage: vasimon [OPTION]...\n"
"Print the adapters of the VASI driver, then its events, one a line, as they come.\n"
"\n"
"  -l, --list               print the adapters only\n"
"  -j, --json               print each line as a JSON object\n"
"  -w, --wait               when the driver is not loaded, wait for it\n"
"  -n, --count N            end after N events (default: no end)\n"
"  -h, --help, --version\n"
"Exit status: 0, 1 the driver is not loaded or cannot be asked, 2 wrong usage.\n";

/**
 * struct vasimon - what was asked for, and what came
 * @list:	print adapters only
 * @json:	as JSON
 * @wait:	for the driver
 * @most:	events; 0 = any number
 * @count:	of events that came
 */
struct vasimon {
	bool list;
	bool json;
	bool wait;
	unsigned long most;
	unsigned long count;
};

static int usage(const char *why, const char *what)
{
	notice(PREFIX, "%s%s%.64s", why, what ? ": " : "", what ? what : "");
	fputs("Try 'vasimon --help'.\n", stderr);
	return EXIT_USAGE;
}

/* ---- Printing ---- */

static struct timespec wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

static void print_time(const struct timespec *now)
{
	char text[32] = "?";
	struct tm tm;

	if (localtime_r(&now->tv_sec, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03ld ", text, now->tv_nsec / (long)NSEC_PER_MSEC);
}

static void set_hex(json_t *object, const char *name, uint64_t value, int digits)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%0*" PRIx64, digits, value);
	json_object_set_new(object, name, json_string(text));
}

static bool has(const struct driver_event *event, enum vasi_attr attr)
{
	return event->has & 1u << attr;
}

static void set_adapter(json_t *object, const struct driver_event *event)
{
	json_object_set_new(object, "adapter", json_string(event->adapter));
	set_hex(object, "unit_address", event->unit_address, 8);
	if (has(event, VASI_A_ADAPTER_STATE))
		json_object_set_new(object, "state",
				    json_string(driver_nl_adapter_state(event->adapter_state)));
	if (has(event, VASI_A_RESETS))
		json_object_set_new(object, "resets", json_integer(event->resets));
	if (has(event, VASI_A_RESET_REASON))
		json_object_set_new(object, "reason",
				    json_string(driver_nl_reset_reason(event->reset_reason)));
}

static void set_session(json_t *object, const struct driver_event *event)
{
	if (has(event, VASI_A_STREAM_ID))
		set_hex(object, "stream_id", event->stream_id, 16);
	if (has(event, VASI_A_SERVICE))
		json_object_set_new(object, "service",
				    json_string(vasi_service_name((uint8_t)event->service)));
	if (has(event, VASI_A_TOP))
		set_hex(object, "session", event->top, 8);
	if (has(event, VASI_A_STREAM_STATE))
		json_object_set_new(object, "stream_state",
				    json_string(vasi_state_name((uint16_t)event->stream_state)));
	if (has(event, VASI_A_REASON))
		set_hex(object, "stream_reason", event->reason, 8);
}

static json_t *json_event(const char *name)
{
	struct timespec now = wall_clock();
	json_t *object = json_object();

	json_object_set_new(object, "time",
			    json_real((double)now.tv_sec + (double)now.tv_nsec / 1e9));
	json_object_set_new(object, "event", json_string(name));
	return object;
}

static void print_json(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

static void print_event(void *data, const struct driver_event *event)
{
	struct vasimon *mon = data;
	struct timespec now = wall_clock();
	char text[DRIVER_NL_TEXT_BYTES];
	json_t *object;

	/* That an adapter is there is no event */
	if (event->command != VASI_CMD_ADAPTER_GET) {
		if (mon->most && mon->count == mon->most)
			return;
		mon->count++;
	}
	if (mon->json) {
		object = json_event(driver_nl_command(event->command));
		set_adapter(object, event);
		set_session(object, event);
		print_json(object);
		return;
	}
	if (!mon->list)
		print_time(&now);
	driver_nl_text(event, text, sizeof(text));
	printf("%s %s\n", event->adapter, text);
}

/* Something that is no event of an adapter */
static void print_other(struct vasimon *mon, const char *name, const char *text)
{
	struct timespec now = wall_clock();

	if (mon->json) {
		print_json(json_event(name));
		return;
	}
	print_time(&now);
	puts(text);
}

static void print_driver(void *data, bool there)
{
	print_other(data, there ? "driver-loaded" : "driver-unloaded",
		    there ? "driver loaded" : "driver unloaded");
}

static const struct driver_nl_ops ops = {
	.event = print_event, .driver = print_driver,
};

/* ---- Waiting ---- */

/* Take what comes next */
static int wait_more(struct vasimon *mon, struct driver_nl *nl)
{
	struct pollfd pollfd = { .fd = driver_nl_fd(nl), .events = POLLIN };
	int ret;

	if (poll(&pollfd, 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	ret = driver_nl_receive(nl);
	if (ret != -ENOBUFS)
		return ret;
	print_other(mon, "lost", "events were lost: they came faster than they were read");
	/* What the adapters are now need not be lost */
	return driver_nl_there(nl) ? driver_nl_dump(nl) : 0;
}

static bool enough(const struct vasimon *mon)
{
	return mon->most && mon->count >= mon->most;
}

static int not_loaded(void)
{
	notice(PREFIX, "the driver is not loaded: there is no netlink family \"%s\" (modprobe vasi)",
	       VASI_FAMILY_NAME);
	return EXIT_FAILURE;
}

static int failed(const char *what, int ret)
{
	notice(PREFIX, "%s: %s", what, strerror(-ret));
	return EXIT_FAILURE;
}

static int monitor(struct vasimon *mon, struct driver_nl *nl)
{
	int ret;

	while (!driver_nl_there(nl)) {
		if (!mon->wait)
			return not_loaded();
		ret = wait_more(mon, nl);
		if (ret)
			return failed("events", ret);
	}
	ret = driver_nl_dump(nl);
	if (ret)
		return failed("adapters", ret);
	while (!mon->list && !enough(mon)) {
		ret = wait_more(mon, nl);
		if (ret)
			return failed("events", ret);
		if (!driver_nl_there(nl) && !mon->wait)
			return not_loaded();
	}
	return EXIT_SUCCESS;
}

/* ---- Main ---- */

static int parse_count(const char *text, unsigned long *count)
{
	char *end;

	errno = 0;
	*count = strtoul(text, &end, 10);
	if (errno || *end || end == text || text[0] == '-' || !*count)
		return usage("not a number of events", text);
	return 0;
}

static int parse(struct vasimon *mon, int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "wait", no_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'n' },
		{ }
	};
	int ret = 0, option;

	opterr = 0;
	while (!ret && (option = getopt_long(argc, argv, "+:ljwn:", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			mon->list = true;
			break;
		case 'j':
			mon->json = true;
			break;
		case 'w':
			mon->wait = true;
			break;
		case 'n':
			ret = parse_count(optarg, &mon->most);
			break;
		default:
			option_refused(PREFIX, option, argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (!ret && optind < argc)
		ret = usage("an argument that is not expected", argv[optind]);
	return ret;
}

static bool wants(int argc, char **argv, const char *option, const char *brief)
{
	return argc > 1 && (!strcmp(argv[1], option) ||
			    (brief && !strcmp(argv[1], brief)));
}

int main(int argc, char **argv)
{
	struct vasimon mon = { .list = false };
	struct driver_nl *nl;
	int ret;

	if (wants(argc, argv, "--help", "-h")) {
		fputs(usage_text, stdout);
		return EXIT_SUCCESS;
	}
	if (wants(argc, argv, "--version", NULL)) {
		puts("vasimon " VASI_VERSION);
		return EXIT_SUCCESS;
	}
	ret = parse(&mon, argc, argv);
	if (ret)
		return ret;
	/* A line at a time, also into a pipe */
	setvbuf(stdout, NULL, _IOLBF, 0);
	ret = driver_nl_open(&ops, &mon, &nl);
	if (ret)
		return failed("generic netlink", ret);
	ret = monitor(&mon, nl);
	driver_nl_close(nl);
	return ret;
}
