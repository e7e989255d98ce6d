// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A first pane whose pages lie anywhere in a client's memory: that of a guest,
 * with a table of what its TCEs say (Documentation/vio-link.rst).
 *
 * The client changes the table while it is read here.  Each entry is read once,
 * and checked then: whatever it says, nothing outside the memory is touched.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/util.h"
#include "phyp/phypd/device.h"

static int map_sealed(int fd, uint64_t most, uint64_t bytes, int protection,
		      void **base)
{
	uint64_t size;
	void *map;
	int ret;

	ret = vio_check_sealed(fd, most, &size);
	if (ret)
		return ret;
	if (size != bytes)
		return -EINVAL;
	map = mmap(NULL, size, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	madvise(map, size, MADV_DONTDUMP);
	*base = map;
	return 0;
}

static uint64_t table_bytes(uint32_t pages)
{
	uint64_t bytes = (uint64_t)pages * sizeof(__be64);

	return (bytes + VIO_PAGE_BYTES - 1) / VIO_PAGE_BYTES * VIO_PAGE_BYTES;
}

/**
 * translate_memory() - take a client's memory
 * @device:	with a client
 * @fd:		a sealed memfd; stays the caller's
 * @bytes:	what the client said is its size
 *
 * Return: 0; -EEXIST: there is memory already; or why it cannot be taken, as
 * vio_check_sealed() has it.
 */
int translate_memory(struct device *device, int fd, uint64_t bytes)
{
	void *base;
	int ret;

	if (device->pane || device->memory)
		return -EEXIST;
	ret = map_sealed(fd, VIO_MAX_MEMORY, bytes, PROT_READ | PROT_WRITE, &base);
	if (ret)
		return ret;
	device->memory = base;
	device->memory_bytes = bytes;
	return 0;
}

/**
 * translate_table() - take the table of its first pane; DMA goes by it from now on
 * @device:	with memory
 * @fd:		a sealed memfd of whole pages; stays the caller's
 * @pages:	entries
 *
 * Return: as translate_memory(); -ENXIO: there is no memory.
 */
int translate_table(struct device *device, int fd, uint32_t pages)
{
	void *base;
	int ret;

	if (!device->memory)
		return -ENXIO;
	if (device->table)
		return -EEXIST;
	ret = map_sealed(fd, table_bytes(VIO_MAX_PAGES), table_bytes(pages),
			 PROT_READ, &base);
	if (ret)
		return ret;
	device->table = base;
	device->table_pages = pages;
	return 0;
}

/**
 * translate_exit() - forget memory and table
 * @device:	any
 */
void translate_exit(struct device *device)
{
	if (device->table)
		munmap((void *)device->table, table_bytes(device->table_pages));
	if (device->memory)
		munmap(device->memory, device->memory_bytes);
	device->table = NULL;
	device->table_pages = 0;
	device->memory = NULL;
	device->memory_bytes = 0;
}

/* The page of an I/O address, from there to its end */
static uint8_t *piece(const struct device *device, uint64_t ioba,
		      unsigned int access, uint32_t *length)
{
	uint64_t index = ioba / VIO_PAGE_BYTES;
	uint32_t within = ioba % VIO_PAGE_BYTES;
	uint64_t offset;

	if (index >= device->table_pages ||
	    vio_translate(&device->table[index], device->memory_bytes, access,
			  &offset))
		return NULL;
	*length = min(*length, VIO_PAGE_BYTES - within);
	return device->memory + offset + within;
}

/**
 * translate_map() - a range of the first pane as memory
 * @device:	with a table
 * @ioba:	first I/O address
 * @length:	bytes, not 0
 *
 * Return: where it is; NULL if its pages are not all there for reading and
 * writing, or do not lie one behind the other.
 */
void *translate_map(const struct device *device, uint32_t ioba, uint32_t length)
{
	uint8_t *first = NULL, *at;
	uint32_t done = 0;

	while (done < length) {
		uint32_t bytes = length - done;

		at = piece(device, (uint64_t)ioba + done, VIO_PAGE_ACCESS, &bytes);
		if (!at || (first && at != first + done))
			return NULL;
		if (!first)
			first = at;
		done += bytes;
	}
	return first;
}

/**
 * translate_read() - copy out of the first pane, page by page
 * @device:	with a table
 * @ioba:	first I/O address
 * @buf:	for the data; undefined on failure
 * @length:	bytes
 *
 * Return: 0 or -EFAULT.
 */
int translate_read(const struct device *device, uint32_t ioba, void *buf,
		   uint32_t length)
{
	uint32_t done = 0;

	while (done < length) {
		uint32_t bytes = length - done;
		const uint8_t *at = piece(device, (uint64_t)ioba + done,
					  VIO_PAGE_READ, &bytes);

		if (!at)
			return -EFAULT;
		memcpy((uint8_t *)buf + done, at, bytes);
		done += bytes;
	}
	return 0;
}

/**
 * translate_write() - copy into the first pane, page by page
 * @device:	with a table
 * @ioba:	first I/O address
 * @buf:	the data
 * @length:	bytes
 *
 * Return: 0 or -EFAULT; what comes before a page that is not there was written.
 */
int translate_write(const struct device *device, uint32_t ioba, const void *buf,
		    uint32_t length)
{
	uint32_t done = 0;

	while (done < length) {
		uint32_t bytes = length - done;
		uint8_t *at = piece(device, (uint64_t)ioba + done,
				    VIO_PAGE_WRITE, &bytes);

		if (!at)
			return -EFAULT;
		memcpy(at, (const uint8_t *)buf + done, bytes);
		done += bytes;
	}
	return 0;
}
