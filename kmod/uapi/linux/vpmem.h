/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Do not edit directly, auto-generated from: */
/*	Documentation/netlink/specs/vpmem.yaml */
/* YNL-GEN uapi header */

#ifndef _UAPI_LINUX_VPMEM_H
#define _UAPI_LINUX_VPMEM_H

#define VPMEM_GENL_NAME		"vpmem"
#define VPMEM_GENL_VERSION	1

#define VPMEM_NAME_LEN		64
#define VPMEM_REGIONS_MAX	512
#define VPMEM_RING_SIZE_MAX	1024
#define VPMEM_HIST_BUCKETS	40
#define VPMEM_WRITE_BEHIND_MIN	65536

/**
 * enum vpmem_dev_flags - What becomes of the guest's writes.
 * @VPMEM_DEV_FLAGS_READ_ONLY: The guest cannot write. A flush succeeds without
 *   a sync.
 * @VPMEM_DEV_FLAGS_DISCARD_WRITES: The guest writes to a private copy that is
 *   thrown away at the end. A flush succeeds without a sync and the file stays
 *   as it was.
 */
enum vpmem_dev_flags {
	VPMEM_DEV_FLAGS_READ_ONLY = 1,
	VPMEM_DEV_FLAGS_DISCARD_WRITES = 2,
};

/**
 * enum vpmem_exec - Where a flush is served.
 * @VPMEM_EXEC_AUTO: Inline where the sync cannot block on a disk (tmpfs,
 *   hugetlbfs, memfd, DAX files), otherwise on a worker.
 * @VPMEM_EXEC_INLINE: On the vCPU thread that kicked, before it enters the
 *   guest again. No context switch, but the vCPU waits for the sync.
 * @VPMEM_EXEC_WORKER: On a kernel worker; the vCPU runs on.
 */
enum vpmem_exec {
	VPMEM_EXEC_AUTO,
	VPMEM_EXEC_INLINE,
	VPMEM_EXEC_WORKER,
};

/**
 * enum vpmem_on_error - What a failed sync means for later requests.
 * @VPMEM_ON_ERROR_STICKY: Every later request fails without a sync until
 *   clear-error. The kernel may have dropped the dirty pages, so a later
 *   success would be a lie.
 * @VPMEM_ON_ERROR_REPORT: Only the requests that the failed sync covered fail.
 */
enum vpmem_on_error {
	VPMEM_ON_ERROR_STICKY,
	VPMEM_ON_ERROR_REPORT,
};

/**
 * enum vpmem_queue_state - State of the device's request queue.
 * @VPMEM_QUEUE_STATE_STOPPED: No ring is attached; guest memory is not
 *   touched.
 * @VPMEM_QUEUE_STATE_RUNNING: Requests are served.
 * @VPMEM_QUEUE_STATE_STOPPING: queue-stop was asked for; the queue-stopped
 *   event is to come.
 * @VPMEM_QUEUE_STATE_BROKEN: The ring cannot be trusted any more; guest memory
 *   is not touched. queue-stop makes it stopped.
 */
enum vpmem_queue_state {
	VPMEM_QUEUE_STATE_STOPPED,
	VPMEM_QUEUE_STATE_RUNNING,
	VPMEM_QUEUE_STATE_STOPPING,
	VPMEM_QUEUE_STATE_BROKEN,
};

enum {
	VPMEM_A_REGION_GPA = 1,
	VPMEM_A_REGION_SIZE,
	VPMEM_A_REGION_HVA,

	__VPMEM_A_REGION_MAX,
	VPMEM_A_REGION_MAX = (__VPMEM_A_REGION_MAX - 1)
};

enum {
	VPMEM_A_QUEUE_DEV_ID = 1,
	VPMEM_A_QUEUE_SIZE,
	VPMEM_A_QUEUE_DESC,
	VPMEM_A_QUEUE_AVAIL,
	VPMEM_A_QUEUE_USED,
	VPMEM_A_QUEUE_FEATURES,
	VPMEM_A_QUEUE_NEXT_AVAIL,
	VPMEM_A_QUEUE_NEXT_USED,
	VPMEM_A_QUEUE_STATE,

