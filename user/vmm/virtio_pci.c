// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio over PCI. Registers to calls of virtio.h, and back into the page that
 * the guest reads: each change ends with virtio_pci_refresh().
 */
#include "virtio_pci.h"

#include "layout.h"
#include "util.h"
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>

#define VIRTIO_PCI_VENDOR	0x1af4u
#define VIRTIO_PCI_DEVICE_BASE	0x1040u	/* plus the virtio device id */

#define BAR_MEM			0u
#define BAR_IO			1u

/* The word that the device status is in. */
#define COMMON_STATUS_WORD	ALIGN_DOWN(VIRTIO_PCI_COMMON_STATUS, 4u)

#define ISR_QUEUE		0x1u
#define ISR_CONFIG		0x2u

static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	/* Can only fail if the count is full, and then it is readable. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void virtio_pci_fill_queue(const struct virtio_pci *vp,
				  struct virtio_pci_common_cfg *cfg)
{
	const struct virtio_queue *queue = &vp->vdev->queue;

	cfg->queue_msix_vector = MSIX_NO_VECTOR;
	if (vp->queue_select)
		return;
	cfg->queue_size = queue->size;
	cfg->queue_msix_vector = vp->msix.events[MSIX_EVENT_QUEUE].vector;
	cfg->queue_enable = queue->is_enabled;
	cfg->queue_desc_lo = queue->desc;
	cfg->queue_desc_hi = queue->desc >> 32;
	cfg->queue_avail_lo = queue->avail;
	cfg->queue_avail_hi = queue->avail >> 32;
	cfg->queue_used_lo = queue->used;
	cfg->queue_used_hi = queue->used >> 32;
}

static uint32_t feature_half(uint64_t features, uint32_t select)
{
	return select < 2 ? features >> (32 * select) : 0;
}

/* The page's words are written whole, as another vCPU may be reading them. */
static void virtio_pci_show(struct virtio_pci *vp,
			    const struct virtio_pci_common_cfg *cfg,
			    uint32_t from, uint32_t to)
{
	uint32_t i, word;

	for (i = from; i < to; i += sizeof(word)) {
		memcpy(&word, (const char *)cfg + i, sizeof(word));
		__atomic_store_n((uint32_t *)(vp->regs + VIRTIO_PCI_AT_COMMON + i),
				 word, __ATOMIC_RELEASE);
	}
}

static void virtio_pci_refresh(struct virtio_pci *vp)
{
	const struct virtio_dev *vdev = vp->vdev;
	struct virtio_pci_common_cfg cfg = {
		.device_feature_select = vp->device_select,
		.device_feature = feature_half(vdev->offered, vp->device_select),
		.guest_feature_select = vp->driver_select,
		.guest_feature = feature_half(vdev->driver_features,
					      vp->driver_select),
		.msix_config = vp->msix.events[MSIX_EVENT_CONFIG].vector,
		.num_queues = 1,
		.device_status = vdev->status,
		.config_generation = vdev->config_generation,
		.queue_select = vp->queue_select,
	};

	virtio_pci_fill_queue(vp, &cfg);
	/* ORDER: what comes with the status before the status. A vCPU that polls
	 * it for the end of a reset finds the queue's registers reset.
	 */
	virtio_pci_show(vp, &cfg, 0, COMMON_STATUS_WORD);
	virtio_pci_show(vp, &cfg, COMMON_STATUS_WORD + 4, sizeof(cfg));
	virtio_pci_show(vp, &cfg, COMMON_STATUS_WORD, COMMON_STATUS_WORD + 4);
}

/* What a virtio reset means to the transport. */
static void virtio_pci_status_changed(struct virtio_pci *vp)
{
	if (vp->vdev->status)
		return;
	msix_unmap_all(&vp->msix);
	vp->isr = 0;
	vp->device_select = 0;
	vp->driver_select = 0;
	vp->queue_select = 0;
}

static void virtio_pci_notify_config(struct virtio_dev *vdev)
{
	struct virtio_pci *vp = vdev->transport;

	/* ORDER: ISR and registers before the interrupt (PCI-11): the guest reads
	 * the latter without us.
	 */
	vp->isr |= ISR_CONFIG;
	virtio_pci_refresh(vp);
	if (vp->msix.is_enabled)
		signal_eventfd(vp->config_fd);
}

