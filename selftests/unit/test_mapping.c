// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of what hosts virtual adapters on the target: layouts, room, wishes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "common/util.h"
#include "hmc/mapping.h"

/**
 * struct lab - a partition, the two systems, and what the user wants
 * @config: of the partition
 * @source: @target: inventories
 * @options: of the user
 * @problems: @mappings: what came of it
 */
struct lab {
	json_t *config;
	json_t *source;
	json_t *target;
	struct move_options options;
	json_t *problems;
	json_t *mappings;
};

static json_t *vioses(const json_t *system)
{
	return json_object_get(system, "vioses");
}

/* A VIOS with room for @slots adapters; its LUNs are A to Z in @luns */
static json_t *add_vios(json_t *system, const char *name, int id, int slots, const char *luns)
{
	json_t *vios = json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:[], s:[], s:[], s:[]}",
				 "name", name, "lpar_id", id, "version", "3.1", "state",
				 "Running", "rmc_state", "active", "max_virtual_slots",
				 FIRST_CLIENT_SLOT + slots, "luns", "fc_ports", "sriov_ports",
				 "adapters");

	assert_non_null(vios);
	for (; *luns; luns++) {
		char udid[2] = { *luns }, disk[8];

		snprintf(disk, sizeof(disk), "hdisk%c", *luns);
		json_array_append_new(json_object_get(vios, "luns"),
				      json_pack("{s:s, s:s, s:s, s:s}", "name", disk, "udid",
						udid, "type", "lun", "reserve_policy",
						"no_reserve"));
	}
	json_array_append_new(vioses(system), vios);
	return vios;
}

static struct lab *new_lab(void)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	assert_non_null(lab);
	lab->config = json_pack("{s:[]}", "virtual_adapters");
	lab->source = json_pack("{s:[]}", "vioses");
	lab->target = json_pack("{s:[]}", "vioses");
	lab->options = (struct move_options) { .redundant_vios = 2, .mpio = 1 };
	add_vios(lab->source, "s1", 1, 500, "ABCDEF");
	add_vios(lab->source, "s2", 2, 500, "ABCDEF");
	return lab;
}

static void free_lab(struct lab *lab)
{
	json_decref(lab->config);
	json_decref(lab->source);
	json_decref(lab->target);
	json_decref(lab->problems);
	json_decref(lab->mappings);
	json_decref(lab->options.data);
	free(lab);
}

/* An adapter of the partition and, in the same slot of a VIOS, the one that hosts it */
static json_t *add_adapter(struct lab *lab, int slot, const char *type, int number)
{
	json_t *vios = json_array_get(vioses(lab->source), (size_t)number - 1);
	json_t *server;

	json_array_append_new(json_object_get(lab->config, "virtual_adapters"),
			      json_pack("{s:i, s:s, s:s, s:i, s:i}", "slot_num", slot,
					"adapter_type", type, "remote_lpar_name",
					text_of(vios, "name"), "remote_lpar_id", number,
					"remote_slot_num", slot + 100));
	server = json_pack("{s:i, s:s, s:s, s:i}", "slot_num", slot + 100, "adapter_type", type,
			   "remote_lpar_name", "part", "remote_slot_num", slot);
	json_array_append_new(json_object_get(vios, "adapters"), server);
	return server;
}

static void add_scsi(struct lab *lab, int slot, int number, const char *lun)
{
	char disk[8];

	snprintf(disk, sizeof(disk), "hdisk%s", lun);
	json_object_set_new(add_adapter(lab, slot, "scsi", number), "backing_devices",
			    json_pack("[s]", disk));
}

/* The source's port need not be there: it then demands nothing */
static void add_fc(struct lab *lab, int slot, int number)
{
	json_object_set_new(add_adapter(lab, slot, "fc", number), "fc_port",
			    json_string("fcs0"));
}

static void add_port(json_t *vios, const char *kind, const char *name, int most)
{
	json_array_append_new(json_object_get(vios, kind),
			      json_pack("{s:s, s:b, s:i, s:[]}", "name", name, "npiv", true,
					"max_ports", most, "logins"));
}

static void choose(struct lab *lab)
{
	const struct mapping_input input = { "part", lab->config, lab->source, lab->target,
					     &lab->options };

	json_decref(lab->problems);
	json_decref(lab->mappings);
	lab->problems = json_array();
	lab->mappings = mapping_choose(&input, lab->problems);
	assert_non_null(lab->mappings);
}

static const json_t *mapping(const struct lab *lab, int slot)
{
	return numbered_in(lab->mappings, "slot_num", slot);
}

