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

/* A branch, which is predicted, where an index would have to wait for the number of the half. */
static __always_inline volatile struct ffdc_block_ring *active_ring(struct ffdc_block_cpu *cpu)
{
	struct ffdc_block_ring *ring = &cpu->rings[0];

	if (*(volatile __u32 *)&state.control.active) {
		ring = &cpu->rings[1];
		asm volatile("" : "+r"(ring));
	}
	return ring;
}

static __always_inline void remember(__u32 cpu, __u64 now, __u64 latency_ns, __u64 sector_op, __u32 dev,
				     __u32 len_bytes)
{
	volatile struct ffdc_io_record *record;
	volatile struct ffdc_block_ring *ring;
	__u64 position;
	__u32 index;

	if (cpu >= FFDC_MAX_CPUS)
		return;
	ring = active_ring(&state.cpus[cpu]);
	/*
	 * The place is taken before it is written: a program that interrupts this
	 * one on the same CPU takes the next.
	 */
	position = ring->written;
	ring->written = position + 1;
	index = ring->base + ((__u32)position & ring->mask);
	record = bpf_map_lookup_elem(&history, &index);
	if (!record)
		return;
	record->latency_ns = latency_ns;
	record->sector_op = sector_op;
	record->dev = dev;
	record->len_bytes = len_bytes;
	/* Last: until then the record is older than the one before it, which tells that it is unfinished. */
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
		control->active = !control->active;
		control->frozen_ns = bpf_ktime_get_ns();
		froze = true;
	}
	unlock(&freeze_lock);
	return froze;
}

#endif
