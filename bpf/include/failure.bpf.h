/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens to a failure, of a request or of a bio: filtered, or counted,
 * and sent if storm control lets it. Only failures come here.
 *
 * RECORD_KIND, defined by the program: enum ffdc_record_kind.
 */
#ifndef FFDC_FAILURE_BPF_H
#define FFDC_FAILURE_BPF_H

#include "core_fixes.bpf.h"
#include "recorder.bpf.h"
#include "storm.bpf.h"

#define KIND_INDEX (RECORD_KIND - 1)

struct failure {
	__u64 now;
	__u64 latency_ns;
	__u64 sector;
	__u64 since_ns; /* of its device: struct ffdc_device_filter */
	struct bio *bio;
	__u32 dev;
	__u32 part_dev;
	__u32 len_bytes;
	__u32 rq_flags;	    /* with the op */
	__u16 record_flags; /* FFDC_ERROR_* */
	__u8 status;
};

/* Failures that are no failures to anybody: enum ffdc_filtered, or -1. */
static __always_inline int false_alarm(__u32 dev, __u32 flags, __u8 status)
{
	const __u8 op = flags & REQ_OP_MASK;

	if (op >= REQ_OP_PASSTHROUGH_MIN)
		return FFDC_FILTERED_PASSTHROUGH;
	if (!dev)
		return FFDC_FILTERED_NO_DISK;
	if (is_readahead(flags))
		return FFDC_FILTERED_READAHEAD;
	if (status == BLK_STS_NOTSUPP && op != REQ_OP_READ && op != REQ_OP_WRITE)
		return FFDC_FILTERED_UNSUPPORTED;
	if (status == BLK_STS_AGAIN)
		return FFDC_FILTERED_NOWAIT;
	return -1;
}

/* Whether the failure is one to report; if not, it is counted. */
static __always_inline bool concerns_somebody(struct failure *failure)
{
	int reason = false_alarm(failure->dev, failure->rq_flags, failure->status);
	struct ffdc_device_filter *filter = bpf_map_lookup_elem(&device_filter, &failure->dev);
	__u32 index;

	if (!filter)
		failure->record_flags |= FFDC_ERROR_UNCLASSIFIED;
	else if (reason < 0 && !(filter->flags & FFDC_DEVICE_WATCHED))
		reason = FFDC_FILTERED_IGNORED;
	else
		failure->since_ns = filter->since_ns;
	if (reason < 0)
		return true;
	index = reason;
	if (index < FFDC_FILTERED_COUNT)
		count(state.counters.filtered[KIND_INDEX][index]);
	return false;
}

/* Not inlined, so that the record's type is in the object's BTF, for the test of its layout. */
static __noinline void fill_cgroup(struct ffdc_block_error *error, struct bio *bio)
{
	struct cgroup *cgroup = bio ? bio_cgroup(bio) : NULL;

	error->cgroup_id = 0;
	error->cgroup_hierarchy = 0;
	if (!cgroup)
		return;
	error->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	error->cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
}

static __always_inline void report(const struct failure *failure)
{
	struct ffdc_storm_key key = {
		.dev = failure->dev,
		.op = failure->rq_flags & REQ_OP_MASK,
		.status = failure->status,
		.source = RECORD_KIND,
	};
	struct admission verdict = {};
	struct ffdc_block_error *error;
	__u16 flags = failure->record_flags;

	admit(&key, failure->now, failure->since_ns, &verdict);
	if (!verdict.send)
		return;
	error = bpf_ringbuf_reserve(&records, sizeof(*error), 0);
	if (!error) {
		count(state.counters.dropped[KIND_INDEX]);
		take_back(&verdict);
		return;
	}
	if (verdict.first) {
		flags |= FFDC_ERROR_FIRST;
		if (freeze_history())
			flags |= FFDC_ERROR_FROZE;
	}
	if (!verdict.entry)
		flags |= FFDC_ERROR_KEY_OVERFLOW;
	error->header.kind = RECORD_KIND;
	error->header.size_bytes = sizeof(*error);
	error->header.time_ns = failure->now;
	error->sector = failure->sector == ~0ull ? 0 : failure->sector;
	error->latency_ns = failure->latency_ns;
	error->total = verdict.entry ? verdict.entry->total : 0;
	fill_cgroup(error, failure->bio);
	error->dev = failure->dev;
	error->part_dev = failure->part_dev;
	error->len_bytes = failure->len_bytes;
	error->rq_flags = failure->rq_flags & ~(__u32)REQ_OP_MASK;
	error->op = key.op;
	error->status = key.status;
	error->flags = flags;
	bpf_ringbuf_submit(error, 0);
	count(state.counters.sent[KIND_INDEX]);
}

#endif
