// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many completions of a device this kernel shows to BPF programs. That is
 * not always all of them: some sandboxes do not run programs while a process of
 * their own is current. Tests that must be exact compare with this.
 */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "core_fixes.bpf.h"

char _license[] SEC("license") = "GPL";

const volatile __u32 dev;
__u64 good;
__u64 failed;

SEC("tp_btf/block_rq_complete")
int BPF_PROG(oracle, struct request *rq, int error, unsigned int nr_bytes)
{
	if (request_dev(rq) != dev)
		return 0;
	__sync_fetch_and_add(error ? &failed : &good, 1);
	return 0;
}
