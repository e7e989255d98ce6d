/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: every message, and every change of state.  No contents of buffers.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vasi

#if !defined(_VASI_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VASI_TRACE_H

#include <linux/tracepoint.h>

#include "vasi.h"

DECLARE_EVENT_CLASS(vasi_crq,
	TP_PROTO(const struct vasi_adapter *a, const struct vasi_crq *crq, long rc),
	TP_ARGS(a, crq, rc),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u8, header)
		__field(u8, format)
		__field(u8, byte2)
		__field(u8, byte3)
		__field(u32, handle)
		__field(u64, data)
		__field(long, rc)
	),
	TP_fast_assign(
		__entry->id = a->id;
		__entry->header = crq->header;
		__entry->format = crq->format;
		__entry->byte2 = crq->byte2;
		__entry->byte3 = crq->byte3;
		__entry->handle = be32_to_cpu(crq->handle);
		__entry->data = be64_to_cpu(crq->data);
		__entry->rc = rc;
	),
	TP_printk("vasi%d %02x %02x %02x %02x %08x %016llx rc %ld", __entry->id,
		  __entry->header, __entry->format, __entry->byte2, __entry->byte3,
		  __entry->handle, __entry->data, __entry->rc)
);

DEFINE_EVENT(vasi_crq, vasi_send,
	TP_PROTO(const struct vasi_adapter *a, const struct vasi_crq *crq, long rc),
	TP_ARGS(a, crq, rc)
);

DEFINE_EVENT(vasi_crq, vasi_received,
	TP_PROTO(const struct vasi_adapter *a, const struct vasi_crq *crq, long rc),
	TP_ARGS(a, crq, rc)
);

TRACE_EVENT(vasi_adapter,
	TP_PROTO(const struct vasi_adapter *a, enum vasi_adapter_state state),
	TP_ARGS(a, state),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__entry->id = a->id;
		__entry->from = a->state;
		__entry->to = state;
	),
	TP_printk("vasi%d %s -> %s", __entry->id, vasi_adapter_state_name(__entry->from),
		  vasi_adapter_state_name(__entry->to))
);

TRACE_EVENT(vasi_reset,
	TP_PROTO(const struct vasi_adapter *a, enum vasi_reset_reason reason),
	TP_ARGS(a, reason),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u32, reason)
		__field(u32, resets)
	),
	TP_fast_assign(
		__entry->id = a->id;
		__entry->reason = reason;
		__entry->resets = a->resets;
	),
	TP_printk("vasi%d reset %u: %s", __entry->id, __entry->resets,
		  vasi_reset_reason_name(__entry->reason))
);

TRACE_EVENT(vasi_session,
	TP_PROTO(const struct vasi_session *s, enum vasi_session_state state),
	TP_ARGS(s, state),
	TP_STRUCT__entry(
		__field(int, id)
		__field(u32, top)
		__field(u64, stream_id)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__entry->id = s->adapter->id;
		__entry->top = s->top;
		__entry->stream_id = s->stream_id;
		__entry->from = s->state;
		__entry->to = state;
	),
	TP_printk("vasi%d %08x stream %016llx %s -> %s", __entry->id, __entry->top,
		  __entry->stream_id, vasi_session_state_name(__entry->from),
		  vasi_session_state_name(__entry->to))
);

TRACE_EVENT(vasi_buf,
	TP_PROTO(const struct vasi_buf *buf, enum vasi_buf_state state),
	TP_ARGS(buf, state),
	TP_STRUCT__entry(
		__field(u32, top)
		__field(u32, pool)
		__field(u32, index)
		__field(u32, generation)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__entry->top = buf->pool->session->top;
		__entry->pool = buf->pool->number;
		__entry->index = vasi_buf_index(buf);
		__entry->generation = buf->generation;
		__entry->from = buf->state;
		__entry->to = state;
	),
	TP_printk("%08x pool %u buffer %u generation %u %s -> %s", __entry->top,
		  __entry->pool, __entry->index, __entry->generation,
		  vasi_buf_state_name(__entry->from), vasi_buf_state_name(__entry->to))
);

#endif /* _VASI_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE vasi_trace
#include <trace/define_trace.h>
