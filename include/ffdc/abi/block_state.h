/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the programs block_io and block_bio share with the agent besides
 * records: one struct, the only variable in their .bss, which both map. The
 * agent writes what is marked so, the kernel the rest.
 */
#ifndef FFDC_ABI_BLOCK_STATE_H
#define FFDC_ABI_BLOCK_STATE_H

#include "ffdc/abi/block.h"

#define FFDC_MAX_CPUS 1024
#define FFDC_QUEUE_SLOTS 8192 /* by queue id, modulo: a power of two */
#define FFDC_CACHE_LINE 64

/*
 * What the program that runs per I/O needs to know of a request queue, in one
 * word so that it changes at once: bits 0-31 dev, 32-47 epoch, 48-61 histogram
 * slot (FFDC_QUEUE_NO_SLOT: none), 63 watched. It holds good while dev and epoch
 * do; the kernel fills it in from the device filter.
 */
#define FFDC_QUEUE_EPOCH_SHIFT 32
#define FFDC_QUEUE_KEY_MASK 0xffffffffffffull
#define FFDC_QUEUE_SLOT_SHIFT 48
#define FFDC_QUEUE_NO_SLOT 0x3fffu
#define FFDC_QUEUE_WATCHED (1ull << 63)

/* Read by every completion, so nothing that changes often lies beside it. */
struct ffdc_block_control {
	__ffdc_u64 epoch_key; /* agent: what it knows of devices, as epoch << FFDC_QUEUE_EPOCH_SHIFT */
	__ffdc_u32 active;    /* half of the flight recorder being written: 0 or 1 */
	__ffdc_u32 armed;     /* 1: the next first failure freezes the recorder */
	__ffdc_u64 frozen_ns; /* when the half that is not active was frozen; 0: it is not */
	__ffdc_u64 pad[5];
};

/* Exact; index: enum ffdc_record_kind - 1. */
struct ffdc_block_counters {
	__ffdc_u64 sent[2];
	__ffdc_u64 dropped[2]; /* ring buffer full */
	__ffdc_u64 filtered[2][FFDC_FILTERED_COUNT];
	__ffdc_u64 overflow; /* failures that found the storm table full */
	__ffdc_u64 overflow_refill_ns;
	__ffdc_u64 overflow_tokens;
	__ffdc_u64 pad[5];
};

/* The ring of one CPU in one half of the flight recorder: record n lies at n modulo its capacity. */
struct ffdc_block_ring {
	__ffdc_u64 written; /* only grows */
	__ffdc_u32 base;    /* agent: index of its first record in the map */
	__ffdc_u32 mask;    /* agent: capacity - 1, a power of two less one */
};

struct ffdc_block_cpu {
	struct ffdc_block_ring rings[2]; /* by half */
	__ffdc_u64 untimed; /* reads and writes of watched devices without a start time */
	__ffdc_u64 pad[3];
};

struct ffdc_block_state {
	struct ffdc_block_control control;
	struct ffdc_block_counters counters;
	struct ffdc_block_cpu cpus[FFDC_MAX_CPUS];
	__ffdc_u64 queues[FFDC_QUEUE_SLOTS];
};

FFDC_ABI_ASSERT(ffdc_block_control, FFDC_CACHE_LINE);
FFDC_ABI_ASSERT(ffdc_block_counters, 3 * FFDC_CACHE_LINE);
FFDC_ABI_ASSERT(ffdc_block_ring, 16);
FFDC_ABI_ASSERT(ffdc_block_cpu, FFDC_CACHE_LINE);

#endif
