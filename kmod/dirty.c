// SPDX-License-Identifier: GPL-2.0
/*
 * How much of a file waits to be written back. Looks at the marks of the page
 * cache and never at a page, which may be freed or split meanwhile.
 */
#include "vpmem.h"

#include <linux/fs.h>
#include <linux/minmax.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/rcupdate_wait.h>
#include <linux/sched.h>
#include <linux/xarray.h>

/* Pages of the entry that a walk has come to: a large one fills sibling slots. */
static unsigned long vpmem_entry_pages(const struct xa_state *xas)
{
	const struct xa_node *node = xas->xa_node;
	unsigned int slot = xas->xa_offset;

	if (!node)
		return 1;
	do {
		slot++;
	} while (slot < XA_CHUNK_SIZE &&
		 xa_is_sibling(xa_entry(xas->xa, node, slot)));
	return (unsigned long)(slot - xas->xa_offset) << node->shift;
}

static u64 vpmem_dirty_pages(const struct vpmem_dev *dev, bool is_idle_only)
{
	pgoff_t first = dev->offset >> PAGE_SHIFT;
	pgoff_t last = (dev->offset + dev->length - 1) >> PAGE_SHIFT;
	XA_STATE(xas, &dev->file->f_mapping->i_pages, first);
	unsigned long visited = 0;
	u64 pages = 0;
	void *entry;

	rcu_read_lock();
	xas_for_each_marked(&xas, entry, last, PAGECACHE_TAG_DIRTY) {
		unsigned long nr, index;

		if (xas_retry(&xas, entry))
			continue;
		/* Entries are naturally aligned; the walk may begin inside. */
		nr = vpmem_entry_pages(&xas);
		index = xas.xa_index & ~(nr - 1);
		if (!is_idle_only ||
		    !xas_get_mark(&xas, PAGECACHE_TAG_WRITEBACK))
			pages += min(index + nr - 1, last) -
				 max(index, first) + 1;
		if (++visited % XA_CHECK_SCHED)
			continue;
		xas_pause(&xas);
		cond_resched_rcu();
	}
	rcu_read_unlock();
	return pages;
}

/**
 * vpmem_dirty_any() - Whether a page of a device's file may be dirty.
 * @dev: device
 *
 * Also of a part that the device does not show. Costs nothing.
 */
bool vpmem_dirty_any(const struct vpmem_dev *dev)
{
	return !vpmem_dev_sync_is_noop(dev) &&
	       mapping_tagged(dev->file->f_mapping, PAGECACHE_TAG_DIRTY);
}

/**
 * vpmem_dirty_bytes() - What a sync of a device's range would write now.
 * @dev: device
 *
 * In whole pages, and an upper bound: a file system may know that a part of a
 * page is clean. DAX entries count as pages do. Costs nothing where nothing
 * can be or is dirty.
 *
 * Context: process, may sleep.
 */
u64 vpmem_dirty_bytes(const struct vpmem_dev *dev)
{
	return vpmem_dirty_any(dev) ?
	       vpmem_dirty_pages(dev, false) << PAGE_SHIFT : 0;
}

/**
 * vpmem_dirty_idle_bytes() - What of a device's range waits to be written.
 * @dev: device
 *
 * As vpmem_dirty_bytes(), but without pages that are being written and were
 * made dirty again meanwhile: nobody but a sync waits to write them anew.
 *
 * Context: process, may sleep.
 */
u64 vpmem_dirty_idle_bytes(const struct vpmem_dev *dev)
{
	return vpmem_dirty_any(dev) ?
	       vpmem_dirty_pages(dev, true) << PAGE_SHIFT : 0;
}
