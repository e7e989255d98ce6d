/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * phypctl: what its files share.
 */
#ifndef _PHYPCTL_H
#define _PHYPCTL_H

#include <stdbool.h>
#include <jansson.h>

#define PREFIX			"phypctl: "

/**
 * struct invocation - what was asked for
 * @socket:	of the system
 * @json:	print JSON
 * @argc:	words after the command
 * @argv:	these
 */
struct invocation {
	const char *socket;
	bool json;
	int argc;
	char **argv;
};

/* Each returns a new object, or NULL after it has said why */
json_t *description_params(const struct invocation *inv);
json_t *name_params(const struct invocation *inv);
json_t *stream_id_params(const struct invocation *inv);
json_t *compare_params(const struct invocation *inv);
json_t *wait_params(const struct invocation *inv);
json_t *event_params(const struct invocation *inv);
json_t *call_params(const struct invocation *inv);
json_t *configure_params(const struct invocation *inv);
json_t *inactive_params(const struct invocation *inv);
json_t *remove_params(const struct invocation *inv);
json_t *depart_params(const struct invocation *inv);
json_t *detach_params(const struct invocation *inv);
json_t *msp_params(const struct invocation *inv);

#endif /* _PHYPCTL_H */
