/* SPDX-License-Identifier: GPL-2.0 */
/* CPU time that serving takes. */
#ifndef VPMEM_CPU_H
#define VPMEM_CPU_H

#include <linux/types.h>

/**
 * struct vpmem_cpu_timer - Measures the CPU time of the task that started it.
 * @now_ns: time of the last look, by the CPU's clock
 * @runtime_ns: CPU time of the task then, as far as the scheduler had come
 * @updated_ns: when the scheduler had come that far, by its own clock
 * @cpu: where the task was
 */
struct vpmem_cpu_timer {
	u64 now_ns;
	u64 runtime_ns;
	u64 updated_ns;
	int cpu;
};

void vpmem_cpu_start(struct vpmem_cpu_timer *timer);
u64 vpmem_cpu_lap(struct vpmem_cpu_timer *timer);

#endif /* VPMEM_CPU_H */