static void common_write8(struct virtio_pci *vp, uint32_t offset, uint8_t val)
{
	if (offset != VIRTIO_PCI_COMMON_STATUS)
		return;
	virtio_set_status(vp->vdev, val);
	virtio_pci_status_changed(vp);
}

static void common_write16(struct virtio_pci *vp, uint32_t offset, uint16_t val)
{
	bool is_queue = !vp->queue_select;

	if (offset == VIRTIO_PCI_COMMON_Q_SELECT)
		vp->queue_select = val;
	else if (offset == VIRTIO_PCI_COMMON_MSIX)
		msix_map(&vp->msix, MSIX_EVENT_CONFIG, val);
	else if (offset == VIRTIO_PCI_COMMON_Q_MSIX && is_queue)
		msix_map(&vp->msix, MSIX_EVENT_QUEUE, val);
	else if (offset == VIRTIO_PCI_COMMON_Q_SIZE && is_queue)
		virtio_set_queue_size(vp->vdev, val);
	else if (offset == VIRTIO_PCI_COMMON_Q_ENABLE && is_queue && val == 1)
		virtio_enable_queue(vp->vdev);
}

static void common_write_addr(struct virtio_pci *vp, uint32_t offset,
			      uint32_t val)
{
	struct virtio_queue *queue = &vp->vdev->queue;
	uint64_t *addr;

	switch (offset & ~4u) {
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		addr = &queue->desc;
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		addr = &queue->avail;
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		addr = &queue->used;
		break;
	default:
		return;
	}
	if (!vp->queue_select)
		virtio_set_queue_half(vp->vdev, addr, offset & 4, val);
}

static void common_write32(struct virtio_pci *vp, uint32_t offset, uint32_t val)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->device_select = val;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->driver_select = val;
		break;
	case VIRTIO_PCI_COMMON_GF:
		virtio_set_features(vp->vdev, vp->driver_select, val);
		break;
	default:
		common_write_addr(vp, offset, val);
	}
}

static_assert(VIRTIO_PCI_COMMON_Q_DESCLO % 8 == 0 &&
	      VIRTIO_PCI_COMMON_Q_AVAILLO % 8 == 0 &&
	      VIRTIO_PCI_COMMON_Q_USEDLO % 8 == 0,
	      "bit 2 tells the halves of a ring address apart");

/* Fields take writes of their own width only, addresses also whole (PCI-4). */
static void virtio_pci_common_write(struct virtio_pci *vp, uint32_t offset,
				    uint64_t val, uint32_t len)
{
	switch (len) {
	case 1:
		common_write8(vp, offset, val);
		break;
	case 2:
		common_write16(vp, offset, val);
		break;
	case 4:
		common_write32(vp, offset, val);
		break;
	case 8:
		common_write_addr(vp, offset, val);
		common_write_addr(vp, offset + 4, val >> 32);
		break;
	}
	virtio_pci_refresh(vp);
}

static void virtio_pci_regs_write(struct virtio_pci *vp, uint32_t offset,
				  uint64_t val, uint32_t len)
{
	if (offset >= VIRTIO_PCI_AT_MSIX_TABLE)
		msix_table_write(&vp->msix, offset - VIRTIO_PCI_AT_MSIX_TABLE,
				 &val, len);
	else if (offset < sizeof(struct virtio_pci_common_cfg))
		virtio_pci_common_write(vp, offset, val, len);
	else if (offset >= VIRTIO_PCI_AT_DEVICE &&
		 offset - VIRTIO_PCI_AT_DEVICE < vp->vdev->config_len)
		vp->config_writes++;
}

static uint8_t virtio_pci_take_isr(struct virtio_pci *vp)
{
	uint8_t isr = vp->isr;

	/* PCI-11: the queue bit only while MSI-X does not do its work. */
	if (!vp->msix.is_enabled && msix_take(&vp->msix, MSIX_EVENT_QUEUE))
		isr |= ISR_QUEUE;
	vp->isr = 0;
	return isr;
}

static void virtio_pci_kick(struct virtio_pci *vp, const void *data,
			    uint32_t len)
{
	uint16_t queue = 0;

	memcpy(&queue, data, len < sizeof(queue) ? len : sizeof(queue));
	if (!queue)
		signal_eventfd(vp->kick_fd);
}

