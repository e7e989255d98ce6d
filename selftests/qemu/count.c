// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plug-in of QEMU that counts what each processor of a ppc64le guest executes:
 * instructions of user programs and of the kernel, system calls, and hypervisor calls.
 *
 *	-plugin count.so,log=FILE
 *
 * A user program says when to look: by an instruction that does nothing and that no
 * compiler emits.  Each such instruction is a line in FILE, with the counts of the
 * processor that executed it and, behind them, instructions of all processors:
 *
 *	CPU USER KERNEL SYSCALLS HCALLS ALL-USER ALL-KERNEL
 *
 * Instructions are counted as QEMU translates them, by blocks: one that an exception
 * leaves early counts as a whole.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "qemu/qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define MAX_CPUS	16

/* xori 26,26,0 */
#define MARK		0x6b5a0000u
#define SC		0x44000002u
#define SCV_0		0x44000001u
#define SC_1		0x44000022u
/* QEMU hands out a little-endian guest's code in either order, by its version */
#define IS(word, code)	((word) == (code) || (word) == __builtin_bswap32(code))

/* Addresses of a 64-bit kernel; without translation the top bits are ignored */
#define KERNEL_BASE	UINT64_C(0xc000000000000000)

struct counts {
	_Alignas(64) uint64_t user;
	uint64_t kernel;
	uint64_t syscalls;
	uint64_t hcalls;
};

/* Each is written by the thread of its processor only */
static struct counts counts[MAX_CPUS];
static FILE *log_file;

static struct counts *of(unsigned int cpu)
{
	return &counts[cpu < MAX_CPUS ? cpu : MAX_CPUS - 1];
}

/* Callbacks of a processor that executes; @data is how many instructions */

static void user_block(unsigned int cpu, void *data)
{
	of(cpu)->user += (uintptr_t)data;
}

static void kernel_block(unsigned int cpu, void *data)
{
	of(cpu)->kernel += (uintptr_t)data;
}

static void system_call(unsigned int cpu, void *data)
{
	(void)data;
	of(cpu)->syscalls++;
}

static void hypervisor_call(unsigned int cpu, void *data)
{
	(void)data;
	of(cpu)->hcalls++;
}

static void mark(unsigned int cpu, void *data)
{
	const struct counts *own = of(cpu);
	struct counts all = { 0 };

	(void)data;
	for (unsigned int i = 0; i < MAX_CPUS; i++) {
		all.user += __atomic_load_n(&counts[i].user, __ATOMIC_RELAXED);
		all.kernel += __atomic_load_n(&counts[i].kernel, __ATOMIC_RELAXED);
	}
	fprintf(log_file, "%u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		" %" PRIu64 "\n", cpu, own->user, own->kernel, own->syscalls, own->hcalls,
		all.user, all.kernel);
	fflush(log_file);
}

static uint32_t encoding(const struct qemu_plugin_insn *insn)
{
	uint32_t word = 0;

	/* A prefixed one has eight bytes, and is neither of those looked for */
	if (qemu_plugin_insn_size(insn) == sizeof(word))
		memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
	return word;
}

/* What is to be called where an instruction is executed, or NULL */
static qemu_plugin_vcpu_udata_cb_t callback(uint32_t word, bool user)
{
	if (!user)
		return IS(word, SC_1) ? hypervisor_call : NULL;
	if (IS(word, MARK))
		return mark;
	if (IS(word, SC) || IS(word, SCV_0))
		return system_call;
	return NULL;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	const size_t n = qemu_plugin_tb_n_insns(tb);
	const bool user = qemu_plugin_tb_vaddr(tb) < KERNEL_BASE;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, user ? user_block : kernel_block,
					     QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		qemu_plugin_vcpu_udata_cb_t cb = callback(encoding(insn), user);

		if (cb)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, cb, QEMU_PLUGIN_CB_NO_REGS,
							       NULL);
	}
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
					   int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "log=", 4)) {
		fprintf(stderr, "count: one option: log=FILE\n");
		return -1;
	}
	log_file = fopen(argv[0] + 4, "w");
	if (!log_file) {
		perror(argv[0] + 4);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
