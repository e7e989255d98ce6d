// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vasi-phypd: a managed system.  See Documentation/management.rst.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "common/nodump.h"
#include "common/notice.h"
#include "common/unixsock.h"
#include "common/util.h"
#include "phyp/phypd/device.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/system.h"

#define EXIT_USAGE	2
#define PREFIX		"vasi-phypd: "

static const char usage_text[] =
"Usage: vasi-phypd --socket PATH --state-dir DIR --device NAME=PATH... [options]\n"
"A managed system: partitions, and VASI devices that movers connect to.\n"
"\n"
"  --name NAME           of the system (default: the host's name)\n"
"  --socket PATH         management socket\n"
"  --state-dir DIR       directory of the ownership records\n"
"  --system FILE         description of what the system has, in JSON\n"
"  --device NAME=PATH    a VASI device and the socket of its VIO link; repeatable\n"
"  --socket-mode MODE    permissions of all sockets, octal (default: 0660)\n"
"  --memory BYTES        for partitions, with K, M, G or T (default: 3/4 of the RAM)\n"
"  --overcommit          take that memory from the machine only as it is written\n"
"  --region-size BYTES   memory region size (default: 16M)\n"
"  --streams N           streams a device serves at a time, 1 to 255 (default: 16)\n"
"  --opens N             sessions of a stream, 1 to 255 (default: 16)\n"
"  --no-indirect         offer no indirect operations\n"
"  --no-dirty-map        do not offer the Dirty Map extension\n"
"  --dirty-map-echo      echo a request for it, as a platform that does not know it\n"
"  --fault-injection     allow \"debug\" in stream.create\n"
"  --qemu PROGRAM        that runs guests (default: qemu-system-ppc64)\n"
"  --qemu-plugin FILE    plug-in for it (spapr-vasi.so); without one there are no guests\n"
"  --userfaultfd FILE    device for pages that a guest misses (default:\n"
"                        /dev/userfaultfd)\n"
"  --log-level LEVEL     error, warning, info or debug (default: info)\n"
"  --help, --version\n";

/* Of the system or a device.  The console takes shorter ones only */
#define NAME_BYTES	255

struct device_arg {
	const char *name;
	const char *path;
};

struct options {
	struct system_params system;
	struct device_arg devices[SYSTEM_MAX_DEVICES];
	unsigned int device_count;
	const char *description;
	bool memory_given;
	bool region_given;
	char host[256];
};

enum {
	OPT_NAME = 256, OPT_SOCKET, OPT_STATE_DIR, OPT_DEVICE, OPT_SOCKET_MODE,
	OPT_SYSTEM, OPT_MEMORY, OPT_OVERCOMMIT, OPT_REGION_SIZE, OPT_STREAMS, OPT_OPENS,
	OPT_NO_INDIRECT, OPT_NO_DIRTY_MAP, OPT_DIRTY_MAP_ECHO, OPT_FAULT_INJECTION,
	OPT_QEMU, OPT_QEMU_PLUGIN, OPT_USERFAULTFD, OPT_LOG_LEVEL, OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "name", required_argument, NULL, OPT_NAME },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "socket-mode", required_argument, NULL, OPT_SOCKET_MODE },
	{ "system", required_argument, NULL, OPT_SYSTEM },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "overcommit", no_argument, NULL, OPT_OVERCOMMIT },
	{ "region-size", required_argument, NULL, OPT_REGION_SIZE },
	{ "streams", required_argument, NULL, OPT_STREAMS },
	{ "opens", required_argument, NULL, OPT_OPENS },
	{ "no-indirect", no_argument, NULL, OPT_NO_INDIRECT },
	{ "no-dirty-map", no_argument, NULL, OPT_NO_DIRTY_MAP },
	{ "dirty-map-echo", no_argument, NULL, OPT_DIRTY_MAP_ECHO },
	{ "fault-injection", no_argument, NULL, OPT_FAULT_INJECTION },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "qemu-plugin", required_argument, NULL, OPT_QEMU_PLUGIN },
	{ "userfaultfd", required_argument, NULL, OPT_USERFAULTFD },
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
	fputs("Try 'vasi-phypd --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static uint64_t parse_number(const char *name, const char *text, int base,
			     uint64_t low, uint64_t high)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, base);
	if (errno || end == text || *end || *text == '-' || value < low ||
	    value > high)
		usage_error("--%s %.64s: not a number from %" PRIu64 " to %" PRIu64,
			    name, text, low, high);
	return value;
}