/* Device's lock held. */
static void bar0_read(struct virtio_pci *vp, uint64_t offset, void *data,
		      uint32_t len)
{
	memset(data, 0, len);
	if (offset + len <= VIRTIO_PCI_REGS_SIZE)
		memcpy(data, vp->regs + offset, len);
	else if (offset == VIRTIO_PCI_AT_ISR)
		*(uint8_t *)data = virtio_pci_take_isr(vp);
	else if (offset >= VIRTIO_PCI_AT_MSIX_PBA && offset < VIRTIO_PCI_AT_ISR)
		msix_pba_read(&vp->msix, offset - VIRTIO_PCI_AT_MSIX_PBA, data,
			      len);
}

/* Device's lock held. */
static void bar0_write(struct virtio_pci *vp, uint64_t offset, const void *data,
		       uint32_t len)
{
	uint64_t val = 0;

	memcpy(&val, data, len);
	if (offset + len <= VIRTIO_PCI_REGS_SIZE)
		virtio_pci_regs_write(vp, offset, val, len);
	else if (offset >= VIRTIO_PCI_AT_NOTIFY)
		virtio_pci_kick(vp, data, len);
}

static void virtio_pci_mem_read(void *opaque, uint64_t offset, void *data,
				uint32_t len)
{
	struct virtio_pci *vp = opaque;

	pthread_mutex_lock(&vp->pci.lock);
	bar0_read(vp, offset, data, len);
	pthread_mutex_unlock(&vp->pci.lock);
}

static void virtio_pci_mem_write(void *opaque, uint64_t offset,
				 const void *data, uint32_t len)
{
	struct virtio_pci *vp = opaque;

	pthread_mutex_lock(&vp->pci.lock);
	bar0_write(vp, offset, data, len);
	pthread_mutex_unlock(&vp->pci.lock);
}

static const struct bus_ops virtio_pci_mem_ops = {
	.read = virtio_pci_mem_read,
	.write = virtio_pci_mem_write,
};

static void virtio_pci_io_read(void *opaque, uint64_t offset, void *data,
			       uint32_t len)
{
	memset(data, 0, len);
}

/* Writes of two bytes at offset 0 do not come here: KVM signals the kick. */
static void virtio_pci_io_write(void *opaque, uint64_t offset, const void *data,
				uint32_t len)
{
	virtio_pci_kick(opaque, data, len);
}

static const struct bus_ops virtio_pci_io_ops = {
	.read = virtio_pci_io_read,
	.write = virtio_pci_io_write,
};

static int virtio_pci_map_io(struct virtio_pci *vp, uint64_t addr)
{
	struct kvm_ioeventfd_at at = { .addr = addr, .len = 2, .is_pio = true };
	struct vm *vm = vp->pci.vm;
	int err = bus_add(&vm->pio, addr, VIRTIO_PCI_BAR1_SIZE,
			  &virtio_pci_io_ops, vp);

	if (err)
		return err;
	err = kvm_ioeventfd_add(&vm->kvm, &at, vp->kick_fd);
	if (err)
		bus_del(&vm->pio, addr);
	return err;
}

/* Any width: where KVM has a fast path for memory notifications, this is it. */
static struct kvm_ioeventfd_at virtio_pci_mem_notify(uint64_t addr)
{
	return (struct kvm_ioeventfd_at) { .addr = addr + VIRTIO_PCI_AT_NOTIFY };
}

static int virtio_pci_map_mem(struct virtio_pci *vp, uint64_t addr)
{
	struct kvm_ioeventfd_at at = virtio_pci_mem_notify(addr);
	struct vm *vm = vp->pci.vm;
	int err;

	err = bus_add(&vm->mmio, addr, VIRTIO_PCI_BAR0_SIZE,
		      &virtio_pci_mem_ops, vp);
	if (err)
		return err;
	err = mem_add(&vm->mem, addr, VIRTIO_PCI_REGS_SIZE, vp->regs,
		      MEM_REGISTERS);
	if (err)
		goto del_range;
	err = kvm_ioeventfd_add(&vm->kvm, &at, vp->kick_fd);
	if (err)
		goto del_regs;
	return 0;

del_regs:
	mem_del(&vm->mem, addr);
del_range:
	bus_del(&vm->mmio, addr);
	return err;
}

