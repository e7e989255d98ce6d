/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Validation: what its checks share.
 *
 * A check is an entry of a table: which kinds of migration it is for, as an error or
 * a warning, which codes it may report, and a function.  The function notes what it
 * looks at, and reports what it finds; how severe that is, the table says.
 */
#ifndef _HMC_VALIDATE_H
#define _HMC_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>

#include "hmc/console.h"
#include "hmc/findings.h"
#include "hmc/mapping.h"

#define CHECK_CODES	12

enum migration_kind { KIND_ACTIVE, KIND_INACTIVE, KIND_SUSPENDED, NKINDS };

/**
 * enum check_needs - what must be known for a check
 * @NEEDS_NOTHING: it looks for itself
 * @NEEDS_SYSTEMS: both systems answer
 * @NEEDS_PARTITION: the partition was found, too
 * @NEEDS_CONFIG: and it has a config
 */
enum check_needs { NEEDS_NOTHING, NEEDS_SYSTEMS, NEEDS_PARTITION, NEEDS_CONFIG };

struct validation;

/**
 * struct check - one rule of validation
 * @name:	in one word
 * @severity:	by enum migration_kind
 * @needs:	without it, it is not made
 * @codes:	what it may report
 * @meaning:	what is as it should be when it reports nothing
 * @run:	the check
 */
struct check {
	const char *name;
	enum severity severity[NKINDS];
	enum check_needs needs;
	const char *codes[CHECK_CODES];
	const char *meaning;
	void (*run)(struct validation *v);
};

/* The tables, each ends with an empty entry */
extern const struct check console_checks[];
extern const struct check system_checks[];
extern const struct check partition_checks[];
extern const struct check resource_checks[];
extern const struct check network_checks[];
extern const struct check storage_checks[];
extern const struct check fc_checks[];
extern const struct check mapping_checks[];
extern const struct check mover_checks[];
extern const struct check prediction_checks[];

/**
 * struct side - what is known of a system
 * @system:	the system
 * @info:	system.info; NULL: it did not answer
 * @inventory:	system.inventory; NULL: it is not described
 */
struct side {
	const struct managed_system *system;
	const json_t *info;
	json_t *inventory;
};

/**
 * struct validation - a validation under way
 * @plan:	what is filled in
 * @options:	what the user wants
 * @findings:	what stands against it
 * @check:	under way
 * @kind:	of the migration; active as long as it is not known
 * @key:	which partition
 * @source: @target: the systems
 * @config:	of the partition, or NULL; borrowed
 * @profile:	its current one; borrowed
 * @neighbours:	partition.list of the target; see neighbours()
 * @mapping:	what the plan's mappings were chosen from
 * @problems:	what stood against mappings: [{code, slot_num, text}]
 * @verbose:	tell also what is as it should be
 */
struct validation {
	struct plan *plan;
	const struct move_options *options;
	struct findings findings;
	const struct check *check;
	enum migration_kind kind;
	const struct partition_key *key;
	struct side source;
	struct side target;
	const json_t *config;
	const json_t *profile;
	json_t *neighbours;
	struct mapping_input mapping;
	json_t *problems;
	bool verbose;
};

/* For checks */
void found(struct validation *v, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void found_as(struct validation *v, enum severity severity, const char *code,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void found_call(struct validation *v, const struct managed_system *system,
		const char *what, const struct rpc_error *err);
void found_msp_call(struct validation *v, const struct managed_system *system,
		    const struct msp *msp, const char *what, const struct rpc_error *err);
void check_problems(struct validation *v);
void each_client(struct validation *v, const char *type,
		 void (*check)(struct validation *v, const json_t *adapter,
			       const json_t *server, const json_t *vios));
void note(struct validation *v, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void passed(const struct validation *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *partition_name(const struct validation *v);
const json_t *neighbours(struct validation *v);
bool attribute(const struct validation *v, const char *name, const char **value);

/* For what validates without telling the user */
void validation_begin(struct validation *v, struct plan *plan, const struct partition_key *key,
		      const struct move_options *options);
void validation_look(struct validation *v);
void validation_run(struct validation *v);
void validation_end(struct validation *v);

/* The tables, for those who list them */
extern const struct check *const check_tables[];	/* ends with NULL */

#endif /* _HMC_VALIDATE_H */
