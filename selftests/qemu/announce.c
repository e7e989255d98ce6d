// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions that the machine does not have without us, told to its guest. */
#include "qemu/osdep.h"
#include "cpu.h"
#include "hw/ppc/spapr.h"
#include <libfdt.h>

#include "spapr-vasi.h"

/**
 * spapr_vasi_announce() - add to the guest's ibm,hypertas-functions, if need be
 * @spapr:	machine
 * @functions:	names, each with its NUL; the first tells whether they are there
 * @bytes:	of @functions
 *
 * The machine builds /rtas after the devices' nodes, and again when the guest
 * has told its abilities.  With x-vof=on the guest reads the tree by calls, so
 * what is added before each is there in time.
 */
void spapr_vasi_announce(SpaprMachineState *spapr, const char *functions, size_t bytes)
{
	static const char name[] = "ibm,hypertas-functions";
	int rtas = fdt_path_offset(spapr->fdt_blob, "/rtas");
	const char *value;
	int length;

	if (rtas < 0)
		return;
	value = fdt_getprop(spapr->fdt_blob, rtas, name, &length);
	if (!value || fdt_stringlist_search(spapr->fdt_blob, rtas, name, functions) >= 0)
		return;
	fdt_appendprop(spapr->fdt_blob, rtas, name, functions, bytes);
}
