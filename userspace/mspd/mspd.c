// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mspd: start, stop, and the main thread's loop.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "common/log.h"
#include "common/nodump.h"
#include "common/util.h"
#include "driver_events.h"
#include "ktls.h"
#include "mover.h"

/* A wrong command line or configuration file, as of all programs here */
#define EXIT_USAGE	2

/* How long the moves may take to let go when mspd is stopped */
#define STOP_USEC	(10 * 1000000ULL)

static int mail_ready(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct mover *mover = data;
	uint64_t count;

	(void)source;
	(void)revents;
	if (read(fd, &count, sizeof(count)) == sizeof(count))
		mailbox_run(&mover->mailbox);
	return 0;
}

static int stop_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	(void)data;
	/* A platform that does not answer: nothing here is worth waiting for */
	log_error("moves did not let go in time");
	_exit(EXIT_FAILURE);
}

static int stop_signal(sd_event_source *source, const struct signalfd_siginfo *si,
		       void *data)
{
	struct mover *mover = data;

	(void)source;
	(void)si;
	if (mover->stopping)
		return 0;
	log_info("stopping");
	mover->stopping = true;
	sd_event_add_time_relative(mover->event, NULL, CLOCK_MONOTONIC, STOP_USEC, 0,
				   stop_timeout, mover);
	ctl_shutdown_moves(mover);
	ctl_check_stopped(mover);
	return 0;
}

static int load_identity(struct mover *mover)
{
	const struct config *config = &mover->config;
	const struct identity_params params = {
		.directory = config->tls_dir,
		.ciphersuites = config->tls_ciphersuites,
		.kernel = mover->kernel_tls,
	};
	char error[IDENTITY_ERROR_BYTES];
	struct identity *identity;

	if (identity_load(&params, &identity, error)) {
		log_error("%s", error);
		return -EINVAL;
	}
	identity_put(mover->identity);
	mover->identity = identity;
	log_info("identity %s; trusted are %zu peers%s", identity->name, identity->npeers,
		 identity->authorities ? " and those of authorities" : "");
	log_info("encrypt_data: %s; kernel TLS: %s", config->encrypt_data ? "yes" : "no",
		 params.kernel ? "yes" : "no");
	if (!identity->npeers && !identity->authorities)
		log_warning("%s: no peer is trusted: every move will be refused",
			    config->tls_dir);
	return 0;
}

/* What cannot be used leaves everything as it is */
static int reload_signal(sd_event_source *source, const struct signalfd_siginfo *si,
			 void *data)
{
	(void)source;
	(void)si;
	log_info("reading key, certificates and peers again");
	load_identity(data);
	return 0;
}

static void device_closed(struct device *d)
{
	ctl_check_stopped(d->mover);
}

static unsigned int donor_count(const struct config *config)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (config->donors)
		return config->donors;
	return processors > 1 ? (unsigned int)processors - 1 : 1;
}

static int start_workers(struct mover *mover)
{
	int ret;

	mover->workers = calloc(mover->config.workers, sizeof(*mover->workers));
	if (!mover->workers)
		return -ENOMEM;
	while (mover->nworkers < mover->config.workers) {
		ret = worker_start(&mover->workers[mover->nworkers], mover->nworkers);
		if (ret) {
			log_error("worker: %s", strerror(-ret));
			return ret;
		}
		mover->nworkers++;
	}
	return 0;
}

static void stop_workers(struct mover *mover)
{
	for (unsigned int i = 0; i < mover->nworkers; i++)
		worker_stop(&mover->workers[i]);
	free(mover->workers);
}

static int make_devices(struct mover *mover)
{
	mover->devices = calloc(mover->config.nvasi, sizeof(*mover->devices));
	if (!mover->devices)
		return -ENOMEM;
	for (unsigned int i = 0; i < mover->config.nvasi; i++)
		device_prepare(&mover->devices[i], mover->config.vasi[i]);
	return 0;
}

static void free_devices(struct mover *mover)
{
	for (unsigned int i = 0; mover->devices && i < mover->config.nvasi; i++) {
		if (mover->devices[i].fd >= 0)
			close(mover->devices[i].fd);
	}
	free(mover->devices);
}

static void open_devices(struct mover *mover)
{
	char why[256];

	for (unsigned int i = 0; i < mover->config.nvasi; i++) {
		struct device *d = &mover->devices[i];

		d->mover = mover;
		d->config = &mover->config;
		d->worker = &mover->workers[i % mover->nworkers];
		d->main_mailbox = &mover->mailbox;
		d->on_closed = device_closed;
		/* The platform may come later: "start" tries again */
		if (device_open(d, mover->donors, why))
			log_warning("%s", why);
	}
}

static int add_sources(struct mover *mover)
{
	int ret;

	ret = sd_event_add_io(mover->event, NULL, mover->mailbox.fd, EPOLLIN,
			      mail_ready, mover);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(mover->event, NULL, SIGTERM, stop_signal, mover);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(mover->event, NULL, SIGHUP, reload_signal, mover);
	if (ret < 0)
		return ret;
	return sd_event_add_signal(mover->event, NULL, SIGINT, stop_signal, mover);
}

/* Before any thread is started, so that all inherit it */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct mover *mover)
{
	struct driver_events *events;
	int ret;

	ret = sd_event_new(&mover->event);
	if (ret < 0)
		return ret;
	ret = mailbox_init(&mover->mailbox);
	if (ret)
		goto err_unref_event;
	ret = add_sources(mover);
	if (ret < 0)
		goto err_exit_mailbox;
	/* Before privileges are dropped: the kernel may have to load its module */
	mover->kernel_tls = mover->config.encrypt_data && mover->config.kernel_tls &&
			    ktls_available();
	ret = ctl_open(mover);
	if (ret) {
		log_error("control socket %s: %s", mover->config.socket, strerror(-ret));
		goto err_exit_mailbox;
	}
	ret = make_devices(mover);
	if (ret)
		goto err_close_ctl;
	ret = privileges_drop(&mover->config);
	if (ret)
		goto err_free_devices;
	/* As who reads it again later */
	ret = load_identity(mover);
	if (ret)
		goto err_free_devices;
	ret = donor_pool_new(donor_count(&mover->config), &mover->donors);
	if (ret)
		goto err_put_identity;
	ret = start_workers(mover);
	if (ret)
		goto err_stop_workers;
	events = driver_events_new(mover);
	open_devices(mover);
	log_info("ready on %s", mover->config.socket);
	ret = sd_event_loop(mover->event);
	driver_events_free(events);

err_stop_workers:
	/* Donors post to the workers' mailboxes, and workers to ours */
	donor_pool_free(mover->donors);
	stop_workers(mover);
err_put_identity:
	identity_put(mover->identity);
err_free_devices:
	free_devices(mover);
err_close_ctl:
	ctl_close(mover);
err_exit_mailbox:
	mailbox_exit(&mover->mailbox);
err_unref_event:
	sd_event_unref(mover->event);
	return ret;
}

int main(int argc, char **argv)
{
	struct mover mover = { };
	int ret;

	log_init("mspd", LOG_LEVEL_INFO);
	forbid_core_dumps();
	ret = config_load(&mover.config, argc, argv);
	if (ret) {
		config_free(&mover.config);
		return ret < 0 ? EXIT_USAGE : EXIT_SUCCESS;
	}
	log_set_level(mover.config.level);
	if (mover.config.init) {
		ret = keygen(&mover.config);
	} else {
		block_signals();
		ret = run(&mover);
	}
	config_free(&mover.config);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
