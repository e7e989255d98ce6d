// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Settings.  Every key of the file is also a long option of the command line,
 * with '-' for '_'; the command line wins.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/notice.h"
#include "common/unixsock.h"
#include "common/util.h"
#include "config.h"
#include "conn.h"
#include "wire.h"

#define CONFIG_FILE	"/etc/mspd.conf"
#define PREFIX		"mspd: "
#define MAX_LINE	1024
#define CIPHERSUITES	"TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:" \
			"TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERSUITES_SHOWN "AES-256-GCM, AES-128-GCM, ChaCha20-Poly1305"
/* What --init is given without more */
#define INIT_DAYS	3650
#define MAX_INIT_DAYS	36500
#define WHERE_BYTES	256

enum kind {
	KIND_TEXT,
	KIND_DEVICE,
	KIND_UINT,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_BOOL,
	KIND_MODE,
	KIND_LEVEL,
	KIND_FORM,
};

/**
 * struct key - a setting
 * @name:	in the file; on the command line with '-' for '_'
 * @kind:	of value
 * @place:	in struct config
 * @min: @max:	of a number; bytes of a text
 * @help:	for --help
 */
struct key {
	const char *name;
	enum kind kind;
	size_t place;
	uint64_t min;
	uint64_t max;
	const char *help;
};

#define AT(member)	offsetof(struct config, member)

static const struct key keys[] = {
	{ "vasi", KIND_DEVICE, 0, 1, UNIX_PATH_BYTES,
	  "VASI device: /dev/vasi0, or the socket of a VIO link; several times" },
	{ "socket", KIND_TEXT, AT(socket), 1, UNIX_PATH_BYTES,
	  "control socket (/run/mspd.sock)" },
	{ "socket_mode", KIND_MODE, AT(socket_mode), 0, 0777, "its permissions (0660)" },
	{ "listen", KIND_TEXT, AT(listen), 1, 255,
	  "address on which target movers listen (127.0.0.1)" },
	{ "tcp_port_low", KIND_U16, AT(tcp_port_low), 0, 65535,
	  "first port for it, 0 = any (0)" },
	{ "tcp_port_high", KIND_U16, AT(tcp_port_high), 0, 65535, "last port (0)" },
	{ "concurrency_lvl", KIND_UINT, AT(concurrency_lvl), 1, 5,
	  "1 (most memory) to 5 (least) (3)" },
	{ "max_vasi_ops", KIND_UINT, AT(max_vasi_ops), 1, CONFIG_MAX_OPS,
	  "moves at the same time (8)" },
	{ "workers", KIND_UINT, AT(workers), 1, 64, "event loops (1)" },
	{ "donors", KIND_UINT, AT(donors), 0, 256,
	  "threads that donate cycles, 0 = processors minus one (0)" },
	{ "sessions", KIND_UINT, AT(sessions), 1, WIRE_MAX_SESSIONS,
	  "sessions of a move (2)" },
	{ "connections", KIND_UINT, AT(connections), 1, WIRE_MAX_CONNECTIONS,
	  "data connections of a move (2)" },
	{ "buffer_bytes", KIND_U32, AT(buffer_bytes), 8192, 8 << 20,
	  "a download buffer of a target mover (262144)" },
	{ "op_buffer_bytes", KIND_U32, AT(op_buffer_bytes), 0, 8 << 20,
	  "a buffer for operations, 0 = by what the platform offers (0)" },
	{ "op_buffers", KIND_U32, AT(op_buffers), 0, 1024,
	  "of them for each session, 0 = by concurrency_lvl (0)" },
	{ "pool_min", KIND_U64, AT(pool_min), 0, 1ULL << 31,
	  "download buffers of one move, 0 = by concurrency_lvl (0)" },
	{ "pool_max", KIND_U64, AT(pool_max), 0, 1ULL << 31,
	  "what they may grow to, 0 = by concurrency_lvl (0)" },
	{ "pane_bytes", KIND_U64, AT(pane_bytes), 1 << 20, (4ULL << 30) - 4096,
	  "address space for the buffers of a device (2147483648)" },
	{ "download", KIND_FORM, AT(indirect_download), 0, 0,
	  "form of downloads: immediate or indirect (immediate)" },
	{ "immediate_operations", KIND_BOOL, AT(immediate_operations), 0, 1,
	  "do not offer indirect operations (no)" },
	{ "peer_timeout", KIND_UINT, AT(peer_timeout_s), 1, 3600,
	  "seconds that a peer may be silent (10)" },
	{ "tls_dir", KIND_TEXT, AT(tls_dir), 1, 4000,
	  "key, certificates and trusted peers (/etc/mspd)" },
	{ "tls_ciphersuites", KIND_TEXT, AT(tls_ciphersuites), 1, 512,
	  "suites of TLS 1.3, best first (" CIPHERSUITES_SHOWN ")" },
	{ "encrypt_data", KIND_BOOL, AT(encrypt_data), 0, 1,
	  "encrypt data connections; the same on both sides (yes)" },
	{ "kernel_tls", KIND_BOOL, AT(kernel_tls), 0, 1,
	  "have the kernel encrypt, where it can (yes)" },
	{ "user", KIND_TEXT, AT(user), 1, 32,
	  "user to run as when root starts it (whoever starts it)" },
	{ "log_level", KIND_LEVEL, AT(level), 0, 0,
	  "error, warning, info or debug (info)" },
};

