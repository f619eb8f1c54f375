// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failed bios of devices that have no requests of their own (dm, md, NVMe
 * multipath, zram): block_io never hears of these. Attached only while there is
 * such a device. The bios of request-based devices do not come here: their
 * completion was traced with the request.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define RECORD_KIND FFDC_RECORD_BIO_ERROR
#include "failure.bpf.h"

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

SEC("tp_btf/block_bio_complete")
int BPF_PROG(block_bio_complete, struct request_queue *q, struct bio *bio)
{
	if (!bio->bi_status)
		return 0;
	return bio_failed(bio);
}