	__VPMEM_A_QUEUE_MAX,
	VPMEM_A_QUEUE_MAX = (__VPMEM_A_QUEUE_MAX - 1)
};

enum {
	VPMEM_A_STATS_KICKS = 1,
	VPMEM_A_STATS_FLUSHES,
	VPMEM_A_STATS_FLUSH_ERRORS,
	VPMEM_A_STATS_BAD_REQUESTS,
	VPMEM_A_STATS_NO_STATUS,
	VPMEM_A_STATS_RING_ERRORS,
	VPMEM_A_STATS_BATCHES,
	VPMEM_A_STATS_SYNCS,
	VPMEM_A_STATS_SYNC_ERRORS,
	VPMEM_A_STATS_INLINE_RUNS,
	VPMEM_A_STATS_WORKER_RUNS,
	VPMEM_A_STATS_SIGNALS,
	VPMEM_A_STATS_SUPPRESSED,
	VPMEM_A_STATS_SYNC_NS,
	VPMEM_A_STATS_FLUSH_NS,
	VPMEM_A_STATS_SYNC_HIST,
	VPMEM_A_STATS_FLUSH_HIST,
	VPMEM_A_STATS_BYTES_WRITTEN,
	VPMEM_A_STATS_CPU_NS,
	VPMEM_A_STATS_THROTTLED,
	VPMEM_A_STATS_THROTTLED_NS,
	VPMEM_A_STATS_WRITE_BEHINDS,
	VPMEM_A_STATS_WRITE_BEHIND_BYTES,
	VPMEM_A_STATS_WRITE_BEHIND_CPU_NS,

	__VPMEM_A_STATS_MAX,
	VPMEM_A_STATS_MAX = (__VPMEM_A_STATS_MAX - 1)
};

enum {
	VPMEM_A_DEV_ID = 1,
	VPMEM_A_DEV_NAME,
	VPMEM_A_DEV_BACKING_FD,
	VPMEM_A_DEV_OFFSET,
	VPMEM_A_DEV_LENGTH,
	VPMEM_A_DEV_FLAGS,
	VPMEM_A_DEV_REGION,
	VPMEM_A_DEV_KICK_FD,
	VPMEM_A_DEV_CALL_FD,
	VPMEM_A_DEV_EXEC,
	VPMEM_A_DEV_ON_ERROR,
	VPMEM_A_DEV_EXEC_EFFECTIVE,
	VPMEM_A_DEV_ERROR,
	VPMEM_A_DEV_CLEAR_ERROR,
	VPMEM_A_DEV_OWNER_PORTID,
	VPMEM_A_DEV_OWNER_PID,
	VPMEM_A_DEV_QUEUE,
	VPMEM_A_DEV_STATS,
	VPMEM_A_DEV_FLUSH_LIMIT,
	VPMEM_A_DEV_FLUSH_BURST,
	VPMEM_A_DEV_BYTES_LIMIT,
	VPMEM_A_DEV_BYTES_BURST,
	VPMEM_A_DEV_WRITE_BEHIND,

	__VPMEM_A_DEV_MAX,
	VPMEM_A_DEV_MAX = (__VPMEM_A_DEV_MAX - 1)
};

enum {
	VPMEM_CMD_DEV_GET = 1,
	VPMEM_CMD_DEV_ADD,
	VPMEM_CMD_DEV_DEL,
	VPMEM_CMD_DEV_SET,
	VPMEM_CMD_QUEUE_START,
	VPMEM_CMD_QUEUE_STOP,
	VPMEM_CMD_DEV_ADDED,
	VPMEM_CMD_DEV_DELETED,
	VPMEM_CMD_QUEUE_STOPPED,
	VPMEM_CMD_QUEUE_BROKEN,
	VPMEM_CMD_SYNC_ERROR,

	__VPMEM_CMD_MAX,
	VPMEM_CMD_MAX = (__VPMEM_CMD_MAX - 1)
};

#define VPMEM_MCGRP_EVENTS	"events"

#endif /* _UAPI_LINUX_VPMEM_H */
