// SPDX-License-Identifier: GPL-2.0-or-later
/* The platform's side of the Dirty Map extension (Documentation/dirty-map.rst). */
#include <endian.h>
#include "one_vsp.h"

#define ID	0x1122334455667788ULL
#define TOP	0x1000			/* of session 0; the others follow */
#define PAGES	512u
#define MAP	0x8000u			/* where maps are asked for */
#define MAP_LENGTH	0x2000u
#define CORRELATOR	0xD1127BEEF0000001ULL
#define BITS	(MAP + 40)

struct fixture {
	struct vsp *vsp;
	struct vsp_dev *dev;
	struct vsp_part *part;
	uint32_t bottom[8];
};

static void setup(struct fixture *f, unsigned int sessions, uint32_t granule)
{
	struct phyp_vdev_params params = vsp_params;
	unsigned int i;

	params.opens = 8;
	f->vsp = vsp_create(&params);
	f->dev = &f->vsp->dev[0];
	f->part = vsp_stream(f->vsp, 0, ID, PHYP_SOURCE,
			     (uint64_t)PAGES * granule, granule);
	vsp_send(f->dev, "80 01 00 01 00000000 0000 4456 00 ff ff ff");
	vsp_expect(f->dev, "80 81 00 01 00000000 0000 564d 00 47 0c 08");
	for (i = 0; i < sessions; i++)
		f->bottom[i] = vsp_open(f->dev, SOURCE, TOP + i, ID);
}

/* Ask; the answer's status, and its message checked */
static uint8_t ask_length(struct fixture *f, unsigned int session, uint64_t first,
			  uint32_t pages, uint32_t granule, uint32_t flags,
			  uint32_t length)
{
	struct vasi_crq answer;

	vsp_put64(f->dev, MAP, CORRELATOR);
	vsp_put64(f->dev, MAP + 8, first);
	vsp_put64(f->dev, MAP + 16, (uint64_t)pages << 32 | granule);
	vsp_put64(f->dev, MAP + 24, (uint64_t)flags << 32);
	vsp_put64(f->dev, MAP + 32, 0);
	memset(f->dev->pane + BITS, 0xFF, MAP_LENGTH - 40);
	vsp_send(f->dev, "80 20 00 00 %08x 80 %06x %08x", f->bottom[session],
		 length, MAP);
	answer = f->dev->entry[f->dev->first];
	vsp_expect(f->dev, "80 a0 %02x 00 %08x %016llx", answer.byte2,
		   TOP + session, CORRELATOR);
	vsp_expect_none(f->dev);
	assert_int_equal(vsp_get64(f->dev, MAP), CORRELATOR);
	return answer.byte2;
}

static uint8_t ask(struct fixture *f, unsigned int session, uint64_t first,
		   uint32_t pages, uint32_t granule, uint32_t flags)
{
	return ask_length(f, session, first, pages, granule, flags, MAP_LENGTH);
}

static uint64_t dirty(const struct fixture *f)
{
	return vsp_get64(f->dev, MAP + 32);
}

static uint32_t covered(const struct fixture *f)
{
	return vsp_get64(f->dev, MAP + 16) >> 32;
}

static uint32_t granule_used(const struct fixture *f)
{
	return vsp_get64(f->dev, MAP + 16);
}

static bool bit(const struct fixture *f, unsigned int n)
{
	return f->dev->pane[BITS + n / 8] & 1u << (n % 8);
}

static void write_page(struct fixture *f, uint64_t page, uint32_t granule)
{
	vsp_write(f->part, page * granule + 100, 1);
}

/* ---- What an answer holds ---- */

static void answer_layout(void **unused)
{
	struct fixture f;

	(void)unused;
	setup(&f, 1, 4096);
	write_page(&f, 0, 4096);
	write_page(&f, 9, 4096);
	write_page(&f, 20, 4096);
	assert_int_equal(ask(&f, 0, 0, 24, 0, 0), VASI_SUCCESS);
	/* First page, pages, granule, flags, reserved, dirty; then the bits */
	assert_memory_equal(f.dev->pane + MAP + 8, ((uint8_t[]) {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0x10, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
		0x01, 0x02, 0x10, 0xFF }), 36);
	/* From a page on that is no multiple of anything */
	assert_int_equal(ask(&f, 0, 7, 14, 4096, 0), VASI_SUCCESS);
	assert_int_equal(vsp_get64(f.dev, MAP + 8), 7);
	assert_int_equal(dirty(&f), 2);
	assert_true(bit(&f, 2));
	assert_true(bit(&f, 13));
	assert_int_equal(f.dev->pane[BITS], 0x04);
	assert_int_equal(f.dev->pane[BITS + 1], 0x20);
	assert_int_equal(f.dev->pane[BITS + 2], 0xFF);
	vsp_destroy(f.vsp);
}