static uint64_t parse_bytes(const char *name, const char *text)
{
	static const char units[] = "KMGT";
	unsigned int shift = 0;
	const char *unit;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit)
		shift = 10 * (unsigned int)(unit - units + 1);
	if (errno || end == text || *text == '-' || (*end && (!unit || end[1])) ||
	    !value || value > (uint64_t)INT64_MAX >> shift)
		usage_error("--%s %.64s: not a number of bytes, with K, M, G or T for powers of 1024",
			    name, text);
	return value << shift;
}

static void check_length(const char *what, const char *text, size_t most)
{
	size_t length = strlen(text);

	if (!length || length > most)
		usage_error("%s \"%.64s\" has %zu bytes; allowed are 1 to %zu", what, text,
			    length, most);
}

static void add_device(struct options *o, char *text)
{
	char *equals = strchr(text, '=');
	struct device_arg *device = &o->devices[o->device_count];

	if (!equals)
		usage_error("--device %.64s: not NAME=PATH", text);
	if (o->device_count >= SYSTEM_MAX_DEVICES)
		usage_error("--device: more than %u devices", SYSTEM_MAX_DEVICES);
	*equals = '\0';
	check_length("--device: the name", text, NAME_BYTES);
	check_length("--device: the path", equals + 1, UNIX_PATH_BYTES);
	device->name = text;
	device->path = equals + 1;
	o->device_count++;
}

static void parse_region_size(struct options *o, const char *text)
{
	uint64_t bytes = parse_bytes("region-size", text);

	if (bytes & (bytes - 1) || bytes < 1 << 20)
		usage_error("--region-size %.64s: not a power of two from 1M", text);
	o->system.region_bytes = bytes;
	o->region_given = true;
}

/* QEMU takes its path as one of its options, where a comma ends it */
static void check_plugin(const char *path)
{
	if (path[0] != '/' || strchr(path, ','))
		usage_error("--qemu-plugin %.64s: no absolute path without a comma", path);
	if (access(path, R_OK))
		usage_error("--qemu-plugin %.256s: %s", path, strerror(errno));
}

