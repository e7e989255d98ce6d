// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phypctl: parameters of methods, from words and files.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/notice.h"
#include "common/rpc.h"
#include "phyp/phypctl/phypctl.h"

/* All of a file, if a request can hold it */
static char *read_text(FILE *file, const char *path, size_t *length)
{
	char *text = malloc(RPC_MAX_LINE + 1);

	if (!text)
		return NULL;
	*length = fread(text, 1, RPC_MAX_LINE + 1, file);
	if (!ferror(file) && *length <= RPC_MAX_LINE)
		return text;
	if (ferror(file))
		notice(PREFIX, "%.256s: %s", path, strerror(errno));
	else
		notice(PREFIX, "%.256s: longer than %u bytes, which is what a request may have",
		       path, RPC_MAX_LINE);
	free(text);
	return NULL;
}

static json_t *read_description(const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	json_error_t error;
	json_t *value;
	size_t length;
	char *text;

	if (!file) {
		notice(PREFIX, "%.256s: %s", path, strerror(errno));
		return NULL;
	}
	text = read_text(file, path, &length);
	if (file != stdin)
		fclose(file);
	if (!text)
		return NULL;
	value = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!value)
		notice(PREFIX, "%.256s:%d:%d: %s", path, error.line, error.column,
		       error.text);
	return value;
}

/* The daemon opens the file, and knows nothing of this directory */
static void make_path_absolute(json_t *description)
{
	json_t *content = json_object_get(description, "content");
	const char *path = json_string_value(json_object_get(content, "path"));
	char *absolute = path && *path != '/' ? realpath(path, NULL) : NULL;

	if (absolute)
		json_object_set_new(content, "path", json_string(absolute));
	free(absolute);
}

json_t *description_params(const struct invocation *inv)
{
	json_t *description = read_description(inv->argv[0]);

	make_path_absolute(description);
	return description;
}

json_t *name_params(const struct invocation *inv)
{
	return json_pack("{s:s}", "name", inv->argv[0]);
}

json_t *stream_id_params(const struct invocation *inv)
{
	return json_pack("{s:s}", "stream_id", inv->argv[0]);
}

/* The daemon reads the file: from here its name may mean another one */
json_t *compare_params(const struct invocation *inv)
{
	char *path = realpath(inv->argv[1], NULL);
	json_t *params;

	if (!path) {
		notice(PREFIX, "%.256s: %s", inv->argv[1], strerror(errno));
		return NULL;
	}
	params = json_pack("{s:s, s:s}", "name", inv->argv[0], "file", path);
	free(path);
	return params;
}

json_t *wait_params(const struct invocation *inv)
{
	json_t *params = name_params(inv);
	char *end = NULL;
	double seconds;

	if (inv->argc > 1)
		json_object_set_new(params, "state", json_string(inv->argv[1]));
	if (inv->argc < 3)
		return params;
	seconds = strtod(inv->argv[2], &end);
	if (end == inv->argv[2] || *end || !(seconds > 0 && seconds < 1e6)) {
		notice(PREFIX, "wait: \"%.64s\" is no number of seconds below 1000000",
		       inv->argv[2]);
		json_decref(params);
		return NULL;
	}
	json_object_set_new(params, "timeout_ms",
			    json_integer((json_int_t)(seconds * 1000)));
	return params;
}

json_t *event_params(const struct invocation *inv)
{
	char *end = NULL;
	long code = strtol(inv->argv[1], &end, 0);

	if (end == inv->argv[1] || *end || code < 1 || code > UINT8_MAX) {
		notice(PREFIX, "event: \"%.64s\" is no code from 1 to 255",
		       inv->argv[1]);
		return NULL;
	}
	return json_pack("{s:s, s:i}", "device", inv->argv[0], "event", (int)code);
}

json_t *call_params(const struct invocation *inv)
{
	json_error_t error;
	json_t *value;

	if (inv->argc < 2)
		return json_object();
	value = json_loads(inv->argv[1], JSON_REJECT_DUPLICATES, &error);
	if (!value)
		notice(PREFIX, "parameters: column %d: %s", error.column, error.text);
	return value;
}

json_t *configure_params(const struct invocation *inv)
{
	json_t *patch = read_description(inv->argv[1]);

	return patch ? json_pack("{s:s, s:o}", "name", inv->argv[0], "config", patch) : NULL;
}

json_t *inactive_params(const struct invocation *inv)
{
	return json_pack("{s:s, s:s}", "name", inv->argv[0], "stream_id", inv->argv[1]);
}

json_t *remove_params(const struct invocation *inv)
{
	return inv->argc > 1 ? inactive_params(inv) : name_params(inv);
}

json_t *depart_params(const struct invocation *inv)
{
	return json_pack("{s:s, s:s, s:s}", "name", inv->argv[0], "stream_id", inv->argv[1],
			 "peer", inv->argv[2]);
}

json_t *detach_params(const struct invocation *inv)
{
	char *end = NULL;
	long slot = strtol(inv->argv[1], &end, 10);

	if (end == inv->argv[1] || *end || slot < 0 || slot > UINT16_MAX) {
		notice(PREFIX, "vios-detach: \"%.64s\" is no slot from 0 to %u",
		       inv->argv[1], UINT16_MAX);
		return NULL;
	}
	return json_pack("{s:s, s:i}", "vios", inv->argv[0], "slot_num", (int)slot);
}

json_t *msp_params(const struct invocation *inv)
{
	bool yes = !strcmp(inv->argv[1], "yes");

	if (!yes && strcmp(inv->argv[1], "no")) {
		notice(PREFIX, "vios-msp: \"%.64s\" is neither yes nor no", inv->argv[1]);
		return NULL;
	}
	return json_pack("{s:s, s:b}", "name", inv->argv[0], "msp", (int)yes);
}
