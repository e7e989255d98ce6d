// SPDX-License-Identifier: GPL-2.0-or-later
/* Pools of a session: Add Buffer, Add Buffer Indirect, Free Buffer. */
#include "two_systems.h"

#define MANY	255

static struct ts *one_session(void)
{
	struct ts *ts = ts_create(&(struct ts_params) { .seed = 1 });

	ts_open_side(&ts->src, 0);
	assert_true(ts->src.session[0].open);
	return ts;
}

static void put64(struct ts *ts, uint32_t ioba, uint64_t value)
{
	value = __builtin_bswap64(value);
	memcpy(ts->src.pane + ioba, &value, sizeof(value));
}

static enum vasi_status add(struct ts *ts, uint64_t descriptor)
{
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_ADD_BUFFER,
		.handle = ts->src.session[0].bottom,
		.data = descriptor,
	});
	assert_int_equal(ts->src.last.format,
			 VASI_FMT_ADD_BUFFER | VASI_FMT_RESPONSE);
	assert_int_equal(ts->src.last.handle, ts->src.session[0].top);
	return ts->src.last.status;
}

static enum vasi_status give_back(struct ts *ts, uint32_t length)
{
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_FREE_BUFFER,
		.handle = ts->src.session[0].bottom,
		.length = length,
	});
	assert_int_equal(ts->src.last.format,
			 VASI_FMT_FREE_BUFFER | VASI_FMT_RESPONSE);
	return ts->src.last.status;
}

/* The list lies at MIB, its correlator is 0xABCD */
static enum vasi_status add_list(struct ts *ts, const uint64_t *list,
				 unsigned int count)
{
	unsigned int i;

	put64(ts, MIB, 0xABCD);
	for (i = 0; i < count; i++)
		put64(ts, MIB + 8 + i * 8, list[i]);
	ts_send(&ts->src, &(struct vasi_msg) {
		.format = VASI_FMT_ADD_BUFFER_INDIRECT,
		.handle = ts->src.session[0].bottom,
		.count = count,
		.data = vasi_desc_make(VASI_INDIRECT_BYTES(count), MIB),
	});
	assert_int_equal(ts->src.last.format,
			 VASI_FMT_ADD_BUFFER_INDIRECT | VASI_FMT_RESPONSE);
	assert_int_equal(ts->src.last.data, 0xABCD);
	return ts->src.last.status;
}

static void add_buffer_assigns_pool(void **unused)
{
	struct ts *ts = one_session();
	uint32_t length;

	(void)unused;
	/* ibm,#buffer-pools is 4 */
	for (length = 4096; length <= 4 * 4096; length += 4096) {
		assert_int_equal(add(ts, vasi_desc_make(length, 0)),
				 VASI_SUCCESS);
		assert_int_equal(ts->src.last.length, length);
		assert_int_equal(ts->src.last.free_buffers, 1);
	}
	ts_destroy(ts);
}

static void add_buffer_goes_to_its_pool(void **unused)
{
	struct ts *ts = one_session();

	(void)unused;
	add(ts, vasi_desc_make(4096, 0));
	add(ts, vasi_desc_make(8192, 4096));
	assert_int_equal(add(ts, vasi_desc_make(4096, 65536)), VASI_SUCCESS);
	assert_int_equal(ts->src.last.length, 4096);
	assert_int_equal(ts->src.last.free_buffers, 2);
	ts_destroy(ts);
}

static void add_buffer_no_pool_left(void **unused)
{
	struct ts *ts = one_session();
	uint32_t length;

	(void)unused;
	for (length = 4096; length <= 4 * 4096; length += 4096)
		add(ts, vasi_desc_make(length, 0));
	put64(ts, 0, 0x1234);
	assert_int_equal(add(ts, vasi_desc_make(5 * 4096, 0)),
			 VASI_INVALID_BUFFER_LENGTH);
	assert_int_equal(ts->src.last.data, 0x1234);
	/* A pool keeps its length when it is empty again */
	assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
	assert_int_equal(add(ts, vasi_desc_make(5 * 4096, 0)),
			 VASI_INVALID_BUFFER_LENGTH);
	ts_destroy(ts);
}

static void add_buffer_too_small(void **unused)
{
	struct ts *ts = one_session();

	(void)unused;
	assert_int_equal(add(ts, vasi_desc_make(64, 0)),
			 VASI_INVALID_BUFFER_LENGTH);
	ts_destroy(ts);
}

