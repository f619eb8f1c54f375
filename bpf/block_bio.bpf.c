// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failed bios of devices that have no requests of their own (dm, md, NVMe
 * multipath, zram), and when bios of device mapper came and went: block_io never
 * hears of these. Attached only while there is such a device. The failures of
 * request-based devices do not come here: their completion was traced with the
 * request.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define RECORD_KIND FFDC_RECORD_BIO_ERROR
#include "failure.bpf.h"
#include "ffdc/abi/bio_flow.h"

char _license[] SEC("license") = "GPL";

static __noinline int bio_failed(struct bio *bio)
{
	struct failure failure = {
		.now = bpf_ktime_get_ns(),
		.sector = bio->bi_iter.bi_sector,
		.dev = bio_dev(bio),
		.len_bytes = bio->bi_iter.bi_size,
		.rq_flags = bio->bi_opf,
		.status = bio->bi_status,
		.bio = bio,
	};

	if (!concerns_somebody(&failure))
		return 0;
	/* The recorder knows only failures of such devices, but those it should have. */
	remember(bpf_get_smp_processor_id(), failure.now, 0,
		 pack_sector_op(failure.sector, failure.rq_flags, failure.status), failure.dev,
		 failure.len_bytes);
	failure.part_dev = bio_part_dev(bio, failure.dev);
	report(&failure);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FFDC_BIO_FLOWS);
	__type(key, __u32);
	__type(value, struct ffdc_bio_flow);
} bio_flows SEC(".maps");

/* Agent: the major number of device mapper once it has one. Not 0, to lie in .data. */
volatile __u32 dm_major = ~0u;

/* Of a bio-based device mapper device; NULL for all others. */
static __always_inline struct ffdc_bio_flow *flow_of(struct bio *bio)
{
	struct gendisk *disk = bio_disk(bio);
	__u32 minor;

	if ((__u32)disk->major != dm_major || disk->queue->mq_ops)
		return NULL;
	minor = disk->first_minor;
	return bpf_map_lookup_elem(&bio_flows, &minor);
}

SEC("tp_btf/block_bio_queue")
int block_bio_queue(unsigned long long *ctx)
{
	struct bio *bio = queued_bio(ctx);
	struct ffdc_bio_flow *flow = flow_of(bio);
	struct cgroup *cgroup;

	if (!flow)
		return 0;
	cgroup = bio_cgroup(bio);
	flow->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	flow->cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	flow->queued_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/block_bio_complete")
int BPF_PROG(block_bio_complete, struct request_queue *q, struct bio *bio)
{
	struct ffdc_bio_flow *flow = flow_of(bio);

	if (flow) {
		flow->completed_ns = bpf_ktime_get_ns();
		count(flow->completed);
	}
	if (!bio->bi_status)
		return 0;
	return bio_failed(bio);
}
