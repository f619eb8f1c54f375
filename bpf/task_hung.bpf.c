// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tasks that khungtaskd calls hung: it looks every so many seconds, and tells of
 * each such task every time.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fault.bpf.h"
#include "ffdc/abi/task.h"
#include "task_file.bpf.h"

char _license[] SEC("license") = "GPL";

/* Not inlined, so that the record's type is in the object's BTF, for the test of its layout. */
static __noinline void fill_cgroup(struct ffdc_task_hung *hung, struct task_struct *task)
{
	struct cgroup *cgroup = task_io_cgroup(task);

	hung->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	hung->cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
}

SEC("tp_btf/sched_process_hang")
int BPF_PROG(sched_process_hang, struct task_struct *task)
{
	const __u64 now = bpf_ktime_get_ns();
	struct ffdc_task_hung *hung;

	if (!task || !fault_admitted(FFDC_FAULT_TASK_HUNG, task->pid, 0, now))
		return 0;
	hung = fault_reserve(sizeof(*hung), FFDC_FAULT_TASK_HUNG, now);
	if (!hung)
		return 0;
	hung->start_ns = task_start_ns(task);
	hung->switches = task->nvcsw + task->nivcsw;
	fill_cgroup(hung, task);
	hung->pid = task->pid;
	hung->tgid = task->tgid;
	hung->dev = task_file(task).dev;
	bpf_probe_read_kernel_str(hung->comm, sizeof(hung->comm), task->comm);
	fault_submit(hung);
	return 0;
}
