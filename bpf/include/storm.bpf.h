/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Storm control. Per (device, op, status): the first failure goes out at once,
 * then a token rate, and every one is counted, exactly.
 */
#ifndef FFDC_STORM_BPF_H
#define FFDC_STORM_BPF_H

#include "block_maps.bpf.h"
#include "token.bpf.h"

struct admission {
	struct ffdc_storm_entry *entry; /* NULL: the table is full */
	bool send;
	bool first;
};

/* last_ns is 0 where the last first failure could not be sent. */
static __always_inline bool is_quiet(__u64 last_ns, __u64 now, __u64 since_ns)
{
	return !last_ns || (__s64)(now - last_ns) > (__s64)quiet_after_ns ||
	       (last_ns < since_ns && now >= since_ns);
}

/*
 * Whether this failure is the first after a quiet time. last_ns is only written
 * by the holder of the lock or by those who found the key not quiet, so that of
 * all who found it quiet at the same last_ns exactly one is the first.
 */
static __always_inline bool ends_quiet(const struct ffdc_storm_key *key, struct ffdc_storm_entry *entry,
				       __u64 now, __u64 since_ns)
{
	volatile __u64 *last = &entry->last_ns;
	__u64 seen = *last;
	bool first = false;

	if (!is_quiet(seen, now, since_ns)) {
		if (now > seen)
			*last = now;
		return false;
	}
	if (!try_lock(key))
		return false;
	if (*last == seen) {
		entry->refill_ns = now;
		entry->tokens = record_burst;
		*last = now;
		first = true;
	}
	unlock(key);
	return first;
}

/* since_ns: failures before it were another device's of the same number. */
static __always_inline void admit(const struct ffdc_storm_key *key, __u64 now, __u64 since_ns,
				  struct admission *verdict)
{
	struct ffdc_storm_entry *entry = bpf_map_lookup_elem(&storm, key);

	if (!entry) {
		struct ffdc_storm_entry fresh = {
			.total = 1, .last_ns = now, .refill_ns = now, .tokens = record_burst};

		if (bpf_map_update_elem(&storm, key, &fresh, BPF_NOEXIST) == 0)
			verdict->first = true;
		entry = bpf_map_lookup_elem(&storm, key);
		if (!entry) {
			struct ffdc_block_counters *counters = &state.counters;

			count(counters->overflow);
			verdict->send = take_token(&counters->overflow_refill_ns,
						   &counters->overflow_tokens, now,
						   record_interval_ns, record_burst);
			return;
		}
	}
	verdict->entry = entry;
	if (!verdict->first) {
		count(entry->total);
		verdict->first = ends_quiet(key, entry, now, since_ns);
	}
	verdict->send = verdict->first || take_token(&entry->refill_ns, &entry->tokens, now,
							 record_interval_ns, record_burst);
	if (!verdict->send)
		count(entry->suppressed);
}

/* A record that did not fit into the ring: the next failure is the first again. */
static __always_inline void take_back(struct admission *verdict)
{
	if (!verdict->entry)
		return;
	count(verdict->entry->suppressed);
	if (verdict->first)
		verdict->entry->last_ns = 0;
}

#endif
