// SPDX-License-Identifier: GPL-2.0-only
/* What an attached program costs by itself, statistics included: the base line of bpf_cost.cc. */
#include "kernel_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

SEC("tp_btf/block_rq_complete")
int BPF_PROG(empty, struct request *rq, int error, unsigned int nr_bytes)
{
	return 0;
}