/* What concurrency_lvl stands for */
static const struct {
	uint64_t pool_min;
	uint64_t pool_max;
	uint32_t op_buffers;
} levels[] = {
	[1] = { 64 << 20, 256 << 20, 128 },
	[2] = { 32 << 20, 128 << 20, 96 },
	[3] = { 16 << 20, 64 << 20, 64 },
	[4] = { 8 << 20, 32 << 20, 32 },
	[5] = { 4 << 20, 16 << 20, 16 },
};

__attribute__((format(printf, 3, 4)))
static int wrong(const char *where, const struct key *key, const char *fmt, ...)
{
	char prefix[WHERE_BYTES + 64];
	va_list ap;

	snprintf(prefix, sizeof(prefix), "mspd: %s: %s: ", where, key->name);
	va_start(ap, fmt);
	vnotice(prefix, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int check_text(const struct key *key, const char *where, const char *value)
{
	char why[128];

	if (text_problem(value, TEXT_MAX_BYTES, why, sizeof(why)))
		return wrong(where, key, "\"%.64s\" %s", value, why);
	if ((key->kind == KIND_TEXT || key->kind == KIND_DEVICE) &&
	    (strlen(value) < key->min || strlen(value) > key->max))
		return wrong(where, key, "\"%.64s\" has %zu bytes, allowed are %" PRIu64
			     " to %" PRIu64, value, strlen(value), key->min, key->max);
	return 0;
}

static int set_text(char **place, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	return 0;
}

static int set_number(struct config *config, const struct key *key,
		      const char *where, const char *value)
{
	void *place = (char *)config + key->place;
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, key->kind == KIND_MODE ? 8 : 0);
	if (errno || end == value || *end || strchr(value, '-'))
		return wrong(where, key, "\"%.64s\" is not a number", value);
	if (number < key->min || number > key->max)
		return wrong(where, key, "%llu, allowed are %" PRIu64 " to %" PRIu64,
			     number, key->min, key->max);
	switch (key->kind) {
	case KIND_U16:
		*(uint16_t *)place = (uint16_t)number;
		break;
	case KIND_U64:
		*(uint64_t *)place = number;
		break;
	case KIND_MODE:
		*(mode_t *)place = (mode_t)number;
		break;
	default:
		*(uint32_t *)place = (uint32_t)number;
		break;
	}
	return 0;
}

static int set_word(struct config *config, const struct key *key,
		    const char *where, const char *value)
{
	bool *place = (bool *)((char *)config + key->place);
	const char *yes = key->kind == KIND_FORM ? "indirect" : "yes";
	const char *no = key->kind == KIND_FORM ? "immediate" : "no";

	if (strcmp(value, yes) && strcmp(value, no))
		return wrong(where, key, "\"%.64s\", allowed are %s and %s", value, yes, no);
	*place = !strcmp(value, yes);
	return 0;
}

static int set(struct config *config, const struct key *key, const char *where,
	       const char *value)
{
	if (check_text(key, where, value))
		return -EINVAL;
	switch (key->kind) {
	case KIND_TEXT:
		return set_text((char **)((char *)config + key->place), value);
	case KIND_DEVICE:
		if (config->nvasi == CONFIG_MAX_DEVICES)
			return wrong(where, key, "at most %u devices", CONFIG_MAX_DEVICES);
		return set_text(&config->vasi[config->nvasi++], value);
	case KIND_BOOL:
	case KIND_FORM:
		return set_word(config, key, where, value);
	case KIND_LEVEL:
		if (log_parse_level(value, &config->level))
			return wrong(where, key,
				     "\"%.64s\", allowed are error, warning, info, debug",
				     value);
		return 0;
	default:
		return set_number(config, key, where, value);
	}
}

static char *strip(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

static int read_line(struct config *config, const char *where, char *line)
{
	char *value = strchr(line, '=');
	const struct key *key;

	line = strip(line);
	if (!*line || *line == '#')
		return 0;
	if (!value) {
		notice(PREFIX, "%s: \"key = value\" expected", where);
		return -EINVAL;
	}
	*value = '\0';
	value = strip(value + 1);
	line = strip(line);
	key = find_key(line);
	if (!key) {
		notice(PREFIX, "%s: unknown key \"%.64s\"", where, line);
		return -EINVAL;
	}
	return set(config, key, where, value);
}

/* A line, without what a longer one or a NUL byte would hide */
static int check_line(const char *where, const char *line, FILE *file)
{
	size_t length = strlen(line);

	if (length == MAX_LINE - 1 && line[length - 1] != '\n') {
		notice(PREFIX, "%s: line is longer than %d bytes", where, MAX_LINE - 2);
		return -EINVAL;
	}
	if ((!length || line[length - 1] != '\n') && !feof(file)) {
		notice(PREFIX, "%s: line has a NUL byte; text is allowed", where);
		return -EINVAL;
	}
	return 0;
}

static int read_lines(struct config *config, const char *path, FILE *file)
{
	char line[MAX_LINE];
	char where[WHERE_BYTES];
	unsigned int number = 0;
	int ret = 0;

	while (!ret && fgets(line, sizeof(line), file)) {
		snprintf(where, sizeof(where), "%.200s:%u", path, ++number);
		ret = check_line(where, line, file);
		if (!ret)
			ret = read_line(config, where, line);
	}
	if (!ret && ferror(file)) {
		notice(PREFIX, "%.256s: %s", path, strerror(errno));
		ret = -EINVAL;
	}
	return ret;
}

static int read_file(struct config *config, const char *path, bool must_exist)
{
	/* Not to wait for the writer of a FIFO */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct stat st;
	int ret;

	if (!file) {
		if (errno == ENOENT && !must_exist)
			return 0;
		notice(PREFIX, "%.256s: %s", path, strerror(errno));
		return -EINVAL;
	}
	/* /dev/null is an empty one */
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))) {
		notice(PREFIX, "%.256s: it is no regular file", path);
		ret = -EINVAL;
	} else {
		ret = read_lines(config, path, file);
	}
	fclose(file);
	return ret;
}

