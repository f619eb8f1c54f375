/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A task that khungtaskd found in the same wait for kernel.hung_task_timeout_secs. */
#ifndef FFDC_ABI_TASK_H
#define FFDC_ABI_TASK_H

#include "ffdc/abi/block.h"

#define FFDC_TASK_COMM 16

/* FFDC_FAULT_TASK_HUNG; object: its thread id. */
struct ffdc_task_hung {
	struct ffdc_record_header header;
	__ffdc_u64 start_ns;  /* CLOCK_BOOTTIME: with pid, who it is */
	__ffdc_u64 switches;  /* context switches so far: unchanged means still the same wait */
	__ffdc_u64 cgroup_id; /* that its I/O is charged to */
	__ffdc_u32 pid;	      /* thread id */
	__ffdc_u32 tgid;
	__ffdc_u32 dev; /* of the file that its system call is about; 0: unknown */
	__ffdc_u32 cgroup_hierarchy; /* 0 = cgroup v2, else the id of the v1 hierarchy */
	char comm[FFDC_TASK_COMM]; /* its own bytes, and a 0 */
};

FFDC_ABI_ASSERT(ffdc_task_hung, 72);

#endif