static int virtio_pci_bar_map(struct pci_dev *dev, unsigned int bar,
			      uint64_t addr)
{
	struct virtio_pci *vp = container_of(dev, struct virtio_pci, pci);

	return bar == BAR_IO ? virtio_pci_map_io(vp, addr) :
			       virtio_pci_map_mem(vp, addr);
}

static void virtio_pci_bar_unmap(struct pci_dev *dev, unsigned int bar,
				 uint64_t addr)
{
	struct virtio_pci *vp = container_of(dev, struct virtio_pci, pci);
	struct kvm_ioeventfd_at io = { .addr = addr, .len = 2, .is_pio = true };
	struct kvm_ioeventfd_at mem = virtio_pci_mem_notify(addr);
	struct vm *vm = dev->vm;

	if (bar == BAR_IO) {
		kvm_ioeventfd_del(&vm->kvm, &io, vp->kick_fd);
		bus_del(&vm->pio, addr);
		return;
	}
	kvm_ioeventfd_del(&vm->kvm, &mem, vp->kick_fd);
	mem_del(&vm->mem, addr);
	bus_del(&vm->mmio, addr);
}

static uint8_t *virtio_pci_window_data(struct virtio_pci *vp)
{
	return vp->pci.config + vp->window_cap +
	       offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
}

/* Where the PCI_CFG window points (PCI-10), or false if nowhere. */
static bool virtio_pci_window(const struct virtio_pci *vp,
			      struct virtio_pci_cap *cap)
{
	uint32_t size;

	memcpy(cap, vp->pci.config + vp->window_cap, sizeof(*cap));
	size = cap->bar == BAR_MEM ? VIRTIO_PCI_BAR0_SIZE :
	       cap->bar == BAR_IO ? VIRTIO_PCI_BAR1_SIZE : 0;
	return (cap->length == 1 || cap->length == 2 || cap->length == 4) &&
	       IS_ALIGNED(cap->offset, cap->length) && cap->offset < size;
}

static void virtio_pci_window_read(struct virtio_pci *vp)
{
	struct virtio_pci_cap cap;

	if (!virtio_pci_window(vp, &cap))
		return;
	if (cap.bar == BAR_MEM)
		bar0_read(vp, cap.offset, virtio_pci_window_data(vp),
			  cap.length);
	else
		memset(virtio_pci_window_data(vp), 0, cap.length);
}

static void virtio_pci_window_write(struct virtio_pci *vp)
{
	struct virtio_pci_cap cap;

	if (!virtio_pci_window(vp, &cap))
		return;
	if (cap.bar == BAR_MEM)
		bar0_write(vp, cap.offset, virtio_pci_window_data(vp),
			   cap.length);
	else
		virtio_pci_kick(vp, virtio_pci_window_data(vp), cap.length);
}

static bool virtio_pci_is_window_data(const struct virtio_pci *vp,
				      uint32_t offset)
{
	uint32_t data = vp->window_cap +
			offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);

	return offset >= data && offset < data + 4;
}

static void virtio_pci_config_read(struct pci_dev *dev, uint32_t offset,
				   uint32_t len)
{
	struct virtio_pci *vp = container_of(dev, struct virtio_pci, pci);

	if (virtio_pci_is_window_data(vp, offset))
		virtio_pci_window_read(vp);
}

static void virtio_pci_config_written(struct pci_dev *dev, uint32_t offset,
				      uint32_t len)
{
	struct virtio_pci *vp = container_of(dev, struct virtio_pci, pci);
	uint16_t control;

	if (offset >= vp->msix_cap && offset < vp->msix_cap + 4u) {
		memcpy(&control, dev->config + vp->msix_cap + PCI_MSIX_FLAGS,
		       sizeof(control));
		msix_set_control(&vp->msix, control);
	} else if (virtio_pci_is_window_data(vp, offset)) {
		virtio_pci_window_write(vp);
	} else if (offset >= vp->window_cap &&
		   offset < vp->window_cap + sizeof(struct virtio_pci_cap)) {
		/* Who sets the window up will read through it next. */
		pci_trap_reads(dev);
	}
}

static const struct pci_ops virtio_pci_ops = {
	.bar_map = virtio_pci_bar_map,
	.bar_unmap = virtio_pci_bar_unmap,
	.config_written = virtio_pci_config_written,
	.config_read = virtio_pci_config_read,
};