static void help(void)
{
	printf("Usage: mspd --vasi PATH [OPTION]...\n"
	       "       mspd --init [--name NAME] [--days N] [OPTION]...\n"
	       "The mover daemon: moves partitions between systems through VASI devices.\n\n"
	       "  -c, --config=FILE            settings, one \"key = value\" a line, '_' for '-'\n"
	       "                               (%s, if it exists)\n"
	       "      --init                   make a key and a certificate in tls_dir, and print\n"
	       "                               the identity that other movers are to trust\n"
	       "      --name=NAME              in the certificate (the name of this host)\n"
	       "      --days=N                 it is valid for (%d)\n"
	       "  -h, --help, --version\n", CONFIG_FILE, INIT_DAYS);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s", keys[i].name);
		for (char *p = name; *p; p++)
			*p = *p == '_' ? '-' : *p;
		printf("      --%-22s %s\n", name, keys[i].help);
	}
	printf("\nSizes are in bytes.  concurrency_lvl stands for: download buffers of a move\n"
	       "(pool_min, pool_max) and buffers for operations of a session (op_buffers):\n");
	for (size_t i = 1; i < ARRAY_SIZE(levels); i++)
		printf("  %zu  %3" PRIu64 " MiB  %3" PRIu64 " MiB  %3" PRIu32 "\n", i,
		       levels[i].pool_min >> 20, levels[i].pool_max >> 20,
		       levels[i].op_buffers);
}

