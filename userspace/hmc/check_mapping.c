// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Validation of what hosts virtual adapters on the target: what is not of one type.
 */
#include <string.h>

#include "common/util.h"
#include "hmc/validate.h"

/* Whether it is a warning, --mpio and --redundantvios decide */
static void check_layout(struct validation *v)
{
	json_t *problem;
	size_t i;

	json_array_foreach(v->problems, i, problem)
		if (!strcmp(text_of(problem, "code"), "LPM0338"))
			found_as(v, flag_of(problem, "warning") ? SEVERITY_WARNING :
								  SEVERITY_ERROR,
				 "LPM0338", "%s", text_of(problem, "text"));
}

/* What is told of those that have one */
static void check_told(struct validation *v)
{
	json_t *mapping;
	size_t i;

	check_problems(v);
	json_array_foreach(v->plan->mappings, i, mapping)
		if (*text_of(mapping, "vios_name"))
			passed(v, "VIOS %s of system %s can host the %s adapter in slot %lld",
			       text_of(mapping, "vios_name"), v->target.system->name,
			       text_of(mapping, "adapter_type"),
			       (long long)number_of(mapping, "slot_num"));
}

#define ALL	{ SEVERITY_ERROR, SEVERITY_ERROR, SEVERITY_ERROR }

const struct check mapping_checks[] = {
	{ "mapping", ALL, NEEDS_CONFIG, { "LPM0340" },
	  "mappings of -i can be used", check_problems },
	{ "vnic", ALL, NEEDS_CONFIG, { "LPM0339" },
	  "an SR-IOV port of the target can back each vNIC adapter", check_problems },
	{ "slots", ALL, NEEDS_CONFIG, { "LPM0337" },
	  "VIOSes of the target have free virtual slots", check_told },
	{ "multipath", ALL, NEEDS_CONFIG, { "LPM0338" },
	  "adapters of different VIOSes have different ones again", check_layout },
	{ }
};
