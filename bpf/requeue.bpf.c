// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the requests that a device had answered and that are tried again all the
 * same. No record is sent: one retry that succeeds is nobody's concern, and the
 * agent reads the counts.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "command.bpf.h"
#include "fault.bpf.h"

char _license[] SEC("license") = "GPL";

static __noinline int requeued(struct request *rq)
{
	__u32 dev;

	/*
	 * One that was not answered went back because its driver's queue was full: on a busy
	 * device that is how things are.
	 */
	if (BPF_CORE_READ(rq, state) != bpf_core_enum_value(enum mq_rq_state, MQ_RQ_COMPLETE))
		return 0;
	dev = command_dev(command_disk(rq));
	if (command_concerns(rq, dev))
		fault_admitted(FFDC_FAULT_REQUEUE, dev, 0, bpf_ktime_get_ns());
	return 0;
}

/*
 * a54895fa057c ("block: remove the request_queue to argument request based
 * tracepoints", 5.11): the queue came first before. A function of its own, or the
 * compiler makes one load of a modified context of the two, which 5.10 refuses.
 */
static __noinline int requeued_after_queue(unsigned long long *ctx)
{
	return requeued((void *)ctx[1]);
}

SEC("tp_btf/block_rq_requeue")
int block_rq_requeue(unsigned long long *ctx)
{
	if (bpf_core_type_exists(struct hd_struct))
		return requeued_after_queue(ctx);
	return requeued((void *)ctx[0]);
}
