// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio device without its transport. The one place where the device status
 * and with it the state of the queue changes.
 */
#include "virtio.h"

#include <string.h>

#include <linux/virtio_config.h>

#define VIRTIO_STATUS_DRIVER_BITS						\
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |		\
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK |	\
	 VIRTIO_CONFIG_S_FAILED)

static void virtio_clear(struct virtio_dev *dev)
{
	dev->driver_features = 0;
	dev->status = 0;
	dev->queue = (struct virtio_queue) { .size = VIRTIO_QUEUE_SIZE_MAX };
	dev->is_started = false;
	dev->is_resetting = false;
}

void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops,
		 uint64_t offered, const void *config, uint32_t config_len)
{
	*dev = (struct virtio_dev) {
		.ops = ops,
		.offered = offered,
		.config = config,
		.config_len = config_len,
	};
	virtio_clear(dev);
}

/* VIO-5, PCI-7: the status reads 0 only when the queue has stopped. */
static void virtio_reset(struct virtio_dev *dev)
{
	if (dev->is_started && !dev->ops->stop(dev)) {
		dev->is_resetting = true;
		return;
	}
	virtio_clear(dev);
}

static bool virtio_features_are_good(const struct virtio_dev *dev)
{
	return !(dev->driver_features & ~dev->offered) &&
	       (dev->driver_features & (1ull << VIRTIO_F_VERSION_1));
}

static void virtio_start(struct virtio_dev *dev)
{
	if (dev->is_started || !dev->queue.is_enabled ||
	    !(dev->status & VIRTIO_CONFIG_S_DRIVER_OK) ||
	    (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET))
		return;
	dev->generation++;
	if (dev->ops->start(dev))
		virtio_need_reset(dev);
	else
		dev->is_started = true;
}

void virtio_set_status(struct virtio_dev *dev, uint8_t status)
{
	if (dev->is_resetting)
		return;
	if (!status) {
		virtio_reset(dev);
		return;
	}
	status = dev->status | (status & VIRTIO_STATUS_DRIVER_BITS);
	if (!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    !virtio_features_are_good(dev))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK))
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status = status;
	virtio_start(dev);
}

void virtio_set_features(struct virtio_dev *dev, uint32_t select,
			 uint32_t features)
{
	unsigned int shift = select * 32;

	if (select > 1 || (dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	dev->driver_features &= ~(0xffffffffull << shift);
	dev->driver_features |= (uint64_t)features << shift;
}

void virtio_set_queue_size(struct virtio_dev *dev, uint16_t size)
{
	if (dev->queue.is_enabled || !size || size > VIRTIO_QUEUE_SIZE_MAX ||
	    (size & (size - 1)))
		return;
	dev->queue.size = size;
}

void virtio_set_queue_half(struct virtio_dev *dev, uint64_t *addr, bool is_high,
			   uint32_t val)
{
	unsigned int shift = is_high ? 32 : 0;

	if (dev->queue.is_enabled)
		return;
	*addr &= ~(0xffffffffull << shift);
	*addr |= (uint64_t)val << shift;
}

void virtio_enable_queue(struct virtio_dev *dev)
{
	if (dev->is_resetting)
		return;
	dev->queue.is_enabled = true;
	virtio_start(dev);
}

void virtio_stopped(struct virtio_dev *dev)
{
	if (dev->is_resetting)
		virtio_clear(dev);
}

void virtio_need_reset(struct virtio_dev *dev)
{
	dev->needs_resets++;
	if (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		dev->config_generation++;
		dev->notify_config(dev);
	}
}

void virtio_load(struct virtio_dev *dev, uint8_t status, uint64_t features,
		 const struct virtio_queue *queue)
{
	dev->status = status;
	dev->driver_features = features;
	dev->queue = *queue;
	dev->is_resetting = false;
	dev->is_started = queue->is_enabled &&
			  (status & VIRTIO_CONFIG_S_DRIVER_OK) &&
			  !(status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void virtio_read_config(const struct virtio_dev *dev, uint64_t offset,
			void *data, uint32_t len)
{
	uint32_t left;

	memset(data, 0, len);
	if (offset >= dev->config_len)
		return;
	left = dev->config_len - offset;
	memcpy(data, (const char *)dev->config + offset,
	       len < left ? len : left);
}
