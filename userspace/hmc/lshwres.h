/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lshwres: what its files share.
 */
#ifndef _HMC_LSHWRES_H
#define _HMC_LSHWRES_H

#include "hmc/query.h"

/* -r virtualio */
extern const char *const eth_fields[];
extern const char *const scsi_fields[];
extern const char *const fc_fields[];
extern const char *const vnic_fields[];
extern const char *const slot_lpar_fields[];
extern const char *const slot_fields[];
extern const char *const vswitch_fields[];
extern const char *const sea_fields[];
extern const char *const filters_of_adapters[];

int list_adapters(struct query *query);
int list_slot_lpars(struct query *query);
int list_slots(struct query *query);
int list_vswitches(struct query *query);
int list_seas(struct query *query);

/**
 * struct holdings - what a system and its partitions have
 * @inventory:	NULL without a description
 * @partitions:	answer of partition.list
 */
struct holdings {
	json_t *inventory;
	json_t *partitions;
};

int holdings_get(struct query *query, struct holdings *holdings);
void holdings_release(struct holdings *holdings);

#endif /* _HMC_LSHWRES_H */