static struct virtio_pci_cap virtio_pci_cap(uint8_t type, uint8_t bar,
					    uint32_t offset, uint32_t length)
{
	return (struct virtio_pci_cap) {
		.cap_vndr = PCI_CAP_ID_VNDR,
		.cap_len = sizeof(struct virtio_pci_cap),
		.cfg_type = type,
		.bar = bar,
		.offset = offset,
		.length = length,
	};
}

static void virtio_pci_add_notify(struct virtio_pci *vp, uint8_t bar,
				  uint32_t offset)
{
	struct virtio_pci_notify_cap notify = {
		.cap = virtio_pci_cap(VIRTIO_PCI_CAP_NOTIFY_CFG, bar, offset, 4),
		.notify_off_multiplier = 0,
	};

	notify.cap.cap_len = sizeof(notify);
	pci_add_cap(&vp->pci, &notify, sizeof(notify));
}

static void virtio_pci_add_structure(struct virtio_pci *vp, uint8_t type,
				     uint32_t offset, uint32_t length)
{
	struct virtio_pci_cap cap = virtio_pci_cap(type, BAR_MEM, offset,
						   length);

	pci_add_cap(&vp->pci, &cap, sizeof(cap));
}

static void virtio_pci_add_window(struct virtio_pci *vp)
{
	struct virtio_pci_cfg_cap window = {
		.cap = virtio_pci_cap(VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0),
	};
	uint8_t *writable;

	window.cap.cap_len = sizeof(window);
	vp->window_cap = pci_add_cap(&vp->pci, &window, sizeof(window));
	writable = vp->pci.writable + vp->window_cap;
	writable[VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(writable + VIRTIO_PCI_CAP_OFFSET, 0xff,
	       sizeof(window) - VIRTIO_PCI_CAP_OFFSET);
}

static void virtio_pci_add_msix(struct virtio_pci *vp)
{
	struct {
		uint8_t id;
		uint8_t next;
		uint16_t control;
		uint32_t table;
		uint32_t pba;
	} cap = {
		.id = PCI_CAP_ID_MSIX,
		.control = MSIX_VECTORS - 1,
		.table = VIRTIO_PCI_AT_MSIX_TABLE | BAR_MEM,
		.pba = VIRTIO_PCI_AT_MSIX_PBA | BAR_MEM,
	};

	vp->msix_cap = pci_add_cap(&vp->pci, &cap, sizeof(cap));
	vp->pci.writable[vp->msix_cap + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
}

/* A driver takes the first NOTIFY that it can use: the port, as it is cheaper. */
static void virtio_pci_add_caps(struct virtio_pci *vp)
{
	virtio_pci_add_notify(vp, BAR_IO, 0);
	virtio_pci_add_structure(vp, VIRTIO_PCI_CAP_COMMON_CFG,
				 VIRTIO_PCI_AT_COMMON,
				 sizeof(struct virtio_pci_common_cfg));
	virtio_pci_add_structure(vp, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_AT_ISR, 1);
	virtio_pci_add_structure(vp, VIRTIO_PCI_CAP_DEVICE_CFG,
				 VIRTIO_PCI_AT_DEVICE, vp->vdev->config_len);
	virtio_pci_add_notify(vp, BAR_MEM, VIRTIO_PCI_AT_NOTIFY);
	virtio_pci_add_window(vp);
	virtio_pci_add_msix(vp);
}

static int virtio_pci_make_fds(struct virtio_pci *vp)
{
	/* A server thread sleeps on the kick; nobody on the other two. */
	vp->kick_fd = eventfd(0, EFD_CLOEXEC);
	vp->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vp->config_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vp->kick_fd < 0 || vp->call_fd < 0 || vp->config_fd < 0)
		return -errno;
	return 0;
}

static int virtio_pci_make_regs(struct virtio_pci *vp)
{
	void *page = mmap(NULL, VIRTIO_PCI_REGS_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	vp->regs = page;
	return 0;
}

static void virtio_pci_show_all(struct virtio_pci *vp)
{
	memcpy(vp->regs + VIRTIO_PCI_AT_DEVICE, vp->vdev->config,
	       vp->vdev->config_len);
	virtio_pci_refresh(vp);
}

static void virtio_pci_free(struct virtio_pci *vp)
{
	msix_exit(&vp->msix);
	if (vp->regs)
		munmap(vp->regs, VIRTIO_PCI_REGS_SIZE);
	cleanup_close(&vp->kick_fd);
	cleanup_close(&vp->call_fd);
	cleanup_close(&vp->config_fd);
}

int virtio_pci_init(struct virtio_pci *vp, struct vm *vm,
		    struct virtio_dev *vdev, uint16_t virtio_id,
		    uint32_t class_code)
{
	const struct pci_id id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = VIRTIO_PCI_DEVICE_BASE + virtio_id,
		.revision = 1,
		.class_code = class_code,
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = VIRTIO_PCI_DEVICE_BASE + virtio_id,
	};
	int err;

	*vp = (struct virtio_pci) { .vdev = vdev };
	vp->pci.bars[BAR_MEM].size = VIRTIO_PCI_BAR0_SIZE;
	vp->pci.bars[BAR_IO].size = VIRTIO_PCI_BAR1_SIZE;
	vp->pci.bars[BAR_IO].is_io = true;
	vdev->transport = vp;
	vdev->notify_config = virtio_pci_notify_config;
	err = virtio_pci_make_fds(vp);
	if (!err)
		err = virtio_pci_make_regs(vp);
	if (!err)
		err = msix_init(&vp->msix, &vm->irq,
				vp->regs + VIRTIO_PCI_AT_MSIX_TABLE,
				vp->config_fd, vp->call_fd);
	if (!err)
		virtio_pci_show_all(vp);
	if (!err)
		err = pci_dev_init(&vp->pci, vm, &virtio_pci_ops, &id);
	if (err) {
		virtio_pci_free(vp);
		return err;
	}
	virtio_pci_add_caps(vp);
	return 0;
}

void virtio_pci_exit(struct virtio_pci *vp)
{
	pci_dev_exit(&vp->pci);
	virtio_pci_free(vp);
}

void virtio_pci_queue_broken(struct virtio_pci *vp, uint64_t generation)
{
	pthread_mutex_lock(&vp->pci.lock);
	if (vp->vdev->is_started && generation == vp->vdev->generation &&
	    !vp->vdev->is_resetting) {
		virtio_need_reset(vp->vdev);
		virtio_pci_refresh(vp);
	}
	pthread_mutex_unlock(&vp->pci.lock);
}

void virtio_pci_queue_stopped(struct virtio_pci *vp)
{
	pthread_mutex_lock(&vp->pci.lock);
	virtio_stopped(vp->vdev);
	virtio_pci_status_changed(vp);
	virtio_pci_refresh(vp);
	pthread_mutex_unlock(&vp->pci.lock);
}

void virtio_pci_need_reset(struct virtio_pci *vp)
{
	virtio_need_reset(vp->vdev);
	virtio_pci_refresh(vp);
}

void virtio_pci_save(const struct virtio_pci *vp,
		     struct virtio_pci_state *state)
{
	const struct virtio_dev *vdev = vp->vdev;

	*state = (struct virtio_pci_state) {
		.status = vdev->status,
		.config_generation = vdev->config_generation,
		.isr = vp->isr,
		.features = vdev->driver_features,
		.queue = vdev->queue,
		.device_select = vp->device_select,
		.driver_select = vp->driver_select,
		.queue_select = vp->queue_select,
	};
	pci_save(&vp->pci, &state->pci);
	msix_save(&vp->msix, &state->msix);
}

void virtio_pci_load(struct virtio_pci *vp, const struct virtio_pci_state *state)
{
	uint16_t control;

	virtio_load(vp->vdev, state->status, state->features, &state->queue);
	vp->vdev->config_generation = state->config_generation;
	vp->isr = state->isr;
	vp->device_select = state->device_select;
	vp->driver_select = state->driver_select;
	vp->queue_select = state->queue_select;
	msix_load(&vp->msix, &state->msix);
	pci_load(&vp->pci, &state->pci);
	memcpy(&control, vp->pci.config + vp->msix_cap + PCI_MSIX_FLAGS,
	       sizeof(control));
	msix_set_control(&vp->msix, control);
	virtio_pci_refresh(vp);
	/* An interrupt may have been on its way; one too many is harmless. */
	if (vp->vdev->is_started)
		signal_eventfd(vp->call_fd);
}
