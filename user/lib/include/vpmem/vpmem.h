/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * libvpmem - client library for the vpmem kernel module.
 *
 * A VMM opens one socket, creates a device for each virtio-pmem device of its
 * guest, starts the device's queue when the guest's driver is ready and stops
 * it on reset. The devices live as long as the socket.
 *
 * Conventions: functions return 0 or a negative errno, print nothing and never
 * exit. A socket is not locked: one thread at a time. Nothing here allocates
 * memory that the caller has to free, but for vpmem_sock_create(). A command
 * that returns -ENOBUFS was carried out, but its answer was lost.
 */
#ifndef VPMEM_VPMEM_H
#define VPMEM_VPMEM_H

#include <stddef.h>
#include <stdint.h>

#include <linux/vpmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct vpmem_sock - connection to the module; owns the devices made on it. */
struct vpmem_sock;

/**
 * vpmem_sock_create() - Connect to the module.
 * @sock: receives the new socket; the caller destroys it. Untouched on failure.
 *
 * The socket is opened with close-on-exec. Devices are tied to it, so create
 * it in the process that runs the guest.
 *
 * Return: 0; -ENOENT if the module is not loaded; another -errno.
 */
int vpmem_sock_create(struct vpmem_sock **sock);

/**
 * vpmem_sock_destroy() - Close a socket.
 * @sock: socket, or NULL. All devices that were created on it go.
 */
void vpmem_sock_destroy(struct vpmem_sock *sock);

/**
 * vpmem_sock_fd() - File descriptor of a socket, for poll().
 * @sock: socket, which keeps owning the descriptor.
 *
 * Readable means that vpmem_event_next() may have something. Because a command
 * may have queued events inside the library, call vpmem_event_next() with a
 * timeout of 0 after commands, before sleeping in poll().
 */
int vpmem_sock_fd(const struct vpmem_sock *sock);

/**
 * vpmem_sock_error() - Why the last command on a socket failed.
 * @sock: socket
 *
 * Return: the kernel's sentence on the refusal, with the name of the offending
 * attribute where there is one, or the text of the errno. Never NULL; valid
 * until the next call on @sock.
 */
const char *vpmem_sock_error(const struct vpmem_sock *sock);

/**
 * struct vpmem_region - One region of guest memory.
 * @gpa: guest-physical address; multiple of 4096
 * @size: bytes; multiple of 4096, not 0
 * @hva: where the calling process has it mapped; multiple of 4096
 */
struct vpmem_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t hva;
};

/**
 * struct vpmem_limit - A limit on what a device uses.
 * @rate: units per second, 0 for no limit
 * @burst: units that may be used at once after a rest, 0 for those of a second
 *
 * See the flush-limit and bytes-limit attributes.
 */
struct vpmem_limit {
	uint64_t rate;
	uint64_t burst;
};

/**
 * struct vpmem_dev_config - What vpmem_dev_add() makes a device from.
 * @name: name for people to read, at most VPMEM_NAME_LEN - 1 bytes, or NULL
 * @backing_fd: file that holds the guest's data; see the backing-fd attribute
 * @offset: first byte of the file that the guest sees
 * @length: bytes of the file that the guest sees, not 0
 * @flags: VPMEM_DEV_FLAGS_*
 * @regions: guest memory, @nr_regions entries that do not overlap
 * @nr_regions: 1 to VPMEM_REGIONS_MAX
 * @kick_fd: eventfd signalled by the guest's notification
 * @call_fd: eventfd signalled to interrupt the guest
 * @exec: where flushes are served
 * @on_error: what a failed sync means for later requests
 * @flush_limit: flushes that are served
 * @bytes_limit: bytes that syncs write back
 * @write_behind: dirty bytes from which on the module writes them back without
 *	a flush: 0 for never, or at least VPMEM_WRITE_BEHIND_MIN
 *
 * The kernel keeps the backing file and the call eventfd by itself: the caller
 * may close these two after the call. Keep @kick_fd open: the device goes when
 * the last descriptor of that eventfd is closed.
 */