/* A walk in pieces sees each page once, and each again that is written again */
static void partial_walk(void **unused)
{
	struct fixture f;
	uint64_t first = 0;
	unsigned int n, seen = 0, calls = 0;

	(void)unused;
	setup(&f, 1, 4096);
	for (n = 0; n < PAGES; n += 3)
		write_page(&f, n, 4096);
	while (first < PAGES) {
		/* Room for 40 bits */
		assert_int_equal(ask_length(&f, 0, first, UINT32_MAX, 4096,
					    VASI_DIRTY_MAP_CLEAR, 45),
				 VASI_SUCCESS);
		assert_in_range(covered(&f), 1, 40);
		for (n = 0; n < covered(&f); n++) {
			assert_int_equal(bit(&f, n), (first + n) % 3 == 0);
			seen += bit(&f, n);
		}
		first += covered(&f);
		calls++;
	}
	assert_int_equal(first, PAGES);
	assert_int_equal(calls, (PAGES + 39) / 40);
	assert_int_equal(seen, (PAGES + 2) / 3);
	assert_int_equal(ask(&f, 0, 0, PAGES, 0, 0), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 0);
	write_page(&f, 300, 4096);
	assert_int_equal(ask(&f, 0, 0, PAGES, 0, 0), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 1);
	assert_true(bit(&f, 300));
	vsp_destroy(f.vsp);
}

static void looking_clears_nothing(void **unused)
{
	struct fixture f;
	unsigned int i;

	(void)unused;
	setup(&f, 1, 4096);
	write_page(&f, 5, 4096);
	for (i = 0; i < 3; i++) {
		assert_int_equal(ask(&f, 0, 0, PAGES, 0, 0), VASI_SUCCESS);
		assert_int_equal(dirty(&f), 1);
	}
	/* Only what was asked for is cleared */
	write_page(&f, 70, 4096);
	assert_int_equal(ask(&f, 0, 0, 70, 0, VASI_DIRTY_MAP_CLEAR), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 1);
	assert_int_equal(ask(&f, 0, 0, PAGES, 0, 0), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 1);
	assert_true(bit(&f, 70));
	vsp_destroy(f.vsp);
}

static void coarse_view_of_fine_pages(void **unused)
{
	struct fixture f;

	(void)unused;
	setup(&f, 1, 4096);
	write_page(&f, 0, 4096);
	write_page(&f, 15, 4096);
	write_page(&f, 16, 4096);
	write_page(&f, PAGES - 1, 4096);
	assert_int_equal(ask(&f, 0, 0, PAGES, 65536, 0), VASI_SUCCESS);
	assert_int_equal(granule_used(&f), 65536);
	assert_int_equal(covered(&f), PAGES / 16);
	assert_int_equal(dirty(&f), 3);
	assert_true(bit(&f, 0) && bit(&f, 1) && bit(&f, PAGES / 16 - 1));
	/* A coarse page is cleared whole */
	assert_int_equal(ask(&f, 0, 1, 1, 65536, VASI_DIRTY_MAP_CLEAR),
			 VASI_SUCCESS);
	assert_int_equal(ask(&f, 0, 0, PAGES, 4096, 0), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 3);
	assert_false(bit(&f, 16));
	vsp_destroy(f.vsp);
}

static void coarse_partition(void **unused)
{
	struct fixture f;

	(void)unused;
	setup(&f, 1, 65536);
	write_page(&f, 3, 65536);
	assert_int_equal(ask(&f, 0, 0, 8, 0, 0), VASI_SUCCESS);
	assert_int_equal(granule_used(&f), 65536);
	assert_int_equal(f.dev->pane[BITS], 0x08);
	/* Finer than what is known */
	assert_int_equal(ask(&f, 0, 0, 8, 4096, 0),
			 VASI_INVALID_DOWNLOAD_SPECIFIER);
	vsp_destroy(f.vsp);
}

/* ---- Errors ---- */

