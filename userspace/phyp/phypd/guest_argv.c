// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What QEMU is told to be.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rpc.h"
#include "common/util.h"
#include "phyp/phypd/guest_process.h"

/* Of the fixed options, and those of disk and networks */
#define MORE_WORDS	72
#define MACHINE		"pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken," \
			"cap-ccf-assist=off,memory-backend=ram"
/* A firmware that starts in no time, but only a kernel that it is given */
#define QUICK_FIRMWARE	",x-vof=on"
/*
 * Every entry of a table of I/O translations is saved and loaded by itself while nobody
 * executes, used or not, and the PCI bridge has one of 1 GiB.  No device of ours needs
 * it (virtio does without), and drivers of those that "arguments" add get by with less.
 */
#define SMALL_WINDOW	"spapr-pci-host-bridge.dma_win_size=0x1000000"
/* Unit addresses: the same on both systems, whatever order QEMU would choose */
#define CONSOLE_REG	0x30000000u
#define AGENT_REG	0x30001000u
#define DISK_REG	0x71000002u
#define NETWORK_REG	0x71000010u

/**
 * struct words - arguments that are being put together
 * @word:	ended by NULL
 * @count:	how many
 * @failed:	there was no memory for one
 */
struct words {
	char *word[MORE_WORDS + GUEST_MAX_ARGUMENTS];
	unsigned int count;
	bool failed;
};

__attribute__((format(printf, 2, 3)))
static void add(struct words *w, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (!text || w->count + 1 >= ARRAY_SIZE(w->word)) {
		free(text);
		w->failed = true;
		return;
	}
	w->word[w->count++] = text;
}

/* In QEMU's options a comma ends a value, and two are one */
static char *escaped(struct words *w, const char *text)
{
	char *out = calloc(2, strlen(text) + 1), *to = out;

	if (!out) {
		w->failed = true;
		return NULL;
	}
	for (; *text; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	return out;
}

/* @fmt has one %s, for @value with its commas escaped */
static void add_escaped(struct words *w, const char *fmt, const char *value)
{
	char *text = escaped(w, value);

	if (text) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		add(w, fmt, text);
#pragma GCC diagnostic pop
	}
	free(text);
}

/**
 * guest_console_path() - where a guest's console goes if nobody shows it
 * @config:	the guest
 *
 * Return: a new string, or NULL.
 */
char *guest_console_path(const struct guest_config *config)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s.console", config->directory, config->name) < 0)
		return NULL;
	return path;
}

static void add_machine(struct words *w, const struct guest_config *c)
{
	add(w, "%s", c->qemu);
	add(w, "-name");
	add_escaped(w, "guest=%s", c->name);
	for (const char *const *word = (const char *const []) { "-nodefaults",
	     "-no-user-config", "-display", "none", "-S", "-accel", "tcg,thread=multi",
	     "-cpu", "POWER9", "-global", SMALL_WINDOW, "-M", NULL }; *word; word++)
		add(w, "%s", *word);
	add(w, MACHINE "%s", rpc_has(c->guest, "kernel") ? QUICK_FIRMWARE : "");
	add(w, "-smp");
	add(w, "%" PRIu64, rpc_get_u64(c->guest, "processors", 1));
	add(w, "-m");
	add(w, "size=%" PRIu64 "k", c->memory->bytes >> 10);
	add(w, "-object");
	add(w, "memory-backend-file,id=ram,share=on,mem-path=/proc/self/fd/%d,size=%" PRIu64,
	    GUEST_FD_MEMORY, c->memory->bytes);
}

static void add_links(struct words *w, const struct guest_config *c)
{
	add(w, "-plugin");
	if (strchr(c->plugin, ','))
		w->failed = true;
	add(w, "%s,partition=%d", c->plugin, GUEST_FD_LINK);
	add(w, "-chardev");
	add(w, "socket,id=qmp,fd=%d", GUEST_FD_QMP);
	add(w, "-mon");
	add(w, "chardev=qmp,mode=control");
}

