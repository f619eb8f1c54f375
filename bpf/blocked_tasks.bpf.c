// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every task in uninterruptible sleep, with its kernel stack, as text: one line
 * that starts with "D", then a line a frame. It is the only witness of a stall
 * that never completes, and reads nothing that could itself block.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "core_fixes.bpf.h"

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
	__u32 state;
	__u64 cgroup;
	long bytes;
	int i;

	if (!task)
		return 0;
	state = task_state(task);
	if (!(state & TASK_UNINTERRUPTIBLE) || (state & TASK_NOLOAD))
		return 0;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_SEQ_PRINTF(seq, "D pid=%d tgid=%d ppid=%d comm=%s state=0x%x cgroup=%llu\n", task->pid, task->tgid,
		       task->real_parent->tgid, task->comm, state, cgroup);
	bytes = bpf_get_task_stack(task, frames, sizeof(frames), 0);
#pragma unroll
	for (i = 0; i < MAX_FRAMES; i++) {
		if (bytes < (long)((i + 1) * sizeof(frames[0])))
			break;
		BPF_SEQ_PRINTF(seq, "  %pB\n", (void *)frames[i]);
	}
	return 0;
}