struct vpmem_dev_config {
	const char *name;
	int backing_fd;
	uint64_t offset;
	uint64_t length;
	uint32_t flags;
	const struct vpmem_region *regions;
	size_t nr_regions;
	int kick_fd;
	int call_fd;
	enum vpmem_exec exec;
	enum vpmem_on_error on_error;
	struct vpmem_limit flush_limit;
	struct vpmem_limit bytes_limit;
	uint64_t write_behind;
};

/**
 * vpmem_dev_add() - Create a device.
 * @sock: socket that will own it
 * @config: description; not kept
 * @id: receives the device's number, greater than 0
 *
 * Needs CAP_NET_ADMIN over the network namespace; no later call on the device
 * does.
 *
 * Return: 0; -EPERM without the capability; -EDQUOT if the user has as many
 * devices as the module lets one have; -ENOBUFS if its answer was lost, and then
 * there is no device; -EBADF, -EINVAL, -ENOMEM or another -errno with
 * vpmem_sock_error() saying which attribute was refused and why.
 */
int vpmem_dev_add(struct vpmem_sock *sock, const struct vpmem_dev_config *config,
		  uint32_t *id);

/**
 * vpmem_dev_del() - Start to tear a device down.
 * @sock: owning socket
 * @id: device
 *
 * Does not wait for a sync that is under way. VPMEM_EVENT_DEV_DELETED tells
 * that nothing is left.
 *
 * Return: 0; -ENODEV if there is no such device; -EPERM if @sock is not its
 * owner; another -errno.
 */
int vpmem_dev_del(struct vpmem_sock *sock, uint32_t id);

/** struct vpmem_stats - Counters of a device; see the stats attributes. */
struct vpmem_stats {
	uint64_t kicks;
	uint64_t flushes;
	uint64_t flush_errors;
	uint64_t bad_requests;
	uint64_t no_status;
	uint64_t ring_errors;
	uint64_t batches;
	uint64_t syncs;
	uint64_t sync_errors;
	uint64_t inline_runs;
	uint64_t worker_runs;
	uint64_t signals;
	uint64_t suppressed;
	uint64_t sync_ns;
	uint64_t flush_ns;
	uint64_t bytes_written;
	uint64_t cpu_ns;
	uint64_t throttled;
	uint64_t throttled_ns;
	uint64_t write_behinds;
	uint64_t write_behind_bytes;
	uint64_t write_behind_cpu_ns;
	uint64_t sync_hist[VPMEM_HIST_BUCKETS];
	uint64_t flush_hist[VPMEM_HIST_BUCKETS];
};

/**
 * struct vpmem_dev_info - What is known of a device.
 * @id: device number
 * @name: its name, empty if it has none
 * @offset: first byte of the file that the guest sees
 * @length: bytes of the file that the guest sees
 * @flags: VPMEM_DEV_FLAGS_*
 * @exec: execution policy as configured
 * @exec_effective: what it comes to, inline or worker
 * @on_error: error policy
 * @error: errno (positive) of the sticky sync error, or 0
 * @owner_portid: netlink port of the owning socket
 * @owner_pid: owning process as seen from here, or 0
 * @flush_limit: flushes that are served
 * @bytes_limit: bytes that syncs write back
 * @write_behind: dirty bytes from which on they are written back, or 0
 * @queue_state: state of the queue
 * @ring_size: descriptors, 0 if the queue was never started
 * @features: negotiated feature bits
 * @next_avail: index of the next request to take
 * @next_used: index of the next completion to write
 * @stats: counters
 */
struct vpmem_dev_info {
	uint32_t id;
	char name[VPMEM_NAME_LEN];
	uint64_t offset;
	uint64_t length;
	uint32_t flags;
	enum vpmem_exec exec;
	enum vpmem_exec exec_effective;
	enum vpmem_on_error on_error;
	uint32_t error;
	uint32_t owner_portid;
	uint32_t owner_pid;
	struct vpmem_limit flush_limit;
	struct vpmem_limit bytes_limit;
	uint64_t write_behind;
	enum vpmem_queue_state queue_state;
	uint32_t ring_size;
	uint64_t features;
	uint16_t next_avail;
	uint16_t next_used;
	struct vpmem_stats stats;
};

