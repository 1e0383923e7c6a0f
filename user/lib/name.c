// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Owns the names of the enums' values, as in the netlink specification. */
#include <vpmem/vpmem.h>

#define LOOKUP(names, value) \
	((size_t)(value) < sizeof(names) / sizeof((names)[0]) ? \
	 (names)[value] : "unknown")

const char *vpmem_event_name(enum vpmem_event_type type)
{
	static const char *const names[] = {
		[VPMEM_EVENT_DEV_ADDED] = "dev-added",
		[VPMEM_EVENT_DEV_DELETED] = "dev-deleted",
		[VPMEM_EVENT_QUEUE_STOPPED] = "queue-stopped",
		[VPMEM_EVENT_QUEUE_BROKEN] = "queue-broken",
		[VPMEM_EVENT_SYNC_ERROR] = "sync-error",
	};

	return LOOKUP(names, type);
}

const char *vpmem_queue_state_name(enum vpmem_queue_state state)
{
	static const char *const names[] = {
		[VPMEM_QUEUE_STATE_STOPPED] = "stopped",
		[VPMEM_QUEUE_STATE_RUNNING] = "running",
		[VPMEM_QUEUE_STATE_STOPPING] = "stopping",
		[VPMEM_QUEUE_STATE_BROKEN] = "broken",
	};

	return LOOKUP(names, state);
}

const char *vpmem_exec_name(enum vpmem_exec exec)
{
	static const char *const names[] = {
		[VPMEM_EXEC_AUTO] = "auto",
		[VPMEM_EXEC_INLINE] = "inline",
		[VPMEM_EXEC_WORKER] = "worker",
	};

	return LOOKUP(names, exec);
}

const char *vpmem_on_error_name(enum vpmem_on_error on_error)
{
	static const char *const names[] = {
		[VPMEM_ON_ERROR_STICKY] = "sticky",
		[VPMEM_ON_ERROR_REPORT] = "report",
	};

	return LOOKUP(names, on_error);
}
