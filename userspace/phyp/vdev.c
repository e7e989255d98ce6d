// SPDX-License-Identifier: LGPL-2.1-or-later
/* The platform and its VASI devices: creation, reset, end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "phyp/internal.h"

#define MAX_OPENS	255

void phyp_log(struct phyp *phyp, int priority, const char *fmt, ...)
{
	char text[256];
	va_list args;

	if (!phyp->ops->log)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	phyp->ops->log(phyp->ctx, priority, text);
}

/**
 * phyp_create - a platform without devices, partitions or streams
 * @ops:	callbacks; live as long as the platform
 * @ctx:	passed to them
 *
 * Return: the platform, or NULL without memory.
 */
struct phyp *phyp_create(const struct phyp_host_ops *ops, void *ctx)
{
	struct phyp *phyp = calloc(1, sizeof(*phyp));

	if (!phyp)
		return NULL;
	phyp->ops = ops;
	phyp->ctx = ctx;
	TAILQ_INIT(&phyp->vdevs);
	TAILQ_INIT(&phyp->lpars);
	TAILQ_INIT(&phyp->streams);
	return phyp;
}

/**
 * phyp_destroy - end a platform
 * @phyp:	the platform, or NULL
 *
 * Closes every session, forgets every stream whatever its state, and destroys
 * devices and partitions that are left.
 */
void phyp_destroy(struct phyp *phyp)
{
	struct phyp_stream *stream;
	struct phyp_vdev *vdev;
	struct phyp_lpar *lpar;

	if (!phyp)
		return;
	while ((vdev = TAILQ_FIRST(&phyp->vdevs)))
		phyp_vdev_destroy(vdev);
	while ((stream = TAILQ_FIRST(&phyp->streams)))
		phyp_stream_free(stream);
	while ((lpar = TAILQ_FIRST(&phyp->lpars)))
		phyp_lpar_destroy(lpar);
	free(phyp);
}

static bool params_ok(const struct phyp_vdev_params *p,
		      const struct phyp_vdev_ops *ops)
{
	if (!p->buffer_pools || p->buffer_pools > PHYP_MAX_POOLS ||
	    !p->streams || p->streams > MAX_OPENS || !p->opens ||
	    p->opens > MAX_OPENS || p->crq_bytes < 4096)
		return false;
	return !p->indirect || (ops->window_open && ops->window_map &&
				ops->window_close);
}

/**
 * phyp_vdev_create - a VASI device
 * @phyp:	platform
 * @params:	its limits; copied
 * @ops:	its way to the virtual server partition
 * @ctx:	passed to @ops
 *
 * Return: the device, or NULL: limits out of range, or no memory.
 */
struct phyp_vdev *phyp_vdev_create(struct phyp *phyp,
				   const struct phyp_vdev_params *params,
				   const struct phyp_vdev_ops *ops, void *ctx)
{
	struct phyp_vdev *vdev;

	if (!params_ok(params, ops))
		return NULL;
	vdev = calloc(1, sizeof(*vdev));
	if (!vdev)
		return NULL;
	vdev->max_sessions = params->streams * params->opens;
	if (vdev->max_sessions > PHYP_MAX_SESSIONS)
		vdev->max_sessions = PHYP_MAX_SESSIONS;
	vdev->sessions = calloc(vdev->max_sessions, sizeof(*vdev->sessions));
	if (!vdev->sessions) {
		free(vdev);
		return NULL;
	}
	vdev->phyp = phyp;
	vdev->ops = ops;
	vdev->ctx = ctx;
	vdev->params = *params;
	TAILQ_INSERT_TAIL(&phyp->vdevs, vdev, link);
	return vdev;
}

void phyp_vdev_reset(struct phyp_vdev *vdev)
{
	unsigned int i;

	for (i = 0; i < vdev->max_sessions; i++)
		if (vdev->sessions[i])
			phyp_session_close(vdev->sessions[i]);
	memset(vdev->caps, 0, sizeof(vdev->caps));
}

void phyp_vdev_destroy(struct phyp_vdev *vdev)
{
	struct phyp_stream *stream;

	if (!vdev)
		return;
	phyp_vdev_reset(vdev);
	TAILQ_FOREACH(stream, &vdev->phyp->streams, link)
		if (stream->params.vdev == vdev)
			stream->params.vdev = NULL;
	TAILQ_REMOVE(&vdev->phyp->vdevs, vdev, link);
	free(vdev->sessions);
	free(vdev);
}
