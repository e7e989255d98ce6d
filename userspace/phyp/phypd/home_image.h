/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The home of a partition that is suspended: nothing executes.
 */
#ifndef _PHYPD_HOME_IMAGE_H
#define _PHYPD_HOME_IMAGE_H

#include "phyp/phypd/home.h"

/**
 * struct home_image_ops - what such a home needs
 * @keep:	keep memory and this state as the partition's image; 0: @loaded of the
 *		client follows; or a negative errno.  @state is the callee's on success
 */
struct home_image_ops {
	int (*keep)(void *ctx, void *state, size_t bytes);
};

int home_image_create(void *state, size_t bytes, const struct home_image_ops *image_ops,
		      const struct home_client *client, void *ctx, struct home **home);

#endif /* _PHYPD_HOME_IMAGE_H */