static const char *host(const struct lab *lab, int slot)
{
	return text_of(mapping(lab, slot), "vios_name");
}

static size_t problems(const struct lab *lab, const char *code)
{
	size_t count = 0, i;
	json_t *problem;

	json_array_foreach(lab->problems, i, problem)
		count += !strcmp(text_of(problem, "code"), code);
	return count;
}

static void no_problem(const struct lab *lab)
{
	if (json_array_size(lab->problems))
		fail_msg("%s", text_of(json_array_get(lab->problems, 0), "text"));
}

/* ---- Layouts ---- */

static void test_two_vioses_stay_two(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	add_vios(lab->target, "t1", 1, 9, "AB");
	add_vios(lab->target, "t2", 2, 9, "AB");
	for (int i = 0; i < 4; i++)
		add_scsi(lab, 2 + i, 1 + i % 2, i < 2 ? "A" : "B");
	choose(lab);
	no_problem(lab);
	assert_int_equal(json_array_size(lab->mappings), 4);
	assert_string_not_equal(host(lab, 2), host(lab, 3));
	assert_string_not_equal(host(lab, 4), host(lab, 5));
	/* And those that are together stay together */
	assert_string_equal(host(lab, 2), host(lab, 4));
	assert_string_equal(host(lab, 3), host(lab, 5));
	assert_true(has_text(json_object_get(mapping(lab, 4), "backing_devices"), "hdiskB"));
	free_lab(lab);
}

static void test_one_vios_may_become_two(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	/* No single one sees both LUNs */
	add_vios(lab->target, "t1", 1, 9, "A");
	add_vios(lab->target, "t2", 2, 9, "B");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 1, "B");
	choose(lab);
	no_problem(lab);
	assert_string_equal(host(lab, 2), "t1");
	assert_string_equal(host(lab, 3), "t2");
	free_lab(lab);
}

/* The first has a choice, the second has not: the first makes room */
static void test_who_has_no_choice_comes_first(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	add_vios(lab->target, "t1", 1, 9, "AB");
	add_vios(lab->target, "t2", 2, 9, "A");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 2, "B");
	choose(lab);
	no_problem(lab);
	assert_string_equal(host(lab, 2), "t2");
	assert_string_equal(host(lab, 3), "t1");
	free_lab(lab);
}

/* The third can only have t3, so that the second has t1, and the first gives it up */
static void test_a_choice_is_taken_back(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	add_vios(lab->source, "s3", 3, 500, "ABC");
	add_vios(lab->target, "t1", 1, 9, "AB");
	add_vios(lab->target, "t2", 2, 9, "A");
	add_vios(lab->target, "t3", 3, 9, "BC");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 2, "B");
	add_scsi(lab, 4, 3, "C");
	choose(lab);
	no_problem(lab);
	assert_string_equal(host(lab, 2), "t2");
	assert_string_equal(host(lab, 3), "t1");
	assert_string_equal(host(lab, 4), "t3");
	free_lab(lab);
}

static void layout_is_lost(int redundant_vios, int mpio, bool warning)
{
	struct lab *lab = new_lab();

	add_vios(lab->target, "t1", 1, 9, "A");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 2, "A");
	lab->options.redundant_vios = redundant_vios;
	lab->options.mpio = mpio;
	choose(lab);
	assert_int_equal(json_array_size(lab->problems), 1);
	assert_int_equal(problems(lab, "LPM0338"), 1);
	assert_int_equal(flag_of(json_array_get(lab->problems, 0), "warning"), warning);
	/* What is left is known all the same */
	assert_string_equal(host(lab, 2), "t1");
	assert_string_equal(host(lab, 3), "t1");
	free_lab(lab);
}

static void test_a_layout_that_is_lost(void **state)
{
	(void)state;
	layout_is_lost(2, 1, false);
	layout_is_lost(2, 2, true);
	layout_is_lost(1, 1, false);
	layout_is_lost(1, 2, false);
	layout_is_lost(0, 1, true);
}

static void test_one_vios_is_wanted(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	add_vios(lab->target, "t1", 1, 1, "A");
	add_vios(lab->target, "t2", 2, 2, "A");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 2, "A");
	lab->options.redundant_vios = 0;
	choose(lab);
	/* Only t2 has room for both */
	assert_string_equal(host(lab, 2), "t2");
	assert_string_equal(host(lab, 3), "t2");
	assert_true(flag_of(json_array_get(lab->problems, 0), "warning"));
	/* None has */
	json_object_set_new(json_array_get(vioses(lab->target), 1), "max_virtual_slots",
			    json_integer(FIRST_CLIENT_SLOT + 1));
	choose(lab);
	assert_int_equal(problems(lab, "LPM0338"), 1);
	assert_false(flag_of(json_array_get(lab->problems, 0), "warning"));
	free_lab(lab);
}