/* Options that are no keys; those of keys come after them */
enum {
	OPT_VERSION = 996,
	OPT_INIT,
	OPT_NAME,
	OPT_DAYS,
	OPT_KEY,
};

/* Command line options beside those of keys */
static const struct option more_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "init", no_argument, NULL, OPT_INIT },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "days", required_argument, NULL, OPT_DAYS },
	{ }
};

/* Of --init; they are no settings of the daemon, and so not in the file */
static const struct key name_key = { "name", KIND_TEXT, AT(name), 1, 64, NULL };
static const struct key days_key = {
	"days", KIND_UINT, AT(days), 1, MAX_INIT_DAYS, NULL
};

#undef AT

static void make_options(struct option *options, char names[][32])
{
	size_t count = ARRAY_SIZE(keys);

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], 32, "%s", keys[i].name);
		for (char *p = names[i]; *p; p++)
			*p = *p == '_' ? '-' : *p;
		options[i] = (struct option) { names[i], required_argument, NULL,
					       OPT_KEY + (int)i };
	}
	memcpy(&options[count], more_options, sizeof(more_options));
}

static const struct key *option_key(int opt)
{
	if (opt == OPT_NAME)
		return &name_key;
	if (opt == OPT_DAYS)
		return &days_key;
	return &keys[opt - OPT_KEY];
}