static void add_buffer_descriptor_not_valid(void **unused)
{
	struct ts *ts = one_session();
	uint64_t descriptor = vasi_desc_make(4096, 8192) & ~(0x80ULL << 56);

	(void)unused;
	assert_int_equal(add(ts, descriptor), VASI_INVALID_BUFFER_DESCRIPTOR);
	assert_int_equal(ts->src.last.data, descriptor);
	descriptor = vasi_desc_make(4096, 8192) | 1ULL << 56;
	assert_int_equal(add(ts, descriptor), VASI_INVALID_BUFFER_DESCRIPTOR);
	ts_destroy(ts);
}

static void add_buffer_outside_first_pane(void **unused)
{
	static const uint32_t at[] = {
		TS_PANE_BYTES, TS_PANE_BYTES - 4095, 0xFFFFF000, 0xFFFFFFFF,
	};
	unsigned int i, copy;

	(void)unused;
	for (copy = 0; copy < 2; copy++) {
		struct ts *ts = one_session();

		ts->params.copy_dma = copy;
		for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
			assert_int_equal(add(ts, vasi_desc_make(4096, at[i])),
					 VASI_INVALID_BUFFER_DESCRIPTOR);
		assert_int_equal(add(ts, vasi_desc_make(4096, TS_PANE_BYTES -
							4096)),
				 VASI_SUCCESS);
		ts_destroy(ts);
	}
}

static void add_buffer_error_carries_correlator(void **unused)
{
	struct ts *ts = one_session();

	(void)unused;
	put64(ts, 4096, 0xFEDCBA9876543210);
	assert_int_equal(add(ts, vasi_desc_make(100, 4096)),
			 VASI_INVALID_BUFFER_LENGTH);
	assert_int_equal(ts->src.last.data, 0xFEDCBA9876543210);
	ts_destroy(ts);
}

static void free_buffer_returns_each_once(void **unused)
{
	struct ts *ts = one_session();
	unsigned int i, seen = 0;

	(void)unused;
	for (i = 0; i < 8; i++) {
		put64(ts, i * 4096, 100 + i);
		add(ts, vasi_desc_make(4096, i * 4096));
	}
	for (i = 0; i < 8; i++) {
		assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
		assert_in_range(ts->src.last.data, 100, 107);
		seen |= 1u << (ts->src.last.data - 100);
	}
	assert_int_equal(seen, 0xFF);
	assert_int_equal(give_back(ts, 4096), VASI_EMPTY);
	ts_destroy(ts);
}

static void free_buffer_empty_pool(void **unused)
{
	struct ts *ts = one_session();

	(void)unused;
	add(ts, vasi_desc_make(4096, 0));
	assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
	assert_int_equal(give_back(ts, 4096), VASI_EMPTY);
	ts_destroy(ts);
}

static void free_buffer_unknown_length(void **unused)
{
	struct ts *ts = one_session();

	(void)unused;
	add(ts, vasi_desc_make(4096, 0));
	assert_int_equal(give_back(ts, 8192), VASI_INVALID_BUFFER_LENGTH);
	/* Unassigned pools have no length, not the length 0 */
	assert_int_equal(give_back(ts, 0), VASI_INVALID_BUFFER_LENGTH);
	ts_destroy(ts);
}

static void add_buffer_indirect_order(void **unused)
{
	const uint64_t list[] = {
		vasi_desc_make(4096, 0), vasi_desc_make(4096, 4096),
		vasi_desc_make(4096, 8192),
	};
	struct ts *ts = one_session();
	unsigned int i;

	(void)unused;
	for (i = 0; i < 3; i++)
		put64(ts, i * 4096, 200 + i);
	assert_int_equal(add_list(ts, list, 3), VASI_SUCCESS);
	assert_int_equal(ts->src.last.count, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
		assert_int_equal(ts->src.last.data, 200 + i);
	}
	assert_int_equal(add_list(ts, list, 0), VASI_SUCCESS);
	assert_int_equal(ts->src.last.count, 0);
	ts_destroy(ts);
}

