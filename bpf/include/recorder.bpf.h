/* SPDX-License-Identifier: GPL-2.0-only */
/* The flight recorder: per-CPU rings in two halves, one of them written. */
#ifndef FFDC_RECORDER_BPF_H
#define FFDC_RECORDER_BPF_H

#include "block_maps.bpf.h"

#define SECTOR_MASK ((1ull << 48) - 1)

static __always_inline __u64 pack_sector_op(__u64 sector, __u8 op, __u8 status)
{
	/* Flushes and passthrough have no sector: the kernel says -1. */
	if (sector == ~0ull)
		sector = 0;
	return (sector & SECTOR_MASK) | (__u64)op << 48 | (__u64)status << 56;
}

static __always_inline void remember(__u32 cpu, __u64 now, __u64 latency_ns, __u64 sector_op, __u32 dev,
				     __u32 len_bytes)
{
	volatile struct ffdc_io_record *record;
	struct ffdc_block_cpu *mine;
	__u32 half, index;
	__u64 position;

	if (cpu >= cpu_count || cpu >= FFDC_MAX_CPUS)
		return;
	mine = &state.cpus[cpu];
	half = *(volatile __u32 *)&state.control.active & 1;
	/*
	 * The place is taken before it is written: a program that interrupts this
	 * one on the same CPU takes the next.
	 */
	position = mine->written[half];
	mine->written[half] = position + 1;
	barrier();
	index = ((half * cpu_count + cpu) << history_shift) +
		((__u32)position & ((1u << history_shift) - 1));
	record = bpf_map_lookup_elem(&history, &index);
	if (!record)
		return;
	/* complete_ns == 0 marks a record being written. */
	record->complete_ns = 0;
	record->latency_ns = latency_ns;
	record->sector_op = sector_op;
	record->dev = dev;
	record->len_bytes = len_bytes;
	record->complete_ns = now;
}

/*
 * Called by a failure that is the first of its kind, after its own record is
 * in the history. Returns whether it was the one that froze the recorder.
 */
static __always_inline bool freeze_history(void)
{
	const struct ffdc_storm_key freeze_lock = {};
	volatile struct ffdc_block_control *control = &state.control;
	bool froze = false;

	if (!control->armed || !try_lock(&freeze_lock))
		return false;
	if (control->armed) {
		control->armed = 0;
		control->active = !(control->active & 1);
		control->frozen_ns = bpf_ktime_get_ns();
		froze = true;
	}
	unlock(&freeze_lock);
	return froze;
}

#endif
