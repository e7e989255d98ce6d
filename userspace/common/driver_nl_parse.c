// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a notification of the kernel driver says.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <linux/vasi.h>

#include "common/driver_nl.h"
#include "common/util.h"
#include "vasi_codec.h"

#define HAS(attr)	(1u << VASI_A_##attr)
#define OF_ADAPTER	(HAS(ADAPTER) | HAS(UNIT_ADDRESS))
#define OF_SESSION	(OF_ADAPTER | HAS(STREAM_ID) | HAS(SERVICE) | HAS(TOP))
#define OF_STATE	(OF_SESSION | HAS(STREAM_STATE) | HAS(REASON))

/**
 * struct command - a command of the family
 * @name:	for people and for programs
 * @needs:	attributes that it carries
 */
struct command {
	const char *name;
	uint32_t needs;
};

static const struct command commands[] = {
	[VASI_CMD_ADAPTER_GET] = {
		"adapter", OF_ADAPTER | HAS(ADAPTER_STATE) | HAS(RESETS)
	},
	[VASI_CMD_ADAPTER_NTF] = {
		"adapter", OF_ADAPTER | HAS(ADAPTER_STATE) | HAS(RESETS)
	},
	[VASI_CMD_RESET_NTF] = { "reset", OF_ADAPTER | HAS(RESETS) | HAS(RESET_REASON) },
	[VASI_CMD_SESSION_OPEN_NTF] = { "session-open", OF_SESSION },
	[VASI_CMD_SESSION_CLOSE_NTF] = { "session-close", OF_SESSION },
	[VASI_CMD_STATE_NTF] = { "state", OF_STATE },
	[VASI_CMD_ABORT_NTF] = { "abort", OF_STATE },
};

static const char *const adapter_states[] = {
	[VASI_ADAPTER_DOWN]		= "down",
	[VASI_ADAPTER_WAITING]		= "waiting",
	[VASI_ADAPTER_NEGOTIATING]	= "negotiating",
	[VASI_ADAPTER_READY]		= "ready",
	[VASI_ADAPTER_DEAD]		= "dead",
};

static const char *const reset_reasons[] = {
	[VASI_RESET_PARTNER_FAILED]	= "the platform's end failed",
	[VASI_RESET_PARTNER_DEREGISTERED] = "the platform deregistered its queue",
	[VASI_RESET_PARTNER_TERMINATED]	= "the platform's end was terminated",
	[VASI_RESET_PARTNER_SUSPENDED]	= "the platform suspended the queue",
	[VASI_RESET_PARTNER_INITIALIZED] = "the platform started the handshake again",
	[VASI_RESET_QUEUE_CLOSED]	= "the platform's end is gone",
	[VASI_RESET_PROTOCOL]		= "the platform answered what nobody asked",
	[VASI_RESET_TIMEOUT]		= "no answer to the handshake",
	[VASI_RESET_CLOSE]		= "no answer to a Close",
	[VASI_RESET_HARDWARE]		= "a hypervisor call failed",
};

/**
 * driver_nl_command() - name of a command
 * @command:	enum vasi_cmd
 */
const char *driver_nl_command(uint8_t command)
{
	return command < ARRAY_SIZE(commands) && commands[command].name ?
	       commands[command].name : "unknown";
}

/**
 * driver_nl_adapter_state() - name of an adapter's state
 * @state:	enum vasi_adapter_state
 */
const char *driver_nl_adapter_state(uint32_t state)
{
	return state < ARRAY_SIZE(adapter_states) ? adapter_states[state] : "unknown";
}

/**
 * driver_nl_reset_reason() - why an adapter was reset
 * @reason:	enum vasi_reset_reason
 */
const char *driver_nl_reset_reason(uint32_t reason)
{
	if (reason >= ARRAY_SIZE(reset_reasons) || !reset_reasons[reason])
		return "unknown";
	return reset_reasons[reason];
}

static struct nla_policy policy[VASI_A_MAX + 1] = {
	[VASI_A_ADAPTER]	= { .type = NLA_STRING, .maxlen = DRIVER_NL_NAME_BYTES },
	[VASI_A_UNIT_ADDRESS]	= { .type = NLA_U32 },
	[VASI_A_ADAPTER_STATE]	= { .type = NLA_U32 },
	[VASI_A_RESETS]		= { .type = NLA_U32 },
	[VASI_A_RESET_REASON]	= { .type = NLA_U32 },
	[VASI_A_STREAM_ID]	= { .type = NLA_U64 },
	[VASI_A_SERVICE]	= { .type = NLA_U32 },
	[VASI_A_TOP]		= { .type = NLA_U32 },
	[VASI_A_STREAM_STATE]	= { .type = NLA_U32 },
	[VASI_A_REASON]		= { .type = NLA_U32 },
};

