// SPDX-License-Identifier: GPL-2.0-only
/*
 * What NVMe controllers say: commands that ended with a status, whether they are
 * tried again, sent along another path or given up. A good command costs one read.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "command.bpf.h"
#include "fault.bpf.h"
#include "ffdc/abi/nvme.h"

char _license[] SEC("license") = "GPL";

/* Not inlined, so that the record's type is in the object's BTF, for the test of its layout. */
static __noinline void fill_request(struct ffdc_nvme_error *error, struct request *rq)
{
	error->sector = command_sector(rq);
	command_cgroup(rq, &error->cgroup_id, &error->cgroup_hierarchy);
	error->len_bytes = BPF_CORE_READ(rq, __data_len);
	error->op = BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK;
}

static __noinline int command_failed(struct request *rq, struct nvme_request *nvme, __u16 status)
{
	const __u64 now = bpf_ktime_get_ns();
	struct gendisk *disk = command_disk(rq);
	const __u32 dev = command_dev(disk);
	struct ffdc_nvme_error *error;

	if (!command_concerns(rq, dev))
		return 0;
	if (!fault_admitted(FFDC_FAULT_NVME_ERROR, dev, status, now))
		return 0;
	error = fault_reserve(sizeof(*error), FFDC_FAULT_NVME_ERROR, now);
	if (!error)
		return 0;
	fill_request(error, rq);
	error->dev = dev;
	error->controller = BPF_CORE_READ(nvme, ctrl, instance);
	error->status = status;
	error->retries = BPF_CORE_READ(nvme, retries);
	__builtin_memset(error->pad, 0, sizeof(error->pad));
	if (bpf_core_read(error->disk, sizeof(error->disk), &disk->disk_name))
		__builtin_memset(error->disk, 0, sizeof(error->disk));
	fault_submit(error);
	return 0;
}

SEC("tp_btf/nvme_complete_rq")
int BPF_PROG(nvme_complete_rq, struct request *rq)
{
	struct nvme_request *nvme;
	__u16 status;

	if (!rq) /* a module's tracepoint may pass NULL, says 6.12 */
		return 0;
	/* The first thing of every driver's own data (nvme_req()). */
	nvme = (void *)rq + bpf_core_type_size(struct request);
	status = BPF_CORE_READ(nvme, status);
	return status ? command_failed(rq, nvme, status) : 0;
}
