// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of a first pane whose pages lie anywhere in a client's memory: what
 * the platform takes from a client, and what it makes of a hostile table.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/util.h"
#include "phyp/phypd/device.h"

#define PAGE		VIO_PAGE_BYTES
#define MEMORY_PAGES	16u
#define MEMORY_BYTES	(MEMORY_PAGES * PAGE)
#define TABLE_PAGES	8u
#define RW		VIO_PAGE_ACCESS
#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW)
#define RACES		200000

/* The client's view: @memory and @table are mapped on their own */
struct fixture {
	struct device *device;
	int memory_fd;
	int table_fd;
	uint8_t *memory;
	__be64 *table;
};

static int sealed(size_t bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void *mapped(int fd, size_t bytes)
{
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(base, MAP_FAILED);
	return base;
}

static void set(struct fixture *f, unsigned int page, uint64_t entry)
{
	__atomic_store_n(&f->table[page], htobe64(entry), __ATOMIC_RELAXED);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->device = calloc(1, sizeof(*f->device));
	f->memory_fd = sealed(MEMORY_BYTES, SEALS);
	f->table_fd = sealed(PAGE, SEALS);
	f->memory = mapped(f->memory_fd, MEMORY_BYTES);
	f->table = mapped(f->table_fd, PAGE);
	for (unsigned int i = 0; i < MEMORY_BYTES; i++)
		f->memory[i] = (uint8_t)(i / PAGE * 16 + i % 13);
	assert_int_equal(translate_memory(f->device, f->memory_fd, MEMORY_BYTES), 0);
	assert_int_equal(translate_table(f->device, f->table_fd, TABLE_PAGES), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	translate_exit(f->device);
	assert_null(f->device->table);
	assert_null(f->device->memory);
	munmap(f->memory, MEMORY_BYTES);
	munmap(f->table, PAGE);
	close(f->memory_fd);
	close(f->table_fd);
	free(f->device);
	free(f);
	return 0;
}

/* Pages one behind the other are mapped, others copied piece by piece */
static void test_pages(void **state)
{
	struct fixture *f = *state;
	uint8_t data[3 * PAGE];

	set(f, 0, 5 * PAGE | RW);
	set(f, 1, 6 * PAGE | RW);
	set(f, 2, 2 * PAGE | RW);
	assert_ptr_equal(translate_map(f->device, 0, 2 * PAGE),
			 f->device->memory + 5 * PAGE);
	assert_ptr_equal(translate_map(f->device, 100, 2 * PAGE - 100),
			 f->device->memory + 5 * PAGE + 100);
	assert_null(translate_map(f->device, 0, 2 * PAGE + 1));
	assert_int_equal(translate_read(f->device, 100, data, 3 * PAGE - 100), 0);
	assert_memory_equal(data, f->memory + 5 * PAGE + 100, 2 * PAGE - 100);
	assert_memory_equal(data + 2 * PAGE - 100, f->memory + 2 * PAGE, PAGE);
	memset(data, 0xA5, sizeof(data));
	assert_int_equal(translate_write(f->device, PAGE + 7, data, PAGE), 0);
	assert_memory_equal(f->memory + 6 * PAGE + 7, data, PAGE - 7);
	assert_memory_equal(f->memory + 2 * PAGE, data, 7);
	assert_int_not_equal(f->memory[2 * PAGE + 7], 0xA5);
	assert_int_not_equal(f->memory[6 * PAGE + 6], 0xA5);
}

/* Each access needs its own bit, a mapping both */
static void test_permissions(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 1;

	set(f, 0, VIO_PAGE_READ);
	assert_int_equal(translate_read(f->device, 0, &byte, 1), 0);
	assert_int_equal(translate_write(f->device, 0, &byte, 1), -EFAULT);
	assert_null(translate_map(f->device, 0, 1));
	set(f, 0, VIO_PAGE_WRITE);
	assert_int_equal(translate_read(f->device, 0, &byte, 1), -EFAULT);
	assert_int_equal(translate_write(f->device, 0, &byte, 1), 0);
	assert_null(translate_map(f->device, 0, 1));
	set(f, 0, RW);
	assert_non_null(translate_map(f->device, 0, 1));
	/* No access: no page, whatever the offset */
	set(f, 0, 4 * PAGE);
	assert_int_equal(translate_read(f->device, 0, &byte, 1), -EFAULT);
	/* The whole range has to be there */
	set(f, 0, RW);
	set(f, 1, VIO_PAGE_READ);
	assert_null(translate_map(f->device, 0, PAGE + 1));
	assert_int_equal(translate_read(f->device, PAGE - 1, &byte, 1), 0);
}

static void test_hostile_entries(void **state)
{
	static const uint64_t bad[] = {
		MEMORY_BYTES | RW,
		(MEMORY_BYTES + PAGE) | RW,
		(UINT64_MAX & ~0xFFFULL) | RW,
		UINT64_MAX,
		1ULL << 63 | RW,
		4 | RW, 0x800 | RW, 0xFFC | RW,		/* reserved bits */
		0, 4,
	};
	struct fixture *f = *state;
	uint8_t data[2 * PAGE];

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		set(f, 0, RW);
		set(f, 1, bad[i]);
		set(f, 2, bad[i]);
		assert_null(translate_map(f->device, PAGE, 1));
		assert_null(translate_map(f->device, 0, PAGE + 1));
		assert_int_equal(translate_read(f->device, PAGE, data, 1), -EFAULT);
		assert_int_equal(translate_read(f->device, 1, data, PAGE), -EFAULT);
		assert_int_equal(translate_write(f->device, PAGE, data, 1), -EFAULT);
		assert_int_equal(translate_write(f->device, 2 * PAGE - 1, data, 2), -EFAULT);
	}
	/* The last page is one of the memory's */
	set(f, 1, (MEMORY_BYTES - PAGE) | RW);
	assert_ptr_equal(translate_map(f->device, PAGE, PAGE),
			 f->device->memory + MEMORY_BYTES - PAGE);
}

/* Beyond the table there is nothing, though its memory goes on */
static void test_table_end(void **state)
{
	struct fixture *f = *state;
	uint8_t data[16];

	for (unsigned int i = 0; i < PAGE / sizeof(__be64); i++)
		set(f, i, RW);
	assert_non_null(translate_map(f->device, TABLE_PAGES * PAGE - 1, 1));
	assert_null(translate_map(f->device, TABLE_PAGES * PAGE, 1));
	assert_int_equal(translate_read(f->device, TABLE_PAGES * PAGE - 8, data, 16),
			 -EFAULT);
	assert_int_equal(translate_write(f->device, UINT32_MAX - 7, data, 16), -EFAULT);
	assert_null(translate_map(f->device, UINT32_MAX, UINT32_MAX));
}

static void *flip(void *arg)
{
	struct fixture *f = arg;

	for (unsigned int i = 0; i < RACES; i++)
		set(f, 0, i & 1 ? RW : UINT64_MAX << 12 | RW);
	return NULL;
}

/* A table that changes while it is read is right or refused, never believed */
static void test_race(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, flip, f), 0);
	for (unsigned int i = 0; i < RACES; i++) {
		void *at = translate_map(f->device, 0, PAGE);

		if (at)
			assert_ptr_equal(at, f->device->memory);
	}
	pthread_join(thread, NULL);
	set(f, 0, RW);
	assert_non_null(translate_map(f->device, 0, PAGE));
}

