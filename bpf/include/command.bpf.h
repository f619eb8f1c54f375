/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The request of a command that failed. It is found beside the command, so the
 * verifier does not know it for what it is: everything is read by helpers.
 */
#ifndef FFDC_COMMAND_BPF_H
#define FFDC_COMMAND_BPF_H

#include "core_fixes.bpf.h"

/* As request_dev(). NULL where the request is of no disk: passthrough, discovery, admin queues. */
static __always_inline struct gendisk *command_disk(struct request *rq)
{
	struct request___old *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return BPF_CORE_READ(old, rq_disk);
	return BPF_CORE_READ(rq, q, disk);
}

static __always_inline __u32 command_dev(struct gendisk *disk)
{
	return disk ? FFDC_DEV(BPF_CORE_READ(disk, major), BPF_CORE_READ(disk, first_minor)) : 0;
}

/* Somebody's I/O: what tools send themselves (SG_IO, nvme-cli) is theirs to look after. */
static __always_inline bool command_concerns(struct request *rq, __u32 dev)
{
	return dev && (BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK) < REQ_OP_PASSTHROUGH_MIN;
}

static __always_inline __u64 command_sector(struct request *rq)
{
	const __u64 sector = BPF_CORE_READ(rq, __sector);

	return sector == ~0ull ? 0 : sector;
}

static __always_inline void command_cgroup(struct request *rq, __u64 *id, __u32 *hierarchy)
{
	struct bio *bio = BPF_CORE_READ(rq, bio);
	struct cgroup *cgroup = bio ? bio_cgroup(bio) : NULL;

	*id = cgroup ? BPF_CORE_READ(cgroup, kn, id) : 0;
	*hierarchy = cgroup ? BPF_CORE_READ(cgroup, root, hierarchy_id) : 0;
}

#endif