/* As execvp() looks for it */
static bool is_program(const char *name)
{
	const char *path = getenv("PATH");
	char file[512];

	if (strchr(name, '/'))
		return name[0] == '/' && !access(name, X_OK);
	while (*name && path && *path) {
		int length = (int)strcspn(path, ":");

		if (snprintf(file, sizeof(file), "%.*s/%s", length, path, name) <
		    (int)sizeof(file) && !access(file, X_OK))
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

static void check_program(const char *name)
{
	if (!is_program(name))
		usage_error("--qemu %.256s: no program in PATH, and no absolute path of one",
			    name);
}

static void check_device(const char *path)
{
	if (path[0] != '/' || access(path, F_OK))
		usage_error("--userfaultfd %.256s: no absolute path of what is there", path);
}

static void parse_option(struct options *o, int option, char *arg, const char *word)
{
	struct system_params *p = &o->system;
	enum log_level level;

	switch (option) {
	case OPT_NAME:
		check_length("--name", arg, NAME_BYTES);
		p->name = arg;
		break;
	case OPT_SOCKET:
		check_length("--socket", arg, UNIX_PATH_BYTES);
		p->socket = arg;
		break;
	case OPT_STATE_DIR:
		p->state_dir = arg;
		break;
	case OPT_DEVICE:
		add_device(o, arg);
		break;
	case OPT_SOCKET_MODE:
		p->socket_mode = (mode_t)parse_number("socket-mode", arg, 8, 0,
						      0777);
		break;
	case OPT_SYSTEM:
		o->description = arg;
		break;
	case OPT_MEMORY:
		p->memory = parse_bytes("memory", arg);
		o->memory_given = true;
		break;
	case OPT_OVERCOMMIT:
		p->overcommit = true;
		break;
	case OPT_REGION_SIZE:
		parse_region_size(o, arg);
		break;
	case OPT_STREAMS:
		p->streams = (uint32_t)parse_number("streams", arg, 10, 1, 255);
		break;
	case OPT_OPENS:
		p->opens = (uint32_t)parse_number("opens", arg, 10, 1, 255);
		break;
	case OPT_NO_INDIRECT:
		p->indirect = false;
		break;
	case OPT_NO_DIRTY_MAP:
		p->dirty_map = false;
		break;
	case OPT_DIRTY_MAP_ECHO:
		p->dirty_map_echo = true;
		break;
	case OPT_FAULT_INJECTION:
		p->fault_injection = true;
		break;
	case OPT_QEMU:
		check_program(arg);
		p->qemu = arg;
		break;
	case OPT_QEMU_PLUGIN:
		check_plugin(arg);
		p->qemu_plugin = arg;
		break;
	case OPT_USERFAULTFD:
		check_device(arg);
		p->userfaultfd = arg;
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
		puts("vasi-phypd " VASI_VERSION);
		exit(EXIT_SUCCESS);
	default:
		option_refused(PREFIX, option, word);
		fputs("Try 'vasi-phypd --help'.\n", stderr);
		exit(EXIT_USAGE);
	}
}

static void parse_options(struct options *o, int argc, char **argv)
{
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) *
		       (uint64_t)sysconf(_SC_PAGESIZE);
	int option;

	if (arguments_check(PREFIX, argc, argv))
		exit(EXIT_USAGE);
	opterr = 0;
	if (gethostname(o->host, sizeof(o->host) - 1))
		strcpy(o->host, "system");
	o->system = (struct system_params) {
		.name = o->host,
		.socket_mode = RPC_DEFAULT_MODE,
		.memory = ram / 4 * 3,
		.region_bytes = 16 << 20,
		.streams = 16,
		.opens = 16,
		.indirect = true,
		.dirty_map = true,
		.qemu = "qemu-system-ppc64",
		.userfaultfd = "/dev/userfaultfd",
	};
	while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		parse_option(o, option, optarg, argv[optind - 1]);
	if (optind < argc)
		usage_error("unexpected argument %.64s", argv[optind]);
	if (!o->system.socket)
		usage_error("--socket is missing");
	if (!o->system.state_dir)
		usage_error("--state-dir is missing");
	if (!o->device_count)
		usage_error("--device is missing");
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);	/* the loop asks for its children itself */
	/* Before there are threads, so that all of them inherit it */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int add_devices(struct system *system, const struct options *o)
{
	struct device *device;

	for (unsigned int i = 0; i < o->device_count; i++) {
		const struct device_arg *arg = &o->devices[i];
		int ret = device_create(system, arg->name, arg->path, &device);

		if (ret) {
			log_error("device %s at %s: %s", arg->name, arg->path,
				  strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static void take_size(struct inventory *inventory, const char *option, bool given,
		      const char *member, uint64_t *bytes)
{
	uint64_t mib = inventory_number(inventory, member, 0);

	if (mib && given)
		usage_error("--%s: the description of the system has %s", option, member);
	if (mib)
		*bytes = mib << 20;
	else
		json_object_set_new(inventory->system, member,
				    rpc_json_u64(*bytes >> 20));
}

/* What the system has, and with that its memory */
static int load_description(struct options *o)
{
	struct system_params *p = &o->system;
	struct rpc_error err = { 0 };

	if (!o->description)
		return 0;
	if (inventory_load(o->description, &p->inventory, &err)) {
		notice(PREFIX, "--system %.256s: %s", o->description, err.text);
		return -EINVAL;
	}
	take_size(p->inventory, "memory", o->memory_given, "memory", &p->memory);
	take_size(p->inventory, "region-size", o->region_given, "mem_region_size",
		  &p->region_bytes);
	return 0;
}

/* Everything is there that a console may ask for */
static void serve(struct system *system, int error)
{
	int ret = error;

	if (!ret) {
		ret = system_serve(system);
		if (ret)
			log_error("management socket %s: %s", system->params.socket,
				  strerror(-ret));
	}
	if (ret)
		sd_event_exit(system->event, ret);
	else
		log_info("system %s: ready, %" PRIu64 " bytes of memory",
			 system->params.name, system->params.memory);
}

static int run(const struct options *o)
{
	struct system *system = NULL;
	sd_event *event = NULL;
	int ret;

	ret = block_signals();
	if (!ret)
		ret = sd_event_new(&event);
	if (ret >= 0)
		ret = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (ret >= 0)
		ret = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (ret < 0) {
		log_error("event loop: %s", strerror(-ret));
		goto out;
	}
	ret = system_create(&o->system, event, &system);
	if (ret) {
		log_error("state directory %s: %s", o->system.state_dir,
			  ret == -EBUSY ? "another vasi-phypd uses it" :
			  strerror(-ret));
		goto out;
	}
	ret = add_devices(system, o);
	if (!ret)
		ret = system_start_partitions(system, serve);
	if (!ret)
		ret = sd_event_loop(event);
	system_destroy(system);
out:
	sd_event_unref(event);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	int status = EXIT_FAILURE;

	log_init("vasi-phypd", LOG_LEVEL_INFO);
	parse_options(&options, argc, argv);
	forbid_core_dumps();
	if (!load_description(&options))
		status = run(&options);
	inventory_free(options.system.inventory);
	return status;
}
