/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device without its transport: features, status, one queue,
 * configuration structure. Knows no PCI and no pmem.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

struct virtio_dev;

#define VIRTIO_QUEUE_SIZE_MAX	256u

/**
 * struct virtio_ops - What a kind of device does.
 * @start: serve the queue from now on; 0, or -errno if it cannot be served
 * @stop: stop to serve it. True: it is done, guest memory is not touched any
 *	more. False: it is under way, virtio_stopped() will be called.
 *
 * All with the device's lock held.
 */
struct virtio_ops {
	int (*start)(struct virtio_dev *dev);
	bool (*stop)(struct virtio_dev *dev);
};

/**
 * struct virtio_queue - The queue as the driver set it up.
 * @size: descriptors
 * @is_enabled: the driver is done with it
 */
struct virtio_queue {
	uint16_t size;
	bool is_enabled;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
};

/**
 * struct virtio_dev - A device; embedded in its kind.
 * @ops: its kind
 * @transport: what carries it
 * @notify_config: @transport's way to send a configuration change notification
 * @offered: feature bits that work
 * @driver_features: those that the driver wrote
 * @status: device status
 * @config_generation: changes with each configuration change notification
 * @queue: the queue
 * @config: configuration structure, @config_len bytes
 * @is_started: the kind serves the queue
 * @is_resetting: reset waits for virtio_stopped()
 * @generation: counts starts, so that news of an old one can be told
 * @needs_resets: times virtio_need_reset() was called
 *
 * All functions: Context: the device's lock held.
 */
struct virtio_dev {
	const struct virtio_ops *ops;
	void *transport;
	void (*notify_config)(struct virtio_dev *dev);
	uint64_t offered;
	uint64_t driver_features;
	uint8_t status;
	uint8_t config_generation;
	struct virtio_queue queue;
	const void *config;
	uint32_t config_len;
	bool is_started;
	bool is_resetting;
	uint64_t generation;
	uint64_t needs_resets;
};

/** virtio_init() - Bring a device to its state after reset. */
void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops,
		 uint64_t offered, const void *config, uint32_t config_len);

/**
 * virtio_set_status() - The driver wrote the device status.
 *
 * 0 resets. What the driver may not set yet is left out, FEATURES_OK for one if
 * its features cannot be served (VIO-2).
 */
void virtio_set_status(struct virtio_dev *dev, uint8_t status);

/** virtio_set_features() - The driver wrote half @select of its features. */
void virtio_set_features(struct virtio_dev *dev, uint32_t select,
			 uint32_t features);

/** virtio_set_queue_size() - Ignored unless it is a power of two that fits. */
void virtio_set_queue_size(struct virtio_dev *dev, uint16_t size);

/**
 * virtio_set_queue_half() - The driver wrote half of a ring's address.
 * @addr: member of dev->queue; not changed while the queue is enabled
 */
void virtio_set_queue_half(struct virtio_dev *dev, uint64_t *addr, bool is_high,
			   uint32_t val);

/** virtio_enable_queue() - The driver is done with setting up the queue. */
void virtio_enable_queue(struct virtio_dev *dev);

/** virtio_stopped() - The queue that ops->stop left under way has stopped. */
void virtio_stopped(struct virtio_dev *dev);

/**
 * virtio_need_reset() - The device cannot go on with this driver (VIO-4).
 *
 * What was taken from the ring has been completed or will never be.
 */
void virtio_need_reset(struct virtio_dev *dev);

/**
 * virtio_load() - Bring a device, whose queue is not served, to this state.
 *
 * dev->is_started says whether the queue is to be served; it is not told to the
 * kind.
 */
void virtio_load(struct virtio_dev *dev, uint8_t status, uint64_t features,
		 const struct virtio_queue *queue);

/** virtio_read_config() - Any width at any offset; 0 beyond the end. */
void virtio_read_config(const struct virtio_dev *dev, uint64_t offset,
			void *data, uint32_t len);

#endif /* VIRTIO_H */
