/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Generic netlink family of the VASI driver: notifications of what happens to
 * adapters and streams, and a list of adapters.
 *
 * Specified in Documentation/netlink/specs/vasi.yaml.  Notifications may be lost
 * when a listener is slow; the ioctls of <linux/vasi.h> stay authoritative.
 */
#ifndef _UAPI_LINUX_VASI_NETLINK_H
#define _UAPI_LINUX_VASI_NETLINK_H

#define VASI_FAMILY_NAME	"vasi"
#define VASI_FAMILY_VERSION	1

/* Multicast group */
#define VASI_MCGRP_EVENTS	"events"

/**
 * enum vasi_reset_reason - why an adapter's queue is registered anew
 * @VASI_RESET_PARTNER_FAILED: transport event 0x01
 * @VASI_RESET_PARTNER_DEREGISTERED: transport event 0x02
 * @VASI_RESET_PARTNER_TERMINATED: transport event 0x04
 * @VASI_RESET_PARTNER_SUSPENDED: transport event 0x06
 * @VASI_RESET_PARTNER_INITIALIZED: the platform started the handshake again
 * @VASI_RESET_QUEUE_CLOSED: the platform's end is gone (H_Closed)
 * @VASI_RESET_PROTOCOL: the platform answered what nobody asked
 * @VASI_RESET_TIMEOUT: no answer to the handshake
 * @VASI_RESET_CLOSE: no answer to a Close
 * @VASI_RESET_HARDWARE: a hypervisor call failed
 */
enum vasi_reset_reason {
	VASI_RESET_PARTNER_FAILED	= 1,
	VASI_RESET_PARTNER_DEREGISTERED	= 2,
	VASI_RESET_PARTNER_TERMINATED	= 3,
	VASI_RESET_PARTNER_SUSPENDED	= 4,
	VASI_RESET_PARTNER_INITIALIZED	= 5,
	VASI_RESET_QUEUE_CLOSED		= 6,
	VASI_RESET_PROTOCOL		= 7,
	VASI_RESET_TIMEOUT		= 8,
	VASI_RESET_CLOSE		= 9,
	VASI_RESET_HARDWARE		= 10
};

/**
 * enum vasi_attr - attributes
 * @VASI_A_UNSPEC: not used
 * @VASI_A_PAD:	padding
 * @VASI_A_ADAPTER: string: name of the adapter ("vasi0")
 * @VASI_A_UNIT_ADDRESS: u32
 * @VASI_A_ADAPTER_STATE: u32, enum vasi_adapter_state
 * @VASI_A_RESETS: u32: how often the queue was registered anew
 * @VASI_A_RESET_REASON: u32, enum vasi_reset_reason
 * @VASI_A_STREAM_ID: u64
 * @VASI_A_SERVICE: u32, enum vasi_service
 * @VASI_A_TOP:	u32: the session
 * @VASI_A_STREAM_STATE: u32, enum vasi_state
 * @VASI_A_REASON: u32: of an abort or failover
 * @__VASI_A_MAX: one more than the last
 */
enum vasi_attr {
	VASI_A_UNSPEC,
	VASI_A_PAD,
	VASI_A_ADAPTER,
	VASI_A_UNIT_ADDRESS,
	VASI_A_ADAPTER_STATE,
	VASI_A_RESETS,
	VASI_A_RESET_REASON,
	VASI_A_STREAM_ID,
	VASI_A_SERVICE,
	VASI_A_TOP,
	VASI_A_STREAM_STATE,
	VASI_A_REASON,

	__VASI_A_MAX
};

#define VASI_A_MAX (__VASI_A_MAX - 1)

/**
 * enum vasi_cmd - commands and notifications
 * @VASI_CMD_UNSPEC: not used
 * @VASI_CMD_ADAPTER_GET: dump: every adapter (ADAPTER, UNIT_ADDRESS,
 *		ADAPTER_STATE, RESETS)
 * @VASI_CMD_ADAPTER_NTF: an adapter is in a new state (as above)
 * @VASI_CMD_RESET_NTF: its queue is registered anew, every session is lost
 *		(ADAPTER, UNIT_ADDRESS, RESETS, RESET_REASON)
 * @VASI_CMD_SESSION_OPEN_NTF: a session was opened (ADAPTER, UNIT_ADDRESS,
 *		STREAM_ID, SERVICE, TOP)
 * @VASI_CMD_SESSION_CLOSE_NTF: a session was closed (likewise)
 * @VASI_CMD_STATE_NTF: a stream is in a new state (likewise, STREAM_STATE, REASON)
 * @VASI_CMD_ABORT_NTF: a stream was aborted (likewise)
 * @__VASI_CMD_MAX: one more than the last
 */
enum vasi_cmd {
	VASI_CMD_UNSPEC,
	VASI_CMD_ADAPTER_GET,
	VASI_CMD_ADAPTER_NTF,
	VASI_CMD_RESET_NTF,
	VASI_CMD_SESSION_OPEN_NTF,
	VASI_CMD_SESSION_CLOSE_NTF,
	VASI_CMD_STATE_NTF,
	VASI_CMD_ABORT_NTF,

	__VASI_CMD_MAX
};

#define VASI_CMD_MAX (__VASI_CMD_MAX - 1)

#endif /* _UAPI_LINUX_VASI_NETLINK_H */
