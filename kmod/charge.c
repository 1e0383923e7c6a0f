// SPDX-License-Identifier: GPL-2.0
/* To whom the block I/O of a sync is charged. */
#include "vpmem.h"

#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/sched.h>

#ifdef CONFIG_BLK_CGROUP
/*
 * The owner may be moved to another cgroup at any time, so that it is asked
 * anew for each sync. An owner that was reaped is nobody's.
 */
static struct cgroup_subsys_state *vpmem_owner_css(const struct vpmem_dev *dev)
{
	struct cgroup_subsys_state *css = NULL;
	struct task_struct *task;

	rcu_read_lock();
	task = pid_task(dev->owner, PIDTYPE_TGID);
	if (task)
		css = task_get_css(task, io_cgrp_id);
	rcu_read_unlock();
	return css;
}

/**
 * vpmem_charge_begin() - Charge the caller's block I/O to a device's owner.
 * @dev: device
 *
 * A worker belongs to the root cgroup; the owner's threads, which serve
 * inline, are charged as they are.
 *
 * Context: process.
 */
void vpmem_charge_begin(const struct vpmem_dev *dev)
{
	struct cgroup_subsys_state *css;

	if (!(current->flags & PF_KTHREAD))
		return;
	css = vpmem_owner_css(dev);
	if (!css)
		return;
	kthread_associate_blkcg(css);
	css_put(css);
}

/**
 * vpmem_charge_end() - Undo vpmem_charge_begin().
 */
void vpmem_charge_end(void)
{
	if (current->flags & PF_KTHREAD)
		kthread_associate_blkcg(NULL);
}
#else
void vpmem_charge_begin(const struct vpmem_dev *dev)
{
}

void vpmem_charge_end(void)
{
}
#endif
