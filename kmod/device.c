// SPDX-License-Identifier: GPL-2.0
/*
 * The device object: the table of devices, references, teardown. Knows nothing
 * of netlink attributes or rings.
 *
 * A device dies once. Whoever sets @is_dying first (dev-del, the close of the
 * owning socket, the last close of the kick eventfd, module unload) queues
 * vpmem_kill_work(), which
 *
 *   unpublishes  takes the device out of the table: no look-up finds it;
 *   unhooks      leaves the kick eventfd: no wake callback runs or will run,
 *                so no guest can make a new server or start the teardown again;
 *   quiesces     stops the queue: a server that is still in a sync will not
 *                touch guest memory when it comes back, and one that waits for
 *                a limit waits no longer;
 *   drops        the table's reference.
 *
 * What is left then are references of those at work: a server in its sync, a
 * queued stop, a netlink command. Each drops its own, the last one releases
 * the device. Nobody waits for a sync but the one who does it, and module
 * unload.
 */
#include "trace.h"
#include "vpmem.h"

#include <linux/errseq.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>

/*
 * @vpmem_devices_lock guards the table, @vpmem_seq and @vpmem_is_closing, and
 * orders publication before teardown. Never held across I/O or an access to
 * user memory, so that netlink commands and notifiers may take it.
 */
static DEFINE_MUTEX(vpmem_devices_lock);
static DEFINE_XARRAY_ALLOC1(vpmem_devices);
static u32 vpmem_next_id;
static u32 vpmem_seq;
static bool vpmem_is_closing;

static struct kmem_cache *vpmem_dev_cache;

/* Devices whose memory is not freed yet, in the table or not. */
static atomic_t vpmem_nr_devices = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(vpmem_all_gone);

static void vpmem_dev_release(struct kref *refs)
{
	struct vpmem_dev *dev = container_of(refs, struct vpmem_dev, refs);

	fput(dev->file);
	eventfd_ctx_put(dev->kick);
	eventfd_ctx_put(dev->call);
#ifndef VPMEM_MUTANT_LEAK
	vpmem_mem_destroy(dev->mem);
#endif
	mmdrop(dev->mm);
	vpmem_user_uncharge(dev->uid);
	/* ORDER: last, so that who hears of the end can have another device. */
	vpmem_event_dev_deleted(dev);
	put_pid(dev->owner);
	put_net(dev->net);
	kmem_cache_free(vpmem_dev_cache, dev);
#ifdef VPMEM_MUTANT_USE_AFTER_FREE
	WRITE_ONCE(dev->has_owner, false);
#endif
	if (atomic_dec_and_test(&vpmem_nr_devices))
		wake_up_all(&vpmem_all_gone);
}

/**
 * vpmem_dev_put() - Drop a reference.
 * @dev: device
 *
 * Context: process, may sleep if it is the last reference.
 */
void vpmem_dev_put(struct vpmem_dev *dev)
{
	kref_put(&dev->refs, vpmem_dev_release);
}

static void vpmem_kill_work(struct work_struct *work)
{
	struct vpmem_dev *dev = container_of(work, struct vpmem_dev,
					     kill_work);

	mutex_lock(&vpmem_devices_lock);
	xa_erase(&vpmem_devices, dev->id);
	vpmem_seq++;
	mutex_unlock(&vpmem_devices_lock);
	trace_vpmem_dev_del(dev);
	vpmem_serve_unhook(dev);
	vpmem_serve_quiesce(dev);
	vpmem_dev_put(dev);	/* the table's */
	vpmem_dev_put(dev);	/* this work's */
}

/**
 * vpmem_dev_kill() - Start the teardown of a device, unless it has started.
 * @dev: device in the table or with a reference
 *
 * Context: any, also with the kick eventfd's lock held.
 */
void vpmem_dev_kill(struct vpmem_dev *dev)
{
	if (!test_and_set_bit(0, &dev->is_dying))
		vpmem_serve_run_ctl(dev, &dev->kill_work);
}

static struct vpmem_dev *vpmem_dev_alloc(const struct vpmem_dev_config *config)
{
	struct vpmem_dev *dev = kmem_cache_zalloc(vpmem_dev_cache, GFP_KERNEL);

	if (!dev)
		return NULL;
	strscpy(dev->name, config->name, sizeof(dev->name));
	dev->file = config->file;
	dev->offset = config->offset;
	dev->length = config->length;
	dev->flags = config->flags;
	dev->mem = config->mem;
	dev->call = config->call;
	dev->exec = config->exec;
	dev->on_error = config->on_error;
	dev->write_behind = config->write_behind;
	dev->net = config->net;
	dev->portid = config->portid;
	dev->uid = config->uid;
	dev->has_owner = true;
	dev->mm = current->mm;
	dev->wb_err = errseq_sample(&dev->file->f_mapping->wb_err);
	kref_init(&dev->refs);
	INIT_WORK(&dev->kill_work, vpmem_kill_work);
	vpmem_serve_setup(dev);
	vpmem_behind_setup(dev);
	vpmem_queue_set_limits(dev, &config->flush_limit,
			       &config->bytes_limit);
	return dev;
}

/*
 * From the hook on the device can begin to die; the lock lets the teardown
 * find it in the table.
 */
static int vpmem_dev_publish(struct vpmem_dev *dev, struct file *kick)
{
	int err;

	mutex_lock(&vpmem_devices_lock);
	err = vpmem_is_closing ? -ESHUTDOWN :
	      xa_alloc_cyclic(&vpmem_devices, &dev->id, dev,
			      XA_LIMIT(1, INT_MAX), &vpmem_next_id, GFP_KERNEL);
	if (err >= 0) {
		atomic_inc(&vpmem_nr_devices);
		vpmem_seq++;
		vpmem_serve_hook(dev, kick);
	}
	mutex_unlock(&vpmem_devices_lock);
	return err < 0 ? err : 0;
}