static void add_buffer_indirect_mixed_lengths(void **unused)
{
	const uint64_t list[] = {
		vasi_desc_make(4096, 0), vasi_desc_make(8192, 4096),
		vasi_desc_make(4096, 16384), vasi_desc_make(12288, 32768),
	};
	struct ts *ts = one_session();

	(void)unused;
	assert_int_equal(add_list(ts, list, 4), VASI_SUCCESS);
	assert_int_equal(ts->src.last.count, 4);
	assert_int_equal(give_back(ts, 12288), VASI_SUCCESS);
	assert_int_equal(give_back(ts, 8192), VASI_SUCCESS);
	assert_int_equal(give_back(ts, 8192), VASI_EMPTY);
	assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
	assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
	assert_int_equal(give_back(ts, 4096), VASI_EMPTY);
	ts_destroy(ts);
}

static void add_buffer_indirect_stops_at_error(void **unused)
{
	const struct {
		uint64_t bad;
		enum vasi_status status;
	} cases[] = {
		{ vasi_desc_make(4096, 0) & ~(0x80ULL << 56),
		  VASI_INVALID_BUFFER_DESCRIPTOR },
		{ vasi_desc_make(4096, TS_PANE_BYTES),
		  VASI_INVALID_BUFFER_DESCRIPTOR },
		{ vasi_desc_make(16, 0), VASI_INVALID_BUFFER_LENGTH },
	};
	unsigned int i;

	(void)unused;
	for (i = 0; i < 3; i++) {
		const uint64_t list[] = {
			vasi_desc_make(4096, 0), vasi_desc_make(4096, 4096),
			cases[i].bad, vasi_desc_make(4096, 8192),
		};
		struct ts *ts = one_session();

		assert_int_equal(add_list(ts, list, 4), cases[i].status);
		assert_int_equal(ts->src.last.count, 2);
		assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
		assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
		assert_int_equal(give_back(ts, 4096), VASI_EMPTY);
		ts_destroy(ts);
	}
}

static void add_buffer_indirect_full_list(void **unused)
{
	struct ts *ts = one_session();
	uint64_t list[MANY];
	unsigned int i;

	(void)unused;
	for (i = 0; i < MANY; i++)
		list[i] = vasi_desc_make(4096, 2 * MIB + i * 4096);
	assert_int_equal(add_list(ts, list, MANY), VASI_SUCCESS);
	assert_int_equal(ts->src.last.count, MANY);
	for (i = 0; i < MANY; i++)
		assert_int_equal(give_back(ts, 4096), VASI_SUCCESS);
	assert_int_equal(give_back(ts, 4096), VASI_EMPTY);
	ts_destroy(ts);
}

static void download_outside_first_pane(void **unused)
{
	static const uint32_t at[] = {
		TS_PANE_BYTES, TS_PANE_BYTES - 63, 0xFFFFFFC0, 0xFFFFFFFF,
	};
	struct ts *ts = one_session();
	unsigned int i;

	(void)unused;
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		uint64_t descriptor = vasi_desc_make(64, at[i]);

		ts->src.session[0].download_busy = true;
		ts_send(&ts->src, &(struct vasi_msg) {
			.format = VASI_FMT_DOWNLOAD,
			.handle = ts->src.session[0].bottom,
			.data = descriptor,
		});
		assert_int_equal(ts->src.last.status,
				 VASI_INVALID_BUFFER_DESCRIPTOR);
		assert_int_equal(ts->src.last.data, descriptor);
	}
	ts_destroy(ts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_buffer_assigns_pool),
		cmocka_unit_test(add_buffer_goes_to_its_pool),
		cmocka_unit_test(add_buffer_no_pool_left),
		cmocka_unit_test(add_buffer_too_small),
		cmocka_unit_test(add_buffer_descriptor_not_valid),
		cmocka_unit_test(add_buffer_outside_first_pane),
		cmocka_unit_test(add_buffer_error_carries_correlator),
		cmocka_unit_test(free_buffer_returns_each_once),
		cmocka_unit_test(free_buffer_empty_pool),
		cmocka_unit_test(free_buffer_unknown_length),
		cmocka_unit_test(add_buffer_indirect_order),
		cmocka_unit_test(add_buffer_indirect_mixed_lengths),
		cmocka_unit_test(add_buffer_indirect_stops_at_error),
		cmocka_unit_test(add_buffer_indirect_full_list),
		cmocka_unit_test(download_outside_first_pane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
