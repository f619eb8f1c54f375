/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For programs that only failures reach: storm control and the ring buffer. The
 * agent gives all of them the same fault_records and fault_storm; fault_counters
 * is each object's own.
 *
 *	struct ffdc_x *x;
 *	if (!fault_admitted(FFDC_FAULT_X, object, detail, now))
 *		return 0;
 *	x = fault_reserve(sizeof(*x), FFDC_FAULT_X, now);
 *	if (x) { ...fill it... fault_submit(x); }
 */
#ifndef FFDC_FAULT_BPF_H
#define FFDC_FAULT_BPF_H

#include "kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "ffdc/abi/fault.h"
#include "token.bpf.h"

/* Of one (kind, object, detail): the first at once, then ten a second. */
#define FAULT_INTERVAL_NS (NSEC_PER_SEC / 10)
#define FAULT_BURST 10

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} fault_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct ffdc_fault_key);
	__type(value, struct ffdc_fault_entry);
} fault_storm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FFDC_FAULT_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} fault_counters SEC(".maps");

static __always_inline void fault_count(__u32 index)
{
	__u64 *counter = bpf_map_lookup_elem(&fault_counters, &index);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

/* Counts the failure; whether it is one to send. */
static __always_inline bool fault_admitted(__u32 kind, __u64 object, __u32 detail, __u64 now)
{
	const struct ffdc_fault_key key = {.object = object, .kind = kind, .detail = detail};
	struct ffdc_fault_entry *entry = bpf_map_lookup_elem(&fault_storm, &key);

	if (!entry) {
		const struct ffdc_fault_entry fresh = {
			.total = 1, .last_ns = now, .refill_ns = now, .tokens = FAULT_BURST};

		if (bpf_map_update_elem(&fault_storm, &key, &fresh, BPF_NOEXIST) == 0)
			return true;
		entry = bpf_map_lookup_elem(&fault_storm, &key);
		if (!entry)
			return true; /* the table is in use by others: rather too much than nothing */
	}
	__sync_fetch_and_add(&entry->total, 1);
	entry->last_ns = now;
	if (take_token(&entry->refill_ns, &entry->tokens, now, FAULT_INTERVAL_NS, FAULT_BURST))
		return true;
	__sync_fetch_and_add(&entry->suppressed, 1);
	fault_count(FFDC_FAULT_SUPPRESSED);
	return false;
}

static __always_inline void *fault_reserve(__u32 size_bytes, __u32 kind, __u64 now)
{
	struct ffdc_record_header *header = bpf_ringbuf_reserve(&fault_records, size_bytes, 0);

	if (!header) {
		fault_count(FFDC_FAULT_DROPPED);
		return NULL;
	}
	header->kind = kind;
	header->size_bytes = size_bytes;
	header->time_ns = now;
	return header;
}

static __always_inline void fault_submit(void *record)
{
	bpf_ringbuf_submit(record, 0);
	fault_count(FFDC_FAULT_SENT);
}

#endif
