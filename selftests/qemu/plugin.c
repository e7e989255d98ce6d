// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How spapr-vasi comes into a QEMU that it was not linked with.
 *
 *	-plugin spapr-vasi.so			for -device spapr-vasi
 *	-plugin spapr-vasi.so,partition=FD	the home of a partition (partition.c)
 *	-plugin spapr-vasi.so,processors	nothing but what QEMU's own migration of a
 *						guest lacks (processors.c)
 *
 * The plug-in shares structures with the program that loads it, so it refuses any
 * other binary than the one whose headers it was built with.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/qemu-plugin.h"
#include "cpu.h"
#include "exec/memory.h"
#include "hw/ppc/spapr.h"
#include "hw/ppc/spapr_vio.h"
#include "qom/object.h"
#include <elf.h>
#include <link.h>
#include <sys/socket.h>

#include "partition.h"
#include "spapr-vasi.h"

/* Reads the id of the first object, which is the program */
static int read_build_id(struct dl_phdr_info *info, size_t size, void *opaque)
{
	GString *id = opaque;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const char *note = (const char *)(info->dlpi_addr + p->p_vaddr);
		const char *end = note + p->p_memsz;

		if (p->p_type != PT_NOTE)
			continue;
		while (note + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *n = (const void *)note;
			const uint8_t *desc = (const uint8_t *)(n + 1) +
					      ROUND_UP(n->n_namesz, 4);

			note = (const char *)desc + ROUND_UP(n->n_descsz, 4);
			if (n->n_type != NT_GNU_BUILD_ID || n->n_namesz != 4 ||
			    memcmp(n + 1, "GNU", 4) || note > end)
				continue;
			for (uint32_t b = 0; b < n->n_descsz; b++)
				g_string_append_printf(id, "%02x", desc[b]);
			return 1;
		}
	}
	return 1;
}

/* In the file as it is, so that it can be read, and changed, there */
static volatile const char build_id[] = "build-id:" SPAPR_VASI_BUILD_ID;

static bool same_build(void)
{
	g_autoptr(GString) id = g_string_new(NULL);
	const char *wanted = (const char *)build_id + strlen("build-id:");

	dl_iterate_phdr(read_build_id, id);
	if (!strcmp(id->str, wanted))
		return true;
	error_report("spapr-vasi: built for the qemu-system-ppc64 of " SPAPR_VASI_VERSION
		     " with build-id %s; this one has build-id %s.  Not loaded: build it anew",
		     wanted, id->str[0] ? id->str : "(none)");
	return false;
}

static bool same_sizes(void)
{
	static const struct {
		const char *type;
		size_t bytes;
	} known[] = {
		{ TYPE_DEVICE, sizeof(DeviceState) },
		{ TYPE_VIO_SPAPR_DEVICE, sizeof(SpaprVioDevice) },
		{ TYPE_SPAPR_TCE_TABLE, sizeof(SpaprTceTable) },
		{ TYPE_SPAPR_VIO_BUS, sizeof(SpaprVioBus) },
		{ TYPE_SPAPR_MACHINE, sizeof(SpaprMachineState) },
		{ TYPE_MEMORY_REGION, sizeof(MemoryRegion) },
		{ TYPE_IOMMU_MEMORY_REGION, sizeof(IOMMUMemoryRegion) },
		{ TYPE_POWERPC_CPU, sizeof(PowerPCCPU) },
		{ TYPE_CPU, sizeof(CPUState) },
	};
	bool same = true;

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		size_t bytes = object_type_get_instance_size(known[i].type);

		if (bytes == known[i].bytes)
			continue;
		error_report("spapr-vasi: built where \"%s\" has %zu bytes; this QEMU has %zu.  Not loaded",
			     known[i].type, known[i].bytes, bytes);
		same = false;
	}
	return same;
}

/* A descriptor that QEMU has inherited: a connected SOCK_SEQPACKET */
static bool is_link(int fd)
{
	socklen_t length = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) &&
	       type == SOCK_SEQPACKET;
}

/**
 * struct role - what this plug-in is there for
 * @link:	-1, or that of partition=FD
 * @processors:	for QEMU's own migration
 */
struct role {
	int link;
	bool processors;
};

static bool parse_link(const char *value, struct role *role)
{
	if (role->link >= 0) {
		error_report("spapr-vasi: partition=FD is there twice");
		return false;
	}
	if (!g_ascii_isdigit(*value) || qemu_strtoi(value, NULL, 10, &role->link) ||
	    !is_link(role->link)) {
		error_report("spapr-vasi: partition=%s: not a descriptor of a SOCK_SEQPACKET socket",
			     value);
		return false;
	}
	return true;
}

static bool parse(int argc, char **argv, struct role *role)
{
	const char *value;

	for (int i = 0; i < argc; i++) {
		if (strstart(argv[i], "partition=", &value)) {
			if (!parse_link(value, role))
				return false;
		} else if (!strcmp(argv[i], "processors=on")) {
			/* So QEMU writes "processors" */
			role->processors = true;
		} else {
			error_report("spapr-vasi: \"%s\" is not known; there are partition=FD and processors",
				     argv[i]);
			return false;
		}
	}
	if (role->link >= 0 && role->processors) {
		error_report("spapr-vasi: partition=FD and processors: a partition's home has all that the latter does");
		return false;
	}
	return true;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
					   const qemu_info_t *info,
					   int argc, char **argv)
{
	struct role role = { .link = -1 };

	if (!same_build() || !same_sizes() || !parse(argc, argv, &role))
		return 1;
	if (role.processors) {
		spapr_vasi_register("this QEMU migrates by itself (-plugin with processors): it has no VASI device");
		processors_install();
	} else if (role.link >= 0) {
		spapr_vasi_register("this QEMU is a partition's home (-plugin with partition=FD): it has no VASI device");
		partition_install(role.link);
	} else {
		spapr_vasi_register(NULL);
	}
	return 0;
}
