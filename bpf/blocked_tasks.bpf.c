// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every task in uninterruptible sleep, with its kernel stack, as text: one line
 * that starts with "D", then a line a frame. It is the only witness of a stall
 * that never completes, and reads nothing that could itself block.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ffdc/abi/block.h"
#include "task_file.bpf.h"

char _license[] SEC("license") = "GPL";

#define TASK_UNINTERRUPTIBLE 0x2u /* these two never moved */
#define TASK_NOLOAD 0x400u	  /* idle kernel threads */
#define MAX_FRAMES 32

SEC("iter/task")
int blocked_tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	__u64 frames[MAX_FRAMES];
	struct task_file file;
	struct cgroup *cgroup;
	__u64 switches;
	__u32 state;
	long bytes;
	int i;

	if (!task)
		return 0;
	state = task_state(task);
	if (!(state & TASK_UNINTERRUPTIBLE) || (state & TASK_NOLOAD))
		return 0;
	cgroup = task_io_cgroup(task);
	switches = task->nvcsw + task->nivcsw;
	file = task_file(task);
	if (!file.file_system)
		file.file_system = "-";
	/* The name last: it is the task's own bytes, blanks among them. */
	BPF_SEQ_PRINTF(seq,
		       "D pid=%d tgid=%d ppid=%d state=0x%x start=%llu switches=%llu cgroup=%u:%llu dev=%u:%u fs=%s comm=%s\n",
		       task->pid, task->tgid, task->real_parent->tgid, state, task_start_ns(task), switches,
		       BPF_CORE_READ(cgroup, root, hierarchy_id), BPF_CORE_READ(cgroup, kn, id),
		       FFDC_DEV_MAJOR(file.dev), FFDC_DEV_MINOR(file.dev), file.file_system, task->comm);
	bytes = bpf_get_task_stack(task, frames, sizeof(frames), 0);
#pragma unroll
	for (i = 0; i < MAX_FRAMES; i++) {
		if (bytes < (long)((i + 1) * sizeof(frames[0])))
			break;
		BPF_SEQ_PRINTF(seq, "  %pB\n", (void *)frames[i]);
	}
	return 0;
}