static void add_console(struct words *w, const struct guest_config *c)
{
	const char *shown = rpc_get_string(c->guest, "console", "");
	char *path = guest_console_path(c);

	add(w, "-chardev");
	if (*shown)
		add_escaped(w, "socket,id=console,reconnect=1,path=%s", shown);
	else if (path)
		add_escaped(w, "file,id=console,append=on,path=%s", path);
	else
		w->failed = true;
	free(path);
	add(w, "-device");
	add(w, "spapr-vty,chardev=console,reg=%#x", CONSOLE_REG);
	add(w, "-chardev");
	add(w, "socket,id=agent,fd=%d", GUEST_FD_AGENT);
	add(w, "-device");
	add(w, "spapr-vty,chardev=agent,reg=%#x", AGENT_REG);
}

static void add_networks(struct words *w, const json_t *guest)
{
	const json_t *network;
	unsigned int i;

	json_array_foreach(json_object_get(guest, "network"), i, network) {
		const char *device = rpc_get_string(network, "device", "spapr-vlan");
		const char *mac = rpc_get_string(network, "mac", "");
		char *path = escaped(w, rpc_get_string(network, "switch", ""));

		add(w, "-netdev");
		add(w, "stream,id=net%u,server=off,addr.type=unix,addr.path=%s", i,
		    path ? path : "");
		free(path);
		add(w, "-device");
		if (!strcmp(device, "spapr-vlan"))
			add(w, "spapr-vlan,netdev=net%u,mac=%s,reg=%#x", i, mac,
			    NETWORK_REG + i);
		else
			add(w, "virtio-net-pci,netdev=net%u,mac=%s,romfile=,disable-legacy=on,addr=%#x",
			    i, mac, 0x10 + i);
	}
}

static void add_disk(struct words *w, const json_t *disk)
{
	char *path;

	if (!disk)
		return;
	path = escaped(w, rpc_get_string(disk, "path", ""));
	add(w, "-drive");
	add(w, "if=none,id=disk,cache=none,format=%s,file=%s",
	    rpc_get_string(disk, "format", "raw"), path ? path : "");
	free(path);
	add(w, "-device");
	add(w, "spapr-vscsi,id=scsi,reg=%#x", DISK_REG);
	add(w, "-device");
	add(w, "scsi-hd,bus=scsi.0,drive=disk");
}

static void add_boot(struct words *w, const json_t *guest)
{
	static const char *const options[][2] = {
		{ "kernel", "-kernel" }, { "initrd", "-initrd" }, { "append", "-append" },
	};
	const json_t *word;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (!rpc_has(guest, options[i][0]))
			continue;
		add(w, "%s", options[i][1]);
		add(w, "%s", rpc_get_string(guest, options[i][0], ""));
	}
	json_array_foreach(json_object_get(guest, "arguments"), i, word)
		add(w, "%s", json_string_value(word));
}

/**
 * guest_argv() - QEMU's arguments
 * @config:	the guest
 *
 * Return: strings ended by NULL, for guest_argv_free(); or NULL.
 */
char **guest_argv(const struct guest_config *config)
{
	struct words *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	add_machine(w, config);
	add_links(w, config);
	add_console(w, config);
	add_networks(w, config->guest);
	add_disk(w, json_object_get(config->guest, "disk"));
	add_boot(w, config->guest);
	if (config->incoming) {
		add(w, "-incoming");
		add(w, "defer");
	}
	if (!w->failed)
		return w->word;
	guest_argv_free(w->word);
	return NULL;
}

/**
 * guest_argv_free() - free what guest_argv() gave
 * @argv:	may be NULL
 */
void guest_argv_free(char **argv)
{
	for (char **word = argv; word && *word; word++)
		free(*word);
	/* The array is the first member of what was allocated */
	free(argv);
}