/**
 * vpmem_dev_get() - Read one device.
 * @sock: the owner's socket, or any with CAP_NET_ADMIN
 * @id: device
 * @info: receives what is known
 *
 * Return: 0; -ENODEV; -EPERM; another -errno.
 */
int vpmem_dev_get(struct vpmem_sock *sock, uint32_t id,
		  struct vpmem_dev_info *info);

/**
 * vpmem_dev_dump() - Read all visible devices.
 * @sock: socket
 * @fn: called once for each device; a value other than 0 ends the walk
 * @arg: handed to @fn
 *
 * @fn must not use @sock.
 *
 * Return: 0, what @fn returned, or -errno; -EINTR if the set of devices
 * changed during the walk, which then may be incomplete.
 */
int vpmem_dev_dump(struct vpmem_sock *sock,
		   int (*fn)(const struct vpmem_dev_info *info, void *arg),
		   void *arg);

#define VPMEM_SET_EXEC		(1u << 0)
#define VPMEM_SET_ON_ERROR	(1u << 1)
#define VPMEM_SET_CLEAR_ERROR	(1u << 2)
#define VPMEM_SET_ERROR		(1u << 3)
#define VPMEM_SET_FLUSH_LIMIT	(1u << 4)
#define VPMEM_SET_BYTES_LIMIT	(1u << 5)
#define VPMEM_SET_REGIONS	(1u << 6)
#define VPMEM_SET_WRITE_BEHIND	(1u << 7)

/**
 * struct vpmem_dev_change - What vpmem_dev_set() changes.
 * @present: VPMEM_SET_*, which of the changes are meant
 * @exec: new execution policy
 * @on_error: new error policy
 * @error: errno (1 to 4095) with which every flush is to fail from now on,
 *	until VPMEM_SET_CLEAR_ERROR: for a VMM that knows of a write that cannot
 *	be kept; no effect where flushes need no sync (read-only devices and those
 *	that discard writes)
 * @flush_limit: new limit on flushes; what was saved up or owed is forgotten
 * @bytes_limit: new limit on bytes written back
 * @write_behind: new number of dirty bytes from which on they are written back
 *	without a flush: 0 for never, or at least VPMEM_WRITE_BEHIND_MIN
 * @regions: all of guest memory from now on, @nr_regions entries that do not
 *	overlap; only for the owner, in the process that added the device
 * @nr_regions: 1 to VPMEM_REGIONS_MAX
 */
struct vpmem_dev_change {
	uint32_t present;
	enum vpmem_exec exec;
	enum vpmem_on_error on_error;
	uint32_t error;
	struct vpmem_limit flush_limit;
	struct vpmem_limit bytes_limit;
	uint64_t write_behind;
	const struct vpmem_region *regions;
	size_t nr_regions;
};

/**
 * vpmem_dev_set() - Change a device.
 * @sock: the owner's socket, or any with CAP_NET_ADMIN
 * @id: device
 * @change: what to change; all of it is changed or nothing
 *
 * Return: 0; -ENODEV; -EPERM; -EFAULT if a running ring is not in the new
 * @regions; -EBUSY if the queue waits for a page of guest memory, in which case
 * it can be tried again; another -errno.
 */
int vpmem_dev_set(struct vpmem_sock *sock, uint32_t id,
		  const struct vpmem_dev_change *change);

/**
 * struct vpmem_queue_config - A split virtqueue in guest memory.
 * @size: descriptors, a power of two up to VPMEM_RING_SIZE_MAX
 * @desc: descriptor table, guest-physical, 16-byte aligned
 * @avail: available ring, guest-physical, 2-byte aligned
 * @used: used ring, guest-physical, 4-byte aligned
 * @features: negotiated VIRTIO feature bits
 * @next_avail: available index to go on from, 0 for a new queue
 * @next_used: used index to go on from, 0 for a new queue
 */
struct vpmem_queue_config {
	uint32_t size;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
	uint64_t features;
	uint16_t next_avail;
	uint16_t next_used;
};

