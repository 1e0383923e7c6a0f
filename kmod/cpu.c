// SPDX-License-Identifier: GPL-2.0
/*
 * CPU time that serving takes. The scheduler brings a task's own figure up to
 * date at ticks and context switches only, which a server mostly runs between.
 * So the time since then is added, from a clock.
 */
#include "cpu.h"

#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>

/* Interrupts off: a tick would change what belongs together. */
static void vpmem_cpu_sample(struct vpmem_cpu_timer *timer)
{
	unsigned long flags;

	local_irq_save(flags);
	timer->now_ns = local_clock();
	timer->runtime_ns = READ_ONCE(current->se.sum_exec_runtime);
	timer->updated_ns = READ_ONCE(current->se.exec_start);
	timer->cpu = smp_processor_id();
	local_irq_restore(flags);
}

/**
 * vpmem_cpu_start() - Start to measure the CPU time of the calling task.
 * @timer: filled in
 *
 * Context: process.
 */
void vpmem_cpu_start(struct vpmem_cpu_timer *timer)
{
	vpmem_cpu_sample(timer);
}

/**
 * vpmem_cpu_lap() - CPU time since the start or the last lap.
 * @timer: timer of the calling task
 *
 * At each end of the lap some time has passed since the scheduler's figure was
 * brought up to date. Its clock differs from ours by an offset, which cancels
 * out on one CPU; it is each CPU's own, so that a task that has moved gets the
 * scheduler's figure alone, short of at most a tick at either end.
 *
 * Return: nanoseconds, at most what has passed.
 */
u64 vpmem_cpu_lap(struct vpmem_cpu_timer *timer)
{
	struct vpmem_cpu_timer last = *timer;
	s64 passed_ns, ns;

	vpmem_cpu_sample(timer);
	passed_ns = timer->now_ns - last.now_ns;
	ns = timer->runtime_ns - last.runtime_ns;
	if (timer->cpu == last.cpu)
		ns += passed_ns - (s64)(timer->updated_ns - last.updated_ns);
	/* Clocks of two CPUs may be a little apart. */
	return clamp_t(s64, ns, 0, max_t(s64, passed_ns, 0));
}
