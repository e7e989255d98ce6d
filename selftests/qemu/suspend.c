// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A partition that takes part in its move: H_VASI_STATE and H_VASI_SIGNAL of its
 * stream, and ibm,suspend-me (LoPAR, "Partition Migration").
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "hw/ppc/spapr.h"
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#include <linux/vasi_crq.h>

#include "partition.h"

/* RTAS return code of ibm,suspend-me */
#define SUSPENSION_ABORTED	9000

/* What QEMU calls for the guest has no argument of ours */
static struct partition *partition;

static target_ulong vasi_state(PowerPCCPU *cpu, SpaprMachineState *spapr,
			       target_ulong opcode, target_ulong *args)
{
	if (!partition->stream || args[0] != partition->stream)
		return VASI_RC_PARAMETER;
	/* The first result is in R4, as the first argument */
	args[0] = partition->state;
	return VASI_RC_SUCCESS;
}

/*
 * A signal is told once: the state that follows from it refuses the next, and it
 * stays until vasi-phypd says another.
 */
static target_ulong vasi_signal(PowerPCCPU *cpu, SpaprMachineState *spapr,
				target_ulong opcode, target_ulong *args)
{
	struct partition *p = partition;

	if (!p->stream || args[0] != p->stream)
		return VASI_RC_PARAMETER;
	if (args[1] != VASI_SIGNAL_CANCEL)
		return VASI_RC_P2;
	if (p->state != VASI_STATE_ENABLED && p->state != VASI_STATE_SUSPENDING)
		return VASI_RC_NOOP;
	p->state = VASI_STATE_ABORTED;
	partition_tell(p, GUEST_SIGNAL, p->stream, args[2], 0, -1);
	return VASI_RC_SUCCESS;
}

/* As QEMU's H_JOIN has it: a joined processor is halted and takes no interrupts */
static bool others_active(PowerPCCPU *cpu)
{
	CPUState *cs;

	CPU_FOREACH(cs) {
		PowerPCCPU *other = POWERPC_CPU(cs);

		if (other != cpu &&
		    (!cs->halted || other->env.msr & (1ULL << MSR_EE)))
			return true;
	}
	return false;
}

/*
 * The processor does not execute another instruction before the machine has stopped,
 * so that the result can still become another.
 */
static void suspend_me(PowerPCCPU *cpu, SpaprMachineState *spapr, uint32_t token,
		       uint32_t nargs, target_ulong args, uint32_t nret,
		       target_ulong rets)
{
	if (nargs || nret != 1) {
		rtas_st(rets, 0, RTAS_OUT_PARAM_ERROR);
	} else if (others_active(cpu)) {
		rtas_st(rets, 0, H_MULTI_THREADS_ACTIVE);
	} else if (partition->state != VASI_STATE_SUSPENDING) {
		rtas_st(rets, 0, SUSPENSION_ABORTED);
	} else {
		rtas_st(rets, 0, RTAS_OUT_SUCCESS);
		partition->result = rets;
		vm_stop(RUN_STATE_PAUSED);
	}
}

/*
 * When this machine goes on after it was suspended it was not moved, unless its stream
 * says so; the copy that goes on elsewhere has its success in its memory.
 */
static void on_runstate(void *opaque, bool running, RunState state)
{
	struct partition *p = opaque;

	if (!p->result)
		return;
	if (!running) {
		partition_tell(p, GUEST_SUSPENDED, 0, 0, 0, -1);
		return;
	}
	if (p->state != VASI_STATE_RESUMED && p->state != VASI_STATE_COMPLETED)
		rtas_st(p->result, 0, SUSPENSION_ABORTED);
	p->result = 0;
}

/* The call that would have returned is gone */
static void on_reset(void *opaque)
{
	struct partition *p = opaque;

	p->result = 0;
}

/**
 * suspend_start() - offer the guest what it needs
 * @p:		partition
 *
 * QEMU's own ibm,suspend-me asks for the run state "suspended", from which nothing
 * goes on after a migration (before QEMU 8.2), and knows of no stream.
 */
void suspend_start(struct partition *p)
{
	partition = p;
	spapr_register_hypercall(VASI_H_STATE, vasi_state);
	spapr_register_hypercall(VASI_H_SIGNAL, vasi_signal);
	spapr_rtas_register(RTAS_IBM_SUSPEND_ME, NULL, NULL);
	spapr_rtas_register(RTAS_IBM_SUSPEND_ME, "ibm,suspend-me", suspend_me);
	qemu_add_vm_change_state_handler(on_runstate, p);
	qemu_register_reset(on_reset, p);
}
