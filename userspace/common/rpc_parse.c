// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a line of text to JSON, within limits.
 */
#include <errno.h>
#include <stdio.h>

#include "common/rpc.h"
#include "common/rpc_internal.h"

/* How deep arrays and objects nest; does not care whether the text is valid */
static unsigned int nesting(const char *text, size_t length)
{
	unsigned int depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			depth++;
			if (depth > deepest)
				deepest = depth;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return deepest;
}

/*
 * Parse a line (without newline).  Jansson recurses as deep as the text says,
 * so the depth is checked first.  Returns 0, or -EINVAL with @err filled in.
 */
int rpc_parse_line(const char *line, size_t length, json_t **root,
		   struct rpc_error *err)
{
	unsigned int depth = nesting(line, length);
	json_error_t where;

	if (depth > RPC_MAX_DEPTH) {
		err->code = RPC_INVALID_REQUEST;
		snprintf(err->text, sizeof(err->text), "%u levels deep; limit %u",
			 depth, RPC_MAX_DEPTH);
		return -EINVAL;
	}
	*root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (*root)
		return 0;
	err->code = RPC_PARSE_ERROR;
	snprintf(err->text, sizeof(err->text), "not JSON: %.200s at byte %d",
		 where.text, where.position);
	return -EINVAL;
}
