/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One platform with two VASI devices, and the bytes that go in and out: for
 * tests of single messages and hcalls.  Moves between two platforms are
 * two_systems.h.
 */
#ifndef _ONE_VSP_H
#define _ONE_VSP_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "phyp/phyp.h"
#include "vasi_codec.h"

#define VSP_DEVICES	2
#define VSP_PARTITIONS	8
#define VSP_PANE_BYTES	(1u << 20)
#define VSP_ENTRIES	(16u << 10)
#define VSP_UNIT	0x30000040u	/* of the first device; the next is 0x10 on */

#define SOURCE		VASI_SERVICE_SOURCE_MOVER
#define TARGET		VASI_SERVICE_TARGET_MOVER

struct vsp;

/**
 * struct vsp_dev - a device, seen from its VSP
 * @copy:	its pane cannot be mapped
 * @pane:	the first pane
 * @entry:	what the platform sent and the test has not looked at, from @first
 * @shown:	windows of the second pane that were opened
 */
struct vsp_dev {
	struct vsp *vsp;
	struct phyp_vdev *vdev;
	bool copy;
	uint8_t *pane;
	struct vasi_crq entry[VSP_ENTRIES];
	unsigned int first;
	unsigned int end;
	unsigned int shown;
};

/* A partition, and the stream it moves in */
struct vsp_part {
	struct phyp_lpar *lpar;
	struct phyp_stream *stream;
	uint8_t *memory;
	uint64_t bytes;
	bool running;
};

/**
 * struct vsp - the platform
 * @dev:	its devices
 * @part:	its partitions
 * @verdict:	what every ownership record says
 * @write_error: of the next ownership record
 * @now_ns:	goes on by @step_ns each time it is asked for
 */
struct vsp {
	struct phyp *phyp;
	struct vsp_dev dev[VSP_DEVICES];
	struct vsp_part part[VSP_PARTITIONS];
	unsigned int parts;
	enum phyp_verdict verdict;
	int write_error;
	uint64_t now_ns;
	uint64_t step_ns;
};

/* Limits of both devices; a test changes what it needs before vsp_create() */
extern const struct phyp_vdev_params vsp_params;
struct vsp *vsp_create(const struct phyp_vdev_params *params);
void vsp_destroy(struct vsp *vsp);
/* A partition of @bytes that moves; @id is the stream's */
struct vsp_part *vsp_stream(struct vsp *vsp, unsigned int dev, uint64_t id,
			    enum phyp_role role, uint64_t bytes,
			    uint32_t granule);
/* The partition writes into its memory */
void vsp_write(struct vsp_part *part, uint64_t offset, uint64_t length);

/* Sixteen bytes in hexadecimal; blanks do not count, printf's formats do */
void vsp_send(struct vsp_dev *dev, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The next entry from the platform is exactly this */
void vsp_expect(struct vsp_dev *dev, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The platform has sent nothing (more) */
void vsp_expect_none(const struct vsp_dev *dev);
/* The next entry, whatever it is */
struct vasi_crq vsp_next(struct vsp_dev *dev);
/* The next entry of that format; those before it are dropped */
struct vasi_crq vsp_skip_to(struct vsp_dev *dev, uint8_t format);
void vsp_drop(struct vsp_dev *dev);

/* Open a session; its BOTTOM */
uint32_t vsp_open(struct vsp_dev *dev, uint8_t service, uint32_t top, uint64_t id);
int64_t vsp_hcall(struct vsp_dev *dev, uint64_t number, uint64_t a0, uint64_t a1,
		  uint64_t a2);
void vsp_put64(struct vsp_dev *dev, uint32_t ioba, uint64_t value);
uint64_t vsp_get64(const struct vsp_dev *dev, uint32_t ioba);
static inline uint64_t vsp_pair(uint32_t top, uint32_t bottom)
{
	return (uint64_t)top << 32 | bottom;
}

#endif /* _ONE_VSP_H */