static uint32_t get_u32(struct nlattr *const *attrs, enum vasi_attr attr)
{
	return attrs[attr] ? nla_get_u32(attrs[attr]) : 0;
}

/* Whether @header is of a command that this version knows */
static bool known(const struct genlmsghdr *genl)
{
	return genl->cmd < ARRAY_SIZE(commands) && commands[genl->cmd].name;
}

/**
 * driver_nl_parse() - read a notification
 * @header:	message of the family; the caller has seen that it is whole
 * @event:	takes what it says
 *
 * Return: 0; -ENOMSG: a command that is not known here; -EBADMSG: it does not hold
 * together, or lacks what its command has.
 */
int driver_nl_parse(const struct nlmsghdr *header, struct driver_event *event)
{
	struct nlmsghdr *h = (struct nlmsghdr *)header;
	struct nlattr *attrs[VASI_A_MAX + 1] = { NULL };
	const struct genlmsghdr *genl;

	memset(event, 0, sizeof(*event));
	if (!genlmsg_valid_hdr(h, 0))
		return -EBADMSG;
	genl = genlmsg_hdr(h);
	if (!known(genl))
		return -ENOMSG;
	if (genlmsg_parse(h, 0, attrs, VASI_A_MAX, policy))
		return -EBADMSG;
	for (unsigned int i = 0; i <= VASI_A_MAX; i++)
		event->has |= attrs[i] ? 1u << i : 0;
	if (commands[genl->cmd].needs & ~event->has)
		return -EBADMSG;
	event->command = genl->cmd;
	nla_strlcpy(event->adapter, attrs[VASI_A_ADAPTER], sizeof(event->adapter));
	event->unit_address = get_u32(attrs, VASI_A_UNIT_ADDRESS);
	event->adapter_state = get_u32(attrs, VASI_A_ADAPTER_STATE);
	event->resets = get_u32(attrs, VASI_A_RESETS);
	event->reset_reason = get_u32(attrs, VASI_A_RESET_REASON);
	event->stream_id = attrs[VASI_A_STREAM_ID] ? nla_get_u64(attrs[VASI_A_STREAM_ID]) : 0;
	event->service = get_u32(attrs, VASI_A_SERVICE);
	event->top = get_u32(attrs, VASI_A_TOP);
	event->stream_state = get_u32(attrs, VASI_A_STREAM_STATE);
	event->reason = get_u32(attrs, VASI_A_REASON);
	return 0;
}

static const char *service_name(uint32_t service)
{
	return vasi_service_name(service <= UINT8_MAX ? (uint8_t)service : UINT8_MAX);
}

/* What all events of a session end with */
static void put_session(const struct driver_event *event, const char *what, char *text,
			size_t size)
{
	snprintf(text, size, "stream 0x%016" PRIx64 " %s, session 0x%08" PRIx32 " (%s)",
		 event->stream_id, what, event->top, service_name(event->service));
}

/**
 * driver_nl_text() - a notification in words, without the adapter's name
 * @event:	notification
 * @text:	takes it
 * @size:	room there; DRIVER_NL_TEXT_BYTES is enough
 */
void driver_nl_text(const struct driver_event *event, char *text, size_t size)
{
	char what[64];

	switch (event->command) {
	case VASI_CMD_ADAPTER_GET:
	case VASI_CMD_ADAPTER_NTF:
		snprintf(text, size, "adapter is %s, unit 0x%08" PRIx32 ", %" PRIu32 " resets",
			 driver_nl_adapter_state(event->adapter_state),
			 event->unit_address, event->resets);
		break;
	case VASI_CMD_RESET_NTF:
		snprintf(text, size, "reset %" PRIu32 ": %s", event->resets,
			 driver_nl_reset_reason(event->reset_reason));
		break;
	case VASI_CMD_SESSION_OPEN_NTF:
		put_session(event, "opened", text, size);
		break;
	case VASI_CMD_SESSION_CLOSE_NTF:
		put_session(event, "closed", text, size);
		break;
	case VASI_CMD_STATE_NTF:
	case VASI_CMD_ABORT_NTF:
		snprintf(what, sizeof(what), "is %s, reason 0x%08" PRIx32,
			 vasi_state_name(event->stream_state <= UINT16_MAX ?
					 (uint16_t)event->stream_state : UINT16_MAX),
			 event->reason);
		put_session(event, what, text, size);
		break;
	default:
		snprintf(text, size, "command %u", event->command);
	}
}