/* What a client passes is checked before it is mapped */
static void test_offers(void **state)
{
	struct device *device = calloc(1, sizeof(*device));
	int memory = sealed(MEMORY_BYTES, SEALS), table = sealed(PAGE, SEALS);
	int growing = sealed(MEMORY_BYTES, F_SEAL_SHRINK);
	int frozen = sealed(MEMORY_BYTES, SEALS | F_SEAL_WRITE);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	/* No table without memory */
	assert_int_equal(translate_table(device, table, TABLE_PAGES), -ENXIO);
	assert_int_equal(translate_memory(device, growing, MEMORY_BYTES), -EPERM);
	assert_int_equal(translate_memory(device, frozen, MEMORY_BYTES), -EPERM);
	assert_int_equal(translate_memory(device, null, MEMORY_BYTES), -EINVAL);
	assert_int_equal(translate_memory(device, -1, MEMORY_BYTES), -EBADF);
	assert_int_equal(translate_memory(device, memory, MEMORY_BYTES + PAGE), -EINVAL);
	assert_int_equal(translate_memory(device, memory, MEMORY_BYTES - PAGE), -EINVAL);
	assert_null(device->memory);
	assert_int_equal(translate_memory(device, memory, MEMORY_BYTES), 0);
	assert_int_equal(translate_memory(device, memory, MEMORY_BYTES), -EEXIST);
	/* A table that is not as large as it says */
	assert_int_equal(translate_table(device, table, PAGE / 8 + 1), -EINVAL);
	assert_int_equal(translate_table(device, growing, TABLE_PAGES), -EPERM);
	assert_null(device->table);
	assert_int_equal(translate_table(device, table, PAGE / 8), 0);
	assert_int_equal(translate_table(device, table, PAGE / 8), -EEXIST);
	translate_exit(device);
	/* Where the pane is mapped, there is nothing to translate */
	device->pane = (uint8_t *)device;
	assert_int_equal(translate_memory(device, memory, MEMORY_BYTES), -EEXIST);
	close(null);
	close(frozen);
	close(growing);
	close(table);
	close(memory);
	free(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_race, setup, teardown),
		cmocka_unit_test(test_offers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