/* Types have nothing to do with each other */
static void test_types_are_apart(void **state)
{
	struct lab *lab = new_lab();
	json_t *vios = add_vios(lab->target, "t1", 1, 9, "A");

	(void)state;
	add_port(vios, "fc_ports", "fcs0", 4);
	add_port(vios, "sriov_ports", "ent0", 4);
	add_scsi(lab, 2, 1, "A");
	add_fc(lab, 3, 2);
	add_adapter(lab, 4, "vnic", 1);
	add_adapter(lab, 5, "vnic", 2);
	choose(lab);
	no_problem(lab);
	assert_int_equal(json_array_size(lab->mappings), 4);
	assert_string_equal(text_of(mapping(lab, 3), "fc_port"), "fcs0");
	assert_string_equal(text_of(mapping(lab, 5), "sriov_port"), "ent0");
	free_lab(lab);
}

/* ---- Room ---- */

static void test_ports_share(void **state)
{
	struct lab *lab = new_lab();
	json_t *vios = add_vios(lab->target, "t1", 1, 9, "");

	(void)state;
	add_port(vios, "fc_ports", "fcs0", 1);
	add_port(vios, "fc_ports", "fcs1", 1);
	add_fc(lab, 2, 1);
	add_fc(lab, 3, 1);
	choose(lab);
	no_problem(lab);
	assert_string_not_equal(text_of(mapping(lab, 2), "fc_port"),
				text_of(mapping(lab, 3), "fc_port"));
	/* A third has no room */
	add_fc(lab, 4, 1);
	choose(lab);
	assert_int_equal(json_array_size(lab->mappings), 2);
	assert_int_equal(json_array_size(lab->problems), 1);
	assert_int_equal(problems(lab, "HSCLA319"), 1);
	free_lab(lab);
}

static void test_slots_run_out(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	add_vios(lab->target, "t1", 1, 2, "ABC");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 1, "B");
	choose(lab);
	no_problem(lab);
	add_scsi(lab, 4, 1, "C");
	choose(lab);
	assert_int_equal(json_array_size(lab->mappings), 2);
	assert_int_equal(json_array_size(lab->problems), 1);
	assert_int_equal(problems(lab, "LPM0337"), 1);
	assert_int_equal(number_of(json_array_get(lab->problems, 0), "slot_num"), 4);
	free_lab(lab);
}

static void test_the_least_loaded_one(void **state)
{
	struct lab *lab = new_lab();
	json_t *busy = add_vios(lab->target, "t1", 1, 9, "A");

	(void)state;
	add_vios(lab->target, "t2", 2, 9, "A");
	json_array_append_new(json_object_get(busy, "adapters"),
			      json_pack("{s:i}", "slot_num", FIRST_CLIENT_SLOT));
	add_scsi(lab, 2, 1, "A");
	choose(lab);
	assert_string_equal(host(lab, 2), "t2");
	/* But one that does not answer comes last */
	json_object_set_new(json_array_get(vioses(lab->target), 1), "rmc_state",
			    json_string("none"));
	choose(lab);
	assert_string_equal(host(lab, 2), "t1");
	no_problem(lab);
	free_lab(lab);
}

/* ---- Wishes ---- */

static void wish(struct lab *lab, const char *name, const char *value)
{
	json_decref(lab->options.data);
	lab->options.data = json_pack("{s:s}", name, value);
	choose(lab);
}

static void test_wishes(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	add_vios(lab->target, "t1", 1, 9, "AB");
	add_vios(lab->target, "t2", 2, 9, "AB");
	add_scsi(lab, 2, 1, "A");
	add_scsi(lab, 3, 1, "B");
	wish(lab, "virtual_scsi_mappings", "3/t2/2/15,2//2/12");
	no_problem(lab);
	assert_string_equal(host(lab, 2), "t2");
	assert_int_equal(number_of(mapping(lab, 2), "vios_slot"), 12);
	assert_string_equal(host(lab, 3), "t2");
	assert_int_equal(number_of(mapping(lab, 3), "vios_slot"), 15);
	/* Twice the same slot */
	wish(lab, "virtual_scsi_mappings", "3//2/15,2//2/15");
	assert_int_equal(problems(lab, "LPM0340"), 1);
	assert_int_equal(json_array_size(lab->mappings), 1);
	free_lab(lab);
}

