// SPDX-License-Identifier: GPL-2.0-only
/*
 * One program per completed request: the flight recorder, the latency histogram
 * and the error check. A good request costs no hash lookup, no helper but the
 * clock (and the CPU's number, on kernels that do not inline it), and is not
 * heard of in user space. The clock is half of the cost: what can wait is done
 * after it has been read, in its shadow.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define RECORD_KIND FFDC_RECORD_BLOCK_ERROR
#include "failure.bpf.h"

char _license[] SEC("license") = "GPL";

/* [slot * cpu_count + cpu]. The agent sets the size. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ffdc_histogram);
} histograms SEC(".maps");

static __always_inline void count_latency(__u32 cpu, __u64 known, __u32 flags, __u64 latency_ns)
{
	const __u32 slot = (known >> FFDC_QUEUE_SLOT_SHIFT) & FFDC_QUEUE_NO_SLOT;
	__u32 index = slot * cpu_count + cpu;
	__u32 bucket = FFDC_HIST_UNTIMED;
	struct ffdc_histogram *histogram;

	if (likely((flags & REQ_OP_MASK) <= REQ_OP_WRITE)) {
		if (likely(latency_ns))
			bucket = ffdc_latency_bucket(latency_ns);
		else if (cpu < FFDC_MAX_CPUS)
			state.cpus[cpu].untimed++;
	}
	/* FFDC_QUEUE_NO_SLOT lies past the end of the map. */
	histogram = bpf_map_lookup_elem(&histograms, &index);
	if (histogram)
		histogram->count[flags & 1][bucket & (FFDC_HIST_BUCKETS - 1)]++;
}

/*
 * The slow way to know a device: asks the filter and keeps the answer for the
 * queue's next requests. 0: the agent has not said anything about it yet.
 */
static __noinline __u64 learn_device(__u32 queue, __u32 dev)
{
	/* Read first: an answer that is older than the epoch it is kept under would stay. */
	__u64 key = *(volatile __u64 *)&state.control.epoch_key | dev;
	struct ffdc_device_filter *filter;
	__u64 known;

	barrier();
	filter = bpf_map_lookup_elem(&device_filter, &dev);
	if (!filter)
		return 0;
	known = key | (__u64)(filter->slot < FFDC_QUEUE_NO_SLOT ? filter->slot : FFDC_QUEUE_NO_SLOT)
			      << FFDC_QUEUE_SLOT_SHIFT;
	if (filter->flags & FFDC_DEVICE_WATCHED)
		known |= FFDC_QUEUE_WATCHED;
	*(volatile __u64 *)&state.queues[queue % FFDC_QUEUE_SLOTS] = known;
	return known;
}

static __noinline int request_failed(struct request *rq, __u64 now, __u64 latency_ns, __u8 status,
				     __u32 nr_bytes)
{
	struct failure failure = {
		.now = now,
		.latency_ns = latency_ns,
		.sector = rq->__sector,
		.dev = request_dev(rq),
		.len_bytes = nr_bytes,
		.rq_flags = rq->cmd_flags,
		.status = status,
		.bio = rq->bio,
	};

	if (!concerns_somebody(&failure))
		return 0;
	failure.part_dev = request_part_dev(rq, failure.dev);
	report(&failure);
	return 0;
}

/* What the queue's word says, if it is about this device as the agent knows it now. */
static __always_inline bool is_current(__u64 known, __u32 dev)
{
	return (known & FFDC_QUEUE_KEY_MASK) == (state.control.epoch_key | dev);
}

static __always_inline __u64 known_device(__u32 queue, __u32 dev)
{
	const __u64 known = state.queues[queue % FFDC_QUEUE_SLOTS];

	return is_current(known, dev) ? known : learn_device(queue, dev);
}

static __always_inline __u64 request_latency_ns(struct request *rq, __u64 now)
{
	const __u64 start = request_start_ns(rq);

	return start ? now - start : 0;
}

/* A request that failed, or whose device is not known to be watched: perhaps it is. */
static __noinline int completed_unusually(struct request *rq, int error, __u32 nr_bytes)
{
	const __u8 status = request_status(error);
	const __u32 dev = request_dev(rq);
	const __u64 known = dev ? known_device(rq->q->id, dev) : 0;
	/* Until the agent has said that a device is ignored, it is not. */
	const bool recorded = known ? known & FFDC_QUEUE_WATCHED : dev;
	const __u32 flags = rq->cmd_flags;
	__u64 now, latency_ns;
	__u32 cpu;

	if (!recorded && !status)
		return 0;
	now = bpf_ktime_get_ns();
	latency_ns = request_latency_ns(rq, now);
	if (recorded) {
		cpu = bpf_get_smp_processor_id();
		remember(cpu, now, latency_ns, pack_sector_op(rq->__sector, flags, status), dev, nr_bytes);
		if (known)
			count_latency(cpu, known, flags, latency_ns);
	}
	return status ? request_failed(rq, now, latency_ns, status, nr_bytes) : 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(block_rq_complete, struct request *rq, int error, unsigned int nr_bytes)
{
	const __u64 known = state.queues[(__u32)rq->q->id % FFDC_QUEUE_SLOTS];
	__u64 now, latency_ns;
	__u32 cpu, dev, flags;

	if (unlikely(error || !(known & FFDC_QUEUE_WATCHED)))
		return completed_unusually(rq, error, nr_bytes);
	now = bpf_ktime_get_ns();
	dev = request_dev(rq);
	if (unlikely(!is_current(known, dev)))
		return completed_unusually(rq, error, nr_bytes);

	latency_ns = request_latency_ns(rq, now);
	flags = rq->cmd_flags;
	cpu = bpf_get_smp_processor_id();
	remember(cpu, now, latency_ns, pack_sector_op(rq->__sector, flags, 0), dev, nr_bytes);
	count_latency(cpu, known, flags, latency_ns);
	return 0;
}