static int read_options(struct config *config, int argc, char **argv,
			const char **file, bool only_file)
{
	struct option options[ARRAY_SIZE(keys) + ARRAY_SIZE(more_options)];
	char names[ARRAY_SIZE(keys)][32];
	int opt;

	make_options(options, names);
	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
		if (opt == 'c') {
			*file = optarg;
		} else if (opt == 'h') {
			help();
			return 1;
		} else if (opt == OPT_VERSION) {
			puts("mspd " VASI_VERSION);
			return 1;
		} else if (opt == OPT_INIT) {
			config->init = true;
		} else if (opt < OPT_INIT) {
			option_refused(PREFIX, opt, argv[optind - 1]);
			fputs("Try 'mspd --help'.\n", stderr);
			return -EINVAL;
		} else if (!only_file &&
			   set(config, option_key(opt), "command line", optarg)) {
			return -EINVAL;
		}
	}
	if (optind < argc) {
		notice(PREFIX, "unexpected argument \"%.64s\"", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

/* What depends on other settings, and what they must be to each other */
static int complete(struct config *config)
{
	unsigned int level = config->concurrency_lvl;
	char host[CONN_HOST_BYTES];
	const char *why;

	if (!config->init && (config->name || config->days)) {
		fprintf(stderr, "mspd: --name and --days are for --init\n");
		return -EINVAL;
	}
	if (!config->days)
		config->days = INIT_DAYS;
	if (config->init)
		return 0;
	if (!config->op_buffers)
		config->op_buffers = levels[level].op_buffers;
	if (!config->pool_min)
		config->pool_min = levels[level].pool_min;
	if (!config->pool_max)
		config->pool_max = max(levels[level].pool_max, config->pool_min);
	if (!config->nvasi) {
		fprintf(stderr, "mspd: no VASI device (--vasi)\n");
		return -EINVAL;
	}
	if (conn_host(config->listen, strlen(config->listen), host, &why)) {
		notice(PREFIX, "listen is \"%.64s\": %s", config->listen, why);
		return -EINVAL;
	}
	if (config->pool_max < config->pool_min) {
		fprintf(stderr, "mspd: pool_max is %" PRIu64 ", less than pool_min: %" PRIu64 "\n",
			config->pool_max, config->pool_min);
		return -EINVAL;
	}
	if (config->buffer_bytes % 4096 || config->op_buffer_bytes % 4096 ||
	    (config->op_buffer_bytes && config->op_buffer_bytes < 8192)) {
		fprintf(stderr, "mspd: buffer_bytes is %" PRIu32 ", op_buffer_bytes %" PRIu32
			": multiples of 4096, at least 8192, are allowed\n",
			config->buffer_bytes, config->op_buffer_bytes);
		return -EINVAL;
	}
	if (config->tcp_port_high && !config->tcp_port_low) {
		fprintf(stderr, "mspd: tcp_port_high is %u, but tcp_port_low is missing\n",
			config->tcp_port_high);
		return -EINVAL;
	}
	if (config->tcp_port_low && config->tcp_port_high < config->tcp_port_low) {
		fprintf(stderr, "mspd: tcp_port_high is %u, less than tcp_port_low: %u\n",
			config->tcp_port_high, config->tcp_port_low);
		return -EINVAL;
	}
	config->workers = min(config->workers, config->nvasi);
	return 0;
}

/**
 * config_load() - read the settings
 * @config: result; config_free() it in any case
 * @argc: of main()
 * @argv: of main()
 *
 * Return: 0; 1: help or version was asked for and printed; negative: an error was printed.
 */
int config_load(struct config *config, int argc, char **argv)
{
	const char *file = NULL;
	int ret;

	*config = (struct config) {
		.socket_mode = 0660,
		.concurrency_lvl = 3,
		.max_vasi_ops = 8,
		.workers = 1,
		.sessions = 2,
		.connections = 2,
		.buffer_bytes = 256 << 10,
		.pane_bytes = 2ULL << 30,
		.peer_timeout_s = 10,
		.encrypt_data = true,
		.kernel_tls = true,
		.level = LOG_LEVEL_INFO,
	};
	if (set_text(&config->socket, "/run/mspd.sock") ||
	    set_text(&config->listen, "127.0.0.1") ||
	    set_text(&config->tls_dir, "/etc/mspd") ||
	    set_text(&config->tls_ciphersuites, CIPHERSUITES))
		return -ENOMEM;
	if (arguments_check(PREFIX, argc, argv))
		return -EINVAL;
	ret = read_options(config, argc, argv, &file, true);
	if (ret)
		return ret;
	ret = read_file(config, file ? : CONFIG_FILE, file);
	if (ret)
		return ret;
	ret = read_options(config, argc, argv, &file, false);
	return ret ? ret : complete(config);
}

/**
 * config_free() - free what config_load() allocated
 * @config: the settings
 */
void config_free(struct config *config)
{
	for (unsigned int i = 0; i < config->nvasi; i++)
		free(config->vasi[i]);
	free(config->socket);
	free(config->listen);
	free(config->tls_dir);
	free(config->tls_ciphersuites);
	free(config->user);
	free(config->name);
}
