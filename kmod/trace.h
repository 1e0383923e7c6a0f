/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, in the order in which a device meets them. Their names and
 * fields are described in Documentation/tracing.rst.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vpmem

#if !defined(VPMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VPMEM_TRACE_H

#include "vpmem.h"

#include <linux/string.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(vpmem_dev,

	TP_PROTO(const struct vpmem_dev *dev),
	TP_ARGS(dev),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, portid)
		__field(u64, length)
		__field(u32, flags)
		__array(char, name, VPMEM_NAME_LEN)
	),

	TP_fast_assign(
		__entry->id = dev->id;
		__entry->portid = dev->portid;
		__entry->length = dev->length;
		__entry->flags = dev->flags;
		memcpy(__entry->name, dev->name, VPMEM_NAME_LEN);
	),

	TP_printk("id=%u name=%s length=%llu flags=0x%x portid=%u",
		  __entry->id, __entry->name, __entry->length, __entry->flags,
		  __entry->portid)
);

DEFINE_EVENT(vpmem_dev, vpmem_dev_add,
	TP_PROTO(const struct vpmem_dev *dev),
	TP_ARGS(dev)
);

DEFINE_EVENT(vpmem_dev, vpmem_dev_del,
	TP_PROTO(const struct vpmem_dev *dev),
	TP_ARGS(dev)
);

TRACE_EVENT(vpmem_kick,

	TP_PROTO(const struct vpmem_dev *dev),
	TP_ARGS(dev),

	TP_STRUCT__entry(
		__field(u32, id)
	),

	TP_fast_assign(
		__entry->id = dev->id;
	),

	TP_printk("id=%u", __entry->id)
);

TRACE_EVENT(vpmem_flush_start,

	TP_PROTO(const struct vpmem_dev *dev),
	TP_ARGS(dev),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, requests)
		__field(u32, flushes)
		__field(u64, bytes)
	),

	TP_fast_assign(
		__entry->id = dev->id;
		__entry->requests = dev->batch.nr;
		__entry->flushes = dev->batch.nr_flushes;
		__entry->bytes = dev->length;
	),

	TP_printk("id=%u requests=%u flushes=%u bytes=%llu", __entry->id,
		  __entry->requests, __entry->flushes, __entry->bytes)
);

TRACE_EVENT(vpmem_flush_done,

	TP_PROTO(const struct vpmem_dev *dev, int error),
	TP_ARGS(dev, error),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u32, requests)
		__field(int, error)
		__field(u64, latency_ns)
	),

	TP_fast_assign(
		__entry->id = dev->id;
		__entry->requests = dev->batch.nr;
		__entry->error = error;
		__entry->latency_ns = dev->batch.took_ns;
	),

	TP_printk("id=%u requests=%u error=%d latency_ns=%llu", __entry->id,
		  __entry->requests, __entry->error, __entry->latency_ns)
);

TRACE_EVENT(vpmem_write_behind,

	TP_PROTO(const struct vpmem_dev *dev, u64 bytes),
	TP_ARGS(dev, bytes),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(u64, bytes)
	),

	TP_fast_assign(
		__entry->id = dev->id;
		__entry->bytes = bytes;
	),

	TP_printk("id=%u bytes=%llu", __entry->id, __entry->bytes)
);

TRACE_EVENT(vpmem_ring_error,

	TP_PROTO(const struct vpmem_dev *dev),
	TP_ARGS(dev),

	TP_STRUCT__entry(
		__field(u32, id)
		__field(int, error)
		__field(u16, next_avail)
		__field(u16, next_used)
	),

	TP_fast_assign(
		__entry->id = dev->id;
		/* Without one, the ring went away under a completion. */
		__entry->error = dev->batch.ring_error ?: -EFAULT;
		__entry->next_avail = dev->ring.next_avail;
		__entry->next_used = dev->ring.next_used;
	),

	TP_printk("id=%u error=%d next_avail=%u next_used=%u", __entry->id,
		  __entry->error, __entry->next_avail, __entry->next_used)
);

#endif /* VPMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
