/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What block_io and block_bio have in common. The agent loads block_io first
 * and gives its maps to block_bio.
 */
#ifndef FFDC_BLOCK_MAPS_BPF_H
#define FFDC_BLOCK_MAPS_BPF_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "ffdc/abi/block.h"
#include "ffdc/abi/block_state.h"
#include "token.bpf.h"

#define barrier() asm volatile("" ::: "memory")
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Set by the agent before loading. */
const volatile __u32 cpu_count = 1;
const volatile __u64 quiet_after_ns = 60 * NSEC_PER_SEC;
const volatile __u64 record_interval_ns = NSEC_PER_SEC / 10;
const volatile __u64 record_burst = 10;

/* The only variable in .bss: block_bio maps the same one. */
struct ffdc_block_state state;

/* The flight recorder: [half][cpu][record]. The agent sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ffdc_io_record);
} history SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct ffdc_device_filter);
} device_filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct ffdc_storm_key);
	__type(value, struct ffdc_storm_entry);
} storm SEC(".maps");

/*
 * Try-locks: whoever inserts a key holds it until it deletes it. Atomic
 * operations that return the old value need 5.12, this works everywhere, and
 * from user space too.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct ffdc_storm_key);
	__type(value, __u32);
} locks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} records SEC(".maps");

static __always_inline bool try_lock(const struct ffdc_storm_key *key)
{
	const __u32 held = 1;

	return bpf_map_update_elem(&locks, key, &held, BPF_NOEXIST) == 0;
}

static __always_inline void unlock(const struct ffdc_storm_key *key)
{
	bpf_map_delete_elem(&locks, key);
}

#define count(counter) __sync_fetch_and_add(&(counter), 1)

#endif
