/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of mspd: command line and a file of "key = value" lines.
 */
#ifndef _CONFIG_H
#define _CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "common/log.h"

#define CONFIG_MAX_DEVICES	16
#define CONFIG_MAX_OPS		32

/**
 * struct config - settings; sizes in bytes
 * @vasi:	devices
 * @nvasi:	how many
 * @socket:	control socket
 * @socket_mode: its permissions
 * @listen:	address that target movers listen on
 * @tcp_port_low, @tcp_port_high: range of ports for it; 0 = any
 * @concurrency_lvl: 1 (most memory) to 5 (least)
 * @max_vasi_ops: moves at the same time
 * @workers:	event loops; devices are spread over them
 * @donors:	threads that donate cycles; 0 = processors minus one
 * @sessions, @connections: of a move, unless the start command says otherwise
 * @buffer_bytes: download buffers of a target mover
 * @op_buffer_bytes: buffers for operations; 0 = by what the device offers
 * @op_buffers:	for each session; 0 = by @concurrency_lvl
 * @pool_min, @pool_max: download buffers of one move; 0 = by @concurrency_lvl
 * @pane_bytes:	first pane of each device
 * @indirect_download: download form
 * @immediate_operations: do not offer indirect operations
 * @peer_timeout_s: how long a peer may be silent
 * @tls_dir:	key, certificates, trusted peers
 * @tls_ciphersuites: as OpenSSL names them
 * @encrypt_data: on data connections
 * @kernel_tls:	have the kernel encrypt where it can
 * @user:	to run as when started by root; NULL = whoever it is
 * @init:	make a key and a certificate, nothing else
 * @name:	of that certificate's subject; NULL = the host's
 * @days:	that it is valid
 * @level:	of the log
 */
struct config {
	char *vasi[CONFIG_MAX_DEVICES];
	unsigned int nvasi;
	char *socket;
	mode_t socket_mode;
	char *listen;
	uint16_t tcp_port_low;
	uint16_t tcp_port_high;
	unsigned int concurrency_lvl;
	unsigned int max_vasi_ops;
	unsigned int workers;
	unsigned int donors;
	unsigned int sessions;
	unsigned int connections;
	uint32_t buffer_bytes;
	uint32_t op_buffer_bytes;
	uint32_t op_buffers;
	uint64_t pool_min;
	uint64_t pool_max;
	uint64_t pane_bytes;
	bool indirect_download;
	bool immediate_operations;
	unsigned int peer_timeout_s;
	char *tls_dir;
	char *tls_ciphersuites;
	bool encrypt_data;
	bool kernel_tls;
	char *user;
	bool init;
	char *name;
	unsigned int days;
	enum log_level level;
};

int config_load(struct config *config, int argc, char **argv);
void config_free(struct config *config);

#endif /* _CONFIG_H */
