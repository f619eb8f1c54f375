/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where kernels differ. Each fix names the change it bridges; all of them are
 * decided when the program is loaded, and cost nothing after.
 */
#ifndef FFDC_CORE_FIXES_BPF_H
#define FFDC_CORE_FIXES_BPF_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define FFDC_DEV(major, minor) (((__u32)(major) << 20) | (__u32)(minor))

static __always_inline __u32 disk_dev(struct gendisk *disk)
{
	/* A NULL disk reads as 0,0: loads through BTF pointers do not fault. */
	return FFDC_DEV(disk->major, disk->first_minor);
}

/*
 * d152c682f03c ("block: add an explicit ->disk backpointer to the
 * request_queue", 5.15), f3fa33acca9f ("block: remove the ->rq_disk field in
 * struct request", 5.17).
 */
static __always_inline __u32 request_dev(struct request *rq)
{
	struct request___old *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return disk_dev(old->rq_disk);
	return disk_dev(rq->q->disk);
}

/*
 * 0d02129e76ed ("block: merge struct block_device and struct hd_struct", 5.11):
 * request->part was a struct hd_struct.
 */
static __always_inline __u32 request_part_dev(struct request *rq, __u32 whole)
{
	struct request___old *old = (void *)rq;
	__u32 dev;

	if (bpf_core_type_exists(struct hd_struct))
		dev = BPF_CORE_READ(old, part, __dev.devt);
	else
		dev = BPF_CORE_READ(rq, part, bd_dev);
	return dev == whole ? 0 : dev;
}

/* 309dca309fc3 ("block: store a block_device pointer in struct bio", 5.12). */
static __always_inline struct gendisk *bio_disk(struct bio *bio)
{
	struct bio___old *old = (void *)bio;

	if (bpf_core_field_exists(old->bi_disk))
		return old->bi_disk;
	return bio->bi_bdev->bd_disk;
}

static __always_inline __u32 bio_dev(struct bio *bio)
{
	return disk_dev(bio_disk(bio));
}

/* Before 5.12 a bio that has been submitted points to the whole disk. */
static __always_inline __u32 bio_part_dev(struct bio *bio, __u32 whole)
{
	__u32 dev = 0;

	if (bpf_core_field_exists(bio->bi_bdev))
		dev = bio->bi_bdev->bd_dev;
	return dev == whole ? 0 : dev;
}

/*
 * "block: don't call blk_status_to_errno in blk_update_request" (5.16):
 * block_rq_complete passed a negative errno before, which is the status by the
 * kernel's own table (blk_errors[] in block/blk-core.c), unambiguous but for
 * EBUSY and EREMCHG, which are never passed on to here.
 */
static __always_inline __u8 request_status(int error)
{
	if (error >= 0)
		return (__u8)error;
	switch (-error) {
	case 95: /* EOPNOTSUPP */
		return BLK_STS_NOTSUPP;
	case 110: /* ETIMEDOUT */
		return BLK_STS_TIMEOUT;
	case 28: /* ENOSPC */
		return BLK_STS_NOSPC;
	case 67: /* ENOLINK */
		return BLK_STS_TRANSPORT;
	case 121: /* EREMOTEIO */
		return BLK_STS_TARGET;
	case 52: /* EBADE */
		return BLK_STS_RESV_CONFLICT;
	case 61: /* ENODATA */
		return BLK_STS_MEDIUM;
	case 84: /* EILSEQ */
		return BLK_STS_PROTECTION;
	case 12: /* ENOMEM */
		return BLK_STS_RESOURCE;
	case 11: /* EAGAIN */
		return BLK_STS_AGAIN;
	case 16: /* EBUSY */
		return BLK_STS_DEV_RESOURCE;
	case 109: /* ETOOMANYREFS */
		return BLK_STS_ZONE_OPEN_RESOURCE___old;
	case 75: /* EOVERFLOW */
		return BLK_STS_ZONE_ACTIVE_RESOURCE___old;
	default:
		return BLK_STS_IOERR;
	}
}

/* The flag moves whenever a flag is added below it. */
static __always_inline bool is_readahead(__u32 flags)
{
	return flags & (1u << bpf_core_enum_value(enum req_flag_bits, __REQ_RAHEAD));
}

/*
 * "block: move iostat check into blk_account_io_start()" (6.13): before it, the
 * start time of a request that is not timed is 0; after it, it is whatever the
 * tag's last user left there. Flush requests made by the block layer itself
 * (they have no bio) always have one.
 */
static __always_inline __u64 request_start_ns(struct request *rq)
{
	const __u64 start = rq->start_time_ns;
	__u32 flags;

	if (!bpf_core_enum_value_exists(enum rqf_flags, __RQF_IO_STAT))
		return start;
	flags = rq->rq_flags;
	if (flags & (1u << bpf_core_enum_value(enum rqf_flags, __RQF_IO_STAT)))
		return start;
	if (flags & (1u << bpf_core_enum_value(enum rqf_flags, __RQF_FLUSH_SEQ)) && !rq->bio)
		return start;
	return 0;
}

/* bio->bi_blkg is there with CONFIG_BLK_CGROUP only. */
static __always_inline struct cgroup *bio_cgroup(struct bio *bio)
{
	if (!bpf_core_field_exists(bio->bi_blkg))
		return NULL;
	return BPF_CORE_READ(bio, bi_blkg, blkcg, css.cgroup);
}

/*
 * The cgroup that a task's I/O is charged to: where the I/O controller is a v1
 * hierarchy that one's, else the task's own, be the controller enabled for it or
 * for one above it only. May be NULL.
 */
static __always_inline struct cgroup *task_io_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = NULL;

	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, io_cgrp_id)) {
		const __u64 id = bpf_core_enum_value(enum cgroup_subsys_id, io_cgrp_id);
		const void *subsys = __builtin_preserve_access_index(&set->subsys);

		bpf_probe_read_kernel(&css, sizeof(css), subsys + id * sizeof(css));
		if (BPF_CORE_READ(css, cgroup, root, hierarchy_id))
			return BPF_CORE_READ(css, cgroup);
	}
	return BPF_CORE_READ(set, dfl_cgrp);
}

/* 2f064a59a11f ("sched: Change task_struct::state", 5.14). */
static __always_inline __u32 task_state(struct task_struct *task)
{
	struct task_struct___old *old = (void *)task;

	if (bpf_core_field_exists(old->state))
		return (__u32)BPF_CORE_READ(old, state);
	return BPF_CORE_READ(task, __state);
}

/* cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime", 5.5). */
static __always_inline __u64 task_start_ns(struct task_struct *task)
{
	struct task_struct___old *old = (void *)task;

	if (bpf_core_field_exists(old->real_start_time))
		return BPF_CORE_READ(old, real_start_time);
	return BPF_CORE_READ(task, start_boottime);
}

/*
 * The argument of tp_btf/block_bio_queue. e8a676d61c07 ("block: simplify and
 * extend the block_bio_merge tracepoint class", 5.11, as was the end of struct
 * hd_struct) took the queue before it away.
 */
static __always_inline struct bio *queued_bio(unsigned long long *ctx)
{
	if (bpf_core_type_exists(struct hd_struct))
		return (struct bio *)ctx[1];
	return (struct bio *)ctx[0];
}

#endif
