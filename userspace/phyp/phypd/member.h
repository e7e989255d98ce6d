/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of a description in JSON: what tables of struct rpc_param do not say.
 * Each check returns 0, or -EINVAL and the text of @err names the member; @where stands
 * before its name, as in rpc_check_table().
 */
#ifndef _PHYPD_MEMBER_H
#define _PHYPD_MEMBER_H

#include "common/rpc.h"

/**
 * struct member_default - the value of a member that is not there
 * @name:	of the member; a table ends with an entry without one
 * @json:	its value, as JSON
 */
struct member_default {
	const char *name;
	const char *json;
};

/**
 * struct member_of_type - a member that only objects of some types have
 * @name:	of the member; a table ends with an entry without one
 * @allowed:	bits of the types that may have it
 * @required:	bits of those that must
 */
struct member_of_type {
	const char *name;
	unsigned int allowed;
	unsigned int required;
};

int member_fail(struct rpc_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int members_default(json_t *object, const struct member_default *table,
		    struct rpc_error *err);
int members_of_type(const char *where, const json_t *object,
		    const struct member_of_type *table, unsigned int type,
		    const char *type_name, struct rpc_error *err);
int members_unique(const char *where, const json_t *object, const char *array,
		   const char *name, struct rpc_error *err);
int members_clean(const char *where, const json_t *value, struct rpc_error *err);
int member_hex(const char *where, const json_t *object, const char *name,
	       struct rpc_error *err);
int members_each(const char *where, const json_t *object, const char *array,
		 const json_t *context,
		 int (*check)(const char *where, const json_t *context, json_t *object,
			      struct rpc_error *err), struct rpc_error *err);
json_t *member_named(const json_t *array, const char *name);
json_t *member_numbered(const json_t *array, const char *member, uint64_t number);

#endif /* _PHYPD_MEMBER_H */