/**
 * vpmem_dev_create() - Create a device of the calling process and publish it.
 * @config: what it is made of
 * @id: receives its number
 *
 * Context: process, with the owner's mm.
 * Return: 0, and the device owns @config's @file, @mem, @call and @net;
 * -EDQUOT if the user has too many devices, -ENOMEM, -ESHUTDOWN or another
 * errno, and the caller still owns them.
 */
int vpmem_dev_create(const struct vpmem_dev_config *config, u32 *id)
{
	struct vpmem_dev *dev;
	int err;

	err = vpmem_user_charge(config->uid);
	if (err)
		return err;
	dev = vpmem_dev_alloc(config);
	if (!dev) {
		err = -ENOMEM;
		goto err_uncharge;
	}
	dev->kick = eventfd_ctx_fileget(config->kick);
	if (IS_ERR(dev->kick)) {
		err = PTR_ERR(dev->kick);
		goto err_free;
	}
	mmgrab(dev->mm);
	dev->owner = get_task_pid(current, PIDTYPE_TGID);
	kref_get(&dev->refs);
	err = vpmem_dev_publish(dev, config->kick);
	if (err)
		goto err_put;
	*id = dev->id;
	trace_vpmem_dev_add(dev);
	vpmem_event_dev_added(dev);
	vpmem_dev_put(dev);
	return 0;

err_put:
	put_pid(dev->owner);
	mmdrop(dev->mm);
	eventfd_ctx_put(dev->kick);
err_free:
	kmem_cache_free(vpmem_dev_cache, dev);
err_uncharge:
#ifndef VPMEM_MUTANT_KEEP_CHARGE
	vpmem_user_uncharge(config->uid);
#endif
	return err;
}

/**
 * vpmem_dev_get() - Look a device up.
 * @id: number
 *
 * Context: process.
 * Return: the device with a reference, or NULL if there is none or it dies.
 */
struct vpmem_dev *vpmem_dev_get(u32 id)
{
	struct vpmem_dev *dev;

	mutex_lock(&vpmem_devices_lock);
	dev = xa_load(&vpmem_devices, id);
	if (dev && test_bit(0, &dev->is_dying))
		dev = NULL;
	if (dev)
		kref_get(&dev->refs);
	mutex_unlock(&vpmem_devices_lock);
	return dev;
}

/**
 * vpmem_dev_get_next() - Look up the first device from a number on.
 * @id: number to begin with; receives that of the device
 *
 * Context: process.
 * Return: the device with a reference, or NULL if there are no more.
 */
struct vpmem_dev *vpmem_dev_get_next(u32 *id)
{
	unsigned long index = *id;
	struct vpmem_dev *dev;

	mutex_lock(&vpmem_devices_lock);
	dev = xa_find(&vpmem_devices, &index, INT_MAX, XA_PRESENT);
	while (dev && test_bit(0, &dev->is_dying))
		dev = xa_find_after(&vpmem_devices, &index, INT_MAX,
				    XA_PRESENT);
	if (dev) {
		kref_get(&dev->refs);
		*id = index;
	}
	mutex_unlock(&vpmem_devices_lock);
	return dev;
}

/**
 * vpmem_devices_seq() - Number that changes whenever the table does.
 *
 * Never 0, which to netlink means that there is no such number.
 */
u32 vpmem_devices_seq(void)
{
	return READ_ONCE(vpmem_seq) ?: 1;
}

/**
 * vpmem_dev_orphan() - Tear down the devices of a socket that is gone.
 * @net: its network namespace
 * @portid: its port
 *
 * Context: process; does not wait for I/O.
 */
void vpmem_dev_orphan(const struct net *net, u32 portid)
{
	struct vpmem_dev *dev;
	unsigned long index;

	mutex_lock(&vpmem_devices_lock);
	xa_for_each(&vpmem_devices, index, dev) {
		if (!net_eq(dev->net, net) || dev->portid != portid)
			continue;
		/* Its port may soon be somebody else's. */
		WRITE_ONCE(dev->has_owner, false);
		vpmem_dev_kill(dev);
	}
	mutex_unlock(&vpmem_devices_lock);
}

/**
 * vpmem_devices_init() - Prepare for devices.
 *
 * Return: 0 or -ENOMEM.
 */
int vpmem_devices_init(void)
{
	vpmem_dev_cache = KMEM_CACHE(vpmem_dev, SLAB_ACCOUNT);
	return vpmem_dev_cache ? 0 : -ENOMEM;
}

/**
 * vpmem_devices_exit() - Undo vpmem_devices_init().
 *
 * Context: process; no device is left.
 */
void vpmem_devices_exit(void)
{
	kmem_cache_destroy(vpmem_dev_cache);
}

/**
 * vpmem_devices_close() - Tear down all devices and wait until they are gone.
 *
 * Context: process; waits for syncs that are under way. No device can be
 * created afterwards.
 */
void vpmem_devices_close(void)
{
	struct vpmem_dev *dev;
	unsigned long index;

	mutex_lock(&vpmem_devices_lock);
	vpmem_is_closing = true;
	xa_for_each(&vpmem_devices, index, dev)
		vpmem_dev_kill(dev);
	mutex_unlock(&vpmem_devices_lock);
	wait_event(vpmem_all_gone, !atomic_read(&vpmem_nr_devices));
	xa_destroy(&vpmem_devices);
}