static void checks_in_order(void **unused)
{
	struct fixture f;
	uint32_t b;

	(void)unused;
	setup(&f, 1, 4096);
	b = f.bottom[0];
	vsp_send(f.dev, "80 20 00 00 %08x 00 000001 ffffffff", 0xBAD);
	vsp_expect(f.dev, "80 a0 0d 00 %08x 00 000001 ffffffff", 0xBAD);
	vsp_send(f.dev, "80 20 00 00 %08x 00 000001 ffffffff", b);
	vsp_expect(f.dev, "80 a0 04 00 %08x 00 000001 ffffffff", TOP);
	vsp_send(f.dev, "80 20 00 00 %08x 80 000020 %08x", b, VSP_PANE_BYTES - 8);
	vsp_expect(f.dev, "80 a0 04 00 %08x 80 000020 %08x", TOP,
		   VSP_PANE_BYTES - 8);
	/* Short, and with a granule that is none */
	assert_int_equal(ask_length(&f, 0, 0, 1, 1, 0, 40),
			 VASI_INVALID_BUFFER_LENGTH);
	assert_int_equal(ask_length(&f, 0, 0, 1, 1, 0, 41),
			 VASI_INVALID_DOWNLOAD_SPECIFIER);
	assert_int_equal(ask_length(&f, 0, 0, 1, 0, 0, 41), VASI_SUCCESS);
	vsp_destroy(f.vsp);
}

static void bad_specifiers(void **unused)
{
	struct fixture f;
	unsigned int i;

	(void)unused;
	setup(&f, 1, 4096);
	assert_int_equal(ask(&f, 0, 0, 0, 0, 0), VASI_INVALID_DOWNLOAD_SPECIFIER);
	assert_int_equal(ask(&f, 0, PAGES, 1, 0, 0),
			 VASI_INVALID_DOWNLOAD_SPECIFIER);
	assert_int_equal(ask(&f, 0, UINT64_MAX, 1, 0, 0),
			 VASI_INVALID_DOWNLOAD_SPECIFIER);
	assert_int_equal(ask(&f, 0, PAGES / 16, 1, 65536, 0),
			 VASI_INVALID_DOWNLOAD_SPECIFIER);
	assert_int_equal(ask(&f, 0, 0, 1, 8192, 0),
			 VASI_INVALID_DOWNLOAD_SPECIFIER);
	for (i = 1; i < 32; i++)
		assert_int_equal(ask(&f, 0, 0, 1, 0, 1u << i),
				 VASI_INVALID_DOWNLOAD_SPECIFIER);
	/* An error leaves the buffer as it was */
	assert_int_equal(vsp_get64(f.dev, MAP + 24), 1ULL << 63);
	assert_int_equal(f.dev->pane[BITS], 0xFF);
	/* Reserved, and dirty, which is the answer's */
	vsp_put64(f.dev, MAP + 24, 1);
	vsp_send(f.dev, "80 20 00 00 %08x 80 %06x %08x", f.bottom[0], MAP_LENGTH,
		 MAP);
	assert_int_equal(vsp_next(f.dev).byte2, VASI_INVALID_DOWNLOAD_SPECIFIER);
	vsp_put64(f.dev, MAP + 24, 0);
	vsp_put64(f.dev, MAP + 32, 1);
	vsp_send(f.dev, "80 20 00 00 %08x 80 %06x %08x", f.bottom[0], MAP_LENGTH,
		 MAP);
	assert_int_equal(vsp_next(f.dev).byte2, VASI_INVALID_DOWNLOAD_SPECIFIER);
	vsp_destroy(f.vsp);
}

static void pane_that_cannot_be_mapped(void **unused)
{
	struct fixture f;

	(void)unused;
	setup(&f, 1, 4096);
	f.dev->copy = true;
	write_page(&f, 2, 4096);
	assert_int_equal(ask(&f, 0, 0, 8, 0, 0), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 1);
	assert_int_equal(f.dev->pane[BITS], 0x04);
	vsp_destroy(f.vsp);
}

/* ---- Views ---- */

static uint64_t bytes_left(struct fixture *f, unsigned int session)
{
	vsp_send(f->dev, "80 10 00 00 %08x 0000000000000000", f->bottom[session]);
	return be64toh(vsp_skip_to(f->dev, 0x90).data);
}

