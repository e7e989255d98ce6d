// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What QEMU's processors lack for a guest that is suspended and moved: in H_JOIN, and
 * the decrementer.  And the functions that the guest is told of, which takes the
 * same way.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "cpu.h"
#include "hw/boards.h"
#include "hw/ppc/ppc.h"
#include "hw/ppc/spapr.h"
#include "sysemu/runstate.h"
#include <libfdt.h>
#include "sysemu/sysemu.h"
#include "sysemu/tcg.h"

#include "partition.h"
#include "spapr-vasi.h"

/* From 8.2 on the decrementer is in the processor's own migrated state */
#define DECREMENTER_IS_LOST \
	(QEMU_VERSION_MAJOR < 8 || (QEMU_VERSION_MAJOR == 8 && QEMU_VERSION_MINOR < 2))

static const char functions[] = "hcall-vasi\0hcall-suspend";

static void (*qemu_hypercall)(PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu);

/**
 * struct processors - all of this machine's
 * @announce:	their guest is told of functions
 * @saved:	decrementers are in SPR_DECR, to be armed
 * @machine_done: called when the machine is complete
 */
struct processors {
	bool announce;
	bool saved;
	Notifier machine_done;
};

/* What QEMU calls for the guest has no argument of ours */
static struct processors processors;

/*
 * A joined processor is to sleep until H_PROD, and its guest has disabled interrupts.
 * QEMU, 7.2 and later, only halts it, and what is pending, which is the decrementer
 * after at most some milliseconds, wakes it: it returns from H_JOIN at
 * once, and ibm,suspend-me finds an active processor.  So what QEMU does for stop-self
 * is done here, too: nothing wakes it.  PSSCR is POWER9's and later; others ignore it.
 */
static void mask_wakeups(PowerPCCPU *cpu)
{
	CPUPPCState *env = &cpu->env;

	env->spr[SPR_PSSCR] |= PSSCR_EC;
	ppc_store_lpcr(cpu, env->spr[SPR_LPCR] & ~POWERPC_CPU_GET_CLASS(cpu)->lpcr_pm);
}

/*
 * To a processor that executes none of it matters, so it is early enough before it
 * sleeps again, however it was woken.  Registers are migrated: it works on the target,
 * too.
 */
static void unmask_wakeups(PowerPCCPU *cpu)
{
	CPUPPCState *env = &cpu->env;
	target_ulong wakeups = POWERPC_CPU_GET_CLASS(cpu)->lpcr_pm;

	if ((env->spr[SPR_LPCR] & wakeups) == wakeups)
		return;
	env->spr[SPR_PSSCR] &= ~PSSCR_EC;
	ppc_store_lpcr(cpu, env->spr[SPR_LPCR] | wakeups);
}

/* LoPAR, "Root Node": by its presence software, drmgr among it, knows that it may move */
static void announce_migratable(SpaprMachineState *spapr)
{
	static const char name[] = "ibm,migratable-partition";

	if (!fdt_getprop(spapr->fdt_blob, 0, name, NULL))
		fdt_setprop(spapr->fdt_blob, 0, name, NULL, 0);
}

static void hypercall(PPCVirtualHypervisor *vhyp, PowerPCCPU *cpu)
{
	/* R3 is overwritten; programs of users may make no hcalls */
	uint64_t number = cpu->env.msr & 1ULL << MSR_PR ? 0 : cpu->env.gpr[3];

	if (number == KVMPPC_H_VOF_CLIENT && processors.announce) {
		spapr_vasi_announce(SPAPR_MACHINE(vhyp), functions, sizeof(functions));
		announce_migratable(SPAPR_MACHINE(vhyp));
	}
	if (number == H_CEDE || number == H_JOIN || number == H_CONFER)
		unmask_wakeups(cpu);
	qemu_hypercall(vhyp, cpu);
	if (number == H_JOIN && CPU(cpu)->halted)
		mask_wakeups(cpu);
}

/*
 * Before 8.2, QEMU does not migrate the decrementer of an emulated processor; a guest
 * without its next tick hangs.  SPR_DECR is migrated and otherwise unused: the value is
 * put there when the machine stops.  The virtual clock stands still meanwhile.
 */
static void on_runstate(void *opaque, bool running, RunState state)
{
	CPUState *cs;

	if (running && !processors.saved)
		return;
	CPU_FOREACH(cs) {
		CPUPPCState *env = &POWERPC_CPU(cs)->env;

		if (running)
			cpu_ppc_store_decr(env, env->spr[SPR_DECR]);
		else
			env->spr[SPR_DECR] = cpu_ppc_load_decr(env);
	}
	processors.saved = !running;
}

/**
 * processors_start() - make up for what QEMU lacks
 * @announce:	tell the guest that it can take part in its move
 *
 * The machine has to be complete.
 */
void processors_start(bool announce)
{
	PPCVirtualHypervisorClass *vhc =
		PPC_VIRTUAL_HYPERVISOR_GET_CLASS(qdev_get_machine());

	processors.announce = announce;
	qemu_hypercall = vhc->hypercall;
	vhc->hypercall = hypercall;
	if (!DECREMENTER_IS_LOST)
		return;
	/* What is loaded was saved */
	processors.saved = runstate_check(RUN_STATE_INMIGRATE);
	qemu_add_vm_change_state_handler(on_runstate, NULL);
}

static void machine_done(Notifier *notifier, void *data)
{
	if (!tcg_enabled() || !object_dynamic_cast(OBJECT(qdev_get_machine()),
						   TYPE_SPAPR_MACHINE)) {
		error_report("spapr-vasi: processors: it works with -accel tcg and a pseries machine only");
		exit(EXIT_FAILURE);
	}
	processors_start(false);
}

/**
 * processors_install() - this QEMU migrates its guest by itself
 */
void processors_install(void)
{
	processors.machine_done.notify = machine_done;
	qemu_add_machine_init_done_notifier(&processors.machine_done);
}