/**
 * vpmem_queue_start() - Start to serve a device's queue.
 * @sock: owning socket
 * @id: device whose queue is stopped
 * @config: the ring
 *
 * Return: 0; -ENODEV; -EPERM; -EBUSY if the queue is not stopped; -EINVAL or
 * -EFAULT if the ring is malformed or not in guest memory; another -errno.
 */
int vpmem_queue_start(struct vpmem_sock *sock, uint32_t id,
		      const struct vpmem_queue_config *config);

/**
 * vpmem_queue_stop() - Ask for a device's queue to stop.
 * @sock: owning socket
 * @id: device
 *
 * VPMEM_EVENT_QUEUE_STOPPED tells that nothing is written to guest memory any
 * more. It comes soon: a sync that is under way is not waited for. A queue that
 * has stopped already is stopped again, and the event sent again.
 *
 * Return: 0; -ENODEV; -EPERM; another -errno.
 */
int vpmem_queue_stop(struct vpmem_sock *sock, uint32_t id);

/** enum vpmem_event_type - Kinds of event. */
enum vpmem_event_type {
	VPMEM_EVENT_DEV_ADDED,
	VPMEM_EVENT_DEV_DELETED,
	VPMEM_EVENT_QUEUE_STOPPED,
	VPMEM_EVENT_QUEUE_BROKEN,
	VPMEM_EVENT_SYNC_ERROR,
};

/**
 * struct vpmem_event - Something that happened to a device.
 * @type: what
 * @id: device
 * @name: the device's name (DEV_ADDED, DEV_DELETED, SYNC_ERROR), else empty
 * @error: errno (positive) of the failed sync (SYNC_ERROR)
 * @next_avail: next available index (QUEUE_STOPPED, QUEUE_BROKEN)
 * @next_used: next used index (QUEUE_STOPPED, QUEUE_BROKEN)
 */
struct vpmem_event {
	enum vpmem_event_type type;
	uint32_t id;
	char name[VPMEM_NAME_LEN];
	uint32_t error;
	uint16_t next_avail;
	uint16_t next_used;
};

/**
 * vpmem_event_subscribe() - Also receive the events of other sockets' devices.
 * @sock: socket
 *
 * Events of the socket's own devices come without it, and with it still once.
 * Without CAP_NET_ADMIN the subscription is refused.
 *
 * Return: 0 or -errno.
 */
int vpmem_event_subscribe(struct vpmem_sock *sock);

/**
 * vpmem_event_next() - Take the next event.
 * @sock: socket
 * @event: receives it
 * @timeout_ms: how long to wait; 0 not at all, -1 for ever
 *
 * Return: 0; -EAGAIN if none came in time; -ENOBUFS if events were lost
 * because they were not taken fast enough (read the devices anew; told once,
 * in its place among the events); -ENOENT if the socket is subscribed and the
 * module was unloaded; -EINTR; another -errno.
 */
int vpmem_event_next(struct vpmem_sock *sock, struct vpmem_event *event,
		     int timeout_ms);

/**
 * vpmem_hist_percentile() - Upper bound of a percentile of a histogram.
 * @hist: VPMEM_HIST_BUCKETS counters
 * @permille: the percentile times ten, 1 to 1000
 *
 * Return: nanoseconds that this share of the recorded values does not exceed,
 * exact to a factor of two; 0 for an empty histogram.
 */
uint64_t vpmem_hist_percentile(const uint64_t *hist, unsigned int permille);

/** vpmem_event_name() - Name of an event type, as in the specification. */
const char *vpmem_event_name(enum vpmem_event_type type);

/** vpmem_queue_state_name() - Name of a queue state, as in the specification. */
const char *vpmem_queue_state_name(enum vpmem_queue_state state);

/** vpmem_exec_name() - Name of an execution policy, as in the specification. */
const char *vpmem_exec_name(enum vpmem_exec exec);

/** vpmem_on_error_name() - Name of an error policy, as in the specification. */
const char *vpmem_on_error_name(enum vpmem_on_error on_error);

#ifdef __cplusplus
}
#endif

#endif /* VPMEM_VPMEM_H */
