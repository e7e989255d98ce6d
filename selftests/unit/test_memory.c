// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of partitions: reserved whole, zeroed, in huge pages where there are
 * any, and mapped so that these can be used; or promised, and allocated only by
 * who writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/map.h"
#include "phyp/phypd/memory.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define MIB		(1ULL << 20)

/* Bytes of address space that this process uses */
static uint64_t address_space(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &pages), 1);
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int make_file(uint64_t bytes)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static uint64_t allocated_bytes(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Bytes that huge pages map at @base */
static uint64_t huge_bytes(const void *base)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long long start, kib, found = 0;
	bool here = false;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%*x %*s", &start) == 1 && strchr(line, '-') &&
		    strchr(line, '-') < strchr(line, ' '))
			here = start == (uintptr_t)base;
		else if (here && sscanf(line, "ShmemPmdMapped: %llu kB", &kib) == 1)
			found = kib << 10;
	}
	fclose(file);
	return found;
}

/* Whether this system gives huge pages to who asks in so many words */
static bool has_huge_pages(void)
{
	int fd = make_file(MAP_HUGE_BYTES);
	uint8_t *base = map_shared(fd, MAP_HUGE_BYTES, PROT_READ | PROT_WRITE);
	bool found;

	assert_non_null(base);
	base[0] = 1;
	found = !madvise(base, MAP_HUGE_BYTES, MADV_COLLAPSE);
	munmap(base, MAP_HUGE_BYTES);
	close(fd);
	return found;
}

static void mapping_is_aligned_and_no_larger(void **state)
{
	const uint64_t bytes = 3 * MIB + 4096;
	int fd = make_file(bytes);
	uint64_t before = address_space();
	uint8_t *base = map_shared(fd, bytes, PROT_READ | PROT_WRITE);
	uint8_t byte = 0;

	(void)state;
	assert_non_null(base);
	assert_int_equal((uintptr_t)base % MAP_HUGE_BYTES, 0);
	assert_int_equal(address_space() - before, bytes);
	base[bytes - 1] = 0x5a;
	assert_int_equal(pread(fd, &byte, 1, (off_t)bytes - 1), 1);
	assert_int_equal(byte, 0x5a);
	munmap(base, bytes);
	assert_int_equal(address_space(), before);
	close(fd);
}

static void mapping_fails_whole(void **state)
{
	uint64_t before = address_space();

	(void)state;
	errno = 0;
	assert_null(map_shared(-1, MIB, PROT_READ));
	assert_int_equal(errno, EBADF);
	assert_int_equal(address_space(), before);
}

static void reserved_memory_is_there_and_zero(void **state)
{
	const uint64_t bytes = 6 * MIB + 4096;
	char error[MEMORY_ERROR_BYTES];
	struct memory memory;
	const uint8_t *at;

	(void)state;
	assert_int_equal(memory_reserve(&memory, bytes, NULL, error), 0);
	at = memory.base;
	assert_int_equal((uintptr_t)at % MAP_HUGE_BYTES, 0);
	assert_true(allocated_bytes(memory.fd) >= bytes);
	for (uint64_t i = 0; i < bytes; i++)
		assert_int_equal(at[i], 0);
	assert_int_equal(fcntl(memory.fd, F_GET_SEALS) & F_SEAL_SHRINK, F_SEAL_SHRINK);
	memory_release(&memory);
	assert_null(memory.base);
	assert_int_equal(memory.fd, -1);
}

static void huge_pages_where_there_are_any(void **state)
{
	const uint64_t bytes = 2 * MAP_HUGE_BYTES + 4096;
	uint64_t expected = has_huge_pages() ? 2 * MAP_HUGE_BYTES : 0;
	char error[MEMORY_ERROR_BYTES];
	struct memory memory;
	const uint8_t *window;
	uint8_t sum = 0;

	(void)state;
	assert_int_equal(memory_reserve(&memory, bytes, NULL, error), 0);
	assert_int_equal(huge_bytes(memory.base), expected);
	/* A mover's window, filled as it is read */
	window = map_shared(memory.fd, bytes, PROT_READ);
	assert_non_null(window);
	for (uint64_t at = 0; at < bytes; at += 4096)
		sum |= window[at];
	assert_int_equal(sum, 0);
	assert_int_equal(huge_bytes(window), expected);
	munmap((void *)window, bytes);
	memory_release(&memory);
}

static void digest_of(const struct memory *memory, uint8_t digest[DIGEST_BYTES])
{
	assert_int_equal(memory_digest(memory, "state", 5, NULL, digest), 0);
}

static void promised_memory_is_allocated_by_writing(void **state)
{
	/* Holes of whole digest pieces, one with something in it, and a rest */
	const uint64_t bytes = 80 * MIB + 4096;
	uint8_t expected[DIGEST_BYTES], found[DIGEST_BYTES];
	char error[MEMORY_ERROR_BYTES];
	struct memory there, promised;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	(void)state;
	assert_int_equal(memory_reserve(&there, bytes, NULL, error), 0);
	assert_int_equal(memory_promise(&promised, bytes, error), 0);
	assert_int_equal(allocated_bytes(promised.fd), 0);
	digest_of(&there, expected);
	digest_of(&promised, found);
	assert_memory_equal(found, expected, DIGEST_BYTES);
	assert_int_equal(allocated_bytes(promised.fd), 0);

	((uint8_t *)there.base)[40 * MIB + 3] = 7;
	((uint8_t *)promised.base)[40 * MIB + 3] = 7;
	digest_of(&promised, found);
	assert_memory_not_equal(found, expected, DIGEST_BYTES);
	digest_of(&there, expected);
	assert_memory_equal(found, expected, DIGEST_BYTES);
	assert_int_equal(allocated_bytes(promised.fd), page);
	memory_release(&there);
	memory_release(&promised);
}

static void comparing_allocates_nothing(void **state)
{
	char error[MEMORY_ERROR_BYTES];
	struct memory memory;
	uint64_t differing;
	int fd = make_file(MIB);

	(void)state;
	assert_int_equal(memory_promise(&memory, 9 * MIB, error), 0);
	assert_int_equal(content_compare(&memory, 4096, fd, NULL, &differing, error), 0);
	assert_int_equal(differing, 0);
	/* The file repeats */
	assert_int_equal(pwrite(fd, "x", 1, 5000), 1);
	assert_int_equal(content_compare(&memory, 4096, fd, NULL, &differing, error), 0);
	assert_int_equal(differing, 9);
	assert_int_equal(allocated_bytes(memory.fd), 0);
	memory_release(&memory);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mapping_is_aligned_and_no_larger),
		cmocka_unit_test(mapping_fails_whole),
		cmocka_unit_test(reserved_memory_is_there_and_zero),
		cmocka_unit_test(huge_pages_where_there_are_any),
		cmocka_unit_test(promised_memory_is_allocated_by_writing),
		cmocka_unit_test(comparing_allocates_nothing),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
