// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests on a management socket as far as their method's handler, descriptions of a
 * system and its partitions, and the ownership records of the state directory.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include "common/rpc_internal.h"
#include "common/util.h"
#include "fuzz.h"
#include "phyp/phypd/config.h"
#include "phyp/phypd/inventory.h"
#include "phyp/phypd/record.h"
#include "phyp/phypd/system.h"

#define STREAM	0x1122334455667788ULL
#define LINE	"vasi-ownership-record 1 stream 1122334455667788 verdict "

static const char *const words[] = { "one", "other", NULL };

static const struct rpc_param every_type[];
static const struct rpc_param element = { "", RPC_OBJECT, .fields = every_type };

/* One parameter of each type, with and without bounds */
static const struct rpc_param every_type[] = {
	{ .name = "string", .type = RPC_STRING },
	{ .name = "short", .type = RPC_STRING, .min = 2, .max = 4 },
	{ .name = "word", .type = RPC_STRING, .one_of = words },
	{ .name = "integer", .type = RPC_INTEGER },
	{ .name = "bounded", .type = RPC_INTEGER, .min = -5, .max = 5 },
	{ .name = "number", .type = RPC_NUMBER, .min = 0, .max = 10 },
	{ .name = "boolean", .type = RPC_BOOLEAN },
	{ .name = "object", .type = RPC_OBJECT, .fields = every_type },
	{ .name = "array", .type = RPC_ARRAY, .min = 1, .max = 3 },
	{ .name = "each", .type = RPC_ARRAY, .element = &element },
	{ .name = "id", .type = RPC_STREAM_ID },
	{ .name = "any", .type = RPC_ANY },
	{ }
};

/* What a handler relies on after its table was checked */
static void use(const json_t *params)
{
	const char *text = rpc_get_string(params, "short", "ab");
	char id[RPC_STREAM_ID_BYTES];
	double number = rpc_get_number(params, "number", 0);
	uint64_t stream;

	fuzz_check(strlen(text) >= 2 && strlen(text) <= 4);
	fuzz_check(number >= 0 && number <= 10);
	fuzz_check(rpc_get_u64(params, "integer", 0) <= INT64_MAX);
	rpc_get_bool(params, "boolean", false);
	if (!rpc_has(params, "id"))
		return;
	stream = rpc_get_stream_id(params, "id");
	rpc_format_stream_id(stream, id);
	fuzz_check(strlen(id) == RPC_STREAM_ID_BYTES - 1);
	fuzz_check(!rpc_parse_stream_id(id, &stream) &&
		   stream == rpc_get_stream_id(params, "id"));
}

static void check_all(const json_t *root)
{
	struct rpc_error err = { 0 };

	for (const struct rpc_method *m = mgmt_methods; m->name; m++) {
		err.text[0] = '\0';
		if (rpc_check_table("params", root, m->params, &err))
			fuzz_check(err.text[0] && memchr(err.text, 0, sizeof(err.text)));
	}
	if (!rpc_check_table("params", root, every_type, &err))
		use(root);
}

/* What was taken once is taken again, and is the same */
static void check_config(const json_t *root)
{
	struct rpc_error err = { 0 };
	json_t *config = config_checked("config.", root, &err), *again;

	if (!config) {
		fuzz_check(err.text[0]);
		return;
	}
	again = config_merged("config.", config, config, &err);
	fuzz_check(again && json_equal(again, config));
	json_decref(again);
	json_decref(config);
}

/* Of a description each VIOS that there is takes an adapter, or says why not */
static void check_description(const json_t *root)
{
	json_t *adapter = json_pack("{s:s, s:s, s:i, s:i}", "adapter_type", "scsi",
				    "remote_lpar_name", "p", "remote_lpar_id", 1,
				    "remote_slot_num", 2);
	struct inventory *inventory = NULL;
	struct rpc_error err = { 0 };
	const json_t *vios;
	uint32_t slot;
	size_t i;

	if (inventory_new(root, &inventory, &err)) {
		fuzz_check(err.text[0] && !inventory);
		goto out;
	}
	json_array_foreach(json_object_get(inventory->system, "vioses"), i, vios) {
		const char *name = rpc_get_string(vios, "name", "");

		if (vios_attach(inventory, name, STREAM, adapter, &slot, &err)) {
			fuzz_check(err.code == RPC_NOT_ENOUGH);
			continue;
		}
		vios_settle(inventory, STREAM);
		fuzz_check(!vios_detach(inventory, name, slot, NULL, &err));
	}
	inventory_free(inventory);
out:
	json_decref(adapter);
}

static void request(struct fuzz_input *in)
{
	struct rpc_error err = { 0 };
	const uint8_t *line;
	json_t *root = NULL, *params;
	size_t length = fuzz_bytes(in, in->left, &line);

	if (rpc_parse_line((const char *)line, length, &root, &err)) {
		fuzz_check(err.code && err.text[0]);
		return;
	}
	if (json_is_object(root)) {
		check_all(root);
		check_description(root);
		check_config(root);
		params = json_object_get(root, "params");
		if (json_is_object(params))
			check_all(params);
	}
	json_decref(root);
}

static void record(struct fuzz_input *in, const char *directory)
{
	enum phyp_verdict verdict;
	struct record_dir *dir;
	char path[128];
	const uint8_t *data;
	size_t length;
	int fd;

	snprintf(path, sizeof(path), "%s/stream-%016" PRIx64 ".record", directory,
		 (uint64_t)STREAM);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_check(fd >= 0);
	length = fuzz_bytes(in, in->left, &data);
	fuzz_check(write(fd, data, length) == (ssize_t)length);
	close(fd);
	fuzz_check(!record_dir_open(directory, &dir));
	if (record_dir_read(dir, STREAM, &verdict)) {
		fuzz_check(verdict == PHYP_VERDICT_NONE);
	} else {
		const char *all = verdict == PHYP_VERDICT_RESUMED ?
			LINE "resumed end\n" : LINE "never end\n";

		/* A file that is there is a whole record or an error */
		fuzz_check(length == strlen(all) && !memcmp(data, all, length));
	}
	record_dir_close(dir);
}

static char directory[] = "/tmp/fuzz_json.XXXXXX";

static void remove_directory(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/stream-%016" PRIx64 ".record", directory,
		 (uint64_t)STREAM);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock", directory);
	unlink(path);
	rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_check(mkdtemp(directory));
	atexit(remove_directory);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	/* Text of a record begins with a v, JSON never does */
	if (size && data[0] == 'v')
		record(&in, directory);
	else
		request(&in);
	return 0;
}