static void test_wishes_that_cannot_be(void **state)
{
	static const char *const values[] = {
		"9/t1/1", "2/t9/", "2/t1/7", "2//1/10", "2//1/400", "2//1/11", "2", "2//",
		"x/t1/1", "2/t1/1/12/fcs0", "2/t1/1/1/1/1", "-2/t1/1", "2/t1/99999", "2/t1/1,2/t1/1",
	};
	struct lab *lab = new_lab();
	json_t *vios = add_vios(lab->target, "t1", 1, 9, "A");

	(void)state;
	json_array_append_new(json_object_get(vios, "adapters"),
			      json_pack("{s:i}", "slot_num", 11));
	add_scsi(lab, 2, 1, "A");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		wish(lab, "virtual_scsi_mappings", values[i]);
		if (json_array_size(lab->problems) != 1 || problems(lab, "LPM0340") != 1)
			fail_msg("%s: %zu problems", values[i],
				 json_array_size(lab->problems));
	}
	free_lab(lab);
}

static void test_virtual_switches(void **state)
{
	struct lab *lab = new_lab();

	(void)state;
	for (int slot = 2; slot < 4; slot++)
		json_array_append_new(json_object_get(lab->config, "virtual_adapters"),
				      json_pack("{s:i, s:s, s:s}", "slot_num", slot,
						"adapter_type", "eth", "vswitch", "ONE"));
	wish(lab, "vswitch_mappings", "22/TWENTY,3/OTHER");
	no_problem(lab);
	assert_string_equal(text_of(mapping(lab, 2), "vswitch"), "ONE");
	assert_string_equal(text_of(mapping(lab, 3), "vswitch"), "OTHER");
	free_lab(lab);
}

/* ---- As the HMC writes it, and bounds ---- */

static void test_text(void **state)
{
	json_t *mappings = json_pack("[{s:i, s:s, s:s, s:i}, {s:i, s:s, s:s, s:i, s:s}]",
				     "slot_num", 2, "adapter_type", "scsi", "vios_name", "t1",
				     "vios_id", 1, "slot_num", 3, "adapter_type", "fc",
				     "vios_name", "t2", "vios_id", 2, "fc_port", "fcs0");
	char *text = mapping_text(mappings, "scsi");

	(void)state;
	assert_string_equal(text, "2/t1/1");
	free(text);
	text = mapping_text(mappings, "fc");
	assert_string_equal(text, "3/t2/2//fcs0");
	free(text);
	assert_null(mapping_text(mappings, "vnic"));
	assert_null(mapping_text(NULL, "scsi"));
	json_decref(mappings);
}

static void test_versions(void **state)
{
	(void)state;
	assert_true(version_at_least("1.5.1.1", "1.5.1.1"));
	assert_true(version_at_least("3.1", "1.5.1.1"));
	assert_true(version_at_least("1.10", "1.5.1.1"));
	assert_true(version_at_least("7.2", "6.1"));
	assert_false(version_at_least("1.5.1.0", "1.5.1.1"));
	assert_false(version_at_least("1.5.1", "1.5.1.1"));
	assert_false(version_at_least("", "6.1"));
	assert_false(version_at_least("x", "6.1"));
}

/* Many that cannot all be kept apart: it ends, and in time */
static void test_a_search_ends(void **state)
{
	struct lab *lab = new_lab();
	uint64_t begun = now_ns();
	char name[8];

	(void)state;
	for (int i = 3; i <= 12; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		add_vios(lab->source, name, i, 500, "A");
	}
	for (int i = 1; i <= 11; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		add_vios(lab->target, name, i, 500, "A");
	}
	for (int i = 0; i < 240; i++)
		add_scsi(lab, 2 + i, 1 + i % 12, "A");
	choose(lab);
	assert_int_equal(json_array_size(lab->mappings), 240);
	assert_int_equal(problems(lab, "LPM0338"), 1);
	assert_true(now_ns() - begun < 60 * NSEC_PER_SEC);
	free_lab(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_vioses_stay_two),
		cmocka_unit_test(test_one_vios_may_become_two),
		cmocka_unit_test(test_who_has_no_choice_comes_first),
		cmocka_unit_test(test_a_choice_is_taken_back),
		cmocka_unit_test(test_a_layout_that_is_lost),
		cmocka_unit_test(test_one_vios_is_wanted),
		cmocka_unit_test(test_types_are_apart),
		cmocka_unit_test(test_ports_share),
		cmocka_unit_test(test_slots_run_out),
		cmocka_unit_test(test_the_least_loaded_one),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_wishes_that_cannot_be),
		cmocka_unit_test(test_virtual_switches),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_a_search_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