/* Neither another view nor what the platform sends again */
static void views_are_apart(void **unused)
{
	struct fixture f;

	(void)unused;
	setup(&f, 2, 4096);
	write_page(&f, 1, 4096);
	assert_int_equal(ask(&f, 0, 0, PAGES, 0, VASI_DIRTY_MAP_CLEAR), 0);
	assert_int_equal(dirty(&f), 1);
	/* A view begins with all that was ever written */
	assert_int_equal(ask(&f, 1, 0, PAGES, 0, 0), 0);
	assert_int_equal(dirty(&f), 1);
	assert_int_equal(bytes_left(&f, 0), 4096);

	write_page(&f, 2, 4096);
	assert_int_equal(ask(&f, 0, 0, PAGES, 0, VASI_DIRTY_MAP_CLEAR), 0);
	assert_int_equal(dirty(&f), 1);
	assert_true(bit(&f, 2));
	assert_int_equal(ask(&f, 1, 0, PAGES, 0, VASI_DIRTY_MAP_CLEAR), 0);
	assert_int_equal(dirty(&f), 2);
	assert_int_equal(bytes_left(&f, 1), 2 * 4096);

	/* Nor the other way: what was sent stays in the views */
	write_page(&f, 3, 4096);
	vsp_send(f.dev, "80 04 00 00 %08x 80 010000 00020000", f.bottom[0]);
	vsp_hcall(f.dev, VASI_H_DONOR_OPERATION, vsp_pair(TOP, f.bottom[0]), 0, 0);
	vsp_skip_to(f.dev, VASI_FMT_OPERATION);
	vsp_drop(f.dev);
	assert_int_equal(bytes_left(&f, 0), 0);
	assert_int_equal(ask(&f, 0, 0, PAGES, 0, 0), 0);
	assert_int_equal(dirty(&f), 1);
	vsp_destroy(f.vsp);
}

static void four_views(void **unused)
{
	struct fixture f;
	unsigned int i;

	(void)unused;
	setup(&f, 6, 4096);
	write_page(&f, 0, 4096);
	for (i = 0; i < 4; i++)
		assert_int_equal(ask(&f, i, 0, 1, 0, 0), VASI_SUCCESS);
	assert_int_equal(ask(&f, 4, 0, 1, 0, 0), VASI_TOO_MANY_OPENS);
	/* A bad request opens none */
	assert_int_equal(ask(&f, 5, 0, 0, 0, 0), VASI_INVALID_DOWNLOAD_SPECIFIER);

	/* A view ends with its session */
	assert_int_equal(ask(&f, 2, 0, 1, 0, VASI_DIRTY_MAP_CLEAR), VASI_SUCCESS);
	vsp_send(f.dev, "80 03 00 00 %08x 0000000000000000", f.bottom[2]);
	vsp_drop(f.dev);
	assert_int_equal(ask(&f, 4, 0, 1, 0, 0), VASI_SUCCESS);
	assert_int_equal(dirty(&f), 1);
	assert_int_equal(ask(&f, 5, 0, 1, 0, 0), VASI_TOO_MANY_OPENS);
	vsp_destroy(f.vsp);
}

/* A partition that stays here after an abort is not left with used-up views */
static void views_end_with_the_stream(void **unused)
{
	struct phyp_stream_params params = { .role = PHYP_SOURCE };
	struct fixture f;
	unsigned int round, i;

	(void)unused;
	setup(&f, 0, 4096);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4; i++) {
			f.bottom[i] = vsp_open(f.dev, SOURCE, TOP + i,
					       ID + round);
			assert_int_equal(ask(&f, i, 0, 1, 0, 0), VASI_SUCCESS);
		}
		vsp_hcall(f.dev, VASI_H_SIGNAL, ID + round, VASI_SIGNAL_CANCEL, 0);
		vsp_drop(f.dev);
		assert_int_equal(ask(&f, 0, 0, 1, 0, 0), VASI_STREAM_ABORTED);
		for (i = 0; i < 4; i++)
			vsp_send(f.dev, "80 03 00 00 %08x 0000000000000000",
				 f.bottom[i]);
		vsp_drop(f.dev);
		params.id = ID + round + 1;
		params.lpar = f.part->lpar;
		params.vdev = f.dev->vdev;
		assert_int_equal(phyp_stream_create(f.vsp->phyp, &params,
						    &f.part->stream), 0);
	}
	vsp_destroy(f.vsp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_layout),
		cmocka_unit_test(partial_walk),
		cmocka_unit_test(looking_clears_nothing),
		cmocka_unit_test(coarse_view_of_fine_pages),
		cmocka_unit_test(coarse_partition),
		cmocka_unit_test(checks_in_order),
		cmocka_unit_test(bad_specifiers),
		cmocka_unit_test(pane_that_cannot_be_mapped),
		cmocka_unit_test(views_are_apart),
		cmocka_unit_test(four_views),
		cmocka_unit_test(views_end_with_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
