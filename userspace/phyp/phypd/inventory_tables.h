/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of the description of a system, and what they are where nothing is said.
 */
#ifndef _PHYPD_INVENTORY_TABLES_H
#define _PHYPD_INVENTORY_TABLES_H

#include "phyp/phypd/inventory.h"

/* Types of server adapters, for server_members */
#define SERVER_SCSI	1u
#define SERVER_FC	2u
#define SERVER_VNIC	4u

extern const struct member_default sea_defaults[];
extern const struct member_default login_defaults[];
extern const struct member_default fc_port_defaults[];
extern const struct member_default sriov_port_defaults[];
extern const struct member_default lun_defaults[];
extern const struct member_of_type server_members[];
extern const struct member_default scsi_defaults[];
extern const struct member_default vios_defaults[];
extern const struct member_default switch_defaults[];
extern const struct rpc_param system_fields[];
extern const struct member_default system_defaults[];

#endif /* _PHYPD_INVENTORY_TABLES_H */
